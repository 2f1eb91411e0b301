/* Orders and the factorisation without libraries; what sparse_factor.c chooses among. */
#ifndef NIGH_TENSOR_SPARSE_H
#define NIGH_TENSOR_SPARSE_H
#include "nigh/sparse.h"

/* order[n]: which row of the symmetric A (lower triangle read) comes k-th, with few entries in its factor. Approximate minimum degree
 * when the build has it, else reverse Cuthill-McKee. */
nigh_status sparse_order(nigh_context *ctx, const nigh_sparse *a, int64_t *order);
/* "Reducing the bandwidth of sparse symmetric matrices", Cuthill and McKee 1969, from a node far from others, reversed. */
nigh_status sparse_order_rcm(nigh_context *ctx, const nigh_sparse *a, int64_t *order);

/* L D L^T of the symmetric A in this order, up-looking along the elimination tree. */
typedef struct sparse_ldl {
    nigh_context *ctx;
    int64_t n;
    int64_t *order, *start, *row; /* L without its unit diagonal by columns */
    double *value, *diagonal, *work;
} sparse_ldl;
nigh_status sparse_ldl_new(nigh_context *ctx, const nigh_sparse *a, const int64_t *order, sparse_ldl *out);
void sparse_ldl_free(sparse_ldl *f);
void sparse_ldl_solve(const sparse_ldl *f, int64_t q, const double *b, double *x); /* x may be b */
#endif
