/* Gauss rules from the eigenvalues of the Jacobi matrix, polished by Newton; see quadrature.h. */
#include "tensor/quadrature.h"

#include "tensor/linalg.h"

#include <math.h>

/* z p_k = a_(k+1) p_(k+1) + a_k p_(k-1) of the orthonormal polynomials. */
static double recurrence(basis_family family, int k) { return family == BASIS_HERMITE ? sqrt(k) : k / sqrt(4.0 * k * k - 1); }

/* One step of Newton on p_n, and the weight 1 / sum over k < n of p_k^2. work[n + 1]. */
static void polish(basis_family family, int n, double *node, double *weight, double *work)
{
    for (int round = 0; round < 3; round++) {
        double z = *node, sum = 0;
        basis_values(family, n + 1, z, work);
        for (int k = 0; k < n; k++) sum += work[k] * work[k];
        *weight = 1 / sum;
        if (round == 2) break; /* Christoffel and Darboux: sum = a_n p_n' p_(n-1) where p_n = 0 */
        *node = z - work[n] * recurrence(family, n) * work[n - 1] / sum;
    }
}

nigh_status quadrature_gauss(nigh_context *ctx, basis_family family, int n, double *node, double *weight)
{
    if (n < 1 || n > QUADRATURE_MOST) return nigh_fail(ctx, NIGH_INVALID, "a Gauss rule of %d nodes; 1 to %d are allowed", n, QUADRATURE_MOST);
    if (family == BASIS_FOURIER) {
        for (int i = 0; i < n; i++) node[i] = (2.0 * i + 1) / n - 1, weight[i] = 1.0 / n;
        return NIGH_OK;
    }
    double *matrix = nigh_alloc_zero(ctx, (size_t)n * (size_t)n, sizeof *matrix), *work = nigh_alloc(ctx, ((size_t)n + 1) * sizeof *work);
    nigh_status status = matrix && work ? NIGH_OK : NIGH_MEMORY;
    for (int k = 1; k < n && !status; k++) matrix[(k - 1) * n + k] = matrix[k * n + k - 1] = recurrence(family, k);
    if (!status) status = linalg_eigen(ctx, n, matrix, node);
    for (int i = 0; i < n && !status; i++) polish(family, n, &node[i], &weight[i], work);
    /* Both measures are even. */
    for (int i = 0; i < n / 2 && !status; i++) {
        node[i] = 0.5 * (node[i] - node[n - 1 - i]), node[n - 1 - i] = -node[i];
        weight[i] = weight[n - 1 - i] = 0.5 * (weight[i] + weight[n - 1 - i]);
    }
    if (!status && n % 2) node[n / 2] = 0;
    nigh_free(ctx, work);
    nigh_free(ctx, matrix);
    return status;
}
