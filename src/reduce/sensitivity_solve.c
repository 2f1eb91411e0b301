/*
 * One sensitivity: the largest |c.z|^p / sum_j w_j |u_j.z|^p, with proof. See powers.h.
 *
 * With D_j = w_j |u_j.z|^(p-2), H = U^T D U and t = H^-1 c, the Newton step of min F(z), F(z) = sum_j w_j |u_j.z|^p, on c.z = 1 goes from z by 1 / (p - 1) of the
 * way to t / (c.t): F is homogeneous, so H z is its gradient over p. And y = D U t has U^T y = c, so that c.z = y.(U z) <= |y|_q |U z|_p for every
 * z (Hoelder, 1/p + 1/q = 1): 1 / F(z) <= sigma <= |y|_q^p whatever z is. For p = 1 the same two bounds close in a primal-dual interior-point method on
 * max lambda: U^T y = lambda c, |y_j| <= w_j ("On the implementation of a primal-dual interior point method", Mehrotra 1992; "The Gaussian hare and the
 * Laplacian tortoise", Portnoy and Koenker 1997, for regression in the first power).
 */
#include "reduce/powers.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

int64_t weighted_gram_room(int64_t k) { return row_block_rows(k) * k; }

void weighted_gram(int64_t m, int64_t k, const double *u, const double *d, double *h, double *room)
{
    int64_t most = row_block_rows(k);
    memset(h, 0, (size_t)(k * k) * sizeof *h);
    for (int64_t i = 0; i < m; i += most) {
        int64_t rows = m - i < most ? m - i : most;
        for (int64_t r = 0; r < rows; r++) {
            double by = sqrt(d[i + r]);
            for (int64_t j = 0; j < k; j++) room[r * k + j] = by * u[(i + r) * k + j];
        }
        row_gram(rows, k, room, h);
    }
}

/* h's upper triangle becomes its factor; a little is added to the diagonal when it is not positive definite. */
static bool factor(int64_t k, double *h, double *copy)
{
    double trace = 0;
    for (int64_t i = 0; i < k; i++) trace += h[i * k + i];
    memcpy(copy, h, (size_t)(k * k) * sizeof *h);
    if (!(trace > 0) || !isfinite(trace)) return false;
    for (double add = 1e-15; add < 1e-3; add *= 100) {
        if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)k, h, (int)k) == 0) return true;
        memcpy(h, copy, (size_t)(k * k) * sizeof *h);
        for (int64_t i = 0; i < k; i++) h[i * k + i] += add * trace;
    }
    return false;
}

static void solve(int64_t k, const double *h, double *x) { LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)k, 1, h, (int)k, x, (int)k); }

static double dot(int64_t k, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++) sum += a[i] * b[i];
    return sum;
}

static void apply(const sensitivity_problem *s, const double *z, double *out)
{
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)s->m, (int)s->k, 1, s->u, (int)s->k, z, 1, 0, out, 1);
}

static double weighted_sum(const sensitivity_problem *s, const double *value)
{
    double sum = 0;
    for (int64_t j = 0; j < s->m; j++) sum += s->weight ? s->weight[j] * value[j] : value[j];
    return sum;
}

typedef struct places {
    double *h, *copy, *t, *gram;         /* [k,k] twice, [k], a block */
    double *r, *d, *v, *power, *spare[6]; /* [m] each */
} places;

static places places_of(int64_t m, int64_t k, double *room)
{
    places a = {.h = room, .copy = room + k * k, .t = room + 2 * k * k, .gram = room + 2 * k * k + 2 * k};
    room = a.gram + weighted_gram_room(k);
    a.r = room, a.d = room + m, a.v = room + 2 * m, a.power = room + 3 * m;
    for (int i = 0; i < 6; i++) a.spare[i] = room + (4 + i) * m;
    return a;
}

size_t sensitivity_room(int64_t m, int64_t k) { return (size_t)(2 * k * k + 2 * k + weighted_gram_room(k) + 10 * m); }

/* ---- p > 1 ---- */

/* D, kept away from infinity (p < 2) and from a singular H (p > 2). */
static void curvature(const sensitivity_problem *s, const double *r, double *d)
{
    double top = 0, p = s->p;
    for (int64_t j = 0; j < s->m; j++) top = fmax(top, fabs(r[j]));
    double low = top * (p < 2 ? 1e-10 : 1e-6);
    for (int64_t j = 0; j < s->m; j++) d[j] = fmax(fabs(r[j]), low);
    row_powers(s->m, d, p - 2, d);
    for (int64_t j = 0; j < s->m && s->weight; j++) d[j] *= s->weight[j];
}

/* |y|_q^p of y = D v. */
static double dual_bound(const sensitivity_problem *s, const places *a)
{
    double p = s->p, q = p / (p - 1);
    for (int64_t j = 0; j < s->m; j++) {
        double w = s->weight ? s->weight[j] : 1;
        a->power[j] = w > 0 ? a->d[j] / w * a->v[j] : 0;
    }
    row_powers(s->m, a->power, q, a->power);
    return pow(weighted_sum(s, a->power), p / q);
}

/* d F / d by at r + by (v - r), over p. */
static double slope_at(const sensitivity_problem *s, const places *a, double by)
{
    double *r = a->spare[0];
    for (int64_t j = 0; j < s->m; j++) r[j] = a->r[j] + by * (a->v[j] - a->r[j]);
    row_powers(s->m, r, s->p - 1, a->power);
    for (int64_t j = 0; j < s->m; j++) a->power[j] = copysign(a->power[j], r[j]) * (a->v[j] - a->r[j]);
    return weighted_sum(s, a->power);
}

/* A step of at most `most` with a slope of at most a tenth of that at 0: F is convex. Directions in which F is flat make the full step absurdly long. */
static double step_length(const sensitivity_problem *s, const places *a, double most)
{
    double low = 0, high = most, begin = slope_at(s, a, 0);
    if (!(begin < 0)) return 0;
    if (slope_at(s, a, most) <= 0.1 * -begin) return most;
    for (int i = 0; i < 40; i++) {
        double middle = low > 0 ? (high > 4 * low ? sqrt(low * high) : (low + high) / 2) : 0.1 * high, there = slope_at(s, a, middle);
        if (fabs(there) <= 0.1 * -begin) return middle;
        if (there < 0) low = middle;
        else high = middle;
    }
    return low;
}

/* From z, c.z = 1. */
static void solve_smooth(const sensitivity_problem *s, const double *c, const places *a, double *z, double *lower, double *upper)
{
    int64_t k = s->k;
    double p = s->p;
    for (int step = 0; step < s->steps; step++) {
        apply(s, z, a->r);
        row_powers(s->m, a->r, p, a->power);
        *lower = fmax(*lower, 1 / weighted_sum(s, a->power));
        curvature(s, a->r, a->d);
        weighted_gram(s->m, k, s->u, a->d, a->h, a->gram);
        if (!factor(k, a->h, a->copy)) return;
        memcpy(a->t, c, (size_t)k * sizeof *c);
        solve(k, a->h, a->t);
        apply(s, a->t, a->v);
        *upper = fmin(*upper, dual_bound(s, a));
        if (*upper <= *lower * (1 + s->tolerance)) return;
        double ct = dot(k, c, a->t);
        if (!(ct > 0)) return;
        for (int64_t j = 0; j < s->m; j++) a->v[j] /= ct;
        double taken = step_length(s, a, p < 1.05 ? 20 : 1 / (p - 1));
        if (!(taken > 0)) return; /* lowest to rounding */
        for (int64_t j = 0; j < k; j++) z[j] += taken * (a->t[j] / ct - z[j]);
    }
}

/*
 * For large p the function is flat but for its largest residuals, and Newton's steps from the leverage's direction are short: smaller powers, roughly, first.
 */
static void solve_rising(const sensitivity_problem *s, const double *c, const places *a, double *z, double *lower, double *upper)
{
    for (double p = 3; p < s->p; p *= 1.5) {
        sensitivity_problem early = *s;
        double low = 0, high = INFINITY;
        early.p = p, early.tolerance = 0.05, early.steps = 12;
        solve_smooth(&early, c, a, z, &low, &high);
    }
    solve_smooth(s, c, a, z, lower, upper);
}

/* ---- p = 1 ---- */

typedef struct interior {
    double *high, *low, *y, *move, *high_move, *low_move; /* multipliers of y <= w and y >= -w; y; their steps */
    double lambda;
} interior;

static double weight_of(const sensitivity_problem *s, int64_t j) { return s->weight ? s->weight[j] : 1; }

/* The step for complementarity `mu`, with the products of the last (affine) step when `again`: z in next, dlambda as the result. */
static double interior_step(const sensitivity_problem *s, const double *c, const places *a, interior *i, const double *inverse, double mu, bool again, double *next)
{
    int64_t k = s->k;
    double b = 0;
    memset(next, 0, (size_t)k * sizeof *next);
    for (int64_t j = 0; j < s->m; j++) {
        double up = weight_of(s, j) - i->y[j], down = weight_of(s, j) + i->y[j];
        double high = mu + (again ? i->high_move[j] * i->move[j] : 0), low = mu - (again ? i->low_move[j] * i->move[j] : 0);
        a->power[j] = high / up - low / down;
        i->high_move[j] = high / up - i->high[j], i->low_move[j] = low / down - i->low[j];
        a->v[j] = a->d[j] * a->power[j];
    }
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)s->m, (int)k, 1, s->u, (int)k, a->v, 1, 0, next, 1);
    solve(k, a->h, next);
    b = dot(k, c, next);
    double by = (1 - b) / dot(k, c, inverse);
    for (int64_t j = 0; j < k; j++) next[j] += by * inverse[j];
    apply(s, next, a->v);
    for (int64_t j = 0; j < s->m; j++) {
        double up = weight_of(s, j) - i->y[j], down = weight_of(s, j) + i->y[j];
        i->move[j] = a->d[j] * (a->v[j] - a->power[j]);
        i->high_move[j] += i->high[j] / up * i->move[j], i->low_move[j] -= i->low[j] / down * i->move[j];
    }
    return by;
}

static void interior_room(const sensitivity_problem *s, const interior *i, double *primal, double *dual)
{
    *primal = *dual = 1;
    for (int64_t j = 0; j < s->m; j++) {
        if (i->high[j] + *primal * i->high_move[j] < 0) *primal = -i->high[j] / i->high_move[j];
        if (i->low[j] + *primal * i->low_move[j] < 0) *primal = -i->low[j] / i->low_move[j];
        double up = weight_of(s, j) - i->y[j], down = weight_of(s, j) + i->y[j];
        if (up - *dual * i->move[j] < 0) *dual = up / i->move[j];
        if (down + *dual * i->move[j] < 0) *dual = -down / i->move[j];
    }
}

static double interior_gap(const sensitivity_problem *s, const interior *i, double primal, double dual)
{
    double gap = 0;
    for (int64_t j = 0; j < s->m; j++) {
        double y = i->y[j] + dual * i->move[j];
        gap += (i->high[j] + primal * i->high_move[j]) * (weight_of(s, j) - y) + (i->low[j] + primal * i->low_move[j]) * (weight_of(s, j) + y);
    }
    return gap;
}

static void solve_linear(const sensitivity_problem *s, const double *c, const places *a, double *z, double *lower, double *upper)
{
    int64_t k = s->k, m = s->m;
    interior i = {a->spare[0], a->spare[1], a->spare[2], a->spare[3], a->spare[4], a->spare[5], 0};
    double mean = 0, *next = a->t + k;
    apply(s, z, a->r);
    for (int64_t j = 0; j < m; j++) mean += fabs(a->r[j]) / (double)m, i.y[j] = i.move[j] = i.high_move[j] = i.low_move[j] = 0;
    for (int64_t j = 0; j < m; j++) i.high[j] = fmax(a->r[j], 0) + 0.5 * mean, i.low[j] = fmax(-a->r[j], 0) + 0.5 * mean;
    for (int step = 0; step < s->steps; step++) {
        double primal, dual, sum = 0, most = 0;
        apply(s, z, a->r);
        for (int64_t j = 0; j < m; j++) {
            double w = weight_of(s, j);
            sum += w * fabs(a->r[j]), most = fmax(most, fabs(i.y[j]) / w);
            a->d[j] = 1 / (i.high[j] / (w - i.y[j]) + i.low[j] / (w + i.y[j]));
        }
        *lower = fmax(*lower, 1 / sum);
        if (most > 0 && i.lambda > 0) *upper = fmin(*upper, most / i.lambda);
        if (*upper <= *lower * (1 + s->tolerance)) return;
        weighted_gram(m, k, s->u, a->d, a->h, a->gram);
        if (!factor(k, a->h, a->copy)) return;
        memcpy(a->t, c, (size_t)k * sizeof *c);
        solve(k, a->h, a->t);
        interior_step(s, c, a, &i, a->t, 0, false, next);
        interior_room(s, &i, &primal, &dual);
        double gap = interior_gap(s, &i, 0, 0), after = interior_gap(s, &i, primal, dual), share = after / gap;
        double by = interior_step(s, c, a, &i, a->t, share * share * share * gap / (2 * (double)m), true, next);
        interior_room(s, &i, &primal, &dual);
        primal = fmin(1, 0.995 * primal), dual = fmin(1, 0.995 * dual);
        if (!(primal > 1e-12) && !(dual > 1e-12)) return;
        for (int64_t j = 0; j < k; j++) z[j] += primal * (next[j] - z[j]);
        for (int64_t j = 0; j < m; j++) {
            i.high[j] += primal * i.high_move[j], i.low[j] += primal * i.low_move[j];
            i.y[j] += dual * i.move[j];
        }
        i.lambda += dual * by;
    }
}

void sensitivity_solve(const sensitivity_problem *s, const double *c, double *room, double *z, double *lower, double *upper)
{
    places a = places_of(s->m, s->k, room);
    double size = dot(s->k, c, c);
    *lower = 0, *upper = INFINITY;
    memset(z, 0, (size_t)s->k * sizeof *z);
    if (!(size > 0)) {
        *upper = 0;
        return;
    }
    for (int64_t j = 0; j < s->k; j++) z[j] = c[j] / size; /* the leverage's direction */
    if (s->p == 1) solve_linear(s, c, &a, z, lower, upper);
    else solve_rising(s, c, &a, z, lower, upper);
    if (*upper < *lower) *upper = *lower; /* both within rounding */
}
