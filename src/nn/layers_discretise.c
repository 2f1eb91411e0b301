/* Layers that act on functions: resampling, coordinates, weighted attention, kernels in physical units. Listed in nn/layers.h; builders of nigh/discretise.h. */
#include "grad/tape.h"
#include "nigh/operators_sequences.h"
#include "nn/discretise.h"
#include "nn/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_POINTS = 1 << 16, MOST_RINGS = 16 };
static const double MOST_MATRIX = 1 << 26;

nigh_node discretise_constant(nigh_tape *t, nigh_dtype dtype, int ndim, const int64_t *dim, const double *number)
{
    if (dtype == NIGH_F64) return nigh_tape_constant(t, dtype, ndim, dim, number);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= dim[i];
    float *narrow = nigh_alloc(t->ctx, (size_t)count * sizeof *narrow);
    if (!narrow) return t->status = t->status ? t->status : NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < count; i++) narrow[i] = (float)number[i];
    nigh_node node = nigh_tape_constant(t, dtype, ndim, dim, narrow);
    nigh_free(t->ctx, narrow);
    return node;
}

nigh_node discretise_record(nigh_tape *t, nigh_node x, int axis, int64_t to, const double *matrix)
{
    if (!tape_check(t, "regrid", 1, &x)) return NIGH_NONE;
    nigh_shape s = *tape_shape(t, x);
    int64_t from = s.dim[axis], before = 1, after = 1;
    for (int i = 0; i < axis; i++) before *= s.dim[i];
    for (int i = axis + 1; i < s.ndim; i++) after *= s.dim[i];
    nigh_node m = discretise_constant(t, s.dtype, 2, (int64_t[]){to, from}, matrix);
    nigh_node y = nigh_tape_matmul(t, m, nigh_tape_reshape(t, x, 3, (int64_t[]){before, from, after}), 0);
    s.dim[axis] = to;
    return nigh_tape_reshape(t, y, s.ndim, s.dim);
}

/* ---- resampling --------------------------------------------------------------------------------------- */

static bool grid_of(const nigh_layer_call *c, nigh_grid *grid)
{
    const char *text = nigh_layer_text(c->layer, "grid", "periodic");
    return (nigh_grid_find(text, grid) && *grid != NIGH_GRID_UNKNOWN) || layers_fail(c, "grid is '%s'; cell, node or periodic is allowed", text);
}

static nigh_node regrid(const nigh_layer_call *c)
{
    static const char *const keys[] = {"size_0", "size_1"};
    nigh_tape *t = c->tape;
    nigh_grid grid;
    if (!tape_check(t, "regrid", 1, c->input) || !grid_of(c, &grid)) return NIGH_NONE;
    bool fourier = !strcmp(nigh_layer_text(c->layer, "method", "linear"), "fourier");
    nigh_node x = c->input[0];
    for (int i = 0; i < 2; i++) {
        const nigh_shape *s = tape_shape(t, x);
        int64_t to = nigh_layer_integer(c->layer, keys[i], 0), from = i + 1 < s->ndim ? s->dim[i + 1] : 0;
        if (to == 0) continue;
        if (!tape_is_float(s->dtype) || from < 1 || to < 1 || to > MOST_POINTS || from > MOST_POINTS || (double)from * (double)to > MOST_MATRIX)
            return layers_fail(c, "%lld points to %lld in dimension %d; 1 to %d of f32 or f64 are allowed", (long long)from, (long long)to, i, MOST_POINTS), NIGH_NONE;
        if (fourier && grid != NIGH_GRID_PERIODIC) return layers_fail(c, "method fourier is for periodic grids, this one is of kind %s", nigh_grid_name(grid)), NIGH_NONE;
        if (to == from) continue;
        double *matrix = nigh_alloc(t->ctx, (size_t)(from * to) * sizeof *matrix);
        if (!matrix) return t->status = NIGH_MEMORY, NIGH_NONE;
        discretise_matrix(grid, fourier, from, to, matrix);
        x = discretise_record(t, x, i + 1, to, matrix);
        nigh_free(t->ctx, matrix);
        if (x == NIGH_NONE) return NIGH_NONE;
    }
    return x;
}

static nigh_node coordinates(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char text[TAPE_SHAPE_TEXT], step[24], start[24];
    if (!tape_check(t, "coordinates", 1, c->input)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, c->input[0]);
    int dims = s.ndim - 2;
    if (dims < 1 || dims > NIGH_FIELD_DIMS || !tape_is_float(s.dtype)) return layers_fail(c, "x is %s; [N, 1 to 3 sizes, C] of f32 or f64 is needed", tape_shape_text(&s, text)), NIGH_NONE;
    nigh_node part[NIGH_FIELD_DIMS + 1] = {c->input[0]};
    nigh_shape one = s;
    one.dim[s.ndim - 1] = 1;
    for (int i = 0; i < dims; i++) {
        snprintf(step, sizeof step, "step_%d", i), snprintf(start, sizeof start, "start_%d", i);
        double by = nigh_layer_number(c->layer, step, 1 / (double)s.dim[i + 1]), from = nigh_layer_number(c->layer, start, 0);
        double *place = nigh_alloc(t->ctx, (size_t)s.dim[i + 1] * sizeof *place);
        if (!place) return t->status = NIGH_MEMORY, NIGH_NONE;
        for (int64_t k = 0; k < s.dim[i + 1]; k++) place[k] = from + (double)k * by;
        int64_t dim[NIGH_MAX_DIMS];
        for (int k = 0; k < s.ndim; k++) dim[k] = k == i + 1 ? s.dim[k] : 1;
        nigh_node row = discretise_constant(t, s.dtype, s.ndim, dim, place);
        nigh_free(t->ctx, place);
        part[i + 1] = nigh_tape_expand(t, row, s.ndim, one.dim);
    }
    return nigh_tape_concat(t, dims + 1, part, -1);
}

/* Weights as their logarithms on the scores. */
static nigh_node weighted_attention(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char text[2][TAPE_SHAPE_TEXT];
    if (!tape_check(t, "weighted-attention", 4, c->input)) return NIGH_NONE;
    const nigh_shape k = *tape_shape(t, c->input[1]), w = *tape_shape(t, c->input[3]);
    bool fits = k.ndim == 4 && (w.ndim == 1 || (w.ndim == 2 && w.dim[0] == k.dim[0])) && w.dim[w.ndim - 1] == k.dim[1];
    if (!fits)
        return layers_fail(c, "keys are %s, weights %s; [B, T, heads, size] and [T] or [B, T] are needed", tape_shape_text(&k, text[0]), tape_shape_text(&w, text[1])), NIGH_NONE;
    nigh_attention_how how = nigh_attention_plain();
    how.scale = nigh_layer_number(c->layer, "scale", 0);
    how.bias = nigh_tape_reshape(t, nigh_tape_log(t, c->input[3]), 4, (int64_t[]){w.ndim == 2 ? w.dim[0] : 1, 1, 1, k.dim[1]});
    return nigh_tape_attention(t, c->input[0], c->input[1], c->input[2], &how, NULL);
}

/* ---- kernels in physical units ------------------------------------------------------------------------ */

static double hat(double x) { return fmax(0, 1 - fabs(x)); }

/* phi_q at (x, y) in units of the radius. */
static double disc_function(int dims, int rings, int sectors, int q, double x, double y)
{
    if (dims == 1) return hat((x - (double)(q - rings + 1) / rings) * rings);
    double r = sqrt(x * x + y * y);
    if (q == 0) return hat(r * rings);
    int ring = 1 + (q - 1) / sectors, sector = (q - 1) % sectors;
    double turn = atan2(y, x) / (2 * M_PI) * sectors - sector;
    return hat(r * rings - ring) * (sectors == 1 ? 1 : hat(turn - sectors * nearbyint(turn / sectors)));
}

static int disc_functions(int dims, int rings, int sectors) { return dims == 1 ? 2 * rings - 1 : 1 + (rings - 1) * sectors; }

static void fill_disc(const nigh_layer *layer, double length, const int64_t *size, const double *h, discretise_basis *b)
{
    int rings = (int)nigh_layer_integer(layer, "rings", 2), sectors = (int)nigh_layer_integer(layer, "sectors", 4);
    double radius = nigh_layer_number(layer, "radius", 0), area = b->dims == 1 ? 2 * radius : M_PI * radius * radius, cell = h[0] * (b->dims == 2 ? h[1] : 1);
    for (int64_t i = 0; i < b->points[0]; i++)
        for (int64_t j = 0; j < b->points[1]; j++)
            for (int q = 0; q < b->functions; q++) {
                double x = (double)(i - b->low[0]) * h[0] / radius, y = (double)(j - b->low[1]) * h[1] / radius;
                b->value[(i * b->points[1] + j) * b->functions + q] = disc_function(b->dims, rings, sectors, q, x, y) * cell / area;
            }
}

/* Function q is the point q of the stencil less the mean, over the spacing. */
static void fill_difference(double spacing, discretise_basis *b)
{
    int64_t n = b->functions;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = 0; q < n; q++) b->value[p * n + q] = ((p == q ? 1.0 : 0.0) - 1 / (double)n) / spacing;
}

bool discretise_basis_new(nigh_context *ctx, const nigh_layer *layer, int dims, const int64_t *size, discretise_basis *b, char text[160])
{
    bool disc = !strcmp(layer->kind, "disc-conv");
    nigh_grid grid = NIGH_GRID_UNKNOWN;
    double length = nigh_layer_number(layer, "length", 1), radius = nigh_layer_number(layer, "radius", 0), h[2] = {1, 1};
    int64_t rings = nigh_layer_integer(layer, "rings", 2), sectors = nigh_layer_integer(layer, "sectors", 4);
    *b = (discretise_basis){.dims = dims, .points = {1, 1}};
    text[0] = 0;
    if (!nigh_grid_find(nigh_layer_text(layer, "grid", "periodic"), &grid) || grid == NIGH_GRID_UNKNOWN) snprintf(text, 160, "grid must be cell, node or periodic");
    else if (!(length > 0)) snprintf(text, 160, "length is %g; it must be positive", length);
    else if (disc && !(radius > 0 && 2 * radius <= length)) snprintf(text, 160, "radius is %g; more than 0 and at most half the domain's length of %g is allowed", radius, length);
    else if (disc && (rings < 1 || rings > MOST_RINGS || sectors < 1 || sectors > MOST_RINGS))
        snprintf(text, 160, "%lld rings of %lld; 1 to %d are allowed", (long long)rings, (long long)sectors, MOST_RINGS);
    for (int i = 0; i < dims && !text[0]; i++) {
        if (size[i] < 3) snprintf(text, 160, "%lld points in dimension %d; at least 3 are needed", (long long)size[i], i);
        h[i] = length / (double)(size[i] - (grid == NIGH_GRID_NODE));
        b->low[i] = disc ? (int64_t)floor(radius / h[i] - 1e-9) : 1;
        b->points[i] = 2 * b->low[i] + 1;
        if (!text[0] && disc && radius / (double)rings < h[i] * (1 - 1e-9))
            snprintf(text, 160, "rings are %g wide and points %g apart: a disc of radius %g needs a finer grid, or fewer rings", radius / (double)rings, h[i], radius);
        if (!text[0] && !disc && i && fabs(h[i] - h[0]) > 1e-9 * h[0]) snprintf(text, 160, "spacings of %g and %g; a difference needs equal ones", h[0], h[i]);
    }
    if (text[0]) return false;
    b->functions = disc ? disc_functions(dims, (int)rings, (int)sectors) : dims == 1 ? 3 : 9;
    b->value = nigh_alloc(ctx, (size_t)(b->points[0] * b->points[1] * b->functions) * sizeof *b->value);
    if (!b->value) return false;
    if (disc) fill_disc(layer, length, size, h, b);
    else fill_difference(h[0], b);
    return true;
}

/* The basis as a depthwise convolution of constant weights, [N, s.., C Q], then one product with the weights: nothing of the size of a kernel is computed in a run. */
static nigh_node basis_conv(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char text[TAPE_SHAPE_TEXT], why[160];
    discretise_basis b;
    if (c->layer->parameters < 1 || c->layer->parameters > 2) return layers_fail(c, "%d weights; w, and bias or none, are needed", c->layer->parameters), NIGH_NONE;
    if (!tape_check(t, c->layer->kind, 1, c->input) || !tape_check(t, c->layer->kind, c->layer->parameters, c->parameter)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, c->input[0]), w = *tape_shape(t, c->parameter[0]);
    int dims = x.ndim - 2;
    if (dims < 1 || dims > 2 || !tape_is_float(x.dtype)) return layers_fail(c, "x is %s; [N, L, C] or [N, H, W, C] is needed", tape_shape_text(&x, text)), NIGH_NONE;
    if (!discretise_basis_new(t->ctx, c->layer, dims, x.dim + 1, &b, why)) {
        if (why[0]) return layers_fail(c, "%s", why), NIGH_NONE;
        return t->status = NIGH_MEMORY, NIGH_NONE;
    }
    int64_t channels = x.dim[dims + 1], taps = b.points[0] * b.points[1], q = b.functions;
    nigh_node y = NIGH_NONE;
    double *wide = nigh_alloc(t->ctx, (size_t)(taps * channels * q) * sizeof *wide);
    if (!wide) t->status = NIGH_MEMORY;
    else if (w.ndim != 3 || w.dim[0] != channels || w.dim[1] != q)
        layers_fail(c, "w is %s; [%lld, %lld, D] is needed", tape_shape_text(&w, text), (long long)channels, (long long)q);
    else {
        for (int64_t k = 0; k < taps; k++)
            for (int64_t i = 0; i < channels; i++) memcpy(wide + (k * channels + i) * q, b.value + k * q, (size_t)q * sizeof *wide);
        int64_t dim[4] = {b.points[0], dims == 2 ? b.points[1] : 1, 1, channels * q};
        if (dims == 1) dim[2] = channels * q;
        nigh_convolution how = {.groups = channels, .padding = strcmp(nigh_layer_text(c->layer, "grid", "periodic"), "periodic") ? NIGH_PAD_ZERO : NIGH_PAD_CIRCULAR};
        for (int i = 0; i < dims; i++) how.low[i] = how.high[i] = b.low[i];
        nigh_node kernel = discretise_constant(t, x.dtype, dims + 2, dim, wide);
        y = nigh_tape_convolution(t, c->input[0], kernel, NIGH_NONE, &how);
        nigh_node flat = nigh_tape_reshape(t, c->parameter[0], 2, (int64_t[]){channels * q, w.dim[2]});
        y = nigh_tape_linear(t, y, flat, c->layer->parameters > 1 ? c->parameter[1] : NIGH_NONE);
    }
    nigh_free(t->ctx, wide);
    nigh_free(t->ctx, b.value);
    return y;
}

const nigh_layer_kind layers_discretise[] = {
    {"regrid", "a field on another grid, linearly or by its Fourier series", 1, 1, regrid},
    {"coordinates", "physical coordinates of the points behind the channels", 1, 1, coordinates},
    {"weighted-attention", "softmax attention whose sums are integrals: q, k, v and a quadrature weight for each key", 4, 4, weighted_attention},
    {"disc-conv", "convolution with hat functions in a disc of physical radius", 1, 1, basis_conv},
    {"difference-conv", "convolution with a stencil less its mean, over the spacing", 1, 1, basis_conv},
    {0},
};

/* ---- builders ----------------------------------------------------------------------------------------- */

static int add(nigh_network *net, const char *kind, const char *name, int x, int64_t in, int64_t out, int64_t functions, const nigh_physical *spec, bool bias)
{
    char weight[256], shift[256];
    if (nigh_network_status(net)) return -1;
    const nigh_attribute attribute[] = {{"length", spec->length > 0 ? spec->length : 1, NULL}, {"grid", 0, nigh_grid_name(spec->grid)}, {"radius", spec->radius, NULL},
                                        {"rings", (double)spec->rings, NULL}, {"sectors", spec->sectors ? (double)spec->sectors : 1, NULL}};
    snprintf(weight, sizeof weight, "%s.weight", name), snprintf(shift, sizeof shift, "%s.bias", name);
    int parameter[2] = {nigh_network_weight(net, weight, 3, (int64_t[]){in, functions, out}, nigh_init_lecun_uniform(in)), -1};
    if (bias) parameter[1] = nigh_network_weight(net, shift, 1, &out, nigh_init_lecun_uniform(in * functions));
    return nigh_network_status(net) ? -1 : nigh_network_add(net, kind, name, 1, &x, bias ? 2 : 1, parameter, !strcmp(kind, "disc-conv") ? 5 : 2, attribute);
}

int nigh_network_disc_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const nigh_physical *spec, bool bias)
{
    return add(net, "disc-conv", name, x, in, out, disc_functions(dims, spec->rings, spec->sectors), spec, bias);
}

int nigh_network_difference_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const nigh_physical *spec, bool bias)
{
    return add(net, "difference-conv", name, x, in, out, dims == 1 ? 3 : 9, spec, bias);
}
