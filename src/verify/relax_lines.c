/*
 * Lines below and above a function on an interval. Slopes are chosen by rules of thumb (those of the envelope at some place); what they are, shifts are proved: over a concave
 * piece f(z) - k z is least at an end, over a convex one it lies above each of its tangents.
 */
#include "verify/relax_inside.h"
#include "core/round.h"

#include <math.h>

enum { STEPS = 24, SAMPLES = 33 };

/* sign f: what is bounded from below. */
typedef struct shape {
    bound_function f;
    const double *p;
    double sign;
} shape;

static double value(const shape *s, double x)
{
    double error;
    return s->sign * relax_value(s->f, s->p, x, &error);
}

static double slope_at(const shape *s, double x)
{
    double error;
    return s->sign * relax_slope(s->f, s->p, x, &error);
}

/* ---- shifts -------------------------------------------------------------------------------------------- */

/* At most s(x) - k x. */
static double below(const shape *s, double k, double x)
{
    double error, v = s->sign * relax_value(s->f, s->p, x, &error), t = k * x;
    return (v - t) - error * (1 + 0x1p-40) - (fabs(v) + fabs(t)) * 0x1p-50 - ROUND_TINY;
}

/* A place between a and b where q, of other signs at both, is about 0: the secant that halves the end which stays ("Illinois", Dowell and Jarratt 1971). */
typedef double place_fn(const shape *s, double k, double x);

static double root(place_fn *q, const shape *s, double k, double a, double b)
{
    double qa = q(s, k, a), qb = q(s, k, b), close = fabs(b - a) * 1e-9, x = 0.5 * a + 0.5 * b;
    for (int i = 0; i < STEPS && fabs(b - a) > close && qb != 0; i++) {
        double t = (a * qb - b * qa) / (qb - qa), qt;
        x = t > fmin(a, b) && t < fmax(a, b) ? t : 0.5 * a + 0.5 * b;
        qt = q(s, k, x);
        if ((qt < 0) == (qb < 0)) qa *= 0.5;
        else a = b, qa = qb;
        if (fabs(x - b) <= close) return x;
        b = x, qb = qt;
    }
    return x;
}

static double steeper(const shape *s, double k, double x) { return slope_at(s, x) - k; }

/* Where s - k z is about least over a convex piece; `hint` when its slope is k. */
static double bottom(const shape *s, double k, double from, double to, double hint)
{
    if (hint >= from && hint <= to && fabs(slope_at(s, hint) - k) <= 1e-12 * fabs(k)) return hint;
    if (slope_at(s, from) >= k) return from;
    if (slope_at(s, to) <= k) return to;
    return root(steeper, s, k, from, to);
}

/* At most s(z) - k z over a convex piece: its tangent at t, whose slope is known within an error. */
static double least_convex(const shape *s, double k, double from, double to, double hint)
{
    double t = bottom(s, k, from, to, hint), error, d = s->sign * relax_slope(s->f, s->p, t, &error) - k;
    double more = error + (fabs(d) + fabs(k)) * 0x1p-50, loss = 0;
    if (from < t && d + more > 0) loss = (d + more) * (t - from);
    if (to > t && d - more < 0) loss = fmax(loss, (more - d) * (to - t));
    return below(s, k, t) - loss * (1 + 0x1p-40) - ROUND_TINY;
}

/* At most s(z) - k z over all pieces. */
static double least(const shape *s, double k, const relax_pieces *pieces, double hint)
{
    double m = INFINITY;
    for (int i = 0; i < pieces->n; i++) {
        double from = pieces->from[i], to = pieces->to[i];
        if (pieces->bend[i] * s->sign > 0 && from < to) m = fmin(m, least_convex(s, k, from, to, hint));
        else m = fmin(m, fmin(below(s, k, from), below(s, k, to)));
    }
    return m - pieces->between * (1 + 0x1p-40) - ROUND_TINY;
}

/* ---- slopes -------------------------------------------------------------------------------------------- */

static double chord(const shape *s, double a, double b)
{
    double k = (value(s, b) - value(s, a)) / (b - a);
    return isfinite(k) ? k : slope_at(s, a);
}

/* How far above its tangent at t the function is at the end `far`. */
static double over(const shape *s, double far, double t) { return value(s, far) - value(s, t) - slope_at(s, t) * (far - t); }

/* The place t of the convex piece [from, to] whose tangent passes through the end `far`, beyond it; the far end of the piece when there is none. */
static double touch(const shape *s, double from, double to, double far)
{
    double near = far > to ? to : from, away = far > to ? from : to;
    if (over(s, far, away) <= 0) return away;
    if (over(s, far, near) >= 0) return near;
    return root(over, s, far, near, away);
}

/* One bend up and one down: the convex piece's envelope goes over to a line to the other end. *hint: where the line touches. */
static double slope_of_two(const shape *s, const relax_pieces *pieces, double place, double *hint)
{
    int convex = pieces->bend[0] * s->sign > 0 ? 0 : 1;
    double from = pieces->from[convex], to = pieces->to[convex], far = convex ? pieces->from[0] : pieces->to[1];
    double t = touch(s, from, to, far), z = far > to ? fmin(place, t) : fmax(place, t), k = z != t || (t != from && t != to) ? slope_at(s, z) : chord(s, t, far);
    *hint = z;
    return k;
}

/* The envelope of samples, kinks among them. */
static double slope_of_samples(const shape *s, const relax_pieces *pieces, double low, double high, double place)
{
    double x[SAMPLES + 2 * RELAX_PIECES], y[SAMPLES + 2 * RELAX_PIECES];
    int n = 0, hull = 0;
    int each = pieces->n ? SAMPLES / pieces->n : SAMPLES;
    for (int i = 0; i < pieces->n; i++)
        for (int j = 0; j <= each; j++) {
            double at = j == each ? pieces->to[i] : pieces->from[i] + (pieces->to[i] - pieces->from[i]) * j / each;
            if ((n && at <= x[n - 1]) || (pieces->bend[i] == 0 && j && j < each)) continue;
            x[n++] = at;
        }
    for (int i = 0; i < n; i++) y[i] = value(s, x[i]);
    for (int i = 0; i < n; i++) { /* those below the line of their neighbours go to the front */
        while (hull > 1 && (y[hull - 1] - y[hull - 2]) * (x[i] - x[hull - 2]) >= (y[i] - y[hull - 2]) * (x[hull - 1] - x[hull - 2])) hull--;
        x[hull] = x[i], y[hull++] = y[i];
    }
    int i = 0;
    while (i + 2 < hull && x[i + 1] < place) i++;
    return hull > 1 ? (y[i + 1] - y[i]) / (x[i + 1] - x[i]) : (value(s, high) - value(s, low)) / (high - low);
}

/* The slope of the lower envelope of s at a place; *hint: where a convex piece may have that slope. */
static double envelope(const shape *s, const relax_pieces *pieces, double low, double high, double place, double *hint)
{
    int up = 0, down = 0;
    for (int i = 0; i < pieces->n; i++) {
        up += pieces->bend[i] * s->sign > 0 && pieces->from[i] < pieces->to[i];
        down += pieces->from[i] < pieces->to[i] && pieces->bend[i] * s->sign <= 0;
    }
    *hint = place;
    if (up == 1 && !down) return slope_at(s, place);
    if (pieces->n == 1) return chord(s, low, high);
    if (up == 1 && down == 1 && pieces->n == 2) return slope_of_two(s, pieces, place, hint);
    return slope_of_samples(s, pieces, low, high, place);
}

/* ---- pairs --------------------------------------------------------------------------------------------- */

/* Kinked functions: the steepest and the flattest slope of a line from the kink that lies on the free side; `free` is between, or decides by area when it is not given. */
static double slope_of_kink(double left, double right, double kink, double low, double high, const double *free, bool places)
{
    double least_slope = fmin(left, right), most_slope = fmax(left, right);
    if (!free) return kink - low < high - kink ? right : left;
    if (places) return least_slope + fmin(fmax(*free, 0), 1) * (most_slope - least_slope);
    return fmin(fmax(*free, least_slope), most_slope);
}

static double kinked_slope(const shape *s, double low, double high, const double *free)
{
    bool lower = s->sign > 0;
    double p = s->p[0];
    if (s->f == BOUND_ABS && lower) return slope_of_kink(-1, 1, 0, low, high, free, false);
    if (s->f == BOUND_RELU && lower) return slope_of_kink(0, 1, 0, low, high, free, false);
    if (s->f == BOUND_LEAKY && lower == (p <= 1)) return s->sign * slope_of_kink(p, 1, 0, low, high, free, false);
    if (s->f == BOUND_CLIP && lower && low < p && high > p) return slope_of_kink(0, chord(s, p, high), p, low, high, free, true);
    if (s->f == BOUND_CLIP && !lower && low < s->p[1] && high > s->p[1]) return slope_of_kink(chord(s, low, s->p[1]), 0, s->p[1], low, high, free, true);
    return chord(s, low, high);
}

static bool kinked(bound_function f) { return f == BOUND_RELU || f == BOUND_LEAKY || f == BOUND_ABS || f == BOUND_CLIP; }

/* The line below sign f: its slope and shift. */
static void line_below(const shape *s, const relax_pieces *pieces, double low, double high, const double *free, double *slope, double *shift)
{
    double place = free && !kinked(s->f) ? low + fmin(fmax(*free, 0), 1) * (high - low) : 0.5 * low + 0.5 * high;
    double hint = low, k = kinked(s->f) ? (pieces->n == 1 ? slope_at(s, high) : kinked_slope(s, low, high, free)) : envelope(s, pieces, low, high, fmin(fmax(place, low), high), &hint);
    *slope = k;
    *shift = isfinite(k) ? least(s, k, pieces, hint) : -INFINITY;
}

static void constants(double low, double high, double *lower_slope, double *lower_shift, double *upper_slope, double *upper_shift)
{
    *lower_slope = *upper_slope = 0;
    *lower_shift = low;
    *upper_shift = high;
}

void relax_pair(bound_function f, const double p[2], double low, double high, const double *free, bool single, double *lower_slope, double *lower_shift, double *upper_slope,
                double *upper_shift)
{
    relax_pieces pieces;
    double least_value, most_value, off = 0;
    relax_enclose(f, p, 1, &low, &high, single, &least_value, &most_value);
    constants(least_value, most_value, lower_slope, lower_shift, upper_slope, upper_shift);
    if (!(low < high) || !isfinite(low) || !isfinite(high) || !isfinite(least_value) || !isfinite(most_value) || !isfinite(high - low)) return;
    if (!relax_split(f, p, low, high, &pieces)) return;
    if (single) off = relax_single(f, fmax(fabs(low), fabs(high)), fmax(fabs(least_value), fabs(most_value)));
    double slope, shift, middle = 0.5 * low + 0.5 * high;
    line_below(&(shape){f, p, 1}, &pieces, low, high, free, &slope, &shift);
    shift = round_down(shift - off);
    if (isfinite(shift) && (free || slope * middle + shift >= least_value)) *lower_slope = slope, *lower_shift = shift;
    line_below(&(shape){f, p, -1}, &pieces, low, high, free, &slope, &shift);
    shift = round_up(off - shift);
    if (isfinite(shift) && (free || shift - slope * middle <= most_value)) *upper_slope = -slope, *upper_shift = shift;
}
