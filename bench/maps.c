/* Maps and simulations as problems. Declared in maps.h. */
#include "maps.h"

#include "nigh/regress.h"

#include <math.h>
#include <string.h>

/* ---- cheap maps ---- */

static void smooth2(const double *x, const double *p, double *y)
{
    y[0] = exp(0.5 * x[0] * (1 + p[0]) - 0.3 * x[1]) + p[1] * x[0] * x[1] + 1;
}

static void smooth3(const double *x, const double *p, double *y)
{
    y[0] = 2 + p[0] * tanh(x[0] + x[1]) + x[2] * x[2];
    y[1] = 1 + exp(-p[1] * x[0] * x[0]) * cos(x[2]);
}

static void smooth4(const double *x, const double *p, double *y)
{
    double s = x[0] + p[0] * x[1] - p[1] * x[2] + 0.5 * x[3];
    y[0] = 3 + sin(s), y[1] = 1 + s * s, y[2] = exp(0.4 * s) + x[1] * x[3];
}

static void smooth6(const double *x, const double *p, double *y)
{
    for (int j = 0; j < 5; j++) {
        double t = 0.25 * j;
        y[j] = 2 + x[0] + x[1] * t + x[2] * t * t + 0.3 * tanh(x[3] + t * x[4]) + 0.2 * p[0] * x[5] * x[0];
    }
}

static void oscillating2(const double *x, const double *p, double *y)
{
    double k = 3 + 6 * p[0];
    y[0] = 1.5 + sin(k * x[0]) * cos(0.5 * k * x[1]);
}

static void oscillating3(const double *x, const double *p, double *y)
{
    double k = 2 + 4 * p[1];
    y[0] = cos(k * x[0] + x[1] * x[2]), y[1] = sin(k * x[0] - x[1]), y[2] = 0.5 + x[2];
}

static void rational2(const double *x, const double *p, double *y)
{
    y[0] = (1 + x[0]) / (1.2 + p[0] + x[0] * x[1]);
    y[1] = 1 / (1 + (1 + 8 * p[1]) * x[1] * x[1]);
}

static void rational5(const double *x, const double *p, double *y)
{
    double q = 1;
    for (int i = 0; i < 5; i++) q += (0.2 + 0.3 * p[i]) * x[i] * x[i];
    for (int j = 0; j < 4; j++) y[j] = (1 + x[j] * x[j + 1]) / q;
}

static void kink3(const double *x, const double *p, double *y)
{
    y[0] = 1 + fabs(x[0] - 0.5 * p[0]) + fmax(x[1], p[1] * x[2]);
}

/* Now and then a huge answer: errors with heavy tails. */
static void spike4(const double *x, const double *p, double *y)
{
    double r = 0;
    for (int i = 0; i < 4; i++) r += (x[i] - p[i]) * (x[i] - p[i]);
    y[0] = 1 + x[0] + 3 * exp(-12 * r), y[1] = 1 / (0.05 + r);
}

const bench_map bench_cheap_maps[] = {
    {"smooth2", 2, 1, -1, 1, smooth2},           {"smooth3", 3, 2, -1, 1, smooth3},     {"smooth4", 4, 3, -1, 1, smooth4},
    {"smooth6", 6, 5, -1, 1, smooth6},           {"oscillating2", 2, 1, -1, 1, oscillating2}, {"oscillating3", 3, 3, -1, 1, oscillating3},
    {"rational2", 2, 2, -1, 1, rational2},       {"rational5", 5, 4, -1, 1, rational5}, {"kink3", 3, 1, -1, 1, kink3},
    {"spike4", 4, 2, -1, 1, spike4},             {NULL, 0, 0, 0, 0, NULL},
};

/* ---- simulations: stand for programs of a user ---- */

typedef void slope(double t, const double *s, const double *x, double *ds);

static void runge_kutta(slope *f, int n, double *s, const double *x, double time, int steps)
{
    double h = time / steps, k[4][8], t[8];
    for (int step = 0; step < steps; step++) {
        for (int stage = 0; stage < 4; stage++) {
            double by = stage == 0 ? 0 : stage == 3 ? h : h / 2;
            for (int i = 0; i < n; i++) t[i] = s[i] + (stage ? by * k[stage - 1][i] : 0);
            f((double)step * h + by, t, x, k[stage]);
        }
        for (int i = 0; i < n; i++) s[i] += h / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
    }
}

/* Projectile with quadratic drag and a side wind. */
static void projectile_slope(double t, const double *s, const double *x, double *ds)
{
    double drag = 0.01 + 0.008 * x[2], v = s[4] - 5 * x[3], size = sqrt(s[3] * s[3] + v * v + s[5] * s[5]);
    ds[0] = s[3], ds[1] = s[4], ds[2] = s[5];
    ds[3] = -drag * size * s[3], ds[4] = -drag * size * v, ds[5] = -9.81 - drag * size * s[5];
}

static void projectile(const double *x, const double *p, double *y)
{
    double speed = 30 + 10 * x[0], angle = 0.8 + 0.4 * x[1];
    double s[6] = {0, 0, 0, speed * cos(angle), 0, speed * sin(angle)};
    runge_kutta(projectile_slope, 6, s, x, 3, 400);
    y[0] = s[0], y[1] = s[2], y[2] = s[1];
}

/* Pendulum with friction, large angles. */
static void pendulum_slope(double t, const double *s, const double *x, double *ds)
{
    ds[0] = s[1], ds[1] = -(2 + x[1]) * sin(s[0]) - (0.2 + 0.15 * x[2]) * s[1];
}

static void pendulum(const double *x, const double *p, double *y)
{
    double s[2] = {1.5 + 0.8 * x[0], 0};
    runge_kutta(pendulum_slope, 2, s, x, 4, 500);
    y[0] = s[0], y[1] = s[1];
}

/* Predators and prey. */
static void prey_slope(double t, const double *s, const double *x, double *ds)
{
    ds[0] = (1 + 0.3 * x[0]) * s[0] - 0.8 * s[0] * s[1], ds[1] = 0.6 * s[0] * s[1] - (0.8 + 0.2 * x[1]) * s[1];
}

static void prey(const double *x, const double *p, double *y)
{
    double s[2] = {1.5 + 0.5 * x[2], 1};
    runge_kutta(prey_slope, 2, s, x, 5, 600);
    y[0] = s[0], y[1] = s[1];
}

/* A counter-flow heat exchanger: both temperatures by relaxation along 40 cells. */
static void exchanger(const double *x, const double *p, double *y)
{
    enum { CELLS = 40, SWEEPS = 200 };
    double hot[CELLS + 1], cold[CELLS + 1], a = 1.5 + x[0], b = 1.5 + x[1], in = 80 + 15 * x[2], out = 15 + 5 * x[3];
    for (int i = 0; i <= CELLS; i++) hot[i] = in, cold[i] = out;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int i = 1; i <= CELLS; i++) hot[i] = (hot[i - 1] + a / CELLS * cold[i]) / (1 + a / CELLS);
        for (int i = CELLS - 1; i >= 0; i--) cold[i] = (cold[i + 1] + b / CELLS * hot[i]) / (1 + b / CELLS);
    }
    y[0] = hot[CELLS], y[1] = cold[0];
}

/* Heat in a rod with a source and a conductivity that depends on the temperature: the profile at 20 places. */
static void rod(const double *x, const double *p, double *y)
{
    enum { CELLS = 21, STEPS = 1200 };
    double u[CELLS + 1] = {0}, v[CELLS + 1], h = 1.0 / CELLS, dt = 0.15 * h * h;
    for (int step = 0; step < STEPS; step++) {
        memcpy(v, u, sizeof v);
        for (int i = 1; i < CELLS; i++) {
            double k = 1 + 0.3 * (1 + x[0]) * v[i], z = (i * h - 0.5 - 0.3 * x[1]) * 6;
            u[i] = v[i] + dt * (k * (v[i + 1] - 2 * v[i] + v[i - 1]) / (h * h) + (4 + 2 * x[2]) / (1 + z * z));
        }
    }
    for (int j = 0; j < 20; j++) y[j] = 0.05 + u[j + 1];
}

/* A stiff reaction of three substances. */
static void reaction_slope(double t, const double *s, const double *x, double *ds)
{
    double forth = (4 + 3 * x[0]) * s[0], back = (1 + 0.5 * x[1]) * s[1] * s[2], on = (2 + x[2]) * s[1];
    ds[0] = -forth + back, ds[1] = forth - back - on, ds[2] = on;
}

static void reaction(const double *x, const double *p, double *y)
{
    double s[3] = {1 + 0.3 * x[3], 0, 0.1};
    runge_kutta(reaction_slope, 3, s, x, 1, 500);
    memcpy(y, s, sizeof s);
}

const bench_map bench_simulations[] = {
    {"projectile", 4, 3, -1, 1, projectile}, {"pendulum", 3, 2, -1, 1, pendulum}, {"prey", 3, 2, -1, 1, prey},
    {"exchanger", 4, 2, -1, 1, exchanger},   {"rod", 3, 20, -1, 1, rod},          {"reaction", 4, 3, -1, 1, reaction},
    {NULL, 0, 0, 0, 0, NULL},
};

/* ---- problems ---- */

typedef struct map_self {
    const bench_map *map;
    double p[8], low[8], high[8];
    char identity[65];
} map_self;

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const map_self *self = problem->self;
    double *x = in;
    for (int64_t i = 0; i < n * self->map->d; i++) x[i] = self->map->low + (self->map->high - self->map->low) * nigh_rng_f64(rng);
    return NIGH_OK;
}

static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const map_self *self = problem->self;
    const double *x = in;
    double *y = out;
    for (int64_t i = 0; i < n; i++) self->map->value(x + i * self->map->d, self->p, y + i * self->map->m);
    return NIGH_OK;
}

static void free_problem(nigh_context *ctx, nigh_problem *problem)
{
    nigh_free(ctx, problem->self);
    nigh_free(ctx, problem);
}

static const nigh_problem_ops map_ops = {.draw = draw, .exact = exact, .free = free_problem};

nigh_status bench_map_problem(nigh_context *ctx, const bench_map *map, uint64_t seed, const char *measure, nigh_problem **out)
{
    nigh_problem *problem = nigh_alloc_zero(ctx, 1, sizeof *problem);
    map_self *self = nigh_alloc_zero(ctx, 1, sizeof *self);
    if (!problem || !self) {
        nigh_free(ctx, problem);
        nigh_free(ctx, self);
        return NIGH_MEMORY;
    }
    nigh_rng rng = nigh_rng_new(seed, 5);
    self->map = map;
    for (int i = 0; i < 8; i++) self->p[i] = nigh_rng_f64(&rng), self->low[i] = map->low, self->high[i] = map->high;
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, map->name);
    nigh_sha256_text(&hash, measure ? measure : "");
    nigh_sha256_add(&hash, self->p, sizeof self->p);
    nigh_sha256_hex(&hash, self->identity);
    *problem = (nigh_problem){.size = sizeof *problem, .kind = "map", .name = map->name, .identity = self->identity,
                              .in = {NIGH_F64, 1, {map->d}}, .out = {NIGH_F64, 1, {map->m}},
                              .measure = nigh_measure_find(measure ? measure : "relative-l2"),
                              .low = self->low, .high = self->high, .ops = &map_ops, .self = self};
    *out = problem;
    return NIGH_OK;
}

nigh_status bench_pairs_problem(nigh_context *ctx, const nigh_problem *source, uint64_t seed, int64_t rows, nigh_problem **problem)
{
    const map_self *self = source->self;
    nigh_array in = {{NIGH_F64, 2, {rows, self->map->d}}, NULL}, out = {{NIGH_F64, 2, {rows, self->map->m}}, NULL};
    nigh_rng rng = nigh_rng_new(seed, 6);
    nigh_shape in_shape = in.shape, out_shape = out.shape;
    nigh_status status = nigh_array_new(ctx, &in_shape, &in);
    if (!status) status = nigh_array_new(ctx, &out_shape, &out);
    if (!status) status = draw(ctx, source, &rng, rows, in.data);
    if (!status) status = exact(ctx, source, rows, in.data, out.data);
    if (!status)
        status = nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = source->name, .in = &in, .out = &out, .measure = source->measure->name}, problem);
    nigh_array_free(ctx, &in);
    nigh_array_free(ctx, &out);
    return status;
}
