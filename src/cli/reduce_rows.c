/* nigh reduce rows: a weighted subset of the rows of a file of any size, in one pass and bounded memory. */
#include "cli/reduce.h"

#include "nigh/io.h"
#include "nigh/merge_reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char text[] =
    "usage: nigh reduce rows FILE --loss LOSS --rows M [options]\n\n"
    "Chooses at most M weighted rows of FILE that a model may be fitted to in place of all rows: one pass, however large the file is.\n"
    "FILE: csv (also .gz, and - for standard input), libsvm, npy; npz and HDF5 (FILE:NAME) are read whole.\n"
    "LOSS: squares, lp:p=1, huber, logistic, hinge, k-means:k=10, mixture:k=3, residual:log(1+r*r); see nigh plan FILE --loss.\n\n"
    "  --target COLUMN     y, by name or number (default: the last column, for losses that have one; libsvm: the label)\n"
    "  --features LIST     only these columns       --weight COLUMN   weights of the rows, 0 or more\n"
    "  --classes LOW,HIGH  values of y for classes 0 and 1 (default: 1 is class 1; 0 and -1 are class 0, whichever comes first)\n"
    "  --missing POLICY    rows that miss a value: refuse (default) or drop\n"
    "  --method METHOD     scores (default): by the loss's slope at a pilot model, held in a reservoir\n"
    "                      uniform: the same chance for every row, a rare class held up\n"
    "                      merge:NAME: a tree of buckets reduced by a method of nigh plan --loss, such as merge:uniform\n"
    "  --memory SIZE       of the rows held: 256M, 1G (default); more is refused\n"
    "  -o FILE             the subset: row (from 0), weight, y, features; csv, or npz by its name (row, weight, x, y, model)\n"
    "  --check             a second pass: cost of the subset's model on all rows, beside a uniform subset's of the same size\n"
    "  --json              the receipt as JSON\n\n"
    "The error is the model's cost on ALL rows over the best model's, less 1. The best model of a file too large to train on is not known:\n"
    "its cost is taken from the quadratic that touches the cost at the subset's model, exact for least squares, near it for smooth losses.\n"
    "Exit: 0 done, 2 bad usage or input, 3 out of memory, 130 interrupted.\n";

typedef struct words {
    const char *path, *loss, *target, *features, *weight, *classes, *missing, *method, *memory, *out;
    int64_t rows;
    bool check;
} words;

typedef struct job {
    nigh_context *ctx;
    words w;
    size_t memory;
    nigh_loss *loss;
    nigh_row_stream *stream;
    nigh_reservoir *reservoir, *uniform; /* the latter for --check */
    nigh_merge *merge;
    nigh_method_reducer reducer;
    double low, high;
    nigh_kept_rows kept, plain;
    double *model, *plain_model;
    double *y;
    int64_t y_room;
    double read_seconds, choose_seconds, train_seconds, check_seconds;
    nigh_row_about about; /* after the pass */
    size_t held;          /* bytes of stream and subset at the end of the pass */
    nigh_stream_cost cost[2];
} job;

/* ---- what was asked for ---- */

static nigh_status memory_of(nigh_context *ctx, const char *given, size_t *bytes)
{
    char *end;
    double size = strtod(given, &end);
    const char *units = "kMGT", *unit = *end ? strchr(units, *end) : NULL;
    if (unit) size *= pow(1024, (double)(unit - units) + 1), end++;
    if (end == given || *end || !(size >= 1 && size < 1e18))
        return nigh_fail(ctx, NIGH_INVALID, "--memory is '%s'; bytes, or a number with k, M, G or T, are allowed", given);
    *bytes = (size_t)size;
    return NIGH_OK;
}

static nigh_status classes_of(job *j)
{
    char *end = NULL;
    j->low = NAN, j->high = 1;
    if (!j->w.classes) return NIGH_OK;
    j->low = strtod(j->w.classes, &end);
    if (end != j->w.classes && *end == ',') {
        char *rest = end + 1;
        j->high = strtod(rest, &end);
        if (end != rest && *end == 0 && j->low != j->high) return NIGH_OK;
    }
    return nigh_fail(j->ctx, NIGH_INVALID, "--classes is '%s'; two different numbers LOW,HIGH are allowed", j->w.classes);
}

static nigh_status open_stream(job *j)
{
    nigh_row_options o = {.target = j->w.target, .features = j->w.features, .weight = j->w.weight};
    bool drop = j->w.missing && strcmp(j->w.missing, "drop") == 0;
    if (j->w.missing && !drop && strcmp(j->w.missing, "refuse") != 0)
        return nigh_fail(j->ctx, NIGH_INVALID, "--missing is '%s'; refuse and drop are allowed", j->w.missing);
    o.missing = drop ? NIGH_ROWS_MISSING_DROP : NIGH_ROWS_MISSING_REFUSE;
    nigh_status status = nigh_row_stream_open(j->ctx, j->w.path, &o, &j->stream);
    if (status || o.target || !nigh_loss_uses_y(j->loss) || nigh_row_stream_about(j->stream).target >= 0) return status;
    if (!nigh_row_stream_about(j->stream).can_rewind)
        return nigh_fail(j->ctx, NIGH_INVALID, "%s needs y: say --target COLUMN (-1 is the last one)", nigh_loss_name(j->loss));
    nigh_row_stream_free(j->stream);
    j->stream = NULL;
    o.target = "-1";
    return nigh_row_stream_open(j->ctx, j->w.path, &o, &j->stream);
}

static nigh_status open_choosers(job *j)
{
    nigh_row_about about = nigh_row_stream_about(j->stream);
    const char *method = j->w.method ? j->w.method : "scores";
    bool y = nigh_loss_uses_y(j->loss), plain = strcmp(method, "uniform") == 0;
    nigh_reservoir_options o = {.m = j->w.rows, .loss = j->loss, .plain = plain, .memory = j->memory, .seed = nigh_context_seed(j->ctx)};
    nigh_status status = NIGH_OK;
    if (strncmp(method, "merge:", 6) == 0) {
        status = nigh_method_reducer_find(j->ctx, method + 6, j->loss, &j->reducer);
        nigh_merge_options m = {.m = o.m, .reduce = nigh_method_reduce, .user = &j->reducer, .memory = j->memory, .seed = o.seed};
        if (!status) status = nigh_merge_new(j->ctx, about.d, y, &m, &j->merge);
    } else if (plain || strcmp(method, "scores") == 0) {
        status = nigh_reservoir_new(j->ctx, about.d, y, &o, &j->reservoir);
    } else {
        return nigh_fail(j->ctx, NIGH_INVALID, "--method is '%s'; scores, uniform and merge:NAME are allowed", method);
    }
    if (status || !j->w.check) return status;
    if (!about.can_rewind) return nigh_fail(j->ctx, NIGH_INVALID, "--check reads the rows twice, which %s does not allow", j->w.path);
    o.plain = true;
    o.seed = nigh_seed_split(o.seed, 1);
    return nigh_reservoir_new(j->ctx, about.d, y, &o, &j->uniform);
}

/* ---- the pass ---- */

/* Class 0 is what is first seen beside 1, if it is 0 or -1. */
static void find_low_class(job *j, const nigh_row_block *block)
{
    if (!isnan(j->low) || !nigh_loss_has_classes(j->loss)) return;
    for (int64_t i = 0; i < block->count && block->y && isnan(j->low); i++)
        if (block->y[i] == 0 || block->y[i] == -1) j->low = block->y[i];
}

static nigh_status y_room(job *j, int64_t count)
{
    if (count <= j->y_room) return NIGH_OK;
    nigh_free(j->ctx, j->y);
    j->y_room = 0;
    j->y = nigh_alloc(j->ctx, (size_t)count * sizeof *j->y);
    if (j->y) j->y_room = count;
    return j->y ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status choose(job *j, const nigh_row_block *block)
{
    nigh_rows rows;
    find_low_class(j, block);
    nigh_status status = y_room(j, block->count);
    if (!status) status = nigh_block_rows(j->ctx, j->stream, block, j->loss, isnan(j->low) ? 0 : j->low, j->high, j->y, &rows);
    if (status) return nigh_within(j->ctx, status, "'%s'", j->w.path);
    if (j->merge) status = nigh_merge_add(j->merge, &rows, block->first, block->number);
    else status = nigh_reservoir_add(j->reservoir, &rows, block->first, block->number);
    if (!status && j->uniform) status = nigh_reservoir_add(j->uniform, &rows, block->first, block->number);
    return status;
}

static nigh_status pass(job *j)
{
    nigh_row_block block = {0};
    nigh_status status;
    do {
        double start = nigh_clock();
        status = nigh_row_stream_next(j->stream, &block);
        double middle = nigh_clock();
        j->read_seconds += middle - start;
        if (!status && block.count) status = choose(j, &block);
        j->choose_seconds += nigh_clock() - middle;
        nigh_row_about about = nigh_row_stream_about(j->stream);
        nigh_progress(j->ctx, "reading", (double)about.bytes, (double)about.size);
    } while (!status && block.count);
    if (status) return status;
    double start = nigh_clock();
    j->about = nigh_row_stream_about(j->stream);
    j->held = nigh_row_stream_memory(j->stream) + (j->merge ? nigh_merge_memory(j->merge) : nigh_reservoir_memory(j->reservoir));
    status = j->merge ? nigh_merge_finish(j->merge, &j->kept) : nigh_reservoir_finish(j->reservoir, &j->kept);
    if (!status && j->uniform) status = nigh_reservoir_finish(j->uniform, &j->plain);
    j->choose_seconds += nigh_clock() - start;
    return status;
}

static nigh_status train(job *j, const nigh_kept_rows *kept, double **model)
{
    *model = nigh_alloc(j->ctx, (size_t)nigh_loss_parameters(j->loss, kept->rows.d) * sizeof **model);
    if (!*model) return NIGH_MEMORY;
    nigh_status status = nigh_loss_train(j->ctx, j->loss, &kept->rows, NULL, *model, NULL);
    return status ? nigh_within(j->ctx, status, "fit to the subset") : status;
}

static nigh_status check(job *j)
{
    double start = nigh_clock();
    nigh_status status = train(j, &j->plain, &j->plain_model);
    if (!status) status = nigh_row_stream_rewind(j->stream);
    const double *model[2] = {j->model, j->plain_model};
    if (!status) status = nigh_stream_costs(j->ctx, j->stream, j->loss, isnan(j->low) ? 0 : j->low, j->high, 2, model, j->cost);
    j->check_seconds = nigh_clock() - start;
    return status;
}

/* ---- the subset and the receipt ---- */

static nigh_status write_csv(const job *j)
{
    const nigh_rows *r = &j->kept.rows;
    nigh_row_about about = nigh_row_stream_about(j->stream);
    int64_t columns = r->d + 2 + (r->y != NULL), c;
    nigh_table table = {.rows = r->n, .columns = columns, .names = nigh_alloc_zero(j->ctx, (size_t)columns, sizeof(char *)),
                        .values = nigh_alloc(j->ctx, (size_t)(r->n * columns) * sizeof(double))};
    bool named = table.names && table.values;
    for (c = 0; c < columns && named; c++) {
        int64_t from = c < columns - r->d ? about.target : about.feature[c - (columns - r->d)];
        const char *name = c == 0 ? "row" : c == 1 ? "weight" : about.names ? about.names[from] : NULL;
        table.names[c] = name ? nigh_strdup(j->ctx, name) : nigh_format(j->ctx, c < columns - r->d ? "y" : "x%lld", (long long)from + 1);
        named = table.names[c] != NULL;
    }
    for (int64_t i = 0; i < r->n && named; i++) {
        double *row = table.values + i * columns;
        row[0] = (double)j->kept.number[i], row[1] = r->weight[i];
        if (r->y) row[2] = !nigh_loss_has_classes(j->loss) ? r->y[i] : r->y[i] == 1 ? j->high : isnan(j->low) ? 0 : j->low;
        memcpy(row + columns - r->d, r->x + i * r->d, (size_t)r->d * sizeof *row);
    }
    nigh_status status = named ? nigh_csv_write(j->ctx, j->w.out, &table) : NIGH_MEMORY;
    nigh_table_free(j->ctx, &table);
    return status;
}

static nigh_status add_array(nigh_bundle *bundle, const char *name, nigh_dtype dtype, int64_t n, int64_t d, const void *data)
{
    if (!data) return NIGH_OK;
    nigh_array array = {.shape = {.dtype = dtype, .ndim = d ? 2 : 1, .dim = {n, d}}, .data = (void *)data};
    return nigh_bundle_add(bundle, name, &array);
}

static nigh_status write_npz(const job *j)
{
    const nigh_rows *r = &j->kept.rows;
    nigh_bundle bundle = {.ctx = j->ctx};
    nigh_status status = add_array(&bundle, "row", NIGH_I64, r->n, 0, j->kept.number);
    if (!status) status = add_array(&bundle, "weight", NIGH_F64, r->n, 0, r->weight);
    if (!status) status = add_array(&bundle, "x", NIGH_F64, r->n, r->d, r->x);
    if (!status) status = add_array(&bundle, "y", NIGH_F64, r->n, 0, r->y);
    if (!status) status = add_array(&bundle, "model", NIGH_F64, nigh_loss_parameters(j->loss, r->d), 0, j->model);
    if (!status) status = nigh_npz_write(j->ctx, j->w.out, &bundle, 0);
    nigh_bundle_free(&bundle);
    return status;
}

static nigh_status write_subset(const job *j)
{
    size_t n = strlen(j->w.out);
    return n > 4 && strcmp(j->w.out + n - 4, ".npz") == 0 ? write_npz(j) : write_csv(j);
}

static double error_of(const job *j, int k)
{
    double best = isnan(j->cost[0].best) ? fmin(j->cost[0].cost, j->cost[1].cost) : j->cost[0].best;
    return nigh_loss_error(j->loss, j->cost[k].cost, best, j->cost[0].weight);
}

static nigh_status print_json(const job *j, nigh_buffer *out)
{
    double seconds = j->read_seconds + j->choose_seconds;
    nigh_status status = nigh_buffer_print(out, "{\"rows\": %lld, \"features\": %lld, \"dropped\": %lld, \"kept\": %lld, \"bytes\": %llu, \"seconds\": %.6g, "
        "\"read_seconds\": %.6g, \"choose_seconds\": %.6g, \"train_seconds\": %.6g, \"held_bytes\": %zu", (long long)j->about.rows, (long long)j->about.d,
        (long long)j->about.dropped, (long long)j->kept.rows.n, (unsigned long long)j->about.bytes, seconds, j->read_seconds, j->choose_seconds, j->train_seconds, j->held);
    if (!status && j->w.check)
        status = nigh_buffer_print(out, ", \"cost\": %.17g, \"uniform_cost\": %.17g, \"error\": %.6g, \"uniform_error\": %.6g, \"best_known\": %s, \"check_seconds\": %.6g",
                                   j->cost[0].cost, j->cost[1].cost, error_of(j, 0), error_of(j, 1), isnan(j->cost[0].best) ? "false" : "true", j->check_seconds);
    return status ? status : nigh_buffer_print(out, "}\n");
}

static nigh_status print_text(const job *j, nigh_buffer *out)
{
    const nigh_rows *r = &j->kept.rows;
    double seconds = j->read_seconds + j->choose_seconds, low = INFINITY, high = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (int64_t i = 0; i < r->n; i++) low = fmin(low, r->weight[i]), high = fmax(high, r->weight[i]);
    nigh_status status = nigh_buffer_print(out, "rows     %lld of %lld features from %s", (long long)j->about.rows, (long long)j->about.d, j->w.path);
    if (!status && j->about.dropped) status = nigh_buffer_print(out, "; %lld more miss a value and were dropped", (long long)j->about.dropped);
    if (!status) status = nigh_buffer_print(out, "\nread     %.1f MB in %.2f s, %.0f MB/s: %.2f s reading, %.2f s choosing\n", (double)j->about.bytes / 1e6, seconds,
                                            (double)j->about.bytes / 1e6 / seconds, j->read_seconds, j->choose_seconds);
    if (!status) status = nigh_buffer_print(out, "kept     %lld rows (%.3g %%), weights %.4g to %.4g, their sum %.6g\n", (long long)r->n,
                                            100 * (double)r->n / (double)j->about.rows, low, high, nigh_rows_weight(r));
    if (!status) status = nigh_buffer_print(out, "memory   %.1f MB for blocks and rows held; the whole program %.1f MB at its peak\n", (double)j->held / 1e6, (double)usage.ru_maxrss / 1e3);
    if (!status) status = nigh_buffer_print(out, "model    of %s, fitted to the subset in %.3g s\n", nigh_loss_name(j->loss), j->train_seconds);
    if (!status && !j->w.check) return nigh_buffer_print(out, "error    not measured; --check measures it on all rows\n");
    const char *against = isnan(j->cost[0].best) ? "over the lower of the two costs; the best is not known" : nigh_loss_is(j->loss)->kind == NIGH_LOSS_SQUARES
                              ? "over the least cost" : "over the least cost as the curvature at the model tells it";
    if (!status) status = nigh_buffer_print(out, "error    %.3g on all rows (cost %.8g), %s\n", error_of(j, 0), j->cost[0].cost, against);
    if (!status) status = nigh_buffer_print(out, "uniform  %.3g (cost %.8g) with %lld rows of equal chance\n", error_of(j, 1), j->cost[1].cost, (long long)j->plain.rows.n);
    return status ? status : nigh_buffer_print(out, "check    %.2f s for the second pass\n", j->check_seconds);
}

static nigh_status run(job *j)
{
    nigh_status status = memory_of(j->ctx, j->w.memory, &j->memory);
    if (!status) status = classes_of(j);
    if (!status) status = nigh_loss_parse(j->ctx, j->w.loss, &j->loss);
    if (!status) status = open_stream(j);
    if (!status) status = open_choosers(j);
    if (!status) status = pass(j);
    double start = nigh_clock();
    if (!status) status = train(j, &j->kept, &j->model);
    j->train_seconds = nigh_clock() - start;
    if (!status && j->w.check) status = check(j);
    if (!status && j->w.out) status = write_subset(j);
    nigh_buffer out = {.ctx = j->ctx};
    if (!status) status = cli_json ? print_json(j, &out) : print_text(j, &out);
    if (!status && cli_print(j->ctx, out.data, out.size)) status = NIGH_IO;
    nigh_buffer_free(&out);
    return status;
}

int reduce_rows(nigh_context *ctx, int argc, char **argv)
{
    job j = {.ctx = ctx, .w = {.memory = "1G"}};
    const char *paths[1] = {NULL};
    int count;
    const cli_flag flags[] = {{"loss", 0, CLI_TEXT, &j.w.loss, "LOSS", "", 0, 0},
                              {"rows", 0, CLI_INT, &j.w.rows, "M", "", 1, 1e12},
                              {"memory", 0, CLI_TEXT, &j.w.memory, "SIZE", "", 0, 0},
                              {"target", 0, CLI_TEXT, &j.w.target, "COLUMN", "", 0, 0},
                              {"features", 0, CLI_TEXT, &j.w.features, "LIST", "", 0, 0},
                              {"weight", 0, CLI_TEXT, &j.w.weight, "COLUMN", "", 0, 0},
                              {"classes", 0, CLI_TEXT, &j.w.classes, "LOW,HIGH", "", 0, 0},
                              {"missing", 0, CLI_TEXT, &j.w.missing, "POLICY", "", 0, 0},
                              {"method", 0, CLI_TEXT, &j.w.method, "METHOD", "", 0, 0},
                              {"out", 'o', CLI_TEXT, &j.w.out, "FILE", "", 0, 0},
                              {"check", 0, CLI_SWITCH, &j.w.check, NULL, "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(text, stdout), 0;
    int code = cli_parse(ctx, "reduce", argc, argv, flags, paths, 1, &count);
    if (code >= 0) return code;
    if (!count) return cli_misuse(ctx, "which rows? Name a file: nigh reduce rows FILE --loss LOSS --rows M");
    if (!j.w.loss) return cli_misuse(ctx, "which loss? Say --loss squares, logistic, k-means:k=10 ...; see nigh reduce rows --help");
    if (!j.w.rows) return cli_misuse(ctx, "how many rows may be kept? Say --rows M");
    j.w.path = paths[0];
    cli_progress_start(ctx);
    nigh_status status = run(&j);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    nigh_kept_rows_free(ctx, &j.kept);
    nigh_kept_rows_free(ctx, &j.plain);
    nigh_free(ctx, j.model);
    nigh_free(ctx, j.plain_model);
    nigh_free(ctx, j.y);
    nigh_merge_free(j.merge);
    nigh_reservoir_free(j.reservoir);
    nigh_reservoir_free(j.uniform);
    nigh_row_stream_free(j.stream);
    nigh_loss_free(j.loss);
    return code;
}
