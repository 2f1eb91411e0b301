/*
 * What this host can do, and how far nigh's kernels are from it.
 *
 *     limits [--quick] [--json FILE]
 *
 * Multiply-adds from registers (GF/s) in f32 and f64 on one core and on all, at every CPU level; reading and copying (GB/s, both
 * directions counted) in L1, L2 and memory. Then plans of degree 5 and 9 applied to inputs in L1, beside the larger of two bounds: degree + 1
 * multiply-adds an element (the map to the core argument included) at the measured peak, and one load and one store at the measured copy rate of L1.
 */
#include "common.h"
#include "limits_kernels.h"

#include "nigh/function.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static const limits_kernels *kernels(nigh_cpu_level level)
{
    return level == NIGH_CPU_AVX512 ? &limits_avx512 : level == NIGH_CPU_AVX2 ? &limits_avx2 : &limits_scalar;
}

/* Best of five: what the cores do when they are ours. */
static double best_of(double (*once)(void *user, int threads), void *user, int threads)
{
    double best = 0;
    for (int i = 0; i < 5; i++) best = fmax(best, once(user, threads));
    return best;
}

typedef struct flops_job {
    double (*kernel)(int64_t rounds);
    int64_t rounds;
} flops_job;

static double flops_once(void *user, int threads)
{
    const flops_job *job = user;
    double operations = 0, start = nigh_clock();
#pragma omp parallel num_threads(threads) reduction(+ : operations)
    operations += job->kernel(job->rounds) * (double)job->rounds;
    return operations / (nigh_clock() - start);
}

typedef struct bytes_job {
    const limits_kernels *kernel;
    double *memory; /* threads x 2 x n */
    int64_t n, passes;
    bool copy;
} bytes_job;

static double bytes_once(void *user, int threads)
{
    const bytes_job *job = user;
    double start = nigh_clock();
#pragma omp parallel num_threads(threads)
    {
#ifdef _OPENMP
        double *mine = job->memory + 2 * job->n * omp_get_thread_num();
#else
        double *mine = job->memory;
#endif
        for (int64_t pass = 0; pass < job->passes; pass++)
            if (job->copy)
                job->kernel->copy(mine + job->n, mine, job->n);
            else
                job->kernel->read(mine, job->n);
    }
    return (job->copy ? 16.0 : 8.0) * (double)(job->n * job->passes) * threads / (nigh_clock() - start);
}

static double l1_copy, peak[2]; /* of the level in force, one core: bytes and flops (f32, f64) a second */

static void measure_flops(nigh_cpu_level level, int cores, bool quick)
{
    int64_t rounds = quick ? 200000 : 2000000;
    const limits_kernels *k = kernels(level);
    char text[96];
    for (int type = 0; type < 2; type++)
        for (int threads = 1; threads <= cores; threads += cores > 1 ? cores - 1 : 1) {
            flops_job job = {type ? k->flops_f64 : k->flops_f32, rounds};
            double rate = best_of(flops_once, &job, threads);
            if (threads == 1 && level == nigh_cpu()) peak[type] = rate;
            snprintf(text, sizeof text, "%s %s multiply-add, %d core%s, GF/s", nigh_cpu_level_name(level), type ? "f64" : "f32", threads, threads > 1 ? "s" : "");
            printf("%-44s %8.1f\n", text, 1e-9 * rate);
            bench_note(text, 1e-9 * rate);
        }
}

static void measure_bytes(int cores, bool quick, double *memory)
{
    static const struct {
        const char *name;
        int64_t numbers, passes;
    } places[] = {{"L1", 1536, 130000}, {"L2", 1 << 15, 8000}, {"memory", 1 << 23, 12}};
    char text[96];
    for (int place = 0; place < 3; place++)
        for (int copy = 0; copy < 2; copy++)
            for (int threads = 1; threads <= cores; threads += cores > 1 ? cores - 1 : 1) {
                bytes_job job = {kernels(nigh_cpu()), memory, places[place].numbers, places[place].passes / (quick ? 4 : 1), copy};
                double rate = best_of(bytes_once, &job, threads);
                if (place == 0 && copy && threads == 1) l1_copy = rate;
                snprintf(text, sizeof text, "%s %s, %d core%s, GB/s", places[place].name, copy ? "copy" : "read", threads, threads > 1 ? "s" : "");
                printf("%-44s %8.1f\n", text, 1e-9 * rate);
                bench_note(text, 1e-9 * rate);
            }
}

static nigh_status measure_plan(nigh_context *ctx, nigh_dtype type, int degree)
{
    nigh_problem *problem = NULL;
    nigh_outcome *outcome = NULL;
    bench_inputs inputs = {0};
    bench_work work = {0};
    char settings[64], text[96];
    double seconds = 0;
    nigh_request request = nigh_request_default();
    snprintf(settings, sizeof settings, "degree=%d,reduction=none", degree);
    request.error = 1, request.no_clock = true, request.state = "", request.methods = "minimax", request.settings = settings;
    nigh_status status = nigh_function_problem_new(ctx, &(nigh_function){"exp", -1, 1, type, NULL}, &problem);
    if (!status) status = nigh_plan_make(ctx, problem, &request, &outcome);
    if (!status) status = bench_inputs_new(ctx, problem, 1, 1024, true, &inputs); /* in and out fit into L1 */
    if (!status) status = bench_work_new(ctx, problem, outcome->plan, &inputs, &work);
    double best = INFINITY;
    for (int i = 0; i < 5 && !status; i++) {
        status = bench_work_seconds(ctx, &work, &seconds);
        best = fmin(best, seconds);
    }
    if (!status) {
        double fma = 2.0 * (degree + 1) / peak[type == NIGH_F64], move = 2.0 * (double)nigh_dtype_size(type) / l1_copy, limit = fmax(fma, move);
        snprintf(text, sizeof text, "degree %d %s: time over limit", degree, nigh_dtype_name(type));
        printf("degree %d %s: %.4f ns an element; bounds: multiply-add %.4f, load and store %.4f; %.2f times the limit\n", degree, nigh_dtype_name(type),
               1e9 * best, 1e9 * fma, 1e9 * move, best / limit);
        bench_note(text, best / limit);
    }
    bench_work_free(ctx, &work);
    bench_inputs_free(ctx, &inputs);
    nigh_outcome_free(ctx, outcome);
    nigh_problem_free(ctx, problem);
    return status;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "limits: what this host can do, and how far the kernels are from it", &args);
    if (done >= 0) return done;
    int cores = 1;
#ifdef _OPENMP
    cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    size_t numbers = (size_t)cores * 2 * (1 << 23);
    double *memory = nigh_alloc_zero(ctx, numbers, sizeof *memory);
    nigh_status status = memory ? NIGH_OK : NIGH_MEMORY;
    for (size_t i = 0; i < numbers && !status; i++) memory[i] = 1;
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu() && !status; level++) measure_flops((nigh_cpu_level)level, cores, args.quick);
    if (!status) measure_bytes(cores, args.quick, memory);
    nigh_free(ctx, memory);
    static const int degrees[] = {5, 9};
    for (int type = 0; type < 2; type++)
        for (int d = 0; d < 2 && !status; d++) status = measure_plan(ctx, type ? NIGH_F64 : NIGH_F32, degrees[d]);
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
