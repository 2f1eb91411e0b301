/* Domains of a search over phases: kept small, laid out in batches. */
#include <math.h>
#include <string.h>

#include "verify/split_relu.h"

static size_t padded(size_t bytes) { return (bytes + 7) / 8 * 8; }

size_t relu_domain_bytes(const relu_search *s, int32_t splits, int rows)
{
    size_t n = (size_t)splits;
    return padded(sizeof(relu_domain)) + padded(n * sizeof(int32_t)) + padded(n * sizeof(float)) + padded((size_t)(rows > 1 ? rows : 0) * sizeof(float)) +
           padded((size_t)s->units * sizeof(uint16_t));
}

relu_domain *relu_domain_new(const relu_search *s, int32_t splits, int rows)
{
    char *block = nigh_alloc(s->ctx, relu_domain_bytes(s, splits, rows));
    if (!block) return NULL;
    relu_domain *d = (relu_domain *)block;
    *d = (relu_domain){.bound = -INFINITY, .splits = splits, .branch = -1};
    block += padded(sizeof *d);
    d->split = (int32_t *)block;
    block += padded((size_t)splits * sizeof(int32_t));
    d->beta = (float *)block;
    block += padded((size_t)splits * sizeof(float));
    d->weight = rows > 1 ? (float *)block : NULL;
    block += padded((size_t)(rows > 1 ? rows : 0) * sizeof(float));
    d->slope = (uint16_t *)block;
    return d;
}

relu_domain *relu_domain_extend(const relu_search *s, const relu_domain *d, int rows, int32_t count, const int32_t *more)
{
    relu_domain *to = relu_domain_new(s, d->splits + count, rows);
    if (!to) return NULL;
    size_t n = (size_t)d->splits;
    to->bound = d->bound;
    to->share = d->share;
    if (n) memcpy(to->split, d->split, n * sizeof *to->split);
    if (n) memcpy(to->beta, d->beta, n * sizeof *to->beta);
    for (int32_t k = 0; k < count; k++) {
        to->split[d->splits + k] = more[k];
        to->beta[d->splits + k] = 0;
    }
    if (rows > 1) memcpy(to->weight, d->weight, (size_t)rows * sizeof *to->weight);
    memcpy(to->slope, d->slope, (size_t)s->units * sizeof *to->slope);
    return to;
}

static double *place(double **array, const relu_search *s, const relu_unit *u, int64_t i)
{
    return array[u->activation] + i * s->graph->node[s->graph->activation[u->activation]].size + u->element;
}

void relu_domain_split(const relu_search *s, bounds_batch *batch, int64_t i, int32_t unit, bool negative)
{
    const relu_unit *u = &s->unit[unit];
    double *low = place(batch->pre_low, s, u, i), *high = place(batch->pre_high, s, u, i);
    if (negative) *high = fmin(*high, 0);
    else *low = fmax(*low, 0);
    batch->split[u->activation][i * s->graph->node[s->graph->activation[u->activation]].size + u->element] = negative ? -1 : 1;
}

void relu_domain_load(const relu_search *s, const relu_domain *d, bounds_batch *batch, int64_t i)
{
    bounds_batch_copy(s->graph, &s->root, 0, batch, i);
    for (int64_t u = 0; u < s->units; u++) {
        const relu_unit *unit = &s->unit[u];
        *place(batch->slope, s, unit, i) = unit->least + (unit->most - unit->least) * (double)d->slope[u] / 65535;
    }
    for (int32_t k = 0; k < d->splits; k++) {
        relu_domain_split(s, batch, i, d->split[k] / 2, d->split[k] & 1);
        *place(batch->beta, s, &s->unit[d->split[k] / 2], i) = d->beta[k];
    }
}

void relu_domain_store(const relu_search *s, relu_domain *d, const bounds_batch *batch, int64_t i)
{
    for (int64_t u = 0; u < s->units; u++) {
        const relu_unit *unit = &s->unit[u];
        double part = (*place(batch->slope, s, unit, i) - unit->least) / ((double)unit->most - unit->least);
        d->slope[u] = (uint16_t)(65535 * fmin(fmax(part, 0), 1) + 0.5);
    }
    for (int32_t k = 0; k < d->splits; k++) d->beta[k] = (float)*place(batch->beta, s, &s->unit[d->split[k] / 2], i);
}

bool relu_domain_open(const relu_search *s, const bounds_batch *batch, int64_t i, int64_t u)
{
    const relu_unit *unit = &s->unit[u];
    return unit->splits && *place(batch->pre_low, s, unit, i) < 0 && *place(batch->pre_high, s, unit, i) > 0;
}

void relu_row(const relu_search *s, int g, const float *weight, double *coefficient, double *level)
{
    const search_query *q = s->query;
    int first = q->group[g], rows = q->group[g + 1] - first;
    if (!weight) {
        for (int64_t k = 0; k < s->outputs; k++) coefficient[k] = -q->row[first * s->outputs + k];
        *level = q->level[first];
        return;
    }
    /* The combination is rounded: what it can be off by on the whole box is taken off the level. A single weight of 1 is exact. */
    double sum = 0, size = 0, off = 0;
    int used = 0;
    bool one = true;
    memset(coefficient, 0, (size_t)s->outputs * sizeof *coefficient);
    for (int r = 0; r < rows; r++) {
        if (weight[r] == 0) continue;
        const double *row = q->row + (first + r) * s->outputs;
        used++;
        one = one && weight[r] == 1;
        sum += (double)weight[r] * q->level[first + r];
        size += fabs((double)weight[r] * q->level[first + r]);
        for (int64_t k = 0; k < s->outputs; k++) {
            coefficient[k] -= (double)weight[r] * row[k];
            off += fabs((double)weight[r] * row[k]) * s->reach[k];
        }
    }
    *level = used == 1 && one ? sum : sum - (size + off) * (rows + s->outputs + 8) * 0x1p-52 - 0x1p-1000;
}
