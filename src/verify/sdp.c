/* The solver; see sdp.h. */
#include "verify/sdp.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/dense.h"

/* ---- the matrix ----------------------------------------------------------------------------------------- */

void sdp_matrix(const sdp_problem *p, const double *y, bool with_outputs, double *m, double *work)
{
    const int n = (int)p->n;
    memset(m, 0, (size_t)(p->n * p->n) * sizeof *m);
    for (int64_t i = 0; i < p->n; i++) m[i * p->n + i] = y[p->variable[i]];
    for (int k = 1; k < p->blocks; k++) {
        int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
        for (int64_t r = row; r < row + count; r++)
            for (int64_t j = 0; j < from; j++) work[r * p->n + j] = y[p->variable[p->start[1] + r]] * p->a[r * p->n + j];
        if (count && from)
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)from, (int)from, (int)count, -1, p->a + row * p->n, n, work + row * p->n, n, 1, m, n);
    }
    if (with_outputs && p->outputs) cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, (int)p->outputs, -1, p->c, n, p->c, n, 1, m, n);
}

/* Factor in place of a symmetric matrix; false: not positive definite. */
static bool factor(int64_t n, double *a) { return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)n, a, (int)n) == 0; }

static void mirror(int64_t n, double *a)
{
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < n; i0 += TILE)
        for (int64_t j0 = 0; j0 <= i0; j0 += TILE)
            for (int64_t i = i0; i < n && i < i0 + TILE; i++)
                for (int64_t j = j0; j < i && j < j0 + TILE; j++) a[i * n + j] = a[j * n + i];
}

/* ---- start ---------------------------------------------------------------------------------------------- */

static double square_norm(int64_t rows, int64_t columns, const double *a, int64_t stride)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) sum += a[i * stride + j] * a[i * stride + j];
    return sum;
}

/* About the largest eigenvalue of a positive semidefinite block of v. x, z [count]. */
static double largest(const double *v, int64_t stride, int64_t count, double *x, double *z)
{
    double value = 0;
    for (int64_t i = 0; i < count; i++) x[i] = 1 + 0.1 * (double)(i % 7);
    for (int step = 0; step < 40; step++) {
        double norm = sqrt(square_norm(1, count, x, count));
        if (!(norm > 0)) return 0;
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)count, (int)count, 1 / norm, v, (int)stride, x, 1, 0, z, 1);
        value = sqrt(square_norm(1, count, z, count));
        memcpy(x, z, (size_t)count * sizeof *x);
    }
    return value;
}

/* lambda I - v of a block, factored: lambda grows until that succeeds. */
static double factor_above(const double *v, int64_t stride, int64_t count, double lambda, double *factored)
{
    for (int tries = 0; tries < 60; tries++, lambda *= 1.5) {
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < count; j++) factored[i * count + j] = (i == j ? lambda : 0) - v[i * stride + j];
        if (factor(count, factored)) return lambda;
    }
    return NAN;
}

/* Takes block k out of the quadratic form v: v of the earlier coordinates becomes what is the most over those of block k. */
static double take_out(const sdp_problem *p, int k, double *v, double *factored, double *side)
{
    const int n = (int)p->n;
    int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
    const double *corner = v + from * p->n + from, *a = p->a + row * p->n;
    double top = largest(corner, p->n, count, side, side + count), rows = square_norm(count, from, a, p->n), cross = square_norm(count, from, v + from * p->n, p->n);
    double all = 0;
    for (int64_t i = 0; i < from; i++) all += v[i * p->n + i];
    double lambda = 1.05 * top + (rows > 0 ? fmax(sqrt(cross / rows), 1e-3 * all / rows) : 0);
    lambda = factor_above(corner, p->n, count, fmax(lambda, 1e-12 * (all + top) + DBL_MIN), factored);
    for (int64_t i = 0; i < count; i++) memcpy(side + i * p->n, v + (from + i) * p->n, (size_t)from * sizeof *side);
    /* side = L^-1 v of (block, earlier): row-major symmetric storage makes the factor upper for row-major eyes, U^T U. */
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, (int)count, (int)from, 1, factored, (int)count, side, n);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)from, (int)from, (int)count, 1, side, n, side, n, 1, v, n);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)from, (int)from, (int)count, lambda, a, n, a, n, 1, v, n);
    return lambda;
}

static void set_block(const sdp_problem *p, int k, double value, double *y)
{
    for (int64_t i = p->start[k]; i < p->start[k + 1]; i++) y[p->variable[i]] = value;
}

nigh_status sdp_start(nigh_context *ctx, const sdp_problem *p, double *y, void *workspace)
{
    double *v = workspace, *factored = v + p->n * p->n, *side = factored + p->n * p->n;
    int before = dense_enter(ctx, 2.0 * (double)p->n * (double)p->n * (double)p->n);
    memset(v, 0, (size_t)(p->n * p->n) * sizeof *v);
    if (p->outputs) cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)p->n, (int)p->n, (int)p->outputs, 1, p->c, (int)p->n, p->c, (int)p->n, 0, v, (int)p->n);
    for (int k = p->blocks - 1; k > 0; k--)
        if (p->start[k + 1] > p->start[k]) set_block(p, k, take_out(p, k, v, factored, side), y);
    double top = 1.1 * largest(v, p->n, p->start[1], side, side + p->n);
    top = factor_above(v, p->n, p->start[1], fmax(top, DBL_MIN), factored);
    set_block(p, 0, 1.1 * top, y);
    dense_leave(before);
    for (int64_t i = 0; i < p->variables; i++)
        if (!(y[i] > 0 && y[i] < INFINITY)) return nigh_fail(ctx, NIGH_UNSUPPORTED, "weights so large or small that no bound can be computed (multiplier %lld is %g)", (long long)i, y[i]);
    return NIGH_OK;
}

/* ---- Newton's method ------------------------------------------------------------------------------------ */

typedef struct newton {
    const sdp_problem *p;
    double *m, *trial;      /* [n, n] */
    double *inverse;        /* [n, n] P */
    double *by_cost, *by_log; /* [n, n] how M changes along the two parts of the direction */
    double *rows, *square;  /* [units, n] A P; [units, units] A P A^T */
    double *hessian;        /* [variables, variables] */
    double *cost, *log;     /* [variables] H^-1 cost, H^-1 gradient of log det */
    double *gradient;
    double *work;           /* [units, n] */
} newton;

static int64_t numbers(const sdp_problem *p)
{
    return 5 * p->n * p->n + 2 * p->units * p->n + p->units * p->units + p->variables * p->variables + 4 * p->variables;
}

size_t sdp_workspace(const sdp_problem *p) { return (size_t)(numbers(p) + 8 * p->n + 64) * sizeof(double); }

static newton newton_of(const sdp_problem *p, double *at)
{
    newton s = {.p = p};
    double **const squares[] = {&s.m, &s.trial, &s.inverse, &s.by_cost, &s.by_log};
    for (int i = 0; i < 5; i++) *squares[i] = at, at += p->n * p->n;
    s.rows = at, s.work = s.rows + p->units * p->n, s.square = s.work + p->units * p->n, s.hessian = s.square + p->units * p->units;
    s.cost = s.hessian + p->variables * p->variables, s.log = s.cost + p->variables, s.gradient = s.log + p->variables;
    return s;
}

/* P, A P and A P A^T. */
static bool invert(newton *s)
{
    const sdp_problem *p = s->p;
    const int n = (int)p->n, units = (int)p->units;
    memcpy(s->inverse, s->m, (size_t)(p->n * p->n) * sizeof *s->m);
    if (!factor(p->n, s->inverse) || LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', n, s->inverse, n)) return false;
    mirror(p->n, s->inverse);
    for (int k = 1; k < p->blocks; k++) {
        int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
        if (count && from)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, n, (int)from, 1, p->a + row * p->n, n, s->inverse, n, 0, s->rows + row * p->n, n);
    }
    for (int k = 1; k < p->blocks; k++) { /* the part at and below the diagonal block */
        int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
        if (count && from)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, units - (int)row, (int)count, (int)from, 1, s->rows + row * p->n, n, p->a + row * p->n, n, 0,
                        s->square + row * p->units + row, units);
    }
    return true;
}

/* Gradient and second derivatives of -log det (the gradient with its sign turned). */
static void derivatives(newton *s)
{
    const sdp_problem *p = s->p;
    const int64_t first = p->start[1];
    memset(s->gradient, 0, (size_t)p->variables * sizeof *s->gradient);
    memset(s->hessian, 0, (size_t)(p->variables * p->variables) * sizeof *s->hessian);
    for (int64_t i = 0; i < p->n; i++) {
        const double *inverse = s->inverse + i * p->n, *rows = i < first ? NULL : s->rows + (i - first) * p->n, *square = rows ? s->square + (i - first) * p->units : NULL;
        double *out = s->hessian + p->variable[i] * p->variables;
        s->gradient[p->variable[i]] += inverse[i] - (square ? square[i - first] : 0);
        for (int64_t j = 0; j <= i; j++) {
            double sum = inverse[j] * inverse[j];
            if (rows) sum -= rows[j] * rows[j];
            if (j >= first) {
                double across = s->rows[(j - first) * p->n + i];
                sum += square[j - first] * square[j - first] - across * across;
            }
            /* Coordinates (i, j) and (j, i) both count; in the lower triangle of the Hessian the second belongs to the same entry only within one variable. */
            out[p->variable[j]] += p->variable[i] == p->variable[j] && i != j ? 2 * sum : sum;
        }
    }
    for (int64_t i = 0; i < p->variables; i++)
        for (int64_t j = 0; j < i; j++) s->hessian[j * p->variables + i] = s->hessian[i * p->variables + j];
}

static bool directions(newton *s)
{
    const sdp_problem *p = s->p;
    const int n = (int)p->variables;
    for (int64_t i = 0; i < p->variables; i++) s->hessian[i * p->variables + i] *= 1 + 1e-14;
    if (!factor(p->variables, s->hessian)) return false;
    memcpy(s->cost, p->cost, (size_t)n * sizeof *s->cost);
    memcpy(s->log, s->gradient, (size_t)n * sizeof *s->log);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', n, 1, s->hessian, n, s->cost, n);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', n, 1, s->hessian, n, s->log, n);
    sdp_matrix(p, s->cost, false, s->by_cost, s->work);
    sdp_matrix(p, s->log, false, s->by_log, s->work);
    return true;
}

/* M(y + step (log - cost / m)) into trial. */
static void move(newton *s, double step, double m)
{
    const double log = step, cost = step / m;
    for (int64_t i = 0; i < s->p->n * s->p->n; i++) s->trial[i] = s->m[i] + log * s->by_log[i] - cost * s->by_cost[i];
}

/* Largest lower bound of dual points at m and below; *m becomes the least at which there was one. NAN: none. */
static double lower_bound(newton *s, double value, double *m)
{
    const sdp_problem *p = s->p;
    double along_log = 0, along_cost = 0, best = NAN;
    for (int64_t i = 0; i < p->variables; i++) along_log += s->gradient[i] * s->log[i], along_cost += s->gradient[i] * s->cost[i];
    double at = *m;
    for (int tries = 0; tries < 5; tries++, at *= 0.4) {
        move(s, -1, at);
        if (!factor(p->n, s->trial)) break;
        double gap = at * ((double)p->n - along_log) + along_cost;
        if (!(value - gap <= best)) best = value - gap;
        *m = at;
    }
    return best;
}

/* The largest of the steps 1, 0.7, 0.49 .. that stays inside; 0: none. */
static double step_of(newton *s, double m)
{
    double step = 1;
    for (int tries = 0; tries < 40; tries++, step *= 0.7) {
        move(s, step, m);
        if (factor(s->p->n, s->trial)) return tries ? 0.9 * step : 1;
    }
    return 0;
}

static double cost_of(const sdp_problem *p, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < p->variables; i++) sum += p->cost[i] * y[i];
    return sum;
}

/* One step; false when precision is at its end. */
static bool newton_step(newton *s, double *y, double *m, sdp_result *r)
{
    const sdp_problem *p = s->p;
    if (!invert(s)) return false;
    derivatives(s);
    if (!directions(s)) return false;
    double at = *m, bound = lower_bound(s, r->value, &at);
    if (bound > r->lower) r->lower = bound;
    if (!isnan(bound)) *m = fmin(at, (r->value - r->lower) / (4 * (double)p->n));
    if (!(*m > 0)) return false;
    double step = step_of(s, *m);
    if (step < 1e-9) return false;
    move(s, step, *m);
    memcpy(s->m, s->trial, (size_t)(p->n * p->n) * sizeof *s->m);
    for (int64_t i = 0; i < p->variables; i++) y[i] += step * (s->log[i] - s->cost[i] / *m);
    r->value = cost_of(p, y);
    return true;
}

nigh_status sdp_solve(nigh_context *ctx, const sdp_problem *p, const sdp_options *options, double *y, sdp_result *result, void *workspace)
{
    newton s = newton_of(p, workspace);
    double began = nigh_clock();
    sdp_result r = {.value = cost_of(p, y), .stopped = "steps"};
    int most = options->steps ? options->steps : 200, before = dense_enter(ctx, 4.0 * (double)p->n * (double)p->n * (double)p->n);
    double m = r.value / (2 * (double)p->n);
    nigh_status status = NIGH_OK;
    sdp_matrix(p, y, true, s.m, s.work);
    for (; r.steps < most && !(status = nigh_poll(ctx)); r.steps++) {
        if (r.value - r.lower <= options->gap * r.value) r.stopped = "gap";
        else if (options->seconds > 0 && nigh_clock() - began >= options->seconds) r.stopped = "time";
        else if (!newton_step(&s, y, &m, &r)) r.stopped = "precision";
        else continue;
        break;
    }
    dense_leave(before);
    r.seconds = nigh_clock() - began;
    if (!status) *result = r;
    return status;
}
