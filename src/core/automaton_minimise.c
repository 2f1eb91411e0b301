/* From a table to the minimal automaton: trimming, Hopcroft's refinement on partial tables as Valmari does it, one numbering for each set. */
#include "core/automaton.h"

#include <stdlib.h>
#include <string.h>

/* A partition of 0 .. n-1; elements are marked, then each touched set splits into marked and not. */
typedef struct partition {
    uint32_t sets;
    uint32_t *element, *place, *set_of; /* [n] */
    uint32_t *first, *past, *marked;    /* [n] of each set */
    uint32_t *touched, touches;
} partition;

static nigh_status partition_new(nigh_context *ctx, uint32_t n, partition *p)
{
    *p = (partition){0};
    uint32_t *block = nigh_alloc(ctx, sizeof *block * 7 * ((size_t)n + 1));
    if (!block) return NIGH_MEMORY;
    size_t step = (size_t)n + 1;
    p->element = block, p->place = block + step, p->set_of = block + 2 * step;
    p->first = block + 3 * step, p->past = block + 4 * step, p->marked = block + 5 * step, p->touched = block + 6 * step;
    for (uint32_t i = 0; i < n; i++) p->element[i] = p->place[i] = i, p->set_of[i] = 0;
    p->first[0] = 0, p->past[0] = n, p->marked[0] = 0;
    p->sets = n > 0;
    return NIGH_OK;
}

static void partition_mark(partition *p, uint32_t e)
{
    uint32_t s = p->set_of[e], i = p->place[e], j = p->first[s] + p->marked[s];
    if (i < j) return; /* marked already */
    p->element[i] = p->element[j], p->place[p->element[i]] = i;
    p->element[j] = e, p->place[e] = j;
    if (!p->marked[s]++) p->touched[p->touches++] = s;
}

/* The smaller half becomes the new set. */
static void partition_split(partition *p)
{
    while (p->touches) {
        uint32_t s = p->touched[--p->touches], middle = p->first[s] + p->marked[s], z = p->sets;
        p->marked[s] = 0;
        if (middle == p->past[s]) continue;
        if (middle - p->first[s] <= p->past[s] - middle) {
            p->first[z] = p->first[s], p->past[z] = p->first[s] = middle;
        } else {
            p->past[z] = p->past[s], p->first[z] = p->past[s] = middle;
        }
        p->marked[z] = 0;
        for (uint32_t i = p->first[z]; i < p->past[z]; i++) p->set_of[p->element[i]] = z;
        p->sets++;
    }
}

typedef struct shrink {
    nigh_context *ctx;
    const automaton_table *t;
    uint32_t states, moves; /* that are kept */
    uint32_t *kept;         /* [t->states]: new number or NONE */
    uint32_t *old;          /* [states] */
    uint32_t *tail, *head;  /* [moves], sorted by class */
    uint32_t *into, *into_at; /* moves by head: into[into_at[s] .. into_at[s+1]) */
    uint32_t *label_end;    /* [classes] */
} shrink;

/* Marks what can be reached from the start, forwards. */
static void reach(const automaton_table *t, uint32_t start, uint8_t *seen, uint32_t *stack)
{
    uint32_t depth = 0;
    seen[start] = 1, stack[depth++] = start;
    while (depth) {
        const uint32_t *row = t->next + (size_t)stack[--depth] * t->classes;
        for (uint32_t c = 0; c < t->classes; c++)
            if (row[c] != AUTOMATON_NONE && !seen[row[c]]) seen[row[c]] = 1, stack[depth++] = row[c];
    }
}

/* Among these, marks with 2 what can reach an accepting state. at and from are the moves by head. */
static void reach_back(const automaton_table *t, uint8_t *seen, uint32_t *stack, const uint32_t *at, const uint32_t *from)
{
    uint32_t depth = 0;
    for (uint32_t s = 0; s < t->states; s++)
        if (seen[s] && t->accepts[s]) seen[s] = 2, stack[depth++] = s;
    while (depth) {
        uint32_t s = stack[--depth];
        for (uint32_t i = at[s]; i < at[s + 1]; i++)
            if (seen[from[i]] == 1) seen[from[i]] = 2, stack[depth++] = from[i];
    }
}

static nigh_status trim(shrink *k, uint32_t start)
{
    const automaton_table *t = k->t;
    size_t cells = (size_t)t->states * t->classes, moves = 0;
    for (size_t i = 0; i < cells; i++) moves += t->next[i] != AUTOMATON_NONE;
    if (moves >= AUTOMATON_NONE) return nigh_fail(k->ctx, NIGH_RESOURCE, "the automaton has too many moves (%zu)", moves);
    uint8_t *seen = nigh_alloc_zero(k->ctx, (size_t)t->states + 1, 1);
    uint32_t *stack = nigh_alloc(k->ctx, sizeof *stack * (t->states + 1));
    uint32_t *at = nigh_alloc_zero(k->ctx, (size_t)t->states + 2, sizeof *at), *from = nigh_alloc(k->ctx, sizeof *from * (moves + 1));
    k->kept = nigh_alloc(k->ctx, sizeof *k->kept * (t->states + 1));
    k->old = nigh_alloc(k->ctx, sizeof *k->old * (t->states + 1));
    bool all = seen && stack && at && from && k->kept && k->old;
    if (all) {
        for (size_t i = 0; i < cells; i++)
            if (t->next[i] != AUTOMATON_NONE) at[t->next[i] + 2]++;
        for (uint32_t s = 2; s <= t->states; s++) at[s] += at[s - 1];
        for (uint32_t s = 0; s < t->states; s++)
            for (uint32_t c = 0; c < t->classes; c++)
                if (t->next[(size_t)s * t->classes + c] != AUTOMATON_NONE) from[at[t->next[(size_t)s * t->classes + c] + 1]++] = s;
        if (start != AUTOMATON_NONE && t->states) reach(t, start, seen, stack);
        reach_back(t, seen, stack, at, from);
        k->states = 0;
        for (uint32_t s = 0; s < t->states; s++) {
            k->kept[s] = seen[s] == 2 ? k->states : AUTOMATON_NONE;
            if (seen[s] == 2) k->old[k->states++] = s;
        }
    }
    nigh_free(k->ctx, seen), nigh_free(k->ctx, stack), nigh_free(k->ctx, at), nigh_free(k->ctx, from);
    return all ? NIGH_OK : NIGH_MEMORY;
}

/* The moves among kept states, sorted by class, and the lists of those into each state. */
static nigh_status list_moves(shrink *k)
{
    const automaton_table *t = k->t;
    size_t most = 0;
    for (uint32_t s = 0; s < k->states; s++)
        for (uint32_t c = 0; c < t->classes; c++) {
            uint32_t to = t->next[(size_t)k->old[s] * t->classes + c];
            most += to != AUTOMATON_NONE && k->kept[to] != AUTOMATON_NONE;
        }
    k->tail = nigh_alloc(k->ctx, sizeof *k->tail * (most + 1));
    k->head = nigh_alloc(k->ctx, sizeof *k->head * (most + 1));
    k->into = nigh_alloc(k->ctx, sizeof *k->into * (most + 1));
    k->into_at = nigh_alloc_zero(k->ctx, (size_t)k->states + 2, sizeof *k->into_at);
    k->label_end = nigh_alloc(k->ctx, sizeof *k->label_end * t->classes);
    if (!k->tail || !k->head || !k->into || !k->into_at || !k->label_end) return NIGH_MEMORY;
    for (uint32_t c = 0; c < t->classes; c++) {
        for (uint32_t s = 0; s < k->states; s++) {
            uint32_t to = t->next[(size_t)k->old[s] * t->classes + c];
            if (to == AUTOMATON_NONE || k->kept[to] == AUTOMATON_NONE) continue;
            k->tail[k->moves] = s, k->head[k->moves++] = k->kept[to];
        }
        k->label_end[c] = k->moves;
    }
    for (uint32_t m = 0; m < k->moves; m++) k->into_at[k->head[m] + 2]++;
    for (uint32_t s = 2; s <= k->states; s++) k->into_at[s] += k->into_at[s - 1];
    for (uint32_t m = 0; m < k->moves; m++) k->into[k->into_at[k->head[m] + 1]++] = m;
    return NIGH_OK;
}

/* Moves of one class are a set to begin with; sets of states and of moves split each other until nothing changes. */
static void refine(shrink *k, partition *blocks, partition *cords)
{
    for (uint32_t s = 0; s < k->states; s++)
        if (k->t->accepts[k->old[s]]) partition_mark(blocks, s);
    partition_split(blocks);
    cords->sets = 0;
    for (uint32_t c = 0, m = 0; c < k->t->classes; c++) {
        if (m == k->label_end[c]) continue;
        uint32_t z = cords->sets++;
        cords->first[z] = m, cords->past[z] = k->label_end[c], cords->marked[z] = 0;
        for (; m < k->label_end[c]; m++) cords->set_of[m] = z;
    }
    for (uint32_t b = 1, c = 0; c < cords->sets; c++) {
        for (uint32_t i = cords->first[c]; i < cords->past[c]; i++) partition_mark(blocks, k->tail[cords->element[i]]);
        partition_split(blocks);
        for (; b < blocks->sets; b++) {
            for (uint32_t i = blocks->first[b]; i < blocks->past[b]; i++) {
                uint32_t s = blocks->element[i];
                for (uint32_t j = k->into_at[s]; j < k->into_at[s + 1]; j++) partition_mark(cords, k->into[j]);
            }
            partition_split(cords);
        }
    }
}

/* ---- the result ---- */

/* Columns that are alike become one class; classes are numbered by their first bytes. column[c]: an old class that stands for new class c. */
static uint32_t merge_columns(const shrink *k, const partition *blocks, uint8_t class_of[256], uint32_t column[256])
{
    const automaton_table *t = k->t;
    uint64_t hash[256];
    for (uint32_t c = 0; c < t->classes; c++) {
        hash[c] = 0;
        for (uint32_t b = 0; b < blocks->sets; b++) {
            uint32_t to = t->next[(size_t)k->old[blocks->element[blocks->first[b]]] * t->classes + c];
            uint32_t kept = to == AUTOMATON_NONE ? to : k->kept[to];
            hash[c] = (hash[c] ^ (kept == AUTOMATON_NONE ? 0 : blocks->set_of[kept] + 1)) * 0x9e3779b97f4a7c15u;
            hash[c] ^= hash[c] >> 29;
        }
    }
    uint32_t classes = 0;
    for (int byte = 0; byte < 256; byte++) {
        uint32_t c = t->class_of[byte], z = 0;
        for (; z < classes; z++) {
            if (column[z] == c) break;
            if (hash[column[z]] != hash[c]) continue;
            bool same = true;
            for (uint32_t b = 0; same && b < blocks->sets; b++) {
                const uint32_t *row = t->next + (size_t)k->old[blocks->element[blocks->first[b]]] * t->classes;
                uint32_t x = row[c] == AUTOMATON_NONE ? AUTOMATON_NONE : k->kept[row[c]], y = row[column[z]];
                y = y == AUTOMATON_NONE ? AUTOMATON_NONE : k->kept[y];
                same = (x == AUTOMATON_NONE) == (y == AUTOMATON_NONE) && (x == AUTOMATON_NONE || blocks->set_of[x] == blocks->set_of[y]);
            }
            if (same) break;
        }
        if (z == classes) column[classes++] = c;
        class_of[byte] = (uint8_t)z;
    }
    return classes;
}

static nigh_status write_out(const shrink *k, const partition *blocks, uint32_t start, automaton *a)
{
    uint32_t column[256], *number, *order;
    a->classes = k->states ? merge_columns(k, blocks, a->class_of, column) : 1;
    a->start = AUTOMATON_NONE;
    if (!k->states) return NIGH_OK;
    a->states = blocks->sets, a->start = 0;
    a->next = nigh_alloc(k->ctx, sizeof *a->next * a->states * a->classes);
    a->accepts = nigh_alloc(k->ctx, a->states);
    number = nigh_alloc(k->ctx, sizeof *number * a->states);
    order = nigh_alloc(k->ctx, sizeof *order * a->states);
    nigh_status status = a->next && a->accepts && number && order ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        memset(number, 0xff, sizeof *number * a->states);
        uint32_t met = 0;
        order[met] = blocks->set_of[k->kept[start]];
        number[order[met]] = met, met++;
        for (uint32_t i = 0; i < met; i++) {
            uint32_t s = k->old[blocks->element[blocks->first[order[i]]]];
            a->accepts[i] = k->t->accepts[s];
            for (uint32_t c = 0; c < a->classes; c++) {
                uint32_t to = k->t->next[(size_t)s * k->t->classes + column[c]], *cell = a->next + (size_t)i * a->classes + c;
                *cell = to == AUTOMATON_NONE ? to : k->kept[to];
                if (*cell == AUTOMATON_NONE) continue;
                uint32_t block = blocks->set_of[*cell];
                if (number[block] == AUTOMATON_NONE) number[block] = met, order[met++] = block;
                *cell = number[block];
            }
        }
    }
    nigh_free(k->ctx, number), nigh_free(k->ctx, order);
    return status;
}

nigh_status automaton_finish(const automaton_table *t, uint32_t start, automaton **out)
{
    nigh_context *ctx = t->ctx;
    shrink k = {.ctx = ctx, .t = t};
    partition blocks = {0}, cords = {0};
    automaton *a = nigh_alloc_zero(ctx, 1, sizeof *a);
    nigh_status status = a ? NIGH_OK : NIGH_MEMORY;
    if (a) a->ctx = ctx;
    if (!status) status = trim(&k, start);
    if (!status && (start == AUTOMATON_NONE || !t->states || k.kept[start] == AUTOMATON_NONE)) k.states = 0;
    if (!status) status = list_moves(&k);
    if (!status) status = partition_new(ctx, k.states, &blocks);
    if (!status) status = partition_new(ctx, k.moves, &cords);
    if (!status) {
        refine(&k, &blocks, &cords);
        status = write_out(&k, &blocks, start, a);
    }
    nigh_free(ctx, blocks.element), nigh_free(ctx, cords.element);
    nigh_free(ctx, k.kept), nigh_free(ctx, k.old), nigh_free(ctx, k.tail), nigh_free(ctx, k.head);
    nigh_free(ctx, k.into), nigh_free(ctx, k.into_at), nigh_free(ctx, k.label_end);
    if (status)
        automaton_free(a);
    else
        *out = a;
    return status;
}
