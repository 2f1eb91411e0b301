/* The kernels of latent.h in plain C. */
#define LANES_SCALAR
#define TABLE_F32 latent_scalar_f32
#define TABLE_F64 latent_scalar_f64
#include "tensor/latent.inc"
