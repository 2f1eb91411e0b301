/* Heads of packed rows. Declared in grad/heads.h. */
#include "grad/heads.h"

#include <math.h>
#include <string.h>

typedef struct heads_attributes {
    int64_t first, heads, size;
} heads_attributes;

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

enum { PARALLEL = 65536 }; /* numbers from which on a second thread pays */

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

static void turn_rows(const void *state, const tape_call *call, int64_t from, int64_t to)
{
    const rotary_attributes *a = call->node->attributes;
    const nigh_shape *shape = call->in[0].shape;
    int64_t steps = shape->dim[1], row = shape->dim[2], half = a->size / 2, rest = row - a->turned * a->size;
    bool single = shape->dtype == NIGH_F32, in_place = call->in[0].data == call->out[0].data;
    size_t size = nigh_dtype_size(shape->dtype);
    for (int64_t r = from; r < to; r++) {
        const char *x = (const char *)call->in[0].data + (size_t)(r * row) * size, *table = (const char *)state + (size_t)(r % steps * 2 * half) * size;
        char *y = (char *)call->out[0].data + (size_t)(r * row) * size;
        if (single) turn_float(a->turned, half, (const float *)table, (const float *)x, (float *)y);
        else turn_double(a->turned, half, (const double *)table, (const double *)x, (double *)y);
        if (!in_place) memcpy(y + (size_t)(row - rest) * size, x + (size_t)(row - rest) * size, (size_t)rest * size);
    }
}

static void rotary_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->in[0].shape;
    int64_t rows = shape->dim[0] * shape->dim[1];
    int parts = rows * shape->dim[2] < PARALLEL ? 1 : call->threads;
    if (parts == 1) {
        turn_rows(state, call, 0, rows);
        return;
    }
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int part = 0; part < parts; part++) turn_rows(state, call, rows * part / parts, rows * (part + 1) / parts);
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
