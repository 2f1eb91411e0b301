/* The inside of nigh/local_lipschitz.h: on graphs, and its two parts beside bounds: sampling and splitting. */
#ifndef NIGH_VERIFY_LOCAL_LIPSCHITZ_H
#define NIGH_VERIFY_LOCAL_LIPSCHITZ_H
#include "nigh/local_lipschitz.h"
#include "nigh/random.h"
#include "verify/bounds.h"
#include "verify/jacobian.h"

/* As nigh_local_lipschitz. */
nigh_status lipschitz_graph(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, int64_t rows, const double *row,
                            const nigh_local_lipschitz_options *options, nigh_local_lipschitz_result *result);

nigh_status lipschitz_monotone(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, const double *row, int64_t input, int64_t most_pieces,
                               const nigh_local_lipschitz_options *options, nigh_monotone_result *result);

/* The graph of a network for one sample, dimensions that may be any taken as 1. */
nigh_status lipschitz_lower(nigh_context *ctx, nigh_network *net, bound_graph **graph);

/* ---- true gradients ------------------------------------------------------------------------------------ */

typedef struct sampler sampler;
nigh_status sampler_new(nigh_context *ctx, const bound_graph *graph, int threads, sampler **out);
void sampler_free(sampler *s); /* NULL is fine */

/* norm [n] of the gradient of target . f at points x [n, inputs], in f64; gradient [n, inputs] (NULL: not wanted). Right derivatives at kinks, or left ones. */
void sampler_norms(sampler *s, jacobian_norm norm, bool left, const double *target, int64_t n, const double *x, double *out, double *gradient);

/* The largest norm among `samples` points (inside and at corners of the box) and `ascents` climbs that use no derivative; at [inputs]. */
nigh_status sampler_best(sampler *s, jacobian_norm norm, const double *low, const double *high, const double *target, int64_t samples, int64_t ascents, uint64_t seed, double *best,
                         double *at);

/*
 * The largest norm found for derivatives d chosen freely within the intervals of domain i: `starts` random choices, then activation by activation the choice that is best for the
 * others held (the norm is convex and J linear in each activation's d, so that it never falls).
 */
nigh_status sampler_pattern(sampler *s, jacobian_norm norm, const jacobian_batch *batch, int64_t i, int starts, int sweeps, uint64_t seed, double *best);

/* ---- splitting ----------------------------------------------------------------------------------------- */

typedef struct lipschitz_split {
    jacobian *j;
    jacobian_norm norm;
    double seconds, gap;
    int64_t most_domains;
    int64_t rows;
    const double *pattern;         /* [rows] */
    bounds *forward;               /* NULL: without rerun */
    const bounds_batch *arguments; /* with rerun: one domain */
    double *bound;                 /* [rows] */
    int64_t *domains;              /* [rows] */
    bool converged;
    const char *why;
} lipschitz_split;

/* root: one bounded domain for each row. Fills bound, domains, converged, why. */
nigh_status lipschitz_split_run(nigh_context *ctx, const jacobian_batch *root, lipschitz_split *split);
#endif
