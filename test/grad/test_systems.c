/* Positions, linear systems, sparse products, kernels, fixed points, and a user's own operator. */
#include "derivatives.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef struct fixture {
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
} fixture;

static void begin(fixture *f)
{
    assert_int_equal(nigh_context_new(&f->ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(f->ctx, &f->t), NIGH_OK);
    f->run = NULL;
}

static void end(fixture *f)
{
    nigh_executor_free(f->run);
    nigh_tape_free(f->t);
    nigh_context_free(f->ctx);
}

/* ---- positions -------------------------------------------------------------------------------------------- */

static nigh_node rotary_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    const nigh_rotary *r = user;
    return nigh_tape_square(t, nigh_tape_rotary(t, x[0], r->half ? 1 : -2, r));
}

/* Lengths stay, products of two turned vectors depend on the distance alone, a turn back undoes it. */
static void test_rotary(void **state)
{
    nigh_rotary ways[3] = {{.base = 100, .offset = 3}, {.half = true, .scale = 0.5}, {.half = true, .size = 4}};
    derivatives_input in = {.ndim = 4, .dim = {2, 3, 4, 6}};
    for (int i = 0; i < 3; i++) check_derivatives("rotary", rotary_fn, &ways[i], 1, &in, 2, 1e-7, 0);
    enum { T = 9, D = 6 };
    fixture f;
    begin(&f);
    static const double at[2][D] = {{1, 2, -1, 0.5, 3, 1}, {0.3, -1, 2, 1, 1, -2}};
    nigh_node u = nigh_tape_expand(f.t, nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){1, D}, at[0]), 2, (int64_t[]){T, D});
    nigh_node v = nigh_tape_expand(f.t, nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){1, D}, at[1]), 2, (int64_t[]){T, D}), back;
    for (int i = 0; i < 2; i++) {
        nigh_node a = nigh_tape_rotary(f.t, u, 0, &ways[i]), b = nigh_tape_rotary(f.t, v, 0, &ways[i]), products = nigh_tape_matmul(f.t, a, b, NIGH_TRANSPOSE_B);
        assert_int_equal(nigh_tape_gradient(f.t, a, a, 1, &u, &back), NIGH_OK);
        assert_int_equal(nigh_executor_new(f.ctx, f.t, 3, (nigh_node[]){products, back, a}, &f.run), NIGH_OK);
        assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
        const double *p = nigh_executor_data(f.run, products), *same = nigh_executor_data(f.run, back), *turned = nigh_executor_data(f.run, a);
        double angle = (ways[i].offset + 1) * (i ? 0.5 : 1);
        assert_true(fabs(turned[D] - (at[0][0] * cos(angle) - at[0][i ? 3 : 1] * sin(angle))) < 1e-14);
        for (int m = 0; m < T; m++)
            for (int n = 0; n < T; n++)
                if (m && n) assert_true(fabs(p[m * T + n] - p[(m - 1) * T + n - 1]) < 1e-13);
        for (int k = 0; k < T * D; k++) assert_true(fabs(same[k] - at[0][k % D]) < 1e-13);
        nigh_executor_free(f.run);
        f.run = NULL;
    }
    nigh_node table = nigh_tape_sinusoids(f.t, NIGH_F64, 5, 6, 10000, 2);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 1, &table, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const double *s = nigh_executor_data(f.run, table);
    assert_true(fabs(s[6 + 2] - sin(3 * pow(10000, -1 / 3.0))) < 1e-14 && fabs(s[6 + 3] - cos(3 * pow(10000, -1 / 3.0))) < 1e-14);
    double slopes[12];
    nigh_alibi_slopes(8, slopes);
    for (int h = 0; h < 8; h++) assert_true(slopes[h] == exp2(-(h + 1)));
    nigh_alibi_slopes(12, slopes);
    assert_true(slopes[7] == exp2(-8) && slopes[8] == exp2(-0.5) && slopes[11] == exp2(-3.5));
    end(&f);
}

/* ---- linear systems ---------------------------------------------------------------------------------------- */

static nigh_node definite(nigh_tape *t, nigh_node x) /* x x^T + 2 */
{
    const nigh_shape shape = *nigh_tape_shape(t, x);
    nigh_node one = nigh_tape_one_hot(t, nigh_tape_constant(t, NIGH_I32, 1, (int64_t[]){4}, (int32_t[]){0, 1, 2, 3}), 4, shape.dtype);
    return nigh_tape_add(t, nigh_tape_matmul(t, x, x, NIGH_TRANSPOSE_B), nigh_tape_scale(t, one, 2));
}

static nigh_node cholesky_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_cholesky(t, definite(t, x[0])); }
static nigh_node solve_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_spd_solve(t, definite(t, x[0]), x[1]); }
static nigh_node log_det_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_spd_log_det(t, definite(t, x[0])); }
static nigh_node triangular_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node l = nigh_tape_add(t, x[0], nigh_tape_scale(t, definite(t, nigh_tape_scale(t, x[0], 0)), 1)); /* diagonal off 0 */
    return nigh_tape_triangular_solve(t, l, x[1], *(bool *)user);
}
static nigh_node gaussian_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_gaussian_kernel(t, x[0], x[1], 0.8); }

static void test_linear_systems(void **state)
{
    derivatives_input in[2] = {{.ndim = 3, .dim = {2, 4, 4}}, {.ndim = 3, .dim = {2, 4, 3}}};
    check_derivatives("cholesky", cholesky_fn, NULL, 1, in, 2, 1e-7, 2e-4);
    check_derivatives("spd solve", solve_fn, NULL, 2, in, 2, 1e-7, 2e-4);
    check_derivatives("spd log det", log_det_fn, NULL, 1, in, 2, 1e-7, 2e-4);
    for (int transposed = 0; transposed < 2; transposed++) {
        bool turn = transposed;
        check_derivatives("triangular solve", triangular_fn, &turn, 2, in, 2, 1e-7, 2e-4);
    }
    derivatives_input points[2] = {{.ndim = 2, .dim = {5, 3}}, {.ndim = 2, .dim = {4, 3}}};
    check_derivatives("gaussian kernel", gaussian_fn, NULL, 2, points, 2, 1e-7, 2e-4);
    fixture f;
    begin(&f);
    nigh_node bad = nigh_tape_cholesky(f.t, nigh_tape_fill(f.t, NIGH_F32, 2, (int64_t[]){3, 3}, -1));
    nigh_node same = nigh_tape_slice(f.t, nigh_tape_fill(f.t, NIGH_F32, 2, (int64_t[]){4, 3}, 0.7), 0, 0, 2, 2), kernel = nigh_tape_gaussian_kernel(f.t, same, same, 1);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 2, (nigh_node[]){bad, kernel}, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const float *nan = nigh_executor_data(f.run, bad), *k = nigh_executor_data(f.run, kernel);
    for (int i = 0; i < 9; i++) assert_true(isnan(nan[i]));
    for (int i = 0; i < 4; i++) assert_true(fabsf(k[i] - 1) < 1e-6f && k[i] <= 1);
    end(&f);
}

static const int64_t sparse_row[5] = {0, 0, 1, 3, 3}, sparse_column[5] = {1, 4, 0, 2, 4};
static const double sparse_value[5] = {2, -1, 0.5, 3, 1.5};

static nigh_node sparse_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node y = nigh_tape_sparse(t, user, x[0], false);
    return nigh_tape_mul(t, nigh_tape_square(t, y), nigh_tape_sparse(t, user, nigh_tape_sparse(t, user, y, true), false));
}

static void test_sparse(void **state)
{
    nigh_context *ctx;
    nigh_sparse *a;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_sparse_new(ctx, 4, 5, 5, sparse_row, sparse_column, sparse_value, &a), NIGH_OK);
    derivatives_input vector = {.ndim = 1, .dim = {5}}, stack = {.ndim = 3, .dim = {2, 5, 3}};
    check_derivatives("sparse times a vector", sparse_fn, a, 1, &vector, 2, 1e-7, 0);
    check_derivatives("sparse times a stack", sparse_fn, a, 1, &stack, 2, 1e-7, 0);
    fixture f;
    begin(&f);
    nigh_node u = nigh_tape_constant(f.t, NIGH_F32, 1, (int64_t[]){5}, (float[]){1, 2, 3, 4, 5}), y = nigh_tape_sparse(f.t, a, u, false);
    nigh_sparse_free(ctx, a); /* it was copied */
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 1, &y, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const float *v = nigh_executor_data(f.run, y);
    assert_true(v[0] == -1 && v[1] == 0.5f && v[2] == 0 && v[3] == 16.5f);
    end(&f);
    nigh_context_free(ctx);
}

/* ---- fixed points -------------------------------------------------------------------------------------------- */

/* z = tanh(z W / 2 + u). */
static nigh_node contraction(void *user, nigh_tape *t, nigh_node z, int n, const nigh_node *theta)
{
    return nigh_tape_tanh(t, nigh_tape_add(t, nigh_tape_scale(t, nigh_tape_matmul(t, z, theta[0], 0), 0.25), theta[1]));
}

static nigh_node fixed_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    const nigh_shape shape = *nigh_tape_shape(t, x[1]);
    return nigh_tape_fixed_point(t, contraction, NULL, nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, 0), 2, x, user);
}

static void test_fixed_point(void **state)
{
    nigh_fixed_point plain = {60, 60, 0}, anderson = {20, 20, 5};
    derivatives_input in[2] = {{.ndim = 2, .dim = {4, 4}}, {.ndim = 2, .dim = {3, 4}}};
    check_derivatives("fixed point", fixed_fn, &plain, 2, in, 2, 1e-7, 0);
    check_derivatives("fixed point by Anderson's mixing", fixed_fn, &anderson, 2, in, 1, 1e-7, 0);
    fixture f;
    begin(&f);
    nigh_node w = nigh_tape_fill(f.t, NIGH_F64, 2, (int64_t[]){2, 2}, 0.4), u = nigh_tape_fill(f.t, NIGH_F64, 2, (int64_t[]){1, 2}, 0.3), theta[2] = {w, u}, g, h;
    nigh_node z = nigh_tape_fixed_point(f.t, contraction, NULL, u, 2, theta, &anderson), r = nigh_tape_sub(f.t, z, contraction(NULL, f.t, z, 2, theta));
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 1, &r, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    for (int i = 0; i < 2; i++) assert_true(fabs(((const double *)nigh_executor_data(f.run, r))[i]) < 1e-12);
    assert_int_equal(nigh_tape_gradient(f.t, z, NIGH_NONE, 1, &w, &g), NIGH_OK);
    assert_int_equal(nigh_tape_gradient(f.t, nigh_tape_square(f.t, g), NIGH_NONE, 1, &w, &h), NIGH_UNSUPPORTED);
    end(&f);
}

/* ---- a user's own operator --------------------------------------------------------------------------------------- */

/* a sin(b) with b [n], and a number `user` as factor. */
static void own_run(void *user, const nigh_custom_call *call)
{
    double factor = *(double *)user, *scratch = call->workspace;
    int64_t n = nigh_shape_count(&call->in[0].shape);
    for (int64_t i = 0; i < n; i++) {
        scratch[i % 4] = factor * nigh_array_get(&call->in[0], i);
        nigh_array_set(call->out, i, scratch[i % 4] * sin(nigh_array_get(&call->in[1], i)));
    }
}

static void own_gradient(void *user, nigh_tape *t, int n, const nigh_node *in, nigh_node out, nigh_node grad, const bool *wanted, nigh_node *grads)
{
    double factor = *(double *)user;
    nigh_node scaled = nigh_tape_scale(t, grad, factor);
    if (wanted[0]) grads[0] = nigh_tape_mul(t, scaled, nigh_tape_sin(t, in[1]));
    if (wanted[1]) grads[1] = nigh_tape_mul(t, scaled, nigh_tape_mul(t, in[0], nigh_tape_cos(t, in[1])));
}

static void wrong_gradient(void *user, nigh_tape *t, int n, const nigh_node *in, nigh_node out, nigh_node grad, const bool *wanted, nigh_node *grads)
{
    grads[0] = nigh_tape_sum(t, grad, NIGH_ALL, false);
}

static double own_factor = 1.5;

static nigh_node own_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    static const nigh_custom rule = {.name = "times-sine", .user = &own_factor, .run = own_run, .gradient = own_gradient, .workspace = 4 * sizeof(double)};
    const nigh_shape shape = *nigh_tape_shape(t, x[0]);
    return nigh_tape_square(t, nigh_tape_custom(t, &rule, 2, (nigh_node[]){nigh_tape_transpose(t, nigh_tape_transpose(t, x[0], 0, 1), 0, 1), x[1]}, &shape));
}

static void test_custom(void **state)
{
    derivatives_input in[2] = {{.ndim = 2, .dim = {3, 5}}, {.ndim = 2, .dim = {3, 5}}};
    check_derivatives("custom", own_fn, NULL, 2, in, 3, 1e-7, 0);
    nigh_custom rule = {.name = "own", .user = &own_factor, .run = own_run, .workspace = 64};
    for (int wrong = 0; wrong < 2; wrong++) {
        fixture f;
        begin(&f);
        nigh_node a = nigh_tape_input(f.t, "a", NIGH_F64, 1, (int64_t[]){3}), g;
        rule.gradient = wrong ? wrong_gradient : NULL;
        nigh_node y = nigh_tape_custom(f.t, &rule, 2, (nigh_node[]){a, a}, &(nigh_shape){.dtype = NIGH_F64, .ndim = 1, .dim = {3}});
        assert_int_equal(nigh_tape_custom(f.t, &rule, 2, (nigh_node[]){a, a}, nigh_tape_shape(f.t, a)), y);
        assert_int_equal(nigh_tape_gradient(f.t, y, NIGH_NONE, 1, &a, &g), wrong ? NIGH_INVALID : NIGH_UNSUPPORTED);
        assert_string_equal(nigh_message(f.ctx), wrong ? "custom: operator 'own': input 0 is [3] f64, its gradient is [] f64" : "custom operator 'own' has no gradient");
        end(&f);
    }
}

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    fixture f;
    begin(&f);
    nigh_node a = nigh_tape_input(f.t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(f.t, "b", NIGH_F32, 2, (int64_t[]){5, 5});
    assert_int_equal(record(f.t, a, b), NIGH_NONE);
    assert_string_equal(nigh_message(f.ctx), words);
    end(&f);
}

static nigh_node not_square(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_cholesky(t, a); }
static nigh_node not_fitting(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_spd_solve(t, b, a); }
static nigh_node odd_size(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_rotary(t, b, 0, &(nigh_rotary){0}); }
static nigh_node other_points(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_gaussian_kernel(t, a, b, 1); }
static nigh_node short_memory(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_fixed_point(t, contraction, NULL, a, 1, &b, &(nigh_fixed_point){1, 1, 1}); }

static void test_misuse(void **state)
{
    expect_message(not_square, "cholesky: the matrix is [3,4] f32; [..., n, n] with n below 2^20 is needed");
    expect_message(not_fitting, "spd-solve: the matrix is [5,5] f32, b is [3,4] f32; [..., n, n] and [..., n, q] with the same leading dimensions are needed");
    expect_message(odd_size, "rotary: x is [5,5] f32, positions along axis 0, 5 coordinates turned; not the last axis, and an even number up to the last dimension are allowed");
    expect_message(other_points, "gaussian-kernel: x is [3,4] f32, y is [5,5] f32; points of as many coordinates (the last dimension) are needed");
    expect_message(short_memory, "fixed-point: 1 and 1 iterations, memory 1; 1 to 1000, and 0 or 2 to 8 are allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rotary), cmocka_unit_test(test_linear_systems), cmocka_unit_test(test_sparse), cmocka_unit_test(test_fixed_point),
                                       cmocka_unit_test(test_custom), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
