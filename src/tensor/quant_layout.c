/* Formats of weights: from the file's blocks to panels and back, a block at a time. Declared in tensor/quant_layout.h. */
#include "tensor/quant_layout.h"

const int8_t quant_table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

const quant_format *quant_format_of(nigh_block_type type)
{
    static const quant_format formats[] = {
        {NIGH_BLOCK_F32, QUANT_FLOATS, -1, false, false, 0, 0, 4, 1, 4},
        {NIGH_BLOCK_F16, QUANT_FLOATS, -1, false, false, 0, 0, 2, 1, 2},
        {NIGH_BLOCK_BF16, QUANT_FLOATS, -1, false, false, 0, 0, 2, 1, 2},
        {NIGH_BLOCK_Q4_0, QUANT_NIBBLES, 3, false, false, 2, 64, 256, 32, 18},
        {NIGH_BLOCK_Q4_1, QUANT_NIBBLES, -1, true, false, 1, 64, 256, 32, 20},
        {NIGH_BLOCK_Q5_0, QUANT_FIVES, 4, false, false, 2, 64, 320, 32, 22},
        {NIGH_BLOCK_Q5_1, QUANT_FIVES, -1, true, false, 1, 64, 320, 32, 24},
        {NIGH_BLOCK_Q8_0, QUANT_BYTES, 7, false, false, 2, 64, 512, 32, 34},
        {NIGH_BLOCK_Q2_K, QUANT_NIBBLES, -1, true, true, 8, 64 + 8 * 64, 256, 256, 84},
        {NIGH_BLOCK_Q3_K, QUANT_NIBBLES, 2, false, true, 8, 64 + 8 * 32, 256, 256, 110},
        {NIGH_BLOCK_Q4_K, QUANT_NIBBLES, -1, true, false, 8, 64 + 8 * 32, 256, 256, 144},
        {NIGH_BLOCK_Q5_K, QUANT_FIVES, -1, true, false, 8, 64 + 8 * 32, 320, 256, 176},
        {NIGH_BLOCK_Q6_K, QUANT_SIXES, 5, false, true, 8, 64 + 8 * 32, 384, 256, 210},
        {NIGH_BLOCK_IQ4_NL, QUANT_TABLE, -1, false, false, 2, 64, 256, 32, 18},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].type == type) return &formats[i];
    return NULL;
}

size_t quant_panel_bytes(const quant_format *f, int64_t cols)
{
    if (f->codes == QUANT_FLOATS) return ((size_t)cols * QUANT_PANEL * (size_t)f->bytes + 63) / 64 * 64;
    int64_t blocks = cols / QUANT_BLOCK, groups = (blocks + f->group - 1) / f->group;
    return (size_t)groups * (size_t)f->head + (size_t)blocks * (size_t)f->bytes;
}

/* ---- blocks of files ---------------------------------------------------------------------------------- */

static uint16_t u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static void read_nibbles(const uint8_t *q, quant_raw *raw)
{
    for (int i = 0; i < 16; i++) raw->code[i] = q[i] & 15, raw->code[16 + i] = q[i] >> 4;
}

static void read_fifths(const uint8_t *q, quant_raw *raw)
{
    for (int i = 0; i < 32; i++) raw->code[i] |= (uint8_t)((q[i / 8] >> i % 8 & 1) << 4);
}

/* The scale and the minimum's of block b among 12 bytes of sixes. */
static void read_sixes(const uint8_t *s, int b, quant_raw *raw)
{
    int scale = b < 4 ? s[b] & 63 : (s[b + 4] & 15) | s[b - 4] >> 6 << 4, low = b < 4 ? s[b + 4] & 63 : s[b + 4] >> 4 | s[b] >> 6 << 4;
    raw->scale[0] = raw->scale[1] = (int8_t)scale;
    raw->low[0] = raw->low[1] = (int8_t)low;
}

static void read_q2(const uint8_t *p, int b, quant_raw *raw)
{
    const uint8_t *q = p + 16 + 32 * (b / 4);
    for (int i = 0; i < 32; i++) raw->code[i] = q[i] >> 2 * (b % 4) & 3;
}

static void read_q3(const uint8_t *p, int b, quant_raw *raw)
{
    const uint8_t *q = p + 32 + 32 * (b / 4);
    for (int i = 0; i < 32; i++) raw->code[i] = (uint8_t)((q[i] >> 2 * (b % 4) & 3) | (p[i] >> b & 1) << 2);
}

static void read_q45(const uint8_t *p, int b, bool five, quant_raw *raw)
{
    const uint8_t *q = p + (five ? 48 : 16) + 32 * (b / 2);
    for (int i = 0; i < 32; i++) {
        raw->code[i] = q[i] >> 4 * (b % 2) & 15;
        if (five) raw->code[i] |= (uint8_t)((p[16 + i] >> b & 1) << 4);
    }
}

static void read_q6(const uint8_t *p, int b, quant_raw *raw)
{
    const uint8_t *q = p + 64 * (b / 4) + 32 * (b % 2), *high = p + 128 + 32 * (b / 4);
    for (int i = 0; i < 32; i++) raw->code[i] = (uint8_t)((q[i] >> 4 * (b % 4 / 2) & 15) | (high[i] >> 2 * (b % 4) & 3) << 4);
}

void quant_raw_scales(const quant_format *f, const uint8_t *p, int b, quant_raw *raw)
{
    const int d = f->type == NIGH_BLOCK_Q2_K ? 80 : f->type == NIGH_BLOCK_Q3_K ? 108 : f->type == NIGH_BLOCK_Q6_K ? 208 : 0;
    raw->d = u16(p + d);
    raw->m = f->low ? u16(p + d + 2) ^ 0x8000 : 0;
    raw->low[0] = raw->low[1] = 1;
    if (f->type == NIGH_BLOCK_Q6_K)
        memcpy(raw->scale, p + 192 + 2 * b, 2);
    else if (!f->fine)
        read_sixes(p + 4, b, raw);
    else
        for (int h = 0; h < 2; h++) {
            int k = 2 * b + h;
            const uint8_t *s = p + 96; /* Q3_K: low halves in 8 bytes, two more bits of each in 4 */
            raw->scale[h] = f->low ? p[k] & 15 : (int8_t)(((k < 8 ? s[k] & 15 : s[k - 8] >> 4) | (s[8 + k % 4] >> 2 * (k / 4) & 3) << 4) - 32);
            if (f->low) raw->low[h] = (int8_t)(p[k] >> 4);
        }
}

void quant_raw_read(const quant_format *f, const void *row, int64_t b, quant_raw *raw)
{
    bool super = f->group == 8;
    const uint8_t *p = (const uint8_t *)row + (size_t)(super ? b / 8 : b) * (size_t)f->file;
    int part = super ? (int)(b % 8) : 0;
    raw->m = 0;
    raw->scale[0] = raw->scale[1] = raw->low[0] = raw->low[1] = 1;
    if (super) quant_raw_scales(f, p, part, raw);
    switch (f->type) {
    case NIGH_BLOCK_Q2_K: read_q2(p, part, raw); return;
    case NIGH_BLOCK_Q3_K: read_q3(p, part, raw); return;
    case NIGH_BLOCK_Q4_K: read_q45(p, part, false, raw); return;
    case NIGH_BLOCK_Q5_K: read_q45(p, part, true, raw); return;
    case NIGH_BLOCK_Q6_K: read_q6(p, part, raw); return;
    default: break;
    }
    raw->d = u16(p);
    p += 2;
    if (f->low) raw->m = u16(p), p += 2;
    if (f->codes == QUANT_BYTES) {
        for (int i = 0; i < 32; i++) raw->code[i] = p[i] ^ 128;
        return;
    }
    bool five = f->codes == QUANT_FIVES;
    read_nibbles(five ? p + 4 : p, raw);
    if (five) read_fifths(p, raw);
}

/* ---- panels ------------------------------------------------------------------------------------------- */

/* Where block b's group begins, its codes, its bytes of scales. */
static const char *place(const quant_format *f, const char *panel, int64_t b, const char **codes, const char **scales)
{
    int64_t group = b / f->group, within = b % f->group;
    const char *at = panel + group * ((int64_t)f->head + f->group * (int64_t)f->bytes);
    *codes = at + f->head + within * f->bytes;
    *scales = at + 64 + within * ((f->head - 64) / 8);
    return at;
}

void quant_raw_put(const quant_format *f, char *panel, int lane, int64_t b, const quant_raw *raw)
{
    const char *place_codes, *place_scales;
    uint8_t *at = (uint8_t *)place(f, panel, b, &place_codes, &place_scales), *codes = (uint8_t *)place_codes + 4 * lane;
    char *scales = (char *)place_scales + lane;
    memcpy(at + (f->group == 2 ? b % 2 * 32 : 0) + 2 * lane, &raw->d, 2);
    if (f->low) memcpy(at + 32 + 2 * lane, &raw->m, 2);
    if (f->group == 8) {
        scales[0] = raw->scale[0];
        if (f->fine) scales[16] = raw->scale[1];
        if (f->low) scales[f->fine ? 32 : 16] = raw->low[0];
        if (f->low && f->fine) scales[48] = raw->low[1];
    }
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 4; i++) {
            uint8_t code = raw->code[4 * k + i];
            int j = k % 4, high = k / 4;
            if (f->codes == QUANT_BYTES) {
                codes[64 * k + i] = code;
                continue;
            }
            codes[64 * j + i] |= (uint8_t)((code & 15) << 4 * high);
            if (f->codes == QUANT_FIVES) codes[256 + i] |= (uint8_t)(code >> 4 << k);
            if (f->codes == QUANT_SIXES) codes[256 + 64 * high + i] |= (uint8_t)(code >> 4 << 2 * j);
        }
}

void quant_raw_get(const quant_format *f, const char *panel, int lane, int64_t b, quant_raw *raw)
{
    const char *place_codes, *place_scales;
    const uint8_t *at = (const uint8_t *)place(f, panel, b, &place_codes, &place_scales), *codes = (const uint8_t *)place_codes + 4 * lane;
    const int8_t *scales = (const int8_t *)place_scales + lane;
    raw->m = 0;
    raw->scale[0] = raw->scale[1] = raw->low[0] = raw->low[1] = 1;
    memcpy(&raw->d, at + (f->group == 2 ? b % 2 * 32 : 0) + 2 * lane, 2);
    if (f->low) memcpy(&raw->m, at + 32 + 2 * lane, 2);
    if (f->group == 8) {
        raw->scale[0] = scales[0];
        raw->scale[1] = scales[f->fine ? 16 : 0];
        if (f->low) raw->low[0] = scales[f->fine ? 32 : 16], raw->low[1] = scales[f->fine ? 48 : 16];
    }
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 4; i++) {
            int j = k % 4, high = k / 4;
            int code = f->codes == QUANT_BYTES ? codes[64 * k + i] : codes[64 * j + i] >> 4 * high & 15;
            if (f->codes == QUANT_FIVES) code |= (codes[256 + i] >> k & 1) << 4;
            if (f->codes == QUANT_SIXES) code |= (codes[256 + 64 * high + i] >> 2 * j & 3) << 4;
            raw->code[4 * k + i] = (uint8_t)code;
        }
}
