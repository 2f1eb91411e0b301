/* Receipts and outcomes with realistic figures, for the tests of receipt, plots and report. */
#ifndef NIGH_TEST_PLAN_SAMPLE_H
#define NIGH_TEST_PLAN_SAMPLE_H
#include "nigh/plan.h"

#include <math.h>

static double sample_ratios[15] = {371.0, 368.2, 374.9, 370.5, 366.1, 379.3, 371.7, 372.2, 365.0, 377.4, 370.0, 369.1, 373.3, 375.8, 371.2};

static nigh_receipt sample_receipt(void)
{
    return (nigh_receipt){
        .problem = "./projectile {in} {out}", .identity = "5f3c9a", .kind = "map", .method = "pod-kernel", .settings = "rank=4 kernel=gauss",
        .measure = "relative-l2", .unit = "1", .source = "Kernel ridge regression on principal components",
        .error = 0.01, .statistic = NIGH_MEAN, .confidence = 0.95, .met = true, .label = NIGH_MEASURED,
        .words = "pod-kernel is the cheapest of 41 candidates that met a mean error of 0.01; it ties with nothing.",
        .tests = 300, .tests_from = "drawn anew (walk 1)", .reads = 0, .level = 0.05, .clip = 0.05,
        .mean = {0.00712, 0, 0.00834, 0.95, 300, "betting martingale"},
        .outliers = {0, 0, 0.00993, 0.95, 300, "Clopper-Pearson"},
        .p95 = {0.0151, 0, 0.0177, 0.95, 300, "order statistics"},
        .worst = 0.0312, .worst_share = 0.00994,
        .fit_seconds = 3.4, .exact_calls = 800, .exact_seconds = 4.56e-3, .plan_seconds = 12.3e-6,
        .beside_exact = {4.56e-3, 12.3e-6, 371.2, 368.2, 374.9, 15, 2, 2, false, sample_ratios},
        .beside_shortcut = {19.9e-6, 12.3e-6, 1.62, 1.57, 1.68, 15, 0, 2, false, NULL},
        .shortcut = "coarse n=64", .is_shortcut = false, .plan_bytes = 51234, .exact_bytes = 0,
        .nigh = "0.1.0", .cpu = "Example CPU @ 2.0 GHz", .cpu_level = "avx512", .libraries = "OpenBLAS 0.3.21, Jansson 2.14", .host = "host",
        .threads = 2, .seed = 18446744073709551615u,
    };
}
#endif
