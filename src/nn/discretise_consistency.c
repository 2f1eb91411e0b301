/* How a network's answers on different grids agree. Declared in nigh/discretise.h. */
#include "nigh/pde.h"
#include "nn/discretise.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 2, FINEST = 8, MOST_ENDS = 64 };

typedef struct study {
    nigh_context *ctx;
    nigh_network *net; /* in f64 */
    nigh_discretisation spec;
    nigh_gaussian law;
    int64_t samples, seed, channels[MOST_ENDS];
} study;

static int64_t points_of(const int64_t *grid) { return grid[0] * grid[1]; }

/* Smooth fields on this grid, the same functions on any: [samples, s.., channels]. */
static nigh_status draw(const study *s, const int64_t *grid, int64_t channels, int input, double *to)
{
    nigh_gaussian_field *field = NULL;
    nigh_status status = nigh_gaussian_field_new(s->ctx, &s->law, grid[0], &field);
    if (status) return status;
    int64_t points = points_of(grid);
    void *workspace = nigh_alloc(s->ctx, nigh_gaussian_field_workspace(field));
    double *one = nigh_alloc(s->ctx, (size_t)points * sizeof *one), scale = 1 / sqrt(nigh_gaussian_variance(&s->law));
    for (int64_t i = 0; workspace && one && i < s->samples * channels; i++) {
        nigh_rng rng = nigh_rng_new((uint64_t)s->seed, (uint64_t)(input * 1000 + i));
        nigh_gaussian_field_draw(field, &rng, one, workspace);
        for (int64_t p = 0; p < points; p++) to[(i / channels * points + p) * channels + i % channels] = one[p] * scale;
    }
    if (!workspace || !one) status = NIGH_MEMORY;
    nigh_free(s->ctx, one);
    nigh_free(s->ctx, workspace);
    nigh_gaussian_field_free(field);
    return status;
}

/* The first output of `net` for these inputs: an array of f64, its shape given back. */
static nigh_status answer(const study *s, nigh_network *net, const int64_t *grid, nigh_array *out)
{
    nigh_parameters *set = nigh_network_parameters(net);
    int inputs = nigh_network_inputs(net), weights = nigh_parameters_count(set);
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_node in[MOST_ENDS], y[MOST_ENDS], *parameter = nigh_alloc(s->ctx, (size_t)(weights + 1) * sizeof *parameter);
    nigh_status status = parameter ? nigh_tape_new(s->ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < inputs && !status; i++) {
        nigh_shape shape = *nigh_network_input_shape(s->net, i);
        shape.dim[0] = s->samples;
        for (int d = 0; d < s->spec.dims; d++) shape.dim[d + 1] = grid[d];
        if (shape.ndim == s->spec.dims + 2 && shape.dim[s->spec.dims + 1] < 0) shape.dim[s->spec.dims + 1] = 1;
        in[i] = nigh_tape_input(tape, "x", NIGH_F64, shape.ndim, shape.dim);
        status = nigh_tape_status(tape);
    }
    if (!status) status = nigh_parameters_record(set, tape, parameter);
    if (!status) status = nigh_network_record(net, tape, NULL, in, parameter, y);
    if (!status) status = nigh_executor_new(s->ctx, tape, 1, y, &run);
    if (!status) status = nigh_parameters_bind(set, run, parameter);
    for (int i = 0; i < inputs && !status; i++) {
        double *to = nigh_executor_has(run, in[i]) ? nigh_executor_data(run, in[i]) : NULL;
        if (to) status = draw(s, grid, s->channels[i], i, to);
    }
    if (!status) status = nigh_executor_run(run);
    if (!status) status = nigh_array_new(s->ctx, nigh_tape_shape(tape, y[0]), out);
    if (!status) memcpy(out->data, nigh_executor_data(run, y[0]), (size_t)nigh_shape_count(&out->shape) * sizeof(double));
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_free(s->ctx, parameter);
    return status;
}

static nigh_status answer_rewritten(const study *s, const int64_t *grid, bool wrapper, nigh_array *out)
{
    nigh_discretisation spec = s->spec;
    nigh_network *net = NULL;
    spec.wrapper = wrapper;
    nigh_status status = nigh_network_rewrite(s->net, &spec, grid, &net);
    if (!status) status = answer(s, net, grid, out);
    nigh_network_free(net);
    return status;
}

/* The reference's answer at the points of this grid. */
static nigh_status restricted(const study *s, const nigh_array *from, const int64_t *fine, const int64_t *grid, nigh_array *out)
{
    nigh_shape shape = from->shape;
    double *x = nigh_alloc(s->ctx, (size_t)nigh_shape_count(&shape) * sizeof *x);
    if (!x) return NIGH_MEMORY;
    memcpy(x, from->data, (size_t)nigh_shape_count(&shape) * sizeof *x);
    nigh_status status = NIGH_OK;
    for (int d = 0; d < s->spec.dims && !status; d++) {
        int64_t before = 1, after = 1;
        for (int k = 0; k <= d; k++) before *= shape.dim[k];
        for (int k = d + 2; k < shape.ndim; k++) after *= shape.dim[k];
        double *matrix = nigh_alloc(s->ctx, (size_t)(fine[d] * grid[d]) * sizeof *matrix), *y = nigh_alloc(s->ctx, (size_t)(before * grid[d] * after) * sizeof *y);
        if (matrix && y) {
            discretise_sampling(s->spec.grid, fine[d], grid[d], matrix);
            discretise_apply(before, fine[d], grid[d], after, matrix, x, y);
        } else status = NIGH_MEMORY;
        nigh_free(s->ctx, matrix);
        nigh_free(s->ctx, x);
        x = y;
        shape.dim[d + 1] = grid[d];
    }
    if (!status) status = nigh_array_new(s->ctx, &shape, out);
    if (!status) memcpy(out->data, x, (size_t)nigh_shape_count(&shape) * sizeof *x);
    nigh_free(s->ctx, x);
    return status;
}

/* Root mean square over samples of the relative distances; NAN for shapes that differ. */
static double distance(const nigh_array *a, const nigh_array *b)
{
    int64_t n = nigh_shape_count(&a->shape), samples = a->shape.dim[0], each = samples ? n / samples : 0;
    const double *x = a->data, *y = b->data;
    double sum = 0;
    if (n != nigh_shape_count(&b->shape) || !each) return NAN;
    for (int64_t i = 0; i < samples; i++) {
        double d = 0, size = 0;
        for (int64_t k = i * each; k < (i + 1) * each; k++) d += (x[k] - y[k]) * (x[k] - y[k]), size += y[k] * y[k];
        sum += size > 0 ? d / size : d > 0 ? INFINITY : 0;
    }
    return sqrt(sum / (double)samples);
}

/* Slope of log c by log h of the last three grids. */
static double order_of(const nigh_consistency *c, const double *value)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    bool all = true;
    for (int i = 1; i < NIGH_CONSISTENCY_GRIDS; i++) {
        double x = -log((double)c->grid[i][0]), y = log(fmax(value[i], 1e-16));
        if (isnan(value[i])) return NAN;
        all = all && value[i] < 1e-12;
        sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    return all ? INFINITY : (3 * sxy - sx * sy) / (3 * sxx - sx * sx);
}

/* A form that cannot be used on a grid, or not at all, gives NAN there; what else fails ends the study. */
static nigh_status compare(const study *s, nigh_status status, nigh_array *mine, const nigh_array *reference, double *value)
{
    *value = status ? NAN : distance(mine, reference);
    if (!status) nigh_array_free(s->ctx, mine);
    return status == NIGH_MEMORY || status == NIGH_INTERRUPTED ? status : NIGH_OK;
}

static nigh_status measure(const study *s, nigh_consistency *c)
{
    nigh_array fine = {0};
    nigh_status status = answer_rewritten(s, c->reference, false, &fine);
    if (status) return status;
    if (fine.shape.ndim < s->spec.dims + 1) status = nigh_fail(s->ctx, NIGH_UNSUPPORTED, "consistency: the network's output is no field");
    for (int i = 0; i < NIGH_CONSISTENCY_GRIDS && !status; i++) {
        nigh_array here = {0}, mine = {0};
        const int64_t *grid = c->grid[i];
        status = restricted(s, &fine, c->reference, grid, &here);
        if (!status) status = compare(s, answer_rewritten(s, grid, false, &mine), &mine, &here, &c->rewritten[i]);
        if (!status) status = compare(s, answer_rewritten(s, grid, true, &mine), &mine, &here, &c->wrapper[i]);
        if (!status) status = compare(s, answer(s, s->net, grid, &mine), &mine, &here, &c->plain[i]);
        nigh_array_free(s->ctx, &here);
        if (!status) status = nigh_poll(s->ctx);
    }
    nigh_array_free(s->ctx, &fine);
    c->order = order_of(c, c->rewritten), c->plain_order = order_of(c, c->plain), c->wrapper_order = order_of(c, c->wrapper);
    return status;
}

nigh_status nigh_network_consistency(nigh_network *net, const nigh_discretisation *spec, const nigh_consistency_options *options, nigh_consistency *out)
{
    static const nigh_consistency_options plain = {0};
    const nigh_consistency_options *o = options ? options : &plain;
    nigh_context *ctx = nigh_network_context(net);
    nigh_status status = discretise_check(ctx, spec);
    if (status) return status;
    int finest = o->finest ? o->finest : FINEST;
    if (finest < 2 || finest > 64) return nigh_fail(ctx, NIGH_INVALID, "consistency: finest is %d; 2 to 64 are allowed", finest);
    if (o->samples < 0 || o->samples > 1 << 16) return nigh_fail(ctx, NIGH_INVALID, "consistency: %lld samples; 1 to 65536 are allowed", (long long)o->samples);
    if (!(o->width >= 0 && o->width <= 10)) return nigh_fail(ctx, NIGH_INVALID, "consistency: width %g; more than 0, at most 10 is allowed", o->width);
    if (spec->dims == 2 && spec->trained[0] != spec->trained[1])
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "consistency: a trained grid of %lld x %lld points; square ones only", (long long)spec->trained[0], (long long)spec->trained[1]);
    study s = {.ctx = ctx, .spec = *spec, .samples = o->samples ? o->samples : SAMPLES, .seed = (int64_t)o->seed};
    nigh_consistency c = {0};
    int64_t less = spec->grid == NIGH_GRID_NODE; /* intervals are halved and doubled */
    for (int d = 0; d < 2; d++) {
        int64_t cells = d < spec->dims ? spec->trained[d] - less : 1;
        for (int i = 0; i < NIGH_CONSISTENCY_GRIDS; i++) c.grid[i][d] = d < spec->dims ? (i ? cells << (i - 1) : cells / 2) + less : 1;
        c.reference[d] = d < spec->dims ? cells * finest + less : 1;
    }
    double width = o->width > 0 ? o->width : fmin(6 / (double)spec->trained[0], 0.25);
    s.law = (nigh_gaussian){.dims = spec->dims, .grid = spec->grid, .scale = 1, .shift = 1 / (width * width) * 4, .power = 4 + 0.5 * spec->dims};
    for (int i = 0; i < nigh_network_inputs(net) && i < MOST_ENDS; i++) {
        const nigh_shape *shape = nigh_network_input_shape(net, i);
        s.channels[i] = shape->ndim == spec->dims + 2 && shape->dim[spec->dims + 1] > 0 ? shape->dim[spec->dims + 1] : 1;
    }
    status = nigh_network_clone(net, NIGH_F64, &s.net);
    if (!status) status = measure(&s, &c);
    nigh_network_free(s.net);
    if (!status) *out = c;
    return status;
}
