/*
 * CountSketch ("Finding frequent items in data streams", Charikar, Chen and Farach-Colton 2002) and sparse embeddings: the rows of each sum are listed
 * beforehand, so that a sum stays in the first-level cache while its rows pass once.
 */
#include "reduce/sketch_inside.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

void buckets_free(nigh_context *ctx, buckets *b)
{
    nigh_free(ctx, b->row);
    nigh_free(ctx, b->sign);
    nigh_free(ctx, b->start);
    *b = (buckets){0};
}

/* The sum in group g that row i goes to, and its sign: two words of the generator for each pair. */
static int64_t draw(const uint32_t *word, int64_t share, int64_t g, double *sign)
{
    *sign = word[1] & 1 ? -1 : 1;
    return g * share + (int64_t)((uint64_t)word[0] * (uint64_t)share >> 32);
}

nigh_status buckets_new(nigh_context *ctx, int64_t n, int64_t m, int64_t nonzeros, uint64_t seed, buckets *out)
{
    enum { ROWS = 512 };
    int64_t count = n * nonzeros, share = m / nonzeros;
    double unit = 1 / sqrt((double)nonzeros), sign;
    buckets b = {.n = n, .m = m, .nonzeros = nonzeros};
    b.row = nigh_alloc(ctx, (size_t)count * sizeof *b.row);
    b.sign = nigh_alloc(ctx, (size_t)count * sizeof *b.sign);
    b.start = nigh_alloc_zero(ctx, (size_t)m + 2, sizeof *b.start);
    uint32_t *words = nigh_alloc(ctx, (size_t)(2 * nonzeros * ROWS) * sizeof *words);
    nigh_status status = b.row && b.sign && b.start && words ? NIGH_OK : NIGH_MEMORY;
    for (int pass = 0; pass < 2 && !status; pass++) {
        nigh_rng rng = nigh_rng_new(seed, 2);
        for (int64_t at = 0; at < n; at += ROWS) {
            int64_t rows = n - at < ROWS ? n - at : ROWS;
            nigh_rng_fill_u32(&rng, 2 * nonzeros * rows, words);
            for (int64_t k = 0; k < nonzeros * rows; k++) {
                int64_t to = draw(words + 2 * k, share, nonzeros == 1 ? 0 : k % nonzeros, &sign);
                if (pass == 0) b.start[to + 2]++;
                else b.row[b.start[to + 1]] = (uint32_t)(at + k / nonzeros), b.sign[b.start[to + 1]++] = sign * unit;
            }
        }
        for (int64_t k = 0; pass == 0 && k < m; k++) b.start[k + 2] += b.start[k + 1];
    }
    nigh_free(ctx, words);
    if (status) buckets_free(ctx, &b);
    else *out = b;
    return status;
}

/* Sum k over `width` columns; the signs times scale in pieces. */
static void one_sum(const srht_kernels *kernels, const buckets *b, int64_t k, int64_t width, int64_t stride, const double *a, const double *scale, double *out)
{
    double factor[256];
    for (int64_t at = b->start[k]; at < b->start[k + 1]; at += 256) {
        int64_t count = b->start[k + 1] - at < 256 ? b->start[k + 1] - at : 256;
        for (int64_t i = 0; i < count; i++) factor[i] = scale ? b->sign[at + i] * scale[b->row[at + i]] : b->sign[at + i];
        kernels->rows(count, b->row + at, factor, width, a, stride, out);
    }
}

nigh_status buckets_apply(nigh_context *ctx, const buckets *b, int64_t d, int64_t stride, const double *a, const double *scale, double *out)
{
    const srht_kernels *kernels = srht_kernels_at(nigh_cpu());
    int threads = b->n * d < 1 << 17 ? 1 : nigh_context_threads(ctx);
    memset(out, 0, (size_t)(b->m * d) * sizeof *out);
    if (threads == 1) {
        for (int64_t k = 0; k < b->m; k++) one_sum(kernels, b, k, d, stride, a, scale, out + k * d);
    } else {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t k = 0; k < b->m; k++) one_sum(kernels, b, k, d, stride, a, scale, out + k * d);
    }
    return nigh_poll(ctx);
}

static void one_sparse_sum(const buckets *b, int64_t k, const nigh_sparse *a, const double *scale, double *out)
{
    for (int64_t at = b->start[k]; at < b->start[k + 1]; at++) {
        int64_t i = b->row[at];
        double factor = scale ? b->sign[at] * scale[i] : b->sign[at];
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++) out[a->column[e]] += factor * a->value[e];
    }
}

nigh_status buckets_apply_sparse(nigh_context *ctx, const buckets *b, const nigh_sparse *a, const double *scale, double *out)
{
    int threads = nigh_sparse_count(a) < 1 << 16 ? 1 : nigh_context_threads(ctx);
    memset(out, 0, (size_t)(b->m * a->cols) * sizeof *out);
    if (threads == 1) {
        for (int64_t k = 0; k < b->m; k++) one_sparse_sum(b, k, a, scale, out + k * a->cols);
    } else {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t k = 0; k < b->m; k++) one_sparse_sum(b, k, a, scale, out + k * a->cols);
    }
    return nigh_poll(ctx);
}
