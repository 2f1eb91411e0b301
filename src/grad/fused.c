/* Second derivatives of fused operators, and sharing of rows. Declared in grad/fused.h. */
#include "grad/fused.h"

/* ---- a fresh view ------------------------------------------------------------------------------------- */

static bool same_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    *out = *layout;
    return true;
}

static void same_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in) { grad_in[0] = grad_out[0]; }

static const tape_operator op_fresh = {.name = "fresh", .kind = TAPE_VIEW, .same_order = true, .view = same_view, .gradient = same_gradient};

nigh_node fused_fresh(nigh_tape *t, nigh_node x)
{
    if (!tape_check(t, "fresh", 1, &x)) return NIGH_NONE;
    return tape_record(t, &op_fresh, 1, tape_shape(t, x), 1, &x, NULL, 0, true);
}

/* ---- second derivatives ------------------------------------------------------------------------------- */

static bool gradient_of(nigh_tape *t, nigh_node y, nigh_node seed, int n, const nigh_node *wrt, nigh_node *out)
{
    nigh_status status = nigh_tape_gradient(t, y, seed, n, wrt, out);
    if (status && !t->status) t->status = status;
    return !status;
}

void fused_second(nigh_tape *t, fused_compose_fn *compose, const void *attributes, int n, const nigh_node *input, nigh_node seed, int outputs, const int *by,
                  const nigh_node *u, const bool *wanted, nigh_node *grad_input, bool seed_wanted, nigh_node *grad_seed)
{
    /* Fresh views: an input may depend on another, and the sweeps below must end at them. */
    nigh_node in[FUSED_INPUTS], wrt[FUSED_INPUTS + 1], first[FUSED_INPUTS], second[FUSED_INPUTS + 1];
    int of[FUSED_INPUTS], m = 0;
    for (int i = 0; i < n; i++) in[i] = input[i] == NIGH_NONE ? NIGH_NONE : fused_fresh(t, input[i]);
    nigh_node s = fused_fresh(t, seed), y = compose(t, attributes, n, in);
    if (t->status) return;
    for (int k = 0; k < outputs; k++) wrt[k] = in[by[k]];
    if (!gradient_of(t, y, s, outputs, wrt, first)) return;
    for (int i = 0; i < n; i++)
        if (in[i] != NIGH_NONE && wanted[i]) of[m] = i, wrt[m++] = in[i];
    wrt[m] = s;
    for (int k = 0; k < outputs; k++) {
        if (u[k] == NIGH_NONE) continue;
        if (!gradient_of(t, first[k], u[k], m + seed_wanted, wrt, second)) return;
        for (int i = 0; i < m; i++) grad_input[of[i]] = tape_plus(t, grad_input[of[i]], second[i]);
        if (seed_wanted) *grad_seed = tape_plus(t, *grad_seed, second[m]);
    }
}

/* ---- rows and threads --------------------------------------------------------------------------------- */

enum { SHARE_LEAST = 32768 }; /* elements a thread that are worth waking it */

int share_parts(int threads, int64_t rows, int64_t elements)
{
    int64_t parts = elements / SHARE_LEAST;
    if (parts > threads) parts = threads;
    if (parts > rows) parts = rows;
    return parts < 1 ? 1 : (int)parts;
}

void share_rows(int parts, int64_t rows, share_fn *fn, const void *user)
{
    if (parts <= 1) {
        fn(user, 0, 0, rows);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(parts)
    for (int part = 0; part < parts; part++) fn(user, part, rows * part / parts, rows * (part + 1) / parts);
}

/* ---- checks ------------------------------------------------------------------------------------------- */

bool fused_check_float(nigh_tape *t, const char *op, nigh_node x, int least_dims)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, op, 1, &x)) return false;
    const nigh_shape *shape = tape_shape(t, x);
    if (tape_is_float(shape->dtype) && shape->ndim >= least_dims) return true;
    tape_fail(t, op, "x is %s; f32 or f64 of %d or more dimensions is needed", tape_shape_text(shape, text), least_dims);
    return false;
}

int fused_axis(nigh_tape *t, const char *op, int axis, int ndim)
{
    if (axis >= -ndim && axis < ndim) return axis < 0 ? axis + ndim : axis;
    tape_fail(t, op, "axis %d of an array of %d dimensions", axis, ndim);
    return -1;
}

nigh_node fused_fill(nigh_tape *t, const nigh_shape *like, double value)
{
    const nigh_shape shape = *like;
    return nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, value);
}
