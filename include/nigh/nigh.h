/* nigh/nigh.h: everything. Start with nigh/plan.h; nigh/core.h says how errors and memory work. */
#ifndef NIGH_NIGH_H
#define NIGH_NIGH_H
#include "nigh/bessel.h"
#include "nigh/core.h"
#include "nigh/dataset.h"
#include "nigh/design.h"
#include "nigh/expr.h"
#include "nigh/function.h"
#include "nigh/io.h"
#include "nigh/plan.h"
#include "nigh/process.h"
#include "nigh/program.h"
#include "nigh/progress.h"
#include "nigh/random.h"
#include "nigh/regress.h"
#include "nigh/release.h"
#include "nigh/roots.h"
#include "nigh/special.h"
#include "nigh/stats.h"
#include "nigh/synthetic.h"
#include "nigh/vector.h"
#endif
