/* Axes of plots: what they cover, round ends, ticks and their texts. See plot.h. */
#include "plan/figures.h"
#include "plan/plot.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

nigh_axis nigh_axis_new(const char *label, bool log, nigh_axis_unit unit)
{
    return (nigh_axis){.label = label, .log = log, .unit = unit, .low = INFINITY, .high = -INFINITY};
}

void nigh_axis_cover(nigh_axis *axis, int64_t n, const double *values)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i]) || (axis->log && values[i] <= 0)) continue;
        if (values[i] < axis->low) axis->low = values[i];
        if (values[i] > axis->high) axis->high = values[i];
    }
}

/* digit x 10^exponent with one rounding: what the decimal text means. */
static double decimal(double digit, int exponent)
{
    if (exponent < -300) return digit * pow(10, exponent + 100) * 1e-100;
    return exponent < 0 ? digit / pow(10, -exponent) : digit * pow(10, exponent);
}

/* Linear ticks are step x integer; the step is 1, 2 or 5 times a power of ten. */
typedef struct linear_step {
    int digit, exponent;
} linear_step;

static double step_times(linear_step step, double k) { return decimal(step.digit * k, step.exponent); }

static linear_step step_for(double range, int most)
{
    linear_step step = {1, (int)floor(log10(range / most))};
    while (range / step_times(step, 1) > most - 1) {
        if (step.digit == 5) step = (linear_step){1, step.exponent + 1};
        else step.digit = step.digit == 1 ? 2 : 5;
    }
    return step;
}

enum { ROUNDING_TICKS = 7, EXPONENT_LOW = -307, EXPONENT_HIGH = 307 };

static void round_linear(nigh_axis *axis)
{
    double size = fmax(fabs(axis->low), fabs(axis->high));
    if (size > 1e300) size = 1e300;
    axis->low = fmin(fmax(axis->low, -1e300), 1e300);
    axis->high = fmin(fmax(axis->high, -1e300), 1e300);
    if (!(axis->high - axis->low > 1e-9 * size)) { /* one value, or too close together for distinct ticks */
        double room = size > 1e-290 ? 0.5 * size : 0.5;
        axis->low -= room;
        axis->high += room;
    }
    linear_step step = step_for(axis->high - axis->low, ROUNDING_TICKS);
    axis->low = step_times(step, floor(axis->low / step_times(step, 1) + 1e-9));
    axis->high = step_times(step, ceil(axis->high / step_times(step, 1) - 1e-9));
}

static const int log_digits[] = {1, 2, 5};

/* The largest 1, 2, 5 x 10^k that is <= value (below), or the smallest >= value. */
static double log_neighbour(double value, bool below)
{
    int exponent = (int)floor(log10(value));
    double best = decimal(1, below ? exponent - 1 : exponent + 2);
    for (int e = exponent - 1; e <= exponent + 1; e++)
        for (int d = 0; d < 3; d++) {
            double tick = decimal(log_digits[d], e);
            if (below ? tick <= value * (1 + 1e-9) && tick > best : tick >= value * (1 - 1e-9) && tick < best) best = tick;
        }
    return best;
}

static void round_log(nigh_axis *axis)
{
    axis->low = fmin(fmax(axis->low, 1e-300), 1e300);
    axis->high = fmin(fmax(axis->high, axis->low), 1e300);
    if (axis->high / axis->low > 100) {
        axis->low = decimal(1, (int)floor(log10(axis->low) + 1e-9));
        axis->high = decimal(1, (int)ceil(log10(axis->high) - 1e-9));
        return;
    }
    axis->low = log_neighbour(axis->low, true);
    axis->high = log_neighbour(axis->high, false);
    if (axis->high / axis->low < 4) {
        axis->low = log_neighbour(axis->low / 1.5, true);
        axis->high = log_neighbour(axis->high * 1.5, false);
    }
}

void nigh_axis_round(nigh_axis *axis)
{
    if (!(axis->low <= axis->high)) {
        axis->low = axis->log ? 0.1 : 0;
        axis->high = 1;
    }
    if (axis->log) round_log(axis);
    else round_linear(axis);
}

static int linear_ticks(const nigh_axis *axis, int most, double *ticks)
{
    double range = axis->high - axis->low;
    if (!(range > 0)) return 0;
    linear_step step = step_for(range, most);
    double unit = step_times(step, 1);
    int count = 0;
    for (double k = ceil(axis->low / unit - 1e-9); count < most; k++) {
        double tick = step_times(step, k);
        if (tick > axis->high + 1e-9 * range) break;
        ticks[count++] = tick == 0 ? 0 : tick; /* no -0 */
    }
    return count;
}

static int log_ticks(const nigh_axis *axis, int most, double *ticks)
{
    int first = (int)ceil(log10(axis->low) - 1e-9), last = (int)floor(log10(axis->high) + 1e-9);
    int stride = 1;
    while ((last - first) / stride + 1 > most) stride++;
    int count = 0;
    if (stride == 1 && 3 * (last - first + 2) <= most + 3) {
        for (int e = first - 1; e <= last; e++)
            for (int d = 0; d < 3; d++) {
                double tick = decimal(log_digits[d], e);
                if (count < most && tick >= axis->low * (1 - 1e-9) && tick <= axis->high * (1 + 1e-9)) ticks[count++] = tick;
            }
        return count;
    }
    /* Strides keep multiples of themselves, so that 1 is among them where it can be. */
    for (int e = first; e <= last && count < most; e++)
        if (e % stride == 0) ticks[count++] = decimal(1, e);
    return count;
}

int nigh_axis_ticks(const nigh_axis *axis, int most, double *ticks)
{
    if (most < 2) most = 2;
    if (most > NIGH_TICKS_MAX) most = NIGH_TICKS_MAX;
    return axis->log ? log_ticks(axis, most, ticks) : linear_ticks(axis, most, ticks);
}

/* "10" with the exponent raised, "2·10" with a factor. */
static char *power_text(double value, char *out)
{
    static const char *const raised[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074", "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
    char digits[16];
    snprintf(digits, sizeof digits, "%.0e", value);
    char *e = strchr(digits, 'e');
    *e = 0;
    out[0] = 0;
    if (strcmp(digits, "1") != 0) strcat(strcpy(out, digits), "\u00b7");
    strcat(out, "10");
    const char *exponent = e + 1;
    if (*exponent == '-') strcat(out, "\u207b");
    exponent++;
    while (*exponent == '0' && exponent[1]) exponent++;
    for (; *exponent; exponent++) strcat(out, raised[*exponent - '0']);
    return out;
}

/* Powers on a whole axis or on none of it; 0.1, 1, 10 and 100 need none. */
static bool as_power(const nigh_axis *axis, double value)
{
    bool wide = axis->log && (axis->low < 0.9e-3 || axis->high > 1.1e4);
    return wide && value > 0 && (value < 0.09 || value > 900);
}

const char *nigh_axis_text(const nigh_axis *axis, double value, char *out)
{
    double size = fabs(value);
    if (axis->unit == NIGH_AXIS_PERCENT) return nigh_figure_percent(value, 4, out);
    if (axis->unit == NIGH_AXIS_SECONDS && value >= 900) return strcat(power_text(value, out), " s");
    if (axis->unit == NIGH_AXIS_SECONDS && value >= 0.9e-12) {
        if (value < 0.9e-9) nigh_figure_number(value * 1e12, 3, out), strcat(out, " ps");
        else nigh_figure_seconds(value, out);
        char *micro = strstr(out, " us");
        if (micro) strcpy(micro, " \u00b5s");
        return out;
    }
    if (as_power(axis, value)) return power_text(value, out);
    if (!axis->log && size >= 1e5 && size < 1e16) {
        snprintf(out, FIGURE_ROOM, "%.0f", value);
        return out;
    }
    return nigh_figure_number(value, 6, out);
}
