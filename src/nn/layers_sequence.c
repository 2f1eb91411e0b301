/* Attention between two sequences, state spaces, the delta rule and gated units as layers. Listed in nn/layers.h; builders of nigh/layers.h. */
#include "nigh/layers.h"
#include "nigh/operators_sequences.h"

#include "grad/tape.h"
#include "nn/layers.h"

#include <math.h>
#include <stdio.h>

static bool flag(const nigh_layer_call *c, const char *key) { return nigh_layer_number(c->layer, key, 0) != 0; }

static nigh_node cross_attention(const nigh_layer_call *c)
{
    nigh_attention_how how = nigh_attention_plain();
    how.causal = flag(c, "causal");
    how.cosine = flag(c, "cosine");
    how.window = (int64_t)nigh_layer_number(c->layer, "window", 0);
    how.first = (int64_t)nigh_layer_number(c->layer, "first", 0);
    how.scale = nigh_layer_number(c->layer, "scale", 0);
    if (c->layer->inputs > 3) how.lengths = c->input[3];
    if (c->layer->parameters) how.bias = c->parameter[0];
    return nigh_tape_attention(c->tape, c->input[0], c->input[1], c->input[2], &how, NULL);
}

static nigh_node delta_rule(const nigh_layer_call *c) { return nigh_tape_delta_rule(c->tape, c->input[0], c->input[1], c->input[2], c->input[3]); }

static nigh_node gru(const nigh_layer_call *c)
{
    const nigh_node *w = c->parameter;
    if (c->layer->parameters != 4) return layers_fail(c, "%d weights; w_x, w_h, b_x, b_h are needed", c->layer->parameters), NIGH_NONE;
    nigh_gru unit = {w[0], w[1], w[2], w[3]};
    return nigh_tape_gru(c->tape, c->input[0], c->layer->inputs > 1 ? c->input[1] : NIGH_NONE, &unit, (int64_t)nigh_layer_number(c->layer, "truncate", 0), NULL);
}

/* ---- state spaces ------------------------------------------------------------------------------------- */

/* Part `which` of pairs [H, N, 2] as [H, N]. */
static nigh_node part(nigh_tape *t, nigh_node x, int which)
{
    if (!tape_check(t, "s4d", 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    char text[TAPE_SHAPE_TEXT];
    if (s.ndim != 3 || s.dim[2] != 2) return tape_fail(t, "s4d", "a weight is %s; [H,N,2] is needed", tape_shape_text(&s, text));
    return nigh_tape_reshape(t, nigh_tape_slice(t, x, 2, which, 1, 1), 2, s.dim);
}

static nigh_node multiples_of_pi(nigh_tape *t, const nigh_shape *like)
{
    const double pi = 3.14159265358979323846;
    int64_t n = like->dim[1];
    void *v = nigh_arena_alloc(t->arena, (size_t)(n + 1) * sizeof(double));
    if (!v) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < n; i++) {
        if (like->dtype == NIGH_F32) ((float *)v)[i] = (float)(pi * (double)i);
        else ((double *)v)[i] = pi * (double)i;
    }
    return nigh_tape_constant(t, like->dtype, 1, &n, v);
}

static nigh_node s4d(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    const nigh_node *w = c->parameter;
    if (c->layer->parameters != 4) return layers_fail(c, "%d weights; a, b, c, dt are needed", c->layer->parameters), NIGH_NONE;
    nigh_node re = part(t, w[0], 0);
    if (re == NIGH_NONE) return NIGH_NONE;
    const nigh_shape pairs = *tape_shape(t, re);
    nigh_node a = nigh_tape_complex(t, nigh_tape_scale(t, nigh_tape_exp(t, re), -0.5), nigh_tape_add(t, part(t, w[0], 1), multiples_of_pi(t, &pairs)));
    nigh_node b = nigh_tape_complex(t, nigh_tape_affine(t, part(t, w[1], 0), 1, 1), part(t, w[1], 1));
    nigh_node weights = nigh_tape_complex(t, part(t, w[2], 0), part(t, w[2], 1));
    return nigh_tape_s4d(t, c->input[0], a, b, weights, nigh_tape_scale(t, nigh_tape_exp(t, w[3]), 0.01), flag(c, "recur"));
}

const nigh_layer_kind layers_sequence[] = {
    {"cross-attention", "softmax attention of q [B, T, heads, size] to k, v of another length", 3, 4, cross_attention},
    {"s4d", "diagonal state space over a sequence", 1, 1, s4d},
    {"delta-rule", "linear attention with the delta rule: q, k, v, beta", 4, 4, delta_rule},
    {"gru", "gated recurrent unit over a sequence", 1, 2, gru},
    {0},
};

/* ---- builders ----------------------------------------------------------------------------------------- */

static int weight(nigh_network *net, const char *name, const char *what, int ndim, const int64_t *dim, nigh_init init)
{
    char text[256];
    snprintf(text, sizeof text, "%s.%s", name, what);
    return nigh_network_weight(net, text, ndim, dim, init);
}

int nigh_network_gru(nigh_network *net, const char *name, int x, int64_t in, int64_t out)
{
    if (nigh_network_status(net)) return -1;
    int64_t three = 3 * out;
    nigh_init init = nigh_init_lecun_uniform(out);
    int parameter[4] = {weight(net, name, "wx", 2, (int64_t[]){in, three}, init), weight(net, name, "wh", 2, (int64_t[]){out, three}, init),
                        weight(net, name, "bx", 1, &three, init), weight(net, name, "bh", 1, &three, init)};
    return nigh_network_status(net) ? -1 : nigh_network_add(net, "gru", name, 1, &x, 4, parameter, 0, NULL);
}

int nigh_network_s4d(nigh_network *net, const char *name, int x, int64_t heads, int64_t states)
{
    if (nigh_network_status(net)) return -1;
    int64_t pairs[3] = {heads, states, 2};
    nigh_init zero = {NIGH_INIT_ZERO, 0}, normal = {NIGH_INIT_NORMAL, sqrt(0.5)}, rates = {NIGH_INIT_UNIFORM, log(10)};
    int parameter[4] = {weight(net, name, "a", 3, pairs, zero), weight(net, name, "b", 3, pairs, zero), weight(net, name, "c", 3, pairs, normal),
                        weight(net, name, "dt", 1, &heads, rates)};
    return nigh_network_status(net) ? -1 : nigh_network_add(net, "s4d", name, 1, &x, 4, parameter, 0, NULL);
}
