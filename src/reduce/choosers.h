/* Ways to choose m rows of n: what the planner of subsets tries. One line each in choosers.c; "all rows" is no chooser. */
#ifndef NIGH_REDUCE_CHOOSERS_H
#define NIGH_REDUCE_CHOOSERS_H
#include "nigh/coreset.h"

/* What a chooser is asked about. */
typedef struct chooser_task {
    const nigh_rows *rows;
    const nigh_loss *loss;
    uint64_t seed;
} chooser_task;

typedef struct chooser {
    const char *name, *summary, *source;
    bool shortcut;   /* classical */
    bool model_only; /* draws a model, no subset */
    bool once;       /* makes many draws of its own: a quarter of the tries do */

    /* NIGH_UNSUPPORTED with the reason; NULL: always. */
    nigh_status (*supports)(nigh_context *ctx, const chooser_task *task);

    /* What does not depend on m: scores[n] to be sampled by (its own work is freed), or nothing. NULL: nothing is needed. */
    nigh_status (*scores)(nigh_context *ctx, const chooser_task *task, double *score);

    /* One subset of about m rows; with model_only model[parameters] is what counts of it. NULL: nigh_subset_scores. */
    nigh_status (*draw)(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model);
} chooser;

extern const chooser choosers[]; /* ends with a name of NULL */

#endif
