/*
 * nigh/fields.h: networks that map fields to fields: the Fourier neural operator, the U-Net, the multigrid neural operator, the latent spectral model.
 *
 *   nigh_fno_spec spec = {.dims = 2, .in = 1, .out = 1, .width = 32, .modes = {12, 12}, .layers = 4};
 *   nigh_network *net;   nigh_fno_new(ctx, NIGH_F32, &spec, &net);
 *   nigh_parameters_draw(nigh_network_parameters(net), seed);
 *
 * Fields are channels-last: one-dimensional ones [N, L, C], two-dimensional ones [N, H, W, C].
 */
#ifndef NIGH_FIELDS_H
#define NIGH_FIELDS_H
#include "nigh/network.h"
#include "nigh/operators_fields.h"
#include "nigh/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A Fourier neural operator ("Fourier neural operator for parametric partial differential equations"), in the form of the class FNO of the Python package
 * neuraloperator with its defaults: grid embedding, lifting by two linear layers, blocks
 *     x = gelu(spectral(x) + x W + b);  x = gelu(mlp(x) + gate x)        (both gelu left out in the last block; the second line only with `mlp`)
 * and projection by two linear layers. The mean, not the sum, over the grid is what a mode sees, so that the network means the same on any grid.
 */
typedef struct nigh_fno_spec {
    int dims;            /* 1 or 2 */
    int64_t in, out;     /* channels */
    int64_t width;       /* channels inside */
    int64_t modes[2];    /* kept: of dimension 0 of two both signs, -modes/2 .. modes/2 - 1; of the last dimension 0 .. modes/2 (as n_modes of neuraloperator) */
    int layers;          /* 1 .. 64 */
    double lift, project;/* hidden channels of lifting and projection as multiples of the width; 0: 2 */
    bool no_grid;        /* the coordinates i / size are not appended to the input */
    bool no_mlp;         /* blocks without the second line */
    double mlp;          /* its hidden channels as a multiple of the width; 0: 0.5 */
} nigh_fno_spec;

/* The network, input "x" [-1, L, in] or [-1, H, W, in] of any grid. NIGH_INVALID names the setting. */
NIGH_API nigh_status nigh_fno_new(nigh_context *ctx, nigh_dtype dtype, const nigh_fno_spec *spec, nigh_network **net);

typedef enum nigh_unet_norm { NIGH_UNET_GROUP, NIGH_UNET_BATCH, NIGH_UNET_PLAIN } nigh_unet_norm;

/*
 * A U-Net ("U-Net: convolutional networks for biomedical image segmentation"): at each scale two convolutions of 3 (x 3) with a norm and gelu behind each, half the
 * size and twice the channels from one scale to the next, and back up, where what was there on the way down is put beside what comes from below.
 */
typedef struct nigh_unet_spec {
    int dims;              /* 1 or 2 */
    int64_t in, out;       /* channels */
    int64_t base;          /* channels at the finest scale */
    int scales;            /* 2 .. 6 */
    nigh_padding padding;
    nigh_unet_norm norm;
    int64_t groups;        /* of NIGH_UNET_GROUP, divides base; 0: the largest of 8, 4, 2, 1 that does */
    bool relu;             /* in place of gelu */
    bool strided;          /* down by convolutions of stride 2, else by the largest of 2 (x 2) */
    bool transposed;       /* up by transposed convolutions (sizes must be multiples of 2^(scales - 1)), else linear to the size on the way down */
} nigh_unet_spec;

/* The network, input "x" [-1, L, in] or [-1, H, W, in] of any grid of at least 2^(scales - 1) points in each dimension. NIGH_INVALID names the setting. */
NIGH_API nigh_status nigh_unet_new(nigh_context *ctx, nigh_dtype dtype, const nigh_unet_spec *spec, nigh_network **net);

/*
 * A transformer of patches ("An image is worth 16x16 words: transformers for image recognition at scale"), for fields: coordinates (around a circle their
 * sines and cosines) behind the channels, patches by a
 * convolution of stride `patch`, pre-norm blocks of attention and two linear layers with gelu, patches back to points by a transposed convolution, and, beside
 * the input again, one convolution of 3 (x 3) and a linear layer. Positions are coordinates, not indices.
 */
typedef struct nigh_patches_spec {
    int dims;              /* 1 or 2 */
    int64_t in, out;       /* channels */
    int64_t size[2];       /* grid: multiples of the patch */
    int64_t patch;         /* points along its side, 1 .. 256 */
    int64_t width, heads;  /* channels inside, a multiple of the heads */
    int layers;            /* 1 .. 64 blocks */
    nigh_padding padding;  /* of the last convolution */
} nigh_patches_spec;

/* The network, input "x" [-1, size.., in]. NIGH_INVALID names the setting. */
NIGH_API nigh_status nigh_patches_new(nigh_context *ctx, nigh_dtype dtype, const nigh_patches_spec *spec, nigh_network **net);

/*
 * A multigrid neural operator ("MgNO: Efficient Parameterization of Linear Operators via Multigrid"): layers
 *     h = gelu(M h + C h + b),   at last answer = h C      (M: a multigrid V-cycle of convolutions; C: channels by channels; b: a number a channel)
 * A V-cycle takes f on the grid to u; level 0 is the grid, each further one has half the points in each dimension:
 *     level 0:  u = S f first, which counts as one of its steps; other levels: u comes down as Pi u of the level above, f as R f
 *     steps:    u = u + S (f - A u), `pre` of them on the way down, `post` on the way up
 *     up:       u = u + P (u of the level below)
 * S, A: 3 (x 3); Pi, R: the same with stride 2; P: transposed, 4 (x 4) with stride 2 where a size is even, 3 where it is odd; no bias, no activation: M is
 * linear (but for `norm`). Fields go on beyond the edge by `padding` in all of them: zero for a value of 0 there, circular, reflect for a slope of 0.
 */
enum { NIGH_MGNO_LEVELS = 12, NIGH_MGNO_LAYERS = 16, NIGH_MGNO_STEPS = 16 };

/* The numbers of one level. */
typedef struct nigh_mgno_level {
    int pre, post;       /* steps, 0 .. NIGH_MGNO_STEPS */
    int64_t channels;    /* of u, and of f below level 0; 0: the width. Level 0: 0 or the width */
} nigh_mgno_level;

typedef struct nigh_mgno_spec {
    int dims;            /* 1 or 2 */
    int64_t size[2];     /* of the grid, 2 or more: the network is for this one */
    int64_t in, out;     /* channels */
    int64_t width;       /* channels inside */
    int layers;          /* 1 .. NIGH_MGNO_LAYERS */
    int levels;          /* at most so many, 1 .. NIGH_MGNO_LEVELS; 0: as many as fit, see nigh_mgno_levels */
    const nigh_mgno_level *level; /* [levels]; NULL: one step before, none behind; on the last two before */
    nigh_padding padding;
    bool residual;       /* R gets f - A u, and u starts from S f below, too (no Pi): a multigrid of the textbooks */
    bool inside;         /* odd sizes n are nodes strictly inside the edge: (n - 1) / 2 of them one level down, else (n + 1) / 2. Padding zero only */
    bool norm;           /* mean 0 and variance 1 over all of each level's u on the way up, scaled and shifted by weights: M is not linear then */
} nigh_mgno_spec;

/*
 * The network, input "x" [-1, L, in] or [-1, H, W, in]. Weights "layer.K.LEVEL.S0" (and A1, S1 .. in the order of steps), "layer.K.LEVEL.R", ".Pi", ".P" of
 * LEVEL and the one below it, "layer.K.skip", "out". NIGH_INVALID names the setting. More levels than the grid has are left out without a word: ask.
 */
NIGH_API nigh_status nigh_mgno_new(nigh_context *ctx, nigh_dtype dtype, const nigh_mgno_spec *spec, nigh_network **net);

/* The levels that such a network has: as many as asked for, and no size on the last one below 2 (`inside`: 1). */
NIGH_API int nigh_mgno_levels(const nigh_mgno_spec *spec);

/*
 * One V-cycle alone as a network, M of `in` to `width` channels: spec as above, `out` and `layers` are not looked at. Its weights have no "layer.K." in front.
 */
NIGH_API nigh_status nigh_mgno_cycle_new(nigh_context *ctx, nigh_dtype dtype, const nigh_mgno_spec *spec, nigh_network **net);

/*
 * A latent spectral model ("Solving High-Dimensional PDEs with Latent Spectral Models"): a U-Net of convolutions with batch norm and relu in which the field of each scale goes through
 * a neural spectral block: the points of each patch are taken by attention to a few tokens, these are moved by a trigonometric map, and brought back by attention. The coordinates
 * (both ends counted: i / (size - 1)) are appended to the input, a linear layer lifts it to `width` channels, zeros behind each dimension (nigh_lsm_padded) make patches fit at each
 * scale; scales have width, 2 width, 4 width ... channels, the last as many as the one before. Up again linearly between corners. Cost is linear in the points of the grid.
 */
typedef struct nigh_lsm_spec {
    int dims;            /* 1 or 2 */
    int64_t in, out;     /* channels */
    int64_t width;       /* channels at the finest scale; a multiple of heads */
    int scales;          /* 1 .. 6 */
    int64_t patch[2];    /* points of a patch in each dimension, the same at each scale; 0: 4 */
    int64_t heads;       /* of the attention; 0: 4 */
    int64_t tokens;      /* of a patch and head, 1 .. 64; 0: 4 */
    int64_t basis;       /* sines and cosines each of the trigonometric map, of frequencies m / basis, 1 .. 256; 0: 12 */
    int64_t project;     /* channels between the two linear layers at the end; 0: twice the width */
    bool identity;       /* tokens are not moved: without the trigonometric map */
} nigh_lsm_spec;

/*
 * The network, input "x" [-1, L, in] or [-1, H, W, in] of any grid. NIGH_INVALID names the setting. In training the batch norms need two samples or more to mean anything. Tokens and
 * the map's weights begin uniform on +-1/channels. The biases of the keys, which change nothing (a softmax over points does not see them), are left out.
 */
NIGH_API nigh_status nigh_lsm_new(nigh_context *ctx, nigh_dtype dtype, const nigh_lsm_spec *spec, nigh_network **net);

/* The sizes [dims] that such a network pads a grid of these to: the next multiples of patch 2^(scales - 1). */
NIGH_API void nigh_lsm_padded(const nigh_lsm_spec *spec, const int64_t *size, int64_t *padded);

/* Multiply-adds, twice, of a pass over one field of this grid, and exponentials and sines as one each. */
NIGH_API double nigh_lsm_flops(const nigh_lsm_spec *spec, const int64_t *size);

/*
 * The spectral convolution of a field [N, L, C] or [N, H, W, C] recorded on a tape: Fourier coefficients, those of the lowest modes times weights, back. Weights
 * [last modes / 2 + 1, (modes of dimension 0,) C, 2, D] are real and imaginary parts behind each other; the result has D channels. Modes that the grid does not
 * have are left out. Transforms are products with tables of cosines: cost O(size x modes) for each sample and channel.
 */
NIGH_API nigh_node nigh_tape_spectral(nigh_tape *tape, nigh_node x, nigh_node weight);

/* Appends the coordinates of grid points, i / size in each dimension but the first and last, to the channels of x. */
NIGH_API nigh_node nigh_tape_grid(nigh_tape *tape, nigh_node x);

/*
 * The neural spectral block recorded on a tape (equations in src/tensor/latent.h): u [N, H, W, heads (2 width + tokens)] holds for each point and head a query, a score for each
 * token and a value; x [N, H, W, heads width], to which the result is added, or NIGH_NONE; token [heads, tokens, width]; w [heads width, 2 basis]. patch[2] divides the sizes.
 * nigh_tape_latent_step: its trigonometric map alone, y [..., C] and w [C, 2 basis]:
 *     z_c = y_c + sum over m < basis of w[c, m] sin(pi m y_c / basis) + w[c, basis + m] cos(pi m y_c / basis)
 * One fused pass forward, one backward that computes the forward one again; derivatives of any order.
 */
NIGH_API nigh_node nigh_tape_latent(nigh_tape *tape, nigh_node u, nigh_node x, nigh_node token, nigh_node w, const int64_t patch[2]);
NIGH_API nigh_node nigh_tape_latent_step(nigh_tape *tape, nigh_node y, nigh_node w);

/*
 * Answers of a plan of a method that takes other grids (fno, latent-spectral-models ...) on another one than that it was made on: size[dims], in [n, size.., channels in], out [n, size.., channels out]. Its receipt
 * does not speak for them. Grids are periodic samplings, point i at i / size. Prepares an executor first (milliseconds), then as nigh_plan_apply.
 * NIGH_UNSUPPORTED: a plan of another method. nigh_fields_shape tells the dimensions of its grid and its channels.
 */
NIGH_API nigh_status nigh_fields_apply(nigh_context *ctx, const nigh_plan *plan, const int64_t *size, int64_t n, const double *in, double *out);
NIGH_API nigh_status nigh_fields_shape(nigh_context *ctx, const nigh_plan *plan, int *dims, int64_t *in, int64_t *out);

#ifdef __cplusplus
}
#endif
#endif
