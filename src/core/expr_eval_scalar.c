/* Kernels of the operations by libm, one number at a time. */
#include "core/expr.h"

#include <string.h>

static inline double min_f64(double a, double b)
{
    return a != a ? a : a < b ? a : b;
}

static inline double max_f64(double a, double b)
{
    return a != a ? a : a > b ? a : b;
}

#define F64
#define T double
#define V double
#define W 1
#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
#define SET1(x) ((double)(x))
#define SQRT(x) sqrt(x)
#define FLOOR(x) floor(x)
#define ABS(x) fabs(x)
#define NEG(x) (-(x))
#define MIN(x, y) min_f64(x, y)
#define MAX(x, y) max_f64(x, y)
#define FMA(x, y, z) fma(x, y, z)
#define IF_NEGATIVE(x, a, b) ((x) < 0 ? (a) : (b))
#define IF_SMALL(x, limit, a) (fabs(x) <= (limit) ? (a) : 0)
#define CALL1(name) name
#define CALL2(name) name
#define NAME(x) x##_scalar
#include "core/expr_kernels.inc"

static inline float min_f32(float a, float b)
{
    return a != a ? a : a < b ? a : b;
}

static inline float max_f32(float a, float b)
{
    return a != a ? a : a > b ? a : b;
}

#define F32
#define T float
#define V float
#define W 1
#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
#define SET1(x) ((float)(x))
#define SQRT(x) sqrtf(x)
#define FLOOR(x) floorf(x)
#define ABS(x) fabsf(x)
#define NEG(x) (-(x))
#define MIN(x, y) min_f32(x, y)
#define MAX(x, y) max_f32(x, y)
#define FMA(x, y, z) fmaf(x, y, z)
#define IF_NEGATIVE(x, a, b) ((x) < 0 ? (a) : (b))
#define IF_SMALL(x, limit, a) (fabsf(x) <= (limit) ? (a) : 0)
#define CALL1(name) name##f
#define CALL2(name) name##f
#define NAME(x) x##_f32_scalar
#include "core/expr_kernels.inc"
