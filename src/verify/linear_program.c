/*
 * Dual simplex on a dictionary: every basic variable is an affine function of the nonbasic ones, t [rows, n]; nonbasic ones rest at a bound. Variables 0 .. n - 1 are those
 * of the program, n + i is the slack a_i x - b_i >= 0.
 */
#include <math.h>
#include <string.h>

#include "verify/linear_program.h"

typedef struct dictionary {
    const program *p;
    double *t, *cost;              /* [rows, n], [n]: reduced costs */
    double *value_basic, *value;   /* [rows], [n] */
    int64_t *basic, *nonbasic;     /* which variables */
} dictionary;

static double least(const dictionary *d, int64_t v) { return v < d->p->n ? d->p->low[v] : 0; }
static double most(const dictionary *d, int64_t v) { return v < d->p->n ? d->p->high[v] : INFINITY; }

/* The basic variable that misses its bounds by most (the first one when `first`); -1: none. */
static int64_t leaving(const dictionary *d, bool first, bool *below)
{
    int64_t found = -1;
    double worst = d->p->tolerance;
    for (int64_t i = 0; i < d->p->rows; i++) {
        double low = least(d, d->basic[i]) - d->value_basic[i], high = d->value_basic[i] - most(d, d->basic[i]);
        double miss = fmax(low, high);
        if (miss <= worst || (first && found >= 0 && d->basic[i] > d->basic[found])) continue;
        if (!first) worst = miss;
        found = i;
        *below = low > high;
    }
    return found;
}

/* The nonbasic variable that keeps the reduced costs' signs when row r's variable rises (falls when not `below`); -1: none can move it. */
static int64_t entering(const dictionary *d, int64_t r, bool below, bool first)
{
    const double *row = d->t + r * d->p->n;
    int64_t found = -1;
    double best = INFINITY, size = 0;
    for (int64_t j = 0; j < d->p->n; j++) {
        double low = least(d, d->nonbasic[j]), high = most(d, d->nonbasic[j]);
        double push = below ? row[j] : -row[j];
        bool at_low = d->value[j] <= low;
        if (fabs(push) < 1e-11 || !(low < high) || (push > 0) != at_low) continue;
        double ratio = fabs(d->cost[j]) / fabs(push);
        bool better = ratio < best - 1e-14 * (1 + best);
        bool tie = !better && ratio <= best + 1e-14 * (1 + best);
        if (better || (tie && (first ? d->nonbasic[j] < d->nonbasic[found] : fabs(push) > size))) {
            best = fmin(best, ratio);
            size = fabs(push);
            found = j;
        }
    }
    return found;
}

static void pivot(dictionary *d, int64_t r, int64_t j, double target)
{
    int64_t n = d->p->n, rows = d->p->rows;
    double *row = d->t + r * n, by = row[j], step = (target - d->value_basic[r]) / by;
    for (int64_t i = 0; i < rows; i++)
        if (i != r) d->value_basic[i] += d->t[i * n + j] * step;
    double entered = d->value[j] + step;
    for (int64_t k = 0; k < n; k++) row[k] = k == j ? 1 / by : -row[k] / by;
    for (int64_t i = 0; i < rows; i++) {
        double *other = d->t + i * n, factor = other[j];
        if (i == r || factor == 0) continue;
        for (int64_t k = 0; k < n; k++) other[k] = k == j ? factor * row[k] : other[k] + factor * row[k];
    }
    double factor = d->cost[j];
    for (int64_t k = 0; k < n; k++) d->cost[k] = k == j ? factor * row[k] : d->cost[k] + factor * row[k];
    int64_t v = d->basic[r];
    d->basic[r] = d->nonbasic[j];
    d->nonbasic[j] = v;
    d->value_basic[r] = entered;
    d->value[j] = target;
}

static void start(dictionary *d)
{
    const program *p = d->p;
    memcpy(d->t, p->a, (size_t)(p->rows * p->n) * sizeof *d->t);
    memcpy(d->cost, p->c, (size_t)p->n * sizeof *d->cost);
    for (int64_t j = 0; j < p->n; j++) {
        d->nonbasic[j] = j;
        d->value[j] = p->c[j] > 0 ? p->high[j] : p->low[j];
    }
    for (int64_t i = 0; i < p->rows; i++) {
        double sum = -p->b[i];
        for (int64_t j = 0; j < p->n; j++) sum += p->a[i * p->n + j] * d->value[j];
        d->basic[i] = p->n + i;
        d->value_basic[i] = sum;
    }
}

/* Multipliers that show that row r's variable cannot reach its bound. */
static void ray(const dictionary *d, int64_t r, bool below)
{
    const program *p = d->p;
    memset(p->multiplier, 0, (size_t)p->rows * sizeof *p->multiplier);
    if (d->basic[r] >= p->n) p->multiplier[d->basic[r] - p->n] = 1;
    for (int64_t j = 0; j < p->n; j++)
        if (d->nonbasic[j] >= p->n) p->multiplier[d->nonbasic[j] - p->n] = fmax(0, below ? -d->t[r * p->n + j] : d->t[r * p->n + j]);
}

static void finish(const dictionary *d)
{
    const program *p = d->p;
    memset(p->multiplier, 0, (size_t)p->rows * sizeof *p->multiplier);
    for (int64_t j = 0; j < p->n; j++) {
        if (d->nonbasic[j] < p->n) p->x[d->nonbasic[j]] = d->value[j];
        else p->multiplier[d->nonbasic[j] - p->n] = fmax(0, -d->cost[j]);
    }
    for (int64_t i = 0; i < p->rows; i++)
        if (d->basic[i] < p->n) p->x[d->basic[i]] = fmin(fmax(d->value_basic[i], p->low[d->basic[i]]), p->high[d->basic[i]]);
}

nigh_status program_solve(nigh_context *ctx, const program *p, program_answer *answer)
{
    dictionary d = {.p = p};
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    status = NIGH_MEMORY;
    if (!(d.t = nigh_arena_alloc(arena, (size_t)(p->rows * p->n + 1) * sizeof *d.t))) goto done;
    if (!(d.cost = nigh_arena_alloc(arena, (size_t)p->n * sizeof *d.cost))) goto done;
    if (!(d.value = nigh_arena_alloc(arena, (size_t)p->n * sizeof *d.value))) goto done;
    if (!(d.value_basic = nigh_arena_alloc(arena, (size_t)(p->rows + 1) * sizeof *d.value_basic))) goto done;
    if (!(d.basic = nigh_arena_alloc(arena, (size_t)(p->rows + 1) * sizeof *d.basic))) goto done;
    if (!(d.nonbasic = nigh_arena_alloc(arena, (size_t)p->n * sizeof *d.nonbasic))) goto done;
    start(&d);
    status = NIGH_OK;
    *answer = PROGRAM_STOPPED;
    int64_t most_steps = 20 * (p->rows + p->n) + 200;
    for (int64_t step = 0; step < most_steps && !status; step++) {
        bool below = false, first = step > most_steps / 2; /* Bland's rule when it may go round in circles */
        int64_t r = leaving(&d, first, &below);
        if (r < 0) {
            *answer = PROGRAM_OPTIMAL;
            break;
        }
        int64_t j = entering(&d, r, below, first);
        if (j < 0) {
            finish(&d);
            ray(&d, r, below);
            *answer = PROGRAM_INFEASIBLE;
            goto done;
        }
        pivot(&d, r, j, below ? least(&d, d.basic[r]) : most(&d, d.basic[r]));
        if (step % 64 == 63) status = nigh_poll(ctx);
    }
    finish(&d);
done:
    nigh_arena_free(arena);
    return status;
}
