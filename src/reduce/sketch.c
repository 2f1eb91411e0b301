/* Sketches of all kinds behind one interface; see nigh/sketch.h. */
#include "reduce/sketch_inside.h"

#include "nigh/random.h"
#include "tensor/hadamard.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

const char *nigh_sketch_kind_name(nigh_sketch_kind kind)
{
    static const char *const names[] = {"srht", "count", "sparse", "gaussian"};
    return (unsigned)kind < NIGH_SKETCH_KINDS ? names[kind] : "unknown";
}

nigh_status nigh_sketch_new(nigh_context *ctx, const nigh_sketch_spec *spec, nigh_sketch **out)
{
    if ((unsigned)spec->kind >= NIGH_SKETCH_KINDS) return nigh_fail(ctx, NIGH_INVALID, "the kind of the sketch is %d; 0 to 3 is allowed", (int)spec->kind);
    if (spec->n < 1 || spec->n > INT32_MAX) return nigh_fail(ctx, NIGH_INVALID, "a sketch of %lld rows; 1 to 2^31 - 1 is allowed", (long long)spec->n);
    if (spec->m < 1 || (spec->kind != NIGH_SKETCH_SRHT && spec->m > spec->n))
        return nigh_fail(ctx, NIGH_INVALID, "a sketch of %lld rows to %lld; 1 to as many as there are is allowed", (long long)spec->n, (long long)spec->m);
    int64_t nonzeros = spec->kind == NIGH_SKETCH_SPARSE ? spec->nonzeros ? spec->nonzeros : 8 : 1;
    if (nonzeros < 1 || spec->m % nonzeros)
        return nigh_fail(ctx, NIGH_INVALID, "a sparse sketch of %lld rows with %lld nonzeros for each input row; a divisor of the rows is allowed",
                         (long long)spec->m, (long long)nonzeros);
    nigh_sketch *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->spec = *spec;
    s->spec.nonzeros = nonzeros;
    nigh_status status = NIGH_OK;
    if (spec->kind == NIGH_SKETCH_SRHT) status = srht_new(ctx, nigh_cpu(), spec->n, spec->m, spec->seed, &s->hadamard);
    else if (spec->kind != NIGH_SKETCH_GAUSSIAN) status = buckets_new(ctx, spec->n, spec->m, nonzeros, spec->seed, &s->sums);
    if (status) nigh_sketch_free(ctx, s);
    else *out = s;
    return status;
}

void nigh_sketch_free(nigh_context *ctx, nigh_sketch *sketch)
{
    if (!sketch) return;
    srht_free(sketch->hadamard);
    buckets_free(ctx, &sketch->sums);
    nigh_free(ctx, sketch);
}

const nigh_sketch_spec *nigh_sketch_is(const nigh_sketch *sketch) { return &sketch->spec; }

nigh_status gaussian_apply(nigh_context *ctx, const nigh_sketch_spec *spec, int64_t d, int64_t stride, const double *a, const double *scale, double *out)
{
    enum { ROWS = 256 };
    int64_t n = spec->n, m = spec->m;
    double unit = 1 / sqrt((double)m), *s = nigh_alloc(ctx, (size_t)(m * ROWS) * sizeof *s), *rows = nigh_alloc(ctx, (size_t)(ROWS * d) * sizeof *rows),
           *sum = nigh_alloc_zero(ctx, (size_t)(m * d), sizeof *sum);
    nigh_status status = s && rows && sum ? NIGH_OK : NIGH_MEMORY;
    for (int64_t at = 0; at < n && !status; at += ROWS) {
        int64_t count = n - at < ROWS ? n - at : ROWS;
        nigh_rng rng = nigh_rng_new(spec->seed, (uint64_t)(at / ROWS) + 16);
        nigh_rng_fill_normal(&rng, m * count, s);
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < d; j++) rows[i * d + j] = (scale ? scale[at + i] : 1) * a[(at + i) * stride + j];
        status = linalg_gemm(ctx, false, false, m, d, count, unit, s, rows, 1, sum);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status) memcpy(out, sum, (size_t)(m * d) * sizeof *sum);
    nigh_free(ctx, s);
    nigh_free(ctx, rows);
    nigh_free(ctx, sum);
    return status;
}

nigh_status nigh_sketch_apply(nigh_context *ctx, const nigh_sketch *sketch, int64_t d, int64_t stride, const double *a, const double *scale, double *out)
{
    if (d < 1 || stride < d || d > ((int64_t)1 << 40) / sketch->spec.n)
        return nigh_fail(ctx, NIGH_INVALID, "a sketch of %lld columns at distance %lld; 1 or more, and not more than the distance, are allowed", (long long)d,
                         (long long)stride);
    if (sketch->spec.kind == NIGH_SKETCH_SRHT) return srht_apply(sketch->hadamard, ctx, d, stride, a, scale, out);
    if (sketch->spec.kind == NIGH_SKETCH_GAUSSIAN) return gaussian_apply(ctx, &sketch->spec, d, stride, a, scale, out);
    return buckets_apply(ctx, &sketch->sums, d, stride, a, scale, out);
}

nigh_status nigh_sketch_apply_sparse(nigh_context *ctx, const nigh_sketch *sketch, const nigh_sparse *a, const double *scale, double *out)
{
    if (sketch->spec.kind == NIGH_SKETCH_SRHT || sketch->spec.kind == NIGH_SKETCH_GAUSSIAN)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a %s sketch of a sparse matrix fills it; count and sparse are made for it", nigh_sketch_kind_name(sketch->spec.kind));
    if (a->rows != sketch->spec.n)
        return nigh_fail(ctx, NIGH_INVALID, "a sketch for %lld rows of a matrix of %lld", (long long)sketch->spec.n, (long long)a->rows);
    return buckets_apply_sparse(ctx, &sketch->sums, a, scale, out);
}

/* ---- products of two factors ---------------------------------------------------------------------------------------- */

/* H D A over N = 2^k >= n rows. */
static nigh_status mixed(nigh_context *ctx, int64_t n, int64_t d, const double *a, nigh_rng *rng, int64_t *padded, double **out)
{
    int64_t rows = 1;
    while (rows < n) rows *= 2;
    hadamard *h = NULL;
    double *x = nigh_alloc_zero(ctx, (size_t)(rows * d), sizeof *x);
    nigh_status status = x ? hadamard_new(ctx, NIGH_F64, rows, d, nigh_context_threads(ctx), &h) : NIGH_MEMORY;
    void *work = status ? NULL : nigh_alloc(ctx, hadamard_workspace(h) + 64);
    if (!status && !work) status = NIGH_MEMORY;
    if (!status) {
        for (int64_t i = 0; i < n; i++) {
            double sign = nigh_rng_u32(rng) & 1 ? -1 : 1;
            for (int64_t j = 0; j < d; j++) x[i * d + j] = sign * a[i * d + j];
        }
        hadamard_run(h, x, work);
    }
    nigh_free(ctx, work);
    hadamard_free(h);
    if (status) nigh_free(ctx, x);
    else *out = x, *padded = rows;
    return status;
}

nigh_status nigh_sketch_tensor(nigh_context *ctx, int64_t n1, int64_t d1, const double *a1, int64_t n2, int64_t d2, const double *a2, int64_t m,
                               uint64_t seed, double *out)
{
    if (n1 < 1 || n2 < 1 || d1 < 1 || d2 < 1 || m < 1 || n1 > INT32_MAX || n2 > INT32_MAX || d1 > INT32_MAX || d2 > INT32_MAX || m > INT32_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "a sketch to %lld rows of factors of %lld x %lld and %lld x %lld; 1 to 2^31 - 1 each is allowed", (long long)m,
                         (long long)n1, (long long)d1, (long long)n2, (long long)d2);
    nigh_rng rng = nigh_rng_new(seed, 3);
    int64_t rows1 = 0, rows2 = 0;
    double *x1 = NULL, *x2 = NULL, unit = 1 / sqrt((double)m);
    nigh_status status = mixed(ctx, n1, d1, a1, &rng, &rows1, &x1);
    if (!status) status = mixed(ctx, n2, d2, a2, &rng, &rows2, &x2);
    for (int64_t k = 0; k < m && !status; k++) {
        const double *p = x1 + (int64_t)nigh_rng_below(&rng, (uint64_t)rows1) * d1, *q = x2 + (int64_t)nigh_rng_below(&rng, (uint64_t)rows2) * d2;
        for (int64_t i = 0; i < d1; i++)
            for (int64_t j = 0; j < d2; j++) out[(k * d1 + i) * d2 + j] = unit * p[i] * q[j];
    }
    nigh_free(ctx, x1);
    nigh_free(ctx, x2);
    return status;
}
