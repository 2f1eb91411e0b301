/*
 * Separation of phases (Allen and Cahn) on a circle of length 1: u_t = D u_xx + r (u - u^3). In: u(0) from N(0, 625 (-d_xx + 25)^-2) without more, on n points i/n; out: u(time),
 * time = 1; D = 1e-3, r = 5: between the phases -1 and 1 stand walls of width sqrt(8 D / r) = 0.04.
 * Pseudo-spectral, free of aliasing of the cube (modes up to (n - 1) / 4), ETDRK4 with L = D d_xx + r, N = -r u^3.
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { DIFFUSION, RATE, TIME };

static const nigh_option options[] = {{.name = "diffusion", .type = NIGH_OPTION_REAL, .low = 1e-5, .high = 1, .value = 1e-3, .help = "D"},
                                      {.name = "rate", .type = NIGH_OPTION_REAL, .low = 0, .high = 50, .value = 5, .help = "r"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 10, .value = 1, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = value[RATE] - value[DIFFUSION] * wave * wave, linear[1] = 0;
    gain[0] = -value[RATE], gain[1] = 0;
}

/* Large values fall by r u^3: up to 4 at the start. */
static int64_t steps(const double *value, int64_t n) { return pde_evolution_power(fmax(64, 16 * value[RATE] * value[TIME])); }

static const pde_evolution evolution = {.options = options, .degree = 3, .symbol = symbol, .time = time_of, .steps = steps, .efforts = 6, .growth = 2};
PDE_EVOLUTION_SOLVER

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    return pde_evolution_field_new(ctx, &(nigh_gaussian){.dims = 1, .grid = NIGH_GRID_PERIODIC, .scale = 625, .shift = 25, .power = 2}, n, NULL, out);
}

const pde_equation pde_allen_cahn = {
    .info = {.name = "allen-cahn",
             .summary = "two phases that part, with walls between them",
             .text = "u_t = D u_xx + r (u - u^3) on [0, 1), periodic; in: u(0) from N(0, 625 (-d_xx + 25)^-2); out: u(time)",
             .source = "Allen and Cahn, A microscopic theory for antiphase boundary motion, 1979",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 256, .grid_low = 16, .grid_high = 16384, .options = options, .efforts = 6},
    PDE_EVOLUTION_FIELD, PDE_EVOLUTION_ENTRIES,
};
