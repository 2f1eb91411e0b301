/* nigh/ode.h: observed orders, exact solutions, figures of SciPy (ode.py), continuous results, batches, failures. */
#include "support.h"

#include "nigh/ode.h"

#include <complex.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void pendulum(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    for (int64_t i = 0; i < count; i++) slope[2 * i] = y[2 * i + 1], slope[2 * i + 1] = -sin(y[2 * i]) - 0.1 * y[2 * i + 1] + 0.2 * cos(t[i]);
}

static const double times[5] = {0, 0.3, 1.7, 4, 10};
static const double exact[5][2] = {{1.2, -0.4},
                                   {1.049896089147822, -0.59693774849431336},
                                   {-0.17308595372736435, -0.94262209556793874},
                                   {-0.91950005491975828, 0.41406135959941676},
                                   {-0.96686863173110238, -0.60217902807249324}};
static const double scipy[5][2] = {{1.2, -0.40000000000000002},
                                   {1.0498961249115517, -0.59693804370965076},
                                   {-0.1730859787296794, -0.94262182034568387},
                                   {-0.91949915045393216, 0.41406142991008721},
                                   {-0.96686780361140623, -0.60217721120496392}};

/* A spec's run of one pendulum; returns the largest error at the end and, with `middle`, at the inner times. */
static double pendulum_error(nigh_context *ctx, const nigh_ode_spec *spec, double *middle, nigh_ode_report *report)
{
    nigh_ode *ode;
    double y[2] = {1.2, -0.4}, out[5][2], error = 0;
    assert_ok(ctx, nigh_ode_new(ctx, spec, &ode));
    void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
    assert_int_equal(nigh_ode_run(ode, pendulum, NULL, 0, 10, y, 5, times, out[0], report, work), NIGH_OK);
    assert_true(out[4][0] == y[0] && out[4][1] == y[1] && out[0][0] == 1.2);
    for (int c = 0; c < 2; c++) error = fmax(error, fabs(y[c] - exact[4][c]));
    *middle = 0;
    for (int k = 1; k < 4; k++)
        for (int c = 0; c < 2; c++) *middle = fmax(*middle, fabs(out[k][c] - exact[k][c]));
    nigh_free(ctx, work);
    nigh_ode_free(ode);
    return error;
}

static void test_orders(void **state)
{
    nigh_context *ctx = test_context_new();
    double middle[2], error[2];
    for (int method = 0; method < 2; method++) {
        for (int k = 0; k < 2; k++)
            error[k] = pendulum_error(ctx, &(nigh_ode_spec){.method = method, .n = 2, .batch = 1, .steps = (method ? 203 : 1001) << k}, &middle[k], NULL);
        assert_near(log2(error[0] / error[1]), method ? 4 : 2, method ? 0.15 : 0.05, 0);
        assert_true(log2(middle[0] / middle[1]) > (method ? 3.5 : 1.9));
    }
    /* A thousandth of the tolerance per step in five steps of order 5: error ~ tolerance, work ~ tolerance^(-1/5). */
    nigh_ode_report report[2];
    nigh_ode_spec spec = {.method = NIGH_ODE_DORMAND_PRINCE, .n = 2, .batch = 1, .relative = 1e-7, .absolute = 1e-7};
    error[0] = pendulum_error(ctx, &spec, &middle[0], &report[0]);
    spec.relative = spec.absolute = 1e-12;
    error[1] = pendulum_error(ctx, &spec, &middle[1], &report[1]);
    double work = (double)report[1].steps / (double)report[0].steps;
    assert_true(error[0] < 1e-5 && error[1] < 1e-10 && middle[1] < 1e-10);
    assert_near(work, 10, 2, 0);
    /* One step of either: the local errors of order 6 and, in the middle, 5. */
    for (int k = 0; k < 2; k++) {
        nigh_ode *ode;
        double y[2] = {1.2, -0.4}, h = 0.2 / (1 << k), half = 0.5 * h, out[2], z[2] = {1.2, -0.4};
        spec = (nigh_ode_spec){.method = NIGH_ODE_DORMAND_PRINCE, .n = 2, .batch = 1, .relative = 1, .absolute = 1, .first = h};
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        void *work_space = nigh_alloc(ctx, nigh_ode_workspace(ode));
        assert_int_equal(nigh_ode_run(ode, pendulum, NULL, 0, h, y, 1, &half, out, report, work_space), NIGH_OK);
        assert_true(report->steps == 1 && report->calls == 7);
        nigh_ode_free(ode);
        spec = (nigh_ode_spec){.method = NIGH_ODE_RK4, .n = 2, .batch = 1, .steps = 400};
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        assert_int_equal(nigh_ode_run(ode, pendulum, NULL, 0, half, z, 0, NULL, NULL, NULL, work_space), NIGH_OK);
        middle[k] = hypot(z[0] - out[0], z[1] - out[1]);
        assert_int_equal(nigh_ode_run(ode, pendulum, NULL, half, h, z, 0, NULL, NULL, NULL, work_space), NIGH_OK);
        error[k] = hypot(z[0] - y[0], z[1] - y[1]);
        nigh_free(ctx, work_space);
        nigh_ode_free(ode);
    }
    assert_near(log2(error[0] / error[1]), 6, 0.3, 0);
    assert_near(log2(middle[0] / middle[1]), 5, 0.3, 0);
    test_context_free(ctx);
}

/* The same pair, the same control: the same steps as SciPy's RK45, so nearly the same bits. */
static void test_scipy(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_ode_spec spec = {.method = NIGH_ODE_DORMAND_PRINCE, .n = 2, .batch = 1, .relative = 1e-6, .absolute = 1e-9};
    nigh_ode *ode;
    double y[2] = {1.2, -0.4}, out[5][2];
    nigh_ode_report report;
    assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
    void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
    assert_int_equal(nigh_ode_run(ode, pendulum, NULL, 0, 10, y, 5, times, out[0], &report, work), NIGH_OK);
    assert_int_equal(report.calls, 338);
    assert_int_equal(report.steps, 42);
    assert_int_equal(report.rejected, 14);
    for (int k = 0; k < 5; k++)
        for (int c = 0; c < 2; c++) assert_near(out[k][c], scipy[k][c], 1e-11, 0);
    nigh_free(ctx, work);
    nigh_ode_free(ode);
    test_context_free(ctx);
}

/* y' = -rate[which] y + t: exact, with a rate for each trajectory. */
static void relax(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    const double *rate = user;
    for (int64_t i = 0; i < count; i++) slope[i] = -rate[which[i]] * y[i] + t[i];
}

static double relaxed(double rate, double y, double t) { return t / rate - 1 / (rate * rate) + (y + 1 / (rate * rate)) * exp(-rate * t); }

static void test_batch(void **state)
{
    enum { B = 7 };
    nigh_context *ctx = test_context_new();
    double rate[B], y[B], alone[B], out[3 * B], time[3] = {0.5, 1, 2};
    for (int i = 0; i < B; i++) rate[i] = 0.3 * pow(2.5, i);
    for (int method = 0; method < 3; method++) {
        nigh_ode_spec spec = {.method = method, .n = 1, .batch = B, .steps = method < 2 ? 4000 : 0, .relative = 1e-10, .absolute = 1e-12};
        nigh_ode_report report[B], one;
        nigh_ode *ode;
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
        for (int i = 0; i < B; i++) y[i] = 1 + i;
        assert_int_equal(nigh_ode_run(ode, relax, rate, 0, 2, y, 3, time, out, report, work), NIGH_OK);
        assert_ok(ctx, nigh_ode_explain(ctx, B, report));
        double tolerance = method ? 2e-8 : 4e-3;
        for (int i = 0; i < B; i++) {
            for (int k = 0; k < 3; k++) assert_near(out[k * B + i], relaxed(rate[i], 1 + i, time[k]), tolerance, 0);
            assert_true(report[i].end == NIGH_ODE_DONE && report[i].t == 2 && out[2 * B + i] == y[i]);
            if (method == 2 && i) assert_true(report[i].steps > report[i - 1].steps / 2);
        }
        /* And back again. */
        if (method < 2) {
            assert_int_equal(nigh_ode_run(ode, relax, rate, 2, 0, y, 0, NULL, NULL, NULL, work), NIGH_OK);
            for (int i = 0; i < 3; i++) assert_near(y[i], 1 + i, method ? 1e-7 : 1e-3, 0);
        }
        nigh_ode_free(ode);
        /* Each alone has the same bits. */
        spec.batch = 1;
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        for (int i = 0; i < B; i++) {
            alone[i] = 1 + i;
            assert_int_equal(nigh_ode_run(ode, relax, &rate[i], 0, 2, &alone[i], 3, time, y, &one, work), NIGH_OK);
            assert_true(alone[i] == out[2 * B + i] && one.calls == report[i].calls);
        }
        nigh_ode_free(ode);
        nigh_free(ctx, work);
    }
    test_context_free(ctx);
}

/* y' = y^2 blows up at t = 1 / y(0); trajectory 2 has no value of f from t = 0.5 on. */
static void blows(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    for (int64_t i = 0; i < count; i++) slope[i] = which[i] == 2 && t[i] >= 0.5 ? NAN : which[i] == 1 ? y[i] * y[i] : -y[i];
}

static void test_failures(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_ode *ode = NULL;
    nigh_ode_report report[4];
    double out[4], time = 2;
    for (int method = 1; method < 3; method++) {
        double y[4] = {1, 1, 1, NAN};
        nigh_ode_spec spec = {.method = method, .n = 1, .batch = 4, .steps = method == 1 ? 100 : 0, .relative = 1e-8};
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
        assert_int_equal(nigh_ode_run(ode, blows, NULL, 0, 2, y, 1, &time, out, report, work), NIGH_FAILED);
        assert_near(y[0], exp(-2), 1e-6, 0);
        assert_true(out[0] == y[0] && isnan(out[1]) && isnan(out[2]) && isfinite(y[1]) && isfinite(y[2]) && isnan(y[3]));
        assert_true(report[0].end == NIGH_ODE_DONE && report[2].end == NIGH_ODE_NOT_FINITE && report[3].end == NIGH_ODE_NOT_FINITE);
        if (method == 1) assert_true(report[1].end == NIGH_ODE_NOT_FINITE && report[1].t > 1);
        if (method == 2) assert_true(report[1].end != NIGH_ODE_DONE && fabs(report[1].t - 1) < 1e-6 && fabs(report[2].t - 0.5) < 1e-9);
        assert_fails(ctx, nigh_ode_explain(ctx, 4, report), method == 1 ? NIGH_FAILED : NIGH_UNMET, "trajectory 1 of 4");
        assert_int_equal(nigh_ode_run(ode, blows, NULL, 0, NAN, y, 0, NULL, NULL, NULL, work), NIGH_INVALID);
        assert_int_equal(nigh_ode_run(ode, blows, NULL, 0, 1, y, 1, &time, out, NULL, work), NIGH_INVALID);
        assert_int_equal(nigh_ode_run(ode, blows, NULL, 1, 1, y, 0, NULL, NULL, report, work), NIGH_FAILED);
        assert_true(report[0].end == NIGH_ODE_DONE && fabs(y[0] - exp(-2)) < 1e-6);
        nigh_free(ctx, work);
        nigh_ode_free(ode);
    }
    nigh_ode_spec few = {.method = NIGH_ODE_DORMAND_PRINCE, .n = 1, .batch = 1, .relative = 1e-12, .steps = 5};
    assert_ok(ctx, nigh_ode_new(ctx, &few, &ode));
    double y = 1, rate = 1;
    void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
    assert_int_equal(nigh_ode_run(ode, relax, &rate, 0, 2, &y, 0, NULL, NULL, report, work), NIGH_RESOURCE);
    assert_fails(ctx, nigh_ode_explain(ctx, 1, report), NIGH_RESOURCE, "too many steps");
    nigh_free(ctx, work);
    nigh_ode_free(ode);
    assert_fails(ctx, nigh_ode_new(ctx, &(nigh_ode_spec){.method = 3, .n = 1, .batch = 1}, &ode), NIGH_INVALID, "method 3");
    assert_fails(ctx, nigh_ode_new(ctx, &(nigh_ode_spec){.n = 0, .batch = 1}, &ode), NIGH_INVALID, "of 0 numbers");
    assert_fails(ctx, nigh_ode_new(ctx, &(nigh_ode_spec){.n = 1, .batch = 1}, &ode), NIGH_INVALID, "0 steps");
    few.relative = 1e-15;
    assert_fails(ctx, nigh_ode_new(ctx, &few, &ode), NIGH_INVALID, "1e-15");
    few.relative = 0;
    assert_fails(ctx, nigh_ode_new(ctx, &few, &ode), NIGH_INVALID, "relative tolerance is 0");
    test_context_free(ctx);
    test_allocator allocator = {.fail_at = 2};
    ctx = test_context_failing(&allocator);
    few.relative = 1e-3;
    assert_fails(ctx, nigh_ode_new(ctx, &few, &ode), NIGH_MEMORY, "");
    nigh_context_free(ctx);
}

/* ---- exponential steps -------------------------------------------------------------------------------------------------------------- */

/* phi_k(z) = sum z^j / (j + k)!: Q = phi_1(z/2) / 2, f1 = phi_1 - 3 phi_2 + 4 phi_3, f2 = 2 phi_2 - 4 phi_3, f3 = 4 phi_3 - phi_2. */
static double complex phi(int k, double complex z)
{
    double complex term = 1, sum = 0;
    for (int j = 1; j <= k; j++) term /= j;
    for (int j = 0; j < 200; j++) sum += term, term *= z / (j + k + 1);
    return sum;
}

static void test_coefficients(void **state)
{
    static const double parts[][2] = {{0, 0}, {-1e-9, 0}, {-0.9, 0}, {-1, 0}, {-1.1, 0}, {-1.999, 0}, {-2.1, 0}, {1, 0}, {0, 1}, {0, 3}, {-1, 1}, {-2, 2.5}, {3, -4}};
    double out[12];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        double complex z = parts[i][0] + I * parts[i][1], p1 = phi(1, z), p2 = phi(2, z), p3 = phi(3, z);
        double complex want[6] = {cexp(z), cexp(z / 2), phi(1, z / 2) / 2, p1 - 3 * p2 + 4 * p3, 2 * p2 - 4 * p3, 4 * p3 - p2};
        nigh_etdrk4_coefficients(creal(z), cimag(z), out);
        for (int k = 0; k < 6; k++) {
            assert_near(out[2 * k], creal(want[k]), 2e-14 * (1 + exp(creal(z))), 0);
            assert_near(out[2 * k + 1], cimag(want[k]), 2e-14 * (1 + exp(creal(z))), 0);
        }
    }
    /* Far out on the negative axis Q ~ -1/z, f1 ~ -1/z - 3/z^2 - 4/z^3; on both sides of the change of formula. */
    for (double z = -15.9999; z > -1e6; z *= 1.7) {
        nigh_etdrk4_coefficients(z, 0, out);
        assert_near(out[4], (exp(z / 2) - 1) / z, 0, 1e-13);
        assert_near(out[6], (-4 - z + exp(z) * (4 - 3 * z + z * z)) / (z * z * z), 0, 1e-12);
    }
    nigh_etdrk4_coefficients(-1e8, 0, out);
    assert_true(out[0] == 0 && out[2] == 0 && out[5] == 0);
    assert_near(out[4], 1e-8, 0, 1e-14);
}

/* u' = L u + N with N = cos t - (L + ..) chosen so that u = sin t + c of mode j is exact; also through u^2. */
typedef struct made {
    int n;
    const double *linear;
} made;

static void made_up(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    const made *m = user;
    for (int64_t i = 0; i < count; i++)
        for (int j = 0; j < m->n; j++) {
            double u = sin(t[i]), v = y[i * m->n + j];
            slope[i * m->n + j] = cos(t[i]) - m->linear[j] * u + 0.5 * (v * v - u * u);
        }
}

static double made_error(nigh_context *ctx, const made *m, int64_t steps)
{
    enum { B = 2 };
    double y[16] = {0}, error = 0;
    nigh_etd *etd;
    nigh_ode_report report[B];
    assert_ok(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){m->n, B, false, m->linear, 2.0 / (double)steps}, &etd));
    void *work = nigh_alloc(ctx, nigh_etd_workspace(etd));
    assert_int_equal(nigh_etd_run(etd, made_up, (void *)m, 0, steps, y, report, work), NIGH_OK);
    assert_true(report[1].calls == 4 * steps && report[1].steps == steps && fabs(report[1].t - 2) < 1e-12);
    for (int i = 0; i < B * m->n; i++) error = fmax(error, fabs(y[i] - sin(2)));
    nigh_free(ctx, work);
    nigh_etd_free(etd);
    return error;
}

static void test_etd(void **state)
{
    nigh_context *ctx = test_context_new();
    const double gentle[3] = {0, -1, 0.5}, stiff[3] = {-1e3, -1e5, -1e9};
    made mild = {3, gentle}, hard = {3, stiff};
    assert_near(log2(made_error(ctx, &mild, 20) / made_error(ctx, &mild, 40)), 4, 0.2, 0);
    /* Stiff modes: no step is too large, and the error does not grow with the stiffness. */
    assert_true(made_error(ctx, &hard, 20) < 1e-4);
    assert_true(made_error(ctx, &hard, 200) < 1e-7);
    test_context_free(ctx);
}

static void nothing(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    memset(slope, 0, (size_t)count * *(const size_t *)user * sizeof *slope);
}

/* u' = i omega u - i |u|^2 u keeps |u|: u = a exp(i (omega - a^2) t). */
static void rotate(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    for (int64_t i = 0; i < 2 * count; i++) {
        double square = y[2 * i] * y[2 * i] + y[2 * i + 1] * y[2 * i + 1];
        slope[2 * i] = square * y[2 * i + 1], slope[2 * i + 1] = -square * y[2 * i];
    }
}

static void test_etd_complex(void **state)
{
    nigh_context *ctx = test_context_new();
    const double linear[4] = {-0.2, 3, 0, 40}, waves[4] = {0, 3, 0, 40};
    double y[8] = {1, 0, 0, 2, 0.5, 0.5, -1, 0}, error[2];
    size_t row = 4;
    nigh_etd *etd;
    assert_ok(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){2, 2, true, linear, 0.25}, &etd));
    void *work = nigh_alloc(ctx, nigh_etd_workspace(etd));
    assert_int_equal(nigh_etd_run(etd, nothing, &row, 0, 8, y, NULL, work), NIGH_OK);
    const double complex begin[4] = {1, 2 * I, 0.5 + 0.5 * I, -1};
    for (int i = 0; i < 4; i++) {
        double complex want = begin[i] * cexp(2 * (linear[2 * (i % 2)] + I * linear[2 * (i % 2) + 1]));
        assert_near(y[2 * i], creal(want), 1e-13, 0);
        assert_near(y[2 * i + 1], cimag(want), 1e-13, 0);
    }
    nigh_etd_free(etd);
    for (int k = 0; k < 2; k++) {
        double z[8] = {1, 0, 0.5, 0, 0, 1.5, 1, 0};
        const double size[4] = {1, 0.5, 1.5, 1}, angle[4] = {0, 0, M_PI / 2, 0};
        assert_ok(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){2, 2, true, waves, 0.01 / (1 << k)}, &etd));
        assert_int_equal(nigh_etd_run(etd, rotate, NULL, 0, 100 << k, z, NULL, work), NIGH_OK);
        error[k] = 0;
        for (int i = 0; i < 4; i++) error[k] = fmax(error[k], cabs(z[2 * i] + I * z[2 * i + 1] - size[i] * cexp(I * (angle[i] + waves[2 * (i % 2) + 1] - size[i] * size[i]))));
        nigh_etd_free(etd);
    }
    assert_near(log2(error[0] / error[1]), 4, 0.2, 0);
    double bad[4] = {1, 0, NAN, 0};
    assert_ok(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){1, 2, true, waves, 0.25}, &etd));
    nigh_ode_report report[2];
    assert_int_equal(nigh_etd_run(etd, rotate, NULL, 0, 0, bad, report, work), NIGH_FAILED);
    assert_true(report[0].end == NIGH_ODE_DONE && report[1].end == NIGH_ODE_NOT_FINITE);
    assert_int_equal(nigh_etd_run(etd, rotate, NULL, 0, -1, bad, report, work), NIGH_INVALID);
    nigh_etd_free(etd);
    nigh_free(ctx, work);
    const double growing = 1000;
    assert_fails(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){1, 1, false, &growing, 1}, &etd), NIGH_INVALID, "L = 1000");
    assert_fails(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){1, 1, false, &growing, 0}, &etd), NIGH_INVALID, "step is 0");
    assert_fails(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){0, 1, false, &growing, 0}, &etd), NIGH_INVALID, "0 modes");
    test_context_free(ctx);
    for (long fail = 2; fail < 4; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        assert_fails(ctx, nigh_etd_new(ctx, &(nigh_etd_spec){2, 1, true, waves, 1}, &etd), NIGH_MEMORY, "");
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

/* ---- two threads, one stepper ---------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const nigh_ode *ode;
    void *work;
    double y[2];
} job;

static void *run_job(void *user)
{
    job *j = user;
    for (int k = 0; k < 20; k++) {
        j->y[0] = 1.2, j->y[1] = -0.4;
        nigh_ode_run(j->ode, pendulum, NULL, 0, 10, j->y, 0, NULL, NULL, NULL, j->work);
    }
    return NULL;
}

static void test_threads(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_ode *ode;
    pthread_t thread[2];
    job jobs[2];
    assert_ok(ctx, nigh_ode_new(ctx, &(nigh_ode_spec){.method = NIGH_ODE_DORMAND_PRINCE, .n = 2, .batch = 1, .relative = 1e-6, .absolute = 1e-9}, &ode));
    for (int k = 0; k < 2; k++) jobs[k] = (job){ode, nigh_alloc(ctx, nigh_ode_workspace(ode)), {0}};
    for (int k = 0; k < 2; k++) assert_int_equal(pthread_create(&thread[k], NULL, run_job, &jobs[k]), 0);
    for (int k = 0; k < 2; k++) pthread_join(thread[k], NULL);
    assert_memory_equal(jobs[0].y, jobs[1].y, sizeof jobs[0].y);
    assert_near(jobs[0].y[0], exact[4][0], 1e-5, 0);
    for (int k = 0; k < 2; k++) nigh_free(ctx, jobs[k].work);
    nigh_ode_free(ode);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders), cmocka_unit_test(test_scipy), cmocka_unit_test(test_batch), cmocka_unit_test(test_failures),
        cmocka_unit_test(test_coefficients), cmocka_unit_test(test_etd), cmocka_unit_test(test_etd_complex), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
