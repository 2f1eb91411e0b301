/* Least squares as LAPACK and BLAS do them, to be timed beside: on a copy in columns, since they destroy what they are given. Dense rows, no ridge. */
#ifndef NIGH_REDUCE_SQUARES_PEERS_H
#define NIGH_REDUCE_SQUARES_PEERS_H
#include "nigh/sketch.h"

typedef enum squares_peer {
    SQUARES_DGELS,  /* Householder QR                                     */
    SQUARES_DGELSD, /* singular values by divide and conquer              */
    SQUARES_NORMAL  /* dsyrk, Cholesky, nothing refined                   */
} squares_peer;
enum { SQUARES_PEERS = 3 };
const char *squares_peer_name(squares_peer peer);

/* x[d] and its seconds, the copy and the turning into columns included. On the context's threads. */
nigh_status squares_peer_solve(nigh_context *ctx, const nigh_squares *problem, squares_peer peer, double *x, double *seconds);
#endif
