/* AutoCoreset: what it reports is true, it never gets worse, it beats uniform draws, it refuses what it must. */
#include "support.h"

#include "nigh/autocoreset.h"
#include "nigh/autocoreset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 3000, D = 5 };

typedef struct data {
    nigh_rows rows;
    double *x, *y, *weight;
} data;

/* 3% of class 1, one row in a hundred far out. */
static data make_data(nigh_context *ctx, int64_t n, bool weights)
{
    data s = {.x = nigh_alloc(ctx, (size_t)(n * D) * sizeof *s.x), .y = nigh_alloc(ctx, (size_t)n * sizeof *s.y), .weight = nigh_alloc(ctx, (size_t)n * sizeof *s.weight)};
    nigh_rng rng = nigh_rng_new(11, 0);
    assert_true(s.x && s.y && s.weight);
    for (int64_t i = 0; i < n; i++) {
        s.y[i] = i % 33 == 5;
        s.weight[i] = weights ? (double)nigh_rng_below(&rng, 4) : 1;
        for (int j = 0; j < D; j++) s.x[i * D + j] = (i % 100 == 7 ? 5 : 1) * nigh_rng_normal(&rng) + (s.y[i] > 0 ? 1.3 : 0);
    }
    s.rows = (nigh_rows){.n = n, .d = D, .x = s.x, .y = s.y, .weight = weights ? s.weight : NULL};
    return s;
}

static void free_data(nigh_context *ctx, data *s)
{
    nigh_free(ctx, s->x);
    nigh_free(ctx, s->y);
    nigh_free(ctx, s->weight);
}

static nigh_loss *loss_named(nigh_context *ctx, const char *text)
{
    nigh_loss *loss = NULL;
    assert_ok(ctx, nigh_loss_parse(ctx, text, &loss));
    return loss;
}

/* Costs in the report are those of the model, on all rows and on the subset; the subset is well formed; the best never rises. */
static void check_report(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int64_t m, const nigh_autocoreset *a)
{
    double cost;
    nigh_rows part;
    void *block;
    assert_ok(ctx, nigh_loss_cost(ctx, loss, rows, a->model, &cost));
    assert_near(a->cost, cost, 0, 1e-10);
    assert_ok(ctx, nigh_subset_take(ctx, rows, &a->subset, &part, &block));
    assert_ok(ctx, nigh_loss_cost(ctx, loss, &part, a->model, &cost));
    assert_near(a->subset_cost, cost, 0, 1e-9);
    nigh_free(ctx, block);
    assert_true(a->subset.count >= 1 && a->subset.count <= m);
    for (int64_t i = 0; i < a->subset.count; i++) {
        assert_true(a->subset.weight[i] > 0 && isfinite(a->subset.weight[i]));
        assert_in_range(a->subset.index[i], i ? a->subset.index[i - 1] + 1 : 0, rows->n - 1);
    }
    assert_int_equal(a->passes, a->trainings);
    for (int64_t i = 0; i < a->trainings; i++) {
        const nigh_autocoreset_round *r = &a->history[i];
        assert_true(r->best <= r->cost && (!i || r->best <= a->history[i - 1].best));
        assert_int_equal(r->budget[0] + r->budget[1], m);
        assert_true(r->rows <= m);
    }
    assert_true(a->history[a->best].cost == a->cost && a->history[a->trainings - 1].best == a->cost);
    assert_true(a->heaviest > 0 && a->heaviest <= 1 && a->heaviest_row >= 0 && a->heaviest_row < rows->n);
}

static void every_kind_reports_the_truth(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int weights = 0; weights < 2; weights++) {
        data s = make_data(ctx, N, weights);
        for (int l = 0; l < 2; l++) {
            nigh_loss *loss = loss_named(ctx, l ? "squares" : "logistic");
            for (int kind = NIGH_AUTOCORESET_CALIBRATED; kind <= NIGH_AUTOCORESET_UNIFORM; kind++) {
                nigh_autocoreset a = {0};
                nigh_autocoreset_options o = {.m = 60, .kind = (nigh_autocoreset_kind)kind, .rounds = kind == NIGH_AUTOCORESET_CARATHEODORY_PLAIN ? 3 : 8, .seed = 3};
                assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &o, &a));
                check_report(ctx, loss, &s.rows, 60, &a);
                nigh_autocoreset_free(ctx, &a);
            }
            nigh_loss_free(loss);
        }
        free_data(ctx, &s);
    }
    test_context_free(ctx);
}

static void subsets_beat_uniform_draws(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, false);
    static const char *const names[] = {"logistic", "squares"};
    for (int l = 0; l < 2; l++) {
        nigh_loss *loss = loss_named(ctx, names[l]);
        nigh_loss_fit fit;
        double model[D + 1], ours = 0, theirs = 0;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &s.rows, NULL, model, &fit));
        for (uint64_t seed = 0; seed < 4; seed++) {
            nigh_autocoreset a = {0}, u = {0};
            nigh_autocoreset_options o = {.m = 90, .seed = seed};
            assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &o, &a));
            assert_ok(ctx, nigh_autocoreset_uniform(ctx, loss, &s.rows, &o, (int)a.trainings, &u));
            check_report(ctx, loss, &s.rows, 90, &u);
            assert_int_equal(u.trainings, a.trainings);
            assert_true(a.cost >= fit.cost * (1 - 1e-7));
            ours += a.cost / fit.cost - 1, theirs += u.cost / fit.cost - 1;
            nigh_autocoreset_free(ctx, &a);
            nigh_autocoreset_free(ctx, &u);
        }
        assert_true(ours < 0.3 * theirs);
        nigh_loss_free(loss);
    }
    free_data(ctx, &s);
    test_context_free(ctx);
}

static void all_rows_lose_nothing(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, 400, true);
    nigh_loss *loss = loss_named(ctx, "logistic");
    nigh_loss_fit fit;
    double model[D + 1];
    assert_ok(ctx, nigh_loss_train(ctx, loss, &s.rows, NULL, model, &fit));
    for (int64_t m = 400; m <= 500; m += 100) {
        nigh_autocoreset a = {0};
        assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &(nigh_autocoreset_options){.m = m}, &a));
        assert_near(a.cost, fit.cost, 0, 1e-8);
        assert_near(a.subset_cost, fit.cost, 0, 1e-8);
        int64_t positive = 0;
        for (int64_t i = 0; i < 400; i++) positive += s.weight[i] > 0;
        assert_int_equal(a.subset.count, positive);
        assert_int_equal(a.trainings, 1);
        nigh_autocoreset_free(ctx, &a);
    }
    nigh_loss_free(loss);
    free_data(ctx, &s);
    test_context_free(ctx);
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, true);
    nigh_loss *loss = loss_named(ctx, "logistic");
    nigh_autocoreset a[3];
    memset(a, 0, sizeof a);
    for (int i = 0; i < 3; i++) assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &(nigh_autocoreset_options){.m = 80, .seed = i == 2 ? 6 : 5}, &a[i]));
    assert_int_equal(a[0].trainings, a[1].trainings);
    assert_memory_equal(a[0].history, a[1].history, (size_t)a[0].trainings * sizeof *a[0].history);
    assert_int_equal(a[0].subset.count, a[1].subset.count);
    assert_memory_equal(a[0].subset.index, a[1].subset.index, (size_t)a[0].subset.count * sizeof(int64_t));
    assert_memory_equal(a[0].subset.weight, a[1].subset.weight, (size_t)a[0].subset.count * sizeof(double));
    assert_memory_equal(a[0].model, a[1].model, (D + 1) * sizeof(double));
    assert_true(a[2].history[0].cost != a[0].history[0].cost);
    for (int i = 0; i < 3; i++) nigh_autocoreset_free(ctx, &a[i]);
    nigh_loss_free(loss);
    free_data(ctx, &s);
    test_context_free(ctx);
}

static bool has(const nigh_subset *s, int64_t row)
{
    for (int64_t i = 0; i < s->count; i++)
        if (s->index[i] == row) return true;
    return false;
}

static void a_row_of_most_of_the_loss_is_taken(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, false);
    nigh_loss *loss = loss_named(ctx, "squares");
    s.y[1234] = 1e6;
    for (uint64_t seed = 0; seed < 5; seed++) {
        nigh_autocoreset a = {0};
        assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &(nigh_autocoreset_options){.m = 50, .seed = seed, .starts = 1}, &a));
        assert_int_equal(a.heaviest_row, 1234);
        assert_true(a.heaviest > 0.9);
        for (int64_t i = 1; i < a.trainings; i++) assert_true(a.history[i].sure >= 1);
        assert_true(a.best > 0 && has(&a.subset, 1234));
        nigh_autocoreset_free(ctx, &a);
    }
    nigh_loss_free(loss);
    free_data(ctx, &s);
    test_context_free(ctx);
}

/* ---- losses of the user's own: the mean, f = (x_0 - c)^2 --------------------------------------------------------------- */

typedef struct own {
    nigh_context *ctx;
    int fails_at, calls;  /* of fit; 0: never */
    int64_t bad_row;      /* whose loss is bad_value; -1: none */
    double bad_value, shift; /* shift: added to all losses */
} own;

static nigh_status own_values(void *user, const nigh_rows *rows, const double *model, double *value)
{
    const own *o = user;
    for (int64_t i = 0; i < rows->n; i++) value[i] = pow(rows->x[i * rows->d] - model[0], 2) + o->shift;
    if (o->bad_row >= 0 && o->bad_row < rows->n && rows->n > 1000) value[o->bad_row] = o->bad_value;
    return NIGH_OK;
}

static nigh_status own_fit(void *user, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *fit)
{
    own *o = user;
    (void)start;
    if (++o->calls == o->fails_at) return nigh_fail(o->ctx, NIGH_FAILED, "the mean is out today");
    double sum = 0, weight = 0, cost = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        double w = rows->weight ? rows->weight[i] : 1;
        sum += w * rows->x[i * rows->d], weight += w;
    }
    model[0] = sum / weight;
    for (int64_t i = 0; i < rows->n; i++) cost += (rows->weight ? rows->weight[i] : 1) * (pow(rows->x[i * rows->d] - model[0], 2) + o->shift);
    *fit = (nigh_loss_fit){.cost = cost, .gap = INFINITY, .passes = 2, .met = true};
    return NIGH_OK;
}

static nigh_loss *own_loss(nigh_context *ctx, own *o)
{
    nigh_loss *loss = NULL;
    nigh_loss_callbacks callbacks = {.parameters = 1, .values = own_values, .fit = own_fit, .user = o};
    assert_ok(ctx, nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_CALLBACK, .callbacks = &callbacks}, &loss));
    return loss;
}

static void losses_of_ones_own(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, true);
    nigh_autocoreset_options options = {.m = 30};
    for (int negative = 0; negative < 2; negative++) { /* shifted so that most losses, and their sum, are negative */
        own o = {.ctx = ctx, .bad_row = -1, .shift = negative ? -2 : 0};
        nigh_loss *loss = own_loss(ctx, &o);
        nigh_autocoreset a = {0};
        assert_ok(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &options, &a));
        check_report(ctx, loss, &s.rows, 30, &a);
        assert_true(negative ? a.cost < 0 : a.cost > 0);
        nigh_autocoreset_free(ctx, &a);
        nigh_loss_free(loss);
    }
    nigh_autocoreset a = {0};
    own failing = {.ctx = ctx, .bad_row = -1, .fails_at = 4}, nan = {.ctx = ctx, .bad_row = 77, .bad_value = NAN}, inf = {.ctx = ctx, .bad_row = 2999, .bad_value = INFINITY};
    nigh_loss *loss = own_loss(ctx, &failing);
    assert_fails(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &options, &a), NIGH_FAILED, "training 4, on 30 rows: the loss's fit failed");
    nigh_loss_free(loss);
    loss = own_loss(ctx, &nan);
    assert_fails(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &options, &a), NIGH_FAILED, "row 77 is");
    nigh_loss_free(loss);
    loss = own_loss(ctx, &inf);
    assert_fails(ctx, nigh_autocoreset_run(ctx, loss, &s.rows, &options, &a), NIGH_FAILED, "row 2999 is inf");
    nigh_loss_free(loss);
    assert_null(a.model);
    free_data(ctx, &s);
    test_context_free(ctx);
}

/* ---- bad input ---------------------------------------------------------------------------------------------------- */

static void bad_options(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, false);
    nigh_autocoreset a = {0};
    nigh_loss *logistic = loss_named(ctx, "logistic"), *squares = loss_named(ctx, "squares"), *means = loss_named(ctx, "k-means:k=10");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 1}, &a), NIGH_INVALID, "m is 1");
    assert_fails(ctx, nigh_autocoreset_run(ctx, squares, &s.rows, &(nigh_autocoreset_options){.m = D}, &a), NIGH_INVALID, "at least 6 rows");
    assert_fails(ctx, nigh_autocoreset_run(ctx, means, &s.rows, &(nigh_autocoreset_options){.m = 9}, &a), NIGH_INVALID, "at least 10 rows");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .kind = (nigh_autocoreset_kind)9}, &a), NIGH_INVALID, "kind is 9");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .starts = -1}, &a), NIGH_INVALID, "starts is -1");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .patience = 2000}, &a), NIGH_INVALID, "patience is 2000");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .rounds = -2}, &a), NIGH_INVALID, "rounds is -2");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .draws = -2}, &a), NIGH_INVALID, "draws is -2");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .share = 1}, &a), NIGH_INVALID, "share is 1");
    assert_fails(ctx, nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10, .tolerance = NAN}, &a), NIGH_INVALID, "tolerance is nan");
    assert_fails(ctx, nigh_autocoreset_uniform(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10}, 0, &a), NIGH_INVALID, "trainings is 0");
    s.x[7] = NAN;
    assert_int_equal(nigh_autocoreset_run(ctx, logistic, &s.rows, &(nigh_autocoreset_options){.m = 10}, &a), NIGH_INVALID);
    assert_null(a.model);
    assert_string_equal(nigh_autocoreset_kind_name(NIGH_AUTOCORESET_BEST_OF), "best-of");
    assert_null(nigh_autocoreset_kind_name((nigh_autocoreset_kind)-1));
    nigh_loss_free(means);
    nigh_loss_free(squares);
    nigh_loss_free(logistic);
    nigh_autocoreset_free(ctx, NULL);
    free_data(ctx, &s);
    test_context_free(ctx);
}

static void cancel_at_three(void *user, const char *what, double done, double total)
{
    (void)total;
    if (done >= 3 && strncmp(what, "autocoreset", 11) == 0) nigh_context_cancel(user);
}

static void it_can_be_stopped(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    data s = make_data(ctx, N, false);
    nigh_autocoreset a = {0};
    nigh_loss *loss = loss_named(ctx, "logistic");
    nigh_context_set_progress(ctx, cancel_at_three, ctx);
    assert_int_equal(nigh_autocoreset_run(ctx, loss, &s.rows, &(nigh_autocoreset_options){.m = 40}, &a), NIGH_INTERRUPTED);
    assert_null(a.model);
    nigh_context_uncancel(ctx);
    nigh_loss_free(loss);
    free_data(ctx, &s);
    test_context_free(ctx);
}

static void failing_allocators_leak_nothing(void **state)
{
    (void)state;
    nigh_context *good = test_context_new();
    data s = make_data(good, 200, true);
    for (int kind = NIGH_AUTOCORESET_CALIBRATED; kind <= NIGH_AUTOCORESET_CARATHEODORY; kind++) {
        nigh_status status = NIGH_MEMORY;
        for (long fail_at = 1; status != NIGH_OK; fail_at++) {
            test_allocator allocator = {.fail_at = fail_at};
            nigh_context *ctx = test_context_failing(&allocator);
            nigh_loss *loss = NULL;
            nigh_autocoreset a = {0};
            if (!ctx) continue;
            status = nigh_loss_parse(ctx, "logistic", &loss);
            nigh_autocoreset_options o = {.m = 20, .kind = (nigh_autocoreset_kind)kind, .starts = 1, .rounds = 2, .draws = 2};
            if (!status) status = nigh_autocoreset_run(ctx, loss, &s.rows, &o, &a);
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            nigh_autocoreset_free(ctx, &a);
            nigh_loss_free(loss);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
            assert_true(fail_at < 2000);
        }
    }
    free_data(good, &s);
    test_context_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_reports_the_truth), cmocka_unit_test(subsets_beat_uniform_draws), cmocka_unit_test(all_rows_lose_nothing),
        cmocka_unit_test(same_seed_same_bits),          cmocka_unit_test(a_row_of_most_of_the_loss_is_taken),
        cmocka_unit_test(losses_of_ones_own),           cmocka_unit_test(bad_options),                cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(failing_allocators_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
