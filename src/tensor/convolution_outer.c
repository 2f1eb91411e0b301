/* WEIGHT: for every tap, sums over pixels of x y'^T, by blocks of pixels whose y' stay in the first-level cache. */
#include "tensor/convolution_kernels.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct job {
    const convolution *c;
    const char *x, *dy;
    char *dw, *db, *workspace;
} job;

/*
 * Pixels of a block in two lists. Inner ones read every tap, each at a fixed distance from the first: their pointers serve all taps. The others stand
 * behind them in x_read, tap by tap, where they read anything.
 */
typedef struct lists {
    int64_t *image, *at[CONVOLUTION_DIMS]; /* of the others */
    const void **y, **x_read, **y_read;
    char *panels;
    int64_t inner, others;
} lists;

static void lists_make(const job *j, int thread, lists *l)
{
    char *at = j->workspace + j->c->pack_bytes + j->c->thread_bytes * thread;
    size_t step = CONVOLUTION_PIXELS * sizeof(void *);
    l->image = (int64_t *)at;
    for (int i = 0; i < CONVOLUTION_DIMS; i++) l->at[i] = (int64_t *)(at += step);
    l->y = (const void **)(at += step);
    l->x_read = (const void **)(at += step);
    l->y_read = (const void **)(at += step);
    l->panels = at + step;
}

/* Row p of a block of pixels into its places in the panels; gives the first. */
static const char *put_row(const convolution *c, const lists *l, int64_t p, const char *y)
{
    const size_t tile = (size_t)(CONVOLUTION_VECTORS * c->kernels->lanes) * c->element, row = (size_t)c->width * c->element;
    char *to = l->panels + (size_t)p * tile;
    for (size_t at = 0; at < row; at += tile) memcpy(to + at * CONVOLUTION_PIXELS, y + at, row - at < tile ? row - at : tile);
    return to;
}

/* Bytes from the first tap to this one, for inner pixels. */
static int64_t distance(const convolution *c, int64_t tap)
{
    const convolution_axis *axis = c->axis;
    int64_t w = tap % axis[2].taps, h = tap / axis[2].taps % axis[1].taps, d = tap / axis[2].taps / axis[1].taps;
    return d * axis[0].step + h * axis[1].step + w * axis[2].step;
}

/* Puts the others that this tap reads behind the inner ones, `distance` back; pixels in all. */
static int64_t read_by(const job *j, const lists *l, int64_t tap)
{
    const convolution_axis *axis = j->c->axis;
    int64_t w = tap % axis[2].taps, h = tap / axis[2].taps % axis[1].taps, d = tap / axis[2].taps / axis[1].taps, kept = l->inner;
    const int64_t *plane = axis[0].source + d * axis[0].count, *line = axis[1].source + h * axis[1].count, *spot = axis[2].source + w * axis[2].count;
    const char *x = j->x - distance(j->c, tap);
    for (int64_t p = 0; p < l->others; p++) {
        int64_t offset = l->image[p] + plane[l->at[0][p]] + line[l->at[1][p]] + spot[l->at[2][p]];
        l->x_read[kept] = x + (offset < 0 ? 0 : offset), l->y_read[kept] = l->y[p];
        kept += offset >= 0;
    }
    return kept;
}

/* Rows [from, to) of input channels of one group and tap. */
static void outer_rows(const job *j, const lists *l, int64_t count, int64_t tap, int64_t group, int64_t from, int64_t to)
{
    const convolution *c = j->c;
    const int lanes = c->kernels->lanes;
    const int64_t tile = CONVOLUTION_VECTORS * lanes, row = c->spec.w[4], shift = distance(c, tap) / (int64_t)c->element;
    for (int64_t b = 0; b < c->blocks; b++) {
        int64_t channels = c->width - b * tile < tile ? c->width - b * tile : tile, at = group * c->width + b * tile;
        int64_t y_at = c->panels ? b * tile * CONVOLUTION_PIXELS : at;
        int vectors = channels > lanes ? 2 : 1, last = (int)channels - (vectors - 1) * lanes;
        for (int64_t i = from; i < to;) {
            int deep = to - i >= 8 ? 8 : to - i >= 4 ? 4 : to - i >= 2 ? 2 : 1;
            char *dw = j->dw + (size_t)((tap * c->depth + i) * row + at) * c->element;
            c->kernels->outer(deep, vectors, last, count, l->x_read, shift + group * c->depth + i, l->y_read, y_at, dw, row);
            i += deep;
        }
    }
}

/* Few channels of y': the same sums with x along the vectors, [tap][group][channel of y'][channel of x] in the workspace. */
static char *narrow_sums(const job *j, int64_t tap, int64_t group)
{
    const convolution *c = j->c;
    return j->workspace + (size_t)((tap * c->groups + group) * c->width * c->depth) * c->element;
}

static void outer_narrow(const job *j, const lists *l, int64_t count, int64_t tap, int64_t group)
{
    const convolution *c = j->c;
    const int lanes = c->kernels->lanes;
    const int64_t tile = CONVOLUTION_VECTORS * lanes, shift = distance(c, tap) / (int64_t)c->element;
    for (int64_t first = 0; first < c->depth; first += tile) {
        int64_t channels = c->depth - first < tile ? c->depth - first : tile;
        int vectors = channels > lanes ? 2 : 1, last = (int)channels - (vectors - 1) * lanes;
        for (int64_t i = 0; i < c->width;) {
            int deep = c->width - i >= 4 ? 4 : c->width - i >= 2 ? 2 : 1;
            char *sums = narrow_sums(j, tap, group) + (size_t)(i * c->depth + first) * c->element;
            c->kernels->outer(deep, vectors, last, count, l->y_read, group * c->width + i, l->x_read, shift + group * c->depth + first, sums, c->depth);
            i += deep;
        }
    }
}

/* To dw, once all pixels are in. */
static void place_narrow(const job *j, int64_t from, int64_t to)
{
    const convolution *c = j->c;
    const size_t e = c->element;
    for (int64_t item = from; item < to; item++) {
        int64_t tap = item / c->groups, group = item % c->groups;
        const char *sums = narrow_sums(j, tap, group);
        for (int64_t i = 0; i < c->depth; i++)
            for (int64_t k = 0; k < c->width; k++)
                memcpy(j->dw + (size_t)((tap * c->depth + i) * c->spec.w[4] + group * c->width + k) * e, sums + (size_t)(k * c->depth + i) * e, e);
    }
}

/* Work comes in items: eight input channels of a group and tap (16 channels of a tap when depthwise, all when narrow); items [from, to) of a block of pixels. */
static int64_t items_of_tap(const convolution *c)
{
    return c->depthwise ? (c->groups + 15) / 16 : c->narrow ? c->groups : c->groups * ((c->depth + CONVOLUTION_DEEP - 1) / CONVOLUTION_DEEP);
}

static void do_items(const job *j, const lists *l, int64_t from, int64_t to)
{
    const convolution *c = j->c;
    int64_t of_tap = items_of_tap(c), of_group = (c->depth + CONVOLUTION_DEEP - 1) / CONVOLUTION_DEEP;
    while (from < to) {
        int64_t tap = from / of_tap, first = from % of_tap, end = first + to - from < of_tap ? first + to - from : of_tap;
        int64_t kept = read_by(j, l, tap);
        if (c->depthwise) {
            int64_t last = 16 * end < c->groups ? 16 * end : c->groups;
            c->kernels->outer_channels(kept, l->x_read, distance(c, tap) / (int64_t)c->element, l->y_read, 16 * first, last,
                                       j->dw + (size_t)(tap * c->groups) * c->element);
        } else if (c->narrow) {
            for (int64_t i = first; i < end; i++) outer_narrow(j, l, kept, tap, i);
        } else {
            for (int64_t i = first; i < end;) {
                int64_t group = i / of_group, begin = i % of_group, stop = begin + end - i < of_group ? begin + end - i : of_group;
                int64_t rows = CONVOLUTION_DEEP * stop < c->depth ? CONVOLUTION_DEEP * stop : c->depth;
                outer_rows(j, l, kept, tap, group, CONVOLUTION_DEEP * begin, rows);
                i += stop - begin;
            }
        }
        from += end - first;
    }
}

/* db: sums over the pixels of y', or of x when transposed. */
static void sum_bias(const job *j, int thread, int threads)
{
    const convolution *c = j->c;
    const convolution_spec *s = &c->spec;
    int64_t channels = s->transposed ? s->x[4] : s->w[4], pixels = c->batch;
    for (int i = 0; i < CONVOLUTION_DIMS; i++) pixels *= s->transposed ? s->x[1 + i] : c->axis[i].count;
    int64_t parts = (channels + 15) / 16, from = 16 * (parts * thread / threads), to = 16 * (parts * (thread + 1) / threads);
    if (to > channels) to = channels;
    if (from >= to) return;
    const char *rows = s->transposed ? j->x : j->dy;
    memset(j->db + (size_t)from * c->element, 0, (size_t)(to - from) * c->element);
    for (int64_t p = 0; p < pixels; p += CONVOLUTION_PIXELS) {
        int64_t count = pixels - p < CONVOLUTION_PIXELS ? pixels - p : CONVOLUTION_PIXELS;
        c->kernels->sum(count, rows + (size_t)(p * channels) * c->element, channels, from, to, j->db);
    }
}

/* Zeros in what the items [from, to) add to. */
static void clear_items(const job *j, int64_t from, int64_t to)
{
    const convolution *c = j->c;
    const size_t e = c->element;
    int64_t of_tap = items_of_tap(c), of_group = (c->depth + CONVOLUTION_DEEP - 1) / CONVOLUTION_DEEP, row = c->spec.w[4];
    for (int64_t i = from; i < to; i++) {
        int64_t tap = i / of_tap, part = i % of_tap;
        if (c->depthwise) {
            int64_t count = c->groups - 16 * part < 16 ? c->groups - 16 * part : 16;
            memset(j->dw + (size_t)(tap * c->groups + 16 * part) * e, 0, (size_t)count * e);
            continue;
        }
        if (c->narrow) {
            memset(narrow_sums(j, tap, part), 0, (size_t)(c->width * c->depth) * e);
            continue;
        }
        int64_t group = part / of_group, first = part % of_group * CONVOLUTION_DEEP;
        for (int64_t d = first; d < first + CONVOLUTION_DEEP && d < c->depth; d++)
            memset(j->dw + (size_t)((tap * c->depth + d) * row + group * c->width) * e, 0, (size_t)c->width * e);
    }
}

static void work(const job *j, int thread, int threads)
{
    const convolution *c = j->c;
    const convolution_axis *axis = c->axis;
    int64_t items = c->taps * items_of_tap(c), from = items * thread / threads, to = items * (thread + 1) / threads;
    int64_t pixels = convolution_walk_pixels(c, 0);
    lists l;
    lists_make(j, thread, &l);
    clear_items(j, from, to);
    convolution_walk walk;
    convolution_walk_start(c, 0, 0, &walk);
    for (int64_t first = 0; first < pixels; first += CONVOLUTION_PIXELS) {
        int64_t count = pixels - first < CONVOLUTION_PIXELS ? pixels - first : CONVOLUTION_PIXELS;
        l.inner = l.others = 0;
        for (int64_t p = 0; p < count; p++, convolution_walk_next(&walk)) {
            int64_t d = walk.at[0], h = walk.at[1], w = walk.at[2];
            const char *y = j->dy + (first + p) * c->result_pixel;
            if (c->panels) y = put_row(c, &l, p, y);
            if (axis[0].run[d] && axis[1].run[h] && axis[2].run[w]) {
                l.x_read[l.inner] = j->x + walk.n * c->source_image + axis[0].source[d] + axis[1].source[h] + axis[2].source[w];
                l.y_read[l.inner++] = y;
            } else {
                l.at[0][l.others] = d, l.at[1][l.others] = h, l.at[2][l.others] = w;
                l.image[l.others] = walk.n * c->source_image, l.y[l.others++] = y;
            }
        }
        do_items(j, &l, from, to);
    }
    if (c->narrow) place_narrow(j, from, to);
    if (j->db) sum_bias(j, thread, threads);
}

void convolution_outer(const convolution *c, const void *x, const void *dy, void *dw, void *db, void *workspace)
{
    job j = {c, x, dy, dw, c->spec.bias ? db : NULL, workspace};
#ifdef _OPENMP
    if (c->threads > 1) {
#pragma omp parallel num_threads(c->threads)
        work(&j, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    work(&j, 0, 1);
}
