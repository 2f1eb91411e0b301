/* Layers of transformers: positions, heads, attention, gates. Listed in nn/layers.h. */
#include "grad/heads.h"
#include "grad/tape.h"
#include "nigh/operators_rows.h"
#include "nn/attention_layer.h"
#include "nn/layers.h"

#include <string.h>

static double attribute(const nigh_layer_call *c, const char *key, double otherwise) { return nigh_layer_number(c->layer, key, otherwise); }

static nigh_node fail(const nigh_layer_call *c, const char *format, int64_t value, int64_t most)
{
    return tape_fail(c->tape, c->layer->kind, format, (long long)value, (long long)most);
}

/* ---- what comes in ------------------------------------------------------------------------------------ */

/* [B, T, C], or NULL and a failure. */
static const nigh_shape *sequence(const nigh_layer_call *c)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(c->tape, c->layer->kind, 1, c->input)) return NULL;
    const nigh_shape *s = tape_shape(c->tape, c->input[0]);
    if (s->ndim == 3) return s;
    tape_fail(c->tape, c->layer->kind, "x is %s; [B, T, C] is needed", tape_shape_text(s, text));
    return NULL;
}

static nigh_node positions(const nigh_layer_call *c)
{
    const nigh_shape *s = sequence(c);
    if (!s) return NIGH_NONE;
    int64_t first = (int64_t)attribute(c, "first", 0), steps = s->dim[1], most = tape_shape(c->tape, c->parameter[0])->dim[0];
    if (first + steps > most) return fail(c, "%lld places are needed; the table has %lld", first + steps, most);
    return nigh_tape_add(c->tape, c->input[0], nigh_tape_slice(c->tape, c->parameter[0], 0, first, steps, 1));
}

static nigh_node sine_positions(const nigh_layer_call *c)
{
    const nigh_shape *s = sequence(c);
    if (!s) return NIGH_NONE;
    nigh_node table = nigh_tape_sinusoids(c->tape, s->dtype, s->dim[1], s->dim[2], attribute(c, "base", 10000), (int64_t)attribute(c, "first", 0));
    return nigh_tape_add(c->tape, c->input[0], table);
}

/* ---- gates ------------------------------------------------------------------------------------------- */

/* f(first half of the channels) times the second half. */
static nigh_node gate(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    if (!tape_check(t, "gated-unit", 1, c->input)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(t, c->input[0]);
    int64_t n = s->ndim ? s->dim[s->ndim - 1] : 0;
    if (n % 2 || !n) return fail(c, "%lld channels; an even number is needed%.0lld", n, 0);
    nigh_node u = nigh_tape_slice(t, c->input[0], -1, 0, n / 2, 1), v = nigh_tape_slice(t, c->input[0], -1, n / 2, n / 2, 1);
    const char *of = nigh_layer_text(c->layer, "of", "sigmoid");
    if (!strcmp(of, "relu")) u = nigh_tape_relu(t, u);
    else if (!strcmp(of, "gelu")) u = nigh_tape_gelu(t, u);
    else if (!strcmp(of, "silu")) u = nigh_tape_silu(t, u);
    else if (!strcmp(of, "sigmoid")) u = nigh_tape_sigmoid(t, u);
    else if (!strcmp(of, "tanh")) u = nigh_tape_tanh(t, u);
    else return tape_fail(t, "gated-unit", "of is '%s'; relu, gelu, silu, sigmoid or tanh is allowed", of);
    return nigh_tape_mul(t, u, v);
}

/* ---- heads -------------------------------------------------------------------------------------------- */

static nigh_node heads(const nigh_layer_call *c)
{
    return tape_heads(c->tape, c->input[0], (int64_t)attribute(c, "first", 0), (int64_t)attribute(c, "heads", 1), (int64_t)attribute(c, "size", 1));
}

static nigh_node join_heads(const nigh_layer_call *c)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(c->tape, "join-heads", 1, c->input)) return NIGH_NONE;
    const nigh_shape *s = tape_shape(c->tape, c->input[0]);
    if (s->ndim != 4) return tape_fail(c->tape, "join-heads", "x is %s; [B, T, heads, size] is needed", tape_shape_text(s, text));
    return nigh_tape_reshape(c->tape, c->input[0], 3, (int64_t[]){s->dim[0], s->dim[1], s->dim[2] * s->dim[3]});
}

/*
 * Where nobody looks at the layers between, all turned heads of a product are turned together: the layers of q and of k then record one and the
 * same node.
 */
static nigh_node rotary(const nigh_layer_call *c)
{
    if (!tape_check(c->tape, "rotary", 1, c->input)) return NIGH_NONE;
    double base = attribute(c, "base", 10000);
    int64_t first, count, turned = (int64_t)attribute(c, "turned", 0);
    nigh_node packed = c->how->hook ? NIGH_NONE : tape_heads_of(c->tape, c->input[0], &first, &count);
    if (packed == NIGH_NONE || first + count > turned) return nigh_tape_rotary(c->tape, c->input[0], 1, &(nigh_rotary){.base = base, .half = true});
    int64_t size = tape_shape(c->tape, c->input[0])->dim[3];
    nigh_node all = tape_rotary_packed(c->tape, packed, turned, size, base);
    return all == NIGH_NONE ? NIGH_NONE : tape_heads(c->tape, all, first, count, size);
}

/* x W, or x W^T with the table of an embedding. */
static nigh_node head(const nigh_layer_call *c)
{
    nigh_node y = nigh_tape_matmul(c->tape, c->input[0], c->parameter[0], attribute(c, "transposed", 0) != 0 ? NIGH_TRANSPOSE_B : 0);
    return nigh_tape_scale(c->tape, y, attribute(c, "scale", 1));
}

const nigh_layer_kind layers_transformer[] = {
    {"positions", "a table's rows added along a sequence", 1, 1, positions},
    {"sine-positions", "sines and cosines of the place added", 1, 1, sine_positions},
    {"gated-unit", "f(first half of the channels) times the second", 1, 1, gate},
    {"heads", "some heads of a product, [B, T, heads, size]", 1, 1, heads},
    {"join-heads", "[B, T, heads, size] to [B, T, heads size]", 1, 1, join_heads},
    {"rotary", "pairs of coordinates turned by an angle that grows with the place", 1, 1, rotary},
    {"attention", "softmax attention of q, k, v [B, T, heads, size]", 3, 5, attention_layer},
    {"head", "x W, or x W^T of a shared table", 1, 1, head},
    {0},
};
