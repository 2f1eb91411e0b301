/* What the multigrid tests share. */
#ifndef NIGH_TEST_MULTIGRID_SUPPORT_H
#define NIGH_TEST_MULTIGRID_SUPPORT_H
#include "support.h"

#include "nigh/multigrid.h"
#include "nigh/random.h"
#include "nigh/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double norm(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static double distance(int64_t n, const double *x, const double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

/* Blocks of two coefficients, with a ratio of jump. */
static void blocks(int64_t ny, int64_t nx, double jump, double *a)
{
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) a[i * nx + j] = (i * 5 / ny + j * 7 / nx) % 2 ? jump : 1;
}
#endif
