/* Pages and sequences: sharing, copies on write, drafts, cuts, caps, streams of flat memory, numbers in and out, failures that change nothing. */
#include "attend_world.h"
#include "nigh/random.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t windows[2] = {0, 40};
static int32_t text[1000];

static attend_world world(nigh_context *ctx, nigh_kv_type type, int64_t tokens)
{
    cache_shape shape = {2, 4, 2, 16, windows, type, tokens};
    for (int i = 0; i < 1000; i++) text[i] = (i * 37 + 11) % 400;
    return attend_world_new(ctx, &shape);
}

static int sequence_new(attend_world *w)
{
    int s = -1;
    assert_int_equal(pages_sequence(w->pages, &s), NIGH_OK);
    return s;
}

static int64_t pages_used(const attend_world *w) { return (int64_t)(cache_pages_bytes(w->pages) / w->pages->page_bytes); }

static void test_share(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    attend_world w = world(ctx, NIGH_KV_F16, 0);
    int a = sequence_new(&w), b, c;
    attend_world_read(&w, a, text, 200, 200, NULL);
    assert_int_equal(pages_used(&w), 4);
    assert_int_equal(pages_fork(w.pages, a, 150, &b), NIGH_OK);
    assert_int_equal(pages_fork(w.pages, a, 128, &c), NIGH_OK);
    assert_int_equal(pages_used(&w), 4);
    assert_int_equal(pages_length(w.pages, b), 150);
    attend_world_read(&w, b, text + 300, 1, 1, NULL); /* copies the third page */
    assert_int_equal(pages_used(&w), 5);
    attend_world_read(&w, c, text + 300, 1, 1, NULL); /* a page of its own: nothing to copy */
    assert_int_equal(pages_used(&w), 6);
    attend_world_read(&w, a, text + 300, 1, 1, NULL); /* its last page is nobody else's */
    assert_int_equal(pages_used(&w), 6);
    pages_drop(w.pages, a);
    assert_int_equal(pages_used(&w), 4);
    assert_int_equal(pages_length(w.pages, a), -1);
    assert_int_equal(pages_cut(w.pages, b, 64), NIGH_OK);
    assert_int_equal(pages_used(&w), 3);
    pages_drop(w.pages, b);
    pages_drop(w.pages, c);
    pages_drop(w.pages, 77);
    assert_int_equal(pages_used(&w), 0);
    attend_world_free(&w);
    test_context_free(ctx);
}

static void test_numbers(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(4, 4);
    float keys[100 * 32], values[100 * 32], k[150 * 32], v[150 * 32];
    for (int i = 0; i < 100 * 32; i++) keys[i] = (float)nigh_rng_normal(&rng), values[i] = (float)nigh_rng_normal(&rng);
    for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type++) {
        attend_world w = world(ctx, (nigh_kv_type)type, 0);
        int a = sequence_new(&w), b;
        double allowed = type == NIGH_KV_F32 ? 0 : type == NIGH_KV_F16 ? 0x1p-11 : 1. / 250, worst = 0;
        attend_world_read(&w, a, text, 70, 70, NULL);
        assert_int_equal(pages_fork(w.pages, a, 70, &b), NIGH_OK);
        assert_int_equal(pages_get(w.pages, a, 1, 0, 70, k, v), NIGH_OK);
        assert_int_equal(pages_put(w.pages, b, 1, 30, 100, keys, values), NIGH_OK);
        assert_int_equal(pages_length(w.pages, b), 70);
        assert_int_equal(pages_extend(w.pages, b, 150), NIGH_OK);
        assert_int_equal(pages_length(w.pages, b), 150);
        float again[70 * 32];
        assert_int_equal(pages_get(w.pages, a, 1, 0, 70, again, NULL), NIGH_OK);
        assert_memory_equal(again, k, sizeof again); /* the other one is as it was */
        assert_int_equal(pages_get(w.pages, b, 1, 0, 150, k, v), NIGH_OK);
        assert_memory_equal(again, k, 30 * 32 * sizeof *k);
        for (int i = 0; i < 100; i++)
            for (int h = 0; h < 2; h++) {
                double most[2] = {0, 0};
                const int at = (i * 2 + h) * 16, to = ((i + 30) * 2 + h) * 16;
                for (int d = 0; d < 16; d++) most[0] = fmax(most[0], fabs(keys[at + d])), most[1] = fmax(most[1], fabs(values[at + d]));
                for (int d = 0; d < 16; d++) {
                    worst = fmax(worst, fabs(k[to + d] - keys[at + d]) / (type == NIGH_KV_Q8 ? most[0] : fabs(keys[at + d]) + 1e-3));
                    worst = fmax(worst, fabs(v[to + d] - values[at + d]) / (type == NIGH_KV_Q8 ? most[1] : fabs(values[at + d]) + 1e-3));
                }
            }
        assert_true(worst <= allowed);
        for (int i = 130 * 32; i < 150 * 32; i++) assert_true(k[i] == 0 && v[i] == 0);
        assert_int_equal(pages_get(w.pages, b, 0, 70, 80, k, v), NIGH_OK);
        for (int i = 0; i < 80 * 32; i++) assert_true(k[i] == 0 && v[i] == 0);
        attend_world_free(&w);
    }
    test_context_free(ctx);
}

static void test_bad(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    attend_world w = world(ctx, NIGH_KV_F16, 256);
    int a = sequence_new(&w), b = sequence_new(&w), none = 9;
    const int64_t *positions;
    bool streams;
    float x[64] = {0};
    attend_world_read(&w, a, text, 100, 100, NULL);
    const nigh_lm_row wrong[][2] = {{{1, 7, -1, false}}, {{1, a, 0, false}}, {{1, a, -2, false}}, {{1, a, -1, false}, {1, b, 0, false}}};
    for (int i = 0; i < 4; i++) assert_int_equal(cache_begin(w.pages, wrong[i], i == 3 ? 2 : 1, false, &positions, &streams), NIGH_INVALID);
    assert_int_equal(cache_begin(w.pages, wrong[0], 0, false, &positions, &streams), NIGH_INVALID);
    assert_int_equal(pages_fork(w.pages, a, 101, &none), NIGH_INVALID);
    assert_int_equal(pages_fork(w.pages, 5, 0, &none), NIGH_INVALID);
    assert_int_equal(none, 9);
    assert_int_equal(pages_cut(w.pages, a, -1), NIGH_INVALID);
    assert_int_equal(pages_get(w.pages, a, 0, 90, 11, x, x), NIGH_INVALID);
    assert_int_equal(pages_get(w.pages, a, 2, 0, 1, x, x), NIGH_INVALID);
    assert_int_equal(pages_put(w.pages, a, 0, -1, 1, x, x), NIGH_INVALID);
    assert_int_equal(pages_put(w.pages, a, 0, 256, 1, x, x), NIGH_RESOURCE);
    assert_int_equal(pages_extend(w.pages, a, 99), NIGH_INVALID);
    assert_int_equal(pages_stream(w.pages, a, 4, 64, 0), NIGH_INVALID);
    assert_int_equal(pages_stream(w.pages, b, -1, 64, 0), NIGH_INVALID);
    assert_int_equal(pages_stream(w.pages, b, 4, 0, 0), NIGH_INVALID);
    assert_int_equal(cache_accept(w.pages, a, (int32_t[]){0}, 1), NIGH_INVALID);
    nigh_lm_row tree[3] = {{1, a, -1, false}, {2, a, -1, false}, {3, a, 1, false}};
    attend_world_pass(&w, tree, 3, false, NULL);
    assert_int_equal(cache_accept(w.pages, a, (int32_t[]){0, 2}, 2), NIGH_INVALID);
    assert_int_equal(cache_accept(w.pages, a, (int32_t[]){2}, 1), NIGH_INVALID);
    assert_int_equal(cache_accept(w.pages, b, (int32_t[]){0}, 1), NIGH_INVALID);
    assert_int_equal(cache_accept(w.pages, a, (int32_t[]){1, 2}, 2), NIGH_OK);
    assert_int_equal(cache_accept(w.pages, a, (int32_t[]){0}, 1), NIGH_INVALID);
    assert_int_equal(pages_length(w.pages, a), 102);
    cache_shape shape = w.shape;
    cache_pages *p = NULL;
    shape.head_size = 260;
    assert_int_equal(cache_pages_new(ctx, &shape, &p), NIGH_UNSUPPORTED);
    shape.head_size = 16;
    shape.kv_heads = 3;
    assert_int_equal(cache_pages_new(ctx, &shape, &p), NIGH_INVALID);
    assert_null(p);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* The cap names itself and leaves all as it was; what is dropped makes room again. */
static void test_cap(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    attend_world w = world(ctx, NIGH_KV_F16, 256);
    int a = sequence_new(&w), b = sequence_new(&w);
    nigh_lm_row rows[200];
    const int64_t *positions;
    bool streams;
    attend_world_read(&w, a, text, 120, 120, NULL);
    for (int i = 0; i < 200; i++) rows[i] = (nigh_lm_row){1, i < 100 ? a : b, i == 0 || i == 100 ? -1 : i - 1, false};
    size_t before = cache_pages_bytes(w.pages);
    assert_int_equal(cache_begin(w.pages, rows, 200, false, &positions, &streams), NIGH_RESOURCE);
    assert_non_null(strstr(nigh_message(ctx), "'tokens' allows 256"));
    assert_int_equal(cache_pages_bytes(w.pages), before);
    assert_int_equal(pages_length(w.pages, a), 120);
    assert_int_equal(pages_length(w.pages, b), 0);
    attend_world_read(&w, a, text, 136, 50, NULL);
    assert_int_equal(cache_begin(w.pages, rows + 100, 1, false, &positions, &streams), NIGH_RESOURCE);
    pages_drop(w.pages, a);
    attend_world_read(&w, b, text, 256, 100, NULL);
    assert_int_equal(pages_length(w.pages, b), 256);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* A pass that did not end well leaves nothing behind. */
static void test_undo(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    attend_world w = world(ctx, NIGH_KV_F16, 0);
    int a = sequence_new(&w), b = sequence_new(&w);
    nigh_lm_row rows[100];
    const int64_t *positions;
    bool streams;
    float *out = malloc((size_t)(2 * attend_world_row(&w)) * sizeof *out);
    attend_world_read(&w, a, text, 60, 60, NULL);
    for (int i = 0; i < 100; i++) rows[i] = (nigh_lm_row){1, a, i - 1, false};
    assert_int_equal(cache_begin(w.pages, rows, 100, false, &positions, &streams), NIGH_OK);
    assert_int_equal(positions[99], 159);
    assert_int_equal(pages_used(&w), 3);
    cache_end(w.pages, false);
    assert_int_equal(pages_used(&w), 1);
    assert_int_equal(pages_length(w.pages, a), 60);
    attend_world_read(&w, a, text + 60, 1, 1, out);
    attend_world_read(&w, b, text, 60, 60, NULL);
    attend_world_read(&w, b, text + 60, 1, 1, out + attend_world_row(&w));
    assert_memory_equal(out, out + attend_world_row(&w), (size_t)attend_world_row(&w) * sizeof *out);
    free(out);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* A stream holds the same pages after 1e5 tokens as after a thousand, and its memory does not grow. */
static void test_flat(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    attend_world w = world(ctx, NIGH_KV_F16, 0);
    w.shape.layers = 2;
    int a = sequence_new(&w);
    assert_int_equal(pages_stream(w.pages, a, 70, 100, 100), NIGH_OK);
    for (int i = 0; i < 10; i++) attend_world_read(&w, a, text, 100, 100, NULL);
    int64_t pages = pages_used(&w);
    size_t held = nigh_memory_now(ctx);
    for (int i = 0; i < 99; i++) attend_world_read(&w, a, text, 1000, 100, NULL);
    assert_int_equal(pages_length(w.pages, a), 100000);
    assert_true(pages_used(&w) <= pages + 1 && pages <= 9);
    assert_true(nigh_memory_now(ctx) <= held + 2 * (w.pages->page_bytes + 200));
    float x[32];
    assert_int_equal(pages_get(w.pages, a, 0, 500, 1, x, NULL), NIGH_INVALID);
    assert_int_equal(pages_get(w.pages, a, 0, 69, 1, x, NULL), NIGH_OK);
    assert_int_equal(pages_cut(w.pages, a, 99000), NIGH_INVALID);
    assert_int_equal(pages_cut(w.pages, a, 100000 - 64), NIGH_OK);
    assert_int_equal(pages_put(w.pages, a, 0, 99000, 1, x, x), NIGH_UNSUPPORTED);
    assert_int_equal(pages_cut(w.pages, a, 0), NIGH_OK);
    assert_int_equal(pages_used(&w), 0);
    attend_world_read(&w, a, text, 300, 100, NULL);
    attend_world_free(&w);
    test_context_free(ctx);
}

/* Everything once; the first failing allocation ends it, and what was there stays. */
static nigh_status all_of_it(nigh_context *ctx, cache_pages **pages)
{
    cache_shape shape = {2, 4, 2, 16, windows, NIGH_KV_F16, 0};
    nigh_status status = cache_pages_new(ctx, &shape, pages);
    int a, b;
    const int64_t *positions;
    bool streams;
    nigh_lm_row rows[600];
    if (!status) status = pages_sequence(*pages, &a);
    if (!status) status = pages_stream(*pages, a, 70, 100, 5);
    for (int i = 0; !status && i < 600; i++) rows[i] = (nigh_lm_row){1, a, i - 1, false};
    if (!status) status = cache_begin(*pages, rows, 600, false, &positions, &streams);
    if (!status) cache_end(*pages, true);
    if (!status) status = pages_fork(*pages, a, 600, &b);
    for (int i = 0; !status && i < 80; i++) rows[i] = (nigh_lm_row){1, b, i % 40 ? i - 1 : -1, false};
    if (!status) status = cache_begin(*pages, rows, 80, false, &positions, &streams);
    if (!status) cache_end(*pages, true);
    if (!status && pages_length(*pages, b) != 600) status = NIGH_INTERNAL;
    int32_t path[40];
    for (int i = 0; i < 40; i++) path[i] = 40 + i;
    if (!status) status = cache_accept(*pages, b, path, 40);
    if (!status && pages_length(*pages, b) != 640) status = NIGH_INTERNAL;
    if (!status) status = pages_sequence(*pages, &a);
    if (!status) status = pages_extend(*pages, a, 2000);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    for (long k = 1;; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        cache_pages *pages = NULL;
        if (!ctx) continue;
        nigh_status status = all_of_it(ctx, &pages);
        cache_pages_free(pages);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_MEMORY);
        assert_true(k < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share), cmocka_unit_test(test_numbers), cmocka_unit_test(test_bad),    cmocka_unit_test(test_cap),
        cmocka_unit_test(test_undo),  cmocka_unit_test(test_flat),    cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
