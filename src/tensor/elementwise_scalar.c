/* The kernels of elementwise.h in plain C. */
#define LANES_SCALAR
#define LEVEL elementwise_scalar
#define VECTOR vector_scalar
#include "tensor/elementwise.inc"
