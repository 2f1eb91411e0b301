/*
 * Claim of "Faster Algorithms for Text-to-Pattern Hamming Distances": exact, bounded and approximate distances at every shift, by whichever of several
 * algorithms is the fastest.
 *
 *   1  all exact and bounded variants equal the loop over all pairs; transforms whose rounding is too coarse are noticed
 *   2  (full) seconds of one core: transforms and heavy-light beside vector comparisons and the plain loop; the planner's choice on a grid
 *   3  (full) heavy-light grows as the root of m on sqrt(m) symbols
 *   4  relative errors of sampling and hashing, hashing never above; (full) their time beside the best exact variant
 *   5  bounded distances of reads in a genome; (full) early exit beside all comparisons
 *
 * Seconds are those of the CPU, with one thread.
 */
#include "common.h"

#include "nigh/fft.h"
#include "nigh/hamming.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

static const char *const saboteurs[] = {"only-sampled", "short-overlap", "heavy-twice", "no-rounding-check", NULL};

/* ---- texts -------------------------------------------------------------------------------------------------------- */

typedef struct texts {
    nigh_context *ctx;
    int64_t n, m;
    uint16_t *t, *p;
    uint8_t *narrow; /* both, where symbols are bytes */
    uint32_t *exact, *out;
    nigh_symbols text, pattern;
} texts;

static void texts_free(texts *x)
{
    void *all[] = {x->t, x->p, x->narrow, x->exact, x->out};
    for (int i = 0; i < 5; i++) nigh_free(x->ctx, all[i]);
}

static nigh_status texts_new(nigh_context *ctx, int64_t n, int64_t m, texts *x)
{
    *x = (texts){.ctx = ctx, .n = n, .m = m};
    x->t = nigh_alloc(ctx, (size_t)n * sizeof *x->t);
    x->p = nigh_alloc(ctx, (size_t)m * sizeof *x->p);
    x->narrow = nigh_alloc(ctx, (size_t)(n + m));
    x->exact = nigh_alloc(ctx, (size_t)n * sizeof *x->exact);
    x->out = nigh_alloc(ctx, (size_t)n * sizeof *x->out);
    if (x->t && x->p && x->narrow && x->exact && x->out) return NIGH_OK;
    texts_free(x);
    return NIGH_MEMORY;
}

static void views(texts *x, int64_t sigma)
{
    bool bytes = sigma <= 256;
    for (int64_t i = 0; i < x->n && bytes; i++) x->narrow[i] = (uint8_t)x->t[i];
    for (int64_t i = 0; i < x->m && bytes; i++) x->narrow[x->n + i] = (uint8_t)x->p[i];
    x->text = (nigh_symbols){bytes ? NIGH_U8 : NIGH_U16, x->n, bytes ? (void *)x->narrow : x->t};
    x->pattern = (nigh_symbols){bytes ? NIGH_U8 : NIGH_U16, x->m, bytes ? (void *)(x->narrow + x->n) : x->p};
}

enum { UNIFORM, PERIODIC, FIBONACCI, CONSTANT, ZIPF };

static void fill(int kind, nigh_rng *rng, int64_t n, int64_t sigma, uint16_t *out)
{
    int64_t period = 1 + (int64_t)nigh_rng_below(rng, 12);
    const double golden = 0.6180339887498949;
    for (int64_t i = 0; i < n; i++) {
        uint16_t drawn = (uint16_t)(kind == ZIPF ? nigh_rng_zipf(rng, sigma, 1) - 1 : (int64_t)nigh_rng_below(rng, (uint64_t)sigma));
        if (kind == PERIODIC && nigh_rng_below(rng, 40)) drawn = (uint16_t)(i % period % sigma);
        if (kind == FIBONACCI) drawn = floor((double)(i + 2) * golden) > floor((double)(i + 1) * golden) ? 0 : (uint16_t)(sigma - 1);
        out[i] = kind == CONSTANT ? 0 : drawn;
    }
}

static nigh_status make(claim_run *run, uint64_t stream, int kind, int64_t n, int64_t m, int64_t sigma, texts *x)
{
    nigh_status status = texts_new(run->ctx, n, m, x);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(claim_seed(run), stream);
    fill(kind, &rng, n, sigma, x->t);
    fill(kind, &rng, m, sigma, x->p);
    views(x, sigma);
    return NIGH_OK;
}

/* The pattern becomes a stretch of the text with a share of errors. */
static void plant(claim_run *run, texts *x, int64_t at, double errors, int64_t sigma)
{
    nigh_rng rng = nigh_rng_new(claim_seed(run), 77);
    for (int64_t j = 0; j < x->m; j++) x->p[j] = nigh_rng_f64(&rng) < errors ? (uint16_t)nigh_rng_below(&rng, (uint64_t)sigma) : x->t[at + j];
    views(x, sigma);
}

/* ---- what is measured, or a way of doing it wrong ----------------------------------------------------------------- */

/* Blocks of text that overlap by m - 2 symbols in place of m - 1: one shift of each is lost, its neighbour stands there. */
static nigh_status short_overlap(claim_run *run, texts *x, const nigh_hamming_options *o)
{
    int64_t shifts = x->n - x->m + 1, block = shifts / 3 + 2;
    nigh_status status = NIGH_OK;
    for (int64_t from = 0; from < shifts && !status; from += block) {
        int64_t count = shifts - from < block ? shifts - from : block;
        nigh_symbols some = x->text;
        some.data = (const char *)x->text.data + from * (int64_t)nigh_dtype_size(x->text.dtype);
        some.count = count + x->m - 2;
        status = nigh_hamming_distances(run->ctx, &some, &x->pattern, o, x->out + from, NULL);
        if (!status) x->out[from + count - 1] = count > 1 ? x->out[from + count - 2] : 0;
    }
    return status;
}

/* Matches of the pattern's first symbol, which a transform counted, are counted again one by one. */
static void count_twice(texts *x)
{
    uint16_t heavy = x->p[0];
    for (int64_t i = 0; i + x->m <= x->n; i++)
        for (int64_t j = 0; j < x->m; j++) x->out[i] -= x->p[j] == heavy && x->t[i + j] == heavy && x->out[i] > 0;
}

/* One transform of f32 over everything, rounded and believed; 1 where symbols match is 2 [T = 1] - 1 times 2 [P = 1] - 1, two symbols. */
static nigh_status unchecked(claim_run *run, texts *x)
{
    int64_t n = x->n;
    nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, NIGH_F32, false, 1, 1, &n, 1);
    nigh_fft *forward = NULL, *inverse = NULL;
    nigh_status status = nigh_fft_new(run->ctx, &spec, 1, &forward);
    spec.inverse = true;
    if (!status) status = nigh_fft_new(run->ctx, &spec, 1, &inverse);
    float *z = nigh_alloc_zero(run->ctx, 8 * (size_t)n, sizeof *z), *a = z + 2 * n, *b = a + 2 * n;
    char *work = status ? NULL : nigh_alloc(run->ctx, nigh_fft_workspace(forward) + nigh_fft_workspace(inverse) + 64);
    if (!status && (!z || !work)) status = NIGH_MEMORY;
    if (!status) {
        for (int64_t i = 0; i < n; i++) z[2 * i] = x->t[i] == 1;
        nigh_fft_run(forward, z, a, work);
        for (int64_t i = 0; i < n; i++) z[2 * i] = i < x->m && x->p[i] == 1;
        nigh_fft_run(forward, z, b, work);
        for (int64_t f = 0; f < n; f++) {
            z[2 * f] = a[2 * f] * b[2 * f] + a[2 * f + 1] * b[2 * f + 1];
            z[2 * f + 1] = a[2 * f + 1] * b[2 * f] - a[2 * f] * b[2 * f + 1];
        }
        nigh_fft_run(inverse, z, a, work);
        int64_t in_pattern = 0, in_window = 0;
        for (int64_t j = 0; j < x->m; j++) in_pattern += x->p[j] == 1, in_window += x->t[j] == 1;
        for (int64_t i = 0; i + x->m <= n; i++) { /* |P = 1| + |T = 1| - 2 common ones */
            x->out[i] = (uint32_t)(int64_t)lrintf((float)(in_pattern + in_window) - 2 * a[2 * i]);
            in_window += (i + x->m < n && x->t[i + x->m] == 1) - (x->t[i] == 1);
        }
    }
    nigh_free(run->ctx, z);
    nigh_free(run->ctx, work);
    nigh_fft_free(forward);
    nigh_fft_free(inverse);
    return status;
}

/* 2000 random places for everything. */
static void only_sampled(claim_run *run, texts *x)
{
    enum { SAMPLES = 2000 };
    nigh_rng rng = nigh_rng_new(claim_seed(run), 4);
    int64_t at[SAMPLES];
    for (int s = 0; s < SAMPLES; s++) at[s] = (int64_t)nigh_rng_below(&rng, (uint64_t)x->m);
    for (int64_t i = 0; i + x->m <= x->n; i++) {
        int64_t misses = 0;
        for (int s = 0; s < SAMPLES; s++) misses += x->t[i + at[s]] != x->p[at[s]];
        x->out[i] = (uint32_t)((double)misses * (double)x->m / SAMPLES + 0.5);
    }
}

static nigh_status solve(claim_run *run, texts *x, const nigh_hamming_options *o, nigh_hamming_report *report)
{
    if (o->error > 0 && claim_sabotaged(run, "only-sampled")) {
        only_sampled(run, x);
        return NIGH_OK;
    }
    if (o->error == 0 && x->n > x->m + 9 && x->m > 2 && claim_sabotaged(run, "short-overlap")) return short_overlap(run, x, o);
    nigh_status status = nigh_hamming_distances(run->ctx, &x->text, &x->pattern, o, x->out, report);
    if (!status && o->variant == NIGH_HAMMING_HEAVY_LIGHT && claim_sabotaged(run, "heavy-twice")) count_twice(x);
    return status;
}

static void loop(const texts *x, int64_t from, int64_t count, uint32_t *out)
{
    for (int64_t i = from; i < from + count; i++) {
        uint32_t misses = 0;
        for (int64_t j = 0; j < x->m; j++) {
            misses += x->t[i + j] != x->p[j];
            __asm__("" : "+r"(misses)); /* one by one: no vectors */
        }
        out[i - from] = misses;
    }
}

/* Shifts whose answer is not min(H, k + 1). */
static int64_t wrong(const texts *x, int64_t k)
{
    int64_t count = 0;
    for (int64_t i = 0; i + x->m <= x->n; i++) {
        uint32_t wanted = k >= 0 && k < x->m && x->exact[i] > k ? (uint32_t)k + 1 : x->exact[i];
        count += x->out[i] != wanted;
    }
    return count;
}

static double worst_relative(const texts *x, int64_t *above)
{
    double worst = 0;
    for (int64_t i = 0; i + x->m <= x->n; i++) {
        double off = fabs((double)x->out[i] - x->exact[i]);
        if (off > 0) worst = fmax(worst, x->exact[i] ? off / x->exact[i] : INFINITY);
        *above += x->out[i] > x->exact[i];
    }
    return worst;
}

/* ---- 1: exactness ------------------------------------------------------------------------------------------------- */

static nigh_status exact_case(claim_run *run, int c, int64_t *bad, int64_t *answers)
{
    static const int64_t sigmas[] = {2, 3, 4, 20, 200, 2000, 50000};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 1000 + (uint64_t)c);
    int64_t n = 20 + (int64_t)nigh_rng_below(&rng, c % 20 == 0 && !run->quick ? 20000 : 1500), sigma = sigmas[c % 7];
    int64_t m = c % 9 == 0 ? n : c % 9 == 1 ? 1 : 1 + (int64_t)nigh_rng_below(&rng, (uint64_t)n);
    texts x;
    nigh_status status = make(run, 2000 + (uint64_t)c, c % 5, n, m, sigma, &x);
    if (status) return status;
    if (c % 2) plant(run, &x, (int64_t)nigh_rng_below(&rng, (uint64_t)(n - m + 1)), 0.05, sigma);
    loop(&x, 0, n - m + 1, x.exact);
    nigh_hamming_options o = nigh_hamming_options_default();
    for (int v = NIGH_HAMMING_CHOOSE; v <= NIGH_HAMMING_KANGAROO && !status; v++) {
        o.variant = (nigh_hamming_variant)v;
        o.at_most = v >= NIGH_HAMMING_EARLY_EXIT ? (int64_t)nigh_rng_below(&rng, (uint64_t)(1 + m / 6)) : -1;
        o.heavy = v == NIGH_HAMMING_HEAVY_LIGHT ? c % 4 : -1;
        if ((v == NIGH_HAMMING_SLICED && sigma > 64) || (v == NIGH_HAMMING_TRANSFORM && sigma > 200 && c % 10)) continue;
        status = solve(run, &x, &o, NULL);
        *bad += wrong(&x, o.at_most);
        *answers += n - m + 1;
    }
    texts_free(&x);
    return status;
}

static nigh_status exact_bars(claim_run *run)
{
    int64_t bad = 0, answers = 0;
    nigh_status status = NIGH_OK;
    int cases = run->quick ? 60 : 200;
    for (int c = 0; c < cases && !status; c++) {
        status = claim_progress(run, "variants beside the loop", c, cases);
        if (!status) status = exact_case(run, c, &bad, &answers);
    }
    if (status) return status;
    claim_bar(run, "exact and bounded variants: wrong distances", (double)bad, CLAIM_AT_MOST, 0, NULL);
    claim_note(run, "%lld distances in %d cases: random, periodic, Fibonacci, constant, Zipf; 2 to 50000 symbols; m from 1 to n", (long long)answers, cases);
    return NIGH_OK;
}

/* A million ones and zeros, most of them ones: sums of f32 are off by more than half. */
static nigh_status rounding_bars(claim_run *run)
{
    texts x;
    int64_t n = 1 << 22, m = (1 << 20) - 1;
    nigh_status status = make(run, 5, UNIFORM, n, m, 16, &x);
    if (status) return status;
    for (int64_t i = 0; i < n; i++) x.t[i] = x.t[i] > 0;
    for (int64_t j = 0; j < m; j++) x.p[j] = x.t[j + 1000];
    views(&x, 2);
    nigh_hamming_options o = nigh_hamming_options_default();
    nigh_hamming_report report = {0};
    o.variant = NIGH_HAMMING_TRANSFORM;
    o.bits = 64;
    status = nigh_hamming_distances(run->ctx, &x.text, &x.pattern, &o, x.exact, NULL);
    o.bits = 32;
    if (!status) status = claim_sabotaged(run, "no-rounding-check") ? unchecked(run, &x) : nigh_hamming_distances(run->ctx, &x.text, &x.pattern, &o, x.out, &report);
    int64_t bad = wrong(&x, -1);
    for (int64_t i = 0; i < 64; i++) { /* and some of them by the loop */
        uint32_t one;
        loop(&x, i * 7919, 1, &one);
        bad += one != x.exact[i * 7919];
    }
    texts_free(&x);
    if (!status) claim_bar(run, "transforms forced to f32, m = 1048575: wrong distances", (double)bad, CLAIM_AT_MOST, 0, NULL);
    if (!status) claim_note(run, "blocks counted again in f64 because of rounding: %lld", (long long)report.fallbacks);
    return status;
}

/* ---- 4: approximate ----------------------------------------------------------------------------------------------- */

/* Distances of m / 4 or more, and (planted) of 0, 1 and 2 between them: a seed a run. */
static nigh_status sampled_runs(claim_run *run, int64_t n, int64_t m, int64_t sigma, int runs, bool planted, double *worst, int *good, double *seconds)
{
    texts x;
    nigh_status status = make(run, 6 + (uint64_t)sigma, UNIFORM, n, m, sigma, &x);
    if (status) return status;
    if (sigma == 2) /* a third of the places differ */
        for (int64_t i = 0; i < n; i++) x.t[i] = (uint16_t)(i % 3 == 0);
    for (int64_t j = 0; j < m && sigma == 2; j++) x.p[j] = 0;
    for (int d = 0; d < 3 && planted; d++) {
        int64_t at = n / 4 * (d + 1) - m / 2;
        if (m < n / 4) memcpy(x.t + at, x.p, (size_t)m * sizeof *x.t);
        for (int e = 0; e < d && m < n / 4; e++) x.t[at + m / 3 * (e + 1)] ^= 1;
    }
    views(&x, sigma);
    nigh_hamming_options o = nigh_hamming_options_default();
    uint64_t seed = nigh_context_seed(run->ctx);
    int64_t above = 0;
    status = nigh_hamming_distances(run->ctx, &x.text, &x.pattern, &o, x.exact, NULL);
    o.error = 0.05;
    o.variant = NIGH_HAMMING_SAMPLED;
    for (int r = 0; r < runs && !status; r++) {
        status = claim_progress(run, "sampling", r, runs);
        nigh_context_set_seed(run->ctx, nigh_seed_split(claim_seed(run), (uint64_t)r));
        double t = nigh_clock_cpu();
        if (!status) status = solve(run, &x, &o, NULL);
        *seconds = fmin(*seconds, nigh_clock_cpu() - t);
        double off = worst_relative(&x, &above);
        *worst = fmax(*worst, off);
        *good += off <= o.error;
    }
    nigh_context_set_seed(run->ctx, seed);
    texts_free(&x);
    return status;
}

/* All mismatches are of the same two symbols, from none to all of them. */
static nigh_status hashed_runs(claim_run *run)
{
    int64_t n = run->quick ? 6000 : 60000, m = run->quick ? 500 : 5000, above = 0;
    int runs = run->quick ? 5 : 100, good = 0;
    double worst = 0;
    texts x;
    nigh_status status = make(run, 8, CONSTANT, n, m, 300, &x);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 9);
    for (int64_t i = 0; i < n; i++) x.t[i] = nigh_rng_f64(&rng) < (double)(i - m) / (double)(n - 2 * m) ? 7 : 3;
    for (int64_t j = 0; j < m; j++) x.p[j] = 3;
    x.p[m / 2] = 7;
    views(&x, 300);
    loop(&x, 0, n - m + 1, x.exact);
    nigh_hamming_options o = nigh_hamming_options_default();
    o.error = 0.1;
    o.variant = NIGH_HAMMING_HASHED;
    uint64_t seed = nigh_context_seed(run->ctx);
    for (int r = 0; r < runs && !status; r++) {
        status = claim_progress(run, "hashing", r, runs);
        nigh_context_set_seed(run->ctx, nigh_seed_split(claim_seed(run), 500 + (uint64_t)r));
        if (!status) status = nigh_hamming_distances(run->ctx, &x.text, &x.pattern, &o, x.out, NULL);
        double off = worst_relative(&x, &above);
        worst = fmax(worst, off);
        good += off <= o.error;
    }
    nigh_context_set_seed(run->ctx, seed);
    texts_free(&x);
    if (status) return status;
    claim_bar(run, "hashing, eps = 0.1: share of runs within it at every shift", (double)good / runs, CLAIM_AT_LEAST, 0.99, NULL);
    claim_bar(run, "hashing: estimates above the distance", (double)above, CLAIM_AT_MOST, 0, NULL);
    claim_note(run, "hashing: largest relative error %.3g in %d runs", worst, runs);
    return NIGH_OK;
}

static nigh_status approximate_bars(claim_run *run)
{
    double worst = 0, seconds = INFINITY, other = INFINITY;
    int good = 0, runs = run->quick ? 4 : 100, few = run->quick ? 2 : 20;
    nigh_status status = run->quick ? sampled_runs(run, 60000, 10000, 300, runs - few, true, &worst, &good, &seconds)
                                    : sampled_runs(run, 4000000, 100000, 316, runs - few, true, &worst, &good, &seconds);
    if (!status) status = run->quick ? sampled_runs(run, 40000, 20000, 2, few, false, &worst, &good, &other)
                                     : sampled_runs(run, 400000, 100000, 2, few, false, &worst, &good, &other);
    if (status) return status;
    claim_bar(run, "sampling, eps = 0.05: share of runs within it at every shift", (double)good / runs, CLAIM_AT_LEAST, 0.99,
              "distances of m/4 and more, and planted ones of 0, 1 and 2");
    claim_note(run, "sampling: largest relative error %.3g in %d runs", worst, runs);
    return hashed_runs(run);
}

/* ---- 2, 3, 4: time ------------------------------------------------------------------------------------------------ */

/* Least CPU seconds of some runs, preparing included where wanted; INFINITY for a variant that cannot. */
static nigh_status timed(claim_run *run, texts *x, nigh_hamming_options o, int times, int64_t shifts, double *seconds, nigh_hamming_report *report)
{
    *seconds = INFINITY;
    nigh_status status = claim_progress(run, "timing", 0, 0);
    for (int r = 0; r < times && !status; r++) {
        nigh_hamming *h = NULL;
        status = nigh_hamming_new(run->ctx, &x->text, &x->pattern, &o, &h);
        if (status) break;
        int64_t all = nigh_hamming_report_of(h)->shifts, some = shifts > 0 && shifts < all ? shifts : all;
        double t = nigh_clock_cpu();
        status = nigh_hamming_run(h, 0, some, x->out);
        *seconds = fmin(*seconds, (nigh_clock_cpu() - t) * (double)all / (double)some);
        if (report) *report = *nigh_hamming_report_of(h);
        nigh_hamming_free(h);
    }
    return status;
}

static nigh_hamming_options forced(nigh_hamming_variant variant)
{
    nigh_hamming_options o = nigh_hamming_options_default();
    o.variant = variant;
    return o;
}

static nigh_status few_symbols(claim_run *run)
{
    texts x;
    double direct, sliced, transform, scalar;
    nigh_status status = make(run, 20, UNIFORM, 4000000, 100000, 4, &x);
    if (status) return status;
    status = timed(run, &x, forced(NIGH_HAMMING_DIRECT), 1, 400000, &direct, NULL);
    if (!status) status = timed(run, &x, forced(NIGH_HAMMING_SLICED), 1, 0, &sliced, NULL);
    if (!status) status = timed(run, &x, forced(NIGH_HAMMING_TRANSFORM), 3, 0, &transform, NULL);
    double t = nigh_clock_cpu();
    loop(&x, 0, 4000, x.exact);
    scalar = (nigh_clock_cpu() - t) * (double)(x.n - x.m + 1) / 4000;
    texts_free(&x);
    if (status) return status;
    claim_bar(run, "m = 1e5, 4 symbols: vector comparisons / transforms, seconds", direct / transform, CLAIM_AT_LEAST, 5, NULL);
    claim_bar(run, "m = 1e5, 4 symbols: plain loop / transforms, seconds", scalar / transform, CLAIM_AT_LEAST, 100, NULL);
    claim_note(run, "n = 4e6, m = 1e5, 4 symbols: transforms %.3f s, bit vectors %.3f s, vector comparisons %.2f s, loop %.0f s (the last two from 400000 and 4000 shifts)", transform,
               sliced, direct, scalar);
    return NIGH_OK;
}

/* Transforms of all symbols cost in proportion to them: measured with 60, times the number of symbols over 60. */
static nigh_status many_symbols(claim_run *run)
{
    enum { FOLDED = 60 };
    texts x;
    double direct, heavy, transform;
    nigh_hamming_report report;
    nigh_status status = make(run, 21, ZIPF, 4000000, 100000, 20000, &x);
    if (status) return status;
    status = timed(run, &x, forced(NIGH_HAMMING_HEAVY_LIGHT), 3, 0, &heavy, &report);
    if (!status) status = timed(run, &x, forced(NIGH_HAMMING_DIRECT), 1, 200000, &direct, NULL);
    for (int64_t i = 0; i < x.n; i++) x.t[i] %= FOLDED;
    for (int64_t j = 0; j < x.m; j++) x.p[j] %= FOLDED;
    views(&x, FOLDED);
    if (!status) status = timed(run, &x, forced(NIGH_HAMMING_TRANSFORM), 1, 0, &transform, NULL);
    texts_free(&x);
    if (status) return status;
    transform *= (double)report.symbols / FOLDED;
    claim_bar(run, "m = 1e5, 20000 Zipf symbols: transforms of all / heavy-light, seconds", transform / heavy, CLAIM_AT_LEAST, 20, NULL);
    claim_bar(run, "m = 1e5, 20000 Zipf symbols: vector comparisons of 16 bits / heavy-light, seconds", direct / heavy, CLAIM_AT_LEAST, 8, NULL);
    claim_note(run, "20000 Zipf symbols: heavy-light %.2f s (%lld heavy), vector comparisons %.2f s, transforms of %lld symbols %.0f s (from 60)", heavy, (long long)report.heavy, direct,
               (long long)report.symbols, transform);
    return NIGH_OK;
}

/* The chosen variant's time over the best one's. */
static nigh_status grid_case(claim_run *run, int c, double *ratio, bool *compares)
{
    static const int64_t lengths[] = {100, 1000, 5000, 20000, 80000};
    static const int64_t sigmas[] = {2, 4, 60, 2000};
    int64_t m = lengths[c % 5], sigma = sigmas[c / 5 % 4], n = 4 * m > 400000 ? 4 * m : 400000;
    int kind = c / 20; /* exact uniform, exact Zipf, bounded or within */
    texts x;
    nigh_hamming_report report;
    nigh_status status = make(run, 3000 + (uint64_t)c, kind == 1 ? ZIPF : UNIFORM, n, m, sigma, &x);
    if (status) return status;
    nigh_hamming_options o = nigh_hamming_options_default();
    if (kind == 2 && c % 2) o.error = 0.1;
    else if (kind == 2) o.at_most = m / 50;
    double chosen = NAN, best = INFINITY, least = INFINITY;
    status = timed(run, &x, o, 3, 0, &chosen, &report);
    *compares = report.variant == NIGH_HAMMING_DIRECT || report.variant == NIGH_HAMMING_SLICED;
    best = chosen;
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) least = fmin(least, report.predicted[v].seconds);
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS && !status; v++) {
        double seconds;
        if (v == (int)report.variant || !(report.predicted[v].seconds < 6 * least)) continue;
        o.variant = (nigh_hamming_variant)v;
        status = timed(run, &x, o, 3, 0, &seconds, NULL);
        best = fmin(best, seconds);
    }
    *ratio = chosen / best;
    if (!status && *ratio > 1.3)
        claim_note(run, "grid: n %lld, m %lld, %lld symbols, %s: took %s, %.2f times the best", (long long)n, (long long)m, (long long)sigma,
                   kind == 0 ? "uniform" : kind == 1 ? "Zipf" : c % 2 ? "eps 0.1" : "bounded", nigh_hamming_variant_name(report.variant), *ratio);
    texts_free(&x);
    return status;
}

static nigh_status planner_bars(claim_run *run)
{
    int good = 0, compares = 0, thousand = 0;
    nigh_status status = NIGH_OK;
    for (int c = 0; c < 60 && !status; c++) {
        double ratio = NAN;
        bool direct = false;
        status = claim_progress(run, "planner's grid", c, 60);
        if (!status) status = grid_case(run, c, &ratio, &direct);
        good += ratio <= 1.3;
        if (c < 15 && c % 5 == 1) thousand++, compares += direct; /* m = 1000, bytes */
    }
    if (status) return status;
    claim_bar(run, "planner: share of 60 cases within 1.3 of the best variant", good / 60.0, CLAIM_AT_LEAST, 0.9, NULL);
    claim_bar(run, "m = 1000, bytes: share where the planner compares directly", (double)compares / thousand, CLAIM_AT_LEAST, 1, "on bytes or on bit vectors");
    return NIGH_OK;
}

static nigh_status scaling_bars(claim_run *run)
{
    enum { POINTS = 4 };
    double x[POINTS], y[POINTS], heavy, direct[2], best = NAN, slope = 0, mean_x = 0, mean_y = 0, norm = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < POINTS && !status; i++) {
        int64_t m = (int64_t)lrint(pow(10, 3 + i)), n = 4000000, sigma = (int64_t)lrint(sqrt((double)m));
        texts t;
        status = make(run, 30 + (uint64_t)i, UNIFORM, n, m, sigma, &t);
        if (status) return status;
        status = timed(run, &t, forced(NIGH_HAMMING_HEAVY_LIGHT), 2, 0, &heavy, NULL);
        if (i < 2 && !status) status = timed(run, &t, forced(NIGH_HAMMING_DIRECT), 1, 1 << 19, &direct[i], NULL);
        x[i] = log((double)m), y[i] = log(heavy / (double)(n - m + 1));
        if (m == 100000) best = heavy;
        mean_x += x[i] / POINTS, mean_y += y[i] / POINTS;
        texts_free(&t);
    }
    for (int i = 0; i < POINTS && !status; i++) slope += (x[i] - mean_x) * (y[i] - mean_y), norm += (x[i] - mean_x) * (x[i] - mean_x);
    double worst = 0, sampled = INFINITY;
    int good = 0;
    if (!status) status = sampled_runs(run, 4000000, 100000, 316, 3, false, &worst, &good, &sampled);
    if (status) return status;
    claim_bar_within(run, "heavy-light, sqrt(m) symbols: slope of log seconds in log m", slope / norm, 0.35, 0.65, "m = 1e3 .. 1e6; theory 0.5");
    claim_note(run, "seconds a shift at m = 1e3, 1e4, 1e5, 1e6: %.3g %.3g %.3g %.3g; vector comparisons grow %.1f times from 1e3 to 1e4", exp(y[0]), exp(y[1]), exp(y[2]), exp(y[3]),
               direct[1] / direct[0]);
    claim_bar(run, "sampling, n = 4e6, m = 1e5, 316 symbols: seconds / best exact variant", sampled / best, CLAIM_AT_MOST, 0.1, NULL);
    claim_note(run, "316 symbols: sampling %.3f s with planning, heavy-light %.2f s", sampled, best);
    return NIGH_OK;
}

/* The cost of hashing by eps; and beside the exact variant where it has the best chance. */
static nigh_status hashing_time(claim_run *run)
{
    texts x;
    double fine, coarse, exact;
    nigh_status status = make(run, 40, UNIFORM, 1000000, 100000, 316, &x);
    if (status) return status;
    nigh_hamming_options o = forced(NIGH_HAMMING_HASHED);
    o.error = 0.4;
    status = timed(run, &x, o, 1, 0, &coarse, NULL);
    o.error = 0.05;
    if (!status) status = timed(run, &x, o, 1, 0, &fine, NULL);
    if (!status) status = timed(run, &x, forced(NIGH_HAMMING_HEAVY_LIGHT), 2, 0, &exact, NULL);
    texts_free(&x);
    if (status) return status;
    claim_bar_within(run, "hashing: seconds at eps 0.05 / at 0.4 (8 if linear)", fine / coarse, 4, 12, NULL);
    claim_note(run, "n = 1e6, m = 1e5, 316 symbols: hashing %.2f s at eps 0.05, %.2f s at 0.4; exactly %.2f s: hashing %s", fine, coarse, exact, coarse < exact ? "wins at 0.4" : "never wins");
    return NIGH_OK;
}

/* ---- 5: bounded --------------------------------------------------------------------------------------------------- */

static nigh_status bounded_bars(claim_run *run)
{
    texts x;
    int64_t n = run->quick ? 300000 : 10000000, m = 2000, k = 60;
    double direct = NAN, early = NAN;
    nigh_status status = make(run, 50, UNIFORM, n, m, 4, &x);
    if (status) return status;
    plant(run, &x, n / 3, 0.013, 4); /* a quarter of the drawn symbols is the same again */
    nigh_hamming_options o = forced(NIGH_HAMMING_DIRECT);
    status = timed(run, &x, o, 2, 0, &direct, NULL);
    if (!status) {
        memcpy(x.exact, x.out, (size_t)(n - m + 1) * sizeof *x.out);
        o.variant = NIGH_HAMMING_EARLY_EXIT;
        o.at_most = k;
        status = timed(run, &x, o, 3, 0, &early, NULL);
    }
    double different = (double)wrong(&x, k);
    uint32_t found = x.out[n / 3];
    texts_free(&x);
    if (status) return status;
    claim_bar(run, "read of 2000 in a genome, k = 60: answers unlike the exact ones", different, CLAIM_AT_MOST, 0, NULL);
    claim_note(run, "distance where the read is from: %u", found);
    if (!run->quick) {
        claim_bar(run, "read of 2000 in 1e7, k = 60: all comparisons / early exit, seconds", direct / early, CLAIM_AT_LEAST, 5, NULL);
        claim_note(run, "read in 1e7: early exit %.3f s, all comparisons %.3f s", early, direct);
    }
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    int threads = nigh_context_threads(run->ctx);
    nigh_status (*const parts[])(claim_run *) = {exact_bars, rounding_bars, approximate_bars, bounded_bars, few_symbols, many_symbols, scaling_bars, hashing_time, planner_bars};
    nigh_status status = nigh_context_set_threads(run->ctx, 1);
    for (int i = 0; i < (run->quick ? 4 : 9) && !status; i++) status = parts[i](run);
    nigh_context_set_threads(run->ctx, threads);
    return status;
}

extern const nigh_claim claim_text_to_pattern_hamming;
const nigh_claim claim_text_to_pattern_hamming = {.slug = "text-to-pattern-hamming", .title = "Faster Algorithms for Text-to-Pattern Hamming Distances",
                                                  .run = run_claim, .saboteurs = saboteurs};
