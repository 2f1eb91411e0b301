/*
 * The projection determinantal point process of a space, by its chain of conditional densities: the first point has density K / m;
 * after t points the next one has the density (K - the part of phi in the span of the earlier phi) / (m - t). Hough,
 * Krishnapur, Peres and Virag, "Determinantal processes and independence", algorithm 18. On candidates all conditional
 * probabilities are kept and brought up to date; in a continuum a point of the optimal density is taken with probability
 * (what is left of K) / K, some m log m proposals for all m points.
 */
#include "regress/dpp.h"

#include <math.h>
#include <string.h>

/* Orthonormal rows that span the functions at the points so far. */
typedef struct span {
    int64_t m, t;
    double *row; /* [m,m] */
} span;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Twice: the second round takes away what the rounding of the first left. The new row, NULL when nothing is left of phi. */
static const double *span_add(span *s, const double *phi)
{
    double *row = s->row + s->t * s->m;
    memcpy(row, phi, (size_t)s->m * sizeof *row);
    for (int round = 0; round < 2; round++)
        for (int64_t k = 0; k < s->t; k++) {
            const double *q = s->row + k * s->m;
            double c = dot(s->m, q, row);
            for (int64_t j = 0; j < s->m; j++) row[j] -= c * q[j];
        }
    double size = sqrt(dot(s->m, row, row));
    if (!(size > 0)) return NULL;
    for (int64_t j = 0; j < s->m; j++) row[j] /= size;
    s->t++;
    return row;
}

/* |phi|^2 less its part in the span; rounding may take it below 0. */
static double span_left(const span *s, const double *phi)
{
    double left = dot(s->m, phi, phi);
    for (int64_t k = 0; k < s->t; k++) {
        double c = dot(s->m, s->row + k * s->m, phi);
        left -= c * c;
    }
    return left > 0 ? left : 0;
}

static void put_candidate(const nigh_candidates *c, int64_t row, nigh_design *design, int64_t i)
{
    design->index[i] = row;
    memcpy(design->phi + i * c->m, c->phi + row * c->m, (size_t)c->m * sizeof *design->phi);
}

void dpp_point(const dpp_source *from, nigh_rng *rng, bool input, nigh_design *design, int64_t i)
{
    const nigh_candidates *c = from->candidates;
    design->proposals++;
    if (c)
        put_candidate(c, nigh_alias_draw(input ? c->input : c->optimal, rng), design, i);
    else if (input)
        basis_draw_input(from->basis, rng, design->x + i * design->d, design->phi + i * design->m);
    else
        basis_draw_optimal(from->basis, rng, design->x + i * design->d, design->phi + i * design->m);
}

static nigh_status lost(nigh_context *ctx, const span *s)
{
    return nigh_fail(ctx, NIGH_INVALID, "the chain of points lost its orthogonality after %lld of %lld points; the functions are too near to dependent",
                     (long long)s->t, (long long)s->m);
}

static nigh_status batch_of_candidates(nigh_context *ctx, const nigh_candidates *c, nigh_rng *rng, span *s, nigh_design *design, int64_t first)
{
    const double DRIFT = 1e-8;
    int64_t n = c->n, m = c->m;
    double *left = nigh_alloc(ctx, (size_t)n * sizeof *left);
    nigh_status status = left ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) left[i] = c->weight[i] * dot(m, c->phi + i * m, c->phi + i * m);
    for (int64_t t = 0; t < m && !status; t++) {
        int64_t row = nigh_rng_categorical(rng, n, left);
        const double *q = row < 0 ? NULL : span_add(s, c->phi + row * m);
        if (!q) {
            status = lost(ctx, s);
            break;
        }
        put_candidate(c, row, design, first + t);
        double total = 0;
        for (int64_t i = 0; i < n; i++) {
            double part = dot(m, q, c->phi + i * m);
            left[i] = i == row ? 0 : fmax(left[i] - c->weight[i] * part * part, 0);
            total += left[i];
        }
        if (fabs(total - (double)(m - t - 1)) > DRIFT * (double)m) status = lost(ctx, s);
        if (!status) status = nigh_poll(ctx);
    }
    design->proposals += m;
    nigh_free(ctx, left);
    return status;
}

static nigh_status batch_of_continuum(nigh_context *ctx, const dpp_source *from, nigh_rng *rng, span *s, nigh_design *design, int64_t first)
{
    int64_t m = design->m;
    nigh_status status = NIGH_OK;
    while (s->t < m && !status) {
        int64_t i = first + s->t;
        dpp_point(from, rng, false, design, i);
        double *phi = design->phi + i * m, all = dot(m, phi, phi);
        if (nigh_rng_f64(rng) * all < span_left(s, phi) && !span_add(s, phi)) status = lost(ctx, s);
        if (!status && design->proposals % 64 == 0) status = nigh_poll(ctx);
    }
    return status;
}

nigh_status dpp_batch(nigh_context *ctx, const dpp_source *from, nigh_rng *rng, nigh_design *design, int64_t i)
{
    span s = {.m = design->m, .row = nigh_alloc(ctx, (size_t)(design->m * design->m) * sizeof(double))};
    nigh_status status = s.row ? NIGH_OK : NIGH_MEMORY;
    if (!status)
        status = from->candidates ? batch_of_candidates(ctx, from->candidates, rng, &s, design, i) : batch_of_continuum(ctx, from, rng, &s, design, i);
    nigh_free(ctx, s.row);
    return status;
}
