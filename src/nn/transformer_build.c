/* Networks of transformers: blocks out of layers. Declared in nigh/transformer.h. */
#include "nigh/transformer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 160, PREFIX_ROOM = 120 };

/* A network under construction, and where in it. */
typedef struct site {
    nigh_network *net;
    const nigh_decoder *d;
    const char *prefix; /* of names, with the dot */
} site;

/* Names are short: prefixes of this file, and the caller's, which is cut to PREFIX_ROOM. */
static const char *join(char room[NAME_ROOM], const char *prefix, const char *name)
{
    int used = snprintf(room, NAME_ROOM, "%.*s", PREFIX_ROOM, prefix);
    snprintf(room + used, (size_t)(NAME_ROOM - used), "%.31s", name);
    return room;
}

static double width_ratio(const nigh_decoder *d) { return d->mup_width > 0 ? d->mup_width / (double)d->width : 1; }

/* ---- weights ------------------------------------------------------------------------------------------ */

typedef enum weight_role {
    WEIGHT_TABLE,    /* of embeddings, positions, a head: one side is not hidden */
    WEIGHT_MATRIX,   /* between hidden units */
    WEIGHT_RESIDUAL, /* the same, whose result is added to the residual stream */
    WEIGHT_IDENTITY,
    WEIGHT_ONES,
    WEIGHT_ZEROS
} weight_role;

static nigh_init init_of(const nigh_decoder *d, weight_role role)
{
    double hidden = d->init * sqrt(width_ratio(d));
    switch (role) {
    case WEIGHT_TABLE: return (nigh_init){NIGH_INIT_NORMAL, d->init};
    case WEIGHT_MATRIX: return (nigh_init){NIGH_INIT_NORMAL, hidden};
    case WEIGHT_RESIDUAL: return (nigh_init){NIGH_INIT_NORMAL, hidden / sqrt(2 * (double)(d->layers > 0 ? d->layers : 1))};
    case WEIGHT_IDENTITY: return (nigh_init){NIGH_INIT_IDENTITY, 1};
    case WEIGHT_ONES: return (nigh_init){NIGH_INIT_ONE, 1};
    default: return (nigh_init){NIGH_INIT_ZERO, 0};
    }
}

static int add_weight(const site *s, const char *name, weight_role role, int ndim, const int64_t *dim)
{
    char full[NAME_ROOM];
    int index = nigh_network_weight(s->net, join(full, s->prefix, name), ndim, dim, init_of(s->d, role));
    if (index < 0) return -1;
    nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(s->net), index);
    if (ndim < 2) p->decay = 0;
    if (role == WEIGHT_MATRIX || role == WEIGHT_RESIDUAL || role == WEIGHT_IDENTITY) p->rate = width_ratio(s->d);
    return index;
}

/* ---- layers ------------------------------------------------------------------------------------------- */

static int add_layer(const site *s, const char *kind, const char *name, int inputs, const int *input, int weights, const int *weight, int attributes,
                     const nigh_attribute *attribute)
{
    char full[NAME_ROOM];
    return nigh_network_add(s->net, kind, join(full, s->prefix, name), inputs, input, weights, weight, attributes, attribute);
}

static int add_linear(const site *s, const char *name, int x, int64_t in, int64_t out, weight_role role, bool bias)
{
    char weight[NAME_ROOM], shift[NAME_ROOM];
    int w[2] = {add_weight(s, join(weight, name, ".weight"), role, 2, (int64_t[]){in, out}), -1};
    if (bias) w[1] = add_weight(s, join(shift, name, ".bias"), WEIGHT_ZEROS, 1, &out);
    return add_layer(s, "linear", name, 1, &x, bias ? 2 : 1, w, 0, NULL);
}

static int add_norm(const site *s, const char *name, int x)
{
    const nigh_decoder *d = s->d;
    char weight[NAME_ROOM], shift[NAME_ROOM];
    if (d->norm == NIGH_BLOCK_NO_NORM) return x;
    bool layer = d->norm == NIGH_BLOCK_LAYER_NORM;
    int w[2] = {add_weight(s, join(weight, name, ".weight"), WEIGHT_ONES, 1, &d->width), -1};
    if (layer && d->bias) w[1] = add_weight(s, join(shift, name, ".bias"), WEIGHT_ZEROS, 1, &d->width);
    return add_layer(s, layer ? "layer-norm" : "rms-norm", name, 1, &x, w[1] >= 0 ? 2 : 1, w, 1, (nigh_attribute[]){{"eps", d->norm_eps, NULL}});
}

static int add_dropout(const site *s, const char *name, int x)
{
    if (s->d->dropout == 0) return x;
    return add_layer(s, "dropout", name, 1, &x, 0, NULL, 1, (nigh_attribute[]){{"rate", s->d->dropout, NULL}});
}

/* What a sublayer reads from the residual stream. */
static int add_entry(const site *s, const char *number, int x)
{
    char name[NAME_ROOM];
    if (s->d->place == NIGH_PLACE_AFTER) return x;
    if (s->d->place == NIGH_PLACE_PROJECTED) x = add_linear(s, join(name, "project", number), x, s->d->width, s->d->width, WEIGHT_IDENTITY, false);
    return add_norm(s, join(name, "norm", number), x);
}

/* The residual stream with a sublayer's result. */
static int add_exit(const site *s, const char *number, int x, int y)
{
    char name[NAME_ROOM];
    y = add_dropout(s, join(name, "dropout", number), y);
    x = add_layer(s, "add", join(name, "residual", number), 2, (int[]){x, y}, 0, NULL, 0, NULL);
    return s->d->place == NIGH_PLACE_AFTER ? add_norm(s, join(name, "norm", number), x) : x;
}

/* ---- attention ---------------------------------------------------------------------------------------- */

/* Heads first .. first + heads - 1 of a product [B, T, all]: [B, T, heads, head_size]. */
static int add_heads(const site *s, const char *name, int x, int64_t first, int64_t heads)
{
    nigh_attribute a[] = {{"first", (double)first, NULL}, {"heads", (double)heads, NULL}, {"size", (double)s->d->head_size, NULL}};
    return add_layer(s, "heads", name, 1, &x, 0, NULL, 3, a);
}

static int add_rotation(const site *s, const char *name, int x)
{
    char turned[NAME_ROOM];
    if (s->d->positions != NIGH_POSITIONS_ROTARY) return x;
    nigh_attribute a[] = {{"base", s->d->rotary_base, NULL}, {"turned", (double)(s->d->heads + s->d->kv_heads), NULL}};
    return add_layer(s, "rotary", join(turned, name, ".rotated"), 1, &x, 0, NULL, 2, a);
}

typedef struct attention_inputs {
    int q, k, v, lengths, segments;
    bool cross;
} attention_inputs;

static int add_attention(const site *s, const char *name, const attention_inputs *in)
{
    const nigh_decoder *d = s->d;
    int input[5] = {in->q, in->k, in->v}, inputs = 3, weight[2], weights = 0, attributes = 0;
    nigh_attribute a[6];
    if (in->lengths >= 0) input[inputs++] = in->lengths, a[attributes++] = (nigh_attribute){"lengths", 1, NULL};
    if (in->segments >= 0) input[inputs++] = in->segments, a[attributes++] = (nigh_attribute){"segments", 1, NULL};
    if (d->attention_scale != 0) a[attributes++] = (nigh_attribute){"scale", d->attention_scale, NULL};
    if (!in->cross) {
        if (!d->bidirectional) a[attributes++] = (nigh_attribute){"causal", 1, NULL};
        if (d->window) a[attributes++] = (nigh_attribute){"window", (double)d->window, NULL};
        if (d->positions == NIGH_POSITIONS_ALIBI) a[attributes++] = (nigh_attribute){"alibi", 1, NULL};
        if (d->prefix) {
            const int64_t dim[3] = {d->prefix, d->kv_heads, d->head_size};
            weight[weights++] = add_weight(s, "prefix.keys", WEIGHT_TABLE, 3, dim);
            weight[weights++] = add_weight(s, "prefix.values", WEIGHT_TABLE, 3, dim);
        }
    }
    return add_layer(s, "attention", name, inputs, input, weights, weight, attributes, a);
}

static int add_self_attention(const site *s, int x, const nigh_stack_inputs *in)
{
    const nigh_decoder *d = s->d;
    int64_t size = d->head_size, all = (d->heads + 2 * d->kv_heads) * size;
    int y = add_entry(s, "1", x);
    int qkv = add_linear(s, "qkv", y, d->width, all, WEIGHT_MATRIX, d->bias);
    attention_inputs heads = {.q = add_heads(s, "q", qkv, 0, d->heads), .k = add_heads(s, "k", qkv, d->heads, d->kv_heads),
                              .v = add_heads(s, "v", qkv, d->heads + d->kv_heads, d->kv_heads), .lengths = in->memory < 0 ? in->lengths : -1, .segments = in->segments};
    heads.q = add_rotation(s, "q", heads.q);
    heads.k = add_rotation(s, "k", heads.k);
    y = add_attention(s, "attention", &heads);
    y = add_layer(s, "join-heads", "joined", 1, &y, 0, NULL, 0, NULL);
    y = add_linear(s, "out", y, d->heads * size, d->width, WEIGHT_RESIDUAL, d->bias);
    return add_exit(s, "1", x, y);
}

static int add_cross_attention(const site *s, int x, const nigh_stack_inputs *in)
{
    const nigh_decoder *d = s->d;
    int64_t size = d->head_size;
    int y = add_entry(s, ".cross", x);
    int query = add_linear(s, "cross.q", y, d->width, d->heads * size, WEIGHT_MATRIX, d->bias);
    int memory = add_linear(s, "cross.kv", in->memory, in->memory_width, 2 * d->kv_heads * size, WEIGHT_MATRIX, d->bias);
    attention_inputs heads = {.q = add_heads(s, "cross.q.heads", query, 0, d->heads), .k = add_heads(s, "cross.k.heads", memory, 0, d->kv_heads),
                              .v = add_heads(s, "cross.v.heads", memory, d->kv_heads, d->kv_heads), .lengths = in->lengths, .segments = -1, .cross = true};
    y = add_attention(s, "cross.attention", &heads);
    y = add_layer(s, "join-heads", "cross.joined", 1, &y, 0, NULL, 0, NULL);
    y = add_linear(s, "cross.out", y, d->heads * size, d->width, WEIGHT_RESIDUAL, d->bias);
    return add_exit(s, ".cross", x, y);
}

/* ---- feed-forward ------------------------------------------------------------------------------------- */

static int add_activation(const site *s, int x)
{
    switch (s->d->activation) {
    case NIGH_ACTIVATION_RELU: return add_layer(s, "relu", "act", 1, &x, 0, NULL, 0, NULL);
    case NIGH_ACTIVATION_SILU: return add_layer(s, "silu", "act", 1, &x, 0, NULL, 0, NULL);
    case NIGH_ACTIVATION_GATED_RELU: return add_layer(s, "gated-unit", "act", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"of", 0, "relu"}});
    case NIGH_ACTIVATION_GATED_GELU: return add_layer(s, "gated-unit", "act", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"of", 0, "gelu"}});
    case NIGH_ACTIVATION_GATED_SILU: return add_layer(s, "gated-unit", "act", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"of", 0, "silu"}});
    case NIGH_ACTIVATION_POLY_RELU:
    case NIGH_ACTIVATION_POLY_NORM: {
        bool norm = s->d->activation == NIGH_ACTIVATION_POLY_NORM;
        int weight[2] = {add_weight(s, "act.weight", WEIGHT_ONES, 1, (int64_t[]){norm ? 3 : 4}), -1}; /* the shares of the source: all equal at first */
        if (weight[0] >= 0) nigh_parameters_at(nigh_network_parameters(s->net), weight[0])->init.scale = norm ? 1.0 / 3 : 0.25;
        if (norm) weight[1] = add_weight(s, "act.bias", WEIGHT_ZEROS, 1, (int64_t[]){1});
        return add_layer(s, norm ? "poly-norm" : "poly-relu", "act", 1, &x, norm ? 2 : 1, weight, 0, NULL);
    }
    default: return add_layer(s, "gelu", "act", 1, &x, 0, NULL, 0, NULL);
    }
}

static bool is_gated(nigh_activation a) { return a >= NIGH_ACTIVATION_GATED_RELU && a <= NIGH_ACTIVATION_GATED_SILU; }

static int add_feed_forward(const site *s, int x)
{
    const nigh_decoder *d = s->d;
    int y = add_entry(s, "2", x);
    y = add_linear(s, "up", y, d->width, is_gated(d->activation) ? 2 * d->hidden : d->hidden, WEIGHT_MATRIX, d->bias);
    y = add_activation(s, y);
    y = add_linear(s, "down", y, d->hidden, d->width, WEIGHT_RESIDUAL, d->bias);
    return add_exit(s, "2", x, y);
}

/* ---- pieces ------------------------------------------------------------------------------------------- */

int nigh_decoder_embed(nigh_network *net, const char *prefix, const nigh_decoder *d, int tokens)
{
    site s = {net, d, prefix};
    int table = add_weight(&s, "embedding.weight", WEIGHT_TABLE, 2, (int64_t[]){d->vocabulary, d->width});
    int x = add_layer(&s, "embedding", "embedding", 1, &tokens, 1, &table, 1, (nigh_attribute[]){{"scale", d->embedding_scale, NULL}});
    if (d->positions == NIGH_POSITIONS_LEARNED) {
        int weight = add_weight(&s, "positions.weight", WEIGHT_TABLE, 2, (int64_t[]){d->context, d->width});
        x = add_layer(&s, "positions", "positions", 1, &x, 1, &weight, 0, NULL);
    } else if (d->positions == NIGH_POSITIONS_SINE)
        x = add_layer(&s, "sine-positions", "positions", 1, &x, 0, NULL, 0, NULL);
    return add_dropout(&s, "dropout", x);
}

int nigh_decoder_stack(nigh_network *net, const char *prefix, const nigh_decoder *d, const nigh_stack_inputs *in)
{
    char block[NAME_ROOM];
    int x = in->x;
    for (int64_t i = 0; i < d->layers; i++) {
        snprintf(block, sizeof block, "%.90slayers.%lld.", prefix, (long long)i);
        site s = {net, d, block};
        x = add_self_attention(&s, x, in);
        if (d->cross) x = add_cross_attention(&s, x, in);
        x = add_feed_forward(&s, x);
    }
    site s = {net, d, prefix};
    return d->place == NIGH_PLACE_AFTER ? x : add_norm(&s, "norm", x);
}

int nigh_decoder_head(nigh_network *net, const char *prefix, const nigh_decoder *d, int x)
{
    char name[NAME_ROOM];
    site s = {net, d, prefix};
    int weight = d->tied ? nigh_parameters_find(nigh_network_parameters(net), join(name, prefix, "embedding.weight"))
                         : add_weight(&s, "head.weight", WEIGHT_TABLE, 2, (int64_t[]){d->width, d->vocabulary});
    nigh_attribute a[] = {{"scale", d->logit_scale * width_ratio(d), NULL}, {"transposed", d->tied, NULL}};
    return add_layer(&s, "head", "head", 1, &x, 1, &weight, 2, a);
}

/* ---- whole networks ----------------------------------------------------------------------------------- */

static nigh_status finish(nigh_network *net, nigh_network **out)
{
    nigh_status status = nigh_network_status(net);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

nigh_status nigh_decoder_build(nigh_context *ctx, const nigh_decoder *description, nigh_network **out)
{
    nigh_decoder d = *description;
    nigh_network *net;
    nigh_status status = nigh_decoder_check(ctx, &d);
    if (!status && d.cross) status = nigh_fail(ctx, NIGH_INVALID, "decoder: cross is set; such a network is made by nigh_encoder_decoder_build");
    if (!status) status = nigh_network_new(ctx, d.dtype, &net);
    if (status) return status;
    const int64_t any[2] = {-1, -1};
    int tokens = nigh_network_tokens(net, "tokens", 2, any);
    nigh_stack_inputs in = {.memory = -1, .lengths = -1, .segments = -1};
    if (d.segments) in.segments = nigh_network_tokens(net, "segments", 2, any);
    if (d.sources) in.lengths = nigh_network_tokens(net, "lengths", 1, any);
    in.x = nigh_decoder_embed(net, "", &d, tokens);
    int x = nigh_decoder_stack(net, "", &d, &in);
    nigh_network_output(net, nigh_decoder_head(net, "", &d, x));
    return finish(net, out);
}

nigh_status nigh_encoder_decoder_build(nigh_context *ctx, const nigh_decoder *encoder, const nigh_decoder *decoder, nigh_network **out)
{
    nigh_decoder e = *encoder, d = *decoder;
    nigh_network *net;
    nigh_status status = nigh_decoder_check(ctx, &e);
    if (!status) status = nigh_decoder_check(ctx, &d);
    if (status) return status;
    if (!e.bidirectional || e.cross || !d.cross || d.bidirectional || e.dtype != d.dtype)
        return nigh_fail(ctx, NIGH_INVALID, "encoder and decoder: the encoder is bidirectional, the decoder has cross set, and both are of one dtype");
    if (e.segments || d.segments || d.sources)
        return nigh_fail(ctx, NIGH_INVALID, "encoder and decoder: segments are for one network alone, sources for the encoder");
    status = nigh_network_new(ctx, d.dtype, &net);
    if (status) return status;
    const int64_t any[2] = {-1, -1};
    int source = nigh_network_tokens(net, "source", 2, any);
    int lengths = e.sources ? nigh_network_tokens(net, "source.lengths", 1, any) : -1;
    int tokens = nigh_network_tokens(net, "tokens", 2, any);
    nigh_stack_inputs in = {.x = nigh_decoder_embed(net, "encoder.", &e, source), .memory = -1, .lengths = lengths, .segments = -1};
    int memory = nigh_decoder_stack(net, "encoder.", &e, &in);
    in = (nigh_stack_inputs){.x = nigh_decoder_embed(net, "decoder.", &d, tokens), .memory = memory, .lengths = lengths, .segments = -1, .memory_width = e.width};
    int x = nigh_decoder_stack(net, "decoder.", &d, &in);
    nigh_network_output(net, nigh_decoder_head(net, "decoder.", &d, x));
    return finish(net, out);
}

int64_t nigh_decoder_weights(nigh_context *ctx, const nigh_decoder *d)
{
    nigh_network *net;
    if (nigh_decoder_build(ctx, d, &net)) return 0;
    int64_t n = nigh_parameters_numbers(nigh_network_parameters(net));
    nigh_network_free(net);
    return n;
}
