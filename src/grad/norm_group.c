/* Group norm and batch norm, channels last: fused forward and backward. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"
#include "tensor/rows.h"

static rows_group group_of(const tape_call *call)
{
    const group_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in[0].shape;
    int parts = share_parts(call->threads, x->dim[0] * x->dim[1], 2 * nigh_shape_count(x));
    return (rows_group){.dtype = x->dtype, .samples = x->dim[0], .space = x->dim[1], .channels = x->dim[2], .groups = a->groups, .eps = a->eps, .threads = parts};
}

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    *workspace = rows_group_workspace(call->in[0].shape->dim[2]);
    return NIGH_OK;
}

static void run(const void *state, const tape_call *call)
{
    rows_group group = group_of(call);
    bool affine = ((const group_attributes *)call->node->attributes)->affine;
    rows_group_norm(&group, call->in[0].data, affine ? call->in[1].data : NULL, affine ? call->in[2].data : NULL, call->out[0].data, call->out[1].data,
                    call->out[2].data, call->workspace);
}

/* Inputs x, dy, mean, rstd, gamma; outputs dx, dgamma, dbeta (dx alone without gamma). */
static void back_run(const void *state, const tape_call *call)
{
    rows_group group = group_of(call);
    const tape_operand *in = call->in;
    bool affine = ((const group_attributes *)call->node->attributes)->affine;
    rows_group_norm_back(&group, in[0].data, affine ? in[4].data : NULL, in[2].data, in[3].data, in[1].data, call->out[0].data, affine ? call->out[1].data : NULL,
                         affine ? call->out[2].data : NULL, call->workspace);
}

static nigh_node compose(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    const group_attributes *a = attributes;
    const nigh_shape shape = *tape_shape(t, in[0]);
    int64_t width = shape.dim[2] / (a->groups ? a->groups : 1);
    nigh_node x = nigh_tape_reshape(t, in[0], 4, (int64_t[]){shape.dim[0], shape.dim[1], a->groups, width});
    x = nigh_tape_sub(t, x, nigh_tape_mean(t, x, 10, true));
    nigh_node y = nigh_tape_mul(t, x, nigh_tape_rsqrt(t, nigh_tape_affine(t, nigh_tape_mean(t, nigh_tape_square(t, x), 10, true), 1, a->eps)));
    y = nigh_tape_reshape(t, y, 3, shape.dim);
    return a->affine ? nigh_tape_add(t, nigh_tape_mul(t, y, in[1]), in[2]) : y;
}

static void back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const group_attributes *a = node.attributes;
    int by[3] = {0, 1, 2};
    nigh_node in[3] = {node.input[0], NIGH_NONE, NIGH_NONE}, second[3] = {NIGH_NONE, NIGH_NONE, NIGH_NONE};
    bool want[3] = {wanted[0], a->affine && wanted[4], false};
    if (a->affine) { /* any beta will do */
        const nigh_shape shape = *tape_shape(t, node.input[4]);
        in[1] = node.input[4], in[2] = fused_fill(t, &shape, 0);
    }
    fused_second(t, compose, a, a->affine ? 3 : 1, in, node.input[1], node.outputs, by, grad_out, want, second, wanted[1], &grad_in[1]);
    grad_in[0] = second[0];
    if (a->affine) grad_in[4] = second[1];
}

static const tape_operator op_back = {.name = "group-norm-back", .kind = TAPE_KERNEL, .prepare = prepare, .run = back_run, .gradient = back_gradient};

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const group_attributes *a = node.attributes;
    if (grad_out[0] == NIGH_NONE) return;
    nigh_node in[5] = {node.input[0], grad_out[0], self + 1, self + 2, a->affine ? node.input[1] : NIGH_NONE};
    nigh_shape shapes[3] = {node.shape};
    if (a->affine) shapes[1] = shapes[2] = *tape_shape(t, node.input[1]);
    nigh_node back = tape_record(t, &op_back, a->affine ? 3 : 1, shapes, a->affine ? 5 : 4, in, a, node.attribute_bytes, false);
    for (int i = 0; i < node.inputs && back != NIGH_NONE; i++)
        if (wanted[i]) grad_in[i] = back + i;
}

static const tape_operator op_group_norm = {.name = "group-norm", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .gradient = gradient};

/* ---- recording ---------------------------------------------------------------------------------------- */

static bool check_channels(nigh_tape *t, const char *op, const char *name, nigh_node weight, const nigh_shape *x)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (weight == NIGH_NONE) return true;
    if (!tape_check(t, op, 1, &weight)) return false;
    const nigh_shape *w = tape_shape(t, weight);
    if (w->dtype == x->dtype && w->ndim == 1 && w->dim[0] == shape_last(x)) return true;
    tape_fail(t, op, "x is %s, %s is %s; one number a channel (the last dimension) is needed", tape_shape_text(x, sx), name, tape_shape_text(w, sw));
    return false;
}

/* The node of [samples, space, channels]; mean and rstd follow it. */
static nigh_node record(nigh_tape *t, nigh_node x, int64_t samples, int64_t groups, nigh_node gamma, nigh_node beta, double eps)
{
    const nigh_shape from = *tape_shape(t, x);
    int64_t channels = shape_last(&from), space = shape_span(&from, 0, from.ndim - 1) / (samples ? samples : 1);
    nigh_shape shapes[3] = {tape_make_shape(from.dtype, 3, (int64_t[]){samples, space, channels}), tape_make_shape(from.dtype, 2, (int64_t[]){samples, groups})};
    shapes[2] = shapes[1];
    bool affine = gamma != NIGH_NONE || beta != NIGH_NONE;
    nigh_node in[3] = {nigh_tape_reshape(t, x, 3, shapes[0].dim), gamma, beta};
    if (affine && gamma == NIGH_NONE) in[1] = nigh_tape_fill(t, from.dtype, 1, &channels, 1);
    if (affine && beta == NIGH_NONE) in[2] = nigh_tape_fill(t, from.dtype, 1, &channels, 0);
    group_attributes attributes = {eps, groups, affine};
    return tape_record(t, &op_group_norm, 3, shapes, affine ? 3 : 1, in, &attributes, sizeof attributes, false);
}

static bool check(nigh_tape *t, const char *op, nigh_node x, nigh_node gamma, nigh_node beta, double eps)
{
    if (!fused_check_float(t, op, x, 2)) return false;
    const nigh_shape shape = *tape_shape(t, x);
    if (!(eps >= 0 && eps < INFINITY)) return tape_fail(t, op, "eps is %g; 0 or more is allowed", eps), false;
    return check_channels(t, op, "gamma", gamma, &shape) && check_channels(t, op, "beta", beta, &shape);
}

nigh_node nigh_tape_group_norm(nigh_tape *t, nigh_node x, int64_t groups, nigh_node gamma, nigh_node beta, double eps)
{
    char text[TAPE_SHAPE_TEXT];
    if (!check(t, "group-norm", x, gamma, beta, eps)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if (groups < 1 || shape_last(&shape) % groups) return tape_fail(t, "group-norm", "x is %s, %lld groups; a divisor of the channels is needed", tape_shape_text(&shape, text), (long long)groups);
    nigh_node y = record(t, x, shape.dim[0], groups, gamma, beta, eps);
    return y == NIGH_NONE ? NIGH_NONE : nigh_tape_reshape(t, y, shape.ndim, shape.dim);
}

nigh_node nigh_tape_batch_norm(nigh_tape *t, nigh_node x, nigh_node gamma, nigh_node beta, double eps, nigh_node *mean, nigh_node *variance)
{
    if (!check(t, "batch-norm", x, gamma, beta, eps)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    int64_t channels = shape_last(&shape);
    nigh_node y = record(t, x, 1, channels, gamma, beta, eps);
    if (y == NIGH_NONE) return NIGH_NONE;
    nigh_node rstd = nigh_tape_stop(t, nigh_tape_reshape(t, y + 2, 1, &channels));
    if (mean) *mean = nigh_tape_stop(t, nigh_tape_reshape(t, y + 1, 1, &channels));
    if (variance) *variance = nigh_tape_affine(t, nigh_tape_reciprocal(t, nigh_tape_square(t, rstd)), 1, -eps);
    return nigh_tape_reshape(t, y, shape.ndim, shape.dim);
}

nigh_status nigh_tape_batch_fold(nigh_tape *t, nigh_node mean, nigh_node variance, nigh_node gamma, nigh_node beta, double eps, nigh_node *scale, nigh_node *shift)
{
    nigh_node factor = nigh_tape_rsqrt(t, nigh_tape_affine(t, variance, 1, eps));
    if (gamma != NIGH_NONE) factor = nigh_tape_mul(t, factor, gamma);
    nigh_node middle = nigh_tape_mul(t, mean, factor), offset = beta == NIGH_NONE ? nigh_tape_neg(t, middle) : nigh_tape_sub(t, beta, middle);
    if (t->status) return t->status;
    *scale = factor;
    *shift = offset;
    return NIGH_OK;
}

nigh_node nigh_tape_batch_norm_use(nigh_tape *t, nigh_node x, nigh_node mean, nigh_node variance, nigh_node gamma, nigh_node beta, double eps)
{
    nigh_node scale, shift;
    if (!check(t, "batch-norm", x, gamma, beta, eps)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if (mean == NIGH_NONE || variance == NIGH_NONE) return tape_fail(t, "batch-norm", "no mean or variance is given");
    if (!check_channels(t, "batch-norm", "mean", mean, &shape) || !check_channels(t, "batch-norm", "variance", variance, &shape)) return NIGH_NONE;
    if (nigh_tape_batch_fold(t, mean, variance, gamma, beta, eps, &scale, &shift)) return NIGH_NONE;
    return nigh_tape_add(t, nigh_tape_mul(t, x, scale), shift);
}
