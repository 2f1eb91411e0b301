/* One step: batches, gradients, clipping, the optimiser, the average. */
#include "nn/train.h"

#include <math.h>
#include <string.h>

enum { PARALLEL = 1 << 16 }; /* parameters from which on a second thread pays */

static bool joins(const train_range *r, const nigh_parameter *p) { return r->rate == p->rate && r->decay == p->decay; }

/* Parameters that move, neighbours together. The zeros in the gaps between them stay zeros, unless epsilon is 0. */
nigh_status train_ranges(nigh_training *t)
{
    int count = nigh_parameters_count(t->parameters);
    bool open = false;
    t->range = nigh_alloc_zero(t->ctx, (size_t)count + 1, sizeof *t->range);
    if (!t->range) return NIGH_MEMORY;
    for (int i = 0; i < count; i++) {
        const nigh_parameter *p = nigh_parameters_at(t->parameters, i);
        if (!(p->rate >= 0 && p->rate < 1e300) || !(p->decay >= 0 && p->decay < 1e300))
            return nigh_fail(t->ctx, NIGH_INVALID, "rate and decay of parameter '%s' are %g and %g; 0 or more is allowed", p->name, p->rate, p->decay);
        bool still = p->frozen;
        for (int f = 0; f < t->main.forms; f++) still |= t->main.form[f].updated[i];
        if (still) {
            open = false;
            continue;
        }
        int64_t end = p->offset + nigh_shape_count(&p->shape);
        if (open && t->spec.epsilon > 0 && joins(&t->range[t->ranges - 1], p)) t->range[t->ranges - 1].count = end - t->range[t->ranges - 1].offset;
        else t->range[t->ranges++] = (train_range){p->offset, end - p->offset, p->rate, p->decay};
        open = true;
    }
    if (t->ranges == 0) return nigh_fail(t->ctx, NIGH_INVALID, "all %d parameters are frozen; nothing can be trained", count);
    return NIGH_OK;
}

double train_scheduled(const nigh_training *t, int which, int64_t step) { return schedule_at(&t->schedule[which], &t->plateau[which], step); }

/* ---- the optimiser -------------------------------------------------------------------------------------- */

static void update_part(nigh_training *t, const optimiser_step *step, int64_t from, int64_t n, const char *gradient)
{
    char *block = nigh_parameters_block(t->parameters);
    size_t at = (size_t)from * t->width, all = (size_t)t->size * t->width;
    void *slot[OPTIMISER_SLOTS] = {0};
    for (int i = 0; i < t->rule->slots; i++) slot[i] = t->slots + (size_t)i * all + at;
    if (t->dtype == NIGH_F32)
        optimiser_update_f32(t->rule, step, n, (float *)(void *)(block + at), (const float *)(const void *)(gradient + at),
                             (float *[OPTIMISER_SLOTS]){slot[0], slot[1], slot[2], slot[3]});
    else
        optimiser_update_f64(t->rule, step, n, (double *)(void *)(block + at), (const double *)(const void *)(gradient + at),
                             (double *[OPTIMISER_SLOTS]){slot[0], slot[1], slot[2], slot[3]});
}

static void update_range(nigh_training *t, const optimiser_step *step, const train_range *r, const char *gradient)
{
    int parts = t->threads > 1 && r->count >= PARALLEL ? t->threads : 1;
    if (parts == 1) {
        update_part(t, step, r->offset, r->count, gradient);
        return;
    }
    int64_t piece = (r->count / parts + 63) / 64 * 64;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int k = 0; k < parts; k++) {
        int64_t from = k * piece, to = k == parts - 1 ? r->count : from + piece;
        if (from < to) update_part(t, step, r->offset + from, to - from, gradient);
    }
}

static void update_average(nigh_training *t)
{
    const void *p = nigh_parameters_block(t->parameters);
    void *a = t->average;
    double keep = t->spec.average_keep;
    if (t->dtype == NIGH_F32)
        for (int64_t i = 0; i < t->size; i++) ((float *)a)[i] += (float)(1 - keep) * (((const float *)p)[i] - ((float *)a)[i]);
    else
        for (int64_t i = 0; i < t->size; i++) ((double *)a)[i] += (1 - keep) * (((const double *)p)[i] - ((double *)a)[i]);
}

/* sum (+)= gradient / accumulate */
static void add_gradient(nigh_training *t, bool first)
{
    double factor = 1.0 / t->accumulate;
    if (t->dtype == NIGH_F32) {
        float *s = (float *)(void *)t->sum;
        const float *g = (const float *)(const void *)t->gradient;
        for (int64_t i = 0; i < t->size; i++) s[i] = (first ? 0 : s[i]) + (float)factor * g[i];
    } else {
        double *s = (double *)(void *)t->sum;
        const double *g = (const double *)(const void *)t->gradient;
        for (int64_t i = 0; i < t->size; i++) s[i] = (first ? 0 : s[i]) + factor * g[i];
    }
}

static void move(nigh_training *t, const char *gradient, double scale)
{
    double rate = train_scheduled(t, TRAIN_RATE, t->count.step), decay = train_scheduled(t, TRAIN_DECAY, t->count.step);
    for (int i = 0; i < t->ranges; i++) {
        const train_range *r = &t->range[i];
        optimiser_step step = {{rate * r->rate, t->spec.beta1, t->spec.beta2, t->spec.epsilon, decay * r->decay}, t->count.step + 1, scale};
        update_range(t, &step, r, gradient);
    }
}

/* ---- a step --------------------------------------------------------------------------------------------- */

static double number_at(const nigh_training *t, const void *at) { return t->dtype == NIGH_F32 ? *(const float *)at : *(const double *)at; }

static nigh_status one_batch(nigh_training *t, int64_t number, train_form **form)
{
    int index = batches_form_of(t->main.batches, number);
    train_form *f = *form = &t->main.form[index];
    nigh_status status = batches_fill(t->main.batches, number, f->data);
    if (status) return *nigh_message(t->ctx) ? status : nigh_fail(t->ctx, status, "batch %lld could not be made", (long long)number);
    if (t->spec.before) status = t->spec.before(t->spec.user, t, t->count.step, index, f->data);
    if (status) return status;
    nigh_executor_set_step(f->run, t->spec.seed, (uint64_t)number);
    status = nigh_executor_run(f->run);
    for (int i = 0; i < f->copies && !status; i++) memcpy(f->copy[i].to, f->copy[i].from, f->copy[i].bytes);
    return status;
}

static bool wants_norm(const nigh_training *t)
{
    int64_t next = t->count.step + 1;
    return t->spec.clip > 0 || (t->spec.log_every && next % t->spec.log_every == 0) || next % t->validate_every == 0 || next == t->count.limit;
}

static double norm_of(const nigh_training *t, const char *gradient)
{
    double sum = 0;
    for (int i = 0; i < t->ranges; i++) {
        const void *from = gradient + (size_t)t->range[i].offset * t->width;
        sum += t->dtype == NIGH_F32 ? optimiser_squares_f32(t->range[i].count, from, t->threads) : optimiser_squares_f64(t->range[i].count, from, t->threads);
    }
    return sqrt(sum);
}

nigh_status train_step(nigh_training *t)
{
    int64_t step = t->count.step, samples = 0;
    double loss = 0, flops = 0;
    train_form *f = NULL;
    for (int i = 0; i < t->spec.scalars; i++) t->scalar_f32[i] = (float)(t->scalar_f64[i] = train_scheduled(t, TRAIN_SCALAR + i, step));
    for (int k = 0; k < t->accumulate; k++) {
        nigh_status status = one_batch(t, step * t->accumulate + k, &f);
        if (status) return status;
        double value = number_at(t, f->loss);
        if (!isfinite(value)) return nigh_fail(t->ctx, NIGH_UNMET, "the loss at step %lld is %g; try a smaller rate, or clipping", (long long)step + 1, value);
        if (t->sum) add_gradient(t, k == 0);
        for (int i = 0; i < f->updates; i++) memcpy(f->update[i].to, f->update[i].from, f->update[i].bytes);
        loss += value / t->accumulate;
        samples += f->samples;
        flops += f->flops;
    }
    const char *gradient = t->sum ? t->sum : t->gradient;
    double scale = 1;
    t->now.norm = NAN;
    if (wants_norm(t)) {
        t->now.norm = norm_of(t, gradient);
        if (!isfinite(t->now.norm)) return nigh_fail(t->ctx, NIGH_UNMET, "the norm of the gradient at step %lld is %g", (long long)step + 1, t->now.norm);
        scale = optimiser_clip(t->now.norm, t->spec.clip);
    }
    move(t, gradient, scale);
    t->count.step++;
    t->count.samples += samples;
    t->count.losses++;
    t->now.loss = loss;
    t->now.loss_sum += loss;
    t->now.flops += flops;
    nigh_status status = NIGH_OK;
    if (t->spec.after) status = t->spec.after(t->spec.user, t, t->count.step, (int)(f - t->main.form), NULL);
    if (t->average) update_average(t);
    return status;
}

/* ---- measuring ------------------------------------------------------------------------------------------ */

static nigh_status bind_block(nigh_training *t, train_form *f, char *block)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < nigh_parameters_count(t->parameters) && !status; i++)
        if (nigh_executor_has(f->run, f->parameters[i]))
            status = nigh_executor_bind(f->run, f->parameters[i], block + (size_t)nigh_parameters_at(t->parameters, i)->offset * t->width);
    return status;
}

nigh_status train_measure(nigh_training *t, train_set *set, void *block, double *loss, double *metrics)
{
    int64_t batches = t->spec.validation_batches ? t->spec.validation_batches : set->batches->epoch;
    double sum = 0, samples = 0, total[NIGH_TRAIN_METRICS] = {0};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < t->spec.scalars; i++) t->scalar_f32[i] = (float)(t->scalar_f64[i] = train_scheduled(t, TRAIN_SCALAR + i, t->count.step));
    for (int i = 0; i < set->forms && !status; i++) status = bind_block(t, &set->form[i], block);
    for (int64_t number = 0; number < batches && !status; number++) {
        train_form *f = &set->form[batches_form_of(set->batches, number)];
        status = batches_fill(set->batches, number, f->data);
        if (status) break;
        nigh_executor_set_step(f->run, t->spec.seed, (uint64_t)number);
        status = nigh_executor_run(f->run);
        sum += number_at(t, f->loss) * (double)f->samples;
        samples += (double)f->samples;
        for (int i = 0; i < t->spec.metrics; i++) total[i] += number_at(t, f->metric[i]) * (double)f->samples;
    }
    if (status) return status;
    *loss = sum / samples;
    for (int i = 0; i < t->spec.metrics && metrics; i++) metrics[i] = total[i] / samples;
    return NIGH_OK;
}

nigh_status nigh_training_evaluate(nigh_training *t, nigh_batches *batches, double *loss, double *metrics)
{
    if (batches == t->main.batches) return nigh_fail(t->ctx, NIGH_INVALID, "the training's own batches cannot be evaluated on; give a source of its own");
    if (!batches->epoch && !t->spec.validation_batches) return nigh_fail(t->ctx, NIGH_INVALID, "the batches have no epochs; set validation_batches of the training");
    train_set own = {.batches = batches}, *set = batches == t->validation.batches ? &t->validation : &own;
    nigh_status status = NIGH_OK;
    if (set == &own) status = batches_start(batches, nigh_seed_split(t->spec.seed, 2));
    if (!status && set == &own) status = train_set_make(t, set);
    double value = 0, metric[NIGH_TRAIN_METRICS] = {0};
    if (!status) status = train_measure(t, set, nigh_parameters_block(t->parameters), &value, metric);
    train_set_free(t->ctx, &own);
    if (status) return status;
    if (loss) *loss = value;
    for (int i = 0; i < t->spec.metrics && metrics; i++) metrics[i] = metric[i];
    return NIGH_OK;
}
