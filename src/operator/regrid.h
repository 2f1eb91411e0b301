/* The loops of regrid.c, one set a CPU level; all levels give the same bits. */
#ifndef NIGH_OPERATOR_REGRID_H
#define NIGH_OPERATOR_REGRID_H
#include "nigh/core.h"

/* Point i of the new grid is the sum of weight[j] times source[j] over j = first[i] .. first[i + 1] - 1; `each`: how many those are, 0 where it differs. */
typedef struct regrid_table {
    int64_t *first, *source;
    double *weight;
    int64_t each;
} regrid_table;

typedef struct regrid_kernels {
    /* dimension 0 of [from, width] to [to, width]; the last dimension of [rows, from] to [rows, to] */
    void (*first)(const regrid_table *t, int64_t to, int64_t width, const double *in, double *out);
    void (*last)(const regrid_table *t, int64_t rows, int64_t from, int64_t to, const double *in, double *out);
    void (*log)(int64_t n, const double *in, double *out); /* within some 4 ulp of the logarithm of positive normal numbers, NAN for all others */
} regrid_kernels;
extern const regrid_kernels regrid_scalar, regrid_avx2, regrid_avx512;
#endif
