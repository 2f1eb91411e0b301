/* Products with panels in vectors of 256 bits: half a panel's vector is 8 rows for 4 columns, whose products are summed in 16 bits, then in 32. */
#include "tensor/quant_layout.h"
#include "tensor/vector_unroll.h"

#include <immintrin.h>

enum { MOST_ROWS = 4, HALVES = 2 };

/* ---- what becomes of sums ----------------------------------------------------------------------------- */

static void finish(const quant_task *task, int64_t t, int64_t first, const __m256 sums[HALVES])
{
    float *y = task->y + t * task->ldy + first, each[QUANT_PANEL], gate[QUANT_PANEL];
    int lanes = task->lanes - first < QUANT_PANEL ? (int)(task->lanes - first) : QUANT_PANEL;
    _mm256_storeu_ps(each, sums[0]);
    _mm256_storeu_ps(each + 8, sums[1]);
    if (task->end == QUANT_GATE) {
        memcpy(gate, y, (size_t)lanes * sizeof *y);
        quant_gates(task->gate, lanes, gate);
        for (int i = 0; i < lanes; i++) y[i] = gate[i] * each[i];
    } else
        for (int i = 0; i < lanes; i++) y[i] = task->end == QUANT_ADD ? y[i] + each[i] : each[i];
}

/* ---- float weights ------------------------------------------------------------------------------------ */

INLINE __m128i load_128(const char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
INLINE __m256i load_256(const char *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

#define V __m256
#define LANES 8
#define SET(x) _mm256_set1_ps(x)
#define ZERO _mm256_setzero_ps()
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LOAD_F32(p) _mm256_loadu_ps((const float *)(const void *)(p))
#define LOAD_F16(p) _mm256_cvtph_ps(load_128(p))
#define LOAD_BF16(p) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_128(p)), 16))
#define FINISH(task, t, first, sums) finish(task, t, first, sums)
#define FLOATS_PANELS 1
#define FLOATS_ROWS 4
#include "tensor/quant_floats.inc"

/* ---- quantised weights -------------------------------------------------------------------------------- */

/* Codes of columns 4 k ... of eight rows; `at`: byte of the half panel within a vector. Tables and bytes are signed. */
INLINE __m256i codes_of(const quant_format *f, const char *codes, int at, int k)
{
    const __m256i half = _mm256_set1_epi8(15);
    const int j = k % 4, high = k / 4;
    if (f->codes == QUANT_BYTES) return _mm256_xor_si256(load_256(codes + 64 * k + at), _mm256_set1_epi8(-128));
    __m256i v = load_256(codes + 64 * j + at);
    if (high) v = _mm256_srli_epi16(v, 4);
    v = _mm256_and_si256(v, half);
    if (f->codes == QUANT_TABLE) return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load_128((const char *)quant_table)), v);
    if (f->codes == QUANT_FIVES) {
        __m256i bits = load_256(codes + 256 + at);
        bits = k < 4 ? _mm256_slli_epi16(bits, 4 - k) : _mm256_srli_epi16(bits, k - 4);
        v = _mm256_or_si256(v, _mm256_and_si256(bits, _mm256_set1_epi8(16)));
    }
    if (f->codes == QUANT_SIXES) {
        __m256i bits = load_256(codes + 256 + 64 * high + at);
        bits = j < 2 ? _mm256_slli_epi16(bits, 4 - 2 * j) : _mm256_srli_epi16(bits, 2 * j - 4);
        v = _mm256_or_si256(v, _mm256_and_si256(bits, _mm256_set1_epi8(48)));
    }
    return v;
}

/* Sums of 4 products in each lane. Codes below 128 cannot overflow 16 bits; signed ones go as magnitude times x with their sign, at most 2 * 128 * 127. */
INLINE __m256i four_products(const bool is_signed, __m256i w, const quant_record *x, int k)
{
    int32_t four;
    memcpy(&four, x->q + 4 * k, 4);
    __m256i v = _mm256_set1_epi32(four);
    __m256i pairs = is_signed ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(v, w)) : _mm256_maddubs_epi16(w, v);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

INLINE __m256 bytes_of(const char *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p))); }

/* Scales of half a panel: d and m, for the halves of the columns if fine. */
INLINE void scales_of(const quant_format *f, const char *group, int within, int i, __m256 d[2], __m256 m[2])
{
    const char *scales = group + 64 + within * ((f->head - 64) / 8) + 8 * i;
    __m256 of_d = _mm256_cvtph_ps(load_128(group + (f->group == 2 ? 32 * within : 0) + 16 * i)), of_m = f->low ? _mm256_cvtph_ps(load_128(group + 32 + 16 * i)) : _mm256_setzero_ps();
    for (int h = 0; h < (f->fine ? 2 : 1); h++) {
        d[h] = f->group == 8 ? _mm256_mul_ps(of_d, bytes_of(scales + 16 * h)) : of_d;
        m[h] = f->group == 8 && f->low ? _mm256_mul_ps(of_m, bytes_of(scales + 16 * (h + (f->fine ? 2 : 1)))) : of_m;
    }
}

/* One block, half a panel, T rows of x. */
INLINE void add_block(const quant_format *f, const int T, const char *group, int within, int i, const quant_record *const *x, __m256 (*acc)[HALVES], __m256 (*low)[HALVES])
{
    const char *codes = group + f->head + within * f->bytes;
    const bool is_signed = f->codes == QUANT_BYTES || f->codes == QUANT_TABLE;
    const int parts = f->fine ? 2 : 1, each = 8 / parts;
    __m256 d[2], m[2];
    scales_of(f, group, within, i, d, m);
    UNROLL for (int h = 0; h < parts; h++)
    {
        __m256i s[MOST_ROWS];
        UNROLL for (int t = 0; t < T; t++)
        {
            s[t] = _mm256_setzero_si256();
            if (!is_signed && f->bias >= 0) s[t] = _mm256_slli_epi32(_mm256_set1_epi32(f->fine ? x[t]->turned_half[h] : x[t]->turned), f->bias);
        }
        UNROLL for (int k = h * each; k < (h + 1) * each; k++)
        {
            __m256i w = codes_of(f, codes, 32 * i, k);
            UNROLL for (int t = 0; t < T; t++) s[t] = _mm256_add_epi32(s[t], four_products(is_signed, w, x[t], k));
        }
        UNROLL for (int t = 0; t < T; t++)
        {
            acc[t][i] = _mm256_fmadd_ps(_mm256_mul_ps(d[h], _mm256_set1_ps(x[t]->d)), _mm256_cvtepi32_ps(s[t]), acc[t][i]);
            if (f->low) low[t][i] = _mm256_fmadd_ps(m[h], _mm256_set1_ps(f->fine ? x[t]->low_half[h] : x[t]->low), low[t][i]);
        }
    }
}

INLINE void panel_rows(const quant_format f, const int T, const quant_task *task, const char *panel, int64_t first, int64_t row)
{
    __m256 acc[MOST_ROWS][HALVES], low[MOST_ROWS][HALVES];
    const quant_record *x[MOST_ROWS];
    UNROLL for (int t = 0; t < T; t++)
    {
        acc[t][0] = acc[t][1] = low[t][0] = low[t][1] = _mm256_setzero_ps();
        x[t] = quant_row(task->x, task->row + row + t);
    }
    for (int64_t left = task->cols / QUANT_BLOCK; left > 0; left -= f.group, panel += f.head + f.group * f.bytes)
        for (int within = 0; within < f.group && within < left; within++) {
            add_block(&f, T, panel, within, 0, x, acc, low);
            add_block(&f, T, panel, within, 1, x, acc, low);
            UNROLL for (int t = 0; t < T; t++) x[t]++;
        }
    UNROLL for (int t = 0; t < T; t++)
    {
        if (f.low) acc[t][0] = _mm256_add_ps(acc[t][0], low[t][0]), acc[t][1] = _mm256_add_ps(acc[t][1], low[t][1]);
        finish(task, row + t, first, acc[t]);
    }
}

#define FORMAT(name, ...)                                                                                                                       \
    static void name(const quant_task *task, const char *panel, int64_t first)                                                                  \
    {                                                                                                                                           \
        const quant_format f = {__VA_ARGS__};                                                                                                   \
        int64_t row = 0;                                                                                                                        \
        for (; task->T - row >= MOST_ROWS; row += MOST_ROWS) panel_rows(f, MOST_ROWS, task, panel, first, row);                                 \
        for (; task->T - row > 0; row++) panel_rows(f, 1, task, panel, first, row);                                                             \
    }
#include "tensor/quant_formats.inc"

typedef void panel_fn(const quant_task *task, const char *panel, int64_t first);

static void products(const quant_task *task)
{
    static panel_fn *const fns[] = QUANT_BY_TYPE;
    if (task->format->codes == QUANT_FLOATS) {
        products_floats(task);
        return;
    }
    for (int64_t first = 0, panel = 0; first < task->lanes; first += QUANT_PANEL, panel++)
        fns[task->format->type](task, task->panels + (size_t)panel * task->panel_bytes, first);
}

/* ---- rows of x ---------------------------------------------------------------------------------------- */

static bool fill_block(const float *x, quant_record *to)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff), order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i most = _mm256_setzero_si256(), v[4];
    for (int i = 0; i < 4; i++) most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + 8 * i)), magnitude));
    __m128i top = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    top = _mm_max_epi32(top, _mm_shuffle_epi32(top, 0x4e));
    top = _mm_max_epi32(top, _mm_shuffle_epi32(top, 0xb1));
    float largest = _mm_cvtss_f32(_mm_castsi128_ps(top));
    if (_mm_cvtsi128_si32(top) >= 0x7f800000 || largest < QUANT_LEAST) return false;
    for (int i = 0; i < 4; i++) v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), _mm256_set1_ps(127 / largest)));
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3])), order);
    _mm256_storeu_si256((__m256i *)(void *)to->q, bytes);
    __m256i sums = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
    int32_t a = _mm_cvtsi128_si32(_mm256_castsi256_si128(sums)), b = _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1));
    float scale = largest / 127;
    to->d = scale;
    to->low = scale * (float)(a + b);
    to->low_half[0] = scale * (float)a;
    to->low_half[1] = scale * (float)b;
    to->turned = -(a + b);
    to->turned_half[0] = -a;
    to->turned_half[1] = -b;
    to->unused = 0;
    return true;
}

static void fill(const quant_rows *r, const float *x, quant_record *records)
{
    for (int64_t b = 0; b < quant_blocks(r->cols); b++) {
        int64_t columns = r->cols - b * QUANT_BLOCK;
        if (columns >= QUANT_BLOCK && fill_block(x + b * QUANT_BLOCK, records + b)) continue;
        quant_rows part = *r; /* a part of a block, zeros, or what is not a number */
        part.cols = columns < QUANT_BLOCK ? columns : QUANT_BLOCK;
        quant_scalar.fill(&part, x + b * QUANT_BLOCK, records + b);
    }
}

const quant_kernels quant_avx2 = {products, fill};
