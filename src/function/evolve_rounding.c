/* How much roundings of every step can grow on their way to the result: to first order, by derivatives from the result back. */
#include "function/evolve_inside.h"

#include <math.h>

static double growth_at(const evolve_genome *g, double t)
{
    double value[EVOLVE_VALUES], slope[EVOLVE_VALUES] = {0}, sum = 0;
    int base = 1 + g->constants, last = base + g->steps - 1;
    value[0] = t;
    for (int i = 0; i < g->constants; i++) value[1 + i] = g->constant[i];
    for (int i = 0; i < g->steps; i++) {
        const function_code_step *s = &g->step[i];
        double a = value[s->a], b = value[s->b], c = value[s->c];
        value[base + i] = s->op == CODE_ADD ? a + b : s->op == CODE_SUB ? a - b : s->op == CODE_MUL ? a * b : s->op == CODE_DIV ? a / b
                          : s->op == CODE_FMA ? a * b + c : s->op == CODE_FMS ? a * b - c : c - a * b;
    }
    slope[last] = 1;
    for (int i = g->steps - 1; i >= 0; i--) {
        const function_code_step *s = &g->step[i];
        double d = slope[base + i], a = value[s->a], b = value[s->b];
        sum += fabs(d * value[base + i]);
        if (s->op == CODE_ADD || s->op == CODE_SUB) slope[s->a] += d, slope[s->b] += s->op == CODE_ADD ? d : -d;
        else if (s->op == CODE_DIV) slope[s->a] += d / b, slope[s->b] -= d * value[base + i] / b;
        else {
            double sign = s->op == CODE_FNMA ? -d : d;
            slope[s->a] += sign * b, slope[s->b] += sign * a;
            if (s->op != CODE_MUL) slope[s->c] += s->op == CODE_FMS ? -d : d;
        }
    }
    return sum;
}

double evolve_growth(const evolve_genome *g, const evolve_target *target)
{
    double most = 0;
    for (int i = 0; i < EVOLVE_NODES; i++) {
        double growth = target->weight[i] * growth_at(g, target->t[i]);
        if (!(growth <= most)) most = growth; /* NaN stays */
    }
    return most;
}
