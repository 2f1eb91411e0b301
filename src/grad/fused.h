/*
 * What operators with fused kernels share: rows shared out among threads, and second derivatives that are composed.
 *
 * A fused operator f(inputs) has a fused gradient: a kernel for d sum(seed f) / d input[i]. The gradient of that kernel is recorded by composing f of
 * elementary operators and differentiating twice, so that fused kernels limit no order.
 */
#ifndef NIGH_GRAD_FUSED_H
#define NIGH_GRAD_FUSED_H
#include "grad/tape.h"

/* Records f of elementary operators; attributes are those of the gradient kernel's node. inputs may be NIGH_NONE only as given. */
typedef nigh_node fused_compose_fn(nigh_tape *tape, const void *attributes, int n, const nigh_node *input);

enum { FUSED_INPUTS = 6 };

/*
 * The gradients of sum_k sum(u[k] * d sum(seed f) / d input[by[k]]) by the inputs and the seed, for those wanted. u[k] may be NIGH_NONE. input may hold
 * whole-number arrays, which get none.
 */
void fused_second(nigh_tape *tape, fused_compose_fn *compose, const void *attributes, int n, const nigh_node *input, nigh_node seed, int outputs, const int *by,
                  const nigh_node *u, const bool *wanted, nigh_node *grad_input, bool seed_wanted, nigh_node *grad_seed);

/* A view of x that nothing recorded before depends on; its gradient is that of x. */
nigh_node fused_fresh(nigh_tape *tape, nigh_node x);

/* Rows from .. to - 1, part number `part`. */
typedef void share_fn(const void *user, int part, int64_t from, int64_t to);

/* How many parts pay for so many elements to be touched; at most `threads`. */
int share_parts(int threads, int64_t rows, int64_t elements);

/* fn for each of `parts` equal shares of the rows; one part opens no parallel region. */
void share_rows(int parts, int64_t rows, share_fn *fn, const void *user);

/* Checks shared by recording functions: f32 or f64, at least one dimension. */
bool fused_check_float(nigh_tape *tape, const char *op, nigh_node x, int least_dims);
static inline int64_t shape_last(const nigh_shape *s) { return s->ndim ? s->dim[s->ndim - 1] : 1; }

/* Product of the dimensions from .. to - 1. */
static inline int64_t shape_span(const nigh_shape *s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= s->dim[i];
    return n;
}

/* 0 .. ndim-1, or -1 after a failure of the tape. */
int fused_axis(nigh_tape *tape, const char *op, int axis, int ndim);
nigh_node fused_fill(nigh_tape *tape, const nigh_shape *like, double value);
#endif
