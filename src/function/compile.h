/*
 * Cores as compiled C: what function_core_export writes, compiled by the system's `cc -O3 -march=native` in a private folder and loaded into the
 * process. For measuring how fast the exported code is; plans themselves are interpreted by the kernels of core_kernel.h.
 */
#ifndef NIGH_FUNCTION_COMPILE_H
#define NIGH_FUNCTION_COMPILE_H
#include "function/core_kernel.h"
#include "nigh/plan.h"

typedef struct function_compiled function_compiled;

/*
 * One library of `count` cores (any types). NIGH_UNSUPPORTED: there is no `cc`; NIGH_FAILED: it could not compile (its message), or the library could not
 * be loaded. Freed by function_compiled_free. Cost: 0.1 s and 20 ms a core. No file is left behind.
 */
nigh_status function_compile(nigh_context *ctx, int count, const function_core *const *cores, function_compiled **out);
void function_compiled_free(function_compiled *compiled); /* NULL is fine */

/* y[n] from x[n] by core number i. Thread-safe. */
void function_compiled_apply(const function_compiled *compiled, int i, int64_t n, const void *x, void *y);

enum { FUNCTION_BENCH = 4096 };

/* A kernel on 4096 numbers that stay in the caches: compiled, or interpreted when `compiled` is NULL. For nigh_time_pair. */
typedef struct function_bench {
    const function_compiled *compiled;
    int which;
    const function_core *core;
    double x[FUNCTION_BENCH], y[FUNCTION_BENCH]; /* room for either type */
} function_bench;

/* Inputs evenly over low .. high, in an order that is far from sorted. */
void function_bench_init(function_bench *bench, const function_compiled *compiled, int which, const function_core *core, double low, double high);

/* A nigh_timed_fn; user is a function_bench. Samples are rounded up to whole passes. */
nigh_status function_bench_run(nigh_context *ctx, void *user, int64_t samples);

/* Seconds per number: the least of some twenty passes of 0.2 ms or more, of each of `count` kernels in turn. */
nigh_status function_bench_seconds(nigh_context *ctx, int count, function_bench *benches, double *seconds);
#endif
