/* Any text through small vocabularies of both kinds made here; what is put together from tokens stays inside of the vocabulary, and words of bytes come back. */
#include "nigh/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(nigh_gguf_writer *w, const char *key, const char *const *texts, int64_t count)
{
    nigh_gguf_string list[600];
    for (int64_t i = 0; i < count; i++) list[i] = (nigh_gguf_string){texts[i], strlen(texts[i])};
    if (nigh_gguf_put_texts(w, key, list, count)) abort();
}

static nigh_tokenizer *make(nigh_context *ctx, bool sentence, const char *pre)
{
    static const char *const more[] = {"ab", "abc", "\xC4\xA0" "a", "\xC4\xA0" "ab", "aa", "aaaa", "12", "\xE2\x96\x81", "\xE2\x96\x81" "a", "\xE2\x96\x81\xE2\x96\x81", "\n\n", "\n\n\n", "<s>", "</s>", "<|im_end|>",
                                       "a\xE2\x96\x81", "b", "c"};
    static const char *const merges[] = {"a b", "ab c", "\xC4\xA0 a", "\xC4\xA0 ab", "a a", "aa aa", "1 2", "x y"};
    enum { MORE = sizeof more / sizeof *more };
    char names[256][8];
    const char *list[256 + MORE];
    int32_t types[256 + MORE], count = 0;
    float scores[256 + MORE];
    for (int b = 0; b < 256; b++) {
        int point = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE ? b : b < 0x21 ? 0x100 + b : b < 0xA1 ? 0x121 + b - 0x7F : 0x143;
        if (sentence)
            snprintf(names[b], 8, "<0x%02X>", (unsigned)b);
        else if (point < 0x80)
            snprintf(names[b], 8, "%c", point);
        else
            snprintf(names[b], 8, "%c%c", 0xC0 | point >> 6, 0x80 | (point & 63));
        types[count] = sentence ? 6 : 1, scores[count] = 0, list[count++] = names[b];
    }
    for (int i = 0; i < MORE; i++) {
        if (!sentence && strlen(more[i]) == 1) continue;
        types[count] = *more[i] == '<' ? 3 : *more[i] == '\n' ? 4 : 1, scores[count] = (float)-i, list[count++] = more[i];
    }
    nigh_gguf_writer *w;
    nigh_buffer file = {.ctx = ctx};
    nigh_gguf *gguf;
    nigh_tokenizer *t;
    if (nigh_gguf_writer_new(ctx, &w) || nigh_gguf_put_text(w, "tokenizer.ggml.model", sentence ? "llama" : "gpt2") || nigh_gguf_put_text(w, "tokenizer.ggml.pre", pre)) abort();
    put(w, "tokenizer.ggml.tokens", list, count);
    put(w, "tokenizer.ggml.merges", merges, 8);
    if (nigh_gguf_put_integers(w, "tokenizer.ggml.token_type", types, count) || nigh_gguf_put_reals(w, "tokenizer.ggml.scores", scores, count) || nigh_gguf_format(w, &file)) abort();
    if (nigh_gguf_parse(ctx, file.data, file.size, "made", &gguf) || nigh_tokenizer_from_gguf(ctx, gguf, &t)) abort();
    nigh_gguf_close(gguf);
    nigh_gguf_writer_free(w);
    nigh_buffer_free(&file);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const pres[] = {"default", "smollm", "llama-bpe", "qwen35", "tekken", "gpt-4o", "deepseek-llm", "deepseek-v3", "bloom", "chameleon", "jais-2", "minicpm5"};
    enum { PRES = sizeof pres / sizeof *pres };
    static nigh_context *ctx;
    static nigh_tokenizer *t[PRES + 2];
    if (!ctx) {
        if (nigh_context_new(&ctx)) abort();
        for (int i = 0; i < PRES; i++) t[i] = make(ctx, false, pres[i]);
        t[PRES] = make(ctx, true, "default");
        if (nigh_tokenizer_bytes(ctx, t + PRES + 1)) abort();
    }
    if (!size) return 0;
    nigh_tokenizer *one = t[data[0] % (PRES + 2)];
    nigh_token_list list = {.ctx = ctx};
    nigh_buffer back = {.ctx = ctx};
    if (nigh_tokenize(one, (const char *)data + 1, size - 1, data[0] >> 6, &list) == NIGH_OK) {
        for (int64_t i = 0; i < list.count; i++)
            if (list.id[i] < 0 || list.id[i] >= nigh_tokenizer_vocabulary(one)) abort();
        if (nigh_detokenize(one, list.id, list.count, false, &back)) abort();
        if (one == t[PRES + 1] && !(data[0] >> 6) && (back.size != size - 1 || memcmp(back.data, data + 1, size - 1))) abort();
    }
    nigh_token_list_free(&list);
    nigh_buffer_free(&back);
    return 0;
}
