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

enum { TRIED = 4, MOST_AT_ONCE = 64 };

typedef struct choice {
    int activation;
    int64_t element;
    double score;
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
    int64_t *owner;         /* [children] parent */
    int *below;             /* [children] */
    choice *picked;         /* [children / 2] */
    int64_t *parent_row;    /* [parents] */
    int tries;
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

static double score_of(lipschitz_score kind, double dl, double du, double la, double ua, double row)
{
    double width = du - dl, area = ua * fabs(ua) - la * fabs(la);
    if (kind == LIPSCHITZ_INTERCEPT) return la < 0 && ua > 0 ? width * fabs(row) * (-la * ua / (ua - la)) : 0;
    return width * (fabs(area) * fabs(row));
}

/* The best elements of domain i, best first; how many. */
static int choose(const work *w, const jacobian_batch *b, int64_t i, lipschitz_score kind, int most, choice *out)
{
    int count = 0;
    for (int a = 0; a < w->graph->activations; a++) {
        int64_t size = w->graph->node[w->graph->activation[a]].size;
        if (!jacobian_useful(w->split->j, w->graph->activation[a])) continue;
        for (int64_t e = 0; e < size; e++) {
            int64_t at = i * size + e;
            if (!(b->d_low[a][at] < b->d_high[a][at]) || (b->a_low[a][at] == 0 && b->a_high[a][at] == 0)) continue;
            double width = b->a_high[a][at] - b->a_low[a][at];
            choice c = {a, e, score_of(kind, b->d_low[a][at], b->d_high[a][at], b->a_low[a][at], b->a_high[a][at], b->row[a][at]) + 1e-12 * width};
            if (count == most && !(c.score > out[most - 1].score)) continue;
            int k = count < most ? count++ : most - 1;
            for (; k > 0 && out[k - 1].score < c.score; k--) out[k] = out[k - 1];
            out[k] = c;
        }
    }
    return count;
}

static int candidates(const work *w, const jacobian_batch *b, int64_t i, choice *out)
{
    if (w->split->score != LIPSCHITZ_TRIED) return choose(w, b, i, w->split->score, 1, out);
    int n = choose(w, b, i, LIPSCHITZ_INTERCEPT, TRIED / 2, out);
    choice more[TRIED];
    int m = choose(w, b, i, LIPSCHITZ_AREA, TRIED, more);
    for (int k = 0; k < m && n < TRIED; k++) {
        bool there = false;
        for (int l = 0; l < n; l++) there |= out[l].activation == more[k].activation && out[l].element == more[k].element;
        if (!there) out[n++] = more[k];
    }
    return n;
}

/* ---- children ------------------------------------------------------------------------------------------ */

/* The side of a kink on which the derivative is that end; where there is no such side the argument stays. */
static void side(const bound_node *node, bool upper, double *low, double *high)
{
    bool right;
    if (node->function == BOUND_RELU || node->function == BOUND_ABS) right = upper;
    else if (node->function == BOUND_LEAKY && node->p[0] != 1) right = upper == (node->p[0] < 1);
    else return;
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
    w->owner[k] = parent, w->below[k] = c->activation;
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
            else empty[i / node->size] = true;
        }
    }
    return status;
}

static bool open_domain(const work *w, const jacobian_batch *b, int64_t i)
{
    choice c;
    return choose(w, b, i, LIPSCHITZ_AREA, 1, &c) > 0;
}

/* Of a parent's tried cuts the one whose worse child is best; its children [2 * best, 2 * best + 2). */
static int64_t best_cut(const work *w, int64_t first, int64_t end)
{
    int64_t best = first;
    double least = INFINITY, sum = INFINITY;
    for (int64_t k = first; k < end; k += 2) {
        double a = w->children.bound[k], b = w->children.bound[k + 1], worse = fmax(a, b);
        if (worse < least || (worse == least && a + b < sum)) best = k, least = worse, sum = a + b;
    }
    return best;
}

static void settle(work *w, int64_t row, double bound) { w->settled[row] = fmax(w->settled[row], bound); }

static nigh_status sort_children(work *w, int64_t n, const bool *empty)
{
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; k < n; k++)
        if (empty[k]) w->children.bound[k] = 0;
    for (int64_t k = 0; k < n && !status;) {
        int64_t end = k;
        while (end < n && w->owner[end] == w->owner[k]) end += 2;
        int64_t best = best_cut(w, k, end), row = w->parent_row[w->owner[k]];
        for (int64_t c = best; c < best + 2 && !status; c++) {
            if (empty[c]) continue;
            double floor = fmax(w->split->pattern[row], w->settled[row]);
            if (w->children.bound[c] <= floor * (1 + w->split->gap) || !open_domain(w, &w->children, c)) settle(w, row, w->children.bound[c]);
            else status = keep(w, row, &w->children, &w->arguments, c);
        }
        k = end;
    }
    return status;
}

static nigh_status round_of_splits(work *w)
{
    lipschitz_split *s = w->split;
    int64_t parents = 0, n = 0;
    int first = INT32_MAX;
    while (w->waiting.count && n + 2 * w->tries <= w->children.room && parents < w->parents.room) {
        int64_t row;
        take(w, &w->parents, &w->parent_arguments, parents, &row);
        double floor = fmax(s->pattern[row], w->settled[row]);
        if (w->parents.bound[parents] <= floor * (1 + s->gap)) {
            settle(w, row, w->parents.bound[parents]);
            continue;
        }
        choice picked[TRIED];
        int tries = candidates(w, &w->parents, parents, picked);
        w->parent_row[parents] = row;
        for (int c = 0; c < tries; c++)
            for (int up = 0; up < 2; up++) child(w, parents, &picked[c], up, n++);
        for (int c = 0; c < tries; c++) first = picked[c].activation < first ? picked[c].activation : first;
        if (!tries) settle(w, row, w->parents.bound[parents]);
        s->domains[row] += 2 * tries;
        parents++;
    }
    if (!n) return NIGH_OK;
    bool *empty = nigh_alloc_zero(w->ctx, (size_t)n, sizeof *empty);
    if (!empty) return NIGH_MEMORY;
    nigh_status status = w->rerun ? rerun(w, n, first, empty) : NIGH_OK;
    w->children.domains = n;
    if (!status) status = jacobian_bound(s->j, JACOBIAN_LINES, s->norm, w->rerun ? NULL : w->below, &w->children);
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
    int64_t fit = (64 << 20) / (w->block * (int64_t)sizeof(double)), room = fit < 2 * w->tries ? 2 * w->tries : fit > 2 * MOST_AT_ONCE ? 2 * MOST_AT_ONCE : fit;
    room = room / (2 * w->tries) * 2 * w->tries;
    int64_t parents = room / (2 * w->tries);
    w->most = s->most_domains > 0 ? s->most_domains : ((int64_t)1 << 30) / (w->block * (int64_t)sizeof(double));
    w->waiting.ctx = w->ctx;
    nigh_status status = jacobian_batch_new(w->ctx, g, room, &w->children);
    if (!status) status = jacobian_batch_new(w->ctx, g, parents, &w->parents);
    if (!status && w->rerun) status = bounds_batch_new(w->ctx, g, room, 0, &w->arguments);
    if (!status && w->rerun) status = bounds_batch_new(w->ctx, g, parents, 0, &w->parent_arguments);
    w->owner = nigh_alloc(w->ctx, (size_t)room * sizeof *w->owner);
    w->below = nigh_alloc(w->ctx, (size_t)room * sizeof *w->below);
    w->parent_row = nigh_alloc(w->ctx, (size_t)parents * sizeof *w->parent_row);
    w->settled = nigh_alloc_zero(w->ctx, (size_t)s->rows, sizeof *w->settled);
    if (!status && (!w->owner || !w->below || !w->parent_row || !w->settled)) status = NIGH_MEMORY;
    for (int64_t r = 0; r < s->rows && !status; r++) {
        jacobian_batch_copy(g, root, r, &w->parents, 0);
        if (w->rerun) bounds_batch_copy(g, s->arguments, 0, &w->parent_arguments, 0);
        if (open_domain(w, &w->parents, 0)) status = keep(w, r, &w->parents, &w->parent_arguments, 0);
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
    nigh_free(w->ctx, w->owner);
    nigh_free(w->ctx, w->below);
    nigh_free(w->ctx, w->parent_row);
    jacobian_batch_free(w->ctx, w->graph, &w->children);
    jacobian_batch_free(w->ctx, w->graph, &w->parents);
    bounds_batch_free(w->ctx, w->graph, &w->arguments);
    bounds_batch_free(w->ctx, w->graph, &w->parent_arguments);
}

nigh_status lipschitz_split_run(nigh_context *ctx, const jacobian_batch *root, lipschitz_split *split)
{
    double began = nigh_clock();
    work w = {.ctx = ctx, .split = split, .graph = jacobian_graph(split->j), .tries = split->score == LIPSCHITZ_TRIED ? TRIED : 1, .rerun = split->forward != NULL};
    nigh_status status = prepare(&w, root);
    const char *why = "converged";
    while (!status && w.waiting.count) {
        double spent = nigh_clock() - began;
        if (spent >= split->seconds) why = "time";
        else if (w.held >= w.most) why = "memory";
        if (why[0] != 'c') break;
        nigh_progress(ctx, "splitting", spent, split->seconds);
        status = round_of_splits(&w);
        if (!status) status = nigh_poll(ctx);
    }
    if (!status) {
        answer(&w);
        split->converged = why[0] == 'c', split->why = why;
    }
    end(&w);
    return status;
}
