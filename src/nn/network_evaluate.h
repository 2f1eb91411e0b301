/* What each kind of layer computes, by the plainest loops in f64. Rules stand in lists, one a file. */
#ifndef NIGH_NN_NETWORK_EVALUATE_H
#define NIGH_NN_NETWORK_EVALUATE_H
#include "nigh/network.h"

/* input, parameter, out: f64. A rule makes out by evaluate_out and fills it. */
typedef struct evaluation {
    nigh_context *ctx;
    const nigh_layer *layer;
    const nigh_array *input, *parameter;
    nigh_array *out;
} evaluation;

typedef struct evaluate_rule {
    const char *kind; /* NULL ends a list */
    nigh_status (*run)(const evaluation *e);
} evaluate_rule;

extern const evaluate_rule evaluate_elements[], evaluate_shapes[], evaluate_products[], evaluate_rows[], evaluate_fields[], evaluate_discretise[], evaluate_latent[];

nigh_status evaluate_out(const evaluation *e, int ndim, const int64_t *dim);
nigh_status evaluate_fail(const evaluation *e, const char *format, ...) NIGH_PRINTF(2, 3);

/* The index of an element of `shape` where element i of a result of shape `out` comes from, when `shape` is broadcast to it. */
int64_t evaluate_from(const nigh_shape *out, int64_t i, const nigh_shape *shape);

static inline double *evaluate_numbers(const nigh_array *a) { return a->data; }
#endif
