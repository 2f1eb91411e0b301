/* The methods for fields, a line each. */
#include "operator/methods.h"

#include <stddef.h>

extern const nigh_method *const nigh_operator_methods[];

const nigh_method *const nigh_operator_methods[] = {
    &nigh_method_coarse_grid,
    &nigh_method_fno,
    &nigh_method_latent_spectral_models,
    &nigh_method_mgno,
    &nigh_method_nns_to_nos,
    &nigh_method_unet,
    NULL,
};
