/* Blocks of weights as GGUF files hold them: sizes, the exact way to f32, and back. Declared in nigh/quant.h. */
#include "core/half.h"
#include "nigh/quant.h"

#include <math.h>

enum { SMALL = 32, LARGE = 256 };

static const struct {
    const char *name; /* NULL: no such type */
    uint16_t length, bytes;
} formats[] = {
    [NIGH_BLOCK_F32] = {"F32", 1, 4},          [NIGH_BLOCK_F16] = {"F16", 1, 2},        [NIGH_BLOCK_BF16] = {"BF16", 1, 2},
    [NIGH_BLOCK_Q4_0] = {"Q4_0", SMALL, 18},   [NIGH_BLOCK_Q4_1] = {"Q4_1", SMALL, 20}, [NIGH_BLOCK_Q5_0] = {"Q5_0", SMALL, 22},
    [NIGH_BLOCK_Q5_1] = {"Q5_1", SMALL, 24},   [NIGH_BLOCK_Q8_0] = {"Q8_0", SMALL, 34}, [NIGH_BLOCK_IQ4_NL] = {"IQ4_NL", SMALL, 18},
    [NIGH_BLOCK_Q2_K] = {"Q2_K", LARGE, 84},   [NIGH_BLOCK_Q3_K] = {"Q3_K", LARGE, 110}, [NIGH_BLOCK_Q4_K] = {"Q4_K", LARGE, 144},
    [NIGH_BLOCK_Q5_K] = {"Q5_K", LARGE, 176},  [NIGH_BLOCK_Q6_K] = {"Q6_K", LARGE, 210},
};

bool nigh_block_known(int type) { return type >= 0 && type < (int)(sizeof formats / sizeof *formats) && formats[type].name; }
const char *nigh_block_name(nigh_block_type type) { return formats[type].name; }
int64_t nigh_block_length(nigh_block_type type) { return formats[type].length; }
size_t nigh_block_bytes(nigh_block_type type) { return formats[type].bytes; }
size_t nigh_block_row_bytes(nigh_block_type type, int64_t n) { return (size_t)(n / formats[type].length) * formats[type].bytes; }

/* ---- decoding: one block at b to 1, 32 or 256 numbers ---- */

static inline uint16_t word_at(const uint8_t *b) { return (uint16_t)(b[0] | b[1] << 8); }
static inline float scale_at(const uint8_t *b) { return half_from_f16(word_at(b)); }

static inline uint32_t four_at(const uint8_t *b) { return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24; }

static void decode_q4_0(const uint8_t *b, float *y)
{
    float d = scale_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[i + 16] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static void decode_q4_1(const uint8_t *b, float *y)
{
    float d = scale_at(b), m = scale_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[i + 16] = d * (float)(b[4 + i] >> 4) + m;
    }
}

static inline int fifth(uint32_t high, int i) { return (int)(high >> i & 1) << 4; }

static void decode_q5_0(const uint8_t *b, float *y)
{
    float d = scale_at(b);
    uint32_t high = four_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(((b[6 + i] & 15) | fifth(high, i)) - 16);
        y[i + 16] = d * (float)((b[6 + i] >> 4 | fifth(high, i + 16)) - 16);
    }
}

static void decode_q5_1(const uint8_t *b, float *y)
{
    float d = scale_at(b), m = scale_at(b + 2);
    uint32_t high = four_at(b + 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[8 + i] & 15) | fifth(high, i)) + m;
        y[i + 16] = d * (float)(b[8 + i] >> 4 | fifth(high, i + 16)) + m;
    }
}

static void decode_q8_0(const uint8_t *b, float *y)
{
    float d = scale_at(b);
    for (int i = 0; i < 32; i++) y[i] = d * (float)(int8_t)b[2 + i];
}

static void decode_iq4_nl(const uint8_t *b, float *y)
{
    static const int8_t level[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    float d = scale_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)level[b[2 + i] & 15];
        y[i + 16] = d * (float)level[b[2 + i] >> 4];
    }
}

/* 16 scales and minima of 4 bits, 256 numbers of 2 bits, f16 factors of scales and minima. */
static void decode_q2_k(const uint8_t *b, float *y)
{
    const uint8_t *q = b + 16;
    float d = scale_at(b + 80), least = scale_at(b + 82);
    for (int g = 0; g < 16; g++) {
        float scale = d * (float)(b[g] & 15), low = least * (float)(b[g] >> 4);
        const uint8_t *from = q + g / 8 * 32 + g % 2 * 16;
        for (int i = 0; i < 16; i++) y[16 * g + i] = scale * (float)(from[i] >> g % 8 / 2 * 2 & 3) - low;
    }
}

/* 256 third bits, 256 numbers of 2 bits, 16 scales of 6 bits (low fours first, then high twos), the f16 factor. */
static void decode_q3_k(const uint8_t *b, float *y)
{
    const uint8_t *q = b + 32, *s = b + 96;
    float d = scale_at(b + 108);
    for (int g = 0; g < 16; g++) {
        int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> 2 * (g / 4) & 3;
        float scale = d * (float)((low | high << 4) - 32);
        const uint8_t *from = q + g / 8 * 32 + g % 2 * 16, *third = b + g % 2 * 16;
        for (int i = 0; i < 16; i++) y[16 * g + i] = scale * (float)((from[i] >> g % 8 / 2 * 2 & 3) - (third[i] >> g / 2 & 1 ? 0 : 4));
    }
}

/* Scale and minimum j of the 8 in the 12 bytes that Q4_K and Q5_K pack them into, 6 bits each. */
static void scale_and_low(const uint8_t *s, int j, int *scale, int *low)
{
    *scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
    *low = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
}

static void decode_fours(const uint8_t *b, const uint8_t *q, const uint8_t *fifths, float *y)
{
    float d = scale_at(b), least = scale_at(b + 2);
    for (int g = 0; g < 8; g++) {
        int scale, low;
        scale_and_low(b + 4, g, &scale, &low);
        float by = d * (float)scale, less = least * (float)low;
        for (int i = 0; i < 32; i++) {
            int v = q[g / 2 * 32 + i] >> g % 2 * 4 & 15;
            if (fifths) v |= (fifths[i] >> g & 1) << 4;
            y[32 * g + i] = by * (float)v - less;
        }
    }
}

static void decode_q4_k(const uint8_t *b, float *y) { decode_fours(b, b + 16, NULL, y); }
static void decode_q5_k(const uint8_t *b, float *y) { decode_fours(b, b + 48, b + 16, y); }

/* 256 low fours, 256 high twos, 16 scales of 8 bits, the f16 factor. */
static void decode_q6_k(const uint8_t *b, float *y)
{
    float d = scale_at(b + 208);
    for (int g = 0; g < 16; g++) {
        int half = g / 8, part = g % 8 / 2, side = g % 2 * 16; /* 128 numbers, 32 of them, 16 of them */
        const uint8_t *low = b + 64 * half + 32 * (part % 2) + side, *high = b + 128 + 32 * half + side;
        float scale = d * (float)(int8_t)b[192 + g];
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)(((low[i] >> part / 2 * 4 & 15) | (high[i] >> 2 * part & 3) << 4) - 32);
    }
}

void nigh_block_decode(nigh_block_type type, const void *blocks, int64_t n, float *out)
{
    static void (*const decode[])(const uint8_t *, float *) = {
        [NIGH_BLOCK_Q4_0] = decode_q4_0, [NIGH_BLOCK_Q4_1] = decode_q4_1, [NIGH_BLOCK_Q5_0] = decode_q5_0, [NIGH_BLOCK_Q5_1] = decode_q5_1,
        [NIGH_BLOCK_Q8_0] = decode_q8_0, [NIGH_BLOCK_Q2_K] = decode_q2_k, [NIGH_BLOCK_Q3_K] = decode_q3_k, [NIGH_BLOCK_Q4_K] = decode_q4_k,
        [NIGH_BLOCK_Q5_K] = decode_q5_k, [NIGH_BLOCK_Q6_K] = decode_q6_k, [NIGH_BLOCK_IQ4_NL] = decode_iq4_nl,
    };
    const uint8_t *b = blocks;
    switch (type) {
    case NIGH_BLOCK_F32:
        if (n) memcpy(out, blocks, (size_t)n * sizeof *out);
        break;
    case NIGH_BLOCK_F16:
        for (int64_t i = 0; i < n; i++) out[i] = scale_at(b + 2 * i);
        break;
    case NIGH_BLOCK_BF16:
        for (int64_t i = 0; i < n; i++) out[i] = half_from_bf16(word_at(b + 2 * i));
        break;
    default:
        for (int64_t i = 0; i < n; i += formats[type].length, b += formats[type].bytes) decode[type](b, out + i);
    }
}

/* ---- encoding: one block; false: a scale is beyond f16 ---- */

static bool put_half(float x, uint8_t *b)
{
    uint16_t h = half_to_f16(x);
    b[0] = (uint8_t)h, b[1] = (uint8_t)(h >> 8);
    return (h & 0x7c00) != 0x7c00;
}

/* 1 / d; 0 where that has no use (all weights of a block are alike, or so small that the scale is subnormal). */
static float inverse(float d)
{
    float one = 1 / d;
    return isfinite(one) ? one : 0;
}

static float largest(const float *x)
{
    float most = 0;
    for (int i = 0; i < SMALL; i++)
        if (fabsf(x[i]) > fabsf(most)) most = x[i];
    return most;
}

static bool encode_q8_0(const float *x, uint8_t *b)
{
    float d = fabsf(largest(x)) / 127, by = inverse(d);
    for (int i = 0; i < SMALL; i++) b[2 + i] = (uint8_t)(int8_t)roundf(x[i] * by);
    return put_half(d, b);
}

static int level_of(float x, int most) { return x < 0 ? 0 : x > (float)most ? most : (int)x; }

/* The low four bits of 32 levels into q, the fifth into `high` when there is one. */
static void put_levels(const int *v, uint8_t *high, uint8_t *q)
{
    uint32_t bits = 0;
    for (int i = 0; i < 16; i++) q[i] = (uint8_t)((v[i] & 15) | (v[i + 16] & 15) << 4);
    for (int i = 0; i < SMALL; i++) bits |= (uint32_t)(v[i] >> 4 & 1) << i;
    if (high)
        for (int i = 0; i < 4; i++) high[i] = (uint8_t)(bits >> 8 * i);
}

/* Levels around 0: the largest weight, with its sign, becomes the lowest level. One rounding, as the format's own program has it. */
static bool encode_signed(const float *x, int middle, uint8_t *b, uint8_t *high, uint8_t *q)
{
    int v[SMALL];
    float d = largest(x) / (float)-middle, by = inverse(d);
    for (int i = 0; i < SMALL; i++) v[i] = level_of(fmaf(x[i], by, (float)middle + .5f), 2 * middle - 1);
    put_levels(v, high, q);
    return put_half(d, b);
}

/* Levels from the least weight up. */
static bool encode_range(const float *x, int most, uint8_t *b, uint8_t *high, uint8_t *q)
{
    int v[SMALL];
    float low = x[0], top = x[0];
    for (int i = 1; i < SMALL; i++) low = fminf(low, x[i]), top = fmaxf(top, x[i]);
    float d = (top - low) / (float)most, by = inverse(d);
    if (!isfinite(d)) return false;
    for (int i = 0; i < SMALL; i++) v[i] = level_of((x[i] - low) * by + .5f, most);
    put_levels(v, high, q);
    bool good = put_half(d, b);
    return put_half(low, b + 2) && good;
}

static bool encode_block(nigh_block_type type, const float *x, uint8_t *b)
{
    uint16_t h;
    switch (type) {
    case NIGH_BLOCK_F32: memcpy(b, x, sizeof *x); return true;
    case NIGH_BLOCK_F16: return put_half(*x, b);
    case NIGH_BLOCK_BF16:
        h = half_to_bf16(*x);
        b[0] = (uint8_t)h, b[1] = (uint8_t)(h >> 8);
        return (h & 0x7f80) != 0x7f80;
    case NIGH_BLOCK_Q8_0: return encode_q8_0(x, b);
    case NIGH_BLOCK_Q4_0: return encode_signed(x, 8, b, NULL, b + 2);
    case NIGH_BLOCK_Q4_1: return encode_range(x, 15, b, NULL, b + 4);
    case NIGH_BLOCK_Q5_0: return encode_signed(x, 16, b, b + 2, b + 6);
    default: return encode_range(x, 31, b, b + 4, b + 8);
    }
}

nigh_status nigh_block_encode(nigh_context *ctx, nigh_block_type type, const float *weights, int64_t n, void *blocks)
{
    if (!nigh_block_known(type) || type == NIGH_BLOCK_IQ4_NL || (type >= NIGH_BLOCK_Q2_K && type <= NIGH_BLOCK_Q6_K))
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "type %s is not written; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are",
                         nigh_block_known(type) ? formats[type].name : "of that number");
    int64_t length = formats[type].length;
    if (n < 0 || n % length)
        return nigh_fail(ctx, NIGH_INVALID, "%lld weights are no whole number of blocks of %s, %lld each", (long long)n, formats[type].name, (long long)length);
    uint8_t room[SMALL + 2], *b = blocks;
    for (int64_t i = 0; i < n; i += length) { /* all of it is looked at before the first byte is written */
        for (int64_t k = i; k < i + length; k++)
            if (!isfinite(weights[k])) return nigh_fail(ctx, NIGH_INVALID, "weight %lld is %g; finite numbers are allowed", (long long)k, (double)weights[k]);
        if (!encode_block(type, weights + i, room))
            return nigh_fail(ctx, NIGH_INVALID, "weight %lld or one of its block is too large for %s", (long long)i, formats[type].name);
    }
    for (int64_t i = 0; i < n; i += length, b += formats[type].bytes) encode_block(type, weights + i, b);
    return NIGH_OK;
}
