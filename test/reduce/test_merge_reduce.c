/* Subsets of streams: unbiased, the same bits for the same seed, within their memory, near the best model; costs of a second pass; bad rows. */
#include "support.h"

#include "nigh/merge_reduce.h"
#include "nigh/reduce.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 3 };

typedef struct data {
    nigh_rows rows;
    double *x, *y, *weight;
} data;

/* A linear model with long tails; y in classes when `classes`; one class and long rows are rare. */
static data make(int64_t n, bool classes, bool weighted, uint64_t seed)
{
    data a = {.x = malloc((size_t)(n * D) * 8), .y = malloc((size_t)n * 8), .weight = malloc((size_t)n * 8)};
    assert_true(a.x && a.y && a.weight);
    nigh_rng rng = nigh_rng_new(seed, 3);
    for (int64_t i = 0; i < n; i++) {
        double size = nigh_rng_below(&rng, 20) == 0 ? 5 : 1, *x = a.x + i * D;
        for (int j = 0; j < D; j++) x[j] = size * nigh_rng_normal(&rng);
        double m = x[0] - 2 * x[1] + .5 * x[2] - 1 + (classes ? nigh_rng_logistic(&rng) : nigh_rng_student_t(&rng, 3));
        a.y[i] = classes ? m > 0 : m;
        a.weight[i] = weighted ? .5 + nigh_rng_f64(&rng) : 1;
    }
    a.rows = (nigh_rows){n, D, a.x, a.y, weighted ? a.weight : NULL};
    return a;
}

static void drop(data *a) { free(a->x), free(a->y), free(a->weight); }

static nigh_loss *loss_of(nigh_context *ctx, const char *text)
{
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_parse(ctx, text, &loss));
    return loss;
}

typedef struct way {
    const char *merge; /* the tree with this method; NULL: the reservoir */
    bool plain;
} way;

/* All rows in blocks of `step` through one of the ways. */
static nigh_status keep(nigh_context *ctx, const data *a, const nigh_loss *loss, way w, int64_t m, int64_t pilot, int64_t step, uint64_t seed, nigh_kept_rows *out)
{
    nigh_reservoir *r = NULL;
    nigh_merge *t = NULL;
    nigh_method_reducer method;
    nigh_status status;
    if (w.merge) {
        status = nigh_method_reducer_find(ctx, w.merge, loss, &method);
        nigh_merge_options o = {.m = m, .bucket = m, .reduce = nigh_method_reduce, .user = &method, .seed = seed};
        if (!status) status = nigh_merge_new(ctx, D, true, &o, &t);
    } else {
        nigh_reservoir_options o = {.m = m, .loss = loss, .plain = w.plain, .pilot = pilot, .seed = seed};
        status = nigh_reservoir_new(ctx, D, true, &o, &r);
    }
    for (int64_t at = 0; at < a->rows.n && !status; at += step) {
        int64_t n = a->rows.n - at < step ? a->rows.n - at : step;
        nigh_rows block = {n, D, a->x + at * D, a->y + at, a->rows.weight ? a->weight + at : NULL};
        status = t ? nigh_merge_add(t, &block, at, NULL) : nigh_reservoir_add(r, &block, at, NULL);
    }
    if (!status) status = t ? nigh_merge_finish(t, out) : nigh_reservoir_finish(r, out);
    nigh_merge_free(t);
    nigh_reservoir_free(r);
    return status;
}

static const way ways[] = {{NULL, false}, {NULL, true}, {"uniform", false}, {"gradient-norms", false}};
enum { WAYS = sizeof ways / sizeof *ways };

static void sums_are_unbiased(void **state)
{
    enum { N = 300, M = 40, TRIES = 800 };
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    data a = make(N, false, true, 1);
    nigh_loss *loss = loss_of(ctx, "squares");
    double want[2] = {0, 0};
    for (int i = 0; i < N; i++) want[0] += a.weight[i], want[1] += a.weight[i] * a.y[i] * a.y[i];
    for (int k = 0; k < WAYS; k++) {
        double sum[2] = {0, 0}, square[2] = {0, 0};
        for (uint64_t t = 0; t < TRIES; t++) {
            nigh_kept_rows kept;
            double got[2] = {0, 0};
            assert_ok(ctx, keep(ctx, &a, loss, ways[k], M, 100, 64, t, &kept));
            assert_true(kept.rows.n <= M);
            for (int64_t i = 0; i < kept.rows.n; i++) {
                int64_t from = kept.number[i];
                assert_true(i == 0 || from > kept.number[i - 1]);
                assert_memory_equal(kept.rows.x + i * D, a.x + from * D, D * 8);
                got[0] += kept.rows.weight[i], got[1] += kept.rows.weight[i] * kept.rows.y[i] * kept.rows.y[i];
            }
            for (int q = 0; q < 2; q++) sum[q] += got[q], square[q] += got[q] * got[q];
            nigh_kept_rows_free(ctx, &kept);
        }
        for (int q = 0; q < 2; q++) {
            double mean = sum[q] / TRIES, error = sqrt(fmax(square[q] / TRIES - mean * mean, 1e-12 * mean * mean) / TRIES);
            if (!(fabs(mean - want[q]) <= 4.5 * error)) fail_msg("way %d, sum %d: %g +- %g, not %g", k, q, mean, error, want[q]);
        }
    }
    nigh_loss_free(loss);
    drop(&a);
    test_context_free(ctx);
}

static bool same_kept(const nigh_kept_rows *a, const nigh_kept_rows *b)
{
    return a->rows.n == b->rows.n && memcmp(a->number, b->number, (size_t)a->rows.n * 8) == 0 && memcmp(a->rows.weight, b->rows.weight, (size_t)a->rows.n * 8) == 0;
}

static void same_seed_same_bits(void **state)
{
    nigh_context *ctx = test_context_new();
    data a = make(5000, true, false, 2);
    nigh_loss *loss = loss_of(ctx, "logistic");
    for (int k = 0; k < WAYS; k++) {
        nigh_kept_rows one, two;
        for (int64_t step = 1; step < 6000; step = 7 * step) {
            assert_ok(ctx, keep(ctx, &a, loss, ways[k], 100, 900, 5000, 5, &one));
            assert_ok(ctx, keep(ctx, &a, loss, ways[k], 100, 900, step, 5, &two));
            assert_true(same_kept(&one, &two));
            nigh_kept_rows_free(ctx, &two);
            assert_ok(ctx, keep(ctx, &a, loss, ways[k], 100, 900, step, 6, &two));
            assert_false(same_kept(&one, &two));
            nigh_kept_rows_free(ctx, &one);
            nigh_kept_rows_free(ctx, &two);
        }
    }
    nigh_loss_free(loss);
    drop(&a);
    test_context_free(ctx);
}

/* Errors on all rows: mean over seeds. */
static double mean_error(nigh_context *ctx, const data *a, const nigh_loss *loss, way w, int64_t m)
{
    double model[D + 1], best, sum = 0;
    nigh_loss_fit fit;
    assert_ok(ctx, nigh_loss_train(ctx, loss, &a->rows, NULL, model, &fit));
    best = fit.cost;
    for (uint64_t seed = 0; seed < 6; seed++) {
        nigh_kept_rows kept;
        double cost;
        assert_ok(ctx, keep(ctx, a, loss, w, m, 2000, 1000, seed, &kept));
        assert_ok(ctx, nigh_loss_train(ctx, loss, &kept.rows, NULL, model, NULL));
        assert_ok(ctx, nigh_loss_cost(ctx, loss, &a->rows, model, &cost));
        sum += nigh_loss_error(loss, cost, best, nigh_rows_weight(&a->rows));
        nigh_kept_rows_free(ctx, &kept);
    }
    return sum / 6;
}

static void models_are_near_the_best(void **state)
{
    static const char *const losses[] = {"squares", "huber", "logistic", "hinge"};
    nigh_context *ctx = test_context_new();
    for (int l = 0; l < 4; l++) {
        data a = make(30000, l >= 2, false, 4);
        nigh_loss *loss = loss_of(ctx, losses[l]);
        double error[WAYS];
        for (int k = 0; k < WAYS; k++) error[k] = mean_error(ctx, &a, loss, ways[k], 600);
        if (getenv("SHOW_ERRORS")) printf("%s: %g %g %g %g\n", losses[l], error[0], error[1], error[2], error[3]);
        for (int k = 0; k < WAYS; k++) assert_true(error[k] >= -1e-9 && error[k] < 0.05);
        assert_true(error[0] < error[1] && error[0] < 0.02); /* a mean of six: 0.001 to 0.011 */
        nigh_loss_free(loss);
        drop(&a);
    }
    test_context_free(ctx);
}

static void memory_is_as_stated(void **state)
{
    enum { M = 500, PILOT = 1000, BLOCK = 1000, BLOCKS = 200 };
    nigh_context *ctx = test_context_new();
    data a = make(BLOCK, true, false, 5);
    nigh_loss *loss = loss_of(ctx, "logistic");
    nigh_reservoir *r;
    nigh_merge *t;
    nigh_kept_rows kept;
    assert_ok(ctx, nigh_reservoir_new(ctx, D, true, &(nigh_reservoir_options){.m = M, .loss = loss, .pilot = PILOT, .memory = (2 * M + PILOT) * (8 * D + 48)}, &r));
    assert_ok(ctx, nigh_merge_new(ctx, D, true, &(nigh_merge_options){.m = M, .bucket = M, .memory = 24 * M * (8 * D + 24)}, &t));
    for (int b = 0; b < BLOCKS; b++) {
        assert_ok(ctx, nigh_reservoir_add(r, &a.rows, b * BLOCK, NULL));
        assert_ok(ctx, nigh_merge_add(t, &a.rows, b * BLOCK, NULL));
        if (b > 0) assert_true(nigh_reservoir_memory(r) < (2 * M + 2) * (8 * D + 40) + 16 * BLOCK + 1000);
        assert_true(nigh_merge_memory(t) <= (size_t)(4 + nigh_merge_levels(t)) * M * (8 * D + 24) + 5000);
    }
    assert_int_equal(nigh_merge_levels(t), 8); /* 200 leaves of 1000 rows */
    assert_true(nigh_memory_peak(ctx) < 1 << 20);
    assert_true(nigh_reservoir_weight(r) == (double)BLOCK * BLOCKS);
    assert_ok(ctx, nigh_reservoir_finish(r, &kept));
    assert_int_equal(kept.rows.n, M);
    nigh_kept_rows_free(ctx, &kept);
    assert_ok(ctx, nigh_merge_finish(t, &kept));
    assert_int_equal(kept.rows.n, M);
    assert_near(nigh_rows_weight(&kept.rows), (double)BLOCK * BLOCKS, 0, .2);
    nigh_kept_rows_free(ctx, &kept);
    nigh_reservoir_free(r);
    nigh_merge_free(t);
    assert_fails(ctx, nigh_reservoir_new(ctx, D, true, &(nigh_reservoir_options){.m = M, .memory = 1000}, &r), NIGH_RESOURCE, "more than the cap of 1000");
    assert_fails(ctx, nigh_merge_new(ctx, D, true, &(nigh_merge_options){.m = M, .memory = 1000}, &t), NIGH_RESOURCE, "more than the cap of 1000");
    assert_fails(ctx, nigh_reservoir_new(ctx, D, true, &(nigh_reservoir_options){.m = INT64_MAX}, &r), NIGH_RESOURCE, "cap");
    assert_fails(ctx, nigh_reservoir_new(ctx, D, true, &(nigh_reservoir_options){.m = 0}, &r), NIGH_INVALID, "m is 0 rows");
    assert_fails(ctx, nigh_reservoir_new(ctx, D, false, &(nigh_reservoir_options){.m = 2, .loss = loss}, &r), NIGH_INVALID, "needs y");
    assert_fails(ctx, nigh_merge_new(ctx, D, true, &(nigh_merge_options){.m = 5, .bucket = 4}, &t), NIGH_INVALID, "a bucket of 4 rows");
    nigh_loss_free(loss);
    drop(&a);
    test_context_free(ctx);
}

static void few_rows_stay_as_they_are(void **state)
{
    nigh_context *ctx = test_context_new();
    data a = make(50, true, true, 6);
    nigh_loss *loss = loss_of(ctx, "logistic");
    for (int k = 0; k < WAYS; k++) {
        nigh_kept_rows kept;
        assert_ok(ctx, keep(ctx, &a, loss, ways[k], 50, 20000, 7, 1, &kept));
        assert_true(kept.rows.n == 50);
        assert_memory_equal(kept.rows.x, a.x, 50 * D * 8);
        assert_memory_equal(kept.rows.weight, a.weight, 50 * 8);
        nigh_kept_rows_free(ctx, &kept);
        a.rows.n = 0;
        assert_fails(ctx, keep(ctx, &a, loss, ways[k], 50, 0, 7, 1, &kept), NIGH_INVALID, "no rows came");
        a.rows.n = 50;
    }
    for (int i = 0; i < 50; i++) a.y[i] = 1; /* no pilot can be fitted */
    nigh_kept_rows kept;
    assert_ok(ctx, keep(ctx, &a, loss, ways[0], 10, 30, 7, 1, &kept));
    assert_int_equal(kept.rows.n, 10);
    nigh_kept_rows_free(ctx, &kept);
    a.x[D * 33 + 1] = NAN;
    for (int i = 0; i < 50; i++) a.y[i] = i % 7;
    nigh_loss *squares = loss_of(ctx, "squares");
    assert_fails(ctx, keep(ctx, &a, squares, ways[0], 10, 30, 7, 1, &kept), NIGH_INVALID, "row 33 is not finite");
    nigh_method_reducer method;
    assert_fails(ctx, nigh_method_reducer_find(ctx, "unifrom", loss, &method), NIGH_INVALID, "did you mean 'uniform'");
    assert_fails(ctx, nigh_method_reducer_find(ctx, "one-step", loss, &method), NIGH_INVALID, "no method 'one-step' that chooses rows");
    assert_fails(ctx, nigh_method_reducer_find(ctx, "lightweight", loss, &method), NIGH_UNSUPPORTED, "lightweight: ");
    nigh_loss_free(loss);
    nigh_loss_free(squares);
    drop(&a);
    test_context_free(ctx);
}

static void second_pass_is_exact(void **state)
{
    static const char *const losses[] = {"squares", "squares:lambda=3,intercept=0", "lp:p=1", "lp:p=3", "huber", "residual:log(1+r*r)", "k-means:k=3", "logistic", "hinge"};
    nigh_context *ctx = test_context_new();
    for (int l = 0; l < 9; l++) {
        bool classes = l >= 7;
        data a = make(700, classes, true, 9);
        nigh_loss *loss = loss_of(ctx, losses[l]);
        bool y = nigh_loss_uses_y(loss);
        nigh_table t = {.rows = 700, .columns = D + 2, .values = nigh_alloc(ctx, 700 * (D + 2) * 8)};
        for (int i = 0; i < 700; i++) {
            memcpy(t.values + i * (D + 2), a.x + i * D, D * 8);
            t.values[i * (D + 2) + D] = classes ? 2 * a.y[i] - 1 : a.y[i];
            t.values[i * (D + 2) + D + 1] = a.weight[i];
        }
        nigh_buffer csv = {.ctx = ctx};
        assert_ok(ctx, nigh_csv_format(ctx, &t, &csv));
        int64_t parameters = nigh_loss_parameters(loss, D);
        double *model = nigh_alloc_zero(ctx, 3 * (size_t)parameters, 8), *other = model + parameters, *better = other + parameters, want[2];
        nigh_loss_fit fit;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &a.rows, &(nigh_loss_fit_options){.tolerance = 1e-13}, model, &fit));
        for (int64_t k = 0; k < parameters; k++) model[k] *= 1.01, other[k] = .3 * (double)k;
        nigh_row_stream *s;
        nigh_row_options o = {.target = y ? "4" : "", .weight = "5", .features = "1-3", .chunk = 3000};
        assert_ok(ctx, nigh_row_stream_parse(ctx, csv.data, csv.size, "t", &o, &s));
        nigh_stream_cost cost[2];
        const double *const models[2] = {model, other};
        assert_ok(ctx, nigh_stream_costs(ctx, s, loss, -1, 1, 2, models, cost, better));
        for (int k = 0; k < 2; k++) {
            assert_ok(ctx, nigh_loss_cost(ctx, loss, &a.rows, models[k], &want[k]));
            assert_near(cost[k].cost, want[k], 0, 1e-12);
            assert_true(cost[k].rows == 700);
            assert_near(cost[k].weight, nigh_rows_weight(&a.rows), 0, 1e-12);
        }
        assert_ok(ctx, nigh_loss_cost(ctx, loss, &a.rows, better, &want[1]));
        if (isnan(cost[0].best)) assert_true(want[1] == want[0]);
        else assert_near(want[1], fit.cost, 0, l < 2 ? 1e-9 : 1e-4);
        if (l < 2) assert_near(cost[0].best, fit.cost, 0, 1e-9);
        else if (l == 3 || l == 4 || l == 7) assert_near(cost[0].best, fit.cost, 0, 1e-4);
        else assert_true(isnan(cost[0].best));
        if (classes) {
            assert_ok(ctx, nigh_row_stream_rewind(s));
            assert_fails(ctx, nigh_stream_costs(ctx, s, loss, 0, 1, 2, models, cost, NULL), NIGH_INVALID, "y is -1; 0 and 1 are the classes");
        }
        nigh_row_stream_free(s);
        nigh_free(ctx, model);
        nigh_buffer_free(&csv);
        nigh_table_free(ctx, &t);
        nigh_loss_free(loss);
        drop(&a);
    }
    test_context_free(ctx);
}

static void survives_failing_allocations(void **state)
{
    data a = make(400, true, false, 8);
    for (int k = 0; k < WAYS; k++) {
        bool done = false;
        for (long at = 2; !done; at++) {
            test_allocator allocator = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&allocator);
            nigh_loss *loss = NULL;
            nigh_kept_rows kept = {0};
            nigh_status status = nigh_loss_parse(ctx, "logistic", &loss);
            if (!status) status = keep(ctx, &a, loss, ways[k], 20, 100, 50, 1, &kept);
            if (status != NIGH_OK && status != NIGH_MEMORY) fail_msg("allocation %ld: %s", at, nigh_message(ctx));
            done = status == NIGH_OK && allocator.count < at;
            nigh_kept_rows_free(ctx, &kept);
            nigh_loss_free(loss);
            assert_int_equal(nigh_memory_now(ctx), 0);
            nigh_context_free(ctx);
            assert_true(at < 5000);
        }
    }
    drop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_unbiased),         cmocka_unit_test(same_seed_same_bits),       cmocka_unit_test(models_are_near_the_best),
        cmocka_unit_test(memory_is_as_stated),       cmocka_unit_test(few_rows_stay_as_they_are), cmocka_unit_test(second_pass_is_exact),
        cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
