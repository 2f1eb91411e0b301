/* Batches of rows of arrays in memory, and pools whose arrays are renewed. Declared in nigh/train.h. */
#include "nn/batches.h"

#include <string.h>

typedef struct rows_source {
    nigh_batches head;
    int n;
    nigh_array array[NIGH_TRAIN_ARRAYS];
    size_t row_bytes[NIGH_TRAIN_ARRAYS];
    nigh_arrays_options options;
    int64_t *order, order_of;               /* rows in the order of epoch `order_of` */
    int64_t classes, *class_start, *member; /* balance: rows of class c are member[class_start[c]] ... */
    /* pools */
    bool owned;
    nigh_pool_fn *renew;
    void *user;
    int64_t every, round; /* of the content; -1: none yet */
} rows_source;

static int64_t batches_of(const nigh_arrays_options *o) { return (o->rows + (o->keep_last ? o->batch - 1 : 0)) / o->batch; }

/* ---- classes -------------------------------------------------------------------------------------------- */

/* Rows sorted by class; classes without rows are left out, so that each that is drawn has one. */
static nigh_status sort_classes(rows_source *s)
{
    nigh_context *ctx = s->head.ctx;
    const int32_t *label = (const int32_t *)s->array[s->options.balance - 1].data + s->options.first;
    int64_t rows = s->options.rows, most = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (label[i] < 0 || label[i] >= 1 << 24)
            return nigh_fail(ctx, NIGH_INVALID, "class of row %lld is %d; 0 to %d is allowed", (long long)i, (int)label[i], (1 << 24) - 1);
        if (label[i] > most) most = label[i];
    }
    s->class_start = nigh_alloc_zero(ctx, (size_t)most + 3, sizeof *s->class_start);
    s->member = nigh_alloc(ctx, (size_t)rows * sizeof *s->member);
    if (!s->class_start || !s->member) return NIGH_MEMORY;
    int64_t *start = s->class_start;
    for (int64_t i = 0; i < rows; i++) start[label[i] + 2]++;
    for (int64_t c = 1; c <= most + 1; c++) start[c + 1] += start[c];
    for (int64_t i = 0; i < rows; i++) s->member[start[label[i] + 1]++] = i;
    s->classes = 0;
    for (int64_t c = 0; c <= most; c++)
        if (start[c + 1] > start[c]) start[s->classes++] = start[c];
    start[s->classes] = rows;
    return NIGH_OK;
}

/* ---- the kind ------------------------------------------------------------------------------------------- */

static nigh_status rows_start(nigh_batches *b, uint64_t seed)
{
    rows_source *s = (rows_source *)b;
    s->order_of = -1;
    s->round = -1;
    if (s->options.balance && !s->member) return sort_classes(s);
    if (s->options.in_order || s->options.balance || s->order) return NIGH_OK;
    s->order = nigh_alloc(b->ctx, (size_t)s->options.rows * sizeof *s->order);
    return s->order ? NIGH_OK : NIGH_MEMORY;
}

static int rows_form_of(nigh_batches *b, int64_t number) { return b->forms > 1 && number % b->epoch == b->epoch - 1; }

static nigh_status renew(rows_source *s, int64_t number)
{
    int64_t round = number / s->every;
    if (round < s->round) s->round = -1;
    for (int k = 0; k < s->n && s->round < 0; k++) memset(s->array[k].data, 0, (size_t)s->array[k].shape.dim[0] * s->row_bytes[k]);
    while (s->round < round) {
        nigh_rng rng = nigh_rng_new(nigh_seed_split(s->head.seed, 2), (uint64_t)(s->round + 1));
        nigh_status status = s->renew(s->user, &rng, s->round + 1, s->array);
        if (status) return status;
        s->round++;
    }
    return NIGH_OK;
}

/* Rows order[0 .. count - 1], array by array. */
static void take_rows(const rows_source *s, const int64_t *order, int64_t count, void *const *data)
{
    for (int k = 0; k < s->n; k++) {
        size_t bytes = s->row_bytes[k];
        const char *from = (const char *)s->array[k].data + (size_t)s->options.first * bytes;
        char *to = data[k];
        if (bytes == 4)
            for (int64_t i = 0; i < count; i++) memcpy(to + 4 * i, from + 4 * order[i], 4); /* a label: one move instead of a call */
        else
            for (int64_t i = 0; i < count; i++) memcpy(to + (size_t)i * bytes, from + (size_t)order[i] * bytes, bytes);
    }
}

static void take_row(const rows_source *s, int64_t from, int64_t to, void *const *data)
{
    for (int k = 0; k < s->n; k++)
        memcpy((char *)data[k] + (size_t)to * s->row_bytes[k], (const char *)s->array[k].data + (size_t)(s->options.first + from) * s->row_bytes[k], s->row_bytes[k]);
}

static void take_balanced(const rows_source *s, int64_t number, int64_t count, void *const *data)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(s->head.seed, 1), (uint64_t)number);
    for (int64_t i = 0; i < count; i++) {
        int64_t c = (int64_t)nigh_rng_below(&rng, (uint64_t)s->classes), first = s->class_start[c];
        take_row(s, s->member[first + (int64_t)nigh_rng_below(&rng, (uint64_t)(s->class_start[c + 1] - first))], i, data);
    }
}

static nigh_status rows_fill(nigh_batches *b, int64_t number, void *const *data)
{
    rows_source *s = (rows_source *)b;
    if (s->owned) {
        nigh_status status = renew(s, number);
        if (status) return status;
    }
    int64_t epoch = number / b->epoch, first = number % b->epoch * s->options.batch, count = b->form[rows_form_of(b, number)].shape[0].dim[0];
    if (s->options.balance) {
        take_balanced(s, number, count, data);
        return NIGH_OK;
    }
    if (s->options.in_order) {
        for (int k = 0; k < s->n; k++)
            memcpy(data[k], (const char *)s->array[k].data + (size_t)(s->options.first + first) * s->row_bytes[k], (size_t)count * s->row_bytes[k]);
        return NIGH_OK;
    }
    if (s->order_of != epoch) batches_permute(b->seed, (uint64_t)epoch, s->options.rows, s->order);
    s->order_of = epoch;
    take_rows(s, s->order + first, count, data);
    return NIGH_OK;
}

/* The content of a pool, and the round that it is of. */
static nigh_status pool_each(rows_source *s, const char *prefix, nigh_bundle *store, const nigh_bundle *load)
{
    nigh_context *ctx = s->head.ctx;
    nigh_array round = {.shape = {.dtype = NIGH_I64}, .data = &s->round};
    nigh_status status = NIGH_OK;
    for (int k = -1; k < s->n && s->owned && !status; k++) {
        char *name = k < 0 ? nigh_format(ctx, "%sround", prefix) : nigh_format(ctx, "%s%d", prefix, k);
        if (!name) return NIGH_MEMORY;
        nigh_array *mine = k < 0 ? &round : &s->array[k];
        if (store) status = nigh_bundle_add(store, name, mine);
        else {
            const nigh_array *there = nigh_bundle_find(load, name);
            size_t bytes = (size_t)nigh_shape_count(&mine->shape) * nigh_dtype_size(mine->shape.dtype);
            if (there && there->shape.dtype == mine->shape.dtype && nigh_shape_count(&there->shape) == nigh_shape_count(&mine->shape))
                memcpy(mine->data, there->data, bytes);
            else status = nigh_fail(ctx, NIGH_FORMAT, "the pool's array '%s' is not there, or of another size", name);
        }
        nigh_free(ctx, name);
    }
    return status;
}

static nigh_status rows_store(nigh_batches *b, const char *prefix, nigh_bundle *bundle) { return pool_each((rows_source *)b, prefix, bundle, NULL); }
static nigh_status rows_load(nigh_batches *b, const char *prefix, const nigh_bundle *bundle) { return pool_each((rows_source *)b, prefix, NULL, bundle); }

static void rows_release(nigh_batches *b)
{
    rows_source *s = (rows_source *)b;
    nigh_free(b->ctx, s->order);
    nigh_free(b->ctx, s->class_start);
    nigh_free(b->ctx, s->member);
    for (int k = 0; k < s->n && s->owned; k++) nigh_array_free(b->ctx, &s->array[k]);
}

static const batches_kind rows_kind = {rows_start, rows_form_of, rows_fill, rows_store, rows_load, rows_release};

/* ---- making --------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, int n, const nigh_shape *const *shape, nigh_arrays_options *o)
{
    if (n < 1 || n > NIGH_TRAIN_ARRAYS) return nigh_fail(ctx, NIGH_INVALID, "batches of %d arrays; 1 to %d are allowed", n, NIGH_TRAIN_ARRAYS);
    for (int i = 0; i < n; i++) {
        if (shape[i]->ndim < 1 || shape[i]->ndim > NIGH_MAX_DIMS || nigh_shape_count(shape[i]) < 0)
            return nigh_fail(ctx, NIGH_INVALID, "array %d has %d dimensions; rows [n, ...] are needed", i, shape[i]->ndim);
        if (shape[i]->dim[0] != shape[0]->dim[0])
            return nigh_fail(ctx, NIGH_INVALID, "array %d has %lld rows, array 0 has %lld", i, (long long)shape[i]->dim[0], (long long)shape[0]->dim[0]);
    }
    int64_t all = shape[0]->dim[0];
    if (o->first < 0 || o->rows < 0 || o->first >= all || o->rows > all - o->first)
        return nigh_fail(ctx, NIGH_INVALID, "rows %lld .. %lld are wanted; there are %lld", (long long)o->first, (long long)(o->first + o->rows - 1), (long long)all);
    if (o->rows == 0) o->rows = all - o->first;
    if (o->batch == 0) o->batch = o->rows;
    if (o->batch < 1 || o->batch > o->rows)
        return nigh_fail(ctx, NIGH_INVALID, "batch is %lld; 1 to %lld, the number of rows, is allowed", (long long)o->batch, (long long)o->rows);
    if (o->balance < 0 || o->balance > n) return nigh_fail(ctx, NIGH_INVALID, "balance is %d; 0 to %d, the number of arrays, is allowed", o->balance, n);
    if (o->balance && (shape[o->balance - 1]->dtype != NIGH_I32 || shape[o->balance - 1]->ndim != 1))
        return nigh_fail(ctx, NIGH_INVALID, "balance wants the classes in array %d as i32 [n]; it is %s of %d dimensions", o->balance - 1,
                         nigh_dtype_name(shape[o->balance - 1]->dtype), shape[o->balance - 1]->ndim);
    return NIGH_OK;
}

static nigh_status make(nigh_context *ctx, int n, const nigh_shape *const *shape, const nigh_arrays_options *options, rows_source **out)
{
    nigh_arrays_options o = options ? *options : (nigh_arrays_options){0};
    nigh_status status = check(ctx, n, shape, &o);
    if (status) return status;
    int64_t last = o.rows % o.batch;
    int forms = o.keep_last && last && !o.balance ? 2 : 1;
    rows_source *s;
    status = batches_make(ctx, sizeof *s, &rows_kind, forms, &s);
    if (status) return status;
    s->n = n;
    s->options = o;
    s->head.epoch = batches_of(&o);
    for (int k = 0; k < n; k++) {
        s->array[k].shape = *shape[k];
        nigh_shape row = *shape[k];
        row.dim[0] = 1;
        s->row_bytes[k] = (size_t)nigh_shape_count(&row) * nigh_dtype_size(row.dtype);
    }
    for (int f = 0; f < forms; f++) {
        batches_form *form = &s->head.form[f];
        form->width = n;
        form->samples = f ? last : o.batch;
        for (int k = 0; k < n; k++) {
            form->shape[k] = *shape[k];
            form->shape[k].dim[0] = form->samples;
        }
    }
    *out = s;
    return NIGH_OK;
}

nigh_status nigh_batches_arrays(nigh_context *ctx, int n, const nigh_array *arrays, const nigh_arrays_options *options, nigh_batches **out)
{
    const nigh_shape *shape[NIGH_TRAIN_ARRAYS] = {0};
    for (int i = 0; i < n && i < NIGH_TRAIN_ARRAYS; i++) shape[i] = &arrays[i].shape;
    rows_source *s;
    nigh_status status = make(ctx, n, shape, options, &s);
    if (status) return status;
    for (int i = 0; i < n; i++) s->array[i].data = arrays[i].data;
    *out = &s->head;
    return NIGH_OK;
}

nigh_status nigh_batches_pool(nigh_context *ctx, int n, const nigh_shape *shapes, const nigh_arrays_options *options, int64_t every, nigh_pool_fn *fill, void *user,
                              nigh_batches **out)
{
    if (every < 1) return nigh_fail(ctx, NIGH_INVALID, "every is %lld batches; 1 or more is allowed", (long long)every);
    if (options && options->balance) return nigh_fail(ctx, NIGH_INVALID, "balance is %d; pools are not balanced", options->balance);
    const nigh_shape *shape[NIGH_TRAIN_ARRAYS] = {0};
    for (int i = 0; i < n && i < NIGH_TRAIN_ARRAYS; i++) shape[i] = &shapes[i];
    rows_source *s;
    nigh_status status = make(ctx, n, shape, options, &s);
    if (status) return status;
    s->owned = true;
    s->renew = fill;
    s->user = user;
    s->every = every;
    for (int i = 0; i < n && !status; i++) {
        nigh_shape full = shapes[i];
        status = nigh_array_new(ctx, &full, &s->array[i]);
    }
    if (status) nigh_batches_free(&s->head);
    else *out = &s->head;
    return status;
}
