/*
 * Convolutions and their two gradients on channels-last fields, prepared once and run often.
 *
 * A spec describes one plain convolution y = x * w (+ bias), whatever is computed from it:
 *
 *     x [N, in.., Cin]     w [K.., Cin/groups, Cout]     y [N, out.., Cout]
 *     y[n, o, c] = bias[c] + sum over k and i of x~[n, o stride + k dilation - low, i] w[k, i, c],   i in the group of c,
 *     out = (in + low + high - dilation (K - 1) - 1) / stride + 1   (rounded down)
 *
 * where x~ continues x outside by zeros, periodically, or by reflection at the outermost elements (which are not repeated).
 *
 *     FORWARD  x, w, bias -> y
 *     DATA     y', w, bias -> x'     the adjoint in x: the gradient by x for y' = dy
 *     WEIGHT   x, y'      -> w', b'  the gradients by w and bias
 *
 * A transposed convolution (U-Net upsampling 2x2/2, 4x4/2, patches p x p/p) maps small fields [N, out.., Cout] to large ones [N, in.., Cin] with
 * weights [K.., Cin/groups, Cout]: it is DATA of the spec whose `x` is the large field, so the size of its result is explicit. With `transposed` set the
 * bias belongs to the Cin channels of the large side. Of z = T(s, w):  forward = DATA(s, w, bias);  by s = FORWARD(dz, w, NULL), made from
 * the spec without bias;  by w and bias = WEIGHT(dz, s).
 *
 * A convolution of 1x1 with stride 1 and no padding is a matrix product [N out.., Cin] [Cin, Cout]: matmul.h does it as well.
 *
 * The products are sums over taps and channels in a fixed order, pixels along the rows of a register tile and channels along vectors; no column matrix is
 * formed, padding costs no copy (indirect convolution: M. Dukhan, "The Indirect Convolution Algorithm").
 */
#ifndef NIGH_TENSOR_CONVOLUTION_H
#define NIGH_TENSOR_CONVOLUTION_H
#include "nigh/core.h"

#include "tensor/halo.h"

enum { CONVOLUTION_DIMS = 3 };

typedef enum convolution_kind { CONVOLUTION_FORWARD, CONVOLUTION_DATA, CONVOLUTION_WEIGHT } convolution_kind;

typedef struct convolution_spec {
    convolution_kind kind;
    nigh_dtype dtype;                        /* f32, f64 */
    int dims;                                /* spatial dimensions: 1 .. 3 */
    int64_t x[CONVOLUTION_DIMS + 2];         /* N, in.., Cin */
    int64_t w[CONVOLUTION_DIMS + 2];         /* K.., Cin/groups, Cout */
    int64_t stride[CONVOLUTION_DIMS];        /* 1 or more */
    int64_t dilation[CONVOLUTION_DIMS];      /* 1 or more */
    int64_t low[CONVOLUTION_DIMS], high[CONVOLUTION_DIMS]; /* padding, 0 or more; periodic: at most the size; reflecting: less than it */
    halo_kind padding;
    int64_t groups;                          /* divides Cin and Cout; groups = Cin = Cout is depthwise */
    bool bias;                               /* FORWARD and DATA add one, WEIGHT gives its gradient */
    bool transposed;                         /* the bias belongs to the Cin channels */
} convolution_spec;

typedef struct convolution convolution;

/* Sizes [N, out.., Cout] of y. NIGH_INVALID with both shapes in the message when x and w do not fit, or nothing is left. */
nigh_status convolution_shape(nigh_context *ctx, const convolution_spec *spec, int64_t y[CONVOLUTION_DIMS + 2]);

/*
 * N = 0 is fine. NIGH_INVALID as above; NIGH_UNSUPPORTED for another type. `threads` (1 ..): at most so many run, fewer where the work is small.
 * Keeps tables of indices (a few numbers per row, column and tap), no copy of operands.
 */
nigh_status convolution_new(nigh_context *ctx, const convolution_spec *spec, int threads, convolution **out);
void convolution_free(convolution *c); /* NULL is fine */
size_t convolution_workspace(const convolution *c); /* bytes, 64-byte aligned */
const char *convolution_path(const convolution *c); /* which code runs: "tiles", "narrow" (1 to 4 channels of the result), "depthwise" */

/*
 * FORWARD: a = x, b = w, out = y. DATA: a = y', b = w, out = x'. WEIGHT: a = x, b = y', out = w', out_bias = b'.
 * bias is read by FORWARD and DATA with spec.bias, out_bias is written by WEIGHT with spec.bias; NULL otherwise. Results are overwritten and overlap nothing.
 * Allocates nothing; several threads may run one object, each with its own workspace. The bits do not depend on the number of threads.
 */
void convolution_run(const convolution *c, const void *a, const void *b, const void *bias, void *out, void *out_bias, void *workspace);
#endif
