/* The work that is timed: a plan or the exact computation on inputs that go round. */
#include "plan/run.h"

#include <math.h>
#include <stdlib.h>

nigh_status timed_work_new(nigh_context *ctx, nigh_arena *arena, const nigh_problem *problem, const nigh_plan *plan,
                           const sample_set *inputs, timed_work *work)
{
    size_t out = (size_t)nigh_shape_count(&problem->out) * nigh_dtype_size(problem->out.dtype);
    *work = (timed_work){.problem = problem, .plan = plan, .n = inputs->n < 4096 ? inputs->n : 4096, .in = inputs->in};
    work->bytes = plan ? nigh_plan_workspace(plan) : 0;
    work->out = nigh_arena_alloc_zero(arena, (size_t)work->n, out ? out : 1);
    work->workspace = nigh_arena_alloc(arena, work->bytes);
    return work->out && work->workspace ? NIGH_OK : NIGH_MEMORY;
}

nigh_status timed_work_run(nigh_context *ctx, void *user, int64_t samples)
{
    timed_work *work = user;
    size_t in_bytes = (size_t)nigh_shape_count(&work->problem->in) * nigh_dtype_size(work->problem->in.dtype);
    static _Atomic int64_t turn; /* where child programs begin, so that they see all inputs */
    for (int64_t done = 0; done < samples;) {
        int64_t from = work->plan || !work->problem->child ? 0 : turn++ % work->n;
        int64_t n = samples - done < work->n - from ? samples - done : work->n - from;
        const char *in = work->in + (size_t)from * in_bytes;
        const nigh_problem_ops *ops = work->problem->ops;
        nigh_status status = work->plan         ? nigh_plan_apply(work->plan, n, in, work->out, work->workspace, work->bytes)
                             : ops->exact_timed ? ops->exact_timed(ctx, work->problem, n, in, work->out)
                                                : ops->exact(ctx, work->problem, n, in, work->out);
        if (status && status != NIGH_OUTSIDE) return status;
        done += n;
    }
    return NIGH_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

nigh_status timed_work_seconds(nigh_context *ctx, timed_work *work, int rounds, double *seconds)
{
    double sample[16];
    int64_t batch = 1;
    nigh_status status = NIGH_OK;
    rounds = rounds > 16 ? 16 : rounds;
    bool child = work->problem->child && (!work->plan || work->plan->ops->child); /* else CPU time: what else runs does not count */
    for (int r = -1; r < rounds && !status;) {
        double start = nigh_clock(), start_cpu = nigh_clock_cpu();
        status = timed_work_run(ctx, work, batch);
        if (!status) status = nigh_poll(ctx);
        double wall = nigh_clock() - start, took = child ? wall : nigh_clock_cpu() - start_cpu;
        if (r < 0 && took < 1e-3 && wall < 0.05) {
            batch *= took < 1e-4 ? 8 : 2;
            continue;
        }
        if (took < 1e-3 && !child) took = wall; /* it waits rather than computes */
        if (r >= 0) sample[r] = took / (double)batch;
        r++;
    }
    if (status) return status;
    qsort(sample, (size_t)rounds, sizeof *sample, by_value);
    *seconds = sample[rounds / 2];
    return NIGH_OK;
}
