/*
 * What the mechanisms promise: noise scales, the tuned sigma, and the two half-widths. Declared in nigh/release.h, where the
 * formulae stand.
 *
 * The theorem: a mechanism whose answers are within alpha of the hold-out's means, but for probability b, and that is
 * (eps, delta)-private, is within alpha + e^eps - 1 + c + 2d of the distribution's means, but for probability b/c + delta/d,
 * for every c, d > 0 ("A New Analysis of Differential Privacy's Generalization Guarantees", theorem 3.5).
 */
#include "release/holdout.h"

#include "nigh/special.h"

#include <math.h>

double holdout_threshold_scale(const nigh_holdout_options *o) { return o->noise == NIGH_HOLDOUT_TEXTBOOK ? 2 * o->scale : 0; }
double holdout_test_scale(const nigh_holdout_options *o) { return o->noise == NIGH_HOLDOUT_TEXTBOOK ? 4 * o->scale : o->scale; }

static double smaller(double a, double b) { return a < b ? a : b; }

/* Noise of one answer of GAUSSIAN at level beta over m answers, plus the bias that mutual information allows. */
static double gaussian_width(double sigma, double n, double m, double range, double beta)
{
    double information = m * range * range / (8 * n * sigma * sigma);
    return sigma * nigh_normal_tail_quantile(beta / (2 * m)) + range * sqrt(information / (2 * n));
}

double nigh_holdout_sigma(int64_t n, int64_t m, double range, double beta)
{
    /* Golden section in log sigma; the width is convex there (a sum of an exponential up and one down). */
    const double ratio = 0.6180339887498949;
    double a = log(1e-9 * range), b = log(1e9 * range);
    double x = b - ratio * (b - a), y = a + ratio * (b - a);
    double fx = gaussian_width(exp(x), (double)n, (double)m, range, beta), fy = gaussian_width(exp(y), (double)n, (double)m, range, beta);
    for (int i = 0; i < 100; i++) {
        if (fx < fy) {
            b = y, y = x, fy = fx;
            x = b - ratio * (b - a);
            fx = gaussian_width(exp(x), (double)n, (double)m, range, beta);
        } else {
            a = x, x = y, fx = fy;
            y = a + ratio * (b - a);
            fy = gaussian_width(exp(y), (double)n, (double)m, range, beta);
        }
    }
    return exp((a + b) / 2);
}

/* How far an answer may be from h, but for probability b over all m answers. */
static double sample_width(const nigh_holdout_options *o, double m, double units, double b)
{
    if (o->kind == NIGH_HOLDOUT_GAUSSIAN) return o->scale * nigh_normal_tail_quantile(b / (2 * m));
    double gamma = holdout_threshold_scale(o) * log((units + 1) / b); /* b/2 over units + 1 one-sided draws */
    double eta = holdout_test_scale(o) * log(2 * m / b);              /* b/4 over m */
    double answer = o->scale * log(4 * units / b);                    /* b/4 over `units` two-sided draws */
    return fmax(o->threshold + fmax(gamma, 0) + eta, answer);
}

/* What all answers together give away: pure epsilon (INFINITY: none) and rho of concentrated privacy. */
typedef struct spent {
    double pure, rho;
} spent;

static spent spend(const nigh_holdout_options *o, double m, double units)
{
    double unit = (o->high - o->low) / (double)o->n, gamma = holdout_threshold_scale(o), eta = holdout_test_scale(o);
    double answer = o->kind == NIGH_HOLDOUT_THRESHOLDOUT ? unit / o->scale : 0;
    if (o->kind == NIGH_HOLDOUT_GAUSSIAN) return (spent){INFINITY, m * unit * unit / (2 * o->scale * o->scale)};
    if (gamma > 0) { /* sparse vector: sensitivity / scale of gamma + 2 sensitivity / scale of eta, per unit */
        double each = unit / gamma + 2 * unit / eta + answer;
        return (spent){units * each, units * each * each / 2};
    }
    double test = unit / eta; /* each test is a Laplace mechanism of its own */
    return (spent){m * test + units * answer, (m * test * test + units * answer * answer) / 2};
}

static double private_theorem(const nigh_holdout_options *o, double m, double units)
{
    double range = o->high - o->low, best = range;
    if (!(o->scale > 0)) return range;
    spent s = spend(o, m, units);
    /* pure privacy has delta = 0: no d, and all of beta for the sample's width */
    for (double c = 1e-6; s.pure < 1 && c < 1; c *= 1.1)
        best = smaller(best, sample_width(o, m, units, o->beta * c) + range * (expm1(s.pure) + c));
    for (double d = 1e-6; d < 0.5; d *= 1.7) {
        double epsilon = s.rho + 2 * sqrt(s.rho * log(2 / (o->beta * d)));
        for (double c = 1e-5; expm1(epsilon) < 1 && c < 1; c *= 1.4)
            best = smaller(best, sample_width(o, m, units, o->beta * c / 2) + range * (expm1(epsilon) + c + 2 * d));
    }
    return best;
}

/* Description length: at most r/step + 1 rises, each told by its round and its new value. */
static double ladder_theorem(const nigh_holdout_options *o, double step)
{
    double range = o->high - o->low, m = (double)o->queries, cells = range / step;
    double courses = (cells + 1) * log(m * (cells + 2));
    return smaller(range, step + range * sqrt((log(2 * m / o->beta) + courses) / (2 * (double)o->n)));
}

double holdout_ladder_step(const nigh_holdout_options *o)
{
    double range = o->high - o->low, best = range, step = range;
    for (double s = range; s > range / (double)o->n; s *= 0.98) {
        double width = ladder_theorem(o, s);
        if (width < best) best = width, step = s;
    }
    /* too few rows for the bound to say anything: the rate it would have */
    return best < range ? step : range * smaller(1, cbrt(log((double)o->queries * (double)o->n) / (double)o->n));
}

static double hoeffding(double range, double n, double level) { return range * sqrt(log(2 / level) / (2 * n)); }

double holdout_theorem(const nigh_holdout_options *o, int64_t m, int64_t units)
{
    double range = o->high - o->low;
    if (m < 1) m = 1;
    if (units < 1) units = 1;
    switch (o->kind) {
    case NIGH_HOLDOUT_THRESHOLDOUT:
    case NIGH_HOLDOUT_SPARSE_VALIDATE:
    case NIGH_HOLDOUT_GAUSSIAN: return private_theorem(o, (double)m, (double)units);
    case NIGH_HOLDOUT_LADDER: return ladder_theorem(o, o->step);
    case NIGH_HOLDOUT_PLAIN: return m > 1 ? range : smaller(range, hoeffding(range, (double)o->n, o->beta));
    case NIGH_HOLDOUT_SPLIT: return smaller(range, hoeffding(range, (double)(o->n / m), o->beta / (double)m));
    }
    return range;
}

double holdout_practical(const nigh_holdout_options *o, int64_t m, bool consulted)
{
    double range = o->high - o->low, n = (double)o->n, tail = log(2 / o->beta), noise = 0;
    if (m < 1) m = 1;
    switch (o->kind) {
    case NIGH_HOLDOUT_THRESHOLDOUT:
    case NIGH_HOLDOUT_SPARSE_VALIDATE:
        noise = consulted ? o->scale * tail : o->threshold + (holdout_threshold_scale(o) + holdout_test_scale(o)) * tail;
        break;
    case NIGH_HOLDOUT_GAUSSIAN:
        noise = o->scale * nigh_normal_tail_quantile(o->beta / 4);
        if (o->scale > 0) noise += sqrt((double)m) * range * range / (4 * n * o->scale);
        break;
    case NIGH_HOLDOUT_LADDER: noise = o->step; break;
    case NIGH_HOLDOUT_PLAIN: break;
    case NIGH_HOLDOUT_SPLIT: n = (double)(o->n / m); break;
    }
    return smaller(range, hoeffding(range, n, o->beta / 2) + noise);
}

/* Counts that are not fixed beforehand are rounded up to a power of two: the bounds grow with them, and move seldom. */
static int64_t round_up(int64_t count)
{
    int64_t power = 1;
    while (power < count && power < INT64_MAX / 2) power *= 2;
    return power;
}

int64_t holdout_questions(const nigh_holdout *h) { return h->options.queries ? h->options.queries : round_up(h->asked); }
int64_t holdout_units(const nigh_holdout *h) { return h->options.budget ? h->options.budget : round_up(h->used); }

double nigh_holdout_tau_practical(const nigh_holdout *h, bool consulted)
{
    return holdout_practical(&h->options, holdout_questions(h), consulted);
}

double nigh_holdout_tau_theorem(const nigh_holdout *h)
{
    return holdout_theorem(&h->options, holdout_questions(h), holdout_units(h));
}
