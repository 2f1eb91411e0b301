/* nigh verify train: a classifier whose robustness is proved. */
#include "cli/verify_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify.h"
#include "cli/verify_samples.h"
#include "nigh/onnx.h"
#include "nigh/stats.h"

static const char text[] =
    "usage: nigh verify train DATA --radius E -o net.onnx [options]\n\n"
    "Trains a classifier so that its label cannot change when every input moves by at most E, and proves it on samples kept apart.\n"
    "DATA: mnist, digits (in $NIGH_DATA), glyphs or glyphs:N (drawn), or an npz file with x [n, ...] and y [n], or x_train, y_train, x_test, y_test.\n"
    "Without a test part a fifth is kept apart, always the same. Boxes are cut with the range of the data.\n\n"
    "  --method M         ibp: interval bounds of the margins (default); sabr: the same on small boxes around attacks, less tight, often more accurate;\n"
    "                     pgd: attacks only, certifies little; standard\n"
    "  --train-radius R   radius trained for (default: 1.5 E for ibp, else E); more certifies more and costs accuracy\n"
    "  --network N        mlp:256,256, conv:16,32 (stride 2, then 100 units), conv:16,32+128,128, or a file (onnx, nigh) whose weights are drawn anew\n"
    "                     (default: mlp:256,256)      --keep-weights  begin with those of the file\n"
    "  --lambda L         sabr: size of the small box, share of R (0.4)    --epochs N  (30)      --batch N (128)    --rate X  of Adam (2e-3)\n"
    "  --ramp P           share of the steps over which the radius grows (0.3)                   --l1 X  times the sum of |weights| (0)\n"
    "  --low A, --high B  range of the data (0, 1)     --samples N  at most N test samples (1000)\n"
    "  --checkpoint FILE  where a killed training goes on to the same bits\n"
    "  -o FILE            the network: onnx, or nigh's own by .safetensors\n"
    "  --report HTML      curves and figures; with --radii 0.01,0.05,0.1 and --widths 0.5,2 further trainings show what radius and width trade\n"
    "  --json, --seed N, --threads N\n\n"
    "Printed are shares of the test samples: right, right under attack (PGD, 20 steps), proved by intervals, proved with linear bounds for what intervals leave\n"
    "open; and the tightness of intervals: exact over layer-wise size of the margins' boxes with the relus' states held, 1 where nothing is lost.\n"
    "Proofs hold for the real network and for every evaluation in f32. Exit: 0 done, 1 the training diverged, 2 bad usage or input, 130 interrupted.\n";

typedef struct words {
    const char *data, *network, *method, *out, *report, *radii, *widths, *checkpoint;
    double radius, train_radius, lambda, ramp, rate, low, high, l1;
    int64_t epochs, batch, samples;
    bool keep;
} words;

/* What a run varies. */
typedef struct variation {
    const char *group;
    double train_radius, times;
} variation;

static bool is_file(const char *network) { return strncmp(network, "mlp:", 4) != 0 && strncmp(network, "conv:", 5) != 0; }

static nigh_status options_of(nigh_context *ctx, const words *w, double train_radius, nigh_certified_options *o)
{
    int method = -1;
    for (int i = 0; nigh_certified_method_name((nigh_certified_method)i); i++)
        if (!strcmp(w->method, nigh_certified_method_name((nigh_certified_method)i))) method = i;
    if (method < 0) return nigh_fail(ctx, NIGH_INVALID, "--method is '%s'; ibp, sabr, standard or pgd is allowed", w->method);
    *o = nigh_certified_defaults((nigh_certified_method)method);
    o->radius = train_radius > 0 ? train_radius : method == NIGH_CERTIFIED_IBP ? fmin(1.5 * w->radius, 0.5 * (w->high - w->low)) : w->radius;
    o->low = w->low, o->high = w->high;
    o->lambda = w->lambda;
    o->epochs = w->epochs;
    o->batch = w->batch;
    o->rate = w->rate;
    o->l1 = w->l1;
    o->keep_weights = w->keep;
    o->seed = nigh_context_seed(ctx);
    if (w->ramp >= 0) o->ramp = w->ramp;
    return NIGH_OK;
}

static nigh_status make_network(nigh_context *ctx, const words *w, const verify_samples *s, double times, nigh_network **net)
{
    if (!is_file(w->network)) return verify_network_build(ctx, w->network, &s->train.x.shape, s->classes, times, net);
    if (times != 1) return nigh_fail(ctx, NIGH_INVALID, "--widths goes with mlp: and conv: networks, not with a file");
    return verify_network_read(ctx, w->network, net);
}

static double mean_tightness(nigh_context *ctx, nigh_network *net, const nigh_dataset *test, const words *w)
{
    double tau[200], mean = NAN;
    nigh_dataset some = *test;
    verify_samples_cut(&some, 200);
    nigh_tightness_options how = {.radius = w->radius, .low = w->low, .high = w->high};
    if (!nigh_tightness(ctx, net, &some.x, &some.y, &how, tau, NULL, NULL)) mean = nigh_mean(nigh_dataset_rows(&some), tau);
    return mean;
}

static void take_rows(train_story *s, nigh_certified *it, const nigh_certified_options *o)
{
    nigh_training *t = nigh_certified_training(it);
    for (int64_t i = 0; i < nigh_training_rows(t) && s->rows < TRAIN_MOST_EPOCHS; i++) {
        const nigh_training_row *r = nigh_training_row_at(t, i);
        if (isnan(r->validation)) continue;
        s->epoch[s->rows] = r->epoch;
        s->loss[s->rows] = r->loss;
        s->accuracy[s->rows] = r->metric[0];
        s->certified[s->rows] = r->metric[1];
        s->grown[s->rows++] = nigh_certified_radius_at(it, r->step) / o->radius;
    }
}

static nigh_status one_run(nigh_context *ctx, const words *w, const verify_samples *s, const variation *v, train_story *story, nigh_network **kept)
{
    train_run *run = &story->run[story->runs];
    nigh_certified_options o;
    nigh_certified *it = NULL;
    nigh_network *net = NULL;
    nigh_status status = options_of(ctx, w, v->train_radius, &o);
    if (!status) status = make_network(ctx, w, s, v->times, &net);
    verify_samples fitted = *s; /* borrowed arrays, reshaped */
    if (!status && is_file(w->network)) status = verify_samples_fit(ctx, net, w->network, &fitted.train);
    if (!status && is_file(w->network)) status = verify_samples_fit(ctx, net, w->network, &fitted.test);
    if (story->runs == 0) o.checkpoint = w->checkpoint;
    if (story->runs == 0 && w->report) o.validation = &fitted.test.x, o.validation_labels = &fitted.test.y, o.validation_radius = w->radius; /* curves for the page */
    if (!status) status = nigh_certified_new(ctx, net, &fitted.train.x, &fitted.train.y, &o, &it);
    if (!status) run->initial = mean_tightness(ctx, net, &fitted.test, w);
    double begin = nigh_clock();
    if (!status) status = nigh_certified_run(it);
    run->seconds = nigh_clock() - begin;
    nigh_certified_measuring how = {.radius = w->radius, .low = w->low, .high = w->high, .tightness = true, .seed = o.seed};
    if (!status) status = nigh_certified_measure(ctx, net, &fitted.test.x, &fitted.test.y, &how, &run->figures);
    if (!status) {
        if (story->runs == 0) take_rows(story, it, &o);
        run->group = v->group;
        run->method = w->method;
        run->train_radius = o.method == NIGH_CERTIFIED_STANDARD ? 0 : o.radius;
        run->width = v->times;
        run->at = !strcmp(v->group, "width") ? v->times : o.radius;
        run->weights = nigh_parameters_numbers(nigh_network_parameters(net));
        story->runs++;
    }
    nigh_certified_free(it);
    if (!status && kept) *kept = net;
    else nigh_network_free(net);
    return status;
}

static void say(const train_run *r)
{
    const nigh_certified_figures *f = &r->figures;
    if (cli_json) return;
    cli_clear();
    printf("%-9s R %-6.3g %9lld weights: %6.2f%% right, %6.2f%% under attack, %6.2f%% by intervals, %6.2f%% certified; tightness %.3g (before %.3g); %.1f s\n", r->method, r->train_radius,
           (long long)r->weights, 100 * f->standard, 100 * f->attacked, 100 * f->intervals, 100 * f->certified, f->tightness, r->initial, r->seconds);
    fflush(stdout);
}

/* Numbers above 0 with commas between. */
static nigh_status numbers(nigh_context *ctx, const char *flag, const char *list, int most, double *value, int *count)
{
    *count = 0;
    for (const char *at = list; at && *at;) {
        char *end;
        double x = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !(x > 0 && x < 1e6) || *count == most)
            return nigh_fail(ctx, NIGH_INVALID, "--%s is '%s'; at most %d numbers above 0, commas between, are allowed", flag, list, most);
        value[(*count)++] = x;
        at = *end ? end + 1 : end;
    }
    return NIGH_OK;
}

static nigh_status further_runs(nigh_context *ctx, const words *w, const verify_samples *s, train_story *story)
{
    double value[TRAIN_MOST_RUNS / 2 - 1];
    int count, most = TRAIN_MOST_RUNS / 2 - 1;
    nigh_status status = numbers(ctx, "radii", w->radii, most, value, &count);
    for (int i = 0; i < count && !status; i++) {
        status = one_run(ctx, w, s, &(variation){"radius", value[i], 1}, story, NULL);
        if (!status) say(&story->run[story->runs - 1]);
    }
    if (!status) status = numbers(ctx, "widths", w->widths, most, value, &count);
    for (int i = 0; i < count && !status; i++) {
        status = one_run(ctx, w, s, &(variation){"width", w->train_radius, value[i]}, story, NULL);
        if (!status) say(&story->run[story->runs - 1]);
    }
    return status;
}

static nigh_status write_network(nigh_context *ctx, nigh_network *net, const char *path)
{
    size_t n = strlen(path);
    nigh_shape shape = *nigh_network_input_shape(net, 0);
    (void)ctx;
    if (n > 12 && !strcmp(path + n - 12, ".safetensors")) return nigh_network_save(net, path);
    return nigh_onnx_write(net, &shape, path);
}

static nigh_status print_json(nigh_context *ctx, const train_story *s)
{
    nigh_buffer out = {.ctx = ctx};
    nigh_status status = nigh_buffer_print(&out, "{\"radius\": %.17g, \"train\": %lld, \"epochs\": %lld, \"runs\": [", s->radius, (long long)s->train, (long long)s->epochs);
    for (int i = 0; i < s->runs && !status; i++) {
        const train_run *r = &s->run[i];
        const nigh_certified_figures *f = &r->figures;
        status = nigh_buffer_print(&out, "%s\n {\"method\": \"%s\", \"varied\": \"%s\", \"train_radius\": %.17g, \"width\": %.17g, \"weights\": %lld, \"samples\": %lld, \"standard\": %.17g, "
                                         "\"attacked\": %.17g, \"intervals\": %.17g, \"certified\": %.17g, \"tightness\": %.17g, \"initial_tightness\": %.17g, \"seconds\": %.17g}",
                                   i ? "," : "", r->method, r->group, r->train_radius, r->width, (long long)r->weights, (long long)f->samples, f->standard, f->attacked, f->intervals, f->certified,
                                   f->tightness, isnan(r->initial) ? 0 : r->initial, r->seconds);
    }
    if (!status) status = nigh_buffer_print(&out, "]}\n");
    if (!status && cli_print(ctx, out.data, out.size)) status = NIGH_IO;
    nigh_buffer_free(&out);
    return status;
}

static nigh_status train(nigh_context *ctx, const words *w)
{
    verify_samples samples;
    nigh_network *net = NULL;
    nigh_certified_options trial;
    double list[TRAIN_MOST_RUNS];
    int count;
    train_story *story = nigh_alloc_zero(ctx, 1, sizeof *story);
    if (!story) return NIGH_MEMORY;
    nigh_status status = options_of(ctx, w, w->train_radius, &trial);
    if (!status) status = numbers(ctx, "radii", w->radii, TRAIN_MOST_RUNS / 2 - 1, list, &count);
    if (!status) status = numbers(ctx, "widths", w->widths, TRAIN_MOST_RUNS / 2 - 1, list, &count);
    if (!status) status = verify_samples_load(ctx, w->data, &samples);
    if (status) return nigh_free(ctx, story), status;
    verify_samples_cut(&samples.test, w->samples);
    story->data = w->data, story->network = w->network;
    story->radius = w->radius, story->epochs = w->epochs;
    story->train = nigh_dataset_rows(&samples.train), story->test = nigh_dataset_rows(&samples.test);
    status = one_run(ctx, w, &samples, &(variation){"", w->train_radius, 1}, story, &net);
    if (!status) say(&story->run[0]);
    if (!status) status = write_network(ctx, net, w->out);
    if (!status) status = further_runs(ctx, w, &samples, story);
    if (!status && cli_json) status = print_json(ctx, story);
    if (!status && w->report) status = train_page(ctx, story, w->report);
    nigh_network_free(net);
    verify_samples_free(&samples);
    nigh_free(ctx, story);
    return status;
}

int verify_train(nigh_context *ctx, int argc, char **argv)
{
    const char *found[1];
    int count;
    words w = {.network = "mlp:256,256", .method = "ibp", .lambda = 0.4, .ramp = -1, .rate = 2e-3, .high = 1, .epochs = 30, .batch = 128, .samples = 1000};
    const cli_flag flags[] = {{"radius", 0, CLI_REAL, &w.radius, NULL, NULL, 0, 0}, {"train-radius", 0, CLI_REAL, &w.train_radius, NULL, NULL, 0, 0},
                              {"network", 0, CLI_TEXT, &w.network, NULL, NULL, 0, 0}, {"method", 0, CLI_TEXT, &w.method, NULL, NULL, 0, 0},
                              {"lambda", 0, CLI_REAL, &w.lambda, NULL, NULL, 0, 0}, {"epochs", 0, CLI_INT, &w.epochs, NULL, NULL, 1, 100000},
                              {"batch", 0, CLI_INT, &w.batch, NULL, NULL, 1, 65536}, {"rate", 0, CLI_REAL, &w.rate, NULL, NULL, 0, 0},
                              {"ramp", 0, CLI_REAL, &w.ramp, NULL, NULL, 0, 1}, {"l1", 0, CLI_REAL, &w.l1, NULL, NULL, 0, 1}, {"low", 0, CLI_REAL, &w.low, NULL, NULL, 0, 0},
                              {"high", 0, CLI_REAL, &w.high, NULL, NULL, 0, 0}, {"samples", 0, CLI_INT, &w.samples, NULL, NULL, 1, 1000000},
                              {"keep-weights", 0, CLI_SWITCH, &w.keep, NULL, NULL, 0, 0}, {"checkpoint", 0, CLI_TEXT, &w.checkpoint, NULL, NULL, 0, 0},
                              {"out", 'o', CLI_TEXT, &w.out, NULL, NULL, 0, 0}, {"report", 0, CLI_TEXT, &w.report, NULL, NULL, 0, 0},
                              {"radii", 0, CLI_TEXT, &w.radii, NULL, NULL, 0, 0}, {"widths", 0, CLI_TEXT, &w.widths, NULL, NULL, 0, 0}, {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    if (argc >= 2 && !strcmp(argv[1], "--help")) return cli_print(ctx, text, sizeof text - 1);
    int code = cli_parse(ctx, "verify", argc, argv, flags, found, 1, &count);
    if (code >= 0) return code;
    if (count != 1) return cli_misuse(ctx, "nigh verify train DATA --radius E -o net.onnx: DATA is missing");
    w.data = found[0];
    if (!w.out) return cli_misuse(ctx, "say where the network goes: -o net.onnx");
    if (!(w.low < w.high)) return cli_misuse(ctx, "--low %g is not below --high %g", w.low, w.high);
    if (!(w.radius > 0 && w.radius <= 0.5 * (w.high - w.low))) return cli_misuse(ctx, "--radius is %g; above 0 and at most half the range of the data, %g, is allowed", w.radius, 0.5 * (w.high - w.low));
    cli_progress_start(ctx);
    nigh_status status = train(ctx, &w);
    cli_progress_stop(ctx);
    return status ? cli_fail(ctx, status) : 0;
}
