/* See rows_file.h. */
#include "cli/rows_file.h"
#include "core/words.h"

#include "nigh/io.h"
#include "nigh/linear.h"
#include "nigh/row_stream.h"

#include <math.h>
#include <string.h>
#include <strings.h>

void rows_file_free(nigh_context *ctx, rows_file *file)
{
    nigh_free(ctx, file->x);
    nigh_free(ctx, file->y);
    nigh_free(ctx, file->weight);
    nigh_free(ctx, file->mean);
    *file = (rows_file){0};
}

bool rows_file_sparse(const char *p)
{
    return word_ends(p, ".libsvm") || word_ends(p, ".svm") || word_ends(p, ".svmlight") || word_ends(p, ".libsvm.gz") || word_ends(p, ".svm.gz") || word_ends(p, ".svmlight.gz");
}

static double *doubles(nigh_context *ctx, int64_t count) { return nigh_alloc(ctx, (size_t)(count ? count : 1) * sizeof(double)); }

/* ---- tables: csv, npy, libsvm ------------------------------------------------------------------------------- */

static nigh_status grow(nigh_context *ctx, double **block, int64_t count)
{
    double *more = nigh_resize(ctx, *block, (size_t)count * sizeof **block);
    if (more) *block = more;
    return more ? NIGH_OK : NIGH_MEMORY;
}

/* Appends a block; room (rows) grows by doubling. */
static nigh_status append(nigh_context *ctx, const nigh_row_block *block, int64_t *room, rows_file *f)
{
    int64_t n = f->rows.n, d = block->d;
    nigh_status status = NIGH_OK;
    if (n + block->count > *room) {
        *room = n + block->count > 2 * *room ? n + block->count : 2 * *room;
        status = grow(ctx, &f->x, *room * d);
        if (!status && block->y) status = grow(ctx, &f->y, *room);
        if (!status && block->weight) status = grow(ctx, &f->weight, *room);
    }
    if (status) return status;
    memcpy(f->x + n * d, block->x, (size_t)(block->count * d) * sizeof *f->x);
    if (block->y) memcpy(f->y + n, block->y, (size_t)block->count * sizeof *f->y);
    if (block->weight) memcpy(f->weight + n, block->weight, (size_t)block->count * sizeof *f->weight);
    f->rows.n += block->count, f->rows.d = d;
    return NIGH_OK;
}

/* The last column is y for losses that have one, unless another is named. */
static nigh_status from_stream(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    bool uses_y = nigh_loss_uses_y(loss);
    nigh_row_options options = {.features = w->features, .weight = w->weight, .target = w->target ? w->target : uses_y && !rows_file_sparse(w->path) ? "-1" : NULL};
    nigh_row_stream *stream;
    nigh_row_block block;
    int64_t room = 0;
    nigh_status status = nigh_row_stream_open(ctx, w->path, &options, &stream);
    if (status) return status;
    while (!(status = nigh_row_stream_next(stream, &block)) && block.count && !status) status = append(ctx, &block, &room, out);
    nigh_row_stream_free(stream);
    if (!status && !out->rows.n) status = nigh_fail(ctx, NIGH_FORMAT, "'%s' has no rows", w->path);
    if (!uses_y) nigh_free(ctx, out->y), out->y = NULL;
    return status;
}

/* ---- bundles of arrays -------------------------------------------------------------------------------------- */

static const nigh_array *find_any(const nigh_bundle *bundle, const char *given, const char *const *names)
{
    if (given) return nigh_bundle_find(bundle, given);
    for (; *names; names++)
        if (nigh_bundle_find(bundle, *names)) return nigh_bundle_find(bundle, *names);
    return NULL;
}

static nigh_status vector_of(nigh_context *ctx, const char *path, const char *what, const nigh_array *array, int64_t n, double **out)
{
    if (nigh_shape_count(&array->shape) != n)
        return nigh_fail(ctx, NIGH_INVALID, "'%s': array %s has %lld numbers for %lld rows", path, what, (long long)nigh_shape_count(&array->shape), (long long)n);
    return (*out = doubles(ctx, n)) ? nigh_array_to_f64(ctx, array, *out) : NIGH_MEMORY;
}

static nigh_status from_bundle(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    nigh_bundle bundle = {.ctx = ctx};
    bool hdf5 = word_ends(w->path, ".h5") || word_ends(w->path, ".hdf5");
    nigh_status status = hdf5 ? nigh_hdf5_read(ctx, w->path, NULL, &bundle) : word_ends(w->path, ".safetensors") ? nigh_safetensors_read(ctx, w->path, &bundle)
                                                                                                                   : nigh_npz_read(ctx, w->path, &bundle);
    if (status) return status;
    const nigh_array *x = find_any(&bundle, w->features, (const char *const[]){"x", "X", "inputs", "features", NULL});
    const nigh_array *y = find_any(&bundle, w->target, (const char *const[]){"y", "Y", "outputs", "target", "label", NULL});
    const nigh_array *weight = find_any(&bundle, w->weight, (const char *const[]){"weight", "weights", "sample_weight", NULL});
    if (!x && bundle.count == 1 && !nigh_loss_uses_y(loss)) x = &bundle.items[0].array;
    if (!x) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has no array %s of features (--features names another)", w->path, w->features ? w->features : "x");
    else if (x->shape.ndim < 1) status = nigh_fail(ctx, NIGH_INVALID, "'%s': the features are a single number", w->path);
    else if (nigh_loss_uses_y(loss) && !y) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has no array %s for y (--target names another)", w->path, w->target ? w->target : "y");
    else if (w->weight && !weight) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has no array %s", w->path, w->weight);
    if (!status) {
        int64_t n = x->shape.dim[0], count = nigh_shape_count(&x->shape);
        out->rows.n = n, out->rows.d = n ? count / n : 0;
        status = (out->x = doubles(ctx, count)) ? nigh_array_to_f64(ctx, x, out->x) : NIGH_MEMORY;
    }
    if (!status && nigh_loss_uses_y(loss)) status = vector_of(ctx, w->path, "y", y, out->rows.n, &out->y);
    if (!status && weight) status = vector_of(ctx, w->path, "weight", weight, out->rows.n, &out->weight);
    nigh_bundle_free(&bundle);
    return status;
}

/* ---- what is done to them ---------------------------------------------------------------------------------- */

/* Two values of y, whatever they are, become 0 and 1. */
static nigh_status find_classes(nigh_context *ctx, const char *path, rows_file *f)
{
    double low = f->y[0], high = f->y[0];
    for (int64_t i = 0; i < f->rows.n; i++) low = fmin(low, f->y[i]), high = fmax(high, f->y[i]);
    for (int64_t i = 0; i < f->rows.n; i++)
        if (f->y[i] != low && f->y[i] != high)
            return nigh_fail(ctx, NIGH_INVALID, "'%s': y has more than two values (%.6g, %.6g and, in row %lld, %.6g); this loss needs two classes", path, low, high, (long long)i, f->y[i]);
    if (low == high) return nigh_fail(ctx, NIGH_INVALID, "'%s': y is %.6g in every row; this loss needs two classes", path, low);
    for (int64_t i = 0; i < f->rows.n; i++) f->y[i] = f->y[i] == high;
    f->classes[0] = low, f->classes[1] = high;
    return NIGH_OK;
}

static nigh_status standardise(nigh_context *ctx, rows_file *f)
{
    f->mean = doubles(ctx, 2 * f->rows.d);
    f->scale = f->mean ? f->mean + f->rows.d : NULL;
    return f->mean ? nigh_standardise(ctx, &(nigh_linear_data){f->rows.n, f->rows.d, f->x, f->weight}, f->mean, f->scale, f->x) : NIGH_MEMORY;
}

static void say_constant(nigh_context *ctx, const rows_file *f)
{
    for (int64_t j = 0; j < f->rows.d; j++) {
        int64_t i = 1;
        while (i < f->rows.n && f->x[i * f->rows.d + j] == f->x[j]) i++;
        if (i == f->rows.n && i > 1) nigh_log(ctx, NIGH_LOG_WARNING, "feature %lld is constant (%.6g): it tells nothing", (long long)j + 1, f->x[j]);
    }
}

nigh_status rows_file_read(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    rows_file f = {0};
    const char *p = w->path;
    bool bundle = word_ends(p, ".npz") || word_ends(p, ".h5") || word_ends(p, ".hdf5") || word_ends(p, ".safetensors");
    nigh_status status = bundle ? from_bundle(ctx, w, loss, &f) : from_stream(ctx, w, loss, &f);
    f.rows.x = f.x, f.rows.y = f.y, f.rows.weight = f.weight;
    if (!status && nigh_loss_has_classes(loss)) status = find_classes(ctx, p, &f);
    if (!status) status = nigh_rows_check(ctx, &f.rows, loss);
    if (!status) say_constant(ctx, &f);
    if (!status && w->standardise) status = standardise(ctx, &f);
    if (status) rows_file_free(ctx, &f);
    else *out = f;
    return status;
}
