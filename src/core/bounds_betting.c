/* The betting bound of a mean. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "core/stats.h"

#include <math.h>

/* log capital's running maximum against "mean >= m", with fractions bet[t] of what may be staked. */
static bool rejected(int64_t n, const double *x, const double *bet, double limit, double m, double goal)
{
    double capital = 0, room = limit - m;
    if (!(room > 0)) return true;
    for (int64_t t = 0; t < n; t++) {
        capital += log1p(bet[t] * ((m - x[t]) / room));
        if (capital >= goal) return true;
    }
    return false;
}

nigh_status nigh_bound_mean_betting(nigh_context *ctx, int64_t n, const double *x, double limit, double confidence,
                                    nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status && !(limit > 0 && isfinite(limit)))
        status = nigh_fail(ctx, NIGH_INVALID, "limit is %g; positive and finite is needed", limit);
    if (!status) status = nigh_check_sample(ctx, n, 1, x, 0, limit);
    if (status) return status;
    double *bet = nigh_alloc(ctx, (size_t)n * sizeof *bet);
    if (!bet) return NIGH_MEMORY;
    double goal = -log1p(-confidence), sum = 0.5 * limit, squares = 0.25 * limit * limit;
    for (int64_t t = 0; t < n; t++) {
        double mean = sum / (double)(t + 1), spread = squares / (double)(t + 1);
        double stake = sqrt(2 * goal / ((double)n * spread)) * (limit - mean);
        bet[t] = stake < 0.99 ? stake : 0.99;
        sum += x[t];
        double d = x[t] - sum / (double)(t + 2);
        squares += d * d;
    }
    double low = 0, high = limit;
    for (int step = 0; step < 100 && high - low > 1e-12 * limit; step++) {
        double m = 0.5 * (low + high);
        if (rejected(n, x, bet, limit, m, goal)) high = m;
        else low = m;
    }
    nigh_free(ctx, bet);
    *out = (nigh_figure){nigh_mean(n, x), 0, high, confidence, n, "betting martingale"};
    return NIGH_OK;
}
