/* Trainings: closed forms, PyTorch's losses, limits, validation, averages, hooks, logs, low rank, many at once. */
#include <stdio.h>

#include "train_support.h"

/* ---- against others ------------------------------------------------------------------------------------- */

/* Gradient descent on full batches reaches the solution of the normal equations. */
static void test_least_squares(void **state)
{
    nigh_context *ctx = test_context_new();
    problem p = problem_new(ctx, NIGH_F64, 40, 3, 1, 5);
    nigh_batches *rows;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("sgd");
    spec.network = p.net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.rate.base = 0.3, spec.steps = 600;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    double w[4];
    problem_solve(&p, w);
    const double *got = nigh_parameters_block(nigh_network_parameters(p.net));
    for (int i = 0; i < 3; i++) assert_near(got[i], w[i], 1e-12, 1e-10);
    const double *bias = nigh_parameters_data(nigh_network_parameters(p.net), 1);
    assert_near(bias[0], w[3], 1e-12, 1e-10);
    assert_int_equal(nigh_training_step(t), 600);
    assert_true(nigh_training_done(t));
    nigh_training_free(t);
    nigh_batches_free(rows);
    problem_free(ctx, &p);
    test_context_free(ctx);
}

static void sines(nigh_dtype dtype, double first, double scale, int64_t n, void *out)
{
    nigh_array array = {.shape = {dtype, 1, {n}}, .data = out};
    for (int64_t i = 0; i < n; i++) nigh_array_set(&array, i, sin(first + 1.7 * (double)i) * scale);
}

static const struct {
    const char *name;
    double loss[50];
} torch_losses[] = {
#include "train_losses.inc"
};

static void check_losses(nigh_context *ctx, size_t index, nigh_dtype dtype, double tolerance)
{
    const char *name = torch_losses[index].name;
    bool clipped = !strcmp(name, "clipped");
    problem p = problem_new(ctx, dtype, 24, 4, 2, 1);
    nigh_parameters *set = nigh_network_parameters(p.net);
    sines(dtype, 0.1, 1, 24 * 4, p.array[0].data), sines(dtype, 0.3, 1, 24, p.array[1].data);
    const double first[] = {0.5, 0.7, 0.9, 1.1}, scale[] = {0.5, 0.25, 1. / 3, 1};
    for (int i = 0; i < 4; i++) sines(dtype, first[i], scale[i], nigh_shape_count(&nigh_parameters_at(set, i)->shape), nigh_parameters_data(set, i));
    nigh_batches *rows;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, p.array, &(nigh_arrays_options){.batch = 8, .in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults(clipped ? "adam" : name);
    spec.network = p.net, spec.loss = NIGH_LOSS_MSE, spec.batches = rows, spec.steps = 50;
    const char *names[] = {"sgd", "momentum", "nesterov", "adam", "adamw", "lion"};
    const double rate[] = {0.05, 0.02, 0.02, 0.01, 0.01, 0.003}, decay[] = {0.01, 0.01, 0.01, 0.01, 0.1, 0.1};
    for (int i = 0; i < 6; i++)
        if (!strcmp(names[i], name)) spec.rate.base = rate[i], spec.decay.base = decay[i];
    if (clipped) spec.clip = 0.05, spec.decay.base = 0, spec.rate = (nigh_schedule){.kind = "one-cycle", .base = 0.02};
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    for (int step = 0; step < 50; step++) {
        assert_ok(ctx, nigh_training_advance(t, 1));
        double got = nigh_training_loss(t), want = torch_losses[index].loss[step];
        if (!(fabs(got - want) <= tolerance * fabs(want))) fail_msg("%s, step %d: loss %.12g, PyTorch's is %.12g", name, step, got, want);
    }
    nigh_training_free(t);
    nigh_batches_free(rows);
    problem_free(ctx, &p);
}

static void test_torch(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof torch_losses / sizeof *torch_losses; i++) {
        check_losses(ctx, i, NIGH_F64, 1e-9);
        check_losses(ctx, i, NIGH_F32, 1e-5);
    }
    test_context_free(ctx);
}

/* ---- limits --------------------------------------------------------------------------------------------- */

typedef struct setup {
    nigh_context *ctx;
    problem p;
    nigh_batches *rows, *check;
    nigh_training_spec spec;
} setup;

/* 50 rows to train on in batches of 8 with a smaller last one, 14 to validate. */
static setup setup_new(nigh_context *ctx, nigh_dtype dtype)
{
    setup s = {.ctx = ctx, .p = problem_new(ctx, dtype, 64, 3, 2, 7)};
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, s.p.array, &(nigh_arrays_options){.batch = 8, .keep_last = true, .rows = 50}, &s.rows));
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, s.p.array, &(nigh_arrays_options){.first = 50, .in_order = true}, &s.check));
    s.spec = nigh_training_defaults("adam");
    s.spec.network = s.p.net, s.spec.loss = NIGH_LOSS_MSE, s.spec.batches = s.rows, s.spec.rate.base = 0.02;
    return s;
}

static void setup_free(setup *s)
{
    nigh_batches_free(s->rows);
    nigh_batches_free(s->check);
    problem_free(s->ctx, &s->p);
}

static int64_t steps_made(setup *s)
{
    nigh_training *t;
    assert_ok(s->ctx, nigh_training_new(s->ctx, &s->spec, &t));
    assert_ok(s->ctx, nigh_training_run(t));
    int64_t steps = nigh_training_step(t);
    assert_int_equal(steps, nigh_training_steps(t));
    nigh_training_free(t);
    return steps;
}

static void test_limits(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F32);
    s.spec.steps = 12;
    assert_int_equal(steps_made(&s), 12);
    s.spec.epochs = 1;
    assert_int_equal(steps_made(&s), 7); /* 50 rows: 6 batches of 8 and one of 2 */
    s.spec.accumulate = 2, s.spec.epochs = 2;
    assert_int_equal(steps_made(&s), 7);
    s.spec.accumulate = 0, s.spec.steps = s.spec.epochs = 0;
    /* A batch of n rows through 3-8-1: 2 n (24 + 8) forward, 2 n 24 for the first gradient, 2 n (8 + 8) for the others. */
    s.spec.flops = 2 * (8. * 72 * 6 + 2. * 72) + 2 * 8. * 72 * 3 + 1;
    assert_int_equal(steps_made(&s), 10);
    s.spec.flops = 0, s.spec.seconds = 0.05, s.spec.rate.kind = "cosine";
    assert_true(steps_made(&s) >= 1);
    setup_free(&s);
    test_context_free(ctx);
}

/* The steps that a calibration gave are those of a second run from its checkpoint, whatever the clock says there. */
static void test_seconds_once(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F32);
    s.spec.seconds = 0.02;
    nigh_training *a, *b;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &a));
    assert_ok(ctx, nigh_training_advance(a, 3));
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, nigh_training_format(a, &bytes));
    s.spec.seconds = 1e5;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &b));
    assert_ok(ctx, nigh_training_parse(b, bytes.data, bytes.size, "memory"));
    assert_ok(ctx, nigh_training_advance(b, 1));
    assert_int_equal(nigh_training_steps(a), nigh_training_steps(b));
    nigh_buffer_free(&bytes);
    nigh_training_free(a);
    nigh_training_free(b);
    setup_free(&s);
    test_context_free(ctx);
}

/* ---- validation ----------------------------------------------------------------------------------------- */

static double loss_of(const setup *s, int64_t first, int64_t rows)
{
    double sum = 0;
    nigh_parameters *set = nigh_network_parameters(s->p.net);
    nigh_array w[4];
    for (int i = 0; i < 4; i++) w[i] = (nigh_array){nigh_parameters_at(set, i)->shape, nigh_parameters_data(set, i)};
    for (int64_t r = first; r < first + rows; r++) {
        double y = nigh_array_get(&w[3], 0);
        for (int64_t h = 0; h < 8; h++) {
            double z = nigh_array_get(&w[1], h);
            for (int64_t j = 0; j < 3; j++) z += nigh_array_get(&s->p.array[0], r * 3 + j) * nigh_array_get(&w[0], j * 8 + h);
            y += tanh(z) * nigh_array_get(&w[2], h);
        }
        double off = y - nigh_array_get(&s->p.array[1], r);
        sum += off * off;
    }
    return sum / (double)rows;
}

static void test_validation(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F64);
    s.spec.validation = s.check, s.spec.epochs = 40, s.spec.keep_best = true, s.spec.rate.base = 0.3; /* too large: it jumps about */
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    assert_int_equal(nigh_training_rows(t), 40);
    double least = INFINITY, value;
    for (int64_t i = 0; i < 40; i++) {
        assert_int_equal(nigh_training_row_at(t, i)->step, 7 * (i + 1));
        assert_int_equal(nigh_training_row_at(t, i)->samples, 50 * (i + 1));
        least = fmin(least, nigh_training_row_at(t, i)->validation);
    }
    assert_null(nigh_training_row_at(t, 40));
    assert_non_null(nigh_training_best(t, &value));
    assert_true(value == least);
    assert_near(loss_of(&s, 50, 14), least, 0, 1e-12); /* the best is what is left in the network */
    double again;
    assert_ok(ctx, nigh_training_evaluate(t, s.check, &again, NULL));
    assert_true(again == least);
    nigh_batches *others;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, s.p.array, &(nigh_arrays_options){.batch = 9, .keep_last = true, .rows = 50}, &others));
    assert_ok(ctx, nigh_training_evaluate(t, others, &again, NULL));
    assert_near(again, loss_of(&s, 0, 50), 0, 1e-12); /* batches of 9 and one of 5, by their sizes */
    nigh_batches_free(others);
    nigh_training_free(t);

    s.spec.patience = 3, s.spec.epochs = 400;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    int64_t rows = nigh_training_rows(t);
    assert_true(rows < 400 && rows > 3 && nigh_training_done(t));
    assert_non_null(nigh_training_best(t, &value));
    for (int64_t i = rows - 3; i < rows; i++) assert_true(nigh_training_row_at(t, i)->validation >= value);
    assert_true(nigh_training_row_at(t, rows - 4)->validation == value);
    nigh_training_free(t);
    setup_free(&s);
    test_context_free(ctx);
}

/* Three classes by three points; accuracy and cross-entropy beside sums by hand; the average is what is validated and kept. */
static void test_classes(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { ROWS = 90 };
    nigh_array array[2];
    nigh_shape shape[2] = {{NIGH_F32, 2, {ROWS, 2}}, {NIGH_I32, 1, {ROWS}}};
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int k = 0; k < 2; k++) assert_ok(ctx, nigh_array_new(ctx, &shape[k], &array[k]));
    for (int i = 0; i < ROWS; i++) {
        int c = i % 3;
        ((int32_t *)array[1].data)[i] = i == 89 ? -1 : c; /* one that counts nowhere */
        ((float *)array[0].data)[2 * i] = (float)((c == 1) + 0.3 * nigh_rng_normal(&rng));
        ((float *)array[0].data)[2 * i + 1] = (float)((c == 2) + 0.3 * nigh_rng_normal(&rng));
    }
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 2});
    nigh_network_output(net, nigh_network_linear(net, "out", x, 2, 3, true));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    nigh_batches *rows, *check;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, array, &(nigh_arrays_options){.batch = 10, .rows = 60}, &rows));
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, array, &(nigh_arrays_options){.first = 60}, &check));
    nigh_training_spec spec = nigh_training_defaults("adamw");
    spec.network = net, spec.loss = NIGH_LOSS_CROSS_ENTROPY, spec.batches = rows, spec.validation = check, spec.metrics = 1, spec.best_metric = 0, spec.best_higher = true;
    spec.keep_best = true, spec.epochs = 30, spec.rate.base = 0.05, spec.average = true, spec.average_keep = 0.9, spec.validate_average = true;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    double best, loss, accuracy, sum = 0, right = 0;
    const float *w = nigh_training_best(t, &best), *now = nigh_parameters_block(nigh_network_parameters(net));
    assert_memory_equal(w, now, 6 * sizeof *w);
    assert_true(best > 0.8);
    assert_ok(ctx, nigh_training_evaluate(t, check, &loss, &accuracy));
    assert_true(accuracy == best);
    const float *bias = nigh_parameters_data(nigh_network_parameters(net), 1);
    for (int i = 60; i < 89; i++) {
        double z[3], all = 0;
        int c = i % 3, top = 0;
        for (int j = 0; j < 3; j++) {
            z[j] = (double)((float *)array[0].data)[2 * i] * (double)now[j] + (double)((float *)array[0].data)[2 * i + 1] * (double)now[3 + j] + (double)bias[j];
            all += exp(z[j]);
            if (z[j] > z[top]) top = j;
        }
        sum += log(all) - z[c];
        right += top == c;
    }
    assert_near(loss, sum / 29, 0, 1e-5);
    assert_near(accuracy, right / 29, 0, 1e-6);
    nigh_training_free(t);
    nigh_batches_free(rows);
    nigh_batches_free(check);
    nigh_network_free(net);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &array[k]);
    test_context_free(ctx);
}

/* A loss whose layer keeps a running mean of what it sees: that weight moves by its own rule, not by the optimiser, which would let it decay. */
static nigh_node running_loss(void *user, const nigh_loss_call *c)
{
    nigh_node mean = nigh_tape_mean(c->tape, c->batch[0], NIGH_ALL, false);
    nigh_node next = nigh_tape_add(c->tape, nigh_tape_scale(c->tape, c->parameters[1], 0.75), nigh_tape_scale(c->tape, mean, 0.25));
    if (c->train) c->recording->update[c->recording->updates++] = (nigh_update){1, next};
    return nigh_tape_square(c->tape, nigh_tape_sub(c->tape, c->parameters[0], c->parameters[1]));
}

static nigh_status fill_numbers(void *user, nigh_rng *rng, int64_t number, void *const *data)
{
    for (int i = 0; i < 4; i++) ((double *)data[0])[i] = (double)(number + i);
    return NIGH_OK;
}

static void test_updates(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_parameters *set;
    nigh_batches *numbers;
    int index;
    assert_ok(ctx, nigh_parameters_new(ctx, NIGH_F64, &set));
    for (int i = 0; i < 2; i++) assert_ok(ctx, nigh_parameters_add(set, i ? "mean" : "p", 0, NULL, nigh_init_he_normal(1), &index));
    assert_ok(ctx, nigh_batches_generator(ctx, 1, &(nigh_shape){NIGH_F64, 1, {4}}, fill_numbers, NULL, 0, &numbers));
    nigh_training_spec spec = nigh_training_defaults("sgd");
    spec.parameters = set, spec.record = running_loss, spec.batches = numbers, spec.steps = 10, spec.rate.base = 0.1, spec.decay.base = 0.5;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    double mean = 0, p = 0;
    for (int step = 0; step < 10; step++) {
        p -= 0.1 * (2 * (p - mean) + 0.5 * p);
        mean = 0.75 * mean + 0.25 * (step + 1.5);
    }
    assert_near(*(double *)nigh_parameters_data(set, 0), p, 0, 1e-14);
    assert_near(*(double *)nigh_parameters_data(set, 1), mean, 0, 1e-14);
    nigh_training_free(t);
    spec.flops = 1e3, spec.steps = 0;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_fails(ctx, nigh_training_run(t), NIGH_UNSUPPORTED, "counts its flops");
    nigh_training_free(t);
    nigh_batches_free(numbers);
    nigh_parameters_free(set);
    test_context_free(ctx);
}

/* ---- averages, hooks, factors ---------------------------------------------------------------------------- */

typedef struct watched {
    int64_t before, after;
    double first, average[64];
    bool differs;
} watched;

static nigh_status perturb(void *user, nigh_training *t, int64_t step, int form, void *const *data)
{
    watched *w = user;
    w->before++;
    if (step == 0) w->first = ((double *)data[0])[0], ((double *)data[0])[0] += 1;
    return NIGH_OK;
}

static nigh_status clamp(void *user, nigh_training *t, int64_t step, int form, void *const *data)
{
    watched *w = user;
    w->after++;
    assert_null(data);
    assert_int_equal(step, w->after);
    double *p = nigh_parameters_block(nigh_training_parameters(t));
    for (int64_t i = 0; i < nigh_parameters_size(nigh_training_parameters(t)); i++) p[i] = fmin(fmax(p[i], -0.2), 0.2);
    return NIGH_OK;
}

static void test_hooks_and_average(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F64);
    nigh_parameters *set = nigh_network_parameters(s.p.net);
    int64_t size = nigh_parameters_size(set);
    watched w = {0};
    s.spec.user = &w, s.spec.before = perturb, s.spec.after = clamp, s.spec.average = true, s.spec.average_keep = 0.9, s.spec.steps = 20;
    s.spec.snapshots = 2, s.spec.snapshot[0] = 0, s.spec.snapshot[1] = 5;
    double *average = malloc((size_t)size * sizeof *average), *early = malloc((size_t)size * sizeof *early), *start = malloc((size_t)size * sizeof *start);
    memcpy(average, nigh_parameters_block(set), (size_t)size * sizeof *average);
    memcpy(start, average, (size_t)size * sizeof *average);
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
    for (int step = 0; step < 20; step++) {
        assert_ok(ctx, nigh_training_advance(t, 1));
        const double *p = nigh_parameters_block(set);
        for (int64_t i = 0; i < size; i++) {
            assert_true(fabs(p[i]) <= 0.2);
            average[i] = 0.9 * average[i] + 0.1 * p[i];
        }
        if (step == 4) memcpy(early, p, (size_t)size * sizeof *early);
    }
    const double *got = nigh_training_average(t);
    for (int64_t i = 0; i < size; i++) assert_near(got[i], average[i], 1e-14, 1e-13);
    assert_int_equal(w.before, 20);
    assert_int_equal(w.after, 20);
    assert_memory_equal(nigh_training_snapshot(t, 0), start, (size_t)size * sizeof *start);
    assert_memory_equal(nigh_training_snapshot(t, 1), early, (size_t)size * sizeof *early);
    free(average), free(early), free(start);
    nigh_training_free(t);
    setup_free(&s);
    test_context_free(ctx);
}

/* Loss (p - teacher)^2 + s p, all recorded by hand: closed forms for frozen, rate and decay factors, scalars and the teacher. */
static nigh_node toy_loss(void *user, const nigh_loss_call *c)
{
    nigh_node sum = nigh_tape_scale(c->tape, c->batch[0], 0);
    for (int i = 0; i < 3; i++) sum = nigh_tape_add(c->tape, sum, c->parameters[i]);
    sum = nigh_tape_mul(c->tape, sum, c->scalar[0]);
    if (c->teacher) sum = nigh_tape_add(c->tape, sum, nigh_tape_square(c->tape, nigh_tape_sub(c->tape, c->parameters[3], c->teacher[3])));
    c->metric[0] = c->scalar[0];
    return nigh_tape_sum(c->tape, sum, NIGH_ALL, false);
}

static nigh_status fill_toy(void *user, nigh_rng *rng, int64_t number, void *const *data)
{
    ((double *)data[0])[0] = nigh_rng_f64(rng);
    return NIGH_OK;
}

static void test_factors(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_parameters *set;
    int index;
    assert_ok(ctx, nigh_parameters_new(ctx, NIGH_F64, &set));
    const char *name[] = {"plain", "half", "frozen", "pulled"};
    for (int i = 0; i < 4; i++) {
        assert_ok(ctx, nigh_parameters_add(set, name[i], 0, NULL, nigh_init_he_normal(1), &index));
        *(double *)nigh_parameters_data(set, i) = 1;
    }
    nigh_parameters_at(set, 1)->rate = 0.5, nigh_parameters_at(set, 1)->decay = 3;
    nigh_parameters_at(set, 2)->frozen = true;
    nigh_batches *fresh;
    assert_ok(ctx, nigh_batches_generator(ctx, 1, &(nigh_shape){NIGH_F64, 1, {1}}, fill_toy, NULL, 0, &fresh));
    nigh_training_spec spec = nigh_training_defaults("sgd");
    spec.parameters = set, spec.record = toy_loss, spec.batches = fresh, spec.steps = 3, spec.metrics = 1, spec.average = true, spec.average_keep = 0.5;
    spec.rate.base = 0.1, spec.decay.base = 0.01, spec.scalars = 1, spec.scalar[0] = (nigh_schedule){.kind = "linear", .base = 1, .last = 4, .total = 3};
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    double a = 1, b = 1, d = 1, mean = 1;
    for (int step = 0; step < 3; step++) {
        double g = 1 + step;
        a -= 0.1 * (g + 0.01 * a), b -= 0.05 * (g + 0.03 * b);
        d -= 0.1 * (2 * (d - mean) + 0.01 * d);
        mean = 0.5 * mean + 0.5 * d;
    }
    assert_near(*(double *)nigh_parameters_data(set, 0), a, 0, 1e-14);
    assert_near(*(double *)nigh_parameters_data(set, 1), b, 0, 1e-14);
    assert_near(*(double *)nigh_parameters_data(set, 2), 1, 0, 0);
    assert_near(*(double *)nigh_parameters_data(set, 3), d, 0, 1e-14);
    nigh_training_free(t);
    nigh_batches_free(fresh);
    nigh_parameters_free(set);
    test_context_free(ctx);
}

/* The mean gradient of two batches of 8 is that of one batch of 16. */
static void test_accumulate(void **state)
{
    nigh_context *ctx = test_context_new();
    double weight[2][64];
    for (int k = 0; k < 2; k++) {
        setup s = setup_new(ctx, NIGH_F64);
        nigh_batches_free(s.rows);
        assert_ok(ctx, nigh_batches_arrays(ctx, 2, s.p.array, &(nigh_arrays_options){.batch = k ? 8 : 16, .in_order = true}, &s.rows));
        s.spec.batches = s.rows, s.spec.accumulate = k + 1, s.spec.steps = 9;
        nigh_training *t;
        assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
        assert_ok(ctx, nigh_training_run(t));
        memcpy(weight[k], nigh_parameters_block(nigh_network_parameters(s.p.net)), sizeof weight[k]);
        nigh_training_free(t);
        setup_free(&s);
    }
    for (int i = 0; i < 64; i++) assert_near(weight[1][i], weight[0][i], 1e-13, 1e-11);
    test_context_free(ctx);
}

/* ---- low rank, log files --------------------------------------------------------------------------------- */

static void test_low_rank(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F64);
    nigh_parameters *set = nigh_network_parameters(s.p.net);
    assert_ok(ctx, nigh_lora_add(ctx, set, "hidden.weight", 2, 3));
    assert_fails(ctx, nigh_lora_add(ctx, set, "hidden.weight", 2, 3), NIGH_INVALID, "hidden.weight.lora_a");
    assert_fails(ctx, nigh_lora_add(ctx, set, "nothing", 2, 3), NIGH_INVALID, "nothing");
    assert_fails(ctx, nigh_lora_add(ctx, set, "hidden.bias", 1, 3), NIGH_INVALID, "matrix");
    assert_fails(ctx, nigh_lora_add(ctx, set, "out.weight", 2, 3), NIGH_INVALID, "rank is 2");
    double before[24];
    memcpy(before, nigh_parameters_data(set, 0), sizeof before);
    s.spec.steps = 10;
    nigh_training *t;
    double loss[2];
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    assert_memory_equal(before, nigh_parameters_data(set, 0), sizeof before);
    assert_ok(ctx, nigh_training_evaluate(t, s.check, &loss[0], NULL));
    nigh_lora_merge(set);
    assert_ok(ctx, nigh_training_evaluate(t, s.check, &loss[1], NULL));
    assert_true(memcmp(before, nigh_parameters_data(set, 0), sizeof before) != 0);
    assert_near(loss[1], loss[0], 0, 1e-12);
    nigh_training_free(t);
    setup_free(&s);
    test_context_free(ctx);
}

static void test_log(void **state)
{
    nigh_context *ctx = test_context_new();
    setup s = setup_new(ctx, NIGH_F32);
    char *folder = test_folder_new(), path[256], line[512];
    snprintf(path, sizeof path, "%s/log.csv", folder);
    s.spec.steps = 10, s.spec.log_every = 4, s.spec.log_file = path;
    nigh_training *t;
    assert_ok(ctx, nigh_training_new(ctx, &s.spec, &t));
    assert_ok(ctx, nigh_training_run(t));
    assert_int_equal(nigh_training_rows(t), 3); /* 4, 8, 10 */
    nigh_training_free(t);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "step,samples,epoch,loss,norm,rate,validation,seconds,flops\n");
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(strncmp(line, "4,32,", 5), 0);
    int lines = 2;
    while (fgets(line, sizeof line, file)) lines++;
    fclose(file);
    assert_int_equal(lines, 4);
    test_folder_remove(folder);
    setup_free(&s);
    test_context_free(ctx);
}

/* ---- many at once ---------------------------------------------------------------------------------------- */

typedef struct jobs {
    double loss[12];
    int64_t fail;
} jobs;

static nigh_status job(void *user, nigh_context *ctx, int64_t i)
{
    jobs *j = user;
    if (i == j->fail) return nigh_fail(ctx, NIGH_FAILED, "as asked");
    assert_int_equal(nigh_context_threads(ctx), 1);
    setup s = setup_new(ctx, NIGH_F32);
    s.spec.steps = 5 + i, s.spec.seed = (uint64_t)i;
    nigh_training *t = NULL;
    nigh_status status = nigh_training_new(ctx, &s.spec, &t);
    if (!status) status = nigh_training_run(t);
    if (!status) j->loss[i] = nigh_training_loss(t);
    nigh_training_free(t);
    setup_free(&s);
    return status;
}

static void test_many(void **state)
{
    nigh_context *ctx = test_context_new();
    jobs two = {.fail = -1}, one = {.fail = -1}, failing = {.fail = 3};
    assert_ok(ctx, nigh_context_set_threads(ctx, 4));
    assert_ok(ctx, nigh_train_many(ctx, 12, job, &two));
    assert_fails(ctx, nigh_train_many(ctx, 12, job, &failing), NIGH_FAILED, "job 3: as asked");
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    assert_ok(ctx, nigh_train_many(ctx, 12, job, &one));
    assert_memory_equal(one.loss, two.loss, sizeof one.loss);
    for (int i = 1; i < 12; i++) assert_true(one.loss[i] > 0 && one.loss[i] != one.loss[i - 1]);
    nigh_context_cancel(ctx);
    assert_fails(ctx, nigh_train_many(ctx, 12, job, &one), NIGH_INTERRUPTED, "interrupted");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_squares), cmocka_unit_test(test_torch),      cmocka_unit_test(test_limits),     cmocka_unit_test(test_seconds_once),
        cmocka_unit_test(test_validation),    cmocka_unit_test(test_hooks_and_average), cmocka_unit_test(test_factors), cmocka_unit_test(test_accumulate),
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_updates),
        cmocka_unit_test(test_low_rank),      cmocka_unit_test(test_log),        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
