/* Complete search by branch and bound over the phases of relus: see verify/split_relu.h for the method, verify/search.h for what is asked. */
#include "verify/split_relu.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { CHILD_STEPS = 8, TRIALS = 8, FOLLOWED = DESCENT_LANES, FOLLOW_STEPS = 8, FOLLOW_EVERY = 4 };
static const double BETA_RATE = 2; /* a step of a multiplier, in coefficients at units */

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
    double *coefficient, *level, *bound, *parent, *input, *point, *result, **last;
    double *mixed, *mixed_bound;           /* [room, rows + 1, outputs], [room, rows + 1]; for groups of several rows */
    float *mix;                            /* [rows + 1, rows] */
    relu_choice *choice;
    int64_t children, left, batches;
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
    int64_t forget, made;                  /* every forget-th child is dropped */
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
    for (int64_t i = 0; i < take && i < fit && r->queue.heap[g].count; i++) {
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
            if (r->forget && ++r->made % r->forget == 0) {
                nigh_free(s->ctx, child);
                continue;
            }
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
    bounds_optimise_options how = {.steps = s->steps, .rate = 0.25, .beta_rate = s->beta_rate, .decay = 0.98, .level = &stop};
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

/* The least margin of a group's rows at outputs y; `worst` (NULL: not wanted): its row. */
static double least_margin(const relu_search *s, int g, const double *y, int *worst)
{
    double least = INFINITY;
    for (int r = s->query->group[g]; r < s->query->group[g + 1]; r++) {
        double margin = -s->query->level[r];
        for (int64_t k = 0; k < s->outputs; k++) margin += s->query->row[r * s->outputs + k] * y[k];
        if (margin < least) {
            least = margin;
            if (worst) *worst = r - s->query->group[g];
        }
    }
    return least;
}

/* The points where the linear bounds are least; now and then the worst of them are followed uphill. */
static nigh_status look_at_points(relu_run *r, int g)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int64_t inputs = s->graph->inputs, worst[FOLLOWED], count = 0;
    if (rows_of(s, g) == 1 && (!s->points || w->batches % FOLLOW_EVERY)) return NIGH_OK;
    for (int64_t k = 0; k < w->left; k++) {
        int64_t i = w->at[k];
        for (int64_t j = 0; j < inputs; j++) w->point[i * inputs + j] = w->input[i * inputs + j] > 0 ? s->query->low[j] : s->query->high[j];
        nigh_status status = rows_of(s, g) > 1 ? bound_graph_evaluate(s->graph, w->point + i * inputs, w->result + i * s->outputs, NULL) : NIGH_OK;
        if (status) return status;
        int64_t at = count < FOLLOWED ? count++ : FOLLOWED;
        for (; at > 0 && w->child[worst[at - 1]]->bound > w->child[i]->bound; at--)
            if (at < FOLLOWED) worst[at] = worst[at - 1];
        if (at < FOLLOWED) worst[at] = i;
    }
    if (!s->points || !w->left || w->batches % FOLLOW_EVERY) return NIGH_OK;
    double *chosen = w->input; /* not needed any more */
    for (int64_t k = 0; k < count; k++) memcpy(chosen + k * inputs, w->point + worst[k] * inputs, (size_t)inputs * sizeof *chosen);
    return relu_points_follow(s->points, g, count, chosen, FOLLOW_STEPS);
}

/* The weights of rows from which a child's next bound is to be taken: those it has, with more on the row that misses most at its point; and each row alone. */
static void mixes(const relu_run *r, int g, int64_t i, float *mix)
{
    const relu_search *s = &r->s;
    int rows = rows_of(s, g), worst = 0;
    least_margin(s, g, r->work.result + i * s->outputs, &worst);
    for (int k = 0; k < rows; k++)
        for (int j = 0; j < rows; j++) mix[(k + 1) * rows + j] = j == k;
    for (int k = 0; k < rows; k++) mix[k] = 0.75f * r->work.child[i]->weight[k] + (k == worst ? 0.25f : 0);
}

/* Groups of several rows are proved when one combination is: children that are left take the best one at hand. */
static nigh_status reweigh(relu_run *r, int g)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int rows = rows_of(s, g), all = rows + 1;
    if (rows == 1 || rows > 64) return NIGH_OK;
    double level;
    for (int64_t k = 0; k < w->left; k++) {
        bounds_batch_copy(s->graph, &s->batch, w->at[k], &s->trial, k);
        mixes(r, g, w->at[k], w->mix);
        for (int j = 0; j < all; j++) relu_row(s, g, w->mix + j * rows, w->mixed + (k * all + j) * s->outputs, &level);
    }
    s->trial.domains = w->left;
    bounds_rows what = {.node = s->graph->output, .rows = all, .coefficient = w->mixed, .bound = w->mixed_bound};
    nigh_status status = w->left ? bounds_lower(s->bounds, &s->trial, &what) : NIGH_OK;
    int64_t left = 0;
    for (int64_t k = 0; !status && k < w->left; k++) {
        int64_t i = w->at[k];
        relu_domain *d = w->child[i];
        mixes(r, g, i, w->mix);
        for (int j = 0; j < all; j++) {
            relu_row(s, g, w->mix + j * rows, w->mixed, &level);
            double margin = w->mixed_bound[k * all + j] + level;
            if (margin <= d->bound) continue;
            d->bound = margin;
            memcpy(d->weight, w->mix + j * rows, (size_t)rows * sizeof *d->weight);
            memcpy(w->coefficient + i * s->outputs, w->mixed, (size_t)s->outputs * sizeof *w->coefficient);
            w->level[i] = level;
        }
        if (d->bound > 0) {
            w->child[i] = NULL;
            proved(r, d);
        } else
            w->at[left++] = i;
    }
    w->left = left;
    return status;
}

/* A domain in which all phases are decided. */
static nigh_status end_of(relu_run *r, int g, int64_t i)
{
    relu_domain *d = r->work.child[i];
    relu_leaf leaf;
    double bound = d->bound;
    nigh_status status = relu_leaf_solve(&r->s, &r->s.batch, i, g, &leaf, &bound);
    r->work.child[i] = NULL;
    if (!status && leaf == RELU_LEAF_PROVED) {
        d->bound = bound;
        proved(r, d);
        return NIGH_OK;
    }
    if (!status && leaf == RELU_LEAF_STUCK) {
        r->stuck++;
        r->s.result->bound = fmin(r->s.result->bound, d->bound);
    }
    nigh_free(r->s.ctx, d);
    return status;
}

/* What is left of the children gets its next branching and waits. */
static nigh_status enqueue(relu_run *r, int g)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    for (int64_t k = 0; k < w->left; k++) w->parent[w->at[k]] = w->child[w->at[k]]->bound;
    relu_branching what = {.domains = w->left, .at = w->at, .coefficient = w->coefficient, .level = w->level, .bound = w->parent, .last = w->last};
    nigh_status status = relu_branch(s, &what, w->choice);
    for (int64_t k = 0; !status && k < w->left && !s->found; k++) {
        int64_t i = w->at[k];
        relu_domain *d = w->child[i];
        const relu_choice *c = &w->choice[k];
        s->result->bound = fmin(s->result->bound, c->bound);
        if (c->closed == 3) {
            w->child[i] = NULL;
            d->bound = c->bound;
            proved(r, d);
        } else if (c->unit < 0)
            status = end_of(r, g, i);
        else {
            relu_domain *next = relu_domain_extend(s, d, rows_of(s, g), c->forced, c->force);
            if (!next) return NIGH_MEMORY;
            nigh_free(s->ctx, d);
            w->child[i] = next;
            next->branch = c->unit;
            next->closed = c->closed;
            status = push(r, g, next);
            if (!status) w->child[i] = NULL;
        }
    }
    return status;
}

static nigh_status step(relu_run *r, int g)
{
    relu_work *w = &r->work;
    double before = nigh_clock();
    w->batches++;
    nigh_status status = expand(r, g);
    if (!status) status = bound_children(r);
    if (!status) status = look_at_points(r, g);
    if (!status && !r->s.found) status = reweigh(r, g);
    if (!status && !r->s.found) status = enqueue(r, g);
    if (w->children) w->slowest = fmax(w->slowest / 2, (nigh_clock() - before) / (double)w->children);
    for (int64_t i = 0; i < w->children; i++) {
        nigh_free(r->s.ctx, w->child[i]);
        w->child[i] = NULL;
    }
    return status;
}

/* ---- beginning and end ---- */

static double **per_activation(relu_run *r, int64_t room)
{
    const bound_graph *g = r->s.graph;
    double **array = nigh_arena_alloc(r->arena, (size_t)(g->activations + 1) * sizeof *array);
    for (int a = 0; array && a < g->activations; a++)
        if (!(array[a] = nigh_arena_alloc(r->arena, (size_t)(room * g->node[g->activation[a]].size) * sizeof **array))) return NULL;
    return array;
}

static bool new_numbers(relu_run *r, double **to, int64_t rows, int64_t columns)
{
    *to = nigh_arena_alloc(r->arena, (size_t)(rows * columns + 1) * sizeof **to);
    return *to != NULL;
}

static nigh_status new_work(relu_run *r)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int64_t room = s->batch.room, all = r->most_rows + 1, inputs = s->graph->inputs;
    if (!(w->child = nigh_arena_alloc_zero(r->arena, (size_t)room, sizeof *w->child))) return NIGH_MEMORY;
    if (!(w->at = nigh_arena_alloc(r->arena, (size_t)room * sizeof *w->at))) return NIGH_MEMORY;
    if (!(w->choice = nigh_arena_alloc(r->arena, (size_t)room * sizeof *w->choice))) return NIGH_MEMORY;
    if (!(w->mix = nigh_arena_alloc(r->arena, (size_t)(all * r->most_rows + 1) * sizeof *w->mix))) return NIGH_MEMORY;
    bool ok = new_numbers(r, &w->coefficient, room, s->outputs) && new_numbers(r, &w->level, room, 1) && new_numbers(r, &w->bound, room, 1) &&
              new_numbers(r, &w->parent, room, 1) && new_numbers(r, &w->input, room, inputs) && new_numbers(r, &w->point, room, inputs) &&
              new_numbers(r, &w->result, room, s->outputs) && (w->last = per_activation(r, room));
    if (ok && r->most_rows > 1 && r->most_rows <= 64) ok = new_numbers(r, &w->mixed, room * all, s->outputs) && new_numbers(r, &w->mixed_bound, room, all);
    return ok ? NIGH_OK : NIGH_MEMORY;
}

/* How many domains a batch takes: what fits into 64 MB, at most 128. */
static int64_t batch_room(const bound_graph *g)
{
    int64_t numbers = 4 * g->inputs;
    for (int a = 0; a < g->activations; a++) numbers += 8 * g->node[g->activation[a]].size;
    int64_t room = ((int64_t)8 << 20) / numbers;
    return room < 2 ? 2 : room > 128 ? 128 : room / 2 * 2;
}

static nigh_status prepare(relu_run *r)
{
    relu_search *s = &r->s;
    const search_query *q = s->query;
    nigh_status status = nigh_arena_new(s->ctx, &r->arena);
    if (!status) status = relu_graph_unclip(s->ctx, q->graph, &r->unclipped);
    if (status) return status;
    s->graph = r->unclipped ? r->unclipped : q->graph;
    s->outputs = s->graph->node[s->graph->output].size;
    s->steps = CHILD_STEPS;
    s->trials = TRIALS;
    int64_t elements = 1, room = batch_room(s->graph);
    for (int a = 0; a < s->graph->activations; a++) elements += s->graph->node[s->graph->activation[a]].size;
    for (int g = 0; g < q->groups; g++)
        if (rows_of(s, g) > r->most_rows) r->most_rows = rows_of(s, g);
    if (!(s->unit = nigh_arena_alloc(r->arena, (size_t)elements * sizeof *s->unit))) return NIGH_MEMORY;
    if (!new_numbers(r, &s->reach, 2, s->outputs)) return NIGH_MEMORY;
    if (!(r->queue.heap = nigh_arena_alloc_zero(r->arena, (size_t)q->groups + 1, sizeof *r->queue.heap))) return NIGH_MEMORY;
    for (int g = 0; g < q->groups; g++) r->queue.heap[g].ctx = s->ctx;
    status = bounds_new(s->ctx, s->graph, &s->options->bounds, q->low, q->high, &s->bounds);
    if (!status) status = bounds_batch_new(s->ctx, s->graph, 1, BOUNDS_SLOPE | BOUNDS_SPLIT, &s->root);
    if (!status) status = bounds_batch_new(s->ctx, s->graph, room, BOUNDS_SLOPE | BOUNDS_SPLIT, &s->batch);
    if (!status) status = bounds_batch_new(s->ctx, s->graph, room, BOUNDS_SLOPE | BOUNDS_SPLIT, &s->trial);
    if (!status && s->options->try) status = relu_points_new(s, &s->points);
    if (!status) status = new_work(r);
    return status;
}

static void clear(relu_run *r)
{
    relu_search *s = &r->s;
    for (int g = 0; r->queue.heap && g < s->query->groups; g++) {
        while (r->queue.heap[g].count) nigh_free(s->ctx, pop(r, g));
        heap_free(&r->queue.heap[g]);
    }
    nigh_free(s->ctx, r->queue.slot);
    nigh_free(s->ctx, r->queue.spare);
    relu_points_free(s->points);
    if (s->graph) {
        bounds_batch_free(s->ctx, s->graph, &s->root);
        bounds_batch_free(s->ctx, s->graph, &s->batch);
        bounds_batch_free(s->ctx, s->graph, &s->trial);
    }
    bounds_free(s->bounds);
    bound_graph_free(r->unclipped);
    nigh_arena_free(r->arena);
}

/* How fast multipliers move, from the root mean square of what arrives at the units of the first child: too slow costs far more domains than too fast. */
static void set_beta_rate(relu_run *r)
{
    relu_search *s = &r->s;
    double sum = 0;
    for (int64_t u = 0; u < s->units; u++) {
        double a = r->work.last[s->unit[u].activation][s->unit[u].element];
        sum += a * a;
    }
    double rate = BETA_RATE * sqrt(sum / (double)(s->units + 1));
    if (rate > 0 && rate < 1e300) s->beta_rate = fmax(s->beta_rate, rate);
}

/* The root's domains, bounded already, get their first branching as if they were children. */
static nigh_status plant(relu_run *r, const bool *alive, relu_domain **first)
{
    relu_search *s = &r->s;
    relu_work *w = &r->work;
    int64_t quarter = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 4;
    r->queue.most = s->options->most_domains > 0 ? s->options->most_domains : 1 + quarter / ((int64_t)relu_domain_bytes(s, 64, r->most_rows) + 128);
    nigh_status status = NIGH_OK;
    for (int g = 0; g < s->query->groups && !status && !s->found; g++) {
        if (!alive[g]) r->queue.done += 1;
        if (alive[g] && !first[g]) { /* no rows, or no time for them */
            r->stuck++;
            s->result->bound = -INFINITY;
            if (relu_late(s)) s->result->why = "time";
        }
        if (!alive[g] || !first[g]) continue;
        if (relu_late(s)) { /* it waits as it is: nothing is branched any more */
            status = push(r, g, first[g]);
            if (!status) first[g] = NULL;
            continue;
        }
        relu_domain_load(s, w->child[0] = first[g], &s->batch, 0);
        first[g] = NULL;
        relu_row(s, g, w->child[0]->weight, w->coefficient, w->level);
        s->batch.domains = w->children = 1;
        status = bound_children(r);
        if (!status) set_beta_rate(r);
        if (!status) status = look_at_points(r, g);
        if (!status && !s->found) status = enqueue(r, g);
        nigh_free(s->ctx, w->child[0]);
        w->child[0] = NULL;
    }
    return status;
}

static nigh_status search(relu_run *r)
{
    relu_search *s = &r->s;
    for (int g; !s->found && (g = next_group(r)) >= 0;) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        if (relu_late(s)) {
            s->result->why = "time";
            return NIGH_OK;
        }
        order(r);
        bool took = r->queue.most > r->queue.waiting;
        status = took ? step(r, g) : NIGH_OK;
        if (status) return status;
        if (!took) {
            s->result->why = "memory";
            return NIGH_OK;
        }
        nigh_progress(s->ctx, "splitting phases", r->queue.done, s->query->groups);
    }
    if (!s->found && r->stuck && !s->result->why) s->result->why = "stuck";
    return NIGH_OK;
}

static void conclude(relu_run *r)
{
    relu_search *s = &r->s;
    search_result *result = s->result;
    result->answer = s->found ? SEARCH_UNSAFE : result->why ? SEARCH_UNDECIDED : SEARCH_SAFE;
    result->domains = r->queue.waiting + r->stuck;
    for (int g = 0; g < s->query->groups; g++)
        for (int64_t i = 0; i < r->queue.heap[g].count; i++) result->bound = fmin(result->bound, r->queue.slot[r->queue.heap[g].at[i].id]->bound);
    if (s->found) result->why = NULL;
    result->seconds = nigh_clock() - s->started;
}

nigh_status search_relu(nigh_context *ctx, const search_query *query, const search_options *options, search_result *result)
{
    return relu_search_forgetful(ctx, query, options, 0, result);
}

nigh_status relu_search_forgetful(nigh_context *ctx, const search_query *query, const search_options *options, int64_t forget, search_result *result)
{
    search_result found = {.bound = INFINITY};
    relu_run r = {.s = {.ctx = ctx, .query = query, .options = options, .started = nigh_clock(), .result = &found}, .forget = forget};
    bool *alive = nigh_alloc_zero(ctx, (size_t)query->groups + 1, sizeof *alive);
    relu_domain **first = nigh_alloc_zero(ctx, (size_t)query->groups + 1, sizeof *first);
    nigh_status status = alive && first ? nigh_poll(ctx) : NIGH_MEMORY;
    if (!status) status = prepare(&r);
    if (!status) {
        for (int g = 0; g < query->groups; g++) alive[g] = true;
        status = relu_root(&r.s, alive, first);
        if (!status && !r.s.found) status = plant(&r, alive, first);
        if (!status && !r.s.found) status = search(&r);
        if (!status) conclude(&r);
    }
    for (int g = 0; first && g < query->groups; g++) nigh_free(ctx, first[g]);
    nigh_free(ctx, first);
    nigh_free(ctx, alive);
    clear(&r);
    if (!status) *result = found;
    return status;
}
