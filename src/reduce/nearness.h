/* Kernels of nearness on points, for facility location and log-determinants. */
#ifndef NIGH_REDUCE_NEARNESS_H
#define NIGH_REDUCE_NEARNESS_H
#include "nigh/submodular.h"

#include <math.h>

static inline double square_distance(const double *a, const double *b, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static inline double nearness(nigh_nearness kind, double d2, double width)
{
    double r2 = d2 / (width * width);
    if (kind == NIGH_NEAR_GAUSSIAN) return exp(-0.5 * r2);
    if (r2 >= 1) return 0;
    return kind == NIGH_NEAR_CONE ? 1 - sqrt(r2) : 1 - r2;
}

/* NIGH_INVALID names the first number that is not finite. */
nigh_status nearness_check(nigh_context *ctx, const char *what, int64_t n, int64_t d, const double *x);
#endif
