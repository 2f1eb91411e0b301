/* Plain rules: elementwise functions and products of matrices. Listed in nn/network_evaluate.h. */
#include "nn/network_evaluate.h"

#include <math.h>
#include <string.h>

/* ---- one input ---------------------------------------------------------------------------------------- */

typedef double function(double x, double p, double q);

static double f_relu(double x, double p, double q) { return x > 0 ? x : 0; }
static double f_leaky(double x, double p, double q) { return x > 0 ? x : p * x; }
static double f_gelu(double x, double p, double q) { return x / 2 * (1 + erf(x / sqrt(2))); }
static double f_sigmoid(double x, double p, double q) { return 1 / (1 + exp(-x)); }
static double f_silu(double x, double p, double q) { return x / (1 + exp(-x)); }
static double f_tanh(double x, double p, double q) { return tanh(x); }
static double f_softplus(double x, double p, double q) { return (p * x > 0 ? p * x + log1p(exp(-p * x)) : log1p(exp(p * x))) / p; }
static double f_erf(double x, double p, double q) { return erf(x); }
static double f_exp(double x, double p, double q) { return exp(x); }
static double f_expm1(double x, double p, double q) { return expm1(x); }
static double f_log(double x, double p, double q) { return log(x); }
static double f_log1p(double x, double p, double q) { return log1p(x); }
static double f_sin(double x, double p, double q) { return sin(x); }
static double f_cos(double x, double p, double q) { return cos(x); }
static double f_square(double x, double p, double q) { return x * x; }
static double f_pow(double x, double p, double q) { return pow(x, p); }
static double f_abs(double x, double p, double q) { return fabs(x); }
static double f_neg(double x, double p, double q) { return -x; }
static double f_sign(double x, double p, double q) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double f_sqrt(double x, double p, double q) { return sqrt(x); }
static double f_rsqrt(double x, double p, double q) { return 1 / sqrt(x); }
static double f_reciprocal(double x, double p, double q) { return 1 / x; }
static double f_step(double x, double p, double q) { return x > 0 ? 1 : 0; }
static double f_round(double x, double p, double q) { return nearbyint(x); }
static double f_floor(double x, double p, double q) { return floor(x); }
static double f_clamp(double x, double p, double q) { return x < p ? p : x > q ? q : x; }
static double f_affine(double x, double p, double q) { return p * x + q; }
static double f_same(double x, double p, double q) { return x; }

static const struct {
    const char *kind;
    function *f;
    const char *p, *q; /* attributes, and what they are without */
    double p_default, q_default;
} functions[] = {{"relu", f_relu, NULL, NULL, 0, 0}, {"leaky-relu", f_leaky, "slope", NULL, 0.01, 0}, {"gelu", f_gelu, NULL, NULL, 0, 0},
    {"sigmoid", f_sigmoid, NULL, NULL, 0, 0}, {"silu", f_silu, NULL, NULL, 0, 0}, {"tanh", f_tanh, NULL, NULL, 0, 0},
    {"softplus", f_softplus, "beta", NULL, 1, 0}, {"erf", f_erf, NULL, NULL, 0, 0}, {"exp", f_exp, NULL, NULL, 0, 0}, {"expm1", f_expm1, NULL, NULL, 0, 0},
    {"log", f_log, NULL, NULL, 0, 0}, {"log1p", f_log1p, NULL, NULL, 0, 0}, {"sin", f_sin, NULL, NULL, 0, 0}, {"cos", f_cos, NULL, NULL, 0, 0},
    {"square", f_square, NULL, NULL, 0, 0}, {"pow", f_pow, "exponent", NULL, 2, 0}, {"abs", f_abs, NULL, NULL, 0, 0}, {"neg", f_neg, NULL, NULL, 0, 0},
    {"sign", f_sign, NULL, NULL, 0, 0}, {"sqrt", f_sqrt, NULL, NULL, 0, 0}, {"rsqrt", f_rsqrt, NULL, NULL, 0, 0},
    {"reciprocal", f_reciprocal, NULL, NULL, 0, 0}, {"step", f_step, NULL, NULL, 0, 0}, {"round", f_round, NULL, NULL, 0, 0},
    {"floor", f_floor, NULL, NULL, 0, 0}, {"clamp", f_clamp, "low", "high", -1e308, 1e308}, {"affine", f_affine, "scale", "shift", 1, 0},
    {"stop", f_same, NULL, NULL, 0, 0}};

static nigh_status one(const evaluation *e)
{
    size_t k = 0;
    while (strcmp(functions[k].kind, e->layer->kind)) k++;
    const nigh_shape *shape = &e->input->shape;
    double p = functions[k].p ? nigh_layer_number(e->layer, functions[k].p, functions[k].p_default) : 0;
    double q = functions[k].q ? nigh_layer_number(e->layer, functions[k].q, functions[k].q_default) : 0;
    nigh_status status = evaluate_out(e, shape->ndim, shape->dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(shape); i++) evaluate_numbers(e->out)[i] = functions[k].f(evaluate_numbers(e->input)[i], p, q);
    return status;
}

/* ---- several inputs ----------------------------------------------------------------------------------- */

static nigh_status broadcast(const evaluation *e, int n, const nigh_array *x)
{
    nigh_shape shape = x[0].shape;
    for (int i = 1; i < n; i++) {
        const nigh_shape *s = &x[i].shape;
        if (s->ndim > shape.ndim) { /* new dimensions in front */
            memmove(shape.dim + (s->ndim - shape.ndim), shape.dim, (size_t)shape.ndim * sizeof *shape.dim);
            for (int k = 0; k < s->ndim - shape.ndim; k++) shape.dim[k] = 1;
            shape.ndim = s->ndim;
        }
        for (int k = 1; k <= s->ndim; k++) {
            int64_t *to = &shape.dim[shape.ndim - k], size = s->dim[s->ndim - k];
            if (*to == 1) *to = size;
            else if (size != 1 && size != *to) return evaluate_fail(e, "sizes %lld and %lld do not fit", (long long)*to, (long long)size);
        }
    }
    return evaluate_out(e, shape.ndim, shape.dim);
}

static double of_two(const char *kind, double a, double b)
{
    if (!strcmp(kind, "add")) return a + b;
    if (!strcmp(kind, "sub")) return a - b;
    if (!strcmp(kind, "mul")) return a * b;
    if (!strcmp(kind, "div")) return a / b;
    if (!strcmp(kind, "min")) return isnan(a) || a < b ? a : b;
    if (!strcmp(kind, "max")) return isnan(a) || a > b ? a : b;
    if (!strcmp(kind, "greater")) return a > b;
    return a == b;
}

static nigh_status many(const evaluation *e)
{
    nigh_status status = broadcast(e, e->layer->inputs, e->input);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        double y = evaluate_numbers(&e->input[0])[evaluate_from(&e->out->shape, i, &e->input[0].shape)];
        for (int k = 1; k < e->layer->inputs; k++)
            y = of_two(e->layer->kind, y, evaluate_numbers(&e->input[k])[evaluate_from(&e->out->shape, i, &e->input[k].shape)]);
        evaluate_numbers(e->out)[i] = y;
    }
    return status;
}

static nigh_status where(const evaluation *e)
{
    nigh_status status = broadcast(e, 3, e->input);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        double c = evaluate_numbers(&e->input[0])[evaluate_from(&e->out->shape, i, &e->input[0].shape)];
        const nigh_array *x = &e->input[c != 0 ? 1 : 2];
        evaluate_numbers(e->out)[i] = evaluate_numbers(x)[evaluate_from(&e->out->shape, i, &x->shape)];
    }
    return status;
}

static nigh_status channel_affine(const evaluation *e)
{
    nigh_array all[3] = {e->input[0], e->parameter[0], e->layer->parameters > 1 ? e->parameter[1] : e->parameter[0]};
    nigh_status status = broadcast(e, 3, all);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        double v[3];
        for (int k = 0; k < 3; k++) v[k] = evaluate_numbers(&all[k])[evaluate_from(&e->out->shape, i, &all[k].shape)];
        evaluate_numbers(e->out)[i] = v[0] * v[1] + (e->layer->parameters > 1 ? v[2] : 0);
    }
    return status;
}

static nigh_status constant(const evaluation *e)
{
    const nigh_shape *shape = &e->parameter->shape;
    nigh_status status = evaluate_out(e, shape->ndim, shape->dim);
    if (!status) memcpy(e->out->data, e->parameter->data, (size_t)nigh_shape_count(shape) * sizeof(double));
    return status;
}

const evaluate_rule evaluate_elements[] = {{"relu", one}, {"leaky-relu", one}, {"gelu", one}, {"sigmoid", one}, {"silu", one}, {"tanh", one},
    {"softplus", one}, {"erf", one}, {"exp", one}, {"expm1", one}, {"log", one}, {"log1p", one}, {"sin", one}, {"cos", one}, {"square", one}, {"pow", one},
    {"abs", one}, {"neg", one}, {"sign", one}, {"sqrt", one}, {"rsqrt", one}, {"reciprocal", one}, {"step", one}, {"round", one}, {"floor", one},
    {"clamp", one}, {"affine", one}, {"stop", one}, {"add", many}, {"sub", many}, {"mul", many}, {"div", many}, {"min", many}, {"max", many},
    {"greater", many}, {"equal", many}, {"where", where}, {"channel-affine", channel_affine}, {"constant", constant}, {NULL, NULL}};
