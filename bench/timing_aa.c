/*
 * Bar 5: does paired timing tell the truth when there is nothing to tell? Compares the same work with itself: the ratio's 95%
 * interval must contain 1 in at least 94% of the runs, quiet and with one competing busy process on the last core.
 *
 *     timing_aa [--count 200] [--quick] [--only quiet|competing] [--json FILE] [--verbose]
 *
 * Works, in turn: a plan's apply, a loop of libm's exp, a loop over 64 MB. "Machine busy" answers are counted and, with
 * the competing process, left out of the share.
 */
#include "common.h"

#include "nigh/function.h"

#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE = 1 << 23 };
static const double MOST_SECONDS = 1.4; /* of one comparison */

static volatile double sink;

static nigh_status libm_loop(nigh_context *ctx, void *user, int64_t samples)
{
    double sum = 0;
    for (int64_t i = 0; i < samples; i++) sum += exp(1e-3 * (double)(i & 1023));
    sink = sum;
    return NIGH_OK;
}

/* A sample is a line of 64 bytes of an array beyond the caches. */
static nigh_status memory_loop(nigh_context *ctx, void *user, int64_t samples)
{
    const double *x = user;
    double sum = 0;
    for (int64_t i = 0; i < samples; i++) {
        const double *line = x + 8 * (i % (LARGE / 8));
        for (int j = 0; j < 8; j++) sum += line[j];
    }
    sink = sum;
    return NIGH_OK;
}

typedef struct works {
    nigh_problem *problem;
    nigh_outcome *outcome;
    bench_inputs inputs;
    bench_work apply;
    double *large;
    nigh_timed timed[3];
} works;

static nigh_status works_new(nigh_context *ctx, works *w)
{
    *w = (works){0};
    nigh_request request = nigh_request_default();
    request.error = 1e-3, request.no_clock = true, request.state = "";
    nigh_status status = nigh_function_problem_new(ctx, &(nigh_function){"exp", -1, 1, NIGH_F32, NULL}, &w->problem);
    if (!status) status = nigh_plan_make(ctx, w->problem, &request, &w->outcome);
    if (!status) status = bench_inputs_new(ctx, w->problem, 1, 4096, true, &w->inputs);
    if (!status) status = bench_work_new(ctx, w->problem, w->outcome->plan, &w->inputs, &w->apply);
    if (!status && !(w->large = nigh_alloc(ctx, LARGE * sizeof *w->large))) status = NIGH_MEMORY;
    for (int64_t i = 0; i < LARGE && !status; i++) w->large[i] = (double)(i & 7);
    w->timed[0] = (nigh_timed){bench_work_run, &w->apply, 1, false};
    w->timed[1] = (nigh_timed){libm_loop, NULL, 1, false};
    w->timed[2] = (nigh_timed){memory_loop, w->large, 1, false};
    return status;
}

static void works_free(nigh_context *ctx, works *w)
{
    nigh_free(ctx, w->large);
    bench_work_free(ctx, &w->apply);
    bench_inputs_free(ctx, &w->inputs);
    nigh_outcome_free(ctx, w->outcome);
    nigh_problem_free(ctx, w->problem);
}

/* A process that is always busy, on the last core that we may use. It ends with this one. */
static pid_t spinner_start(void)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    cpu_set_t allowed, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        for (int i = CPU_SETSIZE - 1; i >= 0; i--)
            if (CPU_ISSET(i, &allowed)) {
                CPU_SET(i, &one);
                sched_setaffinity(0, sizeof one, &one);
                break;
            }
    for (volatile unsigned x = 0;; x++) {}
}

static void spinner_stop(pid_t child)
{
    if (child <= 0) return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

typedef struct tallied {
    int runs, holds, busy, holds_busy, below; /* below: intervals that miss 1 from below */
    double seconds, bias; /* sum of log ratios */
    int64_t pairs, repeated;
} tallied;

static nigh_status one_run(nigh_context *ctx, const nigh_timed *work, tallied *t, bool verbose, int which)
{
    nigh_timing out;
    double start = nigh_clock();
    nigh_status status = nigh_time_pair(ctx, work, work, MOST_SECONDS, &out);
    if (status) return status;
    bool holds = out.low <= 1 && 1 <= out.high;
    t->runs++, t->seconds += nigh_clock() - start, t->pairs += out.pairs, t->repeated += out.repeated;
    t->bias += log(out.ratio);
    t->below += out.high < 1;
    if (out.busy)
        t->busy++, t->holds_busy += holds;
    else
        t->holds += holds;
    if (verbose || (!holds && !out.busy))
        printf("  work %d: %.4f (%.4f to %.4f), %d pairs, %d repeated%s%s\n", which, out.ratio, out.low, out.high, out.pairs, out.repeated,
               out.busy ? ", busy" : "", holds ? "" : ", misses 1");
    nigh_free(ctx, out.ratios);
    return NIGH_OK;
}

static nigh_status one_mode(nigh_context *ctx, const bench_args *args, bool competing, int64_t count)
{
    static const char *const names[3] = {"plan apply", "libm loop", "memory loop"};
    const char *mode = competing ? "competing" : "quiet";
    works w;
    tallied of[3] = {{0}}, all = {0};
    nigh_status status = works_new(ctx, &w);
    pid_t spinner = competing && !status ? spinner_start() : 0;
    double start = nigh_clock();
    for (int64_t i = 0; i < count && !status; i++) {
        bench_progress(i, count, mode);
        status = one_run(ctx, &w.timed[i % 3], &of[i % 3], args->verbose, (int)(i % 3));
    }
    spinner_stop(spinner);
    for (int k = 0; k < 3 && !status; k++) {
        const tallied *t = &of[k];
        printf("%s, %s: %d runs, %d of %d not busy hold, %d busy (%d of them hold), %d miss from below; %.1f pairs and %.1f repeated a run, %.2f s; mean log "
               "ratio %.2g\n", mode, names[k], t->runs, t->holds, t->runs - t->busy, t->busy, t->holds_busy, t->below, (double)t->pairs / t->runs,
               (double)t->repeated / t->runs, t->seconds / t->runs, t->bias / t->runs);
        all.runs += t->runs, all.holds += t->holds, all.busy += t->busy, all.holds_busy += t->holds_busy;
    }
    works_free(ctx, &w);
    if (status) return status;
    char text[96];
    printf("%s: %.0f s\n", mode, nigh_clock() - start);
    snprintf(text, sizeof text, "%s: busy answers of %d", mode, all.runs);
    bench_note(text, all.busy);
    int counted = competing ? all.runs - all.busy : all.runs, holds = competing ? all.holds : all.holds + all.holds_busy;
    snprintf(text, sizeof text, "%s: share of %d comparisons whose interval contains 1", mode, counted);
    bench_bar(5, text, counted ? (double)holds / counted : 1, true, 0.94);
    return NIGH_OK;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "timing_aa: the same work beside itself", &args);
    if (done >= 0) return done;
    int64_t count = args.count ? args.count : args.quick ? 30 : 200;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    nigh_status status = NIGH_OK;
    if (!args.only || strcmp(args.only, "quiet") == 0) status = one_mode(ctx, &args, false, count);
    if (!status && (!args.only || strcmp(args.only, "competing") == 0)) status = one_mode(ctx, &args, true, count);
    if (status) fprintf(stderr, "%s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 3 : bench_end(&args);
}
