/* Least squares by every method: against an exact solution, bounds that hold, what the planner does, and bad input by name. */
#include "support.h"

#include "nigh/linalg.h"
#include "nigh/random.h"
#include "nigh/sketch.h"
#include "reduce/squares.h"
#include "reduce/squares_peers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct problem {
    nigh_squares p;
    double *a, *b, *weight, *x;
} problem;

/* Normal rows, b = A cos + noise; x the exact solution. */
static problem make(nigh_context *ctx, int64_t n, int64_t d, double noise, bool weighted)
{
    problem q = {.a = malloc((size_t)(n * d) * 8), .b = malloc((size_t)n * 8), .weight = malloc((size_t)n * 8), .x = malloc((size_t)d * 8)};
    nigh_rng rng = nigh_rng_new(3, (uint64_t)(n + d));
    nigh_rng_fill_normal(&rng, n * d, q.a);
    for (int64_t i = 0; i < n; i++) {
        q.b[i] = noise * nigh_rng_normal(&rng);
        for (int64_t j = 0; j < d; j++) q.b[i] += q.a[i * d + j] * cos((double)j);
        q.weight[i] = i % 7 ? 0.5 + (double)(i % 5) : 0;
    }
    q.p = (nigh_squares){n, d, q.a, NULL, q.b, weighted ? q.weight : NULL};
    double *wa = malloc((size_t)(n * d) * 8), *wb = malloc((size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        double w = weighted ? sqrt(q.weight[i]) : 1;
        for (int64_t j = 0; j < d; j++) wa[i * d + j] = w * q.a[i * d + j];
        wb[i] = w * q.b[i];
    }
    assert_ok(ctx, nigh_least_squares(ctx, NIGH_F64, n, d, 1, wa, wb, 0, q.x, NULL));
    free(wa), free(wb);
    return q;
}

static void unmake(problem *q)
{
    free(q->a), free(q->b), free(q->weight), free(q->x);
}

static double residual_of(const nigh_squares *p, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double r = p->b[i];
        for (int64_t j = 0; j < p->d; j++) r -= p->a[i * p->d + j] * x[j];
        sum += (p->weight ? p->weight[i] : 1) * r * r;
    }
    return sqrt(sum);
}

static const nigh_squares_method dense[] = {NIGH_SQUARES_AUTO, NIGH_SQUARES_QR, NIGH_SQUARES_NORMAL, NIGH_SQUARES_SRHT, NIGH_SQUARES_COUNT, NIGH_SQUARES_SPARSE,
                                            NIGH_SQUARES_GAUSSIAN};
enum { DENSE = 7 };

/* Normal equations tell the residual from their sums, with the bounds that the sums allow; where they allow too little, from a pass over the rows. */
static void test_sums(void **state)
{
    static const int64_t columns[] = {9, 150};
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (int level = 0; level < 3; level++) {
                double noise[] = {1, 1e-3, 1e-12}, x[150], bound[150];
                problem q = make(ctx, 5000, columns[wide], noise[level], weighted);
                nigh_squares_receipt r;
                assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = NIGH_SQUARES_NORMAL, .error = 1e-10}, x, bound, &r));
                double least = residual_of(&q.p, q.x);
                assert_true(r.met && r.excess_bound <= 1e-10);
                assert_true(fabs(r.residual - least) <= (level == 2 ? 1e-3 : 1e-12) * least);
                if (level == 0) assert_true(r.excess_bound > 1e-24 && r.excess_bound < 1e-16); /* what rounding may have done to the sums is in it */
                for (int64_t j = 0; j < columns[wide]; j++) assert_true(fabs(x[j] - q.x[j]) <= bound[j]);
                unmake(&q);
            }
    nigh_context_free(ctx);
    (void)state;
}

/* Every method meets the error that it says it meets, with and without weights, on one thread and two. */
static void test_meets(void **state)
{
    static const double errors[] = {0.1, 1e-3, 1e-8, 1e-13};
    nigh_context *ctx = test_context_new();
    for (int threads = 1; threads <= 2; threads++)
        for (int weighted = 0; weighted < 2; weighted++) {
            int64_t n = 20000, d = 9;
            problem q = make(ctx, n, d, 1, weighted);
            double least = residual_of(&q.p, q.x), x[9], bound[9];
            assert_ok(ctx, nigh_context_set_threads(ctx, threads));
            for (int m = 0; m < DENSE; m++)
                for (int e = 0; e < 4; e++) {
                    nigh_squares_receipt r;
                    nigh_squares_options o = {.method = dense[m], .error = errors[e], .seed = 5};
                    if (dense[m] == NIGH_SQUARES_GAUSSIAN && e > 1) continue;
                    assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, bound, &r));
                    assert_true(r.met && r.excess_bound <= errors[e] && r.excess <= r.excess_bound);
                    double residual = residual_of(&q.p, x);
                    assert_near(r.residual, residual, 0, 1e-12);
                    assert_true(residual / least - 1 <= r.excess_bound + 1e-14);
                    for (int64_t j = 0; j < d; j++) assert_true(fabs(x[j] - q.x[j]) <= bound[j] * (1 + 1e-9));
                    if (m) assert_int_equal(r.chosen.method, dense[m]);
                }
            unmake(&q);
        }
    test_context_free(ctx);
}

/* The bound of each coefficient by a sketch alone: it holds for all at once, it is of the right size, and coordinates ask for it. */
static void test_coordinates(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 4096, d = 20;
    problem q = make(ctx, n, d, 2, false);
    double x[20], bound[20], ratio = 0;
    int held = 0, trials = 100;
    nigh_squares_rates rates = {.d = d};
    for (int k = 0; k < trials; k++) {
        nigh_squares_receipt r;
        nigh_squares_options o = {.method = NIGH_SQUARES_SRHT, .rows = 320, .most = -1, .error = 2, .coordinates = true, .seed = (uint64_t)k, .rates = &rates, .second = true};
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, bound, &r));
        assert_true(r.met && r.passes == 0 && r.chosen.rows == 320);
        double worst = 0;
        for (int64_t j = 0; j < d; j++) worst = fmax(worst, fabs(x[j] - q.x[j]) / bound[j]);
        held += worst <= 1;
        ratio += worst / trials;
        assert_true(r.second < 1.3);
    }
    assert_true(held >= 97 && ratio > 0.4);
    for (int m = 0; m < DENSE; m++) {
        nigh_squares_receipt r;
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = dense[m], .error = 1e-6, .coordinates = true}, x, bound, &r));
        assert_true(r.met && r.coordinate <= 1e-6);
        for (int64_t j = 0; j < d; j++) assert_true(fabs(x[j] - q.x[j]) * sqrt((double)d) * sqrt((double)n) <= 1.2e-6 * r.residual);
    }
    unmake(&q);
    test_context_free(ctx);
}

/* b in the range of A: every method is exact to rounding; seeds and runs give the same bits. */
static void test_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    problem q = make(ctx, 3000, 12, 0, false);
    double x[12], again[12];
    for (int m = 0; m < DENSE; m++) {
        nigh_squares_receipt r;
        nigh_squares_options o = {.method = dense[m], .error = 0.1, .seed = 8};
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, &r));
        for (int j = 0; j < 12; j++) assert_near(x[j], cos(j), 1e-10, 0);
        assert_true(r.met);
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, again, NULL, NULL));
        if (m) assert_memory_equal(x, again, sizeof x);
    }
    unmake(&q);
    test_context_free(ctx);
}

/* The solution is linear in b for a fixed sketch, and one residual step squares the error. */
static void test_linear_and_step(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 8192, d = 16;
    problem q = make(ctx, n, d, 1, false);
    double x[16], twice[16], other[16], sum[16], *c = malloc((size_t)n * 8), before = 0, after = 0;
    nigh_squares_options o = {.method = NIGH_SQUARES_SRHT, .rows = 1024, .most = -1, .error = 1};
    nigh_squares_receipt r;
    assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, &r));
    nigh_squares p = q.p;
    p.b = c;
    for (int64_t i = 0; i < n; i++) c[i] = sin((double)i);
    assert_ok(ctx, nigh_squares_solve(ctx, &p, &o, other, NULL, NULL));
    for (int64_t i = 0; i < n; i++) c[i] = 2 * q.b[i] - 3 * sin((double)i);
    assert_ok(ctx, nigh_squares_solve(ctx, &p, &o, sum, NULL, NULL));
    for (int j = 0; j < d; j++) assert_near(sum[j], 2 * x[j] - 3 * other[j], 1e-12, 0);
    o.correct = true;
    assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, twice, NULL, &r));
    assert_true(r.correct && r.passes == 1);
    for (int j = 0; j < d; j++) before += pow(x[j] - q.x[j], 2), after += pow(twice[j] - q.x[j], 2);
    assert_true(sqrt(after / before) < 2.5 * sqrt((double)d / 1024) + 0.1);
    free(c);
    unmake(&q);
    test_context_free(ctx);
}

static void test_planner(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_squares_choice c[NIGH_SQUARES_METHODS - 1];
    problem q = make(ctx, 3000, 10, 1, false);
    nigh_squares_rates slow = {.d = 10, .pass = 1e-9, .gram = 1e-6, .qr = 2e-6, .srht = 2e-9, .srht_sum = 1e-9, .count = 1e-6, .sparse = 1e-6}, fast = slow;
    fast.gram = 1e-10;
    nigh_squares_options o = {.error = 0.1, .rates = &slow};
    assert_ok(ctx, nigh_squares_plan(ctx, &q.p, &o, c, NULL));
    assert_int_equal(c[0].method, NIGH_SQUARES_SRHT);
    assert_true(c[0].rows % 64 == 0 && c[0].rows >= 40 && c[0].rows <= 750);
    for (int k = 1; k < NIGH_SQUARES_METHODS - 1; k++) assert_true(c[k].seconds >= c[k - 1].seconds && (isfinite(c[k].seconds) || c[k].why));
    o.rates = &fast;
    assert_ok(ctx, nigh_squares_plan(ctx, &q.p, &o, c, NULL));
    assert_int_equal(c[0].method, NIGH_SQUARES_NORMAL);
    unmake(&q);
    /* too few rows for a sketch: solved exactly, and said so */
    q = make(ctx, 100, 10, 1, false);
    double x[10];
    nigh_squares_receipt r;
    assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = NIGH_SQUARES_SRHT, .error = 0.1}, x, NULL, &r));
    assert_int_equal(r.chosen.method, NIGH_SQUARES_QR);
    assert_non_null(strstr(r.fallback, "fewer than 16 rows a column"));
    for (int j = 0; j < 10; j++) assert_near(x[j], q.x[j], 1e-12, 0);
    unmake(&q);
    test_context_free(ctx);
}

/* Scales of columns from 1e-150 to 1e150, and nearly dependent columns: the answer to the scaled problem, scaled back. */
static void test_scales(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 2000, d = 6;
    problem q = make(ctx, n, d, 1, false);
    static const double scale[] = {1e-150, 1, 1e100, 1e-20, 1e150, 3};
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) q.a[i * d + j] *= scale[j];
    double x[6], bound[6];
    for (int m = 0; m < DENSE; m++) {
        nigh_squares_receipt r;
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = dense[m], .error = 1e-9}, x, bound, &r));
        assert_true(r.met);
        for (int64_t j = 0; j < d; j++) {
            assert_near(x[j] * scale[j], q.x[j], 1e-4, 0);
            assert_true(fabs(x[j] * scale[j] - q.x[j]) <= bound[j] * scale[j] * (1 + 1e-9) + 1e-14);
        }
    }
    for (int64_t i = 0; i < n; i++) /* condition 1e9: the normal equations must give way */
        for (int64_t j = 0; j < d; j++) q.a[i * d + j] = j == 5 ? q.a[i * d] + 1e-9 * q.a[i * d + 5] : q.a[i * d + j] / scale[j];
    nigh_squares_receipt r;
    assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = NIGH_SQUARES_NORMAL, .error = 1e-6}, x, bound, &r));
    assert_int_equal(r.chosen.method, NIGH_SQUARES_QR);
    assert_true(r.fallbacks == 1 && r.met && r.smallest < 1e-8);
    unmake(&q);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 500, d = 4;
    problem q = make(ctx, n, d, 1, true);
    double x[4] = {7, 7, 7, 7}, kept;
    for (int m = 0; m < DENSE; m++) {
        nigh_squares_options o = {.method = dense[m], .error = 0.1};
        kept = q.a[123 * d + 2];
        q.a[123 * d + 2] = NAN;
        assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "row 124, column 3 is nan");
        q.a[123 * d + 2] = kept;
        q.b[9] = INFINITY;
        assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "the target of row 10 is inf");
        q.b[9] = 1;
        q.weight[4] = -1;
        assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "the weight of row 5 is -1");
        q.weight[4] = 1;
    }
    assert_true(x[0] == 7 && x[3] == 7);
    nigh_squares_options o = {.error = -1};
    assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "the error is -1");
    o = (nigh_squares_options){.method = NIGH_SQUARES_SRHT, .rows = 3};
    assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "3 rows for 4 columns");
    o = (nigh_squares_options){.method = NIGH_SQUARES_LSQR};
    assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_UNSUPPORTED, "lsqr for dense rows");
    nigh_squares few = q.p;
    few.n = 3;
    assert_fails(ctx, nigh_squares_solve(ctx, &few, NULL, x, NULL, NULL), NIGH_INVALID, "3 rows for 4 columns");
    few = q.p, few.a = NULL;
    assert_fails(ctx, nigh_squares_solve(ctx, &few, NULL, x, NULL, NULL), NIGH_INVALID, "none are");
    memset(q.weight, 0, (size_t)n * 8);
    assert_fails(ctx, nigh_squares_solve(ctx, &q.p, NULL, x, NULL, NULL), NIGH_INVALID, "all weights are 0");
    nigh_squares_method found;
    assert_fails(ctx, nigh_squares_method_find(ctx, "svd", &found), NIGH_INVALID, "'svd'");
    unmake(&q);
    test_context_free(ctx);
}

static void test_dependent(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 1000, d = 5;
    problem q = make(ctx, n, d, 1, false);
    double x[5];
    for (int64_t i = 0; i < n; i++) q.a[i * d + 3] = q.a[i * d] - 2 * q.a[i * d + 1];
    for (int m = 0; m < DENSE; m++) {
        nigh_squares_options o = {.method = dense[m], .error = 0.01};
        nigh_squares_receipt r;
        assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "column 4 is (nearly) a combination");
        o.ridge = 1e-6;
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, &r));
        for (int64_t i = 0; i < n; i++) q.a[i * d + 4] = 0;
        o.ridge = 0;
        for (int64_t i = 0; i < n; i++) q.a[i * d + 3] = cos((double)(i * i));
        assert_fails(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, NULL), NIGH_INVALID, "column 5 is all zeros");
        o.ridge = 1e-6;
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &o, x, NULL, &r));
        assert_true(x[4] == 0);
        for (int64_t i = 0; i < n; i++) q.a[i * d + 4] = sin((double)i), q.a[i * d + 3] = q.a[i * d] - 2 * q.a[i * d + 1];
    }
    unmake(&q);
    test_context_free(ctx);
}

/* The ridge's answer by the normal equations with the penalty, for every method. */
static void test_ridge(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 2000, d = 7;
    problem q = make(ctx, n, d, 1, true);
    double gram[49] = {0}, c[7] = {0}, x[7], ridge = 0.3;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            c[j] += q.weight[i] * q.a[i * d + j] * q.b[i];
            for (int64_t k = 0; k < d; k++) gram[j * d + k] += q.weight[i] * q.a[i * d + j] * q.a[i * d + k];
        }
    for (int64_t j = 0; j < d; j++) gram[j * 8] *= 1 + ridge;
    assert_ok(ctx, nigh_cholesky_factor(ctx, NIGH_F64, d, d, gram, gram));
    assert_ok(ctx, nigh_cholesky_solve(ctx, NIGH_F64, d, d, gram, 1, c, c));
    for (int m = 0; m < DENSE; m++) {
        assert_ok(ctx, nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = dense[m], .error = 1e-13, .ridge = ridge}, x, NULL, NULL));
        for (int64_t j = 0; j < d; j++) assert_near(x[j], c[j], 1e-5, 0);
    }
    unmake(&q);
    test_context_free(ctx);
}

static void test_sparse(void **state)
{
    static const nigh_squares_method methods[] = {NIGH_SQUARES_AUTO, NIGH_SQUARES_NORMAL, NIGH_SQUARES_COUNT, NIGH_SQUARES_SPARSE, NIGH_SQUARES_LSQR, NIGH_SQUARES_DIRECT};
    nigh_context *ctx = test_context_new();
    enum { N = 6000, D = 25, COUNT = 4 * N };
    int64_t *row = malloc(COUNT * 8), *column = malloc(COUNT * 8);
    double *value = malloc(COUNT * 8), *a = calloc(N * D, 8), *b = malloc(N * 8), *weight = malloc(N * 8), exact[D], x[D], bound[D];
    nigh_rng rng = nigh_rng_new(5, 5);
    for (int k = 0; k < COUNT; k++) {
        row[k] = k / 4, column[k] = (int64_t)nigh_rng_below(&rng, D);
        a[row[k] * D + column[k]] += value[k] = nigh_rng_normal(&rng);
    }
    for (int i = 0; i < N; i++) b[i] = nigh_rng_normal(&rng) + a[i * D] - a[i * D + 3], weight[i] = 1 + i % 3;
    nigh_sparse *s;
    assert_ok(ctx, nigh_sparse_new(ctx, N, D, COUNT, row, column, value, &s));
    nigh_squares full = {N, D, a, NULL, b, weight}, p = {N, D, NULL, s, b, weight};
    assert_ok(ctx, nigh_squares_solve(ctx, &full, &(nigh_squares_options){.method = NIGH_SQUARES_QR}, exact, NULL, NULL));
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        nigh_squares_receipt r;
        assert_ok(ctx, nigh_squares_solve(ctx, &p, &(nigh_squares_options){.method = methods[m], .error = 1e-12}, x, bound, &r));
        assert_true(r.met);
        for (int j = 0; j < D; j++) {
            assert_near(x[j], exact[j], 1e-6, 0);
            if (r.bounded) assert_true(fabs(x[j] - exact[j]) <= bound[j] * 1.001 + 1e-14);
        }
    }
    assert_fails(ctx, nigh_squares_solve(ctx, &p, &(nigh_squares_options){.method = NIGH_SQUARES_SRHT}, x, NULL, NULL), NIGH_UNSUPPORTED, "srht for sparse rows");
    s->value[17] = NAN;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        assert_fails(ctx, nigh_squares_solve(ctx, &p, &(nigh_squares_options){.method = methods[m], .error = 0.1}, x, NULL, NULL), NIGH_INVALID, "is nan");
    nigh_sparse_free(ctx, s);
    free(row), free(column), free(value), free(a), free(b), free(weight);
    test_context_free(ctx);
}

/* QR of blocks against QR of the whole, with the ridge's rows, on several threads and heights. */
static void test_blocks(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int threads = 1; threads <= 3; threads++)
        for (int64_t n = 5; n < 3000; n = n * 3 + 1) {
            int64_t d = 5;
            problem q = make(ctx, n, d, 1, false);
            double r[25], c[5], gram[25] = {0};
            assert_ok(ctx, rows_qr(ctx, threads, n, d, q.a, q.b, NULL, NULL, r, c));
            for (int64_t i = 0; i < d; i++)
                for (int64_t j = 0; j < d; j++) {
                    double exact = 0;
                    for (int64_t k = 0; k < n; k++) exact += q.a[k * d + i] * q.a[k * d + j];
                    for (int64_t k = 0; k < d; k++) gram[i * d + j] += r[k * d + i] * r[k * d + j];
                    assert_near(gram[i * d + j], exact, 1e-12 * (double)n, 1e-11);
                }
            unmake(&q);
        }
    test_context_free(ctx);
}

static void test_peers(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int weighted = 0; weighted < 2; weighted++) {
        problem q = make(ctx, 700, 8, 1, weighted);
        double x[8], seconds;
        for (int k = 0; k < SQUARES_PEERS; k++) {
            assert_ok(ctx, squares_peer_solve(ctx, &q.p, (squares_peer)k, x, &seconds));
            for (int j = 0; j < 8; j++) assert_near(x[j], q.x[j], 1e-11, 0);
            assert_non_null(squares_peer_name((squares_peer)k));
        }
        unmake(&q);
    }
    test_context_free(ctx);
}

/* Memory that runs out at any point: a message, nothing left, outputs untouched. */
static void test_memory(void **state)
{
    nigh_context *ctx = test_context_new();
    problem q = make(ctx, 400, 5, 1, true);
    test_context_free(ctx);
    for (int m = 1; m < DENSE; m++)
        for (long at = 2; at < 60; at++) {
            test_allocator allocator = {.fail_at = at};
            double x[5] = {7, 7, 7, 7, 7};
            ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_status status = nigh_squares_solve(ctx, &q.p, &(nigh_squares_options){.method = dense[m], .error = 1e-6, .ridge = 1e-9, .second = true}, x, NULL, NULL);
            assert_true(status == NIGH_OK || (status == NIGH_MEMORY && x[0] == 7));
            test_context_free(ctx);
            assert_int_equal(allocator.live, 0);
            if (status == NIGH_OK) break;
        }
    unmake(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_meets), cmocka_unit_test(test_sums),  cmocka_unit_test(test_coordinates), cmocka_unit_test(test_exact),     cmocka_unit_test(test_linear_and_step),
                                       cmocka_unit_test(test_planner), cmocka_unit_test(test_scales),      cmocka_unit_test(test_bad_input), cmocka_unit_test(test_dependent),
                                       cmocka_unit_test(test_ridge),  cmocka_unit_test(test_sparse),      cmocka_unit_test(test_blocks),    cmocka_unit_test(test_peers),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
