/* Rotary positions, sinusoids, slopes of linear biases. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>

#include "grad/fused.h"

/* ---- rotary --------------------------------------------------------------------------------------------- */

typedef struct rotary_attributes {
    double base, scale;
    int64_t offset, size, half, back, axis;
} rotary_attributes;

/* The state: cos and sin of each position and pair, in the array's type: [positions, size / 2, 2]. */
static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const rotary_attributes *a = call->node->attributes;
    int64_t positions = call->in->shape->dim[a->axis], pairs = a->size / 2;
    nigh_dtype dtype = call->in->shape->dtype;
    void *table = nigh_alloc(ctx, (size_t)(2 * positions * pairs + 1) * nigh_dtype_size(dtype));
    if (!table) return NIGH_MEMORY;
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < pairs; i++) {
            double angle = (double)(a->offset + p) * a->scale * pow(a->base, -2.0 * (double)i / (double)a->size);
            double c = cos(angle), s = a->back ? -sin(angle) : sin(angle);
            int64_t at = 2 * (p * pairs + i);
            if (dtype == NIGH_F32) ((float *)table)[at] = (float)c, ((float *)table)[at + 1] = (float)s;
            else ((double *)table)[at] = c, ((double *)table)[at + 1] = s;
        }
    *state = table;
    return NIGH_OK;
}

static void release(nigh_context *ctx, void *state) { nigh_free(ctx, state); }

typedef struct rotary_share {
    const tape_call *call;
    const void *table;
    int64_t positions, inner, width;
} rotary_share;

#define TURN(type)                                                                                                                         \
    do {                                                                                                                                   \
        const type *in = (const type *)s->call->in->data + r * s->width, *w = (const type *)s->table + p * a->size;                        \
        type *out = (type *)s->call->out->data + r * s->width;                                                                             \
        for (int64_t i = 0; i < pairs; i++) {                                                                                              \
            int64_t j = a->half ? i : 2 * i, k = a->half ? i + pairs : j + 1;                                                              \
            type x = in[j], y = in[k], c = w[2 * i], d = w[2 * i + 1];                                                                     \
            out[j] = x * c - y * d;                                                                                                        \
            out[k] = x * d + y * c;                                                                                                        \
        }                                                                                                                                  \
        for (int64_t i = a->size; i < s->width; i++) out[i] = in[i];                                                                       \
    } while (0)

/* Rows of `width` numbers; row r lies at position (r / inner) % positions. */
static void turn_part(const void *user, int part, int64_t from, int64_t to)
{
    const rotary_share *s = user;
    const rotary_attributes *a = s->call->node->attributes;
    bool single = s->call->in->shape->dtype == NIGH_F32;
    int64_t pairs = a->size / 2;
    for (int64_t r = from; r < to; r++) {
        int64_t p = r / s->inner % s->positions;
        if (single) TURN(float);
        else TURN(double);
    }
}

static void run(const void *state, const tape_call *call)
{
    const rotary_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in->shape;
    int axis = (int)a->axis;
    rotary_share s = {call, state, x->dim[axis], shape_span(x, axis + 1, x->ndim - 1), shape_last(x)};
    int64_t rows = shape_span(x, 0, x->ndim - 1);
    if (nigh_shape_count(x)) share_rows(share_parts(call->threads, rows, nigh_shape_count(x)), rows, turn_part, &s);
}

static const tape_operator op_rotary;

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    rotary_attributes back = *(const rotary_attributes *)node.attributes;
    const nigh_shape shape = node.shape;
    back.back = !back.back;
    grad_in[0] = tape_record_one(t, &op_rotary, &shape, 1, &grad_out[0], &back, sizeof back);
}

static const tape_operator op_rotary = {.name = "rotary", .kind = TAPE_KERNEL, .in_place = true, .prepare = prepare, .run = run, .release = release, .gradient = gradient};

nigh_node nigh_tape_rotary(nigh_tape *t, nigh_node x, int axis, const nigh_rotary *rotary)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "rotary", x, 2)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if ((axis = fused_axis(t, "rotary", axis, shape.ndim)) < 0) return NIGH_NONE;
    rotary_attributes a = {rotary->base == 0 ? 10000 : rotary->base, rotary->scale == 0 ? 1 : rotary->scale, rotary->offset,
                           rotary->size ? rotary->size : shape_last(&shape), rotary->half, 0, axis};
    if (axis == shape.ndim - 1 || a.size < 0 || a.size % 2 || a.size > shape_last(&shape))
        return tape_fail(t, "rotary", "x is %s, positions along axis %d, %lld coordinates turned; not the last axis, and an even number up to the last dimension are allowed",
                         tape_shape_text(&shape, text), axis, (long long)a.size);
    if (!(a.base > 0 && isfinite(a.base) && isfinite(a.scale))) return tape_fail(t, "rotary", "base is %g, scale is %g; a positive and a finite number are allowed", a.base, a.scale);
    return tape_record_one(t, &op_rotary, &shape, 1, &x, &a, sizeof a);
}

/* ---- tables --------------------------------------------------------------------------------------------- */

nigh_node nigh_tape_sinusoids(nigh_tape *t, nigh_dtype dtype, int64_t positions, int64_t size, double base, int64_t offset)
{
    if (t->status) return NIGH_NONE;
    if (!tape_is_float(dtype) || positions < 0 || size < 0 || !(base > 0 && isfinite(base)))
        return tape_fail(t, "sinusoids", "[%lld,%lld] %s, base %g; f32 or f64 and a positive base are allowed", (long long)positions, (long long)size, nigh_dtype_name(dtype), base);
    nigh_array table;
    nigh_shape shape = tape_make_shape(dtype, 2, (int64_t[]){positions, size});
    if ((t->status = nigh_array_new(t->ctx, &shape, &table))) return NIGH_NONE;
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < size; i++) {
            double angle = (double)(offset + p) * pow(base, -(double)(i - i % 2) / (double)size);
            nigh_array_set(&table, p * size + i, i % 2 ? cos(angle) : sin(angle));
        }
    nigh_node node = nigh_tape_constant(t, dtype, 2, shape.dim, table.data);
    nigh_array_free(t->ctx, &table);
    return node;
}

void nigh_alibi_slopes(int64_t heads, double *slopes)
{
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    for (int64_t h = 0; h < heads; h++)
        slopes[h] = h < power ? exp2(-8.0 * (double)(h + 1) / (double)power) : exp2(-4.0 * (double)(2 * (h - power) + 1) / (double)power);
}
