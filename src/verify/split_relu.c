/* Complete search by branch and bound over the phases of relus: see verify/split_relu.h for the method, verify/search.h for what is asked. */
#include "verify/split_relu.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { CHILD_STEPS = 12, TRIALS = 12, FOLLOWED = DESCENT_LANES, FOLLOW_STEPS = 8 };

/* Domains that wait: a heap for each group, worst first; when memory gets short, nearest to a proof first. */
typedef struct relu_queue {
    relu_domain **slot;
    int64_t *spare;      /* slots that are free */
    int64_t slots, spares, waiting, most;
    heap *heap;          /* [groups] */
    bool near_first;
    double done;         /* parts of groups that are proved, each group being 1 */
} relu_queue;

/* Children in hand and what came out of their bounds; arrays are [room, ...] of s->batch. */
typedef struct relu_work {
    relu_domain **child;
    int64_t *at;                           /* those that are left */
    double *coefficient, *level, *bound, *input, *point, **last, **value, **whole;
    double *singles;                       /* [room, rows + 1, outputs], its bounds behind it; for groups of several rows */
    relu_choice *choice;
    int64_t children, left;
    double slowest;                        /* seconds a child takes */
} relu_work;

typedef struct relu_run {
    relu_search s;
    relu_queue queue;
    relu_work work;
    nigh_arena *arena;
    bound_graph *unclipped;
    int most_rows;                         /* of a group */
    int64_t stuck;
} relu_run;

bool relu_late(const relu_search *s) { return s->options->seconds > 0 && nigh_clock() - s->started > s->options->seconds; }

static int rows_of(const relu_search *s, int g) { return s->query->group[g + 1] - s->query->group[g]; }

/* ---- the queue ---- */

static nigh_status push(relu_run *r, int g, relu_domain *d)
{
    relu_queue *q = &r->queue;
    if (!q->spares) {
        int64_t more = q->slots ? 2 * q->slots : 64;
        relu_domain **slot = nigh_resize(r->s.ctx, q->slot, (size_t)more * sizeof(void *));
        if (!slot) return NIGH_MEMORY;
        q->slot = slot;
        int64_t *spare = nigh_resize(r->s.ctx, q->spare, (size_t)more * sizeof *spare);
        if (!spare) return NIGH_MEMORY;
        q->spare = spare;
        for (int64_t i = more; i-- > q->slots;) q->spare[q->spares++] = i;
        q->slots = more;
    }
    int64_t id = q->spare[q->spares - 1];
    nigh_status status = heap_push(&q->heap[g], q->near_first ? d->bound : -d->bound, id);
    if (status) return status;
    q->spares--;
    q->slot[id] = d;
    q->waiting++;
    return NIGH_OK;
}

static relu_domain *pop(relu_run *r, int g)
{
    relu_queue *q = &r->queue;
    int64_t id = heap_pop(&q->heap[g]).id;
    q->spare[q->spares++] = id;
    q->waiting--;
    return q->slot[id];
}

/* Turns the order round when the queue gets full, and back when there is room. */
static void order(relu_run *r)
{
    relu_queue *q = &r->queue;
    bool near = q->near_first ? q->waiting > q->most / 2 : q->waiting > q->most - q->most / 4;
    if (near == q->near_first) return;
    q->near_first = near;
    for (int g = 0; g < r->s.query->groups; g++) {
        heap *h = &q->heap[g];
        for (int64_t i = 0; i < h->count; i++) h->at[i].key = -h->at[i].key;
        heap_make(h);
    }
}

/* The group whose first domain is first of all; -1: nothing waits. */
static int next_group(const relu_run *r)
{
    int found = -1;
    for (int g = 0; g < r->s.query->groups; g++)
        if (r->queue.heap[g].count && (found < 0 || r->queue.heap[g].at[0].key > r->queue.heap[found].at[0].key)) found = g;
    return found;
}

static void proved(relu_run *r, relu_domain *d)
{
    r->s.result->bound = fmin(r->s.result->bound, d->bound);
    r->queue.done += d->share;
    nigh_free(r->s.ctx, d);
}

/* ---- one batch ---- */

/* Takes domains of group g from the queue and lays their children out. */
static nigh_status expand(relu_run *r, int g)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int64_t take = s->batch.room / 2, fit = r->queue.most - r->queue.waiting;
    if (s->options->seconds > 0 && w->slowest > 0) {
        double remain = s->options->seconds - (nigh_clock() - s->started);
        take = (int64_t)fmin((double)take, fmax(1, remain / (2 * w->slowest)));
    }
    w->children = 0;
    for (int64_t i = 0; i < take && i <= fit && r->queue.heap[g].count; i++) {
        relu_domain *d = pop(r, g);
        for (int side = 0; side < 2; side++) {
            int32_t split = 2 * d->branch + side;
            if (d->closed & 1 << side) continue;
            relu_domain *child = relu_domain_extend(s, d, rows_of(s, g), 1, &split);
            if (!child) {
                nigh_free(s->ctx, d);
                return NIGH_MEMORY;
            }
            if (!d->closed) child->share = d->share / 2;
            if (child->splits > s->result->depth) s->result->depth = child->splits;
            w->child[w->children] = child;
            relu_domain_load(s, child, &s->batch, w->children);
            relu_row(s, g, child->weight, w->coefficient + w->children * s->outputs, &w->level[w->children]);
            w->children++;
        }
        nigh_free(s->ctx, d);
    }
    s->batch.domains = w->children;
    s->result->visited += w->children;
    return NIGH_OK;
}

/* Bounds with optimised slopes and multipliers; proved children go, the rest stands in at[left]. */
static nigh_status bound_children(relu_run *r)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    double stop = -INFINITY;
    for (int64_t i = 0; i < w->children; i++) stop = fmax(stop, -w->level[i]);
    stop = nextafter(stop, INFINITY);
    bounds_rows rows = {.node = s->graph->output, .rows = 1, .coefficient = w->coefficient, .bound = w->bound, .input = w->input, .last = w->last};
    bounds_optimise_options how = {.steps = s->steps, .rate = 0.25, .beta_rate = 0.05, .decay = 0.98, .level = &stop};
    nigh_status status = bounds_optimise(s->bounds, &s->batch, &rows, &how);
    w->left = 0;
    for (int64_t i = 0; !status && i < w->children; i++) {
        relu_domain *d = w->child[i];
        d->bound = fmax(d->bound, w->bound[i] + w->level[i]);
        relu_domain_store(s, d, &s->batch, i);
        if (d->bound > 0) {
            w->child[i] = NULL;
            proved(r, d);
        } else
            w->at[w->left++] = i;
    }
    return status;
}

/* The points where the linear bounds are least: tried, the worst of them followed uphill, and their arguments of activations taken for scores. */
static nigh_status look_at_points(relu_run *r, int g)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int64_t inputs = s->graph->inputs, worst[FOLLOWED], count = 0;
    for (int64_t k = 0; k < w->left; k++) {
        int64_t i = w->at[k];
        for (int64_t j = 0; j < inputs; j++) w->point[k * inputs + j] = w->input[i * inputs + j] > 0 ? s->query->low[j] : s->query->high[j];
        for (int a = 0; a < s->graph->activations; a++)
            w->whole[s->graph->node[s->graph->activation[a]].input[0]] = w->value[a] + i * s->graph->node[s->graph->activation[a]].size;
        nigh_status status = bound_graph_evaluate(s->graph, w->point + k * inputs, w->singles, w->whole);
        if (status) return status;
        int64_t at = count < FOLLOWED ? count++ : FOLLOWED;
        for (; at > 0 && w->child[w->at[worst[at - 1]]]->bound > w->child[i]->bound; at--)
            if (at < FOLLOWED) worst[at] = worst[at - 1];
        if (at < FOLLOWED) worst[at] = k;
    }
    if (!s->points || !w->left) return NIGH_OK;
    nigh_status status = relu_points_follow(s->points, g, w->left, w->point, 0);
    if (status || s->found) return status;
    double *chosen = w->input; /* not needed any more */
    for (int64_t k = 0; k < count; k++) memcpy(chosen + k * inputs, w->point + worst[k] * inputs, (size_t)inputs * sizeof *chosen);
    return relu_points_follow(s->points, g, count, chosen, FOLLOW_STEPS);
}
