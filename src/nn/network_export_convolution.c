/*
 * Convolutions as C: products over segments of the input, which is continued beyond its edges in scratch where that is asked for. The transposed convolution is one
 * such convolution for each place of a result within a stride, of the taps that meet there. Declared in nn/network_export.h.
 */
#include "nn/network_export.h"

#include "grad/windows.h"

#include <stdio.h>
#include <string.h>

enum { DIMS = CONVOLUTION_DIMS };

/* Three spatial dimensions, those that are not there of size 1. */
typedef struct geometry {
    int64_t samples, channels, groups, per, each; /* channels that are read; of them, and of results, in a group */
    int64_t in[DIMS], out[DIMS];
    int64_t low[DIMS], padded[DIMS];              /* the input as it is continued */
    int64_t stride[DIMS];                         /* of the input from result to result */
    int64_t start[DIMS], pace[DIMS], whole[DIMS]; /* results lie at start + i pace of `whole` */
    int taps[DIMS];
    int64_t *tap[DIMS];                           /* places that are read, from the first one on, rising in the last dimension */
    int64_t *number[DIMS];                        /* which tap of the kernel it is */
    halo_kind padding;
} geometry;

static int64_t volume(const int64_t *dim) { return dim[0] * dim[1] * dim[2]; }

static void spread(int dims, const int64_t *from, int64_t otherwise, int64_t to[DIMS])
{
    for (int i = 0; i < DIMS; i++) to[i] = i < DIMS - dims ? otherwise : from[i - (DIMS - dims)];
}

/* Where each tap begins in the continued input: lists of taps that lie side by side become one segment. */
typedef struct segments {
    int count;
    int64_t k, *offset;
} segments;

static bool find_segments(export_writer *w, const geometry *g, segments *s)
{
    int64_t row = g->padded[2] * g->channels, run = g->groups == 1 ? 1 : 0;
    for (int i = 1; i < g->taps[2] && run; i++) run = g->tap[2][i] == g->tap[2][i - 1] + 1;
    int last = run ? (g->taps[2] ? 1 : 0) : g->taps[2];
    s->k = run ? g->taps[2] * g->per : g->per;
    s->count = 0;
    if (!(s->offset = export_numbers(w, NIGH_I64, (int64_t)g->taps[0] * g->taps[1] * last))) return false;
    for (int i = 0; i < g->taps[0]; i++)
        for (int j = 0; j < g->taps[1]; j++)
            for (int k = 0; k < last; k++) s->offset[s->count++] = (g->tap[0][i] * g->padded[1] + g->tap[1][j]) * row + g->tap[2][k] * g->channels;
    if (!s->count) s->k = 0;
    return true;
}

/* The input continued, behind `behind` elements of the step's memory; or as it is. In a loop over b. */
static void put_input(export_writer *w, const geometry *g, const char *place, int64_t behind)
{
    long long size = (long long)(volume(g->in) * g->channels);
    if (!memcmp(g->in, g->padded, sizeof g->in)) {
        export_print(w, "    const %s *x = %s + b * %lld;\n", w->real, place, size);
        return;
    }
    export_extra(w, behind + volume(g->padded) * g->channels);
    export_print(w, "    %s *x = s + %s_RESULTS + %lld;\n    {\n", w->real, w->name, (long long)behind);
    export_list(w, "n", DIMS, g->in);
    export_list(w, "low", DIMS, g->low);
    export_list(w, "to", DIMS, g->padded);
    export_print(w, "    %s_pad(%d, n, low, to, %lld, %s + b * %lld, x);\n    }\n", w->name, g->padding == HALO_ZERO ? 0 : g->padding == HALO_CIRCULAR ? 1 : 2, (long long)g->channels, place,
                 size);
}

/* Loops over groups and rows of results to y, of the weights in `array` (fixed) or, when that is NULL, at `packed`. */
static void put_products(export_writer *w, const geometry *g, const export_array *array, const char *packed, const char *bias, const char *y)
{
    segments s;
    int64_t n = g->each, channels = g->groups * n, row = g->padded[2] * g->channels, size = export_packed_size((int64_t)g->taps[0] * g->taps[1] * g->taps[2] * g->per, n);
    if (!find_segments(w, g, &s)) return;
    export_need(w, EXPORT_PRODUCTS | EXPORT_WINDOWS);
    export_print(w, "    {\n");
    if (s.count) export_list(w, "segment", s.count, s.offset);
    export_print(w, "    for (long q = 0; q < %lld; q++) {\n", (long long)g->groups);
    if (s.count && array) export_print(w, "        const %s *k = %s_array%d.at + q * %lld;\n", w->real, w->name, export_add_array(w, array), (long long)size);
    else if (s.count) export_print(w, "        const %s *k = %s + q * %lld;\n", w->real, packed, (long long)size);
    export_print(w, "        for (long i = 0; i < %lld; i++)\n        for (long j = 0; j < %lld; j++)\n", (long long)g->out[0], (long long)g->out[1]);
    export_print(w, "            %s_segments(%lld, %lld, %d, %s, %lld, x + (i * %lld + j * %lld) + q * %lld, %lld, 1, %s, %lld, %lld, ", w->name, (long long)g->out[2], (long long)n, s.count,
                 s.count ? "segment" : "0", (long long)s.k, (long long)(g->stride[0] * g->padded[1] * row), (long long)(g->stride[1] * row), (long long)g->per,
                 (long long)(g->stride[2] * g->channels), s.count ? "k" : "0", (long long)export_panel(n), (long long)(export_panel(n) * s.k * s.count));
    if (*bias) export_print(w, "%s + q * %lld, ", bias, (long long)n);
    else export_print(w, "0, ");
    export_print(w, "%s + (((%lld + i * %lld) * %lld + %lld + j * %lld) * %lld + %lld) * %lld + q * %lld, %lld);\n    }\n    }\n", y, (long long)g->start[0], (long long)g->pace[0],
                 (long long)g->whole[1], (long long)g->start[1], (long long)g->pace[1], (long long)g->whole[2], (long long)g->start[2], (long long)channels, (long long)n,
                 (long long)(g->pace[2] * channels));
}

/* ---- forward ------------------------------------------------------------------------------------------ */

static bool forward_geometry(export_writer *w, const convolution_attributes *a, const nigh_shape *y, geometry *g)
{
    int64_t high[DIMS], dilation[DIMS], window[DIMS];
    int dims = (int)a->dims;
    *g = (geometry){.samples = a->x[0], .channels = a->x[dims + 1], .groups = a->groups, .per = a->w[dims], .each = a->w[dims + 1] / a->groups, .padding = (halo_kind)a->padding};
    spread(dims, a->x + 1, 1, g->in), spread(dims, y->dim + 1, 1, g->out), spread(dims, a->w, 1, window);
    spread(dims, a->low, 0, g->low), spread(dims, a->high, 0, high), spread(dims, a->stride, 1, g->stride), spread(dims, a->dilation, 1, dilation);
    for (int i = 0; i < DIMS; i++) {
        g->padded[i] = g->in[i] + g->low[i] + high[i];
        g->pace[i] = 1, g->whole[i] = g->out[i], g->taps[i] = (int)window[i];
        g->tap[i] = export_numbers(w, NIGH_I64, window[i]), g->number[i] = export_numbers(w, NIGH_I64, window[i]);
        for (int k = 0; k < g->taps[i] && !w->status; k++) g->tap[i][k] = k * dilation[i], g->number[i][k] = k;
    }
    return !w->status;
}

static void put_depthwise(export_writer *w, const geometry *g, const char *weights, const char *bias, const char *y)
{
    geometry all = *g;
    all.channels *= g->each;
    int64_t row = g->padded[2] * all.channels, pace[DIMS] = {g->stride[0] * g->padded[1] * row, g->stride[1] * row, g->stride[2] * all.channels};
    segments s;
    if (!find_segments(w, &all, &s)) return;
    if (g->each > 1) {
        int64_t behind = volume(g->padded) * g->channels;
        export_extra(w, behind + volume(g->padded) * all.channels);
        export_print(w, "    %s *wide = s + %s_RESULTS + %lld;\n    %s_repeat(%lld, %lld, x, wide);\n", w->real, w->name, (long long)behind, w->name, (long long)behind, (long long)g->each);
    }
    export_need(w, EXPORT_WINDOWS);
    export_list(w, "out", DIMS, g->out);
    export_list(w, "pace", DIMS, pace);
    export_list(w, "tap", s.count, s.offset);
    export_print(w, "    %s_depthwise(out, pace, %d, tap, %lld, %s, %s, %s, %s);\n", w->name, s.count, (long long)all.channels, g->each > 1 ? "wide" : "x", weights, *bias ? bias : "0", y);
}

void export_convolution(export_writer *w, const exec_step *step)
{
    const convolution_attributes *a = step->node.attributes;
    const operand *k = &step->operand[1], *y = &step->operand[step->inputs];
    char place[EXPORT_PLACE], weights[EXPORT_PLACE], bias[EXPORT_PLACE] = "", to[EXPORT_PLACE + 64], packed[EXPORT_PLACE];
    geometry g;
    export_array array;
    if (!forward_geometry(w, a, &y->shape, &g)) return;
    memset(&array, 0, sizeof array); /* compared as bytes */
    array.data = export_fixed(w, k), array.dtype = w->dtype, array.packed = true, array.offset = k->offset / (int64_t)nigh_dtype_size(w->dtype);
    array.k = (int64_t)g.taps[0] * g.taps[1] * g.taps[2] * g.per, array.n = g.each, array.row = a->w[a->dims + 1], array.column = 1;
    array.batch_dims = 1, array.batch[0] = g.groups, array.stride[0] = g.each;
    bool depthwise = g.groups == g.channels && g.per == 1 && g.groups > 1;
    int64_t size = export_packed_size(array.k, array.n), kept = array.data || depthwise ? 0 : size * g.groups;
    if (!array.data || depthwise) export_place(w, k, weights);
    snprintf(packed, sizeof packed, "(s + %s_RESULTS)", w->name);
    if (step->inputs > 2) export_place(w, &step->operand[2], bias);
    export_place(w, y, place);
    snprintf(to, sizeof to, "(%s + b * %lld)", place, (long long)(volume(g.out) * g.groups * g.each));
    export_place(w, &step->operand[0], place);
    export_print(w, "    {\n");
    if (kept) {
        export_extra(w, kept);
        export_print(w, "    for (long q = 0; q < %lld; q++) %s_pack(%lld, %lld, %s + q * %lld, %lld, 1, %s + q * %lld);\n", (long long)g.groups, w->name, (long long)array.k,
                     (long long)array.n, weights, (long long)g.each, (long long)array.row, packed, (long long)size);
    }
    export_print(w, "    for (long b = 0; b < %lld; b++) {\n", (long long)g.samples);
    put_input(w, &g, place, kept);
    if (depthwise) put_depthwise(w, &g, weights, bias, to);
    else put_products(w, &g, array.data ? &array : NULL, packed, bias, to);
    export_print(w, "    }\n    }\n");
}

/* ---- transposed --------------------------------------------------------------------------------------- */

typedef struct transposed {
    int64_t stride[DIMS], dilation[DIMS], window[DIMS];
    int64_t low[DIMS];     /* result p stands at p + low of the whole that strides count in */
    int64_t first[DIMS];   /* elements of padding that all phases need before s */
} transposed;

/* Taps that meet result number r of each stride, and where in s: at (r + low - k dilation) / stride. */
static int taps_of(const transposed *t, int i, int64_t r, int64_t *tap, int64_t *number)
{
    int count = 0;
    for (int64_t k = t->window[i] - 1; k >= 0; k--) {
        int64_t at = r + t->low[i] - k * t->dilation[i];
        if ((at % t->stride[i] + t->stride[i]) % t->stride[i]) continue;
        tap[count] = at / t->stride[i];
        number[count++] = k;
    }
    return count;
}

/* The weights of a phase as [groups, taps, channels of s, channels of the result] in the writer's arena, f32 or f64. */
static const void *phase_weights(export_writer *w, const convolution_attributes *a, const geometry *g, const operand *k)
{
    int64_t taps = (int64_t)g->taps[0] * g->taps[1] * g->taps[2], cout = a->w[a->dims + 1], size = (int64_t)nigh_dtype_size(w->dtype), window[DIMS];
    char *to = export_numbers(w, w->dtype, g->groups * taps * g->per * g->each);
    const char *from = (const char *)export_fixed(w, k) + k->offset;
    spread((int)a->dims, a->w, 1, window);
    for (int64_t q = 0; q < g->groups && to; q++)
        for (int i = 0; i < g->taps[0]; i++)
            for (int j = 0; j < g->taps[1]; j++)
                for (int l = 0; l < g->taps[2]; l++)
                    for (int64_t c = 0; c < g->per; c++)
                        for (int64_t n = 0; n < g->each; n++, to += size) {
                            int64_t tap = (g->number[0][i] * window[1] + g->number[1][j]) * window[2] + g->number[2][l];
                            memcpy(to, from + ((tap * g->each + n) * cout + q * g->per + c) * size, (size_t)size);
                        }
    return to ? to - g->groups * taps * g->per * g->each * size : NULL;
}

static void put_phase(export_writer *w, const convolution_attributes *a, geometry *g, const transposed *t, const operand *k, const char *bias, const char *y)
{
    for (int i = 0; i < DIMS; i++) {
        g->taps[i] = taps_of(t, i, g->start[i], g->tap[i], g->number[i]);
        for (int n = 0; n < g->taps[i]; n++) g->tap[i][n] += t->first[i];
        g->out[i] = (g->whole[i] - g->start[i] + t->stride[i] - 1) / t->stride[i];
        if (g->out[i] < 1) return;
    }
    export_array array;
    memset(&array, 0, sizeof array); /* compared as bytes */
    array.dtype = w->dtype, array.packed = true, array.k = (int64_t)g->taps[0] * g->taps[1] * g->taps[2] * g->per, array.n = g->each, array.row = g->each, array.column = 1;
    array.batch_dims = 1, array.batch[0] = g->groups, array.stride[0] = array.k * array.n;
    if ((array.data = phase_weights(w, a, g, k))) put_products(w, g, &array, NULL, bias, y);
}

/* How far phases read before and behind s. */
static bool reach(export_writer *w, geometry *g, transposed *t)
{
    for (int i = 0; i < DIMS; i++) {
        int64_t least = 0, most = 0;
        g->tap[i] = export_numbers(w, NIGH_I64, t->window[i]), g->number[i] = export_numbers(w, NIGH_I64, t->window[i]);
        if (w->status) return false;
        for (int64_t r = 0; r < t->stride[i] && r < g->whole[i]; r++)
            for (int n = taps_of(t, i, r, g->tap[i], g->number[i]) - 1; n >= 0; n--) {
                int64_t end = g->tap[i][n] + (g->whole[i] - r + t->stride[i] - 1) / t->stride[i] - g->in[i];
                if (g->tap[i][n] < least) least = g->tap[i][n];
                if (end > most) most = end;
            }
        t->first[i] = g->low[i] = -least;
        g->padded[i] = g->in[i] - least + most;
    }
    return true;
}

void export_convolution_data(export_writer *w, const exec_step *step)
{
    const convolution_attributes *a = step->node.attributes;
    const operand *s = &step->operand[0], *k = &step->operand[1], *y = &step->operand[step->inputs];
    int dims = (int)a->dims;
    char place[EXPORT_PLACE], bias[EXPORT_PLACE] = "", to[EXPORT_PLACE + 64], from[EXPORT_PLACE];
    int64_t low[DIMS], high[DIMS], out[DIMS], channels = a->x[dims + 1];
    transposed t;
    geometry g = {.samples = a->x[0], .channels = a->w[dims + 1], .groups = a->groups, .per = a->w[dims + 1] / a->groups, .each = a->w[dims], .padding = HALO_ZERO};
    bool fold = a->padding != HALO_ZERO;
    if (!export_fixed(w, k)) {
        export_fail(w, "a transposed convolution with computed weights has no form in C here");
        return;
    }
    spread(dims, s->shape.dim + 1, 1, g.in), spread(dims, a->x + 1, 1, out), spread(dims, a->w, 1, t.window), spread(dims, a->stride, 1, t.stride);
    spread(dims, a->dilation, 1, t.dilation), spread(dims, a->low, 0, low), spread(dims, a->high, 0, high);
    for (int i = 0; i < DIMS; i++) t.low[i] = fold ? 0 : low[i], g.whole[i] = fold ? out[i] + low[i] + high[i] : out[i], g.stride[i] = 1, g.pace[i] = t.stride[i];
    if (!reach(w, &g, &t)) return;
    int64_t kept = fold ? volume(g.whole) * channels : 0;
    export_extra(w, kept);
    if (step->inputs > 2) export_place(w, &step->operand[2], bias);
    export_place(w, y, place);
    snprintf(to, sizeof to, "(%s + b * %lld)", place, (long long)(volume(out) * channels));
    export_print(w, "    for (long b = 0; b < %lld; b++) {\n", (long long)g.samples);
    put_input(w, &g, export_place(w, s, from), kept);
    if (fold) export_print(w, "    %s *e = s + %s_RESULTS;\n", w->real, w->name);
    for (g.start[0] = 0; g.start[0] < t.stride[0]; g.start[0]++)
        for (g.start[1] = 0; g.start[1] < t.stride[1]; g.start[1]++)
            for (g.start[2] = 0; g.start[2] < t.stride[2]; g.start[2]++) put_phase(w, a, &g, &t, k, fold ? "" : bias, fold ? "e" : to);
    if (fold) {
        export_list(w, "n", DIMS, out);
        export_list(w, "low", DIMS, low);
        export_list(w, "to", DIMS, g.whole);
        export_print(w, "    %s_fold(%d, n, low, to, %lld, %s, e, %s);\n", w->name, a->padding == HALO_CIRCULAR ? 1 : 2, (long long)channels, *bias ? bias : "0", to);
    }
    export_print(w, "    }\n");
}
