/* Arbitrary bytes as a GGUF file: all keys are asked for in every way, all tensors read from end to end; what is read is written and read again. */
#include "nigh/gguf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_key(nigh_gguf *file, const char *name, nigh_gguf_kind kind, nigh_gguf_writer *w)
{
    int64_t whole, count;
    double real;
    bool flag;
    const char *text;
    size_t length;
    const int64_t *wholes;
    const float *reals;
    const nigh_gguf_string *texts;
    nigh_status status = NIGH_OK;
    if (nigh_gguf_integer(file, name, true, INT64_MIN, INT64_MAX, &whole) == NIGH_OK && strcmp(name, "general.alignment") != 0) status = nigh_gguf_put_integer(w, name, whole);
    if (nigh_gguf_bool(file, name, true, &flag) == NIGH_OK) status = nigh_gguf_put_bool(w, name, flag);
    if (nigh_gguf_real(file, name, true, -1e30, 1e30, &real) == NIGH_OK && kind == NIGH_GGUF_REAL) status = nigh_gguf_put_real(w, name, real);
    if (nigh_gguf_text(file, name, true, &text, &length) == NIGH_OK) {
        if (strlen(text) > length || text[length]) abort();
        status = nigh_gguf_put_text(w, name, text);
    }
    if (nigh_gguf_texts(file, name, true, &texts, &count) == NIGH_OK) status = nigh_gguf_put_texts(w, name, texts, count);
    if (nigh_gguf_reals(file, name, true, &reals, &count) == NIGH_OK) status = nigh_gguf_put_reals(w, name, reals, count);
    if (nigh_gguf_integers(file, name, true, &wholes, &count) == NIGH_OK)
        for (int64_t i = 0; i < count; i++) real = (double)wholes[i];
    if (status) abort();
}

static void read_tensor(nigh_gguf *file, const nigh_gguf_tensor *t, nigh_gguf_writer *w)
{
    float values[256];
    size_t bytes = nigh_block_bytes(t->type);
    if (nigh_gguf_find(file, t->name) != t) abort();
    for (size_t at = 0; at + bytes <= t->bytes; at += bytes) nigh_block_decode(t->type, (const char *)t->data + at, nigh_block_length(t->type), values);
    nigh_gguf_release(file, t);
    if (nigh_gguf_put_tensor(w, t->name, t->type, t->ndim, t->shape, t->data)) abort();
}

static void again(nigh_context *ctx, const nigh_gguf *file, nigh_gguf_writer *w)
{
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *copy;
    if (nigh_gguf_format(w, &out) || nigh_gguf_parse(ctx, out.data, out.size, "again", &copy)) abort();
    if (nigh_gguf_tensor_count(copy) != nigh_gguf_tensor_count(file)) abort();
    for (int64_t i = 0; i < nigh_gguf_tensor_count(copy); i++) {
        const nigh_gguf_tensor *a = nigh_gguf_tensor_at(file, i), *b = nigh_gguf_tensor_at(copy, i);
        if (a->type != b->type || a->bytes != b->bytes || strcmp(a->name, b->name) != 0 || memcmp(a->data, b->data, a->bytes) != 0) abort();
    }
    nigh_gguf_close(copy);
    nigh_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_gguf *file = NULL;
    if (nigh_context_new(&ctx)) abort();
    if (nigh_gguf_parse(ctx, data, size, "input", &file) == NIGH_OK) {
        nigh_gguf_writer *w;
        nigh_gguf_kind kind;
        if (nigh_gguf_writer_new(ctx, &w)) abort();
        for (int64_t i = 0; i < nigh_gguf_key_count(file); i++) {
            const char *name = nigh_gguf_key_at(file, i, &kind);
            if (!nigh_gguf_has(file, name)) abort();
            copy_key(file, name, kind, w);
        }
        for (int64_t i = 0; i < nigh_gguf_tensor_count(file); i++) read_tensor(file, nigh_gguf_tensor_at(file, i), w);
        again(ctx, file, w);
        nigh_gguf_writer_free(w);
        nigh_gguf_close(file);
    }
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
