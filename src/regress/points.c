/*
 * Kernel ridge regression and polyharmonic splines on one set of points; see fit.h.
 *
 * Wendland, "Scattered Data Approximation", chapters 8 (conditionally positive definite functions: with a linear tail the
 * weights live in the complement of its values) and 11; Wahba, "Spline Models for Observational Data", chapter 4 (leave
 * one out).
 */
#include "regress/fit.h"

#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_UP_TO = 600, CHOOSE_ON = 500, CHOOSE_OUTPUTS = 32 };

/* One set of points with targets, and the complement of its tail. */
typedef struct point_job {
    map_radial kind;
    int64_t n, r, q, k; /* k: columns of the complement */
    const double *z, *y;
    double *complement; /* [n,k], NULL without tail */
} point_job;

nigh_status map_farthest(nigh_context *ctx, int64_t n, int64_t r, const double *z, int64_t m, int64_t *index)
{
    double *gap = nigh_alloc(ctx, (size_t)n * sizeof *gap), *from = nigh_alloc_zero(ctx, (size_t)r, sizeof *from);
    unsigned char *taken = nigh_alloc_zero(ctx, (size_t)n, 1);
    nigh_status status = gap && from && taken ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    for (int64_t i = 0; i < n; i++) {
        gap[i] = INFINITY;
        for (int64_t c = 0; c < r; c++) from[c] += z[i * r + c] / (double)n;
    }
    for (int64_t taking = 0; taking <= m; taking++) {
        int64_t next = -1;
        for (int64_t i = 0; i < n; i++) {
            double d = 0;
            for (int64_t c = 0; c < r; c++) d += (z[i * r + c] - from[c]) * (z[i * r + c] - from[c]);
            /* Round 0 measures from the mean, to begin at its neighbour; the first real distances replace that. */
            gap[i] = taking <= 1 ? d : fmin(gap[i], d);
            if (!taken[i] && (next < 0 || (taking ? gap[i] > gap[next] : gap[i] < gap[next]))) next = i;
        }
        if (taking == m) break;
        taken[next] = 1;
        memcpy(from, z + next * r, (size_t)r * sizeof *from);
        if (taking % 64 == 0 && (status = nigh_poll(ctx))) goto done;
    }
    for (int64_t i = 0, j = 0; i < n; i++)
        if (taken[i]) index[j++] = i;
done:
    nigh_free(ctx, taken);
    nigh_free(ctx, from);
    nigh_free(ctx, gap);
    return status;
}

nigh_status map_thin(nigh_context *ctx, int64_t n, int64_t most, map_pca *in, map_pca *out, int64_t *count)
{
    *count = n < most ? n : most;
    if (n <= most) return NIGH_OK;
    int64_t *index = nigh_alloc(ctx, (size_t)most * sizeof *index);
    nigh_status status = index ? map_farthest(ctx, n, in->r, in->score, most, index) : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < most; i++) { /* index[i] >= i: nothing is overwritten before it was read */
        memmove(in->score + i * in->r, in->score + index[i] * in->r, (size_t)in->r * sizeof *in->score);
        memmove(out->score + i * out->r, out->score + index[i] * out->r, (size_t)out->r * sizeof *out->score);
    }
    nigh_free(ctx, index);
    return status;
}

/* z[n,r] as columns padded to MAP_PAD: [r,padded n]. */
static void spread_points(int64_t n, int64_t r, const double *z, double *points)
{
    int64_t wide = map_padded(n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < r; c++) points[c * wide + i] = z[i * r + c];
}

static nigh_status kernel_matrix(nigh_context *ctx, const point_job *job, double s, double *out)
{
    enum { ROWS = 32 };
    int64_t n = job->n, r = job->r, wide = map_padded(n);
    const map_kernels *kernels = map_kernels_get();
    double *points = nigh_alloc_zero(ctx, (size_t)(r * wide), sizeof *points), *block = nigh_alloc(ctx, (size_t)(ROWS * wide) * sizeof *block);
    nigh_status status = points && block ? nigh_poll(ctx) : NIGH_MEMORY;
    if (!status) spread_points(n, r, job->z, points);
    for (int64_t i = 0; !status && i < n; i += ROWS) {
        int64_t rows = n - i < ROWS ? n - i : ROWS;
        kernels->distances(rows, wide, r, job->z + i * r, r, points, wide, block, wide);
        kernels->radial(job->kind, s, rows * wide, block);
        for (int64_t k = 0; k < rows; k++) memcpy(out + (i + k) * n, block + k * wide, (size_t)n * sizeof *out);
    }
    nigh_free(ctx, block);
    nigh_free(ctx, points);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of the distances among at most 200 points, evenly taken; 1 when they are all the same. */
static nigh_status median_distance(nigh_context *ctx, int64_t n, int64_t r, const double *z, double *out)
{
    enum { TAKE = 200 };
    int64_t take = n < TAKE ? n : TAKE, count = 0;
    double *distance = nigh_alloc(ctx, (size_t)(take * take / 2 + 1) * sizeof *distance);
    if (!distance) return NIGH_MEMORY;
    for (int64_t a = 0; a < take; a++)
        for (int64_t b = 0; b < a; b++) {
            const double *p = z + a * n / take * r, *q = z + b * n / take * r;
            double d = 0;
            for (int64_t c = 0; c < r; c++) d += (p[c] - q[c]) * (p[c] - q[c]);
            if (d > 0) distance[count++] = sqrt(d);
        }
    qsort(distance, (size_t)count, sizeof *distance, by_value);
    *out = count ? distance[count / 2] : 1;
    nigh_free(ctx, distance);
    return NIGH_OK;
}

/* Values of the tail: 1 and z, at every point. */
static void tail_values(const point_job *job, double *p)
{
    int64_t t = job->r + 1;
    for (int64_t i = 0; i < job->n; i++) {
        p[i * t] = 1;
        memcpy(p + i * t + 1, job->z + i * job->r, (size_t)job->r * sizeof *p);
    }
}

/* The complement of what the tail can express at these points (its rank may be below r + 1). */
static nigh_status find_complement(nigh_context *ctx, point_job *job)
{
    int64_t n = job->n, t = job->r + 1, k = n < t ? n : t, rank = 0;
    double *p = nigh_alloc(ctx, (size_t)(n * t) * sizeof *p), *u = nigh_alloc(ctx, (size_t)(n * k) * sizeof *u);
    double *s = nigh_alloc(ctx, (size_t)k * sizeof *s), *vt = nigh_alloc(ctx, (size_t)(k * t) * sizeof *vt), *q = NULL;
    nigh_status status = p && u && s && vt ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    tail_values(job, p);
    if ((status = linalg_svd(ctx, n, t, p, u, s, vt))) goto done;
    while (rank < k && s[rank] > 1e-10 * s[0]) rank++;
    if (n < rank + 2) {
        status = nigh_fail(ctx, NIGH_INVALID, "%lld samples are too few beside a linear tail in %lld variables; more than %lld are needed",
                           (long long)n, (long long)job->r, (long long)rank + 1);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < rank; c++) p[i * rank + c] = u[i * k + c];
    job->k = n - rank;
    q = nigh_alloc(ctx, (size_t)(n * n) * sizeof *q);
    job->complement = nigh_alloc(ctx, (size_t)(n * job->k) * sizeof *q);
    if (!q || !job->complement) {
        status = NIGH_MEMORY;
        goto done;
    }
    status = linalg_complete_basis(ctx, n, rank, p, q);
    for (int64_t i = 0; !status && i < n; i++) memcpy(job->complement + i * job->k, q + i * n + rank, (size_t)job->k * sizeof *q);
done:
    nigh_free(ctx, q);
    nigh_free(ctx, vt);
    nigh_free(ctx, s);
    nigh_free(ctx, u);
    nigh_free(ctx, p);
    return status;
}

/* Many points and everything chosen: Cholesky instead of eigenvalues. kernel is destroyed. */
static nigh_status solve_large(nigh_context *ctx, const point_job *job, double *kernel, double relative, double *w, double *lambda)
{
    int64_t n = job->n, k = job->k, q = job->q;
    const double *c = job->complement;
    double *half = NULL, *inside = c ? NULL : kernel, *right = nigh_alloc(ctx, (size_t)(k * q) * sizeof *right), unit = 0;
    nigh_status status = right ? NIGH_OK : NIGH_MEMORY;
    if (!status && c) {
        half = nigh_alloc(ctx, (size_t)(n * k) * sizeof *half);
        inside = nigh_alloc(ctx, (size_t)(k * k) * sizeof *inside);
        status = half && inside ? NIGH_OK : NIGH_MEMORY;
        if (!status) status = linalg_gemm(ctx, false, false, n, k, n, 1, kernel, c, 0, half);
        if (!status) status = linalg_gemm(ctx, true, false, k, k, n, 1, c, half, 0, inside);
        if (!status) status = linalg_gemm(ctx, true, false, k, q, n, 1, c, job->y, 0, right);
    } else if (!status) {
        memcpy(right, job->y, (size_t)(n * q) * sizeof *right);
    }
    if (!status) status = nigh_poll(ctx);
    if (status) goto done;
    for (int64_t i = 0; i < k; i++) unit += inside[i * k + i] / (double)k;
    *lambda = relative * (unit > 0 ? unit : 1);
    for (int64_t i = 0; i < k; i++) inside[i * k + i] += *lambda;
    if ((status = linalg_cholesky_solve(ctx, k, q, inside, right, NULL))) goto done;
    if (c)
        status = linalg_gemm(ctx, false, false, n, q, k, 1, c, right, 0, w);
    else
        memcpy(w, right, (size_t)(n * q) * sizeof *w);
done:
    if (c) nigh_free(ctx, inside);
    nigh_free(ctx, half);
    nigh_free(ctx, right);
    return status;
}

/* Leave-one-out error and ridge at one scale. */
static nigh_status try_scale(nigh_context *ctx, const point_job *job, double s, double nugget, double *ridge, double *loo)
{
    double *kernel = nigh_alloc(ctx, (size_t)(job->n * job->n) * sizeof *kernel), *w = nigh_alloc(ctx, (size_t)(job->n * job->q) * sizeof *w);
    nigh_status status = kernel && w ? kernel_matrix(ctx, job, s, kernel) : NIGH_MEMORY;
    if (!status) status = linalg_kernel_ridge(ctx, job->n, job->q, kernel, job->y, job->k, job->complement, nugget, w, ridge, NULL, loo);
    nigh_free(ctx, w);
    nigh_free(ctx, kernel);
    return status;
}

/* Length (as multiple of the median) and ridge with the least leave-one-out error, of those that are 0. */
static nigh_status choose(nigh_context *ctx, const point_job *job, double median, double *length, double *nugget)
{
    double multiple[9] = {0.5, 1, 2, 4, 8, 16}, best = INFINITY, best_length = *length, best_ridge = *nugget;
    int count = 6;
    if (map_has_tail(job->kind) || *length > 0) multiple[0] = *length > 0 ? *length : 1, count = 1;
    for (int i = 0; i < count; i++) {
        double ridge, loo, unit = multiple[i] * median;
        nigh_status status = try_scale(ctx, job, 1 / (unit * unit), *nugget, &ridge, &loo);
        if (status) return status;
        if (loo < best || i == 0) best = loo, best_length = multiple[i], best_ridge = ridge;
        if (i != 5) continue;
        multiple[count++] = best_length * sqrt(0.5);
        multiple[count++] = best_length * sqrt(2);
    }
    *length = best_length;
    *nugget = best_ridge;
    return NIGH_OK;
}

/* A job of at most CHOOSE_ON points and the outputs that vary most (the first: components are sorted). */
static nigh_status smaller_job(nigh_context *ctx, const point_job *full, point_job *small)
{
    int64_t m = full->n > ALL_UP_TO ? CHOOSE_ON : full->n, q = full->q < CHOOSE_OUTPUTS ? full->q : CHOOSE_OUTPUTS, r = full->r;
    int64_t *index = nigh_alloc(ctx, (size_t)m * sizeof *index);
    double *z = nigh_alloc(ctx, (size_t)(m * r) * sizeof *z), *y = nigh_alloc(ctx, (size_t)(m * q) * sizeof *y);
    *small = (point_job){.kind = full->kind, .n = m, .r = r, .q = q, .k = m, .z = z, .y = y};
    nigh_status status = index && z && y ? map_farthest(ctx, full->n, r, full->z, m, index) : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < m; i++) {
        memcpy(z + i * r, full->z + index[i] * r, (size_t)r * sizeof *z);
        memcpy(y + i * q, full->y + index[i] * full->q, (size_t)q * sizeof *y);
    }
    nigh_free(ctx, index);
    return status;
}

static nigh_status choose_on_few(nigh_context *ctx, const point_job *full, double median, double *length, double *nugget)
{
    point_job small;
    nigh_status status = smaller_job(ctx, full, &small);
    if (!status && map_has_tail(full->kind)) status = find_complement(ctx, &small);
    if (!status) status = choose(ctx, &small, median, length, nugget);
    nigh_free(ctx, small.complement);
    nigh_free(ctx, (void *)small.y);
    nigh_free(ctx, (void *)small.z);
    return status;
}

/* Tail coefficients from what the weights leave: y - K w - lambda w. */
static nigh_status solve_tail(nigh_context *ctx, const point_job *job, map_model *model, const double *kernel, const double *w, double lambda)
{
    int64_t n = job->n, q = job->q, t = job->r + 1, wide = map_padded(q);
    double *rest = nigh_alloc(ctx, (size_t)(n * q) * sizeof *rest), *p = nigh_alloc(ctx, (size_t)(n * t) * sizeof *p);
    double *x = nigh_alloc(ctx, (size_t)(t * q) * sizeof *x);
    nigh_status status = rest && p && x ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    tail_values(job, p);
    for (int64_t i = 0; i < n * q; i++) rest[i] = job->y[i] - lambda * w[i];
    if ((status = linalg_gemm(ctx, false, false, n, q, n, -1, kernel, w, 1, rest))) goto done;
    if ((status = nigh_least_squares(ctx, NIGH_F64, n, t, q, p, rest, 1e-10, x, NULL))) goto done;
    memcpy(model->bias, x, (size_t)q * sizeof *x);
    for (int64_t c = 0; c < job->r; c++) memcpy(model->tail + c * wide, x + (c + 1) * q, (size_t)q * sizeof *x);
done:
    nigh_free(ctx, x);
    nigh_free(ctx, p);
    nigh_free(ctx, rest);
    return status;
}

static nigh_status solve_all(nigh_context *ctx, const point_job *job, map_model *model, double nugget)
{
    int64_t n = job->n, q = job->q, wide = map_padded(q);
    bool tail = map_has_tail(job->kind);
    size_t square = (size_t)(n * n) * sizeof(double);
    double *kernel = nigh_alloc(ctx, square), *spent = nigh_alloc(ctx, square), *w = nigh_alloc(ctx, (size_t)(n * q) * sizeof *w), lambda;
    nigh_status status = kernel && spent && w ? kernel_matrix(ctx, job, model->scale, kernel) : NIGH_MEMORY;
    if (!status) {
        memcpy(spent, kernel, square);
        status = n > ALL_UP_TO ? solve_large(ctx, job, spent, nugget, w, &lambda)
                               : linalg_kernel_ridge(ctx, n, q, spent, job->y, job->k, job->complement, nugget, w, NULL, &lambda, NULL);
    }
    if (!status && tail) status = solve_tail(ctx, job, model, kernel, w, lambda);
    for (int64_t i = 0; !status && i < n; i++) memcpy(model->weight + i * wide, w + i * q, (size_t)q * sizeof *w);
    nigh_free(ctx, w);
    nigh_free(ctx, spent);
    nigh_free(ctx, kernel);
    return status;
}

nigh_status map_fit_points(nigh_context *ctx, map_model *model, int64_t n, const double *z, const double *score, double length, double nugget)
{
    point_job full = {.kind = model->radial, .n = n, .r = model->r, .q = model->q, .k = n, .z = z, .y = score};
    bool tail = map_has_tail(model->radial);
    double median = 1;
    nigh_status status = median_distance(ctx, n, model->r, z, &median);
    if (!status && tail) status = find_complement(ctx, &full);
    if (!status && (nugget <= 0 || (!tail && length <= 0))) status = choose_on_few(ctx, &full, median, &length, &nugget);
    if (!status) {
        model->scale = tail ? 1 : 1 / (length * median * (length * median));
        spread_points(n, model->r, z, model->points);
        status = solve_all(ctx, &full, model, nugget);
    }
    nigh_free(ctx, full.complement);
    return status;
}
