/* Recursive root leverage beside Lewis weights, and an instance on which sensitivities alone waste rows. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- 2: root leverage ---------------------------------------------------------------------------------------- */

/* Rows of Student's t with 3 degrees of freedom as their length. */
nigh_status heavy_rows(claim_run *run, int64_t n, int64_t d, uint64_t part, double **x)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), part), 0);
    if (!(*x = nigh_alloc(run->ctx, (size_t)(n * d) * sizeof **x))) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        double by = fabs(nigh_rng_student_t(&rng, 3));
        for (int64_t j = 0; j < d; j++) (*x)[i * d + j] = by * nigh_rng_normal(&rng);
    }
    return NIGH_OK;
}

typedef struct root_draws {
    const nigh_rows *rows;
    const nigh_gauge *gauge;
    uint64_t seed;
    double distortion[MOST_DRAWS], count[MOST_DRAWS], levels[MOST_DRAWS];
} root_draws;

static nigh_status root_draw(nigh_context *ctx, int i, void *user)
{
    root_draws *r = user;
    nigh_lp_report report;
    nigh_subset s;
    nigh_distortion d;
    nigh_lp_options o = {.p = 1, .scheme = NIGH_LP_ROOT_LEVERAGE, .unmeasured = true, .seed = nigh_seed_split(r->seed, (uint64_t)i)};
    nigh_status status = nigh_lp_sensitivity_sampling(ctx, r->rows, &o, &s, &report);
    if (status) return status;
    r->count[i] = (double)s.count, r->levels[i] = report.levels;
    status = nigh_gauge_measure(ctx, r->gauge, &s, &d);
    r->distortion[i] = d.largest;
    nigh_subset_free(ctx, &s);
    return status;
}

static nigh_status scoring_times(claim_run *run, const nigh_rows *rows, double *score)
{
    double root = INFINITY, lewis = INFINITY;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 5 && !status; i++) {
        double start = nigh_clock();
        status = nigh_leverage(run->ctx, rows, 0, 1, score, NULL);
        double middle = nigh_clock();
        if (!status) status = nigh_lewis_weights(run->ctx, rows, 0, 1, 15, 1e-2, score, NULL);
        root = fmin(root, middle - start), lewis = fmin(lewis, nigh_clock() - middle);
    }
    if (status) return status;
    claim_note(run, "scores of 1e6 x 10 rows, p=1: root leverage %.0f ms, Lewis weights to 1e-2 %.0f ms", 1e3 * root, 1e3 * lewis);
    claim_bar(run, "p=1: time of root leverage over that of Lewis weights", root / lewis, CLAIM_AT_MOST, 0.6, NULL);
    return NIGH_OK;
}

static double mean_log(int n, const double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += log(x[i]) / n;
    return sum;
}

nigh_status root_leverage(claim_run *run)
{
    int64_t n = run->quick ? 20000 : 1000000, d = run->quick ? 4 : 10;
    int draws = run->quick ? 4 : 12;
    double *x = NULL, *score = nigh_alloc(run->ctx, (size_t)n * sizeof *score), mean = 0, levels = 0;
    nigh_gauge *gauge = NULL;
    nigh_status status = score ? heavy_rows(run, n, d, 20, &x) : NIGH_MEMORY;
    nigh_rows rows = {.n = n, .d = d, .x = x};
    nigh_gauge_options options = {.most = 400000, .starts = 1, .steps = 30};
    if (!status) status = nigh_gauge_new(run->ctx, &rows, 0, 1, &options, &gauge);
    root_draws r = {.rows = &rows, .gauge = gauge, .seed = nigh_seed_split(claim_seed(run), 21)};
    if (!status) status = claim_tasks(run, draws, root_draw, &r);
    for (int i = 0; i < draws && !status; i++) mean += r.count[i] / draws, levels = fmax(levels, r.levels[i]);
    if (!status) status = nigh_lewis_weights(run->ctx, &rows, 0, 1, 15, 1e-2, score, NULL);
    /* Lewis weights with the same rows: distortion falls like 1 / sqrt(rows), so equal distortion needs (ratio of distortions)^-2 of them. */
    campaign c = {.rows = &rows, .gauge = gauge, .score = score, .seed = nigh_seed_split(claim_seed(run), 22), .draws = draws};
    if (!status) status = campaign_at(run, &c, mean);
    if (!status) {
        double ratio = exp(2 * (mean_log(draws, r.distortion) - mean_log(draws, c.distortion)));
        claim_note(run, "p=1, n=%lld, d=%lld: root leverage %.0f rows in %.0f levels, distortion %.3f (geometric mean of %d); Lewis weights %.3f with %.0f", (long long)n,
                   (long long)d, mean, levels, exp(mean_log(draws, r.distortion)), draws, exp(mean_log(draws, c.distortion)), c.rows_mean);
        claim_bar(run, "root leverage, p=1: levels", levels, CLAIM_AT_MOST, 4, NULL);
        claim_bar(run, "root leverage, p=1: rows over those of Lewis weights at the same distortion", ratio * mean / c.rows_mean, CLAIM_AT_MOST, run->quick ? 2.5 : 1.5, NULL);
    }
    if (!status && !run->quick) status = scoring_times(run, &rows, score);
    nigh_gauge_free(gauge);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, score);
    return status;
}

/* ---- 3: sensitivities alone waste rows ------------------------------------------------------------------------- */

/* Largest |kept / (q r) - 1| over `vectors` unit vectors, each r times: nine tenths of 50 draws are within what is returned. */
static double copies_distortion(uint64_t seed, int64_t vectors, int64_t r, double q)
{
    double worst[50];
    for (int i = 0; i < 50; i++) {
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)i);
        worst[i] = 0;
        for (int64_t j = 0; j < vectors && q < 1; j++) worst[i] = fmax(worst[i], fabs((double)nigh_rng_binomial(&rng, r, q) / (q * (double)r) - 1));
    }
    qsort(worst, 50, sizeof *worst, by_value);
    return worst[44];
}

/*
 * A = blockdiag(G, D): G of Gaussian rows, D of unit vectors, each r times with length 1 / r. By the mediant the distortion of A is the larger of those of its
 * blocks. *rows: expected number of rows within the error, with chances multiple (sigma + with_leverage tau).
 */
static nigh_status block_rows(claim_run *run, campaign *c, int64_t half, int64_t r, double with_leverage, double error, double *rows)
{
    double gaussian, sum = 0, low, high, share = 1 + with_leverage;
    nigh_status status = needed(run, c, 10 * (double)half, error, &gaussian);
    if (status) return status;
    double multiple = multiple_of(c->rows->n, c->score, gaussian);
    low = multiple * 1e-3, high = (double)r;
    for (int i = 0; i < 40; i++) { /* the least multiple for the copies */
        double middle = sqrt(low * high);
        if (copies_distortion(nigh_seed_split(claim_seed(run), 33), half, r, fmin(1, middle * share / (double)r)) <= error) high = middle;
        else low = middle;
    }
    double used = fmax(multiple, high);
    for (int64_t i = 0; i < c->rows->n; i++) sum += fmin(1, used * c->score[i]);
    *rows = sum + (double)(half * r) * fmin(1, used * share / (double)r);
    claim_note(run, "blocks, p=1, sigma%s: multiple %.1f for the Gaussian block, %.1f for the copies: %.0f + %.0f rows", with_leverage > 0 ? " + tau" : "", multiple, high, sum,
               *rows - sum);
    return NIGH_OK;
}

nigh_status blocks(claim_run *run)
{
    int64_t half = run->quick ? 12 : 256, n = run->quick ? 3000 : 20000, r = 1000;
    double *x = nigh_alloc(run->ctx, (size_t)(n * half) * sizeof *x), *sigma = nigh_alloc(run->ctx, (size_t)n * sizeof *sigma), *both = nigh_alloc(run->ctx, (size_t)n * sizeof *both);
    double plain = 0, augmented = 0;
    nigh_gauge *gauge = NULL;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 30), 0);
    nigh_rows rows = {.n = n, .d = half, .x = x};
    nigh_status status = x && sigma && both ? NIGH_OK : NIGH_MEMORY;
    if (!status) nigh_rng_fill_normal(&rng, n * half, x);
    if (!status) status = nigh_leverage(run->ctx, &rows, 0, 0, both, NULL);
    for (int64_t i = 0; i < n && !status; i++) {
        double square = 0;
        for (int64_t j = 0; j < half; j++) square += x[i * half + j] * x[i * half + j];
        sigma[i] = sqrt(square) / ((double)n * sqrt(2 / M_PI)), both[i] += sigma[i];
    }
    if (!status) status = nigh_gauge_new(run->ctx, &rows, 0, 1, &(nigh_gauge_options){.most = n * half, .random = 20, .starts = 1, .steps = 12}, &gauge);
    campaign c = {.rows = &rows, .gauge = gauge, .score = sigma, .seed = nigh_seed_split(claim_seed(run), 31), .draws = run->quick ? 6 : 4};
    if (!status) status = block_rows(run, &c, half, r, 0, 0.3, &plain);
    c.score = both;
    if (!status) status = block_rows(run, &c, half, r, 1, 0.3, &augmented);
    if (!status && !run->quick) claim_bar(run, "blocks, p=1, d=512: rows by sensitivity over those by sensitivity + leverage", plain / augmented, CLAIM_AT_LEAST, 1.5, NULL);
    nigh_gauge_free(gauge);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, sigma);
    nigh_free(run->ctx, both);
    return status;
}
