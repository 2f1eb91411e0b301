/* Greedy choice of k items: plain, lazy, stochastic. */
#include "core/heap.h"
#include "nigh/random.h"
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

typedef struct greedy {
    nigh_context *ctx;
    nigh_greedy_options o;
    nigh_chain *chain;
    int64_t count, *item; /* what may still be chosen (PLAIN, STOCHASTIC), in no order */
    double *gain;         /* [count] scratch */
    nigh_chosen chosen;
} greedy;

void nigh_chosen_free(nigh_context *ctx, nigh_chosen *chosen)
{
    if (!chosen) return;
    nigh_free(ctx, chosen->item);
    nigh_free(ctx, chosen->gain);
    *chosen = (nigh_chosen){0};
}

static bool finished(const greedy *g) { return g->chosen.count == g->o.k || (g->o.target > 0 && g->chosen.value >= g->o.target); }

static nigh_status take(greedy *g, int64_t item)
{
    double gain;
    nigh_status status = nigh_chain_add(g->chain, item, &gain);
    if (status) return status;
    g->chosen.item[g->chosen.count] = item;
    g->chosen.gain[g->chosen.count++] = gain;
    g->chosen.value += gain;
    return nigh_poll(g->ctx);
}

/* ---- lazy ------------------------------------------------------------------------------------------------------- */

/* Takes up to `batch` entries off the top, evaluates them in one call and puts them back. */
static nigh_status refresh(greedy *g, heap *h, int64_t *evaluated)
{
    int64_t count = 0;
    while (count < g->o.batch && h->count) g->item[count++] = heap_pop(h).id;
    nigh_status status = nigh_chain_gains(g->chain, g->chosen.count, count, g->item, g->gain);
    for (int64_t i = 0; i < count && !status; i++) {
        evaluated[g->item[i]] = g->chosen.count;
        status = heap_push(h, g->gain[i], g->item[i]);
    }
    return status;
}

/* evaluated[n]: over how many items an item's gain in the heap was computed. */
static nigh_status run_lazy(greedy *g, int64_t n)
{
    heap h = {.ctx = g->ctx};
    int64_t *evaluated = nigh_alloc_zero(g->ctx, (size_t)n, sizeof *evaluated);
    nigh_status status = evaluated ? heap_reserve(&h, g->count) : NIGH_MEMORY;
    if (!status) status = nigh_chain_gains(g->chain, 0, g->count, g->item, g->gain);
    for (int64_t i = 0; i < g->count && !status; i++) h.at[h.count++] = (heap_entry){g->gain[i], g->item[i]};
    if (!status) heap_make(&h);
    while (!status && !finished(g) && h.count && h.at[0].key > g->o.least) {
        if (evaluated[h.at[0].id] == g->chosen.count) {
            status = take(g, heap_pop(&h).id);
        } else if (g->o.batch > 1) {
            status = refresh(g, &h, evaluated);
        } else {
            double gain;
            status = nigh_chain_gains(g->chain, g->chosen.count, 1, &h.at[0].id, &gain);
            evaluated[h.at[0].id] = g->chosen.count;
            if (!status) heap_rekey(&h, gain);
        }
    }
    heap_free(&h);
    nigh_free(g->ctx, evaluated);
    return status;
}

/* ---- plain and stochastic --------------------------------------------------------------------------------------- */

/* The best of item[0 .. tried-1] is chosen and leaves the list. */
static nigh_status take_best(greedy *g, int64_t tried, bool *none)
{
    nigh_status status = nigh_chain_gains(g->chain, g->chosen.count, tried, g->item, g->gain);
    if (status) return status;
    int64_t best = 0;
    for (int64_t i = 1; i < tried; i++)
        if (g->gain[i] > g->gain[best] || (g->gain[i] == g->gain[best] && g->item[i] < g->item[best])) best = i;
    *none = !(g->gain[best] > g->o.least);
    if (*none) return NIGH_OK;
    status = take(g, g->item[best]);
    g->item[best] = g->item[--g->count];
    return status;
}

static nigh_status run_plain(greedy *g)
{
    bool none = false;
    nigh_status status = NIGH_OK;
    while (!status && !none && g->count && !finished(g)) status = take_best(g, g->count, &none);
    return status;
}

/* An unlucky draw of items without gain ends nothing: the next draw may do better. */
static nigh_status run_stochastic(greedy *g)
{
    nigh_rng rng = nigh_rng_new(g->o.seed, 0);
    nigh_status status = NIGH_OK;
    double share = ceil((double)g->count / (double)g->o.k * log(1 / g->o.epsilon));
    for (int64_t turn = 0; turn < g->o.k && !status && g->count && !finished(g); turn++) {
        bool none;
        int64_t tried = share < (double)g->count ? (int64_t)fmax(share, 1) : g->count;
        for (int64_t i = 0; i < tried; i++) {
            int64_t j = i + (int64_t)nigh_rng_below(&rng, (uint64_t)(g->count - i)), swapped = g->item[i];
            g->item[i] = g->item[j];
            g->item[j] = swapped;
        }
        status = take_best(g, tried, &none);
    }
    return status;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

static nigh_status check_options(nigh_context *ctx, const nigh_greedy_options *o, int64_t n)
{
    if ((unsigned)o->kind > NIGH_GREEDY_STOCHASTIC) return nigh_fail(ctx, NIGH_INVALID, "greedy kind %d; 0 to 2 is allowed", (int)o->kind);
    if (o->k < 1) return nigh_fail(ctx, NIGH_INVALID, "k is %lld; 1 or more is allowed", (long long)o->k);
    if (!(o->epsilon >= 0 && o->epsilon < 1)) return nigh_fail(ctx, NIGH_INVALID, "epsilon is %g; 0 to 1 is allowed, 1 excluded", o->epsilon);
    if (o->batch < 0) return nigh_fail(ctx, NIGH_INVALID, "batch is %lld; 1 or more is allowed", (long long)o->batch);
    if (o->among && (o->count < 0 || o->count > n))
        return nigh_fail(ctx, NIGH_INVALID, "a choice among %lld of %lld items", (long long)o->count, (long long)n);
    for (int64_t i = 0; o->among && i < o->count; i++)
        if (o->among[i] < 0 || o->among[i] >= n)
            return nigh_fail(ctx, NIGH_INVALID, "among[%lld] is %lld; items 0 to %lld are allowed", (long long)i, (long long)o->among[i], (long long)n - 1);
    return NIGH_OK;
}

static nigh_status prepare(greedy *g, nigh_submodular *f, int64_t n)
{
    if (!g->o.among) g->o.count = n;
    g->count = g->o.count;
    if (g->o.k > g->count) g->o.k = g->count;
    if (g->o.epsilon == 0) g->o.epsilon = 0.1;
    if (g->o.batch == 0) g->o.batch = 1;
    g->item = nigh_alloc(g->ctx, (size_t)(g->count + 1) * sizeof *g->item);
    g->gain = nigh_alloc(g->ctx, (size_t)(g->count + 1) * sizeof *g->gain);
    g->chosen.item = nigh_alloc(g->ctx, (size_t)(g->o.k + 1) * sizeof *g->chosen.item);
    g->chosen.gain = nigh_alloc(g->ctx, (size_t)(g->o.k + 1) * sizeof *g->chosen.gain);
    if (!g->item || !g->gain || !g->chosen.item || !g->chosen.gain) return NIGH_MEMORY;
    for (int64_t i = 0; i < g->count; i++) g->item[i] = g->o.among ? g->o.among[i] : i;
    return nigh_chain_new(f, &g->chain);
}

nigh_status nigh_greedy(nigh_context *ctx, nigh_submodular *f, const nigh_greedy_options *options, nigh_chosen *out)
{
    int64_t n = nigh_submodular_items(f), before = nigh_submodular_count(f);
    nigh_status status = check_options(ctx, options, n);
    if (status) return status;
    greedy g = {.ctx = ctx, .o = *options};
    status = prepare(&g, f, n);
    if (!status && g.count)
        status = g.o.kind == NIGH_GREEDY_LAZY ? run_lazy(&g, n) : g.o.kind == NIGH_GREEDY_PLAIN ? run_plain(&g) : run_stochastic(&g);
    nigh_chain_free(g.chain);
    nigh_free(ctx, g.item);
    nigh_free(ctx, g.gain);
    g.chosen.calls = nigh_submodular_count(f) - before;
    if (status) nigh_chosen_free(ctx, &g.chosen);
    else *out = g.chosen;
    return status;
}
