/*
 * Burgers' equation on a circle of length 1: u_t + u u_x = nu u_xx. In: u(0) from N(0, 625 (-d_xx + 25)^-2), on n points i/n; out: u(time), time = 1.
 * Pseudo-spectral, free of aliasing (modes up to (n - 1) / 3), ETDRK4 in the frame that moves with the mean. Steps are a power of two
 * that suits the largest value of each input: large ones never blow up. Viscosity 0.01 wants 256 points, 0.001 some 2048.
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { VISCOSITY, TIME };

static const nigh_option options[] = {{.name = "viscosity", .type = NIGH_OPTION_REAL, .low = 1e-4, .high = 1, .value = 0.01, .help = "nu"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 100, .value = 1, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }
static double drift(const double *value) { return value[TIME]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = -value[VISCOSITY] * wave * wave, linear[1] = 0;
    gain[0] = 0, gain[1] = -0.5 * wave;
}

static int64_t steps(const double *value, int64_t n) { return pde_evolution_power(256 * value[TIME]); }

/* Explicit transport is stable while u k step is below a constant at the shortest wave, or u^2 step / nu where viscosity damps waves that short; constants found by trial. Values never grow. */
static double stable(const double *value, int64_t n, double largest)
{
    double wave = 2 * M_PI * (double)((n - 1) / 3);
    return value[TIME] * fmin(largest * wave / 2.4, largest * largest / (5.5 * value[VISCOSITY]));
}

static const pde_evolution evolution = {.options = options, .degree = 2, .symbol = symbol, .time = time_of, .drift = drift, .steps = steps, .efforts = 7, .stable = stable, .typical = 1, .growth = 2};
PDE_EVOLUTION_SOLVER

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    return pde_evolution_field_new(ctx, &(nigh_gaussian){.dims = 1, .grid = NIGH_GRID_PERIODIC, .scale = 625, .shift = 25, .power = 2}, n, NULL, out);
}

const pde_equation pde_burgers = {
    .info = {.name = "burgers",
             .summary = "waves that steepen into shocks, smoothed by viscosity",
             .text = "u_t + u u_x = nu u_xx on [0, 1), periodic; in: u(0) from N(0, 625 (-d_xx + 25)^-2); out: u(time)",
             .source = "Li et al., Fourier neural operator for parametric partial differential equations, 5.1",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 1024, .grid_low = 8, .grid_high = 16384, .options = options, .efforts = 7},
    PDE_EVOLUTION_FIELD, PDE_EVOLUTION_ENTRIES,
};
