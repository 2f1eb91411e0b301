/* The loops of regrid.inc with this CPU level's flags. */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL regrid_avx512
#include "operator/regrid.inc"
#endif
