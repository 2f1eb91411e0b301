/* Resampling. Declared in resample.h. */
#include "tensor/resample.h"
#include "tensor/pool_kernels.h"

#include <math.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Elements of y below which another thread does not pay. */
enum { LEAST_ELEMENTS = 1 << 15 };

/* One dimension: position o reads low[o] and low[o] + 1 with the weights 1 - high[o] and high[o] (0: the first alone). */
typedef struct resample_axis {
    int64_t in, out;
    int64_t *low;
    double *high;
    bool same; /* every position reads itself */
} resample_axis;

struct resample {
    nigh_context *ctx;
    const pool_kernels *kernels;
    resample_axis axis[RESAMPLE_DIMS];
    int64_t batch, channels, middle[2]; /* elements of the fields after the last and the middle dimension, of all samples */
    size_t element;
    int threads;
};

static nigh_status check(nigh_context *ctx, const resample_spec *s, int threads)
{
    if (s->dims < 1 || s->dims > RESAMPLE_DIMS) return nigh_fail(ctx, NIGH_INVALID, "resample: dims is %d; 1 to %d is allowed", s->dims, RESAMPLE_DIMS);
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "resample: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(s->dtype));
    if (s->kind > RESAMPLE_LINEAR) return nigh_fail(ctx, NIGH_INVALID, "resample: kind is %d; nearest or linear is allowed", (int)s->kind);
    if (threads < 1) return nigh_fail(ctx, NIGH_INVALID, "resample: threads is %d; 1 or more is allowed", threads);
    int64_t product = 64;
    for (int i = 0; i < s->dims + 2; i++) {
        if (s->x[i] < (i ? 1 : 0)) return nigh_fail(ctx, NIGH_INVALID, "resample: x[%d] is %lld; 1 or more is allowed (samples: 0 or more)", i, (long long)s->x[i]);
        int64_t most = s->x[i] ? s->x[i] : 1;
        if (i >= 1 && i <= s->dims) {
            if (s->out[i - 1] < 1) return nigh_fail(ctx, NIGH_INVALID, "resample: out[%d] is %lld; 1 or more is allowed", i - 1, (long long)s->out[i - 1]);
            if (s->out[i - 1] > most) most = s->out[i - 1];
        }
        if (__builtin_mul_overflow(product, most, &product)) return nigh_fail(ctx, NIGH_INVALID, "resample: x[%d] is %lld; the arrays overflow 2^63 bytes", i, (long long)s->x[i]);
    }
    return NIGH_OK;
}

void resample_position(resample_kind kind, bool align_corners, int64_t in, int64_t out, int64_t o, int64_t *low, double *high)
{
    double at;
    if (align_corners)
        at = out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0;
    else
        at = fmax(((double)o + .5) * (double)in / (double)out - .5, 0);
    if (kind == RESAMPLE_NEAREST) at = align_corners ? floor(at + .5) : (double)(int64_t)((__int128)o * in / out);
    *low = (int64_t)at < in ? (int64_t)at : in - 1;
    *high = *low + 1 < in ? at - (double)*low : 0;
}

static void fill(const resample_spec *s, resample_axis *a)
{
    a->same = a->in == a->out;
    for (int64_t o = 0; o < a->out; o++) resample_position(s->kind, s->align_corners, a->in, a->out, o, &a->low[o], &a->high[o]);
}

nigh_status resample_new(nigh_context *ctx, const resample_spec *spec, int threads, resample **out)
{
    nigh_status status = check(ctx, spec, threads);
    if (status) return status;
    resample *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    r->ctx = ctx, r->kernels = pool_kernels_at(nigh_cpu(), spec->dtype), r->element = nigh_dtype_size(spec->dtype);
    r->batch = spec->x[0], r->channels = spec->x[spec->dims + 1];
    int lead = RESAMPLE_DIMS - spec->dims;
    for (int i = 0; i < RESAMPLE_DIMS; i++) {
        resample_axis *a = &r->axis[i];
        a->in = i >= lead ? spec->x[1 + i - lead] : 1, a->out = i >= lead ? spec->out[i - lead] : 1;
        a->low = nigh_alloc(ctx, (size_t)a->out * sizeof *a->low), a->high = nigh_alloc(ctx, (size_t)a->out * sizeof *a->high);
        if (!a->low || !a->high) {
            resample_free(r);
            return NIGH_MEMORY;
        }
        fill(spec, a);
    }
    r->middle[0] = r->axis[2].same || (r->axis[0].same && r->axis[1].same) ? 0 : r->axis[0].in * r->axis[1].in * r->axis[2].out * r->channels;
    r->middle[1] = r->axis[1].same || r->axis[0].same ? 0 : r->axis[0].in * r->axis[1].out * r->axis[2].out * r->channels;
    int64_t most = r->batch * r->axis[0].out * r->axis[1].out * r->axis[2].out * r->channels / LEAST_ELEMENTS;
    if (most > r->batch) most = r->batch;
    r->threads = most < 1 ? 1 : most < threads ? (int)most : threads;
    *out = r;
    return NIGH_OK;
}

void resample_free(resample *r)
{
    if (!r) return;
    for (int i = 0; i < RESAMPLE_DIMS; i++) nigh_free(r->ctx, r->axis[i].low), nigh_free(r->ctx, r->axis[i].high);
    nigh_free(r->ctx, r);
}

static size_t room(const resample *r, int i) { return ((size_t)r->middle[i] * r->element + 63) / 64 * 64; }

size_t resample_workspace(const resample *r) { return (size_t)r->threads * (room(r, 0) + room(r, 1)); }

/* Rows of `width` elements: x [outer, in, width] -> y [outer, out, width]. */
static void along(const resample *r, const resample_axis *a, int64_t outer, int64_t width, const char *x, char *y)
{
    size_t bytes = (size_t)width * r->element;
    for (int64_t i = 0; i < outer; i++, x += (size_t)a->in * bytes)
        for (int64_t o = 0; o < a->out; o++, y += bytes) {
            const char *low = x + (size_t)a->low[o] * bytes;
            double weights[2] = {1 - a->high[o], a->high[o]};
            const void *both[2] = {low, low + bytes};
            if (a->high[o] == 0)
                memcpy(y, low, bytes);
            else
                r->kernels->two(width, weights, both, y);
        }
}

static void along_adjoint(const resample *r, const resample_axis *a, int64_t outer, int64_t width, const char *dy, char *dx)
{
    size_t bytes = (size_t)width * r->element;
    memset(dx, 0, (size_t)(outer * a->in) * bytes);
    for (int64_t i = 0; i < outer; i++, dx += (size_t)a->in * bytes)
        for (int64_t o = 0; o < a->out; o++, dy += bytes) {
            char *low = dx + (size_t)a->low[o] * bytes;
            r->kernels->add(width, 1 - a->high[o], dy, low);
            if (a->high[o] != 0) r->kernels->add(width, a->high[o], dy, low + bytes);
        }
}

/* Elements of one row behind dimension i while dimensions before it still have (forward) their size of x. */
static void one_sample(const resample *r, bool adjoint, const char *from, char *to, char *first, char *second)
{
    int order[RESAMPLE_DIMS], count = 0;
    for (int i = 0; i < RESAMPLE_DIMS; i++) {
        int axis = adjoint ? i : RESAMPLE_DIMS - 1 - i;
        if (!r->axis[axis].same) order[count++] = axis;
    }
    if (!count) {
        memcpy(to, from, (size_t)(r->axis[0].in * r->axis[1].in * r->axis[2].in * r->channels) * r->element);
        return;
    }
    for (int k = 0; k < count; k++) {
        int axis = order[k];
        int64_t outer = 1, width = r->channels;
        for (int i = 0; i < axis; i++) outer *= r->axis[i].in;
        for (int i = axis + 1; i < RESAMPLE_DIMS; i++) width *= r->axis[i].out;
        char *target = k == count - 1 ? to : (adjoint ? order[k + 1] : axis) == 2 ? first : second;
        if (adjoint)
            along_adjoint(r, &r->axis[axis], outer, width, from, target);
        else
            along(r, &r->axis[axis], outer, width, from, target);
        from = target;
    }
}

static void part(const resample *r, bool adjoint, const char *from, char *to, char *workspace, int thread, int threads)
{
    char *first = workspace + (size_t)thread * (room(r, 0) + room(r, 1)), *second = first + room(r, 0);
    size_t x = r->element * (size_t)r->channels, y = x;
    for (int i = 0; i < RESAMPLE_DIMS; i++) x *= (size_t)r->axis[i].in, y *= (size_t)r->axis[i].out;
    for (int64_t n = r->batch * thread / threads; n < r->batch * (thread + 1) / threads; n++)
        one_sample(r, adjoint, from + (size_t)n * (adjoint ? y : x), to + (size_t)n * (adjoint ? x : y), first, second);
}

static void all(const resample *r, bool adjoint, const void *from, void *to, void *workspace)
{
#ifdef _OPENMP
    if (r->threads > 1) {
#pragma omp parallel num_threads(r->threads)
        part(r, adjoint, from, to, workspace, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    part(r, adjoint, from, to, workspace, 0, 1);
}

void resample_run(const resample *r, const void *x, void *y, void *workspace) { all(r, false, x, y, workspace); }
void resample_adjoint(const resample *r, const void *dy, void *dx, void *workspace) { all(r, true, dy, dx, workspace); }
