/* Reductions of segments at one CPU level. */
#include "tensor/segment.h"
#define LANES_BITS 32
#include "lanes.inc"
#include "segment.inc"
#undef LANES_BITS
#define LANES_BITS 64
#include "lanes.inc"
#include "segment.inc"
const segment_kernels segment_avx2[2] = {{sum_f32, extreme_f32}, {sum_f64, extreme_f64}};
