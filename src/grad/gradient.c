/* Reverse sweeps over the tape, recorded as more nodes. Declared in nigh/grad.h. */
#include "grad/tape.h"

#include <string.h>

/* Which nodes up to y move when one of wrt does. */
static void mark_dependents(const nigh_tape *tape, nigh_node y, int n, const nigh_node *wrt, bool *moves)
{
    for (int i = 0; i < n; i++)
        if (wrt[i] <= y) moves[wrt[i]] = true;
    for (nigh_node id = 0; id <= y; id++) {
        const tape_node *node = tape_at(tape, id);
        for (int i = 0; i < node->inputs && !moves[id]; i++) moves[id] = moves[node->input[i]];
    }
}

/* Takes the sums of one node apart into its inputs. `room` has space for the largest number of inputs on the tape. */
static void pass_back(nigh_tape *tape, nigh_node id, nigh_node *sum, const bool *moves, bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(tape, id);
    nigh_node grad_out[TAPE_MAX_OUTPUTS];
    bool any = false;
    for (int i = 0; i < node.outputs; i++) {
        grad_out[i] = sum[id + i];
        any = any || grad_out[i] != NIGH_NONE;
    }
    if (!any || !moves[id] || node.inputs == 0 || node.op == &tape_op_part) return;
    bool differentiable = false;
    for (int i = 0; i < node.inputs; i++) {
        wanted[i] = moves[node.input[i]];
        differentiable = differentiable || wanted[i];
        grad_in[i] = NIGH_NONE;
    }
    if (!differentiable) return;
    if (!node.op->gradient) {
        tape->status = nigh_fail(tape->ctx, NIGH_UNSUPPORTED, "%s: no derivative of this order is known", node.op->name);
        return;
    }
    node.op->gradient(tape, id, grad_out, wanted, grad_in);
    for (int i = 0; i < node.inputs && !tape->status; i++)
        if (wanted[i] && grad_in[i] != NIGH_NONE) sum[node.input[i]] = tape_plus(tape, sum[node.input[i]], grad_in[i]);
}

static int most_inputs(const nigh_tape *tape)
{
    int most = 1;
    for (int64_t i = 0; i < tape->count; i++) most = tape->node[i].inputs > most ? tape->node[i].inputs : most;
    return most;
}

static nigh_status check_request(nigh_tape *tape, nigh_node y, nigh_node seed, int n, const nigh_node *wrt)
{
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, "gradient", 1, &y) || !tape_check(tape, "gradient", n, wrt)) return tape->status;
    nigh_dtype dtype = tape_shape(tape, y)->dtype;
    if (!tape_is_float(dtype) && !tape_is_complex(dtype)) {
        tape_fail(tape, "gradient", "y is %s; f32, f64, c64 or c128 is needed", nigh_dtype_name(dtype));
        return tape->status;
    }
    if (seed == NIGH_NONE) return NIGH_OK;
    if (!tape_check(tape, "gradient", 1, &seed)) return tape->status;
    const nigh_shape *s = tape_shape(tape, seed), *o = tape_shape(tape, y);
    if (s->dtype != o->dtype || !tape_same_shape(s, o)) tape_fail(tape, "gradient", "y is %s, the seed is %s", tape_shape_text(o, a), tape_shape_text(s, b));
    return tape->status;
}

nigh_status nigh_tape_gradient(nigh_tape *tape, nigh_node y, nigh_node seed, int n, const nigh_node *wrt, nigh_node *gradient)
{
    nigh_status status = check_request(tape, y, seed, n, wrt);
    if (status) return status;
    nigh_context *ctx = tape->ctx;
    int64_t count = y + 1;
    if (tape->node[y].outputs > 1) count += tape->node[y].outputs - 1;
    int most = most_inputs(tape);
    bool *moves = nigh_alloc_zero(ctx, (size_t)(tape->count), sizeof *moves), *wanted = nigh_alloc_zero(ctx, (size_t)most, sizeof *wanted);
    nigh_node *sum = nigh_alloc(ctx, (size_t)(tape->count) * sizeof *sum), *grad_in = nigh_alloc(ctx, (size_t)most * sizeof *grad_in);
    if (!moves || !wanted || !sum || !grad_in) {
        status = NIGH_MEMORY;
        goto done;
    }
    mark_dependents(tape, (nigh_node)(count - 1), n, wrt, moves);
    for (int64_t i = 0; i < tape->count; i++) sum[i] = NIGH_NONE;
    tape->level++;
    const nigh_shape shape = *tape_shape(tape, y);
    sum[y] = seed != NIGH_NONE ? seed : nigh_tape_fill(tape, shape.dtype, shape.ndim, shape.dim, 1);
    for (nigh_node id = y; id >= 0 && !tape->status; id--) pass_back(tape, id, sum, moves, wanted, grad_in);
    for (int i = 0; i < n && !tape->status; i++) {
        const nigh_shape of = *tape_shape(tape, wrt[i]);
        nigh_node g = wrt[i] <= y ? sum[wrt[i]] : NIGH_NONE;
        gradient[i] = g != NIGH_NONE ? g : nigh_tape_fill(tape, of.dtype, of.ndim, of.dim, 0);
    }
    status = tape->status;
done:
    nigh_free(ctx, moves);
    nigh_free(ctx, wanted);
    nigh_free(ctx, sum);
    nigh_free(ctx, grad_in);
    return status;
}

nigh_status nigh_tape_tangent(nigh_tape *tape, nigh_node y, int n, const nigh_node *wrt, const nigh_node *direction, nigh_node *tangent)
{
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, "tangent", 1, &y) || !tape_check(tape, "tangent", n, wrt)) return tape->status;
    for (int i = 0; i < n; i++) {
        if (direction[i] == NIGH_NONE) continue;
        if (!tape_check(tape, "tangent", 1, &direction[i])) return tape->status;
        const nigh_shape *x = tape_shape(tape, wrt[i]), *v = tape_shape(tape, direction[i]);
        if (x->dtype != v->dtype || !tape_same_shape(x, v)) {
            tape_fail(tape, "tangent", "node %d is %s, its direction is %s", i, tape_shape_text(x, a), tape_shape_text(v, b));
            return tape->status;
        }
    }
    nigh_context *ctx = tape->ctx;
    nigh_node *pulled = nigh_alloc(ctx, (size_t)(n ? n : 1) * sizeof *pulled);
    if (!pulled) return NIGH_MEMORY;
    /* The pull-back u -> J^T u is linear in u, so that its own pull-back of the directions is J v. The number that u stands for is never used. */
    const nigh_shape shape = *tape_shape(tape, y);
    nigh_node u = nigh_tape_input(tape, "tangent's dual", shape.dtype, shape.ndim, shape.dim), total = NIGH_NONE;
    nigh_status status = nigh_tape_gradient(tape, y, u, n, wrt, pulled);
    for (int i = 0; i < n && !status; i++) {
        if (direction[i] == NIGH_NONE) continue;
        nigh_node part;
        status = nigh_tape_gradient(tape, pulled[i], direction[i], 1, &u, &part);
        if (!status) total = tape_plus(tape, total, part);
    }
    nigh_free(ctx, pulled);
    if (!status && total == NIGH_NONE) total = nigh_tape_fill(tape, shape.dtype, shape.ndim, shape.dim, 0);
    if (!status) status = tape->status;
    if (!status) *tangent = total;
    return status;
}
