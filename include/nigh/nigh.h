/* nigh/nigh.h: everything. Start with nigh/plan.h; nigh/core.h says how errors and memory work. */
#ifndef NIGH_NIGH_H
#define NIGH_NIGH_H
#include "nigh/core.h"
#include "nigh/plan.h"
#endif
