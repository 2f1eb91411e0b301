/* Checks that stats_*.c and bounds*.c share. */
#ifndef NIGH_CORE_STATS_H
#define NIGH_CORE_STATS_H
#include "nigh/core.h"

/* n >= least and every x[i] in [low, high] (so no NaN), else NIGH_INVALID naming n or index and value. */
nigh_status nigh_check_sample(nigh_context *ctx, int64_t n, int64_t least, const double *x, double low, double high);
nigh_status nigh_check_confidence(nigh_context *ctx, double confidence);
#endif
