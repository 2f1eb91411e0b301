/* The share of right answers, to record. Declared in nigh/train.h. */
#include "nigh/train.h"

#include "grad/tape.h"
#include "nigh/operators_rows.h"

nigh_node nigh_metric_accuracy(nigh_tape *tape, nigh_node logits, nigh_node labels)
{
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    if (!tape_check(tape, "accuracy", 2, (nigh_node[]){logits, labels})) return NIGH_NONE;
    const nigh_shape x = *tape_shape(tape, logits), y = *tape_shape(tape, labels);
    bool fits = tape_is_float(x.dtype) && x.ndim >= 1 && y.dtype == NIGH_I32 && y.ndim == x.ndim - 1;
    for (int i = 0; fits && i < y.ndim; i++) fits = x.dim[i] == y.dim[i];
    if (!fits)
        return tape_fail(tape, "accuracy", "logits are %s, labels %s; [..., classes] of f32 or f64 and [...] of i32 are needed", tape_shape_text(&x, sa),
                         tape_shape_text(&y, sb));
    unsigned last = 1u << y.ndim;
    nigh_node hot = nigh_tape_one_hot(tape, labels, x.dim[y.ndim], x.dtype), inside = nigh_tape_sum(tape, hot, last, false);
    nigh_node at = nigh_tape_sum(tape, nigh_tape_mul(tape, hot, logits), last, false), top = nigh_tape_max_over(tape, logits, last, false);
    nigh_node right = nigh_tape_sum(tape, nigh_tape_mul(tape, nigh_tape_greater_equal(tape, at, top), inside), NIGH_ALL, false);
    nigh_node rows = nigh_tape_max(tape, nigh_tape_sum(tape, inside, NIGH_ALL, false), nigh_tape_fill(tape, x.dtype, 0, NULL, 1));
    return nigh_tape_div(tape, right, rows);
}
