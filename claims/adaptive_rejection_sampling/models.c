#include "parts.h"
nigh_status models_bars(claim_run *run) { (void)run; return NIGH_OK; }
