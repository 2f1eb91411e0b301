/* Tokenizers as the keys tokenizer.* of a GGUF file. */
#include "lm/tokenizer.h"

#include <stdlib.h>

static int by_rank(const void *a, const void *b)
{
    const merge_slot *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static nigh_status put_merges(const nigh_tokenizer *t, nigh_gguf_writer *writer)
{
    int64_t count = t->merge.count, n = 0;
    merge_slot *order = nigh_alloc(t->ctx, (size_t)(count + 1) * sizeof *order);
    nigh_gguf_string *lines = nigh_alloc(t->ctx, (size_t)(count + 1) * sizeof *lines);
    nigh_buffer text = {.ctx = t->ctx};
    nigh_status status = order && lines ? NIGH_OK : NIGH_MEMORY;
    for (uint64_t i = 0; !status && t->merge.slot && i <= t->merge.mask; i++)
        if (t->merge.slot[i].pair != UINT64_MAX) order[n++] = t->merge.slot[i];
    if (!status) qsort(order, (size_t)n, sizeof *order, by_rank);
    for (int64_t i = 0; i < n && !status; i++) {
        size_t size, before = text.size;
        const char *left = texts_get(&t->names, (int64_t)(order[i].pair >> 32), &size);
        status = nigh_buffer_add(&text, left, size);
        if (!status) status = nigh_buffer_add(&text, " ", 1);
        const char *right = texts_get(&t->names, (int64_t)(uint32_t)order[i].pair, &size);
        if (!status) status = nigh_buffer_add(&text, right, size);
        lines[i].size = text.size - before;
    }
    for (size_t i = 0, at = 0; !status && i < (size_t)n; at += lines[i++].size) lines[i].bytes = text.data + at;
    if (!status) status = nigh_gguf_put_texts(writer, "tokenizer.ggml.merges", lines, n);
    nigh_free(t->ctx, order);
    nigh_free(t->ctx, lines);
    nigh_buffer_free(&text);
    return status;
}

static int32_t type_of(unsigned flags)
{
    return flags & TOKEN_USER ? 4 : flags & TOKEN_CONTROL ? 3 : flags & TOKEN_UNKNOWN ? 2 : flags & TOKEN_UNUSED ? 5 : flags & TOKEN_BYTE ? 6 : 1;
}

static nigh_status put_tokens(const nigh_tokenizer *t, nigh_gguf_writer *writer)
{
    nigh_gguf_string *names = nigh_alloc(t->ctx, (size_t)t->count * sizeof *names);
    int32_t *types = nigh_alloc(t->ctx, (size_t)t->count * sizeof *types);
    nigh_status status = names && types ? NIGH_OK : NIGH_MEMORY;
    for (int32_t i = 0; i < t->count && !status; i++) {
        names[i].bytes = texts_get(&t->names, i, &names[i].size);
        types[i] = type_of(t->flags[i]);
    }
    if (!status) status = nigh_gguf_put_texts(writer, "tokenizer.ggml.tokens", names, t->count);
    if (!status) status = nigh_gguf_put_integers(writer, "tokenizer.ggml.token_type", types, t->count);
    nigh_free(t->ctx, names);
    nigh_free(t->ctx, types);
    return status;
}

static nigh_status put_id(nigh_gguf_writer *writer, const char *key, int32_t id) { return id < 0 ? NIGH_OK : nigh_gguf_put_integer(writer, key, id); }

nigh_status nigh_tokenizer_put(const nigh_tokenizer *t, nigh_gguf_writer *writer)
{
    bool sentence = t->kind == TOKENIZER_SENTENCE, bytes = t->kind == TOKENIZER_BYTES;
    if (!t->pre && t->kind == TOKENIZER_BPE)
        return nigh_fail(t->ctx, NIGH_UNSUPPORTED, "this tokenizer cuts texts in a way that GGUF files have no name for");
    if (t->json) return nigh_fail(t->ctx, NIGH_UNSUPPORTED, "a tokenizer with normalizers of its own cannot be written to GGUF");
    nigh_status status = nigh_gguf_put_text(writer, "tokenizer.ggml.model", sentence ? "llama" : "gpt2");
    if (!status) status = nigh_gguf_put_text(writer, "tokenizer.ggml.pre", sentence ? "default" : bytes ? "gpt-2" : t->pre);
    if (!status && bytes) status = nigh_gguf_put_text(writer, "nigh.tokenizer", "bytes");
    if (!status) status = put_tokens(t, writer);
    if (!status && sentence) status = nigh_gguf_put_reals(writer, "tokenizer.ggml.scores", t->score, t->count);
    if (!status && !sentence) status = put_merges(t, writer);
    if (!status) status = put_id(writer, "tokenizer.ggml.bos_token_id", t->begin);
    if (!status) status = put_id(writer, "tokenizer.ggml.eos_token_id", t->end);
    if (!status) status = put_id(writer, "tokenizer.ggml.unknown_token_id", t->unknown);
    if (!status) status = nigh_gguf_put_bool(writer, "tokenizer.ggml.add_bos_token", t->add_begin);
    if (!status) status = nigh_gguf_put_bool(writer, "tokenizer.ggml.add_eos_token", t->add_end);
    if (!status) status = nigh_gguf_put_bool(writer, "tokenizer.ggml.add_space_prefix", t->space_prefix);
    if (!status && t->chat_template) status = nigh_gguf_put_text(writer, "tokenizer.chat_template", t->chat_template);
    return status;
}
