/* Cuts by regular expressions (PCRE2, compiled). */
#ifndef NIGH_LM_TOKENIZER_REGEX_H
#define NIGH_LM_TOKENIZER_REGEX_H
#include "lm/tokenizer.h"

/*
 * Collapsed: the expression sees one byte for each character. ASCII stands for itself; other blanks are \x0B, numbers \xD1, letters \xD2, punctuation \xD3,
 * marks \xD4, symbols \xD5, the rest \xD0, and characters of `set` ("a-z": text with ranges, UTF-8; NULL: none) \xE0. What llama.cpp does for patterns that
 * it has no code of its own for, so the outcome is the same.
 * Plain: the expression sees the text itself, Unicode properties and all.
 */
nigh_status regex_new(nigh_context *ctx, const char *pattern, const char *set, bool collapsed, struct regex **regex);
void regex_free(nigh_context *ctx, struct regex *regex); /* NULL is fine */

nigh_status regex_begin(const struct regex *regex, split_room *room, nigh_context *ctx, const char *text, size_t size);

/* From the piece's own start on: where the next match, or what lies before it, ends. */
nigh_status regex_next(const struct regex *regex, split_room *room, const char *text, size_t at, size_t size, size_t *end);

/* The first match at or after `at` (plain expressions); *found false: none. */
nigh_status regex_find(const struct regex *regex, split_room *room, nigh_context *ctx, const char *text, size_t at, size_t size, size_t *from, size_t *to, bool *found);
void regex_room_free(split_room *room);
#endif
