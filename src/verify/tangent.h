/*
 * Rows of numbers sent through the affine nodes of a graph without their biases: tangents forward (W t), gradients back (W' g), for many rows at once.
 * Nodes of sums and activations are the caller's.
 */
#ifndef NIGH_VERIFY_TANGENT_H
#define NIGH_VERIFY_TANGENT_H
#include "verify/graph.h"

typedef struct tangent tangent;

/*
 * `absolute`: weights are replaced by their absolute values, |w'| (1 + slack 2^-53) rounded up where the graph has a slack. One row of a call is worked on by one thread.
 * NIGH_UNSUPPORTED: a convolution whose sizes do not follow from stride and padding.
 */
nigh_status tangent_new(nigh_context *ctx, const bound_graph *graph, bool absolute, tangent **out);
void tangent_free(tangent *t); /* NULL is fine */
size_t tangent_workspace(const tangent *t); /* bytes, 64-byte aligned; one for each thread */

/* to [rows, size of node] = from [rows, size of its input] W'. */
void tangent_forward(const tangent *t, int node, int64_t rows, const double *from, double *to, void *workspace);

/* to [rows, size of its input] += from [rows, size of node] W. */
void tangent_back(const tangent *t, int node, int64_t rows, const double *from, double *to, void *workspace);

/* The most products that are added up in one number of W t or W' g of this node. */
double tangent_terms(const tangent *t, int node);
#endif
