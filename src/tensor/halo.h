/* Padding of dense arrays on any dimensions, and its adjoint. */
#ifndef NIGH_TENSOR_HALO_H
#define NIGH_TENSOR_HALO_H
#include "nigh/core.h"

typedef enum halo_kind {
    HALO_ZERO,
    HALO_CIRCULAR, /* periodic: x[-1] = x[n - 1] */
    HALO_REFLECT   /* x[-1] = x[1]: the outermost element is not repeated */
} halo_kind;

typedef struct halo_spec {
    nigh_dtype dtype; /* f32, f64 */
    halo_kind kind;
    int ndim;         /* 1 .. NIGH_MAX_DIMS */
    int64_t dim[NIGH_MAX_DIMS];                       /* of the array without padding, 0 or more */
    int64_t low[NIGH_MAX_DIMS], high[NIGH_MAX_DIMS];  /* 0 or more; circular: at most dim; reflect: less than dim */
} halo_spec;

typedef struct halo halo;

/* Index in [0, n) that position i of the padded axis (from -low) reads, or -1 for a zero. i within the limits above. */
static inline int64_t halo_source(halo_kind kind, int64_t n, int64_t i)
{
    if (i >= 0 && i < n) return i;
    if (kind == HALO_ZERO) return -1;
    if (kind == HALO_CIRCULAR) return i < 0 ? i + n : i - n;
    return i < 0 ? -i : 2 * (n - 1) - i;
}

const char *halo_kind_name(halo_kind kind); /* "zero", "circular", "reflect" */

/* NIGH_INVALID: negative sizes, a padding beyond the limits; NIGH_UNSUPPORTED: another type. `threads`: at most so many. */
nigh_status halo_new(nigh_context *ctx, const halo_spec *spec, int threads, halo **out);
void halo_free(halo *h); /* NULL is fine */

/* y = x with its padding, sizes dim + low + high. Allocates nothing, re-entrant; one pass over y. */
void halo_run(const halo *h, const void *x, void *y);

/* The adjoint: x' = y' folded back, every element of the padding added to the one it was read from (zeros: dropped). The order of the sums is fixed. */
void halo_adjoint(const halo *h, const void *y, void *x);
#endif
