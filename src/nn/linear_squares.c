/* Weighted least squares, the ridge path, the ridge classifier. Declared in nigh/linear.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "nn/linear.h"

#include "nigh/linalg.h"
#include "tensor/linalg.h"

/* Rows times the root of their weight, after the weighted means were taken off (zeros when not centred). */
typedef struct rooted {
    double *x, *y, *mean_x, *mean_y; /* [n,d], [n,q], [d], [q] */
    double total;
} rooted;

static void rooted_free(nigh_context *ctx, rooted *r)
{
    nigh_free(ctx, r->x);
    nigh_free(ctx, r->y);
    nigh_free(ctx, r->mean_x);
    nigh_free(ctx, r->mean_y);
}

static void centre(const nigh_linear_data *data, const double *from, int64_t columns, double total, bool centred, double *mean, double *to)
{
    for (int64_t i = 0; centred && i < data->n; i++)
        for (int64_t j = 0; j < columns; j++) mean[j] += linear_weight(data, i) / total * from[i * columns + j];
    for (int64_t i = 0; i < data->n; i++) {
        double root = sqrt(linear_weight(data, i));
        for (int64_t j = 0; j < columns; j++) to[i * columns + j] = root * (from[i * columns + j] - mean[j]);
    }
}

static nigh_status rooted_new(nigh_context *ctx, const nigh_linear_data *data, int64_t q, const double *y, bool centred, rooted *r)
{
    *r = (rooted){0};
    if (q < 1 || q > 1000000) return nigh_fail(ctx, NIGH_INVALID, "q is %lld outputs; 1 to 10^6 is allowed", (long long)q);
    nigh_status status = linear_check(ctx, data, &r->total);
    if (!status) status = linalg_check_finite(ctx, "y", data->n, q, y);
    if (status) return status;
    r->x = linear_numbers(ctx, data->n, data->d, 1);
    r->y = linear_numbers(ctx, data->n, q, 1);
    r->mean_x = linear_numbers(ctx, data->d, 1, 1);
    r->mean_y = linear_numbers(ctx, q, 1, 1);
    if (!r->x || !r->y || !r->mean_x || !r->mean_y) return rooted_free(ctx, r), NIGH_MEMORY;
    centre(data, data->x, data->d, r->total, centred, r->mean_x, r->x);
    centre(data, y, q, r->total, centred, r->mean_y, r->y);
    return NIGH_OK;
}

static void intercept_of(const rooted *r, int64_t d, int64_t q, const double *w, double *intercept)
{
    for (int64_t c = 0; c < q; c++) {
        intercept[c] = r->mean_y[c];
        for (int64_t j = 0; j < d; j++) intercept[c] -= r->mean_x[j] * w[j * q + c];
    }
}

nigh_status nigh_linear_squares(nigh_context *ctx, const nigh_linear_data *data, int64_t q, const double *y, double *w, double *intercept)
{
    rooted r;
    nigh_status status = rooted_new(ctx, data, q, y, intercept != NULL, &r);
    if (status) return status;
    int64_t most = data->n > data->d ? data->n : data->d;
    status = nigh_least_squares(ctx, NIGH_F64, data->n, data->d, q, r.x, r.y, (double)most * DBL_EPSILON, w, NULL);
    if (!status && intercept) intercept_of(&r, data->d, q, w, intercept);
    rooted_free(ctx, &r);
    return status;
}

/* The eigensystem X'WX = V' diag(value) V (rows of v), u = X V' [n,d], t = V X'Wy [d,q]. */
typedef struct spectrum {
    double *v, *value, *u, *t, *work;
} spectrum;

static nigh_status spectrum_of(nigh_context *ctx, const rooted *r, int64_t n, int64_t d, int64_t q, spectrum *s)
{
    s->v = linear_numbers(ctx, d, d, 1);
    s->value = linear_numbers(ctx, d, 1, 1);
    s->u = linear_numbers(ctx, n, d, 1);
    s->t = linear_numbers(ctx, d, q, 1);
    s->work = linear_numbers(ctx, d, q, 1);
    if (!s->v || !s->value || !s->u || !s->t || !s->work) return NIGH_MEMORY;
    nigh_status status = linalg_gemm(ctx, true, false, d, d, n, 1, r->x, r->x, 0, s->v);
    if (!status) status = linalg_eigen(ctx, d, s->v, s->value);
    if (!status) status = linalg_gemm(ctx, false, true, n, d, d, 1, r->x, s->v, 0, s->u);
    if (!status) status = linalg_gemm(ctx, true, false, d, q, n, 1, s->u, r->y, 0, s->t);
    for (int64_t j = 0; j < d && !status; j++) s->value[j] = fmax(s->value[j], 0);
    return status;
}

/* Both cross-validations of one lambda; s->work holds the coefficients in the eigenvectors. */
static void validate(const nigh_linear_data *data, const rooted *r, const spectrum *s, int64_t q, double lambda, bool centred, double *loo, double *gcv)
{
    int64_t n = data->n, d = data->d;
    double trace = centred ? 1 : 0;
    for (int64_t j = 0; j < d; j++) trace += s->value[j] / (s->value[j] + lambda);
    for (int64_t c = 0; c < q; c++) {
        double left_out = 0, all = 0;
        for (int64_t i = 0; i < n; i++) {
            const double *u = s->u + i * d;
            double rest = r->y[i * q + c], lever = centred ? linear_weight(data, i) / r->total : 0;
            for (int64_t j = 0; j < d; j++) rest -= u[j] * s->work[j * q + c], lever += u[j] * u[j] / (s->value[j] + lambda);
            double alone = rest / (1 - lever); /* root of the weight times the error */
            left_out += linear_weight(data, i) > 0 ? alone * alone : 0;
            all += rest * rest;
        }
        if (loo) loo[c] = left_out / r->total;
        if (gcv) gcv[c] = r->total * all / ((r->total - trace) * (r->total - trace));
    }
}

nigh_status nigh_ridge_path(nigh_context *ctx, const nigh_linear_data *data, int64_t q, const double *y, int64_t lambdas, const double *lambda,
                            double *w, double *intercept, double *loo, double *gcv)
{
    for (int64_t l = 0; l < lambdas; l++)
        if (!(lambda[l] > 0 && lambda[l] < INFINITY))
            return nigh_fail(ctx, NIGH_INVALID, "lambda[%lld] is %g; a positive number is allowed, nigh_linear_squares is for 0", (long long)l, lambda[l]);
    rooted r;
    spectrum s = {0};
    nigh_status status = rooted_new(ctx, data, q, y, intercept != NULL, &r);
    if (status) return status;
    int64_t d = data->d;
    status = spectrum_of(ctx, &r, data->n, d, q, &s);
    for (int64_t l = 0; l < lambdas && !status; l++) {
        for (int64_t j = 0; j < d; j++)
            for (int64_t c = 0; c < q; c++) s.work[j * q + c] = s.t[j * q + c] / (s.value[j] + lambda[l]);
        status = linalg_gemm(ctx, true, false, d, q, d, 1, s.v, s.work, 0, w + l * d * q);
        if (!status && intercept) intercept_of(&r, d, q, w + l * d * q, intercept + l * q);
        if (!status && (loo || gcv)) validate(data, &r, &s, q, lambda[l], intercept != NULL, loo ? loo + l * q : NULL, gcv ? gcv + l * q : NULL);
    }
    nigh_free(ctx, s.v);
    nigh_free(ctx, s.value);
    nigh_free(ctx, s.u);
    nigh_free(ctx, s.t);
    nigh_free(ctx, s.work);
    rooted_free(ctx, &r);
    return status;
}

nigh_status nigh_ridge_classify(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label, double lambda, double *w,
                                double *intercept)
{
    double total;
    nigh_status status = linear_check(ctx, data, &total);
    if (!status) status = linear_check_labels(ctx, data, classes, label, false);
    if (status) return status;
    double *y = linear_numbers(ctx, data->n, classes, 1);
    if (!y) return NIGH_MEMORY;
    for (int64_t i = 0; i < data->n; i++)
        for (int c = 0; c < classes; c++) y[i * classes + c] = label[i] == c ? 1 : -1;
    status = nigh_ridge_path(ctx, data, classes, y, 1, &lambda, w, intercept, NULL, NULL);
    nigh_free(ctx, y);
    return status;
}
