/* A^T A of sparse rows as a sparse matrix. */
#include "reduce/squares.h"

#include <stdlib.h>
#include <string.h>

static int by_column(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

enum { MOST_ENTRIES = 200000000 };

/* Room for `more` entries behind those that are there. */
static nigh_status grow(nigh_context *ctx, nigh_sparse *g, int64_t held, int64_t more, int64_t *room)
{
    if (held + more <= *room) return NIGH_OK;
    int64_t next = held + more > 2 * *room ? held + more : 2 * *room;
    if (held + more > MOST_ENTRIES)
        return nigh_fail(ctx, NIGH_RESOURCE, "A^T A has more than %d entries: too many for normal equations", (int)MOST_ENTRIES);
    int32_t *column = nigh_resize(ctx, g->column, (size_t)next * sizeof *column);
    if (column) g->column = column;
    double *value = column ? nigh_resize(ctx, g->value, (size_t)next * sizeof *value) : NULL;
    if (value) g->value = value;
    *room = next;
    return column && value ? NIGH_OK : NIGH_MEMORY;
}

/* Row j of the lower triangle: each row of A with an entry in column j adds its entries up to j. */
static int64_t one_row(const rows *r, const nigh_sparse *across, int64_t j, double *sum, int64_t *mark, int32_t *list)
{
    const nigh_sparse *a = r->problem->sparse;
    int64_t count = 0;
    for (int64_t k = across->start[j]; k < across->start[j + 1]; k++) {
        int64_t i = across->column[k];
        double v = across->value[k] * (r->problem->weight ? r->problem->weight[i] : 1);
        for (int64_t e = a->start[i]; e < a->start[i + 1] && a->column[e] <= j; e++) {
            int32_t c = a->column[e];
            if (mark[c] != j) mark[c] = j, sum[c] = 0, list[count++] = c;
            sum[c] += v * a->value[e];
        }
    }
    if (r->penalty && mark[j] != j) mark[j] = j, sum[j] = 0, list[count++] = (int32_t)j;
    if (r->penalty) sum[j] += r->penalty[j];
    qsort(list, (size_t)count, sizeof *list, by_column);
    return count;
}

nigh_status rows_gram_sparse(const rows *r, nigh_sparse **gram, double *c)
{
    nigh_context *ctx = r->ctx;
    int64_t d = r->problem->d, room = 1024;
    nigh_sparse *across = NULL, *g = nigh_alloc_zero(ctx, 1, sizeof *g);
    double *sum = nigh_alloc(ctx, (size_t)d * sizeof *sum);
    int64_t *mark = nigh_alloc(ctx, (size_t)d * sizeof *mark);
    int32_t *list = nigh_alloc(ctx, (size_t)d * sizeof *list);
    nigh_status status = g && sum && mark && list ? nigh_sparse_transpose(ctx, r->problem->sparse, &across) : NIGH_MEMORY;
    if (!status) {
        *g = (nigh_sparse){d, d, nigh_alloc_zero(ctx, (size_t)d + 1, sizeof *g->start), nigh_alloc(ctx, (size_t)room * sizeof *g->column),
                           nigh_alloc(ctx, (size_t)room * sizeof *g->value)};
        if (!g->start || !g->column || !g->value) status = NIGH_MEMORY;
    }
    for (int64_t j = 0; j < d && !status; j++) mark[j] = -1;
    for (int64_t j = 0; j < d && !status; j++) {
        int64_t held = g->start[j], count = one_row(r, across, j, sum, mark, list);
        status = grow(ctx, g, held, count, &room);
        for (int64_t k = 0; k < count && !status; k++) {
            g->column[held + k] = list[k];
            g->value[held + k] = sum[list[k]];
        }
        g->start[j + 1] = held + count;
        if (!status && j % 256 == 0) status = nigh_poll(ctx);
    }
    for (int64_t j = 0; j < d && !status; j++) {
        c[j] = 0;
        for (int64_t k = across->start[j]; k < across->start[j + 1]; k++) {
            int64_t i = across->column[k];
            c[j] += across->value[k] * (r->problem->weight ? r->problem->weight[i] : 1) * r->problem->b[i];
        }
    }
    nigh_sparse_free(ctx, across);
    nigh_free(ctx, sum);
    nigh_free(ctx, mark);
    nigh_free(ctx, list);
    if (status) nigh_sparse_free(ctx, g);
    else *gram = g;
    return status;
}
