/* Misuse of trainings and its messages, bad checkpoints, memory: none is taken by steps, and none that fails is lost. */
#include <stdio.h>

#include "train_support.h"

static nigh_training_spec spec_of(const problem *p, nigh_batches *rows)
{
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = p->net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.steps = 5;
    return spec;
}

static nigh_node wide_loss(void *user, const nigh_loss_call *c) { return c->batch[0]; }
static nigh_node no_loss(void *user, const nigh_loss_call *c) { return NIGH_NONE; }
static nigh_node endless_loss(void *user, const nigh_loss_call *c)
{
    return nigh_tape_log(c->tape, nigh_tape_scale(c->tape, nigh_tape_sum(c->tape, c->parameters[0], NIGH_ALL, false), 0));
}

static nigh_status failing_batch(void *user, nigh_rng *rng, int64_t number, void *const *data) { return number == 2 ? NIGH_FAILED : NIGH_OK; }

#define REFUSES(change, words)                                                                                         \
    do {                                                                                                               \
        nigh_training_spec spec = spec_of(&p, rows);                                                                   \
        change;                                                                                                        \
        nigh_training *t = NULL;                                                                                       \
        assert_fails(ctx, nigh_training_new(ctx, &spec, &t), NIGH_INVALID, words);                                     \
        assert_null(t);                                                                                                \
    } while (0)

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    problem p = problem_new(ctx, NIGH_F32, 20, 3, 2, 1);
    nigh_batches *rows, *fresh;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, NULL, &rows));
    nigh_shape shapes[2] = {{NIGH_F32, 2, {4, 3}}, {NIGH_F32, 2, {4, 1}}};
    assert_ok(ctx, nigh_batches_generator(ctx, 2, shapes, failing_batch, NULL, 0, &fresh));
    REFUSES(spec.batches = NULL, "batches is NULL");
    REFUSES(spec.network = NULL, "neither a network nor parameters");
    REFUSES(spec.loss = NIGH_LOSS_RECORDED, "no loss");
    REFUSES(spec.steps = 0, "limit the training");
    REFUSES(spec.steps = -3, "steps is -3");
    REFUSES(spec.seconds = -1, "seconds is -1");
    REFUSES(spec.metrics = 17, "metrics is 17");
    REFUSES(spec.metrics = 1, "the network's own loss has 0");
    REFUSES((spec.batches = fresh, spec.epochs = 2), "have no epochs");
    REFUSES(spec.optimiser = "adan", "adan");
    REFUSES(spec.optimiser = NULL, "adamw");
    REFUSES(spec.rate.kind = "cosinus", "schedule of rate is 'cosinus'");
    REFUSES(spec.rate.warm_up = -1, "schedule of rate: warm_up is -1");
    REFUSES(spec.rate.base = -1, "rate of adam is -1");
    REFUSES(spec.beta1 = 1, "beta1 of adam is 1");
    REFUSES(spec.patience = 2, "patience needs validation");
    REFUSES(spec.keep_best = true, "keep_best needs validation");
    REFUSES(spec.validation = rows, "share one source");
    REFUSES(spec.validation = fresh, "set validation_batches");
    REFUSES(spec.best_metric = 0, "best_metric is 0");
    REFUSES(spec.validate_average = true, "without average");
    REFUSES((spec.average = true, spec.average_keep = 1.5), "average_keep is 1.5");
    REFUSES((spec.snapshots = 1, spec.snapshot[0] = -1), "snapshot 0 is after step -1");
    REFUSES(spec.record = wide_loss, "the loss is [20,3] f32");
    REFUSES((nigh_fail(ctx, NIGH_OK, "%s", ""), spec.record = no_loss), "the loss was not recorded");
    REFUSES(spec.loss = NIGH_LOSS_CROSS_ENTROPY, "targets are [20,1] f32");
    for (int i = 0; i < 4; i++) nigh_parameters_at(nigh_network_parameters(p.net), i)->frozen = true;
    REFUSES(spec.steps = 1, "all 4 parameters are frozen");
    for (int i = 0; i < 4; i++) nigh_parameters_at(nigh_network_parameters(p.net), i)->frozen = false;
    nigh_parameters_at(nigh_network_parameters(p.net), 1)->rate = -1;
    REFUSES(spec.steps = 1, "parameter 'hidden.bias' are -1");
    nigh_parameters_at(nigh_network_parameters(p.net), 1)->rate = 1;

    nigh_training_spec spec = spec_of(&p, fresh);
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_int_equal(nigh_training_run(t), NIGH_FAILED);
    assert_int_equal(nigh_training_step(t), 2);
    assert_fails(ctx, nigh_training_advance(t, -1), NIGH_INVALID, "-1 steps");
    assert_fails(ctx, nigh_training_evaluate(t, fresh, NULL, NULL), NIGH_INVALID, "training's own batches");
    nigh_training_free(t);
    spec = spec_of(&p, rows);
    spec.record = endless_loss;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_fails(ctx, nigh_training_run(t), NIGH_UNMET, "loss at step 1 is -inf");
    assert_int_equal(nigh_training_step(t), 0);
    nigh_training_free(t);
    spec = spec_of(&p, rows);
    spec.rate = (nigh_schedule){.kind = "cosine", .base = 1, .warm_up = 9};
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_fails(ctx, nigh_training_run(t), NIGH_INVALID, "total of a cosine schedule is 5");
    nigh_training_free(t);
    spec = spec_of(&p, rows);
    spec.log_file = "/nowhere/at/all.csv";
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_fails(ctx, nigh_training_run(t), NIGH_IO, "/nowhere/at/all.csv");
    nigh_training_free(t);
    nigh_batches_free(rows);
    nigh_batches_free(fresh);
    problem_free(ctx, &p);
    test_context_free(ctx);
}

/* ---- checkpoints ---------------------------------------------------------------------------------------- */

static void test_bad_checkpoints(void **state)
{
    nigh_context *ctx = test_context_new();
    problem p = problem_new(ctx, NIGH_F32, 20, 3, 2, 1);
    nigh_batches *rows;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, NULL, &rows));
    nigh_training_spec spec = spec_of(&p, rows);
    nigh_training *t, *other;
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    assert_ok(ctx, nigh_training_format(t, &bytes));
    for (size_t size = 0; size < bytes.size; size += 97) assert_int_not_equal(nigh_training_parse(t, bytes.data, size, "cut"), NIGH_OK);
    spec.seed = 4;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &other));
    assert_fails(ctx, nigh_training_parse(other, bytes.data, bytes.size, "x"), NIGH_FORMAT, "'x' is of seed 0, this training has 4");
    nigh_training_free(other);
    spec.seed = 0, spec.optimiser = "sgd";
    assert_ok(ctx, nigh_training_new(ctx, &spec, &other));
    assert_fails(ctx, nigh_training_parse(other, bytes.data, bytes.size, "x"), NIGH_FORMAT, "by 'adam', this one is by 'sgd'");
    nigh_training_free(other);
    spec.optimiser = "adam", spec.average = true;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &other));
    assert_fails(ctx, nigh_training_parse(other, bytes.data, bytes.size, "x"), NIGH_FORMAT, "'average' is missing");
    assert_int_equal(nigh_training_step(other), 0);
    nigh_training_free(other);
    assert_fails(ctx, nigh_training_load(t, "/nowhere"), NIGH_IO, "/nowhere");
    nigh_buffer_free(&bytes);
    nigh_training_free(t);
    nigh_batches_free(rows);
    problem_free(ctx, &p);
    test_context_free(ctx);
}

/* ---- memory --------------------------------------------------------------------------------------------- */

static void *count_resize(void *user, void *old, size_t old_bytes, size_t new_bytes)
{
    long *count = user;
    (void)old_bytes;
    if (new_bytes == 0) return free(old), NULL;
    ++*count;
    return realloc(old, new_bytes);
}

static void test_steady_state(void **state)
{
    long count = 0;
    nigh_context *ctx;
    assert_int_equal(nigh_context_new_with(&(nigh_allocator){count_resize, &count}, &ctx), NIGH_OK);
    problem p = problem_new(ctx, NIGH_F32, 64, 3, 2, 1);
    nigh_batches *rows, *check;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.batch = 8, .keep_last = true, .rows = 50}, &rows));
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.batch = 14, .first = 50}, &check));
    nigh_training_spec spec = spec_of(&p, rows);
    spec.steps = 400, spec.log_every = 3, spec.validation = check, spec.keep_best = true, spec.average = true, spec.accumulate = 2, spec.clip = 1;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_advance(t, 1));
    long before = count;
    assert_ok(ctx, nigh_training_run(t));
    assert_int_equal(count, before);
    assert_int_equal(nigh_training_step(t), 400);
    nigh_training_free(t);
    nigh_batches_free(rows);
    nigh_batches_free(check);
    problem_free(ctx, &p);
    assert_int_equal(nigh_memory_now(ctx), 0);
    nigh_context_free(ctx);
}

/* Everything of a training with the memory there is; whatever fails, nothing is left. */
static nigh_status whole_training(nigh_context *ctx, const nigh_array *array, bool *built)
{
    nigh_network *net = NULL;
    nigh_batches *rows = NULL, *check = NULL;
    nigh_training *t = NULL;
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
    if (status) return status;
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
    nigh_network_output(net, nigh_network_linear(net, "out", x, 3, 1, true));
    status = nigh_network_status(net);
    *built = !status;
    if (!status) status = nigh_lora_add(ctx, nigh_network_parameters(net), "out.weight", 1, 2);
    if (!status) status = nigh_batches_arrays(ctx, 2, array, &(nigh_arrays_options){.batch = 8, .keep_last = true}, &rows);
    if (!status) status = nigh_batches_arrays(ctx, 2, array, NULL, &check);
    nigh_training_spec spec = nigh_training_defaults("adamw");
    spec.network = net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.validation = check, spec.steps = 4, spec.keep_best = true, spec.average = true;
    spec.accumulate = 2, spec.snapshots = 1;
    if (!status) status = nigh_training_new(ctx, &spec, &t);
    if (!status) status = nigh_training_run(t);
    if (!status) status = nigh_training_format(t, &bytes);
    if (!status) status = nigh_training_parse(t, bytes.data, bytes.size, "memory");
    nigh_buffer_free(&bytes);
    nigh_training_free(t);
    nigh_batches_free(rows);
    nigh_batches_free(check);
    nigh_network_free(net);
    return status;
}

static void test_no_memory(void **state)
{
    nigh_context *calm = test_context_new();
    problem p = problem_new(calm, NIGH_F32, 20, 3, 1, 1);
    bool built;
    assert_ok(calm, whole_training(calm, p.array, &built));
    nigh_status status = NIGH_MEMORY;
    long fail_at = 2, tried = 0; /* the first allocation is the context */
    for (; status; fail_at++, tried++) {
        test_allocator memory = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&memory);
        assert_non_null(ctx);
        nigh_context_set_threads(ctx, 1);
        status = whole_training(ctx, p.array, &built);
        if (status && status != NIGH_MEMORY) fail_msg("allocation %ld: %s: %s", fail_at, nigh_status_text(status), nigh_message(ctx));
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(memory.live, 0);
    }
    assert_true(tried > 50);
    problem_free(calm, &p);
    test_context_free(calm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_misuse), cmocka_unit_test(test_bad_checkpoints), cmocka_unit_test(test_steady_state),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
