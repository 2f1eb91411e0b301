/* GGUF files, version 3, data aligned to 32 bytes. Declared in nigh/gguf.h. */
#include "io/gguf.h"
#include "io/stream.h"

#include <math.h>
#include <string.h>

struct nigh_gguf_writer {
    nigh_context *ctx;
    nigh_arena *arena; /* names, data */
    nigh_buffer keys;  /* as in the file */
    nigh_gguf_tensor *tensors;
    int64_t room;
    gguf_index key_index, tensor_index;
};

nigh_status nigh_gguf_writer_new(nigh_context *ctx, nigh_gguf_writer **out)
{
    nigh_gguf_writer *w = nigh_alloc_zero(ctx, 1, sizeof *w);
    if (!w) return NIGH_MEMORY;
    *w = (nigh_gguf_writer){.ctx = ctx, .keys = {.ctx = ctx}};
    nigh_status status = nigh_arena_new(ctx, &w->arena);
    if (!status) status = gguf_index_new(ctx, 64, &w->key_index);
    if (!status) status = gguf_index_new(ctx, 64, &w->tensor_index);
    if (status) nigh_gguf_writer_free(w);
    else *out = w;
    return status;
}

void nigh_gguf_writer_free(nigh_gguf_writer *w)
{
    if (!w) return;
    nigh_buffer_free(&w->keys);
    gguf_index_free(&w->key_index);
    gguf_index_free(&w->tensor_index);
    nigh_arena_free(w->arena);
    nigh_free(w->ctx, w->tensors);
    nigh_free(w->ctx, w);
}

/* ---- keys ---- */

static nigh_status put_number(nigh_buffer *b, uint64_t value, size_t bytes) { return nigh_buffer_add(b, &value, bytes); }

static nigh_status put_string(nigh_buffer *b, const char *bytes, size_t size)
{
    nigh_status status = put_number(b, size, 8);
    return status || !size ? status : nigh_buffer_add(b, bytes, size);
}

static nigh_status check_name(nigh_context *ctx, const gguf_index *index, const char *what, const char *name)
{
    size_t size = strlen(name);
    if (size < 1 || size > GGUF_MOST_NAME) return nigh_fail(ctx, NIGH_INVALID, "the name of a %s has %zu bytes; 1 to %d are allowed", what, size, GGUF_MOST_NAME);
    if (gguf_index_find(index, name) >= 0) return nigh_fail(ctx, NIGH_INVALID, "%s '%s' was put already", what, name);
    return NIGH_OK;
}

/* Ends a key that began when the keys had `before` bytes: it is counted, or taken back. */
static nigh_status end_key(nigh_gguf_writer *w, const char *key, size_t before, nigh_status status)
{
    char *name = status ? NULL : nigh_arena_strdup(w->arena, key);
    if (!status) status = name ? gguf_index_add(&w->key_index, name) : NIGH_MEMORY;
    if (status) w->keys.size = before;
    return status;
}

static nigh_status begin_key(nigh_gguf_writer *w, const char *key, gguf_type type)
{
    nigh_status status = put_string(&w->keys, key, strlen(key));
    return status ? status : put_number(&w->keys, type, 4);
}

static nigh_status put_plain(nigh_gguf_writer *w, const char *key, gguf_type type, const void *value)
{
    size_t before = w->keys.size;
    nigh_status status = check_name(w->ctx, &w->key_index, "key", key);
    if (status) return status;
    status = begin_key(w, key, type);
    if (!status) status = nigh_buffer_add(&w->keys, value, gguf_type_bytes[type]);
    return end_key(w, key, before, status);
}

nigh_status nigh_gguf_put_integer(nigh_gguf_writer *w, const char *key, int64_t value)
{
    if (strcmp(key, "general.alignment") == 0 && value != GGUF_ALIGNMENT)
        return nigh_fail(w->ctx, NIGH_INVALID, "general.alignment is %lld; %d is what is written", (long long)value, GGUF_ALIGNMENT);
    gguf_type type = value >= 0 && value <= UINT32_MAX ? GGUF_U32 : value < 0 && value >= INT32_MIN ? GGUF_I32 : GGUF_I64;
    return put_plain(w, key, type, &value);
}

nigh_status nigh_gguf_put_real(nigh_gguf_writer *w, const char *key, double value)
{
    float single = (float)value;
    if (isfinite(value) && !isfinite(single)) return nigh_fail(w->ctx, NIGH_INVALID, "key '%s' is %g, which is beyond f32", key, value);
    return put_plain(w, key, GGUF_F32, &single);
}

nigh_status nigh_gguf_put_bool(nigh_gguf_writer *w, const char *key, bool value)
{
    unsigned char byte = value;
    return put_plain(w, key, GGUF_BOOL, &byte);
}

nigh_status nigh_gguf_put_text(nigh_gguf_writer *w, const char *key, const char *text)
{
    size_t before = w->keys.size;
    nigh_status status = check_name(w->ctx, &w->key_index, "key", key);
    if (status) return status;
    status = begin_key(w, key, GGUF_STRING);
    if (!status) status = put_string(&w->keys, text, strlen(text));
    return end_key(w, key, before, status);
}

static nigh_status begin_list(nigh_gguf_writer *w, const char *key, gguf_type item, int64_t count)
{
    nigh_status status = begin_key(w, key, GGUF_LIST);
    if (!status) status = put_number(&w->keys, item, 4);
    return status ? status : put_number(&w->keys, (uint64_t)count, 8);
}

static nigh_status check_list(nigh_gguf_writer *w, const char *key, int64_t count)
{
    nigh_status status = check_name(w->ctx, &w->key_index, "key", key);
    if (!status && count < 0) status = nigh_fail(w->ctx, NIGH_INVALID, "key '%s': a list of %lld; 0 or more is allowed", key, (long long)count);
    return status;
}

nigh_status nigh_gguf_put_texts(nigh_gguf_writer *w, const char *key, const nigh_gguf_string *texts, int64_t count)
{
    size_t before = w->keys.size;
    nigh_status status = check_list(w, key, count);
    if (status) return status;
    status = begin_list(w, key, GGUF_STRING, count);
    for (int64_t i = 0; i < count && !status; i++) status = put_string(&w->keys, texts[i].bytes, texts[i].size);
    return end_key(w, key, before, status);
}

static nigh_status put_list(nigh_gguf_writer *w, const char *key, gguf_type item, const void *values, int64_t count)
{
    size_t before = w->keys.size;
    nigh_status status = check_list(w, key, count);
    if (status) return status;
    status = begin_list(w, key, item, count);
    if (!status && count) status = nigh_buffer_add(&w->keys, values, (size_t)count * gguf_type_bytes[item]);
    return end_key(w, key, before, status);
}

nigh_status nigh_gguf_put_integers(nigh_gguf_writer *w, const char *key, const int32_t *values, int64_t count) { return put_list(w, key, GGUF_I32, values, count); }
nigh_status nigh_gguf_put_reals(nigh_gguf_writer *w, const char *key, const float *values, int64_t count) { return put_list(w, key, GGUF_F32, values, count); }

/* ---- tensors ---- */

static nigh_status check_tensor(nigh_gguf_writer *w, const char *name, nigh_block_type type, int ndim, const int64_t *shape, size_t *bytes)
{
    nigh_status status = check_name(w->ctx, &w->tensor_index, "tensor", name);
    if (status) return status;
    if (!nigh_block_known((int)type)) return nigh_fail(w->ctx, NIGH_INVALID, "tensor '%s' is of type %d, which is not known", name, (int)type);
    if (ndim < 1 || ndim > 4) return nigh_fail(w->ctx, NIGH_INVALID, "tensor '%s' has %d dimensions; 1 to 4 are allowed", name, ndim);
    int64_t length = nigh_block_length(type), size = (int64_t)nigh_block_bytes(type);
    for (int d = 0; d < ndim; d++) {
        int64_t n = d ? shape[d] : shape[0] / length;
        if (shape[d] < 1 || (d == 0 && shape[0] % length) || __builtin_mul_overflow(size, n, &size))
            return nigh_fail(w->ctx, NIGH_INVALID, "tensor '%s': dimension %d is %lld; 1 or more is allowed, whole blocks of %s in the first, and no overflow", name,
                             d + 1, (long long)shape[d], nigh_block_name(type));
    }
    *bytes = (size_t)size;
    return NIGH_OK;
}

nigh_status nigh_gguf_put_tensor(nigh_gguf_writer *w, const char *name, nigh_block_type type, int ndim, const int64_t *shape, const void *data)
{
    size_t bytes = 0;
    nigh_status status = check_tensor(w, name, type, ndim, shape, &bytes);
    if (status) return status;
    if (w->tensor_index.count == w->room) {
        int64_t room = w->room ? 2 * w->room : 64;
        nigh_gguf_tensor *more = nigh_resize(w->ctx, w->tensors, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        w->tensors = more;
        w->room = room;
    }
    char *copy = nigh_arena_strdup(w->arena, name);
    void *own = copy ? nigh_arena_alloc(w->arena, bytes) : NULL;
    if (!own) return NIGH_MEMORY;
    memcpy(own, data, bytes);
    nigh_gguf_tensor *t = &w->tensors[w->tensor_index.count];
    *t = (nigh_gguf_tensor){.name = copy, .type = type, .ndim = ndim, .data = own, .bytes = bytes};
    memcpy(t->shape, shape, (size_t)ndim * sizeof *shape);
    return gguf_index_add(&w->tensor_index, copy);
}

/* ---- the file ---- */

static nigh_status pad(nigh_io_sink *sink, uint64_t *at)
{
    static const char zeros[GGUF_ALIGNMENT];
    size_t n = (size_t)(-*at % GGUF_ALIGNMENT);
    *at += n;
    return n ? nigh_io_sink_add(sink, zeros, n) : NIGH_OK;
}

static nigh_status put_head(const nigh_gguf_writer *w, nigh_buffer *head)
{
    uint64_t offset = 0;
    nigh_status status = nigh_buffer_add(head, "GGUF\3\0\0\0", 8);
    if (!status) status = put_number(head, (uint64_t)w->tensor_index.count, 8);
    if (!status) status = put_number(head, (uint64_t)w->key_index.count, 8);
    if (!status && w->keys.size) status = nigh_buffer_add(head, w->keys.data, w->keys.size);
    for (int64_t i = 0; i < w->tensor_index.count && !status; i++) {
        const nigh_gguf_tensor *t = &w->tensors[i];
        status = put_string(head, t->name, strlen(t->name));
        if (!status) status = put_number(head, (uint64_t)t->ndim, 4);
        if (!status) status = nigh_buffer_add(head, t->shape, (size_t)t->ndim * 8);
        if (!status) status = put_number(head, (uint64_t)t->type, 4);
        if (!status) status = put_number(head, offset, 8);
        offset += (t->bytes + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
    }
    return status;
}

static nigh_status put_all(const nigh_gguf_writer *w, nigh_io_sink *sink)
{
    nigh_buffer head = {.ctx = w->ctx};
    nigh_status status = put_head(w, &head);
    uint64_t at = head.size;
    if (!status) status = nigh_io_sink_add(sink, head.data, head.size);
    if (!status) status = pad(sink, &at);
    for (int64_t i = 0; i < w->tensor_index.count && !status; i++) {
        status = nigh_io_sink_add(sink, w->tensors[i].data, w->tensors[i].bytes);
        at += w->tensors[i].bytes;
        if (!status) status = pad(sink, &at);
    }
    nigh_buffer_free(&head);
    return status;
}

nigh_status nigh_gguf_write(nigh_gguf_writer *w, const char *path)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(w->ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, put_all(w, &sink));
}

nigh_status nigh_gguf_format(nigh_gguf_writer *w, nigh_buffer *out)
{
    nigh_io_sink sink = nigh_io_sink_buffer(w->ctx, out);
    return nigh_io_sink_end(&sink, put_all(w, &sink));
}
