/*
 * Derivatives of activations: over an interval (Clarke's, so that both one-sided ones count at a kink), and at a point.
 *
 * Enclosures are proved up to the accuracy of the C library's exp, tanh, erf, cosh, sin and cos, which are taken to be right to 8 units in the last place.
 */
#ifndef NIGH_VERIFY_DERIVATIVE_H
#define NIGH_VERIFY_DERIVATIVE_H
#include "verify/graph.h"

/* f'([low, high]) is within [out_low, out_high], n elements. An end that touches a kink counts as both sides. low > high (nothing is there) gives 0, 0. */
void derivative_enclose(bound_function f, const double p[2], int64_t n, const double *low, const double *high, double *out_low, double *out_high);

/* One (one-sided where there are two) derivative at x, and the function's value, in plain f64. */
double derivative_at(bound_function f, const double p[2], double x);
double derivative_value(bound_function f, const double p[2], double x);

/* At least sup |f'| over all numbers; infinite where there is none. */
double derivative_most(bound_function f, const double p[2]);
#endif
