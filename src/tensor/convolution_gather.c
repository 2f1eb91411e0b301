/* FORWARD and DATA: every pixel of the result gathers its taps; tiles of pixels by blocks of channels. */
#include "tensor/convolution_kernels.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Weights that stay in the second-level cache while all tiles of a thread pass. */
enum { WEIGHT_BYTES = 1 << 19 };

typedef struct job {
    const convolution *c;
    const char *source, *w, *bias;
    char *result, *pack;
    char *workspace;
} job;

/* What a thread has of its own. */
typedef struct place {
    convolution_tap *tap;
    char *dump, *zeros;
    void *y[CONVOLUTION_ROWS];
    int taps;
} place;

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static void place_make(const job *j, int thread, place *p)
{
    const convolution *c = j->c;
    char *at = j->workspace + c->pack_bytes + c->thread_bytes * thread;
    size_t zeros = rounded((size_t)(c->axis[2].taps * c->depth * c->groups) * c->element);
    p->tap = (convolution_tap *)at, at += rounded((size_t)c->most_taps * sizeof(convolution_tap));
    p->zeros = at, at += zeros;
    p->dump = at;
    memset(p->zeros, 0, zeros);
}

/* ---- weights in the order of the tiles: [group][block][tap][depth][tile], zeros beyond the last channel ---- */

static void pack_block(const job *j, int64_t group, int64_t block)
{
    const convolution *c = j->c;
    int64_t tile = CONVOLUTION_VECTORS * c->kernels->lanes, first = block * tile, rest = c->width - first < tile ? c->width - first : tile;
    size_t e = c->element;
    char *to = j->pack + (size_t)((group * c->blocks + block) * c->taps * c->depth * tile) * e;
    bool adjoint = c->spec.kind == CONVOLUTION_DATA;
    int64_t row = c->spec.w[4];
    for (int64_t t = 0; t < c->taps; t++) {
        int64_t k = adjoint ? c->taps - 1 - t : t;
        const char *from = j->w + (size_t)(k * c->spec.w[3] * row) * e;
        if (adjoint) {
            c->kernels->transpose(rest, c->depth, from + (size_t)(first * row + group * c->depth) * e, row, to, tile);
            to += (size_t)(c->depth * tile) * e;
            continue;
        }
        from += (size_t)(group * c->width + first) * e;
        for (int64_t i = 0; i < c->depth; i++, from += (size_t)row * e, to += (size_t)tile * e) {
            memcpy(to, from, (size_t)rest * e);
            if (rest < tile) memset(to + (size_t)rest * e, 0, (size_t)(tile - rest) * e);
        }
    }
}

/* Few channels: [group][channel][tap][depth]. */
static void pack_narrow(const job *j, int64_t group)
{
    const convolution *c = j->c;
    const size_t e = c->element;
    bool adjoint = c->spec.kind == CONVOLUTION_DATA;
    char *to = j->pack + (size_t)(group * c->width * c->taps * c->depth) * e;
    for (int64_t channel = 0; channel < c->width; channel++)
        for (int64_t t = 0; t < c->taps; t++, to += (size_t)c->depth * e) {
            const char *from = j->w + (size_t)((adjoint ? c->taps - 1 - t : t) * c->spec.w[3] * c->spec.w[4]) * e;
            if (adjoint) {
                memcpy(to, from + (size_t)(channel * c->spec.w[4] + group * c->depth) * e, (size_t)c->depth * e);
                continue;
            }
            for (int64_t i = 0; i < c->depth; i++) memcpy(to + (size_t)i * e, from + (size_t)(i * c->spec.w[4] + group * c->width + channel) * e, e);
        }
}

/* ---- one tile ---- */

/* Pixels of a tile that lie in one row of the result, [from, to). */
typedef struct line {
    int from, to;
    int64_t image, at[2];
} line;

/* Pixels of a tile; those beyond the end are the last one again. */
typedef struct pixels {
    line line[CONVOLUTION_ROWS];
    int lines;
    int64_t column[CONVOLUTION_ROWS], begin[CONVOLUTION_ROWS];
    bool inner; /* every pixel reads every tap, the first at `begin`, the others at fixed distances */
} pixels;

/* The pixels from m on that lie in the walk's row, at most up to `count`; how many. */
static int next_line(const job *j, convolution_walk *walk, int m, int count, pixels *px, place *p)
{
    const convolution *c = j->c;
    const convolution_axis *axis = c->axis;
    int64_t left = walk->size[2] - walk->at[2];
    int most = count - m < left ? count - m : (int)left;
    line *l = &px->line[px->lines++];
    *l = (line){m, m + most, walk->n * c->source_image, {convolution_walk_position(walk, 0), convolution_walk_position(walk, 1)}};
    const int64_t *order = axis[2].order + walk->begin[2] + walk->at[2], source = l->image + axis[0].source[l->at[0]] + axis[1].source[l->at[1]];
    char *to = j->result + walk->n * c->result_image + (l->at[0] * axis[1].count + l->at[1]) * axis[2].count * c->result_pixel;
    bool inner = px->inner & axis[0].run[l->at[0]] & axis[1].run[l->at[1]];
    for (int i = 0; i < most; i++) {
        int64_t column = order[i];
        px->column[m + i] = column, px->begin[m + i] = source + axis[2].source[column];
        inner &= axis[2].run[column];
        p->y[m + i] = to + column * c->result_pixel;
    }
    px->inner = inner;
    walk->at[2] += most - 1;
    convolution_walk_next(walk);
    return most;
}

static void next_pixels(const job *j, convolution_walk *walk, int count, pixels *px, place *p)
{
    const int rows = j->c->kernels->rows;
    px->inner = true, px->lines = 0;
    for (int m = 0; m < count;) m += next_line(j, walk, m, count, px, p);
    for (int m = count; m < rows; m++) px->column[m] = px->column[count - 1], px->begin[m] = px->begin[count - 1], p->y[m] = p->dump;
    px->line[px->lines - 1].to = rows;
}

/* Where the pixels of a line read by a slot: offset 0 of `source` (NULL: outside) and of each column. False: all read zeros. */
static bool line_reads(const pixels *px, const line *l, const char *source, const int64_t *offset, const char *zeros, const void **x)
{
    bool any = false;
    for (int m = l->from; m < l->to; m++) {
        int64_t at = source ? offset[px->column[m]] : CONVOLUTION_NONE;
        any |= at >= 0;
        x[m] = at < 0 ? zeros : source + at;
    }
    return any;
}

/* The taps of one row of the kernel. source: row that each line reads, NULL where it lies outside. */
static void row_taps(const job *j, const pixels *px, const char *const *source, const char *w, int64_t w_tap, bool run, place *p)
{
    const convolution *c = j->c;
    const convolution_axis *axis = &c->axis[2];
    for (int64_t slot = 0; slot < (run ? 1 : axis->slots); slot++) {
        convolution_tap *tap = &p->tap[p->taps];
        bool any = run;
        for (int i = 0; i < px->lines; i++) any |= line_reads(px, &px->line[i], source[i], axis->source + slot * axis->count, p->zeros, tap->x);
        tap->w = w + axis->tap[slot] * w_tap, tap->depth = run ? axis->taps * c->depth : c->depth;
        p->taps += any;
    }
}

static void inner_taps(const job *j, const pixels *px, const char *w, int64_t w_tap, place *p)
{
    const convolution *c = j->c;
    const convolution_axis *axis = c->axis;
    bool run = c->groups == 1 && axis[2].step == c->depth * (int64_t)c->element;
    convolution_tap *tap = p->tap;
    int64_t each = run ? axis[2].taps : 1;
    for (int64_t a = 0; a < axis[0].taps; a++)
        for (int64_t b = 0; b < axis[1].taps; b++)
            for (int64_t k = 0; k < axis[2].taps; k += each, tap++, w += each * w_tap) {
                const char *x = j->source + a * axis[0].step + b * axis[1].step + k * axis[2].step;
                tap->w = w, tap->depth = each * c->depth;
                for (int m = 0; m < CONVOLUTION_ROWS; m++) tap->x[m] = x + px->begin[m];
            }
    p->taps = (int)(tap - p->tap);
}

/* w: weights of the group's first block; w_tap: bytes from tap to tap. */
static void find_taps(const job *j, const pixels *px, const char *w, int64_t w_tap, place *p)
{
    const convolution *c = j->c;
    const int rows = c->kernels->rows;
    bool run = c->groups == 1 && c->axis[2].step == c->depth * (int64_t)c->element;
    if (px->inner) {
        inner_taps(j, px, w, w_tap, p);
        return;
    }
    p->taps = 0;
    for (int m = 0; m < rows; m++) run &= c->axis[2].run[px->column[m]];
    for (int64_t a = 0; a < c->axis[0].slots; a++)
        for (int64_t b = 0; b < c->axis[1].slots; b++) {
            const int64_t *plane = c->axis[0].source + a * c->axis[0].count, *row = c->axis[1].source + b * c->axis[1].count;
            const char *source[CONVOLUTION_ROWS];
            bool any = false;
            for (int i = 0; i < px->lines; i++) {
                int64_t offset = px->line[i].image + plane[px->line[i].at[0]] + row[px->line[i].at[1]];
                source[i] = offset < 0 ? NULL : j->source + offset;
                any |= offset >= 0;
            }
            int64_t tap = (c->axis[0].tap[a] * c->axis[1].taps + c->axis[1].tap[b]) * c->axis[2].taps;
            if (any) row_taps(j, px, source, w + tap * w_tap, w_tap, run, p);
        }
}

/* ---- all tiles of a thread ---- */

static void blocks_of_tile(const job *j, int64_t group, int64_t first, int64_t last, int64_t w_block, int64_t w_row, const place *p)
{
    const convolution *c = j->c;
    const int lanes = c->kernels->lanes;
    const int64_t tile = CONVOLUTION_VECTORS * lanes;
    for (int64_t b = first; b < last; b++) {
        int64_t channels = c->width - b * tile < tile ? c->width - b * tile : tile, at = group * c->width + b * tile;
        int vectors = channels > lanes ? 2 : 1;
        const char *bias = j->bias ? j->bias + (size_t)at * c->element : NULL;
        if (c->narrow)
            c->kernels->narrow((int)c->width, p->taps, p->tap, c->taps * c->depth, bias, p->y, at);
        else
            c->kernels->gather(vectors, (int)channels - (vectors - 1) * lanes, p->taps, p->tap, b * w_block, w_row, bias, p->y, at);
    }
}

/* Tiles [from, to) of one class, blocks [first, last) of one group. */
static void walk_tiles(const job *j, int64_t class_index, int64_t from, int64_t to, int64_t group, int64_t first, int64_t last, place *p)
{
    const convolution *c = j->c;
    const int rows = c->kernels->rows;
    const int64_t tile = c->narrow ? c->width : CONVOLUTION_VECTORS * c->kernels->lanes, total = convolution_walk_pixels(c, class_index);
    const size_t e = c->element;
    int64_t w_tap = c->narrow ? c->depth : c->packed ? c->depth * tile : c->depth * c->spec.w[4], w_row = c->packed ? tile : c->spec.w[4];
    int64_t w_block = c->packed ? c->taps * c->depth * tile : tile;
    const char *w = c->packed ? j->pack + (size_t)(group * c->blocks * w_block) * e : j->w + (size_t)(group * c->width) * e;
    job mine = *j;
    mine.source += (size_t)(group * c->depth) * e;
    convolution_walk walk;
    convolution_walk_start(c, class_index, from * rows, &walk);
    for (int64_t t = from; t < to; t++) {
        pixels px;
        int64_t left = total - t * rows;
        next_pixels(j, &walk, left < rows ? (int)left : rows, &px, p);
        find_taps(&mine, &px, w, w_tap * (int64_t)e, p);
        blocks_of_tile(j, group, first, last, w_block, w_row, p);
    }
}

/* The same for one weight a channel and tap. */
static void walk_depthwise(const job *j, int64_t class_index, int64_t from, int64_t to, place *p)
{
    const convolution *c = j->c;
    const int rows = c->kernels->rows;
    const int64_t total = convolution_walk_pixels(c, class_index), w_tap = c->groups * (int64_t)c->element;
    bool adjoint = c->spec.kind == CONVOLUTION_DATA;
    convolution_walk walk;
    convolution_walk_start(c, class_index, from * rows, &walk);
    for (int64_t t = from; t < to; t++) {
        pixels px;
        int64_t left = total - t * rows;
        next_pixels(j, &walk, left < rows ? (int)left : rows, &px, p);
        find_taps(j, &px, adjoint ? j->w + (c->taps - 1) * w_tap : j->w, adjoint ? -w_tap : w_tap, p);
        c->kernels->gather_channels(p->taps, p->tap, c->groups, j->bias, p->y);
    }
}

static void walk_classes(const job *j, int64_t from, int64_t to, int64_t group, int64_t first, int64_t last, place *p)
{
    const convolution *c = j->c;
    int64_t classes = c->axis[0].classes * c->axis[1].classes * c->axis[2].classes, rows = c->kernels->rows, at = 0;
    for (int64_t k = 0; k < classes && at < to; k++) {
        int64_t tiles = (convolution_walk_pixels(c, k) + rows - 1) / rows;
        int64_t begin = from > at ? from - at : 0, end = to - at < tiles ? to - at : tiles;
        if (begin < end) {
            if (c->depthwise)
                walk_depthwise(j, k, begin, end, p);
            else
                walk_tiles(j, k, begin, end, group, first, last, p);
        }
        at += tiles;
    }
}

static int64_t all_tiles(const convolution *c)
{
    int64_t classes = c->axis[0].classes * c->axis[1].classes * c->axis[2].classes, rows = c->kernels->rows, tiles = 0;
    for (int64_t k = 0; k < classes; k++) tiles += (convolution_walk_pixels(c, k) + rows - 1) / rows;
    return tiles;
}

static void multiply(const job *j, int thread, int threads)
{
    const convolution *c = j->c;
    int64_t tiles = all_tiles(c), from = tiles * thread / threads, to = tiles * (thread + 1) / threads;
    place p;
    place_make(j, thread, &p);
    if (c->depthwise) {
        walk_classes(j, from, to, 0, 0, 1, &p);
        return;
    }
    int64_t all = c->groups * c->blocks, low = 0, high = all;
    if (c->split_channels) low = all * thread / threads, high = all * (thread + 1) / threads, from = 0, to = tiles;
    int64_t one = c->taps * c->depth * CONVOLUTION_VECTORS * c->kernels->lanes * (int64_t)c->element, together = WEIGHT_BYTES / one;
    if (together < 1) together = 1;
    while (low < high) {
        int64_t group = low / c->blocks, first = low % c->blocks, end = c->blocks;
        if (end > first + together) end = first + together;
        if (end > first + high - low) end = first + high - low;
        walk_classes(j, from, to, group, first, end, &p);
        low += end - first;
    }
}

static void pack(const job *j, int thread, int threads)
{
    const convolution *c = j->c;
    if (!c->packed) return;
    int64_t all = c->groups * c->blocks;
    for (int64_t i = all * thread / threads; i < all * (thread + 1) / threads; i++) {
        if (c->narrow)
            pack_narrow(j, i);
        else
            pack_block(j, i / c->blocks, i % c->blocks);
    }
}

void convolution_gather(const convolution *c, const void *source, const void *w, const void *bias, void *result, void *workspace)
{
    job j = {c, source, w, bias, result, workspace, workspace};
#ifdef _OPENMP
    if (c->threads > 1) {
#pragma omp parallel num_threads(c->threads)
        {
            int thread = omp_get_thread_num(), threads = omp_get_num_threads();
            pack(&j, thread, threads);
#pragma omp barrier
            multiply(&j, thread, threads);
        }
        return;
    }
#endif
    pack(&j, 0, 1);
    multiply(&j, 0, 1);
}
