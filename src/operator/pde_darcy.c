/*
 * Darcy flow: -div(a grad u) = 1 on the unit square, u = 0 on its edge, for a random coefficient a. Finite volumes on cells with harmonic means on faces, solved by
 * multigrid (nigh/multigrid.h). The coefficient's law is that of "Fourier Neural Operator for Parametric Partial Differential Equations" (Li et al. 2021), section 5.2.
 */
#include "operator/pde.h"

#include "nigh/multigrid.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PIECEWISE, LOGNORMAL };
enum { MOST = 1024 };

static const nigh_gaussian law = {.dims = 2, .grid = NIGH_GRID_CELL, .scale = 1, .shift = 9, .power = 2};

static const nigh_option options[] = {
    {.name = "coefficient", .type = NIGH_OPTION_CHOICE, .choices = "piecewise,lognormal", .grid = "piecewise",
     .help = "12 where a Gaussian field is at least 0 and 3 elsewhere; or exp of the field at unit variance"},
    {0},
};

/* ---- inputs ------------------------------------------------------------------------------------------------ */

typedef struct sampler {
    nigh_context *ctx;
    nigh_gaussian_field *field;
    int64_t count;
    bool lognormal;
    double factor; /* to unit variance */
} sampler;

static void sampler_free(void *self)
{
    sampler *s = self;
    nigh_gaussian_field_free(s->field);
    nigh_free(s->ctx, s);
}

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){.ctx = ctx, .count = n * n, .lognormal = value[0] == LOGNORMAL};
    if (s->lognormal) s->factor = 1 / sqrt(nigh_gaussian_variance(&law));
    nigh_status status = nigh_gaussian_field_new(ctx, &law, n, &s->field);
    if (status) sampler_free(s);
    else *out = s;
    return status;
}

static size_t sampler_workspace(const void *self) { return nigh_gaussian_field_workspace(((const sampler *)self)->field); }

static void sample(const void *self, nigh_rng *rng, double *in, void *workspace)
{
    const sampler *s = self;
    nigh_gaussian_field_draw(s->field, rng, in, workspace);
    for (int64_t i = 0; i < s->count; i++) in[i] = s->lognormal ? exp(s->factor * in[i]) : in[i] >= 0 ? 12 : 3;
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

/*
 * From cheap to exact. cycles: behind the start by full multigrid, 0: one smoothing step. Up to a grid of `single` all is done in f32: its rounding, which grows as the square of the
 * points in a dimension, stays below the error that is left anyway; on larger ones residuals are in f64, and the cycles are `beyond`. Only the last effort measures its residual.
 */
typedef struct effort {
    int64_t single;
    int cycles, beyond;
    double tolerance;
} effort;

static const effort efforts[] = {{512, 0, 0, 0}, {256, 1, 1, 0}, {64, 2, 3, 0}, {0, 4, 4, 0}, {0, 8, 8, 1e-10}};
enum { EFFORTS = sizeof efforts / sizeof *efforts };

typedef struct solver {
    nigh_context *ctx;
    nigh_multigrid *mg;
    int64_t count;
    double tolerance;
    int cycles; /* 0: until the tolerance is met */
} solver;

static int cycles_of(const effort *e, int64_t n) { return n <= e->single ? e->cycles : e->beyond; }

static void solver_free(void *self)
{
    solver *s = self;
    nigh_multigrid_free(s->mg);
    nigh_free(s->ctx, s);
}

static nigh_status solver_new(nigh_context *ctx, const double *value, int64_t n, int number, void **out)
{
    solver *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    const effort *e = &efforts[number];
    int cycles = cycles_of(e, n);
    *s = (solver){.ctx = ctx, .count = n * n, .tolerance = e->tolerance, .cycles = e->tolerance > 0 ? 0 : cycles ? cycles : -1};
    nigh_status status = nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = n, .cols = n, .single = n <= e->single, .mixed = true}, &s->mg);
    if (status) solver_free(s);
    else *out = s;
    return status;
}

static size_t solver_workspace(const void *self) { return nigh_multigrid_workspace(((const solver *)self)->mg); }

static void solve(const void *self, const double *in, double *out, void *workspace)
{
    const solver *s = self;
    bool good = nigh_multigrid_cells(NULL, s->mg, &(nigh_multigrid_field){.a = in}, workspace) == NIGH_OK;
    if (good) {
        for (int64_t i = 0; i < s->count; i++) out[i] = 1;
        nigh_multigrid_report report;
        nigh_multigrid_solve(s->mg, out, out, &(nigh_multigrid_options){.most = s->cycles, .tolerance = s->tolerance}, &report, workspace);
        good = !s->tolerance || report.stop == NIGH_KRYLOV_MET;
    }
    for (int64_t i = 0; !good && i < s->count; i++) out[i] = NAN;
}

static nigh_work work(const double *value, int64_t n, int number)
{
    const effort *e = &efforts[number];
    nigh_multigrid_work w = nigh_multigrid_cost(&(nigh_multigrid_spec){.rows = n, .cols = n, .single = n <= e->single, .mixed = true});
    double cycles = cycles_of(e, n) ? cycles_of(e, n) : 0.3;
    return (nigh_work){.flops = w.setup_flops + w.full_flops + cycles * w.cycle_flops, .bytes = w.setup_bytes + w.full_bytes + cycles * w.cycle_bytes};
}

static void effort_name(const double *value, int64_t n, int number, char text[64])
{
    const effort *e = &efforts[number];
    const int cycles = cycles_of(e, n);
    if (e->tolerance > 0) snprintf(text, 64, "multigrid to a residual of %g", e->tolerance);
    else if (cycles) snprintf(text, 64, "full multigrid and %d cycle%s", cycles, cycles > 1 ? "s" : "");
    else snprintf(text, 64, "full multigrid");
}

const pde_equation pde_darcy = {
    .info = {.name = "darcy", .summary = "flow through a porous square: pressure from permeability",
             .text = "-div(a grad u) = 1 on the unit square, u = 0 on the edge. In: a at the centres of n x n cells; out: u there. Finite volumes: the coefficient of "
                     "a face is the harmonic mean of its two cells' a, on the edge the cell's own a over half a cell. a: 12 where a Gaussian field of covariance (-Laplace + 9)^-2 "
                     "with zero slope at the edge is at least 0, else 3; or exp of that field scaled to unit variance.",
             .source = "Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, 2021", .dims = 2, .grid = NIGH_GRID_CELL, .grid_default = 64,
             .grid_low = 4, .grid_high = MOST, .options = options, .efforts = EFFORTS},
    .sampler_new = sampler_new, .sampler_workspace = sampler_workspace, .sample = sample, .sampler_free = sampler_free,
    .solver_new = solver_new, .solver_workspace = solver_workspace, .solve = solve, .solver_free = solver_free, .work = work, .effort_name = effort_name,
    .in_coarser = {.mean = NIGH_MEAN_GEOMETRIC}, .in_finer = {.edge = NIGH_EDGE_FREE, .order = 0},
    .out_coarser = {.mean = NIGH_MEAN_ARITHMETIC}, .out_finer = {.edge = NIGH_EDGE_ZERO, .order = 1}, .positive = true,
};
