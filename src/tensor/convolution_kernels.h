/* The register tiles of convolutions: one table of kernels a type and CPU level, and the object that the driver walks through. */
#ifndef NIGH_TENSOR_CONVOLUTION_KERNELS_H
#define NIGH_TENSOR_CONVOLUTION_KERNELS_H
#include "tensor/convolution.h"

enum {
    CONVOLUTION_ROWS = 14,   /* most pixels of a tile */
    CONVOLUTION_VECTORS = 2, /* most vectors of channels of a tile */
    CONVOLUTION_NARROW = 4,  /* channels of a result that leave most of a vector empty */
    CONVOLUTION_DEEP = 8     /* most input channels of a tile of a weight gradient */
};

/* One tap of a tile: weights w [depth][row of channels], and for each pixel of the tile `depth` numbers in a row. */
typedef struct convolution_tap {
    const void *w;
    int64_t depth;
    const void *x[CONVOLUTION_ROWS];
} convolution_tap;

typedef struct convolution_kernels {
    int lanes, rows; /* numbers of a vector, pixels of a tile */

    /*
     * y[m][c] = bias[c] + sum over taps and i < depth of x[m][i] w[i w_row + c], c < (vectors - 1) lanes + last, for `rows` pixels m.
     * w and y are shifted by w_at and y_at elements; bias NULL: zeros. Whole vectors of w are read.
     */
    void (*gather)(int vectors, int last, int taps, const convolution_tap *tap, int64_t w_at, int64_t w_row, const void *bias, void *const *y, int64_t y_at);

    /* The same for width <= CONVOLUTION_NARROW channels, vectors along i: y[m][c] = bias[c] + sum over taps and i of x[m][i] w[c w_channel + i]. */
    void (*narrow)(int width, int taps, const convolution_tap *tap, int64_t w_channel, const void *bias, void *const *y, int64_t y_at);

    /* y[m][c] = bias[c] + sum over taps of x[m][c] w[c], c < channels. */
    void (*gather_channels)(int taps, const convolution_tap *tap, int64_t channels, const void *bias, void *const *y);

    /* dw[i dw_row + c] += sum over p < count of x[p][x_at + i] y[p][y_at + c], i < deep (8, 4, 2, 1), c as above. */
    void (*outer)(int deep, int vectors, int last, int64_t count, const void *const *x, int64_t x_at, const void *const *y, int64_t y_at, void *dw,
                  int64_t dw_row);

    /* dw[c] += sum over p < count of x[p][x_at + c] y[p][c], from <= c < to */
    void (*outer_channels)(int64_t count, const void *const *x, int64_t x_at, const void *const *y, int64_t from, int64_t to, void *dw);

    /* sum[c] += sum over p < count of y[p step + c], from <= c < to */
    void (*sum)(int64_t count, const void *y, int64_t step, int64_t from, int64_t to, void *sum);

    /* out[j width + i] = in[i in_row + j], i < rows (zeros up to width), j < columns */
    void (*transpose)(int64_t rows, int64_t columns, const void *in, int64_t in_row, void *out, int64_t width);
} convolution_kernels;

extern const convolution_kernels convolution_f32_scalar, convolution_f64_scalar, convolution_f32_avx2, convolution_f64_avx2, convolution_f32_avx512,
    convolution_f64_avx512;
const convolution_kernels *convolution_kernels_at(nigh_cpu_level level, nigh_dtype dtype);

#define CONVOLUTION_NONE (INT64_MIN / 8)

/*
 * One spatial dimension of the gather: which positions of the source each position of the result reads. A slot is a tap, or another reading of the same tap
 * where a folded padding brings several; slots [0, taps) are in the order of the packed weights.
 */
typedef struct convolution_axis {
    int64_t count, taps, slots, source_size;
    int64_t *source;  /* [slots][count]: offset in bytes, or CONVOLUTION_NONE */
    int64_t *tap;     /* [slots]: tap in packed order */
    int64_t *order;   /* [count]: positions, those of one class together: tiles never mix classes */
    int64_t *begin;   /* [classes + 1] in order */
    bool *run;        /* [count]: the slots [0, taps) read positions `step` bytes apart, and no other slot reads */
    int64_t classes, step;
} convolution_axis;

struct convolution {
    nigh_context *ctx;
    convolution_spec spec; /* three dimensions, leading ones added */
    const convolution_kernels *kernels;
    convolution_axis axis[CONVOLUTION_DIMS];
    int threads;
    bool depthwise, narrow, packed, split_channels;
    bool panels;                               /* WEIGHT: rows of y' are copied to [block of channels][pixel]: at their own distance they drive each other from the cache */
    size_t element;
    int64_t batch, groups, taps, depth, width; /* per group: channels summed over, channels of the result */
    int64_t source_image, result_image;        /* bytes of one sample */
    int64_t result_pixel;                      /* bytes of one pixel of the result */
    int64_t blocks;                            /* of channels of a tile, per group */
    int64_t most_taps;                         /* of a tile */
    int64_t pack_bytes, thread_bytes;          /* of the workspace */
};

void convolution_gather(const convolution *c, const void *source, const void *w, const void *bias, void *result, void *workspace);
void convolution_outer(const convolution *c, const void *x, const void *dy, void *dw, void *db, void *workspace);
enum { CONVOLUTION_PIXELS = 128 }; /* of a block of a weight gradient */

/* Positions of a walk over the pixels of a class, samples outermost. */
typedef struct convolution_walk {
    const convolution *c;
    int64_t begin[CONVOLUTION_DIMS], size[CONVOLUTION_DIMS];
    int64_t n, at[CONVOLUTION_DIMS];
} convolution_walk;
void convolution_walk_start(const convolution *c, int64_t class_index, int64_t pixel, convolution_walk *walk);
int64_t convolution_walk_pixels(const convolution *c, int64_t class_index);

static inline void convolution_walk_next(convolution_walk *walk)
{
    if (++walk->at[2] < walk->size[2]) return;
    walk->at[2] = 0;
    if (++walk->at[1] < walk->size[1]) return;
    walk->at[1] = 0;
    if (++walk->at[0] < walk->size[0]) return;
    walk->at[0] = 0;
    walk->n++;
}

static inline int64_t convolution_walk_position(const convolution_walk *walk, int axis)
{
    return walk->c->axis[axis].order[walk->begin[axis] + walk->at[axis]];
}
#endif
