/* Power and subspace iteration, Lanczos, and the estimates of traces that stand on them; see nigh/krylov.h. */
#include "tensor/krylov.h"

#include "nigh/random.h"
#include "tensor/dense.h"

#include <math.h>
#include <string.h>

static double eps_of(nigh_dtype dtype) { return dense_eps(dtype); }

static double normalise(const krylov *k, void *x)
{
    double size = krylov_norm(k->dtype, k->threads, k->n, x);
    if (size > 0) krylov_axpby(k->dtype, k->threads, k->n, 1 / size, x, 0, x);
    return size;
}

static void sign(const krylov *k, void *x)
{
    double z[2];
    dense_phase(k->dtype, k->n, x, 1, z);
    if (z[0] < 0) krylov_axpby(k->dtype, k->threads, k->n, -1, x, 0, x);
}

/* ---- power ---- */

nigh_status nigh_eigen_power(nigh_context *ctx, const nigh_operator *a, uint64_t seed, const nigh_krylov_options *options, double *value, void *vector,
                             nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, true, options);
    if (!status) status = krylov_check_vector(&k, "the start", k.n, vector);
    if (status) return status;
    void *x = krylov_vectors(&k, 3), *y = krylov_row(k.dtype, x, k.n, 1), *r = krylov_row(k.dtype, x, k.n, 2);
    if (!x) return NIGH_MEMORY;
    krylov_copy(k.dtype, k.n, vector, x);
    if (!(normalise(&k, x) > 0)) krylov_random(k.dtype, k.n, seed, false, x), normalise(&k, x);
    double theta = 0;
    for (;;) {
        if ((status = krylov_apply(&k, a, false, x, y))) goto done;
        theta = krylov_dot(k.dtype, k.threads, k.n, x, y);
        krylov_copy(k.dtype, k.n, y, r);
        krylov_axpby(k.dtype, k.threads, k.n, -theta, x, 1, r);
        k.report.iterations++;
        if (krylov_note(&k, krylov_norm(k.dtype, k.threads, k.n, r), fabs(theta))) break;
        krylov_copy(k.dtype, k.n, y, x);
        if (!(normalise(&k, x) > 0)) break; /* A x = 0: noted as a residual of 0 before */
    }
    sign(&k, x);
    krylov_copy(k.dtype, k.n, x, vector);
    *value = theta;
    krylov_end(&k, report);
done:
    nigh_free(ctx, x);
    return status;
}

/* ---- subspace ---- */

/* Rows of x become orthonormal; one that the others span is replaced by a random one. */
static void orthonormal_rows(const krylov *k, int64_t rows, uint64_t seed, void *x)
{
    for (int64_t i = 0; i < rows; i++) {
        void *row = krylov_row(k->dtype, x, k->n, i);
        for (int round = 0; round < 8; round++) {
            double before = krylov_norm(k->dtype, k->threads, k->n, row);
            krylov_orthogonalise(k, i, x, row, NULL);
            double after = normalise(k, row);
            if (after > 0 && after > 64 * eps_of(k->dtype) * before) {
                krylov_orthogonalise(k, i, x, row, NULL);
                normalise(k, row);
                break;
            }
            krylov_random(k->dtype, k->n, nigh_seed_split(seed, (uint64_t)(i * 8 + round + 1)), false, row);
        }
    }
}

/* to[p,n] = S[p,p] from[p,n], S in f64 narrowed into `narrow` for f32. */
static void rotate_rows(const krylov *k, int64_t p, const double *s, void *narrow, const void *from, void *to)
{
    for (int64_t i = 0; i < p * p; i++) dense_set(k->dtype, narrow, i, s[i], 0);
    dense_gemm(k->dtype, 'N', 'N', p, k->n, p, 1, narrow, p, from, k->n, 0, to, k->n);
}

/* H[p,p] = X Y^T, symmetric; its eigenvectors as rows of h by falling |value|. order[p * p]: scratch. */
static nigh_status ritz(const krylov *k, int64_t p, const void *x, const void *y, double *h, double *value, double *order)
{
    for (int64_t i = 0; i < p; i++)
        for (int64_t j = 0; j <= i; j++) {
            double ij = krylov_dot(k->dtype, k->threads, k->n, krylov_row(k->dtype, x, k->n, i), krylov_row(k->dtype, y, k->n, j));
            h[i * p + j] = h[j * p + i] = ij;
        }
    nigh_status status = dense_eigen(k->ctx, NIGH_F64, p, true, h, order);
    if (status) return status;
    int64_t low = 0, high = p - 1;
    memcpy(value, order, (size_t)p * sizeof *value);
    double *rows = order + p;
    for (int64_t i = 0; i < p; i++) { /* values rise: the largest modulus is at one of the ends */
        int64_t from = fabs(value[low]) > fabs(value[high]) ? low++ : high--;
        order[i] = value[from];
        memcpy(rows + i * p, h + from * p, (size_t)p * sizeof *h);
    }
    memcpy(value, order, (size_t)p * sizeof *value);
    memcpy(h, rows, (size_t)(p * p) * sizeof *h);
    return NIGH_OK;
}

nigh_status nigh_eigen_subspace(nigh_context *ctx, const nigh_operator *a, int64_t count, uint64_t seed, const nigh_krylov_options *options, double *value,
                                void *vectors, double *residual, nigh_krylov_report *report)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, true, options);
    if (!status && (count < 1 || count > a->rows || count > 1000 || a->rows > INT32_MAX))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld eigenvalues of %lld x %lld; 1 to 1000 and no more than rows (below 2^31) are allowed", (long long)count,
                           (long long)a->rows, (long long)a->cols);
    if (status) return status;
    int64_t n = k.n, p = count + 2 < n ? count + 2 : n;
    nigh_dtype t = k.dtype;
    void *x = krylov_vectors(&k, 3 * p), *y = krylov_row(t, x, n, p), *turned = krylov_row(t, x, n, 2 * p), *narrow = dense_alloc(ctx, t, p * p);
    double *h = dense_doubles(ctx, p * p), *theta = dense_doubles(ctx, 2 * p), *scratch = dense_doubles(ctx, p * p + p), *left = theta ? theta + p : NULL;
    int before = dense_enter(ctx, 2.0 * (double)n * (double)p * (double)p);
    if (!x || !narrow || !h || !theta || !scratch) {
        status = NIGH_MEMORY;
        goto done;
    }
    krylov_random(t, p * n, seed, false, x);
    orthonormal_rows(&k, p, seed, x);
    for (;;) {
        for (int64_t i = 0; i < p; i++)
            if ((status = krylov_apply(&k, a, false, krylov_row(t, x, n, i), krylov_row(t, y, n, i)))) goto done;
        if ((status = ritz(&k, p, x, y, h, theta, scratch))) goto done;
        rotate_rows(&k, p, h, narrow, x, turned);
        krylov_copy(t, p * n, turned, x);
        rotate_rows(&k, p, h, narrow, y, turned);
        krylov_copy(t, p * n, turned, y);
        double worst = 0;
        for (int64_t i = 0; i < count; i++) {
            void *row = krylov_row(t, turned, n, i);
            krylov_axpby(t, k.threads, n, -theta[i], krylov_row(t, x, n, i), 1, row);
            worst = fmax(worst, left[i] = krylov_norm(t, k.threads, n, row));
        }
        k.report.iterations++;
        if (krylov_note(&k, worst, fabs(theta[0]))) break;
        krylov_copy(t, p * n, y, x);
        orthonormal_rows(&k, p, nigh_seed_split(seed, (uint64_t)k.report.iterations), x);
    }
    for (int64_t i = 0; i < count; i++) sign(&k, krylov_row(t, x, n, i));
    memcpy(value, theta, (size_t)count * sizeof *value);
    krylov_copy(t, count * n, x, vectors);
    if (residual) memcpy(residual, left, (size_t)count * sizeof *residual);
    krylov_end(&k, report);
done:
    dense_leave(before);
    nigh_free(ctx, scratch);
    nigh_free(ctx, theta);
    nigh_free(ctx, h);
    nigh_free(ctx, narrow);
    nigh_free(ctx, x);
    return status;
}

/* ---- Lanczos ---- */

typedef struct lanczos {
    krylov k;
    const nigh_operator *a;
    int64_t steps, found;
    void *v;                            /* [steps + 1, n]; row 0 is the start, of length 1 */
    double *theta, *rest, *s, *work;    /* values, off-diagonals, eigenvectors one a row, scratch of LAPACK */
} lanczos;

static nigh_status lanczos_new(lanczos *l, nigh_context *ctx, const nigh_operator *a, int64_t steps)
{
    *l = (lanczos){.a = a, .steps = steps};
    nigh_status status = krylov_begin(&l->k, ctx, a, true, NULL);
    if (!status && (steps < 1 || steps > 400))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld steps of Lanczos on %lld x %lld; 1 to 400 are allowed", (long long)steps, (long long)a->rows, (long long)a->cols);
    if (status) return status;
    if (steps > a->rows) l->steps = steps = a->rows;
    l->v = krylov_vectors(&l->k, steps + 1);
    l->theta = dense_doubles(ctx, steps * steps + 4 * steps + 2);
    if (!l->v || !l->theta) {
        nigh_free(ctx, l->v);
        nigh_free(ctx, l->theta);
        return NIGH_MEMORY;
    }
    l->rest = l->theta + steps, l->work = l->rest + steps, l->s = l->work + 2 * steps + 2;
    return NIGH_OK;
}

static void lanczos_free(lanczos *l)
{
    nigh_free(l->k.ctx, l->theta);
    nigh_free(l->k.ctx, l->v);
}

/* Ritz values and vectors of coordinates from row 0 of v; *last is the off-diagonal that leads out of the space. */
static nigh_status lanczos_run(lanczos *l, double *last)
{
    krylov *k = &l->k;
    nigh_dtype t = k->dtype;
    double size = 0, beta = 0;
    l->found = 0;
    for (int64_t j = 0; j < l->steps; j++) {
        void *now = krylov_row(t, l->v, k->n, j), *next = krylov_row(t, l->v, k->n, j + 1);
        nigh_status status = krylov_apply(k, l->a, false, now, next);
        if (status) return status;
        l->theta[j] = krylov_dot(t, k->threads, k->n, now, next);
        krylov_orthogonalise(k, j + 1, l->v, next, NULL);
        beta = krylov_norm(t, k->threads, k->n, next);
        size = fmax(size, fabs(l->theta[j]) + beta);
        l->found = j + 1;
        k->report.iterations++;
        if (beta <= 16 * eps_of(t) * size || j + 1 == k->n) {
            beta = 0;
            break;
        }
        l->rest[j] = beta;
        krylov_axpby(t, k->threads, k->n, 1 / beta, next, 0, next);
    }
    *last = beta;
    int before = dense_enter(k->ctx, 0);
    lapack_int info = LAPACKE_dstev_work(LAPACK_COL_MAJOR, 'V', (int)l->found, l->theta, l->rest, l->s, (int)l->found, l->work);
    dense_leave(before);
    return info ? dense_failed(k->ctx, "the tridiagonal eigenvalue problem", l->found, l->found, info) : NIGH_OK;
}

nigh_status nigh_lanczos(nigh_context *ctx, const nigh_operator *a, int64_t steps, const void *start, uint64_t seed, int64_t *found, double *value,
                         double *bound, double *weight, void *vectors)
{
    lanczos l;
    nigh_status status = lanczos_new(&l, ctx, a, steps);
    if (status) return status;
    nigh_dtype t = l.k.dtype;
    int64_t n = l.k.n;
    double last = 0;
    void *narrow = dense_alloc(ctx, t, l.steps * l.steps);
    if (!narrow) status = NIGH_MEMORY;
    if (!status && start) status = krylov_check_vector(&l.k, "the start", n, start);
    if (!status && start) krylov_copy(t, n, start, l.v);
    if (!status && !start) krylov_random(t, n, seed, false, l.v);
    if (!status && !(normalise(&l.k, l.v) > 0)) status = nigh_fail(ctx, NIGH_INVALID, "the start of length %lld is 0", (long long)n);
    if (!status && vectors && n > INT32_MAX) status = nigh_fail(ctx, NIGH_INVALID, "Ritz vectors of length %lld; below 2^31 is allowed", (long long)n);
    if (!status) status = lanczos_run(&l, &last);
    if (!status) {
        int64_t m = *found = l.found;
        memcpy(value, l.theta, (size_t)m * sizeof *value);
        for (int64_t i = 0; i < m; i++) {
            if (bound) bound[i] = last * fabs(l.s[i * m + m - 1]);
            if (weight) weight[i] = l.s[i * m] * l.s[i * m];
        }
        if (vectors) {
            int before = dense_enter(ctx, 2.0 * (double)m * (double)m * (double)n);
            rotate_rows(&l.k, m, l.s, narrow, l.v, vectors);
            dense_leave(before);
            for (int64_t i = 0; i < m; i++) sign(&l.k, krylov_row(t, vectors, n, i));
        }
    }
    nigh_free(ctx, narrow);
    lanczos_free(&l);
    return status;
}

/* ---- traces ---- */

/* Welford's mean and sum of squares. */
static void probe(nigh_trace_estimate *e, double *squares, int64_t count, double x)
{
    double before = x - e->value;
    e->value += before / (double)count;
    *squares += before * (x - e->value);
}

static double standard_error(double squares, int64_t probes)
{
    return probes > 1 ? sqrt(squares / (double)(probes - 1) / (double)probes) : NAN;
}

static nigh_status check_probes(nigh_context *ctx, const nigh_operator *a, int64_t probes, int64_t rank, int64_t least)
{
    if (probes >= 1 && rank >= least && rank <= a->rows) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "%lld probes and rank %lld for the trace of %lld x %lld; at least 1 probe and a rank of %lld to the rows are allowed",
                     (long long)probes, (long long)rank, (long long)a->rows, (long long)a->cols, (long long)least);
}

static nigh_status trace(nigh_context *ctx, const nigh_operator *a, int64_t rank, int64_t probes, uint64_t seed, nigh_trace_estimate *out)
{
    krylov k;
    nigh_status status = krylov_begin(&k, ctx, a, true, NULL);
    if (status) return status;
    nigh_dtype t = k.dtype;
    int64_t n = k.n;
    double exact = 0, squares = 0;
    nigh_trace_estimate e = {0, 0};
    void *block = krylov_vectors(&k, rank + 2), *g = krylov_row(t, block, n, rank), *y = krylov_row(t, block, n, rank + 1);
    if (!block) return NIGH_MEMORY;
    for (int64_t i = 0; i < rank && !status; i++) {
        krylov_random(t, n, nigh_seed_split(seed, (uint64_t)(2 * i)), true, g);
        status = krylov_apply(&k, a, false, g, krylov_row(t, block, n, i));
    }
    if (!status) orthonormal_rows(&k, rank, seed, block);
    for (int64_t i = 0; i < rank && !status; i++) {
        status = krylov_apply(&k, a, false, krylov_row(t, block, n, i), y);
        if (!status) exact += krylov_dot(t, k.threads, n, krylov_row(t, block, n, i), y);
    }
    for (int64_t i = 0; i < probes && !status; i++) {
        krylov_random(t, n, nigh_seed_split(seed, (uint64_t)(2 * i + 1)), true, g);
        krylov_orthogonalise(&k, rank, block, g, NULL);
        if (!(status = krylov_apply(&k, a, false, g, y))) probe(&e, &squares, i + 1, krylov_dot(t, k.threads, n, g, y));
    }
    if (!status) *out = (nigh_trace_estimate){exact + e.value, standard_error(squares, probes)};
    nigh_free(ctx, block);
    return status;
}

nigh_status nigh_trace(nigh_context *ctx, const nigh_operator *a, int64_t probes, uint64_t seed, nigh_trace_estimate *out)
{
    nigh_status status = check_probes(ctx, a, probes, 0, 0);
    return status ? status : trace(ctx, a, 0, probes, seed, out);
}

nigh_status nigh_trace_deflated(nigh_context *ctx, const nigh_operator *a, int64_t rank, int64_t probes, uint64_t seed, nigh_trace_estimate *out)
{
    nigh_status status = check_probes(ctx, a, probes, rank, 1);
    return status ? status : trace(ctx, a, rank, probes, seed, out);
}

/* The quadrature of one probe of random signs. */
static nigh_status quadrature(lanczos *l, uint64_t seed, int64_t index)
{
    double last;
    krylov_random(l->k.dtype, l->k.n, nigh_seed_split(seed, (uint64_t)index), true, l->v);
    normalise(&l->k, l->v);
    return lanczos_run(l, &last);
}

nigh_status nigh_trace_function(nigh_context *ctx, const nigh_operator *a, nigh_spectral_fn *f, void *user, int64_t probes, int64_t steps, uint64_t seed,
                                nigh_trace_estimate *out)
{
    lanczos l;
    nigh_status status = check_probes(ctx, a, probes, 0, 0);
    if (!status) status = lanczos_new(&l, ctx, a, steps);
    if (status) return status;
    nigh_trace_estimate e = {0, 0};
    double squares = 0;
    for (int64_t i = 0; i < probes && !status; i++) {
        if ((status = quadrature(&l, seed, i))) break;
        double sum = 0;
        for (int64_t j = 0; j < l.found && !status; j++) {
            double value = f(user, l.theta[j]);
            if (!isfinite(value))
                status = nigh_fail(ctx, NIGH_FAILED, "the function is %g at the Ritz value %.17g of %lld x %lld", value, l.theta[j], (long long)a->rows, (long long)a->cols);
            else
                sum += l.s[j * l.found] * l.s[j * l.found] * value;
        }
        if (!status) probe(&e, &squares, i + 1, sum * (double)l.k.n);
    }
    if (!status) *out = (nigh_trace_estimate){e.value, standard_error(squares, probes)};
    lanczos_free(&l);
    return status;
}

nigh_status nigh_spectral_density(nigh_context *ctx, const nigh_operator *a, int64_t probes, int64_t steps, uint64_t seed, double width, int64_t count,
                                  const double *points, double *density)
{
    lanczos l;
    nigh_status status = check_probes(ctx, a, probes, 0, 0);
    if (!status && (count < 1 || !(width > 0)))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld points and width %g; at least 1 and a positive width are allowed", (long long)count, width);
    if (!status) status = lanczos_new(&l, ctx, a, steps);
    if (status) return status;
    double *sum = nigh_alloc_zero(ctx, (size_t)count, sizeof *sum);
    if (!sum) status = NIGH_MEMORY;
    for (int64_t i = 0; i < probes && !status; i++) {
        if ((status = quadrature(&l, seed, i))) break;
        for (int64_t j = 0; j < l.found; j++) {
            double share = l.s[j * l.found] * l.s[j * l.found] / (double)probes / (width * sqrt(2 * M_PI));
            for (int64_t p = 0; p < count; p++) {
                double z = (points[p] - l.theta[j]) / width;
                sum[p] += share * exp(-0.5 * z * z);
            }
        }
    }
    if (!status) memcpy(density, sum, (size_t)count * sizeof *density);
    nigh_free(ctx, sum);
    lanczos_free(&l);
    return status;
}
