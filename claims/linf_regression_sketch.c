/*
 * Claim of "A Nearly-Optimal Bound for Fast Regression with l_infinity Guarantee": a dense sketch bounds every coefficient of least squares, sqrt(d) better
 * than its length is bounded; sparse sketches do not. e_inf = sqrt(d) max |x'_i - x*_i| / (|A x* - b| |A^+|).
 *
 *   1  e_inf of m = 16 d rows stays where it is as d grows; on columns mixed to condition 1e4 the bound printed for each coefficient holds
 *   2  a hard instance, the identity over zeros with a few spikes in b: CountSketch fails on it, the Hadamard sketch's bound holds and is not vacuous
 *   3  (full only) time beside LAPACK's QR; the planner beside the fastest method on twelve sizes
 *   4  the sketch is the matrix it is said to be; exact where b lies in the range of A
 *   5  instances that row sampling, and a Hadamard matrix without random signs, cannot solve
 */
#include "common.h"

#include "nigh/linalg.h"
#include "nigh/random.h"
#include "nigh/sketch.h"
#include "reduce/squares_peers.h"
#include "reduce/srht.h"
#include "tensor/hadamard.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"row-sampling", "no-signs", "count-sketch", "bound-without-rows", "no-transform", NULL};

/* A problem with its answer. */
typedef struct instance {
    int64_t n, d;
    double *a, *b, *x; /* one block */
    double residual, inverse;
    const char *name;
} instance;

static void instance_free(nigh_context *ctx, instance *p)
{
    nigh_free(ctx, p->a);
    p->a = NULL;
}

static nigh_status instance_new(nigh_context *ctx, const char *name, int64_t n, int64_t d, instance *p)
{
    *p = (instance){.n = n, .d = d, .name = name, .a = nigh_alloc_zero(ctx, (size_t)(n * d + n + d), sizeof(double))};
    p->b = p->a + n * d;
    p->x = p->b + n;
    return p->a ? NIGH_OK : NIGH_MEMORY;
}

/* x*, |A x* - b| and |A^+| by QR of the whole. */
static nigh_status instance_solve(nigh_context *ctx, instance *p)
{
    nigh_squares_receipt receipt;
    double *gram = nigh_alloc(ctx, (size_t)(p->d * p->d + p->d) * sizeof *gram);
    nigh_status status = gram ? nigh_squares_solve(ctx, &(nigh_squares){p->n, p->d, p->a, NULL, p->b, NULL},
                                                   &(nigh_squares_options){.method = NIGH_SQUARES_QR}, p->x, NULL, &receipt)
                              : NIGH_MEMORY;
    if (!status) status = linalg_gemm(ctx, true, false, p->d, p->d, p->n, 1, p->a, p->a, 0, gram);
    if (!status) status = nigh_eigen(ctx, NIGH_F64, p->d, gram, gram + p->d * p->d, NULL);
    if (!status) p->residual = receipt.residual, p->inverse = 1 / sqrt(gram[p->d * p->d]);
    nigh_free(ctx, gram);
    return status;
}

static nigh_status gaussian(nigh_context *ctx, int64_t n, int64_t d, uint64_t seed, double condition, instance *p)
{
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)d);
    nigh_status status = instance_new(ctx, condition > 1 ? "mixed columns" : "normal", n, d, p);
    if (status) return status;
    nigh_rng_fill_normal(&rng, n * d, p->a);
    nigh_rng_fill_normal(&rng, n, p->b);
    if (condition > 1) { /* A V^T diag(s) V */
        double *v = nigh_alloc(ctx, (size_t)(3 * d * d) * sizeof *v), *mix = v + d * d, *copy = v ? nigh_alloc(ctx, (size_t)(n * d) * sizeof *copy) : NULL;
        status = copy ? NIGH_OK : NIGH_MEMORY;
        if (!status) {
            nigh_rng_fill_normal(&rng, d * d, mix);
            status = linalg_complete_basis(ctx, d, d, mix, v);
        }
        for (int64_t i = 0; i < d * d && !status; i++) mix[i] = v[i] * pow(condition, -(double)(i % d) / (double)(d - 1));
        if (!status) status = linalg_gemm(ctx, false, true, d, d, d, 1, mix, v, 0, v + 2 * d * d);
        if (!status) memcpy(copy, p->a, (size_t)(n * d) * sizeof *copy), status = linalg_gemm(ctx, false, false, n, d, d, 1, copy, v + 2 * d * d, 0, p->a);
        nigh_free(ctx, copy);
        nigh_free(ctx, v);
    }
    return status ? status : instance_solve(ctx, p);
}

/* The identity over zeros; b normal on top, `spikes` entries of +-1 / sqrt(spikes) below. */
static nigh_status identity(nigh_context *ctx, int64_t n, int64_t d, int64_t spikes, uint64_t seed, instance *p)
{
    nigh_rng rng = nigh_rng_new(seed, 77);
    int64_t *place = nigh_alloc(ctx, (size_t)spikes * sizeof *place);
    nigh_status status = place ? instance_new(ctx, "identity over zeros", n, d, p) : NIGH_MEMORY;
    if (!status) status = nigh_rng_choose(ctx, &rng, n - d, spikes, place);
    for (int64_t i = 0; i < d && !status; i++) {
        p->a[i * (d + 1)] = 1;
        p->x[i] = p->b[i] = nigh_rng_normal(&rng);
    }
    for (int64_t k = 0; k < spikes && !status; k++) p->b[d + place[k]] = (nigh_rng_u32(&rng) & 1 ? -1 : 1) / sqrt((double)spikes);
    p->residual = p->inverse = 1;
    nigh_free(ctx, place);
    return status;
}

/* The first columns of the Walsh-Hadamard matrix: without random signs its transform is a few spikes. */
static nigh_status aligned(nigh_context *ctx, int64_t n, int64_t d, uint64_t seed, instance *p)
{
    nigh_rng rng = nigh_rng_new(seed, 78);
    nigh_status status = instance_new(ctx, "columns of H", n, d, p);
    for (int64_t i = 0; i < n && !status; i++) {
        for (int64_t j = 0; j < d; j++) p->a[i * d + j] = __builtin_parityll((unsigned long long)(i & (j * 37 + 5))) ? -1 : 1;
        p->b[i] = nigh_rng_normal(&rng);
    }
    return status ? status : instance_solve(ctx, p);
}

/* ---- sketches done wrong -------------------------------------------------------------------------------------------------- */

static nigh_status wrong_sketch(const claim_run *run, nigh_context *ctx, const instance *p, int64_t m, uint64_t seed, double *sa)
{
    int64_t k = p->d + 1, *row = nigh_alloc(ctx, (size_t)m * sizeof *row);
    double *both = nigh_alloc(ctx, (size_t)(p->n * k) * sizeof *both);
    nigh_rng rng = nigh_rng_new(seed, 5);
    nigh_status status = row && both ? nigh_rng_choose(ctx, &rng, p->n, m, row) : NIGH_MEMORY;
    for (int64_t i = 0; i < p->n && !status; i++) {
        double sign = claim_sabotaged(run, "no-transform") && nigh_rng_u32(&rng) & 1 ? -1 : 1;
        for (int64_t j = 0; j < p->d; j++) both[i * k + j] = sign * p->a[i * p->d + j];
        both[i * k + p->d] = sign * p->b[i];
    }
    if (!status && claim_sabotaged(run, "no-signs")) {
        hadamard *h = NULL;
        void *room = NULL;
        status = hadamard_new(ctx, NIGH_F64, p->n, k, 1, &h);
        if (!status && !(room = nigh_alloc(ctx, hadamard_workspace(h) + 64))) status = NIGH_MEMORY;
        if (!status) hadamard_run(h, both, room);
        nigh_free(ctx, room);
        hadamard_free(h);
    }
    for (int64_t i = 0; i < m && !status; i++) memcpy(sa + i * k, both + row[i] * k, (size_t)k * sizeof *sa);
    nigh_free(ctx, row);
    nigh_free(ctx, both);
    return status;
}

/* Least squares of the rows as they are, without any bound; *singular when they do not determine x. */
static nigh_status wrong_solve(const claim_run *run, nigh_context *ctx, const instance *p, int64_t m, uint64_t seed, double *x, bool *singular)
{
    int64_t k = p->d + 1, rank = 0;
    double *sa = nigh_alloc(ctx, (size_t)(2 * m * k) * sizeof *sa), *a = sa ? sa + m * k : NULL, *b = sa ? a + m * p->d : NULL;
    nigh_status status = sa ? wrong_sketch(run, ctx, p, m, seed, sa) : NIGH_MEMORY;
    for (int64_t i = 0; i < m && !status; i++) {
        memcpy(a + i * p->d, sa + i * k, (size_t)p->d * sizeof *a);
        b[i] = sa[i * k + p->d];
    }
    if (!status) status = nigh_least_squares(ctx, NIGH_F64, m, p->d, 1, a, b, 1e-12, x, &rank);
    *singular = rank < p->d;
    nigh_free(ctx, sa);
    return status;
}

/* ---- trials ------------------------------------------------------------------------------------------------------------------- */

typedef struct trials {
    claim_run *run;
    const instance *p;
    int64_t m;
    uint64_t seed;
    bool count;    /* CountSketch */
    double *error; /* e_inf of each trial; INFINITY: singular */
    double *held;  /* share of coefficients within their bounds */
    double *width; /* median over coefficients of bound / |A x* - b|, worst first: largest bound */
    double *most;  /* largest |x'_i - x*_i| */
} trials;

static nigh_status trial(nigh_context *ctx, int index, void *user)
{
    trials *t = user;
    const instance *p = t->p;
    const claim_run *run = t->run;
    double *x = nigh_alloc_zero(ctx, 2 * (size_t)p->d, sizeof *x), *bound = x ? x + p->d : NULL;
    if (!x) return NIGH_MEMORY;
    bool singular = false, wrong = claim_sabotaged(run, "row-sampling") || claim_sabotaged(run, "no-signs") || claim_sabotaged(run, "no-transform");
    uint64_t seed = nigh_seed_split(t->seed, (uint64_t)index);
    nigh_squares_receipt receipt = {0};
    nigh_squares_rates rates = {.d = p->d, .threads = 1};
    nigh_squares_options o = {.method = t->count || claim_sabotaged(run, "count-sketch") ? NIGH_SQUARES_COUNT : NIGH_SQUARES_SRHT, .rows = t->m, .most = -1,
                              .seed = seed, .error = 1, .rates = &rates};
    nigh_status status = wrong && !t->count ? wrong_solve(run, ctx, p, t->m, seed, x, &singular)
                                            : nigh_squares_solve(ctx, &(nigh_squares){p->n, p->d, p->a, NULL, p->b, NULL}, &o, x, bound, &receipt);
    double worst = 0, held = 0, width = 0;
    for (int64_t i = 0; i < p->d && !status; i++) {
        double e = fabs(x[i] - p->x[i]);
        if (claim_sabotaged(run, "bound-without-rows")) bound[i] = receipt.residual * 4 / sqrt((double)t->m);
        worst = fmax(worst, e);
        held += e <= bound[i] * (1 + 1e-9);
        width = fmax(width, bound[i]);
    }
    t->error[index] = singular || receipt.fallbacks ? INFINITY : sqrt((double)p->d) * worst / (p->residual * p->inverse);
    t->held[index] = held / (double)p->d;
    t->width[index] = width;
    t->most[index] = singular ? INFINITY : worst;
    nigh_free(ctx, x);
    return status;
}

enum { MOST_TRIALS = 400 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What trials of one instance show. */
typedef struct outcome {
    double median, high; /* e_inf: median, 95%, of the trials that were not singular */
    double singular;     /* share of the others */
    double held;         /* share of coefficients x trials within their bounds */
    double width;        /* median of the largest bound over the median of the largest error */
} outcome;

static nigh_status run_trials(claim_run *run, const instance *p, int64_t m, int count, bool sparse, outcome *out)
{
    double block[4][MOST_TRIALS];
    trials t = {run, p, m, nigh_seed_split(claim_seed(run), (uint64_t)(p->d * 1000 + p->n % 997 + sparse)), sparse, block[0], block[1], block[2], block[3]};
    nigh_status status = claim_progress(run, p->name, 0, count);
    if (!status) status = claim_tasks(run, count, trial, &t);
    if (status) return status;
    double held = 0;
    for (int i = 0; i < count; i++) held += t.held[i] / count;
    for (int k = 0; k < 4; k++)
        if (k != 1) qsort(block[k], (size_t)count, sizeof(double), by_value);
    int regular = count;
    while (regular > 0 && !isfinite(t.error[regular - 1])) regular--;
    double high = 2 * regular > count ? t.error[(int)(0.95 * regular)] : INFINITY;
    *out = (outcome){t.error[count / 2], high, 1 - (double)regular / count, held, t.width[count / 2] / t.most[count / 2]};
    return NIGH_OK;
}

/* ---- 1: e_inf does not grow with d ------------------------------------------------------------------------------------------------ */

static nigh_status across(claim_run *run)
{
    static const int64_t full[] = {32, 64, 128, 256}, quick[] = {16, 64};
    const int64_t *sizes = run->quick ? quick : full, n = run->quick ? 4096 : 65536;
    int count = run->quick ? 2 : 4, trials_count = run->quick ? 50 : 100;
    char name[128];
    for (int kind = 0; kind < 3; kind++) {
        double low = INFINITY, high = 0, held = 0, width = 0;
        for (int k = 0; k < count; k++) {
            instance p = {0};
            outcome o;
            nigh_status status = kind == 1 ? identity(run->ctx, n, sizes[k], 32, claim_seed(run), &p) : gaussian(run->ctx, n, sizes[k], claim_seed(run), kind ? 1e4 : 1, &p);
            if (!status) status = run_trials(run, &p, 16 * sizes[k], trials_count, false, &o);
            if (!status) claim_note(run, "%s, d = %d: e_inf median %.3f, 95%% %.3f; guide sqrt(2 log(2 d) / 16) = %.3f", p.name, (int)sizes[k], o.median, o.high,
                                    sqrt(2 * log(2 * (double)sizes[k]) / 16));
            instance_free(run->ctx, &p);
            if (status) return status;
            low = fmin(low, o.high), high = fmax(high, o.high), held += o.held / count, width = fmax(width, o.width);
        }
        const char *what = kind == 0 ? "normal" : kind == 1 ? "identity over zeros" : "mixed to condition 1e4";
        if (kind < 2) {
            snprintf(name, sizeof name, "%s: 95%% quantile of e_inf, largest over smallest of all d", what);
            claim_bar(run, name, high / low, CLAIM_AT_MOST, 1.6, NULL);
        }
        snprintf(name, sizeof name, "%s: share of coefficients within their bounds", what);
        claim_bar(run, name, held, CLAIM_AT_LEAST, 0.99, NULL);
        snprintf(name, sizeof name, "%s: largest bound over largest error, medians", what);
        if (kind < 2) claim_bar(run, name, width, CLAIM_AT_MOST, 3, NULL);
        else claim_note(run, "%s: %.2f (errors go together along the shortest direction, the bound allows for d of their own)", name, width);
    }
    return NIGH_OK;
}

/* ---- 2: sparse sketches fail --------------------------------------------------------------------------------------------------------- */

static nigh_status hard(claim_run *run)
{
    int64_t n = run->quick ? 8192 : 32768, d = run->quick ? 32 : 64, m = n / 2;
    int count = run->quick ? 60 : 400;
    instance p = {0};
    outcome dense, sparse;
    nigh_status status = identity(run->ctx, n, d, (int64_t)ceil(0.1 * (double)m / (double)d), claim_seed(run), &p);
    if (!status) status = run_trials(run, &p, m, count, false, &dense);
    if (!status) status = run_trials(run, &p, m, count, true, &sparse);
    instance_free(run->ctx, &p);
    if (status) return status;
    claim_note(run, "hard instance, d = %d, m = %d: e_inf at 95%% %.3f (Hadamard) and %.3f (CountSketch, which was singular in %.0f%% of the trials besides)", (int)d, (int)m,
               dense.high, sparse.high, 100 * sparse.singular);
    claim_bar(run, "hard instance: singular Hadamard sketches", dense.singular, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "hard instance: 95% quantile of e_inf, CountSketch over Hadamard", sparse.high / dense.high, CLAIM_AT_LEAST, 4, NULL);
    claim_bar(run, "hard instance: share of coefficients within their bounds", dense.held, CLAIM_AT_LEAST, 0.99, NULL);
    claim_bar(run, "hard instance: largest bound over largest error, medians", dense.width, CLAIM_AT_MOST, 3, NULL);
    return NIGH_OK;
}

/* ---- 3: time ----------------------------------------------------------------------------------------------------------------------------- */

static nigh_status timed(nigh_context *ctx, const instance *p, nigh_squares_options o, double *x, double *seconds, nigh_squares_receipt *receipt)
{
    double began = nigh_clock();
    nigh_status status = nigh_squares_solve(ctx, &(nigh_squares){p->n, p->d, p->a, NULL, p->b, NULL}, &o, x, NULL, receipt);
    *seconds = nigh_clock() - began;
    return status;
}

static nigh_status large(claim_run *run)
{
    instance p = {0};
    double x[5][512], exact[512], ours = 0, theirs = 0, best[2] = {INFINITY, INFINITY}, error[5] = {0};
    nigh_squares_receipt receipt = {0};
    nigh_squares_rates rates = {.d = 512};
    nigh_squares_options o = {.method = NIGH_SQUARES_SRHT, .rows = 8192, .most = -1, .error = 1, .rates = &rates, .seed = claim_seed(run)};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 3);
    nigh_status status = instance_new(run->ctx, "large", 1 << 19, 512, &p);
    if (!status) nigh_rng_fill_normal(&rng, p.n * p.d + p.n, p.a);
    for (int k = 0; k < 5 && !status; k++) { /* the first two in turn with LAPACK */
        status = claim_progress(run, "2^19 x 512 beside LAPACK", k, 5);
        o.seed = nigh_seed_split(claim_seed(run), (uint64_t)k);
        if (!status) status = timed(run->ctx, &p, o, x[k], &ours, &receipt);
        if (!status && k < 2) status = squares_peer_solve(run->ctx, &(nigh_squares){p.n, p.d, p.a, NULL, p.b, NULL}, SQUARES_DGELS, exact, &theirs);
        if (k < 2) best[0] = fmin(best[0], ours), best[1] = fmin(best[1], theirs);
    }
    instance_free(run->ctx, &p);
    if (status) return status;
    double inverse = 1 / (sqrt(524288.0) - sqrt(512.0)); /* of normal numbers */
    claim_note(run, "2^19 x 512, sketch of 8192 rows: %.2f s with the check, LAPACK's dgels %.2f s; bound on e_inf %.2f", best[0], best[1], receipt.coordinate);
    claim_bar(run, "2^19 x 512: time of the sketch's solution over dgels", best[0] / best[1], CLAIM_AT_MOST, 0.5, NULL);
    for (int k = 0; k < 5; k++) {
        for (int j = 0; j < 512; j++) error[k] = fmax(error[k], sqrt(512.0) * fabs(x[k][j] - exact[j]) / (receipt.residual * inverse));
        claim_note(run, "2^19 x 512: e_inf of sketch %d: %.3f", k + 1, error[k]);
    }
    qsort(error, 5, sizeof *error, by_value);
    claim_bar(run, "2^19 x 512: e_inf, median of five sketches", error[2], CLAIM_AT_MOST, 0.8, NULL);
    return NIGH_OK;
}

/* The planner's time over that of the fastest method, each the best of three in turn. */
static nigh_status one_size(claim_run *run, int64_t n, int64_t d, double error, double *ratio, nigh_squares_method *chosen)
{
    static const nigh_squares_method methods[] = {NIGH_SQUARES_QR, NIGH_SQUARES_NORMAL, NIGH_SQUARES_SRHT, NIGH_SQUARES_COUNT};
    instance p = {0};
    double best[5] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY}, seconds;
    nigh_squares_receipt receipt;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 4);
    nigh_status status = instance_new(run->ctx, "grid", n, d, &p);
    if (!status) nigh_rng_fill_normal(&rng, n * d + n, p.a);
    for (int round = 0; round < 3 && !status; round++)
        for (int k = 0; k < 5 && !status; k++) {
            nigh_squares_options o = {.method = k < 4 ? methods[k] : NIGH_SQUARES_AUTO, .error = error, .seed = claim_seed(run)};
            status = timed(run->ctx, &p, o, p.x, &seconds, &receipt);
            if (k < 4) seconds -= receipt.seconds[4]; /* which is the planner's own */
            if (receipt.met) best[k] = fmin(best[k], seconds);
        }
    double least = fmin(fmin(best[0], best[1]), fmin(best[2], best[3]));
    *chosen = receipt.chosen.method;
    *ratio = best[4] / least;
    if (!status) claim_note(run, "%6d x %3d: %s %.4f s; qr %.4f, normal %.4f, srht %.4f, count %.4f", (int)n, (int)d, nigh_squares_method_name(*chosen), best[4], best[0],
                            best[1], best[2], best[3]);
    instance_free(run->ctx, &p);
    return status;
}

static nigh_status planner(claim_run *run)
{
    static const int64_t sizes[12][2] = {{16384, 16}, {131072, 16}, {524288, 16}, {16384, 64}, {131072, 64}, {524288, 64},
                                         {32768, 128}, {262144, 128}, {65536, 256}, {262144, 256}, {65536, 512}, {131072, 512}};
    double ratio[12], within = 0;
    nigh_squares_method chosen;
    int sketched = 0;
    for (int k = 0; k < 12; k++) {
        nigh_status status = claim_progress(run, "the planner on twelve sizes", k, 12);
        if (!status) status = one_size(run, sizes[k][0], sizes[k][1], 0.1, ratio + k, &chosen);
        if (status) return status;
        within += ratio[k] <= 1.2;
        sketched += sizes[k][1] == 64 && chosen == NIGH_SQUARES_SRHT;
    }
    claim_bar(run, "planner within 1.2 times the fastest method, of 12 sizes", within, CLAIM_AT_LEAST, 12, NULL);
    claim_bar(run, "Hadamard sketches chosen at d = 64", sketched, CLAIM_AT_MOST, 0, NULL);
    return NIGH_OK;
}

/* ---- 4 and 5: identities ------------------------------------------------------------------------------------------------------------------- */

static nigh_status definition(claim_run *run)
{
    enum { N = 200, D = 5, M = 60 };
    double a[N * D], out[M * D], worst = 0;
    srht *s = NULL;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 6);
    nigh_rng_fill_normal(&rng, N * D, a);
    nigh_status status = srht_new(run->ctx, nigh_cpu(), N, M, claim_seed(run), &s);
    if (!status) status = srht_apply(s, run->ctx, D, D, a, NULL, out);
    for (int k = 0; k < M && !status; k++)
        for (int j = 0; j < D; j++) {
            double sum = 0;
            for (int64_t i = 0; i < N; i++) {
                double sign = claim_sabotaged(run, "no-signs") ? 1 : srht_sign(s, i);
                sum += (__builtin_parityll((unsigned long long)(i & srht_row(s, k))) ? -1 : 1) * sign * a[i * D + j] / sqrt(M);
            }
            worst = fmax(worst, fabs(sum - out[k * D + j]));
        }
    srht_free(s);
    if (!status) claim_bar(run, "sketch against its definition", worst, CLAIM_AT_MOST, 1e-12, NULL);
    return status;
}

static nigh_status in_range(claim_run *run)
{
    instance p = {0};
    nigh_status status = gaussian(run->ctx, 4096, 32, nigh_seed_split(claim_seed(run), 9), 100, &p);
    outcome o;
    for (int64_t i = 0; i < p.n && !status; i++) {
        p.b[i] = 0;
        for (int64_t j = 0; j < p.d; j++) p.b[i] += p.a[i * p.d + j] * cos((double)j);
    }
    for (int64_t j = 0; j < p.d && !status; j++) p.x[j] = cos((double)j);
    p.residual = p.inverse = sqrt((double)p.d); /* e_inf becomes a plain error */
    p.inverse = 1;
    if (!status) status = run_trials(run, &p, 256, 10, false, &o);
    if (!status) claim_bar(run, "b in the range of A: largest error of a coefficient", o.high, CLAIM_AT_MOST, 1e-10, NULL);
    instance_free(run->ctx, &p);
    return status;
}

static nigh_status aligned_bar(claim_run *run)
{
    instance p = {0};
    outcome o;
    nigh_status status = aligned(run->ctx, 4096, 16, claim_seed(run), &p);
    if (!status) status = run_trials(run, &p, 512, 40, false, &o);
    if (!status) claim_bar(run, "columns of H: 95% quantile of e_inf", o.high, CLAIM_AT_MOST, 1, NULL);
    instance_free(run->ctx, &p);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = across(run);
    if (!status) status = hard(run);
    if (!status) status = definition(run);
    if (!status) status = in_range(run);
    if (!status) status = aligned_bar(run);
    if (!status && !run->quick && !run->sabotage) status = large(run);
    if (!status && !run->quick && !run->sabotage) status = planner(run);
    return status;
}

extern const nigh_claim claim_linf_regression_sketch;
const nigh_claim claim_linf_regression_sketch = {.slug = "linf-regression-sketch",
                                                .title = "A Nearly-Optimal Bound for Fast Regression with l_infinity Guarantee",
                                                .run = run_claim,
                                                .saboteurs = saboteurs};
