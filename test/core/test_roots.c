/* nigh/roots.h: known zeros and minima in three precisions, hard shapes, bad input. */
#include "support.h"
#include "nigh/roots.h"

#include <math.h>
#include <string.h>

typedef struct counted {
    int calls, shape;
} counted;

static double curve(void *user, double x)
{
    counted *c = user;
    c->calls++;
    switch (c->shape) {
    case 0: return x * x - 2;
    case 1: return x < 0.3 ? -1 : 1;              /* a jump */
    case 2: return pow(x - 0.7, 9);               /* flat at the zero */
    case 3: return 2 - exp(x);                    /* falling */
    case 4: return x > 0.5 ? NAN : x - 0.9;
    default: return (x - 0.6) * (x - 0.6) + 3;    /* no zero; minimum at 0.6 */
    }
}

static void slope_curve(void *user, double x, double *value, double *slope)
{
    counted *c = user;
    *value = curve(user, x);
    *slope = c->shape == 0 ? 2 * x : c->shape == 2 ? 9 * pow(x - 0.7, 8) : c->shape == 3 ? -exp(x) : 0;
}

static void zeros(void **state)
{
    nigh_context *ctx = test_context_new();
    const double want[] = {sqrt(2), 0.3, 0.7, log(2)};
    for (int shape = 0; shape < 4; shape++) {
        counted c = {0, shape};
        double x = 0, near = shape == 2 ? 1e-2 : 4e-16; /* (x - .7)^9 underflows to nothing around its zero */
        assert_ok(ctx, nigh_root_bisect(ctx, curve, &c, 0, 2, 0, &x));
        assert_near(x, want[shape], near, 0);
        c.calls = 0;
        assert_ok(ctx, nigh_root_brent(ctx, curve, &c, 0, 2, 0, &x));
        assert_near(x, want[shape], near, 0);
        assert_true(c.calls < (shape == 0 || shape == 3 ? 15 : 400));
        c.calls = 0;
        assert_ok(ctx, nigh_root_newton(ctx, slope_curve, &c, 0, 2, 0, &x));
        assert_near(x, want[shape], near, 0);
        assert_true(c.calls < (shape == 0 || shape == 3 ? 15 : 400));
    }
    counted c = {0, 0};
    double x;
    assert_ok(ctx, nigh_root_bisect(ctx, curve, &c, 0, 2, 0.1, &x));
    assert_true(c.calls <= 8 && fabs(x - sqrt(2)) <= 0.05);
    c.shape = 5;
    assert_ok(ctx, nigh_minimum_golden(ctx, curve, &c, -3, 2, 0, &x));
    assert_near(x, 0.6, 1e-7, 0);
    test_context_free(ctx);
}

static double line(void *user, double x) { return x; }

static void zero_at_an_end_and_at_0(void **state)
{
    nigh_context *ctx = test_context_new();
    double x = 9;
    assert_ok(ctx, nigh_root_brent(ctx, line, NULL, 0, 2, 0, &x));
    assert_true(x == 0);
    assert_ok(ctx, nigh_root_bisect(ctx, line, NULL, -3, 0, 0, &x));
    assert_true(x == 0);
    assert_ok(ctx, nigh_root_bisect(ctx, line, NULL, -3, 2, 0, &x));
    assert_near(x, 0, 1e-300, 0);
    assert_ok(ctx, nigh_root_brent(ctx, line, NULL, -3, 2, 0, &x));
    assert_near(x, 0, 1e-300, 0);
    test_context_free(ctx);
}

static long double square_l(void *user, long double x) { return x * x - 2; }
static void slope_l(void *user, long double x, long double *value, long double *slope)
{
    *value = x * x - 2;
    *slope = 2 * x;
}

#ifdef __SIZEOF_FLOAT128__
static __float128 square_q(void *user, __float128 x) { return x * x - 2; }
static __float128 bowl_q(void *user, __float128 x) { return (x - 1) * (x - 1); }
static void slope_q(void *user, __float128 x, __float128 *value, __float128 *slope)
{
    *value = x * x - 2;
    *slope = 2 * x;
}
#endif

static void wide_types(void **state)
{
    nigh_context *ctx = test_context_new();
    long double x;
    assert_ok(ctx, nigh_root_bisectl(ctx, square_l, NULL, 0, 2, 0, &x));
    assert_true(fabsl(x * x - 2) < 1e-18L);
    assert_ok(ctx, nigh_root_brentl(ctx, square_l, NULL, 0, 2, 0, &x));
    assert_true(fabsl(x * x - 2) < 1e-18L);
    assert_ok(ctx, nigh_root_newtonl(ctx, slope_l, NULL, 0, 2, 0, &x));
    assert_true(fabsl(x * x - 2) < 1e-18L);
#ifdef __SIZEOF_FLOAT128__
    __float128 y;
    assert_ok(ctx, nigh_root_bisectq(ctx, square_q, NULL, 0, 2, 0, &y));
    assert_true(fabs((double)(y * y - 2)) < 1e-32);
    assert_ok(ctx, nigh_root_brentq(ctx, square_q, NULL, 0, 2, 0, &y));
    assert_true(fabs((double)(y * y - 2)) < 1e-32);
    assert_ok(ctx, nigh_root_newtonq(ctx, slope_q, NULL, 0, 2, 0, &y));
    assert_true(fabs((double)(y * y - 2)) < 1e-32);
    assert_ok(ctx, nigh_minimum_goldenq(ctx, bowl_q, NULL, 0, 3, 0, &y));
    assert_true(fabs((double)(y - 1)) < 1e-15);
#endif
    test_context_free(ctx);
}

static void bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    counted c = {0, 0};
    double x = 7;
    assert_fails(ctx, nigh_root_brent(ctx, curve, &c, 2, 1, 0, &x), NIGH_INVALID, "range is 2 to 1");
    assert_fails(ctx, nigh_root_brent(ctx, curve, &c, NAN, 1, 0, &x), NIGH_INVALID, "range");
    assert_fails(ctx, nigh_root_bisect(ctx, curve, &c, 0, INFINITY, 0, &x), NIGH_INVALID, "range");
    assert_fails(ctx, nigh_root_bisect(ctx, curve, &c, 0, 2, -1, &x), NIGH_INVALID, "tolerance is -1");
    assert_fails(ctx, nigh_root_newton(ctx, slope_curve, &c, 2, 3, 0, &x), NIGH_INVALID, "one sign");
    c.shape = 4;
    assert_fails(ctx, nigh_root_brent(ctx, curve, &c, 0, 1, 0, &x), NIGH_FAILED, "NaN at 1");
    assert_fails(ctx, nigh_minimum_golden(ctx, curve, &c, 0, 1, 0, &x), NIGH_FAILED, "NaN");
    assert_true(x == 7);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros),
        cmocka_unit_test(zero_at_an_end_and_at_0),
        cmocka_unit_test(wide_types),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
