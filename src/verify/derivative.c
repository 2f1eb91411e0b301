/* Derivatives of activations over intervals: pieces of constant slope, monotone ones, and those that rise and fall. */
#include "verify/derivative.h"
#include "core/round.h"

#include <math.h>

enum { MOST_TURNS = 2 };

/* What a computed derivative may be off by: relative where nothing cancels, absolute else. */
static const double relative = 0x1p-48, absolute = 0x1p-46;

/* sqrt(2 / pi), 1 / sqrt(2), 1 / sqrt(2 pi), and the cubic coefficient of the approximation by tanh. */
static const double root_two_over_pi = 0.79788456080286535588, root_half = 0.70710678118654752440, density = 0.39894228040143267794, cubic = 0.044715;

static double sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }

static double gelu_tanh_slope(double x)
{
    double u = root_two_over_pi * x * (1 + cubic * x * x), c = fabs(u) < 700 ? cosh(u) : INFINITY;
    double rise = fabs(u) < 300 ? x * root_two_over_pi * (1 + 3 * cubic * x * x) / (c * c) : 0;
    return 0.5 * (1 + tanh(u)) + 0.5 * rise;
}

static double silu_slope(double x)
{
    double s = sigmoid(x), other = sigmoid(-x);
    return fabs(x) > 700 ? (x > 0) : s * (1 + x * other);
}

double derivative_at(bound_function f, const double p[2], double x)
{
    double c;
    switch (f) {
    case BOUND_RELU: return x >= 0;
    case BOUND_LEAKY: return x >= 0 ? 1 : p[0];
    case BOUND_CLIP: return x >= p[0] && x <= p[1] && p[0] < p[1];
    case BOUND_ABS: return x >= 0 ? 1 : -1;
    case BOUND_SIGMOID: c = cosh(0.5 * x); return 0.25 / (c * c);
    case BOUND_TANH: c = cosh(x); return 1 / (c * c);
    case BOUND_SOFTPLUS: return sigmoid(x);
    case BOUND_ELU: return x > 0 ? 1 : p[0] * exp(x);
    case BOUND_EXP: return exp(x);
    case BOUND_SQUARE: return 2 * x;
    case BOUND_SIN: return cos(x);
    case BOUND_COS: return -sin(x);
    case BOUND_GELU: return 0.5 * erfc(-x * root_half) + x * density * exp(-0.5 * x * x);
    case BOUND_GELU_TANH: return gelu_tanh_slope(x);
    case BOUND_SILU: return silu_slope(x);
    default: return NAN;
    }
}

double derivative_value(bound_function f, const double p[2], double x)
{
    switch (f) {
    case BOUND_RELU: return x > 0 ? x : 0;
    case BOUND_LEAKY: return x > 0 ? x : p[0] * x;
    case BOUND_CLIP: return fmin(fmax(x, p[0]), p[1]);
    case BOUND_ABS: return fabs(x);
    case BOUND_SIGMOID: return sigmoid(x);
    case BOUND_TANH: return tanh(x);
    case BOUND_SOFTPLUS: return fmax(x, 0) + log1p(exp(-fabs(x)));
    case BOUND_ELU: return x > 0 ? x : p[0] * expm1(x);
    case BOUND_EXP: return exp(x);
    case BOUND_SQUARE: return x * x;
    case BOUND_SIN: return sin(x);
    case BOUND_COS: return cos(x);
    case BOUND_GELU: return 0.5 * x * erfc(-x * root_half);
    case BOUND_GELU_TANH: return 0.5 * x * (1 + tanh(root_two_over_pi * x * (1 + cubic * x * x)));
    case BOUND_SILU: return x * sigmoid(x);
    default: return NAN;
    }
}

double derivative_most(bound_function f, const double p[2])
{
    switch (f) {
    case BOUND_RELU: case BOUND_CLIP: case BOUND_ABS: case BOUND_TANH: case BOUND_SOFTPLUS: case BOUND_SIN: case BOUND_COS: return 1;
    case BOUND_LEAKY: case BOUND_ELU: return fmax(1, fabs(p[0]));
    case BOUND_SIGMOID: return 0.25;
    case BOUND_GELU: case BOUND_GELU_TANH: case BOUND_SILU: return 1.13; /* 1.1290, 1.1289 and 1.0999 */
    default: return INFINITY;
    }
}

/* Kinks: [0, 1] of slopes a left and b right of x = kink. */
static void two_slopes(double a, double b, double kink, double low, double high, double *out_low, double *out_high)
{
    double left = low <= kink ? a : b, right = high >= kink ? b : a;
    *out_low = fmin(left, right), *out_high = fmax(left, right);
}

/* The range of a smooth derivative that is monotone between `turns` places at which it turns (they may be off by 1e-9: there it is flat). */
static void smooth(bound_function f, const double p[2], int turns, const double *turn, double low, double high, double *out_low, double *out_high)
{
    double a = derivative_at(f, p, low), b = derivative_at(f, p, high), least = fmin(a, b), most = fmax(a, b);
    for (int i = 0; i < turns; i++)
        if (low <= turn[i] + 1e-9 && high >= turn[i] - 1e-9) {
            double v = derivative_at(f, p, turn[i]);
            least = fmin(least, v), most = fmax(most, v);
        }
    *out_low = least, *out_high = most;
}

/* The range of cos(x + quarters pi/2) for quarters 0 (cos) and 1 (-sin). */
static void wave(bound_function f, int quarters, double low, double high, double *out_low, double *out_high)
{
    double a = derivative_at(f, NULL, low), b = derivative_at(f, NULL, high), least = fmin(a, b), most = fmax(a, b);
    if (!(high - low < 6.28) || fabs(low) > 1e6 || fabs(high) > 1e6) least = -1, most = 1;
    else
        for (double k = floor(low / M_PI) - 2; k <= ceil(high / M_PI) + 2; k++) { /* extremes of cos(x + quarters pi/2) lie at k pi - quarters pi/2 */
            double at = (k - 0.5 * quarters) * M_PI;
            if (at < low - 1e-9 || at > high + 1e-9) continue;
            if (fmod(fabs(k), 2) == 0) most = 1;
            else least = -1;
        }
    *out_low = fmax(least - absolute, -1), *out_high = fmin(most + absolute, 1);
}

static void enclose_one(bound_function f, const double p[2], double low, double high, double *l, double *h)
{
    static const double even[] = {0}, gelu[] = {-1.4142135623730951, 1.4142135623730951}, silu[] = {-2.3993572805154677, 2.3993572805154677};
    static const double gelu_tanh[] = {-1.4185040087908283, 1.4185040087908283};
    switch (f) {
    case BOUND_RELU: two_slopes(0, 1, 0, low, high, l, h); return;
    case BOUND_LEAKY: two_slopes(p[0], 1, 0, low, high, l, h); return;
    case BOUND_ABS: two_slopes(-1, 1, 0, low, high, l, h); return;
    case BOUND_CLIP:
        *l = low > p[0] && high < p[1] ? 1 : 0;
        *h = high < p[0] || low > p[1] || !(p[0] < p[1]) ? 0 : 1;
        return;
    case BOUND_ELU:
        *l = low > 0 ? 1 : p[0] * exp(low), *h = high > 0 ? 1 : p[0] * exp(high);
        if (low <= 0 && high >= 0) *l = fmin(*l, 1), *h = fmax(p[0], 1);
        break;
    case BOUND_SQUARE: *l = 2 * low, *h = 2 * high; return;
    case BOUND_SIN: wave(f, 0, low, high, l, h); return;
    case BOUND_COS: wave(f, 1, low, high, l, h); return;
    case BOUND_SIGMOID: case BOUND_TANH: smooth(f, p, 1, even, low, high, l, h); break;
    case BOUND_GELU: smooth(f, p, 2, gelu, low, high, l, h); break;
    case BOUND_GELU_TANH: smooth(f, p, 2, gelu_tanh, low, high, l, h); break;
    case BOUND_SILU: smooth(f, p, 2, silu, low, high, l, h); break;
    default: smooth(f, p, 0, NULL, low, high, l, h); break; /* softplus, exp: they rise */
    }
    bool cancels = f == BOUND_GELU || f == BOUND_GELU_TANH || f == BOUND_SILU;
    double slack = cancels ? absolute : 0;
    *l -= fabs(*l) * relative + slack + ROUND_TINY, *h += fabs(*h) * relative + slack + ROUND_TINY;
    if (!cancels) *l = fmax(*l, 0); /* these functions do not fall */
    if (f == BOUND_SIGMOID) *h = fmin(*h, 0.25);
    if (f == BOUND_TANH || f == BOUND_SOFTPLUS) *h = fmin(*h, 1);
}

void derivative_enclose(bound_function f, const double p[2], int64_t n, const double *low, const double *high, double *out_low, double *out_high)
{
    for (int64_t i = 0; i < n; i++) {
        double l = 0, h = 0;
        if (low[i] <= high[i]) enclose_one(f, p, low[i], high[i], &l, &h);
        out_low[i] = l, out_high[i] = h;
    }
}
