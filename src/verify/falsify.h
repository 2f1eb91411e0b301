/*
 * Counterexamples: points that violate a property for certain. A point counts when the property is violated at a real point of the real box in arithmetic rounded outward,
 * and in an evaluation of the network in f32 at the same point rounded to f32; under NIGH_SEMANTICS_F32 the latter alone, at a point of f32 numbers.
 */
#ifndef NIGH_VERIFY_FALSIFY_H
#define NIGH_VERIFY_FALSIFY_H
#include "nigh/verify.h"
#include "verify/search.h"

typedef struct falsify falsify;

/* Network, graph and property must stay. `query` is that of the case (attacks climb its rows). */
nigh_status falsify_new(nigh_context *ctx, nigh_network *net, const bound_graph *graph, const nigh_property *property, const nigh_property_case *item,
                        const search_query *query, nigh_semantics semantics, falsify **out);
void falsify_free(falsify *f); /* NULL is fine */

/* Is the point nearest to x [inputs] a counterexample? It is kept when it is. For search_options.try, with the falsify as `user`. */
bool falsify_try(void *falsify, const double *x);

/*
 * Looks for one by projected gradient ascent on the margins from the centre, corners and random points: `rounds` batches of DESCENT_LANES starts, until `seconds` (0: no limit).
 * True when one was found.
 */
bool falsify_attack(falsify *f, int rounds, double seconds, uint64_t seed);

/* The point and its outputs in f32; NULL when there is none. Text of coordinate i as it is to be printed is in property and item where `literal`[i]. */
const double *falsify_point(const falsify *f);
const double *falsify_outputs(const falsify *f);

int64_t falsify_tried(const falsify *f);     /* points evaluated, attacks included */
bool falsify_borderline(const falsify *f);   /* some point violated in one arithmetic, not in the other */
#endif
