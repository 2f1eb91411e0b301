/* Attention of the rows of a pass over pages, drafts and sinks, tile by tile and chunk by chunk. Declared in lm/cache.h. */
#include "lm/cache_inside.h"

#include <string.h>

/* What one row of a tile sees: positions low .. position, below `cached` in the sequence's pages, from there on drafts of the pass; and the first `far`. */
typedef struct sight {
    int64_t t, position, low, cached, far;
    int from, to, shared; /* places in the chunk at hand: all that are seen, and the end of those in the pages */
    int next;             /* place of the first draft whose value is not added yet */
} sight;

/* One tile under the heads of one kv head. */
typedef struct job {
    const cache_pages *p;
    const cache_query *call;
    const sequence *s;
    int layer, head, first_head, heads; /* kv head, heads first_head .. first_head + heads - 1 */
    int rows, pairs;                    /* of the tile; rows * heads */
    int64_t fronts, first_chunk, chunks; /* chunks of sinks beyond the window; of the rest */
    bool front;                          /* the chunk at hand is of sinks */
    bool bare;                           /* its keys are the unrotated ones */
    int64_t origin;                      /* first position of the chunk at hand */
    sight row[CACHE_ROWS];
    float *query, *far, *scores, *draft, *factors, *result, *total;
    float *wide; /* a block as f32, when many pairs use it */
    /* [rows][512], drafts: where a run of places begins, the row of the pass that stands in the first of them (rows that follow it stand in the others), and
     * how many places; all of one scratch page. */
    int16_t *slot, *length;
    uint64_t draft_pages; /* bits of scratch pages that the chunk at hand needs */
} job;

static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Cuts the member's memory into the job's buffers; gives the bytes of all. */
static size_t bind(const cache_pages *p, job *j, char *memory)
{
    size_t used = 0, queries = CACHE_ROWS * (size_t)p->shape.head_size * sizeof(float), results = CACHE_ROWS * (size_t)cache_result(p) * sizeof(float);
    size_t block = CACHE_PAGE * (size_t)p->width * sizeof(float), places = CACHE_ROWS * CACHE_CHUNK * sizeof(int16_t);
    struct {
        size_t bytes;
        void *place;
    } parts[] = {{queries, &j->query}, {queries, &j->far}, {CACHE_ROWS * CACHE_CHUNK * sizeof(float), &j->scores}, {CACHE_ROWS * CACHE_PAGE * sizeof(float), &j->draft},
                 {CACHE_CHUNK * sizeof(float), &j->factors}, {block, &j->wide}, {results, &j->result}, {results, &j->total}, {places, &j->slot}, {places, &j->length}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (memory) {
            void *at = memory + used;
            memcpy(parts[i].place, &at, sizeof at);
        }
        used += rounded(parts[i].bytes);
    }
    return used;
}

size_t cache_attend_bytes(const cache_pages *p, int64_t rows)
{
    job unused;
    (void)rows; /* a member has one tile in hand */
    return bind(p, &unused, NULL);
}

/* ---- what a tile sees ---- */

static void look(job *j, const tile *of)
{
    const cache_pages *p = j->p;
    const pass_row *row = &p->row[p->order[of->first]];
    int64_t window = p->window[j->layer], far = 0, low = INT64_MAX, high = 0;
    j->s = &p->sequences[row->sequence];
    bool streams = cache_streams(j->s) && window == 0;
    if (streams) window = j->s->window;
    j->rows = (int)of->rows;
    for (int r = 0; r < j->rows; r++) {
        sight *x = &j->row[r];
        x->t = p->order[of->first + r];
        x->position = p->position[x->t];
        x->low = window && x->position >= window ? x->position - window + 1 : 0;
        x->cached = p->row[x->t].draft ? j->s->length : x->position + 1;
        x->far = !streams ? 0 : x->low < j->s->sinks ? x->low : j->s->sinks;
        if (far < x->far) far = x->far;
        if (low > x->low) low = x->low;
        if (high < x->position) high = x->position;
    }
    j->fronts = (far + CACHE_CHUNK - 1) / CACHE_CHUNK;
    j->first_chunk = low / CACHE_CHUNK;
    j->chunks = high / CACHE_CHUNK - j->first_chunk + 1;
}

/* Queries of all pairs, [pairs][head_size]. */
static void pack(const job *j, const float *query, float *out)
{
    int64_t n = j->p->shape.head_size, row = n * j->heads;
    for (int r = 0; r < j->rows; r++) memcpy(out + r * row, query + j->row[r].t * j->call->ldq + j->first_head * n, (size_t)row * sizeof *out);
}

static int clip(int64_t x) { return x < 0 ? 0 : x > CACHE_CHUNK ? CACHE_CHUNK : (int)x; }

/* The group that pair i is in, of those that kernels take at once. */
enum { GROUPS = CACHE_ROWS / ATTEND_ROWS };
static int last_group(const job *j, int row) { return ((row + 1) * j->heads - 1) / ATTEND_ROWS; }

/* Places of the chunk that each row sees; false when none does. */
static bool choose(job *j)
{
    bool some = false;
    for (int r = 0; r < j->rows; r++) {
        sight *x = &j->row[r];
        int64_t first = j->front ? 0 : x->low, last = j->front ? x->far : x->position + 1;
        x->from = clip(first - j->origin);
        x->to = clip(last - j->origin);
        x->shared = clip((last < x->cached ? last : x->cached) - j->origin);
        if (x->shared < x->from) x->shared = x->from;
        some = some || x->from < x->to;
    }
    return some;
}

/* ---- scores ---- */

/* Numbers of one type in f32, where more pairs use them than that costs. */
static const void *widen(const job *j, const void *items, int64_t count, nigh_kv_type *type)
{
    if (*type == NIGH_KV_F32 || j->pairs <= 2 * ATTEND_ROWS) return items;
    if (*type == NIGH_KV_F16) j->p->kernels->from_half(items, count, j->wide);
    else j->p->kernels->from_bytes(items, count, j->wide);
    *type = NIGH_KV_F32;
    return j->wide;
}

/* Scores of a page under all pairs: places from its start to ends[first pair of the group] at least. */
static void score_page(const job *j, const page *of, const int *ends, const void *next, float *out, int64_t ldo)
{
    const cache_pages *p = j->p;
    const float *query = j->bare ? j->far : j->query;
    page_slice slice = cache_slice(p, of, j->layer, j->head);
    int n = p->shape.head_size;
    nigh_kv_type type = p->shape.type;
    const void *keys = widen(j, slice.keys, (int64_t)n * CACHE_PAGE, &type);
    for (int first = 0; first < j->pairs; first += ATTEND_ROWS) {
        int pairs = smaller(ATTEND_ROWS, j->pairs - first), places = smaller(CACHE_PAGE, ends[first / ATTEND_ROWS]);
        if (places > 0)
            p->kernels->scores[type](query + (int64_t)first * n, pairs, n, keys, places, slice.key_scale, j->call->scale, first || type != p->shape.type ? NULL : next,
                                     out + first * ldo, ldo);
    }
}

/* Keys, or values, of the block behind the one at place `at`, if it is in the table. */
static const void *following(const job *j, int at, bool keys)
{
    const page *of = at + CACHE_PAGE < CACHE_CHUNK ? cache_page(j->s, (j->origin + at) / CACHE_PAGE + 1) : NULL;
    if (!of) return NULL;
    page_slice slice = cache_slice(j->p, of, j->layer, j->head);
    return keys ? slice.keys : slice.values;
}

static void score_cached(const job *j)
{
    int from = CACHE_CHUNK, to = 0, ends[GROUPS] = {0};
    for (int r = 0; r < j->rows; r++) {
        const sight *x = &j->row[r];
        if (x->from >= x->shared) continue;
        from = smaller(from, x->from);
        to = larger(to, x->shared);
        for (int g = r * j->heads / ATTEND_ROWS; g <= last_group(j, r); g++) ends[g] = larger(ends[g], x->shared);
    }
    int at = from & ~(CACHE_PAGE - 1);
    for (int g = 0; g < GROUPS; g++) ends[g] -= at;
    for (; at < to; at += CACHE_PAGE) {
        int64_t index = (j->origin + at) / CACHE_PAGE;
        const page *of = cache_page(j->s, index);
        score_page(j, j->bare ? j->s->raw[index] : of, ends, following(j, at, true), j->scores + at, CACHE_CHUNK);
        if (j->factors) j->p->kernels->from_half(cache_slice(j->p, of, j->layer, j->head).value_scale, CACHE_PAGE, j->factors + at);
        for (int g = 0; g < GROUPS; g++) ends[g] -= CACHE_PAGE;
    }
}

/* Which drafts stand in the places behind the pages: the row itself, its parent, ..., run by run. */
static void find_drafts(job *j)
{
    j->draft_pages = 0;
    for (int r = 0; r < j->rows; r++) {
        sight *x = &j->row[r];
        x->next = x->shared;
        if (x->shared >= x->to) continue;
        for (int64_t t = x->t, place = x->position - j->origin; place >= x->shared;) {
            int64_t page_start = t - t % CACHE_PAGE, run = j->p->row[t].run, u = run > page_start ? run : page_start;
            int64_t low = place - (t - u), from = low > x->shared ? low : x->shared, last = place < x->to ? place : x->to - 1;
            if (from <= last) {
                j->slot[r * CACHE_CHUNK + from] = (int16_t)(t - (place - from));
                j->length[r * CACHE_CHUNK + from] = (int16_t)(last - from + 1);
                j->draft_pages |= 1ull << t / CACHE_PAGE;
            }
            t = j->p->row[u].parent;
            place = low - 1;
        }
    }
}

/* Place of the first draft of row r in scratch page k, or where its drafts end. */
static int first_of_page(const job *j, int r, int place, int k)
{
    while (place < j->row[r].to && j->slot[r * CACHE_CHUNK + place] / CACHE_PAGE < k) place += j->length[r * CACHE_CHUNK + place];
    return place;
}

/* Whether a run of scratch page k begins at this place of row r. */
static bool runs(const job *j, int r, int place, int k)
{
    return place < j->row[r].to && j->slot[r * CACHE_CHUNK + place] / CACHE_PAGE == k;
}

static void score_draft_page(job *j, int k)
{
    int ends[GROUPS] = {0}, places[CACHE_ROWS];
    for (int r = 0; r < j->rows; r++) {
        int end = 0;
        places[r] = first_of_page(j, r, j->row[r].shared, k);
        for (int place = places[r]; runs(j, r, place, k); place += j->length[r * CACHE_CHUNK + place])
            end = j->slot[r * CACHE_CHUNK + place] % CACHE_PAGE + j->length[r * CACHE_CHUNK + place];
        for (int g = r * j->heads / ATTEND_ROWS; g <= last_group(j, r); g++) ends[g] = larger(ends[g], end);
    }
    score_page(j, (j->bare ? j->p->scratch_raw : j->p->scratch)[k], ends, NULL, j->draft, CACHE_PAGE);
    for (int r = 0; r < j->rows; r++)
        for (int place = places[r], n; runs(j, r, place, k); place += n) {
            int slot = j->slot[r * CACHE_CHUNK + place] % CACHE_PAGE;
            n = j->length[r * CACHE_CHUNK + place];
            for (int i = r * j->heads; i < (r + 1) * j->heads; i++)
                memcpy(&j->scores[i * CACHE_CHUNK + place], &j->draft[i * CACHE_PAGE + slot], (size_t)n * sizeof *j->draft);
        }
}

/* ---- weights and values ---- */

static void weigh(job *j, float *result)
{
    const cache_pages *p = j->p;
    int64_t step = cache_result(p);
    for (int r = 0; r < j->rows; r++) {
        const sight *x = &j->row[r];
        for (int place = x->shared, n; j->factors && place < x->to; place += n) {
            int t = j->slot[r * CACHE_CHUNK + place];
            n = j->length[r * CACHE_CHUNK + place];
            p->kernels->from_half(&cache_slice(p, p->scratch[t / CACHE_PAGE], j->layer, j->head).value_scale[t % CACHE_PAGE], n, &j->factors[place]);
        }
        for (int i = r * j->heads; i < (r + 1) * j->heads; i++) {
            float *of = result + i * step;
            memset(of, 0, (size_t)(p->width + 2) * sizeof *of);
            if (x->from < x->to) p->kernels->weights(j->scores + i * CACHE_CHUNK, x->from, x->to, j->call->cap, j->factors, &of[p->width], &of[p->width + 1]);
        }
    }
}

/* A block of values; those of pages start at place `at`. */
typedef struct value_block {
    int at;
    nigh_kv_type type;
    const unsigned char *values;
    const void *next;
} value_block;

/* Values of slots slot .. slot + count - 1 stand in places from `place` on, for pairs first .. first + pairs - 1. */
static void add_slots(const job *j, const value_block *b, int first, int pairs, int place, int slot, int count, float *result)
{
    static const size_t bytes[] = {[NIGH_KV_F16] = 2, [NIGH_KV_F32] = 4, [NIGH_KV_Q8] = 1};
    const cache_pages *p = j->p;
    int64_t step = cache_result(p);
    if (count > 0)
        p->kernels->values[b->type](j->scores + first * CACHE_CHUNK + place, CACHE_CHUNK, pairs, count, b->values + (size_t)(slot * p->width) * bytes[b->type], p->width,
                                    b->next, result + first * step, step);
}

/* Pairs `first` .. of a group of `end` that belong to one row. */
static int row_pairs(const job *j, int first, int end) { return smaller((first / j->heads + 1) * j->heads, end) - first; }

/* A group of pairs shares the places that all of them see; what only some see comes before and behind, so that every chain ascends. */
static void add_block(const job *j, const value_block *b, int first, int pairs, float *result)
{
    int start = b->at, end = b->at + CACHE_PAGE, from = start, to = end;
    for (int r = first / j->heads; r <= (first + pairs - 1) / j->heads; r++) {
        from = larger(from, j->row[r].from);
        to = smaller(to, j->row[r].shared);
    }
    bool together = from < to;
    for (int i = first, n; i < first + pairs && together; i += n) {
        int low = larger(start, j->row[i / j->heads].from);
        n = row_pairs(j, i, first + pairs);
        add_slots(j, b, i, n, low, low - start, from - low, result);
    }
    if (together) add_slots(j, b, first, pairs, from, from - start, to - from, result);
    for (int i = first, n; i < first + pairs; i += n) {
        const sight *x = &j->row[i / j->heads];
        int low = together ? to : larger(start, x->from);
        n = row_pairs(j, i, first + pairs);
        add_slots(j, b, i, n, low, low - start, smaller(end, x->shared) - low, result);
    }
}

/* How many places from this one on hold the same drafts of page k for rows from .. to; runs that are longer end there. */
static int common_run(job *j, int from, int to, int place, int k)
{
    int n = CACHE_PAGE;
    for (int r = from; r <= to; r++) {
        if (!runs(j, r, place, k) || j->slot[r * CACHE_CHUNK + place] != j->slot[from * CACHE_CHUNK + place]) return 0;
        n = smaller(n, j->length[r * CACHE_CHUNK + place]);
    }
    for (int r = from; r <= to; r++) {
        int16_t *slot = &j->slot[r * CACHE_CHUNK + place], *length = &j->length[r * CACHE_CHUNK + place];
        if (*length == n) continue;
        slot[n] = (int16_t)(slot[0] + n);
        length[n] = (int16_t)(length[0] - n);
        length[0] = (int16_t)n;
    }
    return n;
}

/* Drafts of scratch page k: together while the rows of a group have the same ones, then for each row. */
static void add_drafts(job *j, const value_block *b, int k, int first, int pairs, float *result)
{
    int from = first / j->heads, to = (first + pairs - 1) / j->heads, place = j->row[from].next;
    bool together = true;
    for (int r = from; r <= to; r++) together = together && j->row[r].next == place;
    for (int n; together && (n = common_run(j, from, to, place, k)) > 0; place += n)
        add_slots(j, b, first, pairs, place, j->slot[from * CACHE_CHUNK + place] % CACHE_PAGE, n, result);
    for (int i = first, n; i < first + pairs; i += n) {
        int r = i / j->heads;
        n = row_pairs(j, i, first + pairs);
        for (int at = together ? place : j->row[r].next; runs(j, r, at, k); at += j->length[r * CACHE_CHUNK + at])
            add_slots(j, b, i, n, at, j->slot[r * CACHE_CHUNK + at] % CACHE_PAGE, j->length[r * CACHE_CHUNK + at], result);
    }
}

static void add_draft_page(job *j, int k, float *result)
{
    const cache_pages *p = j->p;
    value_block b = {.type = p->shape.type};
    b.values = widen(j, cache_slice(p, p->scratch[k], j->layer, j->head).values, (int64_t)p->width * CACHE_PAGE, &b.type);
    for (int first = 0; first < j->pairs; first += ATTEND_ROWS) add_drafts(j, &b, k, first, smaller(ATTEND_ROWS, j->pairs - first), result);
    for (int r = 0; r < j->rows; r++)
        while (runs(j, r, j->row[r].next, k)) j->row[r].next += j->length[r * CACHE_CHUNK + j->row[r].next];
}

static void add_values(job *j, float *result)
{
    const cache_pages *p = j->p;
    int from = CACHE_CHUNK, to = 0;
    for (int r = 0; r < j->rows; r++)
        if (j->row[r].from < j->row[r].shared) from = smaller(from, j->row[r].from), to = larger(to, j->row[r].shared);
    for (int at = from & ~(CACHE_PAGE - 1); at < to; at += CACHE_PAGE) {
        value_block b = {.at = at, .type = p->shape.type};
        b.values = widen(j, cache_slice(p, cache_page(j->s, (j->origin + at) / CACHE_PAGE), j->layer, j->head).values, (int64_t)p->width * CACHE_PAGE, &b.type);
        if (b.type == p->shape.type) b.next = following(j, at, false);
        for (int first = 0; first < j->pairs; first += ATTEND_ROWS) add_block(j, &b, first, smaller(ATTEND_ROWS, j->pairs - first), result);
    }
    for (int k = 0; k < 64 && j->draft_pages >> k; k++)
        if (j->draft_pages >> k & 1) add_draft_page(j, k, result);
}

/* Chunk `number` of the tile, sinks first: sums of values, maximum, sum for each pair. */
static void run_chunk(job *j, int64_t number, float *result)
{
    j->front = number < j->fronts;
    j->bare = j->front && j->s->limit > 0;
    j->origin = CACHE_CHUNK * (j->front ? number : j->first_chunk + number - j->fronts);
    if (!choose(j)) {
        for (int i = 0; i < j->pairs; i++) result[i * cache_result(j->p) + j->p->width + 1] = 0;
        return;
    }
    score_cached(j);
    find_drafts(j);
    for (int k = 0; k < 64 && j->draft_pages >> k; k++)
        if (j->draft_pages >> k & 1) score_draft_page(j, k);
    weigh(j, result);
    add_values(j, result);
}

/* ---- sharing out ---- */

/* Item: tile, kv head, group of its heads; the last tiles, which see most, come first. */
static void open_job(job *j, int64_t item)
{
    const cache_pages *p = j->p;
    int groups = cache_head_groups(p), heads = cache_group(p);
    int group = (int)(item % groups);
    j->head = (int)(item / groups % p->shape.kv_heads);
    j->first_head = j->head * heads + group * CACHE_HEADS;
    j->heads = heads - group * CACHE_HEADS < CACHE_HEADS ? heads - group * CACHE_HEADS : CACHE_HEADS;
    look(j, &p->tile[p->tiles - 1 - item / groups / p->shape.kv_heads]);
    j->pairs = j->rows * j->heads;
}

static void open_queries(job *j)
{
    pack(j, j->call->query, j->query);
    if (j->fronts && j->s->limit > 0) pack(j, j->call->far, j->far);
}

static void give(const job *j, const float *total)
{
    const cache_pages *p = j->p;
    for (int i = 0; i < j->pairs; i++)
        p->kernels->finish(total + i * cache_result(p), p->width, p->shape.head_size,
                           j->call->out + j->row[i / j->heads].t * j->call->ldo + (int64_t)(j->first_head + i % j->heads) * p->shape.head_size);
}

static void merge_into(const job *j, float *total, const float *result)
{
    const cache_pages *p = j->p;
    for (int i = 0; i < j->pairs; i++) p->kernels->merge(total + i * cache_result(p), result + i * cache_result(p), p->width);
}

/* All chunks of an item, one after the other. */
static void run_whole(job *j)
{
    open_queries(j);
    run_chunk(j, 0, j->total);
    for (int64_t c = 1; c < j->fronts + j->chunks; c++) {
        run_chunk(j, c, j->result);
        merge_into(j, j->total, j->result);
    }
    give(j, j->total);
}

static float *partial(const job *j, int64_t item, int64_t chunk)
{
    return j->p->partial + (size_t)(item * j->p->partial_chunks + chunk) * CACHE_ROWS * (size_t)cache_result(j->p);
}

/* Few items: members take chunks of them, and merge them when all are there. */
static void run_split(job *j, int64_t items, int64_t most, team *crew, team_share *share)
{
    for (int64_t k; (k = team_take(share, 1, items * most)) >= 0;) {
        open_job(j, k / most);
        if (k % most >= j->fronts + j->chunks) continue;
        open_queries(j);
        run_chunk(j, k % most, partial(j, k / most, k % most));
    }
    share = team_barrier(crew);
    for (int64_t item; (item = team_take(share, 1, items)) >= 0;) {
        open_job(j, item);
        float *total = partial(j, item, 0);
        for (int64_t c = 1; c < j->fronts + j->chunks; c++) merge_into(j, total, partial(j, item, c));
        give(j, total);
    }
}

void cache_attend(cache_pages *p, int layer, const cache_query *call, team *crew, int member, team_share *share, void *scratch)
{
    job j = {.p = p, .call = call, .layer = layer};
    int64_t items = p->tiles * p->shape.kv_heads * cache_head_groups(p), most = 1;
    (void)member;
    bind(p, &j, scratch);
    if (p->shape.type != NIGH_KV_Q8) j.factors = NULL;
    if (p->partial_chunks && team_members(crew) > 1 && items < 4 * team_members(crew))
        for (int64_t i = 0; i < items; i++) {
            open_job(&j, i);
            if (most < j.fronts + j.chunks) most = j.fronts + j.chunks;
        }
    if (most > 1) {
        run_split(&j, items, most, crew, share);
        return;
    }
    for (int64_t item; (item = team_take(share, 1, items)) >= 0;) {
        open_job(&j, item);
        run_whole(&j);
    }
}
