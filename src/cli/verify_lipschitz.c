/* nigh verify lipschitz: how far the outputs of a network can move when its input moves, anywhere. */
#include "cli/verify.h"

#include "core/file.h"
#include "core/json.h"
#include "nigh/io.h"
#include "nigh/lipsdp.h"
#include "plan/report.h"
#include "verify/outputs.h"

#include <math.h>
#include <string.h>

static const char usage[] =
    "usage: nigh verify lipschitz NETWORK [options]\n\n"
    "A proved bound L of |f(x) - f(y)| / |x - y| over all pairs of inputs, by a semidefinite program with one multiplier for each unit or group: far\n"
    "below the product of the norms of the layers. Whatever the solver does, the bound is proved by a Cholesky factorisation with a margin for rounding.\n"
    "NETWORK: .onnx (.gz), or a network of nigh in safetensors. One input; affine layers of any kind (convolutions as their matrices), relu, leaky relu,\n"
    "clip, abs, tanh, sigmoid, softplus, elu, gelu, silu, sin, cos; maxima and minima of pairs (MaxMin); sorted groups; sums of paths (residual).\n\n"
    "  --norm 2|inf           norm of inputs: 2 (default; with the 2-norm of all outputs), or inf (each output by itself; the largest counts)\n"
    "  --output I             of output I alone, from 0              --pair I,J   of output I less output J\n"
    "  --activation KIND      what the file's relus stand for: file (default: relus), maxmin, groupsort (files of ONNX have no operator for it)\n"
    "  --group N              size of the groups of groupsort (2)\n"
    "  --split N              cut after every N activations and multiply the parts' bounds: faster, looser. Without it only programs above --most are cut\n"
    "  --most N               largest order of a program (1600)      --gap G      stop within G of the program's least value (1e-3)\n"
    "  --time S               seconds for the solver: what is reached then is proved and given\n"
    "  --samples N            points for the lower bound (64; 0: none)\n"
    "  -o PAGE.html           a page: bounds and seconds of finer and coarser cuts (norm 2), of each output (norm inf)\n"
    "  --seed, --threads, --json\n\n"
    "  bound    proved for the real function of the stored weights: the answer\n"
    "  sampled  slope met at a sampled point: the truth lies between the two\n"
    "  product  of the norms of the layers, proved too: what the program is better than\n\n"
    "Example: nigh verify lipschitz net.onnx --norm inf --pair 3,8 --json\n"
    "Exit: 0 done, 2 bad usage or input, 3 out of memory, 4 nothing could be proved, 130 interrupted.\n";

typedef struct words {
    const char *path, *norm, *pair, *activation, *page;
    int64_t output, samples;
    nigh_lipschitz_options options;
} words;

/* ---- the question ------------------------------------------------------------------------------------------- */

static nigh_status read_words(nigh_context *ctx, words *w)
{
    nigh_lipschitz_options *o = &w->options;
    if (w->norm && strcmp(w->norm, "2") != 0 && strcmp(w->norm, "inf") != 0) return nigh_fail(ctx, NIGH_INVALID, "--norm is '%s'; 2 and inf are allowed", w->norm);
    o->norm = w->norm && *w->norm == 'i' ? NIGH_LIPSCHITZ_INF : NIGH_LIPSCHITZ_L2;
    const char *kind = w->activation ? w->activation : "file";
    bool sorts = strcmp(kind, "groupsort") == 0;
    if (!sorts && strcmp(kind, "maxmin") != 0 && strcmp(kind, "file") != 0) return nigh_fail(ctx, NIGH_INVALID, "--activation is '%s'; file, maxmin and groupsort are allowed", kind);
    if (o->group && !sorts) return nigh_fail(ctx, NIGH_INVALID, "--group belongs to --activation groupsort");
    if (!sorts) o->group = *kind == 'm' ? 2 : 0;
    else if (!o->group) o->group = 2;
    if (w->pair && w->output >= 0) return nigh_fail(ctx, NIGH_INVALID, "--output and --pair exclude each other");
    o->samples = w->samples ? (int)w->samples : -1;
    o->seed = nigh_context_seed(ctx);
    return NIGH_OK;
}

static nigh_status count_outputs(nigh_context *ctx, nigh_network *net, int64_t *outputs)
{
    bound_graph *graph;
    nigh_status status = outputs_graph(ctx, net, false, &graph);
    if (status) return status;
    *outputs = graph->outputs;
    bound_graph_free(graph);
    return NIGH_OK;
}

static nigh_status make_row(nigh_context *ctx, const words *w, nigh_network *net, double **row)
{
    int64_t outputs;
    long long plus = w->output, minus = -1;
    if (w->output < 0 && !w->pair) return NIGH_OK;
    char rest;
    if (w->pair && (sscanf(w->pair, "%lld,%lld%c", &plus, &minus, &rest) != 2 || plus == minus || plus < 0 || minus < 0))
        return nigh_fail(ctx, NIGH_INVALID, "--pair is '%s'; two different outputs with a comma between are needed", w->pair);
    nigh_status status = count_outputs(ctx, net, &outputs);
    if (status) return status;
    if (plus >= outputs || minus >= outputs)
        return nigh_fail(ctx, NIGH_INVALID, "output %lld; the network has %lld, from 0", plus >= outputs ? plus : minus, (long long)outputs);
    if (!(*row = nigh_alloc_zero(ctx, (size_t)outputs, sizeof **row))) return NIGH_MEMORY;
    (*row)[plus] = 1;
    if (minus >= 0) (*row)[minus] = -1;
    return NIGH_OK;
}

/* ---- the answer ------------------------------------------------------------------------------------------------ */

static nigh_status print_result(const words *w, const nigh_lipschitz_result *r, nigh_buffer *text)
{
    const char *norm = w->options.norm == NIGH_LIPSCHITZ_INF ? "inf" : "2";
    nigh_status s = nigh_buffer_print(text, "bound     %.9g   proved: %s <= bound |x - y|_%s\n", r->bound,
                                      w->options.rows ? "|row . (f(x) - f(y))|" : w->options.norm == NIGH_LIPSCHITZ_INF ? "|f(x) - f(y)|_inf" : "|f(x) - f(y)|_2", norm);
    if (!s && w->samples) s = nigh_buffer_print(text, "sampled   %.9g   the constant is at least this: the bound is at most %.3g times it\n", r->sampled, r->sampled > 0 ? r->bound / r->sampled : NAN);
    if (!s) s = nigh_buffer_print(text, "product   %.9g   of the layers' norms: %.3g times the bound\n", r->naive, r->bound > 0 ? r->naive / r->bound : NAN);
    if (!s) s = nigh_buffer_print(text, "program   %lld multipliers, order %lld, %d steps, %.3f s; no better bound than %.9g in it\n", (long long)r->multipliers, (long long)r->order, r->steps, r->solve_seconds, r->lower);
    if (!s && r->pieces > 1) s = nigh_buffer_print(text, "cut       into %d parts whose bounds are multiplied: looser than one program\n", r->pieces);
    if (!s && r->early) s = nigh_buffer_print(text, "early     the solver was stopped before its gap: proved, but not the best\n");
    for (int64_t i = 0; i < r->count && r->count > 1 && !s; i++) s = nigh_buffer_print(text, "%s%-9lld %.9g\n", i ? "" : "output    bound\n", (long long)i, r->each[i]);
    return s;
}

static nigh_status json_result(nigh_context *ctx, const nigh_lipschitz_result *r, nigh_buffer *text)
{
    json_t *root = json_object(), *each = json_array();
    nigh_status s = root && each ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    const struct {
        const char *key;
        double value;
    } reals[] = {{"bound", r->bound}, {"sampled", r->sampled}, {"product", r->naive}, {"lower", r->lower}, {"seconds", r->seconds}, {"solve_seconds", r->solve_seconds}};
    const struct {
        const char *key;
        int64_t value;
    } counts[] = {{"inputs", r->inputs}, {"outputs", r->outputs}, {"order", r->order}, {"multipliers", r->multipliers}, {"pieces", r->pieces}, {"steps", r->steps}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals && !s; i++) s = nj_set_real(ctx, root, reals[i].key, reals[i].value);
    for (size_t i = 0; i < sizeof counts / sizeof *counts && !s; i++) s = nj_set_int(ctx, root, counts[i].key, counts[i].value);
    if (!s) s = nj_set_bool(ctx, root, "early", r->early);
    for (int64_t i = 0; i < r->count && !s; i++)
        if (json_array_append_new(each, json_real(r->each[i]))) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) s = nj_set(ctx, root, "each", each);
    else json_decref(each);
    if (!s) s = nj_dump(ctx, root, 0, text);
    if (!s) s = nigh_buffer_add(text, "\n", 1);
    json_decref(root);
    return s;
}

/* ---- the page --------------------------------------------------------------------------------------------------- */

enum { MOST_CUTS = 8 };

/* Bounds of networks cut after 1, 2, 4 .. activations, beside the whole: what more seconds buy. */
static nigh_status cuts(nigh_context *ctx, nigh_network *net, const words *w, const nigh_lipschitz_result *whole, int *count, double *seconds, double *bound, int *pieces)
{
    nigh_lipschitz_options o = w->options;
    nigh_status status = NIGH_OK;
    o.samples = -1, *count = 0;
    for (int64_t split = 1; *count < MOST_CUTS - 1 && !status; split *= 2) {
        nigh_lipschitz_result r;
        o.split = split;
        status = nigh_lipschitz_network(ctx, net, &o, &r);
        if (status) break;
        bool one = r.pieces <= whole->pieces;
        if (!one) seconds[*count] = fmax(r.solve_seconds, 1e-6), bound[*count] = r.bound, pieces[(*count)++] = r.pieces;
        nigh_lipschitz_result_free(ctx, &r);
        if (one) break;
    }
    seconds[*count] = fmax(whole->solve_seconds, 1e-6), bound[*count] = whole->bound, pieces[(*count)++] = whole->pieces;
    return status;
}

static void cuts_picture(nigh_page *page, const nigh_lipschitz_result *whole, int count, const double *seconds, const double *bound, const int *pieces)
{
    nigh_axis x = nigh_axis_new("solver", true, NIGH_AXIS_SECONDS), y = nigh_axis_new("bound", true, NIGH_AXIS_NUMBER);
    nigh_plot plot;
    nigh_axis_cover(&x, count, seconds), nigh_axis_cover(&y, count, bound), nigh_axis_cover(&y, 1, &whole->naive);
    if (whole->sampled > 0) nigh_axis_cover(&y, 1, &whole->sampled);
    nigh_axis_round(&x), nigh_axis_round(&y);
    nigh_page_figure(page, "What seconds buy");
    nigh_plot_begin(&plot, page->html, "Proved bounds by the seconds that they take", &x, &y);
    nigh_plot_line(&plot, "quiet", count, seconds, bound, "bounds");
    for (int i = 0; i < count; i++) {
        char text[80];
        snprintf(text, sizeof text, "%d part%s: %.4g in %.3g s", pieces[i], pieces[i] > 1 ? "s" : "", bound[i], seconds[i]);
        nigh_plot_mark(&plot, "accent", NIGH_MARK_DISC, seconds[i], bound[i], text);
    }
    nigh_plot_level(&plot, "bad", whole->naive, "product of norms");
    if (whole->sampled > 0) nigh_plot_level(&plot, "good", whole->sampled, "sampled");
    nigh_page_plot_end(page, &plot);
    nigh_page_figure_end(page, "The constant lies between what was sampled and the lowest bound. Each disc is a proved bound: the network cut into parts, or whole.");
}

static void outputs_picture(nigh_page *page, const nigh_lipschitz_result *r)
{
    nigh_axis x = nigh_axis_new("output", false, NIGH_AXIS_NUMBER), y = nigh_axis_new("bound", false, NIGH_AXIS_NUMBER);
    nigh_plot plot;
    const double ends[2] = {-0.5, (double)r->count - 0.5}, zero = 0;
    nigh_axis_cover(&x, 2, ends), nigh_axis_cover(&y, r->count, r->each), nigh_axis_cover(&y, 1, &zero);
    nigh_axis_round(&x), nigh_axis_round(&y);
    nigh_page_figure(page, "Outputs");
    nigh_plot_begin(&plot, page->html, "Proved bounds of the outputs", &x, &y);
    for (int64_t i = 0; i < r->count; i++) {
        char text[80];
        snprintf(text, sizeof text, "output %lld: %.4g", (long long)i, r->each[i]);
        nigh_plot_bar(&plot, "accent", (double)i - 0.4, (double)i + 0.4, r->each[i], text);
    }
    nigh_page_plot_end(page, &plot);
    nigh_page_figure_end(page, "How far each output can move for a step of length 1 of the input.");
}

static nigh_status write_page(nigh_context *ctx, nigh_network *net, const words *w, const nigh_lipschitz_result *r)
{
    nigh_buffer html = {.ctx = ctx}, text = {.ctx = ctx};
    nigh_page page = {.ctx = ctx, .html = &html};
    double seconds[MOST_CUTS], bound[MOST_CUTS];
    int pieces[MOST_CUTS], count = 0;
    bool flat = w->options.norm == NIGH_LIPSCHITZ_L2 && r->bound > 0;
    page.status = flat ? cuts(ctx, net, w, r, &count, seconds, bound, pieces) : NIGH_OK;
    if (!page.status) page.status = print_result(w, r, &text);
    nigh_page_begin(&page, "nigh: Lipschitz constant");
    nigh_page_raw(&page, "<header><h1>How far outputs can move</h1><p>");
    nigh_page_words(&page, w->path);
    nigh_page_raw(&page, "</p></header>\n<pre class=\"receipt\">");
    nigh_page_words(&page, text.data ? text.data : "");
    nigh_page_raw(&page, "</pre>\n<div class=\"figures\">\n");
    if (flat && !page.status) cuts_picture(&page, r, count, seconds, bound, pieces);
    if (r->count > 1 && !page.status) outputs_picture(&page, r);
    nigh_page_raw(&page, "</div>\n");
    nigh_page_end(&page, ".");
    if (!page.status) page.status = nigh_file_write(ctx, w->page, html.data, html.size);
    nigh_buffer_free(&html);
    nigh_buffer_free(&text);
    return page.status;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static nigh_status run(nigh_context *ctx, words *w)
{
    nigh_network *net = NULL;
    nigh_lipschitz_result r = {0};
    nigh_buffer text = {.ctx = ctx};
    double *row = NULL;
    nigh_status status = read_words(ctx, w);
    if (!status) status = verify_load_network(ctx, w->path, &net);
    if (!status) status = make_row(ctx, w, net, &row);
    w->options.row = row, w->options.rows = row ? 1 : 0;
    if (!status) status = nigh_lipschitz_network(ctx, net, &w->options, &r);
    if (!status && w->page) status = write_page(ctx, net, w, &r);
    if (!status) status = cli_json ? json_result(ctx, &r, &text) : print_result(w, &r, &text);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    nigh_lipschitz_result_free(ctx, &r);
    nigh_free(ctx, row);
    nigh_network_free(net);
    return status;
}

int verify_lipschitz(nigh_context *ctx, int argc, char **argv)
{
    words w = {.output = -1, .samples = 64};
    const char *paths[1] = {NULL};
    int count;
    const cli_flag flags[] = {{"norm", 0, CLI_TEXT, &w.norm, "2|inf", "", 0, 0},
                              {"output", 0, CLI_INT, &w.output, "I", "", 0, 1e9},
                              {"pair", 0, CLI_TEXT, &w.pair, "I,J", "", 0, 0},
                              {"activation", 0, CLI_TEXT, &w.activation, "KIND", "", 0, 0},
                              {"group", 0, CLI_INT, &w.options.group, "N", "", 2, 1e6},
                              {"split", 0, CLI_INT, &w.options.split, "N", "", 1, 1e6},
                              {"most", 0, CLI_INT, &w.options.most, "N", "", 2, 20000},
                              {"gap", 0, CLI_REAL, &w.options.gap, "G", "", 1e-9, 0.5},
                              {"time", 0, CLI_REAL, &w.options.seconds, "S", "", 1e-9, 1e9},
                              {"samples", 0, CLI_INT, &w.samples, "N", "", 0, 1e6},
                              {"out", 'o', CLI_TEXT, &w.page, "PAGE", "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(usage, stdout), 0;
    int code = cli_parse(ctx, "verify", argc, argv, flags, paths, 1, &count);
    if (code >= 0) return code;
    if (!count) return cli_misuse(ctx, "which network? nigh verify lipschitz NETWORK.onnx");
    w.path = paths[0];
    cli_progress_start(ctx);
    nigh_status status = run(ctx, &w);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
