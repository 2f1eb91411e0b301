/*
 * nigh/train.h: one way to train: parameters, a loss recorded on a tape, batches, an optimiser, schedules; stops, validation, checkpoints.
 *
 *   nigh_batches *rows;         nigh_batches_arrays(ctx, 2, (nigh_array[]){images, labels}, &(nigh_arrays_options){.batch = 128}, &rows);
 *   nigh_training_spec spec = nigh_training_defaults("adamw");
 *   spec.network = net;         spec.loss = NIGH_LOSS_CROSS_ENTROPY;      (or spec.parameters and spec.record, a loss of your own)
 *   spec.batches = rows;        spec.rate = (nigh_schedule){.kind = "cosine", .base = 1e-3, .warm_up = 100};
 *   spec.epochs = 5;            spec.seed = 1;
 *   nigh_training *training;    nigh_training_new(ctx, &spec, &training);
 *   nigh_training_run(training);   nigh_training_free(training);
 *
 * The loss is recorded once for each form (set of shapes) of the batches, with its gradients; executors are made then, and further steps allocate
 * nothing. Gradients lie in one block of the layout of the parameters, so that clipping and the optimiser are one pass over it.
 *
 * While a training runs, subnormal numbers count as zeros (on x86; the state of the processor is put back).
 *
 * Everything that is random is a function of (seed, number of the step); with the same threads, CPU level and version a training gives the same bits, also
 * when it is cut by checkpoints anywhere. Times (seconds in the log) are written down, never acted upon, but for the calibration of a time limit.
 */
#ifndef NIGH_TRAIN_H
#define NIGH_TRAIN_H
#include "nigh/network.h"
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- batches ------------------------------------------------------------------------------------------- */

/*
 * A source of batches. Batch `number` (0, 1, ...) is a set of arrays of one of the source's forms; which form, and its content, are functions of the training's
 * seed and the number. The first dimension of the first array counts the samples. A source serves one training at a time; free it after the training.
 */
typedef struct nigh_batches nigh_batches;
NIGH_API void nigh_batches_free(nigh_batches *batches); /* NULL is fine */

NIGH_API int nigh_batches_forms(const nigh_batches *batches);
NIGH_API int nigh_batches_width(const nigh_batches *batches, int form);                          /* arrays of a batch of this form */
NIGH_API const nigh_shape *nigh_batches_shape(const nigh_batches *batches, int form, int array); /* NULL: there is none */
NIGH_API int64_t nigh_batches_epoch(const nigh_batches *batches);                                /* batches of an epoch; 0: has none */

/* All zero but batch is the default. */
typedef struct nigh_arrays_options {
    int64_t batch;     /* rows of a batch; 0: all rows */
    bool in_order;     /* rows as they lie; else a new random permutation each epoch */
    bool keep_last;    /* the rest of an epoch is a smaller batch (a form of its own); else it is dropped */
    int balance;       /* k > 0: array k - 1 holds classes (i32, 0 or more): each row is drawn with replacement from a class chosen uniformly */
    int64_t rows, first; /* only rows first .. first + rows - 1; rows 0: all from first on */
} nigh_arrays_options;

/* Rows of 1 .. 16 arrays [n, ...] of any types, which stay the caller's and must stay. NIGH_INVALID: different n, a batch of more than n rows. */
NIGH_API nigh_status nigh_batches_arrays(nigh_context *ctx, int n, const nigh_array *arrays, const nigh_arrays_options *options, nigh_batches **out);

/* Writes the batch of this number into data[n]; rng belongs to this batch alone. Any failure ends the training with it. */
typedef nigh_status nigh_batch_fn(void *user, nigh_rng *rng, int64_t number, void *const *data);

/* Fresh data from a callback; epoch: batches that are called an epoch, 0: no epochs. */
NIGH_API nigh_status nigh_batches_generator(nigh_context *ctx, int n, const nigh_shape *shapes, nigh_batch_fn *fill, void *user, int64_t epoch,
                                            nigh_batches **out);

/* Puts new data in place of that of a pool; round counts from 0 (the first filling). */
typedef nigh_status nigh_pool_fn(void *user, nigh_rng *rng, int64_t round, nigh_array *arrays);

/*
 * Rows of arrays [rows, ...] (shapes[n]) that the source owns and the callback fills, before batch 0 and before every batch number that is a multiple of
 * `every`. Drawn by `options` (no balance). The content is part of a checkpoint, so that a callback may change a part of it.
 */
NIGH_API nigh_status nigh_batches_pool(nigh_context *ctx, int n, const nigh_shape *shapes, const nigh_arrays_options *options, int64_t every, nigh_pool_fn *fill,
                                       void *user, nigh_batches **out);

/*
 * Windows of a token sequence: two arrays i32 [batch, length], the tokens and those that follow them. in_order: windows one behind the other, in an order
 * permuted each epoch with a random shift of the first; else at random places.
 */
NIGH_API nigh_status nigh_batches_windows(nigh_context *ctx, int64_t count, const int32_t *tokens, int64_t batch, int64_t length, bool in_order,
                                          nigh_batches **out);

/* Each batch from one of n sources, drawn by weight[n] (NULL: in turn). The sources differ, and are taken over when it succeeds. Forms are those of all, in order. */
NIGH_API nigh_status nigh_batches_mixed(nigh_context *ctx, int n, nigh_batches *const *sources, const double *weight, nigh_batches **out);

/* ---- schedules ----------------------------------------------------------------------------------------- */

/*
 * A number over the steps t = 0, 1, ...: start + (base - start)(t + 1) / warm_up in the first warm_up steps, then by kind, with p from 0 to 1 between warm_up and total:
 * "constant" (or NULL) base; "linear" base + (last - base) p; "cosine" last + (base - last)(1 + cos(pi p)) / 2; "step" base factor^floor((t - warm_up) / period), not
 * below last; "plateau" base times factor for each fall, after more than `patience` [10; -1: 0] validations without progress by `threshold` [1e-4] of
 * what decides the best (`higher`: more is better), then `cooldown` validations rest; "one-cycle" PyTorch's OneCycleLR with rise [0.3], divide [25], divide_last [1e4]; "inverse-root" base
 * sqrt(max(warm_up, 1) / (t + 1)). In brackets: what 0 means. total 0: the steps of the training; factor 0: 0.1.
 */
typedef struct nigh_schedule {
    const char *kind;
    double base, start, last;
    int64_t warm_up, total, period;
    double factor;
    int64_t patience, cooldown;
    double threshold;
    bool higher;
    double rise, divide, divide_last;
} nigh_schedule;

/* ---- the loss ------------------------------------------------------------------------------------------ */

enum { NIGH_TRAIN_SCALARS = 16, NIGH_TRAIN_METRICS = 16, NIGH_TRAIN_ARRAYS = 16, NIGH_TRAIN_SNAPSHOTS = 32 };

/* What a loss is recorded from. */
typedef struct nigh_loss_call {
    nigh_tape *tape;
    bool train;                  /* false: for validation */
    int form, arrays;            /* of the batch */
    const nigh_node *batch;      /* [arrays] */
    const nigh_node *parameters; /* [nigh_parameters_count], low-rank updates added */
    const nigh_node *teacher;    /* the same of the average (spec.average), else NULL; no gradient goes there */
    const nigh_node *scalar;     /* [spec.scalars]: numbers (no dimensions) of the parameters' type */
    nigh_recording *recording;   /* hand it to nigh_network_record: its `train` is set, its updates are made after each step */
    nigh_node *metric;           /* [spec.metrics]: fill with numbers */
} nigh_loss_call;

/* The loss of a batch: one number of the parameters' type, a mean over samples. NIGH_NONE after a failure (of the tape, or with a message of nigh_fail). */
typedef nigh_node nigh_loss_fn(void *user, const nigh_loss_call *call);

/* A metric to record: the share of rows whose largest logit is the label's, logits [..., classes], labels i32 [...]; rows of labels outside 0 .. classes - 1 are left out.
 * Losses are in nigh/operators_rows.h. */
NIGH_API nigh_node nigh_metric_accuracy(nigh_tape *tape, nigh_node logits, nigh_node labels);

/* Losses of spec.network: its inputs are the first arrays of a batch, the target of its first output is the array after them (nigh_tape_mse, nigh_tape_relative_l2,
 * nigh_tape_cross_entropy). Cross-entropy gives accuracy as metric 0 when spec.metrics is 1. */
typedef enum nigh_loss_kind { NIGH_LOSS_RECORDED, NIGH_LOSS_MSE, NIGH_LOSS_RELATIVE_L2, NIGH_LOSS_CROSS_ENTROPY } nigh_loss_kind;

/* ---- a training ---------------------------------------------------------------------------------------- */

typedef struct nigh_training nigh_training;

/* Looks at or changes the training between steps; a failure ends the run. data [arrays]: the batch, before the step; NULL afterwards. */
typedef nigh_status nigh_step_fn(void *user, nigh_training *training, int64_t step, int form, void *const *data);

/* What is trained how. Make it with nigh_training_defaults. Texts are copied; callbacks, parameters and batches must stay. */
typedef struct nigh_training_spec {
    nigh_network *network;       /* with `loss`; or parameters with `record` (both: record is used, parameters NULL: those of the network) */
    nigh_loss_kind loss;
    nigh_parameters *parameters;
    nigh_loss_fn *record;
    void *user;                  /* of record and the hooks */
    int metrics;                 /* 0 .. NIGH_TRAIN_METRICS */

    nigh_batches *batches;
    int accumulate;              /* batches whose mean gradient is one step; 0 or 1: one */
    uint64_t seed;

    const char *optimiser;       /* "sgd" "momentum" "nesterov" "adam" (decay inside) "adamw" "lion", or a registered one */
    nigh_schedule rate, decay;   /* times the factors of each parameter */
    double beta1, beta2, epsilon;
    double clip;                 /* largest norm of the gradient of all parameters; 0: any */
    int scalars;
    nigh_schedule scalar[NIGH_TRAIN_SCALARS];
    bool average;                /* an exponential moving average of the parameters, from their beginning: a = keep a + (1 - keep) p after each step */
    double average_keep;         /* 0.999 */

    int64_t steps, epochs;       /* the first limit that is reached ends it; 0: no limit. One of the four is needed */
    double seconds;              /* turned into steps by a short calibration (real steps, with their hooks, all undone) at the first run; nothing reads the clock afterwards */
    double flops;                /* of matrix products and convolutions in training steps */

    nigh_batches *validation;    /* NULL: none. One pass: an epoch, or validation_batches */
    int64_t validation_batches;
    int64_t validate_every;      /* steps; 0: each epoch of batches (and the end) */
    bool validate_average;       /* the average is validated (and kept as best), not the parameters */
    int best_metric;             /* what decides: -1 the validation's loss [default], else a metric */
    bool best_higher;
    bool keep_best;              /* keep a copy of the best, and leave it in the parameters at the end */
    int64_t patience;            /* validations without progress after which the training ends; 0: none ends it */

    nigh_step_fn *before, *after;
    int64_t snapshots;           /* copies of the parameters after these steps (0: the beginning) */
    int64_t snapshot[NIGH_TRAIN_SNAPSHOTS];

    int64_t log_every;           /* a row of the log each so many steps, and at validations; 0: at validations and the end only */
    const char *log_file;        /* NULL: none. csv, one line a row, rewritten when a training is resumed */
    const char *checkpoint;      /* NULL: none. Written every checkpoint_every steps and at the end; read by nigh_training_run when it exists */
    int64_t checkpoint_every;
} nigh_training_spec;

/* The optimiser's own defaults (PyTorch's), everything else zero or as stated above. */
NIGH_API nigh_training_spec nigh_training_defaults(const char *optimiser);

/* NIGH_INVALID names the setting; NIGH_MEMORY; what recording fails with. The parameters are not touched (draw them before). */
NIGH_API nigh_status nigh_training_new(nigh_context *ctx, const nigh_training_spec *spec, nigh_training **training);
NIGH_API void nigh_training_free(nigh_training *training); /* NULL is fine; the parameters keep what was reached */

/*
 * Runs to the end (resuming from spec.checkpoint when there is one), or `steps` more steps. NIGH_UNMET: the loss or the norm of the gradient is not finite (the step is not
 * made); NIGH_INTERRUPTED: cancelled (a checkpoint was written when there is a path), run again to go on.
 */
NIGH_API nigh_status nigh_training_run(nigh_training *training);
NIGH_API nigh_status nigh_training_advance(nigh_training *training, int64_t steps);

/* One row of the log. What was not measured is NaN. */
typedef struct nigh_training_row {
    int64_t step, samples;   /* made so far; samples are rows, or tokens of windows */
    double epoch;
    double loss;             /* of the step's batch, mean since the last row */
    double norm, rate;       /* of the last gradient, before clipping */
    double validation;       /* loss */
    double metric[NIGH_TRAIN_METRICS]; /* of the validation */
    double seconds, flops;   /* in steps, so far */
} nigh_training_row;

NIGH_API int64_t nigh_training_step(const nigh_training *training);  /* steps made */
NIGH_API int64_t nigh_training_steps(const nigh_training *training); /* steps to make; INT64_MAX before a calibration */
NIGH_API bool nigh_training_done(const nigh_training *training);
NIGH_API double nigh_training_loss(const nigh_training *training);   /* of the last step's batch */
NIGH_API int64_t nigh_training_rows(const nigh_training *training);
NIGH_API const nigh_training_row *nigh_training_row_at(const nigh_training *training, int64_t i); /* NULL beyond the last; holds until the next run */
NIGH_API nigh_parameters *nigh_training_parameters(nigh_training *training);
NIGH_API const void *nigh_training_gradient(const nigh_training *training);                /* block of the last step's, laid out as the parameters */
NIGH_API void *nigh_training_average(nigh_training *training);                             /* block; NULL without */
NIGH_API const void *nigh_training_best(const nigh_training *training, double *value);     /* block; NULL before a validation or without keep_best */
NIGH_API const void *nigh_training_snapshot(const nigh_training *training, int64_t i);     /* block; NULL before its step */
NIGH_API void *nigh_training_slot(nigh_training *training, int i, const char **name);      /* the optimiser's state; NULL beyond the last */
NIGH_API double nigh_training_flops(const nigh_training *training);                        /* of one step of form 0 */

/* Loss and metrics[spec.metrics] (NULL: not wanted) over a pass of `batches`, as a validation. */
NIGH_API nigh_status nigh_training_evaluate(nigh_training *training, nigh_batches *batches, double *loss, double *metrics);

/*
 * Everything that the further course depends on: parameters, average, best, snapshots, the optimiser's state, counters, the state of schedules and sources, the
 * log; safetensors with JSON metadata, files appear whole or not at all. Loading wants a training of the same spec (names, shapes, optimiser, seed): NIGH_FORMAT.
 */
NIGH_API nigh_status nigh_training_save(nigh_training *training, const char *path);
NIGH_API nigh_status nigh_training_load(nigh_training *training, const char *path);
NIGH_API nigh_status nigh_training_format(nigh_training *training, nigh_buffer *out);
NIGH_API nigh_status nigh_training_parse(nigh_training *training, const void *bytes, size_t size, const char *name);

/* ---- low-rank updates ---------------------------------------------------------------------------------- */

/*
 * Freezes the matrix `name` [in, out] and adds two parameters, NAME.lora_a [in, rank] (normal, 1/sqrt(in), drawn by seed) and NAME.lora_b [rank, out] (zero), so
 * that trainings record W + A B in its place ("LoRA: Low-Rank Adaptation of Large Language Models"). nigh_lora_record does this to parameter nodes for other uses;
 * nigh_lora_merge adds A B to W and makes B zero.
 */
NIGH_API nigh_status nigh_lora_add(nigh_context *ctx, nigh_parameters *set, const char *name, int64_t rank, uint64_t seed);
NIGH_API nigh_status nigh_lora_record(nigh_parameters *set, nigh_tape *tape, nigh_node *nodes);
NIGH_API void nigh_lora_merge(nigh_parameters *set);

/* ---- many at once -------------------------------------------------------------------------------------- */

/* Job i: builds, trains and stores what it wants, all with `ctx`, which has one thread and the caller's seed, and is freed afterwards. */
typedef nigh_status nigh_job_fn(void *user, nigh_context *ctx, int64_t i);

/*
 * n independent jobs over the context's threads. Results do not depend on the number of threads as long as jobs share nothing. After a failure no further job is begun; the message is
 * that of the failed job of the smallest number. The caller's allocator is called by one thread at a time.
 */
NIGH_API nigh_status nigh_train_many(nigh_context *ctx, int64_t n, nigh_job_fn *job, void *user);

#ifdef __cplusplus
}
#endif
#endif
