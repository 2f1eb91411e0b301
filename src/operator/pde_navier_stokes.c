/*
 * Two-dimensional incompressible flow on the unit torus by its vorticity w(x, y, t):
 *     w_t + u w_x + v w_y = nu (w_xx + w_yy) + f,   f = 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y)),
 *     u = psi_y, v = -psi_x, -(psi_xx + psi_yy) = w, so that w = v_x - u_y; index [i][j] is x = i/n, y = j/n.
 * In: w(t); out: w(t + time), time = 1. w(0) is drawn from N(0, 7^1.5 (-Laplace + 49)^-2.5) with the constant, which has no velocity and stays as it is; t is a whole number, uniform on
 * 10 .. 19, each sample with a trajectory of its own. From 0 to t the flow runs on `start` x `start` points in f32 with steps 1.2 times shorter than just stable, of at most 1/4: that only says
 * how inputs are distributed, and is the same on every grid. The setup of "Fourier neural operator for parametric partial differential equations".
 *
 * Pseudo-spectral, free of aliasing (modes up to (n - 1) / 3), ETDRK4: pde_vorticity.h. Steps per unit of time are a power of two that
 * suits the velocity of each input: large ones never blow up. Error of the exact solver's steps: below 1e-6, mostly 1e-7 and less.
 */
#include "operator/pde.h"
#include "operator/pde_vorticity.h"

#include <math.h>
#include <stdio.h>

enum { VISCOSITY, TIME, START, EFFORTS = 6, FIRST = 10, LAST = 19, LOOSE = 3 };

static const nigh_option options[] = {
    {.name = "viscosity", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 1, .value = 1e-3, .help = "nu"},
    {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 100, .value = 1, .help = "from input to output"},
    {.name = "start", .type = NIGH_OPTION_INT, .low = 16, .high = 512, .value = 64, .help = "points in each dimension while inputs are brought from w(0) to w(t)"},
    {.name = NULL}};

/* Steps of one unit of time at least, and how many times more than just stable. */
static const struct { int64_t least; double safety; } effort_of[EFFORTS] = {{1, 1}, {2, 1}, {4, 1}, {4, 1.2}, {8, 1.7}, {32, 3}};

static vorticity_spec flow_of(const double *value, int64_t n, int effort, double unit)
{
    return (vorticity_spec){.dtype = effort == EFFORTS - 1 ? NIGH_F64 : NIGH_F32, .n = n, .viscosity = value[VISCOSITY], .force = {0.05, -0.05}, .unit = unit, .least = effort_of[effort].least,
                            .safety = effort_of[effort].safety};
}

/* Units into which the time is cut: of at most 1, so that steps follow the flow. */
static int64_t units_of(const double *value) { return (int64_t)ceil(value[TIME] - 1e-9); }

/* ---- inputs -------------------------------------------------------------------------------------------- */

typedef struct sampler {
    nigh_context *ctx;
    int64_t start;
    nigh_gaussian_field *field;
    vorticity *flow;
    nigh_regridder *grid;
} sampler;

static void sampler_free(void *self)
{
    sampler *s = self;
    nigh_gaussian_field_free(s->field);
    vorticity_free(s->flow);
    nigh_regridder_free(s->grid);
    nigh_free(s->ctx, s);
}

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    const nigh_gaussian law = {.dims = 2, .grid = NIGH_GRID_PERIODIC, .scale = pow(7, 1.5), .shift = 49, .power = 2.5};
    sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){.ctx = ctx, .start = (int64_t)value[START]};
    vorticity_spec flow = flow_of(value, s->start, LOOSE, 1);
    nigh_status status = nigh_gaussian_field_new(ctx, &law, s->start, &s->field);
    if (!status) status = vorticity_new(ctx, &flow, &s->flow);
    if (!status) status = nigh_regridder_new(ctx, &(nigh_regrid){.dims = 2, .grid = NIGH_GRID_PERIODIC, .from = s->start, .to = n}, &s->grid);
    if (status) sampler_free(s);
    else *out = s;
    return status;
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t sampler_workspace(const void *self)
{
    const sampler *s = self;
    size_t a = nigh_gaussian_field_workspace(s->field), b = vorticity_workspace(s->flow), c = nigh_regridder_workspace(s->grid);
    return whole_lines((size_t)(s->start * s->start) * sizeof(double)) + (a > b ? (a > c ? a : c) : b > c ? b : c);
}

static void sample(const void *self, nigh_rng *rng, double *in, void *workspace)
{
    const sampler *s = self;
    double *w = workspace;
    char *room = (char *)workspace + whole_lines((size_t)(s->start * s->start) * sizeof *w);
    int64_t time = FIRST + (int64_t)nigh_rng_below(rng, LAST - FIRST + 1);
    nigh_gaussian_field_draw(s->field, rng, w, room);
    vorticity_run(s->flow, time, w, w, room);
    nigh_regridder_run(s->grid, w, in, room);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

typedef struct solver {
    nigh_context *ctx;
    vorticity *flow;
    int64_t n, units;
    double time;
} solver;

static void solver_free(void *self)
{
    solver *s = self;
    vorticity_free(s->flow);
    nigh_free(s->ctx, s);
}

/* f32 costs half and errs by some 1e-6, which only the exact solver cannot afford. */
static nigh_status solver_new(nigh_context *ctx, const double *value, int64_t n, int effort, void **out)
{
    solver *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (solver){.ctx = ctx, .n = n, .units = units_of(value), .time = value[TIME]};
    vorticity_spec flow = flow_of(value, n, effort, s->time / (double)s->units);
    nigh_status status = vorticity_new(ctx, &flow, &s->flow);
    if (status) solver_free(s);
    else *out = s;
    return status;
}

static size_t solver_workspace(const void *self) { return vorticity_workspace(((const solver *)self)->flow); }

static double norm(int64_t count, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += x[i] * x[i];
    return sqrt(sum / (double)count);
}

/* |w(t + T)| <= |w(t)| + T |f|: what lies far above it is an instability of too large a step. */
static void solve(const void *self, const double *in, double *out, void *workspace)
{
    const solver *s = self;
    int64_t count = s->n * s->n;
    double most = 2 * (norm(count, in) + s->time * 0.1);
    vorticity_run(s->flow, s->units, in, out, workspace);
    if (!(norm(count, out) <= most))
        for (int64_t i = 0; i < count; i++) out[i] = NAN;
}

/* For a flow as fast as most inputs are. */
static int64_t steps_of(const double *value, int64_t n, int effort)
{
    int64_t units = units_of(value);
    return units * vorticity_steps(n, value[VISCOSITY], value[TIME] / (double)units, effort_of[effort].least, effort_of[effort].safety, 0.17);
}

/* Two pruned complex transforms in each dimension and each of four stages, at somewhat less than half the rate of plain vectors in f32 and a quarter in f64; all but the fields stays in cache. */
static nigh_work work(const double *value, int64_t n, int effort)
{
    double points = (double)(n * n), kept = (double)(2 * ((n - 1) / 3) + 1), lines = 2 * ((double)n + kept), stage = lines * 5 * (double)n * log2((double)n) + 6 * points + 40 * kept * kept;
    double steps = (double)steps_of(value, n, effort), slower = effort == EFFORTS - 1 ? 2.3 : 1.3;
    return (nigh_work){.flops = slower * 4 * steps * stage + 100 * points, .bytes = 48 * points};
}

static void effort_name(const double *value, int64_t n, int effort, char text[64])
{
    int64_t steps = steps_of(value, n, effort);
    snprintf(text, 64, "about %lld step%s of ETDRK4%s", (long long)steps, steps > 1 ? "s" : "", effort == EFFORTS - 1 ? "" : " in f32");
}

const pde_equation pde_navier_stokes = {
    .info = {.name = "navier-stokes",
             .summary = "vorticity of a stirred flow on the torus, one unit of time later",
             .text = "w_t + u w_x + v w_y = nu (w_xx + w_yy) + 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y)), u = psi_y, v = -psi_x, -Laplace psi = w, periodic; w(0) from "
                     "N(0, 7^1.5 (-Laplace + 49)^-2.5); in: w(t), t uniform on 10 .. 19; out: w(t + time)",
             .source = "Li et al., Fourier neural operator for parametric partial differential equations, 5.3",
             .dims = 2, .grid = NIGH_GRID_PERIODIC, .grid_default = 64, .grid_low = 8, .grid_high = 1024, .options = options, .efforts = EFFORTS},
    .sampler_new = sampler_new, .sampler_workspace = sampler_workspace, .sample = sample, .sampler_free = sampler_free,
    .solver_new = solver_new, .solver_workspace = solver_workspace, .solve = solve, .solver_free = solver_free,
    .work = work, .effort_name = effort_name,
};
