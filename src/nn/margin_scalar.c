/* The kernels of margin.h in plain C. */
#define LANES_SCALAR
#define LEVEL margin_scalar
#include "nn/margin.inc"
