/* Rules: elementwise functions, and sums and products with what is fixed. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <string.h>

/* Whether the form is the whole of one node, moved about: then the function is of that node. */
static int moved_node(lowering *l, const graph_form *f)
{
    if (f->plain >= 0) return f->plain;
    if (f->row || f->node[0] < 0 || l->build.graph->node[f->node[0]].size != f->count) return -1;
    bool *seen = lower_alloc(l, f->count, sizeof *seen);
    for (int64_t i = 0; seen && i < f->count; i++) {
        if (f->node[i] != f->node[0] || f->coefficient[i] != 1 || f->shift[i] != 0 || f->error[i] != 0 || seen[f->index[i]]) return -1;
        seen[f->index[i]] = true;
    }
    return seen ? f->node[0] : -1;
}

/* f of a form, to the layer's result. */
static void apply(lowering *l, graph_form *x, bound_function f, double p, double q, graph_form *to)
{
    int source = moved_node(l, x);
    bool moved = source >= 0 && x->plain < 0;
    if (source < 0) source = form_node(l, x);
    if (l->status) return;
    int made = lower_add(l, &(bound_node){.kind = BOUND_ACTIVATION, .inputs = 1, .input = &source, .size = x->count, .function = f, .p = {p, q}});
    if (made < 0) return;
    form_plain(l, made, to);
    if (!moved) return;
    graph_form whole = *to;
    int64_t *map = lower_alloc(l, x->count, sizeof *map);
    for (int64_t i = 0; map && i < x->count; i++) map[i] = x->index[i];
    if (map) form_gather(l, &whole, x->count, map, 0, to);
}

/* scale f(factor x) + shift, all fixed numbers; most are the plain function. */
static void wrapped(lowering *l, graph_form *x, double factor, bound_function f, double p, double q, double scale, double scale_error, double shift)
{
    graph_form in = *x, y, z;
    int64_t n = x->count;
    double *number = lower_alloc(l, 4 * n, sizeof *number);
    for (int64_t i = 0; number && i < n; i++) number[i] = factor, number[n + i] = scale, number[2 * n + i] = scale_error, number[3 * n + i] = shift;
    if (!number || (factor != 1 && !form_affine(l, x, number, NULL, NULL, NULL, 1, &in))) return;
    apply(l, &in, f, p, q, &y);
    if (l->status) return;
    if (scale == 1 && shift == 0) lower_set(l, &y);
    else if (form_affine(l, &y, number + n, scale_error != 0 ? number + 2 * n : NULL, number + 3 * n, NULL, 2, &z)) lower_set(l, &z);
}

static const struct {
    const char *kind;
    bound_function f;
} plain_kinds[] = {{"relu", BOUND_RELU}, {"abs", BOUND_ABS}, {"sigmoid", BOUND_SIGMOID}, {"tanh", BOUND_TANH}, {"exp", BOUND_EXP}, {"square", BOUND_SQUARE}, {"sin", BOUND_SIN},
    {"cos", BOUND_COS}, {"gelu", BOUND_GELU}, {"gelu-tanh", BOUND_GELU_TANH}, {"silu", BOUND_SILU}};

static void plain(lowering *l)
{
    size_t k = 0;
    while (strcmp(plain_kinds[k].kind, l->layer->kind)) k++;
    wrapped(l, lower_in(l, 0), 1, plain_kinds[k].f, 0, 0, 1, 0, 0);
}

static void expm1_of(lowering *l) { wrapped(l, lower_in(l, 0), 1, BOUND_EXP, 0, 0, 1, 0, -1); }
static void leaky(lowering *l) { wrapped(l, lower_in(l, 0), 1, BOUND_LEAKY, nigh_layer_number(l->layer, "slope", 0.01), 0, 1, 0, 0); }

static void elu(lowering *l)
{
    double alpha = nigh_layer_number(l->layer, "alpha", 1);
    if (alpha < 0) lower_fail(l, NIGH_UNSUPPORTED, "alpha is %g; bounds know 0 and more", alpha);
    else wrapped(l, lower_in(l, 0), 1, BOUND_ELU, alpha, 0, 1, 0, 0);
}

/* 1 / c, and what it is off by. */
static double inverse(double c, double c_error, double *error)
{
    double s = 1 / c;
    *error = (fabs(fma(s, c, -1)) + fabs(s) * c_error * (1 + 0x1p-20)) / (fabs(c) - c_error) * (1 + 0x1p-40);
    return s;
}

static void softplus(lowering *l)
{
    double beta = nigh_layer_number(l->layer, "beta", 1), error, s = inverse(beta, 0, &error);
    if (!isfinite(s)) lower_fail(l, NIGH_INVALID, "beta is %g", beta);
    else wrapped(l, lower_in(l, 0), beta, BOUND_SOFTPLUS, 0, 0, s, error, 0);
}

static void power(lowering *l)
{
    double exponent = nigh_layer_number(l->layer, "exponent", 2);
    if (exponent == 1) lower_set(l, lower_in(l, 0));
    else if (exponent == 2) wrapped(l, lower_in(l, 0), 1, BOUND_SQUARE, 0, 0, 1, 0, 0);
    else lower_fail(l, NIGH_UNSUPPORTED, "exponent %g; bounds know 1 and 2", exponent);
}

/* One of the two may be missing: then it is a relu, which a search can split. */
static void clamp(lowering *l)
{
    bool hard = *l->layer->kind == 'h';
    double low = hard ? -1 : nigh_layer_number(l->layer, "low", -1e308), high = hard ? 1 : nigh_layer_number(l->layer, "high", 1e308);
    bool above = high < 3e38, below = low > -3e38; /* the largest number of f32 is 3.4e38 */
    graph_form *x = lower_in(l, 0), moved, y, z;
    if (above && below) {
        wrapped(l, x, 1, BOUND_CLIP, low, high, 1, 0, 0);
        return;
    }
    if (!above && !below) {
        lower_set(l, x);
        return;
    }
    int64_t n = x->count; /* low + relu(x - low), high - relu(high - x) */
    double *number = lower_alloc(l, 3 * n, sizeof *number);
    for (int64_t i = 0; number && i < n; i++) number[i] = above ? -1 : 1, number[n + i] = above ? high : -low, number[2 * n + i] = above ? high : low;
    if (!number || !form_affine(l, x, number, NULL, number + n, NULL, 0, &moved)) return;
    apply(l, &moved, BOUND_RELU, 0, 0, &y);
    if (!l->status && form_affine(l, &y, number, NULL, number + 2 * n, NULL, 0, &z)) lower_set(l, &z);
}

/* slope x + (1 - slope) relu(x), slopes by channel. */
static void prelu(lowering *l)
{
    const double *slope = lower_parameter(l, 0);
    int64_t n = lower_in(l, 0)->count, c = slope ? lower_parameter_count(l, 0) : 1;
    bool alike = true;
    for (int64_t i = 1; slope && i < c; i++) alike = alike && slope[i] == slope[0];
    if (slope && alike) wrapped(l, lower_in(l, 0), 1, BOUND_LEAKY, slope[0], 0, 1, 0, 0);
    if (!slope || alike) return;
    graph_form x, y, line, bent, all;
    if (form_node(l, lower_in(l, 0)) < 0) return;
    x = *lower_in(l, 0);
    double *number = lower_alloc(l, 3 * n, sizeof *number);
    for (int64_t i = 0; number && i < n; i++) {
        double s = slope[i % c];
        number[i] = s, number[n + i] = 1 - s, number[2 * n + i] = form_sum_error(1, -s, 1 - s);
    }
    apply(l, &x, BOUND_RELU, 0, 0, &y);
    if (!number || l->status || !form_affine(l, &x, number, NULL, NULL, NULL, 1, &line) || !form_affine(l, &y, number + n, number + 2 * n, NULL, NULL, 1, &bent)) return;
    if (form_sum(l, &line, &bent, 1, &all)) lower_set(l, &all);
}

/* ---- with what is fixed -------------------------------------------------------------------------------- */

/* Element i of a result where element k of an input of shape `in` that is broadcast to it comes from. */
static int64_t from_place(const nigh_shape *out, int64_t i, const nigh_shape *in)
{
    int64_t at = 0, stride = 1;
    for (int k = out->ndim - 1, j = in->ndim - 1; j >= 0; k--, j--) {
        if (in->dim[j] != 1) at += i % out->dim[k] * stride;
        stride *= in->dim[j];
        i /= out->dim[k];
    }
    return at;
}

static bool spread(lowering *l, const graph_form *f, const nigh_shape *shape, graph_form *to)
{
    const nigh_shape *out = lower_out(l);
    int64_t n = nigh_shape_count(out);
    bool as_it_is = f->count == n;
    if (as_it_is) {
        *to = *f;
        return true;
    }
    int64_t *map = lower_alloc(l, n, sizeof *map);
    for (int64_t i = 0; map && i < n; i++) map[i] = from_place(out, i, shape);
    return map && form_gather(l, f, n, map, 0, to);
}

static void affine(lowering *l)
{
    double scale = nigh_layer_number(l->layer, "scale", 1), shift = nigh_layer_number(l->layer, "shift", 0);
    graph_form y;
    int64_t n = lower_in(l, 0)->count;
    double *s = lower_alloc(l, 2 * n, sizeof *s);
    for (int64_t i = 0; s && i < n; i++) s[i] = scale, s[n + i] = shift;
    if (s && form_affine(l, lower_in(l, 0), s, NULL, s + n, NULL, (scale != 1) + (shift != 0), &y)) lower_set(l, &y);
}

static void neg(lowering *l)
{
    graph_form y;
    int64_t n = lower_in(l, 0)->count;
    double *s = lower_alloc(l, n, sizeof *s);
    for (int64_t i = 0; s && i < n; i++) s[i] = -1;
    if (s && form_affine(l, lower_in(l, 0), s, NULL, NULL, NULL, 0, &y)) lower_set(l, &y);
}

static void constant(lowering *l)
{
    graph_form y;
    if (form_weights(l, 0, &y)) lower_set(l, &y);
}

static void sums(lowering *l)
{
    graph_form y, x, z;
    double scale = *l->layer->kind == 's' ? -1 : 1;
    if (!spread(l, lower_in(l, 0), lower_shape(l, 0), &y)) return;
    for (int i = 1; i < l->layer->inputs; i++) {
        if (!spread(l, lower_in(l, i), lower_shape(l, i), &x) || !form_sum(l, &y, &x, scale, &z)) return;
        y = z;
    }
    lower_set(l, &y);
}

/* y times the fixed form c, or over it. */
static bool times(lowering *l, const graph_form *y, const graph_form *c, bool over, graph_form *to)
{
    graph_form f;
    double *s = lower_alloc(l, 2 * y->count, sizeof *s);
    if (!s || !form_open(l, c, &f)) return false;
    for (int64_t i = 0; i < y->count; i++) {
        s[i] = f.shift[i], s[y->count + i] = f.error[i];
        if (!over) continue;
        if (!(fabs(f.shift[i]) > 2 * f.error[i])) return lower_fail(l, NIGH_INVALID, "a divisor of %g", f.shift[i]), false;
        s[i] = inverse(f.shift[i], f.error[i], &s[y->count + i]);
    }
    return form_affine(l, y, s, s + y->count, NULL, NULL, 1 + f.roundings, to);
}

static bool same_input(const lowering *l) { return l->layer->inputs == 2 && l->layer->input[0] == l->layer->input[1]; }

static void products(lowering *l)
{
    bool over = *l->layer->kind == 'd';
    graph_form y, x, z;
    if (!over && same_input(l) && !form_constant(lower_in(l, 0))) {
        wrapped(l, lower_in(l, 0), 1, BOUND_SQUARE, 0, 0, 1, 0, 0);
        return;
    }
    if (!spread(l, lower_in(l, 0), lower_shape(l, 0), &y)) return;
    for (int i = 1; i < l->layer->inputs; i++) {
        if (!spread(l, lower_in(l, i), lower_shape(l, i), &x)) return;
        bool fixed = form_constant(&x), first = form_constant(&y);
        if (!fixed && (!first || over)) return lower_fail(l, NIGH_UNSUPPORTED, "a %s of two results; bounds know products with what is fixed", over ? "quotient" : "product");
        if (!times(l, fixed ? &y : &x, fixed ? &x : &y, over, &z)) return;
        y = z;
    }
    lower_set(l, &y);
}

/* A weight that is broadcast along the last dimensions, as a form of the result's size. */
static bool weight_form(lowering *l, int which, graph_form *to)
{
    graph_form w;
    return form_weights(l, which, &w) && spread(l, &w, lower_parameter_shape(l, which), to);
}

static void channel_affine(lowering *l)
{
    graph_form x, w, b, y, z;
    if (!spread(l, lower_in(l, 0), lower_shape(l, 0), &x) || !weight_form(l, 0, &w) || !times(l, &x, &w, false, &y)) return;
    if (l->layer->parameters < 2) lower_set(l, &y);
    else if (weight_form(l, 1, &b) && form_sum(l, &y, &b, 1, &z)) lower_set(l, &z);
}

static double weight_at(const double *w, int64_t count, int64_t i, double otherwise) { return w ? w[count == 1 ? 0 : i] : otherwise; }

/* In use: (x - mean) gamma / sqrt(variance + eps) + beta. Eight roundings cover every order in which it may be done. */
static void batch_norm(lowering *l)
{
    const nigh_shape *shape = lower_shape(l, 0);
    int64_t n = lower_in(l, 0)->count, channels = shape->dim[shape->ndim - 1];
    double eps = nigh_layer_number(l->layer, "eps", 1e-5), *number = lower_alloc(l, 4 * n, sizeof *number);
    const double *w[4];
    int64_t count[4] = {0};
    for (int k = 0; k < 4; k++) {
        w[k] = lower_parameter(l, k);
        if (w[k]) count[k] = lower_parameter_count(l, k);
    }
    graph_form y, z;
    for (int64_t i = 0; !l->status && i < n; i++) {
        int64_t c = i % channels;
        double variance = weight_at(w[1], count[1], c, 1);
        if (!(variance + eps > 0)) lower_fail(l, NIGH_INVALID, "a variance of %g", variance);
        double s = (double)((long double)weight_at(w[2], count[2], c, 1) / sqrtl((long double)variance + (long double)eps));
        number[i] = -weight_at(w[0], count[0], c, 0), number[n + i] = s, number[2 * n + i] = fabs(s) * 0x1p-51 + (s != 0 ? 0x1p-1060 : 0), number[3 * n + i] = weight_at(w[3], count[3], c, 0);
    }
    if (l->status || !form_affine(l, lower_in(l, 0), NULL, NULL, number, NULL, 1, &y)) return;
    if (form_affine(l, &y, number + n, number + 2 * n, number + 3 * n, NULL, 7, &z)) lower_set(l, &z);
}

/* By a fixed condition: each element from one side. */
static void where(lowering *l)
{
    graph_form c, a, b, both, y;
    if (!form_constant(lower_in(l, 0))) return lower_fail(l, NIGH_UNSUPPORTED, "its condition is computed; only fixed ones have bounds");
    if (!spread(l, lower_in(l, 0), lower_shape(l, 0), &c) || !spread(l, lower_in(l, 1), lower_shape(l, 1), &a) || !spread(l, lower_in(l, 2), lower_shape(l, 2), &b)) return;
    int64_t n = c.count, *map = lower_alloc(l, n, sizeof *map);
    for (int64_t i = 0; map && i < n; i++) map[i] = c.shift[i] != 0 ? i : n + i;
    if (map && form_concat(l, 2, (graph_form *[]){&a, &b}, &both) && form_gather(l, &both, n, map, 0, &y)) lower_set(l, &y);
}

/* Of fixed numbers only. */
static void compare(lowering *l)
{
    graph_form a, b, y;
    if (!form_constant(lower_in(l, 0)) || !form_constant(lower_in(l, 1))) return lower_fail(l, NIGH_UNSUPPORTED, "it jumps, and its inputs are computed; bounds know continuous functions");
    if (!spread(l, lower_in(l, 0), lower_shape(l, 0), &a) || !spread(l, lower_in(l, 1), lower_shape(l, 1), &b) || !form_new(l, a.count, a.count, false, &y)) return;
    for (int64_t i = 0; i < a.count; i++) {
        if (a.error[i] + b.error[i] != 0) return lower_fail(l, NIGH_UNSUPPORTED, "its fixed inputs are rounded");
        y.size[i] = y.shift[i] = *l->layer->kind == 'g' ? a.shift[i] > b.shift[i] : a.shift[i] == b.shift[i];
    }
    lower_set(l, &y);
}

static void same(lowering *l) { lower_set(l, lower_in(l, 0)); }

const lower_rule lower_elements[] = {{"relu", plain}, {"abs", plain}, {"sigmoid", plain}, {"tanh", plain}, {"exp", plain}, {"square", plain}, {"sin", plain}, {"cos", plain},
    {"gelu", plain}, {"gelu-tanh", plain}, {"silu", plain}, {"expm1", expm1_of}, {"leaky-relu", leaky}, {"elu", elu}, {"softplus", softplus}, {"pow", power}, {"clamp", clamp},
    {"hard-tanh", clamp}, {"prelu", prelu}, {"stop", same}, {"dropout", same}, {"affine", affine}, {"neg", neg}, {"constant", constant}, {"add", sums}, {"sub", sums},
    {"mul", products}, {"div", products}, {"channel-affine", channel_affine}, {"gate", channel_affine}, {"batch-norm", batch_norm}, {"where", where}, {"greater", compare},
    {"equal", compare}, {NULL, NULL}};
