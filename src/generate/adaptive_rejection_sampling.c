/*
 * Adaptive weighted rejection sampling of one token. Tokens are drawn without replacement, which is the order of Gumbel keys log p - log(-log U); the sums
 * of blocks of 256 masses make a draw cheap, and what is left is summed anew from them, so that a remainder of 1e-300 is as exact as one of 1: no
 * tolerance is needed below which a draw is given up.
 *
 * Recursive estimator: with q the share of the token at hand in what is left, L = q ok + (1 - q) L(rest); rejected: factor 1 - q; accepted: a coin for the
 * rest, which is whether the next token in the same order passes. Geometric estimator: draws with replacement until `accepts` passed; those that would hit a
 * token rejected before are counted without drawing them; L = (accepts - 1) / (draws - 1) is unbiased.
 */
#include "generate/adaptive_rejection_sampling.h"

#include <math.h>
#include <string.h>

/* Four sums, so that additions overlap. */
static double sum_of(int64_t count, const double *x)
{
    double s[4] = {0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++) s[k] += x[i + k];
    for (; i < count; i++) s[0] += x[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

void weighted_law_make(weighted_law *l)
{
    l->most = 0;
    for (int64_t b = 0; b < weighted_blocks(l->count); b++) {
        int64_t first = b * WEIGHTED_BLOCK, size = l->count - first < WEIGHTED_BLOCK ? l->count - first : WEIGHTED_BLOCK;
        const double *p = l->p + first;
        double most = 0;
        for (int64_t i = 0; i < size; i++) most = p[i] > most ? p[i] : most;
        l->block[b] = sum_of(size, p);
        l->most = most > l->most ? most : l->most;
    }
    l->total = sum_of(weighted_blocks(l->count), l->block);
}

nigh_status weighted_room_new(nigh_context *ctx, int32_t count, weighted_room *room)
{
    size_t words = ((size_t)count + 63) / 64;
    uint64_t *bits = nigh_alloc(ctx, 2 * words * sizeof *bits);
    double *block = nigh_alloc(ctx, (size_t)weighted_blocks(count) * sizeof *block);
    if (!bits || !block) return nigh_free(ctx, bits), nigh_free(ctx, block), NIGH_MEMORY;
    *room = (weighted_room){.removed = bits, .accepted = bits + words, .block = block};
    return NIGH_OK;
}

void weighted_room_free(nigh_context *ctx, weighted_room *room)
{
    nigh_free(ctx, room->removed);
    nigh_free(ctx, room->block);
    *room = (weighted_room){0};
}

/* ---- an order without replacement ------------------------------------------------------------------------- */

typedef struct urn {
    nigh_context *ctx;
    const weighted_law *l;
    weighted_room *room;
    nigh_rng *rng;
    weighted_ok_fn *ok;
    void *user;
    int64_t calls, rejects, most_rejects;
} urn;

static bool bit(const uint64_t *bits, int32_t i) { return bits[i / 64] >> i % 64 & 1; }

static void begin(urn *u)
{
    size_t words = ((size_t)u->l->count + 63) / 64;
    memset(u->room->removed, 0, words * sizeof(uint64_t));
    memset(u->room->accepted, 0, words * sizeof(uint64_t));
    memcpy(u->room->block, u->l->block, (size_t)weighted_blocks(u->l->count) * sizeof(double));
}

static double left(const urn *u) { return sum_of(weighted_blocks(u->l->count), u->room->block); }

static void take_out(urn *u, int32_t token)
{
    int32_t first = token / WEIGHTED_BLOCK * WEIGHTED_BLOCK, end = u->l->count - first < WEIGHTED_BLOCK ? u->l->count : first + WEIGHTED_BLOCK;
    double sum = 0;
    u->room->removed[token / 64] |= (uint64_t)1 << token % 64;
    for (int32_t i = first; i < end; i++) sum += bit(u->room->removed, i) ? 0 : weighted_mass(u->l, i);
    u->room->block[token / WEIGHTED_BLOCK] = sum;
}

/* A token of what is left, `mass` > 0 in all. Rounding may end the walk too late: then the last token with mass is taken. */
static int32_t draw_one(urn *u, double mass)
{
    const double *block = u->room->block;
    double at = nigh_rng_f64(u->rng) * mass;
    int64_t blocks = weighted_blocks(u->l->count), in = 0;
    for (int64_t b = 0; b < blocks; b++) {
        if (block[b] <= 0) continue;
        in = b;
        if (at < block[b]) break;
        at -= block[b];
    }
    int32_t first = (int32_t)(in * WEIGHTED_BLOCK), end = u->l->count - first < WEIGHTED_BLOCK ? u->l->count : first + WEIGHTED_BLOCK, found = first;
    for (int32_t i = first; i < end; i++) {
        double p = weighted_mass(u->l, i);
        if (p <= 0 || bit(u->room->removed, i)) continue;
        found = i;
        if (at < p) break;
        at -= p;
    }
    return found;
}

static int32_t id_of(const urn *u, int32_t i) { return u->l->id ? u->l->id[i] : i; }

static nigh_status ask(urn *u, int32_t i, bool *passes)
{
    int32_t token = id_of(u, i);
    int answer = u->ok(u->user, token);
    u->calls++;
    if (answer != 0 && answer != 1) return nigh_fail(u->ctx, NIGH_INVALID, "the rule answers %d for token %d; 0 and 1 are allowed", answer, token);
    *passes = answer;
    return NIGH_OK;
}

/* ---- the estimators --------------------------------------------------------------------------------------- */

/* The factors 1 - q telescope: their product is what is left of the mass over all of it, and times q the mass of the token at hand. */
static nigh_status recursive(urn *u, nigh_weighted_token *out)
{
    double mass = left(u), total = mass;
    for (;;) {
        bool passes = false, next = true;
        int32_t token = draw_one(u, mass);
        nigh_status status = ask(u, token, &passes);
        if (status) return status;
        double before = mass;
        take_out(u, token);
        mass = left(u);
        *out = (nigh_weighted_token){.token = id_of(u, token), .log_weight = -INFINITY};
        if (passes) {
            if (mass > 0) status = ask(u, draw_one(u, mass), &next);
            out->log_weight = log(next ? before : weighted_mass(u->l, token)) - log(total);
            return status;
        }
        if (!(mass > 0) || ++u->rejects == u->most_rejects) return NIGH_OK;
    }
}

static nigh_status geometric(urn *u, int64_t accepts, nigh_weighted_token *out)
{
    double draws = 0, mass = left(u), total = mass;
    int64_t accepted = 0;
    *out = (nigh_weighted_token){.token = -1, .log_weight = -INFINITY};
    for (;;) {
        if (u->rejects) draws += floor(nigh_rng_exponential(u->rng, 1) / -log1p(-fmin(1, mass / total))); /* hits of rejected tokens before the next other one */
        int32_t token = draw_one(u, mass);
        bool passes = bit(u->room->accepted, token);
        nigh_status status = passes ? NIGH_OK : ask(u, token, &passes);
        if (status) return status;
        draws++;
        if (!accepted) out->token = id_of(u, token);
        if (passes) {
            u->room->accepted[token / 64] |= (uint64_t)1 << token % 64;
            if (++accepted < accepts) continue;
            out->log_weight = log((double)(accepts - 1)) - log(draws - 1);
            return NIGH_OK;
        }
        take_out(u, token);
        mass = left(u);
        if (!(mass > 0) || ++u->rejects == u->most_rejects) return NIGH_OK;
    }
}

nigh_status weighted_draw(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *ok, void *user, const weighted_options *options, nigh_rng *rng,
                          nigh_weighted_token *out)
{
    if (!(l->total > 0) || isinf(l->total)) return nigh_fail(ctx, NIGH_INVALID, "the probabilities sum to %g; more than 0, finite, is allowed", l->total);
    urn u = {.ctx = ctx, .l = l, .room = room, .rng = rng, .ok = ok, .user = user, .most_rejects = options->most_rejects};
    nigh_weighted_token result;
    bool many = options->estimator == NIGH_WEIGHT_GEOMETRIC ||
                (options->estimator == NIGH_WEIGHT_AUTO && (options->accepts > 2 || l->most >= 2. / 3 * l->total));
    begin(&u);
    nigh_status status = many ? geometric(&u, options->accepts, &result) : recursive(&u, &result);
    if (status) return status;
    *out = result;
    out->calls = u.calls;
    return NIGH_OK;
}

static nigh_status check_draw(nigh_context *ctx, const double *p, int32_t count, nigh_weight_estimator estimator, int64_t accepts, int64_t most_rejects)
{
    if (count < 1) return nigh_fail(ctx, NIGH_INVALID, "count is %d; 1 token or more is needed", count);
    if ((int)estimator < NIGH_WEIGHT_AUTO || estimator > NIGH_WEIGHT_GEOMETRIC) return nigh_fail(ctx, NIGH_INVALID, "estimator is %d; 0 to 2 are known", (int)estimator);
    if (accepts < 2)
        return nigh_fail(ctx, NIGH_INVALID, "accepts is %lld; 2 or more is allowed: with fewer no weight is proper", (long long)accepts);
    if (most_rejects < 0) return nigh_fail(ctx, NIGH_INVALID, "most_rejects is %lld; 0 (no cap) or more is allowed", (long long)most_rejects);
    for (int32_t i = 0; i < count; i++)
        if (!(p[i] >= 0 && p[i] <= 2)) return nigh_fail(ctx, NIGH_INVALID, "p[%d] is %g; probabilities are needed", i, p[i]);
    return NIGH_OK;
}

nigh_status nigh_weighted_draw(nigh_context *ctx, const double *p, int32_t count, int (*ok)(void *user, int32_t token), void *user, nigh_weight_estimator estimator,
                               int64_t accepts, int64_t most_rejects, uint64_t seed, uint64_t stream, nigh_weighted_token *out)
{
    nigh_status status = check_draw(ctx, p, count, estimator, accepts, most_rejects);
    if (status) return status;
    weighted_room room;
    weighted_law l = {.count = count, .p = p, .block = nigh_alloc(ctx, (size_t)weighted_blocks(count) * sizeof *l.block)};
    if (!l.block) return NIGH_MEMORY;
    status = weighted_room_new(ctx, count, &room);
    if (status) return nigh_free(ctx, l.block), status;
    weighted_law_make(&l);
    nigh_rng rng = nigh_rng_new(seed, stream);
    weighted_options options = {.estimator = estimator, .accepts = accepts, .most_rejects = most_rejects};
    if (fabs(l.total - 1) > 1e-6) status = nigh_fail(ctx, NIGH_INVALID, "the probabilities sum to %.9g; 1 is needed", l.total);
    if (!status) status = weighted_draw(ctx, &l, &room, ok, user, &options, &rng, out);
    weighted_room_free(ctx, &room);
    nigh_free(ctx, l.block);
    return status;
}
