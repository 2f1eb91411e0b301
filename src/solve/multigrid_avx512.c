/* Multigrid kernels of one CPU level. */
#if defined(__x86_64__)
#define LANES_AVX512
#include "tensor/lanes.h"

#include "solve/multigrid.h"

#include "solve/multigrid.inc"
#include "solve/multigrid_transfer.inc"
#define LANES_F64
#include "tensor/lanes.h"

#include "solve/multigrid.inc"
#include "solve/multigrid_transfer.inc"
#define LEVEL_MIXED multigrid_mixed_avx512
#include "solve/multigrid_mixed.inc"
const multigrid_kernels *const multigrid_avx512[2] = {&kernels_f32, &kernels_f64};
#endif
