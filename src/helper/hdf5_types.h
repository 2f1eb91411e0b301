/* Which element type of nigh a type of an HDF5 file becomes. */
#ifndef NIGH_HELPER_HDF5_TYPES_H
#define NIGH_HELPER_HDF5_TYPES_H
#define H5_USE_110_API
#include "nigh/core.h"

#include <hdf5.h>

/*
 * The little-endian type in memory to read `file_type` as (close it with H5Tclose), and its dtype; or -1 with *why a text: what
 * is unsupported about it.
 */
hid_t types_map(hid_t file_type, nigh_dtype *dtype, const char **why);
#endif
