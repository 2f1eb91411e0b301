/* The layer of kind "attention": which operator it becomes. */
#ifndef NIGH_NN_ATTENTION_LAYER_H
#define NIGH_NN_ATTENTION_LAYER_H
#include "nigh/network.h"

/*
 * Inputs q [B, T, heads, size], k, v [B, S, kv_heads, size], then lengths [B] i32 with attribute lengths and segments [B, T] i32 with attribute segments. Attributes
 * causal, window, alibi, scale (0: 1 / sqrt(size)). Weights: none, or keys and values [P, kv_heads, size] that stand in front.
 */
nigh_node attention_layer(const nigh_layer_call *call);
#endif
