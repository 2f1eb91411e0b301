/* The methods for maps, a line each. */
#include "regress/methods.h"

#include <stddef.h>

const nigh_method *const nigh_regress_methods[] = {
    &nigh_method_mean,
    &nigh_method_nearest,
    &nigh_method_polynomial_ridge,
    &nigh_method_pod_ridge,
    &nigh_method_pod_kernel,
    &nigh_method_rbf,
    &nigh_method_bandlimited_random_features,
    &nigh_method_coarse_run,
    &nigh_method_weighted_least_squares_dpp,
    NULL,
};
