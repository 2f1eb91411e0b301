/* The receiving end of what nigh-hdf5 sends. The program may have been taken over by the file it read: believe nothing. */
#include "io/hdf5_stream.h"

#include "io/stream.h"

#include <string.h>

typedef struct reader {
    nigh_context *ctx;
    const char *source;
    const unsigned char *at, *end;
    const unsigned char *begin;
    uint64_t left; /* bytes of data that may still come */
    const char *const *wanted;
} reader;

typedef struct text {
    const char *bytes;
    size_t size;
} text;

static bool take_number(reader *r, int bytes, uint64_t *out)
{
    if (r->end - r->at < bytes) return false;
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)r->at[i] << 8 * i;
    r->at += bytes;
    *out = value;
    return true;
}

static bool take_text(reader *r, size_t most, text *out)
{
    uint64_t size;
    if (!take_number(r, 4, &size) || size > most || (uint64_t)(r->end - r->at) < size) return false;
    *out = (text){(const char *)r->at, (size_t)size};
    r->at += size;
    return true;
}

static nigh_status damaged(const reader *r, const char *what)
{
    return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': what nigh-hdf5 sent is wrong at byte %lld: %s", r->source,
                     (long long)(r->at - r->begin), what);
}

static const char *shown(text t, nigh_io_excerpt *room)
{
    *room = nigh_io_excerpt_of(t.bytes, t.size);
    return room->text;
}

/* A text of several lines or with control letters would obey a terminal: printable ASCII and UTF-8 only. */
static void copy_words(text t, char out[HDF5_TEXT_MOST + 1])
{
    bool letters = nigh_io_is_utf8(t.bytes, t.size);
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.bytes[i];
        out[i] = (char)(c < 32 || c == 127 || (c >= 128 && !letters) ? '?' : c);
    }
    out[t.size] = 0;
}

/* ---- records ---- */

static bool is_wanted(const reader *r, text name)
{
    if (!r->wanted) return true;
    for (const char *const *w = r->wanted; *w; w++)
        if (strlen(*w) == name.size && memcmp(*w, name.bytes, name.size) == 0) return true;
    return false;
}

static nigh_status take_shape(reader *r, nigh_shape *shape, size_t *bytes)
{
    uint64_t dtype, ndim, dim;
    if (!take_number(r, 1, &dtype) || !take_number(r, 1, &ndim)) return damaged(r, "a data set without its type");
    if (dtype > NIGH_C128) return damaged(r, "an element type that does not exist");
    if (ndim > NIGH_MAX_DIMS) return damaged(r, "too many dimensions");
    *shape = (nigh_shape){.dtype = (nigh_dtype)dtype, .ndim = (int)ndim};
    for (int i = 0; i < (int)ndim; i++) {
        if (!take_number(r, 8, &dim)) return damaged(r, "a dimension is missing");
        if (dim > INT64_MAX) return damaged(r, "a dimension is too large");
        shape->dim[i] = (int64_t)dim;
    }
    int64_t count = nigh_shape_count(shape);
    if (count < 0) return damaged(r, "a shape of uncountable size");
    uint64_t size = (uint64_t)count * nigh_dtype_size(shape->dtype);
    if (size > r->left)
        return nigh_fail(r->ctx, NIGH_RESOURCE, "'%s' holds more data than the cap that is set; read single data sets or raise it", r->source);
    if (size > (uint64_t)(r->end - r->at)) return damaged(r, "the data of a data set is cut off");
    r->left -= size;
    *bytes = (size_t)size;
    return NIGH_OK;
}

static nigh_status take_array(reader *r, nigh_bundle *bundle)
{
    text name;
    nigh_array array = {0};
    size_t bytes = 0;
    nigh_io_excerpt room;
    if (!take_text(r, HDF5_NAME_MOST, &name) || name.size == 0) return damaged(r, "a data set needs a name of 1 to 4096 bytes");
    if (memchr(name.bytes, 0, name.size) || !nigh_io_is_utf8(name.bytes, name.size))
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': the name '%s' is not UTF-8", r->source, shown(name, &room));
    if (!is_wanted(r, name)) return damaged(r, "a data set that nobody asked for");
    if (bundle->count >= HDF5_COUNT_MOST) return damaged(r, "more than a million data sets");
    nigh_status status = take_shape(r, &array.shape, &bytes);
    if (status) return status;
    array.data = nigh_alloc(r->ctx, bytes);
    if (!array.data) return nigh_within(r->ctx, NIGH_MEMORY, "'%s'", r->source);
    if (bytes) memcpy(array.data, r->at, bytes);
    r->at += bytes;
    if (array.shape.dtype == NIGH_BOOL)
        for (size_t i = 0; i < bytes; i++) ((uint8_t *)array.data)[i] = ((uint8_t *)array.data)[i] != 0;
    status = nigh_io_bundle_take(bundle, name.bytes, name.size, &array);
    nigh_array_free(r->ctx, &array);
    return status;
}

static nigh_status take_failure(reader *r)
{
    uint64_t status;
    text name, why;
    nigh_io_excerpt room;
    char words[HDF5_TEXT_MOST + 1];
    if (!take_number(r, 1, &status) || !take_text(r, HDF5_NAME_MOST, &name) || !take_text(r, HDF5_TEXT_MOST, &why))
        return damaged(r, "a failure that is cut off");
    if (status != NIGH_INVALID && status != NIGH_FORMAT && status != NIGH_IO && status != NIGH_UNSUPPORTED && status != NIGH_MEMORY &&
        status != NIGH_RESOURCE)
        return damaged(r, "a failure of unknown kind");
    copy_words(why, words);
    if (name.size) return nigh_fail(r->ctx, (nigh_status)status, "'%s': data set '%s': %s", r->source, shown(name, &room), words);
    return nigh_fail(r->ctx, (nigh_status)status, "'%s': %s", r->source, words);
}

static nigh_status take_skipped(reader *r)
{
    text name, why;
    nigh_io_excerpt room;
    char words[HDF5_TEXT_MOST + 1];
    if (!take_text(r, HDF5_NAME_MOST, &name) || !take_text(r, HDF5_TEXT_MOST, &why)) return damaged(r, "a skipped data set that is cut off");
    copy_words(why, words);
    nigh_log(r->ctx, NIGH_LOG_NOTE, "'%s': data set '%s' is left out: %s", r->source, shown(name, &room), words);
    return NIGH_OK;
}

static nigh_status take_records(reader *r, nigh_bundle *bundle)
{
    for (;;) {
        uint64_t kind;
        text name;
        nigh_status status = nigh_poll(r->ctx);
        if (status) return status;
        if (!take_number(r, 1, &kind)) return damaged(r, "it ends without an end mark");
        if (kind == 'E') return r->at == r->end ? NIGH_OK : damaged(r, "something follows its end");
        if (kind == 'F') return take_failure(r);
        if (kind == 'B')
            status = take_text(r, HDF5_NAME_MOST, &name) ? NIGH_OK : damaged(r, "a name is cut off");
        else if (kind == 'D')
            status = take_array(r, bundle);
        else if (kind == 'S')
            status = take_skipped(r);
        else
            status = damaged(r, "no such record");
        if (status) return status;
    }
}

static nigh_status check_wanted(const reader *r, const nigh_bundle *bundle)
{
    for (const char *const *w = r->wanted; w && *w; w++)
        if (!nigh_bundle_find(bundle, *w)) return damaged(r, "a wanted data set is missing");
    return NIGH_OK;
}

static bool begins_right(const void *bytes, size_t size)
{
    return size >= HDF5_MAGIC_SIZE && memcmp(bytes, HDF5_MAGIC, HDF5_MAGIC_SIZE) == 0;
}

nigh_status hdf5_stream_parse(nigh_context *ctx, const void *bytes, size_t size, const char *source, uint64_t most,
                              const char *const *wanted, nigh_bundle *out)
{
    const unsigned char *begin = bytes;
    nigh_bundle bundle = {.ctx = ctx};
    if (!begins_right(bytes, size))
        return nigh_fail(ctx, NIGH_FAILED, "'%s': the program nigh-hdf5 that was found is not the one of this library", source);
    reader r = {ctx, source, begin + HDF5_MAGIC_SIZE, begin + size, begin, most, wanted};
    nigh_status status = take_records(&r, &bundle);
    if (!status) status = check_wanted(&r, &bundle);
    if (!status) status = nigh_io_bundle_unique(&bundle, NIGH_FORMAT, source);
    if (status)
        nigh_bundle_free(&bundle);
    else
        *out = bundle;
    return status;
}

/* Steps over one record; false at the end, a cut or nonsense. */
static bool skip_record(reader *r, const char **last, size_t *length)
{
    uint64_t kind, dtype, ndim, dim;
    text name, why;
    if (!take_number(r, 1, &kind) || (kind != 'B' && kind != 'D' && kind != 'S')) return false;
    if (!take_text(r, HDF5_NAME_MOST, &name)) return false;
    if (kind == 'B') {
        *last = name.bytes;
        *length = name.size;
        return true;
    }
    if (kind == 'S') return take_text(r, HDF5_TEXT_MOST, &why);
    if (!take_number(r, 1, &dtype) || !take_number(r, 1, &ndim) || dtype > NIGH_C128 || ndim > NIGH_MAX_DIMS) return false;
    nigh_shape shape = {.dtype = (nigh_dtype)dtype, .ndim = (int)ndim};
    for (int i = 0; i < (int)ndim; i++) {
        if (!take_number(r, 8, &dim) || dim > INT64_MAX) return false;
        shape.dim[i] = (int64_t)dim;
    }
    int64_t count = nigh_shape_count(&shape);
    if (count < 0 || (uint64_t)count > (uint64_t)(r->end - r->at) / nigh_dtype_size(shape.dtype)) return false;
    r->at += (uint64_t)count * nigh_dtype_size(shape.dtype);
    return true;
}

const char *hdf5_stream_last(const void *bytes, size_t size, size_t *length)
{
    const char *last = NULL;
    const unsigned char *begin = bytes;
    if (!begins_right(bytes, size)) return NULL;
    reader r = {.at = begin + HDF5_MAGIC_SIZE, .end = begin + size, .begin = begin};
    while (skip_record(&r, &last, length)) {}
    return last;
}
