/* Layers of rows: softmax, norms, embeddings, dropout, activations, order among channels. Listed in nn/layers.h. */
#include "nigh/operators_rows.h"

#include "grad/tape.h"
#include "nn/layers.h"

static double number(const nigh_layer_call *c, const char *key, double otherwise) { return nigh_layer_number(c->layer, key, otherwise); }
static int64_t whole(const nigh_layer_call *c, const char *key, int64_t otherwise) { return (int64_t)nigh_layer_number(c->layer, key, (double)otherwise); }
static nigh_node weight(const nigh_layer_call *c, int i) { return i < c->layer->parameters ? c->parameter[i] : NIGH_NONE; }

static bool need_weights(const nigh_layer_call *c, int least, const char *which)
{
    if (c->layer->parameters >= least) return true;
    tape_fail(c->tape, c->layer->kind, "%d weights; %s are needed", c->layer->parameters, which);
    return false;
}

/* ---- softmax ------------------------------------------------------------------------------------------------ */

static nigh_node softmax(const nigh_layer_call *c) { return nigh_tape_softmax(c->tape, c->input[0], (int)whole(c, "axis", -1)); }
static nigh_node log_softmax(const nigh_layer_call *c) { return nigh_tape_log_softmax(c->tape, c->input[0], (int)whole(c, "axis", -1)); }

/* ---- norms -------------------------------------------------------------------------------------------------- */

static nigh_node layer_norm(const nigh_layer_call *c)
{
    return nigh_tape_layer_norm(c->tape, c->input[0], (int)whole(c, "axes", 1), weight(c, 0), weight(c, 1), number(c, "eps", 1e-5));
}

static nigh_node rms_norm(const nigh_layer_call *c) { return nigh_tape_rms_norm(c->tape, c->input[0], weight(c, 0), number(c, "eps", 1e-5)); }

static nigh_node sample_norm(const nigh_layer_call *c)
{
    const nigh_shape *x = nigh_tape_shape(c->tape, c->input[0]);
    return nigh_tape_layer_norm(c->tape, c->input[0], x ? x->ndim - 1 : 0, weight(c, 0), weight(c, 1), number(c, "eps", 1e-5));
}

/* Gamma and beta are affine in a second input t [N] or [N, 1]: t weight + bias, one pair for each sample. */
static nigh_node layer_norm_of(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    char sx[TAPE_SHAPE_TEXT], st[TAPE_SHAPE_TEXT];
    if (!need_weights(c, 4, "weight and bias of gamma and of beta, [C] each") || !tape_check(t, c->layer->kind, 2, c->input)) return NIGH_NONE;
    const nigh_shape x = *tape_shape(t, c->input[0]), by = *tape_shape(t, c->input[1]);
    int64_t samples = x.ndim ? x.dim[0] : 0, dim[NIGH_MAX_DIMS] = {samples};
    if (x.ndim < 2 || nigh_shape_count(&by) != samples || by.ndim < 1)
        return tape_fail(t, c->layer->kind, "x is %s, t is %s; x [N, ..., C] and t [N] are needed", tape_shape_text(&x, sx), tape_shape_text(&by, st));
    for (int i = 1; i < x.ndim; i++) dim[i] = 1;
    nigh_node at = nigh_tape_reshape(t, c->input[1], x.ndim, dim);
    nigh_node gamma = nigh_tape_add(t, nigh_tape_mul(t, at, weight(c, 0)), weight(c, 1)), beta = nigh_tape_add(t, nigh_tape_mul(t, at, weight(c, 2)), weight(c, 3));
    return nigh_tape_layer_norm(t, c->input[0], 1, gamma, beta, number(c, "eps", 1e-5));
}

static nigh_node group_norm(const nigh_layer_call *c)
{
    return nigh_tape_group_norm(c->tape, c->input[0], whole(c, "groups", 1), weight(c, 0), weight(c, 1), number(c, "eps", 1e-5));
}

/* running = (1 - momentum) running + momentum now. */
static void update(const nigh_layer_call *c, int which, nigh_node now, double momentum)
{
    nigh_recording *how = c->how;
    nigh_node value = nigh_tape_add(c->tape, nigh_tape_scale(c->tape, c->parameter[which], 1 - momentum), nigh_tape_scale(c->tape, now, momentum));
    if (c->tape->status) return;
    if (how->updates == NIGH_MAX_UPDATES) tape_fail(c->tape, c->layer->kind, "more than %d running statistics", NIGH_MAX_UPDATES);
    else how->update[how->updates++] = (nigh_update){c->layer->parameter[which], value};
}

/* Weights: running mean and variance, then gamma and beta. The running variance has the divisor n - 1, that of the batch n. */
static nigh_node batch_norm(const nigh_layer_call *c)
{
    nigh_tape *t = c->tape;
    double eps = number(c, "eps", 1e-5), momentum = number(c, "momentum", 0.1);
    if (!need_weights(c, 2, "running mean and variance, then gamma and beta,") || !tape_check(t, c->layer->kind, 1, c->input)) return NIGH_NONE;
    if (!c->how->train) return nigh_tape_batch_norm_use(t, c->input[0], weight(c, 0), weight(c, 1), weight(c, 2), weight(c, 3), eps);
    nigh_node mean, variance, y = nigh_tape_batch_norm(t, c->input[0], weight(c, 2), weight(c, 3), eps, &mean, &variance);
    if (y == NIGH_NONE) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(t, c->input[0]);
    double n = (double)nigh_shape_count(shape) / (double)(shape->dim[shape->ndim - 1] > 0 ? shape->dim[shape->ndim - 1] : 1);
    update(c, 0, mean, momentum);
    update(c, 1, nigh_tape_scale(t, variance, n > 1 ? n / (n - 1) : 1), momentum);
    return t->status ? NIGH_NONE : y;
}

static nigh_node normalise(const nigh_layer_call *c) { return nigh_tape_normalise(c->tape, c->input[0], number(c, "eps", 1e-12)); }

/* ---- embeddings, dropout ----------------------------------------------------------------------------------------- */

static nigh_node embedding(const nigh_layer_call *c)
{
    if (!need_weights(c, 1, "the table")) return NIGH_NONE;
    return nigh_tape_scale(c->tape, nigh_tape_gather(c->tape, c->parameter[0], c->input[0]), number(c, "scale", 1));
}

static nigh_node dropout(const nigh_layer_call *c)
{
    return c->how->train ? nigh_tape_dropout(c->tape, c->input[0], 1 - number(c, "rate", 0), c->stream) : c->input[0];
}

/* ---- activations ------------------------------------------------------------------------------------------------ */

static nigh_node poly_relu(const nigh_layer_call *c) { return need_weights(c, 1, "coefficients") ? nigh_tape_poly_relu(c->tape, c->input[0], c->parameter[0]) : NIGH_NONE; }

static nigh_node poly_norm(const nigh_layer_call *c)
{
    if (!need_weights(c, 1, "coefficients")) return NIGH_NONE;
    return nigh_tape_poly_norm(c->tape, c->input[0], c->parameter[0], weight(c, 1), number(c, "eps", 1e-6));
}

static nigh_node prelu(const nigh_layer_call *c) { return need_weights(c, 1, "slopes") ? nigh_tape_prelu(c->tape, c->input[0], c->parameter[0]) : NIGH_NONE; }
static nigh_node hard_tanh(const nigh_layer_call *c) { return nigh_tape_hard_tanh(c->tape, c->input[0]); }
static nigh_node elu(const nigh_layer_call *c) { return nigh_tape_elu(c->tape, c->input[0], number(c, "alpha", 1)); }
static nigh_node softsign(const nigh_layer_call *c) { return nigh_tape_softsign(c->tape, c->input[0]); }
static nigh_node gelu_tanh(const nigh_layer_call *c) { return nigh_tape_gelu_tanh(c->tape, c->input[0]); }
static nigh_node max_min(const nigh_layer_call *c) { return nigh_tape_max_min(c->tape, c->input[0]); }
static nigh_node group_sort(const nigh_layer_call *c) { return nigh_tape_group_sort(c->tape, c->input[0], whole(c, "group", 2)); }
static nigh_node max_out(const nigh_layer_call *c) { return nigh_tape_max_out(c->tape, c->input[0], whole(c, "pieces", 2)); }
static nigh_node cumulative_sum(const nigh_layer_call *c) { return nigh_tape_cumulative_sum(c->tape, c->input[0], (int)whole(c, "axis", -1), whole(c, "reverse", 0), whole(c, "exclusive", 0)); }
static nigh_node round_through(const nigh_layer_call *c) { return nigh_tape_round_through(c->tape, c->input[0]); }
static nigh_node sign_through(const nigh_layer_call *c) { return nigh_tape_sign_through(c->tape, c->input[0]); }

const nigh_layer_kind layers_rows[] = {
    {"softmax", "exp(x) / sum exp(x) along axis", 1, 1, softmax},
    {"log-softmax", "its logarithm", 1, 1, log_softmax},
    {"layer-norm", "mean 0 and variance 1 over the last axes, scaled and shifted", 1, 1, layer_norm},
    {"rms-norm", "mean square 1 over channels, scaled", 1, 1, rms_norm},
    {"sample-norm", "mean 0 and variance 1 over all but the first axis, scaled and shifted", 1, 1, sample_norm},
    {"layer-norm-of", "mean 0 and variance 1 over channels, scale and shift affine in a second input", 2, 2, layer_norm_of},
    {"group-norm", "mean 0 and variance 1 over space and groups of channels", 1, 1, group_norm},
    {"batch-norm", "mean 0 and variance 1 of each channel over the batch, in use by running statistics", 1, 1, batch_norm},
    {"normalise", "rows of length 1", 1, 1, normalise},
    {"embedding", "rows of a table, by number", 1, 1, embedding},
    {"dropout", "in training, elements made 0 with chance rate, the others scaled up", 1, 1, dropout},
    {"poly-relu", "polynomial of max(x, 0)", 1, 1, poly_relu},
    {"poly-norm", "sum of normed powers", 1, 1, poly_norm},
    {"prelu", "x > 0 ? x : slope x, trained slopes", 1, 1, prelu},
    {"hard-tanh", "clipped to [-1, 1]", 1, 1, hard_tanh},
    {"elu", "x > 0 ? x : alpha (exp(x) - 1)", 1, 1, elu},
    {"softsign", "x / (1 + |x|)", 1, 1, softsign},
    {"gelu-tanh", "gelu by a hyperbolic tangent", 1, 1, gelu_tanh},
    {"max-min", "neighbouring pairs of channels, the larger first", 1, 1, max_min},
    {"group-sort", "groups of channels sorted", 1, 1, group_sort},
    {"max-out", "largest of each pieces neighbouring channels", 1, 1, max_out},
    {"cumulative-sum", "along axis, reverse, exclusive", 1, 1, cumulative_sum},
    {"round-through", "rounded, gradient of x", 1, 1, round_through},
    {"sign-through", "the sign, gradient of x within [-1, 1]", 1, 1, sign_through},
    {0},
};
