/* What each kind of layer is among functions. Declared in nn/discretise.h. */
#include "nn/discretise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Layer i and what is known of its first input. */
typedef struct look {
    walk *w;
    const nigh_layer *layer;
    walk_step *step;
    const walk_step *from; /* NULL: none */
} look;

static void refuse(const look *l, const char *why)
{
    l->step->action = WALK_REFUSE;
    l->step->rewrite = "none";
    snprintf(l->step->why, sizeof l->step->why, "%s", why);
}

static void same_place(const look *l, const walk_step *from)
{
    l->step->place = from->place;
    l->step->scaled = from->scaled;
    memcpy(l->step->size, from->size, sizeof from->size);
}

static bool has_space(const walk_step *s) { return s->place != WALK_POOLED; }
static bool has_channels(const walk_step *s) { return s->place != WALK_PLAIN; }
static int64_t points_of(const walk_step *s) { return s->size[0] * s->size[1]; }

/* Dimensions of the result that are space: those from 1 to this. */
static int space_of(const walk *w, const walk_step *s) { return s->place == WALK_FIELD || s->place == WALK_PLAIN ? w->spec.dims : s->place == WALK_POOLED ? 0 : 1; }

static void pooled(const look *l)
{
    l->step->place = WALK_POOLED;
    l->step->size[0] = l->step->size[1] = 1;
    l->step->scaled = false;
}

static void keep(const look *l, const char *why)
{
    l->step->action = WALK_KEEP;
    l->step->rewrite = "kept";
    snprintf(l->step->why, sizeof l->step->why, "%s", why);
}

/* At the trained resolution, giving a field of these shapes; finer again when it has as many points as the network's inputs. */
static void trained(const look *l, const char *why)
{
    const walk *w = l->w;
    int dims = w->spec.dims;
    walk_step *s = l->step;
    s->action = WALK_TRAINED;
    s->rewrite = "at the trained resolution";
    snprintf(s->why, sizeof s->why, "%s", why);
    s->size[0] = s->shape.dim[1], s->size[1] = dims == 2 ? s->shape.dim[2] : 1;
    bool full = s->size[0] == w->spec.trained[0] && s->size[1] == w->spec.trained[1];
    s->place = s->shape.ndim == dims + 2 ? WALK_FIELD : WALK_PLAIN;
    s->scaled = full && !w->spec.wrapper;
}

/* ---- at a point ---------------------------------------------------------------------------------------- */

/* Numbers that stand for grid points in an input without space. */
static bool tabulated(const look *l, const walk_step *input)
{
    int n = l->step->shape.ndim, k = input->shape.ndim, space = space_of(l->w, l->step);
    for (int a = 1; a <= space; a++) {
        int at = k - (n - a);
        if (at >= 0 && input->shape.dim[at] != 1) return true;
    }
    return false;
}

/* Any number of inputs of one grid, or without space. */
static void pointwise(const look *l)
{
    const walk_step *step = l->w->step, *first = NULL;
    pooled(l);
    for (int i = 0; i < l->layer->inputs; i++) {
        const walk_step *s = &step[l->layer->input[i]];
        if (!has_space(s)) continue;
        if (first && (first->place != s->place || memcmp(first->size, s->size, sizeof s->size))) {
            refuse(l, "its inputs lie on different grids");
            return;
        }
        if (!first) same_place(l, s);
        l->step->scaled = l->step->scaled || s->scaled;
        first = s;
    }
    keep(l, "");
    for (int i = 0; first && i < l->layer->inputs; i++)
        if (!has_space(&step[l->layer->input[i]]) && tabulated(l, &step[l->layer->input[i]])) refuse(l, "one input is a table with a number for every grid point");
}

/* Over channels: needs some, else it goes over the points. */
static void over_channels(const look *l)
{
    if (!l->from || has_channels(l->from)) pointwise(l);
    else refuse(l, "it goes over the points of a grid without quadrature weights");
}

static bool wide_weight(const look *l)
{
    nigh_parameters *set = nigh_network_parameters(l->w->net);
    for (int i = 0; i < l->layer->parameters; i++)
        if (nigh_parameters_at(set, l->layer->parameter[i])->shape.ndim > 1) return true;
    return false;
}

static void layer_norm(const look *l)
{
    if (nigh_layer_integer(l->layer, "axes", 1) == 1) over_channels(l);
    else refuse(l, "it goes over channels and some of the dimensions of space");
}

static void space_norm(const look *l)
{
    pointwise(l);
    if (!has_space(l->step) || l->step->action == WALK_REFUSE) return;
    if (wide_weight(l)) refuse(l, "it has a weight for every grid point");
    else if (l->w->spec.grid == NIGH_GRID_NODE) keep(l, "means over points are integrals to first order in the spacing");
    else keep(l, "means over points are integrals");
}

static void concat(const look *l)
{
    int64_t axis = nigh_layer_integer(l->layer, "axis", -1), ndim = l->step->shape.ndim;
    if (axis < 0) axis += ndim;
    pointwise(l);
    if (l->step->action != WALK_REFUSE && has_space(l->step) && (axis != ndim - 1 || !has_channels(l->step))) refuse(l, "it puts points of space behind each other");
}

static void along_axis(const look *l)
{
    int64_t axis = nigh_layer_integer(l->layer, "axis", !strcmp(l->layer->kind, "slice") ? 0 : -1), ndim = l->from ? l->from->shape.ndim : 0;
    if (axis < 0) axis += ndim;
    pointwise(l);
    if (l->step->action == WALK_REFUSE || !has_space(l->step)) return;
    if (axis >= 1 && axis <= space_of(l->w, l->from)) refuse(l, "it goes along space by the index of points");
}

static void softmax(const look *l)
{
    int64_t axis = nigh_layer_integer(l->layer, "axis", -1), ndim = l->from->shape.ndim;
    if (axis < 0) axis += ndim;
    pointwise(l);
    if (has_space(l->from) && axis >= 1 && axis <= space_of(l->w, l->from)) refuse(l, "a softmax over points outside an attention layer has no quadrature weights");
}

/* A dense layer over all points of a field without channels, or over channels. */
static void linear(const look *l)
{
    if (has_channels(l->from)) {
        pointwise(l);
        return;
    }
    bool back = l->w->spec.dims == 1 && l->step->shape.dim[l->step->shape.ndim - 1] == l->w->spec.trained[0];
    if (l->w->spec.dims != 1) {
        refuse(l, "it goes over one of two dimensions of space");
        return;
    }
    trained(l, "a dense layer over points: an integral, its kernel interpolated");
    if (!back) pooled(l);
}

/* ---- sums ---------------------------------------------------------------------------------------------- */

static void reduction(const look *l)
{
    int64_t axis[NIGH_MAX_DIMS];
    int n = nigh_layer_text(l->layer, "axes", NULL) ? nigh_layer_list(l->layer, "axes", NIGH_MAX_DIMS, axis) : -1, space = has_space(l->from) ? space_of(l->w, l->from) : 0, over = 0;
    bool sums = !strcmp(l->layer->kind, "sum"), samples = n < 0;
    for (int i = 0; i < n; i++) {
        int64_t a = axis[i] < 0 ? axis[i] + l->from->shape.ndim : axis[i];
        over += a >= 1 && a <= space, samples = samples || a == 0;
    }
    if (!space) pointwise(l);
    else if (samples) refuse(l, "it goes over samples");
    else if (over == 0 && nigh_layer_number(l->layer, "keep", 0) != 0) pointwise(l);
    else if (over != space) refuse(l, "it goes over some of the dimensions of space, or leaves the channels out");
    else if (!strcmp(l->layer->kind, "log-sum-exp")) refuse(l, "it sums over points without quadrature weights");
    else {
        bool scaled = l->from->scaled;
        pooled(l);
        keep(l, sums ? "" : "over all points");
        if (sums && scaled) l->step->action = WALK_SUM, l->step->rewrite = "sum as an integral", l->step->scaled = false;
    }
}

static void global_average(const look *l)
{
    pooled(l);
    keep(l, "a mean over points is an integral");
}

/* ---- convolutions ------------------------------------------------------------------------------------- */

int64_t walk_window(const nigh_layer *layer, const char *key, int i, int64_t otherwise)
{
    char text[32];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(layer, text, nigh_layer_integer(layer, key, otherwise));
}

static void conv(const look *l)
{
    const walk *w = l->w;
    const nigh_shape *kernel = &nigh_parameters_at(nigh_network_parameters(w->net), l->layer->parameter[0])->shape;
    bool point = true, same = true;
    int64_t widest = 0;
    if (l->from->place != WALK_FIELD) {
        refuse(l, "its input is no field of the grid");
        return;
    }
    for (int i = 0; i < w->spec.dims; i++) {
        int64_t reach = (kernel->dim[i] - 1) * walk_window(l->layer, "dilation", i, 1) + 1;
        point = point && kernel->dim[i] == 1;
        same = same && walk_window(l->layer, "stride", i, 1) == 1 && l->step->shape.dim[i + 1] == l->from->shape.dim[i + 1];
        if (reach > widest) widest = reach;
    }
    if (!same) {
        trained(l, "its stride, or its lack of padding, is in points");
        return;
    }
    same_place(l, l->from);
    keep(l, point ? "" : "on a grid that is always the trained one");
    if (point || !l->from->scaled) return;
    l->step->action = WALK_KERNEL;
    l->step->rewrite = w->spec.resampling == NIGH_RESAMPLING_DERIVATIVE ? "derivative kernel" : "kernel in physical units";
    snprintf(l->step->why, sizeof l->step->why, "%lld points are %.3g wide", (long long)widest, (double)widest * w->spec.length / (double)l->from->size[0]);
}

static void windowed(const look *l)
{
    if (l->from->place != WALK_FIELD) refuse(l, "its input is no field of the grid");
    else trained(l, "its windows are in points");
}

static void spectral(const look *l)
{
    const nigh_shape *weight = &nigh_parameters_at(nigh_network_parameters(l->w->net), l->layer->parameter[0])->shape;
    int dims = l->w->spec.dims;
    pointwise(l);
    if (l->step->action == WALK_REFUSE || l->step->place != WALK_FIELD || !l->step->scaled) return;
    int64_t need[2] = {2 * (weight->dim[0] - 1), 0};
    if (dims == 2) need[1] = need[0], need[0] = weight->dim[1];
    for (int i = 0; i < dims; i++)
        if (need[i] > l->w->least[i]) l->w->least[i] = need[i];
    snprintf(l->step->why, sizeof l->step->why, "Fourier modes up to %lld; grids of %lld points or more%s", (long long)need[dims - 1] / 2, (long long)need[dims - 1],
             l->w->spec.grid == NIGH_GRID_NODE ? "; on nodes to first order in the spacing" : "");
}

static void physical(const look *l)
{
    pointwise(l);
    if (l->step->action != WALK_REFUSE) keep(l, "its kernel is in physical units");
}

/* ---- places ------------------------------------------------------------------------------------------- */

static void coordinates(const look *l)
{
    pointwise(l);
    if (l->step->action == WALK_REFUSE || !l->step->scaled) return;
    l->step->action = WALK_COORDINATES;
    l->step->rewrite = "coordinates of the place";
    if (l->w->spec.grid == NIGH_GRID_PERIODIC) snprintf(l->step->why, sizeof l->step->why, "they jump where the circle closes: first order in the spacing");
    else snprintf(l->step->why, sizeof l->step->why, "the index over the size is no place on %ss", nigh_grid_name(l->w->spec.grid));
}

static void positions(const look *l)
{
    pointwise(l);
    if (l->step->action == WALK_REFUSE || !l->step->scaled) return;
    if (l->step->place != WALK_TOKENS || nigh_layer_integer(l->layer, "first", 0)) {
        refuse(l, "rows of a table by index, and not one for each grid point");
        return;
    }
    l->step->action = WALK_TABLE;
    l->step->rewrite = "table interpolated";
}

static void by_index(const look *l)
{
    bool space = false;
    for (int i = 0; i < l->layer->inputs; i++) space = space || has_space(&l->w->step[l->layer->input[i]]);
    pointwise(l);
    if (space) refuse(l, "it goes by the index of points");
}

/* ---- attention ---------------------------------------------------------------------------------------- */

static void heads(const look *l)
{
    pointwise(l);
    if (l->step->action != WALK_REFUSE && l->step->place == WALK_TOKENS) l->step->place = WALK_HEADS;
}

static void join_heads(const look *l)
{
    pointwise(l);
    if (l->step->action != WALK_REFUSE && l->step->place == WALK_HEADS) l->step->place = WALK_TOKENS;
}

static void attention(const look *l)
{
    const nigh_layer *a = l->layer;
    bool indexed = nigh_layer_number(a, "causal", 0) != 0 || nigh_layer_number(a, "window", 0) != 0 || nigh_layer_number(a, "alibi", 0) != 0 || nigh_layer_number(a, "first", 0) != 0;
    walk_step *step = l->w->step;
    same_place(l, l->from);
    if (indexed) refuse(l, "its mask goes by the index of points");
    else if (a->parameters) refuse(l, "it has keys, or biases, that belong to no point");
    else if (l->from->place != WALK_HEADS || step[a->input[1]].scaled != l->from->scaled || a->inputs > 3) refuse(l, "its inputs lie on different grids, or have lengths");
    else keep(l, l->w->spec.grid == NIGH_GRID_NODE ? "equal weights are quadrature to first order in the spacing" : "on a regular grid quadrature weights cancel");
}

/* ---- shapes ------------------------------------------------------------------------------------------- */

static void sizes(const look *l)
{
    l->step->action = l->step->scaled ? WALK_SIZES : WALK_KEEP;
    l->step->rewrite = l->step->scaled ? "sizes of the grid" : "kept";
}

/* Between a field and its points in a row; all else only at the trained resolution. */
static void reshape(const look *l)
{
    const nigh_shape *in = &l->from->shape, *out = &l->step->shape;
    int dims = l->w->spec.dims;
    int64_t channels = in->ndim ? in->dim[in->ndim - 1] : 0;
    bool last = out->ndim > 1 && out->dim[out->ndim - 1] == channels && in->dim[0] == out->dim[0];
    if (!has_space(l->from)) {
        bool whole = out->ndim >= dims + 1 && out->ndim <= dims + 2 && out->dim[1] == l->w->spec.trained[0] && (dims == 1 || out->dim[2] == l->w->spec.trained[1]);
        if (whole) trained(l, "a field from as many numbers: interpolated");
        else pointwise(l);
        return;
    }
    same_place(l, l->from);
    if (l->from->place == WALK_FIELD && last && out->ndim == 3 && out->dim[1] == points_of(l->from)) {
        l->step->place = WALK_TOKENS;
        sizes(l);
    } else if (l->from->place == WALK_TOKENS && last && out->ndim == dims + 2 && out->dim[1] == l->from->size[0] && (dims == 1 || out->dim[2] == l->from->size[1])) {
        l->step->place = WALK_FIELD;
        sizes(l);
    } else if (out->ndim == 2 && in->dim[0] == out->dim[0] && l->from->place != WALK_HEADS) {
        trained(l, "all points in a row: an integral follows, its kernel interpolated");
        pooled(l);
    } else if (!memcmp(in->dim, out->dim, sizeof(int64_t) * (size_t)in->ndim) && in->ndim == out->ndim) keep(l, "");
    else refuse(l, "it mixes points and channels");
}

static void flatten(const look *l)
{
    if (!has_space(l->from) || (l->from->place != WALK_FIELD && l->from->place != WALK_PLAIN)) {
        reshape(l);
        return;
    }
    trained(l, "all points in a row: an integral follows, its kernel interpolated");
    pooled(l);
}

static void product(const look *l)
{
    bool space = has_space(l->from) || has_space(&l->w->step[l->layer->input[1]]);
    pointwise(l);
    if (space) refuse(l, "a product of fields outside attention layers has no quadrature weights");
}

static void permute(const look *l)
{
    if (has_space(l->from)) refuse(l, "it exchanges space and channels");
    else pointwise(l);
}

/* ---- all ---------------------------------------------------------------------------------------------- */

static const char *const at_a_point[] = {"relu", "leaky-relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "erf", "exp", "expm1", "log", "log1p", "sin", "cos", "square", "pow", "abs", "neg",
                                         "sign", "sqrt", "rsqrt", "reciprocal", "step", "round", "floor", "clamp", "affine", "stop", "add", "sub", "mul", "div", "min", "max", "greater", "equal",
                                         "where", "constant", "gate", "prelu", "hard-tanh", "elu", "softsign", "gelu-tanh", "dropout", "batch-norm", "round-through", "sign-through", "poly-relu"};

static const struct {
    const char *kind;
    void (*run)(const look *l);
} rules[] = {
    {"linear", linear}, {"head", linear}, {"channel-affine", over_channels}, {"layer-norm", layer_norm}, {"rms-norm", over_channels}, {"normalise", over_channels},
    {"poly-norm", over_channels}, {"gated-unit", over_channels}, {"max-min", over_channels}, {"group-sort", over_channels}, {"max-out", over_channels}, {"layer-norm-of", over_channels},
    {"sample-norm", space_norm}, {"group-norm", space_norm}, {"softmax", softmax}, {"log-softmax", softmax}, {"concat", concat}, {"slice", along_axis}, {"roll", along_axis},
    {"flip", along_axis}, {"cumulative-sum", along_axis}, {"sum", reduction}, {"mean", reduction}, {"max-over", reduction}, {"min-over", reduction}, {"log-sum-exp", reduction},
    {"global-average", global_average}, {"conv", conv}, {"conv-transpose", windowed}, {"max-pool", windowed}, {"average-pool", windowed}, {"resample", windowed},
    {"space-to-depth", windowed}, {"depth-to-space", windowed}, {"regrid", windowed}, {"spectral", spectral}, {"disc-conv", physical}, {"difference-conv", physical},
    {"grid", coordinates}, {"coordinates", coordinates}, {"positions", positions}, {"heads", heads}, {"join-heads", join_heads}, {"attention", attention},
    {"cross-attention", attention}, {"reshape", reshape}, {"flatten", flatten}, {"permute", permute},
    {"matmul", product},
};

void walk_layer(walk *w, int i)
{
    const nigh_layer *layer = nigh_network_at(w->net, i);
    look l = {w, layer, &w->step[i], layer->inputs ? &w->step[layer->input[0]] : NULL};
    for (int k = 0; k < layer->inputs; k++)
        if (w->step[layer->input[k]].action == WALK_REFUSE) l.step->scaled = false; /* what follows is judged as if it were mended */
    for (size_t k = 0; k < sizeof at_a_point / sizeof *at_a_point; k++)
        if (!strcmp(layer->kind, at_a_point[k])) {
            pointwise(&l);
            return;
        }
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        if (!strcmp(layer->kind, rules[k].kind)) {
            rules[k].run(&l);
            return;
        }
    by_index(&l);
    if (l.step->action != WALK_REFUSE) keep(&l, "");
}
