/* Losses that the user wrote as an expression of r; see margin_residual.h. */
#include "nn/margin_residual.h"

#include <string.h>

#include "core/expr.h"

nigh_status margin_residual_new(nigh_context *ctx, const char *text, margin_residual *out)
{
    static const char *const names[] = {"r"};
    if (!text || !*text) return nigh_fail(ctx, NIGH_INVALID, "the loss of a residual needs an expression in r, such as \"r*r/(1+abs(r))\"");
    nigh_expr *expr;
    nigh_status status = nigh_expr_parse(ctx, text, names, 1, &expr);
    if (status) return nigh_within(ctx, status, "the loss of the residual r");
    size_t values = nigh_expr_workspace(expr), slopes = expr_slope_workspace(expr);
    *out = (margin_residual){expr, values > slopes ? values : slopes};
    return NIGH_OK;
}

void margin_residual_end(margin_residual *r)
{
    nigh_expr_free(r->expr);
    r->expr = NULL;
}

double margin_residual_curve(const margin_residual *r, int64_t rows, const double *m, const double *y, const double *weight, double *value, double *slope, double *room,
                      void *workspace)
{
    double *off = room, *values = value ? value : room + rows, sum = 0;
    const double *column[1] = {off};
    for (int64_t i = 0; i < rows; i++) off[i] = y[i] - m[i];
    if (slope) expr_slope(r->expr, 0, rows, column, values, slope, workspace);
    else nigh_expr_eval_f64(r->expr, rows, column, values, workspace);
    for (int64_t i = 0; i < rows; i++) {
        double w = weight ? weight[i] : 1;
        if (w > 0) sum += w * values[i];
        if (slope) slope[i] = w > 0 ? -w * slope[i] : 0;
    }
    return sum;
}
