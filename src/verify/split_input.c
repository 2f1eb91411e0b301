/*
 * Search over boxes of inputs. Boxes that bounds leave open wait on a stack and are worked off in batches: half of a batch from the top, so that few wait, half from
 * anywhere, the least bounds preferred, so that unsafe points are met wherever they are. What a batch gives does not depend on the threads.
 */
#include "verify/split_input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

enum {
    BATCH = 512,
    FEW = 12,       /* unstable relus that are split instead of inputs */
    SEEK = 1000,    /* boxes from whose points steps go downhill in any case, */
    SEEK_EVERY = 4, /* afterwards every fourth with so many unstable relus that bounds cost as much */
    SEEK_FROM = 16,
    LAYERS = 64,
    AMONG = 4,          /* boxes of which the one with the least bound is taken */
    DEEP_ONLY = 1 << 17 /* boxes waiting beyond which only the top is taken */
};

static int thread_number(void)
{
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

typedef struct search {
    nigh_context *ctx;
    const search_query *query;
    const search_options *options;
    int threads;
    split_chain *chain;     /* or */
    split_general *general;
    split_batch batch;
    split_stack stack;
    int64_t most;           /* boxes waiting */
    size_t bounding, workspace; /* bytes of a thread: for bounds, in all */
    char *work;             /* [threads, workspace] */
    int64_t sought, stuck;
    bool seeking;
    uint64_t random;
    double began, closed;   /* closed: share of the box, a split counting as halves */
    search_result result;
} search;

/* ---- one batch ---- */

static void pick(search *s)
{
    split_batch *b = &s->batch;
    split_stack *k = &s->stack;
    for (b->count = 0; b->count < b->room && k->count > 0; b->count++) {
        bool anywhere = b->count % 2 && k->count > BATCH && k->count < DEEP_ONLY && k->count < s->most / 2;
        int64_t best = k->count - 1;
        for (int t = 0; anywhere && t < AMONG; t++) {
            s->random = s->random * 6364136223846793005u + 1442695040888963407u;
            int64_t at = (int64_t)((s->random >> 33) % (uint64_t)k->count);
            if (t == 0 || k->value[at] < k->value[best]) best = at;
        }
        split_stack_lift(k, best, b);
        split_stack_pop(k, b, b->count);
    }
}

/* Looks at the point that a box's bounds leave. */
static bool look(const search *s, int64_t i, char *work)
{
    const split_batch *b = &s->batch;
    double *x = b->point + i * s->query->graph->inputs, *value = (double *)(work + s->bounding);
    if (s->seeking || (b->unstable[i] > SEEK_FROM && i % SEEK_EVERY == 1)) return split_point_seek(s->chain, s->query, x, value, work);
    split_chain_values(s->chain, x, value, work);
    return split_values_unsafe(s->query, value);
}

static void visit(search *s, int64_t i, int thread)
{
    split_batch *b = &s->batch;
    char *work = s->work + (size_t)thread * s->workspace;
    if (s->chain) split_chain_bound(s->chain, b, i, work);
    split_box_conclude(s->query, b, i, FEW, work + s->bounding);
    if (s->chain && b->hit[i]) b->hit[i] = look(s, i, work);
}

static nigh_status visit_all(search *s)
{
    split_batch *b = &s->batch;
    int64_t count = b->count;
    if (s->general) {
        nigh_status status = split_general_bound(s->general, b);
        if (status) return status;
    }
    s->seeking = s->sought < SEEK, s->sought += count;
#pragma omp parallel for schedule(dynamic, 4) num_threads(s->threads) if (s->threads > 1 && count > 4)
    for (int64_t i = 0; i < count; i++) visit(s, i, thread_number());
    for (int64_t i = 0; s->general && i < count; i++)
        if (b->hit[i]) b->hit[i] = split_general_unsafe(s->general, b->point + i * s->query->graph->inputs);
    return NIGH_OK;
}

static nigh_status push_halves(search *s, int64_t i)
{
    split_batch *b = &s->batch;
    int64_t n = s->query->graph->inputs;
    int32_t cut = b->cut[i];
    double *low = b->low + i * n + cut, *high = b->high + i * n + cut, to = cut >= 0 ? *high : 0, middle = cut >= 0 ? 0.5 * *low + 0.5 * to : 0;
    int8_t *phase = b->phase + i * s->stack.neurons + b->relu[i];
    b->depth[i]++;
    for (int half = 0; half < 2; half++) {
        if (cut == SPLIT_RELU) *phase = half ? 2 : -2;
        else if (half) *low = middle, *high = to;
        else *high = middle;
        if (split_stack_push(&s->stack, b, i)) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

/* What the batch left: points to be tried, halves to wait. */
static nigh_status take_outcome(search *s)
{
    split_batch *b = &s->batch;
    search_result *r = &s->result;
    r->visited += b->count;
    for (int64_t i = 0; i < b->count; i++) {
        if (b->depth[i] > r->depth) r->depth = b->depth[i];
        if (b->hit[i] && !s->options->try) r->why = "stuck"; /* no proof is to be had */
        if (b->hit[i] && s->options->try && s->options->try(s->options->user, b->point + i * s->query->graph->inputs)) {
            r->answer = SEARCH_UNSAFE;
            return NIGH_OK;
        }
        if (b->cut[i] == SPLIT_CLOSED) s->closed += ldexp(1, -b->depth[i]);
        else if (b->cut[i] == SPLIT_STUCK) s->stuck++, r->bound = fmin(r->bound, b->value[i]);
        else if (push_halves(s, i)) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

static void tell(const search *s)
{
    char what[96];
    snprintf(what, sizeof what, "boxes\t%lld done, %lld waiting", (long long)s->result.visited, (long long)s->stack.count);
    nigh_progress(s->ctx, what, s->closed, 1);
}

static nigh_status run(search *s)
{
    search_result *r = &s->result;
    while (s->stack.count > 0 && !r->why && r->answer != SEARCH_UNSAFE) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        pick(s);
        status = visit_all(s);
        if (!status) status = take_outcome(s);
        if (status) return status;
        tell(s);
        if (s->options->seconds > 0 && nigh_clock() - s->began > s->options->seconds) r->why = "time";
        else if (s->stack.count > s->most) r->why = "memory";
    }
    for (int64_t i = 0; i < s->stack.count; i++) r->bound = fmin(r->bound, s->stack.value[i]);
    r->domains = s->stack.count + s->stuck;
    if (r->answer != SEARCH_UNSAFE && r->domains == 0) r->answer = SEARCH_SAFE;
    if (r->answer != SEARCH_UNDECIDED) r->why = NULL;
    else if (!r->why) r->why = "stuck";
    return NIGH_OK;
}

/* ---- beginning ---- */

static nigh_status check(nigh_context *ctx, const search_query *q)
{
    for (int64_t i = 0; i < q->graph->inputs; i++)
        if (!(q->low[i] <= q->high[i]) || !isfinite(q->low[i]) || !isfinite(q->high[i]))
            return nigh_fail(ctx, NIGH_INVALID, "input %lld is from %g to %g; finite and not empty is allowed", (long long)i, q->low[i], q->high[i]);
    return NIGH_OK;
}

/* A group of no conditions holds everywhere. */
static bool try_middle(search *s)
{
    const search_query *q = s->query;
    double *x = s->batch.point;
    for (int64_t i = 0; i < q->graph->inputs; i++) x[i] = 0.5 * q->low[i] + 0.5 * q->high[i];
    for (int g = 0; g < q->groups; g++) {
        if (q->group[g] < q->group[g + 1]) continue;
        if (s->options->try && s->options->try(s->options->user, x)) s->result.answer = SEARCH_UNSAFE;
        else s->stuck = 1, s->result.bound = -INFINITY;
        return true;
    }
    return false;
}

static nigh_status take_bounds(search *s)
{
    const search_query *q = s->query;
    int layers, dense[LAYERS];
    int64_t room = 64;
    nigh_status status = NIGH_UNSUPPORTED;
    if (bound_graph_is_chain(q->graph, LAYERS, &layers, dense)) status = split_chain_new(s->ctx, q, layers, dense, &s->options->bounds, &s->chain);
    if (status && status != NIGH_UNSUPPORTED) return status;
    if (status) status = split_general_new(s->ctx, q, &s->options->bounds, room, &s->general);
    if (status) return status;
    size_t box = split_box_scratch(q), point = split_point_scratch(q);
    if (s->chain) {
        s->stack.neurons = split_chain_neurons(s->chain), s->bounding = split_chain_workspace(s->chain);
        room = (int64_t)fmin(fmax(2e10 / split_chain_cost(s->chain), 8), BATCH); /* not more than seconds between looks at the clock */
    }
    s->workspace = (s->bounding + (box > point ? box : point) + 63) / 64 * 64;
    s->work = nigh_alloc(s->ctx, (size_t)s->threads * s->workspace);
    return s->work ? split_batch_new(s->ctx, q, s->stack.neurons, room, &s->batch) : NIGH_MEMORY;
}

static nigh_status start(search *s)
{
    const search_query *q = s->query;
    size_t vector = (size_t)q->graph->inputs * sizeof(double);
    split_batch *b = &s->batch;
    nigh_status status = check(s->ctx, q);
    if (!status) status = take_bounds(s);
    if (status || q->groups == 0 || try_middle(s)) return status;
    s->most = s->options->most_domains;
    if (s->most <= 0) s->most = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4 / split_stack_bytes(&s->stack);
    memcpy(b->low, q->low, vector), memcpy(b->high, q->high, vector);
    memset(b->phase, 0, (size_t)s->stack.neurons), memset(b->open, 1, (size_t)q->groups);
    b->depth[0] = 0, b->value[0] = -INFINITY;
    if (s->chain) {
        split_chain_bound(s->chain, b, 0, s->work);
        split_chain_root(s->chain, b->phase, s->work);
    }
    return split_stack_push(&s->stack, b, 0);
}

nigh_status search_input(nigh_context *ctx, const search_query *query, const search_options *options, search_result *result)
{
    int threads = options->bounds.threads > 0 ? options->bounds.threads : 1;
    search s = {.ctx = ctx, .query = query, .options = options, .threads = threads, .began = nigh_clock(), .random = options->seed};
    s.stack = (split_stack){.ctx = ctx, .inputs = query->graph->inputs, .groups = query->groups};
    s.result = (search_result){.answer = SEARCH_UNDECIDED, .bound = INFINITY};
    nigh_status status = start(&s);
    if (!status) status = run(&s);
    s.result.seconds = nigh_clock() - s.began;
    split_chain_free(s.chain);
    split_general_free(s.general);
    split_batch_free(ctx, &s.batch);
    split_stack_free(&s.stack);
    nigh_free(ctx, s.work);
    if (!status) *result = s.result;
    return status;
}
