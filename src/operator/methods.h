/* The methods for fields. */
#ifndef NIGH_OPERATOR_METHODS_H
#define NIGH_OPERATOR_METHODS_H
#include "nigh/plan.h"

extern const nigh_method nigh_method_coarse_grid;
extern const nigh_method nigh_method_fno;
extern const nigh_method nigh_method_latent_spectral_models;
extern const nigh_method nigh_method_mgno;
extern const nigh_method nigh_method_nns_to_nos;
extern const nigh_method nigh_method_unet;
#endif
