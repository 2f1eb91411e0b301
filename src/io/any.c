/* An array from a file of any format, told apart by its first bytes and its extension. Declared in nigh/io.h. */
#include "io/stream.h"
#include "core/words.h"

#include <string.h>
#include <unistd.h>

/* The only array of the bundle, or the one of that name, taken out of it. */
static nigh_status take_one(nigh_bundle *bundle, const char *file, const char *name, nigh_array *out)
{
    nigh_context *ctx = bundle->ctx;
    int64_t i = 0;
    if (name) {
        while (i < bundle->count && strcmp(bundle->items[i].name, name) != 0) i++;
        if (i == bundle->count)
            return nigh_fail(ctx, NIGH_INVALID, "'%s' has no array '%s'; the first of its %lld is '%s'", file, name,
                             (long long)bundle->count, bundle->count ? NIGH_IO_EXCERPT(bundle->items[0].name) : "");
    } else if (bundle->count != 1) {
        return nigh_fail(ctx, NIGH_INVALID, "'%s' holds %lld arrays%s%s%s; one is allowed, or %s:NAME to say which", file,
                         (long long)bundle->count, bundle->count ? " ('" : "", bundle->count ? NIGH_IO_EXCERPT(bundle->items[0].name) : "",
                         bundle->count ? "', ...)" : "", file);
    }
    *out = bundle->items[i].array;
    bundle->items[i].array.data = NULL;
    return NIGH_OK;
}

static nigh_status from_csv(nigh_context *ctx, const nigh_buffer *file, const char *source, nigh_array *out)
{
    nigh_table table = {0};
    nigh_status status = nigh_csv_parse(ctx, file->data, file->size, source, NULL, &table);
    if (status) return status;
    *out = (nigh_array){{NIGH_F64, 2, {table.rows, table.columns}}, table.values};
    table.values = NULL;
    nigh_table_free(ctx, &table);
    return NIGH_OK;
}

/* The data set of that name, or the only one. */
static nigh_status from_hdf5(nigh_context *ctx, const char *path, const nigh_buffer *file, const char *name, nigh_array *out)
{
    const char *const wanted[] = {name, NULL};
    const char *source = nigh_io_source_name(path);
    nigh_hdf5_options options = {.names = name ? wanted : NULL};
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = file ? nigh_hdf5_parse(ctx, file->data, file->size, source, &options, &bundle)
                              : nigh_hdf5_read(ctx, path, &options, &bundle);
    if (!status) status = take_one(&bundle, source, name, out);
    nigh_bundle_free(&bundle);
    return status;
}

static bool is_hdf5(const char *path) { return word_ends(path, ".h5") || word_ends(path, ".hdf5") || word_ends(path, ".hdf"); }

/* No text begins with two zero bytes. */
static bool is_idx(const nigh_buffer *file, const char *path)
{
    bool plain = file->size >= 8 && memcmp(file->data, "\0\0", 2) == 0 && file->data[2] >= 8 && file->data[2] <= 14 && file->data[3] > 0;
    return plain || word_ends(path, ".idx") || word_ends(path, "-ubyte") || word_ends(path, "idx.gz") || word_ends(path, "ubyte.gz");
}

static nigh_status from_bytes(nigh_context *ctx, const nigh_buffer *file, const char *path, const char *name, nigh_array *out)
{
    const char *source = nigh_io_source_name(path);
    bool zip = file->size >= 4 && (memcmp(file->data, "PK\3\4", 4) == 0 || memcmp(file->data, "PK\5\6", 4) == 0);
    bool tensors = word_ends(path, ".safetensors");
    bool hdf5 = file->size >= 8 && memcmp(file->data, "\x89HDF\r\n\x1a\n", 8) == 0;
    bool npy = file->size >= 6 && memcmp(file->data, "\x93NUMPY", 6) == 0;
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status;
    if (zip || tensors || word_ends(path, ".npz")) {
        status = tensors ? nigh_safetensors_parse(ctx, file->data, file->size, source, &bundle)
                         : nigh_npz_parse(ctx, file->data, file->size, source, &bundle);
        if (!status) status = take_one(&bundle, source, name, out);
        nigh_bundle_free(&bundle);
        return status;
    }
    if (hdf5 || is_hdf5(path)) return from_hdf5(ctx, path, file, name, out);
    if (name) return nigh_fail(ctx, NIGH_INVALID, "'%s' is no npz, safetensors or HDF5 file and has no array '%s'", source, name);
    if (npy || word_ends(path, ".npy")) return nigh_npy_parse(ctx, file->data, file->size, source, out);
    if (is_idx(file, path)) return nigh_idx_parse(ctx, file->data, file->size, source, out);
    return from_csv(ctx, file, source, out);
}

nigh_status nigh_array_read(nigh_context *ctx, const char *path, nigh_array *out)
{
    nigh_buffer file = {.ctx = ctx};
    char *file_part = NULL;
    const char *colon = strrchr(path, ':'), *name = NULL;
    if (colon && access(path, F_OK) != 0) { /* a file that is really named so comes first */
        file_part = nigh_strdup(ctx, path);
        if (!file_part) return NIGH_MEMORY;
        file_part[colon - path] = 0;
        if (access(file_part, F_OK) == 0 || strcmp(file_part, "-") == 0) {
            path = file_part;
            name = colon + 1;
        }
    }
    bool direct = is_hdf5(path); /* nigh-hdf5 opens it and reads what is wanted only */
    nigh_status status = direct ? from_hdf5(ctx, path, NULL, name, out) : nigh_io_read_all(ctx, path, &file);
    if (!status && !direct) status = from_bytes(ctx, &file, path, name, out);
    nigh_buffer_free(&file);
    nigh_free(ctx, file_part);
    return status;
}
