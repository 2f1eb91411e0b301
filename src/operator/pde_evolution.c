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
    return n % 2 ? nigh_fail(ctx, NIGH_INVALID, "a grid of %lld points; even ones are allowed", (long long)n) : NIGH_OK;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

typedef struct solver {
    nigh_context *ctx;
    spectral *flow;
    int64_t n, steps;
    double drift, growth;
} solver;

static int64_t steps_of(const pde_evolution *e, const double *value, int64_t n, int effort)
{
    int64_t steps = e->degree ? e->steps(value, n) >> (e->efforts - 1 - effort) : 1;
    return steps > 1 ? steps : 1;
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
    *s = (solver){.ctx = ctx, .n = n, .steps = steps_of(e, value, n, effort), .drift = e->drift ? e->drift(value) : 0, .growth = e->growth};
    with_values w = {e, value};
    spectral_spec spec = {NIGH_F64, n, e->degree, e->time(value) / (double)s->steps, symbol, &w};
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

void pde_evolution_solve(const void *self, const double *in, double *out, void *workspace)
{
    const solver *s = self;
    double most = s->growth * (1 + norm(s->n, in));
    spectral_run(s->flow, s->steps, s->drift, in, out, workspace);
    if (!(norm(s->n, out) <= most))
        for (int64_t i = 0; i < s->n; i++) out[i] = NAN;
}

nigh_work pde_evolution_work(const pde_evolution *e, const double *value, int64_t n, int effort)
{
    double points = (double)n, stage = 5 * points * log2(points) + 20 * points, steps = (double)steps_of(e, value, n, effort);
    return (nigh_work){.flops = (e->degree ? 4 * steps + 1 : 1) * stage, .bytes = 32 * points};
}

void pde_evolution_name(const pde_evolution *e, const double *value, int64_t n, int effort, char text[64])
{
    int64_t steps = steps_of(e, value, n, effort);
    snprintf(text, 64, e->degree ? "%lld step%s of ETDRK4" : "exact", (long long)steps, steps > 1 ? "s" : "");
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
