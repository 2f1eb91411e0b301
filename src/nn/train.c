/* Making a training, and what can be asked of it. Declared in nigh/train.h. */
#include "nn/train.h"

#include <math.h>
#include <string.h>

nigh_training_spec nigh_training_defaults(const char *name)
{
    nigh_training_spec spec = {.optimiser = name, .average_keep = 0.999, .best_metric = -1};
    const optimiser *o;
    for (int i = 0; (o = optimiser_at(i)); i++)
        if (name && !strcmp(o->name, name)) {
            spec.rate.base = o->defaults.rate;
            spec.decay.base = o->defaults.decay;
            spec.beta1 = o->defaults.beta1;
            spec.beta2 = o->defaults.beta2;
            spec.epsilon = o->defaults.epsilon;
        }
    return spec;
}

/* ---- the spec ------------------------------------------------------------------------------------------- */

static nigh_status check_counts(nigh_context *ctx, const nigh_training_spec *s)
{
    const struct {
        const char *name;
        int64_t value, most;
    } count[] = {{"metrics", s->metrics, NIGH_TRAIN_METRICS}, {"scalars", s->scalars, NIGH_TRAIN_SCALARS}, {"accumulate", s->accumulate, 1 << 20},
                 {"steps", s->steps, INT64_MAX / 2}, {"epochs", s->epochs, INT64_MAX / 2}, {"snapshots", s->snapshots, NIGH_TRAIN_SNAPSHOTS},
                 {"patience", s->patience, INT64_MAX / 2}, {"validate_every", s->validate_every, INT64_MAX / 2}, {"log_every", s->log_every, INT64_MAX / 2},
                 {"checkpoint_every", s->checkpoint_every, INT64_MAX / 2}, {"validation_batches", s->validation_batches, INT64_MAX / 2}};
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        if (count[i].value < 0 || count[i].value > count[i].most)
            return nigh_fail(ctx, NIGH_INVALID, "%s is %lld; 0 to %lld is allowed", count[i].name, (long long)count[i].value, (long long)count[i].most);
    const struct {
        const char *name;
        double value;
    } real[] = {{"seconds", s->seconds}, {"flops", s->flops}, {"clip", s->clip}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        if (!(real[i].value >= 0)) return nigh_fail(ctx, NIGH_INVALID, "%s is %g; 0 or more is allowed", real[i].name, real[i].value);
    for (int64_t i = 0; i < s->snapshots; i++)
        if (s->snapshot[i] < 0) return nigh_fail(ctx, NIGH_INVALID, "snapshot %lld is after step %lld; 0 or more is allowed", (long long)i, (long long)s->snapshot[i]);
    return NIGH_OK;
}

static nigh_status check_meaning(nigh_context *ctx, const nigh_training_spec *s)
{
    if (!s->steps && !s->epochs && s->seconds == 0 && s->flops == 0)
        return nigh_fail(ctx, NIGH_INVALID, "neither steps nor epochs, seconds or flops limit the training; set one of them");
    if (s->epochs && !s->batches->epoch) return nigh_fail(ctx, NIGH_INVALID, "epochs is %lld, but the batches have no epochs; use steps", (long long)s->epochs);
    if (s->average && !(s->average_keep >= 0 && s->average_keep <= 1))
        return nigh_fail(ctx, NIGH_INVALID, "average_keep is %g; 0 to 1 is allowed", s->average_keep);
    if (s->best_metric < -1 || s->best_metric >= s->metrics)
        return nigh_fail(ctx, NIGH_INVALID, "best_metric is %d; -1 (the loss) to %d is allowed", s->best_metric, s->metrics - 1);
    if (!s->validation && (s->keep_best || s->patience))
        return nigh_fail(ctx, NIGH_INVALID, "%s needs validation batches", s->keep_best ? "keep_best" : "patience");
    if (s->validation && !s->validation->epoch && !s->validation_batches)
        return nigh_fail(ctx, NIGH_INVALID, "the validation has no epochs; set validation_batches");
    if (s->validation == s->batches) return nigh_fail(ctx, NIGH_INVALID, "validation and training share one source; give each its own");
    if (s->validate_average && !s->average) return nigh_fail(ctx, NIGH_INVALID, "validate_average without average");
    if (!s->record && s->metrics > (s->loss == NIGH_LOSS_CROSS_ENTROPY))
        return nigh_fail(ctx, NIGH_INVALID, "metrics is %d; the network's own loss has %d, record others", s->metrics, s->loss == NIGH_LOSS_CROSS_ENTROPY);
    return NIGH_OK;
}

static nigh_status check_spec(nigh_context *ctx, const nigh_training_spec *s)
{
    if (!s->batches) return nigh_fail(ctx, NIGH_INVALID, "batches is NULL; a source of batches is needed");
    if (!s->network && !s->parameters) return nigh_fail(ctx, NIGH_INVALID, "neither a network nor parameters are given");
    if (!s->record && (!s->network || s->loss == NIGH_LOSS_RECORDED || s->loss > NIGH_LOSS_CROSS_ENTROPY))
        return nigh_fail(ctx, NIGH_INVALID, "no loss: record one, or give a network and a kind of loss");
    nigh_status status = check_counts(ctx, s);
    return status ? status : check_meaning(ctx, s);
}

static nigh_status take_schedule(nigh_context *ctx, const char *name, const nigh_schedule *from, schedule *to)
{
    const char *kind = from->kind ? from->kind : "constant";
    schedule_kind found = schedule_named(kind);
    if (found == SCHEDULE_KINDS)
        return nigh_fail(ctx, NIGH_INVALID, "the schedule of %s is '%s'; constant, linear, cosine, step, plateau, one-cycle and inverse-root are known", name, kind);
    *to = (schedule){.kind = found, .base = from->base, .start = from->start, .last = from->last, .warm_up = from->warm_up, .total = from->total,
                     .period = from->period, .factor = from->factor, .patience = from->patience, .cooldown = from->cooldown, .threshold = from->threshold,
                     .higher = from->higher, .rise = from->rise, .divide = from->divide, .divide_last = from->divide_last};
    schedule trial = *to;
    if (trial.total == 0) trial.total = INT64_MAX / 2; /* the steps, when they are known */
    nigh_status status = schedule_check(ctx, &trial);
    return status ? nigh_within(ctx, status, "schedule of %s", name) : NIGH_OK;
}

static nigh_status take_schedules(nigh_training *t)
{
    nigh_status status = take_schedule(t->ctx, "rate", &t->spec.rate, &t->schedule[TRAIN_RATE]);
    if (!status) status = take_schedule(t->ctx, "decay", &t->spec.decay, &t->schedule[TRAIN_DECAY]);
    for (int i = 0; i < t->spec.scalars && !status; i++) {
        char name[32];
        snprintf(name, sizeof name, "scalar %d", i);
        status = take_schedule(t->ctx, name, &t->spec.scalar[i], &t->schedule[TRAIN_SCALAR + i]);
    }
    optimiser_settings settings = {t->spec.rate.base, t->spec.beta1, t->spec.beta2, t->spec.epsilon, t->spec.decay.base};
    return status ? status : optimiser_check(t->ctx, t->rule, &settings);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static nigh_status take_blocks(nigh_training *t)
{
    size_t bytes = (size_t)t->size * t->width, slots = (size_t)t->rule->slots;
    bool fine = (t->gradient = nigh_alloc_zero(t->ctx, bytes + 1, 1)) != NULL;
    fine = fine && (t->slots = nigh_alloc_zero(t->ctx, slots * bytes + 1, 1));
    if (fine && t->accumulate > 1) fine = (t->sum = nigh_alloc_zero(t->ctx, bytes + 1, 1)) != NULL;
    if (fine && t->spec.average) fine = (t->average = nigh_alloc(t->ctx, bytes + 1)) != NULL;
    if (fine && t->spec.keep_best) fine = (t->best = nigh_alloc_zero(t->ctx, bytes + 1, 1)) != NULL;
    if (fine && t->spec.snapshots) fine = (t->snapshots = nigh_alloc_zero(t->ctx, (size_t)t->spec.snapshots * bytes + 1, 1)) != NULL;
    if (fine && t->average && bytes) memcpy(t->average, nigh_parameters_block(t->parameters), bytes);
    return fine ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status fill(nigh_training *t)
{
    nigh_context *ctx = t->ctx;
    nigh_status status = optimiser_find(ctx, t->spec.optimiser ? t->spec.optimiser : "", &t->rule);
    if (status) return status;
    if (!(t->dtype == NIGH_F32 ? (void *)t->rule->f32 : (void *)t->rule->f64))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "optimiser '%s' has no rule for %s", t->rule->name, nigh_dtype_name(t->dtype));
    if (t->spec.log_file && !(t->log_file = nigh_strdup(ctx, t->spec.log_file))) return NIGH_MEMORY;
    if (t->spec.checkpoint && !(t->checkpoint = nigh_strdup(ctx, t->spec.checkpoint))) return NIGH_MEMORY;
    t->spec.log_file = t->log_file;
    t->spec.checkpoint = t->checkpoint;
    t->spec.optimiser = t->rule->name;
    status = take_schedules(t);
    if (!status) status = take_blocks(t);
    if (!status) status = batches_start(t->main.batches, nigh_seed_split(t->spec.seed, 1));
    if (!status && t->validation.batches) status = batches_start(t->validation.batches, nigh_seed_split(t->spec.seed, 2));
    if (!status) status = train_set_make(t, &t->main);
    if (!status && t->validation.batches) status = train_set_make(t, &t->validation);
    if (!status) status = train_ranges(t);
    int64_t epoch = t->main.batches->epoch / t->accumulate;
    t->validate_every = t->spec.validate_every ? t->spec.validate_every : t->main.batches->epoch ? (epoch ? epoch : 1) : INT64_MAX;
    return status;
}

nigh_status nigh_training_new(nigh_context *ctx, const nigh_training_spec *spec, nigh_training **out)
{
    nigh_status status = check_spec(ctx, spec);
    if (status) return status;
    nigh_training *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    t->ctx = ctx;
    t->spec = *spec;
    t->parameters = spec->parameters ? spec->parameters : nigh_network_parameters(spec->network);
    t->dtype = nigh_parameters_dtype(t->parameters);
    t->width = nigh_dtype_size(t->dtype);
    t->size = nigh_parameters_size(t->parameters);
    t->threads = nigh_context_threads(ctx);
    t->accumulate = spec->accumulate > 1 ? spec->accumulate : 1;
    t->main = (train_set){.batches = spec->batches, .train = true};
    t->validation = (train_set){.batches = spec->validation};
    t->now = (train_figures){.loss = NAN, .norm = NAN, .best = NAN};
    status = fill(t);
    if (status) nigh_training_free(t);
    else *out = t;
    return status;
}

void nigh_training_free(nigh_training *t)
{
    if (!t) return;
    nigh_context *ctx = t->ctx;
    train_log_close(t);
    train_set_free(ctx, &t->main);
    train_set_free(ctx, &t->validation);
    nigh_free(ctx, t->gradient);
    nigh_free(ctx, t->sum);
    nigh_free(ctx, t->slots);
    nigh_free(ctx, t->average);
    nigh_free(ctx, t->best);
    nigh_free(ctx, t->snapshots);
    nigh_free(ctx, t->range);
    nigh_free(ctx, t->row);
    nigh_free(ctx, t->log_file);
    nigh_free(ctx, t->checkpoint);
    nigh_free(ctx, t);
}

/* ---- looking -------------------------------------------------------------------------------------------- */

int64_t nigh_training_step(const nigh_training *t) { return t->count.step; }
int64_t nigh_training_steps(const nigh_training *t) { return t->count.limit ? t->count.limit : INT64_MAX; }
bool nigh_training_done(const nigh_training *t) { return t->count.ended || (t->count.limit && t->count.step >= t->count.limit); }
double nigh_training_loss(const nigh_training *t) { return t->now.loss; }
int64_t nigh_training_rows(const nigh_training *t) { return t->rows; }
const nigh_training_row *nigh_training_row_at(const nigh_training *t, int64_t i) { return i < 0 || i >= t->rows ? NULL : &t->row[i]; }
nigh_parameters *nigh_training_parameters(nigh_training *t) { return t->parameters; }
const void *nigh_training_gradient(const nigh_training *t) { return t->accumulate > 1 ? t->sum : t->gradient; }
void *nigh_training_average(nigh_training *t) { return t->average; }
double nigh_training_flops(const nigh_training *t) { return t->main.form[0].flops * t->accumulate; }

const void *nigh_training_best(const nigh_training *t, double *value)
{
    if (!t->best_there) return NULL;
    if (value) *value = t->now.best;
    return t->best;
}

const void *nigh_training_snapshot(const nigh_training *t, int64_t i)
{
    if (i < 0 || i >= t->spec.snapshots || !t->snapshot_there[i]) return NULL;
    return t->snapshots + (size_t)i * (size_t)t->size * t->width;
}

void *nigh_training_slot(nigh_training *t, int i, const char **name)
{
    if (i < 0 || i >= t->rule->slots) return NULL;
    if (name) *name = t->rule->slot_names[i];
    return t->slots + (size_t)i * (size_t)t->size * t->width;
}
