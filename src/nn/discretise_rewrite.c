/* Networks for another grid. Declared in nigh/discretise.h. */
#include "nn/discretise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TRAINED, SCALED, MOST_ENDS = 64, MOST_ATTRIBUTES = 64 };

/* A weight of the new network: of the old one `from`, identity times W plus `mixed` times its points along each dimension by matrix. */
typedef struct fill {
    int from, to;
    bool resampled, row;       /* row: the points are one dimension */
    double identity, mixed;
    int64_t first[2], then[2]; /* points before and behind, at the beginning of the array */
    double *matrix[2];         /* [then, first] */
} fill;

typedef struct rewriter {
    nigh_context *ctx;
    walk *w;
    nigh_network *from, *to;
    nigh_arena *arena;
    int64_t grid[2];
    int *made[2];         /* layers of the new network: results on the trained and on the new grid, -1: not there */
    int *parameter;       /* of the new network, as it is; -1: not there yet */
    int fills;
    fill *fill;
    nigh_status status;
} rewriter;

static int fail(rewriter *r, nigh_status status)
{
    if (!r->status) r->status = status;
    return -1;
}

/* The number of a new layer or weight; -1 turns into the network's failure. */
static int made(rewriter *r, int index) { return index < 0 ? fail(r, nigh_network_status(r->to) ? nigh_network_status(r->to) : NIGH_INVALID) : index; }

/* ---- weights ------------------------------------------------------------------------------------------ */

static int add_weight(rewriter *r, const nigh_parameter *p, const nigh_shape *shape)
{
    nigh_parameters *set = nigh_network_parameters(r->to);
    const char *name = p->name;
    if (nigh_parameters_find(set, name) >= 0 && !(name = nigh_arena_format(r->arena, "%s.resampled.%d", p->name, r->fills))) return fail(r, NIGH_MEMORY);
    int to = made(r, nigh_network_weight(r->to, name, shape->ndim, shape->dim, p->init));
    if (to < 0) return -1;
    nigh_parameter *q = nigh_parameters_at(set, to);
    q->rate = p->rate, q->decay = p->decay, q->frozen = p->frozen;
    return to;
}

static int kept_weight(rewriter *r, int from)
{
    const nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(r->from), from);
    if (r->parameter[from] >= 0) return r->parameter[from];
    int to = add_weight(r, p, &p->shape);
    if (to >= 0) r->fill[r->fills++] = (fill){.from = from, .to = to}, r->parameter[from] = to;
    return to;
}

/* A weight whose first dims dimensions (`row`: one of so many points in a row) go through the matrices of f. */
static int resampled_weight(rewriter *r, int from, int dims, bool row, fill f)
{
    const nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(r->from), from);
    nigh_shape shape = p->shape;
    if (row) shape.dim[0] = f.then[0] * f.then[1];
    for (int i = 0; i < dims && !row; i++) shape.dim[i] = f.then[i];
    f.from = from, f.resampled = true, f.row = row;
    if ((f.to = add_weight(r, p, &shape)) < 0) return -1;
    r->fill[r->fills++] = f;
    return f.to;
}

static double *matrix_room(rewriter *r, int64_t rows, int64_t columns)
{
    double *matrix = nigh_arena_alloc(r->arena, (size_t)(rows * columns) * sizeof *matrix);
    if (!matrix) fail(r, NIGH_MEMORY);
    return matrix;
}

/* ---- layers ------------------------------------------------------------------------------------------- */

static int copy_layer(rewriter *r, const nigh_layer *l, const int *input, int attributes, const nigh_attribute *attribute)
{
    int parameter[MOST_ENDS];
    for (int i = 0; i < l->parameters; i++)
        if ((parameter[i] = kept_weight(r, l->parameter[i])) < 0) return -1;
    return made(r, nigh_network_add(r->to, l->kind, l->name, l->inputs, input, l->parameters, parameter, attributes, attribute));
}

static int add_named(rewriter *r, const char *kind, const char *of, const char *what, int x, int attributes, const nigh_attribute *attribute)
{
    char *name = nigh_arena_format(r->arena, "%s.%s", of, what);
    return name ? made(r, nigh_network_add(r->to, kind, name, 1, &x, 0, NULL, attributes, attribute)) : fail(r, NIGH_MEMORY);
}

static int reshape_to(rewriter *r, const char *of, const char *what, int x, const int64_t *size, int64_t channels)
{
    char text[96];
    if (!size) snprintf(text, sizeof text, "0,-1,%lld", (long long)channels);
    else if (r->w->spec.dims == 2) snprintf(text, sizeof text, "0,%lld,%lld,%lld", (long long)size[0], (long long)size[1], (long long)channels);
    else snprintf(text, sizeof text, "0,%lld,%lld", (long long)size[0], (long long)channels);
    return add_named(r, "reshape", of, what, x, 1, &(nigh_attribute){"shape", 0, text});
}

/* The result of layer i on the other grid than that where it was made. */
static int regridded(rewriter *r, int i, int version)
{
    const walk_step *s = &r->w->step[i];
    const char *name = nigh_network_at(r->from, i)->name, *what = version == SCALED ? "fine" : "trained";
    const int64_t *from = version == SCALED ? s->size : r->grid, *size = version == SCALED ? r->grid : s->size;
    int dims = r->w->spec.dims, x = r->made[!version][i];
    int64_t channels = s->shape.dim[s->shape.ndim - 1];
    char text[2][48];
    if (s->place == WALK_HEADS) return fail(r, nigh_fail(r->ctx, NIGH_UNSUPPORTED, "layer '%s': heads of attention would have to go to another grid", name));
    nigh_attribute attribute[4] = {{"method", 0, r->w->spec.resampling == NIGH_RESAMPLING_FOURIER ? "fourier" : "linear"}, {"grid", 0, nigh_grid_name(r->w->spec.grid)},
                                   {"size_0", (double)size[0], NULL}, {"size_1", (double)size[1], NULL}};
    if (s->place == WALK_TOKENS) {
        snprintf(text[0], sizeof text[0], "%s.field", what), snprintf(text[1], sizeof text[1], "%s.points", what);
        x = reshape_to(r, name, text[0], x, from, channels);
    }
    if (x >= 0) x = add_named(r, "regrid", name, what, x, 2 + dims, attribute);
    return s->place == WALK_TOKENS && x >= 0 ? reshape_to(r, name, text[1], x, NULL, channels) : x;
}

static int result(rewriter *r, int i, int version)
{
    if (r->made[version][i] < 0) r->made[version][i] = r->w->step[i].place == WALK_POOLED ? r->made[!version][i] : regridded(r, i, version);
    return r->made[version][i];
}

static bool inputs_of(rewriter *r, const nigh_layer *l, int version, int *input)
{
    for (int i = 0; i < l->inputs; i++)
        if ((input[i] = result(r, l->input[i], version)) < 0) return false;
    return true;
}

/* Every attribute but those of these names, for all dimensions or one; gives how many, with room for 8 more. */
static int attributes_but(const nigh_layer *l, const char *const *words, nigh_attribute *to)
{
    int n = 0;
    for (int i = 0; i < l->attributes && n < MOST_ATTRIBUTES - 8; i++) {
        bool drop = false;
        for (int k = 0; words[k]; k++) {
            size_t length = strlen(words[k]);
            drop = drop || (!strncmp(l->attribute[i].key, words[k], length) && (l->attribute[i].key[length] == '_' || !l->attribute[i].key[length]));
        }
        if (!drop) to[n++] = l->attribute[i];
    }
    return n;
}

/* ---- kernels ------------------------------------------------------------------------------------------ */

/* By Fourier series the kernel reaches round the domain; it is the same to go to the trained grid, where the field's higher frequencies meet none of the kernel's. */
static int conv_fourier(rewriter *r, int i, const nigh_layer *l)
{
    int input[MOST_ENDS];
    if (!inputs_of(r, l, TRAINED, input)) return -1;
    r->made[TRAINED][i] = copy_layer(r, l, input, l->attributes, l->attribute);
    return r->made[TRAINED][i];
}

static nigh_status check_support(rewriter *r, const nigh_layer *l, int d, int64_t low, int64_t high)
{
    const char *padding = nigh_layer_text(l, "padding", "zero");
    int64_t n = r->grid[d], most = !strcmp(padding, "reflect") ? n - 1 : n;
    if (low <= most && high <= most) return NIGH_OK;
    return nigh_fail(r->ctx, NIGH_INVALID, "layer '%s': on a grid of %lld points in dimension %d its kernel reaches %lld points to one side, which is wider than the domain", l->name, (long long)n, d,
                     (long long)(low > high ? low : high));
}

static const char *const windows[] = {"pad", "low", "high", "dilation", NULL};
static const char *const low_keys[] = {"low_0", "low_1"}, *const high_keys[] = {"high_0", "high_1"}, *const dilation_keys[] = {"dilation_0", "dilation_1"};

/* Whole ratios and weights that stay: the kernel as it is, its points further apart. */
static int conv_dilated(rewriter *r, const nigh_layer *l, const int *input, const int64_t *ratio)
{
    nigh_attribute attribute[MOST_ATTRIBUTES];
    int n = attributes_but(l, windows, attribute);
    for (int d = 0; d < r->w->spec.dims; d++) {
        int64_t pad = walk_window(l, "pad", d, 0), low = walk_window(l, "low", d, pad) * ratio[d], high = walk_window(l, "high", d, pad) * ratio[d];
        nigh_status status = check_support(r, l, d, low, high);
        if (status) return fail(r, status);
        attribute[n++] = (nigh_attribute){low_keys[d], (double)low, NULL};
        attribute[n++] = (nigh_attribute){high_keys[d], (double)high, NULL};
        attribute[n++] = (nigh_attribute){dilation_keys[d], (double)(walk_window(l, "dilation", d, 1) * ratio[d]), NULL};
    }
    return copy_layer(r, l, input, n, attribute);
}

static int conv_resampled(rewriter *r, const nigh_layer *l, const int *input, const double *ratio)
{
    const nigh_shape *kernel = &nigh_parameters_at(nigh_network_parameters(r->from), l->parameter[0])->shape;
    nigh_resampling how = r->w->spec.resampling;
    nigh_attribute attribute[MOST_ATTRIBUTES];
    int n = attributes_but(l, windows, attribute), dims = r->w->spec.dims, parameter[2];
    fill f = {.mixed = 1, .first = {1, 1}, .then = {1, 1}};
    if (how == NIGH_RESAMPLING_DERIVATIVE) f.identity = ratio[0], f.mixed = 1 - ratio[0];
    for (int d = 0; d < dims; d++) {
        int64_t dilation = walk_window(l, "dilation", d, 1), low = walk_window(l, "low", d, walk_window(l, "pad", d, 0));
        discretise_taps t = discretise_taps_of(how, ratio[d], kernel->dim[d], dilation, low);
        int64_t pace = how == NIGH_RESAMPLING_DERIVATIVE ? dilation : 1, high = (t.points - 1) * pace - t.low;
        nigh_status status = check_support(r, l, d, t.low, high);
        if (status) return fail(r, status);
        f.first[d] = t.taps, f.then[d] = t.points;
        if (!(f.matrix[d] = matrix_room(r, t.points, t.taps))) return -1;
        discretise_taps_matrix(how, ratio[d], &t, dilation, low, f.matrix[d]);
        attribute[n++] = (nigh_attribute){low_keys[d], (double)t.low, NULL};
        attribute[n++] = (nigh_attribute){high_keys[d], (double)high, NULL};
        attribute[n++] = (nigh_attribute){dilation_keys[d], (double)pace, NULL};
    }
    parameter[0] = resampled_weight(r, l->parameter[0], dims, false, f);
    if (parameter[0] >= 0 && l->parameters > 1) parameter[1] = kept_weight(r, l->parameter[1]);
    return r->status ? -1 : made(r, nigh_network_add(r->to, l->kind, l->name, 1, input, l->parameters, parameter, n, attribute));
}

static int conv(rewriter *r, int i, const nigh_layer *l)
{
    const nigh_discretisation *s = &r->w->spec;
    int64_t whole[2] = {1, 1};
    double ratio[2] = {1, 1};
    bool dilated = s->resampling == NIGH_RESAMPLING_POINTS, same = true;
    int input;
    for (int d = 0; d < s->dims; d++) {
        ratio[d] = discretise_ratio(s->grid, s->trained[d], r->grid[d]);
        whole[d] = llround(ratio[d]);
        same = same && r->grid[d] == s->trained[d];
        dilated = dilated && whole[d] >= 1 && fabs(ratio[d] - (double)whole[d]) < 1e-9;
    }
    if (s->resampling == NIGH_RESAMPLING_FOURIER && !same) return conv_fourier(r, i, l);
    if (s->resampling == NIGH_RESAMPLING_DERIVATIVE && s->dims == 2 && fabs(ratio[0] - ratio[1]) > 1e-9)
        return fail(r, nigh_fail(r->ctx, NIGH_INVALID, "layer '%s': derivative kernels need the same ratio of spacings in all dimensions; here %g and %g", l->name, ratio[0], ratio[1]));
    if (!inputs_of(r, l, SCALED, &input)) return -1;
    int layer = same || dilated ? conv_dilated(r, l, &input, whole) : conv_resampled(r, l, &input, ratio);
    r->made[SCALED][i] = layer;
    return layer;
}

/* ---- the other rewrites ------------------------------------------------------------------------------- */

/* Upsampling to the size of a second input: that size by itself. */
static int at_trained(rewriter *r, int i, const nigh_layer *l)
{
    nigh_attribute attribute[MOST_ATTRIBUTES];
    static const char *const size[] = {"size", "scale", NULL}, *const keys[] = {"size_0", "size_1"};
    nigh_layer one = *l;
    int input[MOST_ENDS], n = l->attributes;
    const nigh_attribute *list = l->attribute;
    if (!strcmp(l->kind, "resample")) {
        one.inputs = 1, n = attributes_but(l, size, attribute), list = attribute;
        for (int d = 0; d < r->w->spec.dims; d++) attribute[n++] = (nigh_attribute){keys[d], (double)r->w->step[i].size[d], NULL};
    }
    if (!inputs_of(r, &one, TRAINED, input)) return -1;
    return r->made[TRAINED][i] = copy_layer(r, &one, input, n, list);
}

/* What the layer's coordinates are as functions of the place, which cells and nodes have differently on each grid. */
static int coordinates(rewriter *r, int i, const nigh_layer *l)
{
    const nigh_discretisation *s = &r->w->spec;
    static const char *const steps[] = {"step_0", "step_1"}, *const starts[] = {"start_0", "start_1"};
    nigh_attribute attribute[4];
    int input;
    for (int d = 0; d < s->dims; d++) {
        double step = nigh_layer_number(l, steps[d], 1 / (double)s->trained[d]), start = nigh_layer_number(l, starts[d], 0), ratio = discretise_ratio(s->grid, s->trained[d], r->grid[d]);
        attribute[2 * d] = (nigh_attribute){steps[d], step / ratio, NULL};
        attribute[2 * d + 1] = (nigh_attribute){starts[d], start + (s->grid == NIGH_GRID_CELL ? step * (0.5 / ratio - 0.5) : 0), NULL};
    }
    if (!inputs_of(r, l, SCALED, &input)) return -1;
    return r->made[SCALED][i] = made(r, nigh_network_add(r->to, "coordinates", l->name, 1, &input, 0, NULL, 2 * s->dims, attribute));
}

static int table(rewriter *r, int i, const nigh_layer *l)
{
    const nigh_discretisation *s = &r->w->spec;
    fill f = {.mixed = 1, .first = {s->trained[0], s->trained[1]}, .then = {r->grid[0], r->grid[1]}};
    int input;
    for (int d = 0; d < s->dims; d++) {
        if (!(f.matrix[d] = matrix_room(r, r->grid[d], s->trained[d]))) return -1;
        discretise_matrix(s->grid, s->resampling == NIGH_RESAMPLING_FOURIER, s->trained[d], r->grid[d], f.matrix[d]);
    }
    int weight = resampled_weight(r, l->parameter[0], s->dims, true, f);
    if (weight < 0 || !inputs_of(r, l, SCALED, &input)) return -1;
    return r->made[SCALED][i] = made(r, nigh_network_add(r->to, l->kind, l->name, 1, &input, 1, &weight, l->attributes, l->attribute));
}

static int sum(rewriter *r, int i, const nigh_layer *l)
{
    double trained = (double)r->w->spec.trained[0] * (double)r->w->spec.trained[1], points = (double)r->grid[0] * (double)r->grid[1];
    int input;
    if (!inputs_of(r, l, SCALED, &input)) return -1;
    int x = copy_layer(r, l, &input, l->attributes, l->attribute);
    nigh_attribute scale = {"scale", trained / points, NULL};
    if (x >= 0 && trained != points) x = add_named(r, "affine", l->name, "integral", x, 1, &scale);
    return r->made[TRAINED][i] = x;
}

static int sizes(rewriter *r, int i, const nigh_layer *l)
{
    const walk_step *s = &r->w->step[i];
    char text[96];
    long long channels = (long long)s->shape.dim[s->shape.ndim - 1];
    int input;
    if (s->place == WALK_TOKENS) snprintf(text, sizeof text, "0,-1,%lld", channels);
    else if (r->w->spec.dims == 2) snprintf(text, sizeof text, "0,%lld,%lld,%lld", (long long)r->grid[0], (long long)r->grid[1], channels);
    else snprintf(text, sizeof text, "0,%lld,%lld", (long long)r->grid[0], channels);
    if (!inputs_of(r, l, SCALED, &input)) return -1;
    return r->made[SCALED][i] = copy_layer(r, l, &input, 1, &(nigh_attribute){"shape", 0, text});
}

static int input(rewriter *r, int i, int number)
{
    nigh_shape shape = *nigh_network_input_shape(r->from, number);
    for (int d = 0; d < r->w->spec.dims; d++) shape.dim[d + 1] = r->grid[d];
    int x = made(r, nigh_network_input(r->to, nigh_network_at(r->from, i)->name, shape.ndim, shape.dim));
    return r->made[SCALED][i] = x;
}

static int keep(rewriter *r, int i, const nigh_layer *l)
{
    int in[MOST_ENDS], version = r->w->step[i].scaled ? SCALED : TRAINED;
    for (int k = 0; k < l->inputs; k++) /* means over points: of whatever grid their input is on */
        if (r->w->step[i].place == WALK_POOLED && r->w->step[l->input[k]].scaled) version = SCALED;
    if (!inputs_of(r, l, version, in)) return -1;
    int x = copy_layer(r, l, in, l->attributes, l->attribute);
    if (r->w->step[i].place == WALK_POOLED) r->made[TRAINED][i] = r->made[SCALED][i] = x;
    else r->made[version][i] = x;
    return x;
}

static int rewrite_layer(rewriter *r, int i, int number)
{
    const nigh_layer *l = nigh_network_at(r->from, i);
    const walk_step *s = &r->w->step[i];
    if (l->inputs > MOST_ENDS || l->parameters > MOST_ENDS || l->attributes > MOST_ATTRIBUTES - 8)
        return fail(r, nigh_fail(r->ctx, NIGH_UNSUPPORTED, "layer '%s' has %d inputs, %d weights and %d attributes", l->name, l->inputs, l->parameters, l->attributes));
    switch (s->action) {
    case WALK_INPUT: return input(r, i, number);
    case WALK_KERNEL: return conv(r, i, l);
    case WALK_TRAINED: return at_trained(r, i, l);
    case WALK_COORDINATES: return coordinates(r, i, l);
    case WALK_TABLE: return table(r, i, l);
    case WALK_SUM: return sum(r, i, l);
    case WALK_SIZES: return sizes(r, i, l);
    case WALK_KEEP: return keep(r, i, l);
    default: return fail(r, nigh_fail(r->ctx, NIGH_UNSUPPORTED, "layer '%s' (%s) is no function of functions: %s", l->name, l->kind, s->why));
    }
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

static nigh_status resample_numbers(nigh_context *ctx, const fill *f, const nigh_shape *shape, const nigh_array *from, nigh_array *to)
{
    int64_t after = nigh_shape_count(shape) / (f->then[0] * f->then[1]), n = f->first[0] * f->first[1] * after, half = f->then[0] * f->first[1] * after, all = nigh_shape_count(shape);
    double *x = nigh_alloc(ctx, (size_t)n * sizeof *x), *y = nigh_alloc(ctx, (size_t)half * sizeof *y), *z = nigh_alloc(ctx, (size_t)all * sizeof *z);
    if (x && y && z) {
        for (int64_t k = 0; k < n; k++) x[k] = nigh_array_get(from, k);
        discretise_apply(1, f->first[0], f->then[0], f->first[1] * after, f->matrix[0], x, y);
        if (f->matrix[1]) discretise_apply(f->then[0], f->first[1], f->then[1], after, f->matrix[1], y, z);
        else memcpy(z, y, (size_t)half * sizeof *z);
        for (int64_t k = 0; k < all; k++) nigh_array_set(to, k, f->mixed * z[k] + (f->identity != 0 ? f->identity * x[k] : 0));
    }
    nigh_status status = x && y && z ? NIGH_OK : NIGH_MEMORY;
    nigh_free(ctx, x);
    nigh_free(ctx, y);
    nigh_free(ctx, z);
    return status;
}

static nigh_status fill_numbers(rewriter *r)
{
    nigh_parameters *from = nigh_network_parameters(r->from), *to = nigh_network_parameters(r->to);
    nigh_status status = NIGH_OK;
    for (int i = 0; i < r->fills && !status; i++) {
        const fill *f = &r->fill[i];
        nigh_array a = {nigh_parameters_at(from, f->from)->shape, nigh_parameters_data(from, f->from)}, b = {nigh_parameters_at(to, f->to)->shape, nigh_parameters_data(to, f->to)};
        for (int64_t k = 0; k < nigh_shape_count(&a.shape) && !status; k++)
            if (!isfinite(nigh_array_get(&a, k)))
                status = nigh_fail(r->ctx, NIGH_INVALID, "element %lld of weight '%s' is %g", (long long)k, nigh_parameters_at(from, f->from)->name, nigh_array_get(&a, k));
        if (!status && f->resampled) status = resample_numbers(r->ctx, f, &b.shape, &a, &b);
        else if (!status) memcpy(b.data, a.data, (size_t)nigh_shape_count(&b.shape) * nigh_dtype_size(b.shape.dtype));
    }
    return status;
}

/* ---- all ---------------------------------------------------------------------------------------------- */

/* Points of two grids coincide when one spacing is a multiple of the other; cells' centres only by an odd one, but their edges by any. */
static void warn_of_shift(nigh_context *ctx, const walk *w, const int64_t *grid)
{
    for (int d = 0; d < w->spec.dims && w->spec.grid != NIGH_GRID_PERIODIC; d++) {
        double ratio = discretise_ratio(w->spec.grid, w->spec.trained[d], grid[d]), big = ratio < 1 ? 1 / ratio : ratio;
        if (fabs(big - nearbyint(big)) > 1e-9)
            nigh_log(ctx, NIGH_LOG_WARNING, "dimension %d: %lld points beside the %lld trained on, a ratio of spacings of %.4g: points of the two %s grids do not coincide, and kernels are divided among "
                                            "neighbours",
                     d, (long long)grid[d], (long long)w->spec.trained[d], ratio, nigh_grid_name(w->spec.grid));
    }
}

static nigh_status check_grid(nigh_context *ctx, const walk *w, const int64_t *grid)
{
    for (int d = 0; d < w->spec.dims; d++) {
        if (grid[d] < 2 || grid[d] > 1 << 16) return nigh_fail(ctx, NIGH_INVALID, "dimension %d of the grid is %lld; 2 to 65536 are allowed", d, (long long)grid[d]);
        if (!w->spec.wrapper && grid[d] < w->least[d])
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "dimension %d of the grid is %lld; the network's Fourier modes need %lld points, two for each", d, (long long)grid[d], (long long)w->least[d]);
    }
    return NIGH_OK;
}

static nigh_status take_room(rewriter *r)
{
    size_t layers = (size_t)nigh_network_layers(r->from) + 1, weights = (size_t)nigh_parameters_count(nigh_network_parameters(r->from)) + 1;
    for (int v = 0; v < 2; v++) {
        if (!(r->made[v] = nigh_arena_alloc(r->arena, layers * sizeof(int)))) return NIGH_MEMORY;
        for (size_t i = 0; i < layers; i++) r->made[v][i] = -1;
    }
    r->parameter = nigh_arena_alloc(r->arena, weights * sizeof(int));
    r->fill = nigh_arena_alloc(r->arena, (weights + layers) * sizeof *r->fill);
    for (size_t i = 0; r->parameter && i < weights; i++) r->parameter[i] = -1;
    return r->parameter && r->fill ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status go(rewriter *r)
{
    int number = 0;
    for (int i = 0; i < nigh_network_layers(r->from) && !r->status; i++) {
        rewrite_layer(r, i, number);
        number += nigh_network_input_layer(r->from, number) == i;
    }
    for (int i = 0; i < nigh_network_outputs(r->from) && !r->status; i++) {
        int layer = nigh_network_output_layer(r->from, i);
        const walk_step *s = &r->w->step[layer];
        bool full = (s->place == WALK_FIELD || s->place == WALK_PLAIN || s->place == WALK_TOKENS) && s->size[0] == r->w->spec.trained[0] && s->size[1] == r->w->spec.trained[1];
        int x = result(r, layer, full ? SCALED : TRAINED);
        if (x >= 0) made(r, nigh_network_output(r->to, x));
    }
    return r->status;
}

/* The rewriter with its network when that is wanted; r->arena and r->w are to be freed. */
static nigh_status run(nigh_network *net, const nigh_discretisation *spec, const int64_t *grid, rewriter *r)
{
    *r = (rewriter){.ctx = nigh_network_context(net), .from = net, .grid = {grid[0], spec->dims == 2 ? grid[1] : 1}};
    nigh_status status = walk_new(net, spec, &r->w);
    if (!status) status = check_grid(r->ctx, r->w, r->grid);
    if (!status) status = nigh_arena_new(r->ctx, &r->arena);
    if (!status) status = take_room(r);
    if (!status) status = nigh_network_new(r->ctx, nigh_parameters_dtype(nigh_network_parameters(net)), &r->to);
    return status ? status : go(r);
}

static void end(rewriter *r)
{
    walk_free(r->w);
    nigh_arena_free(r->arena);
}

nigh_status nigh_network_rewrite(nigh_network *net, const nigh_discretisation *spec, const int64_t *grid, nigh_network **rewritten)
{
    rewriter r;
    nigh_status status = run(net, spec, grid, &r);
    if (!status) status = fill_numbers(&r);
    if (!status) warn_of_shift(r.ctx, r.w, r.grid);
    if (status) nigh_network_free(r.to);
    else *rewritten = r.to;
    end(&r);
    return status;
}

static nigh_node record_fill(nigh_tape *t, const fill *f, const nigh_shape *to, nigh_node x)
{
    if (!f->resampled) return x;
    int dims = f->matrix[1] ? 2 : 1;
    int64_t after = nigh_shape_count(to) / (f->then[0] * f->then[1]);
    if (f->row) x = nigh_tape_slice(t, x, 0, 0, f->first[0] * f->first[1], 1);
    nigh_node y = nigh_tape_reshape(t, x, 3, (int64_t[]){f->first[0], f->first[1], after});
    for (int d = 0; d < dims; d++) y = discretise_record(t, y, d, f->then[d], f->matrix[d]);
    y = nigh_tape_reshape(t, nigh_tape_scale(t, y, f->mixed), to->ndim, to->dim);
    return f->identity != 0 ? nigh_tape_add(t, y, nigh_tape_scale(t, x, f->identity)) : y;
}

nigh_status nigh_network_rewrite_record(nigh_network *net, const nigh_discretisation *spec, const int64_t *grid, nigh_network *rewritten, nigh_tape *tape, const nigh_node *parameters,
                                        nigh_node *derived)
{
    rewriter r;
    nigh_status status = run(net, spec, grid, &r);
    nigh_parameters *set = nigh_network_parameters(rewritten);
    if (!status && r.fills != nigh_parameters_count(set))
        status = nigh_fail(r.ctx, NIGH_INVALID, "the rewritten network has %d weights; one for this grid has %d", nigh_parameters_count(set), r.fills);
    for (int i = 0; i < r.fills && !status; i++) {
        derived[r.fill[i].to] = record_fill(tape, &r.fill[i], &nigh_parameters_at(set, r.fill[i].to)->shape, parameters[r.fill[i].from]);
        status = nigh_tape_status(tape);
    }
    nigh_network_free(r.to);
    end(&r);
    return status;
}
