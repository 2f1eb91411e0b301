/* Any functions on finitely many points, made orthonormal there. Declared in nigh/design.h. */
#include "regress/basis.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

static const double ORTHONORMAL = 1e-10, DEPENDENT = 1e-10;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static nigh_status take_weights(nigh_context *ctx, int64_t n, const double *weights, double *out)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        out[i] = weights ? weights[i] : 1;
        if (!(out[i] >= 0 && isfinite(out[i])))
            return nigh_fail(ctx, NIGH_INVALID, "the weight of candidate %lld is %g; 0 or more is needed", (long long)i, out[i]);
        sum += out[i];
    }
    if (!(sum > 0 && isfinite(sum))) return nigh_fail(ctx, NIGH_INVALID, "the weights of the candidates sum to %g; a sum above 0 is needed", sum);
    for (int64_t i = 0; i < n; i++) out[i] /= sum;
    return NIGH_OK;
}

/* q[n,m] = sqrt(weight) values; largest entry of |q^T q - I|. */
static nigh_status gram_gap(nigh_context *ctx, int64_t n, int64_t m, const double *q, double *gap)
{
    double *gram = nigh_alloc(ctx, (size_t)(m * m) * sizeof *gram);
    nigh_status status = gram ? linalg_gemm(ctx, true, false, m, m, n, 1, q, q, 0, gram) : NIGH_MEMORY;
    *gap = 0;
    for (int64_t i = 0; i < m * m && !status; i++) *gap = fmax(*gap, fabs(gram[i] - (i / m == i % m)));
    nigh_free(ctx, gram);
    return status;
}

/* Columns of q[n,m] one after the other, each freed of the earlier ones twice: q stays orthonormal to rounding. */
static nigh_status orthonormalise(nigh_context *ctx, int64_t n, int64_t m, double *q, double *triangle)
{
    double *columns = nigh_alloc(ctx, (size_t)(n * m) * sizeof *columns);
    nigh_status status = columns ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++)
        for (int64_t j = 0; j < m; j++) columns[j * n + i] = q[i * m + j];
    for (int64_t j = 0; j < m && !status; j++) {
        double *a = columns + j * n, before = sqrt(dot(n, a, a)), after;
        for (int round = 0; round < 2; round++)
            for (int64_t k = 0; k < j; k++) {
                double c = dot(n, columns + k * n, a);
                for (int64_t i = 0; i < n; i++) a[i] -= c * columns[k * n + i];
                triangle[k * m + j] += c;
            }
        triangle[j * m + j] = after = sqrt(dot(n, a, a));
        if (!(after > DEPENDENT * before))
            status = nigh_fail(ctx, NIGH_INVALID, "function %lld of %lld depends linearly on the ones before it at the candidates (rank %lld); drop it",
                               (long long)j + 1, (long long)m, (long long)j);
        for (int64_t i = 0; i < n; i++) a[i] /= after;
        if (!status) status = nigh_poll(ctx);
    }
    for (int64_t i = 0; i < n && !status; i++)
        for (int64_t j = 0; j < m; j++) q[i * m + j] = columns[j * n + i];
    nigh_free(ctx, columns);
    return status;
}

/* phi = q / sqrt(weight); where the weight is 0, values R^-1 row by row. */
static void spread(nigh_candidates *c, const double *values, const double *q)
{
    for (int64_t i = 0; i < c->n; i++) {
        double *phi = c->phi + i * c->m;
        for (int64_t j = 0; j < c->m; j++) {
            phi[j] = c->weight[i] > 0 ? q[i * c->m + j] / sqrt(c->weight[i]) : values[i * c->m + j];
            if (c->weight[i] > 0 || !c->triangle) continue;
            for (int64_t k = 0; k < j; k++) phi[j] -= phi[k] * c->triangle[k * c->m + j];
            phi[j] /= c->triangle[j * c->m + j];
        }
    }
}

static nigh_status fill(nigh_context *ctx, nigh_candidates *c, const double *values, const double *weights)
{
    int64_t n = c->n, m = c->m;
    double *q = nigh_alloc(ctx, (size_t)(n * m) * sizeof *q), *lever = nigh_alloc(ctx, (size_t)n * sizeof *lever);
    nigh_status status = q && lever ? take_weights(ctx, n, weights, c->weight) : NIGH_MEMORY;
    for (int64_t i = 0; i < n * m && !status; i++) q[i] = sqrt(c->weight[i / m]) * values[i];
    if (!status) status = gram_gap(ctx, n, m, q, &c->gap);
    if (!status && c->gap > ORTHONORMAL) {
        if (!(c->triangle = nigh_arena_alloc_zero(c->arena, (size_t)(m * m), sizeof *c->triangle))) status = NIGH_MEMORY;
        if (!status) status = orthonormalise(ctx, n, m, q, c->triangle);
        if (!status)
            nigh_log(ctx, NIGH_LOG_NOTE, "the %lld functions were made orthonormal on the %lld candidates (their Gram matrix was %.3g from I)",
                     (long long)m, (long long)n, c->gap);
    }
    if (!status) spread(c, values, q);
    for (int64_t i = 0; i < n && !status; i++) lever[i] = dot(m, q + i * m, q + i * m);
    if (!status) status = nigh_alias_new(ctx, n, lever, &c->optimal);
    if (!status) status = nigh_alias_new(ctx, n, c->weight, &c->input);
    nigh_free(ctx, lever);
    nigh_free(ctx, q);
    return status;
}

nigh_status nigh_candidates_new(nigh_context *ctx, int64_t n, int64_t m, const double *values, const double *weights, nigh_candidates **out)
{
    if (m < 1 || m > NIGH_DESIGN_TERMS) return nigh_fail(ctx, NIGH_INVALID, "%lld functions; 1 to %d are allowed", (long long)m, NIGH_DESIGN_TERMS);
    if (n < m || n > (int64_t)1 << 26)
        return nigh_fail(ctx, NIGH_INVALID, "%lld candidates for %lld functions; at least %lld are needed, %lld advised", (long long)n, (long long)m,
                         (long long)m, 10 * (long long)m);
    if (n < 10 * m)
        nigh_log(ctx, NIGH_LOG_WARNING, "%lld candidates for %lld functions; fewer than %lld stand poorly for a continuous measure", (long long)n,
                 (long long)m, 10 * (long long)m);
    nigh_arena *arena = NULL;
    nigh_status status = linalg_check_finite(ctx, "the array of values", n, m, values);
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    nigh_candidates *c = nigh_arena_alloc_zero(arena, 1, sizeof *c);
    if (c) {
        *c = (nigh_candidates){.n = n, .m = m, .arena = arena};
        c->phi = nigh_arena_alloc(arena, (size_t)(n * m) * sizeof *c->phi);
        c->weight = nigh_arena_alloc(arena, (size_t)n * sizeof *c->weight);
    }
    if (!c || !c->phi || !c->weight) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    if ((status = fill(ctx, c, values, weights))) {
        nigh_candidates_free(c);
        return status;
    }
    *out = c;
    return NIGH_OK;
}

void nigh_candidates_free(nigh_candidates *c)
{
    if (!c) return;
    nigh_alias_free(c->optimal);
    nigh_alias_free(c->input);
    nigh_arena_free(c->arena);
}

double nigh_candidates_gap(const nigh_candidates *c) { return c->gap; }
const double *nigh_candidates_phi(const nigh_candidates *c) { return c->phi; }
const double *nigh_candidates_triangle(const nigh_candidates *c) { return c->triangle; }
