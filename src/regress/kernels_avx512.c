/* Kernels of map plans at one CPU level; see kernels.h. */
#if defined(__x86_64__)
#define W 8
#define MR 8
#define NR 3
#define KERNELS map_kernels_avx512
#include "regress/kernels.inc"
#endif
