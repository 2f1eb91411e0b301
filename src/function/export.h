/* A fitted core as C99. */
#ifndef NIGH_FUNCTION_EXPORT_H
#define NIGH_FUNCTION_EXPORT_H
#include "function/core_kernel.h"

/*
 * Adds to text: static data, static inline T NAME_one(T x) and void NAME(long n, const T *in, T *out), which
 * give the same bits as function_core_apply with any compiler that follows C99 and IEEE 754. `name`: an identifier.
 */
nigh_status function_core_export(nigh_context *ctx, const function_core *core, const char *name, nigh_buffer *text);

#endif
