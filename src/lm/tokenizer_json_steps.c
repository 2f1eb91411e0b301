/* Normalizers, pre-tokenizers, decoders and post-processors of tokenizer.json. */
#include "lm/tokenizer_json.h"
#include "lm/characters.h"
#include "lm/tokenizer_regex.h"

#include <stdlib.h>
#include <utf8proc.h>

/* ---- what parts look like ---- */

static nigh_status type_of(const nj *node, const char **type) { return nj_get_text(node, "type", type); }

static bool missing(const nj *node, const char *key) { return !nj_has(node, key) || json_is_null(json_object_get(node->json, key)); }

static bool flag(const nj *node, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(node->json, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* Calls `each` for every member of a Sequence's list. */
static nigh_status sequence(nigh_tokenizer *t, const nj *node, const char *key, nigh_status each(nigh_tokenizer *t, const nj *node))
{
    nj list, child;
    size_t count;
    nigh_status status = nj_get_array(node, key, &list, &count);
    for (size_t i = 0; i < count && !status; i++) {
        status = nj_at(&list, i, JSON_OBJECT, &child);
        if (!status) status = each(t, &child);
    }
    return status;
}

/* {"String": ".."} or {"Regex": ".."} */
static nigh_status pattern_of(const nj *node, const char **text, bool *regex)
{
    nj pattern;
    nigh_status status = nj_get_object(node, "pattern", &pattern);
    if (status) return status;
    *regex = nj_has(&pattern, "Regex");
    return nj_get_text(&pattern, *regex ? "Regex" : "String", text);
}

/* ---- normalizers ---- */

static nigh_status add_change(nigh_tokenizer *t, const nj *node, change c)
{
    if (t->json->changes == sizeof t->json->change / sizeof *t->json->change) return nj_fail(node, NIGH_UNSUPPORTED, "type", "more than 16 normalizers");
    change *kept = t->json->change + t->json->changes++;
    const char *from = c.from, *to = c.to;
    *kept = c;
    kept->from = from ? nigh_strdup(t->ctx, from) : NULL;
    kept->to = to ? nigh_strdup(t->ctx, to) : NULL;
    if ((from && !kept->from) || (to && !kept->to)) return NIGH_MEMORY;
    kept->from_size = from ? strlen(from) : 0, kept->to_size = to ? strlen(to) : 0;
    return c.kind == CHANGE_REGEX ? regex_new(t->ctx, from, NULL, false, &kept->regex) : NIGH_OK;
}

nigh_status json_normalizer(nigh_tokenizer *t, const nj *node)
{
    static const struct {
        const char *name;
        change_kind kind;
    } plain[] = {{"NFC", CHANGE_NFC}, {"NFD", CHANGE_NFD}, {"NFKC", CHANGE_NFKC}, {"NFKD", CHANGE_NFKD}, {"Lowercase", CHANGE_LOWER}};
    const char *type, *from, *to;
    bool regex = false;
    nigh_status status = type_of(node, &type);
    if (status) return status;
    if (!strcmp(type, "Sequence")) return sequence(t, node, "normalizers", json_normalizer);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(type, plain[i].name)) return add_change(t, node, (change){.kind = plain[i].kind});
    if (!strcmp(type, "Strip"))
        return add_change(t, node, (change){.kind = CHANGE_STRIP, .left = flag(node, "strip_left", true), .right = flag(node, "strip_right", true)});
    if (!strcmp(type, "Prepend")) {
        status = nj_get_text(node, "prepend", &to);
        return status ? status : add_change(t, node, (change){.kind = CHANGE_PREPEND, .to = (char *)(uintptr_t)to});
    }
    if (strcmp(type, "Replace")) return nj_fail(node, NIGH_UNSUPPORTED, "type", "the normalizer '%.40s' is not known", type);
    status = pattern_of(node, &from, &regex);
    if (!status) status = nj_get_text(node, "content", &to);
    if (!status && !*from) status = nj_fail(node, NIGH_UNSUPPORTED, "pattern", "an empty pattern");
    return status ? status
                  : add_change(t, node, (change){.kind = regex ? CHANGE_REGEX : CHANGE_REPLACE, .from = (char *)(uintptr_t)from, .to = (char *)(uintptr_t)to});
}

/* ---- pre-tokenizers ---- */

static nigh_status add_step(nigh_tokenizer *t, const nj *node, split_step step)
{
    if (t->split.steps == SPLIT_STEPS) return nj_fail(node, NIGH_UNSUPPORTED, "type", "more than %d steps", SPLIT_STEPS);
    nigh_status status = step.kind == SPLIT_REGEX ? regex_new(t->ctx, step.pattern, NULL, false, &step.regex) : NIGH_OK;
    if (status) return nj_fail(node, status, "pattern", "%s", nigh_message(t->ctx));
    step.pattern = NULL;
    t->split.step[t->split.steps++] = step;
    return NIGH_OK;
}

#define SHORT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Patterns of well-known models that are cut by hand. */
static const struct {
    const char *pattern;
    split_step step;
} known[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", {.kind = SPLIT_GPT2, .contractions = SPLIT_SMALL}},
    {SHORT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" TAIL, {.kind = SPLIT_LLAMA3, .contractions = SPLIT_FOLDED, .most = 3}},
    {SHORT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" TAIL, {.kind = SPLIT_LLAMA3, .contractions = SPLIT_FOLDED, .most = 1}},
    {SHORT "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" TAIL,
     {.kind = SPLIT_LLAMA3, .contractions = SPLIT_FOLDED, .most = 1, .marks = true}},
    {"\\p{N}{1,3}", {.kind = SPLIT_NUMBERS, .most = 3}},
    {"\\p{N}", {.kind = SPLIT_NUMBERS, .most = 1}},
    {"\\p{N}+", {.kind = SPLIT_NUMBERS}},
};

/* A text as a pattern that means itself. */
static char *quoted(nigh_context *ctx, const char *text)
{
    char *out = nigh_alloc(ctx, 2 * strlen(text) + 1), *p = out;
    if (!out) return NULL;
    for (; *text; *p++ = *text++)
        if (strchr("\\^$.[]|()?*+{}#- ", *text)) *p++ = '\\';
    *p = 0;
    return out;
}

static nigh_status add_split(nigh_tokenizer *t, const nj *node)
{
    static const char *const behaviours[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", NULL};
    static const split_drop plain[] = {SPLIT_KEEP, SPLIT_DROP_MATCHES, SPLIT_WITH_PREVIOUS, SPLIT_WITH_NEXT};
    const char *pattern;
    bool regex = false, invert = flag(node, "invert", false);
    int behaviour;
    nigh_status status = pattern_of(node, &pattern, &regex);
    if (status) return status;
    const char *name = json_string_value(json_object_get(node->json, "behavior"));
    if (name && !strcmp(name, "Contiguous")) return nj_fail(node, NIGH_UNSUPPORTED, "behavior", "'Contiguous' is not known");
    status = nj_get_choice(node, "behavior", behaviours, &behaviour);
    if (status) return status;
    if (invert && behaviour > 1) return nj_fail(node, NIGH_UNSUPPORTED, "invert", "an inverted pattern that is merged is not known");
    split_step step = {.kind = SPLIT_REGEX, .pattern = pattern, .drop = invert && behaviour == 1 ? SPLIT_DROP_GAPS : plain[behaviour]};
    bool whole = step.drop == SPLIT_KEEP || step.drop == SPLIT_DROP_GAPS;
    for (size_t i = 0; whole && regex && i < sizeof known / sizeof *known; i++)
        if (!strcmp(pattern, known[i].pattern) && (step.drop == SPLIT_KEEP || known[i].step.kind != SPLIT_NUMBERS)) return add_step(t, node, known[i].step);
    if (regex) return add_step(t, node, step);
    char *text = quoted(t->ctx, pattern);
    if (!text) return NIGH_MEMORY;
    step.pattern = text;
    status = *text ? add_step(t, node, step) : nj_fail(node, NIGH_UNSUPPORTED, "pattern", "an empty pattern");
    nigh_free(t->ctx, text);
    return status;
}

static nigh_status add_metaspace(nigh_tokenizer *t, const nj *node)
{
    const char *mark = "\u2581", *scheme = "always";
    nigh_status status = missing(node, "replacement") ? NIGH_OK : nj_get_text(node, "replacement", &mark);
    if (!status && strcmp(mark, "\u2581")) status = nj_fail(node, NIGH_UNSUPPORTED, "replacement", "'%.20s'; only U+2581 is known", mark);
    if (!status && t->split.steps) status = nj_fail(node, NIGH_UNSUPPORTED, "type", "Metaspace behind other pre-tokenizers");
    if (!status && !missing(node, "prepend_scheme")) status = nj_get_text(node, "prepend_scheme", &scheme);
    if (status) return status;
    if (missing(node, "prepend_scheme") && !flag(node, "add_prefix_space", true)) scheme = "never";
    t->json->prefix = !strcmp(scheme, "always") ? PREFIX_ALWAYS : !strcmp(scheme, "first") ? PREFIX_FIRST : PREFIX_NONE;
    t->json->escape = true;
    return flag(node, "split", true) ? add_step(t, node, (split_step){.kind = SPLIT_BLANKS}) : NIGH_OK;
}

static nigh_status add_byte_level(nigh_tokenizer *t, const nj *node)
{
    if (flag(node, "add_prefix_space", true)) {
        if (t->split.steps) return nj_fail(node, NIGH_UNSUPPORTED, "add_prefix_space", "true behind other pre-tokenizers");
        t->json->prefix = PREFIX_ALWAYS;
    }
    t->chars = false;
    return flag(node, "use_regex", true) ? add_step(t, node, known[0].step) : NIGH_OK;
}

nigh_status json_pre_tokenizer(nigh_tokenizer *t, const nj *node)
{
    const char *type;
    nigh_status status = type_of(node, &type);
    if (status) return status;
    if (!strcmp(type, "Sequence")) return sequence(t, node, "pretokenizers", json_pre_tokenizer);
    if (!strcmp(type, "ByteLevel")) return add_byte_level(t, node);
    if (!strcmp(type, "Split")) return add_split(t, node);
    if (!strcmp(type, "Digits")) return add_step(t, node, (split_step){.kind = SPLIT_NUMBERS, .most = flag(node, "individual_digits", false)});
    if (!strcmp(type, "Metaspace")) return add_metaspace(t, node);
    if (!strcmp(type, "WhitespaceSplit")) return add_step(t, node, (split_step){.kind = SPLIT_REGEX, .pattern = "\\s+", .drop = SPLIT_DROP_MATCHES});
    if (!strcmp(type, "Whitespace")) return add_step(t, node, (split_step){.kind = SPLIT_REGEX, .pattern = "\\w+|[^\\w\\s]+", .drop = SPLIT_DROP_GAPS});
    return nj_fail(node, NIGH_UNSUPPORTED, "type", "the pre-tokenizer '%.40s' is not known", type);
}

/* ---- decoders and post-processors ---- */

nigh_status json_decoder(nigh_tokenizer *t, const nj *node)
{
    const char *type;
    nigh_status status = type_of(node, &type);
    if (status) return status;
    if (!strcmp(type, "Sequence")) return sequence(t, node, "decoders", json_decoder);
    if (!strcmp(type, "Strip")) t->space_prefix = true;
    const char *scheme = json_string_value(json_object_get(node->json, "prepend_scheme"));
    if (!strcmp(type, "Metaspace")) t->json->strip_first = t->space_prefix = scheme ? strcmp(scheme, "never") != 0 : flag(node, "add_prefix_space", true);
    static const char *const fine[] = {"ByteLevel", "Strip", "Metaspace", "Replace", "ByteFallback", "Fuse"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (!strcmp(type, fine[i])) return NIGH_OK;
    return nj_fail(node, NIGH_UNSUPPORTED, "type", "the decoder '%.40s' is not known", type);
}

/* [token] text [token] */
static nigh_status template(nigh_tokenizer *t, const nj *node)
{
    nj list, item, part;
    size_t count;
    bool seen = false;
    const char *name;
    nigh_status status = nj_get_array(node, "single", &list, &count);
    for (size_t i = 0; i < count && !status; i++) {
        status = nj_at(&list, i, JSON_OBJECT, &item);
        if (status) break;
        if (nj_has(&item, "Sequence")) {
            seen = true;
            continue;
        }
        status = nj_get_object(&item, "SpecialToken", &part);
        if (!status) status = nj_get_text(&part, "id", &name);
        if (status) break;
        int32_t id = nigh_token_find(t, name), *to = seen ? &t->end : &t->begin;
        bool *add = seen ? &t->add_end : &t->add_begin;
        if (id < 0) return nj_fail(&part, NIGH_FORMAT, "id", "'%.40s' is no token", name);
        if (*add) return nj_fail(node, NIGH_UNSUPPORTED, "single", "more than one token on one side of the text");
        *to = id, *add = true;
    }
    return status;
}

nigh_status json_post_processor(nigh_tokenizer *t, const nj *node)
{
    const char *type;
    nigh_status status = type_of(node, &type);
    if (status) return status;
    if (!strcmp(type, "Sequence")) return sequence(t, node, "processors", json_post_processor);
    if (!strcmp(type, "ByteLevel")) return NIGH_OK;
    if (!strcmp(type, "TemplateProcessing")) return template(t, node);
    return nj_fail(node, NIGH_UNSUPPORTED, "type", "the post-processor '%.40s' is not known", type);
}

void json_free(nigh_tokenizer *t)
{
    if (!t->json) return;
    for (int i = 0; i < t->json->changes; i++) {
        nigh_free(t->ctx, t->json->change[i].from);
        nigh_free(t->ctx, t->json->change[i].to);
        regex_free(t->ctx, t->json->change[i].regex);
    }
    nigh_free(t->ctx, t->json);
}

/* ---- running ---- */

static nigh_status compose(nigh_context *ctx, const nigh_buffer *in, int options, nigh_buffer *out)
{
    utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)in->data, (utf8proc_ssize_t)in->size, &made, (utf8proc_option_t)(options | UTF8PROC_STABLE));
    if (size < 0) return nigh_fail(ctx, NIGH_INVALID, "a text cannot be normalized: %s", utf8proc_errmsg(size));
    nigh_status status = nigh_buffer_add(out, made, (size_t)size);
    free(made);
    return status;
}

static nigh_status small_letters(const nigh_buffer *in, nigh_buffer *out)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < in->size && !status; i += char_size((unsigned char)in->data[i])) {
        char text[4];
        uint32_t point = char_point(in->data + i);
        if (point == 0x130)
            status = nigh_buffer_add(out, "i\u0307", 3);
        else
            status = nigh_buffer_add(out, text, char_put((uint32_t)utf8proc_tolower((utf8proc_int32_t)point), text));
    }
    return status;
}

static nigh_status replace(const change *c, const nigh_buffer *in, nigh_buffer *out)
{
    nigh_status status = NIGH_OK;
    split_room room = {0};
    for (size_t at = 0; at < in->size && !status;) {
        size_t from = in->size, to = in->size;
        bool found = false;
        if (c->regex) {
            status = regex_find(c->regex, &room, in->ctx, in->data, at, in->size, &from, &to, &found);
        } else {
            const char *hit = memmem(in->data + at, in->size - at, c->from, c->from_size);
            found = hit != NULL;
            if (found) from = (size_t)(hit - in->data), to = from + c->from_size;
        }
        if (!status) status = nigh_buffer_add(out, in->data + at, (found ? from : in->size) - at);
        if (!status && found) status = nigh_buffer_add(out, c->to, c->to_size);
        if (found && to == from && to < in->size) { /* an empty match: its character stays */
            size_t n = char_size((unsigned char)in->data[to]);
            if (!status) status = nigh_buffer_add(out, in->data + to, n);
            to += n;
        }
        at = found ? to : in->size;
    }
    regex_room_free(&room);
    return status;
}

static nigh_status strip(const change *c, const nigh_buffer *in, nigh_buffer *out)
{
    size_t from = 0, to = in->size;
    while (c->left && from < to && char_class(in->data + from) & CHAR_SPACE) from += char_size((unsigned char)in->data[from]);
    while (c->right && to > from) {
        size_t last = to - 1;
        while (last > from && (in->data[last] & 0xC0) == 0x80) last--;
        if (!(char_class(in->data + last) & CHAR_SPACE)) break;
        to = last;
    }
    return nigh_buffer_add(out, in->data + from, to - from);
}

static nigh_status apply(const nigh_tokenizer *t, const change *c, const nigh_buffer *in, nigh_buffer *out)
{
    switch (c->kind) {
    case CHANGE_NFC: return compose(t->ctx, in, UTF8PROC_COMPOSE, out);
    case CHANGE_NFD: return compose(t->ctx, in, UTF8PROC_DECOMPOSE, out);
    case CHANGE_NFKC: return compose(t->ctx, in, UTF8PROC_COMPOSE | UTF8PROC_COMPAT, out);
    case CHANGE_NFKD: return compose(t->ctx, in, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, out);
    case CHANGE_LOWER: return small_letters(in, out);
    case CHANGE_STRIP: return strip(c, in, out);
    case CHANGE_PREPEND: {
        nigh_status status = in->size ? nigh_buffer_add(out, c->to, c->to_size) : NIGH_OK;
        return status ? status : nigh_buffer_add(out, in->data, in->size);
    }
    default: return replace(c, in, out);
    }
}

/* Broken bytes and surrogates become U+FFFD. */
static nigh_status mend(const char *text, size_t size, nigh_buffer *out)
{
    nigh_status status = char_mend(text, size, out);
    for (size_t i = 0; !status && i + 2 < out->size; i++)
        if (out->data[i] == '\xED' && (unsigned char)out->data[i + 1] >= 0xA0) memcpy(out->data + i, "\uFFFD", 3);
    return status;
}

nigh_status json_change(const nigh_tokenizer *t, const char *text, size_t size, bool first, nigh_buffer *out)
{
    const tokenizer_json *json = t->json;
    nigh_buffer other = {.ctx = out->ctx};
    out->size = 0;
    nigh_status status = mend(text, size, out);
    for (int i = 0; i < json->changes && !status; i++) {
        other.size = 0;
        status = apply(t, json->change + i, out, &other);
        nigh_buffer swap = *out;
        *out = other, other = swap;
    }
    if (!status && out->size && (json->prefix || json->escape)) {
        static char one[] = " ", escaped[] = "\u2581";
        static const change blanks = {.kind = CHANGE_REPLACE, .from = one, .to = escaped, .from_size = 1, .to_size = 3};
        const char *blank = json->escape ? "\u2581" : " ";
        other.size = 0;
        bool has = *out->data == ' ' || (json->escape && out->size >= 3 && !memcmp(out->data, "\u2581", 3));
        if ((json->prefix == PREFIX_ALWAYS || (json->prefix == PREFIX_FIRST && first)) && !has) status = nigh_buffer_add(&other, blank, strlen(blank));
        if (!status) status = json->escape ? replace(&blanks, out, &other) : nigh_buffer_add(&other, out->data, out->size);
        nigh_buffer swap = *out;
        *out = other, other = swap;
    }
    nigh_buffer_free(&other);
    return status;
}
