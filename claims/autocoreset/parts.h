/* The parts of the claim of AutoCoreset: rows (data.c), a loss of one's own (skewed.c), trials beside uniform draws (trials.c), the path of penalties (path.c). */
#ifndef NIGH_CLAIMS_AUTOCORESET_PARTS_H
#define NIGH_CLAIMS_AUTOCORESET_PARTS_H
#include "../common.h"

#include "nigh/autocoreset.h"

/* ---- data.c ---- */

/* Rows of the claim's own; one block. */
typedef struct table {
    nigh_rows rows;
    double *block;
    const char *name;
} table;
void table_free(nigh_context *ctx, table *t);

/* HTRU_2 with standardised columns; NIGH_INVALID when there is no NIGH_DATA. */
nigh_status table_pulsars(nigh_context *ctx, table *out);

/* d features of two Gaussians, 2% of the rows in class 1, whose mean is apart / sqrt(j + 1) in feature j; 1% of all rows five times as far out. */
nigh_status table_mixture(nigh_context *ctx, uint64_t seed, int64_t n, int64_t d, double apart, table *out);

/* k round clusters, each with `ratio` times the rows of the one before, no classes. */
nigh_status table_clusters(nigh_context *ctx, uint64_t seed, int64_t n, int64_t d, int64_t k, double ratio, table *out);

/* The same x with y in random order. */
nigh_status table_shuffled(nigh_context *ctx, uint64_t seed, const nigh_rows *rows, table *out);

/* ---- skewed.c ---- */

/* Huber's loss (delta 0.2) with slope 1 for positive residuals and 0.3 for negative ones, plus 5 |w|^2: a user's own loss. features: of the rows. */
typedef struct skewed {
    nigh_context *ctx;
    int64_t features;
} skewed;
nigh_loss_callbacks skewed_callbacks(skewed *s);

/* A loss from text, or "skewed". `s` must live as long. */
nigh_status claim_loss(nigh_context *ctx, const char *text, int64_t features, skewed *s, nigh_loss **loss);

/* ---- trials.c ---- */

/* What several trials with one loss on one table found, beside uniform draws with the same number of trainings. */
typedef struct contest {
    const table *data;
    const char *loss;
    int64_t m;
    double share; /* of class 1 in uniform draws, and of the paper's own sampling */
    int trials;
    /* found: mean relative excesses of the full cost */
    double calibrated, independent, single;
    double fair, fair_independent; /* of the best of as many uniform draws as each of the two had trainings */
    double trainings, trainings_independent;
    double honest;   /* largest relative difference of a reported cost and one computed afresh      */
    double rise;     /* largest rise of the best cost from one training to the next, relative to it */
} contest;
nigh_status contest_run(claim_run *run, const char *key, contest *c);

/* ---- path.c ---- */

/* Penalties x folds at n rows: times in seconds, excess test losses of the subset's models and of the best of as many uniform draws. */
typedef struct path_figures {
    double full, subset, build;         /* seconds: all fits on all rows; building and all fits on the subset; building alone */
    double mean, worst, chosen;         /* excess test loss: over all fits, the worst fit, at the penalty of the lowest mean test loss */
    double uniform_mean, uniform_worst, uniform_chosen;
    double passes; /* of all full fits over the rows */
} path_figures;
nigh_status path_race(claim_run *run, int64_t n, int64_t m, int lambdas, int folds, path_figures *out);

/* A support vector machine on n rows: the trainer makes more than a hundred passes. mean: excess cost of fresh rows. */
nigh_status margin_race(claim_run *run, int64_t n, int64_t m, path_figures *out);
#endif
