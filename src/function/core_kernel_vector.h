/* What the instruction sets of the kernels share. */
#ifndef NIGH_FUNCTION_CORE_KERNEL_VECTOR_H
#define NIGH_FUNCTION_CORE_KERNEL_VECTOR_H
#include <string.h>

#include "function/core_kernel.h"

#if defined(NIGH_SANITIZED)
/* One general function instead of one for each combination: sanitizers take minutes for those. */
#define ALWAYS_INLINE static __attribute__((noinline, unused))
#define UNROLL
#define CHAINS_OF(n) 2
#else
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define CHAINS_OF(n) n
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#endif
/* Bits of the numbers next below sqrt(1/2). */
#define HALF_ROOT_F32 UINT32_C(0x3f3504f3)
#define HALF_ROOT_F64 UINT64_C(0x3fe6a09e667f3bcc)
#endif
