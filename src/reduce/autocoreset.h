/* AutoCoreset for the inside of nigh, beside nigh/autocoreset.h. */
#ifndef NIGH_REDUCE_AUTOCORESET_H
#define NIGH_REDUCE_AUTOCORESET_H
#include "nigh/autocoreset.h"

/*
 * At most m of these weighted rows, with weights, for one loss: for whoever puts reductions behind one another (merge and reduce). Fewer rounds than
 * nigh_autocoreset_run makes; rng gives the seed and moves on by two words. m >= n: all rows. Errors as there.
 */
nigh_status autocoreset_reduce(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int64_t m, nigh_rng *rng, nigh_subset *out);
#endif
