/*
 * Claim of "Fast Controlled Generation from Language Models with Adaptive Weighted Rejection Sampling": a rule is obeyed by testing a handful of tokens a
 * step, and weights undo what obeying it step by step does to the law.
 *
 *   1  both estimators of the weight: means over draws from Zipf laws of 1000 tokens, laws of the tokens, tests a draw
 *   2  strings of 7 symbols whose digits sum to 7: distance of what particles give from the exact conditional law, beside masking step by step
 *   3  a vocabulary of 47,988 strings, laws of dates: tests a token (and, full, seconds beside testing all)
 *   4  tests grow as the exponential of the divergence of the two laws
 *   5  sums "a+b=c" given the last digit of c: right answers beside masking, sampling and keeping what obeys, and particles with exact sums
 */
#include "adaptive_rejection_sampling/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"weights-one", "one-over-tries", "fresh-coin", "no-repeats", NULL};

/* ---- 1: the two estimators -------------------------------------------------------------------------------- */

enum { TOKENS = 1000, BEST = 5 };

typedef struct zipf {
    double p[TOKENS], block[TOKENS / WEIGHTED_BLOCK + 1], mass; /* of what passes */
    int ok[TOKENS];
    weighted_law law;
} zipf;

static void zipf_make(nigh_rng *rng, double exponent, double share, zipf *z)
{
    double sum = 0;
    z->mass = 0;
    for (int i = 0; i < TOKENS; i++) sum += z->p[i] = pow(i + 1, -exponent);
    for (int i = 0; i < TOKENS; i++) {
        z->p[i] /= sum;
        z->ok[i] = nigh_rng_f64(rng) < share;
        z->mass += z->p[i] * z->ok[i];
    }
    z->law = (weighted_law){.count = TOKENS, .p = z->p, .block = z->block};
    weighted_law_make(&z->law);
}

static int zipf_ok(void *user, int32_t token)
{
    return ((zipf *)user)->ok[token];
}

/* A token of the law, not one of those taken out. */
static int32_t pick(const zipf *z, const bool *out, nigh_rng *rng)
{
    for (;;) {
        double at = nigh_rng_f64(rng) * z->law.total;
        int32_t i = 0;
        while (i < TOKENS - 1 && (at -= z->p[i]) >= 0) i++;
        if (!out[i]) return i;
    }
}

/* The estimators with a step left out: the coin after an accepted token from all tokens anew, or hits of tokens rejected before not counted. */
static void wrong_draw(const zipf *z, bool fresh, nigh_rng *rng, nigh_weighted_token *t)
{
    bool out[TOKENS] = {false}, none[TOKENS] = {false};
    double rejected = 0, tries = 0;
    for (;; t->calls++, tries++) {
        int32_t i = t->token = pick(z, out, rng);
        if (z->ok[i]) break;
        out[i] = true, rejected += z->p[i];
    }
    int32_t next = pick(z, fresh ? none : out, rng);
    if (fresh) t->log_weight = log(z->ok[next] ? 1 - rejected : z->p[t->token]);
    else {
        for (; !z->ok[next]; t->calls++, tries++) out[next] = true, next = pick(z, out, rng);
        t->log_weight = -log(tries + 1);
    }
}

static nigh_status one_draw(claim_run *run, zipf *z, weighted_room *room, bool many, nigh_rng *rng, nigh_weighted_token *t)
{
    weighted_options options = {.estimator = many ? NIGH_WEIGHT_GEOMETRIC : NIGH_WEIGHT_RECURSIVE, .accepts = 2};
    *t = (nigh_weighted_token){0};
    if ((claim_sabotaged(run, "fresh-coin") && !many) || (claim_sabotaged(run, "no-repeats") && many)) return wrong_draw(z, !many, rng, t), NIGH_OK;
    nigh_status status = weighted_draw(run->ctx, &z->law, room, zipf_ok, z, &options, rng, t);
    if (claim_sabotaged(run, "weights-one")) t->log_weight = 0;
    if (claim_sabotaged(run, "one-over-tries")) t->log_weight = -log((double)t->calls);
    return status;
}

typedef struct zipf_figures {
    double mean, token, law, calls; /* largest standardised errors of sum and tokens, least p of the tokens' law, tests a draw */
} zipf_figures;

static nigh_status zipf_measure(claim_run *run, zipf *z, weighted_room *room, bool many, uint64_t stream, zipf_figures *f)
{
    nigh_moments sum = {0}, best[BEST] = {{0}}, calls = {0};
    int at[BEST], found = 0, draws = run->quick ? 6000 : 60000, cells = 0;
    double counts[TOKENS] = {0}, expect[TOKENS + 1], rare[2] = {0, 0};
    nigh_rng rng = nigh_rng_new(claim_seed(run), stream);
    for (int i = 0; i < TOKENS && found < BEST; i++)
        if (z->ok[i]) at[found++] = i;
    for (int d = 0; d < draws; d++) {
        nigh_weighted_token t;
        nigh_status status = one_draw(run, z, room, many, &rng, &t);
        if (status) return status;
        double w = exp(t.log_weight);
        nigh_moments_add(&sum, w);
        nigh_moments_add(&calls, (double)t.calls);
        for (int k = 0; k < found; k++) nigh_moments_add(best + k, t.token == at[k] ? w : 0);
        counts[t.token]++;
    }
    f->mean = fabs(sum.mean - z->mass) / nigh_moments_stderr(&sum);
    f->token = 0;
    for (int k = 0; k < found; k++) /* a few tens of hits, or a standard error means little */
        if (draws * z->p[at[k]] / z->mass > 50) f->token = fmax(f->token, fabs(best[k].mean - z->p[at[k]]) / nigh_moments_stderr(best + k));
    for (int i = 0; i < TOKENS; i++) { /* in place: cells never overtakes i */
        double here = counts[i], wanted = draws * z->p[i] * z->ok[i] / z->mass;
        if (wanted < 8) rare[0] += here, rare[1] += wanted;
        else counts[cells] = here, expect[cells++] = wanted;
    }
    if (rare[1] > 2) counts[cells] = rare[0], expect[cells++] = rare[1];
    nigh_test test;
    nigh_status status = nigh_chi_square_fit(run->ctx, cells, counts, expect, 0, &test);
    f->law = status ? 0 : test.p;
    f->calls = calls.mean;
    return status;
}

/* Mean over sets of tokens that pass; one set says little: it may lack all of the likely tokens. */
static nigh_status zipf_calls(claim_run *run, zipf *z, weighted_room *room, bool many, double *mean)
{
    int sets = 60, draws = run->quick ? 100 : 1000;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 30 + many);
    *mean = 0;
    for (int k = 0; k < sets; k++) {
        zipf_make(&rng, 1.5, .05, z);
        for (int d = 0; d < draws; d++) {
            nigh_weighted_token t;
            nigh_status status = one_draw(run, z, room, many, &rng, &t);
            if (status) return status;
            *mean += (double)t.calls / draws / sets;
        }
    }
    return NIGH_OK;
}

static nigh_status weight_bars(claim_run *run)
{
    static const double exponents[] = {1.1, 1.5, 2.5}, shares[] = {.5, .05};
    static const char *const names[] = {"recursive", "geometric"};
    char name[128];
    weighted_room room;
    zipf *z = nigh_alloc(run->ctx, sizeof *z);
    nigh_status status = z ? weighted_room_new(run->ctx, TOKENS, &room) : NIGH_MEMORY;
    if (status) return nigh_free(run->ctx, z), status;
    for (int many = 0; many < 2; many++) {
        zipf_figures worst = {.law = 1};
        for (int c = 0; c < 6 && !status; c++) {
            nigh_rng rng = nigh_rng_new(claim_seed(run), (uint64_t)c);
            zipf_figures f = {0};
            zipf_make(&rng, exponents[c / 2], shares[c % 2], z);
            status = zipf_measure(run, z, &room, many, 100 + (uint64_t)(10 * many + c), &f);
            worst.mean = fmax(worst.mean, f.mean), worst.token = fmax(worst.token, f.token), worst.law = fmin(worst.law, f.law);
            claim_note(run, "1: %s, exponent %.1f, %g passes: L = %.4f, %.1f tests a draw", names[many], exponents[c / 2], shares[c % 2], z->mass, f.calls);
        }
        if (!status) status = zipf_calls(run, z, &room, many, &worst.calls);
        if (status) break;
        snprintf(name, sizeof name, "1: %s: mean weight from L, standard errors, worst of 6", names[many]);
        claim_bar(run, name, worst.mean, CLAIM_AT_MOST, 4, NULL);
        snprintf(name, sizeof name, "1: %s: mean weight of a token from its p, standard errors, worst of 30", names[many]);
        claim_bar(run, name, worst.token, CLAIM_AT_MOST, 4, NULL);
        snprintf(name, sizeof name, "1: %s: law of the tokens, least chi-square p of 6", names[many]);
        claim_bar(run, name, worst.law, CLAIM_AT_LEAST, 1e-4, NULL);
        snprintf(name, sizeof name, "1: %s: tests a draw, exponent 1.5, 5%% pass, mean of 60 sets", names[many]);
        claim_bar(run, name, worst.calls, CLAIM_AT_MOST, 40, NULL);
    }
    weighted_room_free(run->ctx, &room);
    nigh_free(run->ctx, z);
    return status;
}

/* ---- 4: the cost law -------------------------------------------------------------------------------------- */

static nigh_status cost_bars(claim_run *run)
{
    enum { CONTEXTS = 60 };
    double calls[CONTEXTS], divergence[CONTEXTS];
    weighted_room room;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 40);
    zipf *z = nigh_alloc(run->ctx, sizeof *z);
    nigh_status status = z ? weighted_room_new(run->ctx, TOKENS, &room) : NIGH_MEMORY;
    if (status) return nigh_free(run->ctx, z), status;
    for (int c = 0; c < CONTEXTS && !status; c++) {
        double exponent = 1.1 + 1.4 * nigh_rng_f64(&rng), share = exp(log(.02) * nigh_rng_f64(&rng)), sum = 0;
        int draws = run->quick ? 100 : 1000;
        zipf_make(&rng, exponent, share, z);
        if (z->mass == 0) z->ok[TOKENS - 1] = 1, z->mass = z->p[TOKENS - 1];
        for (int d = 0; d < draws && !status; d++) {
            weighted_options options = {.accepts = 2};
            nigh_weighted_token t = {0};
            status = weighted_draw(run->ctx, &z->law, &room, zipf_ok, z, &options, &rng, &t);
            sum += log((double)t.calls);
        }
        calls[c] = sum / draws, divergence[c] = -log(z->mass);
    }
    nigh_test test;
    if (!status) status = nigh_spearman(run->ctx, CONTEXTS, calls, divergence, &test);
    if (!status) claim_bar(run, "4: rank correlation of log tests and divergence over 60 contexts", test.statistic, CLAIM_AT_LEAST, .8, NULL);
    weighted_room_free(run->ctx, &room);
    nigh_free(run->ctx, z);
    return status;
}

/* ---- 2: digits that sum to 7 ------------------------------------------------------------------------------ */

enum { DIGITS = 3, LENGTH = 7, SUM = 7, CODES = 2187 };

typedef struct chain {
    double next[DIGITS + 1][DIGITS + 1][DIGITS]; /* after two digits; DIGITS: none yet */
    double law[CODES], z;                         /* exact: given the rule, its probability */
} chain;

static void chain_next(const strings *s, const int32_t *text, int64_t size, double *p)
{
    const chain *c = s->user;
    int before = size > 1 ? text[size - 2] : DIGITS, last = size > 0 ? text[size - 1] : DIGITS;
    for (int i = 0; i <= DIGITS; i++) p[i] = size == LENGTH ? i == DIGITS : i < DIGITS ? c->next[before][last][i] : 0;
}

static int chain_ok(const strings *s, const int32_t *text, int64_t size, int32_t token)
{
    int64_t sum = 0, left = LENGTH - size - 1;
    (void)s;
    for (int64_t i = 0; i < size; i++) sum += text[i];
    if (token == DIGITS) return size == LENGTH && sum == SUM;
    return left >= 0 && sum + token <= SUM && sum + token + left * (DIGITS - 1) >= SUM;
}

static void chain_exact(chain *c)
{
    c->z = 0;
    for (int code = 0; code < CODES; code++) {
        int before = DIGITS, last = DIGITS, sum = 0;
        double p = 1;
        for (int i = 0, rest = code; i < LENGTH; i++, rest /= DIGITS) {
            p *= c->next[before][last][rest % DIGITS];
            before = last, last = rest % DIGITS, sum += last;
        }
        c->law[code] = sum == SUM ? p : 0;
        c->z += c->law[code];
    }
    for (int code = 0; code < CODES; code++) c->law[code] /= c->z;
}

/* Chains with rows from a Dirichlet law whose rule holds with probability 0.1 to 0.3. */
static nigh_status chain_make(nigh_context *ctx, nigh_rng *rng, chain *c)
{
    const double alpha[DIGITS] = {.5, .5, .5};
    do
        for (int i = 0; i <= DIGITS; i++)
            for (int j = 0; j <= DIGITS; j++) {
                nigh_status status = nigh_rng_dirichlet(ctx, rng, DIGITS, alpha, c->next[i][j]);
                if (status) return status;
            }
    while (chain_exact(c), c->z < .1 || c->z > .3);
    return NIGH_OK;
}

/* Distance of the mean over runs of the normalised weights from the exact law; mean of the estimates of z over z. */
static nigh_status chain_distance(strings *s, const chain *c, int particles, int final, weighted_draw_fn *draw, uint64_t seed, double *distance, double *z)
{
    double got[CODES] = {0};
    int runs = final / particles;
    *distance = *z = 0;
    for (int r = 0; r < runs; r++) {
        particle_run run;
        nigh_status status = strings_run(s, particles, draw, nigh_seed_split(seed, (uint64_t)r), &run);
        if (status) return status;
        *z += exp(run.log_z) / c->z / runs;
        for (int i = 0; i < particles && run.log_z > -INFINITY; i++) {
            int code = 0;
            for (int64_t k = run.at[i].count - 1; k >= 0; k--) code = code * DIGITS + run.at[i].token[k];
            got[code] += exp(run.at[i].log_weight - run.log_z) / particles / runs;
        }
        particle_run_free(&run);
    }
    for (int i = 0; i < CODES; i++) *distance += fabs(got[i] - c->law[i]) / 2;
    return NIGH_OK;
}

static double chain_floor(const chain *c, int final, nigh_rng *rng)
{
    double got[CODES] = {0}, distance = 0;
    for (int i = 0; i < final; i++) got[nigh_rng_categorical(rng, CODES, c->law)] += 1. / final;
    for (int i = 0; i < CODES; i++) distance += fabs(got[i] - c->law[i]) / 2;
    return distance;
}

static nigh_status chain_bars(claim_run *run)
{
    static const int sizes[] = {1, 8, 64, 512, 8, 64};
    enum { KINDS = 6 };
    double distance[KINDS] = {0}, z[KINDS] = {0}, bottom = 0;
    int chains = run->quick ? 4 : 20, final = run->quick ? 10240 : 20480, kinds = run->quick ? 4 : KINDS;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 50);
    chain *c = nigh_alloc(run->ctx, sizeof *c);
    strings s = {.symbols = DIGITS, .next = chain_next, .ok = chain_ok, .user = c};
    nigh_status status = c ? strings_new(run->ctx, 512, &s) : NIGH_MEMORY;
    if (status) return nigh_free(run->ctx, c), status;
    weighted_draw_fn *ours = claim_sabotaged(run, "weights-one") ? strings_greedy_draw : NULL;
    for (int k = 0; k < chains && !status; k++) {
        status = chain_make(run->ctx, &rng, c);
        for (int kind = 0; kind < kinds && !status; kind++) {
            double d, mean;
            status = chain_distance(&s, c, sizes[kind], final, kind == 0 ? strings_greedy_draw : kind < 4 ? ours : strings_masked_draw, claim_seed(run) + (uint64_t)(10 * k + kind), &d, &mean);
            distance[kind] += d / chains, z[kind] += mean / chains;
        }
        bottom += chain_floor(c, final, &rng) / chains;
    }
    if (!status) {
        claim_note(run, "2: means over %d chains; as many exact draws: distance %.4f; mean of z over z: %.3f, %.3f, %.3f", chains, bottom, z[1], z[2], z[3]);
        if (!run->quick) claim_note(run, "2: particles with exact sums: distance %.4f (8), %.4f (64)", distance[4], distance[5]);
        claim_bar(run, "2: distance from the conditional law, masking step by step", distance[0], CLAIM_AT_LEAST, .25, NULL);
        claim_bar(run, "2: distance, 8 particles", distance[1], CLAIM_AT_MOST, run->quick ? .16 : .12, NULL);
        claim_bar(run, "2: distance, 64 particles", distance[2], CLAIM_AT_MOST, run->quick ? .08 : .06, NULL);
        claim_bar(run, "2: distance, 512 particles, over that of as many exact draws", distance[3] / bottom, CLAIM_AT_MOST, 2, "weights are not equal: about half of the particles count");
        double worst = 0;
        for (int kind = 1; kind < 4; kind++) worst = fmax(worst, fabs(z[kind] - 1));
        claim_bar(run, "2: mean estimate of the rule's probability from it, relative", worst, CLAIM_AT_MOST, .03, NULL);
    }
    strings_free(&s);
    nigh_free(run->ctx, c);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = weight_bars(run);
    if (!status) status = cost_bars(run);
    if (!status) status = chain_bars(run);
    if (!status) status = sums_bars(run);
    if (!status) status = models_bars(run);
    return status;
}

const nigh_claim claim_adaptive_rejection_sampling = {
    .slug = "adaptive-rejection-sampling", .title = "Fast Controlled Generation from Language Models with Adaptive Weighted Rejection Sampling", .run = run_claim, .saboteurs = saboteurs};
