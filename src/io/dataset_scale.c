/* Scaling of features, fitted on given rows only. Declared in nigh/dataset.h. */
#include "nigh/dataset.h"

#include <math.h>

static nigh_status check(nigh_context *ctx, const nigh_array *x)
{
    if (x->shape.ndim < 1) return nigh_fail(ctx, NIGH_INVALID, "x has no dimensions; [rows, ...] is needed");
    if (x->shape.dtype != NIGH_F32 && x->shape.dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_INVALID, "x has type %s; f32 and f64 are allowed", nigh_dtype_name(x->shape.dtype));
    return NIGH_OK;
}

static int64_t features_of(const nigh_array *x)
{
    int64_t n = 1;
    for (int i = 1; i < x->shape.ndim; i++) n *= x->shape.dim[i];
    return n;
}

static double get(const nigh_array *x, int64_t i) { return x->shape.dtype == NIGH_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i]; }

static void fit_standard(const nigh_array *x, const int64_t *index, int64_t count, nigh_scaler *s)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0, row = index ? index[i] : i; j < s->features; j++) s->offset[j] += get(x, row * s->features + j);
    for (int64_t j = 0; j < s->features; j++) s->offset[j] /= (double)count;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0, row = index ? index[i] : i; j < s->features; j++) {
            double off = get(x, row * s->features + j) - s->offset[j];
            s->scale[j] = fma(off, off, s->scale[j]);
        }
    for (int64_t j = 0; j < s->features; j++) s->scale[j] = sqrt(s->scale[j] / (double)count);
}

static void fit_range(const nigh_array *x, const int64_t *index, int64_t count, nigh_scaler *s)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0, row = index ? index[i] : i; j < s->features; j++) { /* scale holds the largest so far */
            double value = get(x, row * s->features + j);
            if (i == 0 || value < s->offset[j]) s->offset[j] = value;
            if (i == 0 || value > s->scale[j]) s->scale[j] = value;
        }
    for (int64_t j = 0; j < s->features; j++) s->scale[j] -= s->offset[j];
}

nigh_status nigh_scaler_fit(nigh_context *ctx, nigh_scaler_kind kind, const nigh_array *x, const int64_t *index, int64_t count, nigh_scaler *out)
{
    nigh_status status = check(ctx, x);
    if (status) return status;
    nigh_scaler s = {.features = features_of(x)};
    int64_t rows = x->shape.dim[0];
    if (!index) count = rows;
    if (count < 1) return nigh_fail(ctx, NIGH_INVALID, "a scaler is fitted to %lld rows; 1 or more are needed", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = index ? index[i] : i;
        if (row < 0 || row >= rows)
            return nigh_fail(ctx, NIGH_INVALID, "index[%lld] is row %lld; 0 to %lld are allowed", (long long)i, (long long)row, (long long)rows - 1);
        for (int64_t j = 0; j < s.features; j++)
            if (!isfinite(get(x, row * s.features + j)))
                return nigh_fail(ctx, NIGH_INVALID, "feature %lld of row %lld is not finite", (long long)j, (long long)row);
    }
    s.offset = nigh_alloc_zero(ctx, 2 * (size_t)s.features, sizeof *s.offset);
    if (!s.offset) return NIGH_MEMORY;
    s.scale = s.offset + s.features;
    if (kind == NIGH_SCALE_STANDARD)
        fit_standard(x, index, count, &s);
    else
        fit_range(x, index, count, &s);
    for (int64_t j = 0; j < s.features; j++) /* the spread of a constant is rounding: nothing to divide by */
        if (!(s.scale[j] > 4e-16 * fabs(s.offset[j])) || !isfinite(s.scale[j])) s.scale[j] = 1;
    *out = s;
    return NIGH_OK;
}

void nigh_scaler_free(nigh_context *ctx, nigh_scaler *scaler)
{
    nigh_free(ctx, scaler->offset);
    *scaler = (nigh_scaler){0};
}

static nigh_status change(nigh_context *ctx, const nigh_scaler *s, nigh_array *x, bool back)
{
    nigh_status status = check(ctx, x);
    if (status) return status;
    if (features_of(x) != s->features)
        return nigh_fail(ctx, NIGH_INVALID, "x has %lld features in a row; the scaler was fitted to %lld", (long long)features_of(x), (long long)s->features);
    for (int64_t i = 0, at = 0; i < x->shape.dim[0]; i++)
        for (int64_t j = 0; j < s->features; j++, at++) {
            double value = get(x, at);
            value = back ? value * s->scale[j] + s->offset[j] : (value - s->offset[j]) / s->scale[j];
            if (x->shape.dtype == NIGH_F32)
                ((float *)x->data)[at] = (float)value;
            else
                ((double *)x->data)[at] = value;
        }
    return NIGH_OK;
}

nigh_status nigh_scaler_apply(nigh_context *ctx, const nigh_scaler *scaler, nigh_array *x) { return change(ctx, scaler, x, false); }
nigh_status nigh_scaler_inverse(nigh_context *ctx, const nigh_scaler *scaler, nigh_array *x) { return change(ctx, scaler, x, true); }
