/*
 * Evaluates many ONNX files in one process, for onnx_beside.py: a line of the list holds network, inputs (npz: x0, x1 ..), where outputs go (npz: y0, y1 ..) and where the network is
 * written back to ("-": nowhere), with tabs between. Prints "ok", or "read", "run" or "write" with the message, a line each.
 *
 *   onnx_run LIST
 */
#include "nigh/grad.h"
#include "nigh/io.h"
#include "nigh/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

/* In the type that the network takes. */
static nigh_status take_input(nigh_context *ctx, const nigh_bundle *all, int i, nigh_dtype dtype, nigh_array *x)
{
    char name[16];
    snprintf(name, sizeof name, "x%d", i);
    const nigh_array *from = nigh_bundle_find(all, name);
    if (!from) return nigh_fail(ctx, NIGH_INVALID, "'%s' is missing", name);
    nigh_shape shape = from->shape;
    shape.dtype = dtype;
    nigh_status status = nigh_array_new(ctx, &shape, x);
    for (int64_t k = 0; !status && k < nigh_shape_count(&shape); k++) nigh_array_set(x, k, nigh_array_get(from, k));
    return status;
}

static nigh_status run(nigh_network *net, nigh_array *x, nigh_bundle *results)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    nigh_executor *executor = NULL;
    nigh_node in[MOST], out[MOST], *weight = malloc(sizeof *weight * (size_t)(nigh_parameters_count(set) + 1));
    nigh_status status = weight ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(net) && !status; i++) in[i] = nigh_tape_input(tape, "x", x[i].shape.dtype, x[i].shape.ndim, x[i].shape.dim);
    if (!status) status = nigh_parameters_record(set, tape, weight);
    if (!status) status = nigh_network_record(net, tape, NULL, in, weight, out);
    if (!status) status = nigh_executor_new(ctx, tape, nigh_network_outputs(net), out, &executor);
    if (!status) status = nigh_parameters_bind(set, executor, weight);
    for (int i = 0; i < nigh_network_inputs(net) && !status; i++)
        if (nigh_executor_has(executor, in[i])) status = nigh_executor_bind(executor, in[i], x[i].data);
    if (!status) status = nigh_executor_run(executor);
    for (int o = 0; o < nigh_network_outputs(net) && !status; o++) {
        char name[16];
        snprintf(name, sizeof name, "y%d", o);
        nigh_array y = {.shape = *nigh_tape_shape(tape, out[o]), .data = (void *)nigh_executor_data(executor, out[o])};
        status = nigh_bundle_add(results, name, &y);
    }
    nigh_executor_free(executor);
    nigh_tape_free(tape);
    free(weight);
    return status;
}

static const char *one(nigh_context *ctx, const char *path, const char *inputs, const char *outputs, const char *back)
{
    nigh_network *net = NULL;
    nigh_bundle given = {.ctx = ctx}, results = {.ctx = ctx};
    nigh_array x[MOST] = {{.data = NULL}};
    nigh_shape shape[MOST];
    const char *failed = NULL;
    if (nigh_onnx_read(ctx, path, &net)) return "read";
    int n = nigh_network_inputs(net);
    nigh_status status = n > MOST || nigh_network_outputs(net) > MOST ? nigh_fail(ctx, NIGH_UNSUPPORTED, "too many inputs") : nigh_npz_read(ctx, inputs, &given);
    for (int i = 0; i < n && !status; i++) {
        status = take_input(ctx, &given, i, nigh_network_input_shape(net, i)->dtype, &x[i]);
        shape[i] = x[i].shape;
        if (nigh_network_input_shape(net, i)->ndim && nigh_network_input_shape(net, i)->dim[0] < 0) shape[i].dim[0] = -1;
    }
    if (!status) status = run(net, x, &results);
    if (!status) status = nigh_npz_write(ctx, outputs, &results, 0);
    if (status) failed = "run";
    else if (strcmp(back, "-") && nigh_onnx_write(net, shape, back)) failed = "write";
    for (int i = 0; i < n && i < MOST; i++) nigh_array_free(ctx, &x[i]);
    nigh_bundle_free(&given);
    nigh_bundle_free(&results);
    nigh_network_free(net);
    return failed;
}

int main(int argc, char **argv)
{
    static char line[8192];
    nigh_context *ctx = NULL;
    FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!list || nigh_context_new(&ctx) || nigh_context_set_threads(ctx, 1)) {
        fprintf(stderr, "usage: onnx_run LIST\n");
        return 2;
    }
    while (fgets(line, sizeof line, list)) {
        char *field[4] = {NULL};
        for (int i = 0; i < 4; i++) field[i] = strtok(i ? NULL : line, "\t\n");
        if (!field[3]) continue;
        const char *failed = one(ctx, field[0], field[1], field[2], field[3]);
        printf("%s\t%s\n", failed ? failed : "ok", failed ? nigh_message(ctx) : "");
        fflush(stdout);
    }
    fclose(list);
    nigh_context_free(ctx);
    return 0;
}
