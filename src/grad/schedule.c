/* Schedules of a scalar; see schedule.h. */
#include "grad/schedule.h"

#include <math.h>
#include <string.h>

static const char *const names[SCHEDULE_KINDS] = {"constant", "linear", "cosine", "step", "plateau", "one-cycle", "inverse-root"};

const char *schedule_name(schedule_kind kind) { return (unsigned)kind < SCHEDULE_KINDS ? names[kind] : NULL; }

schedule_kind schedule_named(const char *name)
{
    int k = 0;
    while (k < SCHEDULE_KINDS && strcmp(names[k], name)) k++;
    return (schedule_kind)k;
}

static double otherwise(double value, double fallback) { return value == 0 ? fallback : value; }

static nigh_status check_times(nigh_context *ctx, const schedule *s)
{
    const char *name = names[s->kind];
    if (s->warm_up < 0) return nigh_fail(ctx, NIGH_INVALID, "warm_up is %lld steps; 0 or more is allowed", (long long)s->warm_up);
    bool timed = s->kind == SCHEDULE_LINEAR || s->kind == SCHEDULE_COSINE || s->kind == SCHEDULE_ONE_CYCLE;
    if (timed && s->total <= s->warm_up)
        return nigh_fail(ctx, NIGH_INVALID, "total of a %s schedule is %lld steps; more than its warm_up of %lld is needed", name,
                         (long long)s->total, (long long)s->warm_up);
    if (s->kind == SCHEDULE_ONE_CYCLE && s->warm_up)
        return nigh_fail(ctx, NIGH_INVALID, "warm_up of a one-cycle schedule is %lld; it has its own rise, use 0", (long long)s->warm_up);
    if (s->kind == SCHEDULE_STEP && s->period < 1)
        return nigh_fail(ctx, NIGH_INVALID, "period of a step schedule is %lld; 1 or more is allowed", (long long)s->period);
    return NIGH_OK;
}

nigh_status schedule_check(nigh_context *ctx, schedule *s)
{
    if ((unsigned)s->kind >= SCHEDULE_KINDS) return nigh_fail(ctx, NIGH_INVALID, "schedule kind is %d; 0 to %d is allowed", (int)s->kind, SCHEDULE_KINDS - 1);
    if (!isfinite(s->base) || !isfinite(s->start) || !isfinite(s->last))
        return nigh_fail(ctx, NIGH_INVALID, "base, start and last are %g, %g and %g; finite numbers are allowed", s->base, s->start, s->last);
    nigh_status status = check_times(ctx, s);
    if (status) return status;
    schedule full = *s;
    full.factor = otherwise(s->factor, 0.1);
    full.threshold = otherwise(s->threshold, 1e-4);
    full.patience = s->patience == 0 ? 10 : s->patience;
    full.rise = otherwise(s->rise, 0.3);
    full.divide = otherwise(s->divide, 25);
    full.divide_last = otherwise(s->divide_last, 1e4);
    if (!(full.factor > 0 && full.factor <= 1)) return nigh_fail(ctx, NIGH_INVALID, "factor is %g; above 0 to 1 is allowed", full.factor);
    if (!(full.rise > 0 && full.rise < 1)) return nigh_fail(ctx, NIGH_INVALID, "rise is %g; between 0 and 1 is allowed", full.rise);
    if (!(full.divide >= 1 && full.divide_last >= 1))
        return nigh_fail(ctx, NIGH_INVALID, "divide and divide_last are %g and %g; 1 or more is allowed", full.divide, full.divide_last);
    if (!(full.threshold >= 0 && full.threshold < 1)) return nigh_fail(ctx, NIGH_INVALID, "threshold is %g; 0 to below 1 is allowed", full.threshold);
    *s = full;
    return NIGH_OK;
}

static double cosine(double from, double to, double p) { return to + (from - to) / 2 * (1 + cos(3.14159265358979323846 * p)); }

static double one_cycle(const schedule *s, int64_t t)
{
    double first = s->base / s->divide, last = first / s->divide_last;
    double top = s->rise * (double)s->total - 1, end = (double)s->total - 1, at = (double)t;
    if (at >= end) return top < end ? last : s->base;
    if (at <= top) return top > 0 ? cosine(first, s->base, at / top) : s->base;
    return top >= 0 || at > 0 ? cosine(s->base, last, (at - top) / (end - top)) : first;
}

double schedule_at(const schedule *s, const schedule_plateau *plateau, int64_t t)
{
    if (t < s->warm_up) return s->start + (s->base - s->start) * (double)(t + 1) / (double)s->warm_up;
    double p = s->total > s->warm_up ? fmin((double)(t - s->warm_up) / (double)(s->total - s->warm_up), 1) : 1;
    switch (s->kind) {
    case SCHEDULE_LINEAR: return s->base + (s->last - s->base) * p;
    case SCHEDULE_COSINE: return cosine(s->base, s->last, p);
    case SCHEDULE_STEP: return fmax(s->base * pow(s->factor, (double)((t - s->warm_up) / s->period)), s->last);
    case SCHEDULE_PLATEAU: return fmax(s->base * (plateau && plateau->fed ? plateau->left : 1), s->last);
    case SCHEDULE_ONE_CYCLE: return one_cycle(s, t);
    case SCHEDULE_INVERSE_ROOT: return s->base * sqrt((double)(s->warm_up ? s->warm_up : 1) / (double)(t + 1));
    default: return s->base;
    }
}

bool schedule_plateau_feed(const schedule *s, schedule_plateau *plateau, double metric)
{
    bool better = plateau->fed ? (s->higher ? metric > plateau->best * (1 + s->threshold) : metric < plateau->best * (1 - s->threshold))
                               : metric == metric;
    if (!plateau->fed) plateau->left = 1, plateau->best = s->higher ? -INFINITY : INFINITY;
    plateau->fed++;
    if (better) plateau->best = metric, plateau->bad = 0;
    else plateau->bad++;
    if (plateau->cooling > 0) plateau->cooling--, plateau->bad = 0;
    if (plateau->bad <= (s->patience < 0 ? 0 : s->patience)) return false;
    plateau->cooling = s->cooldown;
    plateau->bad = 0;
    double before = fmax(s->base * plateau->left, s->last);
    plateau->left *= s->factor;
    return fmax(s->base * plateau->left, s->last) < before;
}
