/* Singular values and eigenvalues; see nigh/linalg.h. */
#include "nigh/random.h"
#include "tensor/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* U[m,k] columns and Vh[k,n] rows get the signs of the rule, which looks at the right vectors (conjugated rows). */
static void sign_pairs(nigh_dtype dtype, int64_t m, int64_t k, int64_t u_stride, void *u, int64_t n, void *vh)
{
    for (int64_t c = 0; c < k; c++) {
        double z[2];
        dense_phase(dtype, n, dense_at(dtype, vh, c * n), 1, z);
        dense_scale(dtype, n, z[0], z[1], dense_at(dtype, vh, c * n), 1);
        dense_scale(dtype, m, z[0], -z[1], dense_at(dtype, u, c), u_stride);
    }
}

typedef struct triplets {
    nigh_context *ctx;
    void *a, *u, *vh;
    double *s;
} triplets;

static void triplets_free(triplets *t)
{
    nigh_free(t->ctx, t->a);
    nigh_free(t->ctx, t->u);
    nigh_free(t->ctx, t->vh);
    nigh_free(t->ctx, t->s);
}

/* All k triplets of a copy of a[m,n], signed; triplets_free afterwards in every case. */
static nigh_status triplets_of(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, triplets *t)
{
    int64_t k = m < n ? m : n;
    *t = (triplets){ctx, NULL, NULL, NULL, NULL};
    nigh_status status = dense_check(ctx, dtype, "the matrix", m, n, n, false, a);
    if (status) return status;
    t->a = dense_alloc(ctx, dtype, m * n), t->u = dense_alloc(ctx, dtype, m * k), t->vh = dense_alloc(ctx, dtype, k * n);
    t->s = dense_doubles(ctx, k);
    if (!t->a || !t->u || !t->vh || !t->s) return NIGH_MEMORY;
    memcpy(t->a, a, (size_t)(m * n) * dense_size(dtype));
    status = dense_svd(ctx, dtype, m, n, t->a, t->u, t->s, t->vh);
    if (!status) sign_pairs(dtype, m, k, k, t->u, n, t->vh);
    return status;
}

static void take(nigh_dtype dtype, int64_t m, int64_t n, int64_t stride, int64_t rank, const triplets *t, void *u, double *s, void *vh)
{
    dense_copy(dtype, m, rank, t->u, stride, u, rank);
    memcpy(s, t->s, (size_t)rank * sizeof *s);
    dense_copy(dtype, rank, n, t->vh, n, vh, n);
}

nigh_status nigh_svd(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, void *u, double *s, void *vh)
{
    triplets t;
    nigh_status status = triplets_of(ctx, dtype, m, n, a, &t);
    if (!status) take(dtype, m, n, m < n ? m : n, m < n ? m : n, &t, u, s, vh);
    triplets_free(&t);
    return status;
}

int64_t nigh_svd_keep(int64_t k, const double *s, const nigh_svd_rule *rule)
{
    double all = 0, sum = 0;
    int64_t keep = k;
    for (int64_t i = 0; i < k; i++) all += s[i] * s[i];
    for (int64_t i = 0; i < k && rule->energy > 0 && rule->energy < 1; i++) {
        sum += s[i] * s[i];
        if (sum < rule->energy * all) continue;
        keep = i + 1;
        break;
    }
    if (rule->rank > 0 && rule->rank < keep) keep = rule->rank;
    while (keep > 1 && s[keep - 1] < rule->value) keep--;
    return keep < 1 ? 1 : keep;
}

nigh_status nigh_svd_truncated(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, const nigh_svd_rule *rule, int64_t *rank, void *u,
                               double *s, void *vh, double *error)
{
    if (rule->rank < 0 || !(rule->energy >= 0 && rule->energy <= 1) || !(rule->value >= 0))
        return nigh_fail(ctx, NIGH_INVALID, "the rule asks for rank %lld, energy %g, value %g; rank >= 0, energy in [0, 1], value >= 0 are allowed",
                         (long long)rule->rank, rule->energy, rule->value);
    triplets t;
    int64_t k = m < n ? m : n;
    nigh_status status = triplets_of(ctx, dtype, m, n, a, &t);
    if (!status) {
        int64_t keep = nigh_svd_keep(k, t.s, rule);
        double cut = 0;
        for (int64_t i = k - 1; i >= keep; i--) cut += t.s[i] * t.s[i];
        take(dtype, m, n, k, keep, &t, u, s, vh);
        *rank = keep;
        if (error) *error = sqrt(cut);
    }
    triplets_free(&t);
    return status;
}

static void draw(nigh_dtype dtype, int64_t count, uint64_t seed, void *out)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    int64_t numbers = dense_complex(dtype) ? 2 * count : count;
    if (dense_single(dtype))
        nigh_rng_fill_normal_f32(&rng, numbers, out);
    else
        nigh_rng_fill_normal(&rng, numbers, out);
}

/* Q[m,l]: orthonormal, nearly the span of the first l left vectors. wide[n,l], tall[m,l]: scratch. */
static nigh_status range_of(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, int64_t l, const void *a, int rounds, void *wide, void *tall, void *q)
{
    nigh_status status = NIGH_OK;
    for (int round = 0; round <= rounds && !status; round++) {
        if ((status = nigh_poll(ctx))) break;
        if (round > 0) {
            dense_gemm(dtype, 'C', 'N', n, l, m, 1, a, n, q, l, 0, wide, l);
            status = dense_qr(ctx, dtype, n, l, l, wide, wide, NULL);
        }
        if (status) break;
        dense_gemm(dtype, 'N', 'N', m, l, n, 1, a, n, wide, l, 0, tall, l);
        status = dense_qr(ctx, dtype, m, l, l, tall, q, NULL);
    }
    return status;
}

nigh_status nigh_svd_randomised(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t rank, int64_t oversample, int rounds,
                                uint64_t seed, void *u, double *s, void *vh, double *error)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", m, n, n, false, a);
    int64_t l = rank + oversample;
    if (!status && (rank < 1 || oversample < 0 || l > (m < n ? m : n) || rounds < 0))
        status = nigh_fail(ctx, NIGH_INVALID, "rank %lld, oversample %lld, rounds %d for a matrix of %lld x %lld; rank >= 1, rank + oversample <= the smaller side "
                           "and rounds >= 0 are allowed", (long long)rank, (long long)oversample, rounds, (long long)m, (long long)n);
    if (status) return status;
    void *wide = dense_alloc(ctx, dtype, n * l), *tall = dense_alloc(ctx, dtype, m * l), *q = dense_alloc(ctx, dtype, m * l);
    void *small = dense_alloc(ctx, dtype, l * n), *rest = error ? dense_alloc(ctx, dtype, m * n) : NULL;
    triplets t = {ctx, NULL, NULL, NULL, NULL}, b = t;
    t.u = dense_alloc(ctx, dtype, m * l);
    int before = dense_enter(ctx, 2.0 * (double)m * (double)n * (double)l);
    if (!wide || !tall || !q || !small || (error && !rest) || !t.u) {
        status = NIGH_MEMORY;
        goto done;
    }
    draw(dtype, n * l, seed, wide);
    if ((status = range_of(ctx, dtype, m, n, l, a, rounds, wide, tall, q))) goto done;
    dense_gemm(dtype, 'C', 'N', l, n, m, 1, q, l, a, n, 0, small, n);
    if ((status = triplets_of(ctx, dtype, l, n, small, &b))) goto done;
    dense_gemm(dtype, 'N', 'N', m, l, l, 1, q, l, b.u, l, 0, t.u, l);
    void *swap = b.u;
    b.u = t.u, t.u = swap;
    if (error) {
        memcpy(rest, a, (size_t)(m * n) * dense_size(dtype));
        dense_copy(dtype, m, l, b.u, l, tall, l);
        for (int64_t c = 0; c < rank; c++) dense_scale(dtype, m, b.s[c], 0, dense_at(dtype, tall, c), l);
        dense_gemm(dtype, 'N', 'N', m, n, rank, -1, tall, l, b.vh, n, 1, rest, n);
        double sum = 0; /* row by row: the length of all of it may not fit an int */
        for (int64_t i = 0; i < m; i++) {
            double part = dense_norm(dtype, n, dense_at(dtype, rest, i * n), 1);
            sum += part * part;
        }
        *error = sqrt(sum);
    }
    take(dtype, m, n, l, rank, &b, u, s, vh);
done:
    dense_leave(before);
    triplets_free(&b);
    triplets_free(&t);
    nigh_free(ctx, rest);
    nigh_free(ctx, small);
    nigh_free(ctx, q);
    nigh_free(ctx, tall);
    nigh_free(ctx, wide);
    return status;
}

/* ---- Hermitian ---- */

/* rows[k,n] conjugated vectors -> signed columns of v[n,k]. */
static void columns_of(nigh_dtype dtype, int64_t n, int64_t k, void *rows, void *v)
{
    dense_conjugate(dtype, k * n, rows);
    for (int64_t i = 0; i < k; i++) {
        double z[2];
        dense_phase(dtype, n, dense_at(dtype, rows, i * n), 1, z);
        dense_scale(dtype, n, z[0], z[1], dense_at(dtype, rows, i * n), 1);
    }
    dense_transpose(dtype, k, n, rows, n, v, k);
}

nigh_status nigh_eigen(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double *value, void *v)
{
    nigh_status status = dense_check(ctx, dtype, "the Hermitian matrix", n, n, n, true, a);
    if (status) return status;
    void *rows = dense_alloc(ctx, dtype, n * n);
    double *found = dense_doubles(ctx, n);
    status = rows && found ? NIGH_OK : NIGH_MEMORY;
    if (!status) memcpy(rows, a, (size_t)(n * n) * dense_size(dtype));
    if (!status) status = dense_eigen(ctx, dtype, n, v != NULL, rows, found);
    if (!status) memcpy(value, found, (size_t)n * sizeof *value);
    if (!status && v) columns_of(dtype, n, n, rows, v);
    nigh_free(ctx, found);
    nigh_free(ctx, rows);
    return status;
}

typedef struct top_work {
    void *work, *rwork;
    lapack_int *ints, *support, lwork, lrwork, integers;
} top_work;

/* The k largest by relatively robust representations; with lwork -1 only the sizes. */
static lapack_int largest(nigh_dtype dtype, int n, int k, void *a, void *value, void *z, lapack_int *found, top_work *w)
{
    return dense_complex(dtype) ? DENSE_COMPLEX(dtype, heevr, 'V', 'I', 'U', n, a, n, 0, 0, n - k + 1, n, 0, found, value, z, n, w->support, w->work, w->lwork,
                                                w->rwork, w->lrwork, w->ints, w->integers)
                                : DENSE_REAL(dtype, syevr, 'V', 'I', 'U', n, a, n, 0, 0, n - k + 1, n, 0, found, value, z, n, w->support, w->work, w->lwork,
                                             w->ints, w->integers);
}

nigh_status nigh_eigen_top(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, int64_t k, double *value, void *v)
{
    nigh_status status = dense_check(ctx, dtype, "the Hermitian matrix", n, n, n, true, a);
    if (!status && (k < 1 || k > n))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld eigenvalues of a matrix of %lld x %lld; 1 to %lld are allowed", (long long)k, (long long)n, (long long)n,
                           (long long)n);
    if (status) return status;
    nigh_dtype real = dense_single(dtype) ? NIGH_F32 : NIGH_F64;
    void *copy = dense_alloc(ctx, dtype, n * n), *rows = dense_alloc(ctx, dtype, n * k), *order = dense_alloc(ctx, dtype, n * k), *found = dense_doubles(ctx, n);
    dense_scalar need, real_need = {{1, 0}};
    lapack_int integers = 1, count = 0, info;
    top_work w = {&need, &real_need, &integers, nigh_alloc_zero(ctx, 2 * (size_t)n, sizeof *w.support), -1, -1, -1};
    if (!copy || !rows || !order || !found || !w.support) {
        status = NIGH_MEMORY;
        w.work = w.rwork = w.ints = NULL;
        goto done;
    }
    memcpy(copy, a, (size_t)(n * n) * dense_size(dtype));
    info = largest(dtype, (int)n, (int)k, copy, found, rows, &count, &w);
    w.lwork = dense_need(dtype, &need), w.lrwork = dense_need(real, &real_need), w.integers = integers;
    w.work = dense_alloc(ctx, dtype, w.lwork), w.rwork = dense_alloc(ctx, real, w.lrwork), w.ints = nigh_alloc_zero(ctx, (size_t)integers, sizeof *w.ints);
    if (!w.work || !w.rwork || !w.ints) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = dense_enter(ctx, 1.4 * (double)n * (double)n * (double)n);
    if (!info) info = largest(dtype, (int)n, (int)k, copy, found, rows, &count, &w);
    dense_leave(before);
    if (info || count != k) {
        status = dense_failed(ctx, "the eigenvalue problem", n, n, info ? info : 1);
        goto done;
    }
    for (int64_t i = 0; i < k; i++) {
        double z[2];
        dense_get(real, found, k - 1 - i, z);
        value[i] = z[0];
        dense_copy(dtype, 1, n, dense_at(dtype, rows, (k - 1 - i) * n), n, dense_at(dtype, order, i * n), n);
    }
    columns_of(dtype, n, k, order, v);
done:
    nigh_free(ctx, w.ints);
    nigh_free(ctx, w.rwork);
    nigh_free(ctx, w.work);
    nigh_free(ctx, w.support);
    nigh_free(ctx, found);
    nigh_free(ctx, order);
    nigh_free(ctx, rows);
    nigh_free(ctx, copy);
    return status;
}

/* ---- general ---- */

typedef struct place {
    double re, im, size;
    int64_t index;
} place;

static int by_size(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->size != b->size) return a->size > b->size ? -1 : 1;
    if (a->re != b->re) return a->re > b->re ? -1 : 1;
    if (a->im != b->im) return a->im > b->im ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Vector number `index` of LAPACK's columns as c128 with its sign; for real types a pair of columns holds real and imaginary part. */
static void unpack(nigh_dtype dtype, int64_t n, const void *columns, const place *at, double *out, int64_t column)
{
    bool second = at->im < 0 && !dense_complex(dtype);
    int64_t first = at->index - (second ? 1 : 0);
    double x[2], y[2] = {0, 0}, z[2];
    for (int64_t i = 0; i < n; i++) {
        dense_get(dtype, columns, first * n + i, x);
        if (!dense_complex(dtype) && at->im != 0) {
            dense_get(dtype, columns, (first + 1) * n + i, y);
            x[1] = second ? -y[0] : y[0];
        }
        dense_set(NIGH_C128, out, i * n + column, x[0], x[1]);
    }
    dense_phase(NIGH_C128, n, out + 2 * column, n, z);
    double length = dense_norm(NIGH_C128, n, out + 2 * column, (int)n);
    dense_scale(NIGH_C128, n, z[0] / length, z[1] / length, out + 2 * column, n);
}

static lapack_int general(nigh_dtype dtype, char jl, char jr, int n, void *a, void *wr, void *wi, void *vl, void *vr, void *work, lapack_int lwork)
{
    return dense_complex(dtype) ? DENSE_COMPLEX(dtype, geev, jl, jr, n, a, n, wr, vl, n, vr, n, work, lwork, wi)
                                : DENSE_REAL(dtype, geev, jl, jr, n, a, n, wr, wi, vl, n, vr, n, work, lwork);
}

nigh_status nigh_eigen_general(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double *value, double *left, double *right)
{
    if (n > 4000) return nigh_fail(ctx, NIGH_INVALID, "eigenvalues of a general matrix of %lld x %lld; up to 4000 rows are allowed", (long long)n, (long long)n);
    nigh_status status = dense_check(ctx, dtype, "the matrix", n, n, n, false, a);
    if (status) return status;
    char jl = left ? 'V' : 'N', jr = right ? 'V' : 'N';
    void *copy = dense_alloc(ctx, dtype, n * n), *vl = dense_alloc(ctx, dtype, left ? n * n : 1), *vr = dense_alloc(ctx, dtype, right ? n * n : 1), *work = NULL;
    void *wr = dense_alloc(ctx, dtype, n), *wi = dense_doubles(ctx, 2 * n);
    place *order = nigh_alloc_zero(ctx, (size_t)n, sizeof *order);
    dense_scalar need;
    if (!copy || !vl || !vr || !wr || !wi || !order) {
        status = NIGH_MEMORY;
        goto done;
    }
    dense_transpose(dtype, n, n, a, n, copy, n);
    lapack_int info = general(dtype, jl, jr, (int)n, copy, wr, wi, vl, vr, &need, -1);
    if (!info && !(work = dense_alloc(ctx, dtype, dense_need(dtype, &need)))) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = dense_enter(ctx, 25.0 * (double)n * (double)n * (double)n);
    if (!info) info = general(dtype, jl, jr, (int)n, copy, wr, wi, vl, vr, work, dense_need(dtype, &need));
    dense_leave(before);
    if (info) {
        status = dense_failed(ctx, "the eigenvalue problem", n, n, info);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        double x[2], y[2];
        dense_get(dtype, wr, i, x);
        if (!dense_complex(dtype)) dense_get(dtype, wi, i, y), x[1] = y[0];
        order[i] = (place){x[0], x[1], hypot(x[0], x[1]), i};
    }
    qsort(order, (size_t)n, sizeof *order, by_size);
    for (int64_t i = 0; i < n; i++) {
        value[2 * i] = order[i].re, value[2 * i + 1] = order[i].im;
        if (left) unpack(dtype, n, vl, &order[i], left, i);
        if (right) unpack(dtype, n, vr, &order[i], right, i);
    }
done:
    nigh_free(ctx, order);
    nigh_free(ctx, wi);
    nigh_free(ctx, wr);
    nigh_free(ctx, work);
    nigh_free(ctx, vr);
    nigh_free(ctx, vl);
    nigh_free(ctx, copy);
    return status;
}
