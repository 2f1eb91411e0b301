/* Graphs made smaller. Declared in verify/graph_build.h. */
#include "verify/graph_build.h"
#include "verify/graph_lower.h"

#include <math.h>
#include <string.h>

/* Rows of `outer` (sparse, at most one term each) applied to numbers that belong to rows of `inner`. */
typedef struct fold {
    graph_build *build;
    const bound_node *inner, *outer;
    bool inexact, tiny; /* tiny: a product that f64 cannot hold to all digits; then both stay as they are */
} fold;

static bool single_terms(const bound_node *node)
{
    for (int64_t i = 0; i < node->size; i++)
        if (node->row[i + 1] - node->row[i] > 1) return false;
    return true;
}

/* scale of a row and where it is from; 0: no term. */
static double term(const bound_node *node, int64_t i, int64_t *from)
{
    if (node->row[i] == node->row[i + 1]) return *from = 0, 0;
    *from = node->column[node->row[i]];
    return node->weight[node->row[i]];
}

/* Each channel scaled by one number, in place. */
static bool by_channel(const bound_node *inner, const bound_node *outer)
{
    int64_t channels = inner->window.out_channels, from;
    if (outer->size != inner->size) return false;
    for (int64_t i = 0; i < outer->size; i++) {
        double s = term(outer, i, &from);
        if (s == 0 || from != i || s != outer->weight[outer->row[i % channels]]) return false;
    }
    return true;
}

static double scaled(fold *f, double w, double s)
{
    double p = w * s;
    f->tiny = f->tiny || (w != 0 && s != 0 && !(fabs(p) > 0x1p-900 && isfinite(p)));
    f->inexact = f->inexact || form_product_error(w, s, p) != 0;
    return p;
}

/* bias, error and size of the rows of both. */
static bool fold_bias(fold *f, bound_node *made)
{
    const bound_node *in = f->inner, *out = f->outer;
    int64_t n = out->size;
    if (!in->bias && !out->bias) return true;
    double *bias = nigh_arena_alloc(f->build->graph->arena, (size_t)(3 * n) * sizeof *bias);
    if (!bias) return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t from;
        double s = term(out, i, &from), t = out->bias ? out->bias[i] : 0, te = out->bias_error ? out->bias_error[i] : 0, ts = out->bias_size ? out->bias_size[i] : fabs(t);
        double b = s != 0 && in->bias ? in->bias[from] : 0, be = in->bias_error ? in->bias_error[from] : 0, bs = in->bias_size ? in->bias_size[from] : fabs(b);
        double p = b * s, sum = p + t, more = 1 + out->slack * 0x1p-52;
        bias[i] = sum;
        bias[n + i] = (fabs(s) * be * more + fabs(p) * out->slack * 0x1p-53 + te + form_product_error(b, s, p) + form_sum_error(p, t, sum)) * (1 + 0x1p-40);
        bias[2 * n + i] = (fabs(s) * bs * more + ts + 0x1p-90 * fabs(s)) * (1 + 0x1p-40);
    }
    made->bias = bias;
    made->bias_error = bias + n;
    made->bias_size = bias + 2 * n;
    return true;
}

static bool fold_dense(fold *f, bound_node *made)
{
    const bound_node *in = f->inner, *out = f->outer;
    int64_t columns = f->build->graph->node[in->input[0]].size;
    double *weight = nigh_arena_alloc_zero(f->build->graph->arena, (size_t)(out->size * columns), sizeof *weight);
    for (int64_t i = 0; weight && i < out->size; i++) {
        int64_t from;
        double s = term(out, i, &from);
        for (int64_t j = 0; s != 0 && j < columns; j++) weight[i * columns + j] = scaled(f, in->weight[from * columns + j], s);
    }
    made->weight = weight;
    return weight != NULL;
}

static bool fold_convolution(fold *f, bound_node *made)
{
    const bound_window *w = &f->inner->window;
    int64_t n = w->kernel[0] * w->kernel[1] * (w->channels / w->groups) * w->out_channels, from;
    double *weight = nigh_arena_alloc(f->build->graph->arena, (size_t)n * sizeof *weight);
    for (int64_t i = 0; weight && i < n; i++) weight[i] = scaled(f, f->inner->weight[i], term(f->outer, i % w->out_channels, &from));
    made->weight = weight;
    return weight != NULL;
}

/* Node k, sparse, taken into the node before it. */
static nigh_status fold_node(graph_build *build, int k)
{
    bound_node *outer = &build->graph->node[k];
    const bound_node *inner = &build->graph->node[outer->input[0]];
    fold f = {build, inner, outer, false, false};
    bound_node made = *inner;
    made.name = inner->name;
    made.size = outer->size;
    bool done = fold_bias(&f, &made) && (inner->kind == BOUND_DENSE ? fold_dense(&f, &made) : fold_convolution(&f, &made));
    if (!done) return NIGH_MEMORY;
    if (f.tiny) return NIGH_OK;
    made.slack = inner->slack + outer->slack + (f.inexact || (inner->slack && outer->slack));
    made.roundings = inner->roundings + outer->roundings;
    *outer = made;
    return NIGH_OK;
}

static bool can_fold(const bound_graph *g, int k, const int *readers)
{
    const bound_node *outer = &g->node[k], *inner = outer->kind == BOUND_SPARSE ? &g->node[outer->input[0]] : NULL;
    if (!inner || readers[outer->input[0]] != 1 || !single_terms(outer)) return false;
    if (inner->kind == BOUND_DENSE) return outer->size <= inner->size;
    return inner->kind == BOUND_CONVOLUTION && by_channel(inner, outer);
}

/* Nodes that the output needs come together; node 0 stays. */
static void drop(bound_graph *g, int *number, int *output)
{
    int made = 0;
    memset(number, 0, (size_t)g->nodes * sizeof *number);
    number[0] = number[*output] = 1;
    for (int k = g->nodes - 1; k > 0; k--)
        for (int i = 0; number[k] && i < g->node[k].inputs; i++) number[g->node[k].input[i]] = 1;
    for (int k = 0; k < g->nodes; k++) {
        if (!number[k]) continue;
        g->node[made] = g->node[k];
        number[k] = made++;
        int *input = (int *)g->node[number[k]].input; /* in the graph's arena, its own */
        for (int i = 0; i < g->node[number[k]].inputs; i++) input[i] = number[input[i]];
    }
    g->nodes = made;
    *output = number[*output];
}

nigh_status graph_fold(graph_build *build, int *output)
{
    bound_graph *g = build->graph;
    int *readers = nigh_alloc_zero(g->ctx, (size_t)g->nodes, sizeof *readers);
    if (!readers) return NIGH_MEMORY;
    drop(g, readers, output);
    memset(readers, 0, (size_t)g->nodes * sizeof *readers);
    for (int k = 0; k < g->nodes; k++)
        for (int i = 0; i < g->node[k].inputs; i++) readers[g->node[k].input[i]]++;
    nigh_status status = NIGH_OK;
    for (int k = 1; k < g->nodes && !status; k++)
        if (can_fold(g, k, readers) && g->node[k].input[0] != *output) status = fold_node(build, k);
    if (!status) drop(g, readers, output);
    nigh_free(g->ctx, readers);
    return status;
}
