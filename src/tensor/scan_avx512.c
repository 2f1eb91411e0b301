/* Recurrences at one CPU level. */
#include "tensor/scan.h"
#define LANES_BITS 32
#include "lanes.inc"
#include "scan.inc"
#undef LANES_BITS
#define LANES_BITS 64
#include "lanes.inc"
#include "scan.inc"
const scan_kernels scan_avx512[2] = {{gated_f32, gated_back_f32, delta_step_f32, delta_back_f32, ssm_f32, powers_f32, moments_f32},
                                  {gated_f64, gated_back_f64, delta_step_f64, delta_back_f64, ssm_f64, powers_f64, moments_f64}};
