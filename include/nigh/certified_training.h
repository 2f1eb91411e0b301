/*
 * nigh/certified_training.h: classifiers whose robustness is cheap to prove: interval bounds propagated in training ("Understanding Certified Training with
 * Interval Bound Propagation"; "Fast Certified Robust Training with Short Warmup"; "Certified Training: Small Boxes are All You Need"), what a network certifies, and how
 * loose intervals are in it.
 *
 * Boxes are |x' - x| <= radius in every input, cut with the range of the data. A label is certified when the network's largest output is proved to be the label's on
 * the whole box. Intervals recorded on a tape (nigh_record_boxes) are f32 numbers to train by; nigh_certified_measure proves in f64, rounding included.
 *
 *   nigh_certified_options o = nigh_certified_defaults(NIGH_CERTIFIED_IBP);   o.radius = 0.2;   o.epochs = 30;
 *   nigh_certified *it;   nigh_certified_new(ctx, net, &images, &labels, &o, &it);   nigh_certified_run(it);   nigh_certified_free(it);
 *   nigh_certified_figures f;   nigh_certified_measure(ctx, net, &test_images, &test_labels, &(nigh_certified_measuring){.radius = 0.1, .high = 1}, &f);
 */
#ifndef NIGH_CERTIFIED_TRAINING_H
#define NIGH_CERTIFIED_TRAINING_H
#include "nigh/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- intervals on a tape ------------------------------------------------------------------------------------------------------------ */

/*
 * What is to be recorded, and what came of it. Layers: affine ones (linear, conv, conv-transpose, channel-affine, batch-norm, sums and products with fixed arrays, shapes,
 * averages) take the centre through their weights and the radius through |weights|; increasing ones (relu, leaky-relu, max-pool, tanh, sigmoid, clamp ...) take both ends.
 */
typedef struct nigh_box_recording {
    nigh_network *network;       /* one input [N, ...] */
    nigh_tape *tape;
    const nigh_node *parameters; /* as nigh_network_record */
    nigh_node low, high;         /* the boxes, [N, ...] */
    nigh_node labels;            /* i32 [N]: bounds of margins, the last layer joined with their differences; NIGH_NONE: bounds of outputs */
    bool whole;                  /* margins from bounds of outputs, the last layer not joined: looser */
    const nigh_node *statistics; /* for batch norms, pairs (mean, variance) [C] in the order of the layers: see nigh_record_statistics; NULL: the running ones */
    double tolerance;            /* of the regularisers, 0.5; 0: none are recorded */

    nigh_node upper;             /* [N, K]: with labels upper bounds of f_j - f_label (0 at the label), without of f_j */
    nigh_node lower;             /* [N, K] without labels: lower bounds of f_j; else NIGH_NONE */
    nigh_node tightness;         /* number: mean over relus of max(0, tolerance - mean input radius / mean radius) / tolerance */
    nigh_node balance;           /* number: the same of the ratios (those below 1) of active and inactive centres, means and variances */
} nigh_box_recording;

/* NIGH_UNSUPPORTED names a layer without a rule; NIGH_INVALID: margins of a network whose last layer is not linear. Products of margins cost K^2 columns in place of K. */
NIGH_API nigh_status nigh_record_boxes(nigh_box_recording *recording);

/* Records the network on x with `how` (train: running statistics are updated) and gives the batch statistics in front of each batch norm, through which gradients pass: statistic[2 most]. */
NIGH_API nigh_status nigh_record_statistics(nigh_network *network, nigh_tape *tape, nigh_recording *how, nigh_node x, const nigh_node *parameters, int most, nigh_node *statistic,
                                            nigh_node *outputs);

/* ---- training ------------------------------------------------------------------------------------------------------------------------ */

typedef enum nigh_certified_method {
    NIGH_CERTIFIED_STANDARD, /* cross-entropy */
    NIGH_CERTIFIED_PGD,      /* cross-entropy at points found by an attack in the box */
    NIGH_CERTIFIED_IBP,      /* cross-entropy of the margins' bounds over the box */
    NIGH_CERTIFIED_SABR      /* the same over a box of radius lambda * radius around such a point, inside the box */
} nigh_certified_method;
NIGH_API const char *nigh_certified_method_name(nigh_certified_method method); /* "standard" "pgd" "ibp" "sabr"; NULL beyond */

typedef struct nigh_certified_options {
    nigh_certified_method method;
    double radius;          /* that is trained for; > 0 and at most half the range (standard: not read) */
    double low, high;       /* range of the data, 0 to 1 */
    double lambda;          /* SABR: 0.4, in (0, 1] */
    int64_t epochs;         /* 30 */
    double ramp;            /* share of the steps over which the radius grows from 0, smoothly: 0.3 (standard, PGD: 0) */
    int64_t batch;          /* 128 */
    double rate;            /* of Adam, 2e-3; times 0.2 after 5/7 and after 6/7 of the steps */
    double clip;            /* largest norm of a gradient, 10 */
    int attack_steps;       /* 8 */
    double regulariser;     /* weight of the regularisers at radius 0, falling to 0 with the ramp: 0 (0.5 is usual in long trainings; in 20 epochs it cost more than it gave) */
    double tolerance;       /* 0.5 */
    double l1;              /* times the sum of |weights| of linear layers and convolutions: 0 */
    bool keep_weights;      /* begin with the weights that are there; else nigh_certified_draw (IBP, SABR), or their own rules */
    bool whole;             /* see nigh_box_recording */
    uint64_t seed;
    const nigh_array *validation, *validation_labels; /* NULL: none; measured each epoch at validation_radius */
    double validation_radius;
    const char *checkpoint; /* NULL: none; a killed training goes on to the same bits */
    int64_t checkpoint_every;
} nigh_certified_options;
NIGH_API nigh_certified_options nigh_certified_defaults(nigh_certified_method method);

/* Weights N(0, 2 pi / n^2), n the inputs of a unit, so that boxes neither grow nor vanish; biases 0; norms by their own rules. "Fast Certified Robust Training with Short Warmup". */
NIGH_API nigh_status nigh_certified_draw(nigh_network *network, uint64_t seed);

/* The radius at `share` 0 .. 1 of a ramp to 1: a share^4 up to a quarter, then the tangent. */
NIGH_API double nigh_certified_ramp(double share);

/* A training of f32 network (one input [N, ...]) on x f32 [n, ...] and labels i32 [n], which must stay. NIGH_INVALID names an option, a sample outside the range, a label that is
 * no class; NIGH_UNSUPPORTED a layer without intervals. */
typedef struct nigh_certified nigh_certified;
NIGH_API nigh_status nigh_certified_new(nigh_context *ctx, nigh_network *network, const nigh_array *x, const nigh_array *labels, const nigh_certified_options *options, nigh_certified **out);
NIGH_API void nigh_certified_free(nigh_certified *it); /* NULL is fine */

/* To the end, with progress. NIGH_UNMET: the loss is not finite (a longer ramp or a smaller rate helps); NIGH_INTERRUPTED: may be run again. */
NIGH_API nigh_status nigh_certified_run(nigh_certified *it);
NIGH_API nigh_status nigh_certified_advance(nigh_certified *it, int64_t steps);

/* The training inside. Metrics of its log with validation data: 0 accuracy, 1 share whose margins' f32 intervals are all negative at validation_radius. */
NIGH_API nigh_training *nigh_certified_training(nigh_certified *it);
NIGH_API double nigh_certified_radius_at(const nigh_certified *it, int64_t step);

/* ---- what a network certifies -------------------------------------------------------------------------------------------------------- */

typedef struct nigh_certified_measuring {
    double radius;       /* > 0 */
    double low, high;    /* range of the data */
    int attack_steps;    /* 20 (0); -1: no attack */
    int restarts;        /* 1 (0) */
    bool intervals_only; /* else linear bounds for what intervals and the attack leave open */
    bool tightness;
    bool whole;          /* the last layer not joined with the differences: looser */
    uint64_t seed;
} nigh_certified_measuring;

/*
 * Shares of the samples. certified <= attacked <= standard always: boxes contain every f32 point of the attack, bounds hold for the real network and for every evaluation in
 * f32. Intervals are tried on samples that an attack broke as well, so that this is seen.
 */
typedef struct nigh_certified_figures {
    int64_t samples;
    double standard;   /* right at x */
    double attacked;   /* right at x and wherever PGD looked */
    double intervals;  /* proved by intervals */
    double certified;  /* proved by intervals or by linear bounds */
    double tightness;  /* mean local tightness of margins; NaN when not wanted */
    int64_t contradictions; /* samples both broken by a point and proved: 0 */
    double seconds_attack, seconds_intervals, seconds_linear;
} nigh_certified_figures;

NIGH_API nigh_status nigh_certified_measure(nigh_context *ctx, nigh_network *network, const nigh_array *x, const nigh_array *labels, const nigh_certified_measuring *how,
                                            nigh_certified_figures *figures);

/* ---- propagation tightness ----------------------------------------------------------------------------------------------------------- */

/*
 * Local tightness of samples x [n, ...]: with the relus' states at the centre held fixed the network is linear, of exact radius |J| r and layer-wise radius R = |W_L| ... |W_1| r; tau is
 * their ratio in (0, 1], the mean over outputs (with labels: over margins against other classes) and 1 where R is 0. r is half the width of the box cut with low .. high (equal: not
 * cut). In f64, by the tape. `linear`: relus are left out of both. tau [n], exact and layered [n] mean radii; each may be NULL. K gradients a sample.
 */
typedef struct nigh_tightness_options {
    double radius, low, high;
    bool linear;
} nigh_tightness_options;
NIGH_API nigh_status nigh_tightness(nigh_context *ctx, nigh_network *network, const nigh_array *x, const nigh_array *labels, const nigh_tightness_options *options, double *tau, double *exact,
                                    double *layered);

/* A chain of matrices, weight[i] [size[i], size[i + 1]]: exact and layer-wise radii [size[layers]] of the box of radius 1; NULL: not wanted. */
NIGH_API nigh_status nigh_tightness_chain(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, double *exact, double *layered);

/* |W2 W1| = |W2| |W1| exactly when all products that make up an element have one sign: W1 [in, hidden], W2 [hidden, out]. Share of the in * out elements for which that holds. */
NIGH_API nigh_status nigh_sign_consistency(nigh_context *ctx, int64_t in, int64_t hidden, int64_t out, const double *w1, const double *w2, double *share);

/* Share of the elements of W [in, out] other than 0 whose sign is not s_i t_j, for the best s and t that alternating from 16 rows finds: an upper bound of the distance to the
 * nearest sign pattern of rank one, under which intervals are exact. At most 1/2. */
NIGH_API nigh_status nigh_sign_distance(nigh_context *ctx, int64_t in, int64_t out, const double *w, double *share);

/* ---- what theory says ---------------------------------------------------------------------------------------------------------------- */

/* Expected tightness of two layers of normal weights, `width` hidden units: sqrt(pi) Gamma((w + 1) / 2) / (w Gamma(w / 2)), about sqrt(pi / (2 w)); of `layers`: at most that to the power floor(layers / 2). */
NIGH_API double nigh_tightness_initial(int64_t width);
NIGH_API double nigh_tightness_initial_deep(int64_t width, int layers);

/* x = V z, V [d, k] with orthonormal columns drawn by seed: mean layer-wise radius of |V| |V^T| 1, about 2 k / pi, and mean exact one of |V V^T| 1, about sqrt(2 k / pi). 1 <= k <= d. */
NIGH_API nigh_status nigh_bottleneck_radii(nigh_context *ctx, int64_t d, int64_t k, uint64_t seed, double *layered, double *exact);

#ifdef __cplusplus
}
#endif
#endif
