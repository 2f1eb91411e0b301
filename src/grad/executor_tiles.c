/*
 * Chains of elementwise operators, fused: a tile of every intermediate result stays in the first-level cache, so that a chain reads its
 * inputs once and writes its outputs once. Each operator is one call of a vector kernel on the tile.
 */
#include "grad/executor.h"

#include <string.h>

/* Elements times operators from which on a second thread pays. */
enum { TILES_PARALLEL = 24576 };

/* ---- building ----------------------------------------------------------------------------------------- */

/* How an operand is seen along the iteration space: dimensions of size 1 dropped, neighbours merged. */
static void collapse(const operand *o, const nigh_shape *space, tile_load *load)
{
    int lead = space->ndim - o->shape.ndim;
    load->ndim = 0;
    for (int i = 0; i < space->ndim; i++) {
        int64_t size = space->dim[i], stride = i < lead || o->shape.dim[i - lead] == 1 ? 0 : o->stride[i - lead];
        if (size == 1) continue;
        int last = load->ndim - 1;
        if (last >= 0 && load->stride[last] == size * stride) load->dim[last] *= size, load->stride[last] = stride;
        else load->dim[load->ndim] = size, load->stride[load->ndim++] = stride;
    }
}

static void classify(const operand *o, const nigh_shape *space, int64_t tile, tile_load *load)
{
    collapse(o, space, load);
    int n = load->ndim;
    if (n == 0 || (n == 1 && load->stride[0] == 0)) load->source = TILE_SCALAR;
    else if (n == 1 && load->stride[0] == 1) load->source = TILE_DENSE;
    else if (n == 2 && load->stride[0] == 0 && load->stride[1] == 1 && load->dim[1] <= tile) load->source = TILE_PERIODIC, load->period = load->dim[1];
    else load->source = TILE_GATHER;
}

/* Buffers of results that stay inside: free again after their last use. */
typedef struct buffer_pool {
    int count, free_count, free[TILE_SLOTS];
} buffer_pool;

static int take_buffer(buffer_pool *pool) { return pool->free_count ? pool->free[--pool->free_count] : pool->count++; }

static int last_use(int n, const chain_op *op, int of)
{
    int last = of;
    for (int k = of + 1; k < n; k++)
        for (int i = 0; i < op[k].inputs; i++)
            if (op[k].in[i] == of) last = k;
    return last;
}

static int slot_of_operand(tiles *t, exec_step *step, int index, const nigh_shape *space, buffer_pool *pool)
{
    for (int i = 0; i < t->loads; i++)
        if (t->load[i].operand == index) return t->load[i].slot;
    tile_load *load = &t->load[t->loads++];
    int slot = t->slots++;
    *load = (tile_load){.operand = index, .slot = slot, .buffer = -1};
    classify(&step->operand[index], space, t->tile, load);
    t->slot[slot] = (tile_slot){.operand = load->source == TILE_DENSE ? index : -1, .buffer = -1};
    if (load->source != TILE_DENSE) t->slot[slot].buffer = load->buffer = pool->count++;
    return slot;
}

nigh_status tiles_build(nigh_executor *e, exec_step *step, nigh_dtype dtype, const nigh_shape *shape, int n, const chain_op *op)
{
    tiles *t = nigh_arena_alloc_zero(e->arena, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    t->size = nigh_dtype_size(dtype);
    t->count = nigh_shape_count(shape);
    t->tile = TILE_BYTES / (int64_t)t->size;
    if (t->tile > t->count) t->tile = t->count;
    buffer_pool pool = {0, 0, {0}};
    int slot_of[TILE_OPS], buffer_of[TILE_OPS];
    for (int k = 0; k < n; k++) /* loads first: their buffers are never given back */
        for (int i = 0; i < op[k].inputs; i++)
            if (op[k].in[i] < 0) slot_of_operand(t, step, -1 - op[k].in[i], shape, &pool);
    for (int k = 0; k < n; k++) {
        tile_op *to = &t->op[t->ops++];
        to->id = op[k].id;
        to->kernel = elementwise_find(dtype, op[k].id);
        to->p[0] = op[k].p[0], to->p[1] = op[k].p[1];
        to->inputs = op[k].inputs;
        for (int i = 0; i < op[k].inputs; i++)
            to->in[i] = op[k].in[i] < 0 ? slot_of_operand(t, step, -1 - op[k].in[i], shape, &pool) : slot_of[op[k].in[i]];
        slot_of[k] = to->out = t->slots++;
        buffer_of[k] = op[k].out < 0 ? take_buffer(&pool) : -1;
        t->slot[to->out] = (tile_slot){.operand = op[k].out, .buffer = buffer_of[k]};
        for (int j = 0; j <= k; j++)
            if (buffer_of[j] >= 0 && last_use(n, op, j) == k) pool.free[pool.free_count++] = buffer_of[j];
    }
    t->buffers = pool.count;
    t->buffer_bytes = 2 * TILE_BYTES; /* a period may begin anywhere: at most one tile more */
    double work = (double)t->count * t->ops;
    t->threads = work < TILES_PARALLEL ? 1 : e->threads;
    step->tiles = t;
    return NIGH_OK;
}

size_t tiles_workspace(const tiles *t) { return (size_t)t->threads * (size_t)t->buffers * t->buffer_bytes; }

/* ---- filling tiles ------------------------------------------------------------------------------------ */

static void repeat(char *to, const char *number, size_t size, int64_t n)
{
    if (size == 4) {
        uint32_t v;
        memcpy(&v, number, 4);
        for (int64_t i = 0; i < n; i++) ((uint32_t *)to)[i] = v;
    } else if (size == 8) {
        uint64_t v;
        memcpy(&v, number, 8);
        for (int64_t i = 0; i < n; i++) ((uint64_t *)to)[i] = v;
    } else
        for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, number, size);
}

/* n elements in steps of `stride` from `from`. */
static void take_run(char *to, const char *from, size_t size, int64_t n, int64_t stride)
{
    if (stride == 0) repeat(to, from, size, n);
    else if (stride == 1) memcpy(to, from, (size_t)n * size);
    else if (size == 4)
        for (int64_t i = 0; i < n; i++) ((uint32_t *)to)[i] = ((const uint32_t *)from)[i * stride];
    else
        for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, from + i * stride * (int64_t)size, size);
}

/* Elements start .. start + n - 1 of the iteration space. */
static void gather(const tile_load *load, const char *data, size_t size, int64_t start, int64_t n, char *to)
{
    int64_t index[NIGH_MAX_DIMS], rest = start, offset = 0;
    int last = load->ndim - 1;
    for (int i = last; i >= 0; i--) {
        index[i] = rest % load->dim[i];
        rest /= load->dim[i];
        offset += index[i] * load->stride[i];
    }
    while (n > 0) {
        int64_t run = load->dim[last] - index[last];
        if (run > n) run = n;
        take_run(to, data + offset * (int64_t)size, size, run, load->stride[last]);
        to += (size_t)run * size;
        n -= run;
        offset += run * load->stride[last];
        index[last] += run;
        for (int i = last; i > 0 && index[i] == load->dim[i]; i--) {
            offset += load->stride[i - 1] - index[i] * load->stride[i];
            index[i] = 0;
            index[i - 1]++;
        }
    }
}

/* What a thread fills once: numbers, and rows repeated until any tile of them can be cut out. */
static void fill_fixed(const tiles *t, const tape_operand *with, char *buffers)
{
    for (int i = 0; i < t->loads; i++) {
        const tile_load *load = &t->load[i];
        if (load->buffer < 0) continue;
        char *to = buffers + (size_t)load->buffer * t->buffer_bytes;
        const char *data = with[load->operand].data;
        if (load->source == TILE_SCALAR) repeat(to, data, t->size, t->tile);
        if (load->source != TILE_PERIODIC) continue;
        for (int64_t done = 0, all = t->tile + load->period; done < all; done += load->period) {
            int64_t n = all - done < load->period ? all - done : load->period;
            memcpy(to + (size_t)done * t->size, data, (size_t)n * t->size);
        }
    }
}

/* ---- running ------------------------------------------------------------------------------------------ */

static void run_range(const tiles *t, const tape_operand *with, int64_t begin, int64_t end, char *buffers)
{
    char *at[TILE_SLOTS];
    fill_fixed(t, with, buffers);
    for (int s = 0; s < t->slots; s++)
        at[s] = t->slot[s].operand < 0 ? buffers + (size_t)t->slot[s].buffer * t->buffer_bytes : NULL;
    for (int64_t start = begin; start < end; start += t->tile) {
        int64_t n = end - start < t->tile ? end - start : t->tile;
        for (int s = 0; s < t->slots; s++)
            if (t->slot[s].operand >= 0) at[s] = (char *)with[t->slot[s].operand].data + (size_t)start * t->size;
        for (int i = 0; i < t->loads; i++) {
            const tile_load *load = &t->load[i];
            if (load->buffer < 0) continue;
            char *buffer = buffers + (size_t)load->buffer * t->buffer_bytes;
            if (load->source == TILE_GATHER) gather(load, with[load->operand].data, t->size, start, n, buffer);
            else if (load->source == TILE_PERIODIC) at[load->slot] = buffer + (size_t)(start % load->period) * t->size;
        }
        for (int k = 0; k < t->ops; k++) {
            const tile_op *op = &t->op[k];
            const void *in[3] = {at[op->in[0]], op->inputs > 1 ? at[op->in[1]] : NULL, op->inputs > 2 ? at[op->in[2]] : NULL};
            op->kernel(n, in, op->p, at[op->out]);
        }
    }
}

void tiles_run(const tiles *t, const tape_operand *with, void *workspace)
{
    size_t room = (size_t)t->buffers * t->buffer_bytes;
    if (t->count == 0) return;
    if (t->threads == 1) {
        run_range(t, with, 0, t->count, workspace);
        return;
    }
    int64_t all = (t->count + t->tile - 1) / t->tile;
#pragma omp parallel for num_threads(t->threads) schedule(static)
    for (int part = 0; part < t->threads; part++) {
        int64_t begin = all * part / t->threads * t->tile, end = all * (part + 1) / t->threads * t->tile;
        if (end > t->count) end = t->count;
        if (begin < end) run_range(t, with, begin, end, (char *)workspace + (size_t)part * room);
    }
}
