/* Matrix products on the tape. Declared in nigh/grad.h. */
#include "tensor/matmul.h"

#include "grad/tape.h"

#include <string.h>

/* Of the factors in[0] and in[1]. */
static matmul_spec make_spec(const tape_call *call, const tape_operand *in, bool bias)
{
    unsigned flags = (unsigned)((const matmul_attributes *)call->node->attributes)->flags;
    const tape_operand *a = &in[0], *b = &in[1], *c = call->out;
    int nd = c->shape->ndim, na = a->shape->ndim, nb = b->shape->ndim;
    bool ta = flags & NIGH_TRANSPOSE_A, tb = flags & NIGH_TRANSPOSE_B;
    matmul_spec spec = {.dtype = c->shape->dtype, .b_dtype = b->shape->dtype, .m = c->shape->dim[nd - 2], .n = c->shape->dim[nd - 1],
                        .k = a->shape->dim[ta ? na - 2 : na - 1], .alpha = 1, .beta = 0, .bias = bias,
                        .a_row = a->stride[ta ? na - 1 : na - 2], .a_column = a->stride[ta ? na - 2 : na - 1],
                        .b_row = b->stride[tb ? nb - 1 : nb - 2], .b_column = b->stride[tb ? nb - 2 : nb - 1],
                        .c_row = c->stride[nd - 2], .c_column = c->stride[nd - 1],
                        .conjugate_a = flags & NIGH_CONJUGATE_A, .conjugate_b = flags & NIGH_CONJUGATE_B};
    for (int i = 0; i < nd - 2; i++) { /* leading dimensions, those of 1 left out, neighbours merged where all three allow it */
        int64_t size = c->shape->dim[i];
        if (size == 1) continue;
        int ia = i - (nd - na), ib = i - (nd - nb);
        int64_t sa = ia < 0 || a->shape->dim[ia] == 1 ? 0 : a->stride[ia], sb = ib < 0 || b->shape->dim[ib] == 1 ? 0 : b->stride[ib];
        int last = spec.batch_dims - 1;
        if (last >= 0 && spec.a_batch[last] == size * sa && spec.b_batch[last] == size * sb && spec.c_batch[last] == size * c->stride[i]) {
            spec.batch[last] *= size;
            spec.a_batch[last] = sa, spec.b_batch[last] = sb, spec.c_batch[last] = c->stride[i];
            continue;
        }
        int at = spec.batch_dims++;
        spec.batch[at] = size;
        spec.a_batch[at] = sa, spec.b_batch[at] = sb, spec.c_batch[at] = c->stride[i];
    }
    return spec;
}

static nigh_status keep_product(nigh_context *ctx, const matmul_spec *spec, int threads, void **state, size_t *workspace)
{
    matmul *product;
    nigh_status status = matmul_new(ctx, spec, threads, &product);
    if (status) return status;
    *state = product;
    *workspace = matmul_workspace(product);
    return NIGH_OK;
}

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    matmul_spec spec = make_spec(call, call->in, call->node->inputs == 3);
    return keep_product(ctx, &spec, call->threads, state, workspace);
}

static void run(const void *state, const tape_call *call)
{
    matmul_run(state, call->in[0].data, call->in[1].data, call->node->inputs == 3 ? call->in[2].data : NULL, call->out->data, call->workspace);
}

static void release(nigh_context *ctx, void *state) { matmul_free(state); }

static double flops(const tape_call *call)
{
    unsigned flags = (unsigned)((const matmul_attributes *)call->node->attributes)->flags;
    const nigh_shape *a = call->in[0].shape, *c = call->out->shape;
    return (tape_is_complex(c->dtype) ? 8. : 2.) * (double)nigh_shape_count(c) * (double)a->dim[a->ndim - (flags & NIGH_TRANSPOSE_A ? 2 : 1)];
}

/* With D = G op(B)^H: D for a as it stands, D^T where a is transposed; likewise op(A)^H G for b. */
static void factor_gradients(nigh_tape *t, unsigned flags, nigh_node a, nigh_node b, nigh_node g, const bool *wanted, nigh_node *grad_in)
{
    bool complex = tape_is_complex(tape_shape(t, g)->dtype), ta = flags & NIGH_TRANSPOSE_A, tb = flags & NIGH_TRANSPOSE_B;
    bool ca = complex && !(flags & NIGH_CONJUGATE_A), cb = complex && !(flags & NIGH_CONJUGATE_B); /* of the other factor, in the rule */
    if (wanted[0]) {
        nigh_node d = ta ? nigh_tape_matmul(t, b, g, (tb ? NIGH_TRANSPOSE_A : 0) | NIGH_TRANSPOSE_B | (cb ? NIGH_CONJUGATE_A : 0))
                         : nigh_tape_matmul(t, g, b, (tb ? 0 : NIGH_TRANSPOSE_B) | (cb ? NIGH_CONJUGATE_B : 0));
        if (flags & NIGH_CONJUGATE_A) d = nigh_tape_conj(t, d);
        if (d != NIGH_NONE) {
            const nigh_shape shape = *tape_shape(t, a);
            grad_in[0] = tape_sum_to(t, d, &shape);
        }
    }
    if (wanted[1]) {
        nigh_node d = tb ? nigh_tape_matmul(t, g, a, NIGH_TRANSPOSE_A | (ta ? NIGH_TRANSPOSE_B : 0) | (ca ? NIGH_CONJUGATE_B : 0))
                         : nigh_tape_matmul(t, a, g, (ta ? 0 : NIGH_TRANSPOSE_A) | (ca ? NIGH_CONJUGATE_A : 0));
        if (flags & NIGH_CONJUGATE_B) d = nigh_tape_conj(t, d);
        if (d != NIGH_NONE) {
            const nigh_shape shape = *tape_shape(t, b);
            grad_in[1] = tape_sum_to(t, d, &shape);
        }
    }
}

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    factor_gradients(t, (unsigned)((const matmul_attributes *)node.attributes)->flags, node.input[0], node.input[1], grad_out[0], wanted, grad_in);
    if (node.inputs == 3 && wanted[2]) {
        const nigh_shape shape = *tape_shape(t, node.input[2]);
        grad_in[2] = tape_sum_to(t, grad_out[0], &shape);
    }
}

static const tape_operator op_matmul = {.name = "matmul", .kind = TAPE_KERNEL, .strided = 3, .prepare = prepare, .run = run, .release = release,
                                        .flops = flops, .gradient = gradient};

/* ---- recording ---------------------------------------------------------------------------------------- */

static nigh_node record(nigh_tape *t, nigh_node a, nigh_node b, nigh_node bias, unsigned flags)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    nigh_node input[3] = {a, b, bias};
    int inputs = bias == NIGH_NONE ? 2 : 3;
    if (!tape_check(t, "matmul", inputs, input)) return NIGH_NONE;
    const nigh_shape *x = tape_shape(t, a), *y = tape_shape(t, b);
    tape_shape_text(x, sa), tape_shape_text(y, sb);
    if (flags > 15) return tape_fail(t, "matmul", "the flags are %u; sums of NIGH_TRANSPOSE_A .. NIGH_CONJUGATE_B are allowed", flags);
    if (x->dtype != y->dtype || (!tape_is_float(x->dtype) && !tape_is_complex(x->dtype)))
        return tape_fail(t, "matmul", "a is %s, b is %s; one type of f32, f64, c64, c128 is needed", sa, sb);
    if (x->ndim < 2 || y->ndim < 2) return tape_fail(t, "matmul", "a is %s, b is %s; matrices, or stacks of them, are needed", sa, sb);
    bool ta = flags & NIGH_TRANSPOSE_A, tb = flags & NIGH_TRANSPOSE_B;
    int64_t m = x->dim[x->ndim - (ta ? 1 : 2)], k = x->dim[x->ndim - (ta ? 2 : 1)], kb = y->dim[y->ndim - (tb ? 1 : 2)], n = y->dim[y->ndim - (tb ? 2 : 1)];
    if (k != kb) return tape_fail(t, "matmul", "a is %s%s, b is %s%s: the inner sizes %lld and %lld differ", sa, ta ? " transposed" : "", sb,
                                  tb ? " transposed" : "", (long long)k, (long long)kb);
    nigh_shape ba = *x, bb = *y, shape;
    ba.ndim -= 2, bb.ndim -= 2;
    if (!tape_broadcast(&ba, &bb, &shape)) return tape_fail(t, "matmul", "a is %s, b is %s: the leading dimensions do not fit", sa, sb);
    shape.dim[shape.ndim++] = m;
    shape.dim[shape.ndim++] = n;
    if (inputs == 3 && (tape_shape(t, bias)->ndim != 1 || tape_shape(t, bias)->dim[0] != n || tape_shape(t, bias)->dtype != shape.dtype)) {
        tape_shape_text(tape_shape(t, bias), sa);
        return tape_fail(t, "matmul", "the bias is %s, b is %s: it needs %lld numbers of that type", sa, sb, (long long)n);
    }
    if (!tape_is_complex(shape.dtype)) flags &= NIGH_TRANSPOSE_A | NIGH_TRANSPOSE_B;
    matmul_attributes attributes = {flags};
    return tape_record_one(t, &op_matmul, &shape, inputs, input, &attributes, sizeof attributes);
}

nigh_node nigh_tape_matmul(nigh_tape *t, nigh_node a, nigh_node b, unsigned flags)
{
    if (!tape_check(t, "matmul", 2, (nigh_node[]){a, b})) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, a), y = *tape_shape(t, b);
    /* A stack of matrices times one matrix is one tall matrix times it: one product, and one for each gradient. */
    if (x.ndim > 2 && y.ndim == 2 && !(flags & NIGH_TRANSPOSE_A)) {
        nigh_shape shape = x;
        nigh_node tall = nigh_tape_reshape(t, a, 2, (int64_t[]){-1, x.dim[x.ndim - 1]}), c = record(t, tall, b, NIGH_NONE, flags);
        if (c == NIGH_NONE) return NIGH_NONE;
        shape.dim[x.ndim - 1] = tape_shape(t, c)->dim[1];
        return nigh_tape_reshape(t, c, shape.ndim, shape.dim);
    }
    return record(t, a, b, NIGH_NONE, flags);
}

nigh_node nigh_tape_linear(nigh_tape *t, nigh_node x, nigh_node w, nigh_node bias)
{
    if (!tape_check(t, "linear", 2, (nigh_node[]){x, w})) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    const nigh_shape *weights = tape_shape(t, w);
    if (shape.ndim < 1 || weights->ndim != 2 || shape.dim[shape.ndim - 1] != weights->dim[0])
        return tape_fail(t, "linear", "x is %s, w is %s; x [..., in] and w [in, out] are needed", tape_shape_text(&shape, sx), tape_shape_text(weights, sw));
    nigh_node tall = nigh_tape_reshape(t, x, 2, (int64_t[]){-1, shape.dim[shape.ndim - 1]}), y = record(t, tall, w, bias, 0);
    if (y == NIGH_NONE) return NIGH_NONE;
    shape.dim[shape.ndim - 1] = tape_shape(t, y)->dim[1];
    return nigh_tape_reshape(t, y, shape.ndim, shape.dim);
}

/* ---- sums of products --------------------------------------------------------------------------------- */

/* inputs: what is added to, a, b. */
static nigh_status sum_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    matmul_spec spec = make_spec(call, call->in + 1, false);
    spec.beta = 1;
    return keep_product(ctx, &spec, call->threads, state, workspace);
}

static void sum_run(const void *state, const tape_call *call)
{
    if (call->out->data != call->in[0].data) tape_copy(&call->in[0], call->out->data, call->out->stride, call->threads);
    matmul_run(state, call->in[1].data, call->in[2].data, NULL, call->out->data, call->workspace);
}

static double sum_flops(const tape_call *call)
{
    tape_call product = *call;
    product.in++;
    return flops(&product);
}

static void sum_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    grad_in[0] = grad_out[0];
    factor_gradients(t, (unsigned)((const matmul_attributes *)node.attributes)->flags, node.input[1], node.input[2], grad_out[0], wanted + 1, grad_in + 1);
}

static const tape_operator op_sum = {.name = "matmul-add", .kind = TAPE_KERNEL, .strided = 6, .in_place = true, .prepare = sum_prepare, .run = sum_run, .release = release,
                                     .flops = sum_flops, .gradient = sum_gradient};

/* The numbers [n] that x repeats in all rows; NIGH_NONE: it does not. */
static nigh_node repeated_row(nigh_tape *t, nigh_node x)
{
    const tape_node node = *tape_at(t, x);
    if (strcmp(node.op->name, "expand")) return NIGH_NONE;
    const nigh_shape *row = tape_shape(t, node.input[0]);
    bool whole = row->ndim >= 1 && row->ndim <= 2 && row->dim[row->ndim - 1] == node.shape.dim[1] && (row->ndim == 1 || row->dim[0] == 1);
    return whole ? nigh_tape_reshape(t, node.input[0], 1, &node.shape.dim[1]) : NIGH_NONE;
}

static bool is_product(const tape_node *node)
{
    return node->op == &op_matmul && node->inputs == 2 && node->shape.ndim == 2 && tape_is_float(node->shape.dtype);
}

nigh_node tape_plus_product(nigh_tape *t, nigh_node x, nigh_node product)
{
    const tape_node p = *tape_at(t, product), other = *tape_at(t, x);
    if (p.shape.ndim != 2 || !tape_same_shape(&p.shape, &other.shape)) return NIGH_NONE;
    nigh_node row = is_product(&p) || p.op == &op_sum ? repeated_row(t, x) : NIGH_NONE;
    if (p.op == &op_sum && row != NIGH_NONE && is_product(tape_at(t, p.input[0]))) {
        nigh_node first = tape_plus_product(t, x, p.input[0]);
        return tape_record_one(t, &op_sum, &p.shape, 3, (nigh_node[]){first, p.input[1], p.input[2]}, p.attributes, p.attribute_bytes);
    }
    if (!is_product(&p)) return NIGH_NONE;
    if (row != NIGH_NONE) return record(t, p.input[0], p.input[1], row, (unsigned)((const matmul_attributes *)p.attributes)->flags);
    if (other.op->kind != TAPE_KERNEL && other.op->kind != TAPE_ELEMENTWISE) return NIGH_NONE;
    return tape_record_one(t, &op_sum, &p.shape, 3, (nigh_node[]){x, p.input[0], p.input[1]}, p.attributes, p.attribute_bytes);
}
