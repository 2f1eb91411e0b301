/*
 * nigh/residual.h: residual blocks of sequences, images and graphs for networks (nigh/network.h): state spaces, the delta rule, gated units, windows of attention,
 * messages along edges.
 *
 * Each builder puts `prefix` in front of the names of its layers and weights, takes the layer x and gives the block's last layer, or -1 after a failure. x comes
 * out with the shape it went in with: x + f(norm(x)).
 */
#ifndef NIGH_RESIDUAL_H
#define NIGH_RESIDUAL_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * x [B, T, width]: x + (gelu(s4d(h) + D h) through a gated linear layer), h = norm(x), a state space of `states` pairs a channel (nigh_network_s4d). Gu et al., "On the
 * parameterization and initialization of diagonal state space models".
 */
NIGH_API int nigh_s4d_block(nigh_network *net, const char *prefix, int x, int64_t width, int64_t states);

typedef struct nigh_delta {
    int64_t width, heads, keys, values; /* keys and values: numbers a head [width / heads] */
    bool negative;                      /* beta in (0, 2): the state's eigenvalues may be negative; else in (0, 1) */
} nigh_delta;

/*
 * x [B, T, width]: x + out(norm(delta rule of q, k, v, beta)), q and k of unit length, beta from sigmoids. Yang et al., "Parallelizing linear transformers with
 * the delta rule over sequence length"; Grazzi et al., "Unlocking state-tracking in linear RNNs through negative eigenvalues".
 */
NIGH_API int nigh_delta_block(nigh_network *net, const char *prefix, int x, const nigh_delta *d);

/* x [B, T, width]: x + out(gru(norm(x))), the unit of size `state`. */
NIGH_API int nigh_gru_block(nigh_network *net, const char *prefix, int x, int64_t width, int64_t state);

typedef struct nigh_swin {
    int64_t width, heads, window; /* window by window places see each other; height and width of the image are multiples */
    int64_t shift;                /* 0, or window / 2 in every other block: the windows of the image rolled by so much; what was not adjacent does not meet */
    int64_t hidden;               /* of the ffn [4 width] */
} nigh_swin;

/*
 * x [N, H, W, width]: y = x + out(attention in windows of norm(x)), y + down(gelu(up(norm(y)))), with a learned bias for each head and difference of places. Liu et
 * al., "Swin transformer: hierarchical vision transformer using shifted windows".
 */
NIGH_API int nigh_swin_block(nigh_network *net, const char *prefix, int x, const nigh_swin *s);

/*
 * Adds layers that bring messages [E, hidden] of edges together at the nodes they go to: target i32 [E], nodes [n, width] (for n): [n, hidden]. nigh_aggregate is
 * one for a user that is the text "sum", "mean" or "max" (of no message: 0).
 */
typedef int nigh_aggregate_fn(void *user, nigh_network *net, const char *prefix, int messages, int target, int nodes);
NIGH_API nigh_aggregate_fn nigh_aggregate;

typedef struct nigh_graph_block {
    int nodes, source, target;     /* layers: [n, width], i32 [E], i32 [E] */
    int64_t width, hidden;
    nigh_aggregate_fn *aggregate;  /* NULL: sums */
    void *user;
} nigh_graph_block;

/* x_i + update(norm(x_i), aggregate over edges j -> i of message(norm(x_j), norm(x_i))), both nets of one hidden layer with relu. Gilmer et al., "Neural message passing for quantum chemistry". */
NIGH_API int nigh_message_block(nigh_network *net, const char *prefix, const nigh_graph_block *g);

#ifdef __cplusplus
}
#endif
#endif
