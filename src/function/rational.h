/*
 * Best weighted rational approximation P_m / Q_n on an interval, without poles in it.
 *
 * A start by linearised least squares with the denominator of the step before as weight (C. K. Sanathanan and J. Koerner,
 * "Transfer function synthesis as a ratio of two complex polynomials"), pulled towards the largest errors by Lawson's
 * weights (Y. Nakatsukasa and L. N. Trefethen, "An algorithm for real and complex rational minimax
 * approximation"); then exchanges of the rational Remez algorithm, each levelled by Newton's method.
 */
#ifndef NIGH_FUNCTION_RATIONAL_H
#define NIGH_FUNCTION_RATIONAL_H
#include "function/remez.h"

#define RATIONAL_MAX_DEGREE 16

/*
 * Chebyshev coefficients p[0 .. m], q[0 .. n] (q[0] = 1 before the exchange) and *error, the largest weighted error
 * on the grid. m, n in 0 .. 16. Where no exchange succeeds the least-squares start stands: near best, and its error is what
 * *error says. NIGH_FAILED when even that has a pole.
 * `rough`: only a few steps of least squares, for an estimate.
 */
nigh_status rational_minimax(nigh_context *ctx, const remez_grid *grid, int m, int n, bool rough, nigh_f128 *p, nigh_f128 *q,
                             nigh_f128 *error);

#endif
