/* Cells stepped over a sequence, and the gated recurrent unit. Declared in nigh/operators_sequences.h. */
#include "grad/tape.h"
#include "nigh/operators_sequences.h"

/*
 * x in two along dimension 1. Sequences are halved again and again down to their steps: the gradients are put together in as many levels, where
 * the gradients of single slices would each have the size of the whole.
 */
static void halve_run(const void *state, const tape_call *call)
{
    char *from = call->in->data;
    for (int i = 0; i < 2; i++) {
        tape_operand part = {.data = from, .shape = call->out[i].shape, .stride = call->in->stride};
        tape_copy(&part, call->out[i].data, call->out[i].stride, call->threads);
        from += part.shape->dim[1] * call->in->stride[1] * (int64_t)nigh_dtype_size(part.shape->dtype);
    }
}

static void halve_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    nigh_node part[2];
    for (int i = 0; i < 2; i++) {
        const nigh_shape shape = *tape_shape(t, self + i);
        part[i] = grad_out[i] != NIGH_NONE ? grad_out[i] : nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, 0);
    }
    grad_in[0] = nigh_tape_concat(t, 2, part, 1);
}

static const tape_operator op_halve = {.name = "halve", .kind = TAPE_KERNEL, .strided = 1, .run = halve_run, .gradient = halve_gradient};

static void take_steps(nigh_tape *t, nigh_node x, nigh_node *step)
{
    if (t->status) return;
    nigh_shape shape[2] = {*tape_shape(t, x), *tape_shape(t, x)};
    int64_t steps = shape[0].dim[1];
    if (steps == 1) {
        int64_t dim[NIGH_MAX_DIMS];
        int ndim = 0;
        for (int i = 0; i < shape[0].ndim; i++)
            if (i != 1) dim[ndim++] = shape[0].dim[i];
        *step = nigh_tape_reshape(t, x, ndim, dim);
        return;
    }
    shape[0].dim[1] = steps / 2;
    shape[1].dim[1] = steps - steps / 2;
    nigh_node half = tape_record(t, &op_halve, 2, shape, 1, &x, NULL, 0, false);
    if (half == NIGH_NONE) return;
    take_steps(t, half, step);
    take_steps(t, half + 1, step + steps / 2);
}

nigh_node nigh_tape_unroll(nigh_tape *t, nigh_node x, nigh_node state, nigh_cell_fn *cell, void *user, int64_t truncate, nigh_node *last)
{
    char text[TAPE_SHAPE_TEXT];
    if (last) *last = NIGH_NONE;
    if (!tape_check(t, "unroll", 2, (nigh_node[]){x, state})) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    int64_t steps = shape.ndim < 2 ? 0 : shape.dim[1];
    if (steps < 1 || steps > TAPE_MAX_INPUTS)
        return tape_fail(t, "unroll", "x is %s; [B,T,...] with T of 1 to %d is needed", tape_shape_text(&shape, text), TAPE_MAX_INPUTS);
    if (truncate < 0) return tape_fail(t, "unroll", "truncate is %lld; 0 or more is allowed", (long long)truncate);
    nigh_node *step = nigh_arena_alloc(t->arena, (size_t)steps * sizeof *step), *states = nigh_arena_alloc(t->arena, (size_t)steps * sizeof *states);
    if (!step || !states) return t->status = NIGH_MEMORY, NIGH_NONE;
    take_steps(t, x, step);
    for (int64_t i = 0; i < steps && !t->status; i++) {
        if (truncate && i && i % truncate == 0) state = nigh_tape_stop(t, state);
        states[i] = state = cell(user, t, step[i], state);
    }
    if (t->status) return NIGH_NONE;
    if (last) *last = state;
    return nigh_tape_stack(t, (int)steps, states, 1);
}

/* ---- gated recurrent unit ----------------------------------------------------------------------------- */

typedef struct gru_cell {
    const nigh_gru *gru;
    int64_t n;
} gru_cell;

/* x is x Wx + bx already. */
static nigh_node gru_step(void *user, nigh_tape *t, nigh_node x, nigh_node h)
{
    const gru_cell *cell = user;
    int64_t n = cell->n;
    nigh_node y = nigh_tape_linear(t, h, cell->gru->w_h, cell->gru->b_h);
    nigh_node gates = nigh_tape_sigmoid(t, nigh_tape_add(t, nigh_tape_slice(t, x, 1, 0, 2 * n, 1), nigh_tape_slice(t, y, 1, 0, 2 * n, 1)));
    nigh_node r = nigh_tape_slice(t, gates, 1, 0, n, 1), z = nigh_tape_slice(t, gates, 1, n, n, 1);
    nigh_node fresh = nigh_tape_tanh(t, nigh_tape_add(t, nigh_tape_slice(t, x, 1, 2 * n, n, 1), nigh_tape_mul(t, r, nigh_tape_slice(t, y, 1, 2 * n, n, 1))));
    return nigh_tape_add(t, fresh, nigh_tape_mul(t, z, nigh_tape_sub(t, h, fresh)));
}

static bool check_gru(nigh_tape *t, nigh_node x, int ndim, nigh_node h, const nigh_gru *gru, int64_t *n)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT], sh[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "gru", 3, (nigh_node[]){x, gru->w_x, gru->w_h})) return false;
    const nigh_shape *a = tape_shape(t, x), *w = tape_shape(t, gru->w_x), *v = tape_shape(t, gru->w_h);
    tape_shape_text(a, sx), tape_shape_text(w, sw), tape_shape_text(v, sh);
    if (a->ndim != ndim || w->ndim != 2 || v->ndim != 2 || a->dim[ndim - 1] != w->dim[0] || v->dim[1] != 3 * v->dim[0] || w->dim[1] != v->dim[1])
        return tape_fail(t, "gru", "x is %s, w_x is %s, w_h is %s; %s, [in,3 n] and [n,3 n] are needed", sx, sw, sh, ndim == 2 ? "[B,in]" : "[B,T,in]"), false;
    *n = v->dim[0];
    if (h == NIGH_NONE) return true;
    if (!tape_check(t, "gru", 1, &h)) return false;
    const nigh_shape *s = tape_shape(t, h);
    if (s->ndim == 2 && s->dim[0] == a->dim[0] && s->dim[1] == *n && s->dtype == a->dtype) return true;
    return tape_fail(t, "gru", "x is %s, w_h is %s, the state is %s; [B,n] is needed", sx, sh, tape_shape_text(s, sw)), false;
}

nigh_node nigh_tape_gru_cell(nigh_tape *t, nigh_node x, nigh_node h, const nigh_gru *gru)
{
    gru_cell cell = {.gru = gru};
    if (!tape_check(t, "gru", 1, &h) || !check_gru(t, x, 2, h, gru, &cell.n)) return NIGH_NONE;
    return gru_step(&cell, t, nigh_tape_linear(t, x, gru->w_x, gru->b_x), h);
}

nigh_node nigh_tape_gru(nigh_tape *t, nigh_node x, nigh_node h, const nigh_gru *gru, int64_t truncate, nigh_node *last)
{
    gru_cell cell = {.gru = gru};
    if (last) *last = NIGH_NONE;
    if (!check_gru(t, x, 3, h, gru, &cell.n)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if (h == NIGH_NONE) h = nigh_tape_fill(t, shape.dtype, 2, (int64_t[]){shape.dim[0], cell.n}, 0);
    return nigh_tape_unroll(t, nigh_tape_linear(t, x, gru->w_x, gru->b_x), h, gru_step, &cell, truncate, last);
}
