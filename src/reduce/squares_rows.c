/* Passes over the rows of least squares: residual and gradient at once, Gram matrices, QR of blocks of rows. */
#include "reduce/squares.h"

#include "nn/margin.h"
#include "tensor/dense.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

enum { MOST_THREADS = 64, PIECE_DOUBLES = 1 << 15, PIECE_ROWS = 256, MOST_PIECE = 1024 };

/* ---- what is solved --------------------------------------------------------------------------------------------------- */

bool rows_finite(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * 0;
    return sum == 0;
}

double rows_target(const nigh_squares *p)
{
    const srht_kernels *kernels = srht_kernels_at(nigh_cpu());
    double total = 0;
    for (int64_t at = 0; at < p->n; at += MOST_PIECE) {
        int64_t count = at + MOST_PIECE < p->n ? MOST_PIECE : p->n - at;
        const double *b = p->b + at;
        double sum = 0;
        if (!p->weight) kernels->dots(1, count, b, count, b, &sum);
        for (int64_t i = 0; p->weight && i < count; i++) sum += p->weight[at + i] * b[i] * b[i];
        total += sum;
    }
    return total;
}

nigh_status rows_check(nigh_context *ctx, const nigh_squares *p)
{
    if (p->n < 1 || p->n > INT32_MAX || p->d < 1 || p->d > INT32_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "least squares of %lld rows and %lld columns; 1 to 2^31 - 1 are allowed", (long long)p->n, (long long)p->d);
    if (!p->a == !p->sparse) return nigh_fail(ctx, NIGH_INVALID, "least squares need either dense or sparse rows: %s given", p->a ? "both are" : "none are");
    if (p->sparse && (p->sparse->rows != p->n || p->sparse->cols != p->d))
        return nigh_fail(ctx, NIGH_INVALID, "the sparse matrix is %lld x %lld, the problem %lld x %lld", (long long)p->sparse->rows, (long long)p->sparse->cols,
                         (long long)p->n, (long long)p->d);
    double sum = 0;
    if (!p->weight && isfinite(rows_target(p))) return NIGH_OK;
    for (int64_t i = 0; i < p->n; i++) {
        if (!isfinite(p->b[i])) return nigh_fail(ctx, NIGH_INVALID, "the target of row %lld is %g; it must be finite", (long long)i + 1, p->b[i]);
        if (p->weight && !(p->weight[i] >= 0 && isfinite(p->weight[i])))
            return nigh_fail(ctx, NIGH_INVALID, "the weight of row %lld is %g; 0 or more is allowed", (long long)i + 1, p->weight[i]);
        sum += p->weight ? p->weight[i] : 1;
    }
    return sum > 0 ? NIGH_OK : nigh_fail(ctx, NIGH_INVALID, "all weights are 0");
}

nigh_status rows_find_bad(const rows *r)
{
    const nigh_squares *p = r->problem;
    for (int64_t i = 0; i < p->n; i++) {
        int64_t from = p->a ? i * p->d : p->sparse->start[i], to = p->a ? from + p->d : p->sparse->start[i + 1];
        const double *value = p->a ? p->a : p->sparse->value;
        for (int64_t e = from; e < to; e++)
            if (!isfinite(value[e]))
                return nigh_fail(r->ctx, NIGH_INVALID, "row %lld, column %lld is %g; all numbers must be finite", (long long)i + 1,
                                 (long long)(p->a ? e - from : p->sparse->column[e]) + 1, value[e]);
    }
    return NIGH_OK;
}

/* Squared (weighted) lengths of the columns. */
static void column_squares(const rows *r, double *square)
{
    const nigh_squares *p = r->problem;
    memset(square, 0, (size_t)p->d * sizeof *square);
    for (int64_t i = 0; i < p->n; i++) {
        double w = p->weight ? p->weight[i] : 1;
        if (p->a)
            for (int64_t j = 0; j < p->d; j++) square[j] += w * p->a[i * p->d + j] * p->a[i * p->d + j];
        else
            for (int64_t e = p->sparse->start[i]; e < p->sparse->start[i + 1]; e++) square[p->sparse->column[e]] += w * p->sparse->value[e] * p->sparse->value[e];
    }
}

nigh_status rows_new(nigh_context *ctx, const nigh_squares *problem, double ridge, rows *out)
{
    rows r = {.ctx = ctx, .problem = problem, .kernels = srht_kernels_at(nigh_cpu()), .threads = nigh_context_threads(ctx)};
    int64_t entries = problem->a ? problem->n * problem->d : nigh_sparse_count(problem->sparse);
    if (entries < 1 << 17) r.threads = 1;
    if (r.threads > MOST_THREADS) r.threads = MOST_THREADS;
    if (problem->weight && !(r.scale = nigh_alloc(ctx, (size_t)problem->n * sizeof(double)))) return NIGH_MEMORY;
    for (int64_t i = 0; r.scale && i < problem->n; i++) r.scale[i] = sqrt(problem->weight[i]);
    if (ridge > 0) {
        if (!(r.penalty = nigh_alloc(ctx, (size_t)problem->d * sizeof(double)))) return rows_free(&r), NIGH_MEMORY;
        column_squares(&r, r.penalty);
        for (int64_t j = 0; j < problem->d; j++) r.penalty[j] = r.penalty[j] > 0 ? ridge * r.penalty[j] : 1;
    }
    *out = r;
    return NIGH_OK;
}

void rows_free(rows *r)
{
    nigh_free(r->ctx, r->scale);
    nigh_free(r->ctx, r->penalty);
    r->scale = r->penalty = NULL;
}

/* ---- residual and gradient ---------------------------------------------------------------------------------------------- */

int64_t rows_room(const rows *r) { return r->threads * ((r->problem->d + 15) / 8 * 8); }

/* f = residual of each row times its weight; returns the sum of weighted squares. */
static double residuals(const rows *r, bool with_b, int64_t at, int64_t count, const double *product, double *f)
{
    double sum[4] = {0};
    for (int64_t i = 0; i < count; i++) {
        double w = r->scale ? r->scale[at + i] : 1, e = w * (with_b ? r->problem->b[at + i] - product[i] : product[i]);
        sum[i % 4] += e * e;
        f[i] = w * e;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double dense_part(const rows *r, bool with_b, const double *x, int64_t from, int64_t to, double *g)
{
    const nigh_squares *p = r->problem;
    double product[PIECE_ROWS] = {0}, f[PIECE_ROWS], sum = 0;
    int64_t most = PIECE_DOUBLES / p->d / 4 * 4, piece = most < 4 ? 4 : most > PIECE_ROWS ? PIECE_ROWS : most;
    for (int64_t at = from; at < to; at += piece) {
        int64_t count = to - at < piece ? to - at : piece;
        const double *a = p->a + at * p->d;
        if (x) r->kernels->dots(count, p->d, a, p->d, x, product);
        sum += residuals(r, with_b, at, count, product, f);
        r->kernels->rows(count, NULL, f, p->d, a, p->d, g);
    }
    return sum;
}

static double sparse_part(const rows *r, bool with_b, const double *x, int64_t from, int64_t to, double *g)
{
    const nigh_sparse *a = r->problem->sparse;
    double total = 0;
    for (int64_t i = from; i < to; i++) {
        double product = 0, f;
        for (int64_t e = a->start[i]; x && e < a->start[i + 1]; e++) product += a->value[e] * x[a->column[e]];
        total += residuals(r, with_b, i, 1, &product, &f);
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++) g[a->column[e]] += f * a->value[e];
    }
    return total;
}

void rows_pass(const rows *r, bool with_b, const double *x, double *square, double *g, double *room)
{
    const nigh_squares *p = r->problem;
    int64_t wide = (p->d + 15) / 8 * 8;
    double sum[MOST_THREADS], total = 0;
    memset(room, 0, (size_t)rows_room(r) * sizeof *room);
    double (*part)(const rows *, bool, const double *, int64_t, int64_t, double *) = p->a ? dense_part : sparse_part;
    if (r->threads == 1) {
        sum[0] = part(r, with_b, x, 0, p->n, room);
    } else {
#pragma omp parallel for schedule(static) num_threads(r->threads)
        for (int t = 0; t < r->threads; t++) sum[t] = part(r, with_b, x, p->n * t / r->threads, p->n * (t + 1) / r->threads, room + t * wide);
    }
    for (int t = 0; t < r->threads; t++) total += sum[t];
    for (int64_t j = 0; j < p->d; j++) {
        g[j] = room[j];
        for (int t = 1; t < r->threads; t++) g[j] += room[t * wide + j];
        if (r->penalty && x) {
            total += r->penalty[j] * x[j] * x[j];
            g[j] += with_b ? -r->penalty[j] * x[j] : r->penalty[j] * x[j];
        }
    }
    *square = total;
}

/* ---- Gram matrices --------------------------------------------------------------------------------------------------------- */

/*
 * The kernels of margins are faster than dsyrk up to some columns, by more than its first reading: they take the block from the cache and need no copy for weights. An
 * OpenBLAS that does not know the CPU is slower at all sizes. Without vectors dsyrk is the faster.
 */
static bool own_gram(const rows *r)
{
    if (!r->problem->a || nigh_cpu() == NIGH_CPU_SCALAR) return false;
    return r->problem->d <= 144 || strcmp(openblas_get_corename(), "Prescott") == 0;
}

/* At so many rows the block is in the second-level cache for both of its readings, and OpenBLAS does not halve it. */
static int64_t gram_piece(const rows *r) { return own_gram(r) ? PIECE_ROWS : r->problem->d < 768 || r->scale ? 128 : MOST_PIECE; }

static void dense_gram_part(const rows *r, int64_t from, int64_t to, double *gram, double *c, double *copy)
{
    const nigh_squares *p = r->problem;
    const margin_kernels *kernels = margin_kernels_at(nigh_cpu());
    int d = (int)p->d;
    int64_t piece = gram_piece(r);
    bool own = own_gram(r);
    double *part = c + (p->d + 15) / 8 * 8, f[MOST_PIECE], one[PIECE_ROWS];
    for (int64_t i = 0; i < PIECE_ROWS; i++) one[i] = 1;
    for (int64_t at = from; at < to; at += piece) {
        int64_t count = to - at < piece ? to - at : piece;
        const double *a = p->a + at * p->d;
        for (int64_t i = 0; p->weight && i < count; i++) f[i] = p->weight[at + i] * p->b[at + i];
        memset(part, 0, (size_t)p->d * sizeof *part); /* sums of sums: what rounding does grows with the pieces, not with the rows */
        r->kernels->rows(count, NULL, p->weight ? f : p->b + at, p->d, a, p->d, part);
        for (int64_t j = 0; j < p->d; j++) c[j] += part[j];
        if (own) {
            kernels->gram(count, p->d, a, p->weight ? p->weight + at : one, p->d, gram);
            continue;
        }
        for (int64_t i = 0; r->scale && i < count; i++)
            for (int64_t j = 0; j < p->d; j++) copy[i * p->d + j] = r->scale[at + i] * a[i * p->d + j];
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, d, (int)count, 1, r->scale ? copy : a, d, 1, gram, d);
    }
}

static void sparse_gram_part(const rows *r, int64_t from, int64_t to, double *gram, double *c, double *copy)
{
    const nigh_squares *p = r->problem;
    const nigh_sparse *a = p->sparse;
    (void)copy;
    for (int64_t i = from; i < to; i++) {
        double w = p->weight ? p->weight[i] : 1;
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++) {
            double v = w * a->value[e], *row = gram + a->column[e] * p->d;
            c[a->column[e]] += v * p->b[i];
            for (int64_t k = a->start[i]; k <= e; k++) row[a->column[k]] += v * a->value[k];
        }
    }
}

nigh_status rows_gram(const rows *r, double *gram, double *c)
{
    const nigh_squares *p = r->problem;
    int64_t d = p->d, copies = r->scale && p->a && !own_gram(r) ? gram_piece(r) * d : 0, of_one = d * d + (d + 15) / 8 * 16 + copies;
    double *room = nigh_alloc_zero(r->ctx, (size_t)(of_one * r->threads), sizeof *room);
    if (!room) return NIGH_MEMORY;
    void (*part)(const rows *, int64_t, int64_t, double *, double *, double *) = p->a ? dense_gram_part : sparse_gram_part;
    int before = dense_enter(r->ctx, 0), threads = r->threads;
    if (threads == 1) {
        part(r, 0, p->n, room, room + d * d, room + of_one - copies);
    } else {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int t = 0; t < threads; t++) {
            double *own = room + t * of_one;
            part(r, p->n * t / threads, p->n * (t + 1) / threads, own, own + d * d, own + of_one - copies);
        }
    }
    dense_leave(before);
    for (int t = 1; t < threads; t++)
        for (int64_t k = 0; k < d * d + d; k++) room[k] += room[t * of_one + k];
    bool upper = own_gram(r);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++) gram[i * d + j] = upper ? room[j * d + i] : room[i * d + j];
    memcpy(c, room + d * d, (size_t)d * sizeof *c);
    for (int64_t j = 0; r->penalty && j < d; j++) gram[j * (d + 1)] += r->penalty[j];
    nigh_free(r->ctx, room);
    return NIGH_OK;
}

bool rows_from_gram(const rows *r, const double *gram, const double *c, const factor *f, const double *x, double target, double *product, double *square, double *size)
{
    int64_t d = r->problem->d, n = r->problem->n, terms = (r->problem->a ? MOST_PIECE + n / 128 : n) + d + 64;
    double eps = (double)terms * 0x1p-52, length = target, inner = 0, norm = 0;
    memcpy(product, c, (size_t)d * sizeof *product);
    for (int64_t i = 0; i < d; i++) {
        double sum = gram[i * (d + 1)] * x[i];
        for (int64_t j = 0; j < i; j++) {
            sum += gram[i * d + j] * x[j];
            product[j] -= gram[i * d + j] * x[i];
        }
        product[i] -= sum;
        length += f->unit[i] * fabs(x[i]);
    }
    for (int64_t j = 0; j < d; j++) inner += (c[j] + product[j]) * x[j];
    factor_forward(f, product, product);
    for (int64_t j = 0; j < d; j++) norm += product[j] * product[j];
    *square = target * target - inner;
    *size = sqrt(norm) + 2 * eps * length * sqrt((double)d) / f->smallest;
    return *square > 1e8 * eps * length * length && f->smallest > 1e-3 * f->largest;
}

/* ---- QR of blocks of rows ---------------------------------------------------------------------------------------------------- */

enum { PANEL = 32 };

/* Room of one thread: columns of length `tall`, of which the first d + 1 rows hold R so far; the block factors. */
typedef struct blocks {
    int64_t d, tall, height;
    double *w, *t, *work;
} blocks;

static int64_t blocks_size(int64_t d, int64_t height) { return (d + 1 + height) * (d + 1) + 2 * PANEL * (d + 1); }

/* R of [R; what stands below it], columns d + 1. */
static void reduce(const blocks *b, int64_t below)
{
    int k = (int)b->d + 1, panel = k < PANEL ? k : PANEL;
    LAPACKE_dgeqrt_work(LAPACK_COL_MAJOR, (int)(k + below), k, panel, b->w, (int)b->tall, b->t, panel, b->work);
    for (int64_t j = 0; j < k; j++) memset(b->w + j * b->tall + j + 1, 0, (size_t)(b->tall - j - 1) * sizeof(double));
}

/* Rows `from` .. in blocks; eight columns at a time are turned, so that lines of both sides are used whole. */
static void reduce_rows(const blocks *q, int64_t from, int64_t to, const double *a, const double *b, const double *scale)
{
    int64_t d = q->d;
    for (int64_t at = from; at < to; at += q->height) {
        int64_t count = to - at < q->height ? to - at : q->height;
        for (int64_t j = 0; j < d; j += 8) {
            int64_t end = j + 8 < d ? j + 8 : d;
            for (int64_t i = 0; i < count; i++) {
                double s = scale ? scale[at + i] : 1;
                const double *row = a + (at + i) * d;
                for (int64_t k = j; k < end; k++) q->w[k * q->tall + d + 1 + i] = s * row[k];
            }
        }
        for (int64_t i = 0; i < count; i++) q->w[d * q->tall + d + 1 + i] = (scale ? scale[at + i] : 1) * b[at + i];
        reduce(q, count);
    }
}

nigh_status rows_qr(nigh_context *ctx, int threads, int64_t n, int64_t d, const double *a, const double *b, const double *scale, const double *penalty,
                    double *r, double *c)
{
    int64_t k = d + 1, height = d > 1024 ? d : 4 * d < 512 ? 512 : 4 * d, share = (n + threads - 1) / threads;
    if (height > share) height = share;
    if (height < k) height = k; /* the factors of other threads and the ridge's rows are put there, too */
    int64_t of_one = blocks_size(d, height);
    double *room = nigh_alloc_zero(ctx, (size_t)(of_one * threads), sizeof *room);
    if (!room) return NIGH_MEMORY;
    blocks part[MOST_THREADS];
    for (int t = 0; t < threads; t++) {
        double *w = room + t * of_one;
        part[t] = (blocks){d, k + height, height, w, w + (k + height) * k, w + (k + height) * k + PANEL * k};
    }
    int before = dense_enter(ctx, 0);
    if (threads == 1) {
        reduce_rows(part, 0, n, a, b, scale);
    } else {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int t = 0; t < threads; t++) reduce_rows(part + t, n * t / threads, n * (t + 1) / threads, a, b, scale);
    }
    for (int t = 1; t < threads; t++) {
        for (int64_t j = 0; j < k; j++) memcpy(part[0].w + j * part[0].tall + k, part[t].w + j * part[t].tall, (size_t)k * sizeof *room);
        reduce(part, k);
    }
    for (int64_t j = 0; penalty && j < d; j++) part[0].w[j * part[0].tall + k + j] = sqrt(penalty[j]);
    if (penalty) reduce(part, d);
    dense_leave(before);
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = 0; j < d; j++) r[i * d + j] = j < i ? 0 : part[0].w[j * part[0].tall + i];
        c[i] = part[0].w[d * part[0].tall + i];
    }
    nigh_free(ctx, room);
    return NIGH_OK;
}
