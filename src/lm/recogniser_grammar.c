/* Facts about a grammar before any byte is read: what can end, what can be empty, left edges and their order. Declared in lm/recogniser.h. */
#include "lm/recogniser.h"

#include <string.h>

void grammar_free(grammar *g)
{
    if (!g->ctx) return;
    net_free(&g->net);
    nigh_free(g->ctx, g->start);
    *g = (grammar){0};
}

void grammar_forget(nigh_context *ctx, grammar_facts *f)
{
    nigh_free(ctx, f->alive), nigh_free(ctx, f->productive), nigh_free(ctx, f->nullable), nigh_free(ctx, f->group);
    nigh_free(ctx, f->byte_at), nigh_free(ctx, f->byte), nigh_free(ctx, f->call_at), nigh_free(ctx, f->call), nigh_free(ctx, f->last);
    *f = (grammar_facts){0};
}

/* ---- what reaches an end ---- */

typedef struct backwards {
    const grammar *g;
    uint32_t *into_at, *into;   /* nodes with a move into each node */
    uint32_t *caller_at, *caller; /* nodes that call each rule */
    uint32_t *rule_of;          /* [nodes]: the rule that starts here, or NONE */
    uint32_t *stack;
} backwards;

static void count_up(uint32_t *at, uint32_t n)
{
    for (uint32_t i = 2; i <= n; i++) at[i] += at[i - 1];
}

static nigh_status backwards_new(const grammar *g, backwards *b)
{
    nigh_context *ctx = g->ctx;
    uint32_t n = g->net.count;
    *b = (backwards){.g = g};
    b->into_at = nigh_alloc_zero(ctx, (size_t)n + 2, sizeof *b->into_at);
    b->into = nigh_alloc(ctx, sizeof *b->into * (2 * (size_t)n + 1));
    b->caller_at = nigh_alloc_zero(ctx, (size_t)g->rules + 2, sizeof *b->caller_at);
    b->caller = nigh_alloc(ctx, sizeof *b->caller * ((size_t)n + 1));
    b->rule_of = nigh_alloc(ctx, sizeof *b->rule_of * ((size_t)n + 1));
    b->stack = nigh_alloc(ctx, sizeof *b->stack * ((size_t)n + 1));
    if (!b->into_at || !b->into || !b->caller_at || !b->caller || !b->rule_of || !b->stack) return NIGH_MEMORY;
    memset(b->rule_of, 0xff, sizeof *b->rule_of * n);
    for (uint32_t r = 0; r < g->rules; r++)
        if (g->start[r] != AUTOMATON_NONE && g->start[r] != g->end) b->rule_of[g->start[r]] = r;
    for (int fill = 0; fill < 2; fill++) {
        for (uint32_t i = 0; i < n; i++) {
            const net_node *at = &g->net.node[i];
            if (at->kind == NET_END) continue;
            uint32_t two[2] = {at->out, at->kind == NET_EMPTY ? at->a : AUTOMATON_NONE};
            for (int k = 0; k < 2; k++) {
                if (two[k] == AUTOMATON_NONE) continue;
                if (fill)
                    b->into[b->into_at[two[k] + 1]++] = i;
                else
                    b->into_at[two[k] + 2]++;
            }
            if (at->kind != NET_CALL) continue;
            if (fill)
                b->caller[b->caller_at[at->a + 1]++] = i;
            else
                b->caller_at[at->a + 2]++;
        }
        if (!fill) count_up(b->into_at, n), count_up(b->caller_at, g->rules);
    }
    return NIGH_OK;
}

static void backwards_free(backwards *b)
{
    nigh_context *ctx = b->g->ctx;
    nigh_free(ctx, b->into_at), nigh_free(ctx, b->into), nigh_free(ctx, b->caller_at), nigh_free(ctx, b->caller);
    nigh_free(ctx, b->rule_of), nigh_free(ctx, b->stack);
}

/* Marks nodes from which an end is reached, by empty moves alone or also by bytes, and the rules that begin with such a node. */
static void spread(backwards *b, bool bytes, uint8_t *node, uint8_t *rule)
{
    const grammar *g = b->g;
    uint32_t depth = 0;
    node[g->end] = 1, b->stack[depth++] = g->end;
    for (uint32_t r = 0; r < g->rules; r++) rule[r] = g->start[r] == g->end;
    while (depth) {
        uint32_t i = b->stack[--depth], r = b->rule_of[i];
        if (r != AUTOMATON_NONE && !rule[r]) {
            rule[r] = 1;
            for (uint32_t k = b->caller_at[r]; k < b->caller_at[r + 1]; k++) {
                uint32_t c = b->caller[k];
                if (!node[c] && node[g->net.node[c].out]) node[c] = 1, b->stack[depth++] = c;
            }
        }
        for (uint32_t k = b->into_at[i]; k < b->into_at[i + 1]; k++) {
            uint32_t from = b->into[k], kind = g->net.node[from].kind;
            bool marks = kind == NET_EMPTY || (kind == NET_CALL ? rule[g->net.node[from].a] : bytes);
            if (!node[from] && marks) node[from] = 1, b->stack[depth++] = from;
        }
    }
}

/* ---- left edges ---- */

uint32_t grammar_skip(const grammar *g, const grammar_facts *f, uint32_t node)
{
    for (uint32_t turn = 0; turn < 64; turn++) {
        const net_node *at = &g->net.node[node];
        if (at->kind != NET_EMPTY) break;
        bool one = f->alive[at->out], other = at->a != AUTOMATON_NONE && f->alive[at->a];
        if (one == other) break;
        node = one ? at->out : at->a;
    }
    return node;
}

typedef struct edges {
    uint32_t *stamp, *stack, bytes, calls;
} edges;

/* Counts, and writes when the arrays are there. */
static void left_edge(const grammar *g, grammar_facts *f, edges *e, uint32_t rule)
{
    uint32_t depth = 0;
    if (f->productive[rule]) e->stack[depth++] = g->start[rule];
    while (depth) {
        uint32_t i = e->stack[--depth];
        if (i == AUTOMATON_NONE || !f->alive[i] || e->stamp[i] == rule + 1) continue;
        e->stamp[i] = rule + 1;
        const net_node *at = &g->net.node[i];
        if (at->kind == NET_EMPTY) {
            e->stack[depth++] = at->out, e->stack[depth++] = at->a;
        } else if (at->kind == NET_CALL) {
            if (f->call) f->call[e->calls] = (left_call){at->a, grammar_skip(g, f, at->out)};
            e->calls++;
            if (f->nullable[at->a]) e->stack[depth++] = at->out;
        } else if (at->kind != NET_END) {
            if (f->byte) f->byte[e->bytes] = i;
            e->bytes++;
        }
    }
}

static nigh_status left_edges(const grammar *g, grammar_facts *f)
{
    nigh_context *ctx = g->ctx;
    uint32_t n = g->net.count;
    edges e = {.stamp = nigh_alloc(ctx, sizeof *e.stamp * ((size_t)n + 1)), .stack = nigh_alloc(ctx, sizeof *e.stack * (2 * (size_t)n + 2))};
    f->byte_at = nigh_alloc_zero(ctx, (size_t)g->rules + 1, sizeof *f->byte_at);
    f->call_at = nigh_alloc_zero(ctx, (size_t)g->rules + 1, sizeof *f->call_at);
    nigh_status status = e.stamp && e.stack && f->byte_at && f->call_at ? NIGH_OK : NIGH_MEMORY;
    for (int fill = 0; !status && fill < 2; fill++) {
        memset(e.stamp, 0, sizeof *e.stamp * n);
        e.bytes = e.calls = 0;
        for (uint32_t r = 0; r < g->rules; r++) {
            left_edge(g, f, &e, r);
            f->byte_at[r + 1] = e.bytes, f->call_at[r + 1] = e.calls;
        }
        if (fill) break;
        f->byte = nigh_alloc(ctx, sizeof *f->byte * ((size_t)e.bytes + 1));
        f->call = nigh_alloc(ctx, sizeof *f->call * ((size_t)e.calls + 1));
        if (!f->byte || !f->call) status = NIGH_MEMORY;
    }
    nigh_free(ctx, e.stamp), nigh_free(ctx, e.stack);
    return status;
}

/* Tarjan's strongly connected components without recursion; they come out called first, so numbers are turned round at the end. */
static nigh_status order(const grammar *g, grammar_facts *f)
{
    nigh_context *ctx = g->ctx;
    uint32_t n = g->rules, depth = 0, kept = 0, met = 0;
    uint32_t *block = nigh_alloc_zero(ctx, 5 * (size_t)n + 1, sizeof *block);
    f->group = nigh_alloc(ctx, sizeof *f->group * ((size_t)n + 1));
    if (!block || !f->group) return nigh_free(ctx, block), NIGH_MEMORY;
    uint32_t *index = block, *low = block + n, *edge = block + 2 * (size_t)n, *path = block + 3 * (size_t)n, *stack = block + 4 * (size_t)n;
    memset(f->group, 0xff, sizeof *f->group * n);
    for (uint32_t root = 0; root < n; root++) {
        if (index[root]) continue;
        path[depth++] = root, stack[kept++] = root, index[root] = low[root] = ++met, edge[root] = f->call_at[root];
        while (depth) {
            uint32_t v = path[depth - 1];
            if (edge[v] < f->call_at[v + 1]) {
                uint32_t w = f->call[edge[v]++].rule;
                if (!index[w])
                    path[depth++] = w, stack[kept++] = w, index[w] = low[w] = ++met, edge[w] = f->call_at[w];
                else if (f->group[w] == AUTOMATON_NONE && index[w] < low[v])
                    low[v] = index[w];
                continue;
            }
            depth--;
            if (depth && low[v] < low[path[depth - 1]]) low[path[depth - 1]] = low[v];
            if (low[v] != index[v]) continue;
            uint32_t w;
            do {
                w = stack[--kept];
                f->group[w] = f->groups;
            } while (w != v);
            f->groups++;
        }
    }
    for (uint32_t r = 0; r < n; r++) f->group[r] = f->groups - 1 - f->group[r];
    nigh_free(ctx, block);
    return NIGH_OK;
}

nigh_status grammar_learn(const grammar *g, grammar_facts *f)
{
    nigh_context *ctx = g->ctx;
    backwards b;
    *f = (grammar_facts){0};
    nigh_status status = backwards_new(g, &b);
    f->alive = nigh_alloc_zero(ctx, (size_t)g->net.count + 1, 1);
    f->productive = nigh_alloc_zero(ctx, (size_t)g->rules + 1, 1);
    f->nullable = nigh_alloc_zero(ctx, (size_t)g->rules + 1, 1);
    f->last = nigh_alloc(ctx, sizeof *f->last * ((size_t)g->net.classes + 1));
    if (!f->alive || !f->productive || !f->nullable || !f->last) status = NIGH_MEMORY;
    if (!status) {
        spread(&b, false, f->alive, f->nullable);
        memset(f->alive, 0, g->net.count);
        spread(&b, true, f->alive, f->productive);
        for (uint32_t i = 0; i < g->net.classes; i++) {
            const automaton *a = g->net.class[i].automaton;
            f->last[i] = AUTOMATON_NONE;
            for (uint32_t s = 0; s < a->states; s++) {
                bool moves = false;
                for (uint32_t c = 0; !moves && c < a->classes; c++) moves = a->next[(size_t)s * a->classes + c] != AUTOMATON_NONE;
                if (!moves) f->last[i] = s;
            }
        }
        status = left_edges(g, f);
    }
    if (!status) status = order(g, f);
    backwards_free(&b);
    if (status) grammar_forget(ctx, f);
    return status;
}
