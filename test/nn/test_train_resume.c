/*
 * Trainings that are cut: by checkpoints at every step, by cancellation, by SIGKILL at random moments. The weights at the end are those of an undisturbed
 * run, to the bit. Called with --run FOLDER it is the program that gets killed.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nigh/operators_rows.h"
#include "train_support.h"

/* Everything that has state: Adam, a plateau, an average, best, snapshots, patience, a pool in a mixture, accumulated batches, noise in the loss. */
typedef struct all_kinds {
    problem p;
    nigh_batches *mixed, *check;
    nigh_training *training;
} all_kinds;

static nigh_node noisy_loss(void *user, const nigh_loss_call *c)
{
    nigh_node out, inputs[1] = {c->batch[0]};
    if (nigh_network_record(user, c->tape, c->recording, inputs, c->parameters, &out)) return NIGH_NONE;
    nigh_node loss = nigh_tape_mse(c->tape, out, c->batch[1]);
    if (c->train) {
        const nigh_shape shape = *nigh_tape_shape(c->tape, out);
        nigh_node noise = nigh_tape_noise(c->tape, NIGH_NOISE_NORMAL, 0, 1, shape.dtype, shape.ndim, shape.dim);
        loss = nigh_tape_add(c->tape, loss, nigh_tape_scale(c->tape, nigh_tape_mean(c->tape, nigh_tape_mul(c->tape, noise, out), NIGH_ALL, false), 0.1));
    }
    c->metric[0] = loss;
    return loss;
}

/* One row changes in each round, so that the content is the work of all rounds. */
static nigh_status change_pool(void *user, nigh_rng *rng, int64_t round, nigh_array *arrays)
{
    int64_t rows = arrays[0].shape.dim[0];
    for (int64_t r = round ? round % rows : 0; r < (round ? round % rows + 1 : rows); r++) {
        double y = 0.5;
        for (int64_t j = 0; j < 3; j++) {
            double x = nigh_rng_f64(rng);
            y += x;
            ((float *)arrays[0].data)[r * 3 + j] = (float)x;
        }
        ((float *)arrays[1].data)[r] = (float)y;
    }
    return NIGH_OK;
}

static all_kinds all_new(nigh_context *ctx, const char *checkpoint, int64_t steps)
{
    all_kinds a = {.p = problem_new(ctx, NIGH_F32, 64, 3, 2, 7)};
    nigh_shape shapes[2] = {{NIGH_F32, 2, {10, 3}}, {NIGH_F32, 2, {10, 1}}};
    nigh_batches *source[2];
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, a.p.array, &(nigh_arrays_options){.batch = 8, .keep_last = true, .rows = 50}, &source[0]));
    assert_ok(ctx, nigh_batches_pool(ctx, 2, shapes, &(nigh_arrays_options){.batch = 5}, 3, change_pool, NULL, &source[1]));
    assert_ok(ctx, nigh_batches_mixed(ctx, 2, source, (double[]){2, 1}, &a.mixed));
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, a.p.array, &(nigh_arrays_options){.first = 50, .in_order = true}, &a.check));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.parameters = nigh_network_parameters(a.p.net), spec.record = noisy_loss, spec.user = a.p.net, spec.metrics = 1;
    spec.batches = a.mixed, spec.validation = a.check, spec.validate_every = 2, spec.accumulate = 2, spec.clip = 1, spec.keep_best = true, spec.patience = 1000;
    spec.rate = (nigh_schedule){.kind = "plateau", .base = 0.2, .patience = 1, .warm_up = 3};
    spec.average = true, spec.average_keep = 0.8, spec.snapshots = 1, spec.snapshot[0] = 4, spec.steps = steps, spec.log_every = 3, spec.seed = 11;
    spec.checkpoint = checkpoint, spec.checkpoint_every = checkpoint ? 3 : 0;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &a.training));
    return a;
}

static void all_free(nigh_context *ctx, all_kinds *a)
{
    nigh_training_free(a->training);
    nigh_batches_free(a->mixed);
    nigh_batches_free(a->check);
    problem_free(ctx, &a->p);
}

/* Weights, average, best and snapshot behind each other; malloc'ed. */
static float *result_of(all_kinds *a, size_t *count)
{
    size_t size = (size_t)nigh_parameters_size(nigh_network_parameters(a->p.net));
    float *all = malloc(4 * size * sizeof *all);
    assert_non_null(all);
    memcpy(all, nigh_parameters_block(nigh_network_parameters(a->p.net)), size * sizeof *all);
    memcpy(all + size, nigh_training_average(a->training), size * sizeof *all);
    memcpy(all + 2 * size, nigh_training_best(a->training, NULL), size * sizeof *all);
    memcpy(all + 3 * size, nigh_training_snapshot(a->training, 0), size * sizeof *all);
    *count = 4 * size;
    return all;
}

/* ---- cuts ----------------------------------------------------------------------------------------------- */

static void test_every_cut(void **state)
{
    enum { STEPS = 20 };
    nigh_context *ctx = test_context_new();
    size_t count, other;
    all_kinds whole = all_new(ctx, NULL, STEPS);
    assert_ok(ctx, nigh_training_run(whole.training));
    float *want = result_of(&whole, &count);
    for (int cut = 0; cut <= STEPS; cut++) {
        all_kinds first = all_new(ctx, NULL, STEPS), second = all_new(ctx, NULL, STEPS);
        nigh_buffer bytes = {.ctx = ctx};
        assert_ok(ctx, nigh_training_advance(first.training, cut));
        assert_ok(ctx, nigh_training_format(first.training, &bytes));
        assert_ok(ctx, nigh_training_parse(second.training, bytes.data, bytes.size, "memory"));
        assert_int_equal(nigh_training_step(second.training), cut);
        if (cut < STEPS) assert_ok(ctx, nigh_training_run(second.training));
        float *got = result_of(&second, &other);
        assert_int_equal(count, other);
        assert_memory_equal(want, got, count * sizeof *got);
        assert_int_equal(nigh_training_rows(whole.training), nigh_training_rows(second.training));
        for (int64_t i = 0; i < nigh_training_rows(whole.training); i++)
            assert_true(nigh_training_row_at(whole.training, i)->loss == nigh_training_row_at(second.training, i)->loss);
        free(got);
        nigh_buffer_free(&bytes);
        all_free(ctx, &first);
        all_free(ctx, &second);
    }
    free(want);
    all_free(ctx, &whole);
    test_context_free(ctx);
}

static nigh_status cancel_at(void *user, nigh_training *t, int64_t step, int form, void *const *data)
{
    nigh_context *ctx = user;
    if (step == 5) nigh_context_cancel(ctx);
    return NIGH_OK;
}

static void test_cancelled(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[256];
    snprintf(path, sizeof path, "%s/training", folder);
    float want[64];
    for (int k = 0; k < 2; k++) {
        problem p = problem_new(ctx, NIGH_F32, 64, 3, 2, 7);
        nigh_batches *rows;
        assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.batch = 8}, &rows));
        nigh_training_spec spec = nigh_training_defaults("momentum");
        spec.network = p.net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.steps = 12;
        if (k) spec.checkpoint = path, spec.before = cancel_at, spec.user = ctx;
        nigh_training *t;
        assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
        if (k) {
            assert_fails(ctx, nigh_training_run(t), NIGH_INTERRUPTED, "interrupted");
            assert_int_equal(nigh_training_step(t), 5);
            nigh_training_free(t);
            nigh_context_uncancel(ctx);
            spec.before = NULL;
            assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(p.net), 99));
            assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
        }
        assert_ok(ctx, nigh_training_run(t));
        if (k) assert_memory_equal(want, nigh_parameters_block(nigh_network_parameters(p.net)), sizeof want);
        else memcpy(want, nigh_parameters_block(nigh_network_parameters(p.net)), sizeof want);
        nigh_training_free(t);
        nigh_batches_free(rows);
        problem_free(ctx, &p);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* ---- kills ---------------------------------------------------------------------------------------------- */

enum { KILLED_STEPS = 40 };

static int run_program(const char *folder)
{
    char path[512];
    size_t count;
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    all_kinds a = all_new(ctx, path, KILLED_STEPS);
    assert_ok(ctx, nigh_training_run(a.training));
    float *result = result_of(&a, &count);
    snprintf(path, sizeof path, "%s/result.new", folder);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(result, sizeof *result, count, file) != count || fclose(file)) return 1;
    char last[512];
    snprintf(last, sizeof last, "%s/result", folder);
    if (rename(path, last)) return 1;
    free(result);
    all_free(ctx, &a);
    test_context_free(ctx);
    return 0;
}

static void wait_a_little(long microseconds) { nanosleep(&(struct timespec){microseconds / 1000000, microseconds % 1000000 * 1000}, NULL); }

/* Starts the program and kills it after so long (0: never); true when it ended by itself. */
static bool start(const char *folder, long microseconds)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_nn_train_resume", "--run", folder, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    int how;
    if (microseconds) {
        wait_a_little(microseconds);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    if (WIFEXITED(how)) assert_int_equal(WEXITSTATUS(how), 0);
    return WIFEXITED(how);
}

static size_t read_result(const char *folder, char *bytes, size_t most)
{
    char path[512];
    snprintf(path, sizeof path, "%s/result", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, most, file);
    fclose(file);
    return size;
}

static void test_kills(void **state)
{
    enum { KILLS = 30, MOST = 1 << 16 };
    char *calm = test_folder_new(), *want = malloc(MOST), *got = malloc(MOST);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_true(start(calm, 0));
    clock_gettime(CLOCK_MONOTONIC, &end);
    long took = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
    size_t size = read_result(calm, want, MOST);
    assert_true(size > 0 && size < MOST);
    nigh_rng rng = nigh_rng_new(5, 0);
    for (int kills = 0; kills < KILLS;) {
        char *folder = test_folder_new();
        for (int k = 0; k < 3 && kills < KILLS; k++, kills++)
            if (start(folder, 1 + (long)nigh_rng_below(&rng, (uint64_t)took))) break;
        start(folder, 0);
        assert_int_equal(read_result(folder, got, MOST), size);
        assert_memory_equal(want, got, size);
        test_folder_remove(folder);
    }
    free(want), free(got);
    test_folder_remove(calm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_cut), cmocka_unit_test(test_cancelled), cmocka_unit_test(test_kills)};
    if (argc > 2 && !strcmp(argv[1], "--run")) return run_program(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
