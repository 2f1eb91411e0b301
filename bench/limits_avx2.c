/* Limits of one core with AVX2 and FMA. */
#include <immintrin.h>
#define LEVEL avx2
#define VEC_F32 __m256
#define VEC_F64 __m256d
#define LANES_F32 8
#define LANES_F64 4
#define SET_F32(x) _mm256_set1_ps((float)(x))
#define SET_F64(x) _mm256_set1_pd(x)
#define MULTIPLY_ADD_F32(x, a, b) _mm256_fmadd_ps(x, a, b)
#define MULTIPLY_ADD_F64(x, a, b) _mm256_fmadd_pd(x, a, b)
#define FIRST_F32(x) ((double)_mm256_cvtss_f32(x))
#define FIRST_F64(x) _mm256_cvtsd_f64(x)
#define ADD_F64(a, b) _mm256_add_pd(a, b)
#define LOAD_F64(p) _mm256_loadu_pd(p)
#define STORE_F64(p, x) _mm256_storeu_pd(p, x)
#include "limits_kernels.h"
