/*
 * Log-determinant as a submodular function: log det(I + K_S / noise) by a Cholesky factor that grows a row an item. Forward substitution passes
 * through every prefix, so a shorter one costs less and needs no state of its own.
 */
#include "reduce/nearness.h"

typedef struct logdet {
    nigh_context *ctx;
    nigh_logdet spec;
} logdet;

typedef struct factor_chain {
    nigh_context *ctx;
    int64_t length, room;
    int64_t *item;
    double *row;    /* row i of the factor begins at i (i + 1) / 2 */
    double *solved; /* [room] */
} factor_chain;

static void factor_close(void *user, void *chain)
{
    factor_chain *c = chain;
    (void)user;
    nigh_context *ctx = c->ctx;
    nigh_free(ctx, c->item);
    nigh_free(ctx, c->row);
    nigh_free(ctx, c->solved);
    nigh_free(ctx, c);
}

static nigh_status factor_reserve(factor_chain *c)
{
    if (c->length < c->room) return NIGH_OK;
    int64_t room = c->room ? 2 * c->room : 32;
    int64_t *item = nigh_resize(c->ctx, c->item, (size_t)room * sizeof *item);
    if (item) c->item = item;
    double *row = nigh_resize(c->ctx, c->row, (size_t)(room * (room + 1) / 2) * sizeof *row);
    if (row) c->row = row;
    double *solved = nigh_resize(c->ctx, c->solved, (size_t)room * sizeof *solved);
    if (solved) c->solved = solved;
    if (!item || !row || !solved) return NIGH_MEMORY;
    c->room = room;
    return NIGH_OK;
}

static nigh_status factor_open(void *user, nigh_context *ctx, void **out)
{
    factor_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx;
    if (factor_reserve(c)) {
        factor_close(user, c);
        return NIGH_MEMORY;
    }
    *out = c;
    return NIGH_OK;
}

static double kernel(const nigh_logdet *s, int64_t a, int64_t b)
{
    const double *x = s->points + a * s->d, *y = s->points + b * s->d;
    if (s->width > 0) return nearness(s->near, square_distance(x, y, s->d), s->width) / s->noise;
    double sum = 0;
    for (int64_t j = 0; j < s->d; j++) sum += x[j] * y[j];
    return sum / s->noise;
}

/* solved[length] = L^-1 k; what is left of 1 + k(item, item): at least 1 but for rounding. */
static double residual(const logdet *f, factor_chain *c, int64_t length, int64_t item)
{
    double left = 1 + kernel(&f->spec, item, item);
    for (int64_t i = 0; i < length; i++) {
        const double *row = c->row + i * (i + 1) / 2;
        double sum = kernel(&f->spec, item, c->item[i]);
        for (int64_t j = 0; j < i; j++) sum -= row[j] * c->solved[j];
        c->solved[i] = sum / row[i];
        left -= c->solved[i] * c->solved[i];
    }
    return left < 1 ? 1 : left;
}

static nigh_status factor_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    for (int64_t i = 0; i < count; i++) gain[i] = log(residual(user, chain, length, item[i]));
    return NIGH_OK;
}

static nigh_status factor_add(void *user, void *chain, int64_t item, double *gain)
{
    factor_chain *c = chain;
    nigh_status status = factor_reserve(c);
    if (status) return status;
    double left = residual(user, c, c->length, item), *row = c->row + c->length * (c->length + 1) / 2;
    for (int64_t i = 0; i < c->length; i++) row[i] = c->solved[i];
    row[c->length] = sqrt(left);
    c->item[c->length++] = item;
    *gain = log(left);
    return NIGH_OK;
}

static void factor_cut(void *user, void *chain, int64_t length)
{
    factor_chain *c = chain;
    (void)user;
    if (length < c->length) c->length = length;
}

static void logdet_free(void *user)
{
    logdet *f = user;
    nigh_free(f->ctx, f);
}

nigh_status nigh_submodular_logdet(nigh_context *ctx, const nigh_logdet *s, nigh_submodular **out)
{
    if (s->items < 1 || s->d < 1) return nigh_fail(ctx, NIGH_INVALID, "%lld points of %lld numbers; 1 or more are allowed", (long long)s->items, (long long)s->d);
    if (!(s->noise > 0) || !isfinite(s->noise)) return nigh_fail(ctx, NIGH_INVALID, "noise is %g; it must be positive", s->noise);
    if (!(s->width >= 0) || !isfinite(s->width)) return nigh_fail(ctx, NIGH_INVALID, "width is %g; 0 (inner products) or more is allowed", s->width);
    if (s->width > 0 && s->near != NIGH_NEAR_GAUSSIAN)
        return nigh_fail(ctx, NIGH_INVALID, "the kernel of a log-determinant must be positive definite: gaussian, or width 0 for inner products");
    nigh_status status = nearness_check(ctx, "point", s->items, s->d, s->points);
    if (status) return status;
    logdet *f = nigh_alloc(ctx, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (logdet){ctx, *s};
    const nigh_submodular_calls calls = {.items = s->items, .open = factor_open, .close = factor_close, .gains = factor_gains, .add = factor_add,
                                         .cut = factor_cut, .free_user = logdet_free, .user = f};
    status = nigh_submodular_new(ctx, &calls, out);
    if (status) nigh_free(ctx, f);
    return status;
}
