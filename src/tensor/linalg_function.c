/* Functions of matrices: roots, the exponential, polar and Procrustes; see nigh/linalg.h. */
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* ---- roots ---- */

/* out = sum over i >= first of value[i]^power v_i v_i^H, from rows that hold conj(v_i). scaled[n,n]: scratch. */
static void power_of(nigh_dtype dtype, int64_t n, int64_t first, const void *rows, const double *value, double power, void *scaled, void *out)
{
    int64_t k = n - first;
    const void *kept = dense_at(dtype, rows, first * n);
    memcpy(scaled, kept, (size_t)(k * n) * dense_size(dtype));
    for (int64_t i = 0; i < k; i++) dense_scale(dtype, n, pow(value[first + i], power), 0, dense_at(dtype, scaled, i * n), 1);
    dense_gemm(dtype, 'C', 'N', n, n, k, 1, kept, n, scaled, n, 0, out, n);
    dense_mirror(dtype, n, out);
}

nigh_status nigh_psd_root(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double floor, void *root, void *inverse, int64_t *rank)
{
    nigh_status status = dense_check(ctx, dtype, "the Hermitian matrix", n, n, n, true, a);
    if (!status && !(floor >= 0 && floor < 1)) status = nigh_fail(ctx, NIGH_INVALID, "floor is %g; 0 <= floor < 1 is allowed", floor);
    if (status) return status;
    void *rows = dense_alloc(ctx, dtype, n * n), *scaled = dense_alloc(ctx, dtype, n * n);
    double *value = dense_doubles(ctx, n);
    status = rows && scaled && value ? NIGH_OK : NIGH_MEMORY;
    if (!status) memcpy(rows, a, (size_t)(n * n) * dense_size(dtype));
    if (!status) status = dense_eigen(ctx, dtype, n, true, rows, value);
    if (status) goto done;
    double least = (floor > 0 ? floor : (double)n * dense_eps(dtype)) * fmax(value[n - 1], 0);
    if (value[0] < -least) {
        status = nigh_fail(ctx, NIGH_INVALID, "the matrix of %lld x %lld is not positive semidefinite: eigenvalue %g beside %g", (long long)n, (long long)n, value[0],
                           value[n - 1]);
        goto done;
    }
    int64_t first = 0;
    while (first < n && (value[first] < least || value[first] <= 0)) first++;
    int before = dense_enter(ctx, 2.0 * (double)n * (double)n * (double)n);
    if (first == n) {
        if (root) memset(root, 0, (size_t)(n * n) * dense_size(dtype));
        if (inverse) memset(inverse, 0, (size_t)(n * n) * dense_size(dtype));
    } else {
        if (root) power_of(dtype, n, first, rows, value, 0.5, scaled, root);
        if (inverse) power_of(dtype, n, first, rows, value, -0.5, scaled, inverse);
    }
    dense_leave(before);
    if (rank) *rank = n - first;
done:
    nigh_free(ctx, value);
    nigh_free(ctx, scaled);
    nigh_free(ctx, rows);
    return status;
}

/* ---- exponential ---- */

static const double pade13[] = {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800,
                                33522128640,       1323241920,        40840800,         960960,           16380,           182,            1};
static const double pade7[] = {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1};

/* out += c6 A^6 + c4 A^4 + c2 A^2 + c0 I, or = when `fresh`. Real coefficients: complex numbers are pairs. */
static void combine(nigh_dtype dtype, int64_t n, void *const even[3], const double c[4], bool fresh, void *out)
{
    int64_t parts = dense_complex(dtype) ? 2 : 1, count = n * n * parts;
    if (fresh) memset(out, 0, (size_t)(n * n) * dense_size(dtype));
    if (dense_single(dtype)) {
        const float *a2 = even[0], *a4 = even[1], *a6 = even[2];
        float *to = out;
        for (int64_t i = 0; i < count; i++) to[i] += (float)c[3] * a6[i] + (float)c[2] * a4[i] + (float)c[1] * a2[i];
        for (int64_t i = 0; i < n; i++) to[i * (n + 1) * parts] += (float)c[0];
    } else {
        const double *a2 = even[0], *a4 = even[1], *a6 = even[2];
        double *to = out;
        for (int64_t i = 0; i < count; i++) to[i] += c[3] * a6[i] + c[2] * a4[i] + c[1] * a2[i];
        for (int64_t i = 0; i < n; i++) to[i * (n + 1) * parts] += c[0];
    }
}

/* x = sum, y = difference of x and y. */
static void sum_and_difference(nigh_dtype dtype, int64_t count, void *x, void *y)
{
    int64_t numbers = dense_complex(dtype) ? 2 * count : count;
    if (dense_single(dtype)) {
        float *a = x, *b = y;
        for (int64_t i = 0; i < numbers; i++) {
            float d = a[i] - b[i];
            a[i] += b[i], b[i] = d;
        }
    } else {
        double *a = x, *b = y;
        for (int64_t i = 0; i < numbers; i++) {
            double d = a[i] - b[i];
            a[i] += b[i], b[i] = d;
        }
    }
}

static double row_norm(nigh_dtype dtype, int64_t n, const void *a)
{
    double most = 0, z[2];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) {
            dense_get(dtype, a, i * n + j, z);
            sum += hypot(z[0], z[1]);
        }
        if (!(sum <= most)) most = sum;
    }
    return most;
}

static void product(nigh_dtype dtype, int64_t n, const void *a, const void *b, void *c) { dense_gemm(dtype, 'N', 'N', n, n, n, 1, a, n, b, n, 0, c, n); }

/* Numerator v + u and denominator v - u of the approximant of degree 7 or 13; block[6] are matrices: A, A^2, A^4, A^6, v, u. */
static void approximant(nigh_dtype dtype, int64_t n, void *const block[6], void *scratch)
{
    void *a = block[0], *const even[3] = {block[1], block[2], block[3]}, *v = block[4], *u = block[5];
    product(dtype, n, a, a, even[0]);
    product(dtype, n, even[0], even[0], even[1]);
    product(dtype, n, even[1], even[0], even[2]);
    if (dense_single(dtype)) {
        combine(dtype, n, even, (const double[]){pade7[1], pade7[3], pade7[5], pade7[7]}, true, scratch);
        combine(dtype, n, even, (const double[]){pade7[0], pade7[2], pade7[4], pade7[6]}, true, v);
    } else {
        combine(dtype, n, even, (const double[]){0, pade13[9], pade13[11], pade13[13]}, true, v);
        product(dtype, n, even[2], v, scratch);
        combine(dtype, n, even, (const double[]){pade13[1], pade13[3], pade13[5], pade13[7]}, false, scratch);
        combine(dtype, n, even, (const double[]){0, pade13[8], pade13[10], pade13[12]}, true, u);
        product(dtype, n, even[2], u, v);
        combine(dtype, n, even, (const double[]){pade13[0], pade13[2], pade13[4], pade13[6]}, false, v);
    }
    product(dtype, n, a, scratch, u);
    sum_and_difference(dtype, n * n, v, u);
}

nigh_status nigh_matrix_exp(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, void *e)
{
    if (n > 4000) return nigh_fail(ctx, NIGH_INVALID, "the exponential of a matrix of %lld x %lld; up to 4000 rows are allowed", (long long)n, (long long)n);
    nigh_status status = dense_check(ctx, dtype, "the matrix", n, n, n, false, a);
    if (status) return status;
    double norm = row_norm(dtype, n, a), theta = dense_single(dtype) ? 3.925724783138660 : 5.371920351148152;
    int squarings = norm > theta ? (int)ceil(log2(norm / theta)) : 0;
    if (!isfinite(norm)) squarings = 2000;
    if (squarings > 1000)
        return nigh_fail(ctx, NIGH_INVALID, "the exponential of a matrix of %lld x %lld with a row sum of %g overflows", (long long)n, (long long)n, norm);
    char *blocks = dense_alloc(ctx, dtype, 7 * n * n);
    int32_t *pivot = nigh_alloc_zero(ctx, (size_t)n, sizeof *pivot);
    status = blocks && pivot ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    void *block[7];
    for (int i = 0; i < 7; i++) block[i] = dense_at(dtype, blocks, i * n * n);
    memcpy(block[0], a, (size_t)(n * n) * dense_size(dtype));
    for (int64_t i = 0; i < n; i++) dense_scale(dtype, n, ldexp(1, -squarings), 0, dense_at(dtype, block[0], i * n), 1);
    int before = dense_enter(ctx, 14.0 * (double)n * (double)n * (double)n);
    approximant(dtype, n, block, block[6]);
    status = nigh_lu_factor(ctx, dtype, n, block[5], block[5], pivot, NULL);
    if (!status) status = nigh_lu_solve(ctx, dtype, n, block[5], pivot, n, block[4], block[0]);
    for (int i = 0; i < squarings && !status; i++) {
        if ((status = nigh_poll(ctx))) break;
        product(dtype, n, block[i % 2], block[i % 2], block[(i + 1) % 2]);
    }
    dense_leave(before);
    if (!status && !isfinite(row_norm(dtype, n, block[squarings % 2])))
        status = nigh_fail(ctx, NIGH_INVALID, "the exponential of the matrix of %lld x %lld overflows %s", (long long)n, (long long)n, nigh_dtype_name(dtype));
    if (!status) memcpy(e, block[squarings % 2], (size_t)(n * n) * dense_size(dtype));
done:
    nigh_free(ctx, pivot);
    nigh_free(ctx, blocks);
    return status;
}

/* ---- polar and Procrustes ---- */

nigh_status nigh_polar(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, void *u, void *p)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", m, n, n, false, a);
    if (!status && m < n)
        status = nigh_fail(ctx, NIGH_INVALID, "polar factors of a matrix of %lld x %lld; no more columns than rows are allowed", (long long)m, (long long)n);
    if (status) return status;
    void *copy = dense_alloc(ctx, dtype, m * n), *w = dense_alloc(ctx, dtype, m * n), *vh = dense_alloc(ctx, dtype, n * n), *scaled = dense_alloc(ctx, dtype, n * n);
    double *s = dense_doubles(ctx, n);
    status = copy && w && vh && scaled && s ? NIGH_OK : NIGH_MEMORY;
    if (!status) memcpy(copy, a, (size_t)(m * n) * dense_size(dtype));
    if (!status) status = dense_svd(ctx, dtype, m, n, copy, w, s, vh);
    if (!status) {
        int before = dense_enter(ctx, 4.0 * (double)m * (double)n * (double)n);
        dense_gemm(dtype, 'N', 'N', m, n, n, 1, w, n, vh, n, 0, u, n);
        if (p) {
            memcpy(scaled, vh, (size_t)(n * n) * dense_size(dtype));
            for (int64_t i = 0; i < n; i++) dense_scale(dtype, n, s[i], 0, dense_at(dtype, scaled, i * n), 1);
            dense_gemm(dtype, 'C', 'N', n, n, n, 1, vh, n, scaled, n, 0, p, n);
            dense_mirror(dtype, n, p);
        }
        dense_leave(before);
    }
    nigh_free(ctx, s);
    nigh_free(ctx, scaled);
    nigh_free(ctx, vh);
    nigh_free(ctx, w);
    nigh_free(ctx, copy);
    return status;
}

/* det of an orthogonal matrix: its sign. */
static nigh_status turns_over(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *q, void *lu, bool *over)
{
    int32_t *pivot = nigh_alloc_zero(ctx, (size_t)n, sizeof *pivot);
    if (!pivot) return NIGH_MEMORY;
    nigh_status status = nigh_lu_factor(ctx, dtype, n, q, lu, pivot, NULL);
    double sign[2] = {1, 0};
    if (!status) nigh_lu_log_det(dtype, n, lu, pivot, sign);
    *over = sign[0] < 0;
    nigh_free(ctx, pivot);
    return status;
}

static double distance(nigh_dtype dtype, int64_t m, int64_t n, const void *a, const void *q, const void *b, void *work)
{
    double sum = 0;
    memcpy(work, b, (size_t)(m * n) * dense_size(dtype));
    dense_gemm(dtype, 'N', 'N', m, n, n, -1, a, n, q, n, 1, work, n);
    for (int64_t i = 0; i < m; i++) {
        double part = dense_norm(dtype, n, dense_at(dtype, work, i * n), 1);
        sum += part * part;
    }
    return sqrt(sum);
}

nigh_status nigh_procrustes(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, const void *b, bool rotation, void *q, double *residual)
{
    nigh_status status = dense_check(ctx, dtype, "A", m, n, n, false, a);
    if (!status) status = dense_check(ctx, dtype, "B", m, n, n, false, b);
    if (!status && rotation && dense_complex(dtype)) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "a rotation of %s; f32 and f64 are allowed", nigh_dtype_name(dtype));
    if (status) return status;
    void *inner = dense_alloc(ctx, dtype, n * n), *w = dense_alloc(ctx, dtype, n * n), *vh = dense_alloc(ctx, dtype, n * n);
    void *best = dense_alloc(ctx, dtype, n * n), *work = dense_alloc(ctx, dtype, m * n);
    double *s = dense_doubles(ctx, n);
    bool over = false;
    status = inner && w && vh && best && work && s ? NIGH_OK : NIGH_MEMORY;
    int before = dense_enter(ctx, 2.0 * (double)m * (double)n * (double)n);
    if (status) goto done;
    dense_gemm(dtype, 'C', 'N', n, n, m, 1, a, n, b, n, 0, inner, n);
    if ((status = dense_svd(ctx, dtype, n, n, inner, w, s, vh))) goto done;
    dense_gemm(dtype, 'N', 'N', n, n, n, 1, w, n, vh, n, 0, best, n);
    if (rotation && (status = turns_over(ctx, dtype, n, best, inner, &over))) goto done;
    if (over) {
        dense_scale(dtype, n, -1, 0, dense_at(dtype, w, n - 1), n);
        dense_gemm(dtype, 'N', 'N', n, n, n, 1, w, n, vh, n, 0, best, n);
    }
    memcpy(q, best, (size_t)(n * n) * dense_size(dtype));
    if (residual) *residual = distance(dtype, m, n, a, q, b, work);
done:
    dense_leave(before);
    nigh_free(ctx, s);
    nigh_free(ctx, work);
    nigh_free(ctx, best);
    nigh_free(ctx, vh);
    nigh_free(ctx, w);
    nigh_free(ctx, inner);
    return status;
}
