/*
 * nigh/verify.h: what a network can do over a whole box: proofs, counterexamples, bounds.
 *
 * Meaning of a verdict: about the real function of the network's stored weights on the real box written in the property (NIGH_SEMANTICS_REAL), or about every evaluation in f32,
 * whatever its order of additions (NIGH_SEMANTICS_F32). "holds" is proved, rounding included; "violated" comes with a point that violates in arithmetic rounded outward and
 * in an evaluation in f32. With `fast`, rounding is neglected in proofs.
 */
#ifndef NIGH_VERIFY_H
#define NIGH_VERIFY_H
#include "nigh/network.h"
#include "nigh/property.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_semantics { NIGH_SEMANTICS_REAL, NIGH_SEMANTICS_F32 } nigh_semantics;

typedef enum nigh_verify_verdict {
    NIGH_VERIFY_HOLDS,     /* "unsat": no point of the unsafe set */
    NIGH_VERIFY_VIOLATED,  /* "sat": x is one */
    NIGH_VERIFY_TIMEOUT,   /* "timeout" */
    NIGH_VERIFY_UNKNOWN    /* "unknown": a point violates in one arithmetic but not in the other (borderline), or nothing was left to split */
} nigh_verify_verdict;

typedef enum nigh_splitting { NIGH_SPLIT_AUTO, NIGH_SPLIT_INPUT, NIGH_SPLIT_RELU } nigh_splitting;

typedef struct nigh_verify_options {
    double seconds;            /* 0: no limit */
    nigh_semantics semantics;
    bool fast;
    nigh_splitting splitting;
    uint64_t seed;             /* of attacks */
} nigh_verify_options;

typedef struct nigh_verify_result {
    nigh_verify_verdict verdict;
    double *x, *y;             /* the violating point and the network's outputs there in f32; NULL otherwise */
    int64_t inputs, outputs;
    int64_t attacks, domains;  /* points tried; domains bounded */
    const char *how;           /* "attack", "intervals", "linear bounds", "optimised slopes", "input splitting", "relu splitting" */
    const char *why;           /* TIMEOUT, UNKNOWN */
    double bound;              /* the least proved margin; > 0 when it holds */
    double seconds, cpu_seconds;
} nigh_verify_result;

/*
 * A last softmax or log-softmax is left out of proofs when all conditions compare two outputs of one row and semantics are real; `bound` is then that of what goes into it.
 * NIGH_UNSUPPORTED names a layer without bounds; NIGH_INVALID: the property's inputs or outputs are not the network's; NIGH_INTERRUPTED. Threads are the context's.
 */
NIGH_API nigh_status nigh_verify(nigh_context *ctx, nigh_network *net, const nigh_property *property, const nigh_verify_options *options, nigh_verify_result *result);
NIGH_API void nigh_verify_result_free(nigh_context *ctx, nigh_verify_result *result); /* {0} is fine */

/* ---- bounds of outputs ------------------------------------------------------------------------------------------------------------------------------ */

typedef enum nigh_bound_kind {
    NIGH_BOUND_INTERVAL,  /* one pass; twice the cost of an evaluation */
    NIGH_BOUND_CROWN,     /* linear bounds */
    NIGH_BOUND_OPTIMISED  /* linear bounds with optimised slopes */
} nigh_bound_kind;

/*
 * low, high [outputs] of the network's outputs (flattened, concatenated) over the box box_low, box_high [inputs] of one sample; shapes [nigh_network_inputs] as in bound graphs: -1 becomes 1.
 * Proved unless options->fast; options may be NULL. NIGH_UNSUPPORTED names a layer without bounds; NIGH_INVALID an empty or infinite box.
 */
NIGH_API nigh_status nigh_bound_outputs(nigh_context *ctx, nigh_network *net, nigh_bound_kind kind, const nigh_verify_options *options, const double *box_low,
                                        const double *box_high, double *low, double *high);

#ifdef __cplusplus
}
#endif
#endif
