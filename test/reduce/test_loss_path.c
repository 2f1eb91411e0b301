/* Paths of penalties: every model beside a fit of its own, on plain rows, on weighted ones, with few rows (folds iterate on) and many. */
#include <math.h>
#include <string.h>

#include "nigh/loss_path.h"
#include "support.h"

enum { N = 4000, D = 6, FOLDS = 4, LAMBDAS = 5 };

static double x[N * D], y[N], class[N], weight[N], model[LAMBDAS * FOLDS * (D + 1)], whole[LAMBDAS * (D + 1)], test[LAMBDAS * FOLDS], again[LAMBDAS * FOLDS];
static int32_t fold[N];
static const double lambda[LAMBDAS] = {0.1, 1, 100, 10, 1000};

static void draw(int64_t n)
{
    nigh_rng rng = nigh_rng_new(7, 1);
    nigh_rng_fill_normal(&rng, n * D, x);
    for (int64_t i = 0; i < n; i++) {
        double m = 0.5;
        for (int k = 0; k < D; k++) m += x[i * D + k] * (k - 2) * 0.5;
        y[i] = m + nigh_rng_student_t(&rng, 3);
        class[i] = nigh_rng_f64(&rng) < 1 / (1 + exp(-m));
        weight[i] = i % 7 == 0 ? 0 : 1 + (double)(i % 3);
    }
}

/* The rows outside a fold (inside: `in`), by weights of 0. */
static void beside(nigh_context *ctx, const char *name, int64_t n, double tolerance)
{
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_parse(ctx, name, &loss));
    draw(n);
    nigh_rows rows = {n, D, x, nigh_loss_has_classes(loss) ? class : y, weight};
    nigh_loss_path_options options = {.folds = FOLDS, .seed = 3, .tolerance = tolerance};
    nigh_loss_path_fit fit;
    assert_ok(ctx, nigh_loss_path(ctx, loss, &rows, LAMBDAS, lambda, &options, test, model, whole, &fit));
    if (!fit.met) fail_msg("%s n %d is not met", name, (int)n);
    assert_ok(ctx, nigh_loss_folds(ctx, loss, &rows, FOLDS, 3, fold));
    for (int l = 0; l < LAMBDAS; l++) {
        nigh_loss_options o = *nigh_loss_is(loss);
        nigh_loss *one;
        o.lambda = lambda[l];
        assert_ok(ctx, nigh_loss_new(ctx, &o, &one));
        for (int k = -1; k < FOLDS; k++) {
            static double part[N];
            double own[D + 1], cost, in = 0, sum = 0;
            nigh_loss_fit best;
            for (int64_t i = 0; i < n; i++) part[i] = fold[i] == k ? 0 : weight[i], in += fold[i] == k ? weight[i] : 0;
            nigh_rows others = {n, D, x, rows.y, part};
            assert_ok(ctx, nigh_loss_train(ctx, one, &others, NULL, own, &best));
            const double *got = k < 0 ? whole + l * (D + 1) : model + (l * FOLDS + k) * (D + 1);
            assert_ok(ctx, nigh_loss_cost(ctx, one, &others, got, &cost));
            if (!(cost <= best.cost * (1 + 3 * tolerance))) fail_msg("%s n %d lambda %g fold %d: %g above", name, (int)n, lambda[l], k, cost / best.cost - 1);
            assert_true(cost >= best.cost * (1 - 1e-9));
            assert_true(cost <= best.cost * (1 + 3 * tolerance));
            if (k < 0) continue;
            static double value[N];
            assert_ok(ctx, nigh_loss_values(ctx, one, &rows, got, value));
            for (int64_t i = 0; i < n; i++) sum += fold[i] == k ? weight[i] * value[i] : 0;
            assert_near(test[l * FOLDS + k], sum / in, 0, 1e-11);
        }
        nigh_loss_free(one);
    }
    assert_ok(ctx, nigh_loss_path_test(ctx, loss, &rows, FOLDS, fold, LAMBDAS, model, again));
    for (int c = 0; c < LAMBDAS * FOLDS; c++) assert_near(again[c], test[c], 0, 1e-12);
    nigh_loss_free(loss);
}

static void models(void **state)
{
    nigh_context *ctx = test_context_new();
    static const char *const names[] = {"logistic", "logistic:intercept=0", "squares", "squares:intercept=0", "huber", "lp:p=3", "lp:p=1", "hinge", "lp:p=2"};
    for (int i = 0; i < 9; i++) beside(ctx, names[i], 60, 1e-5), beside(ctx, names[i], N, 1e-4);
    test_context_free(ctx);
}

static void bad(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_loss *logistic, *squares, *clusters;
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic", &logistic));
    assert_ok(ctx, nigh_loss_parse(ctx, "squares", &squares));
    assert_ok(ctx, nigh_loss_parse(ctx, "k-means", &clusters));
    draw(100);
    nigh_rows rows = {100, D, x, class, NULL};
    double wrong[2] = {1, -1}, zero = 0;
    nigh_loss_path_options o = {.folds = 1};
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 2, lambda, &o, test, NULL, NULL, NULL), NIGH_INVALID, "folds is 1");
    o.folds = 101;
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 2, lambda, &o, test, NULL, NULL, NULL), NIGH_INVALID, "101 folds of 100 rows");
    assert_fails(ctx, nigh_loss_path(ctx, squares, &rows, 2, wrong, NULL, test, NULL, NULL, NULL), NIGH_INVALID, "lambda[1] is -1");
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 1, &zero, NULL, test, NULL, NULL, NULL), NIGH_INVALID, "lambda[0] is 0");
    assert_fails(ctx, nigh_loss_path(ctx, clusters, &rows, 1, lambda, NULL, test, NULL, NULL, NULL), NIGH_UNSUPPORTED, "k-means");
    for (int i = 0; i < 100; i++) fold[i] = i % 5;
    o = (nigh_loss_path_options){.fold = fold};
    fold[17] = 5;
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 1, lambda, &o, test, NULL, NULL, NULL), NIGH_INVALID, "fold of row 17 is 5");
    fold[17] = 2;
    for (int i = 0; i < 100; i++) fold[i] = class[i] == 1 ? 3 : i % 5;
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 1, lambda, &o, test, NULL, NULL, NULL), NIGH_INVALID, "without the rows of fold 3 class 1");
    for (int i = 0; i < 100; i++) fold[i] = i % 4;
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 1, lambda, &o, test, NULL, NULL, NULL), NIGH_INVALID, "fold 4 of 5");
    x[3 * D + 2] = NAN;
    assert_fails(ctx, nigh_loss_path(ctx, logistic, &rows, 1, lambda, NULL, test, NULL, NULL, NULL), NIGH_INVALID, "row 3, column 2");
    nigh_loss_free(logistic), nigh_loss_free(squares), nigh_loss_free(clusters);
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    draw(200);
    nigh_rows rows = {200, D, x, class, NULL};
    long count = 1;
    for (long at = 0; at <= count; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_loss *loss = NULL;
        nigh_status status = nigh_loss_parse(ctx, "logistic", &loss);
        if (!status) status = nigh_loss_path(ctx, loss, &rows, 2, lambda, NULL, test, model, NULL, NULL);
        assert_int_equal(status, at ? NIGH_MEMORY : NIGH_OK);
        if (!at) count = allocator.count;
        nigh_loss_free(loss);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models), cmocka_unit_test(bad), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
