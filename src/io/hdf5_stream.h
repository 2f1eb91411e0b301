/*
 * What nigh-hdf5 sends: HDF5_MAGIC, then records, all numbers little endian.
 *   'B' name                                  the data set of this name comes next: whom to blame for a crash
 *   'D' name, dtype u8, ndim u8, dims u64 ... the data set; its elements follow, in C order
 *   'S' name, text                            a data set that was left out, and why
 *   'F' status u8, name, text                 a failure, the last record; the name is empty when no data set is to blame
 *   'E'                                       all is said, the last record
 * A name or text is its length u32 and its bytes. The first bytes carry the version: library and program belong together.
 */
#ifndef NIGH_IO_HDF5_STREAM_H
#define NIGH_IO_HDF5_STREAM_H
#include "nigh/io.h"

#define HDF5_MAGIC "nighh5\1\n"
enum { HDF5_MAGIC_SIZE = 8, HDF5_NAME_MOST = 4096, HDF5_TEXT_MOST = 1024, HDF5_COUNT_MOST = 1000000 };

/*
 * The bundle of a stream that came to its end. `source` stands for the HDF5 file in messages; what the stream says is not
 * believed: NIGH_FORMAT for anything else than the above, more than `most` bytes of data, names that are not UTF-8 or stand
 * twice, data sets that are not in `wanted` (NULL: all). Every wanted one must be there.
 */
nigh_status hdf5_stream_parse(nigh_context *ctx, const void *bytes, size_t size, const char *source, uint64_t most,
                              const char *const *wanted, nigh_bundle *out);

/* The last data set that a stream, cut off anywhere, says it began with; the text lies in the stream. NULL: none. */
const char *hdf5_stream_last(const void *bytes, size_t size, size_t *length);

/* hdf5_helper.c: the path of nigh-hdf5 in *path (nigh_free it); NIGH_FAILED when it is nowhere. */
nigh_status hdf5_helper_find(nigh_context *ctx, char **path);
#endif
