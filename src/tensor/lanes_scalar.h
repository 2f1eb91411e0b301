/* lanes.h in plain C: one number at a time. */
#define LANES 1
#define V REAL
#define MASK int
#define KEEP(v, k) (v)
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define PART_LOAD(p, k) (*(p))
#define PART_STORE(p, k, v) (*(p) = (v))
#define SET(x) ((REAL)(x))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define NEGATE(a) (-(a))
#define LESS(a, b) ((a) < (b))
#define LESS_EQUAL(a, b) ((a) <= (b))
#define SAME(a, b) ((a) == (b))
#define PICK(mask, a, b) ((mask) ? (a) : (b))
#define WITHIN(x, c) MIN(MAX(x, SET(-(c))), SET(c))
#define MIN(a, b) NAMED(lanes_min)(a, b)
#define MAX(a, b) NAMED(lanes_max)(a, b)
#define SCALE(x, n) NAMED(lanes_scale)(x, n)
#define EXPONENT(x) NAMED(lanes_exponent)(x)
#define SIGNIFICAND(x) NAMED(lanes_significand)(x)
#undef SQRT
#undef ABS
#undef FMA
#undef FMS
#undef FNMA
#undef NEAREST
#undef FLOOR
#undef SIGNED
#ifdef LANES_F64
#define SQRT(a) sqrt(a)
#define ABS(a) fabs(a)
#define FMA(a, b, c) fma(a, b, c)
#define FMS(a, b, c) fma(a, b, -(c))
#define FNMA(a, b, c) fma(-(a), b, c)
#define NEAREST(a) nearbyint(a)
#define FLOOR(a) floor(a)
#define SIGNED(y, x) copysign(y, x)
#else
#define SQRT(a) sqrtf(a)
#define ABS(a) fabsf(a)
#define FMA(a, b, c) fmaf(a, b, c)
#define FMS(a, b, c) fmaf(a, b, -(c))
#define FNMA(a, b, c) fmaf(-(a), b, c)
#define NEAREST(a) nearbyintf(a)
#define FLOOR(a) floorf(a)
#define SIGNED(y, x) copysignf(y, x)
#endif

#ifndef LANES_SCALAR_ONCE
#define LANES_SCALAR_ONCE
INLINE float lanes_real_f32(int exponent)
{
    uint32_t u = (uint32_t)(exponent + 127) << 23;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
INLINE double lanes_real_f64(int exponent)
{
    uint64_t u = (uint64_t)(exponent + 1023) << 52;
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
INLINE int lanes_bits_f32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return (int)(u >> 23) - 127;
}
INLINE int lanes_bits_f64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return (int)(u >> 52) - 1023;
}
#endif

INLINE REAL NAMED(lanes_min)(REAL a, REAL b) { return a < b ? a : b; }
INLINE REAL NAMED(lanes_max)(REAL a, REAL b) { return a > b ? a : b; }

/* In two steps, of which the first is exact. */
INLINE REAL NAMED(lanes_scale)(REAL x, REAL n)
{
    const int most = sizeof x == 4 ? 252 : 2044;
    if (n != n) return n;
    int k = (int)(n > most ? most : n < -most ? -most : n), half = k >> 1;
    return x * NAMED(lanes_real)(half) * NAMED(lanes_real)(k - half);
}

INLINE REAL NAMED(lanes_exponent)(REAL x)
{
    const REAL tiny = sizeof x == 4 ? (REAL)0x1p-126 : (REAL)0x1p-1022, up = sizeof x == 4 ? (REAL)0x1p24 : (REAL)0x1p54;
    REAL size = ABS(x), less = 0;
    if (size < tiny) size *= up, less = sizeof x == 4 ? 24 : 54;
    if (size == 0) return -INFINITY;
    return size < (REAL)INFINITY ? (REAL)NAMED(lanes_bits)(size) - less : size;
}

INLINE REAL NAMED(lanes_significand)(REAL x)
{
    if (!(x >= 0)) return NAN;
    if (x == 0 || x == (REAL)INFINITY) return 1;
    REAL k = NAMED(lanes_exponent)(x), m = SCALE(x, -k);
    return m >= (REAL)1.5 ? m * (REAL).5 : m;
}
