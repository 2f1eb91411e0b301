/*
 * Times of training and applying multilayer perceptrons, for bench/train_beside.py, which has PyTorch do the same in turns: `train_mlp --serve` reads names of
 * cases from standard input and prints "NAME seconds"; `train_mlp NAME ...` prints the times of those cases once, `--profile NAME` where a step spends them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/train.h"
#include "nn/train.h"

static void must(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "%s: %s\n", nigh_status_text(status), nigh_message(ctx));
    exit(1);
}

static nigh_network *network(nigh_context *ctx, int layers, const int64_t *width, const char *act)
{
    nigh_network *net;
    must(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, width[0]});
    for (int i = 0; i < layers; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", i);
        x = nigh_network_linear(net, name, x, width[i], width[i + 1], true);
        snprintf(name, sizeof name, "a%d", i);
        if (i < layers - 1) x = nigh_network_layer(net, act, name, 1, &x);
    }
    nigh_network_output(net, x);
    must(ctx, nigh_network_status(net));
    must(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    return net;
}

/* ---- 784-256-256-10 -------------------------------------------------------------------------------------- */

static const int64_t wide[] = {784, 256, 256, 10};
enum { ROWS = 8000, BATCH = 128 };

typedef struct digits {
    nigh_array array[2];
    nigh_network *net;
    nigh_batches *batches;
    nigh_training *training;
} digits;

static digits digits_new(nigh_context *ctx)
{
    digits d;
    nigh_shape shape[2] = {{NIGH_F32, 2, {ROWS, 784}}, {NIGH_I32, 1, {ROWS}}};
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int k = 0; k < 2; k++) must(ctx, nigh_array_new(ctx, &shape[k], &d.array[k]));
    nigh_rng_fill_f32(&rng, ROWS * 784, d.array[0].data);
    for (int64_t i = 0; i < ROWS; i++) ((int32_t *)d.array[1].data)[i] = (int32_t)nigh_rng_below(&rng, 10);
    d.net = network(ctx, 3, wide, "relu");
    must(ctx, nigh_batches_arrays(ctx, 2, d.array, &(nigh_arrays_options){.batch = BATCH}, &d.batches));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = d.net, spec.loss = NIGH_LOSS_CROSS_ENTROPY, spec.batches = d.batches, spec.steps = INT64_MAX / 4;
    must(ctx, nigh_training_new(ctx, &spec, &d.training));
    return d;
}

static void digits_free(nigh_context *ctx, digits *d)
{
    nigh_training_free(d->training);
    nigh_batches_free(d->batches);
    nigh_network_free(d->net);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &d->array[k]);
}

/* Median seconds of a step over 9 rounds of 20. */
static int by_value(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b; }

static double digits_steps(nigh_context *ctx, int64_t steps, int rounds)
{
    digits d = digits_new(ctx);
    double time[64];
    must(ctx, nigh_training_advance(d.training, 20));
    for (int i = 0; i < rounds; i++) {
        double start = nigh_clock();
        must(ctx, nigh_training_advance(d.training, steps));
        time[i] = (nigh_clock() - start) / (double)steps;
    }
    digits_free(ctx, &d);
    qsort(time, (size_t)rounds, sizeof *time, by_value);
    return time[rounds / 2];
}

static double digits_apply(nigh_context *ctx, int64_t batch)
{
    nigh_network *net = network(ctx, 3, wide, "relu");
    nigh_tape *tape;
    nigh_executor *run;
    must(ctx, nigh_tape_new(ctx, &tape));
    nigh_node x = nigh_tape_input(tape, "x", NIGH_F32, 2, (int64_t[]){batch, 784}), out, weights[16];
    must(ctx, nigh_parameters_record(nigh_network_parameters(net), tape, weights));
    must(ctx, nigh_network_record(net, tape, NULL, &x, weights, &out));
    must(ctx, nigh_executor_new(ctx, tape, 1, &out, &run));
    must(ctx, nigh_parameters_bind(nigh_network_parameters(net), run, weights));
    nigh_rng rng = nigh_rng_new(3, 0);
    nigh_rng_fill_f32(&rng, batch * 784, nigh_executor_data(run, x));
    double time[15];
    int64_t n = batch > 100 ? 100 : 1000;
    for (int i = 0; i < 15; i++) {
        double start = nigh_clock();
        for (int k = 0; k < n; k++) must(ctx, nigh_executor_run(run));
        time[i] = (nigh_clock() - start) / (double)n;
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    qsort(time, 15, sizeof *time, by_value);
    return time[7];
}

/* ---- 100 trainings of 20-50-1 ---------------------------------------------------------------------------- */

enum { POINTS = 1000, NETS = 100, EPOCHS = 200 };

typedef struct many {
    nigh_array array[2];
    int64_t batch;
} many;

static nigh_status train_one(void *user, nigh_context *ctx, int64_t i)
{
    many *m = user;
    nigh_network *net = network(ctx, 2, (int64_t[]){20, 50, 1}, "tanh");
    nigh_batches *batches;
    nigh_training *training;
    nigh_status status = nigh_batches_arrays(ctx, 2, m->array, &(nigh_arrays_options){.batch = m->batch, .in_order = m->batch == POINTS}, &batches);
    if (status) return status;
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.loss = NIGH_LOSS_MSE, spec.batches = batches, spec.epochs = EPOCHS, spec.seed = (uint64_t)i;
    status = nigh_training_new(ctx, &spec, &training);
    if (!status) status = nigh_training_run(training);
    nigh_training_free(training);
    nigh_batches_free(batches);
    nigh_network_free(net);
    return status;
}

static double many_trainings(nigh_context *ctx, int64_t batch)
{
    many m = {.batch = batch};
    nigh_shape shape[2] = {{NIGH_F32, 2, {POINTS, 20}}, {NIGH_F32, 2, {POINTS, 1}}};
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int k = 0; k < 2; k++) {
        must(ctx, nigh_array_new(ctx, &shape[k], &m.array[k]));
        nigh_rng_fill_normal_f32(&rng, nigh_shape_count(&shape[k]), m.array[k].data);
    }
    double start = nigh_clock();
    must(ctx, nigh_train_many(ctx, NETS, train_one, &m));
    double spent = nigh_clock() - start;
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &m.array[k]);
    return spent;
}

/* ---- choosing -------------------------------------------------------------------------------------------- */

static double measure(nigh_context *ctx, const char *name)
{
    if (!strcmp(name, "step")) return digits_steps(ctx, 20, 15);
    if (!strcmp(name, "epoch")) return digits_steps(ctx, ROWS / BATCH, 3) * (double)(ROWS / BATCH);
    if (!strcmp(name, "apply")) return digits_apply(ctx, BATCH);
    if (!strcmp(name, "apply-1")) return digits_apply(ctx, 1);
    if (!strcmp(name, "many-32")) return many_trainings(ctx, 32);
    if (!strcmp(name, "many-100")) return many_trainings(ctx, 100);
    if (!strcmp(name, "many-1000")) return many_trainings(ctx, POINTS);
    return -1;
}

static void profile_form(nigh_context *ctx, nigh_training *training)
{
    must(ctx, nigh_training_advance(training, 20));
    nigh_executor *run = training->main.form[0].run;
    int steps = nigh_executor_steps(run);
    double *seconds = calloc((size_t)steps, sizeof *seconds), start = nigh_clock(), sum = 0;
    if (!seconds) return;
    must(ctx, nigh_training_advance(training, 1000));
    double step = (nigh_clock() - start) / 1000;
    start = nigh_clock();
    for (int i = 0; i < 1000; i++) must(ctx, nigh_executor_run(run));
    double whole = (nigh_clock() - start) / 1000;
    for (int i = 0; i < 1000; i++) must(ctx, nigh_executor_profile(run, seconds));
    nigh_buffer text = {.ctx = ctx};
    must(ctx, nigh_executor_print(run, &text));
    char *line = strtok(text.data, "\n");
    for (int i = 0; i < steps && line; i++, line = strtok(NULL, "\n")) printf("%9.2f us  %s\n", 1e3 * seconds[i], line), sum += 1e3 * seconds[i];
    printf("%9.2f us in steps, %.2f us a run, %.2f us a training step, %.0f flops\n", sum, 1e6 * whole, 1e6 * step, nigh_executor_flops(run));
    nigh_buffer_free(&text);
    free(seconds);
}

static void profile(nigh_context *ctx, const char *name)
{
    if (!strcmp(name, "step")) {
        digits d = digits_new(ctx);
        profile_form(ctx, d.training);
        digits_free(ctx, &d);
        return;
    }
    int64_t batch = atoll(name);
    must(ctx, nigh_context_set_threads(ctx, 1));
    many m = {.batch = batch};
    nigh_shape shape[2] = {{NIGH_F32, 2, {POINTS, 20}}, {NIGH_F32, 2, {POINTS, 1}}};
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int k = 0; k < 2; k++) {
        must(ctx, nigh_array_new(ctx, &shape[k], &m.array[k]));
        nigh_rng_fill_normal_f32(&rng, nigh_shape_count(&shape[k]), m.array[k].data);
    }
    nigh_network *net = network(ctx, 2, (int64_t[]){20, 50, 1}, "tanh");
    nigh_batches *batches;
    nigh_training *training;
    must(ctx, nigh_batches_arrays(ctx, 2, m.array, &(nigh_arrays_options){.batch = batch}, &batches));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.loss = NIGH_LOSS_MSE, spec.batches = batches, spec.steps = 1 << 20;
    must(ctx, nigh_training_new(ctx, &spec, &training));
    profile_form(ctx, training);
    nigh_training_free(training);
    nigh_batches_free(batches);
    nigh_network_free(net);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &m.array[k]);
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    char line[64];
    if (argc > 1 && !strcmp(argv[1], "--serve"))
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            printf("%s %.9g\n", line, measure(ctx, line));
            fflush(stdout);
        }
    else if (argc > 2 && !strcmp(argv[1], "--profile")) profile(ctx, argv[2]);
    else
        for (int i = 1; i < argc; i++) printf("%-10s %.6g s\n", argv[i], measure(ctx, argv[i]));
    nigh_context_free(ctx);
    return 0;
}
