/* Conversion between types of numbers; half-width floats by bits. */
#include "core/half.h"
#include "tensor/copy.h"

#include <math.h>
#include <string.h>

enum { THREAD_NUMBERS = 1 << 15 };

/* An f64 as the f32 whose further rounding to half width is right: inexact results get an odd last bit. */
static inline float odd_f32(double x)
{
    float y = (float)x;
    if (isnan(x) || (double)y == x || isinf(y)) return y;
    uint32_t u = half_bits_of(y);
    if (u & 1) return y;
    bool up = fabs((double)y) < fabs(x);
    return half_of_bits(up ? u + 1 : u - 1);
}

static inline int64_t whole_of(double x, double least, double most, int64_t low, int64_t high)
{
    return x != x ? 0 : x <= least ? low : x >= most ? high : (int64_t)x;
}

#define SAME(x) (x)
#define TRUTH(x) ((uint8_t)((x) != 0))
#define TO_I32(x) ((int32_t)whole_of((double)(x), -0x1p31, 0x1p31 - 1, INT32_MIN, INT32_MAX))
#define TO_I64(x) whole_of((double)(x), -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)
#define TO_U8(x) ((uint8_t)whole_of((double)(x), 0, 255, 0, 255))
#define NARROW(x) half_to_f16((float)(x))
#define BRAIN(x) half_to_bf16((float)(x))
#define NARROW_ODD(x) half_to_f16(odd_f32((double)(x)))
#define BRAIN_ODD(x) half_to_bf16(odd_f32((double)(x)))

#define CAST(name, type, other, READ, WRITE)                                              \
    static void name(int64_t n, const void *from, void *to)                               \
    {                                                                                     \
        const type *restrict x = from;                                                    \
        other *restrict y = to;                                                           \
        for (int64_t i = 0; i < n; i++) y[i] = (other)WRITE(READ(x[i]));                  \
    }
/* From one type to all: f64 f32 f16 bf16 i64 i32 u8 bool. */
#define CASTS(name, type, READ, HALF, BRAIN_HALF, L, I, U)                                \
    CAST(name##_f64, type, double, READ, SAME)                                            \
    CAST(name##_f32, type, float, READ, SAME)                                             \
    CAST(name##_f16, type, uint16_t, READ, HALF)                                          \
    CAST(name##_bf16, type, uint16_t, READ, BRAIN_HALF)                                   \
    CAST(name##_i64, type, int64_t, READ, L)                                              \
    CAST(name##_i32, type, int32_t, READ, I)                                              \
    CAST(name##_u8, type, uint8_t, READ, U)                                               \
    CAST(name##_bool, type, uint8_t, READ, TRUTH)
CASTS(f64, double, SAME, NARROW_ODD, BRAIN_ODD, TO_I64, TO_I32, TO_U8)
CASTS(f32, float, SAME, NARROW, BRAIN, TO_I64, TO_I32, TO_U8)
CASTS(f16, uint16_t, half_from_f16, half_to_f16, BRAIN, TO_I64, TO_I32, TO_U8)
CASTS(bf16, uint16_t, half_from_bf16, NARROW, half_to_bf16, TO_I64, TO_I32, TO_U8)
CASTS(i64, int64_t, SAME, NARROW_ODD, BRAIN_ODD, SAME, SAME, SAME)
CASTS(i32, int32_t, SAME, NARROW_ODD, BRAIN_ODD, SAME, SAME, SAME)
CASTS(u8, uint8_t, SAME, NARROW, BRAIN, SAME, SAME, SAME)
CASTS(bool, uint8_t, TRUTH, NARROW, BRAIN, SAME, SAME, SAME)

enum { TYPES = 8 };
#define LIST(name) {name##_f64, name##_f32, name##_f16, name##_bf16, name##_i64, name##_i32, name##_u8, name##_bool}
typedef void cast_function(int64_t n, const void *from, void *to);
static cast_function *const casts[TYPES][TYPES] = {LIST(f64), LIST(f32), LIST(f16), LIST(bf16), LIST(i64), LIST(i32), LIST(u8), LIST(bool)};

static int place_of(nigh_dtype dtype)
{
    static const nigh_dtype types[TYPES] = {NIGH_F64, NIGH_F32, NIGH_F16, NIGH_BF16, NIGH_I64, NIGH_I32, NIGH_U8, NIGH_BOOL};
    for (int i = 0; i < TYPES; i++)
        if (types[i] == dtype) return i;
    return -1;
}

bool copy_can_cast(nigh_dtype from, nigh_dtype to) { return place_of(from) >= 0 && place_of(to) >= 0; }

void copy_cast(int64_t n, nigh_dtype from, const void *src, nigh_dtype to, void *dst, int threads)
{
    int a = place_of(from), b = place_of(to);
    if (a < 0 || b < 0 || n <= 0) return;
    if (from == to) {
        memcpy(dst, src, (size_t)n * nigh_dtype_size(from));
        return;
    }
    int64_t most = n / THREAD_NUMBERS, size_from = (int64_t)nigh_dtype_size(from), size_to = (int64_t)nigh_dtype_size(to);
    if (most < threads) threads = (int)most;
    if (threads <= 1) {
        casts[a][b](n, src, dst);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < threads; k++) {
        int64_t first = n * k / threads, end = n * (k + 1) / threads;
        casts[a][b](end - first, (const char *)src + first * size_from, (char *)dst + first * size_to);
    }
}
