/* Finds the names of special tokens in a text, one after another. */
#ifndef NIGH_LM_TOKENIZER_SPECIAL_H
#define NIGH_LM_TOKENIZER_SPECIAL_H
#include "lm/tokenizer.h"

nigh_status special_new(nigh_tokenizer *t); /* after names and flags are set */
void special_free(nigh_tokenizer *t);

typedef struct special_place {
    size_t at, size;
    int32_t id;
} special_place;

typedef struct special_cut {
    const nigh_tokenizer *t;
    const char *text;
    size_t size, at;
    bool all; /* control tokens too, else only those that the user defined */
    nigh_token_list ranks;
    nigh_buffer taken;
    special_place *place; /* of the cluster at hand, in order */
    size_t places, next, room;
} special_cut;

void special_begin(special_cut *cut, const nigh_tokenizer *t, const char *text, size_t size, bool all);
nigh_status special_next(special_cut *cut, special_place *place, bool *found);
void special_end(special_cut *cut);
#endif
