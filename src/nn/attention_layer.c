/* Attention as a layer. Declared in nn/attention_layer.h. */
#include "nn/attention_layer.h"

#include "grad/heads.h"
#include "nigh/operators_rows.h"
#include "nigh/operators_sequences.h"

static bool flag(const nigh_layer_call *c, const char *key) { return nigh_layer_number(c->layer, key, 0) != 0; }

/*
 * The array of which q, k, v are the three parts, turned as they are, as [B, T, heads, size]; NIGH_NONE: they are not, or somebody looks at them and may want
 * gradients by them.
 */
static nigh_node packed_whole(const nigh_layer_call *c, const nigh_shape *q, int64_t kv_heads)
{
    nigh_tape *t = c->tape;
    int64_t first[3], count[3], heads = q->dim[2], size = q->dim[3], all = heads + 2 * kv_heads;
    nigh_node of[3];
    if (c->how->hook || c->layer->parameters) return NIGH_NONE;
    for (int i = 0; i < 3; i++)
        if ((of[i] = tape_heads_of(t, c->input[i], &first[i], &count[i])) == NIGH_NONE) return NIGH_NONE;
    bool same = of[2] == of[0] || of[2] == tape_rotary_packed_of(t, of[0]);
    if (of[0] != of[1] || !same || first[0] != 0 || first[1] != heads || first[2] != heads + kv_heads || tape_shape(t, of[0])->dim[2] != all * size) return NIGH_NONE;
    return nigh_tape_reshape(t, of[0], 4, (int64_t[]){q->dim[0], q->dim[1], all, size});
}

static nigh_node slopes_of(nigh_tape *t, nigh_dtype dtype, int64_t heads)
{
    double *wide = nigh_arena_alloc(t->arena, (size_t)(heads + 1) * sizeof *wide);
    float *narrow = nigh_arena_alloc(t->arena, (size_t)(heads + 1) * sizeof *narrow);
    if (!wide || !narrow) return t->status = NIGH_MEMORY, NIGH_NONE;
    nigh_alibi_slopes(heads, wide);
    for (int64_t h = 0; h < heads; h++) narrow[h] = (float)wide[h];
    return nigh_tape_constant(t, dtype, 1, &heads, dtype == NIGH_F32 ? (const void *)narrow : wide);
}

/* A prefix [P, kv_heads, size] in front of x [B, S, kv_heads, size]. */
static nigh_node with_prefix(nigh_tape *t, nigh_node prefix, nigh_node x)
{
    const nigh_shape s = *tape_shape(t, x), p = *tape_shape(t, prefix);
    char text[2][TAPE_SHAPE_TEXT];
    if (p.ndim != 3 || p.dim[1] != s.dim[2] || p.dim[2] != s.dim[3])
        return tape_fail(t, "attention", "the prefix is %s, keys are %s; [P, kv_heads, size] is needed", tape_shape_text(&p, text[0]), tape_shape_text(&s, text[1]));
    nigh_node all = nigh_tape_expand(t, prefix, 4, (int64_t[]){s.dim[0], p.dim[0], p.dim[1], p.dim[2]});
    return nigh_tape_concat(t, 2, (nigh_node[]){all, x}, 1);
}

/* What a query sees; inputs behind q, k, v are lengths, then segments. */
static nigh_attention_how how_of(const nigh_layer_call *c, const nigh_shape *q)
{
    nigh_attention_how how = nigh_attention_plain();
    int next = 3;
    how.causal = flag(c, "causal");
    how.window = (int64_t)nigh_layer_number(c->layer, "window", 0);
    how.scale = nigh_layer_number(c->layer, "scale", 0);
    if (flag(c, "lengths") && next < c->layer->inputs) how.lengths = c->input[next++];
    if (flag(c, "segments") && next < c->layer->inputs) how.q_segment = how.k_segment = c->input[next];
    if (flag(c, "alibi")) how.slopes = slopes_of(c->tape, q->dtype, q->dim[2]);
    return how;
}

nigh_node attention_layer(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char text[3][TAPE_SHAPE_TEXT];
    if (!tape_check(t, "attention", c->layer->inputs, c->input)) return NIGH_NONE;
    const nigh_shape q = *tape_shape(t, c->input[0]), k = *tape_shape(t, c->input[1]), v = *tape_shape(t, c->input[2]);
    if (q.ndim != 4 || k.ndim != 4 || v.ndim != 4)
        return tape_fail(t, "attention", "q is %s, k is %s, v is %s; [B, T, heads, size] is needed", tape_shape_text(&q, text[0]), tape_shape_text(&k, text[1]),
                         tape_shape_text(&v, text[2]));
    nigh_attention_how how = how_of(c, &q);
    nigh_node whole = packed_whole(c, &q, k.dim[2]), keys = c->input[1], values = c->input[2];
    if (whole != NIGH_NONE) return nigh_tape_attention_packed(t, whole, q.dim[2], &how, NULL);
    if (c->layer->parameters == 2) {
        keys = with_prefix(t, c->parameter[0], keys);
        values = with_prefix(t, c->parameter[1], values);
    }
    return keys == NIGH_NONE || values == NIGH_NONE ? NIGH_NONE : nigh_tape_attention(t, c->input[0], keys, values, &how, NULL);
}
