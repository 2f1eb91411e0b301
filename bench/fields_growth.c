/*
 * How training steps and one-sample answers of networks on fields grow with the grid, 32 x 32 to 256 x 256 points:
 *
 *   fields_growth mgno|latent-spectral-models|fno [threads=1] [batch=4] [rounds=5] [width=W]
 *
 * Prints the fastest seconds of each size and, of a line through their logarithms over that of the points, the exponent: 1 is proportional.
 */
#include "nigh/fields.h"
#include "nigh/operators_rows.h"
#include "nigh/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 4 };
static const int64_t sizes[SIZES] = {32, 64, 128, 256};

typedef struct options {
    const char *method;
    double threads, batch, rounds, width;
} options;

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "fields_growth: %s\n", nigh_message(ctx));
    exit(1);
}

/* The same weights on every grid where the method allows it: as many levels, scales, modes. */
static nigh_network *network_of(nigh_context *ctx, const options *o, int64_t n)
{
    nigh_network *net = NULL;
    int64_t width = (int64_t)o->width;
    nigh_mgno_spec mgno = {.dims = 2, .size = {n, n}, .in = 1, .out = 1, .width = width ? width : 16, .layers = 3, .levels = 5};
    nigh_lsm_spec latent = {.dims = 2, .in = 1, .out = 1, .width = width ? width : 16, .scales = 3};
    nigh_fno_spec fourier = {.dims = 2, .in = 1, .out = 1, .width = width ? width : 32, .modes = {12, 12}, .layers = 4};
    if (!strcmp(o->method, "mgno")) check(ctx, nigh_mgno_new(ctx, NIGH_F32, &mgno, &net));
    else if (!strcmp(o->method, "fno")) check(ctx, nigh_fno_new(ctx, NIGH_F32, &fourier, &net));
    else check(ctx, nigh_lsm_new(ctx, NIGH_F32, &latent, &net));
    check(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    return net;
}

static nigh_node record(void *user, const nigh_loss_call *call)
{
    nigh_node answer;
    if (nigh_network_record(user, call->tape, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    return nigh_tape_relative_l2(call->tape, answer, call->batch[1]);
}

static float *noise(int64_t count)
{
    float *x = aligned_alloc(64, ((size_t)count * sizeof *x + 63) / 64 * 64);
    nigh_rng rng = nigh_rng_new(1, 1);
    for (int64_t i = 0; i < count; i++) x[i] = (float)(nigh_rng_f64(&rng) - 0.5);
    return x;
}

/* Of a step with a batch in parts that stay in the caches, as plans are trained. */
static double step_seconds(nigh_context *ctx, const options *o, int64_t n)
{
    nigh_network *net = network_of(ctx, o, n);
    int64_t batch = (int64_t)o->batch;
    float *x = noise(batch * n * n), *y = noise(batch * n * n);
    nigh_array arrays[2] = {{{NIGH_F32, 4, {batch, n, n, 1}}, x}, {{NIGH_F32, 4, {batch, n, n, 1}}, y}};
    nigh_batches *rows;
    nigh_training *training;
    check(ctx, nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 1, .in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.record = record, spec.user = net, spec.batches = rows, spec.accumulate = (int)batch;
    spec.rate = (nigh_schedule){.base = 1e-3}, spec.steps = 1 << 30, spec.validate_every = 1 << 30;
    check(ctx, nigh_training_new(ctx, &spec, &training));
    double least = INFINITY;
    check(ctx, nigh_training_advance(training, 2));
    for (int i = 0; i < (int)o->rounds; i++) {
        double start = nigh_clock();
        check(ctx, nigh_training_advance(training, 1));
        least = fmin(least, nigh_clock() - start);
    }
    nigh_training_free(training);
    nigh_batches_free(rows);
    nigh_network_free(net);
    free(x), free(y);
    return least;
}

static double apply_seconds(nigh_context *ctx, const options *o, int64_t n)
{
    nigh_network *net = network_of(ctx, o, n);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node *parameter = calloc((size_t)nigh_parameters_count(set), sizeof *parameter), y;
    nigh_tape *tape;
    nigh_executor *run;
    float *data = noise(n * n);
    check(ctx, nigh_tape_new(ctx, &tape));
    nigh_node x = nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){1, n, n, 1});
    check(ctx, nigh_parameters_record(set, tape, parameter));
    check(ctx, nigh_network_record(net, tape, NULL, &x, parameter, &y));
    check(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    check(ctx, nigh_parameters_bind(set, run, parameter));
    check(ctx, nigh_executor_bind(run, x, data));
    double least = INFINITY;
    for (int i = 0; i < 3 + 4 * (int)o->rounds; i++) {
        double start = nigh_clock();
        check(ctx, nigh_executor_run(run));
        if (i >= 3) least = fmin(least, nigh_clock() - start);
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    free(parameter), free(data);
    return least;
}

/* Slope of a line through the logarithms. */
static double exponent(const double *seconds)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (int i = 0; i < SIZES; i++) {
        double x = log((double)(sizes[i] * sizes[i])), y = log(seconds[i]);
        sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    return (SIZES * sxy - sx * sy) / (SIZES * sxx - sx * sx);
}

int main(int argc, char **argv)
{
    static const char *const methods[] = {"fno", "latent-spectral-models", "mgno"};
    options o = {.method = argc > 1 ? argv[1] : "", .threads = 1, .batch = 4, .rounds = 5};
    struct { const char *key; double *value; } keys[] = {{"threads=", &o.threads}, {"batch=", &o.batch}, {"rounds=", &o.rounds}, {"width=", &o.width}};
    bool known = false;
    nigh_context *ctx;
    for (int i = 0; i < 3; i++) known |= !strcmp(o.method, methods[i]);
    for (int i = 2; i < argc; i++)
        for (int k = 0; k < 4; k++)
            if (!strncmp(argv[i], keys[k].key, strlen(keys[k].key))) *keys[k].value = atof(argv[i] + strlen(keys[k].key));
    if (!known) return fprintf(stderr, "fields_growth fno|latent-spectral-models|mgno [threads=1] [batch=4] [rounds=5] [width=W]\n"), 2;
    if (nigh_context_new(&ctx)) return 1;
    check(ctx, nigh_context_set_threads(ctx, (int)o.threads));
    double step[SIZES], apply[SIZES];
    for (int i = 0; i < SIZES; i++) {
        step[i] = step_seconds(ctx, &o, sizes[i]), apply[i] = apply_seconds(ctx, &o, sizes[i]);
        printf("%4lld x %-4lld step %9.3f ms, %6.1f ns a point; answer %9.3f ms, %6.1f ns a point\n", (long long)sizes[i], (long long)sizes[i], 1e3 * step[i],
               1e9 * step[i] / (o.batch * (double)(sizes[i] * sizes[i])), 1e3 * apply[i], 1e9 * apply[i] / (double)(sizes[i] * sizes[i]));
    }
    printf("%s: exponent of the step %.3f, of the answer %.3f\n", o.method, exponent(step), exponent(apply));
    nigh_context_free(ctx);
    return 0;
}
