/*
 * Spans: intervals of real numbers between f64 ends, rounded outward (core/round.h). What is not known is SPAN_ALL; a result that is not a number becomes that.
 */
#ifndef NIGH_CORE_SPAN_H
#define NIGH_CORE_SPAN_H
#include "core/round.h"

#include <stdbool.h>

typedef struct span {
    double low, high;
} span;

#define SPAN_ALL ((span){-INFINITY, INFINITY})

static inline span span_of(double x) { return (span){x, x}; }
static inline bool span_is_zero(span a) { return a.low == 0 && a.high == 0; }
static inline bool span_known(span a) { return isfinite(a.low) && isfinite(a.high); }
static inline double span_most(span a) { return fmax(fabs(a.low), fabs(a.high)); } /* largest modulus */
static inline double span_least(span a) { return a.low > 0 ? a.low : a.high < 0 ? -a.high : 0; }
static inline span span_checked(double low, double high) { return low <= high ? (span){low, high} : SPAN_ALL; } /* also for NaN */
static inline span span_outward(double low, double high) { return span_checked(round_down(low), round_up(high)); }
static inline span span_negative(span a) { return (span){-a.high, -a.low}; }
static inline span span_add(span a, span b) { return span_outward(a.low + b.low, a.high + b.high); }
static inline span span_sub(span a, span b) { return span_outward(a.low - b.high, a.high - b.low); }

static inline span span_mul(span a, span b)
{
    if (span_is_zero(a) || span_is_zero(b)) return span_of(0);
    double p = a.low * b.low, q = a.low * b.high, r = a.high * b.low, s = a.high * b.high;
    if (!(p - p == 0 && q - q == 0 && r - r == 0 && s - s == 0)) return SPAN_ALL;
    return span_outward(fmin(fmin(p, q), fmin(r, s)), fmax(fmax(p, q), fmax(r, s)));
}

static inline span span_scale(double c, span a) { return span_mul(span_of(c), a); }

static inline span span_inverse(span a)
{
    if (!(a.low > 0 || a.high < 0)) return SPAN_ALL;
    return span_outward(1 / a.high, 1 / a.low);
}

static inline span span_div(span a, span b) { return span_mul(a, span_inverse(b)); }
static inline span span_hull(span a, span b) { return (span){fmin(a.low, b.low), fmax(a.high, b.high)}; }

/* a^k for whole k >= 0. */
static inline span span_power(span a, int k)
{
    span p = span_of(1);
    for (int i = 0; i < k; i++) p = span_mul(p, a);
    if (k % 2 == 0 && k > 0 && p.low < 0) p.low = 0;
    return p;
}
#endif
