/*
 * Networks trained on n points and asked on n, 2 n and 4 n. Inputs are drawn and solved once, on the finest grid; those of the others are its Fourier truncations. The network is that of the
 * method nns-to-nos; its forms are rewritten here, so that each can be asked by itself.
 */
#include "elsewhere.h"

#include "nigh/discretise.h"
#include "nigh/pde.h"
#include "operator/fields.h"
#include "operator/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct data {
    int dims;
    int64_t n[GRIDS], points[GRIDS], rows;
    double *in[GRIDS], *out[GRIDS];
    nigh_arena *arena;
} data;

static nigh_status restrict_to(nigh_context *ctx, data *d, int g)
{
    nigh_regridder *regridder = NULL;
    nigh_status status = nigh_regridder_new(ctx, &(nigh_regrid){.dims = d->dims, .grid = NIGH_GRID_PERIODIC, .from = d->n[GRIDS - 1], .to = d->n[g]}, &regridder);
    if (status) return status;
    void *workspace = nigh_alloc(ctx, nigh_regridder_workspace(regridder));
    for (int64_t i = 0; workspace && i < d->rows; i++) {
        nigh_regridder_run(regridder, d->in[GRIDS - 1] + i * d->points[GRIDS - 1], d->in[g] + i * d->points[g], workspace);
        nigh_regridder_run(regridder, d->out[GRIDS - 1] + i * d->points[GRIDS - 1], d->out[g] + i * d->points[g], workspace);
    }
    nigh_free(ctx, workspace);
    nigh_regridder_free(regridder);
    return workspace ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status data_new(nigh_context *ctx, const elsewhere_case *c, uint64_t seed, data *d)
{
    nigh_problem *problem = NULL;
    nigh_status status = nigh_pde_problem_new(ctx, &(nigh_pde){.equation = c->equation, .grid = c->n << (GRIDS - 1), .settings = c->with}, &problem);
    if (status) return status;
    d->dims = problem->in.ndim, d->rows = c->train + c->test;
    status = nigh_arena_new(ctx, &d->arena);
    for (int g = 0; g < GRIDS && !status; g++) {
        d->n[g] = c->n << g, d->points[g] = d->dims == 2 ? d->n[g] * d->n[g] : d->n[g];
        d->in[g] = nigh_arena_alloc(d->arena, (size_t)(d->rows * d->points[g]) * sizeof(double));
        d->out[g] = nigh_arena_alloc(d->arena, (size_t)(d->rows * d->points[g]) * sizeof(double));
        if (!d->in[g] || !d->out[g]) status = NIGH_MEMORY;
    }
    nigh_rng rng = nigh_rng_new(seed, 1);
    if (!status) status = problem->ops->draw(ctx, problem, &rng, d->rows, d->in[GRIDS - 1]);
    if (!status) status = problem->ops->exact(ctx, problem, d->rows, d->in[GRIDS - 1], d->out[GRIDS - 1]);
    for (int g = 0; g + 1 < GRIDS && !status; g++) status = restrict_to(ctx, d, g);
    nigh_problem_free(ctx, problem);
    return status;
}

static nigh_status train(nigh_context *ctx, const elsewhere_case *c, const data *d, nigh_plan **plan)
{
    const nigh_method *method = &nigh_method_nns_to_nos;
    nigh_settings settings = nigh_settings_default(method);
    nigh_shape shape = {NIGH_F64, d->dims, {c->n, c->n}};
    nigh_problem problem = {.size = sizeof problem, .kind = "map", .name = c->equation, .in = shape, .out = shape, .measure = nigh_measure_find("relative-l2"), .grid = NIGH_GRID_PERIODIC};
    nigh_progress_point point = {0};
    void *fit = NULL;
    nigh_status status = nigh_settings_parse(ctx, method, c->settings, &settings);
    if (!status) status = method->start(ctx, method, &problem, &(nigh_samples){.n = c->train, .in = d->in[0], .out = d->out[0]}, &settings, &fit);
    while (!status && !point.done) {
        status = method->advance(ctx, fit, 20, &point);
        nigh_progress(ctx, c->name, (double)point.units, (double)point.total);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status) status = method->finish(ctx, fit, plan);
    method->abandon(ctx, fit);
    return status;
}

/* The sabotage: kernels of more points that were not made smaller. */
static void forget_scale(nigh_network *from, nigh_network *to, double factor)
{
    nigh_parameters *a = nigh_network_parameters(from), *b = nigh_network_parameters(to);
    for (int i = 0; i < nigh_parameters_count(b); i++) {
        const nigh_parameter *p = nigh_parameters_at(b, i);
        int was = nigh_parameters_find(a, p->name);
        if (was < 0 || !memcmp(nigh_parameters_at(a, was)->shape.dim, p->shape.dim, sizeof p->shape.dim)) continue;
        for (int64_t k = 0; k < nigh_shape_count(&p->shape); k++) ((float *)nigh_parameters_data(b, i))[k] *= (float)factor;
    }
}

static nigh_status form_of(nigh_context *ctx, const claim_run *run, const field_plan *plan, const data *d, elsewhere_form form, int g, nigh_network **net)
{
    const nigh_discretisation spec = {.dims = d->dims, .trained = {d->n[0], d->n[0]}, .grid = NIGH_GRID_PERIODIC, .wrapper = form == ELSEWHERE_WRAPPER,
                                      .resampling = form == ELSEWHERE_HATS ? NIGH_RESAMPLING_LINEAR : NIGH_RESAMPLING_AUTO};
    nigh_status status = nigh_network_rewrite(plan->net, &spec, (int64_t[]){d->n[g], d->n[g]}, net);
    if (!status && form == ELSEWHERE_HATS && claim_sabotaged(run, "unscaled-kernels")) forget_scale(plan->net, *net, (double)(d->points[g] / d->points[0]));
    return status;
}

static nigh_status error_of(nigh_context *ctx, const claim_run *run, const elsewhere_case *c, const nigh_plan *plan, const data *d, elsewhere_form form, int g, double *error)
{
    const field_plan *self = plan->state;
    const nigh_measure *measure = nigh_measure_find("relative-l2");
    field_shape shape = self->shape;
    nigh_network *net = NULL;
    nigh_tape *tape = NULL;
    nigh_executor *exec = NULL;
    int input, output;
    shape.points = d->points[g];
    for (int k = 0; k < d->dims; k++) shape.size[k] = d->n[g];
    nigh_status status = form == ELSEWHERE_PLAIN ? NIGH_OK : form_of(ctx, run, self, d, form, g, &net);
    if (!status) status = field_executor(ctx, net ? net : self->net, &shape, &tape, &exec, &input, &output);
    double sum = 0, *answer = nigh_alloc(ctx, (size_t)d->points[g] * sizeof *answer);
    void *workspace = status ? NULL : nigh_alloc(ctx, field_workspace(exec, &shape));
    for (int64_t i = c->train; workspace && answer && i < d->rows; i++) {
        field_answer(self, exec, &shape, input, output, d->in[g] + i * d->points[g], answer, workspace);
        sum += measure->error(d->points[g], d->out[g] + i * d->points[g], answer, NIGH_F64);
    }
    *error = status ? NAN : sum / (double)c->test;
    if (!status && (!workspace || !answer)) status = NIGH_MEMORY;
    nigh_free(ctx, workspace);
    nigh_free(ctx, answer);
    nigh_executor_free(exec);
    nigh_tape_free(tape);
    nigh_network_free(net);
    return status == NIGH_INVALID ? NIGH_OK : status; /* a plain network that is for one grid only */
}

nigh_status elsewhere_measure(claim_run *run, const elsewhere_case *c, int seed, double error[FORMS][GRIDS])
{
    char key[96];
    snprintf(key, sizeof key, "%s-s%d", c->name, seed);
    if (claim_recall(run, key, FORMS * GRIDS, &error[0][0])) return NIGH_OK;
    data d = {0};
    nigh_plan *plan = NULL;
    uint64_t before = nigh_context_seed(run->ctx);
    nigh_context_set_seed(run->ctx, nigh_seed_split(claim_seed(run), (uint64_t)(10 + seed)));
    nigh_status status = data_new(run->ctx, c, nigh_seed_split(claim_seed(run), (uint64_t)(100 + seed)), &d);
    if (!status) status = train(run->ctx, c, &d, &plan);
    for (int f = 0; f < FORMS && !status; f++)
        for (int g = 0; g < GRIDS && !status; g++) status = error_of(run->ctx, run, c, plan, &d, (elsewhere_form)f, g, &error[f][g]);
    nigh_plan_free(run->ctx, plan);
    nigh_arena_free(d.arena);
    nigh_context_set_seed(run->ctx, before);
    return status ? status : claim_keep(run, key, FORMS * GRIDS, &error[0][0]);
}
