/*
 * Inside of search_input: batches of boxes, linear bounds of the query's rows on each of them, and what follows from those bounds for a box.
 *
 * Rows are turned: v_r(x) = level[r] - row[r] . y(x); a point is unsafe when v_r <= 0 for all rows of a group. For a box, coefficient . x + constant <= v_r(x)
 * is proved.
 */
#ifndef NIGH_VERIFY_SPLIT_INPUT_H
#define NIGH_VERIFY_SPLIT_INPUT_H
#include "verify/search.h"

typedef struct split_chain split_chain;

enum { SPLIT_RELUS = 16 }; /* relus split in one box at most */

/* Boxes and what is known of them. All arrays have room for `room` boxes. */
typedef struct split_batch {
    int64_t room, count;
    double *low, *high;             /* [inputs] each */
    int8_t *phase;                  /* [neurons] each: +1 / -1: the relu's argument is >= 0 / <= 0 on the box, 0: not known; +2 / -2: only the part is meant where it is; chains only */
    uint8_t *open;                  /* [groups] each: 0: no unsafe point of the group in the box */
    int32_t *depth;
    /* Bounds: */
    double *coefficient, *constant; /* [rows + SPLIT_RELUS, inputs], [rows + SPLIT_RELUS]; behind the rows: what is <= 0 on the part that is meant */
    int32_t *splits;                /* how many those are */
    double *score;                  /* [inputs]: how much splitting an input may gain */
    int32_t *unstable;              /* relus that are not known; 0: the network is affine on what is meant, and bounds are as tight as they get */
    int32_t *relu;                  /* which of them loosens the bounds most; -1: none */
    /* What follows: */
    int32_t *cut;                   /* the input to be split; SPLIT_CLOSED, SPLIT_STUCK, SPLIT_RELU: relu[] */
    double *value;                  /* at most: the least over the box of what search_result calls bound */
    double *point;                  /* [inputs] where the bounds leave most to be found, */
    uint8_t *hit;                   /* and whether it is unsafe by plain arithmetic */
} split_batch;

enum { SPLIT_CLOSED = -1, SPLIT_STUCK = -2, SPLIT_RELU = -3 };

/* ---- boxes that wait ---- */

typedef struct split_stack {
    nigh_context *ctx;
    int64_t inputs, neurons, groups, count, room;
    double *low, *high, *value; /* value: of the box that it is a part of */
    int8_t *phase;
    uint8_t *open;
    int32_t *depth;
} split_stack;

/* Arrays of a batch of `room` boxes and one more as scratch. NIGH_MEMORY; what was taken is freed by _batch_free. */
nigh_status split_batch_new(nigh_context *ctx, const search_query *query, int64_t neurons, int64_t room, split_batch *batch);
void split_batch_free(nigh_context *ctx, split_batch *batch); /* {0} is fine */

int64_t split_stack_bytes(const split_stack *stack);          /* of one box */
void split_stack_free(split_stack *stack);                    /* {0} is fine */
nigh_status split_stack_push(split_stack *stack, const split_batch *batch, int64_t i); /* box i as it is, with its depth and value */
void split_stack_pop(split_stack *stack, split_batch *batch, int64_t i);               /* the top, into box i */
void split_stack_lift(split_stack *stack, int64_t at, split_batch *batch);             /* box `at` and the top change places */

/* ---- what bounds say of a box ---- */

/*
 * Closes groups, shrinks box i to the hull of what open groups' bounds leave of it, chooses what is to be split and a point to be looked at. `few`: relus are split
 * when no more are unstable. Re-entrant.
 */
void split_box_conclude(const search_query *query, split_batch *batch, int64_t i, int few, void *scratch);
size_t split_box_scratch(const search_query *query);

/*
 * min over the box of max_r (a[r] . x + constant[r]), r < m, m > 0, as plain arithmetic finds it; x [n]: where; lambda [m] >= 0: multipliers whose combination of the functions
 * is about as large everywhere on the box. scratch: bytes of split_linear_scratch.
 */
double split_linear(int64_t n, int64_t m, const double *const *a, const double *constant, const double *low, const double *high, double *x, double *lambda, void *scratch);
size_t split_linear_scratch(int64_t n, int64_t m);

/* ---- points ---- */

/*
 * Goes from x [inputs] downhill: the largest v_r of the group that holds best, by linear programs on the affine functions around the point within a shrinking part of
 * the query's box. True: a group holds at x by plain arithmetic.
 */
bool split_point_seek(const split_chain *chain, const search_query *query, double *x, void *scratch, void *workspace);
size_t split_point_scratch(const search_query *query);

/* ---- chains of dense maps and relus ---- */

/* dense [layers]: the nodes. The query must stay. NIGH_UNSUPPORTED without a message: too large for the account of rounding made here. */
nigh_status split_chain_new(nigh_context *ctx, const search_query *query, int layers, const int *dense, const bounds_options *options, split_chain **out);
void split_chain_free(split_chain *chain); /* NULL is fine */
int64_t split_chain_neurons(const split_chain *chain);
size_t split_chain_workspace(const split_chain *chain);
double split_chain_cost(const split_chain *chain); /* multiply-adds of a box at most */

/* Bounds box i of the batch: reads low, high, open; reads and adds to phase; writes the bounds of rows of open groups. Re-entrant. */
void split_chain_bound(const split_chain *chain, split_batch *batch, int64_t i, void *workspace);

/* v_r at a point [inputs], plainly: [rows]. */
void split_chain_values(const split_chain *chain, const double *x, double *value, void *workspace);

/* The same, and the affine functions that rows first .. first + count - 1 are around x, about: coefficient [rows, inputs], constant [rows]. */
void split_chain_local(const split_chain *chain, const double *x, int64_t first, int64_t count, double *value, double *coefficient, double *constant, void *workspace);

/* After split_chain_bound of the whole box with nothing known of its phases before (phase and workspace as it left them): smaller magnitudes, so that rounding takes less from bounds. */
void split_chain_root(split_chain *chain, const int8_t *phase, const void *workspace);

/* ---- all other graphs: batches through bounds.h ---- */

typedef struct split_general split_general;
nigh_status split_general_new(nigh_context *ctx, const search_query *query, const bounds_options *options, int64_t room, split_general **out);
void split_general_free(split_general *general); /* NULL is fine */
nigh_status split_general_bound(split_general *general, split_batch *batch); /* of all boxes, rows of closed groups too */
bool split_general_unsafe(split_general *general, const double *x);         /* by plain arithmetic; false where there is no memory */
bool split_values_unsafe(const search_query *query, const double *value);   /* v_r <= 0 for all rows of a group */
#endif
