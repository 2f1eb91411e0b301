/* Inputs, linear layers, elementwise functions, sums and products, shapes. Listed in nn/layers.h. */
#include "nn/layers.h"

static nigh_node input(const nigh_layer_call *c) { return NIGH_NONE; }

static nigh_node linear(const nigh_layer_call *c)
{
    return nigh_tape_linear(c->tape, c->input[0], c->parameter[0], c->layer->parameters > 1 ? c->parameter[1] : NIGH_NONE);
}

#define UNARY(function)                                                                                                                    \
    static nigh_node layer_##function(const nigh_layer_call *c) { return nigh_tape_##function(c->tape, c->input[0]); }
UNARY(relu)
UNARY(gelu)
UNARY(silu)
UNARY(tanh)
UNARY(sigmoid)
UNARY(exp)
UNARY(log)
UNARY(sin)
UNARY(cos)
UNARY(square)
UNARY(abs)
UNARY(neg)
UNARY(sqrt)

static nigh_node softplus(const nigh_layer_call *c) { return nigh_tape_softplus(c->tape, c->input[0], nigh_layer_number(c->layer, "beta", 1)); }
static nigh_node leaky_relu(const nigh_layer_call *c) { return nigh_tape_leaky_relu(c->tape, c->input[0], nigh_layer_number(c->layer, "slope", 0.01)); }

static nigh_node affine(const nigh_layer_call *c)
{
    return nigh_tape_affine(c->tape, c->input[0], nigh_layer_number(c->layer, "scale", 1), nigh_layer_number(c->layer, "shift", 0));
}

static nigh_node add(const nigh_layer_call *c)
{
    nigh_node sum = c->input[0];
    for (int i = 1; i < c->layer->inputs; i++) sum = nigh_tape_add(c->tape, sum, c->input[i]);
    return sum;
}

static nigh_node sub(const nigh_layer_call *c) { return nigh_tape_sub(c->tape, c->input[0], c->input[1]); }
static nigh_node mul(const nigh_layer_call *c) { return nigh_tape_mul(c->tape, c->input[0], c->input[1]); }

static nigh_node concat(const nigh_layer_call *c)
{
    return nigh_tape_concat(c->tape, c->layer->inputs, c->input, (int)nigh_layer_number(c->layer, "axis", -1));
}

/* [N, ...] to [N, all]. */
static nigh_node flatten(const nigh_layer_call *c)
{
    const nigh_shape *shape = nigh_tape_shape(c->tape, c->input[0]);
    return nigh_tape_reshape(c->tape, c->input[0], 2, (int64_t[]){shape->ndim ? shape->dim[0] : 1, -1});
}

const nigh_layer_kind layers_basic[] = {
    {"input", "what comes in", 0, 0, input},
    {"linear", "x W + b", 1, 1, linear},
    {"relu", "max(x, 0)", 1, 1, layer_relu},
    {"leaky-relu", "x > 0 ? x : slope x", 1, 1, leaky_relu},
    {"gelu", "x Phi(x)", 1, 1, layer_gelu},
    {"silu", "x sigmoid(x)", 1, 1, layer_silu},
    {"tanh", "hyperbolic tangent", 1, 1, layer_tanh},
    {"sigmoid", "1 / (1 + exp(-x))", 1, 1, layer_sigmoid},
    {"softplus", "log(1 + exp(beta x)) / beta", 1, 1, softplus},
    {"exp", "exponential", 1, 1, layer_exp},
    {"log", "natural logarithm", 1, 1, layer_log},
    {"sin", "sine", 1, 1, layer_sin},
    {"cos", "cosine", 1, 1, layer_cos},
    {"square", "x^2", 1, 1, layer_square},
    {"abs", "absolute value", 1, 1, layer_abs},
    {"neg", "-x", 1, 1, layer_neg},
    {"sqrt", "square root", 1, 1, layer_sqrt},
    {"affine", "scale x + shift", 1, 1, affine},
    {"add", "sum of the inputs", 1, -1, add},
    {"sub", "difference", 2, 2, sub},
    {"mul", "product", 2, 2, mul},
    {"concat", "behind each other along axis", 1, -1, concat},
    {"flatten", "[N, ...] to [N, all]", 1, 1, flatten},
    {0},
};
