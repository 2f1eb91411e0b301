/* Strided copies: axes are ordered and joined, then lines are copied, repeated, transposed in blocks or walked. */
#include "tensor/copy.h"

#include <string.h>

#ifdef __clang__
#define ALONE
#else
#define ALONE _Pragma("GCC ivdep")
#endif

enum { THREAD_BYTES = 1 << 17, TILE = 32 };

/* Axes outermost first, by the destination's strides. `line`: the innermost axis; `cross`: the one along which the source is contiguous, if not that; else -1. */
typedef struct plan {
    copy_spec s;
    int64_t outer, line, line_from, line_to, cross, cross_to;
    size_t size;
    nigh_dtype add; /* NIGH_F32, NIGH_F64 to add; NIGH_BOOL to copy */
} plan;

static int64_t size_of(int64_t x) { return x < 0 ? -x : x; }

static void order(copy_spec *s)
{
    int n = 0;
    for (int i = 0; i < s->ndim; i++) {
        if (s->dim[i] == 1) continue;
        int64_t dim = s->dim[i], from = s->from[i], to = s->to[i];
        int k = n++;
        for (; k > 0 && size_of(s->to[k - 1]) < size_of(to); k--) s->dim[k] = s->dim[k - 1], s->from[k] = s->from[k - 1], s->to[k] = s->to[k - 1];
        s->dim[k] = dim, s->from[k] = from, s->to[k] = to;
    }
    int kept = 0;
    for (int i = 1; i < n; i++) {
        if (s->from[kept] == s->from[i] * s->dim[i] && s->to[kept] == s->to[i] * s->dim[i])
            s->dim[kept] *= s->dim[i], s->from[kept] = s->from[i], s->to[kept] = s->to[i];
        else kept++, s->dim[kept] = s->dim[i], s->from[kept] = s->from[i], s->to[kept] = s->to[i];
    }
    s->ndim = n ? kept + 1 : 0;
}

static void remove_axis(copy_spec *s, int axis)
{
    for (int i = axis; i + 1 < s->ndim; i++) s->dim[i] = s->dim[i + 1], s->from[i] = s->from[i + 1], s->to[i] = s->to[i + 1];
    s->ndim--;
}

static plan plan_of(const copy_spec *spec, size_t size, nigh_dtype add)
{
    plan p = {.s = *spec, .outer = 1, .line = 1, .line_from = 1, .line_to = 1, .size = size, .add = add};
    order(&p.s);
    if (p.s.ndim) {
        int last = p.s.ndim - 1;
        p.line = p.s.dim[last], p.line_from = p.s.from[last], p.line_to = p.s.to[last];
        p.s.ndim--;
    }
    for (int i = 0; i < p.s.ndim && p.line_from != 1 && p.line_from != 0; i++)
        if (p.s.from[i] == 1 && !p.cross) {
            p.cross = p.s.dim[i], p.cross_to = p.s.to[i];
            remove_axis(&p.s, i);
        }
    for (int i = 0; i < p.s.ndim; i++) p.outer *= p.s.dim[i];
    return p;
}

/* ---- lines ---- */

#define LINE(type)                                                                        \
    static void line_##type(int64_t n, const type *x, int64_t from, type *y, int64_t to)  \
    {                                                                                     \
        if (to == 1 && from == 0) {                                                       \
            type value = *x;                                                              \
            ALONE for (int64_t i = 0; i < n; i++) y[i] = value;                           \
        } else if (to == 1) {                                                             \
            for (int64_t i = 0; i < n; i++) y[i] = x[i * from];                           \
        } else {                                                                          \
            for (int64_t i = 0; i < n; i++) y[i * to] = x[i * from];                      \
        }                                                                                 \
    }
typedef struct sixteen {
    uint64_t part[2];
} sixteen;
LINE(uint8_t)
LINE(uint16_t)
LINE(uint32_t)
LINE(uint64_t)
LINE(sixteen)

#define ADD_LINE(type)                                                                    \
    static void add_##type(int64_t n, const type *x, int64_t from, type *y, int64_t to)   \
    {                                                                                     \
        if (to == 1 && from == 1) {                                                       \
            ALONE for (int64_t i = 0; i < n; i++) y[i] += x[i];                           \
        } else if (to == 1 && from == 0) {                                                \
            type value = *x;                                                              \
            ALONE for (int64_t i = 0; i < n; i++) y[i] += value;                          \
        } else {                                                                          \
            for (int64_t i = 0; i < n; i++) y[i * to] += x[i * from];                     \
        }                                                                                 \
    }
ADD_LINE(float)
ADD_LINE(double)

static void copy_line(const plan *p, int64_t n, const char *x, int64_t from, char *y, int64_t to)
{
    if (p->add == NIGH_F32) add_float(n, (const float *)(const void *)x, from, (float *)(void *)y, to);
    else if (p->add == NIGH_F64) add_double(n, (const double *)(const void *)x, from, (double *)(void *)y, to);
    else if (from == 1 && to == 1) memcpy(y, x, (size_t)n * p->size);
    else if (p->size == 1) line_uint8_t(n, (const void *)x, from, (void *)y, to);
    else if (p->size == 2) line_uint16_t(n, (const void *)x, from, (void *)y, to);
    else if (p->size == 4) line_uint32_t(n, (const void *)x, from, (void *)y, to);
    else if (p->size == 8) line_uint64_t(n, (const void *)x, from, (void *)y, to);
    else if (p->size == 16) line_sixteen(n, (const void *)x, from, (void *)y, to);
    else
        for (int64_t i = 0; i < n; i++) memcpy(y + i * to * (int64_t)p->size, x + i * from * (int64_t)p->size, p->size);
}

/* ---- transposition: y[c cross_to + l line_to] = x[c + l line_from] ---- */

/* Eight lines of the source at once give eight neighbours of a line of the destination: whole vectors on both sides, for the compiler to shuffle. */
#define BLOCK8(type)                                                                      \
    static inline void block_##type(const type *restrict x, int64_t from, type *restrict y, int64_t to) \
    {                                                                                     \
        type t[8][8];                                                                     \
        for (int l = 0; l < 8; l++)                                                       \
            for (int c = 0; c < 8; c++) t[c][l] = x[l * from + c];                        \
        for (int c = 0; c < 8; c++)                                                       \
            for (int l = 0; l < 8; l++) y[c * to + l] = t[c][l];                          \
    }                                                                                     \
    static void tile_##type(int64_t lines, int64_t crosses, const type *x, int64_t from, type *y, int64_t to) \
    {                                                                                     \
        int64_t l = 0;                                                                    \
        for (; l + 8 <= lines; l += 8) {                                                  \
            int64_t c = 0;                                                                \
            for (; c + 8 <= crosses; c += 8) block_##type(x + l * from + c, from, y + c * to + l, to); \
            for (; c < crosses; c++)                                                      \
                for (int64_t k = l; k < l + 8; k++) y[c * to + k] = x[k * from + c];      \
        }                                                                                 \
        for (; l < lines; l++)                                                            \
            for (int64_t c = 0; c < crosses; c++) y[c * to + l] = x[l * from + c];        \
    }
BLOCK8(uint32_t)
BLOCK8(uint64_t)

/* Rows of tiles `first` to `end` (in elements of the crossing axis). */
static void transpose(const plan *p, const char *x, char *y, int64_t first, int64_t end)
{
    int64_t size = (int64_t)p->size;
    for (int64_t c = first; c < end; c += TILE) {
        int64_t crosses = end - c < TILE ? end - c : TILE;
        for (int64_t l = 0; l < p->line; l += TILE) {
            int64_t lines = p->line - l < TILE ? p->line - l : TILE;
            const char *from = x + (c + l * p->line_from) * size;
            char *to = y + (c * p->cross_to + l * p->line_to) * size;
            if (p->add == NIGH_BOOL && p->line_to == 1 && size == 4) tile_uint32_t(lines, crosses, (const void *)from, p->line_from, (void *)to, p->cross_to);
            else if (p->add == NIGH_BOOL && p->line_to == 1 && size == 8) tile_uint64_t(lines, crosses, (const void *)from, p->line_from, (void *)to, p->cross_to);
            else
                for (int64_t k = 0; k < crosses; k++) copy_line(p, lines, from + k * size, p->line_from, to + k * p->cross_to * size, p->line_to);
        }
    }
}

/* ---- the walk ---- */

/* Units `first` to `end`: each a slab of the outer axes, cut into `cuts` pieces along the crossing axis or the line. */
static void walk(const plan *p, int64_t cuts, int64_t first, int64_t end, const char *src, char *dst)
{
    int64_t size = (int64_t)p->size, length = p->cross ? p->cross : p->line;
    for (int64_t unit = first; unit < end; unit++) {
        int64_t slab = unit / cuts, part = unit % cuts, from = 0, to = 0, begin = length * part / cuts, stop = length * (part + 1) / cuts;
        for (int i = p->s.ndim - 1; i >= 0; i--) {
            int64_t k = slab % p->s.dim[i];
            slab /= p->s.dim[i];
            from += k * p->s.from[i], to += k * p->s.to[i];
        }
        const char *x = src + from * size;
        char *y = dst + to * size;
        if (p->cross) transpose(p, x, y, begin, stop);
        else copy_line(p, stop - begin, x + begin * p->line_from * size, p->line_from, y + begin * p->line_to * size, p->line_to);
    }
}

static void run(const copy_spec *spec, size_t size, nigh_dtype add, const char *src, char *dst)
{
    for (int i = 0; i < spec->ndim; i++)
        if (spec->dim[i] <= 0) return;
    plan p = plan_of(spec, size, add);
    int64_t slab = p.line * (p.cross ? p.cross : 1), length = p.cross ? p.cross : p.line;
    int64_t most = p.outer * slab * (int64_t)size / THREAD_BYTES;
    int threads = most < spec->threads ? (int)most : spec->threads;
    if (threads <= 1) {
        walk(&p, 1, 0, p.outer, src, dst);
        return;
    }
    int64_t cuts = p.outer >= 4 * threads ? 1 : 4 * threads, units;
    cuts = cuts > length ? length : cuts;
    units = p.outer * cuts;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < threads; k++) walk(&p, cuts, units * k / threads, units * (k + 1) / threads, src, dst);
}

void copy_run(const copy_spec *spec, size_t size, const void *src, void *dst) { run(spec, size, NIGH_BOOL, src, dst); }
void copy_add(const copy_spec *spec, nigh_dtype dtype, const void *src, void *dst) { run(spec, nigh_dtype_size(dtype), dtype, src, dst); }
