/*
 * sin and cos of any f32, one at a time: M. Payne and R. Hanek, "Radian reduction for trigonometric functions". x = m 2^e with a whole m < 2^24. Of
 * the bits of 2/pi those that give multiples of 4 are left out, and the next 96 are multiplied with m exactly: the part of a quarter turn that remains is
 * known to 2^-70, and no f32 but 0 comes nearer than 2^-33 to a multiple of pi/2.
 */
#include <math.h>

#include "tensor/vector.h"

/* 2/pi = 0.a2f9836e... in bits; enough for e = 104. */
static const uint32_t two_over_pi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};

/* Bits from `first` (0: that of 1/2) on. */
static uint32_t word_at(int first)
{
    int word = first / 32, shift = first % 32;
    uint64_t two = (uint64_t)two_over_pi[word] << 32 | two_over_pi[word + 1];
    return (uint32_t)(two >> (32 - shift));
}

/* x = (quarter + part) pi/2, |part| <= 1/2. quarter mod 4; x finite and not 0. */
static int reduce(float x, double *part)
{
    int exponent;
    uint32_t m = (uint32_t)ldexpf(frexpf(fabsf(x), &exponent), 24);
    int e = exponent - 24, first = e > 2 ? e - 2 : 0;
    unsigned __int128 window = (unsigned __int128)word_at(first) << 64 | (uint64_t)word_at(first + 32) << 32 | word_at(first + 64);
    int fraction = first + 96 - e; /* bits of the product behind the point; 94 where bits were left out */
    if (fraction > 124) {          /* |x| < 2^-4 */
        *part = (double)x * M_2_PI;
        return 0;
    }
    unsigned __int128 one = (unsigned __int128)1 << fraction, turns = window * m;
    int quarter = (int)((turns + one / 2) >> fraction & 3);
    *part = ldexp((double)(__int128)(turns - (((turns + one / 2) >> fraction) << fraction)), -fraction);
    if (x > 0) return quarter;
    *part = -*part;
    return -quarter & 3;
}

static float circle(float x, int turn)
{
    if (!isfinite(x)) return x - x;
    double part = 0;
    int quarter = (x == 0 ? 0 : reduce(x, &part)) + turn;
    double r = part * M_PI_2, y = quarter & 1 ? cos(r) : sin(r);
    return (float)(quarter & 2 ? -y : y);
}

float vector_sin_large(float x) { return circle(x, 0); }
float vector_cos_large(float x) { return circle(x, 1); }
