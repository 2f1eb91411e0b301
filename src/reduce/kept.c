/* A store of rows. Declared in reduce/kept.h. */
#include "reduce/kept.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nigh_kept_rows_free(nigh_context *ctx, nigh_kept_rows *kept)
{
    if (!kept) return;
    nigh_free(ctx, kept->block);
    *kept = (nigh_kept_rows){0};
}

size_t row_store_bytes(int64_t d, int64_t room) { return (size_t)room * (8 * (size_t)d + 24); }

nigh_status row_store_new(nigh_context *ctx, int64_t d, bool has_y, int64_t room, row_store *out)
{
    double *block = nigh_alloc(ctx, row_store_bytes(d, room));
    if (!block) return NIGH_MEMORY;
    *out = (row_store){.d = d, .room = room, .x = block, .block = block};
    out->weight = block + room * d;
    out->y = has_y ? out->weight + room : NULL;
    out->number = (int64_t *)(out->weight + 2 * room);
    return NIGH_OK;
}

void row_store_free(nigh_context *ctx, row_store *s)
{
    nigh_free(ctx, s->block);
    *s = (row_store){0};
}

void row_store_add(row_store *s, const nigh_rows *rows, int64_t from, int64_t count, int64_t first, const int64_t *number)
{
    memcpy(s->x + s->count * s->d, rows->x + from * s->d, (size_t)(count * s->d) * sizeof *s->x);
    if (s->y) memcpy(s->y + s->count, rows->y + from, (size_t)count * sizeof *s->y);
    for (int64_t i = 0; i < count; i++) {
        s->weight[s->count + i] = rows->weight ? rows->weight[from + i] : 1;
        s->number[s->count + i] = number ? number[from + i] : first + from + i;
    }
    s->count += count;
}

void row_store_move(row_store *s, int64_t from, int64_t to)
{
    if (from == to) return;
    memcpy(s->x + to * s->d, s->x + from * s->d, (size_t)s->d * sizeof *s->x);
    if (s->y) s->y[to] = s->y[from];
    s->weight[to] = s->weight[from];
    s->number[to] = s->number[from];
}

nigh_rows row_store_view(const row_store *s) { return (nigh_rows){s->count, s->d, s->x, s->y, s->weight}; }

typedef struct place {
    int64_t number, at;
} place;

static int by_number(const void *a, const void *b)
{
    const place *p = a, *q = b;
    return p->number != q->number ? (p->number > q->number) - (p->number < q->number) : (p->at > q->at) - (p->at < q->at);
}

nigh_status row_store_give(nigh_context *ctx, row_store *s, nigh_kept_rows *out)
{
    int64_t n = s->count;
    if (n == 0) return nigh_fail(ctx, NIGH_INVALID, "no rows came; at least one is needed");
    row_store sorted = {0};
    place *order = nigh_alloc(ctx, (size_t)n * sizeof *order);
    nigh_status status = order ? row_store_new(ctx, s->d, s->y != NULL, n, &sorted) : NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) order[i] = (place){s->number[i], i};
    if (!status) {
        nigh_rows view = row_store_view(s);
        qsort(order, (size_t)n, sizeof *order, by_number);
        for (int64_t i = 0; i < n; i++) row_store_add(&sorted, &view, order[i].at, 1, 0, s->number);
        *out = (nigh_kept_rows){row_store_view(&sorted), sorted.number, sorted.block};
        s->count = 0;
    }
    nigh_free(ctx, order);
    return status;
}

nigh_status row_store_check(nigh_context *ctx, const nigh_rows *rows, int64_t d, bool has_y)
{
    if (rows->n < 0 || rows->d != d) return nigh_fail(ctx, NIGH_INVALID, "%lld rows of %lld features; rows of %lld are allowed", (long long)rows->n, (long long)rows->d, (long long)d);
    if (has_y && rows->n && !rows->y) return nigh_fail(ctx, NIGH_INVALID, "the rows have no y; the rows of this stream have one");
    return NIGH_OK;
}
