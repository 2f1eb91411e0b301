/* Enclosures by Arb: they hold the quadruple-precision values and Taylor coefficients, at points and over balls. */
#include "support.h"

#include "core/expr.h"
#include "function/enclosure.h"
#include "nigh/random.h"

#include <math.h>
#include <string.h>

#if defined(NIGH_HAVE_ARB)
#include <flint/flint.h>

typedef struct sample {
    const char *text;
    double low, high;
} sample;

/* Every operation of nigh/expr.h, and some expressions. */
static const sample samples[] = {
    {"x + 0.1", -3, 3}, {"x - 2", -3, 3}, {"x * x", -3, 3}, {"3 / x", .1, 3}, {"3 / x", -3, -.1}, {"x ^ 3", -3, 3}, {"x ^ -2", .2, 3},
    {"x ^ 0.7", .1, 30}, {"x ^ x", .1, 4}, {"2 ^ x", -5, 5}, {"(x - 5) ^ -3", -3, 3}, {"min(x, 1)", 1.01, 3}, {"max(x, 1)", 1.01, 3},
    {"hypot(x, 2)", -3, 3}, {"atan2(x, 2)", -3, 3}, {"atan2(2, x)", -3, 3}, {"-x", -3, 3}, {"abs(x)", .1, 3}, {"abs(x)", -3, -.1},
    {"floor(x)", .01, .99}, {"sqrt(x)", 1e-3, 1e3}, {"rsqrt(x)", 1e-3, 1e3}, {"cbrt(x)", .01, 100}, {"cbrt(x)", -100, -.01},
    {"exp(x)", -100, 100}, {"exp2(x)", -100, 100}, {"expm1(x)", -.01, .01}, {"log(x)", .5, 2}, {"log2(x)", 1e-3, 1e3},
    {"log10(x)", 1e-3, 1e3}, {"log1p(x)", -.9, 3}, {"sin(x)", -1e4, 1e4}, {"cos(x)", -30, 30}, {"tan(x)", -1.5, 1.5},
    {"asin(x)", -.99, .99}, {"acos(x)", -.99, .99}, {"atan(x)", -30, 30}, {"sinh(x)", -30, 30}, {"cosh(x)", -30, 30},
    {"tanh(x)", -60, 60}, {"asinh(x)", -30, 30}, {"acosh(x)", 1.01, 30}, {"atanh(x)", -.99, .99}, {"erf(x)", -6, 6}, {"erfc(x)", -6, 25},
    {"sigmoid(x)", -90, 90}, {"gelu(x)", -12, 12}, {"silu(x)", -90, 90}, {"softplus(x)", -90, 90},
    {"exp(-x*x)*cos(3*x)", -4, 4}, {"(exp(x) - 1) / x", 1e-5, 1}, {"log(1 + exp(sin(x)))", -5, 5}, {"sqrt(1 + x^2) - x", -5, 5},
    {"max(x, 0.1*x) + x^2", -3, -.1},
};

static nigh_expr *parsed(nigh_context *ctx, const char *text)
{
    const char *x = "x";
    nigh_expr *expr = NULL;
    assert_ok(ctx, nigh_expr_parse(ctx, text, &x, 1, &expr));
    return expr;
}

/* value +- slack meets the ball */
static bool meets(const arb_t ball, nigh_f128 value, double slack)
{
    arb_t other, room;
    arb_init(other);
    arb_init(room);
    function_ball_set_f128(other, value);
    arb_set_d(room, slack);
    arb_add_error(other, room);
    bool good = arb_is_finite(ball) && arb_overlaps(ball, other);
    arb_clear(other);
    arb_clear(room);
    return good;
}

static void test_numbers(void **state)
{
    (void)state;
    static const double powers[] = {0, 1, -1, 0x1p-1074, 0x1p1023, 1.0 / 3};
    arb_t ball, expected;
    arb_init(ball);
    arb_init(expected);
    for (int i = 0; i < 6; i++) {
        nigh_f128 x = powers[i];
        function_ball_set_f128(ball, x);
        arb_set_d(expected, powers[i]);
        assert_true(arb_equal(ball, expected));
        x *= 1 + Q(0x1p-112);
        x *= Q(0x1p1000);
        x *= Q(0x1p1000);
        function_ball_set_f128(ball, x);
        arb_mul_2exp_si(expected, expected, -112);
        arb_t whole;
        arb_init(whole);
        arb_set_d(whole, powers[i]);
        arb_add(expected, expected, whole, ARF_PREC_EXACT);
        arb_mul_2exp_si(expected, expected, 2000);
        if (i != 5) assert_true(arb_equal(ball, expected)); /* 1/3 of a double times that is rounded */
        arb_clear(whole);
    }
    function_ball_set_f128(ball, (nigh_f128)NAN);
    assert_false(arb_is_finite(ball));
    arb_clear(ball);
    arb_clear(expected);
}

static void test_every_operation_is_there(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    bool seen[NIGH_OP_COUNT] = {false};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        nigh_expr *expr = parsed(ctx, samples[i].text);
        const nigh_step *step;
        int steps = nigh_expr_steps(expr, &step);
        for (int s = 0; s < steps; s++) seen[step[s].op] = true;
        nigh_expr_free(expr);
    }
    for (int op = 0; op < NIGH_OP_COUNT; op++)
        if (!seen[op]) fail_msg("no sample has '%s'", nigh_op_name((nigh_op)op));
    test_context_free(ctx);
}

/* At points: values and coefficients agree with quadruple precision and are known to 100 bits. */
static void test_points(void **state)
{
    (void)state;
    enum { LENGTH = 9, POINTS = 40 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(11, 1);
    arb_ptr c = _arb_vec_init(LENGTH);
    arb_t x, value;
    arb_init(x);
    arb_init(value);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        nigh_expr *expr = parsed(ctx, samples[i].text);
        for (int p = 0; p < POINTS; p++) {
            double at = samples[i].low + (samples[i].high - samples[i].low) * nigh_rng_f64(&rng);
            nigh_f128 point = at, jet[LENGTH];
            arb_set_d(x, at);
            function_enclose(value, expr, x, 160);
            nigh_f128 f = nigh_expr_eval_f128(expr, &point);
            if (!meets(value, f, fabs((double)f) * 1e-26 + 1e-300)) fail_msg("%s at %.17g", samples[i].text, at);
            if (f != 0 && arb_rel_accuracy_bits(value) < 90)
                fail_msg("%s at %.17g is known to %ld bits", samples[i].text, at, arb_rel_accuracy_bits(value));
            assert_ok(ctx, nigh_expr_jet(ctx, expr, point, LENGTH - 1, jet));
            function_enclose_series(c, expr, x, LENGTH, 160);
            for (int k = 0; k < LENGTH; k++) { /* quadruple jets lose digits against the largest coefficient nearby */
                double size = fabs((double)jet[k]), reach = fmin(1, fabs(at));
                for (int j = 0; j < LENGTH; j++) size = fmax(size, fabs((double)jet[j]) * pow(reach, j - k));
                if (!meets(&c[k], jet[k], size * 1e-23 + 1e-300)) fail_msg("%s at %.17g: coefficient %d", samples[i].text, at, k);
            }
        }
        nigh_expr_free(expr);
    }
    _arb_vec_clear(c, LENGTH);
    arb_clear(x);
    arb_clear(value);
    test_context_free(ctx);
}

/* Over balls: what holds everywhere holds at points inside; the Lagrange remainder bounds the Taylor polynomial's error. */
static void test_balls(void **state)
{
    (void)state;
    enum { LENGTH = 8, BALLS = 12, INSIDE = 6 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(12, 1);
    arb_ptr c = _arb_vec_init(LENGTH);
    arb_t x, value, room;
    arb_init(x);
    arb_init(value);
    arb_init(room);
    mag_t most;
    mag_init(most);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        nigh_expr *expr = parsed(ctx, samples[i].text);
        double span = samples[i].high - samples[i].low;
        for (int p = 0; p < BALLS; p++) {
            double share = p % 3 == 0 ? .5 : p % 3 == 1 ? .02 : 1e-4, radius = .5 * share * span;
            double at = samples[i].low + radius + (span - 2 * radius) * nigh_rng_f64(&rng);
            arb_set_d(x, at);
            arb_set_d(room, radius);
            arb_add_error(x, room);
            function_enclose_series(c, expr, x, LENGTH, 128);
            function_enclose(value, expr, x, 128);
            bool finite = arb_is_finite(&c[LENGTH - 1]);
            if (share < 1e-3 && !finite) fail_msg("%s: nothing known around %.17g", samples[i].text, at);
            nigh_f128 around[LENGTH], jet[LENGTH];
            assert_ok(ctx, nigh_expr_jet(ctx, expr, at, LENGTH - 1, around));
            for (int j = 0; j < INSIDE; j++) {
                double offset = radius * (2 * nigh_rng_f64(&rng) - 1) * .999999;
                nigh_f128 point = (nigh_f128)at + offset, f = nigh_expr_eval_f128(expr, &point), taylor = 0;
                if (arb_is_finite(value) && !meets(value, f, fabs((double)f) * 1e-25 + 1e-300))
                    fail_msg("%s at %.17g +- %g", samples[i].text, at, radius);
                assert_ok(ctx, nigh_expr_jet(ctx, expr, point, LENGTH - 1, jet));
                for (int k = 0; k < LENGTH; k++)
                    if (arb_is_finite(&c[k]) && !meets(&c[k], jet[k], fabs((double)jet[k]) * 1e-15 + 1e-25))
                        fail_msg("%s at %.17g +- %g: coefficient %d", samples[i].text, at, radius, k);
                for (int k = LENGTH - 2; k >= 0; k--) taylor = taylor * offset + around[k];
                arb_get_mag(most, &c[LENGTH - 1]);
                double bound = mag_get_d(most) * pow(fabs(offset), LENGTH - 1) * (1 + 1e-12), off = fabs((double)(taylor - f));
                double rounding = 1e-26;
                for (int k = 0; k < LENGTH; k++) rounding += 1e-24 * fabs((double)around[k]) * pow(fabs(offset), k);
                if (finite && off > bound + rounding) fail_msg("%s at %.17g +- %g: remainder %g, bound %g", samples[i].text, at, radius, off, bound);
            }
        }
        nigh_expr_free(expr);
    }
    mag_clear(most);
    _arb_vec_clear(c, LENGTH);
    arb_clear(x);
    arb_clear(value);
    arb_clear(room);
    test_context_free(ctx);
}

/* Kinks and jumps have a hull and no series; tails and huge arguments keep their digits; nothing hangs. */
static void test_edges(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text;
        double middle, radius, low, high;
    } hulls[] = {
        {"abs(x)", .5, 1, 0, 1.5}, {"min(x, 1)", 1, 1, 0, 1}, {"max(x, 1)", 1, 1, 1, 2}, {"floor(x)", 1.5, 1, 0, 2}, {"sqrt(x)", .5, .5, 0, 1},
        {"x^0.5", .5, .5, 0, 1}, {"x^2", 0, 2, 0, 4}, {"cbrt(x)", 0, 8, -2, 2}, {"tanh(x)", 0, 1e30, -1, 1}, {"exp(x)", -1e5, 9e4, 0, 1e-300},
        {"sin(x)", 1e6, 1e5, -1, 1}, {"x*x", 1, 3, 0, 16},
    };
    arb_ptr c = _arb_vec_init(4);
    arb_t x, value, room;
    arb_init(x);
    arb_init(value);
    arb_init(room);
    arf_t end;
    arf_init(end);
    for (size_t i = 0; i < sizeof hulls / sizeof *hulls; i++) {
        nigh_expr *expr = parsed(ctx, hulls[i].text);
        arb_set_d(x, hulls[i].middle);
        mag_one(arb_radref(x)); /* exactly, where that is a power of two */
        if (hulls[i].radius == .5) mag_mul_2exp_si(arb_radref(x), arb_radref(x), -1);
        else if (hulls[i].radius != 1) mag_set_d(arb_radref(x), hulls[i].radius);
        function_enclose(value, expr, x, 128);
        arb_get_lbound_arf(end, value, 53);
        double low = arf_get_d(end, ARF_RND_FLOOR);
        arb_get_ubound_arf(end, value, 53);
        double high = arf_get_d(end, ARF_RND_CEIL), slack = 1e-7 * (1 + hulls[i].high) + (hulls[i].text[0] == 's' ? 3 : 0);
        if (!(low <= hulls[i].low && low > hulls[i].low - slack)) fail_msg("%s: low %g", hulls[i].text, low);
        if (!(high >= hulls[i].high && high < hulls[i].high + slack) && hulls[i].high != 1e-300)
            fail_msg("%s: high %g", hulls[i].text, high);
        function_enclose_series(c, expr, x, 4, 128);
        if (i < 6) assert_false(arb_is_finite(&c[1]) && arb_is_finite(&c[2]) && arb_is_finite(&c[3]));
        nigh_expr_free(expr);
    }
    static const char *const far[] = {"exp(x)", "exp2(x)", "sinh(x)", "tanh(x)", "erf(x)", "erfc(x)", "sigmoid(x)", "gelu(x)", "silu(x)",
                                      "softplus(x)", "sin(x)", "cos(x)", "tan(x)", "exp(exp(x))", "sin(exp(x))", "x^1000", "1.1^x",
                                      "atan(x)", "expm1(x)", "cosh(x)", "sqrt(x)", "log(x)", "asin(x)", "asinh(x)", "floor(x)", "x^x"};
    static const double places[] = {0, 0x1p-149, -0x1p-149, 1e-300, 1, 88, -88, -105, 700, 1e4, -1e4, 3e38, -3e38, 1e300, -1e300};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        nigh_expr *expr = parsed(ctx, far[i]);
        for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
            arb_set_d(x, places[p]);
            function_enclose_series(c, expr, x, 4, 128);
            function_enclose_at(value, expr, places[p], 60);
            nigh_f128 point = places[p], f = nigh_expr_eval_f128(expr, &point);
            bool lost = strcmp(far[i], "sin(exp(x))") == 0 && fabs(places[p]) > 40; /* quadruple precision has no digit left */
            if (!lost && f128_finite(f) && fabs((double)f) > 1e-300 && fabs((double)f) < 1e300 && !meets(value, f, 1e-13 * fabs((double)f)))
                fail_msg("%s at %g", far[i], places[p]);
            for (int wide = 1; wide < 3; wide++) {
                mag_set_d(arb_radref(x), wide == 1 ? 1 : 1e30);
                function_enclose_series(c, expr, x, 4, 128);
            }
        }
        nigh_expr_free(expr);
    }
    nigh_expr *cancels = parsed(ctx, "exp(x) - 1 - x"); /* 2^-201 lies 200 bits below its parts */
    function_enclose_at(value, cancels, 0x1p-100, 60);
    assert_true(arb_rel_accuracy_bits(value) >= 60 && meets(value, Q(0x1p-201), 0x1p-260 + 1e-90));
    nigh_expr_free(cancels);
    arf_clear(end);
    arb_clear(x);
    arb_clear(value);
    arb_clear(room);
    _arb_vec_clear(c, 4);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_every_operation_is_there),
                                       cmocka_unit_test(test_points), cmocka_unit_test(test_balls), cmocka_unit_test(test_edges)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    flint_cleanup();
    return failed;
}
#else
int main(void)
{
    return 0;
}
#endif
