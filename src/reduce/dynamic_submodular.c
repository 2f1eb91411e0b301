/*
 * "Dynamic Constrained Submodular Optimization with Polylogarithmic Update Time": which copies work, insertions, deletions, answers. A copy is in
 * selection_copy.c, saving in selection_state.c.
 *
 * Which guesses matter. low = the larger of the best value in hand and the largest single value is no more than the best value OPT; high, the
 * least of k times the largest single value and f(chain) + k threshold over copies that have not chosen k (nothing that is there gains the
 * threshold) is no less. The guess in (OPT / (1 + epsilon), OPT] alone carries the guarantee; guesses up to 2 high, where a threshold reaches OPT / k, do better
 * in practice. So copies from low to 2 high work.
 */
#include "reduce/selection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------------------------- */

nigh_status selection_scratch(nigh_selection *s, int64_t count)
{
    if (count <= s->scratch_room) return NIGH_OK;
    int64_t room = count > 2 * s->scratch_room ? count : 2 * s->scratch_room;
    int64_t *scratch = nigh_resize(s->ctx, s->scratch, (size_t)room * sizeof *scratch);
    if (scratch) s->scratch = scratch;
    int64_t *index = nigh_resize(s->ctx, s->index, (size_t)room * sizeof *index);
    if (index) s->index = index;
    double *gain = nigh_resize(s->ctx, s->scratch_gain, (size_t)room * sizeof *gain);
    if (gain) s->scratch_gain = gain;
    if (!scratch || !index || !gain) return NIGH_MEMORY;
    s->scratch_room = room;
    return NIGH_OK;
}

nigh_status selection_check_options(nigh_context *ctx, nigh_selection_options *o)
{
    if (o->epsilon == 0) o->epsilon = 0.2;
    if (o->trials == 0) o->trials = 30;
    if (o->k < 1 || o->k > 1000000) return nigh_fail(ctx, NIGH_INVALID, "k is %lld; 1 to 1000000 is allowed", (long long)o->k);
    if (!(o->epsilon >= 0.01 && o->epsilon <= 0.5)) return nigh_fail(ctx, NIGH_INVALID, "epsilon is %g; 0.01 to 0.5 is allowed", o->epsilon);
    if (o->trials < 2 || o->trials > 10000) return nigh_fail(ctx, NIGH_INVALID, "trials is %lld; 2 to 10000 is allowed", (long long)o->trials);
    return NIGH_OK;
}

nigh_status selection_open(nigh_context *ctx, nigh_submodular *f, const nigh_selection_options *options, nigh_selection **out)
{
    nigh_selection *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    int64_t n = nigh_submodular_items(f);
    s->ctx = ctx, s->f = f, s->o = *options, s->n = n;
    s->rng = nigh_rng_new(options->seed, 0);
    s->threshold_times = 1;
    s->buckets = 3 + (int64_t)(log(4 * (double)options->k) / log1p(options->epsilon));
    s->largest.ctx = ctx;
    s->place = nigh_alloc(ctx, (size_t)n * sizeof *s->place);
    s->single = nigh_alloc_zero(ctx, (size_t)n, sizeof *s->single);
    nigh_status status = s->place && s->single ? selection_scratch(s, s->buckets > options->trials ? s->buckets : options->trials) : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) s->place[i] = -1;
    if (!status) status = nigh_chain_new(f, &s->empty);
    if (!status) status = nigh_chain_new(f, &s->spare);
    if (status) nigh_selection_free(s);
    else *out = s;
    return status;
}

nigh_status nigh_selection_new(nigh_context *ctx, nigh_submodular *f, const nigh_selection_options *options, nigh_selection **out)
{
    nigh_selection_options o = *options;
    nigh_status status = selection_check_options(ctx, &o);
    return status ? status : selection_open(ctx, f, &o, out);
}

void nigh_selection_free(nigh_selection *s)
{
    if (!s) return;
    for (int64_t i = 0; i < s->copies; i++) selection_copy_free(s, s->copy[i]);
    nigh_free(s->ctx, s->copy);
    nigh_free(s->ctx, s->place);
    nigh_free(s->ctx, s->single);
    nigh_free(s->ctx, s->live);
    nigh_free(s->ctx, s->scratch);
    nigh_free(s->ctx, s->index);
    nigh_free(s->ctx, s->scratch_gain);
    heap_free(&s->largest);
    nigh_chain_free(s->empty);
    nigh_chain_free(s->spare);
    nigh_free(s->ctx, s);
}

nigh_status selection_reserve_live(nigh_selection *s, int64_t count)
{
    if (count <= s->live_room) return NIGH_OK;
    int64_t room = count > 2 * s->live_room ? count : 2 * s->live_room;
    int64_t *live = nigh_resize(s->ctx, s->live, (size_t)room * sizeof *live);
    if (!live) return NIGH_MEMORY;
    s->live = live;
    s->live_room = room;
    return NIGH_OK;
}

nigh_status selection_add_copy(nigh_selection *s, int64_t power, selection_copy **out)
{
    if (s->copies == s->copy_room) {
        int64_t room = s->copy_room ? 2 * s->copy_room : 16;
        selection_copy **more = nigh_resize(s->ctx, s->copy, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        s->copy = more;
        s->copy_room = room;
    }
    selection_copy *c;
    nigh_status status = selection_copy_new(s, power, &c);
    if (status) return status;
    int64_t at = s->copies++;
    for (; at > 0 && s->copy[at - 1]->power > power; at--) s->copy[at] = s->copy[at - 1];
    s->copy[at] = *out = c;
    return NIGH_OK;
}

/* ---- which copies work ------------------------------------------------------------------------------------------ */

double selection_largest(nigh_selection *s, int64_t *item)
{
    heap *h = &s->largest;
    while (h->count && (s->place[h->at[0].id] < 0 || s->single[h->at[0].id] != h->at[0].key)) heap_pop(h);
    if (item) *item = h->count ? h->at[0].id : -1;
    return h->count ? h->at[0].key : 0;
}

static bool has_bound(const nigh_selection *s, const selection_copy *c) { return c->working && nigh_chain_length(c->chain) < s->o.k; }

/* low <= best value of any k items there <= high. */
static void bracket(nigh_selection *s, double *low, double *high)
{
    double largest = selection_largest(s, NULL), k = (double)(s->o.k < s->size ? s->o.k : s->size);
    *low = largest;
    *high = k * largest;
    for (int64_t i = 0; i < s->copies; i++) {
        const selection_copy *c = s->copy[i];
        *low = fmax(*low, c->live_value);
        if (has_bound(s, c)) *high = fmin(*high, nigh_chain_value(c->chain, nigh_chain_length(c->chain)) + k * c->threshold);
    }
    *high = fmax(*high, *low); /* they may touch, and differ by rounding */
}

static void window(nigh_selection *s, int64_t *first, int64_t *last)
{
    double low, high, base = log1p(s->o.epsilon);
    bracket(s, &low, &high);
    if (s->o.every_guess) low = selection_largest(s, NULL), high = (double)s->o.k * low;
    else high *= 2;
    *first = low > 0 ? (int64_t)floor(log(low) / base + 1e-9) : 0;
    *last = low > 0 ? (int64_t)floor(log(high) / base + 1e-9) : -1;
}

static selection_copy *find_copy(const nigh_selection *s, int64_t power)
{
    for (int64_t i = 0; i < s->copies; i++)
        if (s->copy[i]->power == power) return s->copy[i];
    return NULL;
}

/* Wakes copies until all of the window work, from its middle on: each that wakes may narrow it. Then the others sleep. */
static nigh_status settle(nigh_selection *s)
{
    int64_t first, last;
    for (;;) {
        int64_t chosen = INT64_MIN;
        window(s, &first, &last);
        for (int64_t power = first; power <= last; power++) {
            const selection_copy *c = find_copy(s, power);
            if (!(c && c->working) && (chosen == INT64_MIN || llabs(2 * power - first - last) < llabs(2 * chosen - first - last))) chosen = power;
        }
        if (chosen == INT64_MIN) break;
        selection_copy *c = find_copy(s, chosen);
        nigh_status status = c ? NIGH_OK : selection_add_copy(s, chosen, &c);
        if (!status) status = selection_copy_wake(s, c);
        if (status) return status;
    }
    for (int64_t i = 0; i < s->copies; i++) s->copy[i]->working &= s->copy[i]->power >= first && s->copy[i]->power <= last;
    return NIGH_OK;
}

/* ---- updates ---------------------------------------------------------------------------------------------------- */

static nigh_status begin(const nigh_selection *s, int64_t item)
{
    if (s->broken) return nigh_fail(s->ctx, NIGH_FAILED, "this selection was left half done by an earlier failure; restore it from a saved state");
    if (item < 0 || item >= s->n) return nigh_fail(s->ctx, NIGH_INVALID, "item %lld; 0 to %lld are allowed", (long long)item, (long long)s->n - 1);
    return NIGH_OK;
}

/* Half of the heap gone: made anew from what is there. */
static nigh_status push_single(nigh_selection *s, int64_t item)
{
    heap *h = &s->largest;
    if (h->count < 64 || h->count < 2 * s->size) return heap_push(h, s->single[item], item);
    nigh_status status = heap_reserve(h, s->size);
    if (status) return status;
    h->count = 0;
    for (int64_t i = 0; i < s->size; i++) h->at[h->count++] = (heap_entry){s->single[s->live[i]], s->live[i]};
    heap_make(h);
    return NIGH_OK;
}

nigh_status nigh_selection_insert(nigh_selection *s, int64_t item)
{
    nigh_status status = begin(s, item);
    if (status) return status;
    if (s->place[item] >= 0) return nigh_fail(s->ctx, NIGH_INVALID, "item %lld is inserted but it is there already", (long long)item);
    int64_t before = nigh_submodular_count(s->f);
    double single;
    status = selection_reserve_live(s, s->size + 1);
    if (!status) status = nigh_chain_gains(s->empty, 0, 1, &item, &single);
    if (status) return status;
    if (single < 0) return nigh_fail(s->ctx, NIGH_INVALID, "f of item %lld alone is %g, less than f of nothing; monotone functions are allowed", (long long)item, single);
    s->single[item] = single;
    s->place[item] = s->size;
    s->live[s->size++] = item;
    status = push_single(s, item);
    for (int64_t i = 0; i < s->copies && !status; i++) status = selection_copy_insert(s, s->copy[i], item);
    if (!status) status = settle(s);
    s->broken = status != NIGH_OK;
    s->updates++;
    s->calls += nigh_submodular_count(s->f) - before;
    return status;
}

nigh_status nigh_selection_delete(nigh_selection *s, int64_t item)
{
    nigh_status status = begin(s, item);
    if (status) return status;
    if (s->place[item] < 0) return nigh_fail(s->ctx, NIGH_INVALID, "item %lld is deleted but it is not there", (long long)item);
    int64_t before = nigh_submodular_count(s->f), last = s->live[--s->size];
    s->live[s->place[item]] = last;
    s->place[last] = s->place[item];
    s->place[item] = -1;
    for (int64_t i = 0; i < s->copies && !status; i++) status = selection_copy_delete(s, s->copy[i], item);
    if (!status) status = settle(s);
    s->broken = status != NIGH_OK;
    s->updates++;
    s->calls += nigh_submodular_count(s->f) - before;
    return status;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

/* The items there of the copy's sample, or the one best item when that is more. */
static nigh_status best_copy(nigh_selection *s, nigh_chosen *out)
{
    const selection_copy *best = NULL;
    int64_t single, count = 0;
    double most = selection_largest(s, &single);
    for (int64_t i = 0; i < s->copies; i++)
        if (s->copy[i]->live_value > most || (s->copy[i]->live_value == most && !best && most > 0)) most = s->copy[i]->live_value, best = s->copy[i];
    nigh_chain_cut(s->spare, 0);
    nigh_status status = NIGH_OK;
    const int64_t *item = best ? nigh_chain_items(best->chain) : &single;
    int64_t length = best ? nigh_chain_length(best->chain) : single >= 0;
    for (int64_t i = 0; i < length && !status; i++) {
        if (s->place[item[i]] < 0) continue;
        out->item[count] = item[i];
        status = nigh_chain_add(s->spare, item[i], &out->gain[count]);
        count++;
    }
    out->count = count;
    out->value = nigh_chain_value(s->spare, nigh_chain_length(s->spare));
    nigh_chain_cut(s->spare, 0);
    return status;
}

/* What working copies have sampled and is there, each once; [count] allocated. */
static nigh_status candidates(nigh_selection *s, const nigh_chosen *best, int64_t **out, int64_t *count)
{
    int64_t most = best->count, kept = 0;
    for (int64_t i = 0; i < s->copies; i++)
        if (s->copy[i]->working) most += nigh_chain_length(s->copy[i]->chain);
    heap h = {.ctx = s->ctx}; /* as a way to sort */
    nigh_status status = heap_reserve(&h, most + 1);
    if (status) return status;
    for (int64_t i = 0; i < best->count; i++) h.at[h.count++] = (heap_entry){0, best->item[i]};
    for (int64_t i = 0; i < s->copies; i++)
        for (int64_t j = 0; s->copy[i]->working && j < nigh_chain_length(s->copy[i]->chain); j++)
            if (s->place[nigh_chain_items(s->copy[i]->chain)[j]] >= 0) h.at[h.count++] = (heap_entry){0, nigh_chain_items(s->copy[i]->chain)[j]};
    heap_make(&h);
    int64_t *item = nigh_alloc(s->ctx, (size_t)(h.count + 1) * sizeof *item);
    while (item && h.count) {
        int64_t id = heap_pop(&h).id;
        if (!kept || item[kept - 1] != id) item[kept++] = id;
    }
    heap_free(&h);
    *out = item;
    *count = kept;
    return item ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status polished(nigh_selection *s, nigh_chosen *best)
{
    int64_t *among = NULL, count = 0;
    nigh_chosen better = {0};
    nigh_status status = candidates(s, best, &among, &count);
    const nigh_greedy_options options = {.k = s->o.k, .among = among, .count = count};
    if (!status) status = nigh_greedy(s->ctx, s->f, &options, &better);
    nigh_free(s->ctx, among);
    if (!status && better.value > best->value) {
        nigh_chosen_free(s->ctx, best);
        *best = better;
    } else {
        nigh_chosen_free(s->ctx, &better);
    }
    return status;
}

nigh_status nigh_selection_answer_now(nigh_selection *s, bool polish, nigh_selection_answer *out)
{
    nigh_status status = begin(s, 0);
    if (status) return status;
    int64_t before = nigh_submodular_count(s->f);
    double low, high;
    size_t room = (size_t)s->o.k * sizeof(int64_t);
    nigh_chosen best = {.item = nigh_alloc(s->ctx, room), .gain = nigh_alloc(s->ctx, room)};
    status = best.item && best.gain ? best_copy(s, &best) : NIGH_MEMORY;
    if (!status && polish) status = polished(s, &best);
    s->calls += best.calls = nigh_submodular_count(s->f) - before;
    if (status) {
        nigh_chosen_free(s->ctx, &best);
        return status;
    }
    bracket(s, &low, &high);
    *out = (nigh_selection_answer){best, fmax(high, best.value)};
    return NIGH_OK;
}

/* ---- looks ------------------------------------------------------------------------------------------------------ */

const nigh_selection_options *nigh_selection_settings(const nigh_selection *s) { return &s->o; }
int64_t nigh_selection_size(const nigh_selection *s) { return s->size; }
bool nigh_selection_has(const nigh_selection *s, int64_t item) { return item >= 0 && item < s->n && s->place[item] >= 0; }
const int64_t *nigh_selection_items(const nigh_selection *s) { return s->live; }

nigh_selection_totals nigh_selection_counts(const nigh_selection *s)
{
    nigh_selection_totals totals = {.updates = s->updates, .calls = s->calls, .rebuilt = s->rebuilt, .copies = s->copies};
    for (int64_t i = 0; i < s->copies; i++) totals.working += s->copy[i]->working;
    return totals;
}

nigh_selection_copy nigh_selection_copy_at(const nigh_selection *s, int64_t i)
{
    const selection_copy *c = s->copy[i];
    return (nigh_selection_copy){.guess = c->guess, .threshold = c->threshold, .working = c->working, .fresh = c->fresh, .levels = c->levels,
                                 .count = nigh_chain_length(c->chain), .item = nigh_chain_items(c->chain), .gain = c->gain};
}
