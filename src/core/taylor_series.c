/* Univariate Taylor coefficients over a span, operation by operation. See taylor.h. */
#include "core/taylor.h"

/* ---- values of functions on spans: monotone pieces of libm's, moved outward by 8 ulp ------------------- */

static double below(double x) { return x - (fabs(x) * 0x1p-49 + ROUND_TINY); }
static double above(double x) { return x + (fabs(x) * 0x1p-49 + ROUND_TINY); }
static span rising(double f(double), span x) { return span_checked(below(f(x.low)), above(f(x.high))); }
static span falling(double f(double), span x) { return span_checked(below(f(x.high)), above(f(x.low))); }

static span exponential(span x)
{
    span y = rising(exp, x);
    return (span){fmax(y.low, 0), y.high};
}

static span root(span x) { return x.low < 0 ? SPAN_ALL : span_checked(fmax(below(sqrt(x.low)), 0), above(sqrt(x.high))); }
static span logarithm(span x) { return x.low > 0 ? rising(log, x) : SPAN_ALL; }

/* pi from both sides */
#define PI_BELOW 3.141592653589793
#define PI_ABOVE 3.1415926535897936

/* cos: -1 or 1 inside where a multiple of pi may lie inside. */
static span cosine(span x)
{
    if (!(span_most(x) < 1e9) || x.high - x.low >= 6.28) return (span){-1, 1};
    double a = cos(x.low), b = cos(x.high);
    span y = {fmax(below(fmin(a, b)), -1), fmin(above(fmax(a, b)), 1)};
    double first = floor(x.low / PI_ABOVE - 1e-6), last = ceil(x.high / PI_BELOW + 1e-6);
    for (double k = first; k <= last; k++) {
        double near = k * PI_BELOW, slack = 1e-15 * (fabs(k) + 1);
        if (near < x.low - slack || near > x.high + slack) continue;
        if (fmod(k, 2) == 0) y.high = 1;
        else y.low = -1;
    }
    return y;
}

static span sine(span x)
{
    span half = {PI_BELOW / 2, PI_ABOVE / 2};
    return cosine(span_sub(x, half));
}

static double sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

static span two_by_root_pi(void) { return (span){1.1283791670955125, 1.1283791670955128}; }
static span log_two(void) { return (span){0.6931471805599452, 0.6931471805599454}; }

/* ---- recurrences --------------------------------------------------------------------------------------- */

/* g' = g scale */
static void exponentials(span first, span scale, int order, span *g)
{
    g[0] = first;
    for (int k = 1; k <= order; k++) g[k] = span_div(span_mul(g[k - 1], scale), span_of(k));
}

static void integrate(span first, const span *derivative, int order, span *g)
{
    g[0] = first;
    for (int k = 1; k <= order; k++) g[k] = span_div(derivative[k - 1], span_of(k));
}

/* y' = c0 + c1 y + c2 y^2 */
static void riccati(span first, double c0, double c1, double c2, int order, span *g)
{
    g[0] = first;
    for (int k = 0; k < order; k++) {
        span sum = span_scale(c1, g[k]);
        for (int j = 0; j <= k; j++) sum = span_add(sum, span_scale(c2, span_mul(g[j], g[k - j])));
        if (k == 0) sum = span_add(sum, span_of(c0));
        g[k + 1] = span_div(sum, span_of(k + 1));
    }
}

static void circular(span x, int order, bool cosines, bool hyperbolic, span *g)
{
    span up = exponential(x), down = exponential(span_negative(x));
    span s = hyperbolic ? rising(sinh, x) : sine(x), c = hyperbolic ? span_scale(0.5, span_add(up, down)) : cosine(x);
    double factorial = 1;
    for (int k = 0; k <= order; k++) {
        if (k) factorial *= k;
        int turn = (k + (cosines ? 1 : 0)) % 4;
        span y = turn % 2 ? c : s;
        if (!hyperbolic && turn >= 2) y = span_negative(y);
        g[k] = span_div(y, span_of(factorial));
    }
}

/* 1 / (1 + sign x^2) */
static void witch(span x, double sign, int order, span *d)
{
    span base = span_add(span_of(1), span_scale(sign, span_power(x, 2)));
    for (int k = 0; k <= order; k++) {
        span sum = span_of(k == 0);
        if (k > 0) sum = span_sub(sum, span_scale(2 * sign, span_mul(x, d[k - 1])));
        if (k > 1) sum = span_sub(sum, span_scale(sign, d[k - 2]));
        d[k] = span_div(sum, base);
    }
}

/* d = q^(-1/2) with q = c + sign x^2: q d' = -sign x d */
static void inverse_root(span x, double c, double sign, int order, span *d)
{
    span q = span_add(span_of(c), span_scale(sign, span_power(x, 2)));
    d[0] = q.low > 0 ? span_inverse(root(q)) : SPAN_ALL;
    for (int k = 0; k < order; k++) {
        span sum = span_scale(-sign * (2 * k + 1), span_mul(x, d[k]));
        if (k > 0) sum = span_sub(sum, span_scale(sign * k, d[k - 1]));
        d[k + 1] = span_div(span_div(sum, q), span_of(k + 1));
    }
}

/* first exp(-rate (x^2 - x_0^2)): d' = -2 rate x d */
static void bell(span x, double rate, span first, int order, span *d)
{
    d[0] = first;
    for (int k = 0; k < order; k++) {
        span sum = span_mul(x, d[k]);
        if (k > 0) sum = span_add(sum, d[k - 1]);
        d[k + 1] = span_div(span_scale(-2 * rate, sum), span_of(k + 1));
    }
}

/* x g */
static void times_x(span x, const span *g, int order, span *out)
{
    for (int k = order; k >= 0; k--) out[k] = k ? span_add(span_mul(x, g[k]), g[k - 1]) : span_mul(x, g[0]);
}

static void unknown(int from, int order, span *g)
{
    for (int k = from; k <= order; k++) g[k] = SPAN_ALL;
}

/* sign x on each side of 0 */
static void size_of(span x, int order, span *g)
{
    double sign = x.low >= 0 ? 1 : -1;
    if (x.low < 0 && x.high > 0) {
        g[0] = (span){0, span_most(x)};
        if (order) g[1] = (span){-1, 1};
        unknown(2, order, g);
        return;
    }
    g[0] = sign > 0 ? x : span_negative(x);
    for (int k = 1; k <= order; k++) g[k] = span_of(k == 1 ? sign : 0);
    if (x.low == 0 || x.high == 0) { /* the kink is on the edge */
        if (order) g[1] = (span){-1, 1};
        unknown(2, order, g);
    }
}

void taylor_series_power(span x, double p, int order, span *g)
{
    bool whole = p == rint(p) && fabs(p) <= 64;
    if (whole && p >= 0) {
        double choose = 1;
        for (int k = 0; k <= order; k++) {
            g[k] = k > p ? span_of(0) : span_scale(choose, span_power(x, (int)p - k));
            choose = choose * (p - k) / (k + 1);
        }
        return;
    }
    if (whole) g[0] = span_inverse(span_power(x, (int)-p));
    else if (x.low > 0) g[0] = exponential(span_scale(p, logarithm(x)));
    else g[0] = x.low == 0 && p > 0 ? (span){0, above(pow(x.high, p))} : SPAN_ALL;
    for (int k = 1; k <= order; k++) g[k] = span_div(span_mul(span_scale(p - k + 1, g[k - 1]), span_inverse(x)), span_of(k));
}

/* What `taylor_series` does for a function and scale: log by another base, and its like. */
static void scaled(span factor, int order, span *g)
{
    for (int k = 0; k <= order; k++) g[k] = span_mul(factor, g[k]);
}

static void logarithms(span x, span first, int order, span *g)
{
    g[0] = first;
    span inverse = span_inverse(x), power = span_of(1);
    for (int k = 1; k <= order; k++) {
        power = span_mul(power, inverse);
        g[k] = span_div(k % 2 ? power : span_negative(power), span_of(k));
    }
}

static void cube_root(span x, int order, span *g)
{
    taylor_series_power(x.high < 0 ? span_negative(x) : x, 1.0 / 3, order, g); /* 1/3 is rounded: only derivatives are taken, widened below */
    g[0] = rising(cbrt, x);
    for (int k = 1; k <= order; k++) {
        if (!(x.low > 0 || x.high < 0)) g[k] = SPAN_ALL;
        else g[k] = span_mul((span){1 - 0x1p-48, 1 + 0x1p-48}, x.high < 0 && k % 2 == 0 ? span_negative(g[k]) : g[k]);
    }
}

/* 1/2 erf(x / sqrt 2) + 1/2 */
static void normal_share(span x, int order, span *g)
{
    span d[TAYLOR_MOST_ORDER + 1], square = span_scale(-0.5, span_power(x, 2));
    span first = span_mul(span_mul(two_by_root_pi(), (span){0.3535533905932737, 0.3535533905932738}), exponential(square));
    double low = 0.5 * erfc(-x.low * M_SQRT1_2), high = 0.5 * erfc(-x.high * M_SQRT1_2), wide = 1e-14; /* of the argument's rounding, too */
    bell(x, 0.5, first, order, d);
    integrate(span_checked(fmax(low * (1 - wide * (1 + x.low * x.low)) - ROUND_TINY, 0), fmin(high * (1 + wide * (1 + x.high * x.high)) + ROUND_TINY, 1)), d, order, g);
}

void taylor_series(nigh_op op, span x, int order, span *g)
{
    span d[TAYLOR_MOST_ORDER + 1];
    switch (op) {
    case NIGH_OP_ABS: size_of(x, order, g); return;
    case NIGH_OP_FLOOR:
        unknown(1, order, g);
        g[0] = (span){floor(x.low), floor(x.high)};
        if (g[0].low == g[0].high && x.low > g[0].low)
            for (int k = 1; k <= order; k++) g[k] = span_of(0);
        return;
    case NIGH_OP_SQRT: taylor_series_power(x, 0.5, order, g), g[0] = root(x); return;
    case NIGH_OP_RSQRT: taylor_series_power(x, -0.5, order, g); return;
    case NIGH_OP_CBRT: cube_root(x, order, g); return;
    case NIGH_OP_EXP: exponentials(exponential(x), span_of(1), order, g); return;
    case NIGH_OP_EXP2: exponentials(rising(exp2, x), log_two(), order, g); return;
    case NIGH_OP_EXPM1: exponentials(exponential(x), span_of(1), order, g), g[0] = rising(expm1, x); return;
    case NIGH_OP_LOG: logarithms(x, logarithm(x), order, g); return;
    case NIGH_OP_LOG2: logarithms(x, logarithm(x), order, g), scaled(span_inverse(log_two()), order, g); return;
    case NIGH_OP_LOG10: logarithms(x, logarithm(x), order, g), scaled((span){0.4342944819032518, 0.43429448190325187}, order, g); return;
    case NIGH_OP_LOG1P: logarithms(span_add(x, span_of(1)), x.low > -1 ? rising(log1p, x) : SPAN_ALL, order, g); return;
    case NIGH_OP_SIN: circular(x, order, false, false, g); return;
    case NIGH_OP_COS: circular(x, order, true, false, g); return;
    case NIGH_OP_TAN: {
        span c = cosine(x);
        riccati(c.low > 0 || c.high < 0 ? span_div(sine(x), c) : SPAN_ALL, 1, 0, 1, order, g);
        return;
    }
    case NIGH_OP_ASIN: inverse_root(x, 1, -1, order, d), integrate(x.low >= -1 && x.high <= 1 ? rising(asin, x) : SPAN_ALL, d, order, g); return;
    case NIGH_OP_ACOS:
        inverse_root(x, 1, -1, order, d), scaled(span_of(-1), order, d);
        integrate(x.low >= -1 && x.high <= 1 ? falling(acos, x) : SPAN_ALL, d, order, g);
        return;
    case NIGH_OP_ATAN: witch(x, 1, order, d), integrate(rising(atan, x), d, order, g); return;
    case NIGH_OP_SINH: circular(x, order, false, true, g); return;
    case NIGH_OP_COSH: circular(x, order, true, true, g); return;
    case NIGH_OP_TANH: riccati(rising(tanh, x), 1, 0, -1, order, g); return;
    case NIGH_OP_ASINH: inverse_root(x, 1, 1, order, d), integrate(rising(asinh, x), d, order, g); return;
    case NIGH_OP_ACOSH: inverse_root(x, -1, 1, order, d), integrate(x.low >= 1 ? rising(acosh, x) : SPAN_ALL, d, order, g); return;
    case NIGH_OP_ATANH: witch(x, -1, order, d), integrate(x.low > -1 && x.high < 1 ? rising(atanh, x) : SPAN_ALL, d, order, g); return;
    case NIGH_OP_ERF:
    case NIGH_OP_ERFC:
        bell(x, 1, span_mul(two_by_root_pi(), exponential(span_negative(span_power(x, 2)))), order, d);
        if (op == NIGH_OP_ERFC) scaled(span_of(-1), order, d);
        integrate(op == NIGH_OP_ERF ? rising(erf, x) : falling(erfc, x), d, order, g);
        return;
    case NIGH_OP_SIGMOID: riccati(rising(sigmoid, x), 0, 1, -1, order, g); return;
    case NIGH_OP_SOFTPLUS: riccati(rising(sigmoid, x), 0, 1, -1, order, d), integrate(rising(softplus, x), d, order, g); return;
    case NIGH_OP_SILU: riccati(rising(sigmoid, x), 0, 1, -1, order, d), times_x(x, d, order, g); return;
    case NIGH_OP_GELU: normal_share(x, order, d), times_x(x, d, order, g); return;
    default: unknown(0, order, g); return;
    }
}
