/* Activations, dropout and straight-through helpers, composed of elementwise operators that run as one chain. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>

#include "grad/fused.h"

enum { POLY_TERMS = 8 };

/* ---- without weights ----------------------------------------------------------------------------------- */

nigh_node nigh_tape_hard_tanh(nigh_tape *t, nigh_node x) { return nigh_tape_clamp(t, x, -1, 1); }

/* relu(x) + alpha (exp(min(x, 0)) - 1). */
nigh_node nigh_tape_elu(nigh_tape *t, nigh_node x, double alpha)
{
    if (!isfinite(alpha)) return tape_fail(t, "elu", "alpha is %g; a finite number is allowed", alpha);
    nigh_node low = nigh_tape_expm1(t, nigh_tape_neg(t, nigh_tape_relu(t, nigh_tape_neg(t, x))));
    return nigh_tape_add(t, nigh_tape_relu(t, x), nigh_tape_scale(t, low, alpha));
}

nigh_node nigh_tape_softsign(nigh_tape *t, nigh_node x) { return nigh_tape_div(t, x, nigh_tape_affine(t, nigh_tape_abs(t, x), 1, 1)); }

nigh_node nigh_tape_gelu_tanh(nigh_tape *t, nigh_node x)
{
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
    nigh_node inner = nigh_tape_mul(t, x, nigh_tape_affine(t, nigh_tape_square(t, x), 0.044715 * root, root));
    return nigh_tape_mul(t, x, nigh_tape_affine(t, nigh_tape_tanh(t, inner), 0.5, 0.5));
}

/* ---- with weights --------------------------------------------------------------------------------------- */

nigh_node nigh_tape_prelu(nigh_tape *t, nigh_node x, nigh_node slope)
{
    char sx[TAPE_SHAPE_TEXT], ss[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "prelu", x, 0) || !tape_check(t, "prelu", 1, &slope)) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(t, x), *s = tape_shape(t, slope);
    bool fits = s->ndim == 0 || (s->ndim == 1 && (s->dim[0] == 1 || s->dim[0] == shape_last(shape)) && shape->ndim > 0);
    if (s->dtype != shape->dtype || !fits)
        return tape_fail(t, "prelu", "x is %s, the slope is %s; one number, or one a channel, is needed", tape_shape_text(shape, sx), tape_shape_text(s, ss));
    nigh_node low = nigh_tape_relu(t, nigh_tape_neg(t, x));
    return nigh_tape_sub(t, nigh_tape_relu(t, x), nigh_tape_mul(t, low, slope));
}

/* The numbers of a [n], 1 <= n <= POLY_TERMS, as nodes without dimensions; how many, 0 after a failure. */
static int coefficients(nigh_tape *t, const char *op, nigh_node x, nigh_node a, nigh_node *out)
{
    char sx[TAPE_SHAPE_TEXT], sa[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, x, 1) || !tape_check(t, op, 1, &a)) return 0;
    const nigh_shape *shape = tape_shape(t, x), given = *tape_shape(t, a);
    if (given.dtype != shape->dtype || given.ndim != 1 || given.dim[0] < 1 || given.dim[0] > POLY_TERMS) {
        tape_fail(t, op, "x is %s, the coefficients are %s; 1 to %d numbers of x's type are needed", tape_shape_text(shape, sx), tape_shape_text(&given, sa), POLY_TERMS);
        return 0;
    }
    for (int i = 0; i < given.dim[0]; i++) out[i] = nigh_tape_reshape(t, nigh_tape_slice(t, a, 0, i, 1, 1), 0, NULL);
    return t->status ? 0 : (int)given.dim[0];
}

nigh_node nigh_tape_poly_relu(nigh_tape *t, nigh_node x, nigh_node a)
{
    nigh_node c[POLY_TERMS];
    int n = coefficients(t, "poly-relu", x, a, c);
    if (!n) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    nigh_node r = nigh_tape_relu(t, x), power = r, y = nigh_tape_expand(t, c[0], shape.ndim, shape.dim);
    for (int i = 1; i < n; i++) {
        if (i > 1) power = nigh_tape_mul(t, power, r);
        y = nigh_tape_add(t, y, nigh_tape_mul(t, power, c[i]));
    }
    return y;
}

nigh_node nigh_tape_poly_norm(nigh_tape *t, nigh_node x, nigh_node a, nigh_node bias, double eps)
{
    nigh_node c[POLY_TERMS], y = NIGH_NONE, power = x;
    int n = coefficients(t, "poly-norm", x, a, c);
    for (int i = 0; i < n; i++) {
        if (i > 0) power = nigh_tape_mul(t, power, x);
        y = tape_plus(t, y, nigh_tape_mul(t, nigh_tape_rms_norm(t, power, NIGH_NONE, eps), c[i]));
    }
    if (t->status || !n || bias == NIGH_NONE) return t->status ? NIGH_NONE : y;
    char sx[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "poly-norm", 1, &bias)) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(t, x), *b = tape_shape(t, bias);
    if (b->dtype != shape->dtype || nigh_shape_count(b) != 1 || b->ndim > 1)
        return tape_fail(t, "poly-norm", "x is %s, the bias is %s; one number is needed", tape_shape_text(shape, sx), tape_shape_text(b, sb));
    return nigh_tape_add(t, y, bias);
}

/* ---- noise and straight-through -------------------------------------------------------------------------- */

nigh_node nigh_tape_dropout(nigh_tape *t, nigh_node x, double keep, uint64_t stream)
{
    if (!fused_check_float(t, "dropout", x, 0)) return NIGH_NONE;
    if (!(keep > 0 && keep <= 1)) return tape_fail(t, "dropout", "keep is %g; more than 0, at most 1 is allowed", keep);
    if (keep == 1) return x;
    const nigh_shape shape = *tape_shape(t, x);
    nigh_node mask = nigh_tape_noise(t, NIGH_NOISE_MASK, keep, stream, shape.dtype, shape.ndim, shape.dim);
    return nigh_tape_mul(t, x, nigh_tape_scale(t, mask, 1 / keep));
}

nigh_node nigh_tape_round_through(nigh_tape *t, nigh_node x) { return nigh_tape_straight_through(t, nigh_tape_round(t, x), x); }
nigh_node nigh_tape_sign_through(nigh_tape *t, nigh_node x) { return nigh_tape_straight_through(t, nigh_tape_sign(t, x), nigh_tape_hard_tanh(t, x)); }
nigh_node nigh_tape_clip_through(nigh_tape *t, nigh_node x, double low, double high) { return nigh_tape_straight_through(t, nigh_tape_clamp(t, x, low, high), x); }
