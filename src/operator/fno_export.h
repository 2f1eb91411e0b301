/* Fourier neural operators as C99. */
#ifndef NIGH_OPERATOR_FNO_EXPORT_H
#define NIGH_OPERATOR_FNO_EXPORT_H
#include "operator/fields.h"

/*
 * The body of a C99 file with void NAME(long n, const double *in, double *out), which computes in float and takes its memory from malloc for the time of a
 * call (answers are NAN when there is none). NIGH_UNSUPPORTED above 20 MB of text.
 */
nigh_status fno_export(nigh_context *ctx, const field_plan *plan, const nigh_fno_spec *spec, const char *name, nigh_buffer *text);
#endif
