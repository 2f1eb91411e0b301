/*
 * Orthonormal functions of one variable, each family for its probability measure:
 *   BASIS_LEGENDRE  uniform on [-1, 1]: sqrt(2k + 1) P_k
 *   BASIS_HERMITE   standard normal: He_k / sqrt(k!)
 *   BASIS_FOURIER   uniform on [-1, 1] with period 2: 1, sqrt 2 cos(pi z), sqrt 2 sin(pi z), sqrt 2 cos(2 pi z) ...
 * Function 0 is 1 in all of them. Szego, "Orthogonal Polynomials".
 */
#ifndef NIGH_TENSOR_BASIS_H
#define NIGH_TENSOR_BASIS_H
#include "nigh/random.h"

/* In the order of nigh_basis_family. */
typedef enum basis_family { BASIS_LEGENDRE, BASIS_HERMITE, BASIS_FOURIER, BASIS_FAMILIES } basis_family;

/* out[k] = function k at z, k < n. */
void basis_values(basis_family family, int n, double z, double *out);

/* The degree of function k: k itself, for Fourier its frequency. */
static inline int basis_degree(basis_family family, int k) { return family == BASIS_FOURIER ? (k + 1) / 2 : k; }

/* How many functions there are up to this degree. */
static inline int basis_count(basis_family family, int degree) { return family == BASIS_FOURIER ? 2 * degree + 1 : degree + 1; }

/*
 * A number z whose density is the square of function k against the family's measure. Exact: Legendre by rejection from the
 * arcsine law (sqrt(1 - z^2) P_k(z)^2 < 4 / (pi (2k + 1)), Bernstein's inequality: at least every second one is taken), Fourier from
 * the uniform one, Hermite by inverting its distribution function, which is a finite sum. k <= 255 for Hermite.
 */
double basis_draw(basis_family family, int k, nigh_rng *rng);

/* Distribution function of the square of Hermite function k: Phi(z) - phi(z) sum over j = 1 .. k of h_j h_(j-1) / sqrt j. */
double basis_hermite_below(int k, double z);
#endif
