/* Bounds of Clarke Jacobians: the parts that are made once, and the order of the passes. */
#include "verify/jacobian_inside.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

/* ---- made once ---------------------------------------------------------------------------------------- */

static nigh_status rooms(jacobian *j)
{
    const bound_graph *g = j->graph;
    size_t n = (size_t)g->nodes;
    j->rest = nigh_alloc_zero(j->ctx, n, sizeof *j->rest);
    j->most = nigh_alloc_zero(j->ctx, n, sizeof *j->most);
    j->useful = nigh_alloc_zero(j->ctx, n, sizeof *j->useful);
    j->live = nigh_alloc_zero(j->ctx, n, sizeof *j->live);
    j->coefficient = nigh_alloc_zero(j->ctx, n * (size_t)j->threads, sizeof *j->coefficient);
    j->workspace = nigh_alloc_zero(j->ctx, (size_t)j->threads, sizeof *j->workspace);
    j->output_rest = nigh_alloc(j->ctx, (size_t)g->node[g->output].size * sizeof(double));
    if (!j->rest || !j->most || !j->useful || !j->live || !j->coefficient || !j->workspace || !j->output_rest) return NIGH_MEMORY;
    size_t work = tangent_workspace(j->plain) > tangent_workspace(j->absolute) ? tangent_workspace(j->plain) : tangent_workspace(j->absolute);
    for (int t = 0; t < j->threads; t++)
        if (!(j->workspace[t] = nigh_alloc(j->ctx, work ? work : 64))) return NIGH_MEMORY;
    j->useful[g->output] = true;
    for (int m = g->output; m >= 0; m--)
        for (int i = 0; i < g->node[m].inputs && j->useful[m]; i++) j->useful[g->node[m].input[i]] = true;
    for (int m = 0; m <= g->output; m++) {
        if (!j->useful[m]) continue;
        int64_t size = g->node[m].size, inputs = g->node[m].kind == BOUND_INPUT ? 1 : g->node[g->node[m].input[0]].size;
        if (!(j->most[m] = nigh_alloc_zero(j->ctx, (size_t)size, sizeof(double))) || !(j->rest[m] = nigh_alloc_zero(j->ctx, (size_t)inputs, sizeof(double)))) return NIGH_MEMORY;
        for (int t = 0; t < j->threads; t++)
            if (!(j->coefficient[(size_t)t * n + (size_t)m] = nigh_alloc(j->ctx, (size_t)(size * JACOBIAN_ROWS) * sizeof(double)))) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

nigh_status jacobian_new(nigh_context *ctx, const bound_graph *graph, int threads, jacobian **out)
{
    jacobian *j = nigh_alloc_zero(ctx, 1, sizeof *j);
    if (!j) return NIGH_MEMORY;
    *j = (jacobian){.ctx = ctx, .graph = graph, .threads = threads < 1 ? 1 : threads};
    nigh_status status = tangent_new(ctx, graph, false, &j->plain);
    if (!status) status = tangent_new(ctx, graph, true, &j->absolute);
    if (!status) status = rooms(j);
    if (status) {
        jacobian_free(j);
        return status;
    }
    *out = j;
    return NIGH_OK;
}

static void free_all(nigh_context *ctx, size_t n, double **list)
{
    for (size_t i = 0; list && i < n; i++) nigh_free(ctx, list[i]);
    nigh_free(ctx, list);
}

void jacobian_free(jacobian *j)
{
    if (!j) return;
    size_t n = (size_t)j->graph->nodes;
    free_all(j->ctx, n, j->rest);
    free_all(j->ctx, n, j->most);
    free_all(j->ctx, n * (size_t)j->threads, j->coefficient);
    for (int t = 0; j->workspace && t < j->threads; t++) nigh_free(j->ctx, j->workspace[t]);
    nigh_free(j->ctx, j->workspace);
    nigh_free(j->ctx, j->useful);
    nigh_free(j->ctx, j->live);
    nigh_free(j->ctx, j->output_rest);
    tangent_free(j->plain);
    tangent_free(j->absolute);
    nigh_free(j->ctx, j);
}

const bound_graph *jacobian_graph(const jacobian *j) { return j->graph; }
bool jacobian_useful(const jacobian *j, int node) { return j->useful[node]; }
int jacobian_threads(const jacobian *j) { return j->threads; }

/* ---- batches ------------------------------------------------------------------------------------------ */

nigh_status jacobian_batch_new(nigh_context *ctx, const bound_graph *g, int64_t room, jacobian_batch *batch)
{
    size_t n = (size_t)(g->activations ? g->activations : 1), r = (size_t)room;
    jacobian_batch b = {.room = room};
    double ***list[] = {&b.d_low, &b.d_high, &b.a_low, &b.a_high, &b.row, &b.line};
    bool bad = false;
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        if (!(*list[k] = nigh_alloc_zero(ctx, n, sizeof(double *)))) bad = true;
        for (int a = 0; a < g->activations && *list[k]; a++)
            if (!((*list[k])[a] = nigh_alloc_zero(ctx, r * (size_t)g->node[g->activation[a]].size, (list[k] == &b.line ? 4 : 1) * sizeof(double)))) bad = true;
    }
    b.target = nigh_alloc_zero(ctx, r * (size_t)g->node[g->output].size, sizeof(double));
    b.low = nigh_alloc_zero(ctx, r * (size_t)g->node[0].size, sizeof(double));
    b.high = nigh_alloc_zero(ctx, r * (size_t)g->node[0].size, sizeof(double));
    b.bound = nigh_alloc_zero(ctx, r, sizeof(double));
    if (bad || !b.target || !b.low || !b.high || !b.bound) {
        jacobian_batch_free(ctx, g, &b);
        return NIGH_MEMORY;
    }
    *batch = b;
    return NIGH_OK;
}

void jacobian_batch_free(nigh_context *ctx, const bound_graph *g, jacobian_batch *batch)
{
    double **list[] = {batch->d_low, batch->d_high, batch->a_low, batch->a_high, batch->row, batch->line};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) free_all(ctx, (size_t)g->activations, list[k]);
    nigh_free(ctx, batch->target);
    nigh_free(ctx, batch->low);
    nigh_free(ctx, batch->high);
    nigh_free(ctx, batch->bound);
    *batch = (jacobian_batch){0};
}

static void copy_row(int64_t size, const double *from, int64_t i, double *to, int64_t k) { memcpy(to + k * size, from + i * size, (size_t)size * sizeof(double)); }

void jacobian_batch_copy(const bound_graph *g, const jacobian_batch *from, int64_t i, jacobian_batch *to, int64_t k)
{
    for (int a = 0; a < g->activations; a++) {
        int64_t size = g->node[g->activation[a]].size;
        copy_row(size, from->d_low[a], i, to->d_low[a], k), copy_row(size, from->d_high[a], i, to->d_high[a], k);
        copy_row(size, from->a_low[a], i, to->a_low[a], k), copy_row(size, from->a_high[a], i, to->a_high[a], k);
        copy_row(size, from->row[a], i, to->row[a], k);
    }
    copy_row(g->node[g->output].size, from->target, i, to->target, k);
    copy_row(g->node[0].size, from->low, i, to->low, k), copy_row(g->node[0].size, from->high, i, to->high, k);
    to->bound[k] = from->bound[i];
}

/* ---- the account of rounding --------------------------------------------------------------------------- */

static double most_derivative(const jacobian_batch *batch, int activation, int64_t size, int64_t element)
{
    double most = 0;
    for (int64_t i = 0; i < batch->domains; i++)
        most = fmax(most, fmax(fabs(batch->d_low[activation][i * size + element]), fabs(batch->d_high[activation][i * size + element])));
    return most;
}

/* M of the node's inputs grows by what goes through the node, and the node's rests follow. */
static void magnitudes(jacobian *j, const jacobian_batch *batch, int m, int activation)
{
    const bound_node *node = &j->graph->node[m];
    int64_t size = node->size, inputs = j->graph->node[node->input[0]].size;
    if (node->kind == BOUND_SUM) {
        for (int64_t e = 0; e < size; e++) j->rest[m][e] = j->most[m][e] * round_gamma(node->inputs + 2.0, ROUND_UNIT);
        for (int i = 0; i < node->inputs; i++)
            for (int64_t e = 0; e < size; e++) j->most[node->input[i]][e] = round_up(j->most[node->input[i]][e] + j->most[m][e]);
        return;
    }
    double *through = j->coefficient[m] ? j->coefficient[node->input[0]] : NULL;
    if (node->kind == BOUND_ACTIVATION)
        for (int64_t e = 0; e < size; e++) {
            through[e] = round_up(most_derivative(batch, activation, size, e) * j->most[m][e]);
            j->rest[m][e] = through[e] * 0x1p-50;
        }
    else {
        double terms = tangent_terms(j->plain, m), gamma = round_gamma(terms + node->slack + 4, ROUND_UNIT);
        memset(through, 0, (size_t)inputs * sizeof(double));
        tangent_back(j->absolute, m, 1, j->most[m], through, j->workspace[0]);
        for (int64_t e = 0; e < inputs; e++) {
            through[e] = round_sum_up(through[e], terms);
            j->rest[m][e] = through[e] * gamma;
        }
    }
    double *to = j->most[node->input[0]];
    for (int64_t e = 0; e < inputs; e++) to[e] = round_up(to[e] + through[e]);
}

nigh_status jacobian_root(jacobian *j, jacobian_batch *batch)
{
    const bound_graph *g = j->graph;
    int64_t outputs = g->node[g->output].size, inputs = g->node[0].size;
    for (int m = 0; m <= g->output; m++)
        if (j->useful[m]) memset(j->most[m], 0, (size_t)g->node[m].size * sizeof(double));
    for (int64_t e = 0; e < outputs; e++) {
        double most = 0;
        for (int64_t i = 0; i < batch->domains; i++) most = fmax(most, fabs(batch->target[i * outputs + e]));
        j->most[g->output][e] = most;
        j->output_rest[e] = most * round_gamma((double)outputs + 4, ROUND_UNIT);
    }
    for (int m = g->output, a = g->activations - 1; m > 0; m--) {
        while (a >= 0 && g->activation[a] > m) a--;
        if (j->useful[m]) magnitudes(j, batch, m, a);
    }
    for (int64_t e = 0; j->useful[0] && e < inputs; e++)
        if (!(j->most[0][e] < 1e250)) return nigh_fail(j->ctx, NIGH_UNDECIDED, "the gradient of the network is not bounded over this box (input %lld)", (long long)e);
    for (int64_t i = 0; i < batch->domains; i++) {
        for (int a = 0; a < g->activations; a++) {
            int m = g->activation[a];
            for (int64_t e = 0; e < g->node[m].size; e++) {
                double most = j->useful[m] ? j->most[m][e] : 0;
                batch->a_low[a][i * g->node[m].size + e] = -most, batch->a_high[a][i * g->node[m].size + e] = most;
            }
        }
        double sum = 0;
        for (int64_t e = 0; e < inputs; e++) {
            double most = j->useful[0] ? j->most[0][e] : 0;
            batch->low[i * inputs + e] = -most, batch->high[i * inputs + e] = most, sum += most;
        }
        batch->bound[i] = round_sum_up(sum, (double)inputs); /* a sum of absolute values is not below their Euclidean norm */
    }
    return NIGH_OK;
}

/* ---- lines -------------------------------------------------------------------------------------------- */

static double up(double x) { return x + fabs(x) * 0x1p-49 + ROUND_TINY; }

static bool one_sign(double dl, double du, double la, double ua, double line[4])
{
    line[1] = line[3] = 0;
    if (dl == du) line[0] = line[2] = dl;
    else if (la >= 0) line[0] = du, line[2] = dl;
    else if (ua <= 0) line[0] = dl, line[2] = du;
    else return false;
    return true;
}

void jacobian_hull(double dl, double du, double la, double ua, double line[4])
{
    if (one_sign(dl, du, la, ua, line)) return;
    double width = ua - la, us = (du * ua - dl * la) / width, ls = (dl * ua - du * la) / width;
    line[0] = us, line[1] = up(fmax((du - us) * ua, (dl - us) * la));
    line[2] = ls, line[3] = -up(-fmin((dl - ls) * ua, (du - ls) * la));
}

void jacobian_constants(double dl, double du, double la, double ua, double line[4])
{
    if (one_sign(dl, du, la, ua, line)) return;
    line[0] = line[2] = 0;
    line[1] = up(fmax(du * ua, dl * la));
    line[3] = -up(-fmin(dl * ua, du * la));
}

static void make_lines(jacobian *j, jacobian_lines_fn *lines, int activation, jacobian_batch *batch)
{
    int64_t n = j->graph->node[j->graph->activation[activation]].size, stride = batch->room * n;
    double *out = batch->line[activation];
    for (int64_t i = 0; i < batch->domains * n; i++) {
        double line[4];
        lines(batch->d_low[activation][i], batch->d_high[activation][i], batch->a_low[activation][i], batch->a_high[activation][i], line);
        for (int k = 0; k < 4; k++) out[k * stride + i] = line[k];
    }
}

/* ---- passes ------------------------------------------------------------------------------------------- */

typedef struct lists {
    int64_t *domain, *element;
    double *sign, *upper;
} lists;

static void free_lists(nigh_context *ctx, lists *l)
{
    nigh_free(ctx, l->domain);
    nigh_free(ctx, l->element);
    nigh_free(ctx, l->sign);
    nigh_free(ctx, l->upper);
}

static nigh_status new_lists(nigh_context *ctx, int64_t rows, lists *l)
{
    size_t n = (size_t)(rows ? rows : 1) * 8;
    *l = (lists){nigh_alloc(ctx, n), nigh_alloc(ctx, n), nigh_alloc(ctx, n), nigh_alloc(ctx, n)};
    if (l->domain && l->element && l->sign && l->upper) return NIGH_OK;
    free_lists(ctx, l);
    return NIGH_MEMORY;
}

static void two_rows(lists *l, int64_t *rows, int64_t domain, int64_t element)
{
    for (int s = 0; s < 2; s++, (*rows)++) l->domain[*rows] = domain, l->element[*rows] = element, l->sign[*rows] = s ? -1 : 1;
}

/* Intervals [low, high] of G_node for the listed elements, cut with what is there (where something is left). */
static void cut(jacobian *j, jacobian_batch *batch, int node, int64_t rows, lists *l, double *low, double *high)
{
    int64_t size = j->graph->node[node].size;
    jacobian_run(j, batch, &(jacobian_pass){.node = node, .rows = rows, .domain = l->domain, .element = l->element, .sign = l->sign, .upper = l->upper});
    for (int64_t r = 0; r < rows; r += 2) {
        double h = l->upper[r], d = -l->upper[r + 1];
        int64_t at = l->domain[r] * size + l->element[r];
        if (fmin(h, high[at]) >= fmax(d, low[at])) h = fmin(h, high[at]), d = fmax(d, low[at]);
        low[at] = d, high[at] = h;
    }
}

static nigh_status activations(jacobian *j, jacobian_lines_fn *lines, const int *below, jacobian_batch *batch)
{
    const bound_graph *g = j->graph;
    for (int a = g->activations - 1; a >= 0; a--) {
        int m = g->activation[a];
        if (!j->useful[m]) continue;
        int64_t size = g->node[m].size, rows = 0, most = 0;
        for (int64_t i = 0; i < batch->domains * size; i++) most += batch->d_low[a][i] < batch->d_high[a][i];
        lists l;
        nigh_status status = new_lists(j->ctx, 2 * most, &l);
        if (status) return status;
        for (int64_t i = 0; i < batch->domains; i++)
            for (int64_t e = 0; e < size && (!below || a < below[i]); e++)
                if (batch->d_low[a][i * size + e] < batch->d_high[a][i * size + e]) two_rows(&l, &rows, i, e);
        if (rows) cut(j, batch, m, rows, &l, batch->a_low[a], batch->a_high[a]);
        free_lists(j->ctx, &l);
        make_lines(j, lines, a, batch);
        if ((status = nigh_poll(j->ctx))) return status;
    }
    return NIGH_OK;
}

static nigh_status inputs(jacobian *j, jacobian_batch *batch)
{
    int64_t n = j->graph->node[0].size, rows = 0;
    lists l;
    nigh_status status = new_lists(j->ctx, 2 * n * batch->domains, &l);
    if (status) return status;
    for (int64_t i = 0; i < batch->domains; i++)
        for (int64_t e = 0; e < n; e++) two_rows(&l, &rows, i, e);
    cut(j, batch, 0, rows, &l, batch->low, batch->high);
    free_lists(j->ctx, &l);
    return NIGH_OK;
}

/* |x| or x^2 on [l, h] is at most slope x + shift. */
static void chord(jacobian_norm norm, double l, double h, double *slope, double *shift)
{
    if (norm == JACOBIAN_TWO) *slope = l + h, *shift = up(fmax((l - *slope) * l, (h - *slope) * h));
    else if (l >= 0) *slope = 1, *shift = 0;
    else if (h <= 0) *slope = -1, *shift = 0;
    else *slope = (h + l) / (h - l), *shift = up(fmax((-1 - *slope) * l, (1 - *slope) * h));
}

/* One row for the whole norm. */
static nigh_status chained(jacobian *j, jacobian_norm norm, jacobian_batch *batch)
{
    int64_t n = j->graph->node[0].size, count = batch->domains;
    double *c = nigh_alloc(j->ctx, (size_t)(count * n) * sizeof *c), *upper = nigh_alloc(j->ctx, 2 * (size_t)count * sizeof *upper), *constant = upper + count;
    int64_t *domain = nigh_alloc(j->ctx, (size_t)count * sizeof *domain);
    nigh_status status = c && upper && domain ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < count && !status; i++) {
        double sum = 0, size = 0;
        for (int64_t e = 0; e < n; e++) {
            double shift;
            chord(norm, batch->low[i * n + e], batch->high[i * n + e], &c[i * n + e], &shift);
            sum += shift, size += fabs(shift);
        }
        domain[i] = i, constant[i] = sum + size * round_gamma((double)n + 4, ROUND_UNIT) + ROUND_TINY;
    }
    if (!status) jacobian_run(j, batch, &(jacobian_pass){.node = 0, .rows = count, .domain = domain, .coefficient = c, .keep = true, .upper = upper});
    for (int64_t i = 0; i < count && !status; i++) {
        double bound = round_up(upper[i] + constant[i]);
        if (norm == JACOBIAN_TWO) bound = round_up(sqrt(fmax(bound, 0)));
        batch->bound[i] = fmin(batch->bound[i], fmax(bound, 0));
    }
    nigh_free(j->ctx, c);
    nigh_free(j->ctx, upper);
    nigh_free(j->ctx, domain);
    return status;
}

void jacobian_sums(const bound_graph *graph, jacobian_norm norm, const jacobian_batch *batch, double *bound)
{
    int64_t n = graph->node[0].size;
    for (int64_t i = 0; i < batch->domains; i++) {
        double sum = 0;
        for (int64_t e = 0; e < n; e++) {
            double most = fmax(fabs(batch->low[i * n + e]), fabs(batch->high[i * n + e]));
            sum += norm == JACOBIAN_TWO ? most * most : most;
        }
        sum = round_sum_up(sum, (double)n + 2);
        bound[i] = norm == JACOBIAN_TWO ? round_up(sqrt(sum)) : sum;
    }
}

nigh_status jacobian_bound(jacobian *j, jacobian_lines_fn *lines, bool chain, jacobian_norm norm, const int *below, jacobian_batch *batch)
{
    if (!j->useful[0]) {
        memset(batch->bound, 0, (size_t)batch->domains * sizeof(double));
        return NIGH_OK;
    }
    double *sum = nigh_alloc(j->ctx, (size_t)(batch->domains ? batch->domains : 1) * sizeof *sum);
    nigh_status status = sum ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = lines ? activations(j, lines, below, batch) : jacobian_intervals(j, batch);
    if (!status && lines) status = inputs(j, batch);
    if (!status) jacobian_sums(j->graph, norm, batch, sum);
    for (int64_t i = 0; i < batch->domains && !status; i++) batch->bound[i] = fmin(batch->bound[i], sum[i]);
    if (!status && lines && chain) status = chained(j, norm, batch);
    nigh_free(j->ctx, sum);
    return status;
}
