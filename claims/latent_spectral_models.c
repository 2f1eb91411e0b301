/*
 * Claim of "Solving High-Dimensional PDEs with Latent Spectral Models": attention to a few tokens of each patch and a trigonometric map of these tokens make a better operator for fields
 * than layers of Fourier modes, at a cost that is linear in the points of the grid.
 *
 *   1  Darcy flow: error of the model, beside the Fourier neural operator of as many weights, as much work a step, as much time (the full form), and beside the mean field
 *   2  the map of the tokens left out: what that changes (the full form)
 *   3  the map's functions approach tanh(2 z) when their number doubles
 *   4  work, and in the full form time, is linear in the points of the grid
 *   5  patches are independent of each other, to the bit
 */
#include "common.h"

#include "nigh/fields.h"
#include "nigh/linalg.h"
#include "nigh/pde.h"
#include "operator/fields.h"
#include "operator/methods.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const char *const saboteurs[] = {"integer-frequencies", "still-tokens", "leaking-patches", "mean-answers", NULL};

/* ---- Darcy flow ---------------------------------------------------------------------------------------- */

/* n_fit pairs, then n_test. */
typedef struct data {
    nigh_problem *problem;
    int64_t n_fit, n_test, points;
    double *in, *out;
} data;

static void data_free(nigh_context *ctx, data *d)
{
    nigh_free(ctx, d->in);
    nigh_free(ctx, d->out);
    nigh_problem_free(ctx, d->problem);
}

static nigh_status data_new(nigh_context *ctx, int64_t grid, int64_t n_fit, int64_t n_test, uint64_t seed, data *d)
{
    *d = (data){.n_fit = n_fit, .n_test = n_test, .points = grid * grid};
    int64_t rows = n_fit + n_test;
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_status status = nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = grid}, &d->problem);
    d->in = nigh_alloc(ctx, (size_t)(rows * d->points) * sizeof *d->in), d->out = nigh_alloc(ctx, (size_t)(rows * d->points) * sizeof *d->out);
    if (!status && !(d->in && d->out)) status = NIGH_MEMORY;
    if (!status) status = d->problem->ops->draw(ctx, d->problem, &rng, rows, d->in);
    if (!status) status = d->problem->ops->exact(ctx, d->problem, rows, d->in, d->out);
    return status;
}

/* Mean over the test fields of the error of answers: [n_test, points], or one field for all of them. */
static double error_of(const data *d, const double *answer, bool one)
{
    double sum = 0;
    for (int64_t i = 0; i < d->n_test; i++) sum += d->problem->measure->error(d->points, d->out + (d->n_fit + i) * d->points, answer + (one ? 0 : i * d->points), NIGH_F64);
    return sum / (double)d->n_test;
}

static nigh_status mean_field(nigh_context *ctx, const data *d, double **mean)
{
    *mean = nigh_alloc_zero(ctx, (size_t)d->points, sizeof **mean);
    if (!*mean) return NIGH_MEMORY;
    for (int64_t i = 0; i < d->n_fit * d->points; i++) (*mean)[i % d->points] += d->out[i] / (double)d->n_fit;
    return NIGH_OK;
}

/* What a training gives: as doubles, so that it can be kept. */
typedef struct outcome {
    double error, first, last, seconds, steps, weights, flops; /* loss at the first and the last step; of this thread; flops of an answer */
} outcome;
enum { OUTCOME = sizeof(outcome) / sizeof(double) };

static double thread_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static nigh_status run_fit(nigh_context *ctx, const nigh_method *method, void *fit, outcome *o)
{
    nigh_progress_point point = {0};
    double start = thread_clock();
    nigh_status status = method->advance(ctx, fit, 1, &point);
    o->first = point.loss;
    while (!status && !point.done) {
        status = method->advance(ctx, fit, 20, &point);
        if (!status) status = nigh_poll(ctx);
    }
    o->last = point.loss, o->seconds = thread_clock() - start, o->steps = (double)point.units;
    return status;
}

static nigh_status test_plan(nigh_context *ctx, const data *d, const nigh_plan *plan, bool mean, outcome *o)
{
    size_t bytes = nigh_plan_workspace(plan);
    double *answer = nigh_alloc(ctx, (size_t)(d->n_test * d->points) * sizeof *answer), *field = NULL;
    void *workspace = nigh_alloc(ctx, bytes);
    nigh_status status = answer && workspace ? nigh_plan_apply(plan, d->n_test, d->in + d->n_fit * d->points, answer, workspace, bytes) : NIGH_MEMORY;
    if (!status && mean) status = mean_field(ctx, d, &field);
    if (!status) {
        o->error = error_of(d, mean ? field : answer, mean);
        o->weights = (double)nigh_parameters_numbers(nigh_network_parameters(((const field_plan *)plan->state)->net));
    }
    nigh_free(ctx, field);
    nigh_free(ctx, workspace);
    nigh_free(ctx, answer);
    return status;
}

static nigh_status train(nigh_context *ctx, const data *d, const nigh_method *method, const char *text, int64_t units, uint64_t seed, bool mean, outcome *o)
{
    nigh_settings settings = nigh_settings_default(method);
    nigh_plan *plan = NULL;
    void *fit = NULL;
    field_shape shape;
    nigh_context_set_seed(ctx, seed);
    nigh_status status = nigh_context_set_threads(ctx, 1);
    if (!status) status = nigh_settings_parse(ctx, method, text, &settings);
    if (!status) status = method->start(ctx, method, d->problem, &(nigh_samples){.n = d->n_fit, .in = d->in, .out = d->out, .units = units}, &settings, &fit);
    if (!status) status = run_fit(ctx, method, fit, o);
    if (!status) status = method->finish(ctx, fit, &plan);
    if (!status) status = test_plan(ctx, d, plan, mean, o);
    if (!status && field_shape_of(&d->problem->in, &d->problem->out, &shape)) o->flops = ((const field_family *)method->family)->flops(method, &settings, &shape);
    nigh_plan_free(ctx, plan);
    if (fit) method->abandon(ctx, fit);
    return status;
}

/* ---- 1 and 2: trainings --------------------------------------------------------------------------------- */

enum { SEEDS = 3, MODEL = 0, STILL, SAME_WEIGHTS, SAME_WORK, SAME_TIME, KINDS };
/* Rates were chosen on other data, by the error after 10 epochs: 0.003 of 0.001 to 0.004, and 0.01 of 0.001 to 0.016. */
static const struct { const char *name, *settings; } kinds[KINDS] = {
    {"latent spectral model", "width=16,epochs=30"},
    {"without the map of the tokens", "width=16,epochs=30,basis=0"},
    {"Fourier neural operator of as many weights", "width=21,epochs=30,batch=10,rate=0.01"},
    {"Fourier neural operator of as much work", "width=43,epochs=30,batch=10,rate=0.01"},
    {"Fourier neural operator in as much time", "width=21,epochs=300,batch=10,rate=0.01"}};

typedef struct field_trainings {
    claim_run *run;
    data set[SEEDS];
    outcome o[SEEDS][KINDS];
    bool done[SEEDS][KINDS];
    int first, count; /* kinds of this round */
} field_trainings;

static nigh_status one_training(nigh_context *ctx, int index, void *user)
{
    field_trainings *t = user;
    int s = index / t->count, k = t->first + index % t->count;
    if (t->done[s][k]) return NIGH_OK;
    const nigh_method *method = k < SAME_WEIGHTS ? &nigh_method_latent_spectral_models : &nigh_method_fno;
    const outcome *lsm = &t->o[s][MODEL], *fno = &t->o[s][SAME_WEIGHTS];
    int64_t units = k == SAME_TIME ? (int64_t)(lsm->seconds / fno->seconds * fno->steps) : 0;
    return train(ctx, &t->set[s], method, kinds[k].settings, units, nigh_seed_split(claim_seed(t->run), (uint64_t)(20 + s)), claim_sabotaged(t->run, "mean-answers"), &t->o[s][k]);
}

static nigh_status round_of(field_trainings *t, int first, int count)
{
    char key[32];
    t->first = first, t->count = count;
    for (int s = 0; s < SEEDS; s++)
        for (int k = first; k < first + count; k++) {
            snprintf(key, sizeof key, "s%d-k%d", s, k);
            t->done[s][k] = claim_recall(t->run, key, OUTCOME, (double *)&t->o[s][k]);
        }
    nigh_status status = claim_progress(t->run, "trainings", first, KINDS);
    if (!status) status = claim_tasks(t->run, SEEDS * count, one_training, t);
    for (int i = 0; i < SEEDS * count && !status; i++) {
        int s = i / count, k = first + i % count;
        snprintf(key, sizeof key, "s%d-k%d", s, k);
        if (!t->done[s][k]) status = claim_keep(t->run, key, OUTCOME, (const double *)&t->o[s][k]);
    }
    return status;
}

static double mean_error(const field_trainings *t, int kind)
{
    double sum = 0;
    for (int s = 0; s < SEEDS; s++) sum += t->o[s][kind].error / SEEDS;
    return sum;
}

static void training_bars(claim_run *run, const field_trainings *t)
{
    for (int k = 0; k < KINDS; k++) {
        const outcome *o = &t->o[0][k];
        claim_note(run, "%s: error %.4f (%.4f %.4f %.4f), %.0f weights, %.1f million operations an answer, %.0f steps of %.1f ms", kinds[k].name, mean_error(t, k), t->o[0][k].error,
                   t->o[1][k].error, t->o[2][k].error, o->weights, 1e-6 * o->flops, o->steps, 1e3 * o->seconds / o->steps);
    }
    double model = mean_error(t, MODEL);
    claim_bar(run, "1: Darcy flow, 32 x 32, 400 pairs: relative error, mean of 3 seeds", model, CLAIM_AT_MOST, 0.04, NULL);
    claim_bar(run, "1: beside the Fourier neural operator of as many weights and epochs", model / mean_error(t, SAME_WEIGHTS), CLAIM_AT_MOST, 0.9, NULL);
    claim_bar(run, "1: beside that of as much work and as many epochs", model / mean_error(t, SAME_WORK), CLAIM_AT_MOST, 0.9, NULL);
    claim_bar(run, "1: beside that of as many weights in as much time", model / mean_error(t, SAME_TIME), CLAIM_AT_MOST, 0.9, "time of a thread");
    claim_note(run, "2: without the map of the tokens the error is %.3f of the model's (seeds: %.3f %.3f %.3f)%s", mean_error(t, STILL) / model, t->o[0][STILL].error / t->o[0][MODEL].error,
               t->o[1][STILL].error / t->o[1][MODEL].error, t->o[2][STILL].error / t->o[2][MODEL].error,
               mean_error(t, STILL) < 1.05 * model ? ": it did not pay here" : "");
}

static nigh_status full_trainings(claim_run *run)
{
    field_trainings *t = nigh_alloc_zero(run->ctx, 1, sizeof *t);
    nigh_status status = t ? NIGH_OK : NIGH_MEMORY;
    if (t) t->run = run;
    for (int s = 0; s < SEEDS && !status; s++) status = data_new(run->ctx, 32, 400, 100, nigh_seed_split(claim_seed(run), (uint64_t)s), &t->set[s]);
    if (!status) status = round_of(t, MODEL, 2);
    if (!status) status = round_of(t, SAME_WEIGHTS, 2);
    if (!status) status = round_of(t, SAME_TIME, 1);
    if (!status) training_bars(run, t);
    for (int s = 0; s < SEEDS && t; s++) data_free(run->ctx, &t->set[s]);
    nigh_free(run->ctx, t);
    return status;
}

/* Five epochs on few small fields. */
static nigh_status short_training(claim_run *run)
{
    data d;
    double *mean = NULL;
    outcome o = {0};
    nigh_status status = data_new(run->ctx, 16, 200, 50, nigh_seed_split(claim_seed(run), 9), &d);
    int threads = nigh_context_threads(run->ctx);
    uint64_t seed = nigh_context_seed(run->ctx);
    if (!status) status = train(run->ctx, &d, &nigh_method_latent_spectral_models, "width=8,scales=3,epochs=5", 0, nigh_seed_split(claim_seed(run), 10), claim_sabotaged(run, "mean-answers"), &o);
    nigh_context_set_seed(run->ctx, seed);
    if (!status) status = nigh_context_set_threads(run->ctx, threads);
    if (!status) status = mean_field(run->ctx, &d, &mean);
    if (!status) {
        claim_bar(run, "1: five epochs: last training loss over the first", o.last / o.first, CLAIM_AT_MOST, 0.5, NULL);
        claim_bar(run, "1: five epochs: test error over that of the mean field", o.error / error_of(&d, mean, true), CLAIM_AT_MOST, 0.6, NULL);
    }
    nigh_free(run->ctx, mean);
    data_free(run->ctx, &d);
    return status;
}

/* ---- 3: the functions of the map -------------------------------------------------------------------------- */

enum { PLACES = 401 };

/* Column j: what the map adds to y when its j-th weight alone is 1. */
static nigh_status columns_of(claim_run *run, int64_t basis, double *column)
{
    nigh_tape *t = NULL;
    nigh_executor *e = NULL;
    double place[PLACES], pace = claim_sabotaged(run, "integer-frequencies") ? (double)basis : 1, *unit = nigh_alloc(run->ctx, (size_t)(4 * basis * basis) * sizeof *unit);
    nigh_status status = unit ? nigh_tape_new(run->ctx, &t) : NIGH_MEMORY;
    for (int i = 0; i < PLACES; i++) place[i] = pace * (2.0 * i / (PLACES - 1) - 1);
    if (!status) {
        for (int64_t i = 0; i < 4 * basis * basis; i++) unit[i] = i / (2 * basis) == i % (2 * basis) && !claim_sabotaged(run, "still-tokens");
        nigh_node y = nigh_tape_expand(t, nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){PLACES, 1}, place), 2, (int64_t[]){PLACES, 2 * basis});
        nigh_node z = nigh_tape_latent_step(t, y, nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){2 * basis, 2 * basis}, unit)), d = nigh_tape_sub(t, z, y);
        status = nigh_executor_new(run->ctx, t, 1, &d, &e);
        if (!status) status = nigh_executor_run(e);
        if (!status) memcpy(column, nigh_executor_data(e, d), (size_t)(PLACES * 2 * basis) * sizeof *column);
    }
    nigh_executor_free(e);
    nigh_tape_free(t);
    nigh_free(run->ctx, unit);
    return status;
}

/* Root mean square of what the best weights leave of tanh(2 y) - y on [-1, 1]. */
static nigh_status left_of(claim_run *run, int64_t basis, double *left)
{
    double *column = nigh_alloc(run->ctx, (size_t)(PLACES * 2 * basis) * sizeof *column), weight[64], wanted[PLACES], sum = 0;
    nigh_status status = column ? columns_of(run, basis, column) : NIGH_MEMORY;
    for (int i = 0; i < PLACES; i++) {
        double y = 2.0 * i / (PLACES - 1) - 1;
        wanted[i] = tanh(2 * y) - y;
    }
    if (!status) status = nigh_least_squares(run->ctx, NIGH_F64, PLACES, 2 * basis, 1, column, wanted, 1e-13, weight, NULL);
    for (int i = 0; i < PLACES && !status; i++) {
        double d = wanted[i];
        for (int64_t k = 0; k < 2 * basis; k++) d -= column[i * 2 * basis + k] * weight[k];
        sum += d * d / PLACES;
    }
    *left = sqrt(sum);
    nigh_free(run->ctx, column);
    return status;
}

static nigh_status basis_bars(claim_run *run)
{
    double left[4];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 4 && !status; i++) status = left_of(run, 2 << i, &left[i]);
    if (status) return status;
    claim_note(run, "3: tanh(2 y) - y on [-1, 1] by 2, 4, 8, 16 sines and cosines: rms %.2g %.2g %.2g %.2g", left[0], left[1], left[2], left[3]);
    claim_bar(run, "3: error at 2 functions over that at 4", left[0] / left[1], CLAIM_AT_LEAST, 3, NULL);
    claim_bar(run, "3: error at 4 functions over that at 8", left[1] / left[2], CLAIM_AT_LEAST, 3, NULL);
    claim_bar(run, "3: error at 16 functions", left[3], CLAIM_AT_MOST, 1e-4, NULL);
    return NIGH_OK;
}

/* ---- 4: cost ----------------------------------------------------------------------------------------------- */

/* One-sample answers of the usual network on a grid; counted work, and seconds when `times` is above 0. */
static nigh_status cost_of(claim_run *run, int64_t size, int times, double *flops, double *seconds)
{
    nigh_context *ctx = run->ctx;
    nigh_network *net = NULL;
    nigh_tape *tape = NULL;
    nigh_executor *e = NULL;
    field_shape shape = {.dims = 2, .size = {size, size}, .points = size * size, .in = 1, .out = 1};
    int input, output;
    nigh_status status = nigh_lsm_new(ctx, NIGH_F32, &(nigh_lsm_spec){.dims = 2, .in = 1, .out = 1, .width = 16, .scales = 3}, &net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), 1);
    if (!status) status = field_executor(ctx, net, &shape, &tape, &e, &input, &output);
    if (!status) {
        *flops = nigh_executor_flops(e), *seconds = INFINITY;
        float *x = nigh_executor_data(e, nigh_executor_end(e, input));
        for (int64_t i = 0; x && i < shape.points; i++) x[i] = (float)sin((double)i);
        if (!x) status = NIGH_MEMORY;
    }
    for (int i = 0; i < times && !status; i++) {
        double start = thread_clock();
        status = nigh_executor_run(e);
        *seconds = fmin(*seconds, thread_clock() - start);
    }
    nigh_executor_free(e);
    nigh_tape_free(tape);
    nigh_network_free(net);
    return status;
}

static nigh_status cost_bars(claim_run *run)
{
    double flops[4], seconds[4], x = 0, y = 0, xx = 0, xy = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 4 && !status; i++) status = cost_of(run, 32 << i, run->quick ? 0 : 400 >> 2 * i, &flops[i], &seconds[i]);
    if (status) return status;
    claim_bar_within(run, "4: counted work of 64 x 64 points over that of 32 x 32", flops[1] / flops[0], 3.99, 4.01, NULL);
    claim_bar_within(run, "4: exponent of the work from 32 x 32 to 256 x 256 points", log(flops[3] / flops[0]) / log(64), 0.999, 1.001, NULL);
    if (run->quick) return NIGH_OK;
    for (int i = 0; i < 4; i++) {
        double a = log(4) * i, b = log(seconds[i]);
        x += a / 4, y += b / 4, xx += a * a / 4, xy += a * b / 4;
    }
    claim_note(run, "4: one answer of 32, 64, 128, 256 squared points: %.2f %.2f %.2f %.2f ms", 1e3 * seconds[0], 1e3 * seconds[1], 1e3 * seconds[2], 1e3 * seconds[3]);
    claim_bar_within(run, "4: time of 64 x 64 points over that of 32 x 32", seconds[1] / seconds[0], 3.3, 4.8, "time of a thread");
    claim_bar_within(run, "4: exponent of the time from 32 x 32 to 256 x 256 points", (xy - x * y) / (xx - x * x), 0.9, 1.1, "time of a thread");
    return NIGH_OK;
}

/* ---- 5: patches -------------------------------------------------------------------------------------------- */

enum { SIDE = 24, PATCH = 4, CHANNELS = 8, HEADS = 2, TOKENS = 4, COLUMNS = HEADS * (2 * CHANNELS / HEADS + TOKENS), POINTS = SIDE * SIDE };

/* Numbers of results outside the patch in row 2, column 3 that change when what lies in it does; *inside: of those within. */
static nigh_status leaks(claim_run *run, double *outside, double *inside)
{
    nigh_tape *t = NULL;
    nigh_executor *e = NULL;
    float *before = nigh_alloc(run->ctx, POINTS * CHANNELS * sizeof *before);
    nigh_status status = before ? nigh_tape_new(run->ctx, &t) : NIGH_MEMORY;
    *outside = *inside = 0;
    if (!status) {
        int64_t side = claim_sabotaged(run, "leaking-patches") ? 2 * PATCH : PATCH, patch[2] = {side, side};
        nigh_node u = nigh_tape_input(t, "u", NIGH_F32, 4, (int64_t[]){1, SIDE, SIDE, COLUMNS}), token = nigh_tape_fill(t, NIGH_F32, 3, (int64_t[]){HEADS, TOKENS, CHANNELS / HEADS}, 0.5);
        nigh_node w = nigh_tape_fill(t, NIGH_F32, 2, (int64_t[]){CHANNELS, 24}, 0.1), o = nigh_tape_latent(t, u, NIGH_NONE, token, w, patch);
        status = nigh_executor_new(run->ctx, t, 1, &o, &e);
        float *x = status ? NULL : nigh_executor_data(e, u);
        for (int i = 0; x && i < POINTS * COLUMNS; i++) x[i] = (float)sin(1.1 * i);
        if (x) status = nigh_executor_run(e);
        if (x && !status) memcpy(before, nigh_executor_data(e, o), POINTS * CHANNELS * sizeof *before);
        for (int i = 0; x && i < POINTS * COLUMNS; i++)
            if (i / COLUMNS / SIDE / PATCH == 2 && i / COLUMNS % SIDE / PATCH == 3) x[i] = -x[i];
        if (x && !status) status = nigh_executor_run(e);
        const float *after = x && !status ? nigh_executor_data(e, o) : NULL;
        for (int i = 0; after && i < POINTS * CHANNELS; i++) {
            int point = i / CHANNELS;
            *(point / SIDE / PATCH == 2 && point % SIDE / PATCH == 3 ? inside : outside) += memcmp(&after[i], &before[i], sizeof *after) != 0;
        }
    }
    nigh_executor_free(e);
    nigh_tape_free(t);
    nigh_free(run->ctx, before);
    return status;
}

static nigh_status patch_bars(claim_run *run)
{
    double outside, inside;
    nigh_status status = leaks(run, &outside, &inside);
    if (status) return status;
    claim_bar(run, "5: one patch changed: numbers of other patches that change", outside, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "5: one patch changed: numbers of its own that change", inside, CLAIM_AT_LEAST, PATCH * PATCH * CHANNELS, NULL);
    return NIGH_OK;
}

/* ---- all --------------------------------------------------------------------------------------------------- */

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = basis_bars(run);
    if (!status) status = patch_bars(run);
    if (!status) status = cost_bars(run);
    if (!status) status = short_training(run);
    if (!status && !run->quick) status = full_trainings(run);
    return status;
}

const nigh_claim claim_latent_spectral_models = {
    .slug = "latent-spectral-models",
    .title = "Solving High-Dimensional PDEs with Latent Spectral Models",
    .run = run_claim,
    .saboteurs = saboteurs,
};
