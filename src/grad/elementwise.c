/* Elementwise operators of the tape, with broadcasting, and their gradients. Declared in nigh/grad.h. */
#include "tensor/elementwise.h"

#include "grad/tape.h"

#include <math.h>

/* ---- recording ---------------------------------------------------------------------------------------- */

static bool is_fill(const nigh_tape *tape, nigh_node id, double *value)
{
    const tape_node *node = tape_at(tape, id);
    if (node->op != &tape_op_fill) return false;
    *value = ((const fill_attributes *)node->attributes)->value[0];
    return true;
}

static nigh_node unary(nigh_tape *tape, elementwise_id id, nigh_node x, double p0, double p1)
{
    const char *name = elementwise_name(id);
    if (!tape_check(tape, name, 1, &x)) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(tape, x);
    if (!elementwise_find(shape->dtype, id)) return tape_fail(tape, name, "x is %s; the operator has no kernel for that type", nigh_dtype_name(shape->dtype));
    elementwise_attributes attributes = {id, {p0, p1}};
    return tape_record_one(tape, &tape_op_elementwise, shape, 1, &x, &attributes, sizeof attributes);
}

/* The other operand alone where one is a fill that changes nothing: gradients are full of such. */
static nigh_node simplify(nigh_tape *tape, elementwise_id id, nigh_node a, nigh_node b, const nigh_shape *shape)
{
    double v;
    bool same_a = tape_same_shape(tape_shape(tape, a), shape), same_b = tape_same_shape(tape_shape(tape, b), shape);
    if (id == ELEMENTWISE_MUL && same_a && is_fill(tape, b, &v) && tape_shape(tape, a)->dtype != NIGH_I32 && tape_shape(tape, a)->dtype != NIGH_I64)
        return nigh_tape_scale(tape, a, v);
    if (id == ELEMENTWISE_MUL && same_b && is_fill(tape, a, &v) && tape_shape(tape, b)->dtype != NIGH_I32 && tape_shape(tape, b)->dtype != NIGH_I64)
        return nigh_tape_scale(tape, b, v);
    if ((id == ELEMENTWISE_ADD || id == ELEMENTWISE_SUB) && same_a && is_fill(tape, b, &v) && v == 0) return a;
    if (id == ELEMENTWISE_ADD && same_b && is_fill(tape, a, &v) && v == 0) return b;
    return NIGH_NONE;
}

static nigh_node binary(nigh_tape *tape, elementwise_id id, nigh_node a, nigh_node b)
{
    const char *name = elementwise_name(id);
    nigh_node input[2] = {a, b};
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, name, 2, input)) return NIGH_NONE;
    const nigh_shape *x = tape_shape(tape, a), *y = tape_shape(tape, b);
    nigh_shape shape;
    if (x->dtype != y->dtype || !tape_broadcast(x, y, &shape))
        return tape_fail(tape, name, "a is %s, b is %s; types must be equal and dimensions equal or 1", tape_shape_text(x, sa), tape_shape_text(y, sb));
    if (!elementwise_find(shape.dtype, id)) return tape_fail(tape, name, "a is %s; the operator has no kernel for that type", nigh_dtype_name(shape.dtype));
    nigh_node simple = simplify(tape, id, a, b, &shape);
    if (simple != NIGH_NONE || tape->status) return simple;
    elementwise_attributes attributes = {id, {0, 0}};
    return tape_record_one(tape, &tape_op_elementwise, &shape, 2, input, &attributes, sizeof attributes);
}

nigh_node nigh_tape_neg(nigh_tape *t, nigh_node x)
{
    if (!tape_check(t, "neg", 1, &x)) return NIGH_NONE;
    nigh_dtype dtype = tape_shape(t, x)->dtype;
    return dtype == NIGH_I32 || dtype == NIGH_I64 ? unary(t, ELEMENTWISE_NEG, x, 0, 0) : nigh_tape_scale(t, x, -1);
}

nigh_node nigh_tape_abs(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_ABS, x, 0, 0); }
nigh_node nigh_tape_sign(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SIGN, x, 0, 0); }
nigh_node nigh_tape_square(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SQUARE, x, 0, 0); }
nigh_node nigh_tape_sqrt(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SQRT, x, 0, 0); }
nigh_node nigh_tape_rsqrt(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_RSQRT, x, 0, 0); }
nigh_node nigh_tape_reciprocal(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_RECIPROCAL, x, 0, 0); }
nigh_node nigh_tape_exp(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_EXP, x, 0, 0); }
nigh_node nigh_tape_expm1(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_EXPM1, x, 0, 0); }
nigh_node nigh_tape_log(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_LOG, x, 0, 0); }
nigh_node nigh_tape_log1p(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_LOG1P, x, 0, 0); }
nigh_node nigh_tape_sin(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SIN, x, 0, 0); }
nigh_node nigh_tape_cos(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_COS, x, 0, 0); }
nigh_node nigh_tape_tanh(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_TANH, x, 0, 0); }
nigh_node nigh_tape_sigmoid(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SIGMOID, x, 0, 0); }
nigh_node nigh_tape_silu(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_SILU, x, 0, 0); }
nigh_node nigh_tape_gelu(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_GELU, x, 0, 0); }
nigh_node nigh_tape_erf(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_ERF, x, 0, 0); }
nigh_node nigh_tape_relu(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_RELU, x, 0, 0); }
nigh_node nigh_tape_step(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_STEP, x, 0, 0); }
nigh_node nigh_tape_round(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_ROUND, x, 0, 0); }
nigh_node nigh_tape_floor(nigh_tape *t, nigh_node x) { return unary(t, ELEMENTWISE_FLOOR, x, 0, 0); }
nigh_node nigh_tape_pow(nigh_tape *t, nigh_node x, double exponent) { return unary(t, ELEMENTWISE_POW, x, exponent, 0); }

nigh_node nigh_tape_softplus(nigh_tape *t, nigh_node x, double beta)
{
    if (!(beta > 0 && isfinite(beta))) return tape_fail(t, "softplus", "beta is %g; a positive number is allowed", beta);
    return unary(t, ELEMENTWISE_SOFTPLUS, x, beta, 0);
}

nigh_node nigh_tape_leaky_relu(nigh_tape *t, nigh_node x, double slope)
{
    if (!isfinite(slope)) return tape_fail(t, "leaky-relu", "the slope is %g; a finite number is allowed", slope);
    return unary(t, ELEMENTWISE_LEAKY, x, slope, 0);
}

nigh_node nigh_tape_clamp(nigh_tape *t, nigh_node x, double low, double high)
{
    if (!(low <= high)) return tape_fail(t, "clamp", "low is %g, high is %g; low <= high is needed", low, high);
    return unary(t, ELEMENTWISE_CLAMP, x, low, high);
}

nigh_node nigh_tape_affine(nigh_tape *t, nigh_node x, double scale, double shift)
{
    double value;
    if (!tape_check(t, "affine", 1, &x)) return NIGH_NONE;
    if (scale == 1 && shift == 0) return x;
    const nigh_shape shape = *tape_shape(t, x);
    if (is_fill(t, x, &value)) return nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, scale * value + shift);
    const tape_node *node = tape_at(t, x);
    if (shift == 0 && node->op == &tape_op_elementwise) { /* a scale of a scale is one */
        const elementwise_attributes *inner = node->attributes;
        if (inner->id == ELEMENTWISE_AFFINE && inner->p[1] == 0 && (fabs(scale) == 1 || fabs(inner->p[0]) == 1))
            return nigh_tape_scale(t, node->input[0], scale * inner->p[0]);
    }
    return unary(t, ELEMENTWISE_AFFINE, x, scale, shift);
}

nigh_node nigh_tape_scale(nigh_tape *t, nigh_node x, double scale) { return nigh_tape_affine(t, x, scale, 0); }

nigh_node nigh_tape_add(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_ADD, a, b); }
nigh_node nigh_tape_sub(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_SUB, a, b); }
nigh_node nigh_tape_mul(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_MUL, a, b); }
nigh_node nigh_tape_div(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_DIV, a, b); }
nigh_node nigh_tape_min(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_MIN, a, b); }
nigh_node nigh_tape_max(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_MAX, a, b); }
nigh_node nigh_tape_greater(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_GREATER, a, b); }
nigh_node nigh_tape_greater_equal(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_GREATER_EQUAL, a, b); }
nigh_node nigh_tape_equal(nigh_tape *t, nigh_node a, nigh_node b) { return binary(t, ELEMENTWISE_EQUAL, a, b); }

nigh_node nigh_tape_where(nigh_tape *t, nigh_node condition, nigh_node a, nigh_node b)
{
    nigh_node input[3] = {condition, a, b};
    char sc[TAPE_SHAPE_TEXT], sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "where", 3, input)) return NIGH_NONE;
    const nigh_shape *c = tape_shape(t, condition), *x = tape_shape(t, a), *y = tape_shape(t, b);
    nigh_shape both, shape;
    if (c->dtype != x->dtype || x->dtype != y->dtype || !tape_broadcast(x, y, &both) || !tape_broadcast(&both, c, &shape) ||
        !elementwise_find(x->dtype, ELEMENTWISE_WHERE))
        return tape_fail(t, "where", "condition is %s, a is %s, b is %s; one type (f32 or f64) and dimensions equal or 1 are needed",
                         tape_shape_text(c, sc), tape_shape_text(x, sa), tape_shape_text(y, sb));
    elementwise_attributes attributes = {ELEMENTWISE_WHERE, {0, 0}};
    return tape_record_one(t, &tape_op_elementwise, &shape, 3, input, &attributes, sizeof attributes);
}

/* ---- gradients ---------------------------------------------------------------------------------------- */

static nigh_node conjugate(nigh_tape *t, nigh_node x)
{
    return x >= 0 && tape_is_complex(tape_shape(t, x)->dtype) ? nigh_tape_conj(t, x) : x;
}

static nigh_node fill_like(nigh_tape *t, nigh_node x, double value)
{
    const nigh_shape shape = *tape_shape(t, x);
    return nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, value);
}

/* s (1 - s) (2 + x (1 - 2 s)) with s = sigmoid(x). */
static nigh_node silu_second(nigh_tape *t, nigh_node x)
{
    nigh_node s = nigh_tape_sigmoid(t, x), r = nigh_tape_mul(t, s, nigh_tape_affine(t, s, -1, 1));
    return nigh_tape_mul(t, r, nigh_tape_affine(t, nigh_tape_mul(t, x, nigh_tape_affine(t, s, -2, 1)), 1, 2));
}

/* phi(x) (2 - x^2). */
static nigh_node gelu_second(nigh_tape *t, nigh_node x)
{
    nigh_node square = nigh_tape_square(t, x);
    nigh_node density = nigh_tape_scale(t, nigh_tape_exp(t, nigh_tape_scale(t, square, -0.5)), 0.39894228040143267794);
    return nigh_tape_mul(t, density, nigh_tape_affine(t, square, -1, 2));
}

/* dy/dx of y = f(x), or NIGH_NONE where it is 0; `done` when the rule has put the whole product into *out. */
static nigh_node slope(nigh_tape *t, const elementwise_attributes *a, nigh_node x, nigh_node y)
{
    switch ((elementwise_id)a->id) {
    case ELEMENTWISE_ABS: return nigh_tape_sign(t, x);
    case ELEMENTWISE_SQRT: return nigh_tape_scale(t, nigh_tape_reciprocal(t, y), 0.5);
    case ELEMENTWISE_RSQRT: return nigh_tape_scale(t, nigh_tape_mul(t, y, nigh_tape_square(t, y)), -0.5);
    case ELEMENTWISE_RECIPROCAL: return nigh_tape_neg(t, nigh_tape_square(t, y));
    case ELEMENTWISE_EXP: return y;
    case ELEMENTWISE_EXPM1: return nigh_tape_affine(t, y, 1, 1);
    case ELEMENTWISE_LOG: return nigh_tape_reciprocal(t, x);
    case ELEMENTWISE_LOG1P: return nigh_tape_reciprocal(t, nigh_tape_affine(t, x, 1, 1));
    case ELEMENTWISE_SIN: return nigh_tape_cos(t, x);
    case ELEMENTWISE_COS: return nigh_tape_neg(t, nigh_tape_sin(t, x));
    case ELEMENTWISE_TANH: return nigh_tape_affine(t, nigh_tape_square(t, y), -1, 1);
    case ELEMENTWISE_SIGMOID: return nigh_tape_mul(t, y, nigh_tape_affine(t, y, -1, 1));
    case ELEMENTWISE_SOFTPLUS: return nigh_tape_sigmoid(t, nigh_tape_scale(t, x, a->p[0]));
    case ELEMENTWISE_SILU: return unary(t, ELEMENTWISE_SILU_SLOPE, x, 0, 0);
    case ELEMENTWISE_SILU_SLOPE: return silu_second(t, x);
    case ELEMENTWISE_GELU: return unary(t, ELEMENTWISE_GELU_SLOPE, x, 0, 0);
    case ELEMENTWISE_GELU_SLOPE: return gelu_second(t, x);
    case ELEMENTWISE_ERF: return nigh_tape_scale(t, nigh_tape_exp(t, nigh_tape_neg(t, nigh_tape_square(t, x))), 1.12837916709551257390);
    case ELEMENTWISE_RELU: return nigh_tape_step(t, x);
    case ELEMENTWISE_LEAKY: return unary(t, ELEMENTWISE_STEP, x, a->p[0], 0);
    case ELEMENTWISE_POW: return a->p[0] == 0 ? NIGH_NONE : nigh_tape_scale(t, nigh_tape_pow(t, x, a->p[0] - 1), a->p[0]);
    case ELEMENTWISE_CLAMP: return unary(t, ELEMENTWISE_INSIDE, x, a->p[0], a->p[1]);
    default: return NIGH_NONE; /* steps: sign, round, comparisons ... */
    }
}

static nigh_node one_input(nigh_tape *t, const elementwise_attributes *a, nigh_node x, nigh_node y, nigh_node g)
{
    if (a->id == ELEMENTWISE_COPY) return g;
    if (a->id == ELEMENTWISE_NEG) return nigh_tape_neg(t, g);
    if (a->id == ELEMENTWISE_AFFINE) return nigh_tape_scale(t, g, a->p[0]);
    if (a->id == ELEMENTWISE_SQUARE) return nigh_tape_scale(t, nigh_tape_mul(t, g, conjugate(t, x)), 2); /* 2 x would be an array of its own */
    nigh_node s = slope(t, a, x, y);
    return s == NIGH_NONE ? NIGH_NONE : nigh_tape_mul(t, g, conjugate(t, s));
}

static void two_inputs(nigh_tape *t, elementwise_id id, const nigh_node *x, nigh_node y, nigh_node g, const bool *wanted, nigh_node *out)
{
    switch (id) {
    case ELEMENTWISE_ADD: out[0] = out[1] = g; break;
    case ELEMENTWISE_SUB:
        out[0] = g;
        if (wanted[1]) out[1] = nigh_tape_neg(t, g);
        break;
    case ELEMENTWISE_MUL:
        if (wanted[0]) out[0] = nigh_tape_mul(t, g, conjugate(t, x[1]));
        if (wanted[1]) out[1] = nigh_tape_mul(t, g, conjugate(t, x[0]));
        break;
    case ELEMENTWISE_DIV: {
        nigh_node share = nigh_tape_div(t, g, conjugate(t, x[1]));
        out[0] = share;
        if (wanted[1]) out[1] = nigh_tape_neg(t, nigh_tape_mul(t, share, conjugate(t, y)));
        break;
    }
    case ELEMENTWISE_MIN:
    case ELEMENTWISE_MAX: {
        nigh_node first = id == ELEMENTWISE_MAX ? nigh_tape_greater_equal(t, x[0], x[1]) : nigh_tape_greater_equal(t, x[1], x[0]);
        if (wanted[0]) out[0] = nigh_tape_mul(t, g, first);
        if (wanted[1]) out[1] = nigh_tape_mul(t, g, nigh_tape_affine(t, first, -1, 1));
        break;
    }
    default: break;
    }
}

static void gradient(nigh_tape *tape, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(tape, self); /* the tape grows below: not a pointer into it */
    const elementwise_attributes *a = node.attributes;
    nigh_node g = grad_out[0];
    if (node.inputs == 1) grad_in[0] = one_input(tape, a, node.input[0], self, g);
    else if (node.inputs == 2) two_inputs(tape, (elementwise_id)a->id, node.input, self, g, wanted, grad_in);
    else if (a->id == ELEMENTWISE_WHERE) {
        nigh_node zero = fill_like(tape, g, 0);
        if (wanted[1]) grad_in[1] = nigh_tape_where(tape, node.input[0], g, zero);
        if (wanted[2]) grad_in[2] = nigh_tape_where(tape, node.input[0], zero, g);
    }
    for (int i = 0; i < node.inputs; i++)
        if (grad_in[i] != NIGH_NONE) {
            nigh_shape shape = *tape_shape(tape, node.input[i]);
            grad_in[i] = wanted[i] ? tape_sum_to(tape, grad_in[i], &shape) : NIGH_NONE;
        }
}

const tape_operator tape_op_elementwise = {.name = "elementwise", .kind = TAPE_ELEMENTWISE, .gradient = gradient};

nigh_node tape_plus(nigh_tape *tape, nigh_node a, nigh_node b)
{
    if (a == NIGH_NONE || b == NIGH_NONE) return a == NIGH_NONE ? b : a;
    nigh_node sum = tape_plus_product(tape, a, b);
    if (sum == NIGH_NONE && !tape->status) sum = tape_plus_product(tape, b, a);
    return sum == NIGH_NONE && !tape->status ? nigh_tape_add(tape, a, b) : sum;
}
