/* nigh audit */
#include "cli/cli.h"
#include "nigh/discretise.h"
#include "nigh/io.h"
#include "operator/fields.h"

#include <math.h>
#include <string.h>

typedef struct question {
    const char *path, *points, *kernel;
    int64_t grid;
    double within;
} question;

/* Plans and networks are files of one kind, told apart by what they say of themselves. */
static nigh_status is_network(nigh_context *ctx, const char *path, bool *network)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_safetensors_read(ctx, path, &bundle);
    *network = !status && bundle.metadata && strstr(bundle.metadata, "\"nigh-network\"");
    nigh_bundle_free(&bundle);
    return status;
}

/* What a plan was trained on. */
static nigh_status of_plan(nigh_context *ctx, const nigh_plan *plan, const question *q, nigh_discretisation *spec, nigh_network **net)
{
    const nigh_method *method = plan->method;
    const field_plan *self = plan->state;
    if (method->load != fields_load) return nigh_fail(ctx, NIGH_INVALID, "%s: plans of method %s hold no network on fields", q->path, method->name);
    *spec = (nigh_discretisation){.dims = self->shape.dims, .trained = {self->shape.size[0], self->shape.size[1]}, .grid = NIGH_GRID_CELL};
    if (q->grid && q->grid != spec->trained[0])
        return nigh_fail(ctx, NIGH_INVALID, "%s: --grid is %lld; the plan was trained on %lld points", q->path, (long long)q->grid, (long long)spec->trained[0]);
    for (int i = 0; method->options[i].name; i++)
        if (!strcmp(method->options[i].name, "grid")) spec->grid = field_grid(method, &plan->settings);
        else if (!strcmp(method->options[i].name, "kernel")) spec->resampling = (nigh_resampling)plan->settings.value[i];
    *net = self->net;
    return NIGH_OK;
}

static nigh_status of_network(nigh_context *ctx, nigh_network *net, const question *q, nigh_discretisation *spec)
{
    if (!q->grid) return nigh_fail(ctx, NIGH_INVALID, "%s is a network: say --grid N, the points in each dimension that it was trained on", q->path);
    if (nigh_network_inputs(net) < 1) return nigh_fail(ctx, NIGH_INVALID, "%s: a network without inputs", q->path);
    *spec = (nigh_discretisation){.dims = nigh_network_input_shape(net, 0)->ndim == 4 ? 2 : 1, .trained = {q->grid, q->grid}, .grid = NIGH_GRID_PERIODIC};
    return NIGH_OK;
}

static bool safe(double c, double within) { return c <= within; }

static nigh_status list_safe(const nigh_consistency *c, const double *value, double within, const char *between, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    int n = 0;
    for (int i = 0; i < NIGH_CONSISTENCY_GRIDS && !status; i++)
        if (safe(value[i], within)) status = nigh_buffer_print(text, "%s%lld", n++ ? between : "", (long long)c->grid[i][0]);
    return status;
}

static nigh_status say_safe(const nigh_consistency *c, double within, nigh_buffer *text)
{
    static const char *const names[] = {"rewritten", "as it is", "wrapper"};
    const double *const value[] = {c->rewritten, c->plain, c->wrapper};
    nigh_status status = nigh_buffer_print(text, "safe grids (within %.3g of the finest)\n", within);
    for (int k = 0; k < 3 && !status; k++) {
        size_t before;
        status = nigh_buffer_print(text, "  %-10s ", names[k]);
        before = text->size;
        if (!status) status = list_safe(c, value[k], within, ", ", text);
        if (!status) status = nigh_buffer_print(text, text->size == before ? "none\n" : "\n");
    }
    return status;
}

static nigh_status say_safe_json(const nigh_consistency *c, double within, nigh_buffer *text)
{
    static const char *const names[] = {"rewritten", "plain", "wrapper"};
    const double *const value[] = {c->rewritten, c->plain, c->wrapper};
    nigh_status status = nigh_buffer_print(text, ",\n\"within\": %.17g,\n\"safe\": {", within);
    for (int k = 0; k < 3 && !status; k++) {
        status = nigh_buffer_print(text, "%s\"%s\": [", k ? ", " : "", names[k]);
        if (!status) status = list_safe(c, value[k], within, ", ", text);
        if (!status) status = nigh_buffer_print(text, "]");
    }
    return status ? status : nigh_buffer_print(text, "}");
}

static nigh_status report(nigh_context *ctx, nigh_network *net, const nigh_discretisation *spec, const question *q)
{
    nigh_network_style style = cli_json ? NIGH_NETWORK_JSON : NIGH_NETWORK_TABLE;
    nigh_audit *audit = NULL;
    nigh_consistency c;
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_network_audit(net, spec, &audit);
    if (!status && cli_json) status = nigh_buffer_print(&text, "{\"audit\": ");
    if (!status) status = nigh_audit_print(audit, style, &text);
    bool refused = !status && audit->refused > 0;
    if (!status && !refused) {
        status = nigh_network_consistency(net, spec, &(nigh_consistency_options){.seed = nigh_context_seed(ctx)}, &c);
        if (!status) status = nigh_buffer_print(&text, cli_json ? ",\n\"consistency\": " : "\n");
        if (!status) status = nigh_consistency_print(&c, spec->dims, style, &text);
        if (!status) status = cli_json ? say_safe_json(&c, q->within, &text) : say_safe(&c, q->within, &text);
    }
    if (!status && cli_json) status = nigh_buffer_print(&text, "}\n");
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    if (!status && refused)
        status = nigh_fail(ctx, NIGH_UNMET, "%d layers of %s go by the index of points: it holds for its own grid only, or between two resamplings (the wrapper)", audit->refused, q->path);
    nigh_buffer_free(&text);
    nigh_audit_free(audit);
    return status;
}

static nigh_status audit(nigh_context *ctx, const question *q)
{
    nigh_plan *plan = NULL;
    nigh_network *net = NULL, *own = NULL;
    nigh_discretisation spec = {0};
    bool network = false;
    nigh_status status = is_network(ctx, q->path, &network);
    if (!status) status = network ? nigh_network_load(ctx, q->path, &own) : nigh_plan_load(ctx, q->path, &plan);
    if (!status) status = network ? of_network(ctx, net = own, q, &spec) : of_plan(ctx, plan, q, &spec, &net);
    if (!status && q->points && (!nigh_grid_find(q->points, &spec.grid) || spec.grid == NIGH_GRID_UNKNOWN))
        status = nigh_fail(ctx, NIGH_INVALID, "--points is '%s'; cell, node or periodic is allowed", q->points);
    if (!status && q->kernel && !nigh_resampling_find(q->kernel, &spec.resampling))
        status = nigh_fail(ctx, NIGH_INVALID, "--kernel is '%s'; auto, linear, fourier, points or derivative is allowed", q->kernel);
    if (!status) status = report(ctx, net, &spec, q);
    nigh_network_free(own);
    nigh_plan_free(ctx, plan);
    return status;
}

int cli_audit(nigh_context *ctx, int argc, char **argv)
{
    const char *words[1];
    question q = {.within = 0.05};
    int count;
    const cli_flag flags[] = {{"grid", 0, CLI_INT, &q.grid, "N", "points in each dimension that a network was trained on", 2, 65536},
                              {"points", 0, CLI_TEXT, &q.points, "KIND", "where they lie: periodic (default of networks), cell, node", 0, 0},
                              {"kernel", 0, CLI_TEXT, &q.kernel, "HOW", "how kernels go to other grids: auto, linear, fourier, points, derivative", 0, 0},
                              {"within", 0, CLI_REAL, &q.within, "C", "a grid is safe up to this distance from the finest (default 0.05)", 0, 10},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "audit", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count != 1) return cli_misuse(ctx, "nigh audit NETWORK|PLAN: NETWORK is missing");
    q.path = words[0];
    nigh_status status = audit(ctx, &q);
    return status ? cli_fail(ctx, status) : 0;
}
