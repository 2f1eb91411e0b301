/*
 * Poisson's equation: -Laplace u = f on the unit square, u = 0 on its edge, for a smooth random f. Finite volumes on cells, whose eigenvectors are products of sines at the centres:
 * two sine transforms solve the system but for rounding ("Matrix Computations", Golub and Van Loan, 4.8).
 */
#include "operator/pde.h"

#include "nigh/fft.h"

#include <math.h>
#include <stdio.h>

enum { MOST = 1024 };

static const nigh_gaussian law = {.dims = 2, .grid = NIGH_GRID_CELL, .scale = 1e4, .shift = 9, .power = 2};

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* ---- inputs ------------------------------------------------------------------------------------------------ */

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    nigh_gaussian_field *field;
    nigh_status status = nigh_gaussian_field_new(ctx, &law, n, &field);
    if (!status) *out = field;
    return status;
}

static size_t sampler_workspace(const void *self) { return nigh_gaussian_field_workspace(self); }
static void sample(const void *self, nigh_rng *rng, double *in, void *workspace) { nigh_gaussian_field_draw(self, rng, in, workspace); }
static void sampler_free(void *self) { nigh_gaussian_field_free(self); }

/* ---- answers ----------------------------------------------------------------------------------------------- */

typedef struct solver {
    nigh_context *ctx;
    int64_t n;
    nigh_fft *there, *back;
    double *eigenvalue; /* [n]: of one dimension, times the factor of both transforms */
} solver;

static void solver_free(void *self)
{
    solver *s = self;
    nigh_fft_free(s->there);
    nigh_fft_free(s->back);
    nigh_free(s->ctx, s->eigenvalue);
    nigh_free(s->ctx, s);
}

static nigh_status transforms(nigh_context *ctx, solver *s)
{
    int64_t n[2] = {s->n, s->n};
    nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_DST2, NIGH_F64, false, 1, 2, n, 1);
    spec.norm = NIGH_FFT_RAW;
    nigh_status status = nigh_fft_new(ctx, &spec, 1, &s->there);
    spec.kind = NIGH_FFT_DST3;
    return status ? status : nigh_fft_new(ctx, &spec, 1, &s->back);
}

static nigh_status solver_new(nigh_context *ctx, const double *value, int64_t n, int effort, void **out)
{
    solver *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (solver){.ctx = ctx, .n = n};
    s->eigenvalue = nigh_alloc(ctx, (size_t)n * sizeof *s->eigenvalue);
    nigh_status status = s->eigenvalue ? transforms(ctx, s) : NIGH_MEMORY;
    if (status) {
        solver_free(s);
        return status;
    }
    for (int64_t k = 0; k < n; k++) { /* (2 n sin)^2 of -d2/dx2, (2 n)^2 of the raw transforms */
        double x = 2 * (double)n * sin(0.5 * M_PI * (double)(k + 1) / (double)n);
        s->eigenvalue[k] = x * x * 4 * (double)n * (double)n;
    }
    *out = s;
    return NIGH_OK;
}

static size_t field_bytes(const solver *s) { return aligned((size_t)(s->n * s->n) * sizeof(double)); }

static size_t solver_workspace(const void *self)
{
    const solver *s = self;
    size_t there = nigh_fft_workspace(s->there), back = nigh_fft_workspace(s->back);
    return field_bytes(s) + aligned(there > back ? there : back);
}

static void solve(const void *self, const double *in, double *out, void *workspace)
{
    const solver *s = self;
    const int64_t n = s->n;
    double *y = workspace;
    void *rest = (char *)workspace + field_bytes(s);
    nigh_fft_run(s->there, in, y, rest);
    for (int64_t k = 0; k < n; k++)
        for (int64_t l = 0; l < n; l++) y[k * n + l] /= s->eigenvalue[k] + s->eigenvalue[l];
    nigh_fft_run(s->back, y, out, rest);
}

/* Four transforms of n lines each, as complex ones of half the lines. */
static nigh_work work(const double *value, int64_t n, int effort)
{
    double points = (double)n * (double)n;
    return (nigh_work){.flops = points * (10 * log2((double)n) + 24), .bytes = points * 96};
}

static void effort_name(const double *value, int64_t n, int effort, char text[64]) { snprintf(text, 64, "sine transforms"); }

const pde_equation pde_poisson = {
    .info = {.name = "poisson", .summary = "potential of a random charge in a square",
             .text = "-Laplace u = f on the unit square, u = 0 on the edge. In: f at the centres of n x n cells; out: u there. Finite volumes: five points, on the edge the neighbour "
                     "is -u. f: a Gaussian field of covariance 1e4 (-Laplace + 9)^-2 with zero slope at the edge.",
             .source = "LeVeque, Finite Difference Methods for Ordinary and Partial Differential Equations, 2007, chapter 3", .dims = 2, .grid = NIGH_GRID_CELL, .grid_default = 64,
             .grid_low = 4, .grid_high = MOST, .efforts = 1},
    .sampler_new = sampler_new, .sampler_workspace = sampler_workspace, .sample = sample, .sampler_free = sampler_free,
    .solver_new = solver_new, .solver_workspace = solver_workspace, .solve = solve, .solver_free = solver_free, .work = work, .effort_name = effort_name,
    .in_coarser = {.mean = NIGH_MEAN_ARITHMETIC}, .in_finer = {.edge = NIGH_EDGE_FREE, .order = 3},
    .out_coarser = {.mean = NIGH_MEAN_ARITHMETIC}, .out_finer = {.edge = NIGH_EDGE_ZERO, .order = 1},
};
