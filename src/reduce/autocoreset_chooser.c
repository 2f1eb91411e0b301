/* AutoCoreset as a way to choose rows for the planner of subsets. */
#include "reduce/autocoreset.h"
#include "reduce/choosers.h"

#include <string.h>

static nigh_status draw(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model, bool *modelled)
{
    nigh_autocoreset found = {0};
    nigh_status status = nigh_autocoreset_run(ctx, task->loss, task->rows, &(nigh_autocoreset_options){.m = m, .seed = nigh_rng_u64(rng)}, &found);
    if (status) return status;
    *subset = found.subset, *modelled = true;
    memcpy(model, found.model, (size_t)found.parameters * sizeof *model);
    found.subset = (nigh_subset){0};
    nigh_autocoreset_free(ctx, &found);
    return NIGH_OK;
}

const chooser chooser_autocoreset = {
    .name = "autocoreset",
    .summary = "losses of models trained on earlier subsets, summarised by importance and calibration",
    .source = "AutoCoreset: An Automatic Practical Coreset Construction Framework",
    .once = true,
    .draw = draw,
};
