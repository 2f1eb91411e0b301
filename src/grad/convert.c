/* Stops, straight-through values, types, complex numbers and noise on the tape. Declared in nigh/grad.h. */
#include "nigh/random.h"

#include "grad/tape.h"

#include "tensor/copy.h"
#include "tensor/random_fill.h"

#include <string.h>

/* ---- stop and straight-through: views of their first input -------------------------------------------- */

static bool same_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    *out = *layout;
    return true;
}

static void no_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in) {}

static void through_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    grad_in[1] = grad_out[0];
}

static const tape_operator op_stop = {.name = "stop", .kind = TAPE_VIEW, .same_order = true, .view = same_view, .gradient = no_gradient};
static const tape_operator op_through = {.name = "straight-through", .kind = TAPE_VIEW, .same_order = true, .view = same_view, .gradient = through_gradient};

nigh_node nigh_tape_stop(nigh_tape *t, nigh_node x)
{
    if (!tape_check(t, "stop", 1, &x)) return NIGH_NONE;
    return tape_record_one(t, &op_stop, tape_shape(t, x), 1, &x, NULL, 0);
}

nigh_node nigh_tape_straight_through(nigh_tape *t, nigh_node value, nigh_node through)
{
    nigh_node input[2] = {value, through};
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "straight-through", 2, input)) return NIGH_NONE;
    const nigh_shape *x = tape_shape(t, value), *y = tape_shape(t, through);
    if (x->dtype != y->dtype || !tape_same_shape(x, y))
        return tape_fail(t, "straight-through", "the value is %s, what it stands for is %s", tape_shape_text(x, a), tape_shape_text(y, b));
    return tape_record_one(t, &op_through, x, 2, input, NULL, 0);
}

/* ---- types -------------------------------------------------------------------------------------------- */

static void cast_run(const void *state, const tape_call *call)
{
    copy_cast(nigh_shape_count(call->in->shape), call->in->shape->dtype, call->in->data, call->out->shape->dtype, call->out->data, call->threads);
}

static void cast_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    nigh_dtype from = tape_shape(t, tape_at(t, self)->input[0])->dtype;
    if (tape_is_float(from)) grad_in[0] = nigh_tape_cast(t, grad_out[0], from);
}

static const tape_operator op_cast = {.name = "cast", .kind = TAPE_KERNEL, .run = cast_run, .gradient = cast_gradient};

nigh_node nigh_tape_cast(nigh_tape *t, nigh_node x, nigh_dtype dtype)
{
    if (!tape_check(t, "cast", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    if (shape.dtype == dtype) return x;
    if (!copy_can_cast(shape.dtype, dtype))
        return tape_fail(t, "cast", "from %s to %s; f32, f64, bf16, f16, i32, i64 and u8 are allowed", nigh_dtype_name(shape.dtype), nigh_dtype_name(dtype));
    shape.dtype = dtype;
    return tape_record_one(t, &op_cast, &shape, 1, &x, NULL, 0);
}

/* ---- complex numbers: arrays of pairs, re before im --------------------------------------------------- */

static nigh_dtype part_of(nigh_dtype complex) { return complex == NIGH_C64 ? NIGH_F32 : NIGH_F64; }

/* n numbers of `size` bytes from every from_step-th to every to_step-th place. */
static void spread(size_t size, int64_t n, const char *in, int64_t from_step, char *out, int64_t to_step, int threads)
{
    copy_spec spec = {.ndim = 1, .dim = {n}, .from = {from_step}, .to = {to_step}, .threads = threads};
    copy_run(&spec, size, in, out);
}

static void complex_run(const void *state, const tape_call *call)
{
    size_t size = nigh_dtype_size(call->in->shape->dtype);
    int64_t n = nigh_shape_count(call->in->shape);
    spread(size, n, call->in[0].data, 1, call->out->data, 2, call->threads);
    spread(size, n, call->in[1].data, 1, (char *)call->out->data + size, 2, call->threads);
}

static void real_run(const void *state, const tape_call *call)
{
    spread(nigh_dtype_size(call->out->shape->dtype), nigh_shape_count(call->out->shape), call->in->data, 2, call->out->data, 1, call->threads);
}

static void imag_run(const void *state, const tape_call *call)
{
    size_t size = nigh_dtype_size(call->out->shape->dtype);
    spread(size, nigh_shape_count(call->out->shape), (const char *)call->in->data + size, 2, call->out->data, 1, call->threads);
}

static void conj_run(const void *state, const tape_call *call)
{
    int64_t n = nigh_shape_count(call->in->shape);
    if (call->in->shape->dtype == NIGH_C64) {
        const float *in = call->in->data;
        float *out = call->out->data;
        for (int64_t i = 0; i < n; i++) out[2 * i] = in[2 * i], out[2 * i + 1] = -in[2 * i + 1];
    } else {
        const double *in = call->in->data;
        double *out = call->out->data;
        for (int64_t i = 0; i < n; i++) out[2 * i] = in[2 * i], out[2 * i + 1] = -in[2 * i + 1];
    }
}

static void complex_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    if (wanted[0]) grad_in[0] = nigh_tape_real(t, grad_out[0]);
    if (wanted[1]) grad_in[1] = nigh_tape_imag(t, grad_out[0]);
}

static nigh_node zero_like(nigh_tape *t, nigh_node x)
{
    const nigh_shape shape = *tape_shape(t, x);
    return nigh_tape_fill(t, shape.dtype, shape.ndim, shape.dim, 0);
}

static void real_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    grad_in[0] = nigh_tape_complex(t, grad_out[0], zero_like(t, grad_out[0]));
}

static void imag_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    grad_in[0] = nigh_tape_complex(t, zero_like(t, grad_out[0]), grad_out[0]);
}

static void conj_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    grad_in[0] = nigh_tape_conj(t, grad_out[0]);
}

static const tape_operator op_complex = {.name = "complex", .kind = TAPE_KERNEL, .run = complex_run, .gradient = complex_gradient};
static const tape_operator op_real = {.name = "real", .kind = TAPE_KERNEL, .run = real_run, .gradient = real_gradient};
static const tape_operator op_imag = {.name = "imag", .kind = TAPE_KERNEL, .run = imag_run, .gradient = imag_gradient};
static const tape_operator op_conj = {.name = "conj", .kind = TAPE_KERNEL, .in_place = true, .run = conj_run, .gradient = conj_gradient};

nigh_node nigh_tape_complex(nigh_tape *t, nigh_node re, nigh_node im)
{
    nigh_node input[2] = {re, im};
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "complex", 2, input)) return NIGH_NONE;
    const nigh_shape *x = tape_shape(t, re), *y = tape_shape(t, im);
    if (x->dtype != y->dtype || !tape_is_float(x->dtype) || !tape_same_shape(x, y))
        return tape_fail(t, "complex", "re is %s, im is %s; equal shapes of f32 or f64 are needed", tape_shape_text(x, a), tape_shape_text(y, b));
    nigh_shape shape = *x;
    shape.dtype = x->dtype == NIGH_F32 ? NIGH_C64 : NIGH_C128;
    return tape_record_one(t, &op_complex, &shape, 2, input, NULL, 0);
}

static nigh_node take_part(nigh_tape *t, const tape_operator *op, nigh_node z, bool real)
{
    if (!tape_check(t, op->name, 1, &z)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, z);
    if (!tape_is_complex(shape.dtype)) return tape_fail(t, op->name, "z is %s; c64 or c128 is needed", nigh_dtype_name(shape.dtype));
    if (real) shape.dtype = part_of(shape.dtype);
    return tape_record_one(t, op, &shape, 1, &z, NULL, 0);
}

nigh_node nigh_tape_real(nigh_tape *t, nigh_node z) { return take_part(t, &op_real, z, true); }
nigh_node nigh_tape_imag(nigh_tape *t, nigh_node z) { return take_part(t, &op_imag, z, true); }
nigh_node nigh_tape_conj(nigh_tape *t, nigh_node z) { return take_part(t, &op_conj, z, false); }

/* ---- noise -------------------------------------------------------------------------------------------- */

enum { NOISE_BLOCK = 4096 }; /* what a thread takes at a time */

typedef struct noise_attributes {
    int64_t kind;
    uint64_t stream;
    double keep;
} noise_attributes;

static void noise_run(const void *state, const tape_call *call)
{
    const noise_attributes *a = call->node->attributes;
    nigh_dtype dtype = call->out->shape->dtype;
    int64_t n = nigh_shape_count(call->out->shape), blocks = (n + NOISE_BLOCK - 1) / NOISE_BLOCK;
    uint64_t seed = nigh_seed_split(call->seed, call->step);
    size_t size = nigh_dtype_size(dtype);
    int threads = blocks < 8 ? 1 : call->threads;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t first = b * NOISE_BLOCK, here = n - first < NOISE_BLOCK ? n - first : NOISE_BLOCK;
        void *out = (char *)call->out->data + (size_t)first * size;
        if (a->kind == NIGH_NOISE_NORMAL) random_fill_normal(dtype, seed, a->stream, first, here, 0, 1, out);
        else if (a->kind == NIGH_NOISE_UNIFORM) random_fill_uniform(dtype, seed, a->stream, first, here, 0, 1, out);
        else random_fill_mask(dtype, seed, a->stream, first, here, a->keep, 1, out);
    }
}

static const tape_operator op_noise = {.name = "noise", .kind = TAPE_KERNEL, .run = noise_run};

nigh_node nigh_tape_noise(nigh_tape *t, nigh_noise kind, double keep, uint64_t stream, nigh_dtype dtype, int ndim, const int64_t *dim)
{
    if (t->status) return NIGH_NONE;
    if (!tape_is_float(dtype)) return tape_fail(t, "noise", "the type is %s; f32 and f64 are allowed", nigh_dtype_name(dtype));
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return tape_fail(t, "noise", "%d dimensions; 0 to %d are allowed", ndim, NIGH_MAX_DIMS);
    if (kind == NIGH_NOISE_MASK && !(keep >= 0 && keep <= 1)) return tape_fail(t, "noise", "keep is %g; 0 to 1 is allowed", keep);
    noise_attributes attributes = {kind, stream, kind == NIGH_NOISE_MASK ? keep : 0};
    nigh_shape shape = tape_make_shape(dtype, ndim, dim);
    return tape_record_one(t, &op_noise, &shape, 0, NULL, &attributes, sizeof attributes);
}
