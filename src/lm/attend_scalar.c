/* The kernels of attend.inc without instructions beyond the least: vectors of four floats, fused operations by fmaf. */
#include "lm/attend_kernels.h"

#include <math.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_bits __attribute__((vector_size(16)));
typedef uint32_t four_words __attribute__((vector_size(16))); /* wrap round where a result is not taken */

static inline four load(const float *p)
{
    four x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline void store(float *p, four x) { memcpy(p, &x, sizeof x); }

static inline four fma4(four a, four b, four c) { return (four){fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]), fmaf(a[2], b[2], c[2]), fmaf(a[3], b[3], c[3])}; }

static inline four pick(four_bits mask, four a, four b) { return (four)(((four_bits)a & mask) | ((four_bits)b & ~mask)); }

static float half_get(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023, bits;
    if (exponent == 0) return (sign ? -0x1p-24f : 0x1p-24f) * (float)fraction;
    bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |x| <= 65504, or no number. To nearest even by adding half of a last place. */
static uint16_t half_set(float x)
{
    uint32_t bits, sign;
    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x1ff));
    if (bits < 0x38800000) {
        float sum = fabsf(x) + 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        return (uint16_t)(sign | (bits & 0x7ff));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (bits - 0x38000000) >> 13);
}

static inline four load_f16(const uint16_t *p) { return (four){half_get(p[0]), half_get(p[1]), half_get(p[2]), half_get(p[3])}; }

static inline void store_f16(uint16_t *p, four x)
{
    for (int i = 0; i < 4; i++) p[i] = half_set(x[i]);
}

#define LANES 4
#define SCORE_VECTORS 2
#define VALUE_VECTORS 4
#define V four
#define SET(x) ((four){(x), (x), (x), (x)})
#define LOAD(p) load(p)
#define STORE(p, x) store(p, x)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define FMA(a, b, c) fma4(a, b, c)
#define MAX(a, b) pick((a) > (b), a, b)
#define MIN(a, b) pick((a) < (b), a, b)
#define BELOW(x, c, a, b) pick((x) < (c), a, b)
#define POWER(p, t) ((four)((four_words)(p) + ((four_words)(t) << 23)))
#define LOAD_F16(p) load_f16(p)
#define STORE_F16(p, x) store_f16(p, x)
#define LOAD_S8(p) ((four){(p)[0], (p)[1], (p)[2], (p)[3]})
#define KERNELS attend_scalar
#include "lm/attend.inc"

const attend_kernels *attend_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &attend_avx512;
    if (level == NIGH_CPU_AVX2) return &attend_avx2;
#endif
    (void)level;
    return &attend_scalar;
}
