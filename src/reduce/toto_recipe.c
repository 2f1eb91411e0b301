/* Chances from odds, and the recipe: how many random rows of a system are needed (nigh/toto.h). */
#include "reduce/toto.h"

#include <math.h>

const int32_t toto_power[NIGH_TOTO_MATCHES + 1] = {1, 3, 9, 27, 81, 243, 729, 2187, 6561, 19683, 59049, 177147, 531441, 1594323};

int64_t nigh_toto_outcomes(int matches) { return matches < 0 || matches > NIGH_TOTO_MATCHES ? 0 : toto_power[matches]; }

nigh_status nigh_toto_check(nigh_context *ctx, const nigh_toto_pool *pool)
{
    if (pool->matches < 1 || pool->matches > NIGH_TOTO_MATCHES) return nigh_fail(ctx, NIGH_INVALID, "%d matches; 1 to %d are allowed", pool->matches, NIGH_TOTO_MATCHES);
    for (int i = 0; i < pool->matches; i++) {
        double sum = pool->p[i][0] + pool->p[i][1] + pool->p[i][2];
        for (int o = 0; o < 3; o++)
            if (!(pool->p[i][o] >= 0) || !(pool->p[i][o] <= 1)) return nigh_fail(ctx, NIGH_INVALID, "match %d: a chance of %g; 0 to 1 is allowed", i + 1, pool->p[i][o]);
        if (!(fabs(sum - 1) <= 1e-6)) return nigh_fail(ctx, NIGH_INVALID, "match %d: its chances sum to %.9g, not to 1", i + 1, sum);
    }
    return NIGH_OK;
}

/* ---- odds ------------------------------------------------------------------------------------------------------- */

static double power_sum(const double odds[3], double c) { return pow(odds[0], -c) + pow(odds[1], -c) + pow(odds[2], -c); }

nigh_status nigh_toto_chances(nigh_context *ctx, nigh_toto_margin margin, const double odds[3], double p[3])
{
    static const char *const name[3] = {"home win", "draw", "away win"};
    for (int o = 0; o < 3; o++)
        if (!(odds[o] > 1) || !isfinite(odds[o])) return nigh_fail(ctx, NIGH_INVALID, "odds of %g for the %s; decimal odds above 1 are needed", odds[o], name[o]);
    double low = 0, high = 1; /* the sum falls from 3 to 0 as c grows */
    while (power_sum(odds, high) > 1) high *= 2;
    for (int i = 0; i < 200 && margin == NIGH_TOTO_POWER && low < high; i++) {
        double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) break;
        if (power_sum(odds, middle) > 1) low = middle;
        else high = middle;
    }
    double c = margin == NIGH_TOTO_POWER ? high : 1, sum = power_sum(odds, c);
    for (int o = 0; o < 3; o++) p[o] = pow(odds[o], -c) / sum;
    return NIGH_OK;
}

/* ---- rows of a system ------------------------------------------------------------------------------------------- */

/* sum of log(y) over y = last - n + 1 .. last: the midpoint rule with its first two corrections; to 1e-15 beyond the first hundred. */
static long double log_product(int64_t last, int64_t n)
{
    long double high = (long double)last + 0.5L, low = high - (long double)n;
    long double sum = high * logl(high) - low * logl(low) - (long double)n;
    return sum - (1 / high - 1 / low) / 24 + 7 * (1 / (high * high * high) - 1 / (low * low * low)) / 2880;
}

double nigh_toto_hit(int64_t N, int64_t K, int64_t n)
{
    enum { SUMMED = 2000, FAR = 200 };
    if (N < 1 || K < 1 || n < 1) return 0;
    if (K + n > N) return 1;
    int64_t few = n < K ? n : K, many = n < K ? K : n; /* the law is the same with n and K exchanged */
    if (few > SUMMED && N - many - few > FAR) return (double)-expm1l(log_product(N - many, few) - log_product(N, few));
    double log_miss = 0;
    for (int64_t i = 0; i < few; i++) log_miss += log1p(-(double)many / (double)(N - i));
    return -expm1(log_miss);
}

static double symmetric_form(double N, double K, double S) { return (N - (K - 1) / 2) * -expm1(log1p(-S) / K); }

/* With n < K the formula is better the other way round: 1 - S = (1 - K / (N - (n-1)/2))^n, solved for n by its fixed point. */
static double exchanged_form(double N, double K, double S)
{
    double n = log1p(-S) / log1p(-K / N);
    for (int i = 0; i < 100; i++) {
        double rest = N - (n - 1) / 2, next = K >= rest ? 1 : log1p(-S) / log1p(-K / rest);
        if (fabs(next - n) <= 1e-12 * n) return next;
        n = next;
    }
    return n;
}

static double least_rows(int64_t N, int64_t K, double S)
{
    int64_t low = 0, high = N - K + 1; /* so many always hit */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (nigh_toto_hit(N, K, middle) >= S) high = middle;
        else low = middle;
    }
    return (double)high;
}

double nigh_toto_rows_needed(nigh_toto_form form, int64_t N, int64_t K, double S)
{
    if (N < 1 || K < 1 || K > N || !(S > 0) || !(S < 1)) return NAN;
    if (K == N) return 1;
    if (form == NIGH_TOTO_PLAIN) return log1p(-S) / log1p(-(double)K / (double)N);
    if (form == NIGH_TOTO_EXACT) return least_rows(N, K, S);
    double n = symmetric_form((double)N, (double)K, S);
    return n < (double)K ? exchanged_form((double)N, (double)K, S) : n;
}

int64_t nigh_toto_ball(int u, int v, int e)
{
    double term[2 * NIGH_TOTO_MATCHES + 2] = {1};
    int64_t sum = 0;
    for (int i = 0; i < u + v; i++)
        for (int j = i + 1; j > 0; j--) term[j] += (i < u ? 2 : 1) * term[j - 1];
    for (int j = 0; j <= e && j <= u + v; j++) sum += (int64_t)term[j];
    return sum;
}

/* ---- the whole coupon ------------------------------------------------------------------------------------------- */

nigh_status toto_check_width(nigh_context *ctx, const nigh_toto_pool *pool, const int *width)
{
    for (int i = 0; i < pool->matches; i++)
        if (width[i] < 1 || width[i] > 3) return nigh_fail(ctx, NIGH_INVALID, "match %d is tipped with %d outcomes; 1 to 3 are allowed", i + 1, width[i]);
    return NIGH_OK;
}

void toto_order(const double p[3], int order[3])
{
    for (int o = 0; o < 3; o++) order[o] = o;
    for (int i = 1; i < 3; i++)
        for (int j = i; j > 0 && p[order[j]] > p[order[j - 1]]; j--) {
            int swap = order[j];
            order[j] = order[j - 1], order[j - 1] = swap;
        }
}

void toto_by_certainty(const nigh_toto_pool *pool, int *match)
{
    double best[NIGH_TOTO_MATCHES];
    for (int i = 0; i < pool->matches; i++) best[i] = fmax(pool->p[i][0], fmax(pool->p[i][1], pool->p[i][2])), match[i] = i;
    for (int i = 1; i < pool->matches; i++)
        for (int j = i; j > 0 && best[match[j]] > best[match[j - 1]]; j--) {
            int swap = match[j];
            match[j] = match[j - 1], match[j - 1] = swap;
        }
}

/* Chance that the system's tips contain the outcome of match i. */
static double covered(const double p[3], int width)
{
    int order[3];
    double sum = 0;
    toto_order(p, order);
    for (int k = 0; k < width; k++) sum += p[order[k]];
    return fmin(sum, 1);
}

nigh_status nigh_toto_system(nigh_context *ctx, const nigh_toto_pool *pool, const int *width, int64_t n, double *hit)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    if (!status) status = toto_check_width(ctx, pool, width);
    if (status) return status;
    if (n < 1) return nigh_fail(ctx, NIGH_INVALID, "%lld rows; 1 or more are needed", (long long)n);
    /* lost[b][l]: chance that the system leaves out the outcome of b matches, l of them doubles */
    double lost[NIGH_TOTO_MATCHES + 1][NIGH_TOTO_MATCHES + 1] = {{1}};
    int m = pool->matches, u = 0, v = 0;
    int64_t N = 1;
    for (int i = 0; i < m; i++) {
        double miss = fmax(0, 1 - covered(pool->p[i], width[i]));
        int two = width[i] == 2;
        for (int b = i + 1; b >= 0; b--)
            for (int l = i + 1; l >= 0; l--) lost[b][l] = lost[b][l] * (1 - miss) + (b && l >= two ? lost[b - 1][l - two] * miss : 0);
        N *= width[i], u += width[i] == 3, v += two;
    }
    for (int k = 0; k <= m; k++) {
        hit[k] = 0;
        for (int b = 0; b + k <= m; b++)
            for (int l = 0; l <= b && l <= v; l++) /* whichever way a lost double is tipped it is wrong: all its rows are alike */
                hit[k] += lost[b][l] * nigh_toto_hit(N, nigh_toto_ball(u, v - l, m - k - b) << l, n > N ? N : n);
    }
    return NIGH_OK;
}
