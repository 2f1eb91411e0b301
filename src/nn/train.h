/*
 * The inside of a training. train.c: making one and what is asked of it; train_form.c: executors; train_step.c: steps; train_run.c: limits, validation, the
 * loop; train_log.c: rows; train_store.c: checkpoints.
 */
#ifndef NIGH_NN_TRAIN_H
#define NIGH_NN_TRAIN_H
#include "nigh/train.h"

#include <stdio.h>

#include "grad/optimiser.h"
#include "grad/schedule.h"
#include "nn/batches.h"

/* Bytes that are copied after a run of an executor. */
typedef struct train_copy {
    void *to;
    const void *from;
    size_t bytes;
} train_copy;

/* A form of a source, recorded and compiled. */
typedef struct train_form {
    nigh_tape *tape;
    nigh_executor *run;
    int width;
    int64_t samples;
    void *data[NIGH_TRAIN_ARRAYS]; /* the batch: own memory */
    nigh_node *parameters, *teacher; /* [count] */
    const void *loss, *metric[NIGH_TRAIN_METRICS];
    int copies, updates;
    train_copy *copy;              /* gradients that are no result of their own */
    train_copy *update;            /* weights that the layers change */
    bool *updated;                 /* [count] */
    double flops;
} train_form;

typedef struct train_set {
    nigh_batches *batches;
    bool train;
    int forms;
    train_form *form;
} train_set;

/* Neighbouring parameters that share rate and decay. */
typedef struct train_range {
    int64_t offset, count;
    double rate, decay;
} train_range;

enum { TRAIN_RATE, TRAIN_DECAY, TRAIN_SCALAR, TRAIN_SCHEDULES = TRAIN_SCALAR + NIGH_TRAIN_SCALARS };

/* Numbers that change from step to step: all of them go into checkpoints. */
typedef struct train_counters {
    int64_t step, samples, bad, limit; /* steps made; validations without progress; steps to make, 0: not known yet */
    int64_t losses, ended, validated;  /* losses since the last row; patience is over; validations made */
} train_counters;

typedef struct train_figures {
    double loss, loss_sum, norm, best, seconds, flops;
} train_figures;

struct nigh_training {
    nigh_context *ctx;
    nigh_training_spec spec;
    char *log_file, *checkpoint;
    const optimiser *rule;
    nigh_parameters *parameters;
    nigh_dtype dtype;
    size_t width;          /* bytes of a number */
    int64_t size;          /* numbers of a block */
    int threads, accumulate;
    char *gradient, *sum, *slots, *average, *best, *snapshots; /* blocks */
    bool best_there, snapshot_there[NIGH_TRAIN_SNAPSHOTS];
    double scalar_f64[NIGH_TRAIN_SCALARS];
    float scalar_f32[NIGH_TRAIN_SCALARS];
    schedule schedule[TRAIN_SCHEDULES];
    schedule_plateau plateau[TRAIN_SCHEDULES];
    int ranges;
    train_range *range;
    train_set main, validation;
    int64_t validate_every;
    train_counters count;
    train_figures now;
    bool prepared;         /* limits are known, schedules checked */
    double began;          /* clock of the running call */
    int64_t rows, rows_room;
    nigh_training_row *row;
    FILE *csv;
};

/* Records and compiles all forms of set->batches; train_set_free also after a failure. */
nigh_status train_set_make(nigh_training *t, train_set *set);
void train_set_free(nigh_context *ctx, train_set *set);

nigh_status train_ranges(nigh_training *t);
nigh_status train_step(nigh_training *t);
double train_scheduled(const nigh_training *t, int which, int64_t step);

/* Loss and metrics over a pass; `block` stands for the parameters. */
nigh_status train_measure(nigh_training *t, train_set *set, void *block, double *loss, double *metrics);

nigh_status train_log_open(nigh_training *t);
void train_log_close(nigh_training *t);
nigh_status train_log_row(nigh_training *t, const nigh_training_row *row);
nigh_status train_log_reserve(nigh_training *t, int64_t rows);
#endif
