/*
 * What bounds know of activations: enclosures, and pairs of lines between which a function lies. All results are proved for the real function: constants are
 * moved outward by what computing them can be off.
 */
#ifndef NIGH_VERIFY_RELAX_H
#define NIGH_VERIFY_RELAX_H
#include "verify/graph.h"

/*
 * f([low, high]) is within [out_low, out_high], for n elements each. May be in place. `single`: also what an evaluation of f in f32 gives that is within 8 ulp of 1 + |f| (exp: of |f|; gelu, silu:
 * of |x| + |f|), numbers below the normal ones made zero or not; relu, clip, abs: exact; leaky, square: one rounding, of the constant too.
 */
void relax_enclose(bound_function f, const double p[2], int64_t n, const double *low, const double *high, bool single, double *out_low, double *out_high);

/*
 * Lines below and above: lower_slope z + lower_shift <= f(z) <= upper_slope z + upper_shift for z in [low, high] (real arithmetic on the stored numbers).
 * `slope` (NULL: chosen here) is the free parameter of [n] elements:
 *   relu, leaky, abs (unstable): the slope of the lower line through 0 (relu: in [0, 1], leaky: [p0, 1], abs: [-1, 1], cut to that; without a parameter the end with the smaller area;
 *     leaky with p0 > 1: of the upper line),
 *   clip: in [0, 1], from the flattest to the steepest line through the kink, below through (p0, p0), above through (p1, p1),
 *   others: a place in [0, 1] of the interval: both lines have the slopes that the convex and concave envelopes have there (without a parameter the middle: the smaller area).
 * Elements with low == high get a constant pair. An infinite or empty interval gives the enclosure as constants.
 */
void relax_lines(bound_function f, const double p[2], int64_t n, const double *low, const double *high, const double *slope, bool single, double *lower_slope,
                 double *lower_shift, double *upper_slope, double *upper_shift);

/* Whether f is one line on [low, high] (then the two lines agree): stable relus and the like. */
bool relax_linear(bound_function f, const double p[2], double low, double high);
#endif
