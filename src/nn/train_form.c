/* The loss of each form of a source: recorded with its gradients, compiled, bound to the training's memory. */
#include "nn/train.h"

#include <string.h>

#include "grad/tape.h"
#include "nigh/operators_rows.h"

static size_t bytes_of(const nigh_shape *shape) { return (size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype); }

static void form_free(nigh_context *ctx, train_form *f)
{
    nigh_executor_free(f->run);
    nigh_tape_free(f->tape);
    for (int i = 0; i < f->width; i++) nigh_free(ctx, f->data[i]);
    nigh_free(ctx, f->parameters);
    nigh_free(ctx, f->teacher);
    nigh_free(ctx, f->copy);
    nigh_free(ctx, f->update);
    nigh_free(ctx, f->updated);
}

void train_set_free(nigh_context *ctx, train_set *set)
{
    for (int i = 0; i < set->forms; i++) form_free(ctx, &set->form[i]);
    nigh_free(ctx, set->form);
    set->form = NULL;
    set->forms = 0;
}

/* ---- the loss ------------------------------------------------------------------------------------------- */

static nigh_status built_in_loss(nigh_training *t, const nigh_loss_call *call, nigh_node *loss)
{
    nigh_network *net = t->spec.network;
    nigh_node outputs[64];
    int inputs = nigh_network_inputs(net);
    if (call->arrays < inputs + 1)
        return nigh_fail(t->ctx, NIGH_INVALID, "batches of %d arrays; the network's %d inputs and a target are needed", call->arrays, inputs);
    if (nigh_network_outputs(net) < 1) return nigh_fail(t->ctx, NIGH_INVALID, "the network has no output");
    nigh_status status = nigh_network_record(net, call->tape, call->recording, call->batch, call->parameters, outputs);
    if (status) return status;
    nigh_node target = call->batch[inputs];
    switch (t->spec.loss) {
    case NIGH_LOSS_MSE: *loss = nigh_tape_mse(call->tape, outputs[0], target); break;
    case NIGH_LOSS_RELATIVE_L2: *loss = nigh_tape_relative_l2(call->tape, outputs[0], target); break;
    default:
        if (t->spec.metrics) call->metric[0] = nigh_metric_accuracy(call->tape, outputs[0], target);
        *loss = nigh_tape_cross_entropy(call->tape, outputs[0], target, NIGH_NONE, -1, 0);
    }
    return nigh_tape_status(call->tape);
}

static nigh_status check_number(nigh_training *t, nigh_tape *tape, const char *what, nigh_node node)
{
    if (nigh_tape_status(tape)) return nigh_tape_status(tape);
    const nigh_shape *shape = nigh_tape_shape(tape, node);
    char text[TAPE_SHAPE_TEXT];
    if (!shape) return *nigh_message(t->ctx) ? NIGH_INVALID : nigh_fail(t->ctx, NIGH_INVALID, "the %s was not recorded", what);
    if (nigh_shape_count(shape) != 1 || shape->dtype != t->dtype)
        return nigh_fail(t->ctx, NIGH_INVALID, "the %s is %s; one number of type %s is needed", what, tape_shape_text(shape, text), nigh_dtype_name(t->dtype));
    return NIGH_OK;
}

static nigh_status record_batch(nigh_training *t, train_form *f, const batches_form *form, nigh_node *batch)
{
    f->width = form->width;
    f->samples = form->samples;
    for (int i = 0; i < form->width; i++) {
        char name[32];
        snprintf(name, sizeof name, "array %d of the batch", i);
        size_t bytes = bytes_of(&form->shape[i]);
        if (!(f->data[i] = nigh_alloc_zero(t->ctx, bytes ? bytes : 1, 1))) return NIGH_MEMORY;
        batch[i] = nigh_tape_input(f->tape, name, form->shape[i].dtype, form->shape[i].ndim, form->shape[i].dim);
    }
    return nigh_tape_status(f->tape);
}

typedef struct recorded {
    nigh_node loss, batch[NIGH_TRAIN_ARRAYS], scalar[NIGH_TRAIN_SCALARS], metric[NIGH_TRAIN_METRICS];
} recorded;

static nigh_status record_loss(nigh_training *t, const train_set *set, int index, nigh_recording *how, recorded *r)
{
    train_form *f = &set->form[index];
    const nigh_training_spec *spec = &t->spec;
    size_t count = (size_t)nigh_parameters_count(t->parameters);
    nigh_node *given = nigh_alloc(t->ctx, 2 * count * sizeof *given);
    f->parameters = nigh_alloc(t->ctx, count * sizeof *f->parameters);
    f->teacher = nigh_alloc(t->ctx, count * sizeof *f->teacher);
    f->updated = nigh_alloc_zero(t->ctx, count, sizeof *f->updated);
    nigh_status status = given && f->parameters && f->teacher && f->updated ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = nigh_parameters_record(t->parameters, f->tape, f->parameters);
    if (!status && spec->average) status = nigh_parameters_record(t->parameters, f->tape, f->teacher);
    if (status) goto done;
    memcpy(given, f->parameters, count * sizeof *given);
    status = nigh_lora_record(t->parameters, f->tape, given);
    if (!status && spec->average) {
        memcpy(given + count, f->teacher, count * sizeof *given);
        status = nigh_lora_record(t->parameters, f->tape, given + count);
    }
    for (int i = 0; i < spec->scalars; i++) r->scalar[i] = nigh_tape_input(f->tape, "a scalar of the schedule", t->dtype, 0, NULL);
    for (int i = 0; i < NIGH_TRAIN_METRICS; i++) r->metric[i] = NIGH_NONE;
    if (status) goto done;
    nigh_loss_call call = {.tape = f->tape, .train = set->train, .form = index, .arrays = f->width, .batch = r->batch, .parameters = given,
                           .teacher = spec->average ? given + count : NULL, .scalar = r->scalar, .recording = how, .metric = r->metric};
    r->loss = NIGH_NONE;
    if (spec->record) r->loss = spec->record(spec->user, &call);
    else status = built_in_loss(t, &call, &r->loss);
    if (!status) status = check_number(t, f->tape, "loss", r->loss);
    for (int i = 0; i < spec->metrics && !status; i++) status = check_number(t, f->tape, "metric", r->metric[i]);
done:
    nigh_free(t->ctx, given);
    return status;
}

/* ---- compiling ------------------------------------------------------------------------------------------ */

/* The nodes that one executor computes: loss, metrics, updates, gradients. */
typedef struct wanted {
    int n, gradients;
    nigh_node *node, *by, *gradient; /* gradient [count]; NIGH_NONE: none */
    int *index;                      /* of the parameters in `by` */
} wanted;

static nigh_status record_gradients(nigh_training *t, train_form *f, nigh_node loss, wanted *w)
{
    nigh_node *found = w->by + nigh_parameters_count(t->parameters);
    w->gradients = 0;
    for (int i = 0; i < nigh_parameters_count(t->parameters); i++) {
        w->gradient[i] = NIGH_NONE;
        if (nigh_parameters_at(t->parameters, i)->frozen || f->updated[i]) continue;
        w->index[w->gradients] = i;
        w->by[w->gradients++] = f->parameters[i];
    }
    nigh_status status = nigh_tape_gradient(f->tape, loss, NIGH_NONE, w->gradients, w->by, found);
    for (int i = 0; i < w->gradients && !status; i++) w->gradient[w->index[i]] = w->node[w->n++] = found[i];
    return status;
}

/* A result that is an input, or the result of two parameters at once, has no memory of its own to be bound: it is copied. */
static bool needs_copy(const train_form *f, const wanted *w, int before, nigh_node node)
{
    if (tape_at(f->tape, node)->op->kind == TAPE_LEAF) return true;
    for (int i = 0; i < before; i++)
        if (w->node[i] == node) return true;
    return false;
}

static nigh_status bind_gradients(nigh_training *t, train_form *f, const wanted *w)
{
    nigh_status status = NIGH_OK;
    int first = w->n - w->gradients;
    f->copy = nigh_alloc_zero(t->ctx, (size_t)w->gradients + 1, sizeof *f->copy);
    if (!f->copy) return NIGH_MEMORY;
    for (int k = 0; k < w->gradients && !status; k++) {
        const nigh_parameter *p = nigh_parameters_at(t->parameters, w->index[k]);
        nigh_node node = w->node[first + k];
        char *to = t->gradient + (size_t)p->offset * t->width;
        if (!needs_copy(f, w, first + k, node)) {
            status = nigh_executor_bind(f->run, node, to);
            continue;
        }
        f->copy[f->copies++] = (train_copy){to, NULL, bytes_of(&p->shape)};
    }
    for (int k = 0, c = 0; k < w->gradients && !status; k++) {
        nigh_node node = w->node[first + k];
        if (!needs_copy(f, w, first + k, node)) continue;
        if (!(f->copy[c++].from = nigh_executor_data(f->run, node))) status = NIGH_MEMORY;
    }
    return status;
}

static nigh_status bind_inputs(nigh_training *t, train_form *f, const recorded *r)
{
    nigh_status status = nigh_parameters_bind(t->parameters, f->run, f->parameters);
    for (int i = 0; i < f->width && !status; i++)
        if (nigh_executor_has(f->run, r->batch[i])) status = nigh_executor_bind(f->run, r->batch[i], f->data[i]);
    for (int i = 0; i < t->spec.scalars && !status; i++)
        if (nigh_executor_has(f->run, r->scalar[i]))
            status = nigh_executor_bind(f->run, r->scalar[i], t->dtype == NIGH_F32 ? (void *)&t->scalar_f32[i] : (void *)&t->scalar_f64[i]);
    for (int i = 0; i < nigh_parameters_count(t->parameters) && t->average && !status; i++)
        if (nigh_executor_has(f->run, f->teacher[i]))
            status = nigh_executor_bind(f->run, f->teacher[i], t->average + (size_t)nigh_parameters_at(t->parameters, i)->offset * t->width);
    return status;
}

static nigh_status bind_results(nigh_training *t, train_form *f, const recorded *r, const nigh_recording *how)
{
    bool short_of_memory = !(f->loss = nigh_executor_data(f->run, r->loss));
    for (int i = 0; i < t->spec.metrics; i++) short_of_memory |= !(f->metric[i] = nigh_executor_data(f->run, r->metric[i]));
    f->update = nigh_alloc_zero(t->ctx, (size_t)how->updates + 1, sizeof *f->update);
    if (!f->update) return NIGH_MEMORY;
    for (int i = 0; i < how->updates; i++) {
        const nigh_parameter *p = nigh_parameters_at(t->parameters, how->update[i].parameter);
        train_copy *u = &f->update[f->updates++];
        *u = (train_copy){nigh_parameters_data(t->parameters, how->update[i].parameter), nigh_executor_data(f->run, how->update[i].value), bytes_of(&p->shape)};
        short_of_memory |= !u->from;
    }
    return short_of_memory ? NIGH_MEMORY : NIGH_OK;
}

static nigh_status check_updates(nigh_training *t, train_form *f, const nigh_recording *how)
{
    for (int i = 0; i < how->updates; i++) {
        const nigh_parameter *p = nigh_parameters_at(t->parameters, how->update[i].parameter);
        const nigh_shape *shape = nigh_tape_shape(f->tape, how->update[i].value);
        if (!p || !shape || shape->dtype != t->dtype || nigh_shape_count(shape) != nigh_shape_count(&p->shape))
            return nigh_fail(t->ctx, NIGH_INVALID, "update %d is of parameter %d; its node has another shape, or one of them does not exist", i, how->update[i].parameter);
        f->updated[how->update[i].parameter] = true;
    }
    return NIGH_OK;
}

static nigh_status compile(nigh_training *t, const train_set *set, int index, nigh_recording *how)
{
    train_form *f = &set->form[index];
    size_t count = (size_t)nigh_parameters_count(t->parameters);
    recorded r;
    wanted w = {0};
    nigh_status status = nigh_tape_new(t->ctx, &f->tape);
    if (!status) status = record_batch(t, f, &set->batches->form[index], r.batch);
    if (!status) status = record_loss(t, set, index, how, &r);
    if (!set->train) how->updates = 0;
    if (!status) status = check_updates(t, f, how);
    if (status) return status;
    w.node = nigh_alloc(t->ctx, (1 + NIGH_TRAIN_METRICS + NIGH_MAX_UPDATES + 4 * count) * sizeof *w.node);
    w.index = nigh_alloc(t->ctx, (count + 1) * sizeof *w.index);
    if (!w.node || !w.index) {
        status = NIGH_MEMORY;
        goto done;
    }
    w.gradient = w.node + 1 + NIGH_TRAIN_METRICS + NIGH_MAX_UPDATES + count;
    w.by = w.gradient + count;
    w.node[w.n++] = r.loss;
    for (int i = 0; i < t->spec.metrics; i++) w.node[w.n++] = r.metric[i];
    for (int i = 0; i < how->updates; i++) w.node[w.n++] = how->update[i].value;
    if (set->train) status = record_gradients(t, f, r.loss, &w);
    if (!status) status = nigh_executor_new(t->ctx, f->tape, w.n, w.node, &f->run);
    if (!status) status = bind_inputs(t, f, &r);
    if (!status && set->train) status = bind_gradients(t, f, &w);
    if (!status) status = bind_results(t, f, &r, how);
    if (!status) f->flops = nigh_executor_flops(f->run);
done:
    nigh_free(t->ctx, w.node);
    nigh_free(t->ctx, w.index);
    return status;
}

nigh_status train_set_make(nigh_training *t, train_set *set)
{
    nigh_recording *how = nigh_alloc_zero(t->ctx, 1, sizeof *how);
    if (!how) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    int forms = nigh_batches_forms(set->batches);
    set->form = nigh_alloc_zero(t->ctx, (size_t)forms, sizeof *set->form);
    if (!set->form) status = NIGH_MEMORY;
    else set->forms = forms;
    for (int i = 0; i < forms && !status; i++) {
        memset(how, 0, sizeof *how);
        how->train = set->train;
        status = compile(t, set, i, how);
    }
    nigh_free(t->ctx, how);
    return status;
}
