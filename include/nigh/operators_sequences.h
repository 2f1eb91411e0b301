/*
 * nigh/operators_sequences.h: operators of the tape (nigh/grad.h) on sequences: attention, recurrences, gated units.
 *
 * Sequences are [batch, steps, ...], f32 or f64. The fused operators recompute what they need for their gradients and have those of the first order;
 * forms made of smaller operators, where they are given, have all.
 */
#ifndef NIGH_OPERATORS_SEQUENCES_H
#define NIGH_OPERATORS_SEQUENCES_H
#include "nigh/grad.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- attention ---------------------------------------------------------------------------------------- */

/*
 * What a query sees, as in nigh/attention.h (masks combine). Start from nigh_attention_plain(), in which everything is seen, then change. Query i stands at
 * p = i + steps of k - steps of q, with ragged at i + lengths[b] - steps of q.
 */
typedef struct nigh_attention_how {
    double scale;        /* 0: 1 / sqrt(width), in the cosine form 1 */
    bool cosine;         /* rows of q and k are divided by their length first */
    bool causal;         /* keys up to p */
    int64_t window;      /* W > 0: keys after p - W, and without causal before p + W */
    int64_t first;       /* with window: the first keys are seen as well */
    bool ragged;         /* with lengths */
    nigh_node lengths;   /* i32 [B]: keys in each sequence; NIGH_NONE: none of this and the following */
    nigh_node q_segment, k_segment; /* i32 [B, T], [B, S]: seen where equal; both or none */
    nigh_node bias;      /* added to the scores: [B, H, T, S], each dimension may be 1 */
    nigh_node slopes;    /* [H]: slope times the distance is taken off (ALiBi); no gradient */
} nigh_attention_how;

NIGH_API nigh_attention_how nigh_attention_plain(void);

/*
 * q [B, T, H, d], k [B, S, G, d], v [B, S, G, e] -> o [B, T, H, e]; head h reads key head h / (H / G). *lse (NULL: not wanted) gets the node of the
 * logarithm of each row's sum, [B, H, T]. Views of q, k, v with dense rows are not copied. Gradients by q, k, v, bias, through o and
 * lse, of order 1, in blocks: memory O(T + S). Higher orders: nigh_tape_attention_composed.
 */
NIGH_API nigh_node nigh_tape_attention(nigh_tape *tape, nigh_node q, nigh_node k, nigh_node v, const nigh_attention_how *how, nigh_node *lse);

/*
 * The same from one array [B, T, H + 2 G, d] that holds the heads of q, then of k, then of v, as one linear layer gives them: the gradient is one array, too,
 * and nothing is cut or put together.
 */
NIGH_API nigh_node nigh_tape_attention_packed(nigh_tape *tape, nigh_node qkv, int64_t heads, const nigh_attention_how *how, nigh_node *lse);

/*
 * The same made of products and exponentials, with gradients of any order; it holds B H T S scores, so that it is for short sequences. Every query
 * must see a key.
 */
NIGH_API nigh_node nigh_tape_attention_composed(nigh_tape *tape, nigh_node q, nigh_node k, nigh_node v, const nigh_attention_how *how, nigh_node *lse);

/* ---- recurrences -------------------------------------------------------------------------------------- */

/* h[t] = a[t] h[t-1] + b[t], each [B, T, C]; h[-1] = first [B, C], or 0 when NIGH_NONE. Derivatives of any order. */
NIGH_API nigh_node nigh_tape_gated_scan(nigh_tape *tape, nigh_node a, nigh_node b, nigh_node first);

/*
 * Delta rule: S[t] = S[t-1] (I - beta k k^T) + beta v k^T, o[t] = S[t] q, S[-1] = 0. q, k [B, T, H, d], v [B, T, H, e], beta [B, T, H] -> o [B, T, H, e].
 * Yang et al., "Parallelizing linear transformers with the delta rule over sequence length". Derivatives of order 1.
 */
NIGH_API nigh_node nigh_tape_delta_rule(nigh_tape *tape, nigh_node q, nigh_node k, nigh_node v, nigh_node beta);

/*
 * Diagonal state space (S4D): h[n] = exp(dt A[n]) h[n] + (exp(dt A[n]) - 1) / A[n] B[n] x, y = 2 Re sum_n C[n] h[n] for each head. x [B, T, H] f32 or f64,
 * a, b, c [H, N] complex of it, dt [H] -> y [B, T, H]; by Fourier transforms, or step by step (recur: less work when N is small; same numbers but for rounding).
 * Gu et al., "On the parameterization and initialization of diagonal state space models". Derivatives of order 1.
 */
NIGH_API nigh_node nigh_tape_s4d(nigh_tape *tape, nigh_node x, nigh_node a, nigh_node b, nigh_node c, nigh_node dt, bool recur);

/* ---- recurrent cells ---------------------------------------------------------------------------------- */

/*
 * Gated recurrent unit: r, z = sigmoid(x Wx + bx + h Wh + bh) of their columns, n = tanh(x Wx + bx + r (h Wh + bh)) of theirs, h' = (1 - z) n + z h.
 * x [B, in], h [B, n], w_x [in, 3 n], w_h [n, 3 n] with columns r, z, n; b_x, b_h [3 n] or NIGH_NONE. Any order. Cho et al., "Learning phrase representations
 * using RNN encoder-decoder for statistical machine translation".
 */
typedef struct nigh_gru {
    nigh_node w_x, w_h, b_x, b_h;
} nigh_gru;
NIGH_API nigh_node nigh_tape_gru_cell(nigh_tape *tape, nigh_node x, nigh_node h, const nigh_gru *gru);

/* One step of a recurrence: the new state from the state and x [B, ...], the step's part of the sequence. */
typedef nigh_node nigh_cell_fn(void *user, nigh_tape *tape, nigh_node x, nigh_node state);

/*
 * Steps a cell over x [B, T, ...] from `state` and gives all states [B, T, ...] (*last, unless NULL: the last one). truncate > 0: gradients do not
 * pass from a step to the one before where the step's number is a multiple of `truncate`. What of x enters every step is best computed before.
 */
NIGH_API nigh_node nigh_tape_unroll(nigh_tape *tape, nigh_node x, nigh_node state, nigh_cell_fn *cell, void *user, int64_t truncate, nigh_node *last);

/* The unit above over x [B, T, in] from h [B, n] (NIGH_NONE: 0): [B, T, n]. The products with x are one for all steps. */
NIGH_API nigh_node nigh_tape_gru(nigh_tape *tape, nigh_node x, nigh_node h, const nigh_gru *gru, int64_t truncate, nigh_node *last);

#ifdef __cplusplus
}
#endif
#endif
