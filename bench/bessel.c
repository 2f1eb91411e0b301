/*
 * Nanoseconds an evaluation of log I and log K by region: single calls, arrays at each CPU level, the fast form, and GSL's lnKnu where it is
 * installed. CPU time of this thread, the best of --count rounds. With --json FILE the figures go there too. No bars but the last two lines.
 */
#include "common.h"

#include "function/bessel_kernel.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

#if defined(NIGH_HAVE_GSL)
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_bessel.h>
#endif

enum { N = 8192 };
enum { ALONE, LEVELS, FAST = LEVELS + 3, SINGLE, RIVAL, COLUMNS }; /* columns of the table */

typedef struct box {
    const char *name;
    double low_v, high_v, low_x, high_x;
} box;

static const box boxes[] = {{"v, x in [0, 150]", 0, 150, 1e-3, 150},    {"13 terms", 18, 30, 30, 40},       {"9 terms", 45, 80, 60, 100},
                            {"6 terms", 200, 400, 200, 600},            {"4 terms", 1e3, 1e4, 1e3, 1e4},    {"small, x < 1.5", 0, 12, 0.01, 1.5},
                            {"small, x in [1.5, 3]", 0, 12, 1.5, 3},    {"small, x in [3, 25]", 0, 12, 3, 25}};

typedef struct data {
    double v[N], x[N], y[N];
    float v32[N], x32[N], y32[N];
} data;

/* Seconds of one pass of one column, NAN when there is none. */
static double pass(data *d, int column, bool second)
{
    nigh_bessel what = second ? NIGH_LOG_BESSEL_K : NIGH_LOG_BESSEL_I;
    int n = column == RIVAL ? N / 16 : N;
    double start = nigh_clock_cpu();
    if (column == ALONE)
        for (int i = 0; i < N; i++) d->y[i] = second ? nigh_log_bessel_k(d->v[i], d->x[i]) : nigh_log_bessel_i(d->v[i], d->x[i]);
    else if (column == FAST) nigh_bessel_f64(what, NIGH_BESSEL_FAST_ERROR, N, d->v, d->x, d->y);
    else if (column == SINGLE) nigh_bessel_f32(what, N, d->v32, d->x32, d->y32);
    else if (column != RIVAL) {
        if (column - LEVELS > (int)nigh_cpu()) return NAN;
        bessel_array((nigh_cpu_level)(column - LEVELS), what, 0, N, d->v, d->x, d->y);
    } else {
#if defined(NIGH_HAVE_GSL)
        if (!second) return NAN;
        gsl_sf_result result;
        for (int i = 0; i < n; i++) d->y[i] = gsl_sf_bessel_lnKnu_e(d->v[i], d->x[i], &result) ? NAN : result.val;
#else
        return NAN;
#endif
    }
    return (nigh_clock_cpu() - start) / n;
}

static void measure(const bench_args *args, data *d, const box *b, bool second, double *best)
{
    nigh_rng rng = nigh_rng_new(args->seed, 1);
    int64_t rounds = args->count ? args->count : args->quick ? 5 : 100;
    for (int i = 0; i < N; i++) {
        d->v[i] = bench_between(&rng, b->low_v, b->high_v), d->x[i] = bench_between(&rng, b->low_x, b->high_x);
        d->v32[i] = (float)d->v[i], d->x32[i] = (float)d->x[i];
    }
    for (int c = ALONE; c < COLUMNS; c++) best[c] = INFINITY;
    for (int64_t round = 0; round < rounds; round++)
        for (int c = ALONE; c < COLUMNS; c++) {
            if (c == RIVAL && round % 10) continue;
            double seconds = pass(d, c, second);
            best[c] = isnan(seconds) ? NAN : fmin(best[c], seconds);
        }
}

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "log I and log K: nanoseconds an evaluation", &args);
    if (code >= 0) return code;
#if defined(NIGH_HAVE_GSL)
    gsl_set_error_handler_off();
#endif
    static data d;
    double call = NAN, array = NAN, rival = NAN;
    printf("%-24s %8s %8s %8s %8s %8s %8s %8s\n", "", "call", "scalar", "avx2", "avx512", "fast", "f32", "GSL");
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++)
        for (int second = 0; second < 2; second++) {
            double best[COLUMNS];
            char note[64];
            if (args.only && !strstr(boxes[i].name, args.only)) continue;
            measure(&args, &d, &boxes[i], second, best);
            printf("log %c %-18s", second ? 'K' : 'I', boxes[i].name);
            for (int c = ALONE; c < COLUMNS; c++) {
                if (isnan(best[c])) printf(" %8s", "-");
                else printf(" %8.1f", best[c] * 1e9);
            }
            printf("\n");
            snprintf(note, sizeof note, "ns an element, log %c, %s", second ? 'K' : 'I', boxes[i].name);
            bench_note(note, best[LEVELS + nigh_cpu()] * 1e9);
            if (i == 0 && second) call = best[ALONE], array = best[LEVELS + nigh_cpu()], rival = best[RIVAL];
        }
    if (!isnan(rival)) {
        bench_bar(1, "GSL lnKnu over log K in arrays, [0, 150]^2", rival / array, true, 5);
        bench_bar(2, "GSL lnKnu over single calls of log K, [0, 150]^2", rival / call, true, 5);
    }
    return bench_end(&args);
}
