/* Pooling, and halos, on the tape. Declared in nigh/operators_fields.h. */
#include "tensor/pool.h"
#include "tensor/halo.h"

#include "grad/windows.h"
#include "nigh/operators_fields.h"

#include <string.h>

static pool_spec spec_of(pool_kind kind, nigh_dtype dtype, const pool_attributes *a)
{
    pool_spec spec = {.kind = kind, .dtype = dtype, .dims = (int)a->dims, .count_padding = a->count_padding};
    memcpy(spec.x, a->x, sizeof spec.x);
    memcpy(spec.window, a->window, sizeof spec.window);
    memcpy(spec.stride, a->stride, sizeof spec.stride);
    memcpy(spec.low, a->low, sizeof spec.low);
    memcpy(spec.high, a->high, sizeof spec.high);
    return spec;
}

static nigh_status prepare_as(pool_kind kind, nigh_context *ctx, const tape_call *call, void **state)
{
    pool_spec spec = spec_of(kind, call->out->shape->dtype, call->node->attributes);
    pool *p;
    nigh_status status = pool_new(ctx, &spec, call->threads, &p);
    if (!status) *state = p;
    return status;
}

static nigh_status average_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return prepare_as(POOL_AVERAGE, ctx, call, state);
}

static nigh_status max_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return prepare_as(POOL_MAX, ctx, call, state);
}

static void release(nigh_context *ctx, void *state) { pool_free(state); }

static void average_run(const void *state, const tape_call *call) { pool_run(state, call->in->data, call->out->data, NULL); }
static void average_adjoint_run(const void *state, const tape_call *call) { pool_adjoint(state, call->in->data, NULL, call->out->data); }
static void max_run(const void *state, const tape_call *call) { pool_run(state, call->in->data, call->out[0].data, call->out[1].data); }
static void place_run(const void *state, const tape_call *call) { pool_adjoint(state, call->in[0].data, call->in[1].data, call->out->data); }

/* y[n, o, c] = x[n, index[n, o, c], c]: what the maximum chose, of another field. */
static void choose_run(const void *state, const tape_call *call)
{
    const nigh_shape *from = call->in[0].shape, *to = call->out->shape;
    int64_t channels = to->dim[to->ndim - 1], pixels = 1, results = 1;
    for (int i = 1; i < to->ndim - 1; i++) pixels *= from->dim[i], results *= to->dim[i];
    int64_t rows = to->dim[0] * results;
    const int32_t *index = call->in[1].data;
    int threads = rows * channels < 1 << 15 ? 1 : call->threads;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t row = 0; row < rows; row++) {
        int64_t sample = row / results;
        for (int64_t c = 0; c < channels; c++) {
            int64_t at = row * channels + c, source = (sample * pixels + index[at]) * channels + c;
            if (to->dtype == NIGH_F32) ((float *)call->out->data)[at] = ((const float *)call->in[0].data)[source];
            else ((double *)call->out->data)[at] = ((const double *)call->in[0].data)[source];
        }
    }
}

static void average_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void average_adjoint_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void max_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void place_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void choose_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);

static const tape_operator op_average = {.name = "average-pool", .kind = TAPE_KERNEL, .prepare = average_prepare, .run = average_run, .release = release,
                                         .gradient = average_gradient};
static const tape_operator op_average_adjoint = {.name = "average-pool-adjoint", .kind = TAPE_KERNEL, .prepare = average_prepare, .run = average_adjoint_run,
                                                 .release = release, .gradient = average_adjoint_gradient};
static const tape_operator op_max = {.name = "max-pool", .kind = TAPE_KERNEL, .prepare = max_prepare, .run = max_run, .release = release, .gradient = max_gradient};
static const tape_operator op_place = {.name = "max-pool-adjoint", .kind = TAPE_KERNEL, .prepare = max_prepare, .run = place_run, .release = release,
                                       .gradient = place_gradient};
static const tape_operator op_choose = {.name = "max-pool-choice", .kind = TAPE_KERNEL, .run = choose_run, .gradient = choose_gradient};

static nigh_shape shape_of_y(nigh_tape *t, const pool_attributes *a, nigh_dtype dtype)
{
    pool_spec spec = spec_of(POOL_AVERAGE, dtype, a);
    nigh_shape shape = {.dtype = dtype, .ndim = (int)a->dims + 2};
    int64_t y[POOL_DIMS + 2];
    nigh_status status = pool_shape(t->ctx, &spec, y);
    if (status && !t->status) t->status = status;
    if (!status) memcpy(shape.dim, y, (size_t)shape.ndim * sizeof *y);
    return shape;
}

/* Another operator of the same pool: on fields of x's shape, or (adjoint) giving one. */
static nigh_node record_with(nigh_tape *t, const tape_operator *op, bool adjoint, const nigh_node *input, int inputs, const tape_node *node)
{
    const pool_attributes a = *(const pool_attributes *)node->attributes;
    nigh_dtype dtype = tape_shape(t, input[0])->dtype;
    nigh_shape shape = adjoint ? tape_make_shape(dtype, (int)a.dims + 2, a.x) : shape_of_y(t, &a, dtype);
    return t->status ? NIGH_NONE : tape_record_one(t, op, &shape, inputs, input, &a, sizeof a);
}

static void average_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    grad_in[0] = record_with(t, &op_average_adjoint, true, grad_out, 1, &node);
}

static void average_adjoint_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    grad_in[0] = record_with(t, &op_average, false, grad_out, 1, &node);
}

static void max_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (grad_out[0] != NIGH_NONE) grad_in[0] = record_with(t, &op_place, true, (nigh_node[]){grad_out[0], self + 1}, 2, &node);
}

static void place_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (wanted[0]) grad_in[0] = record_with(t, &op_choose, false, (nigh_node[]){grad_out[0], node.input[1]}, 2, &node);
}

static void choose_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (wanted[0]) grad_in[0] = record_with(t, &op_place, true, (nigh_node[]){grad_out[0], node.input[1]}, 2, &node);
}

static nigh_node record_pool(nigh_tape *t, const tape_operator *op, nigh_node x, const nigh_pool *how)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, op->name, 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if (from.ndim < 3 || from.ndim > NIGH_FIELD_DIMS + 2 || !tape_is_float(from.dtype))
        return tape_fail(t, op->name, "x is %s; a field [N, 1 to 3 sizes, C] of f32 or f64 is needed", tape_shape_text(&from, text));
    pool_attributes a = {.dims = from.ndim - 2, .count_padding = how->count_padding};
    memcpy(a.x, from.dim, (size_t)from.ndim * sizeof *a.x);
    for (int i = 0; i < a.dims; i++) {
        a.window[i] = how->window[i] ? how->window[i] : 1;
        a.stride[i] = how->stride[i] ? how->stride[i] : a.window[i];
        a.low[i] = how->low[i];
        a.high[i] = how->high[i];
    }
    nigh_shape shape[2] = {shape_of_y(t, &a, from.dtype)};
    if (t->status) return NIGH_NONE;
    shape[1] = shape[0];
    shape[1].dtype = NIGH_I32;
    return tape_record(t, op, op == &op_max ? 2 : 1, shape, 1, &x, &a, sizeof a, false);
}

nigh_node nigh_tape_average_pool(nigh_tape *t, nigh_node x, const nigh_pool *how) { return record_pool(t, &op_average, x, how); }
nigh_node nigh_tape_max_pool(nigh_tape *t, nigh_node x, const nigh_pool *how) { return record_pool(t, &op_max, x, how); }

nigh_node nigh_tape_global_average(nigh_tape *t, nigh_node x)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "global-average", 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if (from.ndim < 3) return tape_fail(t, "global-average", "x is %s; a field [N, sizes, C] is needed", tape_shape_text(&from, text));
    return nigh_tape_mean(t, x, ((1u << (from.ndim - 1)) - 1) & ~1u, false);
}

/* ---- halos -------------------------------------------------------------------------------------------- */

typedef struct halo_attributes {
    int64_t kind, low[NIGH_MAX_DIMS], high[NIGH_MAX_DIMS];
} halo_attributes;

static nigh_status halo_prepare_for(nigh_context *ctx, const tape_call *call, const nigh_shape *inner, void **state)
{
    const halo_attributes *a = call->node->attributes;
    halo_spec spec = {.dtype = inner->dtype, .kind = (halo_kind)a->kind, .ndim = inner->ndim};
    for (int i = 0; i < inner->ndim; i++) spec.dim[i] = inner->dim[i], spec.low[i] = a->low[i], spec.high[i] = a->high[i];
    halo *h;
    nigh_status status = halo_new(ctx, &spec, call->threads, &h);
    if (!status) *state = h;
    return status;
}

static nigh_status halo_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return halo_prepare_for(ctx, call, call->in->shape, state);
}

static nigh_status fold_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    return halo_prepare_for(ctx, call, call->out->shape, state);
}

static void halo_step(const void *state, const tape_call *call) { halo_run(state, call->in->data, call->out->data); }
static void fold_step(const void *state, const tape_call *call) { halo_adjoint(state, call->in->data, call->out->data); }
static void halo_release(nigh_context *ctx, void *state) { halo_free(state); }
static void halo_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void fold_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);

static const tape_operator op_halo = {.name = "halo", .kind = TAPE_KERNEL, .prepare = halo_prepare, .run = halo_step, .release = halo_release, .gradient = halo_gradient};
static const tape_operator op_fold = {.name = "halo-adjoint", .kind = TAPE_KERNEL, .prepare = fold_prepare, .run = fold_step, .release = halo_release,
                                      .gradient = fold_gradient};

static nigh_node record_halo(nigh_tape *t, const tape_operator *op, nigh_node x, const halo_attributes *a, int sign)
{
    if (!tape_check(t, op->name, 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    for (int i = 0; i < shape.ndim; i++) shape.dim[i] += sign * (a->low[i] + a->high[i]);
    return tape_record_one(t, op, &shape, 1, &x, a, sizeof *a);
}

static void halo_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const halo_attributes a = *(const halo_attributes *)tape_at(t, self)->attributes;
    grad_in[0] = record_halo(t, &op_fold, grad_out[0], &a, -1);
}

static void fold_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const halo_attributes a = *(const halo_attributes *)tape_at(t, self)->attributes;
    grad_in[0] = record_halo(t, &op_halo, grad_out[0], &a, 1);
}

nigh_node nigh_tape_halo(nigh_tape *t, nigh_node x, nigh_padding padding, const int64_t *low, const int64_t *high)
{
    char text[TAPE_SHAPE_TEXT];
    if (padding == NIGH_PAD_ZERO) return nigh_tape_pad(t, x, low, high);
    if (!tape_check(t, "halo", 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if (!tape_is_float(from.dtype)) return tape_fail(t, "halo", "x is %s; f32 or f64 is needed", tape_shape_text(&from, text));
    halo_attributes a = {.kind = padding == NIGH_PAD_CIRCULAR ? HALO_CIRCULAR : HALO_REFLECT};
    bool any = false;
    for (int i = 0; i < from.ndim; i++) {
        int64_t most = from.dim[i] - (padding == NIGH_PAD_REFLECT && from.dim[i] > 0);
        if (low[i] < 0 || high[i] < 0 || low[i] > most || high[i] > most)
            return tape_fail(t, "halo", "x is %s, dimension %d gets %lld before and %lld behind; 0 to %lld is allowed", tape_shape_text(&from, text), i,
                             (long long)low[i], (long long)high[i], (long long)most);
        a.low[i] = low[i];
        a.high[i] = high[i];
        any = any || low[i] || high[i];
    }
    return any ? record_halo(t, &op_halo, x, &a, 1) : x;
}
