/*
 * Transforms, selections, distances and recurrences of src/tensor on this host.
 *
 *     transforms [--quick] [--only PART] [--count THREADS] [--json FILE]
 *
 * Fourier transforms by nigh's own engine beside FFTW (as planned by estimate, and by measurement where it differs), the Walsh-Hadamard
 * transform beside a copy of the same bytes, top-k and sorting, nearest rows, and recurrences; best of several alternating runs.
 * With --count 1 seconds are CPU seconds of one thread, which other programs disturb less.
 */
#include "common.h"

#include "nigh/fft.h"
#include "nigh/random.h"
#include "tensor/distance.h"
#include "tensor/hadamard.h"
#include "tensor/scan.h"
#include "tensor/segment.h"
#include "tensor/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef NIGH_HAVE_FFTW
#include <fftw3.h>
#endif

static int rounds = 7;
static int threads;

static double now(void)
{
    return threads == 1 ? nigh_clock_cpu() : nigh_clock();
}

typedef void work_fn(void *user);

/* Best seconds of each of n works, run in turn. */
static void in_turn(int n, work_fn *const *work, void *const *user, double *best)
{
    int64_t repeat[8];
    for (int i = 0; i < n; i++) {
        work[i](user[i]);
        double start = now();
        work[i](user[i]);
        double once = now() - start;
        repeat[i] = once < 5e-3 ? (int64_t)(5e-3 / (once + 1e-9)) + 1 : 1;
        best[i] = INFINITY;
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n; i++) {
            double start = now();
            for (int64_t k = 0; k < repeat[i]; k++) work[i](user[i]);
            best[i] = fmin(best[i], (now() - start) / (double)repeat[i]);
        }
}

static float *numbers(nigh_context *ctx, int64_t n)
{
    float *x = nigh_alloc(ctx, (size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i * 7919 % 10007) / 10007 - 0.5f;
    return x;
}

typedef struct fft_job {
    nigh_fft *fft;
    void *in, *out, *work;
} fft_job;

static void run_fft(void *user)
{
    fft_job *job = user;
    nigh_fft_run(job->fft, job->in, job->out, job->work);
}

#ifdef NIGH_HAVE_FFTW
static void run_measured(void *user)
{
    fftwf_execute(*(fftwf_plan *)user);
}

/* The measured plan of a real forward or complex transform over strided batches. */
static fftwf_plan measured_plan(const nigh_fft_spec *spec, void *in, void *out)
{
    fftw_iodim64 dim[3], batch[4];
    for (int i = 0; i < spec->dims; i++) dim[i] = (fftw_iodim64){spec->dim[i].n, spec->dim[i].in, spec->dim[i].out};
    for (int i = 0; i < spec->batch_dims; i++) batch[i] = (fftw_iodim64){spec->batch[i].n, spec->batch[i].in, spec->batch[i].out};
    fftwf_plan_with_nthreads(threads);
    if (spec->kind == NIGH_FFT_REAL) return fftwf_plan_guru64_dft_r2c(spec->dims, dim, spec->batch_dims, batch, in, out, FFTW_MEASURE);
    return fftwf_plan_guru64_dft(spec->dims, dim, spec->batch_dims, batch, in, out, FFTW_FORWARD, FFTW_MEASURE);
}
#endif

static nigh_status fft_case(nigh_context *ctx, const char *name, nigh_fft_kind kind, int64_t batch, int dims, const int64_t *n, int64_t channels)
{
    nigh_fft_spec spec = nigh_fft_channels_last(kind, NIGH_F32, false, batch, dims, n, channels);
    double points = (double)batch * (double)channels, logs = 0, best[3] = {0};
    for (int i = 0; i < dims; i++) points *= (double)n[i], logs += log2((double)n[i]);
    fft_job job[2] = {{0}};
    void *user[3] = {&job[0], &job[1]};
    work_fn *work[3] = {run_fft, run_fft};
    int64_t room = (int64_t)points * 4;
    int count = 1;
    nigh_status status = NIGH_OK;
    float *in = numbers(ctx, room), *out = numbers(ctx, room);
    if (!in || !out) status = NIGH_MEMORY;
#ifdef NIGH_HAVE_FFTW
    fftwf_plan measured = NULL;
    if (!status) measured = measured_plan(&spec, in, out);
    user[2] = &measured, work[2] = run_measured;
    count = 3;
#endif
    for (int e = 0; e < 2 && e < count && !status; e++) {
        spec.engine = e ? NIGH_FFT_FFTW : NIGH_FFT_OWN;
        status = nigh_fft_new(ctx, &spec, threads, &job[e].fft);
        if (status) break;
        job[e].in = in, job[e].out = out;
        job[e].work = nigh_alloc(ctx, nigh_fft_workspace(job[e].fft) + 64);
        if (!job[e].work) status = NIGH_MEMORY;
    }
    if (!status) {
        in_turn(count, work, user, best);
        double flops = 5 * points * logs * (kind == NIGH_FFT_REAL ? 0.5 : 1) * 1e-9;
        printf("fft %-22s own %8.1f us (%5.1f GF/s)  fftw estimate %8.1f us  measured %8.1f us\n", name, best[0] * 1e6, flops / best[0], best[1] * 1e6,
               best[2] * 1e6);
        bench_note(name, best[0]);
    }
#ifdef NIGH_HAVE_FFTW
    fftwf_destroy_plan(measured);
#endif
    for (int e = 0; e < 2; e++) {
        nigh_fft_free(job[e].fft);
        nigh_free(ctx, job[e].work);
    }
    nigh_free(ctx, in);
    nigh_free(ctx, out);
    return status;
}

static nigh_status bench_fft(nigh_context *ctx)
{
    static const struct {
        const char *name;
        nigh_fft_kind kind;
        int64_t batch;
        int dims;
        int64_t n[3], channels;
    } cases[] = {
        {"r2c 64x64 B16 C32", NIGH_FFT_REAL, 16, 2, {64, 64}, 32},    {"r2c 128x128 B4 C32", NIGH_FFT_REAL, 4, 2, {128, 128}, 32},
        {"r2c 85x85 B8 C20", NIGH_FFT_REAL, 8, 2, {85, 85}, 20},      {"r2c 1024 B16 C64", NIGH_FFT_REAL, 16, 1, {1024}, 64},
        {"r2c 256x256", NIGH_FFT_REAL, 1, 2, {256, 256}, 1},          {"r2c 32x32x32 C8", NIGH_FFT_REAL, 1, 3, {32, 32, 32}, 8},
        {"c2c 64x64 B8 C32", NIGH_FFT_COMPLEX, 8, 2, {64, 64}, 32},   {"c2c 1024 rows 256", NIGH_FFT_COMPLEX, 256, 1, {1024}, 1},
        {"c2c 97x97 C16", NIGH_FFT_COMPLEX, 4, 2, {97, 97}, 16},      {"c2c 2^18", NIGH_FFT_COMPLEX, 1, 1, {1 << 18}, 1},
        {"c2c 16x16", NIGH_FFT_COMPLEX, 1, 2, {16, 16}, 1},           {"r2c 64 B1 C4", NIGH_FFT_REAL, 1, 1, {64}, 4},
    };
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !status; i++)
        status = fft_case(ctx, cases[i].name, cases[i].kind, cases[i].batch, cases[i].dims, cases[i].n, cases[i].channels);
    return status;
}

typedef struct block_job {
    hadamard *h;
    float *x, *y;
    size_t bytes;
    void *work;
} block_job;

static void run_hadamard(void *user)
{
    block_job *job = user;
    hadamard_run(job->h, job->x, job->work);
}

/* Every thread copies its part: the same bytes read and written as a pass in place. */
static void run_copy(void *user)
{
    block_job *job = user;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++)
        memcpy((char *)job->y + job->bytes / (size_t)threads * (size_t)t, (char *)job->x + job->bytes / (size_t)threads * (size_t)t, job->bytes / (size_t)threads);
}

static nigh_status bench_hadamard(nigh_context *ctx)
{
    static const int64_t shapes[][2] = {{1 << 24, 1}, {1 << 14, 4096}, {1 << 11, 1 << 14}, {1 << 16, 256}, {1 << 14, 1}};
    for (int i = 0; i < 5; i++) {
        int64_t n = shapes[i][0], columns = shapes[i][1], total = n * columns;
        block_job job = {.x = numbers(ctx, total), .y = numbers(ctx, total), .bytes = (size_t)total * 4};
        nigh_status status = job.x && job.y ? hadamard_new(ctx, NIGH_F32, n, columns, threads, &job.h) : NIGH_MEMORY;
        if (!status && !(job.work = nigh_alloc(ctx, hadamard_workspace(job.h) + 64))) status = NIGH_MEMORY;
        if (!status) {
            memset(job.x, 0, job.bytes); /* repeated transforms would overflow other numbers */
            double best[2];
            in_turn(2, (work_fn *const[]){run_hadamard, run_copy}, (void *const[]){&job, &job}, best);
            printf("hadamard [%lld, %lld]: %.3f ms, %.1f GB/s; copy %.1f GB/s; share %.2f\n", (long long)n, (long long)columns, best[0] * 1e3,
                   2e-9 * (double)job.bytes / best[0], 2e-9 * (double)job.bytes / best[1], best[1] / best[0]);
        }
        hadamard_free(job.h);
        nigh_free(ctx, job.work);
        nigh_free(ctx, job.x);
        nigh_free(ctx, job.y);
        if (status) return status;
    }
    return NIGH_OK;
}

typedef struct select_job {
    selection *s;
    const float *x;
    float *values;
    int64_t *index;
    void *work;
} select_job;

static void run_select(void *user)
{
    select_job *job = user;
    select_run(job->s, job->x, job->values, job->index, job->work);
}

static nigh_status bench_select(nigh_context *ctx)
{
    static const int64_t shapes[][3] = {{64, 32000, 10}, {64, 32000, 1000}, {64, 32000, 32000}, {1, 1 << 20, 1 << 20}};
    nigh_status status = NIGH_OK;
    float *x = numbers(ctx, 1 << 21), *values = numbers(ctx, 1 << 22);
    int64_t *index = nigh_alloc(ctx, 8 << 21);
    if (!x || !values || !index) status = NIGH_MEMORY;
    for (int64_t i = 0; i < 1 << 21 && !status; i++) x[i] = (float)((uint32_t)i * 2654435761u) / 4294967296.0f;
    for (int i = 0; i < 4 && !status; i++) {
        select_spec spec = {NIGH_F32, shapes[i][0], shapes[i][1], shapes[i][2], true, false};
        select_job job = {.x = x, .values = values, .index = index};
        if ((status = select_new(ctx, &spec, threads, &job.s))) break;
        job.work = nigh_alloc(ctx, select_workspace(job.s));
        double best;
        in_turn(1, (work_fn *const[]){run_select}, (void *const[]){&job}, &best);
        printf("top %lld of [%lld, %lld]: %.3f ms\n", (long long)spec.k, (long long)spec.rows, (long long)spec.columns, best * 1e3);
        nigh_free(ctx, job.work);
        select_free(job.s);
    }
    nigh_free(ctx, x);
    nigh_free(ctx, values);
    nigh_free(ctx, index);
    return status;
}

typedef struct scan_job {
    scan_gated *gated;
    scan_delta *delta;
    scan_ssm *ssm;
    distance *near;
    float *a, *b, *c, *out[4];
    int64_t *index;
    void *work;
} scan_job;

static void run_gated(void *user)
{
    scan_job *j = user;
    scan_gated_run(j->gated, j->a, j->b, NULL, j->out[0]);
}

static void run_delta(void *user)
{
    scan_job *j = user;
    scan_delta_run(j->delta, j->a, j->a, j->b, j->c, j->out[0], j->work);
}

static void run_delta_back(void *user)
{
    scan_job *j = user;
    scan_delta_back(j->delta, j->a, j->a, j->b, j->c, j->b, j->out[0], j->out[1], j->out[2], j->out[3], j->work);
}

static void run_convolve(void *user)
{
    scan_job *j = user;
    scan_ssm_convolve(j->ssm, j->a, j->b, j->b, j->b, j->c, j->out[0], j->work);
}

static void run_recur(void *user)
{
    scan_job *j = user;
    scan_ssm_recur(j->ssm, j->a, j->b, j->b, j->b, j->c, NULL, j->out[0], j->work);
}

static void run_nearest(void *user)
{
    scan_job *j = user;
    distance_nearest(j->near, j->a, j->b, j->index, NULL, j->work);
}

static nigh_status bench_scans(nigh_context *ctx)
{
    scan_job job = {0};
    scan_gated_spec gated = {NIGH_F32, 16, 1024, 256};
    scan_delta_spec delta = {NIGH_F32, 8, 1024, 4, 64, 64};
    scan_ssm_spec ssm = {NIGH_F32, 16, 1024, 256, 32};
    distance_spec near = {NIGH_F32, 8192, 8192, 64};
    int64_t n = 16 * 1024 * 256;
    nigh_status status = scan_gated_new(ctx, &gated, threads, &job.gated);
    if (!status) status = scan_delta_new(ctx, &delta, threads, &job.delta);
    if (!status) status = scan_ssm_new(ctx, &ssm, threads, &job.ssm);
    if (!status) status = distance_new(ctx, &near, threads, &job.near);
    float **all[] = {&job.a, &job.b, &job.c, &job.out[0], &job.out[1], &job.out[2], &job.out[3]};
    for (int i = 0; i < 7; i++)
        if (!(*all[i] = numbers(ctx, n))) status = NIGH_MEMORY;
    job.index = nigh_alloc(ctx, 8192 * 8);
    size_t bytes = 64;
    if (!status) bytes += scan_delta_workspace(job.delta) + scan_ssm_workspace(job.ssm) + distance_workspace(job.near);
    job.work = nigh_alloc(ctx, bytes);
    if (!status && job.work && job.index) {
        for (int64_t i = 0; i < n; i++) job.a[i] *= 0.25f, job.b[i] = -fabsf(job.b[i]) - 1e-3f, job.c[i] = 0.5f + job.c[i] * 0.5f;
        work_fn *works[] = {run_gated, run_delta, run_delta_back, run_convolve, run_recur, run_nearest};
        const char *names[] = {"gated [16, 1024, 256]", "delta forward [8, 1024, 4, 64, 64]", "delta backward", "state space by convolution [16, 1024, 256] 32 states",
                               "state space by recurrence", "nearest of 8192 rows to 8192, size 64"};
        for (int i = 0; i < 6; i++) {
            double best;
            in_turn(1, works + i, (void *const[]){&job}, &best);
            printf("%s: %.3f ms\n", names[i], best * 1e3);
            bench_note(names[i], best);
        }
    }
    scan_gated_free(job.gated);
    scan_delta_free(job.delta);
    scan_ssm_free(job.ssm);
    distance_free(job.near);
    for (int i = 0; i < 7; i++) nigh_free(ctx, *all[i]);
    nigh_free(ctx, job.index);
    nigh_free(ctx, job.work);
    return status;
}

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "transforms, selections, distances, recurrences", &args);
    if (code >= 0) return code;
    if (args.quick) rounds = 2;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    threads = args.count > 0 && args.count <= 64 ? (int)args.count : nigh_context_threads(ctx);
    static const struct {
        const char *name;
        nigh_status (*run)(nigh_context *ctx);
    } parts[] = {{"fft", bench_fft}, {"hadamard", bench_hadamard}, {"select", bench_select}, {"scan", bench_scans}};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 4 && !status; i++)
        if (!args.only || strstr(parts[i].name, args.only)) status = parts[i].run(ctx);
    if (status) fprintf(stderr, "%s: %s\n", nigh_status_text(status), nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
