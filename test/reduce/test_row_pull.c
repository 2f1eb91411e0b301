/* How much rows pull: slopes beside differences of the values, lengths beside the definition, any number of threads. */
#include "reduce/row_pull.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { N = 1501, D = 6 };

static void slope_times_length(void **state)
{
    (void)state;
    static const char *const losses[] = {"squares", "lp:p=3", "huber:delta=1", "logistic", "hinge", "residual:log(1+r*r)"};
    static double x[N * D], y[N], label[N], weight[N], up[N], down[N], score[N], again[N];
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++) x[i * D + j] = j == 4 ? 2.5 : 1 + (j + 1) * nigh_rng_normal(&rng); /* feature 4 is constant */
        y[i] = 2 * nigh_rng_normal(&rng), label[i] = nigh_rng_f64(&rng) < 0.4, weight[i] = 0.5 + nigh_rng_f64(&rng);
    }
    for (size_t l = 0; l < sizeof losses / sizeof *losses; l++) {
        nigh_loss *loss;
        double model[D + 1], mean[D], inverse[D], first[D] = {0}, second[D] = {0}, total = 0;
        assert_ok(ctx, nigh_loss_parse(ctx, losses[l], &loss));
        nigh_rows rows = {N, D, x, nigh_loss_has_classes(loss) ? label : y, weight};
        for (int j = 0; j <= D; j++) model[j] = 0.3 * nigh_rng_normal(&rng);
        assert_ok(ctx, row_moments(ctx, &rows, mean, inverse));
        for (int i = 0; i < N; i++) total += weight[i];
        for (int j = 0; j < D; j++) {
            for (int i = 0; i < N; i++) first[j] += weight[i] / total * x[i * D + j];
            for (int i = 0; i < N; i++) second[j] += weight[i] / total * (x[i * D + j] - first[j]) * (x[i * D + j] - first[j]);
            assert_near(mean[j], first[j], 1e-12, 0);
            assert_near(inverse[j], j == 4 ? 1 : 1 / sqrt(second[j]), 0, 1e-10);
        }
        assert_ok(ctx, nigh_context_set_threads(ctx, 1));
        assert_ok(ctx, row_pulls(ctx, loss, &rows, model, mean, inverse, score));
        assert_ok(ctx, nigh_context_set_threads(ctx, 3));
        assert_ok(ctx, row_pulls(ctx, loss, &rows, model, mean, inverse, again));
        assert_memory_equal(score, again, sizeof score);
        const double step = 1e-6;
        model[D] += step;
        assert_ok(ctx, nigh_loss_values(ctx, loss, &rows, model, up));
        model[D] -= 2 * step;
        assert_ok(ctx, nigh_loss_values(ctx, loss, &rows, model, down));
        int apart = 0;
        for (int i = 0; i < N; i++) {
            double length = 1;
            for (int j = 0; j < D; j++) length += (x[i * D + j] - mean[j]) * (x[i * D + j] - mean[j]) * inverse[j] * inverse[j];
            apart += !(fabs(score[i] - fabs(up[i] - down[i]) / (2 * step) * sqrt(length)) <= 1e-5 * (1 + score[i]));
        }
        assert_true(apart <= 1); /* a corner may lie within the step */
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slope_times_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
