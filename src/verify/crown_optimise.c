/* Slopes and multipliers moved uphill: projected Adam over items, the best kept. Declared in verify/bounds.h. */
#include "verify/crown_inside.h"

#include <math.h>
#include <string.h>

static const bounds_optimise_options usual = {.steps = 20, .rate = 0.25, .beta_rate = 0.05, .decay = 0.98};

/* Numbers of all items for all activations, [activations] each [items, size]. */
typedef double **numbers;
enum { NOW, UP, FIRST, SECOND, BEST, KINDS };

typedef struct climb {
    crown_job job;
    crown_ascent ascent;
    nigh_arena *arena;
    numbers slope[KINDS], beta[KINDS];
    int64_t items, *id, *domain;
    double *value, *best; /* [items] aims */
    double *bound, *best_bound; /* [items, each] */
} climb;

/* The range of a parameter. */
static void range_of(const bound_node *node, double *low, double *high)
{
    double p = node->p[0];
    *low = node->function == BOUND_ABS ? -1 : node->function == BOUND_LEAKY ? fmin(p, 1) : 0;
    *high = node->function == BOUND_LEAKY ? fmax(p, 1) : 1;
}

/* Where slopes begin: lines through 0 on the side of the smaller area, tangents in the middle. */
static void slope_start(const bound_graph *g, const bounds_batch *batch, int a, int64_t domain, double *slope)
{
    const bound_node *node = &g->node[g->activation[a]];
    double least, most;
    range_of(node, &least, &most);
    for (int64_t j = 0; j < node->size; j++) {
        double low = batch->pre_low[a][domain * node->size + j], high = batch->pre_high[a][domain * node->size + j];
        bool kinked = node->function == BOUND_RELU || node->function == BOUND_LEAKY || node->function == BOUND_ABS;
        slope[j] = !kinked ? 0.5 : high > -low ? most : least;
    }
}

void bounds_slopes(const bound_graph *graph, bounds_batch *batch, int64_t first)
{
    for (int a = 0; a < graph->activations; a++)
        for (int64_t i = first; i < batch->domains; i++) slope_start(graph, batch, a, i, batch->slope[a] + i * graph->node[graph->activation[a]].size);
}

static nigh_status new_numbers(climb *k, numbers *out)
{
    const bound_graph *g = k->job.b->graph;
    numbers made = nigh_arena_alloc_zero(k->arena, (size_t)g->activations + 1, sizeof *made);
    for (int a = 0; made && a < g->activations; a++) {
        size_t count = g->activation[a] <= k->job.start ? (size_t)(k->items * g->node[g->activation[a]].size) + 1 : 1;
        if (!(made[a] = nigh_arena_alloc_zero(k->arena, count, sizeof **made))) return NIGH_MEMORY;
    }
    if (!made) return NIGH_MEMORY;
    *out = made;
    return NIGH_OK;
}

static nigh_status new_climb(climb *k, bool slopes, bool betas)
{
    nigh_status status = nigh_arena_new(k->job.b->ctx, &k->arena);
    for (int i = 0; i < KINDS && !status; i++) {
        if (slopes) status = new_numbers(k, &k->slope[i]);
        if (betas && !status) status = new_numbers(k, &k->beta[i]);
    }
    if (status) return status;
    size_t n = (size_t)k->items + 1, all = (size_t)(k->items * k->ascent.each) + 1;
    k->id = nigh_arena_alloc(k->arena, n * sizeof *k->id);
    k->domain = nigh_arena_alloc(k->arena, n * sizeof *k->domain);
    k->ascent.prepared = nigh_arena_alloc(k->arena, n * sizeof *k->id);
    k->value = nigh_arena_alloc(k->arena, n * sizeof *k->value);
    k->best = nigh_arena_alloc(k->arena, n * sizeof *k->best);
    k->bound = nigh_arena_alloc(k->arena, all * sizeof *k->bound);
    k->best_bound = nigh_arena_alloc(k->arena, all * sizeof *k->best_bound);
    if (!k->id || !k->ascent.prepared || !k->domain || !k->value || !k->best || !k->bound || !k->best_bound) return NIGH_MEMORY;
    for (int64_t i = 0; i < k->items; i++) k->id[i] = i, k->ascent.prepared[i] = -1, k->best[i] = -INFINITY;
    for (size_t i = 0; i < all; i++) k->best_bound[i] = -INFINITY;
    k->ascent.id = k->id;
    k->ascent.domain = k->domain;
    k->ascent.bound = k->bound;
    k->ascent.slope = k->slope[NOW], k->ascent.beta = k->beta[NOW];
    k->ascent.slope_up = k->slope[UP], k->ascent.beta_up = k->beta[UP];
    k->job.ascent = &k->ascent;
    return NIGH_OK;
}

static int64_t size_of(const climb *k, int a) { return k->job.b->graph->node[k->job.b->graph->activation[a]].size; }
static bool counts(const climb *k, int a) { return k->job.b->graph->activation[a] <= k->job.start; }

static void move(climb *k, int step, double rate, double beta_rate)
{
    const bound_graph *g = k->job.b->graph;
    const crown_kernels *kernels = k->job.c->kernels;
    double c1 = 1 / (1 - pow(0.9, step)), c2 = 1 / (1 - pow(0.999, step));
#pragma omp parallel for schedule(static) num_threads(k->job.c->threads) if (k->job.c->threads > 1 && k->job.domains > 1)
    for (int64_t place = 0; place < k->job.domains; place++)
        for (int a = 0; a < g->activations && counts(k, a); a++) {
            int64_t n = size_of(k, a), at = k->id[place] * n, from = k->domain[k->id[place]] * n;
            double low, high;
            range_of(&g->node[g->activation[a]], &low, &high);
            if (k->slope[NOW]) kernels->adam(n, c1, c2, rate, low, high, k->slope[NOW][a] + at, k->slope[UP][a] + at, k->slope[FIRST][a] + at, k->slope[SECOND][a] + at);
            if (!k->beta[NOW]) continue;
            const int8_t *split = k->job.batch->split[a] + from;
            for (int64_t j = crown_next_split(split, 0, n); j < n; j = crown_next_split(split, j + 1, n)) {
                double up = -split[j] * k->beta[UP][a][at + j];
                kernels->adam(1, c1, c2, beta_rate, 0, INFINITY, &k->beta[NOW][a][at + j], &up, &k->beta[FIRST][a][at + j], &k->beta[SECOND][a][at + j]);
            }
        }
}

/* What item i's bounds are worth; `done`: all reach their levels. */
static double worth(const climb *k, int64_t i, bool *done)
{
    double sum = 0, least = INFINITY;
    for (int64_t r = 0; r < k->ascent.each; r++) {
        double bound = k->bound[i * k->ascent.each + r];
        sum += bound;
        if (k->ascent.level) least = fmin(least, bound - k->ascent.level[r]);
    }
    *done = k->ascent.level && least >= 0;
    return k->ascent.level ? least : sum;
}

static void keep(climb *k, int64_t i)
{
    for (int a = 0; a < k->job.b->graph->activations && counts(k, a); a++) {
        size_t n = (size_t)size_of(k, a);
        int64_t at = i * (int64_t)n;
        if (k->slope[NOW]) memcpy(k->slope[BEST][a] + at, k->slope[NOW][a] + at, n * sizeof(double));
        if (k->beta[NOW]) memcpy(k->beta[BEST][a] + at, k->beta[NOW][a] + at, n * sizeof(double));
    }
    memcpy(k->best_bound + i * k->ascent.each, k->bound + i * k->ascent.each, (size_t)k->ascent.each * sizeof(double));
}

/* Bounds of all items at work; those that are done leave. */
static nigh_status evaluate(climb *k)
{
    crown_job *job = &k->job;
    for (int a = 0; a < job->b->graph->activations && counts(k, a); a++) {
        for (int64_t i = 0; i < job->domains; i++) {
            int64_t n = size_of(k, a);
            if (k->slope[UP]) memset(k->slope[UP][a] + k->id[i] * n, 0, (size_t)n * sizeof(double));
            if (k->beta[UP]) memset(k->beta[UP][a] + k->id[i] * n, 0, (size_t)n * sizeof(double));
        }
    }
    crown_prepare_items(job);
    memcpy(k->ascent.prepared, k->id, (size_t)job->domains * sizeof *k->id);
    job->rows = job->domains * k->ascent.each;
    nigh_status status = crown_run(job);
    int64_t left = 0;
    for (int64_t place = 0; place < job->domains && !status; place++) {
        bool done;
        int64_t i = k->id[place];
        double value = worth(k, i, &done);
        if (value > k->best[i] || k->best[i] == -INFINITY) {
            k->best[i] = value;
            keep(k, i);
        }
        if (!done) k->id[left++] = i;
    }
    job->domains = left;
    return status;
}

/* At most c->room items, whose numbers NOW are set. */
static nigh_status ascend(climb *k, const bounds_optimise_options *options)
{
    double rate = options->rate, beta_rate = options->beta_rate;
    nigh_status status = evaluate(k);
    for (int step = 1; step <= options->steps && !status && k->job.domains; step++) {
        move(k, step, rate, beta_rate);
        rate *= options->decay, beta_rate *= options->decay;
        status = evaluate(k);
    }
    return status;
}

static bounds_optimise_options settled(const bounds_optimise_options *options)
{
    bounds_optimise_options o = options ? *options : usual;
    if (o.steps <= 0) o.steps = usual.steps;
    if (!(o.rate > 0)) o.rate = usual.rate;
    if (!(o.beta_rate > 0)) o.beta_rate = usual.beta_rate;
    if (!(o.decay > 0)) o.decay = usual.decay;
    return o;
}

/* Domains [first, first + items) of the batch: its numbers to k and the best back. */
static void exchange(climb *k, bounds_batch *batch, int64_t first, bool back)
{
    for (int a = 0; a < k->job.b->graph->activations && counts(k, a); a++) {
        size_t n = (size_t)size_of(k, a), bytes = n * sizeof(double);
        for (int64_t i = 0; i < k->items; i++) {
            int64_t at = i * (int64_t)n, from = (first + i) * (int64_t)n;
            if (k->slope[NOW] && back) memcpy(batch->slope[a] + from, k->slope[BEST][a] + at, bytes);
            else if (k->slope[NOW]) memcpy(k->slope[NOW][a] + at, batch->slope[a] + from, bytes);
            if (k->beta[NOW] && back) memcpy(batch->beta[a] + from, k->beta[BEST][a] + at, bytes);
            else if (k->beta[NOW]) memcpy(k->beta[NOW][a] + at, batch->beta[a] + from, bytes);
        }
    }
}

static nigh_status optimise_chunk(bounds *b, bounds_batch *batch, const bounds_rows *rows, const bounds_optimise_options *options, int64_t first, int64_t items)
{
    bool betas = batch->split && batch->beta;
    climb k = {.job = {.b = b, .c = b->crown, .batch = batch, .first = first, .domains = items, .start = rows->node, .want = rows, .beta = betas},
               .ascent = {.each = rows->rows, .level = options->level}, .items = items};
    nigh_status status = new_climb(&k, batch->slope != NULL, betas);
    if (!status) {
        for (int64_t i = 0; i < items; i++) k.domain[i] = first + i;
        exchange(&k, batch, first, false);
        status = ascend(&k, options);
    }
    if (!status) exchange(&k, batch, first, true);
    nigh_arena_free(k.arena);
    return status;
}

nigh_status bounds_optimise(bounds *b, bounds_batch *batch, const bounds_rows *rows, const bounds_optimise_options *options)
{
    bounds_optimise_options o = settled(options);
    nigh_status status = crown_ready(b);
    if (!status) status = crown_ascent_ready(b);
    const crown *c = b->crown;
    if (!status && rows->rows > 0 && (batch->slope || (batch->split && batch->beta))) {
        crown_job lists = {.b = b, .c = b->crown, .batch = batch, .start = rows->node, .want = rows};
        crown_lists(&lists);
        crown_refresh(&lists);
        for (int64_t i = 0; i < batch->domains && !status; i += c->room)
            status = optimise_chunk(b, batch, rows, &o, i, batch->domains - i < c->room ? batch->domains - i : c->room);
    }
    return status ? status : bounds_lower(b, batch, rows);
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

/* Units [from, from + items) of the chunk's, each with slopes of its own. */
static nigh_status tighten_units(const crown_job *units, int a, const bounds_optimise_options *options, int64_t from, int64_t items)
{
    crown *c = units->c;
    const double level = 0;
    bool relu = units->b->graph->node[units->b->graph->activation[a]].function == BOUND_RELU; /* which side of 0 is all that a relu asks */
    climb k = {.job = *units, .ascent = {.each = 1, .level = relu ? &level : NULL}, .items = items};
    k.job.domains = items;
    nigh_status status = new_climb(&k, true, false);
    if (!status) {
        const bound_graph *g = units->b->graph;
        for (int64_t i = 0; i < items; i++) k.domain[i] = units->first + c->unit_domain[from + i];
        for (int t = 0; t < g->activations && counts(&k, t); t++) {
            int64_t n = size_of(&k, t);
            for (int64_t i = 0; i < items; i++) slope_start(g, units->batch, t, k.domain[i], k.slope[NOW][t] + i * n);
        }
        k.ascent.unit = from;
        status = ascend(&k, options);
    }
    for (int64_t i = 0; i < items && !status; i++) c->unit_bound[from + i] = k.best_bound[i];
    nigh_arena_free(k.arena);
    return status;
}

nigh_status crown_tighten_units(const crown_job *units, int a, const bounds_optimise_options *options)
{
    bounds_optimise_options o = settled(options);
    const crown *c = units->c;
    nigh_status status = crown_ascent_ready(units->b);
    for (int64_t i = 0; i < units->rows && !status; i += c->room) status = tighten_units(units, a, &o, i, units->rows - i < c->room ? units->rows - i : c->room);
    return status;
}
