/* Standardisation and principal components of samples (Jolliffe, "Principal Component Analysis"); see fit.h. */
#include "regress/fit.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

void map_moments(int64_t n, int64_t d, const double *x, bool standardise, double *mean, double *stretch)
{
    for (int64_t k = 0; k < d; k++) {
        double sum = 0, squares = 0, large = 0;
        for (int64_t i = 0; i < n; i++) sum += x[i * d + k] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            double gap = x[i * d + k] - sum;
            squares += gap * gap / (double)n;
            large = fmax(large, fabs(x[i * d + k]));
        }
        double deviation = sqrt(squares);
        mean[k] = sum;
        stretch[k] = !standardise ? 1 : deviation > 1e-14 * large && deviation > 0 ? 1 / deviation : 0;
    }
}

/* How many of the falling lengths s[k] are needed. */
static int64_t needed(int64_t k, const double *s, double loss, int64_t most)
{
    double total = 0, left = 0;
    for (int64_t i = 0; i < k; i++) total += s[i] * s[i];
    int64_t r = k;
    for (; r > 1; r--) {
        left += s[r - 1] * s[r - 1];
        if (left > loss * loss * total && s[r - 1] > 1e-13 * s[0]) break;
    }
    return r < most ? r : most;
}

/* Both sides long: eigenvectors of the smaller Gram matrix, with those below 1e-5 of the largest dropped as rounding. */
static nigh_status components_by_gram(nigh_context *ctx, int64_t n, int64_t d, const double *a, double loss, int64_t most, double *basis,
                                      int64_t *r)
{
    int64_t k = n < d ? n : d;
    bool rows = n < d;
    double *gram = nigh_alloc_zero(ctx, (size_t)(k * k), sizeof *gram), *value = nigh_alloc_zero(ctx, (size_t)k, sizeof *value);
    double *vectors = NULL, *span = NULL, *u = NULL, *s = NULL;
    nigh_status status = gram && value ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = linalg_gemm(ctx, !rows, rows, k, k, rows ? d : n, 1, a, a, 0, gram);
    if (!status) status = linalg_eigen(ctx, k, gram, value);
    if (status) goto done;
    for (int64_t i = 0; i < k / 2; i++) {
        double swap = value[i];
        value[i] = value[k - 1 - i], value[k - 1 - i] = swap;
    }
    for (int64_t i = 0; i < k; i++) value[i] = value[i] > 1e-10 * value[0] ? sqrt(value[i]) : 0;
    *r = needed(k, value, loss, most);
    if (!(vectors = nigh_alloc(ctx, (size_t)(*r * k) * sizeof *vectors))) {
        status = NIGH_MEMORY;
        goto done;
    }
    for (int64_t i = 0; i < *r; i++) memcpy(vectors + i * k, gram + (k - 1 - i) * k, (size_t)k * sizeof *gram);
    if (!rows) {
        memcpy(basis, vectors, (size_t)(*r * k) * sizeof *basis);
        goto done;
    }
    span = nigh_alloc(ctx, (size_t)(*r * d) * sizeof *span);
    u = nigh_alloc(ctx, (size_t)(*r * *r) * sizeof *u);
    s = nigh_alloc(ctx, (size_t)*r * sizeof *s);
    if (!span || !u || !s) {
        status = NIGH_MEMORY;
        goto done;
    }
    if ((status = linalg_gemm(ctx, false, false, *r, d, n, 1, vectors, a, 0, span))) goto done;
    status = linalg_svd(ctx, *r, d, span, u, s, basis);
done:
    nigh_free(ctx, s);
    nigh_free(ctx, u);
    nigh_free(ctx, span);
    nigh_free(ctx, vectors);
    nigh_free(ctx, value);
    nigh_free(ctx, gram);
    return status;
}

static nigh_status components(nigh_context *ctx, int64_t n, int64_t d, const double *a, double loss, int64_t most, double *basis,
                              int64_t *r)
{
    int64_t k = n < d ? n : d;
    if (k > 800) return components_by_gram(ctx, n, d, a, loss, most, basis, r);
    double *copy = nigh_alloc(ctx, (size_t)(n * d) * sizeof *copy), *u = nigh_alloc(ctx, (size_t)(n * k) * sizeof *u);
    double *s = nigh_alloc(ctx, (size_t)k * sizeof *s);
    nigh_status status = copy && u && s ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        memcpy(copy, a, (size_t)(n * d) * sizeof *copy);
        status = linalg_svd(ctx, n, d, copy, u, s, basis);
    }
    if (!status) *r = needed(k, s, loss, most);
    nigh_free(ctx, s);
    nigh_free(ctx, u);
    nigh_free(ctx, copy);
    return status;
}

nigh_status map_pca_fit(nigh_context *ctx, nigh_arena *arena, int64_t n, int64_t d, const double *x, bool standardise, bool reduce,
                        double loss, int64_t most, map_pca *out)
{
    int64_t k = n < d ? n : d;
    *out = (map_pca){.r = d};
    nigh_status status = NIGH_OK;
    double *a = nigh_alloc_zero(ctx, (size_t)n, (size_t)d * sizeof *a), *basis = NULL;
    if (!a || !(out->mean = nigh_arena_alloc(arena, (size_t)d * sizeof *a)) || !(out->stretch = nigh_arena_alloc(arena, (size_t)d * sizeof *a))) {
        status = NIGH_MEMORY;
        goto done;
    }
    map_moments(n, d, x, standardise, out->mean, out->stretch);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) a[i * d + j] = (x[i * d + j] - out->mean[j]) * out->stretch[j];
    if (reduce) {
        if (!(basis = nigh_alloc(ctx, (size_t)(k * d) * sizeof *basis))) {
            status = NIGH_MEMORY;
            goto done;
        }
        if ((status = components(ctx, n, d, a, loss, most, basis, &out->r))) goto done;
        if (!(out->basis = nigh_arena_alloc(arena, (size_t)(out->r * d) * sizeof *basis))) {
            status = NIGH_MEMORY;
            goto done;
        }
        memcpy(out->basis, basis, (size_t)(out->r * d) * sizeof *basis);
    }
    if (!(out->score = nigh_arena_alloc(arena, (size_t)(n * out->r) * sizeof *a))) {
        status = NIGH_MEMORY;
        goto done;
    }
    if (reduce)
        status = linalg_gemm(ctx, false, true, n, out->r, d, 1, a, out->basis, 0, out->score);
    else
        memcpy(out->score, a, (size_t)(n * d) * sizeof *a);
done:
    nigh_free(ctx, basis);
    nigh_free(ctx, a);
    return status ? status : nigh_poll(ctx);
}

nigh_status map_fit_components(nigh_context *ctx, map_fit *fit, int64_t most, map_pca *in, map_pca *out)
{
    enum { UNITS = 32 };
    nigh_status status = map_pca_fit(ctx, fit->arena, fit->n, fit->d, fit->x, fit->d < UNITS, fit->d >= MAP_FEW,
                                     map_setting(fit, "input-loss"), most, in);
    if (status) return status;
    return map_pca_fit(ctx, fit->arena, fit->n, fit->m, fit->y, false, fit->m >= MAP_FEW, map_setting(fit, "output-loss"), most, out);
}

nigh_status map_supports_loss(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_settings standard = nigh_settings_default(method);
    int64_t d = nigh_shape_count(&problem->in);
    double loss = nigh_setting(method, settings, "input-loss");
    if (d >= MAP_FEW || loss == nigh_setting(method, &standard, "input-loss")) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "input-loss is %g, but inputs of %lld elements are not reduced; from %d on they are", loss,
                     (long long)d, MAP_FEW);
}

double map_guess_components(double elements, double samples)
{
    return elements < MAP_FEW ? elements : fmax(1, fmin(elements, fmin(samples - 1, 16)));
}

void map_model_set_input(map_model *model, const map_pca *in, const double *centre, const double *scale)
{
    int64_t r = map_padded(model->r), d = model->d;
    for (int64_t k = 0; k < d; k++) {
        model->shift[k] = in->mean[k];
        model->stretch[k] = in->stretch[k];
        if (in->basis || !scale) continue;
        /* z = scale ((x - mean) stretch - centre), in one step */
        if (in->stretch[k] > 0) model->shift[k] += centre[k] / in->stretch[k];
        model->stretch[k] *= scale[k];
    }
    for (int64_t c = 0; in->basis && c < model->r; c++) {
        double by = scale ? scale[c] : 1;
        for (int64_t k = 0; k < d; k++) model->project[k * r + c] = by * in->basis[c * d + k];
        model->latent[c] = scale ? -by * centre[c] : 0;
        model->unscale[c] = by > 0 ? 1 / by : 0;
    }
}

void map_model_set_output(map_model *model, const map_pca *out)
{
    int64_t wide = map_padded(model->m);
    if (!out->basis) {
        for (int64_t j = 0; j < model->m; j++) model->bias[j] += out->mean[j];
        return;
    }
    memcpy(model->offset, out->mean, (size_t)model->m * sizeof *out->mean);
    for (int64_t c = 0; c < model->q; c++) memcpy(model->decode + c * wide, out->basis + c * model->m, (size_t)model->m * sizeof *out->basis);
}

nigh_status map_model_set_limit(nigh_context *ctx, map_model *model, int64_t n, const double *x)
{
    model->limit = -1;
    if (!model->project) return NIGH_OK;
    double *residual = nigh_alloc(ctx, (size_t)n * sizeof *residual), *workspace = nigh_alloc(ctx, map_model_workspace(model));
    double most = 0, size = 0;
    if (residual && workspace) {
        map_model_residuals(model, n, x, residual, workspace);
        for (int64_t i = 0; i < n; i++) {
            double s2 = 0;
            for (int64_t k = 0; k < model->d; k++) {
                double s = (x[i * model->d + k] - model->shift[k]) * model->stretch[k];
                s2 += s * s;
            }
            most = fmax(most, residual[i]);
            size = fmax(size, s2);
        }
        /* Lengths by a factor of 2; and no less than what rounding leaves of a residual of zero. */
        model->limit = 4 * most + 1e-12 * size;
    }
    nigh_status status = residual && workspace ? NIGH_OK : NIGH_MEMORY;
    nigh_free(ctx, workspace);
    nigh_free(ctx, residual);
    return status;
}
