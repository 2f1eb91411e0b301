/* One-dimensional equations in time; see pde_evolution.h. */
#include "operator/pde_evolution.h"

#include <math.h>
#include <stdio.h>

int64_t pde_evolution_power(double x)
{
    int64_t power = 1;
    while ((double)power < x && power < INT64_C(1) << 40) power *= 2;
    return power;
}

nigh_status pde_evolution_check(nigh_context *ctx, const double *value, int64_t n)
{
    return n % 2 ? nigh_fail(ctx, NIGH_INVALID, "a periodic grid of %lld points; an even number is needed", (long long)n) : NIGH_OK;
}

enum { LARGEST = 6 }; /* values that tables are made for */

/* ---- answers ------------------------------------------------------------------------------------------- */

typedef struct solver {
    nigh_context *ctx;
    spectral *flow;
    const pde_evolution *of;
    double value[NIGH_MAX_OPTIONS];
    int64_t n, steps; /* at least */
    int effort;
    double drift;
} solver;

static int64_t least_steps(const pde_evolution *e, const double *value, int64_t n, int effort)
{
    int64_t steps = e->degree ? e->steps(value, n) >> (e->efforts - 1 - effort) : 1;
    return steps > 1 ? steps : 1;
}

/* Level of steps least 2^level for an input with these largest values; NaN: 0. */
static int level_of(const pde_evolution *e, const double *value, int64_t n, int effort, double largest)
{
    int level = 0, before = e->efforts - 1 - effort;
    double wanted = e->stable ? e->stable(value, n, largest) * (before == 0 ? 4 : before == 1 ? 2 : 1) : 0, steps = (double)least_steps(e, value, n, effort);
    while (level < SPECTRAL_LEVELS - 1 && steps < wanted) steps *= 2, level++;
    return level;
}

typedef struct with_values {
    const pde_evolution *evolution;
    const double *value;
} with_values;

static void symbol(const void *user, int64_t k, double linear[2], double gain[2])
{
    const with_values *w = user;
    w->evolution->symbol(w->value, k, linear, gain);
}

nigh_status pde_evolution_solver_new(nigh_context *ctx, const pde_evolution *e, const double *value, int64_t n, int effort, void **out)
{
    solver *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (solver){.ctx = ctx, .of = e, .n = n, .steps = least_steps(e, value, n, effort), .effort = effort, .drift = e->drift ? e->drift(value) : 0};
    for (int i = 0; i < NIGH_MAX_OPTIONS && e->options[i].name; i++) s->value[i] = value[i];
    with_values w = {e, value};
    spectral_spec spec = {NIGH_F64, n, e->degree, e->time(value) / (double)s->steps, 1 + level_of(e, value, n, effort, LARGEST), symbol, &w};
    nigh_status status = spectral_new(ctx, &spec, &s->flow);
    if (status) pde_evolution_solver_free(s);
    else *out = s;
    return status;
}

void pde_evolution_solver_free(void *self)
{
    solver *s = self;
    spectral_free(s->flow);
    nigh_free(s->ctx, s);
}

size_t pde_evolution_solver_workspace(const void *self) { return spectral_workspace(((const solver *)self)->flow); }

static double norm(int64_t count, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += x[i] * x[i];
    return sqrt(sum / (double)count);
}

/* Farthest value from the mean. */
static double largest_of(int64_t n, const double *in)
{
    double mean = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) mean += in[i] / (double)n;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(in[i] - mean));
    return largest;
}

void pde_evolution_solve(const void *self, const double *in, double *out, void *workspace)
{
    const solver *s = self;
    double most = s->of->growth * (1 + norm(s->n, in));
    int level = level_of(s->of, s->value, s->n, s->effort, s->of->stable ? largest_of(s->n, in) : 0);
    if (level >= s->flow->levels) level = s->flow->levels - 1;
    spectral_run(s->flow, level, s->steps << level, s->drift, in, out, workspace);
    if (!(norm(s->n, out) <= most))
        for (int64_t i = 0; i < s->n; i++) out[i] = NAN;
}

/* For inputs as large as most are. */
static int64_t steps_of(const pde_evolution *e, const double *value, int64_t n, int effort)
{
    return least_steps(e, value, n, effort) << level_of(e, value, n, effort, e->typical);
}

/* Short transforms in f64 run at a quarter of the rate of plain vectors in f32. */
nigh_work pde_evolution_work(const pde_evolution *e, const double *value, int64_t n, int effort)
{
    double points = (double)n, stage = 5 * points * log2(points) + 20 * points, steps = (double)steps_of(e, value, n, effort);
    return (nigh_work){.flops = 4 * (e->degree ? 4 * steps + 1 : 1) * stage, .bytes = 32 * points};
}

void pde_evolution_name(const pde_evolution *e, const double *value, int64_t n, int effort, char text[64])
{
    int64_t steps = steps_of(e, value, n, effort);
    if (e->degree) snprintf(text, 64, "%s%lld step%s of ETDRK4", e->stable ? "about " : "", (long long)steps, steps > 1 ? "s" : "");
    else snprintf(text, 64, "exact");
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

typedef struct sampler {
    nigh_context *ctx;
    int64_t n;
    nigh_gaussian_field *field;
    double (*finish)(double);
} sampler;

nigh_status pde_evolution_field_new(nigh_context *ctx, const nigh_gaussian *law, int64_t n, double (*finish)(double), void **out)
{
    sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){.ctx = ctx, .n = n, .finish = finish};
    nigh_status status = nigh_gaussian_field_new(ctx, law, n, &s->field);
    if (status) nigh_free(ctx, s);
    else *out = s;
    return status;
}

size_t pde_evolution_field_workspace(const void *self) { return nigh_gaussian_field_workspace(((const sampler *)self)->field); }

void pde_evolution_field(const void *self, nigh_rng *rng, double *in, void *workspace)
{
    const sampler *s = self;
    nigh_gaussian_field_draw(s->field, rng, in, workspace);
    for (int64_t i = 0; i < s->n && s->finish; i++) in[i] = s->finish(in[i]);
}

void pde_evolution_field_free(void *self)
{
    sampler *s = self;
    nigh_gaussian_field_free(s->field);
    nigh_free(s->ctx, s);
}
