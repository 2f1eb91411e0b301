/*
 * The error of an approximation over every f32 of an interval. Floats are numbered in increasing order and cut into
 * chunks; threads take chunks, each with the pieces of its own reference; results are joined in the order of the chunks, so
 * that they do not depend on the threads.
 */
#include "function/exhaustive.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

enum { SMALL_CHUNK = 1 << 18, LARGE_CHUNK = 1 << 20, GROUP = 64, MOST_REFINED = 256, FIRST_LOOKS = 32, SAMPLES = 64 };

typedef struct chunk {
    double worst, at, sum;
    bool exact;
} chunk;

/* What one thread works in. */
typedef struct bench {
    float x[EXHAUSTIVE_BLOCK], answer[EXHAUSTIVE_BLOCK];
    double reference[EXHAUSTIVE_ROOM], bound[EXHAUSTIVE_BLOCK];
    function_pieces *pieces;
    bool calling; /* of the thread that called: the one that may ask whether to go on */
    double workspace[];
} bench;

typedef struct walk {
    nigh_context *ctx;
    const function_target *target;
    function_apply_fn *apply;
    const void *user;
    const exhaustive_kernels *kernels;
    exhaustive_measure measure;
    int64_t first, last, size; /* keys; floats of a chunk */
    int threads;
    char *benches;
    size_t stride;
    atomic_bool *stop;         /* cancelled */
} walk;

static bench *bench_of(const walk *w, int thread)
{
    return (bench *)(w->benches + (size_t)thread * w->stride);
}

/* Smallest f32 >= x and largest <= x; both zeros belong to an interval that touches 0. */
static int64_t key_up(double x)
{
    float f = (float)x;
    if ((double)f < x) f = nextafterf(f, INFINITY);
    return f == 0 ? -1 : function_key_of_float(f);
}

static int64_t key_down(double x)
{
    float f = (float)x;
    if ((double)f > x) f = nextafterf(f, -INFINITY);
    return f == 0 ? 0 : function_key_of_float(f);
}

int64_t function_count_f32(double low, double high)
{
    if (!(low <= high)) return 0;
    int64_t count = key_down(high) - key_up(low) + 1;
    return count > 0 ? count : 0;
}

/*
 * Works through the block's floats from the largest bound down until none is above the worst found so far. Where the
 * margin matters, the error is worked out again with many digits, at most MOST_REFINED times a chunk; beyond that the
 * bound stays as it is.
 */
static void settle(const walk *w, int64_t n, bench *b, chunk *c, int *refined)
{
    for (;;) {
        int64_t top = 0;
        for (int64_t i = 1; i < n; i++)
            if (b->bound[i] > b->bound[top]) top = i;
        double bound = b->bound[top];
        if (!(bound > c->worst)) return;
        double answer = (double)b->answer[top], error = function_error(w->target, answer, b->reference[top]);
        if (!(bound <= error * (1 + 1e-6)) && !isnan(answer) && *refined < MOST_REFINED) {
            ++*refined;
            bound = function_pieces_error(b->pieces, b->x[top], answer, &error);
        }
        if (bound > c->worst) {
            c->worst = bound;
            c->at = (double)b->x[top];
            c->exact = bound <= error * (1 + 1e-6);
        }
        b->bound[top] = 0;
    }
}

/* Bounds of n floats of a piece, from its float number `skip` on; gives the largest. */
static double look(const walk *w, const function_piece *piece, int64_t skip, int64_t n, bench *b, double *sum)
{
    double *f = b->reference, worst = 0;
    w->kernels->floats(n, (int32_t)(piece->first + skip), b->x, f);
    w->apply(w->user, n, b->x, b->answer);
    if (piece->kind != PIECE_LIST) {
        if (piece->kind == PIECE_LIBRARY) function_reference_f64(w->target, n, f, f, b->workspace);
        else w->kernels->piece(piece, n, f);
        return w->kernels->bounds(n, f, b->answer, w->measure, &piece->margin, b->bound, sum);
    }
    for (int64_t i = 0; i < n; i++) {
        function_margin margin = {0, piece->radius[skip + i], true};
        f[i] = piece->value[skip + i];
        worst = fmax(worst, w->kernels->bounds(1, f + i, b->answer + i, w->measure, &margin, b->bound + i, sum));
    }
    return worst;
}

/* Only what is worse than `floor` is looked at closely; a chunk without such a float keeps that. */
static void scan(const walk *w, int64_t first, int64_t count, double floor, bench *b, chunk *c)
{
    int refined = 0;
    *c = (chunk){.exact = true, .worst = floor};
    function_pieces_begin(b->pieces, first, first + count - 1);
    for (const function_piece *piece; !atomic_load_explicit(w->stop, memory_order_relaxed) && (piece = function_pieces_next(b->pieces));) {
        if (b->calling && nigh_poll(w->ctx) != NIGH_OK) atomic_store(w->stop, true);
        int64_t all = piece->last - piece->first + 1;
        for (int64_t done = 0; done < all; done += EXHAUSTIVE_BLOCK) {
            int64_t n = all - done < EXHAUSTIVE_BLOCK ? all - done : EXHAUSTIVE_BLOCK;
            double worst = look(w, piece, done, n, b, &c->sum);
            if (worst > c->worst) settle(w, n, b, c, &refined);
        }
    }
}

/* Chunks from number `from` on, `chunks` of them, each by one thread. */
static void scan_group(const walk *w, int64_t from, int chunks, int64_t total, double floor, chunk *results)
{
    atomic_int done = 0;
#if defined(_OPENMP)
#pragma omp parallel num_threads(w->threads)
#endif
    {
        int thread = 0;
#if defined(_OPENMP)
        thread = omp_get_thread_num();
#pragma omp for schedule(dynamic)
#endif
        for (int k = 0; k < chunks; k++) {
            int64_t first = w->first + (from + k) * w->size, count = w->last - first + 1;
            scan(w, first, count < w->size ? count : w->size, floor, bench_of(w, thread), &results[k]);
            int64_t now = from + atomic_fetch_add(&done, 1) + 1;
            if (thread == 0) nigh_progress(w->ctx, "every f32", (double)now, (double)total);
        }
        if (thread) function_pieces_leave_thread();
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
static void first_looks(const walk *w, chunk *total)
{
    int64_t count = w->last - w->first + 1;
    for (int k = 0; k < FIRST_LOOKS && nigh_poll(w->ctx) == NIGH_OK; k++) {
        int64_t skip = (int64_t)((double)count * k / FIRST_LOOKS), left = count - skip;
        chunk part;
        scan(w, w->first + skip, left < EXHAUSTIVE_BLOCK ? left : EXHAUSTIVE_BLOCK, total->worst, bench_of(w, 0), &part);
        join(total, &part);
    }
    total->sum = 0;
}

/* Seconds that one chunk will take: its pieces (as many as fit into 4 ms), the answers, and 1 ns a float for the rest. */
static double chunk_seconds(const walk *w, int64_t first, int64_t count)
{
    bench *b = bench_of(w, 0);
    double begun = nigh_clock(), block = (double)(count < EXHAUSTIVE_BLOCK ? count : EXHAUSTIVE_BLOCK);
    int64_t done = 0;
    function_pieces_begin(b->pieces, first, first + count - 1);
    for (const function_piece *piece; (!done || nigh_clock() - begun < .004) && (piece = function_pieces_next(b->pieces));)
        done = piece->last - first + 1;
    double pieces = (nigh_clock() - begun) / (double)done;
    w->kernels->floats((int64_t)block, (int32_t)first, b->x, b->reference);
    begun = nigh_clock();
    w->apply(w->user, (int64_t)block, b->x, b->answer);
    return (pieces + (nigh_clock() - begun) / block + 1e-9) * (double)count;
}

/* Tells the user when it will take long. */
static void warn_of_time(const walk *w, int64_t chunks)
{
    double seconds = 0;
    int samples = chunks < SAMPLES ? (int)chunks : SAMPLES;
    if (w->last - w->first < SMALL_CHUNK) return; /* seconds at most */
    for (int k = 0; k < samples; k++) {
        int64_t first = w->first + chunks * (2 * k + 1) / (2 * samples) * w->size, count = w->last - first + 1;
        seconds += chunk_seconds(w, first, count < w->size ? count : w->size);
    }
    seconds *= (double)chunks / samples / w->threads;
    double shown = seconds < 120 ? seconds : seconds < 7200 ? seconds / 60 : seconds / 3600;
    const char *unit = seconds < 120 ? "seconds" : seconds < 7200 ? "minutes" : "hours";
    if (seconds > 10)
        nigh_log(w->ctx, NIGH_LOG_NOTE, "the proof looks at all %.0f f32 numbers of the interval: about %.0f %s",
                 (double)(w->last - w->first + 1), shown, unit);
}

static nigh_status scan_all(const walk *w, nigh_certificate *out, double *mean)
{
    int64_t count = w->last - w->first + 1, chunks = (count + w->size - 1) / w->size;
    chunk total = {.exact = true, .at = w->target->low}, results[GROUP];
    nigh_status status = nigh_poll(w->ctx);
    if (status == NIGH_OK) first_looks(w, &total);
    if (status == NIGH_OK) warn_of_time(w, chunks);
    for (int64_t from = 0; from < chunks && status == NIGH_OK; from += GROUP) {
        int now = chunks - from < GROUP ? (int)(chunks - from) : GROUP;
        scan_group(w, from, now, chunks, total.worst, results);
        for (int k = 0; k < now; k++) join(&total, &results[k]);
        nigh_progress(w->ctx, "every f32", (double)(from + now), (double)chunks); /* the last one may be another thread's */
        status = nigh_poll(w->ctx);
    }
    if (status != NIGH_OK) return status;
    *out = (nigh_certificate){.worst = total.worst * (1 + 1e-15), /* roundings of the bound itself */
                              .exact = total.exact,
                              .at = total.at,
                              .inputs = (double)count,
                              .how = function_pieces_how(bench_of(w, 0)->pieces)};
    if (mean) *mean = total.sum / (double)count;
    return NIGH_OK;
}

static void benches_free(const walk *w)
{
    for (int k = 0; k < w->threads; k++) function_pieces_free(bench_of(w, k)->pieces);
    nigh_free(w->ctx, w->benches);
}

static nigh_status benches_new(walk *w)
{
    w->stride = (sizeof(bench) + function_reference_workspace(w->target) + 63) & ~(size_t)63;
    w->benches = nigh_alloc_zero(w->ctx, (size_t)w->threads, w->stride);
    if (!w->benches) return NIGH_MEMORY;
    bench_of(w, 0)->calling = true;
    nigh_status status = NIGH_OK;
    for (int k = 0; k < w->threads && status == NIGH_OK; k++) status = function_pieces_new(w->ctx, w->target, &bench_of(w, k)->pieces);
    if (status != NIGH_OK) benches_free(w);
    return status;
}

nigh_status function_exhaustive_f32(nigh_context *ctx, const function_target *target, function_apply_fn *apply,
                                    const void *user, nigh_certificate *out, double *mean)
{
    atomic_bool stop = false;
    walk w = {.ctx = ctx, .target = target, .apply = apply, .user = user, .kernels = &exhaustive_kernels_scalar, .stop = &stop};
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
    w.first = key_up(target->low);
    w.last = key_down(target->high);
    w.size = w.last - w.first < (INT64_C(1) << 26) ? SMALL_CHUNK : LARGE_CHUNK;
    w.threads = nigh_context_threads(ctx);
    nigh_status status = benches_new(&w);
    if (status != NIGH_OK) return status;
    status = scan_all(&w, out, mean);
    benches_free(&w);
    return status;
}
