/* Attributes of attention on the tape. */
#ifndef NIGH_GRAD_ATTENTION_H
#define NIGH_GRAD_ATTENTION_H
#include "grad/tape.h"

enum { ATTENTION_HAS_LENGTHS = 1, ATTENTION_HAS_SEGMENTS = 2, ATTENTION_HAS_BIAS = 4, ATTENTION_HAS_SLOPES = 8, ATTENTION_MOST_OPTIONS = 5 };

/*
 * Inputs: q, k, v (or all in one), the options in the order of the bits (segments are two), and backwards o, lse, d_o and d_lse.
 * Outputs: o, lse; backwards d_q, d_k, d_v (or all in one), d_bias.
 */
typedef struct attention_attributes {
    double scale;
    int64_t cosine, causal, window, first, ragged;
    int64_t heads, kv_heads, packed, options; /* packed: one input holds q, k and v */
    int64_t d_lse, d_bias;                    /* backward: the gradient of lse comes in, that of the bias is wanted */
} attention_attributes;
#endif
