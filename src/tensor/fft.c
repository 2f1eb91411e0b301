/* nigh/fft.h: checks, factors and the choice between nigh's own engine and FFTW. */
#include "tensor/fft_own.h"

#include <math.h>

struct nigh_fft {
    nigh_context *ctx;
    bool empty;
    fft_own *own;
    fft_fftw *fftw;
};

static const char *const kind_names[] = {"complex", "real", "DCT-I", "DCT-II", "DCT-III", "DST-I", "DST-II", "DST-III"};

nigh_fft_spec nigh_fft_channels_last(nigh_fft_kind kind, nigh_dtype dtype, bool inverse, int64_t batch, int dims, const int64_t *n,
                                     int64_t channels)
{
    nigh_fft_spec spec = {.kind = kind, .dtype = dtype, .inverse = inverse, .dims = dims, .batch_dims = 2};
    int64_t in = channels, out = channels;
    for (int d = dims - 1; d >= 0 && d < NIGH_FFT_DIMS; d--) {
        spec.dim[d] = (nigh_fft_dim){n[d], in, out};
        int64_t half = d == dims - 1 && kind == NIGH_FFT_REAL ? n[d] / 2 + 1 : n[d];
        in *= inverse ? half : n[d];
        out *= inverse ? n[d] : half;
    }
    spec.batch[0] = (nigh_fft_dim){batch, in > 0 ? in : 1, out > 0 ? out : 1};
    spec.batch[1] = (nigh_fft_dim){channels, 1, 1};
    for (int d = 0; d < dims && channels == 0; d++) spec.dim[d].in = spec.dim[d].out = 1;
    return spec;
}

bool fft_half(const nigh_fft_spec *spec, bool of_input)
{
    return spec->kind == NIGH_FFT_REAL && spec->inverse == of_input;
}

int fft_loops(const nigh_fft_spec *spec, bool half, nigh_fft_dim loop[FFT_LOOPS])
{
    int count = 0;
    for (int i = 0; i < spec->batch_dims; i++)
        if (spec->batch[i].n != 1) loop[count++] = spec->batch[i];
    for (int i = 0; i < spec->dims; i++) {
        nigh_fft_dim dim = spec->dim[i];
        if (half && i == spec->dims - 1) dim.n = dim.n / 2 + 1;
        if (dim.n != 1) loop[count++] = dim;
    }
    return count;
}

void fft_loops_sort(int count, nigh_fft_dim *loop)
{
    for (int i = 1; i < count; i++) {
        nigh_fft_dim held = loop[i];
        int at = i;
        for (; at > 0 && loop[at - 1].in > held.in; at--) loop[at] = loop[at - 1];
        loop[at] = held;
    }
}

static nigh_status check_dims(nigh_context *ctx, const nigh_fft_spec *spec, double *count)
{
    *count = 1;
    for (int i = 0; i < spec->dims + spec->batch_dims; i++) {
        bool batch = i >= spec->dims;
        int at = batch ? i - spec->dims : i;
        const nigh_fft_dim *dim = batch ? &spec->batch[at] : &spec->dim[at];
        int64_t least = batch ? 0 : spec->kind == NIGH_FFT_DCT1 ? 2 : 1, most = batch ? (int64_t)1 << 40 : 1 << 24;
        const char *name = batch ? "batch" : "dim";
        if (dim->n < least || dim->n > most)
            return nigh_fail(ctx, NIGH_INVALID, "fft: %s[%d].n is %lld; %lld to %lld is allowed (%s transform)", name, at, (long long)dim->n,
                             (long long)least, (long long)most, kind_names[spec->kind]);
        if (dim->in < 1 || dim->out < 1 || dim->in > (int64_t)1 << 40 || dim->out > (int64_t)1 << 40)
            return nigh_fail(ctx, NIGH_INVALID, "fft: %s[%d] has strides %lld (in) and %lld (out); 1 to 2^40 is allowed", name, at,
                             (long long)dim->in, (long long)dim->out);
        if (spec->in_place && dim->in != dim->out)
            return nigh_fail(ctx, NIGH_INVALID, "fft: %s[%d] has strides %lld (in) and %lld (out); in place they are the same", name, at,
                             (long long)dim->in, (long long)dim->out);
        *count *= (double)dim->n;
    }
    if (*count > 0x1p40) return nigh_fail(ctx, NIGH_INVALID, "fft: %g elements; at most 2^40 are allowed", *count);
    return NIGH_OK;
}

static nigh_status check(nigh_context *ctx, const nigh_fft_spec *spec, int threads, double *count)
{
    if ((unsigned)spec->kind > NIGH_FFT_DST3) return nigh_fail(ctx, NIGH_INVALID, "fft: kind is %d; 0 to %d is allowed", (int)spec->kind, NIGH_FFT_DST3);
    if (spec->dtype != NIGH_F32 && spec->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "fft: dtype is %s; f32 and f64 are known (complex numbers are pairs of them)", nigh_dtype_name(spec->dtype));
    if ((unsigned)spec->norm > NIGH_FFT_RAW || (unsigned)spec->engine > NIGH_FFT_FFTW)
        return nigh_fail(ctx, NIGH_INVALID, "fft: norm is %d and engine %d; 0 to 2 is allowed", (int)spec->norm, (int)spec->engine);
    if (spec->dims < 1 || spec->dims > NIGH_FFT_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "fft: dims is %d; 1 to %d is allowed", spec->dims, NIGH_FFT_DIMS);
    if (spec->batch_dims < 0 || spec->batch_dims > NIGH_FFT_BATCH_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "fft: batch_dims is %d; 0 to %d is allowed", spec->batch_dims, NIGH_FFT_BATCH_DIMS);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "fft: threads is %d; 1 to 1024 is allowed", threads);
    if (spec->in_place && spec->kind == NIGH_FFT_REAL)
        return nigh_fail(ctx, NIGH_INVALID, "fft: in_place with kind real; only complex, cosine and sine transforms run in place");
    return check_dims(ctx, spec, count);
}

/* Product over the dimensions of what the header states. Orthogonal cosine and sine transforms carry theirs in tables. */
static double factor_of(const nigh_fft_spec *spec)
{
    bool fourier = spec->kind <= NIGH_FFT_REAL;
    if (spec->norm == NIGH_FFT_RAW || (spec->norm == NIGH_FFT_BACKWARD && !spec->inverse) || (spec->norm == NIGH_FFT_ORTHO && !fourier)) return 1;
    double product = 1;
    for (int i = 0; i < spec->dims; i++) {
        double n = (double)spec->dim[i].n;
        product *= fourier ? n : spec->kind == NIGH_FFT_DCT1 ? 2 * (n - 1) : spec->kind == NIGH_FFT_DST1 ? 2 * (n + 1) : 2 * n;
    }
    return spec->norm == NIGH_FFT_ORTHO ? 1 / sqrt(product) : 1 / product;
}

/* Half a million operations a thread pay for waking it. */
static int useful_threads(const nigh_fft_spec *spec, int threads, double count)
{
    double log_n = 0;
    for (int i = 0; i < spec->dims; i++) log_n += log2((double)spec->dim[i].n);
    double operations = 5 * count * fmax(1, log_n), most = floor(operations / 5e5);
    return most < 2 ? 1 : most < threads ? (int)most : threads;
}

#ifdef NIGH_HAVE_FFTW
/* Sizes with a large prime, and real fields with 16 channels or more side by side, are where nigh's own engine was measured to be faster. */
static bool own_is_faster(const nigh_fft_spec *spec)
{
    bool side_by_side = false, rough = false;
    for (int i = 0; i < spec->batch_dims; i++)
        side_by_side = side_by_side || (spec->batch[i].in == 1 && spec->batch[i].out == 1 && spec->batch[i].n >= 16);
    for (int i = 0; i < spec->dims; i++) {
        int64_t left = spec->dim[i].n;
        for (int p = 2; p <= 13; p++)
            while (left % p == 0) left /= p;
        rough = rough || left > 1;
    }
    return side_by_side && (spec->kind == NIGH_FFT_REAL || (spec->kind == NIGH_FFT_COMPLEX && rough));
}
#endif

static bool use_own(const nigh_fft_spec *spec)
{
#ifdef NIGH_HAVE_FFTW
    if (spec->engine != NIGH_FFT_CHOOSE) return spec->engine == NIGH_FFT_OWN;
    if (spec->norm == NIGH_FFT_ORTHO && spec->kind >= NIGH_FFT_DCT1) return true;
    return own_is_faster(spec);
#else
    return true;
#endif
}

nigh_status nigh_fft_new(nigh_context *ctx, const nigh_fft_spec *spec, int threads, nigh_fft **out)
{
    double count = 0;
    nigh_status status = check(ctx, spec, threads, &count);
    if (status) return status;
    bool own = use_own(spec);
    if (spec->engine == NIGH_FFT_FFTW) {
#ifndef NIGH_HAVE_FFTW
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "fft: engine is FFTW, which this build lacks; NIGH_FFT_CHOOSE takes nigh's own");
#endif
        if (spec->norm == NIGH_FFT_ORTHO && spec->kind >= NIGH_FFT_DCT1)
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "fft: engine FFTW has no orthogonal %s; NIGH_FFT_CHOOSE takes nigh's own", kind_names[spec->kind]);
    }
    nigh_fft *fft = nigh_alloc_zero(ctx, 1, sizeof *fft);
    if (!fft) return NIGH_MEMORY;
    fft->ctx = ctx;
    fft->empty = count == 0;
    threads = useful_threads(spec, threads, count);
    double factor = factor_of(spec);
    if (!fft->empty) status = own ? fft_own_new(ctx, spec, nigh_cpu(), threads, factor, &fft->own) : fft_fftw_new(ctx, spec, threads, factor, &fft->fftw);
    if (status) {
        nigh_fft_free(fft);
        return status;
    }
    *out = fft;
    return NIGH_OK;
}

void nigh_fft_free(nigh_fft *fft)
{
    if (!fft) return;
    fft_own_free(fft->own);
    fft_fftw_free(fft->fftw);
    nigh_free(fft->ctx, fft);
}

size_t nigh_fft_workspace(const nigh_fft *fft)
{
    return fft->own ? fft_own_workspace(fft->own) : fft->fftw ? fft_fftw_workspace(fft->fftw) : 0;
}

const char *nigh_fft_path(const nigh_fft *fft)
{
    return fft->fftw ? "fftw" : "own";
}

void nigh_fft_run(const nigh_fft *fft, const void *in, void *out, void *workspace)
{
    if (fft->own)
        fft_own_run(fft->own, in, out, workspace);
    else if (fft->fftw)
        fft_fftw_run(fft->fftw, in, out, workspace);
}
