/* The log of a hold-out: kept, read back, cut, damaged. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/release.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static double half(void *user, bool held, int64_t row) { return (row * 7 + (held ? 3 : 0)) % 11 / 10.0 * *(double *)user; }

/* Question j of a fixed course: the same for every object. */
static nigh_status question(nigh_holdout *h, int j, nigh_holdout_answer *out)
{
    nigh_rng rng = nigh_rng_new(99, (uint64_t)j);
    double t = nigh_rng_f64(&rng), s = j % 3 ? t : nigh_rng_f64(&rng);
    if (nigh_holdout_settings(h)->kind == NIGH_HOLDOUT_SPLIT) return nigh_holdout_ask_rows(h, "rows", 0, half, &t, out);
    return nigh_holdout_ask(h, j % 2 ? "a \"name\" \xc3\xa4" : NULL, t, s, out);
}

static nigh_holdout_options options_of(int kind)
{
    nigh_holdout_options o = nigh_holdout_options_default(1000);
    o.kind = (nigh_holdout_kind)kind, o.queries = 40, o.budget = 30, o.seed = UINT64_MAX - 5, o.noise = NIGH_HOLDOUT_TEXTBOOK;
    return o;
}

/* Stopped and read back at any point, an object goes on to the same answers. */
static void reading_back_goes_on_the_same(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int kind = 0; kind <= NIGH_HOLDOUT_SPLIT; kind++) {
        nigh_holdout_options o = options_of(kind);
        nigh_holdout *whole = NULL, *h = NULL;
        assert_ok(ctx, nigh_holdout_new(ctx, &o, &whole));
        assert_ok(ctx, nigh_holdout_new(ctx, &o, &h));
        nigh_buffer appended = {.ctx = ctx};
        assert_ok(ctx, nigh_holdout_line(h, -1, &appended));
        for (int j = 0; j < 40; j++) {
            nigh_holdout_answer a, b;
            assert_ok(ctx, question(whole, j, &a));
            assert_ok(ctx, question(h, j, &b));
            assert_memory_equal(&a, &b, sizeof a);
            assert_ok(ctx, nigh_holdout_line(h, j, &appended));
            nigh_buffer saved = {.ctx = ctx};
            assert_ok(ctx, nigh_holdout_save(h, &saved));
            assert_int_equal(saved.size, appended.size); /* line by line is the same file */
            assert_memory_equal(saved.data, appended.data, saved.size);
            nigh_holdout_free(h);
            size_t used = 0;
            assert_ok(ctx, nigh_holdout_restore(ctx, saved.data, saved.size, &used, &h));
            assert_int_equal(used, saved.size);
            nigh_buffer_free(&saved);
        }
        nigh_holdout_answer a;
        assert_fails(ctx, question(h, 40, &a), NIGH_RESOURCE, "Collect a fresh hold-out");
        nigh_buffer_free(&appended);
        nigh_holdout_free(whole);
        nigh_holdout_free(h);
    }
    test_context_free(ctx);
}

static nigh_holdout *asked(nigh_context *ctx, int count)
{
    nigh_holdout_options o = options_of(NIGH_HOLDOUT_THRESHOLDOUT);
    nigh_holdout *h = NULL;
    nigh_holdout_answer a;
    assert_ok(ctx, nigh_holdout_new(ctx, &o, &h));
    for (int j = 0; j < count; j++) assert_ok(ctx, question(h, j, &a));
    return h;
}

static void damage_is_noticed(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout *h = asked(ctx, 4), *back = NULL;
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_holdout_save(h, &text));
    size_t used;
    for (size_t i = 0; i < text.size; i++) { /* any one bit */
        text.data[i] ^= 1;
        nigh_status status = nigh_holdout_restore(ctx, text.data, text.size, &used, &back);
        text.data[i] ^= 1;
        if (status == NIGH_OK && i == text.size - 1) { /* without its end the last line was never shown */
            assert_true(used < text.size);
            assert_int_equal(nigh_holdout_asked(back), 3);
            nigh_holdout_free(back);
        } else if (status == NIGH_OK) { /* a 17th digit may go without moving its number: then nothing was changed */
            nigh_buffer again = {.ctx = ctx};
            assert_ok(ctx, nigh_holdout_save(back, &again));
            assert_int_equal(again.size, text.size);
            assert_memory_equal(again.data, text.data, text.size);
            nigh_buffer_free(&again);
            nigh_holdout_free(back);
        } else
            assert_int_equal(status, NIGH_FORMAT);
    }
    char *line = strchr(text.data, '\n') + 1, *after = strchr(line, '\n') + 1; /* a whole line taken out */
    size_t left = text.size - (size_t)(after - text.data);
    memmove(line, after, left);
    assert_fails(ctx, nigh_holdout_restore(ctx, text.data, (size_t)(line - text.data) + left, &used, &back), NIGH_FORMAT, "line 2");
    assert_fails(ctx, nigh_holdout_restore(ctx, "", 0, &used, &back), NIGH_FORMAT, "empty");
    assert_fails(ctx, nigh_holdout_restore(ctx, "[1]\n", 4, &used, &back), NIGH_FORMAT, "line 1");
    assert_fails(ctx, nigh_holdout_restore(ctx, "{}\n", 3, &used, &back), NIGH_FORMAT, "line 1");
    nigh_buffer_free(&text);
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void every_cut_keeps_whole_lines(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout *h = asked(ctx, 3);
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_holdout_save(h, &text));
    for (size_t size = 0; size <= text.size; size++) {
        size_t used = 0;
        int lines = 0;
        for (size_t i = 0; i < size; i++) lines += text.data[i] == '\n';
        nigh_holdout *back = NULL;
        nigh_status status = nigh_holdout_restore(ctx, text.data, size, &used, &back);
        assert_int_equal(status, lines ? NIGH_OK : NIGH_FORMAT);
        if (lines) {
            assert_int_equal(nigh_holdout_asked(back), lines - 1);
            assert_true(used <= size && text.data[used - 1] == '\n');
        }
        nigh_holdout_free(back);
    }
    nigh_buffer_free(&text);
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static void the_receipt_is_json(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_holdout *h = asked(ctx, 10);
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_holdout_json(h, &text));
    json_t *root = json_loadb(text.data, text.size, 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_integer_value(json_object_get(root, "asked")), 10);
    assert_int_equal(json_integer_value(json_object_get(root, "budget_left")), 30 - nigh_holdout_used(h));
    assert_int_equal(json_array_size(json_object_get(root, "answers")), 10);
    assert_near(json_real_value(json_object_get(root, "test_noise_scale")), 4 / sqrt(1000), 1e-9, 0);
    assert_null(json_object_get(root, "seed"));
    json_decref(root);
    nigh_buffer_free(&text);
    nigh_holdout_free(h);
    test_context_free(ctx);
}

static nigh_status life(nigh_context *ctx)
{
    nigh_holdout_options o = options_of(NIGH_HOLDOUT_THRESHOLDOUT);
    nigh_holdout *h = NULL, *back = NULL;
    nigh_buffer text = {.ctx = ctx}, receipt = {.ctx = ctx};
    nigh_holdout_answer a;
    size_t used;
    nigh_status status = nigh_holdout_new(ctx, &o, &h);
    for (int j = 0; j < 20 && !status; j++) status = question(h, j, &a);
    if (!status) status = nigh_holdout_save(h, &text);
    if (!status) status = nigh_holdout_json(h, &receipt);
    if (!status) status = nigh_holdout_restore(ctx, text.data, text.size, &used, &back);
    nigh_buffer_free(&text);
    nigh_buffer_free(&receipt);
    nigh_holdout_free(h);
    nigh_holdout_free(back);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    nigh_status status = NIGH_MEMORY;
    for (long k = 2; status; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        status = life(ctx);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_back_goes_on_the_same), cmocka_unit_test(damage_is_noticed), cmocka_unit_test(every_cut_keeps_whole_lines),
        cmocka_unit_test(the_receipt_is_json),           cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
