/* Loops of text-to-pattern Hamming distances for one CPU level: comparing, and the rows of numbers around a Fourier transform. */
#ifndef NIGH_REDUCE_HAMMING_KERNELS_H
#define NIGH_REDUCE_HAMMING_KERNELS_H
#include "nigh/core.h"

/* For symbols of 1, 2 or 4 bytes. */
typedef struct hamming_compare {
    /* matches[i] += number of l < count with t[i + at[l]] == p[l], for i < positions. at NULL: at[l] = l. Reads no further than the last i + at[l]. */
    void (*many)(const void *t, int64_t positions, const int32_t *at, const void *p, int64_t count, uint32_t *matches);
    /* Mismatches of t[0..m) and p[0..m), or some number above limit once there are more than that. */
    int64_t (*one)(const void *t, const void *p, int64_t m, int64_t limit);
    /* z[x] = (a[x] == symbol) + i (b[x] == symbol) in n complex numbers; a has an, b has bn symbols, the rest is 0. [0] f32, [1] f64. */
    void (*indicate[2])(const void *a, int64_t an, const void *b, int64_t bn, uint32_t symbol, int64_t n, void *z);
    /* matches[x - place[e]] += 1 for x < n and start[t[x]] <= e < start[t[x] + 1]. */
    void (*scatter)(const void *t, int64_t n, const int32_t *start, const int32_t *place, uint32_t *matches);
    /* counts[x + place[e]] += 1 for the same; at most 65535 of them at a place. */
    void (*tally)(const void *t, int64_t n, const int32_t *start, const uint16_t *place, uint16_t *counts);
} hamming_compare;

/* For f32 ([0]) or f64 ([1]) complex numbers. */
typedef struct hamming_spectrum {
    /* s = conj(z) y, or s += where add: the conjugate of the correlation, which a forward transform takes back; y is the transform of n real numbers, n/2 + 1 of it; n even. */
    void (*multiply)(int64_t n, const void *z, const void *y, bool add, void *s);
    /* The transforms x, y (n/2 + 1 of each) of the real and the imaginary parts of what z is the transform of. */
    void (*separate)(int64_t n, const void *z, void *x, void *y);
    /* a[i] += base + round(Re s[i]), i < an; b[i] += base + round(-Im s[i]), i < bn <= an. Returns the largest distance from a whole number. */
    double (*collect)(const void *s, uint32_t base, int64_t an, uint32_t *a, int64_t bn, uint32_t *b);
} hamming_spectrum;

enum { HAMMING_PLANES = 13, HAMMING_SLICE = 512 };

typedef struct hamming_kernels {
    hamming_compare compare[3]; /* 1, 2, 4 bytes */
    hamming_spectrum spectrum[2];
    /* matches[i] += number of l < count with bit i of bits + at[l] set, i < 512; count is a multiple of 16, at most 2^(planes-1). */
    void (*slice_count)(const uint8_t *bits, const int32_t *at, int64_t count, uint32_t *matches);
    /* Bit x of copy c (at copies + c stride) = t[x + c] == symbol, x + c < n, c < 8; n is a multiple of 64; writes n/64 + 1 words of each copy. */
    void (*slice_bits)(const uint8_t *t, int64_t n, uint8_t symbol, uint64_t *copies, int64_t stride);
    /* when[i] = r and seen[i] = matches[i] where when[i] is 0 and matches[i] <= most; how many when[i] are 0 still. */
    int64_t (*mark)(int64_t count, uint32_t r, uint32_t most, const uint32_t *matches, uint32_t *when, uint32_t *seen);
    /* out[i] = scale[when[i]] (samples[when[i]] - seen[i]) rounded; below 2^31. */
    void (*estimate)(int64_t count, const double *samples, const double *scale, const uint32_t *when, const uint32_t *seen, uint32_t *out);
    /* out[i] = min(m - out[i], most). */
    void (*finish)(int64_t count, uint32_t m, uint32_t most, uint32_t *out);
    /* matches[i] += counts[i], i < n. */
    void (*widen)(uint16_t *counts, int64_t n, uint32_t *matches);
} hamming_kernels;

extern const hamming_kernels hamming_scalar, hamming_avx2, hamming_avx512;
const hamming_kernels *hamming_kernels_at(nigh_cpu_level level);
#endif
