/*
 * nigh's vector functions (nigh/vector.h) beside SLEEF, glibc's libmvec and oneDNN, those of them that are installed.
 *
 *     functions [--quick] [--only NAME] [--json FILE]     time: 4096 numbers in cache, one thread; softmax of 4096 x 1024
 *     functions --prove [--only NAME]                     error: every f32
 *
 * Times are paired, ABBA, against the fastest entry point of all peers, whatever its accuracy (SLEEF's fastsin of 350 ulp is shown, but in no bar).
 * --prove walks all 2^32 patterns against references whose own error is bounded by proof (function/target.h); NaN, infinities and numbers
 * outside the domain against the special values of Annex F.
 */
#include "common.h"
#include "function/target.h"
#include "functions_peers.h"
#include "nigh/vector.h"
#include "tensor/vector.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef NIGH_HAVE_DNNL
#include <dnnl.h>
#endif

enum { NUMBERS = 4096, ROWS = 4096, COLUMNS = 1024 };

typedef struct subject {
    const char *name, *text;
    vector_id id;
    double low, high;   /* inputs that are timed */
    double from, to;    /* of the proof */
} subject;

static const subject subjects[] = {
    {"exp", "exp(x)", VECTOR_EXP, -80, 80, -FLT_MAX, FLT_MAX},    {"log", "log(x)", VECTOR_LOG, 1e-3, 1000, 0x1p-149, FLT_MAX},
    {"sin", "sin(x)", VECTOR_SIN, -30, 30, -FLT_MAX, FLT_MAX},          {"cos", "cos(x)", VECTOR_COS, -30, 30, -FLT_MAX, FLT_MAX},
    {"tanh", "tanh(x)", VECTOR_TANH, -5, 5, -FLT_MAX, FLT_MAX},   {"erf", "erf(x)", VECTOR_ERF, -4, 4, -FLT_MAX, FLT_MAX},
};

/* ---- time in cache ---- */

typedef struct loop {
    vector_function *run;
    const float *x;
    float *y;
} loop;

static nigh_status loop_run(nigh_context *ctx, void *user, int64_t samples)
{
    const loop *l = user;
    for (int64_t i = 0; i < samples; i++) l->run(NUMBERS, l->x, l->y);
    return NIGH_OK;
}

/* Seconds a number, the best of many short runs: for choosing the fastest peer. */
static double best_seconds(const loop *l)
{
    double best = INFINITY;
    for (int i = 0; i < 60; i++) {
        double start = nigh_clock();
        loop_run(NULL, (void *)l, 30);
        best = fmin(best, (nigh_clock() - start) / 30 / NUMBERS);
    }
    return best;
}

static nigh_status measure(nigh_context *ctx, const subject *s, float *x, float *y)
{
    nigh_rng rng = nigh_rng_new(1, 0);
    for (int i = 0; i < NUMBERS; i++) x[i] = (float)bench_between(&rng, s->low, s->high);
    loop ours = {vector_kernels_at(nigh_cpu())->function[s->id], x, y}, theirs = {0};
    const functions_peer *best = NULL;
    double least = INFINITY;
    printf("%-5s nigh %.4f ns", s->name, 1e9 * best_seconds(&ours));
    for (const functions_peer *p = functions_peers; p->run && nigh_cpu() == NIGH_CPU_AVX512; p++) {
        if (strcmp(p->function, s->name) != 0) continue;
        loop other = {p->run, x, y};
        double seconds = best_seconds(&other);
        printf("  %s %.4f", p->name, 1e9 * seconds);
        if (p->counts && seconds < least) least = seconds, best = p, theirs = other;
    }
    printf("\n");
    if (!best) return NIGH_OK;
    nigh_timing timing = {0};
    nigh_status status = nigh_time_pair(ctx, &(nigh_timed){loop_run, &theirs, 1, false}, &(nigh_timed){loop_run, &ours, 1, false}, 60, &timing);
    if (status) return status;
    char figure[128];
    printf("%-5s nigh %.4f ns, %s %.4f ns, ratio %.3f in [%.3f, %.3f]%s\n", s->name, 1e9 * timing.b_seconds / NUMBERS, best->name,
           1e9 * timing.a_seconds / NUMBERS, timing.ratio, timing.low, timing.high, timing.busy ? ", machine busy" : "");
    snprintf(figure, sizeof figure, "%s: times as fast as %s", s->name, best->name);
    bench_bar(1, figure, timing.ratio, true, 1.3);
    nigh_free(ctx, timing.ratios);
    return NIGH_OK;
}

/* ---- softmax ---- */

/* In one turn of the paired timing: a single call would pay for what the other side left in the caches, unwritten. */
enum { CALLS = 8 };

typedef struct rows {
    const float *x;
    float *y;
    int how; /* 0: nigh, 1: oneDNN, 2: memcpy, 3: copy past the cache */
#ifdef NIGH_HAVE_DNNL
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_t in, out;
#endif
} rows;

static nigh_status rows_run(nigh_context *ctx, void *user, int64_t samples)
{
    const rows *r = user;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < samples * CALLS && !status; i++) {
        if (r->how == 0) status = nigh_softmax_f32(ctx, ROWS, COLUMNS, r->x, r->y);
#ifdef NIGH_HAVE_DNNL
        if (r->how == 1) {
            dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, r->in}, {DNNL_ARG_DST, r->out}};
            dnnl_primitive_execute(r->primitive, r->stream, 2, args);
            dnnl_stream_wait(r->stream);
        }
#endif
        if (r->how < 2) continue;
#pragma omp parallel for schedule(static) num_threads(nigh_context_threads(ctx))
        for (int part = 0; part < 64; part++) {
            const int64_t n = (int64_t)ROWS * COLUMNS / 64;
            if (r->how == 2) memcpy(r->y + part * n, r->x + part * n, (size_t)n * sizeof(float));
            else functions_copy(n, r->x + part * n, r->y + part * n, 1);
        }
    }
    return status;
}

#ifdef NIGH_HAVE_DNNL
static bool dnnl_ready(rows *r)
{
    dnnl_engine_t engine;
    dnnl_memory_desc_t shape;
    dnnl_softmax_desc_t what;
    dnnl_primitive_desc_t primitive;
    dnnl_dims_t dims = {ROWS, COLUMNS};
    return dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success && dnnl_stream_create(&r->stream, engine, dnnl_stream_default_flags) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&shape, 2, dims, dnnl_f32, dnnl_ab) == dnnl_success &&
           dnnl_softmax_forward_desc_init(&what, dnnl_forward_inference, &shape, 1) == dnnl_success &&
           dnnl_primitive_desc_create(&primitive, &what, NULL, engine, NULL) == dnnl_success &&
           dnnl_primitive_create(&r->primitive, primitive) == dnnl_success &&
           dnnl_memory_create(&r->in, &shape, engine, (void *)r->x) == dnnl_success &&
           dnnl_memory_create(&r->out, &shape, engine, r->y) == dnnl_success;
}
#endif

static nigh_status measure_softmax(nigh_context *ctx)
{
    static const char *const names[] = {"nigh", "oneDNN", "memcpy", "copy past the cache"};
    const size_t count = (size_t)ROWS * COLUMNS;
    float *x = nigh_alloc(ctx, count * sizeof *x), *y = nigh_alloc(ctx, count * sizeof *y);
    nigh_status status = x && y ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(2, 0);
    for (size_t i = 0; i < count && !status; i++) x[i] = (float)bench_between(&rng, -8, 8);
    rows ours = {.x = x, .y = y};
    for (int how = 1; how < 4 && !status; how++) {
        rows other = {.x = x, .y = y, .how = how};
#ifdef NIGH_HAVE_DNNL
        if (how == 1 && !dnnl_ready(&other)) continue;
#else
        if (how == 1) continue;
#endif
        nigh_timing timing = {0};
        int threads = nigh_context_threads(ctx);
        status = nigh_time_pair(ctx, &(nigh_timed){rows_run, &other, threads, false}, &(nigh_timed){rows_run, &ours, threads, false}, 60, &timing);
        if (status) break;
        printf("softmax nigh %.3f ms, %s %.3f ms, ratio %.3f in [%.3f, %.3f]%s\n", 1e3 * timing.b_seconds / CALLS, names[how],
               1e3 * timing.a_seconds / CALLS, timing.ratio, timing.low, timing.high, timing.busy ? ", machine busy" : "");
        if (how == 1) bench_bar(2, "softmax: times as fast as oneDNN", timing.ratio, true, 1.6);
        else bench_note(names[how], timing.ratio);
        nigh_free(ctx, timing.ratios);
    }
    nigh_free(ctx, x), nigh_free(ctx, y);
    return status;
}

/* ---- every f32 ---- */

static void prove_apply(const void *user, int64_t n, const float *in, float *out)
{
    vector_kernels_at(nigh_cpu())->function[*(const vector_id *)user](n, in, out);
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The patterns outside the proof's interval, NaN, infinities and numbers outside the domain: is the answer the special value of Annex F? */
static bool prove_rest(const subject *s)
{
    vector_function *run = vector_kernels_at(nigh_cpu())->function[s->id];
    bool right = true;
#pragma omp parallel for schedule(dynamic, 16) reduction(&& : right)
    for (int64_t block = 0; block < INT64_C(1) << 22; block++) {
        float x[1024], y[1024];
        for (int i = 0; i < 1024; i++) x[i] = of_bits((uint32_t)(block * 1024 + i));
        if (x[0] >= s->from && x[0] <= s->to && x[1023] >= s->from && x[1023] <= s->to) continue;
        run(1024, x, y);
        for (int i = 0; i < 1024; i++) {
            if (x[i] >= s->from && x[i] <= s->to) continue;
            bool same = y[i] == (s->id == VECTOR_LOG ? (x[i] == 0 ? -INFINITY : INFINITY) : s->id == VECTOR_EXP ? (x[i] > 0 ? INFINITY : 0)
                               : x[i] > 0 ? 1 : -1);
            bool none = isnan(x[i]) || s->id == VECTOR_SIN || s->id == VECTOR_COS || (s->id == VECTOR_LOG && x[i] < 0);
            right = right && (none ? isnan(y[i]) : same);
        }
    }
    return right;
}

static nigh_status prove(nigh_context *ctx, const subject *s)
{
    function_target target;
    nigh_certificate certificate = {0};
    double mean, start = nigh_clock();
    nigh_status status = function_target_make(ctx, s->text, s->from, s->to, "ulp", &target);
    if (status) return status;
    status = function_exhaustive_f32(ctx, &target, prove_apply, &s->id, &certificate, &mean);
    function_target_free(ctx, &target);
    if (status) return status;
    bool right = prove_rest(s);
    printf("%-5s worst %.6f ulp at %a, mean %.4f, over %lld numbers; special values %s; %.0f s\n", s->name, certificate.worst, certificate.at, mean,
           (long long)certificate.inputs, right ? "right" : "WRONG", nigh_clock() - start);
    char figure[64];
    snprintf(figure, sizeof figure, "%s: worst error in ulp", s->name);
    bench_bar(3, figure, right ? certificate.worst : INFINITY, false, 0.9999999);
    return NIGH_OK;
}

int main(int argc, char **argv)
{
    bench_args args;
    bool proofs = false;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--prove") == 0) {
            proofs = true;
            for (int k = i; k < argc; k++) argv[k] = argv[k + 1];
            argc--, i--;
        }
    int done = bench_start(argc, argv, "functions: nigh's vector functions beside SLEEF, libmvec and oneDNN", &args);
    if (done >= 0) return done;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    nigh_status status = NIGH_OK;
    static _Alignas(64) float x[NUMBERS], y[NUMBERS];
    for (size_t k = 0; k < sizeof subjects / sizeof *subjects && !status; k++)
        if (!args.only || strcmp(args.only, subjects[k].name) == 0) status = proofs ? prove(ctx, &subjects[k]) : measure(ctx, &subjects[k], x, y);
    if (!status && !proofs && (!args.only || strcmp(args.only, "softmax") == 0)) status = measure_softmax(ctx);
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
