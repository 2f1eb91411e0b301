/* The neural spectral block on the tape: derivatives, the fused form beside the composed one, patches apart from each other, misuse. */
#include "derivatives.h"

#include "grad/latent.h"
#include "nigh/fields.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct form {
    int64_t patch[2];
    bool composed, added;
} form;

static nigh_node block(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    nigh_node more = f->added ? x[3] : NIGH_NONE;
    return f->composed ? latent_composed(t, x[0], more, x[1], x[2], f->patch) : nigh_tape_latent(t, x[0], more, x[1], x[2], f->patch);
}

static nigh_node moved(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_latent_step(t, x[0], x[1]); }

static void test_derivatives(void **state)
{
    derivatives_input input[4] = {{.ndim = 4, .dim = {2, 4, 6, 2 * (2 * 3 + 4)}}, {.ndim = 3, .dim = {2, 4, 3}}, {.ndim = 2, .dim = {6, 2 * 5}}, {.ndim = 4, .dim = {2, 4, 6, 6}}};
    form f = {{2, 3}, false, true};
    check_derivatives("four tokens", block, &f, 4, input, 2, 1e-6, 0);
    f.added = false;
    input[0].dim[3] = 2 * (2 * 3 + 2), input[1].dim[1] = 2;
    check_derivatives("two tokens", block, &f, 3, input, 2, 1e-6, 0);
    derivatives_input step[2] = {{.ndim = 2, .dim = {5, 3}}, {.ndim = 2, .dim = {3, 8}}};
    check_derivatives("step", moved, NULL, 2, step, 2, 1e-6, 0);
}

enum { MOST = 40000 };

/* The block and its gradients by u, token, w and x of sum(seed o), in the order o, gradients. */
static int64_t answers(nigh_dtype dtype, const form *f, const int64_t dim[4], int64_t heads, int64_t tokens, int64_t basis, int threads, double *out)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    int64_t width = dim[3] / heads, all[4] = {dim[0], dim[1], dim[2], heads * (2 * width + tokens)}, n = 0;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_context_set_threads(ctx, threads), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node in[5] = {nigh_tape_input(t, "u", dtype, 4, all), nigh_tape_input(t, "token", dtype, 3, (int64_t[]){heads, tokens, width}),
                       nigh_tape_input(t, "w", dtype, 2, (int64_t[]){dim[3], 2 * basis}), nigh_tape_input(t, "x", dtype, 4, dim), nigh_tape_input(t, "seed", dtype, 4, dim)}, node[5];
    node[0] = block(t, in, (void *)f);
    assert_int_equal(nigh_tape_gradient(t, node[0], in[4], 4, in, node + 1), NIGH_OK);
    assert_int_equal(nigh_executor_new(ctx, t, 5, node, &run), NIGH_OK);
    for (int i = 0; i < 5; i++) {
        if (!nigh_executor_has(run, in[i])) continue;
        void *data = nigh_executor_data(run, in[i]);
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(t, in[i])); k++) {
            double v = sin(1.3 * (double)k + i) * (i == 2 ? 0.3 : 1);
            if (dtype == NIGH_F32) ((float *)data)[k] = (float)v;
            else ((double *)data)[k] = v;
        }
    }
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    for (int i = 0; i < 5; i++) {
        const void *data = nigh_executor_data(run, node[i]);
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(t, node[i])); k++) {
            assert_true(n < MOST);
            out[n++] = dtype == NIGH_F32 ? (double)((const float *)data)[k] : ((const double *)data)[k];
        }
    }
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
    return n;
}

static void test_beside_composed(void **state)
{
    static double have[MOST], want[MOST];
    static const struct { int64_t dim[4], patch[2], heads, tokens, basis; } cases[] = {
        {{1, 8, 8, 8}, {4, 4}, 2, 4, 12}, {{3, 6, 10, 6}, {3, 2}, 3, 4, 5}, {{2, 1, 12, 8}, {1, 4}, 4, 3, 1}, {{1, 4, 4, 5}, {1, 1}, 1, 7, 2}, {{5, 4, 4, 4}, {4, 4}, 4, 1, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int single = 0; single < 2; single++) {
            nigh_dtype dtype = single ? NIGH_F32 : NIGH_F64;
            form f = {{cases[i].patch[0], cases[i].patch[1]}, false, true};
            int64_t n = answers(dtype, &f, cases[i].dim, cases[i].heads, cases[i].tokens, cases[i].basis, 1, have);
            f.composed = true;
            assert_int_equal(answers(NIGH_F64, &f, cases[i].dim, cases[i].heads, cases[i].tokens, cases[i].basis, 1, want), n);
            for (int64_t k = 0; k < n; k++)
                if (!(fabs(have[k] - want[k]) <= (single ? 2e-5 : 1e-12) * (1 + fabs(want[k])))) fail_msg("case %zu, number %lld: %.12g, not %.12g", i, (long long)k, have[k], want[k]);
        }
}

/* The same results for one and two threads but for the order of sums over patches. */
static void test_threads(void **state)
{
    static double one[MOST], two[MOST];
    form f = {{4, 4}, false, true};
    int64_t dim[4] = {1, 16, 16, 16}, n = answers(NIGH_F64, &f, dim, 4, 4, 6, 1, one);
    assert_int_equal(answers(NIGH_F64, &f, dim, 4, 4, 6, 2, two), n);
    for (int64_t k = 0; k < n; k++) assert_true(fabs(one[k] - two[k]) <= 1e-12 * (1 + fabs(one[k])));
}

/* What one patch of u holds changes no bit of the results of the others. */
static void test_patches(void **state)
{
    enum { SIDE = 20, C = 4, HEADS = 2, COLUMNS = HEADS * (2 * C / HEADS + 4), POINTS = SIDE * SIDE };
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    static float first[POINTS * C];
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node u = nigh_tape_input(t, "u", NIGH_F32, 4, (int64_t[]){1, SIDE, SIDE, COLUMNS}), token = nigh_tape_fill(t, NIGH_F32, 3, (int64_t[]){HEADS, 4, C / HEADS}, 0.5);
    nigh_node w = nigh_tape_fill(t, NIGH_F32, 2, (int64_t[]){C, 6}, 0.1), o = nigh_tape_latent(t, u, NIGH_NONE, token, w, (int64_t[]){4, 4});
    assert_int_equal(nigh_executor_new(ctx, t, 1, &o, &run), NIGH_OK);
    float *x = nigh_executor_data(run, u);
    for (int i = 0; i < POINTS * COLUMNS; i++) x[i] = (float)sin(i);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    memcpy(first, nigh_executor_data(run, o), sizeof first);
    for (int r = 8; r < 12; r++)
        for (int c = 4; c < 8; c++) x[(r * SIDE + c) * COLUMNS + 3] = r == 8 ? NAN : 40;
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const float *second = nigh_executor_data(run, o);
    int changed = 0;
    for (int i = 0; i < POINTS; i++) {
        bool inside = i / SIDE / 4 == 2 && i % SIDE / 4 == 1, same = !memcmp(first + i * C, second + i * C, C * sizeof *first);
        if (!inside) assert_true(same);
        changed += !same;
    }
    assert_true(changed > 0);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    static const struct { int64_t u[4], token[3], w[2], patch[2]; const char *text; } cases[] = {
        {{1, 8, 8, 24}, {2, 4, 4}, {8, 6}, {3, 4}, "no multiple of the patch's 3"},
        {{1, 8, 8, 23}, {2, 4, 4}, {8, 6}, {4, 4}, "[N,H,W,h(2d+T)]"},
        {{1, 8, 8, 24}, {2, 4, 4}, {9, 6}, {4, 4}, "[hd,2 basis]"},
        {{1, 8, 8, 146}, {2, 65, 4}, {8, 6}, {4, 4}, "65 tokens"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_context *ctx;
        nigh_tape *t;
        assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node u = nigh_tape_input(t, "u", NIGH_F32, 4, cases[i].u), k = nigh_tape_input(t, "k", NIGH_F32, 3, cases[i].token), w = nigh_tape_input(t, "w", NIGH_F32, 2, cases[i].w);
        assert_int_equal(nigh_tape_latent(t, u, NIGH_NONE, k, w, cases[i].patch), NIGH_NONE);
        assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
        if (!strstr(nigh_message(ctx), cases[i].text)) fail_msg("'%s' lacks '%s'", nigh_message(ctx), cases[i].text);
        nigh_tape_free(t);
        nigh_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_beside_composed), cmocka_unit_test(test_threads), cmocka_unit_test(test_patches),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
