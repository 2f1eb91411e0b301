/* Layers of networks on fields. Listed in nn/layers.h. */
#include "nigh/fields.h"
#include "nn/layers.h"

static nigh_node grid(const nigh_layer_call *c) { return nigh_tape_grid(c->tape, c->input[0]); }
static nigh_node spectral(const nigh_layer_call *c) { return nigh_tape_spectral(c->tape, c->input[0], c->parameter[0]); }
static nigh_node gate(const nigh_layer_call *c) { return nigh_tape_mul(c->tape, c->input[0], c->parameter[0]); }

const nigh_layer_kind layers_fields[] = {
    {"grid", "coordinates of the grid points behind the channels", 1, 1, grid},
    {"spectral", "lowest Fourier modes times weights", 1, 1, spectral},
    {"gate", "channels times weights", 1, 1, gate},
    {0},
};
