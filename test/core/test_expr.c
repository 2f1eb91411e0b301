/* Expressions: text both ways, values at every CPU level beside quadruple precision, series, derivatives, enumeration. */
#include "support.h"

#include "core/expr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const x_only[] = {"x"};

static nigh_expr *parsed(nigh_context *ctx, const char *text)
{
    nigh_expr *expr = NULL;
    assert_ok(ctx, nigh_expr_parse(ctx, text, x_only, 1, &expr));
    return expr;
}

static double value_at(nigh_context *ctx, const char *text, double x)
{
    nigh_expr *expr = parsed(ctx, text);
    nigh_f128 point = x;
    double value = (double)nigh_expr_eval_f128(expr, &point);
    nigh_expr_free(expr);
    return value;
}

/* ---- text ---- */

static void test_grammar(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text;
        double x, value;
    } cases[] = {
        {"-x^2", 3, -9},          {"2^3^2", 0, 512},           {"2^-x", 2, 0.25},        {"x - 1 - 2", 5, 2},
        {"8/4/2", 0, 1},          {"-x*-x", 3, 9},             {"+x", 4, 4},             {"x**2", 3, 9},
        {".5e1*x", 2, 10},        {"hypot(3, x)", 4, 5},       {"pow(x, 3)", 2, 8},      {"min(x, 2) + max(x, 2)", 7, 9},
        {"(((x)))", 1.5, 1.5},    {"1e0", 0, 1},               {"2*pi - x", 0, 2 * 3.14159265358979323846},
        {"floor(x)", -1.5, -2},   {"abs(x)", -2, 2},           {"log(e)*x", 3, 3},       {"rsqrt(x)", 4, 0.5},
        {"cbrt(x)", -27, -3},     {"sigmoid(x)", 0, 0.5},      {"gelu(x)", 0, 0},        {"softplus(x)", 0, 0.69314718055994531},
        {"atan2(x, 1)", 0, 0},    {"exp2(x)-2^x", 0.3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_near(value_at(ctx, cases[i].text, cases[i].x), cases[i].value, 1e-15, 1e-15);
    test_context_free(ctx);
}

static void test_errors(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_expr *expr = NULL;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "position 1: a number, a name or '(' expected, found the end"},
        {"x +", "position 4: a number, a name or '(' expected, found the end"},
        {"(x", "position 3: ')' expected"},
        {"x)", "position 2: an operator or the end expected, found ')'"},
        {"2x", "position 2: an operator or the end expected, found 'x'"},
        {"sin x", "position 5: '(' after the function sin expected, found 'x'"},
        {"hypot(x)", "',' and a second argument of hypot expected"},
        {"exq(x)", "unknown name 'exq'; did you mean 'exp'"},
        {"sigmiod(x)", "did you mean 'sigmoid'"},
        {"quux(x)", "unknown name 'quux'"},
        {"1/0 + x", "not a finite number"},
        {"sqrt(-1)", "not a finite number"},
        {"1e99999", "not a finite number"},
        {"1.2.3", "a number expected"},
        {"x $ 2", "found '$'"},
        {"x \xff", "found '?'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, nigh_expr_parse(ctx, cases[i].text, x_only, 1, &expr), NIGH_INVALID, cases[i].message);
    assert_fails(ctx, nigh_expr_parse(ctx, NULL, x_only, 1, &expr), NIGH_INVALID, "NULL");
    assert_fails(ctx, nigh_expr_parse(ctx, "x", x_only, 65, &expr), NIGH_INVALID, "0 to 64");
    assert_fails(ctx, nigh_expr_parse(ctx, "x", (const char *[]){"2x"}, 1, &expr), NIGH_INVALID, "variable name '2x'");
    char deep[2000] = "";
    memset(deep, '(', 1000);
    assert_fails(ctx, nigh_expr_parse(ctx, deep, x_only, 1, &expr), NIGH_INVALID, "nested deeper than 200");
    memset(deep, '-', 1000);
    assert_fails(ctx, nigh_expr_parse(ctx, deep, x_only, 1, &expr), NIGH_INVALID, "nested deeper than 200");
    char longer[4000] = "x";
    for (int i = 0; i < 101; i++) sprintf(longer + strlen(longer), "+x*%d", i + 2);
    assert_fails(ctx, nigh_expr_parse(ctx, longer, x_only, 1, &expr), NIGH_INVALID, "more than 100");
    test_context_free(ctx);
}

static void test_sharing_and_folding(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const nigh_step *steps;
    const double *constants;
    nigh_expr *expr = parsed(ctx, "exp(x*x) + exp(x*x)*(x*x)");
    assert_int_equal(nigh_expr_steps(expr, &steps), 4); /* x*x, exp, product, sum */
    assert_int_equal(nigh_expr_constants(expr, &constants), 0);
    nigh_expr_free(expr);
    expr = parsed(ctx, "2*3*x + -(1)");
    assert_int_equal(nigh_expr_steps(expr, &steps), 2);
    assert_int_equal(nigh_expr_constants(expr, &constants), 2); /* 2 and 3 are gone */
    assert_true(constants[0] == 6 && constants[1] == -1);
    nigh_expr_free(expr);
    test_context_free(ctx);
}

static void check_print(nigh_context *ctx, const char *text, nigh_expr_form form, const char *wanted)
{
    nigh_expr *expr = parsed(ctx, text);
    nigh_buffer buffer = {.ctx = ctx};
    assert_ok(ctx, nigh_expr_print(expr, form, &buffer));
    assert_string_equal(buffer.data, wanted);
    nigh_buffer_free(&buffer);
    nigh_expr_free(expr);
}

static void test_print(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    check_print(ctx, "exp( -x * x)*cos(3*x)", NIGH_EXPR_INFIX, "exp(-x*x)*cos(3*x)");
    check_print(ctx, "x-(x-1)", NIGH_EXPR_INFIX, "x - (x - 1)");
    check_print(ctx, "(-2)^x", NIGH_EXPR_INFIX, "(-2)^x");
    check_print(ctx, "(x^2)^3", NIGH_EXPR_INFIX, "(x^2)^3");
    check_print(ctx, "-(x^2)", NIGH_EXPR_INFIX, "-x^2");
    check_print(ctx, "x/(2*x)", NIGH_EXPR_INFIX, "x/(2*x)");
    check_print(ctx, "-(x+1)", NIGH_EXPR_INFIX, "-(x + 1)");
    check_print(ctx, "pi*x^e", NIGH_EXPR_INFIX, "pi*x^e");
    check_print(ctx, "hypot(x, 0.1)", NIGH_EXPR_INFIX, "hypot(x, 0.1)");
    check_print(ctx, "exp(-x*x)", NIGH_EXPR_PREFIX, "(exp (* (neg x) x))");
    check_print(ctx, "x*x + 0.5", NIGH_EXPR_C, "const double t0 = x * x;\nconst double t1 = t0 + 0.5;\nreturn t1;\n");
    check_print(ctx, "rsqrt(x)-2", NIGH_EXPR_C, "const double t0 = 1.0 / sqrt(x);\nconst double t1 = t0 - 2.0;\nreturn t1;\n");
    check_print(ctx, "x", NIGH_EXPR_C, "return x;\n");
    test_context_free(ctx);
}

/* A program that doubles its text a hundred times is refused, not written. */
static void test_print_limit(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_step steps[100];
    for (int i = 0; i < 100; i++) steps[i] = (nigh_step){NIGH_OP_MUL, i, i};
    nigh_expr *expr = NULL;
    assert_ok(ctx, nigh_expr_build(ctx, NULL, 1, NULL, 0, steps, 100, -1, &expr));
    nigh_buffer buffer = {.ctx = ctx};
    assert_fails(ctx, nigh_expr_print(expr, NIGH_EXPR_INFIX, &buffer), NIGH_RESOURCE, "longer than");
    nigh_buffer_free(&buffer);
    assert_fails(ctx, nigh_expr_print(expr, NIGH_EXPR_PREFIX, &buffer), NIGH_RESOURCE, "longer than");
    nigh_buffer_free(&buffer);
    assert_ok(ctx, nigh_expr_print(expr, NIGH_EXPR_C, &buffer));
    nigh_buffer_free(&buffer);
    nigh_expr_free(expr);
    test_context_free(ctx);
}

/* A random program on variables x and y. */
static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static nigh_expr *random_program(nigh_context *ctx, uint64_t seed, int n_steps)
{
    nigh_step steps[100];
    double constants[2] = {0.5 + (double)(next_random(&seed) % 1000) / 999, -1.25};
    for (int i = 0; i < n_steps; i++)
        steps[i] = (nigh_step){(nigh_op)(next_random(&seed) % NIGH_OP_COUNT), (int)(next_random(&seed) % (uint64_t)(4 + i)),
                               (int)(next_random(&seed) % (uint64_t)(4 + i))};
    nigh_expr *expr = NULL;
    assert_ok(ctx, nigh_expr_build(ctx, (const char *[]){"x", "y"}, 2, constants, 2, steps, n_steps, -1, &expr));
    return expr;
}

static bool same_f128(nigh_f128 a, nigh_f128 b)
{
    return a == b || (a != a && b != b);
}

static void test_print_round_trip(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const char *const names[] = {"x", "y"};
    int compared = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        nigh_expr *expr = random_program(ctx, seed, 1 + (int)(seed % 9)), *again = NULL;
        nigh_buffer text = {.ctx = ctx}, twice = {.ctx = ctx};
        assert_ok(ctx, nigh_expr_print(expr, NIGH_EXPR_INFIX, &text));
        nigh_status status = nigh_expr_parse(ctx, text.data, names, 2, &again);
        if (status == NIGH_OK) { /* not when a constant part is not finite */
            nigh_f128 point[2] = {Q(0.7), -Q(1.3)};
            if (!same_f128(nigh_expr_eval_f128(expr, point), nigh_expr_eval_f128(again, point)))
                fail_msg("'%s' reads back differently", text.data);
            assert_ok(ctx, nigh_expr_print(again, NIGH_EXPR_INFIX, &twice));
            nigh_expr *third = NULL;
            assert_ok(ctx, nigh_expr_parse(ctx, twice.data, names, 2, &third));
            assert_int_equal(nigh_expr_steps(again, NULL), nigh_expr_steps(third, NULL));
            nigh_expr_free(third);
            nigh_expr_free(again);
            compared++;
        } else
            assert_non_null(strstr(nigh_message(ctx), "not a finite number"));
        nigh_buffer_free(&text);
        nigh_buffer_free(&twice);
        nigh_expr_free(expr);
    }
    assert_true(compared > 1500);
    test_context_free(ctx);
}

/* ---- columns ---- */

static double ulp_f64(double x)
{
    int exponent;
    frexp(x, &exponent);
    return fabs(x) < 0x1p-1022 ? 0x1p-1074 : ldexp(1, exponent - 53);
}

static double ulp_f32(double x)
{
    int exponent;
    frexp(x, &exponent);
    return fabs(x) < 0x1p-126 ? 0x1p-149 : ldexp(1, exponent - 24);
}

static const double specials[] = {
    0.0, -0.0, INFINITY, -INFINITY, NAN, 5e-324, -5e-324, 1e-310, -1e-310, 2.3e-308, 1, -1, 0.5, -0.5, 2, -2, 1e22, -1e22,
    1e300, -1e300, 1.7e308, 709.5, 709.9, -745, -745.5, -708.5, -720, 1024, 1023.99, -1074, -1075, -1080, 27, 26.6, -30, 5.9,
    0x1p53, 0x1p60, 1e5, 1e15, 0.9999999999999999, 1.0000000000000002, 20, 22, 710.4, -36, -37, 3, 1e-20, 1e-5, 9.9, 88.7, 1e-40,
};
enum { SPECIALS = sizeof specials / sizeof *specials, ROWS = 6000 };

static void inputs(bool two, double *x, double *y)
{
    uint64_t seed = 42;
    for (int i = 0; i < ROWS; i++) {
        double u = (double)next_random(&seed) * 0x1p-31, v = (double)next_random(&seed) * 0x1p-31;
        int scale = (int)(next_random(&seed) % 40) - 20;
        x[i] = i % 3 == 0 ? 2 * u - 1 : i % 3 == 1 ? ldexp(u + 0.5, scale) : -ldexp(u + 0.5, scale);
        y[i] = i % 2 ? 20 * v - 10 : rint(20 * v - 10);
    }
    for (int i = 0; i < SPECIALS * (two ? SPECIALS : 1); i++) {
        x[i] = specials[two ? i / SPECIALS : i];
        y[i] = two ? specials[i % SPECIALS] : 0;
    }
}

/* The accuracy that nigh/expr.h states, special values included, at each level; and that a result stands on its input only. */
static void check_op(nigh_op op, const expr_kernels_f64 *f64, const expr_kernels_f32 *f32)
{
    static double x[ROWS], y[ROWS], out[ROWS];
    static float xf[ROWS], yf[ROWS], out_f32[ROWS];
    inputs(nigh_op_arguments(op) == 2, x, y);
    for (int i = 0; i < ROWS; i++) xf[i] = (float)x[i], yf[i] = (float)y[i];
    f64->op[op](ROWS, x, y, 0, out);
    f32->op[op](ROWS, xf, yf, 0, out_f32);
    bool composed = op == NIGH_OP_GELU || op == NIGH_OP_SILU || op == NIGH_OP_SIGMOID || op == NIGH_OP_SOFTPLUS;
    double allowed = composed ? 8 : 4;
    for (int i = 0; i < ROWS; i++) {
        nigh_f128 exact = expr_op_f128(op, x[i], y[i]);
        double rounded = (double)exact, tiny = composed && fabs(rounded) < 0x1p-1022 ? 400 : 0;
        if (op == NIGH_OP_SILU && x[i] == -INFINITY) continue;
        bool fits = isfinite(rounded) ? fabs((double)(out[i] - exact)) <= (allowed + tiny) * ulp_f64(rounded)
                                      : rounded == out[i] || (isnan(rounded) && isnan(out[i]));
        if (!fits) fail_msg("f64 %s(%.17g, %.17g) = %.17g, not %.17g", nigh_op_name(op), x[i], y[i], out[i], rounded);

        exact = expr_op_f128(op, xf[i], yf[i]);
        float rounded_f32 = (float)exact;
        double extra = composed && xf[i] < -1 ? (double)xf[i] * (double)xf[i] : 0; /* gelu; silu's subnormal sigmoid */
        fits = isfinite(rounded_f32) ? fabs((double)(out_f32[i] - exact)) <= (allowed + extra) * ulp_f32((double)rounded_f32)
                                     : rounded_f32 == out_f32[i] || (isnan(rounded_f32) && isnan(out_f32[i]));
        if (!fits)
            fail_msg("f32 %s(%.9g, %.9g) = %.9g, not %.9g", nigh_op_name(op), (double)xf[i], (double)yf[i],
                     (double)out_f32[i], (double)rounded_f32);
    }
    for (int n = 1; n < 40; n++) { /* every tail, in place, beside the values of the long run */
        double part[40];
        memcpy(part, x + 100, (size_t)n * sizeof(double));
        f64->op[op](n, part, y + 100, 0, part);
        assert_memory_equal(part, out + 100, (size_t)n * sizeof(double));
    }
}

static void test_kernels(void **state)
{
    (void)state;
    for (int op = 0; op < NIGH_OP_COUNT; op++) {
        check_op((nigh_op)op, &expr_kernels_f64_scalar, &expr_kernels_f32_scalar);
#if defined(__x86_64__)
        if (nigh_cpu() >= NIGH_CPU_AVX2) check_op((nigh_op)op, &expr_kernels_f64_avx2, &expr_kernels_f32_avx2);
        if (nigh_cpu() >= NIGH_CPU_AVX512) check_op((nigh_op)op, &expr_kernels_f64_avx512, &expr_kernels_f32_avx512);
#endif
    }
}

/* Whole programs on columns of every length agree with quadruple precision where it is well conditioned. */
static void test_columns(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static double x[1500], y[1500], out[1500];
    static float xf[1500], yf[1500], out_f32[1500];
    for (int i = 0; i < 1500; i++) xf[i] = (float)(x[i] = 0.1 + i / 1000.0), yf[i] = (float)(y[i] = 1.5 - i / 2000.0);
    const char *const names[] = {"x", "y"};
    static const char *const texts[] = {"x", "3.5", "exp(-x*x)*cos(y)+x*y", "x^3 + y^-2 + 2^x", "(x-y)/(x+y) + 7",
                                        "min(x,y)*max(x,1)", "hypot(x,y) + atan2(x,y) + x^0.5", "1/(1+exp(-x)) + 3 - y"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        nigh_expr *expr = NULL;
        assert_ok(ctx, nigh_expr_parse(ctx, texts[t], names, 2, &expr));
        void *workspace = nigh_alloc(ctx, nigh_expr_workspace(expr));
        for (int n = 0; n <= 1500; n = n < 5 ? n + 1 : n * 2 - 1) {
            nigh_expr_eval_f64(expr, n, (const double *[]){x, y}, out, workspace);
            nigh_expr_eval_f32(expr, n, (const float *[]){xf, yf}, out_f32, workspace);
            for (int i = 0; i < n; i++) {
                nigh_f128 point[2] = {x[i], y[i]};
                double exact = (double)nigh_expr_eval_f128(expr, point);
                assert_near(out[i], exact, 3e-15, 3e-15);
                assert_near((double)out_f32[i], exact, 3e-6, 3e-6);
            }
        }
        nigh_free(ctx, workspace);
        nigh_expr_free(expr);
    }
    test_context_free(ctx);
}

static void test_integers(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_expr *expr = parsed(ctx, "x*x*x/3 - 2^3");
    int64_t x[4] = {-2, 0, 5, INT64_MAX}, out[4];
    nigh_expr_eval_i64(expr, 4, (const int64_t *[]){x}, out, NULL);
    assert_int_equal(out[0], -10);
    assert_int_equal(out[1], -8);
    assert_int_equal(out[2], 33);
    assert_int_equal(out[3], (int64_t)((uint64_t)INT64_MAX * INT64_MAX * INT64_MAX) / 3 - 8);
    nigh_expr_free(expr);
    static const struct {
        const char *text;
        int64_t x, value;
    } cases[] = {{"x/0*1", 1, 0}, {"-x", INT64_MIN, INT64_MIN}, {"x/(0-1)", INT64_MIN, INT64_MIN}, {"abs(x)", -4, 4},
                 {"x^-1", 2, 0},  {"x^-3", -1, -1},             {"exp(x)", 100, INT64_MAX},         {"sqrt(x)", 17, 4},
                 {"log(x)", -1, 0}, {"min(x,3)*max(x,4)", 10, 30}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expr = parsed(ctx, cases[i].text);
        nigh_expr_eval_i64(expr, 1, (const int64_t *[]){&cases[i].x}, out, NULL);
        assert_int_equal(out[0], cases[i].value);
        nigh_expr_free(expr);
    }
    test_context_free(ctx);
}

/* ---- series and derivatives ---- */

/* The series' sum a little away agrees with the function: for every operation, in quadruple precision. */
static void test_jets(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text;
        double at;
    } cases[] = {
        {"exp(x)", 1}, {"exp2(x)", -1}, {"expm1(x)", 0.1}, {"log(x)", 2}, {"log2(x)", 3}, {"log10(x)", 3}, {"log1p(x)", 1},
        {"sin(x)", 1}, {"cos(x)", 1}, {"tan(x)", 0.5}, {"asin(x)", 0.3}, {"acos(x)", -0.3}, {"atan(x)", 2}, {"sinh(x)", 1},
        {"cosh(x)", 1}, {"tanh(x)", 0.7}, {"asinh(x)", 2}, {"acosh(x)", 3}, {"atanh(x)", 0.2}, {"erf(x)", 0.5},
        {"erfc(x)", 2}, {"sigmoid(x)", 2}, {"sigmoid(x)", -2}, {"gelu(x)", -1}, {"silu(x)", 1}, {"softplus(x)", -1},
        {"sqrt(x)", 2}, {"rsqrt(x)", 2}, {"cbrt(x)", -2}, {"abs(x)", -1}, {"floor(x)*x", 1.5}, {"min(x, x*x)", 2},
        {"max(x, x*x)", 2}, {"hypot(x, 2)", 1}, {"atan2(x, 2)", 1}, {"atan2(1-x, x-3)", 1.5}, {"x^5", 0}, {"x^-2", -2},
        {"x^2.5", 2}, {"x^x", 2}, {"(x-1)/(x*x+1)", 0}, {"2^x", 0}, {"-x + 3 - x", 1}, {"exp(-x*x)*cos(3*x)", 0.4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_expr *expr = parsed(ctx, cases[i].text);
        nigh_f128 c[26], step = Q(0.03125), sum = 0, x = cases[i].at + step;
        assert_ok(ctx, nigh_expr_jet(ctx, expr, cases[i].at, 25, c));
        for (int k = 25; k >= 0; k--) sum = sum * step + c[k];
        nigh_f128 exact = nigh_expr_eval_f128(expr, &x);
        if (F128(fabs)(sum - exact) > Q(1e-30) * (1 + F128(fabs)(exact)))
            fail_msg("series of %s at %g: off by %g", cases[i].text, cases[i].at, (double)(sum - exact));
        nigh_expr_free(expr);
    }
    test_context_free(ctx);
}

static void test_jet_refusals(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const char *const texts[] = {"abs(x)", "sqrt(x)", "floor(x)", "min(x,-x)", "log(x)", "1/x", "cbrt(x)", "x^0.5",
                                        "hypot(x,0*x)", "x^-1", "asin(x+1)", "acosh(x+1)", "atan2(x,-1)", "rsqrt(x)"};
    nigh_f128 c[4];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nigh_expr *expr = parsed(ctx, texts[i]);
        assert_fails(ctx, nigh_expr_jet(ctx, expr, 0, 3, c), NIGH_UNSUPPORTED, "not analytic");
        nigh_expr_free(expr);
    }
    nigh_expr *expr = parsed(ctx, "x");
    assert_fails(ctx, nigh_expr_jet(ctx, expr, 0, 201, c), NIGH_INVALID, "order is 201");
    assert_ok(ctx, nigh_expr_jet(ctx, expr, 5, 3, c));
    assert_true(c[0] == 5 && c[1] == 1 && c[2] == 0 && c[3] == 0);
    nigh_expr_free(expr);
    test_context_free(ctx);
}

/* Derivatives by the constants beside central differences in quadruple precision, over random programs. */
static void test_gradient(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double x[3] = {0.3, 0.9, 1.7}, y[3] = {-0.4, 0.8, 2.1}, out[3], gradient[6];
    int compared = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        nigh_expr *expr = random_program(ctx, seed, 1 + (int)(seed % 6));
        assert_ok(ctx, nigh_expr_gradient_constants(ctx, expr, NULL, 3, (const double *[]){x, y}, out, gradient));
        for (int c = 0; c < 2; c++) {
            nigh_f128 own = expr->constant_f128[c], h = Q(1e-10);
            for (int i = 0; i < 3; i++) {
                nigh_f128 point[2] = {x[i], y[i]}, value[3];
                for (int k = -1; k <= 1; k++) {
                    expr->constant_f128[c] = own + k * h;
                    value[k + 1] = nigh_expr_eval_f128(expr, point);
                }
                expr->constant_f128[c] = own;
                double slope = (double)((value[2] - value[0]) / (2 * h)), bend = (double)((value[2] - 2 * value[1] + value[0]) / h);
                double exact = (double)value[1];
                if (!isfinite(slope) || !isfinite(exact) || fabs(bend) > 1e-4 * (1 + fabs(slope)) || fabs(exact) > 1e6) continue;
                assert_near(out[i], exact, 1e-9, 1e-9);
                assert_near(gradient[c * 3 + i], slope, 1e-5, 1e-5);
                compared++;
            }
        }
        nigh_expr_free(expr);
    }
    assert_true(compared > 5000);
    test_context_free(ctx);
}

/* ---- enumeration ---- */

static void test_hash(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double x[5] = {0.1, 0.7, 1.9, -2.3, 5.1};
    static const char *const texts[] = {"x*(x+1)", "x*x + x", "(x+0.5)^2 - 0.25", "x*x - x"};
    uint64_t hash[4];
    for (int t = 0; t < 4; t++) {
        nigh_expr *expr = parsed(ctx, texts[t]);
        void *workspace = nigh_alloc(ctx, nigh_expr_workspace(expr));
        hash[t] = nigh_expr_hash(expr, 5, (const double *[]){x}, workspace);
        nigh_free(ctx, workspace);
        nigh_expr_free(expr);
    }
    assert_true(hash[0] == hash[1] && hash[0] == hash[2] && hash[0] != hash[3]);
    test_context_free(ctx);
}

/* Small polynomials, counted by hand: size 1: x 1; size 3 over + and *: x+x, x+1, x*x, 1+1 (x*1 and 1*1 are known). */
static void test_walk(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double x[4] = {0.3, -1.7, 2.9, 0.123};
    const double *columns[] = {x};
    nigh_op ops[] = {NIGH_OP_ADD, NIGH_OP_MUL};
    nigh_expr_grammar grammar = {ops, 2, (double[]){1}, 1, 1, 4, columns, 1000};
    nigh_expr_walk *walk = NULL;
    assert_ok(ctx, nigh_expr_walk_new(ctx, &grammar, &walk));
    int by_size[40] = {0}, last = 0;
    for (;;) {
        nigh_expr *expr = NULL;
        assert_ok(ctx, nigh_expr_walk_next(walk, &expr));
        if (!expr) break;
        int size = nigh_expr_walk_size(walk);
        assert_true(size >= last && size < 40);
        last = size;
        by_size[size]++;
        const double *values = nigh_expr_walk_values(walk);
        for (int i = 0; i < 4; i++) {
            nigh_f128 point = x[i];
            assert_near(values[i], (double)nigh_expr_eval_f128(expr, &point), 1e-14, 1e-12);
        }
        nigh_expr_free(expr);
    }
    assert_int_equal(by_size[1], 2);
    assert_int_equal(by_size[2], 0);
    assert_int_equal(by_size[3], 4);
    /* size 5: sums 3x, 2x+1, x+2, 3, x*x+x, x*x+1; products 2x*x, x*x*x; x*(x+1) and x*2 are known by then */
    assert_int_equal(by_size[5], 8);
    nigh_expr_walk_free(walk);

    nigh_op involution[] = {NIGH_OP_NEG}; /* x, -x and no more: the walk ends */
    grammar = (nigh_expr_grammar){involution, 1, NULL, 0, 1, 4, columns, 1000};
    assert_ok(ctx, nigh_expr_walk_new(ctx, &grammar, &walk));
    nigh_expr *found[3] = {NULL, NULL, NULL};
    for (int k = 0; k < 3; k++) assert_ok(ctx, nigh_expr_walk_next(walk, &found[k]));
    assert_true(found[0] && found[1] && !found[2]);
    nigh_expr_free(found[0]);
    nigh_expr_free(found[1]);
    nigh_expr_walk_free(walk);
    grammar.n = 513;
    assert_fails(ctx, nigh_expr_walk_new(ctx, &grammar, &walk), NIGH_INVALID, "513 rows");
    test_context_free(ctx);
}

static void test_build_checks(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_expr *expr = NULL;
    nigh_step bad = {NIGH_OP_ADD, 0, 1}, unknown = {(nigh_op)99, 0, 0};
    assert_fails(ctx, nigh_expr_build(ctx, NULL, 1, NULL, 0, &bad, 1, -1, &expr), NIGH_INVALID, "step 0 uses values 0 and 1");
    assert_fails(ctx, nigh_expr_build(ctx, NULL, 1, NULL, 0, &unknown, 1, -1, &expr), NIGH_INVALID, "unknown operation 99");
    assert_fails(ctx, nigh_expr_build(ctx, NULL, 1, NULL, 0, NULL, 0, 1, &expr), NIGH_INVALID, "root is value 1");
    assert_fails(ctx, nigh_expr_build(ctx, NULL, 0, NULL, 0, NULL, 0, -1, &expr), NIGH_INVALID, "root");
    assert_fails(ctx, nigh_expr_build(ctx, NULL, 0, (double[]){NAN}, 1, NULL, 0, -1, &expr), NIGH_INVALID, "constant 0");
    nigh_step add = {NIGH_OP_ADD, 1, 2}; /* of two constants, on columns */
    assert_ok(ctx, nigh_expr_build(ctx, NULL, 1, (double[]){2, 3}, 2, &add, 1, -1, &expr));
    double x[5] = {0}, out[5], *workspace = nigh_alloc(ctx, nigh_expr_workspace(expr));
    nigh_expr_eval_f64(expr, 5, (const double *[]){x}, out, workspace);
    for (int i = 0; i < 5; i++) assert_true(out[i] == 5);
    assert_string_equal(nigh_expr_variable(expr, 0), "x");
    assert_null(nigh_expr_variable(expr, 1));
    nigh_free(ctx, workspace);
    nigh_expr_free(expr);
    test_context_free(ctx);
}

/* ---- memory ---- */

static nigh_status use_all(nigh_context *ctx)
{
    nigh_expr *expr = NULL, *next = NULL;
    nigh_expr_walk *walk = NULL;
    nigh_buffer text = {.ctx = ctx};
    double x[3] = {1, 2, 3}, out[3], gradient[3];
    nigh_f128 c[3];
    nigh_expr_grammar grammar = {(nigh_op[]){NIGH_OP_ADD}, 1, NULL, 0, 1, 3, (const double *[]){x}, 20};
    nigh_status status = nigh_expr_parse(ctx, "exp(2*x)", x_only, 1, &expr);
    if (status == NIGH_OK) status = nigh_expr_print(expr, NIGH_EXPR_C, &text);
    if (status == NIGH_OK) status = nigh_expr_jet(ctx, expr, 1, 2, c);
    if (status == NIGH_OK) status = nigh_expr_gradient_constants(ctx, expr, NULL, 3, (const double *[]){x}, out, gradient);
    if (status == NIGH_OK) status = nigh_expr_walk_new(ctx, &grammar, &walk);
    for (int k = 0; k < 10 && status == NIGH_OK; k++) {
        status = nigh_expr_walk_next(walk, &next);
        if (status == NIGH_OK) nigh_expr_free(next);
    }
    nigh_expr_walk_free(walk);
    nigh_buffer_free(&text);
    nigh_expr_free(expr);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    nigh_status status = NIGH_MEMORY;
    for (long k = 1; status != NIGH_OK; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = use_all(ctx);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        assert_true(k < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),          cmocka_unit_test(test_errors),
        cmocka_unit_test(test_sharing_and_folding), cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_limit),      cmocka_unit_test(test_print_round_trip),
        cmocka_unit_test(test_kernels),          cmocka_unit_test(test_columns),
        cmocka_unit_test(test_integers),         cmocka_unit_test(test_jets),
        cmocka_unit_test(test_jet_refusals),     cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_hash),             cmocka_unit_test(test_walk),
        cmocka_unit_test(test_build_checks),     cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
