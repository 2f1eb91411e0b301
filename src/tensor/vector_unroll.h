/* What the instruction sets of vector.inc share. */
#ifndef NIGH_TENSOR_VECTOR_UNROLL_H
#define NIGH_TENSOR_VECTOR_UNROLL_H
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#define UNROLL_LOOP _Pragma("unroll 2")
#else
#define UNROLL _Pragma("GCC unroll 8")
#define UNROLL_LOOP _Pragma("GCC unroll 2")
#endif
#endif
