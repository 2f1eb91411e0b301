/* From ideal coefficients to a fitted core, and what to expect of it beforehand; see approximation.h. */
#include "function/approximation.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CUTS = 7, CUTS_ROUGH = 4, CONDITION_POINTS = 33 };

static void domain_at(const void *user, nigh_f128 v, nigh_f128 *value, nigh_f128 *weight)
{
    function_domain_at(user, v, value, weight);
}

remez_problem function_remez_problem(const function_domain *domain)
{
    remez_problem problem = {.at = domain_at, .user = domain, .smooth = domain->smooth};
    function_domain_range(domain, &problem.low, &problem.high);
    return problem;
}

static bool wants_reduction(const nigh_method *method, const nigh_settings *settings)
{
    return nigh_setting(method, settings, "reduction") != 0;
}

static int table_pieces(const nigh_method *method, const nigh_settings *settings)
{
    return (int)nigh_setting(method, settings, "entries");
}

/* The rough or exact ideal error of an approach on a domain. */
static nigh_status ideal_error(nigh_context *ctx, const nigh_method *method, const function_domain *domain,
                               const nigh_settings *settings, bool rough, function_ideal *ideal)
{
    if (function_approach_of(method)->recipe) return function_approach_of(method)->recipe(ctx, domain, settings, rough, ideal);
    ideal->error = function_table_error(domain, table_pieces(method, settings), function_approach_of(method)->order);
    return NIGH_OK;
}

/*
 * Where the core may end early: the error inside grows with the end, the one beyond falls; bisection for the end where
 * beyond lies an eighth of what is inside. The best end seen is taken.
 */
static nigh_status settle(nigh_context *ctx, const nigh_method *method, function_domain *domain,
                          const nigh_settings *settings, bool rough, function_ideal *ideal)
{
    nigh_status status = ideal_error(ctx, method, domain, settings, rough, ideal);
    if (!domain->cuttable || status != NIGH_OK) return status;
    function_domain best = *domain;
    double low = (double)domain->t_low, high = (double)domain->t_high;
    ideal->error += function_domain_tail(domain, domain->t_high);
    for (int i = 0; i < (rough ? CUTS_ROUGH : CUTS); i++) {
        function_ideal next;
        function_domain_cut(domain, (low + high) / 2);
        status = ideal_error(ctx, method, domain, settings, rough, &next);
        if (status != NIGH_OK) return status;
        nigh_f128 tail = function_domain_tail(domain, domain->t_high);
        if (next.error > 8 * tail) high = (double)domain->t_high;
        else low = (double)domain->t_high;
        next.error += tail;
        if (next.error < ideal->error) {
            *ideal = next;
            best = *domain;
        }
    }
    *domain = best;
    return NIGH_OK;
}

/* ---- from ideal coefficients to powers of the kernel's argument ----------------------------------------- */

/* Coefficients as powers of u for one map u = scale v + shift. */
static void to_powers(const function_ideal *ideal, nigh_f128 low, nigh_f128 high, nigh_f128 scale, nigh_f128 shift, nigh_f128 *a,
                      nigh_f128 *b)
{
    nigh_f128 slope = 2 / (high - low), offset = -(low + high) / (high - low);
    if (ideal->powers) { /* v - centre = (u - shift) / scale - centre, and shift = -scale centre */
        nigh_f128 power = 1;
        for (int k = 0; k < ideal->upper; k++, power /= scale) a[k] = ideal->p[k] * power;
        return;
    }
    remez_to_powers(ideal->p, ideal->upper - 1, slope / scale, offset - slope * shift / scale, a);
    if (ideal->lower == 0) return;
    remez_to_powers(ideal->q, ideal->lower - 1, slope / scale, offset - slope * shift / scale, b);
    nigh_f128 unit = b[0];
    for (int k = 0; k < ideal->upper; k++) a[k] /= unit;
    for (int k = 0; k < ideal->lower; k++) b[k] /= unit;
}

/* How much the roundings of a Horner scheme in u can grow: weighted sum of |terms|, at its worst. */
static double condition(const function_domain *domain, const function_ideal *ideal, nigh_f128 scale, nigh_f128 shift,
                        const nigh_f128 *a, const nigh_f128 *b)
{
    nigh_f128 low, high, most = 0;
    function_domain_range(domain, &low, &high);
    for (int i = 0; i < CONDITION_POINTS; i++) {
        nigh_f128 v = low + (high - low) * i / (CONDITION_POINTS - 1), u = function_abs(v * scale + shift), value, weight;
        nigh_f128 above = 0, below = 0, q = 0;
        function_domain_at(domain, v, &value, &weight);
        for (int k = ideal->upper - 1; k >= 0; k--) above = above * u + function_abs(a[k]);
        for (int k = ideal->lower - 1; k >= 0; k--) {
            below = below * u + function_abs(b[k]);
            q = q * (v * scale + shift) + b[k];
        }
        nigh_f128 sum = ideal->lower ? (above + function_abs(value) * below) / function_abs(q) : above;
        if (sum * weight > most) most = sum * weight;
        if (!(most - most == 0)) return INFINITY;
    }
    double largest = domain->type == NIGH_F32 ? (double)FLT_MAX : DBL_MAX;
    for (int k = 0; k < ideal->upper; k++)
        if (!(function_abs(a[k]) <= largest / 2)) return INFINITY;
    return (double)most;
}

/*
 * A map onto about [-1, 1] costs one fma; it is taken where powers of v itself would cost accuracy. Returns how
 * much roundings can grow.
 */
static double choose_map(const function_domain *domain, const function_ideal *ideal, function_core *core, nigh_f128 *a, nigh_f128 *b)
{
    nigh_f128 low, high, direct[REMEZ_MAX_DEGREE + 1], direct_b[RATIONAL_MAX_DEGREE + 1] = {0};
    function_domain_range(domain, &low, &high);
    nigh_f128 centre = ideal->powers ? ideal->centre : (low + high) / 2;
    double reach = (double)(high - centre > centre - low ? high - centre : centre - low);
    double scale = ldexp(1, -(int)ceil(log2(fmin(fmax(reach, 0x1p-1000), DBL_MAX)))), shift = function_round(domain->type, -centre * scale);
    to_powers(ideal, low, high, scale, shift, a, b);
    core->affine = true;
    core->scale = scale;
    core->shift = shift;
    double mapped = condition(domain, ideal, scale, shift, a, b);
    if (ideal->powers && centre != 0) return mapped;
    to_powers(ideal, low, high, 1, 0, direct, direct_b);
    double plain = condition(domain, ideal, 1, 0, direct, direct_b);
    if (plain > 1.5 * mapped) return mapped;
    core->affine = false;
    core->scale = 1;
    core->shift = 0;
    memcpy(a, direct, sizeof direct);
    memcpy(b, direct_b, sizeof direct_b);
    return plain;
}

/*
 * Coefficients that cannot be seen in the error are zeros that were computed: those of an even or odd part that is not there. In
 * the kernel they would be subnormal or make subnormal products, which cost a hundred cycles each.
 */
static void drop_invisible(const function_domain *domain, const function_ideal *ideal, const function_core *core, nigh_f128 *a)
{
    enum { POINTS = 64 };
    nigh_f128 low, high, value, weight, most = 0, reach = 1, power = 1;
    function_domain_range(domain, &low, &high);
    for (int i = 0; i <= POINTS; i++) {
        function_domain_at(domain, low + (high - low) * i / POINTS, &value, &weight);
        if (weight > most) most = weight;
    }
    if (!core->affine) reach = function_abs(low) > function_abs(high) ? function_abs(low) : function_abs(high);
    for (int k = 0; k < ideal->upper; k++, power *= reach)
        if (function_abs(a[k]) * power * most < 0x1p-20L * ideal->error) a[k] = 0;
}

/* ---- the fit -------------------------------------------------------------------------------------------- */

static nigh_status round_core(nigh_context *ctx, const nigh_method *method, const function_ideal *ideal, function_fitted *out,
                              const function_probe *probe)
{
    nigh_f128 a[REMEZ_MAX_DEGREE + 1] = {0}, b[RATIONAL_MAX_DEGREE + 1] = {0};
    function_core *core = &out->core;
    core->form = ideal->lower ? FUNCTION_RATIONAL : FUNCTION_POLYNOMIAL;
    core->upper = ideal->upper;
    core->lower = ideal->lower;
    function_domain_core(&out->domain, core);
    choose_map(&out->domain, ideal, core, a, b);
    if (!ideal->lower) drop_invisible(&out->domain, ideal, core, a);
    core->data = nigh_alloc_zero(ctx, (size_t)function_core_numbers(core), nigh_dtype_size(core->type));
    if (!core->data) return NIGH_MEMORY;
    nigh_status status = function_round_plain(ctx, &out->domain, a, b, core);
    if (status != NIGH_OK) return status;
    out->naive = function_probe_error(probe, core);
    if (function_approach_of(method)->naive) return NIGH_OK;
    return function_round_refit(ctx, &out->domain, a, b, out->ideal, probe, core);
}

nigh_status function_approach_fit(nigh_context *ctx, const nigh_method *method, const function_target *target,
                                  const nigh_settings *settings, function_fitted *out)
{
    function_fitted fitted = {0};
    function_probe probe = {.ctx = ctx};
    function_ideal ideal;
    bool native = wants_reduction(method, settings);
    nigh_status status = function_domain_new(ctx, target, native, function_approach_of(method)->recipe != NULL, &fitted.domain);
    if (status == NIGH_OK) status = settle(ctx, method, &fitted.domain, settings, false, &ideal);
    if (status != NIGH_OK) goto done;
    fitted.ideal = (double)ideal.error;
    status = function_probe_new(ctx, &fitted.domain, target->type == NIGH_F32 ? 4096 : 768, .5, &probe);
    if (status != NIGH_OK) goto done;
    if (function_approach_of(method)->recipe) status = round_core(ctx, method, &ideal, &fitted, &probe);
    else status = function_table_build(ctx, &fitted.domain, table_pieces(method, settings), function_approach_of(method)->order, &fitted.core);
    if (status != NIGH_OK) goto done;
    fitted.seen = function_probe_error(&probe, &fitted.core);
    if (!function_approach_of(method)->recipe) fitted.naive = fitted.seen;
    if (!isfinite(fitted.seen))
        status = nigh_fail(ctx, NIGH_FAILED, "the fitted approximation is not finite somewhere in the interval");
done:
    if (probe.x) function_probe_free(&probe);
    if (status == NIGH_OK) *out = fitted;
    else nigh_free(ctx, fitted.core.data);
    return status;
}

/* ---- expectations ---------------------------------------------------------------------------------------- */

static double target_epsilon(const function_target *target)
{
    return target->type == NIGH_F32 ? FLT_EPSILON : DBL_EPSILON;
}

/* The kernel's own rounding errors in the measure: from few to many steps. */
static nigh_range rounding_errors(const function_domain *domain)
{
    double half = target_epsilon(domain->target) / 2;
    if (domain->measure == FUNCTION_ULP) return (nigh_range){.25, 1.5};
    if (domain->measure == FUNCTION_RELATIVE) return (nigh_range){half / 4, half * 3};
    nigh_f128 most = 0;
    for (int i = 0; i <= 8; i++) {
        nigh_f128 f = function_value(domain->target, domain->low + (domain->high - domain->low) * (nigh_f128)i / 8);
        if (function_abs(f) > most) most = function_abs(f);
    }
    return (nigh_range){half / 16 * (double)most, half * 3 * (double)most};
}

/* Where the worst error is rare, the mean lies far below it. */
static double mean_share(const function_domain *domain)
{
    if (domain->measure != FUNCTION_ABSOLUTE) return 1;
    int span = domain->k_high - domain->k_low;
    if (domain->reduction == FUNCTION_SCALED) return 1.0 / (1 + span);
    if (domain->reduction == FUNCTION_INVERSE_ROOT) return ldexp(1, -span);
    return 1;
}

/* The core as it will be, without its numbers, and what its roundings may grow to. */
static double expected_core(const nigh_method *method, const function_domain *domain, const nigh_settings *settings,
                            const function_ideal *ideal, function_core *core)
{
    nigh_f128 a[REMEZ_MAX_DEGREE + 1], b[RATIONAL_MAX_DEGREE + 1];
    *core = (function_core){.form = function_approach_of(method)->form, .affine = true};
    function_domain_core(domain, core);
    core->upper = function_approach_of(method)->recipe ? ideal->upper : table_pieces(method, settings);
    core->lower = function_approach_of(method)->recipe ? ideal->lower : function_approach_of(method)->order + 1;
    return function_approach_of(method)->recipe ? choose_map(domain, ideal, core, a, b) : 0;
}

nigh_status function_estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings,
                              int64_t n_fit, nigh_estimate *out)
{
    const function_target *target = function_target_of(problem);
    function_domain domain;
    function_ideal ideal;
    function_core core;
    nigh_status status = function_domain_new(ctx, target, wants_reduction(method, settings), function_approach_of(method)->recipe != NULL, &domain);
    if (status == NIGH_OK) status = settle(ctx, method, &domain, settings, true, &ideal);
    if (status != NIGH_OK) return status;
    nigh_range rounding = rounding_errors(&domain);
    double error = (double)ideal.error;
    double grown = expected_core(method, &domain, settings, &ideal, &core) * target_epsilon(target);
    if (rounding.high < grown) rounding.high = grown;
    if (domain.measure == FUNCTION_ULP) rounding.high += .5 * error; /* its weight jumps between the points of a rough grid */
    double relative = domain.measure == FUNCTION_ULP ? error * target_epsilon(target) : domain.measure == FUNCTION_RELATIVE ? error : 0;
    if (relative > .2) rounding.high = INFINITY; /* nothing is approximated: coefficients may grow without bound */
    double numbers = (double)function_core_numbers(&core), size = (double)nigh_dtype_size(target->type);
    double evaluations = function_approach_of(method)->recipe ? 800 + 30 * numbers : numbers;
    *out = (nigh_estimate){
        .error = {fmax(error * function_approach_of(method)->spread.low * mean_share(&domain), rounding.low), error * function_approach_of(method)->spread.high + rounding.high},
        .fit = {.seconds = evaluations * 2e-6},
        .apply = {.flops = function_core_flops(&core), .bytes = 2 * size},
        .bytes = numbers * size + sizeof core,
        .source = "formula",
    };
    return NIGH_OK;
}

nigh_status function_supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    const function_target *target = function_target_of(problem);
    if (!target) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s is for functions of one variable", method->name);
    return wants_reduction(method, settings) ? function_domain_supports(ctx, target) : NIGH_OK;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

/* The piece around v0 with half-width `half`: coefficients of (v - v0) / (2 half) by interpolation in Chebyshev points. */
static void table_piece(const function_domain *domain, nigh_f128 v0, nigh_f128 half, int order, nigh_f128 *c)
{
    nigh_f128 s[4], d[4], weight;
    for (int j = 0; j <= order; j++) {
        s[j] = cosl(3.14159265358979323846L * (2 * j + 1) / (2 * (order + 1))) / 2;
        function_domain_at(domain, v0 + 2 * half * s[j], &d[j], &weight);
    }
    for (int k = 1; k <= order; k++) /* divided differences, then powers by Horner */
        for (int j = order; j >= k; j--) d[j] = (d[j] - d[j - 1]) / (s[j] - s[j - k]);
    for (int k = 0; k <= order; k++) c[k] = 0;
    for (int j = order; j >= 0; j--) {
        for (int k = order; k > 0; k--) c[k] = c[k - 1] - s[j] * c[k];
        c[0] = d[j] - s[j] * c[0];
    }
}

nigh_f128 function_table_error(const function_domain *domain, int pieces, int order)
{
    enum { SAMPLES = 24 };
    nigh_f128 low, high, most = 0;
    function_domain_range(domain, &low, &high);
    nigh_f128 half = (high - low) / (2 * (nigh_f128)pieces);
    for (int i = 0; i < SAMPLES && i < pieces; i++) {
        int piece = pieces <= SAMPLES ? i : (int)((int64_t)i * (pieces - 1) / (SAMPLES - 1));
        nigh_f128 v0 = low + half * (2 * piece + 1), c[4], value, weight;
        table_piece(domain, v0, half, order, c);
        for (int j = 0; j <= order + 1; j++) {
            nigh_f128 s = cosl(3.14159265358979323846L * j / (order + 1)) / 2, p = 0;
            for (int k = order; k >= 0; k--) p = p * s + c[k];
            function_domain_at(domain, v0 + 2 * half * s, &value, &weight);
            nigh_f128 e = function_abs(value - p) * weight;
            if (e > most) most = e;
        }
    }
    return most;
}

nigh_status function_table_build(nigh_context *ctx, const function_domain *domain, int pieces, int order, function_core *core)
{
    nigh_f128 low, high, c[4];
    function_domain_range(domain, &low, &high);
    *core = (function_core){.form = FUNCTION_TABLE, .upper = pieces, .lower = order + 1, .affine = true};
    function_domain_core(domain, core);
    core->scale = function_round(core->type, pieces / (high - low));
    core->shift = function_round(core->type, -low * core->scale - .5L);
    core->data = nigh_alloc_zero(ctx, (size_t)function_core_numbers(core), nigh_dtype_size(core->type));
    if (!core->data) return NIGH_MEMORY;
    nigh_f128 half = 1 / (2 * (nigh_f128)core->scale);
    for (int i = 0; i < pieces; i++) {
        nigh_status status = i % 64 == 0 ? nigh_poll(ctx) : NIGH_OK;
        nigh_f128 v0 = (i - (nigh_f128)core->shift) / core->scale;
        if (v0 - half < low) v0 = low + half; /* rounding of the map */
        if (v0 + half > high) v0 = high - half;
        if (status == NIGH_OK) table_piece(domain, v0, half, order, c);
        nigh_f128 off = (i - (nigh_f128)core->shift) / core->scale - v0; /* c is around v0, the kernel's fraction around i */
        for (int j = order; status == NIGH_OK && off != 0 && j > 0; j--)
            for (int k = j - 1; k < order; k++) c[k] += c[k + 1] * off * core->scale;
        for (int k = 0; status == NIGH_OK && k <= order; k++) {
            double rounded = function_round(core->type, c[k]);
            if (!isfinite(rounded)) status = nigh_fail(ctx, NIGH_FAILED, "the table is not finite at piece %d", i);
            else function_core_set(core, (int64_t)i * (order + 1) + k, rounded);
        }
        if (status != NIGH_OK) {
            nigh_free(ctx, core->data);
            core->data = NULL;
            return status;
        }
    }
    return NIGH_OK;
}
