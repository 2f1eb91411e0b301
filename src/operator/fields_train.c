/* See fields_train.h. */
#include "operator/fields_train.h"

#include "grad/optimiser.h"

#include <math.h>
#include <string.h>

enum { SLOTS = 2 };

struct fields_trainer {
    nigh_context *ctx;
    fields_training spec;
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node x, y, scale, loss;
    nigh_node *parameter, *gradient; /* [count] */
    int count;
    int64_t size, in, out, steps;
    float *part, *sum;               /* gradients of a part, and of the parts so far; blocks as the parameters' */
    float *slot[SLOTS];
    float *weight;                   /* [batch] 1 / (|y| batch) */
    const optimiser *rule;
};

fields_training fields_training_defaults(void) { return (fields_training){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}; }

static nigh_shape with_samples(const nigh_shape *sample, int64_t n)
{
    nigh_shape s = {.dtype = NIGH_F32, .ndim = sample->ndim + 1, .dim = {n}};
    for (int i = 0; i < sample->ndim; i++) s.dim[i + 1] = sample->dim[i];
    return s;
}

/* The answer in the units of y. */
static nigh_node answer(fields_trainer *t, nigh_node raw)
{
    int64_t channels = t->spec.out.dim[t->spec.out.ndim - 1];
    if (!t->spec.mean) return raw;
    float *both = nigh_alloc(t->ctx, 2 * (size_t)channels * sizeof *both);
    if (!both) return NIGH_NONE;
    for (int64_t c = 0; c < channels; c++) both[c] = (float)t->spec.deviation[c], both[channels + c] = (float)t->spec.mean[c];
    nigh_node scaled = nigh_tape_mul(t->tape, raw, nigh_tape_constant(t->tape, NIGH_F32, 1, &channels, both));
    nigh_node shifted = nigh_tape_add(t->tape, scaled, nigh_tape_constant(t->tape, NIGH_F32, 1, &channels, both + channels));
    nigh_free(t->ctx, both);
    return shifted;
}

/* sum over samples of scale |answer - y| */
static nigh_status record_loss(fields_trainer *t)
{
    nigh_tape *tape = t->tape;
    nigh_shape in = with_samples(&t->spec.in, t->spec.micro), out = with_samples(&t->spec.out, t->spec.micro);
    t->x = nigh_tape_input(tape, "x", NIGH_F32, in.ndim, in.dim);
    t->y = nigh_tape_input(tape, "y", NIGH_F32, out.ndim, out.dim);
    t->scale = nigh_tape_input(tape, "scale", NIGH_F32, 1, &t->spec.micro);
    nigh_node raw;
    nigh_status status = nigh_parameters_record(nigh_network_parameters(t->spec.net), tape, t->parameter);
    if (!status) status = nigh_network_record(t->spec.net, tape, &(nigh_recording){.train = true}, &t->x, t->parameter, &raw);
    if (status) return status;
    const nigh_shape *have = nigh_tape_shape(tape, raw);
    bool same = have->ndim == out.ndim;
    for (int i = 0; same && i < out.ndim; i++) same = have->dim[i] == out.dim[i];
    if (!same) return nigh_fail(t->ctx, NIGH_INVALID, "the network gives arrays of another shape than the outputs of the samples");
    nigh_node d = nigh_tape_sub(tape, answer(t, raw), t->y), squares = nigh_tape_sum(tape, nigh_tape_square(tape, d), NIGH_ALL & ~1u & ((1u << out.ndim) - 1), false);
    nigh_node norm = nigh_tape_sqrt(tape, nigh_tape_affine(tape, squares, 1, 1e-30)); /* a slope at 0 */
    t->loss = nigh_tape_sum(tape, nigh_tape_mul(tape, norm, t->scale), 1, false);
    return nigh_tape_status(tape);
}

static nigh_status make_executor(fields_trainer *t)
{
    nigh_parameters *set = nigh_network_parameters(t->spec.net);
    nigh_status status = nigh_tape_gradient(t->tape, t->loss, NIGH_NONE, t->count, t->parameter, t->gradient);
    nigh_node *outputs = nigh_alloc(t->ctx, (size_t)(t->count + 1) * sizeof *outputs);
    if (!outputs) return NIGH_MEMORY;
    outputs[0] = t->loss;
    for (int i = 0; i < t->count; i++) outputs[i + 1] = t->gradient[i];
    if (!status) status = nigh_executor_new(t->ctx, t->tape, t->count + 1, outputs, &t->run);
    nigh_free(t->ctx, outputs);
    if (!status) status = nigh_parameters_bind(set, t->run, t->parameter);
    for (int i = 0; i < t->count && !status; i++) status = nigh_executor_bind(t->run, t->gradient[i], t->part + nigh_parameters_at(set, i)->offset);
    return status;
}

nigh_status fields_trainer_new(nigh_context *ctx, const fields_training *spec, fields_trainer **out)
{
    if (spec->micro < 1 || spec->batch < 1 || spec->batch % spec->micro)
        return nigh_fail(ctx, NIGH_INVALID, "fields: a batch of %lld in parts of %lld; the parts must divide it", (long long)spec->batch, (long long)spec->micro);
    fields_trainer *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    nigh_parameters *set = nigh_network_parameters(spec->net);
    t->ctx = ctx, t->spec = *spec;
    t->count = nigh_parameters_count(set), t->size = nigh_parameters_size(set);
    t->in = nigh_shape_count(&spec->in), t->out = nigh_shape_count(&spec->out);
    nigh_status status = optimiser_find(ctx, "adamw", &t->rule);
    size_t bytes = (size_t)t->size * sizeof(float), nodes = (size_t)(t->count + 1) * sizeof(nigh_node);
    t->parameter = nigh_alloc(ctx, nodes), t->gradient = nigh_alloc(ctx, nodes);
    t->part = nigh_alloc_zero(ctx, bytes, 1);
    t->sum = spec->micro < spec->batch ? nigh_alloc_zero(ctx, bytes, 1) : t->part;
    t->slot[0] = nigh_alloc_zero(ctx, bytes, 1), t->slot[1] = nigh_alloc_zero(ctx, bytes, 1);
    t->weight = nigh_alloc(ctx, (size_t)spec->batch * sizeof *t->weight);
    if (!status && !(t->parameter && t->gradient && t->part && t->sum && t->slot[0] && t->slot[1] && t->weight)) status = NIGH_MEMORY;
    if (!status) status = nigh_tape_new(ctx, &t->tape);
    if (!status) status = record_loss(t);
    if (!status) status = make_executor(t);
    if (status) fields_trainer_free(t);
    else *out = t;
    return status;
}

void fields_trainer_free(fields_trainer *t)
{
    if (!t) return;
    nigh_context *ctx = t->ctx;
    nigh_executor_free(t->run);
    nigh_tape_free(t->tape);
    if (t->sum != t->part) nigh_free(ctx, t->sum);
    nigh_free(ctx, t->part);
    nigh_free(ctx, t->slot[0]);
    nigh_free(ctx, t->slot[1]);
    nigh_free(ctx, t->weight);
    nigh_free(ctx, t->parameter);
    nigh_free(ctx, t->gradient);
    nigh_free(ctx, t);
}

int64_t *fields_trainer_steps(fields_trainer *t) { return &t->steps; }
float *fields_trainer_slot(fields_trainer *t, int i) { return t->slot[i]; }
nigh_executor *fields_trainer_executor(fields_trainer *t) { return t->run; }

/* 1 / |y| of each sample; a field of zeros counts as one of length 1. */
static void weigh(fields_trainer *t, const float *y)
{
    for (int64_t i = 0; i < t->spec.batch; i++) {
        double squares = optimiser_squares_f32(t->out, y + i * t->out, 1);
        t->weight[i] = (float)(1 / ((squares > 0 ? sqrt(squares) : 1) * (double)t->spec.batch));
    }
}

enum { PIECES = 64 };

static void accumulate(fields_trainer *t, bool first)
{
    int threads = nigh_context_threads(t->ctx);
    if (t->sum == t->part) return;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int piece = 0; piece < PIECES; piece++) {
        int64_t from = t->size * piece / PIECES, to = t->size * (piece + 1) / PIECES;
        for (int64_t i = from; i < to; i++) t->sum[i] = first ? t->part[i] : t->sum[i] + t->part[i];
    }
}

static void update(fields_trainer *t, double rate)
{
    int threads = nigh_context_threads(t->ctx);
    optimiser_step step = {.settings = {.rate = rate, .beta1 = t->spec.beta1, .beta2 = t->spec.beta2, .epsilon = t->spec.epsilon, .decay = t->spec.decay},
                           .number = t->steps, .gradient_scale = 1};
    float *p = nigh_parameters_block(nigh_network_parameters(t->spec.net));
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int piece = 0; piece < PIECES; piece++) {
        int64_t from = t->size * piece / PIECES, n = t->size * (piece + 1) / PIECES - from;
        float *slots[SLOTS] = {t->slot[0] + from, t->slot[1] + from};
        optimiser_update_f32(t->rule, &step, n, p + from, t->sum + from, slots);
    }
}

nigh_status fields_trainer_step(fields_trainer *t, double rate, const float *x, const float *y, double *loss)
{
    double total = 0;
    nigh_status status = NIGH_OK;
    weigh(t, y);
    for (int64_t i = 0; i < t->spec.batch && !status; i += t->spec.micro) {
        status = nigh_executor_bind(t->run, t->x, (void *)(x + i * t->in));
        if (!status) status = nigh_executor_bind(t->run, t->y, (void *)(y + i * t->out));
        if (!status) status = nigh_executor_bind(t->run, t->scale, t->weight + i);
        if (!status) status = nigh_executor_run(t->run);
        if (!status) total += *(const float *)nigh_executor_data(t->run, t->loss);
        if (!status) accumulate(t, i == 0);
    }
    if (status) return status;
    if (!isfinite(total)) return nigh_fail(t->ctx, NIGH_UNMET, "the training loss is not finite at step %lld", (long long)t->steps + 1);
    t->steps++;
    update(t, rate);
    *loss = total;
    return NIGH_OK;
}
