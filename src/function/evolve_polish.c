/*
 * The minimax of one structure in quadruple precision: least squares of growing powers of the residuals, then exchanges: at the
 * alternating extrema of the error curve the constants and the level E are found from r(t_i) = +-E by Levenberg-Marquardt, which
 * becomes Newton's method there and does not mind dependent constants.
 */
#include "function/evolve_inside.h"

#include <math.h>
#include <string.h>

enum { CUBES = 3, POWER_STEPS = 16, VALLEY_STEPS = 60, VALLEY_LEGS = 60, LEVEL_STEPS = 12, EXCHANGES = 12, MOST_ROWS = EVOLVE_NODES };

#define REAL long double
#define LM grad_lml
#define MINIMISE grad_levenberg_marquardtl
#define NAME(base) base##_long
#include "function/evolve_polish.inc"
#undef REAL
#undef LM
#undef MINIMISE
#undef NAME

#define REAL nigh_f128
#define LM grad_lmq
#define MINIMISE grad_levenberg_marquardtq
#define NAME(base) base##_quad
#include "function/evolve_polish.inc"

struct evolve_polisher {
    tape_long rough;
    tape_quad fine;
    nigh_f128 error[EVOLVE_CURVE];
};

size_t evolve_polisher_size(void) { return sizeof(evolve_polisher); }

static nigh_f128 size_of(nigh_f128 x) { return x < 0 ? -x : x; }
static bool ordinary(nigh_f128 x) { return x - x == 0; }

/* The largest error on the curve; infinite when one is not finite. */
static nigh_f128 survey(evolve_polisher *p, const evolve_target *target, const nigh_f128 *constant)
{
    nigh_f128 v[EVOLVE_VALUES], most = 0;
    for (int i = 0; i < EVOLVE_CURVE; i++) {
        p->error[i] = error_at_quad(p->fine.genome, target->curve[i], constant, v);
        if (!ordinary(p->error[i])) return (nigh_f128)INFINITY;
        if (size_of(p->error[i]) > most) most = size_of(p->error[i]);
    }
    return most;
}

/* Better constants are kept. */
static bool keep_better(evolve_polisher *p, const evolve_target *target, const nigh_f128 *x, nigh_f128 *best, nigh_f128 *error)
{
    nigh_f128 now = survey(p, target, x);
    if (!(now < *error)) return false;
    *error = now;
    memcpy(best, x, p->fine.genome->constants * sizeof *x);
    return true;
}

/*
 * Along a narrow valley steps are short but all go one way: after some of them comes a leap in the direction of the last, from whose end
 * the next steps first find back to the floor. A leap that ends higher is taken back, and a shorter one is tried.
 */
static void along_valley(tape_long *tape, long double *x)
{
    int n = tape->genome->constants;
    long double here[EVOLVE_MOST_CONSTANTS], from[EVOLVE_MOST_CONSTANTS], leap = 1;
    memcpy(from, x, (size_t)n * sizeof *x);
    long double sum = minimise_long(tape, x, VALLEY_STEPS);
    memcpy(here, x, (size_t)n * sizeof *x);
    for (int leg = 0; leg < VALLEY_LEGS && sum > 0; leg++) {
        for (int k = 0; k < n; k++) x[k] = here[k] + leap * (here[k] - from[k]);
        long double now = minimise_long(tape, x, VALLEY_STEPS);
        if (now < sum) {
            bool settled = leap == 0 && now > 0.999L * sum;
            memcpy(from, here, sizeof from);
            memcpy(here, x, (size_t)n * sizeof *x);
            sum = now;
            if (settled) break;
            leap = leap > 0 ? 2 * leap : 1;
        } else if (leap == 0) break;
        else leap = leap < 0.1L ? 0 : leap / 4;
    }
    memcpy(x, here, (size_t)n * sizeof *x);
}

/* In long double: thousands of steps may be needed along a narrow valley, and the digits of double do not show the way. */
static void powers_long(evolve_polisher *p, const evolve_target *target, nigh_f128 *best, nigh_f128 *error)
{
    tape_long *tape = &p->rough;
    long double x[EVOLVE_MOST_CONSTANTS + 1];
    nigh_f128 back[EVOLVE_MOST_CONSTANTS + 1];
    int n = tape->genome->constants;
    for (int k = 0; k < n; k++) x[k] = (long double)best[k];
    for (int i = 0; i < EVOLVE_NODES; i++)
        for (int k = 0; k < 3; k++) tape->point[i][k] = (long double)target->node[i][k];
    tape->rows = EVOLVE_NODES, tape->level = false;
    for (int cubes = 0; cubes <= CUBES; cubes++) {
        tape->cubes = cubes;
        tape->unit = cubes ? (long double)*error : 1;
        if (cubes) minimise_long(tape, x, POWER_STEPS);
        else along_valley(tape, x);
        for (int k = 0; k < n; k++) back[k] = x[k];
        keep_better(p, target, back, best, error);
    }
}

static void powers_quad(evolve_polisher *p, const evolve_target *target, nigh_f128 *best, nigh_f128 *error)
{
    tape_quad *tape = &p->fine;
    nigh_f128 x[EVOLVE_MOST_CONSTANTS + 1];
    memcpy(x, best, sizeof x);
    memcpy(tape->point, target->node, sizeof target->node);
    tape->rows = EVOLVE_NODES, tape->level = false;
    for (int cubes = 0; cubes <= CUBES; cubes++) {
        tape->cubes = cubes;
        tape->unit = cubes ? *error : 1;
        minimise_quad(tape, x, POWER_STEPS);
        keep_better(p, target, x, best, error);
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
    tape_quad *tape = &p->fine;
    nigh_f128 x[EVOLVE_MOST_CONSTANTS + 1];
    int index[EVOLVE_MOST_CONSTANTS + 2], n = tape->genome->constants, want = n + 1;
    for (int k = 0; tape->held && k < n; k++) want -= tape->held[k];
    tape->cubes = 0, tape->level = true;
    for (int turn = 0; turn < EXCHANGES; turn++) {
        tape->unit = survey(p, target, best);
        if (!ordinary(tape->unit) || tape->unit == 0 || !(tape->rows = reference(p, want, index))) return;
        memcpy(x, best, sizeof x);
        x[n] = 0;
        for (int i = 0; i < tape->rows; i++) {
            memcpy(tape->point[i], target->curve[index[i]], sizeof tape->point[i]);
            tape->sign[i] = p->error[index[i]] > 0 ? 1 : -1;
            x[n] += size_of(p->error[index[i]]) / (tape->unit * tape->rows);
        }
        minimise_quad(tape, x, LEVEL_STEPS);
        nigh_f128 before = *error;
        if (!keep_better(p, target, x, best, error) || before - *error < before * (nigh_f128)1e-9) return;
    }
}

/* The largest error at all points of the check; infinite when a divisor is 0 or changes its sign between two. */
static nigh_f128 check(const evolve_genome *g, const evolve_target *target, const nigh_f128 *constant)
{
    nigh_f128 v[EVOLVE_VALUES], most = 0;
    bool below[EVOLVE_MOST_OPS] = {false};
    for (int i = 0; i < EVOLVE_CHECK_POINTS; i++) {
        nigh_f128 e = error_at_quad(g, target->check[i], constant, v);
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
    p->rough.genome = p->fine.genome = g;
    p->rough.held = p->fine.held = held;
    memcpy(x, start, g->constants * sizeof *x);
    nigh_f128 error = survey(p, target, x);
    if (g->constants && ordinary(error)) {
        powers_long(p, target, x, &error);
        if (error < (nigh_f128)1e-14) powers_quad(p, target, x, &error); /* long double ends about there */
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
    return forward_quad(&g, v);
}
