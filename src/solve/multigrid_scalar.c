/* Multigrid kernels of one CPU level. */
#define LANES_SCALAR
#include "tensor/lanes.h"

#include "solve/multigrid.h"

#include "solve/multigrid.inc"
#include "solve/multigrid_transfer.inc"
#define LANES_F64
#include "tensor/lanes.h"

#include "solve/multigrid.inc"
#include "solve/multigrid_transfer.inc"
#define LEVEL_MIXED multigrid_mixed_scalar
#include "solve/multigrid_mixed.inc"
const multigrid_kernels *const multigrid_scalar[2] = {&kernels_f32, &kernels_f64};
