/* Points that may be unsafe: starts in the box that climb the margins of a group by signs of gradients ("Towards deep learning models resistant to adversarial attacks", Madry et al. 2018). */
#include <math.h>
#include <string.h>

#include "nigh/random.h"
#include "verify/split_relu.h"

struct relu_points {
    relu_search *s;
    descent *descent;
    double *x, *weight;  /* [inputs, DESCENT_LANES], [outputs, DESCENT_LANES] */
    double *one;         /* [inputs] */
    int group[DESCENT_LANES];
    double best[DESCENT_LANES]; /* margin of the lane's point */
    nigh_rng rng;
};

nigh_status relu_points_new(relu_search *s, struct relu_points **points)
{
    struct relu_points *p = nigh_alloc_zero(s->ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->s = s;
    p->rng = nigh_rng_new(s->options->seed, 0);
    size_t inputs = (size_t)s->graph->inputs;
    nigh_status status = descent_new(s->ctx, s->graph, &p->descent);
    if (!status && !(p->x = nigh_alloc(s->ctx, inputs * DESCENT_LANES * sizeof(double)))) status = NIGH_MEMORY;
    if (!status && !(p->weight = nigh_alloc(s->ctx, (size_t)s->outputs * DESCENT_LANES * sizeof(double)))) status = NIGH_MEMORY;
    if (!status && !(p->one = nigh_alloc(s->ctx, inputs * sizeof(double)))) status = NIGH_MEMORY;
    if (status) relu_points_free(p);
    else *points = p;
    return status;
}

void relu_points_free(struct relu_points *p)
{
    if (!p) return;
    nigh_context *ctx = p->s->ctx;
    descent_free(p->descent);
    nigh_free(ctx, p->x);
    nigh_free(ctx, p->weight);
    nigh_free(ctx, p->one);
    nigh_free(ctx, p);
}

static void lane(struct relu_points *p, int l)
{
    for (int64_t i = 0; i < p->s->graph->inputs; i++) p->one[i] = p->x[i * DESCENT_LANES + l];
    if (p->s->options->try(p->s->options->user, p->one)) p->s->found = true;
}

/* Margins of the lanes' groups and, in weight, the row of each that is least. Lanes that are unsafe, or so by rounding, are tried. */
static void margins(struct relu_points *p)
{
    const relu_search *s = p->s;
    const search_query *q = s->query;
    const double *y = descent_values(p->descent, p->x);
    for (int l = 0; l < DESCENT_LANES; l++) {
        double least = INFINITY, size = 0;
        int worst = q->group[p->group[l]];
        for (int r = worst; r < q->group[p->group[l] + 1]; r++) {
            double sum = -q->level[r];
            size = fmax(size, fabs(q->level[r]));
            for (int64_t k = 0; k < s->outputs; k++) {
                double term = q->row[r * s->outputs + k] * y[k * DESCENT_LANES + l];
                sum += term;
                size = fmax(size, fabs(term));
            }
            if (sum < least) least = sum, worst = r;
        }
        for (int64_t k = 0; k < s->outputs; k++) p->weight[k * DESCENT_LANES + l] = least == INFINITY ? 0 : q->row[worst * s->outputs + k];
        p->best[l] = least;
        if (least >= -1e-12 * size && !s->found) lane(p, l);
    }
}

static void climb(struct relu_points *p, int steps, double first)
{
    const search_query *q = p->s->query;
    margins(p);
    for (int t = 0; t < steps && !p->s->found; t++) {
        const double *gradient = descent_gradient(p->descent, p->weight);
        double step = first * pow(0.02, (double)t / steps);
        for (int64_t i = 0; i < p->s->graph->inputs; i++)
            for (int l = 0; l < DESCENT_LANES; l++) {
                double g = gradient[i * DESCENT_LANES + l], *x = &p->x[i * DESCENT_LANES + l];
                *x = fmin(fmax(*x + step * (q->high[i] - q->low[i]) * ((g > 0) - (g < 0)), q->low[i]), q->high[i]);
            }
        margins(p);
    }
}

static void begin(struct relu_points *p, int l, int kind)
{
    const search_query *q = p->s->query;
    for (int64_t i = 0; i < p->s->graph->inputs; i++) {
        double part = kind == 0 ? 0.5 : nigh_rng_f64(&p->rng);
        if (kind == 1) part = part < 0.5 ? 0 : 1;
        p->x[i * DESCENT_LANES + l] = fmin(fmax(q->low[i] + part * (q->high[i] - q->low[i]), q->low[i]), q->high[i]);
    }
}

nigh_status relu_points_attack(struct relu_points *p, const bool *alive, int rounds, double seconds)
{
    relu_search *s = p->s;
    double began = nigh_clock();
    int g = -1, visits = 0;
    for (int round = 0; round < rounds && !s->found; round++) {
        nigh_status status = nigh_poll(s->ctx);
        if (status || relu_late(s) || (round && seconds > 0 && nigh_clock() - began > seconds)) return status;
        for (int l = 0; l < DESCENT_LANES; l++) {
            do {
                g = (g + 1) % s->query->groups;
                visits += g == 0;
            } while (!alive[g]);
            p->group[l] = g;
            begin(p, l, visits == 1 ? 0 : visits % 4 == 0 ? 1 : 2);
        }
        climb(p, 40, round % 2 ? 0.5 : 0.1);
    }
    return NIGH_OK;
}

nigh_status relu_points_follow(struct relu_points *p, int g, int64_t n, const double *x, int steps)
{
    relu_search *s = p->s;
    int64_t inputs = s->graph->inputs;
    for (int64_t from = 0; from < n && !s->found; from += DESCENT_LANES) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        for (int l = 0; l < DESCENT_LANES; l++) {
            const double *point = x + (from + l < n ? from + l : n - 1) * inputs;
            p->group[l] = g;
            for (int64_t i = 0; i < inputs; i++) p->x[i * DESCENT_LANES + l] = point[i];
        }
        climb(p, steps, 0.1);
    }
    return NIGH_OK;
}
