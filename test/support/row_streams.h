/* Row streams against the readers that hold all of a file, for tests and fuzzing. A difference is printed and ends the program. */
#ifndef NIGH_TEST_ROW_STREAMS_H
#define NIGH_TEST_ROW_STREAMS_H
#include "nigh/row_stream.h"

/* Same status, message, names, values to the bit, numbers and lines of rows as nigh_csv_parse, forth and (after a rewind) once more. True when it is read at all. */
bool same_as_csv(nigh_context *ctx, const void *bytes, size_t size, const nigh_row_options *options);

/* The same for nigh_libsvm_parse. */
bool same_as_libsvm(nigh_context *ctx, const void *bytes, size_t size, const nigh_row_options *options);
#endif
