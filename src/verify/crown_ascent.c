/*
 * Derivatives of linear bounds by their slopes and multipliers. A bound is the value of its linear functional at the corner of the box that makes it least; with v the values of the
 * nodes when this corner goes forward through the lines that the signs of the row chose, moving a line (s, t) at element j moves the bound by a_j (z_j ds + dt): walks backwards and
 * forwards are each other's transposes. A multiplier moves it by -sign z_j. Declared in verify/crown_inside.h.
 */
#include "verify/crown_inside.h"
#include "verify/relax.h"

#include <math.h>
#include <string.h>

#define STEP 1e-4 /* of a parameter, for differences of lines; exact where lines are linear in it */

nigh_status crown_ascent_ready(bounds *b)
{
    crown *c = b->crown;
    const bound_graph *g = b->graph;
    if (c->ascends) return NIGH_OK;
    int64_t over = 1, wide = 1;
    for (int k = 0; k < g->nodes; k++) {
        if (g->node[k].kind == BOUND_CONVOLUTION && g->node[k].window.out_channels > over) over = g->node[k].window.out_channels;
        if (g->node[k].size > wide) wide = g->node[k].size;
    }
    size_t bytes = (size_t)(c->slot + over * CROWN_PLACES_FEW) * sizeof(double);
    for (int t = 0; t < c->threads; t++) {
        crown_scratch *s = &c->scratch[t];
        s->kept = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *s->kept);
        s->value = nigh_arena_alloc_zero(c->arena, (size_t)g->nodes, sizeof *s->value);
        s->spare = nigh_arena_alloc_zero(c->arena, bytes, 1);
        if (!s->kept || !s->value || !s->spare) return NIGH_MEMORY;
        for (int k = 0; k < g->nodes; k++) {
            bool keeps = k == 0 || g->node[k].kind == BOUND_ACTIVATION;
            if (!(s->value[k] = nigh_arena_alloc_zero(c->arena, bytes, 1)) || (keeps && !(s->kept[k] = nigh_arena_alloc_zero(c->arena, bytes, 1)))) return NIGH_MEMORY;
        }
        for (int i = 0; i < CROWN_MORE; i++)
            if (!(s->more[i] = nigh_arena_alloc(c->arena, (size_t)wide * sizeof(double)))) return NIGH_MEMORY;
    }
    c->ascends = true;
    return NIGH_OK;
}

/* Part `f` of node k's values. */
static const double *part_of(const crown *c, int k, const crown_frame *f, crown_scratch *s)
{
    const crown_frame *all = &s->frame[k];
    if (c->node[k].list || !memcmp(f, all, sizeof *f)) return s->value[k];
    int64_t channels = c->node[k].field.channels, n = (f->x1 - f->x0) * channels, step = (all->x1 - all->x0) * channels, rows = f->y1 - f->y0, high = all->y1 - all->y0;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t y = 0; y < rows; y++)
            memcpy(s->spare + (i * rows + y) * n, s->value[k] + (i * high + y + f->y0 - all->y0) * step + (f->x0 - all->x0) * channels, (size_t)n * sizeof *s->spare);
    return s->spare;
}

/* The transpose of crown_collect, added. */
static void put_back(const crown *c, int k, const crown_frame *f, const double *part, double *all)
{
    const crown_node *node = &c->node[k];
    if (node->list) {
        for (int64_t j = 0; j < node->listed; j++) all[node->list[j]] += part[j];
        return;
    }
    int64_t n = (f->x1 - f->x0) * node->field.channels;
    for (int64_t y = f->y0; y < f->y1; y++) c->kernels->add(n, 1, part + (y - f->y0) * n, all + (y * node->field.width + f->x0) * node->field.channels);
}

/* up [n] += derivatives by the parameters of one item's rows, by differences of its lines. */
static void bend(const crown_job *job, int k, const crown_frame *f, int64_t place, int64_t rows, const double *a, const double *z, const double *weight, double *up, crown_scratch *s)
{
    const bound_node *node = &job->b->graph->node[k];
    int act = job->b->activation_of[k];
    int64_t n = crown_width(job->c, k, f), from = crown_domain(job, place) * node->size;
    const double *low = crown_collect(job->c, k, f, job->batch->pre_low[act] + from, s->more[4]), *high = crown_collect(job->c, k, f, job->batch->pre_high[act] + from, s->more[5]);
    const double *slope = crown_collect(job->c, k, f, job->ascent->slope[act] + crown_item(job, place) * node->size, s->more[6]);
    double *less = s->more[7], *more = s->more[2];
    for (int64_t j = 0; j < n; j++) less[j] = slope[j] - STEP, more[j] = slope[j] + STEP;
    relax_lines(node->function, node->p, n, low, high, less, job->b->options.single, s->more[8], s->more[9], s->more[10], s->more[11]);
    relax_lines(node->function, node->p, n, low, high, more, job->b->options.single, s->more[12], s->more[13], s->more[14], s->more[15]);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) {
            int line = a[i * n + j] > 0 ? 8 : 10;
            double ds = s->more[line + 4][j] - s->more[line][j], dt = s->more[line + 5][j] - s->more[line + 1][j];
            up[j] += weight[i] * a[i * n + j] * (ds * z[i * n + j] + dt) / (2 * STEP);
        }
}

static void activation(const crown_job *job, int k, crown_scratch *s)
{
    const crown *c = job->c;
    const bound_node *node = &job->b->graph->node[k];
    const crown_frame *f = &s->frame[k];
    int act = job->b->activation_of[k], m = node->input[0];
    int64_t n = crown_width(c, k, f);
    const double *z = part_of(c, m, f, s), *a = s->kept[k], *bias = job->b->graph->node[m].bias ? crown_collect(c, m, f, job->b->graph->node[m].bias, s->column[6]) : NULL;
    for (int64_t i = 0, end; i < s->rows; i = end) {
        for (end = i + 1; end < s->rows && s->domain[end] == s->domain[i]; end++) continue;
        int64_t at = s->domain[i] * node->size, item = crown_item(job, s->domain[i]) * node->size;
        double *up = job->ascent->slope ? s->more[0] : NULL, *by_beta = job->beta ? s->more[1] : NULL;
        crown_line line = {.beta = NULL};
        for (int side = 0; side < 2; side++) {
            line.slope[side] = crown_collect(c, k, f, c->lines[act].slope[side] + at, s->column[side]);
            line.shift[side] = crown_collect(c, k, f, c->lines[act].shift[side] + at, s->column[2 + side]);
        }
        memset(s->more[0], 0, (size_t)n * sizeof *up);
        memset(s->more[1], 0, (size_t)n * sizeof *up);
        bool relu = node->function == BOUND_RELU;
        c->kernels->ahead(end - i, n, a + i * n, z + i * n, bias, &line, s->weight + i, s->value[k] + i * n, relu ? up : NULL, by_beta);
        if (up && !relu) bend(job, k, f, s->domain[i], end - i, a + i * n, z + i * n, s->weight + i, up, s);
        if (up) put_back(c, k, f, up, job->ascent->slope_up[act] + item);
        if (by_beta) put_back(c, k, f, by_beta, job->ascent->beta_up[act] + item);
    }
}

static void sum(const crown_job *job, int k, crown_scratch *s)
{
    const bound_node *node = &job->b->graph->node[k];
    int64_t count = s->rows * crown_width(job->c, k, &s->frame[k]);
    memset(s->value[k], 0, (size_t)count * sizeof(double));
    for (int i = 0; i < node->inputs; i++) job->c->kernels->add(count, node->scale[i], part_of(job->c, node->input[i], &s->frame[k], s), s->value[k]);
}

static void corner(const crown_job *job, crown_scratch *s)
{
    const crown *c = job->c;
    int64_t n = crown_width(c, 0, &s->frame[0]), all = job->b->graph->inputs;
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t at = crown_domain(job, s->domain[i]) * all;
        const double *low = crown_collect(c, 0, &s->frame[0], job->batch->low + at, s->column[0]), *high = crown_collect(c, 0, &s->frame[0], job->batch->high + at, s->column[1]);
        for (int64_t j = 0; j < n; j++) s->value[0][i * n + j] = s->kept[0][i * n + j] > 0 ? low[j] : high[j];
    }
}

void crown_climb(const crown_job *job, const crown_tile *tile, crown_scratch *s)
{
    const bound_graph *g = job->b->graph;
    const crown_ascent *ascent = job->ascent;
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t r = (tile->first + i) % ascent->each;
        ascent->bound[crown_item(job, s->domain[i]) * ascent->each + r] = s->least[i];
        s->weight[i] = !(ascent->level && s->least[i] >= ascent->level[r]);
    }
    if (!s->frame[0].y1) return;
    corner(job, s);
    for (int k = 1; k <= job->start; k++) {
        bound_kind kind = g->node[k].kind;
        if (!s->frame[k].y1 || (k == job->start && kind != BOUND_ACTIVATION)) continue;
        if (kind == BOUND_ACTIVATION) activation(job, k, s);
        else if (kind == BOUND_SUM) sum(job, k, s);
        else crown_forward(job->c, g, k, s->value[g->node[k].input[0]], s->value[k], s);
    }
}
