/* Fourier transforms on the tape and their adjoints. Declared in nigh/operators_fields.h. */
#include "nigh/fft.h"

#include "grad/fourier.h"

#include <math.h>

enum { SMALL = 1 << 15 }; /* numbers that one thread handles as fast as two */

/* Numbers of one transform: the product of the axes' lengths, `last` in place of that of the last one. */
static double points(const nigh_shape *shape, unsigned axes, int64_t last)
{
    double n = 1;
    for (int i = 0; i < shape->ndim; i++)
        if (axes >> i & 1) n *= (double)(axes >> (i + 1) ? shape->dim[i] : last);
    return n;
}

static int last_axis(unsigned axes)
{
    int axis = 0;
    while (axes >> (axis + 1)) axis++;
    return axis;
}

/* ---- running ------------------------------------------------------------------------------------------ */

/*
 * pass: a loop over the spectrum is needed for weights or a factor that the transform itself does not have. A real transform's half spectrum
 * stands for both signs of all frequencies but 0 and n / 2: the adjoint of what makes the half counts them twice, that of its inverse once for two.
 */
typedef struct fourier_state {
    nigh_fft *fft;
    bool pass;
    size_t spectrum; /* bytes of the copy that is transformed back */
} fourier_state;

static nigh_fft_spec spec_of(const tape_call *call, bool *pass)
{
    const fourier_attributes *a = call->node->attributes;
    const nigh_shape *in = call->in->shape, *out = call->out->shape;
    int64_t from[NIGH_MAX_DIMS], to[NIGH_MAX_DIMS], last = last_axis((unsigned)a->axes);
    nigh_fft_spec spec = {.kind = a->kind == FOURIER_COMPLEX ? NIGH_FFT_COMPLEX : NIGH_FFT_REAL, .inverse = a->inverse, .norm = NIGH_FFT_RAW,
                          .dtype = in->dtype == NIGH_F32 || in->dtype == NIGH_C64 ? NIGH_F32 : NIGH_F64};
    tape_dense_strides(in, from);
    tape_dense_strides(out, to);
    bool fresh = true; /* neighbouring dimensions that are not transformed are one loop */
    for (int i = 0; i < in->ndim; i++) {
        if (a->axes >> i & 1) {
            spec.dim[spec.dims++] = (nigh_fft_dim){i == last ? a->n : in->dim[i], from[i], to[i]};
            fresh = true;
        } else if (fresh) {
            spec.batch[spec.batch_dims++] = (nigh_fft_dim){in->dim[i], from[i], to[i]};
            fresh = false;
        } else {
            nigh_fft_dim *batch = &spec.batch[spec.batch_dims - 1];
            *batch = (nigh_fft_dim){batch->n * in->dim[i], from[i], to[i]};
        }
    }
    double n = points(in, (unsigned)a->axes, a->n);
    *pass = a->weighted || a->scale != 1;
    if (!a->weighted && a->inverse && a->scale == 1 / n) spec.norm = NIGH_FFT_BACKWARD, *pass = false;
    else if (!a->weighted && a->scale == 1 / sqrt(n)) spec.norm = NIGH_FFT_ORTHO, *pass = false;
    spec.destroy = *pass && a->kind == FOURIER_BACK;
    return spec;
}

static nigh_status prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const nigh_shape *in = call->in->shape;
    fourier_state *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    nigh_fft_spec spec = spec_of(call, &s->pass);
    nigh_status status = nigh_fft_new(ctx, &spec, call->threads, &s->fft);
    if (status) {
        nigh_free(ctx, s);
        return status;
    }
    if (spec.destroy) s->spectrum = ((size_t)nigh_shape_count(in) * nigh_dtype_size(in->dtype) + 63) / 64 * 64;
    *workspace = s->spectrum + nigh_fft_workspace(s->fft);
    *state = s;
    return NIGH_OK;
}

static void release(nigh_context *ctx, void *state)
{
    nigh_fft_free(((fourier_state *)state)->fft);
    nigh_free(ctx, state);
}

static void scale_row(nigh_dtype dtype, int64_t n, double factor, const void *from, void *to)
{
    if (dtype == NIGH_C64)
        for (int64_t i = 0; i < 2 * n; i++) ((float *)to)[i] = (float)factor * ((const float *)from)[i];
    else
        for (int64_t i = 0; i < 2 * n; i++) ((double *)to)[i] = factor * ((const double *)from)[i];
}

/* The spectrum times factor and weights along its last transformed axis; `to` may be `from`. */
static void weigh(const fourier_attributes *a, const nigh_shape *spectrum, const void *from, void *to, int threads)
{
    int axis = last_axis((unsigned)a->axes);
    int64_t outer = 1, rows = spectrum->dim[axis], inner = 1;
    for (int i = 0; i < spectrum->ndim; i++) *(i < axis ? &outer : &inner) *= i == axis ? 1 : spectrum->dim[i];
    size_t size = nigh_dtype_size(spectrum->dtype);
    double pair = !a->weighted ? 1 : a->kind == FOURIER_BACK ? 0.5 : 2;
    if (outer * rows * inner < SMALL) threads = 1;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t row = 0; row < outer * rows; row++) {
        int64_t k = row % rows;
        double factor = a->scale * (k == 0 || 2 * k == a->n ? 1 : pair);
        scale_row(spectrum->dtype, inner, factor, (const char *)from + (size_t)(row * inner) * size, (char *)to + (size_t)(row * inner) * size);
    }
}

static void run(const void *state, const tape_call *call)
{
    const fourier_state *s = state;
    const fourier_attributes *a = call->node->attributes;
    char *workspace = (char *)call->workspace + s->spectrum;
    if (s->spectrum) {
        weigh(a, call->in->shape, call->in->data, call->workspace, call->threads);
        nigh_fft_run(s->fft, call->workspace, call->out->data, workspace);
        return;
    }
    nigh_fft_run(s->fft, call->in->data, call->out->data, workspace);
    if (s->pass) weigh(a, call->out->shape, call->out->data, call->out->data, call->threads);
}

static void gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    fourier_attributes a = *(const fourier_attributes *)node.attributes;
    a.inverse = !a.inverse;
    if (a.kind != FOURIER_COMPLEX) {
        a.kind = a.kind == FOURIER_BACK ? FOURIER_FORTH : FOURIER_BACK;
        a.weighted = !a.weighted;
    }
    grad_in[0] = fourier_record(t, grad_out[0], &a);
}

static const tape_operator op_fourier = {.name = "fft", .kind = TAPE_KERNEL, .prepare = prepare, .run = run, .release = release, .gradient = gradient};

nigh_node fourier_record(nigh_tape *t, nigh_node x, const fourier_attributes *a)
{
    if (!tape_check(t, "fft", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    int last = last_axis((unsigned)a->axes);
    bool single = shape.dtype == NIGH_F32 || shape.dtype == NIGH_C64;
    if (a->kind == FOURIER_BACK) shape.dtype = single ? NIGH_F32 : NIGH_F64, shape.dim[last] = a->n;
    else shape.dtype = single ? NIGH_C64 : NIGH_C128;
    if (a->kind == FOURIER_FORTH) shape.dim[last] = a->n / 2 + 1;
    return tape_record_one(t, &op_fourier, &shape, 1, &x, a, sizeof *a);
}

/* ---- recording ---------------------------------------------------------------------------------------- */

static nigh_node record(nigh_tape *t, const char *name, nigh_node x, unsigned axes, fourier_kind kind, bool inverse, int64_t n, nigh_tape_norm norm)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, name, 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    tape_shape_text(&s, text);
    bool real = kind == FOURIER_FORTH;
    if (real ? !tape_is_float(s.dtype) : !tape_is_complex(s.dtype)) return tape_fail(t, name, "x is %s; %s is needed", text, real ? "f32 or f64" : "c64 or c128");
    if (!axes || axes >> s.ndim || __builtin_popcount(axes) > NIGH_FFT_DIMS)
        return tape_fail(t, name, "x is %s, the axes are bits 0x%x; 1 to %d of its dimensions are needed", text, axes, NIGH_FFT_DIMS);
    int last = last_axis(axes);
    if (kind != FOURIER_BACK) n = s.dim[last];
    for (int i = 0; i < s.ndim; i++)
        if (axes >> i & 1 && (s.dim[i] < 1 || s.dim[i] > 1 << 24)) return tape_fail(t, name, "x is %s, dimension %d is transformed; 1 to 2^24 numbers are allowed", text, i);
    if (kind == FOURIER_BACK && (n < 1 || n / 2 + 1 != s.dim[last]))
        return tape_fail(t, name, "x is %s, n is %lld: %lld coefficients in dimension %d are needed", text, (long long)n, (long long)(n / 2 + 1), last);
    double count = points(&s, axes, n);
    double scale = norm == NIGH_NORM_ORTHO ? 1 / sqrt(count) : norm == NIGH_NORM_BACKWARD && inverse ? 1 / count : 1;
    fourier_attributes a = {.kind = kind, .inverse = inverse, .axes = axes, .n = n, .scale = scale};
    return fourier_record(t, x, &a);
}

nigh_node nigh_tape_fft(nigh_tape *t, nigh_node x, unsigned axes, bool inverse, nigh_tape_norm norm)
{
    return record(t, "fft", x, axes, FOURIER_COMPLEX, inverse, 0, norm);
}

nigh_node nigh_tape_real_fft(nigh_tape *t, nigh_node x, unsigned axes, nigh_tape_norm norm) { return record(t, "real-fft", x, axes, FOURIER_FORTH, false, 0, norm); }

nigh_node nigh_tape_inverse_real_fft(nigh_tape *t, nigh_node x, unsigned axes, int64_t n, nigh_tape_norm norm)
{
    return record(t, "inverse-real-fft", x, axes, FOURIER_BACK, true, n, norm);
}
