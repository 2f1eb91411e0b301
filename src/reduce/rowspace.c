/* Passes over blocks of rows, and orthonormal coordinates of row spaces; see rowspace.h. */
#include "reduce/rowspace.h"

#include "tensor/dense.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

/* ---- blocks ---- */

void row_source_take(const row_source *source, int64_t from, int64_t to, double *out)
{
    source->fill(source->user, from, to, out);
    for (int64_t i = from; source->scale && i < to; i++) {
        double by = source->scale[i], *row = out + (i - from) * source->columns;
        for (int64_t j = 0; j < source->columns; j++) row[j] *= by;
    }
}

int64_t row_block_rows(int64_t columns)
{
    int64_t rows = 16384 / columns;
    return rows < 64 ? 64 : rows > 1024 ? 1024 : rows;
}

typedef struct pass {
    const row_source *source;
    row_block *work;
    void *user;
    int64_t room, sums, size; /* size: doubles of a part */
    int parts;
} pass;

static void pass_part(const pass *p, int part, double *own)
{
    const row_source *s = p->source;
    int64_t most = row_block_rows(s->columns), blocks = (s->n + most - 1) / most, from = blocks * part / p->parts * most;
    int64_t end = blocks * (part + 1) / p->parts * most, to = end < s->n ? end : s->n;
    double *block = own + p->sums, *room = block + most * s->columns;
    memset(own, 0, (size_t)p->sums * sizeof *own);
    for (int64_t i = from; i < to; i += most) {
        int64_t rows = to - i < most ? to - i : most;
        row_source_take(s, i, i + rows, block);
        p->work(p->user, i, rows, block, room, own);
    }
}

nigh_status row_pass(nigh_context *ctx, const row_source *source, int64_t room, row_block *work, void *user, int64_t sums, double *sum)
{
    int64_t most = row_block_rows(source->columns), blocks = (source->n + most - 1) / most;
    pass p = {.source = source, .work = work, .user = user, .room = room, .sums = sums, .parts = nigh_context_threads(ctx)};
    if (p.parts > blocks) p.parts = (int)blocks;
    p.size = (sums + most * source->columns + most * room + 15) / 8 * 8;
    double *own = dense_doubles(ctx, p.size * p.parts);
    if (!own) return NIGH_MEMORY;
    int before = dense_enter(ctx, 0);
#pragma omp parallel for num_threads(p.parts) schedule(static) if (p.parts > 1)
    for (int part = 0; part < p.parts; part++) pass_part(&p, part, own + part * p.size);
    dense_leave(before);
    for (int64_t j = 0; j < sums; j++) sum[j] = 0;
    for (int part = 0; part < p.parts; part++)
        for (int64_t j = 0; j < sums; j++) sum[j] += own[part * p.size + j];
    nigh_free(ctx, own);
    return nigh_poll(ctx);
}

void row_gram(int64_t rows, int64_t k, const double *block, double *g)
{
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)k, (int)rows, 1, block, (int)k, 1, g, (int)k);
}

void row_product(int64_t rows, int64_t k, int64_t q, const double *block, const double *m, double *out)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)q, (int)k, 1, block, (int)k, m, (int)q, 0, out, (int)q);
}

double row_power(double r, double p)
{
    r = fabs(r);
    if (p == 1) return r;
    if (p == 2) return r * r;
    if (p == 0.5) return sqrt(r);
    if (p == -0.5) return 1 / sqrt(r);
    if (p == 0.25) return sqrt(sqrt(r));
    if (p == 1.5) return r * sqrt(r);
    return pow(r, p);
}

void row_powers(int64_t n, const double *r, double p, double *out)
{
    if (p == 1)
        for (int64_t i = 0; i < n; i++) out[i] = fabs(r[i]);
    else if (p == 2)
        for (int64_t i = 0; i < n; i++) out[i] = r[i] * r[i];
    else if (p == 4)
        for (int64_t i = 0; i < n; i++) out[i] = r[i] * r[i] * r[i] * r[i];
    else if (p == 3)
        for (int64_t i = 0; i < n; i++) out[i] = r[i] * r[i] * fabs(r[i]);
    else if (p == 1.5)
        for (int64_t i = 0; i < n; i++) out[i] = fabs(r[i]) * sqrt(fabs(r[i]));
    else if (p == 0.5)
        for (int64_t i = 0; i < n; i++) out[i] = sqrt(fabs(r[i]));
    else
        for (int64_t i = 0; i < n; i++) out[i] = pow(fabs(r[i]), p);
}

/* ---- rows as a source ---- */

static void matrix_fill(const void *user, int64_t from, int64_t to, double *out)
{
    const row_matrix *m = user;
    const nigh_rows *rows = m->rows;
    int64_t d = rows->d;
    if (!m->columns) {
        memcpy(out, rows->x + from * d, (size_t)((to - from) * d) * sizeof *out);
        return;
    }
    for (int64_t i = from; i < to; i++) {
        memcpy(out, rows->x + i * d, (size_t)d * sizeof *out);
        out += d;
        if (m->columns & 1) *out++ = 1;
        if (m->columns & 2) *out++ = rows->y[i];
    }
}

nigh_status row_matrix_new(nigh_context *ctx, const nigh_rows *rows, int columns, double p, row_matrix *out)
{
    if (columns < 0 || columns > 3) return nigh_fail(ctx, NIGH_INVALID, "columns is %d; sums of NIGH_WITH_ONE and NIGH_WITH_TARGET are allowed", columns);
    if ((columns & 2) && !rows->y) return nigh_fail(ctx, NIGH_INVALID, "NIGH_WITH_TARGET is asked for, but the rows have no y");
    nigh_status status = nigh_rows_check(ctx, rows, NULL);
    if (status) return status;
    *out = (row_matrix){.rows = rows, .columns = columns};
    out->source = (row_source){.n = rows->n, .columns = rows->d + (columns & 1) + (columns >> 1), .fill = matrix_fill, .user = out};
    if (!rows->weight) return NIGH_OK;
    if (!(out->scale = dense_doubles(ctx, rows->n))) return NIGH_MEMORY;
    row_powers(rows->n, rows->weight, 1 / p, out->scale);
    out->source.scale = out->scale;
    return NIGH_OK;
}

void row_matrix_free(nigh_context *ctx, row_matrix *matrix) { nigh_free(ctx, matrix->scale); }

static void plain_fill(const void *user, int64_t from, int64_t to, double *out)
{
    const row_plain *a = user;
    memcpy(out, a->a + from * a->columns, (size_t)((to - from) * a->columns) * sizeof *out);
}

row_source row_source_plain(const row_plain *a, int64_t n, const double *scale)
{
    return (row_source){.n = n, .columns = a->columns, .fill = plain_fill, .user = a, .scale = scale};
}

/* ---- scores and coordinates ---- */

typedef struct mapping {
    int64_t k, rank;
    const double *m;
    double *out;
    bool scores;
} mapping;

static void map_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum)
{
    mapping *a = user;
    (void)sum;
    double *image = a->scores ? room : a->out + from * a->rank;
    row_product(rows, a->k, a->rank, block, a->m, image);
    for (int64_t i = 0; a->scores && i < rows; i++) {
        double square = 0;
        for (int64_t j = 0; j < a->rank; j++) square += image[i * a->rank + j] * image[i * a->rank + j];
        a->out[from + i] = square;
    }
}

nigh_status row_space_scores(nigh_context *ctx, const row_source *source, int64_t rank, const double *m, double *score)
{
    if (rank > 0) return row_pass(ctx, source, rank, map_block, &(mapping){source->columns, rank, m, score, true}, 0, NULL);
    memset(score, 0, (size_t)source->n * sizeof *score);
    return NIGH_OK;
}

nigh_status row_space_map(nigh_context *ctx, const row_source *source, int64_t rank, const double *m, double *out)
{
    return rank > 0 ? row_pass(ctx, source, 0, map_block, &(mapping){source->columns, rank, m, out, false}, 0, NULL) : NIGH_OK;
}

/* ---- the row space ---- */

void row_space_free(nigh_context *ctx, row_space *space)
{
    nigh_free(ctx, space->m);
    nigh_free(ctx, space->root);
    space->m = space->root = NULL;
}

/* Rank, m and root from V^T (rows) and singular values s (falling) of A divided by column_j = length of column j. */
static nigh_status space_of(nigh_context *ctx, int64_t k, const double *vt, const double *s, const double *column, double least, row_space *space)
{
    int64_t rank = 0;
    while (rank < k && s[rank] > least && s[rank] > 0) rank++;
    *space = (row_space){.columns = k, .rank = rank, .condition = rank ? s[0] / s[rank - 1] : 1};
    space->m = dense_doubles(ctx, k * rank), space->root = dense_doubles(ctx, k * rank);
    if (!space->m || !space->root) {
        row_space_free(ctx, space);
        return NIGH_MEMORY;
    }
    for (int64_t r = 0; r < rank; r++)
        for (int64_t j = 0; j < k; j++) {
            space->m[j * rank + r] = column[j] > 0 ? vt[r * k + j] / (s[r] * column[j]) : 0;
            space->root[r * k + j] = s[r] * vt[r * k + j] * column[j];
        }
    return NIGH_OK;
}

nigh_status row_space_of_gram(nigh_context *ctx, int64_t k, double *g, double most, row_space *space, bool *good)
{
    double *column = dense_doubles(ctx, 3 * k), *value = column + k, *vt = dense_doubles(ctx, k * k);
    nigh_status status = column && vt ? NIGH_OK : NIGH_MEMORY;
    *good = false;
    for (int64_t j = 0; j < k && !status; j++) column[j] = sqrt(g[j * k + j]);
    for (int64_t j = 0; j < k && !status; j++)
        if (!(column[j] > 0 && column[j] < 1e150)) goto done;
    for (int64_t i = 0; i < k && !status; i++)
        for (int64_t j = i; j < k; j++) g[j * k + i] = g[i * k + j] = g[i * k + j] / (column[i] * column[j]);
    if (!status) status = linalg_eigen(ctx, k, g, value);
    if (status || !(value[0] * most >= value[k - 1])) goto done;
    double *s = value + k;
    for (int64_t r = 0; r < k; r++) {
        s[r] = sqrt(value[k - 1 - r]);
        memcpy(vt + r * k, g + (k - 1 - r) * k, (size_t)k * sizeof *vt);
    }
    status = space_of(ctx, k, vt, s, column, 0, space);
    *good = !status;
done:
    nigh_free(ctx, column);
    nigh_free(ctx, vt);
    return status;
}

static void gram_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum)
{
    const mapping *a = user;
    (void)from;
    if (a->m) row_product(rows, a->k, a->rank, block, a->m, room);
    row_gram(rows, a->rank, a->m ? room : block, sum);
}

/* Once more: A m has a Gram matrix near I = R^T R; m R^-1 and R root take its place. */
static nigh_status straighten(nigh_context *ctx, const row_source *source, row_space *space)
{
    int64_t r = space->rank, k = space->columns;
    double *g = dense_doubles(ctx, r * r);
    if (!g) return NIGH_MEMORY;
    nigh_status status = row_pass(ctx, source, r, gram_block, &(mapping){k, r, space->m, NULL, false}, r * r, g);
    if (!status && LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)r, g, (int)r))
        status = nigh_fail(ctx, NIGH_INTERNAL, "the coordinates of %lld columns are not independent", (long long)k);
    if (!status) {
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, (int)k, (int)r, 1, g, (int)r, space->m, (int)r);
        cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, (int)r, (int)k, 1, g, (int)r, space->root, (int)k);
    }
    nigh_free(ctx, g);
    return status;
}

/* ---- orthogonal factorisation of blocks ---- */

/* In columns, rows of a row-major matrix are columns: L Q of them leaves L below the diagonal, which is R above it in rows. */
static int fold_block(int64_t k, int64_t rows, double *stack, double *tau, double *work, int size)
{
    int got = (int)LAPACKE_dgelqf_work(LAPACK_COL_MAJOR, (int)k, (int)rows, stack, (int)k, tau, work, size);
    for (int64_t i = 0; i < k && i < rows; i++) memset(stack + i * k, 0, (size_t)i * sizeof *stack);
    return got;
}

typedef struct folding {
    const row_source *source;
    int64_t k, most, size; /* rows of a block; doubles of a part: the stack of R and a block, tau, work */
    int parts, work;
} folding;

static int fold_part(const folding *f, int part, double *stack)
{
    int64_t k = f->k, n = f->source->n, from = n * part / f->parts, to = n * (part + 1) / f->parts;
    double *tau = stack + (k + f->most) * k, *work = tau + k;
    memset(stack, 0, (size_t)(k * k) * sizeof *stack);
    int failed = 0;
    for (int64_t i = from; i < to && !failed; i += f->most) {
        int64_t rows = to - i < f->most ? to - i : f->most;
        row_source_take(f->source, i, i + rows, stack + k * k);
        failed = fold_block(k, k + rows, stack, tau, work, f->work);
    }
    return failed;
}

/* r[k,k]: the triangle of A = Q r. */
static nigh_status fold_all(nigh_context *ctx, const row_source *source, double *r)
{
    int64_t k = source->columns, most = 4 * k > 256 ? 4 * k : 256;
    folding f = {.source = source, .k = k, .most = most, .parts = nigh_context_threads(ctx), .work = (int)(k * 64)};
    if (f.parts > (source->n + most - 1) / most) f.parts = (int)((source->n + most - 1) / most);
    f.size = ((k + most) * k + k + f.work + 7) / 8 * 8;
    double *own = dense_doubles(ctx, f.size * f.parts), *pair = dense_doubles(ctx, 2 * k * k + k + f.work);
    int failed = 0, before = dense_enter(ctx, 0);
    nigh_status status = own && pair ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
#pragma omp parallel for num_threads(f.parts) schedule(static) if (f.parts > 1) reduction(| : failed)
        for (int part = 0; part < f.parts; part++) failed |= fold_part(&f, part, own + part * f.size);
        memcpy(pair, own, (size_t)(k * k) * sizeof *pair);
        for (int part = 1; part < f.parts; part++) {
            memcpy(pair + k * k, own + part * f.size, (size_t)(k * k) * sizeof *pair);
            failed |= fold_block(k, 2 * k, pair, pair + 2 * k * k, pair + 2 * k * k + k, f.work);
        }
        memcpy(r, pair, (size_t)(k * k) * sizeof *r);
        if (failed) status = nigh_fail(ctx, NIGH_INTERNAL, "the orthogonal factorisation of %lld columns failed", (long long)k);
    }
    dense_leave(before);
    nigh_free(ctx, own);
    nigh_free(ctx, pair);
    return status ? status : nigh_poll(ctx);
}

static nigh_status space_by_folding(nigh_context *ctx, const row_source *source, row_space *space)
{
    int64_t k = source->columns;
    double *r = dense_doubles(ctx, k * k), *u = dense_doubles(ctx, k * k), *vt = dense_doubles(ctx, k * k), *s = dense_doubles(ctx, 2 * k), *column = s ? s + k : NULL;
    nigh_status status = r && u && vt && s ? fold_all(ctx, source, r) : NIGH_MEMORY;
    for (int64_t j = 0; j < k && !status; j++) column[j] = cblas_dnrm2((int)k, r + j, (int)k);
    for (int64_t i = 0; i < k * k && !status; i++)
        if (column[i % k] > 0) r[i] /= column[i % k];
    if (!status) status = linalg_svd(ctx, k, k, r, u, s, vt);
    if (!status) status = space_of(ctx, k, vt, s, column, s[0] * 0x1p-52 * sqrt((double)source->n) * (double)k, space);
    nigh_free(ctx, r);
    nigh_free(ctx, u);
    nigh_free(ctx, vt);
    nigh_free(ctx, s);
    return status;
}

nigh_status row_space_new(nigh_context *ctx, const row_source *source, row_space *space)
{
    int64_t k = source->columns;
    row_space out = {0};
    bool good = false;
    double *g = dense_doubles(ctx, k * k);
    nigh_status status = g ? row_pass(ctx, source, 0, gram_block, &(mapping){k, k, NULL, NULL, false}, k * k, g) : NIGH_MEMORY;
    if (!status) status = row_space_of_gram(ctx, k, g, 1e10, &out, &good);
    nigh_free(ctx, g);
    out.how = "Gram matrix";
    if (!status && !good) {
        status = space_by_folding(ctx, source, &out);
        out.how = "orthogonal factorisation";
    }
    if (!status && out.rank && out.condition > 1e2) {
        status = straighten(ctx, source, &out);
        if (good) out.how = "Gram matrix, twice";
    }
    if (status) row_space_free(ctx, &out);
    else *space = out;
    return status;
}
