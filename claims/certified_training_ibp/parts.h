/* The parts of the claim of certified training: trainings (trainings.c), chains and boxes (boxes.c). */
#ifndef NIGH_CLAIMS_CERTIFIED_TRAINING_IBP_PARTS_H
#define NIGH_CLAIMS_CERTIFIED_TRAINING_IBP_PARTS_H
#include "../common.h"

#include "nigh/certified_training.h"
#include "nigh/dataset.h"

/* ---- trainings.c ---- */

/* Images to train on and to measure on. */
typedef struct images {
    const char *name;
    nigh_dataset train, test;
    int64_t side;
} images;

/* MNIST's test images (8000 and 2000) where NIGH_DATA tells where they are, else drawn digits. `fit`, `tests`: at most. */
nigh_status certified_images(claim_run *run, int64_t fit, int64_t tests, images *out);
void certified_images_free(images *it);

typedef struct training {
    const images *data;
    nigh_certified_method method;
    int64_t conv;        /* channels of the first of two convolutions; 0: none */
    int64_t width;       /* of hidden layers */
    int hidden;
    double radius, test_radius;
    int64_t epochs, samples;
    uint64_t seed;
    /* found: */
    double initial;      /* tightness before */
    double seconds, loose;  /* loose: certified by intervals without joining the last layer */
    nigh_certified_figures figures;
} training;

/* All of them over the threads; those of the resume file are not made again. */
nigh_status certified_run(claim_run *run, const char *key, int count, training *all);

/* ---- boxes.c ---- */

/* Mean tightness over draws and outputs of `layers` normal matrices of this width behind `in` inputs. */
nigh_status chain_tightness(nigh_context *ctx, int64_t in, int64_t width, int layers, int draws, uint64_t seed, double *mean);

/* Small networks whose recorded boxes do not hold all `samples` outputs drawn inside them. `plain`: weights in the place of their absolute values. */
nigh_status boxes_broken(nigh_context *ctx, int networks, int samples, uint64_t seed, bool plain, double *broken);

/* |1 - tau| of three matrices whose signs are of rank one, and 1 - tau after one sign of the first is flipped: the smallest over outputs. */
nigh_status rank_one(nigh_context *ctx, uint64_t seed, double *departure, double *flipped);
#endif
