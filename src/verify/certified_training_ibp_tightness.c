/* Local propagation tightness of networks, in f64 on a tape. Declared in nigh/certified_training.h. */
#include <math.h>
#include <string.h>

#include "verify/certified_training_ibp.h"

enum { MOST_BATCH = 64 };

typedef struct measure {
    nigh_context *ctx;
    nigh_network *net; /* f64 */
    nigh_tape *tape;
    nigh_node *parameters, x, radius, labels, tau, exact, layered;
    nigh_executor *run;
    int64_t batch, each;
} measure;

/* The box of outputs, or of margins with the last layer joined. */
static nigh_status record_box(measure *m, bool linear, bool margins, box *out)
{
    box_walk w = {.network = m->net, .tape = m->tape, .parameters = m->parameters, .magnitude = nigh_tape_abs, .relu = linear ? BOX_RELU_OPEN : BOX_RELU_LOCAL};
    if (nigh_network_outputs(m->net) < 1) return nigh_fail(m->ctx, NIGH_INVALID, "the network has no output");
    int last = nigh_network_output_layer(m->net, 0);
    nigh_status status = margins ? box_last_linear(m->net, &last) : NIGH_OK;
    const nigh_layer *layer = nigh_network_at(m->net, last);
    box in = {m->x, m->radius, NIGH_NONE, NIGH_NONE};
    if (!status) status = box_walk_to(&w, in, margins ? layer->input[0] : last, out);
    if (status || !margins) return status;
    nigh_node bias = layer->parameters > 1 ? m->parameters[layer->parameter[1]] : NIGH_NONE;
    box before = *out;
    if (!box_margins(m->tape, nigh_tape_abs, &before, m->parameters[layer->parameter[0]], bias, m->labels, out))
        return nigh_fail(m->ctx, NIGH_INVALID, "the layer in front of '%s' does not give rows [N, inputs]", layer->name);
    return NIGH_OK;
}

/* |J| r, one gradient an output: [N, K]. */
static nigh_status record_exact(measure *m, nigh_node centre, int64_t k, nigh_node *exact)
{
    nigh_node *column = nigh_alloc(m->ctx, (size_t)k * sizeof *column);
    if (!column) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int64_t j = 0; j < k && !status; j++) {
        nigh_node gradient;
        status = nigh_tape_gradient(m->tape, nigh_tape_slice(m->tape, centre, 1, j, 1, 1), NIGH_NONE, 1, &m->x, &gradient);
        if (status) break;
        nigh_node product = nigh_tape_mul(m->tape, nigh_tape_abs(m->tape, gradient), m->radius);
        column[j] = nigh_tape_sum(m->tape, nigh_tape_reshape(m->tape, product, 2, (int64_t[]){m->batch, m->each}), 1u << 1, false);
    }
    if (!status) *exact = nigh_tape_stack(m->tape, (int)k, column, 1);
    nigh_free(m->ctx, column);
    return status;
}

static nigh_status record(measure *m, const nigh_shape *x, bool labels, bool linear)
{
    nigh_parameters *set = nigh_network_parameters(m->net);
    nigh_shape shape = *x;
    box out;
    shape.dim[0] = m->batch;
    nigh_status status = nigh_parameters_record(set, m->tape, m->parameters);
    if (status) return status;
    m->x = nigh_tape_input(m->tape, "x", NIGH_F64, shape.ndim, shape.dim);
    m->radius = nigh_tape_input(m->tape, "radius", NIGH_F64, shape.ndim, shape.dim);
    m->labels = labels ? nigh_tape_input(m->tape, "labels", NIGH_I32, 1, &m->batch) : NIGH_NONE;
    status = record_box(m, linear, labels, &out);
    if (status) return status;
    const nigh_shape *s = nigh_tape_shape(m->tape, out.radius);
    if (!s || s->ndim != 2) return nigh_fail(m->ctx, NIGH_INVALID, "the network's output is not [n, numbers]");
    int64_t k = s->dim[1];
    if (k > 4096 || (labels && k < 2)) return nigh_fail(m->ctx, NIGH_UNSUPPORTED, "the network has %lld outputs; tightness takes %d to 4096", (long long)k, labels ? 2 : 1);
    nigh_node exact = NIGH_NONE;
    status = record_exact(m, out.centre, k, &exact);
    if (status) return status;
    nigh_node one = nigh_tape_fill(m->tape, NIGH_F64, 2, (int64_t[]){m->batch, k}, 1);
    nigh_node tau = nigh_tape_where(m->tape, out.radius, nigh_tape_div(m->tape, exact, nigh_tape_where(m->tape, out.radius, out.radius, one)), one);
    double counted = (double)(labels ? k - 1 : k); /* at the label both radii are 0 and the ratio 1 */
    m->tau = nigh_tape_affine(m->tape, nigh_tape_sum(m->tape, tau, 1u << 1, false), 1 / counted, labels ? -1 / counted : 0);
    m->exact = nigh_tape_scale(m->tape, nigh_tape_sum(m->tape, exact, 1u << 1, false), 1 / counted);
    m->layered = nigh_tape_scale(m->tape, nigh_tape_sum(m->tape, out.radius, 1u << 1, false), 1 / counted);
    status = nigh_executor_new(m->ctx, m->tape, 3, (nigh_node[]){m->tau, m->exact, m->layered}, &m->run);
    return status ? status : nigh_parameters_bind(set, m->run, m->parameters);
}

static double *memory_of(measure *m, nigh_node node) { return nigh_executor_has(m->run, node) ? nigh_executor_data(m->run, node) : NULL; }

/* Samples from `first` on; what is beyond the last is the last again. */
static nigh_status run_batch(measure *m, const nigh_array *x, const nigh_array *labels, const nigh_tightness_options *o, int64_t first, double *const *out)
{
    double *at = memory_of(m, m->x), *radius = memory_of(m, m->radius);
    int32_t *label = labels ? nigh_executor_data(m->run, m->labels) : NULL;
    int64_t n = x->shape.dim[0], count = n - first < m->batch ? n - first : m->batch;
    const nigh_node node[3] = {m->tau, m->exact, m->layered};
    if (!radius || (labels && !label)) return NIGH_MEMORY;
    for (int64_t i = 0; i < m->batch; i++) {
        int64_t sample = first + (i < count ? i : count - 1);
        if (label) label[i] = ((const int32_t *)labels->data)[sample];
        for (int64_t k = 0; k < m->each; k++) {
            double value = nigh_array_get(x, sample * m->each + k), low = value - o->radius, high = value + o->radius;
            if (o->low < o->high) low = fmax(low, o->low), high = fmin(high, o->high);
            if (at) at[i * m->each + k] = value;
            radius[i * m->each + k] = fmax(0.5 * (high - low), 0);
        }
    }
    nigh_status status = nigh_executor_run(m->run);
    for (int i = 0; i < 3 && !status; i++)
        if (out[i]) memcpy(out[i] + first, nigh_executor_data(m->run, node[i]), (size_t)count * sizeof(double));
    return status;
}

static nigh_status check(nigh_context *ctx, const nigh_array *x, const nigh_array *labels, const nigh_tightness_options *o)
{
    if (!(o->radius > 0 && isfinite(o->radius))) return nigh_fail(ctx, NIGH_INVALID, "radius is %g; above 0 is allowed", o->radius);
    if (!(o->low <= o->high)) return nigh_fail(ctx, NIGH_INVALID, "the range of the data is %g to %g", o->low, o->high);
    if ((x->shape.dtype != NIGH_F32 && x->shape.dtype != NIGH_F64) || x->shape.ndim < 2 || x->shape.dim[0] < 1)
        return nigh_fail(ctx, NIGH_INVALID, "samples must be f32 or f64 [n, ...], n 1 or more");
    if (labels && (labels->shape.dtype != NIGH_I32 || labels->shape.ndim != 1 || labels->shape.dim[0] != x->shape.dim[0]))
        return nigh_fail(ctx, NIGH_INVALID, "labels must be i32 [%lld], one for each sample", (long long)x->shape.dim[0]);
    return NIGH_OK;
}

nigh_status nigh_tightness(nigh_context *ctx, nigh_network *net, const nigh_array *x, const nigh_array *labels, const nigh_tightness_options *o, double *tau, double *exact, double *layered)
{
    nigh_status status = check(ctx, x, labels, o);
    if (status) return status;
    int64_t n = x->shape.dim[0];
    double *out[3] = {tau, exact, layered};
    measure m = {.ctx = ctx, .batch = n < MOST_BATCH ? n : MOST_BATCH, .each = nigh_shape_count(&x->shape) / n};
    status = nigh_network_clone(net, NIGH_F64, &m.net);
    if (!status) status = nigh_tape_new(ctx, &m.tape);
    if (!status && !(m.parameters = nigh_alloc(ctx, (size_t)(nigh_parameters_count(nigh_network_parameters(m.net)) + 1) * sizeof *m.parameters))) status = NIGH_MEMORY;
    if (!status) status = record(&m, &x->shape, labels != NULL, o->linear);
    for (int64_t first = 0; first < n && !status; first += m.batch) status = run_batch(&m, x, labels, o, first, out);
    nigh_executor_free(m.run);
    nigh_tape_free(m.tape);
    nigh_network_free(m.net);
    nigh_free(ctx, m.parameters);
    return status;
}
