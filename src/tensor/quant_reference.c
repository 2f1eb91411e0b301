/* Products with quantised weights by one plain loop from the file's blocks: what kernels are checked against. Declared in tensor/quant.h. */
#include "tensor/quant_layout.h"

#include <math.h>

static float plain_float(const quant_part *part, int64_t at)
{
    uint16_t h;
    if (part->type == NIGH_BLOCK_F32) {
        float x;
        memcpy(&x, (const char *)part->blocks + 4 * at, 4);
        return x;
    }
    memcpy(&h, (const char *)part->blocks + 2 * at, 2);
    return part->type == NIGH_BLOCK_F16 ? half_from_f16(h) : half_from_bf16(h);
}

/* One row of weights with one row of x. */
static float product(const quant_format *f, const void *row, int64_t blocks, const quant_record *x)
{
    float acc = 0, low = 0;
    for (int64_t b = 0; b < blocks; b++) {
        quant_raw raw;
        quant_raw_read(f, row, b, &raw);
        int parts = f->fine ? 2 : 1, columns = QUANT_BLOCK / parts;
        for (int h = 0; h < parts; h++) {
            int32_t sum = 0, plain = 0;
            for (int i = h * columns; i < (h + 1) * columns; i++) sum += quant_value(f, raw.code[i]) * x[b].q[i], plain += x[b].q[i];
            float d = half_from_f16(raw.d) * (float)raw.scale[h], m = half_from_f16(raw.m) * (float)raw.low[h];
            acc = fmaf(d * x[b].d, (float)sum, acc);
            if (f->low) low = fmaf(m, x[b].d * (float)plain, low);
        }
    }
    return f->low ? acc + low : acc;
}

nigh_status quant_reference(nigh_context *ctx, const quant_part *part, int64_t cols, const float *x, int64_t T, float *y)
{
    const quant_format *f = quant_format_of(part->type);
    if (!f) return nigh_fail(ctx, NIGH_INVALID, "quant: type %d is not known", (int)part->type);
    if (cols < 1 || cols % f->length) return nigh_fail(ctx, NIGH_INVALID, "quant: %lld columns; a multiple of %d is needed", (long long)cols, f->length);
    if (f->codes == QUANT_FLOATS) {
        for (int64_t t = 0; t < T; t++)
            for (int64_t i = 0; i < part->rows; i++) {
                float acc = 0;
                for (int64_t k = 0; k < cols; k++) acc = fmaf(plain_float(part, i * cols + k), x[t * cols + k], acc);
                y[t * part->rows + i] = acc;
            }
        return NIGH_OK;
    }
    quant_rows r;
    void *memory = nigh_alloc(ctx, quant_rows_bytes(cols, 1));
    if (!memory) return NIGH_MEMORY;
    quant_rows_bind(&r, cols, 1, memory);
    for (int64_t t = 0; t < T; t++) {
        quant_scalar.fill(&r, x + t * cols, quant_row(&r, 0));
        for (int64_t i = 0; i < part->rows; i++) {
            const char *row = (const char *)part->blocks + (size_t)i * quant_row_bytes(f, cols);
            y[t * part->rows + i] = product(f, row, cols / QUANT_BLOCK, quant_row(&r, 0));
        }
    }
    nigh_free(ctx, memory);
    return NIGH_OK;
}
