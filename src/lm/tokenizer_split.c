/* Cuts of pre-tokenizers, written out by hand for the patterns of nearly all models. */
#include "lm/characters.h"
#include "lm/tokenizer_regex.h"

/* Where the run of characters of these classes that begins at `at` ends. */
static size_t run_of(const char *text, size_t at, size_t end, unsigned classes)
{
    while (at < end) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x80) {
            if (!(char_ascii[byte] & classes)) break;
            at++;
        } else {
            if (!(char_class_of(char_point(text + at)) & classes)) break;
            at += char_size(byte);
        }
    }
    return at;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Size of 's 't 'm 'd 're 've 'll at `at`, or 0. */
static size_t contraction(const char *text, size_t at, size_t end, split_contractions which)
{
    if (which == SPLIT_NO_CONTRACTIONS || text[at] != '\'' || at + 1 >= end) return 0;
    bool any = which != SPLIT_SMALL;
    if (which == SPLIT_FOLDED && at + 2 < end && text[at + 1] == '\xC5' && text[at + 2] == '\xBF') return 3;
    char a = any ? lower(text[at + 1]) : text[at + 1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (at + 2 >= end) return 0;
    char b = any ? lower(text[at + 2]) : text[at + 2];
    return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/* Blanks from `at` to `stop`: without the last one when a sign follows and it is not the only one. */
static size_t blanks(const char *text, size_t at, size_t stop, size_t end)
{
    if (stop == end) return stop;
    size_t last = stop - 1;
    while ((text[last] & 0xC0) == 0x80) last--;
    return last > at ? last : stop;
}

static size_t gpt2_next(const split_step *step, const char *text, size_t at, size_t end)
{
    size_t n = contraction(text, at, end, step->contractions);
    if (n) return at + n;
    size_t from = at + (text[at] == ' ' && at + 1 < end);
    unsigned class = char_class(text + from);
    if (class & CHAR_SPACE) return blanks(text, at, run_of(text, at, end, CHAR_SPACE), end);
    if (!(class & (CHAR_LETTER | CHAR_NUMBER))) class = CHAR_ALL & ~(CHAR_LETTER | CHAR_NUMBER | CHAR_SPACE);
    return run_of(text, from, end, class);
}

static size_t numbers(const char *text, size_t at, size_t end, int most)
{
    if (!most) return run_of(text, at, end, CHAR_NUMBER);
    for (int i = 0; i < most && at < end && char_class(text + at) & CHAR_NUMBER; i++) at += char_size((unsigned char)text[at]);
    return at;
}

static bool line_end(char c) { return c == '\r' || c == '\n'; }

static size_t llama3_next(const split_step *step, const char *text, size_t at, size_t end)
{
    size_t n = contraction(text, at, end, step->contractions);
    if (n) return at + n;
    unsigned letters = CHAR_LETTER | (step->marks ? CHAR_MARK : 0), class = char_class(text + at);
    if (class & letters) return run_of(text, at, end, letters);
    if (class & CHAR_NUMBER) return numbers(text, at, end, step->most);
    size_t next = at + char_size((unsigned char)text[at]);
    if (!line_end(text[at]) && next < end && char_class(text + next) & letters) return run_of(text, next, end, letters);
    size_t from = at + (text[at] == ' ' && at + 1 < end);
    unsigned rest = CHAR_ALL & ~(letters | CHAR_NUMBER | CHAR_SPACE);
    if (char_class(text + from) & rest) {
        from = run_of(text, from, end, rest);
        while (from < end && (line_end(text[from]) || (step->slash && text[from] == '/'))) from++;
        return from;
    }
    size_t stop = run_of(text, at, end, CHAR_SPACE), last = stop;
    while (last > at && !line_end(text[last - 1])) last--;
    return last > at ? last : blanks(text, at, stop, end);
}

static size_t lines_next(const split_step *step, const char *text, size_t at, size_t end)
{
    bool first = line_end(text[at]);
    if (first && step->each) return at + 1;
    while (at < end && line_end(text[at]) == first) at++;
    return at;
}

static size_t piece_end(const split_step *step, const char *text, size_t at, size_t end)
{
    switch (step->kind) {
    case SPLIT_GPT2: return gpt2_next(step, text, at, end);
    case SPLIT_LLAMA3: return llama3_next(step, text, at, end);
    case SPLIT_LINES: return lines_next(step, text, at, end);
    case SPLIT_NUMBERS: {
        size_t stop = numbers(text, at, end, step->most);
        return stop > at ? stop : run_of(text, at, end, CHAR_ALL & ~CHAR_NUMBER);
    }
    case SPLIT_BLANKS: {
        const char *next = end - at > 3 ? memmem(text + at + 1, end - at - 1, "\xE2\x96\x81", 3) : NULL;
        return next ? (size_t)(next - text) : end;
    }
    case SPLIT_REGEX: break;
    }
    return end;
}

nigh_status split_begin(const split_step *step, split_room *room, nigh_context *ctx, const char *text, size_t size)
{
    return step->kind == SPLIT_REGEX ? regex_begin(step->regex, room, ctx, text, size) : NIGH_OK;
}

nigh_status split_next(const split_step *step, split_room *room, const char *text, size_t at, size_t size, size_t *end)
{
    if (step->kind == SPLIT_REGEX) return regex_next(step->regex, room, text, at, size, end);
    *end = piece_end(step, text, at, size);
    return NIGH_OK;
}
