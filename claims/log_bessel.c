/*
 * Claim of "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs": log I and log K of real order to machine precision and fast
 * where other libraries overflow or crawl, and with them von Mises-Fisher fits in tens of thousands of dimensions.
 *
 *   1  errors against quadruple precision on log-uniform v in [1e-2, 1e5], x in [1e-3, 1e5], on every border of the regions with its neighbours,
 *      and around the zeros of log I; ratios; f32
 *   2  on how many of those points a library of scaled functions (I e^-x, K e^x in double) could answer at all
 *   3  identities: Wronskian, half-integer orders
 *   4  fits of kappa from 2000 vectors in up to 32768 dimensions
 *   5  (full only) nanoseconds an evaluation where the uniform expansion is used
 */
#include "common.h"

#include "core/expr.h"
#include "function/bessel_kernel.h"
#include "function/bessel_reference.h"
#include "nigh/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"remembered-table", "plain-doubles", "unscaled-values", "ratio-by-difference", NULL};

/* ---- what is measured, or a way of doing it wrong -------------------------------------------------------- */

/* The paper's thresholds as they go around: right to 1e-13 at best. */
static int remembered_region(double v, double x)
{
    if (x > 274.2377 || v > 163.6993) return BESSEL_DEBYE_4;
    if (x > 59.6925 || v > 56.9971) return BESSEL_DEBYE_6;
    if (x > 19.6931 || v > 20.1534) return BESSEL_DEBYE_9;
    return v > 12.6964 ? BESSEL_DEBYE_13 : BESSEL_RARE;
}

static double remembered(bool second, double v, double x)
{
    double y, shift = 0;
    int region = remembered_region(v, x);
    if (region == BESSEL_RARE) return second ? nigh_log_bessel_k(v, x) : nigh_log_bessel_i(v, x);
    bessel_kernels_at(NIGH_CPU_SCALAR)[0]->run[BESSEL_FULL][second ? BESSEL_LOG_K : BESSEL_LOG_I][region](1, &v, &x, shift, &y);
    return y;
}

/* The exponent r - v asinh(v/x) in single doubles, the rest exact. */
static double plain(bool second, double v, double x)
{
    double r = hypot(v, x), eta = r - v * asinh(v / x), right = second ? nigh_log_bessel_k(v, x) : nigh_log_bessel_i(v, x);
    long double exact = hypotl(v, x) - v * asinhl((long double)v / x);
    return (double)((long double)right + (second ? -1 : 1) * ((long double)eta - exact));
}

/* The logarithm of a double that may be 0 or infinite. */
static double through_value(bool second, double v, double x)
{
    return second ? log(nigh_bessel_k_scaled(v, x)) - x : log(nigh_bessel_i_scaled(v, x)) + x;
}

static void evaluate(const claim_run *run, bool second, int64_t n, const double *v, const double *x, double *y)
{
    double (*wrong)(bool, double, double) = claim_sabotaged(run, "remembered-table")  ? remembered
                                            : claim_sabotaged(run, "plain-doubles")   ? plain
                                            : claim_sabotaged(run, "unscaled-values") ? through_value
                                                                                      : NULL;
    for (int64_t i = 0; wrong && i < n; i++) y[i] = wrong(second, v[i], x[i]);
    if (!wrong) nigh_bessel_f64(second ? NIGH_LOG_BESSEL_K : NIGH_LOG_BESSEL_I, 0, n, v, x, y);
}

static double ratio(const claim_run *run, bool second, double v, double x)
{
    if (claim_sabotaged(run, "ratio-by-difference"))
        return second ? exp(nigh_log_bessel_k(v + 1, x) - nigh_log_bessel_k(v, x)) : exp(nigh_log_bessel_i(v + 1, x) - nigh_log_bessel_i(v, x));
    return second ? nigh_bessel_ratio_k(v, x) : nigh_bessel_ratio_i(v, x);
}

/* ---- 1 and 2: points, errors ----------------------------------------------------------------------------- */

typedef struct points {
    int64_t n, random; /* the first `random` are log-uniform */
    double *v, *x, *y[2];
    double *error[2];
} points;

static double log_uniform(nigh_rng *rng, double low, double high) { return exp(log(low) + log(high / low) * nigh_rng_f64(rng)); }

static void add_with_neighbours(points *p, double v, double x)
{
    for (int i = 0; i < 4; i++) {
        p->v[p->n] = v == 0 ? 0 : nextafter(v, i & 1 ? INFINITY : 0);
        p->x[p->n++] = nextafter(x, i & 2 ? INFINITY : 0);
    }
}

enum { ANGLES = 30, ALONG = 20, ZEROS = 200, EXTRA = 4 * (4 * ANGLES + 3 * 36 + 8 * ALONG) + ZEROS };

static void add_borders(points *p)
{
    static const double ellipse[][2] = {{29.6, 1.6}, {58, 0.8}, {180, 0.9}, {950, 0.7}}, table_v[] = {163.6993, 56.9971, 20.1534, 12.6964},
                        table_x[] = {274.2377, 59.6925, 19.6931, 30};
    for (int e = 0; e < 4; e++)
        for (int k = 0; k < ANGLES; k++) {
            double angle = k * 1.5707 / (ANGLES - 1);
            add_with_neighbours(p, ellipse[e][0] * sin(angle) / sqrt(1 + ellipse[e][1]), ellipse[e][0] * cos(angle));
        }
    for (int k = 0; k < 36; k++) { /* half-integer orders, where the recurrences change their length */
        add_with_neighbours(p, 0.5 * k, BESSEL_NEAR);
        add_with_neighbours(p, 0.5 * k, BESSEL_FAR);
        add_with_neighbours(p, 0.5 * k, 0.01 + 0.03 * k);
    }
    for (int e = 0; e < 4; e++) /* the borders of the paper's table */
        for (int k = 0; k < ALONG; k++) {
            add_with_neighbours(p, table_v[e], 1e-3 * pow(10, 8.0 * k / (ALONG - 1)));
            add_with_neighbours(p, 1e-2 * pow(10, 7.0 * k / (ALONG - 1)), table_x[e]);
        }
}

/* Near log I = 0, where the exponent is a difference of large numbers: x = 0.6627434 v, and a little off. */
static void add_zeros(points *p, nigh_rng *rng)
{
    for (int i = 0; i < ZEROS; i++) {
        double v = log_uniform(rng, 10, 1e5);
        p->v[p->n] = v;
        p->x[p->n++] = v * (0.6627434193491816 + 3 * log(v) / v * (nigh_rng_f64(rng) - 0.2));
    }
}

enum { PART = 500 };

static nigh_status error_task(nigh_context *ctx, int index, void *user)
{
    points *p = user;
    (void)ctx;
    for (int64_t i = (int64_t)index * PART; i < p->n && i < (int64_t)(index + 1) * PART; i++)
        for (int second = 0; second < 2; second++) {
            nigh_f128 truth = second ? bessel_reference_log_k(p->v[i], p->x[i]) : bessel_reference_log_i(p->v[i], p->x[i]);
            p->error[second][i] = fabs((double)(p->y[second][i] - truth)) / fmax(1, fabs((double)truth));
        }
    return NIGH_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static nigh_status accuracy_bars(claim_run *run, points *p)
{
    static const char *const names[2] = {"log I", "log K"};
    char name[96];
    int64_t finite = 0, within = 0, batch = 40;
    for (int second = 0; second < 2; second++) evaluate(run, second, p->n, p->v, p->x, p->y[second]);
    int parts = (int)((p->n + PART - 1) / PART);
    for (int first = 0; first < parts; first += (int)batch) {
        nigh_status status = claim_progress(run, "references in quadruple precision", first, parts);
        int64_t skip = (int64_t)first * PART, rest = p->n - skip < batch * PART ? p->n - skip : batch * PART;
        points some = {.n = rest, .v = p->v + skip, .x = p->x + skip, .y = {p->y[0] + skip, p->y[1] + skip}, .error = {p->error[0] + skip, p->error[1] + skip}};
        if (!status) status = claim_tasks(run, (int)((rest + PART - 1) / PART), error_task, &some);
        if (status) return status;
    }
    for (int64_t i = 0; i < p->n; i++) finite += isfinite(p->y[0][i]) && isfinite(p->y[1][i]);
    for (int second = 0; second < 2; second++) {
        double worst = 0;
        int64_t at = 0;
        for (int64_t i = 0; i < p->n; i++)
            if (!(p->error[second][i] <= worst)) worst = isnan(p->error[second][i]) ? INFINITY : p->error[second][i], at = i;
        snprintf(name, sizeof name, "%s: largest error, relative to max(1, |log|)", names[second]);
        claim_bar(run, name, worst, CLAIM_AT_MOST, 5e-14, NULL);
        claim_note(run, "%s: largest error at v = %.17g, x = %.17g", names[second], p->v[at], p->x[at]);
        qsort(p->error[second], (size_t)p->random, sizeof(double), by_value);
        snprintf(name, sizeof name, "%s: median error", names[second]);
        claim_bar(run, name, p->error[second][p->random / 2], CLAIM_AT_MOST, 5e-16, NULL);
    }
    claim_bar(run, "share of points with finite answers", (double)finite / (double)p->n, CLAIM_AT_LEAST, 1, NULL);
    for (int64_t i = 0; i < p->random; i++) { /* exp of the scaled logarithms, subnormal numbers allowed */
        double i_scaled = nigh_log_bessel_i_scaled(p->v[i], p->x[i]), k_scaled = nigh_log_bessel_k_scaled(p->v[i], p->x[i]);
        within += i_scaled > log(DBL_TRUE_MIN) && k_scaled < log(DBL_MAX);
    }
    claim_bar(run, "share where I e^-x and K e^x are doubles at all", (double)within / (double)p->random, CLAIM_AT_MOST, 0.85, NULL);
    return NIGH_OK;
}

static nigh_status point_bars(claim_run *run)
{
    int64_t random = run->quick ? 2000 : 200000, room = random + EXTRA;
    points p = {.random = random};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 0);
    double *block = nigh_alloc(run->ctx, 6 * (size_t)room * sizeof *block);
    if (!block) return NIGH_MEMORY;
    p.v = block, p.x = block + room;
    for (int k = 0; k < 2; k++) p.y[k] = block + (2 + k) * room, p.error[k] = block + (4 + k) * room;
    for (; p.n < random; p.n++) {
        p.v[p.n] = log_uniform(&rng, 1e-2, 1e5);
        p.x[p.n] = log_uniform(&rng, 1e-3, 1e5);
    }
    add_borders(&p);
    add_zeros(&p, &rng);
    nigh_status status = accuracy_bars(run, &p);
    nigh_free(run->ctx, block);
    return status;
}

static void ratio_bars(claim_run *run)
{
    nigh_rng rng = nigh_rng_new(claim_seed(run), 1);
    double worst[2] = {0, 0}, single = 0;
    for (int i = 0; i < (run->quick ? 500 : 5000); i++) {
        double v = log_uniform(&rng, 1e-2, 1e5), x = log_uniform(&rng, 1e-3, 1e5);
        nigh_f128 i0 = bessel_reference_log_i(v, x), k0 = bessel_reference_log_k(v, x);
        nigh_f128 truth[2] = {F128(exp)(bessel_reference_log_i((nigh_f128)v + 1, x) - i0), F128(exp)(bessel_reference_log_k((nigh_f128)v + 1, x) - k0)};
        for (int second = 0; second < 2; second++) worst[second] = fmax(worst[second], fabs((double)(ratio(run, second, v, x) / truth[second] - 1)));
        float order = (float)v, argument = (float)x, y;
        nigh_log_bessel_k_f32(1, &order, &argument, &y);
        nigh_f128 log_k = bessel_reference_log_k((double)order, (double)argument);
        single = fmax(single, fabs((double)((nigh_f128)y - log_k)) / fmax(1, fabs((double)log_k)) * 0x1p24);
    }
    claim_bar(run, "I_(v+1)/I_v: largest relative error", worst[0], CLAIM_AT_MOST, 1e-14, NULL);
    claim_bar(run, "K_(v+1)/K_v: largest relative error", worst[1], CLAIM_AT_MOST, 1e-14, NULL);
    claim_bar(run, "log K in f32: largest error in 2^-24 max(1, |log|)", single, CLAIM_AT_MOST, 1.3, NULL);
}

/* ---- 3: identities --------------------------------------------------------------------------------------- */

static void identity_bars(claim_run *run)
{
    nigh_rng rng = nigh_rng_new(claim_seed(run), 2);
    double wronskian = 0, half = 0;
    const double log_half_pi = 0.45158270528945486473;
    bool even = true;
    for (int i = 0; i < 20000; i++) {
        double order[2] = {log_uniform(&rng, 1e-2, 1e5), 0}, x[2], li[2], lk[2];
        x[0] = x[1] = log_uniform(&rng, 1e-3, 1e5);
        order[1] = order[0] + 1;
        evaluate(run, false, 2, order, x, li);
        evaluate(run, true, 2, order, x, lk);
        double a = li[0] + lk[1], b = li[1] + lk[0], sum = fmax(a, b) + log1p(exp(-fabs(a - b)));
        double error = fabs(sum + log(x[0])) / fmax(1, fabs(li[0])), rounded = order[1] - order[0] - 1;
        if (rounded == 0) wronskian = error <= wronskian ? wronskian : error; /* NaN is kept */
        even &= nigh_log_bessel_k(-order[0], x[0]) == nigh_log_bessel_k(order[0], x[0]);
        double h = 0.5, log_k = 0.5 * (2 * log_half_pi - log_half_pi - log(x[0])) - x[0], y;
        evaluate(run, true, 1, &h, x, &y);
        half = fmax(half, fabs(y - log_k) / fmax(1, fabs(log_k)));
        double log_i = -0.5 * (log_half_pi + log(x[0])) + x[0] + log(-expm1(-2 * x[0]) / 2);
        evaluate(run, false, 1, &h, x, &y);
        half = fmax(half, fabs(y - log_i) / fmax(1, fabs(log_i)));
    }
    claim_bar(run, "log(I_v K_(v+1) + I_(v+1) K_v) + log x, relative to max(1, |log I|)", wronskian, CLAIM_AT_MOST, 1e-13, NULL);
    claim_bar(run, "order 1/2 against sinh and exp", half, CLAIM_AT_MOST, 1e-14, NULL);
    claim_bar(run, "K_-v = K_v", even, CLAIM_AT_LEAST, 1, NULL);
}

/* ---- 4: von Mises-Fisher --------------------------------------------------------------------------------- */

typedef struct sphere_task {
    int64_t d;
    double kappa;
    uint64_t seed;
    nigh_vmf_fit fit;
} sphere_task;

/* Vectors are drawn one by one and only their sum is kept. */
static nigh_status fit_task(nigh_context *ctx, int index, void *user)
{
    enum { N = 2000 };
    sphere_task *t = (sphere_task *)user + index;
    size_t bytes = (size_t)t->d * sizeof(double);
    double *mean = nigh_alloc(ctx, bytes), *x = nigh_alloc(ctx, bytes), *sum = nigh_alloc_zero(ctx, (size_t)t->d, sizeof *sum);
    nigh_status status = mean && x && sum ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(t->seed, 0);
    if (!status) nigh_rng_sphere(&rng, t->d, mean);
    for (int i = 0; i < N && !status; i++) {
        status = nigh_vmf_sample(ctx, &rng, t->d, mean, t->kappa, 1, x);
        for (int64_t j = 0; j < t->d && !status; j++) sum[j] += x[j];
    }
    if (!status) status = nigh_vmf_fit_sum(ctx, N, t->d, sum, x, &t->fit);
    nigh_free(ctx, sum);
    nigh_free(ctx, x);
    nigh_free(ctx, mean);
    return status;
}

static nigh_status sphere_bars(claim_run *run)
{
    static const int64_t dimension[] = {2048, 8192, 32768};
    sphere_task tasks[6];
    int count = run->quick ? 4 : 6;
    double slope = 0;
    for (int i = 0; i < count; i++) {
        double d = (double)dimension[i / 2];
        tasks[i] = (sphere_task){.d = dimension[i / 2], .kappa = i % 2 ? 2 * d : d / 2, .seed = nigh_seed_split(claim_seed(run), 100 + (uint64_t)i)};
    }
    nigh_status status = claim_progress(run, "von Mises-Fisher fits", 0, 0);
    if (!status) status = claim_tasks(run, count, fit_task, tasks);
    for (int i = 0; i < count && !status; i++) {
        char name[96];
        double v = 0.5 * (double)tasks[i].d - 1, value;
        evaluate(run, false, 1, &v, &tasks[i].kappa, &value);
        snprintf(name, sizeof name, "fit in R^%d, kappa = %g: relative error of kappa", (int)tasks[i].d, tasks[i].kappa);
        claim_bar(run, name, isfinite(value) ? fabs(tasks[i].fit.kappa / tasks[i].kappa - 1) : INFINITY, CLAIM_AT_MOST, 0.03, NULL);
        claim_note(run, "R^%d: kappa %.6g +- %.2g, log I = %.6g (the largest of a double is 709.8)", (int)tasks[i].d, tasks[i].fit.kappa, tasks[i].fit.error, value);
        slope = fmax(slope, fabs(tasks[i].fit.slope));
    }
    if (!status) claim_bar(run, "fits: derivative of the log-likelihood that is left", slope, CLAIM_AT_MOST, 1e-9, NULL);
    return status;
}

/* ---- 5: time --------------------------------------------------------------------------------------------- */

static nigh_status time_bars(claim_run *run)
{
    enum { N = 4096, REPS = 200 };
    double *v = nigh_alloc(run->ctx, 3 * N * sizeof *v), *x = v + N, *y = x + N, alone = INFINITY, array = INFINITY;
    if (!v) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 3);
    for (int i = 0; i < N; i++) {
        do {
            v[i] = 150 * nigh_rng_f64(&rng), x[i] = 150 * nigh_rng_f64(&rng);
        } while (x[i] * x[i] + 2.6 * v[i] * v[i] < 29.6 * 29.6);
    }
    for (int rep = 0; rep < REPS; rep++) {
        double t = nigh_clock_cpu();
        for (int i = 0; i < N; i++) y[i] = nigh_log_bessel_k(v[i], x[i]);
        double middle = nigh_clock_cpu();
        nigh_log_bessel_k_f64(N, v, x, y);
        array = fmin(array, (nigh_clock_cpu() - middle) * 1e9 / N);
        alone = fmin(alone, (middle - t) * 1e9 / N);
    }
    nigh_free(run->ctx, v);
    claim_bar(run, "ns a call, uniform expansion, v and x in [0, 150]", alone, CLAIM_AT_MOST, 60, NULL);
    claim_bar(run, "ns an element in arrays, the same", array, CLAIM_AT_MOST, 15, nigh_cpu() == NIGH_CPU_AVX512 ? NULL : "this CPU has no AVX-512");
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = point_bars(run);
    if (status) return status;
    ratio_bars(run);
    identity_bars(run);
    status = sphere_bars(run);
    if (!status && !run->quick) status = time_bars(run);
    return status;
}

extern const nigh_claim claim_log_bessel;
const nigh_claim claim_log_bessel = {.slug = "log-bessel", .title = "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs",
                                     .run = run_claim, .saboteurs = saboteurs};
