/* Nearest and linear resampling of channels-last fields to any size, and the adjoint. */
#ifndef NIGH_TENSOR_RESAMPLE_H
#define NIGH_TENSOR_RESAMPLE_H
#include "nigh/core.h"

enum { RESAMPLE_DIMS = 3 };

typedef enum resample_kind {
    RESAMPLE_NEAREST,
    RESAMPLE_LINEAR /* linear in each dimension: bilinear in two */
} resample_kind;

/*
 * x [N, in.., C] -> y [N, out.., C]. Position o of y reads x at
 *     half-pixel:     (o + 1/2) in / out - 1/2, clamped at 0    (cells; outermost values continue)
 *     align_corners:  o (in - 1) / (out - 1), 0 when out is 1   (nodes; the outermost fall together)
 * NEAREST takes x[floor(o in / out)] by the first convention and the nearest position, ties upward, by the second. No smoothing before a reduction.
 */
typedef struct resample_spec {
    resample_kind kind;
    nigh_dtype dtype;             /* f32, f64 */
    int dims;                     /* spatial dimensions: 1 .. 3 */
    int64_t x[RESAMPLE_DIMS + 2]; /* N, in.., C */
    int64_t out[RESAMPLE_DIMS];   /* 1 or more */
    bool align_corners;
} resample_spec;

typedef struct resample resample;

/* NIGH_INVALID: a size out of range; NIGH_UNSUPPORTED: another type. `threads`: at most so many. */
nigh_status resample_new(nigh_context *ctx, const resample_spec *spec, int threads, resample **out);
void resample_free(resample *r);                  /* NULL is fine */
/* Position o of a dimension reads low and low + 1 with the weights 1 - high and high (0: low alone). */
void resample_position(resample_kind kind, bool align_corners, int64_t in, int64_t out, int64_t o, int64_t *low, double *high);
size_t resample_workspace(const resample *r);     /* bytes, 64-byte aligned */

/* Allocate nothing, re-entrant, each with its own workspace. One dimension after another: two multiply-adds an element and dimension. */
void resample_run(const resample *r, const void *x, void *y, void *workspace);
void resample_adjoint(const resample *r, const void *dy, void *dx, void *workspace);
#endif
