/*
 * Texts and problems for small language models: readable, repetitive, of any length, and functions of a seed alone, so that everything about language
 * models can be shown without a download.
 */
#ifndef NIGH_LM_TASKS_H
#define NIGH_LM_TASKS_H
#include "nigh/random.h"

typedef enum tasks_kind {
    TASKS_SUMS,  /* lines "17+25=42" */
    TASKS_STORY, /* sentences with talk in them, in paragraphs of 4 to 9 */
    TASKS_LOG,   /* lines of a server's log, with a clock that runs */
    TASKS_JSON,  /* one record a line, of four fields and a nested one */
    TASKS_POEM,  /* songs with a title, verses and a refrain that comes back word by word */
    TASKS_KEY,   /* pass keys, see tasks_passkey, with up to 64 bytes of filler before and after, and their answer: a line each */
    TASKS_KINDS
} tasks_kind;

/* Appends whole items until at least `size` bytes have come; `digits` of sums (1 to 6) and keys (1 to 9), otherwise not looked at. NIGH_MEMORY. */
nigh_status tasks_text(tasks_kind kind, uint64_t seed, int digits, size_t size, nigh_buffer *out);

/* ---- sums ---- */

typedef struct tasks_sum {
    int64_t a, b;
} tasks_sum;

/* Both uniform on 0 .. 10^digits - 1. */
tasks_sum tasks_sum_draw(nigh_rng *rng, int digits);
/* "17+25=" and, answered, "42" behind it; gives the length. */
enum { TASKS_SUM_ROOM = 64 };
int tasks_sum_print(const tasks_sum *sum, bool answered, char room[TASKS_SUM_ROOM]);
/* True when the text is a sum with its right answer, "17+25=42", no line end, numbers of up to 17 digits without zeros in front. */
bool tasks_sum_right(const char *text, size_t size);

/* ---- a key in a haystack ---- */

/*
 * Appends a text of sentences that say nothing, with "The pass key is N. Remember it. N is the pass key." in it, and ends with "What is the pass key? The pass key is ";
 * N has `digits` (1 to 9), no leading zero. `before` and `after`: bytes of filler in front of and behind the sentence, at least so many, in whole sentences.
 * *key: N.
 */
nigh_status tasks_passkey(nigh_rng *rng, int digits, size_t before, size_t after, nigh_buffer *out, int64_t *key);
#endif
