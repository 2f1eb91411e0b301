/* A loss nobody has derived a sensitivity bound for, with its trainer: iteratively reweighted least squares. */
#include "parts.h"

#include "nigh/linalg.h"

#include <math.h>
#include <string.h>

static const double delta = 0.2, below = 0.3, ridge = 10;

static double residual(const nigh_rows *rows, int64_t i, const double *model)
{
    double r = rows->y[i] - model[rows->d];
    for (int64_t j = 0; j < rows->d; j++) r -= rows->x[i * rows->d + j] * model[j];
    return r;
}

static nigh_status values(void *user, const nigh_rows *rows, const double *model, double *value)
{
    (void)user;
    for (int64_t i = 0; i < rows->n; i++) {
        double r = residual(rows, i, model), a = fabs(r), h = a <= delta ? a * a / 2 : delta * (a - delta / 2);
        value[i] = r > 0 ? h : below * h;
    }
    return NIGH_OK;
}

static double penalty(void *user, const double *model)
{
    const skewed *s = user;
    double sum = 0;
    for (int64_t j = 0; j < s->features; j++) sum += model[j] * model[j];
    return ridge / 2 * sum;
}

/* One step: the quadratic function that touches the cost from above, minimised. */
static nigh_status improve(nigh_context *ctx, const nigh_rows *rows, double *model, double *a, double *b, double *cost)
{
    int64_t d = rows->d, p = d + 1;
    memset(a, 0, (size_t)(p * p) * sizeof *a);
    memset(b, 0, (size_t)p * sizeof *b);
    *cost = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        const double *x = rows->x + i * d;
        double r = residual(rows, i, model), m = fabs(r), u = (rows->weight ? rows->weight[i] : 1) * (r > 0 ? 1 : below);
        double w = u * (m <= delta ? 1 : delta / m);
        *cost += u * (m <= delta ? m * m / 2 : delta * (m - delta / 2));
        for (int64_t j = 0; j < p; j++) {
            double v = w * (j < d ? x[j] : 1);
            b[j] += v * rows->y[i];
            for (int64_t k = 0; k <= j; k++) a[j * p + k] += v * (k < d ? x[k] : 1);
        }
    }
    for (int64_t j = 0; j < p; j++) a[j * p + j] += j < d ? ridge : 1e-9;
    nigh_status status = nigh_cholesky_factor(ctx, NIGH_F64, p, p, a, a);
    return status ? status : nigh_cholesky_solve(ctx, NIGH_F64, p, p, a, 1, b, model);
}

static nigh_status fit(void *user, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *out)
{
    enum { MOST = 300 };
    skewed *s = user;
    int64_t p = rows->d + 1;
    double *a = nigh_alloc(s->ctx, (size_t)(p * p + p) * sizeof *a), cost = INFINITY, now;
    nigh_status status = a ? NIGH_OK : NIGH_MEMORY;
    for (int64_t j = 0; j < p; j++) model[j] = start ? start[j] : 0;
    *out = (nigh_loss_fit){.gap = INFINITY};
    while (!status && !out->met && out->iterations < MOST) {
        double shrink = penalty(s, model);
        status = improve(s->ctx, rows, model, a, a + p * p, &now);
        out->iterations++, out->passes++;
        out->met = out->iterations > 1 && cost - (now + shrink) <= 1e-12 * cost;
        cost = now + shrink;
    }
    out->cost = cost;
    nigh_free(s->ctx, a);
    return status;
}

nigh_loss_callbacks skewed_callbacks(skewed *s)
{
    return (nigh_loss_callbacks){.parameters = s->features + 1, .values = values, .fit = fit, .penalty = penalty, .user = s};
}

nigh_status claim_loss(nigh_context *ctx, const char *text, int64_t features, skewed *s, nigh_loss **loss)
{
    if (strcmp(text, "skewed") != 0) return nigh_loss_parse(ctx, text, loss);
    *s = (skewed){ctx, features};
    nigh_loss_callbacks callbacks = skewed_callbacks(s);
    return nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_CALLBACK, .callbacks = &callbacks}, loss);
}
