/* All claims, one line each. */
#include "common.h"

extern const nigh_claim claim_adaptive_data_analysis;
extern const nigh_claim claim_autonumerics_zero;

const nigh_claim *const claims_all[] = {
    &claim_adaptive_data_analysis,
    &claim_autonumerics_zero,
    NULL,
};
