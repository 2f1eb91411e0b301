/* Best weighted rational approximation; see rational.h. */
#include "function/rational.h"

#include <math.h>
#include <string.h>

enum { MOST = 2 * RATIONAL_MAX_DEGREE + 2, LINEAR_STEPS = 8, LAWSON_STEPS = 24, EXCHANGES = 24, NEWTON_STEPS = 12 };

typedef struct rational {
    int m, n;
    nigh_f128 p[RATIONAL_MAX_DEGREE + 1], q[RATIONAL_MAX_DEGREE + 1];
    nigh_f128 error; /* largest on the grid; infinite with a pole */
} rational;

typedef struct scratch {
    long double *matrix, *right, *weight, *below; /* rows x columns, rows, rows, rows */
    nigh_f128 *e;
} scratch;

static nigh_f128 magnitude(nigh_f128 x)
{
    return x < 0 ? -x : x;
}

/* Errors on the grid, and r->error. False when the denominator changes its sign. */
static bool survey(const remez_grid *grid, rational *r, nigh_f128 *e)
{
    nigh_f128 most = 0;
    bool fine = true;
    for (int i = 0; i < grid->n; i++) {
        nigh_f128 below = remez_chebyshev_value(r->q, r->n, grid->z[i]);
        if (!(below > 1e-6L)) fine = false;
        e[i] = grid->weight[i] * (grid->value[i] - remez_chebyshev_value(r->p, r->m, grid->z[i]) / below);
        if (!(magnitude(e[i]) <= most)) most = magnitude(e[i]);
    }
    r->error = fine && most - most == 0 ? most : (nigh_f128)INFINITY;
    return fine && most - most == 0;
}

/* ---- the start: reweighted linear least squares ---------------------------------------------------------- */

/* Solves min |A x - b| by Householder reflections; A (rows x columns, column after column) and b are overwritten. */
static bool least_squares(int rows, int columns, long double *a, long double *b, long double *x)
{
    long double largest = 0, diagonal[MOST];
    for (int k = 0; k < columns; k++) {
        long double *v = a + (size_t)k * (size_t)rows, norm = 0;
        for (int i = k; i < rows; i++) norm += v[i] * v[i];
        norm = sqrtl(norm);
        if (norm > largest) largest = norm;
        if (!(norm > largest * 1e-18L)) { /* depends on those before it: left out */
            diagonal[k] = 0;
            continue;
        }
        diagonal[k] = v[k] > 0 ? -norm : norm;
        v[k] -= diagonal[k];
        long double scale = 1 / (diagonal[k] * v[k]);
        for (int j = k + 1; j <= columns; j++) {
            long double *w = j < columns ? a + (size_t)j * (size_t)rows : b, dot = 0;
            for (int i = k; i < rows; i++) dot += v[i] * w[i];
            dot *= scale;
            for (int i = k; i < rows; i++) w[i] += dot * v[i];
        }
    }
    for (int k = columns - 1; k >= 0; k--) {
        long double sum = b[k];
        for (int j = k + 1; j < columns; j++) sum -= a[(size_t)j * (size_t)rows + (size_t)k] * x[j];
        x[k] = diagonal[k] != 0 ? sum / diagonal[k] : 0;
        if (!(x[k] - x[k] == 0)) return false;
    }
    return true;
}

/* One step: P and Q that minimise sum lambda (W (P - G Q) / Qold)^2. */
static bool linear_step(const remez_grid *grid, const scratch *s, rational *r)
{
    int rows = grid->n, columns = r->m + 1 + r->n;
    long double x[MOST];
    for (int i = 0; i < rows; i++) {
        long double z = (long double)grid->z[i], g = (long double)grid->value[i];
        long double w = sqrtl(s->weight[i]) * (long double)grid->weight[i] / s->below[i];
        long double before = 1, now = z;
        int top = r->m > r->n ? r->m : r->n;
        for (int k = 0; k <= top; k++) {
            if (k <= r->m) s->matrix[(size_t)k * (size_t)rows + (size_t)i] = w * before;
            if (k >= 1 && k <= r->n) s->matrix[(size_t)(r->m + k) * (size_t)rows + (size_t)i] = -w * g * before;
            long double next = 2 * z * now - before;
            before = now;
            now = next;
        }
        s->right[i] = w * g;
    }
    if (!least_squares(rows, columns, s->matrix, s->right, x)) return false;
    for (int k = 0; k <= r->m; k++) r->p[k] = x[k];
    r->q[0] = 1;
    for (int k = 1; k <= r->n; k++) r->q[k] = x[r->m + k];
    return true;
}

static bool begin(const remez_grid *grid, const scratch *s, int steps, const rational *seed, rational *best)
{
    rational r = *best;
    for (int i = 0; i < grid->n; i++) {
        s->weight[i] = 1;
        s->below[i] = seed ? (long double)remez_chebyshev_value(seed->q, seed->n, grid->z[i]) : 1;
    }
    best->error = INFINITY;
    for (int step = 0; step < steps; step++) {
        if (!linear_step(grid, s, &r)) break;
        bool fine = survey(grid, &r, s->e);
        if (fine && r.error < best->error) *best = r;
        long double most = 0, sum = 0;
        for (int i = 0; i < grid->n; i++) {
            long double below = fabsl((long double)remez_chebyshev_value(r.q, r.n, grid->z[i]));
            s->below[i] = below > 1e-3L ? below : 1e-3L;
            if (fabsl((long double)s->e[i]) > most) most = fabsl((long double)s->e[i]);
        }
        if (step < LINEAR_STEPS - 1 || !fine || !(most > 0)) continue;
        for (int i = 0; i < grid->n; i++) {
            s->weight[i] *= fabsl((long double)s->e[i]) / most;
            if (s->weight[i] < 1e-12L) s->weight[i] = 1e-12L;
            sum += s->weight[i];
        }
        for (int i = 0; i < grid->n; i++) s->weight[i] *= grid->n / sum;
    }
    return best->error < (nigh_f128)INFINITY;
}

/* ---- exchanges ---------------------------------------------------------------------------------------- */

/* a x = b with rows scaled pivots; b becomes x. */
static bool solve(int n, nigh_f128 a[MOST][MOST], nigh_f128 *b)
{
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (magnitude(a[i][k]) > magnitude(a[pivot][k])) pivot = i;
        if (!(magnitude(a[pivot][k]) > 0)) return false;
        if (pivot != k) {
            for (int j = k; j < n; j++) {
                nigh_f128 t = a[k][j];
                a[k][j] = a[pivot][j];
                a[pivot][j] = t;
            }
            nigh_f128 t = b[k];
            b[k] = b[pivot];
            b[pivot] = t;
        }
        for (int i = k + 1; i < n; i++) {
            nigh_f128 f = a[i][k] / a[k][k];
            for (int j = k + 1; j < n; j++) a[i][j] -= f * a[k][j];
            b[i] -= f * b[k];
        }
    }
    for (int k = n - 1; k >= 0; k--) {
        for (int j = k + 1; j < n; j++) b[k] -= a[k][j] * b[j];
        b[k] /= a[k][k];
    }
    return true;
}

/* Newton's method for P - (G - s E / W) Q = 0 at the points of a reference. */
static bool newton(const remez_grid *grid, const int *index, rational *r, nigh_f128 *level)
{
    int size = r->m + r->n + 2;
    nigh_f128 a[MOST][MOST], b[MOST];
    for (int step = 0; step < NEWTON_STEPS; step++) {
        for (int i = 0; i < size; i++) {
            nigh_f128 z = grid->z[index[i]], sign = (i & 1 ? -1 : 1) / grid->weight[index[i]];
            nigh_f128 aim = grid->value[index[i]] - sign * *level, below = remez_chebyshev_value(r->q, r->n, z);
            nigh_f128 before = 1, now = z;
            int top = r->m > r->n ? r->m : r->n;
            for (int k = 0; k <= top; k++) {
                if (k <= r->m) a[i][k] = before;
                if (k >= 1 && k <= r->n) a[i][r->m + k] = -aim * before;
                nigh_f128 next = 2 * z * now - before;
                before = now;
                now = next;
            }
            a[i][size - 1] = sign * below;
            b[i] = aim * below - remez_chebyshev_value(r->p, r->m, z);
        }
        if (!solve(size, a, b)) return false;
        nigh_f128 moved = magnitude(b[size - 1]);
        for (int k = 0; k <= r->m; k++) r->p[k] += b[k];
        for (int k = 1; k <= r->n; k++) r->q[k] += b[r->m + k];
        *level += b[size - 1];
        if (!(*level - *level == 0)) return false;
        if (moved <= magnitude(*level) * 1e-9L) return true;
    }
    return false;
}

static nigh_status exchange(nigh_context *ctx, const remez_grid *grid, const scratch *s, rational *best, bool *levelled)
{
    *levelled = false;
    int index[MOST], size = best->m + best->n + 2;
    rational r = *best;
    for (int step = 0; step < EXCHANGES; step++) {
        nigh_status status = nigh_poll(ctx);
        if (status != NIGH_OK) return status;
        if (!survey(grid, &r, s->e) || !remez_alternation(s->e, grid->n, size, index)) break;
        nigh_f128 level = 0;
        for (int i = 0; i < size; i++) level += magnitude(s->e[index[i]]) / size;
        if (s->e[index[0]] < 0) level = -level;
        if (r.error <= magnitude(level) * (1 + 1e-8L)) *levelled = true;
        if (*levelled) break;
        if (!newton(grid, index, &r, &level) || !survey(grid, &r, s->e)) break;
        if (r.error < best->error) *best = r;
        if (r.error <= magnitude(level) * (1 + 1e-8L)) *levelled = true;
        if (*levelled) break;
    }
    return NIGH_OK;
}

/* From low degrees to the wanted ones, each denominator weighting the start of the next. */
static nigh_status climb(nigh_context *ctx, const remez_grid *grid, const scratch *s, rational *best)
{
    int least = best->m < best->n ? best->m : best->n;
    rational seed = {0};
    bool have = false, levelled;
    for (int drop = least - 1; drop >= 0; drop--) {
        rational next = {.m = best->m - drop, .n = best->n - drop};
        if (!begin(grid, s, LINEAR_STEPS + LAWSON_STEPS, have ? &seed : NULL, &next)) continue;
        nigh_status status = exchange(ctx, grid, s, &next, &levelled);
        if (status != NIGH_OK) return status;
        seed = next;
        have = true;
        if (next.error < best->error) { /* also of lower degree: the missing coefficients are 0 */
            next.m = best->m;
            next.n = best->n;
            *best = next;
        }
    }
    return NIGH_OK;
}

nigh_status rational_minimax(nigh_context *ctx, const remez_grid *grid, int m, int n, bool rough, nigh_f128 *p, nigh_f128 *q,
                             nigh_f128 *error)
{
    size_t rows = (size_t)grid->n;
    rational best = {.m = m, .n = n};
    scratch s = {.matrix = nigh_alloc_zero(ctx, rows * (size_t)(m + n + 4), sizeof *s.matrix)};
    s.e = nigh_alloc_zero(ctx, rows, sizeof *s.e);
    nigh_status status = s.matrix && s.e ? NIGH_OK : NIGH_MEMORY;
    if (status != NIGH_OK) goto done;
    s.right = s.matrix + rows * (size_t)(m + n + 1);
    s.weight = s.right + rows;
    s.below = s.weight + rows;
    bool levelled = rough, started = begin(grid, &s, rough ? LINEAR_STEPS / 2 : LINEAR_STEPS + LAWSON_STEPS, NULL, &best);
    if (started && !rough) status = exchange(ctx, grid, &s, &best, &levelled);
    if (status == NIGH_OK && !levelled) status = climb(ctx, grid, &s, &best);
    if (status != NIGH_OK) goto done;
    if (!(best.error < (nigh_f128)INFINITY)) {
        status = nigh_fail(ctx, NIGH_FAILED, "rational %d/%d: every fit has a pole in the interval", m, n);
        goto done;
    }
    memcpy(p, best.p, (size_t)(m + 1) * sizeof *p);
    memcpy(q, best.q, (size_t)(n + 1) * sizeof *q);
    *error = best.error;
done:
    nigh_free(ctx, s.matrix);
    nigh_free(ctx, s.e);
    return status;
}
