/* Nodes and weights: Gauss rules from the eigenvalues of the Jacobi matrix, polished by Newton, and simpler ones; see nigh/quadrature.h. */
#include "nigh/quadrature.h"

#include "tensor/basis.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

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

static nigh_status check_family(nigh_context *ctx, nigh_basis_family basis)
{
    if ((unsigned)basis < BASIS_FAMILIES) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "basis %d; Legendre, Hermite and Fourier are allowed", (int)basis);
}

nigh_status nigh_gauss(nigh_context *ctx, nigh_basis_family basis, int n, double *node, double *weight)
{
    basis_family family = (basis_family)basis;
    nigh_status status = check_family(ctx, basis);
    if (status) return status;
    if (n < 1 || n > NIGH_GAUSS_MOST) return nigh_fail(ctx, NIGH_INVALID, "a Gauss rule of %d nodes; 1 to %d are allowed", n, NIGH_GAUSS_MOST);
    if (family == BASIS_FOURIER) {
        for (int i = 0; i < n; i++) node[i] = (2.0 * i + 1) / n - 1, weight[i] = 1.0 / n;
        return NIGH_OK;
    }
    double *matrix = nigh_alloc_zero(ctx, (size_t)n * (size_t)n, sizeof *matrix), *work = nigh_alloc(ctx, ((size_t)n + 1) * sizeof *work);
    double *found = nigh_alloc(ctx, (size_t)n * sizeof *found);
    status = matrix && work && found ? NIGH_OK : NIGH_MEMORY;
    for (int k = 1; k < n && !status; k++) matrix[(k - 1) * n + k] = matrix[k * n + k - 1] = recurrence(family, k);
    if (!status) status = linalg_eigen(ctx, n, matrix, found);
    if (!status) memcpy(node, found, (size_t)n * sizeof *node);
    for (int i = 0; i < n && !status; i++) polish(family, n, &node[i], &weight[i], work);
    /* Both measures are even. */
    for (int i = 0; i < n / 2 && !status; i++) {
        node[i] = 0.5 * (node[i] - node[n - 1 - i]), node[n - 1 - i] = -node[i];
        weight[i] = weight[n - 1 - i] = 0.5 * (weight[i] + weight[n - 1 - i]);
    }
    if (!status && n % 2) node[n / 2] = 0;
    nigh_free(ctx, found);
    nigh_free(ctx, work);
    nigh_free(ctx, matrix);
    return status;
}

static nigh_status check_interval(nigh_context *ctx, double low, double high)
{
    if (isfinite(low) && isfinite(high) && low < high) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "the interval is [%g, %g]; finite low < high is allowed", low, high);
}

nigh_status nigh_gauss_interval(nigh_context *ctx, int n, double low, double high, double *node, double *weight)
{
    nigh_status status = check_interval(ctx, low, high);
    if (!status) status = nigh_gauss(ctx, NIGH_LEGENDRE, n, node, weight);
    double middle = 0.5 * low + 0.5 * high, half = 0.5 * high - 0.5 * low;
    for (int i = 0; i < n && !status; i++) node[i] = middle + half * node[i], weight[i] *= 2 * half;
    return status;
}

nigh_status nigh_chebyshev_nodes(nigh_context *ctx, int n, bool second, double low, double high, double *node)
{
    nigh_status status = check_interval(ctx, low, high);
    if (!status && n < (second ? 2 : 1)) status = nigh_fail(ctx, NIGH_INVALID, "%d Chebyshev nodes; at least %d are allowed", n, second ? 2 : 1);
    if (status) return status;
    double middle = 0.5 * low + 0.5 * high, half = 0.5 * high - 0.5 * low;
    /* By a sine of an odd multiple, so that the nodes are even to the bit. */
    for (int i = 0; i < n; i++)
        node[i] = middle + half * (second ? sin(M_PI * (2 * i - (n - 1)) / (2.0 * (n - 1))) : sin(M_PI * (2 * i - (n - 1)) / (2.0 * n)));
    if (second) node[0] = low, node[n - 1] = high;
    return NIGH_OK;
}

nigh_status nigh_trapezoid_weights(nigh_context *ctx, int64_t n, const double *node, double *weight)
{
    if (n < 2) return nigh_fail(ctx, NIGH_INVALID, "%lld trapezoid nodes; at least 2 are allowed", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(node[i]) || (i && !(node[i] > node[i - 1])))
            return nigh_fail(ctx, NIGH_INVALID, "node %lld of %lld is %g; finite and rising nodes are allowed", (long long)i, (long long)n, node[i]);
    for (int64_t i = 0; i < n; i++) weight[i] = 0.5 * (node[i + 1 < n ? i + 1 : i] - node[i ? i - 1 : i]);
    return NIGH_OK;
}

nigh_status nigh_product_rule(nigh_context *ctx, int64_t m, const double *node_x, const double *weight_x, int64_t n, const double *node_y,
                              const double *weight_y, double *node, double *weight)
{
    if (m < 1 || n < 1 || m > INT64_MAX / 32 / n)
        return nigh_fail(ctx, NIGH_INVALID, "a product rule of %lld x %lld nodes; at least 1 x 1 is allowed", (long long)m, (long long)n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            node[2 * (i * n + j)] = node_x[i], node[2 * (i * n + j) + 1] = node_y[j];
            weight[i * n + j] = weight_x[i] * weight_y[j];
        }
    return NIGH_OK;
}

nigh_status nigh_family_values(nigh_context *ctx, nigh_basis_family family, int64_t count, const double *z, int n, double *out)
{
    nigh_status status = check_family(ctx, family);
    if (!status && (n < 1 || count < 0)) status = nigh_fail(ctx, NIGH_INVALID, "%d functions at %lld points; at least 1 function is allowed", n, (long long)count);
    for (int64_t i = 0; i < count && !status; i++) basis_values((basis_family)family, n, z[i], out + i * n);
    return status;
}
