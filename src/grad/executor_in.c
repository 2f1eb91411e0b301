/* Runs in the caller's memory, several at a time. Declared in nigh/grad.h. */
#include "grad/executor.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static int in_order(const void *x, const void *y)
{
    nigh_node a = *(const nigh_node *)x, b = *(const nigh_node *)y;
    return a < b ? -1 : a > b;
}

nigh_status executor_list_ends(nigh_executor *e, int n, const nigh_node *outputs)
{
    if (!(e->end = nigh_arena_alloc(e->arena, (size_t)(e->storages + 1) * sizeof *e->end))) return NIGH_MEMORY;
    for (int i = 0; i < e->storages; i++)
        if (e->storage[i].kind == STORAGE_INPUT) e->end[e->ends++] = e->storage[i].node;
    qsort(e->end, (size_t)e->ends, sizeof *e->end, in_order);
    for (int i = 0; i < e->ends; i++) executor_find_storage(e, e->end[i])->end = i;
    for (int i = 0; i < n; i++) {
        storage *s = executor_find_storage(e, outputs[i]);
        if (!s || s->end >= 0) continue;
        s->end = e->ends;
        e->end[e->ends++] = outputs[i];
    }
    for (int i = 0; i < e->steps; i++) {
        int operands = e->step[i].inputs + e->step[i].outputs;
        if (operands > e->most_operands) e->most_operands = operands;
    }
    return NIGH_OK;
}

int nigh_executor_ends(const nigh_executor *e) { return e->ends; }
nigh_node nigh_executor_end(const nigh_executor *e, int i) { return i < 0 || i >= e->ends ? NIGH_NONE : e->end[i]; }

/* The workspace: results, then where each storage is, then the operands of the running step. */
static size_t bases_at(const nigh_executor *e) { return aligned(e->bytes); }
static size_t operands_at(const nigh_executor *e) { return bases_at(e) + aligned((size_t)e->storages * sizeof(char *)); }

size_t nigh_executor_workspace(const nigh_executor *e)
{
    return operands_at(e) + aligned((size_t)e->most_operands * sizeof(tape_operand)) + ALIGN;
}

static nigh_status find_bases(const nigh_executor *e, void *const *data, char *room, char **base)
{
    for (int i = 0; i < e->storages; i++) {
        const storage *s = &e->storage[i];
        if (s->kind == STORAGE_ARENA) base[i] = room + s->offset;
        else if (s->kind == STORAGE_CONSTANT) base[i] = s->base ? s->base : (char *)s->number;
        else base[i] = data[s->end] ? data[s->end] : s->base;
        if (!base[i]) return NIGH_INVALID;
    }
    return NIGH_OK;
}

nigh_status nigh_executor_run_in(const nigh_executor *e, void *const *data, void *workspace)
{
    char *room = (char *)(((uintptr_t)workspace + ALIGN - 1) / ALIGN * ALIGN), **base = (char **)(room + bases_at(e));
    tape_operand *at = (tape_operand *)(room + operands_at(e));
    nigh_status status = find_bases(e, data, room, base);
    if (status) return status;
    for (int i = 0; i < e->steps; i++) {
        const exec_step *step = &e->step[i];
        int operands = step->inputs + step->outputs;
        memcpy(at, step->at, (size_t)operands * sizeof *at);
        for (int k = 0; k < operands; k++) at[k].data = base[step->operand[k].storage] + step->operand[k].offset;
        executor_run_step(e, step, at, step->scratch < 0 ? NULL : base[step->scratch]);
    }
    return NIGH_OK;
}
