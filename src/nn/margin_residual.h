/* A loss that is an expression of the residual r = y - m. */
#ifndef NIGH_NN_MARGIN_RESIDUAL_H
#define NIGH_NN_MARGIN_RESIDUAL_H
#include "nigh/expr.h"

typedef struct margin_residual {
    nigh_expr *expr;
    size_t workspace; /* bytes */
} margin_residual;

/* NIGH_INVALID: not an expression, or one of another name than r. */
nigh_status margin_residual_new(nigh_context *ctx, const char *text, margin_residual *out);
void margin_residual_end(margin_residual *r);

/* As margin_kernels' curve, without curvatures. room: rows numbers, twice; workspace: 64-byte aligned. */
double margin_residual_curve(const margin_residual *r, int64_t rows, const double *m, const double *y, const double *weight, double *value, double *slope, double *room,
                      void *workspace);
#endif
