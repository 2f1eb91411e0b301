/* The lists of kinds of layers, one a file; src/nn/layers.c knows them all. */
#ifndef NIGH_NN_LAYERS_H
#define NIGH_NN_LAYERS_H
#include "nigh/network.h"

/* Each ended by a name of NULL. */
extern const nigh_layer_kind layers_basic[];
extern const nigh_layer_kind layers_shape[];
extern const nigh_layer_kind layers_rows[];
extern const nigh_layer_kind layers_conv[];
extern const nigh_layer_kind layers_discretise[];
extern const nigh_layer_kind layers_fields[];
extern const nigh_layer_kind layers_latent[];
extern const nigh_layer_kind layers_sequence[];
extern const nigh_layer_kind layers_residual[];
extern const nigh_layer_kind layers_transformer[];

/* Fails the tape with "layer KIND: " and this message; false. */
bool layers_fail(const nigh_layer_call *call, const char *format, ...) NIGH_PRINTF(2, 3);

/* What the attributes start, end and step of a slice mean for a dimension of this size; false: step is not allowed. */
bool layers_slice_range(const nigh_layer *layer, int64_t size, int64_t *start, int64_t *count, int64_t *step);
#endif
