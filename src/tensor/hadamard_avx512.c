/* Walsh-Hadamard kernels of one CPU level. */
#include "tensor/hadamard.h"
#define LANES_BITS 32
#include "lanes.inc"
#define EXCHANGE1(v) _mm512_permute_ps(v, 0xB1)
#define EXCHANGE2(v) _mm512_permute_ps(v, 0x4E)
#define EXCHANGE4(v) _mm512_shuffle_f32x4(v, v, 0xB1)
#define EXCHANGE8(v) _mm512_shuffle_f32x4(v, v, 0x4E)
#include "hadamard.inc"
#undef LANES_BITS
#undef EXCHANGE1
#undef EXCHANGE2
#undef EXCHANGE4
#undef EXCHANGE8
#define LANES_BITS 64
#include "lanes.inc"
#define EXCHANGE1(v) _mm512_permute_pd(v, 0x55)
#define EXCHANGE2(v) _mm512_permutex_pd(v, 0x4E)
#define EXCHANGE4(v) _mm512_shuffle_f64x2(v, v, 0x4E)
#include "hadamard.inc"
const hadamard_kernels hadamard_avx512[2] = {{local_f32, eight_f32}, {local_f64, eight_f64}};
