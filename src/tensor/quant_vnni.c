/* Products with panels by sums of four products of bytes (AVX-512 with VNNI): a block is unpacked once for up to eight rows of x. */
#include "tensor/quant_wide.h"

enum { MOST_ROWS = 8, AHEAD = 4096 };

#define EACH for (int t = 0; t < T; t++)

INLINE __m512i four_of(const quant_record *x, int k)
{
    int32_t four;
    memcpy(&four, x->q + 4 * k, 4);
    return _mm512_set1_epi32(four);
}

/* Sums over the columns of one block: one, or one for each half of the columns. */
INLINE void block_sums(const quant_format *f, const int T, const char *codes, const quant_record *const *x, __m512i table, __m512i s[2][MOST_ROWS])
{
    const bool split = f->fine || (T == 1 && f->codes == QUANT_NIBBLES); /* high halves unshifted: 16 times their sum */
    const bool in_place = T == 1 && f->codes == QUANT_NIBBLES;
    const int bias = f->codes == QUANT_TABLE ? 7 : f->bias;
    UNROLL EACH for (int h = 0; h < (split ? 2 : 1); h++)
    {
        s[h][t] = _mm512_setzero_si512();
        if (bias >= 0) s[h][t] = _mm512_slli_epi32(_mm512_set1_epi32(f->fine ? x[t]->turned_half[h] : h ? 0 : x[t]->turned), (unsigned)(bias + (in_place && h ? 4 : 0)));
    }
    if (f->codes == QUANT_BYTES) {
        UNROLL for (int k = 0; k < 8; k++)
        {
            __m512i w = _mm512_load_si512(codes + 64 * k);
            UNROLL EACH s[0][t] = _mm512_dpbusd_epi32(s[0][t], w, four_of(x[t], k));
        }
        return;
    }
    __m512i bits[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    if (f->codes == QUANT_FIVES) bits[0] = bits[1] = _mm512_load_si512(codes + 256);
    if (f->codes == QUANT_SIXES) bits[0] = _mm512_load_si512(codes + 256), bits[1] = _mm512_load_si512(codes + 320);
    UNROLL for (int j = 0; j < 4; j++)
    {
        __m512i v = _mm512_load_si512(codes + 64 * j), low = wide_low(f->codes, v, bits[0], j);
        __m512i high = in_place ? _mm512_andnot_si512(_mm512_set1_epi8(15), v) : wide_high(f->codes, v, bits[1], j);
        if (f->codes == QUANT_TABLE) low = _mm512_shuffle_epi8(table, low), high = _mm512_shuffle_epi8(table, high);
        UNROLL EACH s[0][t] = _mm512_dpbusd_epi32(s[0][t], low, four_of(x[t], j));
        UNROLL EACH s[split][t] = _mm512_dpbusd_epi32(s[split][t], high, four_of(x[t], 4 + j));
    }
    if (in_place) {
        s[1][0] = _mm512_srai_epi32(s[1][0], 4);
        if (!f->fine) s[0][0] = _mm512_add_epi32(s[0][0], s[1][0]);
    }
}

/* One panel with T rows of x. All but the pointers is known to the compiler. */
INLINE void panel_rows(const quant_format f, const int T, const quant_task *task, const char *panel, int64_t first, int64_t row)
{
    __m512 acc[MOST_ROWS], low[MOST_ROWS];
    const quant_record *x[MOST_ROWS];
    const __m512i table = wide_table();
    UNROLL EACH acc[t] = low[t] = _mm512_setzero_ps(), x[t] = quant_row(task->x, task->row + row + t);
    for (int64_t left = task->cols / QUANT_BLOCK; left > 0; left -= f.group) {
        const char *codes = panel + f.head;
        int64_t blocks = left < f.group ? left : f.group;
        for (int within = 0; within < blocks; within++, codes += f.bytes) {
            __m512i s[2][MOST_ROWS];
            for (int line = 0; line < f.bytes + f.head / f.group; line += 64) _mm_prefetch(codes + AHEAD + line, _MM_HINT_T0);
            block_sums(&f, T, codes, x, table, s);
            wide_scales scale = wide_scale(&f, panel, within);
            UNROLL EACH for (int h = 0; h < (f.fine ? 2 : 1); h++)
            {
                acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(scale.d[h], _mm512_set1_ps(x[t]->d)), _mm512_cvtepi32_ps(s[h][t]), acc[t]);
                if (f.low) low[t] = _mm512_fmadd_ps(scale.m[h], _mm512_set1_ps(f.fine ? x[t]->low_half[h] : x[t]->low), low[t]);
            }
            UNROLL EACH x[t]++;
        }
        panel = codes;
    }
    UNROLL EACH wide_finish(task, row + t, first, f.low ? _mm512_add_ps(acc[t], low[t]) : acc[t]);
}

#define FORMAT(name, ...)                                                                                                                       \
    static void name(const quant_task *task, const char *panel, int64_t first)                                                                  \
    {                                                                                                                                           \
        const quant_format f = {__VA_ARGS__};                                                                                                   \
        int64_t row = 0, T = task->T;                                                                                                           \
        for (; T - row >= 8; row += 8) panel_rows(f, 8, task, panel, first, row);                                                               \
        switch (T - row) {                                                                                                                      \
        case 7: panel_rows(f, 4, task, panel, first, row), row += 4; /* fall through */                                                         \
        case 3: panel_rows(f, 3, task, panel, first, row); break;                                                                               \
        case 6: panel_rows(f, 6, task, panel, first, row); break;                                                                               \
        case 5: panel_rows(f, 3, task, panel, first, row), row += 3; /* fall through */                                                         \
        case 2: panel_rows(f, 2, task, panel, first, row); break;                                                                               \
        case 4: panel_rows(f, 4, task, panel, first, row); break;                                                                               \
        case 1: panel_rows(f, 1, task, panel, first, row); break;                                                                               \
        }                                                                                                                                       \
    }
#include "tensor/quant_formats.inc"

typedef void panel_fn(const quant_task *task, const char *panel, int64_t first);

static void products(const quant_task *task)
{
    static panel_fn *const fns[] = QUANT_BY_TYPE;
    if (task->format->codes == QUANT_FLOATS) {
        quant_floats_vnni(task);
        return;
    }
    for (int64_t first = 0, panel = 0; first < task->lanes; first += QUANT_PANEL, panel++)
        fns[task->format->type](task, task->panels + (size_t)panel * task->panel_bytes, first);
}

const quant_kernels quant_vnni = {products, quant_fill_vnni};
