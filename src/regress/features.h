/*
 * Random features eta(a . z - b) of inputs z in [-1, 1]^d: their law, their draw and their values. Models: MAP_FEATURES
 * (model.h).
 */
#ifndef NIGH_REGRESS_FEATURES_H
#define NIGH_REGRESS_FEATURES_H
#include "regress/model.h"

/*
 * a is uniform in [-lambda, lambda]^d. b: for the cosine a phase in [0, 2 pi); else uniform in [-lambda radius, lambda
 * radius] for d <= 3, and a . z of a random sample z above: there a uniform b would put most steps where no data are.
 */
typedef struct features_law {
    map_activation activation;
    double lambda, radius; /* radius: of the samples, features_radius */
    uint64_t seed;
} features_law;

/* "sigmoid,tanh,gaussian,cos,relu", in the order of map_activation. */
extern const char features_choices[];
const char *features_name(map_activation activation);

/* x of low .. high to -1 .. 1; 0 when it does not vary. */
static inline double features_box(double low, double high, double x) { return high > low ? (x - 0.5 * (low + high)) * (2 / (high - low)) : 0; }

/* Largest |z|_2 of z[n,d]. */
double features_radius(int64_t n, int64_t d, const double *z);

/*
 * Frequencies |xi| above lambda * features_bandwidth are beyond the features: where |eta^(w)| has fallen below `tail` of
 * its size near w = 1. INFINITY for relu, whose spectrum falls like a power and has no scale.
 */
double features_bandwidth(map_activation activation, double tail);

/* points and start of a model with d = r and count set; the first features are the same whatever the count. */
void features_draw(const features_law *law, int64_t n, const double *z, map_model *model);

/* values[n,count] at z[n,d]. */
nigh_status features_values(nigh_context *ctx, const map_model *model, int64_t n, const double *z, double *values);
#endif
