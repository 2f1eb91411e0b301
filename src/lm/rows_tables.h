/* The tables of lm/rows.h, one for each CPU level. */
#ifndef NIGH_LM_ROWS_TABLES_H
#define NIGH_LM_ROWS_TABLES_H
#include "lm/rows.h"

extern const rows_kernels rows_scalar, rows_avx2, rows_avx512;
#endif
