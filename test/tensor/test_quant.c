/* Products with quantised weights: the same bits as the reference for every format, number of rows, members and kernels. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/quant_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const nigh_block_type types[] = {NIGH_BLOCK_F32,  NIGH_BLOCK_F16,  NIGH_BLOCK_BF16, NIGH_BLOCK_Q4_0, NIGH_BLOCK_Q4_1, NIGH_BLOCK_Q5_0, NIGH_BLOCK_Q5_1,
                                        NIGH_BLOCK_Q8_0, NIGH_BLOCK_Q2_K, NIGH_BLOCK_Q3_K, NIGH_BLOCK_Q4_K, NIGH_BLOCK_Q5_K, NIGH_BLOCK_Q6_K, NIGH_BLOCK_IQ4_NL};
enum { TYPES = sizeof types / sizeof *types };

/* Where the f16 numbers of a block stand; -1: none. */
static void halves_of(nigh_block_type type, int at[2])
{
    at[0] = type == NIGH_BLOCK_Q2_K ? 80 : type == NIGH_BLOCK_Q3_K ? 108 : type == NIGH_BLOCK_Q6_K ? 208 : 0;
    at[1] = type == NIGH_BLOCK_Q2_K ? 82 : type == NIGH_BLOCK_Q4_1 || type == NIGH_BLOCK_Q5_1 || type == NIGH_BLOCK_Q4_K || type == NIGH_BLOCK_Q5_K ? 2 : -1;
}

/* Random blocks: all codes occur; scales are finite, of both signs, some subnormal or zero. */
static uint8_t *blocks_new(nigh_rng *rng, nigh_block_type type, int64_t rows, int64_t cols)
{
    const quant_format *f = quant_format_of(type);
    size_t size = (size_t)rows * quant_row_bytes(f, cols);
    uint8_t *p = malloc(size);
    for (size_t i = 0; i < size; i++) p[i] = (uint8_t)nigh_rng_u32(rng);
    if (type == NIGH_BLOCK_F32) {
        for (int64_t i = 0; i < rows * cols; i++) {
            float x = (float)nigh_rng_normal(rng);
            memcpy(p + 4 * i, &x, 4);
        }
        return p;
    }
    int at[2] = {0, -1};
    if (f->codes != QUANT_FLOATS) halves_of(type, at);
    for (size_t i = 0; i < size; i += (size_t)f->file)
        for (int h = 0; h < 2 && at[h] >= 0; h++) {
            uint16_t bits = (uint16_t)nigh_rng_u32(rng);
            if (type == NIGH_BLOCK_BF16)
                bits = (uint16_t)((bits & 0x80ff) | (0x3c00 + (bits & 0x300)));
            else
                bits = (uint16_t)(bits % 37 == 0 ? bits & 0x83ff : (bits & 0x83ff) | (0x1000 + (bits & 0x1c00)));
            memcpy(p + i + at[h], &bits, 2);
        }
    return p;
}

static float *rows_new(nigh_rng *rng, int64_t T, int64_t cols)
{
    float *x = malloc((size_t)(T * cols) * sizeof *x);
    for (int64_t i = 0; i < T * cols; i++) x[i] = (float)(nigh_rng_normal(rng) * exp(2 * sin((double)(i / 32))));
    for (int64_t i = 0; i < T * cols; i++)
        if (i / 32 % 13 == 5) x[i] = 0;
        else if (i / 32 % 17 == 5) x[i] *= 1e-34f;
    return x;
}

typedef struct run_job {
    const quant_matrix *m;
    quant_rows x;
    const float *from;
    int64_t T, ldy, count;
    float *y;
    const int32_t *rows;
    int mode; /* 0 store, 1 add, 2 gated, 3 rows */
    quant_gate gate;
} run_job;

static void run_member(void *user, team *t, int member)
{
    run_job *j = user;
    int n = team_members(t);
    int64_t first = j->T * member / n, last = j->T * (member + 1) / n;
    quant_rows_fill(&j->x, j->from, quant_matrix_cols(j->m), first, last - first);
    team_share *share = team_barrier(t);
    if (j->mode < 2) quant_run(j->m, &j->x, j->T, j->mode == 1, j->y, j->ldy, share);
    if (j->mode == 2) quant_run_gated(j->m, &j->x, j->T, j->gate, j->y, j->ldy, share);
    if (j->mode == 3) quant_run_rows(j->m, &j->x, j->T, j->rows, j->count, j->y, j->ldy, share);
    team_barrier(t);
}

static void run(nigh_context *ctx, run_job *j, int members)
{
    int64_t cols = quant_matrix_cols(j->m);
    void *memory = nigh_alloc(ctx, quant_rows_bytes(cols, j->T));
    quant_rows_bind(&j->x, cols, j->T, memory);
    team_run(members, run_member, j);
    nigh_free(ctx, memory);
}

static void assert_bits(const float *a, const float *b, int64_t n, const char *what, int type, int64_t T)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, 4) && !(a[i] == 0 && b[i] == 0))
            fail_msg("%s, type %d, %lld rows of x: number %lld is %.9g, not %.9g", what, type, (long long)T, (long long)i, (double)a[i], (double)b[i]);
}

/* y in a wider array, whose other numbers must stay. */
static void check_run(nigh_context *ctx, const quant_matrix *m, const float *x, int64_t T, const float *expected, int members, int type)
{
    int64_t rows = quant_matrix_rows(m), ldy = rows + 3;
    float *y = malloc((size_t)(T * ldy) * 4);
    for (int add = 0; add < 2; add++) {
        for (int64_t i = 0; i < T * ldy; i++) y[i] = (float)(i % 5);
        run_job j = {.m = m, .from = x, .T = T, .ldy = ldy, .y = y, .mode = add};
        run(ctx, &j, members);
        for (int64_t t = 0; t < T; t++) {
            for (int64_t i = 0; i < rows; i++) {
                float before = (float)((t * ldy + i) % 5), want = add ? before + expected[t * rows + i] : expected[t * rows + i];
                if (memcmp(&y[t * ldy + i], &want, 4) && want != y[t * ldy + i])
                    fail_msg("type %d, T %lld, add %d: row %lld of %lld at t = %lld is %.9g, not %.9g", type, (long long)T, add, (long long)i, (long long)rows,
                             (long long)t, (double)y[t * ldy + i], (double)want);
            }
            for (int64_t i = rows; i < ldy; i++) assert_true(y[t * ldy + i] == (float)((t * ldy + i) % 5));
        }
    }
    free(y);
}

static void test_all_types(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    for (int k = 0; k < TYPES; k++) {
        const quant_format *f = quant_format_of(types[k]);
        int64_t widths[] = {f->length == 256 ? 512 : f->length == 32 ? 96 : 53, f->length == 256 ? 256 : f->length == 32 ? 576 : 64};
        int64_t heights[] = {37, 70}, most[] = {70, 5};
        for (int s = 0; s < 2; s++) {
            int64_t rows = heights[s], cols = widths[s];
            uint8_t *blocks = blocks_new(&rng, types[k], rows, cols);
            float *x = rows_new(&rng, 300, cols), *expected = malloc((size_t)(300 * rows) * 4);
            quant_part part = {types[k], rows, blocks};
            assert_ok(ctx, quant_reference(ctx, &part, cols, x, 300, expected));
            for (int level = 0; quant_kernels_at(level); level++) {
                quant_kernels_force(quant_kernels_at(level));
                for (int threads = 1; threads <= 3; threads += 2) {
                    quant_matrix *m;
                    assert_ok(ctx, quant_matrix_new(ctx, &part, 1, cols, false, threads, &m));
                    assert_int_equal(quant_matrix_rows(m), rows);
                    assert_int_equal(quant_matrix_cols(m), cols);
                    for (int64_t T = 1; T <= most[s]; T += threads == 3 ? 23 : level ? 1 : 13) check_run(ctx, m, x, T, expected, threads, types[k]);
                    if (threads == 1 && level) {
                        check_run(ctx, m, x, 100, expected, threads, types[k]);
                        check_run(ctx, m, x, 300, expected, threads, types[k]);
                    }
                    quant_matrix_free(m);
                }
            }
            quant_kernels_force(NULL);
            free(blocks), free(x), free(expected);
        }
    }
    test_context_free(ctx);
}

/* q, k and v of different types one below the other; some rows of them; a row as an embedding. */
static void check_parts(nigh_context *ctx, nigh_rng *rng, int k)
{
    enum { COLS = 256, T = 37, PICKED = 61, TOTAL = 106 };
    int64_t heights[] = {33, 16, 7, 50}, first = 0;
    quant_part parts[4];
    float *x = rows_new(rng, T, COLS), *expected = malloc(T * TOTAL * 4), *one = malloc(T * 50 * 4), *y = malloc(T * TOTAL * 4), row[COLS], want[COLS];
    for (int i = 0; i < 4; first += heights[i++]) {
        parts[i] = (quant_part){types[(k + i * 3) % TYPES], heights[i], NULL};
        parts[i].blocks = blocks_new(rng, parts[i].type, heights[i], COLS);
        assert_ok(ctx, quant_reference(ctx, parts + i, COLS, x, T, one));
        for (int t = 0; t < T; t++) memcpy(expected + t * TOTAL + first, one + t * heights[i], (size_t)heights[i] * 4);
    }
    quant_matrix *m, *second;
    quant_store *store;
    assert_ok(ctx, quant_store_new(ctx, quant_matrix_room(parts, 4, COLS), &store));
    assert_ok(ctx, quant_matrix_new_in(ctx, store, parts, 4, COLS, false, 2, &m));
    assert_ok(ctx, quant_matrix_new_in(ctx, store, parts, 4, COLS, false, 1, &second)); /* no room left there, or that of the alignment */
    assert_true(quant_matrix_bytes(m) == quant_matrix_room(parts, 4, COLS));
    quant_matrix_free(second);
    for (int t = 1; t <= T; t += 9) check_run(ctx, m, x, t, expected, 2, types[k]);
    int32_t rows[PICKED];
    for (int j = 0; j < PICKED; j++) rows[j] = (int32_t)(j * 31 % TOTAL);
    run_job j = {.m = m, .from = x, .T = T, .ldy = TOTAL, .y = y, .mode = 3, .rows = rows, .count = PICKED};
    run(ctx, &j, 2);
    for (int t = 0; t < T; t++)
        for (int i = 0; i < PICKED; i++) assert_bits(y + t * TOTAL + i, expected + t * TOTAL + rows[i], 1, "picked", types[k], T);
    first = 0;
    for (int i = 0; i < 4; first += heights[i++])
        for (int64_t r = 0; r < heights[i]; r++) {
            const quant_format *f = quant_format_of(parts[i].type);
            quant_matrix_row(m, first + r, row);
            nigh_block_decode(f->type, (const char *)parts[i].blocks + (size_t)r * quant_row_bytes(f, COLS), COLS, want);
            assert_bits(row, want, COLS, "row", parts[i].type, 1);
        }
    quant_matrix_free(m);
    quant_store_free(store);
    for (int i = 0; i < 4; i++) free((void *)parts[i].blocks);
    free(x), free(expected), free(one), free(y);
}

static void test_parts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    for (int k = 0; k < TYPES; k++)
        for (int level = 0; quant_kernels_at(level); level++) {
            quant_kernels_force(quant_kernels_at(level));
            check_parts(ctx, &rng, k);
        }
    quant_kernels_force(NULL);
    test_context_free(ctx);
}

/* Gates: near the definition, the same bits by all kernels, and the product with up exactly. */
static void test_gated(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(7, 0);
    enum { COLS = 96, ROWS = 45, T = 40 };
    for (int k = 0; k < 4; k++) {
        quant_part parts[2] = {{k == 3 ? NIGH_BLOCK_F16 : NIGH_BLOCK_Q4_1, ROWS, NULL}, {k == 2 ? NIGH_BLOCK_Q8_0 : NIGH_BLOCK_Q4_1, ROWS, NULL}};
        float *x = rows_new(&rng, T, COLS), gate[T * ROWS], up[T * ROWS], y[T * ROWS], other[T * ROWS];
        for (int i = 0; i < 2; i++) {
            parts[i].blocks = blocks_new(&rng, parts[i].type, ROWS, COLS);
            assert_ok(ctx, quant_reference(ctx, parts + i, COLS, x, T, i ? up : gate));
        }
        quant_matrix *m;
        assert_ok(ctx, quant_matrix_new(ctx, parts, 2, COLS, true, 2, &m));
        for (int g = 0; g < 3; g++)
            for (int level = 0; quant_kernels_at(level); level++)
                for (int t = 1; t <= T; t += 13) {
                    quant_kernels_force(quant_kernels_at(level));
                    run_job j = {.m = m, .from = x, .T = t, .ldy = ROWS, .y = y, .mode = 2, .gate = (quant_gate)g};
                    run(ctx, &j, 2);
                    for (int i = 0; i < t * ROWS; i++) {
                        double a = (double)gate[i], root = 0.7978845608028654;
                        double f = g == QUANT_SILU ? a / (1 + exp(-a)) : g == QUANT_GELU ? a * erfc(-a * sqrt(0.5)) / 2 : a / (1 + exp(-2 * root * (a + 0.044715 * a * a * a)));
                        assert_near((double)y[i], f * (double)up[i], 1e-28, 3e-5);
                        other[i] = gate[i];
                    }
                    quant_gates((quant_gate)g, t * ROWS, other);
                    for (int i = 0; i < t * ROWS; i++) other[i] *= up[i];
                    assert_bits(y, other, t * ROWS, "gated", g, t);
                }
        quant_kernels_force(NULL);
        quant_matrix_free(m);
        for (int i = 0; i < 2; i++) free((void *)parts[i].blocks);
        free(x);
    }
    test_context_free(ctx);
}

/* Bytes of x: nearest, scales as defined, whatever the kernels; blocks of zeros, of tiny and of infinite numbers. */
static void test_rows_of_x(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    int64_t widths[] = {32, 576, 640, 2048, 96, 53, 1};
    for (int w = 0; w < 7; w++) {
        int64_t cols = widths[w], blocks = quant_blocks(cols);
        float *x = rows_new(&rng, 3, cols);
        if (cols == 576) x[7] = NAN, x[40] = INFINITY, x[70] = -INFINITY, x[100] = -0.f, x[130] = -1e30f;
        quant_record *plain = NULL;
        for (int level = 0; quant_kernels_at(level); level++) {
            quant_kernels_force(quant_kernels_at(level));
            void *memory = nigh_alloc_zero(ctx, 1, quant_rows_bytes(cols, 3));
            quant_rows r;
            quant_rows_bind(&r, cols, 3, memory);
            quant_rows_fill(&r, x, cols, 0, 3);
            if (!plain) plain = memcpy(malloc(quant_rows_bytes(cols, 3)), memory, quant_rows_bytes(cols, 3));
            for (int64_t t = 0; t < 3; t++)
                for (int64_t b = 0; b < blocks; b++) {
                    const quant_record *a = quant_row(&r, t) + b, *p = plain + t * quant_stride(cols) + b;
                    assert_memory_equal(a->q, p->q, 32);
                    assert_memory_equal(a->turned_half, p->turned_half, 8);
                    assert_int_equal(a->turned, p->turned);
                    float of_a[4] = {a->d, a->low, a->low_half[0], a->low_half[1]}, of_p[4] = {p->d, p->low, p->low_half[0], p->low_half[1]};
                    for (int i = 0; i < 4; i++)
                        if (isnan(of_p[i])) assert_true(isnan(of_a[i]));
                        else assert_bits(of_a + i, of_p + i, 1, "scale", (int)cols, level);
                    for (int i = 0; i < 32 && b * 32 + i < cols && !isnan(p->d); i++)
                        assert_true(fabsf(x[t * cols + b * 32 + i] - p->d * (float)p->q[i]) <= p->d * 0.50001f + 1e-30f);
                }
            nigh_free(ctx, memory);
        }
        quant_kernels_force(NULL);
        free(x), free(plain);
    }
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    float w[64] = {0};
    quant_matrix *m = NULL;
    quant_part part = {NIGH_BLOCK_Q4_1, 1, w}, pair[2] = {{NIGH_BLOCK_F32, 2, w}, {NIGH_BLOCK_F32, 1, w}}, odd = {(nigh_block_type)4, 1, w};
    assert_fails(ctx, quant_matrix_new(ctx, &part, 1, 48, false, 1, &m), NIGH_INVALID, "48 columns; a multiple of 32");
    assert_fails(ctx, quant_matrix_new(ctx, &part, 0, 32, false, 1, &m), NIGH_INVALID, "0 parts");
    assert_fails(ctx, quant_matrix_new(ctx, &part, 1, 32, false, 0, &m), NIGH_INVALID, "threads is 0");
    assert_fails(ctx, quant_matrix_new(ctx, pair, 2, 4, true, 1, &m), NIGH_INVALID, "pair");
    assert_fails(ctx, quant_matrix_new(ctx, &odd, 1, 32, false, 1, &m), NIGH_INVALID, "type 4");
    assert_null(m);
    test_context_free(ctx);
    for (long fail = 1; fail <= 3; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        if (quant_matrix_new(ctx, &part, 1, 32, false, 1, &m) == NIGH_OK) quant_matrix_free(m);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_types), cmocka_unit_test(test_parts), cmocka_unit_test(test_gated), cmocka_unit_test(test_rows_of_x), cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
