/* Blocks of weights: sizes, decoding of written-out blocks, encoding and back, bad input. */
#include "nigh/quant.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const nigh_block_type all[] = {NIGH_BLOCK_F32,  NIGH_BLOCK_F16,  NIGH_BLOCK_BF16, NIGH_BLOCK_Q8_0, NIGH_BLOCK_Q4_0, NIGH_BLOCK_Q4_1, NIGH_BLOCK_Q5_0,
                                      NIGH_BLOCK_Q5_1, NIGH_BLOCK_Q2_K, NIGH_BLOCK_Q3_K, NIGH_BLOCK_Q4_K, NIGH_BLOCK_Q5_K, NIGH_BLOCK_Q6_K, NIGH_BLOCK_IQ4_NL};
enum { TYPES = sizeof all / sizeof *all };

static void knows_its_types(void **state)
{
    int known = 0;
    for (int i = -3; i < 300; i++) known += nigh_block_known(i);
    assert_int_equal(known, TYPES);
    assert_string_equal(nigh_block_name(NIGH_BLOCK_Q4_K), "Q4_K");
    assert_int_equal(nigh_block_length(NIGH_BLOCK_F16), 1);
    assert_int_equal(nigh_block_length(NIGH_BLOCK_IQ4_NL), 32);
    assert_int_equal(nigh_block_length(NIGH_BLOCK_Q6_K), 256);
    assert_int_equal(nigh_block_bytes(NIGH_BLOCK_Q6_K), 210);
    assert_int_equal(nigh_block_row_bytes(NIGH_BLOCK_Q4_1, 96), 60);
    assert_int_equal(nigh_block_row_bytes(NIGH_BLOCK_Q2_K, 512), 168);
}

static float decoded[256];
static const float *decode(nigh_block_type type, const uint8_t *block, int64_t n)
{
    nigh_block_decode(type, block, n, decoded);
    return decoded;
}

/* Blocks with one bit or byte set at a time: each weight is what the format's description says of that place. 0x3c00 is 1 in f16. */
static void decodes_small_blocks(void **state)
{
    uint8_t b[34] = {0};
    b[1] = 0x3c;
    b[2] = 0x5a; /* weights 0 and 16 */
    assert_true(decode(NIGH_BLOCK_Q4_0, b, 32)[0] == 10 - 8 && decoded[16] == 5 - 8 && decoded[1] == -8 && decoded[31] == -8);
    assert_true(decode(NIGH_BLOCK_IQ4_NL, b, 32)[0] == 25 && decoded[16] == -35 && decoded[1] == -127);
    assert_true(decode(NIGH_BLOCK_Q8_0, b, 32)[0] == 0x5a && decoded[1] == 0);
    b[2] = 0x80;
    assert_true(decode(NIGH_BLOCK_Q8_0, b, 32)[0] == -128);
    uint8_t one[20] = {0, 0x40, 0, 0xbc, 0x21}; /* scale 2, minimum -1 */
    assert_true(decode(NIGH_BLOCK_Q4_1, one, 32)[0] == 1 && decoded[16] == 3 && decoded[5] == -1);
    uint8_t five[22] = {0, 0x3c, 1, 0, 2, 0, 0x21}; /* fifth bits of 0 and 17 */
    assert_true(decode(NIGH_BLOCK_Q5_0, five, 32)[0] == 1 && decoded[16] == 2 - 16 && decoded[17] == 0 && decoded[2] == -16);
    uint8_t range[24] = {0, 0x3c, 0, 0x40, 1, 0, 2, 0, 0x21};
    assert_true(decode(NIGH_BLOCK_Q5_1, range, 32)[0] == 19 && decoded[16] == 4 && decoded[17] == 18 && decoded[2] == 2);
}

static void decodes_large_blocks(void **state)
{
    uint8_t two[84] = {0}; /* weights 128 + 32 + 16 + 3 = 179: group 11, byte 32 + 16 + 3, bits 2 and 3 */
    two[81] = 0x3c, two[83] = 0x40, two[11] = 0x35, two[16 + 51] = 0x08;
    assert_true(decode(NIGH_BLOCK_Q2_K, two, 256)[179] == 5 * 2 - 2 * 3 && decoded[178] == -6 && decoded[0] == 0);
    uint8_t three[110] = {0}; /* group 9 (bit 2 of byte 17 + 3): low scale bits in the high half of byte 1, high ones in bits 4 and 5 of byte 9 */
    three[109] = 0x3c, three[96 + 1] = 0x70, three[96 + 9] = 0x20, three[32 + 32 + 16 + 3] = 0x03, three[16 + 3] = 0x10;
    assert_true(decode(NIGH_BLOCK_Q3_K, three, 256)[147] == (7 + 32 - 32) * 3 && decoded[146] == 7 * -4 && decoded[0] == -32 * -4);
    uint8_t four[144] = {0}; /* group 5: scale in the low half of byte 9 and the top of byte 1, minimum in the high half and the top of byte 5 */
    four[1] = 0x3c, four[3] = 0x3c, four[4 + 9] = 0x32, four[4 + 1] = 0x40, four[4 + 5] = 0x80, four[16 + 64 + 7] = 0x90;
    assert_true(decode(NIGH_BLOCK_Q4_K, four, 256)[167] == 9 * (2 + 16) - (3 + 32) && decoded[160] == -35 && decoded[0] == 0);
    uint8_t more[176] = {0};
    memcpy(more, four, 16);
    more[48 + 64 + 7] = 0x90, more[16 + 7] = 0x20;
    assert_true(decode(NIGH_BLOCK_Q5_K, more, 256)[167] == (9 + 16) * 18 - 35 && decoded[160] == -35);
    uint8_t six[210] = {0}; /* weight 128 + 96 + 16 + 2: high half of byte 64 + 32 + 18, top bits of byte 32 + 18, scale 8 + 6 + 1 */
    six[209] = 0x3c, six[192 + 15] = 0xfe, six[114] = 0x50, six[128 + 50] = 0xc0;
    assert_true(decode(NIGH_BLOCK_Q6_K, six, 256)[242] == -2 * (5 + 48 - 32) && decoded[241] == -2 * -32 && decoded[0] == 0);
}

static void decodes_halves(void **state)
{
    const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x7c00}, brain[] = {0x3f80, 0xc000, 0x7f80};
    assert_true(decode(NIGH_BLOCK_F16, (const uint8_t *)half, 6)[0] == 1 && decoded[1] == -2 && decoded[2] == 0x1p-24f && decoded[3] == 65504);
    assert_true(decoded[4] == 0 && signbit(decoded[4]) && isinf(decoded[5]));
    assert_true(decode(NIGH_BLOCK_BF16, (const uint8_t *)brain, 3)[0] == 1 && decoded[1] == -2 && isinf(decoded[2]));
}

static const nigh_block_type written[] = {NIGH_BLOCK_F32, NIGH_BLOCK_F16, NIGH_BLOCK_BF16, NIGH_BLOCK_Q8_0, NIGH_BLOCK_Q4_0, NIGH_BLOCK_Q4_1, NIGH_BLOCK_Q5_0, NIGH_BLOCK_Q5_1};

static float worst_of(const float *a, const float *b, int64_t n)
{
    float worst = 0;
    for (int64_t i = 0; i < n; i++) worst = fmaxf(worst, fabsf(a[i] - b[i]));
    return worst;
}

static void encodes_to_the_nearest(void **state)
{
    /* Half a level, and what the f16 scale is off by over all levels: in units of the largest magnitude (or the range, 2 at most). */
    static const float bound[] = {0, 0x1p-11f, 0x1p-8f, .5f / 127 + 0x1p-11f, 1.f / 8 + 0x1p-10f, 1.f / 15 + 0x1p-9f, 1.f / 16 + 0x1p-10f, 1.f / 31 + 0x1p-9f};
    nigh_context *ctx = test_context_new();
    float x[320], y[320];
    uint8_t blocks[320 * 4];
    srand(7);
    for (int i = 0; i < 320; i++) x[i] = (float)rand() / (float)RAND_MAX * 2 - 1;
    for (int i = 32; i < 64; i++) x[i] = 0;
    for (int i = 64; i < 96; i++) x[i] = .75f;
    for (int t = 0; t < 8; t++) {
        assert_ok(ctx, nigh_block_encode(ctx, written[t], x, 320, blocks));
        nigh_block_decode(written[t], blocks, 320, y);
        if (worst_of(x, y, 320) > bound[t]) fail_msg("%s: off by %g, not %g", nigh_block_name(written[t]), (double)worst_of(x, y, 320), (double)bound[t]);
        assert_true(y[40] == 0);
    }
    for (int i = 0; i < 32; i++) x[i] = 0x1p-140f * (float)i; /* scales below what has an inverse */
    for (int t = 3; t < 8; t++) {
        assert_ok(ctx, nigh_block_encode(ctx, written[t], x, 32, blocks));
        nigh_block_decode(written[t], blocks, 32, y);
        assert_true(worst_of(x, y, 32) < 0x1p-100f);
    }
    test_context_free(ctx);
}

static void refuses_what_does_not_fit(void **state)
{
    nigh_context *ctx = test_context_new();
    float x[64] = {0};
    uint8_t blocks[256], before[256];
    memset(blocks, 0xa5, sizeof blocks);
    memcpy(before, blocks, sizeof blocks);
    assert_fails(ctx, nigh_block_encode(ctx, NIGH_BLOCK_Q4_K, x, 256, blocks), NIGH_UNSUPPORTED, "Q4_K");
    assert_fails(ctx, nigh_block_encode(ctx, NIGH_BLOCK_IQ4_NL, x, 32, blocks), NIGH_UNSUPPORTED, "IQ4_NL");
    assert_fails(ctx, nigh_block_encode(ctx, (nigh_block_type)99, x, 32, blocks), NIGH_UNSUPPORTED, "of that number");
    assert_fails(ctx, nigh_block_encode(ctx, NIGH_BLOCK_Q8_0, x, 33, blocks), NIGH_INVALID, "33 weights");
    x[40] = NAN;
    for (int t = 0; t < 8; t++) assert_fails(ctx, nigh_block_encode(ctx, written[t], x, 64, blocks), NIGH_INVALID, "weight 40 is nan");
    x[40] = 3e38f;
    for (int t = 1; t < 8; t++) {
        if (written[t] == NIGH_BLOCK_BF16) continue;
        assert_fails(ctx, nigh_block_encode(ctx, written[t], x, 64, blocks), NIGH_INVALID, "too large");
    }
    x[41] = -3e38f;
    assert_fails(ctx, nigh_block_encode(ctx, NIGH_BLOCK_Q4_1, x, 64, blocks), NIGH_INVALID, "too large");
    x[40] = 3.4e38f;
    assert_fails(ctx, nigh_block_encode(ctx, NIGH_BLOCK_BF16, x, 64, blocks), NIGH_INVALID, "weight 40");
    assert_memory_equal(blocks, before, sizeof blocks);
    assert_ok(ctx, nigh_block_encode(ctx, NIGH_BLOCK_F32, x, 0, blocks));
    test_context_free(ctx);
}

/* Any bytes are blocks: finite scales give finite weights, bounded by what scales and levels can be. */
static void decodes_any_bytes(void **state)
{
    uint8_t bytes[4 * 256];
    srand(3);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rand();
        for (int t = 0; t < TYPES; t++) decode(all[t], bytes, nigh_block_length(all[t]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_types),        cmocka_unit_test(decodes_small_blocks),      cmocka_unit_test(decodes_large_blocks), cmocka_unit_test(decodes_halves),
        cmocka_unit_test(encodes_to_the_nearest), cmocka_unit_test(refuses_what_does_not_fit), cmocka_unit_test(decodes_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
