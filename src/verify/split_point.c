/* Looking for unsafe points: steps by linear programs within a part of the box that grows and shrinks with what the steps bring. */
#include "verify/split_input.h"

#include <math.h>
#include <string.h>

enum { MOST_STEPS = 24 };

static double largest(const search_query *q, int g, const double *value)
{
    double most = -INFINITY;
    for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) most = fmax(most, value[r]);
    return most;
}

static int best_group(const search_query *q, const double *value)
{
    int best = 0;
    for (int g = 1; g < q->groups; g++)
        if (largest(q, g, value) < largest(q, best, value)) best = g;
    return best;
}

size_t split_point_scratch(const search_query *q)
{
    int64_t n = q->graph->inputs;
    return (size_t)(q->rows * n + 4 * q->rows + 3 * n) * sizeof(double) + split_linear_scratch(n, q->rows);
}

bool split_point_seek(const split_chain *chain, const search_query *q, double *x, void *scratch, void *workspace)
{
    int64_t n = q->graph->inputs;
    double *coefficient = scratch, *constant = coefficient + q->rows * n, *value = constant + q->rows, *lambda = value + q->rows;
    const double **a = (const double **)(lambda + q->rows);
    double *low = (double *)(a + q->rows), *high = low + n, *to = high + n;
    void *linear = to + n;
    split_chain_values(chain, x, value, workspace);
    int g = best_group(q, value);
    int64_t first = q->group[g], count = q->group[g + 1] - first;
    double now = largest(q, g, value), radius = 0.25;
    for (int64_t r = 0; r < q->rows; r++) a[r] = coefficient + r * n;
    for (int step = 0, fresh = 1; step < MOST_STEPS && now > 0 && radius > 1e-5; step++) {
        if (fresh) split_chain_local(chain, x, first, count, value, coefficient, constant, workspace);
        for (int64_t i = 0; i < n; i++) {
            double reach = radius * (q->high[i] - q->low[i]);
            low[i] = fmax(q->low[i], x[i] - reach), high[i] = fmin(q->high[i], x[i] + reach);
        }
        split_linear(n, count, a + first, constant + first, low, high, to, lambda, linear);
        split_chain_values(chain, to, value, workspace);
        double then = largest(q, g, value);
        fresh = then < now;
        if (fresh) now = then, memcpy(x, to, (size_t)n * sizeof *x);
        radius *= fresh ? 1.2 : 0.3;
    }
    return now <= 0;
}
