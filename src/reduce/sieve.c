/* "Streaming submodular maximization: massive data summarization on the fly" (Badanidiyuru et al. 2014), algorithm 3. */
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

typedef struct one_sieve {
    int64_t power; /* guess (1 + epsilon)^power */
    nigh_chain *chain;
    double *gain;  /* [k] */
} one_sieve;

struct nigh_sieve {
    nigh_context *ctx;
    nigh_submodular *f;
    nigh_chain *empty;
    int64_t k;
    double epsilon, largest;
    uint8_t *seen; /* [n] */
    int64_t count, room;
    one_sieve *sieve; /* of increasing power */
};

nigh_status nigh_sieve_new(nigh_context *ctx, nigh_submodular *f, int64_t k, double epsilon, nigh_sieve **out)
{
    if (k < 1) return nigh_fail(ctx, NIGH_INVALID, "k is %lld; 1 or more is allowed", (long long)k);
    if (!(epsilon > 0 && epsilon <= 1)) return nigh_fail(ctx, NIGH_INVALID, "epsilon is %g; (0, 1] is allowed", epsilon);
    nigh_sieve *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (nigh_sieve){.ctx = ctx, .f = f, .k = k, .epsilon = epsilon, .seen = nigh_alloc_zero(ctx, (size_t)nigh_submodular_items(f), 1)};
    nigh_status status = s->seen ? nigh_chain_new(f, &s->empty) : NIGH_MEMORY;
    if (status) nigh_sieve_free(s);
    else *out = s;
    return status;
}

static void sieve_end(nigh_sieve *s, one_sieve *one)
{
    nigh_chain_free(one->chain);
    nigh_free(s->ctx, one->gain);
}

void nigh_sieve_free(nigh_sieve *s)
{
    if (!s) return;
    for (int64_t i = 0; i < s->count; i++) sieve_end(s, &s->sieve[i]);
    nigh_free(s->ctx, s->sieve);
    nigh_free(s->ctx, s->seen);
    nigh_chain_free(s->empty);
    nigh_free(s->ctx, s);
}

static nigh_status add_sieve(nigh_sieve *s, int64_t power)
{
    if (s->count == s->room) {
        int64_t room = s->room ? 2 * s->room : 32;
        one_sieve *more = nigh_resize(s->ctx, s->sieve, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        s->sieve = more;
        s->room = room;
    }
    one_sieve one = {.power = power, .gain = nigh_alloc(s->ctx, (size_t)s->k * sizeof *one.gain)};
    nigh_status status = one.gain ? nigh_chain_new(s->f, &one.chain) : NIGH_MEMORY;
    if (status) sieve_end(s, &one);
    else s->sieve[s->count++] = one;
    return status;
}

/* Guesses from the largest single value to 2 k times it; sieves below end, new ones are empty. */
static nigh_status widen(nigh_sieve *s)
{
    double base = log1p(s->epsilon);
    int64_t low = (int64_t)ceil(log(s->largest) / base - 1e-9), high = (int64_t)floor(log(2 * (double)s->k * s->largest) / base + 1e-9), ended = 0;
    while (ended < s->count && s->sieve[ended].power < low) sieve_end(s, &s->sieve[ended++]);
    if (ended) memmove(s->sieve, s->sieve + ended, (size_t)(s->count - ended) * sizeof *s->sieve);
    s->count -= ended;
    nigh_status status = NIGH_OK;
    for (int64_t power = s->count ? s->sieve[s->count - 1].power + 1 : low; power <= high && !status; power++) status = add_sieve(s, power);
    return status;
}

nigh_status nigh_sieve_insert(nigh_sieve *s, int64_t item)
{
    double single;
    int64_t n = nigh_submodular_items(s->f);
    if (item < 0 || item >= n) return nigh_fail(s->ctx, NIGH_INVALID, "item %lld; 0 to %lld are allowed", (long long)item, (long long)n - 1);
    if (s->seen[item]) return nigh_fail(s->ctx, NIGH_INVALID, "item %lld was inserted before", (long long)item);
    nigh_status status = nigh_chain_gains(s->empty, 0, 1, &item, &single);
    if (status) return status;
    s->seen[item] = 1;
    if (single > s->largest) {
        s->largest = single;
        status = widen(s);
    }
    for (int64_t i = 0; i < s->count && !status; i++) {
        one_sieve *one = &s->sieve[i];
        int64_t length = nigh_chain_length(one->chain);
        if (length == s->k) continue;
        double wanted = (0.5 * pow(1 + s->epsilon, (double)one->power) - nigh_chain_value(one->chain, length)) / (double)(s->k - length), gain;
        if (single < wanted) continue; /* its gain is no larger */
        status = nigh_chain_gains(one->chain, length, 1, &item, &gain);
        if (status || gain < wanted || gain <= 0) continue;
        status = nigh_chain_add(one->chain, item, &one->gain[length]);
    }
    return status;
}

nigh_status nigh_sieve_answer(nigh_sieve *s, const uint8_t *keep, nigh_chosen *out)
{
    nigh_chosen best = {.item = nigh_alloc(s->ctx, (size_t)s->k * sizeof *best.item), .gain = nigh_alloc(s->ctx, (size_t)s->k * sizeof *best.gain)};
    const one_sieve *from = NULL;
    double most = -1;
    int64_t before = nigh_submodular_count(s->f);
    for (int64_t i = 0; i < s->count; i++) {
        double sum = 0;
        for (int64_t j = 0; j < nigh_chain_length(s->sieve[i].chain); j++)
            if (!keep || keep[nigh_chain_items(s->sieve[i].chain)[j]]) sum += s->sieve[i].gain[j];
        if (sum > most) most = sum, from = &s->sieve[i];
    }
    nigh_status status = best.item && best.gain ? NIGH_OK : NIGH_MEMORY;
    nigh_chain *chain = NULL;
    if (!status) status = nigh_chain_new(s->f, &chain);
    for (int64_t j = 0; from && j < nigh_chain_length(from->chain) && !status; j++) {
        int64_t item = nigh_chain_items(from->chain)[j];
        if (keep && !keep[item]) continue;
        best.item[best.count] = item;
        status = nigh_chain_add(chain, item, &best.gain[best.count]);
        best.value += best.gain[best.count++];
    }
    nigh_chain_free(chain);
    best.calls = nigh_submodular_count(s->f) - before;
    if (status) nigh_chosen_free(s->ctx, &best);
    else *out = best;
    return status;
}
