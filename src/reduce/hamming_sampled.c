/*
 * Distances within a factor 1 +- error from places of the pattern drawn without replacement, the same for all shifts.
 *
 * After s places with c mismatches the share f of all mismatches satisfies s KL(c/s || f) <= ln(2 n / delta_r), for all n shifts and checkpoints r at
 * once with probability 1 - sum of delta_r = 1 - delta (Chernoff; without replacement by Hoeffding, "Probability inequalities for sums of bounded random
 * variables", section 6). A shift is done at the first checkpoint where the estimate g c/s is within the factor of every such f; that is so from some least c on.
 * g < 1 helps where c/s is near 1, for no f is above 1: half as many places do. What is
 * left when few shifts of a block are left, or half of the pattern was looked at, is counted exactly: small distances are right too.
 */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, FEW = 32, CHECKPOINTS = 64 };

struct hamming_samples {
    int count;                    /* of checkpoints; 0: no number of samples is enough */
    int64_t after[CHECKPOINTS + 1]; /* samples; [0] = 0 */
    int64_t least[CHECKPOINTS + 1]; /* mismatches that will do */
    double gain[CHECKPOINTS + 1];   /* g */
    double samples[CHECKPOINTS + 1], scale[CHECKPOINTS + 1]; /* after, and g m / after; [0] = 0 */
    int32_t *at;
    void *symbol;
};

static double divergence(double p, double q)
{
    double d = 0;
    if (p > 0) d += p * log(p / q);
    if (p < 1) d += (1 - p) * log((1 - p) / (1 - q));
    return d;
}

/* Every f that c of s allow is within the factor of g c/s, rounding to a whole distance included. */
static bool enough(const nigh_hamming *h, double c, double s, double g, double limit)
{
    double half = 0.5 / (double)h->m, f = c / s, low = (g * f + half) / (1 + h->options.error), high = (g * f - half) / (1 - h->options.error);
    if (!(low < f && high > f)) return false;
    return s * divergence(f, low) >= limit && (high >= 1 || s * divergence(f, high) >= limit);
}

/* s + 1 where no c is enough. */
static int64_t least_count(const nigh_hamming *h, int64_t s, double g, double limit)
{
    int64_t low = 0, high = s + 1;
    if (!enough(h, (double)s, (double)s, g, limit)) return high;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (enough(h, (double)middle, (double)s, g, limit)) high = middle;
        else low = middle;
    }
    return high;
}

/* The best g of a few. */
static int64_t set_checkpoint(const nigh_hamming *h, hamming_samples *x, int r, int64_t s, double limit)
{
    int64_t best = s + 1;
    for (int part = 0; part < 8; part++) {
        double g = 1 - h->options.error * part / 8;
        int64_t least = least_count(h, s, g, limit);
        if (least < best) best = x->least[r] = least, x->gain[r] = g;
    }
    x->after[r] = s;
    return best;
}

/* delta_r = delta / 4 (3/4)^(r-1). */
static void make_checkpoints(const nigh_hamming *h, hamming_samples *x)
{
    double limit = log(8.0 * (double)h->report.shifts / h->options.delta);
    int64_t most = h->m / 2, s = 1;
    x->count = 0;
    x->after[0] = 0;
    while (s <= most && set_checkpoint(h, x, 1, s, limit) > s) s += 1 + s / 32;
    for (; s <= most && x->count < CHECKPOINTS; s += s / 6 + 1, limit += log(4.0 / 3)) set_checkpoint(h, x, ++x->count, s, limit);
}

static int by_place(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

nigh_status hamming_sampled_new(nigh_hamming *h)
{
    int width = h->ranks.width;
    hamming_samples *x = nigh_alloc_zero(h->ctx, 1, sizeof *x);
    if (!x) return NIGH_MEMORY;
    h->samples = x;
    make_checkpoints(h, x);
    for (int r = 1; r <= x->count; r++) x->samples[r] = (double)x->after[r], x->scale[r] = x->gain[r] * (double)h->m / x->samples[r];
    int64_t most = x->after[x->count];
    int64_t *drawn = nigh_alloc(h->ctx, (size_t)(most + 1) * sizeof *drawn);
    x->at = nigh_alloc(h->ctx, (size_t)(most + 1) * sizeof *x->at);
    x->symbol = nigh_alloc(h->ctx, (size_t)(most + 1) * (size_t)width);
    nigh_status status = drawn && x->at && x->symbol ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(h->ctx), 0x73616D70);
    if (!status) status = nigh_rng_choose(h->ctx, &rng, h->m, most, drawn);
    for (int64_t s = 0; s < most && !status; s++) x->at[s] = (int32_t)drawn[s];
    for (int r = 1; r <= x->count && !status; r++) /* in order of place: neighbours share lines of the cache */
        qsort(x->at + x->after[r - 1], (size_t)(x->after[r] - x->after[r - 1]), sizeof *x->at, by_place);
    for (int64_t s = 0; s < most && !status; s++)
        memcpy((char *)x->symbol + s * width, (const char *)h->ranks.pattern + x->at[s] * width, (size_t)width);
    nigh_free(h->ctx, drawn);
    h->report.error = h->options.error;
    h->report.delta = h->options.delta;
    return status;
}

void hamming_sampled_free(nigh_hamming *h)
{
    if (h->samples) {
        nigh_free(h->ctx, h->samples->at);
        nigh_free(h->ctx, h->samples->symbol);
    }
    nigh_free(h->ctx, h->samples);
    h->samples = NULL;
}

void hamming_sampled_need(const nigh_hamming *h, int64_t count, double *need)
{
    hamming_samples x;
    make_checkpoints(h, &x);
    for (int64_t i = 0; i < count; i++) {
        double f = need[i];
        need[i] = (double)h->m;
        for (int r = x.count; r >= 1; r--) { /* for all but a few of a block's shifts */
            double s = (double)x.after[r];
            if (f * s - 2 * sqrt(f * (1 - f) * s) >= (double)x.least[r]) need[i] = s;
        }
    }
}

/* One shift from checkpoint r on, exactly when it was no use. */
static uint32_t sample_one(hamming_part *part, const char *t, int r, int64_t misses)
{
    const nigh_hamming *h = part->h;
    const hamming_samples *x = h->samples;
    int width = h->ranks.width;
    while (r < x->count && x->after[r + 1] < h->m / 8) {
        for (int64_t s = x->after[r]; s < x->after[r + 1]; s++) {
            const char *a = t + (int64_t)x->at[s] * width, *b = (const char *)x->symbol + s * width;
            misses += width == 1 ? *a != *b : width == 2 ? *(const uint16_t *)a != *(const uint16_t *)b : *(const uint32_t *)a != *(const uint32_t *)b;
        }
        if (misses >= x->least[++r]) return (uint32_t)(x->gain[r] * (double)h->m / (double)x->after[r] * (double)misses + 0.5);
    }
    part->finished++;
    return (uint32_t)h->kernels->compare[hamming_level(width)].one(t, h->ranks.pattern, h->m, INT64_MAX);
}

static void sample_block(hamming_part *part, const char *t, int64_t count, uint32_t *out)
{
    const nigh_hamming *h = part->h;
    const hamming_samples *x = h->samples;
    int width = h->ranks.width, r = 0;
    uint32_t matches[BLOCK] = {0}, when[BLOCK] = {0}, seen[BLOCK] = {0};
    int64_t left = count;
    while (r < x->count && left > count / FEW) {
        int64_t step = x->after[r + 1] - x->after[r];
        if (r && left * h->m < count * step) break; /* exactly is cheaper than another round */
        h->kernels->compare[hamming_level(width)].many(t, count, x->at + x->after[r], (const char *)x->symbol + x->after[r] * width, step, matches);
        r++;
        left = h->kernels->mark(count, (uint32_t)r, (uint32_t)(x->after[r] - x->least[r]), matches, when, seen);
    }
    bool direct = left > count / 3;
    if (direct) {
        memset(matches, 0, sizeof matches);
        hamming_direct(h, t, count, matches);
        part->finished += left;
    }
    h->kernels->estimate(count, x->samples, x->scale, when, seen, out);
    for (int64_t i = 0; i < count && left; i++)
        if (!when[i]) out[i] = direct ? (uint32_t)h->m - matches[i] : sample_one(part, t + i * width, r, x->after[r] - matches[i]);
}

void hamming_sampled(hamming_part *part)
{
    for (int64_t i = 0; i < part->count; i += BLOCK)
        sample_block(part, part->t + i * part->h->ranks.width, part->count - i < BLOCK ? part->count - i : BLOCK, part->out + i);
}
