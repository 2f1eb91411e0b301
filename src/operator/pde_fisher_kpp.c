/*
 * Growth that spreads (Fisher; Kolmogorov, Petrovsky and Piskunov) on a circle of length 1: u_t = D u_xx + r u (1 - u). In: u(0) = 1 / (1 + exp(-g)), between 0 and 1, with g from
 * N(0, 2500 (-d_xx + 25)^-2), on n points i/n; out: u(time), time = 1; D = 1e-3, r = 2, so that fronts move by 2 sqrt(D r) time = 0.09.
 * Pseudo-spectral, free of aliasing (modes up to (n - 1) / 3), ETDRK4 with L = D d_xx + r, N = -r u^2.
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { DIFFUSION, RATE, TIME };

static const nigh_option options[] = {{.name = "diffusion", .type = NIGH_OPTION_REAL, .low = 1e-6, .high = 1, .value = 1e-3, .help = "D"},
                                      {.name = "rate", .type = NIGH_OPTION_REAL, .low = 0, .high = 50, .value = 2, .help = "r"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 10, .value = 1, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = value[RATE] - value[DIFFUSION] * wave * wave, linear[1] = 0;
    gain[0] = -value[RATE], gain[1] = 0;
}

/* Nothing but the reaction needs small steps. */
static int64_t steps(const double *value, int64_t n) { return pde_evolution_power(fmax(32, 16 * value[RATE] * value[TIME])); }

static const pde_evolution evolution = {.options = options, .degree = 2, .symbol = symbol, .time = time_of, .steps = steps, .efforts = 5, .growth = 2};
PDE_EVOLUTION_SOLVER

static double share(double g) { return 1 / (1 + exp(-g)); }

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    return pde_evolution_field_new(ctx, &(nigh_gaussian){.dims = 1, .grid = NIGH_GRID_PERIODIC, .scale = 2500, .shift = 25, .power = 2}, n, share, out);
}

const pde_equation pde_fisher_kpp = {
    .info = {.name = "fisher-kpp",
             .summary = "growth up to a limit, spreading",
             .text = "u_t = D u_xx + r u (1 - u) on [0, 1), periodic; in: u(0) = 1 / (1 + exp(-g)), g from N(0, 2500 (-d_xx + 25)^-2); out: u(time)",
             .source = "Takamoto et al., PDEBench, diffusion-reaction",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 256, .grid_low = 16, .grid_high = 16384, .options = options, .efforts = 5},
    PDE_EVOLUTION_FIELD, PDE_EVOLUTION_ENTRIES,
};
