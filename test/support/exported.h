/* Networks as C in tests: compiled by what compilers there are, held against the tape. */
#ifndef NIGH_TEST_EXPORTED_H
#define NIGH_TEST_EXPORTED_H
#include "nigh/network.h"

/* Compiler and options; NULL ends a list. */
typedef struct exported_way {
    const char *compiler, *options;
} exported_way;

/* gcc and clang with -O2 and with -O3 -march=native, in C99. */
extern const exported_way exported_all[];

/*
 * Fails unless the network's C, compiled without warnings in all these ways, gives the tape's answers within tolerance (1 + |answer|) for inputs of these shapes
 * and numbers on [low, high] (NULL: on [-1, 1]), whatever lies in the scratch memory. The text, when it is wanted, is freed by the caller.
 */
void check_exported(nigh_network *net, const nigh_shape *shapes, const double *low, const double *high, double tolerance, const exported_way *ways, nigh_buffer *text);

/* For short nets: an empty one; a layer of one input, with a name made up; x as the output, all weights on +-weights, then the check above and the end of the network. */
nigh_network *new_network(nigh_context *ctx, nigh_dtype dtype);
int add_layer(nigh_network *net, const char *kind, int x, int weights, const int *weight, int n, const nigh_attribute *attribute);
void check_output(nigh_network *net, int x, const nigh_shape *shape, double weights, double tolerance, const exported_way *ways);

/* The number behind "#define NAME". */
long exported_number(const nigh_buffer *text, const char *name);
#endif
