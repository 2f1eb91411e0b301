/* Polynomial terms of bounded total degree as products of Legendre polynomials, and ridge regression on them; see fit.h. */
#include "regress/fit.h"

#include "tensor/linalg.h"

#include <string.h>

/*
 * Variable by variable: every product so far of smaller variables (and 1) times P_1 .. P_k of this one, as far as the
 * degree allows. With `parent` NULL the terms are only counted.
 */
static int64_t walk(int64_t r, int64_t full, int degree, int64_t most, unsigned char *total, int32_t *parent, int32_t *factor)
{
    int64_t count = 0;
    for (int64_t v = 0; v < r; v++) {
        int64_t before = count;
        for (int64_t t = -1; t < (v < full ? before : 0); t++) {
            int used = t < 0 ? 0 : total[t], room = v < full ? degree - used : 1;
            for (int k = 1; k <= room; k++, count++) {
                if (count >= most) return most + 1;
                total[count] = (unsigned char)(used + k);
                if (!parent) continue;
                parent[count] = (int32_t)t;
                factor[count] = (int32_t)(v * (degree + 1) + k);
            }
        }
    }
    return count;
}

/* Without a list: terms of degree 1 .. degree in s = min(full, r) variables are C(s + degree, degree) - 1. */
int64_t map_terms_count(int64_t r, int64_t full, int degree, int64_t most)
{
    int64_t s = full < r ? full : r;
    double count = 1;
    for (int k = 1; k <= degree; k++) count = count * (double)(s + k) / k;
    count += (double)(r - s) - 1;
    return count > (double)most + 0.5 ? most + 1 : (int64_t)(count + 0.5);
}

nigh_status map_terms_fill(nigh_context *ctx, int64_t r, int64_t full, int degree, int64_t count, int32_t *parent, int32_t *factor)
{
    unsigned char *total = nigh_alloc(ctx, count > 0 ? (size_t)count : 1);
    if (!total) return NIGH_MEMORY;
    int64_t made = walk(r, full, degree, count, total, parent, factor);
    nigh_free(ctx, total);
    if (made == count) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INTERNAL, "%lld polynomial terms were counted, %lld listed", (long long)count, (long long)made);
}

nigh_status map_terms_values(nigh_context *ctx, int64_t n, const double *z, int64_t r, const map_model *model, double *values)
{
    enum { TILE = 32 };
    const map_kernels *kernels = map_kernels_get();
    double *one = nigh_alloc_zero(ctx, (size_t)(TILE * r), (size_t)(model->degree + 1) * sizeof *one);
    double *term = nigh_alloc_zero(ctx, (size_t)model->count, TILE * sizeof *term);
    nigh_status status = one && term ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < n; i += TILE) {
        int64_t rows = n - i < TILE ? n - i : TILE, width = map_padded(rows);
        kernels->legendre(rows, width, r, model->degree, z + i * r, r, one);
        kernels->terms(width, model->count, model->parent, model->factor, one, term);
        for (int64_t k = 0; k < rows; k++)
            for (int64_t t = 0; t < model->count; t++) values[(i + k) * model->count + t] = term[t * width + k];
    }
    nigh_free(ctx, term);
    nigh_free(ctx, one);
    return status;
}

/* Takes the mean off every column. */
static void centre(int64_t n, int64_t p, double *a, double *mean)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++) mean[j] += a[i * p + j] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++) a[i * p + j] -= mean[j];
}

nigh_status map_fit_terms(nigh_context *ctx, map_model *model, int64_t n, const double *z, const double *score, double ridge)
{
    bool linear = model->body == MAP_LINEAR;
    int64_t p = linear ? model->r : model->count, q = model->q, wide = map_padded(q);
    double *values = nigh_alloc_zero(ctx, (size_t)n, (size_t)p * sizeof *values), *mean = nigh_alloc_zero(ctx, (size_t)p, sizeof *mean);
    double *x = nigh_alloc_zero(ctx, (size_t)p, (size_t)q * sizeof *x), *into = linear ? model->tail : model->weight;
    nigh_status status = values && mean && x ? nigh_poll(ctx) : NIGH_MEMORY;
    if (status) goto done;
    if (linear)
        memcpy(values, z, (size_t)(n * p) * sizeof *values);
    else if ((status = map_terms_values(ctx, n, z, model->r, model, values)))
        goto done;
    centre(n, p, values, mean);
    if ((status = linalg_ridge(ctx, n, p, q, values, score, ridge, true, x, NULL, NULL))) goto done;
    memset(model->bias, 0, (size_t)wide * sizeof *model->bias);
    for (int64_t t = 0; t < p; t++)
        for (int64_t j = 0; j < q; j++) {
            into[t * wide + j] = x[t * q + j];
            model->bias[j] -= mean[t] * x[t * q + j];
        }
done:
    nigh_free(ctx, x);
    nigh_free(ctx, mean);
    nigh_free(ctx, values);
    return status;
}
