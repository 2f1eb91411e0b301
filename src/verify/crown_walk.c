/* One tile of rows back to the input. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"
#include "verify/relax.h"
#include "core/round.h"

#include <string.h>

static double *fresh(crown_scratch *s) { return s->free[--s->frees]; }
static void done(crown_scratch *s, double *slot) { s->free[s->frees++] = slot; }

static void swap(double **a, double **b)
{
    double *c = *a;
    *a = *b;
    *b = c;
}

/* Rows a of frame f have come to node k: what its bias and its roundings bring. */
static void take(const crown_job *job, int k, const crown_frame *f, crown_scratch *s, const double *a)
{
    const crown *c = job->c;
    const double *bias = job->b->graph->node[k].bias, *rest = job->b->options.fast ? NULL : c->node[k].rest;
    if (!bias && !rest) return;
    if (bias) bias = crown_collect(c, k, f, bias, s->column[0]);
    if (rest) rest = crown_collect(c, k, f, rest, s->column[1]);
    c->kernels->take(s->rows, crown_width(c, k, f), a, bias, rest, s->constant, s->rest);
}

/* `slot` with more of node k's row, of frame f, becomes it or is added to it. */
static void arrive(const crown_job *job, int k, const crown_frame *f, crown_scratch *s, double *slot)
{
    const crown *c = job->c;
    const crown_frame *to = &s->frame[k];
    bool same = !memcmp(f, to, sizeof *f);
    if (!s->row[k] && same) {
        s->row[k] = slot;
        return;
    }
    if (!s->row[k]) memset(s->row[k] = fresh(s), 0, (size_t)(s->rows * crown_width(c, k, to)) * sizeof *slot);
    crown_embed(c, c->kernels, k, s->rows, f, slot, to, s->row[k]);
    done(s, slot);
}

/* Rows [from, to) lie in one domain; the next such run. */
static int64_t same_domain(const crown_scratch *s, int64_t from)
{
    int64_t to = from + 1;
    while (to < s->rows && s->domain[to] == s->domain[from]) to++;
    return to;
}

/* Where an element of activation a's node stands in rows; -1: nowhere, it is off. */
static int64_t place_of(const crown_node *node, int64_t element)
{
    if (!node->list) return element;
    int64_t from = 0, to = node->listed;
    while (from < to) {
        int64_t middle = (from + to) / 2;
        if (node->list[middle] < element) from = middle + 1;
        else to = middle;
    }
    return from < node->listed && node->list[from] == element ? from : -1;
}

/* Takes the coefficients of arguments that are cut at 0 out of the rows [rows, n] that came to node k: they go through lines of their own. */
static void take_halves(const crown_job *job, int k, const bounds_half *half, int64_t n, double *row, crown_scratch *s)
{
    for (int64_t i = 0; i < s->rows; i++) {
        s->place[i] = half[i].activation == job->b->activation_of[k] ? place_of(&job->c->node[k], half[i].element) : -1;
        if (s->place[i] < 0) continue;
        s->taken[i] = row[i * n + s->place[i]];
        row[i * n + s->place[i]] = 0;
    }
}

/* Row i's coefficient that was taken through the lines of its half. */
static void through_half(const crown_job *job, int k, const bounds_half *half, int64_t i, double *out, crown_scratch *s)
{
    const bounds *b = job->b;
    const bound_node *node = &b->graph->node[k];
    int a = b->activation_of[k], m = node->input[0];
    int64_t at = crown_domain(job, s->domain[i]) * node->size + half->element;
    double low = job->batch->pre_low[a][at], high = job->batch->pre_high[a][at], slope[2], shift[2], rest[2], y;
    const double *bias = b->graph->node[m].bias, *own = job->c->node[m].rest;
    if (half->negative) high = fmin(high, 0);
    else low = fmax(low, 0);
    crown_line line = {.beta = NULL};
    relax_lines(node->function, node->p, 1, &low, &high, NULL, b->options.single, &slope[1], &shift[1], &slope[0], &shift[0]);
    for (int side = 0; side < 2; side++) {
        job->c->kernels->fuse(1, &slope[side], &shift[side], bias ? bias + half->element : NULL, own ? own + half->element : NULL, &low, &high, round_gamma(3 + b->readers[m], ROUND_UNIT),
                              job->c->gamma, &rest[side]);
        line.slope[side] = &slope[side], line.shift[side] = &shift[side], line.rest[side] = b->options.fast ? NULL : &rest[side];
    }
    job->c->kernels->through(1, 1, &s->taken[i], &y, &line, s->constant + i, s->rest + i);
    out[s->place[i]] += y;
}

static void activation(const crown_job *job, int k, int64_t first, crown_scratch *s)
{
    const crown *c = job->c;
    const crown_frame *f = &s->frame[k];
    int a = job->b->activation_of[k], m = job->b->graph->node[k].input[0];
    int64_t all = job->b->graph->node[k].size, n = crown_width(c, k, f);
    double *row = s->row[k], *out = job->ascent || s->row[m] ? fresh(s) : row;
    const crown_lines *lines = &c->lines[a];
    bool fast = job->b->options.fast;
    if (job->want && !job->ascent && job->want->last && job->want->last[a])
        memcpy(job->want->last[a] + (job->first * job->want->rows + first) * n, row, (size_t)(s->rows * n) * sizeof *row);
    const bounds_half *half = job->want && job->want->half ? job->want->half + job->first * job->want->rows + first : NULL;
    if (half) take_halves(job, k, half, n, row, s);
    for (int64_t i = 0, end; i < s->rows; i = end) {
        end = same_domain(s, i);
        int64_t at = s->domain[i] * all;
        crown_line line = {.rest = {NULL, NULL}, .beta = job->beta ? crown_collect(c, k, f, lines->beta + at, s->column[6]) : NULL};
        for (int side = 0; side < 2; side++) {
            line.slope[side] = crown_collect(c, k, f, lines->slope[side] + at, s->column[side]);
            line.shift[side] = crown_collect(c, k, f, lines->shift[side] + at, s->column[2 + side]);
            if (!fast) line.rest[side] = crown_collect(c, k, f, lines->rest[side] + at, s->column[4 + side]);
        }
        c->kernels->through(end - i, n, row + i * n, out + i * n, &line, s->constant + i, s->rest + i);
    }
    for (int64_t i = 0; half && i < s->rows; i++)
        if (s->place[i] >= 0) through_half(job, k, half + i, i, out + i * n, s);
    if (job->ascent) swap(&s->kept[k], &row);
    if (out != row) done(s, row);
    arrive(job, m, f, s, out);
}

static void sum(const crown_job *job, int k, crown_scratch *s)
{
    const bound_node *node = &job->b->graph->node[k];
    const crown_frame *f = &s->frame[k];
    int64_t count = s->rows * crown_width(job->c, k, f);
    for (int i = 0; i < node->inputs; i++) {
        bool over = i + 1 == node->inputs && node->scale[i] == 1; /* the row itself goes on */
        double *out = over ? s->row[k] : fresh(s);
        if (over) s->row[k] = NULL;
        else if (node->scale[i] == 1) memcpy(out, s->row[k], (size_t)count * sizeof *out);
        else {
            memset(out, 0, (size_t)count * sizeof *out);
            job->c->kernels->add(count, node->scale[i], s->row[k], out);
        }
        take(job, node->input[i], f, s, out);
        arrive(job, node->input[i], f, s, out);
    }
    if (s->row[k]) done(s, s->row[k]);
}

static void affine(const crown_job *job, int k, crown_scratch *s)
{
    const bound_graph *g = job->b->graph;
    int m = g->node[k].input[0];
    double *out = fresh(s);
    crown_frame to = crown_need(job->c, g, k, &s->frame[k]);
    crown_affine(job->c, g, k, s->row[k], &to, out, s);
    done(s, s->row[k]);
    take(job, m, &to, s, out);
    arrive(job, m, &to, s, out);
}

/* Rows that start at single elements; of an affine node: those of its matrix. */
static void start_units(const crown_job *job, int64_t first, crown_scratch *s)
{
    const crown *c = job->c;
    const bound_graph *g = job->b->graph;
    int start = job->start;
    const bound_node *node = &g->node[start];
    const crown_field *field = &c->node[start].field;
    bool affine_start = node->kind == BOUND_DENSE || node->kind == BOUND_CONVOLUTION || node->kind == BOUND_SPARSE;
    int k = affine_start ? node->input[0] : start;
    crown_frame f = affine_start ? crown_need(c, g, start, &s->frame[start]) : s->frame[start];
    int64_t n = crown_width(c, k, &f);
    double *row = fresh(s);
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t unit = (job->ascent ? job->ascent->unit : 0) + crown_item(job, first + i), j = c->unit_element[unit];
        double sign = c->unit_sign[unit], *out = row + i * n;
        s->domain[i] = job->ascent ? first + i : c->unit_domain[unit];
        s->constant[i] = affine_start && node->bias ? sign * node->bias[j] : 0;
        s->rest[i] = affine_start && c->node[start].rest ? c->node[start].rest[j] : 0;
        if (affine_start) crown_unit(c, g, start, j, sign, &f, out);
        else {
            int64_t place = j / field->channels, y = place / field->width - f.y0, x = place % field->width - f.x0;
            memset(out, 0, (size_t)n * sizeof *out);
            out[(y * (f.x1 - f.x0) + x) * field->channels + j % field->channels] = sign;
        }
    }
    take(job, k, &f, s, row);
    arrive(job, k, &f, s, row);
}

static void start_rows(const crown_job *job, int64_t first, crown_scratch *s)
{
    const bounds_rows *want = job->want;
    int64_t n = job->b->graph->node[want->node].size;
    double *row = s->row[job->start] = fresh(s);
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t r = first + i, place = r / want->rows, from = (want->shared ? 0 : crown_domain(job, place) * want->rows) + r % want->rows;
        s->domain[i] = place;
        s->constant[i] = s->rest[i] = 0;
        memcpy(row + i * n, want->coefficient + from * n, (size_t)n * sizeof *row);
    }
    take(job, job->start, &s->frame[job->start], s, row);
}

/* The row at the input and the constants become bounds. */
static void finish(const crown_job *job, int64_t first, crown_scratch *s)
{
    const crown *c = job->c;
    const crown_frame *f = &s->frame[0];
    int64_t all = job->b->graph->inputs, n = crown_width(c, 0, f);
    bool fast = job->b->options.fast;
    const double *row = s->row[0];
    for (int64_t i = 0, end; i < s->rows; i = end) {
        end = same_domain(s, i);
        int64_t at = crown_domain(job, s->domain[i]) * all;
        const double *low = crown_collect(c, 0, f, job->batch->low + at, s->column[0]), *high = crown_collect(c, 0, f, job->batch->high + at, s->column[1]);
        c->kernels->corner(end - i, n, row + i * n, low, high, s->least + i, s->size + i);
    }
    for (int64_t i = 0; i < s->rows; i++) {
        double *constant = &s->constant[i], rest = s->rest[i], least = s->least[i];
        if (job->beta) *constant += c->beta_constant[s->domain[i]], rest += c->beta_rest[s->domain[i]];
        if (!fast) {
            *constant = round_down(*constant - (rest * (1 + 1e-8) + c->tiny + c->gamma * fabs(*constant)));
            least = round_down(least - round_gamma((double)n + 4, ROUND_UNIT) * s->size[i]);
        }
        double bound = fast ? *constant + least : round_down(*constant + least);
        s->least[i] = bound > -INFINITY && bound < INFINITY ? bound : -INFINITY;
    }
    if (job->ascent) swap(&s->kept[0], &s->row[0]);
    else if (!job->want) memcpy(c->unit_bound + first, s->least, (size_t)s->rows * sizeof *s->least);
    else
        for (int64_t i = 0; i < s->rows; i++) {
            int64_t at = job->first * job->want->rows + first + i;
            if (job->want->bound) job->want->bound[at] = s->least[i];
            if (job->want->constant) job->want->constant[at] = s->constant[i] == s->constant[i] ? s->constant[i] : -INFINITY;
            if (job->want->input) memcpy(job->want->input + at * all, row + i * all, (size_t)all * sizeof *row);
        }
    done(s, s->row[0]);
}

void crown_walk(const crown_job *job, const crown_tile *tile, crown_scratch *s)
{
    const bound_graph *g = job->b->graph;
    memset(s->row, 0, (size_t)g->nodes * sizeof *s->row);
    s->rows = tile->rows;
    crown_spread(job, &tile->frame, s->frame);
    if (job->want) start_rows(job, tile->first, s);
    else start_units(job, tile->first, s);
    for (int k = job->start; k > 0; k--) {
        if (!s->row[k]) continue;
        bound_kind kind = g->node[k].kind;
        if (kind == BOUND_ACTIVATION) activation(job, k, tile->first, s);
        else if (kind == BOUND_SUM) sum(job, k, s);
        else affine(job, k, s);
    }
    if (!s->row[0]) {
        s->frame[0] = crown_full(job->c, 0);
        memset(s->row[0] = fresh(s), 0, (size_t)(s->rows * g->inputs) * sizeof(double));
    }
    finish(job, tile->first, s);
    if (job->ascent) crown_climb(job, tile, s);
}
