/* Activations, dropout and straight-through helpers, composed of elementwise operators that run as one chain. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>

#include "grad/fused.h"

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
