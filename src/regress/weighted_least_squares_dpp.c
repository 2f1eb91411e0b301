/*
 * weighted-least-squares-dpp: a polynomial or a trigonometric polynomial fitted by weighted least squares to exact answers at points of the
 * method's own choice: batches of a projection determinantal point process, thinned while the Gram matrix stays well conditioned
 * (nigh/design.h). "Weighted least-squares approximation with determinantal point processes and generalized volume sampling".
 */
#include "regress/fit.h"

#include "regress/basis.h"
#include "regress/methods.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

enum { MOST_TERMS = 500, MOST_DEGREE = 32, STREAM_DRAWS = 21, STREAM_DESIGN = 22 };
enum { BASIS, SET, DEGREE, POINTS, SAMPLER, TIMES, LEAST, THIN, SEED };
enum { FROM_BOX, FROM_DRAWS };

static const nigh_option options[] = {
    [BASIS] = {.name = "basis", .type = NIGH_OPTION_CHOICE, .choices = "legendre,fourier", .value = 0, .help = "polynomials; or sines and cosines whose period is the box"},
    [SET] = {.name = "set", .type = NIGH_OPTION_CHOICE, .choices = "total,hyperbolic", .value = 0, .grid = "total,hyperbolic",
             .help = "products with a bounded sum of degrees k, or a bounded product of k + 1"},
    [DEGREE] = {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = MOST_DEGREE, .value = 4, .grid = "1:16", .order = NIGH_ORDER_REFINES,
                .help = "highest degree; of fourier the highest frequency, 16 at most"},
    [POINTS] = {.name = "points", .type = NIGH_OPTION_CHOICE, .choices = "box,draws", .value = FROM_BOX,
                .help = "uniform inputs on the box, sampled exactly; or candidates drawn as the problem draws its inputs, for any other law"},
    [SAMPLER] = {.name = "sampler", .type = NIGH_OPTION_CHOICE, .choices = "dpp,volume,volume-input,iid", .value = NIGH_DESIGN_DPP,
                 .help = "repeated determinantal batches; volume sampling, its rest from the optimal density or from the inputs' own; independent points"},
    [TIMES] = {.name = "times", .type = NIGH_OPTION_INT, .low = 1, .high = 20, .value = 3, .help = "points drawn for each term, before any are taken away"},
    [LEAST] = {.name = "least", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.95, .value = 0.15,
               .help = "smallest eigenvalue of the Gram matrix: draw again below it; 0: the first draw, never thinned"},
    [THIN] = {.name = "thin", .type = NIGH_OPTION_CHOICE, .choices = "no,yes", .value = 1, .help = "take points away while that eigenvalue stays"},
    [SEED] = {.name = "seed", .type = NIGH_OPTION_INT, .low = 0, .high = 1e9, .value = 0, .help = "of the points, beside the plan's own seed"},
    {.name = NULL}};

static int option(const nigh_settings *settings, int i) { return (int)settings->value[i]; }

static nigh_status basis_of(nigh_context *ctx, const nigh_settings *settings, int64_t dims, const double *low, const double *high, nigh_basis **basis)
{
    nigh_basis_spec spec = {.family = option(settings, BASIS) ? NIGH_FOURIER : NIGH_LEGENDRE,
                            .set = option(settings, SET) ? NIGH_HYPERBOLIC_CROSS : NIGH_TOTAL_DEGREE,
                            .degree = option(settings, DEGREE), .dims = dims, .low = low, .high = high};
    return nigh_basis_new(ctx, &spec, basis);
}

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    if (status) return status;
    int64_t d = nigh_shape_count(&problem->in);
    int degree = option(settings, DEGREE);
    if (problem->rows > 0 || !problem->ops->draw || !problem->ops->exact)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "its inputs come from a file, and this method asks for exact answers where it wants them; polynomial-ridge takes points as they are");
    if (d > NIGH_DESIGN_DIMS) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld inputs; 1 to %d are allowed", (long long)d, NIGH_DESIGN_DIMS);
    if (option(settings, POINTS) == FROM_BOX && !(problem->low && problem->high))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "the box of the inputs is not known; points=draws needs none");
    if (option(settings, SET) && d == 1) return nigh_fail(ctx, NIGH_UNSUPPORTED, "with one input set=hyperbolic is set=total");
    if (option(settings, BASIS) && degree > MOST_DEGREE / 2)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "frequency %d of the fourier basis; 1 to %d are allowed", degree, MOST_DEGREE / 2);
    nigh_basis *basis = NULL;
    status = basis_of(ctx, settings, d, NULL, NULL, &basis);
    int64_t m = status ? MOST_TERMS + 1 : nigh_basis_size(basis);
    nigh_basis_free(basis);
    if (status == NIGH_MEMORY) return status;
    if (m > MOST_TERMS)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "degree %d in %lld inputs has more than %d terms, the most allowed", degree, (long long)d, MOST_TERMS);
    return NIGH_OK;
}

static bool thinned(const nigh_settings *settings) { return option(settings, THIN) && settings->value[LEAST] > 0; }

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit,
                            nigh_estimate *out)
{
    int64_t d = nigh_shape_count(&problem->in), outputs = nigh_shape_count(&problem->out);
    nigh_basis *basis = NULL;
    nigh_status status = basis_of(ctx, settings, d, NULL, NULL, &basis);
    if (status) return status;
    double m = (double)nigh_basis_size(basis), times = settings->value[TIMES];
    nigh_basis_free(basis);
    bool periodic = option(settings, BASIS);
    map_model like = {.body = MAP_TERMS, .degree = option(settings, DEGREE) * (periodic ? 2 : 1), .periodic = periodic, .d = d, .r = d, .q = outputs,
                      .m = outputs, .count = (int64_t)m - 1};
    double draws = option(settings, POINTS) == FROM_DRAWS ? 40 * m : 0; /* candidates */
    map_estimate_model(problem, m * m * (40 * m + 2 * times * m * log(m + 1) + 4 * draws + 4 * (double)outputs), &like, false, false, false, out);
    out->exact_calls = thinned(settings) ? fmin(1.25, times) * m : times * m;
    return NIGH_OK;
}

/* ---- the points ---- */

/* As many inputs as the problem draws them, and the functions made orthonormal there. */
static nigh_status candidates_of(nigh_context *ctx, map_fit *fit, double **x, nigh_candidates **candidates)
{
    enum { LEAST_CANDIDATES = 2000, FOR_EACH = 40 };
    nigh_basis *basis = NULL;
    double *values = NULL;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(ctx), STREAM_DRAWS + 100 * (uint64_t)fit->settings.value[SEED]);
    int64_t n = LEAST_CANDIDATES, m = 0;
    nigh_status status = basis_of(ctx, &fit->settings, fit->d, NULL, NULL, &basis);
    if (!status) m = nigh_basis_size(basis), n = FOR_EACH * m > n ? FOR_EACH * m : n;
    nigh_basis_free(basis), basis = NULL;
    if (!status && !(*x = nigh_arena_alloc(fit->arena, (size_t)(n * fit->d) * sizeof **x))) status = NIGH_MEMORY;
    if (!status) status = fit->problem->ops->draw(ctx, fit->problem, &rng, n, *x);
    if (!status) status = linalg_check_finite(ctx, "the array of drawn inputs", n, fit->d, *x);
    if (!status && !fit->low) status = map_box(ctx, fit->arena, fit->problem, &(nigh_samples){.n = n, .in = *x}, &fit->low, &fit->high);
    if (!status) status = basis_of(ctx, &fit->settings, fit->d, fit->low, fit->high, &basis);
    if (!status && !(values = nigh_alloc(ctx, (size_t)(n * m) * sizeof *values))) status = NIGH_MEMORY;
    if (!status) nigh_basis_values(basis, n, *x, values);
    if (!status) status = nigh_candidates_new(ctx, n, m, values, NULL, candidates);
    nigh_free(ctx, values);
    nigh_basis_free(basis);
    return status;
}

/* fit->n, fit->x and the weights of the points. */
static nigh_status place_points(nigh_context *ctx, map_fit *fit, double **weight)
{
    nigh_candidates *candidates = NULL;
    nigh_basis *basis = NULL;
    nigh_design *design = NULL;
    double *from = NULL, *x = NULL;
    bool draws = option(&fit->settings, POINTS) == FROM_DRAWS;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(ctx), STREAM_DESIGN + 100 * (uint64_t)fit->settings.value[SEED]);
    nigh_status status = draws ? candidates_of(ctx, fit, &from, &candidates) : basis_of(ctx, &fit->settings, fit->d, fit->low, fit->high, &basis);
    int64_t m = status ? 0 : basis ? nigh_basis_size(basis) : candidates->m;
    nigh_design_options o = {.kind = (nigh_design_kind)option(&fit->settings, SAMPLER), .n = m * option(&fit->settings, TIMES),
                             .least = fit->settings.value[LEAST], .thin = thinned(&fit->settings)};
    if (!status) status = draws ? nigh_design_choose(ctx, candidates, &o, &rng, &design) : nigh_design_draw(ctx, basis, &o, &rng, &design);
    if (status == NIGH_UNMET) status = NIGH_FAILED; /* these settings cannot be fitted; others may */
    if (!status) {
        fit->n = design->n;
        x = nigh_arena_alloc(fit->arena, (size_t)(fit->n * fit->d) * sizeof *x);
        *weight = nigh_arena_alloc(fit->arena, (size_t)fit->n * sizeof **weight);
        if (!x || !*weight) status = NIGH_MEMORY;
    }
    for (int64_t i = 0; i < fit->n && !status; i++) {
        memcpy(x + i * fit->d, draws ? from + design->index[i] * fit->d : design->x + i * fit->d, (size_t)fit->d * sizeof *x);
        (*weight)[i] = design->weight[i];
        for (int64_t v = 0; v < fit->d && !draws; v++) x[i * fit->d + v] = fmin(fmax(x[i * fit->d + v], fit->low[v]), fit->high[v]); /* rounding */
    }
    fit->x = x;
    nigh_design_free(design);
    nigh_basis_free(basis);
    nigh_candidates_free(candidates);
    return status;
}

/* ---- the fit ---- */

/* Entry of orthonormal function k of one variable in terms of what the model has: sqrt(2k + 1) P_k, sqrt 2 cos, sqrt 2 sin. */
static double normalisation(bool periodic, int k) { return k == 0 ? 1 : periodic ? M_SQRT2 : sqrt(2.0 * k + 1); }

/* Coefficients c[terms,q] of the orthonormal products into the model. */
static void set_terms(map_model *model, const nigh_basis *basis, const double *c)
{
    int64_t d = model->d, q = model->q, wide = map_padded(q);
    memcpy(model->bias, c, (size_t)q * sizeof *c);
    for (int64_t j = 1; j < basis->m; j++) {
        double scale = 1;
        for (int64_t v = 0; v < d; v++) scale *= normalisation(model->periodic, basis->index[j * d + v]);
        model->parent[j - 1] = basis->parent[j] - 1;
        model->factor[j - 1] = (int32_t)(basis->last[j] * (model->degree + 1) + basis->index[j * d + basis->last[j]]);
        for (int64_t k = 0; k < q; k++) model->weight[(j - 1) * wide + k] = scale * c[j * q + k];
    }
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    nigh_basis *basis = NULL;
    double *weight = NULL, *y = NULL, *phi = NULL, *c = NULL;
    nigh_design_quality quality;
    nigh_status status = place_points(ctx, fit, &weight);
    if (!status) status = basis_of(ctx, &fit->settings, fit->d, fit->low, fit->high, &basis);
    if (status) goto done;
    int64_t m = nigh_basis_size(basis);
    bool periodic = option(&fit->settings, BASIS);
    y = nigh_alloc(ctx, (size_t)(fit->n * fit->m) * sizeof *y), phi = nigh_alloc(ctx, (size_t)(fit->n * m) * sizeof *phi);
    c = nigh_alloc(ctx, (size_t)(m * fit->m) * sizeof *c);
    status = y && phi && c ? nigh_fit_exact(ctx, fit->problem, fit->n, fit->x, y) : NIGH_MEMORY;
    if (!status) nigh_basis_values(basis, fit->n, fit->x, phi);
    if (!status) status = nigh_weighted_least_squares(ctx, fit->n, m, fit->m, phi, weight, y, c, &quality);
    if (status) goto done;
    nigh_log(ctx, NIGH_LOG_DEBUG, "%lld points for %lld terms: smallest eigenvalue %.3g, residual %.3g, left out %.3g", (long long)fit->n, (long long)m,
             quality.least, quality.residual, quality.leave_one_out);
    *model = (map_model){.body = MAP_TERMS, .degree = option(&fit->settings, DEGREE) * (periodic ? 2 : 1), .periodic = periodic, .d = fit->d, .r = fit->d,
                         .q = fit->m, .m = fit->m, .count = m - 1, .limit = -1};
    if ((status = map_model_alloc(fit->arena, model, false, false, false))) goto done;
    for (int64_t v = 0; v < fit->d; v++) {
        model->shift[v] = 0.5 * (fit->low[v] + fit->high[v]);
        model->stretch[v] = 2 / (fit->high[v] - fit->low[v]);
    }
    set_terms(model, basis, c);
done:
    nigh_free(ctx, c);
    nigh_free(ctx, phi);
    nigh_free(ctx, y);
    nigh_basis_free(basis);
    return status;
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    map_fit *fit = NULL;
    nigh_status status = nigh_settings_check(ctx, method, settings);
    if (!status) status = supports(ctx, method, problem, settings);
    if (!status) status = map_fit_new(ctx, method, problem, NULL, settings, solve, &fit);
    if (!status) *out = fit;
    return status;
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, method, plan); }

const nigh_method nigh_method_weighted_least_squares_dpp = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "weighted-least-squares-dpp",
    .problem = "map",
    .summary = "polynomial fitted to exact answers at repulsive points of its own choice, hardly more than it has terms",
    .source = "Weighted least-squares approximation with determinantal point processes and generalized volume sampling",
    .when = "An expensive program of 1 to 10 inputs that is smooth in them: it asks for some 1.1 answers a term, where fits to random inputs need 2 to 5. "
            "With noisy answers ask for more of them: thin=no, times=4.",
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
