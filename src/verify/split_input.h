/*
 * Inside of search_input: batches of boxes, linear bounds of the query's rows on each of them, and what follows from those bounds for a box.
 *
 * Rows are turned: v_r(x) = level[r] - row[r] . y(x); a point is unsafe when v_r <= 0 for all rows of a group. For a box, coefficient . x + constant <= v_r(x)
 * is proved.
 */
#ifndef NIGH_VERIFY_SPLIT_INPUT_H
#define NIGH_VERIFY_SPLIT_INPUT_H
#include "verify/search.h"

/* Boxes and what is known of them. All arrays have room for `room` boxes. */
typedef struct split_batch {
    int64_t room, count;
    double *low, *high;             /* [inputs] each */
    int8_t *phase;                  /* [neurons] each: +1 / -1: the relu's argument is >= 0 / <= 0 on the box, 0: not known; chains only */
    uint8_t *open;                  /* [groups] each: 0: no unsafe point of the group in the box */
    int32_t *depth;
    /* Bounds: */
    double *coefficient, *constant; /* [rows, inputs], [rows] */
    double *score;                  /* [inputs]: how much splitting an input may gain */
    uint8_t *linear;                /* the network is affine on the box: bounds are as tight as they get */
    /* What follows: */
    int32_t *cut;                   /* the input to be split; SPLIT_CLOSED, SPLIT_STUCK */
    double *value;                  /* at most: the least over the box of what search_result calls bound */
    double *point;                  /* [inputs] where the bounds leave most to be found, */
    uint8_t *hit;                   /* and whether it is unsafe by plain arithmetic */
} split_batch;

enum { SPLIT_CLOSED = -1, SPLIT_STUCK = -2 };

/* ---- what bounds say of a box ---- */

/*
 * Closes groups, shrinks box i to the hull of what open groups' bounds leave of it, chooses the input to be split and a point to be looked at. scratch: 5
 * inputs numbers. root_low and root_high: widths that score when bounds have no preference.
 */
void split_box_conclude(const search_query *query, split_batch *batch, int64_t i, double *scratch);

/* ---- chains of dense maps and relus ---- */

typedef struct split_chain split_chain;

/* dense [layers]: the nodes. The query must stay. NIGH_UNSUPPORTED without a message: too large for the account of rounding made here. */
nigh_status split_chain_new(nigh_context *ctx, const search_query *query, int layers, const int *dense, const bounds_options *options, split_chain **out);
void split_chain_free(split_chain *chain); /* NULL is fine */
int64_t split_chain_neurons(const split_chain *chain);
size_t split_chain_workspace(const split_chain *chain);

/* Bounds box i of the batch: reads low, high, open; reads and adds to phase; writes the bounds of rows of open groups. Re-entrant. */
void split_chain_bound(const split_chain *chain, split_batch *batch, int64_t i, void *workspace);

/* v_r at a point [inputs], plainly: [rows]. */
void split_chain_values(const split_chain *chain, const double *x, double *value, void *workspace);

/* After split_chain_bound of the whole box with nothing known of its phases before (phase and workspace as it left them): smaller magnitudes, so that rounding takes less from bounds. */
void split_chain_root(split_chain *chain, const int8_t *phase, const void *workspace);
#endif
