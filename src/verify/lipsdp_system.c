/* Values of nodes as linear functions of inputs and units, with what rounding can have done to them; see lipsdp.h. */
#include <math.h>
#include <string.h>

#include "tensor/dense.h"
#include "verify/lipsdp.h"
#include "core/round.h"

nigh_status lip_value_new(lip_system *s, int64_t size, lip_value *value)
{
    value->size = size;
    value->e = nigh_arena_alloc_zero(s->arena, (size_t)(size > 0 ? size * s->width : 1), sizeof(double));
    value->error = nigh_arena_alloc_zero(s->arena, (size_t)s->room, sizeof(double));
    return value->e && value->error ? NIGH_OK : NIGH_MEMORY;
}

double lip_columns(const lip_system *s, const lip_value *v, int block)
{
    double sum = 0;
    for (int64_t i = 0; i < v->size; i++)
        for (int64_t j = s->start[block]; j < s->start[block + 1]; j++) sum += v->e[i * s->width + j] * v->e[i * s->width + j];
    return round_up(sqrt(round_sum_up(sum, 2 * (double)v->size * (double)(s->start[block + 1] - s->start[block]))));
}

static double rows_norm(int64_t m, int64_t n, const double *w)
{
    double most = 0;
    for (int64_t i = 0; i < m; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) sum += fabs(w[i * n + j]);
        most = fmax(most, sum);
    }
    return round_sum_up(most, (double)n);
}

static double frobenius(int64_t count, const double *w)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += w[i] * w[i];
    return round_up(sqrt(round_sum_up(sum, 2 * (double)count)));
}

/* out = W in. */
static nigh_status linear(lip_system *s, const lip_node *node, const lip_value *in, lip_value *out)
{
    double norm, size = frobenius(node->size * in->size, node->weight), off = round_up(node->slack * ROUND_UNIT * size);
    nigh_status status = lip_value_new(s, node->size, out);
    if (!status) status = sdp_norm(s->ctx, node->size, in->size, node->weight, &norm);
    if (status) return status;
    norm = round_up(norm + off);
    const int used = (int)s->start[s->blocks], width = (int)s->width;
    int before = dense_enter(s->ctx, 2.0 * (double)node->size * (double)in->size * used);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)node->size, used, (int)in->size, 1, node->weight, (int)in->size, in->e, width, 0, out->e, width);
    dense_leave(before);
    for (int l = 0; l < s->blocks; l++) {
        double columns = lip_columns(s, in, l);
        out->error[l] = 1.001 * (norm * in->error[l] + (round_gamma((double)in->size + 4, ROUND_UNIT) * size + off) * columns);
    }
    out->naive[0] = round_up(norm * in->naive[0]);
    out->naive[1] = round_up(rows_norm(node->size, in->size, node->weight) * (1 + (node->slack + 2) * ROUND_UNIT) * in->naive[1]);
    return NIGH_OK;
}

static nigh_status sum(lip_system *s, const lip_node *node, const lip_value *all, int from, lip_value *out)
{
    nigh_status status = lip_value_new(s, node->size, out);
    if (status) return status;
    for (int i = 0; i < node->inputs; i++) {
        const lip_value *in = &all[node->input[i] - from];
        for (int64_t k = 0; k < node->size * s->width; k++) out->e[k] += node->scale[i] * in->e[k];
        for (int l = 0; l < s->blocks; l++)
            out->error[l] = 1.001 * (out->error[l] + fabs(node->scale[i]) * (in->error[l] + (double)(node->inputs + 2) * ROUND_UNIT * lip_columns(s, in, l)));
        for (int k = 0; k < 2; k++) out->naive[k] = round_up(out->naive[k] + round_up(fabs(node->scale[i]) * in->naive[k]));
    }
    return NIGH_OK;
}

/* ---- the inputs ----------------------------------------------------------------------------------------- */

/* The one linear node that reads the input of a part, when it has fewer rows than columns; -1: there is no such. */
static int first_layer(const lip_graph *g, int from, int to)
{
    int found = -1;
    for (int k = from + 1; k <= to; k++)
        for (int i = 0; i < g->node[k].inputs; i++)
            if (g->node[k].input[i] == from) {
                if (found >= 0 || g->node[k].kind != LIP_LINEAR || g->node[k].size >= g->node[from].size) return -1;
                found = k;
            }
    return found;
}

static nigh_status set_inputs(lip_system *s, const lip_node *input, lip_value *value)
{
    nigh_status status = lip_value_new(s, input->size, value);
    if (status) return status;
    for (int64_t i = 0; i < input->size; i++) value->e[i * s->width + i] = 1;
    value->naive[0] = value->naive[1] = 1;
    return NIGH_OK;
}

/* The first layer's value by a square factor in the place of its weights. */
static nigh_status set_compressed(lip_system *s, const lip_node *node, int64_t columns, lip_value *value)
{
    int64_t rows = node->size;
    double size = frobenius(rows * columns, node->weight), off = round_up(node->slack * ROUND_UNIT * size);
    double *l = nigh_alloc(s->ctx, (size_t)(rows * rows) * sizeof *l);
    nigh_status status = l ? lip_value_new(s, rows, value) : NIGH_MEMORY;
    int before = dense_enter(s->ctx, 2.0 * (double)rows * (double)rows * (double)columns);
    if (!status) status = sdp_compress(s->ctx, rows, columns, node->weight, off, l);
    if (!status) status = sdp_norm(s->ctx, rows, columns, node->weight, &value->naive[0]);
    dense_leave(before);
    if (!status) {
        for (int64_t i = 0; i < rows; i++) memcpy(value->e + i * s->width, l + i * rows, (size_t)(i + 1) * sizeof *l);
        value->naive[0] = round_up(value->naive[0] + off);
        value->naive[1] = round_up(rows_norm(rows, columns, node->weight) * (1 + (node->slack + 2) * ROUND_UNIT));
    }
    nigh_free(s->ctx, l);
    return status;
}

/* ---- the system ----------------------------------------------------------------------------------------- */

static nigh_status fill(lip_system *s, const lip_graph *g, int from, int to, int replaced)
{
    lip_value *all = nigh_arena_alloc_zero(s->arena, (size_t)(to - from + 1), sizeof *all);
    int64_t *unit_of = nigh_arena_alloc_zero(s->arena, (size_t)(g->elements + 1), sizeof *unit_of);
    nigh_status status = all && unit_of ? NIGH_OK : NIGH_MEMORY;
    if (!status && replaced < 0) status = set_inputs(s, &g->node[from], &all[0]);
    for (int k = from + 1; k <= to && !status; k++) {
        const lip_node *node = &g->node[k];
        lip_value *out = &all[k - from];
        if (node->inputs == 0 || node->input[0] < from) continue; /* a node of an earlier part */
        if (!(status = nigh_poll(s->ctx)) && k == replaced) status = set_compressed(s, node, g->node[from].size, out);
        else if (!status && node->kind == LIP_LINEAR) status = linear(s, node, &all[node->input[0] - from], out);
        else if (!status && node->kind == LIP_SUM) status = sum(s, node, all, from, out);
        else if (!status) status = lip_activation(s, node, &all[node->input[0] - from], unit_of, out);
    }
    if (!status) s->output = all[to - from];
    return status;
}

nigh_status lip_system_new(const lip_graph *g, int from, int to, bool compress, lip_system **system)
{
    nigh_arena *arena;
    nigh_status status = nigh_arena_new(g->ctx, &arena);
    if (status) return status;
    lip_system *s = nigh_arena_alloc_zero(arena, 1, sizeof *s);
    if (!s) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    int replaced = compress ? first_layer(g, from, to) : -1;
    *s = (lip_system){.ctx = g->ctx, .arena = arena, .inputs = replaced < 0 ? g->node[from].size : g->node[replaced].size, .room = 2};
    s->width = s->inputs;
    for (int k = from + 1; k <= to; k++)
        if (g->node[k].kind == LIP_ACTIVATION) s->width += lip_units(&g->node[k]), s->room++;
    int64_t units = s->width - s->inputs;
    s->start = nigh_arena_alloc_zero(arena, (size_t)s->room + 1, sizeof *s->start);
    s->variable = nigh_arena_alloc_zero(arena, (size_t)s->width, sizeof *s->variable);
    s->a = nigh_arena_alloc_zero(arena, (size_t)(units * s->width + 1), sizeof *s->a);
    s->a_error = nigh_arena_alloc_zero(arena, (size_t)(s->room * s->room), sizeof *s->a_error);
    status = s->start && s->variable && s->a && s->a_error ? NIGH_OK : NIGH_MEMORY;
    if (!status) s->blocks = 1, s->start[1] = s->inputs;
    if (!status) status = fill(s, g, from, to, replaced);
    if (status) lip_system_free(s);
    else *system = s;
    return status;
}

void lip_system_free(lip_system *s)
{
    if (s) nigh_arena_free(s->arena);
}

/* ---- programs ------------------------------------------------------------------------------------------- */

/* row times the output's value, and its errors. */
static nigh_status functionals(lip_system *s, int64_t rows, const double *row, double *c, double *error)
{
    const int64_t used = s->start[s->blocks];
    double size = frobenius(rows * s->output.size, row);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)used, (int)s->output.size, 1, row, (int)s->output.size, s->output.e, (int)s->width, 0, c, (int)used);
    for (int l = 0; l < s->blocks; l++)
        error[l] = 1.001 * size * (s->output.error[l] + round_gamma((double)s->output.size + 4, ROUND_UNIT) * lip_columns(s, &s->output, l));
    return NIGH_OK;
}

/* Units that were shared leave the width larger than what is used: rows of n numbers. */
static double *narrow(lip_system *s, int64_t rows, const double *a, int64_t n, nigh_status *status)
{
    double *out = nigh_arena_alloc_zero(s->arena, (size_t)(rows * n + 1), sizeof *out);
    if (!out) *status = NIGH_MEMORY;
    for (int64_t i = 0; out && i < rows; i++) memcpy(out + i * n, a + i * s->width, (size_t)n * sizeof *out);
    return out;
}

nigh_status lip_system_problem(lip_system *s, int64_t rows, const double *row, nigh_lipschitz_norm norm, sdp_problem *problem)
{
    const int64_t n = s->start[s->blocks], free_inputs = norm == NIGH_LIPSCHITZ_INF ? s->inputs : 1;
    int64_t *variable = nigh_arena_alloc_zero(s->arena, (size_t)n, sizeof *variable);
    double *cost = nigh_arena_alloc_zero(s->arena, (size_t)(free_inputs + s->multipliers), sizeof *cost), *errors = nigh_arena_alloc_zero(s->arena, (size_t)(s->blocks * s->blocks), sizeof *errors);
    double *c_error = nigh_arena_alloc_zero(s->arena, (size_t)s->blocks, sizeof *c_error), *c = NULL;
    nigh_status status = variable && cost && errors && c_error ? NIGH_OK : NIGH_MEMORY;
    double *a = status ? NULL : narrow(s, n - s->inputs, s->a, n, &status), *whole = NULL;
    if (!status && rows && !(c = nigh_arena_alloc_zero(s->arena, (size_t)(rows * n), sizeof *c))) status = NIGH_MEMORY;
    if (!status && rows) status = functionals(s, rows, row, c, c_error);
    if (!status && !rows) {
        whole = narrow(s, s->output.size, s->output.e, n, &status);
        memcpy(c_error, s->output.error, (size_t)s->blocks * sizeof *c_error);
    }
    if (status) return status;
    for (int64_t i = 0; i < free_inputs; i++) cost[i] = 1;
    for (int64_t i = 0; i < n; i++) variable[i] = i < s->inputs ? (norm == NIGH_LIPSCHITZ_INF ? i : 0) : free_inputs + s->variable[i];
    for (int k = 0; k < s->blocks; k++) memcpy(errors + k * s->blocks, s->a_error + k * s->room, (size_t)s->blocks * sizeof *errors);
    *problem = (sdp_problem){.n = n, .units = n - s->inputs, .outputs = rows ? rows : s->output.size, .variables = free_inputs + s->multipliers, .variable = variable,
                             .cost = cost, .a = a, .c = rows ? c : whole, .blocks = s->blocks, .start = s->start, .a_error = errors, .c_error = c_error};
    return NIGH_OK;
}
