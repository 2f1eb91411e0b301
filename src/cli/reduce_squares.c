/* nigh reduce least-squares: coefficients of a linear fit from a sketch or in full, whichever is faster for the error asked, with a receipt. */
#include "cli/reduce.h"
#include "core/words.h"
#include "cli/rows_file.h"
#include "cli/squares_compare.h"
#include "nigh/io.h"
#include "nigh/row_stream.h"
#include "nigh/sketch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
    "usage: nigh reduce least-squares FILE --error E [OPTION...]\n"
    "\n"
    "Least squares with the least work that meets E: QR or normal equations of all rows, or a random sketch of them (a few times as many rows as columns),\n"
    "sharpened by passes over the data where E asks for more. The receipt says what was chosen, what was measured on all rows, and how far each\n"
    "coefficient can be from the exact one.\n"
    "\n"
    "FILE is csv, npy, HDF5, npz or safetensors with arrays x and y (and weight), or libsvm, which is kept sparse.\n"
    "\n"
    "  --error E          |A x - b| is at most (1 + E) times the least [0.01]\n"
    "  --coordinates      instead every coefficient: sqrt(d) |x_i - x*_i| <= E |A x* - b| |A^+|, in units in which columns have length 1\n"
    "  --delta P          the bounds may fail with this probability [0.01]\n"
    "  --target COLUMN    b: a name or number [the last column; y of arrays; the label of libsvm]\n"
    "  --features LIST    columns of A [all others];  --weight COLUMN  weights of rows\n"
    "  --intercept        a column of ones is put behind the others\n"
    "  --method M         qr, normal, srht, count, sparse, gaussian; libsvm: normal, count, sparse, lsqr, direct [the fastest]\n"
    "  --rows M           of the sketch [chosen];  --passes K  sharpening at most [60], 0 none\n"
    "  --correct          one residual step after the sketch even where E does not ask for it\n"
    "  --second           a second, independent sketch: does it agree within the bounds?\n"
    "  --ridge R          adds R sum |a_j|^2 x_j^2, for columns that depend on each other [0]\n"
    "  --compare          solves by every method, and by LAPACK's own drivers, in turn, and shows times and errors beside each other\n"
    "  --all              shows every coefficient [the first 20]\n"
    "  -o FILE            coefficients and bounds as .csv, or coefficients as .npy\n"
    "  --seed S, --threads N, --json, --quiet\n"
    "Exit: 0 E is met, 1 it is not, 2 bad usage or input, 3 out of a resource, 130 interrupted.\n";

typedef struct arguments {
    rows_words file;
    nigh_squares_options options;
    const char *method, *out;
    bool intercept, compare, all;
    int64_t passes;
} arguments;

/* What was read. */
typedef struct input {
    nigh_squares problem;
    rows_file file;
    nigh_libsvm_rows libsvm;
    nigh_sparse *sparse;
    double *wide; /* A with a column of ones */
    char **names; /* [d] or NULL */
} input;

/* ---- input --------------------------------------------------------------------------------------------------------- */

static void input_free(nigh_context *ctx, input *in)
{
    for (int64_t j = 0; in->names && j < in->problem.d; j++) nigh_free(ctx, in->names[j]);
    nigh_free(ctx, in->names);
    rows_file_free(ctx, &in->file);
    nigh_libsvm_free(ctx, &in->libsvm);
    nigh_sparse_free(ctx, in->sparse);
    nigh_free(ctx, in->wide);
}

/* libsvm without a pass through dense rows; the intercept is an entry of each row. */
static nigh_status read_sparse(nigh_context *ctx, const arguments *a, input *in)
{
    if (a->file.target || a->file.features || a->file.weight)
        return nigh_fail(ctx, NIGH_INVALID, "--target, --features and --weight are for tables; in libsvm the label is the target");
    nigh_status status = nigh_libsvm_read(ctx, a->file.path, NULL, &in->libsvm);
    if (status) return status;
    const nigh_libsvm_rows *r = &in->libsvm;
    int64_t more = a->intercept ? r->rows : 0, count = r->start[r->rows] + more, d = r->columns + a->intercept, at = 0;
    if (r->rows < 1 || d < 1 || d > INT32_MAX) return nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld rows and %lld columns", a->file.path, (long long)r->rows, (long long)d);
    int64_t *row = nigh_alloc(ctx, 2 * (size_t)(count + 1) * sizeof *row), *column = row + count;
    double *value = nigh_alloc(ctx, (size_t)(count + 1) * sizeof *value);
    if (!row || !value) status = NIGH_MEMORY;
    for (int64_t i = 0; i < r->rows && !status; i++) {
        for (int64_t e = r->start[i]; e < r->start[i + 1]; e++) row[at] = i, column[at] = r->column[e], value[at++] = r->value[e];
        if (a->intercept) row[at] = i, column[at] = d - 1, value[at++] = 1;
    }
    if (!status) status = nigh_sparse_new(ctx, r->rows, d, count, row, column, value, &in->sparse);
    nigh_free(ctx, row);
    nigh_free(ctx, value);
    in->problem = (nigh_squares){.n = r->rows, .d = d, .sparse = in->sparse, .b = r->label};
    return status;
}

/* Names of the features, where the file has some. */
static nigh_status read_names(nigh_context *ctx, const arguments *a, input *in)
{
    if (strcmp(a->file.path, "-") == 0 || word_ends(a->file.path, ".npz") || word_ends(a->file.path, ".h5") || word_ends(a->file.path, ".hdf5") ||
        word_ends(a->file.path, ".safetensors"))
        return NIGH_OK;
    nigh_row_options options = {.features = a->file.features, .weight = a->file.weight, .target = a->file.target ? a->file.target : "-1"};
    nigh_row_stream *stream;
    nigh_status status = nigh_row_stream_open(ctx, a->file.path, &options, &stream);
    if (status) return status;
    nigh_row_about about = nigh_row_stream_about(stream);
    if (about.names && about.d + a->intercept == in->problem.d) {
        in->names = nigh_alloc_zero(ctx, (size_t)in->problem.d, sizeof *in->names);
        if (!in->names) status = NIGH_MEMORY;
        for (int64_t j = 0; j < about.d && !status; j++)
            if (!(in->names[j] = nigh_strdup(ctx, about.names[about.feature[j]]))) status = NIGH_MEMORY;
        if (!status && a->intercept && !(in->names[about.d] = nigh_strdup(ctx, "intercept"))) status = NIGH_MEMORY;
    }
    nigh_row_stream_free(stream);
    return status;
}

static nigh_status read_dense(nigh_context *ctx, const arguments *a, input *in)
{
    nigh_loss *loss = NULL;
    nigh_status status = nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_SQUARES}, &loss);
    if (!status) status = rows_file_read(ctx, &a->file, loss, &in->file);
    nigh_loss_free(loss);
    if (status) return status;
    const nigh_rows *r = &in->file.rows;
    in->problem = (nigh_squares){.n = r->n, .d = r->d, .a = r->x, .b = r->y, .weight = r->weight};
    if (a->intercept) {
        int64_t d = r->d + 1;
        in->wide = nigh_alloc(ctx, (size_t)(r->n * d) * sizeof *in->wide);
        if (!in->wide) return NIGH_MEMORY;
        for (int64_t i = 0; i < r->n; i++) {
            memcpy(in->wide + i * d, r->x + i * r->d, (size_t)r->d * sizeof *r->x);
            in->wide[i * d + r->d] = 1;
        }
        in->problem.a = in->wide, in->problem.d = d;
    }
    return read_names(ctx, a, in);
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

static const char *name_of(const input *in, int64_t j, char room[32])
{
    if (in->names && in->names[j]) return in->names[j];
    snprintf(room, 32, "x%lld", (long long)j + 1);
    return room;
}

/* A name from a file must not steer the terminal. */
static void print_name(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c && c - (const unsigned char *)name < 24; c++) putchar(*c < 0x20 || *c == 0x7f ? '?' : *c);
}

static const char *words_of(const nigh_squares_receipt *r)
{
    switch (r->chosen.method) {
    case NIGH_SQUARES_QR: return "Householder QR of all rows";
    case NIGH_SQUARES_NORMAL: return "normal equations of all rows, Cholesky";
    case NIGH_SQUARES_SRHT: return "subsampled randomised Hadamard transform";
    case NIGH_SQUARES_COUNT: return "CountSketch";
    case NIGH_SQUARES_SPARSE: return "sparse embedding";
    case NIGH_SQUARES_GAUSSIAN: return "Gaussian sketch";
    case NIGH_SQUARES_LSQR: return "LSQR, no preconditioner";
    case NIGH_SQUARES_DIRECT: return "A^T A factored as a sparse matrix";
    default: return "";
    }
}

static void print_receipt(const arguments *a, const input *in, const double *x, const double *bound, const nigh_squares_receipt *r, double seconds)
{
    const nigh_squares *p = &in->problem;
    const nigh_squares_options *o = &a->options;
    printf("problem     least squares, %lld rows, %lld columns%s, from %s\n", (long long)p->n, (long long)p->d, p->weight ? ", weighted" : "", a->file.path);
    if (p->sparse) printf("            sparse: %lld entries, %.3g a row\n", (long long)nigh_sparse_count(p->sparse), (double)nigh_sparse_count(p->sparse) / (double)p->n);
    printf("chosen      %s: %s", nigh_squares_method_name(r->chosen.method), words_of(r));
    if (r->chosen.rows) printf(", %lld rows, seed %llu", (long long)r->chosen.rows, (unsigned long long)o->seed);
    printf("\n");
    const char *more = r->correct && !(r->passes > 1) ? "residual step" : r->chosen.method == NIGH_SQUARES_LSQR ? "iteration" : r->chosen.rows ? "pass" : "refinement";
    if (r->passes) printf("            and %lld %s%s%s\n", (long long)r->passes, more, r->passes == 1 ? "" : r->chosen.rows ? "es" : "s", strcmp(more, "pass") ? "" : " of conjugate gradients");
    if (r->fallback) printf("            %s: %s\n", r->fallbacks ? "another method was given up" : "not as asked", r->fallback);
    if (o->coordinates) printf("asked       every coefficient: sqrt(d) |x_i - x*_i| <= %.3g |A x* - b| |A^+| (columns of length 1), with probability %.4g\n", o->error, 1 - o->delta);
    else printf("asked       |A x - b| <= (1 + %.3g) least |A x - b|, with probability %.4g\n", o->error, 1 - o->delta);
    if (r->bounded) printf("%s     excess %.3g, at most %.3g [one pass over all rows]; coefficients %.3g of |A x - b| |A^+| / sqrt(d)\n", r->met ? "MET    " : "NOT MET", r->excess, r->excess_bound, r->coordinate);
    else printf("%s     by the stopping rule alone: this method has no bound\n", r->met ? "MET    " : "NOT MET");
    printf("residual    |A x - b| = %.6g, %.3g of |b| = %.6g%s\n", r->residual, r->target > 0 ? r->residual / r->target : 0, r->target,
           r->residual > 0.5 * r->target && r->target > 0 ? ": a loose fit makes loose coefficients" : "");
    if (r->bounded && isfinite(r->smallest)) printf("condition   singular values %.3g to %.3g, columns of length 1 [estimated]\n", r->smallest, r->largest);
    if (isfinite(r->second)) printf("second      another sketch differs by at most %.2f of the bound%s\n", r->second, r->second > 1 ? ": THE BOUND DID NOT HOLD" : "");
    printf("time        %.3g s: sketch or Gram matrix %.3g, factor %.3g, check %.3g, sharpening %.3g, planning %.3g\n", seconds, r->seconds[0], r->seconds[1], r->seconds[2],
           r->seconds[3], r->seconds[4]);
    int64_t shown = a->all || p->d <= 20 ? p->d : 20;
    printf("\n%-24s %22s %12s\n", "coefficient", "value", r->bounded ? "at most off" : "");
    for (int64_t j = 0; j < shown; j++) {
        char room[32];
        const char *name = name_of(in, j, room);
        print_name(name);
        for (size_t k = strlen(name); k < 24; k++) putchar(' ');
        if (r->bounded) printf(" %22.15g %12.3g\n", x[j], bound[j]);
        else printf(" %22.15g\n", x[j]);
    }
    if (shown < p->d) printf("... and %lld more (--all)\n", (long long)(p->d - shown));
}

static void print_number(const char *key, double value, const char *end)
{
    if (isfinite(value)) printf("\"%s\": %.17g%s", key, value, end);
    else printf("\"%s\": null%s", key, end);
}

static void print_list(const char *key, int64_t n, const double *x, const char *end)
{
    printf("\"%s\": [", key);
    for (int64_t j = 0; j < n; j++)
        if (isfinite(x[j])) printf("%s%.17g", j ? ", " : "", x[j]);
        else printf("%snull", j ? ", " : "");
    printf("]%s", end);
}

static void print_json(const arguments *a, const input *in, const double *x, const double *bound, const nigh_squares_receipt *r, double seconds)
{
    printf("{\"rows\": %lld, \"columns\": %lld, \"method\": \"%s\", \"sketch_rows\": %lld, \"passes\": %lld, \"met\": %s, ", (long long)in->problem.n, (long long)in->problem.d,
           nigh_squares_method_name(r->chosen.method), (long long)r->chosen.rows, (long long)r->passes, r->met ? "true" : "false");
    print_number("error", a->options.error, ", ");
    printf("\"coordinates\": %s, ", a->options.coordinates ? "true" : "false");
    print_number("delta", a->options.delta, ", ");
    print_number("residual", r->residual, ", ");
    print_number("target", r->target, ", ");
    print_number("excess", r->bounded ? r->excess : NAN, ", ");
    print_number("excess_bound", r->bounded ? r->excess_bound : NAN, ", ");
    print_number("coordinate", r->bounded ? r->coordinate : NAN, ", ");
    print_number("smallest", r->bounded ? r->smallest : NAN, ", ");
    print_number("largest", r->bounded ? r->largest : NAN, ", ");
    print_number("second", r->second, ", ");
    print_number("seconds", seconds, ", ");
    print_list("x", in->problem.d, x, ", ");
    print_list("bound", in->problem.d, bound, "}\n");
}

static nigh_status write_out(nigh_context *ctx, const char *path, const input *in, const double *x, const double *bound)
{
    int64_t d = in->problem.d;
    if (word_ends(path, ".npy")) return nigh_npy_write(ctx, path, &(nigh_array){{NIGH_F64, 1, {d}}, (void *)x});
    double *both = nigh_alloc(ctx, 2 * (size_t)d * sizeof *both);
    if (!both) return NIGH_MEMORY;
    for (int64_t j = 0; j < d; j++) both[2 * j] = x[j], both[2 * j + 1] = bound[j];
    char *names[] = {"value", "bound"};
    nigh_status status = nigh_csv_write(ctx, path, &(nigh_table){.rows = d, .columns = 2, .values = both, .names = names});
    nigh_free(ctx, both);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------------------------------- */

static nigh_status run(nigh_context *ctx, arguments *a)
{
    input in = {0};
    nigh_squares_receipt receipt;
    a->options.seed = nigh_context_seed(ctx);
    if (a->out && !word_ends(a->out, ".csv") && !word_ends(a->out, ".npy")) return nigh_fail(ctx, NIGH_INVALID, "-o is '%s'; a name with .csv or .npy is allowed", a->out);
    nigh_status status = a->method ? nigh_squares_method_find(ctx, a->method, &a->options.method) : NIGH_OK;
    a->options.most = a->passes == 0 ? -1 : a->passes;
    if (!status) status = rows_file_sparse(a->file.path) ? read_sparse(ctx, a, &in) : read_dense(ctx, a, &in);
    double *x = status ? NULL : nigh_alloc(ctx, 2 * (size_t)in.problem.d * sizeof *x), *bound = x ? x + in.problem.d : NULL, began = nigh_clock();
    if (!status && !x) status = NIGH_MEMORY;
    if (!status) status = nigh_squares_solve(ctx, &in.problem, &a->options, x, bound, &receipt);
    double seconds = nigh_clock() - began;
    if (!status && a->out) status = write_out(ctx, a->out, &in, x, bound);
    if (!status) {
        cli_clear();
        if (cli_json) print_json(a, &in, x, bound, &receipt, seconds);
        else if (!cli_quiet) print_receipt(a, &in, x, bound, &receipt, seconds);
        if (a->compare && !cli_json) status = squares_compare(ctx, &in.problem, &a->options, stdout);
    }
    if (!status && !receipt.met) status = nigh_fail(ctx, NIGH_UNMET, "the error %.3g was not met; more --passes, another --method or a larger --rows may", a->options.error);
    nigh_free(ctx, x);
    input_free(ctx, &in);
    return status;
}

int reduce_least_squares(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {.options = {.error = 0.01, .delta = 0.01}, .passes = 60};
    nigh_squares_options *o = &a.options;
    const cli_flag flags[] = {{"error", 0, CLI_REAL, &o->error, "E", "", 1e-15, 1e15},
                              {"coordinates", 0, CLI_SWITCH, &o->coordinates, NULL, "", 0, 0},
                              {"delta", 0, CLI_REAL, &o->delta, "P", "", 1e-12, 0.5},
                              {"target", 0, CLI_TEXT, &a.file.target, "COLUMN", "", 0, 0},
                              {"features", 0, CLI_TEXT, &a.file.features, "LIST", "", 0, 0},
                              {"weight", 0, CLI_TEXT, &a.file.weight, "COLUMN", "", 0, 0},
                              {"intercept", 0, CLI_SWITCH, &a.intercept, NULL, "", 0, 0},
                              {"method", 0, CLI_TEXT, &a.method, "M", "", 0, 0},
                              {"rows", 0, CLI_INT, &o->rows, "M", "", 1, 2147483647},
                              {"passes", 0, CLI_INT, &a.passes, "K", "", 0, 1000000},
                              {"correct", 0, CLI_SWITCH, &o->correct, NULL, "", 0, 0},
                              {"second", 0, CLI_SWITCH, &o->second, NULL, "", 0, 0},
                              {"ridge", 0, CLI_REAL, &o->ridge, "R", "", 0, 1e15},
                              {"compare", 0, CLI_SWITCH, &a.compare, NULL, "", 0, 0},
                              {"all", 0, CLI_SWITCH, &a.all, NULL, "", 0, 0},
                              {"output", 'o', CLI_TEXT, &a.out, "FILE", "", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    const char *words[1];
    int count;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(usage, stdout), 0;
    int code = cli_parse(ctx, "reduce", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count < 1) return cli_misuse(ctx, "which FILE? (nigh reduce least-squares --help)");
    a.file.path = words[0];
    cli_progress_start(ctx);
    nigh_status status = run(ctx, &a);
    cli_progress_stop(ctx);
    code = cli_print(ctx, "", 0);
    return code ? code : status ? cli_fail(ctx, status) : 0;
}
