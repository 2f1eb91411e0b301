/* The method weighted-least-squares-dpp: what is in its space, how many answers it asks for, its place in the planner, bad input. */
#include "map_support.h"

#include "regress/model.h"

typedef struct counted {
    nigh_problem problem;
    map_function *f;
    int64_t calls;
    double low[12], high[12];
    bool normal, broken;
} counted;

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const counted *c = problem->self;
    int64_t d = problem->in.dim[0];
    double *x = in;
    for (int64_t i = 0; i < n * d; i++)
        x[i] = c->normal ? 3 + 0.5 * nigh_rng_normal(rng) : c->low[i % d] + (c->high[i % d] - c->low[i % d]) * nigh_rng_f64(rng);
    return NIGH_OK;
}

static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    counted *c = problem->self;
    c->calls += n;
    for (int64_t i = 0; i < n; i++) c->f((const double *)in + i * problem->in.dim[0], (double *)out + i * problem->out.dim[0]);
    if (c->broken) ((double *)out)[n - 1] = NAN;
    return NIGH_OK;
}

/* Inputs uniform on [-1, 3]^d. */
static void counted_set(counted *c, int64_t d, int64_t m, map_function *f)
{
    static const nigh_problem_ops ops = {.draw = draw, .exact = exact};
    *c = (counted){.f = f};
    for (int i = 0; i < 12; i++) c->low[i] = -1, c->high[i] = 3;
    c->problem = (nigh_problem){.size = sizeof(nigh_problem), .kind = "map", .name = "counted", .identity = "counted", .in = {NIGH_F64, 1, {d}},
                                .out = {NIGH_F64, 1, {m}}, .measure = nigh_measure_find("rms"), .low = c->low, .high = c->high, .ops = &ops, .self = c};
}

static nigh_status try_plan(nigh_context *ctx, const counted *c, const char *text, nigh_plan **plan)
{
    const nigh_method *method = &nigh_method_weighted_least_squares_dpp;
    nigh_settings settings = nigh_settings_default(method);
    nigh_progress_point point;
    void *fit = NULL;
    nigh_status status = nigh_settings_parse(ctx, method, text, &settings);
    if (!status) status = method->supports(ctx, method, &c->problem, &settings);
    if (!status) status = method->start(ctx, method, &c->problem, NULL, &settings, &fit);
    if (status) return status;
    status = method->advance(ctx, fit, 1, &point);
    if (!status) status = method->finish(ctx, fit, plan);
    method->abandon(ctx, fit);
    return status;
}

static double gap_of(nigh_context *ctx, const counted *c, const nigh_plan *plan)
{
    enum { TESTS = 200 };
    int64_t d = c->problem.in.dim[0], m = c->problem.out.dim[0];
    double x[TESTS * 4], y[TESTS * 2], exact_y[2], most = 0;
    nigh_rng rng = nigh_rng_new(99, 0);
    for (int64_t i = 0; i < TESTS * d; i++) x[i] = plan->low[i % d] + (plan->high[i % d] - plan->low[i % d]) * nigh_rng_f64(&rng);
    assert_ok(ctx, map_apply(ctx, plan, TESTS, x, y));
    for (int i = 0; i < TESTS; i++) {
        c->f(x + i * d, exact_y);
        for (int64_t j = 0; j < m; j++) most = fmax(most, fabs(y[i * m + j] - exact_y[j]));
    }
    return most;
}

static void cubic(const double *x, double *y)
{
    y[0] = 1 + x[0] * x[0] * x[1] - 2 * x[1] + x[0] * x[1];
    y[1] = x[1] * x[1] * x[1] - x[0];
}

static void cross(const double *x, double *y)
{
    y[0] = 1 + x[0] * x[1] + x[0] * x[0] * x[0];
    y[1] = x[1] * x[1] * x[1];
}

static void waves(const double *x, double *y) /* period 4 on [-1, 3] */
{
    y[0] = 1 + cos(M_PI / 2 * x[0]) * sin(M_PI / 2 * x[1]) - 2 * sin(M_PI * x[1]);
    y[1] = cos(M_PI * x[0]);
}

static void smooth(const double *x, double *y) { y[0] = exp(0.3 * x[0]) * cos(x[1]); }

static void test_space_is_reproduced(void **state)
{
    nigh_context *ctx = test_context_new();
    const struct {
        map_function *f;
        const char *settings;
        int terms;
    } cases[] = {{cubic, "degree=3", 10},
                 {cubic, "degree=3,thin=no,times=2", 10},
                 {cubic, "degree=3,sampler=volume", 10},
                 {cubic, "degree=3,sampler=volume-input,least=0.05", 10},
                 {cubic, "degree=3,sampler=iid,times=6", 10},
                 {cubic, "degree=3,points=draws", 10},
                 {cross, "degree=3,set=hyperbolic", 8},
                 {waves, "degree=2,basis=fourier", 13}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        counted c;
        counted_set(&c, 2, 2, cases[i].f);
        nigh_plan *plan = NULL;
        assert_ok(ctx, try_plan(ctx, &c, cases[i].settings, &plan));
        assert_int_equal(((const map_model *)plan->state)->count, cases[i].terms - 1);
        double gap = gap_of(ctx, &c, plan);
        if (!(gap < 1e-10 * 40)) fail_msg("%s: gap %g", cases[i].settings, gap);
        assert_true(c.calls >= cases[i].terms);
        if (i == 0) assert_true(c.calls < 1.5 * cases[i].terms); /* thinned by default */
        if (i == 1) assert_int_equal(c.calls, 2 * cases[i].terms);
        nigh_plan_free(ctx, plan);
    }
    test_context_free(ctx);
}

/* Same seed, same bits; another seed, other points. */
static void test_seeds(void **state)
{
    nigh_context *ctx = test_context_new();
    counted c;
    counted_set(&c, 2, 1, smooth);
    double y[3], x[] = {0.3, 1.1};
    const char *settings[] = {"degree=5", "degree=5", "degree=5,seed=1"};
    for (int i = 0; i < 3; i++) {
        nigh_plan *plan = NULL;
        assert_ok(ctx, try_plan(ctx, &c, settings[i], &plan));
        assert_ok(ctx, map_apply(ctx, plan, 1, x, &y[i]));
        nigh_plan_free(ctx, plan);
    }
    assert_true(y[0] == y[1] && y[0] != y[2]);
    test_context_free(ctx);
}

/* Inputs that are normal and have no box: candidates as they are drawn, better there than points of the box would be. */
static void test_other_laws(void **state)
{
    nigh_context *ctx = test_context_new();
    counted c;
    counted_set(&c, 2, 1, smooth);
    c.normal = true, c.problem.low = c.problem.high = NULL;
    nigh_plan *plan = NULL;
    assert_fails(ctx, try_plan(ctx, &c, "", &plan), NIGH_UNSUPPORTED, "points=draws");
    assert_ok(ctx, try_plan(ctx, &c, "degree=6,points=draws", &plan));
    double x[400], y[200], want, sum = 0;
    nigh_rng rng = nigh_rng_new(3, 3);
    draw(ctx, &c.problem, &rng, 200, x);
    map_apply(ctx, plan, 200, x, y);
    for (int i = 0; i < 200; i++) c.f(x + 2 * i, &want), sum += (y[i] - want) * (y[i] - want) / 200;
    if (!(sqrt(sum) < 2e-3)) fail_msg("rms %g", sqrt(sum));
    nigh_plan_free(ctx, plan);
    test_context_free(ctx);
}

/* In the planner: few answers, all of them counted, at the price of any other; chosen where answers are dear. */
static void test_planned(void **state)
{
    nigh_context *ctx = test_context_new();
    counted c;
    counted_set(&c, 2, 1, smooth);
    c.problem.exact_seconds = 10;
    nigh_request request = nigh_request_default();
    request.error = 1e-4, request.uses = 1000, request.state = "", request.no_clock = true, request.seconds = 1e5;
    request.fit = 200, request.screen = 100, request.test = 300;
    nigh_outcome *outcome = NULL;
    assert_ok(ctx, nigh_plan_make(ctx, &c.problem, &request, &outcome));
    const nigh_candidate *best = &outcome->candidates[outcome->chosen];
    assert_string_equal(best->method->name, "weighted-least-squares-dpp");
    assert_true(best->exact_calls > 10 && best->exact_calls < 80);
    assert_true(outcome->receipt->exact_calls == best->exact_calls);
    assert_true(best->fit_seconds >= 10 * best->exact_calls && best->fit_seconds < 10 * best->exact_calls + 5);
    double own = 0;
    bool shortcut = false;
    for (int i = 0; i < outcome->count; i++) {
        const nigh_candidate *k = &outcome->candidates[i];
        bool tried = k->state == NIGH_CANDIDATE_PASSED || k->state == NIGH_CANDIDATE_MISSED || k->state == NIGH_CANDIDATE_PROVED || k->state == NIGH_CANDIDATE_CHOSEN;
        if (tried && k->method == best->method) own += k->exact_calls;
        if (tried && k->method->flags & NIGH_METHOD_NEEDS_DATA) assert_true(k->exact_calls == 200);
        shortcut = shortcut || (tried && k->method->flags & NIGH_METHOD_SHORTCUT);
    }
    assert_true(shortcut); /* the classical ones are tried among themselves, however dear their samples */
    assert_non_null(outcome->receipt->shortcut);
    assert_true((double)c.calls >= 600 + own); /* and the three sets; some plans may have been fitted again */
    nigh_outcome_free(ctx, outcome);

    /* Its fits are cut off where they would take longer than there is time for. */
    request.seconds = 400, request.methods = "weighted-least-squares-dpp", request.fit = 0, request.screen = 20, request.test = 59;
    c.problem.exact_seconds = 10, c.calls = 0;
    nigh_status status = nigh_plan_make(ctx, &c.problem, &request, &outcome);
    assert_true(status == NIGH_OK || status == NIGH_UNMET);
    for (int i = 0; i < outcome->count; i++) assert_true(outcome->candidates[i].exact_calls <= 25);
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    counted c;
    nigh_plan *plan = NULL;
    counted_set(&c, 11, 1, smooth);
    assert_fails(ctx, try_plan(ctx, &c, "", &plan), NIGH_UNSUPPORTED, "11 inputs; 1 to 10");
    counted_set(&c, 10, 1, smooth);
    assert_fails(ctx, try_plan(ctx, &c, "degree=5", &plan), NIGH_UNSUPPORTED, "degree 5 in 10 inputs has more than 500 terms");
    counted_set(&c, 1, 1, smooth);
    assert_fails(ctx, try_plan(ctx, &c, "set=hyperbolic", &plan), NIGH_UNSUPPORTED, "one input");
    assert_fails(ctx, try_plan(ctx, &c, "basis=fourier,degree=17", &plan), NIGH_UNSUPPORTED, "frequency 17");
    assert_fails(ctx, try_plan(ctx, &c, "least=1.5", &plan), NIGH_INVALID, "least");
    counted_set(&c, 2, 1, smooth);
    assert_fails(ctx, try_plan(ctx, &c, "sampler=iid,times=1,degree=6", &plan), NIGH_FAILED, "none of 100 designs");
    c.broken = true;
    assert_fails(ctx, try_plan(ctx, &c, "degree=3", &plan), NIGH_FAILED, "is nan; finite numbers are needed");
    c.broken = false;
    nigh_context_cancel(ctx);
    assert_int_equal(try_plan(ctx, &c, "", &plan), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    map_set set = map_set_new(ctx, 60, 2, 1, -1, 1, 1, smooth);
    assert_fails(ctx, map_try(ctx, &nigh_method_weighted_least_squares_dpp, "", &set, 40, &plan), NIGH_UNSUPPORTED, "come from a file");
    map_set_free(ctx, &set);
    assert_null(plan);
    test_context_free(ctx);
}

static void test_allocation_failures(void **state)
{
    counted c;
    counted_set(&c, 2, 1, smooth);
    const char *settings[] = {"degree=3", "degree=2,points=draws,thin=no"};
    for (int i = 0; i < 2; i++)
        for (long fail = 2;; fail++) {
            test_allocator allocator = {.fail_at = fail};
            nigh_context *ctx = test_context_failing(&allocator);
            nigh_plan *plan = NULL;
            nigh_status status = try_plan(ctx, &c, settings[i], &plan);
            nigh_plan_free(ctx, plan);
            size_t left = nigh_memory_now(ctx);
            nigh_context_free(ctx);
            assert_int_equal(left, 0);
            if (status == NIGH_OK) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_is_reproduced), cmocka_unit_test(test_seeds),     cmocka_unit_test(test_other_laws),
        cmocka_unit_test(test_planned),             cmocka_unit_test(test_bad_input), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
