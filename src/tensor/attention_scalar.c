/* The kernels of attention.inc in plain C: vectors of 16 bytes, as every compiler has them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/attention.h"
#include "tensor/vector_unroll.h"

typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));
typedef double double2 __attribute__((vector_size(16)));
typedef int64_t long2 __attribute__((vector_size(16)));

INLINE float4 load4(const float *p)
{
    float4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE double2 load2(const double *p)
{
    double2 v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store4(float *p, float4 v) { memcpy(p, &v, sizeof v); }
INLINE void store2(double *p, double2 v) { memcpy(p, &v, sizeof v); }
INLINE float sum4(float4 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
INLINE double sum2(double2 v) { return v[0] + v[1]; }

INLINE float4 max4(float4 a, float4 b)
{
    int4 more = a > b;
    return (float4)(((int4)a & more) | ((int4)b & ~more));
}

INLINE double2 max2(double2 a, double2 b)
{
    long2 more = a > b;
    return (double2)(((long2)a & more) | ((long2)b & ~more));
}

/* 2^x = 2^n 2^r: n by adding a number so large that the sum has no fraction bits, 2^n made in integers; 0 at the lower end. */
INLINE float4 exp2_f32(float4 x)
{
    const float4 magic = {0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f};
    x = max4((float4){-127, -127, -127, -127}, x);
    float4 n = x + magic - magic, r = x - n;
    float4 p = (((ATTENTION_EXP5 * r + ATTENTION_EXP4) * r + ATTENTION_EXP3) * r + ATTENTION_EXP2) * r + ATTENTION_EXP1;
    int4 power = (__builtin_convertvector(n, int4) + 127) << 23;
    return (p * r + 1) * (float4)power;
}

INLINE double2 exp2_f64(double2 x)
{
    const double2 magic = {0x1.8p52, 0x1.8p52};
    x = max2((double2){-1023, -1023}, x);
    double2 n = x + magic - magic, r = x - n, p = {attention_exp2[13], attention_exp2[13]};
    UNROLL for (int i = 12; i >= 0; i--) p = p * r + attention_exp2[i];
    long2 power = (__builtin_convertvector(n, long2) + 1023) << 52;
    return p * (double2)power;
}

INLINE bool within4(float4 a, float4 b)
{
    int4 s = a <= b;
    return s[0] & s[1] & s[2] & s[3];
}

INLINE bool within2(double2 a, double2 b)
{
    long2 s = a <= b;
    return s[0] & s[1];
}

/* to[j, i] = from[i, j] */
static void turn_f32(const float *from, int64_t ldf, float *to, int64_t ldt)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) to[j * ldt + i] = from[i * ldf + j];
}

static void turn_f64(const double *from, int64_t ldf, double *to, int64_t ldt)
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) to[j * ldt + i] = from[i * ldf + j];
}

static float half(uint16_t x)
{
    nigh_array one = {{NIGH_F16, 0, {0}}, &x};
    return (float)nigh_array_get(&one, 0);
}

#define NV 2
#define ROWS1 8
#define ROWS2 6
#define FMA(a, b, c) ((a) * (b) + (c))

#define REAL float
#define MASK int32_t
#define LARGEST 0x1.fffffep127f
#define NAME(x) x##_f32
#define KERNELS attention_scalar_f32
#define V float4
#define LANES 4
#define WIDE 1
#define LOAD(p) load4(p)
#define STORE(p, v) store4(p, v)
#define SET(x) ((float4){x, x, x, x})
#define MAX(a, b) max4(a, b)
#define EXP2(x) exp2_f32(x)
#define WITHIN(a, b) within4(a, b)
#define HSUM(v) sum4(v)
#define TURN turn_f32
#define LOG2(x) log2f(x)
#define HALF(p) ((float4){half((p)[0]), half((p)[1]), half((p)[2]), half((p)[3])})
#include "tensor/attention.inc"

#undef REAL
#undef MASK
#undef LARGEST
#undef NAME
#undef KERNELS
#undef V
#undef LANES
#undef WIDE
#undef LOAD
#undef STORE
#undef SET
#undef MAX
#undef EXP2
#undef WITHIN
#undef HSUM
#undef LOG2
#undef TURN
#undef HALF
#define REAL double
#define MASK int64_t
#define LARGEST 0x1.fffffffffffffp1023
#define NAME(x) x##_f64
#define KERNELS attention_scalar_f64
#define V double2
#define LANES 2
#define WIDE 0
#define LOAD(p) load2(p)
#define STORE(p, v) store2(p, v)
#define SET(x) ((double2){x, x})
#define MAX(a, b) max2(a, b)
#define EXP2(x) exp2_f64(x)
#define WITHIN(a, b) within2(a, b)
#define HSUM(v) sum2(v)
#define TURN turn_f64
#define LOG2(x) log2(x)
#include "tensor/attention.inc"
