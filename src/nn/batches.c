/* What all sources of batches share, generators, token windows and mixtures. Declared in nigh/train.h. */
#include "nn/batches.h"

#include <string.h>

nigh_status batches_make(nigh_context *ctx, size_t bytes, const batches_kind *kind, int forms, void *out)
{
    nigh_batches *b = nigh_alloc_zero(ctx, 1, bytes);
    if (!b) return NIGH_MEMORY;
    b->ctx = ctx;
    b->kind = kind;
    b->forms = forms;
    b->form = nigh_alloc_zero(ctx, (size_t)forms, sizeof *b->form);
    if (!b->form) {
        nigh_free(ctx, b);
        return NIGH_MEMORY;
    }
    memcpy(out, &b, sizeof b);
    return NIGH_OK;
}

void nigh_batches_free(nigh_batches *b)
{
    if (!b) return;
    if (b->kind->release) b->kind->release(b);
    nigh_free(b->ctx, b->form);
    nigh_free(b->ctx, b);
}

int nigh_batches_forms(const nigh_batches *b) { return b->forms; }
int nigh_batches_width(const nigh_batches *b, int form) { return form < 0 || form >= b->forms ? 0 : b->form[form].width; }
int64_t nigh_batches_epoch(const nigh_batches *b) { return b->epoch; }

const nigh_shape *nigh_batches_shape(const nigh_batches *b, int form, int array)
{
    return array < 0 || array >= nigh_batches_width(b, form) ? NULL : &b->form[form].shape[array];
}

nigh_status batches_start(nigh_batches *b, uint64_t seed)
{
    b->seed = seed;
    return b->kind->start ? b->kind->start(b, seed) : NIGH_OK;
}

int batches_form_of(nigh_batches *b, int64_t number) { return b->kind->form_of ? b->kind->form_of(b, number) : 0; }
nigh_status batches_fill(nigh_batches *b, int64_t number, void *const *data) { return b->kind->fill(b, number, data); }
nigh_status batches_store(nigh_batches *b, const char *prefix, nigh_bundle *bundle) { return b->kind->store ? b->kind->store(b, prefix, bundle) : NIGH_OK; }
nigh_status batches_load(nigh_batches *b, const char *prefix, const nigh_bundle *bundle) { return b->kind->load ? b->kind->load(b, prefix, bundle) : NIGH_OK; }

void batches_permute(uint64_t seed, uint64_t stream, int64_t n, int64_t *order)
{
    enum { CHUNK = 128 };
    uint32_t word[2 * CHUNK];
    nigh_rng rng = nigh_rng_new(seed, stream);
    for (int64_t i = 0; i < n; i++) {
        if (i % CHUNK == 0) nigh_rng_fill_u32(&rng, 2 * (n - i < CHUNK ? n - i : CHUNK), word);
        uint64_t draw = (uint64_t)word[2 * (i % CHUNK)] << 32 | word[2 * (i % CHUNK) + 1];
        int64_t j = (int64_t)((unsigned __int128)draw * (uint64_t)(i + 1) >> 64);
        order[i] = order[j]; /* inside-out shuffle: order[i] is not read before it is written, but for j = i */
        order[j] = i;
    }
}

/* ---- generators ----------------------------------------------------------------------------------------- */

typedef struct generator {
    nigh_batches head;
    nigh_batch_fn *fill;
    void *user;
} generator;

static nigh_status generator_fill(nigh_batches *b, int64_t number, void *const *data)
{
    generator *g = (generator *)b;
    nigh_rng rng = nigh_rng_new(b->seed, (uint64_t)number);
    return g->fill(g->user, &rng, number, data);
}

static const batches_kind generator_kind = {.fill = generator_fill};

static nigh_status check_shapes(nigh_context *ctx, int n, const nigh_shape *shapes)
{
    if (n < 1 || n > NIGH_TRAIN_ARRAYS) return nigh_fail(ctx, NIGH_INVALID, "batches of %d arrays; 1 to %d are allowed", n, NIGH_TRAIN_ARRAYS);
    for (int i = 0; i < n; i++) {
        if (shapes[i].ndim < 1 || shapes[i].ndim > NIGH_MAX_DIMS)
            return nigh_fail(ctx, NIGH_INVALID, "array %d of a batch has %d dimensions; 1 to %d are allowed", i, shapes[i].ndim, NIGH_MAX_DIMS);
        if (nigh_shape_count(&shapes[i]) < 0) return nigh_fail(ctx, NIGH_INVALID, "array %d of a batch has a negative dimension or more than 2^63 bytes", i);
    }
    return NIGH_OK;
}

nigh_status nigh_batches_generator(nigh_context *ctx, int n, const nigh_shape *shapes, nigh_batch_fn *fill, void *user, int64_t epoch, nigh_batches **out)
{
    nigh_status status = check_shapes(ctx, n, shapes);
    if (status) return status;
    if (epoch < 0) return nigh_fail(ctx, NIGH_INVALID, "an epoch of %lld batches; 0 (none) or more is allowed", (long long)epoch);
    generator *g;
    status = batches_make(ctx, sizeof *g, &generator_kind, 1, &g);
    if (status) return status;
    g->fill = fill;
    g->user = user;
    g->head.epoch = epoch;
    g->head.form[0] = (batches_form){.width = n, .samples = shapes[0].dim[0]};
    memcpy(g->head.form[0].shape, shapes, (size_t)n * sizeof *shapes);
    *out = &g->head;
    return NIGH_OK;
}

/* ---- windows of tokens ---------------------------------------------------------------------------------- */

typedef struct windows {
    nigh_batches head;
    const int32_t *tokens;
    int64_t count, batch, length;
    bool in_order;
    int64_t all, *order, order_of; /* windows of an epoch, and the epoch whose order is there */
} windows;

static nigh_status windows_start(nigh_batches *b, uint64_t seed)
{
    windows *w = (windows *)b;
    w->order_of = -1;
    if (!w->in_order || w->order) return NIGH_OK;
    w->order = nigh_alloc(b->ctx, (size_t)w->all * sizeof *w->order);
    return w->order ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status windows_fill(nigh_batches *b, int64_t number, void *const *data)
{
    windows *w = (windows *)b;
    int64_t epoch = w->in_order ? number / b->epoch : 0, first = w->in_order ? number % b->epoch * w->batch : 0, shift = 0;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(b->seed, 1), (uint64_t)(w->in_order ? epoch : number));
    if (w->in_order) {
        shift = (int64_t)nigh_rng_below(&rng, (uint64_t)w->length);
        if (w->order_of != epoch) batches_permute(b->seed, (uint64_t)epoch, w->all, w->order);
        w->order_of = epoch;
    }
    for (int64_t i = 0; i < w->batch; i++) {
        int64_t at = w->in_order ? shift + w->order[first + i] * w->length : (int64_t)nigh_rng_below(&rng, (uint64_t)(w->count - w->length));
        memcpy((int32_t *)data[0] + i * w->length, w->tokens + at, (size_t)w->length * sizeof *w->tokens);
        memcpy((int32_t *)data[1] + i * w->length, w->tokens + at + 1, (size_t)w->length * sizeof *w->tokens);
    }
    return NIGH_OK;
}

static void windows_release(nigh_batches *b) { nigh_free(b->ctx, ((windows *)b)->order); }

static const batches_kind windows_kind = {.start = windows_start, .fill = windows_fill, .release = windows_release};

nigh_status nigh_batches_windows(nigh_context *ctx, int64_t count, const int32_t *tokens, int64_t batch, int64_t length, bool in_order, nigh_batches **out)
{
    if (batch < 1 || length < 1) return nigh_fail(ctx, NIGH_INVALID, "windows of length %lld, %lld a batch; 1 or more is allowed", (long long)length, (long long)batch);
    int64_t all = count / length - 1;
    if (all < (in_order ? batch : 1))
        return nigh_fail(ctx, NIGH_INVALID, "%lld tokens are too few for %lld windows of length %lld", (long long)count, in_order ? (long long)batch : 1LL, (long long)length);
    windows *w;
    nigh_status status = batches_make(ctx, sizeof *w, &windows_kind, 1, &w);
    if (status) return status;
    w->tokens = tokens;
    w->count = count, w->batch = batch, w->length = length, w->in_order = in_order, w->all = all;
    w->head.epoch = in_order ? all / batch : 0;
    nigh_shape shape = {.dtype = NIGH_I32, .ndim = 2, .dim = {batch, length}};
    w->head.form[0] = (batches_form){.width = 2, .samples = batch * length, .shape = {shape, shape}};
    *out = &w->head;
    return NIGH_OK;
}

/* ---- mixtures ------------------------------------------------------------------------------------------- */

enum { MOST_MIXED = 64 };

typedef struct mixed {
    nigh_batches head;
    int n, first_form[MOST_MIXED];
    nigh_batches *source[MOST_MIXED];
    double weight[MOST_MIXED];
    bool drawn;
    int64_t next, made[MOST_MIXED]; /* batches before number `next` that came from each source */
    int current;                    /* source of number next - 1 */
} mixed;

static int source_of(const mixed *m, int64_t number)
{
    if (!m->drawn) return (int)(number % m->n);
    nigh_rng rng = nigh_rng_new(nigh_seed_split(m->head.seed, UINT64_MAX), (uint64_t)number);
    return (int)nigh_rng_categorical(&rng, m->n, m->weight);
}

/* The source of a batch, and its number there: by counting from the beginning, or from where the last question was. */
static int locate(mixed *m, int64_t number, int64_t *there)
{
    if (number < m->next - 1) {
        m->next = 0;
        memset(m->made, 0, sizeof m->made);
    }
    while (m->next <= number) m->made[m->current = source_of(m, m->next++)]++;
    *there = m->made[m->current] - 1;
    return m->current;
}

static nigh_status mixed_start(nigh_batches *b, uint64_t seed)
{
    mixed *m = (mixed *)b;
    nigh_status status = NIGH_OK;
    m->next = 0;
    memset(m->made, 0, sizeof m->made);
    for (int i = 0; i < m->n && !status; i++) status = batches_start(m->source[i], nigh_seed_split(seed, (uint64_t)i));
    return status;
}

static int mixed_form_of(nigh_batches *b, int64_t number)
{
    mixed *m = (mixed *)b;
    int64_t there;
    int source = locate(m, number, &there);
    return m->first_form[source] + batches_form_of(m->source[source], there);
}

static nigh_status mixed_fill(nigh_batches *b, int64_t number, void *const *data)
{
    mixed *m = (mixed *)b;
    int64_t there;
    int source = locate(m, number, &there);
    return batches_fill(m->source[source], there, data);
}

static nigh_status mixed_each(mixed *m, const char *prefix, nigh_bundle *store, const nigh_bundle *load)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < m->n && !status; i++) {
        char *name = nigh_format(m->head.ctx, "%s%d.", prefix, i);
        if (!name) return NIGH_MEMORY;
        status = store ? batches_store(m->source[i], name, store) : batches_load(m->source[i], name, load);
        nigh_free(m->head.ctx, name);
    }
    return status;
}

static nigh_status mixed_store(nigh_batches *b, const char *prefix, nigh_bundle *bundle) { return mixed_each((mixed *)b, prefix, bundle, NULL); }
static nigh_status mixed_load(nigh_batches *b, const char *prefix, const nigh_bundle *bundle) { return mixed_each((mixed *)b, prefix, NULL, bundle); }

static void mixed_release(nigh_batches *b)
{
    mixed *m = (mixed *)b;
    for (int i = 0; i < m->n; i++) nigh_batches_free(m->source[i]);
}

static const batches_kind mixed_kind = {mixed_start, mixed_form_of, mixed_fill, mixed_store, mixed_load, mixed_release};

nigh_status nigh_batches_mixed(nigh_context *ctx, int n, nigh_batches *const *sources, const double *weight, nigh_batches **out)
{
    if (n < 1 || n > MOST_MIXED) return nigh_fail(ctx, NIGH_INVALID, "%d sources to mix; 1 to %d are allowed", n, MOST_MIXED);
    double sum = 0;
    int forms = 0;
    int64_t epoch = 0;
    for (int i = 0; i < n; i++) {
        if (weight && !(weight[i] >= 0 && weight[i] < 1e300)) return nigh_fail(ctx, NIGH_INVALID, "weight %d of the mixture is %g; 0 or more is allowed", i, weight[i]);
        for (int j = 0; j < i; j++)
            if (sources[i] == sources[j]) return nigh_fail(ctx, NIGH_INVALID, "sources %d and %d of the mixture are the same; each can be given once", j, i);
        sum += weight ? weight[i] : 1;
        forms += sources[i]->forms;
        epoch = i && (epoch == 0 || sources[i]->epoch == 0) ? 0 : epoch + sources[i]->epoch;
    }
    if (!(sum > 0)) return nigh_fail(ctx, NIGH_INVALID, "the weights of the mixture are all 0");
    mixed *m;
    nigh_status status = batches_make(ctx, sizeof *m, &mixed_kind, forms, &m);
    if (status) return status;
    m->n = n;
    m->drawn = weight != NULL;
    m->head.epoch = epoch;
    for (int i = 0, next = 0; i < n; i++) {
        m->source[i] = sources[i];
        m->weight[i] = weight ? weight[i] : 1;
        m->first_form[i] = next;
        for (int f = 0; f < sources[i]->forms; f++) m->head.form[next++] = sources[i]->form[f];
    }
    *out = &m->head;
    return NIGH_OK;
}
