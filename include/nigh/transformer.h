/*
 * nigh/transformer.h: transformers as networks (nigh/network.h), made from one plain description: decoders of tokens, encoders, and decoders that look
 * at an encoder.
 *
 *   nigh_decoder d = nigh_decoder_default();        d.vocabulary = 256, d.layers = 3, d.width = 96, d.heads = 4, d.context = 128;
 *   nigh_network *net;                              nigh_decoder_build(ctx, &d, &net);
 *   nigh_parameters_draw(nigh_network_parameters(net), seed);
 *   ... nigh_network_record with tokens [B, T] i32 gives logits [B, T, vocabulary]; nigh_tape_cross_entropy (targets i32, -1: not counted) makes the
 *       number to train on
 *   nigh_decoder_save(net, &d, "model.safetensors");
 *
 * A block is made of layers with names, so that a hook (nigh_recording) sees or replaces each of them; with the block's prefix "layers.0.":
 *   norm1 qkv | q k v | q.rotated k.rotated | attention | joined out residual1 norm2 up (act or gate) down residual2
 * q, k, v, attention are [B, T, heads, head_size]; residual2 of the last block is what the last norm and the head read. Weights are called
 * embedding.weight, positions.weight, layers.0.norm1.weight, layers.0.qkv.weight [width, (heads + 2 kv_heads) head_size] ... head.weight.
 *
 * Sources: Vaswani et al., "Attention is all you need" (post-norm, sine, cross-attention); Radford et al., "Language models are unsupervised multitask
 * learners" (pre-norm, initial values); Su et al., "RoFormer" (rotary); Press, Smith and Lewis, "Train short, test long" (ALiBi); Shazeer, "GLU variants
 * improve transformer"; Ainslie et al., "GQA"; Zhuo et al., "Polynomial composition activations"; Merrill and Sabharwal, "The expressive power of
 * transformers with chain of thought" (projected pre-norm); Li and Liang, "Prefix-tuning"; Yang et al., "Tensor programs V" (muP).
 */
#ifndef NIGH_TRANSFORMER_H
#define NIGH_TRANSFORMER_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_positions {
    NIGH_POSITIONS_NONE,
    NIGH_POSITIONS_LEARNED, /* a table [context, width] is added to the embedding */
    NIGH_POSITIONS_SINE,    /* sin and cos of t / 10000^(2 i / width), side by side, are added */
    NIGH_POSITIONS_ROTARY,  /* number i and number i + head_size / 2 of q and k turn by t base^(-2 i / head_size) */
    NIGH_POSITIONS_ALIBI,   /* slope |p - t| is taken off the scores, slopes 2^(-8 h / heads) */
    NIGH_POSITIONS_KINDS
} nigh_positions;

typedef enum nigh_block_norm { NIGH_BLOCK_LAYER_NORM, NIGH_BLOCK_RMS_NORM, NIGH_BLOCK_NO_NORM, NIGH_BLOCK_NORMS } nigh_block_norm;

typedef enum nigh_norm_place {
    NIGH_PLACE_BEFORE,   /* x + f(norm(x)), and a norm before the head */
    NIGH_PLACE_PROJECTED, /* x + f(norm(x M)) with a matrix M of each f (identity at first), and a norm before the head */
    NIGH_PLACE_AFTER,    /* norm(x + f(x)) */
    NIGH_PLACES
} nigh_norm_place;

typedef enum nigh_activation {
    NIGH_ACTIVATION_RELU,
    NIGH_ACTIVATION_GELU,       /* exact */
    NIGH_ACTIVATION_SILU,
    NIGH_ACTIVATION_GATED_RELU, /* relu(x U) * (x V): the product "up" is [width, 2 hidden], U first */
    NIGH_ACTIVATION_GATED_GELU,
    NIGH_ACTIVATION_GATED_SILU, /* SwiGLU */
    NIGH_ACTIVATION_POLY_RELU,  /* a0 + a1 relu(x) + a2 relu(x)^2 + a3 relu(x)^3, four weights a block */
    NIGH_ACTIVATION_POLY_NORM,  /* a0 + a1 n(x) + a2 n(x^2) + a3 n(x^3), n(z) = z / rms(z) over the hidden units */
    NIGH_ACTIVATIONS
} nigh_activation;

/* Plain data; begin with nigh_decoder_default. Zeros of sizes mean what stands in brackets. */
typedef struct nigh_decoder {
    nigh_dtype dtype;                       /* f32 or f64 */
    int64_t vocabulary;                     /* 1 .. 2^31 - 1 */
    int64_t layers, width, heads;           /* layers 0 .. 1000; width, heads 1 .. 2^20 */
    int64_t kv_heads, head_size, hidden;    /* [heads, width / heads, 4 width]; kv_heads divides heads, head_size at most 1024, even when rotary */
    int64_t context;                        /* most tokens with learned positions; otherwise what a scorer takes when not told */
    nigh_block_norm norm;
    nigh_norm_place place;
    double norm_eps;                        /* 0 or more */
    nigh_positions positions;
    double rotary_base;
    nigh_activation activation;
    bool tied;                              /* the head is the embedding's transpose */
    bool bias;                              /* of all linear layers but the head */
    bool bidirectional;                     /* an encoder: every token sees every other */
    bool cross;                             /* each block looks at an encoder's result between attention and ffn (nigh_encoder_decoder_build) */
    bool segments;                          /* a second input, segments [B, T] i32: tokens see only those of their own segment */
    bool sources;                           /* an encoder's input besides tokens: lengths [B] i32, tokens behind them are not seen */
    int64_t prefix;                         /* trainable keys and values in front of the sequence, in each block */
    int64_t window;                         /* W > 0: a token sees the W tokens up to itself; 0: all */
    double attention_scale;                 /* 0: 1 / sqrt(head_size) */
    double embedding_scale, logit_scale;    /* what embedding and logits are multiplied by */
    double dropout;                         /* in training: of the embedding, of each block's two results; 0 <= p < 1 */
    double init;                            /* standard deviation of the first weights; that of `out` and `down` is divided by sqrt(2 layers) */
    double mup_width;                       /* 0: off. Else the width for which init and rate were chosen, see nigh_decoder_build */
} nigh_decoder;

/*
 * f32; LayerNorm before, eps 1e-5; learned positions; gelu; tied head, no biases; rotary base 10,000; scales 1; init 0.02. Sizes are 0 and to be set:
 * vocabulary, layers, width, heads, context.
 */
NIGH_API nigh_decoder nigh_decoder_default(void);

/* Checks and fills in the sizes in brackets. NIGH_INVALID names the member, its value, what is allowed. */
NIGH_API nigh_status nigh_decoder_check(nigh_context *ctx, nigh_decoder *d);

/* How many weights its network has; 0 when it is not in order. */
NIGH_API int64_t nigh_decoder_weights(nigh_context *ctx, const nigh_decoder *d);

/* As JSON, one object in one line, appended; and back (unknown or missing members: NIGH_FORMAT). */
NIGH_API nigh_status nigh_decoder_write(nigh_context *ctx, const nigh_decoder *d, nigh_buffer *text);
NIGH_API nigh_status nigh_decoder_read(nigh_context *ctx, const char *text, size_t size, nigh_decoder *d);

/* ---- networks ----------------------------------------------------------------------------------------- */

/*
 * The network: input tokens [B, T] i32 (and segments, see there), output logits [B, T, vocabulary]. Its weights are drawn by
 * nigh_parameters_draw. Decay of weights is off (0) for what is no matrix. With mup_width w, matrices between hidden units get initial values
 * sqrt(w / width) and rates w / width times as large, and logits are multiplied by w / width: good rates stay good at any width (with Adam).
 */
NIGH_API nigh_status nigh_decoder_build(nigh_context *ctx, const nigh_decoder *d, nigh_network **net);

/*
 * An encoder read by a decoder with `cross`: inputs source [B, S] i32 (with encoder.sources also source.lengths [B] i32), tokens [B, T] i32; output
 * logits [B, T, vocabulary]. Weights begin with "encoder." and "decoder.". One dtype and, for cross-attention, any two widths.
 */
NIGH_API nigh_status nigh_encoder_decoder_build(nigh_context *ctx, const nigh_decoder *encoder, const nigh_decoder *decoder, nigh_network **net);

/*
 * Pieces, for networks of other kinds, with `prefix` in front of names: x [B, T, width] through the blocks and the last norm; memory: a layer
 * [B, S, memory_width] for cross-attention (-1: none); lengths: a layer [B] i32 that says how many of the keys (of memory, when there is one) are seen (-1: all); segments: a
 * layer [B, T] i32 (-1: none). Gives the layer, -1 after a failure.
 */
typedef struct nigh_stack_inputs {
    int x, memory, lengths, segments;
    int64_t memory_width;
} nigh_stack_inputs;
NIGH_API int nigh_decoder_embed(nigh_network *net, const char *prefix, const nigh_decoder *d, int tokens);
NIGH_API int nigh_decoder_stack(nigh_network *net, const char *prefix, const nigh_decoder *d, const nigh_stack_inputs *in);
NIGH_API int nigh_decoder_head(nigh_network *net, const char *prefix, const nigh_decoder *d, int x);

/* One safetensors file: the weights, and the description as metadata "nigh.decoder". What decides is in the file: loading makes the network. */
NIGH_API nigh_status nigh_decoder_save(nigh_context *ctx, nigh_network *net, const nigh_decoder *d, const char *path);
NIGH_API nigh_status nigh_decoder_load(nigh_context *ctx, const char *path, nigh_decoder *d, nigh_network **net);

/* ---- scores ----------------------------------------------------------------------------------------- */

/* Scores of a network that takes tokens [B, T] and gives logits [B, T, V], prepared for one batch and length. */
typedef struct nigh_scorer nigh_scorer;

/* Both 1 or more; the network must outlive the scorer. Its weights may change between runs. NIGH_INVALID: another kind of network. */
NIGH_API nigh_status nigh_scorer_new(nigh_context *ctx, nigh_network *net, int64_t batch, int64_t length, nigh_scorer **scorer);
NIGH_API void nigh_scorer_free(nigh_scorer *scorer); /* NULL is fine */

/* log p of targets [batch, length] after tokens [batch, length]; target -1: not wanted, 0. Computes in the network's type. NIGH_INVALID: a token outside the vocabulary. */
NIGH_API nigh_status nigh_scorer_run(nigh_scorer *scorer, const int32_t *tokens, const int32_t *targets, double *log_probability);

/* tokens[prompt .. total-1] after tokens[0 .. prompt-1]; 1 <= prompt <= total; total - 1 at most the scorer's length. log_probability [total - prompt] is written. */
typedef struct nigh_continuation {
    const int32_t *tokens;
    int64_t prompt, total;
    double *log_probability;
} nigh_continuation;
NIGH_API nigh_status nigh_scorer_continuations(nigh_scorer *scorer, int64_t n, const nigh_continuation *item);

typedef struct nigh_perplexity {
    double nats;       /* mean of -log p */
    double perplexity; /* exp(nats) */
    double bits;       /* nats / log 2: bits a byte when tokens are bytes */
    int64_t tokens;    /* counted */
} nigh_perplexity;

/*
 * Of tokens[n] in windows of the scorer's length that begin `overlap` tokens before the end of the last one (0 <= overlap < length): every token but the
 * first is predicted once, those after the first window with at least `overlap` tokens before it. n >= 2.
 */
NIGH_API nigh_status nigh_scorer_perplexity(nigh_scorer *scorer, int64_t n, const int32_t *tokens, int64_t overlap, nigh_perplexity *result);

#ifdef __cplusplus
}
#endif
#endif
