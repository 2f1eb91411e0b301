/* nigh verify tightness: what intervals lose in a network, and what it certifies. */
#include <math.h>
#include <string.h>

#include "cli/verify.h"
#include "cli/verify_samples.h"
#include "nigh/stats.h"

enum { MOST_LAYERS = 64 };

static const char text[] =
    "usage: nigh verify tightness NETWORK DATA --radius E [options]\n\n"
    "How much of a classifier's certified accuracy intervals can see, and where their width comes from. NETWORK: onnx (.gz) or nigh's own file, one input, linear last layer.\n"
    "DATA as in `nigh verify train`: its test part, reshaped to the network's input.\n\n"
    "  tightness          exact over layer-wise size of the margins' boxes, the relus' states held at the sample: 1 where intervals lose nothing\n"
    "  signs              for neighbouring linear layers the share of products whose terms all have one sign (there |W2 W1| = |W2| |W1|), and for each linear\n"
    "                     layer how far its signs are from a pattern s t^T (0: intervals are exact if all layers are so; 0.5: as far as can be)\n\n"
    "  --samples N        at most N samples (500)       --low A, --high B  range of the data (0, 1)\n"
    "  --attack-steps N   of PGD (20)                   --restarts N (1)\n"
    "  --intervals        no linear bounds for what intervals leave open\n"
    "  --linear           tightness with the relus left out too\n"
    "  --json, --seed N, --threads N\n\n"
    "Proofs hold for the real network and for every evaluation in f32. Exit: 0 done, 2 bad usage or input, 130 interrupted.\n";

typedef struct words {
    const char *network, *data;
    double radius, low, high;
    int64_t samples, steps, restarts;
    bool intervals, linear;
} words;

/* Signs of one linear layer, and of it with the next. */
typedef struct layer_signs {
    const char *name;
    double distance, consistency; /* consistency NAN: none behind */
} layer_signs;

static nigh_status weights_of(nigh_context *ctx, nigh_network *net, int layer, double **w, int64_t *in, int64_t *out)
{
    nigh_parameters *set = nigh_network_parameters(net);
    int index = nigh_network_at(net, layer)->parameter[0];
    const nigh_parameter *p = nigh_parameters_at(set, index);
    nigh_array array = {.shape = p->shape, .data = nigh_parameters_data(set, index)};
    *in = p->shape.dim[0], *out = p->shape.dim[1];
    *w = nigh_alloc(ctx, (size_t)(*in * *out) * sizeof **w);
    return *w ? nigh_array_to_f64(ctx, &array, *w) : NIGH_MEMORY;
}

/* The linear layer in front of this one with at most a relu between; -1: none. */
static int linear_before(nigh_network *net, int layer)
{
    int at = nigh_network_at(net, layer)->input[0];
    if (!strcmp(nigh_network_at(net, at)->kind, "relu")) at = nigh_network_at(net, at)->input[0];
    return !strcmp(nigh_network_at(net, at)->kind, "linear") ? at : -1;
}

static nigh_status measure_signs(nigh_context *ctx, nigh_network *net, layer_signs *list, int *count)
{
    nigh_status status = NIGH_OK;
    *count = 0;
    for (int i = 0; i < nigh_network_layers(net) && *count < MOST_LAYERS && !status; i++) {
        if (strcmp(nigh_network_at(net, i)->kind, "linear") != 0) continue;
        double *w = NULL, *w_before = NULL;
        int64_t in, out, first, middle;
        int before = linear_before(net, i);
        layer_signs *s = &list[(*count)++];
        *s = (layer_signs){nigh_network_at(net, i)->name, NAN, NAN};
        status = weights_of(ctx, net, i, &w, &in, &out);
        if (!status) status = nigh_sign_distance(ctx, in, out, w, &s->distance);
        if (!status && before >= 0) status = weights_of(ctx, net, before, &w_before, &first, &middle);
        if (!status && before >= 0) status = nigh_sign_consistency(ctx, first, middle, out, w_before, w, &s->consistency);
        nigh_free(ctx, w);
        nigh_free(ctx, w_before);
    }
    return status;
}

static nigh_status add_number(nigh_buffer *out, const char *key, double value)
{
    return isnan(value) ? nigh_buffer_print(out, "\"%s\": null", key) : nigh_buffer_print(out, "\"%s\": %.17g", key, value);
}

static nigh_status put_json(nigh_buffer *out, const words *w, const nigh_certified_figures *f, double linear, int count, const layer_signs *list)
{
    nigh_status status = nigh_buffer_print(out, "{\"radius\": %.17g, \"samples\": %lld, \"standard\": %.17g, \"attacked\": %.17g, \"intervals\": %.17g, \"certified\": %.17g, \"tightness\": %.17g, ",
                                           w->radius, (long long)f->samples, f->standard, f->attacked, f->intervals, f->certified, f->tightness);
    if (!status) status = add_number(out, "linear_tightness", linear);
    if (!status) status = nigh_buffer_print(out, ", \"layers\": [");
    for (int i = 0; i < count && !status; i++) { /* names go by number: they are someone else's text */
        status = nigh_buffer_print(out, "%s\n {", i ? "," : "");
        if (!status) status = add_number(out, "sign_distance", list[i].distance);
        if (!status) status = nigh_buffer_print(out, ", ");
        if (!status) status = add_number(out, "sign_consistency", list[i].consistency);
        if (!status) status = nigh_buffer_print(out, "}");
    }
    return status ? status : nigh_buffer_print(out, "]}\n");
}

static nigh_status put_text(nigh_buffer *out, const words *w, const nigh_certified_figures *f, double linear, int count, const layer_signs *list)
{
    nigh_status status = nigh_buffer_print(out, "%lld samples, every input moved by at most %g\n  right           %6.2f%%\n  under attack    %6.2f%%   (%.2f s)\n  by intervals    %6.2f%%   (%.2f s)\n",
                                           (long long)f->samples, w->radius, 100 * f->standard, 100 * f->attacked, f->seconds_attack, 100 * f->intervals, f->seconds_intervals);
    if (!status && !w->intervals) status = nigh_buffer_print(out, "  certified       %6.2f%%   (%.2f s)\n", 100 * f->certified, f->seconds_linear);
    if (!status) status = nigh_buffer_print(out, "  tightness       %.4g\n", f->tightness);
    if (!status && !isnan(linear)) status = nigh_buffer_print(out, "  without relus   %.4g\n", linear);
    if (!status && count) status = nigh_buffer_print(out, "\nlinear layer         signs off s t^T   of one sign with the layer before\n");
    for (int i = 0; i < count && !status; i++) {
        status = nigh_buffer_print(out, "%-20.40s %14.2f%%   ", list[i].name, 100 * list[i].distance);
        if (!status) status = isnan(list[i].consistency) ? nigh_buffer_print(out, "-\n") : nigh_buffer_print(out, "%.2f%%\n", 100 * list[i].consistency);
    }
    return status;
}

static nigh_status linear_tightness(nigh_context *ctx, nigh_network *net, const nigh_dataset *set, const words *w, double *mean)
{
    double *tau = nigh_alloc(ctx, (size_t)nigh_dataset_rows(set) * sizeof *tau);
    if (!tau) return NIGH_MEMORY;
    nigh_tightness_options how = {.radius = w->radius, .low = w->low, .high = w->high, .linear = true};
    nigh_status status = nigh_tightness(ctx, net, &set->x, &set->y, &how, tau, NULL, NULL);
    if (!status) *mean = nigh_mean(nigh_dataset_rows(set), tau);
    nigh_free(ctx, tau);
    return status;
}

static nigh_status report(nigh_context *ctx, nigh_network *net, const nigh_dataset *set, const words *w)
{
    nigh_certified_figures f;
    layer_signs list[MOST_LAYERS];
    nigh_buffer out = {.ctx = ctx};
    double linear = NAN;
    int count = 0;
    nigh_certified_measuring how = {.radius = w->radius, .low = w->low, .high = w->high, .attack_steps = (int)w->steps, .restarts = (int)w->restarts, .intervals_only = w->intervals,
                                    .tightness = true, .seed = nigh_context_seed(ctx)};
    nigh_status status = nigh_certified_measure(ctx, net, &set->x, &set->y, &how, &f);
    if (!status && w->linear) status = linear_tightness(ctx, net, set, w, &linear);
    if (!status) status = measure_signs(ctx, net, list, &count);
    if (!status) status = (cli_json ? put_json : put_text)(&out, w, &f, linear, count, list);
    cli_clear();
    if (!status && cli_print(ctx, out.data, out.size)) status = NIGH_IO;
    nigh_buffer_free(&out);
    return status;
}

static nigh_status measure(nigh_context *ctx, const words *w)
{
    verify_samples samples;
    nigh_network *net = NULL;
    int last;
    nigh_status status = verify_network_read(ctx, w->network, &net);
    if (status) return status;
    last = nigh_network_outputs(net) ? nigh_network_output_layer(net, 0) : -1;
    if (last < 0 || strcmp(nigh_network_at(net, last)->kind, "linear") != 0)
        status = nigh_fail(ctx, NIGH_INVALID, "%s does not end in a linear layer; margins need one, to be joined with their differences", w->network);
    if (!status) status = verify_samples_load(ctx, w->data, &samples);
    if (!status) {
        verify_samples_cut(&samples.test, w->samples);
        status = verify_samples_fit(ctx, net, w->network, &samples.test);
        if (!status) status = report(ctx, net, &samples.test, w);
        verify_samples_free(&samples);
    }
    nigh_network_free(net);
    return status;
}

int verify_tightness(nigh_context *ctx, int argc, char **argv)
{
    const char *found[2];
    int count;
    words w = {.high = 1, .samples = 500, .steps = 20, .restarts = 1};
    const cli_flag flags[] = {{"radius", 0, CLI_REAL, &w.radius, NULL, NULL, 0, 0}, {"low", 0, CLI_REAL, &w.low, NULL, NULL, 0, 0}, {"high", 0, CLI_REAL, &w.high, NULL, NULL, 0, 0},
                              {"samples", 0, CLI_INT, &w.samples, NULL, NULL, 1, 1000000}, {"attack-steps", 0, CLI_INT, &w.steps, NULL, NULL, 1, 10000},
                              {"restarts", 0, CLI_INT, &w.restarts, NULL, NULL, 1, 1000}, {"intervals", 0, CLI_SWITCH, &w.intervals, NULL, NULL, 0, 0},
                              {"linear", 0, CLI_SWITCH, &w.linear, NULL, NULL, 0, 0}, {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    if (argc >= 2 && !strcmp(argv[1], "--help")) return cli_print(ctx, text, sizeof text - 1);
    int code = cli_parse(ctx, "verify", argc, argv, flags, found, 2, &count);
    if (code >= 0) return code;
    if (count != 2) return cli_misuse(ctx, "nigh verify tightness NETWORK DATA --radius E: %s is missing", count ? "DATA" : "NETWORK");
    w.network = found[0], w.data = found[1];
    if (!(w.low < w.high)) return cli_misuse(ctx, "--low %g is not below --high %g", w.low, w.high);
    if (!(w.radius > 0 && w.radius <= 0.5 * (w.high - w.low))) return cli_misuse(ctx, "--radius is %g; above 0 and at most half the range of the data, %g, is allowed", w.radius, 0.5 * (w.high - w.low));
    cli_progress_start(ctx);
    nigh_status status = measure(ctx, &w);
    cli_progress_stop(ctx);
    return status ? cli_fail(ctx, status) : 0;
}
