/* Which problems are fields, and the training; see fields.h. The plans: fields_plan.c. */
#include "operator/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_ROWS = 10, LEAST_SIZE = 8, PART_BYTES = 3 << 20 };

nigh_status fields_supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    const field_family *family = method->family;
    field_shape shape;
    if (problem->in.dtype != NIGH_F64 || problem->out.dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "inputs are %s and outputs %s; f64 is needed", nigh_dtype_name(problem->in.dtype), nigh_dtype_name(problem->out.dtype));
    if (!field_shape_of(&problem->in, &problem->out, &shape))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a sample is no field: inputs and outputs on one grid, [L] or [H,W], channels last, are needed");
    for (int k = 0; k < shape.dims; k++)
        if (shape.size[k] < LEAST_SIZE)
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "the grid has %lld points in dimension %d; a field has at least %d", (long long)shape.size[k], k, LEAST_SIZE);
    if (shape.in > 64 || shape.out > 64) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld channels in and %lld out; at most 64", (long long)shape.in, (long long)shape.out);
    field_recipe recipe;
    field_recipe_of(method, settings, &shape, 1, 1, &recipe);
    if (recipe.residual && shape.in != shape.out)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld channels in and %lld out; what is added to the input has as many", (long long)shape.in, (long long)shape.out);
    return family->check ? family->check(ctx, method, settings, &shape) : NIGH_OK;
}

nigh_status fields_estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    const field_family *family = method->family;
    field_shape shape;
    if (!field_shape_of(&problem->in, &problem->out, &shape)) return nigh_fail(ctx, NIGH_UNSUPPORTED, "a sample is no field");
    double flops = family->flops(method, settings, &shape);
    *out = (nigh_estimate){.error = {0, INFINITY}, .fit = {.flops = 3 * flops * (double)n_fit * nigh_setting(method, settings, "epochs")},
                           .apply = {.flops = flops, .bytes = 8.0 * (double)shape.points * (double)(shape.in + shape.out)}, .source = "formula"};
    return NIGH_OK;
}

nigh_padding field_padding(const nigh_method *method, const nigh_settings *settings)
{
    static const nigh_padding padding[] = {NIGH_PAD_ZERO, NIGH_PAD_ZERO, NIGH_PAD_CIRCULAR, NIGH_PAD_REFLECT};
    return padding[(int)nigh_setting(method, settings, "boundary")];
}

nigh_grid field_grid(const nigh_method *method, const nigh_settings *settings)
{
    static const nigh_grid grid[] = {NIGH_GRID_CELL, NIGH_GRID_CELL, NIGH_GRID_NODE, NIGH_GRID_PERIODIC};
    return grid[(int)nigh_setting(method, settings, "grid")];
}

/* The value of an option of this name; NULL: the method has none. */
static double *option_of(const nigh_method *method, nigh_settings *settings, const char *name)
{
    for (int i = 0; method->options && method->options[i].name; i++)
        if (!strcmp(method->options[i].name, name)) return &settings->value[i];
    return NULL;
}

/* "auto" in place of a boundary or a grid becomes what the problem says. */
static void settle(const nigh_method *method, const nigh_problem *problem, nigh_settings *settings)
{
    double *boundary = option_of(method, settings, "boundary"), *grid = option_of(method, settings, "grid");
    if (boundary && *boundary == 0) *boundary = problem->grid == NIGH_GRID_PERIODIC ? 2 : 1;
    if (grid && *grid == 0 && problem->grid != NIGH_GRID_UNKNOWN) *grid = problem->grid == NIGH_GRID_NODE ? 2 : problem->grid == NIGH_GRID_PERIODIC ? 3 : 1;
    if (grid && *grid == 0) *grid = boundary && *boundary == 2 ? 3 : 1;
}

void field_recipe_of(const nigh_method *method, const nigh_settings *settings, const field_shape *shape, int64_t steps, int64_t epoch_steps, field_recipe *recipe)
{
    const field_family *family = method->family;
    *recipe = (field_recipe){.optimiser = "adamw", .rate = {.kind = "cosine", .warm_up = steps / 20}};
    if (family->recipe) family->recipe(method, settings, shape, steps, epoch_steps, recipe);
    recipe->rate.base = nigh_setting(method, settings, "rate");
}

/* ---- the fit ------------------------------------------------------------------------------------------ */

typedef struct field_fit {
    const nigh_method *method;
    nigh_settings settings;
    nigh_shape in, out;
    field_shape shape;
    nigh_arena *arena;
    int64_t n, units;      /* samples; steps at most, 0: any */
    field_recipe recipe;
    int64_t in_count, out_count; /* means and deviations */
    float *x, *y, *weight; /* scaled inputs and outputs; 1 / |output| of each sample */
    float *base;           /* inputs as they are, for residuals in a loss of the answer itself; NULL otherwise */
    double *in_mean, *in_deviation, *out_mean, *out_deviation, *low, *high;
    nigh_network *net;
    nigh_batches *rows;
    nigh_training *training;
} field_fit;

/* Means and deviations of x[i % count]; 0 where only rounding differs. */
static void moments(int64_t all, int64_t count, const double *x, double *mean, double *deviation)
{
    double rows = (double)(all / count);
    for (int64_t c = 0; c < count; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = c; i < all; i += count) sum += x[i];
        mean[c] = sum / rows;
        for (int64_t i = c; i < all; i += count) squares += (x[i] - mean[c]) * (x[i] - mean[c]);
        deviation[c] = squares > 1e-28 * rows * mean[c] * mean[c] ? sqrt(squares / rows) : 0;
    }
}

static void find_range(int64_t all, int64_t channels, const double *x, double *low, double *high)
{
    for (int64_t c = 0; c < channels; c++) {
        low[c] = INFINITY, high[c] = -INFINITY;
        for (int64_t i = c; i < all; i += channels) low[c] = fmin(low[c], x[i]), high[c] = fmax(high[c], x[i]);
    }
}

static void scale(int64_t all, int64_t count, const double *x, const double *mean, const double *deviation, float *out)
{
    for (int64_t i = 0; i < all; i++) out[i] = deviation[i % count] > 0 ? (float)((x[i] - mean[i % count]) / deviation[i % count]) : 0;
}

/* One over the length of each sample's outputs, or of all of them in root mean square when the measure is not relative. */
static void weigh(field_fit *fit, const nigh_problem *problem, const double *y)
{
    int64_t width = fit->shape.points * fit->shape.out;
    bool relative = !strncmp(problem->measure->name, "relative", 8);
    double all = 0;
    for (int64_t i = 0; i < fit->n * width; i++) all += y[i] * y[i];
    all = all > 0 ? all / (double)fit->n : 1;
    for (int64_t i = 0; i < fit->n; i++) {
        double own = 0;
        for (int64_t k = 0; k < width; k++) own += y[i * width + k] * y[i * width + k];
        fit->weight[i] = (float)(1 / sqrt(relative && own > 0 ? own : all));
    }
}

static int64_t scaled_count(field_scaling how, const field_shape *shape, int64_t channels) { return how == FIELD_BY_POINT ? shape->points * channels : channels; }

void field_counts(const field_recipe *recipe, const field_shape *shape, int64_t *in, int64_t *out)
{
    *in = scaled_count(recipe->in, shape, shape->in), *out = scaled_count(recipe->out, shape, shape->out);
}

static nigh_status take_room(field_fit *fit)
{
    const field_shape *s = &fit->shape;
    struct { double **to; int64_t n; } numbers[] = {{&fit->in_mean, fit->in_count}, {&fit->in_deviation, fit->in_count}, {&fit->out_mean, fit->out_count},
                                                    {&fit->out_deviation, fit->out_count}, {&fit->low, s->in}, {&fit->high, s->in}};
    for (int i = 0; i < 6; i++)
        if (!(*numbers[i].to = nigh_arena_alloc(fit->arena, (size_t)numbers[i].n * sizeof(double)))) return NIGH_MEMORY;
    fit->x = nigh_arena_alloc(fit->arena, (size_t)(fit->n * s->points * s->in) * sizeof *fit->x);
    fit->y = nigh_arena_alloc(fit->arena, (size_t)(fit->n * s->points * s->out) * sizeof *fit->y);
    fit->weight = nigh_arena_alloc(fit->arena, (size_t)fit->n * sizeof *fit->weight);
    return fit->x && fit->y && fit->weight ? NIGH_OK : NIGH_MEMORY;
}

static void take_moments(field_scaling how, int64_t all, int64_t count, const double *x, double *mean, double *deviation)
{
    for (int64_t c = 0; how == FIELD_RAW && c < count; c++) mean[c] = 0, deviation[c] = 1;
    if (how != FIELD_RAW) moments(all, count, x, mean, deviation);
}

static nigh_status take_samples(field_fit *fit, const nigh_problem *problem, const nigh_samples *samples)
{
    const field_shape *s = &fit->shape;
    const double *x = samples->in, *y = samples->out;
    int64_t in = fit->n * s->points * s->in, out = fit->n * s->points * s->out;
    nigh_status status = take_room(fit);
    double *change = fit->recipe.residual && !status ? nigh_arena_alloc(fit->arena, (size_t)out * sizeof *change) : NULL;
    float *base = fit->recipe.residual && fit->recipe.h1 && !status ? nigh_arena_alloc(fit->arena, (size_t)in * sizeof *base) : NULL;
    if (status || (fit->recipe.residual && !change) || (fit->recipe.residual && fit->recipe.h1 && !base)) return NIGH_MEMORY;
    weigh(fit, problem, y);
    for (int64_t i = 0; change && i < out; i++) change[i] = y[i] - x[i];
    for (int64_t i = 0; base && i < in; i++) base[i] = (float)x[i];
    if (change) y = change;
    fit->base = base;
    take_moments(fit->recipe.in, in, fit->in_count, x, fit->in_mean, fit->in_deviation);
    for (int64_t c = 0; c < fit->in_count; c++) /* an input that never changed may change later */
        if (!(fit->in_deviation[c] > 0)) fit->in_deviation[c] = 1;
    take_moments(fit->recipe.out, out, fit->out_count, y, fit->out_mean, fit->out_deviation);
    find_range(in, s->in, x, fit->low, fit->high);
    scale(in, fit->in_count, x, fit->in_mean, fit->in_deviation, fit->x);
    scale(out, fit->out_count, y, fit->out_mean, fit->out_deviation, fit->y);
    for (int64_t k = 0; problem->low && k < s->points * s->in; k++) { /* the box of the problem, a channel at a time */
        fit->low[k % s->in] = fmin(fit->low[k % s->in], problem->low[k]);
        fit->high[k % s->in] = fmax(fit->high[k % s->in], problem->high[k]);
    }
    return NIGH_OK;
}

/* A constant of the outputs' means or deviations, to be broadcast over samples. */
static nigh_node constant_of(field_fit *fit, nigh_tape *t, const double *numbers)
{
    const field_shape *s = &fit->shape;
    int64_t dim[3] = {s->out};
    int ndim = 1;
    float *copy = nigh_arena_alloc(fit->arena, (size_t)fit->out_count * sizeof *copy);
    if (!copy) return NIGH_NONE;
    for (int64_t c = 0; c < fit->out_count; c++) copy[c] = (float)numbers[c];
    if (fit->out_count > s->out) {
        for (ndim = 0; ndim < s->dims; ndim++) dim[ndim] = s->size[ndim];
        dim[ndim++] = s->out;
    }
    return nigh_tape_constant(t, NIGH_F32, ndim, dim, copy);
}

/* Mean over samples of weight |deviation (answer - y)|. */
static nigh_node record_l2(field_fit *fit, const nigh_loss_call *call, nigh_node answer)
{
    nigh_tape *t = call->tape;
    nigh_node d = nigh_tape_mul(t, nigh_tape_sub(t, answer, call->batch[1]), constant_of(fit, t, fit->out_deviation));
    unsigned all = (1u << (fit->shape.dims + 2)) - 2;
    nigh_node squares = nigh_tape_sum(t, nigh_tape_square(t, d), all, false);
    nigh_node norm = nigh_tape_sqrt(t, nigh_tape_affine(t, squares, 1, 1e-30)); /* a slope at 0 */
    return nigh_tape_mean(t, nigh_tape_mul(t, norm, call->batch[2]), NIGH_ALL, false);
}

/* Of the fields as they are. */
static nigh_node record_h1(field_fit *fit, const nigh_loss_call *call, nigh_node answer)
{
    nigh_tape *t = call->tape;
    nigh_node side[2] = {answer, call->batch[1]}, mean = constant_of(fit, t, fit->out_mean), deviation = constant_of(fit, t, fit->out_deviation);
    for (int i = 0; i < 2; i++) {
        side[i] = nigh_tape_add(t, nigh_tape_mul(t, side[i], deviation), mean);
        if (fit->base) side[i] = nigh_tape_add(t, side[i], call->batch[3]);
    }
    return nigh_tape_relative_h1(t, side[0], side[1], NULL);
}

static nigh_node record(void *user, const nigh_loss_call *call)
{
    field_fit *fit = user;
    nigh_node answer;
    if (nigh_network_record(fit->net, call->tape, call->recording, &call->batch[0], call->parameters, &answer)) return NIGH_NONE;
    return fit->recipe.h1 ? record_h1(fit, call, answer) : record_l2(fit, call, answer);
}

/* Samples of a part of a batch: as many as leave intermediate results in the caches. */
static int64_t part_of(const field_fit *fit, int64_t batch)
{
    double channels = 32, each = (double)fit->shape.points * channels * sizeof(float);
    int64_t most = (int64_t)(PART_BYTES / each), part = batch;
    while (part > 1 && (part > most || batch % part)) part--;
    return part;
}

static nigh_status make_batches(nigh_context *ctx, field_fit *fit, int64_t part)
{
    const field_shape *s = &fit->shape;
    nigh_array arrays[4] = {{{NIGH_F32, s->dims + 2, {fit->n}}, fit->x}, {{NIGH_F32, s->dims + 2, {fit->n}}, fit->y}, {{NIGH_F32, 1, {fit->n}}, fit->weight},
                            {{NIGH_F32, s->dims + 2, {fit->n}}, fit->base}};
    for (int i = 0; i < 4; i++) {
        if (i == 2) continue;
        for (int k = 0; k < s->dims; k++) arrays[i].shape.dim[k + 1] = s->size[k];
        arrays[i].shape.dim[s->dims + 1] = i == 1 ? s->out : s->in;
    }
    return nigh_batches_arrays(ctx, fit->base ? 4 : 3, arrays, &(nigh_arrays_options){.batch = part}, &fit->rows);
}

static nigh_status make_training(nigh_context *ctx, field_fit *fit)
{
    const field_family *family = fit->method->family;
    int64_t batch = (int64_t)nigh_setting(fit->method, &fit->settings, "batch");
    if (batch > fit->n) batch = fit->n;
    int64_t steps = (int64_t)nigh_setting(fit->method, &fit->settings, "epochs") * (fit->n / batch);
    if (fit->units > 0 && steps > fit->units) steps = fit->units; /* the schedules are as long */
    field_recipe_of(fit->method, &fit->settings, &fit->shape, steps, fit->n / batch, &fit->recipe);
    int64_t part = fit->recipe.whole ? batch : part_of(fit, batch);
    nigh_status status = family->build(ctx, fit->method, &fit->settings, &fit->shape, &fit->net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(fit->net), nigh_context_seed(ctx));
    if (!status) status = make_batches(ctx, fit, part);
    if (status) return status;
    nigh_training_spec spec = nigh_training_defaults(fit->recipe.optimiser);
    spec.network = fit->net, spec.record = record, spec.user = fit;
    spec.batches = fit->rows;
    spec.accumulate = (int)(batch / part);
    spec.seed = nigh_context_seed(ctx);
    spec.rate = fit->recipe.rate;
    spec.decay = (nigh_schedule){.base = fit->recipe.decay};
    spec.clip = fit->recipe.clip;
    spec.steps = steps;
    return nigh_training_new(ctx, &spec, &fit->training);
}

void fields_abandon(nigh_context *ctx, void *state)
{
    field_fit *fit = state;
    if (!fit) return;
    nigh_training_free(fit->training);
    nigh_batches_free(fit->rows);
    nigh_network_free(fit->net);
    nigh_arena_free(fit->arena);
}

static nigh_status refuse_number(nigh_context *ctx, const char *what, const nigh_shape *shape, int64_t at, double value)
{
    int64_t width = nigh_shape_count(shape), rest = at % width, place[NIGH_MAX_DIMS];
    char text[NIGH_MAX_DIMS * 24];
    int length = 0;
    for (int k = shape->ndim - 1; k >= 0; k--) place[k] = rest % shape->dim[k], rest /= shape->dim[k];
    for (int k = 0; k < shape->ndim; k++) length += snprintf(text + length, sizeof text - (size_t)length, "%s%lld", k ? "," : "", (long long)place[k]);
    return nigh_fail(ctx, NIGH_INVALID, "%g at [%s] of row %lld of the %s; numbers of at most 1e30 are allowed", value, text, (long long)(at / width), what);
}

static nigh_status check_finite(nigh_context *ctx, const char *what, const nigh_shape *shape, int64_t n, const double *x)
{
    for (int64_t i = 0; i < n * nigh_shape_count(shape); i++)
        if (!isfinite(x[i]) || fabs(x[i]) > 1e30) return refuse_number(ctx, what, shape, i, x[i]);
    return NIGH_OK;
}

nigh_status fields_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    nigh_status status = nigh_settings_check(ctx, method, settings);
    if (!status) status = fields_supports(ctx, method, problem, settings);
    if (status) return status;
    if (!samples || samples->n < LEAST_ROWS)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s was given %lld samples to fit; at least %d are needed", method->name, (long long)(samples ? samples->n : 0), LEAST_ROWS);
    status = check_finite(ctx, "inputs", &problem->in, samples->n, samples->in);
    if (!status) status = check_finite(ctx, "outputs", &problem->out, samples->n, samples->out);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    field_fit *fit = nigh_arena_alloc_zero(arena, 1, sizeof *fit);
    if (!fit) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    *fit = (field_fit){.method = method, .settings = *settings, .in = problem->in, .out = problem->out, .arena = arena, .n = samples->n, .units = samples->units};
    field_shape_of(&problem->in, &problem->out, &fit->shape);
    settle(method, problem, &fit->settings);
    field_recipe_of(method, &fit->settings, &fit->shape, 1, 1, &fit->recipe);
    field_counts(&fit->recipe, &fit->shape, &fit->in_count, &fit->out_count);
    status = take_samples(fit, problem, samples);
    if (!status) status = make_training(ctx, fit);
    if (status) fields_abandon(ctx, fit);
    else *out = fit;
    return status;
}

nigh_status fields_advance(nigh_context *ctx, void *state, int64_t units, nigh_progress_point *point)
{
    field_fit *fit = state;
    nigh_status status = NIGH_OK;
    int64_t left = nigh_training_steps(fit->training) - nigh_training_step(fit->training);
    if (units > left) units = left;
    if (units > 0) status = nigh_training_advance(fit->training, units);
    if (status == NIGH_UNMET) return nigh_fail(ctx, NIGH_FAILED, "the training ran away: its loss is not finite; a smaller rate may help");
    if (status) return status;
    int64_t made = nigh_training_step(fit->training), total = nigh_training_steps(fit->training);
    *point = (nigh_progress_point){.units = made, .total = total, .loss = made ? nigh_training_loss(fit->training) : NAN, .done = made >= total};
    return NIGH_OK;
}

nigh_status fields_checkpoint(nigh_context *ctx, void *state, nigh_buffer *bytes) { return nigh_training_format(((field_fit *)state)->training, bytes); }

nigh_status fields_restore(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, const void *bytes,
                           size_t size, void **out)
{
    void *fit = NULL;
    nigh_status status = fields_start(ctx, method, problem, samples, settings, &fit);
    if (!status) status = nigh_training_parse(((field_fit *)fit)->training, bytes, size, "checkpoint");
    if (status) fields_abandon(ctx, fit);
    else *out = fit;
    return status;
}

/* The box: every point of a channel may have any value that the channel had anywhere. */
static nigh_status give_box(const field_fit *fit, nigh_plan *plan)
{
    int64_t width = fit->shape.points * fit->shape.in;
    plan->low = nigh_arena_alloc(plan->arena, (size_t)width * sizeof *plan->low);
    plan->high = nigh_arena_alloc(plan->arena, (size_t)width * sizeof *plan->high);
    if (!plan->low || !plan->high) return NIGH_MEMORY;
    for (int64_t k = 0; k < width; k++) plan->low[k] = fit->low[k % fit->shape.in], plan->high[k] = fit->high[k % fit->shape.in];
    return NIGH_OK;
}

nigh_status fields_finish(nigh_context *ctx, void *state, nigh_plan **out)
{
    field_fit *fit = state;
    nigh_plan *plan = NULL;
    if (!nigh_training_step(fit->training)) return nigh_fail(ctx, NIGH_INVALID, "%s was not fitted yet; advance it", fit->method->name);
    nigh_status status = field_plan_new(ctx, fit->method, &fit->settings, &fit->in, &fit->out, &plan);
    if (!status) status = give_box(fit, plan);
    const field_family *family = fit->method->family;
    if (!status && family->note) status = family->note(fit->method, &fit->settings, &fit->shape, plan->arena, &plan->note);
    if (!status) {
        field_plan *self = plan->state;
        nigh_parameters *from = nigh_network_parameters(fit->net), *to = nigh_network_parameters(self->net);
        size_t in = (size_t)fit->in_count * sizeof(double), outs = (size_t)fit->out_count * sizeof(double);
        memcpy(nigh_parameters_block(to), nigh_parameters_block(from), (size_t)nigh_parameters_size(from) * sizeof(float));
        memcpy(self->in_mean, fit->in_mean, in), memcpy(self->in_deviation, fit->in_deviation, in);
        memcpy(self->out_mean, fit->out_mean, outs), memcpy(self->out_deviation, fit->out_deviation, outs);
    }
    if (status) nigh_plan_free(ctx, plan);
    else *out = plan;
    return status;
}
