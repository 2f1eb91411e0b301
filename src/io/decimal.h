/*
 * Whole number times a power of ten to the nearest double, without a division: the number is multiplied by 128 bits of the power of
 * five, of which the upper 64 decide nearly always (Lemire, "Number parsing at a gigabyte per second"; after an idea of Eisel's).
 */
#ifndef NIGH_IO_DECIMAL_H
#define NIGH_IO_DECIMAL_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DECIMAL_POWER_MOST = 64 };

/* [q + 64]: see decimal_powers.inc. */
extern const uint64_t decimal_power[2 * DECIMAL_POWER_MOST + 1][2];

/*
 * *value = mantissa 10^exponent, ties to even. False when the exponent is beyond +-64 or the bits that are looked at do not decide.
 * In that range nothing overflows and nothing is subnormal.
 */
static inline bool decimal_round(uint64_t mantissa, int64_t exponent, double *value)
{
    if ((uint64_t)(exponent + DECIMAL_POWER_MOST) > 2 * DECIMAL_POWER_MOST) return false;
    if (mantissa == 0) {
        *value = 0;
        return true;
    }
    const uint64_t *power = decimal_power[exponent + DECIMAL_POWER_MOST];
    int zeros = __builtin_clzll(mantissa);
    uint64_t w = mantissa << zeros;
    unsigned __int128 product = (unsigned __int128)w * power[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if (__builtin_expect((high & 0x1ff) == 0x1ff, 0)) { /* a carry from the lower half of the power could reach the rounding */
        uint64_t more = (uint64_t)((unsigned __int128)w * power[1] >> 64);
        low += more;
        high += low < more;
        if (low == UINT64_MAX && (exponent < -27 || exponent > 55)) return false;
    }
    int upper = (int)(high >> 63), shift = upper + 64 - 55;
    uint64_t kept = high >> shift; /* 53 bits and the one that rounds */
    int64_t binary = (((152170 + 65536) * exponent) >> 16) + 63 + upper - zeros + 1023;
    bool middle = low <= 1 && exponent >= -4 && exponent <= 23 && (kept & 3) == 1 && kept << shift == high;
    kept += (kept & 1) & !middle;
    kept >>= 1;
    /* A carry into bit 53 moves on into the exponent by the addition; the leading one makes up for the one taken off. */
    uint64_t bits = ((uint64_t)(binary - 1) << 52) + kept;
    memcpy(value, &bits, sizeof bits);
    return true;
}
#endif
