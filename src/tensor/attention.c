/* Exact attention: specs, objects and the sharing of work. Declared in nigh/attention.h. */
#include "tensor/attention.h"

#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- merge ---- */

static double exp_of(double x) { return x > -INFINITY ? exp(x) : 0; }

/* The two weights of a merge, and the lse of the whole. */
static double weights(double a, double b, double w[2])
{
    double top = a > b ? a : b;
    if (isnan(a) || isnan(b)) top = NAN;
    if (top == -INFINITY) {
        w[0] = w[1] = 0;
        return top;
    }
    double x = exp_of(a - top), y = exp_of(b - top);
    w[0] = x / (x + y), w[1] = y / (x + y);
    return top + log(x + y);
}

#define MERGE(name, real)                                                                                                          \
    static void name(int64_t n, const real *o1, real lse1, const real *o2, real lse2, real *o, real *lse)                           \
    {                                                                                                                              \
        double w[2], sum = weights((double)lse1, (double)lse2, w);                                                                 \
        real a = (real)w[0], b = (real)w[1];                                                                                       \
        if (isnan(sum)) a = b = (real)NAN;                                                                                         \
        for (int64_t i = 0; i < n; i++) o[i] = a == 0 ? (b == 0 ? 0 : b * o2[i]) : b == 0 ? a * o1[i] : a * o1[i] + b * o2[i];     \
        *lse = (real)sum;                                                                                                          \
    }
MERGE(merge_f32, float)
MERGE(merge_f64, double)

static void merge_row(nigh_dtype dtype, int64_t n, int64_t row, const void *o1, const void *lse1, const void *o2, const void *lse2, void *o, void *lse)
{
    if (dtype == NIGH_F32)
        merge_f32(n, (const float *)o1 + row * n, ((const float *)lse1)[row], (const float *)o2 + row * n, ((const float *)lse2)[row],
                  (float *)o + row * n, (float *)lse + row);
    else
        merge_f64(n, (const double *)o1 + row * n, ((const double *)lse1)[row], (const double *)o2 + row * n, ((const double *)lse2)[row],
                  (double *)o + row * n, (double *)lse + row);
}

nigh_status nigh_attention_merge(nigh_context *ctx, nigh_dtype dtype, int64_t rows, int64_t width, const void *o1, const void *lse1,
                                 const void *o2, const void *lse2, void *o, void *lse)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64) return nigh_fail(ctx, NIGH_UNSUPPORTED, "merge of attention: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(dtype));
    if (rows < 0 || width < 0) return nigh_fail(ctx, NIGH_INVALID, "merge of attention: o is [%lld, %lld]; 0 or more is allowed", (long long)rows, (long long)width);
    for (int64_t i = 0; i < rows; i++) merge_row(dtype, width, i, o1, lse1, o2, lse2, o, lse);
    return NIGH_OK;
}

/* ---- memory ---- */

size_t attention_room_cut(const nigh_attention *x, bool backward, char *memory, attention_room *room)
{
    const nigh_attention_spec *s = &x->spec;
    int64_t rows = x->kernels->rows, w = x->width, n = x->value_width, block = ATTENTION_BLOCK, size = (int64_t)nigh_dtype_size(s->dtype);
    int64_t list = s->gather ? block : 0, pack = x->pack && (backward || !x->few), held = pack ? s->keys : block;
    attention_room none;
    if (!room) room = &none;
    struct {
        void **at;
        int64_t count;
    } const pieces[] = {{&room->q, w * rows}, {&room->s, block * rows}, {&room->o, n * rows}, {&room->top, rows}, {&room->sum, rows},
                        {&room->k, held * w}, {&room->v, held * n}, {&room->q_rows, (w > n ? w : n) * rows},
                        {&room->p, block * rows}, {&room->d_o, n * rows}, {&room->d_o_rows, n * rows},
                        {&room->d_q, w * rows}, {&room->lse, rows}, {&room->delta, rows}, {&room->d_k_block, list * w},
                        {&room->d_v_block, list * n}, {&room->d_k, s->keys * w}, {&room->d_v, s->keys * n}};
    size_t used = 0, many = backward ? sizeof pieces / sizeof *pieces : 8;
    for (size_t i = 0; i < many; i++) {
        *pieces[i].at = memory ? memory + used : NULL;
        used += (size_t)attention_padded(pieces[i].count * size, 64);
    }
    room->at = memory ? (int32_t *)(memory + used) : NULL, used += ATTENTION_BLOCK * sizeof *room->at;
    room->held = memory && pack ? (int64_t *)(memory + used) : NULL, room->chunks = memory && pack ? (uint8_t *)(room->held + 1) : NULL;
    return used + (pack ? (size_t)attention_padded(8 + held / block + 1, 64) : 0);
}

/* Tiles over all sequences and heads. */
static int64_t all_tiles(const nigh_attention *x) { return x->spec.batch * (x->fused ? x->spec.kv_heads : x->spec.heads) * x->tiles; }

/* Bytes of o, of lse of a part of one tile. */
static size_t part_bytes(const nigh_attention *x, bool lse)
{
    return (size_t)attention_padded(x->step * (lse ? 1 : x->spec.value_width) * (int64_t)nigh_dtype_size(x->spec.dtype), 64);
}

size_t nigh_attention_workspace(const nigh_attention *x)
{
    size_t parts = x->parts > 1 ? (size_t)all_tiles(x) * (size_t)x->parts * (part_bytes(x, false) + part_bytes(x, true)) : 0;
    return parts + (size_t)x->threads * attention_room_cut(x, false, NULL, NULL);
}

static size_t query_bytes(const nigh_attention *x)
{
    const nigh_attention_spec *s = &x->spec;
    return (size_t)(s->batch * s->heads * s->queries * x->width) * nigh_dtype_size(s->dtype);
}

size_t nigh_attention_backward_workspace(const nigh_attention *x)
{
    if (!x->spec.backward) return 0;
    return (x->backward_parts > 1 ? (size_t)x->backward_parts * query_bytes(x) : 0) +
           (size_t)x->backward_threads * attention_room_cut(x, true, NULL, NULL);
}

/* The rooms of `threads` threads hold no head yet. */
static void empty(const nigh_attention *x, bool backward, int threads, char *rooms)
{
    attention_room room;
    for (int i = 0; i < threads; i++) {
        attention_room_cut(x, backward, rooms + (size_t)i * attention_room_cut(x, backward, NULL, NULL), &room);
        if (room.held) *room.held = -1;
    }
}

/* ---- forward ---- */

static int thread_number(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Tile `number` of all, heads outermost; late tiles first, which see most under a causal mask. */
static void tile_at(const nigh_attention *x, const nigh_attention_data *data, int64_t number, int part, attention_tile *tile)
{
    const nigh_attention_spec *s = &x->spec;
    int64_t heads = x->fused ? s->kv_heads : s->heads, at = x->tiles - 1 - number % x->tiles, head = number / x->tiles % heads;
    int64_t kv_head = x->fused ? head : head / x->group;
    attention_tile_fill(x, data, number / x->tiles / heads, kv_head, x->fused ? head * x->group : head, at * x->step, tile);
    int64_t from = part * x->part_keys, to = from + x->part_keys;
    tile->from = (int32_t)(from < x->keys ? from : x->keys), tile->to = (int32_t)(to < x->keys ? to : x->keys);
}

static void run_one(const nigh_attention *x, const nigh_attention_data *data, int64_t number, void *o, void *lse, char *parts, char *rooms)
{
    attention_tile tile;
    attention_room room;
    attention_target target = {o, lse, false};
    tile_at(x, data, number / x->parts, (int)(number % x->parts), &tile);
    attention_room_cut(x, false, rooms + (size_t)thread_number() * attention_room_cut(x, false, NULL, NULL), &room);
    if (x->parts > 1) {
        target.o = parts + (size_t)number * (part_bytes(x, false) + part_bytes(x, true));
        target.lse = (char *)target.o + part_bytes(x, false), target.part = true;
    }
    (x->few ? x->kernels->few : x->spec.form ? x->kernels->hard : x->kernels->tile)(x, data, &tile, &room, &target);
}

/* The parts of a tile become one, in their order, in the first; then it goes where it belongs. */
static void join(const nigh_attention *x, const nigh_attention_data *data, int64_t number, char *o, char *lse, char *parts)
{
    const nigh_attention_spec *s = &x->spec;
    size_t size = nigh_dtype_size(s->dtype), each = part_bytes(x, false) + part_bytes(x, true);
    char *first = parts + (size_t)number * (size_t)x->parts * each, *sum = first + part_bytes(x, false);
    attention_tile tile;
    tile_at(x, data, number, 0, &tile);
    for (int i = 0; i < tile.count; i++) {
        for (int p = 1; p < x->parts; p++) merge_row(s->dtype, s->value_width, i, first, sum, first + (size_t)p * each, sum + (size_t)p * each, first, sum);
        int64_t at = tile.batch * s->o.batch + tile.head[i] * s->o.head + tile.query[i] * s->o.row;
        __builtin_memcpy(o + at * (int64_t)size, first + (size_t)(i * s->value_width) * size, (size_t)s->value_width * size);
        int64_t line = (tile.batch * s->heads + tile.head[i]) * s->queries + tile.query[i];
        if (lse) __builtin_memcpy(lse + line * (int64_t)size, sum + (size_t)i * size, size);
    }
}

/* Each tile's bits are its own business: who computes it, and when, does not matter. */
void nigh_attention_run(const nigh_attention *x, const nigh_attention_data *data, void *o, void *lse, void *workspace)
{
    int64_t tiles = all_tiles(x), count = tiles * x->parts;
    char *rooms = workspace, *parts = rooms + (size_t)x->threads * attention_room_cut(x, false, NULL, NULL);
    empty(x, false, x->threads, rooms);
    if (x->threads == 1) {
        for (int64_t i = 0; i < count; i++) run_one(x, data, i, o, lse, parts, rooms);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(x->threads)
        for (int64_t i = 0; i < count; i++) run_one(x, data, i, o, lse, parts, rooms);
    }
    for (int64_t i = 0; x->parts > 1 && i < tiles; i++) join(x, data, i, o, lse, parts);
}

/* ---- backward ---- */

/* Part p of the keys; under a causal mask early keys are seen more often, and parts of equal work are not equally long. */
static int32_t boundary(const nigh_attention *x, int part)
{
    const nigh_attention_spec *s = &x->spec;
    double share = (double)part / x->backward_parts;
    if (s->causal && !s->window) share = 1 - sqrt(1 - share);
    int64_t at = attention_padded((int64_t)(share * (double)s->keys), ATTENTION_BLOCK);
    return (int32_t)(part == x->backward_parts || at > s->keys ? s->keys : at);
}

static void backward_one(const nigh_attention *x, const nigh_attention_data *data, int64_t batch, int64_t kv_head, int part,
                         const nigh_attention_gradients *g, char *parts, char *rooms)
{
    attention_room room;
    attention_unit unit = {batch, kv_head, kv_head * x->group, x->group, boundary(x, part), boundary(x, part + 1), NULL};
    attention_room_cut(x, true, rooms + (size_t)thread_number() * attention_room_cut(x, true, NULL, NULL), &room);
    if (x->backward_parts > 1) unit.part = parts + (size_t)part * query_bytes(x);
    x->kernels->backward(x, data, &unit, &room, g);
}

/* Units that add to the same place of d_bias are one chain; a chain is done by one thread, in order. */
static void backward_chain(const nigh_attention *x, const nigh_attention_data *data, int64_t chain, const nigh_attention_gradients *g, char *parts, char *rooms)
{
    const nigh_attention_spec *s = &x->spec;
    bool batches = g->d_bias && !s->bias_batch, heads = g->d_bias && !s->bias_head;
    if (!batches && !heads) {
        int64_t unit = chain / x->backward_parts;
        backward_one(x, data, unit / s->kv_heads, unit % s->kv_heads, (int)(chain % x->backward_parts), g, parts, rooms);
        return;
    }
    int64_t b0 = batches ? 0 : heads ? chain : chain / s->kv_heads, b1 = batches ? s->batch : b0 + 1;
    int64_t h0 = heads ? 0 : batches ? chain : chain % s->kv_heads, h1 = heads ? s->kv_heads : h0 + 1;
    for (int64_t b = b0; b < b1; b++)
        for (int64_t h = h0; h < h1; h++) backward_one(x, data, b, h, 0, g, parts, rooms);
}

static void clear_bias(const nigh_attention *x, char *d_bias)
{
    const nigh_attention_spec *s = &x->spec;
    int64_t size = (int64_t)nigh_dtype_size(s->dtype);
    for (int64_t b = 0; b < (s->bias_batch ? s->batch : 1); b++)
        for (int64_t h = 0; h < (s->bias_head ? s->heads : 1); h++)
            for (int64_t i = 0; i < (s->bias_row ? s->queries : 1); i++) {
                char *row = d_bias + (b * s->bias_batch + h * s->bias_head + i * s->bias_row) * size;
                for (int64_t j = 0; j < (s->bias_column ? s->keys : 1); j++) __builtin_memset(row + j * s->bias_column * size, 0, (size_t)size);
            }
}

void nigh_attention_backward(const nigh_attention *x, const nigh_attention_data *data, const nigh_attention_gradients *g, void *workspace)
{
    const nigh_attention_spec *s = &x->spec;
    const int threads = x->backward_threads;
    char *rooms = workspace, *parts = rooms + (size_t)threads * attention_room_cut(x, true, NULL, NULL);
    int64_t chains = x->backward_parts, rows = s->batch * s->heads * s->queries;
    if (!g->d_bias || s->bias_batch) chains *= s->batch;
    if (!g->d_bias || s->bias_head) chains *= s->kv_heads;
    if (g->d_bias) clear_bias(x, g->d_bias);
    empty(x, true, threads, rooms);
    if (threads == 1) {
        for (int64_t i = 0; i < chains; i++) backward_chain(x, data, i, g, parts, rooms);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t i = 0; i < chains; i++) backward_chain(x, data, i, g, parts, rooms);
    }
    for (int64_t i = 0; x->backward_parts > 1 && i < rows; i++)
        x->kernels->gather(x, data, i / s->queries / s->heads, i / s->queries % s->heads, i % s->queries,
                           parts + (size_t)(i * x->width) * nigh_dtype_size(s->dtype), (int64_t)(query_bytes(x) / nigh_dtype_size(s->dtype)), x->backward_parts, g->d_q);
}
