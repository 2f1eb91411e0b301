/*
 * Regularised incomplete gamma and beta functions, their inverses. Declared in nigh/special.h.
 *
 * The factor in front (a Poisson or binomial mass with real arguments) is computed from deviances ("Fast and accurate
 * computation of binomial probabilities", Loader 2000), so that large arguments keep their digits; series and continued
 * fraction of the gamma function are those of Abramowitz and Stegun 6.5.29 and 6.5.31.
 */
#include "nigh/special.h"
#include "core/special.h"

#include <float.h>
#include <math.h>

static const double two_pi = 6.28318530717958647693;

/* log Gamma(a+1) - (a + 1/2) log a + a - log sqrt(2 pi): the error of Stirling's formula. */
double nigh_stirling_error(double a)
{
    double sum = 0;
    for (; a < 12; a++) sum -= (a + 0.5) * nigh_log1pmx(1 / a) + 0.5 / a; /* = (a + 1/2) log(1 + 1/a) - 1, negated */
    double r = 1 / (a * a);
    static const double c[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156};
    double series = 0;
    for (int k = 6; k >= 0; k--) series = series * r + c[k];
    return series / a - sum;
}

/* x log(x / m) + m - x >= 0. */
static double deviance(double x, double m)
{
    double d = (x - m) / m;
    if (fabs(d) < 0.4) { /* = m [(1+d) log(1+d) - d] = m [(1+d) log1pmx(d) + d^2] */
        return m * ((1 + d) * nigh_log1pmx(d) + d * d);
    }
    return x * log(x / m) + m - x;
}

/* x^a e^-x / Gamma(a+1) for real a >= 0. */
double nigh_poisson_term(double a, double x)
{
    if (a == 0) return exp(-x);
    if (x == 0) return 0;
    if (a < 12 && x < 600) {
        double power = pow(x, a);
        if (power > DBL_MIN && power < DBL_MAX) return power * exp(-x) / tgamma(a + 1);
    }
    if (a < 1e-300) return exp(-x);
    return exp(-nigh_stirling_error(a) - deviance(a, x)) / sqrt(two_pi * a);
}

/* P(a,x) by its series; fast for x < a + 1. */
static double gamma_series(double a, double x)
{
    double term = 1, sum = 1;
    for (double k = a + 1; term > sum * 0x1p-56; k++) sum += term *= x / k;
    return sum;
}

/* Q(a,x) = x^a e^-x / Gamma(a) times this fraction; for x >= a + 1. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;
    for (int i = 1; i < 1000000; i++) {
        double numerator = -i * (i - a);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        double factor = c * d;
        h *= factor;
        if (fabs(factor - 1) < 0x1p-53) break;
    }
    return h;
}

/* Small a and x: 1 - P without cancellation. Q = 1 - x^a/Gamma(a+1) + x^a/Gamma(a+1) * (1 - series of 1F1). */
static double gamma_q_small(double a, double x)
{
    double lg = nigh_lgamma(a + 1), u = -expm1(a * log(x) - lg);
    double sum = 0, term = 1;
    for (int k = 1; k < 200; k++) {
        term *= -x / k;
        double part = term / (a + k);
        sum += part;
        if (fabs(part) < fabs(sum) * 0x1p-55) break;
    }
    return u - (1 - u) * a * sum;
}

static double gamma_either(double a, double x, bool upper)
{
    if (!(a > 0) || !(x >= 0)) return NAN;
    if (x == 0) return upper;
    if (isinf(x)) return !upper;
    if (x < 1 && a < 1 && upper) return gamma_q_small(a, x);
    if (x < a + 1) {
        double p = nigh_poisson_term(a, x) * gamma_series(a, x);
        return upper ? 1 - p : p;
    }
    double q = nigh_poisson_term(a, x) * a * gamma_fraction(a, x);
    return upper ? q : 1 - q;
}

double nigh_gamma_p(double a, double x) { return gamma_either(a, x, false); }
double nigh_gamma_q(double a, double x) { return gamma_either(a, x, true); }

/* ---- beta ---- */

double nigh_lbeta(double a, double b)
{
    if (!(a > 0 && b > 0)) return NAN;
    if (a < b) {
        double swap = a;
        a = b, b = swap;
    }
    if (a < 12) return nigh_lgamma(a) + nigh_lgamma(b) - nigh_lgamma(a + b);
    /* Gamma(a)/Gamma(a+b) by Stirling: the large logarithms cancel by algebra. */
    double rest = nigh_stirling_error(a) - nigh_stirling_error(a + b);
    if (b < 12)
        return nigh_lgamma(b) + rest + b - (a - 0.5) * log1p(b / a) - b * log(a + b);
    return 0.5 * log(two_pi) + nigh_stirling_error(b) + rest - 0.5 * log(b) - (a - 0.5) * log1p(b / a) -
           b * log1p(a / b);
}

double nigh_lchoose(double n, double k)
{
    if (!(k >= 0 && k <= n)) return NAN;
    if (k == 0 || k == n) return 0;
    return -log1p(n) - nigh_lbeta(n - k + 1, k + 1);
}

/* x^a y^b / B(a,b) with y = 1 - x. */
static double beta_front(double a, double b, double x, double y)
{
    double n = a + b;
    if (a < 1e-3 || b < 1e-3) return exp(a * log(x) + b * log(y) - nigh_lbeta(a, b));
    double error = nigh_stirling_error(n) - nigh_stirling_error(a) - nigh_stirling_error(b);
    return exp(error - deviance(a, n * x) - deviance(b, n * y)) * sqrt(a * b / (two_pi * n));
}

/* I_x(a,b) = x^a y^b / B(a,b) times this continued fraction, for x up to about a / (a + b): the even part of the classical
 * one, in terms of a - (a+b) x, which is free of cancellation ("Significant digit computation of the incomplete beta
 * function ratios", DiDonato and Morris 1992, equation 9). */
static double beta_fraction(double a, double b, double x, double y)
{
    double gap = a <= b ? a - (a + b) * x : (a + b) * y - b;
    double h = 0, c = 0, d = 0;
    for (int n = 0; n < 1000000; n++) {
        double odd = a + 2 * n - 1;
        double numerator = n ? (a + n - 1) / odd * ((a + b + n - 1) / odd) * (n * (b - n) * x * x) : 1;
        double denominator = n + (n ? n * (b - n) * x / odd : 0) + (a + n) / (a + 2 * n + 1) * (gap + 1 + n * (1 + y));
        d = denominator + numerator * d; /* modified Lentz */
        d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
        if (n == 0) {
            h = d, c = 1 / DBL_MIN;
            continue;
        }
        c = denominator + numerator / c;
        if (fabs(c) < DBL_MIN) c = DBL_MIN;
        double factor = c * d;
        h *= factor;
        if (fabs(factor - 1) < 0x1p-53) break;
    }
    return h;
}

/* I_x(a,b) or its complement; y = 1 - x is given apart because it may have digits that x has not. */
double nigh_beta_either(double a, double b, double x, double y, bool upper)
{
    if (!(a > 0 && b > 0) || !(x >= 0 && x <= 1)) return NAN;
    if (x == 0) return upper;
    if (y == 0) return !upper;
    double front = beta_front(a, b, x, y);
    if (x < (a + 1) / (a + b + 2)) {
        double p = front * beta_fraction(a, b, x, y);
        return upper ? 1 - p : p;
    }
    double q = front * beta_fraction(b, a, y, x);
    return upper ? q : 1 - q;
}

double nigh_beta_p(double a, double b, double x) { return nigh_beta_either(a, b, x, 1 - x, false); }
double nigh_beta_q(double a, double b, double x) { return nigh_beta_either(a, b, x, 1 - x, true); }

/* ---- inverses: bisection kept honest, Newton to finish ---- */

typedef double tail_fn(double a, double b, double x);

/* The x in (low, high) at which log of the monotone `tail` meets log `want`; `rising` says which way it goes. Bisects on
 * a geometric scale while the ends are far apart in ratio, so tiny solutions keep their digits. */
static double invert(tail_fn *tail, double a, double b, double want, bool rising, double low, double high)
{
    for (int step = 0; step < 1100; step++) {
        double middle = low > 0 && high > 4 * low ? sqrt(low) * sqrt(high) : 0.5 * (low + high);
        if (low == 0 && step < 200) middle = high * 0x1p-16;
        if (!(middle > low && middle < high)) break;
        bool beyond = (tail(a, b, middle) > want) == rising;
        if (beyond) high = middle;
        else low = middle;
        if (high - low <= 0x1p-52 * low) break;
    }
    return low + 0.5 * (high - low);
}

static double gamma_p_of(double a, double b, double x) { return nigh_gamma_p(a, x); }
static double gamma_q_of(double a, double b, double x) { return nigh_gamma_q(a, x); }

static double gamma_inverse(double a, double want, bool upper)
{
    if (!(a > 0) || !(want >= 0 && want <= 1)) return NAN;
    if (want == (upper ? 1 : 0)) return 0;
    if (want == (upper ? 0 : 1)) return INFINITY;
    double high = a + 10 * sqrt(a) + 10;
    while (upper ? nigh_gamma_q(a, high) > want : nigh_gamma_p(a, high) < want) high *= 2;
    return invert(upper ? gamma_q_of : gamma_p_of, a, 0, want, !upper, 0, high);
}

double nigh_gamma_p_inverse(double a, double p) { return gamma_inverse(a, p, false); }
double nigh_gamma_q_inverse(double a, double q) { return gamma_inverse(a, q, true); }

double nigh_beta_p_inverse(double a, double b, double p)
{
    if (!(a > 0 && b > 0) || !(p >= 0 && p <= 1)) return NAN;
    if (p == 0 || p == 1) return p;
    return invert(nigh_beta_p, a, b, p, true, 0, 1);
}

double nigh_beta_q_inverse(double a, double b, double q)
{
    if (!(a > 0 && b > 0) || !(q >= 0 && q <= 1)) return NAN;
    if (q == 0 || q == 1) return 1 - q;
    return invert(nigh_beta_q, a, b, q, false, 0, 1);
}
