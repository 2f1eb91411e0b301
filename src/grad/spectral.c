/*
 * Spectral convolutions as products with tables of cosines: few modes are kept, so that each transform is a thin matrix product. Declared in nigh/fields.h.
 *
 * In two dimensions, with real and imaginary parts (r) beside each other and [ ] what a product runs over:
 *     a[n, h, (r, l), c]        = sum_w  F[(r, l), w] x[n, h, w, c]              l: modes of the last dimension
 *     y[n, (k, r), (l, c)]      = sum_(h, r)  G[(k, r), (h, r)] a                 k: modes of dimension 0
 *     u[(l, k), (n, r), (s, d)] = sum_c  y[l, k, (n, r), c] W[l, k, c, (s, d)]    s: real and imaginary part of the weight
 *     v[n, (h, r), (l, d)]      = sum_(k, r, s)  B[(h, r), (k, r, s)] u
 *     z[n, h, w, d]             = sum_(r, l)  E[w, (r, l)] v
 * The product of complex numbers hides in B: i times i is -1 there.
 */
#include "nigh/fields.h"

#include "grad/spectral.h"
#include "grad/tape.h"

#include <math.h>

static double *at(const spectral_table *t, int64_t i, int64_t j) { return &t->value[i * t->columns + j]; }

/* exp(2 pi i k x / n), exact at quarter turns. */
static void turn(int64_t k, int64_t x, int64_t n, double *re, double *im)
{
    int64_t p = (k % n + n) % n * x % n;
    if (4 * p % n == 0) {
        static const double re4[] = {1, 0, -1, 0}, im4[] = {0, 1, 0, -1};
        *re = re4[4 * p / n], *im = im4[4 * p / n];
        return;
    }
    *re = cos(2 * M_PI * (double)p / (double)n);
    *im = sin(2 * M_PI * (double)p / (double)n);
}

/* F [(r, l), w]: modes 0 .. modes - 1 of a real row of n numbers, mean over them. */
static void forward_last(spectral_table *t, int64_t n, int64_t low, int64_t modes)
{
    for (int64_t l = 0; l < modes; l++)
        for (int64_t w = 0; w < n; w++) {
            double re, im;
            turn(low + l, w, n, &re, &im);
            *at(t, l, w) = re / (double)n;
            *at(t, modes + l, w) = -im / (double)n;
        }
}

/* Modes other than 0 and the last of an even grid stand for two of a real row. */
static double twice(int64_t l, int64_t n) { return l == 0 || 2 * l == n ? 1 : 2; }

/* E [w, (r, l)]: a real row from its modes. */
static void back_last(spectral_table *t, int64_t n, int64_t low, int64_t modes)
{
    for (int64_t l = 0; l < modes; l++)
        for (int64_t w = 0; w < n; w++) {
            double re, im;
            turn(low + l, w, n, &re, &im);
            *at(t, w, l) = twice(l, n) * re;
            *at(t, w, modes + l) = -twice(l, n) * im;
        }
}

/* One dimension: E [w, (l, r, s)] with the complex product inside. */
static void back_only(spectral_table *t, int64_t n, int64_t low, int64_t modes)
{
    for (int64_t l = 0; l < modes; l++)
        for (int64_t w = 0; w < n; w++) {
            double re, im;
            turn(low + l, w, n, &re, &im);
            re *= twice(l, n), im *= twice(l, n);
            *at(t, w, 4 * l) = re, *at(t, w, 4 * l + 3) = -re;
            *at(t, w, 4 * l + 1) = *at(t, w, 4 * l + 2) = -im;
        }
}

/* G [(k, r), (h, r)]: modes low .. low + modes - 1 of n complex numbers, mean over them. */
static void forward_first(spectral_table *t, int64_t n, int64_t low, int64_t modes)
{
    for (int64_t k = 0; k < modes; k++)
        for (int64_t h = 0; h < n; h++) {
            double re, im;
            turn(low + k, h, n, &re, &im);
            re /= (double)n, im /= (double)n;
            *at(t, 2 * k, 2 * h) = re, *at(t, 2 * k, 2 * h + 1) = im;
            *at(t, 2 * k + 1, 2 * h) = -im, *at(t, 2 * k + 1, 2 * h + 1) = re;
        }
}

/* B [(h, r), (k, r, s)]: back to n complex numbers, from products of part r of the field with part s of the weight. */
static void back_first(spectral_table *t, int64_t n, int64_t low, int64_t modes)
{
    for (int64_t k = 0; k < modes; k++)
        for (int64_t h = 0; h < n; h++) {
            double re, im;
            turn(low + k, h, n, &re, &im);
            double *real = at(t, 2 * h, 4 * k), *imaginary = at(t, 2 * h + 1, 4 * k);
            real[0] = re, real[1] = real[2] = -im, real[3] = -re;
            imaginary[0] = im, imaginary[1] = imaginary[2] = re, imaginary[3] = -im;
        }
}

nigh_status spectral_table_new(nigh_context *ctx, spectral_kind kind, int64_t n, int64_t low, int64_t modes, spectral_table *out)
{
    static const struct {
        void (*fill)(spectral_table *t, int64_t n, int64_t low, int64_t modes);
        int modes_rows, points_rows, modes_columns, points_columns; /* sizes in modes and in points */
    } kinds[] = {[SPECTRAL_FORWARD_LAST] = {forward_last, 2, 0, 0, 1}, [SPECTRAL_BACK_LAST] = {back_last, 0, 1, 2, 0}, [SPECTRAL_BACK_ONLY] = {back_only, 0, 1, 4, 0},
                 [SPECTRAL_FORWARD_FIRST] = {forward_first, 2, 0, 0, 2}, [SPECTRAL_BACK_FIRST] = {back_first, 0, 2, 4, 0}};
    spectral_table t = {.rows = kinds[kind].modes_rows * modes + kinds[kind].points_rows * n, .columns = kinds[kind].modes_columns * modes + kinds[kind].points_columns * n};
    if (!(t.value = nigh_alloc_zero(ctx, (size_t)(t.rows * t.columns), sizeof *t.value))) return NIGH_MEMORY;
    kinds[kind].fill(&t, n, low, modes);
    *out = t;
    return NIGH_OK;
}

/* Doubles as a node of the type; NIGH_NONE and the tape failed when memory is short. */
static nigh_node numbers(nigh_tape *t, nigh_dtype dtype, int ndim, const int64_t *dim, const double *value)
{
    if (dtype == NIGH_F64) return nigh_tape_constant(t, dtype, ndim, dim, value);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= dim[i];
    float *narrow = nigh_alloc(t->ctx, (size_t)count * sizeof *narrow);
    if (!narrow) return t->status = t->status ? t->status : NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < count; i++) narrow[i] = (float)value[i];
    nigh_node node = nigh_tape_constant(t, dtype, ndim, dim, narrow);
    nigh_free(t->ctx, narrow);
    return node;
}

static nigh_node table(nigh_tape *t, nigh_dtype dtype, spectral_kind kind, int64_t n, int64_t low, int64_t modes)
{
    spectral_table made;
    nigh_status status = t->status ? t->status : spectral_table_new(t->ctx, kind, n, low, modes, &made);
    if (status) return t->status = status, NIGH_NONE;
    nigh_node node = numbers(t, dtype, 2, (int64_t[]){made.rows, made.columns}, made.value);
    nigh_free(t->ctx, made.value);
    return node;
}

static nigh_node product(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_matmul(t, a, b, 0); }

static nigh_node shaped(nigh_tape *t, nigh_node x, int ndim, const int64_t *dim) { return nigh_tape_reshape(t, x, ndim, dim); }

/* x [N, L, C], weight [modes, C, 2, D] */
static nigh_node spectral_1d(nigh_tape *t, nigh_node x, nigh_node weight)
{
    const nigh_shape s = *tape_shape(t, x), w = *tape_shape(t, weight);
    int64_t n = s.dim[0], size = s.dim[1], c = s.dim[2], d = w.dim[3], modes = size / 2 + 1 < w.dim[0] ? size / 2 + 1 : w.dim[0];
    nigh_node a = product(t, table(t, s.dtype, SPECTRAL_FORWARD_LAST, size, 0, modes), x);
    a = shaped(t, nigh_tape_permute(t, shaped(t, a, 4, (int64_t[]){n, 2, modes, c}), (int[]){2, 0, 1, 3}), 3, (int64_t[]){modes, 2 * n, c});
    nigh_node u = product(t, a, shaped(t, nigh_tape_slice(t, weight, 0, 0, modes, 1), 3, (int64_t[]){modes, c, 2 * d}));
    u = nigh_tape_permute(t, shaped(t, u, 5, (int64_t[]){modes, n, 2, 2, d}), (int[]){1, 0, 2, 3, 4});
    return product(t, table(t, s.dtype, SPECTRAL_BACK_ONLY, size, 0, modes), shaped(t, u, 3, (int64_t[]){n, 4 * modes, d}));
}

/* x [N, H, W, C], weight [modes of W, modes of H, C, 2, D] */
static nigh_node spectral_2d(nigh_tape *t, nigh_node x, nigh_node weight)
{
    const nigh_shape s = *tape_shape(t, x), w = *tape_shape(t, weight);
    int64_t n = s.dim[0], height = s.dim[1], width = s.dim[2], c = s.dim[3], d = w.dim[4];
    int64_t last = width / 2 + 1 < w.dim[0] ? width / 2 + 1 : w.dim[0], first = height < w.dim[1] ? height : w.dim[1];
    int64_t low = -(first / 2), skipped = w.dim[1] / 2 + low; /* so that each mode meets its own weight */
    nigh_node a = product(t, table(t, s.dtype, SPECTRAL_FORWARD_LAST, width, 0, last), shaped(t, x, 3, (int64_t[]){n * height, width, c}));
    nigh_node y = product(t, table(t, s.dtype, SPECTRAL_FORWARD_FIRST, height, low, first), shaped(t, a, 3, (int64_t[]){n, 2 * height, last * c}));
    y = nigh_tape_permute(t, shaped(t, y, 5, (int64_t[]){n, first, 2, last, c}), (int[]){3, 1, 0, 2, 4});
    nigh_node kept = nigh_tape_slice(t, nigh_tape_slice(t, weight, 0, 0, last, 1), 1, skipped, first, 1);
    nigh_node u = product(t, shaped(t, y, 3, (int64_t[]){last * first, 2 * n, c}), shaped(t, kept, 3, (int64_t[]){last * first, c, 2 * d}));
    u = nigh_tape_permute(t, shaped(t, u, 6, (int64_t[]){last, first, n, 2, 2, d}), (int[]){2, 1, 3, 4, 0, 5});
    nigh_node v = product(t, table(t, s.dtype, SPECTRAL_BACK_FIRST, height, low, first), shaped(t, u, 3, (int64_t[]){n, 4 * first, last * d}));
    nigh_node z = product(t, table(t, s.dtype, SPECTRAL_BACK_LAST, width, 0, last), shaped(t, v, 3, (int64_t[]){n * height, 2 * last, d}));
    return shaped(t, z, 4, (int64_t[]){n, height, width, d});
}

nigh_node nigh_tape_spectral(nigh_tape *t, nigh_node x, nigh_node weight)
{
    char sx[TAPE_SHAPE_TEXT], sw[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "spectral", 2, (nigh_node[]){x, weight})) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, x), *w = tape_shape(t, weight);
    int dims = s->ndim - 2;
    bool fits = (dims == 1 || dims == 2) && w->ndim == dims + 3 && tape_is_float(s->dtype) && w->dtype == s->dtype && w->dim[dims] == s->dim[dims + 1] &&
                w->dim[dims + 1] == 2 && nigh_shape_count(s) > 0 && nigh_shape_count(w) > 0;
    if (!fits)
        return tape_fail(t, "spectral", "x is %s, the weight %s; [N,L,C] and [modes,C,2,D], or [N,H,W,C] and [modes of W,modes of H,C,2,D], are needed", tape_shape_text(s, sx),
                         tape_shape_text(w, sw));
    return dims == 1 ? spectral_1d(t, x, weight) : spectral_2d(t, x, weight);
}

/* ---- coordinates -------------------------------------------------------------------------------------- */

nigh_node nigh_tape_grid(nigh_tape *t, nigh_node x)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "grid", 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    int dims = s.ndim - 2;
    if (dims < 1 || dims > NIGH_MAX_DIMS - 2 || !tape_is_float(s.dtype)) return tape_fail(t, "grid", "x is %s; [N,L,C] or [N,H,W,C] of f32 or f64 is needed", tape_shape_text(&s, text));
    nigh_node part[NIGH_MAX_DIMS] = {x};
    nigh_shape one = s;
    one.dim[s.ndim - 1] = 1;
    for (int i = 0; i < dims; i++) {
        double *place = nigh_alloc(t->ctx, (size_t)s.dim[i + 1] * sizeof *place);
        if (!place) return t->status = NIGH_MEMORY, NIGH_NONE;
        for (int64_t k = 0; k < s.dim[i + 1]; k++) place[k] = (double)k / (double)s.dim[i + 1];
        nigh_node row = numbers(t, s.dtype, 1, &s.dim[i + 1], place);
        nigh_free(t->ctx, place);
        if (row == NIGH_NONE) return NIGH_NONE;
        int64_t dim[NIGH_MAX_DIMS] = {0};
        for (int k = 0; k < s.ndim; k++) dim[k] = k == i + 1 ? s.dim[k] : 1;
        part[i + 1] = nigh_tape_expand(t, shaped(t, row, s.ndim, dim), s.ndim, one.dim);
    }
    return nigh_tape_concat(t, dims + 1, part, -1);
}
