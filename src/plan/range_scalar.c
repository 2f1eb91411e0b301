/* See range.h. */
#define RANGE_TABLE range_scalar
#include "plan/range.inc"
