/* Recurrences on the tape: gated scans, the delta rule, diagonal state spaces. Declared in nigh/operators_sequences.h. */
#include "tensor/scan.h"

#include "grad/tape.h"
#include "nigh/operators_sequences.h"

/* ---- gated -------------------------------------------------------------------------------------------- */

/* Forward: a, b, (first) -> h. Backward: a, h, dh, (first) -> da, db, (dfirst). */
static nigh_status gated_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const nigh_shape *s = call->in[0].shape;
    scan_gated_spec spec = {s->dtype, s->dim[0], s->dim[1], s->dim[2]};
    scan_gated *scan;
    nigh_status status = scan_gated_new(ctx, &spec, call->threads, &scan);
    if (!status) *state = scan;
    return status;
}

static void gated_release(nigh_context *ctx, void *state) { scan_gated_free(state); }

static void gated_run(const void *state, const tape_call *call)
{
    scan_gated_run(state, call->in[0].data, call->in[1].data, call->node->inputs == 3 ? call->in[2].data : NULL, call->out->data);
}

static void gated_back_run(const void *state, const tape_call *call)
{
    bool first = call->node->inputs == 4;
    scan_gated_back(state, call->in[0].data, first ? call->in[3].data : NULL, call->in[1].data, call->in[2].data, call->out[0].data, call->out[1].data,
                    first ? call->out[2].data : NULL);
}

static void gated_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);
static void gated_back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in);

static const tape_operator op_gated = {.name = "gated-scan", .kind = TAPE_KERNEL, .prepare = gated_prepare, .run = gated_run, .release = gated_release,
                                       .gradient = gated_gradient};
static const tape_operator op_gated_back = {.name = "gated-scan-backward", .kind = TAPE_KERNEL, .prepare = gated_prepare, .run = gated_back_run,
                                            .release = gated_release, .gradient = gated_back_gradient};

static void gated_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    bool first = node.inputs == 3;
    nigh_shape shape[3] = {node.shape, node.shape, node.shape};
    if (first) shape[2] = *tape_shape(t, node.input[2]);
    nigh_node input[4] = {node.input[0], self, grad_out[0], first ? node.input[2] : NIGH_NONE};
    nigh_node d = tape_record(t, &op_gated_back, first ? 3 : 2, shape, first ? 4 : 3, input, NULL, 0, false);
    for (int i = 0; i < node.inputs && d != NIGH_NONE; i++) grad_in[i] = d + i;
}

/* `head` [B, C] (zeros: NIGH_NONE), then all steps of x but the last. */
static nigh_node delayed(nigh_tape *t, nigh_node x, nigh_node head)
{
    const nigh_shape s = *tape_shape(t, x);
    int64_t one[3] = {s.dim[0], 1, s.dim[2]};
    head = head == NIGH_NONE ? nigh_tape_fill(t, s.dtype, 3, one, 0) : nigh_tape_reshape(t, head, 3, one);
    return s.dim[1] < 2 ? head : nigh_tape_concat(t, 2, (nigh_node[]){head, nigh_tape_slice(t, x, 1, 0, s.dim[1] - 1, 1)}, 1);
}

/* x [B, C] as the step `at` of zeros like h. */
static nigh_node placed(nigh_tape *t, nigh_node x, const nigh_shape *h, int64_t at)
{
    nigh_node one = nigh_tape_reshape(t, x, 3, (int64_t[]){h->dim[0], 1, h->dim[2]});
    return nigh_tape_pad(t, one, (int64_t[]){0, at, 0}, (int64_t[]){0, h->dim[1] - 1 - at, 0});
}

static nigh_node step_of(nigh_tape *t, nigh_node x, int64_t at)
{
    const nigh_shape s = *tape_shape(t, x);
    return nigh_tape_reshape(t, nigh_tape_slice(t, x, 1, at, 1, 1), 2, (int64_t[]){s.dim[0], s.dim[2]});
}

/*
 * With l the backward scan: l[t] = dh[t] + a[t+1] l[t+1], da[t] = l[t] h[t-1], db = l, dfirst = a[0] l[0]. Its adjoint sums what reaches l
 * and scans it forwards: n[t] = m[t] + a[t] n[t-1], so that dh gets n and a[t] gets n[t-1] l[t].
 */
static void gated_back_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = node.shape;
    bool first = node.inputs == 4;
    nigh_node a = node.input[0], l = self + 1, before = delayed(t, node.input[1], first ? node.input[3] : NIGH_NONE), m = grad_out[1];
    if (grad_out[0] != NIGH_NONE) m = tape_plus(t, m, nigh_tape_mul(t, grad_out[0], before));
    if (first && grad_out[2] != NIGH_NONE) m = tape_plus(t, m, placed(t, nigh_tape_mul(t, grad_out[2], step_of(t, a, 0)), &shape, 0));
    if (m == NIGH_NONE) return;
    nigh_node n = nigh_tape_gated_scan(t, a, m, NIGH_NONE);
    if (wanted[2]) grad_in[2] = n;
    if (wanted[0]) {
        grad_in[0] = nigh_tape_mul(t, delayed(t, n, NIGH_NONE), l);
        if (first && grad_out[2] != NIGH_NONE) grad_in[0] = nigh_tape_add(t, grad_in[0], placed(t, nigh_tape_mul(t, grad_out[2], step_of(t, l, 0)), &shape, 0));
    }
    if (grad_out[0] == NIGH_NONE) return;
    nigh_node to_before = nigh_tape_mul(t, grad_out[0], l);
    int64_t steps = shape.dim[1];
    if (wanted[1] && steps > 1) grad_in[1] = nigh_tape_pad(t, nigh_tape_slice(t, to_before, 1, 1, steps - 1, 1), (int64_t[]){0, 0, 0}, (int64_t[]){0, 1, 0});
    if (first && wanted[3]) grad_in[3] = step_of(t, to_before, 0);
}

nigh_node nigh_tape_gated_scan(nigh_tape *t, nigh_node a, nigh_node b, nigh_node first)
{
    static const char *name = "gated-scan";
    char sa[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    nigh_node input[3] = {a, b, first};
    int inputs = first == NIGH_NONE ? 2 : 3;
    if (!tape_check(t, name, inputs, input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, a), y = *tape_shape(t, b);
    if (x.ndim != 3 || !tape_is_float(x.dtype) || x.dtype != y.dtype || !tape_same_shape(&x, &y) || x.dim[1] < 1)
        return tape_fail(t, name, "a is %s, b is %s; both [B,T,C] of f32 or f64 with T of 1 or more are needed", tape_shape_text(&x, sa), tape_shape_text(&y, sb));
    if (inputs == 3) {
        const nigh_shape *h = tape_shape(t, first);
        if (h->ndim != 2 || h->dtype != x.dtype || h->dim[0] != x.dim[0] || h->dim[1] != x.dim[2])
            return tape_fail(t, name, "a is %s, the first state is %s; [B,C] is needed", tape_shape_text(&x, sa), tape_shape_text(h, sb));
    }
    return tape_record_one(t, &op_gated, &x, inputs, input, NULL, 0);
}

/* ---- delta rule --------------------------------------------------------------------------------------- */

static nigh_status delta_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const nigh_shape *q = call->in[0].shape;
    scan_delta_spec spec = {q->dtype, q->dim[0], q->dim[1], q->dim[2], q->dim[3], call->in[2].shape->dim[3]};
    scan_delta *scan;
    nigh_status status = scan_delta_new(ctx, &spec, call->threads, &scan);
    if (status) return status;
    *state = scan;
    *workspace = scan_delta_workspace(scan);
    return NIGH_OK;
}

static void delta_release(nigh_context *ctx, void *state) { scan_delta_free(state); }

static void delta_run(const void *state, const tape_call *call)
{
    scan_delta_run(state, call->in[0].data, call->in[1].data, call->in[2].data, call->in[3].data, call->out->data, call->workspace);
}

static void delta_back_run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in, *out = call->out;
    scan_delta_back(state, in[0].data, in[1].data, in[2].data, in[3].data, in[4].data, out[0].data, out[1].data, out[2].data, out[3].data, call->workspace);
}

static const tape_operator op_delta_back = {.name = "delta-rule-backward", .kind = TAPE_KERNEL, .prepare = delta_prepare, .run = delta_back_run,
                                            .release = delta_release};

/* Records `op` of the node's inputs and the gradient: one result for each input. */
static void record_back(nigh_tape *t, const tape_operator *op, nigh_node self, const nigh_node *grad_out, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    nigh_shape shape[TAPE_MAX_OUTPUTS];
    nigh_node input[TAPE_MAX_OUTPUTS + 1];
    for (int i = 0; i < node.inputs; i++) input[i] = node.input[i], shape[i] = *tape_shape(t, node.input[i]);
    input[node.inputs] = grad_out[0];
    nigh_node d = tape_record(t, op, node.inputs, shape, node.inputs + 1, input, NULL, 0, false);
    for (int i = 0; i < node.inputs && d != NIGH_NONE; i++) grad_in[i] = d + i;
}

static void delta_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    record_back(t, &op_delta_back, self, grad_out, grad_in);
}

static const tape_operator op_delta = {.name = "delta-rule", .kind = TAPE_KERNEL, .prepare = delta_prepare, .run = delta_run, .release = delta_release,
                                       .gradient = delta_gradient};

nigh_node nigh_tape_delta_rule(nigh_tape *t, nigh_node q, nigh_node k, nigh_node v, nigh_node beta)
{
    static const char *name = "delta-rule";
    char sq[TAPE_SHAPE_TEXT], sk[TAPE_SHAPE_TEXT], sv[TAPE_SHAPE_TEXT], sb[TAPE_SHAPE_TEXT];
    nigh_node input[4] = {q, k, v, beta};
    if (!tape_check(t, name, 4, input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, q), y = *tape_shape(t, k), z = *tape_shape(t, v), w = *tape_shape(t, beta);
    bool fits = tape_is_float(x.dtype) && x.dtype == y.dtype && x.dtype == z.dtype && x.dtype == w.dtype && x.ndim == 4 && z.ndim == 4 && w.ndim == 3 &&
                tape_same_shape(&x, &y);
    for (int i = 0; i < 3 && fits; i++) fits = x.dim[i] == z.dim[i] && x.dim[i] == w.dim[i];
    if (!fits)
        return tape_fail(t, name, "q is %s, k is %s, v is %s, beta is %s; [B,T,H,d], the same, [B,T,H,e] and [B,T,H] of f32 or f64 are needed",
                         tape_shape_text(&x, sq), tape_shape_text(&y, sk), tape_shape_text(&z, sv), tape_shape_text(&w, sb));
    return tape_record_one(t, &op_delta, &z, 4, input, NULL, 0);
}

/* ---- diagonal state spaces ---------------------------------------------------------------------------- */

static nigh_status ssm_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const nigh_shape *x = call->in[0].shape;
    scan_ssm_spec spec = {x->dtype, x->dim[0], x->dim[1], x->dim[2], call->in[1].shape->dim[1]};
    scan_ssm *scan;
    nigh_status status = scan_ssm_new(ctx, &spec, call->threads, &scan);
    if (status) return status;
    *state = scan;
    *workspace = scan_ssm_workspace(scan);
    return NIGH_OK;
}

static void ssm_release(nigh_context *ctx, void *state) { scan_ssm_free(state); }

static void convolve_run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in;
    scan_ssm_convolve(state, in[0].data, in[1].data, in[2].data, in[3].data, in[4].data, call->out->data, call->workspace);
}

static void recur_run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in;
    scan_ssm_recur(state, in[0].data, in[1].data, in[2].data, in[3].data, in[4].data, NULL, call->out->data, call->workspace);
}

static void ssm_back_run(const void *state, const tape_call *call)
{
    const tape_operand *in = call->in, *out = call->out;
    scan_ssm_back(state, in[0].data, in[1].data, in[2].data, in[3].data, in[4].data, in[5].data, out[0].data, out[1].data, out[2].data, out[3].data,
                  out[4].data, call->workspace);
}

static const tape_operator op_ssm_back = {.name = "s4d-backward", .kind = TAPE_KERNEL, .prepare = ssm_prepare, .run = ssm_back_run, .release = ssm_release};

static void ssm_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    record_back(t, &op_ssm_back, self, grad_out, grad_in);
}

static const tape_operator op_convolve = {.name = "s4d-convolution", .kind = TAPE_KERNEL, .prepare = ssm_prepare, .run = convolve_run, .release = ssm_release,
                                          .gradient = ssm_gradient};
static const tape_operator op_recur = {.name = "s4d-recurrence", .kind = TAPE_KERNEL, .prepare = ssm_prepare, .run = recur_run, .release = ssm_release,
                                       .gradient = ssm_gradient};

nigh_node nigh_tape_s4d(nigh_tape *t, nigh_node x, nigh_node a, nigh_node b, nigh_node c, nigh_node dt, bool recur)
{
    static const char *name = "s4d", *const names[5] = {"x", "a", "b", "c", "dt"};
    char sx[TAPE_SHAPE_TEXT], si[TAPE_SHAPE_TEXT];
    nigh_node input[5] = {x, a, b, c, dt};
    if (!tape_check(t, name, 5, input)) return NIGH_NONE;
    const nigh_shape of_x = *tape_shape(t, x), of_a = *tape_shape(t, a);
    tape_shape_text(&of_x, sx);
    nigh_dtype complex = of_x.dtype == NIGH_F32 ? NIGH_C64 : NIGH_C128;
    if (of_x.ndim != 3 || !tape_is_float(of_x.dtype)) return tape_fail(t, name, "x is %s; [B,T,H] of f32 or f64 is needed", sx);
    for (int i = 1; i < 5; i++) {
        const nigh_shape *s = tape_shape(t, input[i]);
        bool fits = i == 4 ? s->ndim == 1 && s->dtype == of_x.dtype : s->ndim == 2 && s->dtype == complex && s->dim[1] == of_a.dim[1];
        if (!fits || s->dim[0] != of_x.dim[2])
            return tape_fail(t, name, "x is %s, %s is %s; a, b, c [H,N] complex and dt [H] are needed", sx, names[i], tape_shape_text(s, si));
    }
    return tape_record_one(t, recur ? &op_recur : &op_convolve, &of_x, 5, input, NULL, 0);
}
