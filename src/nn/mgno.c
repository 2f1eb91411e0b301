/* The multigrid neural operator as a network. Declared in nigh/fields.h. */
#include "nigh/fields.h"
#include "nigh/layers.h"

#include <stdio.h>

enum { MOST_CHANNELS = 1 << 12 };

typedef struct builder {
    nigh_network *net;
    const nigh_mgno_spec *spec;
    int levels, layer; /* layer -1: a V-cycle alone */
    int64_t in;        /* channels of f on level 0 */
    int64_t size[NIGH_MGNO_LEVELS][2];
    nigh_mgno_level level[NIGH_MGNO_LEVELS];
    char name[64];
} builder;

/* ---- levels ------------------------------------------------------------------------------------------- */

static int64_t halved(const nigh_mgno_spec *s, int64_t n) { return n % 2 && s->inside ? (n - 1) / 2 : (n + 1) / 2; }

/* A level with sizes of 1 is there only of nodes inside the edge: elsewhere the edge is all there is. */
static bool fits(const nigh_mgno_spec *s, int64_t n) { return n >= (s->inside ? 1 : 2); }

int nigh_mgno_levels(const nigh_mgno_spec *s)
{
    int most = s->levels ? s->levels : NIGH_MGNO_LEVELS, levels = 1;
    int64_t size[2] = {s->size[0], s->dims == 2 ? s->size[1] : s->size[0]};
    for (; levels < most; levels++) {
        int64_t below[2] = {halved(s, size[0]), halved(s, size[1])};
        if (!fits(s, below[0]) || !fits(s, below[1]) || below[0] == size[0] || below[1] == size[1]) break;
        size[0] = below[0], size[1] = below[1];
    }
    return levels;
}

static void find_levels(builder *b)
{
    const nigh_mgno_spec *s = b->spec;
    b->levels = nigh_mgno_levels(s);
    for (int j = 0; j < b->levels; j++) {
        for (int k = 0; k < 2; k++) b->size[j][k] = j ? halved(s, b->size[j - 1][k]) : s->size[k];
        b->level[j] = s->level ? s->level[j] : (nigh_mgno_level){.pre = j + 1 < b->levels || !j ? 1 : 2};
        if (!b->level[j].channels) b->level[j].channels = s->width;
    }
}

/* ---- parts -------------------------------------------------------------------------------------------- */

static const char *named(builder *b, int level, const char *part, int i)
{
    char number[16] = "";
    if (i >= 0) snprintf(number, sizeof number, "%d", i);
    if (b->layer < 0) snprintf(b->name, sizeof b->name, "%d.%s%s", level, part, number);
    else snprintf(b->name, sizeof b->name, "layer.%d.%d.%s%s", b->layer, level, part, number);
    return b->name;
}

static int same(builder *b, int level, const char *part, int i, int x, int64_t in, int64_t out)
{
    return nigh_network_conv_same(b->net, named(b, level, part, i), x, in, out, b->spec->dims, 3, b->spec->padding, false);
}

static bool is_inner(const builder *b, int level, int k) { return b->spec->inside && b->size[level][k] % 2; }

/* From a level to the one below. */
static int lower(builder *b, int level, const char *part, int x, int64_t in, int64_t out)
{
    nigh_convolution how = {.padding = b->spec->padding};
    for (int k = 0; k < b->spec->dims; k++) {
        how.stride[k] = 2;
        how.low[k] = how.high[k] = is_inner(b, level, k) ? 0 : 1;
    }
    return nigh_network_conv(b->net, named(b, level, part, -1), x, in, out, b->spec->dims, (int64_t[]){3, 3}, &how, false);
}

/* To a level from the one below. */
static int raise_to(builder *b, int level, int x)
{
    nigh_convolution how = {.padding = b->spec->padding};
    int64_t kernel[2];
    for (int k = 0; k < b->spec->dims; k++) {
        how.stride[k] = 2;
        kernel[k] = b->size[level][k] % 2 ? 3 : 4;
        how.low[k] = how.high[k] = is_inner(b, level, k) ? 0 : 1;
    }
    return nigh_network_conv_transpose(b->net, named(b, level, "P", -1), x, b->level[level + 1].channels, b->level[level].channels, b->spec->dims, kernel, &how, false);
}

static int joined(builder *b, const char *kind, int level, const char *part, int i, int x, int y)
{
    return nigh_network_layer(b->net, kind, named(b, level, part, i), 2, (int[]){x, y});
}

static int64_t channels_of_f(const builder *b, int level) { return level ? b->level[level].channels : b->in; }

/* f - A u */
static int defect(builder *b, int level, int i, int u, int f)
{
    int au = same(b, level, "A", i, u, b->level[level].channels, channels_of_f(b, level));
    return joined(b, "sub", level, "defect", i, f, au);
}

/* Steps first .. last - 1 of a level; u < 0: there is none yet. */
static int smooth(builder *b, int level, int first, int last, int u, int f)
{
    int64_t in = channels_of_f(b, level), out = b->level[level].channels;
    for (int i = first; i < last; i++) {
        if (u < 0) u = same(b, level, "S", i, f, in, out);
        else u = joined(b, "add", level, "step", i, u, same(b, level, "S", i, defect(b, level, i, u, f), in, out));
    }
    return u;
}

static int norm(builder *b, int level, int u)
{
    char weight[80], shift[80];
    const int dims = b->spec->dims;
    int64_t dim[3] = {b->size[level][0], b->size[level][1]};
    dim[dims] = b->level[level].channels;
    nigh_attribute axes = {"axes", dims + 1, NULL};
    snprintf(weight, sizeof weight, "%s.weight", named(b, level, "norm", -1));
    snprintf(shift, sizeof shift, "%s.bias", b->name);
    int w[2] = {nigh_network_weight(b->net, weight, dims + 1, dim, (nigh_init){NIGH_INIT_ONE, 1}),
                nigh_network_weight(b->net, shift, dims + 1, dim, (nigh_init){NIGH_INIT_ZERO, 0})};
    return nigh_network_add(b->net, "layer-norm", b->name, 1, &u, 2, w, 1, &axes);
}

/* u of one V-cycle on f with `in` channels. */
static int cycle(builder *b, int f, int64_t in)
{
    int u[NIGH_MGNO_LEVELS], right[NIGH_MGNO_LEVELS];
    const nigh_mgno_spec *s = b->spec;
    b->in = in;
    for (int j = 0, from = -1; j < b->levels; j++) {
        right[j] = f;
        u[j] = smooth(b, j, 0, b->level[j].pre, from, f);
        if (j + 1 == b->levels) break;
        int64_t down = b->level[j + 1].channels;
        if (s->residual) f = lower(b, j, "R", defect(b, j, b->level[j].pre + b->level[j].post, u[j], f), channels_of_f(b, j), down);
        else from = lower(b, j, "Pi", u[j], b->level[j].channels, down), f = lower(b, j, "R", f, channels_of_f(b, j), down);
    }
    for (int j = b->levels - 2; j >= 0; j--) {
        u[j] = joined(b, "add", j, "up", -1, u[j], raise_to(b, j, u[j + 1]));
        if (s->norm) u[j] = norm(b, j, u[j]);
        u[j] = smooth(b, j, b->level[j].pre, b->level[j].pre + b->level[j].post, u[j], right[j]);
    }
    return u[0];
}

/* ---- checks ------------------------------------------------------------------------------------------- */

static nigh_status check_level(nigh_context *ctx, const nigh_mgno_spec *s, int j)
{
    const nigh_mgno_level *l = &s->level[j];
    bool first = j == 0 || s->residual; /* u starts from S f */
    if (l->pre < 0 || l->post < 0 || l->pre + l->post > NIGH_MGNO_STEPS || (first && !l->pre))
        return nigh_fail(ctx, NIGH_INVALID, "mgno: level %d has %d steps before and %d behind; %d to %d in all are allowed%s", j, l->pre, l->post, first, NIGH_MGNO_STEPS,
                         first ? ", one of them before" : "");
    if (l->channels < 0 || l->channels > MOST_CHANNELS || (!j && l->channels && l->channels != s->width))
        return nigh_fail(ctx, NIGH_INVALID, "mgno: level %d has %lld channels; %s", j, (long long)l->channels, j ? "1 to 4096, or 0 for the width, are allowed" : "those of the width, or 0, are allowed");
    return NIGH_OK;
}

static nigh_status check(nigh_context *ctx, const nigh_mgno_spec *s)
{
    if (s->dims != 1 && s->dims != 2) return nigh_fail(ctx, NIGH_INVALID, "mgno: dims is %d; 1 or 2 is allowed", s->dims);
    for (int k = 0; k < s->dims; k++)
        if (s->size[k] < 2 || s->size[k] > 1 << 20) return nigh_fail(ctx, NIGH_INVALID, "mgno: size[%d] is %lld; 2 to 1048576 points are allowed", k, (long long)s->size[k]);
    if (s->in < 1 || s->width < 1 || s->in > MOST_CHANNELS || s->width > MOST_CHANNELS)
        return nigh_fail(ctx, NIGH_INVALID, "mgno: %lld channels in, width %lld; 1 to %d are allowed", (long long)s->in, (long long)s->width, MOST_CHANNELS);
    if (s->levels < 0 || s->levels > NIGH_MGNO_LEVELS)
        return nigh_fail(ctx, NIGH_INVALID, "mgno: levels is %d; 1 to %d, or 0 for as many as fit, are allowed", s->levels, NIGH_MGNO_LEVELS);
    if ((unsigned)s->padding > NIGH_PAD_REFLECT)
        return nigh_fail(ctx, NIGH_INVALID, "mgno: padding is %d; zero (dirichlet), circular (periodic) or reflect (neumann) is allowed", (int)s->padding);
    if (s->inside && s->padding != NIGH_PAD_ZERO) return nigh_fail(ctx, NIGH_INVALID, "mgno: nodes inside the edge need padding by zeros");
    int levels = nigh_mgno_levels(s);
    for (int j = 0; s->level && j < levels; j++) {
        nigh_status status = check_level(ctx, s, j);
        if (status) return status;
    }
    return NIGH_OK;
}

/* ---- networks ----------------------------------------------------------------------------------------- */

static nigh_status start(nigh_context *ctx, nigh_dtype dtype, builder *b, int *x)
{
    const nigh_mgno_spec *s = b->spec;
    nigh_status status = check(ctx, s);
    if (!status) status = nigh_network_new(ctx, dtype, &b->net);
    if (status) return status;
    find_levels(b);
    int64_t open[4] = {-1, s->size[0], s->size[1]};
    open[s->dims + 1] = s->in;
    *x = nigh_network_input(b->net, "x", s->dims + 2, open);
    return NIGH_OK;
}

static nigh_status finish(builder *b, int answer, nigh_network **out)
{
    nigh_network_output(b->net, answer);
    nigh_status status = nigh_network_status(b->net);
    if (status) nigh_network_free(b->net);
    else *out = b->net;
    return status;
}

nigh_status nigh_mgno_cycle_new(nigh_context *ctx, nigh_dtype dtype, const nigh_mgno_spec *s, nigh_network **out)
{
    builder b = {.spec = s, .layer = -1};
    int x;
    nigh_status status = start(ctx, dtype, &b, &x);
    return status ? status : finish(&b, cycle(&b, x, s->in), out);
}

nigh_status nigh_mgno_new(nigh_context *ctx, nigh_dtype dtype, const nigh_mgno_spec *s, nigh_network **out)
{
    builder b = {.spec = s};
    int x;
    if (s->layers < 1 || s->layers > NIGH_MGNO_LAYERS) return nigh_fail(ctx, NIGH_INVALID, "mgno: layers is %d; 1 to %d are allowed", s->layers, NIGH_MGNO_LAYERS);
    if (s->out < 1 || s->out > MOST_CHANNELS) return nigh_fail(ctx, NIGH_INVALID, "mgno: out is %lld; 1 to %d channels are allowed", (long long)s->out, MOST_CHANNELS);
    nigh_status status = start(ctx, dtype, &b, &x);
    if (status) return status;
    for (; b.layer < s->layers; b.layer++) {
        int64_t in = b.layer ? s->width : s->in;
        int m = cycle(&b, x, in);
        char name[32];
        snprintf(name, sizeof name, "layer.%d.skip", b.layer);
        int skip = nigh_network_linear(b.net, name, x, in, s->width, true);
        snprintf(name, sizeof name, "layer.%d.sum", b.layer);
        int sum = nigh_network_layer(b.net, "add", name, 2, (int[]){m, skip});
        snprintf(name, sizeof name, "layer.%d.gelu", b.layer);
        x = nigh_network_layer(b.net, "gelu", name, 1, &sum);
    }
    return finish(&b, nigh_network_linear(b.net, "out", x, s->width, s->out, false), out);
}
