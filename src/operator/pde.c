/* Equations as problems and as solvers; see pde.h and nigh/pde.h. */
#include "operator/pde.h"

#include "core/json.h"
#include "core/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* ---- what is meant ------------------------------------------------------------------------------------- */

typedef struct meaning {
    const pde_equation *equation;
    nigh_settings values;
    int64_t n;
} meaning;

/* Equations have options as methods have: one that stands for the equation lets their parser and printer serve. */
static nigh_method as_method(const pde_equation *e) { return (nigh_method){.size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI, .name = e->info.name, .options = e->info.options}; }

static nigh_status unknown_equation(nigh_context *ctx, const char *name)
{
    const char *nearest = NULL;
    for (int i = 0; pde_equations[i]; i++) nearest = word_nearer(name, strlen(name), pde_equations[i]->info.name, nearest);
    return nigh_fail(ctx, NIGH_INVALID, "no equation is called '%s'%s%s%s; `nigh list equations` shows all", name, nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
}

static nigh_status check_grid(nigh_context *ctx, const meaning *m)
{
    const nigh_equation *e = &m->equation->info;
    if (m->n < e->grid_low || m->n > e->grid_high)
        return nigh_fail(ctx, NIGH_INVALID, "a grid of %lld points in each dimension; %s takes %lld to %lld", (long long)m->n, e->name, (long long)e->grid_low, (long long)e->grid_high);
    return m->equation->check ? m->equation->check(ctx, m->values.value, m->n) : NIGH_OK;
}

static nigh_status understand(nigh_context *ctx, const nigh_pde *spec, meaning *m)
{
    const pde_equation *e = spec->equation ? pde_equation_find(spec->equation) : NULL;
    if (!e) return unknown_equation(ctx, spec->equation ? spec->equation : "");
    nigh_method method = as_method(e);
    *m = (meaning){e, nigh_settings_default(&method), spec->grid ? spec->grid : e->info.grid_default};
    nigh_status status = spec->settings ? nigh_settings_parse(ctx, &method, spec->settings, &m->values) : NIGH_OK;
    if (!status) status = nigh_settings_check(ctx, &method, &m->values);
    return status ? status : check_grid(ctx, m);
}

/* ---- solvers ------------------------------------------------------------------------------------------- */

struct nigh_pde_solver {
    nigh_context *ctx;
    meaning of;
    int effort;
    void *solver;
    int64_t points;
    char name[64];
};

static int64_t points_of(const pde_equation *e, int64_t n) { return e->info.dims == 2 ? n * n : n; }

static nigh_status solver_make(nigh_context *ctx, const meaning *m, int effort, nigh_pde_solver **out)
{
    const pde_equation *e = m->equation;
    nigh_pde_solver *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (nigh_pde_solver){.ctx = ctx, .of = *m, .effort = effort, .points = points_of(e, m->n)};
    e->effort_name(m->values.value, m->n, effort, s->name);
    nigh_status status = e->solver_new(ctx, m->values.value, m->n, effort, &s->solver);
    if (status) nigh_pde_solver_free(s);
    else *out = s;
    return status;
}

nigh_status nigh_pde_solver_new(nigh_context *ctx, const nigh_pde *spec, int effort, nigh_pde_solver **solver)
{
    meaning m;
    nigh_status status = understand(ctx, spec, &m);
    if (status) return status;
    int efforts = m.equation->info.efforts;
    if (effort < -1 || effort >= efforts) return nigh_fail(ctx, NIGH_INVALID, "effort %d; %s has 0 to %d, and -1 is the exact one", effort, m.equation->info.name, efforts - 1);
    return solver_make(ctx, &m, effort < 0 ? efforts - 1 : effort, solver);
}

void nigh_pde_solver_free(nigh_pde_solver *s)
{
    if (!s) return;
    if (s->solver) s->of.equation->solver_free(s->solver);
    nigh_free(s->ctx, s);
}

size_t nigh_pde_solver_workspace(const nigh_pde_solver *s) { return aligned(s->of.equation->solver_workspace(s->solver) + 1); }
const char *nigh_pde_effort(const nigh_pde_solver *s) { return s->name; }
void nigh_pde_solve(const nigh_pde_solver *s, const double *in, double *out, void *workspace) { s->of.equation->solve(s->solver, in, out, workspace); }

static bool all_finite(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += 0 * x[i];
    return sum == 0;
}

static int threads_for(nigh_context *ctx, int64_t n)
{
#ifdef _OPENMP
    int most = nigh_context_threads(ctx);
    return n < most ? (n > 0 ? (int)n : 1) : most;
#else
    return 1;
#endif
}

static int this_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Which of the first n fields is no answer; n: all are. */
static int64_t first_bad(int64_t n, int64_t points, const double *x)
{
    for (int64_t i = 0; i < n; i++)
        if (!all_finite(points, x + i * points)) return i;
    return n;
}

nigh_status nigh_pde_solve_many(nigh_context *ctx, const nigh_pde_solver *s, int64_t n, const double *in, double *out)
{
    enum { PART = 64 };
    int threads = threads_for(ctx, n);
    size_t each = nigh_pde_solver_workspace(s);
    char *room = nigh_alloc(ctx, (size_t)threads * each);
    if (!room) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int64_t from = 0; from < n && !status; from += PART * threads) {
        int64_t end = from + PART * threads < n ? from + PART * threads : n;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
        for (int64_t i = from; i < end; i++) nigh_pde_solve(s, in + i * s->points, out + i * s->points, room + (size_t)this_thread() * each);
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, room);
    if (status) return status;
    int64_t bad = first_bad(n, s->points, out);
    if (bad == n) return NIGH_OK;
    const char *name = s->of.equation->info.name;
    if (!all_finite(s->points, in + bad * s->points)) return nigh_fail(ctx, NIGH_INVALID, "%s: input %lld is not finite everywhere", name, (long long)bad);
    for (int64_t i = 0; s->of.equation->positive && i < s->points; i++)
        if (!(in[bad * s->points + i] > 0))
            return nigh_fail(ctx, NIGH_INVALID, "%s: input %lld is %g at point %lld; it must be positive everywhere", name, (long long)bad, in[bad * s->points + i], (long long)i);
    return nigh_fail(ctx, NIGH_FAILED, "%s: no solution was reached for input %lld by %s", name, (long long)bad, s->name);
}

/* ---- problems ------------------------------------------------------------------------------------------ */

struct pde_problem {
    nigh_problem problem;
    meaning of;
    nigh_pde_solver *exact;
    void *sampler, *timed; /* the workspace of computations that are timed: pages touched once */
    char *name, *origin, identity[65];
};

static nigh_status draw_with(nigh_context *ctx, const meaning *m, const void *sampler, nigh_rng *rng, int64_t n, double *in)
{
    const pde_equation *e = m->equation;
    int threads = threads_for(ctx, n);
    int64_t points = points_of(e, m->n), part = 16 * threads;
    size_t each = aligned(e->sampler_workspace(sampler) + 1);
    char *room = nigh_alloc(ctx, (size_t)threads * each);
    if (!room) return NIGH_MEMORY;
    uint64_t seed = nigh_rng_u64(rng);
    nigh_status status = NIGH_OK;
    for (int64_t from = 0; from < n && !status; from += part) {
        int64_t end = from + part < n ? from + part : n;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
        for (int64_t i = from; i < end; i++) {
            nigh_rng own = nigh_rng_new(nigh_seed_split(seed, (uint64_t)i), 0);
            e->sample(sampler, &own, in + i * points, room + (size_t)this_thread() * each);
        }
        status = nigh_poll(ctx);
        if (!status) nigh_progress(ctx, "drawing inputs", (double)end, (double)n);
    }
    nigh_free(ctx, room);
    return status;
}

static nigh_status problem_draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    const pde_problem *p = problem->self;
    return draw_with(ctx, &p->of, p->sampler, rng, n, in);
}

static nigh_status problem_exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const pde_problem *p = problem->self;
    return nigh_pde_solve_many(ctx, p->exact, n, in, out);
}

static nigh_status problem_exact_timed(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const pde_problem *p = problem->self;
    int64_t points = p->exact->points;
    for (int64_t i = 0; i < n; i++) nigh_pde_solve(p->exact, (const double *)in + i * points, (double *)out + i * points, p->timed);
    return NIGH_OK;
}

nigh_status pde_regridder(nigh_context *ctx, const pde_equation *e, bool input, int64_t from, int64_t to, nigh_regridder **out)
{
    nigh_regrid how = input ? (to < from ? e->in_coarser : e->in_finer) : (to < from ? e->out_coarser : e->out_finer);
    how.dims = e->info.dims, how.grid = e->info.grid, how.from = from, how.to = to;
    return nigh_regridder_new(ctx, &how, out);
}

nigh_status pde_solver_at(nigh_context *ctx, const pde_problem *p, int64_t n, int effort, nigh_pde_solver **solver)
{
    meaning m = p->of;
    m.n = n;
    return solver_make(ctx, &m, effort < 0 ? m.equation->info.efforts - 1 : effort, solver);
}

/* n fields through a regridder. */
static nigh_status regrid_many(nigh_context *ctx, const nigh_regridder *r, int64_t n, int64_t from, int64_t to, const double *in, double *out)
{
    void *room = nigh_alloc(ctx, nigh_regridder_workspace(r) + 64);
    if (!room) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) nigh_regridder_run(r, in + i * from, out + i * to, room);
    nigh_free(ctx, room);
    return NIGH_OK;
}

static nigh_status problem_refined(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const pde_problem *p = problem->self;
    meaning fine = p->of;
    fine.n *= 2;
    int64_t points = p->exact->points, many = points_of(fine.equation, fine.n);
    nigh_pde_solver *solver = NULL;
    nigh_regridder *finer = NULL, *coarser = NULL;
    double *x = nigh_alloc(ctx, (size_t)(n * many) * sizeof *x), *y = nigh_alloc(ctx, (size_t)(n * many) * sizeof *y);
    nigh_status status = x && y ? solver_make(ctx, &fine, fine.equation->info.efforts - 1, &solver) : NIGH_MEMORY;
    if (!status) status = pde_regridder(ctx, fine.equation, true, p->of.n, fine.n, &finer);
    if (!status) status = pde_regridder(ctx, fine.equation, false, fine.n, p->of.n, &coarser);
    if (!status) status = regrid_many(ctx, finer, n, points, many, in, x);
    if (!status) status = nigh_pde_solve_many(ctx, solver, n, x, y);
    if (!status) status = regrid_many(ctx, coarser, n, many, points, y, out);
    nigh_regridder_free(coarser);
    nigh_regridder_free(finer);
    nigh_pde_solver_free(solver);
    nigh_free(ctx, y);
    nigh_free(ctx, x);
    return status;
}

static nigh_status problem_elsewhere(nigh_context *ctx, const nigh_problem *problem, const int64_t *size, nigh_rng *rng, int64_t n, void *in, void *out)
{
    const pde_problem *p = problem->self;
    meaning there = p->of;
    there.n = size[0];
    if (there.equation->info.dims == 2 && size[1] != size[0]) return nigh_fail(ctx, NIGH_INVALID, "a grid of %lld x %lld points; the equation's are square", (long long)size[0], (long long)size[1]);
    nigh_status status = check_grid(ctx, &there);
    nigh_pde_solver *solver = NULL;
    void *sampler = NULL;
    if (!status) status = there.equation->sampler_new(ctx, there.values.value, there.n, &sampler);
    if (!status) status = solver_make(ctx, &there, there.equation->info.efforts - 1, &solver);
    if (!status) status = draw_with(ctx, &there, sampler, rng, n, in);
    if (!status) status = nigh_pde_solve_many(ctx, solver, n, in, out);
    nigh_pde_solver_free(solver);
    if (sampler) there.equation->sampler_free(sampler);
    return status;
}

static void problem_free(nigh_context *ctx, nigh_problem *problem)
{
    pde_problem *p = problem->self;
    nigh_pde_solver_free(p->exact);
    if (p->sampler) p->of.equation->sampler_free(p->sampler);
    nigh_free(ctx, p->timed);
    nigh_free(ctx, p->name);
    nigh_free(ctx, p->origin);
    nigh_free(ctx, p);
}

static const nigh_problem_ops ops = {.draw = problem_draw, .exact = problem_exact, .exact_timed = problem_exact_timed, .refined = problem_refined, .elsewhere = problem_elsewhere,
                                     .free = problem_free};

nigh_status pde_say(nigh_context *ctx, const pde_problem *p, nigh_pde *spec, nigh_buffer *settings)
{
    nigh_method method = as_method(p->of.equation);
    nigh_status status = nigh_settings_print(&method, &p->of.values, settings);
    for (size_t i = 0; !status && i < settings->size; i++)
        if (settings->data[i] == ' ') settings->data[i] = ',';
    *spec = (nigh_pde){p->of.equation->info.name, p->of.n, settings->data ? settings->data : "", p->problem.measure->name};
    return status;
}

/* Name, origin and identity; they hold the settings as printed, so that the same problem said in other words is the same. */
static nigh_status describe(nigh_context *ctx, pde_problem *p)
{
    nigh_pde spec;
    nigh_buffer settings = {.ctx = ctx}, origin = {.ctx = ctx};
    nigh_status status = pde_say(ctx, p, &spec, &settings);
    json_t *object = status ? NULL : json_pack("{s:s,s:s,s:I,s:s,s:s}", "kind", "pde", "equation", spec.equation, "grid", (json_int_t)spec.grid, "settings", spec.settings, "measure", spec.measure);
    if (!status && !object) status = NIGH_MEMORY;
    if (!status) status = nj_dump(ctx, object, NJ_SORTED, &origin);
    if (!status) {
        char by[24] = "";
        if (p->problem.in.ndim == 2) snprintf(by, sizeof by, " x %lld", (long long)spec.grid);
        p->name = nigh_format(ctx, "%s, %lld%s points%s%s", spec.equation, (long long)spec.grid, by, *spec.settings ? ", " : "", spec.settings);
        p->origin = origin.data, origin.data = NULL;
        if (!p->name) status = NIGH_MEMORY;
    }
    if (!status) {
        nigh_sha256 hash;
        nigh_sha256_init(&hash);
        nigh_sha256_text(&hash, p->origin);
        nigh_sha256_hex(&hash, p->identity);
    }
    json_decref(object);
    nigh_buffer_free(&origin);
    nigh_buffer_free(&settings);
    return status;
}

nigh_status nigh_pde_problem_new(nigh_context *ctx, const nigh_pde *spec, nigh_problem **out)
{
    meaning m;
    const char *measure = spec->measure ? spec->measure : "relative-l2";
    nigh_status status = understand(ctx, spec, &m);
    if (!status && !nigh_measure_find(measure)) status = nigh_fail(ctx, NIGH_INVALID, "no error measure is called '%s'", measure);
    if (status) return status;
    pde_problem *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->of = m;
    nigh_shape shape = {NIGH_F64, m.equation->info.dims, {m.n, m.n}};
    p->problem = (nigh_problem){.size = sizeof(nigh_problem), .kind = "map", .in = shape, .out = shape, .measure = nigh_measure_find(measure), .grid = m.equation->info.grid, .ops = &ops, .self = p};
    status = describe(ctx, p);
    if (!status) status = m.equation->sampler_new(ctx, m.values.value, m.n, &p->sampler);
    if (!status) status = solver_make(ctx, &m, m.equation->info.efforts - 1, &p->exact);
    if (!status && !(p->timed = nigh_alloc(ctx, nigh_pde_solver_workspace(p->exact)))) status = NIGH_MEMORY;
    p->problem.name = p->name, p->problem.origin = p->origin, p->problem.identity = p->identity;
    if (status) problem_free(ctx, &p->problem);
    else *out = &p->problem;
    return status;
}

const pde_problem *pde_of(const nigh_problem *problem) { return problem->ops == &ops ? problem->self : NULL; }
const pde_equation *pde_problem_equation(const pde_problem *p) { return p->of.equation; }
const double *pde_problem_values(const pde_problem *p) { return p->of.values.value; }
int64_t pde_problem_grid(const pde_problem *p) { return p->of.n; }
