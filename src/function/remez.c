/* Best weighted polynomial approximation; see remez.h. */
#include "function/remez.h"

#include <math.h>
#include <string.h>

enum { MOST = REMEZ_MAX_DEGREE + 2, EXCHANGES = 60, REFINEMENTS = 8 };

static nigh_f128 magnitude(nigh_f128 x)
{
    return x < 0 ? -x : x;
}

static bool usable(nigh_f128 x)
{
    return x - x == 0;
}

nigh_f128 remez_unscale(const remez_problem *problem, nigh_f128 z)
{
    return ((1 - z) * problem->low + (1 + z) * problem->high) / 2;
}

void remez_grid_free(nigh_context *ctx, remez_grid *grid)
{
    nigh_free(ctx, grid->z);
    grid->z = NULL;
}

nigh_status remez_grid_new(nigh_context *ctx, const remez_problem *problem, int points, remez_grid *grid)
{
    nigh_f128 *z = nigh_alloc_zero(ctx, 3 * (size_t)points, sizeof *z);
    if (!z) return NIGH_MEMORY;
    *grid = (remez_grid){problem, points, z, z + points, z + 2 * points};
    for (int i = 0; i < points; i++) {
        /* 1 - 2 sin^2: near the ends without cancellation */
        long double s = sinl(3.14159265358979323846L / 2 * i / (points - 1));
        z[i] = 2 * (nigh_f128)s * s - 1;
        if (i == points - 1) z[i] = 1;
        nigh_f128 v = remez_unscale(problem, z[i]);
        problem->at(problem->user, v, &grid->value[i], &grid->weight[i]);
        if (!usable(grid->value[i]) || !usable(grid->weight[i]) || !(grid->weight[i] > 0)) {
            remez_grid_free(ctx, grid);
            return nigh_fail(ctx, NIGH_FAILED, "the function or its weight is not finite at core argument %.9g", (double)v);
        }
    }
    return NIGH_OK;
}

nigh_f128 remez_chebyshev_value(const nigh_f128 *c, int degree, nigh_f128 z)
{
    nigh_f128 b1 = 0, b2 = 0;
    for (int k = degree; k > 0; k--) {
        nigh_f128 b = 2 * z * b1 - b2 + c[k];
        b2 = b1;
        b1 = b;
    }
    return z * b1 - b2 + c[0];
}

void remez_to_powers(const nigh_f128 *c, int degree, nigh_f128 slope, nigh_f128 shift, nigh_f128 *a)
{
    /* Clenshaw with polynomials in u instead of numbers */
    nigh_f128 b1[MOST + 1] = {0}, b2[MOST + 1] = {0}, b[MOST + 1];
    for (int k = degree; k >= 0; k--) {
        nigh_f128 twice = k ? 2 : 1;
        for (int j = 0; j <= degree; j++)
            b[j] = twice * (shift * b1[j] + (j ? slope * b1[j - 1] : 0)) - b2[j];
        b[0] += c[k];
        memcpy(b2, b1, sizeof b1);
        memcpy(b1, b, (size_t)(degree + 1) * sizeof *b);
    }
    memcpy(a, b1, (size_t)(degree + 1) * sizeof *a);
}

/* ---- interpolation ------------------------------------------------------------------------------------ */

/* Root j of T_{degree + 1}: the long double cosine and one step of Newton's method in quadruple precision. */
static nigh_f128 node(int degree, int j)
{
    int n = degree + 1;
    nigh_f128 z = cosl(3.14159265358979323846L * (2 * j + 1) / (2 * n)), t0 = 1, t1 = z, u0 = 1, u1 = 2 * z;
    if (2 * j + 1 == n) return 0;
    for (int k = 1; k < n; k++) { /* T_{k+1} and U_{k+1} */
        nigh_f128 t2 = 2 * z * t1 - t0, u2 = 2 * z * u1 - u0;
        t0 = t1;
        t1 = t2;
        u0 = u1;
        u1 = u2;
    }
    return z - t1 / (n * u0); /* T_n' = n U_{n-1} */
}

/* Coefficients from values at the Chebyshev points of the first kind. */
static void transform(const nigh_f128 *value, int degree, nigh_f128 *c)
{
    int n = degree + 1;
    for (int k = 0; k < n; k++) c[k] = 0;
    for (int j = 0; j < n; j++) {
        nigh_f128 z = node(degree, j), before = 1, now = z;
        for (int k = 0; k < n; k++) {
            c[k] += value[j] * before * (k ? 2 : 1) / n;
            nigh_f128 next = 2 * z * now - before;
            before = now;
            now = next;
        }
    }
}

nigh_status remez_interpolate(nigh_context *ctx, const remez_grid *grid, int degree, nigh_f128 *c, nigh_f128 *error)
{
    nigh_f128 value[MOST], weight;
    for (int j = 0; j <= degree; j++) {
        grid->problem->at(grid->problem->user, remez_unscale(grid->problem, node(degree, j)), &value[j], &weight);
        if (!usable(value[j])) return nigh_fail(ctx, NIGH_FAILED, "the function is not finite inside the interval");
    }
    transform(value, degree, c);
    *error = 0;
    for (int i = 0; i < grid->n; i++) {
        nigh_f128 e = grid->weight[i] * magnitude(grid->value[i] - remez_chebyshev_value(c, degree, grid->z[i]));
        if (e > *error) *error = e;
    }
    return NIGH_OK;
}

/* ---- Remez -------------------------------------------------------------------------------------------- */

/* A reference of n + 2 points and what belongs to it. */
typedef struct reference {
    int count; /* degree + 2 */
    nigh_f128 z[MOST], value[MOST], weight[MOST];
    nigh_f128 level;                  /* signed levelled error */
    nigh_f128 through[MOST], bary[MOST]; /* p and barycentric weights at the first count - 1 points */
} reference;

/* The levelled error of the reference, and its polynomial as values at all points but the last. */
static void level(reference *r)
{
    nigh_f128 upper = 0, lower = 0;
    for (int i = 0; i < r->count; i++) {
        nigh_f128 w = 1;
        for (int j = 0; j < r->count; j++)
            if (j != i) w *= 2 * (r->z[i] - r->z[j]);
        w = 1 / w;
        upper += w * r->value[i];
        lower += (i & 1 ? -w : w) / r->weight[i];
    }
    r->level = upper / lower;
    int last = r->count - 1;
    for (int i = 0; i < last; i++) {
        nigh_f128 w = 1;
        for (int j = 0; j < last; j++)
            if (j != i) w *= 2 * (r->z[i] - r->z[j]);
        r->bary[i] = 1 / w;
        r->through[i] = r->value[i] - (i & 1 ? -r->level : r->level) / r->weight[i];
    }
}

static nigh_f128 reference_value(const reference *r, nigh_f128 z)
{
    nigh_f128 upper = 0, lower = 0;
    for (int i = 0; i < r->count - 1; i++) {
        nigh_f128 d = z - r->z[i];
        if (d == 0) return r->through[i];
        d = r->bary[i] / d;
        upper += d * r->through[i];
        lower += d;
    }
    return upper / lower;
}

bool remez_alternation(const nigh_f128 *e, int n, int want, int *index)
{
    int pick[4096], count = 0;
    for (int i = 0; i < n; i++) {
        if (e[i] == 0) continue;
        if (count && (e[pick[count - 1]] > 0) == (e[i] > 0)) {
            if (magnitude(e[i]) > magnitude(e[pick[count - 1]])) pick[count - 1] = i;
        } else if (count < 4096) {
            pick[count++] = i;
        }
    }
    if (count < want) return false;
    while (count > want) {
        if (count == want + 1) { /* one too many: an end goes */
            int first = magnitude(e[pick[0]]) < magnitude(e[pick[count - 1]]);
            if (first) memmove(pick, pick + 1, (size_t)(count - 1) * sizeof *pick);
            count--;
            break;
        }
        int least = 0; /* two neighbours go, so that signs still alternate: the smallest with its smaller neighbour */
        for (int i = 1; i < count; i++)
            if (magnitude(e[pick[i]]) < magnitude(e[pick[least]])) least = i;
        if (least == 0 || least == count - 1) {
            if (least == 0) memmove(pick, pick + 1, (size_t)(count - 1) * sizeof *pick);
            count--;
            continue;
        }
        int other = magnitude(e[pick[least - 1]]) < magnitude(e[pick[least + 1]]) ? least - 1 : least;
        memmove(pick + other, pick + other + 2, (size_t)(count - other - 2) * sizeof *pick);
        count -= 2;
    }
    memcpy(index, pick, (size_t)want * sizeof *pick);
    return true;
}

/* Point `at` of the grid, the worst, takes the place of the neighbour in the reference that has the same sign. */
static void exchange_one(reference *r, const remez_grid *grid, int at, nigh_f128 error)
{
    int after = 0, last = r->count - 1;
    while (after < r->count && r->z[after] < grid->z[at]) after++;
    bool positive = error > 0, level_positive = r->level >= 0;
    /* the sign of point i is that of level times (-1)^i */
#define SAME(i) ((((i) & 1) == 0) == (level_positive == positive))
    int slot;
    if (after == 0) {
        slot = 0;
        if (!SAME(0)) {
            for (int i = last; i > 0; i--) r->z[i] = r->z[i - 1], r->value[i] = r->value[i - 1], r->weight[i] = r->weight[i - 1];
        }
    } else if (after > last) {
        slot = last;
        if (!SAME(last)) {
            for (int i = 0; i < last; i++) r->z[i] = r->z[i + 1], r->value[i] = r->value[i + 1], r->weight[i] = r->weight[i + 1];
        }
    } else {
        slot = SAME(after) ? after : after - 1;
    }
#undef SAME
    r->z[slot] = grid->z[at];
    r->value[slot] = grid->value[at];
    r->weight[slot] = grid->weight[at];
}

static nigh_f128 error_at(const reference *r, const remez_problem *problem, nigh_f128 z, nigh_f128 *value, nigh_f128 *weight)
{
    problem->at(problem->user, remez_unscale(problem, z), value, weight);
    return *weight * (*value - reference_value(r, z));
}

/* Moves the points of the reference to the tops of parabolas through the error at three places. */
static void refine(reference *r, const remez_problem *problem, nigh_f128 share)
{
    reference old = *r;
    for (int i = 0; i < r->count; i++) {
        nigh_f128 left = i ? old.z[i] - old.z[i - 1] : old.z[i] + 1, right = i < r->count - 1 ? old.z[i + 1] - old.z[i] : 1 - old.z[i];
        nigh_f128 h = (left < right ? left : right) * share, z = old.z[i], value, weight;
        if (!(h > 0)) continue; /* an end */
        nigh_f128 below = error_at(&old, problem, z - h, &value, &weight), above = error_at(&old, problem, z + h, &value, &weight);
        nigh_f128 here = error_at(&old, problem, z, &value, &weight);
        nigh_f128 bend = below - 2 * here + above, move = bend != 0 ? h * (below - above) / (2 * bend) : 0;
        if (!(magnitude(move) <= h)) move = magnitude(below) > magnitude(above) ? -h : h;
        nigh_f128 now = error_at(&old, problem, z + move, &value, &weight);
        if (!(magnitude(now) > magnitude(here))) continue;
        r->z[i] = z + move;
        r->value[i] = value;
        r->weight[i] = weight;
    }
    level(r);
}

/* Errors e on the grid; the index of the worst. */
static int survey(const reference *r, const remez_grid *grid, nigh_f128 *e)
{
    int worst = 0;
    for (int i = 0; i < grid->n; i++) {
        e[i] = grid->weight[i] * (grid->value[i] - reference_value(r, grid->z[i]));
        if (magnitude(e[i]) > magnitude(e[worst])) worst = i;
    }
    return worst;
}

static void start(reference *r, const remez_grid *grid)
{
    for (int i = 0; i < r->count; i++) {
        int at = (int)((long)i * (grid->n - 1) / (r->count - 1));
        r->z[i] = grid->z[at];
        r->value[i] = grid->value[at];
        r->weight[i] = grid->weight[at];
    }
    level(r);
}

/* Exchanges on the grid until the worst point is no worse than the level. */
static nigh_status exchange(nigh_context *ctx, reference *r, const remez_grid *grid, nigh_f128 *e)
{
    int index[MOST];
    nigh_f128 scale = 0;
    for (int i = 0; i < grid->n; i++)
        if (magnitude(grid->value[i]) * grid->weight[i] > scale) scale = magnitude(grid->value[i]) * grid->weight[i];
    for (int step = 0; step < EXCHANGES; step++) {
        nigh_status status = nigh_poll(ctx);
        if (status != NIGH_OK) return status;
        int worst = survey(r, grid, e);
        nigh_f128 most = magnitude(e[worst]), now = magnitude(r->level);
        if (!usable(most)) break;
        if (most <= now * (1 + 1e-9L + grid->problem->slack) || most <= scale * 1e-25L) return NIGH_OK;
        reference before = *r;
        if (remez_alternation(e, grid->n, r->count, index)) {
            for (int i = 0; i < r->count; i++) {
                r->z[i] = grid->z[index[i]];
                r->value[i] = grid->value[index[i]];
                r->weight[i] = grid->weight[index[i]];
            }
            level(r);
        }
        if (!(magnitude(r->level) > now)) { /* no gain: one point at a time always gains */
            *r = before;
            exchange_one(r, grid, worst, e[worst]);
            level(r);
        }
    }
    nigh_f128 most = magnitude(e[survey(r, grid, e)]);
    if (most <= magnitude(r->level) * 1.1L) return NIGH_OK; /* a weight with jumps: near enough to best */
    return nigh_fail(ctx, NIGH_FAILED, "Remez: no best polynomial of degree %d after %d exchanges", r->count - 2, EXCHANGES);
}

nigh_status remez_polynomial(nigh_context *ctx, const remez_grid *grid, int degree, nigh_f128 *c, nigh_f128 *error,
                             nigh_f128 *lower)
{
    nigh_f128 *e = nigh_alloc_zero(ctx, (size_t)grid->n, sizeof *e);
    if (!e) return NIGH_MEMORY;
    reference r = {.count = degree + 2};
    start(&r, grid);
    nigh_status status = exchange(ctx, &r, grid, e);
    if (status != NIGH_OK) goto done;
    nigh_f128 most = magnitude(e[survey(&r, grid, e)]), share = .2L;
    for (int i = 0; i < REFINEMENTS && grid->problem->smooth && most > 0; i++, share *= .7L) {
        reference better = r;
        refine(&better, grid->problem, share);
        nigh_f128 gain = magnitude(better.level) - magnitude(r.level);
        if (gain >= 0) r = better;
    }
    *error = magnitude(e[survey(&r, grid, e)]);
    if (magnitude(r.level) > *error) *error = magnitude(r.level);
    if (lower) *lower = magnitude(r.level);
    nigh_f128 value[MOST];
    for (int j = 0; j <= degree; j++) value[j] = reference_value(&r, node(degree, j));
    transform(value, degree, c);
done:
    nigh_free(ctx, e);
    return status;
}
