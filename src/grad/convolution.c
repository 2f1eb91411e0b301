/*
 * Convolutions on the tape. Three operators are closed under derivatives: with y = F(x, w) linear in both,
 *     F's gradients are D (by x) and W (by w);  D(y, w)'s are F and W;  W(x, y)'s are D and F.
 * Declared in nigh/operators_fields.h.
 */
#include "tensor/convolution.h"

#include "grad/windows.h"
#include "nigh/operators_fields.h"

#include <string.h>

static convolution_spec spec_of(convolution_kind kind, nigh_dtype dtype, const convolution_attributes *a)
{
    convolution_spec spec = {.kind = kind, .dtype = dtype, .dims = (int)a->dims, .padding = (halo_kind)a->padding, .groups = a->groups,
                             .bias = a->bias, .transposed = a->transposed};
    memcpy(spec.x, a->x, sizeof spec.x);
    memcpy(spec.w, a->w, sizeof spec.w);
    memcpy(spec.stride, a->stride, sizeof spec.stride);
    memcpy(spec.dilation, a->dilation, sizeof spec.dilation);
    memcpy(spec.low, a->low, sizeof spec.low);
    memcpy(spec.high, a->high, sizeof spec.high);
    return spec;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static nigh_status prepare_as(convolution_kind kind, nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    convolution_spec spec = spec_of(kind, call->out->shape->dtype, call->node->attributes);
    convolution *c;
    nigh_status status = convolution_new(ctx, &spec, call->threads, &c);
    if (status) return status;
    *state = c;
    *workspace = convolution_workspace(c);
    return NIGH_OK;
}

static nigh_status forward_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return prepare_as(CONVOLUTION_FORWARD, ctx, call, state, workspace);
}

static nigh_status data_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return prepare_as(CONVOLUTION_DATA, ctx, call, state, workspace);
}

static nigh_status weight_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return prepare_as(CONVOLUTION_WEIGHT, ctx, call, state, workspace);
}

static void run(const void *state, const tape_call *call)
{
    const tape_node *node = call->node;
    convolution_run(state, call->in[0].data, call->in[1].data, node->inputs == 3 ? call->in[2].data : NULL, call->out[0].data,
                    node->outputs == 2 ? call->out[1].data : NULL, call->workspace);
}

static void release(nigh_context *ctx, void *state) { convolution_free(state); }

/* Every element of y costs a product with the weights of its channel, in all three. */
static double flops_of(const tape_call *call, const nigh_shape *y)
{
    const convolution_attributes *a = call->node->attributes;
    double each = 2;
    for (int i = 0; i <= a->dims; i++) each *= (double)a->w[i]; /* all of w but its last dimension, the channels of y */
    return each * (double)nigh_shape_count(y);
}

static double forward_flops(const tape_call *call) { return flops_of(call, call->out[0].shape); }
static double data_flops(const tape_call *call) { return flops_of(call, call->in[0].shape); }
static double weight_flops(const tape_call *call) { return flops_of(call, call->in[1].shape); }

/* ---- gradients ---------------------------------------------------------------------------------------- */

static void forward_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void data_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void weight_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);

static const tape_operator op_forward = {.name = "convolution", .kind = TAPE_KERNEL, .prepare = forward_prepare, .run = run, .release = release,
                                         .flops = forward_flops, .gradient = forward_gradient};
static const tape_operator op_data = {.name = "convolution-data", .kind = TAPE_KERNEL, .prepare = data_prepare, .run = run, .release = release,
                                      .flops = data_flops, .gradient = data_gradient};
static const tape_operator op_weight = {.name = "convolution-weight", .kind = TAPE_KERNEL, .prepare = weight_prepare, .run = run, .release = release,
                                        .flops = weight_flops, .gradient = weight_gradient};

static nigh_shape shape_of_x(const convolution_attributes *a, nigh_dtype dtype) { return tape_make_shape(dtype, (int)a->dims + 2, a->x); }

static nigh_shape shape_of_y(nigh_tape *t, const convolution_attributes *a, nigh_dtype dtype)
{
    convolution_spec spec = spec_of(CONVOLUTION_FORWARD, dtype, a);
    nigh_shape shape = {.dtype = dtype, .ndim = (int)a->dims + 2};
    int64_t y[CONVOLUTION_DIMS + 2];
    nigh_status status = convolution_shape(t->ctx, &spec, y);
    if (status && !t->status) t->status = status;
    if (!status) memcpy(shape.dim, y, (size_t)shape.ndim * sizeof *y);
    return shape;
}

/* One of F and D, with or without bias. */
static nigh_node record_product(nigh_tape *t, const tape_operator *op, nigh_node a, nigh_node w, nigh_node bias, convolution_attributes attributes)
{
    if (a == NIGH_NONE || w == NIGH_NONE || t->status) return NIGH_NONE;
    nigh_dtype dtype = tape_shape(t, w)->dtype;
    attributes.bias = bias != NIGH_NONE;
    nigh_shape shape = op == &op_data ? shape_of_x(&attributes, dtype) : shape_of_y(t, &attributes, dtype);
    if (t->status) return NIGH_NONE;
    return tape_record_one(t, op, &shape, bias != NIGH_NONE ? 3 : 2, (nigh_node[]){a, w, bias}, &attributes, sizeof attributes);
}

static nigh_node channel_sum(nigh_tape *t, nigh_node x)
{
    return nigh_tape_sum(t, x, (1u << (tape_shape(t, x)->ndim - 1)) - 1, false);
}

/* Gradients by weights and bias of F or D; `with_bias` the array whose channel sums the bias's gradient is. */
static void record_weight(nigh_tape *t, nigh_node x, nigh_node y, nigh_node with_bias, convolution_attributes a, const bool *wanted, nigh_node *grad_in, int inputs)
{
    bool bias = inputs == 3 && wanted[2];
    if (!wanted[1]) {
        if (bias) grad_in[2] = channel_sum(t, with_bias);
        return;
    }
    nigh_dtype dtype = tape_shape(t, x)->dtype;
    nigh_shape shape[2] = {tape_make_shape(dtype, (int)a.dims + 2, a.w), {.dtype = dtype, .ndim = 1}};
    shape[1].dim[0] = a.transposed ? a.x[a.dims + 1] : a.w[a.dims + 1];
    a.bias = bias;
    nigh_node w = tape_record(t, &op_weight, bias ? 2 : 1, shape, 2, (nigh_node[]){x, y}, &a, sizeof a, false);
    if (w == NIGH_NONE) return;
    grad_in[1] = w;
    if (bias) grad_in[2] = w + 1;
}

static void forward_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const convolution_attributes a = *(const convolution_attributes *)node.attributes;
    if (wanted[0]) grad_in[0] = record_product(t, &op_data, grad_out[0], node.input[1], NIGH_NONE, a);
    record_weight(t, node.input[0], grad_out[0], grad_out[0], a, wanted, grad_in, node.inputs);
}

static void data_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const convolution_attributes a = *(const convolution_attributes *)node.attributes;
    if (wanted[0]) grad_in[0] = record_product(t, &op_forward, grad_out[0], node.input[1], NIGH_NONE, a);
    record_weight(t, grad_out[0], node.input[0], grad_out[0], a, wanted, grad_in, node.inputs);
}

/* b' is the sum of y over all but its channels (transposed: of x): its gradient acts as a bias does. */
static void weight_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const convolution_attributes a = *(const convolution_attributes *)node.attributes;
    nigh_node w = grad_out[0], bias = node.outputs == 2 ? grad_out[1] : NIGH_NONE;
    for (int i = 0; i < 2; i++) {
        if (!wanted[i]) continue;
        bool summed = (i == 0) == (a.transposed != 0);
        if (w != NIGH_NONE) grad_in[i] = record_product(t, i == 0 ? &op_data : &op_forward, node.input[1 - i], w, summed ? bias : NIGH_NONE, a);
        else if (summed && bias != NIGH_NONE) {
            const nigh_shape shape = *tape_shape(t, node.input[i]);
            grad_in[i] = nigh_tape_expand(t, bias, shape.ndim, shape.dim);
        }
    }
}

/* ---- recording ---------------------------------------------------------------------------------------- */

static void take_how(const nigh_convolution *how, convolution_attributes *a)
{
    static const nigh_convolution plain = {0};
    if (!how) how = &plain;
    a->groups = how->groups ? how->groups : 1;
    a->padding = how->padding == NIGH_PAD_CIRCULAR ? HALO_CIRCULAR : how->padding == NIGH_PAD_REFLECT ? HALO_REFLECT : HALO_ZERO;
    for (int i = 0; i < a->dims; i++) {
        a->stride[i] = how->stride[i] ? how->stride[i] : 1;
        a->dilation[i] = how->dilation[i] ? how->dilation[i] : 1;
        a->low[i] = how->low[i];
        a->high[i] = how->high[i];
    }
}

/* Types, dimensions and the bias of `channels`; the sizes are checked by convolution_shape. */
static bool check_operands(nigh_tape *t, const char *op, nigh_node x, nigh_node w, nigh_node bias)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    nigh_node input[3] = {x, w, bias};
    if (!tape_check(t, op, bias == NIGH_NONE ? 2 : 3, input)) return false;
    const nigh_shape *a = tape_shape(t, x), *b = tape_shape(t, w);
    tape_shape_text(a, sx), tape_shape_text(b, sw);
    if (a->dtype != b->dtype || !tape_is_float(a->dtype) || a->ndim != b->ndim || a->ndim < 3 || a->ndim > NIGH_FIELD_DIMS + 2) {
        tape_fail(t, op, "the field is %s, the weights are %s; a field [N, 1 to 3 sizes, C] and weights of as many dimensions, f32 or f64, are needed", sx, sw);
        return false;
    }
    return true;
}

static bool check_bias(nigh_tape *t, const char *op, nigh_node bias, nigh_node w, int64_t channels)
{
    char sb[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (bias == NIGH_NONE) return true;
    const nigh_shape *b = tape_shape(t, bias), *v = tape_shape(t, w);
    if (b->ndim == 1 && b->dim[0] == channels && b->dtype == v->dtype) return true;
    tape_fail(t, op, "the bias is %s, the weights are %s: it needs %lld numbers of that type", tape_shape_text(b, sb), tape_shape_text(v, sw), (long long)channels);
    return false;
}

static bool is_product(const convolution_attributes *a)
{
    for (int i = 0; i < a->dims; i++)
        if (a->w[i] != 1 || a->stride[i] != 1 || a->low[i] || a->high[i]) return false;
    return a->groups == 1;
}

nigh_node nigh_tape_convolution(nigh_tape *t, nigh_node x, nigh_node w, nigh_node bias, const nigh_convolution *how)
{
    if (!check_operands(t, "convolution", x, w, bias)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x), weights = *tape_shape(t, w);
    convolution_attributes a = {.dims = from.ndim - 2};
    memcpy(a.x, from.dim, (size_t)from.ndim * sizeof *a.x);
    memcpy(a.w, weights.dim, (size_t)from.ndim * sizeof *a.w);
    take_how(how, &a);
    int64_t out = a.w[a.dims + 1];
    if (!check_bias(t, "convolution", bias, w, out)) return NIGH_NONE;
    if (!is_product(&a) || a.w[a.dims] != a.x[a.dims + 1]) return record_product(t, &op_forward, x, w, bias, a);
    return nigh_tape_linear(t, x, nigh_tape_reshape(t, w, 2, (int64_t[]){a.w[a.dims], out}), bias);
}

nigh_node nigh_tape_convolution_transposed(nigh_tape *t, nigh_node s, nigh_node w, nigh_node bias, const nigh_convolution *how, const int64_t *size)
{
    static const char *name = "convolution-transposed";
    char ss[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (!check_operands(t, name, s, w, bias)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, s), weights = *tape_shape(t, w);
    convolution_attributes a = {.dims = from.ndim - 2, .transposed = 1};
    memcpy(a.w, weights.dim, (size_t)from.ndim * sizeof *a.w);
    take_how(how, &a);
    a.x[0] = from.dim[0];
    a.x[a.dims + 1] = a.w[a.dims] * a.groups;
    for (int i = 0; i < a.dims; i++)
        a.x[i + 1] = size ? size[i] : (from.dim[i + 1] - 1) * a.stride[i] + a.dilation[i] * (a.w[i] - 1) + 1 - a.low[i] - a.high[i];
    if (!check_bias(t, name, bias, w, a.x[a.dims + 1])) return NIGH_NONE;
    const nigh_shape small = shape_of_y(t, &a, from.dtype), large = shape_of_x(&a, from.dtype);
    if (t->status) return NIGH_NONE;
    tape_shape_text(&large, sw);
    if (!tape_same_shape(&small, &from))
        return tape_fail(t, name, "s is %s; the convolution with these weights takes the result's %s to another shape (%lld channels, %lld in the first dimension)",
                         tape_shape_text(&from, ss), sw, (long long)small.dim[small.ndim - 1], (long long)small.dim[1]);
    return record_product(t, &op_data, s, w, bias, a);
}
