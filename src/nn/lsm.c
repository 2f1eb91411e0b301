/* The latent spectral model as a network. Declared in nigh/fields.h. */
#include "nigh/fields.h"
#include "nigh/layers.h"
#include "tensor/latent.h"

#include <stdio.h>

enum { MOST_SCALES = 6, MOST_PATCH = 64 };

/* The spec with its defaults in, and a place for names. */
typedef struct builder {
    nigh_network *net;
    nigh_lsm_spec spec;
    char name[64], inner[80];
} builder;

static nigh_lsm_spec filled(const nigh_lsm_spec *spec)
{
    nigh_lsm_spec s = *spec;
    for (int k = 0; k < 2; k++) s.patch[k] = s.patch[k] ? s.patch[k] : 4;
    s.heads = s.heads ? s.heads : 4;
    s.tokens = s.tokens ? s.tokens : 4;
    s.basis = s.basis ? s.basis : 12;
    s.project = s.project ? s.project : 2 * s.width;
    return s;
}

static int64_t channels_at(const nigh_lsm_spec *s, int level) { return s->width << (level && level == s->scales - 1 ? level - 1 : level); }

void nigh_lsm_padded(const nigh_lsm_spec *spec, const int64_t *size, int64_t *padded)
{
    nigh_lsm_spec s = filled(spec);
    for (int k = 0; k < s.dims; k++) {
        int64_t multiple = s.patch[k] << (s.scales - 1);
        padded[k] = (size[k] + multiple - 1) / multiple * multiple;
    }
}

static double pair_flops(const nigh_lsm_spec *s, double points, double in, double middle, double out) { return 2 * points * (s->dims == 2 ? 9 : 3) * (in * middle + middle * out); }

double nigh_lsm_flops(const nigh_lsm_spec *spec, const int64_t *size)
{
    nigh_lsm_spec s = filled(spec);
    int64_t padded[2] = {1, 1};
    nigh_lsm_padded(&s, size, padded);
    double real = (double)size[0] * (s.dims == 2 ? (double)size[1] : 1), d = (double)s.width, ends = (double)(s.in + s.dims) * d + d * d + d * (double)s.project + (double)(s.project * s.out);
    double sum = 2 * real * ends;
    for (int level = 0; level < s.scales; level++) {
        double points = (double)padded[0] * (double)padded[1], c = (double)channels_at(&s, level), above = level ? (double)channels_at(&s, level - 1) : d;
        latent_spec block = {.samples = 1, .size = {padded[0], padded[1]}, .patch = {s.dims == 2 ? s.patch[0] : 1, s.dims == 2 ? s.patch[1] : s.patch[0]}, .heads = s.heads,
                             .width = channels_at(&s, level) / s.heads, .tokens = s.tokens, .basis = s.identity ? 0 : s.basis};
        if (s.dims == 1) block.size[0] = 1, block.size[1] = padded[0];
        sum += pair_flops(&s, points, above, c, c) + 2 * points * c * (2 * c + (double)(s.heads * s.tokens)) + latent_flops(&block);
        if (level + 1 < s.scales) sum += pair_flops(&s, points, 2 * c, c, above);
        for (int k = 0; k < s.dims; k++) padded[k] /= 2;
    }
    return sum;
}

/* ---- layers ------------------------------------------------------------------------------------------- */

/* "SIDE.LEVEL.PART", valid until the next call; level -1: "SIDE". */
static const char *named(builder *b, const char *side, int level, const char *part)
{
    if (level < 0) snprintf(b->name, sizeof b->name, "%s", side);
    else snprintf(b->name, sizeof b->name, "%s.%d.%s", side, level, part);
    return b->name;
}

static const char *weight_of(builder *b, const char *part)
{
    snprintf(b->inner, sizeof b->inner, "%s.%s", b->name, part);
    return b->inner;
}

/* Frozen arrays are not drawn: the running variance begins as 1 here. */
static void begin_variance(builder *b, int weight, int64_t channels)
{
    nigh_parameters *set = nigh_network_parameters(b->net);
    if (weight < 0) return;
    for (int64_t c = 0; c < channels; c++) {
        if (nigh_parameters_dtype(set) == NIGH_F32) ((float *)nigh_parameters_data(set, weight))[c] = 1;
        else ((double *)nigh_parameters_data(set, weight))[c] = 1;
    }
}

static int norm(builder *b, int x, int64_t channels)
{
    int w[4] = {nigh_network_weight(b->net, weight_of(b, "mean"), 1, &channels, (nigh_init){NIGH_INIT_ZERO, 0}),
                nigh_network_weight(b->net, weight_of(b, "variance"), 1, &channels, (nigh_init){NIGH_INIT_ONE, 1}),
                nigh_network_weight(b->net, weight_of(b, "weight"), 1, &channels, (nigh_init){NIGH_INIT_ONE, 1}),
                nigh_network_weight(b->net, weight_of(b, "bias"), 1, &channels, (nigh_init){NIGH_INIT_ZERO, 0})};
    for (int k = 0; k < 2 && w[k] >= 0; k++) nigh_parameters_at(nigh_network_parameters(b->net), w[k])->frozen = true;
    begin_variance(b, w[1], channels);
    return nigh_network_add(b->net, "batch-norm", b->name, 1, &x, 4, w, 0, NULL);
}

/* Twice: convolution without bias, batch norm, relu. */
static int pair(builder *b, const char *side, int level, int x, int64_t in, int64_t middle, int64_t out)
{
    static const char *const parts[2][3] = {{"conv0", "norm0", "act0"}, {"conv1", "norm1", "act1"}};
    for (int i = 0; i < 2; i++) {
        int64_t from = i ? middle : in, to = i ? out : middle;
        x = nigh_network_conv_same(b->net, named(b, side, level, parts[i][0]), x, from, to, b->spec.dims, 3, NIGH_PAD_ZERO, false);
        named(b, side, level, parts[i][1]);
        x = norm(b, x, to);
        x = nigh_network_layer(b->net, "relu", named(b, side, level, parts[i][2]), 1, &x);
    }
    return x;
}

static int spectral(builder *b, int level, int x)
{
    const nigh_lsm_spec *s = &b->spec;
    int64_t c = channels_at(s, level);
    nigh_init small = {NIGH_INIT_UNIFORM, 1 / (double)c}, usual = nigh_init_lecun_uniform(c);
    nigh_attribute patch[2] = {{"patch_0", (double)s->patch[0], NULL}, {"patch_1", (double)s->patch[1], NULL}};
    named(b, "block", level, "latent");
    int w[4] = {nigh_network_weight(b->net, weight_of(b, "weight"), 2, (int64_t[]){c, 3 * c}, usual), nigh_network_weight(b->net, weight_of(b, "bias"), 1, (int64_t[]){2 * c}, usual),
                nigh_network_weight(b->net, weight_of(b, "tokens"), 3, (int64_t[]){s->heads, s->tokens, c / s->heads}, small), -1};
    if (!s->identity) w[3] = nigh_network_weight(b->net, weight_of(b, "waves"), 2, (int64_t[]){c, 2 * s->basis}, small);
    return nigh_network_add(b->net, "latent-spectral", b->name, 1, &x, s->identity ? 3 : 4, w, s->dims, patch);
}

/* What comes from below on the grid of `there`, behind it. */
static int join(builder *b, int level, int x, int there)
{
    nigh_attribute corners = {"align_corners", 1, NULL};
    x = nigh_network_add(b->net, "resample", named(b, "up", level, "twice"), 2, (int[]){x, there}, 0, NULL, 1, &corners);
    return nigh_network_layer(b->net, "concat", named(b, "up", level, "join"), 2, (int[]){there, x});
}

static int padded(builder *b, int x)
{
    const nigh_lsm_spec *s = &b->spec;
    nigh_attribute multiple[2] = {{"multiple_0", (double)(s->patch[0] << (s->scales - 1)), NULL}, {"multiple_1", (double)(s->patch[1] << (s->scales - 1)), NULL}};
    return nigh_network_add(b->net, "pad-multiple", "pad", 1, &x, 0, NULL, s->dims, multiple);
}

static void build(builder *b)
{
    const nigh_lsm_spec *s = &b->spec;
    int64_t open[] = {-1, -1, -1, -1};
    int there[MOST_SCALES];
    open[s->dims + 1] = s->in;
    int input = nigh_network_input(b->net, "x", s->dims + 2, open);
    int x = nigh_network_linear(b->net, "lift", nigh_network_layer(b->net, "grid-ends", "grid", 1, &input), s->in + s->dims, s->width, true);
    x = padded(b, x);
    for (int level = 0; level < s->scales; level++) {
        if (level) x = nigh_network_layer(b->net, "max-pool", named(b, "down", level, "half"), 1, &x);
        x = pair(b, "down", level, x, level ? channels_at(s, level - 1) : s->width, channels_at(s, level), channels_at(s, level));
        there[level] = x;
    }
    x = spectral(b, s->scales - 1, x);
    for (int level = s->scales - 2; level >= 0; level--) {
        int64_t c = channels_at(s, level); /* as many come from below */
        x = join(b, level, x, spectral(b, level, there[level]));
        x = pair(b, "up", level, x, 2 * c, c, level ? channels_at(s, level - 1) : s->width);
    }
    x = nigh_network_linear(b->net, "out", x, s->width, s->width, true);
    x = nigh_network_layer(b->net, "crop", "crop", 2, (int[]){x, input});
    x = nigh_network_linear(b->net, "project0", x, s->width, s->project, true);
    x = nigh_network_layer(b->net, "gelu", "act", 1, &x);
    nigh_network_output(b->net, nigh_network_linear(b->net, "project1", x, s->project, s->out, true));
}

static nigh_status check(nigh_context *ctx, const nigh_lsm_spec *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "lsm: dims is %d; 1 or 2 is allowed", s->dims);
    if (s->in < 1 || s->out < 1 || s->width < 1 || s->in > 1 << 16 || s->out > 1 << 16 || s->width > 1 << 12 || s->project < 1 || s->project > 1 << 16)
        return nigh_fail(ctx, NIGH_INVALID, "lsm: %lld channels in, %lld out, width %lld, %lld channels at the end; 1 to 65536 (width: 4096) are allowed", (long long)s->in, (long long)s->out,
                         (long long)s->width, (long long)s->project);
    if (s->scales < 1 || s->scales > MOST_SCALES) return nigh_fail(ctx, NIGH_INVALID, "lsm: %d scales; 1 to %d are allowed", s->scales, MOST_SCALES);
    for (int k = 0; k < s->dims; k++)
        if (s->patch[k] < 1 || s->patch[k] > MOST_PATCH) return nigh_fail(ctx, NIGH_INVALID, "lsm: patch[%d] is %lld; 1 to %d are allowed", k, (long long)s->patch[k], MOST_PATCH);
    if (s->heads < 1 || s->width % s->heads) return nigh_fail(ctx, NIGH_INVALID, "lsm: %lld heads do not divide the width %lld", (long long)s->heads, (long long)s->width);
    if (s->tokens < 1 || s->tokens > LATENT_TOKENS || s->basis < 1 || s->basis > LATENT_BASIS)
        return nigh_fail(ctx, NIGH_INVALID, "lsm: %lld tokens and %lld basis functions; 1 to %d and 1 to %d are allowed", (long long)s->tokens, (long long)s->basis, LATENT_TOKENS, LATENT_BASIS);
    return NIGH_OK;
}

nigh_status nigh_lsm_new(nigh_context *ctx, nigh_dtype dtype, const nigh_lsm_spec *spec, nigh_network **out)
{
    builder b = {.spec = filled(spec)};
    nigh_status status = check(ctx, &b.spec);
    if (!status) status = nigh_network_new(ctx, dtype, &b.net);
    if (status) return status;
    build(&b);
    status = nigh_network_status(b.net);
    if (status) nigh_network_free(b.net);
    else *out = b.net;
    return status;
}
