/* Decimal text to double: up to 19 digits by io/decimal.h, the rest is left to strtod. */
#include "io/number.h"

#include "io/decimal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FAST_DIGITS = 19, KEPT_DIGITS = 780 /* more than 767 never decide a rounding, if a rest that is not 0 is kept as one digit */ };

static bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static const char *read_infinity(const char *at, const char *end, bool negative, double *value)
{
    size_t size = (size_t)(end - at);
    size_t taken = size >= 8 && strncasecmp(at, "infinity", 8) == 0 ? 8 : size >= 3 && strncasecmp(at, "inf", 3) == 0 ? 3 : 0;
    if (!taken) return NULL;
    *value = negative ? -INFINITY : INFINITY;
    return at + taken;
}

/* Mantissa digits from `at` on (with at most one point), times 10^exponent, for strtod. */
static double read_slowly(const char *at, const char *end, int64_t exponent, locale_t c)
{
    char text[KEPT_DIGITS + 40];
    int kept = 0;
    bool rest = false, fraction = false;
    for (; at < end; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (kept == 0 && *at == '0') {
            exponent -= fraction;
        } else if (kept < KEPT_DIGITS) {
            text[kept++] = *at;
            exponent -= fraction;
        } else {
            rest |= *at != '0';
            exponent += !fraction;
        }
    }
    if (kept == 0) return 0;
    if (rest) {
        text[kept++] = '1';
        exponent--;
    }
    if (exponent > 100000) exponent = 100000;
    if (exponent < -100000) exponent = -100000;
    snprintf(text + kept, sizeof text - (size_t)kept, "e%d", (int)exponent);
    return strtod_l(text, NULL, c);
}

const uint64_t decimal_power[2 * DECIMAL_POWER_MOST + 1][2] = {
#include "io/decimal_powers.inc"
};

/* Optional "e+12" at `at`; the exponent saturates. */
static const char *read_exponent(const char *at, const char *end, int64_t *exponent)
{
    if (at == end || (*at | 32) != 'e') return at;
    const char *p = at + 1;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end || !is_digit(*p)) return at;
    int64_t value = 0;
    for (; p < end && is_digit(*p); p++)
        if (value < (int64_t)1 << 40) value = 10 * value + (*p - '0');
    *exponent += negative ? -value : value;
    return p;
}

const char *nigh_io_number_read(const char *at, const char *end, locale_t c, double *value, bool *overflow)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    const char *p = at;
    uint64_t mantissa = 0;
    while (p < end && is_digit(*p)) mantissa = 10 * mantissa + (uint64_t)(*p++ - '0');
    int64_t seen = p - at, exponent = 0;
    if (p < end && *p == '.') {
        const char *point = p++;
        while (p < end && is_digit(*p)) mantissa = 10 * mantissa + (uint64_t)(*p++ - '0');
        exponent = point + 1 - p;
        seen -= exponent;
    }
    if (seen == 0) return read_infinity(at, end, negative, value);
    const char *digits_end = p;
    int64_t written = 0;
    p = read_exponent(p, end, &written);
    exponent += written;
    double result;
    if (seen > FAST_DIGITS || !decimal_round(mantissa, exponent, &result)) result = read_slowly(at, digits_end, written, c);
    if (isinf(result)) *overflow = true;
    *value = negative ? -result : result;
    return p;
}

int nigh_io_number_write(char out[32], double value, locale_t c)
{
    if (isnan(value)) return snprintf(out, 32, "nan");
    if (isinf(value)) return snprintf(out, 32, value < 0 ? "-inf" : "inf");
    for (int digits = 15;; digits++) {
        int size = snprintf(out, 32, "%.*g", digits, value);
        double back = 0;
        bool overflow = false;
        nigh_io_number_read(out, out + size, c, &back, &overflow);
        if (digits == 17 || back == value) return size;
    }
}
