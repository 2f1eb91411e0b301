/* What is made of Fourier transforms: products per mode, other grids, derivatives, Sobolev losses. Declared in nigh/operators_fields.h. */
#include "grad/fourier.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* [k.., N, C] from [N, k.., C], and back. */
static nigh_node turn(nigh_tape *t, nigh_node x, bool back)
{
    if (x == NIGH_NONE) return NIGH_NONE;
    int ndim = tape_shape(t, x)->ndim, order[NIGH_MAX_DIMS];
    for (int i = 0; i < ndim; i++) order[i] = i;
    for (int i = 0; i < ndim - 1; i++) order[i] = back ? (i == 0 ? ndim - 2 : i - 1) : (i == ndim - 2 ? 0 : i + 1);
    return nigh_tape_permute(t, x, order);
}

nigh_node nigh_tape_mode_product(nigh_tape *t, nigh_node x, nigh_node w)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "mode-product", 2, (nigh_node[]){x, w})) return NIGH_NONE;
    const nigh_shape *a = tape_shape(t, x), *b = tape_shape(t, w);
    bool fits = a->ndim >= 3 && a->ndim == b->ndim && a->dtype == b->dtype;
    for (int i = 1; i < a->ndim && fits; i++) fits = a->dim[i] == b->dim[i - 1];
    if (!fits)
        return tape_fail(t, "mode-product", "x is %s, w is %s; [N, modes, Cin] and [modes, Cin, Cout] of one type are needed", tape_shape_text(a, sx), tape_shape_text(b, sw));
    return turn(t, nigh_tape_matmul(t, turn(t, x, false), w, 0), true);
}

/* ---- spectra of other sizes --------------------------------------------------------------------------- */

int64_t spectrum_passing(const resize_attributes *a)
{
    int64_t small = a->n < a->m ? a->n : a->m, odd = (small - 1) / 2;
    return a->half ? odd + 1 + (small % 2 == 0) : 2 * odd + 1 + 2 * (small % 2 == 0);
}

spectrum_pass spectrum_passing_at(const resize_attributes *a, int64_t i)
{
    int64_t small = a->n < a->m ? a->n : a->m, odd = (small - 1) / 2, middle = small / 2;
    spectrum_pass p = {i, i, 1};
    if (i > odd && a->half) p = (spectrum_pass){middle, middle, a->n < a->m ? 0.5 : 2};
    else if (i > odd && i <= 2 * odd) p = (spectrum_pass){a->n - (i - odd), a->m - (i - odd), 1};
    else if (i == 2 * odd + 1) p = (spectrum_pass){middle, middle, a->n < a->m ? 0.5 : 1};
    else if (i == 2 * odd + 2) p = a->n < a->m ? (spectrum_pass){middle, a->m - middle, 0.5} : (spectrum_pass){a->n - middle, middle, 1};
    if (a->adjoint) p = (spectrum_pass){p.to, p.from, p.factor};
    return p;
}

static void add_rows(nigh_dtype dtype, int64_t n, double factor, const char *from, char *to)
{
    if (dtype == NIGH_C64)
        for (int64_t i = 0; i < 2 * n; i++) ((float *)to)[i] += (float)factor * ((const float *)from)[i];
    else
        for (int64_t i = 0; i < 2 * n; i++) ((double *)to)[i] += factor * ((const double *)from)[i];
}

static void resize_run(const void *state, const tape_call *call)
{
    const resize_attributes *a = call->node->attributes;
    const nigh_shape *in = call->in->shape, *out = call->out->shape;
    int64_t outer = 1, inner = 1, count = spectrum_passing(a);
    for (int i = 0; i < in->ndim; i++)
        if (i != a->axis) *(i < a->axis ? &outer : &inner) *= in->dim[i];
    size_t row = (size_t)inner * nigh_dtype_size(in->dtype);
    int threads = nigh_shape_count(out) < 1 << 15 ? 1 : call->threads;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t o = 0; o < outer; o++) {
        const char *from = (const char *)call->in->data + (size_t)(o * in->dim[a->axis]) * row;
        char *to = (char *)call->out->data + (size_t)(o * out->dim[a->axis]) * row;
        memset(to, 0, (size_t)out->dim[a->axis] * row);
        for (int64_t i = 0; i < count; i++) {
            spectrum_pass p = spectrum_passing_at(a, i);
            add_rows(in->dtype, inner, p.factor, from + (size_t)p.from * row, to + (size_t)p.to * row);
        }
    }
}

static nigh_node record_resize(nigh_tape *t, nigh_node x, const resize_attributes *a);

static void resize_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    resize_attributes a = *(const resize_attributes *)tape_at(t, self)->attributes;
    a.adjoint = !a.adjoint;
    grad_in[0] = record_resize(t, grad_out[0], &a);
}

static const tape_operator op_resize = {.name = "spectrum-resize", .kind = TAPE_KERNEL, .run = resize_run, .gradient = resize_gradient};

static nigh_node record_resize(nigh_tape *t, nigh_node x, const resize_attributes *a)
{
    if (!tape_check(t, "spectrum-resize", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    int64_t size = a->adjoint ? a->n : a->m;
    shape.dim[a->axis] = a->half ? size / 2 + 1 : size;
    return tape_record_one(t, &op_resize, &shape, 1, &x, a, sizeof *a);
}

nigh_node nigh_tape_spectrum_resize(nigh_tape *t, nigh_node x, int axis, int64_t n, int64_t m, bool half)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "spectrum-resize", 1, &x)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, x);
    tape_shape_text(s, text);
    if (axis < 0) axis += s->ndim;
    if (axis < 0 || axis >= s->ndim || !tape_is_complex(s->dtype) || n < 1 || m < 1 || s->dim[axis] != (half ? n / 2 + 1 : n))
        return tape_fail(t, "spectrum-resize", "x is %s, axis %d of %lld points goes to %lld; complex numbers with %lld coefficients there are needed", text, axis, (long long)n,
                         (long long)m, (long long)(half ? n / 2 + 1 : n));
    if (n == m) return x;
    resize_attributes a = {axis, n, m, half, 0};
    return record_resize(t, x, &a);
}

/* ---- fields ------------------------------------------------------------------------------------------- */

/* Bits of the spatial dimensions; 0 after a failure. */
static unsigned check_field(nigh_tape *t, const char *name, nigh_node x)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, name, 1, &x)) return 0;
    const nigh_shape *s = tape_shape(t, x);
    if (s->ndim >= 3 && s->ndim <= NIGH_FIELD_DIMS + 2 && tape_is_float(s->dtype)) return ((1u << (s->ndim - 1)) - 1) & ~1u;
    tape_fail(t, name, "x is %s; a field [N, 1 to 3 sizes, C] of f32 or f64 is needed", tape_shape_text(s, text));
    return 0;
}

nigh_node nigh_tape_fourier_resample(nigh_tape *t, nigh_node x, const int64_t *size)
{
    static const char *name = "fourier-resample";
    char text[TAPE_SHAPE_TEXT];
    unsigned axes = check_field(t, name, x);
    if (!axes) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    int last = s.ndim - 2;
    double points = 1;
    bool same = true;
    for (int i = 1; i <= last; i++) {
        if (size[i - 1] < 1) return tape_fail(t, name, "x is %s, size %d of the result is %lld; 1 or more is allowed", tape_shape_text(&s, text), i - 1, (long long)size[i - 1]);
        same = same && size[i - 1] == s.dim[i];
        points *= (double)s.dim[i];
    }
    if (same) return x;
    nigh_node y = nigh_tape_real_fft(t, x, axes, NIGH_NORM_NONE);
    for (int i = 1; i <= last; i++) y = nigh_tape_spectrum_resize(t, y, i, s.dim[i], size[i - 1], i == last);
    fourier_attributes back = {.kind = FOURIER_BACK, .inverse = 1, .axes = axes, .n = size[last - 1], .scale = 1 / points};
    return fourier_record(t, y, &back);
}

/* A table of numbers of the tape's type, `width` (1: real, 2: complex) each. */
static nigh_node table(nigh_tape *t, nigh_dtype real, int width, int ndim, const int64_t *dim, const double *value)
{
    int64_t count = width;
    for (int i = 0; i < ndim; i++) count *= dim[i];
    nigh_dtype dtype = width == 1 ? real : real == NIGH_F32 ? NIGH_C64 : NIGH_C128;
    if (real == NIGH_F64) return nigh_tape_constant(t, dtype, ndim, dim, value);
    float *narrow = nigh_arena_alloc(t->arena, (size_t)count * sizeof *narrow);
    if (!narrow) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < count; i++) narrow[i] = (float)value[i];
    return nigh_tape_constant(t, dtype, ndim, dim, narrow);
}

nigh_node nigh_tape_spectral_derivative(nigh_tape *t, nigh_node x, int axis, int order, double length)
{
    static const char *name = "spectral-derivative";
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, name, 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    tape_shape_text(&s, text);
    if (axis < 0) axis += s.ndim;
    if (axis < 0 || axis >= s.ndim || !tape_is_float(s.dtype)) return tape_fail(t, name, "x is %s, the axis is %d; f32 or f64 and one of its dimensions are needed", text, axis);
    if (order < 1 || order > 16 || !(length > 0) || !isfinite(length))
        return tape_fail(t, name, "order is %d, length is %g; 1 to 16 and a positive number are allowed", order, length);
    nigh_node y = nigh_tape_real_fft(t, x, 1u << axis, NIGH_NORM_NONE);
    if (y == NIGH_NONE) return NIGH_NONE;
    int64_t n = s.dim[axis], half = n / 2 + 1, dim[NIGH_MAX_DIMS];
    double *v = nigh_arena_alloc(t->arena, (size_t)(2 * half) * sizeof *v);
    if (!v) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t k = 0; k < half; k++) { /* (2 pi i k / length)^order / n */
        double size = order % 2 && 2 * k == n ? 0 : pow(2 * pi * (double)k / length, order) / (double)n;
        v[2 * k] = order % 2 ? 0 : order % 4 ? -size : size;
        v[2 * k + 1] = order % 2 ? (order % 4 == 1 ? size : -size) : 0;
    }
    dim[0] = half;
    for (int i = axis + 1; i < s.ndim; i++) dim[i - axis] = 1;
    y = nigh_tape_mul(t, y, table(t, s.dtype, 2, s.ndim - axis, dim, v));
    return nigh_tape_inverse_real_fft(t, y, 1u << axis, n, NIGH_NORM_NONE);
}

/* 1 + sum_d (2 pi k_d / length_d)^2 for each mode, twice where the mode stands for two, over the square of the number of points. */
static nigh_node sobolev_weights(nigh_tape *t, const nigh_shape *s, const double *length)
{
    int dims = s->ndim - 2;
    int64_t dim[NIGH_FIELD_DIMS + 1], count = 1, points = 1;
    for (int i = 0; i < dims; i++) {
        dim[i] = i == dims - 1 ? s->dim[i + 1] / 2 + 1 : s->dim[i + 1];
        count *= dim[i];
        points *= s->dim[i + 1];
    }
    dim[dims] = 1;
    double *v = nigh_arena_alloc(t->arena, (size_t)count * sizeof *v);
    if (!v) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t at = 0; at < count; at++) {
        double sum = 1;
        int64_t rest = at, k = 0;
        for (int i = dims - 1; i >= 0; i--) {
            int64_t n = s->dim[i + 1], place = rest % dim[i];
            rest /= dim[i];
            if (i == dims - 1) k = place;
            if (2 * place > n) place = n - place;
            double wave = 2 * place == n ? 0 : 2 * pi * (double)place / (length ? length[i] : 1);
            sum += wave * wave;
        }
        v[at] = sum * (k == 0 || 2 * k == s->dim[dims] ? 1 : 2) / ((double)points * (double)points);
    }
    return table(t, s->dtype, 1, dims + 1, dim, v);
}

/* For each sample the square of the norm. */
static nigh_node sobolev_square(nigh_tape *t, nigh_node u, unsigned axes, nigh_node weights)
{
    nigh_node y = nigh_tape_real_fft(t, u, axes, NIGH_NORM_NONE);
    nigh_node power = nigh_tape_add(t, nigh_tape_square(t, nigh_tape_real(t, y)), nigh_tape_square(t, nigh_tape_imag(t, y)));
    return nigh_tape_sum(t, nigh_tape_mul(t, power, weights), axes | (axes + 2), false);
}

nigh_node nigh_tape_relative_h1(nigh_tape *t, nigh_node u, nigh_node v, const double *length)
{
    static const char *name = "relative-h1";
    char su[TAPE_SHAPE_TEXT], sv[TAPE_SHAPE_TEXT];
    unsigned axes = check_field(t, name, u);
    if (!axes || !check_field(t, name, v)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, u), o = *tape_shape(t, v);
    if (s.dtype != o.dtype || !tape_same_shape(&s, &o))
        return tape_fail(t, name, "u is %s, v is %s; they need the same shape", tape_shape_text(&s, su), tape_shape_text(&o, sv));
    for (int i = 0; i < s.ndim - 2; i++)
        if (length && !(length[i] > 0 && isfinite(length[i]))) return tape_fail(t, name, "length[%d] is %g; a positive number is allowed", i, length[i]);
    nigh_node weights = sobolev_weights(t, &s, length);
    nigh_node off = sobolev_square(t, nigh_tape_sub(t, u, v), axes, weights), all = sobolev_square(t, v, axes, weights);
    nigh_node ratio = nigh_tape_div(t, nigh_tape_affine(t, off, 1, 1e-20), nigh_tape_affine(t, all, 1, 1e-12));
    return nigh_tape_mean(t, nigh_tape_sqrt(t, ratio), NIGH_ALL, false);
}
