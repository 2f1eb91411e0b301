/* Tokenizers from the keys tokenizer.* of a GGUF file. */
#include "lm/tokenizer.h"

#include <stdio.h>

typedef struct source {
    nigh_gguf *file;
    nigh_tokenizer *t;
} source;

/* ---- vocabulary ---- */

static nigh_status take_names(source *s)
{
    nigh_tokenizer *t = s->t;
    const nigh_gguf_string *list;
    int64_t count;
    nigh_status status = nigh_gguf_texts(s->file, "tokenizer.ggml.tokens", true, &list, &count);
    if (status) return status;
    if (count < 1 || count > INT32_MAX / 4)
        return nigh_fail(t->ctx, NIGH_FORMAT, "%s: tokenizer.ggml.tokens: %lld tokens; 1 to %d are allowed", nigh_gguf_path(s->file), (long long)count, INT32_MAX / 4);
    size_t size = 0;
    for (int64_t i = 0; i < count; i++) size += list[i].size + 1;
    t->count = (int32_t)count;
    status = texts_reserve(t->ctx, &t->names, count, size + 64);
    for (int64_t i = 0; i < count && !status; i++) {
        char empty[32];
        bool none = !list[i].size;
        size_t n = none ? (size_t)snprintf(empty, sizeof empty, "[EMPTY_%lld]", (long long)i) : list[i].size;
        status = texts_add(t->ctx, &t->names, none ? empty : list[i].bytes, n);
    }
    if (!status) status = words_new(t->ctx, count, &t->find);
    for (int32_t i = 0; i < count && !status; i++) {
        int32_t first = words_add(&t->find, &t->names, i);
        if (first != i)
            status = nigh_fail(t->ctx, NIGH_FORMAT, "%s: tokenizer.ggml.tokens: tokens %d and %d have the same name '%.40s'", nigh_gguf_path(s->file), first, i,
                               nigh_token_name(t, i));
    }
    return status;
}

static nigh_status take_scores(source *s)
{
    nigh_tokenizer *t = s->t;
    const float *scores;
    int64_t count;
    nigh_status status = nigh_gguf_reals(s->file, "tokenizer.ggml.scores", false, &scores, &count);
    if (status) return status;
    if (scores && count < t->count)
        return nigh_fail(t->ctx, NIGH_FORMAT, "%s: tokenizer.ggml.scores: %lld scores for %d tokens", nigh_gguf_path(s->file), (long long)count, t->count);
    t->score = nigh_alloc_zero(t->ctx, (size_t)t->count, sizeof *t->score);
    if (!t->score) return NIGH_MEMORY;
    if (scores) memcpy(t->score, scores, (size_t)t->count * sizeof *scores);
    return NIGH_OK;
}

static nigh_status take_types(source *s)
{
    static const unsigned char flags[] = {0, 0, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE};
    nigh_tokenizer *t = s->t;
    const int64_t *types;
    int64_t count;
    nigh_status status = nigh_gguf_integers(s->file, "tokenizer.ggml.token_type", false, &types, &count);
    if (status) return status;
    if (types && count < t->count)
        return nigh_fail(t->ctx, NIGH_FORMAT, "%s: tokenizer.ggml.token_type: %lld kinds for %d tokens", nigh_gguf_path(s->file), (long long)count, t->count);
    t->flags = nigh_alloc_zero(t->ctx, (size_t)t->count, 1);
    if (!t->flags) return NIGH_MEMORY;
    for (int64_t i = 0; types && i < t->count; i++) t->flags[i] = types[i] >= 1 && types[i] <= 6 ? flags[types[i]] : TOKEN_UNUSED;
    return NIGH_OK;
}

/* ---- merges ---- */

static nigh_status take_merges(source *s)
{
    nigh_tokenizer *t = s->t;
    const nigh_gguf_string *list;
    int64_t count;
    nigh_status status = nigh_gguf_texts(s->file, "tokenizer.ggml.merges", false, &list, &count);
    if (!status) status = tokenizer_add_bytes(t);
    if (!status) status = merges_new(t->ctx, count, &t->merge);
    for (int64_t i = 0; i < count && !status; i++) {
        const char *blank = list[i].size > 1 ? memchr(list[i].bytes + 1, ' ', list[i].size - 1) : NULL;
        if (!blank) continue;
        size_t left = (size_t)(blank - list[i].bytes);
        status = tokenizer_add_merge(t, list[i].bytes, left, blank + 1, list[i].size - left - 1, (uint32_t)i);
    }
    return status;
}

/* ---- special tokens ---- */

static nigh_status take_id(source *s, const char *key, int32_t *id)
{
    int64_t value = *id;
    nigh_status status = nigh_gguf_integer(s->file, key, false, 0, UINT32_MAX, &value);
    if (!status && nigh_gguf_has(s->file, key) && value < s->t->count) *id = (int32_t)value;
    if (*id >= s->t->count) *id = -1;
    return status;
}

static nigh_status take_ids(source *s)
{
    static const struct {
        const char *key;
        token_role role;
    } keys[] = {{"eot", ROLE_TURN}, {"eom", ROLE_MESSAGE}, {"fim_pad", ROLE_PAD}, {"fim_rep", ROLE_REPOSITORY}, {"fim_sep", ROLE_FILE},
                {"fim_pre", ROLE_PREFIX}, {"fim_suf", ROLE_SUFFIX}, {"fim_mid", ROLE_MIDDLE}, {"prefix", ROLE_PREFIX}, {"suffix", ROLE_SUFFIX},
                {"middle", ROLE_MIDDLE}};
    nigh_tokenizer *t = s->t;
    int32_t id_of[ROLES];
    for (int r = 0; r < ROLES; r++) id_of[r] = -1;
    nigh_status status = take_id(s, "tokenizer.ggml.bos_token_id", &t->begin);
    if (!status) status = take_id(s, "tokenizer.ggml.eos_token_id", &t->end);
    if (!status) status = take_id(s, "tokenizer.ggml.unknown_token_id", &t->unknown);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !status; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", keys[i].key);
        status = take_id(s, key, &id_of[keys[i].role]);
    }
    if (!status) status = nigh_gguf_bool(s->file, "tokenizer.ggml.add_bos_token", false, &t->add_begin);
    if (!status) status = nigh_gguf_bool(s->file, "tokenizer.ggml.add_eos_token", false, &t->add_end);
    if (!status) status = nigh_gguf_bool(s->file, "tokenizer.ggml.add_space_prefix", false, &t->space_prefix);
    if (!status) tokenizer_find_ends(t, id_of);
    return status;
}

/* In files of Phi-3 blanks behind special tokens belong to them. */
static nigh_status take_strips(source *s)
{
    const char *name = "";
    nigh_status status = nigh_gguf_text(s->file, "general.name", false, &name, NULL);
    if (status || (!strcasestr(name, "phi-3") && !strcasestr(name, "phi3"))) return status;
    nigh_tokenizer *t = s->t;
    static const char *const without[] = {"<unk>", "<s>", "<|endoftext|>"};
    for (int32_t i = 0; i < t->count; i++)
        if (t->flags[i] & TOKEN_SPECIAL) t->flags[i] |= TOKEN_RSTRIP;
    int32_t end = nigh_token_find(t, "</s>");
    if (end >= 0) t->flags[end] |= TOKEN_RSTRIP;
    for (size_t i = 0; i < 3; i++) {
        int32_t id = nigh_token_find(t, without[i]);
        if (id >= 0) t->flags[id] &= (uint8_t)~TOKEN_RSTRIP;
    }
    return NIGH_OK;
}

static nigh_status take_bpe(source *s)
{
    nigh_tokenizer *t = s->t;
    const char *pre = "default";
    nigh_status status = nigh_gguf_text(s->file, "tokenizer.ggml.pre", false, &pre, NULL);
    if (!status) status = tokenizer_set_pre(t, *pre ? pre : "default");
    t->begin = t->end = 11;
    if (!strcmp(pre, "glm4") || !strcmp(pre, "chatglm-bpe")) t->begin = -1;
    return status ? status : take_merges(s);
}

static nigh_status take_sentence(source *s)
{
    nigh_tokenizer *t = s->t;
    t->begin = 1, t->end = 2, t->unknown = 0;
    t->add_begin = t->space_prefix = true;
    tokenizer_name_bytes(t);
    return take_scores(s);
}

static nigh_status take_all(source *s)
{
    nigh_tokenizer *t = s->t;
    const char *text = NULL;
    nigh_status status = take_names(s);
    if (!status) status = take_types(s);
    if (!status) status = t->kind == TOKENIZER_SENTENCE ? take_sentence(s) : take_bpe(s);
    if (!status) status = take_ids(s);
    if (!status) status = take_strips(s);
    if (!status) status = nigh_gguf_text(s->file, "tokenizer.chat_template", false, &text, NULL);
    if (!status && text && !(t->chat_template = nigh_strdup(t->ctx, text))) status = NIGH_MEMORY;
    return status ? status : tokenizer_finish(t);
}

nigh_status tokenizer_take_ends(nigh_tokenizer *t, nigh_gguf *file)
{
    const int64_t *ends;
    int64_t count;
    source s = {.file = file, .t = t};
    nigh_status status = nigh_gguf_integers(file, "tokenizer.ggml.eos_token_ids", false, &ends, &count);
    for (int64_t i = 0; !status && i < count; i++)
        if (ends[i] >= 0 && ends[i] < t->count) t->flags[ends[i]] |= TOKEN_ENDS;
    if (!status && t->begin < 0) status = take_id(&s, "tokenizer.ggml.bos_token_id", &t->begin);
    if (!status && t->end < 0) status = take_id(&s, "tokenizer.ggml.eos_token_id", &t->end);
    return status;
}

static nigh_status take_bytes(nigh_context *ctx, nigh_gguf *file, nigh_tokenizer **tokenizer)
{
    nigh_tokenizer *t;
    nigh_status status = nigh_tokenizer_bytes(ctx, &t);
    if (status) return status;
    status = nigh_gguf_bool(file, "tokenizer.ggml.add_bos_token", false, &t->add_begin);
    if (status) nigh_tokenizer_free(t);
    else *tokenizer = t;
    return status;
}

nigh_status nigh_tokenizer_from_gguf(nigh_context *ctx, nigh_gguf *file, nigh_tokenizer **tokenizer)
{
    const char *model = NULL;
    source s = {.file = file};
    nigh_status status = nigh_gguf_text(file, "tokenizer.ggml.model", true, &model, NULL);
    if (status) return status;
    const char *own = "";
    status = nigh_gguf_text(file, "nigh.tokenizer", false, &own, NULL);
    if (status) return status;
    if (!strcmp(own, "bytes")) return take_bytes(ctx, file, tokenizer);
    bool sentence = !strcmp(model, "llama");
    if (!sentence && strcmp(model, "gpt2"))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: tokenizer.ggml.model '%.60s'; gpt2 and llama are known", nigh_gguf_path(file), model);
    status = tokenizer_new(ctx, sentence ? TOKENIZER_SENTENCE : TOKENIZER_BPE, &s.t);
    if (!status) status = take_all(&s);
    if (status)
        nigh_tokenizer_free(s.t);
    else
        *tokenizer = s.t;
    return status;
}
