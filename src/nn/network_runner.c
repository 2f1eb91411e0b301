/* Prepared networks, shared by threads. Declared in nigh/network.h. */
#include "nigh/network.h"

#include "grad/tape.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BATCHES = 16 };

typedef struct prepared {
    int64_t batch;
    nigh_executor *run;
    int *end; /* [ends]: input i as i, output o as inputs + o, a weight as -1 */
} prepared;

struct nigh_network_runner {
    nigh_context *ctx;
    nigh_tape *tape;
    nigh_arena *arena;
    int inputs, outputs, batches, most_ends;
    prepared of[MOST_BATCHES]; /* largest first; the last has batch 1 */
    size_t *input_bytes, *output_bytes; /* of a sample */
    nigh_shape *output_shape;
    size_t *same;              /* [outputs]: 1 + the input that is given back as it is; 0 */
    size_t pointers, workspace;
};

static int falling(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a > b ? -1 : a < b;
}

static nigh_status check_outputs(nigh_network_runner *r, nigh_network *net, int64_t batch, const nigh_node *outputs, const nigh_node *weights)
{
    for (int o = 0; o < r->outputs; o++) {
        for (int k = 0; k < nigh_parameters_count(nigh_network_parameters(net)); k++)
            if (outputs[o] == weights[k]) return nigh_fail(r->ctx, NIGH_INVALID, "runner: output %d is a weight", o);
        const nigh_shape *shape = nigh_tape_shape(r->tape, outputs[o]);
        if (shape->ndim < 1 || shape->dim[0] != batch)
            return nigh_fail(r->ctx, NIGH_INVALID, "runner: with %lld samples the first dimension of output %d (layer '%s') is %lld", (long long)batch, o,
                             nigh_network_at(net, nigh_network_output_layer(net, o))->name, (long long)(shape->ndim ? shape->dim[0] : 0));
        r->output_shape[o] = *shape;
        r->output_bytes[o] = (size_t)(nigh_shape_count(shape) / batch) * nigh_dtype_size(shape->dtype);
    }
    return NIGH_OK;
}

static nigh_status prepare(nigh_network_runner *r, nigh_network *net, const nigh_shape *shapes, const nigh_node *weights, prepared *p)
{
    nigh_node *inputs = nigh_arena_alloc(r->arena, (size_t)(r->inputs + 1) * sizeof *inputs), *outputs = nigh_arena_alloc(r->arena, (size_t)(r->outputs + 1) * sizeof *outputs);
    if (!inputs || !outputs) return NIGH_MEMORY;
    for (int i = 0; i < r->inputs; i++) {
        nigh_shape shape = shapes[i];
        if (shape.ndim < 1) return nigh_fail(r->ctx, NIGH_INVALID, "runner: input %d has no dimension of samples", i);
        shape.dim[0] = p->batch;
        inputs[i] = nigh_tape_input(r->tape, "input", shape.dtype, shape.ndim, shape.dim);
        if (inputs[i] == NIGH_NONE) return nigh_tape_status(r->tape);
        r->input_bytes[i] = (size_t)(nigh_shape_count(&shape) / p->batch) * nigh_dtype_size(shape.dtype);
    }
    nigh_status status = nigh_network_record(net, r->tape, NULL, inputs, weights, outputs);
    if (!status) status = check_outputs(r, net, p->batch, outputs, weights);
    if (!status) status = nigh_executor_new(r->ctx, r->tape, r->outputs, outputs, &p->run);
    if (!status) status = nigh_parameters_bind(nigh_network_parameters(net), p->run, weights);
    if (status) return status;
    int ends = nigh_executor_ends(p->run);
    if (ends > r->most_ends) r->most_ends = ends;
    if (!(p->end = nigh_arena_alloc(r->arena, (size_t)(ends + 1) * sizeof *p->end))) return NIGH_MEMORY;
    for (int e = 0; e < ends; e++) {
        nigh_node node = nigh_executor_end(p->run, e);
        p->end[e] = -1;
        for (int o = r->outputs - 1; o >= 0; o--)
            if (outputs[o] == node) p->end[e] = r->inputs + o;
        for (int i = 0; i < r->inputs; i++)
            if (inputs[i] == node) p->end[e] = i;
    }
    /* outputs that are no ends of their own: an input, a weight, or an output before */
    for (int o = 0; o < r->outputs; o++)
        for (int e = 0; e < r->inputs + o; e++)
            if (!r->same[o] && outputs[o] == (e < r->inputs ? inputs[e] : outputs[e - r->inputs])) r->same[o] = (size_t)e + 1;
    return NIGH_OK;
}

static nigh_status build(nigh_network_runner *r, nigh_network *net, const nigh_shape *shapes, int batches, const int64_t *batch)
{
    int64_t size[MOST_BATCHES] = {128, 16, 1};
    if (batches) memcpy(size, batch, (size_t)batches * sizeof *size);
    r->batches = batches ? batches : 3;
    qsort(size, (size_t)r->batches, sizeof *size, falling);
    if (size[r->batches - 1] != 1) return nigh_fail(r->ctx, NIGH_INVALID, "runner: the smallest batch is %lld; it must be 1", (long long)size[r->batches - 1]);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node *weights = nigh_arena_alloc(r->arena, (size_t)(nigh_parameters_count(set) + 1) * sizeof *weights);
    r->input_bytes = nigh_arena_alloc_zero(r->arena, (size_t)r->inputs + 1, sizeof *r->input_bytes);
    r->output_bytes = nigh_arena_alloc_zero(r->arena, (size_t)r->outputs + 1, sizeof *r->output_bytes);
    r->same = nigh_arena_alloc_zero(r->arena, (size_t)r->outputs + 1, sizeof *r->same);
    r->output_shape = nigh_arena_alloc_zero(r->arena, (size_t)r->outputs + 1, sizeof *r->output_shape);
    if (!weights || !r->input_bytes || !r->output_bytes || !r->same || !r->output_shape) return NIGH_MEMORY;
    nigh_status status = nigh_parameters_record(set, r->tape, weights);
    for (int b = 0; b < r->batches && !status; b++) {
        r->of[b].batch = size[b];
        status = prepare(r, net, shapes, weights, &r->of[b]);
        if (!status && nigh_executor_workspace(r->of[b].run) > r->workspace) r->workspace = nigh_executor_workspace(r->of[b].run);
    }
    r->pointers = ((size_t)r->most_ends * sizeof(void *) + 63) / 64 * 64 + 64;
    r->workspace += r->pointers;
    return status;
}

nigh_status nigh_network_runner_new(nigh_network *net, const nigh_shape *shapes, int batches, const int64_t *batch, int threads, nigh_network_runner **runner)
{
    nigh_context *ctx = nigh_network_context(net);
    if (nigh_network_status(net)) return nigh_network_status(net);
    if (batches < 0 || batches > MOST_BATCHES) return nigh_fail(ctx, NIGH_INVALID, "runner: %d sizes of batches; 0 to %d are allowed", batches, MOST_BATCHES);
    if (nigh_network_outputs(net) < 1) return nigh_fail(ctx, NIGH_INVALID, "runner: the network has no output");
    int before = nigh_context_threads(ctx);
    nigh_status status = nigh_context_set_threads(ctx, threads);
    if (status) return status;
    nigh_network_runner *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (r) {
        *r = (nigh_network_runner){.ctx = ctx, .inputs = nigh_network_inputs(net), .outputs = nigh_network_outputs(net)};
        status = nigh_arena_new(ctx, &r->arena);
        if (!status) status = nigh_tape_new(ctx, &r->tape);
        if (!status) status = build(r, net, shapes, batches, batch);
    } else
        status = NIGH_MEMORY;
    nigh_context_set_threads(ctx, before);
    if (status) nigh_network_runner_free(r);
    else *runner = r;
    return status;
}

void nigh_network_runner_free(nigh_network_runner *r)
{
    if (!r) return;
    for (int b = 0; b < r->batches; b++) nigh_executor_free(r->of[b].run);
    nigh_tape_free(r->tape);
    nigh_arena_free(r->arena);
    nigh_free(r->ctx, r);
}

size_t nigh_network_runner_workspace(const nigh_network_runner *r) { return r->workspace; }
const nigh_shape *nigh_network_runner_shape(const nigh_network_runner *r, int o) { return o < 0 || o >= r->outputs ? NULL : &r->output_shape[o]; }

void nigh_network_runner_apply(const nigh_network_runner *r, int64_t samples, const void *const *inputs, void *const *outputs, void *workspace)
{
    void **at = (void **)(((uintptr_t)workspace + 63) / 64 * 64);
    char *room = (char *)at + r->pointers - 64;
    int b = 0;
    for (int64_t done = 0; done < samples; done += r->of[b].batch) {
        while (r->of[b].batch > samples - done) b++;
        const prepared *p = &r->of[b];
        for (int e = 0; e < nigh_executor_ends(p->run); e++) {
            int end = p->end[e];
            at[e] = end < 0           ? NULL
                    : end < r->inputs ? (char *)(uintptr_t)inputs[end] + (size_t)done * r->input_bytes[end]
                                      : (char *)outputs[end - r->inputs] + (size_t)done * r->output_bytes[end - r->inputs];
        }
        nigh_executor_run_in(p->run, at, room);
    }
    for (int o = 0; o < r->outputs; o++) {
        size_t from = r->same[o];
        if (from) memcpy(outputs[o], from <= (size_t)r->inputs ? inputs[from - 1] : outputs[from - 1 - (size_t)r->inputs], (size_t)samples * r->output_bytes[o]);
    }
}
