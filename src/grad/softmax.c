/* Softmax, its logarithm, and cross-entropies of rows: fused forward and backward. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include "grad/fused.h"
#include "tensor/rows.h"

#include <math.h>

/* ---- running ------------------------------------------------------------------------------------------ */

/* A part of the rows of a call: operand i from row `from` on. */
typedef struct slab {
    const tape_call *call;
    const rows_kernels *kernels;
    int64_t n;
} slab;

static char *at(const tape_operand *o, int64_t row, int64_t width)
{
    return (char *)o->data + row * width * (int64_t)nigh_dtype_size(o->shape->dtype);
}

static void run_rows(const tape_call *call, share_fn *fn)
{
    const nigh_shape *shape = call->in[0].shape;
    slab s = {call, rows_kernels_find(shape->dtype), shape_last(shape)};
    int64_t count = nigh_shape_count(shape), rows = shape_span(shape, 0, shape->ndim - 1);
    if (count) share_rows(share_parts(call->threads, rows, 4 * count), rows, fn, &s);
}

#define ROWS(name, ...)                                                                                                                    \
    static void name##_part(const void *user, int part, int64_t from, int64_t to)                                                          \
    {                                                                                                                                      \
        const slab *s = user;                                                                                                              \
        const tape_operand *in = s->call->in, *out = s->call->out;                                                                         \
        int64_t n = s->n;                                                                                                                  \
        s->kernels->name(to - from, n, __VA_ARGS__);                                                                                       \
    }                                                                                                                                      \
    static void name##_run(const void *state, const tape_call *call) { run_rows(call, name##_part); }

ROWS(softmax, at(&in[0], from, n), at(&out[0], from, n))
ROWS(log_softmax, at(&in[0], from, n), at(&out[0], from, n))
ROWS(softmax_back, at(&in[0], from, n), at(&in[1], from, n), at(&out[0], from, n))
ROWS(log_softmax_back, at(&in[0], from, n), at(&in[1], from, n), at(&out[0], from, n))
ROWS(cross_entropy, at(&in[0], from, n), (const int32_t *)at(&in[1], from, 1), at(&out[0], from, 1), at(&out[1], from, 1))
ROWS(cross_entropy_back, at(&in[0], from, n), at(&in[2], from, 1), (const int32_t *)at(&in[1], from, 1), at(&in[3], from, 1), at(&out[0], from, n))
ROWS(cross_entropy_soft, at(&in[0], from, n), at(&in[1], from, n), at(&out[0], from, 1), at(&out[1], from, 1))
ROWS(cross_entropy_soft_back, at(&in[0], from, n), at(&in[2], from, 1), at(&in[1], from, n), at(&in[3], from, 1), at(&out[0], from, n))

/* ---- softmax and its logarithm ------------------------------------------------------------------------ */

/* y (u - sum(u y)) is symmetric in what comes in: the rule of the rule by g is the rule; by y it is u (g - sum(g y)) - g sum(u y). */
static unsigned last_axis(const nigh_tape *t, nigh_node x) { return 1u << (tape_shape(t, x)->ndim - 1); }

static nigh_node row_sum(nigh_tape *t, nigh_node x) { return x == NIGH_NONE ? NIGH_NONE : nigh_tape_sum(t, x, last_axis(t, x), true); }

static const tape_operator op_softmax_back, op_log_softmax_back;

static void softmax_back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    nigh_node y = node.input[0], g = node.input[1], u = grad_out[0];
    if (wanted[0]) {
        nigh_node centred = nigh_tape_sub(t, g, row_sum(t, nigh_tape_mul(t, g, y)));
        grad_in[0] = nigh_tape_sub(t, nigh_tape_mul(t, u, centred), nigh_tape_mul(t, g, row_sum(t, nigh_tape_mul(t, u, y))));
    }
    if (wanted[1]) {
        const nigh_shape shape = *tape_shape(t, y);
        grad_in[1] = tape_record_one(t, &op_softmax_back, &shape, 2, (nigh_node[]){y, u}, NULL, 0);
    }
}

/* dx = g - exp(y) sum(g). */
static void log_softmax_back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    nigh_node g = node.input[1], u = grad_out[0], weighted = nigh_tape_mul(t, nigh_tape_exp(t, node.input[0]), u);
    if (wanted[0]) grad_in[0] = nigh_tape_neg(t, nigh_tape_mul(t, weighted, row_sum(t, g)));
    if (wanted[1]) grad_in[1] = nigh_tape_sub(t, u, row_sum(t, weighted));
}

static const tape_operator op_softmax_back = {.name = "softmax-back", .kind = TAPE_KERNEL, .run = softmax_back_run, .gradient = softmax_back_gradient};
static const tape_operator op_log_softmax_back = {.name = "log-softmax-back", .kind = TAPE_KERNEL, .run = log_softmax_back_run,
                                                  .gradient = log_softmax_back_gradient};

static void softmax_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const nigh_shape shape = *tape_shape(t, self);
    grad_in[0] = tape_record_one(t, &op_softmax_back, &shape, 2, (nigh_node[]){self, grad_out[0]}, NULL, 0);
}

static void log_softmax_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const nigh_shape shape = *tape_shape(t, self);
    grad_in[0] = tape_record_one(t, &op_log_softmax_back, &shape, 2, (nigh_node[]){self, grad_out[0]}, NULL, 0);
}

static const tape_operator op_softmax = {.name = "softmax", .kind = TAPE_KERNEL, .in_place = true, .run = softmax_run, .gradient = softmax_gradient};
static const tape_operator op_log_softmax = {.name = "log-softmax", .kind = TAPE_KERNEL, .in_place = true, .run = log_softmax_run,
                                             .gradient = log_softmax_gradient};

static nigh_node along(nigh_tape *t, const tape_operator *op, nigh_node x, int axis)
{
    if (!fused_check_float(t, op->name, x, 1)) return NIGH_NONE;
    int last = tape_shape(t, x)->ndim - 1;
    if ((axis = fused_axis(t, op->name, axis, last + 1)) < 0) return NIGH_NONE;
    nigh_node turned = axis == last ? x : nigh_tape_transpose(t, x, axis, last);
    if (turned == NIGH_NONE) return NIGH_NONE;
    nigh_node y = tape_record_one(t, op, tape_shape(t, turned), 1, &turned, NULL, 0);
    return axis == last ? y : nigh_tape_transpose(t, y, axis, last);
}

nigh_node nigh_tape_softmax(nigh_tape *t, nigh_node x, int axis) { return along(t, &op_softmax, x, axis); }
nigh_node nigh_tape_log_softmax(nigh_tape *t, nigh_node x, int axis) { return along(t, &op_log_softmax, x, axis); }

/* ---- cross-entropies: inputs x and target; outputs loss and log sum exp ------------------------------- */

static const tape_operator op_cross_entropy_back, op_cross_entropy_soft_back;

static nigh_node expand_rows(nigh_tape *t, nigh_node rows, nigh_node like) /* [...] to [..., 1] */
{
    if (rows == NIGH_NONE || like == NIGH_NONE) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, like);
    shape.dim[shape.ndim - 1] = 1;
    return nigh_tape_reshape(t, rows, shape.ndim, shape.dim);
}

/* log sum exp(x) sum(p) - sum(p x), p the one-hot rows or the distribution. */
static nigh_node compose_soft(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    unsigned axis = last_axis(t, in[0]);
    nigh_node lse = nigh_tape_log_sum_exp(t, in[0], axis, false);
    return nigh_tape_sub(t, nigh_tape_mul(t, lse, nigh_tape_sum(t, in[1], axis, false)), nigh_tape_sum(t, nigh_tape_mul(t, in[1], in[0]), axis, false));
}

static nigh_node compose_hard(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, in[0]);
    nigh_node p = nigh_tape_one_hot(t, in[1], shape_last(&shape), shape.dtype);
    return compose_soft(t, NULL, 2, (nigh_node[]){in[0], p});
}

/* The kernel's own lse is a function of x, so that what comes for it is all in the gradient by x. */
static void back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int by = 0;
    nigh_node second[2] = {NIGH_NONE, NIGH_NONE};
    bool soft = node.op == &op_cross_entropy_soft_back, want[2] = {wanted[0], soft && wanted[1]};
    fused_second(t, soft ? compose_soft : compose_hard, NULL, 2, node.input, node.input[3], 1, &by, grad_out, want, second, wanted[3], &grad_in[3]);
    grad_in[0] = second[0];
    grad_in[1] = second[1];
}

static const tape_operator op_cross_entropy_back = {.name = "cross-entropy-back", .kind = TAPE_KERNEL, .run = cross_entropy_back_run, .gradient = back_gradient};
static const tape_operator op_cross_entropy_soft_back = {.name = "soft-cross-entropy-back", .kind = TAPE_KERNEL, .run = cross_entropy_soft_back_run,
                                                         .gradient = back_gradient};

static void cross_entropy_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = *tape_shape(t, node.input[0]);
    nigh_node in[4] = {node.input[0], node.input[1], self + 1, grad_out[0]};
    if (wanted[0]) grad_in[0] = tape_record_one(t, &op_cross_entropy_back, &shape, 4, in, NULL, 0);
}

static void soft_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = *tape_shape(t, node.input[0]);
    nigh_node in[4] = {node.input[0], node.input[1], self + 1, grad_out[0]};
    if (wanted[0]) grad_in[0] = tape_record_one(t, &op_cross_entropy_soft_back, &shape, 4, in, NULL, 0);
    if (wanted[1]) /* -log softmax(x) g */
        grad_in[1] = nigh_tape_neg(t, nigh_tape_mul(t, nigh_tape_log_softmax(t, node.input[0], -1), expand_rows(t, grad_out[0], node.input[0])));
}

static const tape_operator op_cross_entropy = {.name = "cross-entropy", .kind = TAPE_KERNEL, .run = cross_entropy_run, .gradient = cross_entropy_gradient};
static const tape_operator op_cross_entropy_soft = {.name = "soft-cross-entropy", .kind = TAPE_KERNEL, .run = cross_entropy_soft_run, .gradient = soft_gradient};

/* As i32; what does not fit becomes an index outside. */
static nigh_node whole32(nigh_tape *t, nigh_node target)
{
    if (tape_shape(t, target)->dtype == NIGH_I32) return target;
    nigh_node low = nigh_tape_fill(t, NIGH_I64, 0, NULL, -1), high = nigh_tape_fill(t, NIGH_I64, 0, NULL, INT32_MAX);
    return nigh_tape_cast(t, nigh_tape_max(t, nigh_tape_min(t, target, high), low), NIGH_I32);
}

/* x [..., n], a target [...], whole numbers. */
static bool check_target(nigh_tape *t, const char *op, nigh_node x, nigh_node target)
{
    char sx[TAPE_SHAPE_TEXT], st[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, x, 1) || !tape_check(t, op, 1, &target)) return false;
    nigh_shape rows = *tape_shape(t, x);
    const nigh_shape *given = tape_shape(t, target);
    rows.ndim--;
    if ((given->dtype == NIGH_I32 || given->dtype == NIGH_I64) && tape_same_shape(&rows, given)) return true;
    tape_fail(t, op, "x is %s, the targets are %s; x [..., n] and targets [...] of i32 or i64 are needed", tape_shape_text(tape_shape(t, x), sx), tape_shape_text(given, st));
    return false;
}

nigh_node nigh_tape_cross_entropy_rows(nigh_tape *t, nigh_node x, nigh_node target, double smoothing)
{
    if (!check_target(t, "cross-entropy", x, target)) return NIGH_NONE;
    if (!(smoothing >= 0 && smoothing < 1)) return tape_fail(t, "cross-entropy", "the smoothing is %g; 0 or more and less than 1 is allowed", smoothing);
    nigh_node whole = whole32(t, target);
    nigh_shape shapes[2] = {*tape_shape(t, x), *tape_shape(t, x)};
    int64_t n = shape_last(&shapes[0]);
    shapes[0].ndim = --shapes[1].ndim;
    nigh_node loss = tape_record(t, &op_cross_entropy, 2, shapes, 2, (nigh_node[]){x, whole}, NULL, 0, false);
    if (smoothing == 0 || loss == NIGH_NONE || n == 0) return loss;
    /* The uniform share: log sum exp(x) - mean(x) for rows that count. */
    unsigned axis = last_axis(t, x);
    nigh_node inside = nigh_tape_sum(t, nigh_tape_one_hot(t, whole, n, shapes[0].dtype), axis, false);
    nigh_node even = nigh_tape_neg(t, nigh_tape_mean(t, nigh_tape_log_softmax(t, x, -1), axis, false));
    return nigh_tape_add(t, nigh_tape_scale(t, loss, 1 - smoothing), nigh_tape_scale(t, nigh_tape_mul(t, even, inside), smoothing));
}

nigh_node nigh_tape_cross_entropy_soft(nigh_tape *t, nigh_node x, nigh_node p)
{
    char sx[TAPE_SHAPE_TEXT], sp[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "soft-cross-entropy", x, 1) || !tape_check(t, "soft-cross-entropy", 1, &p)) return NIGH_NONE;
    const nigh_shape *a = tape_shape(t, x), *b = tape_shape(t, p);
    if (a->dtype != b->dtype || !tape_same_shape(a, b))
        return tape_fail(t, "soft-cross-entropy", "x is %s, p is %s; equal shapes are needed", tape_shape_text(a, sx), tape_shape_text(b, sp));
    nigh_shape shapes[2] = {*a, *a};
    shapes[0].ndim = --shapes[1].ndim;
    return tape_record(t, &op_cross_entropy_soft, 2, shapes, 2, (nigh_node[]){x, p}, NULL, 0, false);
}

/* Which rows count: targets inside 0 .. n-1; as numbers of x's type. */
static nigh_node count_rows(nigh_tape *t, nigh_node x, nigh_node target)
{
    const nigh_shape shape = *tape_shape(t, x);
    nigh_node like = nigh_tape_fill(t, NIGH_I32, 0, NULL, -1), end = nigh_tape_fill(t, NIGH_I32, 0, NULL, (double)shape_last(&shape));
    nigh_node inside = nigh_tape_mul(t, nigh_tape_greater(t, target, like), nigh_tape_greater(t, end, target));
    return nigh_tape_cast(t, inside, shape.dtype);
}

/* The sum of what counts over its weight, at least the least number, so that no row gives 0. */
static nigh_node weighted_mean(nigh_tape *t, nigh_node loss, nigh_node weight, bool single)
{
    nigh_node total = nigh_tape_sum(t, weight, NIGH_ALL, false), sum = nigh_tape_sum(t, nigh_tape_mul(t, loss, weight), NIGH_ALL, false);
    return nigh_tape_div(t, sum, nigh_tape_stop(t, nigh_tape_clamp(t, total, single ? 1e-30 : 1e-300, INFINITY)));
}

nigh_node nigh_tape_cross_entropy(nigh_tape *t, nigh_node x, nigh_node target, nigh_node weight, int64_t ignore, double smoothing)
{
    char sw[TAPE_SHAPE_TEXT], st[TAPE_SHAPE_TEXT];
    if (!check_target(t, "cross-entropy", x, target)) return NIGH_NONE;
    const nigh_shape rows = *tape_shape(t, target);
    nigh_node whole = whole32(t, target);
    if (ignore >= 0 && ignore < shape_last(tape_shape(t, x))) { /* those become -1 */
        nigh_node hit = nigh_tape_equal(t, whole, nigh_tape_fill(t, NIGH_I32, 0, NULL, (double)ignore));
        whole = nigh_tape_sub(t, whole, nigh_tape_mul(t, hit, nigh_tape_add(t, whole, nigh_tape_fill(t, NIGH_I32, 0, NULL, 1))));
    }
    nigh_node loss = nigh_tape_cross_entropy_rows(t, x, whole, smoothing), counts = loss == NIGH_NONE ? NIGH_NONE : count_rows(t, x, whole);
    if (weight != NIGH_NONE) {
        if (!tape_check(t, "cross-entropy", 1, &weight)) return NIGH_NONE;
        const nigh_shape *given = tape_shape(t, weight);
        if (!tape_same_shape(given, &rows) || given->dtype != tape_shape(t, x)->dtype)
            return tape_fail(t, "cross-entropy", "the targets are %s, the weights are %s; equal shapes, and x's type, are needed", tape_shape_text(&rows, st), tape_shape_text(given, sw));
        counts = nigh_tape_mul(t, counts, nigh_tape_stop(t, weight));
    }
    return counts == NIGH_NONE ? NIGH_NONE : weighted_mean(t, loss, counts, tape_shape(t, x)->dtype == NIGH_F32);
}

nigh_node nigh_tape_focal(nigh_tape *t, nigh_node x, nigh_node target, double gamma)
{
    if (!check_target(t, "focal", x, target)) return NIGH_NONE;
    if (!(gamma >= 0 && gamma < INFINITY)) return tape_fail(t, "focal", "gamma is %g; 0 or more is allowed", gamma);
    nigh_node whole = whole32(t, target), loss = nigh_tape_cross_entropy_rows(t, x, whole, 0);
    if (loss == NIGH_NONE) return NIGH_NONE;
    bool single = tape_shape(t, x)->dtype == NIGH_F32;
    /* 1 - q = 1 - exp(-loss), kept off 0, where a power below 1 has no slope */
    nigh_node rest = nigh_tape_clamp(t, nigh_tape_neg(t, nigh_tape_expm1(t, nigh_tape_neg(t, loss))), single ? 1e-12 : 1e-24, 1);
    return weighted_mean(t, nigh_tape_mul(t, nigh_tape_pow(t, rest, gamma), loss), count_rows(t, x, whole), single);
}
