/* One pass: functionals of a gradient are sent forward through the network, lines in place of products, until only constants are left. */
#include "verify/jacobian_inside.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct sums {
    double constant, rest; /* of shifts (all terms >= 0), of rounding */
} sums;

static double absolute_dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += fabs(a[i]) * b[i];
    return sum;
}

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* c on p = d a becomes c times a line on a. */
static double through_lines(int64_t n, const double *c, const double *line, int64_t stride, double *out)
{
    const double *us = line, *ut = line + stride, *ls = line + 2 * stride, *lt = line + 3 * stride;
    double constant = 0;
#pragma omp simd reduction(+ : constant)
    for (int64_t i = 0; i < n; i++) {
        bool up = c[i] > 0;
        double s = up ? us[i] : ls[i], t = up ? ut[i] : lt[i];
        out[i] = c[i] * s;
        constant += c[i] * t;
    }
    return constant;
}

/* The element's column of a dense map. */
static void column(const bound_node *node, int64_t inputs, int64_t element, double sign, double *out)
{
    for (int64_t i = 0; i < node->size; i++) out[i] = sign * node->weight[i * inputs + element];
}

static void first_dense(const jacobian *j, int m, const jacobian_pass *pass, int64_t first, int64_t count, sums *sum, double *to)
{
    const bound_node *node = &j->graph->node[m];
    for (int64_t r = 0; r < count; r++) {
        int64_t element = pass->element[first + r];
        column(node, j->graph->node[pass->node].size, element, pass->sign[first + r], to + r * node->size);
        sum[r].rest += j->rest[m][element];
    }
}

static void into_sum(const jacobian *j, int m, int64_t count, double *const *c, sums *sum)
{
    const bound_node *node = &j->graph->node[m];
    memset(c[m], 0, (size_t)(count * node->size) * sizeof(double));
    for (int i = 0; i < node->inputs; i++) {
        int from = node->input[i];
        if (!j->live[from]) continue;
        for (int64_t e = 0; e < count * node->size; e++) c[m][e] += node->scale[i] * c[from][e];
        for (int64_t r = 0; r < count; r++) sum[r].rest += absolute_dot(node->size, c[from] + r * node->size, j->rest[m]);
    }
}

static void into_activation(const jacobian *j, int activation, jacobian_batch *batch, const jacobian_pass *pass, int64_t first, int64_t count, double *const *c, sums *sum)
{
    int m = j->graph->activation[activation];
    const bound_node *node = &j->graph->node[m];
    const double *in = c[node->input[0]];
    for (int64_t r = 0; r < count; r++) {
        int64_t domain = pass->domain[first + r];
        sum[r].rest += absolute_dot(node->size, in + r * node->size, j->rest[m]);
        sum[r].constant += through_lines(node->size, in + r * node->size, batch->line[activation] + domain * node->size, batch->room * node->size, c[m] + r * node->size);
        if (pass->keep) memcpy(batch->row[activation] + domain * node->size, in + r * node->size, (size_t)node->size * sizeof(double));
    }
}

static void start(const jacobian *j, const jacobian_pass *pass, int64_t first, int64_t count, double *c)
{
    int64_t size = j->graph->node[pass->node].size;
    if (!pass->element) {
        memcpy(c, pass->coefficient + first * size, (size_t)(count * size) * sizeof(double));
        return;
    }
    memset(c, 0, (size_t)(count * size) * sizeof(double));
    for (int64_t r = 0; r < count; r++) c[r * size + pass->element[first + r]] = pass->sign[first + r];
}

static void finish(const jacobian *j, const jacobian_batch *batch, const jacobian_pass *pass, int64_t first, int64_t count, const double *c, const sums *sum, double terms)
{
    int64_t outputs = j->graph->node[j->graph->output].size;
    for (int64_t r = 0; r < count; r++) {
        double value = c ? dot(outputs, c + r * outputs, batch->target + pass->domain[first + r] * outputs) : 0;
        double rest = sum[r].rest + (c ? absolute_dot(outputs, c + r * outputs, j->output_rest) : 0);
        pass->upper[first + r] = round_up(round_up(value + round_sum_up(sum[r].constant, terms)) + round_sum_up(rest, terms));
    }
}

static void chunk(const jacobian *j, jacobian_batch *batch, const jacobian_pass *pass, int64_t first, int64_t count, double *const *c, void *workspace)
{
    const bound_graph *g = j->graph;
    sums sum[JACOBIAN_ROWS];
    memset(sum, 0, (size_t)count * sizeof *sum);
    start(j, pass, first, count, c[pass->node]);
    double terms = 16;
    for (int m = pass->node + 1, a = 0; m <= g->output; m++) {
        const bound_node *node = &g->node[m];
        while (a < g->activations && g->activation[a] < m) a++;
        if (!j->live[m]) continue;
        terms += (double)g->node[node->input[0]].size * node->inputs;
        if (node->kind == BOUND_SUM) into_sum(j, m, count, c, sum);
        else if (node->kind == BOUND_ACTIVATION) into_activation(j, a, batch, pass, first, count, c, sum);
        else if (node->kind == BOUND_DENSE && pass->element && node->input[0] == pass->node) first_dense(j, m, pass, first, count, sum, c[m]);
        else {
            int from = node->input[0];
            tangent_forward(j->plain, m, count, c[from], c[m], workspace);
            for (int64_t r = 0; r < count; r++) sum[r].rest += absolute_dot(g->node[from].size, c[from] + r * g->node[from].size, j->rest[m]);
        }
    }
    finish(j, batch, pass, first, count, j->live[g->output] ? c[g->output] : NULL, sum, terms);
}

void jacobian_run(jacobian *j, jacobian_batch *batch, const jacobian_pass *pass)
{
    const bound_graph *g = j->graph;
    for (int m = 0; m < g->nodes; m++) {
        j->live[m] = m == pass->node;
        for (int i = 0; i < g->node[m].inputs && m > pass->node && m <= g->output; i++) j->live[m] |= j->live[g->node[m].input[i]] && j->useful[m];
    }
    int64_t chunks = (pass->rows + JACOBIAN_ROWS - 1) / JACOBIAN_ROWS;
    int threads = j->threads < chunks ? j->threads : (int)chunks;
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < chunks; i++) {
        int thread = 0;
#ifdef _OPENMP
        thread = omp_get_thread_num();
#endif
        int64_t first = i * JACOBIAN_ROWS, count = pass->rows - first < JACOBIAN_ROWS ? pass->rows - first : JACOBIAN_ROWS;
        chunk(j, batch, pass, first, count, j->coefficient + (size_t)thread * (size_t)g->nodes, j->workspace[thread]);
    }
}
