/*
 * Inside of tokenizers. A text goes through these steps, each in its file:
 *   tokenizer_special.c   cuts out the names of special tokens
 *   tokenizer_run.c       mends the text (byte-level BPE) or escapes its blanks (SentencePiece), asks for words, remembers words it has met
 *   tokenizer_split.c     cuts a text into words (pre-tokenizer); tokenizer_patterns.c says by which rules a model cuts, tokenizer_regex.c cuts by regular expressions
 *   tokenizer_merge.c     merges the symbols of a word until nothing can be merged
 * and the tables that they look into are made by tokenizer_table.c.
 */
#ifndef NIGH_LM_TOKENIZER_H
#define NIGH_LM_TOKENIZER_H
#include "nigh/tokens.h"

#include <string.h>

enum {
    TOKEN_UNKNOWN = 1,
    TOKEN_CONTROL = 2,
    TOKEN_USER = 4, /* found in a text whatever the flags are */
    TOKEN_BYTE = 8,
    TOKEN_UNUSED = 16,
    TOKEN_LSTRIP = 32, /* swallows the blanks before it, after it */
    TOKEN_RSTRIP = 64,
    TOKEN_ENDS = 128,
    TOKEN_SPECIAL = TOKEN_CONTROL | TOKEN_USER | TOKEN_UNKNOWN
};

/* ---- tables ---- */

/* Texts one after another, each followed by a 0: text i is [at[i], at[i + 1] - 1). */
typedef struct texts {
    char *text;
    uint32_t *at; /* [count + 1] */
    int64_t count, room;
    size_t size, text_room;
} texts;
nigh_status texts_reserve(nigh_context *ctx, texts *p, int64_t count, size_t size); /* room for this much in all */
nigh_status texts_add(nigh_context *ctx, texts *p, const void *text, size_t size);
void texts_free(nigh_context *ctx, texts *p);
static inline const char *texts_get(const texts *p, int64_t i, size_t *size)
{
    *size = p->at[i + 1] - p->at[i] - 1;
    return p->text + p->at[i];
}

/* Text -> index in a pool: open addressing, at most half full; a slot holds 32 bits of the hash beside index + 1. */
typedef struct words {
    uint64_t *slot;
    uint64_t mask;
} words;
nigh_status words_new(nigh_context *ctx, int64_t most, words *w);
int32_t words_find(const words *w, const texts *p, const char *text, size_t size); /* -1: absent */
int32_t words_add(words *w, const texts *p, int32_t index);                        /* the index that this text has: another than `index` when it was there before */

/* A pair of symbols -> rank of its merge and the symbol it becomes. */
typedef struct merge_slot {
    uint64_t pair; /* left << 32 | right; ~0: free */
    uint32_t rank;
    int32_t to;
} merge_slot;
typedef struct merges {
    merge_slot *slot;
    uint64_t mask;
    int64_t count;
} merges;
nigh_status merges_new(nigh_context *ctx, int64_t most, merges *m);
void merges_add(merges *m, int32_t left, int32_t right, uint32_t rank, int32_t to); /* the first of equal pairs stays */
static inline uint64_t pair_hash(uint64_t pair)
{
    pair *= 0x9E3779B97F4A7C15u;
    return pair ^ pair >> 32;
}
static inline const merge_slot *merges_find(const merges *m, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint64_t i = pair_hash(pair) & m->mask;; i = (i + 1) & m->mask) {
        if (m->slot[i].pair == pair) return m->slot + i;
        if (m->slot[i].pair == UINT64_MAX) return NULL;
    }
}

/* ---- pre-tokenizers ---- */

/* One cut: where the piece of text[0 .. size) that starts at `at` ends (> at). A cut sees nothing outside of its piece. */
typedef struct splitter splitter;
typedef enum split_kind {
    SPLIT_GPT2,    /* contractions, letters, numbers, the rest, each with a blank in front; blanks */
    SPLIT_LLAMA3,  /* the same with any sign in front of letters and line ends behind the rest */
    SPLIT_NUMBERS, /* runs of numbers, at most `most` long, apart from what lies between */
    SPLIT_LINES,   /* line ends apart from what lies between */
    SPLIT_BLANKS,  /* U+2581 begins a word */
    SPLIT_REGEX,   /* matches of a regular expression apart from what lies between */
} split_kind;
typedef enum split_contractions { SPLIT_NO_CONTRACTIONS, SPLIT_SMALL, SPLIT_ANY_CASE, SPLIT_FOLDED } split_contractions; /* "'s", "'ll"; folded: U+017F is an s */
typedef enum split_drop { SPLIT_KEEP, SPLIT_DROP_MATCHES, SPLIT_DROP_GAPS, SPLIT_WITH_PREVIOUS, SPLIT_WITH_NEXT } split_drop; /* what becomes of matches */
typedef struct split_step {
    split_kind kind;
    int most;             /* numbers in one piece (0: any) */
    bool each;            /* SPLIT_LINES: every line end by itself */
    bool slash;           /* SPLIT_LLAMA3: slashes behind the rest too */
    split_contractions contractions;
    split_drop drop;
    bool marks;           /* combining marks count as letters */
    const char *pattern, *set; /* SPLIT_REGEX: over collapsed bytes, see tokenizer_regex.h */
    struct regex *regex;       /* made from them; the tokenizer's */
} split_step;
enum { SPLIT_STEPS = 6 };
typedef struct split {
    split_step step[SPLIT_STEPS];
    int steps; /* 0: the text is one word */
} split;

/* ---- the tokenizer ---- */

typedef enum tokenizer_kind { TOKENIZER_BYTES, TOKENIZER_BPE, TOKENIZER_SENTENCE } tokenizer_kind;

struct nigh_tokenizer {
    nigh_context *ctx;
    tokenizer_kind kind;
    int32_t count; /* tokens; symbols from here on have no token of their own (merges may name them) */
    texts names, bytes;
    words find;
    uint8_t *flags; /* [count] TOKEN_* */
    float *score;   /* [count], SentencePiece */
    merges merge;
    int32_t byte_symbol[256]; /* BPE: where a word begins; SentencePiece: byte fallback, -1 where there is none */
    split split;
    int32_t begin, end, turn_end, unknown;
    bool joins_blank[256]; /* some token has this byte right before an escaped blank */
    bool add_begin, add_end, space_prefix, ignore_merges, clean_spaces;
    bool chars;         /* BPE: words begin as characters, not as bytes */
    bool byte_fallback; /* of characters that are no tokens: <0xE2>...; else the unknown token, one for a row of them with fuse_unknown */
    bool fuse_unknown;
    struct tokenizer_json *json; /* from tokenizer.json: changes of the text before it is cut; NULL: none */
    char *pre;           /* as the file names it; NULL: none */
    char *chat_template; /* NULL: none */
    int32_t *special;    /* tokens cut out of texts: longest first, then by id */
    int32_t specials;
    struct special_tree *tree; /* of their names */
};

nigh_status tokenizer_new(nigh_context *ctx, tokenizer_kind kind, nigh_tokenizer **t);

/* After names, flags, merges and ids are set: byte texts, special tokens, tokens that end. */
nigh_status tokenizer_finish(nigh_tokenizer *t);

/* The symbol of a text; a text that is no token becomes a symbol behind the tokens. */
nigh_status tokenizer_symbol(nigh_tokenizer *t, const char *text, size_t size, int32_t *symbol);
nigh_status tokenizer_add_merge(nigh_tokenizer *t, const char *left, size_t left_size, const char *right, size_t right_size, uint32_t rank);
nigh_status tokenizer_add_bytes(nigh_tokenizer *t);  /* byte_symbol of byte-level BPE */
void tokenizer_name_bytes(nigh_tokenizer *t);        /* byte_symbol of byte fallback */

/* Sets TOKEN_ENDS, and TOKEN_CONTROL where a name says so. id_of: what the file's keys say of each role, -1 where nothing. */
typedef enum token_role {
    ROLE_NONE,
    ROLE_TURN, /* from here to ROLE_FILE: these end an answer */
    ROLE_MESSAGE,
    ROLE_PAD,
    ROLE_REPOSITORY,
    ROLE_FILE,
    ROLE_PREFIX,
    ROLE_SUFFIX,
    ROLE_MIDDLE,
    ROLES
} token_role;
void tokenizer_find_ends(nigh_tokenizer *t, int32_t id_of[ROLES]);
/* What config.json and generation_config.json say beside a tokenizer.json, as keys: their end tokens end answers too; first and last token where the tokenizer names none. Ids
 * that it does not have are passed over. */
nigh_status tokenizer_take_ends(nigh_tokenizer *t, nigh_gguf *file);

/* The character that stands for a byte in names of byte-level BPE, and back (-1: none). */
size_t byte_name(unsigned char byte, char text[2]);
int byte_of_name(uint32_t point);

/* "default", "smollm", ... of tokenizer.ggml.pre; NIGH_UNSUPPORTED names an unknown one. Sets what llama.cpp ties to the name. */
nigh_status tokenizer_set_pre(nigh_tokenizer *t, const char *name);

/* Scratch of one step; zeroed. */
typedef struct split_room {
    nigh_context *ctx;
    nigh_buffer collapsed; /* a byte for each character */
    void *match;
    bool matched; /* the piece is a match, not what lies between */
    size_t at, match_from, match_to; /* in what the expression sees: gone through, the match at hand */
} split_room;

/* Pieces of text[0 .. size): begin, then the end of the piece at `at` until the end is reached. */
nigh_status split_begin(const split_step *step, split_room *room, nigh_context *ctx, const char *text, size_t size);
nigh_status split_next(const split_step *step, split_room *room, const char *text, size_t at, size_t size, size_t *end);

/* Ids of a word (mended or escaped text) appended. */
typedef struct merge_room {
    nigh_context *ctx;
    void *block;
    size_t size;
} merge_room; /* scratch of long words; zeroed with ctx set; freed by merge_room_free */
void merge_room_free(merge_room *room);
nigh_status merge_bpe(const nigh_tokenizer *t, const char *word, size_t size, merge_room *room, nigh_token_list *out);
nigh_status merge_sentence(const nigh_tokenizer *t, const char *word, size_t size, merge_room *room, nigh_token_list *out);
#endif
