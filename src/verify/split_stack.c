/* Boxes that wait, and batches of boxes at work. Declared in verify/split_input.h. */
#include "verify/split_input.h"

#include <string.h>

static void *resized(nigh_context *ctx, void *block, int64_t count, size_t size, bool *fine)
{
    void *to = nigh_resize(ctx, block, (size_t)count * size + 1);
    if (!to) *fine = false;
    return to ? to : block;
}

nigh_status split_batch_new(nigh_context *ctx, const search_query *query, int64_t neurons, int64_t room, split_batch *b)
{
    int64_t all = room + 1;
    size_t vector = (size_t)query->graph->inputs * sizeof(double), rows = (size_t)query->rows + SPLIT_RELUS;
    bool fine = true;
    *b = (split_batch){.room = room};
    b->low = resized(ctx, NULL, all, vector, &fine), b->high = resized(ctx, NULL, all, vector, &fine);
    b->phase = resized(ctx, NULL, all, (size_t)neurons, &fine), b->open = resized(ctx, NULL, all, (size_t)query->groups, &fine);
    b->depth = resized(ctx, NULL, all, sizeof *b->depth, &fine);
    b->coefficient = resized(ctx, NULL, all, rows * vector, &fine), b->constant = resized(ctx, NULL, all, rows * sizeof(double), &fine);
    b->splits = resized(ctx, NULL, all, sizeof *b->splits, &fine), b->score = resized(ctx, NULL, all, vector, &fine);
    b->unstable = resized(ctx, NULL, all, sizeof *b->unstable, &fine), b->relu = resized(ctx, NULL, all, sizeof *b->relu, &fine);
    b->cut = resized(ctx, NULL, all, sizeof *b->cut, &fine), b->value = resized(ctx, NULL, all, sizeof *b->value, &fine);
    b->point = resized(ctx, NULL, all, vector, &fine), b->hit = resized(ctx, NULL, all, sizeof *b->hit, &fine);
    return fine ? NIGH_OK : NIGH_MEMORY;
}

void split_batch_free(nigh_context *ctx, split_batch *b)
{
    void *block[] = {b->low,      b->high,  b->phase,    b->open, b->depth, b->coefficient, b->constant, b->splits,
                     b->score, b->unstable, b->relu, b->cut,   b->value,       b->point,    b->hit};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) nigh_free(ctx, block[i]);
}

int64_t split_stack_bytes(const split_stack *s) { return 2 * s->inputs * (int64_t)sizeof(double) + s->neurons + s->groups + 12; }

void split_stack_free(split_stack *s)
{
    void *block[] = {s->low, s->high, s->value, s->phase, s->open, s->depth};
    for (size_t i = 0; s->ctx && i < sizeof block / sizeof *block; i++) nigh_free(s->ctx, block[i]);
}

static nigh_status grow(split_stack *s)
{
    int64_t room = s->room ? 2 * s->room : 1024;
    size_t vector = (size_t)s->inputs * sizeof(double);
    bool fine = true;
    s->low = resized(s->ctx, s->low, room, vector, &fine), s->high = resized(s->ctx, s->high, room, vector, &fine);
    s->value = resized(s->ctx, s->value, room, sizeof *s->value, &fine), s->depth = resized(s->ctx, s->depth, room, sizeof *s->depth, &fine);
    s->phase = resized(s->ctx, s->phase, room, (size_t)s->neurons, &fine), s->open = resized(s->ctx, s->open, room, (size_t)s->groups, &fine);
    if (!fine) return NIGH_MEMORY;
    s->room = room;
    return NIGH_OK;
}

/* One of two: a place of the stack, a box of a batch. */
typedef struct place {
    double *low, *high, *value;
    int8_t *phase;
    uint8_t *open;
    int32_t *depth;
} place;

static place in_stack(const split_stack *s, int64_t i)
{
    return (place){s->low + i * s->inputs, s->high + i * s->inputs, s->value + i, s->phase + i * s->neurons, s->open + i * s->groups, s->depth + i};
}

static place in_batch(const split_stack *s, const split_batch *b, int64_t i)
{
    return (place){b->low + i * s->inputs, b->high + i * s->inputs, b->value + i, b->phase + i * s->neurons, b->open + i * s->groups, b->depth + i};
}

static void copy(const split_stack *s, place to, place from)
{
    size_t vector = (size_t)s->inputs * sizeof(double);
    memcpy(to.low, from.low, vector), memcpy(to.high, from.high, vector);
    memcpy(to.phase, from.phase, (size_t)s->neurons), memcpy(to.open, from.open, (size_t)s->groups);
    *to.value = *from.value, *to.depth = *from.depth;
}

nigh_status split_stack_push(split_stack *s, const split_batch *b, int64_t i)
{
    if (s->count == s->room && grow(s)) return NIGH_MEMORY;
    copy(s, in_stack(s, s->count++), in_batch(s, b, i));
    return NIGH_OK;
}

void split_stack_pop(split_stack *s, split_batch *b, int64_t i) { copy(s, in_batch(s, b, i), in_stack(s, --s->count)); }

void split_stack_lift(split_stack *s, int64_t at, split_batch *b)
{
    place top = in_stack(s, s->count - 1), here = in_stack(s, at), spare = in_batch(s, b, b->room);
    if (at == s->count - 1) return;
    copy(s, spare, here), copy(s, here, top), copy(s, top, spare);
}
