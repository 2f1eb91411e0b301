/* nigh's own Fourier transform at the CPU level avx2. */
#include "tensor/fft_own.h"
#define LANES_BITS 32
#include "lanes.inc"
#include "fft_kernel.inc"
static const fft_kernels kernels_f32 = FFT_KERNELS;
#undef LANES_BITS
#define LANES_BITS 64
#include "lanes.inc"
#include "fft_kernel.inc"
static const fft_kernels kernels_f64 = FFT_KERNELS;
const fft_kernels *const fft_avx2[2] = {&kernels_f32, &kernels_f64};
