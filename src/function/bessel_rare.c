/*
 * Bessel functions where the kernels do not go: limits and NaN, negative orders, order or argument beyond 1e15, arguments below 1e-140.
 * In long double, whose exponent range takes all these. Series: Abramowitz and Stegun 9.6.7 to 9.6.9, 9.7.7, 9.7.8.
 */
#include "function/bessel_kernel.h"

#include <math.h>

static const long double pi_long = 3.141592653589793238462643383279502884L;

/*
 * log K_v(x) for tiny x and 0 <= v < 1/2: K = (Gamma(1+v) h^-v - Gamma(1-v) h^v) / (2v), h = x/2, which is e^c sinh(v log(1/h) + d) / v with
 * log Gamma(1 +- v) = c +- d.
 */
static long double tiny_k(long double v, long double l)
{
    long double d, c; /* d: divided by v */
    if (v < 0.01L) {
        long double s = v * v;
        d = -0.577215664901532860606512L - s * (1.202056903159594285399738L / 3 + s * (1.036927755143369926331365L / 5 + s * 1.008349277381922826839798L / 7));
    } else
        d = 0.5L * (lgammal(1 + v) - lgammal(1 - v)) / v;
    c = v > 0 ? 0.5L * logl(pi_long * v / sinl(pi_long * v)) : 0;
    long double whole = l + d, e = v * whole;
    if (e < 1e-10L) return c + logl(whole);
    if (e > 30) return c + e - logl(2 * v);
    return c + logl(sinhl(e) / v);
}

/* x is tiny: the leading term is all. */
static double tiny(bessel_what what, long double v, long double x)
{
    long double l = -logl(x / 2);
    if (what == BESSEL_LOG_I) return (double)(-v * l - lgammal(v + 1));
    if (what == BESSEL_RATIO_I) return (double)(x / (2 * (v + 1)));
    if (what == BESSEL_LOG_K) return (double)(v < 0.5L ? tiny_k(v, l) : lgammal(v) + v * l - logl(2));
    if (v >= 0.5L) return (double)(2 * v / x);
    return (double)expl(lgammal(v + 1) + (v + 1) * l - logl(2) - tiny_k(v, l));
}

/* Order or argument is huge: the uniform expansion with one term more than 1. */
static double huge(bessel_what what, bool scaled, long double v, long double x)
{
    bool second = what == BESSEL_LOG_K || what == BESSEL_RATIO_K;
    long double big = v > x ? v : x, t = v / big, u = x / big, r = big * sqrtl(t * t + u * u), p = v / r;
    long double correction = (second ? -1 : 1) * (0.125L - p * p * (5 / 24.0L)) / r;
    if (what == BESSEL_RATIO_I) return (double)(x / (r + v) - x / r / r * 0.5L);
    if (what == BESSEL_RATIO_K) return (double)((r + v) / x + x / r / r * 0.5L);
    long double eta, z = v / x;
    if (scaled && z < 1) eta = x * (z * z / (1 + sqrtl(1 + z * z)) - z * asinhl(z)); /* less x, without cancellation */
    else eta = r - v * (z < 1e100L ? asinhl(z) : logl(2 * z)) - (scaled ? x : 0);
    if (second) return (double)(-eta + 0.5L * logl(pi_long / 2 / r) + correction);
    return (double)(eta - 0.5L * logl(2 * pi_long * r) + correction);
}

static double at_zero(bessel_what what, double v)
{
    switch (what) {
    case BESSEL_LOG_I: return v == 0 ? 0 : -INFINITY;
    case BESSEL_RATIO_I: return 0;
    default: return INFINITY;
    }
}

static double at_infinity(bessel_what what, bool scaled, double v, double x)
{
    if (isinf(v) && isinf(x)) return NAN;
    bool far = isinf(x);
    switch (what) {
    case BESSEL_LOG_I: return far && !scaled ? INFINITY : -INFINITY;
    case BESSEL_LOG_K: return far ? -INFINITY : INFINITY;
    case BESSEL_RATIO_I: return far ? 1 : 0;
    default: return far ? 1 : INFINITY;
    }
}

double bessel_rare(bessel_what what, bool scaled, double v, double x)
{
    if (isnan(v) || !(x >= 0)) return NAN;
    if (v < 0) {
        if (what == BESSEL_LOG_K) return scaled ? nigh_log_bessel_k_scaled(-v, x) : nigh_log_bessel_k(-v, x);
        if (what == BESSEL_LOG_I && v == floor(v)) return scaled ? nigh_log_bessel_i_scaled(-v, x) : nigh_log_bessel_i(-v, x);
        return NAN;
    }
    if (x == 0 && !isinf(v)) return at_zero(what, v);
    if (isinf(v) || isinf(x)) return at_infinity(what, scaled, v, x);
    if (x <= 1e-140) return tiny(what, v, x);
    return huge(what, scaled, v, x);
}
