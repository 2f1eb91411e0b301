/*
 * Optimisers of network training: a table of update rules over flat arrays of f32 or f64, one fused pass over parameters, gradient and
 * state each. A rule's state is `slots` plain arrays of the parameters' length and type, zero before the first step; the caller owns
 * them, saves them, looks at them. Updates of elements are independent: any sub-range may be updated by any thread, with the same bits.
 *
 * Built in, with the formulas of PyTorch 2 (g: gradient times gradient_scale, t: step number from 1, every array elementwise):
 *   sgd       g += decay p;  p -= rate g
 *   momentum  g += decay p;  v = beta1 v + g;  p -= rate v
 *   nesterov  the same v;    p -= rate (g + beta1 v)
 *   adam      g += decay p;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2;
 *             p -= rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon)
 *   adamw     p *= 1 - rate decay; then adam without decay  (Loshchilov and Hutter, "Decoupled weight decay regularization")
 *   lion      p *= 1 - rate decay;  p -= rate sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g
 *             (Chen et al., "Symbolic discovery of optimization algorithms")
 */
#ifndef NIGH_GRAD_OPTIMISER_H
#define NIGH_GRAD_OPTIMISER_H
#include "nigh/core.h"

enum { OPTIMISER_SLOTS = 4, OPTIMISER_MOST = 64 };

/* What may differ between groups of parameters. beta1 is the momentum of `momentum` and `nesterov`. */
typedef struct optimiser_settings {
    double rate, beta1, beta2, epsilon, decay;
} optimiser_settings;

typedef struct optimiser_step {
    optimiser_settings settings;
    int64_t number;        /* of this step, from 1 */
    double gradient_scale; /* in front of the gradient: the factor of clipping, 1 / (loss scale) */
} optimiser_step;

/* Updates n parameters; slots: one array of n numbers each. Allocates nothing, cannot fail, re-entrant. */
typedef void optimiser_rule_f32(const optimiser_step *step, int64_t n, float *parameters, const float *gradient, float *const *slots);
typedef void optimiser_rule_f64(const optimiser_step *step, int64_t n, double *parameters, const double *gradient, double *const *slots);

typedef struct optimiser {
    const char *name;                       /* "adamw" */
    const char *summary;                    /* one line */
    int slots;                              /* 0 .. OPTIMISER_SLOTS */
    const char *slot_names[OPTIMISER_SLOTS];
    optimiser_settings defaults;
    optimiser_rule_f32 *f32;                /* either may be NULL: not for this type */
    optimiser_rule_f64 *f64;
} optimiser;

/* The optimiser of this name. NIGH_INVALID lists the names there are. Valid as long as the library is loaded. */
nigh_status optimiser_find(nigh_context *ctx, const char *name, const optimiser **found);

/* Optimiser i in the order of registration, NULL from the last on. */
const optimiser *optimiser_at(int i);

/*
 * Adds one; it and its texts must stay. Registering the same pointer again does nothing. NIGH_INVALID: the name is taken, has
 * no rule, or too many slots; NIGH_RESOURCE beyond OPTIMISER_MOST. Any thread may call.
 */
nigh_status optimiser_register(nigh_context *ctx, const optimiser *added);

/* NIGH_INVALID naming the setting: all finite, rate, epsilon and decay not negative, 0 <= beta < 1. */
nigh_status optimiser_check(nigh_context *ctx, const optimiser *o, const optimiser_settings *settings);

/* One step of n parameters (checked settings; the type must be one the optimiser has). Reads and writes each array once. */
void optimiser_update_f32(const optimiser *o, const optimiser_step *step, int64_t n, float *parameters, const float *gradient, float *const *slots);
void optimiser_update_f64(const optimiser *o, const optimiser_step *step, int64_t n, double *parameters, const double *gradient, double *const *slots);

/*
 * Sum of squares in f64 of n numbers, NaN or infinite where one of them is. The same bits for any number of threads and CPU level: the
 * array is cut into at most 64 pieces by its length alone. The norm of a set of arrays: the root of the sum, in a fixed order.
 */
double optimiser_squares_f32(int64_t n, const float *x, int threads);
double optimiser_squares_f64(int64_t n, const double *x, int threads);

/* The gradient_scale that clips a gradient of this norm to `most` (PyTorch's most / (norm + 1e-6), at most 1); most <= 0: 1. */
double optimiser_clip(double norm, double most);

/* The same cut for inner products and steps of the minimisers. */
double optimiser_dot(int64_t n, const double *a, const double *b, int threads);
void optimiser_add(int64_t n, double factor, const double *x, double *y, int threads);
double optimiser_add_dot(int64_t n, double factor, const double *x, double *y, const double *other, int threads);
#endif
