/* Boxes through the layers of a network, recorded on a tape. Declared in nigh/certified_training.h. */
#include "verify/certified_training_ibp.h"

#include <string.h>

#include "nigh/operators_rows.h"

enum { MOST_ENDS = 64 };

/* ---- boxes --------------------------------------------------------------------------------------------------------- */

static bool fixed(const box *b) { return b->radius == NIGH_NONE && b->low == NIGH_NONE; }

static void need_centre(nigh_tape *t, box *b)
{
    if (b->centre != NIGH_NONE) return;
    b->centre = nigh_tape_scale(t, nigh_tape_add(t, b->high, b->low), 0.5);
    b->radius = nigh_tape_scale(t, nigh_tape_sub(t, b->high, b->low), 0.5);
}

static void need_ends(nigh_tape *t, box *b)
{
    if (b->low != NIGH_NONE) return;
    b->low = nigh_tape_sub(t, b->centre, b->radius);
    b->high = nigh_tape_add(t, b->centre, b->radius);
}

static box of_centre(nigh_node centre, nigh_node radius) { return (box){centre, radius, NIGH_NONE, NIGH_NONE}; }
static box of_ends(nigh_node low, nigh_node high) { return (box){NIGH_NONE, NIGH_NONE, low, high}; }

/* ---- layers -------------------------------------------------------------------------------------------------------- */

typedef struct layer_boxes {
    box_walk *walk;
    const nigh_layer *layer;
    int index;
    box *input[MOST_ENDS];
} layer_boxes;

/* The layer's own recording on some results; without its bias, with |weights|, when `radius`. */
static nigh_node record(const layer_boxes *b, const nigh_node *input, bool radius)
{
    nigh_recording how = {.train = false};
    nigh_node weight[MOST_ENDS], in[MOST_ENDS];
    nigh_layer layer = *b->layer;
    for (int i = 0; i < MOST_ENDS; i++) weight[i] = NIGH_NONE, in[i] = i < layer.inputs ? input[i] : NIGH_NONE;
    for (int i = 0; i < layer.parameters; i++) weight[i] = b->walk->parameters[layer.parameter[i]];
    if (radius && layer.parameters > 0) {
        weight[0] = b->walk->magnitude(b->walk->tape, weight[0]);
        for (int i = 1; i < MOST_ENDS; i++) weight[i] = NIGH_NONE;
        layer.parameters = 1;
    }
    nigh_layer_call call = {.tape = b->walk->tape, .layer = &layer, .input = in, .parameter = weight, .how = &how, .stream = (uint64_t)b->index};
    return nigh_layer_kind_find(layer.kind)->record(&call);
}

/* Linear in all inputs together, with coefficients of one sign apart from the weights. */
static box affine(layer_boxes *b)
{
    nigh_tape *t = b->walk->tape;
    nigh_node centre[MOST_ENDS], radius[MOST_ENDS];
    bool all_fixed = true;
    for (int i = 0; i < b->layer->inputs; i++) {
        need_centre(t, b->input[i]);
        centre[i] = b->input[i]->centre;
        all_fixed &= fixed(b->input[i]);
    }
    if (all_fixed) return of_centre(record(b, centre, false), NIGH_NONE);
    for (int i = 0; i < b->layer->inputs; i++) {
        const nigh_shape *s = nigh_tape_shape(t, centre[i]);
        radius[i] = !fixed(b->input[i]) || !s ? b->input[i]->radius : nigh_tape_fill(t, s->dtype, s->ndim, s->dim, 0);
    }
    return of_centre(record(b, centre, false), record(b, radius, true));
}

/* Not decreasing in any input. */
static box increasing(layer_boxes *b)
{
    nigh_node low[MOST_ENDS], high[MOST_ENDS];
    bool all_fixed = true;
    for (int i = 0; i < b->layer->inputs; i++) {
        all_fixed &= fixed(b->input[i]);
        if (!fixed(b->input[i])) need_ends(b->walk->tape, b->input[i]);
        low[i] = fixed(b->input[i]) ? b->input[i]->centre : b->input[i]->low;
        high[i] = fixed(b->input[i]) ? b->input[i]->centre : b->input[i]->high;
    }
    if (all_fixed) return of_centre(record(b, low, false), NIGH_NONE);
    return of_ends(record(b, low, false), record(b, high, false));
}

static box difference(layer_boxes *b)
{
    nigh_tape *t = b->walk->tape;
    for (int i = 0; i < 2; i++) need_centre(t, b->input[i]);
    nigh_node radius = fixed(b->input[0])   ? b->input[1]->radius
                       : fixed(b->input[1]) ? b->input[0]->radius
                                            : nigh_tape_add(t, b->input[0]->radius, b->input[1]->radius);
    nigh_node centre = nigh_tape_sub(t, b->input[0]->centre, b->input[1]->centre);
    const nigh_shape *s = nigh_tape_shape(t, centre);
    if (radius != NIGH_NONE && s) radius = nigh_tape_expand(t, radius, s->ndim, s->dim);
    return of_centre(centre, radius);
}

static box negative(layer_boxes *b)
{
    need_centre(b->walk->tape, b->input[0]);
    return of_centre(nigh_tape_neg(b->walk->tape, b->input[0]->centre), b->input[0]->radius);
}

static box scaled(layer_boxes *b)
{
    nigh_tape *t = b->walk->tape;
    double scale = nigh_layer_number(b->layer, "scale", 1);
    need_centre(t, b->input[0]);
    nigh_node radius = fixed(b->input[0]) ? NIGH_NONE : nigh_tape_scale(t, b->input[0]->radius, scale < 0 ? -scale : scale);
    return of_centre(nigh_tape_affine(t, b->input[0]->centre, scale, nigh_layer_number(b->layer, "shift", 0)), radius);
}

/* At most one factor moves. */
static box product(layer_boxes *b)
{
    nigh_tape *t = b->walk->tape;
    nigh_node centre = NIGH_NONE, radius = NIGH_NONE;
    int moving = 0;
    for (int i = 0; i < b->layer->inputs; i++) {
        need_centre(t, b->input[i]);
        moving += !fixed(b->input[i]);
        centre = i ? nigh_tape_mul(t, centre, b->input[i]->centre) : b->input[i]->centre;
    }
    for (int i = 0; i < b->layer->inputs && moving == 1; i++) {
        nigh_node factor = fixed(b->input[i]) ? b->walk->magnitude(t, b->input[i]->centre) : b->input[i]->radius;
        radius = i ? nigh_tape_mul(t, radius, factor) : factor;
    }
    if (moving > 1) nigh_fail(b->walk->ctx, NIGH_UNSUPPORTED, "layer '%s' multiplies two results that move; boxes have no rule for it", b->layer->name);
    return moving > 1 ? of_centre(NIGH_NONE, NIGH_NONE) : of_centre(centre, radius);
}

static box constant(layer_boxes *b) { return of_centre(record(b, NULL, false), NIGH_NONE); }
static box same(layer_boxes *b) { return *b->input[0]; }

/* By the statistics that are given, else the running ones. */
static box batch_norm(layer_boxes *b)
{
    nigh_tape *t = b->walk->tape;
    nigh_node weight[4] = {NIGH_NONE, NIGH_NONE, NIGH_NONE, NIGH_NONE}, scale, shift;
    for (int i = 0; i < b->layer->parameters && i < 4; i++) weight[i] = b->walk->parameters[b->layer->parameter[i]];
    nigh_node mean = weight[0], variance = weight[1];
    if (b->walk->statistics) mean = b->walk->statistics[2 * b->walk->norms], variance = b->walk->statistics[2 * b->walk->norms + 1];
    b->walk->norms++;
    need_centre(t, b->input[0]);
    if (nigh_tape_batch_fold(t, mean, variance, weight[2], weight[3], nigh_layer_number(b->layer, "eps", 1e-5), &scale, &shift)) return of_centre(NIGH_NONE, NIGH_NONE);
    nigh_node centre = nigh_tape_add(t, nigh_tape_mul(t, b->input[0]->centre, scale), shift);
    if (fixed(b->input[0])) return of_centre(centre, NIGH_NONE);
    return of_centre(centre, nigh_tape_mul(t, b->input[0]->radius, b->walk->magnitude(t, scale)));
}

/* ---- relus and what is said of them ---------------------------------------------------------------------------------- */

static nigh_node mean_of(nigh_tape *t, nigh_node x) { return nigh_tape_mean(t, x, NIGH_ALL, false); }

/* min(q, 1 / q) of q = a / b, both 0 or more. */
static nigh_node below_one(nigh_tape *t, nigh_node a, nigh_node b)
{
    nigh_node q = nigh_tape_div(t, a, nigh_tape_clamp(t, b, 1e-12, 1e30));
    return nigh_tape_min(t, q, nigh_tape_reciprocal(t, nigh_tape_clamp(t, q, 1e-12, 1e30)));
}

/* max(0, tolerance - q) / tolerance. */
static nigh_node shortfall(nigh_tape *t, nigh_node q, double tolerance) { return nigh_tape_relu(t, nigh_tape_affine(t, q, -1 / tolerance, 1)); }

static void regularise(box_walk *w, box *b)
{
    nigh_tape *t = w->tape;
    need_centre(t, b);
    need_ends(t, b);
    nigh_node ratio = nigh_tape_div(t, w->input_radius, nigh_tape_clamp(t, mean_of(t, b->radius), 1e-12, 1e30));
    nigh_node active = nigh_tape_step(t, b->low), inactive = nigh_tape_step(t, nigh_tape_neg(t, b->high));
    nigh_node deviation = nigh_tape_square(t, nigh_tape_sub(t, b->centre, mean_of(t, b->centre)));
    nigh_node means = below_one(t, mean_of(t, nigh_tape_mul(t, b->centre, active)), nigh_tape_neg(t, mean_of(t, nigh_tape_mul(t, b->centre, inactive))));
    nigh_node spreads = below_one(t, mean_of(t, nigh_tape_mul(t, deviation, active)), mean_of(t, nigh_tape_mul(t, deviation, inactive)));
    nigh_node tight = shortfall(t, ratio, w->tolerance), balance = nigh_tape_add(t, shortfall(t, means, w->tolerance), shortfall(t, spreads, w->tolerance));
    w->tightness = w->relus ? nigh_tape_add(t, w->tightness, tight) : tight;
    w->balance = w->relus ? nigh_tape_add(t, w->balance, balance) : balance;
    w->relus++;
}

static box relu(layer_boxes *b)
{
    box_walk *w = b->walk;
    nigh_tape *t = w->tape;
    if (fixed(b->input[0])) return of_centre(nigh_tape_relu(t, b->input[0]->centre), NIGH_NONE);
    if (w->relu == BOX_RELU_OPEN) return *b->input[0];
    if (w->relu == BOX_RELU_LOCAL) {
        need_centre(t, b->input[0]);
        return of_centre(nigh_tape_relu(t, b->input[0]->centre), nigh_tape_mul(t, b->input[0]->radius, nigh_tape_step(t, b->input[0]->centre)));
    }
    if (w->tolerance > 0) regularise(w, b->input[0]);
    return increasing(b);
}

static box leaky(layer_boxes *b)
{
    if (nigh_layer_number(b->layer, "slope", 0.01) >= 0) return increasing(b);
    nigh_fail(b->walk->ctx, NIGH_UNSUPPORTED, "layer '%s' has a negative slope; boxes have no rule for it", b->layer->name);
    return of_centre(NIGH_NONE, NIGH_NONE);
}

static box padded(layer_boxes *b)
{
    if (nigh_layer_number(b->layer, "value", 0) == 0) return affine(b);
    return increasing(b);
}

typedef box layer_rule(layer_boxes *b);

static const struct {
    const char *kind;
    layer_rule *rule;
    bool piecewise; /* affine once the relus' states are fixed */
} rules[] = {
    {"linear", affine, true}, {"conv", affine, true}, {"conv-transpose", affine, true}, {"channel-affine", affine, true}, {"average-pool", affine, true},
    {"global-average", affine, true}, {"reshape", affine, true}, {"flatten", affine, true}, {"permute", affine, true}, {"slice", affine, true}, {"expand", affine, true},
    {"concat", affine, true}, {"stack", affine, true}, {"roll", affine, true}, {"flip", affine, true}, {"space-to-depth", affine, true}, {"depth-to-space", affine, true},
    {"sum", affine, true}, {"mean", affine, true}, {"add", affine, true}, {"pad", padded, true}, {"sub", difference, true}, {"neg", negative, true}, {"affine", scaled, true},
    {"mul", product, true}, {"constant", constant, true}, {"dropout", same, true}, {"batch-norm", batch_norm, true}, {"relu", relu, true},
    {"leaky-relu", leaky, false}, {"max-pool", increasing, false}, {"max-over", increasing, false}, {"max", increasing, false}, {"min", increasing, false},
    {"clamp", increasing, false}, {"tanh", increasing, false}, {"sigmoid", increasing, false}, {"softplus", increasing, false}, {"elu", increasing, false},
    {"hard-tanh", increasing, false},
};

static nigh_status record_layer(box_walk *w, int index, box *value)
{
    layer_boxes b = {.walk = w, .layer = nigh_network_at(w->network, index), .index = index};
    if (b.layer->inputs > MOST_ENDS || b.layer->parameters > MOST_ENDS)
        return nigh_fail(w->ctx, NIGH_UNSUPPORTED, "layer '%s' has more than %d inputs or weights", b.layer->name, MOST_ENDS);
    for (int i = 0; i < b.layer->inputs; i++) b.input[i] = &value[b.layer->input[i]];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].kind, b.layer->kind) != 0) continue;
        if (w->relu != BOX_RELU_ENDS && !rules[i].piecewise) break;
        value[index] = rules[i].rule(&b);
        nigh_status status = nigh_tape_status(w->tape);
        if (status) return nigh_within(w->ctx, status, "layer '%s'", b.layer->name);
        return value[index].centre == NIGH_NONE && value[index].low == NIGH_NONE ? NIGH_UNSUPPORTED : NIGH_OK;
    }
    return nigh_fail(w->ctx, NIGH_UNSUPPORTED, "layer '%s' is of kind '%s', for which %s", b.layer->name, b.layer->kind,
                     w->relu == BOX_RELU_ENDS ? "boxes have no rule" : "there is no tightness: layers must be affine, or relus");
}

nigh_status box_walk_to(box_walk *w, box input, int last, box *out)
{
    w->ctx = nigh_network_context(w->network);
    if (nigh_network_status(w->network)) return nigh_network_status(w->network);
    if (nigh_network_inputs(w->network) != 1) return nigh_fail(w->ctx, NIGH_UNSUPPORTED, "the network has %d inputs; boxes go through networks with one", nigh_network_inputs(w->network));
    box *value = nigh_alloc(w->ctx, (size_t)(last + 1) * sizeof *value);
    if (!value) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    need_centre(w->tape, &input);
    if (w->tolerance > 0) w->input_radius = mean_of(w->tape, input.radius);
    for (int i = 0; i <= last && !status; i++) {
        if (i == nigh_network_input_layer(w->network, 0)) value[i] = input;
        else status = record_layer(w, i, value);
    }
    if (!status) *out = value[last];
    if (!status && !fixed(out)) need_centre(w->tape, out);
    if (!status && fixed(out)) status = nigh_fail(w->ctx, NIGH_INVALID, "layer '%s' does not depend on the input", nigh_network_at(w->network, last)->name);
    nigh_free(w->ctx, value);
    if (!status) status = nigh_tape_status(w->tape);
    return status;
}

/* ---- margins ------------------------------------------------------------------------------------------------------- */

nigh_status box_last_linear(nigh_network *net, int *layer)
{
    nigh_context *ctx = nigh_network_context(net);
    if (nigh_network_outputs(net) < 1) return nigh_fail(ctx, NIGH_INVALID, "the network has no output");
    *layer = nigh_network_output_layer(net, 0);
    const nigh_layer *last = nigh_network_at(net, *layer);
    if (!strcmp(last->kind, "linear")) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "the network ends in layer '%s' of kind '%s'; bounds of margins need a linear layer there, to be joined with their differences", last->name, last->kind);
}

/* Row n of [N, K, ...] at the label of n, summed out of one-hot rows: [N, ...] of x [N, K, K]. */
static nigh_node at_label(nigh_tape *t, nigh_node x, nigh_node hot, int64_t n, int64_t k)
{
    return nigh_tape_sum(t, nigh_tape_mul(t, x, nigh_tape_reshape(t, hot, 3, (int64_t[]){n, k, 1})), 1u << 1, false);
}

bool box_margins(nigh_tape *t, nigh_node (*magnitude)(nigh_tape *, nigh_node), const box *in, nigh_node weight, nigh_node bias, nigh_node labels, box *out)
{
    const nigh_shape *w = nigh_tape_shape(t, weight), *c = nigh_tape_shape(t, in->centre);
    if (!w || !c || c->ndim != 2) return false;
    int64_t n = c->dim[0], rows = w->dim[0], k = w->dim[1];
    nigh_node hot = nigh_tape_one_hot(t, labels, k, w->dtype), outputs = nigh_tape_linear(t, in->centre, weight, bias);
    nigh_node to = nigh_tape_reshape(t, weight, 3, (int64_t[]){rows, 1, k}), from = nigh_tape_reshape(t, weight, 3, (int64_t[]){rows, k, 1});
    nigh_node differences = nigh_tape_reshape(t, nigh_tape_sub(t, to, from), 2, (int64_t[]){rows, k * k});
    nigh_node radii = nigh_tape_matmul(t, in->radius, magnitude(t, differences), 0);
    *out = of_centre(nigh_tape_sub(t, outputs, nigh_tape_sum(t, nigh_tape_mul(t, outputs, hot), 1u << 1, true)),
                     at_label(t, nigh_tape_reshape(t, radii, 3, (int64_t[]){n, k, k}), hot, n, k));
    return true;
}

/* high_j - low_label, and 0 at the label. */
static nigh_node loose_margins(nigh_tape *t, const box *b, nigh_node labels)
{
    const nigh_shape *s = nigh_tape_shape(t, b->centre);
    nigh_node hot = nigh_tape_one_hot(t, labels, s->dim[s->ndim - 1], s->dtype);
    nigh_node low = nigh_tape_sum(t, nigh_tape_mul(t, nigh_tape_sub(t, b->centre, b->radius), hot), 1u << 1, true);
    return nigh_tape_mul(t, nigh_tape_sub(t, nigh_tape_add(t, b->centre, b->radius), low), nigh_tape_affine(t, hot, -1, 1));
}

nigh_status box_record(nigh_box_recording *r, nigh_node (*magnitude)(nigh_tape *, nigh_node))
{
    box_walk w = {.network = r->network, .tape = r->tape, .parameters = r->parameters, .statistics = r->statistics, .magnitude = magnitude, .tolerance = r->tolerance,
                  .tightness = NIGH_NONE, .balance = NIGH_NONE};
    nigh_context *ctx = nigh_network_context(r->network);
    bool join = r->labels != NIGH_NONE && !r->whole;
    int last;
    box out;
    if (nigh_network_outputs(r->network) < 1) return nigh_fail(ctx, NIGH_INVALID, "the network has no output");
    nigh_status status = join ? box_last_linear(r->network, &last) : NIGH_OK;
    if (!join) last = nigh_network_output_layer(r->network, 0);
    const nigh_layer *layer = nigh_network_at(r->network, last);
    if (!status) status = box_walk_to(&w, of_ends(r->low, r->high), join ? layer->input[0] : last, &out);
    if (status) return status;
    r->upper = r->lower = NIGH_NONE;
    if (join) {
        box margins;
        nigh_node bias = layer->parameters > 1 ? r->parameters[layer->parameter[1]] : NIGH_NONE;
        if (!box_margins(r->tape, magnitude, &out, r->parameters[layer->parameter[0]], bias, r->labels, &margins))
            return nigh_tape_status(r->tape) ? nigh_tape_status(r->tape) : nigh_fail(ctx, NIGH_INVALID, "the layer in front of '%s' does not give rows [N, inputs]", layer->name);
        r->upper = nigh_tape_add(r->tape, margins.centre, margins.radius);
    } else if (r->labels != NIGH_NONE) {
        r->upper = loose_margins(r->tape, &out, r->labels);
    } else {
        r->upper = nigh_tape_add(r->tape, out.centre, out.radius);
        r->lower = nigh_tape_sub(r->tape, out.centre, out.radius);
    }
    double share = w.relus ? 1.0 / w.relus : 0;
    r->tightness = w.relus ? nigh_tape_scale(r->tape, w.tightness, share) : NIGH_NONE;
    r->balance = w.relus ? nigh_tape_scale(r->tape, w.balance, share) : NIGH_NONE;
    return nigh_tape_status(r->tape);
}

nigh_status nigh_record_boxes(nigh_box_recording *r) { return box_record(r, nigh_tape_abs); }

/* ---- statistics of a batch --------------------------------------------------------------------------------------------- */

nigh_status nigh_record_statistics(nigh_network *net, nigh_tape *t, nigh_recording *how, nigh_node x, const nigh_node *parameters, int most, nigh_node *statistic, nigh_node *outputs)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_recording own = {.train = how->train, .hook = nigh_hook_collect};
    int layer[NIGH_MAX_UPDATES / 2], norms = 0;
    nigh_node before[NIGH_MAX_UPDATES / 2];
    for (int i = 0; i < nigh_network_layers(net); i++) {
        if (strcmp(nigh_network_at(net, i)->kind, "batch-norm") != 0) continue;
        if (norms == most || norms == NIGH_MAX_UPDATES / 2) return nigh_fail(ctx, NIGH_UNSUPPORTED, "more than %d batch norms", norms);
        before[norms] = NIGH_NONE;
        layer[norms++] = nigh_network_at(net, i)->input[0];
    }
    own.user = &(nigh_hook_nodes){norms, layer, before};
    nigh_status status = nigh_network_record(net, t, &own, &x, parameters, outputs);
    for (int i = 0; i < norms && !status; i++) {
        for (int j = 0; j < i && before[i] == NIGH_NONE; j++)
            if (layer[j] == layer[i]) before[i] = before[j];
        const nigh_shape *s = nigh_tape_shape(t, before[i]);
        unsigned axes = (1u << (s->ndim - 1)) - 1;
        statistic[2 * i] = nigh_tape_mean(t, before[i], axes, false);
        statistic[2 * i + 1] = nigh_tape_mean(t, nigh_tape_square(t, nigh_tape_sub(t, before[i], statistic[2 * i])), axes, false);
    }
    for (int i = 0; i < own.updates && !status; i++) how->update[i] = own.update[i];
    how->updates = own.updates;
    return status ? status : nigh_tape_status(t);
}
