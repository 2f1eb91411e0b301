/* Plain rules: softmax, norms, tables, activations with weights. Listed in nn/network_evaluate.h. */
#include "nn/network_evaluate.h"

#include <math.h>
#include <string.h>

static nigh_status same_shape(const evaluation *e) { return evaluate_out(e, e->input->shape.ndim, e->input->shape.dim); }

static double weight_at(const evaluation *e, int which, int64_t i, double otherwise)
{
    if (which >= e->layer->parameters) return otherwise;
    return evaluate_numbers(&e->parameter[which])[nigh_shape_count(&e->parameter[which].shape) == 1 ? 0 : i];
}

/* Numbers along `axis` lie `stride` apart. */
static nigh_status softmax(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    int64_t axis = nigh_layer_integer(e->layer, "axis", -1), stride = 1;
    bool log_of = *e->layer->kind == 'l';
    if (axis < 0) axis += s->ndim;
    for (int i = (int)axis + 1; i < s->ndim; i++) stride *= s->dim[i];
    nigh_status status = same_shape(e);
    const double *x = evaluate_numbers(e->input);
    double *y = evaluate_numbers(e->out);
    int64_t n = s->dim[axis];
    for (int64_t i = 0; !status && i < nigh_shape_count(s); i++) {
        int64_t first = i - i / stride % n * stride;
        double top = -INFINITY, sum = 0;
        for (int64_t k = 0; k < n; k++) top = fmax(top, x[first + k * stride]);
        for (int64_t k = 0; k < n; k++) sum += exp(x[first + k * stride] - top);
        y[i] = log_of ? x[i] - top - log(sum) : exp(x[i] - top) / sum;
    }
    return status;
}

/* y = (x - mean) / sqrt(variance + eps) gamma + beta over n numbers, `step` apart; weights are those of place k (or of channel c >= 0). */
static void norm_one(const evaluation *e, const double *x, double *y, int64_t n, int64_t step, bool rms, int64_t channel)
{
    double mean = 0, square = 0, eps = nigh_layer_number(e->layer, "eps", 1e-5);
    for (int64_t k = 0; k < n && !rms; k++) mean += x[k * step] / (double)n;
    for (int64_t k = 0; k < n; k++) square += (x[k * step] - mean) * (x[k * step] - mean) / (double)n;
    for (int64_t k = 0; k < n; k++) {
        int64_t at = channel >= 0 ? channel : k;
        y[k * step] = (x[k * step] - mean) / sqrt(square + eps) * weight_at(e, 0, at, 1) + weight_at(e, 1, at, 0);
    }
}

static nigh_status row_norm(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    bool rms = *e->layer->kind == 'r';
    int64_t axes = rms ? 1 : nigh_layer_integer(e->layer, "axes", 1), n = 1;
    for (int64_t i = s->ndim - axes; i < s->ndim; i++) n *= s->dim[i];
    nigh_status status = same_shape(e);
    for (int64_t i = 0; !status && i < nigh_shape_count(s); i += n) norm_one(e, evaluate_numbers(e->input) + i, evaluate_numbers(e->out) + i, n, 1, rms, -1);
    return status;
}

static nigh_status group_norm(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    int64_t groups = nigh_layer_integer(e->layer, "groups", 1), c = s->dim[s->ndim - 1], each = c / groups, samples = s->dim[0], points = nigh_shape_count(s) / samples / c;
    double eps = nigh_layer_number(e->layer, "eps", 1e-5), *y;
    nigh_status status = same_shape(e);
    for (int64_t b = 0; !status && b < samples * groups; b++) {
        const double *x = evaluate_numbers(e->input) + b / groups * points * c + b % groups * each;
        double mean = 0, square = 0, n = (double)(points * each);
        y = evaluate_numbers(e->out) + (x - evaluate_numbers(e->input));
        for (int64_t i = 0; i < points * each; i++) mean += x[i / each * c + i % each] / n;
        for (int64_t i = 0; i < points * each; i++) square += pow(x[i / each * c + i % each] - mean, 2) / n;
        for (int64_t i = 0; i < points * each; i++) {
            int64_t at = i / each * c + i % each, channel = b % groups * each + i % each;
            y[at] = (x[at] - mean) / sqrt(square + eps) * weight_at(e, 0, channel, 1) + weight_at(e, 1, channel, 0);
        }
    }
    return status;
}

/* In use: weights mean, variance, gamma, beta. */
static nigh_status batch_norm(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    double eps = nigh_layer_number(e->layer, "eps", 1e-5);
    nigh_status status = same_shape(e);
    for (int64_t i = 0; !status && i < nigh_shape_count(s); i++) {
        int64_t c = i % s->dim[s->ndim - 1];
        evaluate_numbers(e->out)[i] = (evaluate_numbers(e->input)[i] - weight_at(e, 0, c, 0)) / sqrt(weight_at(e, 1, c, 1) + eps) * weight_at(e, 2, c, 1) + weight_at(e, 3, c, 0);
    }
    return status;
}

static nigh_status normalise(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    int64_t n = s->dim[s->ndim - 1];
    nigh_status status = same_shape(e);
    for (int64_t i = 0; !status && i < nigh_shape_count(s); i++) {
        double square = 0;
        for (int64_t k = 0; k < n; k++) square += pow(evaluate_numbers(e->input)[i / n * n + k], 2);
        evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[i] / fmax(sqrt(square), nigh_layer_number(e->layer, "eps", 1e-12));
    }
    return status;
}

/* Numbers outside the table read zeros. */
static nigh_status embedding(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape, *table = &e->parameter->shape;
    int64_t dim[NIGH_MAX_DIMS], width = table->dim[1];
    if (table->ndim != 2 || s->ndim == NIGH_MAX_DIMS) return evaluate_fail(e, "a table [rows, width] is needed");
    memcpy(dim, s->dim, sizeof dim);
    dim[s->ndim] = width;
    nigh_status status = evaluate_out(e, s->ndim + 1, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(s) * width; i++) {
        double row = evaluate_numbers(e->input)[i / width];
        bool inside = row >= 0 && row < (double)table->dim[0];
        evaluate_numbers(e->out)[i] = inside ? evaluate_numbers(e->parameter)[(int64_t)row * width + i % width] * nigh_layer_number(e->layer, "scale", 1) : 0;
    }
    return status;
}

static double act(const evaluation *e, double x)
{
    const char *kind = e->layer->kind;
    if (!strcmp(kind, "hard-tanh")) return x < -1 ? -1 : x > 1 ? 1 : x;
    if (!strcmp(kind, "elu")) return x > 0 ? x : nigh_layer_number(e->layer, "alpha", 1) * expm1(x);
    if (!strcmp(kind, "softsign")) return x / (1 + fabs(x));
    if (!strcmp(kind, "gelu-tanh")) return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    if (!strcmp(kind, "round-through")) return nearbyint(x);
    return x; /* dropout in use */
}

static nigh_status activation(const evaluation *e)
{
    nigh_status status = same_shape(e);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->input->shape); i++) evaluate_numbers(e->out)[i] = act(e, evaluate_numbers(e->input)[i]);
    return status;
}

static nigh_status gate(const evaluation *e)
{
    nigh_status status = same_shape(e);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->input->shape); i++)
        evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[i] * evaluate_numbers(e->parameter)[evaluate_from(&e->input->shape, i, &e->parameter->shape)];
    return status;
}

const evaluate_rule evaluate_rows[] = {{"softmax", softmax}, {"log-softmax", softmax}, {"layer-norm", row_norm}, {"rms-norm", row_norm}, {"group-norm", group_norm},
    {"batch-norm", batch_norm}, {"normalise", normalise}, {"embedding", embedding}, {"dropout", activation}, {"hard-tanh", activation}, {"elu", activation},
    {"softsign", activation}, {"gelu-tanh", activation}, {"round-through", activation}, {"gate", gate}, {NULL, NULL}};
