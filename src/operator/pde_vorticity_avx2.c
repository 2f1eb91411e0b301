/* Steps of the vorticity equation at the CPU level avx2. */
#include "operator/pde_vorticity.h"

#include <math.h>
#include <string.h>
#define LANES_BITS 32
#include "tensor/lanes.inc"
#include "pde_vorticity.inc"
#undef LANES_BITS
#define LANES_BITS 64
#include "tensor/lanes.inc"
#include "pde_vorticity.inc"
const vorticity_kernels vorticity_avx2[2] = {{step_f32}, {step_f64}};
