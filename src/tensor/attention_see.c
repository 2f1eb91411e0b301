/* Who sees what: tiles of queries and blocks of keys. Declared in attention.h. */
#include "tensor/attention.h"

static int32_t least(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }
static int32_t most(int64_t a, int64_t b) { return (int32_t)(a > b ? a : b); }

int64_t attention_list(const nigh_attention *x, const attention_tile *tile)
{
    const nigh_attention_spec *s = &x->spec;
    return tile->batch * s->index_batch + tile->head[0] * s->index_head + tile->query[0] * s->index_row;
}

bool attention_tree_sees(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, int lane, int32_t position)
{
    const nigh_attention_spec *s = &x->spec;
    int64_t words = (s->tree_keys + 63) / 64, bit = position - (tile->end - s->tree_keys);
    if (bit < 0) return true;
    if (bit >= s->tree_keys) return false;
    return data->tree[(tile->batch * s->queries + tile->query[lane]) * words + bit / 64] >> bit % 64 & 1;
}

/* Ranges of the vectors, over the lanes that hold a query. */
static void summarise(const nigh_attention *x, attention_tile *tile)
{
    int lanes = x->kernels->lanes;
    for (int v = 0; v < tile->vectors; v++) {
        int first = v * lanes, end = least(first + lanes, tile->count);
        tile->least_low[v] = tile->most_low[v] = tile->low[first];
        tile->least_high[v] = tile->most_high[v] = tile->high[first];
        tile->least_segment[v] = tile->most_segment[v] = tile->segment[first];
        for (int i = first + 1; i < end; i++) {
            tile->least_low[v] = least(tile->least_low[v], tile->low[i]), tile->most_low[v] = most(tile->most_low[v], tile->low[i]);
            tile->least_high[v] = least(tile->least_high[v], tile->high[i]), tile->most_high[v] = most(tile->most_high[v], tile->high[i]);
            tile->least_segment[v] = least(tile->least_segment[v], tile->segment[i]);
            tile->most_segment[v] = most(tile->most_segment[v], tile->segment[i]);
        }
    }
}

void attention_tile_fill(const nigh_attention *x, const nigh_attention_data *data, int64_t batch, int64_t kv_head, int64_t head, int64_t first,
                         attention_tile *tile)
{
    const nigh_attention_spec *s = &x->spec;
    int lanes = x->kernels->lanes;
    int32_t seen = s->lengths ? most(0, least(data->lengths[batch], s->keys)) : (int32_t)s->keys;
    tile->batch = batch, tile->kv_head = kv_head;
    tile->count = least(x->step, x->rows - first), tile->vectors = (tile->count + lanes - 1) / lanes;
    tile->end = s->ragged ? seen : (int32_t)s->keys;
    for (int i = 0; i < tile->vectors * lanes; i++) {
        int64_t row = first + (i < tile->count ? i : 0), query = row % s->queries, position = query + tile->end - s->queries;
        tile->head[i] = (int32_t)(head + row / s->queries), tile->query[i] = (int32_t)query, tile->position[i] = (int32_t)position;
        tile->low[i] = s->window ? most(0, position - s->window + 1) : 0;
        tile->high[i] = s->causal ? least(seen, position + 1) : s->window ? least(seen, position + s->window) : seen;
        tile->segment[i] = s->segments ? data->q_segment[batch * s->queries + query] : 0;
    }
    summarise(x, tile);
}

/* Keys start .. start + count: those that vectors see, cut so that they differ in few blocks. */
static void range(const nigh_attention *x, const attention_tile *tile, int32_t start, attention_block *block)
{
    int32_t end = least(tile->to, (int64_t)start + ATTENTION_BLOCK), first = (int32_t)x->spec.first, low = INT32_MAX, high = INT32_MIN, cut = INT32_MAX;
    for (int v = 0; v < tile->vectors; v++) {
        low = least(low, tile->least_low[v]), high = most(high, tile->most_high[v]);
        cut = least(cut, tile->most_high[v]);
    }
    if (start < cut && cut < end) end = cut;
    if (start >= first && start < low) { /* between the first keys and the band */
        block->count = 0, block->next = least(low, tile->to);
        return;
    }
    if (start < first && end > first && low > first) end = first;
    block->start = start, block->count = start < high ? end - start : 0, block->next = start < high ? end : tile->to;
}

static bool listed(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, int32_t start, int32_t *at, attention_block *block)
{
    const int32_t *list = data->index + attention_list(x, tile) + start;
    bool any = false;
    block->start = start, block->count = least(tile->to - start, ATTENTION_BLOCK), block->next = start + block->count;
    for (int j = 0; j < block->count; j++) {
        at[j] = list[j] >= 0 && list[j] < x->spec.keys ? list[j] : -1;
        any |= at[j] >= 0;
    }
    return any;
}

bool attention_block_see(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, int32_t start, int32_t *at,
                         attention_block *block)
{
    const nigh_attention_spec *s = &x->spec;
    bool any = false, list = s->gather != NIGH_ATTENTION_ALL_KEYS;
    block->at = at;
    if (list) {
        if (!listed(x, data, tile, start, at, block)) return false;
    } else {
        range(x, tile, start, block);
        for (int j = 0; j < block->count; j++) at[j] = start + j;
    }
    int count = block->count;
    int32_t low_segment = INT32_MAX, high_segment = INT32_MIN;
    for (int j = 0; s->segments && j < count; j++) {
        if (at[j] < 0) continue;
        int32_t segment = data->k_segment[tile->batch * s->keys + at[j]];
        low_segment = least(low_segment, segment), high_segment = most(high_segment, segment);
    }
    block->full = block->open = true;
    for (int v = 0; v < tile->vectors; v++) {
        int from = list || start < s->first ? 0 : most(0, least(count, (int64_t)tile->least_low[v] - start));
        int to = list ? count : most(0, least(count, (int64_t)tile->most_high[v] - start));
        if (s->segments && (low_segment > tile->most_segment[v] || high_segment < tile->least_segment[v])) to = from;
        if (from >= to) from = to = 0;
        bool above = start + from >= tile->most_low[v] || start + to <= s->first;
        block->from[v] = from, block->to[v] = to;
        block->test[v] = to > from && (list || s->segments || s->tree_keys || !above || start + to > tile->least_high[v]);
        block->full &= from == 0 && to == count, block->open &= !block->test[v];
        any |= to > from;
    }
    block->open &= block->full;
    return any;
}
