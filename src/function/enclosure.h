/*
 * Enclosures of expressions in ball arithmetic (Arb): what proofs stand on.
 * F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic".
 */
#ifndef NIGH_FUNCTION_ENCLOSURE_H
#define NIGH_FUNCTION_ENCLOSURE_H
#if defined(NIGH_HAVE_ARB)
#include "nigh/expr.h"

#include <arb.h>
#include <arb_poly.h>

/* The number itself, without rounding. */
void function_ball_set_f128(arb_t out, nigh_f128 x);

/*
 * out[k], k < length, encloses f^(k)(xi) / k! for every xi in the ball x, f an expression of one variable. Constants of
 * the expression are balls around their quadruple values (radius 2^-112 relative). Where f is not analytic on all of x
 * (a kink, a pole, an end of its domain) or nothing can be said, the coefficients are not finite.
 */
void function_enclose_series(arb_ptr out, const nigh_expr *expr, const arb_t x, slong length, slong precision);

/* The value alone; also where f is continuous without being analytic (abs, min, max). */
void function_enclose(arb_t out, const nigh_expr *expr, const arb_t x, slong precision);
#endif
#endif
