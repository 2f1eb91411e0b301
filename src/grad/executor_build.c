/* From nodes to steps: what is needed, in which order, which elementwise operators run as one chain, where copies are due. */
#include "grad/executor.h"

#include <string.h>

enum { CHAIN_WINDOW = 96 }; /* nodes that are looked through for more members of a chain */

typedef struct builder {
    nigh_executor *e;
    const nigh_tape *tape;
    bool *needed, *done, *moves; /* moves: of an executor that holds a point, what depends on the moving inputs */
    int *target;        /* storage of an output that is computed in place; -1 */
    value *value, *dense;
    /* the chain under construction */
    int chain_size;
    nigh_node chain[TILE_OPS];
    int inputs;
    nigh_node input[TILE_SLOTS];
} builder;

static bool is_dense(const nigh_shape *shape, const tape_layout *layout)
{
    int64_t stride[NIGH_MAX_DIMS];
    if (nigh_shape_count(shape) < 2) return true;
    tape_dense_strides(shape, stride);
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] != 1 && stride[i] != layout->stride[i]) return false;
    return true;
}

static value dense_value(const nigh_shape *shape, int place)
{
    value v = {.storage = place, .contiguous = true};
    tape_dense_strides(shape, v.layout.stride);
    return v;
}

static size_t bytes_of(const nigh_shape *shape) { return (size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype); }

static void set_operand(builder *b, exec_step *step, int index, const nigh_shape *shape, const value *v)
{
    operand *o = &step->operand[index];
    *o = (operand){.storage = v->storage, .offset = v->layout.offset * (int64_t)nigh_dtype_size(shape->dtype), .shape = *shape,
                   .contiguous = v->contiguous};
    memcpy(o->stride, v->layout.stride, sizeof o->stride);
    storage *s = &b->e->storage[v->storage];
    int now = b->e->steps - 1;
    if (index >= step->inputs) s->first = now;
    if (now > s->last) s->last = now;
}

/* ---- leaves and views --------------------------------------------------------------------------------- */

static nigh_status number_of(storage *s, nigh_dtype dtype, double v)
{
    nigh_array one = {.shape = {.dtype = dtype}, .data = s->number};
    s->number[0] = s->number[1] = 0;
    nigh_array_set(&one, 0, v);
    return NIGH_OK;
}

static nigh_status make_leaf(builder *b, nigh_node id)
{
    const tape_node *node = tape_at(b->tape, id);
    nigh_executor *e = b->e;
    bool fill = node->op == &tape_op_fill, input = node->op == &tape_op_input;
    int s = executor_add_storage(e, input ? STORAGE_INPUT : STORAGE_CONSTANT, bytes_of(&node->shape));
    if (s < 0) return NIGH_MEMORY;
    e->storage[s].node = id;
    b->value[id] = dense_value(&node->shape, s);
    if (node->op == &tape_op_constant) e->storage[s].base = (void *)((const constant_attributes *)node->attributes)->data;
    if (fill) {
        memset(b->value[id].layout.stride, 0, sizeof b->value[id].layout.stride);
        b->value[id].contiguous = nigh_shape_count(&node->shape) < 2;
        return number_of(&e->storage[s], node->shape.dtype, ((const fill_attributes *)node->attributes)->value[0]);
    }
    return NIGH_OK;
}

/* A dense copy of a value, made once. */
static nigh_status make_dense(builder *b, nigh_node id, value *out)
{
    const nigh_shape *shape = tape_shape(b->tape, id);
    if (b->value[id].contiguous) return *out = b->value[id], NIGH_OK;
    if (b->dense[id].storage < 0) {
        int s = executor_add_storage(b->e, STORAGE_ARENA, bytes_of(shape));
        exec_step *step = s < 0 ? NULL : executor_add_step(b->e, 1, 1);
        if (!step) return NIGH_MEMORY;
        step->copy = true;
        b->dense[id] = dense_value(shape, s);
        set_operand(b, step, 0, shape, &b->value[id]);
        set_operand(b, step, 1, shape, &b->dense[id]);
    }
    *out = b->dense[id];
    return NIGH_OK;
}

static nigh_status make_view(builder *b, nigh_node id)
{
    const tape_node *node = tape_at(b->tape, id);
    nigh_node from = node->input[0];
    const nigh_shape *shape = tape_shape(b->tape, from);
    value base = b->value[from], v = {.storage = base.storage};
    if (!node->op->view(node, shape, &base.layout, &v.layout)) {
        nigh_status status = make_dense(b, from, &base);
        if (status) return status;
        v.storage = base.storage;
        node->op->view(node, shape, &base.layout, &v.layout);
    }
    v.contiguous = is_dense(&node->shape, &v.layout);
    b->value[id] = v;
    return NIGH_OK;
}

/* Where output `which` of a node goes: to the executor's output, when it is one, or into the arena. */
static nigh_status make_result(builder *b, nigh_node id, const nigh_shape *shape)
{
    int s = b->target[id] >= 0 ? b->target[id] : executor_add_storage(b->e, STORAGE_ARENA, bytes_of(shape));
    if (s < 0) return NIGH_MEMORY;
    b->value[id] = dense_value(shape, s);
    return NIGH_OK;
}

/* ---- kernels ------------------------------------------------------------------------------------------ */

static nigh_status add_kernel(builder *b, nigh_node id)
{
    const tape_node *node = tape_at(b->tape, id);
    nigh_executor *e = b->e;
    value *in = nigh_arena_alloc(e->arena, (size_t)(node->inputs + 1) * sizeof *in);
    if (!in) return NIGH_MEMORY;
    for (int i = 0; i < node->inputs; i++) {
        bool strided = i < 64 && node->op->strided >> i & 1;
        nigh_status status = NIGH_OK;
        if (strided) in[i] = b->value[node->input[i]];
        else status = make_dense(b, node->input[i], &in[i]);
        if (status) return status;
    }
    exec_step *step = executor_add_step(e, node->inputs, node->outputs);
    if (!step) return NIGH_MEMORY;
    step->node = *node;
    for (int i = 0; i < node->inputs; i++) set_operand(b, step, i, tape_shape(b->tape, node->input[i]), &in[i]);
    for (int i = 0; i < node->outputs; i++) {
        const nigh_shape *shape = tape_shape(b->tape, id + i);
        nigh_status status = make_result(b, id + i, shape);
        if (status) return status;
        b->done[id + i] = true;
        set_operand(b, step, node->inputs + i, shape, &b->value[id + i]);
    }
    return NIGH_OK;
}

/* ---- chains ------------------------------------------------------------------------------------------- */

static nigh_status make(builder *b, nigh_node id);

static bool in_chain(const builder *b, nigh_node id)
{
    for (int i = 0; i < b->chain_size; i++)
        if (b->chain[i] == id) return true;
    return false;
}

/* Already there, or a view of (or leaf) that can be made now. */
static bool is_available(const builder *b, nigh_node id)
{
    if (b->done[id]) return !in_chain(b, id);
    const tape_node *node = tape_at(b->tape, id);
    if (node->op == &tape_op_part) return false;
    if (node->op->kind == TAPE_LEAF) return true;
    return node->op->kind == TAPE_VIEW && is_available(b, node->input[0]);
}

static bool is_loaded(const builder *b, nigh_node id)
{
    for (int k = 0; k < b->inputs; k++)
        if (b->input[k] == id) return true;
    return in_chain(b, id);
}

static int new_inputs(const builder *b, const tape_node *node)
{
    int more = 0;
    for (int i = 0; i < node->inputs; i++) more += !is_loaded(b, node->input[i]);
    return more;
}

static nigh_status join(builder *b, nigh_node id)
{
    const tape_node *node = tape_at(b->tape, id);
    for (int i = 0; i < node->inputs; i++) {
        nigh_node x = node->input[i];
        if (in_chain(b, x)) continue;
        nigh_status status = make(b, x);
        if (status) return status;
        if (!is_loaded(b, x)) b->input[b->inputs++] = x;
    }
    b->chain[b->chain_size++] = id;
    b->done[id] = true;
    return NIGH_OK;
}

static bool may_join(const builder *b, nigh_node id, const tape_node *first)
{
    const tape_node *node = tape_at(b->tape, id);
    if (!b->needed[id] || b->done[id] || node->op->kind != TAPE_ELEMENTWISE || node->level != first->level || b->moves[id] != b->moves[b->chain[0]] ||
        node->shape.dtype != first->shape.dtype || !tape_same_shape(&node->shape, &first->shape))
        return false;
    int more = new_inputs(b, node);
    if (more == node->inputs || b->inputs + b->chain_size + 1 + more > TILE_SLOTS) return false; /* nothing in common: no traffic is saved */
    for (int i = 0; i < node->inputs; i++)
        if (!in_chain(b, node->input[i]) && !is_available(b, node->input[i])) return false;
    return true;
}

/* Is the result of this member read by anything but the chain? */
static bool leaves_chain(const builder *b, nigh_node id, const int *readers)
{
    int inside = 0;
    for (int k = 0; k < b->chain_size; k++) {
        const tape_node *node = tape_at(b->tape, b->chain[k]);
        for (int i = 0; i < node->inputs; i++) inside += node->input[i] == id;
    }
    return b->target[id] >= 0 || readers[id] > inside;
}

static nigh_status emit_chain(builder *b, const int *readers)
{
    chain_op op[TILE_OPS];
    int outputs = 0, out_of[TILE_OPS];
    const nigh_shape shape = *tape_shape(b->tape, b->chain[0]);
    for (int k = 0; k < b->chain_size; k++) out_of[k] = leaves_chain(b, b->chain[k], readers) ? b->inputs + outputs++ : -1;
    exec_step *step = executor_add_step(b->e, b->inputs, outputs);
    if (!step) return NIGH_MEMORY;
    step->node = *tape_at(b->tape, b->chain[0]);
    for (int i = 0; i < b->inputs; i++) set_operand(b, step, i, tape_shape(b->tape, b->input[i]), &b->value[b->input[i]]);
    for (int k = 0; k < b->chain_size; k++) {
        const tape_node *node = tape_at(b->tape, b->chain[k]);
        const elementwise_attributes *a = node->attributes;
        op[k] = (chain_op){.id = (elementwise_id)a->id, .p = {a->p[0], a->p[1]}, .inputs = node->inputs, .out = out_of[k]};
        for (int i = 0; i < node->inputs; i++) {
            for (int j = 0; j < k; j++)
                if (b->chain[j] == node->input[i]) op[k].in[i] = j;
            for (int j = 0; j < b->inputs; j++)
                if (b->input[j] == node->input[i]) op[k].in[i] = -1 - j;
        }
        if (out_of[k] < 0) continue;
        nigh_status status = make_result(b, b->chain[k], &shape);
        if (status) return status;
        set_operand(b, step, out_of[k], &shape, &b->value[b->chain[k]]);
    }
    return tiles_build(b->e, step, shape.dtype, &shape, b->chain_size, op);
}

static nigh_status add_chain(builder *b, nigh_node id, const int *readers)
{
    b->chain_size = b->inputs = 0;
    const tape_node first = *tape_at(b->tape, id);
    nigh_status status = join(b, id);
    for (nigh_node v = id + 1; !status && v < b->tape->count && v <= id + CHAIN_WINDOW && b->chain_size < TILE_OPS; v++)
        if (may_join(b, v, &first)) status = join(b, v);
    return status ? status : emit_chain(b, readers);
}

/* ---- all ---------------------------------------------------------------------------------------------- */

/* Leaves and views; what computes is made in order by the caller. */
static nigh_status make(builder *b, nigh_node id)
{
    const tape_node *node = tape_at(b->tape, id);
    if (b->done[id]) return NIGH_OK;
    if (node->op->kind == TAPE_VIEW) {
        nigh_status status = make(b, node->input[0]);
        if (!status) status = make_view(b, id);
        if (status) return status;
    } else if (node->op != &tape_op_part) {
        nigh_status status = make_leaf(b, id);
        if (status) return status;
    }
    b->done[id] = true;
    return NIGH_OK;
}

static void mark_needed(builder *b, int n, const nigh_node *outputs, int *readers)
{
    for (int i = 0; i < n; i++) b->needed[outputs[i]] = true;
    for (int64_t id = b->tape->count - 1; id >= 0; id--) {
        if (!b->needed[id]) continue;
        const tape_node *node = tape_at(b->tape, (nigh_node)id);
        int inputs = node->op->kind == TAPE_VIEW ? 1 : node->inputs;
        for (int i = 0; i < inputs; i++) {
            b->needed[node->input[i]] = true;
            readers[node->input[i]]++;
        }
    }
}

/*
 * Every output gets memory of its own, but an input that is asked for as output stays where it is. What no step computes directly is copied at
 * the end; a reshaped result is computed there by its own step.
 */
static nigh_status make_targets(builder *b, int n, const nigh_node *outputs)
{
    for (int i = 0; i < n; i++) {
        if (b->target[outputs[i]] >= 0 || tape_at(b->tape, outputs[i])->op == &tape_op_input) continue; /* asked for twice */
        int s = executor_add_storage(b->e, STORAGE_OUTPUT, bytes_of(tape_shape(b->tape, outputs[i])));
        if (s < 0) return NIGH_MEMORY;
        b->e->storage[s].node = outputs[i];
        b->target[outputs[i]] = s;
    }
    for (int i = 0; i < n; i++) {
        nigh_node base = outputs[i];
        while (tape_at(b->tape, base)->op->same_order) base = tape_at(b->tape, base)->input[0];
        if (b->target[base] < 0 && tape_at(b->tape, base)->op->kind != TAPE_LEAF) b->target[base] = b->target[outputs[i]];
    }
    return NIGH_OK;
}

static nigh_status copy_outputs(builder *b, int n, const nigh_node *outputs)
{
    for (int i = 0; i < n; i++) {
        int target = b->target[outputs[i]];
        if (target < 0 || (b->value[outputs[i]].storage == target && b->value[outputs[i]].contiguous)) continue;
        const nigh_shape *shape = tape_shape(b->tape, outputs[i]);
        value to = dense_value(shape, target);
        exec_step *step = executor_add_step(b->e, 1, 1);
        if (!step) return NIGH_MEMORY;
        step->copy = true;
        set_operand(b, step, 0, shape, &b->value[outputs[i]]);
        set_operand(b, step, 1, shape, &to);
        b->value[outputs[i]] = to;
    }
    return NIGH_OK;
}

static void mark_moving(builder *b)
{
    for (int i = 0; i < b->e->moving; i++) b->moves[b->e->move[i]] = true;
    for (nigh_node id = 0; id < b->tape->count; id++) {
        const tape_node *node = tape_at(b->tape, id);
        for (int i = 0; i < node->inputs && !b->moves[id]; i++) b->moves[id] = b->moves[node->input[i]];
    }
}

static nigh_status build(builder *b, int n, const nigh_node *outputs, int *readers)
{
    mark_needed(b, n, outputs, readers);
    if (b->e->moving > 0) mark_moving(b);
    nigh_status status = make_targets(b, n, outputs);
    for (nigh_node id = 0; id < b->tape->count && !status; id++) {
        if (!b->needed[id] || b->done[id]) continue;
        tape_kind kind = tape_at(b->tape, id)->op->kind;
        status = kind == TAPE_ELEMENTWISE ? add_chain(b, id, readers) : kind == TAPE_KERNEL ? add_kernel(b, id) : make(b, id);
        b->done[id] = true;
    }
    return status ? status : copy_outputs(b, n, outputs);
}

nigh_status executor_build(nigh_executor *e, const nigh_tape *tape, int n, const nigh_node *outputs)
{
    size_t count = (size_t)tape->count;
    builder *b = nigh_alloc_zero(e->ctx, 1, sizeof *b);
    if (!b) return NIGH_MEMORY;
    *b = (builder){.e = e, .tape = tape};
    int *readers = nigh_alloc_zero(e->ctx, count, sizeof *readers);
    b->needed = nigh_alloc_zero(e->ctx, count, sizeof *b->needed);
    b->done = nigh_alloc_zero(e->ctx, count, sizeof *b->done);
    b->moves = nigh_alloc_zero(e->ctx, count, sizeof *b->moves);
    b->target = nigh_alloc(e->ctx, count * sizeof *b->target);
    b->value = nigh_alloc_zero(e->ctx, count, sizeof *b->value);
    b->dense = nigh_alloc_zero(e->ctx, count, sizeof *b->dense);
    nigh_status status = NIGH_MEMORY;
    if (readers && b->needed && b->done && b->moves && b->target && b->value && b->dense) {
        for (size_t i = 0; i < count; i++) b->target[i] = b->value[i].storage = b->dense[i].storage = -1;
        status = build(b, n, outputs, readers);
    }
    nigh_free(e->ctx, readers);
    nigh_free(e->ctx, b->needed);
    nigh_free(e->ctx, b->done);
    nigh_free(e->ctx, b->moves);
    nigh_free(e->ctx, b->target);
    nigh_free(e->ctx, b->value);
    nigh_free(e->ctx, b->dense);
    nigh_free(e->ctx, b);
    return status;
}
