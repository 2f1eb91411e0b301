/* The U-Net as a network. Declared in nigh/fields.h. */
#include "nigh/fields.h"
#include "nigh/layers.h"

#include <stdio.h>

enum { LEAST_SCALES = 2, MOST_SCALES = 6 };

typedef struct builder {
    nigh_network *net;
    const nigh_unet_spec *spec;
    char name[64], inner[80];
} builder;

/* "SIDE.LEVEL.PART", valid until the next call. */
static const char *named(builder *b, const char *side, int level, const char *part, int i)
{
    snprintf(b->name, sizeof b->name, "%s.%d.%s%d", side, level, part, i);
    return b->name;
}

static const char *weight_of(builder *b, const char *part)
{
    snprintf(b->inner, sizeof b->inner, "%s.%s", b->name, part);
    return b->inner;
}

static int64_t groups_of(const nigh_unet_spec *s)
{
    int64_t groups = s->groups ? s->groups : 8;
    while (s->base % groups) groups /= 2;
    return groups;
}

static int norm(builder *b, const char *side, int level, int i, int x, int64_t channels)
{
    const nigh_unet_spec *s = b->spec;
    if (s->norm == NIGH_UNET_PLAIN) return x;
    named(b, side, level, "norm", i);
    int w[2] = {nigh_network_weight(b->net, weight_of(b, "weight"), 1, &channels, (nigh_init){NIGH_INIT_ONE, 1}),
                nigh_network_weight(b->net, weight_of(b, "bias"), 1, &channels, (nigh_init){NIGH_INIT_ZERO, 0})};
    nigh_attribute groups = {"groups", (double)groups_of(s), NULL};
    if (s->norm == NIGH_UNET_GROUP) return nigh_network_add(b->net, "group-norm", b->name, 1, &x, 2, w, 1, &groups);
    int running[4] = {nigh_network_weight(b->net, weight_of(b, "mean"), 1, &channels, (nigh_init){NIGH_INIT_ZERO, 0}),
                      nigh_network_weight(b->net, weight_of(b, "variance"), 1, &channels, (nigh_init){NIGH_INIT_ONE, 1}), w[0], w[1]};
    for (int k = 0; k < 2 && running[k] >= 0; k++) nigh_parameters_at(nigh_network_parameters(b->net), running[k])->frozen = true;
    return nigh_network_add(b->net, "batch-norm", b->name, 1, &x, 4, running, 0, NULL);
}

static int act(builder *b, const char *side, int level, int i, int x)
{
    return nigh_network_layer(b->net, b->spec->relu ? "relu" : "gelu", named(b, side, level, "act", i), 1, &x);
}

/* Two convolutions, each with norm and activation; a norm makes their biases idle. */
static int pair(builder *b, const char *side, int level, int x, int64_t in, int64_t out)
{
    const nigh_unet_spec *s = b->spec;
    for (int i = 0; i < 2; i++) {
        x = nigh_network_conv_same(b->net, named(b, side, level, "conv", i), x, i ? out : in, out, s->dims, 3, s->padding, s->norm == NIGH_UNET_PLAIN);
        x = act(b, side, level, i, norm(b, side, level, i, x, out));
    }
    return x;
}

static int lower(builder *b, int level, int x, int64_t channels)
{
    const nigh_unet_spec *s = b->spec;
    nigh_convolution how = {.stride = {2, 2}};
    if (s->strided) return nigh_network_conv(b->net, named(b, "down", level, "half", 0), x, channels, channels, s->dims, (int64_t[]){2, 2}, &how, true);
    return nigh_network_layer(b->net, "max-pool", named(b, "down", level, "half", 0), 1, &x);
}

/* x [2 channels] from below and what was there on the way down, behind each other. */
static int join(builder *b, int level, int x, int there, int64_t channels)
{
    const nigh_unet_spec *s = b->spec;
    nigh_convolution how = {.stride = {2, 2}};
    if (s->transposed) x = nigh_network_conv_transpose(b->net, named(b, "up", level, "twice", 0), x, 2 * channels, channels, s->dims, (int64_t[]){2, 2}, &how, true);
    else x = nigh_network_layer(b->net, "resample", named(b, "up", level, "twice", 0), 2, (int[]){x, there});
    return nigh_network_layer(b->net, "concat", named(b, "up", level, "join", 0), 2, (int[]){there, x});
}

static nigh_status check(nigh_context *ctx, const nigh_unet_spec *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "unet: dims is %d; 1 or 2 is allowed", s->dims);
    if (s->in < 1 || s->out < 1 || s->base < 1 || s->in > 1 << 16 || s->out > 1 << 16 || s->base > 1 << 12)
        return nigh_fail(ctx, NIGH_INVALID, "unet: %lld channels in, %lld out, base %lld; 1 to 65536 (base: 4096) are allowed", (long long)s->in, (long long)s->out, (long long)s->base);
    if (s->scales < LEAST_SCALES || s->scales > MOST_SCALES) return nigh_fail(ctx, NIGH_INVALID, "unet: %d scales; %d to %d are allowed", s->scales, LEAST_SCALES, MOST_SCALES);
    if (s->groups < 0 || (s->groups && s->base % s->groups)) return nigh_fail(ctx, NIGH_INVALID, "unet: %lld groups do not divide %lld channels", (long long)s->groups, (long long)s->base);
    return NIGH_OK;
}

nigh_status nigh_unet_new(nigh_context *ctx, nigh_dtype dtype, const nigh_unet_spec *s, nigh_network **out)
{
    builder b = {.spec = s};
    nigh_status status = check(ctx, s);
    if (!status) status = nigh_network_new(ctx, dtype, &b.net);
    if (status) return status;
    int64_t open[] = {-1, -1, -1, -1}, channels = s->base;
    int there[MOST_SCALES];
    open[s->dims + 1] = s->in;
    int x = nigh_network_input(b.net, "x", s->dims + 2, open);
    for (int level = 0; level < s->scales; level++) {
        x = pair(&b, "down", level, x, level ? channels / 2 : s->in, channels);
        there[level] = x;
        if (level + 1 < s->scales) x = lower(&b, level, x, channels), channels *= 2;
    }
    for (int level = s->scales - 2; level >= 0; level--) {
        channels /= 2;
        x = pair(&b, "up", level, join(&b, level, x, there[level], channels), s->transposed ? 2 * channels : 3 * channels, channels);
    }
    nigh_network_output(b.net, nigh_network_linear(b.net, "out", x, s->base, s->out, true));
    status = nigh_network_status(b.net);
    if (status) nigh_network_free(b.net);
    else *out = b.net;
    return status;
}
