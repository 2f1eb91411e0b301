/*
 * nigh/layers.h: builders of layers with weights, for networks (nigh/network.h). Kinds without a builder: nigh_network_add with weights in the order that
 * is stated, or nigh_network_layer.
 *
 *   kind              weights                       attributes (and what they are when missing); numbers unless marked
 *   conv              w [K.., in / groups, out], bias   stride 1, dilation 1, groups 1, low and high (else pad, 0), padding text zero | circular | reflect
 *   conv-transpose    w [K.., out / groups, in], bias   the same, more 0: added to the smallest size
 *   max-pool          -                             window 2, stride (the window), low and high (else pad, 0)
 *   average-pool      -                             the same, count_padding 0
 *   global-average    -                             -
 *   resample          -                             size, else scale 2; method text linear | nearest | fourier (periodic); align_corners 0; a second input gives the size
 *   cross-attention   bias [B, H, T, S] or none     inputs q, k, v [B, T or S, heads, size], lengths; causal, cosine, window, first, scale 0
 *   s4d               a, b, c [H, N, 2], dt [H]     recur 0; A = -exp(a_re) / 2 + i (pi n + a_im), B = 1 + b, C = c, step exp(dt) / 100
 *   delta-rule        -                             inputs q, k, v, beta
 *   gru               w_x, w_h, b_x, b_h            truncate 0
 *
 * stride, dilation, low, high, pad, window, size and more hold for all spatial dimensions; with _0, _1, _2 behind for one.
 */
#ifndef NIGH_LAYERS_H
#define NIGH_LAYERS_H
#include "nigh/network.h"
#include "nigh/operators_fields.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Convolution of `dims` spatial dimensions with kernel[dims], `in` to `out` channels: weights NAME.weight [K.., in / groups, out], NAME.bias [out], uniform on
 * +-1/sqrt(K in / groups). how NULL: stride 1, no padding. A layer number, or -1.
 */
NIGH_API int nigh_network_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const int64_t *kernel, const nigh_convolution *how,
                               bool bias);

/* Stride 1, `kernel` in each dimension, padded so that sizes stay. */
NIGH_API int nigh_network_conv_same(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, int64_t kernel, nigh_padding padding, bool bias);

/* The transposed convolution from `in` to `out` channels: NAME.weight [K.., out / groups, in], NAME.bias [out], uniform on +-1/sqrt(K out / groups). */
NIGH_API int nigh_network_conv_transpose(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const int64_t *kernel,
                                         const nigh_convolution *how, bool bias);

/* Gated recurrent unit over [B, T, in], giving [B, T, out]: NAME.wx [in, 3 out], NAME.wh [out, 3 out], NAME.bx, NAME.bh [3 out], uniform on +-1/sqrt(out). */
NIGH_API int nigh_network_gru(nigh_network *net, const char *name, int x, int64_t in, int64_t out);

/*
 * Diagonal state space layer over [B, T, heads] with `states` pairs of conjugate states a head: NAME.a, NAME.b (zeros: A = -1/2 + i pi n, "S4D-Lin"; B = 1),
 * NAME.c (normal), NAME.dt (steps from 0.001 to 0.1).
 */
NIGH_API int nigh_network_s4d(nigh_network *net, const char *name, int x, int64_t heads, int64_t states);

#ifdef __cplusplus
}
#endif
#endif
