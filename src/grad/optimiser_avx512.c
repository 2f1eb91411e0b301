/* The loops of optimiser_kernels.inc with this CPU level's flags. */
#if defined(__x86_64__)
#define LEVEL optimiser_avx512
#include "grad/optimiser_kernels.inc"
#endif
