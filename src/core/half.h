/* f16 and bf16 as bits: exact to f32, and back to the nearest, ties to even. */
#ifndef NIGH_CORE_HALF_H
#define NIGH_CORE_HALF_H
#include <stdint.h>
#include <string.h>

static inline uint32_t half_bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float half_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline float half_from_bf16(uint16_t h) { return half_of_bits((uint32_t)h << 16); }

static inline uint16_t half_to_bf16(float x)
{
    uint32_t u = half_bits_of(x), up = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? (u >> 16 | 0x40) : up);
}

/* The exponent is moved by a product, which is right for subnormal numbers too. */
static inline float half_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
    float size = half_of_bits(rest) * 0x1p112f;
    uint32_t u = rest >= 0x0f800000 ? rest | 0x7f800000 : half_bits_of(size);
    return half_of_bits(sign | u);
}

static inline uint16_t half_to_f16(float x)
{
    uint32_t u = half_bits_of(x), sign = u >> 16 & 0x8000, size = u & 0x7fffffff, tiny = half_bits_of(half_of_bits(size) + .5f) - half_bits_of(.5f);
    uint32_t normal = (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
    uint32_t h = size > 0x7f800000 ? 0x7e00 | (size >> 13 & 0x3ff) : size >= 0x477ff000 ? 0x7c00 : size < 0x38800000 ? tiny : normal;
    return (uint16_t)(sign | h);
}
#endif
