/* Gauss rules: nodes of orthonormal polynomials by Golub and Welsch, "Calculation of Gauss quadrature rules". */
#ifndef NIGH_TENSOR_QUADRATURE_H
#define NIGH_TENSOR_QUADRATURE_H
#include "tensor/basis.h"

enum { QUADRATURE_MOST = 256 };

/*
 * n <= 256 nodes, increasing, and weights that sum to 1, for the family's measure: exact for polynomials of degree 2n - 1; for
 * Fourier n equal steps, exact up to frequency n - 1. Cost O(n^3). NIGH_INVALID when n is out of range.
 */
nigh_status quadrature_gauss(nigh_context *ctx, basis_family family, int n, double *node, double *weight);
#endif
