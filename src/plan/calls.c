/* The exact computations that a fit makes at inputs of its own choice, counted. Declared in nigh/plan.h and plan/run.h. */
#include "core/context.h"
#include "plan/run.h"

#include <math.h>

nigh_status nigh_fit_exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    if (!problem->ops->exact)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: its exact computation is not at hand, only its answers to given inputs", problem->name);
    int64_t in_count = nigh_shape_count(&problem->in), out_count = nigh_shape_count(&problem->out);
    size_t in_bytes = (size_t)in_count * nigh_dtype_size(problem->in.dtype), out_bytes = (size_t)out_count * nigh_dtype_size(problem->out.dtype);
    int64_t part = problem->child ? 8 * nigh_context_threads(ctx) : 4096;
    for (int64_t i = 0; i < n; i += part) {
        int64_t some = n - i < part ? n - i : part;
        nigh_status status = nigh_poll(ctx);
        double began = nigh_clock();
        if (!status) status = problem->ops->exact(ctx, problem, some, (const char *)in + (size_t)i * in_bytes, (char *)out + (size_t)i * out_bytes);
        ctx->call_seconds += nigh_clock() - began;
        ctx->calls += (double)some;
        if (status) return status;
        nigh_progress(ctx, "exact answers that the fit asks for", (double)(i + some), (double)n);
    }
    nigh_array answers = {{problem->out.dtype, 1, {n * out_count}}, out};
    for (int64_t i = 0; i < n * out_count; i++)
        if (!isfinite(nigh_array_get(&answers, i)))
            return nigh_fail(ctx, NIGH_FAILED, "answer to input %lld of the fit: number %lld is %g; finite numbers are needed", (long long)(i / out_count + 1),
                             (long long)(i % out_count + 1), nigh_array_get(&answers, i));
    return NIGH_OK;
}

void calls_begin(plan_run *run) { run->ctx->calls = run->ctx->call_seconds = 0; }

void calls_end(const plan_run *run, double *calls, double *seconds)
{
    *calls = run->ctx->calls;
    *seconds = run->ctx->call_seconds;
}
