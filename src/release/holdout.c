/*
 * The reusable hold-out and its rivals: one object that answers queries, counts its budget and keeps its log. Declared
 * in nigh/release.h. Thresholdout follows "Generalization in Adaptive Data Analysis and Holdout Reuse", the Ladder "The
 * Ladder: A Reliable Leaderboard for Machine Learning Competitions".
 *
 * State is a function of the options and of the log: gamma is the one drawn at the last consultation, the budget counts
 * consultations, the Ladder's best is the last answer. That is why a log is all that has to be kept between runs.
 */
#include "release/holdout.h"

#include "nigh/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"thresholdout", "sparse-validate", "gaussian", "ladder", "plain", "split"};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

static const uint64_t NOISE = 0x686f6c646f7574; /* keeps this noise apart from other uses of the caller's seed */

const char *nigh_holdout_kind_name(nigh_holdout_kind kind) { return (unsigned)kind < KINDS ? kind_names[kind] : "unknown"; }

nigh_status nigh_holdout_kind_find(nigh_context *ctx, const char *name, nigh_holdout_kind *out)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (nigh_holdout_kind)i;
            return NIGH_OK;
        }
    return nigh_fail(ctx, NIGH_INVALID, "mechanism is '%s'; thresholdout, sparse-validate, gaussian, ladder, plain and split are allowed",
                     name);
}

nigh_holdout_options nigh_holdout_options_default(int64_t n)
{
    return (nigh_holdout_options){
        .size = sizeof(nigh_holdout_options), .kind = NIGH_HOLDOUT_THRESHOLDOUT, .noise = NIGH_HOLDOUT_PRACTICAL, .n = n,
        .low = 0, .high = 1, .sd = NAN, .threshold = NAN, .scale = NAN, .step = NAN, .beta = 0.05};
}

static bool uses_threshold(nigh_holdout_kind kind)
{
    return kind == NIGH_HOLDOUT_THRESHOLDOUT || kind == NIGH_HOLDOUT_SPARSE_VALIDATE;
}

static bool needs_queries(nigh_holdout_kind kind)
{
    return kind == NIGH_HOLDOUT_GAUSSIAN || kind == NIGH_HOLDOUT_LADDER || kind == NIGH_HOLDOUT_SPLIT;
}

static nigh_status check(nigh_context *ctx, const nigh_holdout_options *o)
{
    if (o->size != sizeof *o)
        return nigh_fail(ctx, NIGH_INVALID, "options of size %zu; start from nigh_holdout_options_default (%zu)", o->size, sizeof *o);
    if ((unsigned)o->kind >= KINDS) return nigh_fail(ctx, NIGH_INVALID, "mechanism is number %d; 0 to %d is allowed", (int)o->kind, KINDS - 1);
    if ((unsigned)o->noise > NIGH_HOLDOUT_TEXTBOOK)
        return nigh_fail(ctx, NIGH_INVALID, "noise is number %d; 0 (practical) and 1 (textbook) are allowed", (int)o->noise);
    if (o->n < 2) return nigh_fail(ctx, NIGH_INVALID, "the hold-out has %lld rows; at least 2 are needed", (long long)o->n);
    if (!isfinite(o->low) || !isfinite(o->high) || !(o->low < o->high))
        return nigh_fail(ctx, NIGH_INVALID, "range is %g to %g; two finite numbers, the lower first, are allowed", o->low, o->high);
    if (!isnan(o->sd) && !(o->sd > 0 && o->sd <= (o->high - o->low) / 2))
        return nigh_fail(ctx, NIGH_INVALID, "sd is %g; above 0 and at most half the range, %g, is allowed", o->sd, (o->high - o->low) / 2);
    if (!isnan(o->threshold) && !(o->threshold >= 0 && isfinite(o->threshold)))
        return nigh_fail(ctx, NIGH_INVALID, "threshold is %g; 0 or more is allowed", o->threshold);
    if (!isnan(o->scale) && !(o->scale >= 0 && isfinite(o->scale)))
        return nigh_fail(ctx, NIGH_INVALID, "scale is %g; 0 or more is allowed", o->scale);
    if (!isnan(o->step) && !(o->step > 0 && isfinite(o->step)))
        return nigh_fail(ctx, NIGH_INVALID, "step is %g; above 0 is allowed", o->step);
    if (o->budget < 0) return nigh_fail(ctx, NIGH_INVALID, "budget is %lld; 1 or more is allowed, 0 for none", (long long)o->budget);
    if (o->queries < 0 || (o->queries == 0 && needs_queries(o->kind)))
        return nigh_fail(ctx, NIGH_INVALID, "queries is %lld; %s must know how many questions will be asked, 1 or more",
                         (long long)o->queries, kind_names[o->kind]);
    if (o->kind == NIGH_HOLDOUT_SPLIT && o->queries > o->n)
        return nigh_fail(ctx, NIGH_INVALID, "queries is %lld; split cannot cut %lld rows into more parts than rows", (long long)o->queries,
                         (long long)o->n);
    if (!(o->beta > 0 && o->beta < 1)) return nigh_fail(ctx, NIGH_INVALID, "beta is %g; between 0 and 1 is allowed", o->beta);
    return NIGH_OK;
}

static void fill_defaults(nigh_holdout_options *o)
{
    double root = sqrt((double)o->n);
    if (isnan(o->sd)) o->sd = (o->high - o->low) / 2;
    if (isnan(o->threshold)) o->threshold = 8 * o->sd / root;
    if (isnan(o->scale))
        o->scale = o->kind == NIGH_HOLDOUT_GAUSSIAN ? nigh_holdout_sigma(o->n, o->queries, o->high - o->low, o->beta) : 2 * o->sd / root;
    if (o->kind == NIGH_HOLDOUT_LADDER && isnan(o->step)) o->step = holdout_ladder_step(o);
}

/* Draws of one answer, always in this order, from a stream of its own. */
typedef struct noise {
    double eta, answer, gamma, normal;
} noise;

double holdout_laplace(nigh_rng *rng, double scale)
{
    double x = nigh_rng_laplace(rng, 1);
    return scale > 0 ? scale * x : 0;
}

static noise draw(const nigh_holdout *h, int64_t query)
{
    const nigh_holdout_options *o = &h->options;
    nigh_rng rng = nigh_rng_new(h->noise_seed, (uint64_t)query + 1);
    noise z;
    z.eta = holdout_laplace(&rng, holdout_test_scale(o));
    z.answer = holdout_laplace(&rng, o->scale);
    z.gamma = holdout_laplace(&rng, holdout_threshold_scale(o));
    z.normal = o->scale * nigh_rng_normal(&rng);
    return z;
}

nigh_status nigh_holdout_new(nigh_context *ctx, const nigh_holdout_options *options, nigh_holdout **out)
{
    nigh_status status = check(ctx, options);
    if (status) return status;
    nigh_holdout *h = nigh_alloc_zero(ctx, 1, sizeof *h);
    if (!h) return NIGH_MEMORY;
    h->ctx = ctx;
    h->options = *options;
    fill_defaults(&h->options);
    h->noise_seed = nigh_seed_split(options->seed, NOISE);
    nigh_rng first = nigh_rng_new(h->noise_seed, 0);
    h->gamma = holdout_laplace(&first, holdout_threshold_scale(&h->options));
    h->best = -INFINITY;
    const nigh_holdout_options *o = &h->options;
    double least = 4 * o->sd / sqrt((double)o->n);
    if (uses_threshold(o->kind) && o->threshold < least)
        nigh_log(ctx, NIGH_LOG_WARNING,
                 "threshold %g is below %g (4 sd/sqrt n, n = %lld rows): sampling alone will use up the budget; ask for a larger "
                 "threshold or bring more rows",
                 o->threshold, least, (long long)o->n);
    *out = h;
    return NIGH_OK;
}

void nigh_holdout_free(nigh_holdout *h)
{
    if (!h) return;
    for (int64_t i = 0; i < h->asked; i++) nigh_free(h->ctx, h->entries[i].name);
    nigh_free(h->ctx, h->entries);
    nigh_free(h->ctx, h->chain);
    nigh_free(h->ctx, h);
}

const nigh_holdout_options *nigh_holdout_settings(const nigh_holdout *h) { return &h->options; }
int64_t nigh_holdout_asked(const nigh_holdout *h) { return h->asked; }
int64_t nigh_holdout_used(const nigh_holdout *h) { return h->used; }

static int64_t budget_left(const nigh_holdout *h, int64_t used)
{
    return h->options.budget && uses_threshold(h->options.kind) ? h->options.budget - used : -1;
}

static nigh_status refuse_if_exhausted(const nigh_holdout *h)
{
    const nigh_holdout_options *o = &h->options;
    if (budget_left(h, h->used) == 0)
        return nigh_fail(h->ctx, NIGH_RESOURCE,
                         "the hold-out's budget is used up: %lld of %lld units; no further question is answered. Collect a fresh hold-out",
                         (long long)h->used, (long long)o->budget);
    if (o->queries && h->asked >= o->queries)
        return nigh_fail(h->ctx, NIGH_RESOURCE,
                         "all %lld questions that this hold-out was made for are answered; no further one is. Collect a fresh hold-out",
                         (long long)o->queries);
    return NIGH_OK;
}

/* Room for one more entry, so that an answer once given is always in the log. */
static nigh_status reserve(nigh_holdout *h)
{
    if (h->asked < h->room) return NIGH_OK;
    int64_t room = h->room ? 2 * h->room : 16;
    holdout_entry *entries = nigh_resize(h->ctx, h->entries, (size_t)room * sizeof *entries);
    if (!entries) return NIGH_MEMORY;
    h->entries = entries;
    h->room = room;
    return NIGH_OK;
}

nigh_status holdout_append(nigh_holdout *h, const char *name, const holdout_entry *entry)
{
    nigh_status status = reserve(h);
    if (status) return status;
    char *copy = NULL;
    if (name && !(copy = nigh_strdup(h->ctx, name))) return NIGH_MEMORY;
    h->entries[h->asked] = *entry;
    h->entries[h->asked].name = copy;
    if (entry->consulted && uses_threshold(h->options.kind)) {
        h->used++;
        h->gamma = draw(h, h->asked).gamma;
    }
    if (h->options.kind == NIGH_HOLDOUT_LADDER) h->best = entry->value;
    h->asked++;
    return NIGH_OK;
}

/* Rounded to a multiple of the step counted from `low`. */
static double round_to_step(const nigh_holdout_options *o, double x)
{
    return o->low + o->step * nearbyint((x - o->low) / o->step);
}

static void decide(const nigh_holdout *h, double train, double held, holdout_entry *e)
{
    const nigh_holdout_options *o = &h->options;
    noise z = draw(h, h->asked);
    *e = (holdout_entry){.train = train, .value = held, .consulted = true};
    switch (o->kind) {
    case NIGH_HOLDOUT_THRESHOLDOUT:
        e->consulted = fabs(held - train) > o->threshold + h->gamma + z.eta;
        e->value = e->consulted ? held + z.answer : train;
        break;
    case NIGH_HOLDOUT_SPARSE_VALIDATE:
        e->consulted = fabs(held - train) > o->threshold + h->gamma + z.eta;
        e->value = e->consulted ? NAN : train;
        break;
    case NIGH_HOLDOUT_GAUSSIAN: e->value = held + z.normal; break;
    case NIGH_HOLDOUT_LADDER:
        e->consulted = held > h->best + o->step;
        e->value = e->consulted ? round_to_step(o, held) : h->best;
        break;
    case NIGH_HOLDOUT_PLAIN:
    case NIGH_HOLDOUT_SPLIT: break;
    }
}

static void tell(const nigh_holdout *h, int64_t query, int64_t used, const holdout_entry *e, nigh_holdout_answer *out)
{
    *out = (nigh_holdout_answer){.query = query,
                                 .value = e->value,
                                 .train = e->train,
                                 .consulted = e->consulted,
                                 .budget_left = budget_left(h, used),
                                 .threshold = uses_threshold(h->options.kind) ? h->options.threshold : 0,
                                 .practical = e->practical,
                                 .theorem = e->theorem};
}

/* Means that were checked already. */
static nigh_status answer(nigh_holdout *h, const char *name, double train, double held, int64_t clipped, nigh_holdout_answer *out)
{
    holdout_entry e;
    nigh_status status = name ? holdout_check_name(h->ctx, name) : NIGH_OK;
    if (status) return status;
    decide(h, train, held, &e);
    status = holdout_append(h, name, &e);
    if (status) return status;
    holdout_entry *kept = &h->entries[h->asked - 1];
    kept->practical = nigh_holdout_tau_practical(h, kept->consulted);
    int64_t m = holdout_questions(h), units = holdout_units(h);
    if (m != h->theorem_m || units != h->theorem_b) {
        h->theorem = nigh_holdout_tau_theorem(h);
        h->theorem_m = m;
        h->theorem_b = units;
    }
    kept->theorem = h->theorem;
    tell(h, h->asked - 1, h->used, kept, out);
    out->clipped = clipped;
    return NIGH_OK;
}

nigh_status nigh_holdout_answer_at(const nigh_holdout *h, int64_t i, const char **name, nigh_holdout_answer *out)
{
    if (i < 0 || i >= h->asked)
        return nigh_fail(h->ctx, NIGH_INVALID, "answer is number %lld; 0 to %lld were given", (long long)i, (long long)h->asked - 1);
    int64_t used = 0;
    for (int64_t j = 0; j <= i; j++) used += h->entries[j].consulted;
    *name = h->entries[i].name;
    tell(h, i, used, &h->entries[i], out);
    return NIGH_OK;
}

/* ---- values of queries ---------------------------------------------------------------------------------- */

/* One value in range, or clipped into it (counted). `row` < 0: a mean. */
static nigh_status admit(nigh_holdout *h, const char *set, int64_t row, double *value, int64_t *clipped)
{
    const nigh_holdout_options *o = &h->options;
    if (*value >= o->low && *value <= o->high) return NIGH_OK;
    if (o->clip && !isnan(*value)) {
        *value = *value < o->low ? o->low : o->high;
        ++*clipped;
        return NIGH_OK;
    }
    char where[48] = "mean";
    if (row >= 0) snprintf(where, sizeof where, "value number %lld", (long long)row);
    return nigh_fail(h->ctx, NIGH_INVALID, "%s %s is %g; %g to %g is allowed%s", set, where, *value, o->low, o->high,
                     isnan(*value) ? "" : " (scale the query, or ask for clipping)");
}

static bool needs_train(const nigh_holdout *h) { return uses_threshold(h->options.kind); }

nigh_status nigh_holdout_ask(nigh_holdout *h, const char *name, double train, double held, nigh_holdout_answer *out)
{
    if (h->options.kind == NIGH_HOLDOUT_SPLIT)
        return nigh_fail(h->ctx, NIGH_INVALID, "split needs the query's value on every row, not its mean");
    int64_t clipped = 0;
    nigh_status status = refuse_if_exhausted(h);
    if (!status && (needs_train(h) || !isnan(train))) status = admit(h, "training", -1, &train, &clipped);
    if (!status) status = admit(h, "hold-out", -1, &held, &clipped);
    return status ? status : answer(h, name, train, held, clipped, out);
}

typedef struct vectors {
    const double *train, *held;
} vectors;

static double vector_value(void *user, bool held, int64_t row)
{
    const vectors *v = user;
    return held ? v->held[row] : v->train[row];
}

/* Mean of rows from .. to - 1 with Neumaier's compensation: deterministic and exact to a few ulp for any n. */
static nigh_status mean_of(nigh_holdout *h, bool held, int64_t from, int64_t to, nigh_holdout_query_fn *query, void *user,
                           int64_t *clipped, double *out)
{
    double sum = 0, lost = 0;
    for (int64_t i = from; i < to; i++) {
        double x = query(user, held, i);
        nigh_status status = admit(h, held ? "hold-out" : "training", i, &x, clipped);
        if (status) return status;
        double next = sum + x;
        lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
        sum = next;
    }
    double mean = (sum + lost) / (double)(to - from);
    *out = fmin(fmax(mean, h->options.low), h->options.high); /* rounding must not leave the range */
    return NIGH_OK;
}

nigh_status nigh_holdout_ask_rows(nigh_holdout *h, const char *name, int64_t n_train, nigh_holdout_query_fn *query, void *user,
                                  nigh_holdout_answer *out)
{
    const nigh_holdout_options *o = &h->options;
    if (n_train < 1 && needs_train(h))
        return nigh_fail(h->ctx, NIGH_INVALID, "there are %lld training rows; %s needs 1 or more", (long long)n_train, kind_names[o->kind]);
    nigh_status status = refuse_if_exhausted(h);
    if (status) return status;
    double train = NAN, held = 0;
    int64_t clipped = 0, from = 0, to = o->n;
    if (o->kind == NIGH_HOLDOUT_SPLIT) {
        int64_t part = o->n / o->queries;
        from = part * h->asked;
        to = from + part;
    }
    if (n_train > 0) status = mean_of(h, false, 0, n_train, query, user, &clipped, &train);
    if (!status) status = mean_of(h, true, from, to, query, user, &clipped, &held);
    return status ? status : answer(h, name, train, held, clipped, out);
}

nigh_status nigh_holdout_ask_values(nigh_holdout *h, const char *name, int64_t n_train, const double *train, const double *held,
                                    nigh_holdout_answer *out)
{
    return nigh_holdout_ask_rows(h, name, train ? n_train : 0, vector_value, &(vectors){train, held}, out);
}
