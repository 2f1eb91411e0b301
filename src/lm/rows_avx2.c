/* Rows between products, AVX2. */
#define ROWS_TABLE rows_avx2
#include "lm/rows_tables.h"

#include "lm/rows.inc"
