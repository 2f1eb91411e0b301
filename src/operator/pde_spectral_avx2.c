/* Steps of one-dimensional periodic equations at the CPU level avx2. */
#include "operator/pde_spectral.h"

#include <string.h>
#define LANES_BITS 32
#include "tensor/lanes.inc"
#include "pde_spectral.inc"
#undef LANES_BITS
#define LANES_BITS 64
#include "tensor/lanes.inc"
#include "pde_spectral.inc"
const spectral_kernels spectral_avx2[2] = {{run_f32, to_modes_f32, to_values_f32}, {run_f64, to_modes_f64, to_values_f64}};
