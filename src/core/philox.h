/* The kernels behind nigh_rng_fill_u32: whole Philox blocks into memory. For src/core/random*.c only. */
#ifndef NIGH_CORE_PHILOX_H
#define NIGH_CORE_PHILOX_H
#include <stdint.h>

enum { PHILOX_ROUNDS = 10 };
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

/* Blocks first .. first+blocks-1 of (seed, stream), four words each; the wide ones take a multiple of PHILOX_GROUP. */
typedef void philox_fill_fn(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out);
enum { PHILOX_GROUP = 16 };

void nigh_philox_fill_scalar(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out);

#if defined(__x86_64__)
void nigh_philox_fill_avx2(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out);
void nigh_philox_fill_avx512(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out);
#endif
#endif
