/* Masses and tails of the classical laws, on the incomplete functions. Declared in nigh/special.h. */
#include "nigh/special.h"
#include "core/special.h"

#include <math.h>

/* ---- binomial, Poisson ---- */

double nigh_binomial_mass(double n, double p, double k)
{
    if (!(n >= 0) || n != floor(n) || !(p >= 0 && p <= 1) || isnan(k)) return NAN;
    if (k < 0 || k > n || k != floor(k)) return 0;
    if (p == 0) return k == 0;
    if (p == 1) return k == n;
    if (k == 0) return exp(n * log1p(-p));
    if (k == n) return pow(p, n);
    /* Product of two Poisson terms over a third: their deviances carry the digits. */
    return nigh_poisson_term(k, n * p) * nigh_poisson_term(n - k, n * (1 - p)) / nigh_poisson_term(n, n);
}

double nigh_binomial_cdf(double n, double p, double k)
{
    if (!(n >= 0) || !(p >= 0 && p <= 1) || isnan(k)) return NAN;
    k = floor(k);
    if (k < 0) return 0;
    return k >= n ? 1 : nigh_beta_q(k + 1, n - k, p);
}

double nigh_binomial_tail(double n, double p, double k)
{
    if (!(n >= 0) || !(p >= 0 && p <= 1) || isnan(k)) return NAN;
    k = floor(k);
    if (k < 0) return 1;
    return k >= n ? 0 : nigh_beta_p(k + 1, n - k, p);
}

double nigh_poisson_mass(double mean, double k)
{
    if (!(mean >= 0) || isnan(k)) return NAN;
    return k < 0 || k != floor(k) ? 0 : nigh_poisson_term(k, mean);
}

double nigh_poisson_cdf(double mean, double k)
{
    if (!(mean >= 0) || isnan(k)) return NAN;
    return k < 0 ? 0 : nigh_gamma_q(floor(k) + 1, mean);
}

double nigh_poisson_tail(double mean, double k)
{
    if (!(mean >= 0) || isnan(k)) return NAN;
    return k < 0 ? 1 : nigh_gamma_p(floor(k) + 1, mean);
}

/* ---- hypergeometric ---- */

static bool hypergeometric_valid(int64_t total, int64_t good, int64_t drawn)
{
    return total >= 0 && good >= 0 && drawn >= 0 && good <= total && drawn <= total;
}

double nigh_hypergeometric_mass(int64_t total, int64_t good, int64_t drawn, int64_t k)
{
    if (!hypergeometric_valid(total, good, drawn)) return NAN;
    if (k < 0 || k > good || k > drawn || drawn - k > total - good) return 0;
    if (drawn == 0 || drawn == total) return 1;
    /* Three binomial masses with one p (any p does; this one keeps all three near their modes). */
    double p = (double)drawn / (double)total;
    return nigh_binomial_mass((double)good, p, (double)k) *
           nigh_binomial_mass((double)(total - good), p, (double)(drawn - k)) /
           nigh_binomial_mass((double)total, p, (double)drawn);
}

/* Sum of masses from `from` in direction `step` until they vanish. */
static double hypergeometric_sum(int64_t total, int64_t good, int64_t drawn, int64_t from, int step)
{
    double sum = 0;
    int64_t least = drawn - (total - good) > 0 ? drawn - (total - good) : 0;
    int64_t most = good < drawn ? good : drawn;
    if (step < 0 && from > most) from = most;
    if (step > 0 && from < least) from = least;
    for (int64_t k = from; k >= least && k <= most; k += step) {
        double mass = nigh_hypergeometric_mass(total, good, drawn, k);
        sum += mass;
        if (mass < sum * 1e-20 && (double)k * step > (double)drawn * (double)good / (double)total * step) break;
    }
    return sum > 1 ? 1 : sum;
}

double nigh_hypergeometric_cdf(int64_t total, int64_t good, int64_t drawn, int64_t k)
{
    if (!hypergeometric_valid(total, good, drawn)) return NAN;
    if ((double)k > (double)drawn * (double)good / (double)(total ? total : 1))
        return 1 - hypergeometric_sum(total, good, drawn, k + 1, 1);
    return k < 0 ? 0 : hypergeometric_sum(total, good, drawn, k, -1);
}

double nigh_hypergeometric_tail(int64_t total, int64_t good, int64_t drawn, int64_t k)
{
    if (!hypergeometric_valid(total, good, drawn)) return NAN;
    if ((double)k < (double)drawn * (double)good / (double)(total ? total : 1))
        return k < 0 ? 1 : 1 - hypergeometric_sum(total, good, drawn, k, -1);
    return hypergeometric_sum(total, good, drawn, k + 1, 1);
}

/* ---- Student, chi-square, F ---- */

double nigh_student_t_tail(double freedom, double t)
{
    if (!(freedom > 0) || isnan(t)) return NAN;
    if (isinf(freedom)) return nigh_normal_tail(t);
    double square = t * t, x = freedom / (freedom + square), y = square / (freedom + square);
    double tail = isinf(square) ? 0 : 0.5 * nigh_beta_either(0.5 * freedom, 0.5, x, y, false);
    return t >= 0 ? tail : 1 - tail;
}

double nigh_student_t_cdf(double freedom, double t) { return nigh_student_t_tail(freedom, -t); }

double nigh_student_t_quantile(double freedom, double p)
{
    if (!(freedom > 0) || !(p >= 0 && p <= 1)) return NAN;
    if (isinf(freedom)) return nigh_normal_quantile(p);
    if (p == 0.5) return 0;
    if (p > 0.5) return -nigh_student_t_quantile(freedom, 1 - p);
    if (p == 0) return -INFINITY;
    if (p > 0.25) { /* near the middle t^2/(f+t^2) is the small one */
        double y = nigh_beta_p_inverse(0.5, 0.5 * freedom, 2 * (0.5 - p));
        return -sqrt(freedom * y / (1 - y));
    }
    double x = nigh_beta_p_inverse(0.5 * freedom, 0.5, 2 * p);
    return -sqrt(freedom * ((1 - x) / x));
}

double nigh_chi_square_cdf(double freedom, double x) { return x < 0 ? 0 : nigh_gamma_p(0.5 * freedom, 0.5 * x); }
double nigh_chi_square_tail(double freedom, double x) { return x < 0 ? 1 : nigh_gamma_q(0.5 * freedom, 0.5 * x); }

static double f_either(double freedom1, double freedom2, double x, bool upper)
{
    if (!(freedom1 > 0 && freedom2 > 0) || isnan(x)) return NAN;
    if (x <= 0) return upper;
    if (isinf(x)) return !upper;
    double scaled = freedom1 * x, sum = scaled + freedom2;
    return nigh_beta_either(0.5 * freedom1, 0.5 * freedom2, scaled / sum, freedom2 / sum, upper);
}

double nigh_f_cdf(double freedom1, double freedom2, double x) { return f_either(freedom1, freedom2, x, false); }
double nigh_f_tail(double freedom1, double freedom2, double x) { return f_either(freedom1, freedom2, x, true); }

double nigh_kolmogorov_tail(double x)
{
    const double pi = 3.14159265358979323846;
    if (isnan(x)) return NAN;
    if (x <= 0) return 1;
    double sum = 0;
    if (x < 1) { /* the theta function's other form converges fast here */
        for (int k = 1; k < 20; k += 2) sum += exp(-k * k * pi * pi / (8 * x * x));
        return 1 - sqrt(2 * pi) / x * sum;
    }
    for (int k = 1; k < 20; k++) sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
    return sum;
}

/* ---- Poisson-binomial ---- */

nigh_status nigh_poisson_binomial(nigh_context *ctx, int64_t n, const double *p, double *mass)
{
    for (int64_t i = 0; i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return nigh_fail(ctx, NIGH_INVALID, "p[%lld] is %g; chances are 0 to 1", (long long)i, p[i]);
    mass[0] = 1;
    for (int64_t i = 0; i < n; i++) {
        mass[i + 1] = mass[i] * p[i];
        for (int64_t k = i; k > 0; k--) mass[k] = mass[k] * (1 - p[i]) + mass[k - 1] * p[i];
        mass[0] *= 1 - p[i];
    }
    return NIGH_OK;
}

nigh_status nigh_poisson_binomial_tail(nigh_context *ctx, int64_t n, const double *p, int64_t k, double *tail)
{
    double *mass = nigh_alloc_zero(ctx, (size_t)n + 1, sizeof *mass);
    if (!mass) return NIGH_MEMORY;
    nigh_status status = nigh_poisson_binomial(ctx, n, p, mass);
    if (status == NIGH_OK) {
        double sum = 0;
        for (int64_t i = n; i >= 0 && i >= k; i--) sum += mass[i];
        *tail = sum > 1 ? 1 : sum;
    }
    nigh_free(ctx, mass);
    return status;
}
