/*
 * npz: a zip file whose entries are npy files. Zip as in the APPNOTE of PKWARE, read by its central directory only
 * (local headers are checked against it), stored and deflated entries, zip64.
 */
#include "io/gzip.h"
#include "io/stream.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 1 << 22, LOCAL_SIZE = 30, ENTRY_SIZE = 46, END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, DEFLATE_RATIO = 1032 };

static uint32_t get16(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t get32(const unsigned char *p) { return get16(p) | get16(p + 2) << 16; }
static uint64_t get64(const unsigned char *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }

/* ---- reading ---- */

typedef struct archive {
    nigh_context *ctx;
    const char *file;
    const unsigned char *bytes;
    size_t size;
    uint64_t entries, directory, directory_size;
    uint64_t used; /* bytes of the entries so far: overlapping ones would exceed the file */
} archive;

typedef struct entry {
    const char *name;
    size_t name_size;
    unsigned flags, method;
    uint32_t crc;
    uint64_t packed, plain, place;
} entry;

static nigh_status damaged(const archive *a, uint64_t at, const char *what)
{
    return nigh_fail(a->ctx, NIGH_FORMAT, "'%s': byte %llu: %s", a->file, (unsigned long long)at, what);
}

static nigh_status bad_entry(const archive *a, const entry *e, nigh_status status, const char *what)
{
    return nigh_fail(a->ctx, status, "'%s': entry '%s': %s", a->file, nigh_io_excerpt_of(e->name, e->name_size).text, what);
}

static nigh_status find_end64(archive *a, size_t end)
{
    if (end < LOCATOR_SIZE || get32(a->bytes + end - LOCATOR_SIZE) != 0x07064b50) return NIGH_OK;
    uint64_t at = get64(a->bytes + end - LOCATOR_SIZE + 8);
    if (at > end - LOCATOR_SIZE || end - LOCATOR_SIZE - at < END64_SIZE || get32(a->bytes + at) != 0x06064b50)
        return damaged(a, end - LOCATOR_SIZE, "the zip64 record is not where this says");
    const unsigned char *p = a->bytes + at;
    if (get32(p + 16) != 0 || get32(p + 20) != 0)
        return nigh_fail(a->ctx, NIGH_UNSUPPORTED, "'%s' is a part of a zip file in several parts", a->file);
    a->entries = get64(p + 32);
    a->directory_size = get64(p + 40);
    a->directory = get64(p + 48);
    return NIGH_OK;
}

/* The end record is the last 22 bytes before a comment of up to 65535 bytes. */
static nigh_status find_directory(archive *a)
{
    size_t least = a->size > END_SIZE + 65535 ? a->size - END_SIZE - 65535 : 0, end = a->size;
    if (a->size < END_SIZE)
        return nigh_fail(a->ctx, NIGH_FORMAT, "'%s' is no npz (zip) file: it has %zu bytes, the least is %d", a->file, a->size, END_SIZE);
    for (size_t at = a->size - END_SIZE + 1; at-- > least;)
        if (get32(a->bytes + at) == 0x06054b50 && at + END_SIZE + get16(a->bytes + at + 20) == a->size) {
            end = at;
            break;
        }
    if (end == a->size)
        return nigh_fail(a->ctx, NIGH_FORMAT, "'%s' is no npz (zip) file: its directory at the end is missing; is it cut off?", a->file);
    const unsigned char *p = a->bytes + end;
    a->entries = get16(p + 10);
    a->directory_size = get32(p + 12);
    a->directory = get32(p + 16);
    nigh_status status = find_end64(a, end);
    if (status) return status;
    if (get16(p + 4) != 0xffff && (get16(p + 4) != 0 || get16(p + 6) != 0))
        return nigh_fail(a->ctx, NIGH_UNSUPPORTED, "'%s' is a part of a zip file in several parts", a->file);
    if (a->directory > end || a->directory_size > end - a->directory || a->entries > a->directory_size / ENTRY_SIZE)
        return damaged(a, end, "the zip directory does not fit in front of its end record");
    return NIGH_OK;
}

/* Sizes of 32 bits that are all ones stand in the zip64 field, in this order. */
static bool read_extra64(entry *e, const unsigned char *p, size_t size)
{
    uint64_t *wide[3] = {&e->plain, &e->packed, &e->place};
    bool missing = e->plain == UINT32_MAX || e->packed == UINT32_MAX || e->place == UINT32_MAX;
    while (missing && size >= 4) {
        size_t length = get16(p + 2);
        if (length > size - 4) return false;
        if (get16(p) == 1) {
            const unsigned char *value = p + 4;
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != UINT32_MAX) continue;
                if (length < 8) return false;
                *wide[i] = get64(value);
                value += 8;
                length -= 8;
            }
            return true;
        }
        p += 4 + length;
        size -= 4 + length;
    }
    return true;
}

/* The entry at *at of the directory; *at moves on. */
static nigh_status read_entry(const archive *a, uint64_t *at, entry *e)
{
    const unsigned char *p = a->bytes + *at;
    uint64_t room = a->directory + a->directory_size - *at;
    if (room < ENTRY_SIZE || get32(p) != 0x02014b50) return damaged(a, *at, "a zip directory entry should stand here");
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    if (room - ENTRY_SIZE < name + extra + comment) return damaged(a, *at, "this zip directory entry is cut off");
    *e = (entry){.name = (const char *)p + ENTRY_SIZE, .name_size = name, .flags = get16(p + 8), .method = get16(p + 10),
                 .crc = get32(p + 16), .packed = get32(p + 20), .plain = get32(p + 24), .place = get32(p + 42)};
    if (!read_extra64(e, p + ENTRY_SIZE + name, extra)) return bad_entry(a, e, NIGH_FORMAT, "its zip64 field is damaged");
    *at += ENTRY_SIZE + name + extra + comment;
    return NIGH_OK;
}

/* Where the data of the entry is, after its local header. */
static nigh_status locate(archive *a, const entry *e, const unsigned char **data)
{
    if (e->place > a->directory || a->directory - e->place < LOCAL_SIZE || get32(a->bytes + e->place) != 0x04034b50)
        return bad_entry(a, e, NIGH_FORMAT, "its local header is not where the directory says");
    const unsigned char *p = a->bytes + e->place;
    uint64_t head = LOCAL_SIZE + (uint64_t)get16(p + 26) + get16(p + 28), room = a->directory - e->place;
    if (get16(p + 26) != e->name_size || get16(p + 8) != e->method || room < head || memcmp(p + LOCAL_SIZE, e->name, e->name_size) != 0)
        return bad_entry(a, e, NIGH_FORMAT, "its local header disagrees with the directory");
    if (e->packed > room - head) return bad_entry(a, e, NIGH_FORMAT, "its data does not fit in the file");
    a->used += head + e->packed;
    if (a->used > a->directory) return bad_entry(a, e, NIGH_FORMAT, "entries overlap");
    *data = p + head;
    return NIGH_OK;
}

/* Names are never used as paths here, but what is read may be written out again by somebody who does. */
static bool safe_name(const char *name, size_t size)
{
    if (size == 0 || name[0] == '/' || memchr(name, 0, size) || memchr(name, '\\', size)) return false;
    for (size_t start = 0, i = 0; i <= size; i++) {
        if (i < size && name[i] != '/') continue;
        if (i - start == 2 && memcmp(name + start, "..", 2) == 0) return false;
        start = i + 1;
    }
    return true;
}

static uint32_t crc_of(const void *bytes, size_t size) { return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, size); }

static nigh_status unpack(const archive *a, const entry *e, const unsigned char *data, unsigned char *out)
{
    z_stream z = nigh_io_zlib(a->ctx);
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return nigh_fail(a->ctx, NIGH_MEMORY, "'%s': out of memory for zlib", a->file);
    uint64_t in = 0, made = 0;
    nigh_status status = NIGH_OK;
    unsigned char none;
    for (int result = Z_OK; result != Z_STREAM_END && !status;) {
        status = nigh_poll(a->ctx);
        unsigned some = (unsigned)(e->packed - in < STEP ? e->packed - in : STEP);
        unsigned room = (unsigned)(e->plain - made < STEP ? e->plain - made : STEP);
        z.next_in = (unsigned char *)data + in;
        z.avail_in = some;
        z.next_out = room ? out + made : &none; /* the end mark may follow the last byte */
        z.avail_out = room;
        result = inflate(&z, Z_NO_FLUSH);
        in += some - z.avail_in;
        made += room - z.avail_out;
        bool stuck = result == Z_BUF_ERROR || (result == Z_OK && some == z.avail_in && room == z.avail_out);
        if (result == Z_MEM_ERROR)
            status = NIGH_MEMORY;
        else if (stuck || (result != Z_OK && result != Z_STREAM_END))
            status = bad_entry(a, e, NIGH_FORMAT, "its compressed data is damaged");
    }
    inflateEnd(&z);
    if (!status && (made != e->plain || in != e->packed))
        status = bad_entry(a, e, NIGH_FORMAT, "its compressed data is not as long as the directory says");
    return status;
}

static nigh_status parse_npy(const archive *a, const entry *e, const unsigned char *npy, nigh_bundle *bundle)
{
    if (crc_of(npy, (size_t)e->plain) != e->crc) return bad_entry(a, e, NIGH_FORMAT, "its CRC-32 does not match: the data is damaged");
    nigh_array array = {0};
    char *inside = nigh_format(a->ctx, "%s:%s", a->file, nigh_io_excerpt_of(e->name, e->name_size).text);
    if (!inside) return NIGH_MEMORY;
    nigh_status status = nigh_npy_parse(a->ctx, npy, (size_t)e->plain, inside, &array);
    nigh_free(a->ctx, inside);
    if (!status) status = nigh_io_bundle_take(bundle, e->name, e->name_size - 4, &array);
    nigh_array_free(a->ctx, &array);
    return status;
}

static nigh_status add_entry(archive *a, const entry *e, nigh_bundle *bundle)
{
    const unsigned char *data = NULL;
    if (!safe_name(e->name, e->name_size))
        return bad_entry(a, e, NIGH_FORMAT, "names are relative, without '..', backslash and zero bytes");
    if (e->name[e->name_size - 1] == '/' && e->plain == 0) return NIGH_OK;
    if (e->name_size < 5 || memcmp(e->name + e->name_size - 4, ".npy", 4) != 0)
        return bad_entry(a, e, NIGH_FORMAT, "an npz file holds .npy entries only");
    if (e->flags & 1) return bad_entry(a, e, NIGH_UNSUPPORTED, "it is encrypted");
    if (e->method != 0 && e->method != 8)
        return bad_entry(a, e, NIGH_UNSUPPORTED, "its compression is neither 'stored' nor 'deflate'");
    nigh_status status = locate(a, e, &data);
    if (status) return status;
    if (e->method == 0)
        return e->packed == e->plain ? parse_npy(a, e, data, bundle) : bad_entry(a, e, NIGH_FORMAT, "stored, but of two sizes");
    if (e->plain / DEFLATE_RATIO > e->packed) return bad_entry(a, e, NIGH_FORMAT, "no compression is as high as it claims");
    unsigned char *npy = nigh_alloc(a->ctx, (size_t)e->plain);
    if (!npy) return nigh_within(a->ctx, NIGH_MEMORY, "'%s'", a->file);
    status = unpack(a, e, data, npy);
    if (!status) status = parse_npy(a, e, npy, bundle);
    nigh_free(a->ctx, npy);
    return status;
}

nigh_status nigh_npz_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_bundle *out)
{
    archive a = {.ctx = ctx, .file = name, .bytes = bytes, .size = size};
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = find_directory(&a);
    uint64_t at = a.directory;
    for (uint64_t i = 0; i < a.entries && !status; i++) {
        entry e;
        status = nigh_poll(ctx);
        if (!status) status = read_entry(&a, &at, &e);
        if (!status) status = add_entry(&a, &e, &bundle);
    }
    if (!status && at != a.directory + a.directory_size) status = damaged(&a, at, "the zip directory holds more than its entries");
    if (!status) status = nigh_io_bundle_unique(&bundle, NIGH_FORMAT, name);
    if (status)
        nigh_bundle_free(&bundle);
    else
        *out = bundle;
    return status;
}

nigh_status nigh_npz_read(nigh_context *ctx, const char *path, nigh_bundle *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_npz_parse(ctx, file.data, file.size, nigh_io_source_name(path), out);
    nigh_buffer_free(&file);
    return status;
}

/* ---- writing ---- */

typedef struct record {
    unsigned char bytes[96];
    size_t size;
} record;

static void put(record *r, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) r->bytes[r->size++] = (unsigned char)(value >> 8 * i);
}

static uint64_t low32(uint64_t value, bool zip64) { return zip64 ? UINT32_MAX : value; }

/* What local and central header share, from "version needed" to the name's length. 33 is 1980-01-01. */
static void put_common(record *r, const entry *e, bool zip64)
{
    put(r, zip64 ? 45 : 20, 2);
    put(r, e->flags, 2);
    put(r, e->method, 2);
    put(r, 0, 2);
    put(r, 33, 2);
    put(r, e->crc, 4);
    put(r, low32(e->packed, zip64), 4);
    put(r, low32(e->plain, zip64), 4);
    put(r, e->name_size, 2);
}

static nigh_status put_local(nigh_io_sink *sink, const entry *e, bool zip64)
{
    record r = {.size = 0}, extra = {.size = 0};
    put(&r, 0x04034b50, 4);
    put_common(&r, e, zip64);
    if (zip64) put(&extra, 1, 2), put(&extra, 16, 2), put(&extra, e->plain, 8), put(&extra, e->packed, 8);
    put(&r, extra.size, 2);
    nigh_status status = nigh_io_sink_add(sink, r.bytes, r.size);
    if (!status) status = nigh_io_sink_add(sink, e->name, e->name_size);
    return status ? status : nigh_io_sink_add(sink, extra.bytes, extra.size);
}

static nigh_status put_central(nigh_buffer *out, const entry *e, bool zip64)
{
    record r = {.size = 0}, extra = {.size = 0};
    put(&r, 0x02014b50, 4);
    put(&r, 3 << 8 | 45, 2); /* made on Unix: the file mode below counts */
    put_common(&r, e, zip64);
    if (zip64) put(&extra, 1, 2), put(&extra, 24, 2), put(&extra, e->plain, 8), put(&extra, e->packed, 8), put(&extra, e->place, 8);
    put(&r, extra.size, 2);
    put(&r, 0, 6); /* comment, disk, internal attributes */
    put(&r, (uint64_t)0100644 << 16, 4);
    put(&r, low32(e->place, zip64), 4);
    nigh_status status = nigh_buffer_add(out, r.bytes, r.size);
    if (!status) status = nigh_buffer_add(out, e->name, e->name_size);
    return status ? status : nigh_buffer_add(out, extra.bytes, extra.size);
}

static nigh_status put_end(nigh_io_sink *sink, uint64_t entries, uint64_t place, uint64_t size, bool zip64)
{
    record r = {.size = 0};
    zip64 = zip64 || entries >= UINT16_MAX || place >= UINT32_MAX || size >= UINT32_MAX;
    if (zip64) {
        put(&r, 0x06064b50, 4), put(&r, END64_SIZE - 12, 8), put(&r, 3 << 8 | 45, 2), put(&r, 45, 2), put(&r, 0, 8);
        put(&r, entries, 8), put(&r, entries, 8), put(&r, size, 8), put(&r, place, 8);
        put(&r, 0x07064b50, 4), put(&r, 0, 4), put(&r, place + size, 8), put(&r, 1, 4);
    }
    nigh_status status = nigh_io_sink_add(sink, r.bytes, r.size);
    if (status) return status;
    r.size = 0;
    put(&r, 0x06054b50, 4), put(&r, 0, 4);
    put(&r, zip64 ? UINT16_MAX : entries, 2), put(&r, zip64 ? UINT16_MAX : entries, 2);
    put(&r, low32(size, zip64), 4), put(&r, low32(place, zip64), 4), put(&r, 0, 2);
    return nigh_io_sink_add(sink, r.bytes, r.size);
}

/* All of `bytes` deflated into `out`. */
static nigh_status deflate_all(nigh_context *ctx, const nigh_buffer *bytes, int level, nigh_buffer *out)
{
    z_stream z = nigh_io_zlib(ctx);
    if (deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return nigh_fail(ctx, NIGH_MEMORY, "out of memory for zlib");
    nigh_status status = NIGH_OK;
    unsigned char piece[1 << 14];
    size_t at = 0;
    for (int result = Z_OK; result != Z_STREAM_END && !status;) {
        size_t some = bytes->size - at < STEP ? bytes->size - at : STEP;
        z.next_in = (unsigned char *)bytes->data + at;
        z.avail_in = (unsigned)some;
        z.next_out = piece;
        z.avail_out = sizeof piece;
        result = deflate(&z, at + some == bytes->size ? Z_FINISH : Z_NO_FLUSH);
        at += some - z.avail_in;
        status = nigh_buffer_add(out, piece, sizeof piece - z.avail_out);
        if (!status) status = nigh_poll(ctx);
    }
    deflateEnd(&z);
    return status;
}

static nigh_status put_entry(nigh_io_sink *sink, const nigh_named_array *item, int level, bool zip64, nigh_buffer *directory)
{
    nigh_context *ctx = sink->ctx;
    nigh_buffer plain = {.ctx = ctx}, packed = {.ctx = ctx};
    char *name = nigh_format(ctx, "%s.npy", item->name);
    nigh_status status = name ? nigh_npy_format(ctx, &item->array, &plain) : NIGH_MEMORY;
    if (!status && level) status = deflate_all(ctx, &plain, level, &packed);
    if (!status) {
        const nigh_buffer *data = level ? &packed : &plain;
        entry e = {name, strlen(name), 1 << 11, level ? 8 : 0, crc_of(plain.data, plain.size), data->size, plain.size, sink->written};
        bool wide = zip64 || e.packed >= UINT32_MAX || e.plain >= UINT32_MAX || e.place >= UINT32_MAX;
        status = put_local(sink, &e, wide);
        if (!status) status = nigh_io_sink_add(sink, data->data, data->size);
        if (!status) status = put_central(directory, &e, wide);
    }
    nigh_buffer_free(&packed);
    nigh_buffer_free(&plain);
    nigh_free(ctx, name);
    return status;
}

nigh_status nigh_io_npz_put(nigh_io_sink *sink, const nigh_bundle *bundle, int level, bool zip64)
{
    nigh_context *ctx = sink->ctx;
    nigh_buffer directory = {.ctx = ctx};
    if (level < 0 || level > 9) return nigh_fail(ctx, NIGH_INVALID, "compression level is %d; 0 (stored) to 9 is allowed", level);
    nigh_status status = nigh_io_bundle_unique(bundle, NIGH_INVALID, "npz");
    for (int64_t i = 0; i < bundle->count && !status; i++) {
        const char *name = bundle->items[i].name;
        size_t size = strlen(name);
        if (size > UINT16_MAX - 4 || !safe_name(name, size) || !nigh_io_is_utf8(name, size))
            status = nigh_fail(ctx, NIGH_INVALID,
                               "'%s' cannot name an array of an npz file; UTF-8 of at most %d bytes, relative, without '..' and backslash "
                               "is allowed", NIGH_IO_EXCERPT(name), UINT16_MAX - 4);
        else
            status = put_entry(sink, &bundle->items[i], level, zip64, &directory);
    }
    uint64_t place = sink->written;
    if (!status) status = nigh_io_sink_add(sink, directory.data, directory.size);
    if (!status) status = put_end(sink, (uint64_t)bundle->count, place, directory.size, zip64);
    nigh_buffer_free(&directory);
    return status;
}

nigh_status nigh_npz_format(nigh_context *ctx, const nigh_bundle *bundle, int level, nigh_buffer *out)
{
    nigh_io_sink sink = nigh_io_sink_buffer(ctx, out);
    return nigh_io_sink_end(&sink, nigh_io_npz_put(&sink, bundle, level, false));
}

nigh_status nigh_npz_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle, int level)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, nigh_io_npz_put(&sink, bundle, level, false));
}
