/* Activations, comparisons and reductions without an operator of the same meaning in every opset, as ONNX. Listed in nn/onnx_write.h. */
#include "nn/onnx_write.h"

#include <string.h>

static double number(const onnx_writer *w, const char *key, double otherwise) { return nigh_layer_number(w->layer, key, otherwise); }

static void write_elu(onnx_writer *w)
{
    const char *x = onnx_source(w, 0);
    onnx_put_node(w, "Elu", 1, &x, onnx_result(w), 1, &(onnx_out_attribute){.name = "alpha", .real = true, .f = number(w, "alpha", 1)});
}

static void write_softsign(onnx_writer *w) { onnx_put_one(w, "Softsign", onnx_source(w, 0), onnx_result(w)); }

/* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
static void write_gelu_tanh(onnx_writer *w)
{
    const char *x = onnx_source(w, 0), *square = onnx_fresh(w, "square"), *scaled = onnx_fresh(w, "scaled"), *more = onnx_fresh(w, "more"), *inside = onnx_fresh(w, "inside");
    const char *tanh = onnx_fresh(w, "tanh"), *sum = onnx_fresh(w, "sum"), *half = onnx_fresh(w, "half");
    onnx_put_two(w, "Mul", x, x, square);
    onnx_put_two(w, "Mul", square, onnx_number(w, 0.044715 * 0.79788456080286535588), scaled);
    onnx_put_two(w, "Add", scaled, onnx_number(w, 0.79788456080286535588), more);
    onnx_put_two(w, "Mul", x, more, inside);
    onnx_put_one(w, "Tanh", inside, tanh);
    onnx_put_two(w, "Add", tanh, onnx_number(w, 1), sum);
    onnx_put_two(w, "Mul", x, onnx_number(w, 0.5), half);
    onnx_put_two(w, "Mul", half, sum, onnx_result(w));
}

/* Truth values as numbers. */
static void put_truth(onnx_writer *w, const char *op, const char *a, const char *b)
{
    const char *truth = onnx_fresh(w, "truth");
    onnx_put_two(w, op, a, b, truth);
    onnx_put_node(w, "Cast", 1, &truth, onnx_result(w), 1, &(onnx_out_attribute){.name = "to", .n = 1, .number = true, .value = {w->type}});
}

static void write_compare(onnx_writer *w) { put_truth(w, *w->layer->kind == 'g' ? "Greater" : "Equal", onnx_source(w, 0), onnx_source(w, 1)); }
static void write_step(onnx_writer *w) { put_truth(w, "Greater", onnx_source(w, 0), onnx_number(w, 0)); }

static void write_log_sum_exp(onnx_writer *w)
{
    int64_t axes[NIGH_MAX_DIMS];
    int n = nigh_layer_list(w->layer, "axes", NIGH_MAX_DIMS, axes);
    onnx_out_attribute keep = {.name = "keepdims", .n = 1, .number = true, .value = {number(w, "keep", 0) != 0}};
    const char *input[2] = {onnx_source(w, 0), n > 0 ? onnx_integers(w, n, axes) : ""};
    onnx_put_node(w, "ReduceLogSumExp", n > 0 ? 2 : 1, input, onnx_result(w), 1, &keep);
}

static void write_rsqrt(onnx_writer *w)
{
    const char *root = onnx_fresh(w, "root");
    onnx_put_one(w, "Sqrt", onnx_source(w, 0), root);
    onnx_put_one(w, "Reciprocal", root, onnx_result(w));
}

static void write_hard_tanh(onnx_writer *w)
{
    onnx_put_node(w, "Clip", 3, (const char *const[]){onnx_source(w, 0), onnx_number(w, -1), onnx_number(w, 1)}, onnx_result(w), 0, NULL);
}

const onnx_field_writer onnx_more_writers[] = {{"elu", write_elu}, {"softsign", write_softsign}, {"gelu-tanh", write_gelu_tanh}, {"greater", write_compare}, {"equal", write_compare},
    {"step", write_step}, {"log-sum-exp", write_log_sum_exp}, {"rsqrt", write_rsqrt}, {"hard-tanh", write_hard_tanh}, {NULL, NULL}};
