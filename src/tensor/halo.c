/* Padding and its adjoint. Declared in halo.h. */
#include "tensor/halo.h"

#include <string.h>

/* Elements of a thread below which another does not pay. */
enum { LEAST_ELEMENTS = 1 << 16 };

typedef struct halo_axis {
    int64_t size, padded, low, high;
    int64_t *source; /* [padded], -1: zero */
} halo_axis;

struct halo {
    nigh_context *ctx;
    halo_spec spec;
    halo_axis axis[NIGH_MAX_DIMS];
    int outer;                  /* dimensions walked by rows; the rest is one block of memory without padding, or the last padded axis */
    int64_t block;              /* elements that move together behind the last padded axis */
    int64_t rows, padded_rows;  /* products over the axes before the last */
    int threads;
    size_t element;
};

const char *halo_kind_name(halo_kind kind)
{
    static const char *const names[] = {"zero", "circular", "reflect"};
    return kind <= HALO_REFLECT ? names[kind] : "unknown";
}

static nigh_status check(nigh_context *ctx, const halo_spec *s, int threads)
{
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "halo: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(s->dtype));
    if (s->kind > HALO_REFLECT) return nigh_fail(ctx, NIGH_INVALID, "halo: kind is %d; zero, circular or reflect is allowed", (int)s->kind);
    if (s->ndim < 1 || s->ndim > NIGH_MAX_DIMS) return nigh_fail(ctx, NIGH_INVALID, "halo: ndim is %d; 1 to %d is allowed", s->ndim, NIGH_MAX_DIMS);
    if (threads < 1) return nigh_fail(ctx, NIGH_INVALID, "halo: threads is %d; 1 or more is allowed", threads);
    nigh_shape padded = {.dtype = s->dtype, .ndim = s->ndim};
    for (int i = 0; i < s->ndim; i++) {
        int64_t n = s->dim[i], limit = s->kind == HALO_ZERO ? INT64_MAX / 4 : s->kind == HALO_CIRCULAR ? n : n > 0 ? n - 1 : 0;
        if (n < 0 || n > INT64_MAX / 4) return nigh_fail(ctx, NIGH_INVALID, "halo: dim[%d] is %lld; 0 or more is allowed", i, (long long)n);
        if (s->low[i] < 0 || s->low[i] > limit || s->high[i] < 0 || s->high[i] > limit)
            return nigh_fail(ctx, NIGH_INVALID, "halo: low[%d], high[%d] are %lld, %lld for size %lld; 0 to %lld is allowed (%s)", i, i, (long long)s->low[i],
                             (long long)s->high[i], (long long)n, (long long)limit, halo_kind_name(s->kind));
        padded.dim[i] = n + s->low[i] + s->high[i];
    }
    if (nigh_shape_count(&padded) < 0) return nigh_fail(ctx, NIGH_INVALID, "halo: the padded array overflows 2^63 bytes");
    return NIGH_OK;
}

nigh_status halo_new(nigh_context *ctx, const halo_spec *spec, int threads, halo **out)
{
    nigh_status status = check(ctx, spec, threads);
    if (status) return status;
    halo *h = nigh_alloc_zero(ctx, 1, sizeof *h);
    if (!h) return NIGH_MEMORY;
    h->ctx = ctx, h->spec = *spec, h->element = nigh_dtype_size(spec->dtype);
    int last = spec->ndim - 1;
    h->block = 1, h->rows = 1, h->padded_rows = 1;
    while (last > 0 && spec->low[last] == 0 && spec->high[last] == 0) h->block *= spec->dim[last--];
    h->outer = last;
    for (int i = 0; i <= last; i++) {
        halo_axis *axis = &h->axis[i];
        axis->size = spec->dim[i], axis->low = spec->low[i], axis->high = spec->high[i], axis->padded = axis->size + axis->low + axis->high;
        axis->source = nigh_alloc(ctx, (size_t)(axis->padded ? axis->padded : 1) * sizeof *axis->source);
        if (!axis->source) {
            halo_free(h);
            return NIGH_MEMORY;
        }
        for (int64_t j = 0; j < axis->padded; j++) axis->source[j] = halo_source(spec->kind, axis->size, j - axis->low);
        if (i < last) h->rows *= axis->size, h->padded_rows *= axis->padded;
    }
    int64_t elements = h->padded_rows * h->axis[last].padded * h->block, most = elements / LEAST_ELEMENTS;
    h->threads = most < 1 ? 1 : most < threads ? (int)most : threads;
    *out = h;
    return NIGH_OK;
}

void halo_free(halo *h)
{
    if (!h) return;
    for (int i = 0; i < NIGH_MAX_DIMS; i++) nigh_free(h->ctx, h->axis[i].source);
    nigh_free(h->ctx, h);
}

/* Row of x that a padded row reads, or -1. */
static int64_t source_row(const halo *h, int64_t row)
{
    int64_t source = 0, scale = 1;
    for (int i = h->outer - 1; i >= 0; i--) {
        int64_t at = h->axis[i].source[row % h->axis[i].padded];
        if (at < 0) return -1;
        source += at * scale;
        row /= h->axis[i].padded, scale *= h->axis[i].size;
    }
    return source;
}

static void pad_row(const halo *h, const char *x, char *y)
{
    const halo_axis *axis = &h->axis[h->outer];
    size_t block = (size_t)h->block * h->element;
    for (int64_t j = 0; j < axis->padded; j++) {
        if (j == axis->low) { /* the middle at once */
            memcpy(y + (size_t)j * block, x, (size_t)axis->size * block);
            j += axis->size;
            if (j >= axis->padded) break;
        }
        int64_t at = axis->source[j];
        if (at < 0)
            memset(y + (size_t)j * block, 0, block);
        else
            memcpy(y + (size_t)j * block, x + (size_t)at * block, block);
    }
}

void halo_run(const halo *h, const void *x, void *y)
{
    const halo_axis *axis = &h->axis[h->outer];
    size_t in = (size_t)(axis->size * h->block) * h->element, out = (size_t)(axis->padded * h->block) * h->element;
#pragma omp parallel for schedule(static) num_threads(h->threads) if (h->threads > 1)
    for (int64_t row = 0; row < h->padded_rows; row++) {
        int64_t source = axis->size ? source_row(h, row) : -1;
        char *to = (char *)y + (size_t)row * out;
        if (source < 0)
            memset(to, 0, out);
        else
            pad_row(h, (const char *)x + (size_t)source * in, to);
    }
}

static void add(const halo *h, int64_t n, const void *y, void *x)
{
    if (h->spec.dtype == NIGH_F32)
        for (int64_t i = 0; i < n; i++) ((float *)x)[i] += ((const float *)y)[i];
    else
        for (int64_t i = 0; i < n; i++) ((double *)x)[i] += ((const double *)y)[i];
}

/* Adds what the padded row brings, its middle first. */
static void fold_row(const halo *h, const char *y, char *x, bool first)
{
    const halo_axis *axis = &h->axis[h->outer];
    size_t block = (size_t)h->block * h->element;
    if (first)
        memcpy(x, y + (size_t)axis->low * block, (size_t)axis->size * block);
    else
        add(h, axis->size * h->block, y + (size_t)axis->low * block, x);
    for (int64_t j = 0; j < axis->padded; j++) {
        if (j == axis->low) j += axis->size;
        if (j < axis->padded && axis->source[j] >= 0) add(h, h->block, y + (size_t)j * block, x + (size_t)axis->source[j] * block);
    }
}

/* The padded rows that read row `row` of x are a product over the outer axes; walks them with the row itself first. */
static void gather_rows(const halo *h, int64_t row, int axis, int64_t padded, int64_t scale, const char *y, size_t out, char *x, bool *first)
{
    if (axis < 0) {
        fold_row(h, y + (size_t)padded * out, x, *first);
        *first = false;
        return;
    }
    const halo_axis *a = &h->axis[axis];
    int64_t at = row % a->size, low = a->low;
    gather_rows(h, row / a->size, axis - 1, padded + (low + at) * scale, scale * a->padded, y, out, x, first);
    for (int64_t j = 0; j < low; j++)
        if (a->source[j] == at) gather_rows(h, row / a->size, axis - 1, padded + j * scale, scale * a->padded, y, out, x, first);
    for (int64_t j = low + a->size; j < a->padded; j++)
        if (a->source[j] == at) gather_rows(h, row / a->size, axis - 1, padded + j * scale, scale * a->padded, y, out, x, first);
}

void halo_adjoint(const halo *h, const void *y, void *x)
{
    const halo_axis *axis = &h->axis[h->outer];
    size_t in = (size_t)(axis->size * h->block) * h->element, out = (size_t)(axis->padded * h->block) * h->element;
    if (!in) return;
#pragma omp parallel for schedule(static) num_threads(h->threads) if (h->threads > 1)
    for (int64_t row = 0; row < h->rows; row++) {
        bool first = true;
        gather_rows(h, row, h->outer - 1, 0, 1, y, out, (char *)x + (size_t)row * in, &first);
    }
}
