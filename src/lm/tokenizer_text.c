/* Tokens to text: the bytes of each token, made once; which bytes can stand before an escaped blank. */
#include "lm/characters.h"
#include "lm/tokenizer_json.h"
#include "lm/tokenizer_special.h"

#include <stdlib.h>

static const char escaped[3] = {'\xE2', '\x96', '\x81'};

/* A name of byte-level BPE. A character that stands for no byte is shown as the reference program does. */
static nigh_status decode_bpe(const nigh_tokenizer *t, const char *name, size_t size, nigh_buffer *out)
{
    nigh_buffer mended = {.ctx = t->ctx};
    const char *p = name;
    size_t n = size;
    nigh_status status = NIGH_OK;
    if (char_right(name, size) < size) {
        status = char_mend(name, size, &mended);
        p = mended.data, n = mended.size;
    }
    char bytes[64];
    size_t ready = 0;
    for (size_t i = 0; i < n && !status;) {
        size_t width = char_size((unsigned char)p[i]);
        int byte = byte_of_name(char_point(p + i));
        if (byte >= 0) bytes[ready++] = (char)byte;
        if (ready == sizeof bytes || byte < 0) status = nigh_buffer_add(out, bytes, ready), ready = 0;
        if (byte < 0 && t->json) {
            if (!status) status = nigh_buffer_add(out, p + i, width);
        } else if (byte < 0) {
            if (!status) status = nigh_buffer_print(out, "[UNK_BYTE_0x");
            for (size_t k = 0; k < width && !status; k++) status = nigh_buffer_print(out, "%02x", (unsigned char)p[i + k]);
            if (!status) status = nigh_buffer_add(out, name, size);
            if (!status) status = nigh_buffer_add(out, "]", 1);
        }
        i += width;
    }
    if (!status && ready) status = nigh_buffer_add(out, bytes, ready);
    nigh_buffer_free(&mended);
    return status;
}

/* Names are short: a search for one byte is several times as fast as one for three. */
static const char *next_blank(const char *from, const char *end)
{
    while ((from = memchr(from, escaped[0], (size_t)(end - from))) && (end - from < 3 || memcmp(from, escaped, 3))) from++;
    return from;
}

static nigh_status decode_sentence(const char *name, size_t size, nigh_buffer *out)
{
    const char *end = name + size, *blank;
    nigh_status status = NIGH_OK;
    for (; !status && (blank = next_blank(name, end)); name = blank + 3) {
        status = nigh_buffer_add(out, name, (size_t)(blank - name));
        if (!status) status = nigh_buffer_add(out, " ", 1);
    }
    return status ? status : nigh_buffer_add(out, name, (size_t)(end - name));
}

/* The byte that "<0x0A>" stands for, or -1. */
static int named_byte(const char *name, size_t size)
{
    if (size != 6 || memcmp(name, "<0x", 3) || name[5] != '>') return -1;
    char digits[3] = {name[3], name[4], 0}, *end;
    long byte = strtol(digits, &end, 16);
    return end == digits + 2 && digits[0] != '+' && digits[0] != '-' && digits[0] != ' ' ? (int)byte : -1;
}

static nigh_status decode(const nigh_tokenizer *t, int32_t id, nigh_buffer *out)
{
    size_t size;
    const char *name = texts_get(&t->names, id, &size);
    unsigned flags = t->flags[id];
    if (flags & (TOKEN_CONTROL | TOKEN_UNKNOWN | TOKEN_UNUSED)) return NIGH_OK;
    if (flags & TOKEN_USER) return nigh_buffer_add(out, name, size);
    if (flags & TOKEN_BYTE) {
        int byte = named_byte(name, size);
        char c = (char)byte;
        return byte < 0 ? NIGH_OK : nigh_buffer_add(out, &c, 1);
    }
    return t->kind == TOKENIZER_SENTENCE || t->chars ? decode_sentence(name, size, out) : decode_bpe(t, name, size, out);
}

static void find_joins(nigh_tokenizer *t)
{
    const char *p = t->names.text, *end = p + t->names.size;
    while ((p = memmem(p, (size_t)(end - p), escaped, 3))) {
        if (p > t->names.text) t->joins_blank[(unsigned char)p[-1]] = true;
        p += 3;
    }
    int64_t zeros = 0;
    for (size_t i = 0; i < t->names.size; i++) zeros += !t->names.text[i];
    t->joins_blank[0] = zeros > t->names.count; /* a name holds a 0, not only those behind names */
}

nigh_status tokenizer_finish(nigh_tokenizer *t)
{
    nigh_buffer text = {.ctx = t->ctx};
    nigh_status status = texts_reserve(t->ctx, &t->bytes, t->count, t->names.size + 1);
    for (int32_t i = 0; i < t->count && !status; i++) {
        text.size = 0;
        status = decode(t, i, &text);
        if (!status) status = texts_add(t->ctx, &t->bytes, text.data ? text.data : "", text.size);
    }
    nigh_buffer_free(&text);
    if (t->kind == TOKENIZER_SENTENCE) find_joins(t);
    return status ? status : special_new(t);
}

/* ---- texts ---- */

/* Blanks that detokenizing adds in front of signs are taken back, as llama.cpp does for vocabularies that ask for it. */
static size_t clean(char *text, size_t size)
{
    size_t n = size ? 1 : 0;
    for (size_t i = 1; i < size; i++) {
        char c = text[i];
        if (text[i - 1] == ' ' && (c == '?' || c == '!' || c == '.' || c == ',')) n--;
        text[n++] = c;
    }
    size = n, n = size ? 1 : 0;
    for (size_t i = 1; i < size; i++) {
        char c = text[i];
        if (c == '\'' && i + 1 < size && text[i - 1] == ' ' && text[i + 1] == ' ') {
            n--;
            text[++i] = 0;
        }
        text[n++] = c;
    }
    size = n, n = size ? 1 : 0;
    for (size_t i = 1; i < size; i++) {
        char c = text[i];
        if (text[i - 1] == ' ' && c == '\'' && i + 1 < size) {
            char a = text[i + 1], b = i + 2 < size ? text[i + 2] : 0;
            if (a == 's' || a == 'm' || ((a == 'r' || a == 'v') && b == 'e')) n--;
        }
        text[n++] = c;
    }
    return n;
}

nigh_status nigh_detokenize(const nigh_tokenizer *t, const int32_t *ids, int64_t count, bool first, nigh_buffer *out)
{
    size_t before = out->size;
    bool lead = first && t->space_prefix;
    if (first && t->add_begin && count && ids[0] == t->begin) ids++, count--;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < count && !status; i++) {
        if (ids[i] < 0 || ids[i] >= t->count)
            status = nigh_fail(t->ctx, NIGH_INVALID, "token %lld is %d; 0 to %d are allowed", (long long)i, ids[i], t->count - 1);
        if (status) break;
        size_t size;
        const char *bytes = nigh_token_bytes(t, ids[i], &size);
        if (lead && t->json && t->json->strip_first) {
            for (size_t k = 0; k < size && !status; k++)
                if (bytes[k] != ' ') status = nigh_buffer_add(out, bytes + k, 1);
        } else {
            size_t cut = lead && size && *bytes == ' ';
            status = nigh_buffer_add(out, bytes + cut, size - cut);
        }
        lead = lead && t->json && !size; /* control tokens do not count there */
    }
    if (status) {
        out->size = before;
        return status;
    }
    if (t->clean_spaces && out->size > before) {
        out->size = before + clean(out->data + before, out->size - before);
        out->data[out->size] = 0;
    }
    return NIGH_OK;
}
