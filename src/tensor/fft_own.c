/*
 * nigh's own engine: dimension by dimension; lines of the other loops are lanes of vectors, moved in groups into planes of real and
 * imaginary parts that fit the second-level cache and transformed there. Two real lines share a complex lane.
 */
#include "tensor/fft_own.h"

#include <string.h>

typedef enum place { PLACE_IN, PLACE_BETWEEN, PLACE_OUT } place;
typedef enum form { FORM_COMPLEX, FORM_TO_HALF, FORM_FROM_HALF, FORM_TABLE, FORM_THIRD } form;

typedef struct stage {
    form form;
    bool turned; /* the other sign: planes exchanged */
    place from, to;
    double factor;
    int64_t rows, in_stride, out_stride, lines, lanes;
    int loops;
    nigh_fft_dim loop[FFT_LOOPS];
    fft_core *core;
    fft_map map;
} stage;

struct fft_own {
    nigh_context *ctx;
    const fft_kernels *kernels;
    size_t size, planes_bytes, between_bytes; /* planes of one thread; the half spectrum of inverse real ones */
    int threads, stages;
    stage stage[NIGH_FFT_DIMS];
};

/* Cache that the four planes of a thread may take. */
enum { PLANES_BYTES = 1 << 20 };

static bool two_real(form which)
{
    return which != FORM_COMPLEX;
}

static void choose_lanes(fft_own *own, stage *s)
{
    int64_t rows = fft_core_rows(s->core), lanes = FFT_LANES(own->size), need = two_real(s->form) ? (s->lines + 1) / 2 : s->lines;
    while (lanes > 1 && (lanes / 2 >= need || 4 * rows * lanes * (int64_t)own->size > PLANES_BYTES)) lanes /= 2;
    s->lanes = lanes;
    size_t plane = ((size_t)(rows * lanes) * own->size + 63) / 64 * 64;
    if (4 * plane > own->planes_bytes) own->planes_bytes = 4 * plane;
}

/* Neighbouring loops that are one become one, so that lanes stay side by side. */
static void merge_loops(stage *s)
{
    int kept = 0;
    for (int i = 1; i < s->loops; i++) {
        nigh_fft_dim *last = &s->loop[kept], *next = &s->loop[i];
        if (next->in == last->n * last->in && next->out == last->n * last->out)
            last->n *= next->n;
        else
            s->loop[++kept] = *next;
    }
    if (s->loops) s->loops = kept + 1;
}

/* Stage of dimension d between arrays whose strides the loops hold. */
static nigh_status make_stage(fft_own *own, const nigh_fft_spec *spec, const fft_kernels *const *kernels, int d, const nigh_fft_dim *dim, stage *s)
{
    s->in_stride = dim[d].in;
    s->out_stride = dim[d].out;
    s->rows = spec->dim[d].n;
    s->lines = 1;
    for (int i = 0; i < spec->dims + spec->batch_dims; i++) {
        if (i == d) continue;
        s->lines *= dim[i].n;
        if (dim[i].n > 1) s->loop[s->loops++] = dim[i];
    }
    fft_loops_sort(s->loops, s->loop);
    merge_loops(s);
    nigh_status status;
    if (s->form >= FORM_TABLE) {
        nigh_fft_kind kind = spec->kind;
        if (spec->inverse && kind != NIGH_FFT_DCT1 && kind != NIGH_FFT_DST1)
            kind = kind == NIGH_FFT_DCT2 ? NIGH_FFT_DCT3 : kind == NIGH_FFT_DCT3 ? NIGH_FFT_DCT2 : kind == NIGH_FFT_DST2 ? NIGH_FFT_DST3 : NIGH_FFT_DST2;
        s->form = kind == NIGH_FFT_DCT3 || kind == NIGH_FFT_DST3 ? FORM_THIRD : FORM_TABLE;
        s->turned = s->form == FORM_THIRD;
        status = fft_map_new(own->ctx, kind, spec->dtype, s->rows, spec->norm == NIGH_FFT_ORTHO, s->factor, &s->rows, &s->map);
        if (status) return status;
    }
    if ((status = fft_core_new(own->ctx, kernels, spec->dtype, s->rows, &s->core))) return status;
    choose_lanes(own, s);
    return NIGH_OK;
}

/* Strides of a dense array with the loops in the order of the input's strides. */
static int64_t dense(int count, nigh_fft_dim *dim)
{
    int order[FFT_LOOPS];
    for (int i = 0; i < count; i++) {
        int at = i;
        for (; at > 0 && dim[order[at - 1]].in > dim[i].in; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    int64_t size = 1;
    for (int i = 0; i < count; i++) {
        dim[order[i]].out = size;
        size *= dim[order[i]].n;
    }
    return size;
}

static nigh_status make_stages(fft_own *own, const nigh_fft_spec *spec, const fft_kernels *const *kernels, double factor)
{
    bool from_half = fft_half(spec, true), to_half = fft_half(spec, false);
    int total = spec->dims + spec->batch_dims;
    nigh_fft_dim all[FFT_LOOPS], between[FFT_LOOPS];
    memcpy(all, spec->dim, (size_t)spec->dims * sizeof *all);
    memcpy(all + spec->dims, spec->batch, (size_t)spec->batch_dims * sizeof *all);
    if (from_half || to_half) all[spec->dims - 1].n = spec->dim[spec->dims - 1].n / 2 + 1;
    memcpy(between, all, sizeof all);
    bool copy = from_half && spec->dims > 1;
    if (copy) own->between_bytes = (size_t)dense(total, between) * 2 * own->size;
    for (int i = 0; i < spec->dims; i++) {
        /* a real line comes first forwards, last backwards */
        int d = to_half || !from_half ? spec->dims - 1 - i : i;
        bool last = i == spec->dims - 1, real_line = d == spec->dims - 1;
        stage *s = &own->stage[own->stages++];
        s->form = spec->kind >= NIGH_FFT_DCT1 ? FORM_TABLE : real_line && to_half ? FORM_TO_HALF : real_line && from_half ? FORM_FROM_HALF : FORM_COMPLEX;
        s->turned = spec->inverse && s->form != FORM_TABLE;
        s->factor = last ? factor : 1;
        s->from = i == 0 ? PLACE_IN : copy ? PLACE_BETWEEN : PLACE_OUT;
        s->to = copy && !last ? PLACE_BETWEEN : PLACE_OUT;
        nigh_fft_dim dim[FFT_LOOPS];
        for (int j = 0; j < total; j++) {
            dim[j].n = all[j].n;
            dim[j].in = s->from == PLACE_IN ? all[j].in : s->from == PLACE_OUT ? all[j].out : between[j].out;
            dim[j].out = s->to == PLACE_OUT ? all[j].out : between[j].out;
        }
        nigh_status status = make_stage(own, spec, kernels, d, dim, s);
        if (status) return status;
    }
    return NIGH_OK;
}

nigh_status fft_own_new(nigh_context *ctx, const nigh_fft_spec *spec, nigh_cpu_level level, int threads, double factor, fft_own **out)
{
    fft_own *own = nigh_alloc_zero(ctx, 1, sizeof *own);
    if (!own) return NIGH_MEMORY;
    own->ctx = ctx;
    own->size = nigh_dtype_size(spec->dtype);
    own->threads = threads;
    const fft_kernels *const *kernels = level == NIGH_CPU_AVX512 ? fft_avx512 : level == NIGH_CPU_AVX2 ? fft_avx2 : fft_scalar;
    own->kernels = kernels[spec->dtype == NIGH_F64];
    nigh_status status = make_stages(own, spec, kernels, factor);
    if (status) {
        fft_own_free(own);
        return status;
    }
    *out = own;
    return NIGH_OK;
}

void fft_own_free(fft_own *own)
{
    if (!own) return;
    for (int i = 0; i < own->stages; i++) {
        fft_core_free(own->ctx, own->stage[i].core);
        fft_map_free(own->ctx, &own->stage[i].map);
    }
    nigh_free(own->ctx, own);
}

size_t fft_own_workspace(const fft_own *own)
{
    return (own->between_bytes + 63) / 64 * 64 + own->planes_bytes * (size_t)own->threads;
}

/* Lines first .. first + lanes - 1, by their input or their output offsets. */
static void place_lines(const stage *s, int64_t first, bool output, fft_lines *l)
{
    int64_t at[FFT_LOOPS], left = s->lines - first, offset = 0;
    l->rows = s->rows;
    l->stride = output ? s->out_stride : s->in_stride;
    l->lanes = s->lanes;
    l->count = left < 0 ? 0 : left < s->lanes ? left : s->lanes;
    if (left <= 0) first = s->lines - 1;
    for (int i = 0; i < s->loops; i++) {
        at[i] = first % s->loop[i].n;
        first /= s->loop[i].n;
        offset += at[i] * (output ? s->loop[i].out : s->loop[i].in);
    }
    l->side_by_side = l->count == l->lanes;
    for (int64_t j = 0; j < l->lanes; j++) {
        l->offset[j] = offset;
        if (offset != l->offset[0] + j) l->side_by_side = false;
        if (j + 1 >= l->count) continue;
        for (int i = 0; i < s->loops; i++) {
            int64_t step = output ? s->loop[i].out : s->loop[i].in;
            offset += step;
            if (++at[i] < s->loop[i].n) break;
            offset -= at[i] * step;
            at[i] = 0;
        }
    }
}

static void run_group(const fft_own *own, const stage *s, int64_t group, const void *in, void *out, char *planes)
{
    const fft_kernels *k = own->kernels;
    size_t plane = own->planes_bytes / 4;
    void *x[2] = {planes, planes + plane}, *other[2] = {planes + 2 * plane, planes + 3 * plane}, *y[2];
    fft_lines a, b;
    int64_t first = group * s->lanes * (two_real(s->form) ? 2 : 1);
    place_lines(s, first, false, &a);
    if (two_real(s->form)) place_lines(s, first + s->lanes, false, &b);
    switch (s->form) {
    case FORM_COMPLEX: k->load_complex(&a, in, x[0], x[1]); break;
    case FORM_TO_HALF: k->load_real(&a, &b, NULL, in, x[0], x[1]); break;
    case FORM_FROM_HALF: k->load_half(&a, &b, in, x[0], x[1]); break;
    case FORM_TABLE: k->load_real(&a, &b, &s->map, in, x[0], x[1]); break;
    case FORM_THIRD: k->load_third(&a, &b, &s->map, in, x[0], x[1]); break;
    }
    void *swap_x[2] = {x[s->turned], x[!s->turned]}, *swap_other[2] = {other[s->turned], other[!s->turned]}, *swap_y[2];
    fft_core_run(s->core, s->lanes, swap_x, swap_other, swap_y);
    y[0] = swap_y[s->turned], y[1] = swap_y[!s->turned];
    place_lines(s, first, true, &a);
    if (two_real(s->form)) place_lines(s, first + s->lanes, true, &b);
    switch (s->form) {
    case FORM_COMPLEX: k->store_complex(&a, s->factor, y[0], y[1], out); break;
    case FORM_TO_HALF: k->store_half(&a, &b, s->factor, y[0], y[1], out); break;
    case FORM_FROM_HALF: k->store_real(&a, &b, NULL, s->factor, y[0], y[1], out); break;
    case FORM_TABLE: k->store_table(&a, &b, &s->map, y[0], y[1], out); break;
    case FORM_THIRD: k->store_real(&a, &b, &s->map, 1, y[0], y[1], out); break;
    }
}

void fft_own_run(const fft_own *own, const void *in, void *out, void *workspace)
{
    char *between = workspace, *planes = between + (own->between_bytes + 63) / 64 * 64;
    for (int i = 0; i < own->stages; i++) {
        const stage *s = &own->stage[i];
        const void *from = s->from == PLACE_IN ? in : s->from == PLACE_OUT ? out : between;
        void *to = s->to == PLACE_OUT ? out : between;
        int64_t each = s->lanes * (two_real(s->form) ? 2 : 1), groups = (s->lines + each - 1) / each;
        if (own->threads == 1 || groups == 1) {
            for (int64_t g = 0; g < groups; g++) run_group(own, s, g, from, to, planes);
            continue;
        }
#pragma omp parallel for schedule(static) num_threads(own->threads)
        for (int t = 0; t < own->threads; t++)
            for (int64_t g = groups * t / own->threads; g < groups * (t + 1) / own->threads; g++)
                run_group(own, s, g, from, to, planes + (size_t)t * own->planes_bytes);
    }
}
