/* Pools by enumeration of all 3^matches outcomes: the chance of any set of rows, and what it pays (nigh/toto.h). */
#include "reduce/toto.h"

#include <math.h>
#include <string.h>

/* ---- all outcomes at once --------------------------------------------------------------------------------------- */

void toto_outcome_chances(const nigh_toto_pool *pool, double *chance)
{
    int64_t size = 1;
    chance[0] = 1;
    for (int i = 0; i < pool->matches; i++, size *= 3)
        for (int o = 2; o >= 0; o--)
            for (int64_t j = 0; j < size; j++) chance[o * size + j] = chance[j] * pool->p[i][o];
}

void toto_spread(int matches, int radius, double *level)
{
    int64_t n = toto_power[matches];
    memset(level + n, 0, (size_t)(radius * n) * sizeof *level);
    for (int i = 0; i < matches; i++)
        for (int r = radius; r > 0; r--) { /* one more tip of match i wrong */
            const double *from = level + (r - 1) * n;
            double *to = level + r * n;
            int64_t run = toto_power[i];
            for (int64_t base = 0; base < n; base += 3 * run)
                for (int64_t j = base; j < base + run; j++) {
                    double a = from[j], b = from[j + run], c = from[j + 2 * run];
                    to[j] += b + c, to[j + run] += a + c, to[j + 2 * run] += a + b;
                }
        }
}

/* Outcomes at distance exactly d >= 1, tips changed from match `from` on; step: to the other two tips of each match. */
static int32_t *shell(int matches, const int32_t (*step)[2], int32_t row, int from, int d, int32_t *out)
{
    for (int i = from; i + d <= matches; i++)
        for (int k = 0; k < 2; k++) {
            int32_t next = row + step[i][k];
            if (d == 1) *out++ = next;
            else out = shell(matches, step, next, i + 1, d - 1, out);
        }
    return out;
}

int64_t toto_ball(int matches, int32_t row, int r, int32_t *out)
{
    int32_t step[NIGH_TOTO_MATCHES][2], *end = out;
    for (int i = 0; i < matches; i++) {
        int tip = row / toto_power[i] % 3;
        step[i][0] = tip ? -tip * toto_power[i] : toto_power[i];
        step[i][1] = tip == 2 ? -toto_power[i] : (2 - tip) * toto_power[i];
    }
    *end++ = row;
    for (int d = 1; d <= r && d <= matches; d++) end = shell(matches, step, row, 0, d, end);
    return end - out;
}

static nigh_status check_rows(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, const int32_t *row)
{
    if (n < 0) return nigh_fail(ctx, NIGH_INVALID, "%lld rows", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (row[i] < 0 || row[i] >= toto_power[pool->matches])
            return nigh_fail(ctx, NIGH_INVALID, "row %lld is %d; 0 to %d are rows of %d matches", (long long)i, row[i], toto_power[pool->matches] - 1, pool->matches);
    return NIGH_OK;
}

/* Tips that the best row has wrong, for every outcome: Hamming distance to the set, one match after the other. */
static void distances(int matches, int64_t n, const int32_t *row, uint8_t *distance)
{
    enum { FAR = 64 };
    memset(distance, FAR, (size_t)toto_power[matches]);
    for (int64_t i = 0; i < n; i++) distance[row[i]] = 0;
    for (int i = 0; i < matches; i++) {
        int64_t run = toto_power[i];
        for (int64_t base = 0; base < toto_power[matches]; base += 3 * run)
            for (int64_t j = base; j < base + run; j++) {
                uint8_t a = distance[j], b = distance[j + run], c = distance[j + 2 * run], least = a < b ? a : b;
                least = (uint8_t)((least < c ? least : c) + 1);
                distance[j] = a < least ? a : least, distance[j + run] = b < least ? b : least, distance[j + 2 * run] = c < least ? c : least;
            }
    }
}

nigh_status nigh_toto_chance(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, const int32_t *row, int radius, double *within)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status) status = check_rows(ctx, pool, n, row);
    if (!status && (radius < 0 || radius > NIGH_TOTO_MATCHES - 1)) status = nigh_fail(ctx, NIGH_INVALID, "radius %d; 0 to %d are allowed", radius, NIGH_TOTO_MATCHES - 1);
    if (status) return status;
    int64_t outcomes = toto_power[pool->matches];
    double *chance = nigh_alloc(ctx, (size_t)outcomes * sizeof *chance), at[128] = {0};
    uint8_t *distance = nigh_alloc(ctx, (size_t)outcomes);
    if (chance && distance) {
        toto_outcome_chances(pool, chance);
        distances(pool->matches, n, row, distance);
        for (int64_t o = 0; o < outcomes; o++) at[distance[o] & 127] += chance[o];
        double sum = 0;
        for (int r = 0; r <= radius; r++) within[r] = fmin(1, sum += at[r]);
    } else
        status = NIGH_MEMORY;
    nigh_free(ctx, distance);
    nigh_free(ctx, chance);
    return status;
}

/* ---- what it pays ----------------------------------------------------------------------------------------------- */

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

nigh_status nigh_toto_pay(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_pool *crowd, const nigh_toto_rules *rules, int64_t n, const int32_t *row, nigh_rng *rng,
                          nigh_toto_money *out)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status) status = nigh_toto_check(ctx, crowd);
    if (!status) status = check_rows(ctx, pool, n, row);
    if (!status) status = check_rules(ctx, rules);
    if (!status && n < 1) status = nigh_fail(ctx, NIGH_INVALID, "no rows to be paid for");
    if (!status && crowd->matches != pool->matches) status = nigh_fail(ctx, NIGH_INVALID, "the crowd tips %d matches, the pool has %d", crowd->matches, pool->matches);
    if (!status && pool->matches < NIGH_TOTO_CLASSES) status = nigh_fail(ctx, NIGH_INVALID, "%d matches; %d classes need %d or more", pool->matches, NIGH_TOTO_CLASSES, NIGH_TOTO_CLASSES);
    if (status) return status;
    double *work = nigh_alloc(ctx, (2 + 2 * NIGH_TOTO_CLASSES) * (size_t)toto_power[pool->matches] * sizeof *work);
    if (!work) return NIGH_MEMORY;
    pay(pool, crowd, rules, n, row, rng, work, out);
    nigh_free(ctx, work);
    return NIGH_OK;
}
