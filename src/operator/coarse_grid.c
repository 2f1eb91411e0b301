/*
 * coarse-grid: an equation's own solver on a coarser grid, with less effort (larger steps, fewer iterations), its answer interpolated. The classical shortcut that every
 * learned operator has to beat at the same error.
 */
#include "operator/methods.h"
#include "operator/pde.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_EFFORTS = 16 };

static const nigh_option options[] = {
    {.name = "coarsen", .type = NIGH_OPTION_REAL, .low = 1, .high = 64, .value = 1, .grid = "1,1.3333,1.6,2,2.6667,4,8", .help = "how many times fewer points there are in each dimension, about: an even number is taken"},
    {.name = "effort", .type = NIGH_OPTION_INT, .low = 0, .high = 15, .value = 0, .grid = "0:15", .order = NIGH_ORDER_REFINES, .help = "0 is the least that the equation's solver has"},
    {.name = NULL}};

static int64_t coarse_size(int64_t n, double coarsen)
{
    int64_t even = 2 * (int64_t)floor(0.5 * (double)n / coarsen + 0.5);
    return coarsen == 1 || even > n ? n : even < 2 ? 2 : even;
}

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    const pde_problem *pde = pde_of(problem);
    if (!pde) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the problem is no equation of nigh's; `nigh list equations` shows them");
    const pde_equation *e = pde_problem_equation(pde);
    int64_t n = coarse_size(pde_problem_grid(pde), settings->value[0]);
    int effort = (int)settings->value[1];
    if (n < e->info.grid_low) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld points in each dimension are too few; %s takes %lld", (long long)n, e->info.name, (long long)e->info.grid_low);
    if (effort >= e->info.efforts) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s has efforts 0 to %d", e->info.name, e->info.efforts - 1);
    if (n == pde_problem_grid(pde) && effort == e->info.efforts - 1) return nigh_fail(ctx, NIGH_UNSUPPORTED, "that is the exact computation");
    return e->check ? e->check(ctx, pde_problem_values(pde), n) : NIGH_OK;
}

/* The solver's work and that of going there and back: a handful of operations and two passes over memory a point. */
static nigh_work work_of(const pde_equation *e, const double *values, int64_t n, int64_t coarse, int effort)
{
    enum { OPERATIONS = 24, BYTES = 48 };
    nigh_work work = e->work(values, coarse, effort);
    double points = e->info.dims == 2 ? (double)n * (double)n : (double)n;
    if (coarse < n) work.flops += OPERATIONS * points, work.bytes += BYTES * points;
    return work;
}

/* Grid points of the option that the equation does not have cost what its exact solver costs: they are refused when tried. */
static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    const pde_problem *pde = pde_of(problem);
    if (!pde) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the problem is no equation of nigh's");
    const pde_equation *e = pde_problem_equation(pde);
    int effort = (int)settings->value[1] < e->info.efforts ? (int)settings->value[1] : e->info.efforts - 1;
    int64_t n = pde_problem_grid(pde), coarse = coarse_size(n, settings->value[0]);
    if (coarse < e->info.grid_low) coarse = e->info.grid_low;
    *out = (nigh_estimate){.error = {0, INFINITY}, .apply = work_of(e, pde_problem_values(pde), n, coarse, effort), .source = "formula"};
    return NIGH_OK;
}

/* ---- the plan ------------------------------------------------------------------------------------------ */

typedef struct coarse_plan {
    nigh_problem *problem;  /* of its own, so that a loaded plan is as good as a new one */
    int64_t fine, coarse;
    nigh_pde_solver *solver[MOST_EFFORTS]; /* the effort asked for, and those above it for answers that blow up */
    int solvers;
    nigh_regridder *there, *back;
} coarse_plan;

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }
static int64_t points_of(const coarse_plan *p, int64_t n) { return p->problem->in.ndim == 2 ? n * n : n; }

static size_t regrid_bytes(const coarse_plan *p)
{
    size_t there = nigh_regridder_workspace(p->there), back = nigh_regridder_workspace(p->back);
    return aligned(there > back ? there : back);
}

static size_t workspace(const nigh_plan *plan, int64_t block)
{
    const coarse_plan *p = plan->state;
    size_t solve = 0;
    for (int i = 0; i < p->solvers; i++)
        if (nigh_pde_solver_workspace(p->solver[i]) > solve) solve = nigh_pde_solver_workspace(p->solver[i]);
    return 2 * aligned((size_t)points_of(p, p->coarse) * sizeof(double)) + regrid_bytes(p) + solve + 64;
}

static bool is_answer(int64_t n, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += 0 * y[i];
    return sum == 0;
}

/* Too large a step shows: the answer is not finite. Then the next effort is made, and so on. */
static void solve(const coarse_plan *p, const double *x, double *y, void *room)
{
    for (int i = 0; i < p->solvers; i++) {
        nigh_pde_solve(p->solver[i], x, y, room);
        if (is_answer(points_of(p, p->coarse), y)) return;
    }
}

static void apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *room)
{
    const coarse_plan *p = plan->state;
    int64_t fine = points_of(p, p->fine);
    char *at = (char *)(((uintptr_t)room + 63) / 64 * 64);
    size_t one = aligned((size_t)points_of(p, p->coarse) * sizeof(double));
    double *x = (double *)at, *y = (double *)(at + one);
    char *regrid = at + 2 * one, *rest = regrid + regrid_bytes(p);
    for (int64_t i = 0; i < n; i++) {
        const double *from = (const double *)in + i * fine;
        double *to = (double *)out + i * fine;
        if (p->coarse == p->fine) {
            solve(p, from, to, rest);
            continue;
        }
        nigh_regridder_run(p->there, from, x, regrid);
        solve(p, x, y, rest);
        nigh_regridder_run(p->back, y, to, regrid);
    }
}

static void plan_free(nigh_context *ctx, nigh_plan *plan)
{
    coarse_plan *p = plan->state;
    if (!p) return;
    nigh_regridder_free(p->back);
    nigh_regridder_free(p->there);
    for (int i = 0; i < p->solvers; i++) nigh_pde_solver_free(p->solver[i]);
    nigh_problem_free(ctx, p->problem);
}

static nigh_status save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    const coarse_plan *p = plan->state;
    nigh_pde spec;
    nigh_buffer settings = {.ctx = ctx};
    nigh_status status = pde_say(ctx, pde_of(p->problem), &spec, &settings);
    if (!status) status = nigh_planfile_put_text(file, "equation", spec.equation);
    if (!status) status = nigh_planfile_put_text(file, "equation settings", spec.settings);
    nigh_buffer_free(&settings);
    return status;
}

static const nigh_plan_ops plan_ops = {.workspace = workspace, .apply = apply, .save = save, .free = plan_free};

static nigh_status fill(nigh_context *ctx, nigh_plan *plan, const nigh_pde *spec)
{
    coarse_plan *p = nigh_arena_alloc_zero(plan->arena, 1, sizeof *p);
    if (!(plan->state = p)) return NIGH_MEMORY;
    nigh_status status = nigh_pde_problem_new(ctx, spec, &p->problem);
    if (!status) status = supports(ctx, plan->method, p->problem, &plan->settings);
    if (status) return status;
    const pde_problem *pde = pde_of(p->problem);
    const pde_equation *e = pde_problem_equation(pde);
    int effort = (int)plan->settings.value[1];
    p->fine = spec->grid, p->coarse = coarse_size(p->fine, plan->settings.value[0]);
    for (int i = effort; i < e->info.efforts && !status; i++) {
        status = pde_solver_at(ctx, pde, p->coarse, i, &p->solver[p->solvers]);
        p->solvers += !status;
    }
    if (!status) status = pde_regridder(ctx, e, true, p->fine, p->coarse, &p->there);
    if (!status) status = pde_regridder(ctx, e, false, p->coarse, p->fine, &p->back);
    if (status) return status;
    plan->work = work_of(e, pde_problem_values(pde), p->fine, p->coarse, effort);
    plan->bytes = (double)workspace(plan, 1);
    char by[24] = "";
    if (e->info.dims == 2) snprintf(by, sizeof by, " x %lld", (long long)p->coarse);
    plan->note = nigh_arena_format(plan->arena, "%s on %lld%s points: %s", e->info.name, (long long)p->coarse, by, nigh_pde_effort(p->solver[0]));
    return plan->note ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_pde *spec, const nigh_shape *shape, nigh_plan **out)
{
    nigh_plan *plan = NULL;
    nigh_status status = nigh_plan_new(ctx, method, settings, shape, shape, &plan_ops, &plan);
    if (!status) status = fill(ctx, plan, spec);
    if (status) nigh_plan_free(ctx, plan);
    else *out = plan;
    return status;
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan)
{
    nigh_pde spec = {.grid = nigh_planfile_in(file)->dim[0]};
    const nigh_shape *in = nigh_planfile_in(file), *out = nigh_planfile_out(file);
    nigh_status status = nigh_planfile_get_text(file, "equation", &spec.equation);
    if (!status) status = nigh_planfile_get_text(file, "equation settings", &spec.settings);
    if (status) return status;
    const pde_equation *e = pde_equation_find(spec.equation);
    bool right = e && in->dtype == NIGH_F64 && out->dtype == NIGH_F64 && in->ndim == e->info.dims && out->ndim == in->ndim;
    for (int k = 0; right && k < in->ndim; k++) right = in->dim[k] == spec.grid && out->dim[k] == spec.grid;
    if (!right) return nigh_fail(ctx, NIGH_FORMAT, "the plan's shapes are not those of equation '%s'", spec.equation);
    return plan_new(ctx, method, nigh_planfile_settings(file), &spec, in, plan);
}

/* ---- the fit: there is nothing to do ------------------------------------------------------------------- */

typedef struct coarse_fit {
    const nigh_method *method;
    const nigh_problem *problem;
    nigh_settings settings;
} coarse_fit;

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    nigh_status status = nigh_settings_check(ctx, method, settings);
    if (!status) status = supports(ctx, method, problem, settings);
    coarse_fit *fit = status ? NULL : nigh_alloc(ctx, sizeof *fit);
    if (!fit) return status ? status : NIGH_MEMORY;
    *fit = (coarse_fit){method, problem, *settings};
    *out = fit;
    return NIGH_OK;
}

static nigh_status advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point)
{
    *point = (nigh_progress_point){1, 1, NAN, true};
    return NIGH_OK;
}

static nigh_status finish(nigh_context *ctx, void *state, nigh_plan **plan)
{
    const coarse_fit *fit = state;
    nigh_pde spec;
    nigh_buffer settings = {.ctx = ctx};
    nigh_status status = pde_say(ctx, pde_of(fit->problem), &spec, &settings);
    if (!status) status = plan_new(ctx, fit->method, &fit->settings, &spec, &fit->problem->in, plan);
    nigh_buffer_free(&settings);
    return status;
}

static void abandon(nigh_context *ctx, void *fit) { nigh_free(ctx, fit); }

const nigh_method nigh_method_coarse_grid = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "coarse-grid", .problem = "map",
    .summary = "the equation's own solver with less effort: a coarser grid, larger steps, fewer iterations",
    .source = "Trottenberg, Oosterlee and Schueller, \"Multigrid\"; Cox and Matthews, \"Exponential time differencing for stiff systems\"",
    .when = "Always tried for equations of nigh's: at errors of a percent it is hard to beat.",
    .flags = NIGH_METHOD_SHORTCUT,
    .options = options, .supports = supports, .estimate = estimate,
    .start = start, .advance = advance, .finish = finish, .abandon = abandon, .load = load,
};
