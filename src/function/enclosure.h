/*
 * Enclosures of expressions in ball arithmetic (Arb): what proofs stand on.
 * F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic".
 *
 * The function meant by an expression is the one over the real numbers whose constants are these: constants that are
 * f64 numbers (2, 0.5) exactly, all others (0.1, pi) anywhere within 2^-112, relative, of their quadruple value. All
 * functions here are thread-safe; a thread that used them and ends calls flint_cleanup (FLINT keeps caches by thread).
 * Memory comes from FLINT's own allocator, which ends the program when there is none.
 */
#ifndef NIGH_FUNCTION_ENCLOSURE_H
#define NIGH_FUNCTION_ENCLOSURE_H
#if defined(NIGH_HAVE_ARB)
#include "nigh/expr.h"

#include <arb.h>
#include <arb_poly.h>

/* The number itself, without rounding; infinities and NaN as Arb's. */
void function_ball_set_f128(arb_t out, nigh_f128 x);

/*
 * out[k], k < length, encloses f^(k)(xi) / k! for every xi in the ball x, f an expression of one variable. Where f is not
 * analytic on all of x (a kink, a pole, an end of its domain) or nothing can be said, some coefficients are not finite
 * (out[0] still encloses f where f is defined on all of x). Wide balls give wide enclosures: callers subdivide.
 * Where f is a difference of nearly equal numbers, or sin of a large one, precision (bits) must be larger by the bits lost.
 * Cost: 2 to 10 us an operation at length 1, precision 128; 5 to 50 us at length 16.
 */
void function_enclose_series(arb_ptr out, const nigh_expr *expr, const arb_t x, slong length, slong precision);

/* The value alone: also where f is continuous without being analytic (abs, min, max); floor over a jump gives the hull. */
void function_enclose(arb_t out, const nigh_expr *expr, const arb_t x, slong precision);

/* f at the very number x, at precisions from 128 to 2048 bits until it is known to 2^-bits, relative (exactly 0 is known);
 * wider where that cannot be had: constants that are not f64 numbers, a value that is 0 without being seen to be. */
void function_enclose_at(arb_t out, const nigh_expr *expr, double x, slong bits);
#endif
#endif
