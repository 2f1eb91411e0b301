/* nigh plan FILE --loss LOSS: the smallest weighted subset of rows that a model may be fitted to. */
#include "cli/cli.h"
#include "core/words.h"
#include "cli/rows_file.h"
#include "core/file.h"

#include "nigh/io.h"
#include "nigh/reduce.h"

#include <math.h>
#include <string.h>
#include <strings.h>

typedef struct words {
    rows_words rows;
    const char *loss, *methods, *out, *report, *outcome;
    nigh_reduce_request request;
    bool table;
    int64_t draws;
} words;

static const char text[] =
    "usage: nigh plan FILE --loss LOSS --error E [options]\n\n"
    "The smallest weighted subset of the rows of FILE whose model costs at most E (a share) more than the best model, measured on all rows.\n"
    "FILE: csv, npy, npz or HDF5 (arrays x, y, weight), libsvm. LOSS:\n"
    "  squares                 least squares                 lp:p=1            |residual|^p, 1 <= p <= 8\n"
    "  huber:delta=2           Huber's                       logistic:lambda=1 two classes, penalty lambda/2 |w|^2\n"
    "  hinge:lambda=1          support vector machine        k-means:k=10      squared distance from the nearest centre\n"
    "  mixture:k=3             Gaussian mixture; E is in nats a row\n"
    "  residual:log(1+r*r)     any expression of the residual r\n\n"
    "  --target COLUMN    y: a column by name or number (csv; default: the last, for losses that have one)\n"
    "  --features LIST    only these columns    --weight COLUMN  weights of the rows    --standardise  features to mean 0, deviation 1\n"
    "  --uses N           fits that will be made: choose what is cheapest for them, all rows included (default: the smallest subset)\n"
    "  -o FILE            row numbers (from 0) and weights: csv, or npz by its name, with the model\n"
    "  --methods LIST     only these ways of choosing rows        --draws N    subsets of one size before it counts as too small (8)\n"
    "  --table            every way that was tried                --brute      search every way to its end\n"
    "  --report HTML      a page with pictures                    --outcome JSON, --json\n\n"
    "Files larger than memory: nigh reduce rows. Sketches for least squares: nigh reduce least-squares.\n"
    "Exit: 0 done, 1 no subset of at most half the rows meets the error, 2 bad usage or input, 130 interrupted.\n";

static void watch(void *user, const nigh_reduction *o)
{
    static const char *const said[] = {"", "not for this", "failed", "too large", "beaten", "met", "met"};
    int *shown = user;
    for (; *shown < o->count; (*shown)++) {
        const nigh_reduce_candidate *c = &o->candidates[*shown];
        if (c->state == NIGH_REDUCE_WAITING) break;
        if (c->state == NIGH_REDUCE_UNSUPPORTED || *shown == 0) continue;
        cli_clear();
        fprintf(stderr, "  %-26s %9lld rows %10.3g  %s%s%s\n", c->method, (long long)c->subset.count, c->error, said[c->state], c->why ? ": " : "", c->why ? c->why : "");
    }
}

static nigh_status write_csv(nigh_context *ctx, const char *path, const nigh_subset *subset)
{
    char *names[] = {"row", "weight"};
    nigh_table table = {.rows = subset->count, .columns = 2, .names = names};
    table.values = nigh_alloc(ctx, 2 * (size_t)subset->count * sizeof *table.values);
    if (!table.values) return NIGH_MEMORY;
    for (int64_t i = 0; i < subset->count; i++) table.values[2 * i] = (double)subset->index[i], table.values[2 * i + 1] = subset->weight[i];
    nigh_status status = nigh_csv_write(ctx, path, &table);
    nigh_free(ctx, table.values);
    return status;
}

static nigh_status write_npz(nigh_context *ctx, const char *path, const nigh_reduction *o, const nigh_reduce_candidate *c)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_array row = {.shape = {.ndim = 1, .dim = {c->subset.count}, .dtype = NIGH_I64}, .data = c->subset.index};
    nigh_array weight = {.shape = {.ndim = 1, .dim = {c->subset.count}, .dtype = NIGH_F64}, .data = c->subset.weight};
    nigh_array model = {.shape = {.ndim = 1, .dim = {o->parameters}, .dtype = NIGH_F64}, .data = c->model};
    nigh_status status = nigh_bundle_add(&bundle, "row", &row);
    if (!status) status = nigh_bundle_add(&bundle, "weight", &weight);
    if (!status) status = nigh_bundle_add(&bundle, "model", &model);
    if (!status) status = nigh_npz_write(ctx, path, &bundle, 0);
    nigh_bundle_free(&bundle);
    return status;
}

/* All rows when those were chosen: their own weights. */
static nigh_status write_subset(nigh_context *ctx, const words *w, const rows_file *file, const nigh_reduction *o)
{
    nigh_reduce_candidate all = o->candidates[o->chosen];
    int64_t n = file->rows.n;
    bool own = all.model_only;
    if (own) {
        all.subset = (nigh_subset){.count = n, .index = nigh_alloc(ctx, (size_t)n * sizeof(int64_t)), .weight = nigh_alloc(ctx, (size_t)n * sizeof(double))};
        for (int64_t i = 0; i < n && all.subset.index && all.subset.weight; i++) all.subset.index[i] = i, all.subset.weight[i] = file->weight ? file->weight[i] : 1;
    }
    nigh_status status = !all.subset.index || !all.subset.weight ? NIGH_MEMORY : word_ends(w->out, ".npz") ? write_npz(ctx, w->out, o, &all) : write_csv(ctx, w->out, &all.subset);
    if (own) nigh_subset_free(ctx, &all.subset);
    return status;
}

static nigh_status show(nigh_context *ctx, const words *w, const rows_file *file, const nigh_reduction *o)
{
    nigh_buffer json = {.ctx = ctx}, out = {.ctx = ctx}, html = {.ctx = ctx};
    nigh_status status = nigh_reduction_json(ctx, o, &json);
    if (!status && w->out && o->chosen >= 0) status = write_subset(ctx, w, file, o);
    if (!status && w->outcome) status = nigh_file_write(ctx, w->outcome, json.data, json.size);
    if (!status && w->report) {
        status = nigh_reduction_html(ctx, w->rows.path, o, &file->rows, &html);
        if (!status) status = nigh_file_write(ctx, w->report, html.data, html.size);
    }
    if (!status && cli_json) status = nigh_buffer_add(&json, "\n", 1);
    else if (!status) status = nigh_reduction_print(ctx, o, w->table, &out);
    if (!status && cli_print(ctx, cli_json ? json.data : out.data, cli_json ? json.size : out.size)) status = NIGH_IO;
    nigh_buffer_free(&html);
    nigh_buffer_free(&out);
    nigh_buffer_free(&json);
    return status;
}

static nigh_status plan_rows(nigh_context *ctx, words *w)
{
    nigh_loss *loss = NULL;
    nigh_reduction *reduction = NULL;
    rows_file file = {0};
    int shown = 0;
    nigh_status status = nigh_loss_parse(ctx, w->loss, &loss);
    if (!status) status = rows_file_read(ctx, &w->rows, loss, &file);
    w->request.seed = nigh_context_seed(ctx), w->request.methods = w->methods, w->request.draws = (int)w->draws;
    if (!cli_quiet && !cli_json) w->request.watch = watch, w->request.watch_user = &shown;
    if (!status) status = nigh_reduce_rows(ctx, &file.rows, loss, &w->request, &reduction);
    if (reduction) {
        nigh_status shown_status = show(ctx, w, &file, reduction);
        if (shown_status) status = shown_status;
    }
    nigh_reduction_free(reduction);
    rows_file_free(ctx, &file);
    nigh_loss_free(loss);
    return status;
}

int cli_plan_rows(nigh_context *ctx, int argc, char **argv)
{
    words w = {.request = nigh_reduce_request_default(), .draws = 8};
    const char *paths[1] = {NULL};
    int count;
    const cli_flag flags[] = {{"loss", 0, CLI_TEXT, &w.loss, "LOSS", "", 0, 0},
                              {"error", 'e', CLI_REAL, &w.request.error, "E", "", 0, 0},
                              {"out", 'o', CLI_TEXT, &w.out, "FILE", "", 0, 0},
                              {"target", 0, CLI_TEXT, &w.rows.target, "COLUMN", "", 0, 0},
                              {"features", 0, CLI_TEXT, &w.rows.features, "LIST", "", 0, 0},
                              {"weight", 0, CLI_TEXT, &w.rows.weight, "COLUMN", "", 0, 0},
                              {"standardise", 0, CLI_SWITCH, &w.rows.standardise, NULL, "", 0, 0},
                              {"uses", 0, CLI_REAL, &w.request.uses, "N", "", 0, 1e15},
                              {"draws", 0, CLI_INT, &w.draws, "N", "", 1, 1000},
                              {"methods", 0, CLI_TEXT, &w.methods, "LIST", "", 0, 0},
                              {"table", 0, CLI_SWITCH, &w.table, NULL, "", 0, 0},
                              {"brute", 0, CLI_SWITCH, &w.request.brute, NULL, "", 0, 0},
                              {"report", 0, CLI_TEXT, &w.report, "HTML", "", 0, 0},
                              {"outcome", 0, CLI_TEXT, &w.outcome, "JSON", "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(text, stdout), 0;
    int code = cli_parse(ctx, "plan", argc, argv, flags, paths, 1, &count);
    if (code >= 0) return code;
    if (!count) return cli_misuse(ctx, "which rows? Name a file: nigh plan FILE --loss %s --error E", w.loss);
    if (w.request.error == 0) return cli_misuse(ctx, "which error is allowed? Say --error E with E > 0");
    w.rows.path = paths[0];
    cli_progress_start(ctx);
    nigh_status status = plan_rows(ctx, &w);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
