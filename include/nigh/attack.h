/*
 * nigh/attack.h: worst inputs near given ones, by the signs of input gradients: FGSM ("Explaining and harnessing adversarial examples", Goodfellow, Shlens and
 * Szegedy 2015) and PGD ("Towards deep learning models resistant to adversarial attacks", Madry et al. 2018) in the box |x' - x| <= radius, cut with the range of the data.
 *
 * What is found is a lower bound of the worst loss in the box, never a proof that there is none higher.
 */
#ifndef NIGH_ATTACK_H
#define NIGH_ATTACK_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The losses of samples x [n, ...] with labels y (NIGH_NONE when the spec has none), one for each: [n] of the parameters' type. */
typedef nigh_node nigh_attack_fn(void *user, nigh_tape *tape, nigh_node x, nigh_node y, const nigh_node *parameters);

typedef struct nigh_attack_spec {
    nigh_network *network;       /* cross-entropy of its first output with labels i32 [n], when record is NULL */
    nigh_parameters *parameters; /* of record; NULL: those of the network */
    nigh_attack_fn *record;
    void *user;
    nigh_shape x;                /* of a batch of samples: [n, ...], f32 or f64 as the parameters */
    nigh_shape y;                /* labels; ndim 0: none */
    double radius;               /* 0 or more */
    double low, high;            /* of the data; equal: no range */
    int steps;                   /* 1 or more */
    double step;                 /* length of a step; 0: radius when steps is 1 (FGSM), else 2.5 radius / steps */
    int restarts;                /* 0 or 1: one start, at x; more: the others are uniform in the box */
    bool random_start;           /* the first start is random too */
    bool targeted;               /* y are labels to be reached: losses are made small */
} nigh_attack_spec;

typedef struct nigh_attack nigh_attack;

/* Records and compiles. NIGH_INVALID names the setting; what recording fails with; NIGH_MEMORY. The parameters must stay where they are. */
NIGH_API nigh_status nigh_attack_new(nigh_context *ctx, const nigh_attack_spec *spec, nigh_attack **attack);
NIGH_API void nigh_attack_free(nigh_attack *attack); /* NULL is fine */

/* Another radius (0 or more, finite; not looked at) for the next runs, steps in proportion: `steps` of 2.5 radius / steps, or radius when there is one. */
NIGH_API void nigh_attack_set_radius(nigh_attack *attack, double radius);

/*
 * For each sample of x the point of the box with the largest (targeted: smallest) loss of all that were visited, x itself among them unless random_start, into out (which may be
 * x), and its loss into losses [n] (NULL: not wanted). y NULL when there are no labels. restarts (steps + 1) forward and backward passes; no allocation. A function
 * of seed, x, y and the parameters. Samples whose loss is NaN everywhere stay x.
 */
NIGH_API nigh_status nigh_attack_run(nigh_attack *attack, const void *x, const void *y, uint64_t seed, void *out, double *losses);

#ifdef __cplusplus
}
#endif
#endif
