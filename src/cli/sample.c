/* nigh sample */
#include "cli/design.h"
#include "core/words.h"
#include "cli/problem.h"
#include "nigh/io.h"

#include <string.h>

/* Arrays `inputs` and `outputs`, of fields also `grid`: where their points lie (nigh_grid). */
static nigh_status write_pairs(nigh_context *ctx, const char *path, int64_t n, const nigh_problem *problem, nigh_array *in, nigh_array *out)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_array shaped[2] = {*in, *out};
    const nigh_shape *shapes[2] = {&problem->in, &problem->out};
    int32_t lies = (int32_t)problem->grid;
    for (int k = 0; k < 2; k++) {
        shaped[k].shape.ndim = 1 + shapes[k]->ndim, shaped[k].shape.dim[0] = n;
        for (int i = 0; i < shapes[k]->ndim; i++) shaped[k].shape.dim[i + 1] = shapes[k]->dim[i];
    }
    nigh_status status = nigh_bundle_add(&bundle, "inputs", &shaped[0]);
    if (!status) status = nigh_bundle_add(&bundle, "outputs", &shaped[1]);
    if (!status && lies) status = nigh_bundle_add(&bundle, "grid", &(nigh_array){{NIGH_I32, 1, {1}}, &lies});
    if (!status && (word_ends(path, ".h5") || word_ends(path, ".hdf5"))) status = nigh_hdf5_write(ctx, path, &bundle, 0);
    else if (!status) status = nigh_npz_write(ctx, path, &bundle, 0);
    nigh_bundle_free(&bundle);
    return status;
}

static nigh_status sample(nigh_context *ctx, const nigh_problem *problem, int64_t n, const char *path)
{
    if (!problem->ops->draw) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: its inputs come from a file and are not drawn", problem->name);
    nigh_array in = {0}, out = {0};
    nigh_status status = nigh_array_new(ctx, &(nigh_shape){problem->in.dtype, 2, {n, nigh_shape_count(&problem->in)}}, &in);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){problem->out.dtype, 2, {n, nigh_shape_count(&problem->out)}}, &out);
    nigh_rng rng = nigh_rng_new(nigh_context_seed(ctx), 0);
    if (!status) status = problem->ops->draw(ctx, problem, &rng, n, in.data);
    size_t in_bytes = (size_t)nigh_shape_count(&problem->in) * nigh_dtype_size(problem->in.dtype);
    size_t out_bytes = (size_t)nigh_shape_count(&problem->out) * nigh_dtype_size(problem->out.dtype);
    int64_t part = problem->child ? 16 : problem->grid ? 128 : 65536;
    for (int64_t i = 0; i < n && !status; i += part) {
        int64_t some = n - i < part ? n - i : part;
        status = nigh_poll(ctx);
        if (!status) status = problem->ops->exact(ctx, problem, some, (char *)in.data + (size_t)i * in_bytes, (char *)out.data + (size_t)i * out_bytes);
        nigh_progress(ctx, "sampling", (double)(i + some), (double)n);
    }
    if (!status) status = write_pairs(ctx, path, n, problem, &in, &out);
    nigh_array_free(ctx, &in);
    nigh_array_free(ctx, &out);
    return status;
}

int cli_sample(nigh_context *ctx, int argc, char **argv)
{
    problem_words w = {0};
    design_words design = {.degree = 4, .times = 2, .least = 0.1};
    const char *words[1] = {NULL}, *out = NULL;
    int64_t n = 0;
    int count;
    const cli_flag flags[] = {{"n", 'n', CLI_INT, &n, "N", "how many samples", 1, 1e9},
                              {"out", 'o', CLI_TEXT, &out, "FILE", "npz or h5 with arrays inputs and outputs; of --design csv, npy or npz", 0, 0},
                              DESIGN_FLAGS(design),
                              PROBLEM_FLAGS(w),
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    int code = cli_parse(ctx, "sample", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (design.design && (count || w.exact || w.on || n))
        return cli_misuse(ctx, "nigh sample --design KIND --box A:B,C:D -o FILE: points for a program of your own; %s has no place in it",
                          n ? "--n (say --times)" : w.exact ? "--exact" : w.on ? "--on" : words[0]);
    if (design.design && (!w.box || !out)) return cli_misuse(ctx, "nigh sample --design KIND --box A:B,C:D -o FILE: %s is missing", w.box ? "-o FILE" : "--box");
    if (design.design) {
        nigh_status status = design_write(ctx, &design, w.box, out);
        return status ? cli_fail(ctx, status) : 0;
    }
    if (n == 0 || !out) return cli_misuse(ctx, "nigh sample PROBLEM --n N -o FILE.npz: %s is missing", n == 0 ? "--n N" : "-o FILE.npz");
    w.text = count ? words[0] : NULL;
    nigh_problem *problem = NULL;
    cli_progress_start(ctx);
    nigh_status status = problem_from_words(ctx, &w, &problem);
    if (!status) status = sample(ctx, problem, n, out);
    if (problem) nigh_problem_free(ctx, problem);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
