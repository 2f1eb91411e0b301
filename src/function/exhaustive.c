/*
 * The error of an approximation over every f32 of an interval. Floats are numbered in increasing order and cut into
 * chunks; threads take chunks, results are joined in the order of the chunks, so that they do not depend on the threads.
 */
#include "function/exhaustive.h"

#include <math.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

enum { CHUNK = 1 << 18, GROUP = 64, MOST_REFINED = 256, FIRST_LOOKS = 32 };

typedef struct chunk {
    double worst, at, sum;
    bool exact;
} chunk;

/* What one thread works in. */
typedef struct bench {
    float x[EXHAUSTIVE_BLOCK], answer[EXHAUSTIVE_BLOCK];
    double reference[EXHAUSTIVE_BLOCK], bound[EXHAUSTIVE_BLOCK];
    double workspace[];
} bench;

typedef struct walk {
    const function_target *target;
    function_apply_fn *apply;
    const void *user;
    const exhaustive_kernels *kernels;
    exhaustive_measure measure;
    function_margin margin;
    int64_t first, last; /* keys */
} walk;

/* Number of a float in increasing order: ... -0 is -1, +0 is 0 ... */
static int64_t key_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

/* Smallest f32 >= x and largest <= x; both zeros belong to an interval that touches 0. */
static int64_t key_up(double x)
{
    float f = (float)x;
    if ((double)f < x) f = nextafterf(f, INFINITY);
    return f == 0 ? -1 : key_of(f);
}

static int64_t key_down(double x)
{
    float f = (float)x;
    if ((double)f > x) f = nextafterf(f, -INFINITY);
    return f == 0 ? 0 : key_of(f);
}

int64_t function_count_f32(double low, double high)
{
    if (!(low <= high)) return 0;
    int64_t count = key_down(high) - key_up(low) + 1;
    return count > 0 ? count : 0;
}

/*
 * Works through the block's floats from the largest bound down until none is above the worst found so far. Where the
 * margin matters, f is computed in quadruple precision, at most MOST_REFINED times a chunk; beyond that the
 * bound stays as it is.
 */
static void settle(const walk *w, int64_t n, bench *b, const double *reference, chunk *c, int *refined)
{
    for (;;) {
        int64_t top = 0;
        for (int64_t i = 1; i < n; i++)
            if (b->bound[i] > b->bound[top]) top = i;
        double bound = b->bound[top];
        if (!(bound > c->worst)) return;
        double answer = (double)b->answer[top], error = function_error(w->target, answer, reference[top]);
        if (bound > error * (1 + 1e-6) && isfinite(answer) && *refined < MOST_REFINED) {
            ++*refined;
            error = function_error_f128(w->target, answer, function_value(w->target, (nigh_f128)b->x[top]));
            bound = error * (1 + 1e-12); /* far more than the 1e-29 of quadruple precision */
        }
        if (bound > c->worst) {
            c->worst = bound;
            c->at = (double)b->x[top];
            c->exact = bound <= error * (1 + 1e-6);
        }
        b->bound[top] = 0;
    }
}

/* Only what is worse than `floor` is looked at closely; a chunk without such a float keeps that. */
static void scan(const walk *w, int64_t first, int64_t count, double floor, bench *b, chunk *c)
{
    int refined = 0;
    *c = (chunk){.exact = true, .worst = floor};
    for (int64_t done = 0; done < count; done += EXHAUSTIVE_BLOCK) {
        int64_t n = count - done < EXHAUSTIVE_BLOCK ? count - done : EXHAUSTIVE_BLOCK;
        double *f = b->reference;
        w->kernels->floats(n, (int32_t)(first + done), b->x, f);
        w->apply(w->user, n, b->x, b->answer);
        function_reference_f64(w->target, n, f, f, b->workspace);
        double worst = w->kernels->bounds(n, f, b->answer, w->measure, &w->margin, b->bound, &c->sum);
        if (worst > c->worst) settle(w, n, b, f, c, &refined);
    }
}

/* Chunks from number `from` on, `chunks` of them, each by one thread. */
static void scan_group(const walk *w, int64_t from, int chunks, double floor, int threads, char *benches, size_t stride,
                       chunk *results)
{
    (void)threads;
#if defined(_OPENMP)
#pragma omp parallel for schedule(static) num_threads(threads)
#endif
    for (int k = 0; k < chunks; k++) {
        int thread = 0;
#if defined(_OPENMP)
        thread = omp_get_thread_num();
#endif
        int64_t first = w->first + (from + k) * CHUNK, count = w->last - first + 1;
        scan(w, first, count < CHUNK ? count : CHUNK, floor, (bench *)(benches + (size_t)thread * stride), &results[k]);
    }
}

static void join(chunk *total, const chunk *part)
{
    total->sum += part->sum;
    if (!(part->worst > total->worst)) return;
    total->worst = part->worst;
    total->at = part->at;
    total->exact = part->exact;
}

/* Looks at a few blocks all over the interval, so that the walk starts with an error to beat. */
static void first_looks(const walk *w, bench *b, chunk *total)
{
    int64_t count = w->last - w->first + 1;
    for (int k = 0; k < FIRST_LOOKS; k++) {
        int64_t skip = (int64_t)((double)count * k / FIRST_LOOKS), left = count - skip;
        chunk part;
        scan(w, w->first + skip, left < EXHAUSTIVE_BLOCK ? left : EXHAUSTIVE_BLOCK, total->worst, b, &part);
        join(total, &part);
    }
    total->sum = 0;
}

static nigh_status scan_all(nigh_context *ctx, const walk *w, nigh_certificate *out, double *mean)
{
    int threads = nigh_context_threads(ctx);
    size_t stride = (sizeof(bench) + function_reference_workspace(w->target) + 63) & ~(size_t)63;
    int64_t count = w->last - w->first + 1, chunks = (count + CHUNK - 1) / CHUNK;
    chunk total = {.exact = true, .at = w->target->low}, results[GROUP];
    char *benches = nigh_alloc_zero(ctx, (size_t)threads, stride);
    if (!benches) return NIGH_MEMORY;
    nigh_status status = nigh_poll(ctx);
    if (status == NIGH_OK) first_looks(w, (bench *)benches, &total);
    for (int64_t from = 0; from < chunks && status == NIGH_OK; from += GROUP) {
        int now = chunks - from < GROUP ? (int)(chunks - from) : GROUP;
        scan_group(w, from, now, total.worst, threads, benches, stride, results);
        for (int k = 0; k < now; k++) join(&total, &results[k]);
        nigh_progress(ctx, "every f32", (double)(from + now), (double)chunks);
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, benches);
    if (status != NIGH_OK) return status;
    *out = (nigh_certificate){.worst = total.worst * (1 + 1e-15), /* roundings of the bound itself */
                              .exact = total.exact,
                              .at = total.at,
                              .inputs = (double)count,
                              .how = w->margin.proved ? "every f32 of the interval"
                                                      : "every f32 of the interval, error of the f64 reference estimated"};
    if (mean) *mean = total.sum / (double)count;
    return NIGH_OK;
}

nigh_status function_exhaustive_f32(nigh_context *ctx, const function_target *target, function_apply_fn *apply,
                                    const void *user, nigh_certificate *out, double *mean)
{
    walk w = {.target = target, .apply = apply, .user = user, .kernels = &exhaustive_kernels_scalar};
    const char *measure = target->measure->name;
    if (target->type != NIGH_F32)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "every input can be tried in f32 only, not in %s", nigh_dtype_name(target->type));
    if (strcmp(measure, "absolute") == 0)
        w.measure = EXHAUSTIVE_ABSOLUTE;
    else if (strcmp(measure, "relative") == 0)
        w.measure = EXHAUSTIVE_RELATIVE;
    else if (strcmp(measure, "ulp") == 0)
        w.measure = EXHAUSTIVE_ULP;
    else
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "measure '%s' cannot be checked exhaustively; absolute, relative and ulp can", measure);
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX2) w.kernels = &exhaustive_kernels_avx2;
    if (nigh_cpu() == NIGH_CPU_AVX512) w.kernels = &exhaustive_kernels_avx512;
#endif
    nigh_status status = function_reference_margin(ctx, target, &w.margin);
    if (status != NIGH_OK) return status;
    w.first = key_up(target->low);
    w.last = key_down(target->high);
    return scan_all(ctx, &w, out, mean);
}
