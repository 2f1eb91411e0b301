/* Attention on the tape: fused against composed with every mask, derivatives of the first order, composed ones of the second, views, misuse. */
#include "derivatives.h"

#include "nigh/operators_sequences.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BATCH = 2, QUERIES = 5, KEYS = 7, HEADS = 4, KV_HEADS = 2, WIDTH = 3, VALUES = 5 };

typedef struct form {
    const char *name;
    bool causal, cosine, lengths, segments, bias, slopes, ragged, with_lse, packed, composed;
    int64_t window, first;
    double scale;
} form;

static const form forms[] = {{.name = "plain"}, {.name = "scaled", .scale = 0.7, .with_lse = true}, {.name = "causal", .causal = true, .with_lse = true},
                             {.name = "window", .window = 3}, {.name = "causal window", .causal = true, .window = 2, .first = 1},
                             {.name = "cosine", .cosine = true, .scale = 2, .with_lse = true}, {.name = "lengths", .lengths = true},
                             {.name = "ragged", .lengths = true, .ragged = true, .causal = true}, {.name = "segments", .segments = true},
                             {.name = "bias", .bias = true, .with_lse = true}, {.name = "slopes", .slopes = true, .causal = true, .bias = true}};

static const int32_t lengths[BATCH] = {7, 6}, q_segment[BATCH * QUERIES] = {0, 0, 1, 1, 1, 2, 2, 2, 3, 3};
static const int32_t k_segment[BATCH * KEYS] = {0, 0, 0, 1, 1, 1, 1, 3, 3, 2, 2, 2, 3, 3};

/* x: q, k, v and a bias; packed: q, k and v lie in x[0]. */
static nigh_node attend(nigh_tape *t, const nigh_node *x, const form *f, nigh_node *lse)
{
    nigh_dtype dtype = nigh_tape_shape(t, x[0])->dtype;
    nigh_attention_how how = nigh_attention_plain();
    how.causal = f->causal, how.cosine = f->cosine, how.window = f->window, how.first = f->first, how.scale = f->scale, how.ragged = f->ragged;
    if (f->lengths) how.lengths = nigh_tape_constant(t, NIGH_I32, 1, (int64_t[]){BATCH}, lengths);
    if (f->segments) {
        how.q_segment = nigh_tape_constant(t, NIGH_I32, 2, (int64_t[]){BATCH, QUERIES}, q_segment);
        how.k_segment = nigh_tape_constant(t, NIGH_I32, 2, (int64_t[]){BATCH, KEYS}, k_segment);
    }
    if (f->bias) how.bias = x[3];
    if (f->slopes) {
        static const float narrow[HEADS] = {0.5f, 0.25f, 0.125f, 0.0625f};
        static const double wide[HEADS] = {0.5, 0.25, 0.125, 0.0625};
        how.slopes = nigh_tape_constant(t, dtype, 1, (int64_t[]){HEADS}, dtype == NIGH_F32 ? (const void *)narrow : (const void *)wide);
    }
    if (f->packed) return nigh_tape_attention_packed(t, x[0], HEADS, &how, lse);
    return f->composed ? nigh_tape_attention_composed(t, x[0], x[1], x[2], &how, lse) : nigh_tape_attention(t, x[0], x[1], x[2], &how, lse);
}

static nigh_node attended(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    nigh_node lse, o = attend(t, x, f, &lse);
    if (!f->with_lse) return nigh_tape_square(t, o);
    return nigh_tape_concat(t, 2, (nigh_node[]){nigh_tape_square(t, nigh_tape_reshape(t, o, 1, (int64_t[]){-1})),
                                                nigh_tape_sin(t, nigh_tape_reshape(t, lse, 1, (int64_t[]){-1}))}, 0);
}

static const derivatives_input inputs[4] = {{.ndim = 4, .dim = {BATCH, QUERIES, HEADS, WIDTH}}, {.ndim = 4, .dim = {BATCH, KEYS, KV_HEADS, WIDTH}},
                                            {.ndim = 4, .dim = {BATCH, KEYS, KV_HEADS, VALUES}}, {.ndim = 4, .dim = {1, HEADS, QUERIES, KEYS}}};

static void test_derivatives(void **state)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        form f = forms[i];
        check_derivatives(f.name, attended, &f, f.bias ? 4 : 3, inputs, 1, 1e-7, 0);
        f.composed = true;
        check_derivatives(f.name, attended, &f, f.bias ? 4 : 3, inputs, 2, 1e-6, 1e-3);
    }
    form packed = {.name = "packed", .packed = true, .causal = true, .with_lse = true};
    derivatives_input one = {.ndim = 4, .dim = {BATCH, QUERIES, HEADS + 2 * KV_HEADS, WIDTH}};
    check_derivatives("packed", attended, &packed, 1, &one, 1, 1e-7, 0);
}

static void fill(nigh_executor *run, nigh_node node, int64_t n, double step)
{
    double *v = nigh_executor_data(run, node);
    assert_non_null(v);
    for (int64_t i = 0; i < n; i++) v[i] = sin(step * (double)(i + 1));
}

static void hold_equal(nigh_executor *run, nigh_node a, nigh_node b, int64_t n)
{
    const double *x = nigh_executor_data(run, a), *y = nigh_executor_data(run, b);
    for (int64_t i = 0; i < n; i++) assert_true(fabs(x[i] - y[i]) < 1e-12 * (1 + fabs(y[i])));
}

static void test_fused_is_composed(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        form f = forms[i];
        nigh_tape *t;
        nigh_executor *run;
        nigh_node x[4], out[4];
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        for (int k = 0; k < 4; k++) x[k] = nigh_tape_input(t, "x", NIGH_F64, 4, inputs[k].dim);
        out[0] = attend(t, x, &f, &out[1]);
        f.composed = true;
        out[2] = attend(t, x, &f, &out[3]);
        assert_int_equal(nigh_executor_new(ctx, t, 4, out, &run), NIGH_OK);
        for (int k = 0; k < 4; k++)
            if (nigh_executor_has(run, x[k])) fill(run, x[k], nigh_shape_count(nigh_tape_shape(t, x[k])), 0.4 + 0.3 * k);
        assert_int_equal(nigh_executor_run(run), NIGH_OK);
        hold_equal(run, out[0], out[2], BATCH * QUERIES * HEADS * VALUES);
        hold_equal(run, out[1], out[3], BATCH * HEADS * QUERIES);
        nigh_executor_free(run);
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

/* q, k, v as parts of one array, packed, turned about and reversed: the same numbers. */
static void test_views(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node all = nigh_tape_input(t, "qkv", NIGH_F64, 4, (int64_t[]){BATCH, QUERIES, 3 * HEADS, WIDTH}), part[3], turned[3], out[8];
    nigh_attention_how how = nigh_attention_plain();
    for (int i = 0; i < 3; i++) {
        part[i] = nigh_tape_slice(t, all, 2, i * HEADS, HEADS, 1);
        turned[i] = nigh_tape_flip(t, nigh_tape_flip(t, part[i], 3), 3);
    }
    how.causal = true;
    out[0] = nigh_tape_attention_packed(t, all, HEADS, &how, NULL);
    out[1] = nigh_tape_attention(t, part[0], part[1], part[2], &how, NULL);
    out[2] = nigh_tape_attention(t, turned[0], turned[1], turned[2], &how, NULL);
    nigh_node flipped[3] = {nigh_tape_flip(t, part[0], 3), nigh_tape_flip(t, part[1], 3), part[2]};
    out[3] = nigh_tape_attention(t, flipped[0], flipped[1], flipped[2], &how, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(nigh_tape_gradient(t, nigh_tape_sum(t, nigh_tape_square(t, out[i]), NIGH_ALL, false), NIGH_NONE, 1, &all, &out[4 + i]), NIGH_OK);
    assert_int_equal(nigh_executor_new(ctx, t, 8, out, &run), NIGH_OK);
    fill(run, all, BATCH * QUERIES * 3 * HEADS * WIDTH, 0.73);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    for (int i = 1; i < 4; i++) {
        hold_equal(run, out[i], out[0], BATCH * QUERIES * HEADS * WIDTH);
        hold_equal(run, out[4 + i], out[4], BATCH * QUERIES * 3 * HEADS * WIDTH);
    }
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int i = 0; i < 7; i++) {
        nigh_tape *t;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x[4], y = NIGH_NONE;
        for (int k = 0; k < 4; k++) x[k] = nigh_tape_input(t, "x", NIGH_F32, 4, inputs[k].dim);
        nigh_attention_how how = nigh_attention_plain();
        if (i == 0) y = nigh_tape_attention(t, x[0], x[2], x[1], &how, NULL);
        if (i == 1) y = nigh_tape_attention(t, x[0], x[1], nigh_tape_cast(t, x[2], NIGH_F64), &how, NULL);
        if (i == 2) how.lengths = x[0];
        if (i == 3) how.bias = x[0];
        if (i == 4) how.q_segment = x[0];
        if (i == 5) how.ragged = true;
        if (i > 1 && i < 6) y = nigh_tape_attention(t, x[0], x[1], x[2], &how, NULL);
        if (i == 6) y = nigh_tape_attention_packed(t, x[0], 3, &how, NULL);
        assert_int_equal(y, NIGH_NONE);
        assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
        assert_non_null(strstr(nigh_message(ctx), "attention"));
        nigh_tape_free(t);
    }
    nigh_tape *t;
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x[3], g[3], s;
    for (int k = 0; k < 3; k++) x[k] = nigh_tape_input(t, "x", NIGH_F32, 4, inputs[k].dim);
    nigh_attention_how how = nigh_attention_plain();
    s = nigh_tape_sum(t, nigh_tape_square(t, nigh_tape_attention(t, x[0], x[1], x[2], &how, NULL)), NIGH_ALL, false);
    assert_int_equal(nigh_tape_gradient(t, s, NIGH_NONE, 3, x, g), NIGH_OK);
    assert_int_equal(nigh_tape_gradient(t, nigh_tape_sum(t, nigh_tape_square(t, g[0]), NIGH_ALL, false), NIGH_NONE, 3, x, g), NIGH_UNSUPPORTED);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_fused_is_composed), cmocka_unit_test(test_views),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
