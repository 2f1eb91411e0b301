/* Small vocabularies made in memory: 256 bytes by name, then more tokens; merges or scores. */
#ifndef NIGH_TEST_VOCABULARIES_H
#define NIGH_TEST_VOCABULARIES_H
#include "nigh/tokens.h"

#include <stdio.h>
#include <string.h>

#define G "\u0120" /* a blank in names of byte-level BPE */
#define U "\u2581" /* in names of SentencePiece */

/* Pieces as names with bars between, so that a test reads like the text. */
static nigh_status pieces(const nigh_tokenizer *t, const char *text, size_t size, unsigned flags, nigh_buffer *out)
{
    nigh_token_list list = {.ctx = out->ctx};
    nigh_status status = nigh_tokenize(t, text, size, flags, &list);
    out->size = 0;
    for (int64_t i = 0; i < list.count && !status; i++) status = nigh_buffer_print(out, i ? "|%s" : "%s", nigh_token_name(t, list.id[i]));
    nigh_token_list_free(&list);
    return status;
}
typedef struct vocabulary {
    const char *model, *pre;
    const char *const *more, *const *merges; /* end with NULL */
    const int32_t *types;                    /* of more; NULL: 3 where a name begins with '<', else 1 */
    int begin, end;                          /* -1: no key */
    int space_prefix;                        /* -1: no key */
} vocabulary;

static void vocabulary_byte(bool sentence, int b, char name[8])
{
    int point = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE ? b : b < 0x21 ? 0x100 + b : b < 0xA1 ? 0x121 + b - 0x7F : 0x143;
    if (sentence)
        snprintf(name, 8, "<0x%02X>", (unsigned)b);
    else
        snprintf(name, 8, point < 0x80 ? "%c" : "%c%c", point < 0x80 ? point : 0xC0 | point >> 6, 0x80 | (point & 63));
}

static nigh_status vocabulary_write(nigh_context *ctx, const vocabulary *v, nigh_gguf_writer *w)
{
    bool sentence = !strcmp(v->model, "llama");
    char names[256][8];
    nigh_gguf_string list[400], pairs[100];
    int32_t types[400];
    float scores[400];
    int64_t count = 256, n = 0;
    (void)ctx;
    for (int b = 0; b < 256; b++) {
        vocabulary_byte(sentence, b, names[b]);
        list[b] = (nigh_gguf_string){names[b], strlen(names[b])};
        types[b] = sentence ? 6 : 1, scores[b] = 0;
    }
    for (int i = 0; v->more[i]; i++, count++) {
        list[count] = (nigh_gguf_string){v->more[i], strlen(v->more[i])};
        types[count] = v->types ? v->types[i] : *v->more[i] == '<' ? 3 : 1, scores[count] = (float)-i;
    }
    for (; v->merges && v->merges[n]; n++) pairs[n] = (nigh_gguf_string){v->merges[n], strlen(v->merges[n])};
    nigh_status status = nigh_gguf_put_text(w, "tokenizer.ggml.model", v->model);
    if (!status) status = nigh_gguf_put_text(w, "tokenizer.ggml.pre", v->pre);
    if (!status) status = nigh_gguf_put_texts(w, "tokenizer.ggml.tokens", list, count);
    if (!status) status = nigh_gguf_put_integers(w, "tokenizer.ggml.token_type", types, count);
    if (!status && !sentence) status = nigh_gguf_put_texts(w, "tokenizer.ggml.merges", pairs, n);
    if (!status && sentence) status = nigh_gguf_put_reals(w, "tokenizer.ggml.scores", scores, count);
    if (!status && v->begin >= 0) status = nigh_gguf_put_integer(w, "tokenizer.ggml.bos_token_id", v->begin);
    if (!status && v->end >= 0) status = nigh_gguf_put_integer(w, "tokenizer.ggml.eos_token_id", v->end);
    if (!status && v->space_prefix >= 0) status = nigh_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", v->space_prefix);
    return status;
}

static inline nigh_status vocabulary_make(nigh_context *ctx, const vocabulary *v, nigh_tokenizer **t)
{
    nigh_gguf_writer *w = NULL;
    nigh_gguf *gguf = NULL;
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_gguf_writer_new(ctx, &w);
    if (!status) status = vocabulary_write(ctx, v, w);
    if (!status) status = nigh_gguf_format(w, &file);
    if (!status) status = nigh_gguf_parse(ctx, file.data, file.size, "made", &gguf);
    if (!status) status = nigh_tokenizer_from_gguf(ctx, gguf, t);
    nigh_gguf_close(gguf);
    nigh_gguf_writer_free(w);
    nigh_buffer_free(&file);
    return status;
}

#endif
