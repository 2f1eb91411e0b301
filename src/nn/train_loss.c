/* Losses and metrics to record. Declared in nigh/train.h. */
#include "nn/train.h"

#include "grad/tape.h"

static bool check_pair(nigh_tape *tape, const char *op, nigh_node a, nigh_node b)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, op, 2, (nigh_node[]){a, b})) return false;
    const nigh_shape *x = tape_shape(tape, a), *y = tape_shape(tape, b);
    if (x->dtype == y->dtype && tape_same_shape(x, y)) return true;
    tape_fail(tape, op, "a is %s, b is %s; the same is needed", tape_shape_text(x, sa), tape_shape_text(y, sb));
    return false;
}

nigh_node nigh_loss_mse(nigh_tape *tape, nigh_node a, nigh_node b)
{
    if (!check_pair(tape, "mse", a, b)) return NIGH_NONE;
    return nigh_tape_mean(tape, nigh_tape_square(tape, nigh_tape_sub(tape, a, b)), NIGH_ALL, false);
}

nigh_node nigh_loss_relative_l2(nigh_tape *tape, nigh_node a, nigh_node b)
{
    if (!check_pair(tape, "relative_l2", a, b)) return NIGH_NONE;
    unsigned rest = tape_shape(tape, a)->ndim ? NIGH_ALL & ~1u : 0;
    nigh_node off = nigh_tape_sum(tape, nigh_tape_square(tape, nigh_tape_sub(tape, a, b)), rest, false);
    nigh_node size = nigh_tape_sum(tape, nigh_tape_square(tape, b), rest, false);
    return nigh_tape_mean(tape, nigh_tape_sqrt(tape, nigh_tape_div(tape, off, size)), NIGH_ALL, false);
}

/* 1 where the class of the last dimension is the label's, else 0: [..., classes] of the logits' type. */
static nigh_node one_hot(nigh_tape *tape, const char *op, nigh_node logits, nigh_node labels)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, op, 2, (nigh_node[]){logits, labels})) return NIGH_NONE;
    const nigh_shape x = *tape_shape(tape, logits), y = *tape_shape(tape, labels);
    bool fits = tape_is_float(x.dtype) && x.ndim >= 1 && y.dtype == NIGH_I32 && y.ndim == x.ndim - 1;
    for (int i = 0; fits && i < y.ndim; i++) fits = x.dim[i] == y.dim[i];
    if (!fits)
        return tape_fail(tape, op, "logits are %s, labels %s; [..., classes] of f32 or f64 and [...] of i32 are needed", tape_shape_text(&x, sa), tape_shape_text(&y, sb));
    int64_t classes = x.dim[x.ndim - 1], column[NIGH_MAX_DIMS];
    for (int i = 0; i < y.ndim; i++) column[i] = y.dim[i];
    column[y.ndim] = 1;
    nigh_context *ctx = tape->ctx;
    int32_t *number = nigh_alloc(ctx, (size_t)(classes ? classes : 1) * sizeof *number);
    if (!number) return tape->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t c = 0; c < classes; c++) number[c] = (int32_t)c;
    nigh_node class = nigh_tape_constant(tape, NIGH_I32, 1, &classes, number);
    nigh_free(ctx, number);
    return nigh_tape_cast(tape, nigh_tape_equal(tape, nigh_tape_reshape(tape, labels, y.ndim + 1, column), class), x.dtype);
}

/* sum(value) / max(sum(inside), 1); value is 0 outside. */
static nigh_node mean_inside(nigh_tape *tape, nigh_node value, nigh_node inside)
{
    nigh_node count = nigh_tape_max(tape, nigh_tape_sum(tape, inside, NIGH_ALL, false), nigh_tape_fill(tape, tape_shape(tape, inside)->dtype, 0, NULL, 1));
    return nigh_tape_div(tape, nigh_tape_sum(tape, value, NIGH_ALL, false), count);
}

nigh_node train_cross_entropy_rows(nigh_tape *tape, nigh_node logits, nigh_node labels, nigh_node *inside)
{
    nigh_node hot = one_hot(tape, "cross_entropy", logits, labels);
    if (hot == NIGH_NONE) return NIGH_NONE;
    unsigned last = 1u << (tape_shape(tape, logits)->ndim - 1);
    nigh_node at = nigh_tape_sum(tape, nigh_tape_mul(tape, hot, logits), last, false), all = nigh_tape_log_sum_exp(tape, logits, last, false);
    *inside = nigh_tape_sum(tape, hot, last, false);
    return nigh_tape_mul(tape, nigh_tape_sub(tape, all, at), *inside);
}

nigh_node nigh_loss_cross_entropy(nigh_tape *tape, nigh_node logits, nigh_node labels)
{
    nigh_node inside, rows = train_cross_entropy_rows(tape, logits, labels, &inside);
    return rows == NIGH_NONE ? NIGH_NONE : mean_inside(tape, rows, inside);
}

nigh_node nigh_metric_accuracy(nigh_tape *tape, nigh_node logits, nigh_node labels)
{
    nigh_node hot = one_hot(tape, "accuracy", logits, labels);
    if (hot == NIGH_NONE) return NIGH_NONE;
    unsigned last = 1u << (tape_shape(tape, logits)->ndim - 1);
    nigh_node at = nigh_tape_sum(tape, nigh_tape_mul(tape, hot, logits), last, false), top = nigh_tape_max_over(tape, logits, last, false);
    nigh_node inside = nigh_tape_sum(tape, hot, last, false);
    return mean_inside(tape, nigh_tape_mul(tape, nigh_tape_greater_equal(tape, at, top), inside), inside);
}
