/* Tables of the vorticity equation and the way from fields to modes and back; see pde_vorticity.h. */
#include "operator/pde_vorticity.h"

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

static double get(nigh_dtype dtype, const void *array, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)array)[i] : ((const double *)array)[i]; }

static void fill(vorticity *v, double viscosity, double step, const double force[2])
{
    int64_t n = v->n, most = v->most;
    (void)n;
    for (int64_t kx = 0; kx <= most; kx++)
        for (int64_t ky = 0; ky <= most; ky++) {
            double square = (double)(kx * kx + ky * ky), c[12];
            int64_t p = kx * v->columns + ky;
            nigh_etdrk4_coefficients(-4 * M_PI * M_PI * viscosity * square * step, 0, c);
            put(v->dtype, v->lift, p, square > 0 ? 1 / (2 * M_PI * square) : 0);
            for (int i = 0; i < 6; i++) put(v->dtype, v->table[i], p, c[2 * i] * (i < 2 ? 1 : step));
        }
    for (int64_t ky = 0; ky < v->columns; ky++) {
        bool real = ky <= most;
        put(v->dtype, v->ky, ky, real ? (double)ky : 0);
        v->plus[ky] = real ? ky : v->rows;
        v->minus_out[ky] = real && ky ? most + ky : v->rows;
        v->minus_in[ky] = real && ky ? most + ky : real ? 0 : v->rows;
    }
    if (most >= 1) put(v->dtype, v->force, 1, force[0]), put(v->dtype, v->force, v->lanes + 1, force[1]);
}

nigh_status vorticity_new(nigh_context *ctx, nigh_dtype dtype, int64_t n, double viscosity, double step, const double force[2], vorticity **out)
{
    static const vorticity_kernels *const kernels[] = {vorticity_scalar, vorticity_avx2, vorticity_avx512};
    static const fft_kernels *const *const ffts[] = {fft_scalar, fft_avx2, fft_avx512};
    size_t size = nigh_dtype_size(dtype);
    vorticity *v = nigh_alloc_zero(ctx, 1, sizeof *v);
    if (!v) return NIGH_MEMORY;
    int64_t lanes = FFT_LANES(size), most = (n - 1) / 3;
    *v = (vorticity){.ctx = ctx, .dtype = dtype, .n = n, .most = most, .rows = 2 * most + 1, .lanes = lanes, .kernels = &kernels[nigh_cpu()][dtype == NIGH_F64]};
    v->columns = (most + lanes) / lanes * lanes;
    v->padded = (n + lanes - 1) / lanes * lanes;
    int64_t count = (most + 1) * v->columns;
    void **arrays[] = {&v->lift, &v->table[0], &v->table[1], &v->table[2], &v->table[3], &v->table[4], &v->table[5], &v->ky, &v->force};
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !status; i++)
        if (!(*arrays[i] = nigh_alloc_zero(ctx, (size_t)(i < 7 ? count : i < 8 ? v->columns : 2 * lanes), size))) status = NIGH_MEMORY;
    int64_t **lines[] = {&v->plus, &v->minus_out, &v->minus_in};
    for (int i = 0; i < 3 && !status; i++)
        if (!(*lines[i] = nigh_alloc_zero(ctx, (size_t)v->columns, sizeof(int64_t)))) status = NIGH_MEMORY;
    if (!status) fill(v, viscosity, step, force);
    if (!status) status = fft_core_new(ctx, ffts[nigh_cpu()], dtype, n, &v->core);
    for (int inverse = 0; inverse < 2 && !status; inverse++) {
        nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_REAL, NIGH_F64, inverse, 1, 2, (int64_t[2]){n, n}, 1);
        spec.norm = NIGH_FFT_RAW, spec.engine = NIGH_FFT_OWN, spec.destroy = true;
        status = nigh_fft_new(ctx, &spec, 1, inverse ? &v->inverse : &v->forward);
    }
    if (status) {
        vorticity_free(v);
        return status;
    }
    *out = v;
    return NIGH_OK;
}

void vorticity_free(vorticity *v)
{
    if (!v) return;
    nigh_context *ctx = v->ctx;
    void *blocks[] = {v->lift, v->ky, v->force, v->plus, v->minus_out, v->minus_in};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ctx, blocks[i]);
    for (int i = 0; i < 6; i++) nigh_free(ctx, v->table[i]);
    fft_core_free(ctx, v->core);
    nigh_fft_free(v->forward);
    nigh_fft_free(v->inverse);
    nigh_free(ctx, v);
}

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Numbers of one step's desk; the coefficients of a whole field and a transform's workspace lie in the same place at other times. */
static size_t desk_bytes(const vorticity *v)
{
    int64_t room = fft_core_rows(v->core) > v->padded ? fft_core_rows(v->core) : v->padded;
    return whole_lines((size_t)(6 * room * v->lanes + 2 * (v->rows + 1) * v->padded + 8 * v->rows * v->columns) * nigh_dtype_size(v->dtype));
}

static size_t half_bytes(const vorticity *v) { return whole_lines((size_t)(v->n * (v->n / 2 + 1)) * 2 * sizeof(double)); }

size_t vorticity_workspace(const vorticity *v)
{
    size_t a = nigh_fft_workspace(v->forward), b = nigh_fft_workspace(v->inverse), fields = half_bytes(v) + whole_lines(a > b ? a : b), desk = desk_bytes(v);
    return 2 * whole_lines((size_t)(v->rows * v->columns) * nigh_dtype_size(v->dtype)) + (fields > desk ? fields : desk);
}

void vorticity_run(const vorticity *v, int64_t steps, const double *in, double *out, void *workspace)
{
    int64_t n = v->n, most = v->most, half = n / 2 + 1;
    size_t state = whole_lines((size_t)(v->rows * v->columns) * nigh_dtype_size(v->dtype));
    char *re = workspace, *im = re + state, *desk = im + state;
    double *modes = (double *)desk;
    void *scratch = desk + half_bytes(v);
    nigh_fft_run(v->forward, in, modes, scratch);
    memset(re, 0, 2 * state);
    for (int64_t r = 0; r < v->rows; r++)
        for (int64_t ky = 0; ky <= most; ky++) {
            const double *z = modes + 2 * ((r <= most ? r : n - (v->rows - r)) * half + ky);
            put(v->dtype, re, r * v->columns + ky, z[0] / (double)(n * n));
            put(v->dtype, im, r * v->columns + ky, z[1] / (double)(n * n));
        }
    for (int64_t s = 0; s < steps; s++) v->kernels->step(v, re, im, desk);
    memset(modes, 0, half_bytes(v));
    for (int64_t r = 0; r < v->rows; r++)
        for (int64_t ky = 0; ky <= most; ky++) {
            double *z = modes + 2 * ((r <= most ? r : n - (v->rows - r)) * half + ky);
            z[0] = get(v->dtype, re, r * v->columns + ky), z[1] = get(v->dtype, im, r * v->columns + ky);
        }
    nigh_fft_run(v->inverse, modes, out, scratch);
}
