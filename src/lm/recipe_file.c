/*
 * Own small models as GGUF files of the architecture "llama", for nigh and llama.cpp alike. Rows of a matrix are its outputs there, so that weights [in, out]
 * are transposed; and pairs (2 i, 2 i + 1) of a head turn together where nigh's decoder turns (i, i + head_size / 2), so that rows of queries and keys
 * change places.
 */
#include "lm/recipe.h"

#include <stdio.h>
#include <string.h>

#include "lm/tokenizer.h"

/* A file under construction. */
typedef struct filing {
    nigh_context *ctx;
    nigh_gguf_writer *writer;
    const recipe_label *label;
    nigh_sha256 hash; /* of the tensors' bytes */
    nigh_status status;
} filing;

/* ---- keys -------------------------------------------------------------------------------------------------- */

static void put_integer(filing *f, const char *key, int64_t value)
{
    if (!f->status) f->status = nigh_gguf_put_integer(f->writer, key, value);
}

static void put_real(filing *f, const char *key, double value)
{
    if (!f->status) f->status = nigh_gguf_put_real(f->writer, key, value);
}

static void put_text(filing *f, const char *key, const char *value)
{
    if (!f->status) f->status = nigh_gguf_put_text(f->writer, key, value);
}

/* The number that GGUF files give the type of most of their tensors; other numbers than those of the types. */
static int64_t file_type(nigh_block_type type)
{
    switch (type) {
    case NIGH_BLOCK_F32: return 0;
    case NIGH_BLOCK_F16: return 1;
    case NIGH_BLOCK_Q4_0: return 2;
    case NIGH_BLOCK_Q4_1: return 3;
    case NIGH_BLOCK_Q8_0: return 7;
    case NIGH_BLOCK_Q5_0: return 8;
    case NIGH_BLOCK_Q5_1: return 9;
    default: return 32; /* BF16 */
    }
}

static void put_model_keys(filing *f)
{
    const nigh_decoder *d = f->label->d;
    put_text(f, "general.architecture", "llama");
    put_text(f, "general.name", "nigh recipe");
    put_integer(f, "general.file_type", file_type(f->label->type));
    put_integer(f, "llama.block_count", d->layers);
    put_integer(f, "llama.context_length", d->context);
    put_integer(f, "llama.embedding_length", d->width);
    put_integer(f, "llama.feed_forward_length", d->hidden);
    put_integer(f, "llama.attention.head_count", d->heads);
    put_integer(f, "llama.attention.head_count_kv", d->kv_heads);
    put_real(f, "llama.attention.layer_norm_rms_epsilon", d->norm_eps);
    put_integer(f, "llama.rope.dimension_count", d->head_size);
    put_real(f, "llama.rope.freq_base", d->rotary_base);
    put_integer(f, "llama.vocab_size", d->vocabulary);
}

/* Windows of training begin anywhere: the model does not know its first token, and none is put in front. */
static void put_tokenizer_keys(filing *f)
{
    nigh_tokenizer *bytes = NULL;
    if (!f->status) f->status = nigh_tokenizer_bytes(f->ctx, &bytes);
    if (!f->status) bytes->add_begin = false;
    if (!f->status) f->status = nigh_tokenizer_put(bytes, f->writer);
    nigh_tokenizer_free(bytes);
}

/* ---- tensors ----------------------------------------------------------------------------------------------- */

/* rows of `length` weights; rows 1: a vector, which stays f32. */
static void put_tensor(filing *f, const char *name, int64_t rows, int64_t length, const float *weights)
{
    nigh_block_type type = rows > 1 ? f->label->type : NIGH_BLOCK_F32;
    size_t bytes = (size_t)rows * nigh_block_row_bytes(type, length);
    void *blocks = f->status ? NULL : nigh_alloc(f->ctx, bytes);
    if (!f->status && !blocks) f->status = NIGH_MEMORY;
    if (!f->status) f->status = nigh_block_encode(f->ctx, type, weights, rows * length, blocks);
    if (!f->status) f->status = nigh_gguf_put_tensor(f->writer, name, type, rows > 1 ? 2 : 1, (int64_t[]){length, rows}, blocks);
    if (!f->status) nigh_sha256_add(&f->hash, blocks, bytes);
    nigh_free(f->ctx, blocks);
}

/* Where row `row` of queries or keys comes from. */
static int64_t unpaired(int64_t row, int64_t head_size)
{
    int64_t head = row / head_size, at = row % head_size;
    return head * head_size + at % 2 * (head_size / 2) + at / 2;
}

typedef struct columns {
    int64_t first, count;
    bool paired; /* queries and keys */
} columns;

/* Columns of a matrix [in, out] of the network, as rows. */
static void put_columns(filing *f, nigh_parameters *set, const char *name, const char *from, columns part)
{
    if (f->status) return;
    int index = nigh_parameters_find(set, from);
    const int64_t *dim = nigh_parameters_at(set, index)->shape.dim;
    int64_t in = dim[0], out = dim[1];
    const float *w = nigh_parameters_data(set, index);
    float *rows = nigh_alloc_zero(f->ctx, (size_t)(in * part.count), sizeof *rows);
    if (!rows) {
        f->status = NIGH_MEMORY;
        return;
    }
    for (int64_t row = 0; row < part.count; row++) {
        int64_t column = part.first + (part.paired ? unpaired(row, f->label->d->head_size) : row);
        for (int64_t i = 0; i < in; i++) rows[row * in + i] = w[i * out + column];
    }
    put_tensor(f, name, part.count, in, rows);
    nigh_free(f->ctx, rows);
}

/* An array as it lies: a table of rows, or a vector. */
static void put_array(filing *f, nigh_parameters *set, const char *name, const char *from)
{
    if (f->status) return;
    int index = nigh_parameters_find(set, from);
    const nigh_shape *shape = &nigh_parameters_at(set, index)->shape;
    bool table = shape->ndim == 2;
    put_tensor(f, name, table ? shape->dim[0] : 1, shape->dim[table], nigh_parameters_data(set, index));
}

static void put_layer(filing *f, nigh_parameters *set, int64_t layer)
{
    const nigh_decoder *d = f->label->d;
    int64_t queries = d->heads * d->head_size, keys = d->kv_heads * d->head_size;
    const struct {
        const char *name, *from;
        columns part; /* count 0: a vector */
    } weights[] = {{"attn_norm", "norm1", {0}},
                   {"attn_q", "qkv", {0, queries, true}},
                   {"attn_k", "qkv", {queries, keys, true}},
                   {"attn_v", "qkv", {queries + keys, keys, false}},
                   {"attn_output", "out", {0, d->width, false}},
                   {"ffn_norm", "norm2", {0}},
                   {"ffn_gate", "up", {0, d->hidden, false}},
                   {"ffn_up", "up", {d->hidden, d->hidden, false}},
                   {"ffn_down", "down", {0, d->width, false}}};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        char name[64], from[64];
        snprintf(name, sizeof name, "blk.%lld.%s.weight", (long long)layer, weights[i].name);
        snprintf(from, sizeof from, "layers.%lld.%s.weight", (long long)layer, weights[i].from);
        if (weights[i].part.count) put_columns(f, set, name, from, weights[i].part);
        else put_array(f, set, name, from);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static void begin(filing *f)
{
    f->status = nigh_gguf_writer_new(f->ctx, &f->writer);
    nigh_sha256_init(&f->hash);
    put_model_keys(f);
    put_tokenizer_keys(f);
}

static nigh_status end(filing *f, const char *path)
{
    char hex[65];
    nigh_sha256_hex(&f->hash, hex);
    put_real(f, "nigh.recipe.loss", f->label->loss);
    put_text(f, "nigh.recipe.key", f->label->key);
    put_text(f, "nigh.recipe.weights", hex);
    if (!f->status) f->status = nigh_gguf_write(f->writer, path);
    nigh_gguf_writer_free(f->writer);
    return f->status;
}

nigh_status recipe_write(nigh_context *ctx, nigh_network *net, const recipe_label *label, const char *path)
{
    filing f = {.ctx = ctx, .label = label};
    nigh_parameters *set = nigh_network_parameters(net);
    begin(&f);
    put_array(&f, set, "token_embd.weight", "embedding.weight");
    for (int64_t i = 0; i < label->d->layers; i++) put_layer(&f, set, i);
    put_array(&f, set, "output_norm.weight", "norm.weight");
    return end(&f, path);
}

nigh_status recipe_convert(nigh_context *ctx, const char *from, const recipe_label *label, const char *path)
{
    filing f = {.ctx = ctx, .label = label};
    nigh_gguf *file;
    nigh_status status = nigh_gguf_open(ctx, from, &file);
    if (status) return status;
    begin(&f);
    for (int64_t i = 0; i < nigh_gguf_tensor_count(file); i++) {
        const nigh_gguf_tensor *t = nigh_gguf_tensor_at(file, i);
        put_tensor(&f, t->name, t->ndim == 2 ? t->shape[1] : 1, t->shape[0], t->data);
    }
    status = end(&f, path);
    nigh_gguf_close(file);
    return status;
}

static nigh_status check_label(nigh_context *ctx, const nigh_gguf *file, const char *key, double *loss)
{
    const char *stated, *weights;
    char hex[65];
    nigh_status status = nigh_gguf_text(file, "nigh.recipe.key", true, &stated, NULL);
    if (!status) status = nigh_gguf_text(file, "nigh.recipe.weights", true, &weights, NULL);
    if (!status) status = nigh_gguf_real(file, "nigh.recipe.loss", true, 0, 1e9, loss);
    if (status) return status;
    if (strcmp(stated, key)) return nigh_fail(ctx, NIGH_FORMAT, "'%s' was made by another recipe (%.12s.., not %.12s..)", nigh_gguf_path(file), stated, key);
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    for (int64_t i = 0; i < nigh_gguf_tensor_count(file); i++) nigh_sha256_add(&hash, nigh_gguf_tensor_at(file, i)->data, nigh_gguf_tensor_at(file, i)->bytes);
    nigh_sha256_hex(&hash, hex);
    if (strcmp(weights, hex)) return nigh_fail(ctx, NIGH_FORMAT, "'%s': the weights are not those that were written", nigh_gguf_path(file));
    return NIGH_OK;
}

nigh_status recipe_check(nigh_context *ctx, const char *path, const char *key, double *loss)
{
    nigh_gguf *file;
    double stated;
    nigh_status status = nigh_gguf_open(ctx, path, &file);
    if (status) return status;
    status = check_label(ctx, file, key, &stated);
    nigh_gguf_close(file);
    if (!status) *loss = stated;
    return status;
}
