/* Limits, validation, and the loop of a training. Declared in nigh/train.h. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/subnormal.h"
#include "nn/train.h"

/* ---- how many steps ------------------------------------------------------------------------------------- */

static int64_t steps_of_flops(nigh_training *t, double limit)
{
    double sum = 0;
    int64_t step = 0;
    if (t->main.forms == 1) return (int64_t)fmin(fmax(limit / (t->main.form[0].flops * t->accumulate), 1), 1e15);
    for (;; step++) {
        for (int k = 0; k < t->accumulate; k++) sum += t->main.form[batches_form_of(t->main.batches, step * t->accumulate + k)].flops;
        if (sum > limit || step == INT32_MAX) return step ? step : 1;
    }
}

static void limit_to(int64_t *limit, int64_t steps)
{
    if (steps < 1) steps = 1;
    if (*limit == 0 || steps < *limit) *limit = steps;
}

static nigh_status fix_schedules(nigh_training *t)
{
    for (int i = 0; i < TRAIN_SCALAR + t->spec.scalars; i++) {
        if (t->schedule[i].total == 0) t->schedule[i].total = t->count.limit;
        nigh_status status = schedule_check(t->ctx, &t->schedule[i]);
        if (status) return nigh_within(t->ctx, status, "schedule of %s", i == TRAIN_RATE ? "rate" : i == TRAIN_DECAY ? "decay" : "a scalar");
    }
    return NIGH_OK;
}

/* Some steps for their time; afterwards everything is as it was. */
static nigh_status calibrate(nigh_training *t, int64_t *steps)
{
    nigh_buffer before = {.ctx = t->ctx};
    double start = nigh_clock(), enough = fmin(0.05 * t->spec.seconds, 5), value;
    schedule kept[TRAIN_SCHEDULES];
    memcpy(kept, t->schedule, sizeof kept);
    nigh_status status = nigh_training_format(t, &before);
    bool kept_state = !status;
    for (int i = 0; i < TRAIN_SCALAR + t->spec.scalars; i++) /* the length is not known yet, and does not change the cost */
        t->schedule[i] = (schedule){.kind = SCHEDULE_CONSTANT, .base = t->schedule[i].base};
    int64_t made = 0;
    if (!status) status = train_step(t);
    double begin = nigh_clock(), validation = 0;
    for (; made < 1000 && !status && (made == 0 || nigh_clock() - begin < enough); made++) status = train_step(t);
    double each = (nigh_clock() - begin) / (double)(made ? made : 1);
    if (!status && t->validation.batches) {
        begin = nigh_clock();
        status = train_measure(t, &t->validation, nigh_parameters_block(t->parameters), &value, NULL);
        validation = nigh_clock() - begin;
    }
    memcpy(t->schedule, kept, sizeof kept);
    nigh_status restored = kept_state ? nigh_training_parse(t, before.data, before.size, "calibration") : NIGH_OK;
    if (!status) status = restored;
    nigh_buffer_free(&before);
    double left = t->spec.seconds - (nigh_clock() - start), with_validation = each + validation / (double)t->validate_every;
    *steps = (int64_t)fmin(fmax(left / with_validation, 1), 1e15);
    return status;
}

static nigh_status check_flops(nigh_training *t)
{
    for (int i = 0; i < t->main.forms && t->spec.flops > 0; i++)
        if (!(t->main.form[i].flops > 0))
            return nigh_fail(t->ctx, NIGH_UNSUPPORTED, "flops is %g, but no operator of the loss (form %d) counts its flops; use steps", t->spec.flops, i);
    return NIGH_OK;
}

static nigh_status prepare(nigh_training *t)
{
    int64_t limit = t->count.limit;
    nigh_status status = check_flops(t);
    if (!status && !limit) {
        if (t->spec.steps) limit_to(&limit, t->spec.steps);
        if (t->spec.epochs) limit_to(&limit, (int64_t)fmin((double)t->spec.epochs * (double)t->main.batches->epoch, 9e18) / t->accumulate);
        if (t->spec.flops > 0) limit_to(&limit, steps_of_flops(t, t->spec.flops));
    }
    if (status) return status;
    if (!t->count.limit && t->spec.seconds > 0) {
        int64_t steps;
        status = calibrate(t, &steps);
        if (status) return nigh_within(t->ctx, status, "calibration");
        limit_to(&limit, steps);
    }
    t->count.limit = limit;
    status = fix_schedules(t);
    if (status) return status;
    double rows = 4 + (double)limit / (double)t->validate_every + (t->spec.log_every ? (double)limit / (double)t->spec.log_every : 0);
    status = train_log_reserve(t, t->rows + (int64_t)fmin(rows, 65536));
    if (!status) status = train_log_open(t);
    t->prepared = !status;
    return status;
}

/* ---- between steps -------------------------------------------------------------------------------------- */

static void take_snapshots(nigh_training *t)
{
    size_t bytes = (size_t)t->size * t->width;
    for (int64_t i = 0; i < t->spec.snapshots; i++) {
        if (t->spec.snapshot[i] != t->count.step || t->snapshot_there[i]) continue;
        memcpy(t->snapshots + (size_t)i * bytes, nigh_parameters_block(t->parameters), bytes);
        t->snapshot_there[i] = true;
    }
}

static nigh_status validate(nigh_training *t, nigh_training_row *row)
{
    void *block = t->spec.validate_average ? (void *)t->average : nigh_parameters_block(t->parameters);
    nigh_status status = train_measure(t, &t->validation, block, &row->validation, row->metric);
    if (status) return nigh_within(t->ctx, status, "validation");
    double value = t->spec.best_metric < 0 ? row->validation : row->metric[t->spec.best_metric];
    bool first = t->count.validated++ == 0 || t->now.best != t->now.best;
    bool better = value == value && (first || (t->spec.best_higher ? value > t->now.best : value < t->now.best));
    t->count.bad = better ? 0 : t->count.bad + 1;
    if (better) {
        t->now.best = value;
        if (t->best) memcpy(t->best, block, (size_t)t->size * t->width);
        t->best_there = t->best != NULL;
    }
    if (t->spec.patience && t->count.bad >= t->spec.patience) t->count.ended = 1;
    for (int i = 0; i < TRAIN_SCALAR + t->spec.scalars; i++)
        if (t->schedule[i].kind == SCHEDULE_PLATEAU) schedule_plateau_feed(&t->schedule[i], &t->plateau[i], value);
    return NIGH_OK;
}

static double seconds_now(const nigh_training *t) { return t->now.seconds + nigh_clock() - t->began; }

static nigh_status after_step(nigh_training *t)
{
    int64_t step = t->count.step;
    bool last = step >= t->count.limit, check = t->validation.batches && (last || step % t->validate_every == 0);
    take_snapshots(t);
    if (!check && !last && !(t->spec.log_every && step % t->spec.log_every == 0)) return NIGH_OK;
    int64_t epoch = t->main.batches->epoch;
    nigh_training_row row = {.step = step, .samples = t->count.samples, .epoch = epoch ? (double)step * t->accumulate / (double)epoch : NAN,
                             .loss = t->now.loss_sum / (double)t->count.losses, .norm = t->now.norm, .rate = train_scheduled(t, TRAIN_RATE, step - 1),
                             .validation = NAN, .flops = t->now.flops};
    for (int i = 0; i < NIGH_TRAIN_METRICS; i++) row.metric[i] = NAN;
    nigh_status status = check ? validate(t, &row) : NIGH_OK;
    if (status) return status;
    t->now.loss_sum = 0;
    t->count.losses = 0;
    row.seconds = seconds_now(t);
    nigh_progress(t->ctx, "training", (double)step, (double)t->count.limit);
    return train_log_row(t, &row);
}

/* The best parameters take the place of the last, once the state of the end is on disk. */
static nigh_status finish(nigh_training *t)
{
    if (t->best_there && t->spec.keep_best) memcpy(nigh_parameters_block(t->parameters), t->best, (size_t)t->size * t->width);
    return NIGH_OK;
}

static nigh_status checkpoint(nigh_training *t) { return t->spec.checkpoint ? nigh_training_save(t, t->spec.checkpoint) : NIGH_OK; }

/* ---- the loop ------------------------------------------------------------------------------------------- */

static nigh_status run_flushed(nigh_training *t, int64_t stop)
{
    nigh_status status = t->prepared ? NIGH_OK : prepare(t);
    t->began = nigh_clock();
    take_snapshots(t);
    bool was_done = nigh_training_done(t);
    while (!status && t->count.step < stop && !nigh_training_done(t)) {
        status = train_step(t);
        if (!status) status = after_step(t);
        if (!status && t->spec.checkpoint_every && t->count.step % t->spec.checkpoint_every == 0 && !nigh_training_done(t)) {
            t->now.seconds = seconds_now(t);
            t->began = nigh_clock();
            status = checkpoint(t);
        }
    }
    t->now.seconds = seconds_now(t);
    t->began = nigh_clock();
    if (status == NIGH_INTERRUPTED && t->prepared) { /* writing asks for cancellation too */
        nigh_context_uncancel(t->ctx);
        nigh_status saved = checkpoint(t);
        nigh_context_cancel(t->ctx);
        return saved ? saved : nigh_poll(t->ctx);
    }
    if (!status && !was_done && nigh_training_done(t)) status = checkpoint(t);
    if (!status && !was_done && nigh_training_done(t)) status = finish(t);
    return status;
}

static nigh_status run_to(nigh_training *t, int64_t stop)
{
    unsigned before = subnormal_flush(t->threads);
    nigh_status status = run_flushed(t, stop);
    subnormal_restore(t->threads, before);
    return status;
}

nigh_status nigh_training_advance(nigh_training *t, int64_t steps)
{
    if (steps < 0) return nigh_fail(t->ctx, NIGH_INVALID, "%lld steps; 0 or more is allowed", (long long)steps);
    return run_to(t, steps > INT64_MAX - t->count.step ? INT64_MAX : t->count.step + steps);
}

nigh_status nigh_training_run(nigh_training *t)
{
    if (t->spec.checkpoint && t->count.step == 0 && access(t->spec.checkpoint, F_OK) == 0) {
        nigh_status status = nigh_training_load(t, t->spec.checkpoint);
        if (status) return status;
        if (nigh_training_done(t)) return finish(t);
    }
    return run_to(t, INT64_MAX);
}
