/* Branch and bound over derivatives: the domain with the largest bound is cut where one activation's derivative is not known, into its two ends. */
#include "core/heap.h"
#include "verify/derivative.h"
#include "verify/local_lipschitz.h"

#include <math.h>
#include <string.h>

/*
 * Why two ends are enough: J is linear in each derivative alone and a norm is convex, so that over independent intervals the largest norm is at their ends. Under
 * `rerun` the ends of a two-valued derivative belong to the two sides of its kink; a point on it has J between those of both sides.
 */

enum { MOST_AT_ONCE = 64 };

typedef struct choice {
    int activation; /* -1: there is none */
    int64_t element;
} choice;

typedef struct record {
    int64_t row;
    double *data; /* NULL: free */
} record;

typedef struct work {
    nigh_context *ctx;
    lipschitz_split *split;
    const bound_graph *graph;
    heap waiting;
    record *records;
    int64_t count, room, most, held;
    int64_t block; /* numbers of a record */
    int64_t *spare, spares;
    double *settled; /* [rows] largest bound of domains that are not split any more */
    jacobian_batch children, parents;
    bounds_batch arguments, parent_arguments; /* with rerun */
    int *below;             /* [children] */
    int64_t *parent_row;    /* [parents] */
    int64_t at_once;        /* domains cut in a round */
    bool rerun;
} work;

/* ---- domains at rest ----------------------------------------------------------------------------------- */

static void move(double *data, double *array, int64_t size, int64_t i, bool store, int64_t *at)
{
    if (store) memcpy(data + *at, array + i * size, (size_t)size * sizeof(double));
    else memcpy(array + i * size, data + *at, (size_t)size * sizeof(double));
    *at += size;
}

static int64_t pack(const work *w, double *data, jacobian_batch *b, bounds_batch *f, int64_t i, bool store)
{
    const bound_graph *g = w->graph;
    int64_t at = 0, inputs = g->node[0].size;
    for (int a = 0; a < g->activations; a++) {
        int64_t size = g->node[g->activation[a]].size;
        double *arrays[7] = {b->d_low[a], b->d_high[a], b->a_low[a], b->a_high[a], b->row[a], w->rerun ? f->pre_low[a] : NULL, w->rerun ? f->pre_high[a] : NULL};
        for (int k = 0; k < (w->rerun ? 7 : 5); k++) move(data, arrays[k], size, i, store, &at);
    }
    move(data, b->low, inputs, i, store, &at), move(data, b->high, inputs, i, store, &at);
    move(data, b->target, g->node[g->output].size, i, store, &at);
    move(data, b->bound, 1, i, store, &at);
    return at;
}

static int64_t numbers(const work *w)
{
    int64_t sum = 2 * w->graph->node[0].size + w->graph->node[w->graph->output].size + 1;
    for (int a = 0; a < w->graph->activations; a++) sum += (w->rerun ? 7 : 5) * w->graph->node[w->graph->activation[a]].size;
    return sum;
}

static nigh_status keep(work *w, int64_t row, jacobian_batch *b, bounds_batch *f, int64_t i)
{
    if (!w->spares && w->count == w->room) {
        int64_t room = w->room ? 2 * w->room : 256;
        record *records = nigh_resize(w->ctx, w->records, (size_t)room * sizeof *records);
        if (!records) return NIGH_MEMORY;
        w->records = records;
        int64_t *spare = nigh_resize(w->ctx, w->spare, (size_t)room * sizeof *spare);
        if (!spare) return NIGH_MEMORY;
        w->spare = spare, w->room = room;
    }
    double *data = nigh_alloc(w->ctx, (size_t)w->block * sizeof *data);
    if (!data) return NIGH_MEMORY;
    pack(w, data, b, f, i, true);
    int64_t id = w->spares ? w->spare[--w->spares] : w->count++;
    w->records[id] = (record){row, data};
    w->held++;
    return heap_push(&w->waiting, b->bound[i], id);
}

static void take(work *w, jacobian_batch *b, bounds_batch *f, int64_t i, int64_t *row)
{
    int64_t id = heap_pop(&w->waiting).id;
    pack(w, w->records[id].data, b, f, i, false);
    nigh_free(w->ctx, w->records[id].data);
    *row = w->records[id].row;
    w->records[id].data = NULL;
    w->spare[w->spares++] = id;
    w->held--;
}

/* ---- where to cut -------------------------------------------------------------------------------------- */

/*
 * The unknown derivative with the largest (ua |ua| - la |la|) (du - dl) |row|: the area that the two lines enclose counted with the weight that the last bound gave it
 * ("area" of the paper; taking intercepts, or trying several, needed as many domains or more).
 */
static choice choose(const work *w, const jacobian_batch *b, int64_t i)
{
    choice best = {.activation = -1};
    double most = -1;
    for (int a = 0; a < w->graph->activations; a++) {
        int64_t size = w->graph->node[w->graph->activation[a]].size;
        if (!jacobian_useful(w->split->j, w->graph->activation[a])) continue;
        for (int64_t e = 0; e < size; e++) {
            int64_t at = i * size + e;
            double la = b->a_low[a][at], ua = b->a_high[a][at], width = b->d_high[a][at] - b->d_low[a][at];
            if (!(width > 0) || (la == 0 && ua == 0)) continue;
            double area = width * fabs(ua * fabs(ua) - la * fabs(la)), score = area * (fabs(b->row[a][at]) + 1e-9);
            if (score > most) most = score, best = (choice){a, e};
        }
    }
    return best;
}

/* ---- children ------------------------------------------------------------------------------------------ */

/* Whether each end of the derivative belongs to a side of a kink at 0: then a split says something about the argument, too. */
static bool has_sides(const bound_node *node)
{
    return node->function == BOUND_RELU || node->function == BOUND_ABS || (node->function == BOUND_LEAKY && node->p[0] != 1);
}

static void side(const bound_node *node, bool upper, double *low, double *high)
{
    if (!has_sides(node)) return;
    bool right = node->function == BOUND_LEAKY ? upper == (node->p[0] < 1) : upper;
    if (right) *low = fmax(*low, 0);
    else *high = fmin(*high, 0);
}

static void child(work *w, int64_t parent, const choice *c, bool upper, int64_t k)
{
    const bound_graph *g = w->graph;
    int64_t size = g->node[g->activation[c->activation]].size, at = k * size + c->element;
    jacobian_batch_copy(g, &w->parents, parent, &w->children, k);
    double *low = w->children.d_low[c->activation], *high = w->children.d_high[c->activation];
    if (upper) low[at] = high[at];
    else high[at] = low[at];
    w->below[k] = c->activation;
    if (!w->rerun) return;
    bounds_batch_copy(g, &w->parent_arguments, parent, &w->arguments, k);
    side(&g->node[g->activation[c->activation]], upper, &w->arguments.pre_low[c->activation][at], &w->arguments.pre_high[c->activation][at]);
}

/* Arguments under the splits, and what they say about derivatives. A domain without a point gets the bound 0. */
static nigh_status rerun(work *w, int64_t n, int first, bool *empty)
{
    const bound_graph *g = w->graph;
    w->arguments.domains = n;
    nigh_status status = bounds_crown(w->split->forward, &w->arguments, first + 1);
    for (int a = 0; a < g->activations && !status; a++) {
        const bound_node *node = &g->node[g->activation[a]];
        for (int64_t i = 0; i < n * node->size; i++) {
            double l = w->arguments.pre_low[a][i], h = w->arguments.pre_high[a][i], dl, dh;
            if (l > h) {
                empty[i / node->size] = true;
                continue;
            }
            derivative_enclose(node->function, node->p, 1, &l, &h, &dl, &dh);
            dl = fmax(dl, w->children.d_low[a][i]), dh = fmin(dh, w->children.d_high[a][i]);
            if (dl <= dh) w->children.d_low[a][i] = dl, w->children.d_high[a][i] = dh;
            else if (has_sides(node)) empty[i / node->size] = true; /* elsewhere a derivative held at its end stands for points of the whole interval: it stays */
        }
    }
    return status;
}

static void settle(work *w, int64_t row, double bound) { w->settled[row] = fmax(w->settled[row], bound); }

static bool settled(const work *w, const jacobian_batch *b, int64_t i, int64_t row)
{
    return b->bound[i] <= fmax(w->split->pattern[row], w->settled[row]) * (1 + w->split->gap);
}

static nigh_status sort_children(work *w, int64_t n, const bool *empty)
{
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; k < n && !status; k++) {
        int64_t row = w->parent_row[k / 2];
        if (empty[k]) continue;
        if (settled(w, &w->children, k, row) || choose(w, &w->children, k).activation < 0) settle(w, row, w->children.bound[k]);
        else status = keep(w, row, &w->children, &w->arguments, k);
    }
    return status;
}

static nigh_status round_of_splits(work *w)
{
    lipschitz_split *s = w->split;
    int64_t parents = 0, n = 0, row;
    int first = INT32_MAX;
    while (w->waiting.count && parents < w->at_once) {
        take(w, &w->parents, &w->parent_arguments, parents, &row);
        if (settled(w, &w->parents, parents, row)) {
            settle(w, row, w->parents.bound[parents]);
            continue;
        }
        choice c = choose(w, &w->parents, parents);
        for (int up = 0; up < 2; up++) child(w, parents, &c, up, n++);
        first = c.activation < first ? c.activation : first;
        s->domains[row] += 2;
        w->parent_row[parents++] = row;
    }
    if (!n) return NIGH_OK;
    bool *empty = nigh_alloc_zero(w->ctx, (size_t)n, sizeof *empty);
    if (!empty) return NIGH_MEMORY;
    nigh_status status = w->rerun ? rerun(w, n, first, empty) : NIGH_OK;
    w->children.domains = n;
    if (!status) status = jacobian_bound(s->j, jacobian_hull, true, s->norm, w->rerun ? NULL : w->below, &w->children);
    if (!status) status = sort_children(w, n, empty);
    nigh_free(w->ctx, empty);
    return status;
}

/* ---- the search ---------------------------------------------------------------------------------------- */

static nigh_status prepare(work *w, const jacobian_batch *root)
{
    lipschitz_split *s = w->split;
    const bound_graph *g = w->graph;
    w->block = numbers(w);
    int64_t fit = (64 << 20) / (w->block * (int64_t)sizeof(double)), parents = fit < 2 ? 1 : fit > 2 * MOST_AT_ONCE ? MOST_AT_ONCE : fit / 2, room = 2 * parents;
    w->most = s->most_domains > 0 ? s->most_domains : ((int64_t)1 << 30) / (w->block * (int64_t)sizeof(double));
    w->waiting.ctx = w->ctx;
    if (w->at_once > parents) w->at_once = parents;
    nigh_status status = jacobian_batch_new(w->ctx, g, room, &w->children);
    if (!status) status = jacobian_batch_new(w->ctx, g, parents, &w->parents);
    if (!status && w->rerun) status = bounds_batch_new(w->ctx, g, room, 0, &w->arguments);
    if (!status && w->rerun) status = bounds_batch_new(w->ctx, g, parents, 0, &w->parent_arguments);
    w->below = nigh_alloc(w->ctx, (size_t)room * sizeof *w->below);
    w->parent_row = nigh_alloc(w->ctx, (size_t)parents * sizeof *w->parent_row);
    w->settled = nigh_alloc_zero(w->ctx, (size_t)s->rows, sizeof *w->settled);
    if (!status && (!w->below || !w->parent_row || !w->settled)) status = NIGH_MEMORY;
    for (int64_t k = 1; w->rerun && k < parents && !status; k++) bounds_batch_copy(g, s->arguments, 0, &w->parent_arguments, k); /* the box is not kept with domains */
    for (int64_t r = 0; r < s->rows && !status; r++) {
        jacobian_batch_copy(g, root, r, &w->parents, 0);
        if (w->rerun) bounds_batch_copy(g, s->arguments, 0, &w->parent_arguments, 0);
        if (choose(w, &w->parents, 0).activation >= 0) status = keep(w, r, &w->parents, &w->parent_arguments, 0);
        else settle(w, r, w->parents.bound[0]);
    }
    return status;
}

static void answer(work *w)
{
    for (int64_t k = 0; k < w->waiting.count; k++) settle(w, w->records[w->waiting.at[k].id].row, w->waiting.at[k].key);
    for (int64_t r = 0; r < w->split->rows; r++) w->split->bound[r] = fmin(w->split->bound[r], w->settled[r]);
}

static void end(work *w)
{
    for (int64_t k = 0; k < w->count; k++) nigh_free(w->ctx, w->records[k].data);
    heap_free(&w->waiting);
    nigh_free(w->ctx, w->records);
    nigh_free(w->ctx, w->spare);
    nigh_free(w->ctx, w->settled);
    nigh_free(w->ctx, w->below);
    nigh_free(w->ctx, w->parent_row);
    jacobian_batch_free(w->ctx, w->graph, &w->children);
    jacobian_batch_free(w->ctx, w->graph, &w->parents);
    bounds_batch_free(w->ctx, w->graph, &w->arguments);
    bounds_batch_free(w->ctx, w->graph, &w->parent_arguments);
}

/* A round takes at most half a second and a quarter of the time that is left, so that the limit is kept: twice as many domains, or fewer. */
static void next_round(work *w, double took, double left)
{
    double wanted = fmin(0.5, 0.25 * left);
    if (2 * took < wanted && 2 * w->at_once <= w->parents.room) w->at_once *= 2;
    else if (took > wanted && w->at_once > 1) w->at_once /= 2;
}

nigh_status lipschitz_split_run(nigh_context *ctx, const jacobian_batch *root, lipschitz_split *split)
{
    double began = nigh_clock();
    work w = {.ctx = ctx, .split = split, .graph = jacobian_graph(split->j), .at_once = 4, .rerun = split->forward != NULL};
    nigh_status status = prepare(&w, root);
    const char *why = "converged";
    while (!status && w.waiting.count) {
        double spent = nigh_clock() - began;
        if (spent >= split->seconds) why = "time";
        else if (w.held >= w.most) why = "memory";
        if (why[0] != 'c') break;
        nigh_progress(ctx, "splitting", spent, split->seconds);
        status = round_of_splits(&w);
        next_round(&w, nigh_clock() - began - spent, split->seconds - spent);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status) {
        answer(&w);
        split->converged = why[0] == 'c', split->why = why;
    }
    end(&w);
    return status;
}
