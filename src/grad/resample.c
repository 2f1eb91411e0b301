/* Nearest and linear resampling on the tape. Declared in nigh/operators_fields.h. */
#include "grad/windows.h"
#include "nigh/operators_fields.h"

#include <string.h>

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const resample_attributes *a = call->node->attributes;
    resample_spec spec = {.kind = a->linear ? RESAMPLE_LINEAR : RESAMPLE_NEAREST, .dtype = call->out->shape->dtype, .dims = (int)a->dims,
                          .align_corners = a->align_corners};
    memcpy(spec.x, a->x, sizeof spec.x);
    memcpy(spec.out, a->out, sizeof spec.out);
    resample *r;
    nigh_status status = resample_new(ctx, &spec, call->threads, &r);
    if (status) return status;
    *state = r;
    *workspace = resample_workspace(r);
    return NIGH_OK;
}

static void run(const void *state, const tape_call *call) { resample_run(state, call->in->data, call->out->data, call->workspace); }
static void adjoint_run(const void *state, const tape_call *call) { resample_adjoint(state, call->in->data, call->out->data, call->workspace); }
static void release(nigh_context *ctx, void *state) { resample_free(state); }
static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void adjoint_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);

static const tape_operator op_resample = {.name = "resample", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .release = release, .gradient = gradient};
static const tape_operator op_adjoint = {.name = "resample-adjoint", .kind = TAPE_KERNEL, .prepare = prepare, .run = adjoint_run, .release = release,
                                         .gradient = adjoint_gradient};

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const resample_attributes a = *(const resample_attributes *)tape_at(t, self)->attributes;
    nigh_shape shape = tape_make_shape(tape_shape(t, self)->dtype, (int)a.dims + 2, a.x);
    grad_in[0] = tape_record_one(t, &op_adjoint, &shape, 1, grad_out, &a, sizeof a);
}

static void adjoint_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const resample_attributes a = *(const resample_attributes *)tape_at(t, self)->attributes;
    nigh_shape shape = tape_make_shape(tape_shape(t, self)->dtype, (int)a.dims + 2, a.x);
    for (int i = 0; i < a.dims; i++) shape.dim[i + 1] = a.out[i];
    grad_in[0] = tape_record_one(t, &op_resample, &shape, 1, grad_out, &a, sizeof a);
}

nigh_node nigh_tape_resample(nigh_tape *t, nigh_node x, const int64_t *size, bool linear, bool align_corners)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "resample", 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if (from.ndim < 3 || from.ndim > NIGH_FIELD_DIMS + 2 || !tape_is_float(from.dtype))
        return tape_fail(t, "resample", "x is %s; a field [N, 1 to 3 sizes, C] of f32 or f64 is needed", tape_shape_text(&from, text));
    resample_attributes a = {.dims = from.ndim - 2, .linear = linear, .align_corners = align_corners};
    memcpy(a.x, from.dim, (size_t)from.ndim * sizeof *a.x);
    nigh_shape shape = from;
    bool same = true;
    for (int i = 0; i < a.dims; i++) {
        if (size[i] < 1 || from.dim[i + 1] < 1)
            return tape_fail(t, "resample", "x is %s, size %d of the result is %lld; 1 or more is allowed", tape_shape_text(&from, text), i, (long long)size[i]);
        same = same && size[i] == from.dim[i + 1];
        shape.dim[i + 1] = a.out[i] = size[i];
    }
    return same ? x : tape_record_one(t, &op_resample, &shape, 1, &x, &a, sizeof a);
}
