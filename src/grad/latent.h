/* The neural spectral block on the tape: its attributes; and of elementary operators, what nigh_tape_latent (nigh/fields.h) is held against. */
#ifndef NIGH_GRAD_LATENT_H
#define NIGH_GRAD_LATENT_H
#include "nigh/grad.h"

/* Inputs: u, token, w, then x where `added`. u is [N, H, W, heads (2 width + tokens)]. */
typedef struct latent_attributes {
    int64_t patch[2], heads, width, tokens, basis, added;
} latent_attributes;

nigh_node latent_composed(nigh_tape *tape, nigh_node u, nigh_node x, nigh_node token, nigh_node w, const int64_t patch[2]);
#endif
