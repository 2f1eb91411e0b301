/*
 * Pairs of fields for tests and measurements, computed here:
 *
 *   fields_data darcy COUNT SIZE FILE.npz [SEED]     permeability to pressure: -div(a grad u) = 1 on the unit square, u = 0 on its edge;
 *                                                     a is 12 or 3 where a Gaussian field of covariance (-Laplace + 9)^-2 is above or below 0
 *   fields_data burgers COUNT SIZE FILE.npz [SEED]   u(., 0) to u(., 1): u_t + u u_x = 0.01 u_xx on a circle of length 1, by the transform of Cole and Hopf
 *
 * Arrays `inputs` and `outputs`, [COUNT, SIZE, SIZE] or [COUNT, SIZE], f32.
 */
#include "nigh/core.h"
#include "nigh/io.h"
#include "nigh/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double normal(nigh_rng *rng) { return sqrt(-2 * log(1 - nigh_rng_f64(rng))) * cos(2 * M_PI * nigh_rng_f64(rng)); }

/* ---- Darcy flow --------------------------------------------------------------------------------------- */

/* Sums of cosines on cell centres, by two products with the table cosine[k, i]. */
static void gaussian_field(nigh_rng *rng, int n, const double *cosine, double *work, double *field)
{
    for (int k = 0; k < n; k++)
        for (int l = 0; l < n; l++) work[k * n + l] = (k + l ? 2 / (M_PI * M_PI * (k * k + l * l) + 9) : 0) * normal(rng);
    double *half = work + n * n;
    memset(half, 0, (size_t)(n * n) * sizeof *half), memset(field, 0, (size_t)(n * n) * sizeof *field);
    for (int k = 0; k < n; k++)
        for (int l = 0; l < n; l++)
            for (int j = 0; j < n; j++) half[k * n + j] += work[k * n + l] * cosine[l * n + j];
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) field[i * n + j] += cosine[k * n + i] * half[k * n + j];
}

static double between(double a, double b) { return 2 * a * b / (a + b); }

/* Finite volumes on n x n cells; the matrix by bands of its lower triangle, factored in place. */
static void darcy(int n, const double *a, double *band, double *u)
{
    int size = n * n, width = n + 1;
    memset(band, 0, (size_t)(size * width) * sizeof *band);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int p = i * n + j;
            double up = i ? between(a[p], a[p - n]) : 2 * a[p], left = j ? between(a[p], a[p - 1]) : 2 * a[p];
            double down = i + 1 < n ? between(a[p], a[p + n]) : 2 * a[p], right = j + 1 < n ? between(a[p], a[p + 1]) : 2 * a[p];
            band[p * width + n] = up + left + down + right;
            if (j) band[p * width + n - 1] = -left;
            if (i) band[p * width] = -up;
            u[p] = 1.0 / (n * n);
        }
    for (int p = 0; p < size; p++) { /* row p holds columns p - n .. p */
        double *row = band + p * width;
        for (int q = p - n > 0 ? p - n : 0; q <= p; q++) {
            const double *other = band + q * width;
            int from = p - n > q - n ? p - n : q - n;
            if (from < 0) from = 0;
            double sum = row[q - p + n];
            for (int k = from; k < q; k++) sum -= row[k - p + n] * other[k - q + n];
            row[q - p + n] = q < p ? sum / other[n] : sqrt(sum);
        }
        for (int k = p - n > 0 ? p - n : 0; k < p; k++) u[p] -= row[k - p + n] * u[k];
        u[p] /= row[n];
    }
    for (int p = size - 1; p >= 0; p--) {
        u[p] /= band[p * width + n];
        for (int k = p - n > 0 ? p - n : 0; k < p; k++) u[k] -= band[p * width + k - p + n] * u[p];
    }
}

static void darcy_pairs(nigh_rng *rng, int64_t count, int n, float *in, float *out)
{
    double *cosine = malloc((size_t)(n * n) * sizeof(double)), *work = malloc(2 * (size_t)(n * n) * sizeof(double)), *a = malloc((size_t)(n * n) * sizeof(double));
    double *band = malloc((size_t)(n * n) * (size_t)(n + 1) * sizeof(double)), *u = malloc((size_t)(n * n) * sizeof(double));
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++) cosine[k * n + i] = (k ? sqrt(2) : 1) * cos(M_PI * k * (i + 0.5) / n);
    for (int64_t s = 0; s < count; s++) {
        gaussian_field(rng, n, cosine, work, a);
        for (int p = 0; p < n * n; p++) in[s * n * n + p] = (float)(a[p] = a[p] > 0 ? 12 : 3);
        darcy(n, a, band, u);
        for (int p = 0; p < n * n; p++) out[s * n * n + p] = (float)u[p];
    }
    free(cosine), free(work), free(a), free(band), free(u);
}

/* ---- Burgers' equation -------------------------------------------------------------------------------- */

/* exp(-U / (2 nu)) obeys the heat equation, where U' = u; its Fourier modes decay each by its own. */
static void burgers_pairs(nigh_rng *rng, int64_t count, int n, float *in, float *out)
{
    enum { MODES = 12, FINE = 1024 };
    const double nu = 0.01;
    double *re = malloc((size_t)FINE * sizeof *re), *im = malloc((size_t)FINE * sizeof *im), phi[FINE];
    for (int64_t s = 0; s < count; s++) {
        double c[MODES + 1], d[MODES + 1];
        for (int k = 1; k <= MODES; k++) c[k] = 0.5 * normal(rng) / (1 + 0.2 * k * k), d[k] = 0.5 * normal(rng) / (1 + 0.2 * k * k);
        for (int i = 0; i < n; i++) {
            double u = 0;
            for (int k = 1; k <= MODES; k++) u += c[k] * cos(2 * M_PI * k * i / n) + d[k] * sin(2 * M_PI * k * i / n);
            in[s * n + i] = (float)u;
        }
        for (int i = 0; i < FINE; i++) {
            double sum = 0;
            for (int k = 1; k <= MODES; k++) sum += (c[k] * sin(2 * M_PI * k * i / FINE) - d[k] * cos(2 * M_PI * k * i / FINE)) / (2 * M_PI * k);
            phi[i] = exp(-sum / (2 * nu));
        }
        int most = FINE / 2;
        while (most > 1 && exp(-4 * M_PI * M_PI * nu * most * most) < 1e-18) most--;
        for (int k = 0; k <= most; k++) {
            re[k] = im[k] = 0;
            for (int i = 0; i < FINE; i++) re[k] += phi[i] * cos(2 * M_PI * (k * i % FINE) / FINE), im[k] -= phi[i] * sin(2 * M_PI * (k * i % FINE) / FINE);
        }
        for (int i = 0; i < n; i++) {
            double value = re[0], slope = 0;
            for (int k = 1; k <= most; k++) {
                double decay = 2 * exp(-4 * M_PI * M_PI * nu * k * k), x = 2 * M_PI * k * i / n;
                value += decay * (re[k] * cos(x) - im[k] * sin(x));
                slope -= decay * 2 * M_PI * k * (re[k] * sin(x) + im[k] * cos(x));
            }
            out[s * n + i] = (float)(-2 * nu * slope / value);
        }
    }
    free(re), free(im);
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    bool flow = argc > 1 && !strcmp(argv[1], "darcy");
    if (argc < 5 || (!flow && strcmp(argv[1], "burgers"))) return fprintf(stderr, "fields_data darcy|burgers COUNT SIZE FILE.npz [SEED]\n"), 2;
    int64_t count = atoll(argv[2]), n = atoll(argv[3]);
    if (count < 1 || n < 2 || n > 1024 || nigh_context_new(&ctx)) return fprintf(stderr, "fields_data: COUNT from 1, SIZE from 2 to 1024\n"), 2;
    nigh_rng rng = nigh_rng_new(argc > 5 ? (uint64_t)atoll(argv[5]) : 1, 1);
    nigh_shape shape = {NIGH_F32, flow ? 3 : 2, {count, n, n}};
    nigh_array in, out;
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_array_new(ctx, &shape, &in);
    if (!status) status = nigh_array_new(ctx, &shape, &out);
    if (!status) (flow ? darcy_pairs : burgers_pairs)(&rng, count, (int)n, in.data, out.data);
    if (!status) status = nigh_bundle_add(&bundle, "inputs", &in);
    if (!status) status = nigh_bundle_add(&bundle, "outputs", &out);
    if (!status) status = nigh_npz_write(ctx, argv[4], &bundle, 0);
    if (status) fprintf(stderr, "fields_data: %s\n", nigh_message(ctx));
    nigh_bundle_free(&bundle);
    nigh_array_free(ctx, &in);
    nigh_array_free(ctx, &out);
    nigh_context_free(ctx);
    return status ? 1 : 0;
}
