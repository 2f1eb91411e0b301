/* What the instruction sets of the kernels share. */
#ifndef NIGH_FUNCTION_CORE_KERNEL_VECTOR_H
#define NIGH_FUNCTION_CORE_KERNEL_VECTOR_H
#include <string.h>

#include "function/core_kernel.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
/* Bits of the numbers next below sqrt(1/2). */
#define HALF_ROOT_F32 UINT32_C(0x3f3504f3)
#define HALF_ROOT_F64 UINT64_C(0x3fe6a09e667f3bcc)
#endif
