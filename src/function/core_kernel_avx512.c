/* The kernels of core_kernel.inc for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#include <immintrin.h>

#include "function/core_kernel_vector.h"

typedef uint32_t vector_u32 __attribute__((vector_size(64)));
typedef uint64_t vector_u64 __attribute__((vector_size(64)));

#define NAME(x) x##_f32
#define REAL float
#define UINT uint32_t
#define MANTISSA 23
#define BIAS 127
#define HALF_ROOT_BITS HALF_ROOT_F32
#define V __m512
#define U vector_u32
#define LANES 16
#define CHAINS CHAINS_OF(8)
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SET(x) _mm512_set1_ps(x)
#define USET(x) ((U)_mm512_set1_epi32((int)(x)))
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MIN(a, b) _mm512_min_ps(a, b)
#define MAX(a, b) _mm512_max_ps(a, b)
#define GATHER(p, i) _mm512_i32gather_ps((__m512i)(i), p, 4)
#define SELECT(mask, a, b) ((V)(((U)(mask) & (U)(a)) | (~(U)(mask) & (U)(b))))
#define AS_U(v) ((U)(v))
#define AS_V(u) ((V)(u))
#include "function/core_kernel.inc"

#define NAME(x) x##_f64
#define REAL double
#define UINT uint64_t
#define MANTISSA 52
#define BIAS 1023
#define HALF_ROOT_BITS HALF_ROOT_F64
#define V __m512d
#define U vector_u64
#define LANES 8
#define CHAINS CHAINS_OF(8)
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define SET(x) _mm512_set1_pd(x)
#define USET(x) ((U)_mm512_set1_epi64((long long)(x)))
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define MIN(a, b) _mm512_min_pd(a, b)
#define MAX(a, b) _mm512_max_pd(a, b)
#define GATHER(p, i) _mm512_i64gather_pd((__m512i)(i), p, 8)
#define SELECT(mask, a, b) ((V)(((U)(mask) & (U)(a)) | (~(U)(mask) & (U)(b))))
#define AS_U(v) ((U)(v))
#define AS_V(u) ((V)(u))
#include "function/core_kernel.inc"

#define TABLE function_core_avx512
#include "function/core_kernel_all.inc"
#endif
