/* See design.h. */
#include "cli/design.h"
#include "core/words.h"

#include "cli/problem.h"
#include "nigh/design.h"
#include "nigh/io.h"

#include <string.h>

/* Which of the names, comma between, this is; NULL is the first. */
static nigh_status choose(nigh_context *ctx, const char *flag, const char *names, const char *text, int *out)
{
    *out = 0;
    if (!text) return NIGH_OK;
    for (const char *p = names; *p; (*out)++) {
        size_t size = strcspn(p, ",");
        if (strlen(text) == size && strncmp(p, text, size) == 0) return NIGH_OK;
        p += size + (p[size] == ',');
    }
    return nigh_fail(ctx, NIGH_INVALID, "--%s is '%s'; %s are allowed", flag, text, names);
}

static nigh_status write_csv(nigh_context *ctx, const char *path, int64_t d, const nigh_array *rows)
{
    char text[NIGH_DESIGN_DIMS + 1][16], *names[NIGH_DESIGN_DIMS + 1];
    for (int64_t v = 0; v <= d; v++) {
        snprintf(text[v], sizeof *text, v < d ? "x%d" : "weight", (int)v + 1);
        names[v] = text[v];
    }
    return nigh_csv_write(ctx, path, &(nigh_table){.rows = rows->shape.dim[0], .columns = d + 1, .values = rows->data, .names = names});
}

static nigh_status write_npz(nigh_context *ctx, const char *path, const nigh_design *design)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_bundle_add(&bundle, "inputs", &(nigh_array){{NIGH_F64, 2, {design->n, design->d}}, design->x});
    if (!status) status = nigh_bundle_add(&bundle, "weight", &(nigh_array){{NIGH_F64, 1, {design->n}}, design->weight});
    if (!status) status = nigh_npz_write(ctx, path, &bundle, 0);
    nigh_bundle_free(&bundle);
    return status;
}

static nigh_status write_design(nigh_context *ctx, const char *path, const nigh_design *design)
{
    int64_t d = design->d;
    nigh_array rows = {0};
    if (word_ends(path, ".npz")) return write_npz(ctx, path, design);
    if (!word_ends(path, ".npy") && !word_ends(path, ".csv"))
        return nigh_fail(ctx, NIGH_INVALID, "-o is '%s'; a file of points ends with .csv, .npy or .npz", path);
    nigh_status status = nigh_array_new(ctx, &(nigh_shape){NIGH_F64, 2, {design->n, d + 1}}, &rows);
    for (int64_t i = 0; i < design->n && !status; i++) {
        memcpy((double *)rows.data + i * (d + 1), design->x + i * d, (size_t)d * sizeof(double));
        ((double *)rows.data)[i * (d + 1) + d] = design->weight[i];
    }
    if (!status) status = word_ends(path, ".npy") ? nigh_npy_write(ctx, path, &rows) : write_csv(ctx, path, d, &rows);
    nigh_array_free(ctx, &rows);
    return status;
}

nigh_status design_write(nigh_context *ctx, const design_words *w, const char *box, const char *path)
{
    int kind, family, set;
    double *low = NULL, *high = NULL;
    nigh_basis *basis = NULL;
    nigh_design *design = NULL;
    nigh_basis_spec spec = {.degree = (int)w->degree};
    nigh_rng rng = nigh_rng_new(nigh_context_seed(ctx), 0);
    nigh_status status = choose(ctx, "design", "dpp,volume,volume-input,iid", w->design, &kind);
    if (!status) status = choose(ctx, "basis", "legendre,hermite,fourier", w->basis, &family);
    if (!status) status = choose(ctx, "set", "total,hyperbolic,tensor", w->set, &set);
    if (!status) status = problem_box(ctx, "box", box, &low, &high, &spec.dims);
    if (status) return status;
    spec.family = (nigh_basis_family)family, spec.set = (nigh_index_set)set, spec.low = low, spec.high = high;
    status = nigh_basis_new(ctx, &spec, &basis);
    if (!status) {
        nigh_design_options o = {.kind = (nigh_design_kind)kind, .n = nigh_basis_size(basis) * w->times, .least = w->least, .thin = w->thin};
        status = nigh_design_draw(ctx, basis, &o, &rng, &design);
    }
    if (!status) status = write_design(ctx, path, design);
    if (!status && !cli_quiet) {
        char text[320];
        int size = snprintf(text, sizeof text, "%lld points for %lld functions: %s; smallest eigenvalue %.3g (draw %d); in %s\n", (long long)design->n,
                            (long long)design->m, design->how, design->least, design->draws, path);
        if (size > 0 && cli_print(ctx, text, strlen(text))) status = NIGH_IO;
    }
    nigh_design_free(design);
    nigh_basis_free(basis);
    nigh_free(ctx, low);
    return status;
}
