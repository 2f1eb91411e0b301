/* Trainings: closed forms, limits, validation, averages, hooks, logs, misuse, memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/context.h"
#include "nigh/train.h"
#include "support.h"
#include "train_support.h"

/* ---- least squares -------------------------------------------------------------------------------------- */

/* Gradient descent on full batches reaches the solution of the normal equations. */
static void test_least_squares(void **state)
{
    nigh_context *ctx = test_context_new();
    problem p = problem_new(ctx, NIGH_F64, 40, 3, 1, 5);
    nigh_batches *rows;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("sgd");
    spec.network = p.net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.rate.base = 0.3, spec.steps = 600;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    double w[4];
    problem_solve(&p, w);
    const double *got = nigh_parameters_block(nigh_network_parameters(p.net));
    for (int i = 0; i < 3; i++) assert_near(got[i], w[i], 1e-12, 1e-10);
    const double *bias = nigh_parameters_data(nigh_network_parameters(p.net), 1);
    assert_near(bias[0], w[3], 1e-12, 1e-10);
    assert_int_equal(nigh_training_step(t), 600);
    assert_true(nigh_training_done(t));
    nigh_training_free(t);
    nigh_batches_free(rows);
    problem_free(ctx, &p);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
