/* What the parts of this claim share: Thresholdout and the fakes that stand in for it. */
#ifndef CLAIMS_ADAPTIVE_DATA_ANALYSIS_ARMS_H
#define CLAIMS_ADAPTIVE_DATA_ANALYSIS_ARMS_H
#include "../common.h"

#include "nigh/release.h"

/* What stands in for Thresholdout: itself, or one of its fakes. */
typedef enum stand_in { HONEST, HOLDOUT_ONLY, TRAIN_ONLY } stand_in;

static inline stand_in stand_in_of(const claim_run *run)
{
    return claim_sabotaged(run, "holdout-only") ? HOLDOUT_ONLY : claim_sabotaged(run, "train-only") ? TRAIN_ONLY : HONEST;
}

/* One query to Thresholdout or its fake. */
static inline nigh_status ask(nigh_holdout *h, stand_in fake, double train, double held, double *value)
{
    nigh_holdout_answer answer;
    nigh_status status = nigh_holdout_ask(h, NULL, train, held, &answer);
    *value = fake == TRAIN_ONLY ? train : fake == HOLDOUT_ONLY ? held : answer.value;
    return status;
}

nigh_status climb_bars(claim_run *run); /* climb.c */
#endif
