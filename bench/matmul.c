/*
 * Matrix products beside oneDNN and OpenBLAS, and their share of the measured peak of multiply-adds.
 *
 *     matmul [--quick] [--only NAME] [--count THREADS] [--json FILE]
 *
 * One line a shape: GF/s of each (best of many alternating repetitions, inputs and primitives prepared before) and microseconds a call of
 * nigh's. A dash: the library has no such product, or one of its calls a product of the batch is all it offers.
 */
#include "common.h"
#include "limits_kernels.h"

#include "nigh/random.h"
#include "tensor/matmul.h"

#include <cblas.h>
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct shape {
    const char *name;
    nigh_dtype dtype, b_dtype;
    int64_t batch, m, n, k;
    bool at, bt;  /* the operand is stored transposed */
    int64_t skip; /* rows of A and C between two products of the batch, which are so interleaved; 0: dense */
} shape;

#define F32 NIGH_F32, NIGH_F32
#define F64 NIGH_F64, NIGH_F64
#define C64 NIGH_C64, NIGH_C64
#define C128 NIGH_C128, NIGH_C128
static const shape shapes[] = {
    {"f32 square", F32, 1, 128, 128, 128, 0, 0, 0},
    {"f32 square", F32, 1, 256, 256, 256, 0, 0, 0},
    {"f32 square", F32, 1, 512, 512, 512, 0, 0, 0},
    {"f32 square", F32, 1, 1024, 1024, 1024, 0, 0, 0},
    {"f32 square A^T", F32, 1, 512, 512, 512, 1, 0, 0},
    {"f32 square B^T", F32, 1, 512, 512, 512, 0, 1, 0},
    {"f32 square", F32, 1, 1000, 1000, 1000, 0, 0, 0},
    {"f32 layer", F32, 1, 2048, 384, 96, 0, 0, 0},
    {"f32 layer dW", F32, 1, 96, 384, 2048, 1, 0, 0},
    {"f32 layer dx", F32, 1, 2048, 96, 384, 0, 1, 0},
    {"f32 layer", F32, 1, 2048, 96, 384, 0, 0, 0},
    {"f32 layer dW", F32, 1, 384, 96, 2048, 1, 0, 0},
    {"f32 layer dx", F32, 1, 2048, 384, 96, 0, 1, 0},
    {"f32 layer", F32, 1, 2048, 96, 96, 0, 0, 0},
    {"f32 layer dW", F32, 1, 96, 96, 2048, 1, 0, 0},
    {"f32 layer dx", F32, 1, 2048, 96, 96, 0, 1, 0},
    {"f32 dft", F32, 1, 40960, 24, 64, 0, 0, 0},
    {"f32 dft batch", F32, 1280, 24, 32, 64, 0, 0, 0},
    {"f32 dft batch", F32, 20, 48, 384, 128, 0, 0, 0},
    {"f32 modes", F32, 288, 20, 64, 64, 0, 0, 288},
    {"f32 channels", F32, 1, 81920, 32, 32, 0, 0, 0},
    {"f32 channels dW", F32, 1, 32, 32, 81920, 1, 0, 0},
    {"f32 mlp", F32, 1, 128, 256, 784, 0, 0, 0},
    {"f32 mlp", F32, 1, 128, 256, 256, 0, 0, 0},
    {"f32 mlp dW", F32, 1, 256, 256, 128, 1, 0, 0},
    {"f32 mlp dx", F32, 1, 128, 256, 256, 0, 1, 0},
    {"f32 tiny", F32, 1, 8, 8, 8, 0, 0, 0},
    {"f32 tiny", F32, 1, 32, 50, 20, 0, 0, 0},
    {"f32 tiny", F32, 1, 1000, 50, 20, 0, 0, 0},
    {"f32 tiny", F32, 1, 32, 1, 50, 0, 0, 0},
    {"f32 tiny", F32, 1, 1000, 1, 50, 0, 0, 0},
    {"f32 tiny dW", F32, 1, 50, 1, 1000, 1, 0, 0},
    {"f32 one row B^T", F32, 1, 1, 1024, 1024, 0, 1, 0},
    {"f32 x bf16", NIGH_F32, NIGH_BF16, 1, 512, 512, 512, 0, 0, 0},
    {"f32 x f16 B^T", NIGH_F32, NIGH_F16, 1, 512, 512, 512, 0, 1, 0},
    {"f64 square", F64, 1, 64, 64, 64, 0, 0, 0},
    {"f64 square", F64, 1, 256, 256, 256, 0, 0, 0},
    {"f64 square", F64, 1, 1000, 1000, 1000, 0, 0, 0},
    {"f64 square B^T", F64, 1, 512, 512, 512, 0, 1, 0},
    {"f64 dW", F64, 1, 96, 384, 2048, 1, 0, 0},
    {"f64 tiny", F64, 1, 8, 8, 8, 0, 0, 0},
    {"c64 square", C64, 1, 16, 16, 16, 0, 0, 0},
    {"c64 square", C64, 1, 256, 256, 256, 0, 0, 0},
    {"c64 modes", C64, 288, 20, 32, 32, 0, 0, 288},
    {"c128 square", C128, 1, 256, 256, 256, 0, 0, 0},
    {"c128 square B^T", C128, 1, 256, 256, 256, 0, 1, 0},
};

typedef struct rivals {
    const shape *shape;
    matmul *own;
    matmul_spec spec;
    void *a, *b, *c, *workspace;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[3];
    bool onednn;
} rivals;

static matmul_spec spec_of(const shape *s)
{
    matmul_spec t = {.dtype = s->dtype, .b_dtype = s->b_dtype, .batch_dims = 1, .batch = {s->batch}, .m = s->m, .n = s->n, .k = s->k, .alpha = 1};
    int64_t apart = s->skip ? s->skip : 1; /* row i of product p: row i * apart + p */
    t.a_row = (s->at ? 1 : s->k) * apart, t.a_column = s->at ? s->m : 1, t.b_row = s->bt ? 1 : s->n, t.b_column = s->bt ? s->k : 1;
    t.c_row = s->n * apart, t.c_column = 1;
    t.a_batch[0] = s->skip ? s->k : s->m * s->k, t.b_batch[0] = s->k * s->n, t.c_batch[0] = s->skip ? s->n : s->m * s->n;
    return t;
}

static void onednn_new(rivals *r)
{
    const matmul_spec *s = &r->spec;
    if (s->dtype != NIGH_F32 || s->b_dtype != NIGH_F32) return;
    int64_t b = s->batch[0];
    dnnl_memory_desc_t d[3];
    dnnl_memory_desc_init_by_strides(&d[0], 3, (dnnl_dims_t){b, s->m, s->k}, dnnl_f32, (dnnl_dims_t){s->a_batch[0], s->a_row, s->a_column});
    dnnl_memory_desc_init_by_strides(&d[1], 3, (dnnl_dims_t){b, s->k, s->n}, dnnl_f32, (dnnl_dims_t){s->b_batch[0], s->b_row, s->b_column});
    dnnl_memory_desc_init_by_strides(&d[2], 3, (dnnl_dims_t){b, s->m, s->n}, dnnl_f32, (dnnl_dims_t){s->c_batch[0], s->c_row, s->c_column});
    dnnl_matmul_desc_t matmul_desc;
    dnnl_primitive_desc_t primitive_desc = NULL;
    if (dnnl_matmul_desc_init(&matmul_desc, &d[0], &d[1], NULL, &d[2]) || dnnl_primitive_desc_create(&primitive_desc, &matmul_desc, NULL, r->engine, NULL))
        return;
    r->onednn = dnnl_primitive_create(&r->primitive, primitive_desc) == dnnl_success;
    dnnl_primitive_desc_destroy(primitive_desc);
    void *data[3] = {r->a, r->b, r->c};
    for (int i = 0; i < 3 && r->onednn; i++) dnnl_memory_create(&r->memory[i], &d[i], r->engine, data[i]);
}

static void onednn_run(rivals *r)
{
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, r->memory[0]}, {DNNL_ARG_WEIGHTS, r->memory[1]}, {DNNL_ARG_DST, r->memory[2]}};
    dnnl_primitive_execute(r->primitive, r->stream, 3, args);
    dnnl_stream_wait(r->stream);
}

static void blas_run(rivals *r)
{
    const matmul_spec *s = &r->spec;
    static const double one[2] = {1, 0}, zero[2] = {0, 0};
    static const float one_f[2] = {1, 0}, zero_f[2] = {0, 0};
    enum CBLAS_TRANSPOSE ta = r->shape->at ? CblasTrans : CblasNoTrans, tb = r->shape->bt ? CblasTrans : CblasNoTrans;
    int m = (int)s->m, n = (int)s->n, k = (int)s->k, lda = (int)(r->shape->at ? s->a_column : s->a_row), ldb = (int)(r->shape->bt ? s->b_column : s->b_row);
    size_t size = nigh_dtype_size(s->dtype);
    for (int64_t i = 0; i < s->batch[0]; i++) {
        void *a = (char *)r->a + (size_t)(i * s->a_batch[0]) * size, *b = (char *)r->b + (size_t)(i * s->b_batch[0]) * size,
             *c = (char *)r->c + (size_t)(i * s->c_batch[0]) * size;
        switch (s->dtype) {
        case NIGH_F32: cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, (int)s->c_row); break;
        case NIGH_F64: cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, (int)s->c_row); break;
        case NIGH_C64: cblas_cgemm(CblasRowMajor, ta, tb, m, n, k, one_f, a, lda, b, ldb, zero_f, c, (int)s->c_row); break;
        default: cblas_zgemm(CblasRowMajor, ta, tb, m, n, k, one, a, lda, b, ldb, zero, c, (int)s->c_row); break;
        }
    }
}

static void run_one(rivals *r, int which)
{
    if (which == 0)
        matmul_run(r->own, r->a, r->b, NULL, r->c, r->workspace);
    else if (which == 1)
        onednn_run(r);
    else
        blas_run(r);
}

typedef double peak_kernel(int64_t);

/* Operations a second of multiply-adds alone. */
static double peak_now(peak_kernel *kernel, int threads)
{
    double operations = 0, start = nigh_clock();
#pragma omp parallel num_threads(threads) reduction(+ : operations)
    operations += kernel(300000) * 300000.0;
    return operations / (nigh_clock() - start);
}

static int rising(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

/*
 * Seconds a call of each, best of `rounds` alternating batches of calls of some 2 ms; and the median over the rounds of our calls a second over the peak measured
 * just before: a machine that is slow for both does not count.
 */
static double time_all(rivals *r, int rounds, peak_kernel *kernel, int threads, double best[3])
{
    double share[64];
    const bool has[3] = {true, r->onednn, r->spec.b_dtype == r->spec.dtype};
    int64_t calls[3];
    for (int w = 0; w < 3; w++) {
        best[w] = INFINITY, calls[w] = 1;
        for (double spent = 0; has[w] && spent < 5e-4; calls[w] *= 2) {
            double start = nigh_clock();
            for (int64_t i = 0; i < calls[w]; i++) run_one(r, w);
            spent = nigh_clock() - start;
        }
    }
    for (int round = 0; round < rounds; round++) {
        double peak = peak_now(kernel, threads);
        for (int w = 0; w < 3; w++) {
            if (!has[w]) continue;
            double start = nigh_clock();
            for (int64_t i = 0; i < calls[w]; i++) run_one(r, w);
            double seconds = (nigh_clock() - start) / (double)calls[w];
            best[w] = fmin(best[w], seconds);
            if (w == 0) share[round] = 1 / seconds / peak;
        }
    }
    qsort(share, (size_t)rounds, sizeof *share, rising);
    return share[rounds / 2];
}

static double peak_of(peak_kernel *kernel, int threads)
{
    double best = 0;
    for (int i = 0; i < 15; i++) best = fmax(best, peak_now(kernel, threads));
    return best;
}

static void fill(const shape *s, nigh_rng *rng, void *to, int64_t count, nigh_dtype type)
{
    int64_t numbers = type == NIGH_C64 || type == NIGH_C128 ? 2 * count : count;
    if (type == NIGH_F64 || type == NIGH_C128)
        nigh_rng_fill_normal(rng, numbers, to);
    else if (type == NIGH_F32 || type == NIGH_C64)
        nigh_rng_fill_normal_f32(rng, numbers, to);
    else
        memset(to, 0x35, (size_t)count * 2);
}

static nigh_status measure(nigh_context *ctx, const shape *s, dnnl_engine_t engine, dnnl_stream_t stream, int threads, int rounds, peak_kernel *const kernel[2])
{
    rivals r = {.shape = s, .spec = spec_of(s), .engine = engine, .stream = stream};
    size_t size = nigh_dtype_size(s->dtype);
    int unit = s->dtype == NIGH_C64 || s->dtype == NIGH_C128 ? 2 : 1;
    nigh_rng rng = nigh_rng_new(7, 0);
    nigh_status status = matmul_new(ctx, &r.spec, threads, &r.own);
    if (status) return status;
    r.a = nigh_alloc(ctx, (size_t)(s->batch * s->m * s->k) * size), r.b = nigh_alloc(ctx, (size_t)(s->batch * s->k * s->n) * size);
    r.c = nigh_alloc(ctx, (size_t)(s->batch * s->m * s->n) * size), r.workspace = nigh_alloc(ctx, matmul_workspace(r.own) + 64);
    if (!r.a || !r.b || !r.c || !r.workspace) status = NIGH_MEMORY;
    if (!status) {
        fill(s, &rng, r.a, s->batch * s->m * s->k, s->dtype);
        fill(s, &rng, r.b, s->batch * s->k * s->n, s->b_dtype);
        onednn_new(&r);
        double best[3], flops = 2.0 * unit * unit * (double)s->batch * (double)s->m * (double)s->n * (double)s->k;
        double share = flops * time_all(&r, rounds, kernel[size / (size_t)unit == 8], threads, best);
        char text[96], rate[3][16];
        snprintf(text, sizeof text, "%s %lld x [%lld x %lld] [%lld x %lld]", s->name, (long long)s->batch, (long long)s->m, (long long)s->k, (long long)s->k,
                 (long long)s->n);
        for (int w = 0; w < 3; w++) snprintf(rate[w], sizeof rate[w], isinf(best[w]) ? "-" : "%.1f", 1e-9 * flops / best[w]);
        printf("%-48s %8s %8s %8s %6.1f%% %10.2f us\n", text, rate[0], rate[1], rate[2], 100 * share, 1e6 * best[0]);
        bench_note(text, 1e-9 * flops / best[0]);
    }
    for (int i = 0; i < 3; i++) dnnl_memory_destroy(r.memory[i]);
    if (r.primitive) dnnl_primitive_destroy(r.primitive);
    nigh_free(ctx, r.workspace), nigh_free(ctx, r.c), nigh_free(ctx, r.b), nigh_free(ctx, r.a);
    matmul_free(r.own);
    return status;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "matmul: matrix products beside oneDNN and OpenBLAS", &args);
    if (done >= 0) return done;
    int threads = args.count ? (int)args.count : (int)sysconf(_SC_NPROCESSORS_ONLN);
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
    const limits_kernels *k = nigh_cpu() == NIGH_CPU_AVX512 ? &limits_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &limits_avx2 : &limits_scalar;
    peak_kernel *const kernels[2] = {k->flops_f32, k->flops_f64};
    double peak[2] = {peak_of(k->flops_f32, threads), peak_of(k->flops_f64, threads)};
    printf("%s, %d threads, peak f32 %.1f, f64 %.1f GF/s\n", nigh_cpu_level_name(nigh_cpu()), threads, 1e-9 * peak[0], 1e-9 * peak[1]);
    printf("%-48s %8s %8s %8s %7s %13s\n", "GF/s", "nigh", "oneDNN", "OpenBLAS", "of peak", "a call");
    nigh_context *ctx;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    if (nigh_context_new(&ctx) || dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags)) return 3;
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !status; i++)
        if (!args.only || strstr(shapes[i].name, args.only)) status = measure(ctx, &shapes[i], engine, stream, threads, args.quick ? 5 : 40, kernels);
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
