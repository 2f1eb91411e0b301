/* Kernels of map plans at one CPU level; see kernels.h. */
#define W 2
#define MR 4
#define NR 2
#define KERNELS map_kernels_scalar
#include "nigh/core.h"
#include "regress/kernels.inc"

const map_kernels *map_kernels_get(void)
{
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX512) return &map_kernels_avx512;
    if (nigh_cpu() == NIGH_CPU_AVX2) return &map_kernels_avx2;
#endif
    return &map_kernels_scalar;
}
