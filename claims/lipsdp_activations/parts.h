/* Networks of the claim on Lipschitz constants: trained, and in hand; exact constants by enumeration; quadratic constraints at random pairs. */
#ifndef NIGH_CLAIMS_LIPSDP_PARTS_H
#define NIGH_CLAIMS_LIPSDP_PARTS_H
#include "../common.h"
#include "nigh/lipsdp.h"

enum { NET_LAYERS = 10 };

/* A network as layers, weights [units, inputs] in f64, exactly those that were trained in f32. */
typedef struct claim_net {
    nigh_context *ctx;
    int layers;
    nigh_lipschitz_layer layer[NET_LAYERS];
    double *memory;
    double accuracy; /* on samples that were not fitted; NAN for regressions */
} claim_net;

typedef struct claim_net_spec {
    int sizes;
    int64_t size[NET_LAYERS + 1]; /* inputs, hidden .., outputs */
    bool max_min;                 /* else relu */
    int64_t samples, epochs;
    bool mnist;                   /* the data set, when it is there; else (and for other sizes) drawn digits */
    bool scalar;                  /* one output: is the digit 5 or above, +-1, by least squares */
    uint64_t seed;
} claim_net_spec;

nigh_status net_train(nigh_context *ctx, const claim_net_spec *spec, claim_net *net);
/* Weights sin(1 + 12.9898 k + 78.233 layer) 1.5 / sqrt(inputs), k the place in the layer: made again by any program. */
nigh_status net_plain(nigh_context *ctx, int sizes, const int64_t *size, nigh_lipschitz_kind kind, claim_net *net);
void weights_free(claim_net *net);

/* max over all ways of swapping the pairs of one hidden MaxMin layer of the 2-norm of the product: 2^pairs norms. */
nigh_status net_enumerate(const claim_net *net, double *largest);

/*
 * MaxMin as a network of relus, two a pair: max = b + relu(a - b), min = a + b - max written as a - relu(a - b) with a relu of its own, min = b - relu(b - a). A layer of
 * twice the units in the place of each pair.
 */
nigh_status net_two_relus(const claim_net *net, claim_net *out);

/* Least value of the paper's quadratic constraint over `pairs` random pairs and multipliers, relative to the sum of its terms' sizes; `wrong`: one unit is |x|. */
double constraint_least(nigh_lipschitz_kind kind, int64_t pairs, bool wrong, uint64_t seed);
#endif
