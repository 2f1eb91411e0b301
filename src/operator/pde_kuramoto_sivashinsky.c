/*
 * Flame fronts (Kuramoto and Sivashinsky), chaotic, on a circle of length L: u_t + u u_x + u_xx + u_xxxx = 0. In: u(t) on n points x = L i/n; out: u(t + time), time = 10; L = 64. u(0) is drawn from
 * N(0, (-d_xx + 100)^-2 1e4) in units of the circle, less its mean; t = 50, from where on the flow has forgotten u(0). From 0 to t it runs on the least power of two of points
 * above 3 L with steps of 1/16, which only says how inputs are distributed, and is the same on every grid.
 * Pseudo-spectral, free of aliasing (modes up to (n - 1) / 3), ETDRK4 ("Fourth-order time-stepping for stiff PDEs", Kassam and Trefethen).
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { LENGTH, TIME, FORGET = 50, PARTS = 16 };

static const nigh_option options[] = {{.name = "length", .type = NIGH_OPTION_REAL, .low = 7, .high = 500, .value = 64, .help = "L"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 200, .value = 10, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }
static double drift(const double *value) { return value[TIME] / value[LENGTH]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k / value[LENGTH];
    linear[0] = wave * wave - wave * wave * wave * wave, linear[1] = 0;
    gain[0] = 0, gain[1] = -0.5 * wave;
}

static int64_t steps(const double *value, int64_t n) { return pde_evolution_power(fmax(64, 64 * value[TIME])); }

static const pde_evolution evolution = {.options = options, .degree = 2, .symbol = symbol, .time = time_of, .drift = drift, .steps = steps, .efforts = 8, .growth = 4};
PDE_EVOLUTION_SOLVER

typedef struct sampler {
    nigh_context *ctx;
    int64_t start;
    nigh_gaussian_field *field;
    spectral *flow;
    nigh_regridder *grid;
} sampler;

static void sampler_free(void *self)
{
    sampler *s = self;
    nigh_gaussian_field_free(s->field);
    spectral_free(s->flow);
    nigh_regridder_free(s->grid);
    nigh_free(s->ctx, s);
}

static void spectral_symbol(const void *user, int64_t k, double linear[2], double gain[2]) { symbol(user, k, linear, gain); }

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    const nigh_gaussian law = {.dims = 1, .grid = NIGH_GRID_PERIODIC, .scale = 1e4, .shift = 100, .power = 2};
    sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){.ctx = ctx, .start = pde_evolution_power(3 * value[LENGTH])};
    nigh_status status = nigh_gaussian_field_new(ctx, &law, s->start, &s->field);
    if (!status) status = spectral_new(ctx, &(spectral_spec){NIGH_F64, s->start, 2, 1.0 / PARTS, 1, spectral_symbol, value}, &s->flow);
    if (!status) status = nigh_regridder_new(ctx, &(nigh_regrid){.dims = 1, .grid = NIGH_GRID_PERIODIC, .from = s->start, .to = n}, &s->grid);
    if (status) sampler_free(s);
    else *out = s;
    return status;
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t sampler_workspace(const void *self)
{
    const sampler *s = self;
    size_t a = nigh_gaussian_field_workspace(s->field), b = spectral_workspace(s->flow), c = nigh_regridder_workspace(s->grid);
    return whole_lines((size_t)s->start * sizeof(double)) + (a > b ? (a > c ? a : c) : b > c ? b : c);
}

static void sample(const void *self, nigh_rng *rng, double *in, void *workspace)
{
    const sampler *s = self;
    double *u = workspace, mean = 0;
    char *room = (char *)workspace + whole_lines((size_t)s->start * sizeof *u);
    nigh_gaussian_field_draw(s->field, rng, u, room);
    for (int64_t i = 0; i < s->start; i++) mean += u[i] / (double)s->start;
    for (int64_t i = 0; i < s->start; i++) u[i] -= mean;
    spectral_run(s->flow, 0, FORGET * PARTS, 0, u, u, room);
    nigh_regridder_run(s->grid, u, in, room);
}

const pde_equation pde_kuramoto_sivashinsky = {
    .info = {.name = "kuramoto-sivashinsky",
             .summary = "flame fronts, chaotic",
             .text = "u_t + u u_x + u_xx + u_xxxx = 0 on [0, L), periodic; u(0) from N(0, 1e4 (-d_xx + 100)^-2) in units of L, less its mean; in: u(50); out: u(50 + time)",
             .source = "Kassam and Trefethen, Fourth-order time-stepping for stiff PDEs",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 256, .grid_low = 32, .grid_high = 8192, .options = options, .efforts = 8},
    .sampler_new = sampler_new, .sampler_workspace = sampler_workspace, .sample = sample, .sampler_free = sampler_free,
    PDE_EVOLUTION_ENTRIES,
};
