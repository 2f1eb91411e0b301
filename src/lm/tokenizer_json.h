/* What tokenizers of tokenizer.json do to a text before it is cut into words. */
#ifndef NIGH_LM_TOKENIZER_JSON_H
#define NIGH_LM_TOKENIZER_JSON_H
#include "core/json.h"
#include "lm/tokenizer.h"

typedef enum change_kind { CHANGE_NFC, CHANGE_NFD, CHANGE_NFKC, CHANGE_NFKD, CHANGE_LOWER, CHANGE_PREPEND, CHANGE_REPLACE, CHANGE_REGEX, CHANGE_STRIP } change_kind;

typedef struct change {
    change_kind kind;
    char *from, *to;
    size_t from_size, to_size;
    bool left, right; /* CHANGE_STRIP */
    struct regex *regex;
} change;

typedef enum prefix_kind { PREFIX_NONE, PREFIX_FIRST, PREFIX_ALWAYS } prefix_kind;

typedef struct tokenizer_json {
    change change[16];
    int changes;
    prefix_kind prefix; /* a blank in front of a text that has none: of the first one, of each between special tokens */
    bool strip_first;   /* giving back: all blanks of the first token go, not only the one in front */
    bool escape;        /* blanks become U+2581 before words are cut */
} tokenizer_json;

nigh_status json_normalizer(nigh_tokenizer *t, const nj *node);
nigh_status json_pre_tokenizer(nigh_tokenizer *t, const nj *node);
nigh_status json_decoder(nigh_tokenizer *t, const nj *node);
nigh_status json_post_processor(nigh_tokenizer *t, const nj *node);
void json_free(nigh_tokenizer *t);

/* A tokenizer.json in memory, without a configuration beside it; `name` stands in messages. */
nigh_status tokenizer_parse_json(nigh_context *ctx, const char *name, const char *text, size_t size, nigh_tokenizer **tokenizer);

/* The text as words are cut from it: in out (which is emptied). first: nothing was in front of it. */
nigh_status json_change(const nigh_tokenizer *t, const char *text, size_t size, bool first, nigh_buffer *out);
#endif
