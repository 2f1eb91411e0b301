/* What the instruction sets of bessel_kernel.inc share: constants, small tables. */
#ifndef NIGH_FUNCTION_BESSEL_VECTOR_H
#define NIGH_FUNCTION_BESSEL_VECTOR_H
#include "function/bessel_debye.h"
#include "function/bessel_kernel.h"

#include <math.h>
#include <string.h>

#if defined(NIGH_SANITIZED)
#define INLINE static __attribute__((noinline, unused)) /* sanitizers take minutes for the unrolled forms */
#define UNROLL
#else
#define INLINE static inline __attribute__((always_inline, unused))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#endif

#define ONE_BITS (UINT64_C(1023) << 52)
#define HALF_ROOT_BITS UINT64_C(0x3fe6a09e667f3bcd)  /* sqrt(1/2) */
#define LEVEL_BITS ((UINT64_C(1023) + 52) << 52)      /* 2^52: one unit is 1 */
#define MAGIC 0x1.8p52                               /* adding it rounds to an integer, which its low bits then hold */
#define LN2_HI 0x1.62e42fefa4p-1                     /* times any exponent exact */
#define LN2_LO -0x1.8432a1b0e2634p-43
#define THIRD_LO 0x1.5555555555555p-56               /* 1/3 less its double */
#define HALF_INVERSE_PI 0.15915494309189533577       /* 1 / (2 pi) */
#define HALF_PI 1.57079632679489661923
#define BESSEL_LEAST 1e-140
#define BESSEL_MOST 1e15

/* 1/Gamma(1 + z) = sum c_j z^j in even powers, and in odd ones (Abramowitz and Stegun 6.1.34). */
enum { INVERSE_GAMMA = 10 };
static const double inverse_gamma_even[INVERSE_GAMMA] = {1.0, -0.6558780715202538811, 0.1665386113822914895, -0.009621971527876973562,
    -0.001165167591859065112, 0.0001280502823881161862, -1.250493482142670657e-6, -2.056338416977607103e-7, 5.00200764446922293e-9,
    1.04342671169110051e-10};
static const double inverse_gamma_odd[INVERSE_GAMMA] = {0.5772156649015328606, -0.04200263503409523553, -0.04219773455554433675,
    0.007218943246663099542, -0.0002152416741149509728, -0.00002013485478078823866, 1.133027231981695882e-6, 6.116095104481415818e-9,
    -1.181274570487020145e-9, 7.782263439905071254e-12};
/* 1 / (2j+1)! */
static const double inverse_odd_factorial[] = {1, 1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800, 1.0 / 6227020800, 1.0 / 1307674368000,
                                               1.0 / 355687428096000};

static inline uint64_t bessel_bits(double a)
{
    uint64_t u;
    memcpy(&u, &a, sizeof u);
    return u;
}

static inline double bessel_number(uint64_t u)
{
    double a;
    memcpy(&a, &u, sizeof a);
    return a;
}
#endif
