/*
 * Networks as bounds see them: the values of one sample as flat vectors, joined by affine maps and element-wise activations, with weights in f64 (exact
 * copies of stored f32 ones, or rounded with a known error). Whatever a network's layers are called, only these nodes remain: maxima are sums of relus,
 * shapes and orders are sparse maps, scales and batch norms are folded into their neighbours where they have one.
 *
 * Meaning. Node k stands for the real-valued function of the real input that the network's real arithmetic gives. A stored coefficient w' of a node stands
 * for a real w with |w' - w| <= slack 2^-53 |w'|, a stored bias b' for b with |b' - b| <= bias_error. `roundings` bounds the number of f32 roundings through
 * which any evaluation of this node in f32 takes each of its terms, in whatever order it adds, with scales taken into weights before or not (for --semantics f32). Sums
 * of products are meant; convolutions by transforms (Winograd, Fourier) round otherwise. Maxima are exact. The parts of a linear resampling are those of exact places.
 */
#ifndef NIGH_VERIFY_GRAPH_H
#define NIGH_VERIFY_GRAPH_H
#include "nigh/network.h"

typedef enum bound_kind {
    BOUND_INPUT,       /* the one input vector: node 0 */
    BOUND_DENSE,       /* y = W x + b, weight [size, inputs], rows are outputs */
    BOUND_CONVOLUTION, /* on fields, channels last */
    BOUND_SPARSE,      /* y = S x + b, S in compressed rows */
    BOUND_SUM,         /* y = sum_i scale_i x_i of nodes of the same size; scales are +1 or -1 */
    BOUND_ACTIVATION   /* y_j = f(x_j) */
} bound_kind;

typedef enum bound_function {
    BOUND_RELU,
    BOUND_LEAKY,    /* x > 0 ? x : p[0] x, any finite p[0] */
    BOUND_CLIP,     /* min(max(x, p[0]), p[1]) */
    BOUND_ABS,
    BOUND_SIGMOID,
    BOUND_TANH,
    BOUND_SOFTPLUS,
    BOUND_ELU,      /* x > 0 ? x : p[0] (e^x - 1), 0 <= p[0] */
    BOUND_EXP,
    BOUND_SQUARE,
    BOUND_SIN,
    BOUND_COS,
    BOUND_GELU,     /* by erf */
    BOUND_GELU_TANH,
    BOUND_SILU,
    BOUND_FUNCTIONS
} bound_function;

/* y [out_height, out_width, out_channels] from x [height, width, channels], zeros outside; weight [kernel_h, kernel_w, channels / groups, out_channels]. */
typedef struct bound_window {
    int64_t height, width, channels, out_height, out_width, out_channels;
    int64_t kernel[2], stride[2], dilation[2], pad[2]; /* pad: zeros before the first row and column */
    int64_t groups;
} bound_window;

typedef struct bound_node {
    bound_kind kind;
    const char *name;           /* of the layer it comes from */
    int inputs;
    const int *input;           /* [inputs] earlier nodes; 1 for all kinds but INPUT (0) and SUM (1 or more) */
    int64_t size;               /* numbers of its result */
    const double *weight;       /* DENSE, CONVOLUTION; SPARSE: [entries] */
    const double *bias;         /* [size]; NULL: none */
    const double *bias_error;   /* [size]; NULL: exact */
    const double *bias_size;    /* [size]: absolute values of what a bias is the sum of, for roundings in f32; NULL: |bias| */
    const int64_t *row;         /* SPARSE: [size + 1] */
    const int32_t *column;      /* SPARSE: [entries] */
    bound_window window;        /* CONVOLUTION */
    const double *scale;        /* SUM: [inputs] */
    bound_function function;    /* ACTIVATION */
    double p[2];
    int slack, roundings;
} bound_node;

typedef struct bound_graph {
    nigh_context *ctx;
    nigh_arena *arena;          /* holds all that is pointed to */
    int nodes;
    bound_node *node;           /* node[0] is the input */
    int output;                 /* a node: outputs flattened and concatenated in order, then (when asked for) the inputs */
    int64_t inputs, outputs;    /* sizes of node 0 and of the output (without the inputs appended) */
    int activations;
    int *activation;            /* [activations] the nodes of kind ACTIVATION, in order */
} bound_graph;

/*
 * The graph of a network for one sample: inputs of these shapes [nigh_network_inputs], whose first dimension is taken as given (-1 becomes 1), flattened in the order
 * of the file and concatenated. `with_inputs` appends the inputs to the output vector, for properties that speak of both.
 * NIGH_UNSUPPORTED names the layer whose kind is neither affine nor element-wise (a product of two results, recurrences, tokens); NIGH_INVALID: shapes
 * that do not fit, a weight that is not finite. Layers are taken together where that is exact or the rounding is known; products of factors below 2^-900 are refused.
 */
nigh_status bound_graph_new(nigh_context *ctx, nigh_network *net, const nigh_shape *shapes, bool with_inputs, bound_graph **graph);
void bound_graph_free(bound_graph *graph); /* NULL is fine */

/*
 * A softmax or log-softmax that makes the only output and that nothing else reads: its layer; -1: the network does not end so. And the graph of what goes into it, without inputs behind:
 * elements i and j of one row are in the order of the outputs there (as real numbers); rows are the elements i of equal i / (size stride) and i % stride.
 */
int bound_graph_last_softmax(nigh_network *net);
nigh_status bound_graph_new_before_softmax(nigh_context *ctx, nigh_network *net, const nigh_shape *shapes, bound_graph **graph, int64_t *size, int64_t *stride);

/* Chains in hand: weights[i] [size[i+1], size[i]] in f64 and bias[i] (NULL entries: none), `function` between them: for tests and for methods that make networks themselves. */
nigh_status bound_graph_chain(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, const double *const *bias, bound_function function,
                              bound_graph **graph);

/* True when the graph is a chain of dense maps with relu between them (dense maps that follow each other were multiplied only if exact); dense[i]: its nodes. */
bool bound_graph_is_chain(const bound_graph *graph, int most, int *layers, int *dense);

/* y [output's size] of x in plain f64, no bound on rounding. `value` (NULL: not wanted): [nodes] pointers to arrays that get every node's result. */
nigh_status bound_graph_evaluate(const bound_graph *graph, const double *x, double *y, double *const *value);
#endif
