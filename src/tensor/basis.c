/* Orthonormal functions of one variable; see basis.h. */
#include "tensor/basis.h"

#include "nigh/special.h"

#include <math.h>

static void legendre(int n, double z, double *out)
{
    double before = 1, here = z; /* P_(k-1), P_k */
    for (int k = 1; k < n; k++) {
        out[k] = sqrt(2.0 * k + 1) * here;
        double next = ((2.0 * k + 1) * z * here - k * before) / (k + 1);
        before = here, here = next;
    }
}

static void hermite(int n, double z, double *out)
{
    for (int k = 1; k < n; k++) out[k] = (z * out[k - 1] - (k > 1 ? sqrt(k - 1) * out[k - 2] : 0)) / sqrt(k);
}

/* Sums of angles, so that a long list takes one sine and one cosine. */
static void fourier(int n, double z, double *out)
{
    double c = cos(M_PI * z), s = sin(M_PI * z), a = c, b = s;
    for (int k = 1; k < n; k += 2) {
        out[k] = M_SQRT2 * a;
        if (k + 1 < n) out[k + 1] = M_SQRT2 * b;
        double next = a * c - b * s;
        b = a * s + b * c, a = next;
    }
}

void basis_values(basis_family family, int n, double z, double *out)
{
    if (n > 0) out[0] = 1;
    if (family == BASIS_LEGENDRE) legendre(n, z, out);
    if (family == BASIS_HERMITE) hermite(n, z, out);
    if (family == BASIS_FOURIER) fourier(n, z, out);
}

static double legendre_squared(int k, double z)
{
    double before = 0, here = 1;
    for (int j = 0; j < k; j++) {
        double next = ((2.0 * j + 1) * z * here - j * before) / (j + 1);
        before = here, here = next;
    }
    return (2.0 * k + 1) * here * here;
}

double basis_hermite_below(int k, double z)
{
    double before = 1, here = z, sum = 0, density = exp(-0.5 * z * z) / sqrt(2 * M_PI);
    if (density == 0) return z > 0; /* beyond +-38, far outside the turning points of k <= 255 */
    for (int j = 1; j <= k; j++) {
        sum += here * before / sqrt(j);
        double next = (z * here - sqrt(j) * before) / sqrt(j + 1.0);
        before = here, here = next;
    }
    return nigh_normal_cdf(z) - density * sum;
}

/* Bisection down to neighbouring numbers: the sum is monotone only up to rounding, which may not lead it astray. */
static double hermite_draw(int k, nigh_rng *rng)
{
    double u = nigh_rng_f64(rng), low = -39, high = 39;
    for (int i = 0; i < 64 && low < high; i++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        if (basis_hermite_below(k, middle) < u)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

double basis_draw(basis_family family, int k, nigh_rng *rng)
{
    if (k == 0) return family == BASIS_HERMITE ? nigh_rng_normal(rng) : 2 * nigh_rng_f64(rng) - 1;
    if (family == BASIS_HERMITE) return hermite_draw(k, rng);
    for (;;) {
        double z, share;
        if (family == BASIS_LEGENDRE) {
            z = cos(M_PI * nigh_rng_f64(rng));
            share = M_PI / 4 * legendre_squared(k, z) * sqrt((1 - z) * (1 + z));
        } else {
            double part, angle;
            z = 2 * nigh_rng_f64(rng) - 1;
            angle = M_PI * z * ((k + 1) / 2);
            part = k % 2 ? cos(angle) : sin(angle);
            share = part * part;
        }
        if (nigh_rng_f64(rng) < share) return z;
    }
}
