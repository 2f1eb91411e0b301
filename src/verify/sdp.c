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
    lambda = factor_above(corner, p->n, count, fmax(lambda, 1e-12 * (rows > 0 ? all / rows : top) + DBL_MIN), factored);
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

static void scale_columns(const sdp_problem *p, int block, double by, int64_t rows, double *a)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = p->start[block]; j < p->start[block + 1]; j++) a[i * p->n + j] *= by;
}

double sdp_balance(sdp_problem *p, double *y)
{
    double first = 1;
    for (int k = 0; k < p->blocks; k++) {
        int64_t from = p->start[k], count = p->start[k + 1] - from;
        if (!count) continue;
        double scale = ldexp(1, (int)lrint(0.5 * log2(y[p->variable[from]])));
        scale_columns(p, k, 1 / scale, p->units, p->a);
        scale_columns(p, k, 1 / scale, p->outputs, p->c);
        p->c_error[k] /= scale;
        for (int l = 0; l < p->blocks; l++) p->a_error[l * p->blocks + k] /= scale;
        if (k == 0) first = scale;
        for (int l = 0; k && l < p->blocks; l++) p->a_error[k * p->blocks + l] *= scale;
        for (int64_t i = from; k && i < from + count; i++)
            for (int64_t j = 0; j < p->n; j++) p->a[(i - p->start[1]) * p->n + j] *= scale;
        for (int64_t i = p->variable[from]; i <= p->variable[from + count - 1]; i++) y[i] /= scale * scale;
    }
    return first * first;
}

/* ---- primal and dual steps ------------------------------------------------------------------------------ */

typedef struct stepper {
    const sdp_problem *p;
    double *m, *x;          /* [n, n] M(y), and the matrix X of the dual program */
    double *dm, *dx;        /* their directions */
    double *inverse;        /* P = M^-1 */
    double *along;          /* dM P of the predictor */
    double *trial;
    double *rows, *rows_x;  /* [units, n] A P, A X */
    double *square, *square_x; /* [units, units] A P A^T, A X A^T */
    double *hessian;        /* [variables, variables] tr(F_i X F_j P) */
    double *gradient, *dy, *predicted; /* [variables] tr(F_i P) */
    double *work;           /* [units, n] */
    double missing;         /* share of the start's infeasibility that X still has */
} stepper;

static int64_t numbers(const sdp_problem *p)
{
    return 7 * p->n * p->n + 3 * p->units * p->n + 2 * p->units * p->units + p->variables * p->variables + 3 * p->variables;
}

size_t sdp_workspace(const sdp_problem *p) { return (size_t)(numbers(p) + 8 * p->n + 64) * sizeof(double); }

static stepper stepper_of(const sdp_problem *p, double *at)
{
    stepper s = {.p = p, .missing = 1};
    double **const squares[] = {&s.m, &s.x, &s.dm, &s.dx, &s.inverse, &s.along, &s.trial}, **const rows[] = {&s.rows, &s.rows_x, &s.work};
    for (int i = 0; i < 7; i++) *squares[i] = at, at += p->n * p->n;
    for (int i = 0; i < 3; i++) *rows[i] = at, at += p->units * p->n;
    s.square = at, s.square_x = s.square + p->units * p->units, s.hessian = s.square_x + p->units * p->units;
    s.gradient = s.hessian + p->variables * p->variables, s.dy = s.gradient + p->variables, s.predicted = s.dy + p->variables;
    return s;
}

/* A b and (its part at and below the diagonal blocks) A b A^T of a symmetric b. */
static void look_through(const sdp_problem *p, const double *b, double *rows, double *square)
{
    const int n = (int)p->n, units = (int)p->units;
    for (int k = 1; k < p->blocks; k++) {
        int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
        if (count && from) cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, n, (int)from, 1, p->a + row * p->n, n, b, n, 0, rows + row * p->n, n);
    }
    for (int k = 1; k < p->blocks && square; k++) {
        int64_t from = p->start[k], count = p->start[k + 1] - from, row = from - p->start[1];
        if (count && from)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, units - (int)row, (int)count, (int)from, 1, rows + row * p->n, n, p->a + row * p->n, n, 0,
                        square + row * p->units + row, units);
    }
}

static bool invert(stepper *s)
{
    const sdp_problem *p = s->p;
    memcpy(s->inverse, s->m, (size_t)(p->n * p->n) * sizeof *s->m);
    if (!factor(p->n, s->inverse) || LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', (int)p->n, s->inverse, (int)p->n)) return false;
    mirror(p->n, s->inverse);
    return true;
}

/* tr(F_i b) of all variables, b symmetric; rows = A b. */
static void traces(const sdp_problem *p, const double *b, const double *rows, double *out)
{
    const int64_t first = p->start[1];
    memset(out, 0, (size_t)p->variables * sizeof *out);
    for (int64_t i = 0; i < p->n; i++)
        out[p->variable[i]] += b[i * p->n + i] - (i < first ? 0 : cblas_ddot((int)p->n, rows + (i - first) * p->n, 1, p->a + (i - first) * p->n, 1));
}

/* tr(F_i X F_j P): F_i is a sum of squares of coordinates less squares of rows of A, so each term is a product of two numbers that are at hand. */
static void schur(stepper *s)
{
    const sdp_problem *p = s->p;
    const int64_t first = p->start[1];
    memset(s->hessian, 0, (size_t)(p->variables * p->variables) * sizeof *s->hessian);
    for (int64_t i = 0; i < p->n; i++) {
        const double *inverse = s->inverse + i * p->n, *x = s->x + i * p->n, *rows = s->rows + (i - first) * p->n, *rows_x = s->rows_x + (i - first) * p->n;
        const double *square = s->square + (i - first) * p->units, *square_x = s->square_x + (i - first) * p->units;
        double *out = s->hessian + p->variable[i] * p->variables;
        for (int64_t j = 0; j <= i; j++) {
            double sum = inverse[j] * x[j];
            if (i >= first) sum -= rows[j] * rows_x[j];
            if (j >= first) {
                int64_t across = (j - first) * p->n + i;
                sum += square[j - first] * square_x[j - first] - s->rows[across] * s->rows_x[across];
            }
            /* Coordinates (i, j) and (j, i) both count; in the lower triangle the second belongs to the same entry only within one variable. */
            out[p->variable[j]] += p->variable[i] == p->variable[j] && i != j ? 2 * sum : sum;
        }
    }
    for (int64_t i = 0; i < p->variables; i++) {
        for (int64_t j = 0; j < i; j++) s->hessian[j * p->variables + i] = s->hessian[i * p->variables + j];
        s->hessian[i * p->variables + i] *= 1 + 1e-14;
    }
}

/*
 * The direction for X M = mu: dy from its right side (in dy, becomes the solution), dM, and dX = mu P - X - sym(X dM P) - sym(correction), where the
 * correction (in `trial`, NULL: none) is what the predictor neglected. "An interior-point method for semidefinite programming", Helmberg, Rendl, Vanderbei and Wolkowicz 1996.
 */
static void direct(stepper *s, double mu, const double *correction)
{
    const sdp_problem *p = s->p;
    const int n = (int)p->n;
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)p->variables, 1, s->hessian, (int)p->variables, s->dy, (int)p->variables);
    sdp_matrix(p, s->dy, false, s->dm, s->work);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, s->dm, n, s->inverse, n, 0, s->along, n);
    if (correction) memcpy(s->dx, correction, (size_t)(p->n * p->n) * sizeof *s->dx);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, s->x, n, s->along, n, correction ? 1 : 0, s->dx, n);
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double half = 0.5 * (s->dx[i * p->n + j] + s->dx[j * p->n + i]);
            s->dx[i * p->n + j] = s->dx[j * p->n + i] = mu * s->inverse[i * p->n + j] - s->x[i * p->n + j] - half;
        }
}

static bool inside(const stepper *s, const double *at, const double *direction, double step)
{
    for (int64_t i = 0; i < s->p->n * s->p->n; i++) s->trial[i] = at[i] + step * direction[i];
    return factor(s->p->n, s->trial);
}

/* About the largest step up to 1 that stays positive definite, from below. */
static double longest(const stepper *s, const double *at, const double *direction, int tries)
{
    double good = 0, bad = 1;
    if (inside(s, at, direction, 1)) return 1;
    for (int i = 0; i < tries || (good == 0 && i < 40); i++) {
        double step = good == 0 && i >= 3 ? 0.3 * bad : 0.5 * (good + bad);
        if (inside(s, at, direction, step)) good = step;
        else bad = step;
    }
    return good;
}

static double product(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/*
 * Mehrotra's predictor and corrector. Leaves dM, dX and dy; false when precision is at its end. Not in a hurry: towards the middle, where a full step is likely to
 * stay inside and makes X a point of the dual program.
 */
static bool predict_and_correct(stepper *s, bool hurry)
{
    const sdp_problem *p = s->p;
    const int n = (int)p->n;
    const double mu = product(p->n * p->n, s->m, s->x) / (double)p->n;
    for (int64_t i = 0; i < p->variables; i++) s->dy[i] = -p->cost[i];
    direct(s, 0, NULL);
    double step_x = longest(s, s->x, s->dx, 4), step_m = longest(s, s->m, s->dm, 4), after = 0;
    for (int64_t i = 0; i < p->n * p->n; i++) after += (s->m[i] + step_m * s->dm[i]) * (s->x[i] + step_x * s->dx[i]);
    double left = fmax(after / ((double)p->n * mu), 0), target = mu * (hurry ? fmin(fmax(left * left * left, 1e-3), 0.9) : 0.7);
    /* sym(dX dM P) of the predictor, into trial. */
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, s->dx, n, s->along, n, 0, s->trial, n);
    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < i; j++) s->trial[i * p->n + j] = s->trial[j * p->n + i] = 0.5 * (s->trial[i * p->n + j] + s->trial[j * p->n + i]);
    look_through(p, s->trial, s->work, NULL);
    traces(p, s->trial, s->work, s->predicted);
    for (int64_t i = 0; i < p->variables; i++) s->dy[i] = target * s->gradient[i] - p->cost[i] - s->predicted[i];
    direct(s, target, s->trial);
    for (int64_t i = 0; i < p->variables; i++)
        if (!isfinite(s->dy[i])) return false;
    return true;
}

static double cost_of(const sdp_problem *p, const double *y) { return product(p->variables, p->cost, y); }

/* The dual program's value at X, less what rounding has left of tr(F_i X) = cost_i, for multipliers up to three times those at hand. */
static double dual_value(stepper *s, const double *y, double value)
{
    const sdp_problem *p = s->p;
    double off = 0;
    traces(p, s->x, s->rows_x, s->predicted);
    for (int64_t i = 0; i < p->variables; i++) off += 2 * fabs(s->predicted[i] - p->cost[i]) * y[i];
    return value - product(p->n * p->n, s->m, s->x) - off;
}

/* One step; false when precision is at its end. */
static bool step_once(stepper *s, double gap, double *y, sdp_result *r)
{
    const sdp_problem *p = s->p;
    const int64_t all = p->n * p->n;
    const bool hurry = s->missing < 1e-9 || product(all, s->m, s->x) > 0.9 * gap * r->value;
    if (!invert(s)) return false;
    look_through(p, s->inverse, s->rows, s->square);
    traces(p, s->inverse, s->rows, s->gradient);
    schur(s);
    if (!factor(p->variables, s->hessian) || !predict_and_correct(s, hurry)) return false;
    double step_x = longest(s, s->x, s->dx, 6), step_m = longest(s, s->m, s->dm, 6);
    step_x = step_x < 1 ? 0.95 * step_x : 1, step_m = step_m < 1 ? 0.95 * step_m : 1;
    if (!(step_m > 1e-7) || !(step_x > 1e-7)) return false;
    for (int64_t i = 0; i < all; i++) s->m[i] += step_m * s->dm[i], s->x[i] += step_x * s->dx[i];
    for (int64_t i = 0; i < p->variables; i++) y[i] += step_m * s->dy[i];
    s->missing *= 1 - step_x;
    r->value = cost_of(p, y);
    look_through(p, s->x, s->rows_x, s->square_x);
    if (s->missing < 1e-9) r->lower = fmax(r->lower, dual_value(s, y, r->value));
    return true;
}

/* X = m / M(y) with the m at which it is nearest to what the dual program asks for: |cost - m tr(F P)| least in the metric of second derivatives. */
static bool start_dual(stepper *s)
{
    const sdp_problem *p = s->p;
    const int64_t all = p->n * p->n;
    if (!invert(s)) return false;
    look_through(p, s->inverse, s->rows, s->square);
    memcpy(s->x, s->inverse, (size_t)all * sizeof *s->x);
    memcpy(s->rows_x, s->rows, (size_t)(p->units * p->n) * sizeof *s->rows);
    memcpy(s->square_x, s->square, (size_t)(p->units * p->units) * sizeof *s->square);
    traces(p, s->inverse, s->rows, s->gradient);
    schur(s);
    if (!factor(p->variables, s->hessian)) return false;
    memcpy(s->dy, p->cost, (size_t)p->variables * sizeof *s->dy);
    LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', (int)p->variables, 1, s->hessian, (int)p->variables, s->dy, (int)p->variables);
    double m = product(p->variables, s->dy, p->cost) / product(p->variables, s->dy, s->gradient);
    if (!(m > 0 && m < INFINITY)) return false;
    for (int64_t i = 0; i < all; i++) s->x[i] *= m;
    look_through(p, s->x, s->rows_x, s->square_x);
    return true;
}

nigh_status sdp_solve(nigh_context *ctx, const sdp_problem *p, const sdp_options *options, double *y, sdp_result *result, void *workspace)
{
    stepper s = stepper_of(p, workspace);
    double began = nigh_clock();
    sdp_result r = {.value = cost_of(p, y), .stopped = "steps"};
    int most = options->steps ? options->steps : 100, before = dense_enter(ctx, 4.0 * (double)p->n * (double)p->n * (double)p->n);
    nigh_status status = NIGH_OK;
    sdp_matrix(p, y, true, s.m, s.work);
    if (!start_dual(&s)) r.stopped = "precision", most = 0;
    for (; r.steps < most && !(status = nigh_poll(ctx)); r.steps++) {
        if (r.value - r.lower <= options->gap * r.value) r.stopped = "gap";
        else if (options->seconds > 0 && nigh_clock() - began >= options->seconds) r.stopped = "time";
        else if (!step_once(&s, options->gap, y, &r)) r.stopped = "precision";
        else continue;
        break;
    }
    dense_leave(before);
    r.seconds = nigh_clock() - began;
    if (!status) *result = r;
    return status;
}
