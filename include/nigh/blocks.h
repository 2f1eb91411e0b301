/*
 * nigh/blocks.h: networks that are built again and again: multilayer perceptrons in the scalings of the literature on width, residual and linear ones,
 * input-convex networks, small convolutional ones. Each function adds layers called NAME.1.linear and so on to a network, and gives the number of the
 * last, or -1 (message in the context, status in the network). Numbers are drawn by nigh_parameters_draw afterwards.
 */
#ifndef NIGH_BLOCKS_H
#define NIGH_BLOCKS_H
#include "nigh/network.h"
#include "nigh/operators_fields.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How weights begin and how fast they are trained when layers have n inputs; g, the gain, is `gain`. Biases begin at 0 unless said.
 *   STANDARD    W ~ N(0, g^2 / n), rate 1
 *   NTK         g / sqrt(n) times W, and `bias_gain` times b, both ~ N(0, 1), rate 1: "Neural tangent kernel", 2018
 *   MEAN_FIELD  one hidden layer of width m: 1/m times the last product, last W ~ N(0, g^2), first ~ N(0, g^2 / in), all rates times m: "A mean field view of the landscape of
 *               two-layer neural networks", 2018
 *   MUP         maximal update, table 3 of "Tensor programs V", 2022, equal to STANDARD at width `base`. For Adam: hidden W ~ N(0, g^2 / n), rate base / n; last W ~ N(0, g^2 base / n^2),
 *               rate base / n; first W and biases rate 1. For SGD (`sgd`): first W and biases rate n / base, hidden 1, last base / n
 */
typedef enum nigh_scaling { NIGH_SCALING_STANDARD, NIGH_SCALING_NTK, NIGH_SCALING_MEAN_FIELD, NIGH_SCALING_MUP } nigh_scaling;

/* Zeroes are the defaults that stand behind. */
typedef struct nigh_mlp {
    int64_t in, out;
    int hidden;             /* layers between; 0 .. 1000: one product without any */
    int64_t width;          /* of each */
    const char *activation; /* a kind of layer with one input, "relu"; "linear": none (deep linear networks) */
    nigh_scaling scaling;   /* STANDARD */
    double gain;            /* sqrt(2) with relu, else 1 */
    double bias_gain;       /* 0; in NTK scaling 0 means without biases; in the others biases begin as N(0, bias_gain^2) */
    int64_t base;           /* width 64 */
    bool no_bias, sgd;
    bool residual;          /* from the second hidden layer on x + branch activation(W x + b) */
    double branch;          /* 1 */
} nigh_mlp;

/* x [..., in] to [..., out]. */
NIGH_API int nigh_network_mlp(nigh_network *net, const char *name, int x, const nigh_mlp *spec);

/*
 * A convex function of x [..., in]: [..., 1], "Input convex neural networks", 2017: z = softplus(beta (z P + x W + b)) / beta, P >= 0, `hidden` times
 * (1 .. 100) with `width` units, then one unit without softplus, plus strong / 2 |x|^2. P = softplus(raw numbers) has a mean of 1 / n at the start. beta > 0, strong >= 0.
 */
NIGH_API int nigh_network_convex(nigh_network *net, const char *name, int x, int64_t in, int hidden, int64_t width, double beta, double strong);

/*
 * Convolutions that keep the size, each followed by the activation (a kind) and, with pool, by a largest-of-2x2..: x [N, in.., channels[0]], channels[blocks + 1],
 * `dims` spatial dimensions. classes > 0: then the mean of each channel and a linear layer to [N, classes]; 0: the last block has no activation and no pool, so that the
 * result is a field.
 */
typedef struct nigh_convnet {
    int dims, blocks; /* 1 .. 3; 1 .. 100 */
    const int64_t *channels;
    int64_t kernel;
    const char *activation; /* "relu" */
    nigh_padding padding;
    bool pool;
    int64_t classes;
} nigh_convnet;
NIGH_API int nigh_network_convnet(nigh_network *net, const char *name, int x, const nigh_convnet *spec);

#ifdef __cplusplus
}
#endif
#endif
