/* The same as csv_rows_avx2.c with masks in registers of their own. Declared in io/csv_kernels.h. */
#include "io/csv_kernels.h"

#include "io/decimal.h"

#include <immintrin.h>

enum { REACH = 33, LOOK = 66 };

/* Digits of a register, zeros in front: four numbers of eight digits. */
static inline bool digits_to_whole(__m256i digits, uint64_t *whole)
{
    __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
    __m256i eights = _mm256_madd_epi16(_mm256_packus_epi32(fours, fours), _mm256_set1_epi32(0x00012710));
    uint64_t front = (uint64_t)_mm256_extract_epi64(eights, 0), back = (uint64_t)_mm256_extract_epi64(eights, 2);
    uint64_t first = front >> 32;
    *whole = (first * 100000000 + (uint32_t)back) * 100000000 + (back >> 32);
    return (uint32_t)front == 0 && first < 1000; /* 19 digits fit in 64 bits */
}

static inline bool take_digits(const char *start, const char **stop, int *fraction, uint64_t *whole)
{
    const __m256i zero = _mm256_set1_epi8('0');
    __m256i text = _mm256_loadu_si256((const __m256i *)start);
    uint32_t digit = _mm256_cmplt_epu8_mask(_mm256_sub_epi8(text, zero), _mm256_set1_epi8(10));
    uint32_t point = _mm256_cmpeq_epi8_mask(text, _mm256_set1_epi8('.')), other = ~(digit | point);
    if (other == 0) return false; /* 32 bytes and more */
    uint32_t within = (other ^ (other - 1)) >> 1;
    int size = __builtin_ctz(other);
    point &= within;
    if ((point & (point - 1)) || !(digit & within)) return false;
    int behind = point ? size - 1 - __builtin_ctz(point) : 32;
    const char *end = start + size;
    uint32_t front = (uint32_t)(0xffffffffull >> behind), inside = (uint32_t)~(0xffffffffull >> (size - (point != 0)));
    __m256i letters = _mm256_mask_loadu_epi8(_mm256_loadu_si256((const __m256i *)(end - 32)), front, end - 33);
    *stop = end;
    *fraction = point ? behind : 0;
    return digits_to_whole(_mm256_maskz_sub_epi8(inside, letters, zero), whole);
}

#include "io/csv_number.inc"

static int64_t count_lines(const char *at, const char *end, const char *high)
{
    const __m512i feed = _mm512_set1_epi8('\n'), back = _mm512_set1_epi8('\r');
    int64_t n = 0;
    for (; end - at >= 64 && high - at >= 65; at += 64) {
        __m512i text = _mm512_loadu_si512(at);
        uint64_t alone = _mm512_cmpeq_epi8_mask(text, back);
        if (alone) alone &= ~_mm512_cmpeq_epi8_mask(_mm512_loadu_si512(at + 1), feed);
        n += __builtin_popcountll(_mm512_cmpeq_epi8_mask(text, feed) | alone);
    }
    return n + csv_kernels_scalar.count_lines(at, end, high);
}

const csv_kernels csv_kernels_avx512 = {plain_rows, count_lines};
