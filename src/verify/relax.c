/* Enclosures and pairs of lines. Declared in verify/relax.h. */
#include "verify/relax_inside.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

#define TURN 3.14159265358979323846

/* ---- enclosures ---------------------------------------------------------------------------------------- */

/* Least values of functions that fall and then rise, below what they are, and where, above and below. */
typedef struct valley {
    double from, to, least;
} valley;

static valley valley_of(bound_function f)
{
    if (f == BOUND_GELU) return (valley){-0.75179162, -0.75179142, -0.1699712074799037};
    if (f == BOUND_GELU_TANH) return (valley){-0.75246152, -0.75246132, -0.1700407505712541};
    return (valley){-1.27846464, -1.27846444, -0.2784645427610739};
}

static void around(bound_function f, const double p[2], double x, double *low, double *high)
{
    double error, y = relax_value(f, p, x, &error);
    *low = isinf(error) ? (y > 0 ? 0x1.fffffffffffffp1023 : -INFINITY) : error > 0 ? y - error * (1 + 0x1p-40) - fabs(y) * 0x1p-52 : y;
    *high = isinf(error) ? INFINITY : error > 0 ? y + error * (1 + 0x1p-40) + fabs(y) * 0x1p-52 : y;
}

/* From the values at both ends when one of x = c + 2 k pi lies between: c = pi / 2 is where sin is 1, 0 where cos is. Doubtful cases count as yes. */
static bool passes(double c, double low, double high)
{
    if (!(fabs(low) < 1e8 && fabs(high) < 1e8) || high - low > 2 * TURN) return true;
    double first = ceil((low - c) / (2 * TURN) - 1e-6);
    return c + first * 2 * TURN <= high + 1e-6;
}

static void enclose_one(bound_function f, const double p[2], double low, double high, double *out_low, double *out_high)
{
    double a_low, a_high, b_low, b_high;
    if (isnan(low) || isnan(high)) {
        *out_low = -INFINITY, *out_high = INFINITY;
        return;
    }
    around(f, p, low, &a_low, &a_high);
    around(f, p, high, &b_low, &b_high);
    *out_low = fmin(a_low, b_low);
    *out_high = fmax(a_high, b_high);
    switch (f) {
    case BOUND_ABS:
    case BOUND_SQUARE:
        if (low <= 0 && high >= 0) *out_low = 0;
        *out_low = fmax(*out_low, 0);
        break;
    case BOUND_LEAKY:
        if (p[0] < 0 && low < 0 && high > 0) *out_low = 0;
        break;
    case BOUND_SIN:
    case BOUND_COS:
        if (passes(f == BOUND_SIN ? 0.5 * TURN : 0, low, high)) *out_high = 1;
        if (passes(f == BOUND_SIN ? -0.5 * TURN : TURN, low, high)) *out_low = -1;
        *out_low = fmax(*out_low, -1), *out_high = fmin(*out_high, 1);
        break;
    case BOUND_GELU:
    case BOUND_GELU_TANH:
    case BOUND_SILU:
        if (low <= valley_of(f).to && high >= valley_of(f).from) *out_low = valley_of(f).least;
        *out_low = fmax(*out_low, valley_of(f).least);
        break;
    case BOUND_SIGMOID: *out_low = fmax(*out_low, 0), *out_high = fmin(*out_high, 1); break;
    case BOUND_TANH: *out_low = fmax(*out_low, -1), *out_high = fmin(*out_high, 1); break;
    case BOUND_SOFTPLUS:
    case BOUND_EXP: *out_low = fmax(*out_low, 0); break;
    default: break;
    }
}

/* What an evaluation in f32 may be beside the real value; sums and products of exact arguments can leave the ranges of functions. */
static void widen(bound_function f, double low, double high, double *out_low, double *out_high)
{
    double off = relax_single(f, fmax(fabs(low), fabs(high)), fmax(fabs(*out_low), fabs(*out_high)));
    if (off == 0) return;
    *out_low = round_down(*out_low - off);
    *out_high = round_up(*out_high + off);
}

void relax_enclose(bound_function f, const double p[2], int64_t n, const double *low, const double *high, bool single, double *out_low, double *out_high)
{
    if (f == BOUND_RELU) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            double l = low[i] < 0 ? 0 : low[i], h = high[i] < 0 ? 0 : high[i];
            out_low[i] = l;
            out_high[i] = h;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double l = low[i], h = high[i];
        enclose_one(f, p, l, h, &out_low[i], &out_high[i]);
        if (single) widen(f, l, h, &out_low[i], &out_high[i]);
    }
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/*
 * x > 0 ? x : left x with left <= 1, which is convex: above the chord, whose shift covers both ends with what rounding can take; below a line through 0. Plain loops, for they are what
 * most networks need.
 */
static void bent_lines(double left, int64_t n, const double *low, const double *high, const double *slope, double *lower_slope, double *lower_shift, double *upper_slope, double *upper_shift)
{
    for (int64_t i = 0; i < n && !slope; i++) lower_slope[i] = high[i] > -low[i] ? 1 : left;
    if (slope && slope != lower_slope) memcpy(lower_slope, slope, (size_t)n * sizeof *slope);
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        double l = low[i], h = high[i], up = (h - left * l) / (h - l), at_low = (left - up) * l, at_high = (1 - up) * h, free = lower_slope[i];
        double size = fabs(left * l) + fabs(up * l) + h + fabs(up * h), shift = (at_low > at_high ? at_low : at_high) + (size * 0x1p-50 + ROUND_TINY);
        free = free < left ? left : free;
        free = free > 1 ? 1 : free;
        free = h <= 0 ? left : free; /* one line on the side where the interval is */
        up = h <= 0 ? left : up;
        shift = h <= 0 ? 0 : shift;
        lower_slope[i] = l >= 0 ? 1 : free;
        upper_slope[i] = l >= 0 ? 1 : up;
        lower_shift[i] = 0;
        upper_shift[i] = l >= 0 ? 0 : shift;
    }
}

/* Widths beyond f64, and numbers so small that quotients lose their digits. */
static bool extreme(double low, double high) { return low < 0 && high > 0 && !(high - low > 0x1p-900 && high - low < 0x1p1000); }

void relax_lines(bound_function f, const double p[2], int64_t n, const double *low, const double *high, const double *slope, bool single, double *lower_slope,
                 double *lower_shift, double *upper_slope, double *upper_shift)
{
    bool bent = f == BOUND_RELU || f == BOUND_ABS || (f == BOUND_LEAKY && p[0] <= 1 && p[0] > -1e3 && !single);
    if (bent) bent_lines(f == BOUND_RELU ? 0 : f == BOUND_ABS ? -1 : p[0], n, low, high, slope, lower_slope, lower_shift, upper_slope, upper_shift);
    int64_t apart = bent ? 0 : n;
#pragma omp simd reduction(+ : apart)
    for (int64_t i = 0; i < n; i++) apart += extreme(low[i], high[i]);
    for (int64_t i = 0; i < n && apart; i++)
        if (!bent || extreme(low[i], high[i]))
            relax_pair(f, p, low[i], high[i], slope ? &slope[i] : NULL, single, &lower_slope[i], &lower_shift[i], &upper_slope[i], &upper_shift[i]);
}

bool relax_linear(bound_function f, const double p[2], double low, double high)
{
    if (low == high) return true;
    switch (f) {
    case BOUND_RELU:
    case BOUND_ABS: return low >= 0 || high <= 0;
    case BOUND_LEAKY: return low >= 0 || high <= 0 || p[0] == 1;
    case BOUND_CLIP: return high <= p[0] || low >= p[1] || (low >= p[0] && high <= p[1]);
    case BOUND_ELU: return low >= 0;
    default: return false;
    }
}
