/* What linear bounds prepare once. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"
#include "core/round.h"

#include <string.h>

/* Rows that are alive at once at most: those of earlier nodes that something at or after k reads, for any k; k's own; and one that arrives. */
static int most_slots(const bound_graph *g, int *last)
{
    int most = 0;
    memset(last, 0, (size_t)g->nodes * sizeof *last);
    for (int k = 0; k < g->nodes; k++)
        for (int i = 0; i < g->node[k].inputs; i++) last[g->node[k].input[i]] = k;
    for (int k = 1; k < g->nodes; k++) {
        int alive = 0;
        for (int i = 0; i < k; i++) alive += last[i] >= k;
        if (alive > most) most = alive;
    }
    return most + 2;
}

static int64_t widest(const bound_graph *g)
{
    int64_t most = 1;
    for (int k = 0; k < g->nodes; k++)
        if (g->node[k].size > most) most = g->node[k].size;
    return most;
}

static nigh_status new_scratch(bounds *b, crown *c)
{
    const bound_graph *g = b->graph;
    int64_t wide = widest(g), over = 0, places = 1, kernel = 1, spots = 1, listed = 1;
    int *last = nigh_arena_alloc(c->arena, (size_t)g->nodes * sizeof *last);
    if (!last) return NIGH_MEMORY;
    for (int k = 0; k < g->nodes; k++) {
        const bound_window *w = &g->node[k].window;
        if (g->node[k].kind != BOUND_CONVOLUTION) continue;
        int64_t taps = w->kernel[0] * w->kernel[1] * (w->channels / w->groups);
        if (taps > places) places = taps;
        if (w->out_channels > over) over = w->out_channels;
        if (w->kernel[0] * w->kernel[1] > kernel) kernel = w->kernel[0] * w->kernel[1];
        if (w->out_height * w->out_width > spots) spots = w->out_height * w->out_width;
        if (g->node[k].size / w->groups > listed) listed = g->node[k].size / w->groups;
    }
    int slots = most_slots(g, last);
    c->slot = wide * CROWN_TILE < CROWN_SLOT ? wide * CROWN_TILE : CROWN_SLOT;
    if (c->slot < wide * CROWN_LEAST) c->slot = wide * CROWN_LEAST;
    size_t bytes = (size_t)(c->slot + over * CROWN_PLACES_FEW) * sizeof(double); /* products of convolutions read on beyond the last row */
    for (int t = 0; t < c->threads; t++) {
        crown_scratch *s = &c->scratch[t];
        s->row = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *s->row);
        s->free = nigh_arena_alloc_zero(c->arena, (size_t)slots, sizeof *s->free);
        s->frame = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *s->frame);
        s->places = nigh_arena_alloc(c->arena, (size_t)(places * CROWN_PLACES) * sizeof *s->places);
        s->room.list = nigh_arena_alloc(c->arena, (size_t)listed * sizeof *s->room.list);
        s->room.count = nigh_arena_alloc(c->arena, (size_t)spots * sizeof *s->room.count);
        s->room.tap = nigh_arena_alloc(c->arena, (size_t)kernel * sizeof *s->room.tap);
        if (!s->row || !s->free || !s->frame || !s->places || !s->room.list || !s->room.count || !s->room.tap) return NIGH_MEMORY;
        for (int i = 0; i < slots; i++)
            if (!(s->free[s->frees++] = nigh_arena_alloc_zero(c->arena, bytes, 1))) return NIGH_MEMORY;
        for (int i = 0; i < CROWN_COLUMNS; i++)
            if (!(s->column[i] = nigh_arena_alloc(c->arena, (size_t)wide * sizeof(double)))) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

/* How many domains' lines a chunk holds, and the memory for them and for rows that start at single elements. */
static nigh_status new_lines(bounds *b, crown *c)
{
    const bound_graph *g = b->graph;
    int64_t all = 1, most = 1;
    for (int a = 0; a < g->activations; a++) {
        int64_t n = g->node[g->activation[a]].size;
        all += n;
        if (n > most) most = n;
    }
    int64_t bytes = all * 7 * (int64_t)sizeof(double), least = CROWN_MOST_BYTES / bytes;
    if (least > CROWN_TILE) least = CROWN_TILE;
    c->room = (int64_t)CROWN_CHUNK_BYTES * c->threads / bytes;
    if (c->room < least) c->room = least;
    if (c->room < 1) c->room = 1;
    bool fast = b->options.fast;
    for (int a = 0; a < g->activations; a++) {
        size_t count = (size_t)(c->room * g->node[g->activation[a]].size) + 1;
        double **part[] = {&c->lines[a].slope[0], &c->lines[a].slope[1], &c->lines[a].shift[0], &c->lines[a].shift[1], &c->lines[a].beta, &c->lines[a].rest[0], &c->lines[a].rest[1]};
        for (int i = 0; i < (fast ? 5 : 7); i++)
            if (!(*part[i] = nigh_arena_alloc(c->arena, count * sizeof(double)))) return NIGH_MEMORY;
        if (!(c->lines[a].list = nigh_arena_alloc(c->arena, (size_t)g->node[g->activation[a]].size * sizeof(int32_t) + 1))) return NIGH_MEMORY;
    }
    size_t units = (size_t)(2 * c->room * most + 1);
    c->beta_constant = nigh_arena_alloc_zero(c->arena, (size_t)c->room, sizeof *c->beta_constant);
    c->beta_rest = nigh_arena_alloc_zero(c->arena, (size_t)c->room, sizeof *c->beta_rest);
    c->unit_domain = nigh_arena_alloc(c->arena, units * sizeof *c->unit_domain);
    c->unit_element = nigh_arena_alloc(c->arena, units * sizeof *c->unit_element);
    c->unit_sign = nigh_arena_alloc(c->arena, units);
    c->unit_bound = nigh_arena_alloc(c->arena, units * sizeof *c->unit_bound);
    return c->beta_constant && c->beta_rest && c->unit_domain && c->unit_element && c->unit_sign && c->unit_bound ? NIGH_OK : NIGH_MEMORY;
}

static void set_rest(const bound_node *node, const crown *c, const double *raw, double *rest)
{
    for (int64_t i = 0; i < node->size; i++) rest[i] = raw[i] + (node->bias ? c->gamma * fabs(node->bias[i]) : 0);
}

/* Arrays for one box at all nodes. */
static double **node_arrays(const bound_graph *g, crown *c)
{
    double **made = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *made);
    for (int k = 0; made && k < g->nodes; k++)
        if (!(made[k] = nigh_arena_alloc_zero(c->arena, (size_t)g->node[k].size + 1, sizeof **made))) return NULL;
    return made;
}

static nigh_status new_rests(bounds *b, crown *c)
{
    const bound_graph *g = b->graph;
    double terms = 64, magnitudes = 1;
    for (int k = 0; k < g->nodes; k++) {
        terms += 2 * (double)g->node[k].size;
        for (int64_t i = 0; i < g->node[k].size; i++) magnitudes += b->magnitude[k][i];
    }
    c->gamma = round_gamma(terms, ROUND_UNIT);
    c->tiny = ROUND_TINY * magnitudes;
    for (int k = 0; k < g->nodes; k++) {
        if (!b->rest[k]) continue;
        if (!(c->node[k].rest = nigh_arena_alloc(c->arena, (size_t)g->node[k].size * sizeof(double) + 1))) return NIGH_MEMORY;
        set_rest(&g->node[k], c, b->rest[k], c->node[k].rest);
        for (int64_t i = 0; i < g->node[k].size; i++) c->blown = c->blown || b->rest[k][i] > CROWN_SMALL;
    }
    c->blown = c->blown && !b->options.fast && !b->options.single;
    if (!c->blown) return NIGH_OK;
    c->low = node_arrays(g, c);
    c->high = node_arrays(g, c);
    c->magnitude = node_arrays(g, c);
    c->raw = node_arrays(g, c);
    return c->low && c->high && c->magnitude && c->raw ? NIGH_OK : NIGH_MEMORY;
}

/* The smallest interval that holds those of all domains. */
static void hull(int64_t n, int64_t domains, const double *low, const double *high, double *least, double *most)
{
    for (int64_t i = 0; i < domains; i++)
        for (int64_t j = 0; j < n; j++) {
            double l = fmin(low[i * n + j], high[i * n + j]), h = fmax(low[i * n + j], high[i * n + j]);
            least[j] = i ? fmin(least[j], l) : l;
            most[j] = i ? fmax(most[j], h) : h;
        }
}

void crown_refresh(const crown_job *job)
{
    const bounds *b = job->b;
    const bound_graph *g = b->graph;
    crown *c = job->c;
    const bounds_batch *batch = job->batch;
    if (!c->blown || !batch->domains) return;
    bounds inside = *b; /* the same graph over a smaller box */
    inside.magnitude = c->magnitude;
    inside.rest = c->raw;
    for (int k = 0; k < g->nodes; k++) {
        const bound_node *node = &g->node[k];
        if (node->kind == BOUND_INPUT) hull(node->size, batch->domains, batch->low, batch->high, c->low[k], c->high[k]);
        else {
            if (node->kind != BOUND_ACTIVATION) interval_rest(&inside, k);
            interval_node(&inside, k, c->low, c->high, false);
        }
        for (int a = 0; a < g->activations; a++) {
            if (g->node[g->activation[a]].input[0] != k) continue;
            double *l = c->raw[g->activation[a]], *h = c->magnitude[g->activation[a]]; /* not yet in use */
            hull(node->size, batch->domains, batch->pre_low[a], batch->pre_high[a], l, h);
            for (int64_t i = 0; i < node->size; i++) c->low[k][i] = fmax(c->low[k][i], l[i]), c->high[k][i] = fmin(c->high[k][i], h[i]);
        }
        for (int64_t i = 0; i < node->size; i++) {
            double most = fmax(fabs(c->low[k][i]), fabs(c->high[k][i])) * (1 + 1e-9) + ROUND_TINY;
            c->magnitude[k][i] = most < b->magnitude[k][i] ? most : b->magnitude[k][i];
        }
        if (c->node[k].rest) set_rest(node, c, c->raw[k], c->node[k].rest);
    }
}

static nigh_status build(bounds *b, crown *c)
{
    const bound_graph *g = b->graph;
    nigh_cpu_level level = nigh_cpu();
#if defined(__x86_64__)
    c->kernels = level == NIGH_CPU_AVX512 ? &crown_avx512 : level == NIGH_CPU_AVX2 ? &crown_avx2 : &crown_scalar;
#else
    (void)level;
    c->kernels = &crown_scalar;
#endif
    c->threads = b->options.threads;
    nigh_status status = nigh_arena_new(b->ctx, &c->arena);
    if (status) return status;
    c->node = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *c->node);
    c->lines = nigh_arena_alloc_zero(c->arena, (size_t)g->activations + 1, sizeof *c->lines);
    c->scratch = nigh_arena_alloc_zero(c->arena, (size_t)c->threads, sizeof *c->scratch);
    if (!c->node || !c->lines || !c->scratch) return NIGH_MEMORY;
    crown_fields(g, c);
    status = new_rests(b, c);
    if (!status) status = crown_weights(b, c);
    if (!status) status = new_lines(b, c);
    return status ? status : new_scratch(b, c);
}

nigh_status crown_ready(bounds *b)
{
    if (b->crown) return NIGH_OK;
    crown *c = b->crown = nigh_alloc_zero(b->ctx, 1, sizeof *c);
    nigh_status status = c ? build(b, c) : NIGH_MEMORY;
    if (status) crown_free(b);
    return status;
}

void crown_free(bounds *b)
{
    crown *c = b->crown;
    if (!c) return;
    for (int k = 0; c->node && k < b->graph->nodes; k++) {
        for (int i = 0; i <= CROWN_TILE; i++) matmul_free(c->node[k].product[i]), matmul_free(c->node[k].forward[i]);
        nigh_free(b->ctx, c->node[k].turned);
        if (c->node[k].weight_room) nigh_free(b->ctx, c->node[k].weight);
    }
    for (int t = 0; c->scratch && t < c->threads; t++) nigh_free(b->ctx, c->scratch[t].workspace);
    nigh_free(b->ctx, c->tile);
    nigh_arena_free(c->arena);
    nigh_free(b->ctx, c);
    b->crown = NULL;
}
