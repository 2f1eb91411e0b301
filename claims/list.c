/* All claims, one line each. */
#include "common.h"

extern const nigh_claim claim_adaptive_data_analysis;
extern const nigh_claim claim_adaptive_rejection_sampling;
extern const nigh_claim claim_autocoreset;
extern const nigh_claim claim_autonumerics_zero;
extern const nigh_claim claim_bandlimited_random_features;
extern const nigh_claim claim_certified_training_ibp;
extern const nigh_claim claim_dynamic_submodular;
extern const nigh_claim claim_latent_spectral_models;
extern const nigh_claim claim_linf_regression_sketch;
extern const nigh_claim claim_local_lipschitz;
extern const nigh_claim claim_lipsdp_activations;
extern const nigh_claim claim_lm_infinite;
extern const nigh_claim claim_log_bessel;
extern const nigh_claim claim_lookahead;
extern const nigh_claim claim_lp_sensitivity_sampling;
extern const nigh_claim claim_mgno;
extern const nigh_claim claim_nns_to_nos;
extern const nigh_claim claim_soccer_toto;
extern const nigh_claim claim_text_to_pattern_hamming;
extern const nigh_claim claim_ssumm;
extern const nigh_claim claim_weighted_least_squares_dpp;

const nigh_claim *const claims_all[] = {
    &claim_adaptive_data_analysis,
    &claim_adaptive_rejection_sampling,
    &claim_autocoreset,
    &claim_autonumerics_zero,
    &claim_bandlimited_random_features,
    &claim_certified_training_ibp,
    &claim_dynamic_submodular,
    &claim_latent_spectral_models,
    &claim_linf_regression_sketch,
    &claim_local_lipschitz,
    &claim_lipsdp_activations,
    &claim_lm_infinite,
    &claim_log_bessel,
    &claim_lookahead,
    &claim_lp_sensitivity_sampling,
    &claim_mgno,
    &claim_nns_to_nos,
    &claim_soccer_toto,
    &claim_text_to_pattern_hamming,
    &claim_ssumm,
    &claim_weighted_least_squares_dpp,
    NULL,
};
