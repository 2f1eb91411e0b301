/* Polynomial activations and pairs in order: fused forward and backward. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"
#include "tensor/poly.h"

/* ---- running ---------------------------------------------------------------------------------------------- */

typedef struct poly_attributes {
    double eps;
} poly_attributes;

typedef struct slab {
    const tape_call *call;
    const poly_kernels *kernels;
    int64_t n, rows; /* single elements are rows of 1 for the polynomial of relu(x) */
    int terms;
    size_t size;
    int parts;
} slab;

static slab slab_of(const tape_call *call, bool norm)
{
    const nigh_shape *x = call->in[0].shape;
    int64_t count = nigh_shape_count(x), n = norm ? shape_last(x) : 1, rows = norm ? shape_span(x, 0, x->ndim - 1) : count;
    return (slab){call, poly_kernels_find(x->dtype), n, rows, (int)call->in[1].shape->dim[0], nigh_dtype_size(x->dtype), share_parts(call->threads, rows, 2 * count)};
}

static char *at(const slab *s, const tape_operand *o, int64_t row, int64_t width) { return (char *)o->data + (size_t)(row * width) * s->size; }

static void relu_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    s->kernels->relu(to - from, s->terms, s->call->in[1].data, at(s, &s->call->in[0], from, 1), at(s, &s->call->out[0], from, 1));
}

static void norm_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *out = s->call->out;
    double eps = ((const poly_attributes *)s->call->node->attributes)->eps;
    s->kernels->norm(to - from, s->n, s->terms, eps, s->call->in[1].data, at(s, &s->call->in[0], from, s->n), at(s, &out[0], from, s->n), at(s, &out[1], from, s->terms));
}

/* Backward: inputs x, a, g (and the scales); outputs dx, da. The workspace holds each part's sums. */
static void relu_back_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in;
    s->kernels->relu_back(to - from, s->terms, in[1].data, at(s, &in[0], from, 1), at(s, &in[2], from, 1), at(s, &s->call->out[0], from, 1),
                          (double *)s->call->workspace + part * POLY_TERMS);
}

static void norm_back_part(const void *user, int part, int64_t from, int64_t to)
{
    const slab *s = user;
    const tape_operand *in = s->call->in;
    s->kernels->norm_back(to - from, s->n, s->terms, in[1].data, at(s, &in[0], from, s->n), at(s, &in[3], from, s->terms), at(s, &in[2], from, s->n),
                          at(s, &s->call->out[0], from, s->n), (double *)s->call->workspace + part * POLY_TERMS);
}

static void share(const slab *s, share_fn *fn)
{
    if (s->n > 0 && s->rows > 0) share_rows(s->parts, s->rows, fn, s);
}

static void back(const slab *s, share_fn *fn)
{
    double *sums = s->call->workspace;
    memset(sums, 0, (size_t)(s->parts * POLY_TERMS) * sizeof *sums);
    share(s, fn);
    for (int i = 0; i < s->terms; i++) {
        double sum = 0;
        for (int part = 0; part < s->parts; part++) sum += sums[part * POLY_TERMS + i];
        if (s->call->out[1].shape->dtype == NIGH_F32) ((float *)s->call->out[1].data)[i] = (float)sum;
        else ((double *)s->call->out[1].data)[i] = sum;
    }
}

static nigh_status back_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    *workspace = (size_t)(call->threads * POLY_TERMS) * sizeof(double);
    return NIGH_OK;
}

static void relu_run(const void *state, const tape_call *call)
{
    slab s = slab_of(call, false);
    share(&s, relu_part);
}

static void relu_back_run(const void *state, const tape_call *call)
{
    slab s = slab_of(call, false);
    back(&s, relu_back_part);
}

static void norm_run(const void *state, const tape_call *call)
{
    slab s = slab_of(call, true);
    share(&s, norm_part);
}

static void norm_back_run(const void *state, const tape_call *call)
{
    slab s = slab_of(call, true);
    back(&s, norm_back_part);
}

/* ---- derivatives -------------------------------------------------------------------------------------------- */

static nigh_node coefficient(nigh_tape *t, nigh_node a, int64_t i) { return nigh_tape_reshape(t, nigh_tape_slice(t, a, 0, i, 1, 1), 0, NULL); }

static nigh_node compose_relu(nigh_tape *t, const void *attributes, int inputs, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, in[0]);
    int64_t n = tape_shape(t, in[1])->dim[0];
    nigh_node r = nigh_tape_relu(t, in[0]), power = r, y = nigh_tape_expand(t, coefficient(t, in[1], 0), shape.ndim, shape.dim);
    for (int64_t i = 1; i < n; i++) {
        if (i > 1) power = nigh_tape_mul(t, power, r);
        y = nigh_tape_add(t, y, nigh_tape_mul(t, power, coefficient(t, in[1], i)));
    }
    return y;
}

static nigh_node compose_norm(nigh_tape *t, const void *attributes, int inputs, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    double eps = ((const poly_attributes *)attributes)->eps;
    int64_t n = tape_shape(t, in[1])->dim[0];
    nigh_node power = in[0], y = NIGH_NONE;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) power = nigh_tape_mul(t, power, in[0]);
        y = tape_plus(t, y, nigh_tape_mul(t, nigh_tape_rms_norm(t, power, NIGH_NONE, eps), coefficient(t, in[1], i)));
    }
    return y;
}

static const tape_operator op_norm_back;

static void back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int by[2] = {0, 1};
    nigh_node second[2] = {NIGH_NONE, NIGH_NONE};
    fused_second(t, node.op == &op_norm_back ? compose_norm : compose_relu, node.attributes, 2, node.input, node.input[2], 2, by, grad_out, wanted, second, wanted[2], &grad_in[2]);
    grad_in[0] = second[0];
    grad_in[1] = second[1];
}

static const tape_operator op_relu_back = {.name = "poly-relu-back", .kind = TAPE_KERNEL, .prepare = back_prepare, .run = relu_back_run, .gradient = back_gradient};
static const tape_operator op_norm_back = {.name = "poly-norm-back", .kind = TAPE_KERNEL, .prepare = back_prepare, .run = norm_back_run, .gradient = back_gradient};

static void record_back(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in, bool norm)
{
    const tape_node node = *tape_at(t, self);
    if (grad_out[0] == NIGH_NONE) return;
    nigh_shape shapes[2] = {*tape_shape(t, node.input[0]), *tape_shape(t, node.input[1])};
    nigh_node in[4] = {node.input[0], node.input[1], grad_out[0], self + 1};
    nigh_node both = tape_record(t, norm ? &op_norm_back : &op_relu_back, 2, shapes, norm ? 4 : 3, in, node.attributes, node.attribute_bytes, false);
    for (int i = 0; i < 2 && both != NIGH_NONE; i++)
        if (wanted[i]) grad_in[i] = both + i;
}

static void relu_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in) { record_back(t, self, grad_out, wanted, grad_in, false); }
static void norm_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in) { record_back(t, self, grad_out, wanted, grad_in, true); }

static const tape_operator op_relu = {.name = "poly-relu", .kind = TAPE_KERNEL, .run = relu_run, .gradient = relu_gradient};
static const tape_operator op_norm = {.name = "poly-norm", .kind = TAPE_KERNEL, .run = norm_run, .gradient = norm_gradient};

/* ---- recording ---------------------------------------------------------------------------------------------- */

static bool check(nigh_tape *t, const char *op, nigh_node x, nigh_node a)
{
    char sx[TAPE_SHAPE_TEXT], sa[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, x, 1) || !tape_check(t, op, 1, &a)) return false;
    const nigh_shape *shape = tape_shape(t, x), *given = tape_shape(t, a);
    if (given->dtype == shape->dtype && given->ndim == 1 && given->dim[0] >= 1 && given->dim[0] <= POLY_TERMS) return true;
    tape_fail(t, op, "x is %s, the coefficients are %s; 1 to %d numbers of x's type are needed", tape_shape_text(shape, sx), tape_shape_text(given, sa), POLY_TERMS);
    return false;
}

nigh_node nigh_tape_poly_relu(nigh_tape *t, nigh_node x, nigh_node a)
{
    if (!check(t, "poly-relu", x, a)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    return tape_record_one(t, &op_relu, &shape, 2, (nigh_node[]){x, a}, NULL, 0);
}

nigh_node nigh_tape_poly_norm(nigh_tape *t, nigh_node x, nigh_node a, nigh_node bias, double eps)
{
    char sx[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!check(t, "poly-norm", x, a)) return NIGH_NONE;
    if (!(eps >= 0 && eps < INFINITY)) return tape_fail(t, "poly-norm", "eps is %g; 0 or more is allowed", eps);
    nigh_shape shapes[2] = {*tape_shape(t, x), *tape_shape(t, x)};
    shapes[1].dim[shapes[1].ndim - 1] = tape_shape(t, a)->dim[0];
    poly_attributes attributes = {eps};
    nigh_node y = tape_record(t, &op_norm, 2, shapes, 2, (nigh_node[]){x, a}, &attributes, sizeof attributes, false);
    if (y == NIGH_NONE || bias == NIGH_NONE) return y;
    if (!tape_check(t, "poly-norm", 1, &bias)) return NIGH_NONE;
    const nigh_shape *b = tape_shape(t, bias);
    if (b->dtype != shapes[0].dtype || nigh_shape_count(b) != 1 || b->ndim > 1)
        return tape_fail(t, "poly-norm", "x is %s, the bias is %s; one number is needed", tape_shape_text(&shapes[0], sx), tape_shape_text(b, sb));
    return nigh_tape_add(t, y, bias);
}

/* ---- pairs in order ------------------------------------------------------------------------------------------ */

static void pairs_part(const void *user, int part, int64_t from, int64_t to)
{
    const tape_call *call = user;
    nigh_dtype dtype = call->out->shape->dtype;
    size_t first = (size_t)(2 * from) * nigh_dtype_size(dtype);
    char *x = (char *)call->in[0].data + first, *out = (char *)call->out->data + first;
    if (call->node->inputs == 1) poly_kernels_find(dtype)->max_min(to - from, x, out);
    else poly_kernels_find(dtype)->max_min_back(to - from, x, (char *)call->in[1].data + first, out);
}

static void pairs_run(const void *state, const tape_call *call)
{
    int64_t pairs = nigh_shape_count(call->out->shape) / 2;
    share_rows(share_parts(call->threads, pairs, 2 * pairs), pairs, pairs_part, call);
}

static const tape_operator op_max_min_back;

/* To exchange or not depends on x alone: the rule is linear in g and its own adjoint. */
static void pairs_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int last = node.inputs - 1;
    const nigh_shape shape = node.shape;
    if (wanted[last]) grad_in[last] = tape_record_one(t, &op_max_min_back, &shape, 2, (nigh_node[]){node.input[0], grad_out[0]}, NULL, 0);
}

static const tape_operator op_max_min = {.name = "max-min", .kind = TAPE_KERNEL, .in_place = true, .run = pairs_run, .gradient = pairs_gradient};
static const tape_operator op_max_min_back = {.name = "max-min-back", .kind = TAPE_KERNEL, .in_place = true, .run = pairs_run, .gradient = pairs_gradient};

nigh_node nigh_tape_max_min(nigh_tape *t, nigh_node x)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "max-min", x, 1)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if (shape_last(&shape) % 2) return tape_fail(t, "max-min", "x is %s; an even number of channels (the last dimension) is needed", tape_shape_text(&shape, text));
    return tape_record_one(t, &op_max_min, &shape, 1, &x, NULL, 0);
}
