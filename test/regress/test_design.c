/* Bases, Gauss rules, the samplers and the weighted fit: identities, laws by enumeration, then bad input. */
#include "support.h"

#include "nigh/design.h"
#include "nigh/quadrature.h"
#include "nigh/special.h"
#include "nigh/stats.h"
#include "tensor/basis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- functions of one variable ---- */

/* Orthonormal under the family's own Gauss rule, and its moments are right. */
static void test_one_variable(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { MOST = 256 };
    double node[MOST], weight[MOST], values[64];
    for (int family = 0; family < BASIS_FAMILIES; family++)
        for (int n = 1; n <= MOST; n = n < 9 ? n + 1 : 2 * n) {
            assert_ok(ctx, nigh_gauss(ctx, (nigh_basis_family)family, n, node, weight));
            int k = n < 40 ? n : 40;
            if (family == BASIS_FOURIER) k -= (k % 2 == 0);
            double gram[40 * 40] = {0}, sum = 0, fourth = 0;
            for (int i = 0; i < n; i++) {
                basis_values((basis_family)family, k, node[i], values);
                for (int a = 0; a < k; a++)
                    for (int b = 0; b < k; b++) gram[a * k + b] += weight[i] * values[a] * values[b];
                sum += weight[i], fourth += weight[i] * node[i] * node[i] * node[i] * node[i];
                assert_true(weight[i] > 0 && (i == 0 || node[i] > node[i - 1]));
            }
            assert_near(sum, 1, 1e-13, 0);
            if (n >= 3 && family != BASIS_FOURIER) assert_near(fourth, family == BASIS_HERMITE ? 3 : 0.2, 1e-12, 0);
            for (int a = 0; a < k; a++)
                for (int b = 0; b < k; b++)
                    if (!(fabs(gram[a * k + b] - (a == b)) < 1e-11)) fail_msg("family %d, n %d: entry %d,%d is %g", family, n, a, b, gram[a * k + b]);
        }
    assert_fails(ctx, nigh_gauss(ctx, NIGH_LEGENDRE, 257, node, weight), NIGH_INVALID, "257 nodes; 1 to 256");
    test_context_free(ctx);
}

/* Numbers drawn from the square of a function fall into cells as its integral says. */
static void test_squares_are_drawn(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { CELLS = 20, DRAWS = 20000, FINE = 400 };
    const int ks[] = {0, 1, 2, 5, 9};
    for (int family = 0; family < BASIS_FAMILIES; family++)
        for (int i = 0; i < 5; i++) {
            int k = ks[i];
            double count[CELLS] = {0}, expected[CELLS] = {0}, values[16], low = family == BASIS_HERMITE ? -12 : -1, high = -low;
            nigh_rng rng = nigh_rng_new(31, (uint64_t)(10 * family + k));
            for (int r = 0; r < DRAWS; r++) {
                double z = basis_draw((basis_family)family, k, &rng);
                assert_true(z >= low && z <= high);
                count[(int)fmin(CELLS - 1, CELLS * (z - low) / (high - low))]++;
            }
            for (int c = 0; c < CELLS * FINE; c++) {
                double z = low + (high - low) * (c + 0.5) / (CELLS * FINE);
                basis_values((basis_family)family, k + 1, z, values);
                expected[c / FINE] += values[k] * values[k] * (family == BASIS_HERMITE ? nigh_normal_pdf(z) : 1);
            }
            int kept = 0;
            double all = 0;
            for (int c = 0; c < CELLS; c++) all += expected[c];
            for (int c = 0; c < CELLS; c++) /* cells that matter */
                if (expected[c] * DRAWS > 10 * all) count[kept] = count[c], expected[kept++] = expected[c];
            nigh_test test;
            assert_ok(ctx, nigh_chi_square_fit(ctx, kept, count, expected, 0, &test));
            if (!(test.p > 1e-4)) fail_msg("family %d, function %d: p = %g", family, k, test.p);
        }
    assert_near(basis_hermite_below(7, 0), 0.5, 1e-14, 0);
    assert_near(basis_hermite_below(7, 30), 1, 1e-14, 0);
    test_context_free(ctx);
}

/* ---- spaces ---- */

static nigh_basis *basis_of(nigh_context *ctx, nigh_basis_family family, nigh_index_set set, int degree, int64_t dims)
{
    nigh_basis *basis = NULL;
    assert_ok(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.family = family, .set = set, .degree = degree, .dims = dims}, &basis));
    return basis;
}

static void test_index_sets(void **state)
{
    nigh_context *ctx = test_context_new();
    const struct {
        nigh_basis_family family;
        nigh_index_set set;
        int degree;
        int64_t dims, size;
    } cases[] = {{NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 8, 2, 45},   {NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 3, 10, 286}, {NIGH_HERMITE, NIGH_FULL_TENSOR, 3, 3, 64},
                 {NIGH_LEGENDRE, NIGH_HYPERBOLIC_CROSS, 3, 2, 8}, {NIGH_FOURIER, NIGH_TOTAL_DEGREE, 2, 1, 5},     {NIGH_FOURIER, NIGH_TOTAL_DEGREE, 1, 2, 5},
                 {NIGH_FOURIER, NIGH_FULL_TENSOR, 1, 2, 9},       {NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 0, 4, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_basis *basis = basis_of(ctx, cases[i].family, cases[i].set, cases[i].degree, cases[i].dims);
        assert_int_equal(nigh_basis_size(basis), cases[i].size);
        for (int64_t a = 0; a < cases[i].size; a++) /* no product twice */
            for (int64_t b = 0; b < a; b++)
                assert_true(memcmp(nigh_basis_index(basis, a), nigh_basis_index(basis, b), (size_t)cases[i].dims * sizeof(int)) != 0);
        nigh_basis_free(basis);
    }
    test_context_free(ctx);
}

/* On a box, against products computed one by one. */
static void test_products(void **state)
{
    nigh_context *ctx = test_context_new();
    const double low[] = {1, -3}, high[] = {5, 0}, x[] = {2.5, -0.7};
    for (int family = 0; family < 3; family++) {
        nigh_basis *basis = NULL;
        assert_ok(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){(nigh_basis_family)family, NIGH_TOTAL_DEGREE, 4, 2, low, high}, &basis));
        double phi[64], one[2][16];
        nigh_basis_values(basis, 1, x, phi);
        for (int v = 0; v < 2; v++) basis_values((basis_family)family, 10, (x[v] - (low[v] + high[v]) / 2) / ((high[v] - low[v]) / 2), one[v]);
        for (int64_t j = 0; j < nigh_basis_size(basis); j++) {
            const int *k = nigh_basis_index(basis, j);
            assert_near(phi[j], one[0][k[0]] * one[1][k[1]], 1e-13, 1e-13);
        }
        nigh_basis_free(basis);
    }
    test_context_free(ctx);
}

/* ---- laws ---- */

enum { STATES = 7, FUNCTIONS = 3 };

static nigh_candidates *random_candidates(nigh_context *ctx, int64_t n, int64_t m, uint64_t seed, double *weight)
{
    double *values = malloc((size_t)(n * m) * sizeof *values), sum = 0;
    nigh_rng rng = nigh_rng_new(seed, 2);
    nigh_rng_fill_normal(&rng, n * m, values);
    for (int64_t i = 0; i < n; i++) sum += weight[i] = 0.3 + nigh_rng_f64(&rng);
    for (int64_t i = 0; i < n; i++) weight[i] /= sum;
    nigh_candidates *c = NULL;
    assert_ok(ctx, nigh_candidates_new(ctx, n, m, values, weight, &c));
    const double *phi = nigh_candidates_phi(c), *r = nigh_candidates_triangle(c);
    assert_true(nigh_candidates_gap(c) > 1e-3 && r);
    for (int64_t i = 0; i < n; i++) /* values = phi R */
        for (int64_t j = 0; j < m; j++) {
            double sum_r = 0;
            for (int64_t k = 0; k <= j; k++) sum_r += phi[i * m + k] * r[k * m + j];
            assert_near(sum_r, values[i * m + j], 1e-12, 1e-12);
        }
    for (int64_t a = 0; a < m; a++)
        for (int64_t b = 0; b < m; b++) {
            double g = 0;
            for (int64_t i = 0; i < n; i++) g += weight[i] * phi[i * m + a] * phi[i * m + b];
            assert_near(g, a == b, 1e-13, 0);
        }
    free(values);
    return c;
}

/* Which sets of 3 of 7 states are drawn: each as often as its squared determinant says. */
static void test_sets_of_states(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { DRAWS = 20000, SETS = 35 };
    double weight[STATES], count[SETS] = {0}, expected[SETS], total = 0;
    nigh_candidates *c = random_candidates(ctx, STATES, FUNCTIONS, 3, weight);
    const double *p = nigh_candidates_phi(c);
    int at[STATES][STATES][STATES], sets = 0;
    for (int i = 0; i < STATES; i++)
        for (int j = i + 1; j < STATES; j++)
            for (int k = j + 1; k < STATES; k++) {
                const double *a = p + 3 * i, *b = p + 3 * j, *d = p + 3 * k;
                double det = a[0] * (b[1] * d[2] - b[2] * d[1]) - a[1] * (b[0] * d[2] - b[2] * d[0]) + a[2] * (b[0] * d[1] - b[1] * d[0]);
                at[i][j][k] = sets;
                total += expected[sets++] = det * det * weight[i] * weight[j] * weight[k];
            }
    assert_near(total, 1, 1e-12, 0);
    nigh_rng rng = nigh_rng_new(8, 0);
    for (int r = 0; r < DRAWS; r++) {
        nigh_design *design = NULL;
        assert_ok(ctx, nigh_design_choose(ctx, c, &(nigh_design_options){.n = 3}, &rng, &design));
        int64_t *s = design->index, low = s[0], high = s[0], sum = 0;
        for (int i = 0; i < 3; i++) sum += s[i], low = s[i] < low ? s[i] : low, high = s[i] > high ? s[i] : high;
        int64_t middle = sum - low - high;
        assert_true(low < middle && middle < high); /* never the same twice */
        count[at[low][middle][high]]++;
        nigh_design_free(design);
    }
    nigh_test test;
    assert_ok(ctx, nigh_chi_square_fit(ctx, SETS, count, expected, 0, &test));
    if (!(test.p > 1e-4)) fail_msg("p = %g", test.p);
    nigh_candidates_free(c);
    test_context_free(ctx);
}

/* The first two points of the chain on 5 states: (K(x) K(y) - K(x, y)^2) / (m (m - 1)), in this order, in both kinds of sampler. */
static void test_pairs_of_points(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 5, DRAWS = 20000, CELLS = 6 };
    double weight[N], count[N * N] = {0}, expected[N * N], total = 0;
    nigh_candidates *c = random_candidates(ctx, N, 2, 4, weight);
    const double *p = nigh_candidates_phi(c);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            const double *a = p + 2 * i, *b = p + 2 * j;
            double cross = a[0] * b[0] + a[1] * b[1];
            total += expected[N * i + j] = 0.5 * weight[i] * weight[j] * ((a[0] * a[0] + a[1] * a[1]) * (b[0] * b[0] + b[1] * b[1]) - cross * cross);
        }
    assert_near(total, 1, 1e-12, 0);
    nigh_rng rng = nigh_rng_new(9, 0);
    for (int r = 0; r < DRAWS; r++) {
        nigh_design *design = NULL;
        assert_ok(ctx, nigh_design_choose(ctx, c, &(nigh_design_options){.n = 2}, &rng, &design));
        count[N * design->index[0] + design->index[1]]++;
        nigh_design_free(design);
    }
    int kept = 0;
    for (int i = 0; i < N * N; i++) {
        if (i % (N + 1) == 0) assert_true(count[i] == 0 && expected[i] < 1e-15);
        if (i % (N + 1)) count[kept] = count[i], expected[kept++] = expected[i];
    }
    nigh_test test;
    assert_ok(ctx, nigh_chi_square_fit(ctx, kept, count, expected, 0, &test));
    assert_true(test.p > 1e-4);
    nigh_candidates_free(c);

    /* In a continuum: 1 and sqrt 3 z, K = 1 + 3 z^2, the pair has density (3/2) (x - y)^2 against the uniform measure. */
    nigh_basis *basis = basis_of(ctx, NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 1, 1);
    double cells[CELLS * CELLS] = {0}, should[CELLS * CELLS];
    for (int i = 0; i < CELLS; i++)
        for (int j = 0; j < CELLS; j++) {
            double gap = 2.0 * (i - j) / CELLS; /* mean of (x - y)^2 over two cells of width h: gap^2 + h^2 / 6 */
            should[CELLS * i + j] = gap * gap + 4.0 / (CELLS * CELLS) / 6;
        }
    for (int r = 0; r < DRAWS; r++) {
        nigh_design *design = NULL;
        assert_ok(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 2}, &rng, &design));
        int a = (int)(CELLS * (design->x[0] + 1) / 2), b = (int)(CELLS * (design->x[1] + 1) / 2);
        cells[CELLS * (a < CELLS ? a : CELLS - 1) + (b < CELLS ? b : CELLS - 1)]++;
        nigh_design_free(design);
    }
    assert_ok(ctx, nigh_chi_square_fit(ctx, CELLS * CELLS, cells, should, 0, &test));
    if (!(test.p > 1e-4)) fail_msg("continuum: p = %g", test.p);
    nigh_basis_free(basis);
    test_context_free(ctx);
}

/* Unbiased with and without the optimal density for the rest: mean coefficients of a function outside the space. */
static void test_volume_is_unbiased(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 40, M = 4, DRAWS = 3000 };
    double weight[N], f[N], best[M];
    nigh_candidates *c = random_candidates(ctx, N, M, 5, weight);
    const double *p = nigh_candidates_phi(c);
    nigh_rng rng = nigh_rng_new(12, 0);
    memset(best, 0, sizeof best);
    for (int i = 0; i < N; i++) {
        f[i] = nigh_rng_normal(&rng);
        for (int j = 0; j < M; j++) best[j] += weight[i] * f[i] * p[M * i + j];
    }
    const nigh_design_kind kinds[] = {NIGH_DESIGN_VOLUME, NIGH_DESIGN_VOLUME_INPUT, NIGH_DESIGN_IID};
    for (int k = 0; k < 3; k++) {
        double sum[M] = {0}, square[M] = {0}, worst = 0;
        for (int r = 0; r < DRAWS; r++) {
            nigh_design *design = NULL;
            double y[6], coefficients[M];
            assert_ok(ctx, nigh_design_choose(ctx, c, &(nigh_design_options){.kind = kinds[k], .n = 6}, &rng, &design));
            for (int i = 0; i < 6; i++) y[i] = f[design->index[i]];
            if (nigh_design_fit(ctx, design, 1, y, coefficients, NULL) == NIGH_OK)
                for (int j = 0; j < M; j++) sum[j] += coefficients[j], square[j] += coefficients[j] * coefficients[j];
            nigh_design_free(design);
        }
        for (int j = 0; j < M; j++) {
            double mean = sum[j] / DRAWS, error = sqrt((square[j] / DRAWS - mean * mean) / DRAWS);
            worst = fmax(worst, fabs(mean - best[j]) / error);
        }
        if (k < 2 && !(worst < 4)) fail_msg("kind %d: %g standard errors off", k, worst);
    }
    nigh_candidates_free(c);
    test_context_free(ctx);
}

/* ---- designs and fits ---- */

/* What is in the space is found exactly, whatever the points; seeds decide the bits. */
static void test_reproduces(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int family = 0; family < 3; family++)
        for (int kind = 0; kind <= NIGH_DESIGN_IID; kind++) {
            nigh_basis *basis = basis_of(ctx, (nigh_basis_family)family, NIGH_TOTAL_DEGREE, family == 2 ? 2 : 4, 2);
            int64_t m = nigh_basis_size(basis), n = kind == NIGH_DESIGN_IID ? 6 * m : 3 * m;
            nigh_rng rng = nigh_rng_new(20, (uint64_t)kind), again = rng;
            nigh_design *design = NULL, *same = NULL;
            nigh_design_options o = {.kind = (nigh_design_kind)kind, .n = n, .least = 0.02};
            assert_ok(ctx, nigh_design_draw(ctx, basis, &o, &rng, &design));
            assert_ok(ctx, nigh_design_draw(ctx, basis, &o, &again, &same));
            assert_memory_equal(design->x, same->x, (size_t)(n * 2) * sizeof(double));
            assert_true(design->least >= 0.02 && design->n == n && design->how[0]);
            double y[600], coefficients[128];
            nigh_design_quality quality;
            for (int64_t i = 0; i < n; i++) {
                y[2 * i] = y[2 * i + 1] = 0;
                for (int64_t j = 0; j < m; j++) y[2 * i] += design->phi[i * m + j] / (1.0 + (double)j), y[2 * i + 1] += design->phi[i * m + j];
            }
            assert_ok(ctx, nigh_design_fit(ctx, design, 2, y, coefficients, &quality));
            for (int64_t j = 0; j < m; j++) {
                assert_near(coefficients[2 * j], 1 / (1.0 + (double)j), 1e-11, 0);
                assert_near(coefficients[2 * j + 1], 1, 1e-11, 0);
            }
            assert_near(quality.least, design->least, 1e-10, 1e-8);
            assert_true(quality.residual < 1e-11 && quality.leave_one_out < 1e-9);
            nigh_design_free(same), nigh_design_free(design);
            nigh_basis_free(basis);
        }
    test_context_free(ctx);
}

/* Leave-one-out as by leaving out. */
static void test_leave_one_out(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 12, M = 3 };
    double phi[N * M], weight[N], y[N], c[M], less_phi[N * M], less_weight[N], less_y[N], sum = 0;
    nigh_rng rng = nigh_rng_new(6, 6);
    nigh_rng_fill_normal(&rng, N * M, phi), nigh_rng_fill_normal(&rng, N, y);
    for (int i = 0; i < N; i++) weight[i] = 0.5 + nigh_rng_f64(&rng);
    nigh_design_quality quality;
    assert_ok(ctx, nigh_weighted_least_squares(ctx, N, M, 1, phi, weight, y, c, &quality));
    for (int out = 0; out < N; out++) {
        int n = 0;
        for (int i = 0; i < N; i++) {
            if (i == out) continue;
            memcpy(less_phi + M * n, phi + M * i, M * sizeof *phi);
            less_weight[n] = weight[i], less_y[n++] = y[i];
        }
        assert_ok(ctx, nigh_weighted_least_squares(ctx, N - 1, M, 1, less_phi, less_weight, less_y, c, NULL));
        double e = y[out];
        for (int j = 0; j < M; j++) e -= phi[M * out + j] * c[j];
        sum += weight[out] * e * e / N;
    }
    assert_near(quality.leave_one_out, sqrt(sum), 0, 1e-11);
    test_context_free(ctx);
}

/* Thinning leaves few points and keeps the eigenvalue; the points that stay are some of those that were. */
static void test_thinning(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_basis *basis = basis_of(ctx, NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 6, 2);
    int64_t m = nigh_basis_size(basis);
    for (uint64_t seed = 0; seed < 5; seed++) {
        nigh_rng rng = nigh_rng_new(seed, 0), again = rng;
        nigh_design *all = NULL, *thin = NULL;
        assert_ok(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 3 * m, .least = 0.15}, &rng, &all));
        assert_ok(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 3 * m, .least = 0.15, .thin = true}, &again, &thin));
        assert_true(thin->n >= m && thin->n < 1.4 * (double)m && thin->least >= 0.15);
        double y[200] = {0}, c[64];
        nigh_design_quality quality;
        assert_ok(ctx, nigh_design_fit(ctx, thin, 1, y, c, &quality));
        assert_near(quality.least, thin->least, 1e-12, 1e-9);
        for (int64_t i = 0; i < thin->n; i++) {
            bool there = false;
            for (int64_t k = 0; k < all->n; k++) there = there || (!memcmp(all->x + 2 * k, thin->x + 2 * i, 16) && all->weight[k] == thin->weight[i]);
            assert_true(there);
        }
        nigh_design_free(all), nigh_design_free(thin);
    }
    nigh_basis_free(basis);
    test_context_free(ctx);
}

/* Repulsion: with as many points as functions, independent ones leave the fit open, determinantal ones hardly ever. */
static void test_fake(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_basis *basis = basis_of(ctx, NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 9, 1);
    double least[2][21];
    for (int i = 0; i < 21; i++)
        for (int k = 0; k < 2; k++) {
            nigh_rng rng = nigh_rng_new(77, (uint64_t)i);
            nigh_design *design = NULL;
            assert_ok(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.kind = k ? NIGH_DESIGN_IID : NIGH_DESIGN_DPP, .n = 10}, &rng, &design));
            double value = design->least;
            int at = i;
            for (; at > 0 && least[k][at - 1] > value; at--) least[k][at] = least[k][at - 1];
            least[k][at] = value;
            nigh_design_free(design);
        }
    assert_true(least[0][10] > 100 * least[1][10]);
    nigh_basis_free(basis);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_basis *basis = NULL;
    nigh_candidates *c = NULL;
    nigh_design *design = NULL;
    nigh_rng rng = nigh_rng_new(1, 1);
    double values[30], weight[10], one[] = {1}, empty[] = {1};
    assert_fails(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 2, .dims = 11}, &basis), NIGH_INVALID, "11 variables; 1 to 10");
    assert_fails(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 300, .dims = 1}, &basis), NIGH_INVALID, "degree 300; 0 to 255");
    assert_fails(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 9, .dims = 10}, &basis), NIGH_INVALID, "more than 2000 functions");
    assert_fails(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 1, .dims = 1, .low = one, .high = empty}, &basis), NIGH_INVALID, "variable 1 of the basis has the box 1:1");
    assert_fails(ctx, nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 1, .dims = 1, .low = one}, &basis), NIGH_INVALID, "no high");
    nigh_rng_fill_normal(&rng, 30, values);
    for (int i = 0; i < 10; i++) weight[i] = 1;
    assert_fails(ctx, nigh_candidates_new(ctx, 2, 3, values, NULL, &c), NIGH_INVALID, "2 candidates for 3 functions; at least 3 are needed, 30 advised");
    weight[4] = -1;
    assert_fails(ctx, nigh_candidates_new(ctx, 10, 3, values, weight, &c), NIGH_INVALID, "candidate 4 is -1");
    memset(weight, 0, sizeof weight);
    assert_fails(ctx, nigh_candidates_new(ctx, 10, 3, values, weight, &c), NIGH_INVALID, "sum to 0");
    values[7] = NAN;
    assert_fails(ctx, nigh_candidates_new(ctx, 10, 3, values, NULL, &c), NIGH_INVALID, "row 2, column 1");
    for (int i = 0; i < 10; i++) values[3 * i + 2] = 2 * values[3 * i], values[7] = 0.1;
    assert_fails(ctx, nigh_candidates_new(ctx, 10, 3, values, NULL, &c), NIGH_INVALID, "function 3 of 3 depends linearly on the ones before it at the candidates (rank 2)");
    basis = basis_of(ctx, NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 3, 1);
    assert_fails(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 3}, &rng, &design), NIGH_INVALID, "3 points for 4 functions");
    assert_fails(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 6}, &rng, &design), NIGH_INVALID, "a multiple of 4 is needed");
    assert_fails(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 8, .least = 1}, &rng, &design), NIGH_INVALID, "asked for is 1");
    assert_fails(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 8, .thin = true}, &rng, &design), NIGH_INVALID, "above 0 is needed");
    assert_fails(ctx, nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 4, .least = 0.99, .draws = 3}, &rng, &design), NIGH_UNMET, "none of 3 designs");
    double phi[] = {1, 1, 1, 1}, y[] = {1, 2}, w[] = {1, 1}, out[2];
    assert_fails(ctx, nigh_weighted_least_squares(ctx, 2, 2, 1, phi, w, y, out, NULL), NIGH_INVALID, "depend linearly");
    assert_fails(ctx, nigh_weighted_least_squares(ctx, 1, 2, 1, phi, w, y, out, NULL), NIGH_INVALID, "1 points for 2 functions");
    y[1] = NAN;
    assert_fails(ctx, nigh_weighted_least_squares(ctx, 2, 2, 1, phi, w, y, out, NULL), NIGH_INVALID, "the array of values has nan in row 1, column 0");
    y[1] = 1, w[0] = 0;
    assert_fails(ctx, nigh_weighted_least_squares(ctx, 2, 2, 1, phi, w, y, out, NULL), NIGH_INVALID, "weight of point 0 is 0");
    assert_null(c), assert_null(design);
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 8}, &rng, &design), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    nigh_basis_free(basis);
    test_context_free(ctx);
}

static nigh_status all_of_it(nigh_context *ctx, const double *values)
{
    nigh_basis *basis = NULL;
    nigh_candidates *c = NULL;
    nigh_design *design = NULL, *chosen = NULL;
    nigh_rng rng = nigh_rng_new(1, 1);
    double y[64] = {0}, out[8], node[8], weight[8];
    nigh_status status = nigh_gauss(ctx, NIGH_HERMITE, 8, node, weight);
    if (!status) status = nigh_basis_new(ctx, &(nigh_basis_spec){.degree = 2, .dims = 2}, &basis);
    if (!status) status = nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 18, .least = 0.1, .thin = true}, &rng, &design);
    if (!status) status = nigh_design_fit(ctx, design, 1, y, out, NULL);
    if (!status) status = nigh_candidates_new(ctx, 40, 3, values, NULL, &c);
    if (!status) status = nigh_design_choose(ctx, c, &(nigh_design_options){.kind = NIGH_DESIGN_VOLUME, .n = 6}, &rng, &chosen);
    nigh_design_free(chosen), nigh_design_free(design);
    nigh_candidates_free(c);
    nigh_basis_free(basis);
    return status;
}

static void test_allocation_failures(void **state)
{
    double values[120];
    nigh_rng rng = nigh_rng_new(2, 2);
    nigh_rng_fill_normal(&rng, 120, values);
    for (long fail = 2;; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_status status = all_of_it(ctx, values);
        size_t left = nigh_memory_now(ctx);
        nigh_context_free(ctx);
        assert_int_equal(left, 0);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_variable),    cmocka_unit_test(test_squares_are_drawn),  cmocka_unit_test(test_index_sets), cmocka_unit_test(test_products),
        cmocka_unit_test(test_sets_of_states),  cmocka_unit_test(test_pairs_of_points),    cmocka_unit_test(test_volume_is_unbiased),
        cmocka_unit_test(test_reproduces),      cmocka_unit_test(test_leave_one_out),      cmocka_unit_test(test_thinning),   cmocka_unit_test(test_fake),
        cmocka_unit_test(test_bad_input),       cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
