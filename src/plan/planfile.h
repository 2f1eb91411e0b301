/* Plan files from inside: what tests need beyond nigh/plan.h. */
#ifndef NIGH_PLAN_PLANFILE_H
#define NIGH_PLAN_PLANFILE_H
#include "nigh/io.h"
#include "nigh/plan.h"

/*
 * Puts the right SHA-256 into the metadata of a bundle, whatever else it holds: what saving does last, and how a fuzzer
 * gets beyond the first check of loading. NIGH_FORMAT: the metadata is no JSON object; the bundle stays as it was.
 */
nigh_status planfile_seal(nigh_context *ctx, nigh_bundle *bundle);
#endif
