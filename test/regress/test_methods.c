/* The map methods: what each must reproduce exactly, then smooth maps, then the same bits in every batch, then bad data. */
#include "map_support.h"

static void linear(const double *x, double *y)
{
    y[0] = 1 + 2 * x[0] - x[1];
    y[1] = -3 + x[2];
}

static void cubic(const double *x, double *y)
{
    y[0] = 1 + x[0] * x[0] * x[1] - 2 * x[2] + 5 * x[1] * x[2];
    y[1] = x[0] * x[1] * x[2] - 7 * x[2] * x[2] * x[2];
}

static void wavy(const double *x, double *y)
{
    y[0] = sin(3 * x[0]) * cos(2 * x[1]) + x[2];
    y[1] = 2 + exp(-x[0] * x[0] - x[2] * x[2]);
}

static double largest_gap(nigh_context *ctx, const nigh_plan *plan, const map_set *set, int64_t from, int64_t n)
{
    double *out = malloc((size_t)(n * set->m) * sizeof *out), most = 0;
    map_apply(ctx, plan, n, set->x + from * set->d, out);
    for (int64_t i = 0; i < n * set->m; i++) {
        double gap = fabs(out[i] - set->y[from * set->m + i]);
        most = gap > most || isnan(gap) ? gap : most;
    }
    free(out);
    return most;
}

static void test_polynomial_reproduces(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 200, 3, 2, -3, 5, 1, cubic);
    for (int degree = 3; degree <= 6; degree++) {
        char text[32];
        snprintf(text, sizeof text, "degree=%d", degree);
        nigh_plan *plan = map_fit_plan(ctx, &nigh_method_polynomial_ridge, text, &set, 120);
        double gap = largest_gap(ctx, plan, &set, 120, 80);
        if (!(gap <= 1e-10 * 875)) fail_msg("degree %d: gap %g", degree, gap); /* 875: size of the largest output */
        nigh_plan_free(ctx, plan);
    }
    nigh_plan *low = map_fit_plan(ctx, &nigh_method_polynomial_ridge, "degree=2", &set, 120);
    assert_true(largest_gap(ctx, low, &set, 120, 80) > 1);
    nigh_plan_free(ctx, low);
    /* pod-ridge of degree 3 on three inputs is the same space. */
    nigh_plan *pod = map_fit_plan(ctx, &nigh_method_pod_ridge, "degree=3", &set, 120);
    assert_true(largest_gap(ctx, pod, &set, 120, 80) <= 1e-9 * 875);
    nigh_plan_free(ctx, pod);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_linear_maps(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 160, 3, 2, 10, 12, 2, linear);
    const struct map_case exact[] = {{&nigh_method_pod_ridge, "degree=1"}, {&nigh_method_rbf, "basis=cubic"}, {&nigh_method_rbf, "basis=thin-plate"},
                                     {&nigh_method_pod_kernel, "kernel=cubic"}, {&nigh_method_polynomial_ridge, "degree=1"}};
    for (int i = 0; i < 5; i++) {
        nigh_plan *plan = map_fit_plan(ctx, exact[i].method, exact[i].settings, &set, 80);
        double gap = largest_gap(ctx, plan, &set, 80, 80);
        if (!(gap <= 1e-9 * 20)) fail_msg("%s %s: gap %g", exact[i].method->name, exact[i].settings, gap);
        nigh_plan_free(ctx, plan);
    }
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_interpolation(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 90, 3, 2, -1, 1, 3, wavy);
    nigh_plan *plan = map_fit_plan(ctx, &nigh_method_rbf, "smoothing=1e-16", &set, 90);
    assert_true(largest_gap(ctx, plan, &set, 0, 90) < 1e-9);
    nigh_plan_free(ctx, plan);
    plan = map_fit_plan(ctx, &nigh_method_rbf, "basis=thin-plate,smoothing=1e-16", &set, 90);
    assert_true(largest_gap(ctx, plan, &set, 0, 90) < 1e-9);
    nigh_plan_free(ctx, plan);
    plan = map_fit_plan(ctx, &nigh_method_pod_kernel, "kernel=matern32,nugget=1e-15,length=1", &set, 90);
    assert_true(largest_gap(ctx, plan, &set, 0, 90) < 1e-8);
    nigh_plan_free(ctx, plan);
    plan = map_fit_plan(ctx, &nigh_method_nearest, "neighbours=1", &set, 90);
    assert_true(largest_gap(ctx, plan, &set, 0, 90) == 0);
    nigh_plan_free(ctx, plan);
    plan = map_fit_plan(ctx, &nigh_method_nearest, "neighbours=8", &set, 90);
    assert_true(largest_gap(ctx, plan, &set, 0, 90) == 0);
    nigh_plan_free(ctx, plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* The tree finds what looking at every sample finds. */
static void test_nearest_against_all(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 1200, 3, 2, -1, 1, 4, wavy);
    int64_t n = 700;
    for (int64_t i = 0; i < n; i += 3) memcpy(set.x + i * 3, set.x + (i / 2) * 3, 24); /* some twice */
    nigh_plan *plan = map_fit_plan(ctx, &nigh_method_nearest, "", &set, n);
    double mean[3] = {0}, spread[3] = {0}, out[2];
    for (int64_t i = 0; i < n * 3; i++) mean[i % 3] += set.x[i] / (double)n;
    for (int64_t i = 0; i < n * 3; i++) spread[i % 3] += (set.x[i] - mean[i % 3]) * (set.x[i] - mean[i % 3]) / (double)n;
    for (int64_t t = n; t < set.n; t++) {
        double least = INFINITY, at_answer = INFINITY;
        map_apply(ctx, plan, 1, set.x + t * 3, out);
        for (int64_t i = 0; i < n; i++) {
            double d = 0;
            for (int k = 0; k < 3; k++) d += (set.x[i * 3 + k] - set.x[t * 3 + k]) * (set.x[i * 3 + k] - set.x[t * 3 + k]) / spread[k];
            least = fmin(least, d);
            if (memcmp(out, set.y + i * 2, 16) == 0) at_answer = fmin(at_answer, d);
        }
        assert_near(at_answer, least, 1e-13, 1e-12);
    }
    nigh_plan_free(ctx, plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_mean(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 40, 3, 2, -1, 1, 5, wavy);
    nigh_plan *plan = map_fit_plan(ctx, &nigh_method_mean, "", &set, 40);
    double out[2], mean[2] = {0};
    for (int i = 0; i < 80; i++) mean[i % 2] += set.y[i] / 40;
    map_apply(ctx, plan, 1, set.x, out);
    for (int j = 0; j < 2; j++) assert_near(out[j], mean[j], 1e-14, 0);
    nigh_plan_free(ctx, plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_projectile(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 700, 4, 3, -1, 1, 6, map_projectile);
    double error[MAP_CASES];
    for (int i = 0; i < MAP_CASES; i++) {
        nigh_plan *plan = map_fit_plan(ctx, map_cases[i].method, map_cases[i].settings, &set, 400);
        error[i] = map_error(ctx, plan, &set, 400);
        print_message("%-18s %-18s relative-l2 %.3g\n", map_cases[i].method->name, map_cases[i].settings, error[i]);
        nigh_plan_free(ctx, plan);
    }
    /* What an estimate says of a map of few inputs and outputs is what the plan then costs. */
    for (int i = 3; i < MAP_CASES; i++) {
        nigh_settings settings = nigh_settings_default(map_cases[i].method);
        nigh_estimate estimate;
        nigh_plan *plan = map_fit_plan(ctx, map_cases[i].method, map_cases[i].settings, &set, 100);
        assert_ok(ctx, nigh_settings_parse(ctx, map_cases[i].method, map_cases[i].settings, &settings));
        assert_ok(ctx, map_cases[i].method->estimate(ctx, map_cases[i].method, set.problem, &settings, 100, &estimate));
        assert_near(estimate.apply.flops, plan->work.flops, 0, 0.1);
        assert_true(estimate.error.low == 0 && estimate.fit.flops > 0);
        nigh_plan_free(ctx, plan);
    }
    double mean = error[0], nearest = fmin(error[1], error[2]);
    assert_true(nearest < 0.5 * mean);
    for (int i = 3; i < MAP_CASES; i++) {
        if (i != 3 && i != 4) assert_true(error[i] < nearest / 5);
        assert_true(error[i] < mean / 3);
    }
    nigh_plan *best = map_fit_plan(ctx, &nigh_method_polynomial_ridge, "degree=5", &set, 400);
    assert_true(map_error(ctx, best, &set, 400) < 1e-3);
    nigh_plan_free(ctx, best);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_fields(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_field_set(ctx, 500, 9);
    const struct map_case cases[] = {{&nigh_method_mean, ""}, {&nigh_method_nearest, ""}, {&nigh_method_pod_ridge, "degree=1"},
                                     {&nigh_method_pod_ridge, "degree=3"}, {&nigh_method_pod_kernel, "output-loss=1e-4"}};
    double error[5];
    for (int i = 0; i < 5; i++) {
        nigh_plan *plan = map_fit_plan(ctx, cases[i].method, cases[i].settings, &set, 300);
        error[i] = map_error(ctx, plan, &set, 300);
        print_message("%-18s %-18s relative-l2 %.3g, %.0f flops\n", cases[i].method->name, cases[i].settings, error[i], plan->work.flops);
        nigh_plan_free(ctx, plan);
    }
    assert_true(error[1] < error[0] && error[2] < error[1] && error[3] < error[2] / 3 && error[4] < error[2] / 5);

    /* Components beyond what the fit set has: outside, though every element is inside the box. */
    nigh_plan *plan = map_fit_plan(ctx, &nigh_method_pod_kernel, "", &set, 300);
    double out[MAP_FIELD_OUT], in[MAP_FIELD_IN];
    assert_int_equal(map_apply(ctx, plan, 1, set.x, out), NIGH_OK);
    for (int i = 0; i < MAP_FIELD_IN; i++) in[i] = i % 2 ? 0.3 : -0.3;
    assert_int_equal(map_apply(ctx, plan, 1, in, out), NIGH_OUTSIDE);
    for (int i = 0; i < MAP_FIELD_IN; i++) in[i] = 100;
    assert_int_equal(map_apply(ctx, plan, 1, in, out), NIGH_OUTSIDE);
    nigh_plan_free(ctx, plan);

    /* Nothing left out on either side: the linear map is the plain ridge regression, whatever the basis. */
    plan = map_fit_plan(ctx, &nigh_method_pod_ridge, "ridge=1e-14", &set, 300);
    nigh_plan *coarse = map_fit_plan(ctx, &nigh_method_pod_ridge, "ridge=1e-14,output-loss=0.3", &set, 300);
    assert_true(map_error(ctx, coarse, &set, 300) > map_error(ctx, plan, &set, 300));
    nigh_plan_free(ctx, coarse);
    nigh_plan_free(ctx, plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* More samples than the eigenvalue path takes: hyperparameters from a part, Cholesky for the rest; and thinned centres. */
static void test_many_samples(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 1100, 4, 3, -1, 1, 16, map_projectile);
    const struct map_case cases[] = {{&nigh_method_pod_kernel, "kernel=matern52"}, {&nigh_method_rbf, ""}};
    for (int i = 0; i < 2; i++) {
        char few[64];
        snprintf(few, sizeof few, "%s%scentres=200", cases[i].settings, *cases[i].settings ? "," : "");
        nigh_plan *all = map_fit_plan(ctx, cases[i].method, cases[i].settings, &set, 800);
        nigh_plan *thin = map_fit_plan(ctx, cases[i].method, few, &set, 800);
        double error_all = map_error(ctx, all, &set, 800), error_thin = map_error(ctx, thin, &set, 800);
        print_message("%s: 800 centres %.3g, 200 centres %.3g\n", cases[i].method->name, error_all, error_thin);
        assert_true(error_all < 5e-3 && error_thin < 2e-2 && error_all < error_thin && thin->work.flops < all->work.flops / 3);
        nigh_plan_free(ctx, all);
        nigh_plan_free(ctx, thin);
    }
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

/* A sample's answer does not depend on the batch it comes in. */
static void test_same_bits_in_every_batch(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set sets[2] = {map_set_new(ctx, 1000, 4, 3, -1, 1, 10, map_projectile), map_field_set(ctx, 1000, 11)};
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < MAP_CASES; i++) {
            nigh_plan *plan = NULL;
            if (map_try(ctx, map_cases[i].method, map_cases[i].settings, &sets[s], 60, &plan) == NIGH_UNSUPPORTED) continue;
            if (!plan && s == 1 && map_cases[i].method == &nigh_method_polynomial_ridge) continue; /* more terms than samples */
            if (!plan) fail_msg("%s: %s", map_cases[i].method->name, nigh_message(ctx));
            int64_t n = sets[s].n, m = sets[s].m, d = sets[s].d;
            double *all = malloc((size_t)(n * m) * sizeof *all), *one = malloc((size_t)(n * m) * sizeof *one);
            size_t bytes = nigh_plan_workspace(plan);
            void *workspace = nigh_alloc(ctx, bytes + 1);
            plan->ops->apply(plan, n, sets[s].x, all, workspace);
            for (int64_t k = 0; k < n; k++) plan->ops->apply(plan, 1, sets[s].x + k * d, one + k * m, workspace);
            assert_memory_equal(all, one, (size_t)(n * m) * sizeof *all);
            for (int64_t k = 0; k < n; k += 13) plan->ops->apply(plan, n - k < 13 ? n - k : 13, sets[s].x + k * d, one + k * m, workspace);
            assert_memory_equal(all, one, (size_t)(n * m) * sizeof *all);
            nigh_free(ctx, workspace);
            free(all), free(one);
            nigh_plan_free(ctx, plan);
        }
    map_set_free(ctx, &sets[0]);
    map_set_free(ctx, &sets[1]);
    test_context_free(ctx);
}

static void degenerate(const double *x, double *y)
{
    y[0] = x[0] + x[1] * x[1];
    y[1] = 4; /* constant */
}

static void test_degenerate_data(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 120, 3, 2, -1, 1, 12, degenerate);
    for (int64_t i = 0; i < 120; i++) set.x[i * 3 + 2] = 0.1;                                      /* a constant input */
    for (int64_t i = 1; i < 20; i += 2) memcpy(set.x + i * 3, set.x + (i - 1) * 3, 24), set.y[i * 2] = set.y[(i - 1) * 2]; /* rows twice */
    for (int i = 0; i < MAP_CASES; i++) {
        nigh_plan *plan = map_fit_plan(ctx, map_cases[i].method, map_cases[i].settings, &set, 80);
        double out[2];
        map_apply(ctx, plan, 1, set.x + 100 * 3, out);
        assert_true(isfinite(out[0]));
        assert_near(out[1], 4, 1e-6, 0);
        if (i >= 5) assert_near(out[0], set.y[100 * 2], 0.05, 0);
        nigh_plan_free(ctx, plan);
    }
    /* All outputs the same, all inputs the same. */
    for (int64_t i = 0; i < 120; i++) memcpy(set.x + i * 3, set.x, 24), memcpy(set.y + i * 2, (double[]){1, 4}, 16);
    for (int i = 0; i < MAP_CASES; i++) {
        nigh_plan *plan = map_fit_plan(ctx, map_cases[i].method, map_cases[i].settings, &set, 80);
        double out[2];
        map_apply(ctx, plan, 1, set.x, out);
        assert_near(out[0], 1, 1e-9, 0);
        nigh_plan_free(ctx, plan);
    }
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    map_set set = map_set_new(ctx, 40, 3, 2, -1, 1, 13, wavy);
    nigh_plan *plan = NULL;
    for (int i = 0; i < MAP_CASES; i++) {
        assert_fails(ctx, map_try(ctx, map_cases[i].method, map_cases[i].settings, &set, 1, &plan), NIGH_INVALID, "at least 2");
        double keep = set.x[7];
        set.x[7] = NAN;
        assert_fails(ctx, map_try(ctx, map_cases[i].method, map_cases[i].settings, &set, 40, &plan), NIGH_INVALID, "row 2, column 1");
        set.x[7] = keep;
    }
    assert_fails(ctx, map_try(ctx, &nigh_method_polynomial_ridge, "degree=8", &set, 40, &plan), NIGH_UNSUPPORTED, "more than 40 terms");
    assert_fails(ctx, map_try(ctx, &nigh_method_polynomial_ridge, "degree=4", &set, 20, &plan), NIGH_INVALID, "the 20 samples");
    assert_fails(ctx, map_try(ctx, &nigh_method_rbf, "", &set, 4, &plan), NIGH_INVALID, "too few");
    assert_fails(ctx, map_try(ctx, &nigh_method_pod_ridge, "input-loss=0.1", &set, 40, &plan), NIGH_UNSUPPORTED, "not reduced");
    assert_fails(ctx, map_try(ctx, &nigh_method_pod_kernel, "length=-1", &set, 40, &plan), NIGH_INVALID, "length");
    nigh_context_cancel(ctx);
    for (int i = 0; i < MAP_CASES; i++)
        assert_int_equal(map_try(ctx, map_cases[i].method, map_cases[i].settings, &set, 40, &plan), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    assert_null(plan);
    map_set_free(ctx, &set);
    test_context_free(ctx);
}

static void test_allocation_failures(void **state)
{
    nigh_context *own = test_context_new();
    map_set set = map_set_new(own, 40, 3, 2, -1, 1, 14, wavy), field = map_field_set(own, 30, 15);
    for (int i = 0; i < MAP_CASES + 2; i++)
        for (long fail = 2;; fail++) {
            test_allocator allocator = {.fail_at = fail};
            nigh_context *ctx = test_context_failing(&allocator);
            nigh_plan *plan = NULL;
            const nigh_method *method = i < MAP_CASES ? map_cases[i].method : i == MAP_CASES ? &nigh_method_pod_ridge : &nigh_method_pod_kernel;
            const char *settings = i < MAP_CASES ? map_cases[i].settings : "";
            nigh_status status = map_try(ctx, method, settings, i < MAP_CASES ? &set : &field, 30, &plan);
            nigh_plan_free(ctx, plan);
            size_t left = nigh_memory_now(ctx);
            nigh_context_free(ctx);
            assert_int_equal(left, 0);
            if (status == NIGH_OK) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
    map_set_free(own, &set);
    map_set_free(own, &field);
    test_context_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_polynomial_reproduces), cmocka_unit_test(test_linear_maps),
        cmocka_unit_test(test_interpolation),         cmocka_unit_test(test_nearest_against_all),
        cmocka_unit_test(test_mean),                  cmocka_unit_test(test_projectile),
        cmocka_unit_test(test_fields),                cmocka_unit_test(test_many_samples),
        cmocka_unit_test(test_same_bits_in_every_batch), cmocka_unit_test(test_degenerate_data),
        cmocka_unit_test(test_bad_input),             cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
