/* See rows_file.h. */
#include "cli/rows_file.h"

#include "nigh/dataset.h"
#include "nigh/io.h"
#include "nigh/linear.h"

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

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

static double *doubles(nigh_context *ctx, int64_t count) { return nigh_alloc(ctx, (size_t)(count ? count : 1) * sizeof(double)); }

/* ---- tables: csv, npy -------------------------------------------------------------------------------------- */

static nigh_status one_column(nigh_context *ctx, const nigh_table *table, const char *flag, const char *name, int64_t *column)
{
    int64_t *index, count;
    nigh_status status = nigh_table_columns(ctx, table, name, &index, &count);
    if (status) return nigh_within(ctx, status, "--%s", flag);
    if (count != 1) status = nigh_fail(ctx, NIGH_INVALID, "--%s is '%s'; one column is needed, these are %lld", flag, name, (long long)count);
    else *column = index[0];
    nigh_free(ctx, index);
    return status;
}

static double *copy_column(nigh_context *ctx, const nigh_table *table, int64_t column)
{
    double *out = doubles(ctx, table->rows);
    for (int64_t i = 0; i < table->rows && out; i++) out[i] = table->values[i * table->columns + column];
    return out;
}

/* The columns named, or all but y and weight. */
static nigh_status take_features(nigh_context *ctx, const rows_words *w, const nigh_table *table, int64_t target, int64_t weight, rows_file *out)
{
    int64_t *index = NULL, count = 0;
    nigh_status status = NIGH_OK;
    if (w->features) {
        status = nigh_table_columns(ctx, table, w->features, &index, &count);
        for (int64_t k = 0; k < count && !status; k++)
            if (index[k] == target || index[k] == weight)
                status = nigh_fail(ctx, NIGH_INVALID, "column %lld is a feature and %s; it can be one only", (long long)index[k] + 1, index[k] == target ? "y" : "the weight");
    } else {
        index = nigh_alloc(ctx, (size_t)table->columns * sizeof *index);
        if (!index) return NIGH_MEMORY;
        for (int64_t j = 0; j < table->columns; j++)
            if (j != target && j != weight) index[count++] = j;
        if (!count) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has no column left for features", w->path);
    }
    if (!status && !(out->x = doubles(ctx, table->rows * count))) status = NIGH_MEMORY;
    for (int64_t i = 0; i < table->rows && !status; i++)
        for (int64_t k = 0; k < count; k++) out->x[i * count + k] = table->values[i * table->columns + index[k]];
    out->rows.d = count;
    nigh_free(ctx, index);
    return status;
}

static nigh_status from_table(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, const nigh_table *table, rows_file *out)
{
    int64_t target = -1, weight = -1;
    nigh_status status = NIGH_OK;
    out->rows.n = table->rows;
    if (w->weight) status = one_column(ctx, table, "weight", w->weight, &weight);
    if (!status && w->target) status = one_column(ctx, table, "target", w->target, &target);
    else if (!status && nigh_loss_uses_y(loss)) target = table->columns - 1 - (weight == table->columns - 1);
    if (!status && target >= 0 && nigh_loss_uses_y(loss) && !(out->y = copy_column(ctx, table, target))) status = NIGH_MEMORY;
    if (!status && weight >= 0 && !(out->weight = copy_column(ctx, table, weight))) status = NIGH_MEMORY;
    return status ? status : take_features(ctx, w, table, target, weight, out);
}

static nigh_status from_csv(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    nigh_table table = {0};
    nigh_status status = nigh_csv_read(ctx, w->path, NULL, &table);
    if (status) return status;
    status = from_table(ctx, w, loss, &table, out);
    nigh_table_free(ctx, &table);
    return status;
}

static nigh_status from_npy(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    nigh_array array = {0};
    nigh_status status = nigh_array_read(ctx, w->path, &array);
    if (!status && array.shape.ndim != 2) status = nigh_fail(ctx, NIGH_INVALID, "'%s' is an array of %d dimensions; rows x columns is needed", w->path, array.shape.ndim);
    nigh_table table = {0};
    if (!status) {
        table = (nigh_table){.rows = array.shape.dim[0], .columns = array.shape.dim[1], .values = doubles(ctx, array.shape.dim[0] * array.shape.dim[1])};
        status = table.values ? nigh_array_to_f64(ctx, &array, table.values) : NIGH_MEMORY;
    }
    if (!status) status = from_table(ctx, w, loss, &table, out);
    nigh_free(ctx, table.values);
    nigh_array_free(ctx, &array);
    return status;
}

/* ---- bundles of arrays, libsvm ------------------------------------------------------------------------------ */

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
    bool hdf5 = ends_with(w->path, ".h5") || ends_with(w->path, ".hdf5");
    nigh_status status = hdf5 ? nigh_hdf5_read(ctx, w->path, NULL, &bundle) : ends_with(w->path, ".safetensors") ? nigh_safetensors_read(ctx, w->path, &bundle)
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

static nigh_status from_libsvm(nigh_context *ctx, const rows_words *w, const nigh_loss *loss, rows_file *out)
{
    nigh_libsvm_rows sparse = {0};
    nigh_array dense = {0};
    nigh_status status = nigh_libsvm_read(ctx, w->path, NULL, &sparse);
    if (!status && (w->target || w->features || w->weight)) status = nigh_fail(ctx, NIGH_INVALID, "libsvm files have no columns to choose: --target, --features and --weight do not apply");
    if (!status) status = nigh_libsvm_to_dense(ctx, &sparse, 0, &dense);
    if (!status) {
        out->x = dense.data, out->rows.n = sparse.rows, out->rows.d = dense.shape.dim[1];
        if (nigh_loss_uses_y(loss) && !(out->y = doubles(ctx, sparse.rows))) status = NIGH_MEMORY;
        if (out->y) memcpy(out->y, sparse.label, (size_t)sparse.rows * sizeof *out->y);
    }
    nigh_libsvm_free(ctx, &sparse);
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
    bool bundle = ends_with(p, ".npz") || ends_with(p, ".h5") || ends_with(p, ".hdf5") || ends_with(p, ".safetensors");
    bool svm = ends_with(p, ".libsvm") || ends_with(p, ".svm") || ends_with(p, ".svmlight") || ends_with(p, ".libsvm.gz") || ends_with(p, ".svm.gz");
    nigh_status status = bundle ? from_bundle(ctx, w, loss, &f) : svm ? from_libsvm(ctx, w, loss, &f) : ends_with(p, ".npy") ? from_npy(ctx, w, loss, &f) : from_csv(ctx, w, loss, &f);
    f.rows.x = f.x, f.rows.y = f.y, f.rows.weight = f.weight;
    if (!status && nigh_loss_has_classes(loss)) status = find_classes(ctx, p, &f);
    if (!status) status = nigh_rows_check(ctx, &f.rows, loss);
    if (!status) say_constant(ctx, &f);
    if (!status && w->standardise) status = standardise(ctx, &f);
    if (status) rows_file_free(ctx, &f);
    else *out = f;
    return status;
}
