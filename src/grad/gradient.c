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

/* The sums of a sweep begin with the seeds. Gives the last node that the sweep starts from. */
static nigh_node plant_seeds(nigh_tape *tape, int roots, const nigh_node *y, const nigh_node *seed, nigh_node *sum)
{
    nigh_node last = NIGH_NONE;
    for (int i = 0; i < roots && !tape->status; i++) {
        const nigh_shape shape = *tape_shape(tape, y[i]);
        nigh_node one = seed && seed[i] != NIGH_NONE ? seed[i] : nigh_tape_fill(tape, shape.dtype, shape.ndim, shape.dim, 1);
        sum[y[i]] = tape_plus(tape, sum[y[i]], one);
        last = y[i] > last ? y[i] : last;
    }
    return last;
}

nigh_status tape_pull_back(nigh_tape *tape, int roots, const nigh_node *y, const nigh_node *seed, int n, const nigh_node *wrt, nigh_node *gradient)
{
    nigh_status status = tape->status;
    for (int i = 0; i < roots && !status; i++) status = check_request(tape, y[i], seed ? seed[i] : NIGH_NONE, n, wrt);
    if (status) return status;
    nigh_context *ctx = tape->ctx;
    int64_t count = tape->count;
    int most = most_inputs(tape);
    bool *moves = nigh_alloc_zero(ctx, (size_t)(count + 1), sizeof *moves), *wanted = nigh_alloc_zero(ctx, (size_t)most, sizeof *wanted);
    nigh_node *sum = nigh_alloc(ctx, (size_t)(count + 1) * sizeof *sum), *grad_in = nigh_alloc(ctx, (size_t)most * sizeof *grad_in);
    if (!moves || !wanted || !sum || !grad_in) {
        status = NIGH_MEMORY;
        goto done;
    }
    mark_dependents(tape, (nigh_node)(count - 1), n, wrt, moves);
    for (int64_t i = 0; i < count; i++) sum[i] = NIGH_NONE;
    tape->level++;
    for (nigh_node id = plant_seeds(tape, roots, y, seed, sum); id >= 0 && !tape->status; id--) pass_back(tape, id, sum, moves, wanted, grad_in);
    for (int i = 0; i < n && !tape->status; i++) {
        const nigh_shape of = *tape_shape(tape, wrt[i]);
        nigh_node g = sum[wrt[i]];
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

nigh_status nigh_tape_gradient(nigh_tape *tape, nigh_node y, nigh_node seed, int n, const nigh_node *wrt, nigh_node *gradient)
{
    return tape_pull_back(tape, 1, &y, &seed, n, wrt, gradient);
}

nigh_status nigh_tape_tangent(nigh_tape *tape, nigh_node y, int n, const nigh_node *wrt, const nigh_node *direction, nigh_node *tangent)
{
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    int moving = 0;
    if (!tape_check(tape, "tangent", 1, &y) || !tape_check(tape, "tangent", n, wrt)) return tape->status;
    for (int i = 0; i < n; i++) {
        if (direction[i] == NIGH_NONE) continue;
        moving++;
        if (!tape_check(tape, "tangent", 1, &direction[i])) return tape->status;
        const nigh_shape *x = tape_shape(tape, wrt[i]), *v = tape_shape(tape, direction[i]);
        if (x->dtype != v->dtype || !tape_same_shape(x, v)) {
            tape_fail(tape, "tangent", "node %d is %s, its direction is %s", i, tape_shape_text(x, a), tape_shape_text(v, b));
            return tape->status;
        }
    }
    nigh_context *ctx = tape->ctx;
    nigh_node *room = nigh_alloc(ctx, (size_t)(3 * n + 1) * sizeof *room), *moved = room, *way = room + n, *pulled = room + 2 * n, total;
    if (!room) return NIGH_MEMORY;
    for (int i = 0, k = 0; i < n; i++)
        if (direction[i] != NIGH_NONE) moved[k] = wrt[i], way[k++] = direction[i];
    /* The pull-back u -> J^T u is linear in u, so that its own pull-back of the directions is J v. The number that u stands for is never used. */
    const nigh_shape shape = *tape_shape(tape, y);
    nigh_node u = nigh_tape_input(tape, "tangent's dual", shape.dtype, shape.ndim, shape.dim);
    nigh_status status = nigh_tape_gradient(tape, y, u, moving, moved, pulled);
    if (!status) status = tape_pull_back(tape, moving, pulled, way, 1, &u, &total);
    nigh_free(ctx, room);
    if (!status) *tangent = total;
    return status;
}
