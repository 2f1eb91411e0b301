/* Products with panels in plain C. */
#include "tensor/quant_layout.h"

#include <math.h>

enum { ROWS = 8 }; /* of x at a time, for which a block is unpacked once */

typedef struct unpacked {
    int16_t value[QUANT_PANEL][QUANT_BLOCK];
    float d[2][QUANT_PANEL], m[2][QUANT_PANEL];
} unpacked;

static void unpack(const quant_format *f, const char *panel, int64_t b, unpacked *u)
{
    quant_raw raw;
    for (int lane = 0; lane < QUANT_PANEL; lane++) {
        quant_raw_get(f, panel, lane, b, &raw);
        for (int i = 0; i < QUANT_BLOCK; i++) u->value[lane][i] = (int16_t)quant_value(f, raw.code[i]);
        for (int h = 0; h < 2; h++) {
            u->d[h][lane] = half_from_f16(raw.d) * (float)raw.scale[h];
            u->m[h][lane] = half_from_f16(raw.m) * (float)raw.low[h];
        }
    }
}

static void add_block(const quant_format *f, const unpacked *u, const quant_record *x, float *acc, float *low)
{
    for (int lane = 0; lane < QUANT_PANEL; lane++) {
        int32_t sum[2] = {0, 0};
        for (int i = 0; i < QUANT_BLOCK; i++) sum[i / 16] += u->value[lane][i] * x->q[i];
        if (!f->fine) {
            acc[lane] = fmaf(u->d[0][lane] * x->d, (float)(sum[0] + sum[1]), acc[lane]);
            if (f->low) low[lane] = fmaf(u->m[0][lane], x->low, low[lane]);
        } else
            for (int h = 0; h < 2; h++) {
                acc[lane] = fmaf(u->d[h][lane] * x->d, (float)sum[h], acc[lane]);
                if (f->low) low[lane] = fmaf(u->m[h][lane], x->low_half[h], low[lane]);
            }
    }
}

static float number(const quant_format *f, const char *panel, int64_t k, int lane)
{
    uint16_t h;
    float x;
    const char *at = panel + (k * QUANT_PANEL + lane) * f->bytes;
    if (f->bytes == 4)
        memcpy(&x, at, 4);
    else {
        memcpy(&h, at, 2);
        x = f->type == NIGH_BLOCK_F16 ? half_from_f16(h) : half_from_bf16(h);
    }
    return x;
}

static void add_floats(const quant_format *f, const char *panel, int64_t cols, const float *x, float *acc)
{
    for (int64_t k = 0; k < cols; k++)
        for (int lane = 0; lane < QUANT_PANEL; lane++) acc[lane] = fmaf(number(f, panel, k, lane), x[k], acc[lane]);
}

static void finish(const quant_task *t, float *y, float sum)
{
    if (t->end == QUANT_GATE) {
        quant_gates(t->gate, 1, y);
        *y *= sum;
    } else
        *y = t->end == QUANT_ADD ? *y + sum : sum;
}

static void products(const quant_task *t)
{
    const quant_format *f = t->format;
    for (int64_t first = 0; first < t->lanes; first += QUANT_PANEL)
        for (int64_t r = 0; r < t->T; r += ROWS) {
            const char *panel = t->panels + (size_t)(first / QUANT_PANEL) * t->panel_bytes;
            int64_t rows = t->T - r < ROWS ? t->T - r : ROWS;
            float acc[ROWS][QUANT_PANEL] = {{0}}, low[ROWS][QUANT_PANEL] = {{0}};
            unpacked u;
            if (f->codes == QUANT_FLOATS)
                for (int64_t i = 0; i < rows; i++) add_floats(f, panel, t->cols, t->x->x + (t->row + r + i) * t->x->ldx, acc[i]);
            else
                for (int64_t b = 0; b < t->cols / QUANT_BLOCK; b++) {
                    unpack(f, panel, b, &u);
                    for (int64_t i = 0; i < rows; i++) add_block(f, &u, quant_row(t->x, t->row + r + i) + b, acc[i], low[i]);
                }
            for (int64_t i = 0; i < rows; i++)
                for (int64_t lane = 0; lane < QUANT_PANEL && first + lane < t->lanes; lane++)
                    finish(t, t->y + (r + i) * t->ldy + first + lane, acc[i][lane] + low[i][lane]);
        }
}

/* Magnitudes are compared as integers: infinities and what is not a number are the largest. Such a block's scale is not a number. */
static void fill_block(const float *x, int n, quant_record *r)
{
    uint32_t largest = 0, bits;
    for (int i = 0; i < n; i++) {
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        if (bits > largest) largest = bits;
    }
    float most;
    memcpy(&most, &largest, 4);
    bool finite = largest < 0x7f800000, none = !finite || most < QUANT_LEAST;
    float scale = !finite ? NAN : none ? 0 : most / 127, inverse = none ? 0 : 127 / most;
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < QUANT_BLOCK; i++) {
        r->q[i] = i < n && !none ? (int8_t)rintf(x[i] * inverse) : 0;
        sum[i / 16] += r->q[i];
    }
    r->d = scale;
    r->low = scale * (float)(sum[0] + sum[1]);
    r->turned = -(sum[0] + sum[1]);
    for (int h = 0; h < 2; h++) r->low_half[h] = scale * (float)sum[h], r->turned_half[h] = -sum[h];
    r->unused = 0;
}

static void fill(const quant_rows *r, const float *x, quant_record *records)
{
    for (int64_t b = 0; b < quant_blocks(r->cols); b++)
        fill_block(x + b * QUANT_BLOCK, r->cols - b * QUANT_BLOCK < QUANT_BLOCK ? (int)(r->cols - b * QUANT_BLOCK) : QUANT_BLOCK, records + b);
}

const quant_kernels quant_scalar = {products, fill};
