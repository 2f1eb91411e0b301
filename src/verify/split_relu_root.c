/* The root of a search over phases: intervals, linear bounds, an attack, intermediate intervals with optimised slopes, optimised final bounds; what is left is to be split. */
#include <math.h>
#include <string.h>

#include "verify/split_relu.h"

enum { ROOT_STEPS = 40, TIGHTEN_STEPS = 20 };
static const double NOTHING = 1e-28; /* an argument that is 0 but for what underflow could do: its lines are as good as exact */

static double slope_least(const bound_node *node) { return node->function == BOUND_LEAKY ? fmin(node->p[0], 1) : node->function == BOUND_ABS ? -1 : 0; }
static double slope_most(const bound_node *node) { return node->function == BOUND_LEAKY ? fmax(node->p[0], 1) : 1; }
static bool bends(const bound_node *node) { return node->function == BOUND_RELU || node->function == BOUND_LEAKY || node->function == BOUND_ABS; }

/* Units, and the slopes that searches begin with. */
static nigh_status find_units(relu_search *s)
{
    const bound_graph *g = s->graph;
    s->units = 0;
    s->complete = true;
    bounds_slopes(g, &s->root, 0);
    for (int a = 0; a < g->activations; a++) {
        const bound_node *node = &g->node[g->activation[a]];
        float least = (float)slope_least(node), most = (float)slope_most(node);
        for (int64_t j = 0; j < node->size; j++) {
            double low = s->root.pre_low[a][j], high = s->root.pre_high[a][j];
            if (relax_linear(node->function, node->p, low, high) || high - low < NOTHING) continue;
            s->unit[s->units++] = (relu_unit){a, (int32_t)j, least, most, bends(node) && low < 0 && high > 0};
            s->complete = s->complete && s->unit[s->units - 1].splits;
        }
    }
    return NIGH_OK;
}

/* Margins of all rows with the root's slopes; groups with a proved row are alive no more. */
static nigh_status look(relu_search *s, bool *alive, int64_t *left)
{
    const search_query *q = s->query;
    nigh_arena *arena;
    nigh_status status = nigh_arena_new(s->ctx, &arena);
    if (status) return status;
    double *bound = nigh_arena_alloc(arena, (size_t)(q->rows + 1) * sizeof *bound);
    double *coefficient = nigh_arena_alloc(arena, (size_t)(q->rows * s->outputs + 1) * sizeof *coefficient);
    if (!bound || !coefficient) status = NIGH_MEMORY;
    for (int64_t k = 0; !status && k < q->rows * s->outputs; k++) coefficient[k] = -q->row[k];
    bounds_rows rows = {.node = s->graph->output, .rows = q->rows, .coefficient = coefficient, .shared = true, .bound = bound};
    if (!status && q->rows) status = bounds_lower(s->bounds, &s->root, &rows);
    *left = 0;
    for (int g = 0; !status && g < q->groups; g++) {
        double best = -INFINITY;
        for (int r = q->group[g]; r < q->group[g + 1]; r++) best = fmax(best, bound[r] + q->level[r]);
        if (alive[g] && best > 0) {
            alive[g] = false;
            s->result->bound = fmin(s->result->bound, best);
        }
        *left += alive[g];
    }
    nigh_arena_free(arena);
    return status;
}

/* Rows of groups that are left, each as a domain of its own with its own slopes; `first` takes each group's best. */
typedef struct root_rows {
    int64_t count, room;
    int *group, *row;
    double *coefficient, *level, *bound;
} root_rows;

static nigh_status optimise(relu_search *s, root_rows *r, int steps, bool *alive, relu_domain **first)
{
    if (!r->count) return NIGH_OK;
    double stop = -INFINITY;
    for (int64_t i = 0; i < r->count; i++) {
        bounds_batch_copy(s->graph, &s->root, 0, &s->batch, i);
        stop = fmax(stop, -r->level[i]);
    }
    stop = nextafter(stop, INFINITY);
    s->batch.domains = r->count;
    bounds_rows rows = {.node = s->graph->output, .rows = 1, .coefficient = r->coefficient, .bound = r->bound};
    bounds_optimise_options how = {.steps = steps, .rate = 0.25, .beta_rate = 0.05, .decay = 0.98, .level = &stop};
    nigh_status status = bounds_optimise(s->bounds, &s->batch, &rows, &how);
    for (int64_t i = 0; !status && i < r->count; i++) {
        int g = r->group[i], count = s->query->group[g + 1] - s->query->group[g];
        double margin = r->bound[i] + r->level[i];
        if (!first[g] && !(first[g] = relu_domain_new(s, 0, count))) return NIGH_MEMORY;
        else if (margin <= first[g]->bound) continue;
        relu_domain *d = first[g];
        d->bound = margin;
        d->share = 1;
        if (d->weight) memset(d->weight, 0, (size_t)count * sizeof *d->weight);
        if (d->weight) d->weight[r->row[i]] = 1;
        relu_domain_store(s, d, &s->batch, i);
        if (margin > 0) alive[g] = false;
    }
    r->count = 0;
    return status;
}

static nigh_status finals(relu_search *s, int steps, bool *alive, relu_domain **first)
{
    const search_query *q = s->query;
    root_rows r = {.room = s->batch.room};
    nigh_arena *arena;
    nigh_status status = nigh_arena_new(s->ctx, &arena);
    if (status) return status;
    status = NIGH_MEMORY;
    if (!(r.group = nigh_arena_alloc(arena, (size_t)r.room * sizeof *r.group))) goto done;
    if (!(r.row = nigh_arena_alloc(arena, (size_t)r.room * sizeof *r.row))) goto done;
    if (!(r.coefficient = nigh_arena_alloc(arena, (size_t)(r.room * s->outputs) * sizeof *r.coefficient))) goto done;
    if (!(r.level = nigh_arena_alloc(arena, (size_t)r.room * sizeof *r.level))) goto done;
    if (!(r.bound = nigh_arena_alloc(arena, (size_t)r.room * sizeof *r.bound))) goto done;
    status = NIGH_OK;
    for (int g = 0; !status && g < q->groups; g++)
        for (int row = q->group[g]; !status && alive[g] && row < q->group[g + 1]; row++) {
            r.group[r.count] = g;
            r.row[r.count] = row - q->group[g];
            for (int64_t k = 0; k < s->outputs; k++) r.coefficient[r.count * s->outputs + k] = -q->row[row * s->outputs + k];
            r.level[r.count] = q->level[row];
            if (++r.count == r.room) status = optimise(s, &r, steps, alive, first);
        }
    if (!status) status = optimise(s, &r, steps, alive, first);
    for (int g = 0; !status && g < q->groups; g++) {
        if (!first[g] || alive[g]) continue;
        s->result->bound = fmin(s->result->bound, first[g]->bound);
        nigh_free(s->ctx, first[g]);
        first[g] = NULL;
    }
done:
    nigh_arena_free(arena);
    return status;
}

/* Without a limit of time as many steps as pay; with one what fits into a fifth of it, judged by the time that bounds without steps took. */
static int tighten_steps(const relu_search *s, double once)
{
    if (s->options->seconds <= 0) return TIGHTEN_STEPS;
    double fit = 0.2 * s->options->seconds / (4 * once + 1e-9);
    return fit > TIGHTEN_STEPS ? TIGHTEN_STEPS : (int)fit;
}

/* The same for the last rows, out of half of what is left: a step on all of them takes no longer than `once`. */
static int final_steps(const relu_search *s, double once)
{
    if (s->options->seconds <= 0) return ROOT_STEPS;
    double fit = 0.5 * (s->options->seconds - (nigh_clock() - s->started)) / (once + 1e-9);
    return fit > ROOT_STEPS ? ROOT_STEPS : fit > 1 ? (int)fit : 1;
}

nigh_status relu_root(relu_search *s, bool *alive, relu_domain **first)
{
    bounds_batch plain = {0};
    int64_t left;
    nigh_status status = bounds_batch_new(s->ctx, s->graph, 1, 0, &plain);
    if (status) return status;
    plain.domains = s->root.domains = 1;
    memcpy(plain.low, s->query->low, (size_t)s->graph->inputs * sizeof *plain.low);
    memcpy(plain.high, s->query->high, (size_t)s->graph->inputs * sizeof *plain.high);
    bounds_interval(s->bounds, &plain, false);
    double before = nigh_clock();
    status = bounds_crown(s->bounds, &plain, 0);
    double once = nigh_clock() - before;
    if (!status) bounds_batch_copy(s->graph, &plain, 0, &s->root, 0);
    if (!status) status = find_units(s);
    if (!status) status = look(s, alive, &left);
    if (!status && left && s->points) status = relu_points_attack(s->points, alive, 4 + (int)fmin((double)left, 50), 0.1 * s->options->seconds);
    if (!status && left && !s->found && tighten_steps(s, once) > 0 && !relu_late(s)) {
        bounds_optimise_options how = {.steps = tighten_steps(s, once), .rate = 0.25, .beta_rate = 0.05, .decay = 0.98};
        status = bounds_tighten(s->bounds, &plain, &how);
        if (!status) bounds_batch_copy(s->graph, &plain, 0, &s->root, 0);
        if (!status) status = find_units(s);
        if (!status) status = look(s, alive, &left);
    }
    double *low = s->reach, *high = s->reach + s->outputs;
    if (!status && left && !s->found && !relu_late(s)) {
        bounds_interval_of(s->bounds, &s->root, s->graph->output, low, high);
        for (int64_t k = 0; k < s->outputs; k++) s->reach[k] = fmax(fabs(low[k]), fabs(high[k]));
        status = finals(s, final_steps(s, once), alive, first);
    }
    bounds_batch_free(s->ctx, s->graph, &plain);
    return status;
}
