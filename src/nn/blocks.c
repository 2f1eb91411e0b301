/* Networks out of layers. Declared in nigh/blocks.h. */
#include "nigh/blocks.h"

#include "nigh/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 256 };

/* The first misuse fails the network: by a layer of a kind that does not exist its status is set, then the message is replaced. */
static int refuse(nigh_network *net, const char *format, const char *name, double value)
{
    if (!nigh_network_status(net)) {
        nigh_network_layer(net, "", name, 0, NULL);
        nigh_fail(nigh_network_context(net), NIGH_INVALID, format, name, value);
    }
    return -1;
}

static const char *join(char text[NAME_ROOM], const char *name, int layer, const char *what)
{
    snprintf(text, NAME_ROOM, "%.200s.%d.%s", name, layer, what);
    return text;
}

static int weight(nigh_network *net, const char *name, int layer, const char *what, int ndim, const int64_t *dim, nigh_init init, double rate)
{
    char text[NAME_ROOM];
    int index = nigh_network_weight(net, join(text, name, layer, what), ndim, dim, init);
    if (index >= 0) nigh_parameters_at(nigh_network_parameters(net), index)->rate = rate;
    return index;
}

static int add(nigh_network *net, const char *kind, const char *name, int layer, const char *what, int inputs, const int *input, int weights, const int *parameter, int attributes,
               const nigh_attribute *attribute)
{
    char text[NAME_ROOM];
    if (nigh_network_status(net)) return -1;
    return nigh_network_add(net, kind, join(text, name, layer, what), inputs, input, weights, parameter, attributes, attribute);
}

static int scaled(nigh_network *net, const char *name, int layer, const char *what, int x, double scale)
{
    return scale == 1 ? x : add(net, "affine", name, layer, what, 1, &x, 0, NULL, 1, (nigh_attribute[]){{"scale", scale, NULL}});
}

/* ---- perceptrons -------------------------------------------------------------------------------------- */

typedef enum place { FIRST, MIDDLE, LAST } place;

typedef struct rule {
    double spread, rate, multiplier, bias_rate; /* of W; of what is multiplied afterwards */
} rule;

static rule rule_of(const nigh_mlp *s, place where, int64_t n, double gain)
{
    double fan = (double)n, base = (double)(s->base ? s->base : 64), width = (double)s->width, grow = width / base;
    switch (s->scaling) {
    case NIGH_SCALING_NTK: return (rule){1, 1, gain / sqrt(fan), 1};
    case NIGH_SCALING_MEAN_FIELD: return where == LAST ? (rule){gain, width, 1 / fan, width} : (rule){gain / sqrt(fan), width, 1, width};
    case NIGH_SCALING_MUP:
        if (where == FIRST) return (rule){gain / sqrt(fan), s->sgd ? grow : 1, 1, s->sgd ? grow : 1};
        if (where == MIDDLE) return (rule){gain / sqrt(fan), s->sgd ? 1 : base / fan, 1, s->sgd ? grow : 1};
        return (rule){gain * sqrt(base) / fan, base / fan, 1, 1};
    default: return (rule){gain / sqrt(fan), 1, 1, 1};
    }
}

/* One product with its bias. */
static int product(nigh_network *net, const char *name, const nigh_mlp *s, int layer, place where, int x, int64_t n, int64_t m, double gain)
{
    const rule r = rule_of(s, where, n, gain);
    bool ntk = s->scaling == NIGH_SCALING_NTK, bias = !s->no_bias && !(ntk && s->bias_gain == 0), apart = r.multiplier != 1;
    int p[2] = {weight(net, name, layer, "weight", 2, (int64_t[]){n, m}, (nigh_init){NIGH_INIT_NORMAL, r.spread}, r.rate), -1};
    nigh_init start = {s->bias_gain || ntk ? NIGH_INIT_NORMAL : NIGH_INIT_ZERO, ntk ? 1 : s->bias_gain};
    if (bias) p[1] = weight(net, name, layer, "bias", 1, &m, start, r.bias_rate);
    int y = add(net, "linear", name, layer, "linear", 1, &x, bias && !apart ? 2 : 1, p, 0, NULL);
    if (!apart) return y;
    y = scaled(net, name, layer, "scale", y, r.multiplier);
    if (!bias || nigh_network_status(net)) return y;
    int b = add(net, "constant", name, layer, "shift", 0, NULL, 1, &p[1], 0, NULL);
    b = scaled(net, name, layer, "shift-scale", b, ntk ? s->bias_gain : 1);
    return add(net, "add", name, layer, "sum", 2, (int[]){y, b}, 0, NULL, 0, NULL);
}

int nigh_network_mlp(nigh_network *net, const char *name, int x, const nigh_mlp *s)
{
    const char *activation = s->activation ? s->activation : "relu";
    bool none = !strcmp(activation, "linear");
    double gain = s->gain != 0 ? s->gain : !strcmp(activation, "relu") ? sqrt(2) : 1, branch = s->branch != 0 ? s->branch : 1;
    if (nigh_network_status(net)) return -1;
    if (s->hidden < 0 || s->hidden > 1000) return refuse(net, "mlp '%s' of %g hidden layers; 0 to 1000 are allowed", name, s->hidden);
    if (s->in < 1 || s->out < 1 || (s->hidden && s->width < 1)) return refuse(net, "mlp '%s': in, out and width must be 1 or more; the width is %g", name, (double)s->width);
    if (s->base < 0 || !isfinite(gain) || !isfinite(s->bias_gain)) return refuse(net, "mlp '%s': base must not be negative, gains must be finite; the base is %g", name, (double)s->base);
    if (s->scaling == NIGH_SCALING_MEAN_FIELD && s->hidden != 1) return refuse(net, "mlp '%s' in mean field scaling of %g hidden layers; 1 is allowed", name, s->hidden);
    if (s->scaling < NIGH_SCALING_STANDARD || s->scaling > NIGH_SCALING_MUP) return refuse(net, "mlp '%s': there is no scaling %g", name, (double)s->scaling);
    int h = x;
    for (int layer = 1; layer <= s->hidden && h >= 0; layer++) {
        int y = product(net, name, s, layer, layer == 1 ? FIRST : MIDDLE, h, layer == 1 ? s->in : s->width, s->width, gain);
        if (!none) y = add(net, activation, name, layer, "activation", 1, &y, 0, NULL, 0, NULL);
        if (s->residual && layer > 1) {
            y = scaled(net, name, layer, "branch", y, branch);
            y = add(net, "add", name, layer, "residual", 2, (int[]){h, y}, 0, NULL, 0, NULL);
        }
        h = y;
    }
    /* nothing is rectified behind the last product, so that its variance needs no doubling */
    double last = s->gain != 0 ? s->gain : 1;
    return h < 0 ? -1 : product(net, name, s, s->hidden + 1, s->hidden ? LAST : FIRST, h, s->hidden ? s->width : s->in, s->out, last);
}

/* ---- convex networks ---------------------------------------------------------------------------------- */

/* z P with P = softplus(raw + shift) >= 0, the shift such that P is 1 / n where raw is 0. */
static int positive(nigh_network *net, const char *name, int layer, int z, int64_t n, int64_t m)
{
    int raw = weight(net, name, layer, "positive", 2, (int64_t[]){n, m}, (nigh_init){NIGH_INIT_NORMAL, 0.5}, 1);
    int p = add(net, "constant", name, layer, "raw", 0, NULL, 1, &raw, 0, NULL);
    p = add(net, "affine", name, layer, "shift", 1, &p, 0, NULL, 1, (nigh_attribute[]){{"shift", log(expm1(1 / (double)n)), NULL}});
    p = add(net, "softplus", name, layer, "weights", 1, &p, 0, NULL, 0, NULL);
    return add(net, "matmul", name, layer, "product", 2, (int[]){z, p}, 0, NULL, 0, NULL);
}

int nigh_network_convex(nigh_network *net, const char *name, int x, int64_t in, int hidden, int64_t width, double beta, double strong)
{
    if (nigh_network_status(net)) return -1;
    if (hidden < 1 || hidden > 100) return refuse(net, "convex network '%s' of %g hidden layers; 1 to 100 are allowed", name, hidden);
    if (in < 1 || width < 1) return refuse(net, "convex network '%s': in and width must be 1 or more; the width is %g", name, (double)width);
    if (!(beta > 0) || !isfinite(beta)) return refuse(net, "convex network '%s': beta is %g; a positive number is allowed", name, beta);
    if (!(strong >= 0) || !isfinite(strong)) return refuse(net, "convex network '%s': strong is %g; 0 or more is allowed", name, strong);
    int z = -1;
    for (int layer = 1; layer <= hidden + 1 && !nigh_network_status(net); layer++) {
        int64_t m = layer > hidden ? 1 : width;
        nigh_init start = nigh_init_lecun_uniform(in);
        int p[2] = {weight(net, name, layer, "weight", 2, (int64_t[]){in, m}, start, 1), weight(net, name, layer, "bias", 1, &m, start, 1)};
        int y = add(net, "linear", name, layer, "linear", 1, &x, 2, p, 0, NULL);
        if (z >= 0) {
            int zp = positive(net, name, layer, z, width, m);
            y = add(net, "add", name, layer, "sum", 2, (int[]){y, zp}, 0, NULL, 0, NULL);
        }
        z = layer > hidden ? y : add(net, "softplus", name, layer, "activation", 1, &y, 0, NULL, 1, (nigh_attribute[]){{"beta", beta, NULL}});
    }
    if (strong == 0 || nigh_network_status(net)) return nigh_network_status(net) ? -1 : z;
    int q = add(net, "square", name, hidden + 1, "square", 1, &x, 0, NULL, 0, NULL);
    q = add(net, "sum", name, hidden + 1, "norm", 1, &q, 0, NULL, 2, (nigh_attribute[]){{"axes", 0, "-1"}, {"keep", 1, NULL}});
    q = scaled(net, name, hidden + 1, "strong", q, strong / 2);
    return add(net, "add", name, hidden + 1, "convex", 2, (int[]){z, q}, 0, NULL, 0, NULL);
}

/* ---- convolutional networks --------------------------------------------------------------------------- */

int nigh_network_convnet(nigh_network *net, const char *name, int x, const nigh_convnet *s)
{
    const char *activation = s->activation ? s->activation : "relu";
    char text[NAME_ROOM];
    if (nigh_network_status(net)) return -1;
    if (s->dims < 1 || s->dims > NIGH_FIELD_DIMS) return refuse(net, "convnet '%s' of %g dimensions; 1 to 3 are allowed", name, s->dims);
    if (s->blocks < 1 || s->blocks > 100) return refuse(net, "convnet '%s' of %g blocks; 1 to 100 are allowed", name, s->blocks);
    if (s->kernel < 1 || s->classes < 0) return refuse(net, "convnet '%s': the kernel must be 1 or more, classes 0 or more; the kernel is %g", name, (double)s->kernel);
    int h = x;
    for (int b = 1; b <= s->blocks && h >= 0; b++) {
        h = nigh_network_conv_same(net, join(text, name, b, "conv"), h, s->channels[b - 1], s->channels[b], s->dims, s->kernel, s->padding, true);
        if (b == s->blocks && !s->classes) break;
        h = add(net, activation, name, b, "activation", 1, &h, 0, NULL, 0, NULL);
        if (s->pool) h = add(net, "max-pool", name, b, "pool", 1, &h, 0, NULL, 0, NULL);
    }
    if (!s->classes || h < 0) return h;
    h = add(net, "global-average", name, s->blocks, "mean", 1, &h, 0, NULL, 0, NULL);
    return h < 0 ? -1 : nigh_network_linear(net, join(text, name, s->blocks + 1, "linear"), h, s->channels[s->blocks], s->classes, true);
}
