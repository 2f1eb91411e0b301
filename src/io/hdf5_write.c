/* HDF5 files made in memory by libhdf5 and then written like all others. Declared in nigh/io.h. */
#define H5_USE_110_API
#include "io/stream.h"

#include <string.h>

#ifdef NIGH_HAVE_HDF5
#include <hdf5.h>
#include <pthread.h>

enum { CHUNK_BYTES = 1 << 20 };

static pthread_mutex_t libhdf5 = PTHREAD_MUTEX_INITIALIZER; /* it keeps global state without locks */

/* Why names cannot stand in one HDF5 file; NULL when this one can. */
static const char *refuse_name(const char *name)
{
    if (!nigh_io_is_utf8(name, strlen(name))) return "it is not UTF-8";
    for (const char *part = name;; part++) {
        size_t size = strcspn(part, "/");
        if (size == 0) return "it has an empty part between slashes";
        if (strspn(part, ".") == size) return "a part of it is dots alone";
        part += size;
        if (!*part) return NULL;
    }
}

static nigh_status check(nigh_context *ctx, const nigh_bundle *bundle, int level)
{
    if (level < 0 || level > 9) return nigh_fail(ctx, NIGH_INVALID, "level is %d; 0 (stored) to 9 are allowed", level);
    for (int64_t i = 0; i < bundle->count; i++) {
        const char *name = bundle->items[i].name, *why = refuse_name(name);
        if (why) return nigh_fail(ctx, NIGH_INVALID, "the name '%s' cannot stand in an HDF5 file: %s", NIGH_IO_EXCERPT(name), why);
        nigh_status status = nigh_io_check_array(ctx, &bundle->items[i].array, name);
        if (status) return status;
    }
    return nigh_io_bundle_unique(bundle, NIGH_INVALID, "bundle");
}

/* ---- types ---- */

static hid_t pair_of(hid_t part, size_t size)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * size);
    if (type >= 0 && H5Tinsert(type, "r", 0, part) >= 0 && H5Tinsert(type, "i", size, part) >= 0) return type;
    return -1;
}

static hid_t bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    int8_t no = 0, yes = 1;
    return type >= 0 && H5Tenum_insert(type, "FALSE", &no) >= 0 && H5Tenum_insert(type, "TRUE", &yes) >= 0 ? type : -1;
}

static hid_t half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    bool fine = type >= 0 && H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_precision(type, 16) >= 0 && H5Tset_size(type, 2) >= 0 &&
                H5Tset_ebias(type, 15) >= 0;
    return fine ? type : -1;
}

static hid_t type_of(nigh_dtype dtype)
{
    switch (dtype) {
    case NIGH_F64: return H5Tcopy(H5T_IEEE_F64LE);
    case NIGH_F32: case NIGH_BF16: return H5Tcopy(H5T_IEEE_F32LE);
    case NIGH_F16: return half_type();
    case NIGH_I64: return H5Tcopy(H5T_STD_I64LE);
    case NIGH_I32: return H5Tcopy(H5T_STD_I32LE);
    case NIGH_I16: return H5Tcopy(H5T_STD_I16LE);
    case NIGH_I8: return H5Tcopy(H5T_STD_I8LE);
    case NIGH_U64: return H5Tcopy(H5T_STD_U64LE);
    case NIGH_U32: return H5Tcopy(H5T_STD_U32LE);
    case NIGH_U16: return H5Tcopy(H5T_STD_U16LE);
    case NIGH_U8: return H5Tcopy(H5T_STD_U8LE);
    case NIGH_BOOL: return bool_type();
    case NIGH_C64: return pair_of(H5T_IEEE_F32LE, 4);
    case NIGH_C128: return pair_of(H5T_IEEE_F64LE, 8);
    }
    return -1;
}

/* ---- one data set ---- */

/* Chunks of about CHUNK_BYTES: the trailing dimensions whole as far as they go, then a part of one, then single rows. */
static herr_t set_chunks(hid_t plist, const nigh_shape *shape, int level)
{
    hsize_t chunk[NIGH_MAX_DIMS];
    int64_t room = CHUNK_BYTES / (int64_t)nigh_dtype_size(shape->dtype);
    for (int i = shape->ndim; i-- > 0;) {
        chunk[i] = (hsize_t)(shape->dim[i] < room ? shape->dim[i] : room);
        room /= (int64_t)chunk[i];
        if (room < 1) room = 1;
    }
    return H5Pset_chunk(plist, shape->ndim, chunk) < 0 || H5Pset_shuffle(plist) < 0 || H5Pset_deflate(plist, (unsigned)level) < 0 ? -1 : 0;
}

static bool put_set(hid_t file, const char *name, const nigh_shape *shape, const void *data, hid_t type, int level)
{
    hsize_t dims[NIGH_MAX_DIMS];
    for (int i = 0; i < shape->ndim; i++) dims[i] = (hsize_t)shape->dim[i];
    bool some = nigh_shape_count(shape) > 0;
    hid_t space = shape->ndim ? H5Screate_simple(shape->ndim, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t how = H5Pcreate(H5P_DATASET_CREATE), link = H5Pcreate(H5P_LINK_CREATE), set = -1;
    bool fine = space >= 0 && how >= 0 && link >= 0 && H5Pset_create_intermediate_group(link, 1) >= 0 &&
                H5Pset_char_encoding(link, H5T_CSET_UTF8) >= 0 && H5Pset_obj_track_times(how, false) >= 0 &&
                H5Pset_fill_time(how, H5D_FILL_TIME_NEVER) >= 0;
    if (fine && level && shape->ndim && some) fine = set_chunks(how, shape, level) >= 0;
    if (fine) fine = (set = H5Dcreate2(file, name, type, space, link, how, H5P_DEFAULT)) >= 0;
    if (fine && some) fine = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (set >= 0) fine = H5Dclose(set) >= 0 && fine;
    if (link >= 0) H5Pclose(link);
    if (how >= 0) H5Pclose(how);
    if (space >= 0) H5Sclose(space);
    return fine;
}

static herr_t take_error(unsigned n, const H5E_error2_t *error, void *user)
{
    nigh_io_excerpt *out = user;
    if (n == 0 && error->desc) *out = nigh_io_excerpt_of(error->desc, strlen(error->desc));
    return 0;
}

static nigh_status failed(nigh_context *ctx, const char *what)
{
    nigh_io_excerpt reason = {""};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_error, &reason);
    return nigh_fail(ctx, NIGH_INVALID, "'%s' cannot be put into an HDF5 file: %s", NIGH_IO_EXCERPT(what), reason.text);
}

static nigh_status put_array(nigh_context *ctx, hid_t file, const nigh_named_array *item, int level)
{
    nigh_array wide = {item->array.shape, NULL};
    const void *data = item->array.data;
    if (wide.shape.dtype == NIGH_BF16) {
        wide.shape.dtype = NIGH_F32;
        if (nigh_array_new(ctx, &wide.shape, &wide)) return NIGH_MEMORY;
        int64_t count = nigh_shape_count(&wide.shape);
        for (int64_t k = 0; k < count; k++) nigh_array_set(&wide, k, nigh_array_get(&item->array, k));
        data = wide.data;
    }
    hid_t type = type_of(item->array.shape.dtype);
    bool fine = type >= 0 && put_set(file, item->name, &wide.shape, data, type, level);
    nigh_status status = fine ? NIGH_OK : failed(ctx, item->name);
    if (type >= 0) H5Tclose(type);
    nigh_array_free(ctx, &wide);
    return status;
}

/* ---- the file ---- */

static nigh_status take_image(nigh_context *ctx, hid_t file, nigh_buffer *out)
{
    ssize_t size = H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
    if (size < 0) return failed(ctx, "bundle");
    char *image = nigh_alloc(ctx, (size_t)size);
    if (!image) return NIGH_MEMORY;
    nigh_status status = H5Fget_file_image(file, image, (size_t)size) == size ? nigh_buffer_add(out, image, (size_t)size) : failed(ctx, "bundle");
    nigh_free(ctx, image);
    return status;
}

static nigh_status make_file(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE), file = -1;
    bool fine = access >= 0 && creation >= 0 && H5Pset_fapl_core(access, 1 << 20, 0) >= 0 && H5Pset_obj_track_times(creation, false) >= 0;
    if (fine) file = H5Fcreate("nigh-in-memory", H5F_ACC_TRUNC, creation, access);
    nigh_status status = file >= 0 ? NIGH_OK : failed(ctx, "bundle");
    for (int64_t i = 0; i < bundle->count && !status; i++) {
        status = nigh_poll(ctx);
        if (!status) status = put_array(ctx, file, &bundle->items[i], level);
    }
    if (!status) status = take_image(ctx, file, out);
    if (file >= 0) H5Fclose(file);
    if (access >= 0) H5Pclose(access);
    if (creation >= 0) H5Pclose(creation);
    return status;
}

nigh_status nigh_hdf5_format(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out)
{
    nigh_status status = check(ctx, bundle, level);
    if (status) return status;
    if (!out->ctx) out->ctx = ctx;
    H5E_auto2_t printer;
    void *user;
    pthread_mutex_lock(&libhdf5);
    H5Eget_auto2(H5E_DEFAULT, &printer, &user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* it would print its errors */
    status = make_file(ctx, bundle, level, out);
    H5Eset_auto2(H5E_DEFAULT, printer, user);
    pthread_mutex_unlock(&libhdf5);
    return status;
}
#else
nigh_status nigh_hdf5_format(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "this build has no HDF5; install libhdf5-dev and build again");
}
#endif

nigh_status nigh_hdf5_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle, int level)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_hdf5_format(ctx, bundle, level, &bytes);
    if (!status) status = nigh_io_write_plain(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}
