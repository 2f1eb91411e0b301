/* Kernels of the check of every f32, one number at a time. */
#include "function/exhaustive.h"

#include <math.h>
#include <string.h>

static inline double power_below(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0x7ff0000000000000u;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

#define W 1
#define V double
#define LOAD(p) (*(p))
#define LOAD_FLOATS(p) ((double)*(p))
#define STORE(p, x) (*(p) = (x))
#define SET1(x) (x)
#define ABS(x) fabs(x)
#define MAX(x, y) ((x) > (y) ? (x) : (y))
#define MIN(x, y) ((x) < (y) ? (x) : (y))
#define GREATER(x, y, a, b) ((x) > (y) ? (a) : (b))
#define POWER(x) power_below(x)
#define INVERSE_POWER(p) (1 / (p))
#define FMA(x, y, z) fma(x, y, z)
#define NAME(x) x##_scalar
#include "function/exhaustive.inc"
