/* Kernels of map plans at one CPU level; see kernels.h. */
#if defined(__x86_64__)
#define W 4
#define MR 4
#define NR 3
#define KERNELS map_kernels_avx2
#include "regress/kernels.inc"
#endif
