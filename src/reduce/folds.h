/* Rows sorted by fold, and what they give together or without one fold. */
#ifndef NIGH_REDUCE_FOLDS_H
#define NIGH_REDUCE_FOLDS_H
#include "nn/margin.h"

typedef struct folds {
    nigh_context *ctx;
    int count;
    int64_t d;
    double *block;      /* x, y, weight by fold */
    nigh_rows *rows;    /* [count] */
    double *weight;     /* [count] sums of weights */
    margin_pass **pass; /* [count] */
    double *cost, *g, *h; /* [count], [count, d+1], [count, (d+1)^2] of the last look */
} folds;

/* fold[n] is in range. NIGH_INVALID: a fold without weight. */
nigh_status folds_new(nigh_context *ctx, const nigh_rows *rows, int count, const int32_t *fold, unsigned most, folds *out);
void folds_end(folds *f);

/* Cost, gradient and Hessian of every fold but `skip` (-1: none) at model[d+1]; what: MARGIN_GRADIENT, MARGIN_HESSIAN, 0. */
void folds_look(folds *f, int skip, const margin_curve *curve, const double *model, unsigned what);

/* Their sums with the penalty, without the part of fold `skip` (-1: none); h of the last look that had one. */
void folds_sum(const folds *f, int skip, double lambda, const double *model, double *cost, double *g, double *h);

/* test[count, folds]: means of f on each fold under model[count, folds, d+1]. */
nigh_status folds_test(folds *f, const margin_curve *curve, int64_t count, const double *model, double *test);
#endif
