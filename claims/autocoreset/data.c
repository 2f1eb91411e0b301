/* Rows that the claim of AutoCoreset works on. */
#include "parts.h"

#include "nigh/dataset.h"
#include "nigh/linear.h"
#include "nigh/synthetic.h"

#include <math.h>
#include <string.h>

void table_free(nigh_context *ctx, table *t)
{
    nigh_free(ctx, t->block);
    *t = (table){0};
}

static nigh_status table_new(nigh_context *ctx, const char *name, int64_t n, int64_t d, table *out, double **x, double **y)
{
    double *block = nigh_alloc(ctx, (size_t)(n * (d + 1)) * sizeof *block);
    if (!block) return NIGH_MEMORY;
    *out = (table){.rows = {.n = n, .d = d, .x = block, .y = block + n * d}, .block = block, .name = name};
    *x = block, *y = block + n * d;
    return NIGH_OK;
}

nigh_status table_pulsars(nigh_context *ctx, table *out)
{
    nigh_dataset set = {.ctx = ctx};
    nigh_status status = nigh_dataset_load(ctx, "htru2", &set);
    if (status) return status;
    int64_t n = nigh_dataset_rows(&set), d = nigh_dataset_features(&set);
    double *x, *y, moments[64];
    status = table_new(ctx, "HTRU_2", n, d, out, &x, &y);
    if (!status) status = nigh_array_to_f64(ctx, &set.x, x);
    if (!status) status = nigh_standardise(ctx, &(nigh_linear_data){.n = n, .d = d, .x = x}, moments, moments + 32, x);
    for (int64_t i = 0; i < n && !status; i++) y[i] = ((const int32_t *)set.y.data)[i];
    nigh_dataset_free(&set);
    if (status) table_free(ctx, out);
    return status;
}

nigh_status table_mixture(nigh_context *ctx, uint64_t seed, int64_t n, int64_t d, double apart, table *out)
{
    double *x, *y;
    nigh_status status = table_new(ctx, "mixture", n, d, out, &x, &y);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, n * d, x);
    for (int64_t i = 0; i < n; i++) {
        y[i] = nigh_rng_f64(&rng) < 0.02;
        double far = nigh_rng_f64(&rng) < 0.01 ? 5 : 1;
        for (int64_t j = 0; j < d; j++) x[i * d + j] = far * x[i * d + j] + (y[i] > 0 ? apart / sqrt(1 + (double)j) : 0);
    }
    return NIGH_OK;
}

nigh_status table_clusters(nigh_context *ctx, uint64_t seed, int64_t n, int64_t d, int64_t k, double ratio, table *out)
{
    double *x, *y, *mean = nigh_alloc(ctx, (size_t)(k * d + k) * sizeof *mean), *weight = mean + k * d;
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_status status = mean ? table_new(ctx, "clusters", n, d, out, &x, &y) : NIGH_MEMORY;
    if (!status) {
        out->rows.y = NULL;
        for (int64_t c = 0; c < k; c++) weight[c] = pow(ratio, (double)c);
        status = nigh_synthetic_centres(ctx, &rng, k, d, 6, mean);
        if (!status) status = nigh_synthetic_mixture(ctx, &rng, n, d, k, weight, mean, 1, x, NULL);
        if (status) table_free(ctx, out);
    }
    nigh_free(ctx, mean);
    return status;
}

nigh_status table_shuffled(nigh_context *ctx, uint64_t seed, const nigh_rows *rows, table *out)
{
    double *x, *y;
    nigh_status status = table_new(ctx, "shuffled", rows->n, rows->d, out, &x, &y);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(seed, 1);
    memcpy(x, rows->x, (size_t)(rows->n * rows->d) * sizeof *x);
    if (rows->y) memcpy(y, rows->y, (size_t)rows->n * sizeof *y);
    else out->rows.y = NULL;
    for (int64_t i = rows->n - 1; i > 0 && rows->y; i--) {
        int64_t j = (int64_t)nigh_rng_below(&rng, (uint64_t)i + 1);
        double t = y[i];
        y[i] = y[j], y[j] = t;
    }
    return NIGH_OK;
}
