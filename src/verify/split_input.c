/*
 * Search over boxes of inputs: a stack of boxes that bounds have left open, worked off in batches from its top (depth first, so that little waits), one box
 * to a thread at a time. What a batch gives does not depend on the threads.
 */
#include "verify/split_input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

enum { BATCH = 512, SEEK = 1000 };

static int thread_number(void)
{
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Boxes waiting, the last first. */
typedef struct stack {
    int64_t count, room;
    double *low, *high;
    int8_t *phase;
    uint8_t *open;
    int32_t *depth;
} stack;

typedef struct search {
    nigh_context *ctx;
    const search_query *query;
    const search_options *options;
    int threads;
    int64_t neurons, most;
    int few; /* unstable relus at most for splitting them */
    split_chain *chain;
    split_batch batch;
    stack stack;
    size_t workspace;  /* of a thread */
    char *work;        /* [threads, workspace] */
    size_t bounding;   /* of it for bounds */
    int64_t sought;    /* points gone downhill from */
    bool seeking;
    double began;
    search_result result;
    int64_t stuck;
} search;

/* ---- memory ---- */

static void *resized(nigh_context *ctx, void *block, int64_t count, int64_t size, bool *fine)
{
    void *to = nigh_resize(ctx, block, (size_t)(count * size > 0 ? count * size : 1));
    if (!to) *fine = false;
    return to ? to : block;
}

static nigh_status grow(search *s, int64_t room)
{
    stack *k = &s->stack;
    int64_t n = s->query->graph->inputs, real = sizeof(double);
    bool fine = true;
    k->low = resized(s->ctx, k->low, room, n * real, &fine), k->high = resized(s->ctx, k->high, room, n * real, &fine);
    k->phase = resized(s->ctx, k->phase, room, s->neurons, &fine), k->open = resized(s->ctx, k->open, room, s->query->groups, &fine);
    k->depth = resized(s->ctx, k->depth, room, sizeof *k->depth, &fine);
    if (!fine) return NIGH_MEMORY;
    k->room = room;
    return NIGH_OK;
}

static int64_t bytes_of_box(const search *s) { return 2 * s->query->graph->inputs * 8 + s->neurons + s->query->groups + 4; }

static nigh_status take_batch(search *s)
{
    split_batch *b = &s->batch;
    int64_t n = s->query->graph->inputs, rows = s->query->rows, real = sizeof(double);
    bool fine = true;
#define TAKE(field, size) b->field = resized(s->ctx, NULL, b->room, size, &fine)
    TAKE(low, n * real), TAKE(high, n * real), TAKE(phase, s->neurons), TAKE(open, s->query->groups), TAKE(depth, 4);
    TAKE(coefficient, (rows + SPLIT_RELUS) * n * real), TAKE(constant, (rows + SPLIT_RELUS) * real), TAKE(splits, 4);
    TAKE(score, n * real), TAKE(unstable, 4), TAKE(relu, 4);
    TAKE(cut, 4), TAKE(value, real), TAKE(point, n * real), TAKE(hit, 1);
#undef TAKE
    s->work = resized(s->ctx, NULL, s->threads, (int64_t)s->workspace, &fine);
    return fine ? NIGH_OK : NIGH_MEMORY;
}

static void release(search *s)
{
    split_batch *b = &s->batch;
    void *block[] = {b->low, b->high, b->phase, b->open, b->depth, b->coefficient, b->constant, b->splits, b->score, b->unstable, b->relu, b->cut, b->value, b->point, b->hit, s->work, s->stack.low, s->stack.high, s->stack.phase, s->stack.open, s->stack.depth};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) nigh_free(s->ctx, block[i]);
    split_chain_free(s->chain);
}

/* ---- boxes in and out ---- */

static void move_box(const search *s, double *low, double *high, int8_t *phase, uint8_t *open, const double *from_low, const double *from_high, const int8_t *from_phase,
                     const uint8_t *from_open)
{
    size_t bytes = (size_t)s->query->graph->inputs * sizeof(double);
    memcpy(low, from_low, bytes), memcpy(high, from_high, bytes);
    memcpy(phase, from_phase, (size_t)s->neurons), memcpy(open, from_open, (size_t)s->query->groups);
}

/* The halves of box i of the batch. */
static nigh_status push_halves(search *s, int64_t i)
{
    split_batch *b = &s->batch;
    stack *k = &s->stack;
    int64_t n = s->query->graph->inputs, groups = s->query->groups;
    if (k->count + 2 > k->room && grow(s, 2 * k->room)) return NIGH_MEMORY;
    double *low = b->low + i * n, *high = b->high + i * n;
    int8_t *phase = b->phase + i * s->neurons;
    int32_t cut = b->cut[i];
    double from = cut >= 0 ? low[cut] : 0, to = cut >= 0 ? high[cut] : 0, middle = 0.5 * from + 0.5 * to;
    for (int half = 0; half < 2; half++, k->count++) {
        int64_t at = k->count;
        if (cut >= 0) low[cut] = half ? middle : from, high[cut] = half ? to : middle;
        else phase[b->relu[i]] = half ? 2 : -2;
        move_box(s, k->low + at * n, k->high + at * n, k->phase + at * s->neurons, k->open + at * groups, low, high, phase, b->open + i * groups);
        k->depth[at] = b->depth[i] + 1;
    }
    return NIGH_OK;
}

static void pop_batch(search *s)
{
    split_batch *b = &s->batch;
    stack *k = &s->stack;
    int64_t n = s->query->graph->inputs, groups = s->query->groups;
    for (b->count = 0; b->count < b->room && k->count > 0; b->count++) {
        int64_t at = --k->count, i = b->count;
        move_box(s, b->low + i * n, b->high + i * n, b->phase + i * s->neurons, b->open + i * groups, k->low + at * n, k->high + at * n, k->phase + at * s->neurons,
                 k->open + at * groups);
        b->depth[i] = k->depth[at];
    }
}

/* ---- one box, one batch ---- */

static bool unsafe(const search_query *q, const double *value)
{
    for (int g = 0; g < q->groups; g++) {
        bool all = true;
        for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) all = all && value[r] <= 0;
        if (all) return true;
    }
    return false;
}

static void visit(search *s, int64_t i, int thread)
{
    split_batch *b = &s->batch;
    char *work = s->work + (size_t)thread * s->workspace, *scratch = work + s->bounding;
    double *x = b->point + i * s->query->graph->inputs;
    split_chain_bound(s->chain, b, i, work);
    split_box_conclude(s->query, b, i, s->few, scratch);
    if (!b->hit[i]) return;
    if (s->seeking) {
        b->hit[i] = split_point_seek(s->chain, s->query, x, scratch, work);
        return;
    }
    split_chain_values(s->chain, x, (double *)scratch, work);
    b->hit[i] = unsafe(s->query, (double *)scratch);
}

static void visit_all(search *s)
{
    int64_t count = s->batch.count;
    int threads = s->threads;
    (void)threads;
    s->seeking = s->sought < SEEK, s->sought += count;
#pragma omp parallel for schedule(dynamic, 4) num_threads(threads) if (threads > 1 && count > 8)
    for (int64_t i = 0; i < count; i++) visit(s, i, thread_number());
}

/* What the batch left: points to be tried, halves to be stacked. */
static nigh_status take_outcome(search *s)
{
    split_batch *b = &s->batch;
    search_result *r = &s->result;
    int64_t n = s->query->graph->inputs;
    r->visited += b->count;
    for (int64_t i = 0; i < b->count; i++) {
        if (b->depth[i] > r->depth) r->depth = b->depth[i];
        if (b->hit[i] && s->options->try && s->options->try(s->options->user, b->point + i * n)) {
            r->answer = SEARCH_UNSAFE;
            return NIGH_OK;
        }
        if (b->cut[i] == SPLIT_STUCK) s->stuck++, r->bound = fmin(r->bound, b->value[i]);
        else if (b->cut[i] != SPLIT_CLOSED && push_halves(s, i)) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

static nigh_status run(search *s)
{
    search_result *r = &s->result;
    r->answer = SEARCH_UNDECIDED;
    while (s->stack.count > 0) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        if (s->options->seconds > 0 && nigh_clock() - s->began > s->options->seconds) {
            r->why = "time";
            break;
        }
        if (s->stack.count > s->most) {
            r->why = "memory";
            break;
        }
        pop_batch(s);
        visit_all(s);
        status = take_outcome(s);
        if (status) return status;
        if (r->answer == SEARCH_UNSAFE) break;
    }
    r->domains = s->stack.count + s->stuck;
    if (r->answer == SEARCH_UNDECIDED && !r->why) {
        if (s->stuck) r->why = "stuck";
        else r->answer = SEARCH_SAFE;
    }
    return NIGH_OK;
}

static nigh_status start(search *s)
{
    const search_query *q = s->query;
    int layers, dense[64];
    if (!bound_graph_is_chain(q->graph, 64, &layers, dense)) return nigh_fail(s->ctx, NIGH_UNSUPPORTED, "no chain");
    nigh_status status = split_chain_new(s->ctx, q, layers, dense, &s->options->bounds, &s->chain);
    if (status) return status;
    s->neurons = split_chain_neurons(s->chain);
    size_t most = split_box_scratch(q), other = split_point_scratch(q);
    s->bounding = split_chain_workspace(s->chain), s->workspace = (s->bounding + (most > other ? most : other) + 63) / 64 * 64;
    s->few = getenv("FEW") ? atoi(getenv("FEW")) : 8;
    s->batch.room = BATCH;
    if (grow(s, 2 * BATCH) || take_batch(s)) return NIGH_MEMORY;
    s->most = s->options->most_domains;
    if (s->most <= 0) s->most = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4 / bytes_of_box(s);
    size_t bytes = (size_t)q->graph->inputs * sizeof(double);
    split_batch *b = &s->batch;
    memcpy(b->low, q->low, bytes), memcpy(b->high, q->high, bytes), memset(b->phase, 0, (size_t)s->neurons), memset(b->open, 1, (size_t)q->groups);
    split_chain_bound(s->chain, b, 0, s->work);
    split_chain_root(s->chain, b->phase, s->work);
    b->depth[0] = 0, b->count = 1;
    memcpy(s->stack.low, q->low, bytes), memcpy(s->stack.high, q->high, bytes), memcpy(s->stack.phase, b->phase, (size_t)s->neurons);
    memset(s->stack.open, 1, (size_t)q->groups), s->stack.depth[0] = 0, s->stack.count = 1;
    return NIGH_OK;
}

nigh_status search_input(nigh_context *ctx, const search_query *query, const search_options *options, search_result *result)
{
    search s = {.ctx = ctx, .query = query, .options = options, .began = nigh_clock(), .threads = options->bounds.threads > 0 ? options->bounds.threads : 1};
    s.result.bound = INFINITY;
    nigh_status status = start(&s);
    if (!status) status = run(&s);
    s.result.seconds = nigh_clock() - s.began;
    release(&s);
    if (status) return status;
    *result = s.result;
    return NIGH_OK;
}
