/*
 * GGUF: "GGUF", u32 version, u64 tensors, u64 keys; keys as name, u32 type, value; tensors as name, u32 dimensions, u64 each, u32 type, u64 offset; then,
 * from the next multiple of general.alignment on, the data. Names and strings have a u64 length in front. After the GGUF specification of the ggml project.
 */
#include "io/gguf.h"
#include "core/file.h"
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_LEAST = 13, TENSOR_LEAST = 33 }; /* bytes of the shortest */

typedef struct cursor {
    nigh_gguf *file;
    uint64_t at;
    uint64_t alignment; /* of the data */
    char within[64];    /* "key 'a': ", for messages about cut files */
} cursor;

static uint64_t left(const cursor *c) { return c->file->size - c->at; }

/* The next bytes, or NULL with a message that says what they would have been. */
static const unsigned char *take(cursor *c, uint64_t bytes, const char *what)
{
    if (bytes > left(c)) {
        nigh_fail(c->file->ctx, NIGH_FORMAT, "'%s': byte %llu: %s%s takes %llu bytes, but %llu are left; the file is cut off or its sizes are wrong",
                  c->file->path, (unsigned long long)c->at, c->within, what, (unsigned long long)bytes, (unsigned long long)left(c));
        return NULL;
    }
    const unsigned char *p = c->file->bytes + c->at;
    c->at += bytes;
    return p;
}

static nigh_status take_number(cursor *c, int bytes, const char *what, uint64_t *value)
{
    const unsigned char *p = take(c, (uint64_t)bytes, what);
    if (!p) return NIGH_FORMAT;
    *value = gguf_word(p, bytes);
    return NIGH_OK;
}

static nigh_status take_name(cursor *c, const char *what, const char **name)
{
    nigh_context *ctx = c->file->ctx;
    uint64_t begin = c->at, size;
    *c->within = 0;
    nigh_status status = take_number(c, 8, what, &size);
    if (status) return status;
    const unsigned char *p = take(c, size, what);
    if (!p) return NIGH_FORMAT;
    if (size < 1 || size > GGUF_MOST_NAME || memchr(p, 0, size))
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: %s has %llu bytes or a zero in it; 1 to %d bytes without are allowed", c->file->path,
                         (unsigned long long)begin, what, (unsigned long long)size, GGUF_MOST_NAME);
    char *copy = nigh_arena_alloc(c->file->arena, size + 1);
    if (!copy) return NIGH_MEMORY;
    memcpy(copy, p, size);
    copy[size] = 0;
    *name = copy;
    return NIGH_OK;
}

/* ---- keys ---- */

static nigh_status skip_strings(cursor *c, int64_t count, const char *label)
{
    const unsigned char *bytes = c->file->bytes;
    uint64_t at = c->at, size = c->file->size;
    for (int64_t i = 0; i < count; i++) {
        uint64_t length = size - at < 8 ? UINT64_MAX : gguf_word(bytes + at, 8);
        if (size - at < 8 || length > size - at - 8)
            return nigh_fail(c->file->ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s': string %lld does not end inside the file", c->file->path, (unsigned long long)at,
                             label, (long long)i);
        at += 8 + length;
    }
    c->at = at;
    return NIGH_OK;
}

static nigh_status take_list(cursor *c, gguf_key *key, const char *label)
{
    nigh_context *ctx = c->file->ctx;
    uint64_t begin = c->at, item, count;
    nigh_status status = take_number(c, 4, "the type of elements", &item);
    if (!status) status = take_number(c, 8, "the length", &count);
    if (status) return status;
    if (item == GGUF_LIST) return nigh_fail(ctx, NIGH_UNSUPPORTED, "'%s': byte %llu: key '%s' is a list of lists", c->file->path, (unsigned long long)begin, label);
    if (item >= GGUF_TYPES)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s' is a list of type %llu; 0 to %d are allowed", c->file->path, (unsigned long long)begin, label,
                         (unsigned long long)item, GGUF_TYPES - 1);
    uint64_t each = item == GGUF_STRING ? 8 : gguf_type_bytes[item];
    if (count > left(c) / each)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s': a list of %llu does not fit into the %llu bytes left", c->file->path,
                         (unsigned long long)begin, label, (unsigned long long)count, (unsigned long long)left(c));
    key->item = (gguf_type)item;
    key->count = (int64_t)count;
    key->at = c->at;
    if (item == GGUF_STRING) return skip_strings(c, key->count, label);
    c->at += count * each;
    return NIGH_OK;
}

static nigh_status take_string(cursor *c, gguf_key *key)
{
    uint64_t size;
    nigh_status status = take_number(c, 8, "the length", &size);
    if (status) return status;
    key->at = c->at;
    const unsigned char *p = take(c, size, "the text");
    if (!p) return NIGH_FORMAT;
    char *copy = nigh_arena_alloc(c->file->arena, size + 1);
    if (!copy) return NIGH_MEMORY;
    if (size) memcpy(copy, p, size);
    copy[size] = 0;
    key->count = (int64_t)size;
    key->wide = copy;
    return NIGH_OK;
}

static nigh_status take_key(cursor *c, gguf_key *key)
{
    nigh_context *ctx = c->file->ctx;
    uint64_t begin = c->at, type;
    nigh_status status = take_name(c, "the name of a key", &key->name);
    if (status) return status;
    nigh_io_excerpt label = nigh_io_excerpt_of(key->name, strlen(key->name));
    snprintf(c->within, sizeof c->within, "key '%s': ", label.text);
    status = take_number(c, 4, "the type", &type);
    if (status) return status;
    if (gguf_index_find(&c->file->key_index, key->name) >= 0)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s' is there twice", c->file->path, (unsigned long long)begin, label.text);
    if (type >= GGUF_TYPES)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s' is of type %llu; 0 to %d are allowed", c->file->path, (unsigned long long)begin, label.text,
                         (unsigned long long)type, GGUF_TYPES - 1);
    key->type = (gguf_type)type;
    key->at = c->at;
    if (type == GGUF_LIST) status = take_list(c, key, label.text);
    else if (type == GGUF_STRING) status = take_string(c, key);
    else {
        const unsigned char *p = take(c, gguf_type_bytes[type], "the value");
        if (!p) status = NIGH_FORMAT;
        else if (type == GGUF_BOOL && *p > 1)
            status = nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: key '%s' is a boolean %d; 0 and 1 are allowed", c->file->path, (unsigned long long)key->at, label.text, *p);
    }
    return status ? status : gguf_index_add(&c->file->key_index, key->name);
}

static nigh_status take_keys(cursor *c, uint64_t count)
{
    nigh_gguf *file = c->file;
    if (count > left(c) / KEY_LEAST)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': byte 16: %llu keys do not fit into %zu bytes", file->path, (unsigned long long)count, file->size);
    nigh_status status = gguf_index_new(file->ctx, (int64_t)count, &file->key_index);
    if (status) return status;
    file->keys = nigh_arena_alloc_zero(file->arena, count, sizeof *file->keys);
    if (!file->keys) return NIGH_MEMORY;
    for (uint64_t i = 0; i < count && !status; i++) status = take_key(c, &file->keys[i]);
    return status;
}

/* ---- tensors ---- */

static nigh_status tensor_size(const cursor *c, nigh_gguf_tensor *t, const char *label)
{
    nigh_context *ctx = c->file->ctx;
    int64_t length = nigh_block_length(t->type), blocks = t->shape[0] / length;
    if (t->shape[0] % length)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': tensor '%s': rows of %lld numbers are no whole blocks of %s, %lld each", c->file->path, label,
                         (long long)t->shape[0], nigh_block_name(t->type), (long long)length);
    bool fits = true;
    for (int d = 1; d < t->ndim && fits; d++) fits = !__builtin_mul_overflow(blocks, t->shape[d], &blocks);
    int64_t bytes;
    if (!fits || __builtin_mul_overflow(blocks, (int64_t)nigh_block_bytes(t->type), &bytes) || (uint64_t)bytes > c->file->size)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': tensor '%s' has more bytes than the file, %zu", c->file->path, label, c->file->size);
    t->bytes = (size_t)bytes;
    return NIGH_OK;
}

static nigh_status take_shape(cursor *c, nigh_gguf_tensor *t, const char *label)
{
    nigh_context *ctx = c->file->ctx;
    uint64_t begin = c->at, ndim, type;
    nigh_status status = take_number(c, 4, "the number of dimensions", &ndim);
    if (status) return status;
    if (ndim < 1 || ndim > 4)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: tensor '%s' has %llu dimensions; 1 to 4 are allowed", c->file->path, (unsigned long long)begin, label,
                         (unsigned long long)ndim);
    t->ndim = (int)ndim;
    for (int d = 0; d < 4; d++) t->shape[d] = 1;
    for (int d = 0; d < t->ndim; d++) {
        uint64_t n;
        status = take_number(c, 8, "a dimension", &n);
        if (status) return status;
        if (n < 1 || n > INT64_MAX)
            return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: tensor '%s': dimension %d is %llu; 1 to %lld are allowed", c->file->path,
                             (unsigned long long)(c->at - 8), label, d + 1, (unsigned long long)n, (long long)INT64_MAX);
        t->shape[d] = (int64_t)n;
    }
    status = take_number(c, 4, "the type", &type);
    if (status) return status;
    if (type > INT32_MAX || !nigh_block_known((int)type))
        return nigh_fail(ctx, NIGH_UNSUPPORTED,
                         "'%s': tensor '%s' is of type %llu; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K and IQ4_NL are read", c->file->path, label,
                         (unsigned long long)type);
    t->type = (nigh_block_type)type;
    return tensor_size(c, t, label);
}

static nigh_status take_tensor(cursor *c, nigh_gguf_tensor *t, uint64_t *offset)
{
    nigh_context *ctx = c->file->ctx;
    uint64_t begin = c->at;
    nigh_status status = take_name(c, "the name of a tensor", &t->name);
    if (status) return status;
    nigh_io_excerpt label = nigh_io_excerpt_of(t->name, strlen(t->name));
    snprintf(c->within, sizeof c->within, "tensor '%s': ", label.text);
    if (gguf_index_find(&c->file->tensor_index, t->name) >= 0)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %llu: tensor '%s' is there twice", c->file->path, (unsigned long long)begin, label.text);
    status = take_shape(c, t, label.text);
    if (!status) status = take_number(c, 8, "the offset", offset);
    if (status) return status;
    if (*offset % c->alignment)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': tensor '%s' stands at %llu of the data; multiples of %llu are allowed", c->file->path, label.text,
                         (unsigned long long)*offset, (unsigned long long)c->alignment);
    return gguf_index_add(&c->file->tensor_index, t->name);
}

/* Offsets of the data become pointers, those that lie outside are refused. */
static nigh_status place_tensors(const cursor *c, const uint64_t *offset)
{
    const nigh_gguf *file = c->file;
    uint64_t start = (c->at + c->alignment - 1) / c->alignment * c->alignment;
    for (int64_t i = 0; i < file->tensor_index.count; i++) {
        nigh_gguf_tensor *t = &file->tensors[i];
        if (start > file->size || offset[i] > file->size - start || t->bytes > file->size - start - offset[i])
            return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': tensor '%s': %zu bytes from byte %llu of the data (that begins at %llu) do not lie inside the file, %zu bytes",
                             file->path, NIGH_IO_EXCERPT(t->name), t->bytes, (unsigned long long)offset[i], (unsigned long long)start, file->size);
        t->data = file->bytes + start + offset[i];
    }
    return NIGH_OK;
}

static int by_place(const void *a, const void *b)
{
    const nigh_gguf_tensor *x = *(nigh_gguf_tensor *const *)a, *y = *(nigh_gguf_tensor *const *)b;
    return (x->data > y->data) - (x->data < y->data);
}

static nigh_status check_overlap(const nigh_gguf *file)
{
    int64_t n = file->tensor_index.count;
    nigh_gguf_tensor **order = nigh_alloc(file->ctx, (size_t)(n + 1) * sizeof *order);
    if (!order) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) order[i] = &file->tensors[i];
    if (n) qsort(order, (size_t)n, sizeof *order, by_place);
    nigh_status status = NIGH_OK;
    for (int64_t i = 1; i < n && !status; i++) {
        const nigh_gguf_tensor *a = order[i - 1], *b = order[i];
        if ((const unsigned char *)a->data + a->bytes > (const unsigned char *)b->data)
            status = nigh_fail(file->ctx, NIGH_FORMAT, "'%s': tensors '%s' and '%s' overlap", file->path, NIGH_IO_EXCERPT(a->name), NIGH_IO_EXCERPT(b->name));
    }
    nigh_free(file->ctx, order);
    return status;
}

static nigh_status take_tensors(cursor *c, uint64_t count)
{
    nigh_gguf *file = c->file;
    if (count > left(c) / TENSOR_LEAST)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': byte 8: %llu tensors do not fit into %zu bytes", file->path, (unsigned long long)count, file->size);
    nigh_status status = gguf_index_new(file->ctx, (int64_t)count, &file->tensor_index);
    if (status) return status;
    uint64_t *offset = nigh_alloc_zero(file->ctx, count + 1, sizeof *offset);
    file->tensors = nigh_arena_alloc_zero(file->arena, count, sizeof *file->tensors);
    if (!file->tensors || !offset) status = NIGH_MEMORY;
    for (uint64_t i = 0; i < count && !status; i++) status = take_tensor(c, &file->tensors[i], &offset[i]);
    if (!status) status = place_tensors(c, offset);
    nigh_free(file->ctx, offset);
    return status ? status : check_overlap(file);
}

/* ---- the file ---- */

static nigh_status take_header(cursor *c, uint64_t *tensors, uint64_t *keys)
{
    const nigh_gguf *file = c->file;
    if (file->size < 8 || memcmp(file->bytes, "GGUF", 4) != 0)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s' is no GGUF file: it begins with '%s', not with 'GGUF' and a version", file->path,
                         nigh_io_excerpt_of(file->bytes, file->size < 8 ? file->size : 8).text);
    uint64_t version;
    c->at = 4;
    nigh_status status = take_number(c, 4, "the version", &version);
    if (status) return status;
    if (version && !(version & 0xffff))
        return nigh_fail(file->ctx, NIGH_UNSUPPORTED, "'%s' is a big-endian GGUF file; little-endian ones are read", file->path);
    if (version != 2 && version != 3)
        return nigh_fail(file->ctx, NIGH_UNSUPPORTED, "'%s' is GGUF version %llu; 2 and 3 are read", file->path, (unsigned long long)version);
    status = take_number(c, 8, "the number of tensors", tensors);
    return status ? status : take_number(c, 8, "the number of keys", keys);
}

static nigh_status take_alignment(cursor *c)
{
    int64_t value = GGUF_ALIGNMENT;
    nigh_status status = nigh_gguf_integer(c->file, "general.alignment", false, 8, 1 << 30, &value);
    if (status) return status;
    if (value & (value - 1))
        return nigh_fail(c->file->ctx, NIGH_FORMAT, "'%s': key 'general.alignment' is %lld; a power of 2 is allowed", c->file->path, (long long)value);
    c->alignment = (uint64_t)value;
    return NIGH_OK;
}

static nigh_status read_file(nigh_gguf *file)
{
    cursor c = {.file = file};
    uint64_t tensors, keys;
    nigh_status status = take_header(&c, &tensors, &keys);
    if (!status) status = take_keys(&c, keys);
    if (!status) status = take_alignment(&c);
    return status ? status : take_tensors(&c, tensors);
}

static nigh_status begin(nigh_context *ctx, const char *path, nigh_gguf **out)
{
    nigh_gguf *file = nigh_alloc_zero(ctx, 1, sizeof *file);
    if (!file) return NIGH_MEMORY;
    file->ctx = ctx;
    nigh_status status = nigh_arena_new(ctx, &file->arena);
    if (!status && !(file->path = nigh_arena_strdup(file->arena, path))) status = NIGH_MEMORY;
    if (status) nigh_gguf_close(file);
    else *out = file;
    return status;
}

/* The file, or nothing when it could not be read. */
static nigh_status end(nigh_gguf *file, nigh_status status, nigh_gguf **out)
{
    if (!status) status = read_file(file);
    if (status) nigh_gguf_close(file);
    else *out = file;
    return status;
}

nigh_status nigh_gguf_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_gguf **out)
{
    nigh_gguf *file = NULL;
    nigh_status status = begin(ctx, name, &file);
    if (status) return status;
    file->bytes = bytes;
    file->size = size;
    return end(file, NIGH_OK, out);
}

nigh_status gguf_map(nigh_gguf *file, const char *path, const unsigned char **bytes, size_t *size)
{
    nigh_context *ctx = file->ctx;
    struct stat about;
    gguf_mapping *m = nigh_arena_alloc(file->arena, sizeof *m);
    if (!m) return NIGH_MEMORY;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nigh_file_fail(ctx, "open", path, errno);
    nigh_status status = NIGH_OK;
    void *at = MAP_FAILED;
    if (fstat(fd, &about) < 0) status = nigh_file_fail(ctx, "read", path, errno);
    else if (!S_ISREG(about.st_mode)) status = nigh_fail(ctx, NIGH_IO, "cannot map '%s': it is no regular file", path);
    else if (about.st_size == 0) status = nigh_fail(ctx, NIGH_FORMAT, "'%s' is empty", path);
    else if ((at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) status = nigh_file_fail(ctx, "map", path, errno);
    close(fd);
    if (status) return status;
    *m = (gguf_mapping){file->mappings, at, (size_t)about.st_size};
    file->mappings = m;
    *bytes = m->bytes;
    *size = m->size;
    return NIGH_OK;
}

nigh_status nigh_gguf_open(nigh_context *ctx, const char *path, nigh_gguf **out)
{
    nigh_gguf *file = NULL;
    nigh_status status = begin(ctx, path, &file);
    return status ? status : end(file, gguf_map(file, path, &file->bytes, &file->size), out);
}

nigh_status gguf_from_keys(nigh_context *ctx, nigh_gguf_writer *keys, const char *path, nigh_gguf **out)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_gguf *file = NULL;
    nigh_status status = nigh_gguf_format(keys, &bytes);
    if (!status) status = nigh_gguf_parse(ctx, bytes.data, bytes.size, path, &file);
    if (status) {
        nigh_buffer_free(&bytes);
        return status;
    }
    file->owned = bytes.data;
    *out = file;
    return NIGH_OK;
}

nigh_status gguf_add(nigh_gguf *file, const nigh_gguf_tensor *tensor)
{
    int64_t n = file->tensor_index.count;
    if (gguf_index_find(&file->tensor_index, tensor->name) >= 0)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': tensor '%s' is there twice", file->path, NIGH_IO_EXCERPT(tensor->name));
    if (n >= file->tensor_room) {
        int64_t room = 2 * n + 64;
        nigh_gguf_tensor *more = nigh_arena_alloc(file->arena, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        if (n) memcpy(more, file->tensors, (size_t)n * sizeof *more);
        file->tensors = more;
        file->tensor_room = room;
    }
    nigh_gguf_tensor t = *tensor;
    t.name = nigh_arena_strdup(file->arena, tensor->name);
    if (!t.name) return NIGH_MEMORY;
    file->tensors[n] = t;
    return gguf_index_add(&file->tensor_index, t.name);
}

void nigh_gguf_close(nigh_gguf *file)
{
    if (!file) return;
    for (const gguf_mapping *m = file->mappings; m; m = m->next) munmap(m->bytes, m->size);
    gguf_index_free(&file->key_index);
    gguf_index_free(&file->tensor_index);
    nigh_arena_free(file->arena);
    nigh_free(file->ctx, file->owned);
    nigh_free(file->ctx, file);
}

const char *nigh_gguf_path(const nigh_gguf *file) { return file->path; }
int64_t nigh_gguf_tensor_count(const nigh_gguf *file) { return file->tensor_index.count; }
const nigh_gguf_tensor *nigh_gguf_tensor_at(const nigh_gguf *file, int64_t i) { return &file->tensors[i]; }

const nigh_gguf_tensor *nigh_gguf_find(const nigh_gguf *file, const char *name)
{
    int64_t i = gguf_index_find(&file->tensor_index, name);
    return i < 0 ? NULL : &file->tensors[i];
}

void nigh_gguf_release(const nigh_gguf *file, const nigh_gguf_tensor *tensor)
{
    long page = sysconf(_SC_PAGESIZE);
    const gguf_mapping *m = file->mappings;
    uintptr_t first = (uintptr_t)tensor->data, last = first + tensor->bytes, mask = (uintptr_t)page - 1;
    while (m && !(first >= (uintptr_t)m->bytes && last <= (uintptr_t)m->bytes + m->size)) m = m->next;
    if (!m || page <= 0) return; /* memory that is no file's would be lost */
    first = (first + mask) & ~mask, last &= ~mask;
    if (last > first) madvise((void *)first, last - first, MADV_DONTNEED);
}
