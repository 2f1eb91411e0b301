/*
 * nigh/loss_path.h: the choice of a penalty by cross-validation on all rows, with work shared by folds and neighbouring penalties.
 */
#ifndef NIGH_LOSS_PATH_H
#define NIGH_LOSS_PATH_H
#include "nigh/coreset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zeros mean the defaults in brackets. */
typedef struct nigh_loss_path_options {
    int folds;           /* 2 to 1000 [5] */
    const int32_t *fold; /* [n] in 0 .. folds - 1; NULL: at random, classes alike, sizes as equal as can be */
    uint64_t seed;       /* of folds at random */
    double tolerance;    /* of every model: Newton's estimate of its training cost above the least, over that cost [1e-4] */
    int64_t iterations;  /* Newton steps of a model, at most [300] */
} nigh_loss_path_options;

typedef struct nigh_loss_path_fit {
    int64_t looks;    /* passes over all rows that computed gradients, of which ... */
    int64_t hessians; /* ... so many computed Hessians, too */
    int64_t refined;  /* models that needed steps of their own */
    bool met;         /* every model reached the tolerance */
} nigh_loss_path_fit;

/*
 * Models for every lambda[l] >= 0 (in place of the loss's own) without the rows of each fold, and their test losses: test[lambdas, folds], the
 * weighted mean of f over the rows of the fold. model[lambdas, folds, d+1] and whole[lambdas, d+1] (fitted to all rows): either NULL, not wanted. Linear losses but
 * RESIDUAL; d <= 300.
 *
 * Penalties are taken from the largest down. A model of all rows follows them by Newton steps from its neighbour, with the penalty enlarged as its rows are; gradients and Hessians
 * are kept by fold, so that one more Newton step from it, with the fold's part taken off both, gives the fold's model without a further pass: the
 * models differ by little when rows are many, and by Newton's estimate it is seen whether they do; otherwise the fold iterates on. Hessians
 * are computed anew only after the margins have moved. Losses with corners (hinge, lp with p < 2) share nothing but their starts: one fit a model.
 * A copy of the rows, n (d + 2) numbers; at best one gradient pass a penalty for all folds together.
 *
 * NIGH_INVALID: bad rows (nigh_rows_check), a lambda below 0 or not above 0 where the loss has classes, a fold without rows of positive weight,
 * rows without which a class is missing.
 */
NIGH_API nigh_status nigh_loss_path(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int64_t lambdas, const double *lambda,
                                    const nigh_loss_path_options *options, double *test, double *model, double *whole, nigh_loss_path_fit *fit);

/*
 * test[count, folds]: weighted mean of f over the rows of each fold under the model of that fold, for models from wherever they come, such as
 * those of a weighted subset: model[count, folds, d+1]. One pass over the rows in memory for all models.
 */
NIGH_API nigh_status nigh_loss_path_test(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int folds, const int32_t *fold, int64_t count,
                                         const double *model, double *test);

/* fold[n] as nigh_loss_path chooses it. */
NIGH_API nigh_status nigh_loss_folds(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int folds, uint64_t seed, int32_t *fold);

#ifdef __cplusplus
}
#endif
#endif
