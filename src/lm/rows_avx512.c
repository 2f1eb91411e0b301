/* Rows between products, AVX-512. */
#define ROWS_TABLE rows_avx512
#include "lm/rows_tables.h"

#include "lm/rows.inc"
