/*
 * Best weighted approximation on an interval by polynomials and rationals, in quadruple precision.
 *
 * Polynomials: the second algorithm of Remez (E. W. Cheney, "Introduction to Approximation Theory", chapter 3) with
 * barycentric evaluation (R. Pachon and L. N. Trefethen, "Barycentric-Remez algorithms for best polynomial approximation
 * in the chebfun system"), many points exchanged at once, first on a grid, then between its points.
 */
#ifndef NIGH_FUNCTION_REMEZ_H
#define NIGH_FUNCTION_REMEZ_H
#include "nigh/expr.h"

#define REMEZ_MAX_DEGREE 40

/* What is approximated: value and weight (> 0) at v in [low, high]. */
typedef struct remez_problem {
    nigh_f128 low, high;
    void (*at)(const void *user, nigh_f128 v, nigh_f128 *value, nigh_f128 *weight);
    const void *user;
    bool smooth;   /* the weight is continuous */
    double slack;  /* how far above best, relatively, is good enough; 0: not at all */
} remez_problem;

/* Values on a grid that is dense near the ends, made once and used for many degrees. */
typedef struct remez_grid {
    const remez_problem *problem;
    int n;
    nigh_f128 *z, *value, *weight; /* z in [-1, 1] */
} remez_grid;

/* points >= 2. NIGH_FAILED when a value or weight is not finite (its place is in the message). Freed by remez_grid_free. */
nigh_status remez_grid_new(nigh_context *ctx, const remez_problem *problem, int points, remez_grid *grid);
void remez_grid_free(nigh_context *ctx, remez_grid *grid);

/* v of z in [-1, 1]. */
nigh_f128 remez_unscale(const remez_problem *problem, nigh_f128 z);

/*
 * Chebyshev coefficients c[0 .. degree] (in z) of the best approximation of degree 0 .. 40; *error: max weight |value - p|
 * over the grid and the last reference; *level (may be NULL): the levelled error of the last reference, a lower
 * bound of the best error. NIGH_FAILED: no alternation found in 60 exchanges.
 */
nigh_status remez_polynomial(nigh_context *ctx, const remez_grid *grid, int degree, nigh_f128 *c, nigh_f128 *error,
                             nigh_f128 *level);

/*
 * Interpolation in the degree + 1 Chebyshev points of the first kind: coefficients c, and the weighted error on the grid.
 */
nigh_status remez_interpolate(nigh_context *ctx, const remez_grid *grid, int degree, nigh_f128 *c, nigh_f128 *error);

/* sum c[k] T_k(z) by Clenshaw. */
nigh_f128 remez_chebyshev_value(const nigh_f128 *c, int degree, nigh_f128 z);

/* Coefficients a[k] of powers of u from Chebyshev coefficients c in z, where z = slope u + shift. */
void remez_to_powers(const nigh_f128 *c, int degree, nigh_f128 slope, nigh_f128 shift, nigh_f128 *a);

/* Alternating extrema of e[n]: picks `want` of them into index (increasing); false when there are fewer. */
bool remez_alternation(const nigh_f128 *e, int n, int want, int *index);

#endif
