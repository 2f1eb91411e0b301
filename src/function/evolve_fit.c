/* The target as tables, and how much of a fit a candidate gets. The kernels are in evolve_fit.inc. */
#include "function/evolve_inside.h"

#include <math.h>
#include <string.h>

const evolve_kernels *evolve_kernels_now(void)
{
#if defined(__x86_64__)
    nigh_cpu_level level = nigh_cpu();
    if (level >= NIGH_CPU_AVX512) return &evolve_kernels_avx512;
    if (level >= NIGH_CPU_AVX2) return &evolve_kernels_avx2;
#endif
    return &evolve_kernels_scalar;
}

/* ---- the target ------------------------------------------------------------------------------------------------ */

static nigh_status tabulate(nigh_context *ctx, const remez_problem *problem, nigh_f128 t, nigh_f128 row[3])
{
    nigh_f128 value, weight;
    problem->at(problem->user, t, &value, &weight);
    if (!isfinite((double)value)) return nigh_fail(ctx, NIGH_FAILED, "the value at %.17g is %g; it must be finite", (double)t, (double)value);
    if (!isfinite((double)weight) || !(weight > 0))
        return nigh_fail(ctx, NIGH_FAILED, "the weight at %.17g is %g; it must be positive and finite (where the value is 0, "
                         "approximate a factored form such as f(x)/x)", (double)t, (double)weight);
    row[0] = t, row[1] = value, row[2] = weight;
    return NIGH_OK;
}

/* Point i of n, denser near the ends; both of them are there when `ends`, else the zeros of a Chebyshev polynomial. */
static nigh_f128 chebyshev_point(const remez_problem *problem, int i, int n, bool ends)
{
    const long double pi = 3.14159265358979323846264338327950288L;
    if (ends && i == 0) return problem->low;
    if (ends && i == n - 1) return problem->high;
    return remez_unscale(problem, -cosl(ends ? pi * i / (n - 1) : pi * (2 * i + 1) / (2 * n)));
}

static nigh_status fill(nigh_context *ctx, const remez_problem *problem, evolve_target *target)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < EVOLVE_NODES && !status; i++) {
        status = tabulate(ctx, problem, chebyshev_point(problem, i, EVOLVE_NODES, false), target->node[i]);
        target->t[i] = (double)target->node[i][0], target->value[i] = (double)target->node[i][1], target->weight[i] = (double)target->node[i][2];
    }
    for (int i = 0; i < EVOLVE_DENSE; i++) target->dense[i] = (double)chebyshev_point(problem, i, EVOLVE_DENSE, true);
    for (int i = 0; i < EVOLVE_CURVE && !status; i++)
        status = tabulate(ctx, problem, chebyshev_point(problem, i, EVOLVE_CURVE, true), target->curve[i]);
    for (int i = 0; i < EVOLVE_CHECK_POINTS && !status; i++)
        status = tabulate(ctx, problem, chebyshev_point(problem, i, EVOLVE_CHECK_POINTS, true), target->check[i]);
    return status;
}

nigh_status evolve_target_new(nigh_context *ctx, const remez_problem *problem, evolve_target **out)
{
    if (!(problem->low < problem->high) || !isfinite((double)(problem->high - problem->low)))
        return nigh_fail(ctx, NIGH_INVALID, "the interval is %g to %g; finite and increasing is needed", (double)problem->low, (double)problem->high);
    evolve_target *target = nigh_alloc_zero(ctx, 1, sizeof *target);
    if (!target) return NIGH_MEMORY;
    nigh_status status = fill(ctx, problem, target);
    if (status) nigh_free(ctx, target);
    else *out = target;
    return status;
}

/* ---- how long a candidate is fitted ------------------------------------------------------------------------------- */

enum { STARTS = 4, FIRST = 8, STAGES = 3, SHARPEN = 12, CUBES = 3 };

/* After so many more steps a fit must have this share of the digits of the best with its number of operations to go on. */
static const struct stage {
    int steps;
    double share;
} stages[STAGES] = {{30, 0.55}, {120, 0.7}, {500, 1}};


/* Inherited constants with new ones beside them in half of the starts, all of them at random in the others. */
static void start_constants(const evolve_genome *g, const bool *fresh, int start, nigh_rng *rng, double *constant)
{
    for (int k = 0; k < g->constants; k++)
        constant[k] = fresh[k] || start & 1 ? evolve_random_constant(rng) : g->constant[k];
}

/* From least squares towards the least maximum: powers 6, 18 and 54 of the residuals, kept while it gets better. */
static double sharpen(evolve_room *room, const evolve_kernels *kernels, const evolve_genome *g, double *constant, double error)
{
    double trial[EVOLVE_MOST_CONSTANTS];
    memcpy(trial, constant, sizeof trial);
    for (int cubes = 1; cubes <= CUBES; cubes++) {
        kernels->fit(room, g, trial, cubes, SHARPEN, 1e-4);
        double now = kernels->worst(room, g, trial);
        if (!(now < error)) continue;
        error = now;
        memcpy(constant, trial, sizeof trial);
    }
    return error;
}

double evolve_fit_genome(evolve_room *room, const evolve_target *target, evolve_genome *g, const bool *fresh, double good, nigh_rng *rng)
{
    const evolve_kernels *kernels = evolve_kernels_now();
    double best[EVOLVE_MOST_CONSTANTS] = {0}, trial[EVOLVE_MOST_CONSTANTS] = {0}, error = INFINITY;
    room->target = target;
    room->held = NULL;
    bool any = false;
    for (int k = 0; k < g->constants; k++) any |= fresh[k];
    int starts = !g->constants ? 1 : any ? STARTS : STARTS / 2;
    for (int start = 0; start < starts; start++) {
        start_constants(g, fresh, start, rng, trial);
        kernels->fit(room, g, trial, 0, FIRST, 1e-3);
        double now = kernels->worst(room, g, trial);
        if (start && !(now < error)) continue;
        error = now;
        memcpy(best, trial, sizeof best);
    }
    memcpy(g->constant, best, sizeof best);
    if (!g->constants || !(error < INFINITY)) return error;
    double now = error;
    for (int stage = 0; stage < STAGES; stage++) {
        kernels->fit(room, g, best, 0, stages[stage].steps, 1e-6);
        now = kernels->worst(room, g, best);
        if (!(now < pow(good, stages[stage].share))) break;
    }
    if (now < 4 * good) now = sharpen(room, kernels, g, best, now);
    if (now < error) {
        error = now;
        memcpy(g->constant, best, sizeof best);
    }
    return error;
}
