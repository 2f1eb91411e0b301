/*
 * nigh/operators_fields.h: operators of the tape (nigh/grad.h) on fields: convolutions, pooling, resampling, padding, Fourier transforms.
 *
 * Fields are channels-last, [N, L, C], [N, H, W, C] or [N, D, H, W, C]: 1 to 3 spatial dimensions between samples and channels. f32 or f64 (and
 * c64, c128 beside them for spectra). Except for the maximum pool all are linear in each input, and their gradients are operators of the same
 * kind: derivatives of any order exist.
 */
#ifndef NIGH_OPERATORS_FIELDS_H
#define NIGH_OPERATORS_FIELDS_H
#include "nigh/grad.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NIGH_FIELD_DIMS = 3 };

/* How a field continues outside. */
typedef enum nigh_padding {
    NIGH_PAD_ZERO,
    NIGH_PAD_CIRCULAR, /* periodic: x[-1] = x[n - 1] */
    NIGH_PAD_REFLECT   /* x[-1] = x[1]: the outermost element is not repeated */
} nigh_padding;

/* ---- convolutions ------------------------------------------------------------------------------------- */

/* Zero-initialised: stride 1, dilation 1, one group, no padding. One number for each spatial dimension. */
typedef struct nigh_convolution {
    int64_t stride[NIGH_FIELD_DIMS];   /* 1 or more; 0 stands for 1 */
    int64_t dilation[NIGH_FIELD_DIMS]; /* 1 or more; 0 stands for 1 */
    int64_t low[NIGH_FIELD_DIMS], high[NIGH_FIELD_DIMS]; /* padding before and behind; circular: at most the size, reflect: less than it */
    int64_t groups;                    /* divides Cin and Cout; 0 stands for 1; groups = Cin = Cout is depthwise */
    nigh_padding padding;
} nigh_convolution;

/*
 * x [N, in.., Cin], w [K.., Cin / groups, Cout], bias [Cout] or NIGH_NONE: y [N, out.., Cout] with
 *     y[n, o, c] = bias[c] + sum over k and i of x~[n, o stride + k dilation - low, i] w[k, i, c],   out = (in + low + high - dilation (K - 1) - 1) / stride + 1
 * (rounded down). how NULL: as zero-initialised. 1x1 of stride 1 without padding is recorded as nigh_tape_linear.
 */
NIGH_API nigh_node nigh_tape_convolution(nigh_tape *tape, nigh_node x, nigh_node w, nigh_node bias, const nigh_convolution *how);

/*
 * The adjoint of that convolution: small s [N, out.., Cout], w [K.., Cin / groups, Cout], bias [Cin] or NIGH_NONE: z [N, size.., Cin], size[] one of the
 * sizes that the convolution takes to out (NULL: (out - 1) stride + dilation (K - 1) + 1 - low - high, the smallest). Upsampling by 2: K = stride = 2.
 * Note that w has the channels of s last. (PyTorch's ConvTranspose with output_padding p: size = smallest + p.)
 */
NIGH_API nigh_node nigh_tape_convolution_transposed(nigh_tape *tape, nigh_node s, nigh_node w, nigh_node bias, const nigh_convolution *how,
                                                    const int64_t *size);

/* ---- pooling and resampling --------------------------------------------------------------------------- */

/* Zero-initialised and with `window`: stride = window, no padding. */
typedef struct nigh_pool {
    int64_t window[NIGH_FIELD_DIMS]; /* 1 or more; 0 stands for 1 */
    int64_t stride[NIGH_FIELD_DIMS]; /* 1 or more; 0 stands for the window */
    int64_t low[NIGH_FIELD_DIMS], high[NIGH_FIELD_DIMS]; /* 0 .. window - 1 */
    bool count_padding;              /* averages divide by the whole window, else by the positions inside x */
} nigh_pool;

/*
 * x [N, in.., C] -> [N, out.., C], out = (in + low + high - window) / stride + 1. Padding holds nothing. The gradient of the maximum goes to the first
 * largest element; it has gradients of any order (the choice is held fixed).
 */
NIGH_API nigh_node nigh_tape_average_pool(nigh_tape *tape, nigh_node x, const nigh_pool *how);
NIGH_API nigh_node nigh_tape_max_pool(nigh_tape *tape, nigh_node x, const nigh_pool *how);
NIGH_API nigh_node nigh_tape_global_average(nigh_tape *tape, nigh_node x); /* [N, in.., C] -> [N, C] */

/*
 * x [N, in.., C] -> [N, size.., C]; linear (else nearest) in each dimension. Position o reads at (o + 1/2) in / out - 1/2, clamped at the ends, or with align_corners
 * at o (in - 1) / (out - 1).
 */
NIGH_API nigh_node nigh_tape_resample(nigh_tape *tape, nigh_node x, const int64_t *size, bool linear, bool align_corners);

/* x continued by low[i] elements before and high[i] behind along each of its dimensions (any number of them; 0 leaves one alone). */
NIGH_API nigh_node nigh_tape_halo(nigh_tape *tape, nigh_node x, nigh_padding padding, const int64_t *low, const int64_t *high);

/* ---- Fourier transforms ------------------------------------------------------------------------------- */

typedef enum nigh_tape_norm {
    NIGH_NORM_BACKWARD, /* forward none, inverse 1 / n: as numpy.fft */
    NIGH_NORM_ORTHO,    /* 1 / sqrt(n) both ways */
    NIGH_NORM_NONE      /* no factor either way */
} nigh_tape_norm;

/*
 * Transforms along 1 to 3 dimensions (the bits of `axes`). X[k] = sum_j x[j] exp(-2 pi i j k / n) in each; inverse: the other sign. A real transform
 * halves the last of the axes to n / 2 + 1 coefficients, and its inverse, for which `n` says the length of that axis, takes of the coefficients 0 and n / 2
 * what is Hermitian. Gradients of any order.
 */
NIGH_API nigh_node nigh_tape_fft(nigh_tape *tape, nigh_node x, unsigned axes, bool inverse, nigh_tape_norm norm);
NIGH_API nigh_node nigh_tape_real_fft(nigh_tape *tape, nigh_node x, unsigned axes, nigh_tape_norm norm);
NIGH_API nigh_node nigh_tape_inverse_real_fft(nigh_tape *tape, nigh_node x, unsigned axes, int64_t n, nigh_tape_norm norm);

/* x [N, k.., Cin] times a matrix for each mode, w [k.., Cin, Cout]: [N, k.., Cout]; one batched product. Real or complex. */
NIGH_API nigh_node nigh_tape_mode_product(nigh_tape *tape, nigh_node x, nigh_node w);

/*
 * A coefficient array resized from that of n points to that of m along `axis`: high frequencies are dropped or filled with zeros, the coefficient of n / 2 (n even)
 * is halved between both signs when the grid grows and taken together when it shrinks, so that growing and shrinking again changes nothing. half: the
 * axis holds n / 2 + 1 coefficients of real numbers, else n. No factor for the number of points.
 */
NIGH_API nigh_node nigh_tape_spectrum_resize(nigh_tape *tape, nigh_node x, int axis, int64_t n, int64_t m, bool half);

/* Periodic real field x [N, in.., C] on another grid [N, size.., C]: trigonometric interpolation, or projection where it gets smaller. */
NIGH_API nigh_node nigh_tape_fourier_resample(nigh_tape *tape, nigh_node x, const int64_t *size);

/*
 * d^order / dx^order along `axis` of a periodic real array whose period is `length` (order 1 to 16). The coefficient n / 2 (n even) counts as 0 for odd orders.
 * Boyd, "Chebyshev and Fourier Spectral Methods".
 */
NIGH_API nigh_node nigh_tape_spectral_derivative(nigh_tape *tape, nigh_node x, int axis, int order, double length);

/*
 * Mean over samples of |u - v| / |v| in the Sobolev norm |u|^2 = mean over x of the sum over channels of u^2 + sum_d (du/dx_d)^2, derivatives by Fourier
 * transforms of the periodic fields u, v [N, in.., C] whose periods are length[] (NULL: 1 each). 1e-12 is added to |v|^2, 1e-20 to |u - v|^2: both may be zero.
 */
NIGH_API nigh_node nigh_tape_relative_h1(nigh_tape *tape, nigh_node u, nigh_node v, const double *length);

#ifdef __cplusplus
}
#endif
#endif
