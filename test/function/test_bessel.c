/* log-bessel: logarithms and ratios of modified Bessel functions. Identities, quadruple precision, balls, borders, bad input. */
#include "support.h"

#include "core/expr.h"
#include "function/bessel_debye.h"
#include "function/bessel_kernel.h"
#include "function/bessel_reference.h"
#include "nigh/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(NIGH_HAVE_ARB)
#include <arb_hypgeom.h>
#endif

/* ---- the tables ---- */

static void test_debye_coefficients(void **state)
{
    (void)state;
    enum { POWERS = 3 * BESSEL_DEBYE_TERMS + 4 };
    nigh_f128 u[POWERS] = {1}, next[POWERS];
    for (int k = 0; k <= BESSEL_DEBYE_TERMS; k++) {
        for (int i = 0; i <= k; i++) {
            double a = (double)u[k + 2 * i], slope = (double)(u[k + 2 * i] * (k + 2 * i + (nigh_f128)0.5));
            assert_near(bessel_debye[BESSEL_DEBYE_ROW(k) + i], a, 0, 1e-16);
            assert_near(bessel_debye_slope[BESSEL_DEBYE_ROW(k) + i], slope, 0, 1e-16);
        }
        memset(next, 0, sizeof next);
        for (int e = 0; e + 3 < POWERS; e++) {
            next[e + 1] += u[e] * e / 2 + u[e] / (8 * (e + 1));
            next[e + 3] -= u[e] * e / 2 + u[e] * 5 / (8 * (e + 3));
        }
        memcpy(u, next, sizeof u);
    }
}

/* ---- points: log-uniform, and every border of the regions with its neighbours ---- */

enum { RANDOM = 700, MOST = 4000 };

typedef struct points {
    int n;
    double v[MOST], x[MOST];
} points;

static void add(points *p, double v, double x)
{
    const double away[] = {0, INFINITY};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            p->v[p->n] = v == 0 ? 0 : nextafter(v, away[i]);
            p->x[p->n++] = nextafter(x, away[j]);
        }
}

static void add_borders(points *p)
{
    static const double ellipse[][2] = {{29.6, 1.6}, {58, 0.8}, {180, 0.9}, {950, 0.7}, {21, 1.6}, {47, 0.7}, {103, 0.5}};
    for (size_t e = 0; e < sizeof ellipse / sizeof *ellipse; e++)
        for (int k = 0; k <= 12; k++) {
            double angle = k / 12.0 * 1.5707;
            add(p, ellipse[e][0] * sin(angle) / sqrt(1 + ellipse[e][1]), ellipse[e][0] * cos(angle));
        }
    for (double v = 0; v < 18; v += 0.5)
        for (int k = 0; k < 3; k++) add(p, v, k == 0 ? BESSEL_NEAR : k == 1 ? BESSEL_FAR : 0.02 + v / 50);
}

static points *points_new(void)
{
    points *p = calloc(1, sizeof *p);
    nigh_rng rng = nigh_rng_new(11, 0);
    for (; p->n < RANDOM; p->n++) {
        p->v[p->n] = exp(log(1e-2) + log(1e7) * nigh_rng_f64(&rng));
        p->x[p->n] = exp(log(1e-3) + log(1e8) * nigh_rng_f64(&rng));
    }
    add_borders(p);
    assert_true(p->n < MOST);
    return p;
}

static double off(double y, nigh_f128 truth)
{
    double error = fabs((double)(y - truth)) / fmax(1, fabs((double)truth));
    return isnan(error) ? INFINITY : error;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_function(const points *p, nigh_bessel what, const nigh_f128 *truth, bool relative, double most, double fast)
{
    double *y = malloc((size_t)p->n * sizeof *y), *error = malloc((size_t)p->n * sizeof *error);
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++)
        for (int tier = 0; tier < BESSEL_TIERS; tier++) {
            bessel_array((nigh_cpu_level)level, what, tier ? NIGH_BESSEL_FAST_ERROR : 0, p->n, p->v, p->x, y);
            for (int i = 0; i < p->n; i++) {
                error[i] = relative ? fabs((double)(y[i] / truth[i] - 1)) : off(y[i], truth[i]);
                if (!(error[i] <= (tier ? fast : most)))
                    fail_msg("function %d, level %d, tier %d at v = %.17g, x = %.17g: %.17g is off by %g", what, level, tier, p->v[i], p->x[i], y[i], error[i]);
            }
            qsort(error, RANDOM, sizeof *error, by_value);
            if (!tier) assert_true(error[RANDOM / 2] <= 2e-16);
        }
    free(error);
    free(y);
}

static void test_accuracy(void **state)
{
    (void)state;
    points *p = points_new();
    size_t bytes = (size_t)p->n * sizeof(nigh_f128);
    nigh_f128 *i0 = malloc(bytes), *k0 = malloc(bytes), *t = malloc(bytes), *s = malloc(bytes);
    for (int i = 0; i < p->n; i++) {
        nigh_f128 v = p->v[i], x = p->x[i];
        i0[i] = bessel_reference_log_i(v, x);
        k0[i] = bessel_reference_log_k(v, x);
        t[i] = F128(exp)(bessel_reference_log_i(v + 1, x) - i0[i]);
        s[i] = F128(exp)(bessel_reference_log_k(v + 1, x) - k0[i]);
    }
    check_function(p, NIGH_LOG_BESSEL_I, i0, false, 1e-14, 4e-9);
    check_function(p, NIGH_LOG_BESSEL_K, k0, false, 1e-14, 4e-9);
    check_function(p, NIGH_BESSEL_RATIO_I, t, true, 6e-15, 8e-9);
    check_function(p, NIGH_BESSEL_RATIO_K, s, true, 6e-15, 8e-9);
    for (int i = 0; i < p->n; i++) t[i] += (nigh_f128)p->v[i] / p->x[i], s[i] = (nigh_f128)p->v[i] / p->x[i] - s[i];
    check_function(p, NIGH_LOG_BESSEL_I_DERIVATIVE, t, true, 6e-15, 8e-9);
    check_function(p, NIGH_LOG_BESSEL_K_DERIVATIVE, s, true, 1e-14, 1e-8);
    for (int i = 0; i < p->n; i++) i0[i] -= p->x[i], k0[i] += p->x[i];
    check_function(p, NIGH_LOG_BESSEL_I_SCALED, i0, false, 1e-14, 8e-9);
    check_function(p, NIGH_LOG_BESSEL_K_SCALED, k0, false, 1e-14, 8e-9);
    free(s), free(t), free(k0), free(i0), free(p);
}

/* log I crosses 0 near x = 0.66 v: two numbers of size v cancel there. */
static void test_crossing(void **state)
{
    (void)state;
    for (double v = 10; v < 2e5; v *= 3.7) {
        double low = 0.1 * v, high = v + 10;
        for (int step = 0; step < 60; step++) {
            double middle = 0.5 * (low + high);
            if (nigh_log_bessel_i(v, middle) < 0) low = middle;
            else high = middle;
        }
        assert_true(off(nigh_log_bessel_i(v, low), bessel_reference_log_i(v, low)) < 5e-15);
    }
}

#if defined(NIGH_HAVE_ARB)
/* |log of the middle of a ball| against a logarithm in quadruple precision, whose double and rest are compared apart. */
static void check_ball(arb_t ball, nigh_f128 value, double v, double x, const char *name)
{
    arb_t rest, part;
    arb_init(rest), arb_init(part);
    arb_log(ball, ball, 300);
    double high = (double)value;
    arb_set_d(part, high);
    arb_sub(rest, ball, part, 300);
    arb_set_d(part, (double)(value - high));
    arb_sub(rest, rest, part, 300);
    double error = fabs(arf_get_d(arb_midref(rest), ARF_RND_NEAR)), radius = mag_get_d(arb_radref(rest));
    if (!(error + radius <= 1e-25 * (1 + v + x))) fail_msg("%s at v = %g, x = %g: %g off, radius %g", name, v, x, error, radius);
    arb_clear(part), arb_clear(rest);
}

static void test_reference_by_balls(void **state)
{
    (void)state;
    nigh_rng rng = nigh_rng_new(5, 0);
    arb_t order, argument, ball;
    arb_init(order), arb_init(argument), arb_init(ball);
    for (int i = 0; i < 60; i++) {
        double v = exp(log(1e-2) + log(1e6) * nigh_rng_f64(&rng)), x = exp(log(1e-3) + log(1e6) * nigh_rng_f64(&rng));
        if (i == 0) v = 0;
        if (i == 1) v = 17.25, x = 1e-20;
        arb_set_d(order, v), arb_set_d(argument, x);
        arb_hypgeom_bessel_i(ball, order, argument, 6000);
        check_ball(ball, bessel_reference_log_i(v, x), v, x, "log I");
        arb_hypgeom_bessel_k(ball, order, argument, 6000);
        check_ball(ball, bessel_reference_log_k(v, x), v, x, "log K");
    }
    arb_clear(ball), arb_clear(argument), arb_clear(order);
    flint_cleanup();
}
#endif

/* ---- identities ---- */

static void test_identities(void **state)
{
    (void)state;
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int i = 0; i < 4000; i++) {
        double v = exp(log(1e-2) + log(1e7) * nigh_rng_f64(&rng)), x = exp(log(1e-3) + log(1e8) * nigh_rng_f64(&rng));
        double li = nigh_log_bessel_i(v, x), lk = nigh_log_bessel_k(v, x), ri = nigh_bessel_ratio_i(v, x), rk = nigh_bessel_ratio_k(v, x);
        assert_near(li + lk + log(ri + rk), -log(x), 2e-15 * fmax(10, fabs(li)), 0); /* Wronskian */
        assert_near(1 / ri, 2 * (v + 1) / x + nigh_bessel_ratio_i(v + 1, x), 0, 1e-14); /* recurrences */
        assert_near(nigh_bessel_ratio_k(v + 1, x), 2 * (v + 1) / x + 1 / rk, 0, 1e-14);
        /* Amos: x / (v + 1/2 + sqrt(x^2 + (v + 3/2)^2)) <= ratio <= x / (v + 1/2 + sqrt(x^2 + (v + 1/2)^2)) */
        assert_true(ri >= x / (v + 0.5 + hypot(x, v + 1.5)) * (1 - 1e-14) && ri <= x / (v + 0.5 + hypot(x, v + 0.5)) * (1 + 1e-14));
        assert_true(nigh_bessel_ratio_i(v, x * 1.001) > ri && nigh_bessel_ratio_k(v, x * 1.001) < rk); /* monotone in x */
        assert_true(nigh_bessel_ratio_i(v * 1.001, x) < ri && nigh_bessel_ratio_k(v * 1.001, x) > rk); /* and in v */
        assert_true(nigh_log_bessel_k(-v, x) == lk);
        assert_near(nigh_log_bessel_i_derivative(v, x) - nigh_log_bessel_k_derivative(v, x), ri + rk, 0, 1e-14);
    }
}

static void test_closed_forms(void **state)
{
    (void)state;
    const double pi = 3.14159265358979323846;
    for (double x = 1e-6; x < 600; x *= 1.37) {
        assert_near(nigh_log_bessel_i(0.5, x), log(sqrt(2 / (pi * x)) * sinh(x)), 1e-14, 1e-15);
        assert_near(nigh_log_bessel_k(0.5, x), 0.5 * log(pi / (2 * x)) - x, 1e-14, 1e-15);
        assert_near(nigh_log_bessel_k(1.5, x), 0.5 * log(pi / (2 * x)) - x + log1p(1 / x), 1e-14, 1e-15);
        assert_near(nigh_bessel_ratio_k(0.5, x), 1 + 1 / x, 0, 4e-15);
        if (x > 0.1) assert_near(nigh_bessel_ratio_i(0.5, x), 1 / tanh(x) - 1 / x, 1e-14, 0);
        assert_near(nigh_bessel_i_scaled(0.5, x), sqrt(2 / (pi * x)) * -expm1(-2 * x) / 2, 0, 1e-14);
        assert_near(nigh_bessel_k_scaled(0.5, x), sqrt(pi / (2 * x)), 0, 1e-14);
    }
    assert_near(exp(nigh_log_bessel_i(0, 1)), 1.2660658777520083356, 0, 1e-14);
    assert_near(exp(nigh_log_bessel_k(0, 1)), 0.42102443824070833334, 0, 1e-14);
    assert_near(exp(nigh_log_bessel_k(1, 1)), 0.60190723019723457474, 0, 1e-14);
    assert_true(nigh_log_bessel_i(-3, 2) == nigh_log_bessel_i(3, 2));
}

/* ---- far out ---- */

static void test_extremes(void **state)
{
    (void)state;
    static const double v[] = {0, 1e-300, 1e-9, 0.005, 0.3, 0.5, 0.75, 3, 17, 18.5, 500, 1e5, 1e14, 1e16, 1e150, 1e300},
                        x[] = {5e-324, 1e-300, 1e-150, 1e-139, 1e-20, 1e-3, 1, 20, 1e4, 1e14, 1e16, 1e200, 1e300};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        for (size_t j = 0; j < sizeof x / sizeof *x; j++) {
            double a = nigh_log_bessel_i(v[i], x[j]), b = nigh_log_bessel_k(v[i], x[j]), r = nigh_bessel_ratio_i(v[i], x[j]);
            if (!isfinite(a) || !isfinite(b) || !(r >= 0 && r <= 1)) fail_msg("v = %g, x = %g: %g, %g, %g", v[i], x[j], a, b, r);
            assert_true(!isnan(nigh_bessel_ratio_k(v[i], x[j])) && nigh_bessel_ratio_k(v[i], x[j]) >= 1);
            assert_true(!isnan(nigh_log_bessel_i_scaled(v[i], x[j])) && !isnan(nigh_log_bessel_k_scaled(v[i], x[j])));
            if (x[j] > 1e-150 || v[i] > 0) continue;
            assert_near(b, log(-log(x[j] / 2) - 0.57721566490153286061), 0, 1e-15); /* K_0 near 0 */
        }
    /* one step across the borders of the kernels changes the logarithm by what its slope says */
    for (double order = 0.1; order < 1e4; order *= 7) {
        double in = nextafter(1e-140, 1), at = 1e-140, far_in = nextafter(1e15, 0), far_at = nextafter(1e15, 2e15);
        assert_near(nigh_log_bessel_i(order, in), nigh_log_bessel_i(order, at), 0, 1e-15);
        assert_near(nigh_log_bessel_k(order, in), nigh_log_bessel_k(order, at), 0, 1e-15);
        assert_near(nigh_bessel_ratio_i(order, in), nigh_bessel_ratio_i(order, at), 0, 3e-15);
        assert_near(nigh_bessel_ratio_k(order, in), nigh_bessel_ratio_k(order, at), 0, 6e-15);
        assert_near(nigh_log_bessel_i_scaled(order, far_in), nigh_log_bessel_i_scaled(order, far_at), 0, 1e-15);
        assert_near(nigh_log_bessel_k_scaled(order, far_in), nigh_log_bessel_k_scaled(order, far_at), 0, 1e-15);
        assert_near(nigh_log_bessel_k(far_in, order), nigh_log_bessel_k(far_at, order), 0, 2e-15);
        assert_near(nigh_bessel_ratio_i(far_in, order), nigh_bessel_ratio_i(far_at, order), 0, 1e-15);
    }
}

static void test_bad_input(void **state)
{
    (void)state;
    assert_true(nigh_log_bessel_i(0, 0) == 0 && nigh_log_bessel_i(2, 0) == -INFINITY && nigh_log_bessel_k(0, 0) == INFINITY);
    assert_true(nigh_bessel_ratio_i(1, 0) == 0 && nigh_bessel_ratio_k(1, 0) == INFINITY);
    assert_true(nigh_log_bessel_i_derivative(0, 0) == 0 && nigh_log_bessel_i_derivative(2, 0) == INFINITY);
    assert_true(nigh_log_bessel_k_derivative(2, 0) == -INFINITY);
    assert_true(nigh_log_bessel_i(2, INFINITY) == INFINITY && nigh_log_bessel_k(2, INFINITY) == -INFINITY);
    assert_true(nigh_log_bessel_i_scaled(2, INFINITY) == -INFINITY && nigh_bessel_ratio_i(2, INFINITY) == 1);
    assert_true(nigh_log_bessel_i_derivative(2, INFINITY) == 1 && nigh_log_bessel_k_derivative(2, INFINITY) == -1);
    assert_true(nigh_log_bessel_i(INFINITY, 2) == -INFINITY && nigh_log_bessel_k(INFINITY, 2) == INFINITY);
    const double bad[][2] = {{NAN, 1}, {1, NAN}, {1, -1}, {INFINITY, INFINITY}, {1, -INFINITY}};
    for (int i = 0; i < 5; i++)
        for (int f = 0; f < NIGH_BESSEL_FUNCTIONS; f++) {
            double y = 0;
            nigh_bessel_f64((nigh_bessel)f, 0, 1, &bad[i][0], &bad[i][1], &y);
            assert_true(isnan(y));
        }
    assert_true(isnan(nigh_log_bessel_i(-0.5, 1)) && isnan(nigh_bessel_ratio_i(-1, 1)) && isnan(nigh_bessel_ratio_k(-1, 1)));
    double y = 0, v = 1, x = 1;
    nigh_bessel_f64((nigh_bessel)99, 0, 1, &v, &x, &y);
    assert_true(isnan(y));
}

/* ---- arrays ---- */

static double single(int what, double v, double x)
{
    switch (what) {
    case NIGH_LOG_BESSEL_I: return nigh_log_bessel_i(v, x);
    case NIGH_LOG_BESSEL_K: return nigh_log_bessel_k(v, x);
    case NIGH_LOG_BESSEL_I_SCALED: return nigh_log_bessel_i_scaled(v, x);
    case NIGH_LOG_BESSEL_K_SCALED: return nigh_log_bessel_k_scaled(v, x);
    case NIGH_BESSEL_RATIO_I: return nigh_bessel_ratio_i(v, x);
    case NIGH_BESSEL_RATIO_K: return nigh_bessel_ratio_k(v, x);
    case NIGH_LOG_BESSEL_I_DERIVATIVE: return nigh_log_bessel_i_derivative(v, x);
    case NIGH_LOG_BESSEL_K_DERIVATIVE: return nigh_log_bessel_k_derivative(v, x);
    case NIGH_BESSEL_I_SCALED: return nigh_bessel_i_scaled(v, x);
    default: return nigh_bessel_k_scaled(v, x);
    }
}

/* An array gives the bits of the single calls whatever its length and wherever the point stands, also in place. */
static void test_arrays(void **state)
{
    (void)state;
    points *p = points_new();
    static double y[1300], v[1300];
    p->x[3] = 0, p->v[9] = NAN, p->x[700] = 1e200;
    for (int what = 0; what < NIGH_BESSEL_FUNCTIONS; what++)
        for (int n = 0; n < 1300; n = n < 20 ? n + 1 : 2 * n + 5) {
            memcpy(v, p->v, sizeof v);
            y[n] = 42;
            nigh_bessel_f64((nigh_bessel)what, 0, n, v, p->x, y);
            assert_true(y[n] == 42);
            nigh_bessel_f64((nigh_bessel)what, 0, n, v, p->x, v);
            assert_memory_equal(v, y, (size_t)n * sizeof *y);
            for (int i = 0; i < n; i++) {
                double want = single(what, p->v[i], p->x[i]);
                if (!(y[i] == want || (isnan(y[i]) && isnan(want)))) fail_msg("function %d, place %d of %d: %.17g, %.17g alone", what, i, n, y[i], want);
            }
        }
    free(p);
}

static void test_f32(void **state)
{
    (void)state;
    points *p = points_new();
    static float v[RANDOM], x[RANDOM], y[RANDOM];
    for (int i = 0; i < RANDOM; i++) v[i] = (float)p->v[i], x[i] = (float)p->x[i];
    for (int what = 0; what <= NIGH_LOG_BESSEL_K_DERIVATIVE; what++) {
        nigh_bessel_f32((nigh_bessel)what, RANDOM, v, x, y);
        for (int i = 0; i < RANDOM; i++) {
            double truth = single(what, (double)v[i], (double)x[i]);
            assert_near((double)y[i], truth, what < NIGH_BESSEL_RATIO_I ? 1e-8 : 0, 0x1.4p-24);
        }
    }
    nigh_log_bessel_i_f32(1, v, x, y), nigh_log_bessel_k_f32(1, v, x, y + 1);
    assert_near((double)y[0], nigh_log_bessel_i((double)v[0], (double)x[0]), 1e-8, 1e-7);
    assert_near((double)y[1], nigh_log_bessel_k((double)v[0], (double)x[0]), 1e-8, 1e-7);
    double named[4];
    nigh_log_bessel_i_f64(1, p->v, p->x, named), nigh_log_bessel_k_f64(1, p->v, p->x, named + 1);
    nigh_bessel_ratio_i_f64(1, p->v, p->x, named + 2), nigh_bessel_ratio_k_f64(1, p->v, p->x, named + 3);
    assert_true(named[0] == nigh_log_bessel_i(p->v[0], p->x[0]) && named[1] == nigh_log_bessel_k(p->v[0], p->x[0]));
    assert_true(named[2] == nigh_bessel_ratio_i(p->v[0], p->x[0]) && named[3] == nigh_bessel_ratio_k(p->v[0], p->x[0]));
    free(p);
}

/* What a stand-in would do: an expansion used too far in is seen by the measure that the tests above use. */
static void test_measure_sees_a_short_expansion(void **state)
{
    (void)state;
    double v = 12.7, x = 8, y;
    bessel_kernels_at(NIGH_CPU_SCALAR)[0]->run[BESSEL_FULL][BESSEL_LOG_I][BESSEL_DEBYE_13](1, &v, &x, 0, &y);
    assert_true(off(y, bessel_reference_log_i(v, x)) > 1e-14);
    bessel_kernels_at(NIGH_CPU_SCALAR)[0]->run[BESSEL_FULL][BESSEL_LOG_I][BESSEL_SMALL](1, &v, &x, 0, &y);
    assert_true(off(y, bessel_reference_log_i(v, x)) < 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_debye_coefficients), cmocka_unit_test(test_identities), cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_accuracy), cmocka_unit_test(test_crossing),
#if defined(NIGH_HAVE_ARB)
        cmocka_unit_test(test_reference_by_balls),
#endif
        cmocka_unit_test(test_extremes), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_arrays), cmocka_unit_test(test_f32),
        cmocka_unit_test(test_measure_sees_a_short_expansion)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
