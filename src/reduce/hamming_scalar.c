/* Text-to-pattern Hamming distances at the CPU level scalar. */
#include "reduce/hamming_kernels.h"

#include <string.h>

#define PLAIN_LOAD(p) (*(p))
#define PLAIN_FILL(x) (x)
#define PLAIN_KEEP(p, c) (*(p) = (c))
#define PLAIN_DIFFER(a, b) ((a) != (b))

#define BITS 8
#define SYMBOL uint8_t
#define VECTOR uint8_t
#define LANES 1
#define FLUSH 255
#define LOAD PLAIN_LOAD
#define FILL(x) (uint8_t)(x)
#define COUNT(c, a, b) (uint8_t)((c) + ((a) == (b)))
#define KEEP PLAIN_KEEP
#define DIFFER PLAIN_DIFFER
#include "hamming_compare.inc"

#define BITS 16
#define SYMBOL uint16_t
#define VECTOR uint16_t
#define LANES 1
#define FLUSH 65535
#define LOAD PLAIN_LOAD
#define FILL(x) (uint16_t)(x)
#define COUNT(c, a, b) (uint16_t)((c) + ((a) == (b)))
#define KEEP PLAIN_KEEP
#define DIFFER PLAIN_DIFFER
#include "hamming_compare.inc"

#define BITS 32
#define SYMBOL uint32_t
#define VECTOR uint32_t
#define LANES 1
#define FLUSH INT32_MAX
#define LOAD PLAIN_LOAD
#define FILL(x) (uint32_t)(x)
#define COUNT(c, a, b) (uint32_t)((c) + ((a) == (b)))
#define KEEP PLAIN_KEEP
#define DIFFER PLAIN_DIFFER
#include "hamming_compare.inc"

static inline uint64_t word_load(const void *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t equal64(const uint8_t *p, uint8_t symbol)
{
    uint64_t mask = 0;
    for (int i = 0; i < 64; i++) mask |= (uint64_t)(p[i] == symbol) << i;
    return mask;
}

#define WORD uint64_t
#define WORD_BITS 64
#define WORD_LOAD word_load
#define WORD_ZERO 0
#define XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define MAJORITY(a, b, c) (((a) & (b)) | ((c) & ((a) ^ (b))))
#define AND(a, b) ((a) & (b))
#define XOR(a, b) ((a) ^ (b))
#define EQUAL64 equal64
#include "hamming_slice.inc"

#include "hamming_spectrum.inc"
const hamming_kernels hamming_scalar = HAMMING_KERNELS;

const hamming_kernels *hamming_kernels_at(nigh_cpu_level level)
{
    return level == NIGH_CPU_AVX512 ? &hamming_avx512 : level == NIGH_CPU_AVX2 ? &hamming_avx2 : &hamming_scalar;
}
