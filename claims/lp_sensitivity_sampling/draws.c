/* Many draws of one kind, the rows they need, and how that grows on rows of a polynomial. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_status campaign_draw(nigh_context *ctx, int i, void *user)
{
    campaign *c = user;
    nigh_rng rng = nigh_rng_new(c->seed, (uint64_t)i);
    nigh_subset s;
    nigh_distortion d;
    nigh_status status = nigh_subset_independent(ctx, c->rows, c->score, c->multiple, &rng, &s, NULL);
    if (status) return status;
    for (int64_t j = 0; j < s.count && c->power_forgotten; j++) s.weight[j] *= s.weight[j]; /* rows times 1/q^(2/p) */
    c->count[i] = (double)s.count;
    status = nigh_gauge_measure(ctx, c->gauge, &s, &d);
    c->distortion[i] = c->random_only ? d.random : d.largest;
    nigh_subset_free(ctx, &s);
    return status;
}

int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double multiple_of(int64_t n, const double *score, double rows)
{
    double low = 0, high = 1;
    for (int i = 0; i < 200 && high > low * (1 + 1e-10); i++) {
        double middle = low > 0 ? (low + high) / 2 : high, sum = 0;
        for (int64_t j = 0; j < n; j++) sum += fmin(1, middle * score[j]);
        if (low == 0 && sum < rows) high *= 2;
        else if (low == 0) low = high / 2 * (1 - 1e-12);
        else if (sum >= rows) high = middle;
        else low = middle;
        if (low == 0 && high > 1e30) break; /* fewer rows have a score */
    }
    return high;
}

nigh_status campaign_at(claim_run *run, campaign *c, double rows)
{
    c->multiple = multiple_of(c->rows->n, c->score, rows);
    c->power_forgotten = claim_sabotaged(run, "weights"), c->random_only = claim_sabotaged(run, "random");
    nigh_status status = claim_tasks(run, c->draws, campaign_draw, c);
    if (status) return status;
    c->rows_mean = 0;
    for (int i = 0; i < c->draws; i++) c->rows_mean += c->count[i] / c->draws;
    double sorted[MOST_DRAWS];
    memcpy(sorted, c->distortion, (size_t)c->draws * sizeof *sorted);
    qsort(sorted, (size_t)c->draws, sizeof *sorted, by_value);
    c->high = sorted[(int)ceil(0.9 * c->draws) - 1];
    return claim_progress(run, "draws", rows, 0);
}

nigh_status needed(claim_run *run, campaign *c, double rows, double error, double *out)
{
    double low = 0, high = 0, at_low = 0, at_high = 0, n = (double)c->rows->n;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 14 && !status; i++) {
        double at = high > 0 && low > 0 ? sqrt(low * high) : high > 0 ? high / 2 : low > 0 ? 2 * low : rows;
        if (at > 0.6 * n) {
            *out = n;
            return NIGH_OK;
        }
        status = campaign_at(run, c, at);
        if (c->high <= error) high = c->rows_mean, at_high = c->high;
        else low = c->rows_mean, at_low = c->high;
        if (low > 0 && high > 0 && high < 1.3 * low) break;
    }
    if (!status) *out = exp(log(low) + log(high / low) * log(at_low / error) / log(at_low / at_high));
    return status;
}

/* ---- 1: polynomials ------------------------------------------------------------------------------------------ */

/* T_0 .. T_(d-1) at points of law Beta(.3, 3) on [-1, 1], and at 20 points beyond, up to 1.4. */
static nigh_status polynomial_rows(claim_run *run, int64_t n, int64_t d, uint64_t part, double **x)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), part), (uint64_t)d);
    if (!(*x = nigh_alloc(run->ctx, (size_t)(n * d) * sizeof **x))) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        double t = i < 20 ? 1.4 - 0.02 * (double)i : 2 * nigh_rng_beta(&rng, 0.3, 3) - 1, *row = *x + i * d;
        row[0] = 1, row[1] = t;
        for (int64_t j = 2; j < d; j++) row[j] = 2 * t * row[j - 1] - row[j - 2];
    }
    return NIGH_OK;
}

/* Leverage and sensitivity in equal parts. */
static nigh_status mixture_scores(nigh_context *ctx, const nigh_rows *rows, double p, const double *sigma, double total, double *score)
{
    nigh_scores found;
    nigh_status status = nigh_leverage(ctx, rows, 0, 0, score, &found);
    for (int64_t i = 0; i < rows->n && !status; i++) score[i] = score[i] / (double)found.rank + sigma[i] / total;
    (void)p;
    return status;
}

typedef struct polynomial {
    double sensitivity, mixture, lewis; /* rows needed */
    double uniform;                     /* share of draws within the error with ten times the sensitivities' */
    double total, bound;                /* S */
} polynomial;

static nigh_status polynomial_scores(claim_run *run, const nigh_rows *rows, double *sigma, double *mixture, double *lewis, polynomial *out)
{
    nigh_scores found;
    double error;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 11), (uint64_t)rows->d);
    nigh_status status = nigh_sensitivity_bounds(run->ctx, rows, 0, 4, sigma, NULL, &found);
    out->bound = found.sum;
    if (!status) status = nigh_sensitivity_total(run->ctx, rows, 0, 4, sigma, run->quick ? 20 : 40, &rng, &out->total, &error);
    if (!status) status = mixture_scores(run->ctx, rows, 4, sigma, out->bound, mixture);
    if (!status) status = nigh_lewis_weights(run->ctx, rows, 0, 4, 0, 1e-6, lewis, NULL);
    for (int64_t i = 0; i < rows->n && !status && claim_sabotaged(run, "uniform"); i++) sigma[i] = mixture[i] = 1;
    return status;
}

static nigh_status polynomial_of(claim_run *run, int64_t n, int64_t d, int draws, polynomial *out)
{
    double *x = NULL, *sigma = nigh_alloc(run->ctx, (size_t)n * sizeof *sigma), *mixture = nigh_alloc(run->ctx, (size_t)n * sizeof *mixture);
    double *lewis = nigh_alloc(run->ctx, (size_t)n * sizeof *lewis);
    nigh_gauge *gauge = NULL, *light = NULL;
    nigh_status status = sigma && mixture && lewis ? polynomial_rows(run, n, d, 10, &x) : NIGH_MEMORY;
    nigh_rows rows = {.n = n, .d = d, .x = x};
    if (!status) status = polynomial_scores(run, &rows, sigma, mixture, lewis, out);
    if (!status) status = nigh_gauge_new(run->ctx, &rows, 0, 4, &(nigh_gauge_options){.unproved = true}, &gauge);
    if (!status) status = nigh_gauge_new(run->ctx, &rows, 0, 4, &(nigh_gauge_options){.unproved = true, .random = 10, .starts = 1, .steps = 4}, &light);
    campaign c = {.rows = &rows, .gauge = gauge, .score = sigma, .seed = nigh_seed_split(claim_seed(run), 12), .draws = draws};
    if (!status) status = needed(run, &c, 40 * (double)d, 0.2, &out->sensitivity);
    c.score = mixture;
    if (!status) status = needed(run, &c, 40 * (double)d, 0.2, &out->mixture);
    c.score = lewis;
    if (!status) status = needed(run, &c, 40 * (double)d, 0.2, &out->lewis);
    for (int64_t i = 0; i < n && !status; i++) sigma[i] = 1;
    c.score = sigma, c.gauge = light, c.draws = run->quick ? 3 : 10; /* few directions are enough to see that it fails */
    double most = 10 * fmin(out->sensitivity, out->mixture);
    if (!status) status = campaign_at(run, &c, fmin(most, 0.98 * (double)n));
    out->uniform = 0;
    for (int i = 0; i < c.draws && !status; i++) out->uniform += (c.distortion[i] <= 0.2) / (double)c.draws;
    nigh_gauge_free(gauge);
    nigh_gauge_free(light);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, sigma);
    nigh_free(run->ctx, mixture);
    nigh_free(run->ctx, lewis);
    return status;
}

/* S of Gaussian rows, p = 4: near d^2 / 3. */
static nigh_status gaussian_total(claim_run *run, int64_t n, int64_t d)
{
    double *x = nigh_alloc(run->ctx, (size_t)(n * d) * sizeof *x), *bound = nigh_alloc(run->ctx, (size_t)n * sizeof *bound), total = 0, error = 0;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 13), 0);
    nigh_rows rows = {.n = n, .d = d, .x = x};
    nigh_status status = x && bound ? NIGH_OK : NIGH_MEMORY;
    if (!status) nigh_rng_fill_normal(&rng, n * d, x);
    if (!status) status = nigh_sensitivity_bounds(run->ctx, &rows, 0, 4, bound, NULL, NULL);
    if (!status) status = nigh_sensitivity_total(run->ctx, &rows, 0, 4, bound, run->quick ? 30 : 60, &rng, &total, &error);
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, bound);
    if (status) return status;
    claim_note(run, "Gaussian rows, p=4, n=%lld, d=%lld: S = %.3f +- %.3f; E |a|^4 / 3 = d (d + 2) / 3 = %.3f", (long long)n, (long long)d, total, error,
               (double)(d * (d + 2)) / 3);
    claim_bar_within(run, "Gaussian rows, p=4: S over d (d + 2) / 3", total / ((double)(d * (d + 2)) / 3), 0.85, 1.15, NULL);
    return NIGH_OK;
}

nigh_status polynomials(claim_run *run)
{
    static const int64_t sizes[2][5] = {{5, 8, 12, 17, 25}, {5, 9, 0, 0, 0}};
    int64_t n = run->quick ? 6000 : 100000;
    double lx = 0, ly = 0, lxx = 0, lxy = 0, worst_lewis = 0, worst_total = 0, uniform = 0;
    int count = run->quick ? 2 : 5;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count && !status; i++) {
        int64_t d = sizes[run->quick][i];
        polynomial p;
        status = polynomial_of(run, n, d, run->quick ? 10 : 50, &p);
        if (status) break;
        claim_note(run, "polynomials, p=4, d=%lld: rows needed by sensitivity %.0f, mixture %.0f, Lewis weights %.0f; S = %.2f (bound %.2f)", (long long)d, p.sensitivity,
                   p.mixture, p.lewis, p.total, p.bound);
        double best = fmin(p.sensitivity, p.mixture), a = log((double)d), b = log(best);
        lx += a, ly += b, lxx += a * a, lxy += a * b;
        worst_lewis = fmax(worst_lewis, best / p.lewis), worst_total = fmax(worst_total, p.total / (double)(2 * d - 1)), uniform = fmax(uniform, p.uniform);
    }
    if (status) return status;
    claim_bar(run, "polynomials, p=4: rows by sensitivity or mixture over those by Lewis weights, worst d", worst_lewis, CLAIM_AT_MOST, run->quick ? 1.3 : 1.1, NULL);
    claim_bar(run, "polynomials, p=4: uniform sampling with ten times as many rows, share of draws within 0.2", uniform, CLAIM_AT_MOST, 0.5, NULL);
    claim_bar(run, "polynomials, p=4: S over 2 d - 1, worst d", worst_total, CLAIM_AT_MOST, 1, NULL);
    if (!run->quick) claim_bar(run, "polynomials, p=4: slope of log rows in log d, d = 5 to 25", (count * lxy - lx * ly) / (count * lxx - lx * lx), CLAIM_AT_MOST, 1.75, NULL);
    return gaussian_total(run, run->quick ? 5000 : 100000, 10);
}
