/* See range.h. */
#define RANGE_TABLE range_avx2
#include "plan/range.inc"
