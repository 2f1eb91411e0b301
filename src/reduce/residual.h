/* A loss that is an expression of the residual r = y - m. */
#ifndef NIGH_REDUCE_RESIDUAL_H
#define NIGH_REDUCE_RESIDUAL_H
#include "nigh/expr.h"

typedef struct residual_loss {
    nigh_expr *expr;
    size_t workspace; /* bytes */
} residual_loss;

/* NIGH_INVALID: not an expression, or one of another name than r. */
nigh_status residual_new(nigh_context *ctx, const char *text, residual_loss *out);
void residual_end(residual_loss *r);

/* As margin_kernels' curve, without curvatures. room: rows numbers, twice; workspace: 64-byte aligned. */
double residual_curve(const residual_loss *r, int64_t rows, const double *m, const double *y, const double *weight, double *value, double *slope, double *room,
                      void *workspace);
#endif
