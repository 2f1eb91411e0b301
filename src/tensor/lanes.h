/*
 * Vectors of f32 or f64 at one CPU level, for kernels that are written once and compiled for all. The including file defines LANES_SCALAR, LANES_AVX2 or
 * LANES_AVX512, and LANES_F64 for f64 (else f32); it may include this file again after changing LANES_F64.
 *
 *   REAL V LANES             the number, the vector, numbers in it
 *   NAMED(x)                 x_f32 or x_f64
 *   LOAD STORE PART_LOAD(p, k) PART_STORE(p, k, v)   whole vectors; the first k < LANES numbers (0 elsewhere)
 *   KEEP(v, k)               the first k numbers, 0 elsewhere
 *   SET ADD SUB MUL DIV SQRT ABS NEGATE FMA(a,b,c) = ab+c, FMS(a,b,c) = ab-c, FNMA(a,b,c) = c-ab
 *   WITHIN(x, c)             x brought into [-c, c]; some number in it for NaN
 *   MIN MAX                  the second operand where one is NaN, or both are zeros
 *   NEAREST FLOOR            to whole numbers
 *   SIGNED(y, x)             |y| with the sign of x
 *   MASK LESS LESS_EQUAL SAME PICK(mask, a, b)   comparisons are false for NaN; a where true, b elsewhere
 *   SCALE(x, n)              x 2^n for whole n (-inf allowed): 0 or inf far outside the range
 *   EXPONENT SIGNIFICAND     of x > 0, as in vector.inc
 *   DUP_EVEN DUP_ODD SWAP FMA_SIGNS   (not for plain C) of pairs: the first twice, the second twice, exchanged; ab - c, ab + c
 * Every one is the same IEEE operation at every level.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tensor/vector_unroll.h"

#undef REAL
#undef NAMED
#undef LANES
#undef V
#ifdef LANES_F64
#define REAL double
#define NAMED(x) x##_f64
#else
#define REAL float
#define NAMED(x) x##_f32
#endif

#if defined(LANES_AVX512)
#include "tensor/lanes_avx512.h"
#elif defined(LANES_AVX2)
#include "tensor/lanes_avx2.h"
#else
#include "tensor/lanes_scalar.h"
#endif
