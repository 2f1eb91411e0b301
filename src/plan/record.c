/* What a plan file records beside the plan: its receipt as stated, and the receipt measured again. */
#include "plan/receipt.h"
#include "plan/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nigh_status nigh_plan_receipt(nigh_context *ctx, const nigh_plan *plan, nigh_receipt **out)
{
    if (!*plan->record) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the plan has no receipt: it was never tested");
    nj root = {0}, object = {0};
    nigh_status status = nj_parse(ctx, "the plan's record", plan->record, strlen(plan->record), &root);
    if (!status) status = nj_get_object(&root, "receipt", &object);
    if (!status) status = nigh_receipt_from_json(&object, out);
    if (!status) (*out)->as_stated = true;
    nj_free(&root);
    return status;
}

/* A run of the planner reduced to its last part: one plan, fresh test inputs, the clock. */
static nigh_status recheck_run(plan_run *run, const nigh_plan *plan, nigh_receipt *r)
{
    nigh_status status = clocklog_open(run);
    if (!status) status = host_calibrate(run);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(run->ctx) ^ 0x9e3779b97f4a7c15u, 77);
    run->outcome->n_test = r->tests > 0 ? r->tests : 1000;
    run->test.n = run->outcome->n_test;
    run->test.in = nigh_arena_alloc_zero(run->arena, (size_t)run->test.n, run->in_bytes);
    run->test.out = nigh_arena_alloc_zero(run->arena, (size_t)run->test.n, run->out_bytes);
    double *errors = nigh_arena_alloc(run->arena, (size_t)run->test.n * sizeof *errors);
    if (!run->test.in || !run->test.out || !errors) return NIGH_MEMORY;
    status = run->problem->ops->draw(run->ctx, run->problem, &rng, run->test.n, run->test.in);
    if (!status) status = run->problem->ops->exact(run->ctx, run->problem, run->test.n, run->test.in, run->test.out);
    test_figures figures = {0};
    if (!status && run->request->statistic == NIGH_WORST) {
        status = run->services->certify(run->ctx, plan, run->problem, &figures.certificate);
        if (status == NIGH_UNSUPPORTED) status = NIGH_OK;
    }
    if (!status) status = test_plan(run, plan, errors, &figures);
    if (status) return status;
    r->mean = figures.mean, r->outliers = figures.outliers, r->p95 = figures.p95, r->worst = figures.worst, r->met = figures.met;
    r->certificate = figures.certificate;
    r->tests = run->test.n, r->level = run->level, r->reads = 0;
    r->worst_share = 1 - pow(run->level, 1 / (double)run->test.n);
    r->label = r->statistic == NIGH_WORST ? (figures.certificate.how ? NIGH_CERTIFIED : NIGH_ABSENT) : NIGH_MEASURED;
    r->beside_shortcut = (nigh_timing){0};
    timed_work exact, mine;
    status = timed_work_new(run->ctx, run->arena, run->problem, NULL, &run->test, &exact);
    if (!status) status = timed_work_new(run->ctx, run->arena, run->problem, plan, &run->test, &mine);
    nigh_timed a = {timed_work_run, &exact, 1, run->problem->child}, b = {timed_work_run, &mine, 1, plan->ops->child};
    nigh_timing timing;
    if (!status) status = nigh_time_pair(run->ctx, &a, &b, 20, &timing);
    if (status) return status;
    r->beside_exact = timing;
    r->exact_seconds = timing.a_seconds, r->plan_seconds = timing.b_seconds;
    r->beside_exact.ratios = nigh_arena_alloc(r->arena, (size_t)timing.pairs * sizeof(double));
    if (r->beside_exact.ratios) memcpy(r->beside_exact.ratios, timing.ratios, (size_t)timing.pairs * sizeof(double));
    nigh_free(run->ctx, timing.ratios);
    return r->beside_exact.ratios ? NIGH_OK : NIGH_MEMORY;
}

static bool same_shape(const nigh_shape *a, const nigh_shape *b) { return a->dtype == b->dtype && nigh_shape_count(a) == nigh_shape_count(b); }

nigh_status nigh_receipt_recheck(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_receipt **out)
{
    if (!problem->ops->draw || !problem->ops->exact)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: only problems whose inputs can be drawn anew can be rechecked", problem->name);
    if (!same_shape(&plan->in, &problem->in) || !same_shape(&plan->out, &problem->out))
        return nigh_fail(ctx, NIGH_INVALID, "the plan was not made for %s: inputs or outputs differ in shape", problem->name);
    nigh_receipt *r = NULL;
    nigh_outcome outcome = {.chosen = -1};
    nigh_status status = nigh_plan_receipt(ctx, plan, &r);
    if (!status) status = nigh_arena_new(ctx, &outcome.arena);
    if (status) {
        nigh_receipt_free(r);
        return status;
    }
    nigh_request request = nigh_request_default();
    request.error = r->error, request.statistic = r->statistic, request.confidence = r->confidence;
    plan_run run = {.ctx = ctx, .problem = problem, .request = &request, .services = nigh_context_services(ctx), .outcome = &outcome,
                    .arena = outcome.arena, .level = 1 - r->confidence, .shown = -1};
    run.in_count = nigh_shape_count(&problem->in), run.out_count = nigh_shape_count(&problem->out);
    run.in_bytes = (size_t)run.in_count * nigh_dtype_size(problem->in.dtype);
    run.out_bytes = (size_t)run.out_count * nigh_dtype_size(problem->out.dtype);
    status = recheck_run(&run, plan, r);
    if (!status) status = receipt_fill(ctx, problem, r);
    if (!status) status = refinement_measure(&run, &run.test, r);
    if (!status) status = grids_measure(&run, plan, r);
    if (!status) {
        r->as_stated = false;
        r->tests_from = nigh_arena_strdup(r->arena, "drawn anew to recheck");
        r->words = nigh_arena_format(r->arena, "Measured again: the error is %s.", r->met ? "met" : "NOT met");
        status = r->tests_from && r->words ? refinement_words(r) : NIGH_MEMORY;
    }
    clocklog_close(run.clock, false);
    nigh_arena_free(outcome.arena);
    if (status)
        nigh_receipt_free(r);
    else
        *out = r;
    return status;
}
