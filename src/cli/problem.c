/* See problem.h. */
#include "cli/problem.h"
#include "core/words.h"

#include "core/json.h"
#include "nigh/function.h"
#include "nigh/io.h"
#include "nigh/pde.h"
#include "nigh/program.h"
#include "nigh/regress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

nigh_status problem_box(nigh_context *ctx, const char *flag, const char *text, double **low, double **high, int64_t *dims)
{
    int64_t count = 1;
    for (const char *p = text; *p; p++) count += *p == ',';
    *low = nigh_alloc(ctx, 2 * (size_t)count * sizeof **low);
    if (!*low) return NIGH_MEMORY;
    *high = *low + count, *dims = count;
    const char *p = text;
    for (int64_t i = 0; i < count; i++) {
        char *end;
        (*low)[i] = strtod(p, &end);
        bool right = end != p && *end == ':';
        if (right) {
            p = end + 1;
            (*high)[i] = strtod(p, &end);
            right = end != p && (*end == ',' || *end == 0);
        }
        if (!right) {
            nigh_free(ctx, *low);
            *low = NULL; /* the caller frees what it has */
            return nigh_fail(ctx, NIGH_INVALID, "--%s is '%s'; LOW:HIGH%s is needed", flag, text, strcmp(flag, "box") == 0 ? ",LOW:HIGH,..." : "");
        }
        p = end + (*end == ',');
    }
    return NIGH_OK;
}

static nigh_status from_function(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    double *low, *high;
    int64_t dims;
    if (!w->on) return nigh_fail(ctx, NIGH_INVALID, "on which interval is '%s' to be approximated? Say --on A:B", w->text);
    nigh_dtype type = !w->type || strcmp(w->type, "f32") == 0 ? NIGH_F32 : NIGH_F64;
    if (w->type && strcmp(w->type, nigh_dtype_name(type)) != 0) return nigh_fail(ctx, NIGH_INVALID, "--type is '%s'; f32 or f64 is allowed", w->type);
    nigh_status status = problem_box(ctx, "on", w->on, &low, &high, &dims);
    if (status) return status;
    if (dims != 1)
        status = nigh_fail(ctx, NIGH_INVALID, "--on is '%s'; one interval A:B is needed", w->on);
    else
        status = nigh_function_problem_new(ctx, &(nigh_function){w->text, low[0], high[0], type, w->measure}, problem);
    nigh_free(ctx, low);
    return status;
}

/* An expression of several variables on a box. */
static nigh_status from_expression(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    nigh_expression_map spec = {.text = w->text, .measure = w->measure};
    double *low, *high;
    nigh_status status = problem_box(ctx, "box", w->box, &low, &high, &spec.dims);
    if (status) return status;
    if (w->on || (w->type && strcmp(w->type, "f64") != 0))
        status = nigh_fail(ctx, NIGH_INVALID, w->on ? "--on and --box are two places for the inputs; --on is for a function of x, --box for several variables"
                                                    : "--type is '%s'; functions of several variables are computed in f64", w->type);
    spec.low = low, spec.high = high;
    if (!status) status = nigh_expression_map_new(ctx, &spec, problem);
    nigh_free(ctx, low);
    return status;
}

static nigh_status bad_points(nigh_context *ctx, const char *lies) { return nigh_fail(ctx, NIGH_INVALID, "--points is '%s'; cell, node or periodic is allowed", lies); }

static nigh_status from_program(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    if (w->text) return nigh_fail(ctx, NIGH_INVALID, "'%s' and --exact are two problems; name one", w->text);
    if (!w->inputs == !w->box) return nigh_fail(ctx, NIGH_INVALID, "the program needs its inputs from %s: --inputs FILE or --box A:B,C:D", w->inputs ? "one place" : "somewhere");
    nigh_program_problem spec = {.command = w->exact, .knob = w->knob, .measure = w->measure, .no_cache = w->no_cache};
    spec.limits = (nigh_limits){.seconds = w->run_seconds, .memory_bytes = (int64_t)(w->run_memory * 1e6), .network = w->network};
    nigh_array inputs = {0};
    double *low = NULL, *high = NULL;
    nigh_status status = NIGH_OK;
    if (w->inputs) {
        status = nigh_array_read(ctx, w->inputs, &inputs);
        spec.inputs = &inputs;
    } else {
        status = problem_box(ctx, "box", w->box, &low, &high, &spec.dims);
        spec.low = low, spec.high = high;
    }
    nigh_grid grid = NIGH_GRID_UNKNOWN;
    if (!status && w->lies && !nigh_grid_find(w->lies, &grid)) status = bad_points(ctx, w->lies);
    if (!status) status = nigh_program_problem_new(ctx, &spec, problem);
    if (!status) (*problem)->grid = grid;
    nigh_array_free(ctx, &inputs);
    nigh_free(ctx, low);
    return status;
}

static nigh_status pairs_problem(nigh_context *ctx, const problem_words *w, const nigh_array *in, const nigh_array *out, nigh_problem **problem)
{
    nigh_status status = nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = w->text, .in = in, .out = out, .measure = w->measure, .origin = "{\"kind\":\"pairs\"}"}, problem);
    if (!status) (*problem)->exact_seconds = w->exact_seconds;
    return status;
}

static bool is_hdf5(const char *text) { return word_ends(text, ".h5") || word_ends(text, ".hdf5") || word_ends(text, ".hdf"); }

/* What the user says, else the array `grid` of the file, else unknown. */
static nigh_status grid_of(nigh_context *ctx, const problem_words *w, const nigh_bundle *bundle, nigh_grid *grid)
{
    if (w->lies && !nigh_grid_find(w->lies, grid)) return bad_points(ctx, w->lies);
    const nigh_array *said = w->lies ? NULL : nigh_bundle_find(bundle, "grid");
    if (!said) return NIGH_OK;
    double value = nigh_shape_count(&said->shape) == 1 ? nigh_array_get(said, 0) : -1;
    if (value < NIGH_GRID_UNKNOWN || value > NIGH_GRID_PERIODIC || value != floor(value))
        return nigh_fail(ctx, NIGH_FORMAT, "%s: array `grid` is not one number of 1 (cells), 2 (nodes), 3 (periodic)", w->text);
    *grid = (nigh_grid)value;
    return NIGH_OK;
}

/* Arrays `inputs` and `outputs` of an npz or HDF5 file, and `grid`. */
static nigh_status from_bundle(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    static const char *const wanted[] = {"inputs", "outputs", "grid", NULL};
    nigh_grid grid = NIGH_GRID_UNKNOWN;
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = is_hdf5(w->text) ? nigh_hdf5_read(ctx, w->text, &(nigh_hdf5_options){.names = wanted}, &bundle) : nigh_npz_read(ctx, w->text, &bundle);
    if (status) return status;
    const nigh_array *in = nigh_bundle_find(&bundle, "inputs"), *out = nigh_bundle_find(&bundle, "outputs");
    if (!in || !out)
        status = nigh_fail(ctx, NIGH_FORMAT, "%s has no array '%s'; a file of pairs has `inputs` and `outputs`", w->text, in ? "outputs" : "inputs");
    else
        status = grid_of(ctx, w, &bundle, &grid);
    if (!status) status = pairs_problem(ctx, w, in, out, problem);
    if (!status) (*problem)->grid = grid;
    nigh_bundle_free(&bundle);
    return status;
}

static bool is_equation(const char *name)
{
    for (int i = 0; nigh_equation_at(i); i++)
        if (!strcmp(name, nigh_equation_at(i)->name)) return true;
    return false;
}

static nigh_status from_equation(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    const char *flag = w->on ? "--on" : w->box ? "--box" : w->type ? "--type" : w->lies ? "--points" : w->outputs ? "--outputs" : NULL;
    if (flag) return nigh_fail(ctx, NIGH_INVALID, "%s has no place with equation '%s'; --grid and --with say what it is", flag, w->text);
    return nigh_pde_problem_new(ctx, &(nigh_pde){w->text, w->grid, w->with, w->measure}, problem);
}

/* Columns `index` of a table as an array [rows, count]. */
static nigh_status take_columns(nigh_context *ctx, const nigh_table *table, int64_t count, const int64_t *index, nigh_array *out)
{
    nigh_status status = nigh_array_new(ctx, &(nigh_shape){NIGH_F64, 2, {table->rows, count}}, out);
    for (int64_t i = 0; i < table->rows && !status; i++)
        for (int64_t j = 0; j < count; j++) ((double *)out->data)[i * count + j] = table->values[i * table->columns + index[j]];
    return status;
}

static nigh_status other_columns(nigh_context *ctx, const nigh_table *table, int64_t count, const int64_t *index, int64_t **others, int64_t *other_count)
{
    *others = nigh_alloc(ctx, (size_t)table->columns * sizeof **others);
    if (!*others) return NIGH_MEMORY;
    *other_count = 0;
    for (int64_t c = 0; c < table->columns; c++) {
        bool taken = false;
        for (int64_t j = 0; j < count; j++) taken = taken || index[j] == c;
        if (!taken) (*others)[(*other_count)++] = c;
    }
    return NIGH_OK;
}

static nigh_status from_csv(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    nigh_table table = {0};
    int64_t *outs = NULL, *ins = NULL, out_count, in_count;
    nigh_array in = {0}, out = {0};
    if (!w->outputs) return nigh_fail(ctx, NIGH_INVALID, "which columns of %s are outputs? Say --outputs COLUMNS (names or numbers from 1, -1 is the last)", w->text);
    nigh_status status = nigh_csv_read(ctx, w->text, NULL, &table);
    if (status) return status;
    status = nigh_table_columns(ctx, &table, w->outputs, &outs, &out_count);
    if (!status) status = w->columns ? nigh_table_columns(ctx, &table, w->columns, &ins, &in_count) : other_columns(ctx, &table, out_count, outs, &ins, &in_count);
    if (!status && in_count == 0) status = nigh_fail(ctx, NIGH_INVALID, "all %lld columns of %s are outputs; no inputs are left", (long long)table.columns, w->text);
    if (!status) status = take_columns(ctx, &table, in_count, ins, &in);
    if (!status) status = take_columns(ctx, &table, out_count, outs, &out);
    if (!status) status = pairs_problem(ctx, w, &in, &out, problem);
    nigh_array_free(ctx, &in);
    nigh_array_free(ctx, &out);
    nigh_free(ctx, ins);
    nigh_free(ctx, outs);
    nigh_table_free(ctx, &table);
    return status;
}

nigh_status problem_from_words(nigh_context *ctx, const problem_words *w, nigh_problem **problem)
{
    *problem = NULL;
    if (w->exact) return from_program(ctx, w, problem);
    if (!w->text) return nigh_fail(ctx, NIGH_INVALID, "what is to be approximated? Name a function, an expression, an equation, a file of pairs, or --exact COMMAND");
    if (is_equation(w->text)) return from_equation(ctx, w, problem);
    if (w->grid || w->with) return from_equation(ctx, w, problem); /* which tells what there is */
    if (word_ends(w->text, ".npz") || is_hdf5(w->text)) return from_bundle(ctx, w, problem);
    if (word_ends(w->text, ".csv") || word_ends(w->text, ".csv.gz") || word_ends(w->text, ".tsv") || word_ends(w->text, ".txt")) return from_csv(ctx, w, problem);
    struct stat info;
    if (word_ends(w->text, ".npy") || (stat(w->text, &info) == 0 && !w->on))
        return nigh_fail(ctx, NIGH_INVALID, "%s: a file of pairs is npz or h5 (arrays `inputs` and `outputs`) or csv (with --outputs COLUMNS)", w->text);
    return w->box ? from_expression(ctx, w, problem) : from_function(ctx, w, problem);
}

/* ---- from a plan's record ---- */

/* The box of a record, low and high behind one another, allocated. */
static nigh_status box_again(nigh_context *ctx, const nj *origin, double **box, size_t *dims)
{
    nj low, high;
    size_t dims_high = 0;
    nigh_status status = nj_get_array(origin, "low", &low, dims);
    if (!status) status = nj_get_array(origin, "high", &high, &dims_high);
    if (!status && dims_high != *dims) status = nj_fail(origin, NIGH_FORMAT, "high", "has another length than low");
    if (status) return status;
    if (!(*box = nigh_alloc(ctx, 2 * (*dims + 1) * sizeof **box))) return NIGH_MEMORY;
    for (size_t i = 0; i < *dims && !status; i++) {
        status = nj_at_real(&low, i, -1e300, 1e300, &(*box)[i]);
        if (!status) status = nj_at_real(&high, i, -1e300, 1e300, &(*box)[*dims + i]);
    }
    if (status) nigh_free(ctx, *box), *box = NULL;
    return status;
}

static nigh_status program_again(nigh_context *ctx, const nj *origin, bool allow_exec, nigh_problem **problem)
{
    const char *command, *knob = NULL, *measure;
    double *box = NULL;
    size_t dims;
    bool drawn;
    nigh_status status = nj_get_text(origin, "command", &command);
    if (!status) status = nj_get_text(origin, "measure", &measure);
    if (!status && nj_has(origin, "knob")) status = nj_get_text(origin, "knob", &knob);
    if (!status) status = nj_get_bool(origin, "drawn", &drawn);
    if (status) return status;
    if (!allow_exec) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the exact computation of this plan is the program '%s'; it is run only with --allow-exec", command);
    if (!drawn) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the inputs of '%s' came from a file; only inputs from a box can be drawn anew", command);
    status = box_again(ctx, origin, &box, &dims);
    if (status) return status;
    nigh_program_problem spec = {.command = command, .dims = (int64_t)dims, .low = box, .high = box + dims, .knob = knob, .measure = measure};
    status = nigh_program_problem_new(ctx, &spec, problem);
    nigh_free(ctx, box);
    return status;
}

static nigh_status expression_again(nigh_context *ctx, const nj *origin, nigh_problem **problem)
{
    nigh_expression_map spec = {0};
    double *box = NULL;
    size_t dims;
    nigh_status status = nj_get_text(origin, "text", &spec.text);
    if (!status) status = nj_get_text(origin, "measure", &spec.measure);
    if (!status) status = box_again(ctx, origin, &box, &dims);
    if (status) return status;
    spec.dims = (int64_t)dims, spec.low = box, spec.high = box + dims;
    status = nigh_expression_map_new(ctx, &spec, problem);
    nigh_free(ctx, box);
    return status;
}

static nigh_status function_again(nigh_context *ctx, const nj *origin, nigh_problem **problem)
{
    nigh_function function = {0};
    const char *type;
    nigh_status status = nj_get_text(origin, "text", &function.text);
    if (!status) status = nj_get_text(origin, "type", &type);
    if (!status) status = nj_get_text(origin, "measure", &function.measure);
    if (!status) status = nj_get_real(origin, "low", -1e308, 1e308, &function.low);
    if (!status) status = nj_get_real(origin, "high", -1e308, 1e308, &function.high);
    if (status) return status;
    function.type = strcmp(type, "f64") == 0 ? NIGH_F64 : NIGH_F32;
    return nigh_function_problem_new(ctx, &function, problem);
}

static nigh_status equation_again(nigh_context *ctx, const nj *origin, nigh_problem **problem)
{
    nigh_pde spec = {0};
    nigh_status status = nj_get_text(origin, "equation", &spec.equation);
    if (!status) status = nj_get_int(origin, "grid", 1, 1 << 20, &spec.grid);
    if (!status) status = nj_get_text(origin, "settings", &spec.settings);
    if (!status) status = nj_get_text(origin, "measure", &spec.measure);
    return status ? status : nigh_pde_problem_new(ctx, &spec, problem);
}

nigh_status problem_from_record(nigh_context *ctx, const nigh_plan *plan, bool allow_exec, nigh_problem **problem)
{
    nj root = {0}, origin = {0};
    const char *kind = "";
    if (!*plan->record) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the plan has no record of its problem");
    nigh_status status = nj_parse(ctx, "the plan's record", plan->record, strlen(plan->record), &root);
    if (!status && !nj_has(&root, "problem")) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "the plan's record does not say how to make its problem again");
    if (!status) status = nj_get_object(&root, "problem", &origin);
    if (!status) status = nj_get_text(&origin, "kind", &kind);
    if (!status) {
        if (strcmp(kind, "function") == 0)
            status = function_again(ctx, &origin, problem);
        else if (strcmp(kind, "expression") == 0)
            status = expression_again(ctx, &origin, problem);
        else if (strcmp(kind, "pde") == 0)
            status = equation_again(ctx, &origin, problem);
        else if (strcmp(kind, "program") == 0)
            status = program_again(ctx, &origin, allow_exec, problem);
        else
            status = nigh_fail(ctx, NIGH_UNSUPPORTED, "problems of kind '%s' cannot be made again from a plan's record: test rows of a file are not drawn anew", kind);
    }
    nj_free(&root);
    return status;
}
