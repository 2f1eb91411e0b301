/*
 * What every row of a pool would add, kept up to date while rows are taken: blocks remember their best row, so that only blocks that changed are searched
 * again. (Lazy evaluation from a heap made 20 times more steps here: gains of neighbours are nearly equal.)
 */
#include "reduce/toto.h"

#include <math.h>

enum { BLOCK = 729 };

nigh_status toto_gains_new(nigh_arena *arena, int64_t outcomes, toto_gains *g)
{
    int64_t blocks = (outcomes + BLOCK - 1) / BLOCK;
    *g = (toto_gains){.outcomes = outcomes, .blocks = blocks, .gain = nigh_arena_alloc(arena, (size_t)outcomes * sizeof(double)),
                      .best = nigh_arena_alloc(arena, (size_t)blocks * sizeof(double)), .changed = nigh_arena_alloc(arena, (size_t)blocks)};
    return g->gain && g->best && g->changed ? NIGH_OK : NIGH_MEMORY;
}

void toto_gains_all(toto_gains *g)
{
    for (int64_t b = 0; b < g->blocks; b++) g->changed[b] = true;
}

void toto_gains_add(toto_gains *g, int32_t row, double value)
{
    g->gain[row] += value;
    g->changed[row / BLOCK] = true;
}

void toto_gains_drop(toto_gains *g, int32_t row)
{
    g->gain[row] = -INFINITY;
    g->changed[row / BLOCK] = true;
}

int32_t toto_gains_best(toto_gains *g)
{
    int64_t top = 0;
    for (int64_t b = 0; b < g->blocks; b++) {
        int64_t end = (b + 1) * BLOCK < g->outcomes ? (b + 1) * BLOCK : g->outcomes;
        if (g->changed[b]) {
            g->best[b] = g->gain[b * BLOCK];
            for (int64_t o = b * BLOCK + 1; o < end; o++) g->best[b] = g->gain[o] > g->best[b] ? g->gain[o] : g->best[b];
            g->changed[b] = false;
        }
        if (g->best[b] > g->best[top]) top = b;
    }
    int64_t o = top * BLOCK;
    while (g->gain[o] != g->best[top]) o++;
    return (int32_t)o;
}
