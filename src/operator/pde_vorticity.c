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

/*
 * Explicit transport is stable while the velocity times the shortest wave kept times the step is below a constant, or where viscosity damps waves that short, while velocity^2 step / viscosity
 * is. Constants for the root mean square velocity, found by trial at viscosities 1e-3 to 1e-5 on 32 to 128 points.
 */
int64_t vorticity_steps(int64_t n, double viscosity, double unit, int64_t least, double safety, double velocity)
{
    double wave = 2 * M_PI * (double)((n - 1) / 3), steps = safety * unit * fmin(velocity * wave / 1.2, velocity * velocity / (10 * viscosity));
    int64_t power = least;
    while ((double)power < steps && power < INT64_C(1) << 40) power *= 2;
    return power;
}

static void put_both(const vorticity *v, void *table, int64_t p, int64_t q, double value)
{
    put(v->dtype, table, p, value);
    put(v->dtype, table, q, value);
}

static void fill(vorticity *v, const vorticity_spec *spec)
{
    int64_t most = v->most;
    for (int64_t kx = 0; kx <= most; kx++)
        for (int64_t ky = 0; ky <= kx; ky++) { /* tables are symmetric */
            double square = (double)(kx * kx + ky * ky), c[12];
            int64_t p = kx * v->columns + ky, q = ky * v->columns + kx;
            put_both(v, v->lift, p, q, square > 0 ? 1 / (2 * M_PI * square) : 0);
            for (int level = 0; level < v->levels; level++) {
                double step = v->unit / (double)(v->least << level);
                nigh_etdrk4_coefficients(-4 * M_PI * M_PI * v->viscosity * square * step, 0, c);
                for (int i = 0; i < 6; i++) put_both(v, v->table[level][i], p, q, c[2 * i] * (i < 2 ? 1 : step));
            }
        }
    for (int64_t ky = 0; ky < v->columns; ky++) {
        bool real = ky <= most;
        put(v->dtype, v->ky, ky, real ? (double)ky : 0);
        v->plus[ky] = real ? ky : v->rows;
        v->minus_out[ky] = real && ky ? most + ky : v->rows;
        v->minus_in[ky] = real && ky ? most + ky : real ? 0 : v->rows;
    }
    if (most >= 1) put(v->dtype, v->force, 1, spec->force[0]), put(v->dtype, v->force, v->lanes + 1, spec->force[1]);
}

static nigh_status take(const vorticity *v, int64_t count, void **block)
{
    *block = nigh_alloc_zero(v->ctx, (size_t)count, nigh_dtype_size(v->dtype));
    return *block ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status allocate(vorticity *v)
{
    int64_t count = (v->most + 1) * v->columns, **lines[] = {&v->plus, &v->minus_out, &v->minus_in};
    nigh_status status = take(v, count, &v->lift);
    for (int i = 0; i < 6 * v->levels && !status; i++) status = take(v, count, &v->table[i / 6][i % 6]);
    if (!status) status = take(v, v->columns, &v->ky);
    if (!status) status = take(v, 2 * v->lanes, &v->force);
    for (int i = 0; i < 3 && !status; i++)
        if (!(*lines[i] = nigh_alloc_zero(v->ctx, (size_t)v->columns, sizeof(int64_t)))) status = NIGH_MEMORY;
    return status;
}

/* The fastest flow that tables are made for: some three times what the forcing brings about. */
static const double fastest = 0.8;

nigh_status vorticity_new(nigh_context *ctx, const vorticity_spec *spec, vorticity **out)
{
    static const vorticity_kernels *const kernels[] = {vorticity_scalar, vorticity_avx2, vorticity_avx512};
    static const fft_kernels *const *const ffts[] = {fft_scalar, fft_avx2, fft_avx512};
    int64_t n = spec->n, lanes = FFT_LANES(nigh_dtype_size(spec->dtype)), most = (n - 1) / 3;
    vorticity *v = nigh_alloc_zero(ctx, 1, sizeof *v);
    if (!v) return NIGH_MEMORY;
    *v = (vorticity){.ctx = ctx, .dtype = spec->dtype, .n = n, .most = most, .rows = 2 * most + 1, .lanes = lanes, .kernels = &kernels[nigh_cpu()][spec->dtype == NIGH_F64],
                     .levels = 1, .least = spec->least, .viscosity = spec->viscosity, .unit = spec->unit, .safety = spec->safety};
    v->columns = (most + lanes) / lanes * lanes;
    v->padded = (n + lanes - 1) / lanes * lanes;
    int64_t steps = vorticity_steps(n, v->viscosity, v->unit, v->least, v->safety, fastest);
    while (v->levels < VORTICITY_LEVELS && v->least << v->levels <= steps) v->levels++;
    nigh_status status = allocate(v);
    if (!status) fill(v, spec);
    if (!status) status = fft_core_new(ctx, ffts[nigh_cpu()], spec->dtype, n, &v->core);
    for (int inverse = 0; inverse < 2 && !status; inverse++) {
        nigh_fft_spec fft = nigh_fft_channels_last(NIGH_FFT_REAL, NIGH_F64, inverse, 1, 2, (int64_t[2]){n, n}, 1);
        fft.norm = NIGH_FFT_RAW, fft.engine = NIGH_FFT_OWN, fft.destroy = true;
        status = nigh_fft_new(ctx, &fft, 1, inverse ? &v->inverse : &v->forward);
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
    for (int i = 0; i < 6 * VORTICITY_LEVELS; i++) nigh_free(ctx, v->table[i / 6][i % 6]);
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

/* Root mean square velocity: |w| / (2 pi k) of each mode, those with ky > 0 twice. */
static double velocity_of(const vorticity *v, const void *re, const void *im)
{
    double sum = 0;
    for (int64_t r = 0; r < v->rows; r++)
        for (int64_t ky = 0; ky <= v->most; ky++) {
            int64_t kx = r <= v->most ? r : r - v->rows, p = r * v->columns + ky;
            double a = get(v->dtype, re, p), b = get(v->dtype, im, p);
            if (kx || ky) sum += (ky ? 2 : 1) * (a * a + b * b) / (double)(kx * kx + ky * ky);
        }
    return sqrt(sum) / (2 * M_PI);
}

/* As many steps as the velocity asks for; of NaN the least. */
static void run_unit(const vorticity *v, void *re, void *im, void *desk)
{
    int64_t wanted = vorticity_steps(v->n, v->viscosity, v->unit, v->least, v->safety, velocity_of(v, re, im));
    int level = 0;
    while (level + 1 < v->levels && v->least << level < wanted) level++;
    for (int64_t s = 0; s < v->least << level; s++) v->kernels->step(v, level, re, im, desk);
}

void vorticity_run(const vorticity *v, int64_t units, const double *in, double *out, void *workspace)
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
    for (int64_t u = 0; u < units; u++) run_unit(v, re, im, desk);
    memset(modes, 0, half_bytes(v));
    for (int64_t r = 0; r < v->rows; r++)
        for (int64_t ky = 0; ky <= most; ky++) {
            double *z = modes + 2 * ((r <= most ? r : n - (v->rows - r)) * half + ky);
            z[0] = get(v->dtype, re, r * v->columns + ky), z[1] = get(v->dtype, im, r * v->columns + ky);
        }
    nigh_fft_run(v->inverse, modes, out, scratch);
}
