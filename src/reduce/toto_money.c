/* What rows of a pool pay, exact over all 3^matches outcomes (nigh/toto.h). */
#include "reduce/toto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nigh_toto_rules nigh_toto_rules_default(void) { return (nigh_toto_rules){.price = 0.5, .turnover = 1e6, .share = {0.21, 0.11, 0.11, 0.12}}; }

static nigh_status check_rules(nigh_context *ctx, const nigh_toto_rules *r)
{
    double sum = 0;
    if (!(r->price > 0) || !isfinite(r->price)) return nigh_fail(ctx, NIGH_INVALID, "a price of %g a row; above 0 is needed", r->price);
    if (!(r->turnover >= 0) || !isfinite(r->turnover)) return nigh_fail(ctx, NIGH_INVALID, "a turnover of %g rows; 0 or more is needed", r->turnover);
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
        if (!(r->share[j] >= 0)) return nigh_fail(ctx, NIGH_INVALID, "class %d has a share of %g of the stakes; 0 or more is needed", j + 1, r->share[j]);
        sum += r->share[j];
    }
    if (sum > 1) return nigh_fail(ctx, NIGH_INVALID, "the classes share %g of the stakes; at most 1 can be paid out", sum);
    return NIGH_OK;
}

/* For every outcome the chance that one row of the crowd has exactly j wrong, j < 4: level[j][outcome]; matches one after the other. */
static void crowd_levels(const nigh_toto_pool *crowd, double *level)
{
    int64_t n = toto_power[crowd->matches], size = 1;
    memset(level, 0, NIGH_TOTO_CLASSES * (size_t)n * sizeof *level);
    level[0] = 1;
    for (int i = 0; i < crowd->matches; i++, size *= 3)
        for (int o = 2; o >= 0; o--)
            for (int j = NIGH_TOTO_CLASSES - 1; j >= 0; j--)
                for (int64_t k = 0; k < size; k++) {
                    double right = level[j * n + k] * crowd->p[i][o], wrong = j ? level[(j - 1) * n + k] * (1 - crowd->p[i][o]) : 0;
                    level[j * n + o * size + k] = right + wrong;
                }
}

/* net[outcome]: what the rows bring in less what they cost. */
static void net_results(const nigh_toto_rules *rules, int64_t outcomes, int64_t n, const double *own, const double *others, double *net)
{
    double stakes = rules->price * (rules->turnover + (double)n);
    for (int64_t o = 0; o < outcomes; o++) {
        net[o] = -rules->price * (double)n;
        for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
            double mine = own[j * outcomes + o];
            if (mine > 0) net[o] += mine * rules->share[j] * stakes / (mine + rules->turnover * others[j * outcomes + o]);
        }
    }
}

enum { ROUNDS = 20000, MANY = 34, FEW = 10 };

static int32_t draw_outcome(const nigh_toto_pool *pool, nigh_rng *rng)
{
    int32_t outcome = 0;
    for (int i = 0; i < pool->matches; i++) {
        double at = nigh_rng_f64(rng);
        outcome += toto_power[i] * (at < pool->p[i][0] ? 0 : at < pool->p[i][0] + pool->p[i][1] ? 1 : 2);
    }
    return outcome;
}

static void draw_rounds(const nigh_toto_pool *pool, const double *net, nigh_rng *rng, nigh_toto_money *out)
{
    int behind[2] = {0, 0};
    for (int s = 0; s < ROUNDS; s++) {
        double sum = 0;
        for (int round = 1; round <= MANY; round++) {
            sum += net[draw_outcome(pool, rng)];
            if (round == FEW) behind[0] += sum < 0;
        }
        behind[1] += sum < 0;
    }
    out->loss_10 = behind[0] / (double)ROUNDS, out->loss_34 = behind[1] / (double)ROUNDS;
}

static void pay(const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, const int32_t *row, nigh_rng *rng, double *work, nigh_toto_money *out)
{
    int64_t outcomes = toto_power[pool->matches];
    double *chance = work, *net = chance + outcomes, *own = net + outcomes, *others = own + NIGH_TOTO_CLASSES * outcomes;
    nigh_toto_money money = {.cost = rules->price * (double)n};
    toto_outcome_chances(pool, chance);
    memset(own, 0, (size_t)outcomes * sizeof *own);
    for (int64_t i = 0; i < n; i++) own[row[i]] += 1;
    toto_spread(pool->matches, NIGH_TOTO_CLASSES - 1, own);
    crowd_levels(crowd, others);
    net_results(rules, outcomes, n, own, others, net);
    for (int64_t o = 0; o < outcomes; o++) {
        money.expected += chance[o] * net[o];
        if (net[o] < 0) money.loss += chance[o];
        if (own[o] + own[outcomes + o] + own[2 * outcomes + o] + own[3 * outcomes + o] == 0) money.nothing += chance[o];
    }
    money.roi = money.expected / money.cost;
    money.nothing_10 = pow(money.nothing, FEW), money.nothing_34 = pow(money.nothing, MANY);
    draw_rounds(pool, net, rng, &money);
    *out = money;
}

static nigh_status check_all(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status) status = nigh_toto_check(ctx, crowd);
    if (!status) status = check_rules(ctx, rules);
    if (!status && n < 1) status = nigh_fail(ctx, NIGH_INVALID, "%lld rows; 1 or more are needed", (long long)n);
    if (!status && crowd->matches != pool->matches) status = nigh_fail(ctx, NIGH_INVALID, "the crowd tips %d matches, the pool has %d", crowd->matches, pool->matches);
    if (!status && pool->matches < NIGH_TOTO_CLASSES) status = nigh_fail(ctx, NIGH_INVALID, "%d matches; %d classes need %d or more", pool->matches, NIGH_TOTO_CLASSES, NIGH_TOTO_CLASSES);
    return status;
}

nigh_status nigh_toto_pay(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, const int32_t *row, nigh_rng *rng,
                          nigh_toto_money *out)
{
    nigh_status status = check_all(ctx, pool, crowd, rules, n);
    if (!status) status = toto_check_rows(ctx, pool, n, row);
    if (status) return status;
    double *work = nigh_alloc(ctx, (2 + 2 * NIGH_TOTO_CLASSES) * (size_t)toto_power[pool->matches] * sizeof *work);
    if (!work) return NIGH_MEMORY;
    pay(pool, crowd, rules, n, row, rng, work, out);
    nigh_free(ctx, work);
    return NIGH_OK;
}

/* ---- rows that a crowd leaves aside ----------------------------------------------------------------------------- */

typedef struct market {
    const nigh_toto_pool *pool;
    const nigh_toto_rules *rules;
    double stakes;                /* rows that are bought in all */
    double *others, *own, *prize; /* [classes, outcomes]: chance that a row of the crowd wins; own winning rows; what one more would add */
    toto_gains gains;
    int32_t *ball, *near;
} market;

/* One more winning row in class j, in prices: what the pool then gives to all own rows less what it gives now. */
static double one_more(const market *m, double chance, int j, double own, double others)
{
    double crowd = m->rules->turnover * others, now = own > 0 ? own / (own + crowd) : 0;
    return chance * m->rules->share[j] * m->stakes * ((own + 1) / (own + 1 + crowd) - now);
}

/* What each row would bring in alone. `level` has NIGH_TOTO_CLASSES levels of scratch. */
static void first_gains(market *m, const double *chance, double *level)
{
    int64_t n = m->gains.outcomes;
    memset(m->gains.gain, 0, (size_t)n * sizeof *m->gains.gain);
    memset(m->own, 0, NIGH_TOTO_CLASSES * (size_t)n * sizeof *m->own);
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
        for (int64_t o = 0; o < n; o++) level[o] = m->prize[j * n + o] = one_more(m, chance[o], j, 0, m->others[j * n + o]);
        toto_spread(m->pool->matches, j, level);
        for (int64_t o = 0; o < n; o++) m->gains.gain[o] += level[j * n + o];
    }
    toto_gains_all(&m->gains);
}

/* The row wins in class j when the outcome is j tips away: rows that win there too are then worth less. */
static void take_row(market *m, const double *chance, int32_t row)
{
    int64_t n = m->gains.outcomes, from = 0;
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
        int64_t inside = j ? nigh_toto_ball(m->pool->matches, 0, j - 1) : 0, end = nigh_toto_ball(m->pool->matches, 0, j);
        if (j == 0) toto_ball(m->pool->matches, row, NIGH_TOTO_CLASSES - 1, m->ball);
        for (; from < end; from++) {
            int64_t at = j * n + m->ball[from];
            double prize = one_more(m, chance[m->ball[from]], j, m->own[at] += 1, m->others[at]), less = prize - m->prize[at];
            m->prize[at] = prize;
            toto_ball(m->pool->matches, m->ball[from], j, m->near);
            for (int64_t k = inside; k < end; k++) toto_gains_add(&m->gains, m->near[k], less);
        }
    }
    toto_gains_drop(&m->gains, row);
}

static nigh_status market_new(nigh_arena *arena, market *m)
{
    int64_t n = toto_power[m->pool->matches];
    size_t level = NIGH_TOTO_CLASSES * (size_t)n * sizeof(double), ball = (size_t)nigh_toto_ball(m->pool->matches, 0, NIGH_TOTO_CLASSES - 1) * sizeof(int32_t);
    m->others = nigh_arena_alloc(arena, level), m->own = nigh_arena_alloc(arena, level), m->prize = nigh_arena_alloc(arena, level);
    m->ball = nigh_arena_alloc(arena, ball), m->near = nigh_arena_alloc(arena, ball);
    return m->others && m->own && m->prize && m->ball && m->near ? toto_gains_new(arena, n, &m->gains) : NIGH_MEMORY;
}

static nigh_status take_rows(nigh_context *ctx, market *m, const nigh_toto_pool *crowd, nigh_arena *arena, int64_t n, int32_t *row, double *value)
{
    int64_t outcomes = toto_power[m->pool->matches];
    double *chance = nigh_arena_alloc(arena, (size_t)outcomes * sizeof *chance), *level = nigh_arena_alloc(arena, NIGH_TOTO_CLASSES * (size_t)outcomes * sizeof *level);
    nigh_status status = chance && level ? market_new(arena, m) : NIGH_MEMORY;
    if (status) return status;
    toto_outcome_chances(m->pool, chance);
    crowd_levels(crowd, m->others);
    first_gains(m, chance, level);
    for (int64_t i = 0; i < n && !status; i++, status = nigh_poll(ctx)) {
        row[i] = toto_gains_best(&m->gains);
        value[i] = m->gains.gain[row[i]];
        take_row(m, chance, row[i]);
    }
    return status;
}

nigh_status nigh_toto_valuable(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, int32_t **rows, int64_t *count,
                               double **value)
{
    nigh_status status = check_all(ctx, pool, crowd, rules, n);
    nigh_arena *arena = NULL;
    if (!status) status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    if (n > toto_power[pool->matches]) n = toto_power[pool->matches];
    market m = {.pool = pool, .rules = rules, .stakes = rules->turnover + (double)n};
    double *of = nigh_alloc(ctx, (size_t)n * sizeof *of);
    int32_t *row = nigh_alloc(ctx, (size_t)n * sizeof *row);
    status = of && row ? take_rows(ctx, &m, crowd, arena, n, row, of) : NIGH_MEMORY;
    nigh_arena_free(arena);
    if (status || !value) nigh_free(ctx, of);
    else *value = of;
    if (status) nigh_free(ctx, row);
    else *rows = row, *count = n;
    return status;
}
