/* The row kernels of the CPU level in force. Declared in lm/rows.h. */
#include "lm/rows_tables.h"

#include "nigh/core.h"
#include "nigh/vector.h"

#include <math.h>

const rows_kernels *rows_kernels_now(void)
{
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX512) return &rows_avx512;
    if (nigh_cpu() >= NIGH_CPU_AVX2) return &rows_avx2;
#endif
    return &rows_scalar;
}

double rows_log_sum(int64_t n, const float *x, float *largest)
{
    enum { BLOCK = 512 };
    float most = -INFINITY, room[BLOCK];
    for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
    double sum = 0;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t count = n - i < BLOCK ? n - i : BLOCK;
        for (int64_t j = 0; j < count; j++) room[j] = x[i + j] - most;
        nigh_exp_f32(count, room, room);
        float part[16] = {0};
        for (int64_t j = 0; j < count; j++) part[j & 15] += room[j];
        for (int j = 0; j < 16; j++) sum += part[j];
    }
    if (largest) *largest = most;
    return log(sum) + most;
}
