/* nigh/random.h, distributions: each against its law by chi-square or Kolmogorov-Smirnov, exact noise, bad input. */
#include "support.h"
#include "nigh/random.h"
#include "nigh/special.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 20000 };
static double x[N];

typedef struct law {
    double a, b;
} law;

static double laplace(void *user, double v) { return v < 0 ? 0.5 * exp(v / 2) : 1 - 0.5 * exp(-v / 2); }
static double exponential(void *user, double v) { return -expm1(-v / 3); }
static double gumbel(void *user, double v) { return exp(-exp(-v)); }
static double logistic(void *user, double v) { return 1 / (1 + exp(-v)); }
static double cauchy(void *user, double v) { return 0.5 + atan(v) / 3.14159265358979323846; }
static double gamma_law(void *user, double v) { return nigh_gamma_p(((law *)user)->a, v); }
static double log_gamma_law(void *user, double v) { return nigh_gamma_p(((law *)user)->a, exp(v)); }
static double beta_law(void *user, double v) { return nigh_beta_p(((law *)user)->a, ((law *)user)->b, v); }
static double student(void *user, double v) { return nigh_student_t_cdf(((law *)user)->a, v); }

static void fits(nigh_context *ctx, nigh_cdf_fn *cdf, void *user)
{
    nigh_test t;
    assert_ok(ctx, nigh_kolmogorov_fit(ctx, N, x, cdf, user, &t));
    if (!(t.p > 1e-3)) fail_msg("Kolmogorov-Smirnov p = %g", t.p);
}

static void continuous(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(21, 0);
    for (int i = 0; i < N; i++) x[i] = nigh_rng_laplace(&rng, 2);
    fits(ctx, laplace, NULL);
    for (int i = 0; i < N; i++) x[i] = nigh_rng_exponential(&rng, 3);
    fits(ctx, exponential, NULL);
    for (int i = 0; i < N; i++) x[i] = nigh_rng_gumbel(&rng);
    fits(ctx, gumbel, NULL);
    for (int i = 0; i < N; i++) x[i] = nigh_rng_logistic(&rng);
    fits(ctx, logistic, NULL);
    for (int i = 0; i < N; i++) x[i] = nigh_rng_cauchy(&rng);
    fits(ctx, cauchy, NULL);
    static law shapes[] = {{0.3, 0.7}, {1, 1}, {4.5, 2}, {200, 30}};
    for (int k = 0; k < 4; k++) {
        law *l = &shapes[k];
        for (int i = 0; i < N; i++) x[i] = nigh_rng_gamma(&rng, l->a);
        fits(ctx, gamma_law, l);
        for (int i = 0; i < N; i++) x[i] = nigh_rng_log_gamma(&rng, l->a);
        fits(ctx, log_gamma_law, l);
        for (int i = 0; i < N; i++) x[i] = nigh_rng_beta(&rng, l->a, l->b);
        fits(ctx, beta_law, l);
        for (int i = 0; i < N; i++) x[i] = nigh_rng_student_t(&rng, l->a);
        fits(ctx, student, l);
    }
    assert_true(isfinite(nigh_rng_log_gamma(&rng, 1e-5)));
    assert_true(isnan(nigh_rng_gamma(&rng, 0)) && isnan(nigh_rng_laplace(&rng, -1)) && isnan(nigh_rng_exponential(&rng, NAN)));
    test_context_free(ctx);
}

enum { CELLS = 41 };
static double cells[CELLS], expected[CELLS];

/* Cells with less than 5 expected are pooled with the next. */
static void counts_fit(nigh_context *ctx)
{
    double c[CELLS] = {0}, e[CELLS] = {0}, total = nigh_sum(CELLS, cells) / nigh_sum(CELLS, expected);
    int at = 0;
    for (int i = 0; i < CELLS; i++) {
        c[at] += cells[i], e[at] += expected[i];
        if (e[at] * total >= 5 && i + 1 < CELLS) at++;
    }
    if (e[at] * total < 5 && at > 0) at--, c[at] += c[at + 1], e[at] += e[at + 1];
    nigh_test t;
    assert_ok(ctx, nigh_chi_square_fit(ctx, at + 1, c, e, 0, &t));
    if (!(t.p > 1e-4)) fail_msg("chi-square %g of %g, p = %g", t.statistic, t.freedom, t.p);
    memset(cells, 0, sizeof cells), memset(expected, 0, sizeof expected);
}

static void count(int64_t k) { cells[k < 0 ? 0 : k < CELLS ? k : CELLS - 1]++; }

static void counting(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(22, 0);
    static const struct { int64_t n; double p; } trials[] = {{5, 0.3}, {40, 0.1}, {40, 0.6}, {2000, 0.012}};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < N; i++) count(nigh_rng_binomial(&rng, trials[k].n, trials[k].p));
        for (int i = 0; i < CELLS; i++) expected[i] = nigh_binomial_mass((double)trials[k].n, trials[k].p, i);
        expected[CELLS - 1] += nigh_binomial_tail((double)trials[k].n, trials[k].p, CELLS - 1);
        counts_fit(ctx);
    }
    static const double means[] = {0.2, 8, 21.5};
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < N; i++) count(nigh_rng_poisson(&rng, means[k]));
        for (int i = 0; i < CELLS; i++) expected[i] = nigh_poisson_mass(means[k], i);
        expected[CELLS - 1] += nigh_poisson_tail(means[k], CELLS - 1);
        counts_fit(ctx);
    }
    for (int i = 0; i < N; i++) count(nigh_rng_geometric(&rng, 0.2));
    for (int i = 0; i < CELLS; i++) expected[i] = 0.2 * pow(0.8, i);
    expected[CELLS - 1] *= 5;
    counts_fit(ctx);
    static const double exponents[] = {0, 0.7, 1, 2.5};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < N; i++) {
            int64_t z = nigh_rng_zipf(&rng, 30, exponents[k]);
            assert_in_range(z, 1, 30);
            count(z);
        }
        for (int i = 1; i <= 30; i++) expected[i] = pow(i, -exponents[k]);
        expected[0] = 1e-12, expected[31] = 1e-12;
        counts_fit(ctx);
    }
    /* large parameters: mean and variance */
    nigh_moments b = {0}, p = {0};
    for (int i = 0; i < N; i++) {
        nigh_moments_add(&b, (double)nigh_rng_binomial(&rng, 1000000000000, 0.25));
        nigh_moments_add(&p, (double)nigh_rng_poisson(&rng, 1e9));
    }
    assert_near(b.mean, 2.5e11, 5 * sqrt(1.875e11 / N), 0);
    assert_near(nigh_moments_variance(&b), 1.875e11, 0, 0.05);
    assert_near(p.mean, 1e9, 5 * sqrt(1e9 / N), 0);
    assert_near(nigh_moments_variance(&p), 1e9, 0, 0.05);
    assert_true(nigh_rng_binomial(&rng, 7, 1) == 7 && nigh_rng_binomial(&rng, 7, 0) == 0 && nigh_rng_poisson(&rng, 0) == 0);
    assert_true(nigh_rng_binomial(&rng, -1, 0.5) == -1 && nigh_rng_poisson(&rng, NAN) == -1 && nigh_rng_geometric(&rng, 0) == -1);
    assert_true(nigh_rng_zipf(&rng, 0, 1) == -1 && nigh_rng_zipf(&rng, 1, 1) == 1);
    test_context_free(ctx);
}

static void vectors(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(23, 0);
    const double alpha[3] = {0.5, 2, 3.5}, factor[4] = {2, 99, -1, 0.5}, mean[2] = {3, -4}, axis[3] = {0.6, 0, 0.8};
    nigh_moments m[6] = {{0}};
    double v[3], cross = 0;
    for (int i = 0; i < N; i++) {
        assert_ok(ctx, nigh_rng_dirichlet(ctx, &rng, 3, alpha, v));
        assert_near(v[0] + v[1] + v[2], 1, 1e-12, 0);
        for (int j = 0; j < 3; j++) nigh_moments_add(&m[j], v[j]);
        nigh_rng_mvn(&rng, 2, mean, factor, v);
        nigh_moments_add(&m[3], v[0]), nigh_moments_add(&m[4], v[1]);
        cross += (v[0] - 3) * (v[1] + 4) / N;
    }
    for (int j = 0; j < 3; j++) assert_near(m[j].mean, alpha[j] / 6, 5 * nigh_moments_stderr(&m[j]), 0);
    assert_near(m[3].mean, 3, 0.08, 0);
    assert_near(nigh_moments_variance(&m[3]), 4, 0.2, 0);
    assert_near(nigh_moments_variance(&m[4]), 1.25, 0.07, 0);
    assert_near(cross, -2, 0.12, 0);
    /* von Mises-Fisher in R^3: E cosine = coth k - 1/k; at k = 0 uniform */
    for (double kappa = 0; kappa < 100; kappa = 3 * kappa + 2) {
        nigh_moments cosine = {0};
        for (int i = 0; i < 4000; i++) {
            assert_ok(ctx, nigh_rng_von_mises_fisher(ctx, &rng, 3, axis, kappa, v));
            assert_near(v[0] * v[0] + v[1] * v[1] + v[2] * v[2], 1, 1e-12, 0);
            nigh_moments_add(&cosine, v[0] * axis[0] + v[1] * axis[1] + v[2] * axis[2]);
        }
        double want = kappa > 0 ? 1 / tanh(kappa) - 1 / kappa : 0;
        assert_near(cosine.mean, want, 5 * nigh_moments_stderr(&cosine), 0);
    }
    const double bad[3] = {1, 1, 0};
    assert_fails(ctx, nigh_rng_von_mises_fisher(ctx, &rng, 3, bad, 1, v), NIGH_INVALID, "unit vector");
    assert_fails(ctx, nigh_rng_von_mises_fisher(ctx, &rng, 3, axis, -1, v), NIGH_INVALID, "kappa is -1");
    assert_fails(ctx, nigh_rng_dirichlet(ctx, &rng, 3, mean, v), NIGH_INVALID, "alpha[1] is -4");
    const double minute[3] = {1e-8, 1e-8, 1e-8};
    assert_ok(ctx, nigh_rng_dirichlet(ctx, &rng, 3, minute, v));
    assert_near(v[0] + v[1] + v[2], 1, 1e-12, 0);
    test_context_free(ctx);
}

static void categories(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(24, 0);
    const double weight[6] = {3, 0, 1, 0.5, 0, 5.5}, bad[2] = {1, -1}, none[2] = {0, 0};
    nigh_alias *alias = NULL;
    nigh_urn *urn = NULL;
    assert_ok(ctx, nigh_alias_new(ctx, 6, weight, &alias));
    assert_ok(ctx, nigh_urn_new(ctx, 6, weight, &urn));
    for (int kind = 0; kind < 3; kind++) {
        for (int i = 0; i < N; i++)
            count(kind == 0 ? nigh_alias_draw(alias, &rng) : kind == 1 ? nigh_rng_categorical(&rng, 6, weight) : nigh_urn_draw(urn, &rng));
        assert_true(cells[1] == 0 && cells[4] == 0);
        for (int i = 0; i < 6; i++) expected[i] = weight[i];
        for (int i = 0; i < CELLS; i++) expected[i] += 1e-12;
        counts_fit(ctx);
    }
    /* taking all: each once, heavier ones earlier on average; the first as by weight */
    double heavy_first = 0;
    for (int round = 0; round < 3000; round++) {
        int taken = 0;
        for (int i = 0; i < 6; i++) nigh_urn_set(urn, i, weight[i]);
        for (int i = 0; i < 4; i++) {
            int64_t k = nigh_urn_take(urn, &rng);
            assert_true(k >= 0 && !(taken >> k & 1) && weight[k] > 0);
            if (i == 0) heavy_first += k == 5;
            taken |= 1 << k;
        }
        assert_true(nigh_urn_take(urn, &rng) == -1);
    }
    assert_near(heavy_first / 3000, 0.55, 0.04, 0);
    nigh_alias_free(alias), nigh_urn_free(urn);
    assert_fails(ctx, nigh_alias_new(ctx, 2, bad, &alias), NIGH_INVALID, "weight[1] is -1");
    assert_fails(ctx, nigh_alias_new(ctx, 2, none, &alias), NIGH_INVALID, "sum to 0");
    assert_fails(ctx, nigh_urn_new(ctx, 0, none, &urn), NIGH_INVALID, "n is 0");
    assert_true(nigh_rng_categorical(&rng, 2, none) == -1);
    test_context_free(ctx);
}

static void exact_noise(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(25, 0);
    int64_t k;
    const int middle = CELLS / 2;
    static const uint32_t parameter[][2] = {{1, 1}, {3, 2}, {1, 3}, {9, 1}};
    for (int p = 0; p < 4; p++) {
        double value = (double)parameter[p][0] / parameter[p][1];
        for (int gaussian = 0; gaussian < 2; gaussian++) {
            for (int i = 0; i < N; i++) {
                if (gaussian) assert_ok(ctx, nigh_rng_discrete_gaussian(ctx, &rng, parameter[p][0], parameter[p][1], &k));
                else assert_ok(ctx, nigh_rng_discrete_laplace(ctx, &rng, parameter[p][0], parameter[p][1], &k));
                count(k + middle);
            }
            for (int i = -400; i <= 400; i++) {
                double mass = gaussian ? exp(-0.5 * i * i / value) : exp(-abs(i) / value);
                int at = i + middle;
                expected[at < 0 ? 0 : at < CELLS ? at : CELLS - 1] += mass;
            }
            counts_fit(ctx);
        }
    }
    for (int i = 0; i < N; i++) count(nigh_rng_bernoulli_exp(&rng, 7, 3));
    expected[0] = -expm1(-7.0 / 3), expected[1] = exp(-7.0 / 3);
    for (int i = 2; i < CELLS; i++) expected[i] = 1e-12;
    counts_fit(ctx);
    nigh_moments wide = {0};
    for (int i = 0; i < 3000; i++) {
        assert_ok(ctx, nigh_rng_discrete_gaussian(ctx, &rng, INT32_MAX, 1, &k));
        nigh_moments_add(&wide, (double)k);
    }
    assert_near(nigh_moments_variance(&wide), INT32_MAX, 0, 0.15);
    assert_ok(ctx, nigh_rng_discrete_gaussian(ctx, &rng, 1, INT32_MAX, &k));
    assert_int_equal(k, 0);
    assert_fails(ctx, nigh_rng_discrete_gaussian(ctx, &rng, 0, 1, &k), NIGH_INVALID, "0/1");
    assert_fails(ctx, nigh_rng_discrete_laplace(ctx, &rng, 1, UINT32_MAX, &k), NIGH_INVALID, "1/4294967295");
    test_context_free(ctx);
}

static void memory_runs_out(void **state)
{
    const double weight[3] = {1, 2, 3};
    for (int which = 0; which < 2; which++)
        for (long k = 1; k <= (which ? 2 : 4); k++) {
            test_allocator allocator = {0};
            nigh_context *ctx = test_context_failing(&allocator);
            allocator.fail_at = allocator.count + k;
            nigh_alias *alias = NULL;
            nigh_urn *urn = NULL;
            assert_int_equal(which ? nigh_urn_new(ctx, 3, weight, &urn) : nigh_alias_new(ctx, 3, weight, &alias), NIGH_MEMORY);
            assert_true(!alias && !urn);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continuous), cmocka_unit_test(counting),    cmocka_unit_test(vectors),
        cmocka_unit_test(categories), cmocka_unit_test(exact_noise), cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
