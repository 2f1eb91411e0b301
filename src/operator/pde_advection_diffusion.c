/*
 * Advection with diffusion on a circle of length 1: u_t + c u_x = D u_xx. In: u(0) from N(0, 625 (-d_xx + 25)^-2), on n points i/n; out: u(time), time = 1; c = 0.4, D = 1e-3.
 * Each mode is multiplied by exp((-i c k - D k^2) time): exact, there is nothing to approximate but the grid. (Evans, "Partial Differential Equations", 4.3.1.)
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { SPEED, DIFFUSION, TIME };

static const nigh_option options[] = {{.name = "speed", .type = NIGH_OPTION_REAL, .low = -100, .high = 100, .value = 0.4, .help = "c"},
                                      {.name = "diffusion", .type = NIGH_OPTION_REAL, .low = 0, .high = 1, .value = 1e-3, .help = "D"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 100, .value = 1, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = -value[DIFFUSION] * wave * wave, linear[1] = -value[SPEED] * wave;
    gain[0] = gain[1] = 0;
}

static const pde_evolution evolution = {.options = options, .symbol = symbol, .time = time_of, .efforts = 1, .growth = 2};
PDE_EVOLUTION_SOLVER

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    return pde_evolution_field_new(ctx, &(nigh_gaussian){.dims = 1, .grid = NIGH_GRID_PERIODIC, .scale = 625, .shift = 25, .power = 2}, n, NULL, out);
}

const pde_equation pde_advection_diffusion = {
    .info = {.name = "advection-diffusion",
             .summary = "a profile that is carried along and spreads",
             .text = "u_t + c u_x = D u_xx on [0, 1), periodic; in: u(0) from N(0, 625 (-d_xx + 25)^-2); out: u(time)",
             .source = "Takamoto et al., PDEBench, advection with speed 0.4",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 256, .grid_low = 16, .grid_high = 16384, .options = options, .efforts = 1},
    PDE_EVOLUTION_FIELD, PDE_EVOLUTION_ENTRIES,
};
