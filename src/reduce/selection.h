/* Inside of a selection (nigh/submodular.h): copies, their levels, and what its files share. */
#ifndef NIGH_REDUCE_SELECTION_H
#define NIGH_REDUCE_SELECTION_H
#include "core/heap.h"
#include "nigh/random.h"
#include "nigh/submodular.h"

/* Candidates R of one level (those that arrived since it was built, too), its bucket B and how many were sampled from it. */
typedef struct selection_level {
    int64_t first;                       /* length of the chain before its sample */
    int64_t sampled, built;              /* |S|, and |R| when it was built */
    int64_t count, room, *item;          /* R; deleted ones stay until it is built anew */
    double *gain;                        /* [count] over the first `first` of the chain; NAN: not known */
    int64_t bucket, bucket_count, gone;  /* B: where in the copy's stack, how many, how many of them deleted */
} selection_level;

/* One place of the stack of buckets. Those of one item are linked, the highest level first. */
typedef struct bucket_place {
    int64_t item;
    int32_t below, level; /* -1: none below; level from 0 */
} bucket_place;

typedef struct selection_copy {
    int64_t power; /* guess (1 + epsilon)^power */
    double guess, threshold;
    bool working, fresh, stale; /* stale: to be built from nothing when it is woken */
    nigh_chain *chain;
    double *gain;      /* [k] of what is in the chain */
    double live_value; /* sum of those gains whose items are there: f of them is no less */
    int64_t levels, level_room;
    selection_level *level;
    int32_t *depth; /* [n] how many levels, from the first on, have the item in R */
    int32_t *head;  /* [n] its highest place in the stack; -1: none */
    int64_t places, place_room;
    bucket_place *place;
    int64_t late, late_room, *late_item; /* inserted while asleep */
} selection_copy;

struct nigh_selection {
    nigh_context *ctx;
    nigh_submodular *f;
    nigh_selection_options o;
    int64_t n;
    nigh_rng rng;
    bool broken;
    bool in_order; /* samples are the first of their bucket, not random ones: only to show what that does */
    double threshold_times;
    int64_t buckets; /* most buckets of gains in a level */
    nigh_chain *empty, *spare;
    int64_t *place;  /* [n] in live; -1: not there */
    double *single;  /* [n] f of the item alone, when it is there */
    int64_t size, live_room, *live;
    heap largest;    /* single values; entries of items that have gone are dropped when they come up */
    int64_t copies, copy_room;
    selection_copy **copy; /* of increasing power */
    int64_t scratch_room, *scratch, *index; /* [scratch_room] */
    double *scratch_gain;
    int64_t updates, calls, rebuilt;
};

/* One copy: selection_copy.c. Any failure leaves the selection broken. */
nigh_status selection_copy_new(nigh_selection *s, int64_t power, selection_copy **copy);
void selection_copy_free(nigh_selection *s, selection_copy *copy);
nigh_status selection_copy_insert(nigh_selection *s, selection_copy *copy, int64_t item);
nigh_status selection_copy_delete(nigh_selection *s, selection_copy *copy, int64_t item);
nigh_status selection_copy_wake(nigh_selection *s, selection_copy *copy);
void selection_copy_revalue(const nigh_selection *s, selection_copy *copy); /* live_value */

/* Room for at least count in the scratch arrays. */
nigh_status selection_scratch(nigh_selection *s, int64_t count);

/* The largest single value among the items there; 0 when there is none. */
double selection_largest(nigh_selection *s, int64_t *item);

/* An empty selection; options are complete. */
nigh_status selection_open(nigh_context *ctx, nigh_submodular *f, const nigh_selection_options *options, nigh_selection **out);
nigh_status selection_add_copy(nigh_selection *s, int64_t power, selection_copy **copy); /* at its place; asleep and stale */
nigh_status selection_reserve_live(nigh_selection *s, int64_t count);
nigh_status selection_check_options(nigh_context *ctx, nigh_selection_options *o);
#endif
