/* One linear layer that learns the inverse of -Laplace from pairs of random right sides and solutions. */
#include "parts.h"

#include "nigh/layers.h"
#include "nigh/operators_rows.h"
#include "nigh/train.h"

#include <math.h>

enum { CYCLE_WIDTH = 8, STACK_WIDTH = 16, STACK = 8 };

typedef struct learner {
    const inverse *it;
    nigh_network *net;
    float *x, *y;
} learner;

/* Right sides of independent normal numbers; both scaled to 1 in the mean. */
static nigh_status draw(nigh_context *ctx, learner *l)
{
    const int64_t n = l->it->n, width = n * n, rows = l->it->fit + l->it->tests;
    nigh_pde_solver *solver = NULL;
    nigh_status status = nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "poisson", .grid = n}, -1, &solver);
    double *f = nigh_alloc(ctx, (size_t)(2 * width) * sizeof *f), *u = f ? f + width : NULL, scale = 0;
    void *workspace = status ? NULL : nigh_alloc(ctx, nigh_pde_solver_workspace(solver));
    l->x = nigh_alloc(ctx, (size_t)(rows * width) * sizeof *l->x), l->y = nigh_alloc(ctx, (size_t)(rows * width) * sizeof *l->y);
    if (!status && (!f || !workspace || !l->x || !l->y)) status = NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(l->it->seed, 4);
    for (int64_t i = 0; i < rows && !status; i++) {
        nigh_rng_fill_normal(&rng, width, f);
        nigh_pde_solve(solver, f, u, workspace);
        if (!i) {
            for (int64_t k = 0; k < width; k++) scale += u[k] * u[k] / (double)width;
            scale = 1 / sqrt(scale);
        }
        for (int64_t k = 0; k < width; k++) l->x[i * width + k] = (float)f[k], l->y[i * width + k] = (float)(scale * u[k]);
    }
    nigh_free(ctx, workspace);
    nigh_free(ctx, f);
    nigh_pde_solver_free(solver);
    return status;
}

static nigh_status build(nigh_context *ctx, learner *l)
{
    const int64_t n = l->it->n;
    if (!l->it->stack) return nigh_mgno_cycle_new(ctx, NIGH_F32, &(nigh_mgno_spec){.dims = 2, .size = {n, n}, .in = 1, .width = CYCLE_WIDTH}, &l->net);
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &l->net);
    if (status) return status;
    int x = nigh_network_input(l->net, "x", 4, (int64_t[]){-1, n, n, 1});
    for (int i = 0; i < STACK; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv.%d", i);
        x = nigh_network_conv_same(l->net, name, x, i ? STACK_WIDTH : 1, STACK_WIDTH, 2, 3, NIGH_PAD_ZERO, false);
    }
    nigh_network_output(l->net, x);
    return nigh_network_status(l->net);
}

/* The first channel is the answer, the others are there to think. */
static nigh_node answer_of(const learner *l, nigh_tape *tape, nigh_recording *how, const nigh_node *x, const nigh_node *parameters)
{
    nigh_node all;
    if (nigh_network_record(l->net, tape, how, x, parameters, &all)) return NIGH_NONE;
    return nigh_tape_slice(tape, all, -1, 0, 1, 1);
}

static nigh_node record(void *user, const nigh_loss_call *call)
{
    return nigh_tape_relative_l2(call->tape, answer_of(user, call->tape, call->recording, call->batch, call->parameters), call->batch[1]);
}

static nigh_status train(nigh_context *ctx, learner *l)
{
    const int64_t n = l->it->n, batch = 4;
    nigh_array arrays[2] = {{{NIGH_F32, 4, {l->it->fit, n, n, 1}}, l->x}, {{NIGH_F32, 4, {l->it->fit, n, n, 1}}, l->y}};
    nigh_batches *rows = NULL;
    nigh_training *fit = NULL;
    nigh_training_spec spec = nigh_training_defaults("adam");
    nigh_status status = nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = batch}, &rows);
    spec.parameters = nigh_network_parameters(l->net), spec.record = record, spec.user = l, spec.batches = rows, spec.seed = l->it->seed, spec.clip = 1;
    spec.rate = (nigh_schedule){.kind = "one-cycle", .base = 5e-3, .rise = 0.2, .divide = 10, .divide_last = 100};
    spec.steps = l->it->epochs * (l->it->fit / batch);
    if (!status) status = nigh_training_new(ctx, &spec, &fit);
    if (!status) status = nigh_training_run(fit);
    nigh_training_free(fit);
    nigh_batches_free(rows);
    return status;
}

static nigh_status test(nigh_context *ctx, const learner *l, double *error)
{
    const int64_t n = l->it->n;
    nigh_parameters *set = nigh_network_parameters(l->net);
    nigh_node *parameter = nigh_alloc(ctx, (size_t)nigh_parameters_count(set) * sizeof *parameter), x, y;
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_status status = parameter ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    if (!status) {
        x = nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){l->it->tests, n, n, 1});
        nigh_node want = nigh_tape_constant(tape, NIGH_F32, 4, (int64_t[]){l->it->tests, n, n, 1}, l->y + l->it->fit * n * n);
        status = nigh_parameters_record(set, tape, parameter);
        y = nigh_tape_relative_l2(tape, answer_of(l, tape, NULL, &x, parameter), want);
    }
    if (!status) status = nigh_executor_new(ctx, tape, 1, &y, &run);
    if (!status) status = nigh_parameters_bind(set, run, parameter);
    if (!status) status = nigh_executor_bind(run, x, l->x + l->it->fit * n * n);
    if (!status) status = nigh_executor_run(run);
    if (!status) *error = *(const float *)nigh_executor_data(run, y);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_free(ctx, parameter);
    return status;
}

nigh_status inverse_learn(nigh_context *ctx, inverse *it)
{
    learner l = {.it = it};
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = draw(ctx, &l);
    if (!status) status = build(ctx, &l);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(l.net), it->seed);
    if (!status) status = train(ctx, &l);
    if (!status) status = test(ctx, &l, &it->error);
    if (!status) it->weights = (double)nigh_parameters_numbers(nigh_network_parameters(l.net));
    nigh_network_free(l.net);
    nigh_free(ctx, l.x);
    nigh_free(ctx, l.y);
    return status;
}
