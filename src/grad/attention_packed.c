/* Attention on packed rows. Declared in grad/attention_packed.h. */
#include "grad/attention_packed.h"

#include "nigh/attention.h"
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

typedef struct heads_attributes {
    int64_t first, heads, size;
} heads_attributes;

/* ---- attention ---------------------------------------------------------------------------------------- */

/* inputs: packed; backward: packed, o, lse, d_o. */
typedef struct packed_state {
    nigh_attention *attention;
    void *slopes;
} packed_state;

static void release(nigh_context *ctx, void *state)
{
    packed_state *s = state;
    if (!s) return;
    nigh_attention_free(s->attention);
    nigh_free(ctx, s->slopes);
    nigh_free(ctx, s);
}

static nigh_status make_slopes(nigh_context *ctx, nigh_dtype dtype, int64_t heads, void **out)
{
    double *wide = nigh_alloc(ctx, (size_t)heads * sizeof *wide);
    if (!wide) return NIGH_MEMORY;
    nigh_alibi_slopes(heads, wide);
    if (dtype == NIGH_F64) return *out = wide, NIGH_OK;
    float *narrow = nigh_alloc(ctx, (size_t)heads * sizeof *narrow);
    for (int64_t h = 0; h < heads && narrow; h++) narrow[h] = (float)wide[h];
    nigh_free(ctx, wide);
    *out = narrow;
    return narrow ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const attention_packed *how = call->node->attributes;
    const nigh_shape *x = call->in[0].shape;
    bool backward = call->node->inputs == 4;
    int64_t batch = x->dim[0], steps = x->dim[1], row = x->dim[2];
    nigh_attention_strides in = {steps * row, how->size, row}, out = {steps * how->heads * how->size, how->size, how->heads * how->size};
    nigh_attention_spec spec = {.dtype = x->dtype, .kv_dtype = x->dtype, .batch = batch, .heads = how->heads, .kv_heads = how->kv_heads, .queries = steps,
                                .keys = steps, .width = how->size, .value_width = how->size, .q = in, .k = in, .v = in, .o = out, .scale = how->scale,
                                .causal = how->causal, .window = how->window, .slopes = how->alibi, .backward = backward};
    packed_state *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    nigh_status status = nigh_attention_new(ctx, &spec, call->threads, &s->attention);
    if (!status && how->alibi) status = make_slopes(ctx, x->dtype, how->heads, &s->slopes);
    if (status) {
        release(ctx, s);
        return status;
    }
    *workspace = backward ? nigh_attention_backward_workspace(s->attention) : nigh_attention_workspace(s->attention);
    *state = s;
    return NIGH_OK;
}

/* Where keys and values begin in a row. */
static size_t part_offset(const tape_call *call, int part)
{
    const attention_packed *how = call->node->attributes;
    int64_t heads = part == 0 ? 0 : part == 1 ? how->heads : how->heads + how->kv_heads;
    return (size_t)(heads * how->size) * nigh_dtype_size(call->in[0].shape->dtype);
}

static nigh_attention_data data_of(const packed_state *s, const tape_call *call)
{
    const char *x = call->in[0].data;
    return (nigh_attention_data){.q = x, .k = x + part_offset(call, 1), .v = x + part_offset(call, 2), .slopes = s->slopes};
}

static void run(const void *state, const tape_call *call)
{
    const packed_state *s = state;
    nigh_attention_data data = data_of(s, call);
    nigh_attention_run(s->attention, &data, call->out[0].data, call->out[1].data, call->workspace);
}

static void run_back(const void *state, const tape_call *call)
{
    const packed_state *s = state;
    nigh_attention_data data = data_of(s, call);
    char *d = call->out[0].data;
    nigh_attention_gradients g = {.o = call->in[1].data, .lse = call->in[2].data, .d_o = call->in[3].data,
                                  .d_q = d, .d_k = d + part_offset(call, 1), .d_v = d + part_offset(call, 2)};
    nigh_attention_backward(s->attention, &data, &g, call->workspace);
}

static const tape_operator op_attention_packed_back = {.name = "attention-packed-back", .kind = TAPE_KERNEL, .prepare = prepare, .run = run_back,
                                                       .release = release};

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = *tape_shape(t, node.input[0]);
    if (grad_out[0] == NIGH_NONE) return;
    const nigh_node input[4] = {node.input[0], self, self + 1, grad_out[0]};
    grad_in[0] = tape_record_one(t, &op_attention_packed_back, &shape, 4, input, node.attributes, node.attribute_bytes);
}

static const tape_operator op_attention_packed = {.name = "attention-packed", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .release = release,
                                                  .gradient = gradient};

nigh_node tape_attention_packed(nigh_tape *t, nigh_node x, const attention_packed *how)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "attention", 1, &x)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, x);
    int64_t row = (how->heads + 2 * how->kv_heads) * how->size;
    if (!tape_is_float(s->dtype) || s->ndim != 3 || s->dim[2] != row || how->kv_heads < 1 || how->heads % how->kv_heads)
        return tape_fail(t, "attention", "x is %s; [B, T, %lld] of f32 or f64 is needed for %lld heads and %lld key heads of %lld", tape_shape_text(s, text), (long long)row,
                         (long long)how->heads, (long long)how->kv_heads, (long long)how->size);
    const int64_t o[4] = {s->dim[0], s->dim[1], how->heads, how->size}, lse[3] = {s->dim[0], how->heads, s->dim[1]};
    const nigh_shape shapes[2] = {tape_make_shape(s->dtype, 4, o), tape_make_shape(s->dtype, 3, lse)};
    return tape_record(t, &op_attention_packed, 2, shapes, 1, &x, how, sizeof *how, false);
}

/* ---- heads --------------------------------------------------------------------------------------------- */

static bool heads_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    const heads_attributes *a = node->attributes;
    out->offset = layout->offset + a->first * a->size * layout->stride[2];
    out->stride[0] = layout->stride[0], out->stride[1] = layout->stride[1];
    out->stride[2] = a->size * layout->stride[2], out->stride[3] = layout->stride[2];
    return true;
}

static void heads_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const heads_attributes a = *(const heads_attributes *)node.attributes;
    const nigh_shape x = *tape_shape(t, node.input[0]);
    int64_t low = a.first * a.size, width = a.heads * a.size;
    nigh_node flat = nigh_tape_reshape(t, grad_out[0], 3, (int64_t[]){x.dim[0], x.dim[1], width});
    grad_in[0] = nigh_tape_pad(t, flat, (int64_t[]){0, 0, low}, (int64_t[]){0, 0, x.dim[2] - low - width});
}

static const tape_operator op_heads = {.name = "heads", .kind = TAPE_VIEW, .view = heads_view, .gradient = heads_gradient};

nigh_node tape_heads(nigh_tape *t, nigh_node x, int64_t first, int64_t heads, int64_t size)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "heads", 1, &x)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, x);
    if (s->ndim != 3 || first < 0 || heads < 1 || size < 1 || (first + heads) * size > s->dim[2])
        return tape_fail(t, "heads", "x is %s, heads %lld to %lld of %lld are asked for; [B, T, C] that holds them is needed", tape_shape_text(s, text), (long long)first,
                         (long long)(first + heads - 1), (long long)size);
    heads_attributes a = {first, heads, size};
    const nigh_shape shape = tape_make_shape(s->dtype, 4, (int64_t[]){s->dim[0], s->dim[1], heads, size});
    return tape_record_one(t, &op_heads, &shape, 1, &x, &a, sizeof a);
}

nigh_node tape_heads_of(const nigh_tape *t, nigh_node x, int64_t *first, int64_t *heads)
{
    const tape_node *node = tape_at(t, x);
    if (node->op != &op_heads) return NIGH_NONE;
    const heads_attributes *a = node->attributes;
    *first = a->first, *heads = a->heads;
    return node->input[0];
}

/* ---- rotary ------------------------------------------------------------------------------------------- */

typedef struct rotary_attributes {
    int64_t turned, size, back;
    double base;
} rotary_attributes;

/* cos and sin of a place side by side, [T, size / 2] each. */
static nigh_status rotary_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const rotary_attributes *a = call->node->attributes;
    int64_t steps = call->in[0].shape->dim[1], half = a->size / 2;
    nigh_dtype dtype = call->in[0].shape->dtype;
    char *table = nigh_alloc(ctx, (size_t)(2 * steps * half + 1) * nigh_dtype_size(dtype));
    if (!table) return NIGH_MEMORY;
    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = 0; i < half; i++) {
            double angle = (double)t * pow(a->base, -2 * (double)i / (double)a->size) * (a->back ? -1 : 1);
            int64_t at = 2 * t * half + i;
            if (dtype == NIGH_F32) ((float *)table)[at] = (float)cos(angle), ((float *)table)[at + half] = (float)sin(angle);
            else ((double *)table)[at] = cos(angle), ((double *)table)[at + half] = sin(angle);
        }
    *state = table;
    return NIGH_OK;
}

static void rotary_release(nigh_context *ctx, void *state) { nigh_free(ctx, state); }

#define TURN(type)                                                                                                                         \
    static void turn_##type(int64_t heads, int64_t half, const type *table, const type *x, type *y)                                        \
    {                                                                                                                                      \
        const type *restrict c = table, *restrict s = table + half;                                                                        \
        for (int64_t h = 0; h < heads; h++, x += 2 * half, y += 2 * half)                                                                  \
            for (int64_t i = 0; i < half; i++) {                                                                                           \
                type a = x[i], b = x[i + half];                                                                                            \
                y[i] = a * c[i] - b * s[i];                                                                                                \
                y[i + half] = b * c[i] + a * s[i];                                                                                         \
            }                                                                                                                              \
    }
TURN(float)
TURN(double)

static void rotary_run(const void *state, const tape_call *call)
{
    const rotary_attributes *a = call->node->attributes;
    const nigh_shape *shape = call->in[0].shape;
    int64_t steps = shape->dim[1], row = shape->dim[2], rows = shape->dim[0] * steps, half = a->size / 2, rest = row - a->turned * a->size;
    bool single = shape->dtype == NIGH_F32, in_place = call->in[0].data == call->out[0].data;
    size_t size = nigh_dtype_size(shape->dtype);
    int threads = rows * row < 65536 ? 1 : call->threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t r = 0; r < rows; r++) {
        const char *x = (const char *)call->in[0].data + (size_t)(r * row) * size, *table = (const char *)state + (size_t)(r % steps * 2 * half) * size;
        char *y = (char *)call->out[0].data + (size_t)(r * row) * size;
        if (single) turn_float(a->turned, half, (const float *)table, (const float *)x, (float *)y);
        else turn_double(a->turned, half, (const double *)table, (const double *)x, (double *)y);
        if (!in_place) memcpy(y + (size_t)(row - rest) * size, x + (size_t)(row - rest) * size, (size_t)rest * size);
    }
}

static nigh_node record_rotary(nigh_tape *t, nigh_node x, const rotary_attributes *a);

static void rotary_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    rotary_attributes a = *(const rotary_attributes *)tape_at(t, self)->attributes;
    a.back = !a.back;
    grad_in[0] = record_rotary(t, grad_out[0], &a);
}

static const tape_operator op_rotary_packed = {.name = "rotary-packed", .kind = TAPE_KERNEL, .in_place = true, .prepare = rotary_prepare, .run = rotary_run,
                                               .release = rotary_release, .gradient = rotary_gradient};

static nigh_node record_rotary(nigh_tape *t, nigh_node x, const rotary_attributes *a)
{
    const nigh_shape shape = *tape_shape(t, x);
    return tape_record_one(t, &op_rotary_packed, &shape, 1, &x, a, sizeof *a);
}

nigh_node tape_rotary_packed_of(const nigh_tape *t, nigh_node x)
{
    const tape_node *node = tape_at(t, x);
    return node->op == &op_rotary_packed ? node->input[0] : NIGH_NONE;
}

nigh_node tape_rotary_packed(nigh_tape *t, nigh_node x, int64_t turned, int64_t size, double base)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "rotary", 1, &x)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, x);
    if (!tape_is_float(s->dtype) || s->ndim != 3 || size < 2 || size % 2 || turned < 0 || turned * size > s->dim[2] || !(base > 0))
        return tape_fail(t, "rotary", "x is %s, %lld heads of %lld are turned; [B, T, C] with room for them, an even size and a positive base are needed",
                         tape_shape_text(s, text), (long long)turned, (long long)size);
    rotary_attributes a = {turned, size, 0, base};
    return record_rotary(t, x, &a);
}
