/* AutoCoreset as a way to choose rows for the planner of subsets. */
#include "reduce/autocoreset.h"
#include "reduce/choosers.h"

nigh_status chooser_draw_autocoreset(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model, bool *modelled)
{
    nigh_autocoreset found = {0};
    nigh_status status = nigh_autocoreset_run(ctx, task->loss, task->rows, &(nigh_autocoreset_options){.m = m, .seed = nigh_rng_u64(rng)}, &found);
    if (status) return status;
    (void)model, (void)modelled; /* the model that counts is the one anybody gets who trains on these rows alone */
    *subset = found.subset;
    found.subset = (nigh_subset){0};
    nigh_autocoreset_free(ctx, &found);
    return NIGH_OK;
}
