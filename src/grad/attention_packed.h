/*
 * Self-attention on one array that holds queries, keys and values side by side, as the product x W makes it: nothing is cut out or copied, neither forward nor
 * backward, where the gradient comes as one array again. The same numbers as attention on its three parts.
 */
#ifndef NIGH_GRAD_ATTENTION_PACKED_H
#define NIGH_GRAD_ATTENTION_PACKED_H
#include "grad/tape.h"

typedef struct attention_packed {
    int64_t heads, kv_heads, size; /* of each row: heads of q, kv_heads of k, kv_heads of v, `size` numbers each */
    int64_t causal, alibi, window; /* as in nigh/attention.h */
    double scale;                  /* 0: 1 / sqrt(size) */
} attention_packed;

/* x [B, T, (heads + 2 kv_heads) size], f32 or f64: [B, T, heads, size]. First derivatives only. */
nigh_node tape_attention_packed(nigh_tape *tape, nigh_node x, const attention_packed *how);

/*
 * Such an x with q and k turned: numbers i and i + size/2 of a head at place t by t base^(-2 i / size). `turned`: heads from the left that are (q and k: heads +
 * kv_heads) of `size`, even. Runs in place where it may. Any order of derivatives.
 */
nigh_node tape_rotary_packed(nigh_tape *tape, nigh_node x, int64_t turned, int64_t size, double base);

/* What is turned by such a node; NIGH_NONE: x is none. */
nigh_node tape_rotary_packed_of(const nigh_tape *tape, nigh_node x);

/* Heads first .. first + heads - 1 of x [B, T, C], `size` numbers each, seen as [B, T, heads, size]. */
nigh_node tape_heads(nigh_tape *tape, nigh_node x, int64_t first, int64_t heads, int64_t size);

/* The packed array that x shows heads of, and which; NIGH_NONE: x is no such view. */
nigh_node tape_heads_of(const nigh_tape *tape, nigh_node x, int64_t *first, int64_t *heads);
#endif
