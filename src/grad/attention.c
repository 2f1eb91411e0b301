/* Attention on the tape: fused, with a fused gradient. Declared in nigh/operators_sequences.h. */
#include "nigh/attention.h"

#include "grad/attention.h"
#include "nigh/operators_sequences.h"

#include <string.h>

typedef struct attention_state {
    nigh_attention *attention;
    bool copied[3];   /* q, k, v whose rows do not lie as the kernel needs them */
    size_t at[3], end; /* where their copies lie in the workspace, and where the kernel's part begins */
} attention_state;

static int arrays(const attention_attributes *a) { return a->packed ? 1 : 3; }

static int options(const attention_attributes *a)
{
    return !!(a->options & ATTENTION_HAS_LENGTHS) + 2 * !!(a->options & ATTENTION_HAS_SEGMENTS) + !!(a->options & ATTENTION_HAS_BIAS) + !!(a->options & ATTENTION_HAS_SLOPES);
}

static int bias_input(const attention_attributes *a)
{
    return arrays(a) + !!(a->options & ATTENTION_HAS_LENGTHS) + 2 * !!(a->options & ATTENTION_HAS_SEGMENTS);
}

/* ---- the kernel's spec -------------------------------------------------------------------------------- */

static nigh_attention_spec spec_of(const tape_call *call, const nigh_attention_strides stride[3], bool backward)
{
    const attention_attributes *a = call->node->attributes;
    const nigh_shape *q = call->in[0].shape, *k = a->packed ? q : call->in[1].shape, *v = a->packed ? q : call->in[2].shape;
    nigh_attention_spec spec = {.dtype = q->dtype, .kv_dtype = q->dtype, .batch = q->dim[0], .heads = a->heads, .kv_heads = a->kv_heads, .queries = q->dim[1],
                                .keys = k->dim[1], .width = q->dim[3], .value_width = v->dim[3], .q = stride[0], .k = stride[1], .v = stride[2],
                                .scale = a->scale, .cosine = a->cosine, .causal = a->causal, .window = a->window, .first = a->first, .ragged = a->ragged,
                                .lengths = a->options & ATTENTION_HAS_LENGTHS, .segments = a->options & ATTENTION_HAS_SEGMENTS, .bias = a->options & ATTENTION_HAS_BIAS,
                                .slopes = a->options & ATTENTION_HAS_SLOPES, .backward = backward};
    spec.o = (nigh_attention_strides){spec.queries * spec.heads * spec.value_width, spec.value_width, spec.heads * spec.value_width};
    if (spec.bias) {
        const tape_operand *bias = &call->in[bias_input(a)];
        int64_t step[NIGH_MAX_DIMS];
        tape_dense_strides(bias->shape, step);
        for (int i = 0; i < 4; i++) step[i] = bias->shape->dim[i] == 1 ? 0 : step[i];
        spec.bias_batch = step[0], spec.bias_head = step[1], spec.bias_row = step[2], spec.bias_column = step[3];
    }
    return spec;
}

static nigh_attention_strides dense_strides(const nigh_shape *s) { return (nigh_attention_strides){s->dim[1] * s->dim[2] * s->dim[3], s->dim[3], s->dim[2] * s->dim[3]}; }

/* Elements of a row side by side, rows at distances that the kernel takes. */
static bool strides_fit(const tape_operand *in, nigh_attention_strides *stride)
{
    const nigh_shape *s = in->shape;
    int64_t step[4];
    bool any = false;
    for (int i = 0; i < 4; i++) {
        step[i] = s->dim[i] == 1 ? 0 : in->stride[i];
        if (step[i] < 0) return false;
        any = any || (i < 3 && step[i]);
    }
    *stride = (nigh_attention_strides){step[0], step[2], step[1]};
    return (any || s->dim[0] * s->dim[1] * s->dim[2] == 1) && (s->dim[3] == 1 || step[3] == 1);
}

static void packed_strides(const nigh_shape *s, nigh_attention_strides stride[3])
{
    for (int i = 0; i < 3; i++) stride[i] = dense_strides(s);
}

static nigh_status make(nigh_context *ctx, const tape_call *call, const nigh_attention_spec *spec, attention_state *s, void **state, size_t *workspace)
{
    attention_state *kept = nigh_alloc(ctx, sizeof *kept);
    if (!kept) return NIGH_MEMORY;
    nigh_status status = nigh_attention_new(ctx, spec, call->threads, &s->attention);
    if (status) {
        nigh_free(ctx, kept);
        return status;
    }
    *workspace = s->end + (spec->backward ? nigh_attention_backward_workspace(s->attention) : nigh_attention_workspace(s->attention));
    *kept = *s;
    *state = kept;
    return NIGH_OK;
}

static nigh_status forward_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const attention_attributes *a = call->node->attributes;
    nigh_attention_strides stride[3];
    attention_state s = {0};
    for (int i = 0; i < arrays(a); i++) {
        const nigh_shape *shape = call->in[i].shape;
        if (strides_fit(&call->in[i], &stride[i])) continue;
        s.copied[i] = true;
        s.at[i] = s.end;
        s.end += ((size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype) + 63) / 64 * 64;
        stride[i] = dense_strides(shape);
    }
    if (a->packed) stride[1] = stride[2] = stride[0];
    nigh_attention_spec spec = spec_of(call, stride, false);
    return make(ctx, call, &spec, &s, state, workspace);
}

static nigh_status backward_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const attention_attributes *a = call->node->attributes;
    nigh_attention_strides stride[3];
    attention_state s = {0};
    packed_strides(call->in[0].shape, stride);
    for (int i = 0; i < arrays(a); i++) stride[i] = dense_strides(call->in[i].shape);
    nigh_attention_spec spec = spec_of(call, stride, true);
    return make(ctx, call, &spec, &s, state, workspace);
}

static void release(nigh_context *ctx, void *state)
{
    nigh_attention_free(((attention_state *)state)->attention);
    nigh_free(ctx, state);
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* Where k and v begin in a packed array of row stride of heads `head`. */
static void split_packed(const attention_attributes *a, const char *all, int64_t head, size_t size, const char *array[3])
{
    array[0] = all;
    array[1] = all + (size_t)(a->heads * head) * size;
    array[2] = all + (size_t)((a->heads + a->kv_heads) * head) * size;
}

static nigh_attention_data data_of(const tape_call *call, const char *const array[3])
{
    const attention_attributes *a = call->node->attributes;
    const tape_operand *in = call->in + arrays(a);
    nigh_attention_data data = {.q = array[0], .k = array[1], .v = array[2]};
    if (a->options & ATTENTION_HAS_LENGTHS) data.lengths = (in++)->data;
    if (a->options & ATTENTION_HAS_SEGMENTS) data.q_segment = (in++)->data, data.k_segment = (in++)->data;
    if (a->options & ATTENTION_HAS_BIAS) data.bias = (in++)->data;
    if (a->options & ATTENTION_HAS_SLOPES) data.slopes = in->data;
    return data;
}

static void forward_run(const void *state, const tape_call *call)
{
    const attention_state *s = state;
    const attention_attributes *a = call->node->attributes;
    char *workspace = call->workspace;
    const char *array[3];
    int64_t stride[NIGH_MAX_DIMS], head = call->in[0].stride[2];
    for (int i = 0; i < arrays(a); i++) {
        array[i] = call->in[i].data;
        if (!s->copied[i]) continue;
        tape_dense_strides(call->in[i].shape, stride);
        tape_copy(&call->in[i], workspace + s->at[i], stride, call->threads);
        array[i] = workspace + s->at[i];
        if (i == 0) head = stride[2];
    }
    if (a->packed) split_packed(a, array[0], head, nigh_dtype_size(call->out->shape->dtype), array);
    nigh_attention_data data = data_of(call, array);
    nigh_attention_run(s->attention, &data, call->out[0].data, call->out[1].data, workspace + s->end);
}

static void backward_run(const void *state, const tape_call *call)
{
    const attention_state *s = state;
    const attention_attributes *a = call->node->attributes;
    size_t size = nigh_dtype_size(call->out->shape->dtype);
    const char *array[3], *result[3];
    int64_t head = call->in[0].shape->dim[3];
    for (int i = 0; i < arrays(a); i++) array[i] = call->in[i].data, result[i] = call->out[i].data;
    if (a->packed) {
        split_packed(a, array[0], head, size, array);
        split_packed(a, result[0], head, size, result);
    }
    nigh_attention_data data = data_of(call, array);
    const tape_operand *in = call->in + arrays(a) + options(a);
    nigh_attention_gradients g = {.o = in[0].data, .lse = in[1].data, .d_o = in[2].data, .d_lse = a->d_lse ? in[3].data : NULL, .d_q = (void *)result[0],
                                  .d_k = (void *)result[1], .d_v = (void *)result[2], .d_bias = a->d_bias ? call->out[arrays(a)].data : NULL};
    nigh_attention_backward(s->attention, &data, &g, call->workspace);
}

/* Two products over all pairs of queries and keys; backwards five. Masks are not looked at. */
static double products(const tape_call *call, double with_width, double with_values)
{
    const attention_attributes *a = call->node->attributes;
    const nigh_shape *q = call->in[0].shape, *k = call->in[a->packed ? 0 : 1].shape, *v = call->in[a->packed ? 0 : 2].shape;
    double pairs = (double)q->dim[0] * (double)a->heads * (double)q->dim[1] * (double)k->dim[1];
    return 2 * pairs * (with_width * (double)q->dim[3] + with_values * (double)v->dim[3]);
}

static double forward_flops(const tape_call *call) { return products(call, 1, 1); }
static double backward_flops(const tape_call *call) { return products(call, 3, 2); }

/* ---- gradient ----------------------------------------------------------------------------------------- */

static const tape_operator op_backward = {.name = "attention-backward", .kind = TAPE_KERNEL, .prepare = backward_prepare, .run = backward_run, .release = release,
                                          .flops = backward_flops};

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    attention_attributes a = *(const attention_attributes *)node.attributes;
    nigh_node input[3 + ATTENTION_MOST_OPTIONS + 4], d_o = grad_out[0];
    nigh_shape shape[4];
    if (d_o == NIGH_NONE) d_o = nigh_tape_fill(t, node.shape.dtype, node.shape.ndim, node.shape.dim, 0);
    memcpy(input, node.input, (size_t)node.inputs * sizeof *input);
    int n = node.inputs, results = arrays(&a), bias = bias_input(&a);
    input[n++] = self;
    input[n++] = self + 1;
    input[n++] = d_o;
    if (grad_out[1] != NIGH_NONE) input[n++] = grad_out[1];
    a.d_lse = grad_out[1] != NIGH_NONE;
    a.d_bias = a.options & ATTENTION_HAS_BIAS && wanted[bias];
    for (int i = 0; i < results; i++) shape[i] = *tape_shape(t, node.input[i]);
    if (a.d_bias) shape[results] = *tape_shape(t, node.input[bias]);
    nigh_node d = tape_record(t, &op_backward, results + (int)a.d_bias, shape, n, input, &a, sizeof a, false);
    if (d == NIGH_NONE) return;
    for (int i = 0; i < results; i++) grad_in[i] = d + i;
    if (a.d_bias) grad_in[bias] = d + results;
}

static const tape_operator op_attention = {.name = "attention", .kind = TAPE_KERNEL, .strided = 7, .prepare = forward_prepare, .run = forward_run,
                                           .release = release, .flops = forward_flops, .gradient = gradient};
static const tape_operator op_packed = {.name = "attention", .kind = TAPE_KERNEL, .strided = 1, .prepare = forward_prepare, .run = forward_run,
                                        .release = release, .flops = forward_flops, .gradient = gradient};

/* ---- recording ---------------------------------------------------------------------------------------- */

nigh_attention_how nigh_attention_plain(void)
{
    return (nigh_attention_how){.lengths = NIGH_NONE, .q_segment = NIGH_NONE, .k_segment = NIGH_NONE, .bias = NIGH_NONE, .slopes = NIGH_NONE};
}

static bool check_option(nigh_tape *t, const char *name, nigh_node node, nigh_dtype dtype, int ndim, const int64_t *dim, bool ones, const char *q)
{
    char text[TAPE_SHAPE_TEXT], wanted[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "attention", 1, &node)) return false;
    const nigh_shape *s = tape_shape(t, node);
    nigh_shape want = tape_make_shape(dtype, ndim, dim);
    bool fits = s->dtype == dtype && s->ndim == ndim;
    for (int i = 0; i < ndim && fits; i++) fits = s->dim[i] == dim[i] || (ones && s->dim[i] == 1);
    if (!fits)
        tape_fail(t, "attention", "%s is %s with q %s; %s%s is needed", name, tape_shape_text(s, text), q, tape_shape_text(&want, wanted),
                  ones ? ", or 1 for any of these," : "");
    return fits;
}

/* Appends the options' nodes to input[*n]. sizes: B, T, S, H. */
static bool take_options(nigh_tape *t, const nigh_attention_how *how, const int64_t sizes[4], const char *q, nigh_dtype dtype, attention_attributes *a,
                         nigh_node *input, int *n)
{
    int64_t b = sizes[0], queries = sizes[1], keys = sizes[2], h = sizes[3];
    if ((how->q_segment == NIGH_NONE) != (how->k_segment == NIGH_NONE)) return tape_fail(t, "attention", "segments of one of q and k only"), false;
    if (how->ragged && how->lengths == NIGH_NONE) return tape_fail(t, "attention", "ragged needs lengths"), false;
    a->scale = how->scale, a->cosine = how->cosine, a->causal = how->causal, a->window = how->window, a->first = how->first, a->ragged = how->ragged;
    if (how->lengths != NIGH_NONE) {
        if (!check_option(t, "lengths", how->lengths, NIGH_I32, 1, &b, false, q)) return false;
        a->options |= ATTENTION_HAS_LENGTHS;
        input[(*n)++] = how->lengths;
    }
    if (how->q_segment != NIGH_NONE) {
        if (!check_option(t, "q_segment", how->q_segment, NIGH_I32, 2, (int64_t[]){b, queries}, false, q) ||
            !check_option(t, "k_segment", how->k_segment, NIGH_I32, 2, (int64_t[]){b, keys}, false, q))
            return false;
        a->options |= ATTENTION_HAS_SEGMENTS;
        input[(*n)++] = how->q_segment;
        input[(*n)++] = how->k_segment;
    }
    if (how->bias != NIGH_NONE) {
        if (!check_option(t, "bias", how->bias, dtype, 4, (int64_t[]){b, h, queries, keys}, true, q)) return false;
        if (nigh_shape_count(tape_shape(t, how->bias)) == 1 && b * h * queries * keys != 1)
            return tape_fail(t, "attention", "the bias is one number for q %s: it changes nothing", q), false;
        a->options |= ATTENTION_HAS_BIAS;
        input[(*n)++] = how->bias;
    }
    if (how->slopes != NIGH_NONE) {
        if (!check_option(t, "slopes", how->slopes, dtype, 1, &h, false, q)) return false;
        a->options |= ATTENTION_HAS_SLOPES;
        input[(*n)++] = how->slopes;
    }
    return true;
}

static nigh_node record(nigh_tape *t, const tape_operator *op, const attention_attributes *a, const nigh_shape *q, int64_t value_width, int inputs,
                        const nigh_node *input, nigh_node *lse)
{
    nigh_shape shape[2] = {tape_make_shape(q->dtype, 4, (int64_t[]){q->dim[0], q->dim[1], a->heads, value_width}),
                           tape_make_shape(q->dtype, 3, (int64_t[]){q->dim[0], a->heads, q->dim[1]})};
    nigh_node o = tape_record(t, op, 2, shape, inputs, input, a, sizeof *a, false);
    if (lse) *lse = o == NIGH_NONE ? NIGH_NONE : o + 1;
    return o;
}

nigh_node nigh_tape_attention(nigh_tape *t, nigh_node q, nigh_node k, nigh_node v, const nigh_attention_how *how, nigh_node *lse)
{
    nigh_node input[3 + ATTENTION_MOST_OPTIONS] = {q, k, v};
    char sq[TAPE_SHAPE_TEXT], sk[TAPE_SHAPE_TEXT], sv[TAPE_SHAPE_TEXT];
    if (lse) *lse = NIGH_NONE;
    if (!tape_check(t, "attention", 3, input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, q), y = *tape_shape(t, k), z = *tape_shape(t, v);
    tape_shape_text(&x, sq), tape_shape_text(&y, sk), tape_shape_text(&z, sv);
    if (!tape_is_float(x.dtype) || x.dtype != y.dtype || x.dtype != z.dtype || x.ndim != 4 || y.ndim != 4 || z.ndim != 4)
        return tape_fail(t, "attention", "q is %s, k is %s, v is %s; [B,T,H,d], [B,S,G,d] and [B,S,G,e] of f32 or f64 are needed", sq, sk, sv);
    if (x.dim[0] != y.dim[0] || x.dim[0] != z.dim[0] || y.dim[1] != z.dim[1] || y.dim[2] != z.dim[2] || x.dim[3] != y.dim[3] || y.dim[2] < 1 || x.dim[2] % y.dim[2])
        return tape_fail(t, "attention", "q is %s, k is %s, v is %s: [B,T,H,d], [B,S,G,d] and [B,S,G,e] with H a multiple of G are needed", sq, sk, sv);
    attention_attributes a = {.heads = x.dim[2], .kv_heads = y.dim[2]};
    int n = 3;
    if (!take_options(t, how, (int64_t[]){x.dim[0], x.dim[1], y.dim[1], x.dim[2]}, sq, x.dtype, &a, input, &n)) return NIGH_NONE;
    return record(t, &op_attention, &a, &x, z.dim[3], n, input, lse);
}

nigh_node nigh_tape_attention_packed(nigh_tape *t, nigh_node qkv, int64_t heads, const nigh_attention_how *how, nigh_node *lse)
{
    nigh_node input[3 + ATTENTION_MOST_OPTIONS] = {qkv};
    char text[TAPE_SHAPE_TEXT];
    if (lse) *lse = NIGH_NONE;
    if (!tape_check(t, "attention", 1, input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, qkv);
    tape_shape_text(&x, text);
    int64_t more = x.ndim == 4 ? x.dim[2] - heads : 0;
    if (x.ndim != 4 || !tape_is_float(x.dtype) || heads < 1 || more < 2 || more % 2 || heads % (more / 2))
        return tape_fail(t, "attention", "qkv is %s with %lld heads of q; [B,T,H + 2 G,d] of f32 or f64 with H a multiple of G is needed", text, (long long)heads);
    attention_attributes a = {.heads = heads, .kv_heads = more / 2, .packed = 1};
    int n = 1;
    if (!take_options(t, how, (int64_t[]){x.dim[0], x.dim[1], x.dim[1], heads}, text, x.dtype, &a, input, &n)) return NIGH_NONE;
    return record(t, &op_packed, &a, &x, x.dim[3], n, input, lse);
}
