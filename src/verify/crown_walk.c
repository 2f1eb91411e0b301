/* One tile of rows back to the input. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"
#include "verify/round.h"

#include <string.h>

static double *fresh(crown_scratch *s) { return s->free[--s->frees]; }
static void done(crown_scratch *s, double *slot) { s->free[s->frees++] = slot; }

/* Rows a have come to node k: what its bias and its roundings bring. */
static void take(const crown_job *job, int k, crown_scratch *s, const double *a)
{
    const bound_node *node = &job->b->graph->node[k];
    const double *rest = job->b->options.fast ? NULL : job->c->rest[k];
    if (node->bias || rest) job->c->kernels->take(s->rows, node->size, a, node->bias, rest, s->constant, s->rest);
}

/* `slot` with more of node k's row becomes it or is added to it. */
static void arrive(const crown_job *job, int k, crown_scratch *s, double *slot)
{
    if (!s->row[k]) {
        s->row[k] = slot;
        return;
    }
    job->c->kernels->add(s->rows * job->b->graph->node[k].size, 1, slot, s->row[k]);
    done(s, slot);
}

/* Rows [from, to) lie in one domain; the next such run. */
static int64_t same_domain(const crown_scratch *s, int64_t from)
{
    int64_t to = from + 1;
    while (to < s->rows && s->domain[to] == s->domain[from]) to++;
    return to;
}

static void activation(const crown_job *job, int k, int64_t first, crown_scratch *s)
{
    const crown *c = job->c;
    int a = job->b->activation_of[k], m = job->b->graph->node[k].input[0];
    int64_t n = job->b->graph->node[k].size;
    double *row = s->row[k], *out = s->row[m] ? fresh(s) : row;
    const crown_lines *lines = &c->lines[a];
    if (job->want && job->want->last && job->want->last[a])
        memcpy(job->want->last[a] + (job->first * job->want->rows + first) * n, row, (size_t)(s->rows * n) * sizeof *row);
    for (int64_t i = 0, end; i < s->rows; i = end) {
        end = same_domain(s, i);
        int64_t at = s->domain[i] * n;
        crown_line line = {{lines->slope[0] + at, lines->slope[1] + at}, {lines->shift[0] + at, lines->shift[1] + at}, {NULL, NULL}, job->beta ? lines->beta + at : NULL};
        if (!job->b->options.fast) line.rest[0] = lines->rest[0] + at, line.rest[1] = lines->rest[1] + at;
        c->kernels->through(end - i, n, row + i * n, out + i * n, &line, s->constant + i, s->rest + i);
    }
    if (out != row) done(s, row);
    arrive(job, m, s, out);
}

static void sum(const crown_job *job, int k, crown_scratch *s)
{
    const bound_node *node = &job->b->graph->node[k];
    int64_t count = s->rows * node->size;
    for (int i = 0; i < node->inputs; i++) {
        double *out = fresh(s);
        memset(out, 0, (size_t)count * sizeof *out);
        job->c->kernels->add(count, node->scale[i], s->row[k], out);
        take(job, node->input[i], s, out);
        arrive(job, node->input[i], s, out);
    }
    done(s, s->row[k]);
}

static void affine(const crown_job *job, int k, crown_scratch *s)
{
    int m = job->b->graph->node[k].input[0];
    double *out = fresh(s);
    crown_affine(job->c, job->b->graph, k, s->rows, s->row[k], out, s->workspace);
    done(s, s->row[k]);
    take(job, m, s, out);
    arrive(job, m, s, out);
}

/* Rows that start at single elements of an affine node: those of its matrix. */
static void start_units(const crown_job *job, int64_t first, crown_scratch *s)
{
    const bounds *b = job->b;
    const crown *c = job->c;
    const bound_node *node = &b->graph->node[job->start];
    bool affine_start = node->kind == BOUND_DENSE || node->kind == BOUND_CONVOLUTION || node->kind == BOUND_SPARSE;
    int64_t n = affine_start ? b->graph->node[node->input[0]].size : node->size;
    double *row = fresh(s);
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t j = c->unit_element[first + i];
        double sign = c->unit_sign[first + i], *out = row + i * n;
        s->domain[i] = c->unit_domain[first + i];
        s->constant[i] = affine_start && node->bias ? sign * node->bias[j] : 0;
        s->rest[i] = affine_start && c->rest[job->start] ? c->rest[job->start][j] : 0;
        if (affine_start) crown_unit(b->graph, job->start, j, sign, out);
        else {
            memset(out, 0, (size_t)n * sizeof *out);
            out[j] = sign;
        }
    }
    int k = affine_start ? node->input[0] : job->start;
    s->row[k] = row;
    take(job, k, s, row);
}

static void start_rows(const crown_job *job, int64_t first, crown_scratch *s)
{
    const bounds_rows *want = job->want;
    int64_t n = job->b->graph->node[want->node].size;
    double *row = s->row[job->start] = fresh(s);
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t r = first + i, domain = r / want->rows, from = want->shared ? r % want->rows : job->first * want->rows + r;
        s->domain[i] = domain;
        s->constant[i] = s->rest[i] = 0;
        memcpy(row + i * n, want->coefficient + from * n, (size_t)n * sizeof *row);
    }
    take(job, job->start, s, row);
}

/* The row at the input and the constants become bounds. */
static void finish(const crown_job *job, int64_t first, crown_scratch *s)
{
    const bounds_rows *want = job->want;
    const crown *c = job->c;
    int64_t n = job->b->graph->inputs;
    bool fast = job->b->options.fast;
    const double *row = s->row[0];
    for (int64_t i = 0, end; i < s->rows; i = end) {
        end = same_domain(s, i);
        int64_t at = (job->first + s->domain[i]) * n;
        c->kernels->corner(end - i, n, row + i * n, job->batch->low + at, job->batch->high + at, s->least + i, s->size + i);
    }
    for (int64_t i = 0; i < s->rows; i++) {
        double constant = s->constant[i], rest = s->rest[i], least = s->least[i];
        int64_t at = want ? job->first * want->rows + first + i : first + i;
        if (job->beta) constant += c->beta_constant[s->domain[i]], rest += c->beta_rest[s->domain[i]];
        if (!fast) {
            constant = round_down(constant - (rest * (1 + 1e-8) + c->tiny + c->gamma * fabs(constant)));
            least = round_down(least - round_gamma((double)n + 4, ROUND_UNIT) * s->size[i]);
        }
        double bound = fast ? constant + least : round_down(constant + least);
        if (!(bound > -INFINITY && bound < INFINITY)) bound = -INFINITY;
        if (!want) c->unit_bound[at] = bound;
        if (want && want->bound) want->bound[at] = bound;
        if (want && want->constant) want->constant[at] = constant == constant ? constant : -INFINITY;
        if (want && want->input) memcpy(want->input + at * n, row + i * n, (size_t)n * sizeof *row);
    }
    done(s, s->row[0]);
}

void crown_walk(const crown_job *job, int64_t first, int64_t rows, crown_scratch *s)
{
    const bound_graph *g = job->b->graph;
    memset(s->row, 0, (size_t)g->nodes * sizeof *s->row);
    s->rows = rows;
    if (job->want) start_rows(job, first, s);
    else start_units(job, first, s);
    for (int k = job->start; k > 0; k--) {
        if (!s->row[k]) continue;
        bound_kind kind = g->node[k].kind;
        if (kind == BOUND_ACTIVATION) activation(job, k, first, s);
        else if (kind == BOUND_SUM) sum(job, k, s);
        else affine(job, k, s);
    }
    if (!s->row[0]) memset(s->row[0] = fresh(s), 0, (size_t)(rows * g->inputs) * sizeof(double));
    finish(job, first, s);
}
