/*
 * Scores of rows and samples by them, measured: seconds of leverage, Lewis weights and a measured distortion for 1e6 rows; regression in the first power with a tenth of gross
 * outliers on all rows and on a sample. row_samples.py has scikit-learn and statsmodels do the regression on as many rows as they can.
 *
 *   row_samples [--quick] [--only PART] [--count N]   --count: rows [1e6; quick: 1e5]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "nigh/sensitivity.h"

enum { TIMES = 5 };

static double *heavy(int64_t n, int64_t d, nigh_rng *rng)
{
    double *x = malloc((size_t)(n * d) * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) {
        double by = fabs(nigh_rng_student_t(rng, 3));
        for (int64_t j = 0; j < d; j++) x[i * d + j] = by * nigh_rng_normal(rng);
    }
    return x;
}

static void say(nigh_context *ctx, nigh_status status, const char *what, double seconds, double bytes)
{
    if (status) fprintf(stderr, "%s: %s\n", what, nigh_message(ctx));
    else if (bytes > 0) printf("%-46s %8.1f ms, %.1f GB/s\n", what, 1e3 * seconds, bytes / seconds * 1e-9);
    else printf("%-46s %8.1f ms\n", what, 1e3 * seconds);
    bench_note(what, seconds);
}

static void scores(nigh_context *ctx, int64_t n, int64_t d, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    double *x = heavy(n, d, &rng), *score = malloc((size_t)n * sizeof *score), best[4] = {INFINITY, INFINITY, INFINITY, INFINITY}, bytes = 8.0 * (double)(n * d);
    nigh_rows rows = {.n = n, .d = d, .x = x};
    nigh_scores lewis = {0};
    nigh_status status = x && score ? NIGH_OK : NIGH_MEMORY;
    for (int t = 0; t < TIMES && !status; t++) {
        double at[5];
        at[0] = nigh_clock();
        status = nigh_leverage(ctx, &rows, 0, 0, score, NULL), at[1] = nigh_clock();
        if (!status) status = nigh_leverage_sketched(ctx, &rows, 0, 0, seed, score, NULL);
        at[2] = nigh_clock();
        if (!status) status = nigh_lewis_weights(ctx, &rows, 0, 1, 15, 1e-2, score, &lewis);
        at[3] = nigh_clock();
        if (!status) status = nigh_lewis_weights(ctx, &rows, 0, 4, 0, 1e-8, score, NULL);
        at[4] = nigh_clock();
        for (int k = 0; k < 4; k++) best[k] = fmin(best[k], at[k + 1] - at[k]);
    }
    printf("%lld x %lld, best of %d:\n", (long long)n, (long long)d, TIMES);
    say(ctx, status, "  leverage, two passes", best[0], 2 * bytes);
    say(ctx, status, "  leverage, sketched", best[1], 0);
    say(ctx, status, "  Lewis weights, p = 1, to 1e-2", best[2], (lewis.rounds + 2) * bytes);
    say(ctx, status, "  Lewis weights, p = 4, to 1e-8", best[3], 0);
    free(x), free(score);
}

static nigh_status fit(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, double *model)
{
    nigh_loss_fit got;
    return nigh_loss_train(ctx, loss, rows, &(nigh_loss_fit_options){.tolerance = 1e-6}, model, &got);
}

static nigh_status fit_sample(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, uint64_t seed, double *model, int64_t *count)
{
    nigh_subset s = {0};
    nigh_rows taken;
    void *block = NULL;
    nigh_lp_options o = {.p = 1, .columns = NIGH_WITH_ONE | NIGH_WITH_TARGET, .scheme = NIGH_LP_ROOT_LEVERAGE, .unmeasured = true, .seed = seed};
    nigh_status status = nigh_lp_sensitivity_sampling(ctx, rows, &o, &s, NULL);
    if (!status) status = nigh_subset_take(ctx, rows, &s, &taken, &block);
    if (!status) status = fit(ctx, loss, &taken, model);
    *count = s.count;
    nigh_subset_free(ctx, &s);
    nigh_free(ctx, block);
    return status;
}

static void regression(nigh_context *ctx, int64_t n, uint64_t seed)
{
    enum { D = 10 };
    nigh_rng rng = nigh_rng_new(seed, 1);
    double *x = malloc((size_t)(n * D) * sizeof *x), *y = malloc((size_t)n * sizeof *y), model[D + 1], least = 0, cost = 0, full = INFINITY, part = INFINITY, worst = 0;
    int64_t count = 0;
    nigh_loss *loss = NULL;
    nigh_rows rows = {.n = n, .d = D, .x = x, .y = y};
    nigh_status status = x && y ? nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_LP, .p = 1}, &loss) : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) { /* as row_samples.py draws them */
        y[i] = 1;
        for (int64_t j = 0; j < D; j++) x[i * D + j] = nigh_rng_normal(&rng), y[i] += x[i * D + j] * (double)(j + 1) / D;
        y[i] += nigh_rng_laplace(&rng, 1) + (nigh_rng_f64(&rng) < 0.1 ? 300 * nigh_rng_normal(&rng) : 0);
    }
    for (int t = 0; t < 2 && !status; t++) {
        double start = nigh_clock();
        status = fit(ctx, loss, &rows, model);
        full = fmin(full, nigh_clock() - start);
    }
    if (!status) status = nigh_loss_cost(ctx, loss, &rows, model, &least);
    for (int t = 0; t < TIMES && !status; t++) {
        double start = nigh_clock();
        status = fit_sample(ctx, loss, &rows, nigh_seed_split(seed, (uint64_t)t), model, &count);
        part = fmin(part, nigh_clock() - start);
        if (!status) status = nigh_loss_cost(ctx, loss, &rows, model, &cost);
        worst = fmax(worst, cost / least);
    }
    printf("sum of |residuals|, %lld x %d with a tenth gross outliers:\n", (long long)n, D);
    say(ctx, status, "  all rows", full, 0);
    say(ctx, status, "  a sample by root leverage, scores included", part, 0);
    if (!status) printf("  %lld rows; cost on all rows over the least, worst of %d: %.4f\n", (long long)count, TIMES, worst);
    nigh_loss_free(loss);
    free(x), free(y);
}

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "scores of rows and samples by them", &args);
    if (code >= 0) return code;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    int64_t n = args.count ? args.count : args.quick ? 100000 : 1000000;
    if (!args.only || strstr("scores", args.only)) scores(ctx, n, 20, args.seed);
    if (!args.only || strstr("regression", args.only)) regression(ctx, n, args.seed);
    nigh_context_free(ctx);
    return bench_end(&args);
}
