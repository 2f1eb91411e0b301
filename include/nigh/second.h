/*
 * nigh/second.h: derivatives as linear maps: Jacobians, Hessians and Gauss-Newton matrices of recorded computations, known by their products.
 *
 *   nigh_over weights = {.n = count, .node = nodes};
 *   nigh_product *h;             nigh_hessian_new(ctx, tape, loss, &weights, &h);
 *   nigh_executor_bind(nigh_product_executor(h), x, images);         // the point: every input but the vector
 *   nigh_product_run(h, v, hv);                                      // H v
 *   nigh_product_top(ctx, h, 10, 60, seed, &found, value, bound, NULL); // the ten largest eigenvalues
 *   nigh_operator a = nigh_product_operator(h);  nigh_cg(ctx, &a, NULL, b, x, &options, NULL);
 *
 * A product is prepared once and then called with vectors. What does not depend on the vector (the forward pass, the gradient's own sweep) is computed in
 * the first run and kept: call nigh_product_moved after the point has changed. Vectors have the type of the nodes (f32 or f64).
 *
 * Products are recorded, not approximated: a Hessian product is the reverse sweep of the recorded gradient ("Fast exact multiplication by the
 * Hessian", Pearlmutter 1994, gives the same operations), Jacobian products are two reverse sweeps of which the first is not run, Gauss-Newton products
 * are those of "Fast curvature matrix-vector products for second-order gradient descent", Schraudolph 2002.
 *
 * All functions here need tape, context and nodes' data to outlive the product; one product is run by one thread at a time.
 */
#ifndef NIGH_SECOND_H
#define NIGH_SECOND_H
#include "nigh/grad.h"
#include "nigh/krylov.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Nodes seen as one vector. Copied by the functions that take it. */
typedef struct nigh_over {
    int n;                 /* 1 or more nodes of one type, f32 or f64 */
    const nigh_node *node;
    const int64_t *offset; /* [n]: where node i's elements begin in the vector, without overlap; NULL: behind each other */
    int64_t size;          /* of the vector when offsets are given; elements of no node are not read, and written as 0 */
} nigh_over;

typedef struct nigh_product nigh_product;

/* ---- making them -------------------------------------------------------------------------------------- */

/* J v [count of y] for v over `over`; J^T u over `over` for u [count of y]. J is the Jacobian of node y (any shape, f32 or f64). */
NIGH_API nigh_status nigh_jvp_new(nigh_context *ctx, nigh_tape *tape, nigh_node y, const nigh_over *over, nigh_product **out);
NIGH_API nigh_status nigh_vjp_new(nigh_context *ctx, nigh_tape *tape, nigh_node y, const nigh_over *over, nigh_product **out);

/* H v of a loss of one element: in gradients 1.8 to 2.5 at a new point (8/3 of the products, without those of the first layer), 1.3 to 1.8 at one that stays. */
NIGH_API nigh_status nigh_hessian_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, const nigh_over *over, nigh_product **out);

/* The mixed second derivative of a loss of one element: d/dy (grad_x loss . v) over y, for v over x. */
NIGH_API nigh_status nigh_mixed_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, const nigh_over *x, const nigh_over *y, nigh_product **out);

/*
 * J^T H J v with J the Jacobian of node z and H the Hessian of the loss by z; loss NIGH_NONE: H = 1. The loss must have been recorded from z. For a sum of negative log
 * likelihoods of an exponential family by its natural parameters (softmax with cross-entropy, squares) this is the Fisher matrix; with z the losses of the samples and
 * NIGH_NONE it is the sum of g g^T over the samples' gradients (the "empirical" Fisher matrix).
 */
NIGH_API nigh_status nigh_gauss_newton_new(nigh_context *ctx, nigh_tape *tape, nigh_node loss, nigh_node z, const nigh_over *over, nigh_product **out);

NIGH_API void nigh_product_free(nigh_product *product); /* NULL is fine */

/* ---- using them --------------------------------------------------------------------------------------- */

/* Where the point is bound (nigh_executor_bind, nigh_parameters_bind for what it has). Its steps and bytes are those of a run. */
NIGH_API nigh_executor *nigh_product_executor(nigh_product *product);

/* Rows and columns: elements of the result and of the vector. */
NIGH_API int64_t nigh_product_rows(const nigh_product *product);
NIGH_API int64_t nigh_product_cols(const nigh_product *product);

/* The point has changed: the next run begins with all of it. */
NIGH_API void nigh_product_moved(nigh_product *product);

/* y[rows] = A v[cols]; they do not overlap. No allocation after the first run. What nigh_executor_run says. */
NIGH_API nigh_status nigh_product_run(nigh_product *product, const void *v, void *y);

/* The same for k vectors, one a row: y[k, rows] from v[k, cols]. */
NIGH_API nigh_status nigh_product_block(nigh_product *product, int64_t k, const void *v, void *y);

/* The callback for nigh/krylov.h (no `transposed`: for LSQR take a pair). Valid while the product is. */
NIGH_API nigh_operator nigh_product_operator(nigh_product *product);

/* A Jacobian with both products for LSQR: forward from nigh_jvp_new, back from nigh_vjp_new of the same y and nodes. `pair` is filled and must outlive the operator. */
typedef struct nigh_product_pair {
    nigh_product *forward, *back;
} nigh_product_pair;
NIGH_API nigh_operator nigh_product_pair_operator(nigh_product_pair *pair);

/* The whole matrix, a[rows, cols] in the product's type, by cols runs; 1 <= cols <= 20000. symmetric: (A + A^T) / 2 is given (rows = cols needed). */
NIGH_API nigh_status nigh_product_dense(nigh_context *ctx, nigh_product *product, bool symmetric, void *a);

/*
 * The diagonal of a square product from `probes` >= 1 vectors z of random signs, the mean of z * A z ("An estimator for the diagonal of a matrix",
 * Bekas, Kokiopoulou and Saad 2007): diagonal[n]; error[n] (NULL: not wanted) its standard error (NaN with one probe). Unbiased; exact for diagonal A.
 */
NIGH_API nigh_status nigh_product_diagonal(nigh_context *ctx, nigh_product *product, int64_t probes, uint64_t seed, double *diagonal, double *error);

/*
 * The k largest eigenvalues of a symmetric product, falling, by `steps` of Lanczos (k <= steps <= 400; steps * n elements of memory; 3 k + 30 steps is a good choice).
 * bound[k] (NULL): an eigenvalue lies within it of value[i]; vectors[k, n] (NULL): one a row. *found <= k: fewer when the space holds no more.
 */
NIGH_API nigh_status nigh_product_top(nigh_context *ctx, nigh_product *product, int64_t k, int64_t steps, uint64_t seed, int64_t *found, double *value, double *bound, void *vectors);

/* ---- linearised computations -------------------------------------------------------------------------- */

/*
 * Records y at w0 plus J (w - w0), J the Jacobian at w0 of y by the nodes at[n], whose values are w0; moved[n] are the nodes of w, of the same shapes. The result is a node
 * as any other: its gradient by `moved` (J^T g) trains the linearised model with any optimiser, and with executors of it that hold w0 nothing else changes.
 */
NIGH_API nigh_status nigh_tape_linearise(nigh_tape *tape, nigh_node y, int n, const nigh_node *at, const nigh_node *moved, nigh_node *out);

#ifdef __cplusplus
}
#endif
#endif
