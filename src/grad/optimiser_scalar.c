/* The loops of optimiser_kernels.inc with this CPU level's flags. */
#define LEVEL optimiser_scalar
#include "grad/optimiser_kernels.inc"
