/* Runs in the caller's memory: the same bits as in the executor's own, from several threads at once. */
#include "support.h"

#include "nigh/grad.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, WIDTH = 37, RUNS = 200 };

typedef struct job {
    const nigh_executor *run;
    float x[ROWS * WIDTH], y[ROWS * WIDTH], z;
    void *workspace;
    nigh_status status;
} job;

static nigh_executor *make(nigh_context *ctx, nigh_tape *tape, nigh_node *x, nigh_node *w, nigh_node out[2])
{
    nigh_executor *run;
    *w = nigh_tape_input(tape, "w", NIGH_F32, 2, (int64_t[]){WIDTH, WIDTH});
    *x = nigh_tape_input(tape, "x", NIGH_F32, 2, (int64_t[]){ROWS, WIDTH});
    nigh_tape_input(tape, "unused", NIGH_F32, 0, NULL);
    nigh_node h = nigh_tape_gelu(tape, nigh_tape_matmul(tape, *x, *w, 0));
    out[0] = nigh_tape_add(tape, nigh_tape_matmul(tape, nigh_tape_softplus(tape, h, 2), *w, NIGH_TRANSPOSE_B), *x);
    out[1] = nigh_tape_mean(tape, nigh_tape_square(tape, nigh_tape_permute(tape, out[0], (int[]){1, 0})), NIGH_ALL, false);
    assert_ok(ctx, nigh_executor_new(ctx, tape, 2, out, &run));
    return run;
}

static void *work(void *user)
{
    job *j = user;
    for (int i = 0; i < RUNS && !j->status; i++) j->status = nigh_executor_run_in(j->run, (void *[]){NULL, j->x, j->y, &j->z}, j->workspace);
    return NULL;
}

static void test_threads(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tape *tape;
    nigh_node x, w, out[2];
    float *weights = malloc(sizeof(float) * WIDTH * WIDTH);
    static job jobs[3];
    pthread_t thread[3];
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_executor *run = make(ctx, tape, &x, &w, out);
    assert_int_equal(nigh_executor_ends(run), 4);
    nigh_node order[4] = {w, x, out[0], out[1]};
    for (int i = 0; i < 4; i++) assert_int_equal(nigh_executor_end(run, i), order[i]);
    assert_int_equal(nigh_executor_end(run, 4), NIGH_NONE);
    for (int i = 0; i < WIDTH * WIDTH; i++) weights[i] = (float)sin(i * 0.7) / 6;
    assert_ok(ctx, nigh_executor_bind(run, w, weights));
    for (int t = 0; t < 3; t++) {
        jobs[t] = (job){.run = run, .workspace = malloc(nigh_executor_workspace(run))};
        for (int i = 0; i < ROWS * WIDTH; i++) jobs[t].x[i] = (float)cos(i * 0.3 + t);
    }
    for (int t = 0; t < 3; t++) assert_int_equal(pthread_create(&thread[t], NULL, work, &jobs[t]), 0);
    for (int t = 0; t < 3; t++) pthread_join(thread[t], NULL);
    for (int t = 0; t < 3; t++) {
        assert_int_equal(jobs[t].status, NIGH_OK);
        assert_ok(ctx, nigh_executor_bind(run, x, jobs[t].x));
        assert_ok(ctx, nigh_executor_run(run));
        assert_memory_equal(nigh_executor_data(run, out[0]), jobs[t].y, sizeof jobs[t].y);
        assert_memory_equal(nigh_executor_data(run, out[1]), &jobs[t].z, sizeof jobs[t].z);
        free(jobs[t].workspace);
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    free(weights);
    test_context_free(ctx);
}

static void test_missing(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tape *tape;
    nigh_node x, w, out[2];
    float y[ROWS * WIDTH], z;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_executor *run = make(ctx, tape, &x, &w, out);
    void *workspace = malloc(nigh_executor_workspace(run));
    assert_int_equal(nigh_executor_run_in(run, (void *[]){NULL, NULL, y, &z}, workspace), NIGH_INVALID);
    free(workspace);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
