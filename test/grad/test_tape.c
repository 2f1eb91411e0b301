/* Recording, gradients of the basic operators to the third order, fused chains and memory, misuse. */
#include "derivatives.h"

#include "nigh/grad.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef nigh_node one_fn(nigh_tape *, nigh_node);
typedef nigh_node two_fn(nigh_tape *, nigh_node, nigh_node);

static nigh_node softplus2(nigh_tape *t, nigh_node x) { return nigh_tape_softplus(t, x, 2); }
static nigh_node leaky(nigh_tape *t, nigh_node x) { return nigh_tape_leaky_relu(t, x, 0.1); }
static nigh_node power(nigh_tape *t, nigh_node x) { return nigh_tape_pow(t, x, 2.5); }
static nigh_node clamp(nigh_tape *t, nigh_node x) { return nigh_tape_clamp(t, x, -0.5, 0.6); }
static nigh_node affine(nigh_tape *t, nigh_node x) { return nigh_tape_affine(t, x, -1.5, 0.25); }

static nigh_node apply_one(nigh_tape *t, const nigh_node *x, void *user)
{
    /* squared afterwards, so that higher orders are not zero by themselves */
    one_fn *fn = *(one_fn **)user;
    nigh_node y = fn(t, x[0]);
    return nigh_tape_mul(t, nigh_tape_square(t, y), nigh_tape_affine(t, x[0], 1, 2));
}

static nigh_node apply_two(nigh_tape *t, const nigh_node *x, void *user)
{
    two_fn *fn = *(two_fn **)user;
    return nigh_tape_square(t, fn(t, x[0], x[1]));
}

static void test_one_input(void **state)
{
    static const struct { const char *name; one_fn *fn; double low, high; int order; } cases[] = {
        {"neg", nigh_tape_neg, -1, 1, 3}, {"abs", nigh_tape_abs, 0.2, 1, 2}, {"square", nigh_tape_square, -1, 1, 3}, {"sqrt", nigh_tape_sqrt, 0.5, 2, 3},
        {"rsqrt", nigh_tape_rsqrt, 0.5, 2, 3}, {"reciprocal", nigh_tape_reciprocal, 0.5, 2, 3}, {"exp", nigh_tape_exp, -1, 1, 3},
        {"expm1", nigh_tape_expm1, -1, 1, 3}, {"log", nigh_tape_log, 0.5, 2, 3}, {"log1p", nigh_tape_log1p, -0.4, 2, 3},
        {"sin", nigh_tape_sin, -3, 3, 3}, {"cos", nigh_tape_cos, -3, 3, 3}, {"tanh", nigh_tape_tanh, -2, 2, 3}, {"sigmoid", nigh_tape_sigmoid, -2, 2, 3},
        {"softplus", softplus2, -2, 2, 3}, {"silu", nigh_tape_silu, -2, 2, 3}, {"gelu", nigh_tape_gelu, -2, 2, 3}, {"erf", nigh_tape_erf, -2, 2, 3},
        {"relu", nigh_tape_relu, 0.1, 1, 2}, {"leaky", leaky, -1, -0.1, 2}, {"pow", power, 0.5, 2, 3}, {"clamp", clamp, -0.4, 0.5, 2},
        {"affine", affine, -1, 1, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        one_fn *fn = cases[i].fn;
        derivatives_input in = {.ndim = 2, .dim = {3, 5}, .low = cases[i].low, .high = cases[i].high};
        check_derivatives(cases[i].name, apply_one, &fn, 1, &in, cases[i].order, 1e-7, 0);
    }
}

static void test_two_inputs(void **state)
{
    static const struct { const char *name; two_fn *fn; int order; } cases[] = {{"add", nigh_tape_add, 3}, {"sub", nigh_tape_sub, 3},
        {"mul", nigh_tape_mul, 3}, {"div", nigh_tape_div, 3}, {"min", nigh_tape_min, 2}, {"max", nigh_tape_max, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        two_fn *fn = cases[i].fn;
        derivatives_input same[2] = {{.ndim = 2, .dim = {4, 5}, .low = 0.5, .high = 1.5}, {.ndim = 2, .dim = {4, 5}, .low = 1.6, .high = 2.5}};
        derivatives_input row[2] = {{.ndim = 3, .dim = {2, 4, 5}, .low = 0.5, .high = 1.5}, {.ndim = 1, .dim = {5}, .low = 1.6, .high = 2.5}};
        derivatives_input outer[2] = {{.ndim = 2, .dim = {4, 1}, .low = 0.5, .high = 1.5}, {.ndim = 3, .dim = {3, 1, 6}, .low = 1.6, .high = 2.5}};
        check_derivatives(cases[i].name, apply_two, &fn, 2, same, cases[i].order, 1e-7, 0);
        check_derivatives(cases[i].name, apply_two, &fn, 2, row, cases[i].order, 1e-7, 0);
        check_derivatives(cases[i].name, apply_two, &fn, 2, outer, cases[i].order, 1e-7, 0);
    }
}

static nigh_node where_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node mask = nigh_tape_greater(t, x[0], nigh_tape_fill(t, nigh_tape_shape(t, x[0])->dtype, 0, NULL, 0.2));
    return nigh_tape_where(t, mask, nigh_tape_square(t, x[0]), nigh_tape_sin(t, x[1]));
}

static nigh_node shapes_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node a = nigh_tape_reshape(t, x[0], 3, (int64_t[]){2, -1, 3}), b = nigh_tape_permute(t, a, (int[]){2, 0, 1});
    nigh_node c = nigh_tape_slice(t, b, 2, 3, 2, -2), d = nigh_tape_pad(t, c, (int64_t[]){1, 0, 2}, (int64_t[]){0, 1, 1});
    nigh_node e = nigh_tape_roll(t, d, 2, 2), f = nigh_tape_flip(t, e, 0), g = nigh_tape_tile(t, f, 1, 2);
    nigh_node h = nigh_tape_concat(t, 2, (nigh_node[]){g, nigh_tape_square(t, g)}, -1), s = nigh_tape_stack(t, 2, (nigh_node[]){h, h}, 1);
    nigh_node u = nigh_tape_expand(t, nigh_tape_slice(t, s, 1, 0, 1, 1), 4, nigh_tape_shape(t, s)->dim);
    return nigh_tape_mul(t, nigh_tape_sin(t, nigh_tape_reshape(t, u, 1, (int64_t[]){-1})), nigh_tape_reshape(t, s, 1, (int64_t[]){-1}));
}

static nigh_node depth_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node deep = nigh_tape_space_to_depth(t, nigh_tape_square(t, x[0]), 2);
    return nigh_tape_mul(t, nigh_tape_depth_to_space(t, nigh_tape_sin(t, deep), 2), x[0]);
}

static nigh_node reduce_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node a = nigh_tape_sum(t, nigh_tape_square(t, x[0]), 5, true), b = nigh_tape_mean(t, nigh_tape_sin(t, x[0]), 2, false);
    nigh_node c = nigh_tape_max_over(t, x[0], 6, true), d = nigh_tape_min_over(t, x[0], 1, true), e = nigh_tape_log_sum_exp(t, x[0], 4, true);
    nigh_node all = nigh_tape_add(t, nigh_tape_mul(t, nigh_tape_mul(t, a, c), nigh_tape_mul(t, d, d)), nigh_tape_square(t, e));
    return nigh_tape_mul(t, all, nigh_tape_sum(t, nigh_tape_square(t, b), NIGH_ALL, false));
}

static nigh_node complex_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node z = nigh_tape_complex(t, x[0], x[1]), w = nigh_tape_exp(t, nigh_tape_scale(t, z, 0.5));
    nigh_node q = nigh_tape_div(t, nigh_tape_mul(t, w, x[2]), nigh_tape_affine(t, nigh_tape_square(t, nigh_tape_conj(t, x[2])), 0.1, 2));
    return nigh_tape_add(t, nigh_tape_reciprocal(t, nigh_tape_affine(t, q, 0.1, 3)), nigh_tape_sub(t, q, z));
}

static void test_shapes(void **state)
{
    derivatives_input two[2] = {{.ndim = 2, .dim = {4, 6}}, {.ndim = 1, .dim = {6}}};
    derivatives_input flat = {.ndim = 2, .dim = {4, 6}}, image = {.ndim = 4, .dim = {2, 4, 6, 3}}, cube = {.ndim = 3, .dim = {3, 4, 5}};
    derivatives_input complex[3] = {{.ndim = 2, .dim = {3, 4}}, {.ndim = 2, .dim = {3, 4}}, {.ndim = 1, .dim = {4}, .complex = true}};
    check_derivatives("where", where_fn, NULL, 2, two, 2, 1e-7, 0);
    check_derivatives("shapes", shapes_fn, NULL, 1, &flat, 3, 1e-7, 0);
    check_derivatives("depth", depth_fn, NULL, 1, &image, 2, 1e-7, 0);
    check_derivatives("reduce", reduce_fn, NULL, 1, &cube, 3, 1e-7, 0);
    check_derivatives("complex", complex_fn, NULL, 3, complex, 2, 1e-7, 0);
}

static nigh_node product_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    unsigned flags = *(unsigned *)user;
    nigh_node a = flags & NIGH_TRANSPOSE_A ? nigh_tape_transpose(t, x[0], -1, -2) : x[0];
    nigh_node b = flags & NIGH_TRANSPOSE_B ? nigh_tape_transpose(t, x[1], -1, -2) : x[1];
    return nigh_tape_mul(t, nigh_tape_matmul(t, nigh_tape_scale(t, a, 1.5), nigh_tape_scale(t, b, 0.7), flags), nigh_tape_matmul(t, x[0], x[1], 0));
}

static nigh_node linear_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_tanh(t, nigh_tape_linear(t, nigh_tape_permute(t, x[0], (int[]){1, 0, 2}), x[1], x[2]));
}

static void test_products(void **state)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        derivatives_input plain[2] = {{.ndim = 2, .dim = {3, 4}}, {.ndim = 2, .dim = {4, 5}}};
        derivatives_input stacks[2] = {{.ndim = 4, .dim = {2, 1, 3, 4}}, {.ndim = 3, .dim = {3, 4, 5}}};
        derivatives_input complex[2] = {{.ndim = 3, .dim = {2, 3, 4}, .complex = true}, {.ndim = 2, .dim = {4, 5}, .complex = true}};
        check_derivatives("matmul", product_fn, &flags, 2, plain, 3, 1e-7, 0);
        check_derivatives("matmul of stacks", product_fn, &flags, 2, stacks, 2, 1e-7, 0);
        check_derivatives("matmul complex", product_fn, &flags, 2, complex, 2, 1e-7, 0);
    }
    unsigned conjugates = NIGH_CONJUGATE_A | NIGH_CONJUGATE_B;
    derivatives_input complex[2] = {{.ndim = 2, .dim = {3, 4}, .complex = true}, {.ndim = 2, .dim = {4, 5}, .complex = true}};
    check_derivatives("matmul conjugated", product_fn, &conjugates, 2, complex, 2, 1e-7, 0);
    derivatives_input linear[3] = {{.ndim = 3, .dim = {2, 3, 4}}, {.ndim = 2, .dim = {4, 6}}, {.ndim = 1, .dim = {6}}};
    check_derivatives("linear", linear_fn, NULL, 3, linear, 3, 1e-7, 0);
}

/* Third derivatives through four tanh layers. */
static nigh_node deep_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node h = x[0];
    for (int i = 0; i < 4; i++) h = nigh_tape_tanh(t, nigh_tape_linear(t, h, x[1 + i], NIGH_NONE));
    return h;
}

static void test_third_order(void **state)
{
    derivatives_input in[5] = {{.ndim = 2, .dim = {3, 6}}, {.ndim = 2, .dim = {6, 6}}, {.ndim = 2, .dim = {6, 6}}, {.ndim = 2, .dim = {6, 6}}, {.ndim = 2, .dim = {6, 6}}};
    check_derivatives("four tanh layers", deep_fn, NULL, 5, in, 3, 1e-8, 0);
}

static void test_tangent(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x = nigh_tape_input(t, "x", NIGH_F64, 1, (int64_t[]){4}), v = nigh_tape_input(t, "v", NIGH_F64, 1, (int64_t[]){4});
    nigh_node y = nigh_tape_exp(t, nigh_tape_mul(t, x, x)), tangent;
    assert_int_equal(nigh_tape_tangent(t, y, 1, &x, &v, &tangent), NIGH_OK);
    assert_int_equal(nigh_executor_new(ctx, t, 1, &tangent, &run), NIGH_OK);
    double at[4] = {0.1, -0.4, 0.7, 1}, way[4] = {1, 2, -1, 0.5};
    nigh_executor_bind(run, x, at), nigh_executor_bind(run, v, way);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const double *j = nigh_executor_data(run, tangent);
    for (int i = 0; i < 4; i++) assert_true(fabs(j[i] - way[i] * 2 * at[i] * exp(at[i] * at[i])) < 1e-14);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

/* ---- the executor ------------------------------------------------------------------------------------- */

/* Counts allocations after a mark. */
typedef struct counter { int64_t calls; } counter;
static void *count_resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    ((counter *)user)->calls++;
    if (!new_bytes) return free(old), NULL;
    void *fresh = aligned_alloc(64, (new_bytes + 63) / 64 * 64);
    if (fresh && old) memcpy(fresh, old, old_bytes < new_bytes ? old_bytes : new_bytes), free(old);
    return fresh;
}

/* A long chain with every kind of operand, large enough for two threads, against the same numbers one by one. */
static void test_chain(void **state)
{
    enum { B = 70, H = 33, C = 48 };
    counter calls = {0};
    nigh_allocator allocator = {count_resize, &calls};
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new_with(&allocator, &ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x = nigh_tape_input(t, "x", NIGH_F32, 3, (int64_t[]){B, H, C}), bias = nigh_tape_input(t, "bias", NIGH_F32, 1, (int64_t[]){C});
    nigh_node row = nigh_tape_input(t, "row", NIGH_F32, 3, (int64_t[]){B, 1, 1}), scalar = nigh_tape_input(t, "s", NIGH_F32, 0, NULL);
    nigh_node turned = nigh_tape_input(t, "turned", NIGH_F32, 3, (int64_t[]){C, H, B});
    nigh_node y = nigh_tape_mul(t, nigh_tape_add(t, x, bias), row);
    y = nigh_tape_sub(t, nigh_tape_mul(t, y, scalar), nigh_tape_permute(t, turned, (int[]){2, 1, 0}));
    nigh_node z = nigh_tape_relu(t, nigh_tape_affine(t, y, 2, 1)), sum = nigh_tape_sum(t, z, 3, false);
    assert_int_equal(nigh_executor_new(ctx, t, 2, (nigh_node[]){z, sum}, &run), NIGH_OK);
    float *fx = nigh_executor_data(run, x), *fb = nigh_executor_data(run, bias), *fr = nigh_executor_data(run, row), *ft = nigh_executor_data(run, turned);
    *(float *)nigh_executor_data(run, scalar) = 0.75f;
    for (int i = 0; i < B * H * C; i++) fx[i] = (float)(i % 101) * 0.01f - 0.5f, ft[i] = (float)(i % 37) * 0.02f;
    for (int i = 0; i < C; i++) fb[i] = (float)i * 0.1f;
    for (int i = 0; i < B; i++) fr[i] = (float)i - 30;
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    int64_t before = calls.calls;
    for (int k = 0; k < 3; k++) assert_int_equal(nigh_executor_run(run), NIGH_OK);
    assert_int_equal(calls.calls, before);
    assert_int_equal(nigh_executor_steps(run), 2); /* one chain, one sum */
    const float *fz = nigh_executor_data(run, z), *fs = nigh_executor_data(run, sum);
    double total[C] = {0};
    for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++)
            for (int c = 0; c < C; c++) {
                float v = (fx[(b * H + h) * C + c] + fb[c]) * fr[b];
                v = v * 0.75f - ft[(c * H + h) * B + b];
                v = fmaf(2, v, 1);
                v = v > 0 ? v : 0;
                assert_true(fz[(b * H + h) * C + c] == v);
                total[c] += v;
            }
    for (int c = 0; c < C; c++) assert_true(fabs(fs[c] - total[c]) <= 1e-5 * total[c] + 1e-6);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

/* Equal nodes are one; unused ones are not computed; an output may be an input, a view, or asked for twice. */
static void test_outputs(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x = nigh_tape_input(t, "x", NIGH_F64, 2, (int64_t[]){2, 3}), a = nigh_tape_exp(t, x);
    assert_int_equal(a, nigh_tape_exp(t, x));
    nigh_node unused = nigh_tape_matmul(t, x, x, NIGH_TRANSPOSE_B), view = nigh_tape_transpose(t, x, 0, 1), ones = nigh_tape_fill(t, NIGH_F64, 1, (int64_t[]){2}, 1);
    assert_true(unused >= 0);
    nigh_node outputs[5] = {x, view, a, a, ones};
    assert_int_equal(nigh_executor_new(ctx, t, 5, outputs, &run), NIGH_OK);
    double at[6] = {0, 1, 2, 3, 4, 5}, mine[6];
    assert_int_equal(nigh_executor_run(run), NIGH_INVALID);
    nigh_executor_bind(run, x, at);
    nigh_executor_bind(run, a, mine);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const double *turned = nigh_executor_data(run, view), *one = nigh_executor_data(run, ones);
    for (int i = 0; i < 6; i++) assert_true(turned[i] == at[i % 2 * 3 + i / 2] && mine[i] == ((double *)nigh_executor_data(run, a))[i]);
    assert_true(one[0] == 1 && one[1] == 1 && fabs(mine[1] - exp(1)) < 1e-15);
    assert_int_equal(nigh_executor_bind(run, unused, mine), NIGH_INVALID);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_noise(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    enum { N = 20000 };
    nigh_node mask = nigh_tape_noise(t, NIGH_NOISE_MASK, 0.3, 1, NIGH_F32, 1, (int64_t[]){N}), normal = nigh_tape_noise(t, NIGH_NOISE_NORMAL, 0, 2, NIGH_F64, 1, (int64_t[]){N});
    assert_int_equal(nigh_executor_new(ctx, t, 2, (nigh_node[]){mask, normal}, &run), NIGH_OK);
    double share[2] = {0}, first[2], mean = 0, square = 0;
    for (int step = 0; step < 2; step++) {
        nigh_executor_set_step(run, 9, (uint64_t)step);
        assert_int_equal(nigh_executor_run(run), NIGH_OK);
        const float *m = nigh_executor_data(run, mask);
        const double *z = nigh_executor_data(run, normal);
        for (int i = 0; i < N; i++) share[step] += m[i] / N, mean += z[i] / (2 * N), square += z[i] * z[i] / (2 * N);
        first[step] = z[0];
    }
    assert_true(fabs(share[0] - 0.3) < 0.015 && fabs(mean) < 0.03 && fabs(square - 1) < 0.04 && first[0] != first[1]);
    nigh_executor_set_step(run, 9, 0);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    assert_true(*(const double *)nigh_executor_data(run, normal) == first[0]);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

/* ---- misuse ------------------------------------------------------------------------------------------- */

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    nigh_context *ctx;
    nigh_tape *t;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node a = nigh_tape_input(t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(t, "b", NIGH_F32, 2, (int64_t[]){5, 6});
    assert_int_equal(record(t, a, b), NIGH_NONE);
    assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
    assert_string_equal(nigh_message(ctx), words);
    assert_int_equal(nigh_tape_add(t, a, a), NIGH_NONE); /* the tape takes nothing more, and the first message stays */
    assert_string_equal(nigh_message(ctx), words);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static nigh_node wrong_product(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_matmul(t, a, b, 0); }
static nigh_node wrong_reshape(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_reshape(t, a, 2, (int64_t[]){5, -1}); }
static nigh_node wrong_node(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_exp(t, 77); }
static nigh_node wrong_slice(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_slice(t, a, 1, 2, 3, 1); }

static void test_misuse(void **state)
{
    expect_message(nigh_tape_add, "add: a is [3,4] f32, b is [5,6] f32; types must be equal and dimensions equal or 1");
    expect_message(wrong_product, "matmul: a is [3,4] f32, b is [5,6] f32: the inner sizes 4 and 5 differ");
    expect_message(wrong_reshape, "reshape: x is [3,4] f32, the new shape is [5,2] f32: not as many elements");
    expect_message(wrong_node, "exp: argument 1 is node 77; the tape has nodes 0 to 1");
    expect_message(wrong_slice, "slice: 3 elements from 2 in steps of 1 of axis 1, which has 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_input), cmocka_unit_test(test_two_inputs), cmocka_unit_test(test_shapes), cmocka_unit_test(test_products),
        cmocka_unit_test(test_third_order), cmocka_unit_test(test_tangent), cmocka_unit_test(test_chain), cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_noise), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
