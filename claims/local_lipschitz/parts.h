/* Parts of the claim of local Lipschitz constants: networks, bounds step by step (so that steps can be done wrong), training. */
#ifndef NIGH_CLAIMS_LOCAL_LIPSCHITZ_PARTS_H
#define NIGH_CLAIMS_LOCAL_LIPSCHITZ_PARTS_H
#include "../common.h"
#include "nigh/network.h"
#include "nigh/random.h"
#include "verify/local_lipschitz.h"

enum { LIP_INPUTS = 16, LIP_OUTPUTS = 10 };

/* Weights normal with variance 2 / fan-in, biases normal with deviation 0.1. */
nigh_status lip_chain(nigh_context *ctx, nigh_rng *rng, int layers, const int64_t *size, bound_graph **graph);

typedef struct lip_way {
    nigh_bound_kind forward;
    jacobian_lines_fn *lines; /* NULL: intervals */
    bool chain;
    bool zero_is_stable;      /* wrong: an argument that touches 0 counts as decided */
} lip_way;

typedef struct lip_bound {
    double bound, sum;        /* with all |J| chained where asked for; from intervals alone */
    int64_t unknown;
    double low[64], high[64]; /* of J */
} lip_bound;

nigh_status lip_bound_of(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, const double *row, const lip_way *way, lip_bound *out);

/* The largest norm over all ends of the unknown derivatives (crown), at most 2^most of them; *unknown says how many there are. */
nigh_status lip_enumerate(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, const double *row, int most, int *unknown, double *best);

/* A relu network of these sizes trained by Adam with batches of 64 on x f32 [n, size[0]], labels i32 [n]; accuracy on its own rows. */
nigh_status lip_train(nigh_context *ctx, int layers, const int64_t *size, nigh_array *x, nigh_array *label, int64_t epochs, uint64_t seed, nigh_network **net, double *accuracy);

/* 7000 points uniform in [0, 1]^16 with the label (of 10, random) of the nearest of 100 leaders. */
nigh_status lip_clusters(nigh_context *ctx, uint64_t seed, nigh_array *x, nigh_array *label);
#endif
