/* Residual blocks. Declared in nigh/residual.h. */
#include "nigh/residual.h"

#include "nigh/layers.h"

#include <math.h>
#include <stdio.h>

enum { NAME_ROOM = 160 };

/* A network under construction, and where in it. */
typedef struct site {
    nigh_network *net;
    const char *prefix;
} site;

static const char *full(char room[NAME_ROOM], const site *s, const char *name)
{
    snprintf(room, NAME_ROOM, "%.120s%.31s", s->prefix, name);
    return room;
}

static int layer(const site *s, const char *kind, const char *name, int inputs, const int *input)
{
    char room[NAME_ROOM];
    return nigh_network_layer(s->net, kind, full(room, s, name), inputs, input);
}

static int with_numbers(const site *s, const char *kind, const char *name, int inputs, const int *input, int weights, const int *weight, int n, const nigh_attribute *a)
{
    char room[NAME_ROOM];
    return nigh_network_add(s->net, kind, full(room, s, name), inputs, input, weights, weight, n, a);
}

static int linear(const site *s, const char *name, int x, int64_t in, int64_t out)
{
    char room[NAME_ROOM];
    return nigh_network_linear(s->net, full(room, s, name), x, in, out, true);
}

static int weight(const site *s, const char *name, int ndim, const int64_t *dim, nigh_init init)
{
    char room[NAME_ROOM];
    return nigh_network_weight(s->net, full(room, s, name), ndim, dim, init);
}

static int norm(const site *s, const char *name, int x, int64_t width)
{
    char scale[40], shift[40];
    snprintf(scale, sizeof scale, "%.20s.weight", name), snprintf(shift, sizeof shift, "%.20s.bias", name);
    int w[2] = {weight(s, scale, 1, &width, (nigh_init){NIGH_INIT_ONE, 1}), weight(s, shift, 1, &width, (nigh_init){NIGH_INIT_ZERO, 0})};
    return with_numbers(s, "layer-norm", name, 1, &x, 2, w, 0, NULL);
}

static int add(const site *s, const char *name, int x, int y) { return layer(s, "add", name, 2, (int[]){x, y}); }

/* ---- sequences ---------------------------------------------------------------------------------------- */

int nigh_s4d_block(nigh_network *net, const char *prefix, int x, int64_t width, int64_t states)
{
    char room[NAME_ROOM];
    site s = {net, prefix};
    int h = norm(&s, "norm", x, width), y = nigh_network_s4d(net, full(room, &s, "s4d"), h, width, states);
    int skip = weight(&s, "skip.weight", 1, &width, (nigh_init){NIGH_INIT_NORMAL, 1});
    y = add(&s, "mixed", y, with_numbers(&s, "channel-affine", "skip", 1, &h, 1, &skip, 0, NULL));
    y = layer(&s, "gelu", "act", 1, &y);
    y = linear(&s, "out", y, width, 2 * width);
    y = with_numbers(&s, "gated-unit", "gate", 1, &y, 0, NULL, 1, (nigh_attribute[]){{"of", 0, "sigmoid"}});
    return add(&s, "residual", x, y);
}

static int heads(const site *s, const char *name, int x, int64_t count, int64_t size)
{
    nigh_attribute a[] = {{"first", 0, NULL}, {"heads", (double)count, NULL}, {"size", (double)size, NULL}};
    return with_numbers(s, "heads", name, 1, &x, 0, NULL, 3, a);
}

int nigh_delta_block(nigh_network *net, const char *prefix, int x, const nigh_delta *d)
{
    site s = {net, prefix};
    int64_t keys = d->keys ? d->keys : d->width / d->heads, values = d->values ? d->values : d->width / d->heads;
    int h = norm(&s, "norm", x, d->width);
    int q = heads(&s, "q.heads", linear(&s, "q", h, d->width, d->heads * keys), d->heads, keys);
    int k = heads(&s, "k.heads", linear(&s, "k", h, d->width, d->heads * keys), d->heads, keys);
    int v = heads(&s, "v.heads", linear(&s, "v", h, d->width, d->heads * values), d->heads, values);
    int beta = linear(&s, "beta", h, d->width, d->heads);
    q = layer(&s, "normalise", "q.unit", 1, &q);
    k = layer(&s, "normalise", "k.unit", 1, &k);
    beta = layer(&s, "sigmoid", "beta.gate", 1, &beta);
    beta = with_numbers(&s, "affine", "beta.range", 1, &beta, 0, NULL, 1, (nigh_attribute[]){{"scale", d->negative ? 2 : 1, NULL}});
    int y = layer(&s, "delta-rule", "state", 4, (int[]){q, k, v, beta});
    y = norm(&s, "norm.heads", y, values);
    y = layer(&s, "join-heads", "joined", 1, &y);
    return add(&s, "residual", x, linear(&s, "out", y, d->heads * values, d->width));
}

int nigh_gru_block(nigh_network *net, const char *prefix, int x, int64_t width, int64_t state)
{
    char room[NAME_ROOM];
    site s = {net, prefix};
    int y = nigh_network_gru(net, full(room, &s, "gru"), norm(&s, "norm", x, width), width, state);
    return add(&s, "residual", x, linear(&s, "out", y, state, width));
}

/* ---- images ------------------------------------------------------------------------------------------- */

int nigh_swin_block(nigh_network *net, const char *prefix, int x, const nigh_swin *w)
{
    site s = {net, prefix};
    int64_t hidden = w->hidden ? w->hidden : 4 * w->width, side = 2 * w->window - 1;
    int y = norm(&s, "norm1", x, w->width);
    y = linear(&s, "qkv", y, w->width, 3 * w->width);
    int table = weight(&s, "places.weight", 2, (int64_t[]){side * side, w->heads}, (nigh_init){NIGH_INIT_NORMAL, 0.02});
    nigh_attribute a[] = {{"window", (double)w->window, NULL}, {"shift", (double)w->shift, NULL}, {"heads", (double)w->heads, NULL}};
    y = with_numbers(&s, "window-attention", "attention", 1, &y, 1, &table, 3, a);
    x = add(&s, "residual1", x, linear(&s, "out", y, w->width, w->width));
    y = norm(&s, "norm2", x, w->width);
    y = linear(&s, "up", y, w->width, hidden);
    y = layer(&s, "gelu", "act", 1, &y);
    return add(&s, "residual2", x, linear(&s, "down", y, hidden, w->width));
}

/* ---- graphs ------------------------------------------------------------------------------------------- */

int nigh_aggregate(void *user, nigh_network *net, const char *prefix, int messages, int target, int nodes)
{
    site s = {net, prefix};
    return with_numbers(&s, "segment", "aggregate", 3, (int[]){messages, target, nodes}, 0, NULL, 1, (nigh_attribute[]){{"of", 0, user ? user : "sum"}});
}

int nigh_message_block(nigh_network *net, const char *prefix, const nigh_graph_block *g)
{
    site s = {net, prefix};
    nigh_aggregate_fn *aggregate = g->aggregate ? g->aggregate : nigh_aggregate;
    int h = norm(&s, "norm", g->nodes, g->width);
    int ends[2] = {layer(&s, "rows", "from", 2, (int[]){h, g->source}), layer(&s, "rows", "to", 2, (int[]){h, g->target})};
    int y = linear(&s, "message1", layer(&s, "concat", "ends", 2, ends), 2 * g->width, g->hidden);
    y = layer(&s, "relu", "message.act", 1, &y);
    y = linear(&s, "message2", y, g->hidden, g->hidden);
    y = aggregate(g->user, net, prefix, y, g->target, g->nodes);
    y = linear(&s, "update1", layer(&s, "concat", "both", 2, (int[]){h, y}), g->width + g->hidden, g->hidden);
    y = layer(&s, "relu", "update.act", 1, &y);
    return add(&s, "residual", g->nodes, linear(&s, "update2", y, g->hidden, g->width));
}
