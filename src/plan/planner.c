/* The planner: what is done in which order. Declared in nigh/plan.h; the parts are listed in run.h. */
#include "plan/run.h"

#include <math.h>

nigh_request nigh_request_default(void)
{
    return (nigh_request){.size = sizeof(nigh_request), .confidence = 0.95, .outliers = 1};
}

static nigh_status check_request(nigh_context *ctx, const nigh_problem *problem, const nigh_request *r)
{
    if (r->size != sizeof *r)
        return nigh_fail(ctx, NIGH_INVALID, "the request has size %zu; this library knows %zu (start from nigh_request_default())", r->size, sizeof *r);
    if (!(r->error > 0 && isfinite(r->error)))
        return nigh_fail(ctx, NIGH_INVALID, "error is %g; a finite number above 0 is needed", r->error);
    if (!(r->confidence >= 0.5 && r->confidence < 1))
        return nigh_fail(ctx, NIGH_INVALID, "confidence is %g; 0.5 to below 1 is allowed", r->confidence);
    if (!(r->outliers > 0 && r->outliers <= 1))
        return nigh_fail(ctx, NIGH_INVALID, "outliers is %g; above 0 to 1 is allowed", r->outliers);
    if (!(r->uses >= 0 && r->uses <= 1e18)) return nigh_fail(ctx, NIGH_INVALID, "uses is %g; 1 to 1e18 is allowed", r->uses);
    if (!(r->seconds >= 0)) return nigh_fail(ctx, NIGH_INVALID, "time is %g seconds; 0 (no limit) or more is allowed", r->seconds);
    if (r->fit < 0 || r->screen < 0 || r->test < 0 || r->fit > 1000000000 || r->screen > 1000000000 || r->test > 1000000000)
        return nigh_fail(ctx, NIGH_INVALID, "fit, screen and test are %lld, %lld and %lld samples; 0 (nigh chooses) to 1e9 is allowed",
                         (long long)r->fit, (long long)r->screen, (long long)r->test);
    if (problem->size != sizeof *problem) return nigh_fail(ctx, NIGH_INVALID, "the problem was made for another version of nigh");
    if (!problem->kind || !problem->name || !problem->identity || !problem->measure || !problem->ops)
        return nigh_fail(ctx, NIGH_INVALID, "the problem has no %s",
                         !problem->kind ? "kind" : !problem->name ? "name" : !problem->identity ? "identity" : !problem->measure ? "measure" : "ops");
    if (problem->rows > 0 ? !problem->ops->rows : !problem->ops->draw || !problem->ops->exact)
        return nigh_fail(ctx, NIGH_INVALID, "problem %s has no %s", problem->name,
                         problem->rows > 0 ? "operation that gives its rows" : "operations that draw inputs and compute them exactly");
    if (problem->in.dtype > NIGH_F32 || problem->out.dtype > NIGH_F32)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "inputs and outputs are %s and %s; f32 and f64 can be planned", nigh_dtype_name(problem->in.dtype),
                         nigh_dtype_name(problem->out.dtype));
    return NIGH_OK;
}

static nigh_status run_steps(plan_run *run)
{
    nigh_status status = clocklog_open(run);
    if (!status) status = host_calibrate(run);
    if (!status) status = lines_make(run);
    if (!status) status = sets_make(run);
    if (!status) status = lines_estimate(run);
    if (!status) status = search_all(run);
    if (!status) status = finalists_time(run);
    return status ? status : chain_walk(run);
}

nigh_status nigh_plan_make(nigh_context *ctx, const nigh_problem *problem, const nigh_request *request, nigh_outcome **out)
{
    *out = NULL;
    nigh_status status = check_request(ctx, problem, request);
    if (!status && problem->ops->reachable) status = problem->ops->reachable(ctx, problem, request->statistic, request->error);
    if (status) return status;
    nigh_arena *arena = NULL;
    if ((status = nigh_arena_new(ctx, &arena))) return status;
    nigh_outcome *outcome = nigh_arena_alloc_zero(arena, 1, sizeof *outcome);
    if (!outcome) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    outcome->arena = arena;
    outcome->chosen = -1;
    plan_run run = {.ctx = ctx, .known = *problem, .request = request, .services = nigh_context_services(ctx), .outcome = outcome,
                    .arena = arena, .uses = request->uses > 0 ? request->uses : 1e6, .shown = -1, .started = nigh_clock()};
    run.problem = &run.known;
    run.in_count = nigh_shape_count(&problem->in), run.out_count = nigh_shape_count(&problem->out);
    run.in_bytes = (size_t)run.in_count * nigh_dtype_size(problem->in.dtype);
    run.out_bytes = (size_t)run.out_count * nigh_dtype_size(problem->out.dtype);
    status = run_steps(&run);
    bool finished = status == NIGH_OK;
    clocklog_close(run.clock, !finished || request->keep_journal);
    if (!finished) {
        nigh_outcome_free(ctx, outcome);
        return status;
    }
    *out = outcome;
    if (outcome->chosen >= 0) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNMET, "no method met the error %g%s%s", request->error, outcome->receipt ? "; the best: " : "",
                     outcome->receipt ? outcome->receipt->words : "");
}

void nigh_outcome_free(nigh_context *ctx, nigh_outcome *outcome)
{
    if (!outcome) return;
    for (int i = 0; i < outcome->count; i++) nigh_plan_free(ctx, outcome->candidates[i].plan);
    nigh_receipt_free(outcome->receipt);
    nigh_arena_free(outcome->arena);
}
