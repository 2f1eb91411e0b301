/* Nodes from a network: the graph of verify/graph.h, its maps as matrices, its activations as slopes; elements whose arguments are the same or opposite share a unit. See lipsdp.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verify/graph.h"
#include "verify/lipsdp.h"
#include "verify/lipsdp_network.h"

enum { MOST_NUMBERS = 40000000 };

/* ---- activations ------------------------------------------------------------------------------------------ */

static double f_leaky(double x, const double p[2]) { return x > 0 ? x : p[0] * x; }
static double f_clip(double x, const double p[2]) { return fmin(fmax(x, p[0]), p[1]); }
static double f_sigmoid(double x, const double p[2]) { return (void)p, 1 / (1 + exp(-x)); }
static double f_tanh(double x, const double p[2]) { return (void)p, tanh(x); }
static double f_softplus(double x, const double p[2]) { return (void)p, fmax(x, 0) + log1p(exp(-fabs(x))); }
static double f_elu(double x, const double p[2]) { return x > 0 ? x : p[0] * expm1(x); }
static double f_sin(double x, const double p[2]) { return (void)p, sin(x); }
static double f_cos(double x, const double p[2]) { return (void)p, cos(x); }
static double f_gelu(double x, const double p[2]) { return (void)p, 0.5 * x * (1 + erf(x / sqrt(2))); }
static double f_gelu_tanh(double x, const double p[2]) { return (void)p, 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
static double f_silu(double x, const double p[2]) { return (void)p, x / (1 + exp(-x)); }

/* Slopes between which every difference quotient lies. The derivatives of gelu (both forms) and silu have their extremes at +-1.12899 (1.12890) and 1.09984 about 1/2. */
typedef struct slope_rule {
    bound_function function;
    double low, high;
    double (*value)(double x, const double p[2]); /* NULL: two lines */
} slope_rule;

static const slope_rule rules[] = {{BOUND_RELU, 0, 1, NULL}, {BOUND_LEAKY, 0, 1, f_leaky}, {BOUND_CLIP, 0, 1, f_clip}, {BOUND_ABS, -1, 1, NULL}, {BOUND_SIGMOID, 0, 0.25, f_sigmoid},
    {BOUND_TANH, 0, 1, f_tanh}, {BOUND_SOFTPLUS, 0, 1, f_softplus}, {BOUND_ELU, 0, 1, f_elu}, {BOUND_SIN, -1, 1, f_sin}, {BOUND_COS, -1, 1, f_cos}, {BOUND_GELU, -0.1291, 1.1291, f_gelu},
    {BOUND_GELU_TANH, -0.1291, 1.1291, f_gelu_tanh}, {BOUND_SILU, -0.0999, 1.0999, f_silu}};

typedef struct reading {
    nigh_context *ctx;
    const bound_graph *from;
    lip_graph *to;
    const lip_sorted *sorted;
    int *node;                  /* [from->nodes] in `to` */
} reading;

static nigh_status activation(reading *r, const bound_node *b, lip_node *node)
{
    node->kind = LIP_ACTIVATION, node->first = r->to->elements;
    r->to->elements += node->size;
    int64_t group = lip_sorted_group(r->sorted, b->name);
    if (group) {
        if (node->size % group) return nigh_fail(r->ctx, NIGH_INVALID, "layer '%s': groups of %lld do not divide its %lld values", b->name, (long long)group, (long long)node->size);
        node->form = NIGH_LIPSCHITZ_SORT, node->group = group;
        return NIGH_OK;
    }
    const slope_rule *rule = rules, *end = rules + sizeof rules / sizeof *rules;
    while (rule < end && rule->function != b->function) rule++;
    if (rule == end) return nigh_fail(r->ctx, NIGH_UNSUPPORTED, "layer '%s': its activation has no bounded slope", b->name);
    node->form = NIGH_LIPSCHITZ_SLOPE, node->low = rule->low, node->high = rule->high, node->function = rule->value;
    node->p[0] = b->p[0], node->p[1] = b->p[1];
    if (b->function == BOUND_LEAKY) node->low = fmin(b->p[0], 1), node->high = fmax(b->p[0], 1);
    if (b->function == BOUND_ELU) node->high = fmax(b->p[0], 1);
    node->even = b->function == BOUND_RELU || b->function == BOUND_ABS;
    return NIGH_OK;
}

/* ---- maps as matrices --------------------------------------------------------------------------------------- */

static void fill_sparse(const bound_node *b, int64_t columns, double *w)
{
    for (int64_t i = 0; i < b->size; i++)
        for (int64_t e = b->row[i]; e < b->row[i + 1]; e++) w[i * columns + b->column[e]] += b->weight[e];
}

static void fill_convolution(const bound_node *b, int64_t columns, double *w)
{
    const bound_window *v = &b->window;
    const int64_t per = v->channels / v->groups, out_per = v->out_channels / v->groups;
    for (int64_t at = 0; at < b->size; at++) {
        int64_t o = at % v->out_channels, x = at / v->out_channels % v->out_width, y = at / v->out_channels / v->out_width;
        for (int64_t k = 0; k < v->kernel[0] * v->kernel[1]; k++) {
            int64_t row = y * v->stride[0] - v->pad[0] + k / v->kernel[1] * v->dilation[0], column = x * v->stride[1] - v->pad[1] + k % v->kernel[1] * v->dilation[1];
            if (row < 0 || row >= v->height || column < 0 || column >= v->width) continue;
            for (int64_t c = 0; c < per; c++)
                w[at * columns + (row * v->width + column) * v->channels + o / out_per * per + c] = b->weight[(k * per + c) * v->out_channels + o];
        }
    }
}

static nigh_status linear(reading *r, const bound_node *b, lip_node *node)
{
    int64_t columns = r->from->node[b->input[0]].size;
    node->kind = LIP_LINEAR, node->weight = b->weight, node->bias = b->bias, node->slack = b->slack;
    if (b->size * columns > MOST_NUMBERS)
        return nigh_fail(r->ctx, NIGH_UNSUPPORTED, "layer '%s' is a matrix of %lld x %lld; at most %d numbers are allowed", b->name, (long long)b->size, (long long)columns, MOST_NUMBERS);
    if (b->kind == BOUND_DENSE) return NIGH_OK;
    double *w = nigh_arena_alloc_zero(r->to->arena, (size_t)(b->size * columns), sizeof *w);
    if (!w) return NIGH_MEMORY;
    if (b->kind == BOUND_SPARSE) fill_sparse(b, columns, w);
    else fill_convolution(b, columns, w);
    if (b->kind == BOUND_SPARSE) node->slack += 4; /* entries of one place add up */
    node->weight = w;
    return NIGH_OK;
}

/* Sums of more than 8 are sums of sums; gives the node that is the whole. */
static int sum(reading *r, const bound_node *b)
{
    lip_graph *g = r->to;
    lip_node node = {.kind = LIP_SUM, .size = b->size};
    for (int i = 0; i < b->inputs; i++) {
        if (node.inputs == 8) {
            g->node[g->nodes] = node;
            node = (lip_node){.kind = LIP_SUM, .inputs = 1, .input = {g->nodes++}, .scale = {1}, .size = b->size};
        }
        node.scale[node.inputs] = b->scale ? b->scale[i] : 1;
        node.input[node.inputs++] = r->node[b->input[i]];
    }
    g->node[g->nodes] = node;
    return g->nodes++;
}

/* ---- arguments that are the same, or opposite ------------------------------------------------------------------ */

enum { MOST_TERMS = 4 };

/* An element of an even activation and its argument: elements of other nodes with coefficients that are exact; the first of them positive (the sign was turned). */
typedef struct argument {
    int64_t element;
    int terms;
    int64_t place[MOST_TERMS]; /* node 2^32 + element */
    double coefficient[MOST_TERMS];
} argument;

static int by_argument(const void *x, const void *y)
{
    const argument *a = x, *b = y;
    if (a->terms != b->terms) return a->terms < b->terms ? -1 : 1;
    for (int i = 0; i < a->terms; i++) {
        if (a->place[i] != b->place[i]) return a->place[i] < b->place[i] ? -1 : 1;
        if (a->coefficient[i] != b->coefficient[i]) return a->coefficient[i] < b->coefficient[i] ? -1 : 1;
    }
    return a->element < b->element ? -1 : a->element > b->element;
}

static bool add_term(argument *a, int64_t place, double coefficient)
{
    int i = 0;
    while (i < a->terms && a->place[i] < place) i++;
    if (i < a->terms && a->place[i] == place) return false;
    if (a->terms == MOST_TERMS) return false;
    for (int j = a->terms++; j > i; j--) a->place[j] = a->place[j - 1], a->coefficient[j] = a->coefficient[j - 1];
    a->place[i] = place, a->coefficient[i] = coefficient;
    return true;
}

/* scale times element i of a node, as terms; false: it is no short exact sum. */
static bool expand(const bound_graph *g, int node, int64_t i, double scale, argument *a)
{
    const bound_node *b = &g->node[node];
    bool ok = true;
    if (b->kind == BOUND_SPARSE && !b->slack && b->row[i + 1] - b->row[i] <= MOST_TERMS) {
        for (int64_t e = b->row[i]; e < b->row[i + 1] && ok; e++)
            ok = fabs(b->weight[e]) == 1 && expand(g, b->input[0], b->column[e], scale * b->weight[e], a);
        return ok;
    }
    if (b->kind == BOUND_SUM && b->inputs <= MOST_TERMS) {
        for (int k = 0; k < b->inputs && ok; k++) ok = expand(g, b->input[k], i, scale * (b->scale ? b->scale[k] : 1), a);
        return ok;
    }
    return add_term(a, (int64_t)node << 32 | i, scale);
}

/* A bias in between would make |x| and |-x + 2 b| of it: arguments must have the same or opposite ones too. Exact ones of 0 only. */
static bool unshifted(const bound_graph *g, int node)
{
    const bound_node *b = &g->node[node];
    if (b->kind != BOUND_SPARSE && b->kind != BOUND_SUM) return true;
    for (int64_t i = 0; (b->bias || b->bias_error) && i < b->size; i++)
        if ((b->bias && b->bias[i] != 0) || (b->bias_error && b->bias_error[i] != 0)) return false;
    for (int k = 0; k < b->inputs; k++)
        if (!unshifted(g, b->input[k])) return false;
    return true;
}

static nigh_status share(reading *r)
{
    const bound_graph *g = r->from;
    lip_graph *to = r->to;
    int64_t count = 0;
    argument *all = nigh_alloc_zero(r->ctx, (size_t)(to->elements + 1), sizeof *all);
    int64_t *same = nigh_arena_alloc_zero(to->arena, (size_t)(to->elements + 1), sizeof *same);
    if (!all || !same) {
        nigh_free(r->ctx, all);
        return NIGH_MEMORY;
    }
    for (int k = 0; k < g->activations; k++) {
        const lip_node *node = &to->node[r->node[g->activation[k]]];
        int input = g->node[g->activation[k]].input[0];
        if (!node->even || !unshifted(g, input)) continue;
        for (int64_t i = 0; i < node->size; i++) {
            argument a = {.element = node->first + i};
            if (!expand(g, input, i, 1, &a) || !a.terms) continue;
            double sign = a.coefficient[0] < 0 ? -1 : 1;
            for (int t = 0; t < a.terms; t++) a.coefficient[t] *= sign;
            all[count++] = a;
        }
    }
    qsort(all, (size_t)count, sizeof *all, by_argument);
    int64_t first = 0;
    for (int64_t i = 1; i < count; i++) {
        argument before = all[first];
        before.element = all[i].element;
        if (by_argument(&before, &all[i]) == 0) same[all[i].element] = 1 + all[first].element;
        else first = i;
    }
    for (int k = 0; k < to->nodes; k++)
        if (to->node[k].kind == LIP_ACTIVATION && to->node[k].even) to->node[k].share = same + to->node[k].first;
    nigh_free(r->ctx, all);
    return NIGH_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static nigh_status read_node(reading *r, int k)
{
    const bound_node *b = &r->from->node[k];
    lip_graph *g = r->to;
    if (b->kind == BOUND_SUM) {
        r->node[k] = sum(r, b);
        return NIGH_OK;
    }
    lip_node node = {.kind = LIP_INPUT, .inputs = b->kind == BOUND_INPUT ? 0 : 1, .size = b->size};
    if (node.inputs) node.input[0] = r->node[b->input[0]];
    nigh_status status = b->kind == BOUND_INPUT ? NIGH_OK : b->kind == BOUND_ACTIVATION ? activation(r, b, &node) : linear(r, b, &node);
    r->node[k] = g->nodes;
    if (!status) g->node[g->nodes++] = node;
    return status;
}

static nigh_status read_graph(reading *r)
{
    nigh_status status = NIGH_OK;
    for (int k = 0; k <= r->from->output && !status; k++) status = read_node(r, k);
    return status ? status : share(r);
}

static int room_for(const bound_graph *from)
{
    int room = 1;
    for (int k = 0; k < from->nodes; k++) room += 1 + from->node[k].inputs / 7;
    return room;
}

nigh_status lip_graph_of_network(nigh_context *ctx, nigh_network *net, int64_t group, lip_graph **graph)
{
    lip_sorted sorted = {0};
    bound_graph *from = NULL;
    lip_graph *to = NULL;
    if (nigh_network_inputs(net) != 1) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the network has %d inputs; networks of one are bounded", nigh_network_inputs(net));
    nigh_shape shape = *nigh_network_input_shape(net, 0);
    for (int i = 0; i < shape.ndim; i++)
        if (shape.dim[i] < 0) shape.dim[i] = 1;
    nigh_status status = lip_sorted_new(ctx, net, &shape, group, &sorted);
    if (!status) status = bound_graph_new(ctx, sorted.net, &shape, false, &from);
    if (!status) status = lip_graph_new(ctx, room_for(from), &to);
    if (!status) {
        reading r = {.ctx = ctx, .from = from, .to = to, .sorted = &sorted, .node = nigh_alloc_zero(ctx, (size_t)from->nodes, sizeof *r.node)};
        to->source = from, from = NULL;
        status = r.node ? read_graph(&r) : NIGH_MEMORY;
        nigh_free(ctx, r.node);
    }
    bound_graph_free(from);
    lip_sorted_free(&sorted);
    if (status) lip_graph_free(to);
    else *graph = to;
    return status;
}
