/* Minimisers: known minima, nasty lines, active sets, certified least squares, the same bits after a restore, failing callbacks. */
#include <math.h>
#include <string.h>

#include "grad/minimise.h"
#include "support.h"

typedef struct task {
    int64_t n;
    int kind;
    int64_t calls, fail_at;
} task;

enum { ROSENBROCK, POWELL, WOOD, BEALE };

static double square(double x) { return x * x; }

static double objective(const task *t, const double *x, double *g)
{
    double f = 0;
    memset(g, 0, (size_t)t->n * sizeof *g);
    if (t->kind == ROSENBROCK)
        for (int64_t i = 0; i + 1 < t->n; i += 2) {
            double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
            f += 100 * a * a + b * b;
            g[i] = -400 * a * x[i] - 2 * b, g[i + 1] = 200 * a;
        }
    if (t->kind == POWELL) {
        double a = x[0] + 10 * x[1], b = x[2] - x[3], c = x[1] - 2 * x[2], d = x[0] - x[3];
        f = a * a + 5 * b * b + square(c * c) + 10 * square(d * d);
        g[0] = 2 * a + 40 * d * d * d, g[1] = 20 * a + 4 * c * c * c, g[2] = 10 * b - 8 * c * c * c, g[3] = -10 * b - 40 * d * d * d;
    }
    if (t->kind == WOOD) {
        double a = x[1] - x[0] * x[0], b = x[3] - x[2] * x[2], c = x[1] - 1, d = x[3] - 1;
        f = 100 * a * a + square(1 - x[0]) + 90 * b * b + square(1 - x[2]) + 10.1 * (c * c + d * d) + 19.8 * c * d;
        g[0] = -400 * a * x[0] - 2 * (1 - x[0]), g[1] = 200 * a + 20.2 * c + 19.8 * d;
        g[2] = -360 * b * x[2] - 2 * (1 - x[2]), g[3] = 180 * b + 20.2 * d + 19.8 * c;
    }
    if (t->kind == BEALE) {
        static const double y[3] = {1.5, 2.25, 2.625};
        for (int k = 0; k < 3; k++) {
            double p = pow(x[1], k + 1), r = y[k] - x[0] * (1 - p);
            f += r * r, g[0] -= 2 * r * (1 - p), g[1] += 2 * r * x[0] * (k + 1) * pow(x[1], k);
        }
    }
    return f;
}

static nigh_status gradient(void *user, const double *x, double *f, double *g)
{
    task *t = user;
    if (++t->calls == t->fail_at) return NIGH_FAILED;
    *f = objective(t, x, g);
    return NIGH_OK;
}

static nigh_status value(void *user, const double *x, double *f)
{
    double g[2048];
    return gradient(user, x, f, g);
}

/* By differences of the gradient: Newton's steps need no more. */
static nigh_status hessian(void *user, const double *x, double *h)
{
    const task *t = user;
    double y[512], up[512], down[512];
    memcpy(y, x, (size_t)t->n * sizeof *y);
    for (int64_t k = 0; k < t->n; k++) {
        double step = 1e-5 * fmax(1, fabs(x[k]));
        y[k] = x[k] + step, objective(t, y, up);
        y[k] = x[k] - step, objective(t, y, down);
        y[k] = x[k];
        for (int64_t i = 0; i < t->n; i++) h[i * t->n + k] = (up[i] - down[i]) / (2 * step);
    }
    return NIGH_OK;
}

static nigh_minimise_problem problem_of(task *t)
{
    return (nigh_minimise_problem){.n = t->n, .gradient = gradient, .value = value, .hessian = hessian, .user = t};
}

static void start_of(const task *t, double *x)
{
    static const double starts[4][4] = {{-1.2, 1, -1.2, 1}, {3, -1, 0, 1}, {-3, -1, -3, -1}, {1, 1, 0, 0}};
    for (int64_t i = 0; i < t->n; i++) x[i] = starts[t->kind][t->n == 2 ? i : i % 4];
}

static void known_minima(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct { int kind; int64_t n; double at[4], near; } all[] = {
        {ROSENBROCK, 2, {1, 1, 1, 1}, 1e-6}, {ROSENBROCK, 10, {1, 1, 1, 1}, 1e-6}, {ROSENBROCK, 1000, {1, 1, 1, 1}, 1e-6},
        {POWELL, 4, {0, 0, 0, 0}, 2e-2}, {WOOD, 4, {1, 1, 1, 1}, 1e-6}, {BEALE, 2, {3, 0.5, 0, 0}, 1e-6}};
    static double x[1000];
    for (int method = NIGH_MINIMISE_LBFGS; method <= NIGH_MINIMISE_NELDER_MEAD; method++)
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            if ((method == NIGH_MINIMISE_NEWTON && all[k].n > 500) || (method == NIGH_MINIMISE_NELDER_MEAD && all[k].n > 4)) continue;
            task t = {.n = all[k].n, .kind = all[k].kind};
            start_of(&t, x);
            nigh_minimise_problem problem = problem_of(&t);
            nigh_minimise_result result;
            assert_ok(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.method = (nigh_minimise_method)method}, x, &result));
            assert_true(result.f < 1e-9 && result.evaluations == t.calls && result.stop != NIGH_MINIMISE_RUNNING && *result.why);
            print_message("method %d, function %d, n = %lld: %lld evaluations, f %.1e, %s\n", method, all[k].kind, (long long)t.n, (long long)result.evaluations, result.f, result.why);
            if (method == NIGH_MINIMISE_LBFGS) assert_true(result.evaluations < 150);
            for (int64_t i = 0; i < t.n; i++) assert_near(x[i], all[k].at[i % 4], all[k].near, 0);
        }
    test_context_free(ctx);
}

/* ---- the six lines of More and Thuente, section 5 ---- */

typedef struct torture {
    int which, calls;
} torture;

static double gamma_of(double b) { return sqrt(1 + b * b) - b; }

static nigh_status nasty(void *user, double t, double *f, double *s)
{
    static const double beta[3][2] = {{1e-3, 1e-3}, {1e-2, 1e-3}, {1e-3, 1e-2}};
    torture *job = user;
    job->calls++;
    if (job->which == 0) *f = -t / (t * t + 2), *s = (t * t - 2) / square(t * t + 2);
    else if (job->which == 1) {
        double u = t + 0.004;
        *f = pow(u, 5) - 2 * pow(u, 4), *s = 5 * pow(u, 4) - 8 * pow(u, 3);
    } else if (job->which == 2) {
        double b = 0.01, l = 39, w = l * M_PI / 2;
        *f = t <= 1 - b ? 1 - t : t >= 1 + b ? t - 1 : square(t - 1) / (2 * b) + b / 2;
        *s = t <= 1 - b ? -1 : t >= 1 + b ? 1 : (t - 1) / b;
        *f += 2 * (1 - b) / (l * M_PI) * sin(w * t), *s += (1 - b) * cos(w * t);
    } else {
        double p = beta[job->which - 3][0], q = beta[job->which - 3][1], a = sqrt(square(1 - t) + q * q), b = sqrt(t * t + p * p);
        *f = gamma_of(p) * a + gamma_of(q) * b, *s = gamma_of(p) * (t - 1) / a + gamma_of(q) * t / b;
    }
    return NIGH_OK;
}

static void nasty_lines(void **state)
{
    static const double mu[6] = {1e-3, 0.1, 0.1, 1e-3, 1e-3, 1e-3}, eta[6] = {0.1, 0.1, 0.1, 1e-3, 1e-3, 1e-3};
    for (int which = 0; which < 6; which++)
        for (double first = 1e-3; first < 2e3; first *= 100) {
            torture job = {.which = which};
            double f0, s0, f, s, t = first;
            bool wolfe;
            nasty(&job, 0, &f0, &s0);
            minimise_search search = {nasty, &job, f0, s0, mu[which], eta[which], 1e20, 40};
            job.calls = 0;
            assert_int_equal(minimise_search_run(&search, &t, &wolfe), NIGH_OK);
            if (!wolfe || job.calls > 15) fail_msg("line %d from %g: %d calls, wolfe %d", which, first, job.calls, wolfe);
            nasty(&job, t, &f, &s);
            assert_true(f <= f0 + mu[which] * t * s0 && fabs(s) <= -eta[which] * s0);
        }
}

/* log(1 - t) - 3 t is not defined beyond 1. */
static nigh_status walled(void *user, const double *x, double *f, double *g)
{
    *f = -log(1 - x[0]) - 3 * x[0] + square(x[1] - 2);
    g[0] = 1 / (1 - x[0]) - 3, g[1] = 2 * (x[1] - 2);
    if (x[0] >= 1) *f = g[0] = NAN;
    return NIGH_OK;
}

static void not_finite(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_minimise_problem problem = {.n = 2, .gradient = walled};
    double x[2] = {-50, -40}, bad[2] = {2, 0}, upper[2] = {5, 1};
    assert_ok(ctx, nigh_minimise(ctx, &problem, NULL, x, NULL));
    assert_near(x[0], 2 / 3.0, 1e-7, 0);
    assert_fails(ctx, nigh_minimise(ctx, &problem, NULL, bad, NULL), NIGH_INVALID, "at the start the value is");
    problem.upper = upper;
    x[0] = -50;
    assert_ok(ctx, nigh_minimise(ctx, &problem, NULL, x, NULL));
    assert_near(x[0], 2 / 3.0, 1e-6, 0);
    assert_true(x[1] == 1);
    bad[0] = INFINITY;
    assert_fails(ctx, nigh_minimise(ctx, &problem, NULL, bad, NULL), NIGH_INVALID, "unknown 0 starts at inf");
    test_context_free(ctx);
}

/* ---- bounds: f = 1/2 (x - c)' A (x - c) + q . x with A tridiagonal, q chosen so that the minimum is at a known corner ---- */

enum { WIDE = 400 };
typedef struct box {
    int64_t n;
    double at[WIDE], pull[WIDE], lower[WIDE], upper[WIDE];
} box;

static nigh_status boxed(void *user, const double *x, double *f, double *g)
{
    const box *b = user;
    *f = 0;
    for (int64_t i = 0; i < b->n; i++) {
        double d = x[i] - b->at[i], left = i ? x[i - 1] - b->at[i - 1] : 0, right = i + 1 < b->n ? x[i + 1] - b->at[i + 1] : 0;
        double product = (2.1 + (double)(i % 7)) * d - left - right;
        g[i] = product + b->pull[i], *f += 0.5 * d * product + b->pull[i] * d;
    }
    return NIGH_OK;
}

static nigh_status boxed_value(void *user, const double *x, double *f)
{
    double g[WIDE];
    return boxed(user, x, f, g);
}

static void active_sets(void **state)
{
    nigh_context *ctx = test_context_new();
    static box b;
    for (b.n = 3; b.n <= WIDE; b.n = b.n == 3 ? 30 : b.n == 30 ? WIDE : WIDE + 1) {
        double x[WIDE];
        for (int64_t i = 0; i < b.n; i++) {
            b.at[i] = sin((double)i), b.lower[i] = b.at[i] - (i % 3 == 0 ? 0 : 1), b.upper[i] = b.at[i] + (i % 3 == 1 ? 0 : 0.7);
            b.pull[i] = i % 3 == 0 ? 0.5 + (double)(i % 5) : i % 3 == 1 ? -0.3 : 0;
            x[i] = (i * 37) % 11 - 5.0;
        }
        nigh_minimise_problem problem = {.n = b.n, .gradient = boxed, .value = boxed_value, .user = &b, .lower = b.lower, .upper = b.upper};
        nigh_minimise_result result;
        assert_ok(ctx, nigh_minimise(ctx, &problem, NULL, x, &result));
        assert_true(result.gradient <= 1e-8 && result.evaluations < 200);
        for (int64_t i = 0; i < b.n; i++) {
            assert_near(x[i], b.at[i], 1e-7, 0);
            if (i % 3 == 0) assert_true(x[i] == b.lower[i]);
            if (i % 3 == 1) assert_true(x[i] == b.upper[i]);
        }
        if (b.n > 3) continue;
        for (int64_t i = 0; i < b.n; i++) x[i] = b.at[i] + 0.3;
        assert_ok(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.method = NIGH_MINIMISE_NELDER_MEAD}, x, NULL));
        for (int64_t i = 0; i < b.n; i++) assert_near(x[i], b.at[i], 1e-5, 0);
    }
    test_context_free(ctx);
}

/* ---- residuals for the resume test ---- */

static nigh_status valley(void *user, const double *x, double *r)
{
    task *t = user;
    if (t && ++t->calls == t->fail_at) return NIGH_FAILED;
    r[0] = 10 * (x[1] - x[0] * x[0]), r[1] = 1 - x[0], r[2] = 0.1 * sin(x[0] + x[1]);
    return NIGH_OK;
}

/* Every step after a restore gives the bits of the run that went on; so for all methods, with and without bounds. */
static void resumed(void **state)
{
    nigh_context *ctx = test_context_new();
    double lower[2] = {-2, -3}, upper[2] = {0.8, 5};
    for (int method = 0; method < 5; method++) {
        task t = {.n = 2, .kind = ROSENBROCK};
        nigh_minimise_problem problem = problem_of(&t);
        problem.rows = 3;
        if (method == 3) problem.residual = valley;
        if (method == 4) problem.lower = lower, problem.upper = upper;
        nigh_minimise_options options = {.method = (nigh_minimise_method)(method % 4), .memory = 4};
        double x[2] = {-1.2, 1};
        nigh_minimiser *one, *two;
        bool running = true, again = true;
        assert_ok(ctx, nigh_minimiser_new(ctx, &problem, &options, x, &one));
        for (int k = 0; running && k < 6; k++) assert_ok(ctx, nigh_minimiser_step(one, &running));
        nigh_buffer bytes = {.ctx = ctx};
        assert_ok(ctx, nigh_minimiser_save(one, &bytes));
        assert_ok(ctx, nigh_minimiser_restore(ctx, &problem, &options, bytes.data, bytes.size, &two));
        nigh_minimise_result a, b;
        while (running) {
            assert_ok(ctx, nigh_minimiser_step(one, &running));
            assert_ok(ctx, nigh_minimiser_step(two, &again));
            nigh_minimiser_result(one, &a), nigh_minimiser_result(two, &b);
            assert_memory_equal(a.x, b.x, sizeof x);
            assert_memory_equal(&a.f, &b.f, sizeof a.f);
            assert_true(a.evaluations == b.evaluations && a.iterations == b.iterations && a.stop == b.stop && running == again);
        }
        nigh_minimiser_free(two);
        assert_fails(ctx, nigh_minimiser_restore(ctx, &problem, &options, bytes.data, bytes.size - 1, &two), NIGH_FORMAT, "bytes");
        assert_fails(ctx, nigh_minimiser_restore(ctx, &problem, &options, bytes.data, 5, &two), NIGH_FORMAT, "not a saved");
        options.memory = 5;
        assert_fails(ctx, nigh_minimiser_restore(ctx, &problem, &options, bytes.data, bytes.size, &two), NIGH_FORMAT, "memory 4");
        options.memory = 4, bytes.data[bytes.size - 70] ^= 1;
        assert_fails(ctx, nigh_minimiser_restore(ctx, &problem, &options, bytes.data, bytes.size, &two), NIGH_FORMAT, "hash");
        nigh_minimiser_free(one);
        nigh_buffer_free(&bytes);
    }
    test_context_free(ctx);
}

/* A callback that fails once ends the step; repeated, the run ends where it would have. */
static void failing_callbacks(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int method = 0; method < 4; method++)
        for (int64_t fail_at = 1; fail_at < 40; fail_at += 6) {
            task t = {.n = 2, .kind = ROSENBROCK, .fail_at = fail_at};
            nigh_minimise_problem problem = problem_of(&t);
            problem.rows = 3, problem.residual = valley;
            nigh_minimise_options options = {.method = (nigh_minimise_method)method};
            double x[2] = {-1.2, 1}, y[2] = {-1.2, 1};
            nigh_minimiser *m;
            nigh_status status = nigh_minimiser_new(ctx, &problem, &options, x, &m);
            if (fail_at == 1) {
                assert_int_equal(status, NIGH_FAILED);
                continue;
            }
            bool running = true;
            int failures = 0;
            if (status) {
                failures++;
                assert_ok(ctx, nigh_minimiser_new(ctx, &problem, &options, x, &m));
            }
            while (running) failures += nigh_minimiser_step(m, &running) == NIGH_FAILED;
            assert_int_equal(failures, t.calls >= fail_at);
            nigh_minimise_result result;
            nigh_minimiser_result(m, &result);
            t = (task){.n = 2, .kind = ROSENBROCK};
            assert_ok(ctx, nigh_minimise(ctx, &problem, &options, y, NULL));
            assert_memory_equal(result.x, y, sizeof y);
            nigh_minimiser_free(m);
        }
    test_context_free(ctx);
}

static nigh_status stop_it(void *user, const nigh_minimise_result *now)
{
    if (now->iterations == 3) nigh_context_cancel(user);
    return NIGH_OK;
}

static void bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    task t = {.n = 2, .kind = ROSENBROCK};
    nigh_minimise_problem problem = problem_of(&t);
    nigh_minimise_options options = {.observe = stop_it, .observe_user = ctx};
    nigh_minimise_result result;
    double x[2] = {-1.2, 1}, low[2] = {0, 2}, high[2] = {1, 1};
    assert_fails(ctx, nigh_minimise(ctx, &problem, &options, x, NULL), NIGH_INTERRUPTED, "");
    assert_true(x[0] == -1.2);
    nigh_context_uncancel(ctx);
    assert_ok(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.iterations = 2}, x, &result));
    assert_true(result.stop == NIGH_MINIMISE_ITERATIONS && result.iterations == 2);
    assert_ok(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.target = 0.01, .has_target = true}, x, &result));
    assert_true(result.stop == NIGH_MINIMISE_TARGET && result.f <= 0.01 && result.f > 1e-12);
    problem.lower = low, problem.upper = high;
    assert_fails(ctx, nigh_minimise(ctx, &problem, NULL, x, NULL), NIGH_INVALID, "bounds of unknown 1 are 2 and 1");
    assert_fails(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.method = NIGH_MINIMISE_NEWTON}, x, NULL), NIGH_UNSUPPORTED, "no bounds");
    problem.lower = problem.upper = NULL, problem.hessian = NULL;
    assert_fails(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.method = NIGH_MINIMISE_NEWTON}, x, NULL), NIGH_INVALID, "hessian");
    assert_fails(ctx, nigh_minimise(ctx, &problem, &(nigh_minimise_options){.memory = -1}, x, NULL), NIGH_INVALID, "memory is -1");
    problem.n = 0;
    assert_fails(ctx, nigh_minimise(ctx, &problem, NULL, x, NULL), NIGH_INVALID, "n is 0");
    for (long fail_at = 1; fail_at < 4; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *poor = test_context_failing(&allocator);
        if (!poor) continue;
        task u = {.n = 2, .kind = ROSENBROCK};
        nigh_minimise_problem again = problem_of(&u);
        nigh_status status = nigh_minimise(poor, &again, NULL, x, NULL);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        test_context_free(poor);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_minima), cmocka_unit_test(nasty_lines), cmocka_unit_test(not_finite), cmocka_unit_test(active_sets),
        cmocka_unit_test(resumed), cmocka_unit_test(failing_callbacks), cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
