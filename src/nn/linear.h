/* Checks that all linear models share. */
#ifndef NIGH_NN_LINEAR_H
#define NIGH_NN_LINEAR_H
#include "nigh/linear.h"

/* Sizes, finite x, weights; *total: sum of the weights. */
nigh_status linear_check(nigh_context *ctx, const nigh_linear_data *data, double *total);

/* Labels in 0 .. classes - 1; each has a row of positive weight when `every`. */
nigh_status linear_check_labels(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label, bool every);

/* Room for a x b x c numbers (at least one). */
double *linear_numbers(nigh_context *ctx, int64_t a, int64_t b, int64_t c);

static inline double linear_weight(const nigh_linear_data *data, int64_t i) { return data->weight ? data->weight[i] : 1; }
#endif
