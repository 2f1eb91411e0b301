/* The semidefinite programs of Lipschitz constants: values known in closed form, proofs that must fail, derivatives' worth, norms, compression. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/random.h"
#include "support.h"
#include "verify/sdp.h"

enum { MOST = 40 };

/* One layer of k units between an input of n and m outputs, in the original form: rows of A are W1, C = [0, W2]. */
typedef struct program {
    double a[MOST * MOST * 2], c[MOST * MOST * 2], cost[MOST * 2], a_error[4], c_error[2];
    int64_t variable[MOST * 2], start[3];
    sdp_problem p;
} program;

static void program_new(program *g, int64_t n, int64_t k, int64_t m, const double *w1, const double *w2)
{
    memset(g, 0, sizeof *g);
    const int64_t all = n + k;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++) g->a[i * all + j] = w1[i * n + j];
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < k; j++) g->c[i * all + n + j] = w2[i * k + j];
    for (int64_t i = 0; i < k; i++) g->variable[n + i] = 1 + i;
    g->start[1] = n, g->start[2] = all, g->cost[0] = 1;
    g->p = (sdp_problem){.n = all, .units = k, .outputs = m, .variables = 1 + k, .variable = g->variable, .cost = g->cost, .a = g->a, .c = g->c, .blocks = 2, .start = g->start,
                         .a_error = g->a_error, .c_error = g->c_error};
}

static double solve(nigh_context *ctx, program *g, double gap, double *y, sdp_result *r)
{
    void *workspace = nigh_alloc(ctx, sdp_workspace(&g->p));
    double start[2 * MOST], value;
    assert_ok(ctx, sdp_start(ctx, &g->p, y, workspace));
    memcpy(start, y, sizeof start);
    assert_true(sdp_proved(&g->p, y, workspace));
    assert_ok(ctx, sdp_solve(ctx, &g->p, &(sdp_options){.gap = gap}, y, r, workspace));
    assert_ok(ctx, sdp_prove(ctx, &g->p, start, 0.1 * gap, y, &value, workspace));
    assert_true(sdp_proved(&g->p, y, workspace));
    nigh_free(ctx, workspace);
    return value;
}

/* Diagonal maps: the units do not meet, rho is the largest (w1 w2)^2. */
static void test_diagonal(void **state)
{
    nigh_context *ctx = test_context_new();
    static program g;
    const double w1[9] = {1, 0, 0, 0, 2, 0, 0, 0, 3}, w2[9] = {5, 0, 0, 0, 2, 0, 0, 0, 0.5};
    double y[2 * MOST];
    sdp_result r;
    program_new(&g, 3, 3, 3, w1, w2);
    double value = solve(ctx, &g, 1e-8, y, &r);
    assert_near(value, 25, 0, 1e-6);
    assert_true(value >= 25);
    assert_near(r.lower, 25, 0, 1e-6);
    test_context_free(ctx);
}

/* Equal units behind each other: one row w of ones: |du| <= |sum dx|, C = c: L = c sqrt(n), and an infeasible point is never proved. */
static void test_row(void **state)
{
    nigh_context *ctx = test_context_new();
    static program g;
    double w1[10], w2[1] = {3}, y[2 * MOST];
    sdp_result r;
    for (int i = 0; i < 10; i++) w1[i] = 1;
    program_new(&g, 10, 1, 1, w1, w2);
    double value = solve(ctx, &g, 1e-7, y, &r);
    assert_near(value, 90, 0, 1e-6);
    assert_string_equal(r.stopped, "gap");
    void *workspace = nigh_alloc(ctx, sdp_workspace(&g.p));
    for (double by = 1e-6; by < 1; by *= 10) {
        double low[2 * MOST] = {90 * (1 - by), 9 + 9 * by / 2};
        assert_false(sdp_proved(&g.p, low, workspace));
        low[1] = -1;
        assert_false(sdp_proved(&g.p, low, workspace));
    }
    /* With errors of the rows stated, what was just provable is not any more. */
    g.a_error[2] = 1e-3;
    assert_false(sdp_proved(&g.p, y, workspace));
    nigh_free(ctx, workspace);
    test_context_free(ctx);
}

static void fill(nigh_rng *rng, int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++) a[i] = nigh_rng_normal(rng);
}

/* Random programs: value and lower bound meet; the solver is stopped early and still gives a provable point; same bits again. */
static void test_random(void **state)
{
    nigh_context *ctx = test_context_new();
    static program g;
    for (int trial = 0; trial < 20; trial++) {
        nigh_rng rng = nigh_rng_new((uint64_t)trial, 0);
        int64_t n = 1 + (int64_t)nigh_rng_below(&rng, 20), k = 1 + (int64_t)nigh_rng_below(&rng, 20), m = 1 + (int64_t)nigh_rng_below(&rng, 6);
        double w1[400], w2[400], y[2 * MOST], again[2 * MOST], early[2 * MOST];
        sdp_result r, second, cut;
        fill(&rng, n * k, w1), fill(&rng, k * m, w2);
        program_new(&g, n, k, m, w1, w2);
        double value = solve(ctx, &g, 1e-6, y, &r);
        assert_true(r.lower <= value * (1 + 1e-12) && r.lower >= value * (1 - 2e-6));
        assert_true(solve(ctx, &g, 1e-6, again, &second) == value && second.steps == r.steps);
        double before = solve(ctx, &g, 0.3, early, &cut);
        assert_true(before >= r.lower && before <= value * 1.5);
    }
    test_context_free(ctx);
}

static void test_definite(void **state)
{
    double a[4] = {2, 0, 1, 2}, b[4] = {1, 0, 1, 1}, c[4] = {1, 0, 1, 1 - 1e-14};
    assert_true(sdp_definite(2, a, 0));
    assert_false(sdp_definite(2, b, 0)); /* singular: cannot be proved */
    assert_false(sdp_definite(2, c, 0));
    double d[4] = {2, 0, 1, 2}, e[4] = {2, 0, 1, 2};
    assert_true(sdp_definite(2, d, 0.9));
    assert_false(sdp_definite(2, e, 1.1));
    double bad[1] = {NAN};
    assert_false(sdp_definite(1, bad, 0));
}

static double norm_by_power(int64_t m, int64_t n, const double *w)
{
    double x[60], y[60], size = 0;
    for (int64_t j = 0; j < n; j++) x[j] = 1 + 0.01 * (double)j;
    for (int step = 0; step < 3000; step++) {
        for (int64_t i = 0; i < m; i++) {
            y[i] = 0;
            for (int64_t j = 0; j < n; j++) y[i] += w[i * n + j] * x[j];
        }
        size = 0;
        for (int64_t j = 0; j < n; j++) {
            x[j] = 0;
            for (int64_t i = 0; i < m; i++) x[j] += w[i * n + j] * y[i];
            size += x[j] * x[j];
        }
        size = sqrt(size);
        for (int64_t j = 0; j < n && size > 0; j++) x[j] /= size;
    }
    return sqrt(size);
}

static void test_norm(void **state)
{
    nigh_context *ctx = test_context_new();
    double w[60 * 60], norm;
    for (int trial = 0; trial < 20; trial++) {
        nigh_rng rng = nigh_rng_new((uint64_t)trial, 1);
        int64_t m = 1 + (int64_t)nigh_rng_below(&rng, 60), n = 1 + (int64_t)nigh_rng_below(&rng, 60);
        fill(&rng, m * n, w);
        double by_power = norm_by_power(m, n, w);
        assert_ok(ctx, sdp_norm(ctx, m, n, w, &norm));
        assert_true(norm >= by_power * (1 - 1e-14));
        assert_near(norm, by_power, 0, 1e-4);
    }
    const double zero[4] = {0};
    assert_ok(ctx, sdp_norm(ctx, 2, 2, zero, &norm));
    assert_true(norm >= 0 && norm < 1e-100);
    test_context_free(ctx);
}

/* |l^T u| >= |w^T u| for all u, and hardly more; also for rows that depend on each other. */
static void test_compress(void **state)
{
    nigh_context *ctx = test_context_new();
    double w[12 * 50], l[144];
    for (int dependent = 0; dependent < 2; dependent++) {
        nigh_rng rng = nigh_rng_new(5, (uint64_t)dependent);
        fill(&rng, 12 * 50, w);
        if (dependent) memcpy(w + 50, w, 50 * sizeof *w), memset(w + 100, 0, 50 * sizeof *w);
        assert_ok(ctx, sdp_compress(ctx, 12, 50, w, 0, l));
        for (int trial = 0; trial < 100; trial++) {
            double u[12], by_w = 0, by_l = 0;
            fill(&rng, 12, u);
            for (int j = 0; j < 50; j++) {
                double sum = 0;
                for (int i = 0; i < 12; i++) sum += u[i] * w[i * 50 + j];
                by_w += sum * sum;
            }
            for (int j = 0; j < 12; j++) {
                double sum = 0;
                for (int i = 0; i < 12; i++) sum += u[i] * l[i * 12 + j];
                by_l += sum * sum;
            }
            assert_true(by_l >= by_w * (1 - 1e-15));
            assert_near(by_l, by_w, 1e-8, 1e-9);
        }
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_diagonal), cmocka_unit_test(test_row),  cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_definite), cmocka_unit_test(test_norm), cmocka_unit_test(test_compress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
