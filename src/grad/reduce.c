/* Reductions on the tape: sums and what is made of them, largest and smallest. Declared in nigh/grad.h. */
#include "tensor/reduce.h"

#include "grad/tape.h"

/* The dimensions first .. last - 1 are reduced to 1 each (the recording functions drop them by a reshape). */
typedef struct reduce_attributes {
    int64_t first, last;
} reduce_attributes;

static reduce_spec spec_of(reduce_id id, const tape_call *call)
{
    const reduce_attributes *a = call->node->attributes;
    const nigh_shape *in = call->in->shape;
    reduce_spec spec = {.id = id, .dtype = in->dtype, .outer = 1, .n = 1, .inner = 1, .threads = call->threads};
    for (int i = 0; i < in->ndim; i++) *(i < a->first ? &spec.outer : i < a->last ? &spec.n : &spec.inner) *= in->dim[i];
    return spec;
}

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    reduce_spec spec = spec_of(REDUCE_SUM, call);
    *workspace = reduce_workspace(&spec);
    return NIGH_OK;
}

static void run_as(reduce_id id, const tape_call *call)
{
    reduce_spec spec = spec_of(id, call);
    reduce_run(&spec, call->in->data, NULL, call->out->data, call->workspace);
}

static void sum_run(const void *state, const tape_call *call) { run_as(REDUCE_SUM, call); }
static void max_run(const void *state, const tape_call *call) { run_as(REDUCE_MAX, call); }
static void min_run(const void *state, const tape_call *call) { run_as(REDUCE_MIN, call); }

static void sum_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const nigh_shape shape = *tape_shape(t, tape_at(t, self)->input[0]);
    grad_in[0] = nigh_tape_expand(t, grad_out[0], shape.ndim, shape.dim);
}

/* Equal extremes share. */
static void extreme_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const reduce_attributes *a = node.attributes;
    unsigned axes = 0;
    for (int64_t i = a->first; i < a->last; i++) axes |= 1u << i;
    nigh_node mask = nigh_tape_equal(t, node.input[0], self);
    nigh_node share = nigh_tape_div(t, grad_out[0], nigh_tape_sum(t, mask, axes, true));
    grad_in[0] = nigh_tape_mul(t, mask, share);
}

static const tape_operator op_sum = {.name = "sum", .kind = TAPE_KERNEL, .prepare = prepare, .run = sum_run, .gradient = sum_gradient};
static const tape_operator op_max = {.name = "max-over", .kind = TAPE_KERNEL, .prepare = prepare, .run = max_run, .gradient = extreme_gradient};
static const tape_operator op_min = {.name = "min-over", .kind = TAPE_KERNEL, .prepare = prepare, .run = min_run, .gradient = extreme_gradient};

/* Reduces neighbouring dimensions together, distant ones after each other, the last first: it is the cheapest. */
static nigh_node reduce(nigh_tape *t, const tape_operator *op, nigh_node x, unsigned axes, bool keep)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, op->name, 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    unsigned all = (1u << from.ndim) - 1;
    if (axes == NIGH_ALL) axes = all;
    if (axes & ~all) return tape_fail(t, op->name, "x is %s, the axes are bits 0x%x: beyond its dimensions", tape_shape_text(&from, text), axes);
    if (!reduce_has(op == &op_sum ? REDUCE_SUM : op == &op_max ? REDUCE_MAX : REDUCE_MIN, from.dtype))
        return tape_fail(t, op->name, "x is %s; the operator has no kernel for that type", tape_shape_text(&from, text));
    nigh_shape shape = from, dropped = from;
    for (int last = from.ndim; last > 0; last--) {
        if (!(axes >> (last - 1) & 1)) continue;
        int first = last - 1;
        while (first > 0 && axes >> (first - 1) & 1) first--;
        int64_t n = 1;
        for (int i = first; i < last; i++) n *= shape.dim[i], shape.dim[i] = 1;
        if (op != &op_sum && n == 0) return tape_fail(t, op->name, "x is %s: no elements to choose from", tape_shape_text(&from, text));
        reduce_attributes attributes = {first, last};
        if (n != 1) x = tape_record_one(t, op, &shape, 1, &x, &attributes, sizeof attributes);
        if (x == NIGH_NONE) return NIGH_NONE;
        last = first + 1;
    }
    dropped.ndim = 0;
    for (int i = 0; i < from.ndim; i++)
        if (!(axes >> i & 1)) dropped.dim[dropped.ndim++] = from.dim[i];
    return keep ? x : nigh_tape_reshape(t, x, dropped.ndim, dropped.dim);
}

/* How many elements of x go into one of the result. */
static double share_of(nigh_tape *t, nigh_node x, unsigned axes)
{
    const nigh_shape *shape = tape_shape(t, x);
    double n = 1;
    for (int i = 0; i < shape->ndim; i++)
        if (axes >> i & 1) n *= (double)shape->dim[i];
    return n;
}

nigh_node nigh_tape_sum(nigh_tape *t, nigh_node x, unsigned axes, bool keep) { return reduce(t, &op_sum, x, axes, keep); }
nigh_node nigh_tape_max_over(nigh_tape *t, nigh_node x, unsigned axes, bool keep) { return reduce(t, &op_max, x, axes, keep); }
nigh_node nigh_tape_min_over(nigh_tape *t, nigh_node x, unsigned axes, bool keep) { return reduce(t, &op_min, x, axes, keep); }

nigh_node nigh_tape_mean(nigh_tape *t, nigh_node x, unsigned axes, bool keep)
{
    if (!tape_check(t, "mean", 1, &x)) return NIGH_NONE;
    return nigh_tape_scale(t, nigh_tape_sum(t, x, axes, keep), 1 / share_of(t, x, axes));
}

nigh_node nigh_tape_log_sum_exp(nigh_tape *t, nigh_node x, unsigned axes, bool keep)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "log-sum-exp", 1, &x)) return NIGH_NONE;
    nigh_node top = nigh_tape_stop(t, nigh_tape_max_over(t, x, axes, true));
    nigh_node y = nigh_tape_add(t, nigh_tape_log(t, nigh_tape_sum(t, nigh_tape_exp(t, nigh_tape_sub(t, x, top)), axes, true)), top);
    if (y == NIGH_NONE || keep) return y;
    const nigh_shape from = *tape_shape(t, x);
    nigh_shape dropped = from;
    dropped.ndim = 0;
    for (int i = 0; i < from.ndim; i++)
        if (!(axes >> i & 1)) dropped.dim[dropped.ndim++] = from.dim[i];
    tape_shape_text(&from, text);
    return nigh_tape_reshape(t, y, dropped.ndim, dropped.dim);
}

nigh_node tape_sum_to(nigh_tape *t, nigh_node x, const nigh_shape *shape)
{
    if (x == NIGH_NONE) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x), to = *shape;
    if (tape_same_shape(&from, &to)) return x;
    int lead = from.ndim - to.ndim;
    unsigned axes = 0;
    for (int i = 0; i < from.ndim; i++)
        if (i < lead || (to.dim[i - lead] == 1 && from.dim[i] != 1)) axes |= 1u << i;
    return nigh_tape_reshape(t, nigh_tape_sum(t, x, axes, true), to.ndim, to.dim);
}
