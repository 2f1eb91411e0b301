/* Pieces of exported C that map plans share. */
#ifndef NIGH_REGRESS_EXPORT_H
#define NIGH_REGRESS_EXPORT_H
#include "nigh/core.h"

/* NIGH_UNSUPPORTED when so many numbers make more than 20 MB of text. */
nigh_status map_export_room(nigh_context *ctx, double numbers);

/* static const arrays; the doubles are data[rows, ld] without the columns from cols on. */
nigh_status map_export_doubles(nigh_buffer *text, const char *name, int64_t rows, int64_t cols, int64_t ld, const double *data);
nigh_status map_export_ints(nigh_buffer *text, const char *name, int64_t n, const int32_t *data);
#endif
