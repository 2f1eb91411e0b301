/* A text to tokens: special tokens, pre-tokenizer, words; words that came before are remembered. */
#include "lm/characters.h"
#include "lm/tokenizer_json.h"
#include "lm/tokenizer_regex.h"
#include "lm/tokenizer_special.h"

enum { WORD_MOST = 30, WORD_TOKENS = 8, CACHE_FROM = 1024, CACHE_MOST = 1 << 14 };

typedef struct cached {
    unsigned char size, count; /* size 0: free */
    char word[WORD_MOST];
    int32_t id[WORD_TOKENS];
} cached;

typedef struct run {
    const nigh_tokenizer *t;
    nigh_token_list *out;
    cached *cache; /* NULL: the text is too short to pay for it */
    uint64_t mask;
    merge_room room;
    nigh_buffer mended;
    split_room split[SPLIT_STEPS];
} run;

/* ---- words ---- */

static uint64_t word_hash(const char *word, size_t size)
{
    uint64_t a = 0, b = 0;
    if (size >= 8) {
        memcpy(&a, word, 8);
        memcpy(&b, word + size - 8, 8);
        if (size > 16) {
            uint64_t c;
            memcpy(&c, word + 8, 8);
            a ^= c * 0xA0761D6478BD642Fu;
        }
    } else {
        for (size_t i = 0; i < size; i++) a = a << 8 | (unsigned char)word[i];
    }
    a = (a ^ size) * 0x9E3779B97F4A7C15u + b * 0xC2B2AE3D27D4EB4Fu;
    return a ^ a >> 32;
}

static nigh_status merge_word(run *r, const char *word, size_t size)
{
    if (r->t->kind == TOKENIZER_SENTENCE) return merge_sentence(r->t, word, size, &r->room, r->out);
    return merge_bpe(r->t, word, size, &r->room, r->out);
}

static nigh_status put_word(run *r, const char *word, size_t size)
{
    if (!r->cache || size > WORD_MOST) return merge_word(r, word, size);
    cached *c = r->cache + (word_hash(word, size) & r->mask);
    if (c->size == size && !memcmp(c->word, word, size)) {
        nigh_token_list *out = r->out;
        if (out->room - out->count < WORD_TOKENS) return nigh_token_list_add(out, c->id, c->count);
        memcpy(out->id + out->count, c->id, sizeof c->id);
        out->count += c->count;
        return NIGH_OK;
    }
    int64_t before = r->out->count;
    nigh_status status = merge_word(r, word, size);
    int64_t made = r->out->count - before;
    if (status || made > WORD_TOKENS) return status;
    c->size = (unsigned char)size, c->count = (unsigned char)made;
    memcpy(c->word, word, size);
    memcpy(c->id, r->out->id + before, (size_t)made * sizeof *c->id);
    return NIGH_OK;
}

/* ---- byte-level BPE ---- */

static nigh_status cut_piece(run *r, int step, const char *text, size_t size);

/* With SPLIT_WITH_PREVIOUS and SPLIT_WITH_NEXT a match and what lies between become one piece. */
static nigh_status cut_merged(run *r, int step, const char *text, size_t size)
{
    const split_step *s = r->t->split.step + step;
    split_room *room = r->split + step;
    bool before = s->drop == SPLIT_WITH_PREVIOUS, open = false;
    size_t from = 0;
    nigh_status status = NIGH_OK;
    for (size_t at = 0, end; at < size && !status; at = end) {
        status = split_next(s, room, text, at, size, &end);
        bool joins = open && room->matched == before; /* the open piece waits for the other kind */
        if (!status && open && !joins) {
            status = cut_piece(r, step + 1, text + from, at - from);
            from = at;
        }
        open = !joins && room->matched != before;
        if (!status && !open) {
            status = cut_piece(r, step + 1, text + from, end - from);
            from = end;
        }
    }
    return status || !open ? status : cut_piece(r, step + 1, text + from, size - from);
}

static nigh_status cut_piece(run *r, int step, const char *text, size_t size)
{
    if (step == r->t->split.steps) return put_word(r, text, size);
    const split_step *s = r->t->split.step + step;
    nigh_status status = split_begin(s, r->split + step, r->t->ctx, text, size);
    if (s->drop >= SPLIT_WITH_PREVIOUS) return status ? status : cut_merged(r, step, text, size);
    for (size_t at = 0; at < size && !status;) {
        size_t end;
        status = split_next(s, r->split + step, text, at, size, &end);
        bool dropped = s->drop && r->split[step].matched == (s->drop == SPLIT_DROP_MATCHES);
        if (!status && !dropped) status = cut_piece(r, step + 1, text + at, end - at);
        at = end;
    }
    return status;
}

static nigh_status run_bpe(run *r, const char *text, size_t size, bool first)
{
    if (r->t->json) {
        nigh_status changed = json_change(r->t, text, size, first, &r->mended);
        return changed || !r->mended.size ? changed : cut_piece(r, 0, r->mended.data, r->mended.size);
    }
    if (char_right(text, size) == size) return cut_piece(r, 0, text, size);
    r->mended.size = 0;
    nigh_status status = char_mend(text, size, &r->mended);
    return status ? status : cut_piece(r, 0, r->mended.data, r->mended.size);
}

/* ---- SentencePiece ---- */

/* Blanks become U+2581, one more in front when `first`. */
static nigh_status escape(run *r, const char *text, size_t size, bool first)
{
    static const char blank[3] = {'\xE2', '\x96', '\x81'};
    r->mended.size = 0;
    nigh_status status = first ? nigh_buffer_add(&r->mended, blank, 3) : NIGH_OK;
    for (size_t i = 0; i < size && !status;) {
        const char *space = memchr(text + i, ' ', size - i);
        size_t end = space ? (size_t)(space - text) : size;
        status = nigh_buffer_add(&r->mended, text + i, end - i);
        if (!status && space) status = nigh_buffer_add(&r->mended, blank, 3);
        i = end + (space != NULL);
    }
    return status;
}

/*
 * No merge can cross a place in front of an escaped blank when no token has the byte before it and the blank side by side, so the text may be cut there
 * without a change of the outcome.
 */
static nigh_status run_sentence(run *r, const char *text, size_t size, bool first)
{
    nigh_status status = escape(r, text, size, first && r->t->space_prefix);
    const char *p = r->mended.data;
    size_t from = 0, n = r->mended.size;
    for (size_t i = 0; i < n && !status;) {
        unsigned char byte = (unsigned char)p[i];
        if (byte == 0xE2 && i > from && n - i >= 3 && p[i + 1] == '\x96' && p[i + 2] == '\x81' && !r->t->joins_blank[(unsigned char)p[i - 1]]) {
            status = put_word(r, p + from, i - from);
            from = i;
        }
        i += byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    }
    return status || from == n ? status : put_word(r, p + from, n - from);
}

/* ---- whole texts ---- */

static nigh_status run_bytes(run *r, const char *text, size_t size)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < size && !status; i++) {
        int32_t id = (unsigned char)text[i];
        status = nigh_token_list_add(r->out, &id, 1);
    }
    return status;
}

static nigh_status run_text(run *r, const char *text, size_t size, bool first)
{
    if (!size) return NIGH_OK;
    switch (r->t->kind) {
    case TOKENIZER_BYTES: return run_bytes(r, text, size);
    case TOKENIZER_SENTENCE: return run_sentence(r, text, size, first);
    default: return run_bpe(r, text, size, first);
    }
}

/* Blanks of ASCII for GGUF files, of Unicode for tokenizer.json, as the reference programs have them. */
static bool blank_at(const nigh_tokenizer *t, const char *text, size_t at, size_t size)
{
    if (!(text[at] & 0x80)) return text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r');
    return t->json && size == char_size((unsigned char)text[at]) && char_class(text + at) & CHAR_SPACE;
}

static size_t strip_front(const nigh_tokenizer *t, const char *text, size_t at, size_t end)
{
    for (size_t n; at < end; at += n) {
        n = char_size((unsigned char)text[at]);
        if (n > end - at || !blank_at(t, text, at, n)) break;
    }
    return at;
}

static size_t strip_back(const nigh_tokenizer *t, const char *text, size_t at, size_t end)
{
    while (end > at) {
        size_t last = end - 1;
        while (last > at && end - last < 4 && (text[last] & 0xC0) == 0x80) last--;
        if (!blank_at(t, text, last, end - last)) break;
        end = last;
    }
    return end;
}

static nigh_status run_all(run *r, const char *text, size_t size, bool special)
{
    special_cut cut;
    special_begin(&cut, r->t, text, size, special);
    nigh_status status = NIGH_OK;
    bool found = true, first = true, strip = false;
    for (size_t at = 0; found && !status;) {
        special_place place = {.at = size};
        status = special_next(&cut, &place, &found);
        if (status) break;
        unsigned flags = found ? r->t->flags[place.id] : 0;
        size_t from = strip ? strip_front(r->t, text, at, place.at) : at, end = flags & TOKEN_LSTRIP ? strip_back(r->t, text, from, place.at) : place.at;
        status = run_text(r, text + from, end - from, first && (!r->t->json || !from));
        if (status || !found) break;
        status = nigh_token_list_add(r->out, &place.id, 1);
        first = !r->t->json, strip = flags & TOKEN_RSTRIP;
        at = place.at + place.size;
    }
    special_end(&cut);
    return status;
}

static nigh_status run_begin(run *r, const nigh_tokenizer *t, size_t size, nigh_token_list *out)
{
    *r = (run){.t = t, .out = out, .room = {.ctx = t->ctx}, .mended = {.ctx = t->ctx}};
    if (size < CACHE_FROM || t->kind == TOKENIZER_BYTES) return NIGH_OK;
    uint64_t slots = 64;
    while (slots < CACHE_MOST && slots < size / 8) slots *= 2;
    r->cache = nigh_alloc_zero(t->ctx, slots, sizeof *r->cache);
    r->mask = slots - 1;
    return r->cache ? NIGH_OK : NIGH_MEMORY;
}

static void run_end(run *r)
{
    nigh_free(r->t->ctx, r->cache);
    merge_room_free(&r->room);
    nigh_buffer_free(&r->mended);
    for (int i = 0; i < SPLIT_STEPS; i++) regex_room_free(r->split + i);
}

nigh_status nigh_tokenize(const nigh_tokenizer *t, const char *text, size_t size, unsigned flags, nigh_token_list *out)
{
    if (size > INT32_MAX / 4) return nigh_fail(t->ctx, NIGH_INVALID, "a text of %zu bytes; at most %d are allowed at once", size, INT32_MAX / 4);
    if (!out->ctx) out->ctx = t->ctx;
    int64_t before = out->count;
    run r;
    nigh_status status = run_begin(&r, t, size, out);
    if (!status && flags & NIGH_TOKENS_BEGIN && t->add_begin && t->begin >= 0) status = nigh_token_list_add(out, &t->begin, 1);
    if (!status && size) status = run_all(&r, text, size, flags & NIGH_TOKENS_SPECIAL);
    if (!status && flags & NIGH_TOKENS_BEGIN && t->add_end && t->end >= 0) status = nigh_token_list_add(out, &t->end, 1);
    run_end(&r);
    if (status) out->count = before;
    return status;
}
