#include "networks.h"

#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void fill_uniform(nigh_array *array, double low, double high, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t i = 0; i < nigh_shape_count(&array->shape); i++) {
        double v = low + (high - low) * nigh_rng_f64(&rng);
        nigh_array_set(array, i, array->shape.dtype == NIGH_I32 ? floor(v) : v);
    }
}

void fill_weights(nigh_network *net, double low, double high, uint64_t seed)
{
    nigh_parameters *set = nigh_network_parameters(net);
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        nigh_array array = {.shape = nigh_parameters_at(set, i)->shape, .data = nigh_parameters_data(set, i)};
        fill_uniform(&array, low, high, seed + (uint64_t)i);
    }
}

void run_on_tape(nigh_network *net, nigh_array *inputs, nigh_array *outputs)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node in[64], out[64], *weight = malloc(sizeof *weight * (size_t)(nigh_parameters_count(set) + 1));
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    for (int i = 0; i < nigh_network_inputs(net); i++) in[i] = nigh_tape_input(tape, "x", inputs[i].shape.dtype, inputs[i].shape.ndim, inputs[i].shape.dim);
    assert_ok(ctx, nigh_parameters_record(set, tape, weight));
    assert_ok(ctx, nigh_network_record(net, tape, NULL, in, weight, out));
    assert_ok(ctx, nigh_executor_new(ctx, tape, nigh_network_outputs(net), out, &run));
    assert_ok(ctx, nigh_parameters_bind(set, run, weight));
    for (int i = 0; i < nigh_network_inputs(net); i++)
        if (nigh_executor_has(run, in[i])) assert_ok(ctx, nigh_executor_bind(run, in[i], inputs[i].data));
    assert_ok(ctx, nigh_executor_run(run));
    for (int o = 0; o < nigh_network_outputs(net); o++) {
        assert_ok(ctx, nigh_array_new(ctx, nigh_tape_shape(tape, out[o]), &outputs[o]));
        memcpy(outputs[o].data, nigh_executor_data(run, out[o]), (size_t)nigh_shape_count(&outputs[o].shape) * nigh_dtype_size(outputs[o].shape.dtype));
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    free(weight);
}

void check_network(const char *name, nigh_network *net, nigh_array *inputs, double tolerance)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_array tape[64], plain[64];
    run_on_tape(net, inputs, tape);
    assert_ok(ctx, nigh_network_evaluate_f64(net, inputs, plain));
    for (int o = 0; o < nigh_network_outputs(net); o++) {
        if (tape[o].shape.ndim != plain[o].shape.ndim || memcmp(tape[o].shape.dim, plain[o].shape.dim, (size_t)plain[o].shape.ndim * sizeof(int64_t)))
            fail_msg("%s: output %d has another shape on the tape", name, o);
        for (int64_t i = 0; i < nigh_shape_count(&plain[o].shape); i++) {
            double a = nigh_array_get(&tape[o], i), b = nigh_array_get(&plain[o], i);
            if (!(fabs(a - b) <= tolerance * (1 + fabs(b)))) fail_msg("%s: output %d element %lld is %.9g, not %.9g", name, o, (long long)i, a, b);
        }
        nigh_array_free(ctx, &tape[o]);
        nigh_array_free(ctx, &plain[o]);
    }
}
