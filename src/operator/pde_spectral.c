/* Tables of one-dimensional periodic equations; see pde_spectral.h. */
#include "operator/pde_spectral.h"

#include "nigh/ode.h"

#include <math.h>
#include <string.h>

static void put(nigh_dtype dtype, void *array, int64_t i, double value)
{
    if (dtype == NIGH_F32)
        ((float *)array)[i] = (float)value;
    else
        ((double *)array)[i] = value;
}

static int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }

static nigh_status take(spectral *s, int64_t count, void **block)
{
    *block = nigh_alloc_zero(s->ctx, (size_t)whole(count), nigh_dtype_size(s->dtype));
    return *block ? NIGH_OK : NIGH_MEMORY;
}

/* The largest factor up to the square root, so that both transforms have many lanes. */
static int64_t lesser(int64_t half)
{
    int64_t best = 1;
    for (int64_t f = 2; f * f <= half; f++)
        if (half % f == 0) best = f;
    return best;
}

static nigh_status fill_tables(spectral *s, const spectral_spec *spec)
{
    nigh_status status = NIGH_OK;
    double linear[2], gain[2], c[12];
    bool turned = false;
    for (int64_t k = 0; k <= s->most; k++) {
        spec->symbol(spec->user, k, linear, gain);
        if (linear[1] != 0) s->pairs = true;
        if (gain[1] != 0) turned = true;
    }
    for (int i = 0; i < 12 * s->levels && !status; i++)
        if (i % 2 == 0 || s->pairs) status = take(s, s->most + 1, &s->table[i / 12][i % 12 / 2][i % 2]);
    for (int c2 = 0; c2 <= turned && !status; c2++) status = take(s, s->most + 1, &s->gain[c2]);
    for (int64_t k = 0; k <= s->most && !status; k++) {
        spec->symbol(spec->user, k, linear, gain);
        for (int level = 0; level < s->levels; level++) {
            double step = spec->step / (double)(1 << level);
            nigh_etdrk4_coefficients(linear[0] * step, linear[1] * step, c);
            for (int i = 0; i < 12; i++)
                if (i % 2 == 0 || s->pairs) put(s->dtype, s->table[level][i / 2][i % 2], k, c[i] * (i < 4 ? 1 : step));
        }
        for (int c2 = 0; c2 <= turned; c2++) put(s->dtype, s->gain[c2], k, gain[c2] / (double)s->n);
    }
    return status;
}

static nigh_status fill_transform(spectral *s)
{
    static const fft_kernels *const *const ffts[] = {fft_scalar, fft_avx2, fft_avx512};
    nigh_status status = NIGH_OK;
    for (int c = 0; c < 2 && !status; c++) status = fft_core_new(s->ctx, ffts[nigh_cpu()], s->dtype, c ? s->second : s->first, &s->core[c]);
    for (int c = 0; c < 2 && !status; c++) status = take(s, s->half, &s->twiddle[c]);
    for (int c = 0; c < 2 && !status; c++) status = take(s, s->half + 1, &s->turn[c]);
    if (status) return status;
    for (int64_t a = 0; a < s->first; a++)
        for (int64_t b = 0; b < s->second; b++) {
            double angle = 2 * M_PI * (double)(a * b % s->half) / (double)s->half;
            put(s->dtype, s->twiddle[0], a * s->second + b, cos(angle));
            put(s->dtype, s->twiddle[1], a * s->second + b, -sin(angle));
        }
    for (int64_t k = 0; k <= s->half; k++) {
        double angle = 2 * M_PI * (double)k / (double)s->n;
        put(s->dtype, s->turn[0], k, cos(angle));
        put(s->dtype, s->turn[1], k, sin(angle));
    }
    int64_t a = fft_core_rows(s->core[0]) * s->second, b = fft_core_rows(s->core[1]) * s->first;
    s->room = whole((a > b ? a : b) + 1);
    return NIGH_OK;
}

nigh_status spectral_new(nigh_context *ctx, const spectral_spec *spec, spectral **out)
{
    static const spectral_kernels *const kernels[] = {spectral_scalar, spectral_avx2, spectral_avx512};
    if (spec->n < 4 || spec->n % 2) return nigh_fail(ctx, NIGH_INVALID, "a grid of %lld points; even ones from 4 on are allowed", (long long)spec->n);
    spectral *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (spectral){.ctx = ctx, .dtype = spec->dtype, .n = spec->n, .half = spec->n / 2, .degree = spec->degree, .levels = spec->levels, .kernels = &kernels[nigh_cpu()][spec->dtype == NIGH_F64]};
    s->first = lesser(s->half), s->second = s->half / s->first;
    s->most = spec->degree ? (spec->n - 1) / (spec->degree + 1) : s->half - 1;
    nigh_status status = fill_transform(s);
    if (!status) status = fill_tables(s, spec);
    if (status) {
        spectral_free(s);
        return status;
    }
    *out = s;
    return NIGH_OK;
}

void spectral_free(spectral *s)
{
    if (!s) return;
    for (int c = 0; c < 2; c++) {
        fft_core_free(s->ctx, s->core[c]);
        nigh_free(s->ctx, s->twiddle[c]);
        nigh_free(s->ctx, s->turn[c]);
        nigh_free(s->ctx, s->gain[c]);
        for (int i = 0; i < 6 * SPECTRAL_LEVELS; i++) nigh_free(s->ctx, s->table[i / 6][i % 6][c]);
    }
    nigh_free(s->ctx, s);
}

size_t spectral_workspace(const spectral *s)
{
    return (size_t)(4 * s->room + 10 * whole(s->half + 1)) * nigh_dtype_size(s->dtype);
}

static double get(nigh_dtype dtype, const void *array, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)array)[i] : ((const double *)array)[i]; }

void spectral_run(const spectral *s, int level, int64_t steps, double drift, const double *in, double *out, void *workspace)
{
    size_t modes = (size_t)whole(s->half + 1) * nigh_dtype_size(s->dtype);
    char *re = workspace, *im = re + modes, *desk = im + modes;
    s->kernels->to_modes(s, in, re, im, desk);
    double mean = get(s->dtype, re, 0);
    if (drift != 0) put(s->dtype, re, 0, 0);
    s->kernels->run(s, level, steps, re, im, desk);
    if (drift != 0) {
        double way = drift * mean - floor(drift * mean);
        put(s->dtype, re, 0, mean);
        for (int64_t k = 1; k <= s->most; k++) {
            double turns = (double)k * way, angle = 2 * M_PI * (turns - floor(turns)), c = cos(angle), sn = sin(angle);
            double a = get(s->dtype, re, k), b = get(s->dtype, im, k);
            put(s->dtype, re, k, a * c + b * sn);
            put(s->dtype, im, k, b * c - a * sn);
        }
    }
    s->kernels->to_values(s, re, im, out, desk);
}
