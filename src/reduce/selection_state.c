/*
 * A selection as bytes, and back: 64-bit words in the machine's order behind a mark that tells the order, SHA-256 at the end. Chains are
 * filled again item by item; their gains must come out to the same bits, which tells another function from the one that was saved.
 */
#include "reduce/selection.h"

#include <math.h>
#include <string.h>

static const char mark[8] = "NIGHSEL1";
enum { HASH = 32 };
static const int64_t order = 0x0102030405060708;

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static nigh_status put(nigh_buffer *out, int64_t value) { return nigh_buffer_add(out, &value, sizeof value); }
static nigh_status put_real(nigh_buffer *out, double value) { return nigh_buffer_add(out, &value, sizeof value); }
static nigh_status put_many(nigh_buffer *out, int64_t count, const void *words) { return nigh_buffer_add(out, words, (size_t)count * 8); }

static nigh_status put_level(nigh_buffer *out, const selection_level *level)
{
    const int64_t numbers[] = {level->first, level->sampled, level->built, level->bucket_count, level->gone, level->count};
    nigh_status status = put_many(out, 6, numbers);
    if (!status) status = put_many(out, level->count, level->item);
    return status ? status : put_many(out, level->count, level->gain);
}

static nigh_status put_copy(nigh_buffer *out, const selection_copy *c)
{
    int64_t length = nigh_chain_length(c->chain);
    const int64_t numbers[] = {c->power, c->working, c->fresh, c->stale, length, c->levels, c->places, c->late};
    nigh_status status = put_many(out, 8, numbers);
    if (!status) status = put_many(out, length, nigh_chain_items(c->chain));
    if (!status) status = put_many(out, length, c->gain);
    for (int64_t l = 0; l < c->levels && !status; l++) status = put_level(out, &c->level[l]);
    for (int64_t i = 0; i < c->places && !status; i++) status = put(out, c->place[i].item);
    return status ? status : put_many(out, c->late, c->late_item);
}

static nigh_status put_all(const nigh_selection *s, nigh_buffer *out)
{
    const int64_t numbers[] = {order, s->n, s->o.k, (int64_t)s->o.seed, s->o.trials, s->o.every_guess, (int64_t)s->rng.stream, (int64_t)s->rng.position,
                               s->size, s->copies, s->updates, s->calls, s->rebuilt};
    nigh_status status = nigh_buffer_add(out, mark, sizeof mark);
    if (!status) status = put_real(out, s->o.epsilon);
    if (!status) status = put_many(out, (int64_t)(sizeof numbers / sizeof *numbers), numbers);
    if (!status) status = put_many(out, s->size, s->live);
    for (int64_t i = 0; i < s->size && !status; i++) status = put_real(out, s->single[s->live[i]]);
    for (int64_t i = 0; i < s->copies && !status; i++) status = put_copy(out, s->copy[i]);
    return status;
}

/* The hash as bytes. */
static void hash_of(const void *bytes, size_t size, char out[HASH])
{
    char hex[65];
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, bytes, size);
    nigh_sha256_hex(&hash, hex);
    memcpy(out, hex, HASH); /* the first half is enough against damage */
}

nigh_status nigh_selection_save(const nigh_selection *s, nigh_buffer *out)
{
    char hash[HASH];
    if (s->broken) return nigh_fail(s->ctx, NIGH_FAILED, "this selection was left half done by an earlier failure; it cannot be saved");
    nigh_buffer text = {.ctx = s->ctx};
    nigh_status status = put_all(s, &text);
    if (!status) hash_of(text.data, text.size, hash);
    if (!status) status = nigh_buffer_add(&text, hash, HASH);
    if (!status) status = nigh_buffer_add(out, text.data, text.size);
    nigh_buffer_free(&text);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

typedef struct reader {
    nigh_context *ctx;
    const char *at;
    int64_t left; /* words */
} reader;

static nigh_status damaged(nigh_context *ctx, const char *what) { return nigh_fail(ctx, NIGH_FORMAT, "the saved selection is damaged: %s", what); }

static nigh_status take(reader *r, int64_t count, void *words)
{
    if (count < 0 || count > r->left) return damaged(r->ctx, "it ends too early");
    if (count) memcpy(words, r->at, (size_t)count * 8);
    r->at += count * 8;
    r->left -= count;
    return NIGH_OK;
}

/* A list of items in a block of its own. */
static nigh_status take_items(reader *r, int64_t n, int64_t count, int64_t **out)
{
    if (count < 0 || count > r->left) return damaged(r->ctx, "it ends too early");
    int64_t *item = nigh_alloc(r->ctx, (size_t)(count + 1) * sizeof *item);
    if (!item) return NIGH_MEMORY;
    nigh_status status = take(r, count, item);
    for (int64_t i = 0; i < count && !status; i++)
        if (item[i] < 0 || item[i] >= n) status = damaged(r->ctx, "an item is out of range");
    if (status) nigh_free(r->ctx, item);
    else *out = item;
    return status;
}

static nigh_status take_chain(reader *r, nigh_selection *s, selection_copy *c, int64_t length)
{
    int64_t *item = NULL;
    if (length < 0 || length > s->o.k) return damaged(r->ctx, "a sample is too large");
    nigh_status status = take_items(r, s->n, length, &item);
    if (!status) status = take(r, length, c->gain);
    for (int64_t i = 0; i < length && !status; i++) {
        double gain;
        status = nigh_chain_add(c->chain, item[i], &gain);
        if (!status && memcmp(&gain, &c->gain[i], sizeof gain) != 0)
            status = nigh_fail(s->ctx, NIGH_INVALID, "the gain of item %lld is %.17g, and was %.17g when the selection was saved: this is another function",
                               (long long)item[i], gain, c->gain[i]);
    }
    nigh_free(s->ctx, item);
    return status;
}

static nigh_status take_level(reader *r, nigh_selection *s, selection_copy *c, int64_t l)
{
    int64_t numbers[6];
    nigh_status status = take(r, 6, numbers);
    if (status) return status;
    selection_level *level = &c->level[l], *below = level - 1;
    *level = (selection_level){.first = numbers[0], .sampled = numbers[1], .built = numbers[2], .bucket_count = numbers[3], .gone = numbers[4]};
    level->bucket = l ? below->bucket + below->bucket_count : 0;
    int64_t count = numbers[5], first = l ? below->first + below->sampled : 0;
    bool good = level->first == first && level->sampled >= 1 && level->sampled <= nigh_chain_length(c->chain) - first && level->bucket_count >= level->sampled &&
                level->bucket_count <= c->places - level->bucket && level->gone >= 0 && level->gone <= level->bucket_count && level->built >= level->bucket_count &&
                count >= level->built;
    c->levels = l + 1; /* what it holds is freed with the copy from now on */
    if (!good) return damaged(r->ctx, "a level does not fit");
    status = take_items(r, s->n, count, &level->item);
    if (status) return status;
    level->gain = nigh_alloc(s->ctx, (size_t)(count + 1) * sizeof *level->gain);
    if (!level->gain) return NIGH_MEMORY;
    level->count = level->room = count;
    status = take(r, count, level->gain);
    for (int64_t i = 0; i < count && !status; i++) {
        if (!isnan(level->gain[i]) && !(level->gain[i] >= c->threshold && isfinite(level->gain[i]))) status = damaged(r->ctx, "a gain is below the threshold");
        else if (c->depth[level->item[i]] != l) status = damaged(r->ctx, "the levels are not nested");
        else c->depth[level->item[i]] = (int32_t)l + 1;
    }
    return status;
}

static nigh_status take_places(reader *r, nigh_selection *s, selection_copy *c)
{
    int64_t *item = NULL;
    nigh_status status = take_items(r, s->n, c->places, &item);
    if (!status) c->place = nigh_alloc(s->ctx, (size_t)(c->places + 1) * sizeof *c->place);
    if (!status && !c->place) status = NIGH_MEMORY;
    c->place_room = c->places;
    for (int64_t l = 0, at = 0; l < c->levels && !status; l++)
        for (int64_t i = 0; i < c->level[l].bucket_count && !status; i++, at++) {
            if (c->depth[item[at]] <= l || (c->head[item[at]] >= 0 && c->place[c->head[item[at]]].level == l)) status = damaged(r->ctx, "a bucket does not fit its level");
            c->place[at] = (bucket_place){item[at], c->head[item[at]], (int32_t)l};
            c->head[item[at]] = (int32_t)at;
        }
    nigh_free(s->ctx, item);
    return status;
}

static nigh_status take_copy(reader *r, nigh_selection *s, int64_t before)
{
    int64_t numbers[8];
    selection_copy *c;
    nigh_status status = take(r, 8, numbers);
    if (status) return status;
    for (int i = 1; i < 4; i++)
        if (numbers[i] < 0 || numbers[i] > 1) return damaged(r->ctx, "a flag is neither 0 nor 1");
    if (numbers[0] <= before || numbers[0] < -100000 || numbers[0] > 100000) return damaged(r->ctx, "the copies are out of order");
    if (numbers[5] < 0 || numbers[5] > s->o.k || numbers[6] < 0 || numbers[6] > r->left || numbers[6] > INT32_MAX) return damaged(r->ctx, "a copy's sizes do not fit");
    status = selection_add_copy(s, numbers[0], &c);
    if (status) return status;
    c->working = numbers[1], c->fresh = numbers[2], c->stale = numbers[3];
    status = take_chain(r, s, c, numbers[4]);
    if (status) return status;
    c->level = nigh_alloc(s->ctx, (size_t)(numbers[5] + 1) * sizeof *c->level);
    if (!c->level) return NIGH_MEMORY;
    c->level_room = numbers[5];
    c->places = numbers[6];
    for (int64_t l = 0; l < numbers[5] && !status; l++) status = take_level(r, s, c, l);
    if (status) return status;
    const selection_level *top = c->levels ? &c->level[c->levels - 1] : NULL;
    bool whole = top ? top->first + top->sampled == nigh_chain_length(c->chain) && top->bucket + top->bucket_count == c->places
                     : c->places == 0 && nigh_chain_length(c->chain) == 0;
    if (!whole) return damaged(r->ctx, "a copy does not fit its levels");
    status = take_places(r, s, c);
    if (!status) status = take_items(r, s->n, numbers[7], &c->late_item);
    if (!status) c->late = c->late_room = numbers[7];
    if (!status) selection_copy_revalue(s, c);
    return status;
}

static nigh_status take_live(reader *r, nigh_selection *s, int64_t size)
{
    int64_t *item = NULL;
    if (size < 0 || size > s->n) return damaged(r->ctx, "it has more items than there are");
    nigh_status status = take_items(r, s->n, size, &item);
    if (!status) status = selection_reserve_live(s, size);
    if (!status) status = heap_reserve(&s->largest, size);
    for (int64_t i = 0; i < size && !status; i++) {
        double single = 0;
        status = take(r, 1, &single);
        if (!status && (s->place[item[i]] >= 0 || !(single >= 0) || !isfinite(single))) status = damaged(r->ctx, "an item is there twice, or its value is not one");
        if (status) break;
        s->single[item[i]] = single;
        s->place[item[i]] = s->size;
        s->live[s->size++] = item[i];
        status = heap_push(&s->largest, single, item[i]);
    }
    nigh_free(s->ctx, item);
    return status;
}

static nigh_status take_all(reader *r, nigh_submodular *f, nigh_selection **out)
{
    double epsilon;
    int64_t numbers[13];
    nigh_selection *s = NULL;
    nigh_status status = take(r, 1, &epsilon);
    if (!status) status = take(r, 13, numbers);
    if (status) return status;
    if (numbers[0] != order) return damaged(r->ctx, "it comes from a machine of another byte order");
    if (numbers[1] != nigh_submodular_items(f))
        return nigh_fail(r->ctx, NIGH_INVALID, "the saved selection is on %lld items, the function on %lld", (long long)numbers[1], (long long)nigh_submodular_items(f));
    nigh_selection_options o = {.k = numbers[2], .epsilon = epsilon, .seed = (uint64_t)numbers[3], .trials = numbers[4], .every_guess = numbers[5] != 0};
    if (epsilon == 0 || numbers[4] == 0 || selection_check_options(r->ctx, &o)) return damaged(r->ctx, "its options are out of range");
    status = selection_open(r->ctx, f, &o, &s);
    if (status) return status;
    s->rng.stream = (uint64_t)numbers[6];
    nigh_rng_seek(&s->rng, (uint64_t)numbers[7]);
    s->updates = numbers[10], s->calls = numbers[11], s->rebuilt = numbers[12];
    status = take_live(r, s, numbers[8]);
    for (int64_t i = 0; i < numbers[9] && !status; i++) status = take_copy(r, s, i ? s->copy[i - 1]->power : INT64_MIN);
    if (!status && (numbers[9] < 0 || r->left)) status = damaged(r->ctx, "something is left over");
    if (status) nigh_selection_free(s);
    else *out = s;
    return status;
}

nigh_status nigh_selection_restore(nigh_context *ctx, nigh_submodular *f, const void *bytes, size_t size, nigh_selection **out)
{
    char hash[HASH];
    if (size < sizeof mark + HASH || size % 8 || memcmp(bytes, mark, sizeof mark) != 0)
        return nigh_fail(ctx, NIGH_FORMAT, "these %zu bytes are no saved selection", size);
    hash_of(bytes, size - HASH, hash);
    if (memcmp(hash, (const char *)bytes + size - HASH, HASH) != 0) return damaged(ctx, "its hash differs");
    reader r = {ctx, (const char *)bytes + sizeof mark, (int64_t)((size - HASH - sizeof mark) / 8)};
    return take_all(&r, f, out);
}
