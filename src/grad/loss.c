/* Losses that are composed of elementary operators. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>

#include "grad/fused.h"

static bool check_pair(nigh_tape *t, const char *op, nigh_node a, nigh_node b, int least_dims)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, a, least_dims) || !tape_check(t, op, 1, &b)) return false;
    const nigh_shape *x = tape_shape(t, a), *y = tape_shape(t, b);
    if (x->dtype == y->dtype && tape_same_shape(x, y)) return true;
    tape_fail(t, op, "the arrays are %s and %s; equal shapes are needed", tape_shape_text(x, sa), tape_shape_text(y, sb));
    return false;
}

nigh_node nigh_tape_mse(nigh_tape *t, nigh_node a, nigh_node b)
{
    return check_pair(t, "mse", a, b, 0) ? nigh_tape_mean(t, nigh_tape_square(t, nigh_tape_sub(t, a, b)), NIGH_ALL, false) : NIGH_NONE;
}

nigh_node nigh_tape_mean_abs(nigh_tape *t, nigh_node a, nigh_node b)
{
    return check_pair(t, "mean-abs", a, b, 0) ? nigh_tape_mean(t, nigh_tape_abs(t, nigh_tape_sub(t, a, b)), NIGH_ALL, false) : NIGH_NONE;
}

/* c (d - c / 2) with d clipped to c: d^2 / 2 inside, delta (|d| - delta / 2) outside. */
nigh_node nigh_tape_huber(nigh_tape *t, nigh_node a, nigh_node b, double delta)
{
    if (!check_pair(t, "huber", a, b, 0)) return NIGH_NONE;
    if (!(delta > 0 && delta < INFINITY)) return tape_fail(t, "huber", "delta is %g; a positive number is allowed", delta);
    nigh_node d = nigh_tape_sub(t, a, b), c = nigh_tape_clamp(t, d, -delta, delta);
    return nigh_tape_mean(t, nigh_tape_mul(t, c, nigh_tape_sub(t, d, nigh_tape_scale(t, c, 0.5))), NIGH_ALL, false);
}

nigh_node nigh_tape_binary_cross_entropy(nigh_tape *t, nigh_node x, nigh_node p, nigh_node weight)
{
    if (!check_pair(t, "binary-cross-entropy", x, p, 0)) return NIGH_NONE;
    if (weight != NIGH_NONE && !check_pair(t, "binary-cross-entropy", x, weight, 0)) return NIGH_NONE;
    nigh_node loss = nigh_tape_sub(t, nigh_tape_softplus(t, x, 1), nigh_tape_mul(t, x, p));
    return nigh_tape_mean(t, weight == NIGH_NONE ? loss : nigh_tape_mul(t, loss, weight), NIGH_ALL, false);
}

/* The norm of each sample, kept off 0, where the root has no slope. */
static nigh_node sample_norm(nigh_tape *t, nigh_node x)
{
    if (t->status) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    unsigned axes = ((1u << shape.ndim) - 1) & ~1u;
    return nigh_tape_sqrt(t, nigh_tape_clamp(t, nigh_tape_sum(t, nigh_tape_square(t, x), axes, false), shape.dtype == NIGH_F32 ? 1e-30 : 1e-280, INFINITY));
}

nigh_node nigh_tape_relative_l2_rows(nigh_tape *t, nigh_node a, nigh_node b)
{
    if (!check_pair(t, "relative-l2", a, b, 1)) return NIGH_NONE;
    return nigh_tape_div(t, sample_norm(t, nigh_tape_sub(t, a, b)), sample_norm(t, b));
}

nigh_node nigh_tape_relative_l2(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_mean(t, nigh_tape_relative_l2_rows(t, a, b), NIGH_ALL, false); }

nigh_node nigh_tape_kl(nigh_tape *t, nigh_node log_p, nigh_node log_q)
{
    if (!check_pair(t, "kl", log_p, log_q, 1)) return NIGH_NONE;
    unsigned last = 1u << (tape_shape(t, log_p)->ndim - 1);
    nigh_node each = nigh_tape_mul(t, nigh_tape_exp(t, log_p), nigh_tape_sub(t, log_p, log_q));
    return nigh_tape_mean(t, nigh_tape_sum(t, each, last, false), NIGH_ALL, false);
}
