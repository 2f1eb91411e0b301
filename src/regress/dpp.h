/* Samplers of points and the functions there; see nigh/design.h. */
#ifndef NIGH_REGRESS_DPP_H
#define NIGH_REGRESS_DPP_H
#include "regress/basis.h"

/* Where points come from: one of the two. */
typedef struct dpp_source {
    const nigh_basis *basis;
    const nigh_candidates *candidates;
} dpp_source;

/* One point of the optimal density (or, `input`, of the measure) into place i of the design. */
void dpp_point(const dpp_source *from, nigh_rng *rng, bool input, nigh_design *design, int64_t i);

/* m points of the projection process into places i .. i + m - 1, in the order in which they were drawn. */
nigh_status dpp_batch(nigh_context *ctx, const dpp_source *from, nigh_rng *rng, nigh_design *design, int64_t i);
#endif
