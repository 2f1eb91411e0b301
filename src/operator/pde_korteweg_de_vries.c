/*
 * Waves on shallow water (Korteweg and de Vries) on a circle of length L: u_t + u u_x + u_xxx = 0. In: u(0) = the sum of 10 waves A sin(2 pi l x / L + phi), A uniform on [-1/2, 1/2], l one of
 * 1, 2, 3, phi uniform on a turn, on n points x = L i/n; out: u(time), time = 20; L = 64. The setup of "Lie point symmetry data augmentation for neural PDE solvers".
 * Pseudo-spectral, free of aliasing (modes up to (n - 1) / 3), ETDRK4 with the imaginary L = i k^3, in the frame that moves with the mean.
 */
#include "operator/pde_evolution.h"

#include <math.h>

enum { LENGTH, TIME, WAVES = 10, MOST = 3 };

static const nigh_option options[] = {{.name = "length", .type = NIGH_OPTION_REAL, .low = 1, .high = 1000, .value = 64, .help = "L"},
                                      {.name = "time", .type = NIGH_OPTION_REAL, .low = 1e-3, .high = 1000, .value = 20, .help = "from input to output"},
                                      {.name = NULL}};

static double time_of(const double *value) { return value[TIME]; }
static double drift(const double *value) { return value[TIME] / value[LENGTH]; }

static void symbol(const double *value, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k / value[LENGTH];
    linear[0] = 0, linear[1] = wave * wave * wave;
    gain[0] = 0, gain[1] = -0.5 * wave;
}

/* Crests reach about 5 and carry the shortest wave. */
static int64_t steps(const double *value, int64_t n)
{
    double wave = 2 * M_PI * (double)((n - 1) / 3) / value[LENGTH];
    return pde_evolution_power(fmax(64, value[TIME] * fmax(40, 6 * wave)));
}

static const pde_evolution evolution = {.options = options, .degree = 2, .symbol = symbol, .time = time_of, .drift = drift, .steps = steps, .efforts = 6, .growth = 2};
PDE_EVOLUTION_SOLVER

typedef struct sampler {
    nigh_context *ctx;
    int64_t n;
} sampler;

static nigh_status sampler_new(nigh_context *ctx, const double *value, int64_t n, void **out)
{
    sampler *s = nigh_alloc(ctx, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){ctx, n};
    *out = s;
    return NIGH_OK;
}

static size_t sampler_workspace(const void *self) { return 0; }
static void sampler_free(void *self) { nigh_free(((sampler *)self)->ctx, self); }

static void sample(const void *self, nigh_rng *rng, double *in, void *workspace)
{
    const sampler *s = self;
    double re[MOST + 1] = {0}, im[MOST + 1] = {0};
    for (int i = 0; i < WAVES; i++) {
        double size = nigh_rng_f64(rng) - 0.5, phase = 2 * M_PI * nigh_rng_f64(rng);
        int l = 1 + (int)nigh_rng_below(rng, MOST);
        re[l] += size * sin(phase), im[l] += size * cos(phase);
    }
    for (int64_t j = 0; j < s->n; j++) {
        in[j] = 0;
        for (int l = 1; l <= MOST; l++) {
            double angle = 2 * M_PI * (double)(l * j % s->n) / (double)s->n;
            in[j] += re[l] * cos(angle) + im[l] * sin(angle);
        }
    }
}

const pde_equation pde_korteweg_de_vries = {
    .info = {.name = "korteweg-de-vries",
             .summary = "shallow water waves that break up into solitons",
             .text = "u_t + u u_x + u_xxx = 0 on [0, L), periodic; in: u(0), a sum of 10 sines of the three longest waves with amplitudes uniform on [-1/2, 1/2]; out: u(time)",
             .source = "Brandstetter, Welling and Worrall, Lie point symmetry data augmentation for neural PDE solvers",
             .dims = 1, .grid = NIGH_GRID_PERIODIC, .grid_default = 256, .grid_low = 16, .grid_high = 8192, .options = options, .efforts = 6},
    .sampler_new = sampler_new, .sampler_workspace = sampler_workspace, .sample = sample, .sampler_free = sampler_free,
    PDE_EVOLUTION_ENTRIES,
};
