/*
 * Distributions of one number and of vectors. Declared in nigh/random.h. Sources: Devroye, "Non-uniform random variate
 * generation" (1986), and the papers named at the functions.
 */
#include "nigh/random.h"
#include "nigh/special.h"

#include <math.h>

/* (0, 1]: its logarithm is finite. */
static double positive(nigh_rng *rng) { return 1 - nigh_rng_f64(rng); }

static double exponential(nigh_rng *rng)
{
    /* Far out 53 bits of uniform would leave gaps: below 2^-20 the lower bits come from the next number. */
    double u = positive(rng);
    if (u > 0x1p-20) return -log(u);
    return 20 * 0.69314718055994530942 - log(positive(rng)); /* given u <= 2^-20, u 2^20 is uniform on (0, 1] */
}

double nigh_rng_exponential(nigh_rng *rng, double mean) { return mean > 0 ? mean * exponential(rng) : NAN; }

double nigh_rng_laplace(nigh_rng *rng, double scale)
{
    if (!(scale > 0)) return NAN;
    double x = scale * exponential(rng);
    return nigh_rng_u32(rng) >> 31 ? -x : x;
}

double nigh_rng_gumbel(nigh_rng *rng)
{
    double x;
    do x = exponential(rng);
    while (x == 0);
    return -log(x);
}

double nigh_rng_logistic(nigh_rng *rng)
{
    double u;
    do u = nigh_rng_f64(rng);
    while (u == 0);
    return log(u) - log1p(-u);
}

double nigh_rng_cauchy(nigh_rng *rng)
{
    double x = nigh_rng_normal(rng), y;
    do y = nigh_rng_normal(rng);
    while (y == 0);
    return x / y;
}

/* ---- gamma and its relatives: "A simple method for generating gamma variables" (Marsaglia, Tsang 2000) ---- */

static double gamma_from_one(nigh_rng *rng, double shape) /* shape >= 1 */
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = nigh_rng_normal(rng), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        double u = positive(rng);
        if (log(u) < 0.5 * x * x + d * (1 - v + log(v))) return d * v;
    }
}

double nigh_rng_log_gamma(nigh_rng *rng, double shape)
{
    if (!(shape > 0) || isinf(shape)) return NAN;
    if (shape >= 1) return log(gamma_from_one(rng, shape));
    double g = gamma_from_one(rng, shape + 1); /* G(a) = G(a+1) U^(1/a) */
    return log(g) - exponential(rng) / shape;
}

double nigh_rng_gamma(nigh_rng *rng, double shape)
{
    if (!(shape > 0) || isinf(shape)) return NAN;
    return shape >= 1 ? gamma_from_one(rng, shape) : exp(nigh_rng_log_gamma(rng, shape));
}

double nigh_rng_beta(nigh_rng *rng, double a, double b)
{
    double x = nigh_rng_log_gamma(rng, a), y = nigh_rng_log_gamma(rng, b);
    return 1 / (1 + exp(y - x)); /* x and y in logs: no 0/0 for tiny a and b */
}

double nigh_rng_student_t(nigh_rng *rng, double freedom)
{
    if (!(freedom > 0)) return NAN;
    double z = nigh_rng_normal(rng);
    return isinf(freedom) ? z : z * sqrt(0.5 * freedom) * exp(-0.5 * nigh_rng_log_gamma(rng, 0.5 * freedom));
}

/* ---- vectors ---- */

nigh_status nigh_rng_dirichlet(nigh_context *ctx, nigh_rng *rng, int64_t n, const double *alpha, double *out)
{
    if (n < 1) return nigh_fail(ctx, NIGH_INVALID, "a Dirichlet vector of %lld parts; 1 or more are allowed", (long long)n);
    for (int64_t i = 0; alpha && i < n; i++)
        if (!(alpha[i] > 0) || isinf(alpha[i]))
            return nigh_fail(ctx, NIGH_INVALID, "alpha[%lld] is %g; positive and finite is needed", (long long)i, alpha[i]);
    for (int64_t i = 0; i < n; i++) out[i] = nigh_rng_log_gamma(rng, alpha ? alpha[i] : 1);
    double all = nigh_log_sum_exp(n, out);
    for (int64_t i = 0; i < n; i++) out[i] = exp(out[i] - all);
    return NIGH_OK;
}

void nigh_rng_mvn(nigh_rng *rng, int64_t d, const double *mean, const double *factor, double *out)
{
    nigh_rng_fill_normal(rng, d, out);
    for (int64_t i = d - 1; i >= 0; i--) { /* from below, so that z_j, j < i, still stand in out */
        double sum = 0;
        for (int64_t j = 0; j <= i; j++) sum += factor[i * d + j] * out[j];
        out[i] = sum + (mean ? mean[i] : 0);
    }
}

void nigh_rng_sphere(nigh_rng *rng, int64_t d, double *out)
{
    double square;
    do {
        nigh_rng_fill_normal(rng, d, out);
        square = 0;
        for (int64_t i = 0; i < d; i++) square += out[i] * out[i];
    } while (square == 0);
    for (int64_t i = 0; i < d; i++) out[i] /= sqrt(square);
}

/*
 * 1 - cosine to the mean: Wood's rejection from a transformed beta ("Simulation of the von Mises Fisher distribution", 1994). Its cosines
 * w and x0 are carried as 1 - w and 1 - x0, which are all that is left of them at large kappa.
 */
static double vmf_fall(nigh_rng *rng, double d, double kappa)
{
    double m = d - 1, b = m / (2 * kappa + hypot(2 * kappa, m)), fall0 = 2 * b / (1 + b), least = fall0 * (2 - fall0);
    for (;;) {
        double z = nigh_rng_beta(rng, 0.5 * m, 0.5 * m), fall = 2 * b * z / (1 - z + b * z);
        if (kappa * (fall0 - fall) + m * log((fall0 + fall - fall0 * fall) / least) >= log(positive(rng))) return fall;
    }
}

nigh_status nigh_rng_von_mises_fisher(nigh_context *ctx, nigh_rng *rng, int64_t d, const double *mean, double kappa,
                                      double *out)
{
    if (d < 2) return nigh_fail(ctx, NIGH_INVALID, "the dimension is %lld; 2 or more is allowed", (long long)d);
    if (!(kappa >= 0) || isinf(kappa)) return nigh_fail(ctx, NIGH_INVALID, "kappa is %g; 0 or more is allowed", kappa);
    double norm = 0, square = 0, along = 0;
    for (int64_t i = 0; i < d; i++) norm += mean[i] * mean[i];
    if (!(fabs(norm - 1) <= 2e-6))
        return nigh_fail(ctx, NIGH_INVALID, "the mean direction has length %g; a unit vector is needed", sqrt(norm));
    double fall = vmf_fall(rng, (double)d, kappa), w = 1 - fall;
    do { /* a direction across the mean, uniform */
        nigh_rng_fill_normal(rng, d, out);
        along = 0, square = 0;
        for (int64_t i = 0; i < d; i++) along += out[i] * mean[i];
        along /= norm;
        for (int64_t i = 0; i < d; i++) out[i] -= along * mean[i], square += out[i] * out[i];
    } while (square == 0);
    double across = sqrt(fall < 2 ? fall * (2 - fall) : 0) / sqrt(square), forth = w / sqrt(norm);
    for (int64_t i = 0; i < d; i++) out[i] = forth * mean[i] + across * out[i];
    return NIGH_OK;
}

/* ---- counts ---- */

int64_t nigh_rng_geometric(nigh_rng *rng, double p)
{
    if (!(p > 0 && p <= 1)) return -1;
    if (p == 1) return 0;
    double k = floor(exponential(rng) / -log1p(-p));
    return k < 0x1p62 ? (int64_t)k : (int64_t)1 << 62;
}

/*
 * Devroye's universal rejection for log-concave masses (1986, section X.2): with M the mass at the mode, the mass at
 * mode + j is at most M min(1, exp(1 - M |j|)). Four to five tries on average whatever the parameters.
 */
typedef double mass_fn(const double *law, double k);

static int64_t log_concave(nigh_rng *rng, mass_fn *mass, const double *law, double mode, double least, double most)
{
    double top = mass(law, mode), w = 1 + 0.5 * top;
    for (;;) {
        bool flat = nigh_rng_f64(rng) * (1 + w) <= w;
        double y = (flat ? nigh_rng_f64(rng) * w : w + exponential(rng)) / top;
        double k = mode + nearbyint(nigh_rng_u32(rng) >> 31 ? -y : y);
        double hat = flat ? top : top * exp(w - top * y);
        if (k >= least && k <= most && nigh_rng_f64(rng) * hat <= mass(law, k)) return (int64_t)k;
    }
}

static double binomial_mass(const double *law, double k) { return nigh_binomial_mass(law[0], law[1], k); }
static double poisson_mass(const double *law, double k) { return nigh_poisson_mass(law[0], k); }

int64_t nigh_rng_binomial(nigh_rng *rng, int64_t n, double p)
{
    if (n < 0 || n > (int64_t)1 << 53 || !(p >= 0 && p <= 1)) return -1;
    if (p > 0.5) return n - nigh_rng_binomial(rng, n, 1 - p);
    if (p == 0 || n == 0) return 0;
    if ((double)n * p < 10) { /* gaps between successes are geometric */
        int64_t hits = 0, at = -1;
        for (;;) {
            int64_t gap = nigh_rng_geometric(rng, p);
            if (gap >= n - at - 1) return hits;
            at += gap + 1;
            hits++;
        }
    }
    double law[2] = {(double)n, p};
    return log_concave(rng, binomial_mass, law, floor(((double)n + 1) * p), 0, (double)n);
}

int64_t nigh_rng_poisson(nigh_rng *rng, double mean)
{
    if (!(mean >= 0 && mean <= 1e15)) return -1;
    if (mean < 10) { /* arrivals with exponential gaps */
        int64_t hits = 0;
        for (double at = exponential(rng); at < mean; at += exponential(rng)) hits++;
        return hits;
    }
    return log_concave(rng, poisson_mass, &mean, floor(mean), 0, INFINITY);
}

/* "Rejection-inversion to generate variates from monotone discrete distributions" (Hormann, Derflinger 1996). */
static double zipf_area(double x, double s) /* integral of t^-s from 1 to x */
{
    double l = log(x), a = (1 - s) * l;
    return fabs(a) < 1e-9 ? l * (1 + 0.5 * a) : l * expm1(a) / a;
}

static double zipf_area_inverse(double y, double s)
{
    double a = (1 - s) * y;
    if (a <= -1) a = -1 + 0x1p-53; /* rounding past the end of the range */
    return exp(fabs(a) < 1e-9 ? y * (1 - 0.5 * a) : y * log1p(a) / a);
}

int64_t nigh_rng_zipf(nigh_rng *rng, int64_t n, double s)
{
    if (n < 1 || n > (int64_t)1 << 52 || !(s >= 0) || isinf(s)) return -1;
    double low = zipf_area(1.5, s) - 1, high = zipf_area((double)n + 0.5, s);
    for (;;) {
        double u = high - nigh_rng_f64(rng) * (high - low), x = zipf_area_inverse(u, s);
        double k = nearbyint(x < 1 ? 1 : x);
        k = k > (double)n ? (double)n : k;
        if (u >= zipf_area(k + 0.5, s) - pow(k, -s)) return (int64_t)k;
    }
}
