/*
 * bandlimited-random-features: a network with one hidden layer whose hidden weights are drawn once, uniformly from
 * [-lambda, lambda], and frozen; only its linear output is fitted, by ridge regression.
 *
 * "How Powerful are Shallow Neural Networks with Bandlimited Random Weights?": what such a network can represent is limited by
 * lambda, not by the number of its units. So the range is chosen, or judged when it is given, by a diagnosis on a few samples
 * before anything is fitted (band.h), and what that says becomes the plan's note.
 */
#include "regress/band.h"
#include "regress/fit.h"
#include "regress/methods.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

static const double FEW_FLOPS = 1.5e9;
enum { MOST_FEATURES = 6400, MOST_INPUTS = 100, MOST_ROWS = 20000, WIDE = 64 };

static const nigh_option options[] = {
    {.name = "features", .type = NIGH_OPTION_INT, .low = 1, .high = MOST_FEATURES, .value = 400, .grid = "50,100,200,400,800,1600,3200",
     .order = NIGH_ORDER_REFINES, .help = "hidden units"},
    {.name = "lambda", .type = NIGH_OPTION_REAL, .low = 0, .high = 1e6, .value = 0,
     .help = "hidden weights are uniform in [-lambda, lambda] on inputs scaled to [-1, 1]; 0: by diagnosis, among 1/2, 1, 2 .. 256"},
    {.name = "activation", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "sigmoid,tanh,gaussian,cos,relu", .grid = "sigmoid,cos",
     .help = "of the hidden units"},
    {.name = "ridge", .type = NIGH_OPTION_REAL, .low = 0, .high = 100, .value = 0,
     .help = "penalty on the coefficients in units of the features' mean square; 0: by leave-one-out, for each output"},
    {.name = "tolerance", .type = NIGH_OPTION_REAL, .low = 0, .high = 1, .value = 0,
     .help = "relative error that the diagnosis aims at: the smallest range that reaches half of it; 0: as good as it gets"},
    {.name = "seed", .type = NIGH_OPTION_INT, .low = 1, .high = 1e9, .value = 1, .help = "of the hidden weights"},
    {.name = NULL}};

static double setting(const nigh_settings *settings, const char *name) { return nigh_setting(&nigh_method_bandlimited_random_features, settings, name); }

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    int64_t d = nigh_shape_count(&problem->in);
    if (!status && d > MOST_INPUTS)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld inputs; random features are for at most %d, pod-kernel reduces more", (long long)d, MOST_INPUTS);
    return status;
}

/* Singular values of n x p; few: where that is not too much. */
static double svd_flops(double n, double p) { return 14 * n * p * fmin(n, p); }
static bool few(int64_t n, int64_t p) { return svd_flops((double)n, (double)p) <= FEW_FLOPS; }
static double output_flops(double n, double p) { return few((int64_t)n, (int64_t)p) ? svd_flops(n, p) : 2 * (n + p) * fmin(n, p) * fmin(n, p); }

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double d = (double)nigh_shape_count(&problem->in), m = (double)nigh_shape_count(&problem->out), n = fmin((double)n_fit, MOST_ROWS);
    double p = setting(settings, "features"), q = m > WIDE ? map_guess_components(m, n) : m;
    nigh_band_options band = nigh_band_options_default();
    double fit = output_flops(n, p) + 74 * n * p * q + BAND_GRID * svd_flops(fmin(n, band.samples), fmin(p, band.features));
    map_model like = {.body = MAP_FEATURES, .activation = (map_activation)setting(settings, "activation"), .d = (int64_t)d, .r = (int64_t)d,
                      .q = (int64_t)q, .m = (int64_t)m, .count = (int64_t)p};
    map_estimate_model(problem, fit, &like, false, false, m > WIDE, out);
    return NIGH_OK;
}

/* The range to draw from and the ridge that was best there; and the fit's note. */
static nigh_status diagnose(nigh_context *ctx, map_fit *fit, int64_t n, const map_pca *out, map_activation activation, double *lambda,
                            double *ridge)
{
    enum { MOST_OUTPUTS = 16 };
    nigh_band_options o = nigh_band_options_default();
    double given = map_setting(fit, "lambda"), ranges[BAND_GRID + 1];
    int64_t p = (int64_t)map_setting(fit, "features"), q = out->r < MOST_OUTPUTS ? out->r : MOST_OUTPUTS;
    int count = 0, at = -1;
    for (int i = 0; i < BAND_GRID && activation != MAP_RELU; i++)
        if (band_grid(i) != given) ranges[count++] = band_grid(i);
    if (given > 0 || !count) ranges[at = count++] = given > 0 ? given : 1;
    o.count = count, o.lambda = ranges, o.ridge = map_setting(fit, "ridge"), o.tolerance = map_setting(fit, "tolerance");
    o.seed = (uint64_t)map_setting(fit, "seed"), o.features = (int)(p < o.features ? p : o.features);
    double *y = nigh_arena_alloc(fit->arena, (size_t)(n * q) * sizeof *y);
    if (!y) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) memcpy(y + i * q, out->score + i * out->r, (size_t)q * sizeof *y);
    band_samples samples;
    nigh_band band;
    nigh_status status = band_subset(ctx, fit->arena, &o, n, fit->d, q, fit->x, fit->low, fit->high, y, &samples);
    if (!status) status = band_diagnose(ctx, &samples, activation, &o, &band);
    if (status) return status;
    if (at < 0) at = band.chosen;
    band_describe(&band, activation, at);
    fit->note = nigh_arena_strdup(fit->arena, band.words);
    *lambda = band.row[at].lambda, *ridge = band.row[at].ridge;
    return fit->note ? NIGH_OK : NIGH_MEMORY;
}

/*
 * The penalty is relative to |values|^2 / min(n, p). A given one is taken as it stands; that of the diagnosis, where there were
 * no more samples than features, means the same noise on every sample when it is scaled by min(n, p) / n here.
 */
static double absolute_ridge(const map_fit *fit, int64_t n, int64_t p, const double *values, double ridge)
{
    double sum = 0, least = (double)(n < p ? n : p), given = map_setting(fit, "ridge");
    for (int64_t i = 0; i < n * p; i++) sum += values[i] * values[i];
    return sum > 0 ? (given > 0 ? given * sum / least : ridge * sum / (double)n) : 1;
}

/*
 * The output weights by ridge regression of the scores. Where leave-one-out on all samples is too much work, the ridge is that
 * of the diagnosis, in its absolute size per feature.
 */
static nigh_status solve_output(nigh_context *ctx, map_fit *fit, int64_t n, const double *z, const map_pca *out, double ridge)
{
    map_model *model = &fit->model;
    int64_t p = model->count, q = model->q, wide = map_padded(q);
    double *values = nigh_alloc(ctx, (size_t)(n * p) * sizeof *values), *x = nigh_alloc(ctx, (size_t)(p * q) * sizeof *x);
    nigh_status status = values && x ? features_values(ctx, model, n, z, values) : NIGH_MEMORY;
    if (!status && few(n, p))
        status = linalg_ridge(ctx, n, p, q, values, out->score, map_setting(fit, "ridge"), false, x, NULL, NULL);
    else if (!status)
        status = linalg_ridge_direct(ctx, n, p, q, values, out->score, absolute_ridge(fit, n, p, values, ridge), x);
    for (int64_t j = 0; !status && j < p; j++) memcpy(model->weight + j * wide, x + j * q, (size_t)q * sizeof *x);
    nigh_free(ctx, x);
    nigh_free(ctx, values);
    return status;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    map_pca out;
    map_activation activation = (map_activation)map_setting(fit, "activation");
    int64_t n = fit->n < MOST_ROWS ? fit->n : MOST_ROWS, d = fit->d;
    double lambda = 1, ridge = 0, *z;
    nigh_status status = map_pca_fit(ctx, fit->arena, n, fit->m, fit->y, false, fit->m > WIDE, 0, n, &out);
    if (!status) status = diagnose(ctx, fit, n, &out, activation, &lambda, &ridge);
    if (status) return status;
    *model = (map_model){.body = MAP_FEATURES, .activation = activation, .d = d, .r = d, .q = out.r, .m = fit->m,
                         .count = (int64_t)map_setting(fit, "features"), .limit = -1};
    if ((status = map_model_alloc(fit->arena, model, false, false, out.basis))) return status;
    if (!(z = nigh_arena_alloc(fit->arena, (size_t)(n * d) * sizeof *z))) return NIGH_MEMORY;
    for (int64_t k = 0; k < d; k++) {
        model->shift[k] = 0.5 * (fit->low[k] + fit->high[k]);
        model->stretch[k] = fit->high[k] > fit->low[k] ? 2 / (fit->high[k] - fit->low[k]) : 0;
    }
    for (int64_t i = 0; i < n * d; i++) z[i] = (fit->x[i] - model->shift[i % d]) * model->stretch[i % d];
    features_law law = {activation, lambda, features_radius(n, d, z), (uint64_t)map_setting(fit, "seed")};
    features_draw(&law, n, z, model);
    if ((status = solve_output(ctx, fit, n, z, &out, ridge))) return status;
    map_model_set_output(model, &out);
    return map_model_fold(ctx, fit->arena, model);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    nigh_status status = supports(ctx, method, problem, settings);
    return status ? status : map_fit_start(ctx, method, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, method, plan); }

const nigh_method nigh_method_bandlimited_random_features = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "bandlimited-random-features",
    .problem = "map",
    .summary = "one hidden layer of random, frozen weights from a range chosen by diagnosis, with a fitted linear output",
    .source = "How Powerful are Shallow Neural Networks with Bandlimited Random Weights?",
    .when = "Few inputs and a map that oscillates too fast for a polynomial. The plan's note says what its range of hidden weights can reach.",
    .flags = NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
