/*
 * One copy of the dynamic algorithm: levels of candidates for one guess of the best value, threshold = guess / (2 k). "Dynamic Constrained
 * Submodular Optimization with Polylogarithmic Update Time", the algorithm with sampled prefixes.
 *
 * The chain holds the samples of all levels, deleted items among them, until their level is built anew. A chain answers for any of its
 * prefixes, so no level has a state of its own.
 */
#include "reduce/selection.h"

#include <math.h>
#include <string.h>

/* ---- arrays ----------------------------------------------------------------------------------------------------- */

static nigh_status level_reserve(nigh_selection *s, selection_level *level, int64_t count)
{
    if (count <= level->room) return NIGH_OK;
    int64_t room = count > 2 * level->room ? count : 2 * level->room;
    int64_t *item = nigh_resize(s->ctx, level->item, (size_t)room * sizeof *item);
    if (item) level->item = item;
    double *gain = nigh_resize(s->ctx, level->gain, (size_t)room * sizeof *gain);
    if (gain) level->gain = gain;
    if (!item || !gain) return NIGH_MEMORY;
    level->room = room;
    return NIGH_OK;
}

static void level_end(nigh_selection *s, selection_level *level)
{
    nigh_free(s->ctx, level->item);
    nigh_free(s->ctx, level->gain);
}

/* A level above the present ones, empty, its prefix the whole chain. */
static nigh_status level_push(nigh_selection *s, selection_copy *c)
{
    if (c->levels == c->level_room) {
        int64_t room = c->level_room ? 2 * c->level_room : 16;
        selection_level *more = nigh_resize(s->ctx, c->level, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        c->level = more;
        c->level_room = room;
    }
    c->level[c->levels++] = (selection_level){.first = nigh_chain_length(c->chain), .bucket = c->places};
    return NIGH_OK;
}

static nigh_status late_push(nigh_selection *s, selection_copy *c, int64_t item)
{
    if (c->stale) return NIGH_OK;
    if (c->late >= 64 && c->levels && 2 * c->late >= c->level[0].built) { /* as many as make level 1 be built anew anyway */
        c->stale = true;
        c->late = 0;
        return NIGH_OK;
    }
    if (c->late == c->late_room) {
        int64_t room = c->late_room ? 2 * c->late_room : 64;
        int64_t *more = nigh_resize(s->ctx, c->late_item, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        c->late_item = more;
        c->late_room = room;
    }
    c->late_item[c->late++] = item;
    return NIGH_OK;
}

nigh_status selection_copy_new(nigh_selection *s, int64_t power, selection_copy **out)
{
    selection_copy *c = nigh_alloc_zero(s->ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->power = power;
    c->guess = pow(1 + s->o.epsilon, (double)power);
    c->threshold = s->threshold_times * c->guess / (2 * (double)s->o.k);
    c->stale = true;
    c->gain = nigh_alloc(s->ctx, (size_t)s->o.k * sizeof *c->gain);
    c->depth = nigh_alloc_zero(s->ctx, (size_t)s->n, sizeof *c->depth);
    c->head = nigh_alloc(s->ctx, (size_t)s->n * sizeof *c->head);
    nigh_status status = c->gain && c->depth && c->head ? nigh_chain_new(s->f, &c->chain) : NIGH_MEMORY;
    for (int64_t i = 0; i < s->n && !status; i++) c->head[i] = -1;
    if (status) selection_copy_free(s, c);
    else *out = c;
    return status;
}

void selection_copy_free(nigh_selection *s, selection_copy *c)
{
    if (!c) return;
    for (int64_t l = 0; l < c->levels; l++) level_end(s, &c->level[l]);
    nigh_free(s->ctx, c->level);
    nigh_free(s->ctx, c->gain);
    nigh_free(s->ctx, c->depth);
    nigh_free(s->ctx, c->head);
    nigh_free(s->ctx, c->place);
    nigh_free(s->ctx, c->late_item);
    nigh_chain_free(c->chain);
    nigh_free(s->ctx, c);
}

static bool is_there(const nigh_selection *s, int64_t item) { return s->place[item] >= 0; }

void selection_copy_revalue(const nigh_selection *s, selection_copy *c)
{
    const int64_t *item = nigh_chain_items(c->chain);
    c->live_value = 0;
    for (int64_t i = 0; i < nigh_chain_length(c->chain); i++)
        if (is_there(s, item[i])) c->live_value += c->gain[i];
}

static bool has_sampled(const selection_copy *c, int64_t item)
{
    const int64_t *chain = nigh_chain_items(c->chain);
    for (int64_t i = 0; i < nigh_chain_length(c->chain); i++)
        if (chain[i] == item) return true;
    return false;
}

/* ---- one level: bucket, size of the sample, sample --------------------------------------------------------------- */

/* Puts a random one of index[at .. count-1] at `at`. */
static int64_t draw(nigh_selection *s, int64_t at, int64_t count)
{
    int64_t from = s->in_order ? at : at + (int64_t)nigh_rng_below(&s->rng, (uint64_t)(count - at)), drawn = s->index[from];
    s->index[from] = s->index[at];
    return s->index[at] = drawn;
}

static int64_t bucket_of(const nigh_selection *s, const selection_copy *c, double gain)
{
    double i = floor(log(gain / c->threshold) / log1p(s->o.epsilon));
    return i > 0 ? (int64_t)fmin(i, (double)(s->buckets - 1)) : 0;
}

/* The largest bucket of gains (the higher of two equal ones): its places in level->item go to index. Least gain of it in *least. */
static int64_t find_bucket(nigh_selection *s, const selection_copy *c, const selection_level *level, double *least)
{
    int64_t *size = s->scratch, most = 0, chosen = 0, count = 0, top = 0;
    for (int64_t i = 0; i < level->count; i++) {
        int64_t b = bucket_of(s, c, level->gain[i]);
        for (; top <= b; top++) size[top] = 0;
        size[b]++;
    }
    for (int64_t b = 0; b < top; b++)
        if (size[b] >= most) most = size[b], chosen = b;
    for (int64_t i = 0; i < level->count; i++)
        if (bucket_of(s, c, level->gain[i]) == chosen) s->index[count++] = i;
    *least = c->threshold * pow(1 + s->o.epsilon, (double)chosen);
    return count;
}

/*
 * The largest size (on a grid of factor 3/2) of a random sample of the bucket such that a random next item has still (1 - epsilon) of the
 * bucket's least gain with probability 1 - epsilon, judged by a random sequence of its own and `trials` next items at each size.
 */
static nigh_status sample_size(nigh_selection *s, selection_copy *c, const selection_level *level, int64_t count, double least, int64_t *size)
{
    int64_t most = s->o.k - level->first < count ? s->o.k - level->first : count, m = 1;
    nigh_status status = NIGH_OK;
    while (m < most && !status) {
        int64_t next = m + (m / 2 > 1 ? m / 2 : 1), good = 0, tried = 0;
        if (next > most) next = most;
        for (int64_t at = nigh_chain_length(c->chain) - level->first; at < next - 1 && !status; at++)
            status = nigh_chain_add(c->chain, level->item[draw(s, at, count)], NULL);
        for (; tried < s->o.trials && next - 1 + tried < count; tried++) s->scratch[tried] = level->item[draw(s, next - 1 + tried, count)];
        if (!status) status = nigh_chain_gains(c->chain, nigh_chain_length(c->chain), tried, s->scratch, s->scratch_gain);
        if (status) break;
        for (int64_t i = 0; i < tried; i++) good += s->scratch_gain[i] >= (1 - s->o.epsilon) * least;
        if ((double)good < (1 - s->o.epsilon) * (double)tried) break;
        m = next;
    }
    nigh_chain_cut(c->chain, level->first);
    *size = m;
    return status;
}

static nigh_status push_bucket(nigh_selection *s, selection_copy *c, selection_level *level, int64_t count)
{
    if (c->places + count > c->place_room) {
        int64_t room = 2 * (c->places + count);
        bucket_place *more = nigh_resize(s->ctx, c->place, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        c->place = more;
        c->place_room = room;
    }
    level->bucket = c->places;
    level->bucket_count = count;
    level->gone = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t item = level->item[s->index[i]];
        c->place[c->places] = (bucket_place){item, c->head[item], (int32_t)(c->levels - 1)};
        c->head[item] = (int32_t)c->places++;
    }
    return NIGH_OK;
}

/* The top level has its candidates: choose from them. */
static nigh_status sample_level(nigh_selection *s, selection_copy *c)
{
    selection_level *level = &c->level[c->levels - 1];
    double least;
    int64_t size = 0, count;
    nigh_status status = selection_scratch(s, level->count);
    if (status) return status;
    count = find_bucket(s, c, level, &least);
    status = push_bucket(s, c, level, count);
    if (!status) status = sample_size(s, c, level, count, least, &size);
    for (int64_t i = 0; i < size && !status; i++) status = nigh_chain_add(c->chain, level->item[draw(s, i, count)], &c->gain[level->first + i]);
    level->sampled = size;
    s->rebuilt++;
    return status;
}

/* What of the top level's candidates is still worth the threshold after its sample becomes a level above. */
static nigh_status next_level(nigh_selection *s, selection_copy *c)
{
    int64_t count = 0, length = nigh_chain_length(c->chain);
    nigh_status status = level_push(s, c);
    if (status) return status;
    selection_level *below = &c->level[c->levels - 2], *level = below + 1;
    status = selection_scratch(s, below->count);
    if (status) return status;
    for (int64_t i = 0; i < below->sampled; i++) below->item[s->index[i]] = ~below->item[s->index[i]]; /* a mark, taken off again */
    for (int64_t i = 0; i < below->count; i++) {
        if (below->item[i] < 0) below->item[i] = ~below->item[i];
        else s->scratch[count++] = below->item[i];
    }
    status = nigh_chain_gains(c->chain, length, count, s->scratch, s->scratch_gain);
    int64_t kept = 0;
    for (int64_t i = 0; i < count && !status; i++) kept += s->scratch_gain[i] >= c->threshold;
    if (!status) status = level_reserve(s, level, kept);
    for (int64_t i = 0; i < count && !status; i++) {
        if (!(s->scratch_gain[i] >= c->threshold)) continue;
        level->item[level->count] = s->scratch[i];
        level->gain[level->count++] = s->scratch_gain[i];
        c->depth[s->scratch[i]] = (int32_t)c->levels;
    }
    level->built = level->count;
    return status;
}

/* Samples the top level and builds the ones above it, until nothing is worth the threshold or k items are chosen. */
static nigh_status fill(nigh_selection *s, selection_copy *c)
{
    nigh_status status = NIGH_OK;
    while (!status && c->levels && c->level[c->levels - 1].count) {
        status = sample_level(s, c);
        if (status || nigh_chain_length(c->chain) == s->o.k) break;
        status = next_level(s, c);
        if (!status) status = nigh_poll(s->ctx);
    }
    if (c->levels && !c->level[c->levels - 1].count) level_end(s, &c->level[--c->levels]);
    selection_copy_revalue(s, c);
    return status;
}

/* ---- building anew ---------------------------------------------------------------------------------------------- */

/* Levels above number `keep` go, with the buckets from its own on and the samples from its own on. */
static void drop_above(nigh_selection *s, selection_copy *c, int64_t keep)
{
    int64_t bucket = c->level[keep].bucket;
    for (; c->places > bucket; c->places--) {
        bucket_place *top = &c->place[c->places - 1];
        c->head[top->item] = top->below;
    }
    nigh_chain_cut(c->chain, c->level[keep].first);
    while (c->levels > keep + 1) level_end(s, &c->level[--c->levels]);
}

/* Candidates that are there stay; gains that are not known are computed. */
static nigh_status refresh_candidates(nigh_selection *s, selection_copy *c, int64_t at)
{
    selection_level *level = &c->level[at];
    int64_t count = 0, unknown = 0;
    nigh_status status = selection_scratch(s, level->count);
    if (status) return status;
    for (int64_t i = 0; i < level->count; i++) {
        c->depth[level->item[i]] = (int32_t)at;
        if (!is_there(s, level->item[i])) continue;
        level->item[count] = level->item[i];
        level->gain[count] = level->gain[i];
        if (isnan(level->gain[count])) s->scratch[unknown++] = level->item[count];
        count++;
    }
    status = nigh_chain_gains(c->chain, level->first, unknown, s->scratch, s->scratch_gain);
    if (status) return status;
    level->count = unknown = 0;
    for (int64_t i = 0; i < count; i++) {
        double gain = isnan(level->gain[i]) ? s->scratch_gain[unknown++] : level->gain[i];
        if (!(gain >= c->threshold)) continue; /* only where f is not quite submodular */
        c->depth[level->item[i]] = (int32_t)at + 1;
        level->item[level->count] = level->item[i];
        level->gain[level->count++] = gain;
    }
    level->built = level->count;
    return NIGH_OK;
}

static nigh_status rebuild(nigh_selection *s, selection_copy *c, int64_t at)
{
    drop_above(s, c, at);
    nigh_status status = refresh_candidates(s, c, at);
    return status ? status : fill(s, c);
}

static nigh_status build_from_nothing(nigh_selection *s, selection_copy *c)
{
    if (c->levels) {
        drop_above(s, c, 0);
        for (int64_t i = 0; i < c->level[0].count; i++) c->depth[c->level[0].item[i]] = 0;
        level_end(s, &c->level[--c->levels]);
    }
    nigh_status status = level_push(s, c);
    if (status) return status;
    selection_level *level = &c->level[0];
    int64_t count = 0;
    for (int64_t i = 0; i < s->size; i++) count += s->single[s->live[i]] >= c->threshold;
    status = level_reserve(s, level, count);
    for (int64_t i = 0; i < s->size && !status; i++) {
        int64_t item = s->live[i];
        if (!(s->single[item] >= c->threshold)) continue;
        level->item[level->count] = item;
        level->gain[level->count++] = s->single[item];
        c->depth[item] = 1;
    }
    level->built = level->count;
    c->stale = false;
    c->fresh = true;
    c->late = 0;
    return status ? status : fill(s, c);
}

/* ---- updates ---------------------------------------------------------------------------------------------------- */

/* The levels with the item's gain at or above the threshold are the first *depth; gains met on the way go to scratch_gain by level. Doubling
 * steps, then halving: most items reach few levels. */
static nigh_status find_depth(nigh_selection *s, selection_copy *c, int64_t item, int64_t *depth)
{
    int64_t length = nigh_chain_length(c->chain), low = *depth, high = c->levels + (length < s->o.k ? 1 : 0), step = 1;
    nigh_status status = selection_scratch(s, c->levels + 2);
    for (int64_t l = 0; l <= c->levels && !status; l++) s->scratch_gain[l] = NAN;
    if (!status) s->scratch_gain[0] = s->single[item];
    if (low == 0) low = 1;
    bool doubling = true;
    while (low < high && !status) {
        int64_t at = doubling ? low + step : (low + high + 1) / 2;
        if (at > high) at = high;
        double gain;
        status = nigh_chain_gains(c->chain, at - 1 < c->levels ? c->level[at - 1].first : length, 1, &item, &gain);
        if (status) return status;
        if (gain >= c->threshold) low = at, s->scratch_gain[at - 1] = gain;
        else high = at - 1, doubling = false;
        step *= 2;
    }
    *depth = low;
    return status;
}

/* Puts an item that is there into the levels it belongs to; it is in the first `depth[item]` already. */
static nigh_status place_item(nigh_selection *s, selection_copy *c, int64_t item)
{
    int64_t before = c->depth[item], depth = before;
    if (before && has_sampled(c, item)) {
        selection_copy_revalue(s, c);
        return NIGH_OK;
    }
    nigh_status status = find_depth(s, c, item, &depth);
    if (!status && depth > c->levels) status = level_push(s, c);
    int64_t grown = -1;
    for (int64_t l = before; l < depth && !status; l++) {
        selection_level *level = &c->level[l];
        status = level_reserve(s, level, level->count + 1);
        if (status) break;
        level->item[level->count] = item;
        level->gain[level->count++] = s->scratch_gain[l];
        c->depth[item] = (int32_t)l + 1;
        if (grown < 0 && 2 * level->count >= 3 * level->built) grown = l;
    }
    return status || grown < 0 ? status : rebuild(s, c, grown);
}

nigh_status selection_copy_insert(nigh_selection *s, selection_copy *c, int64_t item)
{
    c->fresh = false;
    if (!(s->single[item] >= c->threshold)) return NIGH_OK;
    if (!c->working) {
        if (c->depth[item]) selection_copy_revalue(s, c); /* it may be one of the sample that comes back */
        return late_push(s, c, item);
    }
    for (int32_t at = c->head[item]; at >= 0; at = c->place[at].below) c->level[c->place[at].level].gone--;
    return place_item(s, c, item);
}

/* The lowest level that lost too much of its bucket; -1: none. */
static int64_t find_worn(const nigh_selection *s, const selection_copy *c)
{
    for (int64_t l = 0; l < c->levels; l++)
        if (c->level[l].gone > 0 && (double)c->level[l].gone >= s->o.epsilon * (double)c->level[l].bucket_count) return l;
    return -1;
}

nigh_status selection_copy_delete(nigh_selection *s, selection_copy *c, int64_t item)
{
    c->fresh = false;
    if (!c->depth[item]) return NIGH_OK;
    selection_copy_revalue(s, c);
    if (!c->working) return NIGH_OK;
    for (int32_t at = c->head[item]; at >= 0; at = c->place[at].below) c->level[c->place[at].level].gone++;
    int64_t worn = find_worn(s, c);
    return worn < 0 ? NIGH_OK : rebuild(s, c, worn);
}

nigh_status selection_copy_wake(nigh_selection *s, selection_copy *c)
{
    c->working = true;
    if (c->stale) return build_from_nothing(s, c);
    for (int64_t l = 0; l < c->levels; l++) {
        selection_level *level = &c->level[l];
        level->gone = 0;
        for (int64_t i = 0; i < level->bucket_count; i++) level->gone += !is_there(s, c->place[level->bucket + i].item);
    }
    int64_t worn = find_worn(s, c);
    nigh_status status = worn < 0 ? NIGH_OK : rebuild(s, c, worn);
    for (int64_t i = 0; i < c->late && !status; i++)
        if (is_there(s, c->late_item[i])) status = place_item(s, c, c->late_item[i]);
    c->late = 0;
    return status;
}
