/* Layers of blocks: attention in windows of an image, rows by number, rows brought together. Listed in nn/layers.h. */
#include "nigh/operators_rows.h"
#include "nigh/operators_sequences.h"

#include "grad/tape.h"
#include "nn/layers.h"

#include <string.h>

/* ---- windows ------------------------------------------------------------------------------------------ */

typedef struct windows {
    int64_t n, h, w, c;       /* of qkv */
    int64_t side, shift, heads;
} windows;

/* [N, H, W, C] to [N windows, side^2, C], and back. */
static nigh_node split(nigh_tape *t, nigh_node x, const windows *s)
{
    x = nigh_tape_roll(t, nigh_tape_roll(t, x, 1, -s->shift), 2, -s->shift);
    x = nigh_tape_reshape(t, x, 6, (int64_t[]){s->n, s->h / s->side, s->side, s->w / s->side, s->side, s->c});
    return nigh_tape_reshape(t, nigh_tape_permute(t, x, (int[]){0, 1, 3, 2, 4, 5}), 3, (int64_t[]){-1, s->side * s->side, s->c});
}

static nigh_node merge(nigh_tape *t, nigh_node x, const windows *s)
{
    x = nigh_tape_reshape(t, x, 6, (int64_t[]){s->n, s->h / s->side, s->w / s->side, s->side, s->side, s->c / 3});
    x = nigh_tape_reshape(t, nigh_tape_permute(t, x, (int[]){0, 1, 3, 2, 4, 5}), 4, (int64_t[]){s->n, s->h, s->w, s->c / 3});
    return nigh_tape_roll(t, nigh_tape_roll(t, x, 1, s->shift), 2, s->shift);
}

/* The bias [1, heads, side^2, side^2] out of the table [(2 side - 1)^2, heads] by the difference of places. */
static nigh_node bias_of(nigh_tape *t, nigh_node table, const windows *s)
{
    int64_t places = s->side * s->side, row = 2 * s->side - 1;
    int32_t *index = nigh_arena_alloc(t->arena, (size_t)(places * places) * sizeof *index);
    if (!index) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < places; i++)
        for (int64_t j = 0; j < places; j++)
            index[i * places + j] = (int32_t)((i / s->side - j / s->side + s->side - 1) * row + i % s->side - j % s->side + s->side - 1);
    nigh_node at = nigh_tape_constant(t, NIGH_I32, 2, (int64_t[]){places, places}, index);
    nigh_node bias = nigh_tape_permute(t, nigh_tape_gather(t, table, at), (int[]){2, 0, 1});
    return nigh_tape_reshape(t, bias, 4, (int64_t[]){1, s->heads, places, places});
}

/* Which part of the image each place comes from: after rolling, windows at the ends hold parts that do not belong together. */
static nigh_node parts_of(nigh_tape *t, const windows *s)
{
    int64_t places = s->side * s->side, across = s->w / s->side, count = s->n * (s->h / s->side) * across;
    int32_t *part = nigh_arena_alloc(t->arena, (size_t)(count * places) * sizeof *part);
    if (!part) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t b = 0; b < count; b++)
        for (int64_t i = 0; i < places; i++) {
            int64_t window = b % (s->h / s->side * across), y = window / across * s->side + i / s->side, x = window % across * s->side + i % s->side;
            part[b * places + i] = 2 * (y >= s->h - s->shift) + (x >= s->w - s->shift);
        }
    return nigh_tape_constant(t, NIGH_I32, 2, (int64_t[]){count, places}, part);
}

static nigh_node window_attention(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "window-attention", 1, c->input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, c->input[0]);
    windows s = {.side = (int64_t)nigh_layer_number(c->layer, "window", 8), .shift = (int64_t)nigh_layer_number(c->layer, "shift", 0),
                 .heads = (int64_t)nigh_layer_number(c->layer, "heads", 1)};
    if (x.ndim == 4) s.n = x.dim[0], s.h = x.dim[1], s.w = x.dim[2], s.c = x.dim[3];
    if (x.ndim != 4 || s.side < 1 || s.heads < 1 || s.h % s.side || s.w % s.side || s.c % (3 * s.heads) || s.shift < 0 || s.shift >= s.side)
        return tape_fail(t, "window-attention", "qkv is %s, the window %lld, the shift %lld, %lld heads; [N, H, W, 3 C] with H and W multiples of the window, C of the heads, and a shift below the window is needed",
                         tape_shape_text(&x, text), (long long)s.side, (long long)s.shift, (long long)s.heads);
    nigh_attention_how how = nigh_attention_plain();
    nigh_node qkv = nigh_tape_reshape(t, split(t, c->input[0], &s), 4, (int64_t[]){-1, s.side * s.side, 3 * s.heads, s.c / 3 / s.heads});
    if (c->layer->parameters) how.bias = bias_of(t, c->parameter[0], &s);
    if (s.shift) how.q_segment = how.k_segment = parts_of(t, &s);
    nigh_node y = nigh_tape_attention_packed(t, qkv, s.heads, &how, NULL);
    return y == NIGH_NONE ? NIGH_NONE : merge(t, y, &s);
}

/* ---- graphs ------------------------------------------------------------------------------------------- */

static nigh_node rows(const nigh_layer_call *c) { return nigh_tape_gather(c->tape, c->input[0], c->input[1]); }

static nigh_node segment(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    if (!tape_check(t, "segment", 3, c->input)) return NIGH_NONE;
    const nigh_shape *nodes = tape_shape(t, c->input[2]);
    const char *of = nigh_layer_text(c->layer, "of", "sum");
    if (nodes->ndim < 1) return tape_fail(t, "segment", "nodes have no dimensions; [n, ...] is needed");
    int64_t n = nodes->dim[0];
    if (!strcmp(of, "sum")) return nigh_tape_segment_sum(t, c->input[0], c->input[1], n);
    if (!strcmp(of, "mean")) return nigh_tape_segment_mean(t, c->input[0], c->input[1], n);
    if (!strcmp(of, "max")) return nigh_tape_segment_max(t, c->input[0], c->input[1], n, 0);
    return tape_fail(t, "segment", "of is '%s'; sum, mean or max is allowed", of);
}

const nigh_layer_kind layers_residual[] = {
    {"window-attention", "attention of q, k, v [N, H, W, 3 C] within windows, with a bias by difference of places", 1, 1, window_attention},
    {"rows", "rows x[index]", 2, 2, rows},
    {"segment", "sum, mean or max of the rows of each target: messages, targets, nodes", 3, 3, segment},
    {0},
};
