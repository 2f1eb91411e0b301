/* Zeros and minima of one variable: roots_template.h for each real type. Declared in nigh/roots.h. */
#include "nigh/roots.h"

#include <float.h>
#include <math.h>

#define REAL double
#define EPSILON DBL_EPSILON
#define ROOT_EPSILON 1.5e-8
#define NAME(base) base
#include "core/roots_template.h"
#undef REAL
#undef EPSILON
#undef ROOT_EPSILON
#undef NAME

#define REAL long double
#define EPSILON LDBL_EPSILON
#define ROOT_EPSILON 3.3e-10L
#define NAME(base) base##l
#include "core/roots_template.h"
#undef REAL
#undef EPSILON
#undef ROOT_EPSILON
#undef NAME

#ifdef __SIZEOF_FLOAT128__
#define REAL __float128
#define EPSILON ((__float128)0x1p-112)
#define ROOT_EPSILON ((__float128)0x1p-56)
#define NAME(base) base##q
#include "core/roots_template.h"
#endif
