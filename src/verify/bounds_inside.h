/*
 * The inside of `bounds`: what is prepared once from a graph and its root box.
 *
 * Rests of rounding. Let X_k be the magnitudes of node k: at least |x| of every value over the root box (with `single`: also of what an evaluation in f32 gives). An affine node
 * y = W x + b has a rest r >= 0 [size] such that, however sums are ordered and with or without fused multiply-adds,
 *   forwards:  |computed (W c + b)_i + computed (|W| d)_i slack - real| <= r_i for any c, d with |c| + d <= X, and
 *   backwards: a row a of its results turned into computed (a W) and (a b) is off by at most sum_i |a_i| r_i over the root box,
 * where the roundings of as many additions of rows as the node's inputs have readers are included. With `single` r_i also bounds by how much an evaluation of y_i in f32 can be off,
 * the arguments being what they are. `fast`: zeros.
 */
#ifndef NIGH_VERIFY_BOUNDS_INSIDE_H
#define NIGH_VERIFY_BOUNDS_INSIDE_H
#include "verify/bounds.h"

#include "tensor/matmul.h"

typedef struct bounds_interval_plan bounds_interval_plan;

struct bounds {
    nigh_context *ctx;
    const bound_graph *graph;
    bounds_options options;
    nigh_arena *arena;              /* holds what is pointed to */
    double *low, *high;             /* the root box [inputs] */
    double **magnitude;             /* [nodes] each [size] */
    double **rest;                  /* [nodes] each [size]; NULL: input and activations */
    double **node_low, **node_high; /* [nodes] each [size]: intervals over the root box */
    int *activation_of;             /* [nodes] place among the activations; -1: none */
    int *readers;                   /* [nodes] how many nodes read it */
    int most_readers;
    bounds_interval_plan *interval; /* of interval.c */
    void *crown;                    /* of crown*.c, freed by crown_free */
};

/* Forward passes: see interval.c. */
nigh_status interval_new(bounds *b);
void interval_free(bounds *b); /* what is there of it */

/* Linear bounds: see crown_inside.h. */
void crown_free(bounds *b); /* what is there of it */

/* Rest of node k from the magnitudes of its inputs, which are there. */
void interval_rest(bounds *b, int k);

/* Node k on one box: low, high of its inputs in node_low and node_high to the node's own, cut to +-magnitude when that is there. Activations: of `single`. */
void interval_node(const bounds *b, int k, double *const *node_low, double *const *node_high, bool cut);
#endif
