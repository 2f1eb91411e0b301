/* How many drafts pay: the time of passes by their rows, and the choice. Declared in generate/lookahead.h. */
#include "generate/lookahead.h"

#include <math.h>

enum { FIRST_PLAIN = 2, PLAIN_EVERY = 64 };
static const double slope = 0.07, least_gain = 1.03, keep = 0.999;

/* 1, 2, 3, 4, 6, 8, 12, 16, 24 ...: two sizes to an octave. */
static int size_of(int64_t rows)
{
    int i = 0;
    for (int64_t low = 1; i < PLAN_SIZES - 1 && rows > low; i++) low = i < 3 ? i + 2 : i % 2 ? low + low / 2 : low / 3 * 4;
    return i;
}

void plan_note(plan_costs *c, int64_t rows, double seconds, bool plain)
{
    int i = size_of(rows);
    c->passes++;
    c->plain += plain;
    for (int k = 0; k < PLAN_SIZES; k++) c->weight[k] *= keep;
    if (c->weight[i] < 0.05) {
        c->rows[i] = (double)rows, c->seconds[i] = seconds;
    } else { /* one slow pass of a busy machine moves it little */
        double change = seconds - c->seconds[i], most = 0.5 * c->seconds[i];
        c->seconds[i] += 0.2 * fmax(-most, fmin(most, change));
        c->rows[i] += 0.2 * ((double)rows - c->rows[i]);
    }
    c->weight[i] = 1;
}

void plan_note_beside(double *mean, double seconds) { *mean += *mean > 0 ? 0.1 * fmin(seconds - *mean, *mean) : seconds; }

double plan_drafting(const plan_costs *c) { return c->plain ? c->drafting / plan_cost(c, 1) : 0; }

double plan_cost(const plan_costs *c, double rows)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < PLAN_SIZES; i++) {
        if (!(c->weight[i] > 0.05)) continue;
        double far = log2(rows / c->rows[i]), w = c->weight[i] / (1e-3 + far * far);
        sum += w * c->seconds[i] / (1 + slope * (c->rows[i] - 1));
        weights += w;
    }
    return (weights > 0 ? sum / weights : 1) * (1 + slope * (rows - 1));
}

int plan_choose(const plan_costs *c, int64_t rows, const float *chance, int count)
{
    if (c->plain < FIRST_PLAIN) return 0;
    double plain = (double)rows / plan_cost(c, (double)rows), most = 0, expected = (double)rows;
    int best = 0;
    for (int i = 0; i < count; i++) {
        expected += chance[i];
        double pace = expected / (plan_cost(c, (double)(rows + i + 1)) + c->drafting) / plain;
        if (pace > most) most = pace, best = i + 1;
    }
    if (most < least_gain || (most < 2 && c->passes % PLAIN_EVERY == 0)) return 0;
    return best;
}
