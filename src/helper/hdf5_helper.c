/*
 * nigh-hdf5 FILE|- MAX_BYTES skip|all [NAME...]: reads an HDF5 file and sends its data sets to standard output as
 * src/io/hdf5_stream.h says. The library starts it with limits; on its own it is of no use.
 */
#include "helper/hdf5_types.h"
#include "io/hdf5_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 8 << 20 };

typedef struct sender {
    uint64_t left; /* bytes of data that may still be sent */
    bool skip;
    long count;
    hid_t access; /* of data sets: no link into other files */
} sender;

typedef struct name_list {
    char **names;
    size_t count;
    bool too_many;
} name_list;

/* ---- records ---- */

static void put(const void *bytes, size_t size)
{
    if (size && fwrite(bytes, 1, size, stdout) != size) _exit(3);
}

static void put_number(uint64_t value, int bytes)
{
    unsigned char out[8];
    for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> 8 * i);
    put(out, (size_t)bytes);
}

static void put_text(const char *text, size_t most)
{
    size_t size = strlen(text);
    if (size > most) size = most;
    put_number(size, 4);
    put(text, size);
}

_Noreturn static void end(void) { _exit(fflush(stdout) == 0 ? 0 : 3); } /* closing damaged files could crash */

_Noreturn static void give_up(nigh_status status, const char *name, const char *why)
{
    put_number('F', 1);
    put_number((uint64_t)status, 1);
    put_text(name, HDF5_NAME_MOST);
    put_text(why, HDF5_TEXT_MOST);
    end();
}

static herr_t take_error(unsigned n, const H5E_error2_t *error, void *user)
{
    if (n == 0) snprintf(user, HDF5_TEXT_MOST - 64, "%s", error->desc ? error->desc : "");
    return 0;
}

/* With the innermost message of libhdf5. */
_Noreturn static void give_up_hdf5(const char *name, const char *what)
{
    char reason[HDF5_TEXT_MOST - 64] = "", text[HDF5_TEXT_MOST];
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_error, reason);
    snprintf(text, sizeof text, "%s%s%s", what, *reason ? ": " : "", reason);
    give_up(NIGH_FORMAT, name, text);
}

/* ---- one data set ---- */

typedef struct source {
    const char *name;
    hid_t set, space, memory;
    int ndim;
    hsize_t dim[NIGH_MAX_DIMS];
    size_t element;
    uint64_t bytes;
} source;

/* Rows (of the first dimension) to read at once: some megabytes, whole chunks so that each is unpacked once. */
static hsize_t rows_at_once(const source *s, uint64_t row_bytes)
{
    hsize_t chunk[32] = {1}, rows = row_bytes ? PIECE_BYTES / row_bytes : 1;
    hid_t plist = H5Dget_create_plist(s->set);
    if (plist >= 0 && H5Pget_layout(plist) == H5D_CHUNKED) H5Pget_chunk(plist, NIGH_MAX_DIMS, chunk);
    if (plist >= 0) H5Pclose(plist);
    if (chunk[0] == 0) chunk[0] = 1;
    if (chunk[0] > s->dim[0]) chunk[0] = s->dim[0];
    rows = rows / chunk[0] * chunk[0];
    if (rows == 0) rows = chunk[0];
    return rows > s->dim[0] ? s->dim[0] : rows;
}

static void send_all(const source *s)
{
    void *room = malloc(s->bytes ? s->bytes : 1);
    if (!room) give_up(NIGH_MEMORY, s->name, "out of memory");
    if (H5Dread(s->set, s->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, room) < 0) give_up_hdf5(s->name, "cannot be read");
    put(room, s->bytes);
    free(room);
}

static void send_rows(const source *s)
{
    uint64_t row_bytes = s->bytes / s->dim[0];
    hsize_t rows = rows_at_once(s, row_bytes), start[NIGH_MAX_DIMS] = {0}, size[NIGH_MAX_DIMS];
    void *room = malloc(rows * row_bytes);
    if (!room) give_up(NIGH_MEMORY, s->name, "out of memory");
    memcpy(size, s->dim, sizeof size);
    for (; start[0] < s->dim[0]; start[0] += rows) {
        size[0] = s->dim[0] - start[0] < rows ? s->dim[0] - start[0] : rows;
        hid_t piece = H5Screate_simple(s->ndim, size, NULL);
        if (piece < 0 || H5Sselect_hyperslab(s->space, H5S_SELECT_SET, start, NULL, size, NULL) < 0 ||
            H5Dread(s->set, s->memory, piece, s->space, H5P_DEFAULT, room) < 0)
            give_up_hdf5(s->name, "cannot be read");
        H5Sclose(piece);
        put(room, size[0] * row_bytes);
    }
    free(room);
}

/* NULL, or why the layout is not read: what lies in other files could be any file of the user's. */
static const char *refuse_layout(hid_t set)
{
    hid_t plist = H5Dget_create_plist(set);
    if (plist < 0) return "its layout is damaged";
    const char *why = NULL;
    if (H5Pget_layout(plist) == H5D_VIRTUAL)
        why = "virtual data sets (data in other files) are not read";
    else if (H5Pget_external_count(plist) != 0)
        why = "data in external files is not read";
    H5Pclose(plist);
    return why;
}

/* Fills shape and sizes; NULL, or why it is unsupported. */
static const char *measure(source *s, uint64_t left)
{
    H5S_class_t kind = H5Sget_simple_extent_type(s->space);
    if (kind == H5S_NULL) return "it has no elements (null data space)";
    if (kind == H5S_NO_CLASS) give_up_hdf5(s->name, "its data space is damaged");
    s->ndim = H5Sget_simple_extent_ndims(s->space);
    if (s->ndim > NIGH_MAX_DIMS) return "it has more than 8 dimensions";
    if (s->ndim < 0 || H5Sget_simple_extent_dims(s->space, s->dim, NULL) != s->ndim) give_up_hdf5(s->name, "its data space is damaged");
    uint64_t bytes = s->element;
    for (int i = 0; i < s->ndim; i++)
        if (s->dim[i] && bytes > INT64_MAX / s->dim[i]) give_up(NIGH_RESOURCE, s->name, "it claims more than 2^63 bytes");
        else bytes *= s->dim[i];
    if (bytes > left) {
        char text[160];
        snprintf(text, sizeof text, "with its %llu bytes the data is more than the cap that is set (%llu bytes are left of it)",
                 (unsigned long long)bytes, (unsigned long long)left);
        give_up(NIGH_RESOURCE, s->name, text);
    }
    s->bytes = bytes;
    return NULL;
}

static void refuse(const sender *to, const char *name, const char *why)
{
    if (!to->skip) give_up(NIGH_UNSUPPORTED, name, why);
    put_number('S', 1);
    put_text(name, HDF5_NAME_MOST);
    put_text(why, HDF5_TEXT_MOST);
}

static void send_set(sender *to, hid_t file, const char *name)
{
    put_number('B', 1);
    put_text(name, HDF5_NAME_MOST);
    fflush(stdout);
    if (++to->count > HDF5_COUNT_MOST) give_up(NIGH_RESOURCE, name, "more than a million data sets");
    source s = {.name = name, .set = H5Dopen2(file, name, to->access)};
    if (s.set < 0) give_up_hdf5(name, "cannot be opened");
    nigh_dtype dtype = NIGH_F64;
    const char *why = refuse_layout(s.set);
    hid_t type = H5Dget_type(s.set);
    s.memory = -1;
    if (type < 0) give_up_hdf5(name, "its element type cannot be read");
    if (!why) s.memory = types_map(type, &dtype, &why);
    s.space = H5Dget_space(s.set);
    if (s.space < 0) give_up_hdf5(name, "its data space cannot be read");
    if (s.memory >= 0) {
        s.element = H5Tget_size(s.memory);
        why = measure(&s, to->left);
    }
    if (why) {
        refuse(to, name, why);
    } else {
        put_number('D', 1);
        put_text(name, HDF5_NAME_MOST);
        put_number((uint64_t)dtype, 1);
        put_number((uint64_t)s.ndim, 1);
        for (int i = 0; i < s.ndim; i++) put_number(s.dim[i], 8);
        if (s.ndim == 0)
            send_all(&s);
        else if (s.bytes)
            send_rows(&s);
        to->left -= s.bytes;
    }
    if (s.memory >= 0) H5Tclose(s.memory);
    H5Tclose(type);
    H5Sclose(s.space);
    H5Dclose(s.set);
}

/* ---- the file ---- */

static herr_t add_name(hid_t file, const char *name, const H5O_info_t *info, void *user)
{
    name_list *list = user;
    if (info->type != H5O_TYPE_DATASET) return 0;
    if (list->count >= HDF5_COUNT_MOST) return list->too_many = true, 1;
    if ((list->count & (list->count - 1)) == 0) {
        char **names = realloc(list->names, (list->count ? 2 * list->count : 1) * sizeof *names);
        if (!names) give_up(NIGH_MEMORY, "", "out of memory");
        list->names = names;
    }
    list->names[list->count] = strdup(name);
    if (!list->names[list->count++]) give_up(NIGH_MEMORY, "", "out of memory");
    return 0;
}

static name_list all_names(hid_t file)
{
    name_list list = {0};
    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, add_name, &list) < 0) give_up_hdf5("", "its groups cannot be read");
    if (list.too_many) give_up(NIGH_RESOURCE, "", "it has more than a million data sets");
    for (size_t i = 0; i < list.count; i++)
        if (strlen(list.names[i]) > HDF5_NAME_MOST) give_up(NIGH_FORMAT, list.names[i], "its name is longer than 4096 bytes");
    return list;
}

static void check_name(hid_t file, const char *name, hid_t access)
{
    if (H5Oexists_by_name(file, name, access) > 0) return;
    char text[HDF5_TEXT_MOST];
    name_list list = all_names(file);
    snprintf(text, sizeof text, "is not there%s%.200s%s", list.count ? "; the first of its data sets is '" : "; there is none",
             list.count ? list.names[0] : "", list.count ? "'" : "");
    give_up(NIGH_INVALID, name, text);
}

static void *read_input(size_t *size)
{
    size_t room = 1 << 20, used = 0;
    char *bytes = malloc(room);
    for (;;) {
        if (!bytes) give_up(NIGH_MEMORY, "", "out of memory");
        ssize_t got = read(STDIN_FILENO, bytes + used, room - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) give_up(NIGH_IO, "", "standard input cannot be read");
        if (got == 0) break;
        used += (size_t)got;
        if (used == room) bytes = realloc(bytes, room *= 2);
    }
    *size = used;
    return bytes;
}

static hid_t open_file(const char *path)
{
    hid_t how = H5Pcreate(H5P_FILE_ACCESS);
    if (strcmp(path, "-") == 0) {
        size_t size;
        void *bytes = read_input(&size);
        if (H5Pset_fapl_core(how, 1 << 20, 0) < 0 || H5Pset_file_image(how, bytes, size) < 0) give_up_hdf5("", "cannot be opened");
        free(bytes);
    }
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, how);
    if (file < 0) give_up_hdf5("", "cannot be opened as HDF5");
    return file;
}

static herr_t no_other_file(const char *parent, const char *group, const char *child, const char *object, unsigned *flags, hid_t fapl,
                            void *user)
{
    return -1;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("nigh-hdf5 is started by libnigh to read HDF5 files; use `nigh`\n", stderr);
        return 2;
    }
    put(HDF5_MAGIC, HDF5_MAGIC_SIZE);
    fflush(stdout);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0); /* no code from plugin folders */
    sender to = {.left = strtoull(argv[2], NULL, 10), .skip = strcmp(argv[3], "skip") == 0};
    to.access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t links = H5Pcreate(H5P_LINK_ACCESS);
    if (to.access < 0 || links < 0 || H5Pset_elink_cb(to.access, no_other_file, NULL) < 0 || H5Pset_elink_cb(links, no_other_file, NULL) < 0)
        give_up_hdf5("", "libhdf5 does not work");
    hid_t file = open_file(argv[1]);
    if (argc > 4) {
        for (int i = 4; i < argc; i++) {
            check_name(file, argv[i], links);
            send_set(&to, file, argv[i]);
        }
    } else {
        name_list list = all_names(file);
        for (size_t i = 0; i < list.count; i++) send_set(&to, file, list.names[i]);
    }
    put_number('E', 1);
    end();
}
