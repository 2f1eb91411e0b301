/* A user's own operator on the tape. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <string.h>

#include "grad/tape.h"

/* The attributes of a node are the rule itself. */
static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    *workspace = ((const nigh_custom *)call->node->attributes)->workspace;
    return NIGH_OK;
}

static void run(const void *state, const tape_call *call)
{
    const nigh_custom *rule = call->node->attributes;
    nigh_array in[NIGH_CUSTOM_INPUTS], out = {*call->out->shape, call->out->data};
    for (int i = 0; i < call->node->inputs; i++) in[i] = (nigh_array){*call->in[i].shape, call->in[i].data};
    nigh_custom_call user = {call->node->inputs, call->threads, in, &out, call->workspace};
    rule->run(rule->user, &user);
}

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_custom *rule = node.attributes;
    char sx[TAPE_SHAPE_TEXT], sg[TAPE_SHAPE_TEXT];
    if (!rule->gradient) {
        t->status = nigh_fail(t->ctx, NIGH_UNSUPPORTED, "custom operator '%s' has no gradient", rule->name);
        return;
    }
    rule->gradient(rule->user, t, node.inputs, node.input, self, grad_out[0], wanted, grad_in);
    for (int i = 0; i < node.inputs && !t->status; i++) {
        if (!wanted[i] || grad_in[i] == NIGH_NONE) continue;
        if (!tape_check(t, rule->name, 1, &grad_in[i])) return;
        const nigh_shape *x = tape_shape(t, node.input[i]), *g = tape_shape(t, grad_in[i]);
        if (x->dtype != g->dtype || !tape_same_shape(x, g))
            tape_fail(t, "custom", "operator '%s': input %d is %s, its gradient is %s", rule->name, i, tape_shape_text(x, sx), tape_shape_text(g, sg));
    }
}

static const tape_operator op_custom = {.name = "custom", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .gradient = gradient};

nigh_node nigh_tape_custom(nigh_tape *t, const nigh_custom *rule, int n, const nigh_node *inputs, const nigh_shape *shape)
{
    char text[TAPE_SHAPE_TEXT];
    if (t->status) return NIGH_NONE;
    if (!rule->name || !rule->run) return tape_fail(t, "custom", "the rule has no %s", rule->name ? "run" : "name");
    if (n < 0 || n > NIGH_CUSTOM_INPUTS) return tape_fail(t, "custom", "operator '%s' of %d inputs; 0 to %d are allowed", rule->name, n, NIGH_CUSTOM_INPUTS);
    if (!tape_check(t, rule->name, n, inputs)) return NIGH_NONE;
    if (shape->ndim < 0 || shape->ndim > NIGH_MAX_DIMS) return tape_fail(t, "custom", "operator '%s': a result of %d dimensions; 0 to %d are allowed", rule->name, shape->ndim, NIGH_MAX_DIMS);
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] < 0) return tape_fail(t, "custom", "operator '%s': the result is %s", rule->name, tape_shape_text(shape, text));
    nigh_shape out = tape_make_shape(shape->dtype, shape->ndim, shape->dim);
    return tape_record_one(t, &op_custom, &out, n, inputs, rule, sizeof *rule);
}
