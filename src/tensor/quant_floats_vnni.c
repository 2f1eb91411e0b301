/* Products with panels of float weights in vectors of 512 bits. */
#include "tensor/quant_wide.h"

#define V __m512
#define LANES 16
#define SET(x) _mm512_set1_ps(x)
#define ZERO _mm512_setzero_ps()
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LOAD_F32(p) _mm512_load_ps(p)
#define LOAD_F16(p) wide_halves(p)
#define LOAD_BF16(p) \
    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)(const void *)(p))), 16))
#define FINISH(task, t, first, sums) wide_finish(task, t, first, (sums)[0])
#define FLOATS_PANELS 2
#define FLOATS_ROWS 8
#include "tensor/quant_floats.inc"

void quant_floats_vnni(const quant_task *task) { products_floats(task); }
