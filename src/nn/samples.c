/* Gradients of each sample, and rows of the Jacobian. Declared in nigh/samples.h. */
#include "nn/samples.h"

#include <math.h>
#include <string.h>

nigh_over nigh_parameters_over(nigh_parameters *set, const nigh_node *nodes, nigh_node *node, int64_t *offset)
{
    nigh_over over = {.node = node, .offset = offset, .size = nigh_parameters_size(set)};
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        if (p->frozen) continue;
        node[over.n] = nodes[i];
        offset[over.n++] = p->offset;
    }
    return over;
}

/* ---- construction ------------------------------------------------------------------------------------- */

static nigh_status check_network(nigh_context *ctx, nigh_network *net, const nigh_samples_spec *spec)
{
    nigh_status status = nigh_network_status(net);
    if (status) return status;
    if (spec->batch < 1) return nigh_fail(ctx, NIGH_INVALID, "samples: the batch is %lld; 1 or more is allowed", (long long)spec->batch);
    if (nigh_network_inputs(net) != 1 || nigh_network_outputs(net) != 1)
        return nigh_fail(ctx, NIGH_INVALID, "samples: the network has %d inputs and %d outputs; one of each is needed", nigh_network_inputs(net), nigh_network_outputs(net));
    const nigh_shape *shape = nigh_network_input_shape(net, 0);
    if (shape->dtype != nigh_parameters_dtype(nigh_network_parameters(net)))
        return nigh_fail(ctx, NIGH_INVALID, "samples: the network's input is %s; the type of its weights is needed", nigh_dtype_name(shape->dtype));
    if (shape->ndim < 1 || (shape->dim[0] >= 0 && shape->dim[0] != spec->batch && spec->batch != 1))
        return nigh_fail(ctx, NIGH_INVALID, "samples: the network's input has no dimension of samples in front that may be %lld", (long long)spec->batch);
    if (!spec->loss && spec->target) return nigh_fail(ctx, NIGH_INVALID, "samples: targets without a loss");
    return NIGH_OK;
}

nigh_status nigh_samples_new(nigh_context *ctx, nigh_network *net, const nigh_samples_spec *spec, nigh_sample_gradients **out)
{
    nigh_status status = check_network(ctx, net, spec);
    if (status) return status;
    nigh_sample_gradients *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    nigh_parameters *set = nigh_network_parameters(net);
    *s = (nigh_sample_gradients){.ctx = ctx, .net = net, .set = set, .spec = *spec, .dtype = nigh_parameters_dtype(set), .arrays = nigh_parameters_count(set)};
    size_t n = (size_t)s->arrays + 1;
    s->weight = nigh_alloc_zero(ctx, n, sizeof *s->weight);
    s->weight_one = nigh_alloc_zero(ctx, n, sizeof *s->weight_one);
    s->gradient_one = nigh_alloc_zero(ctx, n, sizeof *s->gradient_one);
    s->other = nigh_alloc_zero(ctx, n, sizeof *s->other);
    s->linear = nigh_alloc_zero(ctx, n, sizeof *s->linear);
    status = s->weight && s->weight_one && s->gradient_one && s->other && s->linear ? nigh_tape_new(ctx, &s->tape) : NIGH_MEMORY;
    if (!status) status = samples_record(s);
    if (!status && s->others) status = samples_record_one(s);
    if (status) nigh_samples_free(s);
    else *out = s;
    return status;
}

void nigh_samples_free(nigh_sample_gradients *s)
{
    if (!s) return;
    nigh_executor_free(s->forward);
    nigh_executor_free(s->back);
    nigh_executor_free(s->inputs);
    nigh_executor_free(s->one);
    nigh_tape_free(s->tape);
    nigh_tape_free(s->tape_one);
    for (int i = 0; i < s->uses; i++) matmul_free(s->use[i].all), matmul_free(s->use[i].one);
    nigh_free(s->ctx, s->use);
    nigh_free(s->ctx, s->weight);
    nigh_free(s->ctx, s->weight_one);
    nigh_free(s->ctx, s->gradient_one);
    nigh_free(s->ctx, s->other);
    nigh_free(s->ctx, s->linear);
    nigh_free(s->ctx, s->workspace);
    nigh_free(s->ctx, s);
}

int64_t nigh_samples_outputs(const nigh_sample_gradients *s) { return s->outputs; }

/* ---- running ------------------------------------------------------------------------------------------ */

/* The executor does not write to inputs. */
static void bind(nigh_executor *e, nigh_node node, const void *data)
{
    if (node != NIGH_NONE && nigh_executor_has(e, node)) nigh_executor_bind(e, node, (void *)(uintptr_t)data);
}

static void bind_point(nigh_sample_gradients *s, nigh_executor *e)
{
    if (!e) return;
    bind(e, s->x, s->x_data);
    bind(e, s->target, s->target_data);
    nigh_parameters_bind(s->set, e, s->weight);
    executor_release(e);
}

void nigh_samples_point(nigh_sample_gradients *s, const void *x, const void *target)
{
    s->x_data = x;
    s->target_data = target;
    s->forward_done = false;
    bind_point(s, s->forward);
    bind_point(s, s->back);
    bind_point(s, s->inputs);
    if (s->one) nigh_parameters_bind(s->set, s->one, s->weight_one);
}

static nigh_status check_seed(const nigh_sample_gradients *s, const void *seed)
{
    if (!s->x_data) return nigh_fail(s->ctx, NIGH_INVALID, "samples: nigh_samples_point gives the batch first");
    if (!s->spec.loss && !seed) return nigh_fail(s->ctx, NIGH_INVALID, "samples: without a loss a seed is needed");
    return NIGH_OK;
}

nigh_status samples_sweep(nigh_sample_gradients *s, const void *seed)
{
    nigh_status status = check_seed(s, seed);
    if (status || !s->uses) return status;
    if (s->forward && !s->forward_done) status = nigh_executor_run(s->forward);
    if (status) return status;
    s->forward_done = true;
    bind(s->back, s->seed, seed);
    return nigh_executor_run(s->back);
}

const void *samples_x(nigh_sample_gradients *s, const samples_use *use) { return nigh_executor_data(s->forward ? s->forward : s->back, use->x); }
const void *samples_delta(nigh_sample_gradients *s, const samples_use *use) { return nigh_executor_data(s->back, use->delta); }

nigh_status samples_run_one(nigh_sample_gradients *s, const void *x, const void *target, const void *seed)
{
    bind(s->one, s->x_one, x);
    bind(s->one, s->target_one, target);
    bind(s->one, s->seed_one, seed);
    return nigh_executor_run(s->one);
}

/* The same for sample i of the batch. */
static nigh_status run_sample(nigh_sample_gradients *s, int64_t i, const void *seed)
{
    size_t size = nigh_dtype_size(s->dtype);
    return samples_run_one(s, (const char *)s->x_data + (size_t)(i * s->x_count) * size, s->target_data ? (const char *)s->target_data + i * s->target_bytes : NULL,
                           seed ? (const char *)seed + (size_t)(i * s->outputs) * size : NULL);
}

const void *samples_other(nigh_sample_gradients *s, int array) { return s->other[array] ? nigh_executor_data(s->one, s->gradient_one[array]) : NULL; }

nigh_status nigh_samples_by_input(nigh_sample_gradients *s, const void *seed, void *by_input)
{
    nigh_status status = check_seed(s, seed);
    if (!status && !s->inputs) {
        status = samples_record_inputs(s);
        bind_point(s, s->inputs);
    }
    if (status) return status;
    bind(s->inputs, s->seed, seed);
    status = nigh_executor_run(s->inputs);
    if (!status) memcpy(by_input, nigh_executor_data(s->inputs, s->by_input), (size_t)(s->spec.batch * s->x_count) * nigh_dtype_size(s->dtype));
    return status;
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* to[out] (+)= scale times the sum of the t rows of d. */
static void add_rows(nigh_dtype dtype, double scale, int64_t t, int64_t out, const void *d, bool again, void *to)
{
    for (int64_t k = 0; k < t; k++)
        if (dtype == NIGH_F32)
            for (int64_t j = 0; j < out; j++) ((float *)to)[j] = (float)scale * ((const float *)d)[k * out + j] + (again || k ? ((float *)to)[j] : 0);
        else
            for (int64_t j = 0; j < out; j++) ((double *)to)[j] = scale * ((const double *)d)[k * out + j] + (again || k ? ((double *)to)[j] : 0);
}

static void use_rows(nigh_sample_gradients *s, const samples_use *use, char *rows)
{
    size_t size = nigh_dtype_size(s->dtype);
    int64_t width = nigh_parameters_size(s->set);
    const char *d = samples_delta(s, use);
    if (use->weight >= 0)
        matmul_run(use->all, samples_x(s, use), d, NULL, rows + (size_t)nigh_parameters_at(s->set, use->weight)->offset * size, s->workspace);
    for (int64_t i = 0; i < s->spec.batch && use->bias >= 0; i++)
        add_rows(s->dtype, use->bias_scale, use->t, use->out, d + (size_t)(i * use->t * use->out) * size, use->bias_again,
                 rows + (size_t)(i * width + nigh_parameters_at(s->set, use->bias)->offset) * size);
}

/* Elements that nobody writes: gaps, frozen arrays. */
static void clear_rest(nigh_sample_gradients *s, char *rows)
{
    size_t size = nigh_dtype_size(s->dtype);
    int64_t width = nigh_parameters_size(s->set), at = 0;
    for (int k = 0; k <= s->arrays; k++) {
        const nigh_parameter *p = k < s->arrays ? nigh_parameters_at(s->set, k) : NULL;
        if (p && !s->linear[k] && !s->other[k]) continue;
        int64_t end = p ? p->offset : width;
        for (int64_t i = 0; i < s->spec.batch && end > at; i++) memset(rows + (size_t)(i * width + at) * size, 0, (size_t)(end - at) * size);
        at = p ? p->offset + nigh_shape_count(&p->shape) : width;
    }
}

nigh_status nigh_samples_gradients(nigh_sample_gradients *s, const void *seed, void *rows)
{
    size_t size = nigh_dtype_size(s->dtype);
    int64_t width = nigh_parameters_size(s->set);
    nigh_status status = samples_sweep(s, seed);
    if (status) return status;
    clear_rest(s, rows);
    for (int i = 0; i < s->uses; i++) use_rows(s, &s->use[i], rows);
    for (int64_t i = 0; i < s->spec.batch && s->one && !status; i++) {
        status = run_sample(s, i, seed);
        for (int k = 0; k < s->arrays && !status; k++) {
            if (!s->other[k]) continue;
            const nigh_parameter *p = nigh_parameters_at(s->set, k);
            memcpy((char *)rows + (size_t)(i * width + p->offset) * size, samples_other(s, k), (size_t)nigh_shape_count(&p->shape) * size);
        }
    }
    return status;
}

/* ---- norms -------------------------------------------------------------------------------------------- */

static double squares(nigh_dtype dtype, int64_t n, const void *x)
{
    double sum = 0;
    if (dtype == NIGH_F32)
        for (int64_t i = 0; i < n; i++) sum += (double)((const float *)x)[i] * (double)((const float *)x)[i];
    else
        for (int64_t i = 0; i < n; i++) sum += ((const double *)x)[i] * ((const double *)x)[i];
    return sum;
}

/* Is there only one use of the array, with one row a sample? */
static bool alone(const nigh_sample_gradients *s, int array)
{
    int count = 0;
    for (int i = 0; i < s->uses; i++) count += (s->use[i].weight == array ? 1 + (s->use[i].t > 1) : 0) + (s->use[i].bias == array ? 1 + (s->use[i].t > 1) : 0);
    return count == 1;
}

/* The gradient of sample i by one array, summed over its uses into `room`. */
static double formed(nigh_sample_gradients *s, int array, int64_t i, char *room)
{
    size_t size = nigh_dtype_size(s->dtype);
    bool again = false;
    for (int k = 0; k < s->uses; k++) {
        const samples_use *use = &s->use[k];
        const char *d = (const char *)samples_delta(s, use) + (size_t)(i * use->t * use->out) * size;
        if (use->weight == array) {
            matmul_run(use->one, (const char *)samples_x(s, use) + (size_t)(i * use->t * use->in) * size, d, NULL, room, s->workspace);
            again = true;
        }
        if (use->bias == array) add_rows(s->dtype, use->bias_scale, use->t, use->out, d, again, room), again = true;
    }
    return squares(s->dtype, nigh_shape_count(&nigh_parameters_at(s->set, array)->shape), room);
}

static double alone_norm(nigh_sample_gradients *s, int array, int64_t i)
{
    size_t size = nigh_dtype_size(s->dtype);
    for (int k = 0; k < s->uses; k++) {
        const samples_use *use = &s->use[k];
        double d = use->weight == array || use->bias == array ? squares(s->dtype, use->out, (const char *)samples_delta(s, use) + (size_t)(i * use->out) * size) : 0;
        if (use->weight == array) return use->scale * use->scale * d * squares(s->dtype, use->in, (const char *)samples_x(s, use) + (size_t)(i * use->in) * size);
        if (use->bias == array) return use->bias_scale * use->bias_scale * d;
    }
    return 0;
}

nigh_status nigh_samples_norms(nigh_sample_gradients *s, const void *seed, double *norm)
{
    int64_t most = 0;
    for (int k = 0; k < s->arrays; k++) {
        int64_t count = nigh_shape_count(&nigh_parameters_at(s->set, k)->shape);
        if (s->linear[k] && !alone(s, k) && count > most) most = count;
    }
    char *room = nigh_alloc(s->ctx, (size_t)most * nigh_dtype_size(s->dtype) + 1);
    nigh_status status = room ? samples_sweep(s, seed) : NIGH_MEMORY;
    for (int64_t i = 0; i < s->spec.batch && !status; i++) {
        double sum = 0;
        if (s->one) status = run_sample(s, i, seed);
        for (int k = 0; k < s->arrays && !status; k++) {
            if (s->linear[k]) sum += alone(s, k) ? alone_norm(s, k, i) : formed(s, k, i, room);
            else if (s->other[k]) sum += squares(s->dtype, nigh_shape_count(&nigh_parameters_at(s->set, k)->shape), samples_other(s, k));
        }
        norm[i] = sqrt(sum);
    }
    nigh_free(s->ctx, room);
    return status;
}

/* ---- the Jacobian ------------------------------------------------------------------------------------- */

static nigh_status jacobian_block(nigh_sample_gradients *s, int64_t first, int64_t count, bool by_inputs, void *seed, void *rows, nigh_jacobian_fn *see, void *user)
{
    nigh_status status = NIGH_OK;
    nigh_array seeds = {.shape = {.dtype = s->dtype, .ndim = 1, .dim = {s->spec.batch * s->outputs}}, .data = seed};
    for (int64_t o = 0; o < s->outputs && !status; o++) {
        for (int64_t i = 0; i < s->spec.batch; i++) nigh_array_set(&seeds, i * s->outputs + o, 1);
        status = by_inputs ? nigh_samples_by_input(s, seed, rows) : nigh_samples_gradients(s, seed, rows);
        if (!status) status = see(user, first, count, o, rows);
        for (int64_t i = 0; i < s->spec.batch; i++) nigh_array_set(&seeds, i * s->outputs + o, 0);
    }
    return status;
}

nigh_status nigh_jacobian(nigh_context *ctx, nigh_network *net, int64_t n, const void *x, int64_t block, bool by_inputs, nigh_jacobian_fn *see, void *user)
{
    nigh_sample_gradients *s;
    if (n < 1 || block < 1 || block > n) return nigh_fail(ctx, NIGH_INVALID, "jacobian: %lld samples in blocks of %lld; 1 <= block <= samples is needed", (long long)n, (long long)block);
    nigh_status status = nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = block}, &s);
    if (status) return status;
    size_t size = nigh_dtype_size(s->dtype), row = (size_t)s->x_count * size;
    char *batch = nigh_alloc(ctx, (size_t)block * row + 1);
    void *seed = nigh_alloc_zero(ctx, (size_t)(block * s->outputs) + 1, size);
    void *rows = nigh_alloc(ctx, (size_t)(block * (by_inputs ? s->x_count : nigh_parameters_size(s->set))) * size + 1);
    if (!batch || !seed || !rows) status = NIGH_MEMORY;
    for (int64_t first = 0; first < n && !status; first += block) {
        int64_t count = n - first < block ? n - first : block;
        memcpy(batch, (const char *)x + (size_t)first * row, (size_t)count * row);
        for (int64_t i = count; i < block; i++) memcpy(batch + (size_t)i * row, batch, row); /* a short last block is filled up */
        nigh_samples_point(s, batch, NULL);
        status = jacobian_block(s, first, count, by_inputs, seed, rows, see, user);
    }
    nigh_free(ctx, batch);
    nigh_free(ctx, seed);
    nigh_free(ctx, rows);
    nigh_samples_free(s);
    return status;
}
