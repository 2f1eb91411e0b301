/* The affine passes of descent.c, a table a CPU level. */
#ifndef NIGH_VERIFY_DESCENT_INSIDE_H
#define NIGH_VERIFY_DESCENT_INSIDE_H
#include "verify/descent.h"

/* y += W x and x += W^T y, W of a node, points in lanes; `back` sends y's numbers to x. */
typedef struct descent_passes {
    void (*dense_forward)(const bound_node *n, int64_t in, const double *x, double *y);
    void (*dense_backward)(const bound_node *n, int64_t in, const double *y, double *x);
    void (*sparse_pass)(const bound_node *n, const double *from, double *to, bool back);
    void (*window_pass)(const bound_node *n, const double *from, double *to, bool back);
} descent_passes;

extern const descent_passes descent_passes_scalar, descent_passes_avx2, descent_passes_avx512;
#endif
