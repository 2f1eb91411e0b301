/* Vectors and operators of the Krylov methods; see krylov.h. */
#include "tensor/krylov.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096, BLOCKS_AT_ONCE = 64, WORTH = 1 << 16 };

/* Four sums side by side; their order is fixed. */
static double dot_f64(int64_t n, const double *x, const double *y)
{
    double s[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++) s[j] += x[i + j] * y[i + j];
    for (; i < n; i++) s[0] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static double dot_f32(int64_t n, const float *x, const float *y)
{
    double s[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++) s[j] += (double)x[i + j] * (double)y[i + j];
    for (; i < n; i++) s[0] += (double)x[i] * (double)y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static double dot_block(nigh_dtype dtype, int64_t n, int64_t block, const void *x, const void *y)
{
    int64_t at = block * BLOCK, count = n - at < BLOCK ? n - at : BLOCK;
    return dtype == NIGH_F32 ? dot_f32(count, (const float *)x + at, (const float *)y + at) : dot_f64(count, (const double *)x + at, (const double *)y + at);
}

double krylov_dot(nigh_dtype dtype, int threads, int64_t n, const void *x, const void *y)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    double sum = 0, part[BLOCKS_AT_ONCE];
    for (int64_t first = 0; first < blocks; first += BLOCKS_AT_ONCE) {
        int64_t count = blocks - first < BLOCKS_AT_ONCE ? blocks - first : BLOCKS_AT_ONCE;
        if (threads > 1 && n >= WORTH) {
#pragma omp parallel for num_threads(threads) schedule(static)
            for (int64_t b = 0; b < count; b++) part[b] = dot_block(dtype, n, first + b, x, y);
        } else {
            for (int64_t b = 0; b < count; b++) part[b] = dot_block(dtype, n, first + b, x, y);
        }
        for (int64_t b = 0; b < count; b++) sum += part[b];
    }
    return sum;
}

/* Scaled when squares would overflow or vanish. */
double krylov_norm(nigh_dtype dtype, int threads, int64_t n, const void *x)
{
    double square = krylov_dot(dtype, threads, n, x, x);
    if (dtype == NIGH_F32 || (square > 1e-280 && square < 1e300)) return sqrt(square);
    const double *v = x;
    double most = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
    if (!(most > 0) || !isfinite(most)) return isfinite(square) ? most : square;
    for (int64_t i = 0; i < n; i++) sum += v[i] / most * (v[i] / most);
    return most * sqrt(sum);
}

static void axpby(nigh_dtype dtype, int64_t from, int64_t to, double a, const void *x, double b, void *y)
{
    if (dtype == NIGH_F32) {
        const float *u = x;
        float *v = y;
        if (b == 0)
            for (int64_t i = from; i < to; i++) v[i] = (float)(a * (double)u[i]);
        else
            for (int64_t i = from; i < to; i++) v[i] = (float)(a * (double)u[i] + b * (double)v[i]);
    } else {
        const double *u = x;
        double *v = y;
        if (b == 0)
            for (int64_t i = from; i < to; i++) v[i] = a * u[i];
        else
            for (int64_t i = from; i < to; i++) v[i] = a * u[i] + b * v[i];
    }
}

void krylov_axpby(nigh_dtype dtype, int threads, int64_t n, double a, const void *x, double b, void *y)
{
    if (threads <= 1 || n < WORTH) {
        axpby(dtype, 0, n, a, x, b, y);
        return;
    }
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < blocks; i++) axpby(dtype, i * BLOCK, (i + 1) * BLOCK < n ? (i + 1) * BLOCK : n, a, x, b, y);
}

void krylov_copy(nigh_dtype dtype, int64_t n, const void *x, void *y) { memmove(y, x, (size_t)n * krylov_size(dtype)); }

void krylov_random(nigh_dtype dtype, int64_t n, uint64_t seed, bool signs, void *x)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    uint32_t bits = 0;
    for (int64_t i = 0; i < n; i++) {
        if (signs && i % 32 == 0) bits = nigh_rng_u32(&rng);
        double value = signs ? (bits >> (i % 32) & 1 ? 1 : -1) : nigh_rng_normal(&rng);
        if (dtype == NIGH_F32)
            ((float *)x)[i] = (float)value;
        else
            ((double *)x)[i] = value;
    }
}

static const char *name_of(const nigh_operator *a) { return a->name ? a->name : "the operator"; }

nigh_status krylov_begin(krylov *k, nigh_context *ctx, const nigh_operator *a, bool square, const nigh_krylov_options *options)
{
    if (a->dtype != NIGH_F64 && a->dtype != NIGH_F32)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s works on %s; f64 and f32 are allowed", name_of(a), nigh_dtype_name(a->dtype));
    if (a->rows < 1 || a->cols < 1 || a->rows > (int64_t)1 << 40 || a->cols > (int64_t)1 << 40 || (square && a->rows != a->cols))
        return nigh_fail(ctx, NIGH_INVALID, "%s is %lld x %lld; %s is allowed", name_of(a), (long long)a->rows, (long long)a->cols,
                         square ? "a square one" : "1 to 2^40 rows and columns");
    if (!a->apply) return nigh_fail(ctx, NIGH_INVALID, "%s of %lld x %lld has no apply", name_of(a), (long long)a->rows, (long long)a->cols);
    if (options && (options->most < 1 || !(options->tolerance >= 0) || options->history_room < 0))
        return nigh_fail(ctx, NIGH_INVALID, "most is %lld, tolerance %g, history_room %lld; most >= 1, tolerance >= 0, history_room >= 0 are allowed",
                         (long long)options->most, options->tolerance, (long long)options->history_room);
    *k = (krylov){ctx, a->dtype, nigh_context_threads(ctx), a->cols, options, {NIGH_KRYLOV_MOST, 0, 0, 0, 0}};
    return NIGH_OK;
}

nigh_status krylov_check_preconditioner(nigh_context *ctx, const nigh_operator *a, const nigh_operator *m)
{
    if (!m) return NIGH_OK;
    if (m->rows != a->rows || m->cols != a->cols || m->dtype != a->dtype || !m->apply)
        return nigh_fail(ctx, NIGH_INVALID, "the preconditioner is %lld x %lld in %s, %s %lld x %lld in %s; the same is allowed", (long long)m->rows,
                         (long long)m->cols, nigh_dtype_name(m->dtype), name_of(a), (long long)a->rows, (long long)a->cols, nigh_dtype_name(a->dtype));
    return NIGH_OK;
}

/* Index of the first entry that is not finite, or -1. */
static int64_t not_finite(nigh_dtype dtype, int64_t n, const void *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]) * 0;
    if (sum == 0) return -1;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i])) return i;
    return -1;
}

nigh_status krylov_check_vector(const krylov *k, const char *what, int64_t n, const void *x)
{
    int64_t bad = not_finite(k->dtype, n, x);
    if (bad < 0) return NIGH_OK;
    return nigh_fail(k->ctx, NIGH_INVALID, "%s of length %lld is not finite in place %lld", what, (long long)n, (long long)bad);
}

nigh_status krylov_apply(krylov *k, const nigh_operator *a, bool transposed, const void *x, void *y)
{
    nigh_status status = nigh_poll(k->ctx);
    if (status) return status;
    if ((status = (transposed ? a->transposed : a->apply)(a->user, x, y))) return status;
    k->report.products++;
    int64_t n = transposed ? a->cols : a->rows, bad = not_finite(k->dtype, n, y);
    if (bad < 0) return NIGH_OK;
    return nigh_fail(k->ctx, NIGH_FAILED, "%s of %lld x %lld%s gave a result that is not finite in place %lld (iteration %lld)", name_of(a), (long long)a->rows,
                     (long long)a->cols, transposed ? ", transposed," : "", (long long)bad, (long long)k->report.iterations);
}

bool krylov_note(krylov *k, double residual, double scale)
{
    nigh_krylov_report *r = &k->report;
    r->residual = residual;
    if (k->options->history && r->history < k->options->history_room) k->options->history[r->history++] = residual;
    if (residual == 0 && k->options->tolerance == 0) r->stop = NIGH_KRYLOV_EXHAUSTED;
    else if (k->options->tolerance > 0 && residual <= k->options->tolerance * scale) r->stop = NIGH_KRYLOV_MET;
    else if (r->iterations >= k->options->most) r->stop = NIGH_KRYLOV_MOST;
    else return false;
    return true;
}

void *krylov_vectors(const krylov *k, int64_t count) { return nigh_alloc_zero(k->ctx, (size_t)count * (size_t)k->n, krylov_size(k->dtype)); }

void krylov_orthogonalise(const krylov *k, int64_t count, const void *rows, void *x, double *h)
{
    for (int round = 0; round < 2; round++)
        for (int64_t j = 0; j < count; j++) {
            const void *row = krylov_row(k->dtype, rows, k->n, j);
            double c = krylov_dot(k->dtype, k->threads, k->n, row, x);
            krylov_axpby(k->dtype, k->threads, k->n, -c, row, 1, x);
            if (h) h[j] += c;
        }
}

const char *nigh_krylov_stop_text(nigh_krylov_stop stop)
{
    switch (stop) {
    case NIGH_KRYLOV_MET: return "tolerance met";
    case NIGH_KRYLOV_MOST: return "all iterations used";
    case NIGH_KRYLOV_EXHAUSTED: return "Krylov space exhausted";
    case NIGH_KRYLOV_INDEFINITE: return "not positive definite";
    case NIGH_KRYLOV_STALLED: return "stalled";
    }
    return "unknown";
}
