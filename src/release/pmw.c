/*
 * Private multiplicative weights over a finite universe with a sparse vector test. Declared in nigh/release.h. Follows "A
 * Multiplicative Weights Mechanism for Privacy-Preserving Data Analysis"; the rate and the number of updates are those of
 * Hoeffding's lemma: one update at rate eta whose query is off by a lowers the divergence by at least eta a - eta^2/8.
 */
#include "release/holdout.h"

#include "nigh/random.h"

#include <math.h>

struct nigh_pmw {
    nigh_context *ctx;
    nigh_pmw_options options;
    uint64_t noise_seed;
    double gamma;
    double *sample, *weights; /* [universe], each sums to 1 */
    int64_t asked, used;
};

static const uint64_t NOISE = 0x706d77; /* keeps this noise apart from other uses of the caller's seed */

nigh_pmw_options nigh_pmw_options_default(int64_t universe)
{
    return (nigh_pmw_options){.size = sizeof(nigh_pmw_options), .noise = NIGH_HOLDOUT_PRACTICAL, .universe = universe, .threshold = NAN, .scale = NAN};
}

static nigh_status check(nigh_context *ctx, const nigh_pmw_options *o, const int64_t *counts, double *total)
{
    if (o->size != sizeof *o)
        return nigh_fail(ctx, NIGH_INVALID, "options of size %zu; start from nigh_pmw_options_default (%zu)", o->size, sizeof *o);
    if (o->universe < 2 || o->universe > 1 << 20)
        return nigh_fail(ctx, NIGH_INVALID, "the universe has %lld elements; 2 to %d is allowed", (long long)o->universe, 1 << 20);
    if ((unsigned)o->noise > NIGH_HOLDOUT_TEXTBOOK)
        return nigh_fail(ctx, NIGH_INVALID, "noise is number %d; 0 (practical) and 1 (textbook) are allowed", (int)o->noise);
    if (!isnan(o->threshold) && !(o->threshold > 0 && o->threshold <= 1))
        return nigh_fail(ctx, NIGH_INVALID, "threshold is %g; above 0, at most 1 is allowed", o->threshold);
    if (!isnan(o->scale) && !(o->scale >= 0 && isfinite(o->scale)))
        return nigh_fail(ctx, NIGH_INVALID, "scale is %g; 0 or more is allowed", o->scale);
    if (o->updates < 0) return nigh_fail(ctx, NIGH_INVALID, "updates is %lld; 1 or more is allowed, 0 for the formula", (long long)o->updates);
    *total = 0;
    for (int64_t i = 0; i < o->universe; i++) {
        if (counts[i] < 0) return nigh_fail(ctx, NIGH_INVALID, "count number %lld is %lld; 0 or more is allowed", (long long)i, (long long)counts[i]);
        *total += (double)counts[i];
    }
    if (*total < 1) return nigh_fail(ctx, NIGH_INVALID, "all %lld counts are 0; a sample of 1 or more is needed", (long long)o->universe);
    return NIGH_OK;
}

static double scale_of_gamma(const nigh_pmw_options *o) { return o->noise == NIGH_HOLDOUT_TEXTBOOK ? 2 * o->scale : 0; }
static double scale_of_eta(const nigh_pmw_options *o) { return o->noise == NIGH_HOLDOUT_TEXTBOOK ? 4 * o->scale : o->scale; }

nigh_status nigh_pmw_new(nigh_context *ctx, const nigh_pmw_options *options, const int64_t *counts, nigh_pmw **out)
{
    double total = 0;
    nigh_status status = check(ctx, options, counts, &total);
    if (status) return status;
    nigh_pmw *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx;
    p->options = *options;
    nigh_pmw_options *o = &p->options;
    double size = (double)o->universe, bits = log(size);
    if (isnan(o->threshold)) o->threshold = fmin(0.5, 4 * pow(total, -1.0 / 3) * pow(bits, 1.0 / 6));
    if (isnan(o->scale)) o->scale = o->threshold / 16;
    if (!o->updates) o->updates = (int64_t)ceil(2 * bits / (o->threshold * o->threshold));
    p->noise_seed = nigh_seed_split(o->seed, NOISE);
    nigh_rng first = nigh_rng_new(p->noise_seed, 0);
    p->gamma = holdout_laplace(&first, scale_of_gamma(o));
    p->sample = nigh_alloc(ctx, (size_t)o->universe * sizeof(double));
    p->weights = nigh_alloc(ctx, (size_t)o->universe * sizeof(double));
    if (!p->sample || !p->weights) {
        nigh_pmw_free(p);
        return NIGH_MEMORY;
    }
    for (int64_t i = 0; i < o->universe; i++) {
        p->sample[i] = (double)counts[i] / total;
        p->weights[i] = 1 / size;
    }
    *out = p;
    return NIGH_OK;
}

void nigh_pmw_free(nigh_pmw *p)
{
    if (!p) return;
    nigh_free(p->ctx, p->sample);
    nigh_free(p->ctx, p->weights);
    nigh_free(p->ctx, p);
}

const nigh_pmw_options *nigh_pmw_settings(const nigh_pmw *p) { return &p->options; }
const double *nigh_pmw_weights(const nigh_pmw *p) { return p->weights; }

/* h_x exp(rate phi_x), normalised; rate is negative when phi.h was too large. */
static void update(nigh_pmw *p, const double *query, double rate)
{
    double sum = 0;
    for (int64_t i = 0; i < p->options.universe; i++) sum += p->weights[i] *= exp(rate * query[i]);
    for (int64_t i = 0; i < p->options.universe; i++) p->weights[i] /= sum;
}

nigh_status nigh_pmw_ask(nigh_pmw *p, const double *query, nigh_pmw_answer *out)
{
    nigh_pmw_options *o = &p->options;
    if (p->used >= o->updates)
        return nigh_fail(p->ctx, NIGH_RESOURCE, "all %lld updates are used up after %lld questions; no further one is answered. Collect a fresh sample",
                         (long long)o->updates, (long long)p->asked);
    double synthetic = 0, real = 0;
    for (int64_t i = 0; i < o->universe; i++) {
        if (!(query[i] >= 0 && query[i] <= 1))
            return nigh_fail(p->ctx, NIGH_INVALID, "query value number %lld is %g; 0 to 1 is allowed", (long long)i, query[i]);
        synthetic += query[i] * p->weights[i];
        real += query[i] * p->sample[i];
    }
    nigh_rng rng = nigh_rng_new(p->noise_seed, (uint64_t)p->asked + 1);
    double eta = holdout_laplace(&rng, scale_of_eta(o)), noise = holdout_laplace(&rng, o->scale), gamma = holdout_laplace(&rng, scale_of_gamma(o));
    bool off = fabs(synthetic - real) > o->threshold + p->gamma + eta;
    double value = off ? real + noise : synthetic;
    if (off) {
        update(p, query, value > synthetic ? 2 * o->threshold : -2 * o->threshold);
        p->gamma = gamma;
        p->used++;
    }
    *out = (nigh_pmw_answer){.query = p->asked++, .value = value, .updated = off, .updates_left = o->updates - p->used, .threshold = o->threshold};
    return NIGH_OK;
}
