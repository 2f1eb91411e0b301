/* Tokenizers of Hugging Face: tokenizer.json, with tokenizer_config.json beside it. */
#include "lm/tokenizer_json.h"

#include "core/file.h"

#include <stdlib.h>

enum { FILE_MOST = 256 << 20 };

static const char *text_of(const nj *node, const char *key) { return json_string_value(json_object_get(node->json, key)); }
static bool is_true(const nj *node, const char *key) { return json_is_true(json_object_get(node->json, key)); }
static bool is_set(const nj *node, const char *key)
{
    const json_t *value = json_object_get(node->json, key);
    return value && !json_is_null(value);
}

/* ---- names ---- */

typedef struct entry {
    const char *name;
    size_t size;
    unsigned flags;
    bool used;
} entry;

static nigh_status put_entry(const nj *node, entry *entries, int64_t most, int64_t id, const char *name, size_t size, unsigned flags)
{
    if (id < 0 || id >= most) return nj_fail(node, NIGH_FORMAT, NULL, "token %lld of '%.40s'; 0 to %lld are allowed", (long long)id, name, (long long)most - 1);
    if (entries[id].used && (entries[id].size != size || memcmp(entries[id].name, name, size)))
        return nj_fail(node, NIGH_FORMAT, NULL, "token %lld is '%.40s' and '%.40s'", (long long)id, entries[id].name, name);
    entries[id] = (entry){name, size, flags, true};
    return NIGH_OK;
}

static unsigned byte_flag(const char *name, size_t size, bool fallback)
{
    return fallback && size == 6 && !memcmp(name, "<0x", 3) && name[5] == '>' ? TOKEN_BYTE : 0;
}

static nigh_status put_added(const nj *root, entry *entries, int64_t most)
{
    nj list, item;
    size_t count;
    if (!is_set(root, "added_tokens")) return NIGH_OK;
    nigh_status status = nj_get_array(root, "added_tokens", &list, &count);
    for (size_t i = 0; i < count && !status; i++) {
        int64_t id;
        const char *name;
        status = nj_at(&list, i, JSON_OBJECT, &item);
        if (!status) status = nj_get_int(&item, "id", 0, INT32_MAX / 4, &id);
        if (!status) status = nj_get_text(&item, "content", &name);
        if (!status && is_true(&item, "single_word")) status = nj_fail(&item, NIGH_UNSUPPORTED, "single_word", "tokens that must stand alone are not known");
        unsigned flags = (is_true(&item, "special") ? TOKEN_CONTROL : TOKEN_USER) | (is_true(&item, "lstrip") ? TOKEN_LSTRIP : 0u) |
                         (is_true(&item, "rstrip") ? TOKEN_RSTRIP : 0u);
        if (!status) status = put_entry(&item, entries, most, id, name, strlen(name), flags);
    }
    return status;
}

/* One more than the largest id; ids are few more than there are names. */
static nigh_status count_ids(const nj *root, const nj *vocab, int64_t *most)
{
    int64_t largest = -1, names = (int64_t)json_object_size(vocab->json);
    const char *key;
    json_t *value;
    json_object_foreach(vocab->json, key, value)
    {
        if (!json_is_integer(value)) return nj_fail(vocab, NIGH_FORMAT, NULL, "token '%.40s' has no number", key);
        if (json_integer_value(value) > largest) largest = json_integer_value(value);
    }
    const json_t *added = json_object_get(root->json, "added_tokens");
    for (size_t i = 0; i < json_array_size(added); i++) {
        int64_t id = json_integer_value(json_object_get(json_array_get(added, i), "id"));
        names++;
        if (id > largest) largest = id;
    }
    if (largest < 0 || largest > 4 * names + 1024) return nj_fail(vocab, NIGH_FORMAT, NULL, "the largest token is %lld of %lld", (long long)largest, (long long)names);
    *most = largest + 1;
    return NIGH_OK;
}

static nigh_status keep_names(nigh_tokenizer *t, const nj *root, const entry *entries, int64_t count)
{
    nigh_status status = words_new(t->ctx, count, &t->find);
    t->count = (int32_t)count;
    t->flags = nigh_alloc_zero(t->ctx, (size_t)count, 1);
    if (!t->flags) status = NIGH_MEMORY;
    for (int32_t i = 0; i < count && !status; i++) {
        char empty[32];
        bool used = entries[i].used && entries[i].size;
        size_t size = used ? entries[i].size : (size_t)snprintf(empty, sizeof empty, "[EMPTY_%d]", i);
        t->flags[i] = (uint8_t)(used ? entries[i].flags : TOKEN_UNUSED);
        status = texts_add(t->ctx, &t->names, used ? entries[i].name : empty, size);
        if (!status && words_add(&t->find, &t->names, i) != i)
            status = nj_fail(root, NIGH_FORMAT, NULL, "two tokens have the name '%.40s'", used ? entries[i].name : empty);
    }
    return status;
}

static nigh_status take_names(nigh_tokenizer *t, const nj *root, const nj *model)
{
    nj vocab;
    int64_t count = 0;
    nigh_status status = nj_get_object(model, "vocab", &vocab);
    if (!status) status = count_ids(root, &vocab, &count);
    if (status) return status;
    entry *entries = nigh_alloc_zero(t->ctx, (size_t)count, sizeof *entries);
    if (!entries) return NIGH_MEMORY;
    const char *key;
    json_t *value;
    json_object_foreach(vocab.json, key, value)
    {
        size_t size = strlen(key);
        if (!status) status = put_entry(&vocab, entries, count, json_integer_value(value), key, size, byte_flag(key, size, t->byte_fallback));
    }
    if (!status) status = put_added(root, entries, count);
    if (!status) status = keep_names(t, root, entries, count);
    nigh_free(t->ctx, entries);
    return status;
}

/* ---- the model ---- */

static nigh_status take_merge(nigh_tokenizer *t, const nj *list, size_t i)
{
    const json_t *item = json_array_get(list->json, i);
    const char *left, *right;
    size_t left_size, right_size;
    if (json_is_string(item)) {
        left = json_string_value(item);
        const char *blank = *left ? strchr(left + 1, ' ') : NULL;
        if (!blank) return nj_fail(list, NIGH_FORMAT, NULL, "merge %zu: '%.40s' holds no blank between two texts", i, left);
        left_size = (size_t)(blank - left), right = blank + 1, right_size = strlen(right);
    } else {
        left = json_string_value(json_array_get(item, 0)), right = json_string_value(json_array_get(item, 1));
        if (json_array_size(item) != 2 || !left || !right) return nj_fail(list, NIGH_FORMAT, NULL, "merge %zu is no pair of texts", i);
        left_size = strlen(left), right_size = strlen(right);
    }
    int32_t before = (int32_t)t->names.count;
    nigh_status status = tokenizer_add_merge(t, left, left_size, right, right_size, (uint32_t)i);
    if (!status && t->names.count != before) return nj_fail(list, NIGH_FORMAT, NULL, "merge %zu: '%.40s' and '%.40s' are not tokens, or their union is none", i, left, right);
    return status;
}

static nigh_status take_model(nigh_tokenizer *t, const nj *root, const nj *model)
{
    static const char *const foreign[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = text_of(model, "type");
    if (type ? strcmp(type, "BPE") != 0 : !is_set(model, "merges"))
        return nj_fail(model, NIGH_UNSUPPORTED, "type", "the model '%.40s' is not known; BPE is", type ? type : "without a name");
    for (int i = 0; i < 2; i++)
        if (text_of(model, foreign[i]) && *text_of(model, foreign[i])) return nj_fail(model, NIGH_UNSUPPORTED, foreign[i], "'%.40s' is not known", text_of(model, foreign[i]));
    if (json_number_value(json_object_get(model->json, "dropout")) != 0) return nj_fail(model, NIGH_UNSUPPORTED, "dropout", "merging by chance is not known");
    t->byte_fallback = is_true(model, "byte_fallback");
    t->fuse_unknown = is_true(model, "fuse_unk");
    t->ignore_merges = is_true(model, "ignore_merges");
    nigh_status status = take_names(t, root, model);
    nj list;
    size_t count = 0;
    if (!status) status = nj_get_array(model, "merges", &list, &count);
    if (!status) status = merges_new(t->ctx, (int64_t)count, &t->merge);
    for (size_t i = 0; i < count && !status; i++) status = take_merge(t, &list, i);
    if (!status && text_of(model, "unk_token")) t->unknown = nigh_token_find(t, text_of(model, "unk_token"));
    return status;
}

/* ---- tokenizer_config.json ---- */

/* "bos_token": a text, or an object with "content". */
static void take_token(const nigh_tokenizer *t, const nj *config, const char *key, int32_t *id)
{
    const json_t *value = json_object_get(config->json, key);
    const char *name = json_is_object(value) ? json_string_value(json_object_get(value, "content")) : json_string_value(value);
    int32_t found = name ? nigh_token_find(t, name) : -1;
    if (*id < 0) *id = found;
}

/* A text, or a list of {"name", "template"}: the one called default. */
static const char *template_of(const nj *config)
{
    const json_t *value = json_object_get(config->json, "chat_template");
    if (!json_is_array(value)) return json_string_value(value);
    const char *first = NULL;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(item, "name")), *text = json_string_value(json_object_get(item, "template"));
        if (name && !strcmp(name, "default")) return text;
        if (!first) first = text;
    }
    return first;
}

static nigh_status beside(nigh_context *ctx, const char *path, const char *name, char **out)
{
    const char *slash = strrchr(path, '/');
    *out = nigh_format(ctx, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, name);
    return *out ? NIGH_OK : NIGH_MEMORY;
}

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

static nigh_status take_config(nigh_tokenizer *t, const char *path)
{
    char *name = NULL;
    nj config = {0};
    nigh_status status = beside(t->ctx, path, "tokenizer_config.json", &name);
    if (!status && exists(name)) {
        status = nj_load(t->ctx, name, FILE_MOST, &config);
        if (!status && !json_is_object(config.json)) status = nj_fail(&config, NIGH_FORMAT, NULL, "is no object");
        if (!status) {
            take_token(t, &config, "bos_token", &t->begin);
            take_token(t, &config, "eos_token", &t->end);
            const char *text = template_of(&config);
            if (text && !(t->chat_template = nigh_strdup(t->ctx, text))) status = NIGH_MEMORY;
        }
        nj_free(&config);
    }
    nigh_free(t->ctx, name);
    return status;
}

/* ---- all ---- */

static nigh_status part(nigh_tokenizer *t, const nj *root, const char *key, nigh_status take(nigh_tokenizer *t, const nj *node))
{
    nj node;
    if (!is_set(root, key)) return NIGH_OK;
    nigh_status status = nj_get_object(root, key, &node);
    return status ? status : take(t, &node);
}

static nigh_status take_all(nigh_tokenizer *t, const nj *root, const char *path)
{
    nj model;
    int32_t id_of[ROLES];
    for (int r = 0; r < ROLES; r++) id_of[r] = -1;
    if (!json_is_object(root->json)) return nj_fail(root, NIGH_FORMAT, NULL, "is no object");
    nigh_status status = nj_get_object(root, "model", &model);
    t->chars = true; /* until a step of bytes is met */
    if (!status) status = take_model(t, root, &model);
    if (!status) status = part(t, root, "normalizer", json_normalizer);
    if (!status) status = part(t, root, "pre_tokenizer", json_pre_tokenizer);
    if (!status) status = part(t, root, "decoder", json_decoder);
    if (!status) status = part(t, root, "post_processor", json_post_processor);
    if (!status && path) status = take_config(t, path);
    if (status) return status;
    if (t->chars)
        tokenizer_name_bytes(t);
    else
        status = tokenizer_add_bytes(t);
    if (!status) tokenizer_find_ends(t, id_of);
    return status ? status : tokenizer_finish(t);
}

static nigh_status make(nigh_context *ctx, nj *root, const char *path, nigh_tokenizer **tokenizer)
{
    nigh_tokenizer *t = NULL;
    nigh_status status = tokenizer_new(ctx, TOKENIZER_BPE, &t);
    if (!status && !(t->json = nigh_alloc_zero(ctx, 1, sizeof *t->json))) status = NIGH_MEMORY;
    if (!status) status = take_all(t, root, path);
    if (status)
        nigh_tokenizer_free(t);
    else
        *tokenizer = t;
    return status;
}

nigh_status nigh_tokenizer_load(nigh_context *ctx, const char *path, nigh_tokenizer **tokenizer)
{
    nj root = {0};
    nigh_status status = nj_load(ctx, path, FILE_MOST, &root);
    if (status) return status;
    status = make(ctx, &root, path, tokenizer);
    nj_free(&root);
    return status;
}

nigh_status tokenizer_parse_json(nigh_context *ctx, const char *name, const char *text, size_t size, nigh_tokenizer **tokenizer)
{
    nj root = {0};
    nigh_status status = nj_parse(ctx, name, text, size, &root);
    if (status) return status;
    status = make(ctx, &root, NULL, tokenizer);
    nj_free(&root);
    return status;
}
