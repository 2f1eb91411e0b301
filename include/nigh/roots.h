/*
 * nigh/roots.h: zeros and minima of functions of one number, in double, long double and __float128.
 *
 * Common rules. `f` is called with `user`; a NaN from it ends the search with NIGH_FAILED (the argument is named). [low,
 * high] must be finite with low < high, and for the zeros f must have different signs at the two ends (a zero at an end
 * is a result), else NIGH_INVALID. The search stops when the bracket is narrower than tolerance + 2 eps |x|; tolerance
 * >= 0, and 0 gives full precision. *x is the result; inputs are never changed. No allocation.
 *
 * Names end in `l` for long double and in `q` for __float128 (where the compiler has it).
 */
#ifndef NIGH_ROOTS_H
#define NIGH_ROOTS_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef double nigh_real_fn(void *user, double x);
typedef long double nigh_real_fnl(void *user, long double x);
/* Value and derivative at once. */
typedef void nigh_slope_fn(void *user, double x, double *value, double *slope);
typedef void nigh_slope_fnl(void *user, long double x, long double *value, long double *slope);

/* Zero by halving: one bit a call, whatever f looks like. */
NIGH_API nigh_status nigh_root_bisect(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high,
                                      double tolerance, double *x);
NIGH_API nigh_status nigh_root_bisectl(nigh_context *ctx, nigh_real_fnl *f, void *user, long double low,
                                       long double high, long double tolerance, long double *x);

/* Zero by inverse quadratic interpolation and secants kept in a bracket ("Algorithms for minimization without
 * derivatives", Brent 1973, chapter 4): about 10 calls for a smooth f, never much more than bisection squared. */
NIGH_API nigh_status nigh_root_brent(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high,
                                     double tolerance, double *x);
NIGH_API nigh_status nigh_root_brentl(nigh_context *ctx, nigh_real_fnl *f, void *user, long double low,
                                      long double high, long double tolerance, long double *x);

/* Zero by Newton steps; one that leaves the bracket or does not halve the last but one is replaced by bisection. */
NIGH_API nigh_status nigh_root_newton(nigh_context *ctx, nigh_slope_fn *f, void *user, double low, double high,
                                      double tolerance, double *x);
NIGH_API nigh_status nigh_root_newtonl(nigh_context *ctx, nigh_slope_fnl *f, void *user, long double low,
                                       long double high, long double tolerance, long double *x);

/* Minimum of a unimodal f on [low, high] by golden section. A minimum is flat: below about sqrt(eps) |x| the tolerance
 * buys nothing, and the search stops there. */
NIGH_API nigh_status nigh_minimum_golden(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high,
                                         double tolerance, double *x);
NIGH_API nigh_status nigh_minimum_goldenl(nigh_context *ctx, nigh_real_fnl *f, void *user, long double low,
                                          long double high, long double tolerance, long double *x);

#ifdef __SIZEOF_FLOAT128__
typedef __float128 nigh_real_fnq(void *user, __float128 x);
typedef void nigh_slope_fnq(void *user, __float128 x, __float128 *value, __float128 *slope);
NIGH_API nigh_status nigh_root_bisectq(nigh_context *ctx, nigh_real_fnq *f, void *user, __float128 low,
                                       __float128 high, __float128 tolerance, __float128 *x);
NIGH_API nigh_status nigh_root_brentq(nigh_context *ctx, nigh_real_fnq *f, void *user, __float128 low, __float128 high,
                                      __float128 tolerance, __float128 *x);
NIGH_API nigh_status nigh_root_newtonq(nigh_context *ctx, nigh_slope_fnq *f, void *user, __float128 low,
                                       __float128 high, __float128 tolerance, __float128 *x);
NIGH_API nigh_status nigh_minimum_goldenq(nigh_context *ctx, nigh_real_fnq *f, void *user, __float128 low,
                                          __float128 high, __float128 tolerance, __float128 *x);
#endif

#ifdef __cplusplus
}
#endif
#endif
