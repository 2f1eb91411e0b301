/* Functions of arrays of f32 at the CPU level in force; softmax over rows. Declared in nigh/vector.h. */
#include "tensor/vector.h"

/* Results that are larger would push everything else out of a core's cache, and come back from memory only to be overwritten. */
enum { STREAM_BYTES = 1 << 20 };

const vector_kernels *vector_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return &vector_avx512;
    if (level >= NIGH_CPU_AVX2) return &vector_avx2;
#endif
    return &vector_scalar;
}

static void apply(vector_id id, int64_t n, const float *x, float *y)
{
    if (n > 0) vector_kernels_at(nigh_cpu())->function[id](n, x, y);
}

void nigh_exp_f32(int64_t n, const float *x, float *y) { apply(VECTOR_EXP, n, x, y); }
void nigh_log_f32(int64_t n, const float *x, float *y) { apply(VECTOR_LOG, n, x, y); }
void nigh_sin_f32(int64_t n, const float *x, float *y) { apply(VECTOR_SIN, n, x, y); }
void nigh_cos_f32(int64_t n, const float *x, float *y) { apply(VECTOR_COS, n, x, y); }
void nigh_tanh_f32(int64_t n, const float *x, float *y) { apply(VECTOR_TANH, n, x, y); }
void nigh_erf_f32(int64_t n, const float *x, float *y) { apply(VECTOR_ERF, n, x, y); }

nigh_status nigh_softmax_f32(nigh_context *ctx, int64_t rows, int64_t columns, const float *x, float *y)
{
    int64_t count;
    if (rows < 0) return nigh_fail(ctx, NIGH_INVALID, "rows is %lld; 0 or more is allowed", (long long)rows);
    if (columns < 0) return nigh_fail(ctx, NIGH_INVALID, "columns is %lld; 0 or more is allowed", (long long)columns);
    if (__builtin_mul_overflow(rows, columns, &count) || count > INT64_MAX / (int64_t)sizeof *x)
        return nigh_fail(ctx, NIGH_INVALID, "rows * columns is %lld * %lld; at most 2^61 is allowed", (long long)rows, (long long)columns);
    if (count == 0) return NIGH_OK;

    const vector_kernels *kernels = vector_kernels_at(nigh_cpu());
    bool stream = x != y && count >= STREAM_BYTES / (int64_t)sizeof *y && columns <= VECTOR_ROOM && columns % 16 == 0 && (uintptr_t)y % 64 == 0;
    int threads = count < 1 << 15 ? 1 : nigh_context_threads(ctx);
    (void)threads;
#pragma omp parallel num_threads(threads)
    {
        _Alignas(64) float room[VECTOR_ROOM];
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++) kernels->softmax(columns, x + i * columns, y + i * columns, room, stream);
        if (stream) kernels->fence();
    }
    return NIGH_OK;
}
