/*
 * What linear bounds say of a box. A row v(x) >= a . x + c can be <= 0 only where a . x + c <= 0: every row of a group cuts the box to the part where the group
 * may still hold ("Clip-and-Verify: linear constraint-driven domain clipping for accelerating neural network verification", Zhou et al. 2025); an empty
 * part proves the group.
 */
#include "verify/split_input.h"
#include "verify/round.h"

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

/* Cuts the box (in place) by the group's rows; value: the largest of the rows' least values, > 0 when the group is impossible. */
static double cut_group(const search_query *q, int g, const double *coefficient, const double *constant, double *low, double *high)
{
    int64_t n = q->graph->inputs;
    double best = -INFINITY;
    for (int pass = 0; pass < 3; pass++) {
        for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) {
            double below = least(n, coefficient + r * n, constant[r], low, high);
            best = fmax(best, below);
            if (below > 0) return best;
            clip(n, coefficient + r * n, below, low, high);
        }
        if (q->group[g + 1] - q->group[g] < 2) break;
    }
    return best;
}

/* From the middle towards where the bounds of all rows are <= 0, by projections; for one row the corner at which it is least. */
static void seek(const search_query *q, int g, const double *coefficient, const double *constant, const double *low, const double *high, double *x)
{
    int64_t n = q->graph->inputs, rows = q->group[g + 1] - q->group[g];
    for (int64_t i = 0; i < n; i++) x[i] = 0.5 * low[i] + 0.5 * high[i];
    if (rows == 1) {
        const double *a = coefficient + q->group[g] * n;
        for (int64_t i = 0; i < n; i++) x[i] = a[i] > 0 ? low[i] : a[i] < 0 ? high[i] : x[i];
        return;
    }
    for (int step = 0; step < 8; step++) {
        bool moved = false;
        for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) {
            const double *a = coefficient + r * n;
            double v = constant[r], square = 0;
            for (int64_t i = 0; i < n; i++) {
                double width = high[i] - low[i];
                v += a[i] * x[i], square += a[i] * a[i] * width * width;
            }
            if (v <= 0 || !(square > 0)) continue;
            moved = true;
            for (int64_t i = 0; i < n; i++) {
                double width = high[i] - low[i];
                x[i] = fmin(fmax(x[i] - 1.1 * v / square * a[i] * width * width, low[i]), high[i]);
            }
        }
        if (!moved) break;
    }
}

static bool may_hold(const search_query *q, int g, const double *coefficient, const double *constant, const double *x)
{
    int64_t n = q->graph->inputs;
    for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) {
        double v = constant[r];
        for (int64_t i = 0; i < n; i++) v += coefficient[r * n + i] * x[i];
        if (v > 0) return false;
    }
    return true;
}

/* The input whose halving is worth most among those that can be halved; SPLIT_STUCK: none. */
static int32_t choose(int64_t n, const double *score, const double *width, const double *low, const double *high)
{
    int32_t best = SPLIT_STUCK;
    double most = -1;
    for (int64_t i = 0; i < n; i++) {
        double middle = 0.5 * low[i] + 0.5 * high[i];
        if (!(low[i] < middle && middle < high[i])) continue;
        double worth = width[i] > 0 ? score[i] * ((high[i] - low[i]) / width[i]) : 0;
        if (worth > most) most = worth, best = (int32_t)i;
    }
    return best;
}

void split_box_conclude(const search_query *q, split_batch *b, int64_t i, double *scratch)
{
    int64_t n = q->graph->inputs;
    size_t bytes = (size_t)n * sizeof(double);
    double *low = b->low + i * n, *high = b->high + i * n, *x = b->point + i * n;
    double *to_low = scratch, *to_high = to_low + n, *part_low = to_high + n, *part_high = part_low + n, *width = part_high + n;
    const double *coefficient = b->coefficient + i * q->rows * n, *constant = b->constant + i * q->rows;
    double worst = INFINITY;
    bool tight = false;
    int64_t left = 0;
    b->hit[i] = 0;
    for (int g = 0; g < q->groups; g++) {
        uint8_t *open = b->open + i * q->groups + g;
        if (!*open) continue;
        memcpy(part_low, low, bytes), memcpy(part_high, high, bytes);
        double value = cut_group(q, g, coefficient, constant, part_low, part_high);
        if (value > 0) {
            *open = 0;
            continue;
        }
        if (value < worst || left == 0) {
            worst = value;
            seek(q, g, coefficient, constant, part_low, part_high, x);
            b->hit[i] = 1;
        }
        if (b->linear[i]) {
            seek(q, g, coefficient, constant, part_low, part_high, width);
            if (may_hold(q, g, coefficient, constant, width)) tight = true, memcpy(x, width, bytes), worst = -INFINITY;
        }
        for (int64_t k = 0; k < n; k++) {
            to_low[k] = left ? fmin(to_low[k], part_low[k]) : part_low[k];
            to_high[k] = left ? fmax(to_high[k], part_high[k]) : part_high[k];
        }
        left++;
    }
    b->value[i] = worst, b->cut[i] = SPLIT_CLOSED;
    if (!left) return;
    for (int64_t k = 0; k < n; k++) width[k] = high[k] - low[k];
    memcpy(low, to_low, bytes), memcpy(high, to_high, bytes);
    b->cut[i] = tight ? SPLIT_STUCK : choose(n, b->score + i * n, width, low, high);
}
