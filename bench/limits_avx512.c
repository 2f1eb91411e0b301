/* Limits of one core with AVX-512. */
#include <immintrin.h>
#define LEVEL avx512
#define VEC_F32 __m512
#define VEC_F64 __m512d
#define LANES_F32 16
#define LANES_F64 8
#define SET_F32(x) _mm512_set1_ps((float)(x))
#define SET_F64(x) _mm512_set1_pd(x)
#define MULTIPLY_ADD_F32(x, a, b) _mm512_fmadd_ps(x, a, b)
#define MULTIPLY_ADD_F64(x, a, b) _mm512_fmadd_pd(x, a, b)
#define FIRST_F32(x) ((double)_mm512_cvtss_f32(x))
#define FIRST_F64(x) _mm512_cvtsd_f64(x)
#define ADD_F64(a, b) _mm512_add_pd(a, b)
#define LOAD_F64(p) _mm512_loadu_pd(p)
#define STORE_F64(p, x) _mm512_storeu_pd(p, x)
#include "limits_kernels.h"
