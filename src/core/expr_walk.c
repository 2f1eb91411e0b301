/* Value hashes of expressions and their enumeration by size, one of each class of observational equivalence. */
#include "core/expr.h"

#include <string.h>

/* ---- hash ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A double without its last 12 bits (rounded to nearest), one NaN, one zero. */
static uint64_t rounded_bits(double value)
{
    uint64_t bits;
    if (value != value) return 0x7ff8000000000000u;
    if (value == 0) return 0;
    memcpy(&bits, &value, sizeof bits);
    return (bits + 0x800) & ~(uint64_t)0xfff;
}

static uint64_t hash_values(uint64_t hash, int64_t n, const double *values)
{
    for (int64_t i = 0; i < n; i++) hash = mix(hash + 0x9e3779b97f4a7c15u + rounded_bits(values[i]));
    return hash;
}

uint64_t nigh_expr_hash(const nigh_expr *expr, int64_t n, const double *const *columns, void *workspace)
{
    const double *shifted[NIGH_EXPR_MAX_VARIABLES];
    double *values = (double *)workspace + (size_t)expr->slots * EXPR_BLOCK;
    uint64_t hash = (uint64_t)n;
    for (int64_t row = 0; row < n; row += EXPR_BLOCK) {
        int64_t m = n - row < EXPR_BLOCK ? n - row : EXPR_BLOCK;
        for (int v = 0; v < expr->variables; v++) shifted[v] = columns[v] + row;
        expr_eval_f64_with(&expr_kernels_f64_scalar, expr, m, shifted, values, workspace);
        hash = hash_values(hash, m, values);
    }
    return hash;
}

/* ---- enumeration ---- */

/* Sizes up to 101 need at most 100 operations. */
enum { MOST_SIZE = NIGH_EXPR_MAX_OPS + 1 };

typedef struct entry {
    int op; /* -1: variable or constant number a */
    int a, b;
} entry;

struct nigh_expr_walk {
    nigh_context *ctx;
    nigh_op ops[NIGH_OP_COUNT];
    double constants[NIGH_EXPR_MAX_CONSTANTS];
    const double *const *columns;
    int n_ops, n_constants, variables;
    int64_t n, most, count, room;
    entry *entries;       /* [room] */
    double *values;       /* [room][n] */
    uint64_t *table;      /* open addressing, hash | 1; 0: free */
    int64_t table_size;
    int64_t first[MOST_SIZE + 2]; /* index of the first entry of each size; first[size + 1] while it is filled */
    int size, op, left;   /* what is tried next: leaves are size 1 */
    int64_t i, j;
};

static bool check_grammar_ops(const nigh_expr_grammar *g)
{
    for (int k = 0; k < g->n_ops; k++)
        if ((unsigned)g->ops[k] >= NIGH_OP_COUNT) return false;
    return true;
}

nigh_status nigh_expr_walk_new(nigh_context *ctx, const nigh_expr_grammar *g, nigh_expr_walk **out)
{
    if (g->n_ops < 1 || g->n_ops > NIGH_OP_COUNT || !check_grammar_ops(g))
        return nigh_fail(ctx, NIGH_INVALID, "%d operations; 1 to %d known ones are allowed", g->n_ops, (int)NIGH_OP_COUNT);
    if (g->n_constants < 0 || g->n_constants > NIGH_EXPR_MAX_CONSTANTS || g->variables < 0 ||
        g->variables > NIGH_EXPR_MAX_VARIABLES || g->n_constants + g->variables == 0)
        return nigh_fail(ctx, NIGH_INVALID, "%d variables and %d constants; 0 to %d and 0 to %d, together at least one, are allowed",
                         g->variables, g->n_constants, NIGH_EXPR_MAX_VARIABLES, NIGH_EXPR_MAX_CONSTANTS);
    if (g->n < 1 || g->n > EXPR_BLOCK) return nigh_fail(ctx, NIGH_INVALID, "%lld rows; 1 to %d are allowed", (long long)g->n, EXPR_BLOCK);
    if (g->most < 1 || g->most > 10000000)
        return nigh_fail(ctx, NIGH_INVALID, "most is %lld; 1 to 10000000 is allowed", (long long)g->most);
    nigh_expr_walk *walk = nigh_alloc_zero(ctx, 1, sizeof *walk);
    if (!walk) return NIGH_MEMORY;
    walk->ctx = ctx;
    memcpy(walk->ops, g->ops, (size_t)g->n_ops * sizeof *g->ops);
    if (g->n_constants) memcpy(walk->constants, g->constants, (size_t)g->n_constants * sizeof(double));
    walk->columns = g->columns;
    walk->n_ops = g->n_ops, walk->n_constants = g->n_constants, walk->variables = g->variables;
    walk->n = g->n, walk->most = g->most;
    walk->size = 1;
    *out = walk;
    return NIGH_OK;
}

void nigh_expr_walk_free(nigh_expr_walk *walk)
{
    if (!walk) return;
    nigh_free(walk->ctx, walk->entries);
    nigh_free(walk->ctx, walk->values);
    nigh_free(walk->ctx, walk->table);
    nigh_free(walk->ctx, walk);
}

/* Doubles the table of hashes when it is half full. */
static nigh_status grow_table(nigh_expr_walk *walk)
{
    if (walk->table_size > 2 * (walk->count + 1)) return NIGH_OK;
    int64_t size = walk->table_size ? 2 * walk->table_size : 1024;
    uint64_t *table = nigh_alloc_zero(walk->ctx, (size_t)size, sizeof *table);
    if (!table) return NIGH_MEMORY;
    for (int64_t k = 0; k < walk->table_size; k++) {
        if (!walk->table[k]) continue;
        int64_t at = (int64_t)(walk->table[k] >> 1) & (size - 1);
        while (table[at]) at = (at + 1) & (size - 1);
        table[at] = walk->table[k];
    }
    nigh_free(walk->ctx, walk->table);
    walk->table = table;
    walk->table_size = size;
    return NIGH_OK;
}

static nigh_status grow_entries(nigh_expr_walk *walk)
{
    if (walk->count < walk->room) return NIGH_OK;
    int64_t room = walk->room ? 2 * walk->room : 256;
    entry *entries = nigh_resize(walk->ctx, walk->entries, (size_t)room * sizeof *entries);
    if (!entries) return NIGH_MEMORY;
    walk->entries = entries;
    double *values = nigh_resize(walk->ctx, walk->values, (size_t)(room * walk->n) * sizeof *values);
    if (!values) return NIGH_MEMORY;
    walk->values = values;
    walk->room = room;
    return NIGH_OK;
}

/* The candidate's values stand behind the kept ones; keeps it when they are finite and new. */
static bool keep(nigh_expr_walk *walk, entry candidate)
{
    const double *values = walk->values + walk->count * walk->n;
    for (int64_t k = 0; k < walk->n; k++)
        if (!isfinite(values[k])) return false;
    uint64_t hash = hash_values(0, walk->n, values) | 1;
    int64_t at = (int64_t)(hash >> 1) & (walk->table_size - 1);
    for (; walk->table[at]; at = (at + 1) & (walk->table_size - 1))
        if (walk->table[at] == hash) return false;
    walk->table[at] = hash;
    walk->entries[walk->count++] = candidate;
    return true;
}

static bool try_leaf(nigh_expr_walk *walk, int leaf)
{
    double *values = walk->values + walk->count * walk->n;
    for (int64_t k = 0; k < walk->n; k++)
        values[k] = leaf < walk->variables ? walk->columns[leaf][k] : walk->constants[leaf - walk->variables];
    return keep(walk, (entry){-1, leaf, leaf});
}

static bool try_step(nigh_expr_walk *walk, nigh_op op, int64_t a, int64_t b)
{
    const double *left = walk->values + a * walk->n, *right = walk->values + b * walk->n;
    expr_kernels_f64_scalar.op[op](walk->n, left, right, 0, walk->values + walk->count * walk->n);
    return keep(walk, (entry){(int)op, (int)a, (int)b});
}

/* Moves on to the next (operation, size of the left part); false when this size has no more. */
static bool next_shape(nigh_expr_walk *walk)
{
    bool two = nigh_op_arguments(walk->ops[walk->op]) == 2;
    if (two && walk->left < walk->size - 2)
        walk->left++;
    else {
        walk->op++;
        walk->left = 1;
    }
    walk->i = walk->j = -1;
    return walk->op < walk->n_ops;
}

/* Next pair of arguments of the present shape; false when there is none. */
static bool next_pair(nigh_expr_walk *walk)
{
    nigh_op op = walk->ops[walk->op];
    bool two = nigh_op_arguments(op) == 2;
    int left = two ? walk->left : walk->size - 1, right = two ? walk->size - 1 - left : 0;
    if (left < 1 || (two && right < 1)) return false;
    int64_t end = walk->first[left + 1];
    if (!two) {
        walk->i = walk->i < 0 ? walk->first[left] : walk->i + 1;
        walk->j = walk->i;
        return walk->i < end;
    }
    if (expr_op_commutes(op) && left > right) return false;
    if (walk->first[right] == walk->first[right + 1]) return false;
    if (walk->i >= 0 && ++walk->j < walk->first[right + 1]) return walk->i < end;
    walk->i = walk->i < 0 ? walk->first[left] : walk->i + 1;
    walk->j = expr_op_commutes(op) && left == right ? walk->i : walk->first[right];
    return walk->i < end;
}

/* True when no size from the present one on can have a new expression. */
static bool exhausted(const nigh_expr_walk *walk)
{
    int largest = 0;
    for (int s = 1; s < walk->size; s++)
        if (walk->first[s + 1] > walk->first[s]) largest = s;
    return walk->size > MOST_SIZE || (walk->size > 1 && (largest == 0 || walk->size > 2 * largest + 1));
}

/* Looks for the next new expression; false at the end. */
static nigh_status search(nigh_expr_walk *walk, bool *found)
{
    *found = false;
    for (int64_t tried = 0; walk->count < walk->most; tried++) {
        nigh_status status = grow_table(walk);
        if (status == NIGH_OK) status = grow_entries(walk);
        if (status == NIGH_OK && tried % 1024 == 0) status = nigh_poll(walk->ctx);
        if (status != NIGH_OK) return status;
        if (walk->size == 1) {
            if (walk->op < walk->variables + walk->n_constants) {
                if ((*found = try_leaf(walk, walk->op++))) return NIGH_OK;
                continue;
            }
        } else if (next_pair(walk)) {
            if ((*found = try_step(walk, walk->ops[walk->op], walk->i, walk->j))) return NIGH_OK;
            continue;
        } else if (next_shape(walk))
            continue;
        walk->first[++walk->size] = walk->count;
        walk->op = 0, walk->left = 1;
        walk->i = walk->j = -1;
        if (exhausted(walk)) {
            walk->most = walk->count;
            return NIGH_OK;
        }
    }
    return NIGH_OK;
}

/* Adds entry `index` to a program; gives its value number. At most 100 steps: its size is at most 101. */
static int unfold(const nigh_expr_walk *walk, int64_t index, expr_draft *draft)
{
    const entry *e = &walk->entries[index];
    if (e->op < 0) return e->a < walk->variables ? e->a : expr_draft_constant(draft, walk->constants[e->a - walk->variables]);
    int a = unfold(walk, e->a, draft), b = e->b == e->a ? a : unfold(walk, e->b, draft);
    return expr_draft_step(draft, (nigh_op)e->op, a, b);
}

nigh_status nigh_expr_walk_next(nigh_expr_walk *walk, nigh_expr **out)
{
    bool found;
    nigh_status status = search(walk, &found);
    if (status != NIGH_OK) return status;
    if (!found) {
        *out = NULL;
        return NIGH_OK;
    }
    expr_draft *draft = nigh_alloc_zero(walk->ctx, 1, sizeof *draft);
    if (!draft) return NIGH_MEMORY;
    int root = unfold(walk, walk->count - 1, draft);
    status = expr_draft_finish(walk->ctx, draft, NULL, walk->variables, root, false, out);
    nigh_free(walk->ctx, draft);
    return status;
}

int nigh_expr_walk_size(const nigh_expr_walk *walk)
{
    return walk->count ? walk->size : 0;
}

const double *nigh_expr_walk_values(const nigh_expr_walk *walk)
{
    return walk->count ? walk->values + (walk->count - 1) * walk->n : NULL;
}
