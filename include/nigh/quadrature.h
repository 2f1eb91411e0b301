/*
 * nigh/quadrature.h: nodes, weights, adaptive integrals of one variable, and orthonormal bases.
 *
 * Nodes rise. Nothing here reads the clock or draws numbers: the same call gives the same bits.
 */
#ifndef NIGH_QUADRATURE_H
#define NIGH_QUADRATURE_H
#include "nigh/design.h"
#include "nigh/roots.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NIGH_GAUSS_MOST 256

/*
 * The families of nigh/design.h, functions of one variable orthonormal for a probability measure; function 0 is 1 in all of them (Szego,
 * "Orthogonal Polynomials"): NIGH_LEGENDRE, uniform on [-1, 1]: sqrt(2k + 1) P_k; NIGH_HERMITE, standard normal: He_k / sqrt(k!);
 * NIGH_FOURIER, uniform on [-1, 1] with period 2: 1, sqrt 2 cos(pi z), sqrt 2 sin(pi z), sqrt 2 cos(2 pi z) ..
 */

/* out[count, n] = functions 0 .. n - 1 at z[count]. NIGH_INVALID when n < 1, count < 0 or the family is none. O(count n). */
NIGH_API nigh_status nigh_family_values(nigh_context *ctx, nigh_basis_family family, int64_t count, const double *z, int n, double *out);

/* ---- rules -------------------------------------------------------------------------------------------------------------------------------- */

/*
 * node[n], weight[n] of the Gauss rule of the family's probability measure (weights sum to 1; for sums over [-1, 1] itself take them twice),
 * 1 <= n <= 256, exact for polynomials of degree 2n - 1 (Fourier: n equal steps, exact below frequency n). Golub and Welsch,
 * "Calculation of Gauss quadrature rules", polished by Newton: nodes within 2e-15 of the largest. Weights below 1e-308 are 0. O(n^3).
 */
NIGH_API nigh_status nigh_gauss(nigh_context *ctx, nigh_basis_family family, int n, double *node, double *weight);

/* The Gauss-Legendre rule of [low, high], finite: weights sum to high - low. */
NIGH_API nigh_status nigh_gauss_interval(nigh_context *ctx, int n, double low, double high, double *node, double *weight);

/* n Chebyshev nodes of [low, high]: of the first kind (zeros of T_n), n >= 1, or of the second (extrema of T_(n-1), with both ends), n >= 2. */
NIGH_API nigh_status nigh_chebyshev_nodes(nigh_context *ctx, int n, bool second, double low, double high, double *node);

/* Weights of the trapezoid rule for n >= 2 rising nodes. */
NIGH_API nigh_status nigh_trapezoid_weights(nigh_context *ctx, int64_t n, const double *node, double *weight);

/* The product of two rules: node[m n, 2] and weight[m n], the second coordinate running fastest. */
NIGH_API nigh_status nigh_product_rule(nigh_context *ctx, int64_t m, const double *node_x, const double *weight_x, int64_t n, const double *node_y,
                                       const double *weight_y, double *node, double *weight);

/* ---- adaptive ------------------------------------------------------------------------------------------------------------------------------- */

typedef struct nigh_integral {
    double value, error; /* error: sum of the estimates of all parts, nearly always far too large; in log scale of exp(value) relative to it */
    int64_t calls;
} nigh_integral;

/*
 * Integral of f over [low, high], either end may be infinite (then x = t / (1 - t^2) or low + t / (1 - t)). The part with the largest error
 * is halved by Gauss-Kronrod (15 points; `fine`: 31) until the error is below absolute + relative |value| or there are 2000 parts, which is
 * NIGH_UNMET, with *out set all the same ("QUADPACK", Piessens, de Doncker-Kapenga, Uberhuber and Kahaner 1983). Ends are never evaluated.
 * low > high changes the sign. NIGH_INVALID for NaN ends or absolute and relative both below 1e-15 / 0; NIGH_FAILED when f is NaN or infinite.
 */
NIGH_API nigh_status nigh_integrate(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high, bool fine, double absolute, double relative,
                                    nigh_integral *out);

/*
 * log of the integral of exp(f), for f of any size (exp(f) may overflow or vanish everywhere); f may be -inf, where exp(f) is 0. low < high.
 * relative >= 1e-14 is the error of the integral. A peak much narrower than the first parts (1/30 of the interval, after the map) can be missed as
 * in every such rule: `peak` inside the interval (NAN: none) is found at any width, at a cost of 26 parts at the start. A value of -inf: exp(f) is 0 at all points.
 */
NIGH_API nigh_status nigh_integrate_log(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high, double peak, double relative,
                                        nigh_integral *out);

#ifdef __cplusplus
}
#endif
#endif
