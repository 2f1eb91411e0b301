/* The kernels of latent.h for AVX-512. */
#if defined(__x86_64__)
#define LANES_AVX512
#define TABLE_F32 latent_avx512_f32
#define TABLE_F64 latent_avx512_f64
#include "tensor/latent.inc"
#endif
