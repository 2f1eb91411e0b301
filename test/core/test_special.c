/* nigh/special.h: identities, then 250 values of 20 digits (data/make_special.py), then the edges. */
#include "support.h"
#include "nigh/special.h"
#include "nigh/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { NORMAL_CDF, NORMAL_LOG_CDF, NORMAL_QUANTILE, ERF_INVERSE, DIGAMMA, TRIGAMMA, LBETA, LCHOOSE, GAMMA_P, GAMMA_Q,
       BETA_P, BETA_Q, BINOMIAL_MASS, POISSON_MASS, STUDENT_TAIL, F_TAIL, LOG1PMX, KINDS };

typedef struct known {
    int kind;
    double argument[3], value;
} known;

static const known table[] = {
#include "data/special_values.h"
};

static double evaluate(const known *k)
{
    const double *a = k->argument;
    switch (k->kind) {
    case NORMAL_CDF: return nigh_normal_cdf(a[0]);
    case NORMAL_LOG_CDF: return nigh_normal_log_cdf(a[0]);
    case NORMAL_QUANTILE: return nigh_normal_quantile(a[0]);
    case ERF_INVERSE: return nigh_erf_inverse(a[0]);
    case DIGAMMA: return nigh_digamma(a[0]);
    case TRIGAMMA: return nigh_trigamma(a[0]);
    case LBETA: return nigh_lbeta(a[0], a[1]);
    case LCHOOSE: return nigh_lchoose(a[0], a[1]);
    case GAMMA_P: return nigh_gamma_p(a[0], a[1]);
    case GAMMA_Q: return nigh_gamma_q(a[0], a[1]);
    case BETA_P: return nigh_beta_p(a[0], a[1], a[2]);
    case BETA_Q: return nigh_beta_q(a[0], a[1], a[2]);
    case BINOMIAL_MASS: return nigh_binomial_mass(a[0], a[1], a[2]);
    case POISSON_MASS: return nigh_poisson_mass(a[0], a[1]);
    case STUDENT_TAIL: return nigh_student_t_tail(a[0], a[1]);
    case F_TAIL: return nigh_f_tail(a[0], a[1], a[2]);
    default: return nigh_log1pmx(a[0]);
    }
}

static void known_values(void **state)
{
    int wrong = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double got = evaluate(&table[i]), want = table[i].value;
        /* Far tails move by |log value| per relative unit of the argument: that much is allowed on top. */
        double allowed = 1e-14 * (1 + 0.15 * fabs(log(fabs(want))));
        double complement = table[i].kind >= GAMMA_P && table[i].kind <= BETA_Q && want > 0.01 ? 2e-15 : 0;
        if (!(fabs(got - want) <= allowed * fabs(want) + complement)) {
            print_message("kind %d (%g, %g, %g): %.17g, not %.17g (%.1e)\n", table[i].kind, table[i].argument[0],
                          table[i].argument[1], table[i].argument[2], got, want, fabs(got / want - 1));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void identities(void **state)
{
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int i = 0; i < 300; i++) {
        double a = exp(6 * nigh_rng_f64(&rng) - 2), b = exp(6 * nigh_rng_f64(&rng) - 2), x = nigh_rng_f64(&rng);
        assert_near(nigh_beta_p(a, b, x) + nigh_beta_q(a, b, x), 1, 1e-13, 0);
        assert_near(nigh_gamma_p(a, b) + nigh_gamma_q(a, b), 1, 1e-13, 0);
        assert_near(nigh_beta_p(a, b, x), nigh_beta_q(b, a, 1 - x), 1e-13, 1e-11);
        assert_near(nigh_digamma(a + 1), nigh_digamma(a) + 1 / a, 1e-13, 1e-13);
        assert_near(nigh_trigamma(a + 1), nigh_trigamma(a) - 1 / (a * a), 1e-12, 1e-12);
        /* the inverses invert, as far as a double next to 1 can tell */
        double p = 0.001 + 0.998 * x;
        assert_near(nigh_beta_p(a, b, nigh_beta_p_inverse(a, b, p)), p, 1e-9, 1e-6);
        assert_near(nigh_beta_q(a, b, nigh_beta_q_inverse(a, b, p)), p, 1e-9, 1e-6);
        assert_near(nigh_gamma_p(a, nigh_gamma_p_inverse(a, p)), p, 1e-13, 1e-12);
        assert_near(nigh_gamma_q(a, nigh_gamma_q_inverse(a, p)), p, 1e-13, 1e-12);
        assert_near(nigh_normal_cdf(nigh_normal_quantile(p)), p, 0, 1e-14);
        assert_near(erf(nigh_erf_inverse(2 * p - 1)), 2 * p - 1, 1e-15, 1e-14);
        double f = 0.5 + 30 * nigh_rng_f64(&rng);
        assert_near(nigh_student_t_cdf(f, nigh_student_t_quantile(f, p)), p, 1e-13, 1e-11);
    }
}

static void laws_sum_to_one(void **state)
{
    double sum = 0, cdf = 0;
    for (int k = 0; k <= 40; k++) {
        sum += nigh_binomial_mass(40, 0.3, k);
        assert_near(nigh_binomial_cdf(40, 0.3, k), sum, 1e-14, 1e-13);
        assert_near(nigh_binomial_tail(40, 0.3, k), 1 - sum, 1e-14, 1e-13);
    }
    assert_near(sum, 1, 1e-14, 0);
    sum = 0;
    for (int k = 0; k < 60; k++) {
        sum += nigh_poisson_mass(7.5, k);
        assert_near(nigh_poisson_cdf(7.5, k), sum, 1e-14, 1e-13);
    }
    for (int k = 0; k <= 20; k++) {
        cdf += nigh_hypergeometric_mass(70, 31, 20, k);
        assert_near(nigh_hypergeometric_cdf(70, 31, 20, k), cdf, 1e-13, 1e-12);
        assert_near(nigh_hypergeometric_tail(70, 31, 20, k), 1 - cdf, 1e-13, 1e-12);
    }
    assert_near(cdf, 1, 1e-13, 0);
    assert_near(nigh_hypergeometric_mass(5, 3, 2, 1), 0.6, 0, 1e-14);
    /* two degrees: chi-square is exponential; F(1,f) is Student's square */
    assert_near(nigh_chi_square_tail(2, 6), exp(-3), 0, 1e-14);
    assert_near(nigh_chi_square_cdf(2, 6), -expm1(-3), 0, 1e-14);
    assert_near(nigh_f_tail(1, 9, 4), 2 * nigh_student_t_tail(9, 2), 0, 1e-13);
    assert_near(nigh_f_cdf(3, 4, 1.2) + nigh_f_tail(3, 4, 1.2), 1, 1e-14, 0);
    assert_near(nigh_kolmogorov_tail(1.3580986393225505), 0.05, 0, 1e-10);
    double around = nigh_kolmogorov_tail(1 - 1e-9) - nigh_kolmogorov_tail(1 + 1e-9);
    assert_true(around > 0 && around < 1e-8); /* the two forms meet */
}

static void poisson_binomial(void **state)
{
    nigh_context *ctx = test_context_new();
    double p[12], mass[13], tail;
    for (int i = 0; i < 12; i++) p[i] = 0.3;
    assert_ok(ctx, nigh_poisson_binomial(ctx, 12, p, mass));
    for (int k = 0; k <= 12; k++) assert_near(mass[k], nigh_binomial_mass(12, 0.3, k), 0, 1e-13);
    p[0] = 1, p[1] = 0, p[2] = 0.5; /* with enumeration of three */
    assert_ok(ctx, nigh_poisson_binomial(ctx, 3, p, mass));
    assert_near(mass[0], 0, 0, 0);
    assert_near(mass[1], 0.5, 0, 0);
    assert_near(mass[2], 0.5, 0, 0);
    assert_ok(ctx, nigh_poisson_binomial_tail(ctx, 3, p, 2, &tail));
    assert_near(tail, 0.5, 0, 0);
    p[2] = 1.5;
    assert_fails(ctx, nigh_poisson_binomial_tail(ctx, 3, p, 2, &tail), NIGH_INVALID, "p[2] is 1.5");
    test_context_free(ctx);
}

static void helpers(void **state)
{
    double x[3] = {1000, 1000, -INFINITY}, z[2];
    assert_near(nigh_log_sum_exp(3, x), 1000 + log(2), 0, 1e-15);
    assert_true(isinf(nigh_log_sum_exp(0, x)));
    assert_near(nigh_log1mexp(1e-20), log(1e-20), 0, 1e-15);
    assert_near(nigh_log1mexp(50), -exp(-50), 0, 1e-14);
    assert_true(nigh_xlogy(0, 0) == 0);
    nigh_complex_log1p(1e-20, 1e-20, z);
    assert_near(z[0], 1e-20, 0, 1e-14);
    assert_near(z[1], 1e-20, 0, 1e-14);
    nigh_complex_log1p(-1e-8, sqrt(2e-8), z); /* close to the circle: |1+z|^2 = 1 + 1e-16 */
    assert_near(z[0], 5e-17, 1e-24, 1e-3);
    nigh_complex_expm1(1e-20, 3e-20, z);
    assert_near(z[0], 1e-20, 0, 1e-14);
    assert_near(z[1], 3e-20, 0, 1e-14);
    nigh_complex_log1p(0.3, -0.2, z);
    nigh_complex_expm1(z[0], z[1], z);
    assert_near(z[0], 0.3, 0, 1e-14);
    assert_near(z[1], -0.2, 0, 1e-14);
}

static void edges(void **state)
{
    assert_true(isinf(nigh_normal_quantile(0)) && nigh_normal_quantile(0) < 0);
    assert_true(isinf(nigh_normal_quantile(1)) && nigh_normal_quantile(1) > 0);
    assert_true(nigh_normal_quantile(0.5) == 0);
    assert_true(isnan(nigh_normal_quantile(-0.1)) && isnan(nigh_gamma_p(-1, 2)) && isnan(nigh_beta_p(1, 1, 1.5)));
    assert_near(nigh_normal_tail_quantile(1e-300), 37.0471, 1e-4, 0);
    assert_near(nigh_normal_tail_quantile(DBL_TRUE_MIN), 38.4674, 1e-3, 0);
    assert_true(nigh_gamma_p(2, 0) == 0 && nigh_gamma_q(2, 0) == 1 && nigh_gamma_q(2, INFINITY) == 0);
    assert_true(nigh_beta_p(2, 3, 0) == 0 && nigh_beta_p(2, 3, 1) == 1);
    assert_true(isnan(nigh_digamma(0)) && isnan(nigh_digamma(-3)) && isnan(nigh_normal_cdf(NAN)));
    assert_true(nigh_binomial_mass(5, 0, 0) == 1 && nigh_binomial_mass(5, 1, 5) == 1 && nigh_binomial_cdf(5, 0.5, 5) == 1);
    assert_true(nigh_beta_p_inverse(2, 3, 0) == 0 && nigh_beta_q_inverse(2, 3, 0) == 1);
    assert_near(nigh_beta_q_inverse(1, 1e6, 0.05), -expm1(log(0.05) / 1e6), 0, 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities),       cmocka_unit_test(known_values), cmocka_unit_test(laws_sum_to_one),
        cmocka_unit_test(poisson_binomial), cmocka_unit_test(helpers),      cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
