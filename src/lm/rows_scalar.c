/* Rows between products, plain C. */
#define ROWS_TABLE rows_scalar
#include "lm/rows_tables.h"

#include "lm/rows.inc"
