/* The kernels of kmeans.h in plain C. */
#define LANES_SCALAR
#define LEVEL kmeans_scalar
#include "reduce/kmeans.inc"
