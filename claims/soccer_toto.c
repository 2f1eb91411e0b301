/*
 * Claim of "Beating the average: how to generate profit by exploiting the inefficiencies of soccer betting": a quick formula says how many rows of a
 * 13-match pool are needed for a wanted number of strikes at a wanted safety.
 *
 *   1  the formula beside the exact hypergeometric law; the law beside the exact chance of random rows
 *   2  the exact engine beside a direct count; the perfect code of 13 matches
 *   3  chances from odds beside results: favourites' hit rates, strikes of the row of all favourites
 *   4  rows for 11 strikes with safety 1/2, knowing the chances, beside random rows; the safety kept on results
 *   5  what pools pay: less than is staked; rows of value beside random rows when the crowd follows favourites
 *
 * Real coupons (13 consecutive matches of the Bundesliga with closing odds) when NIGH_DATA is set and the claim is not quick; else coupons drawn from Dirichlet chances,
 * their results drawn from these.
 */
#include "common.h"

#include "nigh/random.h"
#include "nigh/row_stream.h"
#include "nigh/special.h"
#include "nigh/toto.h"
#include "reduce/toto.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"sum-over-rows", "repeated-rows", "broken-code", "look-ahead", "prizes-not-shared", NULL};

enum { M = NIGH_TOTO_MATCHES, MOST_COUPONS = 360, QUICK_COUPONS = 50, BINS = 10 };

typedef struct coupons {
    int count;
    nigh_toto_pool pool[MOST_COUPONS];
    int result[MOST_COUPONS][M];
    bool real;
} coupons;

/* ---- coupons -------------------------------------------------------------------------------------------------- */

static nigh_status draw_coupons(claim_run *run, coupons *c)
{
    nigh_rng rng = nigh_rng_new(claim_seed(run), 1);
    const double alpha[3] = {2.2, 1.3, 1.5};
    nigh_status status = NIGH_OK;
    for (c->count = 0; c->count < QUICK_COUPONS && !status; c->count++) {
        nigh_toto_pool *pool = &c->pool[c->count];
        pool->matches = M;
        for (int i = 0; i < M && !status; i++) {
            status = nigh_rng_dirichlet(run->ctx, &rng, 3, alpha, pool->p[i]);
            c->result[c->count][i] = (int)nigh_rng_categorical(&rng, 3, pool->p[i]);
        }
    }
    return status;
}

static nigh_status add_match(claim_run *run, const double *x, int *filled, coupons *c)
{
    nigh_toto_pool *pool = &c->pool[c->count];
    nigh_status status = nigh_toto_chances(run->ctx, NIGH_TOTO_POWER, x + 2, pool->p[*filled]);
    if (status == NIGH_INVALID) return NIGH_OK; /* no odds: not in the pool */
    c->result[c->count][(*filled)++] = x[0] > x[1] ? 0 : x[0] == x[1] ? 1 : 2;
    if (*filled == M) pool->matches = M, c->count++, *filled = 0;
    return status;
}

static nigh_status read_coupons(claim_run *run, const char *folder, coupons *c)
{
    char path[4096];
    nigh_row_stream *stream;
    nigh_row_block block;
    int filled = 0;
    snprintf(path, sizeof path, "%s/soccer/bundesliga_odds.csv", folder);
    nigh_status status = nigh_row_stream_open(run->ctx, path, &(nigh_row_options){.features = "FTHG,FTAG,home_close,draw_close,away_close", .missing = NIGH_ROWS_MISSING_DROP}, &stream);
    if (status) return status;
    while (!status && !(status = nigh_row_stream_next(stream, &block)) && block.count)
        for (int64_t i = 0; i < block.count && !status && c->count < MOST_COUPONS; i++) status = add_match(run, block.x + 5 * i, &filled, c);
    nigh_row_stream_free(stream);
    c->real = true;
    return status;
}

/* ---- 1: the formula ------------------------------------------------------------------------------------------- */

static void formula_bars(claim_run *run)
{
    static const int64_t sizes[] = {6561, 59049, 1594323}, balls[] = {1, 3, 10, 27, 100, 339, 1000, 2627, 10000};
    static const double safeties[] = {0.5, 0.9, 0.99, 0.999};
    double symmetric = 0, plain = 0;
    int cases = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 9; b++)
            for (int s = 0; s < 4; s++) {
                if (balls[b] >= sizes[a]) continue;
                double exact = nigh_toto_rows_needed(NIGH_TOTO_EXACT, sizes[a], balls[b], safeties[s]);
                if (exact < 200 || exact >= 0.1 * (double)sizes[a]) continue;
                symmetric = fmax(symmetric, fabs(nigh_toto_rows_needed(NIGH_TOTO_SYMMETRIC, sizes[a], balls[b], safeties[s]) / exact - 1));
                plain = fmax(plain, fabs(nigh_toto_rows_needed(NIGH_TOTO_PLAIN, sizes[a], balls[b], safeties[s]) / exact - 1));
                cases++;
            }
    claim_note(run, "%d cases with 200 rows or more, below a tenth of all", cases);
    claim_bar(run, "number of rows: relative error, symmetric form", symmetric, CLAIM_AT_MOST, 0.005, "rounding up to whole rows is in it");
    claim_bar(run, "number of rows: relative error, plain form", plain, CLAIM_AT_MOST, 0.06, NULL);
}

/* Mean exact chance of random rows over sets, beside the law, in standard errors. Equal chances, since the law knows no others. */
static nigh_status law_bar(claim_run *run)
{
    nigh_toto_pool pool = {.matches = run->quick ? 7 : 9};
    int width[M], sets = run->quick ? 200 : 1000;
    double sum = 0, squares = 0, within[3];
    const int64_t rows = run->quick ? 15 : 60;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 2);
    nigh_status status = NIGH_OK;
    for (int i = 0; i < pool.matches; i++) width[i] = 3, pool.p[i][0] = pool.p[i][1] = pool.p[i][2] = 1.0 / 3;
    for (int k = 0; k < sets && !status; k++) {
        int32_t *row = NULL;
        int64_t count;
        status = nigh_toto_random(run->ctx, &pool, width, rows, &rng, &row, &count);
        for (int64_t i = 0; i < count && !status && claim_sabotaged(run, "repeated-rows"); i++) row[i] = row[i / 2];
        if (!status) status = nigh_toto_chance(run->ctx, &pool, count, row, 2, within);
        nigh_free(run->ctx, row);
        double chance = claim_sabotaged(run, "sum-over-rows") ? (double)(rows * nigh_toto_ball(pool.matches, 0, 2)) / (double)nigh_toto_outcomes(pool.matches) : within[2];
        sum += chance, squares += chance * chance;
    }
    double mean = sum / sets, error = sqrt(fmax(0, squares / sets - mean * mean) / sets) + 1e-12;
    double law = nigh_toto_hit(nigh_toto_outcomes(pool.matches), nigh_toto_ball(pool.matches, 0, 2), rows);
    claim_note(run, "%d sets of %lld random rows of %d matches: at most two wrong with chance %.5f +- %.5f, by the law %.5f", sets, (long long)rows, pool.matches, mean, error, law);
    claim_bar(run, "law beside random rows, standard errors", fabs(mean - law) / error, CLAIM_AT_MOST, 3, NULL);
    return status;
}

/* ---- 2: the engine -------------------------------------------------------------------------------------------- */

static int wrong_tips(int matches, int32_t a, int32_t b)
{
    int wrong = 0;
    for (int i = 0; i < matches; i++, a /= 3, b /= 3) wrong += a % 3 != b % 3;
    return wrong;
}

/* Largest difference between the engine and a count over all outcomes and rows, 7 matches. */
static nigh_status engine_bar(claim_run *run, const coupons *c)
{
    nigh_toto_pool pool = c->pool[0];
    pool.matches = 7;
    int width[M] = {3, 3, 3, 3, 3, 3, 3};
    int64_t count, outcomes = nigh_toto_outcomes(7);
    int32_t *row = NULL;
    double within[4], direct[4] = {0}, worst = 0, *chance = nigh_alloc(run->ctx, (size_t)outcomes * sizeof *chance);
    nigh_rng rng = nigh_rng_new(claim_seed(run), 3);
    nigh_status status = chance ? nigh_toto_random(run->ctx, &pool, width, 9, &rng, &row, &count) : NIGH_MEMORY;
    if (!status) status = nigh_toto_chance(run->ctx, &pool, count, row, 3, within);
    if (!status) toto_outcome_chances(&pool, chance);
    for (int32_t o = 0; o < outcomes && !status; o++) {
        int best = 7;
        for (int64_t i = 0; i < count; i++) best = wrong_tips(7, o, row[i]) < best ? wrong_tips(7, o, row[i]) : best;
        for (int r = best; r < 4; r++) direct[r] += chance[o];
    }
    for (int r = 0; r < 4 && !status; r++) worst = fmax(worst, fabs(within[r] - direct[r]));
    nigh_free(run->ctx, chance);
    nigh_free(run->ctx, row);
    if (!status) claim_bar(run, "engine beside a direct count, 3^7 outcomes", worst, CLAIM_AT_MOST, 1e-14, NULL);
    return status;
}

static nigh_status code_bars(claim_run *run)
{
    nigh_toto_pool pool = {.matches = M};
    int width[M];
    for (int i = 0; i < M; i++) width[i] = 3, pool.p[i][0] = pool.p[i][1] = pool.p[i][2] = 1.0 / 3;
    int32_t *row = NULL;
    int64_t count = 0;
    double within[2], random[2] = {0};
    nigh_status status = nigh_toto_coded(run->ctx, &pool, NIGH_TOTO_HAMMING_13, width, &row, &count);
    for (int64_t i = 0; i < count && !status && claim_sabotaged(run, "broken-code"); i += 2) row[i] = (row[i] + 1) % 1594323;
    if (!status) status = nigh_toto_chance(run->ctx, &pool, count, row, 1, within);
    if (status) return status;
    claim_bar(run, "rows of the perfect code", (double)count, CLAIM_AT_MOST, 59049, NULL);
    claim_bar(run, "perfect code: chance of less than 12 right", 1 - within[1], CLAIM_AT_MOST, 1e-10, "sum of 1.6 million chances");
    nigh_free(run->ctx, row);
    row = NULL;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 4);
    status = nigh_toto_random(run->ctx, &pool, width, 59049, &rng, &row, &count);
    if (!status) status = nigh_toto_chance(run->ctx, &pool, count, row, 1, random);
    nigh_free(run->ctx, row);
    if (!status) claim_bar_within(run, "as many random rows: chance of 12 or more right", random[1], 0.637, 0.641, "by the law 0.639");
    return status;
}

/* ---- 3: calibration ------------------------------------------------------------------------------------------- */

static int favourite(const double p[3]) { return p[0] >= p[1] && p[0] >= p[2] ? 0 : p[2] >= p[1] ? 2 : 1; }

static void hit_rates(claim_run *run, const coupons *c)
{
    double stated[BINS] = {0}, hits[BINS] = {0}, count[BINS] = {0}, off = 0, chi = 0, variance[BINS] = {0};
    int all = 0, used = 0;
    for (int k = 0; k < c->count; k++)
        for (int i = 0; i < M; i++, all++) {
            int tip = claim_sabotaged(run, "look-ahead") ? c->result[k][i] : favourite(c->pool[k].p[i]);
            double p = c->pool[k].p[i][favourite(c->pool[k].p[i])];
            int bin = (int)(p * BINS);
            stated[bin] += p, hits[bin] += tip == c->result[k][i], count[bin]++, variance[bin] += p * (1 - p);
        }
    for (int b = 0; b < BINS; b++) {
        if (count[b] == 0) continue;
        off += fabs(hits[b] - stated[b]) / all;
        if (variance[b] < 3) continue;
        chi += (hits[b] - stated[b]) * (hits[b] - stated[b]) / variance[b];
        used++;
    }
    claim_note(run, "%d %s matches", all, c->real ? "real" : "drawn");
    claim_bar(run, "favourites' hit rate beside the stated, mean over matches", off, CLAIM_AT_MOST, c->real ? 0.02 : 0.05, c->real ? NULL : "few matches in quick mode");
    claim_bar(run, "hit rates by the chi-square test, p", nigh_chi_square_tail(used, chi), CLAIM_AT_LEAST, 0.01, NULL);
}

static nigh_status strikes_bars(claim_run *run, const coupons *c)
{
    double expected[M + 1] = {0}, seen[M + 1] = {0}, mean = 0, p_mean = 0, chi = 0, tail_e = 0, tail_s = 0;
    int used = -1;
    for (int k = 0; k < c->count; k++) {
        double p[M], mass[M + 1];
        int strikes = 0;
        for (int i = 0; i < M; i++) {
            int tip = claim_sabotaged(run, "look-ahead") ? c->result[k][i] : favourite(c->pool[k].p[i]);
            p[i] = c->pool[k].p[i][favourite(c->pool[k].p[i])];
            strikes += tip == c->result[k][i];
        }
        nigh_status status = nigh_poisson_binomial(run->ctx, M, p, mass);
        if (status) return status;
        for (int j = 0; j <= M; j++) expected[j] += mass[j], p_mean += j * mass[j] / c->count;
        seen[strikes]++, mean += (double)strikes / c->count;
    }
    for (int j = 0; j <= M; j++) { /* neighbours together until five are expected */
        tail_e += expected[j], tail_s += seen[j];
        if (tail_e < 5 && j < M) continue;
        if (tail_e > 0) chi += (tail_s - tail_e) * (tail_s - tail_e) / tail_e, used++;
        tail_e = tail_s = 0;
    }
    claim_note(run, "the row of all favourites has %.3f right on average, expected %.3f, over %d coupons", mean, p_mean, c->count);
    claim_bar(run, "strikes of the favourites: mean less the expected", fabs(mean - p_mean), CLAIM_AT_MOST, c->real ? 0.25 : 0.6, NULL);
    claim_bar(run, "strikes by the chi-square test, p", nigh_chi_square_tail(used, chi), CLAIM_AT_LEAST, 0.05, NULL);
    return NIGH_OK;
}

/* ---- 4: how many rows ----------------------------------------------------------------------------------------- */

typedef struct coupon_rows {
    const coupons *c;
    double chosen[MOST_COUPONS], exact[MOST_COUPONS];
    bool hit[MOST_COUPONS];
} coupon_rows;

static nigh_status rows_task(nigh_context *ctx, int index, void *user)
{
    coupon_rows *r = user;
    int32_t *row = NULL, result = 0;
    int64_t count;
    double within[3];
    for (int i = 0; i < M; i++) result += r->c->result[index][i] * toto_power[i];
    nigh_status status = nigh_toto_greedy(ctx, &r->c->pool[index], 2, 0.5, 100000, &row, &count, NULL);
    if (!status) status = nigh_toto_chance(ctx, &r->c->pool[index], count, row, 2, within);
    if (status) return status;
    r->chosen[index] = (double)count, r->exact[index] = within[2], r->hit[index] = false;
    for (int64_t i = 0; i < count && !r->hit[index]; i++) r->hit[index] = wrong_tips(M, row[i], result) <= 2;
    nigh_free(ctx, row);
    return NIGH_OK;
}

static nigh_status rows_bars(claim_run *run, const coupons *c)
{
    int count = run->quick ? 1 : c->count;
    coupon_rows *r = nigh_alloc_zero(run->ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    r->c = c;
    nigh_status status = claim_tasks(run, count, rows_task, r);
    double random = nigh_toto_rows_needed(NIGH_TOTO_EXACT, 1594323, nigh_toto_ball(M, 0, 2), 0.5), share = 0, hits = 0, stated = 0, variance = 0;
    for (int k = 0; k < count; k++) {
        share += r->chosen[k] / random / count;
        hits += r->hit[k], stated += r->exact[k], variance += r->exact[k] * (1 - r->exact[k]);
    }
    if (!status) {
        claim_note(run, "11 right with safety 1/2: %.0f rows on average over %d coupons, %.0f random ones", share * random, count, random);
        claim_bar(run, "rows needed over random rows", share, CLAIM_AT_MOST, 0.2, NULL);
        if (!run->quick) {
            claim_note(run, "%.0f of %d coupons had 11 right, %.1f promised", hits, count, stated);
            claim_bar(run, "promised safety on results, standard errors", fabs(hits - stated) / sqrt(variance), CLAIM_AT_MOST, 3, NULL);
        }
    }
    nigh_free(run->ctx, r);
    return status;
}

/* ---- 5: money ------------------------------------------------------------------------------------------------- */

static void bend(const nigh_toto_pool *pool, double x, nigh_toto_pool *crowd)
{
    *crowd = *pool;
    for (int i = 0; i < M; i++) {
        double sum = 0;
        for (int o = 0; o < 3; o++) sum += crowd->p[i][o] = pow(pool->p[i][o], x);
        for (int o = 0; o < 3; o++) crowd->p[i][o] /= sum;
    }
}

enum { MONEY_COUPONS = 12, MONEY_ROWS = 200, QUICK_ROWS = 30, MONEY_KINDS = 7 };
enum { FAIR_CROWD, FAIR_RANDOM, FAIR_LIKELY, FAIR_VALUABLE, BENT_RANDOM, BENT_VALUABLE, SHUFFLED };

typedef struct money_work {
    claim_run *run;
    const coupons *c;
    double roi[MONEY_COUPONS][MONEY_KINDS], off[MONEY_COUPONS]; /* off: promised return of the rows by value beside the exact one */
} money_work;

/* Rows tipped as the crowd tips. */
static nigh_status crowd_rows(nigh_context *ctx, const nigh_toto_pool *crowd, int64_t n, nigh_rng *rng, int32_t **rows, int64_t *count)
{
    int32_t *row = nigh_alloc_zero(ctx, (size_t)n, sizeof *row);
    if (!row) return NIGH_MEMORY;
    for (int64_t k = 0; k < n; k++)
        for (int i = 0; i < M; i++) row[k] += (int32_t)nigh_rng_categorical(rng, 3, crowd->p[i]) * toto_power[i];
    *rows = row, *count = n;
    return NIGH_OK;
}

static nigh_status roi_of(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, int32_t *row, int64_t count, nigh_rng *rng, double *roi)
{
    const nigh_toto_rules rules = nigh_toto_rules_default();
    nigh_toto_money money;
    nigh_status status = nigh_toto_pay(ctx, pool, crowd, &rules, count, row, rng, &money);
    nigh_free(ctx, row);
    if (!status) *roi = money.roi;
    return status;
}

static nigh_status money_task(nigh_context *ctx, int index, void *user)
{
    money_work *w = user;
    const nigh_toto_pool *pool = &w->c->pool[index];
    const nigh_toto_rules rules = nigh_toto_rules_default();
    nigh_toto_pool bent, shuffled = *pool;
    int width[M];
    double *roi = w->roi[index];
    const int64_t n = w->run->quick ? QUICK_ROWS : MONEY_ROWS;
    nigh_rng rng = nigh_rng_new(claim_seed(w->run), 100 + (uint64_t)index);
    bend(pool, 1.6, &bent);
    for (int i = 0; i < M; i++) width[i] = 3, memcpy(shuffled.p[i], pool->p[(i + 1) % M], sizeof shuffled.p[i]); /* results of other matches */
    nigh_status status = NIGH_OK;
    for (int kind = 0; kind < MONEY_KINDS && !status; kind++) {
        int32_t *row = NULL;
        int64_t count;
        double *value = NULL, promised = 0;
        const nigh_toto_pool *crowd = kind == BENT_RANDOM || kind == BENT_VALUABLE ? &bent : pool;
        if (kind == FAIR_CROWD) status = crowd_rows(ctx, crowd, n, &rng, &row, &count);
        else if (kind == FAIR_RANDOM || kind == BENT_RANDOM) status = nigh_toto_random(ctx, pool, width, n, &rng, &row, &count);
        else if (kind == FAIR_LIKELY) status = nigh_toto_likely(ctx, pool, n, &row, &count);
        else status = nigh_toto_valuable(ctx, pool, crowd, &rules, n, &row, &count, &value);
        for (int64_t i = 0; i < n && value; i++) promised += value[claim_sabotaged(w->run, "prizes-not-shared") ? 0 : i] / (double)n;
        if (!status) status = roi_of(ctx, kind == SHUFFLED ? &shuffled : pool, crowd, row, count, &rng, &roi[kind]);
        if (!status && kind == BENT_VALUABLE) w->off[index] = fabs(promised - 1 - roi[kind]);
        nigh_free(ctx, value);
    }
    return status;
}

static nigh_status money_bars(claim_run *run, const coupons *c)
{
    int count = run->quick ? 1 : MONEY_COUPONS;
    money_work w = {.run = run, .c = c};
    nigh_status status = claim_tasks(run, count, money_task, &w);
    if (status) return status;
    double mean[MONEY_KINDS] = {0}, square[MONEY_KINDS] = {0}, payout = 0;
    const nigh_toto_rules rules = nigh_toto_rules_default();
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) payout += rules.share[j];
    double off = 0;
    for (int k = 0; k < count; k++) off = fmax(off, w.off[k]);
    for (int k = 0; k < count; k++)
        for (int i = 0; i < MONEY_KINDS; i++) mean[i] += w.roi[k][i] / count, square[i] += w.roi[k][i] * w.roi[k][i] / count;
    double error = sqrt(fmax(0, square[FAIR_CROWD] - mean[FAIR_CROWD] * mean[FAIR_CROWD]) / count);
    claim_note(run, "return on %d rows less the stake, exact, mean over %d coupons. Crowd that tips by the true chances: rows like its own %.3f, random %.3f, likeliest %.3f, by value "
               "%.3f; crowd in proportion to p^1.6: random %.3f, by value %.3f; chances of other matches: %.3f", run->quick ? QUICK_ROWS : MONEY_ROWS, count, mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], mean[6]);
    claim_note(run, "who tips the likeliest rows wins the lower classes more often than a crowd that spreads its tips, even if these follow the true chances");
    claim_bar(run, "crowd that is right: rows like its own", mean[FAIR_CROWD], CLAIM_AT_MOST, payout - 1 + 2 * error, "payout less 1, two standard errors");
    claim_bar(run, "crowd that is right: random rows", mean[FAIR_RANDOM], CLAIM_AT_MOST, payout - 1 + 2 * error, NULL);
    claim_bar(run, "crowd that is right: the likeliest rows", mean[FAIR_LIKELY], CLAIM_AT_MOST, 0, "above payout less 1, below the stake");
    claim_bar(run, "crowd that is right: the best rows by value", mean[FAIR_VALUABLE], CLAIM_AT_MOST, 0, "exact return; below the stake");
    claim_bar(run, "crowd that follows favourites: by value less random", mean[BENT_VALUABLE] - mean[BENT_RANDOM], CLAIM_AT_LEAST, 0.2, NULL);
    claim_bar(run, "rows by value: promised return beside the exact", off, CLAIM_AT_MOST, 1e-9, NULL);
    claim_bar(run, "chances of other matches: rows by value", mean[SHUFFLED], CLAIM_AT_MOST, 0, "nothing is earned without knowledge");
    return NIGH_OK;
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

static nigh_status run(claim_run *run)
{
    const char *folder = getenv("NIGH_DATA");
    coupons *c = nigh_alloc_zero(run->ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    nigh_status status = folder && *folder && !run->quick ? read_coupons(run, folder, c) : draw_coupons(run, c);
    if (!status) formula_bars(run);
    if (!status) status = law_bar(run);
    if (!status) status = engine_bar(run, c);
    if (!status) status = code_bars(run);
    if (!status) hit_rates(run, c);
    if (!status) status = strikes_bars(run, c);
    if (!status) status = rows_bars(run, c);
    if (!status) status = money_bars(run, c);
    nigh_free(run->ctx, c);
    return status;
}

const nigh_claim claim_soccer_toto = {.slug = "soccer-toto", .title = "Beating the average: how to generate profit by exploiting the inefficiencies of soccer betting",
                                      .run = run, .saboteurs = saboteurs};
