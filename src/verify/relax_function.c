/* Functions with bounds on what computing them can be off. Declared in verify/relax_inside.h. */
#include "verify/relax_inside.h"
#include "core/round.h"

#include <math.h>

#define TURN 3.14159265358979323846
#define TWICE_ROOT 1.5957691216057307117 /* 2 sqrt(2 / pi) */
#define CUBE 0.044715
#define ROOT_HALF 0.70710678118654752440
#define DENSITY 0.39894228040143267794 /* 1 / sqrt(2 pi) */

/* ---- values -------------------------------------------------------------------------------------------- */

static double logistic(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }

/* Arguments of exponentials are rounded before: their error is multiplied by their size. */
double relax_value(bound_function f, const double p[2], double x, double *error)
{
    double y = 0, units = 32, t;
    switch (f) {
    case BOUND_RELU: *error = 0; return x > 0 ? x : 0;
    case BOUND_ABS: *error = 0; return fabs(x);
    case BOUND_CLIP: *error = 0; return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
    case BOUND_LEAKY:
        y = x > 0 ? x : p[0] * x;
        units = x > 0 ? 0 : 2;
        break;
    case BOUND_SIGMOID: y = logistic(x); break;
    case BOUND_TANH: y = tanh(x); break;
    case BOUND_SOFTPLUS: y = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); break;
    case BOUND_ELU: y = x > 0 ? x : p[0] * expm1(x); break;
    case BOUND_EXP: y = exp(x); break;
    case BOUND_SQUARE: y = x * x; break;
    case BOUND_SIN: y = sin(x); break;
    case BOUND_COS: y = cos(x); break;
    case BOUND_GELU:
        y = 0.5 * x * erfc(-x * ROOT_HALF);
        units += 8 * fmin(x * x, 1600);
        break;
    case BOUND_GELU_TANH:
        t = TWICE_ROOT * (x + CUBE * x * x * x);
        y = x * logistic(t);
        units += 8 * fmin(fabs(t), 800);
        break;
    case BOUND_SILU: y = x * logistic(x); break;
    default: break;
    }
    *error = isfinite(y) ? fabs(y) * units * ROUND_UNIT * 1.01 + (units > 0 ? 0x1p-960 : 0) : INFINITY;
    return y;
}

double relax_slope(bound_function f, const double p[2], double x, double *error)
{
    double y = 0, size = 0, units = 64, s, t, v;
    switch (f) {
    case BOUND_RELU: *error = 0; return x > 0;
    case BOUND_ABS: *error = 0; return x > 0 ? 1 : -1;
    case BOUND_CLIP: *error = 0; return x > p[0] && x <= p[1];
    case BOUND_LEAKY: *error = 0; return x > 0 ? 1 : p[0];
    case BOUND_SIGMOID: t = exp(-fabs(x)), y = size = t / ((1 + t) * (1 + t)); break;
    case BOUND_TANH: t = exp(-2 * fabs(x)), y = size = 4 * t / ((1 + t) * (1 + t)); break;
    case BOUND_SOFTPLUS: y = size = logistic(x); break;
    case BOUND_ELU: y = size = x > 0 ? 1 : p[0] * exp(x); break;
    case BOUND_EXP: y = size = exp(x); break;
    case BOUND_SQUARE: y = 2 * x, size = fabs(y); break;
    case BOUND_SIN: y = cos(x), size = fabs(y); break;
    case BOUND_COS: y = -sin(x), size = fabs(y); break;
    case BOUND_GELU:
        s = 0.5 * erfc(-x * ROOT_HALF), t = DENSITY * exp(-0.5 * x * x);
        y = s + x * t, size = s + fabs(x) * t;
        units += 8 * fmin(x * x, 1600);
        break;
    case BOUND_GELU_TANH:
        t = TWICE_ROOT * (x + CUBE * x * x * x), v = TWICE_ROOT * (1 + 3 * CUBE * x * x), s = logistic(t);
        y = s + x * s * logistic(-t) * v, size = s + fabs(x) * s * logistic(-t) * v;
        units += 8 * fmin(fabs(t), 800);
        break;
    case BOUND_SILU: s = logistic(x), y = s + x * s * logistic(-x), size = s + fabs(x) * s * logistic(-x); break;
    default: break;
    }
    *error = isfinite(y) ? size * units * ROUND_UNIT * 1.01 + 0x1p-960 : INFINITY;
    return y;
}

double relax_single(bound_function f, double size, double most)
{
    double units = 16; /* 8 ulp of at most 2 units each */
    switch (f) {
    case BOUND_RELU:
    case BOUND_ABS:
    case BOUND_CLIP: return 0;
    case BOUND_LEAKY:
    case BOUND_SQUARE: units = 3; break;
    case BOUND_EXP: break;
    case BOUND_GELU:
    case BOUND_GELU_TANH:
    case BOUND_SILU: most += size; break; /* x times a factor that is known to so many units of 1 */
    default: most += 1; break;
    }
    return most * units * ROUND_UNIT_SINGLE * 1.01 + 0x1p-124;
}

/* ---- bends --------------------------------------------------------------------------------------------- */

/* What lies between two pieces at the bend c, where f'' changes sign: a strip too thin to matter. */
static double strip(double c) { return 0x1p-40 * fmax(1, fabs(c)); }

static bool add(relax_pieces *s, double from, double to, int bend)
{
    if (s->n == RELAX_PIECES) return false;
    s->from[s->n] = from, s->to[s->n] = to, s->bend[s->n++] = bend;
    return true;
}

/* Cuts at c[n] (exact kinks or rounded bends) with bend[n + 1] of the pieces; |f''| <= 2 near a bend. */
static bool cut(relax_pieces *s, double low, double high, int n, const double *c, const int *bend, bool exact)
{
    double from = low;
    for (int i = 0; i < n; i++) {
        double d = exact ? 0 : strip(c[i]);
        if (c[i] + d <= low) continue;
        if (c[i] - d >= high) return add(s, from, high, bend[i]);
        if (!exact) s->between = fmax(s->between, 8 * d * d);
        if (from < c[i] - d || (exact && from == low)) {
            if (!add(s, from, c[i] - d, bend[i])) return false;
        } else if (!add(s, from, from, 0)) return false; /* the end itself */
        from = c[i] + d;
        if (from >= high) return add(s, high, high, 0);
    }
    return add(s, from, high, bend[n]);
}

/* sin is concave on [2 k pi, (2 k + 1) pi]; cos is sin moved by a quarter turn. */
static bool cut_wave(relax_pieces *s, double low, double high, bool cosine)
{
    double c[RELAX_PIECES], shift = cosine ? 0.5 : 0;
    int bend[RELAX_PIECES + 1];
    if (!(fabs(low) < 1e5 && fabs(high) < 1e5 && high - low < 8 * TURN)) return false;
    double first = floor(low / TURN - shift); /* the bend at or before `low`, give or take one */
    for (int i = 0; i < RELAX_PIECES; i++) {
        double k = first + i;
        c[i] = (k + shift) * TURN;
        bend[i] = fmod(k, 2) == 0 ? (cosine ? -1 : 1) : (cosine ? 1 : -1);
    }
    bend[RELAX_PIECES] = -bend[RELAX_PIECES - 1];
    return cut(s, low, high, RELAX_PIECES, c, bend, false);
}

bool relax_split(bound_function f, const double p[2], double low, double high, relax_pieces *s)
{
    static const double zero[] = {0}, root[] = {-1.41421356237309505, 1.41421356237309505}, root_tanh[] = {-1.41850400879082836, 1.41850400879082836},
                        root_silu[] = {-2.39935728051546767, 2.39935728051546767};
    static const int up[] = {1}, straight[] = {0, 0, 0}, s_shape[] = {1, -1}, well[] = {-1, 1, -1}, half[] = {1, 0};
    *s = (relax_pieces){0};
    switch (f) {
    case BOUND_RELU:
    case BOUND_LEAKY:
    case BOUND_ABS: return cut(s, low, high, 1, zero, straight, true);
    case BOUND_CLIP: return cut(s, low, high, 2, p, straight, true);
    case BOUND_SIGMOID:
    case BOUND_TANH: return cut(s, low, high, 1, zero, s_shape, true);
    case BOUND_ELU: return cut(s, low, high, 1, zero, half, true);
    case BOUND_GELU: return cut(s, low, high, 2, root, well, false);
    case BOUND_GELU_TANH: return cut(s, low, high, 2, root_tanh, well, false);
    case BOUND_SILU: return cut(s, low, high, 2, root_silu, well, false);
    case BOUND_SIN:
    case BOUND_COS: return cut_wave(s, low, high, f == BOUND_COS);
    default: return cut(s, low, high, 0, NULL, up, true);
    }
}
