/* The Fourier neural operator as a network. Declared in nigh/fields.h. */
#include "nigh/fields.h"

#include <math.h>
#include <stdio.h>

typedef struct builder {
    nigh_network *net;
    const nigh_fno_spec *spec;
    char name[64];
} builder;

static const char *named(builder *b, int block, const char *part)
{
    if (block < 0) snprintf(b->name, sizeof b->name, "%s", part);
    else snprintf(b->name, sizeof b->name, "blocks.%d.%s", block, part);
    return b->name;
}

static int weight(builder *b, int block, const char *part, int ndim, const int64_t *dim, nigh_init init)
{
    return nigh_network_weight(b->net, named(b, block, part), ndim, dim, init);
}

static int linear(builder *b, int block, const char *part, int x, int64_t in, int64_t out)
{
    return nigh_network_linear(b->net, named(b, block, part), x, in, out, true);
}

static int layer(builder *b, int block, const char *kind, const char *part, int x, int y)
{
    return nigh_network_layer(b->net, kind, named(b, block, part), y < 0 ? 1 : 2, (int[]){x, y});
}

/* Weights of a block in neuraloperator's rules: the parts of a complex weight share its variance. */
static int spectral(builder *b, int block, int x)
{
    const nigh_fno_spec *s = b->spec;
    int64_t c = s->width, last = s->modes[s->dims - 1] / 2 + 1, dim2[] = {last, s->modes[0], c, 2, c}, dim1[] = {last, c, 2, c};
    nigh_init normal = {NIGH_INIT_NORMAL, sqrt(1 / (2 * (double)c))};
    int w = weight(b, block, "spectral.weight", s->dims + 3, s->dims == 2 ? dim2 : dim1, normal);
    return nigh_network_add(b->net, "spectral", named(b, block, "spectral"), 1, &x, 1, &w, 0, NULL);
}

/* x W + b, where b is the bias of the spectral convolution. */
static int skip(builder *b, int block, int x)
{
    int64_t c = b->spec->width;
    int w[2] = {weight(b, block, "skip.weight", 2, (int64_t[]){c, c}, nigh_init_lecun_uniform(c)), -1};
    w[1] = weight(b, block, "spectral.bias", 1, &c, (nigh_init){NIGH_INIT_NORMAL, sqrt(1 / (double)c)});
    return nigh_network_add(b->net, "linear", named(b, block, "skip"), 1, &x, 2, w, 0, NULL);
}

static int block(builder *b, int i, int x)
{
    const nigh_fno_spec *s = b->spec;
    bool last = i == s->layers - 1;
    int64_t c = s->width, hidden = (int64_t)nearbyint((double)c * (s->mlp > 0 ? s->mlp : 0.5));
    int z = layer(b, i, "add", "sum", spectral(b, i, x), skip(b, i, x));
    if (!last) z = layer(b, i, "gelu", "act", z, -1);
    if (s->no_mlp) return z;
    z = layer(b, i, "gelu", "mlp.act", linear(b, i, "mlp.0", z, c, hidden), -1);
    z = linear(b, i, "mlp.1", z, hidden, c);
    int w = weight(b, i, "gate.weight", 1, &c, (nigh_init){NIGH_INIT_ONE, 1});
    int gate = nigh_network_add(b->net, "gate", named(b, i, "gate"), 1, &x, 1, &w, 0, NULL);
    z = layer(b, i, "add", "mlp.sum", z, gate);
    return last ? z : layer(b, i, "gelu", "mlp.out", z, -1);
}

static nigh_status check(nigh_context *ctx, const nigh_fno_spec *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "fno: dims is %d; 1 or 2 is allowed", s->dims);
    if (s->in < 1 || s->out < 1 || s->width < 1 || s->in > 1 << 16 || s->out > 1 << 16 || s->width > 1 << 16)
        return nigh_fail(ctx, NIGH_INVALID, "fno: %lld channels in, %lld out, width %lld; 1 to 65536 are allowed", (long long)s->in, (long long)s->out, (long long)s->width);
    for (int i = 0; i < s->dims; i++)
        if (s->modes[i] < 1 || s->modes[i] > 4096) return nigh_fail(ctx, NIGH_INVALID, "fno: modes[%d] is %lld; 1 to 4096 are allowed", i, (long long)s->modes[i]);
    if (s->layers < 1 || s->layers > 64) return nigh_fail(ctx, NIGH_INVALID, "fno: %d layers; 1 to 64 are allowed", s->layers);
    if (!(s->lift >= 0 && s->project >= 0 && s->mlp >= 0 && s->lift <= 64 && s->project <= 64 && s->mlp <= 64))
        return nigh_fail(ctx, NIGH_INVALID, "fno: lift %g, project %g, mlp %g; 0 to 64 are allowed", s->lift, s->project, s->mlp);
    if (!s->no_mlp && nearbyint((double)s->width * (s->mlp > 0 ? s->mlp : 0.5)) < 1)
        return nigh_fail(ctx, NIGH_INVALID, "fno: mlp %g of width %lld leaves no channels", s->mlp, (long long)s->width);
    return NIGH_OK;
}

nigh_status nigh_fno_new(nigh_context *ctx, nigh_dtype dtype, const nigh_fno_spec *s, nigh_network **out)
{
    builder b = {.spec = s};
    nigh_status status = check(ctx, s);
    if (!status) status = nigh_network_new(ctx, dtype, &b.net);
    if (status) return status;
    int64_t open[] = {-1, -1, -1, -1}, lift = (int64_t)((s->lift > 0 ? s->lift : 2) * (double)s->width), project = (int64_t)((s->project > 0 ? s->project : 2) * (double)s->width);
    open[s->dims + 1] = s->in;
    int x = nigh_network_input(b.net, "x", s->dims + 2, open);
    if (!s->no_grid) x = layer(&b, -1, "grid", "grid", x, -1);
    x = layer(&b, -1, "gelu", "lifting.act", linear(&b, -1, "lifting.0", x, s->in + (s->no_grid ? 0 : s->dims), lift), -1);
    x = linear(&b, -1, "lifting.1", x, lift, s->width);
    for (int i = 0; i < s->layers; i++) x = block(&b, i, x);
    x = layer(&b, -1, "gelu", "projection.act", linear(&b, -1, "projection.0", x, s->width, project), -1);
    nigh_network_output(b.net, linear(&b, -1, "projection.1", x, project, s->out));
    status = nigh_network_status(b.net);
    if (status) nigh_network_free(b.net);
    else *out = b.net;
    return status;
}
