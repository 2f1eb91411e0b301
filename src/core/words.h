/* Words of commands and messages: the nearest word, for "did you mean ...?", endings, lists, and the shortest text of a number. */
#ifndef NIGH_CORE_WORDS_H
#define NIGH_CORE_WORDS_H
#include <stdbool.h>
#include <stddef.h>

/* Edit distance (insert, delete, replace, swap of neighbours) of two words, cut off above 64 letters. */
int word_distance(const char *a, size_t a_size, const char *b, size_t b_size);

/* `other` when it is nearer to `word` than `best` (NULL: none so far) and near enough to be meant; else `best`. */
const char *word_nearer(const char *word, size_t size, const char *other, const char *best);

/* `text` ends with `end`, whatever the case: kinds of files by their names. */
bool word_ends(const char *text, const char *end);

/* `name` is one of the words of `list`, commas between; NULL lists all. */
bool word_listed(const char *list, const char *name);

/* The shortest text of six digits or more that reads back the same, as a float when `single`: "10", "0.1", "-2.5e-10". */
void number_text(double value, bool single, char text[32]);
#endif
