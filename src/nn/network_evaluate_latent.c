/* Plain rules: what latent spectral models are made of. Listed in nn/network_evaluate.h. */
#include "nn/network_evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t number_at(const nigh_layer *layer, const char *key, int i, int64_t otherwise)
{
    char text[32];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(layer, text, nigh_layer_integer(layer, key, otherwise));
}

/* Element i of a result of shape `out` at the same place of `in`; -1: beyond it. */
static int64_t same_place(const nigh_shape *out, int64_t i, const nigh_shape *in)
{
    int64_t at = 0, stride = 1;
    for (int k = out->ndim - 1; k >= 0; k--) {
        if (i % out->dim[k] >= in->dim[k]) return -1;
        at += i % out->dim[k] * stride;
        stride *= in->dim[k];
        i /= out->dim[k];
    }
    return at;
}

static nigh_status moved(const evaluation *e, const int64_t *dim)
{
    const nigh_shape *s = &e->input->shape;
    nigh_status status = evaluate_out(e, s->ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        int64_t from = same_place(&e->out->shape, i, s);
        evaluate_numbers(e->out)[i] = from < 0 ? 0 : evaluate_numbers(e->input)[from];
    }
    return status;
}

static nigh_status pad_multiple(const evaluation *e)
{
    nigh_shape s = e->input->shape;
    for (int i = 1; i + 1 < s.ndim; i++) {
        int64_t multiple = number_at(e->layer, "multiple", i - 1, 1);
        s.dim[i] = (s.dim[i] + multiple - 1) / multiple * multiple;
    }
    return moved(e, s.dim);
}

static nigh_status crop(const evaluation *e)
{
    nigh_shape s = e->input->shape;
    for (int i = 1; i + 1 < s.ndim; i++) s.dim[i] = e->input[1].shape.dim[i];
    return moved(e, s.dim);
}

static nigh_status grid_ends(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    int64_t c = s->dim[s->ndim - 1], more = s->ndim - 2, dim[NIGH_MAX_DIMS];
    memcpy(dim, s->dim, sizeof dim);
    dim[s->ndim - 1] += more;
    nigh_status status = evaluate_out(e, s->ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        int64_t channel = i % (c + more), point = i / (c + more), n = channel < c ? 1 : s->dim[channel - c + 1];
        for (int k = s->ndim - 2; k > channel - c + 1 && channel >= c; k--) point /= s->dim[k];
        evaluate_numbers(e->out)[i] = channel < c ? evaluate_numbers(e->input)[point * c + channel] : n > 1 ? (double)(point % n) / (double)(n - 1) : 0;
    }
    return status;
}

/* ---- resampling --------------------------------------------------------------------------------------- */

/* Along dimension `axis` to `size`: numbers lie `stride` apart. */
static void resample_line(const evaluation *e, const double *x, double *y, int64_t from, int64_t size, int64_t stride)
{
    bool linear = !strcmp(nigh_layer_text(e->layer, "method", "linear"), "linear"), align = nigh_layer_number(e->layer, "align_corners", 0) != 0;
    for (int64_t o = 0; o < size; o++) {
        double at = align ? (size > 1 ? (double)o * (double)(from - 1) / (double)(size - 1) : 0) : ((double)o + 0.5) * (double)from / (double)size - 0.5;
        if (!linear) at = align ? floor(at + 0.5) : floor((double)o * (double)from / (double)size);
        at = fmin(fmax(at, 0), (double)(from - 1));
        int64_t low = (int64_t)floor(at), high = low + 1 < from ? low + 1 : low;
        double part = at - (double)low;
        y[o * stride] = part > 0 ? (1 - part) * x[low * stride] + part * x[high * stride] : x[low * stride];
    }
}

static nigh_status resample_along(const evaluation *e, const nigh_array *x, int axis, int64_t size, nigh_array *y)
{
    nigh_shape s = x->shape;
    int64_t from = s.dim[axis], stride = 1, outer = 1;
    for (int k = 0; k < s.ndim; k++) k < axis ? (outer *= s.dim[k]) : k > axis ? (stride *= s.dim[k]) : 0;
    s.dim[axis] = size;
    nigh_status status = nigh_array_new(e->ctx, &s, y);
    for (int64_t i = 0; !status && i < outer * stride; i++)
        resample_line(e, evaluate_numbers(x) + i / stride * from * stride + i % stride, evaluate_numbers(y) + i / stride * size * stride + i % stride, from, size, stride);
    return status;
}

static nigh_status resample(const evaluation *e)
{
    nigh_array now = *e->input;
    nigh_status status = NIGH_OK;
    for (int i = 1; i + 1 < e->input->shape.ndim && !status; i++) {
        nigh_array next = {.data = NULL};
        int64_t size = e->layer->inputs > 1 ? e->input[1].shape.dim[i] : number_at(e->layer, "size", i - 1, (int64_t)(nigh_layer_number(e->layer, "scale", 2) * (double)now.shape.dim[i]));
        status = resample_along(e, &now, i, size, &next);
        if (now.data != e->input->data) nigh_array_free(e->ctx, &now);
        now = next;
    }
    if (!status) *e->out = now;
    return status;
}

/* ---- the neural spectral block ------------------------------------------------------------------------ */

/* One head of one patch: q, k, v [points, width], where point l of the field is at[l]; `tokens` [count, width]; waves [width, 2 basis] or NULL. */
typedef struct head {
    int64_t points, width, count, basis;
    const double *q, *k, *v, *tokens, *waves;
    double *score, *z; /* [points], [count, width] */
} head;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void soften(int64_t n, double *x)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++) sum += x[i] = exp(x[i] - most);
    for (int64_t i = 0; i < n; i++) x[i] /= sum;
}

static double wave(const head *h, int64_t c, double y)
{
    double z = y;
    for (int64_t m = 0; m < h->basis; m++) {
        double angle = M_PI * (double)m * y / (double)h->basis;
        z += h->waves[c * 2 * h->basis + m] * sin(angle) + h->waves[c * 2 * h->basis + h->basis + m] * cos(angle);
    }
    return z;
}

static void encode(const head *h)
{
    for (int64_t t = 0; t < h->count; t++) {
        for (int64_t l = 0; l < h->points; l++) h->score[l] = dot(h->width, h->tokens + t * h->width, h->k + l * h->width);
        soften(h->points, h->score);
        for (int64_t c = 0; c < h->width; c++) {
            double y = h->tokens[t * h->width + c];
            for (int64_t l = 0; l < h->points; l++) y += h->score[l] * h->v[l * h->width + c];
            h->z[t * h->width + c] = wave(h, c, y);
        }
    }
}

/* What point l gets, added to o [width]. */
static void decode(const head *h, int64_t l, double *o)
{
    for (int64_t t = 0; t < h->count; t++) h->score[t] = dot(h->width, h->q + l * h->width, h->z + t * h->width);
    soften(h->count, h->score);
    for (int64_t t = 0; t < h->count; t++)
        for (int64_t c = 0; c < h->width; c++) o[c] += h->score[t] * h->z[t * h->width + c];
}

/* Row `part` (q, k, v) of x W + b for channels first .. first + width - 1. */
static void project(const evaluation *e, const double *x, int64_t channels, int64_t part, int64_t first, int64_t width, double *to)
{
    const double *w = evaluate_numbers(&e->parameter[0]), *bias = evaluate_numbers(&e->parameter[1]);
    for (int64_t c = 0; c < width; c++) {
        to[c] = part == 1 ? 0 : bias[(part ? channels : 0) + first + c];
        for (int64_t i = 0; i < channels; i++) to[c] += x[i] * w[i * 3 * channels + part * channels + first + c];
    }
}

static nigh_status latent_spectral(const evaluation *e)
{
    nigh_shape s = e->input->shape;
    const nigh_shape *tokens = &e->parameter[2].shape;
    bool plane = s.ndim == 4;
    int64_t channels = s.dim[s.ndim - 1], rows = plane ? s.dim[1] : 1, columns = s.dim[s.ndim - 2], tall = plane ? number_at(e->layer, "patch", 0, 1) : 1;
    int64_t wide = number_at(e->layer, "patch", plane ? 1 : 0, 1), points = tall * wide, count = tokens->dim[1], width = tokens->dim[2], room = points > count ? points : count;
    nigh_status status = evaluate_out(e, s.ndim, s.dim);
    double *work = status ? NULL : nigh_alloc(e->ctx, (size_t)(3 * points * width + room + count * width) * sizeof *work), *q = work;
    if (!work) return status ? status : NIGH_MEMORY;
    double *k = q + points * width, *v = k + points * width;
    head h = {.points = points, .width = width, .count = count, .q = q, .k = k, .v = v, .score = v + points * width, .z = v + points * width + room};
    if (e->layer->parameters > 3) h.basis = e->parameter[3].shape.dim[1] / 2;
    memcpy(e->out->data, e->input->data, (size_t)nigh_shape_count(&s) * sizeof *work);
    for (int64_t p = 0; p < s.dim[0] * (rows / tall) * (columns / wide) * tokens->dim[0]; p++) {
        int64_t number = p / tokens->dim[0], first = p % tokens->dim[0] * width, across = columns / wide, down = rows / tall;
        int64_t corner = (number / across / down * rows + number / across % down * tall) * columns + number % across * wide;
        h.tokens = evaluate_numbers(&e->parameter[2]) + p % tokens->dim[0] * count * width;
        if (h.basis) h.waves = evaluate_numbers(&e->parameter[3]) + first * 2 * h.basis;
        for (int64_t l = 0; l < 3 * points; l++) {
            int64_t point = l % points, at = corner + point / wide * columns + point % wide;
            project(e, evaluate_numbers(e->input) + at * channels, channels, l / points, first, width, q + l * width);
        }
        encode(&h);
        for (int64_t l = 0; l < points; l++) decode(&h, l, evaluate_numbers(e->out) + (corner + l / wide * columns + l % wide) * channels + first);
    }
    nigh_free(e->ctx, work);
    return NIGH_OK;
}

const evaluate_rule evaluate_latent[] = {{"grid-ends", grid_ends}, {"pad-multiple", pad_multiple}, {"crop", crop}, {"resample", resample}, {"latent-spectral", latent_spectral}, {NULL, NULL}};
