/*
 * Coverage as a submodular function. A chain keeps for each element at which lengths it was covered: with the c-th stamp at hand the gain over
 * any prefix costs no more than that over the whole chain, and nothing is copied.
 */
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

typedef struct coverage {
    nigh_context *ctx;
    int64_t items, elements, times;
    int64_t *start;
    int32_t *element;
    double *weight; /* NULL: ones */
} coverage;

typedef struct cover_chain {
    nigh_context *ctx;
    int32_t *stamp; /* [elements, times]: lengths before the items that covered it, increasing; INT32_MAX: not yet */
    int64_t length, room;
    int64_t *mark;  /* [length + 1] into journal */
    int64_t written, journal_room;
    int32_t *journal; /* elements in the order in which they were covered */
} cover_chain;

static void cover_close(void *user, void *chain)
{
    cover_chain *c = chain;
    (void)user;
    nigh_context *ctx = c->ctx;
    nigh_free(ctx, c->stamp);
    nigh_free(ctx, c->mark);
    nigh_free(ctx, c->journal);
    nigh_free(ctx, c);
}

static nigh_status cover_open(void *user, nigh_context *ctx, void **out)
{
    coverage *f = user;
    cover_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx;
    size_t stamps = (size_t)f->elements * (size_t)f->times;
    c->stamp = nigh_alloc(ctx, (stamps ? stamps : 1) * sizeof *c->stamp);
    c->mark = nigh_alloc_zero(ctx, 33, sizeof *c->mark);
    if (!c->stamp || !c->mark) {
        cover_close(user, c);
        return NIGH_MEMORY;
    }
    c->room = 32;
    for (size_t i = 0; i < stamps; i++) c->stamp[i] = INT32_MAX;
    *out = c;
    return NIGH_OK;
}

static double gain_of(const coverage *f, const cover_chain *c, int64_t length, int64_t item)
{
    const int32_t *stamp = c->stamp + (f->times - 1);
    int64_t from = f->start[item], to = f->start[item + 1], covered = 0;
    if (!f->weight) {
        for (int64_t i = from; i < to; i++) covered += stamp[(int64_t)f->element[i] * f->times] >= length;
        return (double)covered;
    }
    double gain = 0;
    for (int64_t i = from; i < to; i++)
        if (stamp[(int64_t)f->element[i] * f->times] >= length) gain += f->weight[f->element[i]];
    return gain;
}

static nigh_status cover_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    for (int64_t i = 0; i < count; i++) gain[i] = gain_of(user, chain, length, item[i]);
    return NIGH_OK;
}

static nigh_status cover_reserve(cover_chain *c, int64_t more)
{
    if (c->length == c->room) {
        int64_t *mark = nigh_resize(c->ctx, c->mark, (size_t)(2 * c->room + 1) * sizeof *mark);
        if (!mark) return NIGH_MEMORY;
        c->mark = mark;
        c->room *= 2;
    }
    if (c->written + more <= c->journal_room) return NIGH_OK;
    int64_t room = 2 * (c->written + more);
    int32_t *journal = nigh_resize(c->ctx, c->journal, (size_t)room * sizeof *journal);
    if (!journal) return NIGH_MEMORY;
    c->journal = journal;
    c->journal_room = room;
    return NIGH_OK;
}

static nigh_status cover_add(void *user, void *chain, int64_t item, double *gain)
{
    coverage *f = user;
    cover_chain *c = chain;
    nigh_status status = cover_reserve(c, f->start[item + 1] - f->start[item]);
    if (status) return status;
    *gain = gain_of(f, c, c->length, item);
    for (int64_t i = f->start[item]; i < f->start[item + 1]; i++) {
        int32_t *stamp = c->stamp + (int64_t)f->element[i] * f->times;
        int64_t t = 0;
        while (t < f->times && stamp[t] != INT32_MAX) t++;
        if (t == f->times) continue;
        stamp[t] = (int32_t)c->length;
        c->journal[c->written++] = f->element[i];
    }
    c->mark[++c->length] = c->written;
    return NIGH_OK;
}

static void cover_cut(void *user, void *chain, int64_t length)
{
    coverage *f = user;
    cover_chain *c = chain;
    if (length >= c->length) return;
    while (c->written > c->mark[length]) {
        int32_t *stamp = c->stamp + (int64_t)c->journal[--c->written] * f->times;
        int64_t t = f->times - 1;
        while (t > 0 && stamp[t] == INT32_MAX) t--;
        stamp[t] = INT32_MAX;
    }
    c->length = length;
}

static void cover_free(void *user)
{
    coverage *f = user;
    if (!f) return;
    nigh_context *ctx = f->ctx;
    nigh_free(ctx, f->start);
    nigh_free(ctx, f->element);
    nigh_free(ctx, f->weight);
    nigh_free(ctx, f);
}

static nigh_status check_spec(nigh_context *ctx, const nigh_coverage *s)
{
    if (s->items < 1 || s->elements < 1 || s->elements > INT32_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "coverage of %lld elements by %lld items; 1 item and 1 to %d elements are allowed", (long long)s->elements,
                         (long long)s->items, INT32_MAX);
    if (s->times < 0 || s->times > 65535) return nigh_fail(ctx, NIGH_INVALID, "times is %lld; 1 to 65535 is allowed", (long long)s->times);
    if (s->start[0] != 0) return nigh_fail(ctx, NIGH_INVALID, "start[0] is %lld; 0 is allowed", (long long)s->start[0]);
    for (int64_t i = 0; i < s->items; i++) {
        if (s->start[i + 1] < s->start[i]) return nigh_fail(ctx, NIGH_INVALID, "start falls at item %lld", (long long)i);
        for (int64_t j = s->start[i]; j < s->start[i + 1]; j++)
            if (s->element[j] < 0 || s->element[j] >= s->elements)
                return nigh_fail(ctx, NIGH_INVALID, "item %lld has element %lld; 0 to %lld are allowed", (long long)i, (long long)s->element[j],
                                 (long long)s->elements - 1);
    }
    for (int64_t u = 0; s->weight && u < s->elements; u++)
        if (!(s->weight[u] >= 0) || !isfinite(s->weight[u]))
            return nigh_fail(ctx, NIGH_INVALID, "weight %lld is %g; finite ones from 0 on are allowed", (long long)u, s->weight[u]);
    return NIGH_OK;
}

/* Copies the items without repeats; seen[elements] holds who had an element last. */
static void copy_items(coverage *f, const nigh_coverage *s, int64_t *seen)
{
    int64_t written = 0;
    for (int64_t u = 0; u < s->elements; u++) seen[u] = -1;
    for (int64_t i = 0; i < s->items; i++) {
        f->start[i] = written;
        for (int64_t j = s->start[i]; j < s->start[i + 1]; j++) {
            if (seen[s->element[j]] == i) continue;
            seen[s->element[j]] = i;
            f->element[written++] = (int32_t)s->element[j];
        }
    }
    f->start[s->items] = written;
}

nigh_status nigh_submodular_coverage(nigh_context *ctx, const nigh_coverage *s, nigh_submodular **out)
{
    nigh_status status = check_spec(ctx, s);
    if (status) return status;
    coverage *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    int64_t *seen = nigh_alloc(ctx, (size_t)s->elements * sizeof *seen);
    if (f) {
        *f = (coverage){.ctx = ctx, .items = s->items, .elements = s->elements, .times = s->times ? s->times : 1};
        f->start = nigh_alloc(ctx, (size_t)(s->items + 1) * sizeof *f->start);
        f->element = nigh_alloc(ctx, (size_t)(s->start[s->items] + 1) * sizeof *f->element);
        f->weight = s->weight ? nigh_alloc(ctx, (size_t)s->elements * sizeof *f->weight) : NULL;
    }
    if (!f || !seen || !f->start || !f->element || (s->weight && !f->weight)) status = NIGH_MEMORY;
    if (!status) copy_items(f, s, seen);
    if (!status && s->weight) memcpy(f->weight, s->weight, (size_t)s->elements * sizeof *f->weight);
    nigh_free(ctx, seen);
    const nigh_submodular_calls calls = {.items = s->items, .open = cover_open, .close = cover_close, .gains = cover_gains, .add = cover_add, .cut = cover_cut,
                                         .free_user = cover_free, .user = f};
    if (!status) status = nigh_submodular_new(ctx, &calls, out);
    if (status) cover_free(f);
    return status;
}

nigh_status nigh_submodular_graph(nigh_context *ctx, int64_t nodes, int64_t edges, const int64_t *from, const int64_t *to, bool undirected, nigh_submodular **out)
{
    if (nodes < 1 || edges < 0) return nigh_fail(ctx, NIGH_INVALID, "a graph of %lld nodes and %lld edges; 1 node or more is allowed", (long long)nodes, (long long)edges);
    for (int64_t e = 0; e < edges; e++)
        if (from[e] < 0 || from[e] >= nodes || to[e] < 0 || to[e] >= nodes)
            return nigh_fail(ctx, NIGH_INVALID, "edge %lld is %lld to %lld; nodes 0 to %lld are allowed", (long long)e, (long long)from[e], (long long)to[e],
                             (long long)nodes - 1);
    int64_t *start = nigh_alloc_zero(ctx, (size_t)nodes + 2, sizeof *start);
    int64_t *element = nigh_alloc(ctx, (size_t)(nodes + edges * (undirected ? 2 : 1)) * sizeof *element);
    nigh_status status = start && element ? NIGH_OK : NIGH_MEMORY;
    if (!status) { /* start[i + 1] counts, then is where the next of item i goes, and ends as its end */
        for (int64_t i = 0; i < nodes; i++) start[i + 2]++;
        for (int64_t e = 0; e < edges; e++) {
            start[from[e] + 2]++;
            if (undirected) start[to[e] + 2]++;
        }
        for (int64_t i = 0; i < nodes; i++) start[i + 2] += start[i + 1];
        for (int64_t i = 0; i < nodes; i++) element[start[i + 1]++] = i;
        for (int64_t e = 0; e < edges; e++) {
            element[start[from[e] + 1]++] = to[e];
            if (undirected) element[start[to[e] + 1]++] = from[e];
        }
        const nigh_coverage spec = {.items = nodes, .elements = nodes, .start = start, .element = element};
        status = nigh_submodular_coverage(ctx, &spec, out);
    }
    nigh_free(ctx, start);
    nigh_free(ctx, element);
    return status;
}
