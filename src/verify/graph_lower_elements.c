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

static void relu(lowering *l)
{
    graph_form y;
    apply(l, lower_in(l, 0), BOUND_RELU, 0, 0, &y);
    lower_set(l, &y);
}

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

static void constant(lowering *l)
{
    const double *w = lower_parameter(l, 0);
    graph_form y;
    if (!w || !form_new(l, lower_parameter_count(l, 0), lower_parameter_count(l, 0), false, &y)) return;
    for (int64_t i = 0; i < y.count; i++) y.shift[i] = w[i], y.size[i] = fabs(w[i]);
    lower_set(l, &y);
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

const lower_rule lower_elements[] = {{"relu", relu}, {"affine", affine}, {"constant", constant}, {"add", sums}, {"sub", sums}, {NULL, NULL}};
