/* The lists of kinds of layers, one a file; src/nn/layers.c knows them all. */
#ifndef NIGH_NN_LAYERS_H
#define NIGH_NN_LAYERS_H
#include "nigh/network.h"

/* Each ended by a name of NULL. */
extern const nigh_layer_kind layers_basic[], layers_transformer[];
#endif
