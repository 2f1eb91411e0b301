/* Linear models: closed forms, optimality conditions, weights as repeated rows, changes of scale, separable data, certificates. */
#include <math.h>
#include <string.h>

#include "nigh/linear.h"
#include "nigh/random.h"
#include "support.h"

enum { N = 60, D = 4 };

typedef struct rows {
    double x[3 * N * D], y[3 * N * 2], weight[3 * N], ones[3 * N];
    int32_t label[3 * N], sign[3 * N];
    nigh_linear_data data;
} rows;

/* Weights 0, 1, 2; three classes whose means differ. */
static void draw(rows *r, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_rng_fill_normal(&rng, N * D, r->x);
    for (int i = 0; i < N; i++) {
        r->label[i] = i % 3, r->sign[i] = i % 2, r->weight[i] = i % 5 == 0 ? 0 : 1 + i % 2, r->ones[i] = 1;
        r->x[i * D + i % 3] += 1, r->x[i * D + 3] += i % 2 ? 0.8 : -0.8;
        r->y[2 * i] = 3 + r->x[i * D] - 2 * r->x[i * D + 1] + 0.1 * sin(7.0 * i), r->y[2 * i + 1] = cos(3.0 * i) + r->x[i * D + 2];
    }
    r->data = (nigh_linear_data){N, D, r->x, r->weight};
}

/* The same with every row repeated as often as its weight says. */
static void repeat(const rows *from, rows *to)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < (int)from->weight[i]; k++, n++) {
            memcpy(to->x + n * D, from->x + i * D, D * sizeof(double));
            to->y[2 * n] = from->y[2 * i], to->y[2 * n + 1] = from->y[2 * i + 1];
            to->label[n] = from->label[i], to->sign[n] = from->sign[i];
        }
    to->data = (nigh_linear_data){n, D, to->x, NULL};
}

static void near_all(int n, const double *a, const double *b, double tolerance)
{
    for (int i = 0; i < n; i++) assert_near(a[i], b[i], tolerance, tolerance);
}

static rows one, two;

static void least_squares(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 1), repeat(&one, &two);
    double w[D * 2], b[2], v[D * 2], c[2];
    assert_ok(ctx, nigh_linear_squares(ctx, &one.data, 2, one.y, w, b));
    assert_ok(ctx, nigh_linear_squares(ctx, &two.data, 2, two.y, v, c));
    near_all(D * 2, w, v, 1e-12), near_all(2, b, c, 1e-12);
    for (int j = 0; j <= D; j++) { /* normal equations */
        double sum = 0;
        for (int i = 0; i < N; i++) {
            double rest = one.y[2 * i] - b[0];
            for (int e = 0; e < D; e++) rest -= one.x[i * D + e] * w[2 * e];
            sum += one.weight[i] * rest * (j < D ? one.x[i * D + j] : 1);
        }
        assert_near(sum, 0, 1e-11, 0);
    }
    double tiny = 1e-9, r[D * 2], s[2];
    assert_ok(ctx, nigh_ridge_path(ctx, &one.data, 2, one.y, 1, &tiny, r, s, NULL, NULL));
    near_all(D * 2, r, w, 1e-9);
    test_context_free(ctx);
}

/* The path's leave-one-out errors are those of fits without the row; one column has the closed form. */
static void ridge(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 2);
    static const double lambda[3] = {0.1, 3, 100};
    double w[3 * D * 2], b[3 * 2], loo[3 * 2], gcv[3 * 2];
    assert_ok(ctx, nigh_ridge_path(ctx, &one.data, 2, one.y, 3, lambda, w, b, loo, gcv));
    for (int l = 0; l < 3; l++) {
        double errors[2] = {0, 0}, total = 0;
        for (int i = 0; i < N; i++) {
            double kept = one.weight[i], v[D * 2], c[2];
            if (kept == 0) continue;
            one.weight[i] = 0;
            assert_ok(ctx, nigh_ridge_path(ctx, &one.data, 2, one.y, 1, lambda + l, v, c, NULL, NULL));
            one.weight[i] = kept, total += kept;
            for (int q = 0; q < 2; q++) {
                double rest = one.y[2 * i + q] - c[q];
                for (int e = 0; e < D; e++) rest -= one.x[i * D + e] * v[2 * e + q];
                errors[q] += kept * rest * rest;
            }
        }
        for (int q = 0; q < 2; q++) {
            assert_near(loo[2 * l + q], errors[q] / total, 0, 1e-10);
            assert_true(gcv[2 * l + q] > 0.5 * loo[2 * l + q] && gcv[2 * l + q] < 2 * loo[2 * l + q]);
        }
    }
    nigh_linear_data column = {N, 1, one.x, NULL};
    double xx = 0, xy = 0;
    for (int i = 0; i < N; i++) xx += one.x[i] * one.x[i], xy += one.x[i] * one.y[i];
    assert_ok(ctx, nigh_ridge_path(ctx, &column, 1, one.y, 1, lambda + 1, w, NULL, loo, NULL));
    assert_near(w[0], xy / (xx + 3), 0, 1e-12);

    double wc[D * 3], bc[3], scores[N * 3];
    int32_t classes[N];
    int right = 0;
    assert_ok(ctx, nigh_ridge_classify(ctx, &one.data, 3, one.label, 1, wc, bc));
    assert_ok(ctx, nigh_linear_scores(ctx, N, D, 3, one.x, wc, bc, scores));
    nigh_linear_classes(N, 3, scores, classes);
    for (int i = 0; i < N; i++) right += classes[i] == one.label[i];
    assert_true(right > N / 2);
    double sum = bc[0] + bc[1] + bc[2]; /* the three targets sum to -1 */
    assert_near(sum, -1, 1e-12, 0);
    test_context_free(ctx);
}

/* Slopes of the regression by hand; the reported gap bounds what a longer run still gains. */
static void check_logistic(nigh_context *ctx, const rows *r, int classes, const int32_t *label, double lambda)
{
    int k = classes == 2 ? 1 : classes, p = classes;
    double w[D * 3], b[3], scores[N * 3], probability[N * 3];
    nigh_linear_fit fit, rough;
    assert_ok(ctx, nigh_logistic(ctx, &r->data, classes, label, &(nigh_linear_options){.lambda = lambda, .tolerance = 1e-15}, w, b, &fit));
    assert_ok(ctx, nigh_linear_scores(ctx, N, D, k, r->x, w, b, scores));
    nigh_linear_probabilities(N, k, scores, probability);
    double objective = 0;
    for (int i = 0; i < N; i++) objective -= r->weight[i] * log(probability[i * p + label[i]]);
    for (int i = 0; i < D * k; i++) objective += lambda / 2 * w[i] * w[i];
    assert_near(fit.objective, objective, 0, 1e-12);
    for (int c = 0; c < k; c++)
        for (int j = 0; j <= D; j++) {
            double slope = j < D ? lambda * w[j * k + c] : 0;
            for (int i = 0; i < N; i++)
                slope += r->weight[i] * (probability[i * p + (k == 1 ? 1 : c)] - (label[i] == (k == 1 ? 1 : c))) * (j < D ? r->x[i * D + j] : 1);
            assert_near(slope, 0, 1e-6, 0);
        }
    assert_true(fit.met && fit.iterations < 30);
    double v[D * 3], a[3];
    assert_ok(ctx, nigh_logistic(ctx, &r->data, classes, label, &(nigh_linear_options){.lambda = lambda, .tolerance = 1e-2}, v, a, &rough));
    assert_true(rough.met && rough.objective - fit.objective <= rough.gap * (1 + 1e-9) + 1e-12);
    assert_ok(ctx, nigh_logistic(ctx, &r->data, classes, label, &(nigh_linear_options){.lambda = lambda, .warm = true}, w, b, &rough));
    assert_int_equal(rough.iterations, 0);
}

static void logistic(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 3), repeat(&one, &two);
    for (double lambda = 1e-3; lambda < 200; lambda *= 100) {
        check_logistic(ctx, &one, 2, one.sign, lambda);
        check_logistic(ctx, &one, 3, one.label, lambda);
    }
    double w[D * 3], b[3], v[D * 3], c[3];
    nigh_linear_options options = {.lambda = 0.5, .tolerance = 1e-16};
    assert_ok(ctx, nigh_logistic(ctx, &one.data, 3, one.label, &options, w, b, NULL));
    assert_ok(ctx, nigh_logistic(ctx, &two.data, 3, two.label, &options, v, c, NULL));
    near_all(D * 3, w, v, 1e-6);
    for (int k = 1; k < 3; k++) assert_near(b[k] - b[0], c[k] - c[0], 1e-6, 0);

    /* x times 8 with lambda times 64: w an eighth, the same scores. */
    for (int i = 0; i < N * D; i++) one.x[i] *= 8;
    options.lambda *= 64;
    assert_ok(ctx, nigh_logistic(ctx, &one.data, 3, one.label, &options, v, c, NULL));
    for (int i = 0; i < D * 3; i++) assert_near(8 * v[i], w[i], 1e-6, 0);
    test_context_free(ctx);
}

static nigh_status watch(void *user, int64_t iteration, const double *w, const double *intercept, double objective, double gap)
{
    double *seen = user;
    if (seen[0] >= 3) return NIGH_FAILED;
    seen[0]++, seen[1] = w[0];
    return NIGH_OK;
}

/* Separable rows, and more unknowns than Newton takes: finite, certified. */
static void separable_and_wide(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { WIDE = 400, FEW = 40 };
    static double x[FEW * WIDE], w[WIDE];
    int32_t label[FEW];
    nigh_rng rng = nigh_rng_new(4, 0);
    nigh_rng_fill_normal(&rng, FEW * WIDE, x);
    for (int i = 0; i < FEW; i++) label[i] = i % 2;
    nigh_linear_data data = {FEW, WIDE, x, NULL}, slim = {FEW, 1, x, NULL};
    nigh_linear_fit fit;
    double b, line[1];
    assert_ok(ctx, nigh_logistic(ctx, &data, 2, label, &(nigh_linear_options){.lambda = 0.01}, w, &b, &fit));
    assert_true(fit.met && isfinite(w[0]) && fit.objective < FEW * log(2));
    for (int i = 0; i < FEW; i++) x[i] = label[i] ? 1 + i * 0.1 : -1 - i * 0.1;
    assert_ok(ctx, nigh_logistic(ctx, &slim, 2, label, &(nigh_linear_options){.lambda = 1e-4}, line, &b, &fit));
    assert_true(fit.met && line[0] > 1 && line[0] < 100);
    double seen[2] = {0, 0};
    assert_int_equal(nigh_logistic(ctx, &slim, 2, label, &(nigh_linear_options){.lambda = 1e-4, .observe = watch, .user = seen}, line, &b, &fit), NIGH_FAILED);
    assert_true(seen[0] == 3 && seen[1] > 0);
    test_context_free(ctx);
}

static void machines(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 5), repeat(&one, &two);
    for (int squared = 0; squared < 2; squared++) {
        double w[D], b, v[D], c;
        nigh_linear_fit fit, other, rough;
        nigh_linear_options options = {.c = 0.7, .squared = squared, .tolerance = 1e-9};
        assert_ok(ctx, nigh_svm(ctx, &one.data, one.sign, &options, w, &b, &fit));
        assert_ok(ctx, nigh_svm(ctx, &two.data, two.sign, &options, v, &c, &other));
        assert_true(fit.met && other.met);
        assert_near(fit.objective, other.objective, 1e-7, 0);
        near_all(D, w, v, 1e-3);
        double objective = b * b / 2;
        for (int j = 0; j < D; j++) objective += w[j] * w[j] / 2;
        for (int i = 0; i < N; i++) {
            double s = b;
            for (int j = 0; j < D; j++) s += w[j] * one.x[i * D + j];
            double hinge = fmax(0, 1 - (one.sign[i] ? s : -s));
            objective += 0.7 * one.weight[i] * (squared ? hinge * hinge : hinge);
        }
        assert_near(objective, fit.objective, 0, 1e-12);
        options.tolerance = 1e-2;
        assert_ok(ctx, nigh_svm(ctx, &one.data, one.sign, &options, v, &c, &rough));
        assert_true(rough.objective - fit.objective <= rough.gap + 1e-12 && rough.iterations <= fit.iterations);
    }
    /* Two points at -1 and 1: the widest margin is w = 1. */
    double x[2] = {-1, 1}, w, gap;
    int32_t label[2] = {0, 1};
    nigh_linear_fit fit;
    assert_ok(ctx, nigh_svm(ctx, &(nigh_linear_data){2, 1, x, NULL}, label, &(nigh_linear_options){.c = 100, .no_intercept = true, .tolerance = 1e-12}, &w, NULL, &fit));
    gap = fit.gap;
    assert_near(w, 1, 1e-9, 0);
    assert_true(gap < 1e-9);
    test_context_free(ctx);
}

static void standardised(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 6);
    for (int i = 0; i < N; i++) one.x[i * D + 1] = 1000 + 50 * one.x[i * D + 1], one.x[i * D + 2] = 5;
    double z[N * D], mean[D], scale[D], w[D * 2], b[2], v[D * 2], c[2], s[N * 2], t[N * 2];
    assert_ok(ctx, nigh_standardise(ctx, &one.data, mean, scale, z));
    for (int j = 0; j < D; j++) {
        double first = 0, second = 0, total = 0;
        for (int i = 0; i < N; i++) total += one.weight[i], first += one.weight[i] * z[i * D + j], second += one.weight[i] * z[i * D + j] * z[i * D + j];
        assert_near(first / total, 0, 1e-12, 0);
        assert_near(second / total, j == 2 ? 0 : 1, 1e-12, 0);
    }
    double lambda = 2;
    assert_ok(ctx, nigh_ridge_path(ctx, &(nigh_linear_data){N, D, z, one.weight}, 2, one.y, 1, &lambda, w, b, NULL, NULL));
    memcpy(v, w, sizeof w), memcpy(c, b, sizeof b);
    nigh_standardise_fold(D, 2, mean, scale, v, c);
    assert_ok(ctx, nigh_linear_scores(ctx, N, D, 2, z, w, b, s));
    assert_ok(ctx, nigh_linear_scores(ctx, N, D, 2, one.x, v, c, t));
    near_all(N * 2, s, t, 1e-10);
    test_context_free(ctx);
}

static void bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 7);
    double w[D * 4], b[4], lambda = -1;
    assert_fails(ctx, nigh_ridge_path(ctx, &one.data, 1, one.y, 1, &lambda, w, b, NULL, NULL), NIGH_INVALID, "lambda[0] is -1");
    assert_fails(ctx, nigh_logistic(ctx, &one.data, 2, one.label, NULL, w, b, NULL), NIGH_INVALID, "label of row 2 is 2");
    assert_fails(ctx, nigh_logistic(ctx, &one.data, 4, one.label, NULL, w, b, NULL), NIGH_INVALID, "class 3 has no row");
    assert_fails(ctx, nigh_logistic(ctx, &one.data, 3, one.label, &(nigh_linear_options){.lambda = -2}, w, b, NULL), NIGH_INVALID, "lambda is -2");
    assert_fails(ctx, nigh_svm(ctx, &one.data, one.sign, &(nigh_linear_options){.c = NAN}, w, b, NULL), NIGH_INVALID, "c is nan");
    assert_fails(ctx, nigh_linear_squares(ctx, &one.data, 0, one.y, w, b), NIGH_INVALID, "q is 0");
    one.weight[3] = -1;
    assert_fails(ctx, nigh_linear_squares(ctx, &one.data, 1, one.y, w, b), NIGH_INVALID, "weight of row 3");
    one.weight[3] = 1, one.x[5] = NAN;
    assert_fails(ctx, nigh_svm(ctx, &one.data, one.sign, NULL, w, b, NULL), NIGH_INVALID, "x has nan in row 1, column 1");
    draw(&one, 7);
    for (long fail_at = 2; fail_at < 16; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *poor = test_context_failing(&allocator);
        if (!poor) continue;
        nigh_status status = nigh_logistic(poor, &one.data, 3, one.label, NULL, w, b, NULL);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        lambda = 1;
        status = nigh_ridge_path(poor, &one.data, 1, one.y, 1, &lambda, w, b, NULL, NULL);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        status = nigh_svm(poor, &one.data, one.sign, NULL, w, b, NULL);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        test_context_free(poor);
        assert_int_equal(allocator.live, 0);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_squares), cmocka_unit_test(ridge), cmocka_unit_test(logistic), cmocka_unit_test(separable_and_wide),
        cmocka_unit_test(machines), cmocka_unit_test(standardised), cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
