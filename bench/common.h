/*
 * What the measurements share: a clean start, arguments, problems made of C functions, truth of a plan from fresh inputs,
 * the work that is timed, and the summary lines "bar N: figure relation threshold: verdict".
 */
#ifndef NIGH_BENCH_COMMON_H
#define NIGH_BENCH_COMMON_H
#include "nigh/plan.h"

#include <stdio.h>

/* ---- start and end ---- */

typedef struct bench_args {
    int64_t count; /* of problems or runs; 0: the full number */
    uint64_t seed;
    bool quick, verbose;
    const char *json; /* file for the summary; NULL: none */
    const char *only; /* part of a name: only these; NULL: all */
} bench_args;

/*
 * Starts the program again without OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE when they are set, reads the arguments and prints
 * the machine. -1: go on; otherwise the exit code.
 */
int bench_start(int argc, char **argv, const char *what, bench_args *args);

/* Prints and remembers one line; `least`: value >= threshold is wanted, else value <= threshold. */
void bench_bar(int bar, const char *figure, double value, bool least, double threshold);

/* A figure without a threshold, for the JSON file alone. */
void bench_note(const char *figure, double value);

/* Writes the JSON file. Exit code: 1 when a bar fell short. */
int bench_end(const bench_args *args);

/* Progress on standard error. */
void bench_progress(int64_t done, int64_t total, const char *what);

/* ---- small ---- */

int bench_by_value(const void *a, const void *b); /* doubles, for qsort */

/* A fresh folder for ledger and wisdom, and its removal with all that lies in it. */
void bench_folder_new(char path[64]);
void bench_folder_remove(const char *path);

double bench_between(nigh_rng *rng, double low, double high);
double bench_log_between(nigh_rng *rng, double low, double high); /* log-uniform */

/* ---- truth ---- */

/* Errors of a plan on n inputs `in` with exact outputs `out`. */
nigh_status bench_errors(nigh_context *ctx, const nigh_problem *problem, const nigh_plan *plan, int64_t n, const void *in, const void *out,
                         double *errors);

typedef struct bench_truth {
    double mean, mean_se; /* of min(e, 5E) and its standard error */
    double outliers;      /* share with e > 5E */
    double p95, worst;
} bench_truth;

/* From errors [n], which are sorted. */
bench_truth bench_truth_of(int64_t n, double *errors, double error);

/* The figure that `statistic` compares with E. */
double bench_truth_decides(const bench_truth *truth, nigh_statistic statistic);

/* n inputs of a problem with exact outputs; memory of the context. `even`: inputs of a function, one in each of n equal parts. */
typedef struct bench_inputs {
    int64_t n;
    void *in, *out;
} bench_inputs;
nigh_status bench_inputs_new(nigh_context *ctx, const nigh_problem *problem, uint64_t seed, int64_t n, bool even, bench_inputs *inputs);
void bench_inputs_free(nigh_context *ctx, bench_inputs *inputs);

/* ---- work that is timed ---- */

typedef struct bench_work {
    const nigh_plan *plan;
    int64_t n;
    const char *in;
    char *out, *workspace;
    size_t in_bytes, out_bytes, bytes; /* of a sample, of a sample, of the workspace */
} bench_work;
nigh_status bench_work_new(nigh_context *ctx, const nigh_problem *problem, const nigh_plan *plan, const bench_inputs *inputs, bench_work *work);
void bench_work_free(nigh_context *ctx, bench_work *work);
nigh_status bench_work_run(nigh_context *ctx, void *user, int64_t samples); /* nigh_timed_fn */

/* CPU seconds per sample: median of 5 batches of >= 1 ms. */
nigh_status bench_work_seconds(nigh_context *ctx, bench_work *work, double *seconds);

/* One fit of a method from given samples, with its CPU seconds. */
nigh_status bench_fit(nigh_context *ctx, const nigh_problem *problem, const nigh_method *method, const nigh_settings *settings,
                      const nigh_samples *samples, nigh_plan **plan, double *seconds);
#endif
