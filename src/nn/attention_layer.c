/* Attention as a layer. Declared in nn/attention_layer.h. */
#include "nn/attention_layer.h"

#include "grad/attention_packed.h"
#include "grad/tape.h"

static bool flag(const nigh_layer_call *c, const char *key) { return nigh_layer_number(c->layer, key, 0) != 0; }

/* The array of which q, k, v are the three parts, with what was turned seen as turned; NIGH_NONE: they are not. */
static nigh_node packed_whole(const nigh_layer_call *c, int64_t heads, int64_t kv_heads, int64_t size)
{
    nigh_tape *t = c->tape;
    int64_t first[3], count[3];
    nigh_node of[3];
    if (c->how->hook || c->layer->inputs != 3 || c->layer->parameters) return NIGH_NONE;
    for (int i = 0; i < 3; i++)
        if ((of[i] = tape_heads_of(t, c->input[i], &first[i], &count[i])) == NIGH_NONE) return NIGH_NONE;
    bool same = of[2] == of[0] || of[2] == tape_rotary_packed_of(t, of[0]);
    const nigh_shape *x = tape_shape(t, of[0]);
    if (of[0] != of[1] || !same || first[0] != 0 || first[1] != heads || first[2] != heads + kv_heads || x->dim[2] != (heads + 2 * kv_heads) * size) return NIGH_NONE;
    return of[0];
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
    attention_packed how = {.heads = q.dim[2], .kv_heads = k.dim[2], .size = q.dim[3], .causal = flag(c, "causal"), .alibi = flag(c, "alibi"),
                            .window = (int64_t)nigh_layer_number(c->layer, "window", 0), .scale = nigh_layer_number(c->layer, "scale", 0)};
    nigh_node whole = packed_whole(c, how.heads, how.kv_heads, how.size);
    if (whole == NIGH_NONE) {
        nigh_node parts = nigh_tape_concat(t, 3, c->input, 2);
        whole = nigh_tape_reshape(t, parts, 3, (int64_t[]){q.dim[0], q.dim[1], (how.heads + 2 * how.kv_heads) * how.size});
    }
    return tape_attention_packed(t, whole, &how);
}
