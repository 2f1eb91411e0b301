/* Arbitrary bytes as config.json (up to the first zero), generation_config.json (up to the next) and a safetensors file (the rest). */
#include "io/gguf.h"
#include "io/stream.h"
#include "lm/huggingface.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct taking {
    const hf_model *model;
    nigh_gguf *file;
} taking;

static nigh_status take(void *user, const char *name, const nigh_shape *shape, const void *bytes, size_t size)
{
    taking *t = user;
    (void)size;
    return hf_take(t->model, t->file, "input", name, shape, bytes);
}

static void read_all(nigh_gguf *file)
{
    float value;
    for (int64_t i = 0; i < nigh_gguf_tensor_count(file); i++) {
        const nigh_gguf_tensor *t = nigh_gguf_tensor_at(file, i);
        size_t bytes = nigh_block_bytes(t->type);
        for (size_t at = 0; at + bytes <= t->bytes; at += bytes) nigh_block_decode(t->type, (const char *)t->data + at, 1, &value);
    }
}

static void try_model(nigh_context *ctx, const nj *config, const nj *generation, const uint8_t *data, size_t size)
{
    static hf_model model;
    nigh_gguf_writer *keys;
    nigh_gguf *file = NULL;
    char *metadata = NULL;
    if (nigh_gguf_writer_new(ctx, &keys)) abort();
    if (hf_config(config, generation, "name", keys, &model) == NIGH_OK) {
        if (gguf_from_keys(ctx, keys, "input", &file)) abort();
        taking t = {&model, file};
        if (nigh_io_safetensors_each(ctx, data, size, "input", take, &t, &metadata) == NIGH_OK && hf_finish(&model, file) == NIGH_OK) read_all(file);
        nigh_free(ctx, metadata);
        nigh_gguf_close(file);
    }
    nigh_gguf_writer_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nj config = {0}, generation = {0};
    const uint8_t *end = data + size, *second = size ? memchr(data, 0, size) : NULL, *third = NULL;
    if (!second) second = end;
    if (second < end) third = memchr(second + 1, 0, (size_t)(end - second - 1));
    if (!third) third = end;
    if (nigh_context_new(&ctx)) abort();
    if (nj_parse(ctx, "config.json", (const char *)data, (size_t)(second - data), &config) == NIGH_OK) {
        bool more = second < end && nj_parse(ctx, "generation_config.json", (const char *)second + 1, (size_t)(third - second - 1), &generation) == NIGH_OK;
        const uint8_t *rest = third < end ? third + 1 : end;
        try_model(ctx, &config, more ? &generation : NULL, rest, (size_t)(end - rest));
        nj_free(&generation);
        nj_free(&config);
    }
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
