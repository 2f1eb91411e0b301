/* What rows of a pool pay, exact over all 3^matches outcomes (nigh/toto.h). */
#include "reduce/toto.h"

#include "core/heap.h"

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

/* worth[row]: chance-weighted share of each pool for one row alone, over the price. work: NIGH_TOTO_CLASSES levels twice. */
static void find_worth(const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, double *work, double *worth)
{
    int64_t n = toto_power[pool->matches];
    double *others = work, *level = work + NIGH_TOTO_CLASSES * n, *chance = level + NIGH_TOTO_CLASSES * n;
    toto_outcome_chances(pool, chance);
    crowd_levels(crowd, others);
    memset(worth, 0, (size_t)n * sizeof *worth);
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
        for (int64_t o = 0; o < n; o++) level[o] = chance[o] * rules->share[j] * (rules->turnover + 1) / (1 + rules->turnover * others[j * n + o]);
        toto_spread(pool->matches, j, level);
        for (int64_t o = 0; o < n; o++) worth[o] += level[j * n + o];
    }
}

nigh_status nigh_toto_valuable(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, int32_t **rows, int64_t *count,
                               double **value)
{
    nigh_status status = check_all(ctx, pool, crowd, rules, n);
    if (status) return status;
    int64_t outcomes = toto_power[pool->matches];
    if (n > outcomes) n = outcomes;
    heap h = {.ctx = ctx};
    double *work = nigh_alloc(ctx, (2 * NIGH_TOTO_CLASSES + 2) * (size_t)outcomes * sizeof *work), *of = nigh_alloc(ctx, (size_t)n * sizeof *of);
    int32_t *row = nigh_alloc(ctx, (size_t)n * sizeof *row);
    status = work && of && row ? heap_reserve(&h, outcomes) : NIGH_MEMORY;
    if (!status) {
        double *worth = work + (2 * NIGH_TOTO_CLASSES + 1) * outcomes;
        find_worth(pool, crowd, rules, work, worth);
        for (int64_t o = 0; o < outcomes; o++) h.at[o] = (heap_entry){worth[o], o};
        h.count = outcomes;
        heap_make(&h);
        for (int64_t i = 0; i < n; i++) {
            heap_entry top = heap_pop(&h);
            row[i] = (int32_t)top.id, of[i] = top.key;
        }
    }
    heap_free(&h);
    nigh_free(ctx, work);
    if (status || !value) nigh_free(ctx, of);
    else *value = of;
    if (status) nigh_free(ctx, row);
    else *rows = row, *count = n;
    return status;
}
