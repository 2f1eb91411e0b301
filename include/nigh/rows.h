/*
 * nigh/rows.h: rows of features with targets and weights, and the names of losses of a row. What is done with them: nigh/coreset.h.
 */
#ifndef NIGH_ROWS_H
#define NIGH_ROWS_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A view: nothing is owned. n >= 1, d >= 1; all numbers finite, weights not negative with a positive sum. */
typedef struct nigh_rows {
    int64_t n, d;
    const double *x;      /* [n,d] */
    const double *y;      /* [n] targets; classes 0 and 1 (logistic, hinge); NULL where the loss has none */
    const double *weight; /* [n]; NULL: ones */
} nigh_rows;

typedef enum nigh_row_loss_kind {
    NIGH_LOSS_SQUARES,  /* r^2, r = y - x.w - b                                                      */
    NIGH_LOSS_LP,       /* |r|^p, 1 <= p <= 8                                                        */
    NIGH_LOSS_HUBER,    /* r^2 / 2 to |r| = delta, then delta (|r| - delta / 2)                      */
    NIGH_LOSS_LOGISTIC, /* log(1 + exp(-s m)), m = x.w + b, s = 2 y - 1                              */
    NIGH_LOSS_HINGE,    /* max(0, 1 - s m): support vector machine                                   */
    NIGH_LOSS_KMEANS,   /* least |x - c_j|^2 over k centres                                          */
    NIGH_LOSS_MIXTURE,  /* - log density of k Gaussians with full covariances                        */
    NIGH_LOSS_RESIDUAL, /* a function of r that the user wrote, "r*r/(1+abs(r))": any expression in r */
    NIGH_LOSS_CALLBACK  /* the user's own                                                            */
} nigh_row_loss_kind;

#ifdef __cplusplus
}
#endif
#endif
