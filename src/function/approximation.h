/*
 * What the methods of the function family share: from the ideal coefficients of a core problem to a plan, with rounding,
 * estimates, saving, loading, certificates and export.
 */
#ifndef NIGH_FUNCTION_APPROXIMATION_H
#define NIGH_FUNCTION_APPROXIMATION_H
#include "function/rational.h"
#include "function/reduce.h"

/* The coefficients before rounding: of Chebyshev polynomials in z, or of powers of v - centre. */
typedef struct function_ideal {
    bool powers;
    nigh_f128 centre;
    int upper, lower; /* counts; lower 0: a polynomial */
    nigh_f128 p[REMEZ_MAX_DEGREE + 1], q[RATIONAL_MAX_DEGREE + 1];
    nigh_f128 error;  /* weighted, before rounding */
} function_ideal;

/* The ideal coefficients for a core problem. `rough`: for an estimate, in a few hundred evaluations of the function. */
typedef nigh_status function_recipe(nigh_context *ctx, const function_domain *domain, const nigh_settings *settings, bool rough,
                                    function_ideal *out);

/* One method's way from a target to a core; `naive`: plain rounding of the coefficients, no refit. */
typedef struct function_approach {
    function_form form;
    function_recipe *recipe; /* NULL: a table */
    int order;               /* of a table's pieces: 1 or 3 */
    bool naive;
    nigh_range spread;       /* estimate of the error: from this times the rough error to that times it */
} function_approach;

static inline const function_approach *function_approach_of(const nigh_method *method) { return method->family; }

/* The entries of a method's table: the same for all, which differ in their approach. */
nigh_status function_supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings);
nigh_status function_estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings,
                              int64_t n_fit, nigh_estimate *out);
nigh_status function_fit_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                               const nigh_settings *settings, void **fit);
nigh_status function_load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan);
nigh_status function_fit_advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point);
nigh_status function_fit_finish(nigh_context *ctx, void *fit, nigh_plan **plan);
void function_fit_abandon(nigh_context *ctx, void *fit);

/* A plan that applies a copy of the core; without a box, which is the caller's to fill. `text`: of the function. */
nigh_status function_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in,
                              const nigh_shape *out, const function_core *core, const char *text, nigh_plan **result);

/* The core of a plan of this family; the plan's. */
const function_core *function_plan_core(const nigh_plan *plan);

/* Degree of G in v for a polynomial of degree `degree` in t. */
static inline int function_degree(const function_domain *domain, int degree)
{
    int left = degree - (domain->factor ? 1 : 0);
    return domain->square ? left / 2 : left;
}

/* A problem as remez.c wants it. */
remez_problem function_remez_problem(const function_domain *domain);

/* The whole fit: core (its data from nigh_alloc), the ideal error and the largest error seen at probe inputs. */
typedef struct function_fitted {
    function_domain domain;
    function_core core;
    double ideal, naive, seen; /* in the measure; naive: with plainly rounded coefficients */
} function_fitted;
nigh_status function_approach_fit(nigh_context *ctx, const nigh_method *method, const function_target *target,
                                  const nigh_settings *settings, function_fitted *out);

/* What a fit that is done has found; owned by the fit. */
const function_fitted *function_fit_result(const void *fit);

/* A table of `pieces` pieces for a domain; and its weighted error on a few pieces. */
nigh_status function_table_build(nigh_context *ctx, const function_domain *domain, int pieces, int order, function_core *core);
nigh_f128 function_table_error(const function_domain *domain, int pieces, int order);

/* ---- rounding ---- */

/* Inputs with their exact values, to see errors of kernels. */
typedef struct function_probe {
    nigh_context *ctx;
    int n;
    nigh_dtype type;
    void *x, *y;
    double *high, *low, *weight, *lift; /* exact value = high + low; an error counts lift * weight */
} function_probe;
nigh_status function_probe_new(nigh_context *ctx, const function_domain *domain, int n, double phase, function_probe *probe);
void function_probe_free(function_probe *probe);
/* The largest error of the core's kernel at the probes; INFINITY when an answer is not finite. */
double function_probe_error(const function_probe *probe, const function_core *core);

/*
 * Rounds ideal coefficients a[upper], b[lower] of powers of u into core->data: plainly, or one after the other, with the
 * others fitted again after each, then single steps up and down as long as the kernel's error at the probes falls.
 */
nigh_status function_round_plain(nigh_context *ctx, const function_domain *domain, const nigh_f128 *a, const nigh_f128 *b,
                                 function_core *core);
nigh_status function_round_refit(nigh_context *ctx, const function_domain *domain, const nigh_f128 *a, const nigh_f128 *b,
                                 double ideal, const function_probe *probe, function_core *core);

/* Only the search: steps of one or two coefficients, kept when the kernel's error falls, until it is at most `aim`. Any form but tables. */
nigh_status function_round_search(nigh_context *ctx, const function_probe *probe, double aim, function_core *core);

/* Coefficient i, or constant i of code. */
double function_core_get(const function_core *core, int64_t i);
void function_core_set(function_core *core, int64_t i, double value);

#endif
