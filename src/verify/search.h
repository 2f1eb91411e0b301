/*
 * Complete search: is there a point of a box at which one of some groups of linear conditions on the outputs holds? Two ways to split what bounds leave open:
 * the input box (split_input.c; few inputs) and the phases of relus (split_relu.c; many). Both work through batches of domains on all threads.
 */
#ifndef NIGH_VERIFY_SEARCH_H
#define NIGH_VERIFY_SEARCH_H
#include "verify/bounds.h"

/*
 * Unsafe: x in the box and, for some group g, row r . y >= level[r] for all r in [group[g], group[g + 1]). Levels are rounded down and boxes outward, so that what is
 * unsafe in the file is unsafe here.
 */
typedef struct search_query {
    const bound_graph *graph;
    const double *low, *high;   /* [graph->inputs] */
    int64_t rows;
    const double *row;          /* [rows, size of the output node] */
    const double *level;        /* [rows] */
    int groups;
    const int *group;           /* [groups + 1] */
} search_query;

typedef enum search_answer {
    SEARCH_SAFE,      /* proved: no such point */
    SEARCH_UNSAFE,    /* `try` took a point */
    SEARCH_UNDECIDED  /* time, room, or nothing left to split */
} search_answer;

/* Looks at a point of the box [inputs] in f64 that may be unsafe; true when it is one (proved by the callee): the search ends. Called by one thread at a time. */
typedef bool search_try_fn(void *user, const double *x);

typedef struct search_options {
    bounds_options bounds;
    double seconds;             /* wall clock; 0: no limit */
    int64_t most_domains;       /* waiting at once; 0: what fits into a quarter of the memory */
    uint64_t seed;
    search_try_fn *try;         /* NULL: only proofs */
    void *user;
} search_options;

typedef struct search_result {
    search_answer answer;
    int64_t domains, visited;   /* left; bounded in all */
    int depth;
    double bound;               /* the least over what is left of max over groups' rows of (level - upper bound of row . y): > 0 is proved */
    double seconds;
    const char *why;            /* UNDECIDED: "time", "memory", "stuck" */
} search_result;

/* NIGH_INTERRUPTED when the context is cancelled. Both tell the context's progress. The same verdict for the same query whatever the threads, unless time ends it. */
nigh_status search_input(nigh_context *ctx, const search_query *query, const search_options *options, search_result *result);
nigh_status search_relu(nigh_context *ctx, const search_query *query, const search_options *options, search_result *result);
#endif
