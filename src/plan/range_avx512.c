/* See range.h. */
#define RANGE_TABLE range_avx512
#include "plan/range.inc"
