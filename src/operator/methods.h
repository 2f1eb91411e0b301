/* The methods for fields. */
#ifndef NIGH_OPERATOR_METHODS_H
#define NIGH_OPERATOR_METHODS_H
#include "nigh/plan.h"

extern const nigh_method nigh_method_fno, nigh_method_latent_spectral_models, nigh_method_unet;
#endif
