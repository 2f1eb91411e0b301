/* The operator's view of what random features can reach, and what the user is told; see band.h. */
#include "regress/band.h"

#include "regress/fit.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RIDGES = 37, MOST_OUTPUTS = 16, FEW_SAMPLES = 40 };
static const double NEAR_BEST = 1.1, TOLD = 0.1, ROUNDING = 1e-16, STEEPEST = 1.0 / 16;

/* 1e-16, 1e-15.5 .. 1e2, as in linalg_ridge. */
static double ridge_at(int i) { return pow(10, -16 + 0.5 * i); }

/* The features on the samples: U s V^T, U[n,k]; U^T y[k,q]; what U leaves of y; 1 - leverage at ridge 0. */
typedef struct band_path {
    int64_t n, k, q, p;
    double *u, *s, *target, *left, *slack, *residual, *filtered;
    double unit, total, beyond; /* mean of s^2; |y|^2; |left|^2 */
} band_path;

static void path_free(nigh_context *ctx, band_path *path)
{
    nigh_free(ctx, path->filtered);
    nigh_free(ctx, path->residual);
    nigh_free(ctx, path->slack);
    nigh_free(ctx, path->left);
    nigh_free(ctx, path->target);
    nigh_free(ctx, path->s);
    nigh_free(ctx, path->u);
}

static nigh_status path_room(nigh_context *ctx, band_path *path)
{
    size_t n = (size_t)path->n, k = (size_t)path->k, q = (size_t)path->q, one = sizeof(double);
    path->u = nigh_alloc(ctx, n * k * one), path->s = nigh_alloc(ctx, k * one), path->target = nigh_alloc(ctx, k * q * one);
    path->left = nigh_alloc(ctx, n * q * one), path->slack = nigh_alloc(ctx, n * one);
    path->residual = nigh_alloc(ctx, n * q * one), path->filtered = nigh_alloc(ctx, k * q * one);
    bool all = path->u && path->s && path->target && path->left && path->slack && path->residual && path->filtered;
    return all ? NIGH_OK : NIGH_MEMORY;
}

/* values[n,p] is destroyed. */
static nigh_status path_new(nigh_context *ctx, const band_samples *samples, int64_t p, double *values, band_path *path)
{
    int64_t n = samples->n, q = samples->q, k = n < p ? n : p;
    *path = (band_path){.n = n, .k = k, .q = q, .p = p};
    double *vt = nigh_alloc(ctx, (size_t)(k * p) * sizeof *vt);
    nigh_status status = vt ? path_room(ctx, path) : NIGH_MEMORY;
    if (!status) status = linalg_svd(ctx, n, p, values, path->u, path->s, vt);
    nigh_free(ctx, vt);
    if (!status) status = linalg_gemm(ctx, true, false, k, q, n, 1, path->u, samples->y, 0, path->target);
    if (status) return status;
    memcpy(path->left, samples->y, (size_t)(n * q) * sizeof(double));
    if ((status = linalg_gemm(ctx, false, false, n, q, k, -1, path->u, path->target, 1, path->left))) return status;
    if (k == n) memset(path->left, 0, (size_t)(n * q) * sizeof(double)); /* nothing is left but rounding */
    for (int64_t i = 0; i < n; i++) {
        double leverage = 0;
        for (int64_t c = 0; c < k; c++) leverage += path->u[i * k + c] * path->u[i * k + c];
        path->slack[i] = k == n ? 0 : fmax(0, 1 - leverage);
    }
    for (int64_t c = 0; c < k; c++) path->unit += path->s[c] * path->s[c] / (double)k;
    for (int64_t i = 0; i < n * q; i++) path->total += samples->y[i] * samples->y[i], path->beyond += path->left[i] * path->left[i];
    if (!(path->unit > 0)) path->unit = 1;
    if (!(path->total > 0)) path->total = 1; /* constant outputs: every error is 0 */
    return NIGH_OK;
}

/* What the samples keep of y at this ridge, relative to y; and the norm that the coefficients need for it. */
static void path_residual(const band_path *path, double ridge, double *residual, double *norm)
{
    double rest = path->beyond, size = 0, t = ridge * path->unit;
    for (int64_t c = 0; c < path->k; c++) {
        double s = path->s[c], share = t / (s * s + t), gain = s / (s * s + t), energy = 0;
        for (int64_t j = 0; j < path->q; j++) energy += path->target[c * path->q + j] * path->target[c * path->q + j];
        rest += share * share * energy, size += gain * gain * energy;
    }
    *residual = sqrt(rest / path->total);
    *norm = sqrt(size * (double)path->p * (double)path->n / path->total);
}

/* Root mean square of the leave-one-out errors, relative to y. */
static nigh_status path_left_out(nigh_context *ctx, const band_path *path, double ridge, double *error)
{
    int64_t n = path->n, k = path->k, q = path->q;
    double t = ridge * path->unit, sum = 0;
    memcpy(path->residual, path->left, (size_t)(n * q) * sizeof(double));
    for (int64_t c = 0; c < k; c++)
        for (int64_t j = 0; j < q; j++) path->filtered[c * q + j] = t / (path->s[c] * path->s[c] + t) * path->target[c * q + j];
    nigh_status status = linalg_gemm(ctx, false, false, n, q, k, 1, path->u, path->filtered, 1, path->residual);
    for (int64_t i = 0; !status && i < n; i++) {
        double free = path->slack[i];
        for (int64_t c = 0; c < k; c++) free += t / (path->s[c] * path->s[c] + t) * path->u[i * k + c] * path->u[i * k + c];
        for (int64_t j = 0; j < q; j++) {
            double e = path->residual[i * q + j] / fmax(free, 1e-30);
            sum += e * e;
        }
    }
    *error = sqrt(sum / path->total);
    return status;
}

/* Least residual with coefficients of at most this norm: the norm falls along the ridge, so by bisection of its logarithm. */
static double path_bounded(const band_path *path, double most)
{
    double low = log(ROUNDING), high = log(1e8), residual, norm;
    path_residual(path, ROUNDING, &residual, &norm);
    if (norm <= most) return residual;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        path_residual(path, exp(middle), &residual, &norm);
        if (norm > most)
            low = middle;
        else
            high = middle;
    }
    path_residual(path, exp(high), &residual, &norm);
    return residual;
}

static nigh_status fill_row(nigh_context *ctx, const band_path *path, const nigh_band_options *options, nigh_band_row *row)
{
    nigh_status status = NIGH_OK;
    row->floor = INFINITY;
    for (int i = 0; !status && i < (options->ridge > 0 ? 1 : RIDGES); i++) {
        double ridge = options->ridge > 0 ? options->ridge : ridge_at(i), error;
        status = path_left_out(ctx, path, ridge, &error);
        if (!status && error < row->floor) row->floor = error, row->ridge = ridge;
    }
    path_residual(path, row->ridge, &row->residual, &row->norm);
    row->bounded = options->norm > 0 ? path_bounded(path, options->norm) : NAN;
    row->left_out = row->floor;
    return status;
}

/* Leave-one-out error at half the samples; y less the mean of that half. */
static nigh_status at_half(nigh_context *ctx, const band_samples *samples, const nigh_band_options *options, double *values, double *error)
{
    int64_t n = samples->n / 2, q = samples->q;
    double *y = nigh_alloc(ctx, (size_t)(n * q) * sizeof *y);
    band_path path = {0};
    nigh_band_row row;
    band_samples half = *samples;
    half.n = n, half.y = y;
    nigh_status status = y ? NIGH_OK : NIGH_MEMORY;
    for (int64_t j = 0; !status && j < q; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++) mean += samples->y[i * q + j] / (double)n;
        for (int64_t i = 0; i < n; i++) y[i * q + j] = samples->y[i * q + j] - mean;
    }
    if (!status) status = path_new(ctx, &half, options->features, values, &path);
    if (!status) status = fill_row(ctx, &path, options, &row);
    *error = row.left_out;
    path_free(ctx, &path);
    nigh_free(ctx, y);
    return status;
}

/*
 * Few samples overstate the error where what is missing are samples, not frequencies. A floor is what does not fall from half
 * of the samples to all of them; what falls is continued to the number that a fit will have, but not below the residual,
 * which the same penalty leaves even on the samples themselves.
 */
static void continue_floor(const band_samples *samples, double half, nigh_band_row *row)
{
    double fall = half > 0 ? fmin(1, fmax(STEEPEST, row->left_out / half)) : 1;
    row->floor = fmax(row->residual, row->left_out * pow(fall, log2((double)samples->all / (double)samples->n)));
}

static nigh_status operator_row(nigh_context *ctx, const band_samples *samples, map_activation activation, const nigh_band_options *options,
                                nigh_band_row *row)
{
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    map_model model = {.body = MAP_FEATURES, .activation = activation, .d = samples->d, .r = samples->d, .q = 1, .m = 1, .count = options->features};
    features_law law = {activation, row->lambda, samples->radius, nigh_seed_split(options->seed, 1)};
    band_path path = {0};
    bool more = samples->all > samples->n && samples->n >= FEW_SAMPLES;
    double *values = NULL, *first = NULL, half;
    if ((status = map_model_alloc(arena, &model, false, false, false))) goto done;
    features_draw(&law, samples->n, samples->z, &model);
    values = nigh_alloc(ctx, (size_t)samples->n * (size_t)model.count * sizeof *values);
    status = values ? features_values(ctx, &model, samples->n, samples->z, values) : NIGH_MEMORY;
    if (!status && more) {
        size_t bytes = (size_t)(samples->n / 2) * (size_t)model.count * sizeof *values;
        status = (first = nigh_alloc(ctx, bytes)) ? NIGH_OK : NIGH_MEMORY;
        if (!status) memcpy(first, values, bytes);
    }
    if (!status) status = path_new(ctx, samples, model.count, values, &path);
    if (!status) status = fill_row(ctx, &path, options, row);
    if (!status && more) status = at_half(ctx, samples, options, first, &half);
    if (!status && more) continue_floor(samples, half, row);
done:
    nigh_free(ctx, first);
    path_free(ctx, &path);
    nigh_free(ctx, values);
    nigh_arena_free(arena);
    return status;
}

/* The smallest range that meets half the tolerance; without one, or when none does, the smallest that comes near the best. */
static int choose(const nigh_band *band, double tolerance)
{
    double best = INFINITY;
    for (int i = 0; i < band->count; i++) best = fmin(best, band->row[i].floor);
    double enough = tolerance / 2 > best ? tolerance / 2 : NEAR_BEST * best;
    int at = -1;
    for (int i = 0; i < band->count; i++)
        if (band->row[i].floor <= enough && (at < 0 || band->row[i].lambda < band->row[at].lambda)) at = i;
    return at < 0 ? 0 : at;
}

nigh_status band_diagnose(nigh_context *ctx, const band_samples *samples, map_activation activation, const nigh_band_options *options,
                          nigh_band *out)
{
    *out = (nigh_band){.count = options->count > 0 ? options->count : BAND_GRID, .radius = samples->radius};
    /* Frequencies are lost where the transform is below the root of the ridge: its weight in the squares. */
    double tail = sqrt(options->ridge > 0 ? options->ridge : ROUNDING), width = features_bandwidth(activation, tail);
    nigh_status status = NIGH_OK;
    for (int i = 0; !status && i < out->count; i++) {
        nigh_band_row *row = &out->row[i];
        row->lambda = options->count > 0 ? options->lambda[i] : band_grid(i);
        row->reach = row->lambda * samples->radius;
        nigh_progress(ctx, "ranges of hidden weights", i, out->count);
        status = operator_row(ctx, samples, activation, options, row);
        if (!status) status = band_beyond(ctx, samples, row->lambda * width, &row->spectral);
    }
    if (!status) out->chosen = choose(out, options->tolerance);
    return status;
}

void band_describe(nigh_band *band, map_activation activation, int at)
{
    const nigh_band_row *row = &band->row[at], *best = &band->row[band->chosen];
    for (int i = 0; i < band->count; i++)
        if (band->row[i].floor < best->floor / 2) best = &band->row[i];
    char *text = band->words;
    size_t size = sizeof band->words;
    if (activation == MAP_RELU) {
        snprintf(text, size, "relu features are the same for every range of hidden weights, up to their size: what matters is that their "
                             "kinks b/|a| lie among the data; predicted error %.2g at coefficient norm %.2g", row->floor, row->norm);
        return;
    }
    int n = snprintf(text, size, "with hidden weights up to %.3g (times the data's radius: %.3g) and coefficients of norm %.2g ", row->lambda,
                     row->reach, row->norm);
    bool far = best->floor < row->floor / 2;
    if (row->residual > 0.5 * row->floor && row->floor > TOLD)
        n += snprintf(text + n, size - (size_t)n, "no number of features gets below %.2g (relative)", row->residual);
    else
        n += snprintf(text + n, size - (size_t)n, "an error of %.2g (relative) is predicted", row->floor);
    if (far)
        snprintf(text + n, size - (size_t)n, "; up to %.3g would reach %.2g", best->lambda, best->floor);
    else if (row->floor > TOLD)
        snprintf(text + n, size - (size_t)n, "; no other range does much better: too few samples, noise, or jumps");
}

/* ---- the public face ---- */

nigh_band_options nigh_band_options_default(void)
{
    return (nigh_band_options){.activation = "sigmoid", .features = 600, .samples = 400, .seed = 1};
}

static nigh_status find_activation(nigh_context *ctx, const char *name, map_activation *out)
{
    for (int i = 0; name && i < MAP_ACTIVATIONS; i++)
        if (strcmp(name, features_name((map_activation)i)) == 0) {
            *out = (map_activation)i;
            return NIGH_OK;
        }
    static const char *const finite[] = {"constant", "linear", "identity", "polynomial", "square", "quadratic", "cubic"};
    for (size_t i = 0; name && i < sizeof finite / sizeof *finite; i++)
        if (strcmp(name, finite[i]) == 0)
            return nigh_fail(ctx, NIGH_INVALID, "activation is '%s'; polynomials span a space of finite dimension whatever the hidden weights, a floor for "
                             "another reason (polynomial-ridge fits that space directly); %s are allowed", name, features_choices);
    return nigh_fail(ctx, NIGH_INVALID, "activation is '%s'; %s are allowed", name ? name : "NULL", features_choices);
}

static nigh_status check_options(nigh_context *ctx, const nigh_band_options *o)
{
    if (o->count < 0 || o->count > NIGH_BAND_MOST || (o->count > 0 && !o->lambda))
        return nigh_fail(ctx, NIGH_INVALID, "%d ranges of weights are given; 0 (the grid) to %d are allowed", o->count, NIGH_BAND_MOST);
    for (int i = 0; i < o->count; i++)
        if (!(o->lambda[i] > 0) || !isfinite(o->lambda[i]))
            return nigh_fail(ctx, NIGH_INVALID, "lambda is %g; it must be > 0: hidden weights are drawn from [-lambda, lambda]", o->lambda[i]);
    if (o->features < 1 || o->features > 20000 || o->samples < 2 || o->samples > 20000)
        return nigh_fail(ctx, NIGH_INVALID, "%d features on %d samples are asked for; 1 to 20000 and 2 to 20000 are allowed", o->features, o->samples);
    if (!(o->ridge >= 0 && o->ridge <= 100) || !(o->norm >= 0) || !(o->tolerance >= 0))
        return nigh_fail(ctx, NIGH_INVALID, "ridge is %g, norm %g, tolerance %g; 0 to 100, and numbers >= 0 are allowed", o->ridge, o->norm, o->tolerance);
    return NIGH_OK;
}

nigh_status band_subset(nigh_context *ctx, nigh_arena *arena, const nigh_band_options *options, int64_t n, int64_t d, int64_t q, const double *x,
                        const double *low, const double *high, const double *y, band_samples *out)
{
    int64_t take = n < options->samples ? n : options->samples;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(options->seed, 2), 0);
    int64_t *index = nigh_arena_alloc(arena, (size_t)take * sizeof *index);
    double *z = nigh_arena_alloc(arena, (size_t)(take * d) * sizeof *z), *centred = nigh_arena_alloc(arena, (size_t)(take * q) * sizeof *z);
    double *mean = nigh_arena_alloc_zero(arena, (size_t)q, sizeof *mean);
    if (!index || !z || !centred || !mean) return NIGH_MEMORY;
    nigh_status status = nigh_rng_choose(ctx, &rng, n, take, index);
    if (status) return status;
    for (int64_t i = 0; i < take; i++) {
        for (int64_t k = 0; k < d; k++) z[i * d + k] = features_box(low[k], high[k], x[index[i] * d + k]);
        for (int64_t j = 0; j < q; j++) mean[j] += y[index[i] * q + j] / (double)take;
    }
    for (int64_t i = 0; i < take; i++)
        for (int64_t j = 0; j < q; j++) centred[i * q + j] = y[index[i] * q + j] - mean[j];
    *out = (band_samples){.n = take, .all = n, .d = d, .q = q, .z = z, .y = centred, .radius = features_radius(take, d, z)};
    return NIGH_OK;
}

nigh_status nigh_band_floor(nigh_context *ctx, int64_t n, int64_t d, int64_t m, const double *x, const double *y, const nigh_band_options *options,
                            nigh_band *out)
{
    map_activation activation = MAP_SIGMOID;
    *out = (nigh_band){0};
    nigh_status status = find_activation(ctx, options->activation, &activation);
    if (!status) status = check_options(ctx, options);
    if (!status && (n < 2 || d < 1 || m < 1))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld samples of %lld inputs and %lld outputs; at least 2, 1 and 1 are needed", (long long)n, (long long)d,
                           (long long)m);
    if (!status) status = linalg_check_finite(ctx, "the array of inputs", n, d, x);
    if (!status) status = linalg_check_finite(ctx, "the array of outputs", n, m, y);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    double *low = nigh_arena_alloc(arena, (size_t)d * sizeof *low), *high = nigh_arena_alloc(arena, (size_t)d * sizeof *high);
    band_samples samples;
    map_pca pca = {.r = m, .score = (double *)y};
    if (!low || !high) status = NIGH_MEMORY;
    if (!status && m > MOST_OUTPUTS) status = map_pca_fit(ctx, arena, n, m, y, false, true, 0, MOST_OUTPUTS, &pca);
    if (status) goto done;
    for (int64_t k = 0; k < d; k++) low[k] = INFINITY, high[k] = -INFINITY;
    for (int64_t i = 0; i < n * d; i++) low[i % d] = fmin(low[i % d], x[i]), high[i % d] = fmax(high[i % d], x[i]);
    status = band_subset(ctx, arena, options, n, d, pca.r, x, low, high, pca.score, &samples);
    if (!status) status = band_diagnose(ctx, &samples, activation, options, out);
    if (!status) band_describe(out, activation, out->chosen);
done:
    nigh_arena_free(arena);
    return status;
}
