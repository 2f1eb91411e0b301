/* The methods of the function family, one line each. */
#include "nigh/plan.h"

extern const nigh_method nigh_method_taylor, nigh_method_chebyshev, nigh_method_minimax, nigh_method_minimax_rational,
    nigh_method_table_linear, nigh_method_table_cubic, nigh_method_vector_kernel, nigh_method_autonumerics_zero;
extern const nigh_method *const nigh_function_methods[];

const nigh_method *const nigh_function_methods[] = {
    &nigh_method_taylor,
    &nigh_method_chebyshev,
    &nigh_method_minimax,
    &nigh_method_minimax_rational,
    &nigh_method_table_linear,
    &nigh_method_table_cubic,
    &nigh_method_vector_kernel,
    &nigh_method_autonumerics_zero,
    NULL,
};
