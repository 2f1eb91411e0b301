/* Recurrences: checks that all share, and the gated one. */
#include "tensor/scan.h"

const scan_kernels *scan_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
    return (level == NIGH_CPU_AVX512 ? scan_avx512 : level == NIGH_CPU_AVX2 ? scan_avx2 : scan_scalar) + (dtype == NIGH_F64);
}

nigh_status scan_check(nigh_context *ctx, const char *what, nigh_dtype dtype, int count, const char *const *name, const int64_t *size, int64_t most,
                       int threads)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: dtype is %s; f32 and f64 are known", what, nigh_dtype_name(dtype));
    double product = 1;
    for (int i = 0; i < count; i++) {
        if (size[i] < 0 || size[i] > most)
            return nigh_fail(ctx, NIGH_INVALID, "%s: %s is %lld; 0 to %lld is allowed", what, name[i], (long long)size[i], (long long)most);
        product *= size[i] ? (double)size[i] : 1;
    }
    if (product > 0x1p44) return nigh_fail(ctx, NIGH_INVALID, "%s: %g numbers; at most 2^44 are allowed", what, product);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "%s: threads is %d; 1 to 1024 is allowed", what, threads);
    return NIGH_OK;
}

struct scan_gated {
    nigh_context *ctx;
    const scan_kernels *kernels;
    scan_gated_spec spec;
    size_t size;
    int threads;
    int64_t blocks, width; /* of channels */
};

nigh_status scan_gated_new(nigh_context *ctx, const scan_gated_spec *spec, int threads, scan_gated **out)
{
    static const char *const name[] = {"batch", "steps", "channels"};
    nigh_status status = scan_check(ctx, "gated scan", spec->dtype, 3, name, &spec->batch, (int64_t)1 << 40, threads);
    if (status) return status;
    scan_gated *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->spec = *spec;
    s->size = nigh_dtype_size(spec->dtype);
    s->kernels = scan_kernels_at(nigh_cpu(), spec->dtype);
    s->threads = (double)spec->batch * (double)spec->steps * (double)spec->channels < 1 << 16 ? 1 : threads;
    int64_t line = 256 / (int64_t)s->size;
    s->width = spec->channels;
    if (spec->batch < 4 * s->threads && s->threads > 1) s->width = (spec->channels / s->threads + line) / line * line;
    s->blocks = s->width ? (spec->channels + s->width - 1) / s->width : 0;
    *out = s;
    return NIGH_OK;
}

void scan_gated_free(scan_gated *s)
{
    if (s) nigh_free(s->ctx, s);
}

static const void *shift(const void *p, int64_t count, size_t size)
{
    return p ? (const char *)p + (size_t)count * size : NULL;
}

static void *shift_out(void *p, int64_t count, size_t size)
{
    return p ? (char *)p + (size_t)count * size : NULL;
}

void scan_gated_run(const scan_gated *s, const void *a, const void *b, const void *first, void *h)
{
    const scan_gated_spec *p = &s->spec;
    int64_t each = p->steps * p->channels;
#pragma omp parallel for schedule(static) num_threads(s->threads) if (s->threads > 1)
    for (int64_t job = 0; job < p->batch * s->blocks; job++) {
        int64_t n = job / s->blocks, from = job % s->blocks * s->width, to = from + s->width < p->channels ? from + s->width : p->channels;
        s->kernels->gated(p->steps, p->channels, from, to, shift(a, n * each, s->size), shift(b, n * each, s->size),
                          shift(first, n * p->channels, s->size), shift_out(h, n * each, s->size));
    }
}

void scan_gated_back(const scan_gated *s, const void *a, const void *first, const void *h, const void *dh, void *da, void *db, void *dfirst)
{
    const scan_gated_spec *p = &s->spec;
    int64_t each = p->steps * p->channels;
#pragma omp parallel for schedule(static) num_threads(s->threads) if (s->threads > 1)
    for (int64_t job = 0; job < p->batch * s->blocks; job++) {
        int64_t n = job / s->blocks, from = job % s->blocks * s->width, to = from + s->width < p->channels ? from + s->width : p->channels;
        s->kernels->gated_back(p->steps, p->channels, from, to, shift(a, n * each, s->size), shift(first, n * p->channels, s->size),
                               shift(h, n * each, s->size), shift(dh, n * each, s->size), shift_out(da, n * each, s->size),
                               shift_out(db, n * each, s->size), shift_out(dfirst, n * p->channels, s->size));
    }
}
