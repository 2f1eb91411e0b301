/*
 * The three disjoint sets. Inputs that are drawn come from streams of their own; rows of a file are dealt once: the test
 * rows by the file's content alone, so that no seed can choose them.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STREAM_FIT = 1, STREAM_SCREEN = 2, STREAM_DEAL = 3, STREAM_TEST = 1000 };

static int64_t clamp(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

static nigh_status set_room(plan_run *run, int64_t n, sample_set *set)
{
    set->n = n;
    set->in = nigh_arena_alloc_zero(run->arena, (size_t)(n ? n : 1), run->in_bytes);
    set->out = nigh_arena_alloc_zero(run->arena, (size_t)(n ? n : 1), run->out_bytes);
    return set->in && set->out ? NIGH_OK : NIGH_MEMORY;
}

/* Exact outputs in parts, so that progress shows and a cancel is heard. */
static nigh_status set_exact(plan_run *run, const char *what, sample_set *set)
{
    int64_t part = run->problem->child ? 8 * nigh_context_threads(run->ctx) : run->problem->grid ? 128 : 65536;
    for (int64_t i = 0; i < set->n; i += part) {
        int64_t n = set->n - i < part ? set->n - i : part;
        nigh_status status = nigh_poll(run->ctx);
        if (!status)
            status = run->problem->ops->exact(run->ctx, run->problem, n, set->in + (size_t)i * run->in_bytes,
                                              set->out + (size_t)i * run->out_bytes);
        if (status) return status;
        nigh_progress(run->ctx, what, (double)(i + n), (double)set->n);
    }
    return NIGH_OK;
}

static nigh_status set_draw(plan_run *run, const char *what, uint64_t stream, int64_t n, sample_set *set)
{
    nigh_status status = set_room(run, n, set);
    if (status || n == 0) return status;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(run->ctx), stream);
    status = run->problem->ops->draw(run->ctx, run->problem, &rng, n, set->in);
    return status ? status : set_exact(run, what, set);
}

/* Programs are run for their rows: in parts, so that progress shows. */
static nigh_status set_rows(plan_run *run, const char *what, int64_t n, const int64_t *index, sample_set *set)
{
    nigh_status status = set_room(run, n, set);
    int64_t part = run->problem->child ? 8 * nigh_context_threads(run->ctx) : n;
    for (int64_t i = 0; i < n && !status; i += part) {
        int64_t some = n - i < part ? n - i : part;
        status = nigh_poll(run->ctx);
        if (!status) status = run->problem->ops->rows(run->ctx, run->problem, some, index + i, set->in + (size_t)i * run->in_bytes, set->out + (size_t)i * run->out_bytes);
        if (!status && run->problem->child) nigh_progress(run->ctx, what, (double)(i + some), (double)n);
    }
    return status;
}

static bool needs_data(plan_run *run)
{
    for (int i = 0; i < run->line_count; i++)
        if (run->lines[i].method->flags & NIGH_METHOD_NEEDS_DATA) return true;
    return false;
}

static uint64_t seed_of_identity(const char *identity)
{
    uint64_t seed = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *p = identity; *p; p++) seed = (seed ^ (unsigned char)*p) * 0x100000001b3u;
    return seed;
}

/* Test rows by the content of the file, the rest by the seed. */
static nigh_status deal_rows(plan_run *run)
{
    int64_t rows = run->problem->rows;
    const nigh_request *request = run->request;
    if (rows < 20) return nigh_fail(run->ctx, NIGH_INVALID, "%s has %lld samples; at least 20 are needed", run->problem->name, (long long)rows);
    int64_t test = request->test ? request->test : clamp((int64_t)(0.3 * (double)rows), rows / 3 < 300 ? rows / 3 : 300, 20000);
    int64_t screen = request->screen ? request->screen : clamp((int64_t)(0.15 * (double)rows), 5, 4000);
    int64_t fit = request->fit ? request->fit : rows - test - screen;
    if (test < 1 || screen < 1 || fit < 1 || test + screen + fit > rows)
        return nigh_fail(run->ctx, NIGH_INVALID, "fit, screen and test sets of %lld, %lld and %lld samples do not fit into %lld rows",
                         (long long)fit, (long long)screen, (long long)test, (long long)rows);
    int64_t *order = nigh_arena_alloc(run->arena, 2 * (size_t)rows * sizeof *order);
    if (!order) return NIGH_MEMORY;
    int64_t *rest = order + rows;
    nigh_rng deal = nigh_rng_new(seed_of_identity(run->problem->identity), STREAM_DEAL);
    nigh_status status = nigh_rng_permutation(run->ctx, &deal, rows, order);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(run->ctx), STREAM_DEAL);
    status = nigh_rng_permutation(run->ctx, &rng, rows - test, rest);
    if (status) return status;
    for (int64_t i = 0; i < rows - test; i++) rest[i] = order[test + rest[i]];
    status = set_rows(run, "exact answers to test", test, order, &run->test);
    if (!status) status = set_rows(run, "exact answers to screen", screen, rest, &run->screen);
    return status ? status : set_rows(run, "exact answers to fit", fit, rest + screen, &run->fit);
}

/* A few inputs for timing; drawing a field may cost more than its answer, so that counts, too. */
static nigh_status draw_few(plan_run *run, int64_t n, sample_set *few)
{
    nigh_status status = set_room(run, n, few);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(run->ctx), STREAM_DEAL);
    double start = nigh_clock_cpu();
    status = run->problem->ops->draw(run->ctx, run->problem, &rng, n, few->in);
    run->draw_seconds = (nigh_clock_cpu() - start) / (double)n;
    return status ? status : clocklog_put_real(run->clock, "draw seconds", run->draw_seconds);
}

/* Seconds of one exact computation, from a few first ones; logged. */
static nigh_status exact_cost(plan_run *run)
{
    double *seconds = &run->outcome->exact_seconds;
    *seconds = run->problem->exact_seconds;
    clocklog_get_real(run->clock, "draw seconds", &run->draw_seconds);
    if (*seconds > 0 || clocklog_get_real(run->clock, "exact seconds", seconds) || clocklog_frozen(run)) return NIGH_OK;
    sample_set few;
    timed_work work;
    nigh_status status = draw_few(run, run->problem->child ? 4 : run->problem->grid ? 8 : 4096, &few);
    if (!status) status = timed_work_new(run->ctx, run->arena, run->problem, NULL, &few, &work);
    if (!status) status = timed_work_seconds(run->ctx, &work, 5, seconds);
    return status ? status : clocklog_put_real(run->clock, "exact seconds", *seconds);
}

double sets_time(const plan_run *run) { return run->request->seconds > 0 ? run->request->seconds / 2 : 60; }

double sets_seconds(const plan_run *run, double calls)
{
    bool many = run->problem->child || run->problem->grid; /* programs, and fields one a thread */
    return calls * (run->outcome->exact_seconds + run->draw_seconds) / (many ? nigh_context_threads(run->ctx) : 1);
}

/*
 * How many exact computations may be made: for child programs what fits into the time (half of --time, or a minute),
 * 1,000 for the test if possible. Cheap ones: enough that the bound is within a few percent of the mean.
 */
static nigh_status choose_sizes(plan_run *run, int64_t *fit, int64_t *screen, int64_t *test)
{
    const nigh_request *request = run->request;
    bool slow = run->problem->child || run->problem->grid || run->outcome->exact_seconds > 1e-4;
    *fit = !needs_data(run) ? 0 : run->problem->grid ? 1000 : slow ? 600 : 2000;
    *screen = slow ? 300 : 4096;
    *test = slow ? 1000 : 20000;
    double needed = sets_seconds(run, (double)(*fit + *screen + *test)), share = slow && needed > 0 ? sets_time(run) / needed : 1;
    if (share < 1) {
        *fit = clamp((int64_t)((double)*fit * share), 40, *fit);
        *screen = clamp((int64_t)((double)*screen * share), 30, *screen);
        *test = clamp((int64_t)((double)*test * share), run->outcome->exact_seconds > 1 ? 59 : 300, *test);
    }
    if (request->fit) *fit = needs_data(run) ? request->fit : 0;
    if (request->screen) *screen = request->screen;
    if (request->test) *test = request->test;
    return NIGH_OK;
}

nigh_status sets_make(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    nigh_status status;
    if (run->problem->rows > 0) {
        outcome->exact_seconds = run->problem->exact_seconds;
        status = deal_rows(run);
        outcome->n_fit = run->fit.n, outcome->n_screen = run->screen.n, outcome->n_test = run->test.n;
        return status;
    }
    if ((status = exact_cost(run))) return status;
    run->known.exact_seconds = outcome->exact_seconds;
    if ((status = choose_sizes(run, &outcome->n_fit, &outcome->n_screen, &outcome->n_test))) return status;
    if ((status = set_draw(run, "exact answers to fit", STREAM_FIT, outcome->n_fit, &run->fit))) return status;
    return set_draw(run, "exact answers to screen", STREAM_SCREEN, outcome->n_screen, &run->screen);
}

nigh_status sets_draw_test(plan_run *run)
{
    if (run->problem->rows > 0 || run->test.n) return NIGH_OK;
    return set_draw(run, "exact answers to test", STREAM_TEST + (uint64_t)run->walk, run->outcome->n_test, &run->test);
}

static void to_f64(nigh_dtype dtype, int64_t n, const char *from, double *to)
{
    if (dtype == NIGH_F32)
        for (int64_t i = 0; i < n; i++) to[i] = ((const float *)(const void *)from)[i];
    else
        memcpy(to, from, (size_t)n * sizeof *to);
}

nigh_status answer_errors(plan_run *run, int64_t n, const char *in, const char *exact, const char *answer, double *errors)
{
    const nigh_problem *problem = run->problem;
    if (problem->ops->errors) return problem->ops->errors(run->ctx, problem, n, in, exact, answer, errors);
    double *truth = nigh_alloc(run->ctx, 2 * (size_t)run->out_count * sizeof *truth), *row = truth ? truth + run->out_count : NULL;
    if (!truth) return NIGH_MEMORY;
    nigh_dtype dtype = problem->out.dtype;
    for (int64_t i = 0; i < n; i++) {
        to_f64(dtype, run->out_count, exact + (size_t)i * run->out_bytes, truth);
        to_f64(dtype, run->out_count, answer + (size_t)i * run->out_bytes, row);
        errors[i] = problem->measure->error(run->out_count, truth, row, dtype);
    }
    nigh_free(run->ctx, truth);
    return NIGH_OK;
}

nigh_status set_errors(plan_run *run, const nigh_plan *plan, const sample_set *set, double *errors)
{
    nigh_context *ctx = run->ctx;
    size_t bytes = nigh_plan_workspace(plan);
    char *answer = nigh_alloc(ctx, (size_t)(set->n ? set->n : 1) * run->out_bytes);
    void *workspace = nigh_alloc(ctx, bytes);
    nigh_status status = answer && workspace ? nigh_poll(ctx) : NIGH_MEMORY;
    if (!status) {
        nigh_plan_apply(plan, set->n, set->in, answer, workspace, bytes);
        status = answer_errors(run, set->n, set->in, set->out, answer, errors);
    }
    nigh_free(ctx, workspace);
    nigh_free(ctx, answer);
    return status;
}
