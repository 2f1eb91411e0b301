/* The neural spectral block on the tape: fused, with a fused gradient. Declared in nigh/fields.h. */
#include "nigh/fields.h"
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"
#include "grad/latent.h"
#include "tensor/latent.h"

/* ---- running ------------------------------------------------------------------------------------------ */

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const latent_attributes *a = call->node->attributes;
    const nigh_shape *u = call->in[0].shape;
    latent_spec spec = {.dtype = u->dtype, .samples = u->dim[0], .size = {u->dim[1], u->dim[2]}, .patch = {a->patch[0], a->patch[1]}, .heads = a->heads, .width = a->width,
                        .tokens = a->tokens, .basis = a->basis};
    latent *l;
    nigh_status status = latent_new(ctx, &spec, call->threads, &l);
    if (status) return status;
    *state = l;
    *workspace = latent_workspace(l);
    return NIGH_OK;
}

static void release(nigh_context *ctx, void *state) { latent_free(state); }

static void run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in;
    const latent_attributes *a = call->node->attributes;
    latent_run(state, in[0].data, a->added ? in[3].data : NULL, in[1].data, in[2].data, call->out->data, call->workspace);
}

static void back_run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in, *out = call->out;
    latent_backward(state, in[0].data, in[1].data, in[2].data, in[3].data, out[0].data, out[1].data, out[2].data, call->workspace);
}

static double count(const tape_call *call)
{
    const latent_attributes *a = call->node->attributes;
    const nigh_shape *u = call->in[0].shape;
    return latent_flops(&(latent_spec){.samples = u->dim[0], .size = {u->dim[1], u->dim[2]}, .patch = {a->patch[0], a->patch[1]}, .heads = a->heads, .width = a->width, .tokens = a->tokens,
                                       .basis = a->basis});
}

static double back_count(const tape_call *call) { return 3 * count(call); }

/* ---- of elementary operators -------------------------------------------------------------------------- */

nigh_node nigh_tape_latent_step(nigh_tape *t, nigh_node y, nigh_node w)
{
    char sy[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "latent-step", 2, (nigh_node[]){y, w})) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, y), weights = *tape_shape(t, w);
    if (!tape_is_float(shape.dtype) || shape.dtype != weights.dtype || shape.ndim < 1 || weights.ndim != 2 || weights.dim[0] != shape_last(&shape) || weights.dim[1] % 2)
        return tape_fail(t, "latent-step", "y is %s, w is %s; [..., C] and [C, 2 basis] of f32 or f64 are needed", tape_shape_text(&shape, sy), tape_shape_text(&weights, sw));
    int64_t basis = weights.dim[1] / 2;
    nigh_node z = y;
    for (int64_t m = 0; m < basis; m++) {
        nigh_node angle = nigh_tape_scale(t, y, M_PI * (double)m / (double)basis);
        nigh_node first = nigh_tape_reshape(t, nigh_tape_slice(t, w, 1, m, 1, 1), 1, weights.dim), second = nigh_tape_reshape(t, nigh_tape_slice(t, w, 1, basis + m, 1, 1), 1, weights.dim);
        z = nigh_tape_add(t, z, nigh_tape_add(t, nigh_tape_mul(t, nigh_tape_sin(t, angle), first), nigh_tape_mul(t, nigh_tape_cos(t, angle), second)));
    }
    return z;
}

/* u [N, H, W, heads (2 width + tokens)] to [N, H/p, W/p, heads, points, 2 width + tokens] and back. */
static nigh_node to_patches(nigh_tape *t, nigh_node u, const latent_attributes *a, int64_t columns)
{
    const nigh_shape s = *tape_shape(t, u);
    int64_t down = s.dim[1] / a->patch[0], across = s.dim[2] / a->patch[1];
    nigh_node p = nigh_tape_reshape(t, u, 7, (int64_t[]){s.dim[0], down, a->patch[0], across, a->patch[1], a->heads, columns});
    p = nigh_tape_permute(t, p, (const int[]){0, 1, 3, 5, 2, 4, 6});
    return nigh_tape_reshape(t, p, 4, (int64_t[]){s.dim[0] * down * across, a->heads, a->patch[0] * a->patch[1], columns});
}

static nigh_node from_patches(nigh_tape *t, nigh_node o, const latent_attributes *a, const nigh_shape *u)
{
    int64_t down = u->dim[1] / a->patch[0], across = u->dim[2] / a->patch[1];
    nigh_node p = nigh_tape_reshape(t, o, 7, (int64_t[]){u->dim[0], down, across, a->heads, a->patch[0], a->patch[1], a->width});
    p = nigh_tape_permute(t, p, (const int[]){0, 1, 4, 2, 5, 3, 6});
    return nigh_tape_reshape(t, p, 4, (int64_t[]){u->dim[0], u->dim[1], u->dim[2], a->heads * a->width});
}

/* The block of u, token and w without x. */
static nigh_node compose(nigh_tape *t, const void *attributes, int n, const nigh_node *in)
{
    if (t->status) return NIGH_NONE;
    const latent_attributes *a = attributes;
    const nigh_shape shape = *tape_shape(t, in[0]);
    nigh_node u = to_patches(t, in[0], a, 2 * a->width + a->tokens);
    nigh_node q = nigh_tape_slice(t, u, 3, 0, a->width, 1), e = nigh_tape_slice(t, u, 3, a->width, a->tokens, 1), v = nigh_tape_slice(t, u, 3, a->width + a->tokens, a->width, 1);
    nigh_node y = nigh_tape_add(t, nigh_tape_matmul(t, nigh_tape_softmax(t, nigh_tape_transpose(t, e, 2, 3), -1), v, 0), in[1]); /* [B, heads, tokens, width] */
    int64_t patches = shape.dim[0] * (shape.dim[1] / a->patch[0]) * (shape.dim[2] / a->patch[1]);
    y = nigh_tape_reshape(t, nigh_tape_permute(t, y, (const int[]){0, 2, 1, 3}), 3, (int64_t[]){patches, a->tokens, a->heads * a->width});
    nigh_node z = a->basis ? nigh_tape_latent_step(t, y, in[2]) : y;
    z = nigh_tape_permute(t, nigh_tape_reshape(t, z, 4, (int64_t[]){patches, a->tokens, a->heads, a->width}), (const int[]){0, 2, 1, 3});
    nigh_node f = nigh_tape_softmax(t, nigh_tape_matmul(t, q, z, NIGH_TRANSPOSE_B), -1);
    return from_patches(t, nigh_tape_matmul(t, f, z, 0), a, &shape);
}

/* ---- gradient ----------------------------------------------------------------------------------------- */

/* Inputs u, token, w and g. */
static void back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int by[3] = {0, 1, 2};
    nigh_node second[3] = {NIGH_NONE, NIGH_NONE, NIGH_NONE};
    fused_second(t, compose, node.attributes, 3, node.input, node.input[3], 3, by, grad_out, wanted, second, wanted[3], &grad_in[3]);
    memcpy(grad_in, second, sizeof second);
}

static const tape_operator op_back = {.name = "latent-back", .kind = TAPE_KERNEL, .prepare = prepare, .run = back_run, .release = release, .flops = back_count,
                                      .gradient = back_gradient};

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const latent_attributes a = *(const latent_attributes *)node.attributes;
    if (grad_out[0] == NIGH_NONE) return;
    nigh_node in[4] = {node.input[0], node.input[1], node.input[2], grad_out[0]};
    nigh_shape shapes[3];
    if (a.added && wanted[3]) grad_in[3] = grad_out[0];
    if (!wanted[0] && !wanted[1] && !wanted[2]) return;
    for (int i = 0; i < 3; i++) shapes[i] = *tape_shape(t, in[i]);
    nigh_node d = tape_record(t, &op_back, 3, shapes, 4, in, &a, sizeof a, false);
    for (int i = 0; i < 3 && d != NIGH_NONE; i++)
        if (wanted[i]) grad_in[i] = d + i;
}

static const tape_operator op_latent = {.name = "latent", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .release = release, .flops = count, .gradient = gradient};

/* ---- recording ---------------------------------------------------------------------------------------- */

static bool take_attributes(nigh_tape *t, nigh_node u, nigh_node x, nigh_node token, nigh_node w, const int64_t patch[2], latent_attributes *a)
{
    char su[TAPE_SHAPE_TEXT], st[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "latent", 3, (nigh_node[]){u, token, w}) || (x != NIGH_NONE && !tape_check(t, "latent", 1, &x))) return false;
    const nigh_shape *s = tape_shape(t, u), *k = tape_shape(t, token), *f = tape_shape(t, w);
    tape_shape_text(s, su), tape_shape_text(k, st), tape_shape_text(f, sw);
    if (!tape_is_float(s->dtype) || k->dtype != s->dtype || f->dtype != s->dtype || s->ndim != 4 || k->ndim != 3 || f->ndim != 2 || f->dim[0] != k->dim[0] * k->dim[2] || f->dim[1] % 2 ||
        s->dim[3] != k->dim[0] * (2 * k->dim[2] + k->dim[1]))
        return tape_fail(t, "latent", "u is %s, tokens are %s, w is %s; [N,H,W,h(2d+T)], [h,T,d] and [hd,2 basis] of f32 or f64 are needed", su, st, sw), false;
    if (k->dim[1] < 1 || k->dim[1] > LATENT_TOKENS || f->dim[1] / 2 > LATENT_BASIS)
        return tape_fail(t, "latent", "%lld tokens and %lld basis functions; 1 to %d and at most %d are allowed", (long long)k->dim[1], (long long)f->dim[1] / 2, LATENT_TOKENS, LATENT_BASIS), false;
    for (int i = 0; i < 2; i++)
        if (patch[i] < 1 || s->dim[i + 1] % patch[i] || s->dim[i + 1] < 1)
            return tape_fail(t, "latent", "u is %s: dimension %d is no multiple of the patch's %lld", su, i + 1, (long long)patch[i]), false;
    if (x != NIGH_NONE) {
        const nigh_shape *r = tape_shape(t, x);
        if (r->dtype != s->dtype || r->ndim != 4 || memcmp(r->dim, s->dim, 3 * sizeof *r->dim) || r->dim[3] != f->dim[0])
            return tape_fail(t, "latent", "u is %s, tokens are %s, x is %s; [N,H,W,hd] is needed", su, st, tape_shape_text(r, sw)), false;
    }
    *a = (latent_attributes){.patch = {patch[0], patch[1]}, .heads = k->dim[0], .tokens = k->dim[1], .width = k->dim[2], .basis = f->dim[1] / 2, .added = x != NIGH_NONE};
    return true;
}

nigh_node nigh_tape_latent(nigh_tape *t, nigh_node u, nigh_node x, nigh_node token, nigh_node w, const int64_t patch[2])
{
    latent_attributes a;
    if (!take_attributes(t, u, x, token, w, patch, &a)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, u);
    shape.dim[3] = a.heads * a.width;
    return tape_record_one(t, &op_latent, &shape, x == NIGH_NONE ? 3 : 4, (nigh_node[]){u, token, w, x}, &a, sizeof a);
}

nigh_node latent_composed(nigh_tape *t, nigh_node u, nigh_node x, nigh_node token, nigh_node w, const int64_t patch[2])
{
    latent_attributes a;
    if (!take_attributes(t, u, x, token, w, patch, &a)) return NIGH_NONE;
    nigh_node o = compose(t, &a, 3, (nigh_node[]){u, token, w});
    return x == NIGH_NONE ? o : nigh_tape_add(t, x, o);
}
