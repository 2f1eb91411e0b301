/*
 * nigh/network.h: networks as data: layers with names, attributes and weights, in the order in which they are computed.
 *
 * A layer is of a kind ("linear", "gelu", "conv", "add" ...), takes the results of earlier layers, and knows how to record itself on a tape for
 * whatever shapes come in: one network serves any batch size, and any resolution where its kinds allow it. What is done with networks (training, saving,
 * hooks, export as C, exchange as ONNX, bounds) goes over the layers, so that it works for all of them.
 *
 *   nigh_network *net;   nigh_network_new(ctx, NIGH_F32, &net);
 *   int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 784});
 *   x = nigh_network_linear(net, "hidden", x, 784, 256, true);
 *   x = nigh_network_layer(net, "relu", "act", 1, &x);
 *   nigh_network_output(net, nigh_network_linear(net, "out", x, 256, 10, true));
 *   nigh_parameters_draw(nigh_network_parameters(net), seed);
 *
 * Building functions give the layer's number, or -1 after a failure; as with tapes, nothing is added afterwards, the first message stays and
 * nigh_network_status tells.
 */
#ifndef NIGH_NETWORK_H
#define NIGH_NETWORK_H
#include "nigh/parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_network nigh_network;

/* A number, or text when `text` is not NULL. */
typedef struct nigh_attribute {
    const char *key;
    double value;
    const char *text;
} nigh_attribute;

typedef struct nigh_layer {
    const char *kind, *name;
    int inputs, parameters, attributes;
    const int *input;      /* numbers of earlier layers */
    const int *parameter;  /* indices in the network's parameters */
    const nigh_attribute *attribute;
} nigh_layer;

/* ---- building ----------------------------------------------------------------------------------------- */

NIGH_API nigh_status nigh_network_new(nigh_context *ctx, nigh_dtype dtype, nigh_network **net); /* f32 or f64 */
NIGH_API void nigh_network_free(nigh_network *net);                                             /* NULL is fine */
NIGH_API nigh_status nigh_network_status(const nigh_network *net);

/* An input; -1 stands for a dimension that may be any. Its type is the network's, or i32 for nigh_network_tokens. */
NIGH_API int nigh_network_input(nigh_network *net, const char *name, int ndim, const int64_t *dim);
NIGH_API int nigh_network_tokens(nigh_network *net, const char *name, int ndim, const int64_t *dim);

/* Marks a layer's result as the next output of the network. Gives the layer again. */
NIGH_API int nigh_network_output(nigh_network *net, int layer);

/* A weight array of the network; names are unique. Gives its index, -1 after a failure. */
NIGH_API int nigh_network_weight(nigh_network *net, const char *name, int ndim, const int64_t *dim, nigh_init init);

/* A layer of any kind. nigh_network_layer: one without weights and attributes. */
NIGH_API int nigh_network_add(nigh_network *net, const char *kind, const char *name, int inputs, const int *input, int parameters, const int *parameter,
                              int attributes, const nigh_attribute *attribute);
NIGH_API int nigh_network_layer(nigh_network *net, const char *kind, const char *name, int inputs, const int *input);

/* x [..., in] W [in, out] + b: weights NAME.weight, NAME.bias, uniform on +-1/sqrt(in). */
NIGH_API int nigh_network_linear(nigh_network *net, const char *name, int x, int64_t in, int64_t out, bool bias);

/* ---- looking ------------------------------------------------------------------------------------------ */

NIGH_API int nigh_network_layers(const nigh_network *net);
NIGH_API const nigh_layer *nigh_network_at(const nigh_network *net, int layer);  /* NULL beyond the last */
NIGH_API int nigh_network_find(const nigh_network *net, const char *name);       /* a layer by name; -1: none */
NIGH_API int nigh_network_inputs(const nigh_network *net);
NIGH_API int nigh_network_outputs(const nigh_network *net);
NIGH_API int nigh_network_input_layer(const nigh_network *net, int i);  /* number of the layer */
NIGH_API int nigh_network_output_layer(const nigh_network *net, int i);
NIGH_API const nigh_shape *nigh_network_input_shape(const nigh_network *net, int i); /* with -1 for what may be any */
NIGH_API nigh_parameters *nigh_network_parameters(nigh_network *net);

/* The value of an attribute, or `otherwise` when the layer has none of that name. */
NIGH_API double nigh_layer_number(const nigh_layer *layer, const char *key, double otherwise);
NIGH_API const char *nigh_layer_text(const nigh_layer *layer, const char *key, const char *otherwise);

/* ---- recording on a tape ------------------------------------------------------------------------------ */

/* Sees the result of a layer and gives what stands in its place: itself (to keep its number), or another node of the same shape. */
typedef nigh_node nigh_hook_fn(void *user, nigh_tape *tape, int layer, nigh_node value);

/* A weight that a layer changes itself when it is trained (running means): after a step it takes the value of `node`. */
typedef struct nigh_update {
    int parameter;
    nigh_node value;
} nigh_update;

enum { NIGH_MAX_UPDATES = 256 };

/* How a network is recorded; NULL: for use, without hook. */
typedef struct nigh_recording {
    bool train;          /* dropout and batch statistics as in training */
    nigh_hook_fn *hook;
    void *user;
    int updates;         /* given back, when train */
    nigh_update update[NIGH_MAX_UPDATES];
} nigh_recording;

/* inputs[nigh_network_inputs], parameters[nigh_parameters_count] (nigh_parameters_record), outputs[nigh_network_outputs]. */
NIGH_API nigh_status nigh_network_record(nigh_network *net, nigh_tape *tape, nigh_recording *how, const nigh_node *inputs, const nigh_node *parameters,
                                         nigh_node *outputs);

/* What a kind of layer sees when it records itself. */
typedef struct nigh_layer_call {
    nigh_tape *tape;
    const nigh_layer *layer;
    const nigh_node *input;     /* [layer->inputs] */
    const nigh_node *parameter; /* [layer->parameters] */
    nigh_recording *how;        /* never NULL */
    uint64_t stream;            /* of its own, for nigh_tape_noise */
} nigh_layer_call;

/* The kinds of layers: one descriptor each, listed in src/nn/layers.c. record gives NIGH_NONE after a failure of the tape. */
typedef struct nigh_layer_kind {
    const char *name, *summary;
    int least_inputs, most_inputs; /* most -1: any */
    nigh_node (*record)(const nigh_layer_call *call);
} nigh_layer_kind;

NIGH_API const nigh_layer_kind *nigh_layer_kind_find(const char *name); /* NULL: unknown */
NIGH_API const nigh_layer_kind *nigh_layer_kind_at(int i);              /* NULL beyond the last */

#ifdef __cplusplus
}
#endif
#endif
