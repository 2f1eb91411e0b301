/* The kernels of latent.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define TABLE_F32 latent_avx2_f32
#define TABLE_F64 latent_avx2_f64
#include "tensor/latent.inc"
#endif
