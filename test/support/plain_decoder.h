/* A decoder in f64 without any of the library's operators: what networks of nigh/transformer.h are held against. */
#ifndef NIGH_TEST_PLAIN_DECODER_H
#define NIGH_TEST_PLAIN_DECODER_H
#include "nigh/transformer.h"

enum { PLAIN_STEPS = 16 }; /* most */

/* logits [steps, vocabulary] of one sequence; the network's weights are f64, its description checked; width and products up to 64 numbers (up and qkv: 128). */
void plain_decoder(const nigh_decoder *d, nigh_network *net, int steps, const int32_t *tokens, double *logits);
#endif
