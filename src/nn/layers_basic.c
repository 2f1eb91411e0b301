/* Inputs, weights as values, linear layers, elementwise functions, products. Listed in nn/layers.h. */
#include "nn/layers.h"

static nigh_node input(const nigh_layer_call *c) { return NIGH_NONE; }
static nigh_node constant(const nigh_layer_call *c) { return nigh_tape_affine(c->tape, c->parameter[0], 1, 0); }

static nigh_node linear(const nigh_layer_call *c)
{
    if (c->layer->parameters < 1 || c->layer->parameters > 2) return layers_fail(c, "%d weights; 1 or 2 are allowed", c->layer->parameters), NIGH_NONE;
    return nigh_tape_linear(c->tape, c->input[0], c->parameter[0], c->parameter[1]);
}

#define UNARY(function)                                                                                                                    \
    static nigh_node layer_##function(const nigh_layer_call *c) { return nigh_tape_##function(c->tape, c->input[0]); }
UNARY(relu)
UNARY(gelu)
UNARY(silu)
UNARY(tanh)
UNARY(sigmoid)
UNARY(exp)
UNARY(expm1)
UNARY(log)
UNARY(log1p)
UNARY(sin)
UNARY(cos)
UNARY(square)
UNARY(abs)
UNARY(neg)
UNARY(sign)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(reciprocal)
UNARY(erf)
UNARY(step)
UNARY(round)
UNARY(floor)
UNARY(stop)

#define BINARY(function)                                                                                                                   \
    static nigh_node layer_##function(const nigh_layer_call *c) { return nigh_tape_##function(c->tape, c->input[0], c->input[1]); }
BINARY(sub)
BINARY(div)
BINARY(greater)
BINARY(equal)

/* Of any number of inputs, from the first on. */
#define FOLD(function)                                                                                                                     \
    static nigh_node layer_##function(const nigh_layer_call *c)                                                                            \
    {                                                                                                                                      \
        nigh_node all = c->input[0];                                                                                                       \
        for (int i = 1; i < c->layer->inputs; i++) all = nigh_tape_##function(c->tape, all, c->input[i]);                                  \
        return all;                                                                                                                        \
    }
FOLD(add)
FOLD(mul)
FOLD(min)
FOLD(max)

static nigh_node where(const nigh_layer_call *c) { return nigh_tape_where(c->tape, c->input[0], c->input[1], c->input[2]); }
static nigh_node softplus(const nigh_layer_call *c) { return nigh_tape_softplus(c->tape, c->input[0], nigh_layer_number(c->layer, "beta", 1)); }
static nigh_node leaky_relu(const nigh_layer_call *c) { return nigh_tape_leaky_relu(c->tape, c->input[0], nigh_layer_number(c->layer, "slope", 0.01)); }
static nigh_node power(const nigh_layer_call *c) { return nigh_tape_pow(c->tape, c->input[0], nigh_layer_number(c->layer, "exponent", 2)); }

static nigh_node affine(const nigh_layer_call *c)
{
    return nigh_tape_affine(c->tape, c->input[0], nigh_layer_number(c->layer, "scale", 1), nigh_layer_number(c->layer, "shift", 0));
}

static nigh_node clamp(const nigh_layer_call *c)
{
    return nigh_tape_clamp(c->tape, c->input[0], nigh_layer_number(c->layer, "low", -1e308), nigh_layer_number(c->layer, "high", 1e308));
}

static nigh_node channel_affine(const nigh_layer_call *c)
{
    if (c->layer->parameters < 1 || c->layer->parameters > 2) return layers_fail(c, "%d weights; 1 or 2 are allowed", c->layer->parameters), NIGH_NONE;
    nigh_node y = nigh_tape_mul(c->tape, c->input[0], c->parameter[0]);
    return c->layer->parameters > 1 ? nigh_tape_add(c->tape, y, c->parameter[1]) : y;
}

static nigh_node matmul(const nigh_layer_call *c)
{
    bool a = nigh_layer_number(c->layer, "transpose-a", 0) != 0, b = nigh_layer_number(c->layer, "transpose-b", 0) != 0;
    return nigh_tape_matmul(c->tape, c->input[0], c->input[1], (a ? NIGH_TRANSPOSE_A : 0) | (b ? NIGH_TRANSPOSE_B : 0));
}

const nigh_layer_kind layers_basic[] = {
    {"input", "what comes in", 0, 0, input},
    {"constant", "a weight as it is", 0, 0, constant},
    {"linear", "x W + b", 1, 1, linear},
    {"matmul", "a b, each transposed by transpose-a, transpose-b", 2, 2, matmul},
    {"channel-affine", "x times a weight, plus a second when there is one, along the last dimensions", 1, 1, channel_affine},
    {"relu", "max(x, 0)", 1, 1, layer_relu},
    {"leaky-relu", "x > 0 ? x : slope x", 1, 1, leaky_relu},
    {"gelu", "x Phi(x)", 1, 1, layer_gelu},
    {"silu", "x sigmoid(x)", 1, 1, layer_silu},
    {"tanh", "hyperbolic tangent", 1, 1, layer_tanh},
    {"sigmoid", "1 / (1 + exp(-x))", 1, 1, layer_sigmoid},
    {"softplus", "log(1 + exp(beta x)) / beta", 1, 1, softplus},
    {"erf", "error function", 1, 1, layer_erf},
    {"exp", "exponential", 1, 1, layer_exp},
    {"expm1", "exp(x) - 1", 1, 1, layer_expm1},
    {"log", "natural logarithm", 1, 1, layer_log},
    {"log1p", "log(1 + x)", 1, 1, layer_log1p},
    {"sin", "sine", 1, 1, layer_sin},
    {"cos", "cosine", 1, 1, layer_cos},
    {"square", "x^2", 1, 1, layer_square},
    {"pow", "x^exponent", 1, 1, power},
    {"abs", "absolute value", 1, 1, layer_abs},
    {"neg", "-x", 1, 1, layer_neg},
    {"sign", "-1, 0, 1", 1, 1, layer_sign},
    {"sqrt", "square root", 1, 1, layer_sqrt},
    {"rsqrt", "1 / square root", 1, 1, layer_rsqrt},
    {"reciprocal", "1 / x", 1, 1, layer_reciprocal},
    {"step", "x > 0 ? 1 : 0", 1, 1, layer_step},
    {"round", "to nearest, ties to even", 1, 1, layer_round},
    {"floor", "largest whole number not above x", 1, 1, layer_floor},
    {"clamp", "to low .. high", 1, 1, clamp},
    {"affine", "scale x + shift", 1, 1, affine},
    {"stop", "x; gradients do not pass", 1, 1, layer_stop},
    {"add", "sum of the inputs", 1, -1, layer_add},
    {"sub", "difference", 2, 2, layer_sub},
    {"mul", "product of the inputs", 1, -1, layer_mul},
    {"div", "quotient", 2, 2, layer_div},
    {"min", "smallest of the inputs", 1, -1, layer_min},
    {"max", "largest of the inputs", 1, -1, layer_max},
    {"greater", "a > b ? 1 : 0", 2, 2, layer_greater},
    {"equal", "a = b ? 1 : 0", 2, 2, layer_equal},
    {"where", "a != 0 ? b : c", 3, 3, where},
    {0},
};
