/* Training by interval bounds: boxes of each batch, the loss, schedules. Declared in nigh/certified_training.h. */
#include "verify/certified_training_ibp.h"

#include <math.h>
#include <string.h>

#include "nigh/attack.h"
#include "nigh/operators_rows.h"

enum { X, LOW, HIGH, LABELS, WEIGHT, ARRAYS }; /* of a batch */
enum { MOST_OUTPUTS = 64 };

struct nigh_certified {
    nigh_context *ctx;
    nigh_network *net;
    nigh_certified_options options;
    char *checkpoint;
    int64_t rows, each, epoch, steps;
    float *weight;                       /* zeros [rows]: what the hook writes the regularisers' weight over */
    float *valid_low, *valid_high, *valid_weight;
    nigh_batches *batches, *validation;
    nigh_attack *attack;
    nigh_training *training;
};

const char *nigh_certified_method_name(nigh_certified_method method)
{
    static const char *const names[] = {"standard", "pgd", "ibp", "sabr"};
    return (unsigned)method < sizeof names / sizeof *names ? names[method] : NULL;
}

nigh_certified_options nigh_certified_defaults(nigh_certified_method method)
{
    bool boxes = method == NIGH_CERTIFIED_IBP || method == NIGH_CERTIFIED_SABR;
    return (nigh_certified_options){.method = method, .radius = 0.1, .low = 0, .high = 1, .lambda = 0.4, .epochs = 30, .ramp = boxes ? 0.3 : 0, .batch = 128, .rate = 2e-3,
                                    .clip = 10, .attack_steps = 8, .tolerance = 0.5};
}

/* ---- beginning ------------------------------------------------------------------------------------------------------ */

static bool has_units(const nigh_layer *layer)
{
    return layer->parameters > 0 && (!strcmp(layer->kind, "linear") || !strcmp(layer->kind, "conv") || !strcmp(layer->kind, "conv-transpose"));
}

static void draw_layer(nigh_parameters *set, const nigh_layer *layer, uint64_t seed)
{
    const nigh_parameter *w = nigh_parameters_at(set, layer->parameter[0]);
    int64_t count = nigh_shape_count(&w->shape), units = w->shape.dim[w->shape.ndim - 1];
    void *data = nigh_parameters_data(set, layer->parameter[0]);
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)layer->parameter[0]);
    double deviation = sqrt(2 * 3.14159265358979323846) * (double)units / (double)count;
    for (int64_t i = 0; i < count; i++) {
        double value = deviation * nigh_rng_normal(&rng);
        if (w->shape.dtype == NIGH_F32) ((float *)data)[i] = (float)value;
        else ((double *)data)[i] = value;
    }
    if (layer->parameters < 2) return;
    const nigh_parameter *b = nigh_parameters_at(set, layer->parameter[1]);
    memset(nigh_parameters_data(set, layer->parameter[1]), 0, (size_t)nigh_shape_count(&b->shape) * nigh_dtype_size(b->shape.dtype));
}

nigh_status nigh_certified_draw(nigh_network *net, uint64_t seed)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_status status = nigh_parameters_draw(set, nigh_seed_split(seed, 1));
    for (int i = 0; i < nigh_network_layers(net) && !status; i++)
        if (has_units(nigh_network_at(net, i)) && !nigh_parameters_at(set, nigh_network_at(net, i)->parameter[0])->frozen) draw_layer(set, nigh_network_at(net, i), seed);
    return status;
}

/* ---- the radius ----------------------------------------------------------------------------------------------------- */

double nigh_certified_ramp(double share)
{
    const double corner = 0.25, whole = corner * corner * corner * (corner + 4 * (1 - corner)); /* of share^4 continued by its tangent */
    if (!(share > 0)) return 0;
    if (share >= 1) return 1;
    if (share < corner) return share * share * share * share / whole;
    return corner * corner * corner * (corner + 4 * (share - corner)) / whole;
}

double nigh_certified_radius_at(const nigh_certified *it, int64_t step)
{
    double ramp = it->options.ramp * (double)it->steps;
    if (it->options.method == NIGH_CERTIFIED_STANDARD) return 0;
    return ramp < 1 ? it->options.radius : it->options.radius * nigh_certified_ramp((double)step / ramp);
}

/* ---- boxes of a batch ------------------------------------------------------------------------------------------------ */

static void boxes_around(const nigh_certified_options *o, int64_t n, const float *x, double radius, float *low, float *high)
{
    float least = (float)o->low, most = (float)o->high, r = (float)radius;
    for (int64_t i = 0; i < n; i++) {
        float a = x[i] - r, b = x[i] + r;
        low[i] = a > least ? a : least;
        high[i] = b < most ? b : most;
    }
}

static nigh_status before(void *user, nigh_training *training, int64_t step, int form, void *const *data)
{
    nigh_certified *it = user;
    const nigh_certified_options *o = &it->options;
    double radius = nigh_certified_radius_at(it, step), inner = o->method == NIGH_CERTIFIED_SABR ? o->lambda * radius : radius;
    nigh_status status = NIGH_OK;
    (void)training, (void)form;
    if (it->attack) { /* clean images stay in X for the statistics of a batch, but for PGD, which trains on what was found */
        nigh_attack_set_radius(it->attack, o->method == NIGH_CERTIFIED_SABR ? radius - inner : radius);
        void *found = o->method == NIGH_CERTIFIED_PGD ? data[X] : data[LOW];
        status = nigh_attack_run(it->attack, data[X], data[LABELS], nigh_seed_split(o->seed, (uint64_t)step), found, NULL);
    }
    if (status || o->method == NIGH_CERTIFIED_STANDARD || o->method == NIGH_CERTIFIED_PGD) return status;
    boxes_around(o, o->batch * it->each, it->attack ? data[LOW] : data[X], inner, data[LOW], data[HIGH]);
    float weight = (float)(o->regulariser * (1 - radius / o->radius));
    for (int64_t i = 0; i < o->batch; i++) ((float *)data[WEIGHT])[i] = weight;
    return NIGH_OK;
}

/* ---- the loss -------------------------------------------------------------------------------------------------------- */

static nigh_node add_l1(const nigh_certified *it, const nigh_loss_call *call, nigh_node loss)
{
    for (int i = 0; i < nigh_network_layers(it->net) && it->options.l1 > 0; i++) {
        const nigh_layer *layer = nigh_network_at(it->net, i);
        if (!has_units(layer)) continue;
        nigh_node sum = nigh_tape_sum(call->tape, nigh_tape_abs(call->tape, call->parameters[layer->parameter[0]]), NIGH_ALL, false);
        loss = nigh_tape_add(call->tape, loss, nigh_tape_scale(call->tape, sum, it->options.l1));
    }
    return loss;
}

/* Accuracy, and the share of rows whose bounds of margins are all below 0 but for the label's own. */
static nigh_status put_metrics(const nigh_loss_call *call, nigh_node outputs, nigh_node upper)
{
    nigh_tape *t = call->tape;
    if (call->train) {
        call->metric[0] = call->metric[1] = nigh_tape_fill(t, NIGH_F32, 0, NULL, 0);
        return nigh_tape_status(t);
    }
    const nigh_shape *s = nigh_tape_shape(t, upper);
    if (!s) return nigh_tape_status(t);
    nigh_node zero = nigh_tape_fill(t, NIGH_F32, s->ndim, s->dim, 0), below = nigh_tape_sum(t, nigh_tape_greater(t, zero, upper), 1u << 1, false);
    call->metric[0] = nigh_metric_accuracy(t, outputs, call->batch[LABELS]);
    call->metric[1] = nigh_tape_mean(t, nigh_tape_greater_equal(t, below, nigh_tape_fill(t, NIGH_F32, 1, &s->dim[0], (double)s->dim[1] - 1)), NIGH_ALL, false);
    return nigh_tape_status(t);
}

static bool has_norms(nigh_network *net)
{
    for (int i = 0; i < nigh_network_layers(net); i++)
        if (!strcmp(nigh_network_at(net, i)->kind, "batch-norm")) return true;
    return false;
}

static nigh_node record(void *user, const nigh_loss_call *call)
{
    nigh_certified *it = user;
    const nigh_certified_options *o = &it->options;
    nigh_tape *t = call->tape;
    bool boxes = o->method == NIGH_CERTIFIED_IBP || o->method == NIGH_CERTIFIED_SABR, norms = has_norms(it->net);
    nigh_node outputs[MOST_OUTPUTS] = {NIGH_NONE}, statistic[NIGH_MAX_UPDATES];
    nigh_box_recording r = {.network = it->net, .tape = t, .parameters = call->parameters, .low = call->batch[LOW], .high = call->batch[HIGH], .labels = call->batch[LABELS],
                            .whole = o->whole, .tolerance = boxes && call->train && o->regulariser > 0 ? o->tolerance : 0, .upper = NIGH_NONE};
    nigh_status status = NIGH_OK;
    if (!boxes || norms || !call->train)
        status = nigh_record_statistics(it->net, t, call->recording, call->batch[X], call->parameters, NIGH_MAX_UPDATES / 2, statistic, outputs);
    if (norms && call->train) r.statistics = statistic;
    if (!status && (boxes || !call->train)) status = nigh_record_boxes(&r);
    if (!status) status = put_metrics(call, outputs[0], r.upper);
    if (status) return NIGH_NONE;
    nigh_node loss = nigh_tape_mean(t, nigh_tape_cross_entropy_rows(t, boxes ? r.upper : outputs[0], call->batch[LABELS], 0), NIGH_ALL, false);
    if (r.tightness != NIGH_NONE && r.tolerance > 0) {
        nigh_node weight = nigh_tape_mean(t, call->batch[WEIGHT], NIGH_ALL, false);
        loss = nigh_tape_add(t, loss, nigh_tape_mul(t, weight, nigh_tape_add(t, r.tightness, r.balance)));
    }
    return add_l1(it, call, loss);
}

/* ---- checks ----------------------------------------------------------------------------------------------------------- */

static nigh_status check_options(nigh_context *ctx, const nigh_certified_options *o)
{
    if (!nigh_certified_method_name(o->method)) return nigh_fail(ctx, NIGH_INVALID, "method is %d; 0 to 3 is allowed", (int)o->method);
    if (!(o->low < o->high) || !isfinite(o->high - o->low)) return nigh_fail(ctx, NIGH_INVALID, "the range of the data is %g to %g; low must be below high", o->low, o->high);
    if (o->method != NIGH_CERTIFIED_STANDARD && !(o->radius > 0 && o->radius <= 0.5 * (o->high - o->low)))
        return nigh_fail(ctx, NIGH_INVALID, "radius is %g; above 0 and at most half the range, %g, is allowed", o->radius, 0.5 * (o->high - o->low));
    if (o->method == NIGH_CERTIFIED_SABR && !(o->lambda > 0 && o->lambda <= 1)) return nigh_fail(ctx, NIGH_INVALID, "lambda is %g; above 0 to 1 is allowed", o->lambda);
    if (!(o->ramp >= 0 && o->ramp <= 1)) return nigh_fail(ctx, NIGH_INVALID, "ramp is %g; 0 to 1 (a share of the steps) is allowed", o->ramp);
    if (o->epochs < 1) return nigh_fail(ctx, NIGH_INVALID, "epochs is %lld; 1 or more is allowed", (long long)o->epochs);
    if (o->batch < 1) return nigh_fail(ctx, NIGH_INVALID, "batch is %lld; 1 or more is allowed", (long long)o->batch);
    if (!(o->rate > 0 && o->rate < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "rate is %g; above 0 is allowed", o->rate);
    if (o->attack_steps < 1) return nigh_fail(ctx, NIGH_INVALID, "attack_steps is %d; 1 or more is allowed", o->attack_steps);
    if (!(o->regulariser >= 0 && o->l1 >= 0 && o->tolerance > 0)) return nigh_fail(ctx, NIGH_INVALID, "regulariser, l1 and tolerance are %g, %g and %g; 0 or more, tolerance above 0 is allowed",
                                                                                   o->regulariser, o->l1, o->tolerance);
    if (!o->validation != !o->validation_labels) return nigh_fail(ctx, NIGH_INVALID, "validation samples and labels go together");
    if (o->validation && !(o->validation_radius > 0)) return nigh_fail(ctx, NIGH_INVALID, "validation_radius is %g; above 0 is allowed", o->validation_radius);
    return NIGH_OK;
}

nigh_status box_check_samples(nigh_context *ctx, nigh_network *net, const nigh_array *x, const nigh_array *labels, double low, double high, int64_t *classes)
{
    if (nigh_parameters_dtype(nigh_network_parameters(net)) != NIGH_F32) return nigh_fail(ctx, NIGH_INVALID, "the network is f64; an f32 network is needed");
    if (x->shape.dtype != NIGH_F32 || x->shape.ndim < 2 || x->shape.dim[0] < 1) return nigh_fail(ctx, NIGH_INVALID, "samples must be f32 [n, ...], n 1 or more");
    if (nigh_network_inputs(net) != 1 || nigh_network_outputs(net) < 1 || nigh_network_outputs(net) > MOST_OUTPUTS)
        return nigh_fail(ctx, NIGH_INVALID, "the network has %d inputs and %d outputs; one input and an output are needed", nigh_network_inputs(net), nigh_network_outputs(net));
    nigh_tape *t = NULL;
    nigh_node outputs[MOST_OUTPUTS], *parameters = nigh_alloc(ctx, (size_t)(nigh_parameters_count(nigh_network_parameters(net)) + 1) * sizeof *parameters);
    nigh_status status = parameters ? nigh_tape_new(ctx, &t) : NIGH_MEMORY;
    if (!status) status = nigh_parameters_record(nigh_network_parameters(net), t, parameters);
    nigh_node in = status ? NIGH_NONE : nigh_tape_input(t, "x", NIGH_F32, x->shape.ndim, x->shape.dim);
    if (!status) status = nigh_network_record(net, t, NULL, &in, parameters, outputs);
    const nigh_shape *out = status ? NULL : nigh_tape_shape(t, outputs[0]);
    if (out && (out->ndim != 2 || out->dim[0] != x->shape.dim[0])) status = nigh_fail(ctx, NIGH_INVALID, "the network's output is not [n, classes]");
    else if (out) *classes = out->dim[1];
    nigh_tape_free(t);
    nigh_free(ctx, parameters);
    if (status) return status;
    int64_t each = nigh_shape_count(&x->shape) / x->shape.dim[0];
    for (int64_t i = 0; i < nigh_shape_count(&x->shape); i++) {
        double value = ((const float *)x->data)[i];
        if (!(value >= low && value <= high)) return nigh_fail(ctx, NIGH_INVALID, "sample %lld holds %g; the range of the data is %g to %g", (long long)(i / each), value, low, high);
    }
    if (!labels) return NIGH_OK;
    if (labels->shape.dtype != NIGH_I32 || labels->shape.ndim != 1 || labels->shape.dim[0] != x->shape.dim[0])
        return nigh_fail(ctx, NIGH_INVALID, "labels must be i32 [%lld], one for each sample", (long long)x->shape.dim[0]);
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        int32_t label = ((const int32_t *)labels->data)[i];
        if (label < 0 || label >= *classes) return nigh_fail(ctx, NIGH_INVALID, "label %lld is %d; the network has classes 0 to %lld", (long long)i, (int)label, (long long)*classes - 1);
    }
    return NIGH_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static nigh_status make_validation(nigh_certified *it)
{
    const nigh_array *x = it->options.validation;
    int64_t n = x->shape.dim[0], all = nigh_shape_count(&x->shape);
    it->valid_low = nigh_alloc(it->ctx, (size_t)all * sizeof(float));
    it->valid_high = nigh_alloc(it->ctx, (size_t)all * sizeof(float));
    it->valid_weight = nigh_alloc_zero(it->ctx, (size_t)n, sizeof(float));
    if (!it->valid_low || !it->valid_high || !it->valid_weight) return NIGH_MEMORY;
    boxes_around(&it->options, all, x->data, it->options.validation_radius, it->valid_low, it->valid_high);
    nigh_array low = *x, high = *x, weight = {.shape = {.dtype = NIGH_F32, .ndim = 1, .dim = {n}}, .data = it->valid_weight};
    low.data = it->valid_low, high.data = it->valid_high;
    nigh_array arrays[ARRAYS] = {[X] = *x, [LOW] = low, [HIGH] = high, [LABELS] = *it->options.validation_labels, [WEIGHT] = weight};
    nigh_arrays_options how = {.batch = n < 250 ? n : 250, .in_order = true, .keep_last = true};
    return nigh_batches_arrays(it->ctx, ARRAYS, arrays, &how, &it->validation);
}

static nigh_status make_batches(nigh_certified *it, const nigh_array *x, const nigh_array *labels)
{
    it->weight = nigh_alloc_zero(it->ctx, (size_t)it->rows, sizeof *it->weight);
    if (!it->weight) return NIGH_MEMORY;
    nigh_array weight = {.shape = {.dtype = NIGH_F32, .ndim = 1, .dim = {it->rows}}, .data = it->weight};
    nigh_array arrays[ARRAYS] = {[X] = *x, [LOW] = *x, [HIGH] = *x, [LABELS] = *labels, [WEIGHT] = weight};
    nigh_status status = nigh_batches_arrays(it->ctx, ARRAYS, arrays, &(nigh_arrays_options){.batch = it->options.batch}, &it->batches);
    if (status) return status;
    it->epoch = nigh_batches_epoch(it->batches);
    it->steps = it->options.epochs * it->epoch;
    return it->options.validation ? make_validation(it) : NIGH_OK;
}

static nigh_status make_attack(nigh_certified *it, const nigh_array *x)
{
    const nigh_certified_options *o = &it->options;
    nigh_attack_spec spec = {.network = it->net, .x = x->shape, .y = {.dtype = NIGH_I32, .ndim = 1, .dim = {o->batch}}, .radius = o->radius, .low = o->low, .high = o->high,
                             .steps = o->attack_steps, .random_start = true};
    spec.x.dim[0] = o->batch;
    return nigh_attack_new(it->ctx, &spec, &it->attack);
}

static nigh_status make_training(nigh_certified *it)
{
    const nigh_certified_options *o = &it->options;
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = it->net, spec.parameters = nigh_network_parameters(it->net);
    spec.record = record, spec.user = it, spec.before = before;
    spec.metrics = 2;
    spec.batches = it->batches, spec.validation = it->validation;
    spec.steps = it->steps;
    spec.seed = o->seed;
    spec.clip = o->clip;
    /* "step" falls each period after warm_up, which leaves the rate as it is */
    spec.rate = (nigh_schedule){.kind = "step", .base = o->rate, .start = o->rate, .warm_up = 4 * it->steps / 7, .period = it->steps / 7 + 1, .factor = 0.2};
    spec.log_every = it->epoch;
    spec.checkpoint = it->checkpoint, spec.checkpoint_every = o->checkpoint_every ? o->checkpoint_every : it->epoch;
    return nigh_training_new(it->ctx, &spec, &it->training);
}

static nigh_status make(nigh_certified *it, const nigh_array *x, const nigh_array *labels)
{
    nigh_certified_options *o = &it->options;
    bool boxes = o->method == NIGH_CERTIFIED_IBP || o->method == NIGH_CERTIFIED_SABR;
    int64_t classes;
    int last;
    nigh_status status = check_options(it->ctx, o);
    if (!status) status = box_check_samples(it->ctx, it->net, x, labels, o->low, o->high, &classes);
    if (!status && o->validation) status = box_check_samples(it->ctx, it->net, o->validation, o->validation_labels, o->low, o->high, &classes);
    if (!status && !o->whole) status = box_last_linear(it->net, &last);
    if (status) return status;
    it->rows = x->shape.dim[0];
    it->each = nigh_shape_count(&x->shape) / it->rows;
    if (o->batch > it->rows) o->batch = it->rows;
    if (o->checkpoint && !(it->checkpoint = nigh_strdup(it->ctx, o->checkpoint))) return NIGH_MEMORY;
    if (!o->keep_weights) status = boxes ? nigh_certified_draw(it->net, o->seed) : nigh_parameters_draw(nigh_network_parameters(it->net), o->seed);
    if (!status) status = make_batches(it, x, labels);
    if (!status && (o->method == NIGH_CERTIFIED_PGD || (o->method == NIGH_CERTIFIED_SABR && o->lambda < 1))) status = make_attack(it, x);
    return status ? status : make_training(it);
}

nigh_status nigh_certified_new(nigh_context *ctx, nigh_network *net, const nigh_array *x, const nigh_array *labels, const nigh_certified_options *options, nigh_certified **out)
{
    nigh_certified *it = nigh_alloc_zero(ctx, 1, sizeof *it);
    if (!it) return NIGH_MEMORY;
    *it = (nigh_certified){.ctx = ctx, .net = net, .options = *options};
    nigh_status status = make(it, x, labels);
    if (status) nigh_certified_free(it);
    else *out = it;
    return status;
}

void nigh_certified_free(nigh_certified *it)
{
    if (!it) return;
    nigh_training_free(it->training);
    nigh_attack_free(it->attack);
    nigh_batches_free(it->batches);
    nigh_batches_free(it->validation);
    nigh_free(it->ctx, it->weight);
    nigh_free(it->ctx, it->valid_low);
    nigh_free(it->ctx, it->valid_high);
    nigh_free(it->ctx, it->valid_weight);
    nigh_free(it->ctx, it->checkpoint);
    nigh_free(it->ctx, it);
}

nigh_training *nigh_certified_training(nigh_certified *it) { return it->training; }

static nigh_status advise(nigh_certified *it, nigh_status status)
{
    if (status != NIGH_UNMET || it->options.method < NIGH_CERTIFIED_IBP) return status;
    return nigh_within(it->ctx, status, "bounds blew up at radius %.3g of %.3g (a longer ramp, a smaller rate or weights drawn for boxes help)",
                       nigh_certified_radius_at(it, nigh_training_step(it->training)), it->options.radius);
}

nigh_status nigh_certified_run(nigh_certified *it) { return advise(it, nigh_training_run(it->training)); }
nigh_status nigh_certified_advance(nigh_certified *it, int64_t steps) { return advise(it, nigh_training_advance(it->training, steps)); }
