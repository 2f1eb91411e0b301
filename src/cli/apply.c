/* nigh apply */
#include "cli/cli.h"
#include "nigh/fields.h"
#include "nigh/io.h"
#include "nigh/plan.h"

#include <math.h>
#include <string.h>

/* Inputs of any real type as the plan's type, [n, sample...]; n from the first dimension. */
static nigh_status take_inputs(nigh_context *ctx, const nigh_plan *plan, const char *path, nigh_array *in, int64_t *n)
{
    nigh_array raw;
    nigh_status status = nigh_array_read(ctx, path, &raw);
    if (status) return status;
    int64_t width = nigh_shape_count(&plan->in), count = nigh_shape_count(&raw.shape);
    *n = raw.shape.ndim ? raw.shape.dim[0] : 1;
    int64_t have = *n > 0 ? count / *n : 0;
    if (*n > 0 && have != width)
        status = nigh_fail(ctx, NIGH_INVALID, "%s has %lld numbers a sample; the plan takes %lld", path, (long long)have, (long long)width);
    nigh_shape shape = {plan->in.dtype, 2, {*n, width}};
    if (!status && raw.shape.dtype >= NIGH_C64) status = nigh_fail(ctx, NIGH_INVALID, "%s is complex; real numbers are needed", path);
    if (!status) status = nigh_array_new(ctx, &shape, in);
    for (int64_t i = 0; i < count && !status; i++) nigh_array_set(in, i, nigh_array_get(&raw, i));
    nigh_array_free(ctx, &raw);
    return status;
}

static nigh_status write_outputs(nigh_context *ctx, const char *path, int64_t n, const nigh_plan *plan, nigh_array *out)
{
    size_t size = strlen(path);
    int64_t width = nigh_shape_count(&plan->out);
    if (size > 4 && strcmp(path + size - 4, ".csv") == 0) {
        double *values = nigh_alloc(ctx, (size_t)(n * width + 1) * sizeof *values);
        if (!values) return NIGH_MEMORY;
        nigh_status status = nigh_array_to_f64(ctx, out, values);
        if (!status) status = nigh_csv_write(ctx, path, &(nigh_table){.rows = n, .columns = width, .values = values, .separator = ','});
        nigh_free(ctx, values);
        return status;
    }
    nigh_array shaped = *out;
    shaped.shape.ndim = 1 + plan->out.ndim, shaped.shape.dim[0] = n;
    for (int i = 0; i < plan->out.ndim; i++) shaped.shape.dim[i + 1] = plan->out.dim[i];
    return nigh_npy_write(ctx, path, &shaped);
}

/* Fields on another grid than the plan's, when its method allows that: the grid's dimensions, else none. */
static int grid_of(nigh_context *ctx, const nigh_plan *plan, const nigh_array *raw, int64_t size[2], int64_t *channels_out)
{
    int dims;
    int64_t in, rest = 1;
    if (nigh_fields_shape(ctx, plan, &dims, &in, channels_out) || raw->shape.ndim < dims + 1 || raw->shape.dtype >= NIGH_C64) return 0;
    for (int k = 0; k < dims; k++) size[k] = raw->shape.dim[k + 1];
    for (int k = dims + 1; k < raw->shape.ndim; k++) rest *= raw->shape.dim[k];
    return rest == in ? dims : 0;
}

/* Answers on the grid of the file; *done says whether that was the case at hand. */
static nigh_status apply_elsewhere(nigh_context *ctx, const nigh_plan *plan, const char *in_path, const char *out_path, bool strict, bool *done)
{
    nigh_array raw = {0}, in = {0}, out = {0};
    int64_t size[2], channels;
    nigh_status status = nigh_array_read(ctx, in_path, &raw);
    if (status) return status;
    int64_t n = raw.shape.ndim ? raw.shape.dim[0] : 0, count = nigh_shape_count(&raw.shape);
    int dims = n > 0 && count / n != nigh_shape_count(&plan->in) ? grid_of(ctx, plan, &raw, size, &channels) : 0;
    if ((*done = dims > 0)) {
        nigh_shape shape = {NIGH_F64, dims + 1, {n, size[0], dims == 2 ? size[1] : 0}};
        if (plan->out.ndim > dims) shape.dim[shape.ndim++] = channels;
        const char *text = "the fields have another grid than the plan was made for: its receipt does not speak for their answers";
        if (strict) status = nigh_fail(ctx, NIGH_INVALID, "%s (--strict)", text);
        else nigh_log(ctx, NIGH_LOG_WARNING, "%s", text);
        if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_F64, 1, {count}}, &in);
        if (!status) status = nigh_array_new(ctx, &shape, &out);
        for (int64_t i = 0; i < count && !status; i++) nigh_array_set(&in, i, nigh_array_get(&raw, i));
        if (!status) status = nigh_fields_apply(ctx, plan, size, n, in.data, out.data);
        if (!status) status = nigh_npy_write(ctx, out_path, &out);
    }
    nigh_array_free(ctx, &out);
    nigh_array_free(ctx, &in);
    nigh_array_free(ctx, &raw);
    return status;
}

static nigh_status apply(nigh_context *ctx, const char *plan_path, const char *in_path, const char *out_path, bool strict)
{
    nigh_plan *plan = NULL;
    nigh_array in = {0}, out = {0};
    int64_t n = 0;
    void *workspace = NULL;
    nigh_status status = nigh_plan_load(ctx, plan_path, &plan);
    bool elsewhere = false;
    if (!status && plan->in.dtype == NIGH_F64 && strcmp(in_path, "-") != 0) status = apply_elsewhere(ctx, plan, in_path, out_path, strict, &elsewhere);
    if (!status && !elsewhere) status = take_inputs(ctx, plan, in_path, &in, &n);
    if (status || elsewhere) goto done;
    status = nigh_array_new(ctx, &(nigh_shape){plan->out.dtype, 2, {n, nigh_shape_count(&plan->out)}}, &out);
    size_t bytes = nigh_plan_workspace(plan);
    if (!status && !(workspace = nigh_alloc(ctx, bytes))) status = NIGH_MEMORY;
    if (status) goto done;
    if (nigh_plan_apply(plan, n, in.data, out.data, workspace, bytes) == NIGH_OUTSIDE) {
        const char *text = "inputs lie outside the range the plan was made for: its receipt does not speak for their answers";
        if (strict)
            status = nigh_fail(ctx, NIGH_INVALID, "%s (--strict)", text);
        else
            nigh_log(ctx, NIGH_LOG_WARNING, "%s", text);
    }
    if (!status) status = write_outputs(ctx, out_path, n, plan, &out);
done:
    nigh_free(ctx, workspace);
    nigh_array_free(ctx, &out);
    nigh_array_free(ctx, &in);
    nigh_plan_free(ctx, plan);
    return status;
}

int cli_apply(nigh_context *ctx, int argc, char **argv)
{
    const char *words[2], *out = NULL;
    bool strict = false;
    int count;
    const cli_flag flags[] = {{"out", 'o', CLI_TEXT, &out, "FILE", "answers: npy, or csv by its name; - is standard output", 0, 0},
                              {"strict", 0, CLI_SWITCH, &strict, NULL, "inputs outside the plan's range are an error; nothing is written", 0, 0},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "apply", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    if (count != 2 || !out) return cli_misuse(ctx, "nigh apply PLAN IN -o OUT: %s is missing", count < 1 ? "PLAN" : count < 2 ? "IN" : "-o OUT");
    cli_progress_start(ctx);
    nigh_status status = apply(ctx, words[0], words[1], out, strict);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
