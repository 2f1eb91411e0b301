/* Attacks by signs of input gradients. Declared in nigh/attack.h. */
#include "nigh/attack.h"

#include <math.h>
#include <string.h>

#include "grad/tape.h"
#include "nigh/operators_rows.h"
#include "nigh/train.h"

struct nigh_attack {
    nigh_context *ctx;
    nigh_attack_spec spec;
    nigh_tape *tape;
    nigh_executor *run;
    int64_t samples, each; /* numbers of a sample */
    void *at, *labels;     /* inputs of the executor */
    const void *loss, *gradient;
    void *centre, *best;
    double *best_loss;
};

/* ---- recording ------------------------------------------------------------------------------------------ */

static nigh_status check(nigh_context *ctx, const nigh_attack_spec *s)
{
    if (!s->network && !s->parameters) return nigh_fail(ctx, NIGH_INVALID, "neither a network nor parameters are given");
    if (!s->record && !s->network) return nigh_fail(ctx, NIGH_INVALID, "no loss: record one, or give a network");
    nigh_parameters *p = s->parameters ? s->parameters : nigh_network_parameters(s->network);
    char text[TAPE_SHAPE_TEXT];
    if (s->x.ndim < 1 || s->x.ndim > NIGH_MAX_DIMS || nigh_shape_count(&s->x) < 1 || s->x.dtype != nigh_parameters_dtype(p))
        return nigh_fail(ctx, NIGH_INVALID, "x is %s; samples [n, ...] of the parameters' type %s are needed", tape_shape_text(&s->x, text),
                         nigh_dtype_name(nigh_parameters_dtype(p)));
    if (s->y.ndim && (s->y.ndim > NIGH_MAX_DIMS || s->y.dim[0] != s->x.dim[0] || nigh_shape_count(&s->y) < 0))
        return nigh_fail(ctx, NIGH_INVALID, "labels are %s for %lld samples", tape_shape_text(&s->y, text), (long long)s->x.dim[0]);
    if (!s->record && !s->y.ndim) return nigh_fail(ctx, NIGH_INVALID, "the cross-entropy of a network needs labels");
    if (!(s->radius >= 0 && s->radius < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "radius is %g; 0 or more is allowed", s->radius);
    if (!(s->low <= s->high)) return nigh_fail(ctx, NIGH_INVALID, "the range of the data is %g to %g", s->low, s->high);
    if (s->steps < 1) return nigh_fail(ctx, NIGH_INVALID, "steps is %d; 1 or more is allowed", s->steps);
    if (!(s->step >= 0 && s->step < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "step is %g; 0 or more is allowed", s->step);
    if (s->restarts < 0) return nigh_fail(ctx, NIGH_INVALID, "restarts is %d; 0 or more is allowed", s->restarts);
    return NIGH_OK;
}

static nigh_status record_loss(nigh_attack *a, nigh_node x, nigh_node y, const nigh_node *parameters, nigh_node *loss)
{
    *loss = NIGH_NONE;
    if (a->spec.record) {
        *loss = a->spec.record(a->spec.user, a->tape, x, y, parameters);
        return nigh_tape_status(a->tape);
    }
    if (nigh_network_inputs(a->spec.network) != 1 || nigh_network_outputs(a->spec.network) < 1)
        return nigh_fail(a->ctx, NIGH_INVALID, "the network has %d inputs and %d outputs; one input and an output are needed", nigh_network_inputs(a->spec.network),
                         nigh_network_outputs(a->spec.network));
    nigh_node outputs[64];
    nigh_status status = nigh_network_record(a->spec.network, a->tape, NULL, &x, parameters, outputs);
    if (!status) *loss = nigh_tape_cross_entropy_rows(a->tape, outputs[0], y, 0);
    return status ? status : nigh_tape_status(a->tape);
}

static nigh_status record(nigh_attack *a, nigh_node *parameters)
{
    const nigh_attack_spec *s = &a->spec;
    char text[TAPE_SHAPE_TEXT];
    nigh_status status = nigh_parameters_record(s->parameters, a->tape, parameters);
    if (status) return status;
    nigh_node x = nigh_tape_input(a->tape, "x", s->x.dtype, s->x.ndim, s->x.dim), y = NIGH_NONE, loss, gradient;
    if (s->y.ndim) y = nigh_tape_input(a->tape, "y", s->y.dtype, s->y.ndim, s->y.dim);
    nigh_node *given = parameters + nigh_parameters_count(s->parameters);
    memcpy(given, parameters, (size_t)nigh_parameters_count(s->parameters) * sizeof *given);
    status = nigh_lora_record(s->parameters, a->tape, given);
    if (!status) status = record_loss(a, x, y, given, &loss);
    if (status) return status;
    const nigh_shape *shape = nigh_tape_shape(a->tape, loss);
    if (!shape || shape->ndim != 1 || shape->dim[0] != a->samples || shape->dtype != s->x.dtype)
        return nigh_fail(a->ctx, NIGH_INVALID, "the loss is %s; one number of type %s for each of %lld samples is needed", shape ? tape_shape_text(shape, text) : "missing",
                         nigh_dtype_name(s->x.dtype), (long long)a->samples);
    status = nigh_tape_gradient(a->tape, loss, NIGH_NONE, 1, &x, &gradient);
    if (!status) status = nigh_executor_new(a->ctx, a->tape, 2, (nigh_node[]){loss, gradient}, &a->run);
    if (!status) status = nigh_parameters_bind(s->parameters, a->run, parameters);
    if (status) return status;
    if (!nigh_executor_has(a->run, x)) return nigh_fail(a->ctx, NIGH_INVALID, "the loss does not depend on x");
    a->at = nigh_executor_data(a->run, x);
    a->labels = y != NIGH_NONE && nigh_executor_has(a->run, y) ? nigh_executor_data(a->run, y) : NULL;
    a->loss = nigh_executor_data(a->run, loss);
    a->gradient = nigh_executor_data(a->run, gradient);
    return a->at && a->loss && a->gradient ? NIGH_OK : NIGH_MEMORY;
}

nigh_status nigh_attack_new(nigh_context *ctx, const nigh_attack_spec *spec, nigh_attack **out)
{
    nigh_status status = check(ctx, spec);
    if (status) return status;
    nigh_attack *a = nigh_alloc_zero(ctx, 1, sizeof *a);
    if (!a) return NIGH_MEMORY;
    a->ctx = ctx;
    a->spec = *spec;
    if (!a->spec.parameters) a->spec.parameters = nigh_network_parameters(spec->network);
    if (a->spec.step == 0) nigh_attack_set_radius(a, spec->radius);
    if (spec->restarts < 1) a->spec.restarts = 1;
    a->samples = spec->x.dim[0];
    a->each = nigh_shape_count(&spec->x) / a->samples;
    size_t count = (size_t)nigh_parameters_count(a->spec.parameters), bytes = (size_t)nigh_shape_count(&spec->x) * nigh_dtype_size(spec->x.dtype);
    nigh_node *parameters = nigh_alloc(ctx, (2 * count + 1) * sizeof *parameters);
    a->centre = nigh_alloc(ctx, bytes);
    a->best = nigh_alloc(ctx, bytes);
    a->best_loss = nigh_alloc(ctx, (size_t)a->samples * sizeof *a->best_loss);
    status = parameters && a->centre && a->best && a->best_loss ? nigh_tape_new(ctx, &a->tape) : NIGH_MEMORY;
    if (!status) status = record(a, parameters);
    nigh_free(ctx, parameters);
    if (status) nigh_attack_free(a);
    else *out = a;
    return status;
}

void nigh_attack_free(nigh_attack *a)
{
    if (!a) return;
    nigh_executor_free(a->run);
    nigh_tape_free(a->tape);
    nigh_free(a->ctx, a->centre);
    nigh_free(a->ctx, a->best);
    nigh_free(a->ctx, a->best_loss);
    nigh_free(a->ctx, a);
}

void nigh_attack_set_radius(nigh_attack *a, double radius)
{
    a->spec.radius = radius;
    a->spec.step = a->spec.steps == 1 ? radius : 2.5 * radius / a->spec.steps;
}

/* ---- running -------------------------------------------------------------------------------------------- */

#define STEP(real)                                                                                                     \
    static real into_##real(const nigh_attack *a, real x, real centre)                                                 \
    {                                                                                                                  \
        real least = centre - (real)a->spec.radius, most = centre + (real)a->spec.radius;                              \
        if (a->spec.low < a->spec.high) {                                                                              \
            least = least > (real)a->spec.low ? least : (real)a->spec.low;                                             \
            most = most < (real)a->spec.high ? most : (real)a->spec.high;                                              \
        }                                                                                                              \
        return x < least ? least : x > most ? most : x;                                                                \
    }                                                                                                                  \
    static void start_##real(nigh_attack *a, nigh_rng *rng)                                                            \
    {                                                                                                                  \
        const real *centre = a->centre;                                                                                \
        for (int64_t i = 0; i < a->samples * a->each; i++)                                                             \
            ((real *)a->at)[i] = into_##real(a, centre[i] + (real)(a->spec.radius * (2 * nigh_rng_f64(rng) - 1)), centre[i]); \
    }                                                                                                                  \
    static void step_##real(nigh_attack *a)                                                                            \
    {                                                                                                                  \
        const real *g = a->gradient, *centre = a->centre;                                                              \
        real step = (real)(a->spec.targeted ? -a->spec.step : a->spec.step), *x = a->at;                               \
        for (int64_t i = 0; i < a->samples * a->each; i++)                                                             \
            x[i] = into_##real(a, x[i] + (g[i] > 0 ? step : g[i] < 0 ? -step : 0), centre[i]);                         \
    }
STEP(float)
STEP(double)

/* Keeps the samples whose loss is better than all before. */
static void keep_best(nigh_attack *a)
{
    size_t bytes = (size_t)a->each * nigh_dtype_size(a->spec.x.dtype);
    for (int64_t i = 0; i < a->samples; i++) {
        double loss = a->spec.x.dtype == NIGH_F32 ? ((const float *)a->loss)[i] : ((const double *)a->loss)[i];
        bool better = a->spec.targeted ? loss < a->best_loss[i] : loss > a->best_loss[i];
        if (!better && !(a->best_loss[i] != a->best_loss[i] && loss == loss)) continue;
        a->best_loss[i] = loss;
        memcpy((char *)a->best + (size_t)i * bytes, (const char *)a->at + (size_t)i * bytes, bytes);
    }
}

static nigh_status climb(nigh_attack *a)
{
    for (int k = 0; k <= a->spec.steps; k++) {
        nigh_status status = nigh_executor_run(a->run);
        if (status) return status;
        keep_best(a);
        if (k == a->spec.steps) break;
        if (a->spec.x.dtype == NIGH_F32) step_float(a);
        else step_double(a);
    }
    return NIGH_OK;
}

nigh_status nigh_attack_run(nigh_attack *a, const void *x, const void *y, uint64_t seed, void *out, double *losses)
{
    size_t bytes = (size_t)(a->samples * a->each) * nigh_dtype_size(a->spec.x.dtype);
    if (a->spec.y.ndim && !y) return nigh_fail(a->ctx, NIGH_INVALID, "y is NULL; the attack was made for labels");
    memcpy(a->centre, x, bytes);
    memcpy(a->best, x, bytes);
    if (a->labels) memcpy(a->labels, y, (size_t)nigh_shape_count(&a->spec.y) * nigh_dtype_size(a->spec.y.dtype));
    for (int64_t i = 0; i < a->samples; i++) a->best_loss[i] = NAN;
    nigh_status status = NIGH_OK;
    for (int r = 0; r < a->spec.restarts && !status; r++) {
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)r);
        if (r == 0 && !a->spec.random_start) memcpy(a->at, a->centre, bytes);
        else if (a->spec.x.dtype == NIGH_F32) start_float(a, &rng);
        else start_double(a, &rng);
        status = climb(a);
    }
    if (status) return status;
    memcpy(out, a->best, bytes);
    if (losses) memcpy(losses, a->best_loss, (size_t)a->samples * sizeof *losses);
    return NIGH_OK;
}
