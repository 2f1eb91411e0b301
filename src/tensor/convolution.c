/* Convolutions: checks, tables of indices, and the choice of how to run. Declared in convolution.h. */
#include "tensor/convolution_kernels.h"

#include <string.h>

/* Work of one thread below which another does not pay, in multiply-adds. */
#define LEAST_WORK 100000

/* Tiles of pixels from which weights in the order of the tiles earn their copy. */
enum { LEAST_TILES = 4 };

/* ---- checks ---- */

static void shape_text(int n, const int64_t *size, nigh_buffer *text)
{
    for (int i = 0; i < n; i++) (void)nigh_buffer_print(text, "%s%lld", i ? "," : "[", (long long)size[i]);
    (void)nigh_buffer_print(text, "]");
}

static nigh_status wrong(nigh_context *ctx, const convolution_spec *spec, const char *what, long long value, const char *allowed)
{
    nigh_buffer x = {.ctx = ctx}, w = {.ctx = ctx};
    shape_text(spec->dims + 2, spec->x, &x), shape_text(spec->dims + 2, spec->w, &w);
    nigh_status status = nigh_fail(ctx, NIGH_INVALID, "convolution: x is %s, w is %s: %s is %lld; %s", x.data ? x.data : "?", w.data ? w.data : "?", what,
                                   value, allowed);
    nigh_buffer_free(&x), nigh_buffer_free(&w);
    return status;
}

static bool overflows(int n, const int64_t *size)
{
    int64_t product = 8;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, size[i] ? size[i] : 1, &product)) return true;
    return product > INT64_MAX / 64;
}

static nigh_status check_axis(nigh_context *ctx, const convolution_spec *s, int i, int64_t *out)
{
    int64_t n = s->x[1 + i], k = s->w[i];
    if (s->stride[i] < 1) return wrong(ctx, s, "stride", (long long)s->stride[i], "1 or more is allowed");
    if (s->dilation[i] < 1) return wrong(ctx, s, "dilation", (long long)s->dilation[i], "1 or more is allowed");
    int64_t limit = s->padding == HALO_ZERO ? (int64_t)1 << 40 : s->padding == HALO_CIRCULAR ? n : n - 1;
    for (int high = 0; high < 2; high++) {
        int64_t pad = high ? s->high[i] : s->low[i];
        if (pad < 0 || pad > limit)
            return wrong(ctx, s, high ? "padding high" : "padding low", (long long)pad,
                         s->padding == HALO_ZERO ? "0 or more is allowed" : s->padding == HALO_CIRCULAR ? "0 to the size is allowed (circular)"
                                                                                                       : "0 to the size less 1 is allowed (reflect)");
    }
    int64_t reach;
    if (__builtin_mul_overflow(k - 1, s->dilation[i], &reach) || n + s->low[i] + s->high[i] <= reach)
        return wrong(ctx, s, "size with padding", (long long)(n + s->low[i] + s->high[i]), "the reach of w, dilation (K - 1) + 1, at least is needed");
    *out = (n + s->low[i] + s->high[i] - reach - 1) / s->stride[i] + 1;
    return NIGH_OK;
}

nigh_status convolution_shape(nigh_context *ctx, const convolution_spec *s, int64_t y[CONVOLUTION_DIMS + 2])
{
    int64_t size[CONVOLUTION_DIMS + 2];
    if (s->dims < 1 || s->dims > CONVOLUTION_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "convolution: dims is %d; 1 to %d spatial dimensions are allowed", s->dims, CONVOLUTION_DIMS);
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "convolution: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(s->dtype));
    if (s->padding > HALO_REFLECT) return nigh_fail(ctx, NIGH_INVALID, "convolution: padding is kind %d; zero, circular or reflect is allowed", (int)s->padding);
    int d = s->dims;
    for (int i = 0; i < d + 2; i++) {
        if (s->x[i] < (i ? 1 : 0)) return wrong(ctx, s, "a size of x", (long long)s->x[i], "1 or more is allowed (samples: 0 or more)");
        if (s->w[i] < 1) return wrong(ctx, s, "a size of w", (long long)s->w[i], "1 or more is allowed");
    }
    if (s->groups < 1) return wrong(ctx, s, "groups", (long long)s->groups, "1 or more is allowed");
    if (s->x[d + 1] % s->groups || s->x[d + 1] / s->groups != s->w[d])
        return wrong(ctx, s, "groups", (long long)s->groups, "channels of x = groups times the channels w reads is needed");
    if (s->w[d + 1] % s->groups) return wrong(ctx, s, "groups", (long long)s->groups, "a divisor of the channels of y (the last size of w) is allowed");
    for (int i = 0; i < d; i++) {
        nigh_status status = check_axis(ctx, s, i, &size[1 + i]);
        if (status) return status;
    }
    size[0] = s->x[0], size[d + 1] = s->w[d + 1];
    if (overflows(d + 2, s->x) || overflows(d + 2, s->w) || overflows(d + 2, size)) return wrong(ctx, s, "samples", (long long)s->x[0], "arrays below 2^57 bytes are allowed");
    memcpy(y, size, (size_t)(d + 2) * sizeof *y);
    return NIGH_OK;
}

/* ---- tables ---- */

/* The same convolution in three dimensions. */
static convolution_spec widened(const convolution_spec *spec)
{
    convolution_spec s = *spec;
    int lead = CONVOLUTION_DIMS - spec->dims;
    for (int i = CONVOLUTION_DIMS - 1; i >= 0; i--) {
        bool real = i >= lead;
        s.x[1 + i] = real ? spec->x[1 + i - lead] : 1;
        s.w[i] = real ? spec->w[i - lead] : 1;
        s.stride[i] = real ? spec->stride[i - lead] : 1;
        s.dilation[i] = real ? spec->dilation[i - lead] : 1;
        s.low[i] = real ? spec->low[i - lead] : 0;
        s.high[i] = real ? spec->high[i - lead] : 0;
    }
    s.x[CONVOLUTION_DIMS + 1] = spec->x[spec->dims + 1];
    s.w[CONVOLUTION_DIMS] = spec->w[spec->dims], s.w[CONVOLUTION_DIMS + 1] = spec->w[spec->dims + 1];
    s.dims = CONVOLUTION_DIMS;
    return s;
}

/* Where position i of the result reads o of the source by slot; a second reading of the same tap goes to one of two further slots. */
static void put(convolution_axis *axis, int64_t slot, int64_t i, int64_t o, int64_t pixel)
{
    for (int64_t extra = 0; extra < 3; extra++) {
        int64_t to = extra ? axis->taps + 2 * slot + extra - 1 : slot;
        if (axis->source[to * axis->count + i] == CONVOLUTION_NONE) {
            axis->source[to * axis->count + i] = o * pixel;
            return;
        }
    }
}

/* Readings of the adjoint: plain ones first, those of the padding after them. */
static void fill_adjoint(const convolution_spec *s, int d, int64_t out, int64_t pixel, convolution_axis *axis)
{
    int64_t n = s->x[1 + d];
    for (int folded = 0; folded < 2; folded++)
        for (int64_t slot = 0; slot < axis->taps; slot++)
            for (int64_t o = 0; o < out; o++) {
                int64_t p = o * s->stride[d] + (axis->taps - 1 - slot) * s->dilation[d] - s->low[d], i = halo_source(s->padding, n, p);
                if (i >= 0 && (i != p) == folded) put(axis, slot, i, o, pixel);
            }
}

static void fill_forward(const convolution_spec *s, int d, int64_t pixel, convolution_axis *axis)
{
    for (int64_t k = 0; k < axis->taps; k++)
        for (int64_t o = 0; o < axis->count; o++) {
            int64_t i = halo_source(s->padding, s->x[1 + d], o * s->stride[d] + k * s->dilation[d] - s->low[d]);
            if (i >= 0) axis->source[k * axis->count + o] = i * pixel;
        }
}

/* Keeps the slots that some position reads by, the first `taps` always. */
static void drop_empty(convolution_axis *axis)
{
    int64_t kept = axis->taps;
    for (int64_t slot = axis->taps; slot < axis->slots; slot++) {
        bool used = false;
        for (int64_t i = 0; i < axis->count; i++) used |= axis->source[slot * axis->count + i] != CONVOLUTION_NONE;
        if (!used) continue;
        memmove(axis->source + kept * axis->count, axis->source + slot * axis->count, (size_t)axis->count * sizeof *axis->source);
        axis->tap[kept++] = axis->tap[slot];
    }
    axis->slots = kept;
}

static void find_runs(convolution_axis *axis, int64_t step)
{
    axis->step = step;
    for (int64_t i = 0; i < axis->count; i++) {
        bool run = axis->source[i] >= 0;
        for (int64_t slot = 1; slot < axis->slots; slot++) {
            int64_t here = axis->source[slot * axis->count + i];
            run &= slot < axis->taps ? here == axis->source[(slot - 1) * axis->count + i] + step : here == CONVOLUTION_NONE;
        }
        axis->run[i] = run;
    }
}

/* pixel: bytes from one position of the source to the next. */
static nigh_status make_axis(nigh_context *ctx, const convolution_spec *s, int d, int64_t out, int64_t pixel, convolution_axis *axis)
{
    bool adjoint = s->kind == CONVOLUTION_DATA;
    axis->count = adjoint ? s->x[1 + d] : out;
    axis->taps = s->w[d];
    axis->slots = adjoint && s->padding != HALO_ZERO ? 3 * axis->taps : axis->taps;
    axis->classes = adjoint && s->stride[d] < axis->count ? s->stride[d] : adjoint ? axis->count : 1;
    if (axis->slots > INT64_MAX / 64 / axis->count) return nigh_fail(ctx, NIGH_MEMORY, "convolution: tables of %lld taps and %lld positions", (long long)axis->taps, (long long)axis->count);
    axis->source = nigh_alloc(ctx, (size_t)(axis->slots * axis->count) * sizeof *axis->source);
    axis->tap = nigh_alloc(ctx, (size_t)axis->slots * sizeof *axis->tap);
    axis->order = nigh_alloc(ctx, (size_t)axis->count * sizeof *axis->order);
    axis->begin = nigh_alloc(ctx, (size_t)(axis->classes + 1) * sizeof *axis->begin);
    axis->run = nigh_alloc(ctx, (size_t)axis->count * sizeof *axis->run);
    if (!axis->source || !axis->tap || !axis->order || !axis->begin || !axis->run) return NIGH_MEMORY;

    for (int64_t i = 0; i < axis->slots * axis->count; i++) axis->source[i] = CONVOLUTION_NONE;
    for (int64_t slot = 0; slot < axis->slots; slot++) axis->tap[slot] = slot < axis->taps ? slot : (slot - axis->taps) / 2;
    if (adjoint)
        fill_adjoint(s, d, out, pixel, axis);
    else
        fill_forward(s, d, pixel, axis);
    drop_empty(axis);
    find_runs(axis, adjoint ? pixel : s->dilation[d] * pixel);
    int64_t at = 0;
    for (int64_t class_index = 0; class_index < axis->classes; class_index++) {
        axis->begin[class_index] = at;
        for (int64_t i = 0; i < axis->count; i++)
            if (!adjoint || (i + s->low[d]) % s->stride[d] == (s->low[d] + class_index) % s->stride[d]) axis->order[at++] = i;
    }
    axis->begin[axis->classes] = at;
    return NIGH_OK;
}

/* ---- the object ---- */

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Threads, order of the weights, and sizes of the workspace. */
static void choose(convolution *c, int threads)
{
    const convolution_spec *s = &c->spec;
    int64_t pixels = c->batch, tile = CONVOLUTION_VECTORS * c->kernels->lanes, slots = 1;
    for (int i = 0; i < CONVOLUTION_DIMS; i++) pixels *= c->axis[i].count, slots *= c->axis[i].slots;
    c->blocks = (c->width + tile - 1) / tile;
    c->most_taps = slots;

    double work = (double)pixels * (double)c->taps * (double)c->depth * (double)c->width * (double)c->groups;
    int most = work / LEAST_WORK < threads ? (int)(work / LEAST_WORK) : threads;
    c->threads = most < 1 ? 1 : most;

    int64_t tiles = (pixels + c->kernels->rows - 1) / c->kernels->rows;
    c->narrow = !c->depthwise && c->width <= CONVOLUTION_NARROW && c->depth >= 2 * CONVOLUTION_NARROW;
    if (c->narrow) c->blocks = 1;
    if (s->kind == CONVOLUTION_FORWARD)
        c->packed = !c->depthwise && (c->narrow || c->width % c->kernels->lanes || (c->blocks * c->groups > 1 && tiles >= LEAST_TILES));
    else
        c->packed = !c->depthwise && s->kind == CONVOLUTION_DATA;
    c->split_channels = !c->depthwise && !c->narrow && c->blocks * c->groups >= c->threads && tiles < 32 * c->threads;
    int64_t weights = c->groups * c->taps * c->depth * (c->narrow ? c->width : c->blocks * tile);
    c->pack_bytes = c->packed || c->narrow ? (int64_t)rounded((size_t)weights * c->element) : 0;

    size_t dump = rounded((size_t)(c->groups * c->width) * c->element + (size_t)tile * c->element);
    size_t taps = rounded((size_t)slots * sizeof(convolution_tap));
    size_t zeros = rounded((size_t)(c->axis[2].taps * c->depth * c->groups) * c->element);
    c->panels = s->kind == CONVOLUTION_WEIGHT && !c->depthwise && !c->narrow && c->groups == 1 && c->blocks > 1;
    size_t lists = rounded(CONVOLUTION_PIXELS * 7 * sizeof(void *)) + (c->panels ? (size_t)(CONVOLUTION_PIXELS * c->blocks * tile) * c->element : 0);
    c->thread_bytes = (int64_t)(s->kind == CONVOLUTION_WEIGHT ? lists : dump + taps + zeros);
}

nigh_status convolution_new(nigh_context *ctx, const convolution_spec *spec, int threads, convolution **out)
{
    int64_t y[CONVOLUTION_DIMS + 2];
    nigh_status status = convolution_shape(ctx, spec, y);
    if (status) return status;
    if (spec->kind > CONVOLUTION_WEIGHT) return nigh_fail(ctx, NIGH_INVALID, "convolution: kind is %d; FORWARD, DATA or WEIGHT is allowed", (int)spec->kind);
    if (threads < 1) return nigh_fail(ctx, NIGH_INVALID, "convolution: threads is %d; 1 or more is allowed", threads);
    convolution *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;

    c->ctx = ctx;
    c->spec = widened(spec);
    status = convolution_shape(ctx, &c->spec, y);
    c->kernels = convolution_kernels_at(nigh_cpu(), spec->dtype);
    c->element = nigh_dtype_size(spec->dtype);
    c->batch = spec->x[0], c->groups = spec->groups;
    const convolution_spec *s = &c->spec;
    bool adjoint = s->kind == CONVOLUTION_DATA;
    int64_t in_channels = s->x[4], out_channels = s->w[4];
    c->taps = s->w[0] * s->w[1] * s->w[2];
    c->depth = (adjoint ? out_channels : in_channels) / c->groups;
    c->width = (adjoint ? in_channels : out_channels) / c->groups;
    c->depthwise = c->groups > 1 && c->depth == 1 && c->width == 1;
    const int64_t *source = adjoint ? y : s->x, *result = adjoint ? s->x : y;
    int64_t bytes = c->depth * c->groups * (int64_t)c->element;
    c->result_pixel = c->width * c->groups * (int64_t)c->element;
    c->source_image = source[1] * source[2] * source[3] * bytes;
    c->result_image = result[1] * result[2] * result[3] * c->result_pixel;
    for (int i = CONVOLUTION_DIMS - 1; i >= 0 && !status; i--) {
        c->axis[i].source_size = source[1 + i];
        status = make_axis(ctx, s, i, y[1 + i], bytes, &c->axis[i]);
        bytes *= source[1 + i];
    }
    if (status) {
        convolution_free(c);
        return status;
    }
    choose(c, threads);
    *out = c;
    return NIGH_OK;
}

void convolution_free(convolution *c)
{
    if (!c) return;
    for (int i = 0; i < CONVOLUTION_DIMS; i++) {
        convolution_axis *axis = &c->axis[i];
        nigh_free(c->ctx, axis->source), nigh_free(c->ctx, axis->tap), nigh_free(c->ctx, axis->order);
        nigh_free(c->ctx, axis->begin), nigh_free(c->ctx, axis->run);
    }
    nigh_free(c->ctx, c);
}

size_t convolution_workspace(const convolution *c) { return (size_t)(c->pack_bytes + c->thread_bytes * c->threads); }

const char *convolution_path(const convolution *c) { return c->depthwise ? "depthwise" : c->narrow ? "narrow" : "tiles"; }

void convolution_run(const convolution *c, const void *a, const void *b, const void *bias, void *out, void *out_bias, void *workspace)
{
    if (c->spec.kind == CONVOLUTION_WEIGHT)
        convolution_outer(c, a, b, out, out_bias, workspace);
    else if (c->batch)
        convolution_gather(c, a, b, bias, out, workspace);
}

/* ---- walks ---- */

static void class_of(const convolution *c, int64_t class_index, int64_t at[CONVOLUTION_DIMS])
{
    for (int i = CONVOLUTION_DIMS - 1; i >= 0; i--) at[i] = class_index % c->axis[i].classes, class_index /= c->axis[i].classes;
}

int64_t convolution_walk_pixels(const convolution *c, int64_t class_index)
{
    int64_t at[CONVOLUTION_DIMS], pixels = c->batch;
    class_of(c, class_index, at);
    for (int i = 0; i < CONVOLUTION_DIMS; i++) pixels *= c->axis[i].begin[at[i] + 1] - c->axis[i].begin[at[i]];
    return pixels;
}

void convolution_walk_start(const convolution *c, int64_t class_index, int64_t pixel, convolution_walk *walk)
{
    int64_t at[CONVOLUTION_DIMS];
    class_of(c, class_index, at);
    walk->c = c;
    for (int i = CONVOLUTION_DIMS - 1; i >= 0; i--) {
        walk->begin[i] = c->axis[i].begin[at[i]];
        walk->size[i] = c->axis[i].begin[at[i] + 1] - walk->begin[i];
        walk->at[i] = pixel % walk->size[i], pixel /= walk->size[i];
    }
    walk->n = pixel;
}
