/* A complex transform of rows of planes: Stockham passes of radix 4, 2, 3, 5, and Bluestein's chirp for other sizes. */
#include "tensor/fft_own.h"

#include <math.h>
#include <string.h>

enum { PASSES = 32 };

struct fft_core {
    const fft_kernels *kernels;
    size_t size; /* of a number */
    int64_t n, rows;
    int passes, radix[PASSES];
    void *twiddle[PASSES];
    fft_core *chirped;  /* of `rows`, where n has other factors; NULL else */
    void *chirp, *wave; /* [n] exp(-i pi k^2 / n), [rows] transform of its conjugate over rows */
};

/* exp(-2 pi i k / n) with the angle reduced to an eighth of a turn in whole numbers. */
static void unit(int64_t k, int64_t n, double z[2])
{
    k %= n;
    int64_t eighth = 8 * k / n, rest = 8 * k - eighth * n; /* angle = (eighth + rest / n) pi / 4 */
    if (eighth & 1) rest = n - rest;
    double angle = (double)rest / (double)n * 0.78539816339744830962, c = cos(angle), s = sin(angle), swap;
    if (((eighth + 1) >> 1) & 1) swap = c, c = s, s = swap;
    z[0] = eighth >= 2 && eighth < 6 ? -c : c;
    z[1] = eighth < 4 ? -s : s;
}

static void put(const fft_core *core, void *table, int64_t i, const double z[2])
{
    if (core->size == 4)
        ((float *)table)[2 * i] = (float)z[0], ((float *)table)[2 * i + 1] = (float)z[1];
    else
        memcpy((double *)table + 2 * i, z, 2 * sizeof *z);
}

static bool smooth(int64_t n)
{
    for (int p = 2; p <= 5; p++)
        while (n % p == 0) n /= p;
    return n == 1;
}

static nigh_status make_passes(nigh_context *ctx, fft_core *core)
{
    static const int radices[4] = {4, 5, 3, 2};
    int64_t left = core->n;
    for (int i = 0; i < 4; i++)
        while (left % radices[i] == 0) {
            int radix = radices[i];
            int64_t m = left / radix;
            void *table = nigh_alloc_zero(ctx, (size_t)(m * (radix - 1)), 2 * core->size);
            if (!table) return NIGH_MEMORY;
            core->twiddle[core->passes] = table;
            core->radix[core->passes++] = radix;
            for (int64_t p = 0; p < m; p++)
                for (int j = 1; j < radix; j++) {
                    double z[2];
                    unit(p * j, left, z);
                    put(core, table, p * (radix - 1) + j - 1, z);
                }
            left = m;
        }
    return NIGH_OK;
}

static nigh_status make_chirp(nigh_context *ctx, const fft_kernels *const *kernels, nigh_dtype dtype, fft_core *core)
{
    int64_t n = core->n, m = 2 * n - 1;
    while (!smooth(m)) m++;
    core->rows = m;
    nigh_status status = NIGH_MEMORY;
    fft_core *exact = NULL;
    core->chirp = nigh_alloc_zero(ctx, (size_t)n, 2 * core->size);
    core->wave = nigh_alloc_zero(ctx, (size_t)m, 2 * core->size);
    double *planes = nigh_alloc_zero(ctx, 4 * (size_t)m, sizeof *planes);
    if (!core->chirp || !core->wave || !planes) goto done;
    if ((status = fft_core_new(ctx, kernels, NIGH_F64, m, &exact))) goto done;
    void *x[2] = {planes, planes + m}, *other[2] = {planes + 2 * m, planes + 3 * m}, *y[2];
    for (int64_t k = 0; k < n; k++) {
        double z[2];
        unit(k * k % (2 * n), 2 * n, z);
        put(core, core->chirp, k, z);
        planes[k] = planes[k ? m - k : 0] = z[0];
        planes[m + k] = planes[m + (k ? m - k : 0)] = -z[1];
    }
    fft_core_run(exact, 1, x, other, y);
    for (int64_t k = 0; k < m; k++) {
        double z[2] = {((double *)y[0])[k] / (double)m, ((double *)y[1])[k] / (double)m};
        put(core, core->wave, k, z);
    }
    status = fft_core_new(ctx, kernels, dtype, m, &core->chirped);
done:
    fft_core_free(ctx, exact);
    nigh_free(ctx, planes);
    return status;
}

nigh_status fft_core_new(nigh_context *ctx, const fft_kernels *const *kernels, nigh_dtype dtype, int64_t n, fft_core **out)
{
    fft_core *core = nigh_alloc_zero(ctx, 1, sizeof *core);
    if (!core) return NIGH_MEMORY;
    core->kernels = kernels[dtype == NIGH_F64];
    core->size = nigh_dtype_size(dtype);
    core->n = core->rows = n;
    nigh_status status = smooth(n) ? make_passes(ctx, core) : make_chirp(ctx, kernels, dtype, core);
    if (status) {
        fft_core_free(ctx, core);
        return status;
    }
    *out = core;
    return NIGH_OK;
}

void fft_core_free(nigh_context *ctx, fft_core *core)
{
    if (!core) return;
    for (int i = 0; i < core->passes; i++) nigh_free(ctx, core->twiddle[i]);
    fft_core_free(ctx, core->chirped);
    nigh_free(ctx, core->chirp);
    nigh_free(ctx, core->wave);
    nigh_free(ctx, core);
}

int64_t fft_core_rows(const fft_core *core)
{
    return core->rows;
}

static void run_passes(const fft_core *core, int64_t lanes, void *const x[2], void *const other[2], void *y[2])
{
    void *from[2] = {x[0], x[1]}, *to[2] = {other[0], other[1]};
    int64_t left = core->n, s = lanes;
    for (int i = 0; i < core->passes; i++) {
        left /= core->radix[i];
        core->kernels->pass(core->radix[i], left, s, core->twiddle[i], from[0], from[1], to[0], to[1]);
        s *= core->radix[i];
        for (int c = 0; c < 2; c++) {
            void *swap = from[c];
            from[c] = to[c], to[c] = swap;
        }
    }
    y[0] = from[0], y[1] = from[1];
}

/* X[k] = chirp[k] (x chirp * conj chirp)[k], since -2 j k = (k - j)^2 - j^2 - k^2; the inverse transform has the planes exchanged. */
void fft_core_run(const fft_core *core, int64_t lanes, void *const x[2], void *const other[2], void *y[2])
{
    if (!core->chirped) {
        run_passes(core, lanes, x, other, y);
        return;
    }
    const fft_kernels *k = core->kernels;
    size_t used = (size_t)(core->n * lanes) * core->size, all = (size_t)(core->rows * lanes) * core->size;
    k->multiply(core->n, lanes, core->chirp, x[0], x[1], x[0], x[1]);
    for (int c = 0; c < 2; c++) memset((char *)x[c] + used, 0, all - used);
    void *mid[2], *rest[2], *end[2];
    fft_core_run(core->chirped, lanes, x, other, mid);
    for (int c = 0; c < 2; c++) rest[c] = mid[c] == x[c] ? other[c] : x[c];
    k->multiply(core->rows, lanes, core->wave, mid[0], mid[1], mid[0], mid[1]);
    void *turned[2] = {mid[1], mid[0]}, *room[2] = {rest[1], rest[0]};
    fft_core_run(core->chirped, lanes, turned, room, end);
    y[0] = end[1], y[1] = end[0];
    k->multiply(core->n, lanes, core->chirp, y[0], y[1], y[0], y[1]);
}
