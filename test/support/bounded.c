#include "bounded.h"

#include "networks.h"
#include "nigh/layers.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

/* What a case builds with. */
typedef struct maker {
    nigh_network *net;
    int64_t dim[4];
    uint64_t seed;
    int made;
} maker;

static int layer(maker *m, const char *kind, int x, int attributes, const nigh_attribute *attribute)
{
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_add(m->net, kind, name, 1, &x, 0, NULL, attributes, attribute);
}

static int plain(maker *m, const char *kind, int x) { return layer(m, kind, x, 0, NULL); }
static int with(maker *m, const char *kind, int x, const char *key, double value) { return layer(m, kind, x, 1, (nigh_attribute[]){{key, value, NULL}}); }
static int with_text(maker *m, const char *kind, int x, const char *key, const char *text) { return layer(m, kind, x, 1, (nigh_attribute[]){{key, 0, text}}); }

static int weight(maker *m, int ndim, const int64_t *dim)
{
    char name[32];
    snprintf(name, sizeof name, "w%d", m->made++);
    return nigh_network_weight(m->net, name, ndim, dim, nigh_init_he_normal(1));
}

static int weighted(maker *m, const char *kind, int x, int weights, const int *w)
{
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_add(m->net, kind, name, 1, &x, weights, w, 0, NULL);
}

static int two(maker *m, const char *kind, int a, int b)
{
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_layer(m->net, kind, name, 2, (int[]){a, b});
}

static int fixed(maker *m, int ndim, const int64_t *dim)
{
    char name[32];
    int w = weight(m, ndim, dim);
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_add(m->net, "constant", name, 0, NULL, 1, &w, 0, NULL);
}

static int dense(maker *m, int x, int64_t in, int64_t out)
{
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_linear(m->net, name, x, in, out, true);
}

static int conv(maker *m, int x, int64_t in, int64_t out, int dims, int64_t kernel, nigh_convolution how, bool bias)
{
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    return nigh_network_conv(m->net, name, x, in, out, dims, (int64_t[]){kernel, kernel, kernel}, &how, bias);
}

/* ---- cases --------------------------------------------------------------------------------------------- */

typedef int build_fn(maker *m, int x);

static int perceptron(maker *m, int x) { return dense(m, plain(m, "relu", dense(m, plain(m, "relu", dense(m, x, 6, 9)), 9, 7)), 7, 4); }
static int residual(maker *m, int x)
{
    int h = plain(m, "relu", dense(m, x, 6, 8)), y = two(m, "add", h, dense(m, plain(m, "tanh", dense(m, h, 8, 5)), 5, 8));
    return dense(m, two(m, "sub", y, with(m, "affine", h, "scale", 0.3)), 8, 3);
}
static int functions(maker *m, int x)
{
    static const char *const kinds[] = {"relu", "abs", "sigmoid", "tanh", "exp", "square", "sin", "cos", "gelu", "gelu-tanh", "silu", "expm1", "leaky-relu", "elu", "softplus", "hard-tanh"};
    int h = dense(m, x, 6, 5), y = plain(m, kinds[m->seed % 16], h);
    return dense(m, y, 5, 3);
}
static int functions_with(maker *m, int x)
{
    int h = dense(m, x, 6, 5), k = (int)(m->seed % 6), w = k == 5 ? weight(m, 1, (int64_t[]){5}) : -1;
    int y = k == 0   ? with(m, "leaky-relu", h, "slope", -0.3)
            : k == 1 ? with(m, "elu", h, "alpha", 1.7)
            : k == 2 ? with(m, "softplus", h, "beta", 3)
            : k == 3 ? layer(m, "clamp", h, 2, (nigh_attribute[]){{"low", -0.2, NULL}, {"high", 0.4, NULL}})
            : k == 4 ? with(m, "clamp", with(m, "clamp", h, "low", -0.5), "high", 0.25)
                     : weighted(m, "prelu", h, 1, &w);
    return dense(m, with(m, "pow", y, "exponent", m->seed / 6 % 2 ? 2 : 1), 5, 2);
}
static int arithmetic_fixed(maker *m, int x)
{
    int c = fixed(m, 2, (int64_t[]){1, 6}), one = fixed(m, 1, (int64_t[]){1}), y = two(m, "mul", x, c);
    y = two(m, "div", two(m, "sub", c, y), with(m, "affine", one, "shift", 3));
    return two(m, "add", plain(m, "relu", plain(m, "neg", y)), two(m, "mul", y, y));
}
static int moving(maker *m, int x) /* [1, 4, 6] */
{
    int y = with_text(m, "permute", x, "order", "0,2,1");
    y = layer(m, "slice", y, 3, (nigh_attribute[]){{"axis", 1, NULL}, {"start", 5, NULL}, {"step", -2, NULL}});
    y = layer(m, "pad", y, 3, (nigh_attribute[]){{"low", 0, "0,1,0"}, {"high", 0, "0,0,2"}, {"value", 0.5, NULL}});
    y = with(m, "flip", layer(m, "roll", y, 2, (nigh_attribute[]){{"axis", 1, NULL}, {"shift", 1, NULL}}), "axis", 2);
    int z = layer(m, "concat", y, 1, (nigh_attribute[]){{"axis", 1, NULL}}), s = two(m, "concat", plain(m, "relu", y), z), t = two(m, "stack", s, with(m, "affine", s, "scale", -2));
    return dense(m, plain(m, "flatten", with_text(m, "reshape", t, "shape", "1,-1")), 2 * 2 * 4 * 6, 5);
}
static int expanded(maker *m, int x) /* [1, 6] */
{
    int y = with_text(m, "expand", with_text(m, "reshape", x, "shape", "1,1,6"), "shape", "1,3,0"), s = layer(m, "cumulative-sum", y, 2, (nigh_attribute[]){{"axis", 1, NULL}, {"exclusive", (double)(m->seed % 2), NULL}});
    int t = layer(m, "sum", s, 2, (nigh_attribute[]){{"axes", 0, "1"}, {"keep", 1, NULL}}), u = layer(m, "mean", plain(m, "relu", s), 1, (nigh_attribute[]){{"axes", 0, "-1"}});
    return two(m, "concat", with_text(m, "reshape", t, "shape", "1,-1"), u);
}
static int image(maker *m, int x) /* [1, 7, 6, 2] */
{
    int y = plain(m, "relu", conv(m, x, 2, 4, 2, 3, (nigh_convolution){.stride = {2, 1}, .low = {1, 0}, .high = {1, 2}}, true));
    y = conv(m, y, 4, 6, 2, 2, (nigh_convolution){.groups = 2, .dilation = {1, 2}}, m->seed % 2);
    return dense(m, plain(m, "flatten", plain(m, "relu", y)), 3 * 4 * 6, 3);
}
static int image_first(maker *m, int x) /* [1, 2, 7, 6], channels first as in files */
{
    int y = plain(m, "relu", conv(m, with_text(m, "permute", x, "order", "0,2,3,1"), 2, 4, 2, 3, (nigh_convolution){.low = {1, 1}, .high = {1, 1}}, true));
    return dense(m, plain(m, "flatten", with_text(m, "permute", y, "order", "0,3,1,2")), 7 * 6 * 4, 3);
}
static int normed(maker *m, int x) /* [1, 5, 5, 2] */
{
    int y = conv(m, x, 2, 3, 2, 3, (nigh_convolution){.low = {1, 1}, .high = {1, 1}}, m->seed % 2), w[4];
    for (int i = 0; i < 4; i++) w[i] = weight(m, 1, (int64_t[]){3});
    y = plain(m, "relu", weighted(m, "batch-norm", y, 4, w));
    return weighted(m, "channel-affine", y, 2, (int[]){weight(m, 1, (int64_t[]){3}), weight(m, 1, (int64_t[]){3})});
}
static int normed_rows(maker *m, int x) /* [1, 6] */
{
    int y = dense(m, x, 6, 5), w[4];
    for (int i = 0; i < 4; i++) w[i] = weight(m, 1, (int64_t[]){5});
    y = weighted(m, "batch-norm", y, 4, w);
    return dense(m, plain(m, "relu", weighted(m, "gate", y, 1, (int[]){weight(m, 1, (int64_t[]){5})})), 5, 2);
}
static int pooled(maker *m, int x) /* [1, 7, 6, 2] */
{
    int y = layer(m, "max-pool", x, 3, (nigh_attribute[]){{"window", 3, NULL}, {"stride", 2, NULL}, {"pad", 1, NULL}});
    y = layer(m, "average-pool", y, 4, (nigh_attribute[]){{"window", 2, NULL}, {"stride", 1, NULL}, {"pad", 1, NULL}, {"count_padding", (double)(m->seed % 2), NULL}});
    return plain(m, "global-average", with(m, "max-pool", y, "window", 2));
}
static int deconvolved(maker *m, int x) /* [1, 4, 3, 2] */
{
    nigh_convolution how = {.stride = {2, 1}, .low = {1, 0}, .high = {0, 1}, .groups = m->seed % 2 ? 2 : 1};
    int y = nigh_network_conv_transpose(m->net, "up", x, 2, 4, 2, (int64_t[]){3, 2}, &how, true);
    return layer(m, "resample", plain(m, "relu", y), 2, (nigh_attribute[]){{"scale", 2, NULL}, {"align_corners", (double)(m->seed / 2 % 2), NULL}});
}
static int resampled(maker *m, int x) /* [1, 7, 6, 2] */
{
    return layer(m, "resample", x, 4, (nigh_attribute[]){{"size_0", 10, NULL}, {"size_1", 4, NULL}, {"method", 0, m->seed % 2 ? "nearest" : "linear"}, {"align_corners", (double)(m->seed / 2 % 2), NULL}});
}
static int lines(maker *m, int x) /* [1, 9, 2] */
{
    int y = plain(m, "relu", conv(m, x, 2, 3, 1, 3, (nigh_convolution){.low = {2}, .high = {1}, .padding = m->seed % 3 == 0 ? NIGH_PAD_ZERO : m->seed % 3 == 1 ? NIGH_PAD_CIRCULAR : NIGH_PAD_REFLECT}, true));
    return dense(m, y, 3, 4); /* every place */
}
static int volumes(maker *m, int x) /* [1, 4, 3, 4, 2] */
{
    return plain(m, "relu", conv(m, x, 2, 3, 3, 2, (nigh_convolution){.low = {1, 0, 0}, .high = {0, 1, 0}}, true));
}
static int blocks(maker *m, int x) /* [1, 4, 6, 2] */
{
    int y = with(m, "space-to-depth", x, "block", 2);
    return with(m, "depth-to-space", conv(m, plain(m, "relu", y), 8, 4, 2, 1, (nigh_convolution){.groups = 1}, true), "block", 2);
}
static int largest(maker *m, int x) /* [1, 12] */
{
    int y = with_text(m, "reshape", x, "shape", "1,3,4"), a = layer(m, "max-over", y, 1, (nigh_attribute[]){{"axes", 0, "1"}}), b = layer(m, "min-over", y, 2, (nigh_attribute[]){{"axes", 0, "2"}, {"keep", 1, NULL}});
    return two(m, m->seed % 2 ? "max" : "min", b, with_text(m, "reshape", a, "shape", "1,1,4"));
}
static int sorted(maker *m, int x) /* [1, 12] */
{
    int y = dense(m, x, 12, 12);
    y = m->seed % 3 == 0 ? plain(m, "max-min", y) : m->seed % 3 == 1 ? with(m, "group-sort", y, "group", 4) : with(m, "max-out", y, "pieces", 3);
    return m->seed % 3 == 2 ? dense(m, y, 4, 3) : dense(m, with(m, "group-sort", dense(m, y, 12, 6), "group", 3), 6, 3);
}
static int multiplied(maker *m, int x) /* [1, 3, 4] */
{
    int left = fixed(m, 2, (int64_t[]){5, 3}), right = fixed(m, 2, (int64_t[]){2, 4}), y = two(m, "matmul", left, x), z;
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    z = nigh_network_add(m->net, "matmul", name, 2, (int[]){plain(m, "relu", y), right}, 0, NULL, 1, (nigh_attribute[]){{"transpose-b", 1, NULL}});
    return nigh_network_add(m->net, "head", "last", 1, &z, 1, (int[]){weight(m, 2, (int64_t[]){3, 2})}, 1, (nigh_attribute[]){{"transposed", 1, NULL}});
}
static int selected(maker *m, int x) /* [1, 6] */
{
    int a = fixed(m, 2, (int64_t[]){1, 6}), b = fixed(m, 2, (int64_t[]){1, 6}), c = two(m, "greater", a, b), y;
    char name[32];
    snprintf(name, sizeof name, "l%d", m->made++);
    y = nigh_network_layer(m->net, "where", name, 3, (int[]){c, x, a});
    return plain(m, "relu", y);
}

static int placed(maker *m, int x) /* [1, 4, 3, 2] */
{
    return conv(m, plain(m, "grid-ends", layer(m, "coordinates", x, 2, (nigh_attribute[]){{"start_0", 0.3, NULL}, {"step_1", 0.7, NULL}})), 6, 3, 2, 2, (nigh_convolution){.groups = 1}, true);
}
static int headed(maker *m, int x) /* [1, 6, 4] */
{
    int y = layer(m, "heads", x, 3, (nigh_attribute[]){{"first", 1, NULL}, {"heads", 1, NULL}, {"size", 2, NULL}});
    return plain(m, "relu", plain(m, "join-heads", y));
}

static const struct {
    const char *name;
    build_fn *build;
    int ndim;
    int64_t dim[5];
} cases[] = {{"perceptron", perceptron, 2, {1, 6}}, {"residual", residual, 2, {1, 6}}, {"functions", functions, 2, {1, 6}}, {"functions with", functions_with, 2, {1, 6}},
    {"arithmetic", arithmetic_fixed, 2, {1, 6}}, {"moving", moving, 3, {1, 4, 6}}, {"expanded", expanded, 2, {1, 6}}, {"image", image, 4, {1, 7, 6, 2}},
    {"image, channels first", image_first, 4, {1, 2, 7, 6}}, {"normed", normed, 4, {1, 5, 5, 2}}, {"normed rows", normed_rows, 2, {1, 6}}, {"pooled", pooled, 4, {1, 7, 6, 2}},
    {"deconvolved", deconvolved, 4, {1, 4, 3, 2}}, {"resampled", resampled, 4, {1, 7, 6, 2}}, {"lines", lines, 3, {1, 9, 2}}, {"volumes", volumes, 5, {1, 4, 3, 4, 2}},
    {"blocks", blocks, 4, {1, 4, 6, 2}}, {"largest", largest, 2, {1, 12}}, {"sorted", sorted, 2, {1, 12}}, {"multiplied", multiplied, 3, {1, 3, 4}}, {"selected", selected, 2, {1, 6}},
    {"placed", placed, 4, {1, 4, 3, 2}}, {"headed", headed, 3, {1, 6, 4}}};

int bounded_networks(void) { return (int)(sizeof cases / sizeof *cases); }

nigh_network *bounded_network(nigh_context *ctx, int which, uint64_t seed, const char **name, nigh_shape *shape)
{
    maker m = {.seed = seed};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &m.net));
    *name = cases[which].name;
    *shape = (nigh_shape){.dtype = NIGH_F64, .ndim = cases[which].ndim};
    memcpy(shape->dim, cases[which].dim, sizeof cases[which].dim);
    int x = nigh_network_input(m.net, "x", shape->ndim, shape->dim);
    nigh_network_output(m.net, cases[which].build(&m, x));
    assert_ok(ctx, nigh_network_status(m.net));
    fill_weights(m.net, which == 9 || which == 10 ? 0.1 : -1, 1, 100 * seed + (uint64_t)which);
    return m.net;
}
