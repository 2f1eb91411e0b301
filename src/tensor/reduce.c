/* Reductions over the middle axis: how the work is cut, and types without vector kernels. */
#include "tensor/reduce_kernels.h"

#include <math.h>
#include <string.h>

/* Panels of columns stay in the first-level cache with their sums; fewer than FEW units of work are cut further, along n. */
enum { PANEL = 256, PARTS = 32, PART_ELEMENTS = 1 << 15, THREAD_ELEMENTS = 1 << 14, FEW = 16 };

static const reduce_kernels *kernels_of(nigh_dtype dtype)
{
    bool single = dtype == NIGH_F32 || dtype == NIGH_C64;
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX512) return single ? &reduce_avx512_f32 : &reduce_avx512_f64;
    if (nigh_cpu() >= NIGH_CPU_AVX2) return single ? &reduce_avx2_f32 : &reduce_avx2_f64;
#endif
    return single ? &reduce_scalar_f32 : &reduce_scalar_f64;
}

static bool is_complex(nigh_dtype dtype) { return dtype == NIGH_C64 || dtype == NIGH_C128; }
static bool is_whole(nigh_dtype dtype) { return dtype == NIGH_I32 || dtype == NIGH_I64; }

bool reduce_has(reduce_id id, nigh_dtype dtype)
{
    return dtype == NIGH_F32 || dtype == NIGH_F64 || is_whole(dtype) || (is_complex(dtype) && id == REDUCE_SUM);
}

/* The work in units, each a row or a panel of columns, of `parts` pieces along n. */
typedef struct cut {
    const reduce_spec *spec;
    const reduce_kernels *kernels;
    int64_t inner, panels, units, parts;
    size_t size; /* of a real number */
    int threads;
} cut;

static cut cut_of(const reduce_spec *spec)
{
    cut c = {.spec = spec, .kernels = kernels_of(spec->dtype), .inner = spec->inner, .size = nigh_dtype_size(spec->dtype)};
    if (is_complex(spec->dtype)) c.inner *= 2, c.size /= 2;
    c.panels = (c.inner + PANEL - 1) / PANEL;
    c.units = spec->outer * c.panels;
    int64_t elements = spec->outer * spec->n * c.inner, parts = elements / PART_ELEMENTS;
    parts = parts > PARTS ? PARTS : parts;
    parts = parts > spec->n / 64 ? spec->n / 64 : parts;
    c.parts = c.units >= FEW || parts < 1 || is_whole(spec->dtype) ? 1 : parts;
    int64_t threads = elements / THREAD_ELEMENTS, pieces = c.units * c.parts;
    threads = threads > pieces ? pieces : threads;
    c.threads = threads < spec->threads ? (int)threads : spec->threads;
    return c;
}

/* Each part's results; rows have theirs as doubles. */
size_t reduce_workspace(const reduce_spec *spec)
{
    cut c = cut_of(spec);
    return c.parts == 1 ? 0 : (size_t)(spec->outer * c.parts * c.inner) * sizeof(double);
}

static double start_of(reduce_id id) { return id == REDUCE_MAX ? -INFINITY : id == REDUCE_MIN ? INFINITY : 0; }

static void start_columns(const cut *c, int64_t columns, void *out)
{
    double start = start_of(c->spec->id);
    for (int64_t j = 0; j < columns; j++) {
        if (c->size == 4) ((float *)out)[j] = (float)start;
        else ((double *)out)[j] = start;
    }
}

static void run_piece(const cut *c, int64_t piece, const char *a, const char *b, void *out, void *workspace)
{
    const reduce_spec *s = c->spec;
    int64_t unit = piece / c->parts, part = piece % c->parts, from = s->n * part / c->parts, rows = s->n * (part + 1) / c->parts - from;
    int64_t outer = unit / c->panels, first = unit % c->panels * PANEL, columns = c->inner - first < PANEL ? c->inner - first : PANEL;
    size_t at = (size_t)((outer * s->n + from) * c->inner + first) * c->size;
    const char *second = b ? b + at : NULL;
    if (c->inner == 1) {
        double value = c->kernels->row[s->id](rows, a + at, second);
        if (c->parts > 1) ((double *)workspace)[piece] = value;
        else if (c->size == 4) ((float *)out)[unit] = (float)value;
        else ((double *)out)[unit] = value;
        return;
    }
    char *to = c->parts > 1 ? (char *)workspace + (size_t)((outer * c->parts + part) * c->inner + first) * c->size : (char *)out + (size_t)(outer * c->inner + first) * c->size;
    start_columns(c, columns, to);
    c->kernels->column[s->id](rows, columns, c->inner, a + at, second, to);
}

/* Parts in order: rows in f64, columns as further rows of sums or bests. */
static void join_parts(const cut *c, void *out, const void *workspace)
{
    const reduce_spec *s = c->spec;
    reduce_id id = s->id == REDUCE_MAX || s->id == REDUCE_MIN ? s->id : REDUCE_SUM;
    for (int64_t o = 0; o < s->outer; o++) {
        if (c->inner > 1) {
            char *to = (char *)out + (size_t)(o * c->inner) * c->size;
            start_columns(c, c->inner, to);
            c->kernels->column[id](c->parts, c->inner, c->inner, (const char *)workspace + (size_t)(o * c->parts * c->inner) * c->size, NULL, to);
            continue;
        }
        const double *part = (const double *)workspace + o * c->parts;
        double value = part[0];
        for (int64_t k = 1; k < c->parts; k++) {
            if (id == REDUCE_SUM) value += part[k];
            else if (isnan(part[k]) || (id == REDUCE_MAX ? part[k] > value : part[k] < value)) value = part[k];
        }
        if (c->size == 4) ((float *)out)[o] = (float)value;
        else ((double *)out)[o] = value;
    }
}

/* ---- whole numbers ---- */

#define WHOLE(type, word, most, least)                                                    \
    static void whole_##type(const reduce_spec *s, int64_t o, const type *a, const type *b, type *out) \
    {                                                                                     \
        a += o * s->n * s->inner, b = b ? b + o * s->n * s->inner : a, out += o * s->inner; \
        type start = s->id == REDUCE_MAX ? least : s->id == REDUCE_MIN ? most : 0;        \
        for (int64_t j = 0; j < s->inner; j++) out[j] = start;                            \
        for (int64_t i = 0; i < s->n; i++)                                                \
            for (int64_t j = 0; j < s->inner; j++) {                                      \
                type x = a[i * s->inner + j], y = b[i * s->inner + j], old = out[j];      \
                out[j] = s->id == REDUCE_MAX ? (x > old ? x : old) : s->id == REDUCE_MIN ? (x < old ? x : old)       \
                       : (type)((word)old + (s->id == REDUCE_SUM ? (word)x : s->id == REDUCE_DOT ? (word)x * (word)y : (word)x * (word)x)); \
            }                                                                             \
    }
WHOLE(int32_t, uint32_t, INT32_MAX, INT32_MIN)
WHOLE(int64_t, uint64_t, INT64_MAX, INT64_MIN)

static void run_whole(const cut *c, int64_t o, const void *a, const void *b, void *out)
{
    if (c->size == 4) whole_int32_t(c->spec, o, a, b, out);
    else whole_int64_t(c->spec, o, a, b, out);
}

void reduce_run(const reduce_spec *spec, const void *a, const void *b, void *out, void *workspace)
{
    cut c = cut_of(spec);
    bool whole = is_whole(spec->dtype);
    int64_t pieces = whole ? spec->outer : c.units * c.parts;
    if (c.threads > pieces) c.threads = (int)pieces;
    if (c.threads <= 1) {
        for (int64_t i = 0; i < pieces; i++) {
            if (whole) run_whole(&c, i, a, b, out);
            else run_piece(&c, i, a, b, out, workspace);
        }
    } else {
#pragma omp parallel for schedule(static) num_threads(c.threads)
        for (int64_t i = 0; i < pieces; i++) {
            if (whole) run_whole(&c, i, a, b, out);
            else run_piece(&c, i, a, b, out, workspace);
        }
    }
    if (!whole && c.parts > 1) join_parts(&c, out, workspace);
}

/* ---- where ---- */

#define WHERE(type)                                                                       \
    static int64_t where_##type(const type *a, int64_t n, int64_t stride, bool most)      \
    {                                                                                     \
        int64_t at = 0;                                                                   \
        type best = a[0];                                                                 \
        for (int64_t i = 1; i < n && best == best; i++) {                                 \
            type x = a[i * stride];                                                       \
            if (x != x || (most ? x > best : x < best)) best = x, at = i;                 \
        }                                                                                 \
        return at;                                                                        \
    }
WHERE(float)
WHERE(double)
WHERE(int32_t)
WHERE(int64_t)

static void run_where(const reduce_spec *s, int64_t o, const void *a, nigh_dtype index, void *out)
{
    bool most = s->id == REDUCE_MAX;
    for (int64_t j = 0; j < s->inner; j++) {
        int64_t from = o * s->n * s->inner + j, at;
        switch (s->dtype) {
        case NIGH_F32: at = where_float((const float *)a + from, s->n, s->inner, most); break;
        case NIGH_F64: at = where_double((const double *)a + from, s->n, s->inner, most); break;
        case NIGH_I32: at = where_int32_t((const int32_t *)a + from, s->n, s->inner, most); break;
        default: at = where_int64_t((const int64_t *)a + from, s->n, s->inner, most);
        }
        if (index == NIGH_I32) ((int32_t *)out)[o * s->inner + j] = (int32_t)at;
        else ((int64_t *)out)[o * s->inner + j] = at;
    }
}

void reduce_arg(const reduce_spec *spec, const void *a, nigh_dtype index, void *out)
{
    int64_t most = spec->outer * spec->n * spec->inner / THREAD_ELEMENTS;
    int threads = most < spec->threads ? (int)most : spec->threads;
    if (threads <= 1) {
        for (int64_t o = 0; o < spec->outer; o++) run_where(spec, o, a, index, out);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t o = 0; o < spec->outer; o++) run_where(spec, o, a, index, out);
}
