/* Orders and L D L^T for sparse symmetric matrices; see sparse.h. Davis, "Direct Methods for Sparse Linear Systems", chapters 4 and 7. */
#include "tensor/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef NIGH_HAVE_SUITESPARSE
#include <amd.h>
#endif

typedef struct graph {
    int64_t *start, *to; /* both triangles, without the diagonal */
} graph;

static nigh_status graph_of(nigh_context *ctx, const nigh_sparse *a, graph *g)
{
    int64_t n = a->rows;
    *g = (graph){nigh_alloc_zero(ctx, (size_t)n + 2, sizeof *g->start), nigh_alloc_zero(ctx, 2 * (size_t)nigh_sparse_count(a) + 1, sizeof *g->to)};
    if (!g->start || !g->to) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1] && a->column[p] < i; p++) g->start[i + 2]++, g->start[a->column[p] + 2]++;
    for (int64_t i = 0; i < n; i++) g->start[i + 2] += g->start[i + 1];
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1] && a->column[p] < i; p++) {
            int64_t j = a->column[p];
            g->to[g->start[i + 1]++] = j, g->to[g->start[j + 1]++] = i;
        }
    return NIGH_OK;
}

static void graph_free(nigh_context *ctx, graph *g)
{
    nigh_free(ctx, g->start);
    nigh_free(ctx, g->to);
}

static int64_t degree(const graph *g, int64_t i) { return g->start[i + 1] - g->start[i]; }

/* Breadth first from `root` into list; neighbours by rising degree. level[] < 0: not reached yet. Nodes reached. */
static int64_t walk(const graph *g, int64_t root, int64_t mark, int64_t *level, int64_t *list)
{
    int64_t count = 1;
    list[0] = root, level[root] = mark;
    for (int64_t at = 0; at < count; at++) {
        int64_t first = count;
        for (int64_t p = g->start[list[at]]; p < g->start[list[at] + 1]; p++) {
            int64_t next = g->to[p], place = count;
            if (level[next] == mark) continue;
            level[next] = mark;
            for (; place > first && degree(g, list[place - 1]) > degree(g, next); place--) list[place] = list[place - 1];
            list[place] = next, count++;
        }
    }
    return count;
}

nigh_status sparse_order_rcm(nigh_context *ctx, const nigh_sparse *a, int64_t *order)
{
    int64_t n = a->rows, done = 0;
    graph g;
    int64_t *level = nigh_alloc(ctx, (size_t)n * sizeof *level);
    nigh_status status = graph_of(ctx, a, &g);
    if (!level) status = NIGH_MEMORY;
    if (status) goto end;
    for (int64_t i = 0; i < n; i++) level[i] = -1;
    for (int64_t i = 0; i < n; i++) {
        if (level[i] >= 0) continue;
        int64_t root = i, count = 0;
        for (int64_t round = 0; round < 3; round++) { /* the last node of a walk is far away: a better root */
            count = walk(&g, root, 3 * i + round, level, order + done);
            if (round < 2) root = order[done + count - 1];
        }
        done += count;
    }
    for (int64_t i = 0; i < n / 2; i++) {
        int64_t swap = order[i];
        order[i] = order[n - 1 - i], order[n - 1 - i] = swap;
    }
end:
    nigh_free(ctx, level);
    graph_free(ctx, &g);
    return status;
}

nigh_status sparse_order(nigh_context *ctx, const nigh_sparse *a, int64_t *order)
{
#ifdef NIGH_HAVE_SUITESPARSE
    graph g;
    nigh_status status = graph_of(ctx, a, &g);
    /* AMD takes its pattern sorted or not; these lists are without doubles. */
    if (!status && amd_l_order(a->rows, (const SuiteSparse_long *)g.start, (const SuiteSparse_long *)g.to, (SuiteSparse_long *)order, NULL, NULL) < 0)
        status = nigh_fail(ctx, NIGH_MEMORY, "no memory for the order of a sparse matrix of %lld x %lld", (long long)a->rows, (long long)a->cols);
    graph_free(ctx, &g);
    return status;
#else
    return sparse_order_rcm(ctx, a, order);
#endif
}

void sparse_ldl_free(sparse_ldl *f)
{
    nigh_free(f->ctx, f->order);
    nigh_free(f->ctx, f->start);
    nigh_free(f->ctx, f->row);
    nigh_free(f->ctx, f->value);
    nigh_free(f->ctx, f->diagonal);
    nigh_free(f->ctx, f->work);
}

/* What the elimination needs: the upper triangle of the permuted matrix by columns, and integers per row. */
typedef struct upper {
    int64_t *start, *row, *parent, *flag, *used, *pattern;
    double *value;
} upper;

static void upper_free(nigh_context *ctx, upper *u)
{
    nigh_free(ctx, u->start);
    nigh_free(ctx, u->row);
    nigh_free(ctx, u->value);
}

static nigh_status upper_of(nigh_context *ctx, const nigh_sparse *a, const int64_t *order, upper *u)
{
    int64_t n = a->rows;
    *u = (upper){.start = nigh_alloc_zero(ctx, 5 * (size_t)n + 2, sizeof *u->start), .row = nigh_alloc_zero(ctx, (size_t)nigh_sparse_count(a) + 1, sizeof *u->row),
                 .value = nigh_alloc_zero(ctx, (size_t)nigh_sparse_count(a) + 1, sizeof *u->value)};
    if (!u->start || !u->row || !u->value) return NIGH_MEMORY;
    u->parent = u->start + n + 2, u->flag = u->parent + n, u->used = u->flag + n, u->pattern = u->used + n;
    int64_t *place = u->flag; /* where row i goes; free until the elimination */
    for (int64_t k = 0; k < n; k++) place[order[k]] = k;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = a->start[i]; p < a->start[i + 1] && a->column[p] <= i; p++) {
                int64_t x = place[i], y = place[a->column[p]], col = x > y ? x : y, row = x > y ? y : x;
                if (pass == 0) {
                    u->start[col + 2]++;
                } else {
                    int64_t to = u->start[col + 1]++;
                    u->row[to] = row, u->value[to] = a->value[p];
                }
            }
        for (int64_t k = 0; k < n && pass == 0; k++) u->start[k + 2] += u->start[k + 1];
    }
    return NIGH_OK;
}

/* Entries of every column of L into used[], the elimination tree into parent[]. */
static void symbolic(int64_t n, upper *u)
{
    for (int64_t k = 0; k < n; k++) {
        u->parent[k] = -1, u->flag[k] = k, u->used[k] = 0;
        for (int64_t p = u->start[k]; p < u->start[k + 1]; p++)
            for (int64_t i = u->row[p]; u->flag[i] != k; i = u->parent[i]) {
                if (u->parent[i] < 0) u->parent[i] = k;
                u->used[i]++, u->flag[i] = k;
            }
    }
}

/* Row k of L: solves with the rows before along the paths of the tree from the entries of column k. False: pivot 0. */
static bool eliminate(int64_t k, int64_t n, upper *u, sparse_ldl *f)
{
    double *y = f->work;
    int64_t top = n;
    f->diagonal[k] = 0, u->flag[k] = k;
    double size = 0;
    for (int64_t p = u->start[k]; p < u->start[k + 1]; p++) {
        int64_t length = 0;
        y[u->row[p]] += u->value[p];
        size = fmax(size, fabs(u->value[p]));
        for (int64_t i = u->row[p]; u->flag[i] != k; i = u->parent[i]) u->pattern[length++] = i, u->flag[i] = k;
        while (length > 0) u->pattern[--top] = u->pattern[--length];
    }
    f->diagonal[k] = y[k], y[k] = 0;
    for (; top < n; top++) {
        int64_t i = u->pattern[top], last = f->start[i] + u->used[i], p = f->start[i];
        double yi = y[i], l = yi / f->diagonal[i];
        y[i] = 0;
        for (; p < last; p++) y[f->row[p]] -= f->value[p] * yi;
        f->diagonal[k] -= l * yi;
        f->row[p] = k, f->value[p] = l, u->used[i]++;
        size = fmax(size, fabs(l * yi));
    }
    return fabs(f->diagonal[k]) > 0x1p-50 * size;
}

nigh_status sparse_ldl_new(nigh_context *ctx, const nigh_sparse *a, const int64_t *order, sparse_ldl *out)
{
    int64_t n = a->rows;
    upper u;
    sparse_ldl f = {.ctx = ctx, .n = n};
    nigh_status status = upper_of(ctx, a, order, &u);
    f.order = nigh_alloc_zero(ctx, (size_t)n, sizeof *f.order), f.start = nigh_alloc_zero(ctx, (size_t)n + 1, sizeof *f.start);
    f.diagonal = nigh_alloc_zero(ctx, (size_t)n, sizeof *f.diagonal), f.work = nigh_alloc_zero(ctx, (size_t)n, sizeof *f.work);
    if (!f.order || !f.start || !f.diagonal || !f.work) status = NIGH_MEMORY;
    if (!status) {
        memcpy(f.order, order, (size_t)n * sizeof *order);
        symbolic(n, &u);
        for (int64_t k = 0; k < n; k++) f.start[k + 1] = f.start[k] + u.used[k], u.used[k] = 0;
        f.row = nigh_alloc_zero(ctx, (size_t)f.start[n] + 1, sizeof *f.row), f.value = nigh_alloc_zero(ctx, (size_t)f.start[n] + 1, sizeof *f.value);
        if (!f.row || !f.value) status = NIGH_MEMORY;
    }
    for (int64_t k = 0; k < n && !status; k++) {
        if (k % 1024 == 0) status = nigh_poll(ctx);
        if (!status && !eliminate(k, n, &u, &f))
            status = nigh_fail(ctx, NIGH_INVALID, "the sparse matrix of %lld x %lld is singular to working precision: pivot of row %lld is %g", (long long)n, (long long)n,
                               (long long)order[k], f.diagonal[k]);
    }
    upper_free(ctx, &u);
    if (status)
        sparse_ldl_free(&f);
    else
        *out = f;
    return status;
}

void sparse_ldl_solve(const sparse_ldl *f, int64_t q, const double *b, double *x)
{
    double *y = f->work;
    for (int64_t c = 0; c < q; c++) {
        for (int64_t k = 0; k < f->n; k++) y[k] = b[f->order[k] * q + c];
        for (int64_t k = 0; k < f->n; k++)
            for (int64_t p = f->start[k]; p < f->start[k + 1]; p++) y[f->row[p]] -= f->value[p] * y[k];
        for (int64_t k = 0; k < f->n; k++) y[k] /= f->diagonal[k];
        for (int64_t k = f->n - 1; k >= 0; k--)
            for (int64_t p = f->start[k]; p < f->start[k + 1]; p++) y[k] -= f->value[p] * y[f->row[p]];
        for (int64_t k = 0; k < f->n; k++) x[f->order[k] * q + c] = y[k];
    }
}
