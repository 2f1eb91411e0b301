/*
 * Training of networks on fields: Adam on the mean over samples of |answer - y| / |y|, in micro-batches.
 *
 * A batch is computed in parts of a few samples whose gradients are added: the same step up to rounding, in a fraction of the memory, and with
 * intermediate results that stay in the caches.
 */
#ifndef NIGH_OPERATOR_FIELDS_TRAIN_H
#define NIGH_OPERATOR_FIELDS_TRAIN_H
#include "nigh/network.h"

typedef struct fields_trainer fields_trainer;

typedef struct fields_training {
    nigh_network *net;      /* stays the caller's; one input [-1, ...], one output */
    nigh_shape in, out;     /* of one sample, channels-last, without the first dimension */
    int64_t batch, micro;   /* samples of a step, and of a part (a divisor of batch) */
    const double *mean, *deviation; /* [channels of out]: the network's output times deviation plus mean is the answer; NULL: 0 and 1 */
    double beta1, beta2, epsilon, decay; /* decay as AdamW's */
} fields_training;

/* The defaults of Adam, without decay. */
fields_training fields_training_defaults(void);

/* NIGH_INVALID when the network does not fit the shapes. */
nigh_status fields_trainer_new(nigh_context *ctx, const fields_training *spec, fields_trainer **out);
void fields_trainer_free(fields_trainer *t); /* NULL is fine */

/* One step with this rate on x[batch, in], y[batch, out]; *loss is that before the step. NIGH_UNMET: it is not finite, and nothing was changed. */
nigh_status fields_trainer_step(fields_trainer *t, double rate, const float *x, const float *y, double *loss);

/* Steps made, and the state of Adam (two blocks of the parameters' size), for checkpoints. */
int64_t *fields_trainer_steps(fields_trainer *t);
float *fields_trainer_slot(fields_trainer *t, int i);
nigh_executor *fields_trainer_executor(fields_trainer *t);
#endif
