/* Files as sequences of symbols: bytes, little-endian integers, npy arrays, words or lines of text. */
#ifndef NIGH_CLI_SYMBOLS_H
#define NIGH_CLI_SYMBOLS_H
#include "nigh/hamming.h"

typedef enum symbols_kind { SYMBOLS_AUTO, SYMBOLS_BYTES, SYMBOLS_U16, SYMBOLS_U32, SYMBOLS_NPY, SYMBOLS_WORDS, SYMBOLS_LINES, SYMBOLS_KINDS } symbols_kind;
extern const char *const symbols_kind_names[SYMBOLS_KINDS];

/* Words or lines that were seen: text and pattern share one, so that equal ones get equal numbers. */
typedef struct symbols_dictionary symbols_dictionary;
nigh_status symbols_dictionary_new(nigh_context *ctx, symbols_dictionary **dictionary);
void symbols_dictionary_free(symbols_dictionary *dictionary); /* NULL is fine */

typedef struct symbols_file {
    nigh_symbols view;
    void *mapped, *owned;
    size_t bytes;
} symbols_file;

/* SYMBOLS_AUTO: npy by the name's end, else bytes. Bytes, u16 and u32 are mapped, not read, where the file allows it; "-" is standard input.
   NIGH_FORMAT names the place of what does not fit. Words and lines stay in the dictionary's file: open them in any order, close after it is freed. */
nigh_status symbols_open(nigh_context *ctx, const char *path, symbols_kind kind, symbols_dictionary *dictionary, symbols_file *file);
/* The same from bytes in memory; npy is not allowed. */
nigh_status symbols_of_text(nigh_context *ctx, const char *text, symbols_kind kind, symbols_dictionary *dictionary, symbols_file *file);
void symbols_close(nigh_context *ctx, symbols_file *file);
#endif
