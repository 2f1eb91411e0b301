/*
 * Do the bounds hold, and how much do they give away? Draws samples from error laws whose clipped mean, failure share and
 * 95% quantile are known, and prints per law, n and E/mean how often each 95% bound covered, with standard errors.
 *
 *     bounds_coverage [DRAWS [E/MEAN ...]]      default: 20000 1.25
 *
 * Exit 1 when a clipped-mean cell covers less than .945, or a median slack of lognormal .5 at 1.25 exceeds 1.35, 1.2,
 * 1.1 at n = 100, 300, 1000.
 */
#include "nigh/special.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum law { LOGNORMAL_HALF, LOGNORMAL_ONE, LOGNORMAL_WIDE, PARETO, FAILURES, CONSTANT, LAWS } law;
static const char *const law_names[] = {"lognormal .5", "lognormal 1", "lognormal 1.5", "pareto 2.2", "1% failures", "constant"};
static const double widths[] = {0.5, 1, 1.5};
static const double shape = 2.2, huge_error = 1000, tiny = 0.01, rare = 0.01;
enum { SIZES = 3, MOST = 1000 };
static const int64_t sizes[SIZES] = {100, 300, 1000};

static double draw(law which, nigh_rng *rng)
{
    switch (which) {
    case PARETO: return pow(1 - nigh_rng_f64(rng), -1 / shape);
    case FAILURES: return nigh_rng_f64(rng) < rare ? huge_error : tiny * nigh_rng_f64(rng);
    case CONSTANT: return 1;
    default: return exp(widths[which] * nigh_rng_normal(rng));
    }
}

static double mean_below(law which, double limit) /* E min(e, limit); limit INFINITY: the mean */
{
    double s = which <= LOGNORMAL_WIDE ? widths[which] : 0;
    switch (which) {
    case PARETO: return shape / (shape - 1) - pow(limit, 1 - shape) / (shape - 1);
    case FAILURES: return rare * fmin(huge_error, limit) + (1 - rare) * tiny / 2;
    case CONSTANT: return 1;
    default:
        if (isinf(limit)) return exp(s * s / 2);
        return exp(s * s / 2) * nigh_normal_cdf((log(limit) - s * s) / s) + limit * nigh_normal_tail(log(limit) / s);
    }
}

static double share_above(law which, double limit)
{
    switch (which) {
    case PARETO: return pow(limit, -shape);
    case FAILURES: return limit < huge_error ? rare : 0;
    case CONSTANT: return 0;
    default: return nigh_normal_tail(log(limit) / widths[which]);
    }
}

static double quantile95(law which)
{
    switch (which) {
    case PARETO: return pow(0.05, -1 / shape);
    case FAILURES: return tiny * 0.95 / (1 - rare);
    case CONSTANT: return 1;
    default: return exp(widths[which] * nigh_normal_quantile(0.95));
    }
}

typedef struct cell {
    double mean_cover, share_cover, quantile_cover, slack;
} cell;

static int one_draw(nigh_context *ctx, law which, int64_t n, double limit, uint64_t seed, uint64_t stream, bool covered[3],
                    double *slack)
{
    double e[MOST], clipped[MOST];
    nigh_rng rng = nigh_rng_new(seed, stream);
    int64_t failures = 0;
    for (int64_t i = 0; i < n; i++) {
        e[i] = draw(which, &rng);
        failures += e[i] > limit;
        clipped[i] = fmin(e[i], limit);
    }
    nigh_figure mean, share, quantile;
    if (nigh_bound_mean_betting(ctx, n, clipped, limit, 0.95, &mean) ||
        nigh_bound_share(ctx, failures, n, 0.95, false, &share) ||
        nigh_bound_quantile(ctx, n, e, 0.95, 0.95, &quantile))
        return 1;
    double truth = mean_below(which, limit);
    covered[0] = mean.high >= truth;
    covered[1] = share.high >= share_above(which, limit);
    covered[2] = quantile.high >= quantile95(which);
    *slack = mean.high / truth;
    return 0;
}

static int run_cell(law which, int64_t n, double ratio, int64_t draws, double *slacks, cell *out)
{
    double limit = 5 * ratio * mean_below(which, INFINITY);
    int64_t held[3] = {0, 0, 0};
    int failed = 0;
#pragma omp parallel reduction(+ : held[ : 3], failed)
    {
        nigh_context *ctx;
        if (nigh_context_new(&ctx) == NIGH_OK) {
#pragma omp for schedule(static)
            for (int64_t d = 0; d < draws; d++) {
                bool covered[3] = {false, false, false};
                failed += one_draw(ctx, which, n, limit, 1000003 * (uint64_t)(which + 1) + (uint64_t)n, (uint64_t)d,
                                   covered, &slacks[d]);
                for (int k = 0; k < 3; k++) held[k] += covered[k];
            }
            nigh_context_free(ctx);
        } else {
            failed++;
        }
    }
    double total = (double)draws;
    *out = (cell){.mean_cover = (double)held[0] / total, .share_cover = (double)held[1] / total,
                  .quantile_cover = (double)held[2] / total, .slack = nigh_median(draws, slacks)};
    return failed;
}

static double error_of(double share, int64_t draws) { return sqrt(share * (1 - share) / (double)draws); }

static void print_cell(law which, int64_t n, double ratio, int64_t draws, const cell *c, bool good)
{
    printf("%-14s %5lld %5.2f   %.4f +- %.4f  %7.4f   %.4f +- %.4f   %.4f +- %.4f%s\n", law_names[which], (long long)n,
           ratio, c->mean_cover, error_of(c->mean_cover, draws), c->slack, c->share_cover,
           error_of(c->share_cover, draws), c->quantile_cover, error_of(c->quantile_cover, draws), good ? "" : "  SHORT");
}

int main(int argc, char **argv)
{
    static const double most_slack[SIZES] = {1.35, 1.2, 1.1};
    int64_t draws = argc > 1 ? atoll(argv[1]) : 20000;
    double *slacks = draws > 0 ? malloc((size_t)draws * sizeof *slacks) : NULL;
    if (!slacks) return fprintf(stderr, "usage: bounds_coverage [DRAWS [E/MEAN ...]]\n"), 2;
    int failed = 0, fell_short = 0;
    printf("law                n  E/mean  clipped mean: cover, slack    failure share        95%% quantile\n");
    for (int arg = 2; arg < argc || arg == 2; arg++) {
        double ratio = arg < argc ? atof(argv[arg]) : 1.25;
        for (law which = LOGNORMAL_HALF; which < LAWS; which++)
            for (int s = 0; s < SIZES; s++) {
                cell c;
                failed += run_cell(which, sizes[s], ratio, draws, slacks, &c);
                bool good = c.mean_cover >= 0.945;
                if (which == LOGNORMAL_HALF && ratio == 1.25) good = good && c.slack <= most_slack[s];
                fell_short += !good;
                print_cell(which, sizes[s], ratio, draws, &c, good);
                fflush(stdout);
            }
    }
    free(slacks);
    if (failed) fprintf(stderr, "%d draws failed\n", failed);
    return failed || fell_short;
}
