/* Pools by enumeration of all 3^matches outcomes: the chance of any set of rows (nigh/toto.h). */
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

nigh_status toto_check_rows(nigh_context *ctx, const nigh_toto_pool *pool, int64_t n, const int32_t *row)
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
    if (!status) status = toto_check_rows(ctx, pool, n, row);
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
