/* Submodular functions and chains: the counted way to a function's calls, functions from plain values, and the random test. */
#include "nigh/submodular.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

struct nigh_submodular {
    nigh_context *ctx;
    nigh_submodular_calls calls;
    int64_t count;
};

struct nigh_chain {
    nigh_submodular *f;
    void *inner;
    int64_t length, room;
    int64_t *item;
    double *value; /* [length + 1]; value[0] = 0 */
};

nigh_status nigh_submodular_new(nigh_context *ctx, const nigh_submodular_calls *calls, nigh_submodular **out)
{
    if (calls->items < 1) return nigh_fail(ctx, NIGH_INVALID, "a function on %lld items; 1 or more are allowed", (long long)calls->items);
    if (!calls->open || !calls->close || !calls->gains || !calls->add || !calls->cut)
        return nigh_fail(ctx, NIGH_INVALID, "open, close, gains, add and cut are all needed");
    nigh_submodular *f = nigh_alloc(ctx, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (nigh_submodular){.ctx = ctx, .calls = *calls};
    *out = f;
    return NIGH_OK;
}

void nigh_submodular_free(nigh_submodular *f)
{
    if (!f) return;
    if (f->calls.free_user) f->calls.free_user(f->calls.user);
    nigh_free(f->ctx, f);
}

int64_t nigh_submodular_items(const nigh_submodular *f) { return f->calls.items; }
int64_t nigh_submodular_count(const nigh_submodular *f) { return f->count; }

/* ---- chains ----------------------------------------------------------------------------------------------------- */

static nigh_status chain_reserve(nigh_chain *c)
{
    if (c->length < c->room) return NIGH_OK;
    int64_t room = c->room ? 2 * c->room : 32;
    int64_t *item = nigh_resize(c->f->ctx, c->item, (size_t)room * sizeof *item);
    if (!item) return NIGH_MEMORY;
    c->item = item;
    double *value = nigh_resize(c->f->ctx, c->value, (size_t)(room + 1) * sizeof *value);
    if (!value) return NIGH_MEMORY;
    c->value = value;
    c->room = room;
    return NIGH_OK;
}

nigh_status nigh_chain_new(nigh_submodular *f, nigh_chain **out)
{
    nigh_chain *c = nigh_alloc_zero(f->ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->f = f;
    nigh_status status = chain_reserve(c);
    if (!status) status = f->calls.open(f->calls.user, f->ctx, &c->inner);
    if (status) {
        c->inner = NULL;
        nigh_chain_free(c);
        return status;
    }
    c->value[0] = 0;
    *out = c;
    return NIGH_OK;
}

void nigh_chain_free(nigh_chain *c)
{
    if (!c) return;
    if (c->inner) c->f->calls.close(c->f->calls.user, c->inner);
    nigh_free(c->f->ctx, c->item);
    nigh_free(c->f->ctx, c->value);
    nigh_free(c->f->ctx, c);
}

int64_t nigh_chain_length(const nigh_chain *c) { return c->length; }
const int64_t *nigh_chain_items(const nigh_chain *c) { return c->item; }
double nigh_chain_value(const nigh_chain *c, int64_t length) { return c->value[length]; }

nigh_status nigh_chain_gains(nigh_chain *c, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    nigh_submodular *f = c->f;
    if (count < 1) return NIGH_OK;
    f->count += count;
    nigh_status status = f->calls.gains(f->calls.user, c->inner, length, count, item, gain);
    for (int64_t i = 0; i < count && !status; i++)
        if (!isfinite(gain[i])) status = nigh_fail(f->ctx, NIGH_FAILED, "the gain of item %lld is %g; finite ones are allowed", (long long)item[i], gain[i]);
    return status;
}

nigh_status nigh_chain_add(nigh_chain *c, int64_t item, double *gain)
{
    nigh_submodular *f = c->f;
    double g = 0;
    nigh_status status = chain_reserve(c);
    if (status) return status;
    f->count++;
    status = f->calls.add(f->calls.user, c->inner, item, &g);
    if (status) return status;
    if (!isfinite(g)) {
        f->calls.cut(f->calls.user, c->inner, c->length);
        return nigh_fail(f->ctx, NIGH_FAILED, "the gain of item %lld is %g; finite ones are allowed", (long long)item, g);
    }
    c->item[c->length] = item;
    c->value[c->length + 1] = c->value[c->length] + g;
    c->length++;
    if (gain) *gain = g;
    return NIGH_OK;
}

void nigh_chain_cut(nigh_chain *c, int64_t length)
{
    if (length >= c->length) return;
    c->f->calls.cut(c->f->calls.user, c->inner, length);
    c->length = length;
}

/* ---- from plain values ------------------------------------------------------------------------------------------ */

typedef struct plain {
    nigh_context *ctx;
    nigh_set_value_fn *value;
    void *user;
} plain;

typedef struct plain_chain {
    nigh_context *ctx;
    int64_t length, room;
    int64_t *item;  /* [room]: one place is free for the item that is tried */
    double *value;  /* [room] of each prefix */
    int64_t *tried; /* [room] */
} plain_chain;

static nigh_status plain_reserve(plain_chain *c)
{
    if (c->length + 1 < c->room) return NIGH_OK;
    int64_t room = c->room ? 2 * c->room : 32;
    size_t bytes = (size_t)room * sizeof(int64_t);
    int64_t *item = nigh_resize(c->ctx, c->item, bytes);
    if (item) c->item = item;
    double *value = nigh_resize(c->ctx, c->value, bytes);
    if (value) c->value = value;
    int64_t *tried = nigh_resize(c->ctx, c->tried, bytes);
    if (tried) c->tried = tried;
    if (!item || !value || !tried) return NIGH_MEMORY;
    c->room = room;
    return NIGH_OK;
}

static void plain_close(void *user, void *chain)
{
    plain_chain *c = chain;
    (void)user;
    nigh_context *ctx = c->ctx;
    nigh_free(ctx, c->item);
    nigh_free(ctx, c->value);
    nigh_free(ctx, c->tried);
    nigh_free(ctx, c);
}

static nigh_status plain_open(void *user, nigh_context *ctx, void **out)
{
    plain *p = user;
    plain_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx;
    nigh_status status = plain_reserve(c);
    if (!status) status = p->value(p->user, 0, c->item, &c->value[0]);
    if (status) plain_close(user, c);
    else *out = c;
    return status;
}

static nigh_status plain_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    plain *p = user;
    plain_chain *c = chain;
    memcpy(c->tried, c->item, (size_t)length * sizeof *c->tried);
    for (int64_t i = 0; i < count; i++) {
        double value = 0;
        c->tried[length] = item[i];
        nigh_status status = p->value(p->user, length + 1, c->tried, &value);
        if (status) return status;
        gain[i] = value - c->value[length];
    }
    return NIGH_OK;
}

static nigh_status plain_add(void *user, void *chain, int64_t item, double *gain)
{
    plain *p = user;
    plain_chain *c = chain;
    nigh_status status = plain_reserve(c);
    if (status) return status;
    c->item[c->length] = item;
    status = p->value(p->user, c->length + 1, c->item, &c->value[c->length + 1]);
    if (status) return status;
    *gain = c->value[c->length + 1] - c->value[c->length];
    c->length++;
    return NIGH_OK;
}

static void plain_cut(void *user, void *chain, int64_t length)
{
    plain_chain *c = chain;
    (void)user;
    if (length < c->length) c->length = length;
}

static void plain_free(void *user)
{
    plain *p = user;
    nigh_free(p->ctx, p);
}

nigh_status nigh_submodular_values(nigh_context *ctx, int64_t items, nigh_set_value_fn *value, void *user, nigh_submodular **out)
{
    plain *p = nigh_alloc(ctx, sizeof *p);
    if (!p) return NIGH_MEMORY;
    *p = (plain){ctx, value, user};
    const nigh_submodular_calls calls = {.items = items, .open = plain_open, .close = plain_close, .gains = plain_gains, .add = plain_add, .cut = plain_cut,
                                         .free_user = plain_free, .user = p};
    nigh_status status = nigh_submodular_new(ctx, &calls, out);
    if (status) nigh_free(ctx, p);
    return status;
}

/* ---- the random test -------------------------------------------------------------------------------------------- */

typedef struct trial {
    nigh_chain *forward, *backward;
    int64_t length, *item; /* [length + 1]: the last is the one whose gains are compared */
    double *gain;          /* [length] over the first j */
    double worst[3], largest; /* negative, growing, unordered */
    int64_t worst_item[3];
} trial;

/* Keeps how far `violation` is above what rounding explains. */
static void found(trial *t, int kind, double violation, int64_t item)
{
    if (violation > t->worst[kind]) t->worst[kind] = violation, t->worst_item[kind] = item;
}

static nigh_status run_trial(trial *t)
{
    double gain;
    int64_t last = t->item[t->length];
    nigh_chain_cut(t->forward, 0);
    nigh_chain_cut(t->backward, 0);
    for (int64_t j = 0; j < t->length; j++) {
        nigh_status status = nigh_chain_gains(t->forward, j, 1, &last, &t->gain[j]);
        if (!status) status = nigh_chain_add(t->forward, t->item[j], &gain);
        if (!status) found(t, 0, -gain, t->item[j]);
        if (!status) status = nigh_chain_add(t->backward, t->item[t->length - 1 - j], &gain);
        if (status) return status;
        found(t, 0, -t->gain[j], last);
        if (j) found(t, 1, t->gain[j] - t->gain[j - 1], last);
        t->largest = fmax(t->largest, fabs(nigh_chain_value(t->forward, j + 1)));
    }
    found(t, 2, fabs(nigh_chain_value(t->forward, t->length) - nigh_chain_value(t->backward, t->length)), t->item[0]);
    int64_t half = t->length / 2; /* a prefix asked afterwards gives what it gave then */
    if (half == t->length) return NIGH_OK;
    nigh_status status = nigh_chain_gains(t->forward, half, 1, &last, &gain);
    if (status) return status;
    found(t, 2, fabs(gain - t->gain[half]), last);
    return NIGH_OK;
}

nigh_status nigh_submodular_check(nigh_context *ctx, nigh_submodular *f, int64_t trials, int64_t length, uint64_t seed, nigh_submodular_report *report)
{
    int64_t n = f->calls.items;
    if (trials < 1 || length < 1) return nigh_fail(ctx, NIGH_INVALID, "%lld trials of %lld items; 1 or more are allowed", (long long)trials, (long long)length);
    if (length > n - 1) length = n - 1;
    nigh_submodular_report r = {0};
    trial t = {.length = length, .item = nigh_alloc(ctx, (size_t)(length + 1) * sizeof *t.item), .gain = nigh_alloc(ctx, (size_t)(length + 1) * sizeof *t.gain)};
    nigh_status status = t.item && t.gain ? nigh_chain_new(f, &t.forward) : NIGH_MEMORY;
    if (!status) status = nigh_chain_new(f, &t.backward);
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t i = 0; i < trials && !status; i++) {
        memset(t.worst, 0, sizeof t.worst);
        status = nigh_rng_choose(ctx, &rng, n, length + 1, t.item);
        if (!status) status = run_trial(&t);
        double allowed = 1e-9 * t.largest;
        r.tests++;
        r.negative += t.worst[0] > allowed;
        r.growing += t.worst[1] > allowed;
        r.unordered += t.worst[2] > allowed;
        for (int kind = 0; kind < 3 && !status; kind++) {
            static const char *const fault[] = {"its gain is negative: not monotone", "its gain grows with the set: not submodular", "the order of the set changes the value"};
            if (t.worst[kind] <= allowed) continue;
            if (r.worst == 0)
                nigh_log(ctx, NIGH_LOG_WARNING, "item %lld: %s (by %g, values up to %g); nothing is promised for such a function", (long long)t.worst_item[kind],
                         fault[kind], t.worst[kind], t.largest);
            r.worst = fmax(r.worst, t.largest > 0 ? t.worst[kind] / t.largest : INFINITY);
        }
    }
    nigh_chain_free(t.forward);
    nigh_chain_free(t.backward);
    nigh_free(ctx, t.item);
    nigh_free(ctx, t.gain);
    if (!status) *report = r;
    return status;
}
