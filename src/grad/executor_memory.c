/*
 * One arena for everything between inputs and outputs: each block lives from the step that writes it to the last that reads it,
 * and blocks that do not live at the same time share addresses. The largest blocks are placed first, each at the lowest free address.
 */
#include "grad/executor.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static int root_of(const int *alias, int s)
{
    while (alias[s] != s) s = alias[s];
    return s;
}

/* A chain may write over an input that nobody reads afterwards, neither later steps nor later operators of the chain. */
static bool chain_may_overwrite(const exec_step *step, int in, int out)
{
    const tiles *t = step->tiles;
    int in_slot = -1, writer = -1;
    for (int i = 0; i < t->loads; i++)
        if (t->load[i].operand == in && t->load[i].source == TILE_DENSE) in_slot = t->load[i].slot;
    for (int k = 0; k < t->ops; k++)
        if (t->slot[t->op[k].out].operand == out) writer = k;
    if (in_slot < 0) return false;
    for (int k = writer + 1; k < t->ops; k++)
        for (int i = 0; i < t->op[k].inputs; i++)
            if (t->op[k].in[i] == in_slot) return false;
    return true;
}

static bool may_overwrite(const nigh_executor *e, const int *alias, int at, int in, int out)
{
    const exec_step *step = &e->step[at];
    const operand *from = &step->operand[in], *to = &step->operand[out];
    int a = root_of(alias, from->storage);
    const storage *s = &e->storage[a], *o = &e->storage[to->storage];
    if (s->kind != STORAGE_ARENA || o->kind != STORAGE_ARENA || s->last != at || s->bytes != o->bytes || from->offset != 0 || !from->contiguous)
        return false;
    for (int i = 0; i < step->inputs + step->outputs; i++)
        if (i != in && root_of(alias, step->operand[i].storage) == a) return false;
    if (step->tiles) return chain_may_overwrite(step, in, out);
    return !step->copy && step->node.op->in_place && in == 0 && out == step->inputs;
}

static void share_in_place(nigh_executor *e, int *alias)
{
    for (int at = 0; at < e->steps; at++) {
        const exec_step *step = &e->step[at];
        for (int o = 0; o < step->outputs; o++)
            for (int i = 0; i < step->inputs; i++) {
                int out = step->inputs + o, made = step->operand[out].storage;
                if (alias[made] != made || !may_overwrite(e, alias, at, i, out)) continue;
                int root = root_of(alias, step->operand[i].storage);
                alias[made] = root;
                e->storage[root].last = e->storage[made].last;
                if (e->storage[made].first < e->storage[root].first) e->storage[root].first = e->storage[made].first;
                break;
            }
    }
    for (int at = 0; at < e->steps; at++)
        for (int i = 0; i < e->step[at].inputs + e->step[at].outputs; i++)
            e->step[at].operand[i].storage = root_of(alias, e->step[at].operand[i].storage);
}

static int larger_first(const void *x, const void *y)
{
    const storage *a = *(const storage *const *)x, *b = *(const storage *const *)y;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* `placed` is in order of addresses. */
static void place(storage *s, storage **placed, int *count, int64_t *top)
{
    int64_t at = 0, size = ((int64_t)s->bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (size == 0) size = ALIGN;
    for (int i = 0; i < *count; i++) {
        const storage *other = placed[i];
        if (other->last < s->first || other->first > s->last) continue;
        if (other->offset >= at + size) break;
        int64_t end = other->offset + ((int64_t)other->bytes + ALIGN - 1) / ALIGN * ALIGN;
        if (other->bytes == 0) end = other->offset + ALIGN;
        if (end > at) at = end;
    }
    s->offset = at;
    if (at + size > *top) *top = at + size;
    int i = (*count)++;
    for (; i > 0 && placed[i - 1]->offset > at; i--) placed[i] = placed[i - 1];
    placed[i] = s;
}

nigh_status executor_plan_memory(nigh_executor *e)
{
    size_t count = (size_t)(e->storages ? e->storages : 1);
    int *alias = nigh_alloc(e->ctx, count * sizeof *alias), placed_count = 0, n = 0;
    storage **order = nigh_alloc(e->ctx, count * sizeof *order), **placed = nigh_alloc(e->ctx, count * sizeof *placed);
    nigh_status status = NIGH_MEMORY;
    int64_t top = 0;
    if (!alias || !order || !placed) goto done;
    for (int s = 0; s < e->storages; s++) alias[s] = s;
    share_in_place(e, alias);
    for (int s = 0; s < e->storages; s++)
        if (e->storage[s].kind == STORAGE_ARENA && alias[s] == s) order[n++] = &e->storage[s];
    qsort(order, (size_t)n, sizeof *order, larger_first);
    for (int i = 0; i < n; i++) place(order[i], placed, &placed_count, &top);
    e->bytes = (size_t)top;
    e->memory = nigh_alloc(e->ctx, e->bytes ? e->bytes : 1);
    status = e->memory ? NIGH_OK : NIGH_MEMORY;
done:
    nigh_free(e->ctx, alias);
    nigh_free(e->ctx, order);
    nigh_free(e->ctx, placed);
    return status;
}
