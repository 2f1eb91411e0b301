/* Walsh-Hadamard kernels of one CPU level. */
#include "tensor/hadamard.h"
#define LANES_BITS 32
#include "lanes.inc"
#include "hadamard.inc"
#undef LANES_BITS
#undef EXCHANGE1
#undef EXCHANGE2
#undef EXCHANGE4
#undef EXCHANGE8
#define LANES_BITS 64
#include "lanes.inc"
#include "hadamard.inc"
const hadamard_kernels hadamard_scalar[2] = {{local_f32, eight_f32}, {local_f64, eight_f64}};
