/* How numbers travel to and from a user's program, and what the program is by content. For program.c. */
#ifndef NIGH_REGRESS_PROGRAM_TEXT_H
#define NIGH_REGRESS_PROGRAM_TEXT_H
#include "nigh/core.h"

/* The input file of a place: "in" (a number a line), "in.npy" (of this shape), "in.csv" (one row). */
nigh_status program_text_write(nigh_context *ctx, const char *place, const nigh_shape *shape, const double *x, nigh_buffer *bytes);

/* The numbers of an output file: "out.npy", else text with blanks, commas, semicolons or line ends between; place NULL is
 * standard output. NIGH_FAILED names the first word that is no number. *values is freed with nigh_free. */
nigh_status program_text_read(nigh_context *ctx, const char *place, const char *bytes, size_t size, double **values, int64_t *count);

/* SHA-256 of the command and of the contents of every file that one of its words names. */
nigh_status program_text_content(nigh_context *ctx, const char *command, char hex[65]);
#endif
