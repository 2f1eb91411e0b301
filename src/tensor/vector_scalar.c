/* The kernels of vector.inc in plain C: one number at a time, fma by the C library. */
#include <math.h>
#include <string.h>

#include "tensor/vector.h"
#include "tensor/vector_unroll.h"

INLINE uint32_t bits_of(float x) { uint32_t u; memcpy(&u, &x, sizeof u); return u; }
INLINE float real_of(uint32_t u) { float x; memcpy(&x, &u, sizeof x); return x; }

#define V float
#define U uint32_t
#define LANES 1
#define LEVEL vector_scalar
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define USTORE(p, u) (*(p) = (u))
#define STREAM(p, v) (*(p) = (v))
#define FENCE no_fence
#define SET(x) ((float)(x))
#define USET(x) ((uint32_t)(x))
#define AS_U(v) bits_of(v)
#define AS_V(u) real_of(u)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define FMA(a, b, c) fmaf(a, b, c)
#define FMS(a, b, c) fmaf(a, b, -(c))
#define FNMA(a, b, c) fmaf(-(a), b, c)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CLAMP(x, c) clamp(x, c)
#define SHIFT(u, k) ((u) >> (k))
#define LOOKUP(t, u) ((t)[(u) & 31])
#define UAND(a, b) ((a) & (b))
#define WITHOUT(acc, a, b) ((acc) | ((a) & ~(b)))
#define UANY(u) ((u) != 0)
#define WITH_SIGN(y, x) copysignf(y, x)
#define MASK uint32_t
#define ODD(u) ((u) & 1)
#define PICK(mask, a, b) ((mask) ? (a) : (b))
#define FLIP(y, u) ((u) & 2 ? -(y) : (y))
#define FMA_BUT(mask, a, b, c) ((mask) ? (c) : fmaf(a, b, c))
#define MUL_BUT(mask, a, b) ((mask) ? (a) : (a) * (b))
#define UNLESS_ZERO(a, b) ((a) == 0 ? (b) : (a))
#define WHERE_ZERO(x, a, b) ((x) == 0 ? (a) : (b))
#define SCALE(x, n) scale(x, n)
#define EXPONENT(x) exponent_of(x)
#define SIGNIFICAND(x) significand_of(x)

static void no_fence(void) {}

INLINE float clamp(float x, float c)
{
    float above = MAX(x, -c);
    return MIN(above, c);
}

/* In two steps, of which the first is exact. */
INLINE float scale(float x, float n)
{
    if (n != n) return n;
    int k = (int)(n > 254 ? 254 : n < -252 ? -252 : n), half = k >> 1;
    return x * real_of((uint32_t)(half + 127) << 23) * real_of((uint32_t)(k - half + 127) << 23);
}

/* |x|, brought into the normal range; *less: what that added to the exponent. */
INLINE float normal(float x, int *less)
{
    float size = fabsf(x);
    *less = size < 0x1p-126f ? 24 : 0;
    return *less ? size * 0x1p24f : size;
}

INLINE float exponent_of(float x)
{
    int less;
    float size = normal(x, &less);
    if (size == 0) return -INFINITY;
    return size <= 0x1.fffffep127f ? (float)((int)(bits_of(size) >> 23) - 127 - less) : size;
}

INLINE float significand_of(float x)
{
    int less;
    float size = normal(x, &less);
    if (!(x >= 0)) return NAN;
    if (size == 0 || size == INFINITY) return 1;
    return real_of(((bits_of(size) - 0x3f400000) & 0x007fffff) + 0x3f400000); /* 3/4 */
}
#include "tensor/vector.inc"
