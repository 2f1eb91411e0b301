/* What `nigh verify train` found, and its page. */
#ifndef NIGH_CLI_VERIFY_TRAIN_H
#define NIGH_CLI_VERIFY_TRAIN_H
#include "nigh/certified_training.h"

enum { TRAIN_MOST_RUNS = 24, TRAIN_MOST_EPOCHS = 2000 };

/* One training and what it certifies at the radius asked for. */
typedef struct train_run {
    const char *group;   /* "", "radius" or "width": what is varied */
    double at;           /* its value */
    const char *method;
    double train_radius, width;
    int64_t weights;
    nigh_certified_figures figures;
    double initial;      /* tightness before training */
    double seconds;
} train_run;

typedef struct train_story {
    const char *data, *network;
    double radius;
    int64_t train, test, epochs;
    int runs;            /* the first is the network that is written */
    train_run run[TRAIN_MOST_RUNS];
    int rows;            /* of the first training, one an epoch */
    double epoch[TRAIN_MOST_EPOCHS], loss[TRAIN_MOST_EPOCHS], grown[TRAIN_MOST_EPOCHS], accuracy[TRAIN_MOST_EPOCHS], certified[TRAIN_MOST_EPOCHS];
} train_story;

nigh_status train_page(nigh_context *ctx, const train_story *story, const char *path);
#endif
