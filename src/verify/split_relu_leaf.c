/*
 * Domains in which every relu's phase is decided: the network is affine there, and whether a group can hold is a linear program over box, phases and rows. Its optimum is a
 * point to try; its multipliers, those of phases and of rows, make one linear bound that proves the domain where there is none.
 */
#include <math.h>
#include <string.h>

#include "verify/linear_program.h"
#include "verify/split_relu.h"

typedef struct leaf_work {
    relu_search *s;
    nigh_arena *arena;
    bounds_batch *one;
    int g, rows;          /* of the group */
    int64_t n, splits;
    int32_t *unit;        /* [splits] */
    double *sign, *scale; /* [splits] */
    double common;        /* the scale of the group's rows */
    double *a, *b;        /* [splits + rows, n + 1]: phases, then rows - t */
} leaf_work;

static int8_t *split_at(const leaf_work *w, int64_t u)
{
    const relu_unit *unit = &w->s->unit[u];
    return w->one->split[unit->activation] + unit->element;
}

/* Affine forms [rows, n] and constants of rows of a node; all activations before it are one line. */
static nigh_status forms(leaf_work *w, int node, int64_t rows, const double *coefficient, double *input, double *constant)
{
    double *bound = nigh_arena_alloc(w->arena, (size_t)rows * sizeof *bound);
    if (!bound) return NIGH_MEMORY;
    bounds_rows what = {.node = node, .rows = rows, .coefficient = coefficient, .shared = true, .bound = bound, .input = input, .constant = constant};
    return bounds_lower(w->s->bounds, w->one, &what);
}

/* A row of the program: sum_j form_j x_j + constant (- t when `level`) >= 0, scaled. */
static void fill(leaf_work *w, int64_t at, const double *form, double constant, double sign, double scale, bool level)
{
    double *a = w->a + at * (w->n + 1);
    for (int64_t j = 0; j < w->n; j++) a[j] = sign * form[j] / scale;
    a[w->n] = level ? -1 : 0;
    w->b[at] = -sign * constant / scale;
}

static double width(const leaf_work *w, const double *form)
{
    double sum = 1e-300;
    for (int64_t j = 0; j < w->n; j++) sum += fabs(form[j]) * (w->one->high[j] - w->one->low[j]);
    return sum;
}

static nigh_status phases(leaf_work *w, int activation, int64_t first, int64_t *count)
{
    int node = w->s->graph->node[w->s->graph->activation[activation]].input[0];
    int64_t size = w->s->graph->node[node].size;
    *count = 0;
    for (int64_t k = first; k < w->splits && w->s->unit[w->unit[k]].activation == activation; k++) ++*count;
    if (!*count) return NIGH_OK;
    double *coefficient = nigh_arena_alloc_zero(w->arena, (size_t)(*count * size), sizeof *coefficient);
    double *input = nigh_arena_alloc(w->arena, (size_t)(*count * w->n) * sizeof *input), *constant = nigh_arena_alloc(w->arena, (size_t)*count * sizeof *constant);
    if (!coefficient || !input || !constant) return NIGH_MEMORY;
    for (int64_t k = 0; k < *count; k++) coefficient[k * size + w->s->unit[w->unit[first + k]].element] = 1;
    nigh_status status = forms(w, node, *count, coefficient, input, constant);
    for (int64_t k = 0; !status && k < *count; k++) {
        w->scale[first + k] = width(w, input + k * w->n);
        fill(w, first + k, input + k * w->n, constant[k], w->sign[first + k], w->scale[first + k], false);
    }
    return status;
}

static nigh_status rows_of(leaf_work *w)
{
    const search_query *q = w->s->query;
    const double *row = q->row + q->group[w->g] * w->s->outputs, *level = q->level + q->group[w->g];
    double *input = nigh_arena_alloc(w->arena, (size_t)(w->rows * w->n) * sizeof *input), *constant = nigh_arena_alloc(w->arena, (size_t)w->rows * sizeof *constant);
    if (!input || !constant) return NIGH_MEMORY;
    nigh_status status = forms(w, w->s->graph->output, w->rows, row, input, constant);
    if (status) return status;
    w->common = 1e-300;
    for (int r = 0; r < w->rows; r++) w->common = fmax(w->common, width(w, input + r * w->n));
    for (int r = 0; r < w->rows; r++) fill(w, w->splits + r, input + r * w->n, constant[r] - level[r], 1, w->common, true);
    return NIGH_OK;
}

/* The largest value that row `at` of the program takes on the box, t left out. */
static double highest(const leaf_work *w, int64_t at)
{
    double sum = -w->b[at];
    for (int64_t j = 0; j < w->n; j++) {
        double a = w->a[at * (w->n + 1) + j];
        sum += a * (a > 0 ? w->one->high[j] : w->one->low[j]);
    }
    return sum;
}

/* The bound that these multipliers give. */
static nigh_status prove(leaf_work *w, const double *multiplier, double *bound)
{
    relu_search *s = w->s;
    double *coefficient = nigh_arena_alloc(w->arena, (size_t)s->outputs * sizeof *coefficient), level, lower;
    float *weight = nigh_arena_alloc(w->arena, (size_t)w->rows * sizeof *weight);
    if (!coefficient || !weight) return NIGH_MEMORY;
    for (int r = 0; r < w->rows; r++) weight[r] = (float)multiplier[w->splits + r];
    relu_row(s, w->g, w->rows > 1 ? weight : NULL, coefficient, &level);
    for (int64_t k = 0; k < w->splits; k++) {
        const relu_unit *unit = &s->unit[w->unit[k]];
        w->one->beta[unit->activation][unit->element] = multiplier[k] * w->common / w->scale[k];
    }
    bounds_rows what = {.node = s->graph->output, .rows = 1, .coefficient = coefficient, .shared = true, .bound = &lower};
    nigh_status status = bounds_lower(s->bounds, w->one, &what);
    if (!status) *bound = lower + level;
    return status;
}

static nigh_status decide(leaf_work *w, relu_leaf *leaf, double *bound)
{
    relu_search *s = w->s;
    int64_t n = w->n + 1, rows = w->splits + w->rows;
    double *memory = nigh_arena_alloc_zero(w->arena, (size_t)(4 * n + rows), sizeof *memory);
    if (!memory) return NIGH_MEMORY;
    double *low = memory, *high = low + n, *c = high + n, *x = c + n, *multiplier = x + n, reach = 1;
    memcpy(low, w->one->low, (size_t)w->n * sizeof *low);
    memcpy(high, w->one->high, (size_t)w->n * sizeof *high);
    for (int r = 0; r < w->rows; r++) reach = fmax(reach, fabs(highest(w, w->splits + r)) + 2);
    low[w->n] = -(high[w->n] = 4 * reach);
    c[w->n] = 1;
    program p = {.n = n, .rows = rows, .low = low, .high = high, .c = c, .a = w->a, .b = w->b, .tolerance = 1e-10, .x = x, .multiplier = multiplier};
    program_answer answer;
    nigh_status status = program_solve(s->ctx, &p, &answer);
    if (status) return status;
    if (answer == PROGRAM_INFEASIBLE) {
        double most = 0;
        for (int64_t j = 0; j < w->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < w->splits; k++) sum += multiplier[k] * w->a[k * n + j];
            most += sum * (sum > 0 ? high[j] : low[j]);
        }
        for (int64_t k = 0; k < w->splits; k++) most -= multiplier[k] * w->b[k];
        for (int64_t k = 0; k < w->splits && most < 0; k++) multiplier[k] *= 4 * reach / -most;
        for (int r = 0; r < w->rows; r++) multiplier[w->splits + r] = r == 0;
    } else if (s->points) {
        status = relu_points_follow(s->points, w->g, 1, x, 0);
        if (status) return status;
        if (s->found) {
            *leaf = RELU_LEAF_UNSAFE;
            return NIGH_OK;
        }
    }
    status = prove(w, multiplier, bound);
    *leaf = !status && *bound > 0 ? RELU_LEAF_PROVED : RELU_LEAF_STUCK;
    return status;
}

nigh_status relu_leaf_solve(relu_search *s, bounds_batch *batch, int64_t i, int g, relu_leaf *leaf, double *bound)
{
    leaf_work w = {.s = s, .one = &s->trial, .g = g, .rows = s->query->group[g + 1] - s->query->group[g], .n = s->graph->inputs};
    *leaf = RELU_LEAF_STUCK;
    if (!s->complete) return NIGH_OK;
    nigh_status status = nigh_arena_new(s->ctx, &w.arena);
    if (status) return status;
    bounds_batch_copy(s->graph, batch, i, w.one, 0);
    w.one->domains = 1;
    for (int64_t u = 0; u < s->units; u++) w.splits += *split_at(&w, u) != 0;
    status = NIGH_MEMORY;
    if (!(w.unit = nigh_arena_alloc(w.arena, (size_t)(w.splits + 1) * sizeof *w.unit))) goto done;
    if (!(w.sign = nigh_arena_alloc(w.arena, (size_t)(w.splits + 1) * sizeof *w.sign))) goto done;
    if (!(w.scale = nigh_arena_alloc(w.arena, (size_t)(w.splits + 1) * sizeof *w.scale))) goto done;
    if (!(w.a = nigh_arena_alloc(w.arena, (size_t)((w.splits + w.rows) * (w.n + 1)) * sizeof *w.a))) goto done;
    if (!(w.b = nigh_arena_alloc(w.arena, (size_t)(w.splits + w.rows) * sizeof *w.b))) goto done;
    int64_t k = 0, count = 0;
    for (int64_t u = 0; u < s->units; u++) {
        if (!*split_at(&w, u)) continue;
        const relu_unit *unit = &s->unit[u];
        w.unit[k] = (int32_t)u;
        w.sign[k++] = *split_at(&w, u);
        w.one->beta[unit->activation][unit->element] = 0;
    }
    status = NIGH_OK;
    k = 0;
    for (int a = 0; !status && a < s->graph->activations; a++, k += count) status = phases(&w, a, k, &count);
    if (!status) status = rows_of(&w);
    if (!status) status = decide(&w, leaf, bound);
done:
    nigh_arena_free(w.arena);
    return status;
}
