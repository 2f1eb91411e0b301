/* Best approximations: equioscillation, known errors, rationals, degenerate cases, failures. */
#include <math.h>
#include <string.h>

#include "core/expr.h"
#include "function/rational.h"
#include "support.h"

typedef struct curve {
    int which;
    bool relative;
} curve;

static nigh_f128 value_of(int which, nigh_f128 v)
{
    switch (which) {
    case 0: return F128(exp)(v);
    case 1: return F128(cos)(v);
    case 2: return v < 0 ? -v : v;
    case 3: return 1 / (1 + 25 * v * v);
    case 4: return v * v * v;
    case 5: return F128(sin)(20 * v);
    case 6: return F128(tanh)(4 * (1 + v));
    default: return NAN;
    }
}

static void at(const void *user, nigh_f128 v, nigh_f128 *value, nigh_f128 *weight)
{
    const curve *c = user;
    *value = value_of(c->which, v);
    *weight = c->relative ? 1 / (*value < 0 ? -*value : *value) : 1;
}

static remez_problem problem_of(const curve *c)
{
    return (remez_problem){-1, 1, at, c, true, 0};
}

/* Errors alternate at degree + 2 places with equal size, seen on a grid finer than the one of the fit. */
static void assert_levelled(const remez_problem *problem, const nigh_f128 *c, int degree, double error)
{
    enum { FINE = 60001 };
    static nigh_f128 e[FINE];
    int index[64];
    for (int i = 0; i < FINE; i++) {
        nigh_f128 z = -cosl(3.14159265358979323846L * i / (FINE - 1)), value, weight;
        problem->at(problem->user, remez_unscale(problem, z), &value, &weight);
        e[i] = weight * (value - remez_chebyshev_value(c, degree, z));
    }
    /* longer than 4096 sign changes never: smooth curves */
    assert_true(remez_alternation(e, FINE, degree + 2, index));
    for (int i = 0; i < degree + 2; i++) {
        assert_near(fabs((double)e[index[i]]), error, 0, 1e-6);
        if (i) assert_true((e[index[i]] > 0) != (e[index[i - 1]] > 0));
    }
}

static void equioscillation(void **state)
{
    nigh_context *ctx = test_context_new();
    const int degrees[] = {1, 2, 5, 8, 12};
    for (int which = 0; which < 2; which++) {
        curve c = {which == 0 ? 0 : 5, false};
        for (int weighted = 0; weighted < 2 - which; weighted++) {
            c.relative = weighted;
            remez_problem problem = problem_of(&c);
            remez_grid grid;
            assert_ok(ctx, remez_grid_new(ctx, &problem, 300, &grid));
            for (int i = 0; i < 5; i++) {
                nigh_f128 p[REMEZ_MAX_DEGREE + 1], error, level;
                int degree = which == 0 ? degrees[i] : degrees[i] + 17;
                assert_ok(ctx, remez_polynomial(ctx, &grid, degree, p, &error, &level));
                assert_near((double)error, (double)level, 0, 1e-6);
                assert_levelled(&problem, p, degree, (double)error);
            }
            remez_grid_free(ctx, &grid);
        }
    }
    test_context_free(ctx);
}

static void known_errors(void **state)
{
    nigh_context *ctx = test_context_new();
    /* exp on [-1, 1]: degrees 1 and 5; |x| of degree 2: 1/8; x^3 of degree 2: 1/4 (Chebyshev) */
    const struct { int which, degree; double error, within; } known[] = {
        {0, 1, .2788015858, 1e-8}, {0, 5, 4.520551e-5, 1e-6}, {2, 2, .125, 1e-3}, {4, 2, .25, 1e-8}};
    for (int i = 0; i < 4; i++) {
        curve c = {known[i].which, false};
        remez_problem problem = problem_of(&c);
        remez_grid grid;
        nigh_f128 p[REMEZ_MAX_DEGREE + 1], error;
        assert_ok(ctx, remez_grid_new(ctx, &problem, 401, &grid));
        assert_ok(ctx, remez_polynomial(ctx, &grid, known[i].degree, p, &error, NULL));
        assert_near((double)error, known[i].error, 0, known[i].within);
        remez_grid_free(ctx, &grid);
    }
    test_context_free(ctx);
}

/* Even and exactly representable functions, where the plain exchange has too few or too many extrema. */
static void degenerate(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int which = 1; which <= 4; which += 3) {
        curve c = {which, false};
        remez_problem problem = problem_of(&c);
        remez_grid grid;
        double before = INFINITY;
        assert_ok(ctx, remez_grid_new(ctx, &problem, 500, &grid));
        for (int degree = 0; degree <= REMEZ_MAX_DEGREE; degree++) {
            nigh_f128 p[REMEZ_MAX_DEGREE + 1], error;
            assert_ok(ctx, remez_polynomial(ctx, &grid, degree, p, &error, NULL));
            assert_true((double)error <= before * (1 + 1e-6) + 1e-24);
            before = (double)error;
        }
        assert_true(before < 1e-24);
        remez_grid_free(ctx, &grid);
    }
    test_context_free(ctx);
}

static void powers(void **state)
{
    nigh_f128 c[7] = {1, -2, 3, .5L, -.25L, 2, 1}, a[7];
    remez_to_powers(c, 6, .75L, -.5L, a);
    for (int i = -10; i <= 10; i++) {
        nigh_f128 u = i / 10.0L, sum = 0;
        for (int k = 6; k >= 0; k--) sum = sum * u + a[k];
        assert_near((double)sum, (double)remez_chebyshev_value(c, 6, .75L * u - .5L), 1e-15, 1e-15);
    }
}

static void interpolation(void **state)
{
    nigh_context *ctx = test_context_new();
    curve c = {0, false};
    remez_problem problem = problem_of(&c);
    remez_grid grid;
    assert_ok(ctx, remez_grid_new(ctx, &problem, 200, &grid));
    for (int degree = 1; degree <= 12; degree++) { /* between best and a few times best */
        nigh_f128 p[REMEZ_MAX_DEGREE + 1], best, error;
        assert_ok(ctx, remez_polynomial(ctx, &grid, degree, p, &best, NULL));
        assert_ok(ctx, remez_interpolate(ctx, &grid, degree, p, &error));
        assert_true(error >= best * (1 - 1e-3L) && error <= 3 * best);
    }
    remez_grid_free(ctx, &grid);
    test_context_free(ctx);
}

static void rationals(void **state)
{
    nigh_context *ctx = test_context_new();
    /* exp (1,1): .02097; (2,2): 8.689e-5 (known values on [-1, 1]); Runge's function is a rational itself */
    const struct { int which, m, n; double error, within; } known[] = {
        {0, 1, 1, .0209696, 1e-4}, {0, 2, 2, 8.68942e-5, 1e-4}, {0, 3, 3, 1.5506e-7, 1e-3}, {3, 2, 2, 0, 0}, {3, 4, 4, 0, 0}, {4, 6, 6, 0, 0}};
    for (int i = 0; i < 6; i++) {
        curve c = {known[i].which, false};
        remez_problem problem = problem_of(&c);
        remez_grid grid;
        nigh_f128 p[RATIONAL_MAX_DEGREE + 1], q[RATIONAL_MAX_DEGREE + 1], error;
        assert_ok(ctx, remez_grid_new(ctx, &problem, 300, &grid));
        assert_ok(ctx, rational_minimax(ctx, &grid, known[i].m, known[i].n, false, p, q, &error));
        assert_near((double)error, known[i].error, 1e-14, known[i].within);
        for (int j = 0; j <= 2000; j++) assert_true(remez_chebyshev_value(q, known[i].n, j / 1000.0L - 1) > 0);
        remez_grid_free(ctx, &grid);
    }
    curve c = {6, false};
    remez_problem problem = problem_of(&c);
    remez_grid grid;
    assert_ok(ctx, remez_grid_new(ctx, &problem, 300, &grid));
    double before = 1;
    for (int m = 1; m <= 6; m++) { /* tanh on [0, 8]: each step gains much */
        nigh_f128 p[RATIONAL_MAX_DEGREE + 1], q[RATIONAL_MAX_DEGREE + 1], error;
        assert_ok(ctx, rational_minimax(ctx, &grid, m, m, false, p, q, &error));
        assert_true((double)error < .3 * before);
        before = (double)error;
    }
    remez_grid_free(ctx, &grid);
    test_context_free(ctx);
}

static void failures(void **state)
{
    nigh_context *ctx = test_context_new();
    curve c = {99, false};
    remez_problem problem = problem_of(&c);
    remez_grid grid;
    assert_fails(ctx, remez_grid_new(ctx, &problem, 50, &grid), NIGH_FAILED, "not finite");
    c.which = 0;
    assert_ok(ctx, remez_grid_new(ctx, &problem, 100, &grid));
    nigh_f128 p[REMEZ_MAX_DEGREE + 1], error;
    nigh_context_cancel(ctx);
    assert_fails(ctx, remez_polynomial(ctx, &grid, 5, p, &error, NULL), NIGH_INTERRUPTED, "");
    nigh_context_uncancel(ctx);
    remez_grid_free(ctx, &grid);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equioscillation), cmocka_unit_test(known_errors), cmocka_unit_test(degenerate), cmocka_unit_test(powers),
        cmocka_unit_test(interpolation), cmocka_unit_test(rationals), cmocka_unit_test(failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
