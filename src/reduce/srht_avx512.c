/* Kernels of sketches of one CPU level. */
#include "reduce/srht.h"

#include <math.h>
#define LANES_BITS 64
#include "tensor/lanes.inc"
#include "reduce/srht.inc"
const srht_kernels srht_avx512 = {pass_f64, add_f64, rows_f64, dots_f64};
