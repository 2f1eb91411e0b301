/*
 * What linear bounds say of a box. A row v(x) >= a . x + c can be <= 0 only where a . x + c <= 0: every row of a group cuts the box to the part where the group
 * may still hold ("Clip-and-Verify: linear constraint-driven domain clipping for accelerating neural network verification", Zhou et al. 2025); an empty
 * part proves the group. So does a sum of rows, with weights >= 0, that is > 0 on the box; weights come from a linear program. Relus that were split give
 * rows of every group.
 */
#include "verify/split_input.h"
#include "core/round.h"

#include <string.h>

/* The least of a . x + c over the box, surely not too large. */
static double least(int64_t n, const double *a, double c, const double *low, const double *high)
{
    double sum = c, size = fabs(c);
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] > 0 ? a[i] * low[i] : a[i] * high[i];
        size += fabs(a[i]) * fmax(fabs(low[i]), fabs(high[i]));
    }
    return sum - (round_gamma((double)n + 4, ROUND_UNIT) * size + ROUND_TINY);
}

/* Cuts the box to where a . x + c <= 0, `below` <= 0 being the least of it over the box. */
static void clip(int64_t n, const double *a, double below, double *low, double *high)
{
    for (int64_t i = 0; i < n; i++) {
        double width = high[i] - low[i], steep = fabs(a[i]);
        if (!(steep * width > -below)) continue;
        double far = round_up(-below / steep);
        if (a[i] > 0) high[i] = fmin(high[i], round_up(low[i] + far));
        else low[i] = fmax(low[i], round_down(high[i] - far));
    }
}

/* The rows that say something of a group: [count] coefficients and constants. */
typedef struct cuts {
    int64_t count;
    const double **a;
    double *constant, *lambda, *sum; /* sum: [inputs] */
    void *linear;
    double *low, *high;              /* the part of the box that they leave */
    double *x;
} cuts;

static void gather(const search_query *q, const split_batch *b, int64_t i, int g, cuts *c)
{
    int64_t n = q->graph->inputs, all = q->rows + SPLIT_RELUS;
    c->count = 0;
    for (int64_t r = q->rows; r < q->rows + b->splits[i]; r++) c->constant[c->count] = b->constant[i * all + r], c->a[c->count++] = b->coefficient + (i * all + r) * n;
    for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) c->constant[c->count] = b->constant[i * all + r], c->a[c->count++] = b->coefficient + (i * all + r) * n;
}

/* The least of the rows' sum with weights lambda over the part, surely not too large. */
static double least_of_sum(int64_t n, cuts *c)
{
    double constant = 0, size = 0;
    memset(c->sum, 0, (size_t)n * sizeof *c->sum);
    for (int64_t r = 0; r < c->count; r++) {
        if (c->lambda[r] == 0) continue;
        constant += c->lambda[r] * c->constant[r], size += fabs(c->lambda[r] * c->constant[r]);
        for (int64_t i = 0; i < n; i++) {
            c->sum[i] += c->lambda[r] * c->a[r][i];
            size += fabs(c->lambda[r] * c->a[r][i]) * fmax(fabs(c->low[i]), fabs(c->high[i]));
        }
    }
    return least(n, c->sum, constant, c->low, c->high) - (2 * round_gamma((double)(c->count * (n + 1)) + 4, ROUND_UNIT) * size + ROUND_TINY);
}

/* Cuts the part by the group's rows; about the least value over it of the largest of them: > 0 when the group is impossible. */
static double cut_group(int64_t n, cuts *c)
{
    double best = -INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t r = 0; r < c->count; r++) {
            double below = least(n, c->a[r], c->constant[r], c->low, c->high);
            best = fmax(best, below);
            if (below > 0) return below;
            clip(n, c->a[r], below, c->low, c->high);
        }
        if (c->count < 2) break;
    }
    split_linear(n, c->count, c->a, c->constant, c->low, c->high, c->x, c->lambda, c->linear);
    return c->count < 2 ? best : fmax(best, least_of_sum(n, c));
}

/* Whether the bounds of all rows allow the point. */
static bool may_hold(int64_t n, const cuts *c)
{
    for (int64_t r = 0; r < c->count; r++) {
        double v = c->constant[r];
        for (int64_t i = 0; i < n; i++) v += c->a[r][i] * c->x[i];
        if (v > 0) return false;
    }
    return true;
}

/* The input whose halving is worth most, or the widest one, among those that can be halved; SPLIT_STUCK: none. */
static int32_t choose(const search_query *q, const double *score, const double *width, const double *low, const double *high)
{
    int32_t best = SPLIT_STUCK;
    double most = -1, most_share = -1;
    for (int64_t i = 0; i < q->graph->inputs; i++) {
        double middle = 0.5 * low[i] + 0.5 * high[i];
        if (!(low[i] < middle && middle < high[i])) continue;
        double worth = score[i] * ((high[i] - low[i]) / width[i]); /* the score is of the box before it was cut */
        double share = (high[i] - low[i]) / (q->high[i] - q->low[i]);
        if (worth > most || (!(worth < most) && share > most_share)) most = worth, most_share = share, best = (int32_t)i;
    }
    return best;
}

static int64_t most_cuts(const search_query *q)
{
    int64_t most = 0;
    for (int g = 0; g < q->groups; g++)
        if (q->group[g + 1] - q->group[g] > most) most = q->group[g + 1] - q->group[g];
    return most + SPLIT_RELUS;
}

size_t split_box_scratch(const search_query *q)
{
    int64_t n = q->graph->inputs, most = most_cuts(q);
    return (size_t)(7 * n + 3 * most) * sizeof(double) + split_linear_scratch(n, most);
}

void split_box_conclude(const search_query *q, split_batch *b, int64_t i, int few, void *scratch)
{
    int64_t n = q->graph->inputs, most = most_cuts(q);
    size_t bytes = (size_t)n * sizeof(double);
    double *low = b->low + i * n, *high = b->high + i * n;
    double *to_low = scratch, *to_high = to_low + n, *width = to_high + n;
    cuts c = {.low = width + n, .high = width + 2 * n, .x = width + 3 * n, .sum = width + 4 * n, .constant = width + 5 * n};
    c.lambda = c.constant + most, c.a = (const double **)(c.lambda + most), c.linear = c.a + most;
    bool any = false, tight = false;
    b->hit[i] = 0, b->value[i] = INFINITY;
    for (int g = 0; g < q->groups; g++) {
        uint8_t *open = b->open + i * q->groups + g;
        if (!*open) continue;
        memcpy(c.low, low, bytes), memcpy(c.high, high, bytes);
        gather(q, b, i, g, &c);
        double value = cut_group(n, &c);
        if (value > 0) {
            *open = 0;
            continue;
        }
        bool found = b->unstable[i] == 0 && may_hold(n, &c); /* no part of the box around this point can be proved */
        if ((found && !tight) || (value < b->value[i] && tight == found)) memcpy(b->point + i * n, c.x, bytes), b->hit[i] = 1;
        tight = tight || found, b->value[i] = fmin(b->value[i], value);
        for (int64_t k = 0; k < n; k++) {
            to_low[k] = any ? fmin(to_low[k], c.low[k]) : c.low[k];
            to_high[k] = any ? fmax(to_high[k], c.high[k]) : c.high[k];
        }
        any = true;
    }
    b->cut[i] = SPLIT_CLOSED;
    if (!any) return;
    for (int64_t k = 0; k < n; k++) width[k] = high[k] - low[k];
    memcpy(low, to_low, bytes), memcpy(high, to_high, bytes);
    if (tight) b->cut[i] = SPLIT_STUCK;
    else if (b->unstable[i] > 0 && b->unstable[i] <= few && b->splits[i] < SPLIT_RELUS && b->relu[i] >= 0) b->cut[i] = SPLIT_RELU;
    else b->cut[i] = choose(q, b->score + i * n, width, low, high);
}
