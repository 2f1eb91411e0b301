/*
 * Products with panels by tiles (AMX): integer sums of a block for 16 rows of x and 16 of weights are one instruction, their scaling 48 vector operations,
 * which is what takes the time. Tiles and vectors share a port and change over slowly: four blocks are summed, then four scaled. A panel is unpacked to
 * bytes once for up to 128 rows of x; what 16 rows of x need of it stays in the first cache, x too: bytes of 16 rows for a block stand together.
 */
#include "tensor/quant_wide.h"

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef __clang__
#define UNROLL_ROWS _Pragma("unroll")
#else
#define UNROLL_ROWS _Pragma("GCC unroll 16")
#endif

enum { LEAST = 48, GROUP = 16, CHUNK_ROWS = 128, CHUNK_BLOCKS = 32, AT_ONCE = 4 };

typedef struct tile_shapes {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Tiles 0 to 3: sums for `rows` rows of x; 4 and 5: x; 6 and 7: weights. */
static void shape_tiles(bool fine, int rows)
{
    uint16_t width = fine ? 16 : 32;
    uint8_t some = (uint8_t)rows, words = (uint8_t)(width / 4);
    tile_shapes s = {.palette = 1, .bytes = {64, 64, 64, 64, width, width, 64, 64}, .rows = {some, some, some, some, some, some, words, words}};
    __asm__ volatile("" : : "r"(&s) : "memory"); /* some compilers take the next for a read of 8 bytes */
    _tile_loadconfig(&s);
}

/* Part of a panel, unpacked, and the accumulators of the rows of x. */
typedef struct chunk {
    _Alignas(64) uint8_t codes[CHUNK_BLOCKS * 512];
    _Alignas(64) float d[CHUNK_BLOCKS * 2][QUANT_PANEL], m[CHUNK_BLOCKS * 2][QUANT_PANEL];
    _Alignas(64) int32_t sums[2 * AT_ONCE][GROUP][QUANT_PANEL];
    _Alignas(64) float low_of_x[CHUNK_BLOCKS * 2][GROUP];
    _Alignas(64) float acc[CHUNK_ROWS][QUANT_PANEL], low[CHUNK_ROWS][QUANT_PANEL];
    const char *next, *end; /* what is unpacked after this: asked for a few lines at a time */
    int lines;
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

/* Blocks first ... of a panel. */
INLINE void unpack(const quant_format *f, const char *panel, int64_t first, int blocks, chunk *c)
{
    const int64_t group_bytes = f->head + (int64_t)f->group * f->bytes;
    const char *group = panel + first / f->group * group_bytes;
    for (int b = 0; b < blocks; group += group_bytes)
        for (int within = 0; within < f->group && b < blocks; within++, b++) {
            const char *codes = group + f->head + within * f->bytes;
            unpack_block(f, codes, c->codes + 512 * b);
            wide_scales s = wide_scale(f, group, within);
            for (int h = 0; h < (f->fine ? 2 : 1); h++) {
                _mm512_store_ps(c->d[(f->fine ? 2 * b : b) + h], s.d[h]);
                if (f->low) _mm512_store_ps(c->m[(f->fine ? 2 * b : b) + h], s.m[h]);
            }
        }
}

#define TILE_SUM(sum, x_tile, w_tile)                                                                                                           \
    do {                                                                                                                                        \
        if (sum < count) {                                                                                                                      \
            _tile_loadd(x_tile, q + (f->fine ? sum / 2 * QUANT_TILE + sum % 2 * 16 : sum * QUANT_TILE), QUANT_BLOCK);                            \
            _tile_loadd(w_tile, w + (f->fine ? 256 : 512) * sum, 64);                                                                           \
            _tile_zero(sum);                                                                                                                    \
            if (f->low)                                                                                                                         \
                _tile_dpbsud(sum, x_tile, w_tile);                                                                                              \
            else                                                                                                                                \
                _tile_dpbssd(sum, x_tile, w_tile);                                                                                              \
        }                                                                                                                                       \
    } while (0)

/* Integer sums of up to four blocks, or of halves of two, from the rows' bytes q and the panel's codes w. */
INLINE void tile_sums(const quant_format *f, const int count, const int8_t *q, const uint8_t *w, int32_t (*to)[GROUP][QUANT_PANEL])
{
    __asm__ volatile("" : : : "memory"); /* loads of tiles are not known to read memory */
    TILE_SUM(0, 4, 6);
    TILE_SUM(1, 5, 7);
    TILE_SUM(2, 4, 6);
    TILE_SUM(3, 5, 7);
    _tile_stored(0, to[0], 64);
    if (count > 1) _tile_stored(1, to[1], 64);
    if (count > 2) _tile_stored(2, to[2], 64);
    if (count > 3) _tile_stored(3, to[3], 64);
}

/* Adds `count` sums, scaled: d of the weights by of_x, 16 numbers a block of x. */
INLINE void scale_sums(const quant_format *f, const int ROWS, const int count, const int32_t (*sums)[GROUP][QUANT_PANEL], const float (*d)[QUANT_PANEL],
                       const float *of_x, __m512 *acc)
{
    for (int i = 0; i < count; i++) {
        __m512 of_w = _mm512_load_ps(d[i]);
        const float *each = of_x + 2 * GROUP * (f->fine ? i / 2 : i);
        UNROLL_ROWS for (int t = 0; t < ROWS; t++)
            acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(of_w, _mm512_set1_ps(each[t])), _mm512_cvtepi32_ps(_mm512_load_si512(sums[i][t])), acc[t]);
    }
}

/* Sums number i ... of the unpacked blocks (whole ones, or halves if fine), AT_ONCE or what is left. */
INLINE void batch_sums(const quant_format *f, int i, int count, const int8_t *q, chunk *c)
{
    const int parts = f->fine ? 2 : 1;
    int32_t(*to)[GROUP][QUANT_PANEL] = c->sums + (i & AT_ONCE);
    if (count - i >= AT_ONCE)
        tile_sums(f, AT_ONCE, q + QUANT_TILE * (i / parts), c->codes + 512 / parts * i, to);
    else
        tile_sums(f, count - i, q + QUANT_TILE * (i / parts), c->codes + 512 / parts * i, to);
}

INLINE void batch_scale(const quant_format *f, const int ROWS, int i, int count, const float *scales, const chunk *c, __m512 *acc)
{
    const int32_t(*sums)[GROUP][QUANT_PANEL] = c->sums + (i & AT_ONCE);
    const float *of_x = scales + 2 * GROUP * (f->fine ? i / 2 : i);
    if (count - i >= AT_ONCE)
        scale_sums(f, ROWS, AT_ONCE, sums, c->d + i, of_x, acc);
    else
        scale_sums(f, ROWS, count - i, sums, c->d + i, of_x, acc);
}

/* The unpacked blocks for ROWS rows of x, rounded up to fours, which stand at t0 in the chunk. Sums are scaled while tiles make the next ones. */
INLINE void group_sums(const quant_format *f, const int ROWS, bool begins, int blocks, const int8_t *q, const float *scales, int64_t t0, chunk *c)
{
    __m512 acc[GROUP];
    const int count = f->fine ? 2 * blocks : blocks;
    UNROLL_ROWS for (int t = 0; t < ROWS; t++) acc[t] = begins ? _mm512_setzero_ps() : _mm512_load_ps(c->acc[t0 + t]);
    batch_sums(f, 0, count, q, c);
    for (int i = 0; i < count; i += AT_ONCE) {
        for (int line = 0; line < c->lines && c->next < c->end; line++, c->next += 64) _mm_prefetch(c->next, _MM_HINT_T1);
        if (i + AT_ONCE < count) batch_sums(f, i + AT_ONCE, count, q, c);
        batch_scale(f, ROWS, i, count, scales, c, acc);
    }
    UNROLL_ROWS for (int t = 0; t < ROWS; t++) _mm512_store_ps(c->acc[t0 + t], acc[t]);
    if (!f->low) return;
    UNROLL_ROWS for (int t = 0; t < ROWS; t++) acc[t] = begins ? _mm512_setzero_ps() : _mm512_load_ps(c->low[t0 + t]);
    for (int i = 0; i < count; i++) {
        __m512 m = _mm512_load_ps(c->m[i]);
        const float *each = f->fine ? c->low_of_x[i] : scales + 2 * GROUP * i + GROUP;
        UNROLL_ROWS for (int t = 0; t < ROWS; t++) acc[t] = _mm512_fmadd_ps(m, _mm512_set1_ps(each[t]), acc[t]);
    }
    UNROLL_ROWS for (int t = 0; t < ROWS; t++) _mm512_store_ps(c->low[t0 + t], acc[t]);
}

/* The unpacked blocks first_block ... with the `rows` rows of x from row `row` on (the first of a group), which stand at t0 in the chunk. */
INLINE void chunk_rows(const quant_format *f, const quant_task *task, int64_t first_block, int blocks, int64_t row, int64_t t0, int64_t rows, chunk *c)
{
    const int8_t *q = quant_tiles(task->x, row) + QUANT_TILE * first_block;
    const float *scales = quant_scales(task->x, row) + 2 * GROUP * first_block;
    if (f->fine && f->low) {
        const quant_record *x = quant_row(task->x, row) + first_block;
        for (int b = 0; b < 2 * blocks; b++)
            for (int64_t t = 0; t < rows; t++) c->low_of_x[b][t] = x[t * quant_stride(task->cols) + b / 2].low_half[b % 2];
    }
    if (rows > 12)
        group_sums(f, 16, first_block == 0, blocks, q, scales, t0, c);
    else if (rows > 8)
        group_sums(f, 12, first_block == 0, blocks, q, scales, t0, c);
    else if (rows > 4)
        group_sums(f, 8, first_block == 0, blocks, q, scales, t0, c);
    else
        group_sums(f, 4, first_block == 0, blocks, q, scales, t0, c);
}

/* One panel with rows row .. row + rows - 1 of x, at most CHUNK_ROWS. Columns are taken in parts of equal length that fit the chunk. */
INLINE void panel_rows(const quant_format *f, const quant_task *task, int64_t first, int64_t row, int64_t rows, chunk *c)
{
    const int64_t blocks = task->cols / QUANT_BLOCK, whole = rows / GROUP * GROUP, cuts = (blocks + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    const int64_t part = (blocks + cuts * 8 - 1) / (cuts * 8) * 8, group_bytes = f->head + (int64_t)f->group * f->bytes;
    const char *panel = task->panels + (size_t)(first / QUANT_PANEL) * task->panel_bytes;
    for (int64_t b = 0; b < blocks; b += part) {
        int some = blocks - b < part ? (int)(blocks - b) : (int)part;
        unpack(f, panel, b, some, c);
        int64_t after = (b + some) / f->group * group_bytes, bytes = (int64_t)some * (f->bytes + f->head / f->group);
        int64_t batches = (rows + GROUP - 1) / GROUP * ((some * (f->fine ? 2 : 1) + AT_ONCE - 1) / AT_ONCE);
        c->next = panel + after, c->end = panel + after + bytes, c->lines = (int)((bytes / 64 + batches) / batches);
        if (whole) {
            if (whole < rows) shape_tiles(f->fine, GROUP);
            for (int64_t t = 0; t < whole; t += GROUP) chunk_rows(f, task, b, some, task->row + row + t, t, GROUP, c);
        }
        if (whole < rows) {
            if (whole) shape_tiles(f->fine, (int)(rows - whole));
            chunk_rows(f, task, b, some, task->row + row + whole, whole, rows - whole, c);
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
    memset(c.low_of_x, 0, sizeof c.low_of_x);
    for (int64_t row = 0; row < task->T; row += CHUNK_ROWS) {
        int64_t rows = task->T - row < CHUNK_ROWS ? task->T - row : CHUNK_ROWS;
        shape_tiles(f.fine, rows < GROUP ? (int)rows : GROUP);
        for (int64_t first = 0; first < task->lanes; first += QUANT_PANEL) panel_rows(&f, task, first, row, rows, &c);
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

const quant_kernels quant_amx = {products, quant_fill_vnni};
