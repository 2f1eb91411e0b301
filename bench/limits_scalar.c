/* Limits of one core, one number at a time. */
#define LEVEL scalar
#define VEC_F32 float
#define VEC_F64 double
#define LANES_F32 1
#define LANES_F64 1
#define SET_F32(x) ((float)(x))
#define SET_F64(x) ((double)(x))
#define MULTIPLY_ADD_F32(x, a, b) ((x) * (a) + (b))
#define MULTIPLY_ADD_F64(x, a, b) ((x) * (a) + (b))
#define FIRST_F32(x) ((double)(x))
#define FIRST_F64(x) (x)
#define ADD_F64(a, b) ((a) + (b))
#define LOAD_F64(p) (*(p))
#define STORE_F64(p, x) (*(p) = (x))
#include "limits_kernels.h"
