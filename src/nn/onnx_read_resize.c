/* ONNX Resize: dimension after dimension by picked places or a matrix of weights; spatial ones at once where a layer does just that. Declared in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

typedef struct resizing {
    const char *mode, *place, *nearest;
    bool old;                /* Upsample */
    double cubic;
    bool exclude;
    int64_t from[NIGH_MAX_DIMS], to[NIGH_MAX_DIMS];
    float scale[NIGH_MAX_DIMS];
} resizing;

/* Sizes of all dimensions, from scales or sizes, of all dimensions or those of `axes`. */
static void read_sizes(onnx_reader *r, const nigh_shape *s, resizing *z)
{
    int64_t axes[NIGH_MAX_DIMS];
    const onnx_attribute *factors = onnx_find(r, "scales");
    int n = onnx_list(r, "axes", -1, axes), by = z->old ? 1 : onnx_has(r, 3) ? 3 : 2;
    const onnx_tensor *t = r->status || factors ? NULL : onnx_fixed(r, by);
    if (r->status) return;
    const double *number = factors ? factors->number : t->data;
    int64_t count = factors ? factors->floats : t->count;
    if (n < 0)
        for (n = 0; n < s->ndim; n++) axes[n] = n;
    if (count != n) onnx_fail(r, NIGH_FORMAT, "%lld sizes for %d dimensions", (long long)count, n);
    for (int i = 0; i < s->ndim; i++) z->from[i] = z->to[i] = s->dim[i], z->scale[i] = 1;
    for (int i = 0; i < n && !r->status; i++) {
        int axis = onnx_axis(r, axes[i], s->ndim);
        if (r->status) return;
        double to = number[i];
        if (by == 3 && to >= ONNX_OPEN) to = (double)s->dim[axis];
        z->scale[axis] = by == 3 ? (float)(to / (double)s->dim[axis]) : (float)number[i];
        if (by != 3) to = floor((double)((float)s->dim[axis] * (float)number[i])); /* in f32, as runtimes have it */
        if (!(to >= 1 && to <= 1 << 20)) onnx_fail(r, NIGH_FORMAT, "a size of %g", to);
        else z->to[axis] = (int64_t)to;
    }
}

/* Where element i of the result lies in dimension `axis`, in f32 as runtimes have it. */
static float position(const resizing *z, int axis, int64_t i)
{
    float scale = z->scale[axis], x = (float)i, from = (float)z->from[axis], to = (float)z->to[axis];
    if (scale == 1) return x;
    if (!strcmp(z->place, "asymmetric")) return x / scale;
    if (!strcmp(z->place, "align_corners")) return to == 1 ? 0 : x * (from - 1) / (to - 1);
    if (!strcmp(z->place, "pytorch_half_pixel")) return to > 1 ? (x + 0.5F) / scale - 0.5F : 0;
    if (!strcmp(z->place, "tf_half_pixel_for_nn")) return (x + 0.5F) / scale;
    if (!strcmp(z->place, "half_pixel_symmetric")) return from / 2 * (1 - to / (scale * from)) + (x + 0.5F) / scale - 0.5F;
    return (x + 0.5F) / scale - 0.5F;
}

static int64_t within(double i, int64_t size) { return i < 0 ? 0 : i > (double)(size - 1) ? size - 1 : (int64_t)i; }

static int64_t nearest(const resizing *z, float x)
{
    const char *mode = z->nearest;
    if (!strcmp(mode, "floor")) return (int64_t)floorf(x);
    if (!strcmp(mode, "ceil")) return (int64_t)ceilf(x);
    if (!strcmp(mode, "round_prefer_ceil")) return (int64_t)roundf(x);
    return x == floorf(x) + 0.5F ? (int64_t)floorf(x) : (int64_t)roundf(x);
}

static void cubic_weights(double a, double t, double w[4])
{
    w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
    w[3] = ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a;
}

/* Column i of the matrix [from, to]: the weights of element i. */
static void fill_column(const resizing *z, int axis, int64_t i, double *matrix)
{
    int64_t size = z->from[axis], to = z->to[axis];
    float at = position(z, axis, i);
    if (*z->mode == 'l') {
        float x = at < 0 ? 0 : at > (float)(size - 1) ? (float)(size - 1) : at;
        int64_t low = within(floorf(x), size), high = within((double)low + 1, size);
        float part = x - (float)low;
        matrix[low * to + i] += (double)(1 - part);
        matrix[high * to + i] += (double)part;
        return;
    }
    double w[4], sum = 0, first = floor((double)at) - 1;
    cubic_weights(z->cubic, (double)at - first - 1, w);
    for (int k = 0; k < 4; k++) {
        if (z->exclude && (first + k < 0 || first + k > (double)(size - 1))) w[k] = 0;
        sum += w[k];
    }
    for (int k = 0; k < 4; k++) matrix[within(first + k, size) * to + i] += z->exclude ? w[k] / sum : w[k];
}

static int resize_axis(onnx_reader *r, int x, int axis, const resizing *z)
{
    int64_t from = z->from[axis], to = z->to[axis];
    if (*z->mode == 'n') {
        int64_t *place = onnx_places(r, to);
        if (!place) return -1;
        for (int64_t i = 0; i < to; i++) place[i] = within((double)nearest(z, position(z, axis, i)), from);
        return onnx_pick(r, x, axis, to, place);
    }
    if ((double)from * (double)to > ONNX_MOST_MATRIX) return onnx_fail(r, NIGH_UNSUPPORTED, "from %lld to %lld places: more than %d weights", (long long)from, (long long)to, ONNX_MOST_MATRIX), -1;
    double *matrix = onnx_room(r, from * to);
    if (!matrix) return -1;
    memset(matrix, 0, (size_t)(from * to) * sizeof *matrix);
    for (int64_t i = 0; i < to; i++) fill_column(z, axis, i, matrix);
    return onnx_along(r, x, axis, to, matrix);
}

/* A field's places, as the layer of that name has them; false: not so. */
static bool as_layer(onnx_reader *r, int rank, const resizing *z)
{
    static const char *const size_key[] = {"size_0", "size_1", "size_2"};
    bool linear = *z->mode == 'l', align = !strcmp(z->place, "align_corners"), whole = true;
    if (rank < 3 || rank > 5 || z->to[0] != z->from[0] || z->to[1] != z->from[1] || r->folding) return false;
    for (int i = 2; i < rank; i++) { /* the layer goes by sizes alone */
        double scale = (double)z->to[i] / (double)z->from[i];
        whole = whole && fabs((double)z->scale[i] - scale) <= 1e-6 * scale && (linear || z->to[i] % z->from[i] == 0);
    }
    bool known = linear ? align || !strcmp(z->place, "half_pixel") : *z->mode == 'n' && !strcmp(z->place, "asymmetric") && !strcmp(z->nearest, "floor");
    if (!whole || !known) return false;
    int x = onnx_layer_last(r, 0);
    nigh_attribute all[5] = {{"method", 0, linear ? "linear" : "nearest"}, {"align_corners", align, NULL}};
    for (int i = 0; i < rank - 2; i++) all[2 + i] = (nigh_attribute){size_key[i], (double)z->to[i + 2], NULL};
    onnx_set(r, -1, onnx_add(r, "resample", 1, &x, 0, NULL, rank, all));
    return true;
}

void onnx_resize(onnx_reader *r)
{
    static const char *const places[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"};
    bool old = !strcmp(r->node->op, "Upsample"), known = false, before = r->graph->opset < 11;
    resizing z = {.mode = onnx_text(r, "mode", "nearest"), .place = onnx_text(r, "coordinate_transformation_mode", old || before ? "asymmetric" : "half_pixel"),
                  .nearest = onnx_text(r, "nearest_mode", old || before ? "floor" : "round_prefer_floor"), .cubic = onnx_float(r, "cubic_coeff_a", -0.75),
                  .exclude = onnx_int(r, "exclude_outside", 0) != 0, .old = old || before};
    const onnx_value *v = onnx_in(r, 0);
    if (!v) return;
    nigh_shape s = {.ndim = 0};
    if (!v->tensor && v->layer < 0) { /* in the file's order, without turning back */
        const nigh_shape *turned = onnx_shape(r, v->last);
        s = *turned;
        for (int i = 1; i < s.ndim; i++) s.dim[i] = i == 1 ? turned->dim[s.ndim - 1] : turned->dim[i - 1];
    } else {
        int x = onnx_layer(r, 0);
        if (r->status) return;
        s = *onnx_shape(r, x);
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) known = known || !strcmp(z.place, places[i]);
    if (!strcmp(z.mode, "bilinear")) z.mode = "linear";
    if (!known || (strcmp(z.mode, "nearest") && strcmp(z.mode, "linear") && strcmp(z.mode, "cubic"))) onnx_fail(r, NIGH_UNSUPPORTED, "mode '%.40s' with '%.40s'", z.mode, z.place);
    if (onnx_int(r, "antialias", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "antialias = 1");
    if (strcmp(onnx_text(r, "keep_aspect_ratio_policy", "stretch"), "stretch")) onnx_fail(r, NIGH_UNSUPPORTED, "keep_aspect_ratio_policy '%.40s'", onnx_text(r, "keep_aspect_ratio_policy", ""));
    if (!r->status) read_sizes(r, &s, &z);
    if (r->status || as_layer(r, s.ndim, &z)) return;
    int x = onnx_layer(r, 0);
    for (int i = 0; i < s.ndim && !r->status; i++)
        if (z.to[i] != z.from[i] || z.scale[i] != 1) x = resize_axis(r, x, i, &z);
    onnx_set(r, x, -1);
}
