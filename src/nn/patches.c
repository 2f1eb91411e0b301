/* The transformer of patches as a network. Declared in nigh/fields.h. */
#include "nigh/fields.h"
#include "nigh/layers.h"

#include <math.h>
#include <stdio.h>

typedef struct builder {
    nigh_network *net;
    const nigh_patches_spec *spec;
    char name[64], inner[80];
} builder;

static const char *named(builder *b, int block, const char *part)
{
    if (block < 0) snprintf(b->name, sizeof b->name, "%s", part);
    else snprintf(b->name, sizeof b->name, "blocks.%d.%s", block, part);
    return b->name;
}

static int layer(builder *b, const char *kind, int block, const char *part, int x, int y)
{
    return nigh_network_layer(b->net, kind, named(b, block, part), y < 0 ? 1 : 2, (int[]){x, y});
}

static int linear(builder *b, int block, const char *part, int x, int64_t in, int64_t out) { return nigh_network_linear(b->net, named(b, block, part), x, in, out, true); }

static int norm(builder *b, int block, const char *part, int x)
{
    int64_t c = b->spec->width;
    int w[2];
    named(b, block, part);
    snprintf(b->inner, sizeof b->inner, "%s.weight", b->name);
    w[0] = nigh_network_weight(b->net, b->inner, 1, &c, (nigh_init){NIGH_INIT_ONE, 1});
    snprintf(b->inner, sizeof b->inner, "%s.bias", b->name);
    w[1] = nigh_network_weight(b->net, b->inner, 1, &c, (nigh_init){NIGH_INIT_ZERO, 0});
    return nigh_network_add(b->net, "layer-norm", b->name, 1, &x, 2, w, 0, NULL);
}

static int heads(builder *b, int block, const char *part, int x, int which)
{
    int64_t h = b->spec->heads;
    const nigh_attribute attribute[] = {{"first", (double)(which * h), NULL}, {"heads", (double)h, NULL}, {"size", (double)(b->spec->width / h), NULL}};
    return nigh_network_add(b->net, "heads", named(b, block, part), 1, &x, 0, NULL, 3, attribute);
}

static int block(builder *b, int i, int x)
{
    int64_t c = b->spec->width;
    int y = linear(b, i, "qkv", norm(b, i, "norm1", x), c, 3 * c);
    int q = heads(b, i, "q", y, 0), k = heads(b, i, "k", y, 1), v = heads(b, i, "v", y, 2);
    y = nigh_network_layer(b->net, "attention", named(b, i, "attention"), 3, (int[]){q, k, v});
    y = linear(b, i, "mix", layer(b, "join-heads", i, "join", y, -1), c, c);
    x = layer(b, "add", i, "sum1", x, y);
    y = layer(b, "gelu", i, "act", linear(b, i, "up", norm(b, i, "norm2", x), c, 2 * c), -1);
    return layer(b, "add", i, "sum2", x, linear(b, i, "down", y, 2 * c, c));
}

static int reshape(builder *b, const char *part, int x, const char *shape)
{
    return nigh_network_add(b->net, "reshape", named(b, -1, part), 1, &x, 0, NULL, 1, &(nigh_attribute){"shape", 0, shape});
}

/* On circles coordinates would jump where they close: sines and cosines of them. */
static int places(builder *b, int x)
{
    const nigh_patches_spec *s = b->spec;
    int y = layer(b, "grid", -1, "grid", x, -1);
    if (s->padding != NIGH_PAD_CIRCULAR) return y;
    y = nigh_network_add(b->net, "slice", named(b, -1, "places"), 1, &y, 0, NULL, 2, (nigh_attribute[]){{"axis", -1, NULL}, {"start", (double)s->in, NULL}});
    y = nigh_network_add(b->net, "affine", named(b, -1, "angles"), 1, &y, 0, NULL, 1, &(nigh_attribute){"scale", 2 * M_PI, NULL});
    int around[3] = {x, layer(b, "sin", -1, "sines", y, -1), layer(b, "cos", -1, "cosines", y, -1)};
    return nigh_network_layer(b->net, "concat", named(b, -1, "around"), 3, around);
}

static nigh_status check(nigh_context *ctx, const nigh_patches_spec *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "patches: dims is %d; 1 or 2 is allowed", s->dims);
    if (s->in < 1 || s->out < 1 || s->width < 1 || s->in > 1 << 16 || s->out > 1 << 16 || s->width > 1 << 14)
        return nigh_fail(ctx, NIGH_INVALID, "patches: %lld channels in, %lld out, width %lld; 1 to 65536 (width: 16384) are allowed", (long long)s->in, (long long)s->out, (long long)s->width);
    if (s->heads < 1 || s->width % s->heads) return nigh_fail(ctx, NIGH_INVALID, "patches: %lld heads do not divide a width of %lld", (long long)s->heads, (long long)s->width);
    if (s->layers < 1 || s->layers > 64) return nigh_fail(ctx, NIGH_INVALID, "patches: %d layers; 1 to 64 are allowed", s->layers);
    for (int i = 0; i < s->dims; i++)
        if (s->patch < 1 || s->patch > 256 || s->size[i] < s->patch || s->size[i] % s->patch)
            return nigh_fail(ctx, NIGH_INVALID, "patches: a grid of %lld points in dimension %d is no multiple of patches of %lld", (long long)s->size[i], i, (long long)s->patch);
    return NIGH_OK;
}

nigh_status nigh_patches_new(nigh_context *ctx, nigh_dtype dtype, const nigh_patches_spec *s, nigh_network **out)
{
    builder b = {.spec = s};
    nigh_status status = check(ctx, s);
    if (!status) status = nigh_network_new(ctx, dtype, &b.net);
    if (status) return status;
    int64_t dim[] = {-1, s->size[0], s->size[1], s->in}, kernel[] = {s->patch, s->patch}, seen = s->in + (s->padding == NIGH_PAD_CIRCULAR ? 2 : 1) * s->dims, c = s->width, detail = c / 2 > 8 ? c / 2 : 8;
    nigh_convolution how = {.stride = {s->patch, s->patch}};
    char points[64], field[96];
    if (s->dims == 1) dim[2] = s->in;
    snprintf(points, sizeof points, "0,-1,%lld", (long long)c);
    if (s->dims == 2) snprintf(field, sizeof field, "0,%lld,%lld,%lld", (long long)(s->size[0] / s->patch), (long long)(s->size[1] / s->patch), (long long)c);
    else snprintf(field, sizeof field, "0,%lld,%lld", (long long)(s->size[0] / s->patch), (long long)c);
    int x = places(&b, nigh_network_input(b.net, "x", s->dims + 2, dim));
    int z = reshape(&b, "tokens", nigh_network_conv(b.net, "patch", x, seen, c, s->dims, kernel, &how, true), points);
    for (int i = 0; i < s->layers; i++) z = block(&b, i, z);
    z = reshape(&b, "field", norm(&b, -1, "norm", z), field);
    z = layer(&b, "gelu", -1, "points.act", nigh_network_conv_transpose(b.net, "points", z, c, detail, s->dims, kernel, &how, true), -1);
    z = layer(&b, "concat", -1, "beside", z, x);
    z = layer(&b, "gelu", -1, "detail.act", nigh_network_conv_same(b.net, "detail", z, detail + seen, detail, s->dims, 3, s->padding, true), -1);
    nigh_network_output(b.net, linear(&b, -1, "out", z, detail, s->out));
    status = nigh_network_status(b.net);
    if (status) nigh_network_free(b.net);
    else *out = b.net;
    return status;
}
