/* Pooling. Declared in pool.h. */
#include "tensor/pool.h"
#include "tensor/pool_kernels.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Elements of x below which another thread does not pay. */
enum { LEAST_ELEMENTS = 1 << 15 };

struct pool {
    nigh_context *ctx;
    pool_spec spec; /* three dimensions */
    const pool_kernels *kernels;
    int64_t y[POOL_DIMS + 2], x_pixels, y_pixels;
    size_t pixel; /* bytes */
    int threads;
};

static nigh_status wrong(nigh_context *ctx, const pool_spec *s, const char *what, int i, long long value, const char *allowed)
{
    nigh_buffer x = {.ctx = ctx}, w = {.ctx = ctx};
    for (int d = 0; d < s->dims + 2; d++) (void)nigh_buffer_print(&x, "%s%lld", d ? "," : "", (long long)s->x[d]);
    for (int d = 0; d < s->dims; d++) (void)nigh_buffer_print(&w, "%s%lld", d ? "," : "", (long long)s->window[d]);
    nigh_status status = nigh_fail(ctx, NIGH_INVALID, "pool: x is [%s], the window is [%s]: %s[%d] is %lld; %s", x.data ? x.data : "?", w.data ? w.data : "?",
                                   what, i, value, allowed);
    nigh_buffer_free(&x), nigh_buffer_free(&w);
    return status;
}

nigh_status pool_shape(nigh_context *ctx, const pool_spec *s, int64_t y[POOL_DIMS + 2])
{
    int64_t size[POOL_DIMS + 2];
    if (s->dims < 1 || s->dims > POOL_DIMS) return nigh_fail(ctx, NIGH_INVALID, "pool: dims is %d; 1 to %d is allowed", s->dims, POOL_DIMS);
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "pool: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(s->dtype));
    if (s->kind > POOL_MAX) return nigh_fail(ctx, NIGH_INVALID, "pool: kind is %d; average or max is allowed", (int)s->kind);
    nigh_shape shape = {.dtype = s->dtype, .ndim = s->dims + 2};
    for (int i = 0; i < s->dims + 2; i++) {
        if (s->x[i] < (i ? 1 : 0)) return wrong(ctx, s, "x", i, (long long)s->x[i], "1 or more is allowed (samples: 0 or more)");
        shape.dim[i] = size[i] = s->x[i];
    }
    if (nigh_shape_count(&shape) < 0) return wrong(ctx, s, "x", 0, (long long)s->x[0], "arrays below 2^63 bytes are allowed");
    for (int i = 0; i < s->dims; i++) {
        if (s->window[i] < 1) return wrong(ctx, s, "window", i, (long long)s->window[i], "1 or more is allowed");
        if (s->stride[i] < 1) return wrong(ctx, s, "stride", i, (long long)s->stride[i], "1 or more is allowed");
        if (s->low[i] < 0 || s->low[i] >= s->window[i]) return wrong(ctx, s, "low", i, (long long)s->low[i], "0 to the window less 1 is allowed");
        if (s->high[i] < 0 || s->high[i] >= s->window[i]) return wrong(ctx, s, "high", i, (long long)s->high[i], "0 to the window less 1 is allowed");
        int64_t room = s->x[1 + i] + s->low[i] + s->high[i] - s->window[i];
        if (room < 0) return wrong(ctx, s, "window", i, (long long)s->window[i], "the size of x with padding is the most");
        size[1 + i] = room / s->stride[i] + 1;
        if ((size[1 + i] - 1) * s->stride[i] - s->low[i] >= s->x[1 + i]) return wrong(ctx, s, "high", i, (long long)s->high[i], "every window needs a position of x");
    }
    memcpy(y, size, (size_t)(s->dims + 2) * sizeof *y);
    return NIGH_OK;
}

nigh_status pool_new(nigh_context *ctx, const pool_spec *spec, int threads, pool **out)
{
    int64_t y[POOL_DIMS + 2];
    nigh_status status = pool_shape(ctx, spec, y);
    if (status) return status;
    if (threads < 1) return nigh_fail(ctx, NIGH_INVALID, "pool: threads is %d; 1 or more is allowed", threads);
    pool *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx, p->spec = *spec, p->kernels = pool_kernels_at(nigh_cpu(), spec->dtype);
    pool_spec *s = &p->spec;
    int lead = POOL_DIMS - spec->dims;
    p->x_pixels = p->y_pixels = 1;
    for (int i = POOL_DIMS - 1; i >= 0; i--) {
        bool real = i >= lead;
        s->x[1 + i] = real ? spec->x[1 + i - lead] : 1, p->y[1 + i] = real ? y[1 + i - lead] : 1;
        s->window[i] = real ? spec->window[i - lead] : 1, s->stride[i] = real ? spec->stride[i - lead] : 1;
        s->low[i] = real ? spec->low[i - lead] : 0, s->high[i] = real ? spec->high[i - lead] : 0;
        p->x_pixels *= s->x[1 + i], p->y_pixels *= p->y[1 + i];
    }
    s->x[POOL_DIMS + 1] = p->y[POOL_DIMS + 1] = spec->x[spec->dims + 1], p->y[0] = spec->x[0], s->dims = POOL_DIMS;
    p->pixel = (size_t)s->x[POOL_DIMS + 1] * nigh_dtype_size(spec->dtype);
    int64_t most = p->x_pixels * s->x[0] * s->x[POOL_DIMS + 1] / LEAST_ELEMENTS;
    p->threads = most < 1 ? 1 : most < threads ? (int)most : threads;
    if (s->kind == POOL_MAX && p->x_pixels > INT32_MAX) {
        nigh_free(ctx, p);
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "pool: a sample of x has 2^31 pixels or more; indices are of 32 bits");
    }
    *out = p;
    return NIGH_OK;
}

void pool_free(pool *p)
{
    if (p) nigh_free(p->ctx, p);
}

/* The part of x that window o sees, [from, to) in each dimension; the divisor of its average. */
static double window_of(const pool *p, int64_t o, int64_t from[POOL_DIMS], int64_t to[POOL_DIMS])
{
    const pool_spec *s = &p->spec;
    double count = 1;
    for (int i = POOL_DIMS - 1; i >= 0; i--) {
        int64_t first = o % p->y[1 + i] * s->stride[i] - s->low[i], last = first + s->window[i];
        o /= p->y[1 + i];
        from[i] = first < 0 ? 0 : first, to[i] = last > s->x[1 + i] ? s->x[1 + i] : last;
        count *= (double)(s->count_padding ? s->window[i] : to[i] - from[i]);
    }
    return count;
}

static void pool_one(const pool *p, int64_t o, const char *x, char *y, int32_t *index)
{
    const pool_spec *s = &p->spec;
    const int64_t channels = s->x[POOL_DIMS + 1];
    int64_t from[POOL_DIMS], to[POOL_DIMS];
    double count = window_of(p, o, from, to);
    bool first = true;
    for (int64_t d = from[0]; d < to[0]; d++)
        for (int64_t h = from[1]; h < to[1]; h++)
            for (int64_t w = from[2]; w < to[2]; w++, first = false) {
                int64_t at = (d * s->x[2] + h) * s->x[3] + w;
                const char *here = x + (size_t)at * p->pixel;
                if (first) {
                    memcpy(y, here, p->pixel);
                    for (int64_t c = 0; index && c < channels; c++) index[c] = (int32_t)at;
                } else if (s->kind == POOL_AVERAGE) {
                    p->kernels->add(channels, 1, here, y);
                } else if (index) {
                    p->kernels->maximum_at(channels, here, (int32_t)at, y, index);
                } else {
                    p->kernels->maximum(channels, here, y);
                }
            }
    if (s->kind == POOL_AVERAGE) p->kernels->scale(channels, 1 / count, y, y);
}

static void run_part(const pool *p, const char *x, char *y, int32_t *index, int thread, int threads)
{
    int64_t all = p->spec.x[0] * p->y_pixels, channels = p->spec.x[POOL_DIMS + 1];
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++)
        pool_one(p, i % p->y_pixels, x + (size_t)(i / p->y_pixels * p->x_pixels) * p->pixel, y + (size_t)i * p->pixel, index ? index + i * channels : NULL);
}

void pool_run(const pool *p, const void *x, void *y, int32_t *index)
{
#ifdef _OPENMP
    if (p->threads > 1) {
#pragma omp parallel num_threads(p->threads)
        run_part(p, x, y, index, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    run_part(p, x, y, index, 0, 1);
}

static void adjoint_one(const pool *p, int64_t o, const char *dy, const int32_t *index, char *dx)
{
    const pool_spec *s = &p->spec;
    const int64_t channels = s->x[POOL_DIMS + 1];
    if (s->kind == POOL_MAX) {
        p->kernels->send(channels, index, dy, dx);
        return;
    }
    int64_t from[POOL_DIMS], to[POOL_DIMS];
    double count = window_of(p, o, from, to);
    for (int64_t d = from[0]; d < to[0]; d++)
        for (int64_t h = from[1]; h < to[1]; h++)
            for (int64_t w = from[2]; w < to[2]; w++) p->kernels->add(channels, 1 / count, dy, dx + (size_t)((d * s->x[2] + h) * s->x[3] + w) * p->pixel);
}

/* Samples are apart from each other, so threads share them out whole. */
static void adjoint_part(const pool *p, const char *dy, const int32_t *index, char *dx, int thread, int threads)
{
    int64_t n = p->spec.x[0], channels = p->spec.x[POOL_DIMS + 1];
    for (int64_t i = n * thread / threads; i < n * (thread + 1) / threads; i++) {
        char *to = dx + (size_t)(i * p->x_pixels) * p->pixel;
        memset(to, 0, (size_t)p->x_pixels * p->pixel);
        for (int64_t o = 0; o < p->y_pixels; o++)
            adjoint_one(p, o, dy + (size_t)(i * p->y_pixels + o) * p->pixel, index ? index + (i * p->y_pixels + o) * channels : NULL, to);
    }
}

void pool_adjoint(const pool *p, const void *dy, const int32_t *index, void *dx)
{
#ifdef _OPENMP
    if (p->threads > 1) {
#pragma omp parallel num_threads(p->threads)
        adjoint_part(p, dy, index, dx, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    adjoint_part(p, dy, index, dx, 0, 1);
}
