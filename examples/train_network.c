/*
 * A classifier of drawn digits, trained, tested, looked at and exported:
 *
 *   cc train_network.c $(pkg-config --cflags --libs nigh) -o train_network && ./train_network digits.c
 */
#include <nigh/nigh.h>

#include <stdio.h>

enum { ROWS = 4000, TEST = 1000, PIXELS = 64, CLASSES = 10 };

static nigh_status make_network(nigh_context *ctx, nigh_network **out)
{
    nigh_network *net;
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
    if (status) return status;
    int x = nigh_network_input(net, "pixels", 2, (int64_t[]){-1, PIXELS});
    x = nigh_network_linear(net, "hidden", x, PIXELS, 128, true);
    x = nigh_network_layer(net, "gelu", "act", 1, &x);
    nigh_network_output(net, nigh_network_linear(net, "out", x, 128, CLASSES, true));
    status = nigh_network_status(net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), 1);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

/* Pixels [n, 64] and labels [n]: 8 x 8 drawings from a seed. */
static nigh_status draw(nigh_context *ctx, uint64_t seed, int64_t n, nigh_dataset *set, nigh_array rows[2])
{
    nigh_status status = nigh_digits_draw(ctx, seed, n, &(nigh_digits_options){.side = 8, .distortion = 1, .noise = 0.05}, set);
    if (status) return status;
    rows[0] = (nigh_array){{NIGH_F32, 2, {n, PIXELS}}, set->x.data};
    rows[1] = set->y;
    return NIGH_OK;
}

static nigh_status train(nigh_context *ctx, nigh_network *net, nigh_array rows[2], nigh_array test[2])
{
    nigh_batches *batches = NULL, *check = NULL;
    nigh_training *training = NULL;
    nigh_status status = nigh_batches_arrays(ctx, 2, rows, &(nigh_arrays_options){.batch = 100}, &batches);
    if (!status) status = nigh_batches_arrays(ctx, 2, test, &(nigh_arrays_options){.batch = 100, .in_order = true}, &check);
    nigh_training_spec spec = nigh_training_defaults("adamw");
    spec.network = net, spec.loss = NIGH_LOSS_CROSS_ENTROPY, spec.metrics = 1;
    spec.batches = batches, spec.validation = check, spec.epochs = 10;
    spec.rate = (nigh_schedule){.kind = "cosine", .base = 3e-3};
    if (!status) status = nigh_training_new(ctx, &spec, &training);
    if (!status) status = nigh_training_run(training);
    double loss, accuracy;
    if (!status) status = nigh_training_evaluate(training, check, &loss, &accuracy);
    if (!status) printf("test: loss %.4f, accuracy %.3f\n", loss, accuracy);
    nigh_training_free(training);
    nigh_batches_free(check);
    nigh_batches_free(batches);
    return status;
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    nigh_network *net = NULL;
    nigh_dataset set = {0}, other = {0};
    nigh_array rows[2], test[2];
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = make_network(ctx, &net);
    if (!status) status = draw(ctx, 1, ROWS, &set, rows);
    if (!status) status = draw(ctx, 2, TEST, &other, test);
    if (!status) status = train(ctx, net, rows, test);
    nigh_shape one = {NIGH_F32, 2, {1, PIXELS}};
    if (!status) status = nigh_network_export(net, &one, "digits", &text);
    FILE *file = !status && argc > 1 ? fopen(argv[1], "w") : NULL;
    if (file) {
        fwrite(text.data, 1, text.size, file);
        printf("%s: %zu bytes of C\n", argv[1], text.size);
        fclose(file);
    }
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_buffer_free(&text);
    nigh_dataset_free(&set);
    nigh_dataset_free(&other);
    nigh_network_free(net);
    nigh_context_free(ctx);
    return status ? 1 : 0;
}
