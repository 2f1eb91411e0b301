/* Running steps. Declared in nigh/grad.h. */
#include "grad/executor.h"

#include "tensor/copy.h"

#include <limits.h>
#include <string.h>

/* ---- construction ------------------------------------------------------------------------------------- */

exec_step *executor_add_step(nigh_executor *e, int inputs, int outputs)
{
    if (e->steps == e->steps_room) {
        int room = e->steps_room ? 2 * e->steps_room : 64;
        exec_step *more = nigh_resize(e->ctx, e->step, (size_t)room * sizeof *more);
        if (!more) return NULL;
        e->step = more;
        e->steps_room = room;
    }
    size_t operands = (size_t)(inputs + outputs);
    exec_step *step = &e->step[e->steps];
    *step = (exec_step){.inputs = inputs, .outputs = outputs, .scratch = -1};
    step->operand = nigh_arena_alloc_zero(e->arena, operands ? operands : 1, sizeof *step->operand);
    step->at = nigh_arena_alloc_zero(e->arena, operands ? operands : 1, sizeof *step->at);
    if (!step->operand || !step->at) return NULL;
    for (size_t i = 0; i < operands; i++) step->operand[i].storage = -1;
    e->steps++;
    return step;
}

int executor_add_storage(nigh_executor *e, storage_kind kind, size_t bytes)
{
    if (e->storages == e->storages_room) {
        int room = e->storages_room ? 2 * e->storages_room : 64;
        storage *more = nigh_resize(e->ctx, e->storage, (size_t)room * sizeof *more);
        if (!more) return -1;
        e->storage = more;
        e->storages_room = room;
    }
    e->storage[e->storages] = (storage){.kind = kind, .bytes = bytes, .last = -1, .offset = -1, .node = NIGH_NONE, .end = -1};
    return e->storages++;
}

static tape_call call_of(const nigh_executor *e, const exec_step *step, tape_operand *at, void *workspace)
{
    return (tape_call){.node = &step->node, .threads = e->threads, .seed = e->seed, .step = e->count, .in = at, .out = at + step->inputs,
                       .workspace = workspace};
}

/* Each step's kernel, and scratch memory that lives during the step. */
static nigh_status prepare_steps(nigh_executor *e)
{
    for (int i = 0; i < e->steps; i++) {
        exec_step *step = &e->step[i];
        size_t bytes = 0;
        for (int k = 0; k < step->inputs + step->outputs; k++) {
            const operand *o = &step->operand[k];
            step->at[k] = (tape_operand){.shape = &o->shape, .stride = o->stride, .contiguous = o->contiguous};
        }
        if (step->tiles) bytes = tiles_workspace(step->tiles);
        else if (!step->copy && step->node.op->prepare) {
            tape_call call = call_of(e, step, step->at, NULL);
            nigh_status status = step->node.op->prepare(e->ctx, &call, &step->state, &bytes);
            if (status) return nigh_within(e->ctx, status, "%s", step->node.op->name);
        }
        if (!bytes) continue;
        if ((step->scratch = executor_add_storage(e, STORAGE_ARENA, bytes)) < 0) return NIGH_MEMORY;
        e->storage[step->scratch].first = e->storage[step->scratch].last = i;
    }
    return NIGH_OK;
}

/* What no moving input reaches is kept from the run that computes it: its memory is shared with nothing. Outputs are always written. */
static void hold_steps(nigh_executor *e)
{
    for (int i = 0; i < e->storages; i++) {
        storage *s = &e->storage[i];
        for (int k = 0; k < e->moving && s->kind == STORAGE_INPUT; k++) s->moves = s->moves || s->node == e->move[k];
    }
    for (int i = 0; i < e->steps; i++) {
        exec_step *step = &e->step[i];
        step->fixed = true;
        for (int k = 0; k < step->inputs + step->outputs; k++) {
            const storage *s = &e->storage[step->operand[k].storage];
            if (s->moves || s->kind == STORAGE_OUTPUT) step->fixed = false;
        }
        if (step->fixed) continue;
        for (int k = 0; k < step->inputs + step->outputs; k++) {
            storage *s = &e->storage[step->operand[k].storage];
            if (k >= step->inputs) s->moves = true;
            else if (!s->moves && s->kind == STORAGE_ARENA) s->first = 0, s->last = INT_MAX;
        }
    }
}

nigh_status nigh_executor_new(nigh_context *ctx, nigh_tape *tape, int n, const nigh_node *outputs, nigh_executor **executor)
{
    return executor_new_holding(ctx, tape, n, outputs, -1, NULL, executor);
}

nigh_status executor_new_holding(nigh_context *ctx, nigh_tape *tape, int n, const nigh_node *outputs, int moving, const nigh_node *move, nigh_executor **executor)
{
    if (n < 1) return nigh_fail(ctx, NIGH_INVALID, "executor: %d outputs; 1 or more is allowed", n);
    if (!tape_check(tape, "executor", n, outputs)) return tape->status;
    nigh_executor *e = nigh_alloc_zero(ctx, 1, sizeof *e);
    if (!e) return NIGH_MEMORY;
    e->ctx = ctx;
    e->threads = nigh_context_threads(ctx);
#ifndef _OPENMP
    e->threads = 1;
#endif
    e->moved = true;
    e->moving = moving;
    e->move = move;
    nigh_status status = nigh_arena_new(ctx, &e->arena);
    if (!status) status = executor_build(e, tape, n, outputs);
    if (!status && moving >= 0) hold_steps(e);
    e->move = NULL; /* the caller's */
    if (!status) status = prepare_steps(e);
    if (!status) status = executor_plan_memory(e);
    if (!status) status = executor_list_ends(e, n, outputs);
    if (!status) *executor = e;
    else nigh_executor_free(e);
    return status;
}

void nigh_executor_free(nigh_executor *e)
{
    if (!e) return;
    nigh_context *ctx = e->ctx;
    for (int i = 0; i < e->steps; i++)
        if (e->step[i].state) e->step[i].node.op->release(ctx, e->step[i].state);
    for (int i = 0; i < e->storages; i++) nigh_free(ctx, e->storage[i].own);
    nigh_free(ctx, e->step);
    nigh_free(ctx, e->storage);
    nigh_free(ctx, e->memory);
    nigh_arena_free(e->arena);
    nigh_free(ctx, e);
}

/* ---- inputs and outputs ------------------------------------------------------------------------------- */

storage *executor_find_storage(const nigh_executor *e, nigh_node node)
{
    for (int i = 0; i < e->storages; i++) {
        storage *s = &e->storage[i];
        if (s->node == node && (s->kind == STORAGE_INPUT || s->kind == STORAGE_OUTPUT)) return s;
    }
    return NULL;
}

bool nigh_executor_has(const nigh_executor *e, nigh_node node) { return executor_find_storage(e, node) != NULL; }

/* The executor's own memory for an input or output, made when first needed. */
static nigh_status own_memory(nigh_executor *e, storage *s)
{
    if (!s->own && !(s->own = nigh_alloc(e->ctx, s->bytes ? s->bytes : 1))) return NIGH_MEMORY;
    s->base = s->own;
    e->moved = true;
    return NIGH_OK;
}

nigh_status nigh_executor_bind(nigh_executor *e, nigh_node node, void *data)
{
    storage *s = executor_find_storage(e, node);
    if (!s) return nigh_fail(e->ctx, NIGH_INVALID, "bind: node %d is neither an input that is used nor an output of this executor", (int)node);
    s->base = data ? data : s->own;
    e->moved = true;
    return NIGH_OK;
}

void *nigh_executor_data(nigh_executor *e, nigh_node node)
{
    storage *s = executor_find_storage(e, node);
    if (!s || (!s->base && own_memory(e, s))) return NULL;
    return s->base;
}

void nigh_executor_set_step(nigh_executor *e, uint64_t seed, uint64_t step)
{
    e->seed = seed;
    e->count = step;
}

void tape_copy(const tape_operand *in, void *out, const int64_t *stride, int threads)
{
    copy_spec spec = {.ndim = in->shape->ndim, .threads = threads};
    for (int i = 0; i < spec.ndim; i++) spec.dim[i] = in->shape->dim[i], spec.from[i] = in->stride[i], spec.to[i] = stride[i];
    copy_run(&spec, nigh_dtype_size(in->shape->dtype), in->data, out);
}

/* ---- running ------------------------------------------------------------------------------------------ */

static nigh_status settle_addresses(nigh_executor *e)
{
    for (int i = 0; i < e->storages; i++) {
        storage *s = &e->storage[i];
        if (s->base || s->kind == STORAGE_ARENA || s->kind == STORAGE_CONSTANT) continue;
        if (s->kind == STORAGE_INPUT) return nigh_fail(e->ctx, NIGH_INVALID, "run: input node %d was neither bound nor filled", (int)s->node);
        nigh_status status = own_memory(e, s);
        if (status) return status;
    }
    for (int i = 0; i < e->steps; i++) {
        exec_step *step = &e->step[i];
        for (int k = 0; k < step->inputs + step->outputs; k++) {
            storage *s = &e->storage[step->operand[k].storage];
            char *base = s->kind == STORAGE_ARENA ? e->memory + s->offset : s->base ? s->base : (char *)s->number;
            step->at[k].data = base + step->operand[k].offset;
        }
        if (step->scratch >= 0) step->workspace = e->memory + e->storage[step->scratch].offset;
    }
    e->moved = false;
    return NIGH_OK;
}

void executor_run_step(const nigh_executor *e, const exec_step *step, tape_operand *at, void *workspace)
{
    if (step->tiles) tiles_run(step->tiles, at, workspace);
    else if (step->copy) tape_copy(&at[0], at[1].data, at[1].stride, e->threads);
    else {
        tape_call call = call_of(e, step, at, workspace);
        step->node.op->run(step->state, &call);
    }
}

nigh_status nigh_executor_run(nigh_executor *e)
{
    nigh_status status = e->moved ? settle_addresses(e) : NIGH_OK;
    for (int i = 0; i < e->steps && !status; i++) {
        if (i % 16 == 0) status = nigh_poll(e->ctx);
        if (!status && !(e->held && e->step[i].fixed)) executor_run_step(e, &e->step[i], e->step[i].at, e->step[i].workspace);
    }
    e->held = !status && e->moving >= 0;
    return status;
}

nigh_status nigh_executor_profile(nigh_executor *e, double *seconds)
{
    nigh_status status = e->moved ? settle_addresses(e) : NIGH_OK;
    for (int i = 0; i < e->steps && !status; i++) {
        double start = nigh_clock();
        executor_run_step(e, &e->step[i], e->step[i].at, e->step[i].workspace);
        seconds[i] += nigh_clock() - start;
    }
    return status;
}

void executor_release(nigh_executor *e) { e->held = false; }

size_t nigh_executor_bytes(const nigh_executor *e) { return e->bytes; }
int nigh_executor_steps(const nigh_executor *e) { return e->steps; }

double nigh_executor_flops(const nigh_executor *e)
{
    double sum = 0;
    for (int i = 0; i < e->steps; i++) {
        const exec_step *step = &e->step[i];
        if (step->tiles || step->copy || !step->node.op->flops) continue;
        tape_call call = call_of(e, step, step->at, NULL);
        sum += step->node.op->flops(&call);
    }
    return sum;
}

static nigh_status print_operands(const exec_step *step, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    char shape[TAPE_SHAPE_TEXT];
    for (int k = 0; k < step->inputs + step->outputs && !status; k++)
        status = nigh_buffer_print(text, "%s%s%s", k == step->inputs ? " -> " : " ", tape_shape_text(&step->operand[k].shape, shape),
                                   step->operand[k].contiguous ? "" : " strided");
    return status;
}

nigh_status nigh_executor_print(const nigh_executor *e, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < e->steps && !status; i++) {
        const exec_step *step = &e->step[i];
        if (step->tiles) {
            for (int k = 0; k < step->tiles->ops && !status; k++)
                status = nigh_buffer_print(text, "%s%s", k ? "+" : "", elementwise_name(step->tiles->op[k].id));
        } else
            status = nigh_buffer_print(text, "%s", step->copy ? "copy" : step->node.op->name);
        if (!status) status = print_operands(step, text);
        if (!status) status = nigh_buffer_print(text, "\n");
    }
    return status;
}
