/* The functions that the family knows by name: where they are finite and what symmetry they have. */
#include "function/target.h"

#include <math.h>

static const named_function names[FUNCTION_NAMED] = {
    [FUNCTION_EXP] = {FUNCTION_EXP, "exp", "exp(x)", NIGH_OP_EXP, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_EXP2] = {FUNCTION_EXP2, "exp2", "exp2(x)", NIGH_OP_EXP2, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_LOG] = {FUNCTION_LOG, "log", "log(x)", NIGH_OP_LOG, 0, INFINITY, .open_low = true},
    [FUNCTION_LOG2] = {FUNCTION_LOG2, "log2", "log2(x)", NIGH_OP_LOG2, 0, INFINITY, .open_low = true},
    [FUNCTION_SIN] = {FUNCTION_SIN, "sin", "sin(x)", NIGH_OP_SIN, -INFINITY, INFINITY, .odd = true},
    [FUNCTION_COS] = {FUNCTION_COS, "cos", "cos(x)", NIGH_OP_COS, -INFINITY, INFINITY, .even = true},
    [FUNCTION_TANH] = {FUNCTION_TANH, "tanh", "tanh(x)", NIGH_OP_TANH, -INFINITY, INFINITY, .odd = true},
    [FUNCTION_ERF] = {FUNCTION_ERF, "erf", "erf(x)", NIGH_OP_ERF, -INFINITY, INFINITY, .odd = true},
    [FUNCTION_SIGMOID] = {FUNCTION_SIGMOID, "sigmoid", "sigmoid(x)", NIGH_OP_SIGMOID, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_GELU] = {FUNCTION_GELU, "gelu", "gelu(x)", NIGH_OP_GELU, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_SILU] = {FUNCTION_SILU, "silu", "silu(x)", NIGH_OP_SILU, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_SOFTPLUS] = {FUNCTION_SOFTPLUS, "softplus", "softplus(x)", NIGH_OP_SOFTPLUS, -INFINITY, INFINITY, .odd = false},
    [FUNCTION_SQRT] = {FUNCTION_SQRT, "sqrt", "sqrt(x)", NIGH_OP_SQRT, 0, INFINITY, .odd = false},
    [FUNCTION_RSQRT] = {FUNCTION_RSQRT, "rsqrt", "rsqrt(x)", NIGH_OP_RSQRT, 0, INFINITY, .open_low = true},
};

const named_function *function_named(function_id id)
{
    return (unsigned)id < FUNCTION_NAMED ? &names[id] : NULL;
}

const named_function *function_named_by_op(nigh_op op)
{
    for (int id = 0; id < FUNCTION_NAMED; id++)
        if (names[id].op == op) return &names[id];
    return NULL;
}
