/*
 * The recording behind nigh/samples.h. Which weights are only multiplied from the right is seen on the tape, so it does not matter what kind of layer they
 * belong to.
 */
#include "nn/samples.h"

#include "tensor/elementwise.h"

#include <string.h>

/* ---- whose node is it? -------------------------------------------------------------------------------- */

typedef struct source {
    int array;    /* -1: no array */
    double scale;
} source;

static source source_of(const nigh_sample_gradients *s, nigh_node id)
{
    double scale = 1;
    const tape_node *node = tape_at(s->tape, id);
    if (node->op == &tape_op_elementwise) {
        const elementwise_attributes *a = node->attributes;
        if (a->id != ELEMENTWISE_AFFINE || a->p[1] != 0) return (source){-1, 1};
        scale = a->p[0];
        id = node->input[0];
    }
    for (int i = 0; i < s->arrays; i++)
        if (s->weight[i] == id) return (source){i, scale};
    return (source){-1, 1};
}

/* Rows of the factor belong to samples, those of the first sample first: it is [batch, in], or [batch, ..., in] made flat. */
static bool rows_of_samples(const nigh_sample_gradients *s, nigh_node x)
{
    const tape_node *node = tape_at(s->tape, x);
    if (node->shape.dim[0] == s->spec.batch) return true;
    if (!node->op->same_order || node->inputs != 1) return false;
    const nigh_shape *from = tape_shape(s->tape, node->input[0]);
    return from->ndim > 2 && from->dim[0] == s->spec.batch && from->dim[from->ndim - 1] == node->shape.dim[1];
}

static bool is_product(const nigh_sample_gradients *s, const tape_node *node)
{
    if (strcmp(node->op->name, "matmul") || *(const int64_t *)node->attributes) return false;
    return node->shape.ndim == 2 && tape_shape(s->tape, node->input[0])->ndim == 2 && tape_shape(s->tape, node->input[1])->ndim == 2 && rows_of_samples(s, node->input[0]);
}

static nigh_status add_use(nigh_sample_gradients *s, samples_use use)
{
    if (s->uses == s->uses_room) {
        int room = s->uses_room ? 2 * s->uses_room : 16;
        samples_use *more = nigh_resize(s->ctx, s->use, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        s->use = more;
        s->uses_room = room;
    }
    s->use[s->uses++] = use;
    return NIGH_OK;
}

/* Every reader of an array: a product, its scaling, or something else. */
static nigh_status find_uses(nigh_sample_gradients *s)
{
    nigh_status status = NIGH_OK;
    for (nigh_node id = 0; id < s->tape->count && !status; id++) {
        const tape_node *node = tape_at(s->tape, id);
        samples_use use = {.weight = -1, .bias = -1, .z = id, .delta = NIGH_NONE};
        bool product = is_product(s, node), scaling = source_of(s, id).array >= 0;
        for (int i = 0; i < node->inputs; i++) {
            source from = source_of(s, node->input[i]);
            if (from.array < 0 || scaling) continue;
            if (product && i == 1) use.weight = from.array, use.scale = from.scale;
            else if (product && i == 2) use.bias = from.array, use.bias_scale = from.scale;
            else s->other[from.array] = true;
        }
        if (use.weight < 0 && use.bias < 0) continue;
        const nigh_shape *x = tape_shape(s->tape, node->input[0]);
        use.x = node->input[0];
        use.t = x->dim[0] / s->spec.batch, use.in = x->dim[1], use.out = node->shape.dim[1];
        status = add_use(s, use);
    }
    return status;
}

/* Frozen arrays and those with other readers leave the uses; uses without array go. */
static void sort_arrays(nigh_sample_gradients *s)
{
    int kept = 0;
    for (int i = 0; i < s->arrays; i++)
        if (nigh_parameters_at(s->set, i)->frozen) s->other[i] = false;
    for (int i = 0; i < s->uses; i++) {
        samples_use use = s->use[i];
        if (use.weight >= 0 && (s->other[use.weight] || nigh_parameters_at(s->set, use.weight)->frozen)) use.weight = -1;
        if (use.bias >= 0 && (s->other[use.bias] || nigh_parameters_at(s->set, use.bias)->frozen)) use.bias = -1;
        if (use.weight < 0 && use.bias < 0) continue;
        if (use.weight >= 0) use.weight_again = s->linear[use.weight], s->linear[use.weight] = true;
        if (use.bias >= 0) use.bias_again = s->linear[use.bias], s->linear[use.bias] = true;
        s->use[kept++] = use;
    }
    s->uses = kept;
    for (int i = 0; i < s->arrays; i++)
        if (s->other[i]) s->others += nigh_shape_count(&nigh_parameters_at(s->set, i)->shape);
}

/* ---- recording ---------------------------------------------------------------------------------------- */

/* The network over `batch` samples, and what is differentiated: the losses, or the outputs under a seed. */
static nigh_status record_batch(nigh_sample_gradients *s, nigh_tape *tape, int64_t batch, nigh_node *weight, nigh_node *x, nigh_node *z, nigh_node *target, nigh_node *seed, nigh_node *y)
{
    nigh_shape shape = *nigh_network_input_shape(s->net, 0), goal;
    shape.dim[0] = batch;
    for (int i = 1; i < shape.ndim; i++)
        if (shape.dim[i] < 0) return nigh_fail(s->ctx, NIGH_INVALID, "samples: dimension %d of the network's input may be any; a fixed one is needed", i);
    *x = nigh_tape_input(tape, "x", shape.dtype, shape.ndim, shape.dim);
    *target = *seed = NIGH_NONE;
    nigh_status status = nigh_parameters_record(s->set, tape, weight);
    if (!status) status = nigh_network_record(s->net, tape, NULL, x, weight, z);
    if (status) return status;
    shape = *nigh_tape_shape(tape, *z);
    if (shape.ndim < 1 || shape.dim[0] != batch) return nigh_fail(s->ctx, NIGH_INVALID, "samples: the network's output has no dimension of samples in front");
    if (s->spec.target) {
        goal = *s->spec.target;
        goal.dim[0] = batch;
        *target = nigh_tape_input(tape, "target", goal.dtype, goal.ndim, goal.dim);
    }
    if (s->spec.loss) *y = s->spec.loss(s->spec.user, tape, *z, *target);
    else *y = *z, *seed = nigh_tape_input(tape, "seed", shape.dtype, shape.ndim, shape.dim);
    return nigh_tape_status(tape);
}

static nigh_status prepare_products(nigh_sample_gradients *s)
{
    size_t most = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < s->uses && !status; i++) {
        samples_use *use = &s->use[i];
        matmul_spec spec = {.dtype = s->dtype, .b_dtype = s->dtype, .m = use->in, .n = use->out, .k = use->t, .a_row = 1, .a_column = use->in, .b_row = use->out, .b_column = 1,
                            .c_row = use->out, .c_column = 1, .alpha = use->scale, .beta = use->weight_again ? 1 : 0};
        if (use->weight < 0) continue;
        status = matmul_new(s->ctx, &spec, 1, &use->one);
        spec.batch_dims = 1;
        spec.batch[0] = s->spec.batch;
        spec.a_batch[0] = use->t * use->in, spec.b_batch[0] = use->t * use->out, spec.c_batch[0] = nigh_parameters_size(s->set);
        if (!status) status = matmul_new(s->ctx, &spec, nigh_context_threads(s->ctx), &use->all);
        if (!status && matmul_workspace(use->all) > most) most = matmul_workspace(use->all);
        if (!status && matmul_workspace(use->one) > most) most = matmul_workspace(use->one);
    }
    if (!status && !(s->workspace = nigh_alloc(s->ctx, most + 1))) status = NIGH_MEMORY;
    return status;
}

/* With a loss one executor gives all; with seeds the forward pass stays and the reverse sweep is repeated. */
static nigh_status make_executors(nigh_sample_gradients *s, const nigh_node *delta)
{
    nigh_node *list = s->uses ? nigh_alloc(s->ctx, (size_t)(2 * s->uses) * sizeof *list) : NULL;
    if (!list) return s->uses ? NIGH_MEMORY : NIGH_OK;
    nigh_status status = NIGH_OK;
    int n = 0;
    for (int i = 0; i < s->uses; i++) s->use[i].delta = list[n++] = delta[i];
    if (s->spec.loss) {
        for (int i = 0; i < s->uses; i++) list[n++] = s->use[i].x;
        status = nigh_executor_new(s->ctx, s->tape, n, list, &s->back);
    } else {
        status = executor_new_holding(s->ctx, s->tape, n, list, 1, &s->seed, &s->back);
        n = 0;
        for (int i = 0; i < s->uses; i++) list[n++] = s->use[i].x;
        if (!status) status = nigh_executor_new(s->ctx, s->tape, n, list, &s->forward);
    }
    nigh_free(s->ctx, list);
    return status;
}

nigh_status samples_record(nigh_sample_gradients *s)
{
    nigh_status status = record_batch(s, s->tape, s->spec.batch, s->weight, &s->x, &s->z, &s->target, &s->seed, &s->y);
    if (status) return status;
    s->outputs = nigh_shape_count(nigh_tape_shape(s->tape, s->z)) / s->spec.batch;
    s->x_count = nigh_shape_count(nigh_tape_shape(s->tape, s->x)) / s->spec.batch;
    if (s->target != NIGH_NONE) {
        const nigh_shape *shape = nigh_tape_shape(s->tape, s->target);
        s->target_bytes = nigh_shape_count(shape) / s->spec.batch * (int64_t)nigh_dtype_size(shape->dtype);
    }
    status = find_uses(s);
    if (status) return status;
    sort_arrays(s);
    nigh_node *wrt = nigh_alloc(s->ctx, (size_t)(2 * s->uses + 1) * sizeof *wrt), *delta = wrt + s->uses;
    if (!wrt) return NIGH_MEMORY;
    for (int i = 0; i < s->uses; i++) wrt[i] = s->use[i].z;
    status = nigh_tape_gradient(s->tape, s->y, s->seed, s->uses, wrt, delta);
    if (!status) status = make_executors(s, delta);
    if (!status) status = prepare_products(s);
    nigh_free(s->ctx, wrt);
    return status;
}

nigh_status samples_record_one(nigh_sample_gradients *s)
{
    nigh_node y = NIGH_NONE, z, *wrt = nigh_alloc(s->ctx, (size_t)(2 * s->arrays + 1) * sizeof *wrt), *gradient = wrt + s->arrays;
    if (!wrt) return NIGH_MEMORY;
    int n = 0;
    nigh_status status = nigh_tape_new(s->ctx, &s->tape_one);
    if (!status) status = record_batch(s, s->tape_one, 1, s->weight_one, &s->x_one, &z, &s->target_one, &s->seed_one, &y);
    for (int i = 0; i < s->arrays && !status; i++)
        if (s->other[i]) wrt[n++] = s->weight_one[i];
    if (!status) status = nigh_tape_gradient(s->tape_one, y, s->seed_one, n, wrt, gradient);
    if (!status) status = nigh_executor_new(s->ctx, s->tape_one, n, gradient, &s->one);
    for (int i = 0, k = 0; i < s->arrays && !status; i++) s->gradient_one[i] = s->other[i] ? gradient[k++] : NIGH_NONE;
    nigh_free(s->ctx, wrt);
    return status;
}

nigh_status samples_record_inputs(nigh_sample_gradients *s)
{
    nigh_status status = nigh_tape_gradient(s->tape, s->y, s->seed, 1, &s->x, &s->by_input);
    return status ? status : executor_new_holding(s->ctx, s->tape, 1, &s->by_input, s->spec.loss ? -1 : 1, &s->seed, &s->inputs);
}
