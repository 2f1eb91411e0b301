/*
 * Rows of a file's blocks into one lane of a panel, words at a time. Bytes of a block stand in the file in an order that lets most formats be moved four
 * at a time; those that are rare go through quant_raw_put. Numbers are little endian, as in the file. Declared in tensor/quant_layout.h.
 */
#include "tensor/quant_layout.h"

#define LOW_HALVES UINT64_C(0x0f0f0f0f0f0f0f0f)

static uint64_t load_64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint32_t load_32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* 16 bytes of halves: four words into four vectors. */
static void put_halves(char *codes, uint64_t a, uint64_t b)
{
    uint32_t words[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)};
    for (int j = 0; j < 4; j++) memcpy(codes + 64 * j, words + j, 4);
}

/* Fifth bits of 32 columns: byte i gets those of columns i, 4 + i, ..., 28 + i. */
static void put_fifths(char *to, uint32_t bits)
{
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t v = bits >> i & 0x11111111;
        v = (v | v >> 3) & 0x03030303;
        v = (v | v >> 6) & 0x000f000f;
        word |= ((v | v >> 12) & 0xff) << 8 * i;
    }
    memcpy(to, &word, 4);
}

/* Blocks of 32 columns each with its own scales. */
static void pack_plain(const quant_format *f, const uint8_t *p, int64_t blocks, int lane, char *panel)
{
    const bool five = f->codes == QUANT_FIVES;
    for (int64_t b = 0; b < blocks; b++, p += f->file) {
        char *group = panel + b / f->group * (f->head + f->group * (int64_t)f->bytes), *codes = group + f->head + b % f->group * f->bytes + 4 * lane;
        const uint8_t *q = p + (f->low ? 4 : 2);
        memcpy(group + (f->group == 2 ? b % 2 * 32 : 0) + 2 * lane, p, 2);
        if (f->low) memcpy(group + 32 + 2 * lane, p + 2, 2);
        if (f->codes == QUANT_BYTES) {
            for (int k = 0; k < 8; k++) {
                uint32_t word = load_32(q + 4 * k) ^ 0x80808080;
                memcpy(codes + 64 * k, &word, 4);
            }
            continue;
        }
        if (five) put_fifths(codes + 256, load_32(q));
        q += five ? 4 : 0;
        put_halves(codes, load_64(q), load_64(q + 8));
    }
}

static void pack_scales(const quant_format *f, const uint8_t *p, int lane, char *group)
{
    quant_raw raw;
    for (int b = 0; b < 8; b++) {
        quant_raw_scales(f, p, b, &raw);
        char *scales = group + 64 + b * ((f->head - 64) / 8) + lane;
        scales[0] = raw.scale[0];
        scales[16] = f->fine ? raw.scale[1] : raw.low[0];
    }
    memcpy(group + 2 * lane, &raw.d, 2);
    if (f->low) memcpy(group + 32 + 2 * lane, &raw.m, 2);
}

/* Q4_K and Q5_K: 32 bytes hold the halves of two blocks. */
static void pack_fours(const quant_format *f, const uint8_t *p, int lane, char *group)
{
    const bool five = f->codes == QUANT_FIVES;
    pack_scales(f, p, lane, group);
    for (int b = 0; b < 8; b += 2) {
        const uint8_t *q = p + (five ? 48 : 16) + 16 * b;
        char *codes = group + f->head + b * f->bytes + 4 * lane;
        uint64_t v[4] = {load_64(q), load_64(q + 8), load_64(q + 16), load_64(q + 24)};
        put_halves(codes, (v[0] & LOW_HALVES) | (v[2] & LOW_HALVES) << 4, (v[1] & LOW_HALVES) | (v[3] & LOW_HALVES) << 4);
        put_halves(codes + f->bytes, (v[0] >> 4 & LOW_HALVES) | (v[2] & ~LOW_HALVES), (v[1] >> 4 & LOW_HALVES) | (v[3] & ~LOW_HALVES));
        for (int k = b; five && k < b + 2; k++) {
            uint32_t bits = 0;
            for (int i = 0; i < 4; i++) /* bit k of eight bytes */
                bits |= (uint32_t)((load_64(p + 16 + 8 * i) >> k & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
            put_fifths(codes + 256 + (k - b) * f->bytes, bits);
        }
    }
}

static void pack_sixes(const quant_format *f, const uint8_t *p, int lane, char *group)
{
    pack_scales(f, p, lane, group);
    for (int b = 0; b < 8; b++) {
        const uint8_t *q = p + 64 * (b / 4) + 32 * (b % 2), *high = p + 128 + 32 * (b / 4);
        char *codes = group + f->head + b * f->bytes + 4 * lane;
        int shift = 4 * (b % 4 / 2);
        uint64_t v[4];
        for (int i = 0; i < 4; i++) v[i] = load_64(q + 8 * i) >> shift & LOW_HALVES;
        put_halves(codes, v[0] | v[2] << 4, v[1] | v[3] << 4);
        for (int h = 0; h < 2; h++) {
            uint32_t word = 0;
            for (int j = 0; j < 4; j++) word |= (load_32(high + 16 * h + 4 * j) >> 2 * (b % 4) & 0x03030303) << 2 * j;
            memcpy(codes + 256 + 64 * h, &word, 4);
        }
    }
}

void quant_pack(const quant_format *f, const void *row, int64_t cols, int lane, char *panel)
{
    const uint8_t *p = row;
    if (f->codes == QUANT_FLOATS) {
        if (f->bytes == 4)
            for (int64_t k = 0; k < cols; k++) memcpy(panel + (k * QUANT_PANEL + lane) * 4, p + k * 4, 4);
        else
            for (int64_t k = 0; k < cols; k++) memcpy(panel + (k * QUANT_PANEL + lane) * 2, p + k * 2, 2);
        return;
    }
    if (f->group < 8) {
        pack_plain(f, p, cols / QUANT_BLOCK, lane, panel);
        return;
    }
    for (int64_t s = 0; s < cols / 256; s++, p += f->file, panel += f->head + 8 * f->bytes) {
        if (f->type == NIGH_BLOCK_Q4_K || f->type == NIGH_BLOCK_Q5_K)
            pack_fours(f, p, lane, panel);
        else if (f->type == NIGH_BLOCK_Q6_K)
            pack_sixes(f, p, lane, panel);
        else
            for (int64_t b = 0; b < 8; b++) {
                quant_raw raw;
                quant_raw_read(f, p, b, &raw);
                quant_raw_put(f, panel, lane, b, &raw);
            }
    }
}
