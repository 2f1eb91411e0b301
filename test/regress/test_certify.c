/* Certificates of plans for expressions: above every error seen, near the largest, and refused where they cannot be had. */
#include "map_support.h"

#include "regress/certify.h"

static nigh_plan *fitted(nigh_context *ctx, const char *method, nigh_problem *problem, const char *settings)
{
    enum { N = 1500 };
    static double x[N * 4], y[N * 4];
    const nigh_method *found = NULL;
    nigh_rng rng = nigh_rng_new(3, 0);
    assert_ok(ctx, nigh_method_find(ctx, "map", method, &found));
    assert_ok(ctx, problem->ops->draw(ctx, problem, &rng, N, x));
    assert_ok(ctx, problem->ops->exact(ctx, problem, N, x, y));
    map_set set = {.n = N, .d = nigh_shape_count(&problem->in), .m = nigh_shape_count(&problem->out), .x = x, .y = y, .problem = problem};
    return map_fit_plan(ctx, found, settings, &set, N);
}

/* Largest error in the problem's measure over many points. */
static double worst_of(nigh_context *ctx, const nigh_plan *plan, nigh_problem *problem)
{
    enum { N = 200000 };
    int64_t d = nigh_shape_count(&problem->in), m = nigh_shape_count(&problem->out);
    double *x = malloc(sizeof *x * N * (size_t)d), *y = malloc(sizeof *y * N * (size_t)m), *z = malloc(sizeof *z * N * (size_t)m), worst = 0;
    nigh_rng rng = nigh_rng_new(9, 0);
    assert_ok(ctx, problem->ops->draw(ctx, problem, &rng, N, x));
    assert_ok(ctx, problem->ops->exact(ctx, problem, N, x, y));
    size_t room = nigh_plan_workspace(plan);
    void *work = aligned_alloc(64, (room + 127) / 64 * 64);
    nigh_status status = nigh_plan_apply(plan, N, x, z, work, room);
    assert_true(status == NIGH_OK || status == NIGH_OUTSIDE);
    for (int64_t i = 0; i < N; i++) worst = fmax(worst, problem->measure->error(m, y + i * m, z + i * m, NIGH_F64));
    free(x), free(y), free(z), free(work);
    return worst;
}

static const double low[] = {0, -1, 0.2}, high[] = {3, 1, 1};
static const struct {
    const char *text, *measure, *method, *settings;
    int d;
    double factor; /* certificate over worst seen */
} cases[] = {
    {"sin(x)*exp(y)", "absolute", "polynomial-ridge", "degree=6", 2, 1.3},
    {"sin(x)*exp(y); x/(1+y*y)", "rms", "polynomial-ridge", "degree=5", 2, 1.4},
    {"2+sin(x)*exp(y)", "relative", "polynomial-ridge", "degree=4", 2, 1.4},
    {"3+cos(x+y); 1+x*z", "relative-l2", "polynomial-ridge", "degree=4", 3, 1.5},
    {"abs(x-1)*y", "absolute", "polynomial-ridge", "degree=3", 2, 1.4},
    {"exp(-x)", "absolute", "polynomial-ridge", "degree=7", 1, 1.3},
    {"x*y", "absolute", "mean", "", 2, 1.2},
    {"sin(x+y)", "absolute", "bandlimited-random-features", "features=100", 2, 1.5},
};

static void test_holds(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_context *ctx = test_context_new();
        nigh_problem *problem = NULL;
        nigh_certificate proof = {0};
        assert_ok(ctx, nigh_expression_map_new(ctx, &(nigh_expression_map){cases[i].text, cases[i].d, low, high, cases[i].measure}, &problem));
        nigh_plan *plan = fitted(ctx, cases[i].method, problem, cases[i].settings);
        double worst = worst_of(ctx, plan, problem);
        assert_ok(ctx, plan->ops->certify(ctx, plan, problem, &proof));
        assert_true(isinf(proof.inputs) && proof.how);
        if (!(proof.worst >= worst && proof.worst <= cases[i].factor * worst)) fail_msg("%s by %s: proved %.6g, worst seen %.6g", cases[i].text, cases[i].method, proof.worst, worst);
        nigh_plan_free(ctx, plan);
        nigh_problem_free(ctx, problem);
        test_context_free(ctx);
    }
}

/* A plan that is wrong by 0.01 in a place that samples hardly meet cannot be proved better than that. */
static void test_spoilt(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = NULL;
    nigh_certificate before = {0}, after = {0};
    assert_ok(ctx, nigh_expression_map_new(ctx, &(nigh_expression_map){"sin(x)*exp(y)", 2, low, high, "absolute"}, &problem));
    nigh_plan *plan = fitted(ctx, "polynomial-ridge", problem, "degree=8");
    assert_ok(ctx, plan->ops->certify(ctx, plan, problem, &before));
    map_model *model = plan->state;
    model->weight[(model->count - 1) * map_padded(model->q)] += 0.01;
    assert_ok(ctx, plan->ops->certify(ctx, plan, problem, &after));
    assert_true(before.worst < 1e-3 && after.worst >= 0.009 && after.worst <= 0.012);
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = NULL, *other = NULL;
    nigh_certificate proof = {0};
    assert_ok(ctx, nigh_expression_map_new(ctx, &(nigh_expression_map){"sin(x)*y", 2, (double[]){-1, -1}, high, "relative"}, &problem));
    nigh_plan *plan = fitted(ctx, "polynomial-ridge", problem, "degree=3");
    assert_int_equal(plan->ops->certify(ctx, plan, problem, &proof), NIGH_UNSUPPORTED); /* the value is 0 inside */
    assert_non_null(strstr(nigh_message(ctx), "no finite bound of the relative error"));
    nigh_plan_free(ctx, plan);
    plan = fitted(ctx, "rbf", problem, "centres=50");
    assert_int_equal(plan->ops->certify(ctx, plan, problem, &proof), NIGH_UNSUPPORTED);
    assert_non_null(strstr(nigh_message(ctx), "functions of distances"));
    nigh_plan_free(ctx, plan);
    assert_ok(ctx, nigh_expression_map_new(ctx, &(nigh_expression_map){"sin(x)*y", 2, low, high, "ulp"}, &other));
    plan = fitted(ctx, "mean", other, "");
    assert_int_equal(plan->ops->certify(ctx, plan, other, &proof), NIGH_UNSUPPORTED);
    assert_non_null(strstr(nigh_message(ctx), "'ulp'"));
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem), nigh_problem_free(ctx, other);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_holds), cmocka_unit_test(test_spoilt), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
