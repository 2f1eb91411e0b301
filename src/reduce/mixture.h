/* Mixtures of Gaussians with full covariances by expectation-maximisation. */
#ifndef NIGH_REDUCE_MIXTURE_H
#define NIGH_REDUCE_MIXTURE_H
#include "nigh/coreset.h"

/* value[n]: - log density of each row under model: log weights [k], means [k,d], lower Cholesky factors of the covariances [k,d,d]. */
nigh_status mixture_values(nigh_context *ctx, int64_t k, const nigh_rows *rows, const double *model, double *value);

typedef struct mixture_spec {
    int64_t k, iterations;
    int restarts;
    double tolerance; /* on the decrease of the cost in nats a unit of weight */
    uint64_t seed;
} mixture_spec;

/*
 * Expectation-maximisation from k-means, of which the best start is kept; `start` (NULL: none) a model instead. Eigenvalues of covariances are
 * kept at 10^-6 of the mean variance of all columns or above, which is the likelihood's maximum under that condition: it never falls. NIGH_INVALID:
 * fewer rows of positive weight than centres. About 2 n k d^2 flops an iteration. Dempster, Laird and Rubin, "Maximum likelihood from
 * incomplete data via the EM algorithm".
 */
nigh_status mixture_train(nigh_context *ctx, const mixture_spec *spec, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *fit);
#endif
