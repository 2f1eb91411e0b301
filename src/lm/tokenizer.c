/* What a tokenizer is asked for, lists of tokens, the tokenizer of bytes. */
#include "lm/characters.h"
#include "lm/tokenizer_json.h"
#include "lm/tokenizer_regex.h"
#include "lm/tokenizer_special.h"

/* ---- names of bytes: printable ones stand for themselves, the others for U+0100 on ---- */

static bool printable(unsigned byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE; }

static uint32_t byte_point(unsigned byte)
{
    if (printable(byte)) return byte;
    if (byte < 0x21) return 0x100 + byte;
    return byte < 0xA1 ? 0x121 + byte - 0x7F : 0x143;
}

size_t byte_name(unsigned char byte, char text[2])
{
    char four[4];
    size_t size = char_put(byte_point(byte), four);
    memcpy(text, four, 2);
    return size;
}

int byte_of_name(uint32_t point)
{
    if (point < 0x100) return printable(point) ? (int)point : -1;
    if (point <= 0x120) return (int)point - 0x100;
    if (point <= 0x142) return (int)point - 0x121 + 0x7F;
    return point == 0x143 ? 0xAD : -1;
}

/* ---- life ---- */

nigh_status tokenizer_new(nigh_context *ctx, tokenizer_kind kind, nigh_tokenizer **t)
{
    *t = nigh_alloc_zero(ctx, 1, sizeof **t);
    if (!*t) return NIGH_MEMORY;
    (*t)->ctx = ctx, (*t)->kind = kind;
    (*t)->begin = (*t)->end = (*t)->turn_end = (*t)->unknown = -1;
    for (int b = 0; b < 256; b++) (*t)->byte_symbol[b] = -1;
    return NIGH_OK;
}

void nigh_tokenizer_free(nigh_tokenizer *t)
{
    if (!t) return;
    nigh_context *ctx = t->ctx;
    texts_free(ctx, &t->names);
    texts_free(ctx, &t->bytes);
    special_free(t);
    json_free(t);
    for (int i = 0; i < t->split.steps; i++) regex_free(ctx, t->split.step[i].regex);
    nigh_free(ctx, t->find.slot);
    nigh_free(ctx, t->flags);
    nigh_free(ctx, t->score);
    nigh_free(ctx, t->merge.slot);
    nigh_free(ctx, t->pre);
    nigh_free(ctx, t->chat_template);
    nigh_free(ctx, t);
}

nigh_status nigh_tokenizer_bytes(nigh_context *ctx, nigh_tokenizer **tokenizer)
{
    nigh_tokenizer *t;
    nigh_status status = tokenizer_new(ctx, TOKENIZER_BYTES, &t);
    if (status) return status;
    t->count = 258;
    t->begin = 256, t->end = 257;
    t->add_begin = true;
    t->flags = nigh_alloc_zero(ctx, 258, 1);
    status = t->flags ? NIGH_OK : NIGH_MEMORY;
    for (int b = 0; b < 256 && !status; b++) {
        char name[2];
        size_t size = byte_name((unsigned char)b, name);
        t->byte_symbol[b] = b;
        status = texts_add(ctx, &t->names, name, size);
    }
    if (!status) status = texts_add(ctx, &t->names, "<|begin|>", 9);
    if (!status) status = texts_add(ctx, &t->names, "<|end|>", 7);
    if (!status) status = words_new(ctx, 258, &t->find);
    for (int i = 0; i < 258 && !status; i++) words_add(&t->find, &t->names, i);
    if (!status) {
        t->flags[256] = TOKEN_CONTROL, t->flags[257] = TOKEN_CONTROL | TOKEN_ENDS;
        status = tokenizer_finish(t);
    }
    if (status)
        nigh_tokenizer_free(t);
    else
        *tokenizer = t;
    return status;
}

/* ---- lists ---- */

nigh_status nigh_token_list_add(nigh_token_list *list, const int32_t *ids, int64_t count)
{
    if (count > list->room - list->count) {
        int64_t room = list->room * 2 > list->count + count ? list->room * 2 : list->count + count + 32;
        int32_t *id = nigh_resize(list->ctx, list->id, (size_t)room * sizeof *id);
        if (!id) return NIGH_MEMORY;
        list->id = id, list->room = room;
    }
    if (count) memcpy(list->id + list->count, ids, (size_t)count * sizeof *ids);
    list->count += count;
    return NIGH_OK;
}

void nigh_token_list_free(nigh_token_list *list)
{
    nigh_free(list->ctx, list->id);
    list->id = NULL;
    list->count = list->room = 0;
}

/* ---- questions ---- */

const char *nigh_token_bytes(const nigh_tokenizer *t, int32_t id, size_t *size) { return texts_get(&t->bytes, id, size); }

const char *nigh_token_name(const nigh_tokenizer *t, int32_t id)
{
    size_t size;
    return texts_get(&t->names, id, &size);
}

nigh_token_kind nigh_token_kind_of(const nigh_tokenizer *t, int32_t id)
{
    unsigned flags = t->flags[id];
    return flags & TOKEN_UNUSED ? NIGH_TOKEN_UNUSED : flags & (TOKEN_CONTROL | TOKEN_UNKNOWN) ? NIGH_TOKEN_CONTROL : NIGH_TOKEN_TEXT;
}

int32_t nigh_tokenizer_vocabulary(const nigh_tokenizer *t) { return t->count; }
int32_t nigh_tokenizer_begin(const nigh_tokenizer *t) { return t->begin; }
int32_t nigh_tokenizer_end(const nigh_tokenizer *t) { return t->end; }
bool nigh_token_ends(const nigh_tokenizer *t, int32_t id) { return id >= 0 && id < t->count && t->flags[id] & TOKEN_ENDS; }

int32_t nigh_token_find(const nigh_tokenizer *t, const char *name)
{
    int32_t id = words_find(&t->find, &t->names, name, strlen(name));
    return id < t->count ? id : -1;
}

const char *nigh_tokenizer_chat_template(const nigh_tokenizer *t) { return t->chat_template; }

nigh_status nigh_tokens_round_trip(const nigh_tokenizer *t, const int32_t *ids, int64_t count, bool *same)
{
    nigh_buffer text = {.ctx = t->ctx};
    nigh_token_list again = {.ctx = t->ctx};
    nigh_status status = nigh_detokenize(t, ids, count, true, &text);
    if (!status) status = nigh_tokenize(t, text.data ? text.data : "", text.size, 0, &again);
    if (!status) *same = again.count == count && (!count || !memcmp(again.id, ids, (size_t)count * sizeof *ids));
    nigh_token_list_free(&again);
    nigh_buffer_free(&text);
    return status;
}
