/* The parts of the claim of MgNO: trainings on Darcy flow (train.c), the V-cycle itself (cycle.c), one linear layer (inverse.c). */
#ifndef NIGH_CLAIMS_MGNO_PARTS_H
#define NIGH_CLAIMS_MGNO_PARTS_H
#include "../common.h"

#include "nigh/fields.h"
#include "nigh/pde.h"

/* ---- train.c ---- */

/* Fields of Darcy flow: the first `fit` to fit, the other `tests` to test. */
typedef struct flow {
    nigh_problem *problem;
    int64_t n, fit, tests;
    double *x, *y, *mean; /* mean: of the outputs to fit */
} flow;
nigh_status flow_new(nigh_context *ctx, int64_t n, int64_t fit, int64_t tests, uint64_t seed, flow *out);
void flow_free(nigh_context *ctx, flow *f);

/* Mean relative distance of the mean of the fields to fit from those to test. */
double flow_mean_error(const flow *f);

typedef struct training {
    const flow *data;
    const char *method;
    char settings[160];
    int64_t epochs;
    uint64_t seed;
    /* found: */
    double error, fit_error, edge;     /* mean relative distances; mean of the largest error on the edge over the largest value */
    double weights, flops, seconds;    /* flops: of the whole training */
} training;

enum { TRAINING_FIGURES = 6 };

/* One after another on each thread. Those that the resume file knows are not made again; `key` names them all. */
nigh_status trainings_run(claim_run *run, const char *key, int count, training *all);

/* Operations of one training with these settings for an epoch, and the weights, without training. */
nigh_status training_price(nigh_context *ctx, training *t);

/* Seconds of one epoch: the fastest of some steps. */
nigh_status training_epoch_seconds(nigh_context *ctx, const training *t, double *seconds);

/* ---- cycle.c ---- */

/* Largest relative departure from linearity of V-cycles with random weights, f32, even and odd grids. `bent`: an activation inside. */
nigh_status cycle_linearity(nigh_context *ctx, uint64_t seed, bool bent, double *departure);

/* The textbook's V-cycle by weights set by hand on 63 x 63 nodes: the largest factor that a cycle leaves of the error, of `cycles` but the first. */
nigh_status cycle_factor(nigh_context *ctx, uint64_t seed, int cycles, bool bent, double *factor);

/* ---- inverse.c ---- */

/* Relative distance on fresh fields of the inverse of Poisson's equation learnt by one V-cycle, or by linear convolutions of stride 1 behind each other; its weights. */
typedef struct inverse {
    int64_t n, fit, tests, epochs;
    bool stack;
    uint64_t seed;
    double error, weights;
} inverse;
nigh_status inverse_learn(nigh_context *ctx, inverse *it);
#endif
