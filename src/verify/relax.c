/* Enclosures and pairs of lines. Declared in verify/relax.h. */
#include "verify/relax.h"
#include "verify/round.h"

#include <math.h>

void relax_enclose(bound_function f, const double p[2], int64_t n, const double *low, const double *high, bool single, double *out_low, double *out_high)
{
    (void)f, (void)p, (void)single;
    for (int64_t i = 0; i < n; i++) {
        double l = low[i] > 0 ? low[i] : 0, h = high[i] > 0 ? high[i] : 0;
        out_low[i] = l;
        out_high[i] = h;
    }
}

/* The chord of an unstable relu, slope and shift rounded up: convex, it is below the line when it is at both ends. */
static void relu_lines(int64_t n, const double *low, const double *high, const double *slope, double *lower_slope, double *lower_shift, double *upper_slope, double *upper_shift)
{
    for (int64_t i = 0; i < n; i++) {
        double l = low[i], h = high[i], up = h / (h - l) * (1 + 0x1p-50), shift = round_up(-l * up), free = slope ? slope[i] : h > -l ? 1 : 0;
        bool on = l >= 0, off = h <= 0;
        free = free < 0 ? 0 : free > 1 ? 1 : free;
        lower_slope[i] = on ? 1 : off ? 0 : free;
        upper_slope[i] = on ? 1 : off ? 0 : up;
        lower_shift[i] = 0;
        upper_shift[i] = on || off ? 0 : shift;
    }
}

void relax_lines(bound_function f, const double p[2], int64_t n, const double *low, const double *high, const double *slope, bool single, double *lower_slope,
                 double *lower_shift, double *upper_slope, double *upper_shift)
{
    (void)f, (void)p, (void)single;
    relu_lines(n, low, high, slope, lower_slope, lower_shift, upper_slope, upper_shift);
}

bool relax_linear(bound_function f, const double p[2], double low, double high)
{
    (void)p;
    return low == high || (f == BOUND_RELU && (low >= 0 || high <= 0));
}
