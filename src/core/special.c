/*
 * Normal law, gamma and digamma, small helpers. Declared in nigh/special.h.
 * Formulas: Abramowitz and Stegun, "Handbook of mathematical functions", chapters 6, 7 and 26.
 */
#include "nigh/special.h"

#include <math.h>

static const double sqrt_half = 0.70710678118654752440;
static const double sqrt_half_rest = -4.8336466567264567e-17; /* what is missing in sqrt_half */
static const double sqrt_two_pi = 2.50662827463100050242;
static const double log_sqrt_two_pi = 0.91893853320467274178;

double nigh_normal_pdf(double x) { return exp(-0.5 * x * x) / sqrt_two_pi; }

double nigh_normal_tail(double x)
{
    /* erfc magnifies the rounding of its argument by 2 z^2: put the rounding of x / sqrt 2 back by the derivative. */
    double z = x * sqrt_half;
    if (!(fabs(z) < 27)) return 0.5 * erfc(z);
    double rest = fma(x, sqrt_half, -z) + x * sqrt_half_rest;
    return 0.5 * erfc(z) - rest * exp(-z * z) * 0.56418958354775628695;
}

double nigh_normal_cdf(double x) { return nigh_normal_tail(-x); }

double nigh_normal_log_cdf(double x)
{
    if (x > -30) return x > 3 ? log1p(-nigh_normal_tail(x)) : log(nigh_normal_cdf(x));
    double r = 1 / (x * x), sum = 1; /* asymptotic series of the Mills ratio; the terms left out are below 1e-17 */
    for (int k = 8; k >= 1; k--) sum = 1 - (2 * k - 1) * r * sum;
    return -0.5 * x * x - log_sqrt_two_pi - log(-x) + log(sum);
}

/* Phi^-1(0.5 + q) for |q| <= 0.45, then for tails: a start of Abramowitz and Stegun 26.2.23 (4.5e-4), then Halley. */
static double quantile_start(double tail)
{
    double t = sqrt(-2 * log(tail));
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

double nigh_normal_tail_quantile(double q)
{
    if (!(q >= 0 && q <= 1)) return NAN;
    if (q == 0) return INFINITY;
    if (q == 1) return -INFINITY;
    if (q > 0.5) {
        if (q < 0.9) return sqrt(2.0) * -nigh_erf_inverse(2 * (q - 0.5));
        return -nigh_normal_tail_quantile(1 - q);
    }
    if (q > 0.1) return sqrt(2.0) * nigh_erf_inverse(2 * (0.5 - q));
    double x = quantile_start(q);
    for (int step = 0; step < 3; step++) {
        double tail = nigh_normal_tail(x), density = nigh_normal_pdf(x);
        if (density < 1e-300 || tail == 0) { /* among subnormals: Newton on the logarithm */
            double slope = x + 1 / x - 2 / (x * x * x); /* of -log tail */
            x += (-log(q) + nigh_normal_log_cdf(-x)) / slope;
            continue;
        }
        double e = (tail - q) / density;
        x += e / (1 - 0.5 * x * e);
    }
    return x;
}

double nigh_normal_quantile(double p) { return -nigh_normal_tail_quantile(p); }

double nigh_erf_inverse(double y)
{
    if (!(fabs(y) <= 1)) return NAN;
    if (fabs(y) > 0.8) return copysign(sqrt_half * nigh_normal_tail_quantile(0.5 * (1 - fabs(y))), y);
    double x = fabs(y) < 1e-8 ? 0.88622692545275801365 * y
                              : copysign(sqrt_half * quantile_start(0.5 * (1 - fabs(y))), y);
    for (int step = 0; step < 3; step++) {
        double e = (erf(x) - y) / (1.12837916709551257390 * exp(-x * x));
        x -= e / (1 + x * e);
    }
    return x;
}

/* ---- gamma ---- */

double nigh_lgamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double nigh_digamma(double x)
{
    const double pi = 3.14159265358979323846;
    if (isnan(x) || x == -INFINITY || (x <= 0 && x == floor(x))) return NAN;
    if (x < 0) return nigh_digamma(1 - x) - pi / tan(pi * (x - floor(x)));
    double sum = 0;
    /* Near the positive zero 1.4616... the recurrence would lose digits: expand around the zero instead. */
    const double zero = 1.4616321449683622, rest = 9.5499954299656977e-17;
    double d = (x - zero) - rest;
    if (fabs(d) < 0.01) {
        /* Taylor with derivatives of digamma at its zero. */
        static const double c[] = {0.96767224544762117, -0.442763168983592106, 0.258499760955651011, -0.163942705442406528,
                                   0.107824050691262366, -0.0721995612564547109, 0.0488042881641431072, -0.0331611264748473593};
        double value = 0;
        for (int k = 7; k >= 0; k--) value = value * d + c[k];
        return value * d;
    }
    for (; x < 12; x++) sum -= 1 / x;
    double r = 1 / (x * x);
    static const double c[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
    double series = 0;
    for (int k = 6; k >= 0; k--) series = (series + c[k]) * r;
    return sum + log(x) - 0.5 / x - series;
}

double nigh_trigamma(double x)
{
    const double pi = 3.14159265358979323846;
    if (isnan(x) || (x <= 0 && x == floor(x))) return NAN;
    if (x < 0) {
        double s = sin(pi * (x - floor(x)));
        return pi * pi / (s * s) - nigh_trigamma(1 - x);
    }
    double sum = 0;
    for (; x < 12; x++) sum += 1 / (x * x);
    double r = 1 / (x * x);
    static const double c[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
    double series = 0;
    for (int k = 6; k >= 0; k--) series = (series + c[k]) * r;
    return sum + 1 / x + 0.5 * r + series / x;
}

/* ---- helpers ---- */

double nigh_log1mexp(double x) { return x > 0.69314718055994531 ? log1p(-exp(-x)) : log(-expm1(-x)); }

double nigh_xlogy(double x, double y) { return x == 0 && !isnan(y) ? 0 : x * log(y); }

double nigh_log_sum_exp(int64_t n, const double *x)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = x[i] > most || isnan(x[i]) ? x[i] : most;
    if (!isfinite(most)) return most;
    for (int64_t i = 0; i < n; i++) sum += exp(x[i] - most);
    return most + log(sum);
}

double nigh_log1pmx(double x)
{
    if (!(fabs(x) < 0.4)) return log1p(x) - x;
    /* log(1+x) = 2 atanh r with r = x / (2+x); 2 r - x = -x r: the leading terms cancel by algebra. */
    double r = x / (2 + x), r2 = r * r, sum = 0;
    for (int k = 37; k >= 3; k -= 2) sum = sum * r2 + 2.0 / k;
    return r * (r2 * sum - x);
}

void nigh_complex_log1p(double re, double im, double out[2])
{
    /* |1+z|^2 - 1 = re (2 + re) + im^2. When the two cancel (a circle around -1), sum them with their rounding. */
    double real;
    if (fabs(re) < 0.5 && fabs(im) < 0.5) {
        double a = re * (2 + re), b = im * im, sum = a + b;
        double two = 2 + re, rest_two = re - (two - 2);
        double rest = fma(re, two, -a) + re * rest_two + fma(im, im, -b);
        double back = sum - a;
        rest += (a - (sum - back)) + (b - back);
        real = 0.5 * log1p(sum + rest);
    } else {
        real = log(hypot(1 + re, im));
    }
    out[1] = atan2(im, 1 + re);
    out[0] = real;
}

void nigh_complex_expm1(double re, double im, double out[2])
{
    /* e^re cos im - 1 = expm1(re) cos im - 2 sin^2(im/2) */
    double half = sin(0.5 * im), grown = expm1(re);
    out[1] = exp(re) * sin(im);
    out[0] = grown * cos(im) - 2 * half * half;
}
