/* nigh verify NETWORK PROPERTY, in the form of the verification competitions. */
#include "cli/verify.h"

#include "core/file.h"
#include "core/json.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

const char *verify_verdict_word(nigh_verify_verdict verdict)
{
    static const char *const words[] = {"unsat", "sat", "timeout", "unknown"};
    return words[verdict];
}

static nigh_status read_property(nigh_context *ctx, const char *path, nigh_property *property)
{
    if (access(path, R_OK) == 0) return nigh_property_read(ctx, path, property);
    char *twin = nigh_format(ctx, "%s.gz", path);
    if (!twin) return NIGH_MEMORY;
    nigh_status status = nigh_property_read(ctx, access(twin, R_OK) == 0 ? twin : path, property);
    nigh_free(ctx, twin);
    return status;
}

nigh_status verify_one(nigh_context *ctx, const char *network, const char *property_path, const nigh_verify_options *options, nigh_property *property,
                       nigh_verify_result *result)
{
    nigh_network *net = NULL;
    nigh_status status = read_property(ctx, property_path, property);
    if (!status) status = verify_load_network(ctx, network, &net);
    if (!status) status = nigh_verify(ctx, net, property, options, result);
    nigh_network_free(net);
    return status;
}

/* ---- what is printed ---------------------------------------------------------------------------------- */

static nigh_status say_competition(nigh_buffer *text, const nigh_verify_result *r)
{
    nigh_status status = nigh_buffer_print(text, "%s\n", verify_verdict_word(r->verdict));
    return status || !r->x ? status : nigh_property_print_point(text, r->inputs, r->x, r->outputs, r->y);
}

static nigh_status set_numbers(nigh_context *ctx, json_t *object, const char *key, int64_t n, const double *value)
{
    json_t *list = json_array();
    nigh_status status = list ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int64_t i = 0; i < n && !status; i++) status = nj_add_real(ctx, list, value[i]);
    if (!status) status = nj_set(ctx, object, key, json_incref(list));
    json_decref(list);
    return status;
}

static nigh_status say_json(nigh_context *ctx, const verify_words *w, const nigh_verify_result *r, nigh_buffer *text)
{
    json_t *object = json_object();
    nigh_status s = object ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) s = nj_set_text(ctx, object, "network", w->network);
    if (!s) s = nj_set_text(ctx, object, "property", w->property);
    if (!s) s = nj_set_text(ctx, object, "verdict", verify_verdict_word(r->verdict));
    if (!s) s = nj_set_text(ctx, object, "semantics", w->options.semantics == NIGH_SEMANTICS_F32 ? "f32" : "real");
    if (!s) s = nj_set_bool(ctx, object, "proved", r->verdict == NIGH_VERIFY_HOLDS && !w->fast);
    if (!s && r->how) s = nj_set_text(ctx, object, "how", r->how);
    if (!s && r->why) s = nj_set_text(ctx, object, "why", r->why);
    if (!s && isfinite(r->bound)) s = nj_set_real(ctx, object, "margin", r->bound);
    if (!s) s = nj_set_real(ctx, object, "domains", (double)r->domains);
    if (!s) s = nj_set_real(ctx, object, "attacks", (double)r->attacks);
    if (!s) s = nj_set_real(ctx, object, "seconds", r->seconds);
    if (!s) s = nj_set_real(ctx, object, "cpu_seconds", r->cpu_seconds);
    if (!s && r->x) s = set_numbers(ctx, object, "x", r->inputs, r->x);
    if (!s && r->x) s = set_numbers(ctx, object, "y", r->outputs, r->y);
    if (!s) s = nj_dump(ctx, object, NJ_INDENTED, text);
    if (!s) s = nigh_buffer_print(text, "\n");
    json_decref(object);
    return s;
}

static void note(const verify_words *w, const nigh_verify_result *r)
{
    if (cli_quiet || cli_json) return;
    char margin[48] = "";
    if (r->verdict == NIGH_VERIFY_HOLDS && isfinite(r->bound)) snprintf(margin, sizeof margin, ", margin %.3g", r->bound);
    fprintf(stderr, "%s by %s%s%s%s%s: %lld domains, %lld points, %.2f s (%.2f s of CPU)\n",
            r->verdict == NIGH_VERIFY_HOLDS ? (w->fast ? "holds (rounding neglected)" : "holds, proved") : r->verdict == NIGH_VERIFY_VIOLATED ? "violated, found" : "open after",
            r->how ? r->how : "nothing", margin, r->why ? " (" : "", r->why ? r->why : "", r->why ? ")" : "", (long long)r->domains, (long long)r->attacks, r->seconds,
            r->cpu_seconds);
}

static int run_one(nigh_context *ctx, verify_words *w)
{
    nigh_property property = {0};
    nigh_verify_result result = {0};
    nigh_buffer text = {.ctx = ctx}, page = {.ctx = ctx};
    cli_progress_start(ctx);
    nigh_status status = verify_one(ctx, w->network, w->property, &w->options, &property, &result);
    cli_progress_stop(ctx);
    if (!status) status = say_competition(&text, &result);
    if (!status && cli_json) status = say_json(ctx, w, &result, &page);
    if (!status && w->out) status = nigh_file_write(ctx, w->out, text.data, text.size);
    int code = status ? cli_fail(ctx, status) : 0;
    if (!status) code = cli_print(ctx, cli_json ? page.data : text.data, cli_json ? page.size : text.size);
    if (!status && !code) {
        note(w, &result);
        code = result.verdict == NIGH_VERIFY_HOLDS ? 0 : result.verdict == NIGH_VERIFY_VIOLATED ? 1 : cli_exit_code(NIGH_UNDECIDED);
    }
    nigh_verify_result_free(ctx, &result);
    nigh_property_free(&property);
    nigh_buffer_free(&text), nigh_buffer_free(&page);
    return code;
}

/* ---- words -------------------------------------------------------------------------------------------- */

static nigh_status take_words(nigh_context *ctx, verify_words *w)
{
    w->options.seconds = w->timeout, w->options.fast = w->fast, w->options.seed = nigh_context_seed(ctx);
    if (w->semantics && strcmp(w->semantics, "f32") == 0) w->options.semantics = NIGH_SEMANTICS_F32;
    else if (w->semantics && strcmp(w->semantics, "real") != 0) return nigh_fail(ctx, NIGH_INVALID, "--semantics is '%s'; real or f32 is allowed", w->semantics);
    static const char *const splits[] = {"auto", "input", "relu"};
    int split = 0;
    while (w->split && split < 3 && strcmp(w->split, splits[split]) != 0) split++;
    if (split == 3) return nigh_fail(ctx, NIGH_INVALID, "--split is '%s'; auto, input or relu is allowed", w->split);
    w->options.splitting = (nigh_splitting)split;
    return NIGH_OK;
}

int verify_files(nigh_context *ctx, int argc, char **argv)
{
    verify_words w = {0};
    const char *words[2] = {NULL};
    int count;
    const cli_flag flags[] = {
        {"timeout", 't', CLI_REAL, &w.timeout, "SECONDS", "wall clock for an instance (default: none; batches: what the file says)", 0, 1e9},
        {"semantics", 0, CLI_TEXT, &w.semantics, "real|f32", "what the verdict is about: real arithmetic on the stored weights, or any evaluation in f32 (real)", 0, 0},
        {"fast", 0, CLI_SWITCH, &w.fast, NULL, "neglect rounding in proofs", 0, 0},
        {"split", 0, CLI_TEXT, &w.split, "auto|input|relu", "what a search splits (auto: inputs when few are open)", 0, 0},
        {"out", 'o', CLI_TEXT, &w.out, "FILE", "write verdict and counterexample here too; batches: verdicts as csv", 0, 0},
        {"instances", 0, CLI_TEXT, &w.instances, "FILE.csv", "a batch: network, property, seconds on each line", 0, 0},
        {"only", 0, CLI_TEXT, &w.only, "TEXT", "batch: only lines that contain this text", 0, 0},
        {"expected", 0, CLI_TEXT, &w.expected, "FILE.csv", "batch: verdicts to compare with (columns network, property, expected)", 0, 0},
        {"journal", 0, CLI_TEXT, &w.journal, "FILE", "batch: verdicts are kept here; a killed run goes on behind the last", 0, 0},
        {"report", 0, CLI_TEXT, &w.report, "HTML", "batch: summary page", 0, 0},
        {NULL, 0, 0, NULL, NULL, NULL, 0, 0},
    };
    int code = cli_parse(ctx, "verify", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    if (take_words(ctx, &w)) return cli_fail(ctx, NIGH_INVALID);
    if (w.instances && count) return cli_misuse(ctx, "'%s' beside --instances: networks and properties stand in that file", words[0]);
    if (w.instances) return verify_batch(ctx, &w);
    if (count < 2) return cli_misuse(ctx, count ? "a property is missing beside '%s': nigh verify NETWORK.onnx PROPERTY.vnnlib" : "nigh verify NETWORK.onnx PROPERTY.vnnlib, or one of the commands that nigh verify --help lists", words[0]);
    if (w.expected || w.journal || w.report || w.only) return cli_misuse(ctx, "--expected, --journal, --report and --only are for batches (--instances)");
    w.network = words[0], w.property = words[1];
    return run_one(ctx, &w);
}
