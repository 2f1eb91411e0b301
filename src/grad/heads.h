/*
 * Arrays [B, T, C] that hold the heads of queries, keys and values side by side, as one product makes them: views of some heads, and rotary positions for
 * those of queries and keys at once, so that attention can take the array as it is.
 */
#ifndef NIGH_GRAD_HEADS_H
#define NIGH_GRAD_HEADS_H
#include "grad/tape.h"

/* Heads first .. first + heads - 1 of x [B, T, C], `size` numbers each, seen as [B, T, heads, size]. Any order of derivatives. */
nigh_node tape_heads(nigh_tape *tape, nigh_node x, int64_t first, int64_t heads, int64_t size);

/* The array that x shows heads of, and which; NIGH_NONE: x is no such view. */
nigh_node tape_heads_of(const nigh_tape *tape, nigh_node x, int64_t *first, int64_t *heads);

/*
 * x [B, T, C] whose first `turned` heads of `size` (even) are turned: numbers i and i + size/2 of a head at place t by t base^(-2 i / size). In place where
 * it may be. Any order of derivatives.
 */
nigh_node tape_rotary_packed(nigh_tape *tape, nigh_node x, int64_t turned, int64_t size, double base);

/* What is turned by such a node; NIGH_NONE: x is none. */
nigh_node tape_rotary_packed_of(const nigh_tape *tape, nigh_node x);
#endif
