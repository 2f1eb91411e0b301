/* Rules: largest and smallest, sorting. max(a, b) = b + relu(a - b), min(a, b) = a - relu(a - b); exact in f32, no rounding. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <string.h>

/* larger and smaller (NULL: not wanted) of a and b, element by element, with one relu for both. */
static bool exchange(lowering *l, graph_form *a, graph_form *b, graph_form *larger, graph_form *smaller)
{
    graph_form difference, bent;
    int roundings = a->roundings > b->roundings ? a->roundings : b->roundings;
    if (!form_sum(l, a, b, -1, &difference)) return false;
    difference.roundings = roundings;
    int source = form_node(l, &difference);
    if (source < 0) return false;
    int relu = lower_add(l, &(bound_node){.kind = BOUND_ACTIVATION, .inputs = 1, .input = &source, .size = a->count, .function = BOUND_RELU});
    if (relu < 0) return false;
    form_plain(l, relu, &bent);
    if (larger && !form_sum(l, b, &bent, 1, larger)) return false;
    if (smaller && !form_sum(l, a, &bent, -1, smaller)) return false;
    if (larger) larger->roundings = roundings;
    if (smaller) smaller->roundings = roundings;
    return true;
}

static bool part(lowering *l, const graph_form *all, int64_t first, int64_t count, graph_form *to)
{
    int64_t *map = lower_alloc(l, count, sizeof *map);
    for (int64_t i = 0; map && i < count; i++) map[i] = first + i;
    return map && form_gather(l, all, count, map, 0, to);
}

/* Candidate j of result i is element j count + i: pairs are compared until one is left. */
static bool tournament(lowering *l, graph_form *all, int64_t count, int64_t candidates, bool least, graph_form *to)
{
    graph_form now = *all;
    while (candidates > 1) {
        int64_t half = candidates / 2;
        graph_form a, b, won, rest, next;
        if (!part(l, &now, 0, half * count, &a) || !part(l, &now, half * count, half * count, &b)) return false;
        if (!exchange(l, &a, &b, least ? NULL : &won, least ? &won : NULL)) return false;
        if (candidates % 2) {
            if (!part(l, &now, 2 * half * count, count, &rest) || !form_concat(l, 2, (graph_form *[]){&won, &rest}, &next)) return false;
        } else next = won;
        now = next;
        candidates = half + candidates % 2;
    }
    *to = now;
    return true;
}

/* Gathers candidates by a map [candidates, count] and lets them compete. */
static void compete(lowering *l, graph_form *from, int64_t count, int64_t candidates, const int64_t *map, bool least)
{
    graph_form all, y;
    if (form_gather(l, from, count * candidates, map, 0, &all) && tournament(l, &all, count, candidates, least, &y)) lower_set(l, &y);
}

static void over(lowering *l)
{
    int64_t n = lower_in(l, 0)->count, out = nigh_shape_count(lower_out(l)), *to = lower_alloc(l, n, sizeof *to), *map = lower_alloc(l, n, sizeof *map), *filled = lower_alloc(l, out, sizeof *filled);
    if (l->status) return;
    int64_t each = lower_reduced(l, to);
    for (int64_t i = 0; i < n; i++) map[filled[to[i]]++ * out + to[i]] = i;
    compete(l, lower_in(l, 0), out, each, map, !strcmp(l->layer->kind, "min-over"));
}

static void max_out(lowering *l)
{
    int64_t pieces = nigh_layer_integer(l->layer, "pieces", 2), out = nigh_shape_count(lower_out(l)), *map = lower_alloc(l, out * pieces, sizeof *map);
    for (int64_t i = 0; map && i < out * pieces; i++) map[i] = i % out * pieces + i / out;
    if (map) compete(l, lower_in(l, 0), out, pieces, map, false);
}

static int64_t spread_place(const nigh_shape *out, int64_t i, const nigh_shape *in)
{
    int64_t at = 0, stride = 1;
    for (int k = out->ndim - 1, j = in->ndim - 1; j >= 0; k--, j--) {
        if (in->dim[j] != 1) at += i % out->dim[k] * stride;
        stride *= in->dim[j];
        i /= out->dim[k];
    }
    return at;
}

static void several(lowering *l)
{
    const nigh_shape *out = lower_out(l);
    int64_t n = nigh_shape_count(out), first = 0, *map = lower_alloc(l, n * l->layer->inputs, sizeof *map);
    graph_form **input = lower_alloc(l, l->layer->inputs, sizeof *input), all;
    if (l->status) return;
    for (int k = 0; k < l->layer->inputs; k++) {
        input[k] = lower_in(l, k);
        for (int64_t i = 0; i < n; i++) map[k * n + i] = first + spread_place(out, i, lower_shape(l, k));
        first += input[k]->count;
    }
    if (form_concat(l, l->layer->inputs, input, &all)) compete(l, &all, n, l->layer->inputs, map, !strcmp(l->layer->kind, "min"));
}

/* Every window's places; places outside count as one inside once more. */
static void max_pool(lowering *l)
{
    lower_window w = lower_window_of(l, NULL);
    int64_t taps = w.size[0] * w.size[1] * w.size[2], out = nigh_shape_count(lower_out(l)), channels = lower_out(l)->dim[w.dims + 1];
    int64_t points = w.out[0] * w.out[1] * w.out[2], pixels = w.in[0] * w.in[1] * w.in[2], *map = lower_alloc(l, taps * out, sizeof *map);
    for (int64_t i = 0; map && i < out; i++) {
        int64_t any = -1;
        for (int64_t t = 0; t < taps; t++) {
            int64_t from = lower_window_source(&w, i / channels % points, t);
            map[t * out + i] = from < 0 ? -1 : (i / channels / points * pixels + from) * channels + i % channels;
            if (from >= 0) any = map[t * out + i];
        }
        if (any < 0) return lower_fail(l, NIGH_UNSUPPORTED, "a window that lies in the padding alone");
        for (int64_t t = 0; t < taps; t++)
            if (map[t * out + i] < 0) map[t * out + i] = any;
    }
    if (map) compete(l, lower_in(l, 0), out, taps, map, false);
}

/* Groups of neighbours sorted by comparing neighbours in turn ("odd-even transposition"); member j of all groups at once. */
static void sort(lowering *l)
{
    bool pairs = !strcmp(l->layer->kind, "max-min");
    int64_t group = pairs ? 2 : nigh_layer_integer(l->layer, "group", 2), n = lower_in(l, 0)->count, count = n / group, *map = lower_alloc(l, n, sizeof *map);
    graph_form *member = lower_alloc(l, group, sizeof *member), **list = lower_alloc(l, group, sizeof *list), all, y;
    if (l->status) return;
    for (int64_t j = 0; j < group; j++) {
        for (int64_t i = 0; i < count; i++) map[i] = i * group + j;
        if (!form_gather(l, lower_in(l, 0), count, map, 0, &member[j])) return;
        list[j] = &member[j];
    }
    for (int64_t round = 0; round < group && group > 1; round++)
        for (int64_t j = group == 2 ? 0 : round % 2; j + 1 < group && (group > 2 || round == 0); j += 2) {
            graph_form larger, smaller;
            if (!exchange(l, &member[j], &member[j + 1], &larger, &smaller)) return;
            member[pairs ? j + 1 : j] = smaller;
            member[pairs ? j : j + 1] = larger;
        }
    for (int64_t i = 0; i < n; i++) map[i] = i % group * count + i / group;
    if (form_concat(l, (int)group, list, &all) && form_gather(l, &all, n, map, 0, &y)) lower_set(l, &y);
}

const lower_rule lower_maxima[] = {{"max-over", over}, {"min-over", over}, {"max-out", max_out}, {"max", several}, {"min", several}, {"max-pool", max_pool}, {"max-min", sort},
    {"group-sort", sort}, {NULL, NULL}};
