/* See catalog.h. */
#include "function/catalog.h"

#include "core/words.h"
#include "nigh/bessel.h"
#include "nigh/special.h"

#include <string.h>

#define ONE(name, arguments, summary) {#name, arguments, 1, summary, .one = nigh_##name}
#define TWO(name, arguments, summary) {#name, arguments, 2, summary, .two = nigh_##name}
#define THREE(name, arguments, summary) {#name, arguments, 3, summary, .three = nigh_##name}

const catalog_entry catalog[] = {
    TWO(log_bessel_i, "v x", "log of the modified Bessel function I_v(x)"),
    TWO(log_bessel_k, "v x", "log of the modified Bessel function K_v(x)"),
    TWO(log_bessel_i_scaled, "v x", "log(I_v(x) exp(-x))"),
    TWO(log_bessel_k_scaled, "v x", "log(K_v(x) exp(x))"),
    TWO(log_bessel_i_derivative, "v x", "derivative of log I_v(x) by x"),
    TWO(log_bessel_k_derivative, "v x", "derivative of log K_v(x) by x"),
    TWO(bessel_i_scaled, "v x", "I_v(x) exp(-x)"),
    TWO(bessel_k_scaled, "v x", "K_v(x) exp(x)"),
    TWO(bessel_ratio_i, "v x", "I_{v+1}(x) / I_v(x)"),
    TWO(bessel_ratio_k, "v x", "K_{v+1}(x) / K_v(x)"),
    ONE(normal_pdf, "x", "density of the standard normal law"),
    ONE(normal_cdf, "x", "P(Z <= x)"),
    ONE(normal_tail, "x", "P(Z > x)"),
    ONE(normal_log_cdf, "x", "log P(Z <= x)"),
    ONE(normal_quantile, "p", "x with P(Z <= x) = p"),
    ONE(normal_tail_quantile, "q", "x with P(Z > x) = q"),
    ONE(erf_inverse, "y", "x with erf(x) = y"),
    ONE(lgamma, "x", "log |Gamma(x)|"),
    ONE(digamma, "x", "derivative of log Gamma"),
    ONE(trigamma, "x", "second derivative of log Gamma"),
    TWO(lbeta, "a b", "log of the beta function"),
    TWO(lchoose, "n k", "log of n over k"),
    TWO(gamma_p, "a x", "regularised lower incomplete gamma function"),
    TWO(gamma_q, "a x", "its complement"),
    TWO(gamma_p_inverse, "a p", "x with P(a, x) = p"),
    TWO(gamma_q_inverse, "a q", "x with Q(a, x) = q"),
    THREE(beta_p, "a b x", "regularised incomplete beta function"),
    THREE(beta_q, "a b x", "its complement"),
    THREE(beta_p_inverse, "a b p", "x with I_x(a, b) = p"),
    THREE(beta_q_inverse, "a b q", "x with 1 - I_x(a, b) = q"),
    THREE(binomial_mass, "n p k", "chance of k successes in n trials"),
    THREE(binomial_cdf, "n p k", "P(X <= k) of a binomial law"),
    THREE(binomial_tail, "n p k", "P(X > k) of a binomial law"),
    TWO(poisson_mass, "mean k", "chance of k events"),
    TWO(poisson_cdf, "mean k", "P(X <= k) of a Poisson law"),
    TWO(poisson_tail, "mean k", "P(X > k) of a Poisson law"),
    TWO(student_t_cdf, "freedom t", "P(T <= t)"),
    TWO(student_t_tail, "freedom t", "P(T > t)"),
    TWO(student_t_quantile, "freedom p", "t with P(T <= t) = p"),
    TWO(chi_square_cdf, "freedom x", "P(X <= x)"),
    TWO(chi_square_tail, "freedom x", "P(X > x)"),
    THREE(f_cdf, "freedom1 freedom2 x", "P(F <= x)"),
    THREE(f_tail, "freedom1 freedom2 x", "P(F > x)"),
    ONE(kolmogorov_tail, "x", "limit of P(sqrt(n) D_n > x)"),
    ONE(log1mexp, "x", "log(1 - exp(-x))"),
    ONE(log1pmx, "x", "log(1 + x) - x"),
    TWO(xlogy, "x y", "x log y, 0 when x = 0"),
    {NULL, NULL, 0, NULL, NULL, NULL, NULL},
};

const catalog_entry *catalog_find(const char *name, const char **near)
{
    *near = NULL;
    for (const catalog_entry *entry = catalog; entry->name; entry++) {
        if (strcmp(entry->name, name) == 0) return entry;
        *near = word_nearer(name, strlen(name), entry->name, *near);
    }
    return NULL;
}

double catalog_value(const catalog_entry *entry, const double *x)
{
    return entry->one ? entry->one(x[0]) : entry->two ? entry->two(x[0], x[1]) : entry->three(x[0], x[1], x[2]);
}
