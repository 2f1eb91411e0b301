/* Layer, RMS and Euclidean norms of rows: fused forward and backward. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"
#include "tensor/rows.h"

/* ---- running ------------------------------------------------------------------------------------------ */

typedef struct slab {
    const tape_call *call;
    const rows_kernels *kernels;
    const norm_attributes *a;
    int64_t n;
    size_t size;
    int parts;
} slab;

static char *row(const slab *s, const tape_operand *o, int64_t i, int64_t width) { return (char *)o->data + (size_t)(i * width) * s->size; }

static slab slab_of(const tape_call *call)
{
    const nigh_shape *shape = call->in[0].shape;
    int64_t count = nigh_shape_count(shape), rows = shape_span(shape, 0, shape->ndim - 1);
    return (slab){call, rows_kernels_find(shape->dtype), call->node->attributes, shape_last(shape), nigh_dtype_size(shape->dtype),
                  share_parts(call->threads, rows, 2 * count)};
}

static void share(const tape_call *call, share_fn *fn)
{
    slab s = slab_of(call);
    const nigh_shape *shape = call->in[0].shape;
    if (nigh_shape_count(shape)) share_rows(s.parts, shape_span(shape, 0, shape->ndim - 1), fn, &s);
}

static void norm_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in, *out = s->call->out;
    const void *gamma = s->a->gamma ? in[1].data : NULL, *beta = s->a->beta ? in[1 + s->a->gamma].data : NULL;
    char *x = row(s, &in[0], from, s->n), *y = row(s, &out[0], from, s->n);
    if (s->a->rms) s->kernels->rms_norm(to - from, s->n, s->a->eps, x, gamma, y, row(s, &out[1], from, 1));
    else s->kernels->layer_norm(to - from, s->n, s->a->eps, x, gamma, beta, y, row(s, &out[1], from, 1), row(s, &out[2], from, 1));
}

static void norm_run(const void *state, const tape_call *call) { share(call, norm_part); }

/* Inputs x, dy, rstd, then mean unless RMS, then gamma. */
static void back_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in;
    char *x = row(s, &in[0], from, s->n), *dy = row(s, &in[1], from, s->n), *rstd = row(s, &in[2], from, 1), *dx = row(s, &s->call->out[0], from, s->n);
    const void *gamma = s->a->gamma ? in[s->a->rms ? 3 : 4].data : NULL;
    if (s->a->rms) s->kernels->rms_norm_back(to - from, s->n, x, gamma, rstd, dy, dx);
    else s->kernels->layer_norm_back(to - from, s->n, x, gamma, row(s, &in[3], from, 1), rstd, dy, dx);
}

static void back_run(const void *state, const tape_call *call) { share(call, back_part); }

/* Outputs dgamma, and dbeta unless RMS: each part of the rows sums for itself, then the parts in order. */
static void weights_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in;
    char *sums = (char *)s->call->workspace + (size_t)(2 * part * s->n) * s->size, *second = s->a->rms ? NULL : sums + (size_t)s->n * s->size;
    memset(sums, 0, (size_t)(2 * s->n) * s->size);
    s->kernels->norm_weights(to - from, s->n, row(s, &in[0], from, s->n), s->a->rms ? NULL : row(s, &in[3], from, 1), row(s, &in[2], from, 1),
                             row(s, &in[1], from, s->n), sums, second);
}

static void weights_run(const void *state, const tape_call *call)
{
    slab s = slab_of(call);
    for (int i = 0; i < call->node->outputs; i++) memset(call->out[i].data, 0, (size_t)s.n * s.size);
    share(call, weights_part);
    if (!nigh_shape_count(call->in[0].shape)) return;
    for (int part = 0; part < s.parts; part++)
        for (int i = 0; i < call->node->outputs; i++)
            s.kernels->column_sums(1, s.n, (char *)call->workspace + (size_t)((2 * part + i) * s.n) * s.size, call->out[i].data);
}

static nigh_status weights_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    slab s = slab_of(call);
    *workspace = (size_t)(2 * s.parts * s.n) * s.size;
    return NIGH_OK;
}

/* ---- derivatives -------------------------------------------------------------------------------------- */

static nigh_node compose(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    const norm_attributes *a = attributes;
    unsigned axis = 1u << (tape_shape(t, in[0])->ndim - 1);
    nigh_node x = a->rms ? in[0] : nigh_tape_sub(t, in[0], nigh_tape_mean(t, in[0], axis, true));
    nigh_node y = nigh_tape_mul(t, x, nigh_tape_rsqrt(t, nigh_tape_affine(t, nigh_tape_mean(t, nigh_tape_square(t, x), axis, true), 1, a->eps)));
    if (a->gamma) y = nigh_tape_mul(t, y, in[1]);
    return a->beta ? nigh_tape_add(t, y, in[1 + a->gamma]) : y;
}

static const tape_operator op_weights;

/* mean and rstd are functions of x: what comes for them is all in the gradient by x. beta does not matter. */
static void back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const norm_attributes *a = node.attributes;
    int g = a->rms ? 3 : 4;
    bool weights = node.op == &op_weights;
    norm_attributes forward = {.eps = a->eps, .gamma = a->gamma || weights, .beta = weights && !a->rms, .rms = a->rms};
    nigh_node in[3] = {node.input[0], NIGH_NONE, NIGH_NONE}, second[3] = {NIGH_NONE, NIGH_NONE, NIGH_NONE}, u[2] = {grad_out[0], NIGH_NONE};
    bool want[3] = {wanted[0], !weights && a->gamma && wanted[g], false};
    int by[2] = {0, 2};
    if (weights) { /* dgamma does not depend on gamma: any will do */
        const nigh_shape shape = *tape_shape(t, self);
        in[1] = fused_fill(t, &shape, 1), in[2] = fused_fill(t, &shape, 0);
        by[0] = 1;
        if (!a->rms) u[1] = grad_out[1];
    } else if (a->gamma) in[1] = node.input[g];
    fused_second(t, compose, &forward, 1 + (int)forward.gamma + (int)forward.beta, in, node.input[1], weights && !a->rms ? 2 : 1, by, u, want, second, wanted[1], &grad_in[1]);
    grad_in[0] = second[0];
    if (!weights && a->gamma) grad_in[g] = second[1];
}

static const tape_operator op_back = {.name = "norm-back", .kind = TAPE_KERNEL, .run = back_run, .gradient = back_gradient};
static const tape_operator op_weights = {.name = "norm-weights-back", .kind = TAPE_KERNEL, .prepare = weights_prepare, .run = weights_run, .gradient = back_gradient};

static void norm_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const norm_attributes *a = node.attributes;
    int inputs = 2, gamma = 1, beta = 1 + (int)a->gamma;
    nigh_node in[5] = {node.input[0], grad_out[0]};
    in[inputs++] = a->rms ? self + 1 : self + 2;
    if (!a->rms) in[inputs++] = self + 1;
    if (wanted[0]) {
        if (a->gamma) in[inputs] = node.input[1];
        norm_attributes back = {.gamma = a->gamma, .rms = a->rms, .eps = a->eps};
        const nigh_shape shape = node.shape;
        grad_in[0] = tape_record_one(t, &op_back, &shape, inputs + (int)a->gamma, in, &back, sizeof back);
    }
    if (!(a->gamma && wanted[gamma]) && !(a->beta && wanted[beta])) return;
    norm_attributes back = {.rms = a->rms, .eps = a->eps};
    nigh_shape shapes[2] = {*tape_shape(t, node.input[a->gamma ? gamma : beta])};
    shapes[1] = shapes[0];
    nigh_node sums = tape_record(t, &op_weights, a->rms ? 1 : 2, shapes, inputs, in, &back, sizeof back, false);
    if (sums == NIGH_NONE) return;
    if (a->gamma && wanted[gamma]) grad_in[gamma] = sums;
    if (a->beta && wanted[beta]) grad_in[beta] = sums + 1;
}

static const tape_operator op_layer_norm = {.name = "layer-norm", .kind = TAPE_KERNEL, .run = norm_run, .gradient = norm_gradient};
static const tape_operator op_rms_norm = {.name = "rms-norm", .kind = TAPE_KERNEL, .run = norm_run, .gradient = norm_gradient};

/* ---- recording ---------------------------------------------------------------------------------------- */

/* Has the weight just the last `axes` dimensions of x? Then the kernel takes it. */
static bool is_row(nigh_tape *t, nigh_node weight, const nigh_shape *x, int axes)
{
    const nigh_shape *w = tape_shape(t, weight);
    return w->dtype == x->dtype && w->ndim == axes && (axes == 0 || memcmp(w->dim, x->dim + x->ndim - axes, (size_t)axes * sizeof *w->dim) == 0);
}

static bool check_weight(nigh_tape *t, const char *op, const char *name, nigh_node weight, const nigh_shape *x)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    nigh_shape both;
    if (!tape_check(t, op, 1, &weight)) return false;
    const nigh_shape *w = tape_shape(t, weight);
    if (w->dtype == x->dtype && tape_broadcast(w, x, &both) && tape_same_shape(&both, x)) return true;
    tape_fail(t, op, "x is %s, %s is %s; it must have the normed dimensions or broadcast to x", tape_shape_text(x, sx), name, tape_shape_text(w, sw));
    return false;
}

static nigh_node record(nigh_tape *t, const tape_operator *op, nigh_node x, int axes, nigh_node gamma, nigh_node beta, double eps)
{
    if (!fused_check_float(t, op->name, x, 1)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if (axes < 1 || axes > from.ndim) return tape_fail(t, op->name, "the last %d dimensions of an array of %d", axes, from.ndim);
    if (!(eps >= 0 && eps < INFINITY)) return tape_fail(t, op->name, "eps is %g; 0 or more is allowed", eps);
    if ((gamma != NIGH_NONE && !check_weight(t, op->name, "gamma", gamma, &from)) || (beta != NIGH_NONE && !check_weight(t, op->name, "beta", beta, &from))) return NIGH_NONE;
    int64_t n = shape_span(&from, from.ndim - axes, from.ndim);
    bool fused_gamma = gamma != NIGH_NONE && is_row(t, gamma, &from, axes);
    bool fused_beta = beta != NIGH_NONE && is_row(t, beta, &from, axes) && (fused_gamma || gamma == NIGH_NONE);
    norm_attributes attributes = {eps, fused_gamma, fused_beta, op == &op_rms_norm};
    nigh_shape shapes[3] = {from};
    shapes[0].ndim = from.ndim - axes + 1;
    shapes[0].dim[from.ndim - axes] = n;
    shapes[1] = shapes[0];
    shapes[1].ndim--;
    shapes[2] = shapes[1];
    nigh_node in[3] = {nigh_tape_reshape(t, x, shapes[0].ndim, shapes[0].dim)};
    int inputs = 1;
    if (fused_gamma) in[inputs++] = nigh_tape_reshape(t, gamma, 1, &n);
    if (fused_beta) in[inputs++] = nigh_tape_reshape(t, beta, 1, &n);
    nigh_node y = tape_record(t, op, attributes.rms ? 2 : 3, shapes, inputs, in, &attributes, sizeof attributes, false);
    if (y == NIGH_NONE) return NIGH_NONE;
    y = nigh_tape_reshape(t, y, from.ndim, from.dim);
    if (gamma != NIGH_NONE && !fused_gamma) y = nigh_tape_mul(t, y, gamma);
    return beta != NIGH_NONE && !fused_beta ? nigh_tape_add(t, y, beta) : y;
}

nigh_node nigh_tape_layer_norm(nigh_tape *t, nigh_node x, int axes, nigh_node gamma, nigh_node beta, double eps)
{
    return record(t, &op_layer_norm, x, axes, gamma, beta, eps);
}

nigh_node nigh_tape_rms_norm(nigh_tape *t, nigh_node x, nigh_node gamma, double eps) { return record(t, &op_rms_norm, x, 1, gamma, NIGH_NONE, eps); }

/* ---- Euclidean rows ----------------------------------------------------------------------------------- */

static void normalise_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in, *out = s->call->out;
    s->kernels->normalise(to - from, s->n, s->a->eps, row(s, &in[0], from, s->n), row(s, &out[0], from, s->n), row(s, &out[1], from, 1));
}

/* Inputs x (for its own derivative), y, inverse, g. */
static void normalise_back_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in;
    s->kernels->normalise_back(to - from, s->n, row(s, &in[1], from, s->n), row(s, &in[2], from, 1), row(s, &in[3], from, s->n), row(s, &s->call->out[0], from, s->n));
}

static void normalise_run(const void *state, const tape_call *call) { share(call, normalise_part); }
static void normalise_back_run(const void *state, const tape_call *call) { share(call, normalise_back_part); }

static nigh_node compose_normalise(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    double eps = ((const norm_attributes *)attributes)->eps;
    nigh_node sum = nigh_tape_sum(t, nigh_tape_square(t, in[0]), 1u << (tape_shape(t, in[0])->ndim - 1), true);
    return nigh_tape_mul(t, in[0], nigh_tape_rsqrt(t, nigh_tape_clamp(t, sum, eps * eps, INFINITY)));
}

static void normalise_back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int by = 0;
    nigh_node second = NIGH_NONE;
    fused_second(t, compose_normalise, node.attributes, 1, node.input, node.input[3], 1, &by, grad_out, wanted, &second, wanted[3], &grad_in[3]);
    grad_in[0] = second;
}

static const tape_operator op_normalise_back = {.name = "normalise-back", .kind = TAPE_KERNEL, .run = normalise_back_run, .gradient = normalise_back_gradient};

static void normalise_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = node.shape;
    nigh_node in[4] = {node.input[0], self, self + 1, grad_out[0]};
    grad_in[0] = tape_record_one(t, &op_normalise_back, &shape, 4, in, node.attributes, node.attribute_bytes);
}

static const tape_operator op_normalise = {.name = "normalise", .kind = TAPE_KERNEL, .run = normalise_run, .gradient = normalise_gradient};

nigh_node nigh_tape_normalise(nigh_tape *t, nigh_node x, double eps)
{
    if (!fused_check_float(t, "normalise", x, 1)) return NIGH_NONE;
    if (!(eps > 0 && eps < INFINITY)) return tape_fail(t, "normalise", "eps is %g; a positive number is allowed", eps);
    nigh_shape shapes[2] = {*tape_shape(t, x), *tape_shape(t, x)};
    shapes[1].ndim--;
    norm_attributes attributes = {.eps = eps};
    return tape_record(t, &op_normalise, 2, shapes, 1, &x, &attributes, sizeof attributes, false);
}
