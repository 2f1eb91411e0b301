/*
 * nigh/autocoreset.h: few weighted rows on which training gives almost the cost of training on all, for any loss of nigh/coreset.h, the
 * user's own included. "AutoCoreset: An Automatic Practical Coreset Construction Framework".
 *
 * A matrix has a row for each row of the data and a column for each model seen so far: weight times loss of the row under the model, its share
 * of the penalty included, in units of the column's sum. Few rows of the matrix whose weighted sum is near that of all rows are a subset on
 * which these models cost what they cost on all rows; a model is trained on it, its losses on ALL rows become one more column, and so on. The best
 * model and its subset are kept. Models trained on uniform draws are the first columns.
 *
 * Because the best of several models is chosen by its cost on all rows, a fair rival is not one uniform draw but the best of as many
 * (nigh_autocoreset_uniform). It is a choice by the data that is trained on: errors of fresh rows are for the caller to look at.
 */
#ifndef NIGH_AUTOCORESET_H
#define NIGH_AUTOCORESET_H
#include "nigh/coreset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How rows of the matrix are chosen. */
typedef enum nigh_autocoreset_kind {
    NIGH_AUTOCORESET_CALIBRATED,         /* not in the paper: chance by how the losses of a row differ between the models (and a little by their size), then
                                            weights moved a little until the columns' sums are exact ("Calibration estimators in survey sampling")  */
    NIGH_AUTOCORESET_IMPORTANCE,         /* chance in proportion to the length of the matrix row; rows that are sure to come have factor 1     */
    NIGH_AUTOCORESET_INDEPENDENT,        /* the same with independent draws, as in the paper                                                      */
    NIGH_AUTOCORESET_BEST_OF,            /* of `draws` uniform ones that with the sum nearest to that of all rows                                 */
    NIGH_AUTOCORESET_CARATHEODORY,       /* exact sums by at most m rows, fast form; n x columns numbers of memory                                */
    NIGH_AUTOCORESET_CARATHEODORY_PLAIN, /* the same, one row after the other: slow, for few rows                                                 */
    NIGH_AUTOCORESET_UNIFORM             /* without looking at the matrix                                                                         */
} nigh_autocoreset_kind;

/* Zeros mean the defaults in brackets. */
typedef struct nigh_autocoreset_options {
    int64_t m;            /* most rows of the subset; at least 2 with classes, d + 1 for losses of residuals, the centres of KMEANS and MIXTURE */
    nigh_autocoreset_kind kind;
    int starts;           /* uniform draws that begin the matrix [3], 1 .. 1000                                                            */
    int patience;         /* rounds in a row without a lower cost that end it [5]                                                          */
    int rounds;           /* most rounds after the starts [50]; -1: none                                                                   */
    int draws;            /* BEST_OF: uniform draws looked at in a round [100]                                                             */
    double share;         /* of m for class 1, in (0, 1) [uniform draws: nigh_class_budget's; others: its share of the scores, 1/6 at least of m to each class] */
    double tolerance;     /* of each training [1e-8] */
    uint64_t seed;        /* same seed, same bits, for the same number of threads */
} nigh_autocoreset_options;

/* One training. */
typedef struct nigh_autocoreset_round {
    double cost;         /* F of the model on all rows                                                                      */
    double subset_cost;  /* F of the same model on its subset: what one would believe who did not look at all rows           */
    double best;         /* lowest cost so far: never rises                                                                  */
    int64_t columns;     /* of the matrix that the subset was chosen with; 0: a start                                        */
    int64_t rows, sure;  /* of the subset; those that chance had no part in                                                  */
    int64_t budget[2];   /* rows asked for in each class; without classes all in [0]                                         */
    int64_t train_passes; /* of the training over the subset's rows                                                          */
} nigh_autocoreset_round;

/* Zero-initialised it is empty. End it with nigh_autocoreset_free. */
typedef struct nigh_autocoreset {
    nigh_subset subset;   /* of the best training, with weights: increasing row numbers, each once */
    int64_t parameters;
    double *model;        /* [parameters], trained on the subset                                   */
    double cost;          /* F of the model on all rows                                            */
    double subset_cost;   /* F of the model on the subset                                          */
    int64_t best;         /* its place in the history                                              */
    int64_t trainings;    /* starts and rounds                                                     */
    int64_t passes;       /* evaluations of the loss on all rows                                   */
    double heaviest;      /* largest share of the cost that one row has under the best model, and the row: above 1 / m it */
    int64_t heaviest_row; /* cannot be left to chance                                              */
    nigh_autocoreset_round *history; /* [trainings] */
} nigh_autocoreset;

NIGH_API void nigh_autocoreset_free(nigh_context *ctx, nigh_autocoreset *result); /* what it holds; it is empty afterwards; NULL is fine */

/*
 * Rows: as nigh_rows_check wants them (it is called); those of weight 0 count nowhere. m >= n: one training, on all rows. Trainings of convex losses begin with the best model so
 * far. Negative losses are allowed (MIXTURE has them); lengths of rows go by modulus.
 * NIGH_INVALID: options out of range, m too small. NIGH_FAILED: a loss that is not finite (row and training are named), or the user's callback
 * failed; failures of a training say which one. NIGH_INTERRUPTED between trainings; progress is told after each.
 * Cost: trainings x (one on m rows + one evaluation of the loss on all rows + a few passes over n numbers). Memory: 4 n numbers, 5 n with
 * classes; CARATHEODORY one more n for each column, and it ends when there are as many columns as rows of the smallest class budget.
 */
NIGH_API nigh_status nigh_autocoreset_run(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_autocoreset_options *options,
                                          nigh_autocoreset *result);

/* The fair rival: the best by cost on all rows of `trainings` uniform draws of options->m rows, classes shared by options->share as above. Other
 * options but tolerance and seed are not read. */
NIGH_API nigh_status nigh_autocoreset_uniform(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_autocoreset_options *options, int trainings,
                                              nigh_autocoreset *result);

/* "calibrated", "importance", "independent", "best-of", "caratheodory", "caratheodory-plain", "uniform"; NULL for none of them. */
NIGH_API const char *nigh_autocoreset_kind_name(nigh_autocoreset_kind kind);

#ifdef __cplusplus
}
#endif
#endif
