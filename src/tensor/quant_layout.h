/*
 * How quantised weights stand in panels, and what kernels of the CPU levels are given. Internal to quant_*.c.
 *
 * A panel is 16 rows. Columns are taken in blocks of 32; bytes of 16 rows for 4 columns make one vector of 64 (row r: bytes 4r .. 4r + 3). Within a block:
 *   nibbles  4 vectors; vector j: low halves columns 4j ..., high halves columns 16 + 4j ... (a code, or an index into the table of IQ4_NL)
 *   fives    nibbles and one vector of fifth bits: bit j belongs to the low halves of vector j, bit 4 + j to the high halves
 *   sixes    nibbles and two vectors of two more bits, for low and high halves: bits 2j, 2j + 1 belong to vector j
 *   bytes    8 vectors; vector k: columns 4k ...
 * Codes are unsigned: weight = d (code - 2^bias) [+ m]. Blocks stand in groups, each with its scales in front:
 *   plain    two blocks: 16 f16 d of each; then both blocks' codes (a last group may have one block: its codes end the panel)
 *   low      one block: 16 f16 d, 16 f16 m
 *   super    eight blocks: 16 f16 d, 16 f16 m (sign turned: m is added), then per block 16 bytes of scales, or 16 for each half of its columns; and so
 *            for the scales of m. d of a block: f32(d) (float)scale, exact.
 * Floats: column after column, 16 numbers each.
 */
#ifndef NIGH_TENSOR_QUANT_LAYOUT_H
#define NIGH_TENSOR_QUANT_LAYOUT_H
#include "core/half.h"
#include "tensor/quant.h"

#include <string.h>

enum { QUANT_PANEL = 16, QUANT_BLOCK = 32 };
#define QUANT_LEAST 1e-30f /* a block of x below it counts as zeros: 127 / x would be infinite */

typedef enum quant_codes { QUANT_FLOATS, QUANT_NIBBLES, QUANT_TABLE, QUANT_FIVES, QUANT_SIXES, QUANT_BYTES } quant_codes;

typedef struct quant_format {
    nigh_block_type type;
    quant_codes codes;
    int bias;         /* log2 of the offset of codes; -1: none */
    bool low, fine;   /* a minimum; scales for 16 columns */
    int group;        /* blocks of a group: 1, 2, 8 */
    int head, bytes;  /* bytes of a group's scales and of a block's codes; floats: bytes of a number */
    int length, file; /* weights and bytes of a block in a file */
} quant_format;

const quant_format *quant_format_of(nigh_block_type type); /* NULL: unknown */
extern const int8_t quant_table[16];                       /* IQ4_NL */

static inline size_t quant_row_bytes(const quant_format *f, int64_t cols) { return (size_t)(cols / f->length) * (size_t)f->file; }

/* Bytes of a panel, a multiple of 64. */
size_t quant_panel_bytes(const quant_format *f, int64_t cols);

/* One block of 32 columns of one row, as it stands in the file and in a panel: codes, f16 scales, bytes that multiply them (1 where there are none). */
typedef struct quant_raw {
    uint8_t code[QUANT_BLOCK];
    uint16_t d, m;
    int8_t scale[2], low[2];
} quant_raw;
void quant_raw_read(const quant_format *f, const void *row, int64_t b, quant_raw *raw);
void quant_raw_scales(const quant_format *f, const uint8_t *super, int b, quant_raw *raw); /* of a block of 256: all but the codes */
void quant_raw_put(const quant_format *f, char *panel, int lane, int64_t b, const quant_raw *raw);
void quant_raw_get(const quant_format *f, const char *panel, int lane, int64_t b, quant_raw *raw);

/* A row of a file's blocks into one lane of a panel that was zeros. */
void quant_pack(const quant_format *f, const void *row, int64_t cols, int lane, char *panel);

static inline int quant_value(const quant_format *f, uint8_t code)
{
    return f->codes == QUANT_TABLE ? quant_table[code] : f->bias < 0 ? code : (int)code - (1 << f->bias);
}

/* 32 columns of one row of x: what a block's products need, in one line. Sums have their sign turned: shifted by `bias` they start a block's sum. */
typedef struct quant_record {
    int8_t q[QUANT_BLOCK];
    float d, low;       /* scale, scale * (float)sum */
    float low_half[2];  /* of the first and second 16 columns */
    int32_t turned, turned_half[2];
    int32_t unused;
} quant_record;

static inline int64_t quant_blocks(int64_t cols) { return (cols + QUANT_BLOCK - 1) / QUANT_BLOCK; }
static inline int64_t quant_stride(int64_t cols) { return quant_blocks(cols) | 1; } /* odd: rows of a power of two would share the cache's sets */
static inline quant_record *quant_row(const quant_rows *r, int64_t t) { return (quant_record *)r->memory + t * quant_stride(r->cols); }

/* d and low of x once more: of 16 rows, 16 numbers d and 16 low for each block. Those of the 16 rows that row t is one of. */
static inline float *quant_scales(const quant_rows *r, int64_t t)
{
    return (float *)(void *)((quant_record *)r->memory + r->room * quant_stride(r->cols)) + t / QUANT_PANEL * quant_blocks(r->cols) * 2 * QUANT_PANEL;
}

/* The bytes once more, for tiles: those of 16 rows for a block of columns stand together, 32 of each row. Those of the 16 rows from row t on, a multiple. */
enum { QUANT_TILE = QUANT_PANEL * QUANT_BLOCK };
static inline int8_t *quant_tiles(const quant_rows *r, int64_t t)
{
    int64_t groups = (r->room + QUANT_PANEL - 1) / QUANT_PANEL;
    return (int8_t *)(void *)quant_scales(r, groups * QUANT_PANEL) + t / QUANT_PANEL * quant_blocks(r->cols) * QUANT_TILE;
}

/* What becomes of a sum s: y = s, y + s, or f(y) s. */
typedef enum quant_end { QUANT_STORE, QUANT_ADD, QUANT_GATE } quant_end;

/* Products of neighbouring panels with rows row .. row + T - 1 of x: y[t ldy + i], t < T, i < lanes, for `lanes` rows of the first panel on. */
typedef struct quant_task {
    const quant_format *format;
    const char *panels;
    size_t panel_bytes;
    int64_t cols, lanes, row, T;
    const quant_rows *x;
    float *y;
    int64_t ldy;
    quant_end end;
    quant_gate gate;
} quant_task;

/* y = f(y), n of them. silu and the tanh form of gelu are x / (1 + exp(-u)); the same bits by all kernels. */
void quant_gates(quant_gate gate, int64_t n, float *y);

typedef struct quant_kernels {
    void (*products)(const quant_task *task);
    void (*fill)(const quant_rows *r, const float *x, quant_record *records); /* one row */
} quant_kernels;
extern const quant_kernels quant_scalar, quant_avx2, quant_vnni, quant_amx;
void quant_floats_vnni(const quant_task *task);
void quant_fill_vnni(const quant_rows *r, const float *x, quant_record *records);
bool quant_amx_allowed(void); /* asks the system for tiles */
const quant_kernels *quant_kernels_at(int i); /* all that this CPU and NIGH_CPU allow, the plain ones first; NULL behind the last */
const quant_kernels *quant_kernels_now(void);
void quant_kernels_force(const quant_kernels *kernels); /* for tests: NULL ends it. Not while others compute. */
#endif
