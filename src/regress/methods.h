/* The methods for maps (problems of kind "map"), one per file. */
#ifndef NIGH_REGRESS_METHODS_H
#define NIGH_REGRESS_METHODS_H
#include "nigh/plan.h"

extern const nigh_method nigh_method_mean, nigh_method_nearest, nigh_method_polynomial_ridge, nigh_method_pod_ridge,
    nigh_method_pod_kernel, nigh_method_rbf, nigh_method_bandlimited_random_features, nigh_method_coarse_run,
    nigh_method_weighted_least_squares_dpp;

extern const nigh_method *const nigh_regress_methods[]; /* ended by NULL */
#endif
