/* Many threads apply one plan at once, each with its own workspace: the same bits as alone, for every method. */
#include "every.h"

#include <pthread.h>

enum { THREADS = 8, N = 700, ROUNDS = 3 };

typedef struct job {
    const nigh_plan *plan;
    const void *in;
    void *out, *workspace;
    size_t bytes;
    nigh_status status;
} job;

static void *work(void *user)
{
    job *j = user;
    for (int r = 0; r < ROUNDS; r++) j->status = nigh_plan_apply(j->plan, N, j->in, j->out, j->workspace, j->bytes);
    return NULL;
}

static void test_apply(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < EVERY; i++) {
        nigh_plan *plan = every_plan(ctx, i);
        size_t bytes = nigh_plan_workspace(plan), in_bytes = N * sizeof(double) * EVERY_MOST, out_bytes = N * sizeof(double) * EVERY_MOST;
        void *in = nigh_alloc_zero(ctx, 1, in_bytes);
        job jobs[THREADS + 1];
        pthread_t threads[THREADS];
        every_inputs(plan, N, true, in);
        for (int t = 0; t <= THREADS; t++) {
            jobs[t] = (job){plan, in, nigh_alloc_zero(ctx, 1, out_bytes), nigh_alloc(ctx, bytes), bytes, NIGH_INTERNAL};
            memset(jobs[t].workspace, 0xff - t, bytes); /* what stood there before must not matter */
        }
        work(&jobs[THREADS]);
        for (int t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&threads[t], NULL, work, &jobs[t]), 0);
        for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
        for (int t = 0; t < THREADS; t++) {
            assert_int_equal(jobs[t].status, jobs[THREADS].status);
            assert_memory_equal(jobs[t].out, jobs[THREADS].out, out_bytes);
        }
        for (int t = 0; t <= THREADS; t++) nigh_free(ctx, jobs[t].out), nigh_free(ctx, jobs[t].workspace);
        nigh_free(ctx, in);
        nigh_plan_free(ctx, plan);
    }
    test_context_free(ctx);
}

/* Whole planner runs side by side, each with its context: the same plans as alone. */
typedef struct planning {
    int which;
    nigh_buffer bytes;
    nigh_context *ctx;
    nigh_status status;
} planning;

static void *plan(void *user)
{
    planning *p = user;
    nigh_problem *problem = NULL;
    nigh_outcome *outcome = NULL;
    nigh_request request = nigh_request_default();
    request.error = 1e-2, request.no_clock = true, request.state = "", request.test = 400, request.screen = 100;
    nigh_context_set_threads(p->ctx, 1);
    static const char *const functions[] = {"exp(x)", "cos(3*x)", "tanh", "exp(-x*x)"};
    p->status = nigh_function_problem_new(p->ctx, &(nigh_function){functions[p->which % 4], 0, 1, NIGH_F64, NULL}, &problem);
    if (!p->status) p->status = nigh_plan_make(p->ctx, problem, &request, &outcome);
    if (!p->status) p->status = nigh_plan_format(p->ctx, outcome->plan, &p->bytes);
    nigh_outcome_free(p->ctx, outcome);
    nigh_problem_free(p->ctx, problem);
    return NULL;
}

static void test_planning(void **state)
{
    planning p[8];
    pthread_t threads[4];
    for (int i = 0; i < 8; i++) {
        nigh_context *ctx = test_context_new();
        p[i] = (planning){i, {.ctx = ctx}, ctx, NIGH_INTERNAL};
    }
    for (int i = 0; i < 4; i++) plan(&p[4 + i]);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, plan, &p[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++) assert_ok(p[i].ctx, p[i].status);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(p[i].bytes.size, p[4 + i].bytes.size);
        assert_memory_equal(p[i].bytes.data, p[4 + i].bytes.data, p[i].bytes.size);
    }
    for (int i = 0; i < 8; i++) {
        nigh_buffer_free(&p[i].bytes);
        test_context_free(p[i].ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_apply), cmocka_unit_test(test_planning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
