/* Genomes of the search for straight-line programs: their normal form, their hash, their mutations. */
#include "function/evolve_inside.h"

#include <math.h>
#include <string.h>

enum { ARGUMENT = CODE_OPS, CONSTANT, MOST_VERTICES = 96, NO_VERTEX = 255 };

typedef struct vertex {
    uint8_t kind, in[3]; /* a function_code_op, ARGUMENT or CONSTANT */
    bool fresh;          /* a constant without a value to inherit */
    double value;
    uint64_t shape;
} vertex;

/* Vertex 0 is the argument. Free of cycles, in no order. */
typedef struct vertices {
    int count, root;
    bool full; /* there was no room for a vertex */
    vertex v[MOST_VERTICES];
} vertices;

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static int inputs(const vertex *v) { return v->kind >= ARGUMENT ? 0 : v->kind >= CODE_FMA ? 3 : 2; }

static uint8_t add_vertex(vertices *graph, vertex v)
{
    if (graph->count == MOST_VERTICES) {
        graph->full = true;
        return 0;
    }
    v.shape = mix(v.kind + 1u, 0); /* final unless it has inputs */
    graph->v[graph->count] = v;
    return (uint8_t)graph->count++;
}

static uint8_t add_constant(vertices *graph, double value, bool fresh)
{
    return add_vertex(graph, (vertex){.kind = CONSTANT, .value = value, .fresh = fresh || !isfinite(value)});
}

static void unfold(const evolve_genome *g, vertices *graph)
{
    graph->count = 1, graph->full = false;
    graph->v[0] = (vertex){.kind = ARGUMENT};
    for (int k = 0; k < g->constants; k++) add_constant(graph, g->constant[k], false);
    for (int s = 0; s < g->steps; s++) {
        const function_code_step *step = &g->step[s];
        add_vertex(graph, (vertex){.kind = step->op, .in = {step->a, step->b, step->c}});
    }
    graph->root = graph->count - 1;
}

/* ---- the normal form --------------------------------------------------------------------------------------- */

static bool commutes(int kind) { return kind == CODE_ADD || kind == CODE_MUL || kind >= CODE_FMA; }
static bool is_constant(const vertices *graph, int at) { return graph->v[at].kind == CONSTANT; }

static double apply(int op, double a, double b, double c)
{
    switch (op) {
    case CODE_ADD: return a + b;
    case CODE_SUB: return a - b;
    case CODE_MUL: return a * b;
    case CODE_DIV: return a / b;
    case CODE_FMA: return a * b + c;
    case CODE_FMS: return a * b - c;
    default: return c - a * b;
    }
}

static vertex binary(int op, int a, int b) { return (vertex){.kind = (uint8_t)op, .in = {(uint8_t)a, (uint8_t)b}}; }

static uint8_t merged(vertices *graph, int op, int a, int b)
{
    const vertex *p = &graph->v[a], *q = &graph->v[b];
    return add_constant(graph, apply(op, p->value, q->value, 0), p->fresh || q->fresh);
}

/* v = constant k combined with an operation on constant and u: one constant is enough. The inverse of op is `back`. */
static bool merge_constants(vertices *graph, vertex *v, int op, int back)
{
    bool first = is_constant(graph, v->in[0]);
    int k = v->in[first ? 0 : 1], inside = v->in[first ? 1 : 0];
    const vertex *w = &graph->v[inside];
    if (w->kind != op && w->kind != back) return false;
    int left = is_constant(graph, w->in[0]), c = w->in[left ? 0 : 1], u = w->in[left ? 1 : 0];
    if (!is_constant(graph, c)) return false;
    bool turned = w->kind == back; /* w = c back u: u back c was made u op c' before */
    if (v->kind == op) *v = turned ? binary(back, merged(graph, op, c, k), u) : binary(op, u, merged(graph, op, c, k));
    else *v = turned ? binary(op, u, merged(graph, back, k, c)) : binary(back, merged(graph, back, k, c), u);
    return true;
}

/* One rewriting of vertex v by rules that keep the set of functions and never cost an operation. */
static bool rewrite(vertices *graph, vertex *v)
{
    if (inputs(v) != 2) return false;
    bool left = is_constant(graph, v->in[0]), right = is_constant(graph, v->in[1]);
    bool sum = v->kind == CODE_ADD || v->kind == CODE_SUB;
    if (v->in[0] == v->in[1] && (v->kind == CODE_SUB || v->kind == CODE_DIV)) {
        *v = (vertex){.kind = CONSTANT, .value = v->kind == CODE_DIV};
        return true;
    }
    if (right && !left && (v->kind == CODE_SUB || v->kind == CODE_DIV)) { /* a - c, a / c */
        const vertex *c = &graph->v[v->in[1]];
        double value = sum ? -c->value : 1 / c->value;
        *v = binary(sum ? CODE_ADD : CODE_MUL, v->in[0], add_constant(graph, value, c->fresh));
        return true;
    }
    if (left == right) return false;
    return sum ? merge_constants(graph, v, CODE_ADD, CODE_SUB) : merge_constants(graph, v, CODE_MUL, CODE_DIV);
}

/* Constant parts become constants, the rules above are applied, shapes are hashed; depth first. */
static void simplify(vertices *graph, int at, bool *done)
{
    if (done[at] || graph->full) return;
    vertex *v = &graph->v[at];
    for (int k = 0; k < inputs(v); k++) simplify(graph, v->in[k], done);
    done[at] = true;
    bool all = inputs(v) > 0, fresh = false;
    for (int k = 0; k < inputs(v); k++) all &= is_constant(graph, v->in[k]), fresh |= graph->v[v->in[k]].fresh;
    if (all) {
        double in[3] = {0};
        for (int k = 0; k < inputs(v); k++) in[k] = graph->v[v->in[k]].value;
        double value = apply(v->kind, in[0], in[1], in[2]);
        *v = (vertex){.kind = CONSTANT, .value = value, .fresh = fresh || !isfinite(value)};
    }
    for (int turns = 0; turns < 8 && rewrite(graph, v); turns++) continue;
    v->shape = mix(v->kind + 1u, 0);
    if (!inputs(v)) return;
    uint64_t a = graph->v[v->in[0]].shape, b = graph->v[v->in[1]].shape;
    if (commutes(v->kind) && a < b) {
        uint8_t swap = v->in[0];
        v->in[0] = v->in[1], v->in[1] = swap;
        uint64_t t = a;
        a = b, b = t;
    }
    v->shape = mix(mix(v->shape, a), b);
    if (inputs(v) == 3) v->shape = mix(v->shape, graph->v[v->in[2]].shape);
}

static void count_uses(const vertices *graph, int at, int *uses)
{
    if (uses[at]++) return;
    for (int k = 0; k < inputs(&graph->v[at]); k++) count_uses(graph, graph->v[at].in[k], uses);
}

/* Sums and differences with a product that nothing else uses become fma's: one operation less. */
static void fuse(vertices *graph)
{
    int uses[MOST_VERTICES] = {0};
    count_uses(graph, graph->root, uses);
    for (int i = 0; i < graph->count; i++) {
        vertex *v = &graph->v[i];
        if (!uses[i] || (v->kind != CODE_ADD && v->kind != CODE_SUB) || v->in[0] == v->in[1]) continue;
        const vertex *a = &graph->v[v->in[0]], *b = &graph->v[v->in[1]];
        if (a->kind == CODE_MUL && uses[v->in[0]] == 1)
            *v = (vertex){.kind = v->kind == CODE_ADD ? CODE_FMA : CODE_FMS, .in = {a->in[0], a->in[1], v->in[1]}};
        else if (b->kind == CODE_MUL && uses[v->in[1]] == 1)
            *v = (vertex){.kind = v->kind == CODE_ADD ? CODE_FMA : CODE_FNMA, .in = {b->in[0], b->in[1], v->in[0]}};
    }
}

/* Where emitted vertices stand: constants as they come, steps from STEP on until all constants are known. */
enum { STEP = 128 };
typedef struct emission {
    evolve_genome g;
    bool fresh[EVOLVE_MOST_CONSTANTS], full;
    uint8_t place[MOST_VERTICES];
    int most_ops;
} emission;

static uint8_t emit_step(emission *out, function_code_step step)
{
    for (int s = 0; s < out->g.steps; s++) /* an equal one is there already */
        if (memcmp(&out->g.step[s], &step, sizeof step) == 0) return (uint8_t)(STEP + s);
    if (out->g.steps == out->most_ops) {
        out->full = true;
        return 0;
    }
    out->g.step[out->g.steps] = step;
    return (uint8_t)(STEP + out->g.steps++);
}

static uint8_t emit(const vertices *graph, int at, emission *out)
{
    const vertex *v = &graph->v[at];
    if (out->full || v->kind == ARGUMENT) return 0;
    if (out->place[at] != NO_VERTEX) return out->place[at];
    uint8_t in[3] = {0};
    for (int k = 0; k < inputs(v); k++) in[k] = emit(graph, v->in[k], out);
    if (v->kind != CONSTANT) return out->place[at] = emit_step(out, (function_code_step){v->kind, in[0], in[1], in[2]});
    if (out->g.constants == EVOLVE_MOST_CONSTANTS) {
        out->full = true;
        return 0;
    }
    out->g.constant[out->g.constants] = v->value;
    out->fresh[out->g.constants] = v->fresh;
    return out->place[at] = ++out->g.constants;
}

/* The normal form of a graph; false when it has too many operations or constants. */
static bool fold(vertices *graph, const evolve_options *options, evolve_genome *g, bool *fresh)
{
    bool done[MOST_VERTICES] = {false};
    simplify(graph, graph->root, done);
    if (graph->full) return false;
    if (options->fma) fuse(graph);
    emission out;
    memset(&out, 0, sizeof out);
    memset(out.place, NO_VERTEX, sizeof out.place);
    out.most_ops = options->most_ops;
    emit(graph, graph->root, &out);
    if (out.full) return false;
    for (int s = 0; s < out.g.steps; s++) {
        uint8_t *operand[3] = {&out.g.step[s].a, &out.g.step[s].b, &out.g.step[s].c};
        for (int k = 0; k < 3; k++)
            if (*operand[k] >= STEP) *operand[k] = (uint8_t)(*operand[k] - STEP + 1 + out.g.constants);
    }
    *g = out.g;
    memcpy(fresh, out.fresh, sizeof out.fresh);
    return true;
}

bool evolve_genome_valid(const evolve_genome *g, const evolve_options *options)
{
    if (g->steps > options->most_ops || g->constants > EVOLVE_MOST_CONSTANTS) return false;
    if (!g->steps && g->constants > 1) return false;
    for (int s = 0; s < g->steps; s++) {
        const function_code_step *step = &g->step[s];
        int known = 1 + g->constants + s;
        if (step->op >= CODE_OPS || step->a >= known || step->b >= known || step->c >= known) return false;
        if (step->op < CODE_FMA ? step->c != 0 : !options->fma) return false;
        if (step->op == CODE_DIV && !options->divide) return false;
    }
    return true;
}

uint64_t evolve_genome_hash(const evolve_genome *g)
{
    static const double probe[EVOLVE_PROBES] = {0.31, 0.72, 1.13, -0.44};
    uint64_t hash = g->constants;
    for (int p = 0; p < EVOLVE_PROBES; p++) {
        double value[EVOLVE_VALUES] = {probe[p]};
        int count = 1;
        for (int k = 0; k < g->constants; k++, count++) value[count] = 0.7 + 1.618 * k - 0.37 * k * k;
        for (int s = 0; s < g->steps; s++, count++) {
            const function_code_step *step = &g->step[s];
            value[count] = apply(step->op, value[step->a], value[step->b], value[step->c]);
        }
        int exponent;
        double mantissa = frexp(value[count - 1], &exponent);
        if (!isfinite(mantissa)) mantissa = exponent = 0;
        hash = mix(mix(hash, (uint64_t)(int64_t)rint(mantissa * 0x1p36)), (uint64_t)(int64_t)exponent);
    }
    return hash;
}

/* ---- mutations ----------------------------------------------------------------------------------------------- */

double evolve_random_constant(nigh_rng *rng)
{
    double size = pow(10, -4 + 10 * nigh_rng_f64(rng));
    return nigh_rng_u32(rng) & 1 ? size : -size;
}

static bool depends(const vertices *graph, int at, int on)
{
    if (at == on) return true;
    for (int k = 0; k < inputs(&graph->v[at]); k++)
        if (depends(graph, graph->v[at].in[k], on)) return true;
    return false;
}

static int random_op(const evolve_options *options, nigh_rng *rng)
{
    int ops[CODE_OPS], count = 0;
    for (int op = 0; op < CODE_OPS; op++)
        if (op < CODE_DIV || (op == CODE_DIV && options->divide) || (op > CODE_DIV && options->fma)) ops[count++] = op;
    return ops[nigh_rng_below(rng, (uint64_t)count)];
}

/* A vertex of the first `known` that does not depend on `on` (-1: none is excluded). */
static uint8_t old_vertex(const vertices *graph, int known, int on, nigh_rng *rng)
{
    for (int tries = 0; tries < 32; tries++) {
        int at = (int)nigh_rng_below(rng, (uint64_t)known);
        if (on < 0 || !depends(graph, at, on)) return (uint8_t)at;
    }
    return 0;
}

/*
 * Another input: a new constant, the vertex `twin` itself (a square), an old vertex, or a new operation on such. The last is
 * what lets a whole term such as c / (u + c) appear at once, whose parts alone would gain nothing.
 */
static uint8_t other_input(vertices *graph, int known, int on, int twin, int depth, const evolve_options *options, nigh_rng *rng)
{
    double chance = nigh_rng_f64(rng);
    if (chance < 0.4) return add_constant(graph, 0, true);
    if (chance < 0.5 && twin >= 0) return (uint8_t)twin;
    if (chance < 0.75 || depth == 0) return old_vertex(graph, known, on, rng);
    vertex v = {.kind = (uint8_t)random_op(options, rng)};
    for (int k = 0; k < inputs(&v); k++) v.in[k] = other_input(graph, known, on, -1, depth - 1, options, rng);
    return add_vertex(graph, v);
}

/* Where a random edge ends: the input of an operation, or the output. *on: whose input it is, -1 for the output. */
static uint8_t *random_edge(vertices *graph, uint8_t *output, nigh_rng *rng, int *on)
{
    int edges = 1;
    for (int i = 0; i < graph->count; i++) edges += inputs(&graph->v[i]);
    int chosen = (int)nigh_rng_below(rng, (uint64_t)edges);
    *on = -1;
    *output = (uint8_t)graph->root;
    for (int i = 0; i < graph->count && chosen > 0; i++) {
        if (chosen <= inputs(&graph->v[i])) {
            *on = i;
            return &graph->v[i].in[chosen - 1];
        }
        chosen -= inputs(&graph->v[i]);
    }
    return output;
}

static void insert(vertices *graph, const evolve_options *options, nigh_rng *rng)
{
    enum { DEPTH = 3 };
    int on, known = graph->count;
    uint8_t output, *edge = random_edge(graph, &output, rng, &on), from = *edge;
    vertex v = {.kind = (uint8_t)random_op(options, rng)};
    int port = (int)nigh_rng_below(rng, (uint64_t)inputs(&v));
    for (int k = 0; k < inputs(&v); k++) v.in[k] = k == port ? from : other_input(graph, known, on, from, DEPTH, options, rng);
    *edge = add_vertex(graph, v);
    graph->root = output;
}

static void rewire(vertices *graph, const evolve_options *options, nigh_rng *rng)
{
    int on, known = graph->count;
    uint8_t output, *edge = random_edge(graph, &output, rng, &on);
    *edge = other_input(graph, known, on, -1, 1, options, rng);
    if (on < 0) graph->root = output;
}

/* A random operation, or -1. */
static int random_step(const vertices *graph, nigh_rng *rng)
{
    int steps[MOST_VERTICES], count = 0;
    for (int i = 0; i < graph->count; i++)
        if (inputs(&graph->v[i])) steps[count++] = i;
    return count ? steps[nigh_rng_below(rng, (uint64_t)count)] : -1;
}

static void take_out(vertices *graph, nigh_rng *rng)
{
    int at = random_step(graph, rng);
    if (at < 0) return;
    uint8_t heir = graph->v[at].in[nigh_rng_below(rng, (uint64_t)inputs(&graph->v[at]))];
    for (int i = 0; i < graph->count; i++)
        for (int k = 0; k < inputs(&graph->v[i]); k++)
            if (graph->v[i].in[k] == at) graph->v[i].in[k] = heir;
    if (graph->root == at) graph->root = heir;
}

static void change_op(vertices *graph, const evolve_options *options, nigh_rng *rng)
{
    int at = random_step(graph, rng);
    if (at < 0) return;
    vertex *v = &graph->v[at];
    int before = inputs(v);
    v->kind = (uint8_t)random_op(options, rng);
    if (inputs(v) > before) {
        int known = graph->count;
        uint8_t third = other_input(graph, known, at, -1, 0, options, rng);
        graph->v[at].in[2] = third;
    } else if (inputs(v) < 3) v->in[2] = 0;
    if (nigh_rng_u32(rng) & 1) {
        uint8_t swap = v->in[0];
        v->in[0] = v->in[1], v->in[1] = swap;
    }
}

bool evolve_mutate(evolve_genome *g, const evolve_options *options, nigh_rng *rng, bool fresh[EVOLVE_MOST_CONSTANTS])
{
    vertices graph;
    unfold(g, &graph);
    uint64_t kind = nigh_rng_below(rng, 9); /* insert 1 : remove 2 : rewire 3 : change of the operation 3 */
    if (kind < 1 || g->steps == 0) insert(&graph, options, rng);
    else if (kind < 3) take_out(&graph, rng);
    else if (kind < 6) rewire(&graph, options, rng);
    else change_op(&graph, options, rng);
    for (int k = 1; k <= g->constants; k++) graph.v[k].fresh = fresh[k - 1];
    evolve_genome next;
    if (graph.full || !fold(&graph, options, &next, fresh)) return false;
    *g = next;
    return true;
}
