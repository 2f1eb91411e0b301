/*
 * Products with panels by tiles (AMX): integer sums of a block for 16 rows of x and 16 of weights are one instruction, their scaling 48 vector operations,
 * which is what takes the time. A panel is unpacked to bytes once for up to 128 rows of x; sums of the next block are under way while one is scaled.
 */
#include "tensor/quant_wide.h"

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { LEAST = 6, GROUP = 16, CHUNK_ROWS = 128, CHUNK_BLOCKS = 32 };

/* Shapes of the eight tiles: sums, x and weights for 16 rows of x; sums and x for the rows that remain. */
#define SUM_A 0
#define SUM_B 1
#define OF_X 2
#define REST_SUM_A 3
#define REST_SUM_B 4
#define REST_OF_X 5
#define WEIGHTS_A 6
#define WEIGHTS_B 7

typedef struct tile_shapes {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void shape_tiles(bool fine, int rest)
{
    uint16_t width = fine ? 16 : 32;
    uint8_t some = (uint8_t)(rest ? rest : GROUP);
    tile_shapes s = {.palette = 1,
                     .bytes = {64, 64, width, 64, 64, width, 64, 64},
                     .rows = {GROUP, GROUP, GROUP, some, some, some, (uint8_t)(width / 4), (uint8_t)(width / 4)}};
    _tile_loadconfig(&s);
}

typedef struct chunk {
    _Alignas(64) uint8_t codes[CHUNK_BLOCKS * 512];
    _Alignas(64) float d[CHUNK_BLOCKS * 2][QUANT_PANEL], m[CHUNK_BLOCKS * 2][QUANT_PANEL];
    _Alignas(64) int32_t sums[4][GROUP][QUANT_PANEL]; /* of the block at hand and the next, halves of each */
    _Alignas(64) float acc[CHUNK_ROWS][QUANT_PANEL], low[CHUNK_ROWS][QUANT_PANEL];
} chunk;

/* Codes of one block as bytes, columns ascending; signed, the offset taken off, unless the format has a minimum. */
INLINE void unpack_block(const quant_format *f, const char *codes, uint8_t *to)
{
    const __m512i offset = _mm512_set1_epi8((char)(f->bias < 0 ? 0 : 1u << f->bias)), plain = _mm512_xor_si512(wide_table(), _mm512_set1_epi8(-128));
    if (f->codes == QUANT_BYTES) {
        for (int k = 0; k < 8; k++) _mm512_store_si512(to + 64 * k, _mm512_sub_epi8(_mm512_load_si512(codes + 64 * k), offset));
        return;
    }
    __m512i bits[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    if (f->codes == QUANT_FIVES) bits[0] = bits[1] = _mm512_load_si512(codes + 256);
    if (f->codes == QUANT_SIXES) bits[0] = _mm512_load_si512(codes + 256), bits[1] = _mm512_load_si512(codes + 320);
    UNROLL for (int j = 0; j < 4; j++)
    {
        __m512i v = _mm512_load_si512(codes + 64 * j), low = wide_low(f->codes, v, bits[0], j), high = wide_high(f->codes, v, bits[1], j);
        if (f->codes == QUANT_TABLE) low = _mm512_shuffle_epi8(plain, low), high = _mm512_shuffle_epi8(plain, high);
        if (f->bias >= 0) low = _mm512_sub_epi8(low, offset), high = _mm512_sub_epi8(high, offset);
        _mm512_store_si512(to + 64 * j, low);
        _mm512_store_si512(to + 64 * (4 + j), high);
    }
}

INLINE void unpack(const quant_format *f, const char *panel, int64_t first, int blocks, chunk *c)
{
    enum { AHEAD = 4096 };
    const char *group = panel + first / f->group * (f->head + (int64_t)f->group * f->bytes);
    for (int b = 0; b < blocks; group += f->head + f->group * f->bytes)
        for (int within = 0; within < f->group && b < blocks; within++, b++) {
            const char *codes = group + f->head + within * f->bytes;
            for (int line = 0; line < f->bytes + f->head / f->group; line += 64) _mm_prefetch(codes + AHEAD + line, _MM_HINT_T0);
            unpack_block(f, codes, c->codes + 512 * b);
            wide_scales s = wide_scale(f, group, within);
            for (int h = 0; h < (f->fine ? 2 : 1); h++) {
                _mm512_store_ps(c->d[(f->fine ? 2 * b : b) + h], s.d[h]);
                if (f->low) _mm512_store_ps(c->m[(f->fine ? 2 * b : b) + h], s.m[h]);
            }
        }
}

/* Integer sums of 16 or 32 columns. */
#define TILE_SUMS(sum, x_tile, w_tile, is_signed, x, stride, w, to)                                                                              \
    do {                                                                                                                                        \
        _tile_zero(sum);                                                                                                                        \
        _tile_loadd(x_tile, x, stride);                                                                                                         \
        _tile_loadd(w_tile, w, 64);                                                                                                             \
        if (is_signed)                                                                                                                          \
            _tile_dpbssd(sum, x_tile, w_tile);                                                                                                  \
        else                                                                                                                                    \
            _tile_dpbsud(sum, x_tile, w_tile);                                                                                                  \
        _tile_stored(sum, to, 64);                                                                                                              \
    } while (0)

/* Sum number i (of blocks, or of their halves) of the chunk. */
INLINE void tile_sum(const quant_format *f, bool whole, int i, const quant_record *x, int64_t stride, chunk *c)
{
    const bool is_signed = !f->low;
    const int8_t *q = f->fine ? x[i / 2].q + 16 * (i % 2) : x[i].q;
    const uint8_t *w = c->codes + (f->fine ? 256 : 512) * i;
    if (whole) {
        if (i % 2)
            TILE_SUMS(SUM_A, OF_X, WEIGHTS_A, is_signed, q, stride, w, c->sums[i % 4]);
        else
            TILE_SUMS(SUM_B, OF_X, WEIGHTS_B, is_signed, q, stride, w, c->sums[i % 4]);
    } else {
        if (i % 2)
            TILE_SUMS(REST_SUM_A, REST_OF_X, WEIGHTS_A, is_signed, q, stride, w, c->sums[i % 4]);
        else
            TILE_SUMS(REST_SUM_B, REST_OF_X, WEIGHTS_B, is_signed, q, stride, w, c->sums[i % 4]);
    }
}

/* The blocks of a chunk for one group of ROWS rows of x, rounded up to fours: `scales` has 16 a block. */
INLINE void group_sums(const quant_format *f, const int ROWS, bool whole, int blocks, const quant_record *x, int64_t stride, const float *scales, chunk *c, float (*to)[QUANT_PANEL])
{
    __m512 acc[GROUP];
    const int parts = f->fine ? 2 : 1, count = blocks * parts;
    UNROLL for (int t = 0; t < ROWS; t++) acc[t] = _mm512_load_ps(to[t]);
    tile_sum(f, whole, 0, x, stride, c);
    for (int i = 0; i < count; i++) {
        if (i + 1 < count) tile_sum(f, whole, i + 1, x, stride, c);
        __m512 d = _mm512_load_ps(c->d[i]);
        const float *of_x = scales + GROUP * (i / parts);
        UNROLL for (int t = 0; t < ROWS; t++)
            acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(of_x[t])), _mm512_cvtepi32_ps(_mm512_load_si512(c->sums[i % 4][t])), acc[t]);
    }
    UNROLL for (int t = 0; t < ROWS; t++) _mm512_store_ps(to[t], acc[t]);
}

/* Minima: four rows of x at a time. */
INLINE void group_low(const quant_format *f, int blocks, const quant_record *x, int64_t stride, int64_t rows, const chunk *c, float (*to)[QUANT_PANEL])
{
    enum { AT_ONCE = 4 };
    for (int64_t first = 0; first < rows; first += AT_ONCE) {
        const quant_record *from[AT_ONCE];
        __m512 low[AT_ONCE];
        UNROLL for (int t = 0; t < AT_ONCE; t++)
        {
            from[t] = x + (first + t < rows ? first + t : rows - 1) * stride;
            low[t] = _mm512_load_ps(to[first + t]);
        }
        for (int b = 0; b < blocks; b++)
            for (int h = 0; h < (f->fine ? 2 : 1); h++) {
                __m512 m = _mm512_load_ps(c->m[f->fine ? 2 * b + h : b]);
                UNROLL for (int t = 0; t < AT_ONCE; t++) low[t] = _mm512_fmadd_ps(m, _mm512_set1_ps(f->fine ? from[t][b].low_half[h] : from[t][b].low), low[t]);
            }
        UNROLL for (int t = 0; t < AT_ONCE; t++) _mm512_store_ps(to[first + t], low[t]);
    }
}

/* One panel with rows row .. row + rows - 1 of x, at most CHUNK_ROWS. */
INLINE void panel_rows(const quant_format *f, const quant_task *task, const char *panel, int64_t first, int64_t row, int64_t rows, chunk *c)
{
    const int64_t blocks = task->cols / QUANT_BLOCK, stride = quant_stride(task->cols);
    memset(c->acc, 0, (size_t)(rows + 3) / 4 * 4 * sizeof *c->acc);
    if (f->low) memset(c->low, 0, (size_t)(rows + 3) / 4 * 4 * sizeof *c->low);
    for (int64_t b = 0; b < blocks; b += CHUNK_BLOCKS) {
        int some = blocks - b < CHUNK_BLOCKS ? (int)(blocks - b) : CHUNK_BLOCKS;
        unpack(f, panel, b, some, c);
        for (int64_t t = 0; t < rows; t += GROUP) {
            const quant_record *x = quant_row(task->x, task->row + row + t) + b;
            const float *scales = quant_scales(task->x, task->row + row + t) + GROUP * b;
            int64_t here = rows - t < GROUP ? rows - t : GROUP;
            if (here > 12)
                group_sums(f, 16, here == GROUP, some, x, stride * (int64_t)sizeof *x, scales, c, c->acc + t);
            else if (here > 8)
                group_sums(f, 12, false, some, x, stride * (int64_t)sizeof *x, scales, c, c->acc + t);
            else if (here > 4)
                group_sums(f, 8, false, some, x, stride * (int64_t)sizeof *x, scales, c, c->acc + t);
            else
                group_sums(f, 4, false, some, x, stride * (int64_t)sizeof *x, scales, c, c->acc + t);
            if (f->low) group_low(f, some, x, stride, here, c, c->low + t);
        }
    }
    for (int64_t t = 0; t < rows; t++) {
        __m512 sum = _mm512_load_ps(c->acc[t]);
        wide_finish(task, row + t, first, f->low ? _mm512_add_ps(sum, _mm512_load_ps(c->low[t])) : sum);
    }
}

INLINE void all_panels(const quant_format f, const quant_task *task)
{
    chunk c;
    memset(c.sums, 0, sizeof c.sums); /* rows that no tile has are scaled too */
    for (int64_t row = 0; row < task->T; row += CHUNK_ROWS) {
        int64_t rows = task->T - row < CHUNK_ROWS ? task->T - row : CHUNK_ROWS;
        shape_tiles(f.fine, (int)(rows % GROUP));
        for (int64_t first = 0, panel = 0; first < task->lanes; first += QUANT_PANEL, panel++)
            panel_rows(&f, task, task->panels + (size_t)panel * task->panel_bytes, first, row, rows, &c);
    }
    _tile_release();
}

#define FORMAT(name, ...)                                                                                                                       \
    static void name(const quant_task *task)                                                                                                    \
    {                                                                                                                                           \
        const quant_format f = {__VA_ARGS__};                                                                                                   \
        all_panels(f, task);                                                                                                                    \
    }
#include "tensor/quant_formats.inc"

typedef void format_fn(const quant_task *task);

static void products(const quant_task *task)
{
    static format_fn *const fns[] = QUANT_BY_TYPE;
    if (task->T < LEAST || task->format->codes == QUANT_FLOATS)
        quant_vnni.products(task);
    else
        fns[task->format->type](task);
}

bool quant_amx_allowed(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { REQUEST = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    bool has = (d >> 24 & 1) && (d >> 25 & 1); /* tiles, and their products of bytes */
    return has && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

static void fill(const quant_rows *r, const float *x, quant_record *records) { quant_vnni.fill(r, x, records); }

const quant_kernels quant_amx = {products, fill};
