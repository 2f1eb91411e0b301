/* How much a row pulls at a pilot model: what rows are chosen by where a loss has a slope (choosers, reservoirs). */
#ifndef NIGH_REDUCE_ROW_PULL_H
#define NIGH_REDUCE_ROW_PULL_H
#include "nigh/coreset.h"

/*
 * score[n] = |slope of the loss by the margin at `model`| times the length of [1, (x - mean) inverse], unweighted. Losses of the margin (loss_linear);
 * mean[d] and inverse[d] = 1 / deviation from row_moments. One pass on the context's threads; the same bits for any number.
 */
nigh_status row_pulls(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, const double *mean, const double *inverse, double *score);

/* Weighted mean and 1 / standard deviation of each feature; 1 for a constant one. */
nigh_status row_moments(nigh_context *ctx, const nigh_rows *rows, double *mean, double *inverse);
#endif
