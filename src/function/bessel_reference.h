/* Logarithms of modified Bessel functions in quadruple precision: what nigh's own are measured against in tests, claims and measurements. */
#ifndef NIGH_FUNCTION_BESSEL_REFERENCE_H
#define NIGH_FUNCTION_BESSEL_REFERENCE_H
#include "nigh/expr.h"

/*
 * log I_v(x) by its power series and log K_v(x) by the trapezoid rule on int_0^inf exp(-x cosh t) cosh(v t) dt, v >= 0, x > 0 from about 1e-150 to
 * 1e6. Error below 1e-27 (1 + v + x) absolute. Cost: some sqrt(x) * 3 us for I, 0.1 ms for K.
 */
nigh_f128 bessel_reference_log_i(nigh_f128 v, nigh_f128 x);
nigh_f128 bessel_reference_log_k(nigh_f128 v, nigh_f128 x);
#endif
