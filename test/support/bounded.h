/* Networks that have bounds: one of every kind of layer in some surroundings, with fixed random weights and sizes. */
#ifndef NIGH_TEST_BOUNDED_H
#define NIGH_TEST_BOUNDED_H
#include "nigh/network.h"

/* How many there are. */
int bounded_networks(void);

/* Network `which`, with weights and sizes by `seed`; its name, and the shape of its one input with a first dimension of 1. The caller frees it. */
nigh_network *bounded_network(nigh_context *ctx, int which, uint64_t seed, const char **name, nigh_shape *shape);
#endif
