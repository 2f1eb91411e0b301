/*
 * The minimax of one structure in quadruple precision: least squares of growing powers of the residuals, then exchanges: at the
 * alternating extrema of the error curve the constants and the level E are found from r(t_i) = +-E by Levenberg-Marquardt, which
 * becomes Newton's method there and does not mind dependent constants.
 */
#include "function/evolve_inside.h"

#include <math.h>
#include <string.h>

enum { CUBES = 3, POWER_STEPS = 12, FIRST_STEPS = 30, LEVEL_STEPS = 12, EXCHANGES = 12, MOST_ROWS = EVOLVE_NODES };

struct evolve_polisher {
    const evolve_genome *genome;
    const bool *held;
    int rows, cubes;
    nigh_f128 unit;
    bool level; /* the last unknown is E, signs alternate */
    nigh_f128 point[MOST_ROWS][3], scale[MOST_ROWS], sign[MOST_ROWS];
    nigh_f128 value[MOST_ROWS][EVOLVE_VALUES], lm[GRAD_LM_ROOM(MOST_ROWS, EVOLVE_MOST_CONSTANTS + 1)];
    nigh_f128 error[EVOLVE_CURVE];
};

size_t evolve_polisher_size(void) { return sizeof(evolve_polisher); }

static nigh_f128 size_of(nigh_f128 x) { return x < 0 ? -x : x; }
static bool ordinary(nigh_f128 x) { return x - x == 0; }

/* The result at v[0], constants from v[1] on; v: all values. */
static nigh_f128 forward(const evolve_genome *g, nigh_f128 *v)
{
    int count = 1 + g->constants;
    for (int s = 0; s < g->steps; s++) {
        const function_code_step *step = &g->step[s];
        nigh_f128 a = v[step->a], b = v[step->b];
        switch (step->op) {
        case CODE_ADD: v[count++] = a + b; break;
        case CODE_SUB: v[count++] = a - b; break;
        case CODE_MUL: v[count++] = a * b; break;
        case CODE_DIV: v[count++] = a / b; break;
        case CODE_FMA: v[count++] = a * b + v[step->c]; break;
        case CODE_FMS: v[count++] = a * b - v[step->c]; break;
        default: v[count++] = v[step->c] - a * b; break;
        }
    }
    return v[count - 1];
}

/* d[k]: derivative of the result by value k. */
static void backward(const evolve_genome *g, const nigh_f128 *v, nigh_f128 *d)
{
    int count = 1 + g->constants + g->steps;
    for (int k = 0; k < count; k++) d[k] = k == count - 1;
    for (int s = g->steps - 1; s >= 0; s--) {
        const function_code_step *step = &g->step[s];
        nigh_f128 a = v[step->a], b = v[step->b], e = d[1 + g->constants + s];
        switch (step->op) {
        case CODE_ADD:
        case CODE_SUB:
            d[step->a] += e;
            d[step->b] += step->op == CODE_ADD ? e : -e;
            break;
        case CODE_DIV:
            d[step->a] += e / b;
            d[step->b] -= e / b * v[1 + g->constants + s];
            break;
        default: /* products and the fma's */
            d[step->a] += step->op == CODE_FNMA ? -e * b : e * b;
            d[step->b] += step->op == CODE_FNMA ? -e * a : e * a;
            if (step->op != CODE_MUL) d[step->c] += step->op == CODE_FMS ? -e : e;
        }
    }
}

static nigh_f128 error_at(const evolve_genome *g, const nigh_f128 *point, const nigh_f128 *constant, nigh_f128 *v)
{
    v[0] = point[0];
    memcpy(v + 1, constant, g->constants * sizeof *v);
    return (forward(g, v) - point[1]) * point[2];
}

static void residuals(void *user, const nigh_f128 *x, nigh_f128 *r)
{
    evolve_polisher *p = user;
    for (int i = 0; i < p->rows; i++) {
        nigh_f128 e = error_at(p->genome, p->point[i], x, p->value[i]) / p->unit, scale = 1 / p->unit;
        if (p->level) e -= p->sign[i] * x[p->genome->constants];
        for (int k = 0; k < p->cubes; k++) scale *= 3 * e * e, e = e * e * e;
        p->scale[i] = scale;
        r[i] = e;
    }
}

static void jacobian(void *user, const nigh_f128 *x, nigh_f128 *j)
{
    evolve_polisher *p = user;
    int n = p->genome->constants;
    nigh_f128 d[EVOLVE_VALUES];
    for (int i = 0; i < p->rows; i++) {
        backward(p->genome, p->value[i], d);
        for (int k = 0; k < n; k++) j[k * p->rows + i] = p->held && p->held[k] ? 0 : d[1 + k] * p->scale[i] * p->point[i][2];
        if (p->level) j[n * p->rows + i] = -p->sign[i];
    }
}

static void minimise(evolve_polisher *p, nigh_f128 *x, int evaluations)
{
    grad_lmq problem = {residuals, jacobian, p, p->rows, p->genome->constants + p->level, evaluations, p->level ? 0 : (nigh_f128)1e-6};
    grad_levenberg_marquardtq(&problem, x, p->lm);
}

/* The largest error on the curve; infinite when one is not finite. */
static nigh_f128 survey(evolve_polisher *p, const evolve_target *target, const nigh_f128 *constant)
{
    nigh_f128 v[EVOLVE_VALUES], most = 0;
    for (int i = 0; i < EVOLVE_CURVE; i++) {
        p->error[i] = error_at(p->genome, target->curve[i], constant, v);
        if (!ordinary(p->error[i])) return (nigh_f128)INFINITY;
        if (size_of(p->error[i]) > most) most = size_of(p->error[i]);
    }
    return most;
}

static void powers(evolve_polisher *p, const evolve_target *target, nigh_f128 *best, nigh_f128 *error)
{
    nigh_f128 x[EVOLVE_MOST_CONSTANTS + 1];
    memcpy(x, best, sizeof x);
    memcpy(p->point, target->node, sizeof target->node);
    p->rows = EVOLVE_NODES, p->level = false;
    for (int cubes = 0; cubes <= CUBES; cubes++) {
        p->cubes = cubes;
        p->unit = survey(p, target, x);
        if (!ordinary(p->unit) || p->unit == 0) return;
        minimise(p, x, cubes ? POWER_STEPS : FIRST_STEPS);
        nigh_f128 now = survey(p, target, x);
        if (!(now < *error)) continue;
        *error = now;
        memcpy(best, x, sizeof x);
    }
}

/* As many alternating extrema as there are free constants, and one more; fewer when the curve has fewer. */
static int reference(evolve_polisher *p, int want, int *index)
{
    while (want > 1 && !remez_alternation(p->error, EVOLVE_CURVE, want, index)) want--;
    return want > 1 ? want : 0;
}

static void exchange(evolve_polisher *p, const evolve_target *target, nigh_f128 *best, nigh_f128 *error)
{
    nigh_f128 x[EVOLVE_MOST_CONSTANTS + 1];
    int index[EVOLVE_MOST_CONSTANTS + 2], n = p->genome->constants, want = n + 1;
    for (int k = 0; p->held && k < n; k++) want -= p->held[k];
    p->cubes = 0, p->level = true;
    for (int turn = 0; turn < EXCHANGES; turn++) {
        p->unit = survey(p, target, best);
        if (!ordinary(p->unit) || p->unit == 0 || !(p->rows = reference(p, want, index))) return;
        memcpy(x, best, sizeof x);
        x[n] = 0;
        for (int i = 0; i < p->rows; i++) {
            memcpy(p->point[i], target->curve[index[i]], sizeof p->point[i]);
            p->sign[i] = p->error[index[i]] > 0 ? 1 : -1;
            x[n] += size_of(p->error[index[i]]) / (p->unit * p->rows);
        }
        minimise(p, x, LEVEL_STEPS);
        nigh_f128 now = survey(p, target, x);
        if (!(now < *error)) return;
        bool settled = *error - now < *error * (nigh_f128)1e-9;
        *error = now;
        memcpy(best, x, sizeof x);
        if (settled) return;
    }
}

/* The largest error at all points of the check; infinite when a divisor is 0 or changes its sign between two. */
static nigh_f128 check(const evolve_genome *g, const evolve_target *target, const nigh_f128 *constant)
{
    nigh_f128 v[EVOLVE_VALUES], most = 0;
    bool below[EVOLVE_MOST_OPS] = {false};
    for (int i = 0; i < EVOLVE_CHECK_POINTS; i++) {
        nigh_f128 e = error_at(g, target->check[i], constant, v);
        if (!ordinary(e)) return (nigh_f128)INFINITY;
        if (size_of(e) > most) most = size_of(e);
        for (int s = 0; s < g->steps; s++) {
            nigh_f128 divisor = g->step[s].op == CODE_DIV ? v[g->step[s].b] : 1;
            if (divisor == 0 || (i && (divisor < 0) != below[s])) return (nigh_f128)INFINITY;
            below[s] = divisor < 0;
        }
    }
    return most;
}

bool evolve_polish(evolve_polisher *p, const evolve_target *target, const evolve_genome *g, const bool *held, const nigh_f128 *start,
                   evolve_program *out)
{
    nigh_f128 x[EVOLVE_MOST_CONSTANTS + 1] = {0};
    p->genome = g;
    p->held = held;
    memcpy(x, start, g->constants * sizeof *x);
    nigh_f128 error = survey(p, target, x);
    if (g->constants && ordinary(error)) {
        powers(p, target, x, &error);
        exchange(p, target, x, &error);
    }
    nigh_f128 checked = check(g, target, x);
    if (!ordinary(checked)) return false;
    memset(out, 0, sizeof *out);
    out->ops = out->code.steps = g->steps;
    out->code.constants = g->constants;
    memcpy(out->code.step, g->step, g->steps * sizeof *g->step);
    for (int k = 0; k < g->constants; k++) out->constant[k] = x[k], out->code.constant[k] = (double)x[k];
    out->error = checked;
    out->digits = checked > 0 ? -log10((double)checked) : INFINITY;
    return true;
}

nigh_f128 evolve_value(const evolve_program *program, nigh_f128 t)
{
    evolve_genome g = {.constants = (uint8_t)program->code.constants, .steps = (uint8_t)program->code.steps};
    nigh_f128 v[EVOLVE_VALUES];
    memcpy(g.step, program->code.step, g.steps * sizeof *g.step);
    v[0] = t;
    memcpy(v + 1, program->constant, g.constants * sizeof *v);
    return forward(&g, v);
}
