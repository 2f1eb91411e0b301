/* The kernels of core_kernel.inc in plain C: one number at a time, fma by the C library. */
#include <math.h>

#include "function/core_kernel_vector.h"

ALWAYS_INLINE uint32_t bits_f32(float x) { uint32_t u; memcpy(&u, &x, sizeof u); return u; }
ALWAYS_INLINE float real_f32(uint32_t u) { float x; memcpy(&x, &u, sizeof x); return x; }
ALWAYS_INLINE uint64_t bits_f64(double x) { uint64_t u; memcpy(&u, &x, sizeof u); return u; }
ALWAYS_INLINE double real_f64(uint64_t u) { double x; memcpy(&x, &u, sizeof x); return x; }

#define NAME(x) x##_f32
#define REAL float
#define UINT uint32_t
#define MANTISSA 23
#define BIAS 127
#define HALF_ROOT_BITS HALF_ROOT_F32
#define V float
#define U uint32_t
#define LANES 1
#define CHAINS CHAINS_OF(4)
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SET(x) (x)
#define USET(x) ((UINT)(x))
#define FMA(a, b, c) fmaf(a, b, c)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define GATHER(p, i) ((p)[i])
#define SELECT(mask, a, b) ((mask) ? (a) : (b))
#define AS_U(v) bits_f32(v)
#define AS_V(u) real_f32(u)
#include "function/core_kernel.inc"

#define NAME(x) x##_f64
#define REAL double
#define UINT uint64_t
#define MANTISSA 52
#define BIAS 1023
#define HALF_ROOT_BITS HALF_ROOT_F64
#define V double
#define U uint64_t
#define LANES 1
#define CHAINS CHAINS_OF(4)
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SET(x) (x)
#define USET(x) ((UINT)(x))
#define FMA(a, b, c) fma(a, b, c)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define GATHER(p, i) ((p)[i])
#define SELECT(mask, a, b) ((mask) ? (a) : (b))
#define AS_U(v) bits_f64(v)
#define AS_V(u) real_f64(u)
#include "function/core_kernel.inc"

#define TABLE function_core_scalar
#include "function/core_kernel_all.inc"
