/* ONNX operators on elements, to layers. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool is_op(const onnx_reader *r, const char *op) { return !strcmp(r->node->op, op); }

/* Of input 0, in the order of dimensions in which it is at hand. */
static void apply(onnx_reader *r, const char *kind, int attributes, const nigh_attribute *attribute)
{
    bool last;
    int x = onnx_any(r, &last);
    onnx_set_any(r, onnx_add(r, kind, 1, &x, 0, NULL, attributes, attribute), last);
}

static const struct { const char *op, *kind; } unary_kinds[] = {{"Abs", "abs"}, {"Cos", "cos"}, {"Erf", "erf"}, {"Exp", "exp"}, {"Floor", "floor"}, {"Log", "log"},
    {"Neg", "neg"}, {"Reciprocal", "reciprocal"}, {"Relu", "relu"}, {"Round", "round"}, {"Sigmoid", "sigmoid"}, {"Sign", "sign"}, {"Sin", "sin"},
    {"Softplus", "softplus"}, {"Softsign", "softsign"}, {"Sqrt", "sqrt"}, {"Tanh", "tanh"}};

static void unary(onnx_reader *r)
{
    size_t k = 0;
    while (strcmp(unary_kinds[k].op, r->node->op)) k++;
    apply(r, unary_kinds[k].kind, 0, NULL);
}

/* ---- activations ---------------------------------------------------------------------------------------- */

static void leaky(onnx_reader *r) { apply(r, "leaky-relu", 1, (nigh_attribute[]){{"slope", onnx_float(r, "alpha", 0.01), NULL}}); }
static void elu(onnx_reader *r) { apply(r, "elu", 1, (nigh_attribute[]){{"alpha", onnx_float(r, "alpha", 1), NULL}}); }
static void not(onnx_reader *r) { apply(r, "affine", 2, (nigh_attribute[]){{"scale", -1, NULL}, {"shift", 1, NULL}}); }

/* A node made of several broadcasts to the rank of their numbers. */
static void set_ranked(onnx_reader *r, int y, bool last)
{
    if (!r->status && onnx_int(r, "rank", 0) > onnx_shape(r, y)->ndim) y = onnx_reshape(r, y, 1, (const int64_t[]){1});
    onnx_set_any(r, y, last);
}

static void gelu(onnx_reader *r)
{
    bool last;
    int x = onnx_any(r, &last);
    set_ranked(r, onnx_add_one(r, strcmp(onnx_text(r, "approximate", "none"), "tanh") ? "gelu" : "gelu-tanh", x), last);
}

/* x sigmoid(alpha x) */
static void swish(onnx_reader *r)
{
    bool last;
    int x = onnx_any(r, &last), exponent;
    double alpha = onnx_float(r, "alpha", 1);
    if (alpha == 1) x = onnx_add_one(r, "silu", x);
    else if (fabs(frexp(alpha, &exponent)) == 0.5) x = onnx_affine(r, onnx_add_one(r, "silu", onnx_affine(r, x, alpha, 0)), 1 / alpha, 0);
    else x = onnx_two(r, "mul", x, onnx_add_one(r, "sigmoid", onnx_affine(r, x, alpha, 0)));
    set_ranked(r, x, last);
}

static int elu_of(onnx_reader *r, int x, double alpha) { return onnx_add(r, "elu", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"alpha", alpha, NULL}}); }

static int hard_sigmoid(onnx_reader *r, int x, double alpha, double beta) { return onnx_clamp(r, onnx_affine(r, x, alpha, beta), 0, 1); }

static int step_above(onnx_reader *r, int x, double scale, double level) { return onnx_add_one(r, "step", onnx_affine(r, x, scale, -level)); }

/* Those that are composed of others. */
static void composed(onnx_reader *r)
{
    bool last;
    int x = onnx_any(r, &last), y = -1;
    if (is_op(r, "Selu")) y = onnx_affine(r, elu_of(r, x, onnx_float(r, "alpha", 1.67326319217681884765625)), onnx_float(r, "gamma", 1.05070102214813232421875), 0);
    else if (is_op(r, "Celu")) {
        double alpha = onnx_float(r, "alpha", 1);
        if (!(alpha != 0)) onnx_fail(r, NIGH_FORMAT, "alpha = 0");
        y = onnx_affine(r, elu_of(r, onnx_affine(r, x, 1 / alpha, 0), 1), alpha, 0);
    } else if (is_op(r, "HardSigmoid")) y = hard_sigmoid(r, x, onnx_float(r, "alpha", 0.2), onnx_float(r, "beta", 0.5));
    else if (is_op(r, "HardSwish")) y = onnx_two(r, "mul", x, hard_sigmoid(r, x, 1. / 6, 0.5));
    else if (is_op(r, "Mish")) y = onnx_two(r, "mul", x, onnx_add_one(r, "tanh", onnx_add_one(r, "softplus", x)));
    else if (is_op(r, "ThresholdedRelu")) y = onnx_two(r, "mul", x, step_above(r, x, 1, onnx_float(r, "alpha", 1)));
    else if (is_op(r, "Shrink")) { /* moved towards zero by bias, zero within lambd */
        double lambd = onnx_float(r, "lambd", 0.5), bias = onnx_float(r, "bias", 0);
        int above = onnx_two(r, "mul", onnx_affine(r, x, 1, -bias), step_above(r, x, 1, lambd)), below = onnx_two(r, "mul", onnx_affine(r, x, 1, bias), step_above(r, x, -1, lambd));
        y = onnx_two(r, "add", above, below);
    } else if (is_op(r, "Ceil")) y = onnx_add_one(r, "neg", onnx_add_one(r, "floor", onnx_add_one(r, "neg", x)));
    else if (is_op(r, "Tan")) y = onnx_two(r, "div", onnx_add_one(r, "sin", x), onnx_add_one(r, "cos", x));
    onnx_set_any(r, y, last);
}

/* max(x, 0) - slope max(-x, 0), with slopes that broadcast. */
static void prelu(onnx_reader *r)
{
    const onnx_value *slope = onnx_in(r, 1);
    bool last;
    if (!slope) return;
    const onnx_tensor *t = slope->tensor;
    if (t && t->count == 1) {
        apply(r, "leaky-relu", 1, (nigh_attribute[]){{"slope", t->data[0], NULL}});
        return;
    }
    int x = onnx_any(r, &last), below;
    if (r->status) return;
    const nigh_shape *s = onnx_shape(r, x);
    bool channels = t && last && t->count == s->dim[s->ndim - 1] && t->ndim && t->dim[0] == t->count && t->ndim == s->ndim - 1;
    if (last && !channels) x = onnx_layer(r, 0), last = false;
    below = onnx_add_one(r, "relu", onnx_add_one(r, "neg", x));
    if (channels) {
        int weight = onnx_weight(r, t->name, 1, &t->count, t->data);
        below = onnx_add(r, "channel-affine", 1, &below, 1, &weight, 0, NULL);
    } else
        below = onnx_two(r, "mul", below, onnx_layer(r, 1));
    onnx_set_any(r, onnx_two(r, "sub", onnx_add_one(r, "relu", x), below), last);
}

static void clip(onnx_reader *r)
{
    double bound[2] = {onnx_float(r, "min", -1e308), onnx_float(r, "max", 1e308)};
    for (int i = 1; i < 3; i++) {
        const onnx_tensor *t = onnx_has(r, i) ? onnx_fixed(r, i) : NULL;
        if (t && t->count == 1) bound[i - 1] = t->data[0];
        else if (t) onnx_fail(r, NIGH_FORMAT, "input %d is not one number", i);
        if (isinf(bound[i - 1]) || fabs(bound[i - 1]) >= FLT_MAX) bound[i - 1] = bound[i - 1] > 0 ? 1e308 : -1e308;
    }
    if (isnan(bound[0]) || isnan(bound[1])) onnx_fail(r, NIGH_FORMAT, "from %g to %g", bound[0], bound[1]);
    if (bound[0] > bound[1]) bound[0] = bound[1]; /* min(max(x, low), high) */
    apply(r, "clamp", 2, (nigh_attribute[]){{"low", bound[0], NULL}, {"high", bound[1], NULL}});
}

/* ---- two and more --------------------------------------------------------------------------------------- */

static const onnx_tensor *number_of(onnx_reader *r, int i)
{
    const onnx_value *v = onnx_in(r, i);
    return v && v->tensor && v->tensor->count == 1 && v->tensor->ndim <= 1 ? v->tensor : NULL;
}

/* x op number, or number op x, as an affine map; false when it is none. */
static bool with_number(onnx_reader *r)
{
    const char *op = r->node->op;
    bool division = !strcmp(op, "Div"), difference = !strcmp(op, "Sub"), known = division || difference || !strcmp(op, "Add") || !strcmp(op, "Mul"), last;
    if (r->node->inputs != 2 || !known || r->status) return false;
    const onnx_tensor *second = number_of(r, 1), *first = second || r->status ? NULL : number_of(r, 0), *t = second ? second : first;
    if (!t || !isfinite(t->data[0]) || (division && (first || t->data[0] == 0))) return false;
    double number = t->data[0], sign = difference && first ? -1 : 1;
    bool product = division || !strcmp(op, "Mul");
    const onnx_value *v = onnx_in(r, first != NULL);
    if (!v || (!v->tensor && t->ndim == 1 && v->layer >= 0 && onnx_shape(r, v->layer)->ndim == 0)) return false;
    last = v->last >= 0 && v->layer < 0 && !v->tensor;
    int x = last ? v->last : onnx_layer(r, first != NULL);
    onnx_set_any(r, onnx_affine(r, x, product ? (division ? 1 / number : number) : sign, product ? 0 : difference && second ? -number : number), last);
    return true;
}

/* A fixed tensor of as many dimensions as an image, its channels last. */
static int turned_tensor(onnx_reader *r, const onnx_tensor *t)
{
    int64_t dim[NIGH_MAX_DIMS] = {0}, channels = t->dim[1], space = 1;
    double *data = onnx_room(r, t->count);
    for (int i = 2; i < t->ndim; i++) dim[i - 1] = t->dim[i], space *= t->dim[i];
    dim[0] = t->dim[0], dim[t->ndim - 1] = channels;
    if (!data) return -1;
    for (int64_t n = 0; n < t->dim[0]; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t s = 0; s < space; s++) data[(n * space + s) * channels + c] = t->data[(n * channels + c) * space + s];
    return onnx_numbers(r, t->name, t->ndim, dim, data);
}

/* The inputs, all with channels last (*last) when the computed ones are at hand so and of one rank, else in the file's order. */
static int read_inputs(onnx_reader *r, int input[64], bool *last)
{
    int n = r->node->inputs, rank = -1;
    *last = true;
    if (n < 1 || n > 64) onnx_fail(r, NIGH_FORMAT, "%d inputs; 1 to 64 are allowed", n);
    for (int i = 0; i < n && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        if (!v || v->tensor) continue;
        if (v->last < 0 || (rank >= 0 && onnx_shape(r, v->last)->ndim != rank)) *last = false;
        else rank = onnx_shape(r, v->last)->ndim;
    }
    *last = *last && rank >= 0;
    for (int i = 0; i < n && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        if (v && v->tensor && v->tensor->count != 1 && v->tensor->ndim != rank) *last = false;
    }
    for (int i = 0; i < n && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        bool turn = v && v->tensor && *last && v->tensor->ndim == rank;
        input[i] = turn ? turned_tensor(r, v->tensor) : *last && v && v->last >= 0 ? v->last : onnx_layer(r, i);
    }
    return r->status ? 0 : n;
}

static void fold_over(onnx_reader *r)
{
    const char *op = r->node->op, *kind = is_op(r, "Add") || is_op(r, "Sum") || is_op(r, "Mean") ? "add" : is_op(r, "Sub") ? "sub" : is_op(r, "Mul") ? "mul" : is_op(r, "Div") ? "div" : is_op(r, "Min") ? "min" : "max";
    int input[64];
    bool last;
    if (!r->folding && with_number(r)) return;
    int n = read_inputs(r, input, &last), y = onnx_add(r, kind, n, input, 0, NULL, 0, NULL);
    if (!strcmp(op, "Mean")) y = onnx_affine(r, y, 1. / n, 0);
    if (!strcmp(op, "Div") && r->folding && onnx_in(r, 0) && onnx_is_whole(onnx_in(r, 0)->tensor->type)) /* towards zero */
        y = onnx_two(r, "mul", onnx_add_one(r, "sign", y), onnx_add_one(r, "floor", onnx_add_one(r, "abs", y)));
    onnx_set_any(r, y, last);
}

/* a - b floor(a / b), or with the sign of a. */
static void mod(onnx_reader *r)
{
    int input[64];
    bool last;
    if (read_inputs(r, input, &last) != 2) return;
    int ratio = onnx_two(r, "div", input[0], input[1]);
    if (onnx_int(r, "fmod", 0)) ratio = onnx_two(r, "mul", onnx_add_one(r, "sign", ratio), onnx_add_one(r, "floor", onnx_add_one(r, "abs", ratio)));
    else ratio = onnx_add_one(r, "floor", ratio);
    onnx_set_any(r, onnx_two(r, "sub", input[0], onnx_two(r, "mul", input[1], ratio)), last);
}

static void power(onnx_reader *r)
{
    const onnx_value *v = onnx_in(r, 1);
    const onnx_tensor *t = v ? v->tensor : NULL;
    if (!t || t->count != 1) onnx_fail(r, NIGH_UNSUPPORTED, "an exponent that is not one fixed number");
    else if (t->data[0] == 1) apply(r, "affine", 0, NULL);
    else if (t->data[0] == 2) apply(r, "square", 0, NULL);
    else if (t->data[0] == 0.5) apply(r, "sqrt", 0, NULL);
    else if (t->data[0] == -1) apply(r, "reciprocal", 0, NULL);
    else apply(r, "pow", 1, (nigh_attribute[]){{"exponent", t->data[0], NULL}});
}

/* Truth values are 0 and 1 of the network's type. */
static void compare(onnx_reader *r)
{
    const char *op = r->node->op;
    bool swap = *op == 'L', equal = is_op(r, "Equal"), orequal = strlen(op) > 7, last;
    int input[64];
    if (read_inputs(r, input, &last) != 2) return;
    if (equal) onnx_set_any(r, onnx_two(r, "equal", input[0], input[1]), last);
    else if (!orequal) onnx_set_any(r, onnx_two(r, "greater", input[swap], input[!swap]), last);
    else onnx_set_any(r, onnx_affine(r, onnx_two(r, "greater", input[!swap], input[swap]), -1, 1), last); /* a >= b: not b > a */
}

static void logic(onnx_reader *r)
{
    bool last, both = is_op(r, "And"), differ = is_op(r, "Xor");
    int input[64];
    if (read_inputs(r, input, &last) != 2) return;
    if (differ) onnx_set_any(r, onnx_add_one(r, "abs", onnx_two(r, "sub", input[0], input[1])), last);
    else onnx_set_any(r, onnx_two(r, both ? "mul" : "max", input[0], input[1]), last);
}

static void where(onnx_reader *r)
{
    int input[64];
    bool last;
    if (read_inputs(r, input, &last) == 3) onnx_set_any(r, onnx_add(r, "where", 3, input, 0, NULL, 0, NULL), last);
}

const onnx_operator onnx_elementwise_operators[] = {{"Abs", unary}, {"Cos", unary}, {"Erf", unary}, {"Exp", unary}, {"Floor", unary}, {"Log", unary}, {"Neg", unary},
    {"Reciprocal", unary}, {"Relu", unary}, {"Round", unary}, {"Sigmoid", unary}, {"Sign", unary}, {"Sin", unary}, {"Softplus", unary}, {"Softsign", unary}, {"Sqrt", unary}, {"Tanh", unary},
    {"LeakyRelu", leaky}, {"Elu", elu}, {"Gelu", gelu}, {"Swish", swish}, {"Not", not}, {"Selu", composed}, {"Celu", composed}, {"HardSigmoid", composed}, {"HardSwish", composed}, {"Mish", composed},
    {"ThresholdedRelu", composed}, {"Shrink", composed}, {"Ceil", composed}, {"Tan", composed}, {"PRelu", prelu}, {"Clip", clip}, {"Add", fold_over}, {"Sub", fold_over}, {"Mul", fold_over},
    {"Div", fold_over}, {"Min", fold_over}, {"Max", fold_over}, {"Sum", fold_over}, {"Mean", fold_over}, {"Mod", mod}, {"Pow", power}, {"Equal", compare}, {"Greater", compare},
    {"GreaterOrEqual", compare}, {"Less", compare}, {"LessOrEqual", compare}, {"And", logic}, {"Or", logic}, {"Xor", logic}, {"Where", where}, {NULL, NULL}};
