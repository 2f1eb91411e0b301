/* nigh verify local-lipschitz: how fast outputs can change in a box around an input, and whether they rise with an input. */
#include "cli/verify.h"

#include "core/file.h"
#include "core/json.h"
#include "nigh/io.h"
#include "nigh/local_lipschitz.h"
#include "plan/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: nigh verify local-lipschitz NETWORK.onnx --at FILE [--row K] --radius E [options]\n\n"
    "A proved bound on how fast outputs of a network can change inside a box: |y(a) - y(b)| <= bound * |a - b| for all a, b within E of x (largest\n"
    "coordinate). Beside it what other bounds give, and the steepest point that was found: the truth lies between the two.\n\n"
    "  --at FILE|X         x: a number for all inputs, or npy, csv, idx ... of any shape with as many numbers as the network has inputs, or more rows of that length\n"
    "  --row K             which row of FILE (default 0)            --scale S     x is what FILE holds over S (255 for images as bytes)\n"
    "  --radius E          half the width of the box, in units of the network's input, > 0    --clip LOW,HIGH   the box is cut to this range\n"
    "  --all               every output (the default)               --class K     one      --margin A,B   y_A - y_B, tighter than two bounds\n"
    "  --norm inf|2        of distances of inputs (inf). 2 is looser: squares are enclosed by chords\n"
    "  --forward KIND      how arguments of activations are bounded: interval, crown (default), optimised\n"
    "  --splits            branch and bound over the derivatives that are not known, until --time S (default 10) is over; --fixed: without bounding\n"
    "                      arguments anew under each split (faster, looser)\n"
    "  --monotone J        only input J varies (over its part of the box): does the output rise or fall with it all over? --pieces N: at most (1000)\n"
    "  --samples N         points at which gradients are taken for comparison (1024)      --json      -o PAGE.html   a page with pictures\n"
    "  --seed, --threads\n\n"
    "Bounds hold for the real function of the stored weights on the real box, rounding included. For networks of affine layers and element-wise\n"
    "activations (relu, leaky relu, abs, clip; tanh, sigmoid, softplus, elu, gelu, silu: by intervals of their derivatives); others are refused by name.\n"
    "Normalisation inside the network counts: distances are those of its input. Exit: 0 done (--monotone: proved), 1 --monotone: rises somewhere and falls\n"
    "elsewhere, 2 bad usage or input, 4 --monotone: not shown, 130 interrupted.\n\n"
    "  nigh verify local-lipschitz mnist.onnx --at t10k-images-idx3-ubyte.gz --row 3 --scale 255 --radius 0.03 --clip 0,1 --class 7 --splits\n";

typedef struct words {
    const char *network, *at, *clip, *margin, *norm, *forward, *out;
    int64_t row, class, monotone, samples, pieces;
    double radius, scale, seconds;
    bool all, splits, fixed;
} words;

typedef struct job {
    nigh_network *net;
    int64_t inputs, outputs, rows;
    double *low, *high, *row;
    char (*name)[32]; /* of rows */
    nigh_local_lipschitz_options options;
    nigh_local_lipschitz_result *result;
    nigh_monotone_result *monotone;
} job;

/* ---- what is asked ---------------------------------------------------------------------------------------- */

static nigh_status pair(nigh_context *ctx, const char *flag, const char *text, double out[2])
{
    char *end;
    out[0] = strtod(text, &end);
    if (end != text && *end == ',') {
        const char *second = end + 1;
        out[1] = strtod(second, &end);
        if (end != second && !*end && isfinite(out[0]) && isfinite(out[1])) return NIGH_OK;
    }
    return nigh_fail(ctx, NIGH_INVALID, "%s is '%s'; two numbers with a comma between are needed", flag, text);
}

static int64_t flat(const nigh_shape *shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape->ndim; d++) n *= shape->dim[d] < 0 ? 1 : shape->dim[d];
    return n;
}

static nigh_status read_box(nigh_context *ctx, const words *w, job *j)
{
    nigh_array x = {0};
    char *end;
    double all = strtod(w->at, &end);
    bool number = *w->at && !*end;
    nigh_status status = number ? NIGH_OK : nigh_array_read(ctx, w->at, &x);
    if (status) return status;
    int64_t count = number ? j->inputs : nigh_shape_count(&x.shape);
    if (count < j->inputs || count % j->inputs) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld numbers; %lld, or rows of so many, are needed", w->at, (long long)count, (long long)j->inputs);
    else if (w->row >= count / j->inputs) status = nigh_fail(ctx, NIGH_INVALID, "--row is %lld; '%s' has %lld", (long long)w->row, w->at, (long long)(count / j->inputs));
    double clip[2] = {-INFINITY, INFINITY};
    if (!status && w->clip) status = pair(ctx, "--clip", w->clip, clip);
    for (int64_t e = 0; e < j->inputs && !status; e++) {
        double value = (number ? all : nigh_array_get(&x, w->row * j->inputs + e)) / w->scale;
        if (!isfinite(value)) status = nigh_fail(ctx, NIGH_INVALID, "number %lld of row %lld of '%s' is not finite", (long long)e, (long long)w->row, w->at);
        bool varies = w->monotone < 0 || e == w->monotone;
        double below = varies ? nextafter(value - w->radius, -INFINITY) : value, above = varies ? nextafter(value + w->radius, INFINITY) : value;
        j->low[e] = fmax(below, clip[0]), j->high[e] = fmin(above, clip[1]);
        if (!status && !(j->low[e] <= j->high[e]))
            status = nigh_fail(ctx, NIGH_INVALID, "after --clip the box is empty: input %lld is %g, allowed are %g to %g", (long long)e, value, clip[0], clip[1]);
    }
    nigh_array_free(ctx, &x);
    return status;
}

static nigh_status output_number(nigh_context *ctx, const char *flag, double value, int64_t outputs, int64_t *out)
{
    if (!(value >= 0 && value < (double)outputs && value == floor(value))) return nigh_fail(ctx, NIGH_INVALID, "%s is %g; the network has outputs 0 to %lld", flag, value, (long long)outputs - 1);
    *out = (int64_t)value;
    return NIGH_OK;
}

static nigh_status make_rows(nigh_context *ctx, const words *w, job *j)
{
    int64_t a = 0, b = 0;
    double margin[2];
    nigh_status status = NIGH_OK;
    if (w->margin) {
        status = pair(ctx, "--margin", w->margin, margin);
        if (!status) status = output_number(ctx, "--margin", margin[0], j->outputs, &a);
        if (!status) status = output_number(ctx, "--margin", margin[1], j->outputs, &b);
        if (!status && a == b) status = nigh_fail(ctx, NIGH_INVALID, "--margin is %s; two different outputs are needed", w->margin);
    } else if (w->class >= 0) status = output_number(ctx, "--class", (double)w->class, j->outputs, &a);
    if (status) return status;
    j->rows = w->margin || w->class >= 0 ? 1 : j->outputs;
    j->row = nigh_alloc_zero(ctx, (size_t)(j->rows * j->outputs), sizeof *j->row);
    j->name = nigh_alloc(ctx, (size_t)j->rows * sizeof *j->name);
    j->result = nigh_alloc_zero(ctx, (size_t)j->rows, sizeof *j->result);
    j->monotone = nigh_alloc_zero(ctx, (size_t)j->rows, sizeof *j->monotone);
    if (!j->row || !j->name || !j->result || !j->monotone) return NIGH_MEMORY;
    for (int64_t r = 0; r < j->rows; r++) {
        int64_t k = j->rows == 1 ? a : r;
        j->row[r * j->outputs + k] = 1;
        if (w->margin) j->row[b] = -1, snprintf(j->name[r], sizeof *j->name, "y%lld - y%lld", (long long)a, (long long)b);
        else snprintf(j->name[r], sizeof *j->name, "y%lld", (long long)k);
    }
    return NIGH_OK;
}

static nigh_status outputs_of(nigh_context *ctx, job *j)
{
    nigh_array *x = nigh_alloc_zero(ctx, (size_t)nigh_network_inputs(j->net) + 1, sizeof *x), *y = nigh_alloc_zero(ctx, (size_t)nigh_network_outputs(j->net) + 1, sizeof *y);
    nigh_status status = x && y ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(j->net) && !status; i++) {
        nigh_shape shape = *nigh_network_input_shape(j->net, i);
        for (int d = 0; d < shape.ndim; d++) shape.dim[d] = shape.dim[d] < 0 ? 1 : shape.dim[d];
        shape.dtype = NIGH_F64;
        j->inputs += flat(&shape);
        status = nigh_array_new(ctx, &shape, &x[i]);
    }
    if (!status) status = nigh_network_evaluate_f64(j->net, x, y);
    for (int i = 0; i < nigh_network_outputs(j->net) && !status; i++) j->outputs += nigh_shape_count(&y[i].shape);
    for (int i = 0; x && i < nigh_network_inputs(j->net); i++) nigh_array_free(ctx, &x[i]);
    for (int i = 0; y && i < nigh_network_outputs(j->net); i++) nigh_array_free(ctx, &y[i]);
    nigh_free(ctx, x);
    nigh_free(ctx, y);
    return status;
}

static nigh_status prepare(nigh_context *ctx, const words *w, job *j)
{
    static const char *const kinds[] = {"interval", "crown", "optimised"};
    j->options = nigh_local_lipschitz_defaults();
    j->options.samples = w->samples, j->options.seed = nigh_context_seed(ctx), j->options.rerun = !w->fixed;
    j->options.seconds = w->splits || w->seconds > 0 ? (w->seconds > 0 ? w->seconds : 10) : 0;
    if (w->norm && strcmp(w->norm, "2") == 0) j->options.norm = NIGH_LOCAL_LIPSCHITZ_TWO;
    else if (w->norm && strcmp(w->norm, "inf") != 0) return nigh_fail(ctx, NIGH_INVALID, "--norm is '%s'; inf, 2 are allowed", w->norm);
    int kind = w->forward ? -1 : NIGH_BOUND_CROWN;
    for (int k = 0; k < 3 && w->forward; k++)
        if (strcmp(w->forward, kinds[k]) == 0) kind = k;
    if (kind < 0) return nigh_fail(ctx, NIGH_INVALID, "--forward is '%s'; interval, crown, optimised are allowed", w->forward);
    j->options.forward = (nigh_bound_kind)kind;
    if (w->all + (w->class >= 0) + (w->margin != NULL) > 1) return nigh_fail(ctx, NIGH_INVALID, "--all, --class and --margin exclude each other");
    nigh_status status = verify_load_network(ctx, w->network, &j->net);
    if (!status) status = outputs_of(ctx, j);
    if (status) return status;
    if (w->monotone >= j->inputs) return nigh_fail(ctx, NIGH_INVALID, "--monotone is %lld; the network has inputs 0 to %lld", (long long)w->monotone, (long long)j->inputs - 1);
    j->low = nigh_alloc(ctx, (size_t)j->inputs * sizeof *j->low), j->high = nigh_alloc(ctx, (size_t)j->inputs * sizeof *j->high);
    if (!j->low || !j->high) return NIGH_MEMORY;
    status = read_box(ctx, w, j);
    return status ? status : make_rows(ctx, w, j);
}

/* ---- what is shown ------------------------------------------------------------------------------------------ */

static nigh_status print_bounds(const job *j, nigh_buffer *text)
{
    double worst = 0, sampled = 0;
    nigh_status s = nigh_buffer_print(text, "%-12s %14s %14s %14s %14s %10s  %s\n", "output", "bound", "before splits", "steepest seen", "of norms", "domains", "");
    for (int64_t r = 0; r < j->rows && !s; r++) {
        const nigh_local_lipschitz_result *o = &j->result[r];
        s = nigh_buffer_print(text, "%-12s %14.6g %14.6g %14.6g %14.6g %10lld  %s%s\n", j->name[r], o->bound, o->unsplit, o->sampled, o->product, (long long)o->domains,
                              o->by_product ? "the product of norms is the bound " : "", j->options.seconds > 0 && !o->converged ? "not converged (the bound holds)" : "");
        worst = fmax(worst, o->bound), sampled = fmax(sampled, isnan(o->sampled) ? 0 : o->sampled);
    }
    const nigh_local_lipschitz_result *o = &j->result[0];
    if (!s) s = nigh_buffer_print(text, "\nproved      no output of these changes by more than %.6g times the %s of the change of the input", worst, j->options.norm == NIGH_LOCAL_LIPSCHITZ_TWO ? "Euclidean length" : "largest coordinate");
    if (!s && sampled > 0) s = nigh_buffer_print(text, "\nfound       a point where one does at %.6g: the bound is at most %.3g times the truth", sampled, worst / sampled);
    if (!s && j->options.norm == NIGH_LOCAL_LIPSCHITZ_TWO) s = nigh_buffer_print(text, "\nnote        bounds for --norm 2 are looser than those for inf: squares are enclosed by chords");
    return s ? s : nigh_buffer_print(text, "\nunknown     %lld of %lld derivatives\ntime        %.3g s, %.3g s of it for the arguments of activations\n", (long long)o->unstable, (long long)o->activations,
                                     o->seconds, o->forward_seconds);
}

static const char *const answers[] = {"rises", "falls", "neither: it rises at one point and falls at another", "not shown"}, *const answer_words[] = {"rises", "falls", "neither", "unknown"};

static nigh_status print_monotone(const words *w, const job *j, nigh_buffer *text)
{
    nigh_status s = nigh_buffer_print(text, "input %lld from %.9g to %.9g, all others fixed\n", (long long)w->monotone, j->low[w->monotone], j->high[w->monotone]);
    for (int64_t r = 0; r < j->rows && !s; r++)
        s = nigh_buffer_print(text, "%-12s %s; derivative within %.6g .. %.6g; %lld pieces\n", j->name[r], answers[j->monotone[r].answer], j->monotone[r].low, j->monotone[r].high,
                              (long long)j->monotone[r].pieces);
    return s;
}

static nigh_status json_row(nigh_context *ctx, const words *w, const job *j, int64_t r, json_t *row)
{
    const nigh_local_lipschitz_result *o = &j->result[r];
    const nigh_monotone_result *m = &j->monotone[r];
    nigh_status s = nj_set_text(ctx, row, "output", j->name[r]);
    if (w->monotone >= 0) {
        if (!s) s = nj_set_text(ctx, row, "answer", answer_words[m->answer]);
        if (!s) s = nj_set_real(ctx, row, "low", m->low);
        if (!s) s = nj_set_real(ctx, row, "high", m->high);
        return s ? s : nj_set_int(ctx, row, "pieces", m->pieces);
    }
    const struct {
        const char *key;
        double value;
    } figures[] = {{"bound", o->bound}, {"unsplit", o->unsplit}, {"sampled", o->sampled}, {"product", o->product}, {"seconds", o->seconds}, {"forward_seconds", o->forward_seconds}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures && !s; i++) s = nj_set_real(ctx, row, figures[i].key, figures[i].value);
    if (!s) s = nj_set_bool(ctx, row, "by_product", o->by_product);
    if (!s) s = nj_set_bool(ctx, row, "converged", o->converged);
    if (!s) s = nj_set_text(ctx, row, "why", o->why);
    if (!s) s = nj_set_int(ctx, row, "unknown_derivatives", o->unstable);
    return s ? s : nj_set_int(ctx, row, "domains", o->domains);
}

static nigh_status json_all(nigh_context *ctx, const words *w, const job *j, nigh_buffer *text)
{
    json_t *root = json_object(), *list = json_array();
    nigh_status s = root ? nj_set(ctx, root, "rows", list) : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int64_t r = 0; r < j->rows && !s; r++) {
        json_t *row = json_object();
        if (!row || json_array_append_new(list, row)) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
        if (!s) s = json_row(ctx, w, j, r, row);
    }
    if (!s) s = nj_set_text(ctx, root, "norm", j->options.norm == NIGH_LOCAL_LIPSCHITZ_TWO ? "2" : "inf");
    if (!s) s = nj_set_real(ctx, root, "radius", w->radius);
    if (!s) s = nj_dump(ctx, root, 0, text);
    if (!s) s = nigh_buffer_add(text, "\n", 1);
    json_decref(root);
    return s;
}

/* Bars of bounds against what was seen, and the intervals of the gradient of the first row, widest inputs first to see. */
static nigh_status write_page(nigh_context *ctx, const words *w, const job *j)
{
    nigh_buffer html = {.ctx = ctx};
    nigh_page p = {.ctx = ctx, .html = &html};
    nigh_page_begin(&p, "nigh: local Lipschitz constants");
    nigh_page_raw(&p, "<header><h1>How fast outputs can change: ");
    nigh_page_words(&p, w->network);
    nigh_page_raw(&p, "</h1><p>Row %lld of ", (long long)w->row);
    nigh_page_words(&p, w->at);
    nigh_page_raw(&p, ", radius %g. %lld of %lld derivatives are not known over the box; %.3g s.</p></header><div class=\"figures\">", w->radius, (long long)j->result[0].unstable,
                  (long long)j->result[0].activations, j->result[0].seconds);
    nigh_axis x = nigh_axis_new("output", false, NIGH_AXIS_NUMBER), y = nigh_axis_new("largest slope", true, NIGH_AXIS_NUMBER);
    for (int64_t r = 0; r < j->rows; r++) {
        const nigh_local_lipschitz_result *o = &j->result[r];
        double at = (double)r, values[] = {o->bound, o->unsplit, o->sampled, o->product};
        nigh_axis_cover(&x, 1, &at), nigh_axis_cover(&y, 4, values);
    }
    nigh_axis_round(&x), nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(&p, "Proved, and found");
    nigh_plot_begin(&plot, &html, "Bounds of every output beside the steepest point seen", &x, &y);
    for (int64_t r = 0; r < j->rows; r++) {
        const nigh_local_lipschitz_result *o = &j->result[r];
        char text[120];
        snprintf(text, sizeof text, "%s: bound %.4g, before splitting %.4g, found %.4g", j->name[r], o->bound, o->unsplit, o->sampled);
        nigh_plot_mark(&plot, "s3", NIGH_MARK_CROSS, (double)r, o->product, text);
        nigh_plot_mark(&plot, "s2", NIGH_MARK_RING, (double)r, o->unsplit, text);
        nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, (double)r, o->bound, text);
        nigh_plot_mark(&plot, "s4", NIGH_MARK_TRIANGLE, (double)r, o->sampled, text);
    }
    nigh_page_plot_end(&p, &plot);
    nigh_page_figure_end(&p, "<span class=\"key\"><span class=\"swatch disc s1\"></span>proved</span> <span class=\"key\"><span class=\"swatch disc s2\"></span>proved before splitting</span> "
                             "<span class=\"key\"><span class=\"swatch disc s3\"></span>product of norms</span> <span class=\"key\"><span class=\"swatch disc s4\"></span>steepest point found</span>");
    nigh_axis input = nigh_axis_new("input", false, NIGH_AXIS_NUMBER), slope = nigh_axis_new("derivative", false, NIGH_AXIS_NUMBER);
    double *number = nigh_alloc(ctx, (size_t)j->inputs * sizeof *number);
    if (!number) p.status = NIGH_MEMORY;
    for (int64_t e = 0; number && e < j->inputs; e++) number[e] = (double)e;
    if (number) {
        nigh_axis_cover(&input, j->inputs, number);
        nigh_axis_cover(&slope, j->inputs, j->result[0].low), nigh_axis_cover(&slope, j->inputs, j->result[0].high);
        nigh_axis_round(&input), nigh_axis_round(&slope);
        nigh_page_figure(&p, "Derivatives by each input, proved intervals");
        nigh_plot_begin(&plot, &html, "Proved intervals of the derivatives of the first row", &input, &slope);
        nigh_plot_band(&plot, "s1", j->inputs, number, j->result[0].low, j->result[0].high);
        nigh_page_plot_end(&p, &plot);
        nigh_page_figure_end(&p, "Of the first row, over the whole box, before splitting. Where the band is above 0 the output rises with that input everywhere.");
    }
    nigh_page_raw(&p, "</div>");
    nigh_page_end(&p, "verify local-lipschitz");
    if (!p.status) p.status = nigh_file_write(ctx, w->out, html.data, html.size);
    nigh_free(ctx, number);
    nigh_buffer_free(&html);
    return p.status;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static nigh_status work(nigh_context *ctx, const words *w, job *j)
{
    nigh_status status = prepare(ctx, w, j);
    if (status || w->monotone < 0) return status ? status : nigh_local_lipschitz(ctx, j->net, j->low, j->high, j->rows, j->row, &j->options, j->result);
    for (int64_t r = 0; r < j->rows && !status; r++)
        status = nigh_monotone(ctx, j->net, j->low, j->high, j->row + r * j->outputs, w->monotone, w->pieces, &j->options, &j->monotone[r]);
    return status;
}

static int exit_of(const words *w, const job *j)
{
    bool neither = false, unknown = false;
    for (int64_t r = 0; r < j->rows && w->monotone >= 0; r++) neither |= j->monotone[r].answer == NIGH_MONOTONE_NEITHER, unknown |= j->monotone[r].answer == NIGH_MONOTONE_UNKNOWN;
    return neither ? 1 : unknown ? 4 : 0;
}

int verify_local_lipschitz(nigh_context *ctx, int argc, char **argv)
{
    words w = {.class = -1, .monotone = -1, .samples = 1024, .pieces = 1000, .scale = 1, .radius = NAN};
    const cli_flag flags[] = {{"at", 0, CLI_TEXT, &w.at, "FILE", "x", 0, 0},
                              {"row", 0, CLI_INT, &w.row, "K", "which row of it", 0, 1e12},
                              {"scale", 0, CLI_REAL, &w.scale, "S", "x is what the file holds over S", 1e-12, 1e12},
                              {"radius", 0, CLI_REAL, &w.radius, "E", "half the width of the box", 1e-12, 1e12},
                              {"clip", 0, CLI_TEXT, &w.clip, "LOW,HIGH", "the box is cut to this range", 0, 0},
                              {"all", 0, CLI_SWITCH, &w.all, NULL, "every output", 0, 0},
                              {"class", 0, CLI_INT, &w.class, "K", "one output", 0, 1e9},
                              {"margin", 0, CLI_TEXT, &w.margin, "A,B", "y_A - y_B", 0, 0},
                              {"norm", 0, CLI_TEXT, &w.norm, "inf|2", "of distances of inputs", 0, 0},
                              {"forward", 0, CLI_TEXT, &w.forward, "KIND", "interval, crown, optimised", 0, 0},
                              {"time", 0, CLI_REAL, &w.seconds, "S", "for splitting", 0, 1e9},
                              {"splits", 0, CLI_SWITCH, &w.splits, NULL, "branch and bound", 0, 0},
                              {"fixed", 0, CLI_SWITCH, &w.fixed, NULL, "arguments are not bounded anew", 0, 0},
                              {"monotone", 0, CLI_INT, &w.monotone, "J", "does the output rise or fall with input J?", 0, 1e9},
                              {"pieces", 0, CLI_INT, &w.pieces, "N", "of --monotone, at most", 1, 1 << 24},
                              {"samples", 0, CLI_INT, &w.samples, "N", "points looked at", 0, 1e9},
                              {"output", 'o', CLI_TEXT, &w.out, "PAGE.html", "a page with pictures", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return cli_print(ctx, usage, sizeof usage - 1);
    int count = 0, code = cli_parse(ctx, "verify local-lipschitz", argc, argv, flags, &w.network, 1, &count);
    if (code >= 0) return code;
    if (!count || !w.at || isnan(w.radius)) return cli_misuse(ctx, "a network, --at FILE and --radius E are needed");
    job j = {0};
    cli_progress_start(ctx);
    nigh_status status = work(ctx, &w, &j);
    cli_progress_stop(ctx);
    nigh_buffer text = {.ctx = ctx};
    if (!status) status = cli_json ? json_all(ctx, &w, &j, &text) : w.monotone >= 0 ? print_monotone(&w, &j, &text) : print_bounds(&j, &text);
    if (!status && w.out && w.monotone < 0) status = write_page(ctx, &w, &j);
    code = status ? cli_fail(ctx, status) : cli_print(ctx, text.data, text.size);
    if (!code) code = exit_of(&w, &j);
    nigh_buffer_free(&text);
    if (j.result) nigh_local_lipschitz_free(ctx, j.rows, j.result);
    nigh_free(ctx, j.result);
    nigh_free(ctx, j.monotone);
    nigh_free(ctx, j.low);
    nigh_free(ctx, j.high);
    nigh_free(ctx, j.row);
    nigh_free(ctx, j.name);
    nigh_network_free(j.net);
    return code;
}
