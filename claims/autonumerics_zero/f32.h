/* Bar 4 of AutoNumerics-Zero: a float kernel as compiled code. */
#ifndef CLAIMS_AUTONUMERICS_ZERO_F32_H
#define CLAIMS_AUTONUMERICS_ZERO_F32_H
#include "../common.h"

/* Hands in the errors; when not quick, the throughput as well. */
nigh_status claim_autonumerics_f32(claim_run *run);
#endif
