/* The inside of losses: their layout, and the fits that nigh_loss_train chooses from. */
#ifndef NIGH_REDUCE_LOSS_H
#define NIGH_REDUCE_LOSS_H
#include "nigh/coreset.h"
#include "nn/margin.h"

struct nigh_loss {
    nigh_context *ctx;
    nigh_loss_options options;
    nigh_loss_callbacks callbacks;
    margin_residual residual;
    char *expression, *name;
};

typedef struct loss_job {
    nigh_context *ctx;
    const nigh_loss *loss;
    const nigh_rows *rows;
    const double *start;
    double tolerance;
    int64_t iterations;
} loss_job;

const char *loss_kind_name(nigh_row_loss_kind kind);
char *loss_name(nigh_context *ctx, const nigh_loss_options *options); /* as nigh_loss_parse reads it; NULL: out of memory */
bool loss_linear(const nigh_loss *loss);  /* a function of the margin */
bool loss_corners(const nigh_loss *loss); /* its curvature is not bounded: it is smoothed in training */
margin_curve loss_curve(const nigh_loss *loss, double smooth);

/* Sizes, and pointers that the loss needs; nothing of n numbers is read. */
nigh_status loss_check_shape(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows);

/* ---- fits: rows are checked, model is of the loss's size; both outputs are written on success alone ---- */

nigh_status loss_train_squares(const loss_job *job, double *model, nigh_loss_fit *fit);
nigh_status loss_train_newton(const loss_job *job, double *model, nigh_loss_fit *fit); /* LP, HUBER, LOGISTIC, HINGE */
nigh_status loss_train_descent(const loss_job *job, double *model, nigh_loss_fit *fit); /* L-BFGS: RESIDUAL, and the others where d is large */

/* Of a linear loss at model: b may be made optimal; see nigh_loss_gap. */
nigh_status loss_gap_linear(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, double *model, double *cost, double *gap);
#endif
