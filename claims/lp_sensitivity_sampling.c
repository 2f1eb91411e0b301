/*
 * Claim of "Sharper Bounds for l_p Sensitivity Sampling": few rows, drawn by sensitivities and kin, keep |A x|_p^p for all x, and how many are needed follows the
 * sum of the sensitivities, not its worst case.
 *
 *   1  rows of a polynomial (few distinct products of columns): rows needed by sensitivities beside Lewis weights and uniform sampling, growth with the columns
 *   2  recursive root leverage beside Lewis weights, p = 1
 *   3  an instance on which sensitivities alone waste rows and sensitivity + leverage does not, p = 1
 *   4  regression in the first power with gross outliers
 *   5  exact identities
 *   6  a heavy row that is missed is seen
 */
#include "lp_sensitivity_sampling/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"uniform", "weights", "random", NULL};

/* ---- 4: regression ------------------------------------------------------------------------------------------------ */

/* y = x w + b + Laplace noise, a tenth of the rows off by hundreds; some rows of x are ten times as long. */
static nigh_status outlier_rows(claim_run *run, int64_t n, int64_t d, double **x, double **y)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 40), 0);
    *x = nigh_alloc(run->ctx, (size_t)(n * d) * sizeof **x), *y = nigh_alloc(run->ctx, (size_t)n * sizeof **y);
    if (!*x || !*y) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        double sum = 1, by = nigh_rng_f64(&rng) < 0.01 ? 10 : 1;
        for (int64_t j = 0; j < d; j++) {
            (*x)[i * d + j] = by * nigh_rng_normal(&rng);
            sum += (*x)[i * d + j] * (double)(j + 1) / (double)d;
        }
        (*y)[i] = sum + nigh_rng_laplace(&rng, 1) + (nigh_rng_f64(&rng) < 0.1 ? 300 * nigh_rng_normal(&rng) : 0);
    }
    return NIGH_OK;
}

static nigh_status coreset_fit(claim_run *run, const nigh_rows *rows, const nigh_loss *loss, uint64_t seed, double *model, double *count)
{
    nigh_subset s = {0};
    nigh_rows taken;
    void *block = NULL;
    nigh_loss_fit fit;
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_lp_options o = {.p = 1, .columns = NIGH_WITH_ONE | NIGH_WITH_TARGET, .scheme = NIGH_LP_ROOT_LEVERAGE, .error = 0.2, .unmeasured = true, .seed = seed};
    nigh_lp_report report;
    nigh_status status = nigh_lp_sensitivity_sampling(run->ctx, rows, &o, &s, &report);
    if (!status && claim_sabotaged(run, "uniform")) {
        int64_t same = s.count;
        nigh_subset_free(run->ctx, &s);
        status = nigh_subset_uniform(run->ctx, rows, same, false, &rng, &s);
    }
    for (int64_t i = 0; i < s.count && !status && claim_sabotaged(run, "weights"); i++) s.weight[i] *= s.weight[i];
    if (!status) status = nigh_subset_take(run->ctx, rows, &s, &taken, &block);
    if (!status) status = nigh_loss_train(run->ctx, loss, &taken, &(nigh_loss_fit_options){.tolerance = 1e-6}, model, &fit);
    *count = (double)s.count;
    nigh_subset_free(run->ctx, &s);
    nigh_free(run->ctx, block);
    return status;
}

static nigh_status regression(claim_run *run)
{
    int64_t n = run->quick ? 20000 : 1000000, d = 10;
    double *x = NULL, *y = NULL, model[11], best = 0, cost = 0, worst = 0, count = 0, full_time = INFINITY, subset_time = INFINITY;
    nigh_loss *loss = NULL;
    nigh_loss_fit fit;
    nigh_status status = outlier_rows(run, n, d, &x, &y);
    nigh_rows rows = {.n = n, .d = d, .x = x, .y = y};
    if (!status) status = nigh_loss_new(run->ctx, &(nigh_loss_options){.kind = NIGH_LOSS_LP, .p = 1}, &loss);
    for (int i = 0; i < (run->quick ? 1 : 2) && !status; i++) {
        double start = nigh_clock();
        status = nigh_loss_train(run->ctx, loss, &rows, &(nigh_loss_fit_options){.tolerance = 1e-6}, model, &fit);
        full_time = fmin(full_time, nigh_clock() - start);
    }
    if (!status) status = nigh_loss_cost(run->ctx, loss, &rows, model, &best);
    for (int i = 0; i < 5 && !status; i++) {
        double start = nigh_clock();
        status = coreset_fit(run, &rows, loss, nigh_seed_split(claim_seed(run), 41 + (uint64_t)i), model, &count);
        subset_time = fmin(subset_time, nigh_clock() - start);
        if (!status) status = nigh_loss_cost(run->ctx, loss, &rows, model, &cost);
        worst = fmax(worst, cost / best);
    }
    if (!status) {
        claim_note(run, "first power, %lld x %lld with a tenth gross outliers: all rows %.3f s, %.0f rows %.3f s", (long long)n, (long long)d, full_time, count, subset_time);
        claim_bar(run, "first power: cost of the subset's fit over the least on all rows, worst of 5", worst, CLAIM_AT_MOST, 1.05, NULL);
        if (!run->quick) claim_bar(run, "first power: time of scores, sample and fit over that of the fit to all rows", subset_time / full_time, CLAIM_AT_MOST, 0.3, NULL);
    }
    nigh_loss_free(loss);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, y);
    return status;
}

/* ---- 5: identities ------------------------------------------------------------------------------------------------- */

static nigh_status identities_of(claim_run *run, const nigh_rows *rows, double p, double *w, double *low, double *high)
{
    enum { CHOSEN = 300 };
    int64_t index[CHOSEN], n = rows->n, d = rows->d;
    double most = 0, exceeded = 0, closed = 0;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 51), (uint64_t)(10 * p));
    nigh_scores found;
    char name[128];
    nigh_status status = nigh_lewis_weights(run->ctx, rows, 0, p, 0, 0, w, &found);
    int chosen = run->quick ? 30 : CHOSEN;
    for (int i = 0; i < chosen; i++) index[i] = (int64_t)nigh_rng_below(&rng, (uint64_t)n);
    index[0] = 0;
    if (!status) status = nigh_sensitivities(run->ctx, rows, 0, p, chosen, index, 0, low, high);
    if (status) return status;
    for (int t = 0; t < 3000; t++) { /* directions by chance, and rows themselves */
        double v[8], sum = 0, mine[CHOSEN];
        if (t % 2) nigh_rng_sphere(&rng, d, v);
        else memcpy(v, rows->x + d * (int64_t)nigh_rng_below(&rng, (uint64_t)n), (size_t)d * sizeof *v);
        for (int64_t i = 0; i < n; i++) {
            double r = 0;
            for (int64_t j = 0; j < d; j++) r += v[j] * rows->x[i * d + j];
            sum += p == 1 ? fabs(r) : p == 3 ? fabs(r) * r * r : pow(fabs(r), p);
        }
        for (int i = 0; i < chosen; i++) {
            mine[i] = 0;
            for (int64_t j = 0; j < d; j++) mine[i] += v[j] * rows->x[index[i] * d + j];
            exceeded = fmax(exceeded, pow(fabs(mine[i]), p) / sum / high[i]);
        }
    }
    for (int i = 0; i < chosen; i++) most = fmax(most, high[i]), closed = fmax(closed, high[i] / low[i] - 1);
    snprintf(name, sizeof name, "p=%g: |sum of Lewis weights - d|", p);
    claim_bar(run, name, fabs(found.sum - (double)d), CLAIM_AT_MOST, 1e-8, NULL);
    snprintf(name, sizeof name, "p=%g: what Lewis weights leave of their equation", p);
    claim_bar(run, name, found.residual, CLAIM_AT_MOST, 1e-8, NULL);
    snprintf(name, sizeof name, "p=%g: largest sensitivity", p);
    claim_bar(run, name, most, CLAIM_AT_MOST, 1, NULL);
    snprintf(name, sizeof name, "p=%g: upper over lower bound of sensitivities - 1", p);
    claim_bar(run, name, closed, CLAIM_AT_MOST, 1e-6, NULL);
    snprintf(name, sizeof name, "p=%g: best of 3000 directions over the sensitivity", p);
    claim_bar(run, name, exceeded, CLAIM_AT_MOST, 1 + 1e-9, NULL);
    return NIGH_OK;
}

/* Mean of |S A x|_p^p / |A x|_p^p over 2000 draws, in standard errors from 1, worst of five directions. */
static nigh_status unbiased(claim_run *run, const nigh_rows *rows, double p, const double *score)
{
    enum { DRAWS = 2000, DIRECTIONS = 5 };
    int64_t n = rows->n, d = rows->d;
    double *value = nigh_alloc(run->ctx, (size_t)(n * DIRECTIONS) * sizeof *value), all[DIRECTIONS] = {0}, mean[DIRECTIONS] = {0}, square[DIRECTIONS] = {0}, worst = 0;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 52), 0);
    nigh_status status = value ? NIGH_OK : NIGH_MEMORY;
    for (int t = 0; t < DIRECTIONS && !status; t++) {
        double v[8];
        nigh_rng_sphere(&rng, d, v);
        for (int64_t i = 0; i < n; i++) {
            double r = 0;
            for (int64_t j = 0; j < d; j++) r += v[j] * rows->x[i * d + j];
            all[t] += value[i * DIRECTIONS + t] = pow(fabs(r), p);
        }
    }
    for (int k = 0; k < DRAWS && !status; k++) {
        nigh_subset s;
        double sum[DIRECTIONS] = {0};
        status = nigh_subset_independent(run->ctx, rows, score, 40, &rng, &s, NULL);
        if (status) break;
        for (int64_t i = 0; i < s.count; i++)
            for (int t = 0; t < DIRECTIONS; t++) sum[t] += s.weight[i] * (claim_sabotaged(run, "weights") ? s.weight[i] : 1) * value[s.index[i] * DIRECTIONS + t];
        for (int t = 0; t < DIRECTIONS; t++) mean[t] += sum[t] / all[t] / DRAWS, square[t] += sum[t] / all[t] * sum[t] / all[t] / DRAWS;
        nigh_subset_free(run->ctx, &s);
    }
    for (int t = 0; t < DIRECTIONS && !status; t++) worst = fmax(worst, fabs(mean[t] - 1) / sqrt((square[t] - mean[t] * mean[t]) / (DRAWS - 1)));
    nigh_free(run->ctx, value);
    if (!status) claim_bar(run, "p=3: mean of 2000 draws of |S A x|_p^p off |A x|_p^p, standard errors, worst of 5 directions", worst, CLAIM_AT_MOST, 3, NULL);
    return status;
}

/* ---- 6: a row that is missed ---------------------------------------------------------------------------------------- */

/* All rows but the heaviest with their weights: the distortion is that row's sensitivity, which few random directions see. */
static nigh_status missed_row(claim_run *run, const nigh_rows *rows, const double *sigma_of_heaviest, double p)
{
    int64_t n = rows->n;
    nigh_subset s = {.count = n - 1, .index = nigh_alloc(run->ctx, (size_t)n * sizeof *s.index), .weight = nigh_alloc(run->ctx, (size_t)n * sizeof *s.weight)};
    nigh_gauge *gauge = NULL;
    nigh_distortion found;
    nigh_status status = s.index && s.weight ? nigh_gauge_new(run->ctx, rows, 0, p, NULL, &gauge) : NIGH_MEMORY;
    for (int64_t i = 1; i < n && !status; i++) s.index[i - 1] = i, s.weight[i - 1] = 1;
    if (!status) status = nigh_gauge_measure(run->ctx, gauge, &s, &found);
    if (!status) {
        double largest = claim_sabotaged(run, "random") ? found.random : found.largest;
        claim_bar(run, "heaviest row left out, p=1: distortion found over its sensitivity", largest / *sigma_of_heaviest, CLAIM_AT_LEAST, 0.99, NULL);
        nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 61), 0);
        double seen = 0;
        nigh_subset_free(run->ctx, &s);
        for (int i = 0; i < 5 && !status; i++) {
            status = nigh_subset_uniform(run->ctx, rows, n / 20, false, &rng, &s);
            if (!status) status = nigh_gauge_measure(run->ctx, gauge, &s, &found);
            if (!status) seen += found.largest / 5;
            nigh_subset_free(run->ctx, &s);
        }
        if (!status) claim_bar(run, "uniform sampling of a twentieth, one row far off, p=1: distortion, mean of 5", seen, CLAIM_AT_LEAST, 0.9, NULL);
    }
    nigh_subset_free(run->ctx, &s);
    nigh_gauge_free(gauge);
    return status;
}

static nigh_status identities(claim_run *run)
{
    int64_t n = run->quick ? 1000 : 5000, d = 4;
    double *x = NULL, *w = nigh_alloc(run->ctx, (size_t)n * sizeof *w), *low = nigh_alloc(run->ctx, (size_t)n * sizeof *low), *high = nigh_alloc(run->ctx, (size_t)n * sizeof *high), off = 0;
    nigh_status status = w && low && high ? heavy_rows(run, n, d, 50, &x) : NIGH_MEMORY;
    nigh_rows rows = {.n = n, .d = d, .x = x};
    for (int64_t j = 0; j < d && !status; j++) x[j] *= 30000 / fabs(x[0]) / (double)(j + 1); /* row 0 is far off */
    if (!status) status = nigh_leverage(run->ctx, &rows, 0, 0, w, NULL);
    if (!status) status = nigh_sensitivities(run->ctx, &rows, 0, 2, n, NULL, 0, low, high);
    for (int64_t i = 0; i < n && !status; i++) off = fmax(off, fmax(fabs(w[i] - low[i]), fabs(w[i] - high[i])));
    if (!status) claim_bar(run, "p=2: sensitivity off leverage, worst row", off, CLAIM_AT_MOST, 1e-10, NULL);
    static const double ps[] = {1, 1.5, 3, 6};
    double heaviest = 0;
    for (int i = 0; i < 4 && !status; i++) {
        status = identities_of(run, &rows, ps[i], w, low, high);
        if (i == 0) heaviest = low[0];
        if (!status && ps[i] == 3) status = unbiased(run, &rows, 3, w);
    }
    if (!status) status = missed_row(run, &rows, &heaviest, 1);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, w);
    nigh_free(run->ctx, low);
    nigh_free(run->ctx, high);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = identities(run);
    if (!status) status = polynomials(run);
    if (!status) status = root_leverage(run);
    if (!status) status = blocks(run);
    return status ? status : regression(run);
}

extern const nigh_claim claim_lp_sensitivity_sampling;
const nigh_claim claim_lp_sensitivity_sampling = {
    .slug = "lp-sensitivity-sampling", .title = "Sharper Bounds for l_p Sensitivity Sampling", .run = run_claim, .saboteurs = saboteurs};
