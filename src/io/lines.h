/* A text of lines and fields with blanks between, for libsvm and edge lists. */
#ifndef NIGH_IO_LINES_H
#define NIGH_IO_LINES_H
#include "io/stream.h"

#include <locale.h>

typedef struct lines {
    nigh_context *ctx;
    const char *name; /* of the file */
    const char *start, *at, *end; /* `start`: of the line */
    int64_t line;
    locale_t c; /* for numbers */
    int64_t before; /* lines of the file in front of this text */
} lines;

/* Skips a byte order mark; NIGH_FORMAT for UTF-16. End it with lines_close. */
nigh_status lines_open(nigh_context *ctx, const char *text, size_t size, const char *name, lines *out);
void lines_close(lines *l);

/* To the next line whose first letter behind blanks is neither its end nor in `comments`; false at the end of the text. */
bool lines_next(lines *l, const char *comments);
bool lines_at_end(const lines *l); /* of the line */
void lines_skip_blanks(lines *l);

/* A whole number >= 0, and any number as csv has it; NIGH_FORMAT with line, column and what stands there. `what` names it. */
nigh_status lines_whole(lines *l, const char *what, int64_t *value);
nigh_status lines_number(lines *l, const char *what, double *value);

/* "'FILE': line L, column C: WHAT, not 'TEXT'" */
nigh_status lines_refuse(const lines *l, nigh_status status, const char *what);

/* Doubles the room for elements of `size` bytes when `used` of them fill it (it is full when `used` is 0 or a power of two). */
nigh_status lines_grow(nigh_context *ctx, void **block, size_t size, int64_t used);
#endif
