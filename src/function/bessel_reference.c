/* Quadruple-precision logarithms of modified Bessel functions. See bessel_reference.h. Formulas: Abramowitz and Stegun 9.6.10 and 9.6.24. */
#include "function/bessel_reference.h"

#include "core/expr.h"

#include <math.h>

typedef nigh_f128 q;

#if !defined(__SIZEOF_FLOAT128__)
#define lgammaf128_r lgammal_r
#elif defined(__clang__)
extern q lgammaf128_r(q, int *);
#endif

static q log_gamma(q a)
{
    int sign;
    return lgammaf128_r(a, &sign);
}

static q series_side(q term, q quarter, q v, q k, int direction)
{
    q sum = 0;
    for (;;) {
        if (direction > 0) {
            k += 1;
            term *= quarter / (k * (k + v));
        } else {
            if (k < 1) return sum;
            term *= k * (k + v) / quarter;
            k -= 1;
        }
        sum += term;
        if (term < sum * (q)1e-36) return sum;
    }
}

nigh_f128 bessel_reference_log_i(q v, q x)
{
    q quarter = x * x / 4, k = F128(floor)((F128(sqrt)(x * x + v * v) - v) / 2);
    q largest = (2 * k + v) * F128(log)(x / 2) - log_gamma(k + 1) - log_gamma(k + v + 1);
    return largest + F128(log1p)(series_side(1, quarter, v, k, 1) + series_side(1, quarter, v, k, -1));
}

/* Where -x cosh t + v t has fallen by `cut` from its value at the peak, beyond the peak (far = true) or before it (0 if nowhere). */
static double end_of(double v, double x, double peak, bool far)
{
    const double cut = 75;
    double top = v * peak - x * cosh(peak), low = far ? peak : 0, high = far ? peak + 1 : peak;
    if (!far && v * low - x * cosh(low) > top - cut) return 0;
    while (far && v * high - x * cosh(high) > top - cut) high += high - peak;
    for (int step = 0; step < 60; step++) {
        double middle = 0.5 * (low + high);
        bool fallen = v * middle - x * cosh(middle) < top - cut;
        if (fallen == far) high = middle;
        else low = middle;
    }
    return far ? high : low;
}

nigh_f128 bessel_reference_log_k(q v, q x)
{
    double peak = asinh((double)(v / x)), a = end_of((double)v, (double)x, peak, false), b = end_of((double)v, (double)x, peak, true);
    int nodes = (int)fmax(160, (b - a) / 0.1);
    q h = ((q)b - (q)a) / nodes, top = v * (q)peak - x * F128(cosh)(peak), sum = 0, grow = F128(exp)(h), e = F128(exp)(a);
    q fade = F128(exp)(-2 * v * h), tail = F128(exp)(-2 * v * (q)a);
    for (int i = 0; i <= nodes; i++) {
        q value = F128(exp)(v * ((q)a + i * h) - x * (e + 1 / e) / 2 - top) * (1 + tail) / 2;
        sum += i == 0 && a == 0 ? value / 2 : value;
        e *= grow;
        tail *= fade;
    }
    return top + F128(log)(sum * h);
}
