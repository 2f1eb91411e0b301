/*
 * Equations in time: exact solutions (Cole and Hopf, soliton, decaying vortices, logistic growth, single modes), Galerkin sums written out and integrated by nigh/ode.h, observed orders,
 * invariants, two grids, CPU levels, bad input.
 */
#include "support.h"

#include "nigh/ode.h"
#include "nigh/pde.h"
#include "operator/pde_spectral.h"
#include "operator/pde_vorticity.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;

static double relative(int64_t n, const double *a, const double *b)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n; i++) difference += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
    return sqrt(difference / size);
}

/* out = an equation's answer to in; effort -1: exact. */
static void solve(const char *equation, int64_t grid, const char *settings, int effort, const double *in, double *out)
{
    nigh_pde_solver *solver;
    assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = equation, .grid = grid, .settings = settings}, effort, &solver));
    void *room = nigh_alloc(ctx, nigh_pde_solver_workspace(solver));
    memset(room, 0xff, nigh_pde_solver_workspace(solver));
    nigh_pde_solve(solver, in, out, room);
    nigh_free(ctx, room);
    nigh_pde_solver_free(solver);
}

/* ---- exact solutions ----------------------------------------------------------------------------------------------------------------- */

/* u = -2 nu phi_x / phi, phi_t = nu phi_xx: for u(0) = mean + sum of cosines the integrals are sums over many points. */
static void cole_hopf(int64_t n, double nu, double time, double mean, double (*value)(double), double (*integral)(double), double *in, double *out)
{
    enum { FINE = 4096, MODES = 400 };
    static double phi[FINE], re[MODES + 1], im[MODES + 1];
    for (int i = 0; i < FINE; i++) phi[i] = exp(-integral((double)i / FINE) / (2 * nu));
    for (int k = 0; k <= MODES; k++) {
        re[k] = im[k] = 0;
        for (int i = 0; i < FINE; i++) {
            double angle = 2 * M_PI * (double)((int64_t)k * i % FINE) / FINE;
            re[k] += phi[i] * cos(angle), im[k] -= phi[i] * sin(angle);
        }
    }
    for (int64_t i = 0; i < n; i++) {
        double x = (double)i / (double)n - mean * time, sum = re[0], slope = 0;
        in[i] = mean + value((double)i / (double)n);
        for (int k = 1; k <= MODES; k++) {
            double decay = 2 * exp(-4 * M_PI * M_PI * nu * k * k * time), angle = 2 * M_PI * k * x;
            if (decay < 1e-30) break;
            sum += decay * (re[k] * cos(angle) - im[k] * sin(angle));
            slope -= decay * 2 * M_PI * k * (re[k] * sin(angle) + im[k] * cos(angle));
        }
        out[i] = mean - 2 * nu * slope / sum;
    }
}

static double wave_value(double x) { return 0.6 * cos(2 * M_PI * x) + 0.3 * sin(4 * M_PI * x) - 0.2 * cos(6 * M_PI * x + 1); }
static double wave_integral(double x) { return 0.6 * sin(2 * M_PI * x) / (2 * M_PI) - 0.3 * cos(4 * M_PI * x) / (4 * M_PI) - 0.2 * sin(6 * M_PI * x + 1) / (6 * M_PI); }

static void test_burgers(void **state)
{
    enum { N = 512 };
    double in[N], exact[N], out[N], last = INFINITY;
    cole_hopf(N, 0.01, 1, 0.7, wave_value, wave_integral, in, exact);
    solve("burgers", N, NULL, -1, in, out);
    assert_true(relative(N, out, exact) < 2e-8);
    for (int64_t n = 16; n <= 128; n *= 2) { /* the error of the grid falls faster than any power */
        cole_hopf(n, 0.01, 1, 0.7, wave_value, wave_integral, in, exact);
        solve("burgers", n, NULL, -1, in, out);
        double error = relative(n, out, exact);
        if (n == 16) assert_true(error < 0.2);
        else assert_true(error < (n == 32 ? 0.2 : 0.02) * last);
        last = error;
    }
    for (int effort = 0; effort < 7; effort++) {
        cole_hopf(N, 0.01, 1, 0.7, wave_value, wave_integral, in, exact);
        solve("burgers", N, NULL, effort, in, out);
        assert_true(relative(N, out, exact) < 1e-2 * pow(0.1, effort));
    }
}

/* 3 c / cosh^2 (sqrt c / 2 (x - c t)) of u_t + u u_x + u_xxx = 0; its tails are below 1e-14 at the seam. */
static double soliton(double c, double x)
{
    double s = cosh(0.5 * sqrt(c) * x);
    return 3 * c / (s * s);
}

static void invariants(int64_t n, double length, const double *u, double out[3])
{
    out[0] = out[1] = out[2] = 0;
    for (int64_t i = 0; i < n; i++) {
        double slope = 0; /* of order 8 */
        static const double weight[4] = {0.8, -0.2, 4.0 / 105, -1.0 / 280};
        for (int64_t k = 1; k <= 4; k++) slope += weight[k - 1] * (u[(i + k) % n] - u[(i - k + n) % n]) * (double)n / length;
        out[0] += u[i] / (double)n, out[1] += u[i] * u[i] / (double)n, out[2] += (u[i] * u[i] * u[i] / 3 - slope * slope) / (double)n;
    }
}

static void test_korteweg_de_vries(void **state)
{
    enum { N = 512 };
    double in[N], exact[N], out[N], before[3], after[3];
    for (int i = 0; i < N; i++) {
        double x = 64.0 * i / N;
        in[i] = 0.2 + soliton(1.2, x - 20), exact[i] = 0.2 + soliton(1.2, x - 44 - 4);
    }
    solve("korteweg-de-vries", N, NULL, -1, in, out);
    assert_true(relative(N, out, exact) < 1e-6);
    /* Two that pass through each other. */
    for (int i = 0; i < N; i++) in[i] = soliton(1.5, 64.0 * i / N - 16) + soliton(0.7, 64.0 * i / N - 30);
    solve("korteweg-de-vries", N, "time=30", -1, in, out);
    invariants(N, 64, in, before), invariants(N, 64, out, after);
    for (int i = 0; i < 3; i++) assert_near(after[i], before[i], 0, i == 2 ? 1e-5 : 1e-6);
}

static void test_reactions(void **state)
{
    enum { N = 64 };
    double in[N], out[N];
    for (int i = 0; i < N; i++) in[i] = 0.2;
    solve("fisher-kpp", N, NULL, -1, in, out);
    double grown = 0.2 * exp(2) / (1 + 0.2 * (exp(2) - 1));
    for (int i = 0; i < N; i++) assert_near(out[i], grown, 1e-7, 0);
    solve("allen-cahn", N, NULL, -1, in, out); /* u / sqrt(u^2 + (1 - u^2) exp(-2 r t)) */
    double parted = 0.2 / sqrt(0.04 + 0.96 * exp(-10));
    for (int i = 0; i < N; i++) assert_near(out[i], parted, 1e-7, 0);
    for (int i = 0; i < N; i++) in[i] = 0.5 + cos(2 * M_PI * 3 * i / N) - 2 * sin(2 * M_PI * 7 * i / N);
    solve("advection-diffusion", N, "speed=0.3,diffusion=0.002,time=1.5", -1, in, out);
    for (int i = 0; i < N; i++) {
        double x = (double)i / N - 0.45, a = exp(-0.003 * 4 * M_PI * M_PI * 9), b = exp(-0.003 * 4 * M_PI * M_PI * 49);
        assert_near(out[i], 0.5 + a * cos(2 * M_PI * 3 * x) - 2 * b * sin(2 * M_PI * 7 * x), 1e-14, 0);
    }
}

/* ---- sums written out ------------------------------------------------------------------------------------------------------------------ */

/* Modes -K .. K of a real field of n points, and back. */
static void to_modes(int64_t n, int most, const double *u, double complex *z)
{
    for (int k = -most; k <= most; k++) {
        z[k + most] = 0;
        for (int64_t j = 0; j < n; j++) z[k + most] += u[j] * cexp(-2 * M_PI * I * (double)(k * j) / (double)n) / (double)n;
    }
}

typedef struct sums {
    int most, degree;
    double complex linear[64], gain[64];
} sums;

/* Slopes of u_t = L u + g u^degree by convolutions of coefficients. */
static void sum_slopes(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    const sums *s = user;
    const double complex *u = (const double complex *)y;
    double complex *out = (double complex *)slope, twice[256] = {0}, power[256] = {0};
    int m = s->most;
    for (int a = -m; a <= m; a++)
        for (int b = -m; b <= m; b++) twice[a + b + 2 * m] += u[a + m] * u[b + m];
    for (int k = -m; k <= m; k++)
        for (int a = -2 * m; a <= 2 * m && s->degree == 3; a++)
            if (abs(k - a) <= m) power[k + m] += twice[a + 2 * m] * u[k - a + m];
    for (int k = -m; k <= m; k++) {
        double complex l = s->linear[abs(k)], g = s->gain[abs(k)], p = s->degree == 3 ? power[k + m] : twice[k + 2 * m];
        out[k + m] = (k < 0 ? conj(l) : l) * u[k + m] + (k < 0 ? conj(g) : g) * p;
    }
}

static void check_sums(const char *equation, int64_t n, const char *settings, double time, const sums *s, double tolerance)
{
    double in[128], out[128];
    double complex z[128];
    nigh_ode *ode;
    nigh_ode_report report;
    for (int64_t i = 0; i < n; i++) {
        double x = 2 * M_PI * (double)i / (double)n;
        in[i] = 1.1 + 0.3 * cos(x) - 0.5 * sin(2 * x + 1) + 0.2 * cos(3 * x);
    }
    to_modes(n, s->most, in, z);
    nigh_ode_spec spec = {.method = NIGH_ODE_DORMAND_PRINCE, .n = 2 * (2 * s->most + 1), .batch = 1, .relative = 1e-10, .absolute = 1e-12, .steps = 1000000};
    assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
    void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
    assert_int_equal(nigh_ode_run(ode, sum_slopes, (void *)s, 0, time, (double *)z, 0, NULL, NULL, &report, work), NIGH_OK);
    nigh_free(ctx, work);
    nigh_ode_free(ode);
    solve(equation, n, settings, -1, in, out);
    for (int64_t i = 0; i < n; i++) {
        double complex sum = 0;
        for (int k = -s->most; k <= s->most; k++) sum += z[k + s->most] * cexp(2 * M_PI * I * (double)(k * i) / (double)n);
        if (!(fabs(out[i] - creal(sum)) < tolerance)) fail_msg("%s, %lld points: %.10g, not %.10g", equation, (long long)n, out[i], creal(sum));
    }
}

static void test_sums(void **state)
{
    static const int64_t sizes[] = {24, 32, 34}; /* 34: twice a prime */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        sums s = {.most = (int)(n - 1) / 3, .degree = 2};
        for (int k = 0; k <= s.most; k++) s.linear[k] = -0.01 * 4 * M_PI * M_PI * k * k, s.gain[k] = -I * M_PI * k;
        check_sums("burgers", n, NULL, 1, &s, 1e-7);
        for (int k = 0; k <= s.most; k++) s.linear[k] = 3 - 0.01 * 4 * M_PI * M_PI * k * k, s.gain[k] = -3;
        check_sums("fisher-kpp", n, "diffusion=0.01,rate=3,time=0.5", 0.5, &s, 1e-6);
        for (int k = 0; k <= s.most; k++) {
            double wave = 2 * M_PI * k / 20;
            s.linear[k] = I * wave * wave * wave, s.gain[k] = -0.5 * I * wave;
        }
        check_sums("korteweg-de-vries", n, "length=20,time=5", 5, &s, 1e-6);
        s = (sums){.most = (int)(n - 1) / 4, .degree = 3};
        for (int k = 0; k <= s.most; k++) s.linear[k] = 5 - 0.001 * 4 * M_PI * M_PI * k * k, s.gain[k] = -5;
        check_sums("allen-cahn", n, "time=0.5", 0.5, &s, 1e-6);
    }
    sums s = {.most = 13, .degree = 2};
    for (int k = 0; k <= s.most; k++) {
        double wave = 2 * M_PI * k / 22;
        s.linear[k] = wave * wave - wave * wave * wave * wave, s.gain[k] = -0.5 * I * wave;
    }
    check_sums("kuramoto-sivashinsky", 40, "length=22,time=5", 5, &s, 1e-6);
}

/* ---- vorticity ------------------------------------------------------------------------------------------------------------------------- */

static double complex field_mode(int k, int l) { return k || l ? cexp(I * (1.3 * k * k + 2.1 * l)) / (1 + 2 * (k * k + l * l)) : 0.2; }

/* A smooth field with modes up to 3. */
static double flow_value(double x, double y)
{
    double sum = 0.2;
    for (int k = -3; k <= 3; k++)
        for (int l = 0; l <= 3; l++)
            if (l || k > 0) sum += 2 * creal(field_mode(k, l) * cexp(2 * M_PI * I * (k * x + l * y)));
    return sum;
}

static void flow_field(int64_t n, double *w)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) w[i * n + j] = flow_value((double)i / (double)n, (double)j / (double)n);
}

typedef struct flow_sums {
    int most;
    double viscosity;
} flow_sums;

/* -(u w_x + v w_y) + nu Laplace w + f of modes [2 most + 1]^2, as it stands: u = psi_y, v = -psi_x, psi = w / |2 pi k|^2. */
static void flow_slopes(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope)
{
    const flow_sums *s = user;
    int m = s->most, size = 2 * m + 1;
    const double complex *w = (const double complex *)y;
    double complex *out = (double complex *)slope;
    for (int k = -m; k <= m; k++)
        for (int l = -m; l <= m; l++) {
            double complex sum = 0;
            for (int a = -m; a <= m; a++)
                for (int b = -m; b <= m; b++) {
                    int c = k - a, d = l - b;
                    if (abs(c) > m || abs(d) > m || (!a && !b)) continue;
                    sum += (double)(b * c - a * d) / (double)(a * a + b * b) * w[(a + m) * size + b + m] * w[(c + m) * size + d + m];
                }
            /* (i b)(i c) - (i a)(i d) = a d - b c; minus that is the transport's sign. */
            out[(k + m) * size + l + m] = sum - s->viscosity * 4 * M_PI * M_PI * (k * k + l * l) * w[(k + m) * size + l + m];
        }
    out[(m + 1) * size + m + 1] += 0.05 - 0.05 * I;
    out[(m - 1) * size + m - 1] += 0.05 + 0.05 * I;
}

static void test_flow_sums(void **state)
{
    static const int64_t sizes[] = {13, 16, 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        flow_sums s = {(int)(n - 1) / 3, 1e-3};
        int m = s.most, size = 2 * m + 1;
        double w[400], out[400], error = 0;
        double complex z[256];
        flow_field(n, w);
        for (int k = -m; k <= m; k++)
            for (int l = -m; l <= m; l++) z[(k + m) * size + l + m] = abs(k) > 3 || abs(l) > 3 ? 0 : l > 0 || (l == 0 && k >= 0) ? field_mode(k, l) : conj(field_mode(-k, -l));
        nigh_ode_spec spec = {.method = NIGH_ODE_RK4, .n = 2 * size * size, .batch = 1, .steps = 300};
        nigh_ode *ode;
        assert_ok(ctx, nigh_ode_new(ctx, &spec, &ode));
        void *work = nigh_alloc(ctx, nigh_ode_workspace(ode));
        assert_int_equal(nigh_ode_run(ode, flow_slopes, &s, 0, 1, (double *)z, 0, NULL, NULL, NULL, work), NIGH_OK);
        nigh_free(ctx, work);
        nigh_ode_free(ode);
        solve("navier-stokes", n, NULL, -1, w, out);
        for (int64_t p = 0; p < n * n; p++) {
            double complex sum = 0;
            for (int k = -m; k <= m; k++)
                for (int l = -m; l <= m; l++) sum += z[(k + m) * size + l + m] * cexp(2 * M_PI * I * (double)(k * (p / n) + l * (p % n)) / (double)n);
            error = fmax(error, fabs(out[p] - creal(sum)));
        }
        if (!(error < 1e-6)) fail_msg("%lld points: %g", (long long)n, error);
        solve("navier-stokes", n, NULL, 2, w, w);
        for (int64_t p = 0; p < n * n; p++) assert_near(w[p], out[p], 1e-2, 0);
    }
}

/* steps of equal size of the flow, f64. */
static void flow_run(int64_t n, double viscosity, const double force[2], double time, int64_t steps, const double *in, double *out)
{
    vorticity *v;
    assert_ok(ctx, vorticity_new(ctx, &(vorticity_spec){NIGH_F64, n, viscosity, {force[0], force[1]}, time, steps, 0}, &v));
    void *room = nigh_alloc(ctx, vorticity_workspace(v));
    vorticity_run(v, 1, in, out, room);
    nigh_free(ctx, room);
    vorticity_free(v);
}

static void test_flow(void **state)
{
    enum { N = 48 };
    static double w[N * N], out[3][N * N];
    const double none[2] = {0, 0}, force[2] = {0.05, -0.05};
    /* Vortices that only decay (Taylor and Green). */
    for (int p = 0; p < N * N; p++) w[p] = 3 * cos(2 * M_PI * (p / N) / N) * cos(2 * M_PI * (p % N) / N) + 0.5;
    flow_run(N, 0.01, none, 1, 16, w, out[0]);
    for (int p = 0; p < N * N; p++) assert_near(out[0][p], 0.5 + exp(-0.08 * M_PI * M_PI) * (w[p] - 0.5), 1e-13, 0);
    /* Order 4. */
    flow_field(N, w);
    for (int64_t k = 0; k < 3; k++) flow_run(N, 1e-3, force, 2, k == 2 ? 512 : 32 << k, w, out[k]);
    double order = log2(relative(N * N, out[0], out[2]) / relative(N * N, out[1], out[2]));
    assert_near(order, 4, 0.2, 0);
    /* The mean stays; without viscosity and force so do energy and enstrophy. */
    double mean[2] = {0}, square[2] = {0};
    flow_run(N, 1e-14, none, 2, 256, w, out[0]);
    for (int p = 0; p < N * N; p++) mean[0] += w[p], mean[1] += out[0][p], square[0] += w[p] * w[p], square[1] += out[0][p] * out[0][p];
    assert_near(mean[1], mean[0], 0, 1e-12);
    assert_near(square[1], square[0], 0, 1e-8);
    assert_true(relative(N * N, out[0], w) > 0.1);
}

/* Each level of the CPU that there is, and f32, give the same but for rounding. */
static void test_levels(void **state)
{
    enum { N = 40 };
    static const vorticity_kernels *const flows[] = {vorticity_scalar, vorticity_avx2, vorticity_avx512};
    static double w[N * N], out[2][N * N];
    flow_field(N, w);
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int single = 0; single < 2; single++) {
            vorticity *v;
            assert_ok(ctx, vorticity_new(ctx, &(vorticity_spec){single ? NIGH_F32 : NIGH_F64, N, 1e-3, {0.05, -0.05}, 1, 16, 0}, &v));
            v->kernels = &flows[level][!single];
            void *room = nigh_alloc(ctx, vorticity_workspace(v));
            memset(room, 0xff, vorticity_workspace(v));
            vorticity_run(v, 1, w, out[level || single], room);
            if (level || single) assert_true(relative(N * N, out[1], out[0]) < (single ? 1e-5 : 1e-13));
            nigh_free(ctx, room);
            vorticity_free(v);
        }
}

static void line_symbol(const void *user, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = -0.01 * wave * wave, linear[1] = 0.0001 * wave * wave * wave, gain[0] = 0, gain[1] = -0.5 * wave;
}

static void test_lines(void **state)
{
    enum { N = 96 };
    static const spectral_kernels *const lines[] = {spectral_scalar, spectral_avx2, spectral_avx512};
    double in[N], out[3][N];
    for (int i = 0; i < N; i++) in[i] = wave_value((double)i / N);
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int single = 0; single < 2; single++) {
            spectral *s;
            assert_ok(ctx, spectral_new(ctx, &(spectral_spec){single ? NIGH_F32 : NIGH_F64, N, 2, 1 / 64., 1, line_symbol, NULL}, &s));
            s->kernels = &lines[level][!single];
            void *room = nigh_alloc(ctx, spectral_workspace(s));
            memset(room, 0xff, spectral_workspace(s));
            spectral_run(s, 0, 64, 0, in, out[level || single], room);
            if (level || single) assert_true(relative(N, out[1], out[0]) < (single ? 1e-5 : 1e-12));
            nigh_free(ctx, room);
            spectral_free(s);
        }
    spectral *s; /* levels halve the step; order 4 */
    assert_ok(ctx, spectral_new(ctx, &(spectral_spec){NIGH_F64, N, 2, 1 / 32., 6, line_symbol, NULL}, &s));
    void *room = nigh_alloc(ctx, spectral_workspace(s));
    spectral_run(s, 0, 32, 0, in, out[0], room);
    spectral_run(s, 1, 64, 0, in, out[1], room);
    spectral_run(s, 5, 1024, 0, in, out[2], room);
    assert_near(log2(relative(N, out[0], out[2]) / relative(N, out[1], out[2])), 4, 0.2, 0);
    nigh_free(ctx, room);
    spectral_free(s);
}

/* ---- problems ---------------------------------------------------------------------------------------------------------------------------- */

/* Drawn on two grids: the same functions, and the same answers where both grids resolve them. */
static void test_two_grids(void **state)
{
    static const struct { const char *equation, *settings; int64_t n; double tolerance; } cases[] = {
        {"burgers", "viscosity=0.02", 256, 1e-6}, {"navier-stokes", "start=32", 32, 1e-4}, {"kuramoto-sivashinsky", "length=22,time=5", 64, 1e-5},
        {"korteweg-de-vries", "time=10", 256, 1e-5}, {"allen-cahn", "diffusion=0.005", 256, 1e-5}, {"fisher-kpp", NULL, 256, 1e-5}, {"advection-diffusion", NULL, 256, 1e-2}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        nigh_problem *problem[2];
        double *in[2], *out[2], error = 0, size = 0, change = 0;
        int64_t n = cases[c].n;
        for (int k = 0; k < 2; k++) {
            assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = cases[c].equation, .grid = n << k, .settings = cases[c].settings}, &problem[k]));
            int64_t points = nigh_shape_count(&problem[k]->in);
            in[k] = malloc((size_t)points * sizeof(double)), out[k] = malloc((size_t)points * sizeof(double));
            nigh_rng rng = nigh_rng_new(11, 1);
            assert_ok(ctx, problem[k]->ops->draw(ctx, problem[k], &rng, 1, in[k]));
            assert_ok(ctx, problem[k]->ops->exact(ctx, problem[k], 1, in[k], out[k]));
        }
        for (int64_t p = 0; p < nigh_shape_count(&problem[0]->in); p++) {
            int64_t q = problem[0]->in.ndim == 2 ? 2 * (p / n) * 2 * n + 2 * (p % n) : 2 * p;
            error += pow(out[0][p] - out[1][q], 2), size += pow(out[1][q], 2), change += pow(in[0][p] - in[1][q], 2);
        }
        if (!(sqrt(error / size) < cases[c].tolerance)) fail_msg("%s: %g between the grids, inputs %g", cases[c].equation, sqrt(error / size), sqrt(change / size));
        for (int k = 0; k < 2; k++) {
            free(in[k]), free(out[k]);
            nigh_problem_free(ctx, problem[k]);
        }
    }
}

static void test_bad(void **state)
{
    double in[256], out[256], w[256], z[256];
    nigh_pde_solver *solver;
    for (int i = 0; i < 256; i++) in[i] = i == 3 ? NAN : 1, w[i] = i == 7 ? INFINITY : 1;
    solve("burgers", 64, NULL, -1, in, out);
    solve("navier-stokes", 16, NULL, -1, w, z);
    for (int i = 0; i < 256; i++) assert_true((i >= 64 || isnan(out[i])) && isnan(z[i]));
    for (int i = 0; i < 256; i++) in[i] = 1e3 * wave_value(i / 256.), w[i] = 1e4 * flow_value(i / 16 / 16., i % 16 / 16.);
    solve("burgers", 256, NULL, 0, in, out); /* far beyond what the tables are made for */
    solve("navier-stokes", 16, NULL, 0, w, z);
    assert_true(isnan(out[0]) && isnan(z[0]));
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "burgers", .grid = 65}, -1, &solver), NIGH_INVALID, "even");
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "burgers", .grid = 4}, -1, &solver), NIGH_INVALID, "4 points");
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "navier-stokes", .settings = "viscosity=-1"}, -1, &solver), NIGH_INVALID, "viscosity");
    static const char *const names[] = {"burgers", "navier-stokes", "korteweg-de-vries", "kuramoto-sivashinsky"};
    nigh_context *kept = ctx;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (long fail = 2;; fail++) {
            test_allocator allocator = {.fail_at = fail};
            nigh_problem *problem = NULL;
            ctx = test_context_failing(&allocator);
            nigh_status status = nigh_pde_problem_new(ctx, &(nigh_pde){.equation = names[k], .grid = 32, .settings = k == 1 ? "start=16" : NULL}, &problem);
            if (!status) nigh_problem_free(ctx, problem);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
            if (!status) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
    ctx = kept;
}

static int setup(void **state)
{
    ctx = test_context_new();
    return 0;
}

static int teardown(void **state)
{
    test_context_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burgers), cmocka_unit_test(test_korteweg_de_vries), cmocka_unit_test(test_reactions), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_flow_sums), cmocka_unit_test(test_flow), cmocka_unit_test(test_levels), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_two_grids), cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
