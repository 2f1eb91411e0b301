/*
 * Nodes that together are one activation, to one node. Declared in nn/onnx.h.
 *
 * A pattern begins at its gate, the sigmoid, erf or tanh. What goes into it, and what is made of it further on, are expanded as polynomials in x and the gate, so that
 * any order of factors and terms is the same pattern. All results between but the last must have one reader.
 */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

enum { MOST_DEPTH = 8, MOST_INSIDE = 24, POWERS = 4, CLIMB = 6 };
static const double NEAR = 1e-6;

/* A name: who makes it, who reads it (makers and readers are counted; outputs of the graph are readers), and its number when it is one fixed number. */
typedef struct known {
    const char *name;
    uint64_t hash;
    int maker, makers, reader, readers; /* maker, reader: the last one; -1: none, or no node */
    bool fixed;
    double number;
    int rank;
} known;

typedef struct fusing {
    onnx_graph *graph;
    known *slot;
    uint64_t mask;
    const known *x, *gate;
    int insides, inside[MOST_INSIDE]; /* nodes of the pattern */
    int rank;                         /* the largest of its numbers */
} fusing;

/* sum of c[g][p] gate^g x^p */
typedef struct expansion {
    double c[2][POWERS];
} expansion;

/* ---- names ---------------------------------------------------------------------------------------------- */

static known *find(const fusing *f, const char *name)
{
    uint64_t hash = onnx_hash(name), at = hash & f->mask;
    for (; f->slot[at].name; at = (at + 1) & f->mask)
        if (f->slot[at].hash == hash && !strcmp(f->slot[at].name, name)) return &f->slot[at];
    f->slot[at] = (known){.name = name, .hash = hash, .maker = -1, .reader = -1};
    return &f->slot[at];
}

static void make_fixed(known *k, double number, int64_t count, int rank)
{
    k->fixed = count == 1 && rank <= 1 && isfinite(number);
    k->number = number, k->rank = rank;
}

static void learn_node(fusing *f, int i)
{
    const onnx_node *n = &f->graph->node[i];
    for (int j = 0; j < n->inputs; j++) {
        known *k = find(f, n->input[j]);
        k->readers++, k->reader = i;
    }
    for (int j = 0; j < n->outputs; j++) {
        known *k = find(f, n->output[j]);
        k->makers++, k->maker = i;
        const onnx_attribute *a = n->attributes == 1 && !strcmp(n->op, "Constant") ? n->attribute : NULL;
        if (a && !strcmp(a->name, "value") && a->t && a->t->count == 1) make_fixed(k, a->t->data[0], 1, a->t->ndim);
        else if (a && !strcmp(a->name, "value_float")) make_fixed(k, (double)a->f, 1, 0);
        else if (a && !strcmp(a->name, "value_int")) make_fixed(k, (double)a->i, 1, 0);
    }
}

static void learn(fusing *f)
{
    const onnx_graph *g = f->graph;
    for (int i = 0; i < g->tensors; i++) {
        known *k = find(f, g->tensor[i].name);
        k->makers++;
        if (g->tensor[i].count == 1) make_fixed(k, g->tensor[i].data[0], 1, g->tensor[i].ndim);
    }
    for (int i = 0; i < g->inputs; i++) {
        known *k = find(f, g->input[i].name);
        k->makers += k->makers == 0; /* also a tensor: a default for a weight */
    }
    for (int i = 0; i < g->nodes; i++) learn_node(f, i);
    for (int i = 0; i < g->outputs; i++) {
        known *k = find(f, g->output[i].name);
        k->readers++, k->reader = -1;
    }
}

/* ---- polynomials ---------------------------------------------------------------------------------------- */

static const onnx_node *maker_of(const fusing *f, const known *k)
{
    const onnx_node *n = k->makers == 1 && k->maker >= 0 ? &f->graph->node[k->maker] : NULL;
    return n && !*n->domain && n->outputs == 1 ? n : NULL;
}

static bool multiply(const expansion *a, const expansion *b, expansion *to)
{
    *to = (expansion){{{0}}};
    for (int i = 0; i < 2 * POWERS; i++)
        for (int k = 0; k < 2 * POWERS; k++) {
            double v = a->c[i / POWERS][i % POWERS] * b->c[k / POWERS][k % POWERS];
            int gate = i / POWERS + k / POWERS, power = i % POWERS + k % POWERS;
            if (v == 0) continue;
            if (gate > 1 || power >= POWERS) return false;
            to->c[gate][power] += v;
        }
    return true;
}

static bool is_number(const expansion *e)
{
    bool any = false;
    for (int i = 1; i < 2 * POWERS; i++) any = any || e->c[i / POWERS][i % POWERS] != 0;
    return !any;
}

static bool combine(const char *op, const expansion *a, const expansion *b, expansion *to)
{
    double sign = !strcmp(op, "Sub") ? -1 : 1;
    if (!strcmp(op, "Mul")) return multiply(a, b, to);
    if (!strcmp(op, "Pow") && is_number(b) && (b->c[0][0] == 2 || b->c[0][0] == 3)) {
        expansion square;
        if (!multiply(a, a, &square)) return false;
        if (b->c[0][0] == 3) return multiply(&square, a, to);
        *to = square;
        return true;
    }
    if (!strcmp(op, "Div")) {
        const expansion inverse = {{{1 / b->c[0][0]}}};
        return is_number(b) && b->c[0][0] != 0 && multiply(a, &inverse, to);
    }
    if (strcmp(op, "Add") && strcmp(op, "Sub")) return false;
    for (int i = 0; i < 2 * POWERS; i++) to->c[i / POWERS][i % POWERS] = a->c[i / POWERS][i % POWERS] + sign * b->c[i / POWERS][i % POWERS];
    return true;
}

/* The result of that name, made before node `before`, read once unless it is the pattern's last (depth 0). Depth is bounded, so is the recursion. */
static bool expand(fusing *f, const char *name, int before, int depth, expansion *to)
{
    const known *k = find(f, name);
    *to = (expansion){{{0}}};
    if (k == f->x) return to->c[0][1] = 1, true;
    if (k == f->gate) return to->c[1][0] = 1, true;
    if (k->fixed && k->makers == 1) {
        f->rank = k->rank > f->rank ? k->rank : f->rank;
        return to->c[0][0] = k->number, true;
    }
    const onnx_node *n = maker_of(f, k);
    expansion a, b;
    if (!n || n->inputs != 2 || k->maker >= before || (depth && k->readers != 1) || depth == MOST_DEPTH || f->insides == MOST_INSIDE) return false;
    f->inside[f->insides++] = k->maker;
    return expand(f, n->input[0], k->maker, depth + 1, &a) && expand(f, n->input[1], k->maker, depth + 1, &b) && combine(n->op, &a, &b, to);
}

/* ---- patterns ------------------------------------------------------------------------------------------- */

static bool agrees(const expansion *e, const double *without, const double *with)
{
    bool same = true;
    for (int p = 0; p < POWERS; p++) same = same && fabs(e->c[0][p] - without[p]) <= NEAR * fabs(without[p]) && fabs(e->c[1][p] - with[p]) <= NEAR * fabs(with[p]);
    return same;
}

/* The node that `whole` is, its gate having been given `arg`; NULL: none. *alpha: Swish's. */
static const char *kind_of(const char *gate, const expansion *arg, const expansion *whole, double *alpha)
{
    static const double none[POWERS] = {0}, one[POWERS] = {0, 1}, half[POWERS] = {0, 0.5}, root[POWERS] = {0, 0.70710678118654752440},
                        cubic[POWERS] = {0, 0.79788456080286535588, 0, 0.79788456080286535588 * 0.044715};
    if (!strcmp(gate, "Erf")) return agrees(arg, root, none) && agrees(whole, half, half) ? "none" : NULL;
    if (!strcmp(gate, "Tanh")) return agrees(arg, cubic, none) && agrees(whole, half, half) ? "tanh" : NULL;
    int exponent;
    *alpha = arg->c[0][1];
    const double scaled[POWERS] = {0, *alpha};
    bool exact = fabs(frexp(*alpha, &exponent)) == 0.5 && exponent > -20 && exponent < 20; /* x sigmoid(a x) = silu(a x) / a without a rounding */
    return exact && agrees(arg, scaled, none) && agrees(whole, none, one) ? "" : NULL;
}

/* What the gate's argument is made of, down to the first result that others read too. */
static const known *base_of(const fusing *f, const char *name)
{
    const known *k = find(f, name);
    for (int depth = 0; depth < MOST_DEPTH && k->readers == 1; depth++) {
        const onnx_node *n = maker_of(f, k);
        if (!n || n->inputs != 2) break;
        const known *first = find(f, n->input[0]);
        k = first->fixed ? find(f, n->input[1]) : first;
    }
    return k;
}

static bool replace(nigh_arena *arena, const fusing *f, int last, const char *kind, double alpha)
{
    onnx_node *n = &f->graph->node[last];
    const char **input = nigh_arena_alloc(arena, sizeof *input);
    onnx_attribute *attribute = nigh_arena_alloc_zero(arena, 2, sizeof *attribute);
    if (!input || !attribute) return false;
    for (int i = 0; i < f->insides; i++)
        if (f->inside[i] != last) f->graph->node[f->inside[i]].op = NULL;
    input[0] = f->x->name;
    attribute[0] = (onnx_attribute){.name = "rank", .i = f->rank};
    attribute[1] = *kind ? (onnx_attribute){.name = "approximate", .s = kind} : (onnx_attribute){.name = "alpha", .f = (float)alpha};
    n->op = *kind ? "Gelu" : "Swish", n->inputs = 1, n->input = input, n->attributes = 2, n->attribute = attribute;
    return true;
}

/* False: out of memory. */
static bool try_gate(nigh_arena *arena, fusing *f, int i)
{
    const onnx_node *n = &f->graph->node[i];
    if (!n->op || *n->domain || n->inputs != 1 || n->outputs != 1 || (strcmp(n->op, "Sigmoid") && strcmp(n->op, "Erf") && strcmp(n->op, "Tanh"))) return true;
    expansion arg, whole;
    f->gate = NULL, f->insides = 0, f->rank = 0, f->x = base_of(f, n->input[0]);
    if (f->x->fixed || !expand(f, n->input[0], i, 1, &arg) || f->insides == MOST_INSIDE) return true;
    f->inside[f->insides++] = i;
    f->gate = find(f, n->output[0]);
    int saved = f->insides, rank = f->rank;
    const known *at = f->gate;
    for (int step = 0; step < CLIMB && at->makers == 1 && at->readers == 1 && at->reader > at->maker; step++) {
        const onnx_node *up = &f->graph->node[at->reader];
        double alpha = 1;
        if (*up->domain || up->outputs != 1) return true;
        f->insides = saved, f->rank = rank;
        int last = at->reader;
        at = find(f, up->output[0]);
        if (at->maker != last || !expand(f, at->name, f->graph->nodes, 0, &whole)) return true;
        const char *kind = kind_of(n->op, &arg, &whole, &alpha);
        if (kind) return replace(arena, f, last, kind, alpha);
    }
    return true;
}

nigh_status onnx_fuse(nigh_arena *arena, onnx_graph *graph)
{
    fusing f = {.graph = graph};
    uint64_t names = (uint64_t)(graph->tensors + graph->inputs + graph->outputs) + 8;
    for (int i = 0; i < graph->nodes; i++) names += (uint64_t)(graph->node[i].inputs + graph->node[i].outputs);
    for (f.mask = 1; f.mask < 2 * names; f.mask *= 2) {}
    f.slot = nigh_arena_alloc_zero(arena, f.mask--, sizeof *f.slot);
    if (!f.slot) return NIGH_MEMORY;
    learn(&f);
    int kept = 0;
    for (int i = 0; i < graph->nodes; i++)
        if (!try_gate(arena, &f, i)) return NIGH_MEMORY;
    for (int i = 0; i < graph->nodes; i++)
        if (graph->node[i].op) graph->node[kept++] = graph->node[i];
    graph->nodes = kept;
    return NIGH_OK;
}
