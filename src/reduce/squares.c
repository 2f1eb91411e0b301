/*
 * Least squares with a receipt: a first solution from a sketch, from QR or from the normal equations, one pass that measures its error, conjugate
 * gradients or refinement where E asks for more ("Blendenpik: supercharging LAPACK's least-squares solver", Avron, Maymounkov and Toledo 2010).
 */
#include "reduce/squares.h"

#include "nigh/krylov.h"
#include "nigh/special.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {"auto", "qr", "normal", "srht", "count", "sparse", "gaussian", "lsqr", "direct"};

const char *nigh_squares_method_name(nigh_squares_method method) { return (unsigned)method < NIGH_SQUARES_METHODS ? names[method] : "unknown"; }

nigh_status nigh_squares_method_find(nigh_context *ctx, const char *name, nigh_squares_method *method)
{
    for (int k = 0; k < NIGH_SQUARES_METHODS; k++)
        if (strcmp(name, names[k]) == 0) return *method = (nigh_squares_method)k, NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "the method is '%s'; auto, qr, normal, srht, count, sparse, gaussian, lsqr and direct are known", name);
}

/* One way of solving, from beginning to end. */
typedef struct attempt {
    nigh_context *ctx;
    const nigh_squares *problem;
    nigh_squares_options o;
    nigh_squares_choice choice;
    nigh_squares_receipt receipt;
    rows r;
    factor f;
    double *x, *plain, *g, *step, *room, *bound; /* [d] each; plain: the sketch's solution */
    double square, size;  /* |r|^2 and |R^-T g| at x */
    double sigma, ratio;  /* |S Q| at most; true error at most ratio * size at the sketch's solution */
    double floor;         /* |A (x - x*)| that rounding leaves */
    double *gram;         /* of normal equations: the Gram matrix, and A^T b behind it; NULL: none */
    bool moved;           /* x is no longer the sketch's solution */
} attempt;

/* ---- factors and first solutions -------------------------------------------------------------------------------------------- */

static nigh_sketch_kind kind_of(nigh_squares_method m)
{
    return m == NIGH_SQUARES_SRHT ? NIGH_SKETCH_SRHT : m == NIGH_SQUARES_COUNT ? NIGH_SKETCH_COUNT : m == NIGH_SQUARES_SPARSE ? NIGH_SKETCH_SPARSE : NIGH_SKETCH_GAUSSIAN;
}

static nigh_status not_finite(const attempt *a)
{
    nigh_status status = rows_find_bad(&a->r);
    return status ? status : nigh_fail(a->ctx, NIGH_INVALID, "the numbers are too large: sums of their squares are not finite; divide the columns by something");
}

/*
 * Least squares of the sketch itself by its normal equations and one refinement, which cost half of a QR's work at twice its speed. *done: false where
 * the columns go together too closely for them.
 */
static nigh_status sketch_normal(const attempt *a, const rows *r, factor *f, double *x, bool *done)
{
    int64_t d = r->problem->d;
    double size, *gram = nigh_alloc_zero(a->ctx, (size_t)(d * d), sizeof *gram), *g = nigh_alloc(a->ctx, 2 * (size_t)d * sizeof *g),
                 *room = nigh_alloc(a->ctx, (size_t)rows_room(r) * sizeof *room);
    nigh_status status = gram && g && room ? rows_gram(r, gram, g) : NIGH_MEMORY;
    if (!status) status = factor_from_gram(a->ctx, d, gram, f);
    if (status) nigh_free(a->ctx, gram);
    *done = !status && f->dependent < 0 && f->smallest > 1e-3 * f->largest;
    if (!status && !*done) factor_free(f);
    if (*done) {
        double square;
        factor_step(f, g, x, &size);
        rows_pass(r, true, x, &square, g, room);
        factor_step(f, g, g + d, &size);
        for (int64_t j = 0; j < d; j++) x[j] += g[d + j];
        *done = isfinite(square);
        if (!*done) factor_free(f);
    }
    nigh_free(a->ctx, g);
    nigh_free(a->ctx, room);
    return status;
}

/* The factor and the solution x[d] of a sketch; f->dependent >= 0: it has none. */
static nigh_status sketch_solve(attempt *a, uint64_t seed, factor *f, double *x)
{
    const nigh_squares *p = a->problem;
    int64_t m = a->choice.rows, d = p->d;
    double began = nigh_clock(), *sa = nigh_alloc(a->ctx, (size_t)(m * d + m) * sizeof *sa), *sb = sa ? sa + m * d : NULL, *r = NULL;
    bool done = false;
    nigh_sketch *s = NULL;
    nigh_status status = sa ? nigh_sketch_new(a->ctx, &(nigh_sketch_spec){.kind = kind_of(a->choice.method), .n = p->n, .m = m, .seed = seed}, &s) : NIGH_MEMORY;
    if (!status) status = p->a ? nigh_sketch_apply(a->ctx, s, d, d, p->a, a->r.scale, sa) : nigh_sketch_apply_sparse(a->ctx, s, p->sparse, a->r.scale, sa);
    if (!status) status = nigh_sketch_apply(a->ctx, s, 1, 1, p->b, a->r.scale, sb);
    double middle = nigh_clock();
    int threads = m * d < 1 << 17 ? 1 : a->r.threads;
    nigh_squares small = {m, d, sa, NULL, sb, NULL};
    if (!status) status = sketch_normal(a, &(rows){a->ctx, &small, a->r.kernels, threads, NULL, a->r.penalty}, f, x, &done);
    if (!status && !done) {
        if (!(r = nigh_alloc(a->ctx, (size_t)(d * d) * sizeof *r))) status = NIGH_MEMORY;
        if (!status) status = rows_qr(a->ctx, threads, m, d, sa, sb, NULL, a->r.penalty, r, x);
        if (!status && !(rows_finite(d * d, r) && rows_finite(d, x))) status = not_finite(a);
        if (!status) status = factor_from_qr(a->ctx, d, r, f);
        if (status) nigh_free(a->ctx, r);
        else if (f->dependent < 0) factor_back(f, x, x);
    }
    a->receipt.seconds[0] += middle - began;
    a->receipt.seconds[1] += nigh_clock() - middle;
    nigh_sketch_free(a->ctx, s);
    nigh_free(a->ctx, sa);
    return status;
}

/* The factor and x; f.dependent >= 0: no solution this way. */
static nigh_status first(attempt *a)
{
    int64_t d = a->problem->d;
    nigh_squares_method method = a->choice.method;
    double began = nigh_clock(), *c = a->g;
    if (method == NIGH_SQUARES_DIRECT) {
        nigh_sparse *gram = NULL;
        nigh_status status = rows_gram_sparse(&a->r, &gram, c);
        a->receipt.seconds[0] += nigh_clock() - began, began = nigh_clock();
        if (!status) status = factor_from_sparse(a->ctx, gram, &a->f);
        nigh_sparse_free(a->ctx, gram);
        a->receipt.seconds[1] += nigh_clock() - began;
        return status || a->f.dependent >= 0 ? status : factor_step(&a->f, c, a->x, &a->size);
    }
    if (squares_is_sketch(method)) return sketch_solve(a, a->o.seed, &a->f, a->x);
    double *r = nigh_alloc_zero(a->ctx, (size_t)(d * d), sizeof *r);
    nigh_status status = r ? NIGH_OK : NIGH_MEMORY;
    if (!status && method == NIGH_SQUARES_NORMAL) status = rows_gram(&a->r, r, c);
    else if (!status) status = rows_qr(a->ctx, a->r.threads, a->problem->n, d, a->problem->a, a->problem->b, a->r.scale, a->r.penalty, r, c);
    a->receipt.seconds[0] += nigh_clock() - began;
    began = nigh_clock();
    bool finite = !status && rows_finite(d * d, r) && rows_finite(d, c);
    if (!status && !finite) {
        if (method == NIGH_SQUARES_NORMAL && rows_find_bad(&a->r) == NIGH_OK) memset(r, 0, (size_t)(d * d) * sizeof *r), finite = true; /* overflow: QR has none */
        else status = not_finite(a);
    }
    if (!status && method == NIGH_SQUARES_NORMAL) {
        nigh_free(a->ctx, a->gram);
        if (!(a->gram = nigh_alloc(a->ctx, (size_t)(d * d + d) * sizeof *a->gram))) status = NIGH_MEMORY;
        else memcpy(a->gram, r, (size_t)(d * d) * sizeof *r), memcpy(a->gram + d * d, c, (size_t)d * sizeof *c);
    }
    if (!status) status = method == NIGH_SQUARES_NORMAL ? factor_from_gram(a->ctx, d, r, &a->f) : factor_from_qr(a->ctx, d, r, &a->f);
    if (status) {
        nigh_free(a->ctx, r);
        return status;
    }
    a->receipt.seconds[1] += nigh_clock() - began;
    if (a->f.dependent >= 0) return NIGH_OK;
    if (method == NIGH_SQUARES_NORMAL) return factor_step(&a->f, c, a->x, &a->size);
    factor_back(&a->f, c, a->x);
    return NIGH_OK;
}

/* ---- measuring and improving --------------------------------------------------------------------------------------------------- */

/* |r|, g and |R^-T g| at x; what x would be after one step in a->step. */
static nigh_status look(attempt *a)
{
    rows_pass(&a->r, true, a->x, &a->square, a->g, a->room);
    if (!isfinite(a->square)) return not_finite(a);
    nigh_status status = factor_step(&a->f, a->g, a->step, &a->size);
    a->floor = 0x1p-52 * 4 * sqrt((double)a->problem->d) * (a->receipt.target + sqrt(a->square));
    return status ? status : nigh_poll(a->ctx);
}

/* |A (x - x*)| at most. */
static double error_bound(const attempt *a) { return fmax(a->size, a->floor) * (a->moved ? a->sigma : a->ratio); }

/* e = |A (x - x*)| as a share of |A x* - b|: the excess sqrt(1 + e^2) - 1 of the residual. */
static double excess_of(const attempt *a, double error)
{
    if (error <= a->floor * 2 * a->sigma) return sqrt(a->square) > 0 ? fmin(error * error / a->square, 1e-16) : 0; /* nothing left but rounding */
    double rest = a->square - error * error;
    if (!(rest > 0)) return INFINITY;
    double more = error * error / rest;
    return more / (1 + sqrt(1 + more));
}

static bool has_first_bound(const attempt *a)
{
    return !a->moved && (a->choice.method == NIGH_SQUARES_SRHT || a->choice.method == NIGH_SQUARES_GAUSSIAN);
}

/* Bounds of the coefficients, and the largest in units of |A x - b| |A^+| / sqrt(d). */
static nigh_status bounds(attempt *a)
{
    int64_t d = a->problem->d, m = a->choice.rows;
    nigh_status status = factor_rows(&a->f);
    if (status) return status;
    double inverse = 0, worst = 0, second = error_bound(a) * a->sigma, root = sqrt(a->square);
    double one = has_first_bound(a) ? sketch_quantile(d, a->o.delta) * root * sqrt(sketch_share(a->choice.method, a->problem->n, m) / (double)m) : INFINITY;
    one = fmax(one, a->floor);
    for (int64_t i = 0; i < d; i++) {
        a->bound[i] = a->f.rows[i] * fmin(one, second);
        inverse = fmax(inverse, a->f.rows[i] * a->f.unit[i]);
        worst = fmax(worst, a->bound[i] * a->f.unit[i]);
    }
    if (a->f.smallest > 0) inverse = 1 / a->f.smallest;
    a->receipt.inverse = inverse;
    a->receipt.coordinate = root > 0 ? sqrt((double)d) * worst / (root * inverse) : 0;
    if (fmin(one, second) <= 2 * a->floor * a->sigma * a->sigma) a->receipt.coordinate = fmin(a->receipt.coordinate, a->o.error); /* rounding: no method gives less */
    a->receipt.bounded = true;
    return NIGH_OK;
}

static nigh_status judge(attempt *a)
{
    nigh_squares_receipt *t = &a->receipt;
    t->residual = sqrt(a->square);
    t->excess = excess_of(a, a->size);
    t->excess_bound = excess_of(a, error_bound(a));
    nigh_status status = bounds(a);
    t->met = a->o.coordinates ? t->coordinate <= a->o.error : t->excess_bound <= a->o.error;
    return status;
}

/* The same from the sums of the normal equations, which cost no pass; false: they do not show E well enough. */
static nigh_status look_at_sums(attempt *a, bool *done)
{
    int64_t d = a->problem->d;
    *done = a->gram && a->choice.method == NIGH_SQUARES_NORMAL &&
            rows_from_gram(&a->r, a->gram, a->gram + d * d, &a->f, a->x, a->receipt.target, a->step, &a->square, &a->size);
    if (!*done) return NIGH_OK;
    a->floor = 0x1p-52 * 4 * sqrt((double)d) * (a->receipt.target + sqrt(a->square));
    nigh_status status = judge(a);
    *done = a->receipt.met;
    return status ? status : nigh_poll(a->ctx);
}

typedef struct inner {
    const attempt *a;
    double *x, *g, *room;
} inner;

/* y = R^-T A^T A R^-1 x */
static nigh_status inner_apply(void *user, const void *x, void *y)
{
    inner *in = user;
    double square;
    factor_back(&in->a->f, x, in->x);
    rows_pass(&in->a->r, false, in->x, &square, in->g, in->room);
    factor_forward(&in->a->f, in->g, y);
    return NIGH_OK;
}

/* Conjugate gradients in the coordinates R x until |R^-T g| is `wanted`; true residuals are taken at the end. */
static nigh_status iterate(attempt *a, double wanted, int64_t most)
{
    int64_t d = a->problem->d;
    double *block = nigh_alloc_zero(a->ctx, 4 * (size_t)d, sizeof *block);
    if (!block) return NIGH_MEMORY;
    inner in = {a, block, block + d, a->room};
    double *right = block + 2 * d, *y = block + 3 * d;
    factor_forward(&a->f, a->g, right);
    nigh_krylov_report report = {0};
    nigh_operator op = {.dtype = NIGH_F64, .rows = d, .cols = d, .apply = inner_apply, .user = &in, .name = "A^T A, preconditioned"};
    nigh_status status = nigh_cg(a->ctx, &op, NULL, right, y, &(nigh_krylov_options){.tolerance = fmin(0.9, wanted / a->size), .most = most}, &report);
    if (!status) {
        factor_back(&a->f, y, y);
        for (int64_t j = 0; j < d; j++) a->x[j] += y[j];
        a->receipt.passes += report.iterations;
        a->moved = true;
    }
    nigh_free(a->ctx, block);
    return status;
}

static nigh_status step(attempt *a)
{
    for (int64_t j = 0; j < a->problem->d; j++) a->x[j] += a->step[j];
    a->moved = a->receipt.correct = true;
    a->receipt.passes++;
    return look(a);
}

/* The size that |R^-T g| must fall to. */
static double wanted_size(const attempt *a)
{
    double rest = sqrt(fmax(a->square - a->size * a->size, 0));
    if (a->o.coordinates) return a->o.error * rest / sqrt((double)a->problem->d) / (a->sigma * a->sigma) * 0.5;
    return squares_wanted(&a->o) * rest / a->sigma * 0.7;
}

static nigh_status improve(attempt *a)
{
    int64_t most = a->o.most ? a->o.most : 60;
    bool sketched = squares_is_sketch(a->choice.method);
    nigh_status status = judge(a);
    if (!status && sketched && a->o.correct) {
        status = step(a);
        if (!status) status = judge(a);
    }
    for (int round = 0; round < 4 && !status && !a->receipt.met && a->receipt.passes < most && a->size > a->floor; round++) {
        double before = a->size, wanted = fmax(wanted_size(a), 0.25 * a->floor);
        status = sketched ? iterate(a, wanted, most - a->receipt.passes) : step(a);
        if (!status && sketched) status = look(a);
        if (!status) status = judge(a);
        if (a->size > 0.5 * before) break; /* it does not get better */
    }
    return status;
}

/* The solution of another sketch beside the first one's, in units of the bound of their difference. */
static nigh_status second_sketch(attempt *a)
{
    int64_t d = a->problem->d, m = a->choice.rows;
    factor f = {0};
    nigh_status status = sketch_solve(a, a->o.seed + 0x9E3779B97F4A7C15u, &f, a->step);
    if (!status && f.dependent < 0) {
        double unit = sketch_quantile(d, a->o.delta) * a->receipt.residual * sqrt(2 * sketch_share(a->choice.method, a->problem->n, m) / (double)m), worst = 0;
        for (int64_t i = 0; i < d; i++) worst = fmax(worst, fabs(a->plain[i] - a->step[i]) / (unit * a->f.rows[i]));
        a->receipt.second = worst;
    }
    factor_free(&f);
    return status;
}

/* ---- without a factor ------------------------------------------------------------------------------------------------------------ */

static nigh_status lsqr_apply(void *user, const void *x, void *y)
{
    attempt *a = user;
    nigh_status status = nigh_sparse_multiply(a->ctx, a->problem->sparse, 1, 1, x, 0, y);
    for (int64_t i = 0; a->r.scale && i < a->problem->n; i++) ((double *)y)[i] *= a->r.scale[i];
    return status;
}

static nigh_status lsqr_transposed(void *user, const void *x, void *y)
{
    attempt *a = user;
    const double *from = x;
    for (int64_t i = 0; a->r.scale && i < a->problem->n; i++) a->plain[i] = a->r.scale[i] * from[i];
    return nigh_sparse_multiply_transposed(a->ctx, a->problem->sparse, 1, 1, a->r.scale ? a->plain : from, 0, y);
}

static nigh_status lsqr(attempt *a)
{
    const nigh_squares *p = a->problem;
    if (a->r.penalty) return nigh_fail(a->ctx, NIGH_UNSUPPORTED, "a ridge with lsqr; normal, count, sparse and direct are allowed");
    nigh_free(a->ctx, a->plain);
    a->plain = nigh_alloc(a->ctx, (size_t)p->n * 2 * sizeof *a->plain);
    if (!a->plain) return NIGH_MEMORY;
    double *b = a->plain + p->n, began = nigh_clock();
    for (int64_t i = 0; i < p->n; i++) b[i] = p->b[i] * (a->r.scale ? a->r.scale[i] : 1);
    memset(a->x, 0, (size_t)p->d * sizeof *a->x);
    nigh_operator op = {.dtype = NIGH_F64, .rows = p->n, .cols = p->d, .apply = lsqr_apply, .transposed = lsqr_transposed, .user = a, .name = "A"};
    nigh_krylov_report report;
    double tolerance = fmin(1e-3, squares_wanted(&a->o) * 1e-3);
    nigh_status status = nigh_lsqr(a->ctx, &op, 0, b, a->x, &(nigh_krylov_options){.tolerance = tolerance, .most = a->o.most > 0 ? a->o.most : 20000}, &report);
    if (status == NIGH_FAILED) return not_finite(a);
    if (status) return status;
    rows_pass(&a->r, true, a->x, &a->square, a->g, a->room);
    a->receipt.seconds[3] = nigh_clock() - began;
    a->receipt.passes = report.iterations;
    a->receipt.residual = sqrt(a->square);
    a->receipt.excess = a->receipt.excess_bound = a->receipt.coordinate = NAN;
    a->receipt.met = report.stop == NIGH_KRYLOV_MET || report.stop == NIGH_KRYLOV_EXHAUSTED;
    for (int64_t j = 0; j < p->d; j++) a->bound[j] = NAN;
    return NIGH_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------- */

static nigh_status attempt_run(attempt *a)
{
    if (a->choice.method == NIGH_SQUARES_LSQR) return lsqr(a);
    nigh_status status = first(a);
    if (status || a->f.dependent >= 0) return status;
    int64_t d = a->problem->d, m = a->choice.rows;
    bool sketched = squares_is_sketch(a->choice.method);
    a->sigma = a->ratio = 1;
    if (sketched) {
        a->sigma = sketch_distortion(a->choice.method, d, m, a->o.delta);
        double level = 1 + nigh_normal_tail_quantile(a->o.delta) * sqrt(2 / (double)d);
        a->ratio = has_first_bound(a) && level < a->sigma ? level : a->sigma;
    }
    a->receipt.distortion = a->sigma;
    a->receipt.smallest = a->f.smallest;
    a->receipt.largest = a->f.largest;
    memcpy(a->plain, a->x, (size_t)d * sizeof *a->x);
    double began = nigh_clock();
    bool done;
    status = look_at_sums(a, &done);
    if (!status && !done) status = look(a);
    a->receipt.seconds[2] += nigh_clock() - began;
    if (done) return status;
    began = nigh_clock();
    if (!status) status = improve(a);
    a->receipt.seconds[3] += nigh_clock() - began;
    return !status && a->o.second && sketched ? second_sketch(a) : status;
}

static void attempt_end(attempt *a)
{
    rows_free(&a->r);
    factor_free(&a->f);
    nigh_free(a->ctx, a->x);
    nigh_free(a->ctx, a->plain);
    nigh_free(a->ctx, a->room);
    nigh_free(a->ctx, a->gram);
}

static nigh_status attempt_begin(attempt *a)
{
    int64_t d = a->problem->d;
    nigh_status status = rows_new(a->ctx, a->problem, a->o.ridge, &a->r);
    if (status) return status;
    a->x = nigh_alloc_zero(a->ctx, 4 * (size_t)d, sizeof(double));
    a->plain = nigh_alloc_zero(a->ctx, (size_t)d, sizeof(double));
    a->room = nigh_alloc(a->ctx, (size_t)rows_room(&a->r) * sizeof(double));
    if (!a->x || !a->plain || !a->room) return attempt_end(a), NIGH_MEMORY;
    a->g = a->x + d, a->step = a->x + 2 * d, a->bound = a->x + 3 * d;
    a->receipt.target = sqrt(rows_target(a->problem));
    return NIGH_OK;
}

static nigh_status dependent(attempt *a)
{
    long long j = (long long)a->f.dependent;
    if (!(a->f.unit[j] > 0))
        return nigh_fail(a->ctx, NIGH_INVALID, "column %lld is all zeros (where the weights are not): leave it out, or give a ridge such as 1e-8", j + 1);
    return nigh_fail(a->ctx, NIGH_INVALID, "the columns depend on each other: smallest over largest singular value is %.2g, and column %lld is (nearly) a combination "
                     "of those before it; leave it out, or give a ridge such as 1e-8", a->f.smallest / a->f.largest, j + 1);
}

static nigh_status check_options(nigh_context *ctx, const nigh_squares *p, nigh_squares_options *o)
{
    if (o->error == 0) o->error = 1e-10;
    if (o->delta == 0) o->delta = 0.01;
    if (!(o->error > 0 && isfinite(o->error))) return nigh_fail(ctx, NIGH_INVALID, "the error is %g; a number above 0 is allowed", o->error);
    if (!(o->delta > 0 && o->delta < 1)) return nigh_fail(ctx, NIGH_INVALID, "delta is %g; between 0 and 1 is allowed", o->delta);
    if (!(o->ridge >= 0 && isfinite(o->ridge))) return nigh_fail(ctx, NIGH_INVALID, "the ridge is %g; 0 or more is allowed", o->ridge);
    if ((unsigned)o->method >= NIGH_SQUARES_METHODS) return nigh_fail(ctx, NIGH_INVALID, "the method is %d; 0 to 8 is allowed", (int)o->method);
    if (o->rows < 0 || (o->rows && o->rows <= p->d))
        return nigh_fail(ctx, NIGH_INVALID, "the sketch has %lld rows for %lld columns; more than columns are allowed", (long long)o->rows, (long long)p->d);
    bool dense_only = o->method == NIGH_SQUARES_QR || o->method == NIGH_SQUARES_SRHT || o->method == NIGH_SQUARES_GAUSSIAN;
    if (p->sparse && dense_only) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s for sparse rows; normal, count, sparse, lsqr and direct are allowed", names[o->method]);
    if (p->a && (o->method == NIGH_SQUARES_LSQR || o->method == NIGH_SQUARES_DIRECT))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s for dense rows; qr, normal, srht, count, sparse and gaussian are allowed", names[o->method]);
    return NIGH_OK;
}

/* What comes after a method that broke down; AUTO: nothing. */
static nigh_squares_method after(const attempt *a)
{
    nigh_squares_method m = a->choice.method;
    if (a->problem->sparse) return m == NIGH_SQUARES_NORMAL || m == NIGH_SQUARES_DIRECT ? NIGH_SQUARES_SPARSE : NIGH_SQUARES_AUTO;
    if (m == NIGH_SQUARES_COUNT && a->f.dependent >= 0 && !a->o.rows) return NIGH_SQUARES_SRHT;
    return m == NIGH_SQUARES_QR ? NIGH_SQUARES_AUTO : NIGH_SQUARES_QR;
}

/* The choice for a method that was asked for, or the best. */
static nigh_squares_choice choose(const nigh_squares *p, const nigh_squares_options *o, const nigh_squares_choice *choices, const char **fallback)
{
    nigh_squares_choice c = choices[0];
    if (o->method == NIGH_SQUARES_AUTO) { /* all rows give more than E: a sketch that gains next to nothing is refused */
        for (int k = 1; k < NIGH_SQUARES_METHODS - 1 && squares_is_sketch(c.method); k++)
            if (!squares_is_sketch(choices[k].method) && choices[k].method != NIGH_SQUARES_LSQR && choices[k].seconds <= 1.1 * choices[0].seconds) c = choices[k];
        return c;
    }
    for (int k = 0; k < NIGH_SQUARES_METHODS - 1; k++)
        if (choices[k].method == o->method) c = choices[k];
    if (!squares_is_sketch(c.method) || c.rows) return c;
    if (!o->rows && p->n < 16 * p->d && p->a) {
        *fallback = c.why;
        return (nigh_squares_choice){.method = NIGH_SQUARES_QR};
    }
    c.rows = squares_rows(o, c.method, p->n, p->n / 4 > 16 * p->d ? 16 * p->d : p->n / 4);
    return c;
}

nigh_status nigh_squares_solve(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *options, double *x, double *bound,
                               nigh_squares_receipt *receipt)
{
    nigh_squares_choice choices[NIGH_SQUARES_METHODS - 1];
    attempt a = {.ctx = ctx, .problem = problem, .o = options ? *options : (nigh_squares_options){0}};
    a.receipt.second = NAN;
    double began = nigh_clock();
    nigh_status status = rows_check(ctx, problem);
    if (!status) status = check_options(ctx, problem, &a.o);
    if (!status && problem->n < problem->d && !(a.o.ridge > 0))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld rows for %lld columns: there is no one solution; give a ridge such as 1e-8", (long long)problem->n,
                           (long long)problem->d);
    if (!status) status = squares_plan(ctx, problem, &a.o, choices, NULL);
    if (!status) status = attempt_begin(&a);
    if (status) return status;
    a.choice = choose(problem, &a.o, choices, &a.receipt.fallback);
    if (a.o.method == NIGH_SQUARES_AUTO && !isfinite(a.choice.seconds)) {
        attempt_end(&a);
        return nigh_fail(ctx, NIGH_RESOURCE, "%lld rows and %lld columns: %s", (long long)problem->n, (long long)problem->d, a.choice.why);
    }
    a.receipt.seconds[4] = nigh_clock() - began;
    int before = dense_enter(ctx, 0); /* vectors of d numbers: one thread; the factorisations ask for more */
    for (;;) {
        status = attempt_run(&a);
        bool broken = !status && a.choice.method != NIGH_SQUARES_LSQR && (a.f.dependent >= 0 || (!a.receipt.met && a.o.most >= 0));
        nigh_squares_method next = after(&a);
        if (!broken || next == NIGH_SQUARES_AUTO) break;
        a.receipt.fallbacks++;
        a.receipt.fallback = a.f.dependent < 0                          ? "the error was not reached"
                             : a.choice.method == NIGH_SQUARES_NORMAL || a.choice.method == NIGH_SQUARES_DIRECT ? "too ill conditioned for normal equations"
                                                                        : "the sketch was singular";
        factor_free(&a.f);
        a.moved = a.receipt.correct = false;
        a.receipt.passes = 0;
        a.choice = (nigh_squares_choice){.method = next, .rows = squares_is_sketch(next) ? squares_rows(&(nigh_squares_options){0}, next, problem->n, 16 * problem->d) : 0};
    }
    dense_leave(before);
    if (!status && a.choice.method != NIGH_SQUARES_LSQR && a.f.dependent >= 0) status = dependent(&a);
    a.receipt.chosen = a.choice;
    if (!status) {
        memcpy(x, a.x, (size_t)problem->d * sizeof *x);
        if (bound) memcpy(bound, a.bound, (size_t)problem->d * sizeof *x);
        if (receipt) *receipt = a.receipt;
    }
    attempt_end(&a);
    return status;
}
