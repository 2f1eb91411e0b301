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
NIGH_API nigh_context *nigh_network_context(const nigh_network *net);

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

/* A whole number, cut to +-(2^31 - 1). A list as in "0,-1,3" into value[most]: how many; -1 when it is absent or not such a list. "" is an empty one. */
NIGH_API int64_t nigh_layer_integer(const nigh_layer *layer, const char *key, int64_t otherwise);
NIGH_API int nigh_layer_list(const nigh_layer *layer, const char *key, int most, int64_t *value);

/* ---- recording on a tape ------------------------------------------------------------------------------ */

/* Sees the result of a layer (inputs too) and gives what stands in its place: itself (to keep its number), or another node of the same shape and type. */
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

/* ---- hooks at hand; `user` points to what stands in their names -------------------------------------- */

/* Layers and a node for each. */
typedef struct nigh_hook_nodes {
    int n;
    const int *layer;
    nigh_node *node;
} nigh_hook_nodes;

NIGH_API nigh_hook_fn nigh_hook_collect; /* nigh_hook_nodes: puts the chosen layers' results into node[] (NIGH_NONE where there is none yet) */
NIGH_API nigh_hook_fn nigh_hook_replace; /* nigh_hook_nodes: node[] stands in the place of the results */
NIGH_API nigh_hook_fn nigh_hook_mask;    /* nigh_hook_nodes: the results times node[], broadcast */

/* Fake quantisation of chosen layers: see nigh_tape_quantise. */
typedef struct nigh_hook_grids {
    int n;
    const int *layer;
    const double *low, *high; /* [n] */
    int levels;
} nigh_hook_grids;
NIGH_API nigh_hook_fn nigh_hook_quantise;

/* Several hooks, one after another. */
typedef struct nigh_hook_list {
    int n;
    nigh_hook_fn *const *hook;
    void *const *user;
} nigh_hook_list;
NIGH_API nigh_hook_fn nigh_hook_chain;

/*
 * x rounded to the nearest of `levels` (2 .. 2^24) equally spaced numbers from low to high (finite, low < high), ties to even places; the gradient passes as
 * if it were only clamped (straight through: "Estimating or Propagating Gradients Through Stochastic Neurons", 2013). For weights and results.
 */
NIGH_API nigh_node nigh_tape_quantise(nigh_tape *tape, nigh_node x, double low, double high, int levels);

/* ---- what a network does, on paper ------------------------------------------------------------------ */

typedef enum nigh_network_style { NIGH_NETWORK_TABLE, NIGH_NETWORK_JSON } nigh_network_style;

/*
 * Layers in order for inputs of these shapes [nigh_network_inputs]: name, kind, shape of the result, weights, floating-point operations (2 for each
 * multiply-add of products and convolutions, 1 an element for everything else), bytes of the result; and the totals. Appended to `text`.
 */
NIGH_API nigh_status nigh_network_describe(nigh_network *net, const nigh_shape *inputs, nigh_network_style style, nigh_buffer *text);

/* ---- copies and files ------------------------------------------------------------------------------- */

/* A network of its own with the same layers and weights, in f32 or f64. NIGH_INVALID: a weight that f32 cannot hold. */
NIGH_API nigh_status nigh_network_clone(nigh_network *net, nigh_dtype dtype, nigh_network **copy);

/*
 * safetensors: the weights under their names, the layers as JSON in the metadata ("nigh-network", version 1). Reading checks everything, so that files from
 * anywhere may be read: at most 16384 layers, known kinds, earlier inputs, unique names, finite weights, no tensor too many. NIGH_FORMAT names what is wrong.
 */
NIGH_API nigh_status nigh_network_save(nigh_network *net, const char *path);
NIGH_API nigh_status nigh_network_format(nigh_network *net, nigh_buffer *bytes);
NIGH_API nigh_status nigh_network_load(nigh_context *ctx, const char *path, nigh_network **net);
NIGH_API nigh_status nigh_network_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_network **net);

/* ---- use -------------------------------------------------------------------------------------------- */

/*
 * The network in f64 by the plainest loops, independent of the tape: the measure that faster executions are held against. inputs and
 * outputs are f64 arrays (tokens as numbers); outputs[nigh_network_outputs] are freed by nigh_array_free. NIGH_UNSUPPORTED names a kind without such a rule.
 */
NIGH_API nigh_status nigh_network_evaluate_f64(nigh_network *net, const nigh_array *inputs, nigh_array *outputs);

/*
 * A network prepared to be applied to any number of samples by many threads at once. The first dimension of every input and output counts the samples;
 * `shapes` [nigh_network_inputs] are those of the inputs, whose first dimension is not looked at. It works through the samples in batches of the sizes
 * batch[batches] (1 .. 16 sizes, the last of them 1 after sorting down; none: 128, 16, 1). It reads the network's weights where they are: the network must
 * stay, and no weight be added.
 */
typedef struct nigh_network_runner nigh_network_runner;
NIGH_API nigh_status nigh_network_runner_new(nigh_network *net, const nigh_shape *shapes, int batches, const int64_t *batch, int threads,
                                             nigh_network_runner **runner);
NIGH_API void nigh_network_runner_free(nigh_network_runner *runner); /* NULL is fine */
NIGH_API size_t nigh_network_runner_workspace(const nigh_network_runner *runner); /* bytes */
NIGH_API const nigh_shape *nigh_network_runner_shape(const nigh_network_runner *runner, int output); /* of one sample in a batch of 1 */

/* samples of inputs[i] to outputs[o]. Allocates nothing; with threads 1 several threads may run one runner, each in a workspace of its own. Cannot fail. */
NIGH_API void nigh_network_runner_apply(const nigh_network_runner *runner, int64_t samples, const void *const *inputs, void *const *outputs, void *workspace);

/*
 * Appends one C99 file without dependencies (beyond the C library) that computes the network for inputs of these shapes [nigh_network_inputs]:
 * void NAME(const float *x0, .., float *y0, .., float *s), NAME_many for several calls in a row, NAME_SCRATCH numbers of working memory; double when the
 * network is f64, int32_t for tokens. Steps, fusion and memory are those of an executor of one thread; weights are in the file as bits, and what depends on
 * them alone (kernels resampled, the running statistics of batch norms) as the numbers that come out. Results agree with the tape's to 1e-5 relative to their
 * size (f32). name: letters, digits, _. NIGH_UNSUPPORTED names an operator that has no form in C here: recurrences, state spaces, the delta rule, rotary
 * positions, sorting, sums over segments, weights of transposed convolutions that are computed of inputs. About 11 bytes a weight. The network is run once.
 */
NIGH_API nigh_status nigh_network_export(nigh_network *net, const nigh_shape *inputs, const char *name, nigh_buffer *text);

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
