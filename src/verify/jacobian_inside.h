/* What the files of jacobian.h share. */
#ifndef NIGH_VERIFY_JACOBIAN_INSIDE_H
#define NIGH_VERIFY_JACOBIAN_INSIDE_H
#include "verify/jacobian.h"
#include "verify/tangent.h"

enum { JACOBIAN_ROWS = 128 }; /* that one thread works on at a time */

struct jacobian {
    nigh_context *ctx;
    const bound_graph *graph;
    tangent *plain, *absolute;
    int threads;
    bool *useful, *live;  /* [nodes]; live: on a way from the node where a pass starts */
    double **rest;        /* [nodes] each [size of input]: gamma |W|' M */
    double **most;        /* [nodes] each [size]: M */
    double **coefficient; /* [threads * nodes] each [JACOBIAN_ROWS, size] */
    void **workspace;     /* [threads] */
    double *output_rest;  /* [outputs]: gamma |g| */
};

/* Functionals of G_node: rows + or - an element, or given rows. upper [rows]: at least their values. */
typedef struct jacobian_pass {
    int node;
    int64_t rows;
    const int64_t *domain;      /* [rows] */
    const int64_t *element;     /* [rows]; NULL: coefficient */
    const double *sign;         /* [rows], +1 or -1 */
    const double *coefficient;  /* [rows, size] */
    bool keep;                  /* one row a domain: batch->row gets what arrives at activations */
    double *upper;
} jacobian_pass;

void jacobian_run(jacobian *j, jacobian_batch *batch, const jacobian_pass *pass);
nigh_status jacobian_intervals(jacobian *j, jacobian_batch *batch);
#endif
