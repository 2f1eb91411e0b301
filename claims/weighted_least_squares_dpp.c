/*
 * Claim of "Weighted least-squares approximation with determinantal point processes and generalized volume sampling": with repulsive points
 * a fit from 2 m evaluations is nearly as good as the best approximation, where independent points of the best density need several
 * times as many.
 *
 *   1  squared error of the fit over that of the best approximation: Runge's function, Legendre polynomials, 2001 points of [-1, 1]
 *   2  exact identities: all 1001 subsets of 14 candidates with their probabilities, the mean of volume sampling
 *   3  a pendulum's equation solved for two parameters, degree 8: how many solutions each kind of point needs. nigh's own are three
 *      determinantal batches, thinned while the Gram matrix keeps its smallest eigenvalue
 *   4  points of the process have the density they should have
 */
#include "common.h"

#include "nigh/design.h"
#include "nigh/quadrature.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"leverage", "unweighted", NULL};

/* A function on candidates, and how good its best approximation is. */
typedef struct target {
    nigh_candidates *candidates;
    int64_t n, m;
    double *f, *weight, *best; /* [n], [n], [m] coefficients of the best approximation */
    double floor;              /* its squared error */
} target;

static void target_free(nigh_context *ctx, target *t)
{
    nigh_candidates_free(t->candidates);
    nigh_free(ctx, t->f);
    nigh_free(ctx, t->weight);
    nigh_free(ctx, t->best);
}

/* The best approximation, and its squared error. */
static void target_project(target *t)
{
    const double *p = nigh_candidates_phi(t->candidates);
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->m; j++) t->best[j] += t->weight[i] * t->f[i] * p[i * t->m + j];
    for (int64_t i = 0; i < t->n; i++) {
        double g = 0;
        for (int64_t j = 0; j < t->m; j++) g += t->best[j] * p[i * t->m + j];
        t->floor += t->weight[i] * (t->f[i] - g) * (t->f[i] - g);
    }
}

/* t->f and t->weight are set. */
static nigh_status target_make(nigh_context *ctx, target *t, const nigh_basis *basis, const double *x)
{
    t->m = nigh_basis_size(basis);
    double *phi = nigh_alloc(ctx, (size_t)(t->n * t->m) * sizeof *phi);
    t->best = nigh_alloc_zero(ctx, (size_t)t->m, sizeof *t->best);
    nigh_status status = phi && t->best ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        nigh_basis_values(basis, t->n, x, phi);
        status = nigh_candidates_new(ctx, t->n, t->m, phi, t->weight, &t->candidates);
    }
    nigh_free(ctx, phi);
    if (status) return status;
    target_project(t);
    return NIGH_OK;
}

/* Coefficients of one fit, and its squared error over the best one: the floor and the distance of the coefficients. */
static nigh_status fit_once(nigh_context *ctx, const target *t, const nigh_design_options *o, bool unweighted, nigh_rng *rng, double *c, double *factor, int64_t *n)
{
    nigh_design *design = NULL;
    nigh_status status = nigh_design_choose(ctx, t->candidates, o, rng, &design);
    if (status) return status;
    double *y = nigh_alloc(ctx, (size_t)design->n * sizeof *y), gap = 0;
    if (!y) status = NIGH_MEMORY;
    for (int64_t i = 0; i < design->n && !status; i++) {
        y[i] = t->f[design->index[i]];
        if (unweighted) design->weight[i] = 1;
    }
    if (!status) status = nigh_design_fit(ctx, design, 1, y, c, NULL);
    for (int64_t j = 0; j < t->m && !status; j++) gap += (c[j] - t->best[j]) * (c[j] - t->best[j]);
    *factor = 1 + gap / t->floor, *n = design->n;
    if (status == NIGH_INVALID) *factor = INFINITY, status = NIGH_OK; /* points that do not fix the fit at all */
    nigh_free(ctx, y);
    nigh_design_free(design);
    return status;
}

/* ---- many draws ------------------------------------------------------------------------------------------- */

enum { PARTS = 8, MOST_DRAWS = 200 };

typedef struct campaign {
    const target *t;
    nigh_design_options options;
    bool unweighted;
    uint64_t seed;
    int draws;
    double factor[MOST_DRAWS];
    int64_t n[MOST_DRAWS];
    double mean, median, high; /* high: 95% of draws are below */
    double points;             /* mean of n */
} campaign;

static nigh_status campaign_part(nigh_context *ctx, int part, void *user)
{
    campaign *c = user;
    double *coefficients = nigh_alloc(ctx, (size_t)c->t->m * sizeof *coefficients);
    nigh_status status = coefficients ? NIGH_OK : NIGH_MEMORY;
    for (int i = part; i < c->draws && !status; i += PARTS) {
        nigh_rng rng = nigh_rng_new(c->seed, (uint64_t)i);
        status = fit_once(ctx, c->t, &c->options, c->unweighted, &rng, coefficients, &c->factor[i], &c->n[i]);
    }
    nigh_free(ctx, coefficients);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static nigh_status campaign_with(claim_run *run, const target *t, nigh_design_options options, uint64_t part, int draws, campaign *c)
{
    *c = (campaign){.t = t, .options = options, .seed = nigh_seed_split(claim_seed(run), part), .draws = draws};
    c->unweighted = claim_sabotaged(run, "unweighted");
    if (claim_sabotaged(run, "leverage") && options.kind == NIGH_DESIGN_DPP) c->options.kind = NIGH_DESIGN_IID, c->options.thin = false, c->options.least = 0;
    nigh_status status = claim_tasks(run, PARTS, campaign_part, c);
    if (status) return status;
    qsort(c->factor, (size_t)draws, sizeof *c->factor, by_value);
    for (int i = 0; i < draws; i++) c->mean += c->factor[i] / draws, c->points += (double)c->n[i] / draws;
    c->median = 0.5 * (c->factor[(draws - 1) / 2] + c->factor[draws / 2]);
    c->high = c->factor[(int)ceil(0.95 * draws) - 1];
    return NIGH_OK;
}

static nigh_status campaign_run(claim_run *run, const target *t, nigh_design_kind kind, int64_t n, uint64_t part, int draws, campaign *c)
{
    return campaign_with(run, t, (nigh_design_options){.kind = kind, .n = n}, part, draws, c);
}

static void note_campaign(claim_run *run, const char *what, const campaign *c)
{
    claim_note(run, "m=%lld %-22s n=%-5.4g mean %-9.3g median %-9.3g 95%% %.3g", (long long)c->t->m, what, c->points, c->mean, c->median,
               c->high);
}

/* ---- 1: Runge's function ---------------------------------------------------------------------------------- */

static nigh_status runge_target(nigh_context *ctx, int m, target *t)
{
    enum { GRID = 2001 };
    nigh_basis *basis = NULL;
    *t = (target){.n = GRID};
    double *x = nigh_alloc(ctx, GRID * sizeof *x);
    t->f = nigh_alloc(ctx, GRID * sizeof *x), t->weight = nigh_alloc(ctx, GRID * sizeof *x);
    nigh_status status = x && t->f && t->weight ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < GRID && !status; i++) {
        x[i] = 2.0 * i / (GRID - 1) - 1;
        t->f[i] = 1 / (1 + 25 * x[i] * x[i]), t->weight[i] = 1.0 / GRID;
    }
    if (!status) status = nigh_basis_new(ctx, &(nigh_basis_spec){.family = NIGH_LEGENDRE, .degree = m - 1, .dims = 1}, &basis);
    if (!status) status = target_make(ctx, t, basis, x);
    nigh_basis_free(basis);
    nigh_free(ctx, x);
    return status;
}

static nigh_status runge_of(claim_run *run, int m, int draws)
{
    target t;
    campaign dpp, volume, iid, four, many, least;
    char name[128];
    nigh_status status = runge_target(run->ctx, m, &t);
    uint64_t part = 100 * (uint64_t)m;
    int64_t enough = (int64_t)ceil(2 * m * log(2.0 * m));
    if (!status) status = claim_progress(run, "Runge's function", m, 50);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_DPP, 2 * m, part, draws, &dpp);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_VOLUME, 2 * m, part + 1, draws, &volume);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_IID, 2 * m, part + 2, draws, &iid);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_DPP, 4 * m, part + 3, draws, &four);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_IID, enough, part + 4, draws, &many);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_DPP, m, part + 5, draws, &least);
    target_free(run->ctx, &t);
    if (status) return status;
    note_campaign(run, "determinantal, 1 batch", &least);
    note_campaign(run, "determinantal, 2", &dpp);
    note_campaign(run, "volume", &volume);
    note_campaign(run, "independent", &iid);
    note_campaign(run, "determinantal, 4", &four);
    note_campaign(run, "independent", &many);
    snprintf(name, sizeof name, "m=%d, 2 batches: mean factor", m);
    claim_bar(run, name, dpp.mean, CLAIM_AT_MOST, 2.5, NULL);
    snprintf(name, sizeof name, "m=%d, 2 batches: factor of 95%% of draws", m);
    claim_bar(run, name, dpp.high, CLAIM_AT_MOST, 5, NULL);
    snprintf(name, sizeof name, "m=%d, n=2m: independent points' 95%% over that of 2 batches", m);
    claim_bar(run, name, iid.high / dpp.high, CLAIM_AT_LEAST, 20, NULL);
    snprintf(name, sizeof name, "m=%d: mean factor of 4 batches over that of %lld independent points", m, (long long)enough);
    claim_bar(run, name, four.mean / many.mean, CLAIM_AT_MOST, 1.1, NULL);
    return NIGH_OK;
}

/* ---- 2: identities ---------------------------------------------------------------------------------------- */

/* Values and functions without structure. */
static nigh_status random_target(nigh_context *ctx, int64_t n, int64_t m, uint64_t seed, target *t)
{
    nigh_rng rng = nigh_rng_new(seed, 9);
    double *values = nigh_alloc(ctx, (size_t)(n * m) * sizeof *values), sum = 0;
    *t = (target){.n = n, .m = m};
    t->f = nigh_alloc(ctx, (size_t)n * sizeof(double)), t->weight = nigh_alloc(ctx, (size_t)n * sizeof(double));
    t->best = nigh_alloc_zero(ctx, (size_t)m, sizeof(double));
    nigh_status status = values && t->f && t->weight && t->best ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) t->f[i] = nigh_rng_normal(&rng), sum += t->weight[i] = 0.2 + nigh_rng_f64(&rng);
    for (int64_t i = 0; i < n && !status; i++) t->weight[i] /= sum;
    if (!status) nigh_rng_fill_normal(&rng, n * m, values);
    if (!status) status = nigh_candidates_new(ctx, n, m, values, t->weight, &t->candidates);
    nigh_free(ctx, values);
    if (status) return status;
    target_project(t);
    return NIGH_OK;
}

static double determinant4(const double *a)
{
    double lu[16], det = 1;
    memcpy(lu, a, sizeof lu);
    for (int k = 0; k < 4; k++) {
        int top = k;
        for (int i = k + 1; i < 4; i++)
            if (fabs(lu[4 * i + k]) > fabs(lu[4 * top + k])) top = i;
        for (int j = 0; j < 4 && top != k; j++) {
            double t = lu[4 * k + j];
            lu[4 * k + j] = lu[4 * top + j], lu[4 * top + j] = t;
            if (j == 0) det = -det;
        }
        det *= lu[4 * k + k];
        for (int i = k + 1; i < 4; i++)
            for (int j = 3; j >= k; j--) lu[4 * i + j] -= lu[4 * i + k] / lu[4 * k + k] * lu[4 * k + j];
    }
    return det;
}

/* One subset: its probability under the process (a product of leverages for the fake), its fit, its factor. */
static nigh_status add_subset(claim_run *run, const target *t, const int *s, double *total, double *factor, double *mean)
{
    const double *p = nigh_candidates_phi(t->candidates);
    double phi[16], weight[4], y[4], c[4], chance = 1, gap = 0;
    bool leverage = claim_sabotaged(run, "leverage");
    for (int i = 0; i < 4; i++) {
        double size = 0;
        for (int j = 0; j < 4; j++) phi[4 * i + j] = p[4 * s[i] + j], size += phi[4 * i + j] * phi[4 * i + j];
        weight[i] = 4 / size, y[i] = t->f[s[i]];
        chance *= t->weight[s[i]] * (leverage ? size / 4 : 1);
    }
    double det = determinant4(phi);
    if (!leverage) chance *= det * det;
    nigh_status status = nigh_weighted_least_squares(run->ctx, 4, 4, 1, phi, weight, y, c, NULL);
    if (status) return status;
    for (int j = 0; j < 4; j++) gap += (c[j] - t->best[j]) * (c[j] - t->best[j]), mean[j] += chance * c[j];
    *total += chance, *factor += chance * (1 + gap / t->floor);
    return NIGH_OK;
}

static nigh_status enumerate(claim_run *run)
{
    target t;
    nigh_status status = random_target(run->ctx, 14, 4, nigh_seed_split(claim_seed(run), 1), &t);
    double total = 0, factor = 0, mean[4] = {0}, off = 0;
    int s[4];
    for (s[0] = 0; s[0] < 14 && !status; s[0]++)
        for (s[1] = s[0] + 1; s[1] < 14 && !status; s[1]++)
            for (s[2] = s[1] + 1; s[2] < 14 && !status; s[2]++)
                for (s[3] = s[2] + 1; s[3] < 14 && !status; s[3]++) status = add_subset(run, &t, s, &total, &factor, mean);
    if (!status) {
        for (int j = 0; j < 4; j++) off = fmax(off, fabs(mean[j] / total - t.best[j]));
        claim_bar(run, "all 1001 subsets: |mean factor - (1 + m)|", fabs(factor / total - 5), CLAIM_AT_MOST, 1e-10, NULL);
        claim_bar(run, "all 1001 subsets: |mean fit - best approximation|", off, CLAIM_AT_MOST, 1e-10, NULL);
    }
    target_free(run->ctx, &t);
    return status;
}

/* Mean coefficients of volume sampling, n = 2m, against the best ones, in standard errors. */
static nigh_status volume_mean(claim_run *run)
{
    enum { M = 6, DRAWS = 5000 };
    target t;
    double sum[M] = {0}, square[M] = {0}, c[M], factor, worst = 0;
    int64_t n;
    nigh_status status = random_target(run->ctx, 60, M, nigh_seed_split(claim_seed(run), 2), &t);
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 3), 0);
    for (int i = 0; i < DRAWS && !status; i++) {
        status = fit_once(run->ctx, &t, &(nigh_design_options){.kind = claim_sabotaged(run, "leverage") ? NIGH_DESIGN_IID : NIGH_DESIGN_VOLUME, .n = 2 * M},
                          claim_sabotaged(run, "unweighted"), &rng, c, &factor, &n);
        for (int j = 0; j < M; j++) sum[j] += c[j], square[j] += c[j] * c[j];
    }
    for (int j = 0; j < M && !status; j++) {
        double mean = sum[j] / DRAWS, error = sqrt((square[j] / DRAWS - mean * mean) / DRAWS);
        worst = fmax(worst, fabs(mean - t.best[j]) / error);
    }
    if (!status) claim_bar(run, "volume sampling, n=2m, 5000 draws: mean fit off the best, standard errors", worst, CLAIM_AT_MOST, 4, NULL);
    target_free(run->ctx, &t);
    return status;
}

/* ---- 3: an expensive function ----------------------------------------------------------------------------- */

/* Where a pendulum with damping and drive (x: both scaled to -1 .. 1) is after 8 time units; Runge and Kutta's fourth-order steps. */
static double pendulum(const double *x, int steps)
{
    double damping = 0.3 + 0.2 * x[0], drive = 0.9 + 0.4 * x[1], h = 8.0 / steps, a = 0.5, v = 0;
    for (int i = 0; i < steps; i++) {
        double t = i * h, ka[4], kv[4];
        for (int s = 0; s < 4; s++) {
            double by = s == 0 ? 0 : s == 3 ? h : h / 2, as = a + (s ? by * ka[s - 1] : 0), vs = v + (s ? by * kv[s - 1] : 0);
            ka[s] = vs, kv[s] = -sin(as) - damping * vs + drive * cos(0.7 * (t + by));
        }
        a += h / 6 * (ka[0] + 2 * ka[1] + 2 * ka[2] + ka[3]);
        v += h / 6 * (kv[0] + 2 * kv[1] + 2 * kv[2] + kv[3]);
    }
    return a;
}

typedef struct solve_job {
    const double *x;
    double *f;
    int n, steps;
} solve_job;

static nigh_status solve_part(nigh_context *ctx, int part, void *user)
{
    solve_job *job = user;
    for (int i = part; i < job->n; i += 64) {
        job->f[i] = pendulum(job->x + 2 * i, job->steps);
        if (nigh_poll(ctx)) return NIGH_INTERRUPTED;
    }
    return NIGH_OK;
}

/* On the product Gauss rule of side^2 points, on which polynomials of this degree are orthonormal as they are. */
static nigh_status pendulum_target(claim_run *run, const nigh_basis *basis, int side, int steps, target *t)
{
    double node[64], weight[64];
    int64_t n = side * side;
    *t = (target){.n = n};
    nigh_status status = nigh_gauss(run->ctx, NIGH_LEGENDRE, side, node, weight);
    double *x = nigh_alloc(run->ctx, (size_t)n * 2 * sizeof *x);
    t->f = nigh_alloc(run->ctx, (size_t)n * sizeof *x), t->weight = nigh_alloc(run->ctx, (size_t)n * sizeof *x);
    if (!status && !(x && t->f && t->weight)) status = NIGH_MEMORY;
    for (int i = 0; i < n && !status; i++) {
        x[2 * i] = node[i / side], x[2 * i + 1] = node[i % side];
        t->weight[i] = weight[i / side] * weight[i % side];
    }
    if (!status) status = claim_tasks(run, 64, solve_part, &(solve_job){x, t->f, (int)n, steps});
    if (!status) status = target_make(run->ctx, t, basis, x);
    nigh_free(run->ctx, x);
    return status;
}

static const double LEAST = 0.2; /* chosen on other seeds */

/* Fewest independent points, in steps of m/9, with which 95% of fits are within a factor 2 of the best error (4 of its square). */
static nigh_status needed(claim_run *run, const target *t, int draws, int64_t *n)
{
    campaign c;
    for (*n = 2 * t->m; *n <= 20 * t->m; *n += t->m / 9) {
        nigh_status status = claim_progress(run, "evaluations needed", (double)*n, 0);
        if (!status) status = campaign_run(run, t, NIGH_DESIGN_IID, *n, 7000 + (uint64_t)*n, draws, &c);
        if (status) return status;
        note_campaign(run, "pendulum, independent", &c);
        if (c.high <= 4) return NIGH_OK;
    }
    return NIGH_OK;
}

static nigh_status thinned_bars(claim_run *run, const target *t, int draws)
{
    campaign thin, two;
    int64_t iid = 0;
    nigh_design_options o = {.kind = NIGH_DESIGN_DPP, .n = 3 * t->m, .least = LEAST, .thin = true};
    nigh_status status = campaign_with(run, t, o, 7000, draws, &thin);
    if (!status) status = campaign_run(run, t, NIGH_DESIGN_DPP, 2 * t->m, 7001, draws, &two);
    if (status) return status;
    note_campaign(run, "pendulum, thinned", &thin);
    note_campaign(run, "pendulum, 2 batches", &two);
    if ((status = needed(run, t, draws, &iid))) return status;
    claim_note(run, "pendulum: best error %.3g; within twice that in 95%% of fits: %.1f evaluations, independent points %lld", sqrt(t->floor), thin.points,
               (long long)iid);
    claim_bar(run, "pendulum, thinned: factor of the squared error, 95% of draws", thin.high, CLAIM_AT_MOST, 4, NULL);
    claim_bar(run, "pendulum, thinned: evaluations over those that independent points need", thin.points / (double)iid, CLAIM_AT_MOST, 0.5, NULL);
    return NIGH_OK;
}

/* Time to draw the points beside the time of the evaluations there. */
static nigh_status sampling_share(claim_run *run, const nigh_basis *basis, int steps)
{
    double drawing = 0, solving = 0, sum = 0, count = 0;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 4), 0);
    nigh_status status = NIGH_OK;
    for (int r = 0; r < 5 && !status; r++) {
        nigh_design *design = NULL;
        double start = nigh_clock_cpu();
        status = nigh_design_draw(run->ctx, basis, &(nigh_design_options){.n = 3 * nigh_basis_size(basis), .least = LEAST, .thin = true}, &rng, &design);
        double drawn = nigh_clock_cpu();
        for (int64_t i = 0; !status && i < design->n; i++) sum += pendulum(design->x + 2 * i, steps), count++;
        drawing += drawn - start, solving += nigh_clock_cpu() - drawn;
        nigh_design_free(design);
        if (!status) status = claim_progress(run, "sampling beside solving", r, 5);
    }
    if (status) return status;
    claim_note(run, "pendulum: one evaluation %.3g ms, a design of %.3g points %.3g ms (mean answer %.3g)", 1e3 * solving / count, count / 5, 1e3 * drawing / 5,
               sum / count);
    claim_bar(run, "pendulum: time of drawing the points over that of the evaluations", drawing / solving, CLAIM_AT_MOST, 0.05, NULL);
    return NIGH_OK;
}

static nigh_status pendulum_bars(claim_run *run)
{
    enum { FULL_STEPS = 140000 };
    int draws = run->quick ? 100 : 200, side = run->quick ? 24 : 40;
    target t = {0};
    nigh_basis *basis = NULL;
    nigh_status status = nigh_basis_new(run->ctx, &(nigh_basis_spec){.family = NIGH_LEGENDRE, .degree = 8, .dims = 2}, &basis);
    if (!status) status = pendulum_target(run, basis, side, run->quick ? 300 : FULL_STEPS, &t);
    if (!status) status = thinned_bars(run, &t, draws);
    if (!status && !run->quick) status = sampling_share(run, basis, FULL_STEPS);
    target_free(run->ctx, &t);
    nigh_basis_free(basis);
    return status;
}

/* ---- 4: the law of the points ----------------------------------------------------------------------------- */

/* Points of determinantal batches of Legendre polynomials in cells of equal probability under the optimal density. */
static nigh_status marginals(claim_run *run)
{
    enum { M = 8, CELLS = 16, DRAWS = 800 };
    double edge[2048], count[CELLS] = {0}, expected[CELLS], sum = 0, phi[M], x;
    nigh_basis *basis = NULL;
    nigh_status status = nigh_basis_new(run->ctx, &(nigh_basis_spec){.family = NIGH_LEGENDRE, .degree = M - 1, .dims = 1}, &basis);
    for (int i = 0; i < 2048 && !status; i++) {
        x = (i + 0.5) / 1024 - 1;
        nigh_basis_values(basis, 1, &x, phi);
        edge[i] = sum; /* probability below this small cell */
        for (int j = 0; j < M; j++) sum += phi[j] * phi[j] / (M * 2048.0);
    }
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 5), 0);
    int64_t equal = 0;
    for (int r = 0; r < DRAWS && !status; r++) {
        nigh_design *design = NULL;
        nigh_design_kind kind = claim_sabotaged(run, "leverage") ? NIGH_DESIGN_IID : NIGH_DESIGN_DPP;
        status = nigh_design_draw(run->ctx, basis, &(nigh_design_options){.kind = kind, .n = M}, &rng, &design);
        int64_t i = status ? 0 : (int64_t)nigh_rng_below(&rng, M); /* one of each batch: those of one batch depend on each other */
        for (int64_t k = 0; !status && k < M; k++) equal += k != i && design->x[k] == design->x[i];
        if (!status) {
            int cell = (int)((design->x[i] + 1) * 1024);
            count[(int)fmin(CELLS - 1, CELLS * edge[cell < 2048 ? cell : 2047] / sum)]++;
        }
        nigh_design_free(design);
    }
    nigh_basis_free(basis);
    if (status) return status;
    for (int c = 0; c < CELLS; c++) expected[c] = 0;
    for (int i = 0; i < 2048; i++) {
        double next = i + 1 < 2048 ? edge[i + 1] : sum;
        expected[(int)fmin(CELLS - 1, CELLS * edge[i] / sum)] += DRAWS * (next - edge[i]) / sum;
    }
    nigh_test test;
    status = nigh_chi_square_fit(run->ctx, CELLS, count, expected, 0, &test);
    if (status) return status;
    claim_bar(run, "points of the process against the optimal density: chi-square p", test.p, CLAIM_AT_LEAST, 0.001, NULL);
    claim_bar(run, "points of one batch that are equal", (double)equal, CLAIM_AT_MOST, 0, NULL);
    return NIGH_OK;
}

/* With as many points as functions the mean factor is 1 + m = 11 exactly; sample means of so heavy a tail are held loosely. */
static nigh_status square_bar(claim_run *run, int draws)
{
    target t;
    campaign c;
    nigh_status status = runge_target(run->ctx, 10, &t);
    if (!status) status = campaign_run(run, &t, NIGH_DESIGN_DPP, 10, 6000, draws, &c);
    target_free(run->ctx, &t);
    if (!status) claim_bar(run, "m=10, n=m: mean factor", c.mean, CLAIM_AT_MOST, 100, NULL);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    int draws = run->quick ? 100 : MOST_DRAWS;
    nigh_status status = runge_of(run, 10, draws);
    if (!status && !run->quick) status = runge_of(run, 20, draws);
    if (!status && !run->quick) status = runge_of(run, 40, draws);
    if (!status) status = square_bar(run, draws);
    if (!status) status = enumerate(run);
    if (!status) status = volume_mean(run);
    if (!status) status = pendulum_bars(run);
    return status ? status : marginals(run);
}

extern const nigh_claim claim_weighted_least_squares_dpp;
const nigh_claim claim_weighted_least_squares_dpp = {.slug = "weighted-least-squares-dpp",
                                                    .title = "Weighted least-squares approximation with determinantal point processes and generalized volume sampling",
                                                    .run = run_claim,
                                                    .saboteurs = saboteurs};
