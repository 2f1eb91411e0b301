/*
 * Where to branch: units are scored by what their relaxation costs the bound, the best few are split on trial with slopes and multipliers as they are ("filtered smart
 * branching"), and the one whose two children gain most is taken. A side of a trial that is proved needs no domain of its own; the other side then holds without branching.
 */
#include <math.h>
#include <string.h>

#include "verify/graph_build.h"
#include "verify/split_relu.h"

/* The open units of a domain with the highest scores. */
typedef struct candidates {
    int count;
    int32_t unit[RELU_CANDIDATES];
} candidates;

/* What the chord loses at the kink where the row takes it: the intercept of "Branch and bound for piecewise linear neural network verification", Bunel et al. 2020. */
static double score(const relu_search *s, const relu_branching *what, int64_t i, const relu_unit *unit)
{
    const bound_node *node = &s->graph->node[s->graph->activation[unit->activation]];
    int64_t at = i * node->size + unit->element;
    double low = s->batch.pre_low[unit->activation][at], high = s->batch.pre_high[unit->activation][at], row = what->last[unit->activation][at];
    double f_low = bound_function_at(node->function, node->p, low), f_high = bound_function_at(node->function, node->p, high);
    double intercept = f_high - (f_high - f_low) / (high - low) * high;
    return fmax(-row * intercept, 0);
}

static void choose(const relu_search *s, const relu_branching *what, int64_t i, candidates *c)
{
    double scores[RELU_CANDIDATES];
    c->count = 0;
    for (int64_t u = 0; u < s->units; u++) {
        if (!relu_domain_open(s, &s->batch, i, u)) continue;
        double mine = score(s, what, i, &s->unit[u]);
        if (c->count == s->trials && !(mine > scores[c->count - 1])) continue;
        int at = c->count < s->trials ? c->count++ : c->count - 1;
        for (; at > 0 && mine > scores[at - 1]; at--) {
            scores[at] = scores[at - 1];
            c->unit[at] = c->unit[at - 1];
        }
        scores[at] = mine;
        c->unit[at] = (int32_t)u;
    }
}

/* Bounds [count, 2] of the children: argument >= 0, <= 0. */
static void pick(const candidates *c, const double *bound, double parent, relu_choice *choice)
{
    double best = -1;
    int taken = -1;
    *choice = (relu_choice){.unit = -1, .bound = INFINITY};
    for (int k = 0; k < c->count; k++) {
        double plus = fmax(fmin(bound[2 * k], 0) - parent, 0), minus = fmax(fmin(bound[2 * k + 1], 0) - parent, 0);
        int closed = (bound[2 * k] > 0) + 2 * (bound[2 * k + 1] > 0);
        if (closed == 3) {
            *choice = (relu_choice){.unit = c->unit[k], .closed = 3, .bound = fmin(bound[2 * k], bound[2 * k + 1])};
            return;
        }
        double gain = fmax(plus, minus) + 0.5 * fmin(plus, minus);
        if (closed) choice->bound = fmin(choice->bound, bound[2 * k + (closed == 2)]);
        if (closed) choice->force[choice->forced++] = 2 * c->unit[k] + (closed == 1);
        if (gain > best) {
            best = gain;
            taken = k;
            choice->unit = c->unit[k];
            choice->closed = (uint8_t)closed;
        }
    }
    /* A choice with a proved side is no branching: it is the forced split of the child to come. */
    for (int k = 0; k < choice->forced; k++)
        if (taken >= 0 && choice->force[k] / 2 == c->unit[taken]) {
            choice->force[k] = choice->force[--choice->forced];
            break;
        }
}

/* The rows of a domain's candidates: both halves of each. */
static void load(const relu_search *s, const candidates *c, const double *row, bounds_half *half, double *coefficient)
{
    for (int k = 0; k < 2 * s->trials; k++) {
        half[k] = (bounds_half){.activation = -1};
        if (k < 2 * c->count) half[k] = (bounds_half){s->unit[c->unit[k / 2]].activation, s->unit[c->unit[k / 2]].element, k & 1};
        memcpy(coefficient + k * s->outputs, row, (size_t)s->outputs * sizeof *coefficient);
    }
}

nigh_status relu_branch(relu_search *s, const relu_branching *what, relu_choice *choice)
{
    int64_t rows = 2 * s->trials, all = what->domains * rows;
    double *coefficient = nigh_alloc(s->ctx, (size_t)(all * (s->outputs + 1) + 1) * sizeof *coefficient), *bound = coefficient + all * s->outputs;
    candidates *c = nigh_alloc(s->ctx, (size_t)(what->domains + 1) * sizeof *c);
    bounds_half *half = nigh_alloc(s->ctx, (size_t)(all + 1) * sizeof *half);
    nigh_status status = coefficient && c && half ? NIGH_OK : NIGH_MEMORY;
    for (int64_t d = 0; !status && d < what->domains; d++) {
        choose(s, what, what->at[d], &c[d]);
        bounds_batch_copy(s->graph, &s->batch, what->at[d], &s->trial, d);
        load(s, &c[d], what->coefficient + what->at[d] * s->outputs, half + d * rows, coefficient + d * rows * s->outputs);
    }
    s->trial.domains = what->domains;
    bounds_rows wanted = {.node = s->graph->output, .rows = rows, .coefficient = coefficient, .half = half, .bound = bound};
    if (!status && what->domains) status = bounds_lower(s->bounds, &s->trial, &wanted);
    for (int64_t d = 0; !status && d < what->domains; d++) {
        for (int64_t k = 0; k < 2 * c[d].count; k++) bound[d * rows + k] += what->level[what->at[d]];
        pick(&c[d], bound + d * rows, what->bound[what->at[d]], &choice[d]);
    }
    nigh_free(s->ctx, half);
    nigh_free(s->ctx, coefficient);
    nigh_free(s->ctx, c);
    return status;
}
