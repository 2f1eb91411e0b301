/*
 * Rows of plain numbers, 32 bytes at a time: masks say where the digits end and where the point is, the digits are moved to the right
 * end of a register and the point out of it, and pairs of digits are summed up three times. Declared in io/csv_kernels.h.
 */
#include "io/csv_kernels.h"

#include "io/decimal.h"

#include <immintrin.h>

enum { REACH = 33, LOOK = 66 };

/* Digits of a register, zeros in front: four numbers of eight digits. */
static inline bool digits_to_whole(__m256i digits, uint64_t *whole)
{
    __m256i pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00010064));
    __m256i packed = _mm256_packus_epi32(fours, fours);
    __m256i eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(0x00012710));
    uint64_t front = (uint64_t)_mm256_extract_epi64(eights, 0), back = (uint64_t)_mm256_extract_epi64(eights, 2);
    uint64_t first = front >> 32;
    *whole = (first * 100000000 + (uint32_t)back) * 100000000 + (back >> 32);
    return (uint32_t)front == 0 && first < 1000; /* 19 digits fit in 64 bits */
}

static inline bool take_digits(const char *start, const char **stop, int *fraction, uint64_t *whole)
{
    const __m256i zero = _mm256_set1_epi8('0'), places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                                                         21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    __m256i text = _mm256_loadu_si256((const __m256i *)start), above = _mm256_sub_epi8(text, zero);
    uint32_t digit = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(above, _mm256_set1_epi8(9)), above));
    uint32_t point = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('.')));
    uint32_t other = ~(digit | point);
    if (other == 0) return false; /* 32 bytes and more */
    uint32_t within = other ^ (other - 1);
    within >>= 1;
    int size = __builtin_ctz(other);
    point &= within;
    if ((point & (point - 1)) || !(digit & within)) return false;
    int behind = point ? size - 1 - __builtin_ctz(point) : 0;
    const char *end = start + size;
    __m256i whole_part = _mm256_loadu_si256((const __m256i *)(end - 33)), rest = _mm256_loadu_si256((const __m256i *)(end - 32));
    __m256i behind_point = _mm256_cmpgt_epi8(places, _mm256_set1_epi8((char)(point ? 31 - behind : -1)));
    __m256i inside = _mm256_cmpgt_epi8(places, _mm256_set1_epi8((char)(31 - size + (point != 0))));
    __m256i digits = _mm256_and_si256(_mm256_sub_epi8(_mm256_blendv_epi8(whole_part, rest, behind_point), zero), inside);
    *stop = end;
    *fraction = behind;
    return digits_to_whole(digits, whole);
}

#include "io/csv_number.inc"

static int64_t count_lines(const char *at, const char *end, const char *high)
{
    const __m256i feed = _mm256_set1_epi8('\n'), back = _mm256_set1_epi8('\r');
    int64_t n = 0;
    for (; end - at >= 32 && high - at >= 33; at += 32) {
        __m256i text = _mm256_loadu_si256((const __m256i *)at), next = _mm256_loadu_si256((const __m256i *)(at + 1));
        __m256i alone = _mm256_andnot_si256(_mm256_cmpeq_epi8(next, feed), _mm256_cmpeq_epi8(text, back));
        n += __builtin_popcount((unsigned)_mm256_movemask_epi8(_mm256_or_si256(_mm256_cmpeq_epi8(text, feed), alone)));
    }
    return n + csv_kernels_scalar.count_lines(at, end, high);
}

const csv_kernels csv_kernels_avx2 = {plain_rows, count_lines};
