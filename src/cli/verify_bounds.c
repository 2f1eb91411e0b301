/* nigh verify bounds: in what range the outputs of a network stay over a box of inputs. */
#include "cli/verify.h"

#include "core/json.h"
#include "nigh/io.h"
#include "verify/outputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: nigh verify bounds NETWORK (--low X --high Y | --at X --radius E) [options]\n\n"
    "Proved ranges of all outputs of a network over a box of inputs: no point of the box leads outside, rounding included.\n"
    "NETWORK: .onnx (.gz), or a network of nigh in safetensors; for one sample. Affine layers of any kind, maxima, sorting, relu, leaky relu, prelu, clip, abs,\n"
    "sigmoid, tanh, softplus, elu, exp, square, sin, cos, gelu, silu. A last softmax keeps the order: take it off.\n\n"
    "  --low X, --high Y      the box: a number for all inputs, or a file of numbers (npy), flattened in the network's order\n"
    "  --at X                 its centre instead, a number or a file    --radius E  from the centre in every input (0: the point itself)\n"
    "  --clip L,H             what inputs may be at all: cuts the box\n"
    "  --kind KIND            interval: one pass, wide; crown (default): linear bounds; optimised: linear bounds with slopes chosen for each output\n"
    "  --semantics real|f32   of the real function of the stored weights (default), or of every evaluation in f32, whatever its order of additions\n"
    "  --fast                 rounding neglected: no proof\n"
    "  --threads, --json, --quiet\n\n"
    "Decimals that f64 does not have are taken outward; printed numbers are rounded outward.\n\n"
    "Example: nigh verify bounds net.onnx --at image.npy --radius 0.01 --clip 0,1 --kind crown\n"
    "Exit: 0 done, 2 bad usage or input, 3 out of memory, 4 nothing finite could be proved, 130 interrupted.\n";

typedef struct words {
    const char *path, *low, *high, *at, *radius, *clip, *kind, *semantics;
    bool fast;
} words;

/* ---- the box ------------------------------------------------------------------------------------------- */

/* A decimal between two numbers that hold it; whole numbers as they are. */
static bool read_number(const char *text, double *below, double *above)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v)) return false;
    bool whole = strcspn(text, ".eExX") == strlen(text) && fabs(v) < 0x1p53;
    *below = whole ? v : nextafter(v, -INFINITY);
    *above = whole ? v : nextafter(v, INFINITY);
    return true;
}

/* A number for all, or a file of n. `low`, `high`: NULL: not wanted. */
static nigh_status read_side(nigh_context *ctx, const char *flag, const char *text, int64_t n, double *low, double *high)
{
    double below, above;
    nigh_array file = {.data = NULL};
    if (read_number(text, &below, &above)) {
        for (int64_t i = 0; i < n; i++) {
            if (low) low[i] = below;
            if (high) high[i] = above;
        }
        return NIGH_OK;
    }
    nigh_status status = nigh_npy_read(ctx, text, &file);
    if (status) return nigh_within(ctx, status, "%s is neither a number nor a file of numbers", flag);
    if (nigh_shape_count(&file.shape) != n)
        status = nigh_fail(ctx, NIGH_INVALID, "%s: '%s' has %lld numbers; the network has %lld inputs", flag, text, (long long)nigh_shape_count(&file.shape), (long long)n);
    double *value = status ? NULL : nigh_alloc(ctx, (size_t)(n + 1) * sizeof *value);
    if (!status) status = value ? nigh_array_to_f64(ctx, &file, value) : NIGH_MEMORY;
    if (!status && low) memcpy(low, value, (size_t)n * sizeof *value);
    if (!status && high) memcpy(high, value, (size_t)n * sizeof *value);
    nigh_free(ctx, value);
    nigh_array_free(ctx, &file);
    return status;
}

static nigh_status read_ball(nigh_context *ctx, const words *w, int64_t n, double *low, double *high)
{
    double below, above;
    nigh_status status = read_side(ctx, "--at", w->at, n, low, high);
    if (status) return status;
    if (!read_number(w->radius, &below, &above) || below < 0) return nigh_fail(ctx, NIGH_INVALID, "--radius is '%s'; a number of 0 or more is needed", w->radius);
    for (int64_t i = 0; i < n && above > 0; i++) {
        low[i] = nextafter(low[i] - above, -INFINITY);
        high[i] = nextafter(high[i] + above, INFINITY);
    }
    return NIGH_OK;
}

static nigh_status clip_box(nigh_context *ctx, const char *clip, int64_t n, double *low, double *high)
{
    char text[64];
    double least, most, unused;
    const char *comma = strchr(clip, ',');
    bool right = comma && comma - clip < (long)sizeof text;
    if (right) memcpy(text, clip, (size_t)(comma - clip)), text[comma - clip] = 0;
    if (!right || !read_number(text, &least, &unused) || !read_number(comma + 1, &unused, &most) || least > most)
        return nigh_fail(ctx, NIGH_INVALID, "--clip is '%s'; two numbers with a comma between are needed, the smaller first", clip);
    for (int64_t i = 0; i < n; i++) {
        if (low[i] > most || high[i] < least) return nigh_fail(ctx, NIGH_INVALID, "--clip leaves nothing of input %lld, which is within [%g, %g]", (long long)i, low[i], high[i]);
        low[i] = fmax(low[i], least);
        high[i] = fmin(high[i], most);
    }
    return NIGH_OK;
}

static nigh_status read_box(nigh_context *ctx, const words *w, int64_t n, double *low, double *high)
{
    nigh_status status = w->at ? read_ball(ctx, w, n, low, high) : read_side(ctx, "--low", w->low, n, low, NULL);
    if (!status && !w->at) status = read_side(ctx, "--high", w->high, n, NULL, high);
    if (!status && w->clip) status = clip_box(ctx, w->clip, n, low, high);
    return status;
}

static nigh_status read_words(nigh_context *ctx, const words *w, nigh_bound_kind *kind, nigh_verify_options *options)
{
    static const char *const kinds[] = {"interval", "crown", "optimised"};
    const char *name = w->kind ? w->kind : "crown", *semantics = w->semantics ? w->semantics : "real";
    int k = 0;
    while (k < 3 && strcmp(kinds[k], name)) k++;
    if (k == 3) return nigh_fail(ctx, NIGH_INVALID, "--kind is '%s'; interval, crown and optimised are allowed", name);
    if (strcmp(semantics, "real") && strcmp(semantics, "f32")) return nigh_fail(ctx, NIGH_INVALID, "--semantics is '%s'; real and f32 are allowed", semantics);
    bool box = w->low && w->high && !w->at && !w->radius, ball = w->at && w->radius && !w->low && !w->high;
    if (!box && !ball) return nigh_fail(ctx, NIGH_INVALID, "a box is needed: --low and --high, or --at and --radius");
    *kind = (nigh_bound_kind)k;
    *options = (nigh_verify_options){.fast = w->fast, .semantics = *semantics == 'f' ? NIGH_SEMANTICS_F32 : NIGH_SEMANTICS_REAL};
    return NIGH_OK;
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

/* Nine digits that are not above (below) the number. */
static const char *outward(double v, bool up, char text[32])
{
    double shown = v;
    for (int i = 0; i < 4; i++) {
        snprintf(text, 32, "%.9g", shown);
        double back = strtod(text, NULL);
        if (up ? back >= v : back <= v) return text;
        shown += (up ? 1 : -1) * fabs(v) * 1e-9;
    }
    snprintf(text, 32, "%.17g", v);
    return text;
}

static nigh_status print_table(int64_t n, const double *low, const double *high, const char *head, nigh_buffer *text)
{
    char a[32], b[32];
    nigh_status s = nigh_buffer_print(text, "%s\n%-10s %18s %18s\n", head, "output", "low", "high");
    for (int64_t i = 0; i < n && !s; i++) s = nigh_buffer_print(text, "%-10lld %18s %18s\n", (long long)i, outward(low[i], false, a), outward(high[i], true, b));
    return s;
}

static nigh_status add_numbers(nigh_context *ctx, json_t *root, const char *key, int64_t n, const double *value)
{
    json_t *list = json_array();
    nigh_status s = list ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int64_t i = 0; i < n && !s; i++)
        if (json_array_append_new(list, json_real(value[i]))) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) return nj_set(ctx, root, key, list);
    json_decref(list);
    return s;
}

static nigh_status print_json(nigh_context *ctx, const words *w, int64_t n, const double *low, const double *high, double seconds, nigh_buffer *text)
{
    json_t *root = json_object();
    nigh_status s = root ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) s = nj_set_text(ctx, root, "kind", w->kind ? w->kind : "crown");
    if (!s) s = nj_set_text(ctx, root, "semantics", w->semantics ? w->semantics : "real");
    if (!s) s = nj_set_bool(ctx, root, "proved", !w->fast);
    if (!s) s = nj_set_real(ctx, root, "seconds", seconds);
    if (!s) s = add_numbers(ctx, root, "low", n, low);
    if (!s) s = add_numbers(ctx, root, "high", n, high);
    if (!s) s = nj_dump(ctx, root, 0, text);
    if (!s) s = nigh_buffer_add(text, "\n", 1);
    json_decref(root);
    return s;
}

static nigh_status answer(nigh_context *ctx, const words *w, const bound_graph *graph, nigh_bound_kind kind, const nigh_verify_options *options)
{
    int64_t in = graph->inputs, out = graph->outputs;
    double *box = nigh_alloc(ctx, (size_t)(2 * in + 2 * out) * sizeof *box), *low = box + 2 * in, *high = low + out, start = nigh_clock();
    nigh_buffer text = {.ctx = ctx};
    if (!box) return NIGH_MEMORY;
    nigh_status status = read_box(ctx, w, in, box, box + in);
    if (!status) status = outputs_bound(ctx, graph, kind, options, box, box + in, low, high);
    double seconds = nigh_clock() - start;
    const char *head = w->fast ? "rounding neglected: no proof" : options->semantics == NIGH_SEMANTICS_F32 ? "proved for every evaluation in f32" : "proved for the real function of the stored weights";
    if (!status) status = cli_json ? print_json(ctx, w, out, low, high, seconds, &text) : print_table(out, low, high, head, &text);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    nigh_free(ctx, box);
    return status;
}

static nigh_status run(nigh_context *ctx, const words *w)
{
    nigh_network *net = NULL;
    bound_graph *graph = NULL;
    nigh_bound_kind kind = NIGH_BOUND_CROWN;
    nigh_verify_options options;
    nigh_status status = read_words(ctx, w, &kind, &options);
    if (!status) status = verify_load_network(ctx, w->path, &net);
    if (!status) status = outputs_graph(ctx, net, false, &graph);
    if (!status) status = answer(ctx, w, graph, kind, &options);
    bound_graph_free(graph);
    nigh_network_free(net);
    return status;
}

int verify_bounds(nigh_context *ctx, int argc, char **argv)
{
    words w = {0};
    const char *paths[1] = {NULL};
    int count;
    const cli_flag flags[] = {{"low", 0, CLI_TEXT, &w.low, "X", "", 0, 0},       {"high", 0, CLI_TEXT, &w.high, "X", "", 0, 0},
                              {"at", 0, CLI_TEXT, &w.at, "X", "", 0, 0},         {"radius", 0, CLI_TEXT, &w.radius, "E", "", 0, 0},
                              {"clip", 0, CLI_TEXT, &w.clip, "L,H", "", 0, 0},   {"kind", 0, CLI_TEXT, &w.kind, "KIND", "", 0, 0},
                              {"fast", 0, CLI_SWITCH, &w.fast, NULL, "", 0, 0}, {"semantics", 0, CLI_TEXT, &w.semantics, "real|f32", "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(usage, stdout), 0;
    int code = cli_parse(ctx, "verify", argc, argv, flags, paths, 1, &count);
    if (code >= 0) return code;
    if (!count) return cli_misuse(ctx, "which network? nigh verify bounds NETWORK.onnx --low 0 --high 1");
    w.path = paths[0];
    nigh_status status = run(ctx, &w);
    return status ? cli_fail(ctx, status) : 0;
}
