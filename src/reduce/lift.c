/*
 * Products of columns: for p = 2 h, |a.x|^p is the square of a linear function of the h-th products of a's coordinates. See powers.h.
 * "Sharper Bounds for l_p Sensitivity Sampling", Woodruff and Yasuda 2023, where few distinct products mean small sensitivities.
 */
#include "reduce/powers.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* choose(k + h - 1, h), at most LIFT_MOST + 1 */
static int64_t products_of(int64_t k, int h)
{
    double count = 1;
    for (int i = 0; i < h; i++) count = count * (double)(k + i) / (i + 1);
    return count > LIFT_MOST ? LIFT_MOST + 1 : (int64_t)(count + 0.5);
}

bool lift_fits(double p, int64_t k, int64_t n)
{
    if (p != 2 && p != 4 && p != 6 && p != 8) return false;
    int64_t count = products_of(k, (int)(p / 2));
    return count <= LIFT_MOST && (p == 2 || (double)n * (double)count * (double)count <= 2e10);
}

/* All non-decreasing lists of h numbers below k, and the roots of h! / (their multiplicities)!. */
static void list_products(lift *l)
{
    int h = l->degree, at[4] = {0};
    for (int64_t c = 0; c < l->count; c++) {
        double ways = 1;
        int same = 0;
        for (int i = 0; i < h; i++) {
            l->index[c * h + i] = (int16_t)at[i];
            same = i > 0 && at[i] == at[i - 1] ? same + 1 : 1;
            ways *= (double)(i + 1) / same;
        }
        l->factor[c] = sqrt(ways);
        int i = h - 1;
        while (i >= 0 && at[i] == (int)l->k - 1) i--;
        for (int next = i >= 0 ? at[i] + 1 : 0; i >= 0 && i < h; i++) at[i] = next;
    }
}

void lift_row(const lift *l, const double *u, double *product)
{
    int h = l->degree;
    for (int64_t c = 0; c < l->count; c++) {
        double value = l->factor[c];
        for (int i = 0; i < h; i++) value *= u[l->index[c * h + i]];
        product[c] = value;
    }
}

void lift_slope(const lift *l, const double *u, const double *by, double *slope)
{
    int h = l->degree;
    memset(slope, 0, (size_t)l->k * sizeof *slope);
    for (int64_t c = 0; c < l->count; c++)
        for (int i = 0; i < h; i++) {
            double value = l->factor[c] * by[c];
            for (int j = 0; j < h; j++)
                if (j != i) value *= u[l->index[c * h + j]];
            slope[l->index[c * h + i]] += value;
        }
}

/* The rows' products as a source. */
typedef struct lifted {
    const lift *l;
    const row_source *source;
} lifted;

static void lifted_fill(const void *user, int64_t from, int64_t to, double *out)
{
    const lifted *a = user;
    const lift *l = a->l;
    enum { SOME = 8 };
    double row[SOME * LIFT_MOST], u[SOME * LIFT_MOST]; /* coordinates are not more than products, columns at most so many by lift_new */
    for (int64_t i = from; i < to; i += SOME) {
        int64_t rows = to - i < SOME ? to - i : SOME;
        row_source_take(a->source, i, i + rows, row);
        row_product(rows, l->base.columns, l->k, row, l->base.m, u);
        for (int64_t j = 0; j < rows; j++) lift_row(l, u + j * l->k, out + (i - from + j) * l->count);
    }
}

nigh_status lift_new(nigh_context *ctx, const row_source *source, double p, const row_space *base, lift *out)
{
    int64_t size = base->columns * base->rank;
    if (base->columns > LIFT_MOST || base->rank < 1 || !lift_fits(p, base->rank, source->n))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "products of %lld columns for p = %g", (long long)base->columns, p);
    lift l = {.k = base->rank, .degree = (int)(p / 2), .base = *base};
    l.count = products_of(l.k, l.degree);
    l.base.m = dense_doubles(ctx, size), l.base.root = dense_doubles(ctx, size);
    l.index = nigh_alloc(ctx, (size_t)(l.count * l.degree) * sizeof *l.index), l.factor = dense_doubles(ctx, l.count);
    nigh_status status = l.base.m && l.base.root && l.index && l.factor ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        memcpy(l.base.m, base->m, (size_t)size * sizeof *base->m);
        memcpy(l.base.root, base->root, (size_t)size * sizeof *base->root);
        list_products(&l);
        status = row_space_new(ctx, &(row_source){.n = source->n, .columns = l.count, .fill = lifted_fill, .user = &(lifted){&l, source}}, &l.space);
    }
    if (status) lift_free(ctx, &l);
    else *out = l;
    return status;
}

void lift_free(nigh_context *ctx, lift *l)
{
    row_space_free(ctx, &l->base);
    row_space_free(ctx, &l->space);
    nigh_free(ctx, l->index);
    nigh_free(ctx, l->factor);
    *l = (lift){0};
}

nigh_status lift_scores(nigh_context *ctx, const row_source *source, const lift *l, double *score)
{
    row_source products = {.n = source->n, .columns = l->count, .fill = lifted_fill, .user = &(lifted){l, source}};
    return row_space_scores(ctx, &products, l->space.rank, l->space.m, score);
}
