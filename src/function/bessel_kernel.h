/* Kernels of logarithms and ratios of modified Bessel functions, and the regions that they are for. Methods: include/nigh/bessel.h. */
#ifndef NIGH_FUNCTION_BESSEL_KERNEL_H
#define NIGH_FUNCTION_BESSEL_KERNEL_H
#include "nigh/bessel.h"

/* What stands at a point; DEBYE_K is the uniform expansion with K terms. */
typedef enum bessel_region {
    BESSEL_DEBYE_13, BESSEL_DEBYE_9, BESSEL_DEBYE_6, BESSEL_DEBYE_4, BESSEL_DEBYE_3,
    BESSEL_SMALL,    /* I: orders raised, expanded there, and lowered by recurrence. K: the same with Temme's series, x < BESSEL_NEAR */
    BESSEL_SMALL_MID, /* K, x < BESSEL_FAR: with a continued fraction */
    BESSEL_SMALL_FAR, /* K, other x */
    BESSEL_RARE,      /* limits, not a number, huge or tiny: one by one */
    BESSEL_REGIONS
} bessel_region;

#define BESSEL_NEAR 1.5
#define BESSEL_FAR 3.0

typedef enum bessel_what { BESSEL_LOG_I, BESSEL_LOG_K, BESSEL_RATIO_I, BESSEL_RATIO_K, BESSEL_WHATS } bessel_what;
typedef enum bessel_tier { BESSEL_FULL, BESSEL_FAST, BESSEL_TIERS } bessel_tier;

/* y[i] of n points, a multiple of the lanes; `scaled` 1: the logarithm of I e^-x or K e^x, else 0. */
typedef void bessel_kernel(int64_t n, const double *v, const double *x, double scaled, double *y);
/* The region of each point, as a number; n as above. */
typedef void bessel_classifier(int64_t n, const double *v, const double *x, double *region);

typedef struct bessel_kernels {
    int lanes;
    bessel_classifier *classify[BESSEL_TIERS][2]; /* for I, for K */
    bessel_kernel *run[BESSEL_TIERS][BESSEL_WHATS][BESSEL_RARE];
} bessel_kernels;

/* For single points ([0]) and for arrays ([1]). */
typedef const bessel_kernels *const bessel_level[2];
extern bessel_level bessel_kernels_scalar, bessel_kernels_avx2, bessel_kernels_avx512;
const bessel_kernels *const *bessel_kernels_at(nigh_cpu_level level);

/* Any point, in long double: limits, NaN, orders or arguments beyond 1e15, arguments below 1e-140. */
double bessel_rare(bessel_what what, bool scaled, double v, double x);

/* n points with one set of kernels. */
void bessel_run(const bessel_kernels *kernels, bessel_tier tier, bessel_what what, bool scaled, int64_t n, const double *v, const double *x,
                double *y);

/* nigh_bessel_f64 at a CPU level. */
void bessel_array(nigh_cpu_level level, nigh_bessel what, double error, int64_t n, const double *v, const double *x, double *y);
#endif
